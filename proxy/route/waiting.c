/*
 * The queues in front of the groups: whoever finds no room at any of its addresses waits here. Who
 * came first is served first, and patterns that share a backend are served in turn.
 */
#include "route/targets_internal.h"

#include "back/back.h"
#include "config.h"
#include "exchange/exchange.h"
#include "net/clock.h"
#include "process/worker.h"
#include "route/routes.h"

/* That a back-off or an ejection ends, or that another process finds an address well again, nobody
 * says. While somebody waits it is looked so often. */
#define LOOK_MS 100u

/* ---------------------------------------------------------------- entering */

/* It does not wait for an address of its own: for that of its client, for one that it has not
 * seen, or for one that takes WebSockets. */
static bool may_go_anywhere(const struct target_group *g, const struct exchange *x)
{
    return g->group->affinity == NULL && x->tries == 0 && !g->own_connections &&
           x->tunnel.wanted != TUNNEL_WEBSOCKET;
}

/* What one finds that has just come, those who came before have waited for: it is for them to have
 * it at the end of the turn. */
bool targets_is_behind(const struct target_group *g, const struct exchange *x)
{
    if (x->waits_since != 0 || !may_go_anywhere(g, x)) {
        return false;
    }
    list_each(node, &g->queue.waiting)
    {
        if (may_go_anywhere(g, container_of(node, struct exchange, back_node))) {
            return true;
        }
    }
    return false;
}

/*
 * Other workers may have what is waited for. One that freed it before it could see that somebody
 * waits has told nobody: so room is looked for once more, now that it can be seen.
 */
static void ask_for_room(const struct target_group *g, struct worker *w)
{
    bool shared = false;
    for (size_t i = 0; i < g->npools; i++) {
        struct pool *p = g->pools[i];
        if (p->backend->cfg->max_conns > 0) {
            shared = true;
            if (pool_may_open(p)) {
                pool_freed(p);
            }
        }
    }
    if (shared) {
        worker_ask_others(w);
    }
}

/* Before those who have waited less: it may have been in the queue before. */
static void take_place(struct list *waiting, struct list *node)
{
    const struct exchange *x = container_of(node, struct exchange, back_node);
    struct list *next = node;
    while (next->prev != waiting &&
           container_of(next->prev, struct exchange, back_node)->waits_since > x->waits_since) {
        next = next->prev;
    }
    if (next != node) {
        list_remove(node);
        list_append(next, node);
    }
}

/* Who has to wait again, because others were faster or the routes have changed, has what is left of
 * its time. */
bool targets_wait(struct exchange *x)
{
    struct target_group *g = x->group;
    uint64_t now = clock_ms(), timeout = g->group->queue_timeout;
    x->waits_since = x->waits_since != 0 ? x->waits_since : now;
    uint64_t waited = now - x->waits_since;
    if (g->queue.n >= g->group->max_queue || waited >= timeout) {
        return false;
    }
    queue_enter(&g->queue, x, NULL, timeout - waited);
    take_place(&g->queue.waiting, &x->back_node);
    if (x->targets->look.at == 0) {
        timer_set(&x->worker->wheel, &x->targets->look, LOOK_MS);
    }
    ask_for_room(g, x->worker);
    return true;
}

/* ---------------------------------------------------------------- serving */

/*
 * One of those who wait: who came first, but for those that wait for some addresses only, which
 * hold up nobody who may go to others. True: it waits no more.
 */
static bool serve_one(struct target_group *g)
{
    list_each(node, &g->queue.waiting)
    {
        struct exchange *x = container_of(node, struct exchange, back_node);
        enum target_choice choice = TARGET_NONE;
        struct pool *p = NULL;
        if (x->targets == x->worker->targets) {
            choice = targets_choose(x, &p);
        }
        if (choice != TARGET_LATER) {
            queue_leave(x);
            exchange_dispatch(x, choice == TARGET_FOUND ? p : NULL);
            return x->back != &g->queue; /* another worker may have been faster */
        }
        if (may_go_anywhere(g, x)) {
            return false;
        }
    }
    return false;
}

/* The patterns of a backend get what it has in turn, so that none takes all of it. */
void targets_serve(struct target_backend *tb)
{
    size_t n = tb->targets->routes->backends[tb->index].cfg->npatterns;
    for (size_t idle = 0; idle < n; tb->turn = (tb->turn + 1) % n) {
        idle = serve_one(tb->groups[tb->turn]) ? 0 : idle + 1;
    }
}

void targets_serve_all(struct targets *t)
{
    size_t n = t->routes->ngroups;
    for (size_t idle = 0; idle < n && t->worker->nwaiting > 0; t->turn = (t->turn + 1) % n) {
        idle = serve_one(&t->groups[t->turn]) ? 0 : idle + 1;
    }
}

void targets_on_look(struct timer *timer)
{
    struct targets *t = container_of(timer, struct targets, look);
    targets_serve_all(t);
    if (atomic_load(&t->worker->nwaiting) > 0) {
        timer_set(&t->worker->wheel, timer, LOOK_MS);
    }
}

void targets_serve_waiting(struct worker *w)
{
    struct list *node;
    bool others = false;
    while ((node = list_shift(&w->freed)) != NULL) {
        const struct pool *p = container_of(node, struct pool, freed_node);
        if (p->owner != NULL) {
            targets_serve(targets_backend_of(p));
        } else {
            others = true;
        }
    }
    /* Nobody chooses from that pool any more, but maybe from one that has the same limit. */
    if (others && w->targets != NULL) {
        targets_serve_all(w->targets);
    }
}
