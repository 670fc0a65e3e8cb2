/*
 * proto=auto: a connection to a backend that is being opened, when nobody knows yet what it will
 * speak. ALPN decides; then it becomes one of back_h1 or back_h2, and nothing of this is left.
 *
 * Exchanges wait for it meanwhile. How many for one connection is a guess by what the backend chose
 * last: HTTP/1.1 takes one, HTTP/2 many. A guess that turns out wrong costs the others a round trip
 * and nothing else: they are routed anew, by what is known then.
 */
#include "back/back_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "net/block.h"
#include "process/worker.h"

#define BACK_AUTO_MAGIC 0x62617520u /* "bau " */

struct back_auto {
    uint32_t magic;
    struct conn *conn;
    struct pool *pool;
    struct list node; /* pool->undecided */
    struct queue waiting;
    bool probes; /* the prober waits for what becomes of it */
    struct reap reap;
};

static struct back_auto *checked(void *p)
{
    struct back_auto *b = p;
    assert(b->magic == BACK_AUTO_MAGIC);
    return b;
}

/* ---------------------------------------------------------------- ending */

static void free_back(struct reap *r)
{
    struct back_auto *b = container_of(r, struct back_auto, reap);
    assert(b->waiting.n == 0);
    b->magic = 0;
    free(b);
}

/* Its connection is somebody else's now, or closed. */
static void leave(struct back_auto *b)
{
    pool_probed(b->pool, &b->probes, false, "the connection ended");
    list_remove(&b->node);
    worker_reap(b->pool->worker, &b->reap, free_back);
}

static void destroy(struct back_auto *b)
{
    leave(b);
    conn_close(b->conn);
    pool_conn_gone(b->pool);
}

/* The one that waits the longest; NULL: nobody does. */
static struct exchange *take_waiting(struct back_auto *b)
{
    struct exchange *x = queue_first(&b->waiting);
    if (x != NULL) {
        queue_leave(x);
    }
    return x;
}

static void fail(struct back_auto *b, enum exchange_error why)
{
    struct exchange *x;
    list_remove(&b->node); /* nobody joins any more */
    while ((x = take_waiting(b)) != NULL) {
        exchange_lost(x, why, EXCHANGE_UNSENT);
    }
    destroy(b);
}

/* ---------------------------------------------------------------- what it turns out to be */

static void become_h1(struct back_auto *b)
{
    struct exchange *x = take_waiting(b);
    b->pool->speaks = CFG_PROTO_HTTP1;
    pool_connected(b->pool);
    back_h1_adopt(b->pool, b->conn, x);
    while ((x = take_waiting(b)) != NULL) {
        exchange_return(x);
    }
    leave(b);
}

static void become_h2(struct back_auto *b)
{
    struct pool *p = b->pool;
    struct exchange *x;
    p->speaks = CFG_PROTO_HTTP2;
    /* Several were opened as for HTTP/1.1, and the first has become all that is needed. */
    bool spare = back_h2_has_stream(p, NULL);
    if (!spare && !back_h2_adopt(p, b->conn)) {
        fail(b, EXCHANGE_INTERNAL);
        return;
    }
    while ((x = take_waiting(b)) != NULL) {
        if (!back_h2_has_stream(p, NULL) || !back_h2_take(p, x)) {
            exchange_return(x);
        }
    }
    if (p->retired) {
        back_h2_retire(p);
    }
    leave(b);
    if (spare) {
        conn_finish(b->conn);
        pool_conn_gone(p);
    }
}

static void ready(struct conn *c)
{
    struct back_auto *b = checked(c->user);
    bool h2 = pool_agrees(c, CFG_PROTO_HTTP2);
    list_remove(&b->node); /* nobody joins any more */
    if (!h2 && !pool_agrees(c, CFG_PROTO_HTTP1)) {
        char why[POOL_WHY_SIZE];
        pool_connect_failed(b->pool, &b->probes, false,
                            pool_disagreement(c, "h2 or http/1.1", why));
        fail(b, EXCHANGE_BACKEND_TLS);
        return;
    }
    pool_probed(b->pool, &b->probes, true, NULL);
    if (b->waiting.n == 0 && health_is_offline(b->pool->health, b->pool->backend->cfg)) {
        destroy(b); /* it takes more than one good probe */
        return;
    }
    if (h2) {
        become_h2(b);
    } else {
        become_h1(b);
    }
}

static void failed(struct conn *c, enum conn_error why)
{
    struct back_auto *b = checked(c->user);
    pool_connect_failed(b->pool, &b->probes, why == CONN_ERR_CONNECT_TIMEOUT,
                        conn_error_detail(c, why));
    fail(b, back_error(why));
}

/* The others are called on open connections only, and when this one opens it gets another user. */
static const struct conn_ops conn_ops = {.ready = ready, .failed = failed};

/* ---------------------------------------------------------------- exchanges */

static bool has_room(const struct back_auto *b)
{
    return b->waiting.n < (b->pool->speaks == CFG_PROTO_HTTP1 ? 1 : BACK_MOST_WAITING);
}

static struct back_auto *find_room(const struct pool *p)
{
    list_each(node, &p->undecided)
    {
        struct back_auto *b = container_of(node, struct back_auto, node);
        if (has_room(b)) {
            return b;
        }
    }
    return NULL;
}

static struct back_auto *open_connection(struct pool *p)
{
    struct back_auto *b = xcalloc(1, sizeof(*b));
    b->magic = BACK_AUTO_MAGIC;
    b->pool = p;
    queue_init(&b->waiting, NULL);
    b->conn = pool_connect(p, &conn_ops, b, "h2,http/1.1");
    if (b->conn == NULL) {
        free(b);
        return NULL;
    }
    list_append(&p->undecided, &b->node);
    return b;
}

bool back_auto_take(struct pool *p, struct exchange *x)
{
    if (back_h2_has_stream(p, NULL)) {
        return back_h2_take(p, x);
    }
    if (back_h1_reuse(p, x)) {
        return true;
    }
    struct back_auto *b = find_room(p);
    if (b == NULL) {
        b = open_connection(p);
    }
    if (b == NULL) {
        return false;
    }
    queue_enter(&b->waiting, x, p, 0); /* the connection has a time-out */
    return true;
}

bool back_auto_open(struct pool *p, bool probe)
{
    struct back_auto *b = open_connection(p);
    if (b != NULL) {
        b->probes = probe;
    }
    return b != NULL;
}

/* ---------------------------------------------------------------- the pool's */

bool back_auto_has_room(const struct pool *p)
{
    return find_room(p) != NULL;
}

void back_auto_close_idle(struct pool *p)
{
    list_each_safe(node, &p->undecided)
    {
        struct back_auto *b = container_of(node, struct back_auto, node);
        if (b->waiting.n == 0) {
            destroy(b);
        }
    }
}
