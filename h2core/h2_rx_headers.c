/*
 * Header blocks: HEADERS or PUSH_PROMISE with CONTINUATION frames, decoded, checked and told as one
 * event.
 *
 * Every block is decoded to its end, whatever becomes of its stream, since the HPACK state is the
 * connection's (RFC 9113, 4.3). So a frame on a dead stream, a malformed section or one over a
 * limit is remembered as such and acted upon when the block is through. A stream object is made
 * only then.
 */
#include "h2_internal.h"

#include <string.h>

#define FIRST_FIELDS  32u /* most messages have fewer */
#define MOST_INTERIMS 32  /* 1xx heads per response; a server needs a few of 102 and 103 */

/* A section while it is decoded. */
struct section {
    struct h2_head head;
    const char *over; /* the limit that it is over */
    bool store;       /* false: only HPACK is still interested */
    uint32_t octets;  /* of the block */
    uint32_t regular; /* fields but pseudo-header fields and cookies */
    uint32_t crumbs;
    uint32_t count;  /* fields stored, in c->rx.fields */
    uint32_t pseudo; /* of these, pseudo-header fields, which come first */
};

/* ---------------------------------------------------------------- decoding */

/* Where the next field goes. NULL: no memory. */
static struct h2_field *next_slot(struct h2_conn *c, const struct section *sec)
{
    struct h2_rx *rx = &c->rx;
    if (sec->count == rx->fields_cap) {
        uint32_t cap = rx->fields_cap == 0 ? FIRST_FIELDS : rx->fields_cap * 2;
        struct h2_field *fields = h2_resize(c, rx->fields, cap * sizeof(*fields));
        if (fields == NULL) {
            return NULL;
        }
        rx->fields = fields;
        rx->fields_cap = cap;
    }
    return &rx->fields[sec->count];
}

/* The limits that the decoder does not know. It counts the octets itself, each reference to the
 * dynamic table in full, and holds nothing of what is over them (CVE-2016-6581, CVE-2026-49975). */
static const char *count_field(const struct h2_limits *l, struct section *sec,
                               const struct h2_field *f)
{
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

/* The field in the next slot: is it to stay there? */
static void take_field(const struct h2_conn *c, struct section *sec, struct h2_field *f, bool fits)
{
    sec->over = fits ? count_field(&c->opts.limits, sec, f)
                     : "a header section larger than header_list_bytes allows";
    if (sec->over != NULL) {
        sec->store = false;
        return;
    }
    enum h2_field_use use = H2_FIELD_KEEP;
    if (c->opts.validate_received) {
        use = h2_head_field(&sec->head, f);
    } else { /* only read, as it shortens and drops */
        struct h2_field copy = *f;
        (void)h2_head_field(&sec->head, &copy);
        sec->head.malformed = NULL;
    }
    sec->store = use != H2_FIELD_MALFORMED;
    sec->count += use == H2_FIELD_KEEP;
    if (!sec->head.regular) {
        sec->pseudo = sec->count;
    }
}

static struct h2_fail decode(struct h2_conn *c, const uint8_t *p, const uint8_t *end,
                             struct section *sec)
{
    struct h2_field dropped;
    enum hpack_rc rc;
    bool any;
    /* Of a block that nobody will be told of, the decoder holds no string. */
    hpack_decoder_set_max_list_size(c->decoder, sec->store ? c->opts.limits.header_list_bytes : 0);
    hpack_decoder_begin(c->decoder);
    c->rx.decoded = true;
    do {
        struct h2_field *f = sec->store ? next_slot(c, sec) : &dropped;
        rc = f != NULL ? hpack_decoder_next(c->decoder, &p, end, f) : HPACK_ERR_NOMEM;
        any = rc == HPACK_FIELD || rc == HPACK_ERR_LIST_SIZE;
        if (any && sec->store) {
            take_field(c, sec, f, rc == HPACK_FIELD);
        }
    } while (any);
    if (rc == HPACK_OK) {
        rc = hpack_decoder_end(c->decoder);
    }
    if (rc == HPACK_ERR_NOMEM) {
        return h2_conn_fail(H2_ERR_NOMEM, H2_INTERNAL_ERROR, "no memory");
    }
    return rc == HPACK_OK
               ? h2_no_fail()
               : h2_conn_fail(H2_ERR_COMPRESSION, H2_COMPRESSION_ERROR, hpack_rc_text(rc));
}

static uint32_t count_cookies(const struct h2_field *fields, size_t n)
{
    uint32_t cookies = 0;
    for (size_t i = 0; i < n; i++) {
        cookies += fields[i].token == H2_TOKEN_COOKIE;
    }
    return cookies;
}

/* The fields as the caller wants them. False: no memory (the connection is broken). */
static bool normalize(struct h2_conn *c, struct section *sec)
{
    if (!c->opts.normalize_received) {
        return true;
    }
    uint32_t cookies = sec->crumbs;
    if (!c->opts.validate_received) { /* else there is nothing to be found */
        struct h2_list list;
        if (!h2_normalize(c, c->rx.fields, sec->count, &list)) {
            return false;
        }
        if (list.memory != NULL) {
            h2_lend(c, list.memory);
            memcpy(c->rx.fields, list.fields, list.n * sizeof(list.fields[0]));
        }
        sec->count = (uint32_t)list.n;
        cookies = count_cookies(c->rx.fields, list.n); /* some were in upper case, or are gone */
    }
    return cookies < 2 || h2_join_cookies(c, c->rx.fields, &sec->count);
}

/* ---------------------------------------------------------------- what a section means */

static struct h2_fail malformed(const char *why)
{
    return h2_stream_fail(H2_ERR_FIELDS, H2_PROTOCOL_ERROR, why); /* RFC 9113, 8.1.1 */
}

static struct h2_fail bad_length(const char *why)
{
    return h2_stream_fail(H2_ERR_BODY_LENGTH, H2_PROTOCOL_ERROR, why); /* RFC 9113, 8.1.1 */
}

static bool is_malformed(const struct h2_conn *c, struct h2_head *head)
{
    return c->opts.validate_received && !h2_head_end(head, h2_connect_protocol_offered(c));
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
    h2_earn_payload(c, sec->octets);
    if (c->rx.block_has_priority) {
        ev->has_priority = true;
        ev->priority = c->rx.block_priority;
    }
    if (ev->end_stream) {
        h2_rx_end_of_stream(c, s);
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
    } else if (is_malformed(c, head)) {
        return malformed(head->malformed);
    } else if (!h2_span_is(head->method, "CONNECT")) {
        length = head->content_length; /* in CONNECT it means nothing (RFC 9110, 9.3.6) */
    }
    if (c->rx.block_end_stream && length > 0 && c->opts.validate_received) {
        return bad_length("content-length, but no DATA");
    }
    struct h2_fail fail = h2_check_output(c);
    if (fail.scope != H2_SCOPE_NONE || !normalize(c, sec)) {
        return fail;
    }
    struct h2_stream *s = h2_stream_open(c, c->rx.frame.stream_id, H2_STATE_OPEN);
    if (s == NULL) {
        return h2_no_fail(); /* the connection is broken */
    }
    c->last_processed = s->id;
    s->rx_head = true;
    s->head_request = h2_span_is(head->method, "HEAD");
    s->connect = h2_span_is(head->method, "CONNECT");
    s->content_left = c->opts.validate_received ? length : -1;
    set_priority(c, s, head);
    uint8_t urgency = s->urgency; /* the stream may be gone when it is told */
    bool incremental = s->incremental;
    tell(c, s, H2_EVENT_REQUEST, sec, ev);
    ev->content_length = length;
    ev->urgency = urgency;
    ev->incremental = incremental;
    if (sec->over == NULL) {
        return h2_no_fail();
    }
    ev->too_large = true;
    ev->fail = h2_stream_fail(H2_ERR_LIMIT, H2_ENHANCE_YOUR_CALM, sec->over);
    return h2_charge(c, H2_BUDGET_ERRORS);
}

/* RFC 9113, 8.4: the request that a server answers unasked. */
static struct h2_fail promise(struct h2_conn *c, struct section *sec, struct h2_event *ev)
{
    struct h2_rx *rx = &c->rx;
    struct h2_head *head = &sec->head;
    const struct h2_stream *parent = h2_stream_find(c, rx->frame.stream_id);
    if (parent == NULL) { /* the caller reset it between the frames of this block */
        return h2_stream_fail(H2_ERR_STREAM_CLOSED, H2_CANCEL,
                              "a promise on a stream that was reset");
    }
    if (sec->over != NULL) {
        return h2_stream_fail(H2_ERR_LIMIT, H2_ENHANCE_YOUR_CALM, sec->over);
    }
    if (is_malformed(c, head)) {
        return malformed(head->malformed);
    }
    if (c->opts.validate_received && !h2_may_be_promised(head)) {
        return malformed("a promised request that is not safe and cacheable, or has a body");
    }
    if (!normalize(c, sec)) {
        return h2_no_fail();
    }
    void *user = parent->user;
    struct h2_stream *s = h2_stream_open(c, rx->block_promised, H2_STATE_RESERVED_REMOTE);
    if (s == NULL) {
        return h2_no_fail();
    }
    c->last_processed = s->id;
    s->tx_head = true;
    s->head_request = h2_span_is(head->method, "HEAD");
    set_priority(c, s, head);
    *ev = (struct h2_event){.type = H2_EVENT_PUSH,
                            .stream_id = rx->frame.stream_id,
                            .user = user,
                            .promised_id = s->id,
                            .fields = rx->fields,
                            .nfields = sec->count,
                            .content_length = -1,
                            .urgency = s->urgency,
                            .incremental = s->incremental};
    return h2_no_fail();
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
    if (is_malformed(c, head)) {
        return malformed(head->malformed);
    }
    bool interim = head->status >= 100 && head->status < 200;
    if (interim && c->rx.block_end_stream) {
        return malformed("a 1xx response that ends the stream");
    }
    if (interim && ++s->interims > MOST_INTERIMS) {
        return h2_stream_fail(H2_ERR_LIMIT, H2_ENHANCE_YOUR_CALM, "more than 32 responses of 1xx");
    }
    int64_t left = response_length(s, head);
    if (!interim && c->rx.block_end_stream && left > 0 && c->opts.validate_received) {
        return bad_length("content-length, but no DATA");
    }
    if (!normalize(c, sec)) {
        return h2_no_fail();
    }
    if (s->state == H2_STATE_RESERVED_REMOTE) {
        h2_stream_move(c, &s, H2_RX_HEADERS);
    }
    if (interim) {
        tell(c, s, H2_EVENT_INFORMATIONAL, sec, ev);
        return h2_no_fail();
    }
    s->rx_head = true;
    s->tunnel = s->connect && head->status < 300;
    s->content_left = c->opts.validate_received ? left : -1;
    tell(c, s, H2_EVENT_RESPONSE, sec, ev);
    ev->content_length = head->content_length;
    return h2_no_fail();
}

static struct h2_fail trailers(struct h2_conn *c, struct h2_stream *s, struct section *sec,
                               struct h2_event *ev)
{
    if (is_malformed(c, &sec->head)) {
        return malformed(sec->head.malformed);
    }
    if (s->content_left > 0) {
        return bad_length("less DATA than content-length says");
    }
    if (normalize(c, sec)) {
        tell(c, s, H2_EVENT_TRAILERS, sec, ev);
    }
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

/* Whether new streams of the peer are looked at: not after our GOAWAY (RFC 9113, 6.8). */
static bool takes_streams(const struct h2_conn *c)
{
    return h2_conn_state_move(c->state, H2_CONN_RX_STREAM)->verdict != H2_IGNORE;
}

/* A block is complete, in place. */
static struct h2_fail end_block(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                struct h2_event *ev)
{
    struct h2_rx *rx = &c->rx;
    bool promised = rx->block_promised != 0;
    struct h2_stream *s = promised ? NULL : h2_stream_find(c, rx->frame.stream_id);
    struct section sec = {.octets = len};
    rx->block_stream = 0;
    rx->target = promised ? rx->block_promised : rx->frame.stream_id;
    if (rx->block_opens ? !takes_streams(c) : s == NULL && rx->block_fail.scope == H2_SCOPE_NONE) {
        rx->block_drop = true; /* the caller sent GOAWAY, or reset it, between its frames */
    }
    sec.store = !rx->block_drop && rx->block_fail.scope == H2_SCOPE_NONE;
    h2_head_begin(&sec.head, section_of(s));

    struct h2_fail fail = decode(c, p, p + len, &sec);
    if (fail.scope != H2_SCOPE_NONE || h2_is_over(c)) {
        return fail;
    }
    if (rx->block_drop) {
        return h2_charge(c, H2_BUDGET_CONTROL);
    }
    if (rx->block_fail.scope != H2_SCOPE_NONE) {
        return rx->block_fail;
    }
    if (sec.head.malformed != NULL) {
        return malformed(sec.head.malformed);
    }
    if (promised) {
        return promise(c, &sec, ev);
    }
    if (s == NULL) {
        return request(c, &sec, ev);
    }
    if (s->tunnel) {
        return h2_stream_fail(H2_ERR_FRAME_TYPE, H2_PROTOCOL_ERROR, "HEADERS in a tunnel");
    }
    if (sec.head.section == H2_SECTION_TRAILERS && !rx->block_end_stream) {
        return malformed("trailers without END_STREAM");
    }
    if (sec.over != NULL) {
        return h2_stream_fail(H2_ERR_LIMIT, H2_ENHANCE_YOUR_CALM, sec.over);
    }
    return sec.head.section == H2_SECTION_TRAILERS ? trailers(c, s, &sec, ev)
                                                   : response(c, s, &sec, ev);
}

/* A new stream of the peer: what is to become of it. */
static void open_by_peer(struct h2_conn *c, uint32_t id, uint32_t in_use)
{
    struct h2_rx *rx = &c->rx;
    c->last_seen = id;
    rx->block_opens = true;
    if (!takes_streams(c)) {
        rx->block_drop = true; /* ignored, not refused */
    } else if (in_use >= c->opts.max_concurrent_streams) {
        rx->block_fail = h2_stream_fail(H2_ERR_STREAM_LIMIT, H2_REFUSED_STREAM,
                                        "more streams than max_concurrent_streams allows");
    }
}

static void begin_block(struct h2_conn *c, const struct h2_move *move)
{
    struct h2_rx *rx = &c->rx;
    rx->block_stream = rx->frame.stream_id;
    rx->block_promised = 0;
    rx->block_frames = 0;
    rx->block_end_stream = false;
    rx->block_drop = move->verdict == H2_IGNORE;
    rx->block_opens = false;
    rx->block_fail = move->fail;
}

/* What is to become of the block whose HEADERS has come. Only a connection error does not wait for
 * its end. */
static struct h2_fail begin_head(struct h2_conn *c)
{
    struct h2_rx *rx = &c->rx;
    uint32_t id = rx->frame.stream_id;
    enum h2_stream_state state = h2_conn_stream_state(c, id);
    const struct h2_move *move = h2_state_move(state, H2_RX_HEADERS);

    begin_block(c, move);
    rx->block_end_stream = (rx->frame.flags & H2_FLAG_END_STREAM) != 0;
    if (move->verdict == H2_REJECT) {
        return move->fail.scope == H2_SCOPE_CONN ? move->fail : h2_no_fail();
    }
    if (state == H2_STATE_IDLE) {
        open_by_peer(c, id, c->active_in);
    }
    if (rx->block_has_priority && rx->block_priority.depends_on == id &&
        rx->block_fail.scope == H2_SCOPE_NONE) {
        rx->block_fail =
            h2_stream_fail(H2_ERR_PROTOCOL, H2_PROTOCOL_ERROR, "a stream that depends on itself");
    }
    return h2_no_fail();
}

/* The same for PUSH_PROMISE. */
static struct h2_fail begin_promise(struct h2_conn *c, uint32_t id)
{
    struct h2_rx *rx = &c->rx;
    if (c->local[H2_SETTINGS_ENABLE_PUSH] == 0) {
        return h2_conn_fail(H2_ERR_FRAME_TYPE, H2_PROTOCOL_ERROR,
                            "PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0");
    }
    const struct h2_move *on =
        h2_state_move(h2_conn_stream_state(c, rx->frame.stream_id), H2_RX_PROMISE);
    if (on->verdict == H2_REJECT) {
        return on->fail;
    }
    if (!h2_is_ours(c, rx->frame.stream_id)) {
        return h2_conn_fail(H2_ERR_STREAM_STATE, H2_PROTOCOL_ERROR,
                            "PUSH_PROMISE on a stream that the client has not opened");
    }
    const struct h2_move *of = h2_state_move(h2_conn_stream_state(c, id), H2_RX_PROMISED);
    if (of->verdict == H2_REJECT) {
        return of->fail;
    }
    struct h2_fail limit = h2_charge(c, H2_BUDGET_CONTROL);
    if (limit.scope != H2_SCOPE_NONE) {
        return limit;
    }
    begin_block(c, of);
    rx->block_promised = id;
    open_by_peer(c, id, c->map.count - c->active_out); /* reserved ones, too: they cost as much */
    if (c->announced[H2_SETTINGS_ENABLE_PUSH] == 0) {
        rx->block_fail = h2_stream_fail(H2_ERR_FRAME_TYPE, H2_REFUSED_STREAM,
                                        "PUSH_PROMISE while SETTINGS_ENABLE_PUSH 0 is on its way");
    } else if (on->verdict == H2_IGNORE) { /* RFC 9113, 6.6: it may have been on its way */
        rx->block_fail =
            h2_stream_fail(H2_ERR_STREAM_CLOSED, H2_CANCEL, "a promise on a stream that was reset");
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

/* The first frame of a block, without what stood before the block and behind it. */
static struct h2_fail first_fragment(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                     struct h2_event *ev)
{
    if (len > c->opts.limits.header_block_bytes) {
        return h2_limit_fail("a header block longer than header_block_bytes allows");
    }
    if ((c->rx.frame.flags & H2_FLAG_END_HEADERS) != 0) {
        return end_block(c, p, len, ev);
    }
    keep_first(c, p, len);
    return len == 0 ? h2_charge(c, H2_BUDGET_EMPTY) : h2_no_fail();
}

/* Takes the pad length off the front and the padding off the end. */
static struct h2_fail strip_padding(const struct h2_frame *f, const uint8_t **p, uint32_t *len,
                                    uint32_t needed)
{
    uint32_t pad = 0;
    if ((f->flags & H2_FLAG_PADDED) != 0) {
        if (*len < 1) {
            return h2_conn_fail(H2_ERR_FRAME_DATA, H2_FRAME_SIZE_ERROR,
                                "a header block's frame without its pad length");
        }
        pad = **p;
        (*p)++;
        (*len)--;
    }
    if (*len < needed) {
        return h2_conn_fail(H2_ERR_FRAME_DATA, H2_FRAME_SIZE_ERROR,
                            "a header block's frame without what stands before the block");
    }
    if (pad > *len - needed) {
        return h2_conn_fail(H2_ERR_FRAME_DATA, H2_PROTOCOL_ERROR,
                            "a header block's frame padded beyond its end");
    }
    *len -= pad;
    return h2_no_fail();
}

struct h2_fail h2_rx_headers(struct h2_conn *c, const uint8_t *p, uint32_t len, struct h2_event *ev)
{
    struct h2_rx *rx = &c->rx;
    rx->block_has_priority = (rx->frame.flags & H2_FLAG_PRIORITY) != 0;
    uint32_t prefix = rx->block_has_priority ? H2_PRIORITY_LEN : 0;
    struct h2_fail fail = strip_padding(&rx->frame, &p, &len, prefix);
    if (fail.scope != H2_SCOPE_NONE) {
        return fail;
    }
    if (rx->block_has_priority) {
        rx->block_priority = h2_get_priority(p);
    }
    fail = begin_head(c);
    return fail.scope != H2_SCOPE_NONE ? fail : first_fragment(c, p + prefix, len - prefix, ev);
}

struct h2_fail h2_rx_push_promise(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                  struct h2_event *ev)
{
    struct h2_rx *rx = &c->rx;
    uint32_t prefix = 4;
    rx->block_has_priority = false;
    struct h2_fail fail = strip_padding(&rx->frame, &p, &len, prefix);
    if (fail.scope == H2_SCOPE_NONE) {
        fail = begin_promise(c, h2_get32(p) & H2_MAX_STREAM_ID);
    }
    return fail.scope != H2_SCOPE_NONE ? fail : first_fragment(c, p + prefix, len - prefix, ev);
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
        return len == 0 ? h2_charge(c, H2_BUDGET_EMPTY) : h2_no_fail();
    }
    /* Of an empty block nothing was kept, and there is no memory for it. */
    return end_block(c, rx->block_len > 0 ? rx->buf : p, rx->block_len, ev);
}
