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
/** Ends an idle connection where there would be too many with another one. */
void pool_make_room(struct pool *p);
/** A connection has become idle: there may be one too many, or somebody who waits for it. */
void pool_settle(struct pool *p);
/** An exchange or a connection has left: whoever waits may be served, at the end of the turn. */
void pool_freed(struct pool *p);
/** Another worker waits: it gets a connection that this one does not need, if there is one. */
void pool_yield(struct pool *p);

/** For the backs: a connection that is being opened. NULL: no socket, or max-conns are
 * there. When it ends, pool_conn_gone() has to be called. */
struct conn *pool_connect(struct pool *p, const struct conn_ops *ops, void *user, const char *alpn);
/** send-proxy: such connections tell the backend whose they are, and no other client's requests may
 * go over them. */
static inline bool pool_sends_proxy(const struct pool *p)
{
    return p->backend->cfg->send_proxy != CFG_SEND_PROXY_NONE;
}
/** With send-proxy, right behind pool_connect(), which has said that the connection is the
 * program's own: it is this client's. */
void pool_introduce(const struct pool *p, struct conn *c, const struct client_info *client);
void pool_conn_gone(struct pool *p);
/** After a TLS handshake: whether ALPN has come to `proto`. HTTP/1.1 is also what is spoken when
 * nothing was agreed on (RFC 7301, 3.1: a server may ignore the extension). */
bool pool_agrees(const struct conn *c, enum cfg_proto proto);
/** What to say when it has come to something else than `wanted`; returns buf. */
#define POOL_WHY_SIZE 96
const char *pool_disagreement(const struct conn *c, const char *wanted, char buf[POOL_WHY_SIZE]);
/** The outcome of a connect: failures make everybody stand back from the address for a while. */
void pool_connected(struct pool *p);
void pool_connect_failed(struct pool *p, const char *why);
/** The back-off that is to be had of its address now. */
struct health_backoff pool_backoff(struct pool *p);
/** A client's request that this pool has was answered with this status. */
void pool_answered(struct pool *p, int status);

/** How many exchanges may wait for a connection that is being opened: the usual stream limit of an
 * HTTP/2 peer. */
#define BACK_MOST_WAITING 100u

/** Hands over an exchange. False: no connection could be begun. */
bool back_take(struct pool *p, struct exchange *x);

/**
 * Opens a connection that nobody asked for: it waits for a request when it is there. With `probe`
 * the outcome is told to probe_done(), and it stays only if the address is online then. False: none
 * could be begun.
 */
bool back_open(struct pool *p, bool probe);

bool back_h1_take(struct pool *p, struct exchange *x);
bool back_h1_open(struct pool *p, bool probe);
bool back_h2_open(struct pool *p, bool probe);
bool back_auto_open(struct pool *p, bool probe);
bool back_h2_take(struct pool *p, struct exchange *x);
bool back_auto_take(struct pool *p, struct exchange *x);
/** Hands the exchange to a connection that waits for one. False: there is none. */
bool back_h1_reuse(struct pool *p, struct exchange *x);
/** A connection of the pool has turned out to speak this, and has a user now. `x`: its first
 * exchange; NULL: it waits for one. */
void back_h1_adopt(struct pool *p, struct conn *c, struct exchange *x);
/** The same; exchanges come by back_h2_take(). False: no memory. */
bool back_h2_adopt(struct pool *p, struct conn *c);
void back_h1_close_idle(struct pool *p);
/** Of those that wait for a request, the one that waits the longest, if there is one. */
void back_h1_close_last(struct pool *p);
/** Ends one that nobody uses; with `in_use` one that is, if need be: it takes no other requests. */
void back_h2_give_one(struct pool *p, bool in_use);
/** Whether a connection has a stream to give to this client. */
bool back_h2_has_stream(const struct pool *p, const struct client_info *client);
/** With send-proxy: whether a client has a connection that it does not use now. */
bool back_h2_has_unused(const struct pool *p);
/** Ends one of these, if there is one. */
void back_h2_close_unused(struct pool *p);
/** The client goes, and its exchanges have ended: so do the connections that are its own. */
void back_h2_client_gone(struct client_info *client);
/** proto=auto: whether one that is being opened takes another exchange. */
bool back_auto_has_room(const struct pool *p);
/** Of those that are being opened: those that nobody waits for, or, when nobody does any more, all.
 */
void back_auto_close_idle(struct pool *p);
/** No connection takes another exchange; each ends with its last one. */
void back_h2_retire(struct pool *p);
void back_h2_close_all(struct pool *p);

/** The error that a transport failure means for the exchanges on it. */
enum exchange_error back_error(enum conn_error why);

/**
 * What it means that a connection was closed: of one that had been kept, that it was closed while
 * the request was on its way, which says nothing against the address; of a new one without a byte
 * of the answer, that this address should not have the request again.
 */
enum exchange_error back_death(enum exchange_error why, bool kept, bool answered);
static inline bool back_is_death(enum exchange_error why)
{
    return why == EXCHANGE_BACKEND_GONE || why == EXCHANGE_BACKEND_NO_ANSWER;
}

#endif
