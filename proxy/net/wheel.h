/*
 * Coarse timers for things that nearly always happen in time. Setting one later, or stopping it, is
 * a store: the timer stays in its slot, and is moved on when that slot comes round. Times are
 * milliseconds of the worker's clock; a timer fires up to WHEEL_TICK_MS late, never early.
 */
#ifndef NET_WHEEL_H
#define NET_WHEEL_H

#include "net/list.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_MS 50u
#define WHEEL_SLOTS   512u

struct wheel {
    struct ev_loop *loop;
    ev_timer tick;
    uint64_t done;  /**< ticks that were worked off */
    uint64_t armed; /**< the tick that the libev timer waits for; 0: none, the wheel is empty */
    bool running;   /**< timers are being fired */
    struct list slots[WHEEL_SLOTS];
};

struct timer {
    struct list node;
    uint64_t at;   /**< when to fire; 0: stopped */
    uint64_t slot; /**< the tick that it is queued for */
    void (*fire)(struct timer *t);
};

void wheel_init(struct wheel *w, struct ev_loop *loop);
void wheel_stop(struct wheel *w);

void timer_init(struct timer *t, void (*fire)(struct timer *));
/** Fires `ms` from now; 0 stops it. */
void timer_set(struct wheel *w, struct timer *t, uint64_t ms);

static inline void timer_stop(struct timer *t)
{
    t->at = 0;
}

/** Must be called before the memory of a timer goes away. */
static inline void timer_remove(struct timer *t)
{
    t->at = 0;
    list_remove(&t->node);
}

#endif
