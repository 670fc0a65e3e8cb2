/* DATA: padding, windows, content-length, streams that go away under it. */
#include "h2_script.h"

#define Z16 "00000000000000000000000000000000"
#define Z255                                                                                       \
    Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 "000000000000000000000000000000"
#define FEW "FAILED FLOW_CONTROL_ERROR: more DATA than the connection window allows\n"

static void wide_connection(struct h2_options *opts)
{
    opts->connection_window_size = 1000000;
}

static void no_glitch(struct h2_options *opts)
{
    opts->limits.control_burst = 3 + 2; /* two for the exchange of SETTINGS */
    opts->limits.empty_burst = 3;
    opts->limits.empty_rate = 0;
    opts->limits.control_rate = 0;
}

#define POST5                                                                                      \
    "HEADERS 1 EH fields :method=POST|:scheme=https|:path=/|:authority=a|content-length=5\n"
#define GET5                                                                                       \
    "HEADERS 1 ES+EH fields :method=POST|:scheme=https|:path=/|:authority=a|content-length="
#define MORE                                                                                       \
    "RESET 1 us PROTOCOL_ERROR: more DATA than content-length says\n> RST_STREAM 1 "               \
    "PROTOCOL_ERROR\n"
#define LESS                                                                                       \
    "RESET 1 us PROTOCOL_ERROR: less DATA than content-length says\n> RST_STREAM 1 "               \
    "PROTOCOL_ERROR\n"
#define NONE                                                                                       \
    "RESET 1 us PROTOCOL_ERROR: content-length, but no DATA\n> RST_STREAM 1 PROTOCOL_ERROR\n"

/* clang-format off */
static const struct script_case cases[] = {
    {"data_is_handed_on", H2_SERVER, "POST 1\nDATA 1 - text hello\nDATA 1 ES text you",
     "REQUEST 1\nDATA 1 8 end\n", 0, 0},
    {"an_empty_last_frame_ends_the_stream", H2_SERVER, "POST 1\nDATA 1 - text hello\nDATA 1 ES",
     "REQUEST 1\nDATA 1 5 end\n", 0, 0},
    {"padding_counts_but_is_not_shown", H2_SERVER, "POST 1\nDATA 1 PAD hex 03 6869 000000\nDATA 1 PAD+ES hex 00 21",
     "REQUEST 1\nDATA 1 3 flow 8 end\n", 0, 0},
    {"a_frame_of_padding_only_can_end_the_stream", H2_SERVER, "POST 1\nDATA 1 PAD+ES hex 02 0000",
     "REQUEST 1\nDATA 1 0 flow 3 end\n", 0, 0},
    {"a_frame_of_padding_only_is_given_back_at_once", H2_SERVER, "POST 1\n*130 DATA 1 PAD hex ff " Z255,
     "REQUEST 1\n> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 1 32768\n", 0, 0},
    {"padding_to_the_end_of_the_frame_is_too_much", H2_SERVER, "POST 1\nDATA 1 PAD hex 03 0000",
     "REQUEST 1\nFAILED PROTOCOL_ERROR: DATA padded beyond its end\n> GOAWAY 1 PROTOCOL_ERROR DATA padded beyond its end\n", 0, 0},
    {"a_pad_length_is_part_of_the_payload", H2_SERVER, "POST 1\nDATA 1 PAD",
     "REQUEST 1\nFAILED FRAME_SIZE_ERROR: DATA without its pad length\n> GOAWAY 1 FRAME_SIZE_ERROR DATA without its pad length\n", 0, 0},
    {"empty_frames_are_charged", H2_SERVER, "POST 1\n*4 DATA 1 -",
     "REQUEST 1\nFAILED ENHANCE_YOUR_CALM: more empty frames than empty_burst and empty_rate allow\n"
     "> GOAWAY 1 ENHANCE_YOUR_CALM more empty frames than empty_burst and empty_rate allow\n", no_glitch, 0},
    {"frames_of_padding_only_are_charged", H2_SERVER, "POST 1\n*4 DATA 1 PAD hex 00",
     "REQUEST 1\nFAILED ENHANCE_YOUR_CALM: more empty frames than empty_burst and empty_rate allow\n"
     "> GOAWAY 1 ENHANCE_YOUR_CALM more empty frames than empty_burst and empty_rate allow\n", no_glitch, 0},

    {"the_connection_window_is_the_limit", H2_SERVER, "POST 1\nPOST 3\nDATA 1 - zeros 16384\nDATA 3 - zeros 16384\nDATA 1 - zeros 16384\nDATA 3 - zeros 16384",
     "REQUEST 1\nREQUEST 3\nDATA 1 16384\nDATA 3 16384\nDATA 1 16384\n" FEW
     "> GOAWAY 3 FLOW_CONTROL_ERROR more DATA than the connection window allows\n", 0, 0},
    {"the_connection_window_is_charged_before_the_stream_is_looked_up", H2_SERVER,
     "POST 1\n*3 DATA 1 - zeros 16384\nDATA 3 - zeros 16384",
     "REQUEST 1\nDATA 1 49152\n" FEW "> GOAWAY 1 FLOW_CONTROL_ERROR more DATA than the connection window allows\n", 0, 0},
    {"the_last_octet_of_the_window_may_be_used", H2_SERVER, "POST 1\n*3 DATA 1 - zeros 16384\nDATA 1 ES zeros 16383",
     "REQUEST 1\nDATA 1 65535 end\n", 0, 0},
    {"the_stream_window_is_a_stream_error", H2_SERVER, "POST 1\n*3 DATA 1 - zeros 16384\nDATA 1 - zeros 16384\nGET 3",
     "REQUEST 1\nDATA 1 49152\nRESET 1 us FLOW_CONTROL_ERROR: more DATA than the stream window allows\nREQUEST 3 end\n"
     "> RST_STREAM 1 FLOW_CONTROL_ERROR\n", wide_connection, 0},
    {"half_a_window_is_given_back_at_a_time", H2_SERVER,
     "POST 1\n*3 DATA 1 - zeros 16384\n!consume 1 32766\n!consume 1 1\n!consume 1 16385",
     "REQUEST 1\nDATA 1 49152\n> WINDOW_UPDATE 0 32767\n> WINDOW_UPDATE 1 32767\n", 0, 0},
    {"credit_of_a_finished_stream_is_the_connections", H2_SERVER,
     "POST 1\n*2 DATA 1 - zeros 16384\nDATA 1 ES zeros 5\n!consume 1 32773",
     "REQUEST 1\nDATA 1 32773 end\n> WINDOW_UPDATE 0 32773\n", 0, 0},
    {"credit_of_a_stream_that_is_gone_is_the_connections", H2_SERVER,
     "POST 1\n*2 DATA 1 - zeros 16384\n!reset 1 CANCEL\n!consume 1 32768",
     "REQUEST 1\nDATA 1 32768\n> RST_STREAM 1 CANCEL\n> WINDOW_UPDATE 0 32768\n", 0, 0},
    {"data_on_a_dead_stream_is_given_back_by_the_engine", H2_SERVER,
     "POST 1\n!reset 1 CANCEL\n*20 DATA 1 - zeros 16384\nPOST 3\nDATA 3 ES text x",
     "REQUEST 1\n> RST_STREAM 1 CANCEL\nREQUEST 3\nDATA 3 1 end\n"
     "> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 0 32768\n"
     "> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 0 32768\n> WINDOW_UPDATE 0 32768\n", 0, 0},
    {"data_on_dead_streams_is_charged", H2_SERVER, "POST 1\n!reset 1 CANCEL\n*4 DATA 1 - zeros 1",
     "REQUEST 1\n> RST_STREAM 1 CANCEL\nFAILED ENHANCE_YOUR_CALM: more control frames than control_burst and control_rate allow\n"
     "> GOAWAY 1 ENHANCE_YOUR_CALM more control frames than control_burst and control_rate allow\n", no_glitch, 0},
    {"a_long_body_flows", H2_SERVER, "!auto\nPOST 1\n*100 DATA 1 - zeros 16384\nDATA 1 ES",
     "REQUEST 1\nDATA 1 1638400 end\n", 0, 0},

    {"a_body_of_the_declared_length", H2_SERVER, POST5 "DATA 1 - text hell\nDATA 1 ES text o",
     "REQUEST 1 length 5\nDATA 1 5 end\n", 0, 0},
    {"a_body_of_the_declared_length_ended_later", H2_SERVER, POST5 "DATA 1 - text hello\nDATA 1 ES",
     "REQUEST 1 length 5\nDATA 1 5 end\n", 0, 0},
    {"more_than_the_declared_length", H2_SERVER, POST5 "DATA 1 - text hello\nDATA 1 ES text x",
     "REQUEST 1 length 5\nDATA 1 5\n" MORE, 0, 0},
    {"nothing_of_a_frame_that_is_too_long_is_shown", H2_SERVER, POST5 "DATA 1 - text hello!",
     "REQUEST 1 length 5\n" MORE, 0, 0},
    {"less_than_the_declared_length", H2_SERVER, POST5 "DATA 1 ES text hell",
     "REQUEST 1 length 5\n" LESS, 0, 0},
    {"less_than_the_declared_length_padded", H2_SERVER, POST5 "DATA 1 ES+PAD hex 01 6869 00\nGET 3",
     "REQUEST 1 length 5\nRESET 1 us PROTOCOL_ERROR: less DATA than content-length says\nREQUEST 3 end\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"less_than_the_declared_length_in_an_empty_frame", H2_SERVER, POST5 "DATA 1 ES",
     "REQUEST 1 length 5\n" LESS, 0, 0},
    {"less_than_the_declared_length_before_trailers", H2_SERVER, POST5 "DATA 1 - text hell\nHEADERS 1 ES+EH fields x=y",
     "REQUEST 1 length 5\nDATA 1 4\n" LESS, 0, 0},
    {"the_declared_length_before_trailers", H2_SERVER, POST5 "DATA 1 - text hello\nHEADERS 1 ES+EH fields x=y",
     "REQUEST 1 length 5\nDATA 1 5\nTRAILERS 1 end\n", 0, 0},
    {"a_declared_length_without_data", H2_SERVER, GET5 "5", NONE, 0, 0},
    {"a_declared_length_of_none", H2_SERVER, GET5 "0", "REQUEST 1 end length 0\n", 0, 0},
    {"a_declared_length_of_none_with_data", H2_SERVER,
     "HEADERS 1 EH fields :method=POST|:scheme=https|:path=/|:authority=a|content-length=0\nDATA 1 ES text x",
     "REQUEST 1 length 0\n" MORE, 0, 0},

    {"a_response_of_the_declared_length", H2_CLIENT, "!request end\nHEADERS 1 EH fields :status=200|content-length=5\nDATA 1 ES text hello",
     "> HEADERS 1 end\nRESPONSE 1 200 length 5\nDATA 1 5 end\n", 0, 0},
    {"a_response_shorter_than_declared", H2_CLIENT, "!request end\nHEADERS 1 EH fields :status=200|content-length=5\nDATA 1 ES text hell",
     "> HEADERS 1 end\nRESPONSE 1 200 length 5\nRESET 1 us PROTOCOL_ERROR: less DATA than content-length says\n  user a\n"
     "> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_response_to_head_declares_what_it_has_not", H2_CLIENT,
     "!request end :method=HEAD|:scheme=https|:path=/|:authority=a\nHEADERS 1 ES+EH fields :status=200|content-length=5",
     "> HEADERS 1 end\nRESPONSE 1 end 200 length 5\n", 0, 0},
    {"a_response_to_head_has_no_body", H2_CLIENT,
     "!request end :method=HEAD|:scheme=https|:path=/|:authority=a\nHEADERS 1 EH fields :status=200|content-length=5\nDATA 1 ES text hello",
     "> HEADERS 1 end\nRESPONSE 1 200 length 5\nRESET 1 us PROTOCOL_ERROR: more DATA than content-length says\n  user a\n"
     "> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_304_declares_what_it_has_not", H2_CLIENT, "!request end\nHEADERS 1 EH fields :status=304|content-length=5\nDATA 1 ES",
     "> HEADERS 1 end\nRESPONSE 1 304 length 5\nDATA 1 0 end\n", 0, 0},
    {"a_204_has_no_body", H2_CLIENT, "!request end\nHEADERS 1 EH fields :status=204\nDATA 1 ES text x",
     "> HEADERS 1 end\nRESPONSE 1 204\nRESET 1 us PROTOCOL_ERROR: more DATA than content-length says\n  user a\n"
     "> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_tunnel_has_no_length", H2_CLIENT,
     "!request :method=CONNECT|:authority=a:443\nHEADERS 1 EH fields :status=200|content-length=1\nDATA 1 - text hello",
     "> HEADERS 1\nRESPONSE 1 200 length 1\nDATA 1 5\n", 0, 0},
    {"data_before_the_response", H2_CLIENT, "!request end\nDATA 1 - text x\nOKEND 1",
     "> HEADERS 1 end\nRESET 1 us PROTOCOL_ERROR: DATA before the response head\n  user a\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"data_after_an_interim_response_only", H2_CLIENT, "!request end\nHEADERS 1 EH fields :status=100\nDATA 1 - text x",
     "> HEADERS 1 end\nINFORMATIONAL 1 100\nRESET 1 us PROTOCOL_ERROR: DATA before the response head\n  user a\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
};
/* clang-format on */

static void data_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

/* ---------------------------------------------------------------- inside one frame */

static struct h2_conn *server_with_post(void)
{
    struct h2_options opts;
    struct h2_event ev;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    static const char good[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                               "\0\0\0\4\0\0\0\0\0"
                               "\0\0\6\1\4\0\0\0\1\x83\x87\x84\x41\x01"
                               "a";
    h2_conn_feed(c, (const uint8_t *)good, sizeof(good) - 1);
    assert_true(h2_conn_next_event(c, 0, &ev) && ev.type == H2_EVENT_SETTINGS);
    assert_true(h2_conn_next_event(c, 0, &ev) && ev.type == H2_EVENT_REQUEST);
    assert_false(h2_conn_next_event(c, 0, &ev));
    return c;
}

static void data_points_into_what_was_fed(void **state)
{
    (void)state;
    struct h2_event ev;
    struct h2_conn *c = server_with_post();
    static const uint8_t frame[] = "\0\0\5\0\1\0\0\0\1hello";
    h2_conn_feed(c, frame, 9 + 5);
    assert_true(h2_conn_next_event(c, 0, &ev));
    assert_ptr_equal(ev.data, frame + 9);
    assert_int_equal(ev.len, 5);
    assert_true(ev.end_stream);
    h2_conn_free(c);
}

static void a_stream_reset_inside_a_frame_swallows_the_rest(void **state)
{
    (void)state;
    struct h2_event ev;
    uint8_t out[256];
    struct h2_conn *c = server_with_post();
    while (h2_conn_send(c, out, sizeof(out)) > 0) {
    }
    static uint8_t frame[9 + 16384] = {0, 0x40, 0, 0, 1, 0, 0, 0, 1};
    h2_conn_feed(c, frame, 9 + 100);
    assert_true(h2_conn_next_event(c, 0, &ev));
    assert_int_equal(ev.flow_len, 100);
    assert_int_equal(h2_conn_reset(c, 1, H2_CANCEL), H2_OK);
    h2_conn_feed(c, frame + 9 + 100, 16284);
    assert_false(h2_conn_next_event(c, 0, &ev));
    assert_int_equal(h2_conn_unread(c), 0);
    /* All of it is credit again: two more such frames bring an update of half the window. */
    assert_int_equal(h2_conn_consume(c, 1, 100), H2_OK);
    assert_int_equal(h2_conn_send(c, out, sizeof(out)), 13); /* RST_STREAM */
    h2_conn_feed(c, frame, sizeof(frame));
    assert_false(h2_conn_next_event(c, 0, &ev));
    assert_int_equal(h2_conn_send(c, out, sizeof(out)), 13);
    assert_memory_equal(out, "\0\0\4\x8\0\0\0\0\0\0\0\x80\0", 13);
    h2_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_from_outside),
        cmocka_unit_test(data_points_into_what_was_fed),
        cmocka_unit_test(a_stream_reset_inside_a_frame_swallows_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
