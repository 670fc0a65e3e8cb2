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
        cmocka_unit_test(a_hundred_requests_before_the_peers_settings),
        cmocka_unit_test(the_ids_of_a_connection_come_to_an_end),
        cmocka_unit_test(a_server_makes_no_requests),
        cmocka_unit_test(users_of_no_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
