/* What the caller does: what is allowed when, and what it makes the engine send. */
#include "h2_script.h"

#include "h2_internal.h"

#define STATE "= STREAM_STATE\n"

static void extended(struct h2_options *opts)
{
    opts->enable_connect_protocol = true;
}

/* clang-format off */
static const struct script_case cases[] = {
    {"a_request_with_a_length_that_is_none_is_refused", H2_CLIENT,
     "!request :method=POST|:scheme=https|:path=/|:authority=a|content-length=abc\n!request :method=POST|:scheme=https|:path=/|:authority=a|content-length=1|content-length=2\n"
     "!request :method=POST|:scheme=https|:path=/|:authority=a|content-length=1, 2\n!request :method=POST|:scheme=https|:path=/|:authority=a|content-length=3|content-length=3",
     "= FIELDS\n= FIELDS\n= FIELDS\n> HEADERS 1\n", 0, 0},
    {"a_message_that_ends_announces_no_body", H2_CLIENT,
     "!request end :method=POST|:scheme=https|:path=/|:authority=a|content-length=5\n!request end :method=POST|:scheme=https|:path=/|:authority=a|content-length=0",
     "= FIELDS\n> HEADERS 1 end\n", 0, 0},
    {"a_response_that_ends_announces_no_body", H2_SERVER,
     "GET 1\n!respond 1 end :status=200|content-length=5\n!respond 1 end :status=304|content-length=5", "REQUEST 1 end\n= FIELDS\n> HEADERS 1 end\n", 0, 0},
    {"a_response_to_head_announces_what_a_get_would_give", H2_SERVER,
     "HEADERS 1 ES+EH fields :method=HEAD|:scheme=https|:path=/|:authority=a\n!respond 1 end :status=200|content-length=5", "REQUEST 1 end\n> HEADERS 1 end\n", 0, 0},
    {"a_client_does_not_answer", H2_CLIENT, "!request\n!respond 1 end :status=200\n!push 1 :method=GET|:scheme=https|:path=/|:authority=a", "> HEADERS 1\n= FRAME_TYPE\n= FRAME_TYPE\n", 0, 0},
    {"a_server_does_not_ask", H2_SERVER, "!request", "= FRAME_TYPE\n", 0, 0},
    {"a_request_is_sent_with_its_fields", H2_CLIENT, "!fields\n!request end :method=GET|:scheme=https|:path=/x|:authority=a|accept=*/*|cookie=a=b",
     "> HEADERS 1 end :method=GET|:scheme=https|:path=/x|:authority=a|accept=*/*|cookie=a=b\n", 0, 0},
    {"requests_use_odd_ids_in_order", H2_CLIENT, "!request\n!request end\n!request", "> HEADERS 1\n> HEADERS 3 end\n> HEADERS 5\n", 0, 0},
    {"a_bad_request_uses_no_id", H2_CLIENT, "!request :method=GET|:path=/\n!request end :method=GET|:scheme=http|:path=/|:authority=a|Host=a\n!request",
     "= FIELDS\n= FIELDS\n> HEADERS 1\n", 0, 0},
    {"the_peers_stream_limit_holds", H2_CLIENT, "SETTINGS 0 - set 3=2\n!request\n!request end\n!request\nOKEND 3\n!request\n!request",
     "SETTINGS\n> SETTINGS ack\n> HEADERS 1\n> HEADERS 3 end\n= STREAM_LIMIT\nRESPONSE 3 end 200\n> HEADERS 5\n= STREAM_LIMIT\n", 0, 0},
    {"a_limit_of_0_allows_none", H2_CLIENT, "SETTINGS 0 - set 3=0\n!request", "SETTINGS\n> SETTINGS ack\n= STREAM_LIMIT\n", 0, 0},
    {"a_lower_limit_closes_nothing", H2_CLIENT, "!request\n!request\nSETTINGS 0 - set 3=1\nOKEND 1\n!request\n!end 3\n!end 1\nOKEND 3\n!request",
     "> HEADERS 1\n> HEADERS 3\nSETTINGS\nRESPONSE 1 end 200\n> SETTINGS ack\n= STREAM_LIMIT\n> DATA 3 0 end\n> DATA 1 0 end\nRESPONSE 3 end 200\n> HEADERS 5\n", 0, 0},
    {"extended_connect_needs_an_offer", H2_CLIENT, "!request :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a\nSETTINGS 0 - set 8=1\n!request :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a",
     "= UNSUPPORTED\nSETTINGS\n> SETTINGS ack\n> HEADERS 1\n", 0, 0},
    {"a_request_body_and_trailers", H2_CLIENT, "!fields\n!request :method=PUT|:scheme=http|:path=/|:authority=a\n!data 1 5\n!trailers 1 x=y\nOKEND 1",
     "> HEADERS 1 :method=PUT|:scheme=http|:path=/|:authority=a\n> DATA 1 5\n> HEADERS 1 end x=y\nRESPONSE 1 end 200 :status=200\n", 0, 0},

    {"a_response_with_body_and_trailers", H2_SERVER, "!fields\nGET 1\n!respond 1 :status=103|link=x\n!respond 1 :status=200|a=b\n!data 1 20000\n!trailers 1 x=y\n!respond 1 :status=200",
     "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n> HEADERS 1 :status=103|link=x\n> HEADERS 1 :status=200|a=b\n> DATA 1 16384\n> DATA 1 3616\n> HEADERS 1 end x=y\n= STREAM_CLOSED\n", 0, 0},
    {"the_last_data_ends_the_stream", H2_SERVER, "GET 1\n!respond 1 :status=200\n!data 1 3 end\n!end 1", "REQUEST 1 end\n> HEADERS 1\n> DATA 1 3 end\n= STREAM_CLOSED\n", 0, 0},
    {"an_empty_data_frame_needs_no_window", H2_SERVER, "SETTINGS 0 - set 4=0\nGET 1\n!respond 1 :status=200\n!end 1", "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n> HEADERS 1\n> DATA 1 0 end\n", 0, 0},
    {"one_final_response_only", H2_SERVER, "POST 1\n!respond 1 :status=200\n!respond 1 :status=200\n!respond 1 :status=103", "REQUEST 1\n> HEADERS 1\n" STATE STATE, 0, 0},
    {"no_end_before_the_head", H2_SERVER, "GET 1\n!end 1\n!trailers 1 x=y\n!respond 1 :status=100\n!end 1\n!trailers 1 x=y", "REQUEST 1 end\n" STATE STATE "> HEADERS 1\n" STATE STATE, 0, 0},
    {"an_interim_response_ends_nothing", H2_SERVER, "GET 1\n!respond 1 end :status=103\n!respond 1 end :status=204", "REQUEST 1 end\n= FIELDS\n> HEADERS 1 end\n", 0, 0},
    {"a_bad_response_is_not_sent", H2_SERVER, "GET 1\n!respond 1 end :status=200|connection=close\n!respond 1 end :status=200|Server=x\n!respond 1 end a=b\n!respond 1 end :status=502\n",
     "REQUEST 1 end\n= FIELDS\n= FIELDS\n= FIELDS\n> HEADERS 1 end\n", 0, 0},
    {"bad_trailers_are_not_sent", H2_SERVER, "GET 1\n!respond 1 :status=200\n!trailers 1 :status=200\n!trailers 1 x=y", "REQUEST 1 end\n> HEADERS 1\n= FIELDS\n> HEADERS 1 end\n", 0, 0},
    {"no_action_without_a_stream", H2_SERVER, "!respond 1 end :status=200\n!end 1\n!trailers 1 x=y\n!reset 1 CANCEL\n!consume 1 0", "= NO_STREAM\n= NO_STREAM\n= NO_STREAM\n= NO_STREAM\n", 0, 0},
    {"a_reset_keeps_what_was_sent_before", H2_SERVER, "GET 1\n!respond 1 :status=200\n!reset 1 INTERNAL_ERROR\n!reset 1 CANCEL", "REQUEST 1 end\n> HEADERS 1\n> RST_STREAM 1 INTERNAL_ERROR\n= STREAM_CLOSED\n", 0, 0},
    {"a_user_comes_back_with_each_event", H2_CLIENT, "!request\nRST_STREAM 1 - u32 8\n!request\nRST_STREAM 3 - u32 8", "> HEADERS 1\nRESET 1 peer CANCEL\n  user a\n> HEADERS 3\nRESET 3 peer CANCEL\n  user b\n", 0, 0},
    {"a_tunnel_flows_both_ways", H2_SERVER, "HEADERS 1 EH fields :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a\n!respond 1 :status=200\nDATA 1 - text hello\n!data 1 5\nDATA 1 ES\n!data 1 5 end",
     "REQUEST 1\n> HEADERS 1\nDATA 1 5\n> DATA 1 5\nDATA 1 0 end\n> DATA 1 5 end\n", extended, 0},
};
/* clang-format on */

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT

static void tell_all(struct h2_options *opts)
{
    opts->mute = 0;
}

/* clang-format off */
static const struct script_case pushes[] = {
    {"a_push_and_its_response", SERVER, "!fields\nGET 1\n!streams\n!push 1 :method=GET|:scheme=https|:path=/x|:authority=a\n!streams\n!state 2\n!respond 2 :status=200\n!streams\n!state 2\n!data 2 5\n!trailers 2 x=y\n!state 2\n!streams", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n= streams 1 in 1 out 0 next 2 last 1\n> PUSH_PROMISE 1 2 :method=GET|:scheme=https|:path=/x|:authority=a\n= streams 2 in 1 out 0 next 4 last 1\n= 2 is reserved (local)\n> HEADERS 2 :status=200\n= streams 2 in 1 out 1 next 4 last 1\n= 2 is half closed (remote)\n> DATA 2 5\n> HEADERS 2 end x=y\n= 2 is closed (ended)\n= streams 1 in 1 out 0 next 4 last 1\n", 0, 0},
    {"pushes_use_even_ids_in_order", SERVER, "GET 1\nPOST 3\n!push 1\n!push 3 :method=HEAD|:scheme=https|:path=/|:authority=a\n!push 1", "REQUEST 1 end\nREQUEST 3\n> PUSH_PROMISE 1 2\n> PUSH_PROMISE 3 4\n> PUSH_PROMISE 1 6\n", 0, 0},
    {"a_push_needs_an_open_request", SERVER, "!push 1\n!push 2\nGET 1\n!respond 1 end :status=200\n!push 1\nPOST 3\n!respond 3 end :status=200\n!push 3\nGET 5\n!push 5\n!push 2\n!respond 2 :status=200\n!push 2", "= NO_STREAM\n= NO_STREAM\nREQUEST 1 end\n> HEADERS 1 end\n= STREAM_CLOSED\nREQUEST 3\n> HEADERS 3 end\n= STREAM_STATE\nREQUEST 5 end\n> PUSH_PROMISE 5 2\n= STREAM_STATE\n> HEADERS 2\n= STREAM_STATE\n", 0, 0},
    {"a_push_promises_a_safe_request_without_a_body", SERVER, "GET 1\n!push 1 :method=POST|:scheme=https|:path=/|:authority=a\n!push 1 :method=GET|:scheme=https|:path=/|:authority=a|content-length=1\n!push 1 :method=GET|:path=/\n!push 1 :method=GET|:scheme=https|:path=/|:authority=a|content-length=0", "REQUEST 1 end\n= FIELDS\n= FIELDS\n= FIELDS\n> PUSH_PROMISE 1 2\n", 0, 0},
    {"who_has_disabled_push_is_not_pushed_to", SERVER, "SETTINGS 0 - set 2=0\nGET 1\n!push 1\nSETTINGS 0 - set 2=1\n!push 1", "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n= UNSUPPORTED\nSETTINGS\n> SETTINGS ack\n> PUSH_PROMISE 1 2\n", 0, 0},
    {"nothing_is_promised_after_goaway", SERVER, "GET 1\n!push 1\nGOAWAY 0 - u32 2,0\n!push 1\n!respond 2 end :status=200", "REQUEST 1 end\n> PUSH_PROMISE 1 2\nGOAWAY 2 NO_ERROR \n= GOAWAY\n> HEADERS 2 end\n", 0, 0},
    {"nothing_is_promised_after_our_goaway", SERVER, "GET 1\n!shutdown\n!push 1", "REQUEST 1 end\n> GOAWAY 1 NO_ERROR \n= GOAWAY\n", 0, 0},
    {"pushes_above_the_last_id_of_goaway_are_refused", SERVER, "GET 1\n!push 1\n!push 1\n!respond 4 :status=200\nGOAWAY 0 - u32 2,0\n!state 4\n!state 2", "REQUEST 1 end\n> PUSH_PROMISE 1 2\n> PUSH_PROMISE 1 4\n> HEADERS 4\nGOAWAY 2 NO_ERROR \nRESET 4 peer REFUSED_STREAM\n  user pushed\n= 4 is closed (reset received)\n= 2 is reserved (local)\n", 0, 0},
    {"a_promise_counts_when_it_is_answered", SERVER, "SETTINGS 0 - set 3=1\nGET 1\n!push 1\n!push 1\n!push 1\n!respond 2 :status=200\n!respond 4 :status=200\n!streams\n!end 2\n!respond 4 :status=200\n!streams", "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n> PUSH_PROMISE 1 2\n> PUSH_PROMISE 1 4\n> PUSH_PROMISE 1 6\n> HEADERS 2\n= STREAM_LIMIT\n= streams 4 in 1 out 1 next 8 last 1\n> DATA 2 0 end\n> HEADERS 4\n= streams 3 in 1 out 1 next 8 last 1\n", 0, 0},
    {"a_promise_that_is_answered_by_a_1xx_counts", SERVER, "SETTINGS 0 - set 3=1\nGET 1\n!push 1\n!push 1\n!respond 2 :status=103\n!state 2\n!respond 4 :status=200\n!respond 2 end :status=200\n!respond 4 end :status=200", "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n> PUSH_PROMISE 1 2\n> PUSH_PROMISE 1 4\n> HEADERS 2\n= 2 is half closed (remote)\n= STREAM_LIMIT\n> HEADERS 2 end\n> HEADERS 4 end\n", 0, 0},
    {"a_promise_can_be_taken_back", SERVER, "GET 1\n!push 1\n!reset 2 CANCEL\n!respond 2 :status=200\n!state 2\nRST_STREAM 2 - u32 8\nWINDOW_UPDATE 2 - u32 1", "REQUEST 1 end\n> PUSH_PROMISE 1 2\n> RST_STREAM 2 CANCEL\n= STREAM_CLOSED\n= 2 is closed (reset sent)\n", 0, 0},
    {"a_promise_can_be_refused", SERVER, "GET 1\n!push 1\nRST_STREAM 2 - u32 8\n!respond 2 :status=200\n!state 2", "REQUEST 1 end\n> PUSH_PROMISE 1 2\nRESET 2 peer CANCEL\n  user pushed\n= STREAM_CLOSED\n= 2 is closed (reset received)\n", 0, 0},
    {"only_a_head_is_sent_of_a_promise", SERVER, "GET 1\n!push 1\n!end 2\n!trailers 2 x=y\n!send 2 1 -\n!windows 2\n!update 2 5\n!altsvc 2 - clear\n!push 2", "REQUEST 1 end\n> PUSH_PROMISE 1 2\n= STREAM_STATE\n= STREAM_STATE\n= STREAM_STATE\n= windows 2: 0 0\n= STREAM_STATE\n= STREAM_STATE\n= STREAM_STATE\n", 0, 0},
    {"the_window_of_a_promise_can_be_moved", SERVER, "GET 1\n!push 1\nWINDOW_UPDATE 2 - u32 10\nSETTINGS 0 - set 4=5\n!respond 2 :status=200\n!windows 2\n!data 2 20", "REQUEST 1 end\n> PUSH_PROMISE 1 2\nSETTINGS\n> SETTINGS ack\n> HEADERS 2\n= windows 2: 15 0\n> DATA 2 15\n= 5 stay\n", 0, 0},
    {"what_a_client_must_not_send_on_a_promise", SERVER, "GET 1\n!push 1\nDATA 2 - text x", "REQUEST 1 end\n> PUSH_PROMISE 1 2\nFAILED PROTOCOL_ERROR: DATA on a reserved stream\n> GOAWAY 1 PROTOCOL_ERROR DATA on a reserved stream\n", 0, 0},
    {"a_client_sends_no_head_on_a_promise", SERVER, "GET 1\n!push 1\nHEADERS 2 ES+EH fields x=y", "REQUEST 1 end\n> PUSH_PROMISE 1 2\nFAILED PROTOCOL_ERROR: HEADERS on a stream that we have promised\n> GOAWAY 1 PROTOCOL_ERROR HEADERS on a stream that we have promised\n", 0, 0},
    {"a_pushed_stream_takes_no_body", SERVER, "GET 1\n!push 1\n!respond 2 :status=200\nDATA 2 - text x\n!streams", "REQUEST 1 end\n> PUSH_PROMISE 1 2\n> HEADERS 2\nRESET 2 us STREAM_CLOSED: DATA after END_STREAM\n  user pushed\n> RST_STREAM 2 STREAM_CLOSED\n= streams 1 in 1 out 0 next 4 last 1\n", 0, 0},
    {"a_push_goes_by_its_priority", SERVER, "GET 1\n!push 1 :method=GET|:scheme=https|:path=/|:authority=a|priority=u=7\n!push 1 :method=GET|:scheme=https|:path=/|:authority=a|priority=u=0\n!respond 2 :status=200\n!respond 4 :status=200\n!ready 2 10\n!ready 4 10\n!pump 3 10", "REQUEST 1 end\n> PUSH_PROMISE 1 2\n> PUSH_PROMISE 1 4\n> HEADERS 2\n> HEADERS 4\n> DATA 4 10\n> DATA 2 10\n= nothing to send\n", 0, 0},
    {"a_push_goes_by_a_priority_update", SERVER, "GET 1\n!push 1\n!push 1\nPRIORITY_UPDATE 0 - hex 00000004 753d30\n!respond 2 :status=200\n!respond 4 :status=200\n!ready 2 10\n!ready 4 10\n!pump 3 10", "REQUEST 1 end\n> PUSH_PROMISE 1 2\n> PUSH_PROMISE 1 4\n> HEADERS 2\n> HEADERS 4\n> DATA 4 10\n> DATA 2 10\n= nothing to send\n", 0, 0},
    {"the_user_of_a_push_comes_back", SERVER, "GET 1\n!push 1\nRST_STREAM 2 - u32 8", "REQUEST 1 end\n> PUSH_PROMISE 1 2\nRESET 2 peer CANCEL\n  user pushed\n", 0, 0},
};

static const struct script_case bodies[] = {
    {"body_bytes_are_copied", SERVER, "POST 1\n!respond 1 :status=200\n!send 1 5 -\n!send 1 0 -\n!send 1 3 - end\n!send 1 1 -\n!state 1", "REQUEST 1\n> HEADERS 1\n> DATA 1 5\n> DATA 1 0\n> DATA 1 3 end\n= STREAM_STATE\n= 1 is half closed (local)\n", 0, 0},
    {"padding_of_every_length", SERVER, "POST 1\n!respond 1 :status=200\n!send 1 5 0\n!send 1 5 255\n!send 1 0 0\n!send 1 0 255 end\n!windows 0", "REQUEST 1\n> HEADERS 1\n> DATA 1 6 pad 0\n> DATA 1 261 pad 255\n> DATA 1 1 pad 0\n> DATA 1 256 pad 255 end\n= windows 0: 65011 65535\n", 0, 0},
    {"padding_out_of_range", SERVER, "POST 1\n!respond 1 :status=200\n!send 1 5 256\n!send 1 5 -2\n!send 1 5 -1", "REQUEST 1\n> HEADERS 1\n= VALUE\n= VALUE\n> DATA 1 5\n", 0, 0},
    {"a_frame_as_large_as_it_may_be", SERVER, "POST 1\n!respond 1 :status=200\n!send 1 16385 -\n!send 1 16384 -\n!send 1 16384 0\n!send 1 16383 0\n!send 1 16129 255\n!send 1 16128 255", "REQUEST 1\n> HEADERS 1\n= FRAME_SIZE\n> DATA 1 16384\n= FRAME_SIZE\n> DATA 1 16384 pad 0\n= FRAME_SIZE\n> DATA 1 16384 pad 255\n", 0, 0},
    {"a_frame_as_large_as_the_window", SERVER, "SETTINGS 0 - set 4=10\nPOST 1\n!respond 1 :status=200\n!send 1 11 -\n!send 1 10 0\n!send 1 9 0\n!send 1 1 -\n!send 1 0 0\n!send 1 0 -\n!windows 1\nWINDOW_UPDATE 1 - u32 2\n!send 1 0 1\n!send 1 0 - end", "SETTINGS\nREQUEST 1\n> SETTINGS ack\n> HEADERS 1\n= FLOW_CONTROL\n= FLOW_CONTROL\n> DATA 1 10 pad 0\n= FLOW_CONTROL\n= FLOW_CONTROL\n> DATA 1 0\n= windows 1: 0 65535\n> DATA 1 2 pad 1\n> DATA 1 0 end\n", 0, 0},
    {"a_frame_as_large_as_the_connections_window", SERVER, "POST 1\nPOST 3\n!respond 1 :status=200\n!respond 3 :status=200\n*3 !send 1 16384 -\n!send 1 16375 -\n!windows 1\n!windows 3\n!send 3 9 -\n!send 3 8 -\n!send 3 0 - end", "REQUEST 1\nREQUEST 3\n> HEADERS 1\n> HEADERS 3\n> DATA 1 16384\n> DATA 1 16384\n> DATA 1 16384\n> DATA 1 16375\n= windows 1: 8 65535\n= windows 3: 8 65535\n= FLOW_CONTROL\n> DATA 3 8\n> DATA 3 0 end\n", 0, 0},
    {"nothing_is_copied_before_the_head", SERVER, "POST 1\n!send 1 1 -\n!send 3 1 -\n!respond 1 :status=103\n!send 1 1 -", "REQUEST 1\n= STREAM_STATE\n= NO_STREAM\n> HEADERS 1\n= STREAM_STATE\n", 0, 0},
    {"a_client_copies_too", CLIENT, "!request\n!send 1 5 9\n!send 1 5 - end\n!send 1 5 -\n!reset 1 CANCEL\n!send 1 5 -", "> HEADERS 1\n> DATA 1 15 pad 9\n> DATA 1 5 end\n= STREAM_STATE\n> RST_STREAM 1 CANCEL\n= STREAM_CLOSED\n", 0, 0},
    {"a_negative_window_lets_an_empty_frame_go", SERVER, "POST 1\n!respond 1 :status=200\n!send 1 100 -\nSETTINGS 0 - set 4=10\n!windows 1\n!send 1 1 -\n!send 1 0 - end", "REQUEST 1\n> HEADERS 1\n> DATA 1 100\nSETTINGS\n> SETTINGS ack\n= windows 1: 0 65535\n= FLOW_CONTROL\n> DATA 1 0 end\n", 0, 0},
    {"padding_behind_body_bytes_of_the_callers", SERVER, "POST 1\n!respond 1 :status=200\n!padded 1 5 0\n!padded 1 0 9\n!padded 1 16128 255\n!padded 1 1 1 end\n!windows 0\n!windows 1\n!state 1", "REQUEST 1\n> HEADERS 1\n> DATA 1 6 pad 0\n> DATA 1 10 pad 9\n> DATA 1 16384 pad 255\n> DATA 1 3 pad 1 end\n= windows 0: 49132 65535\n= windows 1: 0 65535\n= 1 is half closed (local)\n", 0, 0},
    {"what_was_copied_goes_before_what_is_bound_late", SERVER, "POST 1\n!respond 1 :status=200\n!deaf\n!send 1 5 -\n!ready 1 5\n!pump 1 5", "REQUEST 1\n> HEADERS 1\n= nothing to send\n", 0, 0},
    {"padding_is_skipped_by_its_receiver", SERVER, "POST 1\nDATA 1 PAD hex 03 616263 000000\n!windows 1\n!consume 1 7\nDATA 1 PAD+ES hex 00 61", "REQUEST 1\nDATA 1 3 flow 7\n= windows 1: 0 65528\nDATA 1 1 flow 2 end\n", 0, 0},
    {"a_stream_that_is_reset_before_its_pad_length_comes", SERVER, "POST 1\nBYTES 000005 00 08 00000001\n!reset 1 CANCEL\nBYTES 02 6161 0000\n!windows 0\nGET 3", "REQUEST 1\n> RST_STREAM 1 CANCEL\n= windows 0: 65535 65530\nREQUEST 3 end\n", 0, 0},
    {"a_stream_that_is_reset_in_its_padding", SERVER, "POST 1\nBYTES 000005 00 08 00000001 02 6161\n!reset 1 CANCEL\n!consume 1 5\nBYTES 0000\n!windows 0\nGET 3", "REQUEST 1\nDATA 1 2 flow 5\n> RST_STREAM 1 CANCEL\n= windows 0: 65535 65530\nREQUEST 3 end\n", 0, 0},
    {"output_can_be_dropped", SERVER, "POST 1\n!deaf\n!respond 1 :status=200\n!output\n!drop\n!output\n!ping\n!output", "REQUEST 1\n= output 10\n= output 0\n= output 17\n", 0, 0},
};

static const struct script_case ends[] = {
    {"the_end_of_the_peers_side_is_told", SERVER, "GET 1\nPOST 3\nDATA 3 ES text x\nPOST 5\nHEADERS 5 ES+EH fields x=y\nPOST 7\nDATA 7 ES", "REQUEST 1 end u=3\nSTREAM_ENDED 1\nREQUEST 3 u=3\nDATA 3 1 end\nSTREAM_ENDED 3\nREQUEST 5 u=3\nTRAILERS 5 end\nSTREAM_ENDED 5\nREQUEST 7 u=3\nDATA 7 0 end\nSTREAM_ENDED 7\n", tell_all, 0},
    {"the_end_of_a_response_is_told", CLIENT, "!request end\nOKEND 1\n!request\nOKEND 3\n!state 3\n!request end\nOK 5\nDATA 5 - text x\nDATA 5 PAD+ES hex 02 00 00\n!state 5", "> HEADERS 1 end\nRESPONSE 1 end 200\nSTREAM_ENDED 1\n> HEADERS 3\nRESPONSE 3 end 200\nSTREAM_ENDED 3\n= 3 is half closed (remote)\n> HEADERS 5 end\nRESPONSE 5 200\nDATA 5 1 flow 4 end\nSTREAM_ENDED 5\n= 5 is closed (ended)\n", tell_all, 0},
    {"no_end_of_a_stream_that_was_reset", SERVER, "POST 1\nRST_STREAM 1 - u32 8\nPOST 3\n!reset 3 CANCEL\nDATA 3 ES text x", "REQUEST 1 u=3\nRESET 1 peer CANCEL\nREQUEST 3 u=3\n> RST_STREAM 3 CANCEL\n", tell_all, 0},
    {"a_close_with_a_last_stream_id", SERVER, "GET 1\nGET 3\n!close NO_ERROR 1 bye bye\nGET 5", "REQUEST 1 end\nREQUEST 3 end\n> GOAWAY 1 NO_ERROR bye bye\n", 0, 0},
    {"a_close_without_a_word", CLIENT, "!request\n!close CANCEL 0", "> HEADERS 1\n> GOAWAY 0 CANCEL \n", 0, 0},
    {"a_close_with_the_highest_id", SERVER, "!close NO_ERROR 0x80000000\n!close NO_ERROR 0x7fffffff", "= VALUE\n> GOAWAY 2147483647 NO_ERROR \n", 0, 0},
    {"a_close_does_not_take_back_a_shutdown", SERVER, "GET 1\n!shutdown\n!close NO_ERROR 0x7fffffff", "REQUEST 1 end\n> GOAWAY 1 NO_ERROR \n> GOAWAY 1 NO_ERROR \n", 0, 0},
    {"a_close_after_a_failure", SERVER, "WINDOW_UPDATE 0 - u32 0\n!close NO_ERROR told", "FAILED PROTOCOL_ERROR: WINDOW_UPDATE of 0 for the connection\n> GOAWAY 0 PROTOCOL_ERROR WINDOW_UPDATE of 0 for the connection\n= CLOSED\n", 0, 0},
    {"streams_can_be_asked_for", CLIENT, "!streams\n!state 1\n!state 2\n!request\n!request end\n!streams\n!state 1\n!state 3\n!state 5\nOKEND 3\n!state 3\nRST_STREAM 1 - u32 8\n!state 1\n!streams", "= streams 0 in 0 out 0 next 1 last 0\n= 1 is idle (ours)\n= 2 is idle (to be promised)\n> HEADERS 1\n> HEADERS 3 end\n= streams 2 in 0 out 2 next 5 last 0\n= 1 is open\n= 3 is half closed (local)\n= 5 is idle (ours)\nRESPONSE 3 end 200\n= 3 is closed (ended)\nRESET 1 peer CANCEL\n  user b\n= 1 is closed (reset received)\n= streams 0 in 0 out 0 next 5 last 0\n", 0, 0},
    {"a_servers_streams_can_be_asked_for", SERVER, "!streams\n!state 1\n!state 2\nPOST 5\n!state 1\n!state 3\n!state 5\n!state 7\nDATA 5 ES\n!state 5\n!reset 5 CANCEL\n!state 5\n!streams", "= streams 0 in 0 out 0 next 2 last 0\n= 1 is idle\n= 2 is idle (ours)\nREQUEST 5\n= 1 is closed (skipped)\n= 3 is closed (skipped)\n= 5 is open\n= 7 is idle\nDATA 5 0 end\n= 5 is half closed (remote)\n> RST_STREAM 5 CANCEL\n= 5 is closed (reset sent)\n= streams 0 in 0 out 0 next 2 last 5\n", 0, 0},
};
/* clang-format on */

static void pushes_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(pushes);
}

static void bodies_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(bodies);
}

static void ends_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(ends);
}

static void actions_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

static const struct h2_field get[] = {
    {":method", "GET", 7, 3, H2_TOKEN_PSEUDO_METHOD, 0},
    {":scheme", "https", 7, 5, H2_TOKEN_PSEUDO_SCHEME, 0},
    {":path", "/", 5, 1, H2_TOKEN_PSEUDO_PATH, 0},
    {":authority", "a", 10, 1, H2_TOKEN_PSEUDO_AUTHORITY, 0},
};

static void a_hundred_requests_before_the_peers_settings(void **state)
{
    (void)state;
    struct h2_options opts;
    uint32_t id;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    for (int i = 0; i < 100; i++) {
        assert_true(h2_conn_can_request(c));
        assert_int_equal(h2_conn_request(c, get, 4, true, NULL, &id), H2_OK);
    }
    assert_false(h2_conn_can_request(c));
    assert_int_equal(h2_conn_request(c, get, 4, true, NULL, &id), H2_ERR_STREAM_LIMIT);
    struct h2_event ev;
    h2_conn_feed(c, (const uint8_t *)"\0\0\0\4\0\0\0\0\0", 9); /* no limit after all */
    assert_true(h2_conn_next_event(c, 0, &ev));
    assert_true(h2_conn_can_request(c));
    h2_conn_free(c);
}

static void the_ids_of_a_connection_come_to_an_end(void **state)
{
    (void)state;
    struct h2_options opts;
    uint32_t id = 0;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    c->next_id = H2_MAX_STREAM_ID;
    assert_int_equal(h2_conn_request(c, get, 4, true, NULL, &id), H2_OK);
    assert_int_equal(id, H2_MAX_STREAM_ID);
    assert_false(h2_conn_can_request(c));
    assert_int_equal(h2_conn_request(c, get, 4, true, NULL, &id), H2_ERR_NO_STREAM_ID);
    h2_conn_free(c);
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define OPENED                                                                                     \
    PREFACE "\0\0\0\4\0\0\0\0\0"                                                                   \
            "\0\0\6\1\4\0\0\0\1\x82\x87\x84\x41\1a"

/* A server with an open request on stream 1; what more is fed is not looked at yet. */
static struct h2_conn *server(const char *more, size_t len)
{
    static uint8_t octets[256];
    struct h2_options opts;
    struct h2_event ev;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    assert_non_null(c);
    memcpy(octets, OPENED, sizeof(OPENED) - 1);
    memcpy(octets + sizeof(OPENED) - 1, more, len);
    h2_conn_feed(c, octets, sizeof(OPENED) - 1 + len);
    do {
        assert_true(h2_conn_next_event(c, 0, &ev));
    } while (ev.type != H2_EVENT_REQUEST);
    return c;
}

static void the_ids_of_pushes_come_to_an_end(void **state)
{
    (void)state;
    uint32_t id = 0;
    struct h2_conn *c = server("", 0);
    c->next_id = H2_MAX_STREAM_ID - 1;
    assert_int_equal(h2_conn_push(c, 1, get, 4, NULL, &id), H2_OK);
    assert_int_equal(id, H2_MAX_STREAM_ID - 1);
    assert_int_equal(h2_conn_next_stream_id(c), 0);
    assert_int_equal(h2_conn_push(c, 1, get, 4, NULL, &id), H2_ERR_NO_STREAM_ID);
    h2_conn_free(c);
}

#define LAST_DATA "\0\0\1\0\1\0\0\0\1x"

static void a_reset_between_the_last_data_and_the_end_keeps_the_end_back(void **state)
{
    (void)state;
    struct h2_event ev;
    struct h2_conn *c = server(LAST_DATA, sizeof(LAST_DATA) - 1);
    assert_true(h2_conn_next_event(c, 0, &ev) && ev.type == H2_EVENT_DATA && ev.end_stream);
    assert_int_equal(h2_conn_reset(c, 1, H2_CANCEL), H2_OK);
    assert_int_equal(h2_conn_consume(c, 1, 1), H2_OK);
    assert_false(h2_conn_next_event(c, 0, &ev));
    h2_conn_free(c);
}

static void a_user_that_is_set_late_comes_with_the_end(void **state)
{
    (void)state;
    struct h2_event ev;
    int user;
    for (int closed = 0; closed < 2; closed++) {
        struct h2_conn *c = server(LAST_DATA, sizeof(LAST_DATA) - 1);
        static const struct h2_field ok = {":status", "200", 7, 3, 0, 0};
        if (closed) { /* the stream is gone when its end is told */
            assert_int_equal(h2_conn_respond(c, 1, &ok, 1, true), H2_OK);
        }
        assert_true(h2_conn_next_event(c, 0, &ev) && ev.type == H2_EVENT_DATA && ev.end_stream);
        assert_int_equal(h2_conn_open_streams(c), 1 - closed);
        h2_stream_set_user(c, 1, &user);
        assert_ptr_equal(h2_stream_user(c, 1), closed ? NULL : &user);
        assert_true(h2_conn_next_event(c, 0, &ev));
        assert_int_equal(ev.type, H2_EVENT_STREAM_ENDED);
        assert_ptr_equal(ev.user, &user);
        h2_conn_free(c);
    }
}

static void nothing_more_is_told_after_a_close_between_events(void **state)
{
    (void)state;
    struct h2_event ev;
    struct h2_conn *c = server(LAST_DATA, sizeof(LAST_DATA) - 1);
    assert_true(h2_conn_next_event(c, 0, &ev) && ev.type == H2_EVENT_DATA && ev.end_stream);
    assert_int_equal(h2_conn_close(c, H2_NO_ERROR, H2_LAST_TOLD, NULL, 0), H2_OK);
    assert_false(h2_conn_next_event(c, 0, &ev));
    h2_conn_free(c);
}

static void a_server_makes_no_requests(void **state)
{
    (void)state;
    struct h2_options opts;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    assert_false(h2_conn_can_request(c));
    h2_conn_free(c);
}

static void users_of_no_stream(void **state)
{
    (void)state;
    struct h2_options opts;
    uint32_t id;
    int user;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    h2_stream_set_user(c, 1, &user);
    h2_stream_set_ready(c, 1, true);
    assert_null(h2_stream_user(c, 1));
    assert_int_equal(h2_conn_request(c, get, 4, false, &user, &id), H2_OK);
    assert_ptr_equal(h2_stream_user(c, id), &user);
    h2_stream_set_user(c, id, NULL);
    assert_null(h2_stream_user(c, id));
    h2_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_from_outside),
        cmocka_unit_test(pushes_from_outside),
        cmocka_unit_test(bodies_from_outside),
        cmocka_unit_test(ends_from_outside),
        cmocka_unit_test(a_hundred_requests_before_the_peers_settings),
        cmocka_unit_test(the_ids_of_a_connection_come_to_an_end),
        cmocka_unit_test(the_ids_of_pushes_come_to_an_end),
        cmocka_unit_test(a_reset_between_the_last_data_and_the_end_keeps_the_end_back),
        cmocka_unit_test(a_user_that_is_set_late_comes_with_the_end),
        cmocka_unit_test(nothing_more_is_told_after_a_close_between_events),
        cmocka_unit_test(a_server_makes_no_requests),
        cmocka_unit_test(users_of_no_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
