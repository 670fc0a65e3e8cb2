/*
 * Two engines talk to each other in memory. What both callers do, how the bytes are cut, and how
 * the engines are set is random (seeded); whatever arrives must be what was sent, in order and
 * whole, and in the end nothing is left: no stream, no credit, no failure.
 */
#include "h2_script.h"

#include "h2_internal.h"

#include <stdio.h>

#define MOST_STREAMS 400
#define STEPS        6000

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
};

struct side {
    struct h2_conn *c;
    uint8_t *wire; /* on its way to the other side */
    size_t wire_len;
    size_t wire_cap;
    struct end ends[MOST_STREAMS];
    bool goaway;
};

struct pair {
    struct side side[2]; /* by enum h2_role */
    unsigned seed;
    unsigned first_seed;
    uint32_t last_id;
    unsigned answered;
    bool quiet; /* no new streams */
};

static unsigned pick(struct pair *p, unsigned n)
{
    return (unsigned)rand_r(&p->seed) % n;
}

static uint8_t octet(uint32_t id, enum h2_role from, size_t at)
{
    return (uint8_t)(id * 31 + (unsigned)from * 97 + at * 7 + (at >> 8));
}

static struct end *end_of(struct side *s, uint32_t id)
{
    assert_true(id % 2 == 1 && id / 2 < MOST_STREAMS);
    return &s->ends[id / 2];
}

static void put_wire(struct side *s, const void *p, size_t n)
{
    if (s->wire_cap - s->wire_len < n) {
        s->wire_cap = (s->wire_cap + n) * 2;
        s->wire = realloc(s->wire, s->wire_cap);
        assert_non_null(s->wire);
    }
    memcpy(s->wire + s->wire_len, p, n);
    s->wire_len += n;
}

/* ---------------------------------------------------------------- fields that can be checked */

static size_t make_fields(struct pair *p, enum h2_role role, uint32_t id, bool trailers,
                          struct h2_field *fields, char *room)
{
    size_t n = 0;
    if (!trailers && role == H2_CLIENT) {
        fields[n++] = (struct h2_field){":method", "PUT", 7, 3, H2_TOKEN_NONE, 0};
        fields[n++] = (struct h2_field){":scheme", "https", 7, 5, H2_TOKEN_NONE, 0};
        fields[n++] = (struct h2_field){":path", "/some/path", 5, 10, H2_TOKEN_NONE, 0};
        fields[n++] = (struct h2_field){":authority", "example.com", 10, 11, H2_TOKEN_NONE, 0};
    } else if (!trailers) {
        fields[n++] = (struct h2_field){":status", "200", 7, 3, H2_TOKEN_NONE, 0};
    }
    int len = sprintf(room, "%u", id);
    fields[n++] = (struct h2_field){"x-id", room, 4, (uint32_t)len, H2_TOKEN_NONE, 0};
    room += len;
    static const char *const priorities[] = {"u=1", "u=3, i", "i", "u=7"};
    const char *priority = priorities[pick(p, 4)];
    if (!trailers && pick(p, 2) == 0) {
        fields[n++] = (struct h2_field){"priority", priority, 8, (uint32_t)strlen(priority), 0, 0};
    }
    for (unsigned more = pick(p, 6); more > 0; more--) {
        len = sprintf(room, "x-field-%u", pick(p, 20));
        unsigned value = pick(p, 10) == 0 ? 3000 : pick(p, 40);
        memset(room + len, 'a' + (int)pick(p, 26), value);
        fields[n++] = (struct h2_field){room, room + len, (uint32_t)len, value, H2_TOKEN_NONE, 0};
        room += (unsigned)len + value;
    }
    return n;
}

static void check_fields(const struct h2_event *ev)
{
    char id[16];
    sprintf(id, "%u", ev->stream_id);
    bool found = false;
    for (size_t i = 0; i < ev->nfields; i++) {
        const struct h2_field *f = &ev->fields[i];
        if (f->name_len == 4 && memcmp(f->name, "x-id", 4) == 0) {
            assert_int_equal(f->value_len, strlen(id));
            assert_memory_equal(f->value, id, f->value_len);
            found = true;
        }
        for (uint32_t k = 1; k < f->value_len && f->name_len > 8 && f->name[0] == 'x'; k++) {
            assert_int_equal(f->value[k], f->value[0]);
        }
    }
    assert_true(found);
}

/* ---------------------------------------------------------------- what a side hears */

static void on_event(struct pair *p, enum h2_role role, const struct h2_event *ev)
{
    struct side *s = &p->side[role];
    struct end *e = ev->stream_id != 0 ? end_of(s, ev->stream_id) : NULL;
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        assert_int_equal(role, H2_SERVER);
        assert_false(e->known);
        e->known = e->rx_head = true;
        check_fields(ev);
        break;
    case H2_EVENT_RESPONSE:
        assert_int_equal(role, H2_CLIENT);
        assert_true(e->known && !e->rx_head && !e->gone);
        e->rx_head = true;
        p->answered++;
        check_fields(ev);
        break;
    case H2_EVENT_INFORMATIONAL:
        assert_true(e->known && !e->rx_head && !e->gone && ev->status == 103);
        break;
    case H2_EVENT_TRAILERS:
        assert_true(e->rx_head && !e->rx_ended && !e->gone && ev->end_stream);
        check_fields(ev);
        break;
    case H2_EVENT_DATA:
        assert_true(e->rx_head && !e->rx_ended && !e->gone);
        for (size_t i = 0; i < ev->len; i++) {
            assert_int_equal(ev->data[i], octet(ev->stream_id, 1 - role, e->got + i));
        }
        e->got += ev->len;
        e->held += ev->flow_len;
        break;
    case H2_EVENT_RESET:
        assert_true(ev->by_peer || ev->code == H2_REFUSED_STREAM);
        if (e->known) {
            assert_false(e->gone || (e->rx_ended && e->tx_ended));
        }
        e->gone = true;
        break;
    case H2_EVENT_GOAWAY:
        s->goaway = true;
        break;
    case H2_EVENT_FAILED:
        fail_msg("side %d failed: %s", role, ev->fail.why);
        break;
    default:
        break;
    }
    if (ev->end_stream) {
        const struct end *other = end_of(&p->side[1 - role], ev->stream_id);
        e->rx_ended = true;
        assert_int_equal(e->got, other->sent);
    }
}

/* Some of what is on its way arrives; the side may stop in the middle and go on later. */
static void deliver(struct pair *p, enum h2_role role, size_t most)
{
    struct side *from = &p->side[1 - role];
    struct side *to = &p->side[role];
    struct h2_event ev;
    size_t n = from->wire_len < most ? from->wire_len : most;
    uint8_t *piece = malloc(n > 0 ? n : 1);
    assert_non_null(piece);
    if (n > 0) {
        memcpy(piece, from->wire, n);
    }
    h2_conn_feed(to->c, piece, n);
    unsigned patience = pick(p, 4) == 0 ? pick(p, 4) : 1000000;
    while (patience-- > 0 && h2_conn_next_event(to->c, 0, &ev)) {
        on_event(p, role, &ev);
    }
    n -= h2_conn_unread(to->c);
    from->wire_len -= n;
    if (n > 0) {
        memmove(from->wire, from->wire + n, from->wire_len);
    }
    free(piece);
}

/* ---------------------------------------------------------------- what a side does */

static void flush(struct pair *p, struct side *s)
{
    uint8_t buf[100];
    size_t n;
    while ((n = h2_conn_send(s->c, buf, 1 + pick(p, sizeof(buf)))) > 0) {
        put_wire(s, buf, n);
    }
}

static void finish_body(struct pair *p, enum h2_role role, uint32_t id, struct end *e)
{
    struct h2_field fields[16];
    static char room[65536];
    if (e->trailers) {
        size_t n = make_fields(p, role, id, true, fields, room);
        assert_int_equal(h2_conn_trailers(p->side[role].c, id, fields, n), H2_OK);
    } else {
        assert_int_equal(h2_conn_end_stream(p->side[role].c, id), H2_OK);
    }
    e->tx_ended = true;
}

static void send_body(struct pair *p, enum h2_role role)
{
    struct side *s = &p->side[role];
    static uint8_t body[40000];
    size_t limit;
    uint8_t header[9];
    flush(p, s);
    uint32_t id = h2_conn_next_writable(s->c, &limit, NULL);
    if (id == 0) {
        return;
    }
    struct end *e = end_of(s, id);
    size_t left = e->body - e->sent;
    assert_true(left > 0 && !e->tx_ended && !e->gone);
    size_t n = 1 + pick(p, 20000);
    n = n < left ? n : left;
    n = n < limit ? n : limit;
    bool last = n == left && !e->trailers && pick(p, 2) == 0;
    h2_conn_data_frame(s->c, id, n, last, header);
    for (size_t i = 0; i < n; i++) {
        body[i] = octet(id, role, e->sent + i);
    }
    put_wire(s, header, sizeof(header));
    put_wire(s, body, n);
    e->sent += n;
    e->tx_ended = last;
    if (n == left && !last) {
        h2_stream_set_ready(s->c, id, false);
        finish_body(p, role, id, e);
    }
}

/* The head is out: what follows? */
static void plan(struct pair *p, struct side *s, uint32_t id, struct end *e, bool ended)
{
    e->head_sent = true;
    e->tx_ended = ended;
    if (!ended) {
        e->body = pick(p, 3) == 0 ? 1 + pick(p, 100000) : 1 + pick(p, 100);
        e->trailers = pick(p, 4) == 0;
        h2_stream_set_ready(s->c, id, true);
    }
}

static void request(struct pair *p)
{
    struct side *s = &p->side[H2_CLIENT];
    struct h2_field fields[16];
    static char room[65536];
    uint32_t id = p->last_id + 2;
    if (p->quiet || id / 2 >= MOST_STREAMS || !h2_conn_can_request(s->c)) {
        return;
    }
    bool ended = pick(p, 2) == 0;
    size_t n = make_fields(p, H2_CLIENT, id, false, fields, room);
    assert_int_equal(h2_conn_request(s->c, fields, n, ended, NULL, &id), H2_OK);
    assert_int_equal(id, p->last_id + 2);
    p->last_id = id;
    struct end *e = end_of(s, id);
    e->known = true;
    plan(p, s, id, e, ended);
}

static void respond(struct pair *p, uint32_t id)
{
    struct side *s = &p->side[H2_SERVER];
    struct end *e = end_of(s, id);
    struct h2_field fields[16];
    static char room[65536];
    if (!e->known || e->head_sent || e->gone) {
        return;
    }
    if (pick(p, 5) == 0) {
        struct h2_field early = {":status", "103", 7, 3, H2_TOKEN_NONE, 0};
        assert_int_equal(h2_conn_respond(s->c, id, &early, 1, false), H2_OK);
        return;
    }
    bool ended = pick(p, 3) == 0;
    size_t n = make_fields(p, H2_SERVER, id, false, fields, room);
    assert_int_equal(h2_conn_respond(s->c, id, fields, n, ended), H2_OK);
    plan(p, s, id, e, ended);
}

static void consume(struct pair *p, enum h2_role role, uint32_t id, bool all)
{
    struct end *e = end_of(&p->side[role], id);
    if (e->held > 0) {
        uint32_t n = all ? e->held : 1 + pick(p, e->held);
        assert_int_equal(h2_conn_consume(p->side[role].c, id, n), H2_OK);
        e->held -= n;
    }
}

static void reset(struct pair *p, enum h2_role role, uint32_t id)
{
    struct end *e = end_of(&p->side[role], id);
    if (!e->known || e->gone || (e->rx_ended && e->tx_ended)) {
        return;
    }
    assert_int_equal(h2_conn_reset(p->side[role].c, id, H2_CANCEL), H2_OK);
    e->gone = true;
}

static void step(struct pair *p)
{
    enum h2_role role = pick(p, 2);
    uint32_t id =
        p->last_id >= 1 && p->last_id < 2 * MOST_STREAMS
            ? (p->last_id / 2 - pick(p, p->last_id / 2 < 12 ? p->last_id / 2 + 1 : 12)) * 2 + 1
            : 1;
    switch (pick(p, 12)) {
    case 0:
        request(p);
        break;
    case 1:
        respond(p, id);
        break;
    case 2:
        if (pick(p, 10) == 0) {
            reset(p, role, id);
        }
        break;
    case 3:
        if (pick(p, 30) == 0) {
            assert_int_equal(h2_conn_ping(p->side[role].c, (const uint8_t *)"pingping"), H2_OK);
        }
        break;
    case 4:
    case 5:
        consume(p, role, id, pick(p, 2) == 0);
        break;
    case 6:
    case 7:
    case 8:
        send_body(p, role);
        break;
    case 9:
        flush(p, &p->side[role]);
        break;
    default:
        deliver(p, role, 1 + pick(p, pick(p, 2) == 0 ? 20 : 30000));
        break;
    }
}

/* ---------------------------------------------------------------- a life */

static void start(struct pair *p)
{
    static const uint32_t windows[] = {10, 1000, 65535, 1000000};
    static const uint32_t tables[] = {0, 100, 4096, 65536};
    uint32_t window[2] = {windows[pick(p, 4)], windows[pick(p, 4)]};
    for (int role = 0; role < 2; role++) {
        struct h2_options opts;
        h2_options_init(&opts);
        opts.initial_window_size = window[role];
        if (window[1 - role] < 2048) { /* its updates look like dribble */
            opts.limits.control_burst = UINT32_MAX;
        }
        opts.connection_window_size = windows[pick(p, 4)];
        opts.header_table_size = tables[pick(p, 4)];
        opts.encoder_table_size = tables[pick(p, 4)];
        opts.max_frame_size = 16384 + pick(p, 3) * 5000;
        opts.max_concurrent_streams = 1 + pick(p, 50);
        opts.limits.reset_burst = UINT32_MAX;
        p->side[role].c = h2_conn_new(role, &opts);
        assert_non_null(p->side[role].c);
    }
    p->last_id = UINT32_MAX; /* the next is 1 */
}

static void settle(struct pair *p)
{
    p->quiet = true;
    for (int round = 0; round < 200000; round++) {
        bool idle = true;
        for (int role = 0; role < 2; role++) {
            for (uint32_t id = 1; id <= p->last_id && p->last_id != UINT32_MAX; id += 2) {
                respond(p, id);
                consume(p, role, id, true);
            }
            send_body(p, role);
            flush(p, &p->side[role]);
            idle = idle && p->side[1 - role].wire_len == 0;
            deliver(p, role, 1000000);
        }
        if (idle && h2_conn_open_streams(p->side[0].c) == 0 &&
            h2_conn_open_streams(p->side[1].c) == 0 && !h2_conn_wants_send(p->side[0].c) &&
            !h2_conn_wants_send(p->side[1].c) && p->side[0].wire_len + p->side[1].wire_len == 0) {
            return;
        }
    }
    for (int role = 0; role < 2; role++) {
        const struct h2_conn *c = p->side[role].c;
        const struct h2_stream *s = h2_map_next(c, NULL);
        print_error("%s: connection window tx %d rx %d; ", role == H2_SERVER ? "server" : "client",
                    c->tx.window, c->rx_window.left);
        if (s != NULL) {
            const struct end *e = &p->side[role].ends[s->id / 2];
            print_error("stream %u %s, tx %d, rx %d + %u + %u, sent %zu of %zu, got %zu\n", s->id,
                        h2_stream_state_name(s->state), s->tx_window, s->rx.left, s->rx.held,
                        s->rx.owed, e->sent, e->body, e->got);
        }
    }
    fail_msg("streams stay open (seed %u)", p->first_seed);
}

static void check_rest(struct pair *p)
{
    for (int role = 0; role < 2; role++) {
        const struct h2_conn *c = p->side[role].c;
        assert_false(h2_conn_failed(c));
        assert_int_equal(c->rx_window.held, 0);
        assert_int_equal((uint32_t)c->rx_window.left + c->rx_window.owed,
                         c->opts.connection_window_size);
        assert_int_equal(c->rx_window.left, p->side[1 - role].c->tx.window);
        assert_null(c->rx.buf);
        assert_null(c->tx.buf);
        assert_int_equal(c->sched.used, 0);
        for (uint32_t i = 0; i < MOST_STREAMS; i++) {
            const struct end *e = &p->side[role].ends[i];
            assert_true(!e->known || e->gone || (e->rx_ended && e->tx_ended && e->held == 0));
        }
    }
}

static unsigned live(unsigned seed)
{
    struct pair *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->seed = p->first_seed = seed;
    start(p);
    for (int i = 0; i < STEPS; i++) {
        step(p);
        if (seed % 5 == 0 && i == STEPS / 2) {
            assert_int_equal(h2_conn_shutdown_notice(p->side[H2_SERVER].c), H2_OK);
        }
        if (seed % 5 == 0 && i == STEPS * 2 / 3) {
            assert_int_equal(h2_conn_shutdown(p->side[H2_SERVER].c), H2_OK);
        }
    }
    settle(p);
    check_rest(p);
    unsigned answered = p->answered;
    for (int role = 0; role < 2; role++) {
        h2_conn_free(p->side[role].c);
        free(p->side[role].wire);
    }
    free(p);
    return answered;
}

static void two_engines_understand_each_other(void **state)
{
    (void)state;
    const char *given = getenv("H2_PAIR_SEEDS"); /* more of them, by hand */
    unsigned seeds = given != NULL ? (unsigned)strtoul(given, NULL, 10) : 30;
    unsigned answered = 0;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        answered += live(seed);
    }
    print_message("%u requests answered\n", answered);
    assert_true(answered > seeds * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_engines_understand_each_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
