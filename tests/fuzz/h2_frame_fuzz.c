/*
 * The frame parser, in both roles: however the octets are cut, the same is told, traced and
 * answered.
 *
 * Input: an octet of options, one for the pieces, then frames: type, flags, stream id, a length
 * (its highest bit: so many octets of zeros follow besides) and the payload. They are put behind a
 * preface and SETTINGS with headers that say what is there; only the last one may be cut off.
 */
#include "fuzz.h"

#include "h2_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ZEROS 17000u /* more than a frame may have; each is fed by itself once */

enum { OPTION_ACCEPT_ALL = 1, OPTION_AS_THEY_COME = 2, OPTION_EXTRA = 4, OPTION_SMALL = 8 };

struct run {
    struct h2_conn *c;
    uint64_t told;
    uint64_t traced;
    uint64_t data_flow; /* DATA runs together: how it is cut is not part of what is told */
    uint32_t data_stream;
    uint8_t *exact;
    size_t exact_len;
};

struct wire {
    uint8_t *p;
    size_t len;
    size_t cap;
};

static void mix(uint64_t *digest, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        *digest = (*digest ^ b[i]) * UINT64_C(0x100000001b3);
    }
}

static void mix_number(uint64_t *digest, uint64_t n)
{
    mix(digest, &n, sizeof(n));
}

static void mix_text(uint64_t *digest, const char *s)
{
    mix(digest, s != NULL ? s : "-", s != NULL ? strlen(s) + 1 : 1);
}

/* ---------------------------------------------------------------- what is told */

static void end_data(struct run *r)
{
    if (r->data_stream != 0) {
        mix_number(&r->told, r->data_flow);
        mix_number(&r->told, r->data_stream);
        r->data_stream = 0;
        r->data_flow = 0;
    }
}

static void on_data(struct run *r, const struct h2_event *ev)
{
    if (ev->stream_id != r->data_stream) {
        end_data(r);
    }
    r->data_stream = ev->stream_id;
    r->data_flow += ev->flow_len;
    mix(&r->told, ev->data, ev->len);
    if (ev->end_stream) {
        end_data(r);
        mix_number(&r->told, 1);
    }
}

static void on_event(struct run *r, const struct h2_event *ev)
{
    uint64_t *d = &r->told;
    if (ev->type == H2_EVENT_DATA) {
        on_data(r, ev);
        return;
    }
    end_data(r);
    const uint64_t numbers[] = {ev->type,
                                ev->stream_id,
                                ev->end_stream,
                                ev->by_peer,
                                ev->too_large,
                                ev->has_priority,
                                ev->incremental,
                                ev->urgency,
                                ev->status,
                                ev->code,
                                (uint64_t)ev->content_length,
                                ev->len,
                                ev->flow_len,
                                ev->last_stream_id,
                                ev->promised_id,
                                ev->increment,
                                ev->frame_type,
                                ev->frame_flags,
                                ev->priority.depends_on,
                                ev->priority.weight,
                                ev->priority.exclusive,
                                ev->nsettings,
                                ev->origin_len,
                                ev->fail.error,
                                ev->fail.code,
                                ev->fail.scope};
    mix(d, numbers, sizeof(numbers));
    mix_text(d, ev->fail.why);
    mix(d, ev->opaque, sizeof(ev->opaque));
    mix(d, ev->data, ev->len);
    mix(d, ev->origin, ev->origin_len);
    for (size_t i = 0; i < ev->nfields; i++) {
        const struct h2_field *f = &ev->fields[i];
        mix_number(d, (uint64_t)f->name_len << 32 | f->value_len);
        mix_number(d, (uint64_t)f->token << 8 | f->flags);
        mix(d, f->name, f->name_len);
        mix(d, f->value, f->value_len);
    }
    for (size_t i = 0; i < ev->nsettings; i++) {
        mix_number(d, (uint64_t)ev->settings[i].id << 32 | ev->settings[i].before);
        mix_number(d, ev->settings[i].after);
    }
    if (ev->type == H2_EVENT_ORIGIN) {
        const uint8_t *p = ev->data;
        size_t left = ev->len;
        const char *origin;
        size_t len;
        while (h2_origin_next(&p, &left, &origin, &len)) {
            mix(d, origin, len);
        }
        assert(left == 0);
    }
}

static void on_trace(void *ctx, const struct h2_trace *t)
{
    uint64_t *d = ctx;
    const uint64_t numbers[] = {t->kind, t->stream_id, t->type, t->flags, t->length};
    mix(d, numbers, sizeof(numbers));
    mix_number(d, t->payload != NULL);
    mix(d, t->payload, t->payload != NULL ? t->length : 0);
    mix_text(d, t->from);
    mix_text(d, t->to);
}

/* ---------------------------------------------------------------- a run */

static void feed(struct run *r, const uint8_t *data, size_t n)
{
    struct h2_event ev;
    if (r->exact_len != n) { /* of exactly this size, so that a sanitizer sees a step past it */
        free(r->exact);
        r->exact = malloc(n);
        r->exact_len = n;
        assert(r->exact != NULL);
    }
    memcpy(r->exact, data, n);
    h2_conn_feed(r->c, r->exact, n);
    while (h2_conn_next_event(r->c, 0, &ev)) {
        on_event(r, &ev);
    }
    assert(h2_conn_unread(r->c) == 0);
}

static void make_requests(struct h2_conn *c)
{
    static const struct h2_field get[] = {{":method", "GET", 7, 3, H2_TOKEN_NONE, 0},
                                          {":scheme", "https", 7, 5, H2_TOKEN_NONE, 0},
                                          {":path", "/", 5, 1, H2_TOKEN_NONE, 0},
                                          {":authority", "a", 10, 1, H2_TOKEN_NONE, 0}};
    for (int i = 0; i < 6; i++) {
        uint32_t id;
        enum h2_error error = h2_conn_request(c, get, 4, i % 2 == 0, NULL, &id);
        assert(error == H2_OK && id == 1u + 2u * (unsigned)i);
    }
}

/* piece 0: at once; above 127: in pieces of all sizes. */
static uint64_t run(enum h2_role role, unsigned options, const struct wire *w, unsigned piece)
{
    struct run r = {0};
    struct h2_options opts;
    h2_options_init(&opts);
    opts.validate_received = (options & OPTION_ACCEPT_ALL) == 0;
    opts.normalize_received = (options & OPTION_AS_THEY_COME) == 0;
    opts.enable_push = opts.enable_connect_protocol = (options & OPTION_EXTRA) != 0;
    if ((options & OPTION_SMALL) != 0) {
        opts.limits.header_list_bytes = 300;
        opts.limits.header_fields = 6;
        opts.limits.cookie_crumbs = 2;
        opts.limits.header_block_bytes = 200;
        opts.limits.continuation_frames = 3;
        opts.limits.closed_streams = 3;
        opts.limits.control_burst = 20;
        opts.limits.empty_burst = 3;
        opts.limits.queued_replies = 8;
        opts.max_concurrent_streams = 3;
        opts.initial_window_size = 100;
    }
    opts.trace = on_trace;
    opts.trace_ctx = &r.traced;
    r.c = h2_conn_new(role, &opts);
    assert(r.c != NULL);
    if (role == H2_CLIENT) {
        make_requests(r.c);
    }
    unsigned seed = piece;
    for (size_t at = role == H2_SERVER ? 0 : H2_PREFACE_LEN; at < w->len;) {
        size_t n = piece == 0 ? w->len : piece;
        if (piece > 127) {
            seed = seed * 1103515245u + 12345u;
            n = 1 + (seed >> 16) % (seed % 3 == 0 ? 400 : 12);
        }
        n = w->len - at < n ? w->len - at : n;
        feed(&r, w->p + at, n);
        at += n;
    }
    end_data(&r);
    mix_number(&r.told, r.traced);
    uint8_t out[1000];
    for (size_t n = 1; n > 0;) {
        n = h2_conn_send(r.c, out, sizeof(out));
        mix(&r.told, out, n);
    }
    h2_conn_free(r.c);
    free(r.exact);
    return r.told;
}

/* ---------------------------------------------------------------- the input */

static void append(struct wire *w, const void *p, size_t n)
{
    if (w->cap - w->len < n) {
        w->cap = (w->len + n) * 2;
        w->p = realloc(w->p, w->cap);
        assert(w->p != NULL);
    }
    if (p == NULL) {
        memset(w->p + w->len, 0, n);
    } else {
        memcpy(w->p + w->len, p, n);
    }
    w->len += n;
}

static void frames(struct wire *w, const uint8_t *in, size_t size)
{
    uint32_t zeros = 0;
    while (size >= 4 && zeros < MOST_ZEROS) {
        uint32_t extra = (in[3] & 0x80) != 0 ? (in[3] & 0x7fu) * 160u : 0;
        extra = extra > MOST_ZEROS - zeros ? 0 : extra;
        uint32_t len = extra > 0 ? 2 : in[3];
        uint32_t id = in[2] < 0xf8 ? in[2] % 32 : 0x7ffffff8u | in[2];
        uint32_t whole = len + extra;
        uint8_t header[H2_FRAME_HEADER_LEN] = {(uint8_t)(whole >> 16), (uint8_t)(whole >> 8),
                                               (uint8_t)whole, in[0], in[1]};
        h2_put32(header + 5, id);
        append(w, header, sizeof(header));
        in += 4;
        size -= 4;
        size_t n = size < len ? size : len;
        append(w, in, n);
        in += n;
        size -= n;
        if (n == len && extra > 0) {
            append(w, NULL, extra);
            zeros += extra;
        }
    }
    append(w, in, size); /* the beginning of a header */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0};
    struct wire w = {0};
    if (size < 2) {
        return 0;
    }
    append(&w, H2_PREFACE, H2_PREFACE_LEN);
    append(&w, settings, sizeof(settings));
    frames(&w, data + 2, size - 2);
    for (unsigned role = 0; role < 2; role++) {
        enum h2_role side = role == 0 ? H2_SERVER : H2_CLIENT;
        uint64_t whole = run(side, data[0], &w, 0);
        assert(run(side, data[0], &w, 1) == whole);
        assert(run(side, data[0], &w, 128u + data[1]) == whole);
    }
    free(w.p);
    return 0;
}
