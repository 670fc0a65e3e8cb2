/*
 * Two engines talk to each other in memory. What both callers do (all actions there are), how the
 * bytes are cut, and how the engines are set is random (seeded); whatever arrives must be what was
 * sent, in order and whole, and in the end nothing is left: no stream, no credit, no failure.
 *
 * On the way: each event has the user pointer that was set; the trace hooks see the same frames on
 * both sides, in the same order, and states that follow from each other by the tables; and whenever
 * nothing is on its way, both sides agree about windows, states and counts.
 */
#include "h2_pair.h"

#include <stdio.h>

#define STEPS 6000

static unsigned pick(struct pair *p, unsigned n)
{
    return (unsigned)rand_r(&p->seed) % n;
}

static uint8_t octet(uint32_t id, enum h2_role from, size_t at)
{
    return (uint8_t)(id * 31 + (unsigned)from * 97 + at * 7 + (at >> 8));
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
    bool promise = id % 2 == 0 && role == H2_CLIENT; /* the request that a server makes for it */
    if (promise) {
        fields[n++] = (struct h2_field){":method", "GET", 7, 3, H2_TOKEN_NONE, 0};
    } else if (!trailers && role == H2_CLIENT) {
        fields[n++] = (struct h2_field){":method", "PUT", 7, 3, H2_TOKEN_NONE, 0};
    }
    if (!trailers && role == H2_CLIENT) {
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
    sprintf(id, "%u", ev->type == H2_EVENT_PUSH ? ev->promised_id : ev->stream_id);
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

/* The end of a stream is told right behind the event that had it, unless it is muted. */
static void check_ended(struct side *s, const struct h2_event *ev)
{
    if (ev->type == H2_EVENT_STREAM_ENDED) {
        assert_true(ev->stream_id != 0 && s->ended == ev->stream_id);
        s->ended = 0;
    }
    assert_int_equal(s->ended, 0);
    if (ev->end_stream && (s->mute & H2_MUTE(H2_EVENT_STREAM_ENDED)) == 0) {
        s->ended = ev->stream_id;
    }
}

static void on_push(struct pair *p, struct side *s, const struct h2_event *ev)
{
    struct end *e = pair_end(s, ev->promised_id);
    assert_false(e->known);
    check_fields(ev);
    e->known = e->head_sent = e->tx_ended = true;
    e->user = e;
    h2_stream_set_user(s->c, ev->promised_id, e);
    p->pushed++;
}

static void on_event(struct pair *p, enum h2_role role, const struct h2_event *ev)
{
    struct side *s = &p->side[role];
    bool on_stream = ev->stream_id != 0 && ev->type != H2_EVENT_UNKNOWN_FRAME &&
                     ev->type != H2_EVENT_PRIORITY && ev->type != H2_EVENT_PRIORITY_UPDATE;
    struct end *e = on_stream ? pair_end(s, ev->stream_id) : NULL;
    if (e != NULL) {
        assert_ptr_equal(ev->user, e->user);
    }
    check_ended(s, ev);
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        assert_int_equal(role, H2_SERVER);
        assert_false(e->known);
        e->known = e->rx_head = true;
        check_fields(ev);
        if (pick(p, 4) > 0) {
            e->user = e;
            h2_stream_set_user(s->c, ev->stream_id, e);
        }
        break;
    case H2_EVENT_PUSH:
        assert_int_equal(role, H2_CLIENT);
        on_push(p, s, ev);
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
        assert_true(ev->by_peer || ev->code == H2_REFUSED_STREAM ||
                    (ev->stream_id % 2 == 0 && ev->code == H2_CANCEL)); /* a promise too late */
        if (e->known) {
            assert_false(e->gone || (e->rx_ended && e->tx_ended));
        }
        e->gone = true;
        e->user = NULL;
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
        const struct end *other = pair_end(&p->side[1 - role], ev->stream_id);
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

/* All body bytes are out, perhaps with END_STREAM. */
static void after_body(struct pair *p, enum h2_role role, uint32_t id, struct end *e, bool ended)
{
    e->tx_ended = ended;
    if (!ended) {
        h2_stream_set_ready(p->side[role].c, id, false);
        finish_body(p, role, id, e);
    }
}

/* Copies some of a body into the output, if it fits: the engine must say so itself. */
static void send_copied(struct pair *p, enum h2_role role, uint32_t id)
{
    static uint8_t body[40000];
    struct side *s = &p->side[role];
    struct end *e = pair_end(s, id);
    size_t left = e->body - e->sent;
    if (!e->head_sent || e->tx_ended || e->gone || left == 0) {
        return;
    }
    size_t n = pick(p, pick(p, 4) == 0 ? 20000 : 50);
    n = n < left ? n : left;
    int pad = pick(p, 2) == 0 ? H2_NO_PADDING : (int)pick(p, 256);
    size_t flow = n + (pad == H2_NO_PADDING ? 0 : 1 + (size_t)pad);
    bool last = n == left && !e->trailers;
    for (size_t i = 0; i < n; i++) {
        body[i] = octet(id, role, e->sent + i);
    }
    uint32_t window = h2_conn_send_window(s->c, id);
    uint32_t frame = h2_conn_peer_setting(s->c, H2_SETTINGS_MAX_FRAME_SIZE);
    enum h2_error want = flow > frame    ? H2_ERR_FRAME_SIZE
                         : flow > window ? H2_ERR_FLOW_CONTROL
                                         : H2_OK;
    assert_int_equal(h2_conn_send_data(s->c, id, body, n, pad, last), want);
    if (want != H2_OK) {
        return;
    }
    e->sent += n;
    if (n == left) {
        after_body(p, role, id, e, last);
    }
}

static void send_body(struct pair *p, enum h2_role role)
{
    struct side *s = &p->side[role];
    static uint8_t body[40000];
    size_t limit;
    uint8_t header[10];
    flush(p, s);
    uint32_t id = h2_conn_next_writable(s->c, &limit, NULL);
    if (id == 0) {
        return;
    }
    struct end *e = pair_end(s, id);
    size_t left = e->body - e->sent;
    assert_true(left > 0 && !e->tx_ended && !e->gone);
    size_t n = 1 + pick(p, 20000);
    n = n < left ? n : left;
    n = n < limit ? n : limit;
    bool last = n == left && !e->trailers && pick(p, 2) == 0;
    uint8_t pad = (uint8_t)pick(p, 256);
    bool padded = pick(p, 3) == 0 && n + 1 + pad <= limit;
    if (padded) {
        h2_conn_padded_data_frame(s->c, id, n, pad, last, header);
    } else {
        h2_conn_data_frame(s->c, id, n, last, header);
    }
    for (size_t i = 0; i < n; i++) {
        body[i] = octet(id, role, e->sent + i);
    }
    memset(body + n, 0, 256);
    put_wire(s, header, padded ? 10 : 9);
    put_wire(s, body, n + (padded ? pad : 0));
    e->sent += n;
    if (n == left) {
        after_body(p, role, id, e, last);
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
    if (p->quiet || (p->last_id != UINT32_MAX && id >= MOST_IDS) || !h2_conn_can_request(s->c)) {
        return;
    }
    assert_int_equal(h2_conn_next_stream_id(s->c), id);
    bool ended = pick(p, 2) == 0;
    size_t n = make_fields(p, H2_CLIENT, id, false, fields, room);
    struct end *e = pair_end(s, id);
    struct h2_priority priority = {id - 1, (uint16_t)(1 + pick(p, 256)), pick(p, 2) == 0};
    e->user = pick(p, 4) > 0 ? e : NULL;
    e->known = true;
    assert_int_equal(h2_conn_request_with_priority(
                         s->c, fields, n, ended, pick(p, 4) == 0 ? &priority : NULL, e->user, &id),
                     H2_OK);
    assert_int_equal(id, p->last_id + 2);
    p->last_id = id;
    plan(p, s, id, e, ended);
}

static void respond(struct pair *p, uint32_t id)
{
    struct side *s = &p->side[H2_SERVER];
    struct end *e = pair_end(s, id);
    struct h2_field fields[16];
    static char room[65536];
    if (!e->known || e->head_sent || e->gone) {
        return;
    }
    if (pick(p, 5) == 0) {
        struct h2_field early = {":status", "103", 7, 3, H2_TOKEN_NONE, 0};
        enum h2_error error = h2_conn_respond(s->c, id, &early, 1, false);
        assert_true(error == H2_OK || (id % 2 == 0 && error == H2_ERR_STREAM_LIMIT));
        return;
    }
    bool ended = pick(p, 3) == 0;
    size_t n = make_fields(p, H2_SERVER, id, false, fields, room);
    enum h2_error error = h2_conn_respond(s->c, id, fields, n, ended);
    if (id % 2 == 0 && error == H2_ERR_STREAM_LIMIT) {
        return; /* a promise waits for its turn */
    }
    assert_int_equal(error, H2_OK);
    plan(p, s, id, e, ended);
}

static void push(struct pair *p, uint32_t on)
{
    struct side *s = &p->side[H2_SERVER];
    const struct end *parent = pair_end(s, on);
    struct h2_field fields[16];
    static char room[65536];
    uint32_t id = h2_conn_next_stream_id(s->c);
    if (p->quiet || id >= MOST_IDS || !parent->known || parent->gone || parent->tx_ended) {
        return;
    }
    size_t n = make_fields(p, H2_CLIENT, id, false, fields, room);
    struct end *e = pair_end(s, id);
    enum h2_error error = h2_conn_push(s->c, on, fields, n, e, &id);
    if (s->c->state != H2_CONN_SETTINGS && s->c->state != H2_CONN_OPEN) { /* GOAWAY of either */
        assert_int_equal(error, H2_ERR_GOAWAY);
        return;
    }
    if (h2_conn_peer_setting(s->c, H2_SETTINGS_ENABLE_PUSH) == 0) {
        assert_int_equal(error, H2_ERR_UNSUPPORTED);
        return;
    }
    assert_int_equal(error, H2_OK);
    p->last_push = id;
    e->known = e->rx_head = e->rx_ended = true;
    e->user = e;
}

static void consume(struct pair *p, enum h2_role role, uint32_t id, bool all)
{
    struct end *e = pair_end(&p->side[role], id);
    if (e->held > 0) {
        uint32_t n = all ? e->held : 1 + pick(p, e->held);
        assert_int_equal(h2_conn_consume(p->side[role].c, id, n), H2_OK);
        e->held -= n;
    }
}

static void reset(struct pair *p, enum h2_role role, uint32_t id)
{
    struct end *e = pair_end(&p->side[role], id);
    if (!e->known || e->gone || (e->rx_ended && e->tx_ended)) {
        return;
    }
    assert_int_equal(h2_conn_reset(p->side[role].c, id, H2_CANCEL), H2_OK);
    e->gone = true;
    e->user = NULL;
    if (p->side[role].ended == id) {
        p->side[role].ended = 0;
    }
}

/* ---------------------------------------------------------------- beside messages */

static void change_settings(struct pair *p, enum h2_role role)
{
    static const uint32_t windows[] = {0, 10, 1000, 65535, 1000000};
    static const uint32_t tables[] = {0, 33, 100, 4096, 65536};
    const struct h2_setting_value choices[] = {
        {H2_SETTINGS_INITIAL_WINDOW_SIZE, windows[pick(p, 5)]},
        {H2_SETTINGS_INITIAL_WINDOW_SIZE, windows[pick(p, 5)]},
        {H2_SETTINGS_HEADER_TABLE_SIZE, tables[pick(p, 5)]},
        {H2_SETTINGS_HEADER_TABLE_SIZE, tables[pick(p, 5)]},
        {H2_SETTINGS_MAX_FRAME_SIZE, 16384 + pick(p, 10000)},
        {H2_SETTINGS_MAX_CONCURRENT_STREAMS, 1 + pick(p, 50)},
        {0xf000, pick(p, 1000)},
        {H2_SETTINGS_ENABLE_PUSH, pick(p, 2)}, /* of a client */
    };
    struct h2_setting_value values[4];
    size_t n = pick(p, 4);
    for (size_t i = 0; i < n; i++) {
        values[i] = choices[pick(p, role == H2_CLIENT ? 8 : 7)];
    }
    assert_int_equal(h2_conn_update_settings(p->side[role].c, values, n), H2_OK);
}

static void open_window(struct pair *p, enum h2_role role, uint32_t id)
{
    struct h2_conn *c = p->side[role].c;
    uint32_t n = 1 + pick(p, 30000);
    if (pick(p, 3) == 0) {
        assert_int_equal(h2_conn_update_window(c, 0, n), H2_OK);
        return;
    }
    enum h2_stream_state state = h2_conn_stream_state(c, id);
    enum h2_error want = state < H2_STATE_RESERVED_LOCAL        ? H2_ERR_NO_STREAM
                         : state == H2_STATE_RESERVED_LOCAL     ? H2_ERR_STREAM_STATE
                         : state <= H2_STATE_HALF_CLOSED_REMOTE ? H2_OK
                                                                : H2_ERR_STREAM_CLOSED;
    assert_int_equal(h2_conn_update_window(c, id, n), want);
}

static void announce(struct pair *p, enum h2_role role, uint32_t id)
{
    struct h2_conn *c = p->side[role].c;
    static const char *const origins[] = {"https://a", "https://b"};
    static const char *const priorities[] = {"", "u=0", "u=7, i", "i"};
    struct h2_priority priority = {pick(p, 2), 16, false};
    const char *text = priorities[pick(p, 4)];
    switch (pick(p, 5)) {
    case 0:
        assert_int_equal(h2_conn_ping(c, (const uint8_t *)"pingping"), H2_OK);
        break;
    case 1:
        assert_int_equal(h2_conn_extension_frame(c, (uint8_t)(0xb0 + pick(p, 10)),
                                                 (uint8_t)pick(p, 256), pick(p, 100), origins,
                                                 pick(p, sizeof(origins))),
                         H2_OK);
        break;
    case 2:
        assert_int_equal(h2_conn_priority(c, id + 2, &priority),
                         role == H2_SERVER ? H2_ERR_UNWISE : H2_OK);
        break;
    case 3:
        if (role == H2_SERVER) {
            assert_int_equal(h2_conn_origin(c, origins, pick(p, 3)), H2_OK);
        } else if (h2_conn_stream_state(c, id) != H2_STATE_IDLE_PUSHED) {
            assert_int_equal(h2_conn_priority_update(c, id, text, strlen(text)), H2_OK);
        }
        break;
    default:
        if (role == H2_SERVER && pick(p, 2) == 0) {
            assert_int_equal(h2_conn_altsvc(c, 0, "https://a", 9, "clear", 5), H2_OK);
        } else if (role == H2_SERVER) {
            const struct end *e = pair_end(&p->side[role], id);
            bool can = e->known && !e->gone && !e->tx_ended && id % 2 == 1;
            assert_int_equal(h2_conn_altsvc(c, id, NULL, 0, "clear", 5) == H2_OK, can);
        }
        break;
    }
}

static uint32_t some_stream(struct pair *p)
{
    uint32_t last = p->last_id;
    if (p->last_push > 0 && pick(p, 3) == 0) {
        return p->last_push - 2 * pick(p, p->last_push / 2 < 6 ? p->last_push / 2 : 6);
    }
    if (last == UINT32_MAX) {
        return 1;
    }
    return (last / 2 - pick(p, last / 2 < 12 ? last / 2 + 1 : 12)) * 2 + 1;
}

static void step(struct pair *p)
{
    enum h2_role role = pick(p, 2);
    uint32_t id = some_stream(p);
    switch (pick(p, 16)) {
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
        if (pick(p, 10) == 0) {
            announce(p, role, id);
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
    case 10:
        send_copied(p, role, id);
        break;
    case 11:
        if (pick(p, 30) == 0) {
            change_settings(p, role);
        } else if (pick(p, 10) == 0) {
            open_window(p, role, id);
        }
        break;
    case 12:
        if (id % 2 == 1) {
            push(p, id);
        }
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
        opts.limits.control_burst = UINT32_MAX; /* small windows look like dribble */
        opts.limits.empty_burst = UINT32_MAX;   /* padding alone */
        opts.limits.error_burst = UINT32_MAX;   /* promises of streams that were reset */
        opts.enable_push = pick(p, 4) > 0;
        opts.mute = p->side[role].mute = pick(p, 2) == 0 ? (unsigned)rand_r(&p->seed) : 0;
        opts.trace = pair_trace;
        opts.trace_ctx = &p->side[role];
        p->side[role].other = &p->side[1 - role];
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

/* Nothing is on its way any more, in either direction. */
static void hush(struct pair *p)
{
    bool idle;
    do {
        idle = true;
        for (int role = 0; role < 2; role++) {
            flush(p, &p->side[role]);
            idle = idle && p->side[role].wire_len == 0;
            deliver(p, 1 - role, 1000000);
        }
    } while (!idle || h2_conn_wants_send(p->side[0].c) || h2_conn_wants_send(p->side[1].c) ||
             p->side[0].wire_len + p->side[1].wire_len > 0);
}

/* A window that was set to 0 opens for good. */
static void enough_window(struct pair *p, enum h2_role role, uint32_t id)
{
    struct h2_conn *c = p->side[role].c;
    enum h2_stream_state state = h2_conn_stream_state(c, id);
    if ((state == H2_STATE_OPEN || state == H2_STATE_HALF_CLOSED_LOCAL) &&
        h2_stream_find(c, id)->rx.left < 1000) {
        assert_int_equal(h2_conn_update_window(c, id, 100000), H2_OK);
    }
}

static void settle(struct pair *p)
{
    p->quiet = true;
    for (int round = 0; round < 200000; round++) {
        bool idle = true;
        for (int role = 0; role < 2; role++) {
            for (uint32_t id = 1; id < MOST_IDS; id++) {
                respond(p, id);
                consume(p, role, id, true);
                enough_window(p, role, id);
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
            const struct end *e = &p->side[role].ends[s->id];
            print_error("stream %u %s, tx %d, rx %d + %u + %u, sent %zu of %zu, got %zu\n", s->id,
                        h2_stream_state_name(s->state), s->tx_window, s->rx.left, s->rx.held,
                        s->rx.owed, e->sent, e->body, e->got);
        }
    }
    fail_msg("streams stay open (seed %u)", p->first_seed);
}

static unsigned live(unsigned seed, unsigned *pushed)
{
    struct pair *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->seed = p->first_seed = seed;
    start(p);
    for (int i = 0; i < STEPS; i++) {
        step(p);
        if (i % 500 == 499) {
            hush(p);
            pair_agrees(p);
        }
        if (seed % 7 == 3 && i == STEPS / 2) {
            assert_int_equal(h2_conn_shutdown(p->side[H2_CLIENT].c), H2_OK);
        }
        if (seed % 5 == 0 && i == STEPS / 2) {
            assert_int_equal(h2_conn_shutdown_notice(p->side[H2_SERVER].c), H2_OK);
        }
        if (seed % 5 == 0 && i == STEPS * 2 / 3) {
            assert_int_equal(h2_conn_shutdown(p->side[H2_SERVER].c), H2_OK);
        }
    }
    settle(p);
    pair_is_done(p);
    *pushed += p->pushed;
    unsigned answered = p->answered;
    for (int role = 0; role < 2; role++) {
        h2_conn_free(p->side[role].c);
        free(p->side[role].wire);
        free(p->side[role].sent);
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
    unsigned pushed = 0;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        answered += live(seed, &pushed);
    }
    print_message("%u requests answered, %u promises taken\n", answered, pushed);
    assert_true(answered > seeds * 20 && pushed > seeds * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_engines_understand_each_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
