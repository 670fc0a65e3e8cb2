/* Windows by themselves and by hand: both edges of 31 bits, and what is owed when. */
#include "h2_script.h"

#include "h2_internal.h"

static void a_receive_window_is_taken_to_its_last_octet(void **state)
{
    (void)state;
    struct h2_rx_window w = {.left = 10};
    assert_true(h2_rx_window_take(&w, 0));
    assert_true(h2_rx_window_take(&w, 10));
    assert_int_equal(w.left, 0);
    assert_int_equal(w.held, 10);
    assert_true(h2_rx_window_take(&w, 0));
    assert_false(h2_rx_window_take(&w, 1));
    w.left = -5;
    assert_false(h2_rx_window_take(&w, 1));
    assert_true(h2_rx_window_take(&w, 0));
    assert_int_equal(w.held, 10);
}

static void a_send_window_ends_at_31_bits(void **state)
{
    (void)state;
    static const struct {
        int32_t window;
        int64_t add;
        bool fits;
    } cases[] = {
        {0, H2_MAX_WINDOW, true},
        {1, H2_MAX_WINDOW, false},
        {H2_MAX_WINDOW, 0, true},
        {H2_MAX_WINDOW, 1, false},
        {H2_MAX_WINDOW, H2_MAX_WINDOW, false},
        {-1, H2_MAX_WINDOW, true},
        {-H2_MAX_WINDOW, H2_MAX_WINDOW, true},
        {0, -(int64_t)H2_MAX_WINDOW, true},
        {H2_MAX_WINDOW, -(int64_t)H2_MAX_WINDOW, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int32_t window = cases[i].window;
        assert_int_equal(h2_tx_window_add(&window, cases[i].add), cases[i].fits);
        assert_int_equal(window, cases[i].fits ? cases[i].window + cases[i].add : cases[i].window);
    }
}

/* What is announced brings the window back to its size, however the credit came. */
static void what_is_owed_is_announced_from_half_a_window(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {65535, 65536, 1000000, 0x7fffffff};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct h2_options opts;
        h2_options_init(&opts);
        opts.connection_window_size = sizes[i];
        struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
        uint8_t out[256];
        h2_conn_send(c, out, sizeof(out));
        uint32_t half = sizes[i] / 2;
        assert_true(h2_rx_window_take(&c->rx_window, sizes[i]));
        assert_int_equal(h2_conn_consume(c, 1, half - 1), H2_OK);
        assert_false(h2_conn_wants_send(c));
        assert_int_equal(h2_conn_consume(c, 1, 1), H2_OK);
        assert_int_equal(h2_conn_send(c, out, sizeof(out)), 13);
        assert_int_equal(h2_get32(out + 9), half);
        assert_int_equal(c->rx_window.left, half);
        assert_int_equal(h2_conn_consume(c, 1, sizes[i] - half), H2_OK);
        assert_int_equal(h2_conn_send(c, out, sizeof(out)), 13);
        assert_int_equal(c->rx_window.left, sizes[i]);
        h2_conn_free(c);
    }
}

#define ZEROS_32 "0000000000000000000000000000000000000000000000000000000000000000"
#define ZEROS_96 ZEROS_32 ZEROS_32 ZEROS_32

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT

static void small_windows(struct h2_options *opts)
{
    opts->initial_window_size = 10;
}

static void largest_windows(struct h2_options *opts)
{
    opts->initial_window_size = 0x7fffffff;
    opts->connection_window_size = 0x7fffffff;
}

static void tell_all(struct h2_options *opts)
{
    opts->mute = 0;
}

/* clang-format off */
static const struct script_case cases[] = {
    {"windows_can_be_asked_for", SERVER, "!windows 0\nPOST 1\n!windows 1\n!respond 1 :status=200\n!windows 1\n!send 1 100 -\nDATA 1 - zeros 200\n!windows 0\n!windows 1\n!windows 3\n!reset 1 CANCEL\n!windows 1", "= windows 0: 65535 65535\nREQUEST 1\n= windows 1: 0 65535\n> HEADERS 1\n= windows 1: 65535 65535\n> DATA 1 100\nDATA 1 200\n= windows 0: 65435 65335\n= windows 1: 65435 65335\n= windows 3: 0 0\n> RST_STREAM 1 CANCEL\n= windows 1: 0 0\n", 0, 0},
    {"the_smaller_of_both_windows_counts", SERVER, "SETTINGS 0 - set 4=100000\nPOST 1\n!respond 1 :status=200\n!windows 1\nWINDOW_UPDATE 0 - u32 100000\n!windows 1\n!windows 0", "SETTINGS\nREQUEST 1\n> SETTINGS ack\n> HEADERS 1\n= windows 1: 65535 65535\n= windows 1: 100000 65535\n= windows 0: 165535 65535\n", 0, 0},
    {"who_may_not_send_has_no_window", SERVER, "GET 1\n!windows 1\n!respond 1 end :status=200\n!windows 1\nPOST 3\n!respond 3 end :status=200\n!windows 3\n!terminate NO_ERROR\n!windows 0\n!windows 3", "REQUEST 1 end\n= windows 1: 0 0\n> HEADERS 1 end\n= windows 1: 0 0\nREQUEST 3\n> HEADERS 3 end\n= windows 3: 0 65535\n> GOAWAY 3 NO_ERROR \n= windows 0: 0 0\n= windows 3: 0 0\n", 0, 0},
    {"a_window_is_made_larger_by_hand", SERVER, "POST 1\n!update 1 100\n!update 0 1000\n!windows 1\n!windows 0\n*4 DATA 1 - zeros 16384\nDATA 1 - zeros 99\n!windows 1\nDATA 1 - zeros 1", "REQUEST 1\n> WINDOW_UPDATE 1 100\n> WINDOW_UPDATE 0 1000\n= windows 1: 0 65635\n= windows 0: 65535 66535\nDATA 1 65635\n= windows 1: 0 0\nRESET 1 us FLOW_CONTROL_ERROR: more DATA than the stream window allows\n> RST_STREAM 1 FLOW_CONTROL_ERROR\n", 0, 0},
    {"what_was_received_is_given_back_by_hand_first", SERVER, "POST 1\nDATA 1 - zeros 1000\n!update 1 400\n!update 0 1000\n!windows 1\n!windows 0\n!update 1 601\n!windows 1\n!update 1 1\n!windows 1", "REQUEST 1\nDATA 1 1000\n> WINDOW_UPDATE 1 400\n> WINDOW_UPDATE 0 1000\n= windows 1: 0 64935\n= windows 0: 65535 65535\n> WINDOW_UPDATE 1 601\n= windows 1: 0 65535\n> WINDOW_UPDATE 1 1\n= windows 1: 0 65535\n", 0, 0},
    {"what_is_owed_is_given_back_by_hand_before_what_is_held", SERVER, "POST 1\nDATA 1 - zeros 1000\n!consume 1 600\n!windows 1\n!update 1 700\n!update 0 700\n!windows 1\n!consume 1 300\n!update 1 300\n!windows 1", "REQUEST 1\nDATA 1 1000\n= windows 1: 0 64535\n> WINDOW_UPDATE 1 700\n> WINDOW_UPDATE 0 700\n= windows 1: 0 65235\n> WINDOW_UPDATE 1 300\n= windows 1: 0 65235\n", 0, 0},
    {"what_was_given_by_hand_is_not_given_twice", SERVER, "POST 1\nDATA 1 - zeros 16000\n!update 1 16000\n!update 0 16000\n!consume 1 16000\n!windows 1\n!windows 0", "REQUEST 1\nDATA 1 16000\n> WINDOW_UPDATE 1 16000\n> WINDOW_UPDATE 0 16000\n= windows 1: 0 65535\n= windows 0: 65535 65535\n", 0, 0},
    {"a_larger_window_in_the_middle_of_a_frame_that_is_reset", SERVER, "POST 1\nBYTES 000064 00 00 00000001 61626364\n!update 0 1000\n!reset 1 CANCEL\nBYTES " ZEROS_96 "\n!consume 1 4\n!windows 0\nPING 0 - text abcdefgh", "REQUEST 1\nDATA 1 4\n> WINDOW_UPDATE 0 1000\n> RST_STREAM 1 CANCEL\n= windows 0: 65535 66435\n> PING ack abcdefgh\n", 0, 0},
    {"a_window_by_hand_out_of_range", SERVER, "POST 1\n!update 1 0\n!update 0 0\n!update 1 0x80000000\n!update 0 0xffffffff\n!update 3 1\n!update 2 1\n!update 0x80000001 1\nRST_STREAM 1 - u32 8\n!update 1 1", "REQUEST 1\n= VALUE\n= VALUE\n= VALUE\n= VALUE\n= NO_STREAM\n= NO_STREAM\n= NO_STREAM\nRESET 1 peer CANCEL\n= STREAM_CLOSED\n", 0, 0},
    {"a_window_by_hand_up_to_its_end", SERVER, "POST 1\n!update 1 0x7fff0001\n!update 1 0x7fff0000\n!update 1 1\n!update 0 0x7fff0001\n!update 0 0x7fff0000\n!update 0 1\n!windows 1\nDATA 1 - zeros 5\n!update 1 6\n!update 1 5\n!update 0 5\n!windows 1", "REQUEST 1\n= FLOW_CONTROL\n> WINDOW_UPDATE 1 2147418112\n= FLOW_CONTROL\n= FLOW_CONTROL\n> WINDOW_UPDATE 0 2147418112\n= FLOW_CONTROL\n= windows 1: 0 2147483647\nDATA 1 5\n= FLOW_CONTROL\n> WINDOW_UPDATE 1 5\n> WINDOW_UPDATE 0 5\n= windows 1: 0 2147483647\n", 0, 0},
    {"the_largest_windows_by_settings", SERVER, "POST 1\n!windows 1\n!windows 0\n!update 1 1\n!update 0 1\nDATA 1 - zeros 9\n!update 1 9\n!update 0 9\n!windows 1", "REQUEST 1\n= windows 1: 0 2147483647\n= windows 0: 65535 2147483647\n= FLOW_CONTROL\n= FLOW_CONTROL\nDATA 1 9\n> WINDOW_UPDATE 1 9\n> WINDOW_UPDATE 0 9\n= windows 1: 0 2147483647\n", largest_windows, 0},
    {"a_setting_after_a_window_by_hand_at_its_end", SERVER, "POST 1\n!update 1 0x7fff0000\n!settings 4=65536\n!settings 4=65535\n!settings 4=0\nSETTINGS 0 ACK\n!windows 1\nSETTINGS 0 ACK\n!update 1 65535\n!windows 1\n!update 1 1", "REQUEST 1\n> WINDOW_UPDATE 1 2147418112\n= FLOW_CONTROL\n> SETTINGS 4=65535\n> SETTINGS 4=0\nSETTINGS_ACK\n= windows 1: 0 65535\nSETTINGS_ACK\n> WINDOW_UPDATE 1 65535\n= windows 1: 0 65535\n= FLOW_CONTROL\n", 0, 0},
    {"a_window_by_hand_while_a_larger_one_is_on_its_way", SERVER, "POST 1\n!settings 4=0x7fffffff\n!update 1 1\nSETTINGS 0 ACK\n!windows 1\n!update 1 1", "REQUEST 1\n> SETTINGS 4=2147483647\n= FLOW_CONTROL\nSETTINGS_ACK\n= windows 1: 0 65535\n= FLOW_CONTROL\n", 0, 0},
    {"a_window_by_hand_while_a_larger_and_a_smaller_one_are_on_their_way", SERVER, "POST 1\n!settings 4=0x7fffffff\n!settings 4=65535\n!update 1 1\nSETTINGS 0 ACK\n!update 1 1\nSETTINGS 0 ACK\n!update 1 1\n!windows 1", "REQUEST 1\n> SETTINGS 4=2147483647\n> SETTINGS 4=65535\n= FLOW_CONTROL\nSETTINGS_ACK\n= FLOW_CONTROL\nSETTINGS_ACK\n> WINDOW_UPDATE 1 1\n= windows 1: 0 65535\n", 0, 0},
    {"a_larger_and_a_smaller_window_in_one_frame", SERVER, "POST 1\n!settings 4=0x7fffffff,4=10\n!update 1 1\nSETTINGS 0 ACK\n!windows 1\n!update 1 1\n!windows 1", "REQUEST 1\n> SETTINGS 4=2147483647 4=10\n= FLOW_CONTROL\nSETTINGS_ACK\n= windows 1: 0 10\n> WINDOW_UPDATE 1 1\n= windows 1: 0 11\n", 0, 0},
    {"a_stream_that_opens_while_windows_change", SERVER, "!settings 4=5\nPOST 1\nDATA 1 - zeros 6\nSETTINGS 0 ACK\n!windows 1\nPOST 3\n!windows 3\n!consume 1 6\n!windows 1", "> SETTINGS 4=5\nREQUEST 1\nDATA 1 6\nSETTINGS_ACK\n= windows 1: 0 0\nREQUEST 3\n= windows 3: 0 5\n> WINDOW_UPDATE 1 6\n= windows 1: 0 5\n", 0, 0},
    {"a_request_while_windows_change", CLIENT, "!settings 4=5\n!request\n!windows 1\nSETTINGS 0 ACK\n!windows 1\nOK 1\nDATA 1 - zeros 6", "> SETTINGS 4=5\n> HEADERS 1\n= windows 1: 65535 65535\nSETTINGS_ACK\n= windows 1: 65535 5\nRESPONSE 1 200\nRESET 1 us FLOW_CONTROL_ERROR: more DATA than the stream window allows\n  user a\n> RST_STREAM 1 FLOW_CONTROL_ERROR\n", 0, 0},
    {"a_window_below_zero_by_hand", SERVER, "POST 1\nDATA 1 - zeros 100\n!settings 4=10\nSETTINGS 0 ACK\n!windows 1\n!update 1 89\n!windows 1\n!update 1 2\n!windows 1\nDATA 1 - zeros 1\nDATA 1 - zeros 1", "REQUEST 1\nDATA 1 100\n> SETTINGS 4=10\nSETTINGS_ACK\n= windows 1: 0 0\n> WINDOW_UPDATE 1 89\n= windows 1: 0 0\n> WINDOW_UPDATE 1 2\n= windows 1: 0 1\nDATA 1 1\nRESET 1 us FLOW_CONTROL_ERROR: more DATA than the stream window allows\n> RST_STREAM 1 FLOW_CONTROL_ERROR\n", 0, 0},
    {"a_window_update_is_told", SERVER, "WINDOW_UPDATE 0 - u32 7\nPOST 1\n!user 1\nWINDOW_UPDATE 1 - u32 0x7fff0000\nRST_STREAM 1 - u32 8\nWINDOW_UPDATE 1 - u32 5", "WINDOW_UPDATE 0 7\nREQUEST 1 u=3\nWINDOW_UPDATE 1 2147418112\nRESET 1 peer CANCEL\n  user someone\n", tell_all, 0},
    {"a_window_update_that_is_wrong_is_not_told", SERVER, "POST 1\nWINDOW_UPDATE 1 - u32 0\nWINDOW_UPDATE 0 - u32 0x7fffffff", "REQUEST 1 u=3\nRESET 1 us PROTOCOL_ERROR: WINDOW_UPDATE of 0\nFAILED FLOW_CONTROL_ERROR: WINDOW_UPDATE makes the connection window larger than 2^31-1\n> RST_STREAM 1 PROTOCOL_ERROR\n> GOAWAY 1 FLOW_CONTROL_ERROR WINDOW_UPDATE makes the connection window larger than 2^31-1\n", tell_all, 0},
    {"a_small_window_is_given_back_by_halves", SERVER, "POST 1\nDATA 1 - zeros 10\n!consume 1 4\n!consume 1 1\n!consume 1 5\n!windows 1", "REQUEST 1\nDATA 1 10\n> WINDOW_UPDATE 1 5\n> WINDOW_UPDATE 1 5\n= windows 1: 0 10\n", small_windows, 0},
    {"who_has_ended_is_given_nothing_back", SERVER, "POST 1\nDATA 1 ES zeros 10\n!consume 1 10\n!windows 1", "REQUEST 1\nDATA 1 10 end\n= windows 1: 0 0\n", small_windows, 0},
};
/* clang-format on */

static void windows_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receive_window_is_taken_to_its_last_octet),
        cmocka_unit_test(a_send_window_ends_at_31_bits),
        cmocka_unit_test(what_is_owed_is_announced_from_half_a_window),
        cmocka_unit_test(windows_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
