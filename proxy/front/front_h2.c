/*
 * The front for HTTP/2 clients: an exchange for each stream. What a client may do to us is h2core's
 * business; here its events become requests, and responses become its actions.
 */
#include "front/front.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "exchange/h2_body.h"
#include "exchange/message.h"
#include "exchange/request_check.h"
#include "exchange/tunnel.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"

#define FRONT_H2_MAGIC 0x66683220u /* "fh2 " */

/* Between "no new streams, please" and the last word, so that requests on their way arrive (RFC
 * 9113, 6.8). */
#define DRAIN_NOTICE_MS 2000u

static const char switching[] =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

struct front_h2 {
    uint32_t magic;
    struct front *front;
    struct h2_conn *engine;
    struct list streams;   /**< exchanges, by front_node */
    struct list answered;  /**< those whose response is sent to its end */
    bool upgraded;         /**< the 101 has still to be written */
    uint64_t notice_since; /**< clock_ms() of the first GOAWAY of two; 0: none, or both are out */
    bool closing;          /**< end when everything is sent */
    struct queue held;     /**< exchanges that wait for others of this connection to end */
    bool slot_free;        /**< one of those has ended, or its back may be done with it */
    uint64_t started;      /**< clock_ms() */
    uint64_t idle_since;   /**< clock_ms(); 0: streams are open */
    uint64_t block_since;  /**< clock_ms(), since a header block is incomplete; 0: none is */
};

static const struct conn_ops conn_ops;
static const struct front_proto proto;
static const struct exchange_ops exchange_ops;

static struct front_h2 *checked(void *p)
{
    struct front_h2 *h = p;
    assert(h->magic == FRONT_H2_MAGIC);
    return h;
}

static struct front_h2 *of_conn(struct conn *c)
{
    struct front *f = c->user;
    return checked(f->state);
}

/* ---------------------------------------------------------------- timers */

enum due_for { DUE_NOTHING, DUE_LAST_WORD, DUE_SETTINGS, DUE_BLOCK, DUE_IDLE };

struct due {
    uint64_t at; /* clock_ms() */
    enum due_for what;
};

static void sooner(struct due *d, enum due_for what, uint64_t since, uint64_t wait)
{
    if (since != 0 && wait != 0 && since + wait < d->at) {
        *d = (struct due){since + wait, what};
    }
}

/*
 * One timer serves the whole connection, for whatever is due first: the second GOAWAY, the
 * acknowledgement of our settings, the rest of a header block, a request. A time-out of 0 is none.
 */
static struct due next_due(const struct front_h2 *h)
{
    const struct config *cfg = h->front->worker->cfg;
    struct due d = {UINT64_MAX, DUE_NOTHING};
    if (h->notice_since != 0) {
        sooner(&d, DUE_LAST_WORD, h->notice_since, DRAIN_NOTICE_MS);
        return d;
    }
    if (!h2_conn_settings_acked(h->engine)) {
        sooner(&d, DUE_SETTINGS, h->started, cfg->frontend_http2_settings_timeout);
    }
    sooner(&d, DUE_BLOCK, h->block_since, cfg->frontend_header_timeout);
    sooner(&d, DUE_IDLE, h->idle_since, cfg->frontend_http2_idle_timeout);
    if (h->front->requests == 0) {
        sooner(&d, DUE_IDLE, h->idle_since, cfg->frontend_header_timeout); /* the first head */
    }
    return d;
}

static void arm_timer(struct front_h2 *h)
{
    uint64_t now = clock_ms();
    struct due d = next_due(h);
    uint64_t ms = d.what == DUE_NOTHING ? 0 : d.at > now ? d.at - now : 1;
    timer_set(&h->front->worker->wheel, &h->front->timer, ms);
}

static void note_streams(struct front_h2 *h)
{
    bool idle = list_empty(&h->streams);
    if (idle != (h->idle_since != 0)) {
        h->idle_since = idle ? clock_ms() : 0;
        arm_timer(h);
    }
}

/* ---------------------------------------------------------------- ending */

static void answered(struct exchange *x);
static void reap_answered(struct front_h2 *h);

static void end_exchange(struct front_h2 *h, struct exchange *x, enum exchange_error why)
{
    list_remove(&x->front_node);
    h->slot_free = true;
    h2_stream_set_user(h->engine, x->front_stream, NULL);
    (void)h2_conn_consume(h->engine, x->front_stream,
                          (uint32_t)pipe_unread(&x->up)); /* nobody will take these */
    exchange_end(x, why);
}

static void end_all(struct front_h2 *h, enum exchange_error why)
{
    while (!list_empty(&h->streams)) {
        end_exchange(h, container_of(h->streams.next, struct exchange, front_node), why);
    }
    while (!list_empty(&h->answered)) {
        end_exchange(h, container_of(h->answered.next, struct exchange, front_node), EXCHANGE_OK);
    }
}

static void cut(struct front_h2 *h, enum exchange_error why)
{
    end_all(h, why);
    front_close(h->front);
}

static void proto_free(struct front *f)
{
    struct front_h2 *h = checked(f->state);
    assert(h->held.n == 0);
    h2_conn_free(h->engine);
    h->magic = 0;
    free(h);
}

/* Goes when there is nothing left to say and nobody left to answer. */
static void close_when_done(struct front_h2 *h)
{
    h->closing = true;
    conn_want_output(h->front->conn);
}

/* ---------------------------------------------------------------- starting */

static void options_of(const struct config *cfg, struct h2_options *o)
{
    struct h2_tuning tuning = {
        .decoder_table = cfg->frontend_http2_decoder_dynamic_table_size,
        .encoder_table = cfg->frontend_http2_encoder_dynamic_table_size,
        .window = cfg->frontend_http2_window_size,
        .connection_window = cfg->frontend_http2_connection_window_size,
        .field_buffer = cfg->request_header_field_buffer,
        .max_fields = cfg->max_request_header_fields,
    };
    h2_body_options(o, &tuning);
    o->max_concurrent_streams = (uint32_t)cfg->frontend_http2_max_concurrent_streams;
    o->enable_connect_protocol = !cfg->http2_proxy;
}

static struct front_h2 *new_state(struct front *f)
{
    struct h2_options options;
    options_of(f->worker->cfg, &options);
    struct front_h2 *h = xcalloc(1, sizeof(*h));
    h->magic = FRONT_H2_MAGIC;
    h->front = f;
    h->engine = h2_conn_new(H2_SERVER, &options);
    list_init(&h->streams);
    list_init(&h->answered);
    queue_init(&h->held, NULL);
    h->started = h->idle_since = clock_ms();
    return h;
}

static void take_over(struct front_h2 *h)
{
    struct front *f = h->front;
    f->state = h;
    f->proto = &proto;
    conn_set_user(f->conn, &conn_ops, f);
    arm_timer(h);
    if (f->worker->draining) {
        proto.drain(f);
    }
    conn_want_output(f->conn);
}

void front_h2_start(struct front *f)
{
    struct front_h2 *h = new_state(f);
    if (h->engine == NULL) {
        free(h);
        front_close(f);
        return;
    }
    take_over(h);
}

static void adopt(struct front_h2 *h, struct exchange *x, uint32_t stream_id)
{
    x->front = h;
    x->front_ops = &exchange_ops;
    x->front_stream = stream_id;
    list_append(&h->streams, &x->front_node);
    h2_stream_set_user(h->engine, stream_id, x);
    note_streams(h);
}

bool front_h2_upgrade(struct front *f, struct exchange *x, const char *settings, size_t len)
{
    struct front_h2 *h = new_state(f);
    bool head = x->request.method == H1_METHOD_HEAD;
    if (h->engine == NULL || h2_conn_upgrade(h->engine, settings, len, head, NULL) != H2_OK) {
        h2_conn_free(h->engine);
        free(h);
        return false;
    }
    h->upgraded = true;
    take_over(h);
    conn_retry_input(f->conn); /* the client's preface may have come with the request */
    f->client.alpn = "h2c";
    if (front_count_request(f)) {
        f->proto->drain(f);
    }
    x->up.ended = true;
    adopt(h, x, 1);
    front_begin_exchange(x);
    return true;
}

/* ---------------------------------------------------------------- requests, inwards */

/* What the transport is counts, not what the client says; to a forward proxy's client the scheme is
 * the origin's. False: not acceptable. */
static bool set_scheme(struct exchange *x)
{
    struct request *r = &x->request;
    bool allowed = x->tunnel.wanted == TUNNEL_CONNECT || request_scheme_allowed(x, r->scheme);
    bool tls = x->worker->cfg->http2_proxy ? r->scheme.len == 5 : x->client->tls;
    r->scheme = tls ? (struct str){"https", 5} : (struct str){"http", 4};
    return allowed;
}

/* False: not acceptable. */
static bool set_request(struct exchange *x, const struct h2_event *ev)
{
    struct request *r = &x->request;
    struct str protocol = {NULL, 0};
    message_set_fields_h2(x, &r->m, ev->fields, ev->nfields);
    for (size_t i = 0; i < ev->nfields && ev->fields[i].name[0] == ':'; i++) {
        const struct h2_field *f = &ev->fields[i];
        struct str value = {arena_copy(&x->arena, f->value, f->value_len), f->value_len};
        switch (f->token) {
        case H2_TOKEN_PSEUDO_METHOD:
            r->method_text = value;
            r->method = h1_method_lookup(value.s, value.len);
            break;
        case H2_TOKEN_PSEUDO_SCHEME:
            r->scheme = value;
            break;
        case H2_TOKEN_PSEUDO_AUTHORITY:
            r->authority = value;
            break;
        case H2_TOKEN_PSEUDO_PATH:
            r->path = r->target = value;
            break;
        case H2_TOKEN_PSEUDO_PROTOCOL:
            protocol = value;
            break;
        default:
            break;
        }
    }
    if (r->authority.len == 0) {
        const struct h2_field *host = message_find(&r->m, H2_TOKEN_HOST);
        if (host != NULL) {
            r->authority = (struct str){host->value, host->value_len};
        }
    }
    if (r->target.len == 0) {
        r->target = r->authority; /* CONNECT */
    }
    r->m.has_body = !ev->end_stream;
    r->m.content_length = ev->content_length;
    bool tunnel_ok = tunnel_ask_h2(x, protocol);
    return set_scheme(x) && tunnel_ok;
}

static void on_stream_timer(struct timer *t);

/* What it waits for: octets of the response that should leave, or any octet of the request. */
static void watch_client(struct exchange *x)
{
    const struct config *cfg = x->worker->cfg;
    uint64_t ms = 0;
    if (x->down.len > 0) {
        x->timer_mark = x->sent_bytes + exchange_step(x->down.len);
        ms = cfg->frontend_stream_write_timeout;
    } else if (x->tunnel.wanted != TUNNEL_NONE) {
        /* Any octet, in any direction; and none is expected before it is open. */
        x->timer_mark = exchange_moved(x) + 1;
        ms = x->tunnel.open && x->up.len == 0 ? cfg->frontend_stream_read_timeout : 0;
    } else if (!x->up.ended && x->up.len == 0) {
        x->timer_mark = x->up.taken + 1;
        ms = cfg->frontend_stream_read_timeout;
    }
    x->timer_reads = x->down.len == 0;
    x->timer.fire = on_stream_timer;
    timer_set(&x->worker->wheel, &x->timer, ms);
}

/* ---------------------------------------------------------------- how many at once */

static bool same_authority(const struct exchange *a, const struct exchange *b)
{
    const struct str *p = &a->request.authority, *q = &b->request.authority;
    return p->len == q->len && (p->len == 0 || strncasecmp(p->s, q->s, p->len) == 0);
}

/*
 * Whether as many exchanges of this connection are in progress as may be: to one origin as a
 * forward proxy (--backend-connections-per-host), to all backends as a reverse proxy
 * (--backend-connections-per-frontend; 0: no limit).
 */
static bool has_too_many(const struct front_h2 *h, const struct exchange *x)
{
    const struct config *cfg = h->front->worker->cfg;
    bool per_host = cfg->http2_proxy;
    uint64_t n = 0, limit = per_host ? cfg->backend_connections_per_host
                                     : cfg->backend_connections_per_frontend;
    if (limit == 0) {
        return false;
    }
    list_each(node, &h->streams)
    {
        const struct exchange *other = container_of(node, struct exchange, front_node);
        bool waits = other->back_ops == NULL || other->back == &h->held;
        bool counts = !waits && !other->own_answer;
        n += other != x && counts && (!per_host || same_authority(x, other));
    }
    return n >= limit;
}

static struct queue *on_hold(struct exchange *x)
{
    struct front_h2 *h = checked(x->front);
    return has_too_many(h, x) ? &h->held : NULL;
}

/* Those that were held back and may go now, in the order they came. */
static void begin_held(struct front_h2 *h)
{
    if (!h->slot_free) {
        return;
    }
    h->slot_free = false;
    list_each_safe(node, &h->held.waiting)
    {
        struct exchange *x = container_of(node, struct exchange, back_node);
        if (!has_too_many(h, x)) {
            queue_leave(x);
            exchange_dispatch(x, NULL);
        }
    }
}

static void take_request(struct front_h2 *h, const struct h2_event *ev)
{
    struct front *f = h->front;
    if (front_count_request(f)) {
        f->proto->drain(f);
    }
    struct exchange *x = exchange_new(f->worker, &f->client, &exchange_ops, h);
    bool acceptable = set_request(x, ev);
    x->up.ended = ev->end_stream;
    adopt(h, x, ev->stream_id);
    watch_client(x);
    if (ev->too_large) {
        exchange_refuse(x, EXCHANGE_CLIENT_HEAD_TOO_LARGE);
    } else if (!acceptable) {
        exchange_refuse(x, EXCHANGE_CLIENT_PROTOCOL);
    } else {
        front_begin_exchange(x);
    }
}

static void take_data(struct front_h2 *h, const struct h2_event *ev)
{
    struct exchange *x = ev->user;
    if (x == NULL || x->up.ended) { /* answered already: nobody waits for these */
        (void)h2_conn_consume(h->engine, ev->stream_id, ev->flow_len);
        return;
    }
    if (ev->flow_len > ev->len) { /* padding goes nowhere */
        (void)h2_conn_consume(h->engine, ev->stream_id, ev->flow_len - (uint32_t)ev->len);
    }
    if (ev->len > 0) {
        exchange_push_up(x, ev->data, ev->len);
    }
    if (ev->end_stream) {
        exchange_end_up(x);
    }
}

static void take_event(struct front_h2 *h, const struct h2_event *ev)
{
    struct exchange *x = ev->user;
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        take_request(h, ev);
        break;
    case H2_EVENT_DATA:
        take_data(h, ev);
        break;
    case H2_EVENT_TRAILERS:
        if (x != NULL && !x->up.ended) {
            message_set_trailers_h2(x, &x->request.m, ev->fields, ev->nfields);
            exchange_end_up(x);
        }
        break;
    case H2_EVENT_RESET:
        if (x != NULL) {
            end_exchange(h, x, ev->by_peer ? EXCHANGE_CLIENT_GONE : EXCHANGE_CLIENT_PROTOCOL);
        }
        break;
    case H2_EVENT_FAILED:
        LOG(INFO, "%s: HTTP/2: %s: %s", h->front->client.addr, h2_code_name(ev->fail.code),
            ev->fail.why);
        end_all(h, EXCHANGE_CLIENT_PROTOCOL);
        close_when_done(h);
        break;
    case H2_EVENT_GOAWAY:
        h->closing = true; /* it wants to go: when its streams are done, so do we */
        break;
    default:
        break;
    }
}

static size_t input(struct conn *c, uint8_t *data, size_t len)
{
    struct front_h2 *h = of_conn(c);
    struct h2_event ev;
    uint64_t now = clock_ms();
    h2_conn_feed(h->engine, data, len);
    while (c->state == CONN_OPEN && h2_conn_next_event(h->engine, now, &ev)) {
        take_event(h, &ev);
    }
    size_t unread = h2_conn_unread(h->engine);
    bool in_block = h2_conn_in_header_block(h->engine);
    if (in_block != (h->block_since != 0)) {
        h->block_since = in_block ? now : 0;
        arm_timer(h);
    }
    reap_answered(h); /* not only when there is room to write: a client that does not read must not
                         pile them up */
    conn_want_output(c);
    return len - unread;
}

/* ---------------------------------------------------------------- responses, outwards */

/* The exchange ends at the end of the turn, out of everybody's calls. */
static void end_soon(struct exchange *x)
{
    struct front_h2 *h = checked(x->front);
    list_remove(&x->front_node);
    list_append(&h->answered, &x->front_node);
    timer_stop(&x->timer);
    conn_want_output(h->front->conn);
}

/* Our side of the stream has ended, and with it the exchange; but a tunnel's only when the client's
 * side has ended too, and the backend has got all of it. */
static void answered(struct exchange *x)
{
    x->tunnel.down_sent = x->tunnel.open;
    if (!x->tunnel.open || exchange_tunnel_is_over(x)) {
        end_soon(x);
    }
}

static void reap_answered(struct front_h2 *h)
{
    struct list *node;
    while ((node = list_shift(&h->answered)) != NULL) {
        struct exchange *x = container_of(node, struct exchange, front_node);
        if (!x->up.ended) {
            /* The rest of the request is of no use to anybody (RFC 9113, 8.1). */
            (void)h2_conn_reset(h->engine, x->front_stream, H2_NO_ERROR);
        }
        end_exchange(h, x, EXCHANGE_OK);
    }
    begin_held(h);
    note_streams(h);
}

static size_t output(struct conn *c, uint8_t *buf, size_t cap)
{
    struct front_h2 *h = of_conn(c);
    size_t n = 0;
    if (h->upgraded) {
        h->upgraded = false;
        n = sizeof(switching) - 1;
        memcpy(buf, switching, n);
    }
    reap_answered(h);
    n += h2_body_output(h->engine, H2_BODY_RESPONSES, buf + n, cap - n, answered);
    if (!list_empty(&h->answered)) {
        reap_answered(h);
        n += h2_conn_send(h->engine, buf + n, cap - n);
    }
    if (n == 0 && h->closing && list_empty(&h->streams)) {
        front_finish(h->front);
    }
    return n;
}

/* ---------------------------------------------------------------- what the back says */

/*
 * One timer for each exchange that waits for its client. It is not moved with every byte: when it
 * fires it is looked up whether as many moved as had to.
 */
static void on_stream_timer(struct timer *t)
{
    struct exchange *x = container_of(t, struct exchange, timer);
    struct front_h2 *h = checked(x->front);
    bool done = x->timer_reads && x->up.ended && !x->tunnel.open;
    uint64_t moved = !x->timer_reads  ? x->sent_bytes
                     : x->tunnel.open ? exchange_moved(x)
                                      : x->up.taken + x->up.len;
    if (moved >= x->timer_mark || done) {
        watch_client(x);
        return;
    }
    (void)h2_conn_reset(h->engine, x->front_stream, H2_CANCEL);
    end_exchange(h, x, EXCHANGE_CLIENT_TIMEOUT);
    conn_want_output(h->front->conn);
}

static void on_body(struct exchange *x)
{
    struct front_h2 *h = checked(x->front);
    h->slot_free = h->slot_free || x->down.ended;
    if (!x->response_started) {
        return; /* the error that replaces it comes as a whole */
    }
    if (x->tunnel.down_sent) {
        answered(x); /* the back has let go: is it over now? */
        return;
    }
    if (x->timer.at == 0) {
        watch_client(x);
    }
    if (x->head_ended_stream ? pipe_done(&x->down)
                             : h2_body_update(h->engine, H2_BODY_RESPONSES, x)) {
        answered(x);
    }
    conn_want_output(h->front->conn);
}

static void on_head(struct exchange *x)
{
    struct front_h2 *h = checked(x->front);
    if (x->tunnel.open) {
        x->response.status = tunnel_status(x, 2);
    }
    struct field_list l = message_response_fields(x, 2);
    bool interim = x->response.status < 200;
    bool end = !interim && !x->response.m.has_body;
    enum h2_error rc = h2_conn_respond(h->engine, x->front_stream, l.f, l.n, end);
    conn_want_output(h->front->conn);
    if (rc != H2_OK) {
        /* It passed the parser of the other side but is no HTTP/2 message: the client gets a plain
         * end. */
        LOG(WARN, "%s: a response cannot be sent over HTTP/2: %s", x->client->addr,
            h2_error_text(rc));
        (void)h2_conn_reset(h->engine, x->front_stream, H2_INTERNAL_ERROR);
        x->response_started = true;
        x->head_ended_stream = true;
        end_soon(x);
        return;
    }
    if (!interim) {
        x->response_started = true;
        x->head_ended_stream = end;
    }
    if (x->tunnel.open) {
        watch_client(x);
    }
}

static void on_credit(struct exchange *x, size_t n)
{
    struct front_h2 *h = checked(x->front);
    (void)h2_conn_consume(h->engine, x->front_stream, (uint32_t)n);
    conn_want_output(h->front->conn);
}

static void on_abort(struct exchange *x, enum exchange_error why)
{
    struct front_h2 *h = checked(x->front);
    if (!x->response_started && exchange_status_of_error(x) != 0) {
        exchange_make_error(x);
        on_head(x);
        on_body(x);
        return;
    }
    /* RFC 9113, 8.5: whatever cut the tunnel's other half. */
    enum h2_code code = x->tunnel.open ? H2_CONNECT_ERROR : exchange_error_code(why);
    (void)h2_conn_reset(h->engine, x->front_stream, code);
    end_exchange(h, x, why);
    conn_want_output(h->front->conn);
}

static const struct exchange_ops exchange_ops = {
    .hold = on_hold, .head = on_head, .body = on_body, .credit = on_credit, .abort = on_abort};

/* ---------------------------------------------------------------- the connection's other news */

static void ready(struct conn *c)
{
    (void)c; /* it was, before this protocol took over */
}

static void eof(struct conn *c, bool clean)
{
    (void)clean;
    cut(of_conn(c), EXCHANGE_CLIENT_GONE);
}

static void failed(struct conn *c, enum conn_error why)
{
    struct front_h2 *h = of_conn(c);
    LOG(INFO, "%s: %s", h->front->client.addr, conn_error_detail(c, why));
    cut(h, why == CONN_ERR_WRITE_TIMEOUT ? EXCHANGE_CLIENT_TIMEOUT : EXCHANGE_CLIENT_GONE);
}

static const struct conn_ops conn_ops = {
    .ready = ready, .input = input, .eof = eof, .output = output, .failed = failed};

static void terminate(struct front_h2 *h, enum h2_code code, const char *why)
{
    (void)h2_conn_close(h->engine, code, H2_LAST_TOLD, why, strlen(why));
    end_all(h, EXCHANGE_CLIENT_TIMEOUT);
}

static void on_timeout(struct front *f)
{
    struct front_h2 *h = checked(f->state);
    struct due d = next_due(h);
    if (d.what == DUE_NOTHING || d.at > clock_ms()) {
        arm_timer(h);
        return;
    }
    switch (d.what) {
    case DUE_SETTINGS:
        terminate(h, H2_SETTINGS_TIMEOUT, "SETTINGS were not acknowledged");
        break;
    case DUE_BLOCK:
        terminate(h, H2_ENHANCE_YOUR_CALM, "a header block took too long");
        break;
    case DUE_LAST_WORD:
        h->notice_since = 0;
        (void)h2_conn_shutdown(h->engine);
        break;
    case DUE_IDLE:
    case DUE_NOTHING:
        (void)h2_conn_shutdown(h->engine);
        break;
    }
    close_when_done(h);
}

static void on_drain(struct front *f)
{
    struct front_h2 *h = checked(f->state);
    if (h->notice_since != 0 || h->closing) {
        return;
    }
    h->notice_since = clock_ms();
    (void)h2_conn_shutdown_notice(h->engine);
    arm_timer(h);
    conn_want_output(f->conn);
}

static void on_cut(struct front *f)
{
    cut(checked(f->state), EXCHANGE_INTERNAL);
}

static const struct front_proto proto = {
    .timeout = on_timeout, .drain = on_drain, .cut = on_cut, .free = proto_free};
