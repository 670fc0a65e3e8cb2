/*
 * Exchanges that no back can take now: they wait for a connection to a backend, in the queue of
 * their group. The queue is their back meanwhile, so that whoever ends them need not know.
 */
#ifndef EXCHANGE_QUEUE_H
#define EXCHANGE_QUEUE_H

#include "net/list.h"

#include <stdint.h>

struct exchange;

struct queue {
    struct list waiting; /**< exchanges, by back_node; who came first is first */
    uint32_t n;
};

void queue_init(struct queue *q);
/** Waits at the end of the queue, for `ms` at the most; then it fails (EXCHANGE_BACKEND_BUSY). */
void queue_enter(struct queue *q, struct exchange *x, uint64_t ms);
/** Takes it out again. */
void queue_leave(struct exchange *x);
/** Who is first; NULL when nobody waits. */
struct exchange *queue_first(const struct queue *q);

#endif
