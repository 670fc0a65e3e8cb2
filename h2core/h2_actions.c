/*
 * What the caller does with streams: requests, responses, bodies, trailers, resets, credit. Each
 * checks the stream's state in the table, queues its frames, and moves the state.
 */
#include "h2_internal.h"

/* Streams that a client opens before it knows the peer's limit: the least that RFC 9113, 6.5.2
 * recommends. */
#define STREAMS_BEFORE_SETTINGS 100u

/* A DATA frame smaller than this whose size the peer's window dictated earns no WINDOW_UPDATE. */
#define DRIBBLE 1024u

#define MOST_WINDOW_UPDATES 1000u

static enum h2_rc result(const struct h2_conn *c)
{
    return c->over ? H2_ERR_NOMEM : H2_OK;
}

/* The live stream that may be given this input. */
static enum h2_rc find(const struct h2_conn *c, uint32_t id, enum h2_input input,
                       struct h2_stream **s)
{
    if (c->over) {
        return H2_ERR_CLOSED;
    }
    *s = h2_stream_find(c, id);
    if (*s == NULL) {
        return H2_ERR_NO_STREAM;
    }
    return h2_state_move((*s)->state, input)->verdict == H2_ACCEPT ? H2_OK : H2_ERR_STREAM_STATE;
}

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
}

void *h2_stream_user(const struct h2_conn *c, uint32_t stream_id)
{
    const struct h2_stream *s = h2_stream_find(c, stream_id);
    return s != NULL ? s->user : NULL;
}

/* ---------------------------------------------------------------- heads and trailers */

static enum h2_rc may_request(const struct h2_conn *c)
{
    uint32_t limit = c->peer[H2_SETTINGS_MAX_CONCURRENT_STREAMS];
    if (!c->peer_settings && limit > STREAMS_BEFORE_SETTINGS) {
        limit = STREAMS_BEFORE_SETTINGS;
    }
    if (c->over) {
        return H2_ERR_CLOSED;
    }
    if (c->goaway_received || c->shut) {
        return H2_ERR_GOAWAY;
    }
    if (c->next_id > H2_MAX_STREAM_ID) {
        return H2_ERR_NO_STREAM_ID;
    }
    return c->map.count < limit ? H2_OK : H2_ERR_STREAM_LIMIT;
}

bool h2_conn_can_request(const struct h2_conn *c)
{
    return c->role == H2_CLIENT && may_request(c) == H2_OK;
}

enum h2_rc h2_conn_request(struct h2_conn *c, const struct h2_field *fields, size_t n,
                           bool end_stream, void *user, uint32_t *stream_id)
{
    assert(c->role == H2_CLIENT);
    struct h2_head head;
    enum h2_rc rc = may_request(c);
    if (rc != H2_OK) {
        return rc;
    }
    if (!h2_fields_sendable(&head, H2_SECTION_REQUEST, fields, n) ||
        (head.protocol.p != NULL && c->peer[H2_SETTINGS_ENABLE_CONNECT_PROTOCOL] == 0)) {
        return H2_ERR_FIELDS;
    }
    struct h2_stream *s = h2_stream_open(c, c->next_id, H2_STATE_OPEN);
    if (s == NULL) {
        return H2_ERR_NOMEM;
    }
    c->next_id += 2;
    *stream_id = s->id;
    s->user = user;
    s->tx_head = true;
    s->head_request = h2_span_is(head.method, "HEAD");
    s->connect = h2_span_is(head.method, "CONNECT");
    if (head.priority.p != NULL) {
        h2_priority_parse(head.priority.p, head.priority.len, &s->urgency, &s->incremental);
    }
    h2_tx_header_block(c, s->id, end_stream, fields, n);
    if (end_stream) {
        end_our_side(c, s);
    }
    return result(c);
}

enum h2_rc h2_conn_respond(struct h2_conn *c, uint32_t stream_id, const struct h2_field *fields,
                           size_t n, bool end_stream)
{
    assert(c->role == H2_SERVER);
    struct h2_stream *s;
    struct h2_head head;
    enum h2_rc rc = find(c, stream_id, H2_TX_HEADERS, &s);
    if (rc != H2_OK) {
        return rc;
    }
    if (s->tx_head) {
        return H2_ERR_STREAM_STATE;
    }
    if (!h2_fields_sendable(&head, H2_SECTION_RESPONSE, fields, n) ||
        (head.status < 200 && end_stream)) {
        return H2_ERR_FIELDS;
    }
    h2_tx_header_block(c, s->id, end_stream, fields, n);
    if (head.status < 200) {
        return result(c);
    }
    s->tx_head = true;
    if (head.priority.p != NULL) { /* the origin knows better than the client (RFC 9218, 8) */
        uint8_t urgency = s->urgency;
        bool incremental = s->incremental;
        h2_priority_parse(head.priority.p, head.priority.len, &urgency, &incremental);
        h2_sched_set_priority(c, s, urgency, incremental);
    }
    if (end_stream) {
        end_our_side(c, s);
    } else {
        h2_sched_update(c, s);
    }
    return result(c);
}

enum h2_rc h2_conn_trailers(struct h2_conn *c, uint32_t stream_id, const struct h2_field *fields,
                            size_t n)
{
    struct h2_stream *s;
    struct h2_head head;
    enum h2_rc rc = find(c, stream_id, H2_TX_HEADERS, &s);
    if (rc != H2_OK) {
        return rc;
    }
    if (!s->tx_head) {
        return H2_ERR_STREAM_STATE;
    }
    if (!h2_fields_sendable(&head, H2_SECTION_TRAILERS, fields, n)) {
        return H2_ERR_FIELDS;
    }
    h2_tx_header_block(c, s->id, true, fields, n);
    end_our_side(c, s);
    return result(c);
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
    if (c->over || c->tx.window <= 0 || h2_conn_wants_send(c)) {
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

void h2_conn_data_frame(struct h2_conn *c, uint32_t stream_id, size_t len, bool end_stream,
                        uint8_t header[H2_FRAME_HEADER_LEN])
{
    struct h2_stream *s;
    enum h2_rc rc = find(c, stream_id, H2_TX_DATA, &s);
    assert(rc == H2_OK && s->tx_head);
    (void)rc;
    size_t limit = data_limit(c, s);
    assert(len > 0 && len <= limit);
    h2_put_frame_header(header, (uint32_t)len, H2_FRAME_DATA, end_stream ? H2_FLAG_END_STREAM : 0,
                        stream_id);
    c->tx.window -= (int32_t)len;
    s->tx_window -= (int32_t)len;
    if ((len < limit || len >= DRIBBLE) && c->window_updates < MOST_WINDOW_UPDATES) {
        c->window_updates += 2; /* one for each window */
    }
    h2_sched_sent(c, s);
    if (end_stream) {
        end_our_side(c, s);
    }
}

enum h2_rc h2_conn_end_stream(struct h2_conn *c, uint32_t stream_id)
{
    struct h2_stream *s;
    enum h2_rc rc = find(c, stream_id, H2_TX_END, &s);
    if (rc != H2_OK) {
        return rc;
    }
    if (!s->tx_head) {
        return H2_ERR_STREAM_STATE;
    }
    h2_tx_frame(c, H2_FRAME_DATA, H2_FLAG_END_STREAM, s->id, NULL, 0);
    end_our_side(c, s);
    return result(c);
}

enum h2_rc h2_conn_consume(struct h2_conn *c, uint32_t stream_id, uint32_t n)
{
    if (c->over) {
        return H2_ERR_CLOSED;
    }
    h2_flow_give_back(c, h2_stream_find(c, stream_id), n);
    return result(c);
}

/* ---------------------------------------------------------------- the rest */

enum h2_rc h2_conn_reset(struct h2_conn *c, uint32_t stream_id, enum h2_code code)
{
    struct h2_stream *s;
    enum h2_rc rc = find(c, stream_id, H2_TX_RST, &s);
    if (rc != H2_OK) {
        return rc;
    }
    h2_tx_rst_stream(c, stream_id, code);
    h2_stream_move(c, &s, H2_TX_RST);
    return result(c);
}

enum h2_rc h2_conn_ping(struct h2_conn *c, const uint8_t opaque[8])
{
    if (c->over) {
        return H2_ERR_CLOSED;
    }
    h2_tx_frame(c, H2_FRAME_PING, 0, 0, opaque, 8);
    return result(c);
}
