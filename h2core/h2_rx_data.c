/*
 * DATA (RFC 9113, 6.1): handed to the caller where it lies, never kept.
 *
 *     | pad length | body octets ............ | padding |
 *                    one event for each piece that is fed; the last one carries END_STREAM,
 *                    and owes the padding and its length octet, too
 *
 * Windows are charged with the frame header, the connection's before anybody asks for the stream,
 * so that both sides count alike whatever becomes of the frame. Octets that no event hands over are
 * given back here.
 */
#include "h2_internal.h"

static bool ends_stream(const struct h2_conn *c)
{
    return (c->rx.frame.flags & H2_FLAG_END_STREAM) != 0;
}

/* The frame goes nowhere. What of it has not been read yet is skipped. */
static struct h2_fail swallow(struct h2_conn *c, uint32_t unread, struct h2_fail fail)
{
    c->rx.step = H2_STEP_SKIP;
    c->rx.left = unread;
    h2_flow_give_back(c, NULL, c->rx.frame.length);
    return fail;
}

/* The number of body octets is known: does it fit what content-length promised? (RFC 9113, 8.1.1)
 */
static struct h2_fail begin_body(struct h2_conn *c, struct h2_stream *s)
{
    struct h2_rx *rx = &c->rx;
    uint32_t unread = rx->data_left + rx->left;
    if (s->content_left >= 0) {
        if (rx->data_left > s->content_left) {
            return swallow(c, unread,
                           h2_stream_fail(H2_ERR_BODY_LENGTH, H2_PROTOCOL_ERROR,
                                          "more DATA than content-length says"));
        }
        s->content_left -= rx->data_left;
        if (ends_stream(c) && s->content_left > 0) {
            return swallow(c, unread,
                           h2_stream_fail(H2_ERR_BODY_LENGTH, H2_PROTOCOL_ERROR,
                                          "less DATA than content-length says"));
        }
    }
    if (rx->data_left == 0 && !ends_stream(c)) {
        rx->step = H2_STEP_SKIP;
        h2_flow_give_back(c, s, rx->data_pad);
        return h2_charge(c, H2_BUDGET_EMPTY); /* it says nothing (CVE-2019-9518) */
    }
    rx->step = H2_STEP_DATA;
    return h2_no_fail();
}

struct h2_fail h2_rx_data_begin(struct h2_conn *c)
{
    struct h2_rx *rx = &c->rx;
    const struct h2_frame *f = &rx->frame;
    bool padded = (f->flags & H2_FLAG_PADDED) != 0;
    if (padded && f->length == 0) {
        return h2_conn_fail(H2_ERR_FRAME_DATA, H2_FRAME_SIZE_ERROR, "DATA without its pad length");
    }
    if (!h2_rx_window_take(&c->rx_window, f->length)) {
        return h2_conn_fail(H2_ERR_FLOW_CONTROL, H2_FLOW_CONTROL_ERROR,
                            "more DATA than the connection window allows");
    }
    struct h2_stream *s = h2_stream_find(c, f->stream_id);
    enum h2_stream_state state = s != NULL ? s->state : h2_conn_stream_state(c, f->stream_id);
    const struct h2_move *move = h2_state_move(state, H2_RX_DATA);
    if (move->verdict == H2_IGNORE) {
        return swallow(c, f->length, h2_charge(c, H2_BUDGET_CONTROL));
    }
    if (move->verdict != H2_ACCEPT) {
        return swallow(c, f->length, move->fail);
    }
    if (!s->rx_head) {
        return swallow(c, f->length,
                       h2_stream_fail(H2_ERR_STREAM_STATE, H2_PROTOCOL_ERROR,
                                      "DATA before the response head"));
    }
    if (!h2_rx_window_take(&s->rx, f->length)) {
        return swallow(c, f->length,
                       h2_stream_fail(H2_ERR_FLOW_CONTROL, H2_FLOW_CONTROL_ERROR,
                                      "more DATA than the stream window allows"));
    }
    h2_earn_payload(c, f->length);
    rx->data_left = f->length;
    rx->data_pad = 0;
    if (padded) {
        rx->step = H2_STEP_DATA_PAD;
        return h2_no_fail();
    }
    rx->left = 0; /* nothing behind the body */
    return begin_body(c, s);
}

struct h2_fail h2_rx_data_pad(struct h2_conn *c, uint8_t pad)
{
    struct h2_rx *rx = &c->rx;
    uint32_t length = rx->frame.length;
    if (pad >= length) {
        return h2_conn_fail(H2_ERR_FRAME_DATA, H2_PROTOCOL_ERROR, "DATA padded beyond its end");
    }
    rx->data_pad = 1u + pad;
    rx->data_left = length - rx->data_pad;
    rx->left = pad;
    struct h2_stream *s = h2_stream_find(c, rx->frame.stream_id);
    if (s == NULL) { /* the caller reset it since */
        return swallow(c, length - 1, h2_no_fail());
    }
    return begin_body(c, s);
}

bool h2_rx_data(struct h2_conn *c, struct h2_event *ev)
{
    struct h2_rx *rx = &c->rx;
    size_t n = (size_t)(rx->end - rx->in);
    if (n > rx->data_left) {
        n = rx->data_left;
    }
    if (n == 0 && rx->data_left > 0) {
        return false;
    }
    const uint8_t *data = rx->in;
    rx->in += n;
    rx->data_left -= (uint32_t)n;
    bool last = rx->data_left == 0;
    uint32_t flow_len = (uint32_t)n + (last ? rx->data_pad : 0);
    if (last) {
        rx->step = H2_STEP_SKIP; /* over the padding, if any */
    }

    struct h2_stream *s = h2_stream_find(c, rx->frame.stream_id);
    if (s == NULL) { /* the caller reset it in the middle of the frame */
        h2_flow_give_back(c, NULL, flow_len);
        return true;
    }
    *ev = (struct h2_event){.type = H2_EVENT_DATA,
                            .stream_id = s->id,
                            .user = s->user,
                            .end_stream = last && ends_stream(c),
                            .data = data,
                            .len = n,
                            .flow_len = flow_len};
    if (ev->end_stream) {
        h2_rx_end_of_stream(c, s);
    }
    return true;
}
