/*
 * A connection of either role: whatever its peer sends, the events keep to their order, windows add
 * up, nothing follows a failure, nothing leaks, and how the bytes are cut changes nothing.
 *
 * Input: an octet that chooses role, options and the caller's habits; the rest is what the peer
 * sends, behind a preface and SETTINGS that are put before it.
 */
#include "fuzz.h"

#include "h2_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS 64 /* ids above are not followed */

enum habit { HABIT_CLIENT = 1, HABIT_SMALL = 2, HABIT_RESET = 4, HABIT_BODY = 8, HABIT_KEEP = 16 };

/* What was told of a stream, as bits. */
enum told { HEAD = 1, ENDED = 2, GONE = 4 };

struct run {
    struct h2_conn *c;
    unsigned habits;
    uint8_t told[STREAMS];
    uint64_t digest; /* of all that was told */
    uint64_t held;   /* handed over, not given back */
    bool failed;
};

static void mix(struct run *r, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        r->digest = (r->digest ^ b[i]) * UINT64_C(0x100000001b3);
    }
}

static void mix_number(struct run *r, uint64_t n)
{
    mix(r, &n, sizeof(n));
}

static struct h2_field field(const char *name, const char *value)
{
    return (struct h2_field){.name = name,
                             .name_len = (uint32_t)strlen(name),
                             .value = value,
                             .value_len = (uint32_t)strlen(value)};
}

static void answer(struct run *r, uint32_t id)
{
    if ((r->habits & HABIT_RESET) != 0 && id % 4 == 1) {
        h2_conn_reset(r->c, id, H2_CANCEL);
        if (id / 2 < STREAMS) {
            r->told[id / 2] |= GONE;
        }
        return;
    }
    struct h2_field fields[] = {field(":status", "200"), field("server", "x")};
    bool body = (r->habits & HABIT_BODY) != 0;
    enum h2_error rc = h2_conn_respond(r->c, id, fields, 2, !body);
    assert(rc == H2_OK);
    h2_stream_set_ready(r->c, id, body);
}

static void check_fields(struct run *r, const struct h2_event *ev)
{
    bool regular = false;
    assert(ev->nfields <= r->c->opts.limits.header_fields + r->c->opts.limits.cookie_crumbs + 5);
    for (size_t i = 0; i < ev->nfields; i++) {
        const struct h2_field *f = &ev->fields[i];
        assert(f->name_len > 0);
        bool pseudo = f->name[0] == ':';
        assert(!pseudo || !regular);
        regular = regular || !pseudo;
        for (uint32_t k = 0; k < f->name_len; k++) {
            assert(f->name[k] > ' ' && f->name[k] < 127 &&
                   !(f->name[k] >= 'A' && f->name[k] <= 'Z'));
        }
        for (uint32_t k = 0; k < f->value_len; k++) {
            assert(f->value[k] != '\r' && f->value[k] != '\n' && f->value[k] != '\0');
        }
        mix(r, f->name, f->name_len);
        mix(r, f->value, f->value_len);
    }
}

static void check_order(struct run *r, const struct h2_event *ev)
{
    if (ev->stream_id == 0 || ev->stream_id / 2 >= STREAMS) {
        return;
    }
    uint8_t *told = &r->told[ev->stream_id / 2];
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        assert(*told == 0);
        *told |= HEAD;
        break;
    case H2_EVENT_INFORMATIONAL:
        assert((*told & (HEAD | ENDED | GONE)) == 0 && !ev->end_stream);
        break;
    case H2_EVENT_RESPONSE:
        assert((*told & (HEAD | ENDED | GONE)) == 0);
        *told |= HEAD;
        break;
    case H2_EVENT_DATA:
    case H2_EVENT_TRAILERS:
        assert((*told & (HEAD | ENDED | GONE)) == HEAD);
        assert(ev->type == H2_EVENT_DATA || ev->end_stream);
        break;
    case H2_EVENT_RESET:
        *told |= GONE;
        break;
    default:
        break;
    }
    if (ev->end_stream) {
        *told |= ENDED;
    }
}

static void on_event(struct run *r, const struct h2_event *ev)
{
    assert(!r->failed);
    check_order(r, ev);
    if (ev->type == H2_EVENT_DATA) { /* how it is cut is not part of what was told */
        for (size_t i = 0; i < ev->len; i++) {
            uint32_t id = ev->stream_id;
            mix(r, &ev->data[i], 1);
            mix(r, &id, sizeof(id));
        }
        r->digest ^= ev->end_stream;
        if ((r->habits & HABIT_KEEP) != 0) {
            r->held += ev->flow_len;
        } else {
            h2_conn_consume(r->c, ev->stream_id, ev->flow_len);
        }
        return;
    }
    mix_number(r, ev->type);
    mix_number(r, ev->stream_id);
    mix_number(r, ev->code);
    mix_number(r, ev->end_stream);
    check_fields(r, ev);
    if (ev->type == H2_EVENT_REQUEST) {
        answer(r, ev->stream_id);
    } else if (ev->type == H2_EVENT_FAILED) {
        assert(ev->fail.scope == H2_SCOPE_CONN && ev->fail.why != NULL);
        r->failed = true;
    }
}

static void check_windows(const struct run *r)
{
    const struct h2_conn *c = r->c;
    uint64_t in_frame = c->rx_window.held - (r->failed ? 0 : r->held);
    assert(r->failed || c->rx_window.held >= r->held);
    assert(r->failed || in_frame <= c->opts.max_frame_size); /* of the frame being received */
    assert((int64_t)c->rx_window.left + c->rx_window.held + c->rx_window.owed ==
           (int64_t)c->opts.connection_window_size);
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        assert((int64_t)s->rx.left + s->rx.held + s->rx.owed ==
                   (int64_t)c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE] ||
               s->state == H2_STATE_HALF_CLOSED_REMOTE);
        assert(h2_state_is_live(s->state));
    }
    assert(c->rx.cap <= c->opts.max_frame_size + c->opts.limits.header_block_bytes);
    assert(c->map.count <= c->opts.max_concurrent_streams);
}

static void send_all(struct run *r)
{
    uint8_t buf[1000];
    uint8_t header[H2_FRAME_HEADER_LEN];
    size_t limit;
    uint32_t id;
    while (h2_conn_send(r->c, buf, sizeof(buf)) > 0) {
    }
    while ((id = h2_conn_next_writable(r->c, &limit, NULL)) != 0) {
        size_t n = limit < 3000 ? limit : 3000;
        h2_conn_data_frame(r->c, id, n, id % 8 == 3, header);
        if (id % 8 != 3) {
            h2_stream_set_ready(r->c, id, false);
        }
    }
}

static void feed(struct run *r, const uint8_t *data, size_t size, size_t piece)
{
    struct h2_event ev;
    while (size > 0) {
        size_t n = size < piece ? size : piece;
        uint8_t *exact = malloc(n);
        assert(exact != NULL);
        memcpy(exact, data, n);
        h2_conn_feed(r->c, exact, n);
        while (h2_conn_next_event(r->c, 7, &ev)) {
            on_event(r, &ev);
        }
        assert(h2_conn_unread(r->c) == 0);
        check_windows(r);
        free(exact);
        data += n;
        size -= n;
    }
}

static void make_requests(struct run *r)
{
    for (int i = 0; i < 6; i++) {
        struct h2_field fields[] = {field(":method", i == 2 ? "HEAD" : "GET"),
                                    field(":scheme", "https"), field(":path", "/"),
                                    field(":authority", "a")};
        uint32_t id;
        enum h2_error rc = h2_conn_request(r->c, fields, 4, i % 2 == 0, NULL, &id);
        assert(rc == H2_OK);
        h2_stream_set_ready(r->c, id, i % 2 != 0 && (r->habits & HABIT_BODY) != 0);
    }
}

static uint64_t run(const uint8_t *data, size_t size, unsigned habits, size_t piece)
{
    struct run r = {.habits = habits};
    struct h2_options opts;
    h2_options_init(&opts);
    /* Output is taken when the caller likes, which must not be part of what is compared. */
    opts.limits.queued_replies = UINT32_MAX;
    opts.limits.output_bytes = UINT32_MAX;
    if ((habits & HABIT_SMALL) != 0) {
        opts.limits.header_list_bytes = 300;
        opts.limits.header_fields = 6;
        opts.limits.cookie_crumbs = 2;
        opts.limits.header_block_bytes = 200;
        opts.limits.continuation_frames = 3;
        opts.limits.closed_streams = 3;
        opts.limits.control_burst = 20;
        opts.limits.reset_burst = 10;
        opts.max_concurrent_streams = 6;
        opts.initial_window_size = 100;
        opts.enable_connect_protocol = true;
    }
    enum h2_role role = (habits & HABIT_CLIENT) != 0 ? H2_CLIENT : H2_SERVER;
    r.c = h2_conn_new(role, &opts);
    assert(r.c != NULL);
    if (role == H2_CLIENT) {
        make_requests(&r);
    } else {
        feed(&r, (const uint8_t *)H2_PREFACE, H2_PREFACE_LEN, H2_PREFACE_LEN);
    }
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0};
    feed(&r, settings, sizeof(settings), sizeof(settings));
    if (piece >= size) {
        feed(&r, data, size, size + 1);
        send_all(&r);
    } else {
        for (size_t at = 0; at < size; at += piece) {
            feed(&r, data + at, size - at < piece ? size - at : piece, piece);
            send_all(&r);
        }
    }
    h2_conn_free(r.c);
    return r.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned habits = data[0];
    /* Bodies end streams when output is taken, and windows open when DATA is; only where the caller
       does neither is the cut of no account. */
    bool same = (habits & HABIT_BODY) == 0 && (habits & HABIT_KEEP) != 0;
    uint64_t whole = run(data + 1, size - 1, habits, SIZE_MAX);
    uint64_t bytes = run(data + 1, size - 1, habits, 1);
    uint64_t some = run(data + 1, size - 1, habits, 23);
    if (same) {
        assert(whole == bytes && whole == some);
    }
    return 0;
}
