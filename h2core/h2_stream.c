/*
 * The live streams, found by id in a hash map that grows with their number, and the memory of how
 * the latest closed ones were closed. A stream object lives exactly as long as its state is live
 * (h2_state_is_live), so "not in the map" means idle or closed.
 */
#include "h2_internal.h"

#include <string.h>

#define FIRST_BUCKETS  8u
#define FIRST_CLOSED   16u
#define KEPT_WHEN_IDLE 2u /* free stream objects that an idle connection holds */

/* ---------------------------------------------------------------- the map */

/* A peer chooses its ids, and could choose them to meet in one bucket;
   SETTINGS_MAX_CONCURRENT_STREAMS bounds the length of that chain, and mixing makes it harder to do
   by accident. */
static uint32_t bucket_of(const struct h2_map *m, uint32_t id)
{
    return (id * 2654435769u >> 7) & (m->nbuckets - 1);
}

struct h2_stream *h2_stream_find(const struct h2_conn *c, uint32_t id)
{
    if (c->map.count == 0) {
        return NULL;
    }
    struct h2_stream *s = c->map.buckets[bucket_of(&c->map, id)];
    while (s != NULL && s->id != id) {
        s = s->next;
    }
    return s;
}

struct h2_stream *h2_map_next(const struct h2_conn *c, const struct h2_stream *s)
{
    const struct h2_map *m = &c->map;
    uint32_t i = 0;
    if (s != NULL) {
        if (s->next != NULL) {
            return s->next;
        }
        i = bucket_of(m, s->id) + 1;
    }
    for (; i < m->nbuckets; i++) {
        if (m->buckets[i] != NULL) {
            return m->buckets[i];
        }
    }
    return NULL;
}

static void link_stream(struct h2_map *m, struct h2_stream *s)
{
    struct h2_stream **b = &m->buckets[bucket_of(m, s->id)];
    s->next = *b;
    *b = s;
}

/* Room for one more: at most one stream per bucket on average. */
static bool map_grow(struct h2_conn *c)
{
    struct h2_map *m = &c->map;
    if (m->count < m->nbuckets) {
        return true;
    }
    struct h2_map grown = *m;
    grown.nbuckets = m->nbuckets == 0 ? FIRST_BUCKETS : m->nbuckets * 2;
    grown.buckets = h2_resize(c, NULL, grown.nbuckets * sizeof(*grown.buckets));
    if (grown.buckets == NULL) {
        return false;
    }
    memset(grown.buckets, 0, grown.nbuckets * sizeof(*grown.buckets));
    for (uint32_t i = 0; i < m->nbuckets; i++) {
        struct h2_stream *next;
        for (struct h2_stream *s = m->buckets[i]; s != NULL; s = next) {
            next = s->next;
            link_stream(&grown, s);
        }
    }
    h2_resize(c, m->buckets, 0);
    *m = grown;
    return true;
}

static void free_list_trim(struct h2_conn *c, uint32_t keep)
{
    struct h2_stream **p = &c->map.free;
    while (*p != NULL && keep > 0) {
        p = &(*p)->next;
        keep--;
    }
    while (*p != NULL) {
        struct h2_stream *s = *p;
        *p = s->next;
        h2_resize(c, s, 0);
    }
}

/* The last stream is gone: gives back what only many streams need. */
static void map_shrink(struct h2_conn *c)
{
    free_list_trim(c, KEPT_WHEN_IDLE);
    if (c->map.nbuckets > FIRST_BUCKETS) {
        h2_resize(c, c->map.buckets, 0);
        c->map.buckets = NULL;
        c->map.nbuckets = 0;
    }
}

/* ---------------------------------------------------------------- closed streams */

/* Room for more, up to the limit. Without memory the oldest one is forgotten, which is no failure.
 */
static void closed_grow(struct h2_conn *c)
{
    struct h2_closed *m = &c->closed;
    uint32_t most = c->opts.limits.closed_streams;
    uint32_t cap = m->cap == 0 ? FIRST_CLOSED : m->cap * 2;
    cap = cap < most ? cap : most;
    if (cap <= m->cap) {
        return;
    }
    uint32_t *ids = h2_resize(c, NULL, cap * (sizeof(*ids) + sizeof(*m->ways)));
    if (ids == NULL) {
        return;
    }
    uint8_t *ways = (uint8_t *)(ids + cap);
    assert(m->count == m->cap); /* so the oldest one is the next to be written over */
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t from = (m->next + i) % m->cap;
        ids[i] = m->ids[from];
        ways[i] = m->ways[from];
    }
    h2_resize(c, m->ids, 0);
    m->ids = ids;
    m->ways = ways;
    m->next = m->count;
    m->cap = cap;
}

void h2_closed_remember(struct h2_conn *c, uint32_t id, enum h2_stream_state way)
{
    struct h2_closed *m = &c->closed;
    if (m->count == m->cap) {
        closed_grow(c);
    }
    m->forgot = m->forgot || m->count == m->cap;
    if (m->cap == 0) {
        return;
    }
    if (m->next == m->cap) {
        m->next = 0;
    }
    m->ids[m->next] = id;
    m->ways[m->next] = (uint8_t)way;
    m->next++;
    if (m->count < m->cap) {
        m->count++;
    }
}

static enum h2_stream_state closed_lookup(const struct h2_closed *m, uint32_t id)
{
    uint32_t at = m->next;
    for (uint32_t i = 0; i < m->count;
         i++) { /* newest first: a later entry of an id replaces an earlier one */
        at = at == 0 ? m->cap - 1 : at - 1;
        if (m->ids[at] == id) {
            return m->ways[at];
        }
    }
    /* Who has forgotten nothing knows that it was never open. */
    return m->forgot ? H2_STATE_CLOSED_FORGOTTEN : H2_STATE_CLOSED_SKIPPED;
}

/* ---------------------------------------------------------------- life of a stream */

/* RFC 9113, 6.8: our GOAWAY has closed what is above its last stream id. */
static bool closed_by_goaway(const struct h2_conn *c, uint32_t id)
{
    return h2_conn_state_move(c->state, H2_CONN_RX_STREAM)->verdict == H2_IGNORE &&
           id > c->goaway_last;
}

enum h2_stream_state h2_conn_stream_state(const struct h2_conn *c, uint32_t id)
{
    const struct h2_stream *s = h2_stream_find(c, id);
    if (s != NULL) {
        return s->state;
    }
    if (h2_is_ours(c, id)) {
        enum h2_stream_state state =
            id >= c->next_id ? H2_STATE_IDLE_OURS : closed_lookup(&c->closed, id);
        return state == H2_STATE_CLOSED_SKIPPED ? H2_STATE_CLOSED_FORGOTTEN : state;
    }
    if (id > c->last_seen) {
        return c->role == H2_SERVER ? H2_STATE_IDLE : H2_STATE_IDLE_PUSHED;
    }
    return closed_by_goaway(c, id) ? H2_STATE_CLOSED_RESET_SENT : closed_lookup(&c->closed, id);
}

enum h2_error h2_stream_may(const struct h2_conn *c, uint32_t id, enum h2_input input,
                            struct h2_stream **s)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_FRAME);
    if (error != H2_OK) {
        return error;
    }
    *s = h2_stream_find(c, id);
    if (*s != NULL) {
        return h2_state_move((*s)->state, input)->verdict == H2_ACCEPT ? H2_OK
                                                                       : H2_ERR_STREAM_STATE;
    }
    if (id == 0 || id > H2_MAX_STREAM_ID || h2_conn_stream_state(c, id) < H2_STATE_RESERVED_LOCAL) {
        return H2_ERR_NO_STREAM;
    }
    return H2_ERR_STREAM_CLOSED;
}

/* Counters move here, and only here. */
static void set_state(struct h2_conn *c, struct h2_stream *s, enum h2_stream_state state)
{
    uint32_t *active = s->inbound ? &c->active_in : &c->active_out;
    if (h2_state_is_active(s->state)) {
        assert(*active > 0);
        (*active)--;
    }
    if (h2_state_is_active(state)) {
        (*active)++;
    }
    if (h2_is_traced(c) && s->state != state) {
        h2_trace_state_always(c, H2_TRACE_STREAM_STATE, s->id, h2_stream_state_name(s->state),
                              h2_stream_state_name(state));
    }
    s->state = (uint8_t)state;
}

struct h2_stream *h2_stream_open(struct h2_conn *c, uint32_t id, enum h2_stream_state state)
{
    assert(h2_stream_find(c, id) == NULL);
    assert(h2_state_is_live(state));
    struct h2_stream *s = c->map.free;
    if (s != NULL) {
        c->map.free = s->next;
    } else {
        s = h2_resize(c, NULL, sizeof(*s));
    }
    if (s == NULL || !map_grow(c)) {
        h2_resize(c, s, 0);
        h2_conn_break_nomem(c);
        return NULL;
    }
    memset(s, 0, sizeof(*s));
    s->id = id;
    s->inbound = !h2_is_ours(c, id);
    s->state = !s->inbound            ? H2_STATE_IDLE_OURS
               : c->role == H2_SERVER ? H2_STATE_IDLE
                                      : H2_STATE_IDLE_PUSHED;
    set_state(c, s, state);
    s->content_left = -1;
    s->urgency = H2_DEFAULT_URGENCY;
    s->tx_window = (int32_t)c->peer[H2_SETTINGS_INITIAL_WINDOW_SIZE];
    s->rx.left = (int32_t)c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE];
    link_stream(&c->map, s);
    c->map.count++;
    return s;
}

static void stream_free(struct h2_conn *c, struct h2_stream *s)
{
    h2_sched_remove(c, s);
    struct h2_stream **p = &c->map.buckets[bucket_of(&c->map, s->id)];
    while (*p != s) {
        p = &(*p)->next;
    }
    *p = s->next;
    s->next = c->map.free;
    c->map.free = s;
    assert(c->map.count > 0);
    c->map.count--;
    if (c->map.count == 0) {
        assert(c->active_in == 0 && c->active_out == 0);
        map_shrink(c);
    }
}

void h2_stream_move(struct h2_conn *c, struct h2_stream **s, enum h2_input input)
{
    const struct h2_move *move = h2_state_move((*s)->state, input);
    assert(move->verdict == H2_ACCEPT);
    set_state(c, *s, move->next);
    if (h2_state_is_live(move->next)) {
        h2_sched_update(c, *s);
        return;
    }
    h2_closed_remember(c, (*s)->id, move->next);
    stream_free(c, *s);
    *s = NULL;
}

void h2_streams_free(struct h2_conn *c)
{
    c->opts.trace = NULL; /* this is no change of their states */
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, NULL)) {
        set_state(c, s, H2_STATE_CLOSED_FORGOTTEN);
        stream_free(c, s);
    }
    free_list_trim(c, 0);
    h2_resize(c, c->map.buckets, 0);
    h2_resize(c, c->closed.ids, 0);
}
