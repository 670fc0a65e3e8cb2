/*
 * Header blocks: HEADERS with its CONTINUATION frames, decoded, checked and told as one event.
 *
 * Every block is decoded to its end, whatever becomes of its stream, since the HPACK state is the
 * connection's (RFC 9113, 4.3). So a frame on a dead stream, a malformed section or one over a
 * limit is remembered as such and acted upon when the block is through. A stream object is made
 * only then.
 */
#include "h2_internal.h"

#include <string.h>

#define MOST_INTERIMS 32 /* 1xx heads per response; a server needs a few of 102 and 103 */

/* A section while it is decoded. */
struct section {
    struct h2_head head;
    const char *over; /* the limit that it is over */
    bool store;       /* false: only HPACK is still interested */
    uint64_t bytes;
    uint32_t regular; /* fields but pseudo-header fields and cookies */
    uint32_t crumbs;
    uint32_t count;  /* fields stored, in c->rx.fields */
    uint32_t pseudo; /* of these, pseudo-header fields, which come first */
};

/* ---------------------------------------------------------------- decoding */

static bool store_field(struct h2_conn *c, struct section *sec, const struct h2_field *f)
{
    struct h2_rx *rx = &c->rx;
    if (sec->count == rx->fields_cap) {
        uint32_t cap = rx->fields_cap == 0 ? 32 : rx->fields_cap * 2;
        struct h2_field *fields = h2_resize(c, rx->fields, cap * sizeof(*fields));
        if (fields == NULL) {
            h2_conn_break_nomem(c);
            return false;
        }
        rx->fields = fields;
        rx->fields_cap = cap;
    }
    rx->fields[sec->count++] = *f;
    if (!sec->head.regular) {
        sec->pseudo = sec->count;
    }
    return true;
}

/* Each reference to the dynamic table counts in full (CVE-2016-6581, CVE-2026-49975). */
static const char *count_field(const struct h2_limits *l, struct section *sec,
                               const struct h2_field *f)
{
    sec->bytes += (uint64_t)f->name_len + f->value_len + HPACK_FIELD_OVERHEAD;
    if (sec->bytes > l->header_list_bytes) {
        return "a header section larger than header_list_bytes allows";
    }
    if (f->token == H2_TOKEN_COOKIE) {
        return ++sec->crumbs > l->cookie_crumbs
                   ? "a header section with more cookies than cookie_crumbs allows"
                   : NULL;
    }
    if (f->name_len > 0 && f->name[0] == ':') {
        return NULL; /* what is not a known one, once, is malformed */
    }
    return ++sec->regular > l->header_fields
               ? "a header section with more fields than header_fields allows"
               : NULL;
}

static void take_field(struct h2_conn *c, struct section *sec, struct h2_field *f)
{
    sec->over = count_field(&c->opts.limits, sec, f);
    if (sec->over != NULL) {
        sec->store = false;
        return;
    }
    switch (h2_head_field(&sec->head, f)) {
    case H2_FIELD_KEEP:
        sec->store = store_field(c, sec, f);
        break;
    case H2_FIELD_DROP:
        break;
    case H2_FIELD_MALFORMED:
        sec->store = false;
        break;
    }
}

static struct h2_fail decode(struct h2_conn *c, const uint8_t *p, const uint8_t *end,
                             struct section *sec)
{
    struct h2_field f;
    enum hpack_rc rc;
    hpack_decoder_begin(c->decoder);
    c->rx.decoded = true;
    while ((rc = hpack_decoder_next(c->decoder, &p, end, &f)) == HPACK_FIELD) {
        if (sec->store) {
            take_field(c, sec, &f);
        }
    }
    if (rc == HPACK_OK) {
        rc = hpack_decoder_end(c->decoder);
    }
    if (rc == HPACK_ERR_NOMEM) {
        return h2_conn_fail(H2_INTERNAL_ERROR, "no memory");
    }
    return rc == HPACK_OK ? h2_no_fail() : h2_conn_fail(H2_COMPRESSION_ERROR, hpack_rc_text(rc));
}

/* ---------------------------------------------------------------- what a section means */

static struct h2_fail malformed(const char *why)
{
    return h2_stream_fail(H2_PROTOCOL_ERROR, why); /* RFC 9113, 8.1.1 */
}

static void tell(struct h2_conn *c, struct h2_stream *s, enum h2_event_type type,
                 const struct section *sec, struct h2_event *ev)
{
    *ev = (struct h2_event){.type = type,
                            .stream_id = s->id,
                            .user = s->user,
                            .end_stream = c->rx.block_end_stream,
                            .fields = c->rx.fields,
                            .nfields = sec->count,
                            .content_length = -1,
                            .status = sec->head.status};
    if (ev->end_stream) {
        h2_stream_move(c, &s, H2_RX_END);
    }
}

/* RFC 9218, 7.1: a PRIORITY_UPDATE that came before its stream outdoes the field. */
static void set_priority(struct h2_conn *c, struct h2_stream *s, const struct h2_head *head)
{
    if (head->priority.p != NULL) {
        h2_priority_parse(head->priority.p, head->priority.len, &s->urgency, &s->incremental);
    }
    for (int i = 0; i < H2_EARLY_PRIORITIES; i++) {
        struct h2_early_priority *early = &c->early[i];
        if (early->stream_id == s->id) {
            s->urgency = early->urgency;
            s->incremental = early->incremental;
            early->stream_id = 0;
        }
    }
}

static struct h2_fail request(struct h2_conn *c, struct section *sec, struct h2_event *ev)
{
    struct h2_head *head = &sec->head;
    int64_t length = -1;
    if (sec->over != NULL) {
        sec->count = sec->pseudo; /* enough to answer 431 */
    } else if (!h2_head_end(head, c->opts.enable_connect_protocol)) {
        return malformed(head->malformed);
    } else if (!h2_span_is(head->method, "CONNECT")) {
        length = head->content_length; /* in CONNECT it means nothing (RFC 9110, 9.3.6) */
    }
    if (c->rx.block_end_stream && length > 0) {
        return malformed("content-length, but no DATA");
    }
    if (c->tx.len - c->tx.off > c->opts.limits.output_bytes) {
        return h2_conn_fail(H2_ENHANCE_YOUR_CALM, "more unread octets than output_bytes allows");
    }
    struct h2_stream *s = h2_stream_open(c, c->rx.frame.stream_id, H2_STATE_OPEN);
    if (s == NULL) {
        return h2_no_fail(); /* the connection is broken */
    }
    c->last_processed = s->id;
    s->rx_head = true;
    s->head_request = h2_span_is(head->method, "HEAD");
    s->content_left = length;
    set_priority(c, s, head);
    tell(c, s, H2_EVENT_REQUEST, sec, ev);
    ev->content_length = length;
    ev->too_large = sec->over != NULL;
    return ev->too_large ? h2_charge_glitch(c) : h2_no_fail();
}

/* How many body octets may follow a final response head: -1 for any number. */
static int64_t response_length(const struct h2_stream *s, const struct h2_head *head)
{
    if (s->head_request || head->status == 204 || head->status == 304) {
        return 0; /* whatever content-length says (RFC 9110, 6.4.1) */
    }
    if (s->connect && head->status < 300) {
        return -1;
    }
    return head->content_length;
}

static struct h2_fail response(struct h2_conn *c, struct h2_stream *s, struct section *sec,
                               struct h2_event *ev)
{
    struct h2_head *head = &sec->head;
    if (!h2_head_end(head, false)) {
        return malformed(head->malformed);
    }
    if (head->status < 200) {
        if (c->rx.block_end_stream) {
            return malformed("a 1xx response that ends the stream");
        }
        if (++s->interims > MOST_INTERIMS) {
            return h2_stream_fail(H2_ENHANCE_YOUR_CALM, "more than 32 responses of 1xx");
        }
        tell(c, s, H2_EVENT_INFORMATIONAL, sec, ev);
        return h2_no_fail();
    }
    int64_t left = response_length(s, head);
    if (c->rx.block_end_stream && left > 0) {
        return malformed("content-length, but no DATA");
    }
    s->rx_head = true;
    s->content_left = left;
    tell(c, s, H2_EVENT_RESPONSE, sec, ev);
    ev->content_length = head->content_length;
    return h2_no_fail();
}

static struct h2_fail trailers(struct h2_conn *c, struct h2_stream *s, struct section *sec,
                               struct h2_event *ev)
{
    if (!h2_head_end(&sec->head, false)) {
        return malformed(sec->head.malformed);
    }
    if (s->content_left > 0) {
        return malformed("less DATA than content-length says");
    }
    tell(c, s, H2_EVENT_TRAILERS, sec, ev);
    return h2_no_fail();
}

/* ---------------------------------------------------------------- blocks */

static enum h2_section section_of(const struct h2_stream *s)
{
    if (s == NULL) {
        return H2_SECTION_REQUEST;
    }
    return s->rx_head ? H2_SECTION_TRAILERS : H2_SECTION_RESPONSE;
}

/* A block is complete, in place. */
static struct h2_fail end_block(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                struct h2_event *ev)
{
    struct h2_rx *rx = &c->rx;
    struct h2_stream *s = h2_stream_find(c, rx->frame.stream_id);
    struct section sec = {0};
    rx->block_stream = 0;
    if (s == NULL && !rx->block_drop && rx->block_fail.scope == H2_SCOPE_NONE && !rx->block_opens) {
        rx->block_drop = true; /* the caller reset it between its frames */
    }
    sec.store = !rx->block_drop && rx->block_fail.scope == H2_SCOPE_NONE;
    h2_head_begin(&sec.head, section_of(s));

    struct h2_fail fail = decode(c, p, p + len, &sec);
    if (fail.scope != H2_SCOPE_NONE || c->over) {
        return fail;
    }
    if (rx->block_drop) {
        return h2_charge_glitch(c);
    }
    if (rx->block_fail.scope != H2_SCOPE_NONE) {
        return rx->block_fail;
    }
    if (sec.head.malformed != NULL) {
        return malformed(sec.head.malformed);
    }
    if (s == NULL) {
        return request(c, &sec, ev);
    }
    if (sec.head.section == H2_SECTION_TRAILERS && !rx->block_end_stream) {
        return malformed("trailers without END_STREAM");
    }
    if (sec.over != NULL) {
        return h2_stream_fail(H2_ENHANCE_YOUR_CALM, sec.over);
    }
    return sec.head.section == H2_SECTION_TRAILERS ? trailers(c, s, &sec, ev)
                                                   : response(c, s, &sec, ev);
}

/* What is to become of the block whose HEADERS has come. Only a connection error does not wait for
 * its end. */
static struct h2_fail begin_block(struct h2_conn *c, bool depends_on_itself)
{
    struct h2_rx *rx = &c->rx;
    uint32_t id = rx->frame.stream_id;
    enum h2_state state = h2_stream_state(c, id);
    const struct h2_move *move = h2_state_move(state, H2_RX_HEADERS);

    rx->block_stream = id;
    rx->block_frames = 0;
    rx->block_end_stream = (rx->frame.flags & H2_FLAG_END_STREAM) != 0;
    rx->block_drop = move->verdict == H2_IGNORE;
    rx->block_opens = false;
    rx->block_fail = move->fail;
    if (move->verdict == H2_REJECT) {
        return move->fail.scope == H2_SCOPE_CONN ? move->fail : h2_no_fail();
    }
    if (state == H2_STATE_IDLE) {
        c->last_seen = id;
        rx->block_opens = true;
        if (c->shut) {
            rx->block_drop = true; /* RFC 9113, 6.8: ignored, not refused */
        } else if (c->map.count >= c->opts.max_concurrent_streams) {
            rx->block_fail = h2_stream_fail(H2_REFUSED_STREAM,
                                            "more streams than max_concurrent_streams allows");
        }
    }
    if (depends_on_itself && rx->block_fail.scope == H2_SCOPE_NONE) {
        rx->block_fail = h2_stream_fail(H2_PROTOCOL_ERROR, "a stream that depends on itself");
    }
    return h2_no_fail();
}

static bool in_pieces(const struct h2_rx *rx)
{
    return rx->len > rx->block_len;
}

/* Keeps [p, p + n), the first part of a block. */
static void keep_first(struct h2_conn *c, const uint8_t *p, uint32_t n)
{
    struct h2_rx *rx = &c->rx;
    if (in_pieces(rx)) {
        memmove(rx->buf, p, n); /* it is there already, behind what came before the block */
        rx->len = n;
    } else {
        h2_rx_keep(c, p, n, n);
    }
    rx->block_len = rx->len;
}

static struct h2_fail too_long(void)
{
    return h2_conn_fail(H2_ENHANCE_YOUR_CALM,
                        "a header block longer than header_block_bytes allows");
}

struct h2_fail h2_rx_headers(struct h2_conn *c, const uint8_t *p, uint32_t len, struct h2_event *ev)
{
    const struct h2_frame *f = &c->rx.frame;
    uint32_t pad = 0;
    bool depends_on_itself = false;
    if ((f->flags & H2_FLAG_PADDED) != 0) {
        if (len < 1) {
            return h2_conn_fail(H2_FRAME_SIZE_ERROR, "HEADERS without its pad length");
        }
        pad = p[0];
        p++;
        len--;
    }
    if ((f->flags & H2_FLAG_PRIORITY) != 0) {
        if (len < 5) {
            return h2_conn_fail(H2_FRAME_SIZE_ERROR, "HEADERS without its priority");
        }
        depends_on_itself = (h2_get32(p) & H2_MAX_STREAM_ID) == f->stream_id;
        p += 5;
        len -= 5;
    }
    if (pad > len) {
        return h2_conn_fail(H2_PROTOCOL_ERROR, "HEADERS padded beyond its end");
    }
    len -= pad;
    if (len > c->opts.limits.header_block_bytes) {
        return too_long();
    }
    struct h2_fail fail = begin_block(c, depends_on_itself);
    if (fail.scope != H2_SCOPE_NONE) {
        return fail;
    }
    if ((f->flags & H2_FLAG_END_HEADERS) != 0) {
        return end_block(c, p, len, ev);
    }
    keep_first(c, p, len);
    return h2_no_fail();
}

struct h2_fail h2_rx_continuation(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                  struct h2_event *ev)
{
    struct h2_rx *rx = &c->rx;
    rx->block_frames++;
    if (!in_pieces(rx) && !h2_rx_keep(c, p, len, rx->block_len + len)) {
        return h2_no_fail();
    }
    rx->block_len = rx->len;
    assert(rx->block_len <= c->opts.limits.header_block_bytes);
    if ((rx->frame.flags & H2_FLAG_END_HEADERS) == 0) {
        return h2_no_fail();
    }
    return end_block(c, rx->buf, rx->block_len, ev);
}
