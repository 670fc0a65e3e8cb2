/* RFC 9113, sections 3.4, 4, 6 and 7: prefaces and frames, as a peer may and may not send them. */
#include "h2_rules.h"

#include <stdio.h>

#define PREFACE "BYTES 505249202a20485454502f322e300d0a0d0a534d0d0a0d0a\n"
#define OURS    "> SETTINGS 3=100 6=65536 9=1\n"
#define GET     "828784410161" /* a request head in HPACK */
#define PUSHED  ":method=GET|:scheme=https|:path=/p|:authority=a"

#define NO_REACTION "DATA 1 5"

static void push(struct h2_options *opts)
{
    opts->enable_push = true;
}

static void wide_stream(struct h2_options *opts)
{
    opts->initial_window_size = 100000;
}

static void wide_connection(struct h2_options *opts)
{
    opts->connection_window_size = 100000;
}

static void no_push_yet(struct h2_options *opts)
{
    opts->enable_push = false;
}

/* clang-format off */
static const struct h2_rule prefaces[] = { /* 3.4 */
    {"a_client_may_begin_with_empty_settings", S, UNGREETED, PREFACE "SETTINGS 0", TAKEN, 0, "> SETTINGS ack\n", 0},
    {"a_server_may_begin_with_empty_settings", C, UNGREETED, "SETTINGS 0", TAKEN, 0, "> SETTINGS ack\n", 0},
    {"a_server_acknowledges_after_its_own_preface", S, UNGREETED, PREFACE "SETTINGS 0 - set 3=5", TAKEN, 0, OURS "> SETTINGS ack\n", 0},
    {"a_client_may_send_before_the_servers_preface", C, UNGREETED, "!request end\nSETTINGS 0\nOKEND 1", TAKEN, 0, "> HEADERS 1 end\nSETTINGS\nRESPONSE 1 end 200\n> SETTINGS ack\n", 0},
    {"frames_may_follow_the_clients_settings_at_once", S, UNGREETED, PREFACE "SETTINGS 0\nGET 1", TAKEN, 0, "REQUEST 1 end\n", 0},
    {"the_clients_first_frame_is_settings", S, UNGREETED, PREFACE "GET 1", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"not_even_an_unknown_frame_comes_before", S, UNGREETED, PREFACE "0b 0", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"goaway_is_no_preface", C, UNGREETED, "GOAWAY 0 - u32 0,0", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"an_answer_of_http_1_is_no_preface", C, UNGREETED, "BYTES 485454502f312e31203430302042616420526571756573740d0a", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"tls_is_no_preface", S, UNGREETED, "BYTES 160301020001000001fc0303", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_preface_twice", S, IDLE, PREFACE, BREAKS, "FRAME_SIZE_ERROR", 0, 0},
};

static const struct h2_rule frame_format[] = { /* 4.1, 4.2 */
    {"frames_of_unknown_types_are_ignored", SC, OPEN, "0b 0 - zeros 5\nff 7 - text hello\nfa 1 ES+EH\n1f 1 - zeros 16384\nDATA 1 - text hello", TAKEN, 0, NO_REACTION, 0},
    {"frames_of_unknown_types_do_not_open_streams", S, IDLE, "0b 5 ES+EH hex " GET "\nGET 1", TAKEN, 0, "REQUEST 1 end\n", 0},
    {"frames_of_unknown_types_have_a_size_limit", SC, OPEN, "0b 0 - zeros 16385", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_frame_of_16384_octets_is_taken", SC, OPEN, "DATA 1 - zeros 16384", TAKEN, 0, "DATA 1 16384", 0},
    {"a_data_frame_of_16385_octets", SC, OPEN, "DATA 1 - zeros 16385", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_headers_frame_of_16385_octets", S, IDLE, "HEADERS 1 ES+EH zeros 16385", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_trailers_frame_of_16385_octets", SC, OPEN, "HEADERS 1 ES+EH zeros 16385", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_continuation_frame_of_16385_octets", SC, OPEN, "HEADERS 1 ES\nCONTINUATION 1 EH zeros 16385", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_push_promise_frame_of_16385_octets", C, OPEN, "PUSH_PROMISE 1 EH zeros 16385", BREAKS, "FRAME_SIZE_ERROR", 0, push},
    {"a_settings_frame_of_16386_octets", SC, IDLE, "SETTINGS 0 - zeros 16386", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_goaway_frame_of_16385_octets", SC, IDLE, "GOAWAY 0 - zeros 16385", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
};

static const struct h2_rule field_blocks[] = { /* 4.3 */
    {"a_block_is_not_hpack", SC, OPEN, "HEADERS 1 ES+EH hex 80", BREAKS, "COMPRESSION_ERROR", 0, 0},
    {"a_response_is_not_hpack", C, ASKED, "HEADERS 1 ES+EH hex 88 ff ff ff ff ff ff", BREAKS, "COMPRESSION_ERROR", 0, 0},
    {"a_block_ends_inside_a_field", SC, OPEN, "HEADERS 1 ES+EH hex 40 01 78 05 61", BREAKS, "COMPRESSION_ERROR", 0, 0},
    {"a_promise_is_not_hpack", C, OPEN, "PUSH_PROMISE 1 EH hex 00000002 80", BREAKS, "COMPRESSION_ERROR", 0, push},
    {"a_block_on_a_reset_stream_is_not_hpack", SC, WE_RESET, "HEADERS 1 ES+EH hex 80", BREAKS, "COMPRESSION_ERROR", 0, 0},
    {"a_block_behind_the_end_is_not_hpack", S, PEER_ENDED, "HEADERS 1 ES+EH hex 80", BREAKS, "COMPRESSION_ERROR", 0, 0},
    {"a_block_after_goaway_is_not_hpack", S, IDLE, "!shutdown\nHEADERS 1 ES+EH hex 80", BREAKS, "COMPRESSION_ERROR", 0, 0},
    {"a_promise_on_a_reset_stream_is_not_hpack", C, WE_RESET, "PUSH_PROMISE 1 EH hex 00000002 80", BREAKS, "COMPRESSION_ERROR", 0, push},
    {"a_promise_on_a_reset_stream_is_decoded", C, WE_RESET,
     "!fields\nPROMISE 1 2 " PUSHED "|x-a=1\n!request end\nHEADERS 3 ES+EH fields :status=200|x-a=1", RESETS, "CANCEL", "RESPONSE 3 end 200 :status=200|x-a=1\n", push},
    {"priority_inside_a_block", SC, OPEN, "HEADERS 1 ES\nPRIORITY 1 - hex 00000000 00", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"data_inside_a_block", SC, OPEN, "HEADERS 1 ES\nDATA 1 - text x", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"ping_inside_a_block", SC, OPEN, "HEADERS 1 ES\nPING 0 - text abcdefgh", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"settings_inside_a_block", SC, OPEN, "HEADERS 1 ES\nSETTINGS 0", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_of_another_stream_inside_a_block", S, IDLE, "HEADERS 1 ES\nGET 3", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_of_another_answer_inside_a_block", C, ASKED, "!request end\nHEADERS 1 ES\nOKEND 3", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_of_the_same_stream_inside_a_block", SC, OPEN, "HEADERS 1 ES\nHEADERS 1 ES+EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"an_extension_frame_inside_a_block", SC, OPEN, "HEADERS 1 ES\n0b 1 - text x", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_frame_inside_a_promise", C, OPEN, "PUSH_PROMISE 1 - hex 00000002 82\nPING 0 - text abcdefgh", BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_frame_behind_a_continuation_that_ends_nothing", SC, OPEN, "HEADERS 1 ES\nCONTINUATION 1\nDATA 1 - text x", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"the_stream_ends_with_the_head_and_not_with_its_last_piece", S, IDLE, "HEADERS 1 ES hex 828784\nCONTINUATION 1 EH hex 410161", TAKEN, 0, "REQUEST 1 end\n", 0},
};

static const struct h2_rule data[] = { /* 6.1 */
    {"data_on_stream_0", SC, OPEN, "DATA 0 - text x", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"data_with_padding", SC, OPEN, "DATA 1 PAD hex 03 6869 000000", TAKEN, 0, "DATA 1 2 flow 6\n", 0},
    {"data_that_is_only_padding", SC, OPEN, "DATA 1 PAD hex 03 000000", TAKEN, 0, 0, 0},
    {"padding_as_long_as_the_frame", SC, OPEN, "DATA 1 PAD hex 03 0000", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"padding_longer_than_the_frame", SC, OPEN, "DATA 1 PAD hex ff 6869", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"data_without_its_pad_length", SC, OPEN, "DATA 1 PAD", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"empty_data_is_legal", SC, OPEN, "DATA 1 -\nDATA 1 - text hello", TAKEN, 0, NO_REACTION, 0},
    {"data_where_it_may_not_come", SC, PEER_ENDED, "DATA 1 - text x", RESETS, "STREAM_CLOSED", 0, 0},
};

static const struct h2_rule headers[] = { /* 6.2 */
    {"headers_on_stream_0", SC, OPEN, "HEADERS 0 ES+EH hex " GET, BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_with_padding", S, IDLE, "HEADERS 1 ES+EH+PAD hex 02 " GET " 0000", TAKEN, 0, "REQUEST 1 end\n", 0},
    {"a_response_with_padding", C, ASKED, "HEADERS 1 ES+EH+PAD hex 02 88 0000", TAKEN, 0, "RESPONSE 1 end 200\n", 0},
    {"headers_with_priority", S, IDLE, "HEADERS 1 ES+EH+PRI hex 80000003 ff " GET, TAKEN, 0, "REQUEST 1 end priority 3 256 exclusive\n", 0},
    {"headers_with_padding_and_priority", S, IDLE, "HEADERS 1 ES+EH+PAD+PRI hex 02 00000000 00 " GET " 0000", TAKEN, 0, "REQUEST 1 end priority 0 1\n", 0},
    {"headers_padded_by_their_whole_length", SC, OPEN, "HEADERS 1 ES+EH+PAD hex 03 8888", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_padded_beyond_their_end", SC, OPEN, "HEADERS 1 ES+EH+PAD hex ff 88", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_padded_into_the_priority", SC, OPEN, "HEADERS 1 ES+EH+PAD+PRI hex 01 00000000 00", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_without_their_pad_length", SC, OPEN, "HEADERS 1 ES+EH+PAD", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"headers_without_their_priority", SC, OPEN, "HEADERS 1 ES+EH+PRI hex 00000000", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
};

static const struct h2_rule priorities[] = { /* 6.3 */
    {"priority_on_stream_0", SC, IDLE, "PRIORITY 0 - hex 00000001 00", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"priority_of_4_octets", SC, OPEN, "PRIORITY 1 - hex 00000000", RESETS, "FRAME_SIZE_ERROR", 0, 0},
    {"priority_of_6_octets", SC, OPEN, "PRIORITY 1 - hex 00000000 0000", RESETS, "FRAME_SIZE_ERROR", 0, 0},
    {"an_empty_priority", SC, WE_ENDED, "PRIORITY 1", RESETS, "FRAME_SIZE_ERROR", 0, 0},
    {"every_weight_is_taken", SC, OPEN, "PRIORITY 1 - hex 00000000 00\nPRIORITY 1 - hex 00000000 ff", TAKEN, 0, 0, 0},
    {"an_exclusive_dependency_is_taken", SC, OPEN, "PRIORITY 1 - hex 80000003 10", TAKEN, 0, 0, 0},
};

static const struct h2_rule resets[] = { /* 6.4 */
    {"rst_stream_on_stream_0", SC, OPEN, "RST_STREAM 0 - u32 8", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"rst_stream_of_an_idle_stream", SC, IDLE, "RST_STREAM 1 - u32 8", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"rst_stream_of_an_idle_even_stream", SC, OPEN, "RST_STREAM 2 - u32 8", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"rst_stream_of_3_octets", SC, OPEN, "RST_STREAM 1 - hex 000000", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"rst_stream_of_5_octets", SC, OPEN, "RST_STREAM 1 - hex 0000000000", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"rst_stream_ends_a_stream", SC, OPEN, "RST_STREAM 1 - u32 8", TAKEN, 0, "RESET 1 peer CANCEL\n", 0},
    {"rst_stream_ends_the_other_half", SC, PEER_ENDED, "RST_STREAM 1 - u32 8", TAKEN, 0, "RESET 1 peer CANCEL\n", 0},
    {"no_data_after_the_peers_reset", S, OPEN, "!respond 1 :status=200\nRST_STREAM 1 - u32 8\n!data 1 5\n!end 1\n!trailers 1 x=y\n!reset 1 CANCEL", TAKEN, 0,
     "RESET 1 peer CANCEL\n= 5 stay\n= STREAM_CLOSED\n= STREAM_CLOSED\n= STREAM_CLOSED\n> PING ack", 0},
    {"no_data_after_the_peers_reset_by_a_client", C, OPEN, "RST_STREAM 1 - u32 8\n!data 1 5\n!end 1\n!trailers 1 x=y\n!reset 1 CANCEL", TAKEN, 0,
     "= 5 stay\n= STREAM_CLOSED\n= STREAM_CLOSED\n= STREAM_CLOSED\n> PING ack", 0},
    {"no_credit_for_a_stream_that_the_peer_reset", SC, OPEN, "*2 DATA 1 - zeros 16384\nRST_STREAM 1 - u32 8\n!consume 1 32768", TAKEN, 0, "> WINDOW_UPDATE 0 32768\n> PING ack", 0},
    {"rst_stream_is_not_answered_by_one", SC, WE_RESET, "RST_STREAM 1 - u32 8\nRST_STREAM 1 - u32 1", TAKEN, 0, 0, 0},
    {"rst_stream_of_an_ended_stream_is_not_answered", SC, ENDED, "RST_STREAM 1 - u32 8", TAKEN, 0, 0, 0},
    {"rst_stream_twice_is_not_answered", SC, PEER_RESET, "RST_STREAM 1 - u32 8", TAKEN, 0, 0, 0},
};

static const struct h2_rule settings[] = { /* 6.5 */
    {"settings_on_a_stream", SC, OPEN, "SETTINGS 1 - set 3=100", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"settings_of_3_octets", SC, IDLE, "SETTINGS 0 - hex 000300", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"settings_of_7_octets", SC, IDLE, "SETTINGS 0 - hex 00030000000500", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"an_acknowledgement_with_a_payload", SC, IDLE, "SETTINGS 0 ACK set 3=5", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"an_acknowledgement_on_a_stream", SC, OPEN, "SETTINGS 1 ACK", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"settings_that_are_unknown", SC, IDLE, "SETTINGS 0 - set 0=1,7=1,0xabcd=9,0xffff=0xffffffff", TAKEN, 0, "> SETTINGS ack\n", 0},
    {"enable_push_of_2", S, IDLE, "SETTINGS 0 - set 2=2", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"enable_push_of_1_by_a_server", C, IDLE, "SETTINGS 0 - set 2=1", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"enable_push_of_0_by_a_server", C, IDLE, "SETTINGS 0 - set 2=0", TAKEN, 0, "> SETTINGS ack\n", 0},
    {"a_window_of_31_bits", SC, IDLE, "SETTINGS 0 - set 4=0x7fffffff", TAKEN, 0, "> SETTINGS ack\n", 0},
    {"a_window_of_32_bits", SC, IDLE, "SETTINGS 0 - set 4=0x80000000", BREAKS, "FLOW_CONTROL_ERROR", 0, 0},
    {"a_frame_size_of_16383", SC, IDLE, "SETTINGS 0 - set 5=16383", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_frame_size_of_2_to_24", SC, IDLE, "SETTINGS 0 - set 5=16777216", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"each_settings_frame_is_acknowledged", SC, IDLE, "*3 SETTINGS 0 - set 3=5", TAKEN, 0, "> SETTINGS ack\n> SETTINGS ack\n> SETTINGS ack\n> PING ack", 0},
    {"the_last_of_equal_settings_counts", S, IDLE, "SETTINGS 0 - set 4=100,4=1\nGET 1\n!respond 1 :status=200\n!data 1 2", TAKEN, 0, "> DATA 1 1\n= 1 stay\n", 0},
    {"settings_count_before_they_are_acknowledged", S, OPEN, "!respond 1 :status=200\nSETTINGS 0 - set 4=1\n!data 1 2", TAKEN, 0, "> SETTINGS ack\n> DATA 1 1\n= 1 stay\n", 0},
    {"no_streams_allowed_is_nothing_special", S, IDLE, "SETTINGS 0 - set 3=0\nGET 1\n!respond 1 end :status=200", TAKEN, 0, "> HEADERS 1 end\n", 0},
    {"a_promise_though_push_is_off", C, OPEN, "PROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_promise_before_push_off_was_acknowledged", C, UNGREETED, "SETTINGS 0\n!request end\nPROMISE 1 2 " PUSHED "\nSETTINGS 0 ACK", RESETS, "REFUSED_STREAM", 0, no_push_yet},
};

static const struct h2_rule promises[] = { /* 6.6 */
    {"a_client_cannot_promise", S, OPEN, "PROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_promise_on_an_open_stream", C, OPEN, "PROMISE 1 2 " PUSHED, TAKEN, 0, "PUSH 1 2\n", push},
    {"a_promise_on_a_half_closed_stream", C, WE_ENDED, "PROMISE 1 2 " PUSHED, TAKEN, 0, "PUSH 1 2\n", push},
    {"a_promise_before_the_response", C, ASKED, "PROMISE 1 2 " PUSHED, TAKEN, 0, "PUSH 1 2\n", push},
    {"a_promise_in_pieces", C, OPEN, "PUSH_PROMISE 1 - hex 00000002 8287\nCONTINUATION 1\nCONTINUATION 1 EH hex 84410161", TAKEN, 0, "PUSH 1 2\n", push},
    {"a_promise_with_padding", C, OPEN, "PUSH_PROMISE 1 EH+PAD hex 02 00000002 " GET " 0000", TAKEN, 0, "PUSH 1 2\n", push},
    {"the_reserved_bit_of_a_promised_id", C, OPEN, "PUSH_PROMISE 1 EH hex 80000002 " GET, TAKEN, 0, "PUSH 1 2\n", push},
    {"a_promise_on_stream_0", C, OPEN, "PROMISE 0 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_on_an_idle_stream", C, OPEN, "PROMISE 3 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_behind_the_end", C, PEER_ENDED, "PROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_on_an_ended_stream", C, ENDED, "PROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_on_a_stream_that_they_reset", C, PEER_RESET, "PROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_on_a_stream_that_we_reset_was_on_its_way", C, WE_RESET, "PROMISE 1 2 " PUSHED, RESETS, "CANCEL", "> RST_STREAM 2 ", push},
    {"a_promise_on_a_reserved_stream", C, PROMISED, "PROMISE 2 4 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_on_a_pushed_stream", C, PROMISED, "OK 2\nPROMISE 2 4 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_of_an_odd_stream", C, OPEN, "PROMISE 1 3 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_of_stream_0", C, OPEN, "PROMISE 1 0 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_of_the_same_stream", C, OPEN, "PROMISE 1 1 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_of_a_promised_stream", C, PROMISED, "PROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_of_a_closed_stream", C, PROMISED, "RST_STREAM 2 - u32 8\nPROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_of_a_lower_stream", C, OPEN, "PROMISE 1 4 " PUSHED "\nPROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_padded_beyond_its_end", C, OPEN, "PUSH_PROMISE 1 EH+PAD hex 02 00000002 82", BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_without_its_stream", C, OPEN, "PUSH_PROMISE 1 EH hex 000000", BREAKS, "FRAME_SIZE_ERROR", 0, push},
    {"a_promise_without_its_stream_behind_the_pad_length", C, OPEN, "PUSH_PROMISE 1 EH+PAD hex 00000000", BREAKS, "FRAME_SIZE_ERROR", 0, push},
    {"another_frame_behind_a_promise_that_goes_on", C, OPEN, "PUSH_PROMISE 1 - hex 00000002 82\nHEADERS 1 ES+EH hex 88", BREAKS, "PROTOCOL_ERROR", 0, push},
    {"continuation_of_the_promised_stream", C, OPEN, "PUSH_PROMISE 1 - hex 00000002 82\nCONTINUATION 2 EH hex 8784410161", BREAKS, "PROTOCOL_ERROR", 0, push},
};

static const struct h2_rule pings[] = { /* 6.7 */
    {"ping_is_answered_with_its_payload", SC, IDLE, "PING 0 - text abcdefgh", TAKEN, 0, "> PING ack abcdefgh\n", 0},
    {"a_ping_with_ack_is_not_answered", SC, IDLE, "PING 0 ACK text abcdefgh", TAKEN, 0, "PING_ACK abcdefgh\n> PING ack the end!\n", 0},
    {"ping_on_a_stream", SC, OPEN, "PING 1 - text abcdefgh", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"ping_of_7_octets", SC, IDLE, "PING 0 - text abcdefg", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"ping_of_9_octets", SC, IDLE, "PING 0 - text abcdefghi", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"an_empty_ping", SC, IDLE, "PING 0", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
};

static const struct h2_rule goaways[] = { /* 6.8 */
    {"goaway_on_a_stream", SC, OPEN, "GOAWAY 1 - u32 0,0", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"goaway_of_7_octets", SC, IDLE, "GOAWAY 0 - hex 00000000 000000", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"goaway_with_text", SC, IDLE, "GOAWAY 0 - hex 00000000 00000000 627965", TAKEN, 0, "GOAWAY 0 NO_ERROR bye\n", 0},
    {"the_reserved_bit_of_a_last_stream_id", C, ASKED, "GOAWAY 0 - hex 80000001 00000000\nOKEND 1", TAKEN, 0, "GOAWAY 1 NO_ERROR \nRESPONSE 1 end 200\n", 0},
    {"no_stream_is_opened_after_goaway", C, ASKED, "GOAWAY 0 - u32 1,0\n!request end\nOKEND 1", TAKEN, 0, "= GOAWAY\nRESPONSE 1 end 200\n", 0},
    {"streams_may_still_be_taken_after_goaway", S, OPEN, "GOAWAY 0 - u32 0,0\nGET 3\n!respond 3 end :status=200", TAKEN, 0, "> HEADERS 3 end\n", 0},
    {"streams_above_our_goaway_are_ignored", S, OPEN, "!shutdown\nGET 3\nHEADERS 5 EH hex " GET "\nDATA 5 - text x\nRST_STREAM 5 - u32 8", TAKEN, 0, "> GOAWAY 1 NO_ERROR \n> PING ack", 0},
    {"streams_above_our_goaway_are_decoded", S, OPEN, "!fields\n!shutdown\nHEADERS 3 ES+EH fields x-a=1\nHEADERS 1 ES+EH fields x-a=1", TAKEN, 0, "TRAILERS 1 end x-a=1\n", 0},
    {"data_above_our_goaway_is_accounted", S, OPEN, "!shutdown\nPOST 3\n*2 DATA 3 - zeros 16384", TAKEN, 0, "> WINDOW_UPDATE 0 32768\n", 0},
    {"a_head_that_ends_behind_our_goaway_is_ignored", S, IDLE, "HEADERS 1 ES hex 8287\n!shutdown\nCONTINUATION 1 EH hex 84410161", TAKEN, 0, "> GOAWAY 0 NO_ERROR \n> PING ack", 0},
};

static const struct h2_rule window_updates[] = { /* 6.9 */
    {"an_increment_of_0_for_the_connection", SC, OPEN, "WINDOW_UPDATE 0 - u32 0", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"an_increment_of_0_for_a_stream", SC, OPEN, "WINDOW_UPDATE 1 - u32 0", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"an_increment_of_nothing_but_the_reserved_bit", SC, OPEN, "WINDOW_UPDATE 1 - u32 0x80000000", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"an_increment_of_3_octets", SC, OPEN, "WINDOW_UPDATE 1 - hex 000001", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"an_increment_of_5_octets", SC, OPEN, "WINDOW_UPDATE 0 - hex 0000000001", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"credit_after_their_end", SC, PEER_ENDED, "WINDOW_UPDATE 1 - u32 1", TAKEN, 0, 0, 0},
    {"credit_after_both_ends", SC, ENDED, "WINDOW_UPDATE 1 - u32 1", TAKEN, 0, 0, 0},
    {"credit_after_our_reset", SC, WE_RESET, "WINDOW_UPDATE 1 - u32 1", TAKEN, 0, 0, 0},
    {"data_in_error_counts_for_the_connection", S, IDLE,
     "HEADERS 1 EH fields :method=POST|:scheme=https|:path=/|:authority=a|content-length=5\n*2 DATA 1 - zeros 16384", RESETS, "PROTOCOL_ERROR", "> WINDOW_UPDATE 0 32768\n", 0},
    {"data_behind_the_end_counts_for_the_connection", SC, PEER_ENDED, "*2 DATA 1 - zeros 16384", RESETS, "STREAM_CLOSED", "> WINDOW_UPDATE 0 32768\n", 0},
    {"no_more_data_than_the_connection_window", SC, OPEN, "*4 DATA 1 - zeros 16384", BREAKS, "FLOW_CONTROL_ERROR", 0, wide_stream},
    {"no_more_data_than_the_stream_window", SC, OPEN, "*4 DATA 1 - zeros 16384", RESETS, "FLOW_CONTROL_ERROR", 0, wide_connection},
    {"padding_counts_for_the_windows", SC, OPEN, "*3 DATA 1 - zeros 16384\nDATA 1 - zeros 16381\nDATA 1 PAD hex 02 0000", RESETS, "FLOW_CONTROL_ERROR", 0, wide_connection},
    {"the_last_octet_of_the_window", SC, OPEN, "*3 DATA 1 - zeros 16384\nDATA 1 ES zeros 16383", TAKEN, 0, "DATA 1 65535 end\n", 0},
    {"an_empty_frame_needs_no_window", SC, OPEN, "*3 DATA 1 - zeros 16384\nDATA 1 - zeros 16383\nDATA 1 ES", TAKEN, 0, "DATA 1 65535 end\n", 0},
    {"other_frames_need_no_window", SC, OPEN, "*3 DATA 1 - zeros 16384\nDATA 1 - zeros 16383\nHEADERS 1 ES+EH fields x=y", TAKEN, 0, "TRAILERS 1 end\n", 0},
    {"a_stream_window_of_31_bits", SC, OPEN, "WINDOW_UPDATE 1 - u32 0x7fff0000", TAKEN, 0, 0, 0},
    {"a_stream_window_of_more", SC, OPEN, "WINDOW_UPDATE 1 - u32 0x7fff0000\nWINDOW_UPDATE 1 - u32 1", RESETS, "FLOW_CONTROL_ERROR", 0, 0},
    {"a_connection_window_of_31_bits", SC, OPEN, "WINDOW_UPDATE 0 - u32 0x7fff0000", TAKEN, 0, 0, 0},
    {"a_connection_window_of_more", SC, OPEN, "WINDOW_UPDATE 0 - u32 0x7fff0000\nWINDOW_UPDATE 0 - u32 1", BREAKS, "FLOW_CONTROL_ERROR", 0, 0},
    {"a_new_initial_window_moves_open_streams", S, OPEN, "!respond 1 :status=200\nSETTINGS 0 - set 4=3\n!data 1 9\nSETTINGS 0 - set 4=4\n!data 1 9", TAKEN, 0, "> DATA 1 3\n= 6 stay\nSETTINGS\n> SETTINGS ack\n> DATA 1 1\n= 8 stay\n", 0},
    {"a_new_initial_window_moves_a_clients_streams", C, OPEN, "SETTINGS 0 - set 4=3\n!data 1 9\nSETTINGS 0 - set 4=4\n!data 1 9", TAKEN, 0, "> DATA 1 3\n= 6 stay\nSETTINGS\n> SETTINGS ack\n> DATA 1 1\n= 8 stay\n", 0},
    {"a_negative_window_is_kept", C, OPEN, "!data 1 10\nSETTINGS 0 - set 4=4\nWINDOW_UPDATE 1 - u32 6\n!data 1 1\nWINDOW_UPDATE 1 - u32 1\n!data 1 2", TAKEN, 0, "= 1 stay\n> DATA 1 1\n= 1 stay\n", 0},
    {"a_new_initial_window_does_not_move_the_connection", C, OPEN, "SETTINGS 0 - set 4=100000\n!data 1 65536", TAKEN, 0, "> DATA 1 16383\n= 1 stay\n", 0},
    {"a_new_initial_window_over_the_end", SC, OPEN, "WINDOW_UPDATE 1 - u32 1\nSETTINGS 0 - set 4=0x7fffffff", BREAKS, "FLOW_CONTROL_ERROR", 0, 0},
};

static const struct h2_rule continuations[] = { /* 6.10 */
    {"continuation_on_stream_0", SC, OPEN, "HEADERS 1 ES\nCONTINUATION 0 EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"continuation_of_nothing", SC, OPEN, "CONTINUATION 1 EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"continuation_of_nothing_on_stream_0", SC, OPEN, "CONTINUATION 0 EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"continuation_of_a_head_that_is_complete", SC, OPEN, "HEADERS 1 ES+EH fields x=y\nCONTINUATION 1 EH fields a=b", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"continuation_of_a_continuation_that_is_the_last", SC, OPEN, "HEADERS 1 ES\nCONTINUATION 1 EH fields x=y\nCONTINUATION 1 EH fields a=b", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"continuation_behind_data", SC, OPEN, "DATA 1 - text x\nCONTINUATION 1 EH fields x=y", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"continuation_of_another_stream", SC, OPEN, "HEADERS 1 ES\nCONTINUATION 3 EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"many_continuations", SC, OPEN, "SPLIT 1 ES 10 x=0123456789|y=0123456789|z=0123456789", TAKEN, 0, "TRAILERS 1 end\n", 0},
};

static const struct h2_rule error_codes[] = { /* 7 */
    {"an_unknown_code_in_rst_stream", SC, OPEN, "RST_STREAM 1 - u32 0xff", TAKEN, 0, "RESET 1 peer UNKNOWN\n", 0},
    {"an_unknown_code_in_goaway", SC, OPEN, "GOAWAY 0 - u32 1,0xff\nDATA 1 - text hello", TAKEN, 0, NO_REACTION, 0},
};
/* clang-format on */

#define TEST_OF(rules)                                                                             \
    static void rules##_of_a_peer(void **state)                                                    \
    {                                                                                              \
        (void)state;                                                                               \
        RULES_CHECK(rules);                                                                        \
    }

TEST_OF(prefaces)
TEST_OF(frame_format)
TEST_OF(field_blocks)
TEST_OF(data)
TEST_OF(headers)
TEST_OF(priorities)
TEST_OF(resets)
TEST_OF(settings)
TEST_OF(promises)
TEST_OF(pings)
TEST_OF(goaways)
TEST_OF(window_updates)
TEST_OF(continuations)
TEST_OF(error_codes)

/* ---------------------------------------------------------------- every octet, every flag */

static void each_octet_of_the_preface_counts(void **state)
{
    (void)state;
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (size_t wrong = 0; wrong < sizeof(preface) - 1; wrong++) {
        char script[100] = "BYTES ";
        for (size_t i = 0; i <= wrong; i++) {
            snprintf(script + 6 + 2 * i, 3, "%02x", (uint8_t)preface[i] ^ (i == wrong ? 0x20 : 0));
        }
        struct script_case sc = {.role = H2_SERVER, .script = script, .raw = true};
        char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
        assert_non_null(strstr(got, "FAILED PROTOCOL_ERROR: "));
        free(got);
    }
}

/* One frame of each type as it may come on an open stream 1, as octets: length, type, flags with a
 * meaning, those set, stream id, payload. */
static const struct frame {
    unsigned type;
    unsigned meaning;
    unsigned set;
    unsigned id;
    const char *payload;
} frames[] = {
    {0x0, 0x9, 0x0, 1, "6869"},
    {0x0, 0x9, 0x8, 1, "01686900"},
    {0x1, 0x2d, 0x5, 1,
     "40017801"
     "79"},
    {0x2, 0x0, 0x0, 1, "0000000010"},
    {0x3, 0x0, 0x0, 1, "00000008"},
    {0x4, 0x1, 0x0, 0, "000300000064"},
    {0x6, 0x1, 0x0, 0, "6162636465666768"},
    {0x6, 0x1, 0x1, 0, "6162636465666768"},
    {0x7, 0x0, 0x0, 0, "0000000100000000"},
    {0x8, 0x0, 0x0, 0, "00000001"},
    {0x8, 0x0, 0x0, 1, "00000001"},
    {0xa, 0x0, 0x0, 1, "000061"},
    {0xa, 0x0, 0x0, 0,
     "000161"
     "62"},
    {0xb, 0x0, 0x0, 0, "00"},
};

static char *meet(const struct frame *f, enum h2_role role, unsigned flags, unsigned reserved)
{
    char script[200];
    snprintf(script, sizeof(script), "%s\nBYTES %06zx %02x %02x %08x %s\nPING 0 - text the end!",
             role == H2_SERVER ? "POST 1" : "!request\nOK 1", strlen(f->payload) / 2, f->type,
             flags, f->id | reserved, f->payload);
    struct script_case sc = {.role = role, .script = script};
    char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
    assert_non_null(strstr(got, "> PING ack the end!\n"));
    assert_null(strstr(got, "> RST_STREAM"));
    return got;
}

static void unused_flags_and_reserved_bits_mean_nothing(void **state)
{
    (void)state;
    for (int role = 0; role < 2; role++) {
        enum h2_role r = role == 0 ? H2_CLIENT : H2_SERVER;
        for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
            char *plain = meet(&frames[i], r, frames[i].set, 0);
            for (unsigned bit = 1; bit < 0x100; bit <<= 1) {
                if ((frames[i].meaning & bit) == 0) {
                    char *flagged = meet(&frames[i], r, frames[i].set | bit, 0);
                    assert_string_equal(flagged, plain);
                    free(flagged);
                }
            }
            char *reserved = meet(&frames[i], r, frames[i].set, 0x80000000);
            assert_string_equal(reserved, plain);
            free(reserved);
            free(plain);
        }
    }
}

/* The longest HEADERS frame that everybody must take holds one field of that size. */
static void a_headers_frame_of_16384_octets_is_decoded(void **state)
{
    (void)state;
    const size_t value = 16384 - 6 - 3 - 3;
    char *script = malloc(64 + 2 * 16384);
    assert_non_null(script);
    strcpy(script, "HEADERS 1 ES+EH hex " GET "0001787ff57e");
    size_t at = strlen(script);
    memset(script + at, '6', 2 * value); /* 'f' */
    script[at + 2 * value] = '\0';
    struct script_case sc = {.role = H2_SERVER, .script = script};
    char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
    assert_string_equal(got, "REQUEST 1 end\n");
    free(got);
    free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefaces_of_a_peer),
        cmocka_unit_test(frame_format_of_a_peer),
        cmocka_unit_test(field_blocks_of_a_peer),
        cmocka_unit_test(data_of_a_peer),
        cmocka_unit_test(headers_of_a_peer),
        cmocka_unit_test(priorities_of_a_peer),
        cmocka_unit_test(resets_of_a_peer),
        cmocka_unit_test(settings_of_a_peer),
        cmocka_unit_test(promises_of_a_peer),
        cmocka_unit_test(pings_of_a_peer),
        cmocka_unit_test(goaways_of_a_peer),
        cmocka_unit_test(window_updates_of_a_peer),
        cmocka_unit_test(continuations_of_a_peer),
        cmocka_unit_test(error_codes_of_a_peer),
        cmocka_unit_test(each_octet_of_the_preface_counts),
        cmocka_unit_test(unused_flags_and_reserved_bits_mean_nothing),
        cmocka_unit_test(a_headers_frame_of_16384_octets_is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
