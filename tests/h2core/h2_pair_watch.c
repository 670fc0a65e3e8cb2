/* Two engines in memory, watched: what their trace hooks see, and what both sides must agree about.
 */
#include "h2_pair.h"

struct end *pair_end(struct side *s, uint32_t id)
{
    assert_true(id > 0 && id < MOST_IDS);
    return &s->ends[id];
}

/* ---------------------------------------------------------------- what the trace hooks see */

static void on_frame(struct side *s, const struct h2_trace *t)
{
    struct seen seen = {t->type, t->flags, t->stream_id, t->length};
    if (t->kind == H2_TRACE_FRAME_SENT) {
        if (s->nsent == s->sent_cap) {
            s->sent_cap = (s->sent_cap + 64) * 2;
            s->sent = realloc(s->sent, s->sent_cap * sizeof(*s->sent));
            assert_non_null(s->sent);
        }
        s->sent[s->nsent++] = seen;
        return;
    }
    struct side *from = s->other;
    assert_true(from->taken < from->nsent);
    const struct seen *sent = &from->sent[from->taken++];
    assert_int_equal(seen.type, sent->type);
    assert_int_equal(seen.flags, sent->flags);
    assert_int_equal(seen.id, sent->id);
    assert_int_equal(seen.length, sent->length);
}

static bool stream_can_go(const char *from, const char *to)
{
    for (unsigned st = 0; st < H2_STATE_COUNT; st++) {
        for (unsigned input = 0; input < H2_INPUT_COUNT; input++) {
            const struct h2_move *m = h2_state_move(st, input);
            if (m->verdict == H2_ACCEPT && strcmp(h2_stream_state_name(st), from) == 0 &&
                strcmp(h2_stream_state_name(m->next), to) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool conn_can_go(const char *from, const char *to)
{
    for (unsigned st = 0; st < H2_CONN_STATE_COUNT; st++) {
        for (unsigned input = 0; input < H2_CONN_INPUT_COUNT; input++) {
            const struct h2_move *m = h2_conn_state_move(st, input);
            if (m->verdict == H2_ACCEPT && strcmp(h2_conn_state_name(st), from) == 0 &&
                strcmp(h2_conn_state_name(m->next), to) == 0) {
                return true;
            }
        }
    }
    return false;
}

void pair_trace(void *ctx, const struct h2_trace *t)
{
    struct side *s = ctx;
    if (t->kind == H2_TRACE_FRAME_SENT || t->kind == H2_TRACE_FRAME_RECEIVED) {
        on_frame(s, t);
        return;
    }
    bool stream = t->kind == H2_TRACE_STREAM_STATE;
    const char **last = stream ? &pair_end(s, t->stream_id)->state : &s->state;
    if (*last != NULL) {
        assert_string_equal(t->from, *last);
    } else if (stream) {
        assert_int_equal(strncmp(t->from, "idle", 4), 0);
    }
    assert_true(stream ? stream_can_go(t->from, t->to) : conn_can_go(t->from, t->to));
    *last = t->to;
}

/* ---------------------------------------------------------------- agreement */

/* What this side's state is on the other side. */
static enum h2_stream_state mirrored(enum h2_stream_state state)
{
    switch (state) {
    case H2_STATE_RESERVED_LOCAL:
        return H2_STATE_RESERVED_REMOTE;
    case H2_STATE_RESERVED_REMOTE:
        return H2_STATE_RESERVED_LOCAL;
    case H2_STATE_HALF_CLOSED_LOCAL:
        return H2_STATE_HALF_CLOSED_REMOTE;
    case H2_STATE_HALF_CLOSED_REMOTE:
        return H2_STATE_HALF_CLOSED_LOCAL;
    default:
        return state;
    }
}

void pair_agrees(struct pair *p)
{
    for (int role = 0; role < 2; role++) {
        struct side *s = &p->side[role];
        const struct h2_conn *c = s->c;
        const struct h2_conn *other = s->other->c;
        assert_int_equal(s->taken, s->nsent);
        assert_int_equal(c->tx.window, other->rx_window.left);
        assert_int_equal(h2_conn_open_outbound(c), h2_conn_open_inbound(other));
        assert_int_equal(h2_conn_open_streams(c), h2_conn_open_streams(other));
        assert_true(h2_conn_settings_acked(c));
        for (uint32_t id = 1; id < H2_SETTING_SLOTS; id++) {
            assert_int_equal(h2_conn_local_setting(c, id), h2_conn_peer_setting(other, id));
        }
        for (const struct h2_stream *a = h2_map_next(c, NULL); a != NULL; a = h2_map_next(c, a)) {
            const struct h2_stream *b = h2_stream_find(other, a->id);
            assert_non_null(b);
            assert_int_equal(b->state, mirrored(a->state));
            assert_ptr_equal(h2_stream_user(c, a->id), s->ends[a->id].user);
            if (h2_state_move(a->state, H2_TX_DATA)->verdict == H2_ACCEPT ||
                a->state == H2_STATE_RESERVED_LOCAL) {
                assert_int_equal(a->tx_window, b->rx.left);
            }
        }
    }
}

void pair_is_done(struct pair *p)
{
    for (int role = 0; role < 2; role++) {
        const struct h2_conn *c = p->side[role].c;
        assert_false(h2_conn_is_over(c));
        assert_int_equal(c->rx_window.held, 0);
        assert_int_equal((uint32_t)c->rx_window.left + c->rx_window.owed, c->rx_window_size);
        assert_int_equal(p->side[role].taken, p->side[role].nsent);
        assert_int_equal(p->side[role].ended, 0);
        assert_int_equal(c->rx_window.left, p->side[1 - role].c->tx.window);
        assert_null(c->rx.buf);
        assert_null(c->tx.buf);
        assert_int_equal(c->sched.used, 0);
        for (uint32_t i = 0; i < MOST_IDS; i++) {
            const struct end *e = &p->side[role].ends[i];
            assert_true(!e->known || e->gone || (e->rx_ended && e->tx_ended && e->held == 0));
        }
    }
}
