/*
 * What h2_pair_test.c does and h2_pair_watch.c watches: two engines with their callers.
 */
#ifndef H2_PAIR_H
#define H2_PAIR_H

#include "h2_script.h"

#include "h2_internal.h"

#define MOST_IDS 1000

/* A stream as one side sees it. */
struct end {
    bool known;
    bool head_sent;
    bool tx_ended;
    bool rx_head;
    bool rx_ended;
    bool gone;   /* reset, by whom ever */
    size_t body; /* octets to send */
    size_t sent;
    size_t got;
    uint32_t held;
    bool trailers; /* after the body */
    void *user;
    const char *state; /* as traced */
};

/* A frame as a trace record has it. */
struct seen {
    uint8_t type;
    uint8_t flags;
    uint32_t id;
    uint32_t length;
};

struct side {
    struct h2_conn *c;
    uint8_t *wire; /* on its way to the other side */
    size_t wire_len;
    size_t wire_cap;
    struct end ends[MOST_IDS];
    bool goaway;
    uint32_t mute;
    uint32_t ended;    /* STREAM_ENDED has to come next, for this stream */
    struct seen *sent; /* [taken, nsent): not seen by the other side yet */
    size_t nsent;
    size_t sent_cap;
    size_t taken;
    struct side *other;
    const char *state; /* of the connection, as traced */
};

struct pair {
    struct side side[2]; /* by enum h2_role */
    unsigned seed;
    unsigned first_seed;
    uint32_t last_id;
    uint32_t last_push;
    unsigned answered;
    unsigned pushed;
    bool quiet; /* no new streams */
};

struct end *pair_end(struct side *s, uint32_t id);

/* For h2_options.trace; its context is the side. */
void pair_trace(void *ctx, const struct h2_trace *t);

/* Nothing is on its way: windows, states, counts and settings are the same on both sides. */
void pair_agrees(struct pair *p);

/* All is over: nothing is left. */
void pair_is_done(struct pair *p);

#endif
