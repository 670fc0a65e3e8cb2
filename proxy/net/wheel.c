/* The timer wheel. One libev timer waits for the next slot that is not empty, so an idle worker
 * does not wake. */
#include "net/wheel.h"

#include "net/clock.h"

static void arm(struct wheel *w)
{
    uint64_t next = 0;
    for (uint64_t t = w->done + 1; t <= w->done + WHEEL_SLOTS; t++) {
        if (!list_empty(&w->slots[t % WHEEL_SLOTS])) {
            next = t;
            break;
        }
    }
    if (next == w->armed) {
        return;
    }
    w->armed = next;
    ev_timer_stop(w->loop, &w->tick);
    if (next != 0) {
        uint64_t now = clock_ms(), at = next * WHEEL_TICK_MS;
        ev_timer_set(&w->tick, at > now ? (double)(at - now) * 1e-3 : 0., 0.);
        ev_timer_start(w->loop, &w->tick);
    }
}

static void enqueue(struct wheel *w, struct timer *t)
{
    /* A time far off is queued for the last slot of the round and looked at again there. */
    uint64_t tick = (t->at + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
    if (tick <= w->done) {
        tick = w->done + 1;
    }
    if (tick > w->done + WHEEL_SLOTS - 1) {
        tick = w->done + WHEEL_SLOTS - 1;
    }
    t->slot = tick;
    list_append(&w->slots[tick % WHEEL_SLOTS], &t->node);
}

static void run_slot(struct wheel *w, struct list *slot, uint64_t now)
{
    struct list due;
    list_init(&due);
    while (!list_empty(slot)) {
        struct list *node = list_shift(slot);
        list_append(&due, node);
    }
    /* Firing may stop or remove any other timer: each is taken out before it is looked at. */
    struct list *node;
    while ((node = list_shift(&due)) != NULL) {
        struct timer *t = container_of(node, struct timer, node);
        if (t->at == 0) {
            continue;
        }
        if (t->at > now) {
            enqueue(w, t);
            continue;
        }
        t->at = 0;
        t->fire(t);
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *tick, int revents)
{
    (void)loop;
    (void)revents;
    struct wheel *w = container_of(tick, struct wheel, tick);
    w->armed = 0;
    w->running = true;
    uint64_t now = clock_ms(), until = now / WHEEL_TICK_MS;
    if (until > w->done + WHEEL_SLOTS) {
        /* Slept for more than a round (the machine was suspended): one round sees every slot. */
        w->done = until - WHEEL_SLOTS;
    }
    while (w->done < until) {
        w->done++;
        run_slot(w, &w->slots[w->done % WHEEL_SLOTS], now);
    }
    w->running = false;
    arm(w);
}

void wheel_init(struct wheel *w, struct ev_loop *loop)
{
    w->loop = loop;
    w->armed = 0;
    w->running = false;
    w->done = clock_ms() / WHEEL_TICK_MS;
    for (uint32_t i = 0; i < WHEEL_SLOTS; i++) {
        list_init(&w->slots[i]);
    }
    ev_timer_init(&w->tick, on_tick, 0., 0.);
}

void wheel_stop(struct wheel *w)
{
    ev_timer_stop(w->loop, &w->tick);
}

void timer_init(struct timer *t, void (*fire)(struct timer *))
{
    list_init(&t->node);
    t->at = 0;
    t->slot = 0;
    t->fire = fire;
}

void timer_set(struct wheel *w, struct timer *t, uint64_t ms)
{
    if (ms == 0) {
        t->at = 0;
        return;
    }
    uint64_t now = clock_ms();
    t->at = now + ms;
    if (!list_empty(&t->node)) {
        if (t->slot * WHEEL_TICK_MS <= t->at) {
            return; /* its slot comes before: it will be moved on there */
        }
        list_remove(&t->node);
    }
    if (w->armed == 0 && !w->running) {
        w->done = now / WHEEL_TICK_MS; /* the wheel was empty and stood still */
    }
    enqueue(w, t);
    if (!w->running && (w->armed == 0 || t->slot < w->armed)) {
        arm(w);
    }
}
