/*
 * Received bytes become frames here, one step at a time, until a frame has something to tell.
 * Frames are checked against frames.def before their payload is touched. Every failure that a frame
 * can have comes back to one place, apply_fail().
 *
 *   PREFACE -> HEADER -> PAYLOAD ------------------> HEADER    most frames
 *                     -> DATA_PAD -> DATA -> SKIP -> HEADER    DATA: handed on as it comes
 *                     -> SKIP ---------------------> HEADER    what is ignored
 */
#include "h2_internal.h"

#include <string.h>

#define FIRST_PIECE                                                                                \
    256u /* a frame in pieces: room grows with what really came, not with what was announced */

/* ---------------------------------------------------------------- frame legality */

enum id_rule { ID_STREAM, ID_CONN, ID_ANY };
enum receiver { RECEIVER_BOTH, RECEIVER_SERVER, RECEIVER_CLIENT, RECEIVER_CLIENT_ONLY };

#define VARIES UINT32_MAX

struct frame_rule {
    bool known;
    enum id_rule id;
    uint32_t least;
    uint32_t most;
    enum h2_scope scope;
    enum receiver receiver;
    const char *bad_id;
    const char *bad_length;
    const char *bad_receiver;
};

static const struct frame_rule rules[] = {
#define FRAME(name, type, id, least, most, scope, receiver)                                        \
    [type] = {true,                                                                                \
              ID_##id,                                                                             \
              least,                                                                               \
              most,                                                                                \
              H2_SCOPE_##scope,                                                                    \
              RECEIVER_##receiver,                                                                 \
              #name " on a stream id that it must not have",                                       \
              #name " of a length that it must not have",                                          \
              #name " that this side must not be sent"},
#include "frames.def"
#undef FRAME
};

static const struct frame_rule *rule_of(uint8_t type)
{
    static const struct frame_rule unknown;
    return type < sizeof(rules) / sizeof(rules[0]) ? &rules[type] : &unknown;
}

bool h2_is_known_frame(uint8_t type)
{
    return rule_of(type)->known;
}

static struct h2_fail frame_fail(enum h2_error error, const char *why)
{
    return h2_conn_fail(error, H2_PROTOCOL_ERROR, why);
}

/* RFC 9113, 6.10: a header block is not interrupted, and not continued out of nowhere. */
static struct h2_fail check_block(const struct h2_rx *rx)
{
    const struct h2_frame *f = &rx->frame;
    if (rx->block_stream == 0) {
        return f->type == H2_FRAME_CONTINUATION
                   ? frame_fail(H2_ERR_FRAME_TYPE, "CONTINUATION without a header block")
                   : h2_no_fail();
    }
    return f->type == H2_FRAME_CONTINUATION && f->stream_id == rx->block_stream
               ? h2_no_fail()
               : frame_fail(H2_ERR_FRAME_TYPE, "a frame inside a header block");
}

/* A frame too short for what its type carries is another mistake than one too long. */
static struct h2_fail check_length(const struct frame_rule *rule, const struct h2_frame *f)
{
    bool ack = f->type == H2_FRAME_SETTINGS && (f->flags & H2_FLAG_ACK) != 0;
    if (f->length < rule->least ||
        (f->type == H2_FRAME_SETTINGS && f->length % H2_SETTING_LEN != 0)) {
        return (struct h2_fail){H2_ERR_FRAME_DATA, H2_FRAME_SIZE_ERROR, rule->scope,
                                rule->bad_length};
    }
    if (f->length > rule->most || (ack && f->length > 0)) {
        return (struct h2_fail){H2_ERR_FRAME_SIZE, H2_FRAME_SIZE_ERROR, rule->scope,
                                rule->bad_length};
    }
    return h2_no_fail();
}

/* Limits that can be told from the header, so that nothing over them is ever kept. */
static struct h2_fail check_limits(const struct h2_conn *c)
{
    const struct h2_limits *l = &c->opts.limits;
    const struct h2_frame *f = &c->rx.frame;
    if (f->type == H2_FRAME_SETTINGS && f->length / H2_SETTING_LEN > l->settings_per_frame) {
        return h2_limit_fail("more settings than settings_per_frame allows");
    }
    bool begins = f->type == H2_FRAME_HEADERS || f->type == H2_FRAME_PUSH_PROMISE;
    if (!begins && f->type != H2_FRAME_CONTINUATION) {
        return h2_no_fail();
    }
    if (!begins && c->rx.block_frames >= l->continuation_frames) {
        return h2_limit_fail("more CONTINUATION frames than continuation_frames allows");
    }
    /* The first frame may carry 6 octets and padding beside the block; what remains is checked with
     * the payload. */
    uint64_t room = (uint64_t)l->header_block_bytes + (begins ? 6 + 255 : 0);
    if ((uint64_t)c->rx.block_len + f->length > room) {
        return h2_limit_fail("a header block longer than header_block_bytes allows");
    }
    return h2_no_fail();
}

/* RFC 9113, 3.4: SETTINGS come first. What follows a GOAWAY is told apart where streams open. */
static struct h2_fail check_conn_state(const struct h2_conn *c)
{
    const struct h2_frame *f = &c->rx.frame;
    enum h2_conn_input input = H2_CONN_RX_FRAME;
    if (f->type == H2_FRAME_SETTINGS && (f->flags & H2_FLAG_ACK) == 0) {
        input = H2_CONN_RX_SETTINGS;
    } else if (f->type == H2_FRAME_GOAWAY) {
        input = H2_CONN_RX_GOAWAY;
    }
    const struct h2_move *move = h2_conn_state_move(c->state, input);
    assert(move->verdict != H2_ERROR);
    return move->fail;
}

/* Frames that only clients know: a server ignores them, whatever they look like. */
static bool is_not_for_us(const struct h2_conn *c, const struct frame_rule *rule)
{
    return rule->receiver == RECEIVER_CLIENT_ONLY && c->role != H2_CLIENT;
}

static struct h2_fail check_frame(const struct h2_conn *c, const struct frame_rule *rule)
{
    const struct h2_frame *f = &c->rx.frame;
    struct h2_fail fail = check_conn_state(c);
    if (fail.scope != H2_SCOPE_NONE) {
        return fail;
    }
    if (f->length > c->local[H2_SETTINGS_MAX_FRAME_SIZE]) {
        return h2_conn_fail(H2_ERR_FRAME_SIZE, H2_FRAME_SIZE_ERROR,
                            "a frame longer than SETTINGS_MAX_FRAME_SIZE");
    }
    fail = check_block(&c->rx);
    if (fail.scope != H2_SCOPE_NONE || !rule->known || is_not_for_us(c, rule)) {
        return fail;
    }
    if ((rule->receiver == RECEIVER_SERVER && c->role != H2_SERVER) ||
        (rule->receiver == RECEIVER_CLIENT && c->role != H2_CLIENT)) {
        return frame_fail(H2_ERR_FRAME_TYPE, rule->bad_receiver);
    }
    if (rule->id != ID_ANY && (rule->id == ID_CONN) != (f->stream_id == 0)) {
        return frame_fail(H2_ERR_PROTOCOL, rule->bad_id);
    }
    fail = check_length(rule, f);
    return fail.scope == H2_SCOPE_NONE ? check_limits(c) : fail;
}

/* Whether the frame is for nobody here: unknown to the engine and not asked for, or for clients. */
static bool is_ignored(const struct h2_conn *c, const struct frame_rule *rule)
{
    if (!rule->known) {
        return h2_is_muted(c, H2_EVENT_UNKNOWN_FRAME);
    }
    return is_not_for_us(c, rule);
}

/* ---------------------------------------------------------------- failures */

/*
 * RFC 9113, 5.4.2: a stream error resets the stream, whether it is known to the caller or not. One
 * on an idle stream cannot, since RST_STREAM must not be sent there (6.4): the connection has to
 * go.
 */
static void reset_stream(struct h2_conn *c, uint32_t id, struct h2_fail fail, struct h2_event *ev)
{
    if (h2_conn_stream_state(c, id) < H2_STATE_RESERVED_LOCAL) {
        h2_conn_break(c, fail);
        return;
    }
    struct h2_fail limit = h2_charge(c, H2_BUDGET_ERRORS);
    if (limit.scope == H2_SCOPE_NONE) {
        limit = h2_charge_reply(c);
    }
    if (limit.scope != H2_SCOPE_NONE) {
        h2_conn_break(c, limit);
        return;
    }
    h2_tx_rst_stream(c, id, fail.code);
    *ev =
        (struct h2_event){.type = H2_EVENT_RESET, .stream_id = id, .code = fail.code, .fail = fail};
    struct h2_stream *s = h2_stream_find(c, id);
    if (s != NULL) {
        ev->user = s->user;
        h2_stream_move(c, &s, H2_TX_RST);
    } else {
        h2_closed_remember(c, id, H2_STATE_CLOSED_RESET_SENT);
    }
}

static void apply_fail(struct h2_conn *c, struct h2_fail fail, struct h2_event *ev)
{
    assert(fail.why != NULL);
    if (fail.scope == H2_SCOPE_STREAM) {
        reset_stream(c, c->rx.target, fail, ev);
    } else {
        h2_conn_break(c, fail);
    }
    if (h2_is_over(c)) {
        c->fail_stream = c->rx.target;
    }
}

/* ---------------------------------------------------------------- kept bytes */

bool h2_rx_keep(struct h2_conn *c, const uint8_t *p, uint32_t len, uint32_t most)
{
    struct h2_rx *rx = &c->rx;
    assert(rx->len + len <= most);
    if (rx->cap - rx->len < len) {
        uint32_t cap = rx->cap < FIRST_PIECE / 2 ? FIRST_PIECE : rx->cap * 2;
        if (cap < rx->len + len) {
            cap = rx->len + len;
        }
        if (cap > most) {
            cap = most;
        }
        uint8_t *buf = h2_resize(c, rx->buf, cap);
        if (buf == NULL) {
            h2_conn_break_nomem(c);
            return false;
        }
        rx->buf = buf;
        rx->cap = cap;
    }
    if (len > 0) {
        memcpy(rx->buf + rx->len, p, len);
        rx->len += len;
    }
    return true;
}

void h2_lend(struct h2_conn *c, struct h2_lent *memory)
{
    memory->next = c->rx.lent;
    c->rx.lent = memory;
}

void h2_lent_free(struct h2_conn *c)
{
    while (c->rx.lent != NULL) {
        struct h2_lent *memory = c->rx.lent;
        c->rx.lent = memory->next;
        h2_resize(c, memory, 0);
    }
}

void h2_rx_drop_buf(struct h2_conn *c)
{
    h2_resize(c, c->rx.buf, 0);
    c->rx.buf = NULL;
    c->rx.cap = c->rx.len = c->rx.block_len = 0;
}

/* What the event before pointed to is no longer needed. */
static void release_event(struct h2_conn *c)
{
    if (c->rx.buf != NULL && c->rx.block_stream == 0 && c->rx.step != H2_STEP_PAYLOAD) {
        h2_rx_drop_buf(c);
    }
    h2_lent_free(c);
}

/* Everything is parsed: what is held for speed is given back, so that a quiet connection is small.
 */
static void release_idle(struct h2_conn *c)
{
    if (c->rx.decoded) {
        hpack_decoder_release(c->decoder);
        c->rx.decoded = false;
        h2_resize(c, c->rx.fields, 0);
        c->rx.fields = NULL;
        c->rx.fields_cap = 0;
    }
    h2_tx_idle(c);
}

/* ---------------------------------------------------------------- steps */

static uint32_t available(const struct h2_rx *rx)
{
    size_t n = (size_t)(rx->end - rx->in);
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static bool step_preface(struct h2_conn *c, struct h2_fail *fail)
{
    struct h2_rx *rx = &c->rx;
    uint32_t n = available(rx);
    uint32_t missing = H2_PREFACE_LEN - rx->header_len;
    n = n < missing ? n : missing;
    if (memcmp(rx->in, &H2_PREFACE[rx->header_len], n) != 0) {
        *fail = frame_fail(H2_ERR_PREFACE, h2_error_text(H2_ERR_PREFACE));
        return true;
    }
    rx->in += n;
    rx->header_len += (uint8_t)n;
    if (rx->header_len < H2_PREFACE_LEN) {
        return false;
    }
    rx->header_len = 0;
    rx->step = H2_STEP_HEADER;
    h2_conn_move(c, H2_CONN_RX_PREFACE);
    h2_conn_skip_settings(c);
    return true;
}

static bool step_header(struct h2_conn *c, struct h2_fail *fail)
{
    struct h2_rx *rx = &c->rx;
    uint32_t n = available(rx);
    if (rx->header_len == 0 && n >= H2_FRAME_HEADER_LEN) {
        rx->frame = h2_get_frame_header(rx->in);
        rx->in += H2_FRAME_HEADER_LEN;
    } else {
        uint32_t missing = H2_FRAME_HEADER_LEN - rx->header_len;
        n = n < missing ? n : missing;
        if (n > 0) {
            memcpy(rx->header + rx->header_len, rx->in, n);
        }
        rx->in += n;
        rx->header_len += (uint8_t)n;
        if (n < missing) {
            return false;
        }
        rx->frame = h2_get_frame_header(rx->header);
        rx->header_len = 0;
    }

    const struct frame_rule *rule = rule_of(rx->frame.type);
    rx->target = rx->frame.stream_id;
    rx->step = H2_STEP_SKIP;
    rx->left = rx->frame.length;
    *fail = check_frame(c, rule);
    if (fail->scope == H2_SCOPE_NONE && rx->frame.type != H2_FRAME_DATA && !is_ignored(c, rule)) {
        rx->step = H2_STEP_PAYLOAD;
        return true;
    }
    h2_trace_received(c, NULL);
    if (fail->scope == H2_SCOPE_NONE) {
        *fail =
            rx->frame.type == H2_FRAME_DATA ? h2_rx_data_begin(c) : h2_charge(c, H2_BUDGET_CONTROL);
    }
    return true;
}

static struct h2_fail dispatch(struct h2_conn *c, const uint8_t *p, struct h2_event *ev)
{
    uint32_t len = c->rx.frame.length;
    switch (c->rx.frame.type) {
    case H2_FRAME_HEADERS:
        return h2_rx_headers(c, p, len, ev);
    case H2_FRAME_CONTINUATION:
        return h2_rx_continuation(c, p, len, ev);
    case H2_FRAME_PUSH_PROMISE:
        return h2_rx_push_promise(c, p, len, ev);
    default:
        return h2_rx_control(c, p, len, ev);
    }
}

static bool step_payload(struct h2_conn *c, struct h2_event *ev, struct h2_fail *fail)
{
    struct h2_rx *rx = &c->rx;
    uint32_t kept = rx->len - rx->block_len;
    uint32_t missing = rx->frame.length - kept;
    uint32_t n = available(rx);
    const uint8_t *p = rx->in;

    n = n < missing ? n : missing;
    rx->in += n;
    if (kept > 0 || n < missing) {
        if (n > 0 && !h2_rx_keep(c, p, n, rx->block_len + rx->frame.length)) {
            return true;
        }
        if (n < missing) {
            return false;
        }
        p = rx->buf + rx->block_len;
    }
    rx->step = H2_STEP_HEADER;
    h2_trace_received(c, p);
    *fail = dispatch(c, p, ev);
    if (rx->block_stream == 0 && ev->type == 0) {
        h2_rx_drop_buf(c); /* else the event may point into it */
    }
    return true;
}

static bool step_skip(struct h2_rx *rx)
{
    uint32_t n = available(rx);
    n = n < rx->left ? n : rx->left;
    rx->in += n;
    rx->left -= n;
    if (rx->left > 0) {
        return false;
    }
    rx->step = H2_STEP_HEADER;
    return true;
}

/* False: starved. */
static bool step(struct h2_conn *c, struct h2_event *ev, struct h2_fail *fail)
{
    struct h2_rx *rx = &c->rx;
    switch (rx->step) {
    case H2_STEP_PREFACE:
        return step_preface(c, fail);
    case H2_STEP_HEADER:
        return step_header(c, fail);
    case H2_STEP_PAYLOAD:
        return step_payload(c, ev, fail);
    case H2_STEP_DATA_PAD:
        if (rx->in == rx->end) {
            return false;
        }
        *fail = h2_rx_data_pad(c, *rx->in++);
        return true;
    case H2_STEP_DATA:
        return h2_rx_data(c, ev);
    case H2_STEP_SKIP:
        return step_skip(rx);
    }
    return false;
}

/* RFC 9113, 6.8: streams of ours above the last stream id of a GOAWAY were never looked at by the
 * peer. */
static bool next_orphan(struct h2_conn *c, struct h2_event *ev)
{
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        if (!s->inbound && s->id > c->goaway_peer) {
            *ev = (struct h2_event){.type = H2_EVENT_RESET,
                                    .stream_id = s->id,
                                    .user = s->user,
                                    .by_peer = true,
                                    .code = H2_REFUSED_STREAM};
            h2_stream_move(c, &s, H2_RX_RST);
            return true;
        }
    }
    c->orphans = false;
    return false;
}

/* ---------------------------------------------------------------- for the caller */

void h2_rx_empty(struct h2_conn *c)
{
    static const uint8_t nothing[1]; /* arithmetic with a null pointer is not defined */
    c->rx.in = c->rx.end = nothing;
}

void h2_conn_feed(struct h2_conn *c, const uint8_t *data, size_t len)
{
    assert(c->rx.in == c->rx.end);
    if (len > 0) {
        c->rx.in = data;
        c->rx.end = data + len;
    }
}

size_t h2_conn_unread(struct h2_conn *c)
{
    size_t n = (size_t)(c->rx.end - c->rx.in);
    h2_rx_empty(c);
    return n;
}

void h2_rx_end_of_stream(struct h2_conn *c, struct h2_stream *s)
{
    if (!h2_is_muted(c, H2_EVENT_STREAM_ENDED)) {
        c->rx.ended = s->id;
        c->rx.ended_user = s->user;
    }
    h2_stream_move(c, &s, H2_RX_END);
}

/* The stream's end, which the event before had with it. */
static void tell_ended(struct h2_conn *c, struct h2_event *ev)
{
    *ev = (struct h2_event){
        .type = H2_EVENT_STREAM_ENDED, .stream_id = c->rx.ended, .user = c->rx.ended_user};
    c->rx.ended = 0;
}

bool h2_conn_next_event(struct h2_conn *c, uint64_t now_ms, struct h2_event *ev)
{
    ev->type = 0; /* none yet; who makes one sets all of it */
    c->now_ms = now_ms;
    release_event(c);
    while (!h2_is_over(c)) {
        if (c->rx.ended != 0) {
            tell_ended(c, ev);
            return true;
        }
        if (c->orphans && next_orphan(c, ev)) {
            return true;
        }
        struct h2_fail fail = h2_no_fail();
        if (!step(c, ev, &fail)) {
            release_idle(c);
            return false;
        }
        if (fail.scope != H2_SCOPE_NONE) {
            apply_fail(c, fail, ev);
        }
        if (ev->type != 0 && !h2_is_over(c)) {
            return true;
        }
    }
    c->rx.in = c->rx.end;
    if (c->state != H2_CONN_FAILED) {
        return false;
    }
    h2_conn_move(c, H2_CONN_CLOSE);
    *ev = (struct h2_event){.type = H2_EVENT_FAILED,
                            .stream_id = c->fail_stream,
                            .code = c->fail.code,
                            .fail = c->fail};
    return true;
}
