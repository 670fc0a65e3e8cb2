/*
 * The inside of HTTP/2 connections to backends, for the files that are about them: back_h2.c, the
 * connection, back_h2_watch.c, whether its backend is still there, and back_h2_pool.c, what a pool
 * does with those that it has.
 */
#ifndef BACK_BACK_H2_INTERNAL_H
#define BACK_BACK_H2_INTERNAL_H

#include "back/back_internal.h"

#include <assert.h>

#define BACK_H2_MAGIC 0x62683220u /* "bh2 " */

struct back_h2 {
    uint32_t magic;
    struct conn *conn;
    struct pool *pool;
    struct h2_conn *engine;
    struct list node;      /**< pool->h2, while it takes new exchanges */
    struct list pool_node; /**< pool->connections, always */
    const struct client_info
        *client;             /**< send-proxy: whose it is; NULL: everybody's, or nobody's */
    struct list client_node; /**< client->backs */
    struct list waiting;     /**< exchanges without a stream yet */
    uint32_t nwaiting;
    struct list streams;   /**< exchanges with a stream */
    bool ready;            /**< connected */
    uint64_t settings_by;  /**< clock_ms(): when they must be here; 0: whenever */
    bool settings_seen;    /**< the peer has said how many streams it takes */
    bool served;           /**< a response has come to its end */
    bool in_input;         /**< what has come is being handled */
    bool closing;          /**< no new exchanges; goes with its last stream */
    bool probes;           /**< the prober waits for what becomes of it */
    uint64_t heard, moved; /**< clock_ms(), when octets came last, and when they came or went */
    uint64_t answer_by;    /**< a PING is on its way, and nothing was heard since; 0: none is */
    bool asked_unused;     /**< nobody used it when that was sent */
    struct timer timer;    /**< the next look whether the peer is there */
    struct reap reap;
};

static inline struct back_h2 *back_h2_checked(void *p)
{
    struct back_h2 *b = p;
    assert(b->magic == BACK_H2_MAGIC);
    return b;
}

extern const struct conn_ops back_h2_conn_ops;
/** Of `timer`. */
void back_h2_on_timeout(struct timer *t);
/** Streams wait, and nothing has moved on any of them within --backend-read-timeout. */
bool back_h2_is_overdue(const struct back_h2 *b);
/** Octets have come or gone, or the first are to go: the timer is set anew. */
void back_h2_touch(struct back_h2 *b);

/** A connection that is being opened, in its pool. `client`: whose it is with send-proxy; NULL: the
 * program's own. NULL: none can be had. */
struct back_h2 *back_h2_connect(struct pool *p, struct client_info *client);
/** Connected, and HTTP/2 was agreed on. */
void back_h2_begin(struct back_h2 *b);
/** Closes it, after a GOAWAY if there is time for one. Nobody may wait for it or have a stream. */
void back_h2_destroy(struct back_h2 *b, bool say_goodbye);
/** With its last request; at the end of the turn if there is none. One that is being opened has
 * nobody to say goodbye to, and goes at once. */
void back_h2_end_soon(struct back_h2 *b);
/** The connection is over for all of them. */
void back_h2_fail(struct back_h2 *b, enum exchange_error why);
/** Takes the exchange off it; its stream, if any, must be ended by the caller. */
void back_h2_let_go(struct back_h2 *b, struct exchange *x);
/** The same, and it is to be seen whether it may be sent again. */
void back_h2_lose(struct back_h2 *b, struct exchange *x, enum exchange_error why,
                  enum exchange_progress progress);
/** It takes no new exchanges, and goes with its last stream. */
void back_h2_stop_taking(struct back_h2 *b);
/** Whether it takes another exchange. */
bool back_h2_has_room(const struct back_h2 *b);
/** Whether a client's requests may go over it. */
static inline bool back_h2_is_for(const struct back_h2 *b, const struct client_info *client)
{
    return !pool_sends_proxy(b->pool) || b->client == client;
}

#endif
