/*
 * Exchanges that no back can take now. They wait for room at the backends of their group, for
 * other requests of their client to end, or for the protocol of a connection that is being opened:
 * each of these has a queue. The queue is their back meanwhile, so that whoever ends them need not
 * know.
 */
#ifndef EXCHANGE_QUEUE_H
#define EXCHANGE_QUEUE_H

#include "net/list.h"

#include <stdatomic.h>
#include <stdint.h>

struct exchange;
struct pool;

struct queue {
    struct list waiting; /**< exchanges, by back_node; who came first is first */
    uint32_t n;
    atomic_uint *total; /**< counts those of several queues; NULL: nobody asks */
};

void queue_init(struct queue *q, atomic_uint *total);
/** Waits at the end of the queue, for `ms` at the most (0: for as long as it takes); then it fails
 * (EXCHANGE_BACKEND_BUSY). It counts for `pool` meanwhile; NULL: for none. */
void queue_enter(struct queue *q, struct exchange *x, struct pool *pool, uint64_t ms);
/** Takes it out again. */
void queue_leave(struct exchange *x);
/** Who is first; NULL when nobody waits. */
struct exchange *queue_first(const struct queue *q);

#endif
