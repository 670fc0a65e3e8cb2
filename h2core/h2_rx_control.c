/*
 * Frames that are neither DATA nor part of a header block: PRIORITY, RST_STREAM, SETTINGS, PING,
 * GOAWAY, WINDOW_UPDATE (RFC 9113, section 6), ALTSVC (RFC 7838), ORIGIN (RFC 8336),
 * PRIORITY_UPDATE (RFC 9218, section 7), and those that only the caller may know. Their lengths and
 * stream ids have been checked. Each is charged as a control frame.
 */
#include "h2_internal.h"

#include <string.h>

/* Begins an event, unless it is muted. */
static bool begin_event(const struct h2_conn *c, struct h2_event *ev, enum h2_event_type type)
{
    if (h2_is_muted(c, type)) {
        return false;
    }
    *ev = (struct h2_event){.type = type, .stream_id = c->rx.frame.stream_id};
    if (ev->stream_id != 0) {
        ev->user = h2_stream_user(c, ev->stream_id);
    }
    return true;
}

/* The scheme of RFC 7540 is gone (RFC 9113, 5.3.2): checked, and told to whom it may concern. */
static struct h2_fail on_priority(struct h2_conn *c, const uint8_t *p, struct h2_event *ev)
{
    struct h2_priority priority = h2_get_priority(p);
    if (priority.depends_on == c->rx.frame.stream_id) {
        return h2_stream_fail(H2_ERR_PROTOCOL, H2_PROTOCOL_ERROR,
                              "a stream that depends on itself");
    }
    if (begin_event(c, ev, H2_EVENT_PRIORITY)) {
        ev->priority = priority;
    }
    return h2_no_fail();
}

static struct h2_fail on_rst_stream(struct h2_conn *c, const uint8_t *p, struct h2_event *ev)
{
    uint32_t id = c->rx.frame.stream_id;
    enum h2_stream_state state = h2_conn_stream_state(c, id);
    const struct h2_move *move = h2_state_move(state, H2_RX_RST);
    if (move->verdict != H2_ACCEPT) {
        return move->fail;
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
    return h2_charge(c, H2_BUDGET_RESETS); /* CVE-2023-44487 */
}

/* ---------------------------------------------------------------- SETTINGS */

static struct h2_fail on_settings_ack(struct h2_conn *c, struct h2_event *ev)
{
    struct h2_pending *settings = h2_settings_in_force(c);
    if (settings == NULL) {
        return h2_conn_fail(H2_ERR_FRAME_TYPE, H2_PROTOCOL_ERROR,
                            "SETTINGS acknowledged that were not sent");
    }
    h2_lend(c, &settings->lent);
    if (begin_event(c, ev, H2_EVENT_SETTINGS_ACK)) {
        ev->settings = settings->changes;
        ev->nsettings = settings->n;
    }
    return h2_no_fail();
}

static struct h2_fail on_settings(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                  struct h2_event *ev)
{
    if ((c->rx.frame.flags & H2_FLAG_ACK) != 0) {
        return on_settings_ack(c, ev);
    }
    size_t n = len / H2_SETTING_LEN;
    struct h2_setting_change *changes = NULL;
    if (n > 0 && !h2_is_muted(c, H2_EVENT_SETTINGS)) {
        struct h2_lent *memory = h2_resize(c, NULL, sizeof(*memory) + n * sizeof(*changes));
        if (memory == NULL) {
            h2_conn_break_nomem(c);
            return h2_no_fail();
        }
        h2_lend(c, memory);
        changes = (struct h2_setting_change *)(memory + 1);
    }
    struct h2_fail fail = h2_settings_apply(c, p, len, changes);
    if (fail.scope == H2_SCOPE_NONE) {
        fail = h2_charge_reply(c);
    }
    if (fail.scope != H2_SCOPE_NONE) {
        return fail;
    }
    h2_conn_move(c, H2_CONN_RX_SETTINGS);
    c->peer_settings = true;
    h2_tx_frame(c, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, NULL, 0);
    if (begin_event(c, ev, H2_EVENT_SETTINGS)) {
        ev->settings = changes;
        ev->nsettings = n;
    }
    return h2_no_fail();
}

/* ---------------------------------------------------------------- PING, GOAWAY */

static struct h2_fail on_ping(struct h2_conn *c, const uint8_t *p, struct h2_event *ev)
{
    bool ack = (c->rx.frame.flags & H2_FLAG_ACK) != 0;
    if (!ack) {
        struct h2_fail fail = h2_charge_reply(c); /* CVE-2019-9512 */
        if (fail.scope != H2_SCOPE_NONE) {
            return fail;
        }
        h2_tx_frame(c, H2_FRAME_PING, H2_FLAG_ACK, 0, p, 8);
    }
    if (begin_event(c, ev, ack ? H2_EVENT_PING_ACK : H2_EVENT_PING)) {
        memcpy(ev->opaque, p, sizeof(ev->opaque));
    }
    return h2_no_fail();
}

static struct h2_fail on_goaway(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                struct h2_event *ev)
{
    uint32_t last = h2_get32(p) & H2_MAX_STREAM_ID;
    h2_conn_move(c, H2_CONN_RX_GOAWAY);
    if (last < c->goaway_peer) { /* it must not be raised again (RFC 9113, 6.8) */
        c->goaway_peer = last;
    }
    c->orphans = true;
    *ev = (struct h2_event){.type = H2_EVENT_GOAWAY,
                            .last_stream_id = c->goaway_peer,
                            .code = h2_get32(p + 4),
                            .data = p + 8,
                            .len = len - 8};
    return h2_no_fail();
}

/* ---------------------------------------------------------------- WINDOW_UPDATE */

static struct h2_fail open_conn_window(struct h2_conn *c, uint32_t increment)
{
    if (increment == 0) {
        return h2_conn_fail(H2_ERR_FLOW_CONTROL, H2_PROTOCOL_ERROR,
                            "WINDOW_UPDATE of 0 for the connection");
    }
    if (!h2_tx_window_add(&c->tx.window, increment)) {
        return h2_conn_fail(H2_ERR_FLOW_CONTROL, H2_FLOW_CONTROL_ERROR,
                            "WINDOW_UPDATE makes the connection window larger than 2^31-1");
    }
    return h2_no_fail();
}

static struct h2_fail open_stream_window(struct h2_conn *c, struct h2_stream *s, uint32_t increment)
{
    if (increment == 0) {
        return h2_stream_fail(H2_ERR_FLOW_CONTROL, H2_PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    }
    if (!h2_tx_window_add(&s->tx_window, increment)) {
        return h2_stream_fail(H2_ERR_FLOW_CONTROL, H2_FLOW_CONTROL_ERROR,
                              "WINDOW_UPDATE makes the stream window larger than 2^31-1");
    }
    h2_sched_update(c, s);
    return h2_no_fail();
}

static struct h2_fail on_window_update(struct h2_conn *c, const uint8_t *p, struct h2_event *ev)
{
    uint32_t id = c->rx.frame.stream_id;
    uint32_t increment = h2_get32(p) & H2_MAX_WINDOW;
    struct h2_fail fail;
    if (id == 0) {
        fail = open_conn_window(c, increment);
    } else {
        const struct h2_move *move =
            h2_state_move(h2_conn_stream_state(c, id), H2_RX_WINDOW_UPDATE);
        if (move->verdict != H2_ACCEPT) {
            return move->fail;
        }
        fail = open_stream_window(c, h2_stream_find(c, id), increment);
    }
    if (fail.scope == H2_SCOPE_NONE && begin_event(c, ev, H2_EVENT_WINDOW_UPDATE)) {
        ev->increment = increment;
    }
    return fail;
}

/* ---------------------------------------------------------------- PRIORITY_UPDATE */

/* The latest few are kept until their stream opens; more would be memory for the asking. */
static void keep_early_priority(struct h2_conn *c, struct h2_early_priority priority)
{
    for (int i = 0; i < H2_EARLY_PRIORITIES; i++) {
        if (c->early[i].stream_id == priority.stream_id) {
            c->early[i].stream_id = 0;
        }
    }
    c->early[c->early_next++ % H2_EARLY_PRIORITIES] = priority;
}

static struct h2_fail on_priority_update(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                         struct h2_event *ev)
{
    uint32_t id = h2_get32(p) & H2_MAX_STREAM_ID;
    struct h2_early_priority priority = {id, H2_DEFAULT_URGENCY, false};
    enum h2_stream_state state = id != 0 ? h2_conn_stream_state(c, id) : H2_STATE_IDLE_OURS;
    if (state == H2_STATE_IDLE_OURS) { /* RFC 9218, 7.1: 0, or a push that was not promised */
        return h2_conn_fail(H2_ERR_NO_STREAM, H2_PROTOCOL_ERROR,
                            "PRIORITY_UPDATE for a stream that cannot be");
    }
    h2_priority_parse((const char *)p + 4, len - 4, &priority.urgency, &priority.incremental);
    struct h2_stream *s = h2_stream_find(c, id);
    if (s != NULL) {
        h2_sched_set_priority(c, s, priority.urgency, priority.incremental);
    } else if (state == H2_STATE_IDLE) {
        keep_early_priority(c, priority);
    }
    if (begin_event(c, ev, H2_EVENT_PRIORITY_UPDATE)) {
        ev->stream_id = id;
        ev->user = s != NULL ? s->user : NULL;
        ev->urgency = priority.urgency;
        ev->incremental = priority.incremental;
        ev->data = p + 4;
        ev->len = len - 4;
    }
    return h2_no_fail();
}

/* ---------------------------------------------------------------- what is only told */

/* RFC 7838, 4: an origin belongs to stream 0 and only to it; else the frame is ignored. */
static struct h2_fail on_altsvc(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                struct h2_event *ev)
{
    uint32_t id = c->rx.frame.stream_id;
    uint32_t origin_len = (uint32_t)p[0] << 8 | p[1];
    if (origin_len > len - 2) {
        return h2_conn_fail(H2_ERR_FRAME_DATA, H2_FRAME_SIZE_ERROR,
                            "ALTSVC that ends before its origin does");
    }
    bool about_nothing =
        id == 0 ? origin_len == 0 : origin_len > 0 || h2_stream_find(c, id) == NULL;
    if (!about_nothing && begin_event(c, ev, H2_EVENT_ALTSVC)) {
        ev->origin = (const char *)p + 2;
        ev->origin_len = origin_len;
        ev->data = p + 2 + origin_len;
        ev->len = len - 2 - origin_len;
    }
    return h2_no_fail();
}

/* RFC 8336, 2.2: of these flags each would change what the frame means; the others would not. */
#define ORIGIN_CRITICAL_FLAGS 0x0f

/* RFC 8336, 2: one on a stream is ignored, and it must hold what it says. */
static struct h2_fail on_origin(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                struct h2_event *ev)
{
    const uint8_t *rest = p;
    size_t left = len;
    const char *origin;
    size_t origin_len;
    if (c->rx.frame.stream_id != 0 || (c->rx.frame.flags & ORIGIN_CRITICAL_FLAGS) != 0) {
        return h2_no_fail();
    }
    while (h2_origin_next(&rest, &left, &origin, &origin_len)) {
    }
    if (left > 0) {
        return h2_conn_fail(H2_ERR_FRAME_DATA, H2_FRAME_SIZE_ERROR,
                            "ORIGIN that ends inside an origin");
    }
    if (begin_event(c, ev, H2_EVENT_ORIGIN)) {
        ev->data = p;
        ev->len = len;
    }
    return h2_no_fail();
}

static void on_unknown(const struct h2_conn *c, const uint8_t *p, uint32_t len, struct h2_event *ev)
{
    if (begin_event(c, ev, H2_EVENT_UNKNOWN_FRAME)) {
        ev->frame_type = c->rx.frame.type;
        ev->frame_flags = c->rx.frame.flags;
        ev->data = p;
        ev->len = len;
    }
}

struct h2_fail h2_rx_control(struct h2_conn *c, const uint8_t *p, uint32_t len, struct h2_event *ev)
{
    struct h2_fail fail = h2_charge(c, H2_BUDGET_CONTROL);
    if (fail.scope != H2_SCOPE_NONE) {
        return fail;
    }
    switch (c->rx.frame.type) {
    case H2_FRAME_PRIORITY:
        return on_priority(c, p, ev);
    case H2_FRAME_RST_STREAM:
        return on_rst_stream(c, p, ev);
    case H2_FRAME_SETTINGS:
        return on_settings(c, p, len, ev);
    case H2_FRAME_PING:
        return on_ping(c, p, ev);
    case H2_FRAME_GOAWAY:
        return on_goaway(c, p, len, ev);
    case H2_FRAME_WINDOW_UPDATE:
        return on_window_update(c, p, ev);
    case H2_FRAME_ALTSVC:
        return on_altsvc(c, p, len, ev);
    case H2_FRAME_ORIGIN:
        return on_origin(c, p, len, ev);
    case H2_FRAME_PRIORITY_UPDATE:
        return on_priority_update(c, p, len, ev);
    default:
        assert(!h2_is_known_frame(c->rx.frame.type));
        on_unknown(c, p, len, ev);
        return h2_no_fail();
    }
}
