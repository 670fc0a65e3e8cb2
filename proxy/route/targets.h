/*
 * What a worker has for the routes in force: a pool for each address of each backend, and for each
 * group the choice among its pools. When the routes change, new targets take over the pools of
 * addresses that stay, with their connections; exchanges that are in progress keep the targets that
 * they began with.
 *
 * A request for which every pool of its group is full waits in the group's queue.
 */
#ifndef ROUTE_TARGETS_H
#define ROUTE_TARGETS_H

#include "exchange/queue.h"
#include "net/wheel.h"
#include "route/budget.h"
#include "route/health.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct balance;
struct backend_addr;
struct exchange;
struct group;
struct pool;
struct resolver_watch;
struct routes;
struct targets;
struct worker;

/** The pools of a group that have the same priority. */
struct tier {
    uint16_t priority;
    struct balance *balance;
};

struct target_group {
    const struct group *group;
    struct tier *tiers; /**< the first one that has a pool to offer is the one that counts */
    size_t ntiers;
    struct pool **pools; /**< those of its backends */
    size_t npools;
    struct health_group outliers; /**< which of those that were ejected are let in */
    struct queue queue;           /**< who waits for one of them */
    struct budget retries;        /**< of requests that are sent to another one */
    bool own_connections;         /**< send-proxy: room for one client is none for another */
    bool has_names;               /**< of its backends, some are looked up while the program runs */
};

/** The pools of a backend: one for each of its addresses. */
struct target_backend {
    struct targets *targets;
    uint32_t index;
    struct pool **pools; /**< a reference each */
    size_t npools;
    struct target_group **groups; /**< of its patterns */
    size_t turn;                  /**< the pattern that is served next */
    struct resolver_watch *watch; /**< of its name, when that is looked up while the program runs */
};

struct targets {
    struct worker *worker;
    struct routes *routes; /**< a reference */
    uint32_t refs;
    struct target_backend *backends; /**< as in `routes` */
    struct target_group *groups;     /**< as in `routes` */
    struct timer look;               /**< runs while somebody waits */
    size_t turn;                     /**< the group that a look serves next */
};

/**
 * Makes the targets of a worker for `routes` and puts them in the place of those that it has: pools
 * that both have stay, the others are retired, and whoever waits is served anew.
 */
void targets_install(struct worker *w, struct routes *routes);
/** The worker ends: its targets go. */
void targets_remove(struct worker *w);

struct targets *targets_ref(struct targets *t);
void targets_unref(struct targets *t);

/** The addresses of a backend are these now. */
void targets_set_addresses(struct targets *t, uint32_t backend, const struct backend_addr *addrs,
                           size_t n);

enum target_choice {
    TARGET_FOUND,
    TARGET_LATER,   /**< those that could serve it have no room now */
    TARGET_OFFLINE, /**< all of them are offline */
    TARGET_UNABLE,  /**< it is a WebSocket, and those that are left take none */
    TARGET_NONE,    /**< there is none, or none that was not tried */
};

/**
 * Chooses a pool for the exchange, in this order: one that it has not tried; an outlier that it has
 * not tried; one that it has not tried and that failed lately (the one that may be back first);
 * one that it has tried once, also then the fit ones first, and not with x->once. What is offline
 * is never chosen. Found is what was chosen: it counts as the turn of that pool.
 */
enum target_choice targets_choose(struct exchange *x, struct pool **pool);

/** Whether there is one that it has not tried, and that is fit for use and has room. */
bool targets_have_other(struct exchange *x);

/** The exchange waits until there is room; the queue is its back meanwhile. False: the queue is
 * full. */
bool targets_wait(struct exchange *x);

/** The exchange is a check of this pool, and of its first group. False: nobody chooses from it. */
bool targets_assign(struct exchange *x, const struct pool *p);

/** At the end of a turn: serves those who wait for what has become free. */
void targets_serve_waiting(struct worker *w);

#endif
