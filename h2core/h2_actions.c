/*
 * What the caller does with streams: requests, responses, pushes, bodies, trailers, resets, credit.
 * Each checks the states in the tables, queues its frames, and moves the state.
 */
#include "h2_internal.h"

#include <string.h>

/* Streams that a client opens before it knows the peer's limit: the least that RFC 9113, 6.5.2
 * recommends. */
#define STREAMS_BEFORE_SETTINGS 100u

/* A DATA frame smaller than this whose size the peer's window dictated earns no WINDOW_UPDATE. */
#define DRIBBLE 1024u

#define MOST_PADDING 255

static void end_our_side(struct h2_conn *c, struct h2_stream *s)
{
    s->ready = false;
    h2_stream_move(c, &s, H2_TX_END);
}

/* ---------------------------------------------------------------- user pointers */

void h2_stream_set_user(struct h2_conn *c, uint32_t stream_id, void *user)
{
    struct h2_stream *s = h2_stream_find(c, stream_id);
    if (s != NULL) {
        s->user = user;
    }
    if (c->rx.ended == stream_id) {
        c->rx.ended_user = user;
    }
}

void *h2_stream_user(const struct h2_conn *c, uint32_t stream_id)
{
    const struct h2_stream *s = h2_stream_find(c, stream_id);
    return s != NULL ? s->user : NULL;
}

/* ---------------------------------------------------------------- fields that are to be sent */

/* Makes fields fit to be sent and reads what the engine needs to know of them; out->memory is to be
 * freed when they are sent. */
static enum h2_error prepare(struct h2_conn *c, struct h2_head *head, enum h2_section section,
                             const struct h2_field *fields, size_t n, struct h2_list *out)
{
    *out = (struct h2_list){fields, n, NULL};
    /* Nearly all are as they should be. What is valid has nothing to be normalized but capitals. */
    if (c->opts.validate_sent && h2_fields_sendable(head, section, fields, n) &&
        !(c->opts.normalize_sent && h2_names_have_upper(fields, n))) {
        return H2_OK;
    }
    if (c->opts.normalize_sent && !h2_normalize(c, fields, n, out)) {
        return H2_ERR_NOMEM;
    }
    if (!c->opts.validate_sent) {
        h2_fields_read(head, section, out->fields, out->n);
    } else if (!h2_fields_sendable(head, section, out->fields, out->n)) {
        h2_resize(c, out->memory, 0);
        out->memory = NULL;
        return H2_ERR_FIELDS;
    }
    return H2_OK;
}

/* RFC 9113, 8.1.1: a message that ends with its head has no body to be announced. */
static bool lacks_its_body(const struct h2_conn *c, const struct h2_head *head, bool end_stream)
{
    return c->opts.validate_sent && end_stream && head->content_length > 0;
}

static void send_block(struct h2_conn *c, const struct h2_block *block, const struct h2_list *list)
{
    h2_tx_block(c, block, list->fields, list->n);
    h2_resize(c, list->memory, 0);
}

static void send_head(struct h2_conn *c, uint32_t id, bool end_stream, const struct h2_list *list)
{
    struct h2_block block = {
        .type = H2_FRAME_HEADERS, .flags = end_stream ? H2_FLAG_END_STREAM : 0, .stream_id = id};
    send_block(c, &block, list);
}

/* The priority field of a message (RFC 9218, 5). */
static void read_priority(const struct h2_head *head, uint8_t *urgency, bool *incremental)
{
    if (head->priority.p != NULL) {
        h2_priority_parse(head->priority.p, head->priority.len, urgency, incremental);
    }
}

/* ---------------------------------------------------------------- requests */

/* Whether the peer lets us open one more stream. */
static bool is_stream_free(const struct h2_conn *c)
{
    uint32_t limit = c->peer[H2_SETTINGS_MAX_CONCURRENT_STREAMS];
    if (!c->peer_settings && limit > STREAMS_BEFORE_SETTINGS) {
        limit = STREAMS_BEFORE_SETTINGS;
    }
    return c->active_out < limit;
}

static enum h2_error may_request(const struct h2_conn *c)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_STREAM);
    if (error == H2_OK && c->next_id > H2_MAX_STREAM_ID) {
        error = H2_ERR_NO_STREAM_ID;
    }
    return error == H2_OK && !is_stream_free(c) ? H2_ERR_STREAM_LIMIT : error;
}

bool h2_conn_can_request(const struct h2_conn *c)
{
    return c->role == H2_CLIENT && may_request(c) == H2_OK;
}

/* Opens the next stream of ours for the request in `head`. NULL: no memory. */
static struct h2_stream *open_next(struct h2_conn *c, enum h2_stream_state state,
                                   const struct h2_head *head, void *user, uint32_t *stream_id)
{
    struct h2_stream *s = h2_stream_open(c, c->next_id, state);
    if (s == NULL) {
        return NULL;
    }
    c->next_id += 2;
    *stream_id = s->id;
    s->user = user;
    s->head_request = h2_span_is(head->method, "HEAD");
    read_priority(head, &s->urgency, &s->incremental);
    return s;
}

enum h2_error h2_conn_request_with_priority(struct h2_conn *c, const struct h2_field *fields,
                                            size_t n, bool end_stream,
                                            const struct h2_priority *priority, void *user,
                                            uint32_t *stream_id)
{
    struct h2_head head;
    struct h2_list list;
    enum h2_error error = c->role == H2_CLIENT ? may_request(c) : H2_ERR_FRAME_TYPE;
    if (error == H2_OK && priority != NULL && !h2_priority_ok(priority, c->next_id)) {
        error = H2_ERR_VALUE;
    }
    if (error == H2_OK) {
        error = prepare(c, &head, H2_SECTION_REQUEST, fields, n, &list);
    }
    if (error != H2_OK) {
        return error;
    }
    struct h2_stream *s = NULL;
    if (head.protocol.p != NULL && c->peer[H2_SETTINGS_ENABLE_CONNECT_PROTOCOL] == 0) {
        error = H2_ERR_UNSUPPORTED; /* RFC 8441, section 3 */
    } else if (lacks_its_body(c, &head, end_stream)) {
        error = H2_ERR_FIELDS;
    } else {
        s = open_next(c, H2_STATE_OPEN, &head, user, stream_id);
        error = s != NULL ? H2_OK : H2_ERR_NOMEM;
    }
    if (error != H2_OK) {
        h2_resize(c, list.memory, 0);
        return error;
    }
    s->tx_head = true;
    s->connect = h2_span_is(head.method, "CONNECT");

    struct h2_block block = {
        .type = H2_FRAME_HEADERS, .flags = end_stream ? H2_FLAG_END_STREAM : 0, .stream_id = s->id};
    if (priority != NULL) {
        block.flags |= H2_FLAG_PRIORITY;
        block.prefix_len = H2_PRIORITY_LEN;
        h2_put_priority(block.prefix, priority);
    }
    send_block(c, &block, &list);
    if (end_stream) {
        end_our_side(c, s);
    }
    return h2_result(c);
}

enum h2_error h2_conn_request(struct h2_conn *c, const struct h2_field *fields, size_t n,
                              bool end_stream, void *user, uint32_t *stream_id)
{
    return h2_conn_request_with_priority(c, fields, n, end_stream, NULL, user, stream_id);
}

/* ---------------------------------------------------------------- responses */

enum h2_error h2_conn_respond(struct h2_conn *c, uint32_t stream_id, const struct h2_field *fields,
                              size_t n, bool end_stream)
{
    struct h2_stream *s;
    struct h2_head head;
    struct h2_list list;
    enum h2_error error = h2_stream_may(c, stream_id, H2_TX_HEADERS, &s);
    if (c->role != H2_SERVER) {
        error = H2_ERR_FRAME_TYPE;
    }
    if (error == H2_OK && s->tx_head) {
        error = H2_ERR_STREAM_STATE;
    }
    bool promised = error == H2_OK && s->state == H2_STATE_RESERVED_LOCAL;
    if (promised && !is_stream_free(c)) {
        error = H2_ERR_STREAM_LIMIT; /* a promise counts from now on (RFC 9113, 8.4.1) */
    }
    if (error == H2_OK) {
        error = prepare(c, &head, H2_SECTION_RESPONSE, fields, n, &list);
    }
    if (error != H2_OK) {
        return error;
    }
    bool interim = head.status >= 100 && head.status < 200;
    bool bodiless = s->head_request || head.status == 204 || head.status == 304;
    if (end_stream && (interim || (!bodiless && lacks_its_body(c, &head, true)))) {
        h2_resize(c, list.memory, 0);
        return H2_ERR_FIELDS;
    }
    send_head(c, s->id, end_stream, &list);
    if (promised) {
        h2_stream_move(c, &s, H2_TX_HEADERS);
    }
    if (interim) {
        return h2_result(c);
    }
    s->tx_head = true;
    s->tunnel = s->connect && head.status < 300;
    if (head.priority.p != NULL) { /* the origin knows better than the client (RFC 9218, 8) */
        uint8_t urgency = s->urgency;
        bool incremental = s->incremental;
        read_priority(&head, &urgency, &incremental);
        h2_sched_set_priority(c, s, urgency, incremental);
    }
    if (end_stream) {
        end_our_side(c, s);
    } else {
        h2_sched_update(c, s);
    }
    return h2_result(c);
}

enum h2_error h2_conn_trailers(struct h2_conn *c, uint32_t stream_id, const struct h2_field *fields,
                               size_t n)
{
    struct h2_stream *s;
    struct h2_head head;
    struct h2_list list;
    enum h2_error error = h2_stream_may(c, stream_id, H2_TX_HEADERS, &s);
    if (error == H2_OK && (!s->tx_head || s->tunnel)) {
        error = H2_ERR_STREAM_STATE;
    }
    if (error == H2_OK) {
        error = prepare(c, &head, H2_SECTION_TRAILERS, fields, n, &list);
    }
    if (error != H2_OK) {
        return error;
    }
    send_head(c, s->id, true, &list);
    end_our_side(c, s);
    return h2_result(c);
}

enum h2_error h2_conn_push(struct h2_conn *c, uint32_t stream_id, const struct h2_field *fields,
                           size_t n, void *user, uint32_t *promised_id)
{
    struct h2_stream *parent;
    struct h2_head head;
    struct h2_list list;
    enum h2_error error =
        c->role == H2_SERVER ? h2_conn_may(c, H2_CONN_TX_STREAM) : H2_ERR_FRAME_TYPE;
    if (error == H2_OK) {
        error = h2_stream_may(c, stream_id, H2_TX_PROMISE, &parent);
    }
    if (error == H2_OK && !parent->inbound) {
        error = H2_ERR_STREAM_STATE; /* only on a stream that the peer has opened (6.6) */
    }
    if (error == H2_OK && c->peer[H2_SETTINGS_ENABLE_PUSH] == 0) {
        error = H2_ERR_UNSUPPORTED;
    }
    if (error == H2_OK && c->next_id > H2_MAX_STREAM_ID) {
        error = H2_ERR_NO_STREAM_ID;
    }
    if (error == H2_OK) {
        error = prepare(c, &head, H2_SECTION_REQUEST, fields, n, &list);
    }
    if (error != H2_OK) {
        return error;
    }
    struct h2_stream *s = NULL;
    if (c->opts.validate_sent && !h2_may_be_promised(&head)) {
        error = H2_ERR_FIELDS;
    } else {
        s = open_next(c, H2_STATE_RESERVED_LOCAL, &head, user, promised_id);
        error = s != NULL ? H2_OK : H2_ERR_NOMEM;
    }
    if (error != H2_OK) {
        h2_resize(c, list.memory, 0);
        return error;
    }
    s->rx_head = true;
    struct h2_block block = {
        .type = H2_FRAME_PUSH_PROMISE, .stream_id = stream_id, .prefix_len = 4};
    h2_put32(block.prefix, s->id);
    send_block(c, &block, &list);
    return h2_result(c);
}

/* ---------------------------------------------------------------- bodies */

void h2_stream_set_ready(struct h2_conn *c, uint32_t stream_id, bool ready)
{
    struct h2_stream *s = h2_stream_find(c, stream_id);
    if (s != NULL && s->ready != ready) {
        s->ready = ready;
        h2_sched_update(c, s);
    }
}

/* Flow-controlled octets that the stream may send in one frame. */
static size_t data_limit(const struct h2_conn *c, const struct h2_stream *s)
{
    int32_t limit = (int32_t)c->peer[H2_SETTINGS_MAX_FRAME_SIZE];
    if (limit > s->tx_window) {
        limit = s->tx_window;
    }
    if (limit > c->tx.window) {
        limit = c->tx.window;
    }
    return limit > 0 ? (size_t)limit : 0;
}

uint32_t h2_conn_next_writable(struct h2_conn *c, size_t *limit, void **user)
{
    if (h2_is_over(c) || c->tx.window <= 0 || h2_conn_wants_send(c)) {
        return 0;
    }
    const struct h2_stream *s = h2_sched_next(c);
    if (s == NULL) {
        return 0;
    }
    *limit = data_limit(c, s);
    assert(*limit > 0);
    if (user != NULL) {
        *user = s->user;
    }
    return s->id;
}

/* Charges a DATA frame of `len` flow-controlled octets and moves the stream on. */
static void charge_data(struct h2_conn *c, struct h2_stream *s, size_t len, bool end_stream)
{
    size_t limit = data_limit(c, s);
    assert(len <= limit);
    c->tx.window -= (int32_t)len;
    s->tx_window -= (int32_t)len;
    if (len < limit || len >= DRIBBLE) {
        h2_earn_data_sent(c);
    }
    h2_sched_sent(c, s);
    if (end_stream) {
        end_our_side(c, s);
    }
}

static void data_frame(struct h2_conn *c, uint32_t stream_id, size_t flow_len, uint8_t flags,
                       uint8_t header[H2_FRAME_HEADER_LEN])
{
    struct h2_stream *s;
    enum h2_error error = h2_stream_may(c, stream_id, H2_TX_DATA, &s);
    assert(error == H2_OK && s->tx_head && flow_len > 0);
    (void)error;
    h2_put_frame_header(header, (uint32_t)flow_len, H2_FRAME_DATA, flags, stream_id);
    if (h2_is_traced(c)) {
        struct h2_frame f = h2_get_frame_header(header);
        h2_trace_frame_always(c, H2_TRACE_FRAME_SENT, &f, NULL);
    }
    charge_data(c, s, flow_len, (flags & H2_FLAG_END_STREAM) != 0);
}

void h2_conn_data_frame(struct h2_conn *c, uint32_t stream_id, size_t len, bool end_stream,
                        uint8_t header[H2_FRAME_HEADER_LEN])
{
    data_frame(c, stream_id, len, end_stream ? H2_FLAG_END_STREAM : 0, header);
}

void h2_conn_padded_data_frame(struct h2_conn *c, uint32_t stream_id, size_t len, uint8_t pad,
                               bool end_stream, uint8_t header[H2_FRAME_HEADER_LEN + 1])
{
    data_frame(c, stream_id, len + 1 + pad,
               (uint8_t)(H2_FLAG_PADDED | (end_stream ? H2_FLAG_END_STREAM : 0)), header);
    header[H2_FRAME_HEADER_LEN] = pad;
}

enum h2_error h2_conn_send_data(struct h2_conn *c, uint32_t stream_id, const void *data, size_t len,
                                int pad, bool end_stream)
{
    struct h2_stream *s;
    enum h2_error error = h2_stream_may(c, stream_id, H2_TX_DATA, &s);
    if (error == H2_OK && !s->tx_head) {
        error = H2_ERR_STREAM_STATE;
    }
    if (error == H2_OK && (pad < H2_NO_PADDING || pad > MOST_PADDING)) {
        error = H2_ERR_VALUE;
    }
    if (error != H2_OK) {
        return error;
    }
    size_t padding = pad == H2_NO_PADDING ? 0 : 1 + (size_t)pad;
    if (len > c->peer[H2_SETTINGS_MAX_FRAME_SIZE] - padding) {
        return H2_ERR_FRAME_SIZE;
    }
    size_t flow_len = len + padding; /* 0: an empty frame needs no window (6.9.1) */
    if (flow_len > data_limit(c, s)) {
        return H2_ERR_FLOW_CONTROL;
    }
    uint8_t flags =
        (uint8_t)((end_stream ? H2_FLAG_END_STREAM : 0) | (padding > 0 ? H2_FLAG_PADDED : 0));
    uint8_t *out = h2_tx_begin(c, H2_FRAME_DATA, flags, stream_id, flow_len);
    if (out == NULL) {
        return H2_ERR_NOMEM;
    }
    uint8_t *body = out;
    if (padding > 0) {
        *body++ = (uint8_t)pad;
        memset(body + len, 0, (size_t)pad);
    }
    if (len > 0) {
        memcpy(body, data, len);
    }
    h2_tx_end(c, out);
    charge_data(c, s, flow_len, end_stream);
    return H2_OK;
}

enum h2_error h2_conn_end_stream(struct h2_conn *c, uint32_t stream_id)
{
    struct h2_stream *s;
    enum h2_error error = h2_stream_may(c, stream_id, H2_TX_END, &s);
    if (error == H2_OK && !s->tx_head) {
        error = H2_ERR_STREAM_STATE;
    }
    if (error != H2_OK) {
        return error;
    }
    h2_tx_frame(c, H2_FRAME_DATA, H2_FLAG_END_STREAM, s->id, NULL, 0);
    end_our_side(c, s);
    return h2_result(c);
}

enum h2_error h2_conn_consume(struct h2_conn *c, uint32_t stream_id, uint32_t n)
{
    if (h2_is_over(c)) {
        return H2_ERR_CLOSED;
    }
    h2_flow_give_back(c, h2_stream_find(c, stream_id), n);
    return h2_result(c);
}

/* ---------------------------------------------------------------- the end of a stream */

enum h2_error h2_conn_reset(struct h2_conn *c, uint32_t stream_id, enum h2_code code)
{
    struct h2_stream *s;
    enum h2_error error = h2_stream_may(c, stream_id, H2_TX_RST, &s);
    if (error != H2_OK) {
        return error;
    }
    if (c->rx.ended == stream_id) {
        c->rx.ended = 0;
    }
    h2_tx_rst_stream(c, stream_id, code);
    h2_stream_move(c, &s, H2_TX_RST);
    return h2_result(c);
}
