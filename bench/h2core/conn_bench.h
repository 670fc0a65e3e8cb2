/*
 * What the files of conn_bench share: the work that both libraries do, and how one is driven.
 *
 *   conn_work.c     messages and scenarios         conn_ours.c, conn_theirs.c   both ends on a
 * library conn_bench.c    time, and what callgrind counts, of both conn_heap_test.c
 */
#ifndef CONN_BENCH_H
#define CONN_BENCH_H

#include "h2core/h2core.h"

/* ---------------------------------------------------------------- the work */

#define MESSAGES        1000u
#define REQUEST_FIELDS  12u
#define RESPONSE_FIELDS 8u
#define SMALL_BODY      1024u
#define LARGE_BODY      102400u
#define MOST_IN_FLIGHT  1100u

/* What one connection does. */
struct scenario {
    const char *name;
    unsigned connections;
    unsigned requests;  /* on each connection */
    unsigned in_flight; /* at most so many at once */
    uint32_t request_body;
    uint32_t response_body;
    bool same; /* all requests are equal, all responses are */
    bool hold; /* the server does not answer */
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;
const struct scenario *scenario_named(const char *name);

/* Fields with tokens, as somebody who makes them for h2core would write them. */
extern struct h2_field get_requests[MESSAGES][REQUEST_FIELDS];
extern struct h2_field post_requests[MESSAGES][REQUEST_FIELDS];
extern struct h2_field small_responses[MESSAGES][RESPONSE_FIELDS];
extern struct h2_field large_responses[MESSAGES][RESPONSE_FIELDS];
extern uint8_t body[LARGE_BODY]; /* a small one is its beginning */

void make_messages(void);

_Noreturn void die(const char *what);

/* One message at one end. */
struct exchange {
    struct exchange *next_free;
    uint32_t to_send;
    uint32_t received;
    int32_t stream_id;
};

/* What an application on an engine keeps, whatever the library. */
struct app {
    const struct scenario *work;
    struct exchange *free;
    unsigned begun; /* messages of this end */
    unsigned done;  /* exchanges */
    uint64_t sum;   /* of what was received, so that it is looked at */
    struct exchange exchanges[MOST_IN_FLIGHT];
};

void app_init(struct app *app, const struct scenario *work);
struct exchange *app_take(struct app *app, uint32_t to_send);
void app_give(struct app *app, struct exchange *x);

static inline bool app_may_begin(const struct app *app)
{
    return app->begun < app->work->requests && app->begun - app->done < app->work->in_flight;
}

/* The next message of this end: its number among those made. */
static inline unsigned app_next(struct app *app)
{
    unsigned i = app->begun++;
    return app->work->same ? 0 : i % MESSAGES;
}

/* ---------------------------------------------------------------- a library at work */

struct end; /* one end of a connection */

struct library {
    const char *name;
    struct end *(*make)(bool server, const struct scenario *work);
    void (*destroy)(struct end *end);
    void (*input)(struct end *end, const uint8_t *p, size_t len);
    size_t (*output)(struct end *end, uint8_t *p, size_t cap);
    unsigned (*done)(const struct end *end); /* exchanges */
};

extern const struct library ours;
extern const struct library theirs;

/* Octets in use, rounded up as malloc does, and how often some were asked for. */
struct heap {
    size_t used;
    uint64_t allocations;
};

extern struct heap heap;
void *counted_resize(void *ctx, void *p, size_t size);
extern bool count_heap; /* ends made from now on take counted memory */

/* How much one end takes from its engine at once, and how much a read gives the other. */
#define WRITE_SIZE 65536u
#define READ_SIZE  16384u

struct pair {
    const struct library *client_lib;
    const struct library *server_lib;
    struct end *client;
    struct end *server;
};

void pair_open(struct pair *p, const struct library *client, const struct library *server,
               const struct scenario *work);
/* Moves bytes until no end has more to send. */
void pair_run(struct pair *p);
void pair_close(struct pair *p);

/* All of a scenario: dies if a message is not what it should be. */
void run_scenario(const struct library *client, const struct library *server,
                  const struct scenario *work);

#endif
