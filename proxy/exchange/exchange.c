/* The life of an exchange, from the request head to the line in the access log. */
#include "exchange/exchange.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "back/back.h"
#include "config.h"
#include "exchange/answer.h"
#include "exchange/error_page.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/routes.h"
#include "route/targets.h"

/* A connection that is being opened is expected to take a hundred requests; a server that takes one
 * stream sends the others on, one after the other. */
#define MAX_RETURNS 200

static const struct {
    int status;
    enum h2_code code;
    const char *text;
} errors[] = {
    [EXCHANGE_OK] = {0, H2_NO_ERROR, "no error"},
#define EXCHANGE_ERROR(name, status, code, text) [EXCHANGE_##name] = {status, code, text},
#include "exchange/errors.def"
#undef EXCHANGE_ERROR
};

enum h2_code exchange_error_code(enum exchange_error e)
{
    return errors[e].code;
}

const char *exchange_error_text(enum exchange_error e)
{
    return errors[e].text;
}

/* ---------------------------------------------------------------- birth and end */

void client_info_init(struct client_info *c)
{
    list_init(&c->backs);
}

struct exchange *exchange_new(struct worker *w, struct client_info *client,
                              const struct exchange_ops *front_ops, void *front)
{
    struct arena arena;
    arena_init(&arena, &w->blocks);
    struct exchange *x = arena_alloc(&arena, sizeof(*x));
    memset(x, 0, sizeof(*x));
    x->arena = arena;
    x->worker = w;
    x->client = client;
    x->front_ops = front_ops;
    x->front = front;
    x->request.m.content_length = x->response.m.content_length = -1;
    x->started_ms = clock_ms();
    clock_gettime(CLOCK_REALTIME_COARSE, &x->started);
    pipe_init(&x->up, &w->blocks, w->cfg->backend_request_buffer);
    pipe_init(&x->down, &w->blocks, w->cfg->backend_response_buffer);
    list_init(&x->front_node);
    list_init(&x->back_node);
    list_init(&x->reap.node);
    timer_init(&x->timer, NULL);
    timer_init(&x->back_timer, NULL);
    w->nexchanges++;
    return x;
}

static void exchange_free(struct reap *r)
{
    struct exchange *x = container_of(r, struct exchange, reap);
    assert(x->ended && x->back_ops == NULL);
    timer_remove(&x->timer);
    timer_remove(&x->back_timer);
    pipe_clear(&x->up);
    pipe_clear(&x->down);
    if (x->pool != NULL) {
        pool_unref(x->pool);
    }
    if (x->targets != NULL) {
        targets_unref(x->targets);
    }
    x->worker->nexchanges--;
    struct arena arena = x->arena; /* x lives in it */
    arena_release(&arena);
}

void exchange_end(struct exchange *x, enum exchange_error why)
{
    assert(!x->ended);
    x->ended = true;
    if (x->error == EXCHANGE_OK) {
        x->error = why;
    }
    if (x->back_ops != NULL) {
        x->back_ops->abort(x, why);
        assert(x->back_ops == NULL);
    }
    if (!x->is_check) {
        access_log_write(&x->worker->access_log, x);
    }
    worker_reap(x->worker, &x->reap, exchange_free);
}

/* ---------------------------------------------------------------- between the sides */

/* By the routes that are in force now. */
static void match(struct exchange *x)
{
    struct targets *t = x->worker->targets;
    if (x->targets == t) {
        return;
    }
    if (x->targets != NULL) {
        targets_unref(x->targets);
    }
    x->targets = targets_ref(t);
    x->set_affinity = false; /* that was another group */
    const char *sni = x->client->sni_fwd ? x->client->tls_sni : NULL;
    x->group = &t->groups[routes_match(t->routes, &x->request, sni)->index];
}

/* The program answers it itself. */
static bool is_answered(struct exchange *x)
{
    if (!x->client->healthmon) {
        match(x);
    }
    return answer_begin(x);
}

void exchange_begin(struct exchange *x)
{
    if (is_answered(x)) {
        return;
    }
    uint64_t now = clock_ms();
    budget_earn(&x->group->retries, now);
    budget_earn(&x->worker->retries, now);
    if (x->request.m.has_body) {
        pipe_keep(&x->up);
    }
    struct queue *q = x->front_ops->hold != NULL ? x->front_ops->hold(x) : NULL;
    if (q != NULL) {
        queue_enter(q, x, NULL, x->group->group->read_timeout);
    } else {
        exchange_dispatch(x, NULL);
    }
}

/* One attempt, at `p` or, when that is NULL, where the choice falls. True: somebody has it. Else
 * *why says what came of it, and *more whether another one makes sense. */
static bool attempt(struct exchange *x, struct pool *p, enum exchange_error *why, bool *more)
{
    *more = false;
    switch (p != NULL ? TARGET_FOUND : targets_choose(x, &p)) {
    case TARGET_LATER:
        *why = EXCHANGE_BACKEND_BUSY;
        return targets_wait(x);
    case TARGET_OFFLINE:
        *why = x->tries == 0 ? EXCHANGE_BACKEND_OFFLINE : *why;
        return false;
    case TARGET_UNABLE:
        *why = x->tries == 0 ? EXCHANGE_BACKEND_NO_WEBSOCKET : *why;
        return false;
    case TARGET_NONE:
        return false;
    case TARGET_FOUND:
        break;
    }
    x->tried[x->tries++] = p->id;
    if (back_take(p, x)) {
        return true;
    }
    if (pool_has_room(p, exchange_client(x))) {
        *more = true;
        return false;
    }
    /* Another worker took the last connection: that was no try. */
    x->tries--;
    *why = EXCHANGE_BACKEND_BUSY;
    return targets_wait(x);
}

/*
 * It is about this address and no other. That a kept connection has ended, or takes no other
 * stream, says nothing of that: once more, then.
 */
static void repeat_check(struct exchange *x, enum exchange_error why,
                         enum exchange_progress progress)
{
    bool says_nothing = why == EXCHANGE_BACKEND_GONE || progress == EXCHANGE_REFUSED;
    bool again = says_nothing && !x->repeated;
    x->repeated = true;
    if (again && back_take(x->pool, x)) {
        return;
    }
    bool full = again && !pool_has_room(x->pool, NULL);
    exchange_fail(x, full ? EXCHANGE_BACKEND_BUSY : why);
}

static bool has_retry(const struct exchange *x)
{
    uint64_t now = clock_ms();
    return budget_has(&x->group->retries, now) && budget_has(&x->worker->retries, now);
}

/*
 * Another try costs, if the one before has cost a server something: else whoever asks for what no
 * server takes would use up the retries of others. It costs when it begins; waiting for room, or
 * for another connection, costs nothing more.
 */
static bool may_try_again(struct exchange *x, enum exchange_error why)
{
    if (x->tries == EXCHANGE_MAX_TRIES) {
        return false;
    }
    if (why == EXCHANGE_BACKEND_NO_WEBSOCKET) {
        return true;
    }
    if (!has_retry(x)) {
        return false;
    }
    (void)budget_spend(&x->group->retries, clock_ms());
    (void)budget_spend(&x->worker->retries, clock_ms());
    return true;
}

/*
 * Whether the request may be sent again, to whomever it may be: the rule of docs/routing.md ("When
 * a backend fails"). Idempotent is what is the same when it is done twice (RFC 9110, 9.2.2); that
 * it was not processed, a server says with GOAWAY or REFUSED_STREAM (RFC 9113, 8.7).
 */
static bool may_be_sent_again(const struct exchange *x, enum exchange_error why,
                              enum exchange_progress progress)
{
    if (!exchange_can_start_over(x)) {
        return false;
    }
    switch (progress) {
    case EXCHANGE_UNSENT:
    case EXCHANGE_REFUSED:
        return true;
    case EXCHANGE_SENT:
        return exchange_is_idempotent(x) &&
               (why == EXCHANGE_BACKEND_GONE || why == EXCHANGE_BACKEND_NO_ANSWER ||
                why == EXCHANGE_BACKEND_SILENT);
    case EXCHANGE_ANSWERED:
        return false;
    }
    return false;
}

static void dispatch(struct exchange *x, struct pool *p, enum exchange_error why)
{
    bool more;
    assert(x->back_ops == NULL && exchange_can_start_over(x));
    pipe_rewind(&x->up);
    if (is_answered(x)) {
        return; /* by the routes that have come while it waited */
    }
    do {
        if (attempt(x, p, &why, &more)) {
            return;
        }
        p = NULL;
        why = more ? EXCHANGE_BACKEND_CONNECT : why;
    } while (more && x->tries < EXCHANGE_MAX_TRIES); /* nothing was sent */
    exchange_fail(x, why);
}

void exchange_dispatch(struct exchange *x, struct pool *pool)
{
    dispatch(x, pool, EXCHANGE_BACKEND_CONNECT);
}

void exchange_return(struct exchange *x)
{
    if (x->is_check) {
        repeat_check(x, EXCHANGE_BACKEND_GONE, EXCHANGE_UNSENT);
        return;
    }
    assert(x->tries > 0);
    x->tries--;
    if (++x->returned > MAX_RETURNS) {
        exchange_fail(x, EXCHANGE_BACKEND_BUSY);
        return;
    }
    exchange_dispatch(x, NULL);
}

void exchange_lost(struct exchange *x, enum exchange_error why, enum exchange_progress progress)
{
    x->waits_since = 0;
    /* Whoever closes new connections on a request, or is silent, will be so again. */
    x->once = x->once || why == EXCHANGE_BACKEND_NO_ANSWER || why == EXCHANGE_BACKEND_TIMEOUT ||
              why == EXCHANGE_BACKEND_SILENT;
    if (!may_be_sent_again(x, why, progress)) {
        exchange_fail(x, why);
    } else if (x->is_check) {
        repeat_check(x, why, progress);
    } else if (may_try_again(x, why)) {
        dispatch(x, NULL, why);
    } else {
        exchange_fail(x, why);
    }
}

void exchange_attach_back(struct exchange *x, struct pool *pool, const struct exchange_ops *ops,
                          void *back)
{
    assert(x->back_ops == NULL);
    x->back_ops = ops;
    x->back = back;
    x->loads_pool = pool != NULL && !x->is_check;
    if (pool == NULL) {
        return;
    }
    x->waits_since = x->waits_since != 0 ? x->waits_since : clock_ms();
    if (x->loads_pool) {
        pool->load++;
    }
    if (x->pool != pool) {
        if (x->pool != NULL) {
            pool_unref(x->pool);
        }
        x->pool = pool_ref(pool);
    }
}

void exchange_detach_back(struct exchange *x)
{
    x->back_ops = NULL;
    x->back = NULL;
    x->back_stream = 0;
    timer_stop(&x->back_timer);
    list_remove(&x->back_node);
    if (x->loads_pool) {
        x->loads_pool = false;
        x->pool->load--;
        pool_freed(x->pool);
    } else if (x->is_check && x->pool != NULL) {
        pool_freed(x->pool);
    }
}

bool exchange_is_idempotent(const struct exchange *x)
{
    enum h1_method m = x->request.method;
    return m == H1_METHOD_GET || m == H1_METHOD_HEAD || m == H1_METHOD_OPTIONS ||
           m == H1_METHOD_TRACE || m == H1_METHOD_PUT || m == H1_METHOD_DELETE;
}

bool exchange_can_move(struct exchange *x, enum exchange_progress progress)
{
    return !x->is_check && x->tries < EXCHANGE_MAX_TRIES &&
           may_be_sent_again(x, EXCHANGE_BACKEND_SILENT, progress) && has_retry(x) &&
           targets_have_other(x);
}

void exchange_take_head(struct exchange *x)
{
    pipe_forget(&x->up);
    if (x->loads_pool) {
        pool_answered(x->pool, x->response.status);
    }
    x->front_ops->head(x);
}

void exchange_fail(struct exchange *x, enum exchange_error why)
{
    assert(x->back_ops == NULL && why != EXCHANGE_OK);
    if (x->ended) {
        return;
    }
    x->error = why;
    LOG(INFO, "%s: %.*s %.*s: %s", x->client->addr, (int)x->request.method_text.len,
        x->request.method_text.s, (int)x->request.target.len, x->request.target.s,
        exchange_error_text(why));
    x->front_ops->abort(x, why);
}

enum exchange_error exchange_error_of_status(int status)
{
    for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
        if (errors[e].status == status) {
            return (enum exchange_error)e;
        }
    }
    return EXCHANGE_CLIENT_PROTOCOL;
}

void exchange_refuse(struct exchange *x, enum exchange_error why)
{
    if (x->error != EXCHANGE_OK) {
        return; /* an error is on its way to the client already */
    }
    if (x->back_ops != NULL) {
        x->back_ops->abort(x, why);
    }
    exchange_fail(x, why);
}

int exchange_status_of_error(const struct exchange *x)
{
    return errors[x->error].status;
}

void exchange_make_error(struct exchange *x)
{
    pipe_clear(&x->down);
    x->down.ended = false;
    x->tunnel.open = false; /* the client has not heard of it yet */
    error_page_make(x, exchange_status_of_error(x));
    x->down.ended = true;
}

void exchange_push_up(struct exchange *x, const uint8_t *data, size_t len)
{
    pipe_write(&x->up, data, len);
    if (x->back_ops != NULL) {
        x->back_ops->body(x);
    }
}

void exchange_end_up(struct exchange *x)
{
    assert(!x->up.ended);
    x->up.ended = true;
    if (x->back_ops != NULL) {
        x->back_ops->body(x);
    }
}

void exchange_push_down(struct exchange *x, const uint8_t *data, size_t len)
{
    pipe_write(&x->down, data, len);
    x->front_ops->body(x);
}

void exchange_end_down(struct exchange *x)
{
    assert(!x->down.ended);
    x->down.ended = true;
    x->front_ops->body(x);
}

void exchange_took_up(struct exchange *x, size_t n)
{
    size_t fresh = (size_t)(x->up.furthest - x->up_credited);
    x->up_credited = x->up.furthest;
    if (n > 0 && !x->ended) {
        x->front_ops->credit(x, fresh);
    }
}

void exchange_took_down(struct exchange *x, size_t n)
{
    x->sent_bytes += n;
    if (n > 0 && x->back_ops != NULL) {
        x->back_ops->credit(x, n);
    }
}
