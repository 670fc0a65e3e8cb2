/* Every limit is hit: by the attack that it is there for, and the sentence names it. */
#include "h2_script.h"

#include "h2_internal.h"

static void few_resets(struct h2_options *opts)
{
    opts->limits.reset_burst = 3;
    opts->limits.reset_rate = 2;
    opts->limits.error_burst = 3;
    opts->limits.error_rate = 2;
    opts->max_concurrent_streams = 1;
}

static void few_control_frames(struct h2_options *opts)
{
    opts->limits.control_burst = 7; /* and two are taken by the exchange of SETTINGS */
    opts->limits.control_rate = 1;
    opts->limits.empty_burst = 5;
    opts->limits.empty_rate = 1;
}

static void few_control_frames_and_fields(struct h2_options *opts)
{
    few_control_frames(opts);
    opts->limits.header_fields = 0;
}

static void few_replies(struct h2_options *opts)
{
    opts->limits.queued_replies = 4;
}

static void little_output(struct h2_options *opts)
{
    opts->limits.output_bytes = 200;
}

#define RESETS_SENT "ENHANCE_YOUR_CALM more streams reset than reset_burst and reset_rate allow\n"
#define RESETS                                                                                     \
    "FAILED ENHANCE_YOUR_CALM: more streams reset than reset_burst and reset_rate allow\n"
#define ERRORS_SENT "ENHANCE_YOUR_CALM more stream errors than error_burst and error_rate allow\n"
#define ERRORS                                                                                     \
    "FAILED ENHANCE_YOUR_CALM: more stream errors than error_burst and error_rate allow\n"
#define EMPTY_SENT "ENHANCE_YOUR_CALM more empty frames than empty_burst and empty_rate allow\n"
#define EMPTY      "FAILED ENHANCE_YOUR_CALM: more empty frames than empty_burst and empty_rate allow\n"
#define CONTROL_SENT                                                                               \
    "ENHANCE_YOUR_CALM more control frames than control_burst and control_rate allow\n"
#define CONTROL                                                                                    \
    "FAILED ENHANCE_YOUR_CALM: more control frames than control_burst and control_rate allow\n"

/* clang-format off */
static const struct script_case cases[] = {
    {"rapid_reset", H2_SERVER, "GET 1\nRST_STREAM 1 - u32 8\nGET 3\nRST_STREAM 3 - u32 8\nGET 5\nRST_STREAM 5 - u32 8\nGET 7\nRST_STREAM 7 - u32 8\nGET 9",
     "REQUEST 1 end\nRESET 1 peer CANCEL\nREQUEST 3 end\nRESET 3 peer CANCEL\nREQUEST 5 end\nRESET 5 peer CANCEL\nREQUEST 7 end\n" RESETS "> GOAWAY 7 " RESETS_SENT, few_resets, 0},
    {"resets_at_a_decent_pace", H2_SERVER,
     "!now 1000\nGET 1\nRST_STREAM 1 - u32 8\nGET 3\nRST_STREAM 3 - u32 8\nGET 5\nRST_STREAM 5 - u32 8\n!now 1500\nGET 7\nRST_STREAM 7 - u32 8\n!now 2000\nGET 9\nRST_STREAM 9 - u32 8\nGET 11\nRST_STREAM 11 - u32 8",
     "REQUEST 1 end\nRESET 1 peer CANCEL\nREQUEST 3 end\nRESET 3 peer CANCEL\nREQUEST 5 end\nRESET 5 peer CANCEL\nREQUEST 7 end\nRESET 7 peer CANCEL\n"
     "REQUEST 9 end\nRESET 9 peer CANCEL\nREQUEST 11 end\n" RESETS "> GOAWAY 11 " RESETS_SENT, few_resets, 0},
    {"refused_streams_are_charged", H2_SERVER, "*5 GET next",
     "REQUEST 1 end\nRESET 3 us REFUSED_STREAM: more streams than max_concurrent_streams allows\nRESET 5 us REFUSED_STREAM: more streams than max_concurrent_streams allows\n"
     "RESET 7 us REFUSED_STREAM: more streams than max_concurrent_streams allows\n" ERRORS "> RST_STREAM 3 REFUSED_STREAM\n> RST_STREAM 5 REFUSED_STREAM\n> RST_STREAM 7 REFUSED_STREAM\n> GOAWAY 1 " ERRORS_SENT, few_resets, 0},
    {"errors_of_every_kind_are_charged", H2_SERVER,
     "GET 1\nWINDOW_UPDATE 1 - u32 0\nGET 3\nWINDOW_UPDATE 3 - u32 0x7fffffff\nGET 5\nHEADERS 5 ES+EH fields x=y\nGET 7\nDATA 7 - text x",
     "REQUEST 1 end\nRESET 1 us PROTOCOL_ERROR: WINDOW_UPDATE of 0\nREQUEST 3 end\nRESET 3 us FLOW_CONTROL_ERROR: WINDOW_UPDATE makes the stream window larger than 2^31-1\n"
     "REQUEST 5 end\nRESET 5 us STREAM_CLOSED: HEADERS after END_STREAM\nREQUEST 7 end\n" ERRORS
     "> RST_STREAM 1 PROTOCOL_ERROR\n> RST_STREAM 3 FLOW_CONTROL_ERROR\n> RST_STREAM 5 STREAM_CLOSED\n> GOAWAY 7 " ERRORS_SENT, few_resets, 0},
    {"made_you_reset_by_priority", H2_SERVER,
     "GET 1\nPRIORITY 1 - hex 00000001 00\nGET 3\nPRIORITY 3 - hex 00\nGET 5\nPRIORITY 5 - hex 00000005 00\nGET 7\nPRIORITY 7 - hex 00",
     "REQUEST 1 end\nRESET 1 us PROTOCOL_ERROR: a stream that depends on itself\nREQUEST 3 end\nRESET 3 us FRAME_SIZE_ERROR: PRIORITY of a length that it must not have\n"
     "REQUEST 5 end\nRESET 5 us PROTOCOL_ERROR: a stream that depends on itself\nREQUEST 7 end\n" ERRORS
     "> RST_STREAM 1 PROTOCOL_ERROR\n> RST_STREAM 3 FRAME_SIZE_ERROR\n> RST_STREAM 5 PROTOCOL_ERROR\n> GOAWAY 7 " ERRORS_SENT, few_resets, 0},
    {"malformed_requests_are_charged", H2_SERVER, "*4 HEADERS next ES+EH",
     "RESET 1 us PROTOCOL_ERROR: no :method\nRESET 3 us PROTOCOL_ERROR: no :method\nRESET 5 us PROTOCOL_ERROR: no :method\n" ERRORS
     "> RST_STREAM 1 PROTOCOL_ERROR\n> RST_STREAM 3 PROTOCOL_ERROR\n> RST_STREAM 5 PROTOCOL_ERROR\n> GOAWAY 0 " ERRORS_SENT, few_resets, 0},
    {"our_own_resets_are_not_charged", H2_SERVER, "POST 1\n!reset 1 CANCEL\nPOST 3\n!reset 3 CANCEL\nPOST 5\n!reset 5 CANCEL\nPOST 7\n!reset 7 CANCEL\nPOST 9",
     "REQUEST 1\n> RST_STREAM 1 CANCEL\nREQUEST 3\n> RST_STREAM 3 CANCEL\nREQUEST 5\n> RST_STREAM 5 CANCEL\nREQUEST 7\n> RST_STREAM 7 CANCEL\nREQUEST 9\n", few_resets, 0},
    {"a_backend_can_reset_too_much_as_well", H2_CLIENT, "!request end\nRST_STREAM 1 - u32 7\n!request end\nRST_STREAM 3 - u32 7\n!request end\nRST_STREAM 5 - u32 7\n!request end\nRST_STREAM 7 - u32 7",
     "> HEADERS 1 end\nRESET 1 peer REFUSED_STREAM\n  user a\n> HEADERS 3 end\nRESET 3 peer REFUSED_STREAM\n  user b\n> HEADERS 5 end\nRESET 5 peer REFUSED_STREAM\n  user c\n> HEADERS 7 end\n" RESETS "> GOAWAY 0 " RESETS_SENT, few_resets, 0},
    {"a_backend_that_has_answered_may_reset", H2_CLIENT, "!request\nOKEND 1\nRST_STREAM 1 - u32 0\n!request\nOKEND 3\nRST_STREAM 3 - u32 0\n!request\nOKEND 5\nRST_STREAM 5 - u32 0\n!request\nOKEND 7\nRST_STREAM 7 - u32 0",
     "> HEADERS 1\nRESPONSE 1 end 200\nRESET 1 peer NO_ERROR\n  user a\n> HEADERS 3\nRESPONSE 3 end 200\nRESET 3 peer NO_ERROR\n  user b\n"
     "> HEADERS 5\nRESPONSE 5 end 200\nRESET 5 peer NO_ERROR\n  user c\n> HEADERS 7\nRESPONSE 7 end 200\nRESET 7 peer NO_ERROR\n  user d\n", few_resets, 0},

    {"unknown_frames_are_charged", H2_SERVER, "*6 0b 0 - text x", CONTROL "> GOAWAY 0 " CONTROL_SENT, few_control_frames, 0},
    {"priority_frames_are_charged", H2_SERVER, "*6 PRIORITY 1 - hex 00000000 00", CONTROL "> GOAWAY 0 " CONTROL_SENT, few_control_frames, 0},
    {"priority_updates_are_charged", H2_SERVER, "*6 PRIORITY_UPDATE 0 - hex 00000001 69", CONTROL "> GOAWAY 0 " CONTROL_SENT, few_control_frames, 0},
    {"settings_are_charged", H2_SERVER, "*6 SETTINGS 0", "SETTINGS\nSETTINGS\nSETTINGS\nSETTINGS\nSETTINGS\n" CONTROL
     "> SETTINGS ack\n> SETTINGS ack\n> SETTINGS ack\n> SETTINGS ack\n> SETTINGS ack\n> GOAWAY 0 " CONTROL_SENT, few_control_frames, 0},
    {"late_resets_are_charged", H2_SERVER, "POST 1\n*7 RST_STREAM 1 - u32 8", "REQUEST 1\nRESET 1 peer CANCEL\n" CONTROL "> GOAWAY 1 " CONTROL_SENT, few_control_frames, 0},
    {"goaway_frames_are_charged", H2_SERVER, "*6 GOAWAY 0 - u32 0,0",
     "GOAWAY 0 NO_ERROR \nGOAWAY 0 NO_ERROR \nGOAWAY 0 NO_ERROR \nGOAWAY 0 NO_ERROR \nGOAWAY 0 NO_ERROR \n" CONTROL "> GOAWAY 0 " CONTROL_SENT, few_control_frames, 0},
    {"window_updates_without_data_are_charged", H2_SERVER, "*6 WINDOW_UPDATE 0 - u32 1", CONTROL "> GOAWAY 0 " CONTROL_SENT, few_control_frames, 0},
    {"window_updates_for_our_data_are_not", H2_SERVER,
     "GET 1\n!respond 1 :status=200\n!data 1 100\n!data 1 100\n!data 1 100\n!data 1 100\n*3 WINDOW_UPDATE 0 - u32 100\n*3 WINDOW_UPDATE 1 - u32 100\nPING 0 - text abcdefgh",
     "REQUEST 1 end\n> HEADERS 1\n> DATA 1 100\n> DATA 1 100\n> DATA 1 100\n> DATA 1 100\n> PING ack abcdefgh\n", few_control_frames, 0},
    {"a_window_that_dribbles_is_charged", H2_SERVER,
     "SETTINGS 0 - set 4=0\nGET 1\n!respond 1 :status=200\nWINDOW_UPDATE 1 - u32 1\n!data 1 9\nWINDOW_UPDATE 1 - u32 1\n!data 1 9\nWINDOW_UPDATE 1 - u32 1\n!data 1 9\nWINDOW_UPDATE 1 - u32 1\n!data 1 9\nWINDOW_UPDATE 1 - u32 1",
     "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n> HEADERS 1\n> DATA 1 1\n= 8 stay\n> DATA 1 1\n= 8 stay\n> DATA 1 1\n= 8 stay\n> DATA 1 1\n= 8 stay\n" CONTROL "> GOAWAY 1 " CONTROL_SENT, few_control_frames, 0},
    {"heads_too_large_are_charged", H2_SERVER, "*6 HEADERS next ES+EH fields :method=GET|:scheme=http|:path=/|:authority=a|x=1",
     "REQUEST 1 end too_large 4\nREQUEST 3 end too_large 4\nREQUEST 5 end too_large 4\nREQUEST 7 end too_large 4\nREQUEST 9 end too_large 4\n" CONTROL "> GOAWAY 11 " CONTROL_SENT, few_control_frames_and_fields, 0},
    {"control_frames_come_back_with_time", H2_SERVER, "!now 5000\n*7 0b 0\n!now 7000\n*2 0b 0\n!now 7999\n0b 0",
     CONTROL "> GOAWAY 0 " CONTROL_SENT, few_control_frames, 0},

    {"pings_without_reading_the_answers", H2_SERVER, "!deaf\n*5 PING 0 - zeros 8\nGET 1",
     "FAILED ENHANCE_YOUR_CALM: more unread replies than queued_replies allows\n", few_replies, 0},
    {"settings_without_reading_the_answers", H2_SERVER, "!deaf\n*5 SETTINGS 0\nGET 1",
     "SETTINGS\nSETTINGS\nSETTINGS\nSETTINGS\nFAILED ENHANCE_YOUR_CALM: more unread replies than queued_replies allows\n", few_replies, 0},
    {"errors_without_reading_the_resets", H2_SERVER, "!deaf\n*5 HEADERS next ES+EH",
     "RESET 1 us PROTOCOL_ERROR: no :method\nRESET 3 us PROTOCOL_ERROR: no :method\nRESET 5 us PROTOCOL_ERROR: no :method\nRESET 7 us PROTOCOL_ERROR: no :method\n"
     "FAILED ENHANCE_YOUR_CALM: more unread replies than queued_replies allows\n", few_replies, 0},
    {"who_reads_the_answers_may_ask_on", H2_SERVER, "*4 PING 0 - text abcdefgh\n!now 1\n*4 PING 0 - text abcdefgh\n!now 2\n*4 PING 0 - text abcdefgh",
     "> PING ack abcdefgh\n> PING ack abcdefgh\n> PING ack abcdefgh\n> PING ack abcdefgh\n> PING ack abcdefgh\n> PING ack abcdefgh\n"
     "> PING ack abcdefgh\n> PING ack abcdefgh\n> PING ack abcdefgh\n> PING ack abcdefgh\n> PING ack abcdefgh\n> PING ack abcdefgh\n", few_replies, 0},
    {"requests_without_reading_the_responses", H2_SERVER,
     "!deaf\nGET 1\n!respond 1 end :status=200|x=0123456789012345678901234567890123456789012345678901234567890123456789\n"
     "GET 3\n!respond 3 end :status=200|y=0123456789012345678901234567890123456789012345678901234567890123456789\n"
     "GET 5\n!respond 5 end :status=200|z=0123456789012345678901234567890123456789012345678901234567890123456789\n"
     "GET 7\n!respond 7 end :status=200|a=0123456789012345678901234567890123456789012345678901234567890123456789\n"
     "GET 9\n!respond 9 end :status=200|b=0123456789012345678901234567890123456789012345678901234567890123456789\nGET 11",
     "REQUEST 1 end\nREQUEST 3 end\nREQUEST 5 end\nREQUEST 7 end\nFAILED ENHANCE_YOUR_CALM: more unread octets than output_bytes allows\n= CLOSED\n", little_output, 0},
    {"replies_behind_much_output", H2_SERVER,
     "!deaf\nGET 1\n!respond 1 end :status=200|x=0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\nPING 0 - zeros 8",
     "REQUEST 1 end\nFAILED ENHANCE_YOUR_CALM: more unread octets than output_bytes allows\n", little_output, 0},
};
/* clang-format on */

static void limits_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

static void a_bucket_holds_its_burst(void **state)
{
    (void)state;
    struct h2_bucket b;
    h2_bucket_fill(&b, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(h2_bucket_take(&b, 3, 10, 0));
    }
    assert_false(h2_bucket_take(&b, 3, 10, 0));
    assert_false(h2_bucket_take(&b, 3, 10, 99));
    assert_true(h2_bucket_take(&b, 3, 10, 100)); /* ten a second */
    assert_false(h2_bucket_take(&b, 3, 10, 199));
    assert_true(h2_bucket_take(&b, 3, 10, 200));
}

static void a_bucket_does_not_overflow(void **state)
{
    (void)state;
    struct h2_bucket b;
    h2_bucket_fill(&b, UINT32_MAX);
    assert_true(h2_bucket_take(&b, UINT32_MAX, UINT32_MAX, UINT64_MAX));
    assert_true(h2_bucket_take(&b, UINT32_MAX, UINT32_MAX, UINT64_MAX));
    h2_bucket_fill(&b, 1);
    assert_true(h2_bucket_take(&b, 1, 1, 5));
    assert_true(h2_bucket_take(&b, 1, 1, UINT64_MAX));
    assert_false(h2_bucket_take(&b, 1, 1, UINT64_MAX));
    assert_false(h2_bucket_take(&b, 1, 1, 0)); /* a clock that went back */
}

static void a_bucket_without_refill_or_room(void **state)
{
    (void)state;
    struct h2_bucket b;
    h2_bucket_fill(&b, 1);
    assert_true(h2_bucket_take(&b, 1, 0, 0));
    assert_false(h2_bucket_take(&b, 1, 0, UINT64_MAX));
    h2_bucket_fill(&b, 0);
    assert_false(h2_bucket_take(&b, 0, 100, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_from_outside),
        cmocka_unit_test(a_bucket_holds_its_burst),
        cmocka_unit_test(a_bucket_does_not_overflow),
        cmocka_unit_test(a_bucket_without_refill_or_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
