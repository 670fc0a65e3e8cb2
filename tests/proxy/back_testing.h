/*
 * What the tests of back/ share: a worker with pools, and backends in the same thread that say what
 * the test says, when it says so.
 */
#ifndef BACK_TESTING_H
#define BACK_TESTING_H

#include "back/back_internal.h"
#include "proxy_testing.h"

#include "h2core/h2core.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAGE_SERVERS 3
#define STAGE_MOST    12

struct stage;

/** The backend's end of a connection. */
struct peer {
    struct stage *stage;
    size_t server; /**< which one it came to */
    int fd;
    ev_io io;
    char *seen; /**< all that came, with a NUL behind it */
    size_t nseen;
    bool gone;                    /**< the proxy has ended the connection */
    struct h2_conn *engine;       /**< proto=h2 */
    bool speaks;                  /**< the engine's answers go out as they come */
    uint32_t streams[STAGE_MOST]; /**< requests, in the order in which they came */
    size_t nstreams;
    unsigned resets, pings;
};

struct stage {
    struct rig rig;
    bool h2;
    struct h2_options h2_options; /**< of the peers; changed before they come */
    size_t nservers;
    int listeners[STAGE_SERVERS];
    ev_io ios[STAGE_SERVERS];
    char paths[STAGE_SERVERS][160]; /**< of UNIX sockets */
    struct peer *peers[2 * STAGE_MOST];
    size_t npeers, ntaken;
    struct told told[STAGE_MOST];
    struct exchange *x[STAGE_MOST];
    size_t nx;
};

/** Backends that listen, with `params` behind the address of each; `options` as for rig_open().
 * `is_unix`: on UNIX sockets, where what was sent is there at once. */
void stage_open(struct stage *s, size_t nservers, const char *params, const char *options,
                bool is_unix);
void stage_close(struct stage *s);
struct pool *stage_pool(struct stage *s, size_t server);

/** A request from the program's client, which no backend has answered yet. */
struct exchange *stage_request(struct stage *s, const char *text);
#define STAGE_GET  "GET / HTTP/1.1\nhost: a\n"
#define STAGE_POST "POST / HTTP/1.1\nhost: a\ncontent-length: 3\n"
/** Ends it; `i` counts requests from 0. */
void stage_end(struct stage *s, size_t i);

/** The next connection that has come, or comes. */
struct peer *stage_accept(struct stage *s);
/** Until the exchange was told of a failure, of a head, or of the end of the body. */
void stage_until_failed(struct stage *s, size_t i);
void stage_until_head(struct stage *s, size_t i);
void stage_until_done(struct stage *s, size_t i);
/** Until a connection was ended by the proxy. */
void peer_until_gone(struct peer *p);
/** HTTP/1: until so many request heads have come over it. */
void peer_until_requests(struct peer *p, size_t n);
/** Until it has got this. */
void peer_until_seen(struct peer *p, const char *text);
/** HTTP/2: until so many streams, resets, PINGs have come. */
void peer_until_streams(struct peer *p, size_t n);
void peer_until_resets(struct peer *p, unsigned n);
void peer_until_pings(struct peer *p, unsigned n);
/** Until the worker has so many connections to it. */
void stage_until_conns(struct stage *s, size_t server, uint32_t n);

void peer_send(struct peer *p, const void *data, size_t len);
void peer_say(struct peer *p, const char *text);
#define PEER_OK "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
/** HTTP/2: a complete response on the i-th stream. */
void peer_answer(struct peer *p, size_t i);
/** What the engine has to say goes out, from now on. It says nothing before. */
void peer_flush(struct peer *p);
/** The backend dies. */
void peer_close(struct peer *p);

#endif
