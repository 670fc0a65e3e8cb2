/*
 * Who sends next (RFC 9218): the lowest urgency value first; within one, streams that are not
 * incremental in the order of their ids, each until it has no more to send, and incremental ones in
 * turn, a frame each. Where an urgency has both kinds, they alternate frame by frame. Every
 * sixteenth frame goes to a less urgent stream, to each urgency in turn: an endless urgent one
 * slows the others down, but does not starve them (section 10 leaves all this to us).
 *
 * In a queue is exactly who could send now, if the connection's window allows; so finding the next
 * one needs no search, and a peer that keeps windows shut costs nothing.
 */
#include "h2_internal.h"

static struct h2_queue *queue_of(struct h2_conn *c, const struct h2_stream *s)
{
    return s->incremental ? &c->sched.round_robin[s->urgency] : &c->sched.in_order[s->urgency];
}

static void mark_used(struct h2_sched *sched, uint8_t urgency)
{
    if (sched->in_order[urgency].first != NULL || sched->round_robin[urgency].first != NULL) {
        sched->used |= (uint8_t)(1u << urgency);
    } else {
        sched->used &= (uint8_t) ~(1u << urgency);
    }
}

static void insert_after(struct h2_queue *q, struct h2_stream *at, struct h2_stream *s)
{
    s->queue_prev = at;
    s->queue_next = at != NULL ? at->queue_next : q->first;
    if (s->queue_prev != NULL) {
        s->queue_prev->queue_next = s;
    } else {
        q->first = s;
    }
    if (s->queue_next != NULL) {
        s->queue_next->queue_prev = s;
    } else {
        q->last = s;
    }
}

static void add(struct h2_conn *c, struct h2_stream *s)
{
    struct h2_queue *q = queue_of(c, s);
    struct h2_stream *at = q->last;
    if (!s->incremental) {
        /* From the end, as new streams have the highest ids. */
        while (at != NULL && at->id > s->id) {
            at = at->queue_prev;
        }
    }
    insert_after(q, at, s);
    s->queued = true;
    mark_used(&c->sched, s->urgency);
}

void h2_sched_remove(struct h2_conn *c, struct h2_stream *s)
{
    if (!s->queued) {
        return;
    }
    struct h2_queue *q = queue_of(c, s);
    if (s->queue_prev != NULL) {
        s->queue_prev->queue_next = s->queue_next;
    } else {
        assert(q->first == s);
        q->first = s->queue_next;
    }
    if (s->queue_next != NULL) {
        s->queue_next->queue_prev = s->queue_prev;
    } else {
        assert(q->last == s);
        q->last = s->queue_prev;
    }
    s->queue_prev = s->queue_next = NULL;
    s->queued = false;
    mark_used(&c->sched, s->urgency);
}

void h2_sched_update(struct h2_conn *c, struct h2_stream *s)
{
    bool can = s->ready && s->tx_head && s->tx_window > 0 &&
               h2_state_move(s->state, H2_TX_DATA)->verdict == H2_ACCEPT;
    if (can && !s->queued) {
        add(c, s);
    } else if (!can) {
        h2_sched_remove(c, s);
    }
}

void h2_sched_set_priority(struct h2_conn *c, struct h2_stream *s, uint8_t urgency,
                           bool incremental)
{
    assert(urgency < H2_URGENCIES);
    if (s->urgency == urgency && s->incremental == incremental) {
        return; /* and keeps its place */
    }
    h2_sched_remove(c, s);
    s->urgency = urgency;
    s->incremental = incremental;
    h2_sched_update(c, s);
}

#define FAVOUR_EVERY 16

static unsigned most_urgent(const struct h2_sched *sched)
{
    return (unsigned)__builtin_ctz(sched->used);
}

/* Whose turn it is to be favoured: the next one in use below the one that was last. */
static unsigned favoured(const struct h2_sched *sched)
{
    unsigned below = sched->used & (sched->used - 1u); /* but the most urgent one */
    unsigned after = below & ~((2u << sched->favoured) - 1u);
    return (unsigned)__builtin_ctz(after != 0 ? after : below);
}

static bool favour_now(const struct h2_sched *sched)
{
    return sched->frames >= FAVOUR_EVERY - 1 && (sched->used & (sched->used - 1u)) != 0;
}

static void count_frame(struct h2_sched *sched, const struct h2_stream *s)
{
    if (s->urgency > most_urgent(sched)) {
        sched->favoured = s->urgency;
        sched->frames = 0;
    } else if (sched->frames < FAVOUR_EVERY) {
        sched->frames++;
    }
}

void h2_sched_sent(struct h2_conn *c, struct h2_stream *s)
{
    uint8_t bit = (uint8_t)(1u << s->urgency);
    if (c->sched.used != 0) {
        count_frame(&c->sched, s);
    }
    if (s->incremental) {
        c->sched.turn &= (uint8_t)~bit;
        if (s->queued) { /* behind the others */
            h2_sched_remove(c, s);
            add(c, s);
        }
    } else {
        c->sched.turn |= bit;
    }
    h2_sched_update(c, s);
}

struct h2_stream *h2_sched_next(const struct h2_conn *c)
{
    const struct h2_sched *sched = &c->sched;
    if (sched->used == 0) {
        return NULL;
    }
    unsigned urgency = favour_now(sched) ? favoured(sched) : most_urgent(sched);
    struct h2_stream *in_order = sched->in_order[urgency].first;
    struct h2_stream *in_turn = sched->round_robin[urgency].first;
    if (in_order == NULL) {
        return in_turn;
    }
    bool turn = in_turn != NULL && (sched->turn >> urgency & 1u) != 0;
    return turn ? in_turn : in_order;
}
