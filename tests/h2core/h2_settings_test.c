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
    {"a_window_that_would_be_too_large_in_between_is_an_error", H2_SERVER,
     "GET 1\nWINDOW_UPDATE 1 - u32 1\nSETTINGS 0 - set 4=0x7fffffff,4=0",
     "REQUEST 1 end\nFAILED FLOW_CONTROL_ERROR: SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1\n"
     "> GOAWAY 1 FLOW_CONTROL_ERROR SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1\n", 0, 0},
    {"the_last_of_several_windows_counts", H2_SERVER, "SETTINGS 0 - set 4=5,4=9,4=7\nGET 1\n!respond 1 :status=200\n!data 1 100",
     "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n> HEADERS 1\n> DATA 1 7\n= 93 stay\n", 0, 0},
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

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT
#define HEAD   ":method=GET|:scheme=https|:path=/|:authority=a"

static void tell_all(struct h2_options *opts)
{
    opts->mute = 0;
}

static void two_streams_of_the_peer(struct h2_options *opts)
{
    opts->max_concurrent_streams = 2;
}

static void tell_all_with_push(struct h2_options *opts)
{
    opts->mute = 0;
    opts->enable_push = true;
    opts->max_concurrent_streams = 2;
}

/* clang-format off */
static const struct script_case updates[] = {
    {"promises_are_bounded_when_push_is_allowed_later", CLIENT,
     "!request end\n!settings 2=1\nSETTINGS 0 ACK\nPROMISE 1 2 :method=GET|:scheme=https|:path=/|:authority=a\nPROMISE 1 4 :method=GET|:scheme=https|:path=/|:authority=a\n"
     "PROMISE 1 6 :method=GET|:scheme=https|:path=/|:authority=a",
     "> HEADERS 1 end\n> SETTINGS 2=1\nSETTINGS_ACK\nPUSH 1 2\nPUSH 1 4\n"
     "RESET 6 us REFUSED_STREAM: more streams than max_concurrent_streams allows\n> RST_STREAM 6 REFUSED_STREAM\n", two_streams_of_the_peer, 0},
    {"the_peers_settings_are_told_with_what_they_were", SERVER, "SETTINGS 0 - set 3=5,4=70000,0xfafa=5\nSETTINGS 0 - set 3=6,3=7,0xfafa=6\nSETTINGS 0", "SETTINGS 3=4294967295>5 4=65535>70000 64250=0>5\nSETTINGS 3=5>6 3=6>7 64250=0>6\nSETTINGS\n> SETTINGS ack\n> SETTINGS ack\n> SETTINGS ack\n", tell_all, 0},
    {"our_settings_are_told_when_they_are_in_force", SERVER, "!settings 3=5,4=70000,0xfafa=5\n!setting 3\n!setting 4\nSETTINGS 0 ACK\n!setting 3\n!setting 4\n!setting 0xfafa", "> SETTINGS 3=5 4=70000 64250=5\n= setting 3: peer 4294967295 local 100 pending\n= setting 4: peer 65535 local 65535 pending\nSETTINGS_ACK 3=100>5 4=65535>70000 64250=0>5\n= setting 3: peer 4294967295 local 5\n= setting 4: peer 65535 local 70000\n= setting 64250: peer 0 local 0\n", tell_all, 0},
    {"our_first_settings_are_told_when_they_are_in_force", CLIENT, "SETTINGS 0\nSETTINGS 0 ACK\n!setting 2", "SETTINGS\nSETTINGS_ACK 2=1>0 6=4294967295>65536 9=0>1\n> preface\n> SETTINGS 2=0 6=65536 9=1\n> SETTINGS ack\n= setting 2: peer 1 local 0\n", tell_all, true},
    {"settings_are_acknowledged_in_order", SERVER, "!settings 3=5\n!settings 3=6,4=1\n!settings\n!setting 3\nSETTINGS 0 ACK\n!setting 3\nSETTINGS 0 ACK\n!setting 3\nSETTINGS 0 ACK\n!setting 3\nSETTINGS 0 ACK", "> SETTINGS 3=5\n> SETTINGS 3=6 4=1\n> SETTINGS\n= setting 3: peer 4294967295 local 100 pending\nSETTINGS_ACK 3=100>5\n= setting 3: peer 4294967295 local 5 pending\nSETTINGS_ACK 3=5>6 4=65535>1\n= setting 3: peer 4294967295 local 6 pending\nSETTINGS_ACK\n= setting 3: peer 4294967295 local 6\nFAILED PROTOCOL_ERROR: SETTINGS acknowledged that were not sent\n> GOAWAY 0 PROTOCOL_ERROR SETTINGS acknowledged that were not sent\n", tell_all, 0},
    {"settings_before_the_first_are_acknowledged", CLIENT, "!settings 4=7\nSETTINGS 0\nSETTINGS 0 ACK\n!setting 4\nSETTINGS 0 ACK\n!setting 4", "> preface\n> SETTINGS 2=0 6=65536 9=1\n> SETTINGS 4=7\nSETTINGS\nSETTINGS_ACK 2=1>0 6=4294967295>65536 9=0>1\n> SETTINGS ack\n= setting 4: peer 65535 local 65535 pending\nSETTINGS_ACK 4=65535>7\n= setting 4: peer 65535 local 7\n", tell_all, true},
    {"settings_out_of_range", SERVER, "!settings 2=2\n!settings 2=1\n!settings 4=0x80000000\n!settings 5=16383\n!settings 5=0x1000000\n!settings 8=2\n!settings 9=2\n!settings 9=0\n!settings 3=1,9=0\n!setting 3\n!settings 9=1,2=0", "= SETTING\n= SETTING\n= SETTING\n= SETTING\n= SETTING\n= SETTING\n= SETTING\n= SETTING\n= SETTING\n= setting 3: peer 4294967295 local 100\n> SETTINGS 9=1 2=0\n", 0, 0},
    {"connect_protocol_is_offered_and_not_taken_back", SERVER, "!settings 8=1,8=0\n!settings 8=1\n!settings 8=0\n!settings 8=1", "= SETTING\n> SETTINGS 8=1\n= SETTING\n> SETTINGS 8=1\n", 0, 0},
    {"connect_protocol_counts_when_it_is_said", SERVER, "HEADERS 1 EH fields :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a\n!settings 8=1\nHEADERS 3 EH fields :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a", "RESET 1 us PROTOCOL_ERROR: :protocol without an extended CONNECT that was offered\n> RST_STREAM 1 PROTOCOL_ERROR\n> SETTINGS 8=1\nREQUEST 3\n", 0, 0},
    {"as_many_settings_as_fit", SERVER, "!settings 0xf0=1,0xf0=2,0xf0=3,0xf0=4,0xf0=5,0xf0=6,0xf0=7,0xf0=8,0xf0=9,0xf0=10,0xf0=11,0xf0=12,0xf0=13,0xf0=14,0xf0=15,0xf0=16,0xf0=17,0xf0=18,0xf0=19,0xf0=20,0xf0=21,0xf0=22,0xf0=23,0xf0=24,0xf0=25,0xf0=26,0xf0=27,0xf0=28,0xf0=29,0xf0=30,0xf0=31,0xf0=32,0xf0=33", "= VALUE\n", 0, 0},
    {"fewer_streams_count_when_they_are_said", SERVER, "GET 1\n!settings 3=1\nGET 3\nSETTINGS 0 ACK\nGET 5\n!respond 1 end :status=200\nGET 7\n!settings 3=2\nGET 9", "REQUEST 1 end\n> SETTINGS 3=1\nRESET 3 us REFUSED_STREAM: more streams than max_concurrent_streams allows\nSETTINGS_ACK\nRESET 5 us REFUSED_STREAM: more streams than max_concurrent_streams allows\n> RST_STREAM 3 REFUSED_STREAM\n> RST_STREAM 5 REFUSED_STREAM\n> HEADERS 1 end\nREQUEST 7 end\n> SETTINGS 3=2\nREQUEST 9 end\n", 0, 0},
    {"no_streams_at_all", SERVER, "!settings 3=0\nGET 1\nSETTINGS 0 ACK\nGET 3", "> SETTINGS 3=0\nRESET 1 us REFUSED_STREAM: more streams than max_concurrent_streams allows\nSETTINGS_ACK\nRESET 3 us REFUSED_STREAM: more streams than max_concurrent_streams allows\n> RST_STREAM 1 REFUSED_STREAM\n> RST_STREAM 3 REFUSED_STREAM\n", 0, 0},
    {"push_is_enabled_later", CLIENT, "!request end\n!settings 2=1\nSETTINGS 0 ACK\nPROMISE 1 2 " HEAD, "> HEADERS 1 end\n> SETTINGS 2=1\nSETTINGS_ACK 2=0>1\nPUSH 1 2 u=3\n", tell_all, 0},
    {"push_is_not_enabled_before_the_acknowledgement", CLIENT, "!request end\n!settings 2=1\nPROMISE 1 2 " HEAD, "> HEADERS 1 end\n> SETTINGS 2=1\nFAILED PROTOCOL_ERROR: PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0\n> GOAWAY 0 PROTOCOL_ERROR PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0\n", 0, 0},
    {"push_is_disabled_later", CLIENT, "!request end\nPROMISE 1 2 " HEAD "\n!settings 2=0\nPROMISE 1 4 " HEAD "|x-new=1\nOKEND 2\nSETTINGS 0 ACK\nPROMISE 1 6 " HEAD, "> HEADERS 1 end\nPUSH 1 2 u=3\n> SETTINGS 2=0\nRESET 4 us REFUSED_STREAM: PUSH_PROMISE while SETTINGS_ENABLE_PUSH 0 is on its way\nRESPONSE 2 end 200\nSTREAM_ENDED 2\nSETTINGS_ACK 2=1>0\nFAILED PROTOCOL_ERROR: PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0\n> RST_STREAM 4 REFUSED_STREAM\n> GOAWAY 2 PROTOCOL_ERROR PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0\n", tell_all_with_push, 0},
    {"a_promise_before_the_acknowledgement_of_the_first_settings", CLIENT, "!request end\nSETTINGS 0\nPROMISE 1 2 " HEAD "\nSETTINGS 0 ACK\nOKEND 1", "> preface\n> SETTINGS 2=0 6=65536 9=1\n> HEADERS 1 end\nSETTINGS\nRESET 2 us REFUSED_STREAM: PUSH_PROMISE while SETTINGS_ENABLE_PUSH 0 is on its way\nSETTINGS_ACK\nRESPONSE 1 end 200\n> SETTINGS ack\n> RST_STREAM 2 REFUSED_STREAM\n", 0, true},
    {"promises_count_as_streams", CLIENT, "!request end\nPROMISE 1 2 " HEAD "\nPROMISE 1 4 " HEAD "\nPROMISE 1 6 " HEAD "\nOKEND 2\nPROMISE 1 8 " HEAD "\n!streams", "> HEADERS 1 end\nPUSH 1 2 u=3\nPUSH 1 4 u=3\nRESET 6 us REFUSED_STREAM: more streams than max_concurrent_streams allows\nRESPONSE 2 end 200\nSTREAM_ENDED 2\nPUSH 1 8 u=3\n> RST_STREAM 6 REFUSED_STREAM\n= streams 3 in 0 out 1 next 3 last 8\n", tell_all_with_push, 0},
    {"a_smaller_table_while_header_blocks_come", SERVER, "!fields\nHEADERS 1 ES+EH hex 82 87 84 41 01 61\n!settings 1=0\nHEADERS 3 ES+EH hex 82 87 84 be\nSETTINGS 0 ACK\nHEADERS 5 ES+EH hex 20 82 87 84 41 01 61\nHEADERS 7 ES+EH hex 82 87 84 41 01 61", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a\n> SETTINGS 1=0\nREQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a\nSETTINGS_ACK\nREQUEST 5 end :method=GET|:scheme=https|:path=/|:authority=a\nREQUEST 7 end :method=GET|:scheme=https|:path=/|:authority=a\n", 0, 0},
    {"a_smaller_table_that_is_not_admitted", SERVER, "HEADERS 1 ES+EH hex 82 87 84 41 01 61\n!settings 1=0\nSETTINGS 0 ACK\nHEADERS 3 ES+EH hex 82 87 84 41 01 61", "REQUEST 1 end\n> SETTINGS 1=0\nSETTINGS_ACK\nFAILED COMPRESSION_ERROR: a dynamic table size update is too large, misplaced or missing\n> GOAWAY 1 COMPRESSION_ERROR a dynamic table size update is too large, misplaced or missing\n", 0, 0},
    {"a_smaller_and_a_larger_table", SERVER, "!fields\nHEADERS 1 ES+EH hex 82 87 84 41 01 61\n!settings 1=0\n!settings 1=4096\nHEADERS 3 ES+EH hex 82 87 84 be\nSETTINGS 0 ACK\nSETTINGS 0 ACK\nHEADERS 5 ES+EH hex 20 3fe11f 82 87 84 41 01 61\nHEADERS 7 ES+EH hex 82 87 84 be", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a\n> SETTINGS 1=0\n> SETTINGS 1=4096\nREQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a\nSETTINGS_ACK\nSETTINGS_ACK\nREQUEST 5 end :method=GET|:scheme=https|:path=/|:authority=a\nREQUEST 7 end :method=GET|:scheme=https|:path=/|:authority=a\n", 0, 0},
    {"a_smaller_and_a_larger_table_in_one_frame", SERVER, "HEADERS 1 ES+EH hex 82 87 84 41 01 61\n!settings 1=0,1=4096\nSETTINGS 0 ACK\nHEADERS 3 ES+EH hex 82 87 84 be", "REQUEST 1 end\n> SETTINGS 1=0 1=4096\nSETTINGS_ACK\nFAILED COMPRESSION_ERROR: a dynamic table size update is too large, misplaced or missing\n> GOAWAY 1 COMPRESSION_ERROR a dynamic table size update is too large, misplaced or missing\n", 0, 0},
    {"a_larger_table_is_not_used_before_the_acknowledgement", SERVER, "!settings 1=8192\nHEADERS 1 ES+EH hex 3fe13f 82 87 84 41 01 61", "> SETTINGS 1=8192\nFAILED COMPRESSION_ERROR: a dynamic table size update is too large, misplaced or missing\n> GOAWAY 0 COMPRESSION_ERROR a dynamic table size update is too large, misplaced or missing\n", 0, 0},
    {"a_larger_table_is_used_after_the_acknowledgement", SERVER, "!settings 1=8192\nSETTINGS 0 ACK\nHEADERS 1 ES+EH hex 3fe13f 82 87 84 41 01 61", "> SETTINGS 1=8192\nSETTINGS_ACK\nREQUEST 1 end\n", 0, 0},
    {"the_peers_table_shrinks_and_grows_between_our_blocks", CLIENT, "!fields\n!request end " HEAD "|x=y\nSETTINGS 0 - set 1=0\nSETTINGS 0 - set 1=4096\n!request end " HEAD "|x=y\n!request end " HEAD "|x=y", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=a|x=y\nSETTINGS\nSETTINGS\n> SETTINGS ack\n> SETTINGS ack\n> HEADERS 3 end :method=GET|:scheme=https|:path=/|:authority=a|x=y\n> HEADERS 5 end :method=GET|:scheme=https|:path=/|:authority=a|x=y\n", 0, 0},
    {"a_smaller_list_counts_when_it_is_acknowledged", SERVER, "!settings 6=180\nHEADERS 1 ES+EH fields " HEAD "|a=b\nSETTINGS 0 ACK\nHEADERS 3 ES+EH fields " HEAD "|a=b\nHEADERS 5 ES+EH fields " HEAD, "> SETTINGS 6=180\nREQUEST 1 end\nSETTINGS_ACK\nREQUEST 3 end too_large 4\nREQUEST 5 end\n", 0, 0},
    {"a_larger_frame_counts_when_it_is_acknowledged", SERVER, "POST 1\n!settings 5=20000\nSETTINGS 0 ACK\nDATA 1 - zeros 20000\n!settings 5=16384\nDATA 1 - zeros 16385\nSETTINGS 0 ACK\nDATA 1 - zeros 16385", "REQUEST 1\n> SETTINGS 5=20000\nSETTINGS_ACK\nDATA 1 20000\n> SETTINGS 5=16384\nDATA 1 16385\nSETTINGS_ACK\nFAILED FRAME_SIZE_ERROR: a frame longer than SETTINGS_MAX_FRAME_SIZE\n> GOAWAY 1 FRAME_SIZE_ERROR a frame longer than SETTINGS_MAX_FRAME_SIZE\n", 0, 0},
    {"an_acknowledgement_inside_a_header_block", SERVER, "!settings 1=0\nHEADERS 1 ES\nSETTINGS 0 ACK", "> SETTINGS 1=0\nFAILED PROTOCOL_ERROR: a frame inside a header block\n> GOAWAY 0 PROTOCOL_ERROR a frame inside a header block\n", 0, 0},
    {"no_settings_when_it_is_over", SERVER, "!terminate NO_ERROR\n!settings 3=1", "> GOAWAY 0 NO_ERROR \n= CLOSED\n", 0, 0},
};
/* clang-format on */

static void updates_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(updates);
}

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
        cmocka_unit_test(updates_from_outside),
        cmocka_unit_test(every_range_has_its_ends),
        cmocka_unit_test(the_peers_settings_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
