/* Windows by themselves: both edges of 31 bits, and what is owed when. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receive_window_is_taken_to_its_last_octet),
        cmocka_unit_test(a_send_window_ends_at_31_bits),
        cmocka_unit_test(what_is_owed_is_announced_from_half_a_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
