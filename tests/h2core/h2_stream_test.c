/* The streams by id, the memory of closed ones, and that both keep to their size. */
#include "h2_script.h"

#include "h2_internal.h"
#include "hpack_testing.h"

static struct h2_conn *server(const struct h2_allocator *alloc, uint32_t closed_streams)
{
    struct h2_options opts;
    h2_options_init(&opts);
    opts.alloc = alloc;
    opts.limits.closed_streams = closed_streams;
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    assert_non_null(c);
    return c;
}

static struct h2_stream *open(struct h2_conn *c, uint32_t id)
{
    struct h2_stream *s = h2_stream_open(c, id, H2_STATE_OPEN);
    assert_non_null(s);
    c->last_seen = id > c->last_seen ? id : c->last_seen;
    return s;
}

static void close_by(struct h2_conn *c, uint32_t id, enum h2_input input)
{
    struct h2_stream *s = h2_stream_find(c, id);
    assert_non_null(s);
    h2_stream_move(c, &s, input);
    assert_null(s);
}

static void streams_are_found_by_id(void **state)
{
    (void)state;
    struct h2_conn *c = server(NULL, 100);
    assert_null(h2_stream_find(c, 1));
    unsigned seed = 1;
    static bool live[4000];
    unsigned count = 0;
    for (int i = 0; i < 40000; i++) {
        unsigned k = (unsigned)rand_r(&seed) % 4000;
        uint32_t id = k * 2 + 1;
        if (live[k]) {
            close_by(c, id, H2_RX_RST);
        } else {
            open(c, id);
        }
        live[k] = !live[k];
        count += live[k] ? 1 : -1u;
        assert_int_equal(c->map.count, count);
    }
    unsigned walked = 0;
    for (const struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        assert_true(live[s->id / 2]);
        walked++;
    }
    assert_int_equal(walked, count);
    for (unsigned k = 0; k < 4000; k++) {
        const struct h2_stream *s = h2_stream_find(c, k * 2 + 1);
        assert_int_equal(s != NULL, live[k]);
        assert_true(s == NULL || s->id == k * 2 + 1);
    }
    h2_conn_free(c);
}

static void the_map_gives_back_what_many_streams_needed(void **state)
{
    (void)state;
    struct counting counting;
    counting_init(&counting);
    struct h2_conn *c = server(&counting.alloc, 4);
    open(c, 1);
    close_by(c, 1, H2_RX_RST);
    size_t idle = counting.bytes;
    for (uint32_t id = 3; id < 1003; id += 2) {
        open(c, id);
    }
    assert_true(counting.bytes > idle + 500 * sizeof(struct h2_stream));
    for (uint32_t id = 3; id < 1003; id += 2) {
        close_by(c, id, H2_TX_RST);
    }
    assert_true(counting.bytes <= idle + sizeof(struct h2_stream));
    h2_conn_free(c);
    assert_int_equal(counting.blocks, 0);
}

static void one_stream_after_another_needs_no_new_memory(void **state)
{
    (void)state;
    struct counting counting;
    counting_init(&counting);
    struct h2_conn *c = server(&counting.alloc, 4);
    for (uint32_t id = 1; id < 9; id += 2) {
        open(c, id);
        close_by(c, id, H2_RX_RST);
    }
    size_t calls = counting.calls;
    for (uint32_t id = 9; id < 1009; id += 2) {
        open(c, id);
        close_by(c, id, H2_RX_RST);
    }
    assert_int_equal(counting.calls, calls);
    h2_conn_free(c);
}

static void closed_streams_are_remembered_by_their_end(void **state)
{
    (void)state;
    struct h2_conn *c = server(NULL, 100);
    open(c, 1);
    open(c, 3);
    struct h2_stream *s = open(c, 5);
    close_by(c, 1, H2_RX_RST);
    close_by(c, 3, H2_TX_RST);
    h2_stream_move(c, &s, H2_RX_END);
    h2_stream_move(c, &s, H2_TX_END);
    assert_null(s);
    open(c, 9);
    assert_int_equal(h2_conn_stream_state(c, 1), H2_STATE_CLOSED_RESET_RECEIVED);
    assert_int_equal(h2_conn_stream_state(c, 3), H2_STATE_CLOSED_RESET_SENT);
    assert_int_equal(h2_conn_stream_state(c, 5), H2_STATE_CLOSED_ENDED);
    assert_int_equal(h2_conn_stream_state(c, 7), H2_STATE_CLOSED_SKIPPED);
    assert_int_equal(h2_conn_stream_state(c, 9), H2_STATE_OPEN);
    assert_int_equal(h2_conn_stream_state(c, 11), H2_STATE_IDLE);
    assert_int_equal(h2_conn_stream_state(c, 2), H2_STATE_IDLE_OURS);
    h2_closed_remember(c, 1, H2_STATE_CLOSED_RESET_SENT); /* the later one counts */
    assert_int_equal(h2_conn_stream_state(c, 1), H2_STATE_CLOSED_RESET_SENT);
    h2_conn_free(c);
}

/* Our own ids were all used: what is not remembered of them is forgotten, and never an error. */
static void a_late_head_on_a_stream_that_is_forgotten_is_dropped(void **state)
{
    (void)state;
    struct h2_options opts;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    struct h2_field get[] = {{":method", "GET", 7, 3, H2_TOKEN_PSEUDO_METHOD, 0},
                             {":scheme", "https", 7, 5, H2_TOKEN_PSEUDO_SCHEME, 0},
                             {":path", "/", 5, 1, H2_TOKEN_PSEUDO_PATH, 0},
                             {":authority", "a", 10, 1, H2_TOKEN_PSEUDO_AUTHORITY, 0}};
    struct h2_event ev;
    h2_conn_feed(c, (const uint8_t *)"\0\0\0\4\0\0\0\0\0", 9);
    while (h2_conn_next_event(c, 0, &ev)) {
    }
    for (uint32_t n = 0; n < opts.limits.closed_streams * 2; n++) {
        uint32_t id;
        assert_int_equal(h2_conn_request(c, get, 4, true, NULL, &id), H2_OK);
        assert_int_equal(h2_conn_reset(c, id, H2_CANCEL), H2_OK);
    }
    assert_int_equal(h2_conn_stream_state(c, 1), H2_STATE_CLOSED_FORGOTTEN);
    h2_conn_feed(c, (const uint8_t *)"\0\0\1\1\5\0\0\0\1\x88", 10); /* :status 200 */
    assert_false(h2_conn_next_event(c, 0, &ev));
    assert_false(h2_conn_is_over(c));
    h2_conn_free(c);
}

/* For each size of the memory: exactly so many of the latest are known. */
static void as_many_closed_streams_as_the_limit_says(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 15, 16, 17, 32, 33, 100};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct h2_conn *c = server(NULL, sizes[i]);
        for (uint32_t n = 0; n < 250; n++) {
            open(c, n * 2 + 1);
            close_by(c, n * 2 + 1, n % 2 == 0 ? H2_RX_RST : H2_TX_RST);
            for (uint32_t k = 0; k <= n; k++) {
                enum h2_stream_state want =
                    k % 2 == 0 ? H2_STATE_CLOSED_RESET_RECEIVED : H2_STATE_CLOSED_RESET_SENT;
                if (n - k >= sizes[i]) {
                    want = H2_STATE_CLOSED_FORGOTTEN;
                }
                assert_int_equal(h2_conn_stream_state(c, k * 2 + 1), want);
            }
        }
        h2_conn_free(c);
    }
}

static void a_clients_streams_above_its_last_are_idle(void **state)
{
    (void)state;
    struct h2_options opts;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    c->next_id = 5;
    assert_int_equal(h2_conn_stream_state(c, 3), H2_STATE_CLOSED_FORGOTTEN);
    assert_int_equal(h2_conn_stream_state(c, 5), H2_STATE_IDLE_OURS);
    assert_int_equal(h2_conn_stream_state(c, 4), H2_STATE_IDLE_PUSHED);
    h2_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_found_by_id),
        cmocka_unit_test(the_map_gives_back_what_many_streams_needed),
        cmocka_unit_test(one_stream_after_another_needs_no_new_memory),
        cmocka_unit_test(closed_streams_are_remembered_by_their_end),
        cmocka_unit_test(a_late_head_on_a_stream_that_is_forgotten_is_dropped),
        cmocka_unit_test(as_many_closed_streams_as_the_limit_says),
        cmocka_unit_test(a_clients_streams_above_its_last_are_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
