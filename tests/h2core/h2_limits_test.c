/* Every limit is hit: by the attack that it is there for, and the sentence names it. */
#include "h2_script.h"

#include "h2_internal.h"

#include <stdio.h>

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

static void few_resets_and_fields(struct h2_options *opts)
{
    few_resets(opts);
    opts->max_concurrent_streams = 100;
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
     "REQUEST 1 end too_large 4\nREQUEST 3 end too_large 4\nREQUEST 5 end too_large 4\n" ERRORS "> GOAWAY 7 " ERRORS_SENT, few_resets_and_fields, 0},
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

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT
#define HEAD   ":method=GET|:scheme=http|:path=/|:authority=a"

/* Each of struct h2_limits as small as it can be to be of use, the others as they are. */
#define ONLY(name, value)                                                                          \
    static void only_##name(struct h2_options *opts)                                               \
    {                                                                                              \
        opts->limits.name = value;                                                                 \
        opts->enable_push = true;                                                                  \
    }
ONLY(header_list_bytes, 167)
ONLY(header_fields, 1)
ONLY(cookie_crumbs, 1)
ONLY(continuation_frames, 1)
ONLY(header_block_bytes, 13)
ONLY(settings_per_frame, 1)
ONLY(queued_replies, 1)
ONLY(output_bytes, 30)
ONLY(reset_burst, 1)
ONLY(error_burst, 1)
ONLY(empty_burst, 1)
ONLY(control_burst, 3)
ONLY(closed_streams, 1)

static void payload_earns_nothing(struct h2_options *opts)
{
    opts->limits.control_burst = 3;
    opts->limits.control_rate = 0;
    opts->limits.control_payload = 0;
}

static void payload_earns(struct h2_options *opts)
{
    opts->limits.control_burst = 3;
    opts->limits.control_rate = 0;
    opts->limits.control_payload = 100;
}

static void one_a_second(struct h2_options *opts)
{
    opts->limits.reset_burst = opts->limits.error_burst = opts->limits.empty_burst = 1;
    opts->limits.reset_rate = opts->limits.error_rate = opts->limits.empty_rate = 1;
}

static void nothing_is_remembered(struct h2_options *opts)
{
    opts->limits.closed_streams = 0;
}

/* clang-format off */
static const struct script_case each[] = {
    {"header_list_bytes", SERVER, "HEADERS 1 ES+EH fields " HEAD "\nHEADERS 3 ES+EH fields " HEAD "|a=", "REQUEST 1 end\nREQUEST 3 end too_large 4\n", only_header_list_bytes, 0},
    {"header_list_bytes_of_trailers", SERVER, "HEADERS 1 EH fields " HEAD "\nHEADERS 1 ES+EH fields a=0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345", "REQUEST 1\nRESET 1 us ENHANCE_YOUR_CALM: a header section larger than header_list_bytes allows\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", only_header_list_bytes, 0},
    {"header_fields", SERVER, "HEADERS 1 EH fields " HEAD "|a=b|cookie=1\nHEADERS 1 ES+EH fields a=b\nHEADERS 3 ES+EH fields " HEAD "|a=b|c=d", "REQUEST 1\nTRAILERS 1 end\nREQUEST 3 end too_large 4\n", only_header_fields, 0},
    {"header_fields_of_trailers", SERVER, "HEADERS 1 EH fields " HEAD "\nHEADERS 1 ES+EH fields a=b|c=d", "REQUEST 1\nRESET 1 us ENHANCE_YOUR_CALM: a header section with more fields than header_fields allows\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", only_header_fields, 0},
    {"header_fields_of_a_response", CLIENT, "!request end\nHEADERS 1 EH fields :status=200|a=b|c=d", "> HEADERS 1 end\nRESET 1 us ENHANCE_YOUR_CALM: a header section with more fields than header_fields allows\n  user a\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", only_header_fields, 0},
    {"header_fields_of_a_promise", CLIENT, "!request end\nPROMISE 1 2 " HEAD "|a=b|c=d\nPROMISE 1 4 " HEAD "|a=b", "> HEADERS 1 end\nRESET 2 us ENHANCE_YOUR_CALM: a header section with more fields than header_fields allows\nPUSH 1 4\n> RST_STREAM 2 ENHANCE_YOUR_CALM\n", only_header_fields, 0},
    {"cookie_crumbs", SERVER, "HEADERS 1 EH fields " HEAD "|cookie=a\nHEADERS 1 ES+EH fields cookie=a\nHEADERS 3 ES+EH fields " HEAD "|cookie=a|cookie=b", "REQUEST 1\nTRAILERS 1 end\nREQUEST 3 end too_large 4\n", only_cookie_crumbs, 0},
    {"cookie_crumbs_of_trailers", SERVER, "HEADERS 1 EH fields " HEAD "\nHEADERS 1 ES+EH fields cookie=a|cookie=b", "REQUEST 1\nRESET 1 us ENHANCE_YOUR_CALM: a header section with more cookies than cookie_crumbs allows\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", only_cookie_crumbs, 0},
    {"continuation_frames", SERVER, "HEADERS 1 ES hex 82 87 84\nCONTINUATION 1 EH hex 41 01 61\nHEADERS 3 ES hex 82 87 84\nCONTINUATION 3 - hex 41 01 61\nCONTINUATION 3 EH", "REQUEST 1 end\nFAILED ENHANCE_YOUR_CALM: more CONTINUATION frames than continuation_frames allows\n> GOAWAY 1 ENHANCE_YOUR_CALM more CONTINUATION frames than continuation_frames allows\n", only_continuation_frames, 0},
    {"continuation_frames_of_a_promise", CLIENT, "!request end\nPUSH_PROMISE 1 - hex 00000002 82 87\nCONTINUATION 1 - hex 84\nCONTINUATION 1 EH hex 41 01 61", "> HEADERS 1 end\nFAILED ENHANCE_YOUR_CALM: more CONTINUATION frames than continuation_frames allows\n> GOAWAY 0 ENHANCE_YOUR_CALM more CONTINUATION frames than continuation_frames allows\n", only_continuation_frames, 0},
    {"header_block_bytes", SERVER, "HEADERS 1 ES+EH hex 82 87 84 41 08 6161616161616161\nHEADERS 3 ES+EH hex 82 87 84 41 09 616161616161616161", "REQUEST 1 end\nFAILED ENHANCE_YOUR_CALM: a header block longer than header_block_bytes allows\n> GOAWAY 1 ENHANCE_YOUR_CALM a header block longer than header_block_bytes allows\n", only_header_block_bytes, 0},
    {"header_block_bytes_and_what_is_no_block", SERVER, "HEADERS 1 ES+EH+PRI+PAD hex 05 00000000 0f 82 87 84 41 08 6161616161616161 0000000000", "REQUEST 1 end priority 0 16\n", only_header_block_bytes, 0},
    {"header_block_bytes_in_pieces", SERVER, "HEADERS 1 ES hex 82 87 84 41 08\nCONTINUATION 1 EH hex 6161616161616161\nHEADERS 3 ES hex 82 87 84 41 09\nCONTINUATION 3 - hex 61616161\nCONTINUATION 3 EH hex 6161616161", "REQUEST 1 end\nFAILED ENHANCE_YOUR_CALM: a header block longer than header_block_bytes allows\n> GOAWAY 1 ENHANCE_YOUR_CALM a header block longer than header_block_bytes allows\n", only_header_block_bytes, 0},
    {"header_block_bytes_of_a_promise", CLIENT, "!request end\nPUSH_PROMISE 1 PAD+EH hex 02 00000002 82 87 84 41 09 616161616161616161 0000", "> HEADERS 1 end\nFAILED ENHANCE_YOUR_CALM: a header block longer than header_block_bytes allows\n> GOAWAY 0 ENHANCE_YOUR_CALM a header block longer than header_block_bytes allows\n", only_header_block_bytes, 0},
    {"settings_per_frame", SERVER, "SETTINGS 0 - set 3=1\nSETTINGS 0 - set 3=1,3=2", "SETTINGS\nFAILED ENHANCE_YOUR_CALM: more settings than settings_per_frame allows\n> SETTINGS ack\n> GOAWAY 0 ENHANCE_YOUR_CALM more settings than settings_per_frame allows\n", only_settings_per_frame, 0},
    {"queued_replies", SERVER, "!deaf\nPING 0 - zeros 8\nPING 0 ACK zeros 8\nPING 0 - zeros 8", "PING_ACK \nFAILED ENHANCE_YOUR_CALM: more unread replies than queued_replies allows\n", only_queued_replies, 0},
    {"output_bytes", SERVER, "!deaf\n*4 PING 0 - zeros 8\nGET 1", "FAILED ENHANCE_YOUR_CALM: more unread octets than output_bytes allows\n", only_output_bytes, 0},
    {"output_bytes_of_our_own_are_not_counted_until_the_peer_asks", SERVER, "!deaf\n*9 !ping\nPRIORITY 1 - hex 00000000 00\nGET 1", "FAILED ENHANCE_YOUR_CALM: more unread octets than output_bytes allows\n", only_output_bytes, 0},
    {"reset_burst", SERVER, "GET 1\nRST_STREAM 1 - u32 8\nGET 3\nRST_STREAM 3 - u32 8", "REQUEST 1 end\nRESET 1 peer CANCEL\nREQUEST 3 end\nFAILED ENHANCE_YOUR_CALM: more streams reset than reset_burst and reset_rate allow\n> GOAWAY 3 ENHANCE_YOUR_CALM more streams reset than reset_burst and reset_rate allow\n", only_reset_burst, 0},
    {"reset_burst_of_promises", CLIENT, "!request end\nPROMISE 1 2 " HEAD "\nPROMISE 1 4 " HEAD "\nRST_STREAM 2 - u32 8\nRST_STREAM 4 - u32 8", "> HEADERS 1 end\nPUSH 1 2\nPUSH 1 4\nRESET 2 peer CANCEL\nFAILED ENHANCE_YOUR_CALM: more streams reset than reset_burst and reset_rate allow\n> GOAWAY 4 ENHANCE_YOUR_CALM more streams reset than reset_burst and reset_rate allow\n", only_reset_burst, 0},
    {"error_burst", SERVER, "*2 HEADERS next ES+EH", "RESET 1 us PROTOCOL_ERROR: no :method\nFAILED ENHANCE_YOUR_CALM: more stream errors than error_burst and error_rate allow\n> RST_STREAM 1 PROTOCOL_ERROR\n> GOAWAY 0 ENHANCE_YOUR_CALM more stream errors than error_burst and error_rate allow\n", only_error_burst, 0},
    {"error_burst_of_promises", CLIENT, "!request end\n!reset 1 CANCEL\nPROMISE 1 2 " HEAD "\nPROMISE 1 4 " HEAD, "> HEADERS 1 end\n> RST_STREAM 1 CANCEL\nRESET 2 us CANCEL: a promise on a stream that was reset\nFAILED ENHANCE_YOUR_CALM: more stream errors than error_burst and error_rate allow\n> RST_STREAM 2 CANCEL\n> GOAWAY 0 ENHANCE_YOUR_CALM more stream errors than error_burst and error_rate allow\n", only_error_burst, 0},
    {"empty_burst", SERVER, "POST 1\nDATA 1\nDATA 1 PAD hex 00", "REQUEST 1\nFAILED ENHANCE_YOUR_CALM: more empty frames than empty_burst and empty_rate allow\n> GOAWAY 1 ENHANCE_YOUR_CALM more empty frames than empty_burst and empty_rate allow\n", only_empty_burst, 0},
    {"empty_burst_of_blocks", SERVER, "HEADERS 1\nCONTINUATION 1\nCONTINUATION 1 EH hex 82", "FAILED ENHANCE_YOUR_CALM: more empty frames than empty_burst and empty_rate allow\n> GOAWAY 0 ENHANCE_YOUR_CALM more empty frames than empty_burst and empty_rate allow\n", only_empty_burst, 0},
    {"an_empty_frame_that_ends_a_stream_says_something", SERVER, "POST 1\nDATA 1 ES\nPOST 3\nDATA 3 ES\nPOST 5\nDATA 5 PAD+ES hex 00", "REQUEST 1\nDATA 1 0 end\nREQUEST 3\nDATA 3 0 end\nREQUEST 5\nDATA 5 0 flow 1 end\n", only_empty_burst, 0},
    {"control_burst", SERVER, "PING 0 - zeros 8\nPING 0 ACK zeros 8", "FAILED ENHANCE_YOUR_CALM: more control frames than control_burst and control_rate allow\n> PING ack \n> GOAWAY 0 ENHANCE_YOUR_CALM more control frames than control_burst and control_rate allow\n", only_control_burst, 0},
    {"control_payload", SERVER, "POST 1\n!auto\nDATA 1 - zeros 199\n*3 PING 0 ACK zeros 8", "REQUEST 1\nDATA 1 199\nPING_ACK \nPING_ACK \nPING_ACK \n", payload_earns, 0},
    {"control_payload_of_header_blocks", SERVER, "HEADERS 1 ES+EH fields " HEAD "|a=012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789|b=0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n*3 PING 0 ACK zeros 8", "REQUEST 1 end\nPING_ACK \nPING_ACK \nFAILED ENHANCE_YOUR_CALM: more control frames than control_burst and control_rate allow\n> GOAWAY 1 ENHANCE_YOUR_CALM more control frames than control_burst and control_rate allow\n", payload_earns, 0},
    {"control_payload_of_0_earns_nothing", SERVER, "POST 1\n!auto\nDATA 1 - zeros 16384\n*3 PING 0 ACK zeros 8", "REQUEST 1\nDATA 1 16384\nPING_ACK \nFAILED ENHANCE_YOUR_CALM: more control frames than control_burst and control_rate allow\n> GOAWAY 1 ENHANCE_YOUR_CALM more control frames than control_burst and control_rate allow\n", payload_earns_nothing, 0},
    {"control_payload_does_not_overfill", SERVER, "POST 1\n!auto\nDATA 1 - zeros 16384\n*4 PING 0 ACK zeros 8", "REQUEST 1\nDATA 1 16384\nPING_ACK \nPING_ACK \nPING_ACK \nFAILED ENHANCE_YOUR_CALM: more control frames than control_burst and control_rate allow\n> GOAWAY 1 ENHANCE_YOUR_CALM more control frames than control_burst and control_rate allow\n", payload_earns, 0},
    {"reset_rate", SERVER, "!now 1000\nGET 1\nRST_STREAM 1 - u32 8\n!now 1999\nGET 3\nRST_STREAM 3 - u32 8", "REQUEST 1 end\nRESET 1 peer CANCEL\nREQUEST 3 end\nFAILED ENHANCE_YOUR_CALM: more streams reset than reset_burst and reset_rate allow\n> GOAWAY 3 ENHANCE_YOUR_CALM more streams reset than reset_burst and reset_rate allow\n", one_a_second, 0},
    {"reset_rate_is_kept", SERVER, "!now 1000\nGET 1\nRST_STREAM 1 - u32 8\n!now 2000\nGET 3\nRST_STREAM 3 - u32 8\n!now 3000\nGET 5\nRST_STREAM 5 - u32 8", "REQUEST 1 end\nRESET 1 peer CANCEL\nREQUEST 3 end\nRESET 3 peer CANCEL\nREQUEST 5 end\nRESET 5 peer CANCEL\n", one_a_second, 0},
    {"error_rate", SERVER, "!now 1000\nHEADERS 1 ES+EH\n!now 2000\nHEADERS 3 ES+EH\n!now 2999\nHEADERS 5 ES+EH", "RESET 1 us PROTOCOL_ERROR: no :method\n> RST_STREAM 1 PROTOCOL_ERROR\nRESET 3 us PROTOCOL_ERROR: no :method\n> RST_STREAM 3 PROTOCOL_ERROR\nFAILED ENHANCE_YOUR_CALM: more stream errors than error_burst and error_rate allow\n> GOAWAY 0 ENHANCE_YOUR_CALM more stream errors than error_burst and error_rate allow\n", one_a_second, 0},
    {"empty_rate", SERVER, "!now 1000\nPOST 1\nDATA 1\n!now 2000\nDATA 1\n!now 2999\nDATA 1", "REQUEST 1\nFAILED ENHANCE_YOUR_CALM: more empty frames than empty_burst and empty_rate allow\n> GOAWAY 1 ENHANCE_YOUR_CALM more empty frames than empty_burst and empty_rate allow\n", one_a_second, 0},
    {"closed_streams", SERVER, "POST 1\nPOST 3\n!reset 1 CANCEL\n!state 1\n!reset 3 CANCEL\n!state 1\n!state 3\nDATA 3 - text x\nDATA 1 - text x\nHEADERS 1 ES+EH fields a=b\nPING 0 - text abcdefgh", "REQUEST 1\nREQUEST 3\n> RST_STREAM 1 CANCEL\n= 1 is closed (reset sent)\n> RST_STREAM 3 CANCEL\n= 1 is closed (forgotten)\n= 3 is closed (reset sent)\n> PING ack abcdefgh\n", only_closed_streams, 0},
    {"closed_streams_of_none", SERVER, "POST 1\n!reset 1 CANCEL\n!state 1\nDATA 1 - text x\nRST_STREAM 1 - u32 8\n!reset 1 CANCEL", "REQUEST 1\n> RST_STREAM 1 CANCEL\n= 1 is closed (forgotten)\n= STREAM_CLOSED\n", nothing_is_remembered, 0},
};
/* clang-format on */

static void each_limit_is_hit(void **state)
{
    (void)state;
    SCRIPT_CHECK(each);
}

/* A generous and honest client at the defaults: a browser's worth of everything, and more. */
static void honest_clients_meet_no_limit(void **state)
{
    (void)state;
    struct script_case sc = {.role = H2_SERVER};
    char *script = calloc(1, 1 << 20);
    assert_non_null(script);
    char *at = script;
    at += sprintf(at, "!auto\n!now 1000\n");
    at += sprintf(at, "SETTINGS 0 - set 1=65536,2=0,3=1000,4=6291456,6=262144,0xfafa=1\n");
    for (unsigned id = 1; id <= 401; id += 2) { /* 200 requests at once */
        at += sprintf(at, "HEADERS %u ES+EH fields " HEAD, id);
        for (unsigned i = 0; i < 95; i++) {
            at += sprintf(at, "|x-%u=%u", i, i * id % 7);
        }
        for (unsigned i = 0; i < 180; i++) {
            at += sprintf(at, "|cookie=a%u=b", i);
        }
        assert_true(at - script < (1 << 20) - 20000);
        at += sprintf(at, "\nPRIORITY_UPDATE 0 - hex %08x 753d31\nWINDOW_UPDATE 0 - u32 1\n", id);
        at += sprintf(at, "WINDOW_UPDATE %u - u32 1\nPING 0 - zeros 8\n", id);
        at += id % 6 == 1 ? sprintf(at, "RST_STREAM %u - u32 8\n", id)
                          : sprintf(at, "!respond %u :status=200\n!end %u\n", id, id);
        if (id == 401) { /* an upload, with an empty frame now and then */
            at += sprintf(at, "POST %u\n*50 DATA %u - zeros 16384\n*5 DATA %u\n", id + 1000,
                          id + 1000, id + 1000);
        }
    }
    sc.script = script;
    char *record = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
    assert_null(strstr(record, "FAILED"));
    assert_null(strstr(record, " us "));
    assert_non_null(strstr(record, "\nREQUEST 401 end"));
    assert_non_null(strstr(record, "DATA 1401 819200"));
    assert_null(strstr(record, "too_large"));
    free(record);
    free(script);
}

static void the_defaults_are_sane(void **state)
{
    (void)state;
    struct h2_options opts;
    memset(&opts, 0xa5, sizeof(opts)); /* nothing is left as it was */
    h2_options_init(&opts);
    const struct h2_limits *l = &opts.limits;
    assert_true(l->header_list_bytes >= 16384 && l->header_list_bytes <= 1 << 20);
    assert_true(l->header_fields >= 64 && l->header_fields <= 1000);
    assert_true(l->cookie_crumbs >= 180 && l->cookie_crumbs <= 1000);
    /* As many frames of the largest size as a block may have octets. */
    assert_true((uint64_t)l->continuation_frames * opts.max_frame_size >= l->header_block_bytes);
    assert_true(l->continuation_frames <= 64 && l->header_block_bytes >= l->header_list_bytes / 2);
    assert_true(l->settings_per_frame >= 8 && l->settings_per_frame <= 100);
    assert_true(l->queued_replies >= 100 && l->output_bytes >= 65536);
    assert_true(l->reset_burst >= opts.max_concurrent_streams && l->reset_rate > 0);
    assert_true(l->error_burst >= opts.max_concurrent_streams && l->error_rate > 0);
    assert_true(l->empty_burst > 0 && l->empty_rate > 0);
    assert_true(l->control_burst >= 1000 && l->control_rate >= 100 && l->control_payload > 0);
    assert_true(l->closed_streams >= opts.max_concurrent_streams);

    assert_null(opts.alloc);
    assert_null(opts.trace);
    assert_int_equal(opts.mute, 0);
    assert_true(opts.validate_received && opts.normalize_received);
    assert_true(opts.validate_sent && opts.normalize_sent);
    assert_false(opts.index_secrets || opts.enable_push || opts.enable_connect_protocol);
    assert_int_equal(opts.header_table_size, 4096);
    assert_int_equal(opts.encoder_table_size, 4096);
    assert_int_equal(opts.max_concurrent_streams, 100);
    assert_int_equal(opts.initial_window_size, 65535);
    assert_int_equal(opts.connection_window_size, 65535);
    assert_int_equal(opts.max_frame_size, 16384);
}

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
        cmocka_unit_test(each_limit_is_hit),
        cmocka_unit_test(honest_clients_meet_no_limit),
        cmocka_unit_test(the_defaults_are_sane),
        cmocka_unit_test(a_bucket_holds_its_burst),
        cmocka_unit_test(a_bucket_does_not_overflow),
        cmocka_unit_test(a_bucket_without_refill_or_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
