/* RFC 9113, section 8: what is a message, received and sent; also 10.3 and 10.5.1. */
#include "h2_rules.h"

#define REQ          ":method=GET|:scheme=https|:path=/|:authority=a"
#define GET_(more)   "HEADERS 1 ES+EH fields " REQ more
#define OK_(more)    "HEADERS 1 ES+EH fields :status=200" more
#define AS_GET(head) "HEADERS 1 ES+EH fields " head
#define LENGTH_5                                                                                   \
    "HEADERS 1 EH fields :method=POST|:scheme=https|:path=/|:authority=a|content-length=5\n"
#define CONNECT          ":method=CONNECT|:authority=a:443"
#define UNTOLD           "> PING 12345678\nRESET 1 us "
#define PROMISE_OF(head) "PROMISE 1 2 " head
#define X40              "0123456789012345678901234567890123456789"
#define X160             X40 X40 X40 X40

static void push(struct h2_options *opts)
{
    opts->enable_push = true;
}

static void normal(struct h2_options *opts)
{
    opts->normalize_received = opts->normalize_sent = true;
}

static void extended(struct h2_options *opts)
{
    opts->enable_connect_protocol = true;
}

static void small_lists(struct h2_options *opts)
{
    opts->limits.header_list_bytes = 300;
}

/* clang-format off */
static const struct h2_rule framing[] = { /* 8.1 */
    {"head_body_trailers_of_a_request", S, IDLE, "POST 1\nDATA 1 - text hello\nHEADERS 1 ES+EH fields x=y", TAKEN, 0, "REQUEST 1\nDATA 1 5\nTRAILERS 1 end\n", 0},
    {"head_body_trailers_of_a_response", C, ASKED, "OK 1\nDATA 1 - text hello\nHEADERS 1 ES+EH fields x=y", TAKEN, 0, "RESPONSE 1 200\nDATA 1 5\nTRAILERS 1 end\n", 0},
    {"interim_responses_come_before", C, ASKED, "HEADERS 1 EH fields :status=103\nHEADERS 1 EH fields :status=100\nOKEND 1", TAKEN, 0, "INFORMATIONAL 1 103\nINFORMATIONAL 1 100\nRESPONSE 1 end 200\n", 0},
    {"trailers_that_do_not_end_the_stream", SC, OPEN, "HEADERS 1 EH fields x=y", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"trailers_behind_data_that_do_not_end_the_stream", SC, OPEN, "DATA 1 - text hello\nHEADERS 1 EH fields x=y", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"trailers_with_a_pseudo_field", SC, OPEN, "HEADERS 1 ES+EH fields :path=/", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"trailers_with_a_status", SC, OPEN, "HEADERS 1 ES+EH fields :status=200", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"an_interim_response_that_ends_the_stream", C, ASKED, "HEADERS 1 ES+EH fields :status=103", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"an_interim_response_behind_the_final_one", C, OPEN, "HEADERS 1 EH fields :status=103", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"a_second_response", C, OPEN, OK_(), RESETS, "PROTOCOL_ERROR", 0, 0},
    {"data_before_the_response", C, ASKED, "DATA 1 - text x", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"data_behind_an_interim_response_only", C, ASKED, "HEADERS 1 EH fields :status=100\nDATA 1 - text x", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"a_response_may_be_complete_before_the_request", S, OPEN, "!respond 1 end :status=200\nDATA 1 ES text hello", TAKEN, 0, "> HEADERS 1 end\nDATA 1 5 end\n", 0},
    {"a_response_is_not_lost_by_the_reset_behind_it", C, IDLE, "!request\nOK 1\nDATA 1 ES text hello\nRST_STREAM 1 - u32 0", TAKEN, 0, "RESPONSE 1 200\nDATA 1 5 end\nRESET 1 peer NO_ERROR\n", 0},
    {"a_server_may_stop_an_upload_after_its_answer", S, OPEN, "!respond 1 end :status=200\n!reset 1 NO_ERROR\nDATA 1 ES text hello", RESETS, "NO_ERROR", 0, 0},
    {"a_connection_error_inside_a_message", SC, OPEN, "HEADERS 1 -\nPING 0 - text abcdefgh", BREAKS, "PROTOCOL_ERROR", 0, 0},
};

static const struct h2_rule malformed[] = { /* 8.1.1 */
    {"a_malformed_request_is_not_told", S, IDLE, AS_GET("x=y"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_malformed_response_is_not_told", C, ASKED, AS_GET("x=y"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"malformed_trailers_are_not_told", SC, OPEN, "HEADERS 1 ES+EH fields X=y", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"less_than_content_length", S, IDLE, LENGTH_5 "DATA 1 ES text hell", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"more_than_content_length", S, IDLE, LENGTH_5 "DATA 1 ES text hello!", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"more_than_content_length_in_two_frames", S, IDLE, LENGTH_5 "DATA 1 - text hel\nDATA 1 ES text lo!", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"less_than_content_length_in_two_frames", S, IDLE, LENGTH_5 "DATA 1 - text h\nDATA 1 ES text i", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"padding_is_no_content", S, IDLE, LENGTH_5 "DATA 1 ES+PAD hex 02 6869 0000", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"exactly_content_length", S, IDLE, LENGTH_5 "DATA 1 - text hel\nDATA 1 ES text lo", TAKEN, 0, "DATA 1 5 end\n", 0},
    {"content_length_without_data", S, IDLE, GET_("|content-length=5"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"less_than_content_length_of_a_response", C, ASKED, "HEADERS 1 EH fields :status=200|content-length=5\nDATA 1 ES text hell", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"more_than_content_length_of_a_response", C, ASKED, "HEADERS 1 EH fields :status=200|content-length=5\nDATA 1 ES text hello!", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"content_length_of_a_response_without_data", C, ASKED, OK_("|content-length=5"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_response_to_head_may_have_a_length", C, IDLE, "!request end :method=HEAD|:scheme=https|:path=/|:authority=a\n" OK_("|content-length=5"), TAKEN, 0, "RESPONSE 1 end 200 length 5\n", 0},
    {"a_response_of_304_may_have_a_length", C, ASKED, "HEADERS 1 ES+EH fields :status=304|content-length=5", TAKEN, 0, "RESPONSE 1 end 304 length 5\n", 0},
    {"two_lengths", S, IDLE, GET_("|content-length=0|content-length=1"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
};

static const struct h2_rule fields[] = { /* 8.2.1 */
    {"an_upper_case_name_in_a_request", S, IDLE, GET_("|X-Test=ok"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_upper_case_name_in_a_response", C, ASKED, OK_("|Server=x"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_upper_case_name_in_trailers", SC, OPEN, "HEADERS 1 ES+EH fields X=y", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_space_in_a_name", SC, OPEN, "HEADERS 1 ES+EH fields x y=z", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_colon_in_a_name", SC, OPEN, "HEADERS 1 ES+EH fields x:y=z", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_nul_in_a_name", SC, OPEN, "HEADERS 1 ES+EH hex 00 02 7800 01 79", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_delete_in_a_name", SC, OPEN, "HEADERS 1 ES+EH hex 00 02 787f 01 79", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_octet_over_127_in_a_name", SC, OPEN, "HEADERS 1 ES+EH hex 00 02 78ff 01 79", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_empty_name", SC, OPEN, "HEADERS 1 ES+EH hex 00 00 01 79", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_nul_in_a_value", SC, OPEN, "HEADERS 1 ES+EH hex 00 01 78 03 610062", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_line_feed_in_a_value", SC, OPEN, "HEADERS 1 ES+EH hex 00 01 78 03 610a62", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_carriage_return_in_a_value", SC, OPEN, "HEADERS 1 ES+EH hex 00 01 78 03 610d62", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_space_before_a_value", SC, OPEN, "HEADERS 1 ES+EH fields x= y", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_space_behind_a_value", SC, OPEN, "HEADERS 1 ES+EH fields x=y ", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_tab_behind_a_value", SC, OPEN, "HEADERS 1 ES+EH fields x=y\t", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"spaces_and_octets_over_127_inside_a_value", SC, OPEN, "HEADERS 1 ES+EH hex 00 01 78 05 61202009ff", TAKEN, 0, "TRAILERS 1 end\n", 0},
    {"an_empty_value", SC, OPEN, "HEADERS 1 ES+EH fields x=", TAKEN, 0, "TRAILERS 1 end\n", 0},
};

static const struct h2_rule connection_fields[] = { /* 8.2.2 */
    {"connection_in_a_request", S, IDLE, GET_("|connection=close"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"proxy_connection_in_a_request", S, IDLE, GET_("|proxy-connection=close"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"keep_alive_in_a_request", S, IDLE, GET_("|keep-alive=5"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"transfer_encoding_in_a_request", S, IDLE, GET_("|transfer-encoding=chunked"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"upgrade_in_a_request", S, IDLE, GET_("|upgrade=x"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"te_of_something_else", S, IDLE, GET_("|te=trailers, gzip"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"te_of_trailers", S, IDLE, GET_("|te=trailers"), TAKEN, 0, "REQUEST 1 end\n", 0},
    {"connection_in_a_response", C, ASKED, OK_("|connection=close"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"proxy_connection_in_a_response", C, ASKED, OK_("|proxy-connection=close"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"keep_alive_in_a_response", C, ASKED, OK_("|keep-alive=5"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"transfer_encoding_in_a_response", C, ASKED, OK_("|transfer-encoding=chunked"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"upgrade_in_a_response", C, ASKED, OK_("|upgrade=x"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"connection_in_trailers", SC, OPEN, "HEADERS 1 ES+EH fields connection=close", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"connection_specific_fields_are_not_sent", C, IDLE, "!request end " REQ "|connection=x\n!request end " REQ "|te=gzip\n!request end " REQ "|upgrade=x\n!request end " REQ "|te=trailers", TAKEN, 0,
     "= FIELDS\n= FIELDS\n= FIELDS\n> HEADERS 1 end\n", 0},
    {"connection_specific_fields_are_taken_out", C, IDLE, "!fields\n!request end " REQ "|Connection=x-hop, close|X-Hop=1|Keep-Alive=5|Transfer-Encoding=chunked|Upgrade=h|Proxy-Connection=y|x=y", TAKEN, 0,
     "> HEADERS 1 end " REQ "|x=y\n", normal},
    {"connection_specific_fields_of_a_response_are_taken_out", S, PEER_ENDED, "!fields\n!respond 1 end :status=200|Connection=x-hop|X-Hop=1|Keep-Alive=5|x=y", TAKEN, 0, "> HEADERS 1 end :status=200|x=y\n", normal},
};

static const struct h2_rule cookies[] = { /* 8.2, 8.2.3 */
    {"names_become_lower_case", C, IDLE, "!fields\n!request end " REQ "|Accept=*/*|X-Test=Ok", TAKEN, 0, "> HEADERS 1 end " REQ "|accept=*/*|x-test=Ok\n", normal},
    {"an_upper_case_name_is_not_sent", C, IDLE, "!request end " REQ "|Accept=*/*\n!request end", TAKEN, 0, "= FIELDS\n> HEADERS 1 end\n", 0},
    {"names_of_a_response_become_lower_case", S, PEER_ENDED, "!fields\n!respond 1 end :status=200|Server=X", TAKEN, 0, "> HEADERS 1 end :status=200|server=X\n", normal},
    {"cookies_become_one", S, IDLE, "!fields\n" GET_("|cookie=a=1|x=y|cookie=b=2|cookie=c=3"), TAKEN, 0, "REQUEST 1 end " REQ "|cookie=a=1; b=2; c=3|x=y\n", normal},
};

static const struct h2_rule pseudo[] = { /* 8.3 */
    {"an_unknown_pseudo_field_in_a_request", S, IDLE, AS_GET(REQ "|:test=ok"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_unknown_pseudo_field_in_a_response", C, ASKED, OK_("|:test=ok"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"status_in_a_request", S, IDLE, AS_GET(REQ "|:status=200"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_path_in_a_response", C, ASKED, OK_("|:path=/"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_pseudo_field_behind_others_in_a_request", S, IDLE, AS_GET(":method=GET|:scheme=https|:authority=a|x=y|:path=/"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_pseudo_field_behind_others_in_a_response", C, ASKED, AS_GET("x=y|:status=200"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_method_twice", S, IDLE, AS_GET(REQ "|:method=GET"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_scheme_twice", S, IDLE, AS_GET(REQ "|:scheme=https"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_path_twice", S, IDLE, AS_GET(REQ "|:path=/"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_authority_twice", S, IDLE, AS_GET(REQ "|:authority=a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_status_twice", C, ASKED, OK_("|:status=200"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"bad_pseudo_fields_are_not_sent", C, IDLE, "!request end " REQ "|:test=ok\n!request end " REQ "|:status=200\n!request end " REQ "|:path=/\n!request end x=y|" REQ "\n!request end", TAKEN, 0,
     "= FIELDS\n= FIELDS\n= FIELDS\n= FIELDS\n> HEADERS 1 end\n", 0},
    {"bad_pseudo_fields_of_a_response_are_not_sent", S, PEER_ENDED, "!respond 1 end :status=200|:test=ok\n!respond 1 end :status=200|:path=/\n!respond 1 end :status=200|:status=200\n!respond 1 end x=y|:status=200\n!respond 1 end :status=200", TAKEN, 0,
     "= FIELDS\n= FIELDS\n= FIELDS\n= FIELDS\n> HEADERS 1 end\n", 0},
    {"pseudo_fields_are_not_sent_in_trailers", S, PEER_ENDED, "!respond 1 :status=200\n!trailers 1 :status=200\n!trailers 1 :path=/", TAKEN, 0, "= FIELDS\n= FIELDS\n", 0},
};

static const struct h2_rule requests[] = { /* 8.3.1 */
    {"no_method", S, IDLE, AS_GET(":scheme=https|:path=/|:authority=a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"no_scheme", S, IDLE, AS_GET(":method=GET|:path=/|:authority=a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"no_path", S, IDLE, AS_GET(":method=GET|:scheme=https|:authority=a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_empty_path", S, IDLE, AS_GET(":method=GET|:scheme=https|:path=|:authority=a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_path_that_is_none", S, IDLE, AS_GET(":method=GET|:scheme=https|:path=x|:authority=a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_asterisk_for_options", S, IDLE, AS_GET(":method=OPTIONS|:scheme=https|:path=*|:authority=a"), TAKEN, 0, "REQUEST 1 end\n", 0},
    {"an_asterisk_for_another_method", S, IDLE, AS_GET(":method=GET|:scheme=https|:path=*|:authority=a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"userinfo_in_an_authority", S, IDLE, AS_GET(":method=GET|:scheme=https|:path=/|:authority=u@a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"an_empty_authority", S, IDLE, AS_GET(":method=GET|:scheme=https|:path=/|:authority="), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"neither_authority_nor_host", S, IDLE, AS_GET(":method=GET|:scheme=https|:path=/"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"host_instead_of_an_authority", S, IDLE, AS_GET(":method=GET|:scheme=https|:path=/|host=a"), TAKEN, 0, "REQUEST 1 end\n", 0},
    {"host_as_the_authority", S, IDLE, GET_("|host=a"), TAKEN, 0, "REQUEST 1 end\n", 0},
    {"host_other_than_the_authority", S, IDLE, GET_("|host=b"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_host_other_than_the_authority_is_not_sent", C, IDLE, "!request end " REQ "|host=b\n!request end " REQ "|host=a", TAKEN, 0, "= FIELDS\n> HEADERS 1 end\n", 0},
    {"userinfo_is_not_sent", C, IDLE, "!request end :method=GET|:scheme=https|:path=/|:authority=u@a\n!request end", TAKEN, 0, "= FIELDS\n> HEADERS 1 end\n", 0},
    {"a_request_without_authority_is_not_sent", C, IDLE, "!request end :method=GET|:scheme=https|:path=/\n!request end :method=GET|:scheme=https|:path=/|:authority=\n!request end", TAKEN, 0, "= FIELDS\n= FIELDS\n> HEADERS 1 end\n", 0},
    {"an_incomplete_request_is_not_sent", C, IDLE, "!request end :scheme=https|:path=/|:authority=a\n!request end :method=GET|:path=/|:authority=a\n!request end :method=GET|:scheme=https|:authority=a\n!request end :method=GET|:scheme=https|:path=|:authority=a\n!request end", TAKEN, 0,
     "= FIELDS\n= FIELDS\n= FIELDS\n= FIELDS\n> HEADERS 1 end\n", 0},
    {"an_asterisk_is_sent_for_options_only", C, IDLE, "!request end :method=GET|:scheme=https|:path=*|:authority=a\n!request end :method=OPTIONS|:scheme=https|:path=*|:authority=a", TAKEN, 0, "= FIELDS\n> HEADERS 1 end\n", 0},
};

static const struct h2_rule responses[] = { /* 8.3.2, 8.6 */
    {"no_status", C, ASKED, AS_GET("x=y"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"no_status_in_an_empty_head", C, ASKED, "HEADERS 1 ES+EH", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"no_status_in_a_second_head", C, ASKED, "HEADERS 1 EH fields :status=100\nHEADERS 1 ES+EH fields x=y", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"a_status_of_two_digits", C, ASKED, AS_GET(":status=20"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_status_of_no_digits", C, ASKED, AS_GET(":status=abc"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"switching_protocols", C, ASKED, "HEADERS 1 EH fields :status=101", RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_response_without_status_is_not_sent", S, PEER_ENDED, "!respond 1 end x=y\n!respond 1 end :status=20\n!respond 1 end :status=200", TAKEN, 0, "= FIELDS\n= FIELDS\n> HEADERS 1 end\n", 0},
    {"switching_protocols_is_not_sent", S, PEER_ENDED, "!respond 1 :status=101\n!respond 1 end :status=200", TAKEN, 0, "= FIELDS\n> HEADERS 1 end\n", 0},
};

static const struct h2_rule pushes[] = { /* 8.4 */
    {"a_promised_get", C, OPEN, PROMISE_OF(REQ), TAKEN, 0, "PUSH 1 2\n", push},
    {"a_promised_head", C, OPEN, PROMISE_OF(":method=HEAD|:scheme=https|:path=/|:authority=a"), TAKEN, 0, "PUSH 1 2\n", push},
    {"a_promised_request_that_is_not_safe", C, OPEN, PROMISE_OF(":method=POST|:scheme=https|:path=/|:authority=a"), RESETS, "PROTOCOL_ERROR", "> RST_STREAM 2 ", push},
    {"a_promised_request_that_is_not_known_to_be_safe", C, OPEN, PROMISE_OF(":method=WHAT|:scheme=https|:path=/|:authority=a"), RESETS, "PROTOCOL_ERROR", "> RST_STREAM 2 ", push},
    {"a_promised_request_that_is_not_cacheable", C, OPEN, PROMISE_OF(":method=OPTIONS|:scheme=https|:path=/|:authority=a"), RESETS, "PROTOCOL_ERROR", "> RST_STREAM 2 ", push},
    {"a_promised_request_with_a_body", C, OPEN, PROMISE_OF(REQ "|content-length=5"), RESETS, "PROTOCOL_ERROR", "> RST_STREAM 2 ", push},
    {"a_promised_request_that_is_incomplete", C, OPEN, PROMISE_OF(":method=GET|:scheme=https|:authority=a"), RESETS, "PROTOCOL_ERROR", "> RST_STREAM 2 ", push},
    {"a_promised_request_that_is_malformed", C, OPEN, PROMISE_OF(REQ "|X=y"), RESETS, "PROTOCOL_ERROR", "> RST_STREAM 2 ", push},
    {"a_promised_request_without_authority", C, OPEN, PROMISE_OF(":method=GET|:scheme=https|:path=/"), RESETS, "PROTOCOL_ERROR", "> RST_STREAM 2 ", push},
    {"a_pushed_response", C, PROMISED, "HEADERS 2 EH fields :status=200|content-length=5\nDATA 2 ES text hello", TAKEN, 0, "RESPONSE 2 200 length 5\nDATA 2 5 end\n", push},
    {"a_pushed_response_that_is_malformed", C, PROMISED, "HEADERS 2 ES+EH fields x=y", RESETS, "PROTOCOL_ERROR", "> RST_STREAM 2 ", push},
    {"a_promise_may_be_refused", C, PROMISED, "!reset 2 REFUSED_STREAM", RESETS, "REFUSED_STREAM", 0, push},
};

static const struct h2_rule tunnels[] = { /* 8.5 */
    {"connect_with_host_and_port", S, IDLE, "HEADERS 1 EH fields " CONNECT "\nDATA 1 - text hello", TAKEN, 0, "REQUEST 1\nDATA 1 5\n", 0},
    {"connect_with_a_scheme", S, IDLE, AS_GET(CONNECT "|:scheme=https"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"connect_with_a_path", S, IDLE, AS_GET(CONNECT "|:path=/"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"connect_without_authority", S, IDLE, AS_GET(":method=CONNECT"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"connect_without_a_port", S, IDLE, AS_GET(":method=CONNECT|:authority=a"), RESETS, "PROTOCOL_ERROR", UNTOLD, 0},
    {"a_bad_connect_is_not_sent", C, IDLE, "!request " CONNECT "|:scheme=https\n!request " CONNECT "|:path=/\n!request :method=CONNECT\n!request :method=CONNECT|:authority=a\n!request " CONNECT, TAKEN, 0, "= FIELDS\n= FIELDS\n= FIELDS\n= FIELDS\n> HEADERS 1\n", 0},
    {"a_tunnel_carries_data_both_ways", S, IDLE, "HEADERS 1 EH fields " CONNECT "\n!respond 1 :status=200\nDATA 1 - text hello\n!data 1 5\nDATA 1 ES\n!data 1 1 end", TAKEN, 0, "DATA 1 5\n> DATA 1 5\nDATA 1 0 end\n> DATA 1 1 end\n", 0},
    {"headers_in_a_tunnel_of_ours", S, IDLE, "HEADERS 1 EH fields " CONNECT "\n!respond 1 :status=200\nDATA 1 - text x\nHEADERS 1 ES+EH fields x=y", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"headers_in_a_tunnel_of_theirs", C, IDLE, "!request " CONNECT "\nOK 1\nDATA 1 - text x\nHEADERS 1 ES+EH fields x=y", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"headers_in_an_extended_tunnel", S, IDLE, "HEADERS 1 EH fields :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a\n!respond 1 :status=200\nHEADERS 1 ES+EH fields x=y", RESETS, "PROTOCOL_ERROR", 0, extended},
    {"no_trailers_are_sent_in_a_tunnel_of_ours", S, IDLE, "HEADERS 1 EH fields " CONNECT "\n!respond 1 :status=200\n!trailers 1 x=y\n!end 1", TAKEN, 0, "= STREAM_STATE\n> DATA 1 0 end\n", 0},
    {"no_trailers_are_sent_in_a_tunnel_of_theirs", C, IDLE, "!request " CONNECT "\nOK 1\n!trailers 1 x=y\n!end 1", TAKEN, 0, "= STREAM_STATE\n> DATA 1 0 end\n", 0},
    {"a_refused_connect_is_answered_as_any_request", S, IDLE, "HEADERS 1 EH fields " CONNECT "\n!respond 1 :status=502\n!data 1 5\n!trailers 1 x=y\nHEADERS 1 ES+EH fields x=y", TAKEN, 0, "> HEADERS 1 end\nTRAILERS 1 end\n", 0},
    {"a_refusal_of_connect_may_have_trailers", C, IDLE, "!request end " CONNECT "\nHEADERS 1 EH fields :status=502\nDATA 1 - text hello\nHEADERS 1 ES+EH fields x=y", TAKEN, 0, "TRAILERS 1 end\n", 0},
    {"a_tunnel_has_no_content_length", C, IDLE, "!request " CONNECT "\nHEADERS 1 EH fields :status=200|content-length=1\nDATA 1 - text hello", TAKEN, 0, "DATA 1 5\n", 0},
    {"a_tunnel_may_be_reset", S, IDLE, "HEADERS 1 EH fields " CONNECT "\n!respond 1 :status=200\n!reset 1 CONNECT_ERROR", RESETS, "CONNECT_ERROR", 0, 0},
};

static const struct h2_rule reliability[] = { /* 8.7, 10.5.1 */
    {"a_refused_stream_was_not_told", S, OPEN, "SETTINGS 0\n!shutdown\nGET 3", TAKEN, 0, "> GOAWAY 1 NO_ERROR \n> PING ack", 0},
    {"streams_above_the_last_one_are_told_as_refused", C, ASKED, "!request end\nGOAWAY 0 - u32 1,0\nOKEND 1", TAKEN, 0, "RESET 3 peer REFUSED_STREAM\n", 0},
    {"a_head_that_is_too_large_may_be_answered", S, IDLE, GET_("|x=" X160) "\n!respond 1 end :status=431", TAKEN, 0, "REQUEST 1 end too_large 4\n> HEADERS 1 end\n", small_lists},
    {"a_head_that_is_too_large_is_decoded", S, IDLE, "!fields\n" GET_("|x=" X160 "|x-late=1") "\nHEADERS 3 ES+EH fields " REQ "|x-late=1", TAKEN, 0, "REQUEST 3 end " REQ "|x-late=1\n", small_lists},
};
/* clang-format on */

#define TEST_OF(rules)                                                                             \
    static void rules##_of_a_peer(void **state)                                                    \
    {                                                                                              \
        (void)state;                                                                               \
        RULES_CHECK(rules);                                                                        \
    }

TEST_OF(framing)
TEST_OF(malformed)
TEST_OF(fields)
TEST_OF(connection_fields)
TEST_OF(cookies)
TEST_OF(pseudo)
TEST_OF(requests)
TEST_OF(responses)
TEST_OF(pushes)
TEST_OF(tunnels)
TEST_OF(reliability)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_of_a_peer),     cmocka_unit_test(malformed_of_a_peer),
        cmocka_unit_test(fields_of_a_peer),      cmocka_unit_test(connection_fields_of_a_peer),
        cmocka_unit_test(cookies_of_a_peer),     cmocka_unit_test(pseudo_of_a_peer),
        cmocka_unit_test(requests_of_a_peer),    cmocka_unit_test(responses_of_a_peer),
        cmocka_unit_test(pushes_of_a_peer),      cmocka_unit_test(tunnels_of_a_peer),
        cmocka_unit_test(reliability_of_a_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
