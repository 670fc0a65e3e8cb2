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
    assert(n <= w->held);
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
    uint32_t increment = give_back(&s->rx, n, c->rx_initial_window);
    /* Who has ended its side needs no window. */
    if (increment > 0 && s->state != H2_STATE_HALF_CLOSED_REMOTE) {
        h2_tx_window_update(c, s->id, increment);
    }
}

void h2_flow_give_back(struct h2_conn *c, struct h2_stream *s, uint32_t n)
{
    uint32_t increment = give_back(&c->rx_window, n, c->opts.connection_window_size);
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

bool h2_flow_set_tx_initial(struct h2_conn *c, uint32_t size)
{
    int64_t delta = (int64_t)size - c->peer[H2_SETTINGS_INITIAL_WINDOW_SIZE];
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        if (!h2_tx_window_add(&s->tx_window, delta)) {
            return false;
        }
        h2_sched_update(c, s);
    }
    return true;
}

void h2_flow_set_rx_initial(struct h2_conn *c, uint32_t size)
{
    int64_t delta = (int64_t)size - c->rx_initial_window;
    c->rx_initial_window = size;
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        /* left + held + owed was the old size, so this cannot overflow; it can go below zero */
        s->rx.left = (int32_t)(s->rx.left + delta);
        /* What is owed may have been too little to announce under the old size and all there is
         * under the new. */
        give_back_to_stream(c, s, 0);
    }
}
