/* Both ends on h2core: what is not acted on is muted, body bytes go straight behind their frame's
 * header. */
#include "conn_bench.h"

#include <stdlib.h>
#include <string.h>

struct end {
    struct app app;
    struct h2_conn *c;
    bool server;
};

/* ---------------------------------------------------------------- messages */

static void begin_requests(struct end *end)
{
    struct app *app = &end->app;
    while (app_may_begin(app)) {
        uint32_t len = app->work->request_body;
        unsigned i = app_next(app);
        struct exchange *x = app_take(app, len);
        uint32_t id;
        if (h2_conn_request(end->c, len > 0 ? post_requests[i] : get_requests[i], REQUEST_FIELDS,
                            len == 0, x, &id) != H2_OK) {
            die("our client cannot send a request");
        }
        if (len > 0) {
            h2_stream_set_ready(end->c, id, true);
        }
    }
}

static void respond(struct end *end, uint32_t id)
{
    struct app *app = &end->app;
    if (app->work->hold) {
        return;
    }
    unsigned i = app_next(app);
    bool small = app->work->response_body == SMALL_BODY;
    if (h2_conn_respond(end->c, id, small ? small_responses[i] : large_responses[i],
                        RESPONSE_FIELDS, false) != H2_OK) {
        die("our server cannot answer");
    }
    h2_stream_set_ready(end->c, id, true);
}

static void finish(struct app *app, struct exchange *x)
{
    app->done++;
    app_give(app, x);
}

static void look_at(struct app *app, const struct h2_event *ev, size_t expected)
{
    if (ev->nfields != expected) {
        die("a head without all of its fields");
    }
    for (size_t i = 0; i < ev->nfields; i++) {
        app->sum += ev->fields[i].value_len;
    }
}

/* The peer has said all. */
static void ended(struct end *end, uint32_t id, struct exchange *x)
{
    const struct scenario *work = end->app.work;
    if (x->received != (end->server ? work->request_body : work->response_body)) {
        die("a body of a wrong length");
    }
    if (end->server) {
        respond(end, id);
    } else {
        finish(&end->app, x);
    }
}

/* ---------------------------------------------------------------- bytes */

static void input(struct end *end, const uint8_t *p, size_t len)
{
    struct app *app = &end->app;
    struct h2_event ev;
    h2_conn_feed(end->c, p, len);
    while (h2_conn_next_event(end->c, 0, &ev)) {
        struct exchange *x = ev.user;
        switch (ev.type) {
        case H2_EVENT_REQUEST:
            look_at(app, &ev, REQUEST_FIELDS);
            x = app_take(app, app->work->response_body);
            h2_stream_set_user(end->c, ev.stream_id, x);
            break;
        case H2_EVENT_RESPONSE:
            look_at(app, &ev, RESPONSE_FIELDS);
            break;
        case H2_EVENT_DATA:
            app->sum += ev.data[ev.len - 1];
            x->received += (uint32_t)ev.len;
            h2_conn_consume(end->c, ev.stream_id, ev.flow_len);
            break;
        default:
            die("an event of ours that should not come");
        }
        if (ev.end_stream) {
            ended(end, ev.stream_id, x);
        }
    }
    if (!end->server) {
        begin_requests(end);
    }
}

static size_t output(struct end *end, uint8_t *p, size_t cap)
{
    size_t n = h2_conn_send(end->c, p, cap);
    size_t limit;
    void *user;
    uint32_t id;
    while (cap - n > H2_FRAME_HEADER_LEN &&
           (id = h2_conn_next_writable(end->c, &limit, &user)) != 0) {
        struct exchange *x = user;
        size_t room = cap - n - H2_FRAME_HEADER_LEN;
        size_t len = limit < room ? limit : room;
        len = len < x->to_send ? len : x->to_send;
        bool last = len == x->to_send;
        uint32_t size = end->server ? end->app.work->response_body : end->app.work->request_body;
        h2_conn_data_frame(end->c, id, len, last, p + n);
        memcpy(p + n + H2_FRAME_HEADER_LEN, body + (size - x->to_send), len);
        n += H2_FRAME_HEADER_LEN + len;
        x->to_send -= (uint32_t)len;
        if (last && end->server) {
            finish(&end->app, x);
        }
    }
    return n;
}

/* ---------------------------------------------------------------- life */

static struct end *make(bool server, const struct scenario *work)
{
    static const struct h2_allocator counted = {counted_resize, NULL};
    static const enum h2_event_type unused[] = {
        H2_EVENT_STREAM_ENDED, H2_EVENT_WINDOW_UPDATE, H2_EVENT_SETTINGS, H2_EVENT_SETTINGS_ACK,
        H2_EVENT_PING,         H2_EVENT_PING_ACK,      H2_EVENT_PRIORITY, H2_EVENT_UNKNOWN_FRAME};
    static struct end ends[2]; /* no part of what is measured */
    struct end *end = &ends[server];
    struct h2_options opts;
    h2_options_init(&opts);
    for (size_t i = 0; i < sizeof(unused) / sizeof(unused[0]); i++) {
        opts.mute |= H2_MUTE(unused[i]);
    }
    opts.alloc = count_heap ? &counted : NULL;
    opts.max_concurrent_streams = MOST_IN_FLIGHT;
    app_init(&end->app, work);
    end->server = server;
    end->c = h2_conn_new(server ? H2_SERVER : H2_CLIENT, &opts);
    if (end->c == NULL) {
        die("no memory");
    }
    return end;
}

static void destroy(struct end *end)
{
    h2_conn_free(end->c);
}

static unsigned done(const struct end *end)
{
    return end->app.done;
}

const struct library ours = {"h2core", make, destroy, input, output, done};
