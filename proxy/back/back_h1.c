/*
 * A connection to an HTTP/1.1 backend. It carries one exchange at a time and waits in its pool
 * between two of them.
 *
 * It goes back to the pool only when the request was written to its end, the response was read to
 * its end, and not a byte came behind it. On an idle connection any byte, and the end of it, closes
 * it: what a backend says unasked must never become the next client's response.
 */
#include "back/back_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "config.h"
#include "exchange/h1_receiver.h"
#include "exchange/h1_writer.h"
#include "exchange/message.h"
#include "exchange/tunnel.h"
#include "net/clock.h"
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
    struct list node;   /**< pool->idle, while idle; pool->opening, while it is opened for nobody */
    bool idle;
    enum tx_state tx;
    bool reused;        /**< it has carried an exchange before, or waited for one */
    bool probes;        /**< the prober waits for what becomes of it */
    bool any_input;     /**< a byte of the response has come */
    uint64_t idle_turn; /**< the turn in which it became idle */
    bool keep_alive;    /**< the response allows another request */
    bool continued;     /**< 100 (Continue) has come */
    struct h1_receiver receiver;
    struct h1_writer writer;
    uint64_t moved;     /**< clock_ms(), when an octet went or came last */
    struct timer timer; /**< the next look at it; the keep-alive time-out while idle */
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
    list_remove(&b->node);
    if (b->idle) {
        b->idle = false;
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
    pool_probed(b->pool, &b->probes, false, "the connection ended");
    worker_reap(b->pool->worker, &b->reap, free_back);
    pool_conn_gone(b->pool);
}

static enum exchange_progress progress_of(const struct back_h1 *b)
{
    return b->any_input ? EXCHANGE_ANSWERED : b->tx == TX_HEAD ? EXCHANGE_UNSENT : EXCHANGE_SENT;
}

static struct exchange *let_go(struct back_h1 *b)
{
    struct exchange *x = b->x;
    exchange_detach_back(x);
    b->x = NULL;
    return x;
}

/* The exchange, if there is one, cannot be finished here. */
static void fail(struct back_h1 *b, enum exchange_error why)
{
    if (b->x == NULL) {
        destroy(b);
        return;
    }
    why = back_death(why, b->reused, b->any_input);
    enum exchange_progress progress = progress_of(b);
    if (b->x->tunnel.open) {
        conn_reset_on_close(b->conn); /* nobody is to take it for the tunnel's regular end */
    }
    struct exchange *x = let_go(b);
    destroy(b);
    exchange_lost(x, why, progress);
}

/* With `fall` it is looked now and then whether the backend is still thought to be alive; while it
 * is being connected to, that is all (conn has its own time-out). */
static void look_later(struct back_h1 *b)
{
    const struct cfg_backend *cfg = b->pool->backend->cfg;
    uint64_t ms = b->pool->worker->cfg->backend_keep_alive_timeout;
    if (b->x != NULL) {
        uint64_t most = b->x->group->group->read_timeout, passed = clock_ms() - b->moved;
        bool never = most == 0 || b->conn->state != CONN_OPEN;
        ms = never ? 0 : passed < most ? most - passed : 1;
        ms = cfg->fall > 0 && (ms == 0 || ms > cfg->health_timeout) ? cfg->health_timeout : ms;
    }
    timer_set(&b->pool->worker->wheel, &b->timer, ms);
}

static void touch(struct back_h1 *b)
{
    b->moved = clock_ms();
    look_later(b);
}

/* The backend is offline, and silent: there is no use in waiting for its answer. */
static bool is_hopeless(const struct back_h1 *b)
{
    return health_is_silent(b->pool->health, b->pool->backend->cfg) &&
           exchange_can_move(b->x, progress_of(b));
}

static void on_timeout(struct timer *t)
{
    struct back_h1 *b = container_of(t, struct back_h1, timer);
    assert(b->magic == BACK_MAGIC);
    if (b->x == NULL) {
        destroy(b);
        return;
    }
    uint64_t most = b->x->group->group->read_timeout;
    if ((b->conn->paused & CONN_PAUSE_BODY) != 0) {
        touch(b); /* it is the client that does not read; the front watches it */
    } else if (b->conn->state == CONN_OPEN && most != 0 && clock_ms() - b->moved >= most) {
        fail(b, EXCHANGE_BACKEND_TIMEOUT);
    } else if (is_hopeless(b)) {
        LOG(INFO, "backend %s: it says nothing: a request goes elsewhere", b->pool->text);
        fail(b, EXCHANGE_BACKEND_SILENT);
    } else {
        look_later(b);
    }
}

/* ---------------------------------------------------------------- the tunnel */

/* Both directions have ended: what is on its way still arrives. The connection is of no more use.
 */
static void finish_tunnel(struct back_h1 *b)
{
    struct exchange *x = let_go(b);
    timer_stop(&b->timer);
    conn_finish(b->conn);
    worker_reap(b->pool->worker, &b->reap, free_back);
    pool_conn_gone(b->pool);
    x->front_ops->body(x);
}

static size_t tunnel_input(struct back_h1 *b, const uint8_t *data, size_t len)
{
    size_t room = pipe_room(&b->x->down), n = len < room ? len : room;
    if (n < len) {
        conn_pause_reading(b->conn, CONN_PAUSE_BODY);
    }
    if (n > 0) {
        exchange_push_down(b->x, data, n);
    }
    return n;
}

/* The backend has ended its side; the client may go on. */
static void tunnel_eof(struct back_h1 *b, bool clean)
{
    if (!clean) {
        fail(b, EXCHANGE_BACKEND_GONE);
        return;
    }
    touch(b);
    exchange_end_down(b->x);
    if (b->tx == TX_DONE) {
        finish_tunnel(b);
    }
}

/* The client has ended its side, and all that it said is written. */
static void tunnel_written(struct back_h1 *b)
{
    if (b->x->down.ended) {
        finish_tunnel(b);
    } else {
        conn_end_output(b->conn);
    }
}

/* ---------------------------------------------------------------- the request, outwards */

static void begin(struct back_h1 *b, struct exchange *x)
{
    b->x = x;
    b->tx = TX_HEAD;
    b->any_input = false;
    b->keep_alive = false;
    b->continued = false;
    b->writer =
        (struct h1_writer){.chunked = x->request.m.has_body && x->request.m.content_length < 0};
    begin_response(b);
    exchange_attach_back(x, b->pool, &exchange_ops, b);
    touch(b);
    if (b->conn->state == CONN_OPEN) {
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

bool back_h1_reuse(struct pool *p, struct exchange *x)
{
    /* A second try gets a new connection: what closed one kept connection may be closing all of
     * them. So does a tunnel: it takes the connection for good, and CONNECT cannot be tried again
     * when a kept one turns out to be dead. And a check, which is about connecting, too. */
    bool fresh =
        x->is_check || x->tries > 1 || x->tunnel.wanted != TUNNEL_NONE || pool_sends_proxy(p);
    struct back_h1 *b = fresh ? NULL : take_idle(p);
    if (b == NULL) {
        pool_make_room(p);
        return false;
    }
    begin(b, x);
    return true;
}

static struct back_h1 *new_back(struct pool *p)
{
    struct back_h1 *b = xcalloc(1, sizeof(*b));
    b->magic = BACK_MAGIC;
    b->pool = p;
    list_init(&b->node);
    timer_init(&b->timer, on_timeout);
    return b;
}

static struct back_h1 *open_connection(struct pool *p)
{
    struct back_h1 *b = new_back(p);
    b->conn = pool_connect(p, &conn_ops, b, "http/1.1");
    if (b->conn == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

bool back_h1_take(struct pool *p, struct exchange *x)
{
    if (back_h1_reuse(p, x)) {
        return true;
    }
    struct back_h1 *b = open_connection(p);
    if (b == NULL) {
        return false;
    }
    pool_introduce(p, b->conn, exchange_client(x));
    begin(b, x);
    return true;
}

bool back_h1_open(struct pool *p, bool probe)
{
    struct back_h1 *b = open_connection(p);
    if (b == NULL) {
        return false;
    }
    b->probes = probe;
    list_append(&p->opening, &b->node);
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
        struct h1_start start = {.status = 0};
        message_request_line(x, &start.method, &start.target);
        n = h1_write_head(&b->writer, &start, &l, NULL, buf, cap);
        b->tx = TX_BODY;
    }
    n += h1_write_spill(&b->writer, buf + n, cap - n);
    if (buffer_len(&b->writer.spill) == 0 && exchange_may_send_up(x)) {
        size_t taken;
        n += h1_write_body(&b->writer, x, &x->up, &x->request.m, buf + n, cap - n, &taken);
        if (b->writer.finished) {
            b->tx = TX_DONE;
        }
        exchange_took_up(x, taken);
        if (x->tunnel.open && b->tx == TX_DONE) {
            tunnel_written(b);
        }
    }
    if (n > 0 && b->x != NULL) {
        touch(b);
    }
    return n;
}

/* ---------------------------------------------------------------- the response, inwards */

/* Whether its pool keeps connections that wait for a request. */
static bool may_wait(const struct back_h1 *b)
{
    const struct worker *w = b->pool->worker;
    return !w->draining && !b->pool->retired && !pool_sends_proxy(b->pool) &&
           w->cfg->backend_keep_alive_timeout > 0;
}

static void become_idle(struct back_h1 *b)
{
    b->reused = true;
    b->idle_turn = b->pool->worker->turn;
    list_remove(&b->node);
    list_prepend(&b->pool->idle, &b->node);
    b->idle = true;
    b->pool->nidle++;
    touch(b);
    pool_settle(b->pool);
}

/* Response done: the connection goes back to its pool if it is fit for another request, else it is
 * closed. */
static void finish(struct back_h1 *b, size_t left_over)
{
    struct exchange *x = b->x;
    /* RFC 9110, 10.1.1: a backend that answers without 100 may read the body or not; if not, it
     * would take it for the next request. */
    bool body_is_loose = x->request.expect_continue && x->request.m.has_body && !b->continued;
    bool reusable = b->keep_alive && !body_is_loose && left_over == 0 && b->tx == TX_DONE &&
                    !conn_blocked(b->conn) && !b->conn->eof_seen;
    (void)let_go(b);
    exchange_end_down(x);
    if (reusable && may_wait(b)) {
        become_idle(b);
    } else {
        destroy(b);
    }
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
    b->continued = b->continued || x->response.status == 100;
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
    if (message_nominates_too_many(&x->response.m)) {
        return "Connection names too many fields";
    }
    const char *fault = tunnel_judge_h1(x, h->connection_upgrade);
    if (fault != NULL) {
        return fault;
    }
    struct message *m = &x->response.m;
    if (x->tunnel.open) {
        m->has_body = true;
        exchange_take_head(x);
        conn_want_output(b->conn); /* what has waited for this */
        return NULL;
    }
    if (h->status < 200) {
        return take_interim(b);
    }
    m->has_body = framing.kind != H1_BODY_NONE;
    m->content_length = m->has_body && framing.kind != H1_BODY_LENGTH ? -1 : h->content_length;
    b->keep_alive = framing.keep_alive;
    h1_receiver_follow(&b->receiver, framing);
    exchange_take_head(x);
    return NULL;
}

static void refuse(struct back_h1 *b, const char *why)
{
    LOG(WARN, "backend %s: the response is refused: %s", b->pool->text, why);
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
        LOG(WARN, "backend %s: bytes on an idle connection; it is closed", b->pool->text);
        fail(b, EXCHANGE_BACKEND_GONE);
        return len;
    }
    touch(b);
    b->any_input = true;
    size_t used = 0;
    enum h1_receipt step = H1_RECEIVED_HEAD;
    while (b->x != NULL && !b->x->tunnel.open && step != H1_RECEIVED_MORE &&
           step != H1_RECEIVED_FULL) {
        struct h1_received in;
        step = h1_receiver_step(&b->receiver, data + used, len - used, pipe_room(&b->x->down), &in);
        used += in.used;
        take_step(b, step, &in, len - used);
    }
    if (b->x != NULL && b->x->tunnel.open && used < len) {
        used += tunnel_input(b, data + used, len - used);
    }
    return c->state == CONN_OPEN ? used : len;
}

/* ---------------------------------------------------------------- the connection's other news */

/* A probe, or one that was opened ahead of any request. */
static void ready_unasked(struct back_h1 *b)
{
    pool_probed(b->pool, &b->probes, true, NULL);
    if (may_wait(b) && !health_is_offline(b->pool->health, b->pool->backend->cfg)) {
        become_idle(b);
    } else {
        destroy(b);
    }
}

static void ready(struct conn *c)
{
    struct back_h1 *b = of_conn(c);
    if (!pool_agrees(c, CFG_PROTO_HTTP1)) {
        char why[POOL_WHY_SIZE];
        pool_connect_failed(b->pool, &b->probes, false, pool_disagreement(c, "http/1.1", why));
        fail(b, EXCHANGE_BACKEND_TLS);
        return;
    }
    /* What a backend says before it was asked must not become an answer; input() has not looked
     * yet. (With TLS there may be session tickets.) */
    if (c->tls == NULL && !conn_is_silent(c)) {
        pool_connect_failed(b->pool, &b->probes, false, "it speaks or ends before it was asked");
        fail(b, EXCHANGE_BACKEND_PROTOCOL);
        return;
    }
    pool_connected(b->pool);
    if (b->x == NULL) {
        ready_unasked(b);
        return;
    }
    touch(b);
    conn_want_output(c);
}

static void eof(struct conn *c, bool clean)
{
    struct back_h1 *b = of_conn(c);
    if (b->x != NULL && b->x->tunnel.open) {
        tunnel_eof(b, clean);
    } else if (b->x != NULL && clean && b->receiver.part == H1_PART_BODY &&
               b->receiver.body.kind == H1_BODY_CLOSE) {
        finish(b, 0);
    } else {
        fail(b, EXCHANGE_BACKEND_GONE);
    }
}

static void failed(struct conn *c, enum conn_error why)
{
    struct back_h1 *b = of_conn(c);
    /* With TLS 1.3 our certificate is judged when the handshake is over for us. */
    bool rejected = why == CONN_ERR_TLS && !b->reused && !b->any_input;
    if (c->state == CONN_CONNECTING || c->state == CONN_HANDSHAKE || rejected) {
        pool_connect_failed(b->pool, &b->probes, why == CONN_ERR_CONNECT_TIMEOUT,
                            conn_error_detail(c, why));
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
    if (x->tunnel.open) {
        conn_reset_on_close(b->conn); /* RFC 9113, 8.5 */
    }
    (void)let_go(b);
    destroy(b);
}

static const struct exchange_ops exchange_ops = {
    .body = on_body, .credit = on_credit, .abort = on_abort};

void back_h1_adopt(struct pool *p, struct conn *c, struct exchange *x)
{
    struct back_h1 *b = new_back(p);
    b->conn = c;
    conn_set_user(c, &conn_ops, b);
    if (x != NULL) {
        begin(b, x);
    } else if (may_wait(b)) {
        become_idle(b);
    } else {
        destroy(b);
    }
}

void back_h1_close_idle(struct pool *p)
{
    list_each_safe(node, &p->opening)
    {
        destroy(container_of(node, struct back_h1, node));
    }
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
