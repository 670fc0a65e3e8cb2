/*
 * Frames that are neither DATA nor part of a header block: PRIORITY, RST_STREAM, SETTINGS, PING,
 * GOAWAY, WINDOW_UPDATE (RFC 9113, section 6) and PRIORITY_UPDATE (RFC 9218, section 7). Their
 * lengths and stream ids have been checked.
 */
#include "h2_internal.h"

#include <string.h>

/* The scheme of RFC 7540 is gone (RFC 9113, 5.3.2): checked, ignored, and charged (CVE-2019-9513).
 */
static struct h2_fail on_priority(struct h2_conn *c, const uint8_t *p)
{
    if ((h2_get32(p) & H2_MAX_STREAM_ID) == c->rx.frame.stream_id) {
        return h2_stream_fail(H2_PROTOCOL_ERROR, "a stream that depends on itself");
    }
    return h2_charge_glitch(c);
}

static struct h2_fail on_rst_stream(struct h2_conn *c, const uint8_t *p, struct h2_event *ev)
{
    uint32_t id = c->rx.frame.stream_id;
    enum h2_state state = h2_stream_state(c, id);
    const struct h2_move *move = h2_state_move(state, H2_RX_RST);
    if (move->verdict == H2_REJECT) {
        return move->fail;
    }
    if (move->verdict == H2_IGNORE) {
        return h2_charge_glitch(c);
    }
    enum h2_code code = h2_get32(p);
    struct h2_stream *s = h2_stream_find(c, id);
    *ev = (struct h2_event){
        .type = H2_EVENT_RESET, .stream_id = id, .user = s->user, .by_peer = true, .code = code};
    h2_stream_move(c, &s, H2_RX_RST);
    /* A server that has answered in full and wants no more of the request has done its work (RFC
     * 9113, 8.1). */
    if (c->role == H2_CLIENT && state == H2_STATE_HALF_CLOSED_REMOTE) {
        return h2_no_fail();
    }
    return h2_charge_reset(c); /* CVE-2023-44487 */
}

static struct h2_fail on_settings(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                  struct h2_event *ev)
{
    if ((c->rx.frame.flags & H2_FLAG_ACK) != 0) {
        if (c->settings_acked) {
            return h2_conn_fail(H2_PROTOCOL_ERROR, "SETTINGS acknowledged that were not sent");
        }
        h2_settings_in_force(c);
        ev->type = H2_EVENT_SETTINGS_ACK;
        return h2_no_fail();
    }
    struct h2_fail fail = h2_settings_apply(c, p, len);
    if (fail.scope == H2_SCOPE_NONE && c->peer_settings) {
        fail = h2_charge_glitch(c); /* each walks over all streams (CVE-2019-9515) */
    }
    if (fail.scope == H2_SCOPE_NONE) {
        fail = h2_charge_reply(c);
    }
    if (fail.scope != H2_SCOPE_NONE) {
        return fail;
    }
    c->rx.settings_seen = c->peer_settings = true;
    h2_tx_frame(c, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, NULL, 0);
    ev->type = H2_EVENT_SETTINGS;
    return h2_no_fail();
}

static struct h2_fail on_ping(struct h2_conn *c, const uint8_t *p, struct h2_event *ev)
{
    if ((c->rx.frame.flags & H2_FLAG_ACK) != 0) {
        ev->type = H2_EVENT_PING_ACK;
        memcpy(ev->opaque, p, sizeof(ev->opaque));
        return h2_no_fail();
    }
    struct h2_fail fail = h2_charge_reply(c); /* CVE-2019-9512 */
    if (fail.scope == H2_SCOPE_NONE) {
        h2_tx_frame(c, H2_FRAME_PING, H2_FLAG_ACK, 0, p, 8);
    }
    return fail;
}

static struct h2_fail on_goaway(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                struct h2_event *ev)
{
    uint32_t last = h2_get32(p) & H2_MAX_STREAM_ID;
    struct h2_fail fail = h2_no_fail();
    if (c->goaway_received) {
        fail = h2_charge_glitch(c); /* two are normal, many are not */
    }
    c->goaway_received = true;
    if (last < c->goaway_peer) { /* it must not be raised again (RFC 9113, 6.8) */
        c->goaway_peer = last;
    }
    c->orphans = c->role == H2_CLIENT;
    ev->type = H2_EVENT_GOAWAY;
    ev->last_stream_id = c->goaway_peer;
    ev->code = h2_get32(p + 4);
    ev->data = p + 8;
    ev->len = len - 8;
    return fail;
}

/* Two for each DATA frame we send are normal, one per window; others are charged (CVE-2019-9511).
 */
static struct h2_fail charge_window_update(struct h2_conn *c)
{
    if (c->window_updates > 0) {
        c->window_updates--;
        return h2_no_fail();
    }
    return h2_charge_glitch(c);
}

static struct h2_fail on_window_update(struct h2_conn *c, const uint8_t *p)
{
    uint32_t id = c->rx.frame.stream_id;
    uint32_t increment = h2_get32(p) & H2_MAX_WINDOW;
    if (id == 0) {
        if (increment == 0) {
            return h2_conn_fail(H2_PROTOCOL_ERROR, "WINDOW_UPDATE of 0 for the connection");
        }
        if (!h2_tx_window_add(&c->tx.window, increment)) {
            return h2_conn_fail(H2_FLOW_CONTROL_ERROR,
                                "WINDOW_UPDATE makes the connection window larger than 2^31-1");
        }
        return charge_window_update(c);
    }
    const struct h2_move *move = h2_state_move(h2_stream_state(c, id), H2_RX_WINDOW_UPDATE);
    if (move->verdict == H2_REJECT) {
        return move->fail;
    }
    if (move->verdict == H2_IGNORE) {
        return charge_window_update(c);
    }
    struct h2_stream *s = h2_stream_find(c, id);
    if (increment == 0) {
        return h2_stream_fail(H2_PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    }
    if (!h2_tx_window_add(&s->tx_window, increment)) {
        return h2_stream_fail(H2_FLOW_CONTROL_ERROR,
                              "WINDOW_UPDATE makes the stream window larger than 2^31-1");
    }
    h2_sched_update(c, s);
    return charge_window_update(c);
}

static struct h2_fail on_priority_update(struct h2_conn *c, const uint8_t *p, uint32_t len)
{
    uint32_t id = h2_get32(p) & H2_MAX_STREAM_ID;
    uint8_t urgency = H2_DEFAULT_URGENCY;
    bool incremental = false;
    if (id % 2 == 0) { /* 0, or a pushed stream, which there are none of */
        return h2_conn_fail(H2_PROTOCOL_ERROR, "PRIORITY_UPDATE for a stream that cannot be");
    }
    h2_priority_parse((const char *)p + 4, len - 4, &urgency, &incremental);
    struct h2_stream *s = h2_stream_find(c, id);
    if (s != NULL) {
        h2_sched_set_priority(c, s, urgency, incremental);
    } else if (h2_stream_state(c, id) == H2_STATE_IDLE) {
        /* The latest few are kept until their stream opens; more would be memory for the asking. */
        struct h2_early_priority *early = &c->early[c->early_next++ % H2_EARLY_PRIORITIES];
        for (int i = 0; i < H2_EARLY_PRIORITIES; i++) {
            if (c->early[i].stream_id == id) {
                c->early[i].stream_id = 0;
            }
        }
        *early = (struct h2_early_priority){id, urgency, incremental};
    }
    return h2_charge_glitch(c);
}

struct h2_fail h2_rx_control(struct h2_conn *c, const uint8_t *p, uint32_t len, struct h2_event *ev)
{
    switch (c->rx.frame.type) {
    case H2_FRAME_PRIORITY:
        return on_priority(c, p);
    case H2_FRAME_RST_STREAM:
        return on_rst_stream(c, p, ev);
    case H2_FRAME_SETTINGS:
        return on_settings(c, p, len, ev);
    case H2_FRAME_PING:
        return on_ping(c, p, ev);
    case H2_FRAME_GOAWAY:
        return on_goaway(c, p, len, ev);
    case H2_FRAME_WINDOW_UPDATE:
        return on_window_update(c, p);
    case H2_FRAME_PRIORITY_UPDATE:
        return on_priority_update(c, p, len);
    default:
        break;
    }
    assert(!"a frame that frames.def knows and nobody handles");
    return h2_no_fail();
}
