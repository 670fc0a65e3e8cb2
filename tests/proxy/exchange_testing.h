/*
 * Backs that do what the test says. The linker gives back_take() and back_may_take() to
 * exchange_testing.c (-Wl,--wrap=...).
 */
#ifndef EXCHANGE_TESTING_H
#define EXCHANGE_TESTING_H

#include "exchange/exchange.h"
#include "proxy_testing.h"

#define ONE   "backend=127.0.0.1,81"
#define TWO   ONE "\nbackend=127.0.0.1,82"
#define THREE TWO "\nbackend=127.0.0.1,83"

#define GET  "GET / HTTP/1.1\nHost: a\n"
#define POST "POST / HTTP/1.1\nHost: a\nContent-Length: 100000\n"
#define WEBSOCKET                                                                                  \
    "GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n"                           \
    "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"

enum backs_do {
    BACKS_TAKE,
    BACKS_REFUSE,
    BACKS_ARE_LATE, /**< another worker takes the last connection meanwhile */
    BACKS_ARE_REAL,
};

/** What all backs of a test do, and what they were asked and told. */
struct backs {
    enum backs_do what;
    uint32_t unable; /**< the id of a pool that takes no WebSockets; 0: all do */
    unsigned asked;  /**< how often somebody wanted to know whether one could take a request */
    bool counts;     /**< each exchange takes one of max-conns, and keeps it */
    unsigned ntook, bodies, aborts;
    uint32_t took[32]; /**< ids of the pools, in order */
    size_t credit;
    enum exchange_error why;
};
extern struct backs backs;

/** rig_open(), and new backs. */
void open_rig(struct rig *r, const char *options);
/** The exchange of a request in HTTP/1.1; then also begun. */
struct exchange *asked(struct rig *r, struct told *told, const char *request);
struct exchange *begun(struct rig *r, struct told *told, const char *request);
/** Its back cannot finish it. */
void loses(struct exchange *x, enum exchange_error why, enum exchange_progress progress);
/** The same, before anything of it was written. */
void fails(struct exchange *x, enum exchange_error why);
/** The front was told that it has failed, once and with this reason. */
void expect_failure(const struct exchange *x, const struct told *told, enum exchange_error why);

#endif
