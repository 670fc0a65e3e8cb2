/*
 * A connection to an HTTP/2 backend, shared by many exchanges: a stream for each. Exchanges that
 * come while it is being opened wait for it; when its streams are used up the pool opens another
 * one.
 */
#include "back/back_h2_internal.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "exchange/h2_body.h"
#include "exchange/message.h"
#include "exchange/tunnel.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/targets.h"
#include "route/routes.h"

static const struct exchange_ops exchange_ops;

/* ---------------------------------------------------------------- ending */

static void free_back(struct reap *r)
{
    struct back_h2 *b = container_of(r, struct back_h2, reap);
    timer_remove(&b->timer);
    h2_conn_free(b->engine);
    b->magic = 0;
    free(b);
}

void back_h2_destroy(struct back_h2 *b, bool say_goodbye)
{
    assert(list_empty(&b->waiting) && list_empty(&b->streams));
    list_remove(&b->node);
    list_remove(&b->pool_node);
    list_remove(&b->client_node);
    timer_stop(&b->timer);
    if (say_goodbye) {
        conn_finish(b->conn);
    } else {
        conn_close(b->conn);
    }
    pool_probed(b->pool, &b->probes, false, "the connection ended");
    worker_reap(b->pool->worker, &b->reap, free_back);
    pool_conn_gone(b->pool);
}

void back_h2_stop_taking(struct back_h2 *b)
{
    b->closing = true;
    list_remove(&b->node);
}

void back_h2_let_go(struct back_h2 *b, struct exchange *x)
{
    if (x->back_stream != 0) {
        h2_stream_set_user(b->engine, x->back_stream, NULL);
        /* What the front has not taken yet holds back nothing but this stream, and that is over. */
        (void)h2_conn_consume(b->engine, x->back_stream, (uint32_t)x->down.len);
    } else {
        b->nwaiting--;
    }
    exchange_detach_back(x);
}

void back_h2_lose(struct back_h2 *b, struct exchange *x, enum exchange_error why,
                  enum exchange_progress progress)
{
    back_h2_let_go(b, x);
    exchange_lost(x, why, progress);
}

/* There will be no stream for them here. */
static void lose_waiting(struct back_h2 *b, enum exchange_error why)
{
    while (!list_empty(&b->waiting)) {
        struct exchange *x = container_of(b->waiting.next, struct exchange, back_node);
        back_h2_lose(b, x, why, EXCHANGE_UNSENT);
    }
}

/* The connection is over for all of them. */
static void fail_all(struct back_h2 *b, enum exchange_error why)
{
    back_h2_stop_taking(b);
    while (!list_empty(&b->streams)) {
        struct exchange *x = container_of(b->streams.next, struct exchange, back_node);
        bool answered = x->response.status != 0;
        back_h2_lose(b, x, back_death(why, b->served, answered),
                     answered ? EXCHANGE_ANSWERED : EXCHANGE_SENT);
    }
    lose_waiting(b, why);
}

void back_h2_fail(struct back_h2 *b, enum exchange_error why)
{
    fail_all(b, why);
    back_h2_destroy(b, false);
}

/* ---------------------------------------------------------------- time-outs of streams */

static void on_stream_timer(struct timer *t);

/*
 * --backend-stream-write-timeout while request bytes wait for window; while the backend is waited
 * for --backend-stream-read-timeout or, as over HTTP/1.1, the read-timeout of the group: what it
 * says on other streams of the connection is of no use to this one. An octet in either direction is
 * a sign of life. A client that does not read is the front's business.
 */
static void watch_stream(struct exchange *x)
{
    const struct config *cfg = x->worker->cfg;
    uint64_t ms = 0;
    bool sends = x->up.len > 0 && exchange_may_send_up(x);
    x->back_timer_reads = !sends;
    uint64_t read = cfg->backend_stream_read_timeout;
    read = read != 0 ? read : x->group->group->read_timeout;
    if (sends) {
        ms = cfg->backend_stream_write_timeout;
        x->back_timer_mark = ms != 0 ? x->up.taken + exchange_step(x->up.len) : 0;
        ms = ms != 0 ? ms : read; /* no limit: it is looked whether it has been sent meanwhile */
    } else if (x->down.len == 0) {
        x->back_timer_mark = exchange_moved(x) + 1;
        ms = read;
    }
    x->back_timer.fire = on_stream_timer;
    timer_set(&x->worker->wheel, &x->back_timer, ms);
}

/* As with the front's: not moved with every byte, but looked at when it fires. */
static void on_stream_timer(struct timer *t)
{
    struct exchange *x = container_of(t, struct exchange, back_timer);
    struct back_h2 *b = back_h2_checked(x->back);
    uint64_t moved = x->back_timer_reads ? exchange_moved(x) : x->up.taken;
    if (moved >= x->back_timer_mark) {
        watch_stream(x);
        return;
    }
    if (x->back_timer_reads && back_h2_is_overdue(b)) {
        back_h2_on_timeout(&b->timer); /* nothing has come on any stream: all of it is over */
        return;
    }
    (void)h2_conn_reset(b->engine, x->back_stream, H2_CANCEL);
    back_h2_let_go(b, x);
    exchange_fail(x, EXCHANGE_BACKEND_TIMEOUT);
    conn_want_output(b->conn);
}

/* ---------------------------------------------------------------- requests, outwards */

static void submit_waiting(struct back_h2 *b);

/* Both directions of a tunnel have ended, and the stream with them. */
static void finish_tunnel(struct back_h2 *b, struct exchange *x)
{
    back_h2_let_go(b, x);
    x->front_ops->body(x);
    submit_waiting(b);
}

/* Our side of the request has ended. */
static void request_sent(struct exchange *x)
{
    assert(x->back_ops == &exchange_ops);
    x->request_sent = true;
    if (x->tunnel.open && x->down.ended) {
        finish_tunnel(back_h2_checked(x->back), x);
    } else {
        watch_stream(x); /* it is the backend that is waited for, from now on */
    }
}

/* RFC 8441, 3: whether the backend takes a WebSocket; before its SETTINGS nobody knows. */
static bool takes_websocket(const struct back_h2 *b)
{
    return h2_conn_peer_setting(b->engine, H2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

static bool is_websocket(const struct exchange *x)
{
    return x->tunnel.wanted == TUNNEL_WEBSOCKET;
}

/* Unless it has said that it does not take what the exchange wants. */
static bool may_carry(const struct back_h2 *b, const struct exchange *x)
{
    return !is_websocket(x) || !b->settings_seen || takes_websocket(b);
}

/* Servers behind one address may differ: one connection that may is enough. */
bool back_may_take(const struct pool *p, const struct exchange *x)
{
    bool any = false;
    list_each(node, &p->h2)
    {
        if (may_carry(container_of(node, struct back_h2, node), x)) {
            return true;
        }
        any = true;
    }
    return !any;
}

/* Opens a stream for the exchange. False: there is none to be had here. */
static bool submit(struct back_h2 *b, struct exchange *x)
{
    struct field_list l = message_request_fields(x, 2);
    bool tunnel = tunnel_asked_of(x, 2);
    bool end = !x->request.m.has_body && !tunnel;
    uint32_t id;
    enum h2_error rc = h2_conn_request(b->engine, l.f, l.n, end, x, &id);
    if (rc != H2_OK) {
        LOG(INFO, "backend %s: a request cannot be sent over HTTP/2: %s", b->pool->text,
            h2_error_text(rc));
        return false;
    }
    x->back_stream = id;
    x->request_sent = end;
    list_append(&b->streams, &x->back_node);
    if (!end && !tunnel && h2_body_update(b->engine, H2_BODY_REQUESTS, x)) {
        request_sent(x);
    }
    watch_stream(x);
    back_h2_touch(b);
    conn_want_output(b->conn);
    return true;
}

/*
 * Before the peer's SETTINGS nobody knows how many streams it takes, and too many may cost the
 * connection: one goes ahead, so that nothing waits a round trip for nothing, and the others follow
 * (RFC 9113, 5.1.2 and 6.5.2).
 */
static bool may_submit(const struct back_h2 *b)
{
    return b->ready && h2_conn_can_request(b->engine) &&
           (b->settings_seen || list_empty(&b->streams));
}

static bool may_submit_this(const struct back_h2 *b, const struct exchange *x)
{
    return may_submit(b) && (b->settings_seen || !is_websocket(x));
}

/* Gives streams to those who wait, as many as there are. */
static void submit_waiting(struct back_h2 *b)
{
    while (!list_empty(&b->waiting)) {
        struct exchange *x = container_of(b->waiting.next, struct exchange, back_node);
        if (!may_submit_this(b, x)) {
            break;
        }
        list_remove(&x->back_node);
        b->nwaiting--;
        if (!submit(b, x)) {
            exchange_detach_back(x);
            exchange_fail(x, EXCHANGE_INTERNAL);
        }
    }
}

bool back_h2_has_room(const struct back_h2 *b)
{
    return b->settings_seen ? may_submit(b) && b->nwaiting == 0 : b->nwaiting < BACK_MOST_WAITING;
}

bool back_h2_take(struct pool *p, struct exchange *x)
{
    struct back_h2 *b = NULL;
    list_each(node, &p->h2)
    {
        struct back_h2 *candidate = container_of(node, struct back_h2, node);
        if (back_h2_is_for(candidate, exchange_client(x)) && back_h2_has_room(candidate) &&
            may_carry(candidate, x)) {
            b = candidate;
            break;
        }
    }
    if (b == NULL) {
        pool_make_room(p);
        b = back_h2_connect(p, exchange_client(x));
        if (b == NULL) {
            return false;
        }
    }
    exchange_attach_back(x, p, &exchange_ops, b);
    if (may_submit_this(b, x)) {
        if (!submit(b, x)) {
            exchange_detach_back(x);
            return false;
        }
        return true;
    }
    b->nwaiting++;
    list_append(&b->waiting, &x->back_node);
    back_h2_touch(b);
    return true;
}

static size_t output(struct conn *c, uint8_t *buf, size_t cap)
{
    struct back_h2 *b = back_h2_checked(c->user);
    submit_waiting(b); /* a stream may have ended */
    size_t n = h2_body_output(b->engine, H2_BODY_REQUESTS, buf, cap, request_sent);
    if (n > 0) {
        back_h2_touch(b);
    } else if (b->closing && list_empty(&b->streams) && list_empty(&b->waiting)) {
        back_h2_destroy(b, true);
    }
    return n;
}

/* ---------------------------------------------------------------- responses, inwards */

/* Those who waited for a connection that turned out to take fewer streams: there is, or will be,
 * another one. */
static void send_elsewhere(struct back_h2 *b)
{
    while (!list_empty(&b->waiting)) {
        struct exchange *x = container_of(b->waiting.next, struct exchange, back_node);
        back_h2_let_go(b, x);
        exchange_return(x);
    }
}

/* It allows no stream at all (RFC 9113, 6.5.2: for a short while). Another connection would only
 * hear the same. */
static void takes_nothing(struct back_h2 *b)
{
    pool_connect_failed(b->pool, &b->probes, false, "it takes no streams");
    back_h2_stop_taking(b);
    lose_waiting(b, EXCHANGE_BACKEND_CONNECT);
    conn_want_output(b->conn);
}

/* The backend has said in its SETTINGS that it takes no WebSockets: another one may. */
static void refuse_websockets(struct back_h2 *b)
{
    if (takes_websocket(b)) {
        return;
    }
    list_each_safe(node, &b->waiting)
    {
        struct exchange *x = container_of(node, struct exchange, back_node);
        if (is_websocket(x)) {
            back_h2_lose(b, x, EXCHANGE_BACKEND_NO_WEBSOCKET, EXCHANGE_UNSENT);
        }
    }
}

/* The backend has opened the tunnel: what has waited for it goes. */
static void open_tunnel(struct back_h2 *b, struct exchange *x)
{
    x->response.m.has_body = true;
    exchange_take_head(x);
    if (!x->request_sent && h2_body_update(b->engine, H2_BODY_REQUESTS, x)) {
        request_sent(x);
    }
}

/* The backend has ended its side; the client may go on. */
static void end_tunnel_down(struct back_h2 *b, struct exchange *x)
{
    bool over = x->request_sent;
    if (over) {
        back_h2_let_go(b, x);
    }
    exchange_end_down(x);
    if (over) {
        submit_waiting(b);
    }
}

/* The response is complete. */
static void finish(struct back_h2 *b, struct exchange *x)
{
    if (x->tunnel.open) {
        end_tunnel_down(b, x);
        return;
    }
    if (!x->request_sent && tunnel_asked_of(x, 2)) {
        (void)h2_conn_end_stream(b->engine, x->back_stream); /* refused: there will be no DATA */
    } else if (!x->request_sent) {
        (void)h2_conn_reset(b->engine, x->back_stream,
                            H2_NO_ERROR); /* the rest of the request is not wanted */
    }
    b->served = true;
    back_h2_let_go(b, x);
    exchange_end_down(x);
    submit_waiting(b);
    pool_settle(b->pool);
}

static void take_head(struct back_h2 *b, struct exchange *x, const struct h2_event *ev)
{
    watch_stream(x); /* a sign of life, though no octet of a body */
    x->response.status = ev->status;
    message_set_fields_h2(x, &x->response.m, ev->fields, ev->nfields);
    if (ev->type == H2_EVENT_INFORMATIONAL) {
        if (++x->interim > EXCHANGE_MAX_INTERIM) {
            LOG(WARN, "backend %s: too many interim responses", b->pool->text);
            (void)h2_conn_reset(b->engine, x->back_stream, H2_ENHANCE_YOUR_CALM);
            back_h2_let_go(b, x);
            exchange_fail(x, EXCHANGE_BACKEND_PROTOCOL);
            return;
        }
        exchange_take_head(x);
        return;
    }
    tunnel_judge_h2(x);
    if (x->tunnel.open) {
        open_tunnel(b, x);
    } else {
        x->response.m.content_length = ev->content_length;
        x->response.m.has_body = !ev->end_stream && message_response_may_have_body(x);
        exchange_take_head(x);
    }
    if (ev->end_stream) {
        finish(b, x);
    }
}

static void take_data(struct back_h2 *b, struct exchange *x, const struct h2_event *ev)
{
    uint32_t padding = ev->flow_len - (uint32_t)ev->len;
    if (x == NULL || padding > 0) {
        (void)h2_conn_consume(b->engine, ev->stream_id, x == NULL ? ev->flow_len : padding);
    }
    if (x == NULL) {
        return;
    }
    if (ev->len > 0 && x->response.m.has_body) {
        exchange_push_down(x, ev->data, ev->len);
    } else if (ev->len > 0) {
        (void)h2_conn_consume(b->engine, ev->stream_id, (uint32_t)ev->len);
    }
    if (ev->end_stream) {
        finish(b, x);
    }
}

static void take_reset(struct back_h2 *b, struct exchange *x, const struct h2_event *ev)
{
    bool refused = ev->by_peer && ev->code == H2_REFUSED_STREAM;
    bool leaves = refused && h2_conn_goaway_received(b->engine); /* above its last stream */
    enum exchange_error why = !ev->by_peer ? EXCHANGE_BACKEND_PROTOCOL
                              : leaves     ? EXCHANGE_BACKEND_GONE
                                           : EXCHANGE_BACKEND_RESET;
    back_h2_lose(b, x, why, refused ? EXCHANGE_REFUSED : EXCHANGE_SENT);
}

static void take_event(struct back_h2 *b, const struct h2_event *ev)
{
    struct exchange *x = ev->user;
    switch (ev->type) {
    case H2_EVENT_RESPONSE:
    case H2_EVENT_INFORMATIONAL:
        if (x != NULL) {
            take_head(b, x, ev);
        }
        break;
    case H2_EVENT_DATA:
        take_data(b, x, ev);
        break;
    case H2_EVENT_TRAILERS:
        if (x != NULL) {
            message_set_trailers_h2(x, &x->response.m, ev->fields, ev->nfields);
            finish(b, x);
        }
        break;
    case H2_EVENT_RESET:
        if (x != NULL) {
            take_reset(b, x, ev);
        }
        submit_waiting(b);
        break;
    case H2_EVENT_SETTINGS:
        if (!b->settings_seen) {
            pool_connected(b->pool); /* whoever only accepts is not there */
        }
        b->settings_seen = true;
        refuse_websockets(b);
        submit_waiting(b);
        if (list_empty(&b->streams) && !list_empty(&b->waiting)) {
            takes_nothing(b);
        }
        send_elsewhere(b);
        pool_freed(b->pool); /* there may be more streams than before */
        break;
    case H2_EVENT_GOAWAY:
        /* Streams that the backend did not take end next, as refused (RFC 9113, 6.8). */
        back_h2_stop_taking(b);
        lose_waiting(b, EXCHANGE_BACKEND_GONE);
        break;
    case H2_EVENT_FAILED:
        LOG(WARN, "backend %s: HTTP/2: %s: %s", b->pool->text, h2_code_name(ev->fail.code),
            ev->fail.why);
        fail_all(b, EXCHANGE_BACKEND_PROTOCOL);
        break;
    default:
        break;
    }
}

/* Both sides' SETTINGS are agreed on: whoever speaks so much HTTP/2 is there. */
static void end_probe(struct back_h2 *b)
{
    pool_probed(b->pool, &b->probes, true, NULL);
    const struct pool *p = b->pool;
    if (b->closing || p->retired || p->worker->draining ||
        health_is_offline(p->health, p->backend->cfg)) {
        back_h2_stop_taking(b);
    } else {
        list_append(&b->pool->h2, &b->node);
        pool_settle(b->pool);
    }
}

static size_t input(struct conn *c, uint8_t *data, size_t len)
{
    struct back_h2 *b = back_h2_checked(c->user);
    struct h2_event ev;
    uint64_t now = clock_ms();
    h2_conn_feed(b->engine, data, len);
    b->in_input = true;
    while (h2_conn_next_event(b->engine, now, &ev)) {
        take_event(b, &ev);
    }
    b->in_input = false;
    size_t unread = h2_conn_unread(b->engine);
    b->answer_by = 0;
    b->heard = now;
    back_h2_touch(b);
    if (b->probes && b->settings_seen && h2_conn_settings_acked(b->engine)) {
        end_probe(b);
    }
    conn_want_output(c);
    return len - unread;
}

/* ---------------------------------------------------------------- the connection's other news */

void back_h2_begin(struct back_h2 *b)
{
    uint64_t ms = b->pool->worker->cfg->backend_http2_settings_timeout;
    b->ready = true;
    b->heard = clock_ms();
    b->settings_by = ms != 0 ? clock_ms() + ms : 0;
    submit_waiting(b);
    back_h2_touch(b);
    conn_want_output(b->conn);
}

static void ready(struct conn *c)
{
    struct back_h2 *b = back_h2_checked(c->user);
    if (!pool_agrees(c, CFG_PROTO_HTTP2)) {
        char why[POOL_WHY_SIZE];
        pool_connect_failed(b->pool, &b->probes, false, pool_disagreement(c, "h2", why));
        back_h2_fail(b, EXCHANGE_BACKEND_TLS);
        return;
    }
    back_h2_begin(b);
}

static void eof(struct conn *c, bool clean)
{
    (void)clean;
    back_h2_fail(back_h2_checked(c->user), EXCHANGE_BACKEND_GONE);
}

static void failed(struct conn *c, enum conn_error why)
{
    struct back_h2 *b = back_h2_checked(c->user);
    /* With TLS 1.3 our certificate is judged when the handshake is over for us. */
    if (!b->ready || (why == CONN_ERR_TLS && !b->settings_seen)) {
        pool_connect_failed(b->pool, &b->probes, why == CONN_ERR_CONNECT_TIMEOUT,
                            conn_error_detail(c, why));
    }
    back_h2_fail(b, back_error(why));
}

const struct conn_ops back_h2_conn_ops = {
    .ready = ready, .input = input, .eof = eof, .output = output, .failed = failed};

/* ---------------------------------------------------------------- what the front says */

static void on_body(struct exchange *x)
{
    struct back_h2 *b = back_h2_checked(x->back);
    if (x->back_stream == 0 || !exchange_may_send_up(x)) {
        return; /* still waiting */
    }
    if (!x->request_sent && h2_body_update(b->engine, H2_BODY_REQUESTS, x)) {
        request_sent(x);
    }
    if (x->back_ops != NULL && x->back_timer.at == 0) { /* it may have been the end of a tunnel */
        watch_stream(x);
    }
    conn_want_output(b->conn);
}

static void on_credit(struct exchange *x, size_t n)
{
    struct back_h2 *b = back_h2_checked(x->back);
    (void)h2_conn_consume(b->engine, x->back_stream, (uint32_t)n);
    if (x->back_timer.at == 0) { /* it is the backend again that is waited for */
        watch_stream(x);
    }
    conn_want_output(b->conn);
}

static void on_abort(struct exchange *x, enum exchange_error why)
{
    (void)why;
    struct back_h2 *b = back_h2_checked(x->back);
    if (x->back_stream != 0) {
        (void)h2_conn_reset(b->engine, x->back_stream, H2_CANCEL);
    }
    back_h2_let_go(b, x);
    if (b->closing) {
        back_h2_end_soon(b); /* one that is still being opened has no end of a turn to go at */
    } else {
        conn_want_output(b->conn);
    }
}

static const struct exchange_ops exchange_ops = {
    .body = on_body, .credit = on_credit, .abort = on_abort};
