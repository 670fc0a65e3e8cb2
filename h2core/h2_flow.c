/*
 * Flow control (RFC 9113, 5.2 and 6.9): receive windows and the updates we owe, send windows and
 * how SETTINGS move them.
 */
#include "h2_internal.h"

bool h2_rx_window_take(struct h2_rx_window *w, uint32_t n)
{
    if (n > 0 && (int64_t)n > w->left) { /* an empty frame fits below zero, too (RFC 9113, 6.9) */
        return false;
    }
    w->left -= (int32_t)n;
    w->held += n;
    return true;
}

/* How much to announce now: nothing until half the window is owed, so that updates stay few. */
static uint32_t give_back(struct h2_rx_window *w, uint32_t n, uint32_t size)
{
    if (n > w->held) { /* the rest was given back by hand in the meantime */
        n = w->held;
    }
    w->held -= n;
    w->owed += n;
    if (w->owed == 0 || w->owed < size / 2) {
        return 0;
    }
    uint32_t increment = w->owed;
    assert((int64_t)w->left + increment <= H2_MAX_WINDOW);
    w->left += (int32_t)increment;
    w->owed = 0;
    return increment;
}

static void give_back_to_stream(struct h2_conn *c, struct h2_stream *s, uint32_t n)
{
    uint32_t increment = give_back(&s->rx, n, c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE]);
    /* Who has ended its side needs no window. */
    if (increment > 0 && s->state != H2_STATE_HALF_CLOSED_REMOTE) {
        h2_tx_window_update(c, s->id, increment);
    }
}

void h2_flow_give_back(struct h2_conn *c, struct h2_stream *s, uint32_t n)
{
    uint32_t increment = give_back(&c->rx_window, n, c->rx_window_size);
    if (increment > 0) {
        h2_tx_window_update(c, 0, increment);
    }
    if (s != NULL) {
        give_back_to_stream(c, s, n);
    }
}

bool h2_tx_window_add(int32_t *window, int64_t n)
{
    int64_t sum = (int64_t)*window + n;
    if (sum > H2_MAX_WINDOW) {
        return false;
    }
    assert(sum >= -(int64_t)H2_MAX_WINDOW);
    *window = (int32_t)sum;
    return true;
}

bool h2_flow_may_set_tx_initial(const struct h2_conn *c, uint32_t size)
{
    int64_t delta = (int64_t)size - c->peer[H2_SETTINGS_INITIAL_WINDOW_SIZE];
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        if (s->tx_window + delta > H2_MAX_WINDOW) {
            return false;
        }
    }
    return true;
}

void h2_flow_set_tx_initial(struct h2_conn *c, uint32_t size)
{
    int64_t delta = (int64_t)size - c->peer[H2_SETTINGS_INITIAL_WINDOW_SIZE];
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        bool fits = h2_tx_window_add(&s->tx_window, delta);
        assert(fits);
        (void)fits;
        h2_sched_update(c, s);
    }
}

/* The size of a receive window: see struct h2_rx_window. */
static int64_t size_of(const struct h2_rx_window *w)
{
    return (int64_t)w->left + w->held + w->owed;
}

/* SETTINGS_INITIAL_WINDOW_SIZE has been announced, perhaps several times, and not acknowledged:
 * streams will grow by this at most. */
static int64_t announced_growth(const struct h2_conn *c)
{
    uint32_t most = c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE];
    for (const struct h2_pending *p = c->pending; p != NULL; p = p->next) {
        for (uint32_t i = 0; i < p->n; i++) {
            const struct h2_setting_change *change = &p->changes[i];
            if (change->id == H2_SETTINGS_INITIAL_WINDOW_SIZE && change->after > most) {
                most = change->after;
            }
        }
    }
    return (int64_t)most - c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE];
}

bool h2_flow_may_set_rx_initial(const struct h2_conn *c, uint32_t size)
{
    int64_t delta = (int64_t)size - c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE];
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        if (size_of(&s->rx) + delta > H2_MAX_WINDOW) {
            return false;
        }
    }
    return true;
}

void h2_flow_set_rx_initial(struct h2_conn *c, uint32_t size)
{
    int64_t delta = (int64_t)size - c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE];
    c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE] = size;
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        /* It can go below zero (RFC 9113, 6.9.2); that it goes not past 2^31-1 was checked when it
           was announced, and when the window was made larger since. */
        int64_t left = s->rx.left + delta;
        assert(left <= H2_MAX_WINDOW);
        s->rx.left = (int32_t)left;
        /* What is owed may have been too little to announce under the old size and all there is
         * under the new. */
        give_back_to_stream(c, s, 0);
    }
}

/* ---------------------------------------------------------------- by hand */

/* n octets are given back now: those owed, those held, and what is more makes the window larger,
   which is returned. */
static uint32_t give_now(struct h2_rx_window *w, uint32_t n)
{
    uint32_t owed = n < w->owed ? n : w->owed;
    uint32_t held = n - owed < w->held ? n - owed : w->held;
    w->owed -= owed;
    w->held -= held;
    w->left += (int32_t)n;
    return n - owed - held;
}

enum h2_error h2_conn_update_window(struct h2_conn *c, uint32_t stream_id, uint32_t n)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_FRAME);
    struct h2_stream *s = NULL;
    if (error == H2_OK && stream_id != 0) {
        s = h2_stream_find(c, stream_id);
        error = s != NULL ? H2_OK
                : h2_conn_stream_state(c, stream_id) < H2_STATE_RESERVED_LOCAL
                    ? H2_ERR_NO_STREAM
                    : H2_ERR_STREAM_CLOSED;
    }
    if (s != NULL && s->state == H2_STATE_RESERVED_LOCAL) {
        error = H2_ERR_STREAM_STATE; /* RFC 9113, 5.1: only HEADERS, RST_STREAM, PRIORITY */
    }
    if (error != H2_OK) {
        return error;
    }
    if (n == 0 || n > H2_MAX_WINDOW) {
        return H2_ERR_VALUE;
    }
    struct h2_rx_window *w = s != NULL ? &s->rx : &c->rx_window;
    int64_t growth = s != NULL ? announced_growth(c) : 0;
    int64_t returned = (int64_t)w->owed + w->held < n ? (int64_t)w->owed + w->held : n;
    if (size_of(w) + (n - returned) + growth > H2_MAX_WINDOW) {
        return H2_ERR_FLOW_CONTROL;
    }
    uint32_t larger = give_now(w, n);
    if (s == NULL) {
        c->rx_window_size += larger;
    }
    h2_tx_window_update(c, stream_id, n);
    return h2_result(c);
}

/* ---------------------------------------------------------------- questions */

static uint32_t least_window(int32_t a, int32_t b)
{
    int32_t least = a < b ? a : b;
    return least > 0 ? (uint32_t)least : 0;
}

uint32_t h2_conn_send_window(const struct h2_conn *c, uint32_t stream_id)
{
    if (h2_is_over(c)) {
        return 0;
    }
    if (stream_id == 0) {
        return least_window(c->tx.window, c->tx.window);
    }
    const struct h2_stream *s = h2_stream_find(c, stream_id);
    if (s == NULL || !s->tx_head || h2_state_move(s->state, H2_TX_DATA)->verdict != H2_ACCEPT) {
        return 0;
    }
    return least_window(s->tx_window, c->tx.window);
}

uint32_t h2_conn_receive_window(const struct h2_conn *c, uint32_t stream_id)
{
    if (h2_is_over(c)) {
        return 0;
    }
    if (stream_id == 0) {
        return least_window(c->rx_window.left, c->rx_window.left);
    }
    const struct h2_stream *s = h2_stream_find(c, stream_id);
    if (s == NULL || h2_state_move(s->state, H2_RX_DATA)->verdict != H2_ACCEPT) {
        return 0;
    }
    return least_window(s->rx.left, c->rx_window.left);
}
