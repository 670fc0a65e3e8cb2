/*
 * A connection to an HTTP/1.1 backend. It carries one exchange at a time and waits in its pool
 * between two of them.
 *
 * It goes back to the pool only when the request was written to its end, the response was read to
 * its end, and not a byte came behind it. On an idle connection any byte, and the end of it, closes
 * it: what a backend says unasked must never become the next client's response.
 */
#include "back/back.h"

#include <assert.h>
#include <stdlib.h>

#include "config.h"
#include "exchange/h1_receiver.h"
#include "exchange/h1_writer.h"
#include "exchange/message.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/targets.h"

#define BACK_MAGIC 0x62683120u /* "bh1 " */

enum tx_state { TX_HEAD, TX_BODY, TX_DONE };

struct back_h1 {
    uint32_t magic;
    struct conn *conn;
    struct pool *pool;
    struct exchange *x; /**< NULL: idle */
    struct list node;   /**< pool->idle, while idle */
    enum tx_state tx;
    bool reused;        /**< it has carried an exchange before */
    bool any_input;     /**< a byte of the response has come */
    uint64_t idle_turn; /**< the turn in which it became idle */
    bool keep_alive;    /**< the response allows another request */
    struct h1_receiver receiver;
    struct h1_writer writer;
    struct timer timer; /**< read time-out, or the keep-alive one while idle */
    struct reap reap;
};

static void begin_response(struct back_h1 *b);

static const struct conn_ops conn_ops;
static const struct exchange_ops exchange_ops;

static struct back_h1 *of_conn(struct conn *c)
{
    struct back_h1 *b = c->user;
    assert(b->magic == BACK_MAGIC);
    return b;
}

static struct back_h1 *of_exchange(struct exchange *x)
{
    struct back_h1 *b = x->back;
    assert(b->magic == BACK_MAGIC && b->x == x);
    return b;
}

static void free_back(struct reap *r)
{
    struct back_h1 *b = container_of(r, struct back_h1, reap);
    timer_remove(&b->timer);
    buffer_free(&b->writer.spill);
    h1_receiver_release(&b->receiver);
    b->magic = 0;
    free(b);
}

static void leave_idle(struct back_h1 *b)
{
    if (!list_empty(&b->node)) {
        list_remove(&b->node);
        b->pool->nidle--;
    }
}

/* Closes the connection. The exchange, if there is one, must have been let go. */
static void destroy(struct back_h1 *b)
{
    assert(b->x == NULL);
    leave_idle(b);
    timer_stop(&b->timer);
    conn_close(b->conn);
    worker_reap(b->pool->worker, &b->reap, free_back);
    pool_conn_gone(b->pool);
}

/*
 * Nothing of the request was written: it may go elsewhere. Or a kept connection died before a byte
 * of the answer: it was closed while the request was on its way; what is idempotent is safe to send
 * again (RFC 9110, 9.2.2).
 */
static bool may_go_elsewhere(const struct back_h1 *b, enum exchange_error why)
{
    if (b->any_input || !exchange_can_start_over(b->x) || why == EXCHANGE_BACKEND_TIMEOUT) {
        return false;
    }
    return b->tx == TX_HEAD || (back_is_death(why) && exchange_is_idempotent(b->x));
}

/* The exchange, if there is one, cannot be finished here. */
static void fail(struct back_h1 *b, enum exchange_error why)
{
    struct exchange *x = b->x;
    if (x == NULL) {
        destroy(b);
        return;
    }
    why = back_death(why, b->reused, b->any_input);
    bool again = may_go_elsewhere(b, why);
    exchange_detach_back(x);
    b->x = NULL;
    destroy(b);
    if (again) {
        exchange_retry(x, why);
    } else {
        exchange_fail(x, why);
    }
}

static void touch(struct back_h1 *b)
{
    timer_set(&b->pool->worker->wheel, &b->timer,
              b->x != NULL ? b->x->group->group->read_timeout
                           : b->pool->worker->cfg->backend_keep_alive_timeout);
}

static void on_timeout(struct timer *t)
{
    struct back_h1 *b = container_of(t, struct back_h1, timer);
    assert(b->magic == BACK_MAGIC);
    if (b->x != NULL && (b->conn->paused & CONN_PAUSE_BODY) != 0) {
        touch(b); /* it is the client that does not read; the front watches it */
    } else if (b->x != NULL) {
        fail(b, EXCHANGE_BACKEND_TIMEOUT);
    } else {
        destroy(b);
    }
}

/* ---------------------------------------------------------------- the request, outwards */

static void begin(struct back_h1 *b, struct exchange *x)
{
    b->x = x;
    b->tx = TX_HEAD;
    b->any_input = false;
    b->keep_alive = false;
    b->writer =
        (struct h1_writer){.chunked = x->request.m.has_body && x->request.m.content_length < 0};
    begin_response(b);
    exchange_attach_back(x, b->pool, &exchange_ops, b);
    if (b->conn->state == CONN_OPEN) {
        touch(b);
        conn_want_output(b->conn);
    }
}

/*
 * An idle connection is watched, so what its backend says unasked is seen by the loop. In the turn
 * in which it became idle the loop has not looked yet: a full read may have left a second response
 * in the socket.
 */
static bool is_silent(struct back_h1 *b)
{
    return b->idle_turn != b->pool->worker->turn || conn_is_silent(b->conn);
}

/* A connection that waits for a request; NULL: none. */
static struct back_h1 *take_idle(struct pool *p)
{
    while (!list_empty(&p->idle)) {
        struct back_h1 *b = container_of(p->idle.next, struct back_h1, node);
        leave_idle(b);
        if (is_silent(b)) {
            return b;
        }
        destroy(b);
    }
    return NULL;
}

bool back_h1_take(struct pool *p, struct exchange *x)
{
    /* A second try gets a new connection: what closed one kept connection may be closing all of
     * them. */
    bool fresh = x->tries > 1 || pool_sends_proxy(p);
    struct back_h1 *b = fresh ? NULL : take_idle(p);
    if (b != NULL) {
        begin(b, x);
        return true;
    }
    if (fresh) {
        pool_make_room(p);
    }
    b = xcalloc(1, sizeof(*b));
    b->magic = BACK_MAGIC;
    b->pool = p;
    list_init(&b->node);
    timer_init(&b->timer, on_timeout);
    b->conn = pool_connect(p, &conn_ops, b, "http/1.1");
    if (b->conn == NULL) {
        free(b);
        return false;
    }
    pool_introduce(p, b->conn, x->client);
    begin(b, x);
    return true;
}

static size_t output(struct conn *c, uint8_t *buf, size_t cap)
{
    struct back_h1 *b = of_conn(c);
    struct exchange *x = b->x;
    if (x == NULL || b->tx == TX_DONE) {
        return 0;
    }
    size_t n = 0;
    if (b->tx == TX_HEAD) {
        struct field_list l = message_request_fields(x, 1);
        struct h1_start start = {.method = x->request.method_text, .target = x->request.path};
        n = h1_write_head(&b->writer, &start, &l, NULL, buf, cap);
        b->tx = TX_BODY;
    }
    n += h1_write_spill(&b->writer, buf + n, cap - n);
    if (buffer_len(&b->writer.spill) == 0) {
        size_t taken;
        n += h1_write_body(&b->writer, x, &x->up, &x->request.m, buf + n, cap - n, &taken);
        if (b->writer.finished) {
            b->tx = TX_DONE;
        }
        exchange_took_up(x);
    }
    if (n > 0) {
        touch(b);
    }
    return n;
}

/* ---------------------------------------------------------------- the response, inwards */

/* Response done: the connection goes back to its pool if it is fit for another request, else it is
 * closed. */
static void finish(struct back_h1 *b, size_t left_over)
{
    struct exchange *x = b->x;
    struct worker *w = b->pool->worker;
    bool reusable = b->keep_alive && left_over == 0 && b->tx == TX_DONE && !conn_blocked(b->conn) &&
                    !b->conn->eof_seen && !w->draining && !b->pool->retired &&
                    !pool_sends_proxy(b->pool) && w->cfg->backend_keep_alive_timeout > 0;
    exchange_detach_back(x);
    b->x = NULL;
    exchange_end_down(x);
    if (!reusable) {
        destroy(b);
        return;
    }
    b->reused = true;
    b->idle_turn = w->turn;
    list_prepend(&b->pool->idle, &b->node);
    b->pool->nidle++;
    touch(b);
    pool_settle(b->pool);
}

static void begin_response(struct back_h1 *b)
{
    const struct config *cfg = b->pool->worker->cfg;
    h1_receiver_begin(&b->receiver, b->pool->worker, H1_RESPONSE,
                      (struct h1_options){.head_bytes = (uint32_t)cfg->response_header_field_buffer,
                                          .fields = (uint32_t)cfg->max_response_header_fields});
}

/* NULL, or why it is not acceptable. */
static const char *take_interim(struct back_h1 *b)
{
    struct exchange *x = b->x;
    if (x->response.status == 101) {
        return "101 that nobody asked for";
    }
    if (++x->interim > EXCHANGE_MAX_INTERIM) {
        return "too many interim responses";
    }
    exchange_take_head(x);
    begin_response(b);
    return NULL;
}

/* A complete head. NULL, or why it is not acceptable. */
static const char *take_head(struct back_h1 *b, const uint8_t *data)
{
    struct exchange *x = b->x;
    const struct h1_head *h = &b->receiver.reader.head;
    struct h1_framing framing = h1_body_framing(h, x->request.method);
    if (framing.error != H1_ERR_NONE) {
        return h1_error_text(framing.error);
    }
    x->response.status = h->status;
    message_set_fields_h1(x, &x->response.m, h,
                          arena_copy(&x->arena, (const char *)data, h->head_len));
    if (h->status < 200) {
        return take_interim(b);
    }
    struct message *m = &x->response.m;
    m->has_body = framing.kind != H1_BODY_NONE;
    m->content_length = m->has_body && framing.kind != H1_BODY_LENGTH ? -1 : h->content_length;
    b->keep_alive = framing.keep_alive;
    h1_receiver_follow(&b->receiver, framing);
    exchange_take_head(x);
    return NULL;
}

static void refuse(struct back_h1 *b, const char *why)
{
    LOG(WARN, "backend %s: the response is refused: %s", b->pool->backend->label, why);
    fail(b, EXCHANGE_BACKEND_PROTOCOL);
}

/* `left_over`: octets that came behind those of this step. */
static void take_step(struct back_h1 *b, enum h1_receipt step, const struct h1_received *in,
                      size_t left_over)
{
    const char *fault;
    switch (step) {
    case H1_RECEIVED_HEAD:
        fault = take_head(b, in->section);
        if (fault != NULL) {
            refuse(b, fault);
        }
        break;
    case H1_RECEIVED_BODY:
        exchange_push_down(b->x, in->body, in->body_len);
        break;
    case H1_RECEIVED_FULL:
        conn_pause_reading(b->conn, CONN_PAUSE_BODY);
        break;
    case H1_RECEIVED_END:
        if (in->trailers) {
            message_set_trailers_h1(b->x, &b->x->response.m, &b->receiver.reader.head,
                                    (const char *)in->section);
        }
        finish(b, left_over);
        break;
    case H1_RECEIVED_ERROR:
        refuse(b, h1_error_text(in->error));
        break;
    case H1_RECEIVED_MORE:
        break;
    }
}

static size_t input(struct conn *c, uint8_t *data, size_t len)
{
    struct back_h1 *b = of_conn(c);
    if (b->x == NULL || b->tx == TX_HEAD) {
        /* Nobody asked anything: whatever this is, it must not become an answer. */
        LOG(WARN, "backend %s: bytes on an idle connection; it is closed", b->pool->backend->label);
        fail(b, EXCHANGE_BACKEND_GONE);
        return len;
    }
    touch(b);
    b->any_input = true;
    size_t used = 0;
    enum h1_receipt step = H1_RECEIVED_HEAD;
    while (b->x != NULL && step != H1_RECEIVED_MORE && step != H1_RECEIVED_FULL) {
        struct h1_received in;
        step = h1_receiver_step(&b->receiver, data + used, len - used, pipe_room(&b->x->down), &in);
        used += in.used;
        take_step(b, step, &in, len - used);
    }
    return c->state == CONN_OPEN ? used : len;
}

/* ---------------------------------------------------------------- the connection's other news */

static void ready(struct conn *c)
{
    struct back_h1 *b = of_conn(c);
    pool_connected(b->pool);
    touch(b);
    conn_want_output(c);
}

static void eof(struct conn *c, bool clean)
{
    struct back_h1 *b = of_conn(c);
    if (b->x != NULL && clean && b->receiver.part == H1_PART_BODY &&
        b->receiver.body.kind == H1_BODY_CLOSE) {
        finish(b, 0);
    } else {
        fail(b, EXCHANGE_BACKEND_GONE);
    }
}

static void failed(struct conn *c, enum conn_error why)
{
    struct back_h1 *b = of_conn(c);
    if (c->state == CONN_CONNECTING || c->state == CONN_HANDSHAKE) {
        pool_connect_failed(b->pool, conn_error_detail(c, why));
    }
    fail(b, back_error(why));
}

static const struct conn_ops conn_ops = {
    .ready = ready, .input = input, .eof = eof, .output = output, .failed = failed};

/* ---------------------------------------------------------------- what the front says */

static void on_body(struct exchange *x)
{
    conn_want_output(of_exchange(x)->conn);
}

static void on_credit(struct exchange *x, size_t n)
{
    (void)n;
    if (pipe_room(&x->down) >= x->down.limit / 2) {
        conn_resume_reading(of_exchange(x)->conn, CONN_PAUSE_BODY);
    }
}

static void on_abort(struct exchange *x, enum exchange_error why)
{
    (void)why;
    struct back_h1 *b = of_exchange(x);
    exchange_detach_back(x);
    b->x = NULL;
    destroy(b);
}

static const struct exchange_ops exchange_ops = {
    .body = on_body, .credit = on_credit, .abort = on_abort};

void back_h1_close_idle(struct pool *p)
{
    list_each_safe(node, &p->idle)
    {
        destroy(container_of(node, struct back_h1, node));
    }
}

void back_h1_close_last(struct pool *p)
{
    if (!list_empty(&p->idle)) {
        destroy(container_of(p->idle.prev, struct back_h1, node));
    }
}
