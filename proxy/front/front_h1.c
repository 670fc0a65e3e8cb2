/*
 * The front for HTTP/1.1 and 1.0 clients: one request at a time, in order. The next request of a
 * client that pipelines is not looked at before the response to the one before is written.
 */
#include "front/front.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "exchange/h1_receiver.h"
#include "exchange/h1_writer.h"
#include "exchange/message.h"
#include "exchange/request_check.h"
#include "exchange/tunnel.h"
#include "ops/log.h"
#include "process/worker.h"

#define FRONT_H1_MAGIC 0x66683120u /* "fh1 " */

/*
 * A client that ends its side behind a whole request has either gone, or only has no more to say
 * and wants its answer: TCP does not tell. It is served as long as there is something to send at
 * least this often; a backend must not work on for nobody.
 */
#define HALF_CLOSED_MS 1000u

/* The response: NONE ──► HEAD ──► BODY ──► (written) NONE */
enum tx_state { TX_NONE, TX_HEAD, TX_BODY };

struct front_h1 {
    uint32_t magic;
    struct front *front;
    struct exchange *x; /**< NULL between requests */
    enum tx_state tx;
    bool keep_alive;      /**< another request may follow this one */
    bool close_delimited; /**< the response's body ends with the connection (HTTP/1.0) */
    bool half_closed;     /**< the client has ended its side */
    bool request_read;    /**< nothing of the request is waited for any more */
    struct h1_receiver receiver;
    struct h1_writer writer;
    struct buffer interim; /**< 1xx heads that wait to be written */
};

static const struct conn_ops conn_ops;
static const struct front_proto proto;
static const struct exchange_ops exchange_ops;

static struct front_h1 *checked(void *p)
{
    struct front_h1 *h = p;
    assert(h->magic == FRONT_H1_MAGIC);
    return h;
}

static struct front_h1 *of_conn(struct conn *c)
{
    struct front *f = c->user;
    return checked(f->state);
}

static struct front_h1 *of_exchange(struct exchange *x)
{
    struct front_h1 *h = checked(x->front);
    assert(h->x == x);
    return h;
}

/* Whether the connection is no HTTP any more. */
static bool in_tunnel(const struct front_h1 *h)
{
    return h->x != NULL && h->x->tunnel.open;
}

static void begin_request(struct front_h1 *h)
{
    const struct config *cfg = h->front->worker->cfg;
    h->request_read = false;
    h1_receiver_begin(&h->receiver, h->front->worker, H1_REQUEST,
                      (struct h1_options){.head_bytes = (uint32_t)cfg->request_header_field_buffer,
                                          .fields = (uint32_t)cfg->max_request_header_fields,
                                          .bare_lf = cfg->accept_bare_lf});
}

static void set_timer(struct front_h1 *h, uint64_t ms)
{
    timer_set(&h->front->worker->wheel, &h->front->timer, ms);
}

void front_h1_start(struct front *f)
{
    struct front_h1 *h = xcalloc(1, sizeof(*h));
    h->magic = FRONT_H1_MAGIC;
    h->front = f;
    f->state = h;
    f->proto = &proto;
    begin_request(h);
    conn_set_user(f->conn, &conn_ops, f);
}

static void proto_free(struct front *f)
{
    struct front_h1 *h = checked(f->state);
    h1_receiver_release(&h->receiver);
    buffer_free(&h->writer.spill);
    buffer_free(&h->interim);
    h->magic = 0;
    free(h);
}

/* The client is gone, or has to be cut off. */
static void cut(struct front_h1 *h, enum exchange_error why)
{
    struct exchange *x = h->x;
    h->x = NULL;
    if (x != NULL) {
        exchange_end(x, why);
    }
    front_close(h->front);
}

/* ---------------------------------------------------------------- the request, inwards */

/* A client that has ended its side gets its answer for as long as some of it can be sent. */
static void watch_half_closed(struct front_h1 *h)
{
    h->x->timer_mark = h->x->sent_bytes;
    set_timer(h, HALF_CLOSED_MS);
}

/* Nothing more is read before this exchange is over. */
static void stop_reading(struct front_h1 *h)
{
    h->request_read = true;
    conn_pause_reading(h->front->conn, CONN_PAUSE_PIPELINE);
}

static struct exchange *new_exchange(struct front_h1 *h)
{
    struct exchange *x = exchange_new(h->front->worker, &h->front->client, &exchange_ops, h);
    h->x = x;
    h->tx = TX_NONE;
    h->keep_alive = false;
    h->close_delimited = false;
    x->request.m.http_major = 1;
    x->request.m.http_minor = 1;
    return x;
}

/* What is not HTTP gets an answer too, and a line in the log; then the connection ends. */
static void refuse(struct front_h1 *h, enum h1_error error)
{
    struct exchange *x = h->x;
    if (x == NULL) {
        x = new_exchange(h);
        x->request.method = h->receiver.reader.head.method;
    }
    LOG(INFO, "%s: request refused: %s", x->client->addr, h1_error_text(error));
    stop_reading(h);
    exchange_refuse(x, exchange_error_of_status(h1_error_status(error)));
}

static struct str span(const char *base, struct h1_span s)
{
    return (struct str){base + s.off, s.len};
}

/* The strings of a request, from its head (a copy of which begins at base). */
static void set_request(struct front_h1 *h, struct exchange *x, const char *base)
{
    const struct h1_head *head = &h->receiver.reader.head;
    struct request *r = &x->request;
    message_set_fields_h1(x, &r->m, head, base);
    r->method = head->method;
    r->method_text = span(base, head->method_text);
    r->target = span(base, head->target);
    r->scheme = x->client->tls ? (struct str){"https", 5} : (struct str){"http", 4};
    r->authority = span(base, head->host);
    if (head->form == H1_FORM_ABSOLUTE && x->worker->cfg->http2_proxy) {
        /* The origin's, which a forward proxy is asked for; "http" and "https" only. */
        r->scheme = head->scheme.len == 5 ? (struct str){"https", 5} : (struct str){"http", 4};
    }
    char *path = arena_alloc(&x->arena, h1_head_path_size(head));
    r->path = (struct str){path, h1_head_path(head, base, path, &r->path_len)};
}

static bool connection_names(const struct message *m, const char *name, size_t len)
{
    for (size_t i = 0; i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        const char *pos = f->value, *element;
        size_t n;
        while (f->token == H2_TOKEN_CONNECTION &&
               h1_list_next(&pos, f->value + f->value_len, &element, &n)) {
            if (n == len && strncasecmp(element, name, len) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The value of HTTP2-Settings when this request asks for h2c and may have it: in the clear, without
 * a body. */
static const struct h2_field *wants_h2c(struct front_h1 *h, const struct exchange *x)
{
    const struct h1_head *head = &h->receiver.reader.head;
    const struct h2_field *settings = NULL, *upgrade = NULL;
    if (x->client->tls || !head->connection_upgrade || head->minor_version == 0 ||
        x->request.m.has_body || h->front->worker->draining) {
        return NULL;
    }
    for (size_t i = 0; i < x->request.m.nfields; i++) {
        const struct h2_field *f = &x->request.m.fields[i];
        if (f->token == H2_TOKEN_HTTP2_SETTINGS) {
            if (settings != NULL) {
                return NULL; /* exactly one (RFC 7540, 3.2.1) */
            }
            settings = f;
        } else if (f->token == H2_TOKEN_UPGRADE) {
            if (upgrade != NULL) {
                return NULL; /* whichever of them we took, the client may mean the other */
            }
            upgrade = f;
        }
    }
    bool h2c =
        upgrade != NULL && upgrade->value_len == 3 && strncasecmp(upgrade->value, "h2c", 3) == 0;
    /* Connection has to name it (RFC 7540, 3.2.1: MUST NOT upgrade without): what forwards an
     * Upgrade without knowing it would forward the settings too. */
    return h2c && connection_names(&x->request.m, "http2-settings", 14) ? settings : NULL;
}

/* A forward proxy is asked for something of an origin (RFC 9112, 3.2.2 and 3.2.3). A target without
 * one asks the proxy itself, and made absolute by its Host it could lead to this proxy again. */
static bool target_is_acceptable(const struct exchange *x, const struct h1_head *head,
                                 struct str scheme)
{
    if (head->form == H1_FORM_ABSOLUTE) {
        return request_scheme_allowed(x, scheme);
    }
    return head->form == H1_FORM_AUTHORITY || !x->worker->cfg->http2_proxy || x->client->healthmon;
}

static bool upgrade_to_h2(struct front_h1 *h, struct exchange *x)
{
    const struct h2_field *settings = wants_h2c(h, x);
    if (settings == NULL) {
        return false;
    }
    struct front *f = h->front;
    if (!front_h2_upgrade(f, x, settings->value, settings->value_len)) {
        return false;
    }
    /* The front has another state now; this one is not needed any more. */
    h1_receiver_release(&h->receiver);
    h->magic = 0;
    free(h);
    return true;
}

/* A complete head. */
static void take_head(struct front_h1 *h, const uint8_t *data)
{
    const struct h1_head *head = &h->receiver.reader.head;
    struct h1_framing framing = h1_body_framing(head, H1_METHOD_OTHER);
    assert(framing.error == H1_ERR_NONE); /* h1_head_parse() has asked it too */
    struct exchange *x = new_exchange(h);
    const char *base = arena_copy(&x->arena, (const char *)data, head->head_len);
    struct str scheme = span(base, head->scheme);
    set_request(h, x, base);
    x->request.m.has_body = framing.kind != H1_BODY_NONE;
    x->request.m.content_length = head->content_length;
    h->writer = (struct h1_writer){0};
    bool acceptable =
        target_is_acceptable(x, head, scheme) && tunnel_ask_h1(x, head->connection_upgrade);
    bool tunnel = x->tunnel.wanted != TUNNEL_NONE;
    if (acceptable && !tunnel && upgrade_to_h2(h, x)) {
        return; /* h is gone */
    }
    /* What is behind this head is not HTTP, or only if the backend refuses: who can tell? */
    h->keep_alive = framing.keep_alive && !front_count_request(h->front) && !tunnel;
    h1_receiver_follow(&h->receiver, framing);
    if (x->request.m.has_body) {
        set_timer(h, h->front->worker->cfg->frontend_stream_read_timeout);
    } else {
        x->up.ended = !tunnel;
        set_timer(h, 0);
        stop_reading(h); /* for a tunnel: until it is open */
    }
    if (acceptable) {
        front_begin_exchange(x);
    } else {
        exchange_refuse(x, EXCHANGE_CLIENT_PROTOCOL);
    }
}

static void take_end(struct front_h1 *h, const struct h1_received *in)
{
    if (in->trailers) {
        message_set_trailers_h1(h->x, &h->x->request.m, &h->receiver.reader.head,
                                (const char *)in->section);
    }
    stop_reading(h);
    set_timer(h, 0);
    exchange_end_up(h->x);
}

static void take_step(struct front_h1 *h, enum h1_receipt step, const struct h1_received *in)
{
    switch (step) {
    case H1_RECEIVED_HEAD:
        take_head(h, in->section);
        break;
    case H1_RECEIVED_BODY:
        set_timer(h, h->front->worker->cfg->frontend_stream_read_timeout);
        exchange_push_up(h->x, in->body, in->body_len);
        break;
    case H1_RECEIVED_FULL:
        conn_pause_reading(h->front->conn, CONN_PAUSE_BODY);
        break;
    case H1_RECEIVED_END:
        take_end(h, in);
        break;
    case H1_RECEIVED_ERROR:
        refuse(h, in->error);
        break;
    case H1_RECEIVED_MORE:
        break;
    }
}

/* ---------------------------------------------------------------- the tunnel */

static size_t tunnel_input(struct front_h1 *h, const uint8_t *data, size_t len)
{
    size_t room = pipe_room(&h->x->up), n = len < room ? len : room;
    if (n < len) {
        conn_pause_reading(h->front->conn, CONN_PAUSE_BODY);
    }
    if (n > 0) {
        exchange_push_up(h->x, data, n);
    }
    return n;
}

static size_t tunnel_output(struct front_h1 *h, uint8_t *buf, size_t cap)
{
    struct exchange *x = h->x;
    size_t n = pipe_read(&x->down, buf, cap);
    exchange_took_down(x, n);
    if (pipe_done(&x->down) && !x->tunnel.down_sent) {
        x->tunnel.down_sent = true;
        if (!exchange_tunnel_is_over(x)) {
            conn_end_output(h->front->conn);
        }
    }
    if (exchange_tunnel_is_over(x)) {
        h->x = NULL;
        exchange_end(x, EXCHANGE_OK);
        front_finish(h->front);
    }
    return n;
}

static void watch_tunnel(struct front_h1 *h)
{
    h->x->timer_mark = exchange_moved(h->x);
    set_timer(h, h->front->worker->cfg->frontend_stream_read_timeout);
}

/* --frontend-stream-read-timeout: nothing has moved, and it is not that somebody does not read, for
 * which others are responsible. */
static void tunnel_timeout(struct front_h1 *h)
{
    struct exchange *x = h->x;
    bool waiting = x->up.len > 0 || x->down.len > 0 || conn_blocked(h->front->conn);
    if (waiting || exchange_moved(x) != x->timer_mark) {
        watch_tunnel(h);
        return;
    }
    conn_reset_on_close(h->front->conn);
    cut(h, EXCHANGE_CLIENT_TIMEOUT);
}

/* The backend has agreed: what the client has said since, and from now on, goes there. */
static void open_tunnel(struct front_h1 *h)
{
    struct exchange *x = h->x;
    x->response.status = tunnel_status(x, 1);
    h->tx = TX_HEAD;
    conn_resume_reading(h->front->conn, CONN_PAUSE_PIPELINE);
    watch_tunnel(h);
    if (h->half_closed) {
        h->half_closed = false;
        exchange_end_up(x);
    }
    conn_want_output(h->front->conn);
}

static size_t input(struct conn *c, uint8_t *data, size_t len)
{
    struct front_h1 *h = of_conn(c);
    if (in_tunnel(h)) {
        return tunnel_input(h, data, len);
    }
    size_t used = 0;
    enum h1_receipt step = H1_RECEIVED_HEAD;
    if (h->x == NULL && h->front->requests > 0 && !h1_receiver_in_message(&h->receiver)) {
        set_timer(
            h, h->front->worker->cfg->frontend_header_timeout); /* until now: keep-alive time-out */
    }
    while (step != H1_RECEIVED_MORE && step != H1_RECEIVED_FULL) {
        struct h1_received in;
        size_t room = h->x != NULL ? pipe_room(&h->x->up) : 0;
        step = h1_receiver_step(&h->receiver, data + used, len - used, room, &in);
        used += in.used;
        take_step(h, step, &in);
        if (c->state != CONN_OPEN || c->ops != &conn_ops || h->request_read) {
            break; /* closed, upgraded, or nothing more of this request is wanted */
        }
    }
    return used;
}

/* ---------------------------------------------------------------- the response, outwards */

/* The response is written to its end. */
static void end_response(struct front_h1 *h)
{
    struct exchange *x = h->x;
    bool another =
        h->keep_alive && h->request_read && !h->half_closed && !h->front->worker->draining;
    h->x = NULL;
    h->tx = TX_NONE;
    exchange_end(x, EXCHANGE_OK);
    if (!another) {
        front_finish(h->front);
        return;
    }
    begin_request(h);
    set_timer(h, h->front->worker->cfg->frontend_keep_alive_timeout);
    conn_resume_reading(h->front->conn, CONN_PAUSE_PIPELINE);
}

/* How the response's body is framed towards this client (RFC 9112, 6.3), and what Connection says.
 */
static const char *decide_framing(struct front_h1 *h)
{
    struct exchange *x = h->x;
    struct message *m = &x->response.m;
    bool old = x->request.m.http_minor == 0;
    h->writer = (struct h1_writer){0};
    if (x->tunnel.open) {
        return x->response.status == 101 ? "Upgrade" : NULL;
    }
    if (m->has_body && m->content_length < 0) {
        h->writer.chunked = !old;
        h->close_delimited = old;
    } else if (!m->has_body && m->content_length < 0 && message_response_may_have_body(x)) {
        m->content_length = 0; /* the other side's protocol needed no length to say so */
    }
    /* A refusal, or an answer of our own, before the request is all in: the rest of it is not worth
     * reading. */
    bool early = !h->request_read && (x->response.status >= 400 || x->own_answer);
    if (early || h->close_delimited || h->front->worker->draining) {
        h->keep_alive = false;
    }
    if (!h->keep_alive) {
        return "close";
    }
    return old ? "keep-alive" : NULL;
}

static struct field_list response_fields(struct front_h1 *h)
{
    struct field_list l = message_response_fields(h->x, 1);
    if (h->writer.chunked) {
        assert(l.n < l.cap);
        l.f[l.n++] = (struct h2_field){.name = "transfer-encoding",
                                       .name_len = 17,
                                       .value = "chunked",
                                       .value_len = 7,
                                       .token = H2_TOKEN_TRANSFER_ENCODING};
    }
    return l;
}

static size_t output(struct conn *c, uint8_t *buf, size_t cap)
{
    struct front_h1 *h = of_conn(c);
    struct exchange *x = h->x;
    size_t n = buffer_take(&h->interim, buf, cap);
    if (x == NULL || h->tx == TX_NONE || n == cap) {
        return n;
    }
    if (h->tx == TX_HEAD) {
        const char *connection = decide_framing(h);
        struct field_list l = response_fields(h);
        struct h1_start start = {.status = x->response.status};
        x->response_started = true;
        n += h1_write_head(&h->writer, &start, &l, connection, buf + n, cap - n);
        h->tx = TX_BODY;
    }
    n += h1_write_spill(&h->writer, buf + n, cap - n);
    if (buffer_len(&h->writer.spill) > 0) {
        return n;
    }
    if (x->tunnel.open) {
        return n + tunnel_output(h, buf + n, cap - n);
    }
    size_t taken;
    n += h1_write_body(&h->writer, x, &x->down, &x->response.m, buf + n, cap - n, &taken);
    exchange_took_down(x, taken);
    if (h->writer.finished) {
        end_response(h);
    }
    return n;
}

/* ---------------------------------------------------------------- what the back says */

static void write_interim(struct front_h1 *h, struct exchange *x)
{
    if (x->request.m.http_minor == 0) {
        return; /* HTTP/1.0 knows none (RFC 9110, 15.2) */
    }
    uint8_t buf[4096];
    struct h1_writer w = {0};
    struct field_list l = message_response_fields(x, 1);
    struct h1_start start = {.status = x->response.status};
    size_t n = h1_write_head(&w, &start, &l, NULL, buf, sizeof(buf));
    buffer_append(&h->interim, buf, n);
    if (buffer_len(&w.spill) > 0) {
        buffer_append(&h->interim, w.spill.mem, buffer_len(&w.spill));
        buffer_free(&w.spill);
    }
    conn_want_output(h->front->conn);
}

static void on_head(struct exchange *x)
{
    struct front_h1 *h = of_exchange(x);
    if (x->tunnel.open) {
        open_tunnel(h);
        return;
    }
    if (x->response.status < 200) {
        write_interim(h, x);
        return;
    }
    h->tx = TX_HEAD;
    conn_want_output(h->front->conn);
}

static void on_body(struct exchange *x)
{
    conn_want_output(of_exchange(x)->front->conn);
}

static void on_credit(struct exchange *x, size_t n)
{
    (void)n;
    if (pipe_room(&x->up) >= x->up.limit / 2) {
        conn_resume_reading(of_exchange(x)->front->conn, CONN_PAUSE_BODY);
    }
}

static void on_abort(struct exchange *x, enum exchange_error why)
{
    struct front_h1 *h = of_exchange(x);
    if (x->response_started || exchange_status_of_error(x) == 0) {
        if (h->close_delimited || x->tunnel.open) {
            conn_reset_on_close(h->front->conn); /* a plain close would look like a regular end */
        }
        cut(h, why);
        return;
    }
    exchange_make_error(x);
    h->keep_alive = false;
    h->tx = TX_HEAD;
    stop_reading(h); /* the rest of the request means nothing any more */
    conn_want_output(h->front->conn);
}

static const struct exchange_ops exchange_ops = {
    .head = on_head, .body = on_body, .credit = on_credit, .abort = on_abort};

/* ---------------------------------------------------------------- the connection's other news */

static void ready(struct conn *c)
{
    (void)c; /* it was, before this protocol took over */
}

/* Other requests wait behind the one that is being answered: they will be, if the client is still
 * there. */
static void leaving(struct conn *c)
{
    struct front_h1 *h = of_conn(c);
    if (h->x != NULL) {
        watch_half_closed(h);
    }
}

static void eof(struct conn *c, bool clean)
{
    struct front_h1 *h = of_conn(c);
    if (in_tunnel(h) && clean) {
        exchange_end_up(h->x);
    } else if (in_tunnel(h)) {
        cut(h, EXCHANGE_CLIENT_GONE); /* TLS was cut off: nobody knows what is missing */
    } else if (h->x == NULL) {
        front_finish(h->front);
    } else if (!h->request_read) {
        cut(h, EXCHANGE_CLIENT_GONE);
    } else {
        h->half_closed = true;
        watch_half_closed(h);
    }
}

static void failed(struct conn *c, enum conn_error why)
{
    struct front_h1 *h = of_conn(c);
    LOG(INFO, "%s: %s", h->front->client.addr, conn_error_detail(c, why));
    cut(h, why == CONN_ERR_WRITE_TIMEOUT ? EXCHANGE_CLIENT_TIMEOUT : EXCHANGE_CLIENT_GONE);
}

static const struct conn_ops conn_ops = {.ready = ready,
                                         .input = input,
                                         .eof = eof,
                                         .leaving = leaving,
                                         .output = output,
                                         .failed = failed};

/* It has asked for something, and then ended its side. */
static bool has_left(const struct front_h1 *h)
{
    return h->x != NULL && h->request_read && h->front->conn->eof_seen;
}

static void on_timeout(struct front *f)
{
    struct front_h1 *h = checked(f->state);
    if (in_tunnel(h)) {
        tunnel_timeout(h);
    } else if (has_left(h) && (h->x->sent_bytes != h->x->timer_mark || h->x->down.len > 0)) {
        watch_half_closed(h);
    } else if (has_left(h)) {
        cut(h, EXCHANGE_CLIENT_GONE);
    } else if (h->x != NULL && (f->conn->paused & CONN_PAUSE_BODY) != 0) {
        /* It is the backend that does not read; the back watches it. */
        set_timer(h, f->worker->cfg->frontend_stream_read_timeout);
    } else if (h->x != NULL) {
        exchange_refuse(h->x, EXCHANGE_CLIENT_TIMEOUT);
    } else {
        front_finish(f);
    }
}

static void on_drain(struct front *f)
{
    struct front_h1 *h = checked(f->state);
    h->keep_alive = false;
    if (h->x == NULL && f->requests == 0) {
        front_expect_soon(f);
    } else if (h->x == NULL && !h1_receiver_in_message(&h->receiver)) {
        front_finish(f);
    }
}

static void on_cut(struct front *f)
{
    cut(checked(f->state), EXCHANGE_INTERNAL);
}

static const struct front_proto proto = {
    .timeout = on_timeout, .drain = on_drain, .cut = on_cut, .free = proto_free};
