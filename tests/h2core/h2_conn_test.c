/* Life of a connection: upgrade, shutting down in two steps, failure, and memory that runs out. */
#include "h2_script.h"

#include "h2_internal.h"
#include "hpack_testing.h"

#include <stdio.h>

/* clang-format off */
static const struct script_case cases[] = {
    {"shutting_down_in_two_steps", H2_SERVER, "POST 1\n!notice\nGET 3\n!shutdown\n!shutdown\n!notice\nGET 5\nDATA 1 ES text x\n!respond 1 end :status=200\n!respond 3 end :status=200",
     "REQUEST 1\n> GOAWAY 2147483647 NO_ERROR \nREQUEST 3 end\n> GOAWAY 3 NO_ERROR \nDATA 1 1 end\n> HEADERS 1 end\n> HEADERS 3 end\n", 0, 0},
    {"streams_after_shutdown_are_ignored_but_accounted", H2_SERVER,
     "!fields\nPOST 1\n!shutdown\nHEADERS 3 EH fields :method=PUT|:scheme=http|:path=/|:authority=a|x-new=1\n*2 DATA 3 - zeros 16384\nWINDOW_UPDATE 3 - u32 1\nHEADERS 3 ES+EH fields x=y\nRST_STREAM 3 - u32 8\nHEADERS 1 ES+EH fields x-new=1",
     "REQUEST 1 :method=POST|:scheme=https|:path=/|:authority=example.com\n> GOAWAY 1 NO_ERROR \nTRAILERS 1 end x-new=1\n> WINDOW_UPDATE 0 32768\n", 0, 0},
    {"idle_streams_stay_idle_after_shutdown", H2_SERVER, "!shutdown\nDATA 7 - text x",
     "> GOAWAY 0 NO_ERROR \nFAILED PROTOCOL_ERROR: DATA on an idle stream\n> GOAWAY 0 PROTOCOL_ERROR DATA on an idle stream\n", 0, 0},
    {"malformed_requests_after_shutdown_are_ignored_too", H2_SERVER, "!shutdown\nHEADERS 1 ES+EH\nPING 0 - text abcdefgh", "> GOAWAY 0 NO_ERROR \n> PING ack abcdefgh\n", 0, 0},
    {"a_client_shuts_down", H2_CLIENT, "!request end\n!shutdown\n!request\nOKEND 1\nWINDOW_UPDATE 1 - u32 1", "> HEADERS 1 end\n> GOAWAY 0 NO_ERROR \n= GOAWAY\nRESPONSE 1 end 200\n", 0, 0},
    {"terminating_says_why", H2_SERVER, "POST 1\n!terminate INADEQUATE_SECURITY not with this cipher\nDATA 1 ES text x", "REQUEST 1\n> GOAWAY 1 INADEQUATE_SECURITY not with this cipher\n", 0, 0},
    {"terminating_without_a_word", H2_CLIENT, "!terminate NO_ERROR\n!request", "> GOAWAY 0 NO_ERROR \n= CLOSED\n", 0, 0},
    {"a_failure_names_the_last_stream_that_was_told", H2_SERVER, "GET 1\nHEADERS 3 ES+EH fields x=y\nWINDOW_UPDATE 0 - u32 0",
     "REQUEST 1 end\nRESET 3 us PROTOCOL_ERROR: no :method\nFAILED PROTOCOL_ERROR: WINDOW_UPDATE of 0 for the connection\n"
     "> RST_STREAM 3 PROTOCOL_ERROR\n> GOAWAY 1 PROTOCOL_ERROR WINDOW_UPDATE of 0 for the connection\n", 0, 0},
    {"no_action_after_a_failure", H2_SERVER, "POST 1\nDATA 1 - text x\nWINDOW_UPDATE 0 - u32 0\n!respond 1 end :status=200\n!end 1\n!consume 1 1\n!ping\n!shutdown",
     "REQUEST 1\nDATA 1 1\nFAILED PROTOCOL_ERROR: WINDOW_UPDATE of 0 for the connection\n> GOAWAY 1 PROTOCOL_ERROR WINDOW_UPDATE of 0 for the connection\n"
     "= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n", 0, 0},
};
/* clang-format on */

static void endings_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

/* ---------------------------------------------------------------- questions */

static const char greeting[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                               "\0\0\0\4\0\0\0\0\0"
                               "\0\0\0\4\1\0\0\0\0";

static void feed(struct h2_conn *c, const void *p, size_t len)
{
    struct h2_event ev;
    h2_conn_feed(c, p, len);
    while (h2_conn_next_event(c, 0, &ev)) {
    }
}

static void questions(void **state)
{
    (void)state;
    struct h2_options opts;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    assert_false(h2_conn_settings_acked(c));
    feed(c, greeting, sizeof(greeting) - 1);
    assert_true(h2_conn_settings_acked(c));
    assert_int_equal(h2_conn_open_streams(c), 0);
    assert_false(h2_conn_in_header_block(c));
    feed(c, "\0\0\3\1\1\0\0\0\5\x82\x87\x84", 12); /* HEADERS, to be continued */
    assert_true(h2_conn_in_header_block(c));
    assert_int_equal(h2_conn_last_peer_stream(c), 0);
    feed(c, "\0\0\3\x9\4\0\0\0\5\x41\x01", 11);
    assert_true(h2_conn_in_header_block(c));
    feed(c, "a", 1);
    assert_false(h2_conn_in_header_block(c));
    assert_int_equal(h2_conn_open_streams(c), 1);
    assert_int_equal(h2_conn_last_peer_stream(c), 5);
    assert_false(h2_conn_goaway_received(c));
    feed(c, "\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0", 17);
    assert_true(h2_conn_goaway_received(c));
    assert_false(h2_conn_is_over(c));
    assert_int_equal(h2_conn_close(c, H2_NO_ERROR, H2_LAST_TOLD, NULL, 0), H2_OK);
    assert_true(h2_conn_is_over(c));
    h2_conn_free(c);
    h2_conn_free(NULL);
}

/* ---------------------------------------------------------------- upgrade */

static void an_upgrade_makes_stream_1(void **state)
{
    (void)state;
    struct h2_options opts;
    uint8_t out[512];
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    int user;
    assert_int_equal(h2_conn_upgrade(c, "AAQAAAAH", 8, false, &user), H2_OK); /* 4 = 7 */
    assert_int_equal(h2_conn_peer_setting(c, H2_SETTINGS_INITIAL_WINDOW_SIZE), 7);
    assert_int_equal(h2_conn_open_streams(c), 1);
    assert_int_equal(h2_conn_last_peer_stream(c), 1);
    size_t n = h2_conn_send(c, out, sizeof(out));
    assert_true(n > 9 && out[3] == 4 && out[4] == 0); /* our SETTINGS, no acknowledgement */
    assert_int_equal(n, 9 + ((size_t)out[1] << 8 | out[2]));

    struct h2_field status = {":status", "200", 7, 3, H2_TOKEN_PSEUDO_STATUS, 0};
    assert_int_equal(h2_conn_respond(c, 1, &status, 1, false), H2_OK);
    h2_conn_send(c, out, sizeof(out));
    h2_stream_set_ready(c, 1, true);
    size_t limit;
    void *whose;
    assert_int_equal(h2_conn_next_writable(c, &limit, &whose), 1);
    assert_int_equal(limit, 7);
    assert_ptr_equal(whose, &user);

    feed(c, greeting, sizeof(greeting) - 1);
    assert_false(h2_conn_is_over(c));
    feed(c, "\0\0\1\0\0\0\0\0\1x", 10); /* the request has ended before */
    assert_int_equal(h2_conn_open_streams(c), 0);
    h2_conn_free(c);
}

static void an_upgrade_with_bad_settings(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "AAQAAAA",  /* five octets */
        "AASAAAAA", /* INITIAL_WINDOW_SIZE 2^31 */
        "AAUAAAAB", /* MAX_FRAME_SIZE 1 */
        "AAIAAAAC", /* ENABLE_PUSH 2 */
        "AAQAAAAH=", "AAQAAAAHA", "AAQAAAB/", "AAQA AAH", "AAQAAAA=", "A", "AB",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct h2_options opts;
        h2_options_init(&opts);
        struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
        assert_int_equal(h2_conn_upgrade(c, bad[i], strlen(bad[i]), false, NULL), H2_ERR_SETTING);
        h2_conn_free(c);
    }
}

/* ---------------------------------------------------------------- memory */

static const struct script_case busy[] = {
    {.name = "server",
     .role = H2_SERVER,
     .script =
         "SETTINGS 0 - set 1=8192,4=100000\nPRIORITY_UPDATE 0 - hex 00000005 753d31\n"
         "SPLIT 1 - 20 :method=POST|:scheme=http|:path=/|:authority=a|x=0123456789012345678901"
         "234567890123456789|cookie=a=b\n"
         "!user 1\nPOST 3\nGET 5\nGET 7\nGET 9\nGET 11\nGET 13\nGET 15\nGET 17\nGET 19\nGET 21\n"
         "*20 DATA 1 - zeros 3000\nDATA 1 PAD+ES hex 01 00 00\n"
         "!respond 1 :status=103|link=x\n!respond 1 :status=200|server=me|x-long=012345678901234"
         "56789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
         "\n!data 1 5000\n!trailers 1 a=b\n!consume 1 30000\nDATA 3 - zeros 10\n!reset 3 CANCEL\n"
         "!respond 5 end :status=304\nRST_STREAM 7 - u32 8\nHEADERS 23 ES+EH\nWINDOW_UPDATE 9 - "
         "u32 "
         "0\nPING 0 - text abcdefgh\n!ping\n!notice\n!shutdown\nGET 25\nGOAWAY 0 - hex 000000000000"
         "0000 6162636465666768\nDATA 99 - text x"},
    {.name = "client",
     .role = H2_CLIENT,
     .script =
         "!request\n!request end\n!request end\n*40 !request end\nSETTINGS 0 - set 1=0,3=100,4=10\n"
         "!data 1 100\nHEADERS 1 EH fields :status=103|link=x\nSPLIT 1 - 5 :status=200|server=you|"
         "content-length=5\nDATA 1 - text hel\nDATA 1 - text lo\nHEADERS 1 ES+EH fields x=y\n!end "
         "1\n"
         "OKEND 3\nGOAWAY 0 - u32 3,0\n!request\nBYTES ffffff 000000 00000000"},
};

/* Memory that is used up once and for all. */
struct scarce {
    struct h2_allocator alloc;
    size_t left; /* calls that find some */
    size_t blocks;
};

static void *resize_scarce(void *ctx, void *p, size_t size)
{
    struct scarce *scarce = ctx;
    if (size == 0) {
        scarce->blocks -= p != NULL;
        free(p);
        return NULL;
    }
    if (scarce->left == 0) {
        return NULL;
    }
    scarce->left--;
    scarce->blocks += p == NULL;
    return realloc(p, size);
}

static void every_allocation_fails(const struct script_case *scripts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct counting counting;
        counting_init(&counting);
        char *whole = script_run(&scripts[i], SCRIPT_AT_RANDOM, 1, &counting.alloc);
        assert_int_equal(counting.blocks, 0);
        size_t calls = counting.calls;
        assert_true(calls > 5);
        for (size_t fail_at = 1; fail_at <= calls; fail_at++) {
            counting_init(&counting);
            counting.fail_at = fail_at;
            char *got = script_run(&scripts[i], SCRIPT_AT_RANDOM, 1, &counting.alloc);
            assert_int_equal(counting.blocks, 0);
            free(got);

            struct scarce scarce = {.left = fail_at - 1};
            scarce.alloc = (struct h2_allocator){resize_scarce, &scarce};
            free(script_run(&scripts[i], SCRIPT_AT_RANDOM, 1, &scarce.alloc));
            assert_int_equal(scarce.blocks, 0);
        }
        print_message("%s: %zu allocations\n", scripts[i].name, calls);
        free(whole);
    }
}

static void everything(struct h2_options *opts)
{
    opts->mute = 0;
    opts->trace = script_trace;
    opts->enable_push = true;
    opts->normalize_received = opts->normalize_sent = true;
}

static void everything_unchecked(struct h2_options *opts)
{
    everything(opts);
    opts->validate_received = opts->validate_sent = false;
}

#define HEAD ":method=GET|:scheme=http|:path=/|:authority=a"

/* All that was added since: every event that is not of a message, every action. */
static const struct script_case busier[] = {
    {.name = "server that says everything",
     .role = H2_SERVER,
     .tune = everything,
     .script = "SETTINGS 0 - set 3=5,4=70000,0xfafa=5\nHEADERS 1 EH+PRI hex 00000000 0f 82 86 84 "
               "41 01 61\n"
               "!user 1\n!push 1 " HEAD
               "|X-Up= y |connection=z\n!push 1\n!push 1\n!push 1\n!push 1\n!push 1\n!push 1\n"
               "!respond 2 :status=103\n!respond 2 :status=200|Server= x \n!send 2 1000 255\n!send "
               "2 5 - end\n"
               "!reset 4 CANCEL\nRST_STREAM 6 - u32 8\n!respond 1 :status=200\n!send 1 3000 "
               "0\n!trailers 1 X=y\n"
               "SPLIT 3 - 30 "
               ":method=POST|:scheme=http|:path=/"
               "|:authority=a|cookie=a=b|cookie=c=d|x=0123456789012345678901234567890123456789\n"
               "DATA 3 PAD hex 02 61 0000\n!update 3 5000\n!update 0 70000\n!settings "
               "4=10,0xf0=1\n!settings 1=8192\nSETTINGS 0 ACK\nSETTINGS 0 ACK\n"
               "!altsvc 0 https://a clear\n!altsvc 3 - clear\n!origin https://a https://b\n!ext 0b "
               "1 3 hello\n0b 0 - text hello\nPING 0 - text abcdefgh\n"
               "PRIORITY 3 - hex 00000000 00\nPRIORITY_UPDATE 0 - hex 00000003 "
               "753d31\nWINDOW_UPDATE 3 - u32 7\nWINDOW_UPDATE 0 - u32 7\n"
               "HEADERS 3 ES+EH fields a=b|cookie=a|cookie=b\nGOAWAY 0 - hex "
               "000000000000000062796521\n!shutdown\n!close NO_ERROR told bye bye"},
    {.name = "client that says everything",
     .role = H2_CLIENT,
     .tune = everything,
     .script =
         "!prequest 0 256 " HEAD "|Accept= x |connection=y\n!request\nSETTINGS 0 - set 1=100\n"
         "PROMISE 1 2 " HEAD "|cookie=a|cookie=b\nPROMISE 1 4 " HEAD "|x=1\nPROMISE 1 6 " HEAD
         "|priority=u=1\nPROMISE 1 8 " HEAD "\nPROMISE 1 10 " HEAD "\n"
         "HEADERS 2 EH fields :status=103\nOK 2\nDATA 2 ES text hello\n!reset 4 CANCEL\nRST_STREAM "
         "6 - u32 8\n"
         "!send 1 100 9\n!trailers 1 X=y|Upgrade=z\n!reset 3 CANCEL\nPROMISE 3 12 " HEAD "\n"
         "ALTSVC 0 - hex 0001 61 63\nALTSVC 1 - hex 0000 63\nORIGIN 0 - hex 0001 61\n!prio 1 0 "
         "16\n!pupdate 1 u=1\n!ping\nPING 0 ACK text 12345678\n"
         "!settings 2=0,4=1\n!settings 4=100000\nSETTINGS 0 ACK\nSETTINGS 0 ACK\n!ext ff 0 0 x\nff "
         "0 - zeros 3000\n"
         "HEADERS 1 ES+EH fields :status=200|cookie=x|cookie=y\n!notice\nGOAWAY 0 - u32 "
         "1,0\n!close CANCEL 0 bye"},
    {.name = "server that checks nothing",
     .role = H2_SERVER,
     .tune = everything_unchecked,
     .script = "HEADERS 1 EH fields X=y|Cookie=a|cookie=b|Connection=X|:path=/\n!respond 1 "
               "X=y|Connection=close|:status=200\n"
               "!trailers 1 A=b\nHEADERS 1 ES+EH fields Cookie=a|Cookie=b"},
    {.name = "upgraded server",
     .role = H2_SERVER,
     .raw = true,
     .tune = everything,
     .script = "!upgrade AAMAAABkAAQAAAAH\n!push 1\n!respond 1 :status=200\n!send 1 7 - end\n"
               "BYTES 505249202a20485454502f322e300d0a0d0a534d0d0a0d0a\nSETTINGS 0 - set 4=1\nGET "
               "3\n!respond 2 end :status=200"},
    {.name = "upgraded client",
     .role = H2_CLIENT,
     .raw = true,
     .tune = everything,
     .script = "!offer\n!upgrade - head\nSETTINGS 0\nSETTINGS 0 ACK\nHEADERS 1 ES+EH fields "
               ":status=200|content-length=5\n!request"},
};

/* ---------------------------------------------------------------- mute */

static uint32_t the_mute;

static void muted(struct h2_options *opts)
{
    everything(opts);
    opts->trace = NULL;
    opts->mute = the_mute;
}

/* Lines of a record that begin so. */
static char *lines_of(const char *record, const char *beginning)
{
    char *lines = calloc(1, strlen(record) + 1);
    assert_non_null(lines);
    for (const char *p = record; *p != '\0';) {
        const char *end = strchr(p, '\n');
        assert_non_null(end);
        if (strncmp(p, beginning, strlen(beginning)) == 0) {
            strncat(lines, p, (size_t)(end - p) + 1);
        }
        p = end + 1;
    }
    return lines;
}

/* Each event muted alone, and all: the same is sent, and the same is told otherwise. */
static void what_is_muted_changes_nothing_else(void **state)
{
    (void)state;
    static const char *const never[] = {"REQUEST", "RESPONSE", "INFORMATIONAL", "TRAILERS", "DATA",
                                        "RESET",   "PUSH",     "GOAWAY",        "FAILED"};
    static const char *const rest[] = {"STREAM_ENDED", "WINDOW_UPDATE", "SETTINGS", "PING",
                                       "PRIORITY",     "ALTSVC",        "ORIGIN",   "UNKNOWN"};
    for (size_t i = 0; i < 2; i++) {
        struct script_case sc = busier[i];
        sc.tune = muted;
        the_mute = 0;
        char *whole = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
        char *sent = lines_of(whole, ">");
        for (unsigned type = H2_EVENT_REQUEST; type <= H2_EVENT_FAILED + 1; type++) {
            the_mute = type <= H2_EVENT_FAILED ? H2_MUTE(type) : UINT32_MAX;
            char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
            char *got_sent = lines_of(got, ">");
            assert_string_equal(got_sent, sent);
            free(got_sent);
            free(got);
        }
        the_mute = UINT32_MAX;
        char *most = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
        for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++) {
            char *a = lines_of(whole, never[k]);
            char *b = lines_of(most, never[k]);
            for (char *u = strstr(a, " u="); u != NULL; u = strstr(u, " u=")) {
                size_t n = 1 + strcspn(u + 1, " \n"); /* written down only with all events */
                memmove(u, u + n, strlen(u + n) + 1);
            }
            assert_string_equal(a, b);
            free(a);
            free(b);
        }
        for (size_t k = 0; k < sizeof(rest) / sizeof(rest[0]); k++) {
            char *b = lines_of(most, rest[k]);
            assert_string_equal(b, "");
            free(b);
        }
        free(most);
        free(sent);
        free(whole);
    }
}

static void every_allocation_of_the_rest_can_fail(void **state)
{
    (void)state;
    every_allocation_fails(busier, sizeof(busier) / sizeof(busier[0]));
}

static void every_allocation_can_fail(void **state)
{
    (void)state;
    every_allocation_fails(busy, sizeof(busy) / sizeof(busy[0]));
}

static void a_steady_stream_of_requests_needs_no_new_memory(void **state)
{
    (void)state;
    struct counting counting;
    struct h2_options opts;
    uint8_t out[512];
    counting_init(&counting);
    h2_options_init(&opts);
    opts.alloc = &counting.alloc;
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    feed(c, greeting, sizeof(greeting) - 1);
    feed(c,
         "\0\0\6\1\4\0\0\0\1\x82\x87\x84\x41\x01"
         "a",
         15); /* stays open, so the connection is not idle */
    uint8_t request[] = "\0\0\4\1\5\0\0\0\0\x82\x87\x84\xbe";
    struct h2_field status = {":status", "200", 7, 3, H2_TOKEN_PSEUDO_STATUS, 0};
    size_t blocks = 0;
    size_t bytes = 0;
    for (uint32_t id = 3; id < 20003; id += 2) {
        request[7] = (uint8_t)(id >> 8);
        request[8] = (uint8_t)id;
        feed(c, request, sizeof(request) - 1);
        assert_int_equal(h2_conn_respond(c, id, &status, 1, true), H2_OK);
        while (h2_conn_send(c, out, sizeof(out)) > 0) {
        }
        if (id == 1003) { /* everything has its size by now */
            blocks = counting.blocks;
            bytes = counting.bytes;
        }
    }
    assert_int_equal(counting.blocks, blocks);
    assert_int_equal(counting.bytes, bytes);
    h2_conn_free(c);
    assert_int_equal(counting.blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endings_from_outside),
        cmocka_unit_test(questions),
        cmocka_unit_test(an_upgrade_makes_stream_1),
        cmocka_unit_test(an_upgrade_with_bad_settings),
        cmocka_unit_test(every_allocation_can_fail),
        cmocka_unit_test(every_allocation_of_the_rest_can_fail),
        cmocka_unit_test(what_is_muted_changes_nothing_else),
        cmocka_unit_test(a_steady_stream_of_requests_needs_no_new_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
