/* Bodies through HTTP/2: two engines in memory, with exchanges on one side of them. */
#include "exchange/h2_body.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STREAMS 3

struct stream {
    struct exchange *x;
    struct told told;
    uint32_t id;
    size_t put, len;       /* what was and is to be put into the pipe */
    size_t got;            /* what the peer was told */
    unsigned sent, frames; /* how often the end was told to the exchange's owner */
    size_t smallest;       /* DATA frame but the last one */
    bool ended;            /* at the peer */
    char *trailers;
};

struct scene {
    struct rig rig;
    enum h2_body_side side;
    struct h2_conn *ours, *theirs;
    struct stream s[STREAMS];
    bool consume; /* the peer gives window back */
};

static struct scene *current; /* for sent(), which has an exchange only */

static struct pipe *pipe_of(const struct scene *c, struct stream *s)
{
    return c->side == H2_BODY_REQUESTS ? &s->x->up : &s->x->down;
}

static struct message *message_of(const struct scene *c, struct stream *s)
{
    return c->side == H2_BODY_REQUESTS ? &s->x->request.m : &s->x->response.m;
}

static void on_sent(struct exchange *x)
{
    for (size_t i = 0; i < STREAMS; i++) {
        if (current->s[i].x == x) {
            current->s[i].sent++;
            return;
        }
    }
    fail();
}

static struct stream *stream_of(struct scene *c, uint32_t id)
{
    for (size_t i = 0; i < STREAMS; i++) {
        if (c->s[i].id == id) {
            return &c->s[i];
        }
    }
    fail();
    return NULL;
}

static uint8_t octet(uint32_t id, size_t at)
{
    return (uint8_t)(at * 11 + id);
}

static void take_event(struct scene *c, const struct h2_event *ev)
{
    if (ev->type == H2_EVENT_FAILED || ev->type == H2_EVENT_RESET) {
        fail_msg("%s", ev->fail.why != NULL ? ev->fail.why : "reset");
    }
    if (ev->stream_id == 0) {
        return;
    }
    struct stream *s = stream_of(c, ev->stream_id);
    if (ev->type == H2_EVENT_DATA) {
        for (size_t i = 0; i < ev->len; i++) {
            assert_int_equal(ev->data[i], octet(s->id, s->got++));
        }
        if (c->consume) {
            h2_conn_consume(c->theirs, s->id, ev->flow_len);
        }
    } else if (ev->type == H2_EVENT_TRAILERS) {
        s->trailers = testing_fields_text(ev->fields, ev->nfields);
    }
    s->ended = s->ended || ev->end_stream;
}

static void feed(struct scene *c, struct h2_conn *to, const uint8_t *data, size_t len)
{
    struct h2_event ev;
    h2_conn_feed(to, data, len);
    while (h2_conn_next_event(to, 1, &ev)) {
        if (to == c->theirs) {
            take_event(c, &ev);
        } else if (ev.type == H2_EVENT_FAILED) {
            fail_msg("%s", ev.fail.why);
        }
    }
    assert_int_equal(h2_conn_unread(to), 0);
}

/* What the peer has to say: acknowledgements, windows. */
static void hear(struct scene *c)
{
    uint8_t buf[4096];
    size_t n;
    while ((n = h2_conn_send(c->theirs, buf, sizeof(buf))) > 0) {
        feed(c, c->ours, buf, n);
    }
}

/* Frames in a piece of output: their sizes are looked at. */
static void look_at_frames(struct scene *c, const uint8_t *buf, size_t n)
{
    bool preface = n >= 24 && memcmp(buf, "PRI * ", 6) == 0;
    for (size_t at = preface ? 24 : 0; at + 9 <= n;) {
        size_t len = (size_t)buf[at] << 16 | (size_t)buf[at + 1] << 8 | buf[at + 2];
        assert_true(at + 9 + len <= n); /* a body frame is never cut */
        if (buf[at + 3] == 0 && len > 0) {
            struct stream *s = stream_of(c, buf[at + 8]);
            s->frames++;
            s->smallest = len < s->smallest ? len : s->smallest;
        }
        at += 9 + len;
    }
}

/* One output of this size. Returns its octets. */
static size_t output(struct scene *c, size_t cap)
{
    uint8_t *buf = malloc(cap);
    assert_non_null(buf);
    current = c;
    size_t n = h2_body_output(c->ours, c->side, buf, cap, on_sent);
    assert_true(n <= cap);
    feed(c, c->theirs, buf, n);
    look_at_frames(c, buf, n);
    free(buf);
    return n;
}

static struct h2_field field(const char *name, const char *value)
{
    return (struct h2_field){.name = name,
                             .name_len = (uint32_t)strlen(name),
                             .value = value,
                             .value_len = (uint32_t)strlen(value)};
}

static void open_streams(struct scene *c)
{
    const struct h2_field request[] = {field(":method", "POST"), field(":scheme", "http"),
                                       field(":authority", "a"), field(":path", "/")},
                          response[] = {field(":status", "200")};
    bool requests = c->side == H2_BODY_REQUESTS;
    struct h2_conn *client = requests ? c->ours : c->theirs,
                   *server = requests ? c->theirs : c->ours;
    for (size_t i = 0; i < STREAMS; i++) {
        struct stream *s = &c->s[i];
        s->smallest = SIZE_MAX;
        s->x = rig_exchange(&c->rig, &s->told);
        uint32_t id;
        assert_int_equal(
            h2_conn_request(client, request, 4, !requests, requests ? s->x : NULL, &id), H2_OK);
        s->id = id;
        *(requests ? &s->x->back_stream : &s->x->front_stream) = id;
    }
    hear(c);
    output(c, 65536);
    hear(c);
    for (size_t i = 0; i < STREAMS && !requests; i++) {
        h2_stream_set_user(server, c->s[i].id, c->s[i].x);
        assert_int_equal(h2_conn_respond(server, c->s[i].id, response, 1, false), H2_OK);
    }
    output(c, 65536);
}

static void scene_open(struct scene *c, enum h2_body_side side)
{
    *c = (struct scene){.side = side, .consume = true};
    struct h2_options o;
    h2_options_init(&o);
    rig_open(&c->rig, "");
    c->ours = h2_conn_new(side == H2_BODY_REQUESTS ? H2_CLIENT : H2_SERVER, &o);
    c->theirs = h2_conn_new(side == H2_BODY_REQUESTS ? H2_SERVER : H2_CLIENT, &o);
    assert_true(c->ours != NULL && c->theirs != NULL);
    /* Prefaces and settings both ways; a server says nothing before the client's. */
    if (side == H2_BODY_RESPONSES) {
        hear(c);
    }
    output(c, 65536);
    hear(c);
    output(c, 65536);
    open_streams(c);
}

static void scene_close(struct scene *c)
{
    h2_conn_free(c->ours);
    h2_conn_free(c->theirs);
    for (size_t i = 0; i < STREAMS; i++) {
        exchange_end(c->s[i].x, EXCHANGE_OK);
        free(c->s[i].trailers);
    }
    rig_turn(&c->rig);
    rig_close(&c->rig);
}

/* Puts up to n octets more into the pipe; at the end of the body says so. */
static void put(struct scene *c, struct stream *s, size_t n)
{
    struct pipe *p = pipe_of(c, s);
    while (n-- > 0 && s->put < s->len) {
        uint8_t b = octet(s->id, s->put++);
        pipe_write(p, &b, 1);
    }
    if (p->ended) {
        return;
    }
    p->ended = s->put == s->len;
    current = c;
    if (h2_body_update(c->ours, c->side, s->x)) {
        s->sent++; /* the caller's to note (h2_body.h) */
    }
}

static void bodies_arrive_whole_through_outputs_of_every_size(void **state)
{
    (void)state;
    static const size_t caps[] = {100, 1033, 1034, 5000, 65536}, puts[] = {500, 100000};
    for (int side = H2_BODY_REQUESTS; side <= H2_BODY_RESPONSES; side++) {
        for (size_t i = 0; i < COUNT(caps) * COUNT(puts); i++) {
            struct scene c;
            scene_open(&c, (enum h2_body_side)side);
            c.s[0].len = 9000;
            c.s[1].len = 1;
            c.s[2].len = 0;
            size_t cap = caps[i / COUNT(puts)], n = puts[i % COUNT(puts)], rounds = 0;
            size_t left = 1;
            while (left > 0) {
                left = 0;
                for (size_t j = 0; j < STREAMS; j++) {
                    /* A pipe that is kept short when buffers are, or no frame would fit. */
                    if (pipe_of(&c, &c.s[j])->len == 0) {
                        put(&c, &c.s[j], cap < 1033 ? 50 : n);
                    }
                }
                while (output(&c, cap) > 0) {
                }
                hear(&c);
                for (size_t j = 0; j < STREAMS; j++) {
                    left += !c.s[j].ended;
                }
                assert_true(++rounds < 1000);
            }
            for (size_t j = 0; j < STREAMS; j++) {
                struct stream *s = &c.s[j];
                assert_int_equal(s->got, s->len);
                assert_int_equal(s->sent, 1); /* once */
                assert_null(s->trailers);
                assert_int_equal(pipe_of(&c, s)->len, 0);
            }
            /* What left the pipe was told: to the front that fills it, or in the log's count. */
            if (side == H2_BODY_REQUESTS) {
                assert_int_equal(c.s[0].told.credit, 9000);
            } else {
                assert_int_equal(c.s[0].x->sent_bytes, 9000);
            }
            scene_close(&c);
        }
    }
}

static void trailers_end_the_body_and_only_those_that_may_pass(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *in, *out; /* out NULL: an ordinary end */
    } cases[] = {{10, "x-sum: 1\n", "x-sum: 1\n"},
                 {0, "x-sum: 1\nhost: b\n", "x-sum: 1\n"},
                 {10, "host: b\n", NULL},
                 {0, "content-length: 3\n", NULL}};
    for (int side = H2_BODY_REQUESTS; side <= H2_BODY_RESPONSES; side++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct scene c;
            scene_open(&c, (enum h2_body_side)side);
            struct stream *s = &c.s[1];
            s->len = cases[i].len;
            testing_trailers(s->x, message_of(&c, s), 20, cases[i].in);
            put(&c, s, 100);
            while (output(&c, 4096) > 0) {
            }
            assert_true(s->ended);
            assert_int_equal(s->sent, 1);
            assert_int_equal(s->got, cases[i].len);
            if (cases[i].out != NULL) {
                assert_non_null(s->trailers);
                assert_string_equal(s->trailers, cases[i].out);
            } else {
                assert_null(s->trailers);
            }
            scene_close(&c);
        }
    }
}

static void an_end_that_comes_after_the_bytes_is_told_by_update(void **state)
{
    (void)state;
    struct scene c;
    scene_open(&c, H2_BODY_RESPONSES);
    struct stream *s = &c.s[0];
    s->len = 20;
    put(&c, s, 10);
    while (output(&c, 4096) > 0) {
    }
    assert_int_equal(s->got, 10);
    assert_int_equal(s->sent, 0);
    assert_false(s->ended);
    s->len = 10; /* nothing more came */
    put(&c, s, 0);
    assert_int_equal(s->sent, 1);
    while (output(&c, 4096) > 0) {
    }
    assert_int_equal(s->sent, 1);
    assert_true(s->ended);
    scene_close(&c);
}

static void windows_hold_and_what_waits_goes_on_when_they_open(void **state)
{
    (void)state;
    struct scene c;
    scene_open(&c, H2_BODY_RESPONSES);
    c.consume = false;
    for (size_t i = 0; i < STREAMS; i++) {
        c.s[i].len = 100000;
        put(&c, &c.s[i], 100000);
    }
    while (output(&c, 16384) > 0) {
        hear(&c);
    }
    size_t total = 0;
    for (size_t i = 0; i < STREAMS; i++) {
        total += c.s[i].got;
        assert_int_equal(c.s[i].put - c.s[i].got, c.s[i].x->down.len);
    }
    assert_int_equal(total, 65535);        /* the connection's window */
    for (size_t i = 0; i < STREAMS; i++) { /* given back late, it goes on */
        h2_conn_consume(c.theirs, c.s[i].id, (uint32_t)c.s[i].got);
    }
    c.consume = true;
    hear(&c);
    while (output(&c, 16384) > 0) {
        hear(&c);
    }
    for (size_t i = 0; i < STREAMS; i++) {
        assert_int_equal(c.s[i].got, 100000);
        assert_true(c.s[i].ended && c.s[i].sent == 1);
    }
    scene_close(&c);
}

static void a_nearly_full_output_is_no_reason_for_small_frames(void **state)
{
    (void)state;
    struct scene c;
    scene_open(&c, H2_BODY_RESPONSES);
    c.s[0].len = 30000;
    put(&c, &c.s[0], 30000);
    for (size_t cap = 10; cap < 9 + 1024; cap += 97) {
        assert_int_equal(output(&c, cap), 0); /* better wait for more room */
    }
    while (output(&c, 1500) > 0) {
        hear(&c);
    }
    assert_int_equal(c.s[0].got, 30000);
    assert_int_equal(c.s[0].frames, (30000 + 1490) / 1491);
    /* But what is all there is goes as it is. */
    c.s[1].len = 3;
    put(&c, &c.s[1], 3);
    assert_int_equal(output(&c, 12), 12);
    assert_true(c.s[1].ended);
    scene_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_arrive_whole_through_outputs_of_every_size),
        cmocka_unit_test(trailers_end_the_body_and_only_those_that_may_pass),
        cmocka_unit_test(an_end_that_comes_after_the_bytes_is_told_by_update),
        cmocka_unit_test(windows_hold_and_what_waits_goes_on_when_they_open),
        cmocka_unit_test(a_nearly_full_output_is_no_reason_for_small_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
