/*
 * The sides that speak to backends. A pool holds a worker's connections to one address of a
 * backend; back_take() gives an exchange to one of them. From then on both sides talk through
 * struct exchange_ops only.
 *
 * A pool lives as long as somebody refers to it: the targets that choose from it, exchanges that
 * were sent to it, its connections. When no targets do any more it is retired: what is idle ends,
 * what is in progress goes on.
 */
#ifndef BACK_BACK_H
#define BACK_BACK_H

#include "config.h"
#include "exchange/exchange.h"
#include "net/conn.h"
#include "net/list.h"
#include "route/health.h"
#include "route/routes.h"

#include <stdbool.h>
#include <stdint.h>

struct probe;
struct targets;

struct pool {
    struct worker *worker;
    struct routes *routes; /**< a reference: `backend` is of these */
    const struct backend *backend;
    struct backend_addr addr; /**< its share may change */
    char *key;      /**< which address, and how it is spoken to: the next targets find it by that */
    char name[128]; /**< its address as text: "192.0.2.1,80", "::1,80", "unix:PATH" */
    char *text;     /**< for the log: the backend, and its address where that is another text */
    uint32_t id;    /**< no other pool of the worker has or had it */
    uint32_t refs;
    struct list node; /**< worker->pools */
    struct reap reap;

    struct list idle;    /**< HTTP/1.1: connections that wait for a request, the last used first */
    struct list opening; /**< HTTP/1.1: those that are being opened for no request */
    uint32_t nidle;
    struct list h2; /**< HTTP/2: connections that take streams, in the order they were opened */
    struct list connections; /**< HTTP/2: all of them, those too that only finish */
    struct list undecided;   /**< proto=auto: connections whose protocol is not known yet */
    enum cfg_proto speaks; /**< proto=auto: what was agreed on last; CFG_PROTO_AUTO: nothing yet */
    struct tls_store *sessions; /**< to resume; NULL in the clear */
    uint32_t nconns;            /**< connections of this worker, of any kind and state */
    uint32_t load;              /**< exchanges in progress */
    bool retired;

    struct health *health; /**< a reference: what the whole program knows of the address */
    struct probe *probe;   /**< what looks at the address unasked; NULL: nothing does */

    struct targets *owner;  /**< those that choose from it; NULL: none do any more */
    struct list freed_node; /**< worker->freed, when somebody may wait for what became free */
};

/** A pool for an address of a backend. One reference is the caller's. `key` becomes its own. */
struct pool *pool_new(struct worker *w, struct routes *routes, const struct backend *b,
                      const struct backend_addr *addr, char *key);
struct pool *pool_ref(struct pool *p);
void pool_unref(struct pool *p);
/** It is of this backend in newer routes now. */
void pool_belongs_to(struct pool *p, struct routes *routes, const struct backend *b);
/** Nobody chooses from it any more: idle connections end, the others when they are done. */
void pool_retire(struct pool *p);
/** The worker drains or stops: connections that wait for a request are of no use any more. */
void pool_close_idle(struct pool *p);
/** The worker stops, its exchanges have ended. */
void pool_close_all(struct pool *p);

/** Whether another request of this client finds a connection here, or may open one. */
bool pool_has_room(const struct pool *p, const struct client_info *client);
/** Whether max-conns leaves room for another connection. */
bool pool_may_open(const struct pool *p);
/** An exchange or a connection has left: whoever waits may be served, at the end of the turn. */
void pool_freed(struct pool *p);
/** Another worker waits: it gets a connection that this one does not need, if there is one. */
void pool_yield(struct pool *p);

/** A client's request that this pool has was answered with this status. */
void pool_answered(struct pool *p, int status);

/** False: it is known that it could do nothing with it (a WebSocket, which it does not offer over
 * HTTP/2). */
bool back_may_take(const struct pool *p, const struct exchange *x);
/** Hands over an exchange. False: no connection could be begun. */
bool back_take(struct pool *p, struct exchange *x);

/** The client goes, and its exchanges have ended: so do the connections that are its own
 * (send-proxy). */
void back_client_gone(struct client_info *client);

#endif
