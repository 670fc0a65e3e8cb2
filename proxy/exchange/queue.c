/* Waiting for a back that does something. */
#include "exchange/queue.h"

#include <assert.h>

#include "exchange/exchange.h"
#include "process/worker.h"

void queue_init(struct queue *q, atomic_uint *total)
{
    list_init(&q->waiting);
    q->n = 0;
    q->total = total;
}

static void on_body(struct exchange *x)
{
    (void)x; /* it waits in its pipe, and there is no response to be credited */
}

static void on_credit(struct exchange *x, size_t n)
{
    (void)x;
    (void)n;
}

static void on_abort(struct exchange *x, enum exchange_error why)
{
    (void)why;
    queue_leave(x);
}

static const struct exchange_ops queue_ops = {
    .body = on_body, .credit = on_credit, .abort = on_abort};

static void on_timeout(struct timer *t)
{
    struct exchange *x = container_of(t, struct exchange, back_timer);
    queue_leave(x);
    exchange_fail(x, EXCHANGE_BACKEND_BUSY);
}

void queue_enter(struct queue *q, struct exchange *x, struct pool *pool, uint64_t ms)
{
    exchange_attach_back(x, pool, &queue_ops, q);
    x->back_timer.fire = on_timeout;
    timer_set(&x->worker->wheel, &x->back_timer, ms);
    list_append(&q->waiting, &x->back_node);
    q->n++;
    if (q->total != NULL) {
        (*q->total)++;
    }
}

void queue_leave(struct exchange *x)
{
    assert(x->back_ops == &queue_ops);
    struct queue *q = x->back;
    assert(q->n > 0);
    q->n--;
    if (q->total != NULL) {
        (*q->total)--;
    }
    exchange_detach_back(x);
}

struct exchange *queue_first(const struct queue *q)
{
    return q->n > 0 ? container_of(q->waiting.next, struct exchange, back_node) : NULL;
}
