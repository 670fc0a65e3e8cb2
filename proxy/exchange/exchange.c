/* The life of an exchange, from the request head to the line in the access log. */
#include "exchange/exchange.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "back/back.h"
#include "config.h"
#include "exchange/error_page.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/routes.h"

/* However many addresses there are: a request that five of them could not take is not tried any
 * further. */
#define MAX_TRIES 5

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

struct exchange *exchange_new(struct worker *w, const struct client_info *client,
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
    access_log_write(&x->worker->access_log, x);
    worker_reap(x->worker, &x->reap, exchange_free);
}

/* ---------------------------------------------------------------- between the sides */

void exchange_begin(struct exchange *x)
{
    x->group = routes_match(x->worker->routes, &x->request);
    exchange_retry(x, EXCHANGE_BACKEND_CONNECT);
}

/*
 * Every address once; and once more when it was not the address that failed but a connection that
 * had been kept, or a stream that was refused.
 */
static bool may_try_again(const struct exchange *x, enum exchange_error why)
{
    size_t limit =
        x->group->naddrs + (why == EXCHANGE_BACKEND_GONE || why == EXCHANGE_BACKEND_RESET);
    return x->tries < limit && x->tries < MAX_TRIES;
}

void exchange_retry(struct exchange *x, enum exchange_error why)
{
    assert(x->back_ops == NULL && exchange_is_untouched(x));
    while (may_try_again(x, why)) {
        x->tries++;
        if (back_take(routes_pick(x->worker, x->group), x)) {
            return;
        }
        why = EXCHANGE_BACKEND_CONNECT;
    }
    exchange_fail(x, why);
}

void exchange_detach_back(struct exchange *x)
{
    x->back_ops = NULL;
    x->back = NULL;
    x->back_stream = 0;
    timer_stop(&x->back_timer);
    list_remove(&x->back_node);
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
    if (n > 0 && !x->ended) {
        x->front_ops->credit(x, n);
    }
}

void exchange_took_down(struct exchange *x, size_t n)
{
    x->sent_bytes += n;
    if (n > 0 && x->back_ops != NULL) {
        x->back_ops->credit(x, n);
    }
}
