/*
 * The sides that speak to backends. A pool holds a worker's connections to one backend; back_take()
 * gives an exchange to one of them. From then on both sides talk through struct exchange_ops only.
 */
#ifndef BACK_BACK_H
#define BACK_BACK_H

#include "exchange/exchange.h"
#include "net/conn.h"
#include "net/list.h"

#include <stdbool.h>
#include <stdint.h>

struct backend;

struct pool {
    struct worker *worker;
    const struct backend *backend;
    uint32_t index;
    struct list idle; /**< HTTP/1.1: connections that wait for a request, the last used first */
    struct list h2;   /**< HTTP/2: connections that take streams, in the order they were opened */
    struct list connections; /**< HTTP/2: all of them, those too that only finish */
    uint32_t next_addr;      /**< which resolved address to connect to */
    uint32_t failures;       /**< connects that failed in a row */
    uint64_t
        blocked_until; /**< clock_ms() before which no other than a last try is made; 0: fine */
};

void pool_init(struct pool *p, struct worker *w, const struct backend *b, uint32_t index);

/** A connection to the pool's backend that is being opened. NULL: no socket. */
struct conn *pool_connect(struct pool *p, const struct conn_ops *ops, void *user, const char *alpn);
/** The outcome of a connect: failures make the pool stand back for a while (1.6^n s, ±20 %). */
void pool_connected(struct pool *p);
void pool_connect_failed(struct pool *p, const char *why);

/** Hands over an exchange. False: no connection could be begun. */
bool back_take(struct pool *p, struct exchange *x);

bool back_h1_take(struct pool *p, struct exchange *x);
bool back_h2_take(struct pool *p, struct exchange *x);

/** The worker drains or stops: connections that wait for a request are of no use any more. */
void back_h1_close_idle(struct pool *p);
/** The worker stops, its exchanges have ended. */
void back_h2_close_all(struct pool *p);

/** The error that a transport failure means for the exchanges on it. */
enum exchange_error back_error(enum conn_error why);

#endif
