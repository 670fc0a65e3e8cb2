/* SETTINGS: ranges, order, when they are in force, and what they move. */
#include "h2_script.h"

#include "h2_internal.h"

#include <stdio.h>

#define PREFACE "BYTES 505249202a20485454502f322e300d0a0d0a534d0d0a0d0a\n"

static void everything(struct h2_options *opts)
{
    opts->header_table_size = 8192;
    opts->max_concurrent_streams = 7;
    opts->initial_window_size = 100000;
    opts->connection_window_size = 200000;
    opts->max_frame_size = 32768;
    opts->enable_connect_protocol = true;
    opts->limits.header_list_bytes = 12345;
}

static void small_windows(struct h2_options *opts)
{
    opts->initial_window_size = 10;
    opts->connection_window_size = 10; /* cannot be: 65535 */
}

static void no_table(struct h2_options *opts)
{
    opts->header_table_size = 0;
}

static void two_entries(struct h2_options *opts)
{
    opts->limits.settings_per_frame = 2;
}

#define BAD(code, why) "FAILED " code ": " why "\n> GOAWAY 0 " code " " why "\n"
#define RANGE(name)    "SETTINGS_" name " is out of range"

/* clang-format off */
static const struct script_case cases[] = {
    {"settings_are_acknowledged_and_told", H2_SERVER, "SETTINGS 0 - set 3=5,4=70000", "SETTINGS\n> SETTINGS ack\n", 0, 0},
    {"unknown_settings_are_ignored", H2_SERVER, "SETTINGS 0 - set 0=1,7=1,10=9,0xfafa=5,0xffff=0xffffffff", "SETTINGS\n> SETTINGS ack\n", 0, 0},
    {"our_settings_are_announced", H2_SERVER, "", "> SETTINGS 1=8192 3=7 4=100000 5=32768 6=12345 8=1 9=1\n> WINDOW_UPDATE 0 134465\n", everything, true},
    {"a_client_announces_no_streams", H2_CLIENT, "", "> preface\n> SETTINGS 1=8192 2=0 4=100000 5=32768 6=12345 9=1\n> WINDOW_UPDATE 0 134465\n", everything, true},
    {"an_acknowledgement_is_told", H2_CLIENT, "SETTINGS 0\nSETTINGS 0 ACK", "SETTINGS\nSETTINGS_ACK\n> preface\n> SETTINGS 2=0 6=65536 9=1\n> SETTINGS ack\n", 0, true},
    {"an_acknowledgement_of_nothing", H2_SERVER, "SETTINGS 0 ACK", BAD("PROTOCOL_ERROR", "SETTINGS acknowledged that were not sent"), 0, 0},
    {"an_acknowledgement_with_payload", H2_SERVER, "SETTINGS 0 ACK set 3=5", BAD("FRAME_SIZE_ERROR", "SETTINGS of a length that it must not have"), 0, 0},
    {"a_length_that_is_no_multiple_of_6", H2_SERVER, "SETTINGS 0 - hex 0003000000", BAD("FRAME_SIZE_ERROR", "SETTINGS of a length that it must not have"), 0, 0},

    {"enable_push_is_0_or_1", H2_SERVER, "SETTINGS 0 - set 2=2", BAD("PROTOCOL_ERROR", RANGE("ENABLE_PUSH")), 0, 0},
    {"a_client_may_enable_push_in_vain", H2_SERVER, "SETTINGS 0 - set 2=1", "SETTINGS\n> SETTINGS ack\n", 0, 0},
    {"a_server_must_not_enable_push", H2_CLIENT, "SETTINGS 0 - set 2=1", BAD("PROTOCOL_ERROR", "a server announced SETTINGS_ENABLE_PUSH 1"), 0, 0},
    {"a_server_may_disable_push", H2_CLIENT, "SETTINGS 0 - set 2=0", "SETTINGS\n> SETTINGS ack\n", 0, 0},
    {"a_window_is_31_bits", H2_SERVER, "SETTINGS 0 - set 4=0x80000000", BAD("FLOW_CONTROL_ERROR", RANGE("INITIAL_WINDOW_SIZE")), 0, 0},
    {"the_largest_window", H2_SERVER, "SETTINGS 0 - set 4=0x7fffffff", "SETTINGS\n> SETTINGS ack\n", 0, 0},
    {"a_frame_size_of_0", H2_CLIENT, "SETTINGS 0 - set 5=0", BAD("PROTOCOL_ERROR", RANGE("MAX_FRAME_SIZE")), 0, 0},
    {"a_frame_size_below_the_least", H2_SERVER, "SETTINGS 0 - set 5=16383", BAD("PROTOCOL_ERROR", RANGE("MAX_FRAME_SIZE")), 0, 0},
    {"a_frame_size_above_the_most", H2_SERVER, "SETTINGS 0 - set 5=16777216", BAD("PROTOCOL_ERROR", RANGE("MAX_FRAME_SIZE")), 0, 0},
    {"the_largest_frame_size", H2_SERVER, "SETTINGS 0 - set 5=16777215", "SETTINGS\n> SETTINGS ack\n", 0, 0},
    {"connect_protocol_is_0_or_1", H2_CLIENT, "SETTINGS 0 - set 8=2", BAD("PROTOCOL_ERROR", RANGE("ENABLE_CONNECT_PROTOCOL")), 0, 0},
    {"connect_protocol_is_not_taken_back", H2_CLIENT, "SETTINGS 0 - set 8=1\nSETTINGS 0 - set 8=0",
     "SETTINGS\nFAILED PROTOCOL_ERROR: SETTINGS_ENABLE_CONNECT_PROTOCOL was taken back\n> SETTINGS ack\n> GOAWAY 0 PROTOCOL_ERROR SETTINGS_ENABLE_CONNECT_PROTOCOL was taken back\n", 0, 0},
    {"the_priority_scheme_is_0_or_1", H2_SERVER, PREFACE "SETTINGS 0 - set 9=2",
     "FAILED PROTOCOL_ERROR: SETTINGS_NO_RFC7540_PRIORITIES is out of range\n> SETTINGS 3=100 6=65536 9=1\n> GOAWAY 0 PROTOCOL_ERROR SETTINGS_NO_RFC7540_PRIORITIES is out of range\n", 0, true},
    {"the_priority_scheme_is_said_at_once", H2_SERVER, "SETTINGS 0 - set 9=1", BAD("PROTOCOL_ERROR", "SETTINGS_NO_RFC7540_PRIORITIES changed after the first SETTINGS"), 0, 0},
    {"the_priority_scheme_may_be_repeated", H2_SERVER, PREFACE "SETTINGS 0 - set 9=1\nSETTINGS 0 - set 9=1",
     "SETTINGS\nSETTINGS\n> SETTINGS 3=100 6=65536 9=1\n> SETTINGS ack\n> SETTINGS ack\n", 0, true},
    {"too_many_settings_in_a_frame", H2_SERVER, "SETTINGS 0 - set 3=1,3=1,3=1", BAD("ENHANCE_YOUR_CALM", "more settings than settings_per_frame allows"), two_entries, 0},
    {"as_many_settings_as_allowed", H2_SERVER, "SETTINGS 0 - set 3=1,3=1", "SETTINGS\n> SETTINGS ack\n", two_entries, 0},

    {"a_smaller_window_can_go_below_zero", H2_SERVER,
     "GET 1\n!respond 1 :status=200\n!data 1 100\nSETTINGS 0 - set 4=50\n!data 1 10\nWINDOW_UPDATE 1 - u32 50\n!data 1 10\nWINDOW_UPDATE 1 - u32 7\n!data 1 10",
     "REQUEST 1 end\n> HEADERS 1\n> DATA 1 100\nSETTINGS\n> SETTINGS ack\n= 10 stay\n= 10 stay\n> DATA 1 7\n= 3 stay\n", 0, 0},
    {"a_larger_window_lets_data_go", H2_SERVER,
     "SETTINGS 0 - set 4=0\nGET 1\n!respond 1 :status=200\n!data 1 10\nSETTINGS 0 - set 4=4\n!data 1 10",
     "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n> HEADERS 1\n= 10 stay\nSETTINGS\n> SETTINGS ack\n> DATA 1 4\n= 6 stay\n", 0, 0},
    {"a_window_moved_over_its_end", H2_SERVER, "GET 1\nWINDOW_UPDATE 1 - u32 0x7fff0000\nSETTINGS 0 - set 4=65536",
     "REQUEST 1 end\nFAILED FLOW_CONTROL_ERROR: SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1\n"
     "> GOAWAY 1 FLOW_CONTROL_ERROR SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1\n", 0, 0},
    {"entries_are_applied_in_order", H2_SERVER, "GET 1\nWINDOW_UPDATE 1 - u32 0x7fff0000\nSETTINGS 0 - set 4=0,4=65535",
     "REQUEST 1 end\nSETTINGS\n> SETTINGS ack\n", 0, 0},
    {"new_streams_have_the_new_window", H2_SERVER, "SETTINGS 0 - set 4=3\nGET 1\n!respond 1 :status=200\n!data 1 10", "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n> HEADERS 1\n> DATA 1 3\n= 7 stay\n", 0, 0},
    {"the_peers_frame_size_cuts_our_data", H2_SERVER, "WINDOW_UPDATE 0 - u32 100000\nSETTINGS 0 - set 4=100000,5=30000\nGET 1\n!respond 1 :status=200\n!data 1 70000 end",
     "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n> HEADERS 1\n> DATA 1 30000\n> DATA 1 30000\n> DATA 1 10000 end\n", 0, 0},

    {"our_small_window_counts_when_acknowledged", H2_SERVER, PREFACE "SETTINGS 0\nPOST 1\nDATA 1 - zeros 100\nSETTINGS 0 ACK\nDATA 1 - zeros 1",
     "SETTINGS\nREQUEST 1\nDATA 1 100\nSETTINGS_ACK\nRESET 1 us FLOW_CONTROL_ERROR: more DATA than the stream window allows\n"
     "> SETTINGS 3=100 4=10 6=65536 9=1\n> SETTINGS ack\n> RST_STREAM 1 FLOW_CONTROL_ERROR\n", small_windows, true},
    {"a_negative_window_lets_the_stream_end", H2_SERVER, PREFACE "SETTINGS 0\nPOST 1\nDATA 1 - zeros 100\nSETTINGS 0 ACK\nDATA 1 ES",
     "SETTINGS\nREQUEST 1\nDATA 1 100\nSETTINGS_ACK\nDATA 1 0 end\n> SETTINGS 3=100 4=10 6=65536 9=1\n> SETTINGS ack\n", small_windows, true},
    {"a_negative_window_recovers_by_credit", H2_SERVER, PREFACE "SETTINGS 0\nPOST 1\nDATA 1 - zeros 100\nSETTINGS 0 ACK\n!consume 1 100\nDATA 1 ES zeros 10",
     "SETTINGS\nREQUEST 1\nDATA 1 100\nSETTINGS_ACK\n> SETTINGS 3=100 4=10 6=65536 9=1\n> SETTINGS ack\n> WINDOW_UPDATE 1 100\nDATA 1 10 end\n", small_windows, true},
    {"what_was_owed_of_a_larger_window_is_not_forgotten", H2_SERVER, PREFACE "SETTINGS 0\nPOST 1\nDATA 1 - zeros 100\n!consume 1 100\nSETTINGS 0 ACK\nDATA 1 ES zeros 10",
     "SETTINGS\nREQUEST 1\nDATA 1 100\n> SETTINGS 3=100 4=10 6=65536 9=1\n> SETTINGS ack\nSETTINGS_ACK\nDATA 1 10 end\n> WINDOW_UPDATE 1 100\n", small_windows, true},
    {"streams_after_the_acknowledgement_have_our_window", H2_SERVER, "POST 1\nDATA 1 - zeros 11",
     "REQUEST 1\nRESET 1 us FLOW_CONTROL_ERROR: more DATA than the stream window allows\n> RST_STREAM 1 FLOW_CONTROL_ERROR\n", small_windows, 0},
    {"the_dynamic_table_is_the_default_until_acknowledged", H2_SERVER, PREFACE "SETTINGS 0\n!fields\nHEADERS 1 ES+EH hex 82 87 84 41 01 61\nHEADERS 3 ES+EH hex 82 87 84 be",
     "SETTINGS\n> SETTINGS 1=0 3=100 6=65536 9=1\n> SETTINGS ack\nREQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a\nREQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a\n", no_table, true},
    {"a_smaller_table_must_be_admitted_after_the_acknowledgement", H2_SERVER, "HEADERS 1 ES+EH hex 82 87 84 41 01 61",
     BAD("COMPRESSION_ERROR", "a dynamic table size update is too large, misplaced or missing"), no_table, 0},
    {"a_smaller_table_that_is_admitted", H2_SERVER, "HEADERS 1 ES+EH hex 20 82 87 84 41 01 61\nHEADERS 3 ES+EH hex 82 87 84 be",
     "REQUEST 1 end\nFAILED COMPRESSION_ERROR: a header block refers to a table entry that does not exist\n"
     "> GOAWAY 1 COMPRESSION_ERROR a header block refers to a table entry that does not exist\n", no_table, 0},
};
/* clang-format on */

static void settings_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

/* Every row of settings.def: its ends are taken, what lies beyond is not. */
static void every_range_has_its_ends(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned id;
        uint32_t least;
        uint32_t most;
        const char *code;
    } rows[] = {
#define SETTING(name, id, initial, least, most, code) {#name, id, least, most, #code},
#include "settings.def"
#undef SETTING
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct {
            uint64_t value;
            bool good;
        } tries[] = {{rows[i].least, true},
                     {rows[i].most, true},
                     {(uint64_t)rows[i].most + 1, false},
                     {(uint64_t)rows[i].least - 1, false}};
        for (size_t k = 0; k < 4; k++) {
            char script[256];
            if (tries[k].value > UINT32_MAX) {
                continue;
            }
            snprintf(script, sizeof(script), PREFACE "SETTINGS 0 - set %u=%llu", rows[i].id,
                     (unsigned long long)tries[k].value);
            struct script_case sc = {.role = H2_SERVER, .script = script, .raw = true};
            char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
            char bad[128];
            snprintf(bad, sizeof(bad), "FAILED %s: SETTINGS_%s is out of range\n", rows[i].code,
                     rows[i].name);
            assert_int_equal(strstr(got, bad) == NULL, tries[k].good);
            assert_int_equal(strncmp(got, "SETTINGS\n", 9) == 0, tries[k].good);
            free(got);
        }
    }
}

static void the_peers_settings_can_be_asked_for(void **state)
{
    (void)state;
    struct h2_options opts;
    struct h2_event ev;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    assert_int_equal(h2_conn_peer_setting(c, H2_SETTINGS_INITIAL_WINDOW_SIZE), 65535);
    assert_int_equal(h2_conn_peer_setting(c, H2_SETTINGS_MAX_CONCURRENT_STREAMS), UINT32_MAX);
    assert_int_equal(h2_conn_peer_setting(c, H2_SETTINGS_ENABLE_CONNECT_PROTOCOL), 0);
    static const uint8_t frame[] = "\0\0\xc\4\0\0\0\0\0\0\3\0\0\0\5\0\x8\0\0\0\1";
    h2_conn_feed(c, frame, sizeof(frame) - 1);
    assert_true(h2_conn_next_event(c, 0, &ev) && ev.type == H2_EVENT_SETTINGS);
    assert_int_equal(h2_conn_peer_setting(c, H2_SETTINGS_MAX_CONCURRENT_STREAMS), 5);
    assert_int_equal(h2_conn_peer_setting(c, H2_SETTINGS_ENABLE_CONNECT_PROTOCOL), 1);
    assert_false(h2_conn_settings_acked(c));
    h2_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_from_outside),
        cmocka_unit_test(every_range_has_its_ends),
        cmocka_unit_test(the_peers_settings_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
