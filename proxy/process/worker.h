/*
 * A worker: one thread with one event loop, and all that its connections share. Nothing here is
 * touched by another thread but through worker_post().
 *
 * A turn of the loop: libev hands out events; handlers move bytes into pipes and mark connections
 * that have something to send; at the end of the turn, before the loop sleeps again,
 * end_turn() (worker.c) offers kept input to connections that may go on, writes once for each
 * marked connection, writes the access log, and frees what was closed.
 */
#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

#include "net/block.h"
#include "net/conn.h"
#include "net/list.h"
#include "net/wheel.h"
#include "ops/access_log.h"
#include "route/budget.h"

#include "h1parser.h"

#include <ev.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct config;
struct routes;
struct resolver;
struct targets;
struct sockets;

/** One read or write of a socket moves this much at the most, octets. */
#define WORKER_IO_SIZE 65536u

enum worker_command {
    WORKER_DRAIN = 1, /**< take what waits, then no new connections; finish when all are served */
    WORKER_STOP = 2,  /**< finish now */
    WORKER_HAND_OVER = 4, /**< as DRAIN, but what waits is the successor's */
    WORKER_ROUTES = 8,    /**< other routes are there (worker_set_routes) */
    WORKER_LOOK = 16,     /**< a worker waits for room at a backend, or there may be some now */
};

struct worker {
    int index;
    const struct config *cfg;
    SSL_CTX *server_ctx; /**< shared with the other workers; set up before they start */
    struct ev_loop *loop;
    ev_prepare end_of_turn;
    ev_async wake;
    atomic_uint commands;                 /**< enum worker_command bits that were posted */
    _Atomic(struct routes *) next_routes; /**< a reference, until the worker installs them */
    pthread_t thread;
    atomic_bool finished; /**< the loop has ended */
    struct ev_loop *main_loop;
    ev_async *main_wake; /**< sent to the main loop when it has */

    struct wheel wheel;
    struct timer rest; /**< runs when the last client has gone: memory is given back then */
    struct block_pool blocks;
    struct list listeners;
    struct list fronts; /**< struct front nodes: who has to be told to go */
    struct list conns;  /**< every struct conn that is not closed */
    struct list dirty, resuming, reap;
    struct resolver *resolver; /**< of names of backends */
    struct targets *targets;   /**< of the routes in force */
    struct list pools;         /**< all of them, retired ones too */
    struct list freed;         /**< pools where somebody who waits may find room now */
    uint32_t last_pool_id;
    atomic_uint nwaiting;  /**< exchanges in queues; other workers look at it */
    struct worker **peers; /**< all workers of the process, this one too */
    size_t npeers;
    struct budget retries; /**< of all groups */
    uint64_t turn;         /**< counts the turns */
    unsigned seed;         /**< of random delays */
    uint32_t nexchanges;
    uint32_t nfronts;
    bool draining;

    uint8_t *rx;         /**< what recv() fills */
    uint8_t *plain;      /**< what TLS decrypts into */
    uint8_t *tx;         /**< what ops->output() fills */
    struct buffer spare; /**< a buffer for ciphertext on its way out, lent to one conn at a time */
    struct h1_field *h1_fields; /**< where heads are parsed that come in one piece */
    uint32_t h1_fields_cap;
    struct access_log access_log;
};

struct worker *worker_new(int index, const struct config *cfg, struct routes *routes,
                          SSL_CTX *server_ctx, const struct log_format *format);
/** Accepts at the worker's share of the sockets, whose descriptors become its own. */
void worker_listen(struct worker *w, const struct sockets *sockets);
/** Starts the thread. When its loop has ended it sets `finished` and sends `wake` to `main_loop`.
 */
bool worker_start(struct worker *w, struct ev_loop *main_loop, ev_async *wake);
/** From any thread. */
void worker_post(struct worker *w, enum worker_command cmd);
/** From any thread: requests that come from now on, and those that wait, go by these routes. */
void worker_set_routes(struct worker *w, struct routes *routes);
void worker_join(struct worker *w);
/** All workers of the process, before they start; the array must outlive them. */
void worker_set_peers(struct worker *w, struct worker **peers, size_t n);
/** Whether exchanges of other workers wait. */
bool worker_others_wait(const struct worker *w);
/** The workers whose exchanges wait may find room at a backend now. */
void worker_wake_waiting(struct worker *w);
/** An exchange waits for room: the others are to give what they do not need. */
void worker_ask_others(struct worker *w);
void worker_free(struct worker *w);

/** A client has gone. */
void worker_front_gone(struct worker *w);

/** Frees `r` at the end of the turn. */
static inline void worker_reap(struct worker *w, struct reap *r, void (*free_fn)(struct reap *))
{
    r->free = free_fn;
    list_append(&w->reap, &r->node);
}

#endif
