/*
 * A client's connection, whatever it speaks. It starts by finding out what that is: ALPN under TLS,
 * the first bytes in the clear. Then front_h1 or front_h2 takes over.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "exchange/exchange.h"
#include "net/conn.h"
#include "net/list.h"
#include "net/wheel.h"

#include "h1parser.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct front;
struct cfg_frontend;

/** What a protocol does for the front that it serves. */
struct front_proto {
    /** The front's timer has run out. */
    void (*timeout)(struct front *f);
    /** Lead the client away: no new requests, end when those in progress are answered. */
    void (*drain)(struct front *f);
    /** Ends everything now: the exchanges, and the connection. */
    void (*cut)(struct front *f);
    /** The front is being freed: give up what belongs to the protocol. */
    void (*free)(struct front *f);
};

struct front {
    uint32_t magic;
    struct worker *worker;
    struct conn *conn;
    struct client_info client;
    const struct cfg_frontend *cfg;
    const struct front_proto *proto;
    void *state; /**< front_h1's or front_h2's */
    struct timer timer;
    struct list node; /**< worker->fronts */
    uint64_t requests;
    struct reap reap;
};

/** Takes an accepted socket. */
void front_accept(struct worker *w, int fd, const struct cfg_frontend *cfg,
                  const struct sockaddr *peer);

/** Closes the connection now, and frees at the end of the turn. The protocol must have ended its
 * exchanges. */
void front_close(struct front *f);
/** The same, but what was output is still sent (conn_finish). */
void front_finish(struct front *f);

/** The worker drains, and this client has not sent its first request yet: it is given a moment. */
void front_expect_soon(struct front *f);

/** Counts a request. True: it has to be the last one of its connection. */
bool front_count_request(struct front *f);

/** Checks what both protocols have in common, then begins the exchange. The request's strings must
 * be set: method_text, scheme, authority, target, path. */
void front_begin_exchange(struct exchange *x);

void front_h1_start(struct front *f);
void front_h2_start(struct front *f);

/**
 * HTTP/1.1 Upgrade to h2c: `x` is the request that came with it and becomes stream 1; `settings` is
 * the value of HTTP2-Settings. False: the value is not valid, nothing has happened.
 */
bool front_h2_upgrade(struct front *f, struct exchange *x, const char *settings, size_t len);

#endif
