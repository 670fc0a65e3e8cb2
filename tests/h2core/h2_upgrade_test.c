/* Starting from HTTP/1.1 (RFC 7540, 3.2): the HTTP2-Settings value of both sides, and stream 1. */
#include "h2_script.h"

#include "h2_internal.h"

#include <stdio.h>

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT
#define PRI    "BYTES 505249202a20485454502f322e300d0a0d0a534d0d0a0d0a\n"

static void everything(struct h2_options *opts)
{
    opts->header_table_size = 8192;
    opts->max_concurrent_streams = 7;
    opts->initial_window_size = 100000;
    opts->connection_window_size = 200000;
    opts->max_frame_size = 32768;
    opts->enable_push = true;
    opts->limits.header_list_bytes = 12345;
}

static void tell_all(struct h2_options *opts)
{
    opts->mute = 0;
}

static void two_settings(struct h2_options *opts)
{
    opts->limits.settings_per_frame = 2;
}

/* clang-format off */
static const struct script_case cases[] = {
    {"a_client_offers_what_its_settings_say", CLIENT, "!offer", "> preface\n> SETTINGS 2=0 6=65536 9=1\n= offer AAIAAAAAAAYAAQAAAAkAAAAB\n", 0, true},
    {"a_client_offers_all_of_its_settings", CLIENT, "!offer", "> preface\n> SETTINGS 1=8192 3=7 4=100000 5=32768 6=12345 9=1\n> WINDOW_UPDATE 0 134465\n= offer AAEAACAAAAMAAAAHAAQAAYagAAUAAIAAAAYAADA5AAkAAAAB\n", everything, true},
    {"an_upgraded_request_is_answered", SERVER, "!upgrade -\n!state 1\n!streams\n!user 1\n!respond 1 :status=200\n" PRI "SETTINGS 0\nSETTINGS 0 ACK\n!data 1 5\n!trailers 1 x=y\nGET 3\n!streams", "> SETTINGS 3=100 6=65536 9=1\n= 1 is half closed (remote)\n= streams 1 in 1 out 0 next 2 last 1\n> HEADERS 1\nSETTINGS\nSETTINGS_ACK 3=4294967295>100 6=4294967295>65536 9=0>1\n> SETTINGS ack\n> DATA 1 5\n> HEADERS 1 end\nREQUEST 3 end u=3\nSTREAM_ENDED 3\n= streams 1 in 1 out 0 next 2 last 3\n", tell_all, true},
    {"the_settings_of_an_upgrade_are_applied", SERVER, "!upgrade AAMAAABkAAQAAAAH\n!setting 3\n!setting 4\n!respond 1 :status=200\n!data 1 9", "> SETTINGS 3=100 6=65536 9=1\n= setting 3: peer 100 local 4294967295 pending\n= setting 4: peer 7 local 65535 pending\n> HEADERS 1\n> DATA 1 7\n= 2 stay\n", 0, true},
    {"padding_of_base64_is_taken", SERVER, "!upgrade AAMAAABkAAQAAAAHAAUAAEAA\n!setting 5\n!state 1", "> SETTINGS 3=100 6=65536 9=1\n= setting 5: peer 16384 local 16384 pending\n= 1 is half closed (remote)\n", 0, true},
    {"settings_that_are_no_settings", SERVER, "!upgrade AAQAAAA\n!state 1\n!upgrade AAQAAAAH\n!state 1", "> SETTINGS 3=100 6=65536 9=1\n= SETTING\n= 1 is idle\n= 1 is half closed (remote)\n", 0, true},
    {"more_settings_than_the_limit", SERVER, "!upgrade AAMAAABkAAMAAABkAAMAAABk\n!upgrade AAMAAABkAAMAAABk", "> SETTINGS 3=100 6=65536 9=1\n= SETTING\n", two_settings, true},
    {"the_preface_and_settings_have_to_come_all_the_same", SERVER, "!upgrade -\n" PRI "GET 3", "> SETTINGS 3=100 6=65536 9=1\nFAILED PROTOCOL_ERROR: the first frame is not SETTINGS\n> GOAWAY 1 PROTOCOL_ERROR the first frame is not SETTINGS\n", 0, true},
    {"stream_1_is_not_opened_again", SERVER, "!upgrade -\n" PRI "SETTINGS 0\nHEADERS 1 ES+EH fields x=y", "> SETTINGS 3=100 6=65536 9=1\nSETTINGS\nRESET 1 us STREAM_CLOSED: HEADERS after END_STREAM\n  user upgraded\n> SETTINGS ack\n> RST_STREAM 1 STREAM_CLOSED\n", 0, true},
    {"stream_1_is_not_opened_again_when_it_is_closed", SERVER, "!upgrade -\n!respond 1 end :status=200\n" PRI "SETTINGS 0\nGET 1", "> SETTINGS 3=100 6=65536 9=1\n> HEADERS 1 end\nSETTINGS\nFAILED STREAM_CLOSED: HEADERS on a closed stream\n> SETTINGS ack\n> GOAWAY 1 STREAM_CLOSED HEADERS on a closed stream\n", 0, true},
    {"an_upgraded_stream_can_be_reset_by_both", SERVER, "!upgrade -\n!reset 1 CANCEL\n!state 1\n" PRI "SETTINGS 0\nRST_STREAM 1 - u32 8\nGET 3", "> SETTINGS 3=100 6=65536 9=1\n> RST_STREAM 1 CANCEL\n= 1 is closed (reset sent)\nSETTINGS\nREQUEST 3 end\n> SETTINGS ack\n", 0, true},
    {"an_upgraded_stream_counts", SERVER, "!upgrade -\n" PRI "SETTINGS 0\nGET 3\n!notice\n!shutdown", "> SETTINGS 3=100 6=65536 9=1\nSETTINGS\nREQUEST 3 end\n> SETTINGS ack\n> GOAWAY 2147483647 NO_ERROR \n> GOAWAY 3 NO_ERROR \n", 0, true},
    {"an_upgraded_request_can_be_pushed_on", SERVER, "!upgrade -\n!push 1\n!respond 2 :status=200", "> SETTINGS 3=100 6=65536 9=1\n> PUSH_PROMISE 1 2\n> HEADERS 2\n", 0, true},
    {"an_upgraded_client_is_answered", CLIENT, "!upgrade -\n!state 1\n!streams\nSETTINGS 0\nOK 1\nDATA 1 ES text hello\n!state 1\n!request end", "> preface\n> SETTINGS 2=0 6=65536 9=1\n= 1 is half closed (local)\n= streams 1 in 0 out 1 next 3 last 0\nSETTINGS\nRESPONSE 1 200\nDATA 1 5 end\nSTREAM_ENDED 1\n> SETTINGS ack\n= 1 is closed (ended)\n> HEADERS 3 end\n", tell_all, true},
    {"an_upgraded_client_sends_no_body", CLIENT, "!upgrade -\n!send 1 1 -\n!trailers 1 x=y\n!end 1\n!reset 1 CANCEL\n!state 1", "> preface\n> SETTINGS 2=0 6=65536 9=1\n= STREAM_STATE\n= STREAM_STATE\n= STREAM_STATE\n> RST_STREAM 1 CANCEL\n= 1 is closed (reset sent)\n", 0, true},
    {"the_answer_to_an_upgraded_head_request", CLIENT, "!upgrade - head\nSETTINGS 0\nHEADERS 1 ES+EH fields :status=200|content-length=5", "> preface\n> SETTINGS 2=0 6=65536 9=1\nSETTINGS\nRESPONSE 1 end 200 length 5\n> SETTINGS ack\n", 0, true},
    {"the_answer_to_an_upgraded_get_request", CLIENT, "!upgrade -\nSETTINGS 0\nHEADERS 1 ES+EH fields :status=200|content-length=5", "> preface\n> SETTINGS 2=0 6=65536 9=1\nSETTINGS\nRESET 1 us PROTOCOL_ERROR: content-length, but no DATA\n  user upgraded\n> SETTINGS ack\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, true},
    {"an_upgraded_stream_above_goaway", CLIENT, "!upgrade -\nSETTINGS 0\nGOAWAY 0 - u32 0,0", "> preface\n> SETTINGS 2=0 6=65536 9=1\nSETTINGS\nGOAWAY 0 NO_ERROR \nRESET 1 peer REFUSED_STREAM\n  user upgraded\n> SETTINGS ack\n", 0, true},
    {"no_upgrade_when_it_is_over", SERVER, "!close NO_ERROR told\n!upgrade -", "> SETTINGS 3=100 6=65536 9=1\n> GOAWAY 0 NO_ERROR \n= CLOSED\n", 0, true},
    {"no_upgrade_of_a_client_when_it_is_over", CLIENT, "!close NO_ERROR told\n!upgrade -", "> preface\n> SETTINGS 2=0 6=65536 9=1\n> GOAWAY 0 NO_ERROR \n= CLOSED\n", 0, true},
    {"no_upgrade_when_leaving", SERVER, "!shutdown\n!upgrade -\n!state 1", "> SETTINGS 3=100 6=65536 9=1\n> GOAWAY 0 NO_ERROR \n= GOAWAY\n= 1 is idle\n", 0, true},
};
/* clang-format on */

static void upgrades_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

static struct h2_conn *server(void)
{
    struct h2_options opts;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    assert_non_null(c);
    return c;
}

static void what_is_not_base64url_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] =
        {
            "AAQAAAAH=", "AAQAAAAHA", "AAQAAAB/", "AAQAAAB+", "AAQA AAH", "AAQAAAA=",
            "A",         "AB",        "ABC",      "AB==",     "=",        "==",
            "====",      "AAQAAAA\n", "AASAAAAA", /* INITIAL_WINDOW_SIZE 2^31 */
            "AAUAAAAB",                           /* MAX_FRAME_SIZE 1 */
            "AAIAAAAC",                           /* ENABLE_PUSH 2 */
            "AAgAAAAC",                           /* ENABLE_CONNECT_PROTOCOL 2 */
        };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct h2_conn *c = server();
        if (h2_conn_upgrade(c, bad[i], strlen(bad[i]), false, NULL) != H2_ERR_SETTING) {
            fail_msg("%s is taken", bad[i]);
        }
        assert_int_equal(h2_conn_open_streams(c), 0);
        h2_conn_free(c);
    }
}

/* Every digit at every place: 16 bits of id and 32 of value make 8 digits. */
static void every_digit_is_read(void **state)
{
    (void)state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (unsigned place = 0; place < 5; place++) { /* of the value's lower 30 bits */
        for (uint32_t digit = 0; digit < 64; digit++) {
            char text[] = "AAQAAAAA";
            uint32_t value = digit << (6 * place);
            text[7 - place] = digits[digit];
            struct h2_conn *c = server();
            assert_int_equal(h2_conn_upgrade(c, text, 8, false, NULL), H2_OK);
            assert_int_equal(h2_conn_peer_setting(c, H2_SETTINGS_INITIAL_WINDOW_SIZE), value);
            h2_conn_free(c);
        }
    }
}

/* What one side offers the other reads, with every length of it. */
static void offers_are_understood(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 64; which++) {
        struct h2_options opts;
        char value[H2_UPGRADE_SETTINGS_MAX];
        h2_options_init(&opts);
        opts.header_table_size = which & 1 ? 0xfffefdfc : 4096;
        opts.initial_window_size = which & 2 ? 0x7fffffff : 65535;
        opts.max_frame_size = which & 4 ? 0xffffff : 16384;
        opts.limits.header_list_bytes = which & 8 ? 1 : UINT32_MAX;
        opts.enable_push = (which & 16) != 0;
        opts.max_concurrent_streams = which & 32 ? 3 : UINT32_MAX;
        struct h2_conn *a = h2_conn_new(H2_CLIENT, &opts);
        struct h2_conn *b = server();
        assert_true(a != NULL && b != NULL);
        size_t n = h2_conn_upgrade_settings(a, value, sizeof(value));
        assert_true(n > 0 && n <= sizeof(value));
        assert_int_equal(h2_conn_upgrade_settings(a, value, n), n);
        assert_int_equal(h2_conn_upgrade_settings(a, value, n - 1), 0);
        assert_int_equal(h2_conn_upgrade(b, value, n, false, NULL), H2_OK);
        assert_int_equal(h2_conn_peer_setting(b, H2_SETTINGS_HEADER_TABLE_SIZE),
                         opts.header_table_size);
        assert_int_equal(h2_conn_peer_setting(b, H2_SETTINGS_INITIAL_WINDOW_SIZE),
                         opts.initial_window_size);
        assert_int_equal(h2_conn_peer_setting(b, H2_SETTINGS_MAX_FRAME_SIZE), opts.max_frame_size);
        assert_int_equal(h2_conn_peer_setting(b, H2_SETTINGS_MAX_HEADER_LIST_SIZE),
                         opts.limits.header_list_bytes);
        assert_int_equal(h2_conn_peer_setting(b, H2_SETTINGS_ENABLE_PUSH), opts.enable_push);
        assert_int_equal(h2_conn_peer_setting(b, H2_SETTINGS_MAX_CONCURRENT_STREAMS),
                         opts.enable_push ? opts.max_concurrent_streams : UINT32_MAX);
        assert_int_equal(h2_conn_peer_setting(b, H2_SETTINGS_NO_RFC7540_PRIORITIES), 1);
        h2_conn_free(a);
        h2_conn_free(b);
    }
}

/* An unknown setting is eight digits: as many of them as are taken, and one more. */
static void no_more_settings_than_are_sensible(void **state)
{
    (void)state;
    char text[33 * 8 + 1];
    for (size_t i = 0; i < 33; i++) {
        memcpy(text + 8 * i, "APAAAAAB", 9);
    }
    struct h2_conn *c = server();
    assert_int_equal(h2_conn_upgrade(c, text, 33 * 8, false, NULL), H2_ERR_SETTING);
    assert_int_equal(h2_conn_upgrade(c, text, 32 * 8, false, NULL), H2_OK);
    h2_conn_free(c);
}

/* The longest offer there can be fits what the header says is enough. */
static void the_longest_offer_has_room(void **state)
{
    (void)state;
    struct h2_options opts;
    char value[H2_UPGRADE_SETTINGS_MAX];
    h2_options_init(&opts);
    opts.header_table_size = 1;
    opts.enable_push = true;
    opts.max_concurrent_streams = 1;
    opts.initial_window_size = 1;
    opts.max_frame_size = 20000;
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    assert_non_null(c);
    assert_int_equal(h2_conn_upgrade_settings(c, value, sizeof(value)), 6 * 6 * 4 / 3);
    h2_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upgrades_from_outside),
        cmocka_unit_test(what_is_not_base64url_is_refused),
        cmocka_unit_test(every_digit_is_read),
        cmocka_unit_test(offers_are_understood),
        cmocka_unit_test(no_more_settings_than_are_sensible),
        cmocka_unit_test(the_longest_offer_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
