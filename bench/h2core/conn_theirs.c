/* Both ends on libnghttp2: fields are not copied when they are submitted, windows are updated by
 * the library, bodies come from a data provider. */
#include "conn_bench.h"

#include <nghttp2/nghttp2.h>

#include <stdlib.h>
#include <string.h>

struct end {
    struct app app;
    nghttp2_session *session;
    const uint8_t *rest; /* of what nghttp2_session_mem_send() gave last */
    size_t rest_len;
    bool server;
};

static nghttp2_nv get_nva[MESSAGES][REQUEST_FIELDS];
static nghttp2_nv post_nva[MESSAGES][REQUEST_FIELDS];
static nghttp2_nv small_nva[MESSAGES][RESPONSE_FIELDS];
static nghttp2_nv large_nva[MESSAGES][RESPONSE_FIELDS];

static void convert(nghttp2_nv *to, const struct h2_field *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)from[i].name, /* it takes no const, and changes nothing */
            .value = (uint8_t *)(uintptr_t)from[i].value,
            .namelen = from[i].name_len,
            .valuelen = from[i].value_len,
            .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
    }
}

static void checked(int rc)
{
    if (rc < 0) {
        die(nghttp2_strerror(rc));
    }
}

/* ---------------------------------------------------------------- messages */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct end *end = user;
    struct exchange *x = source->ptr;
    uint32_t size = end->server ? end->app.work->response_body : end->app.work->request_body;
    (void)session;
    (void)id;
    size_t n = length < x->to_send ? length : x->to_send;
    memcpy(buf, body + (size - x->to_send), n);
    x->to_send -= (uint32_t)n;
    if (x->to_send == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static void begin_requests(struct end *end)
{
    struct app *app = &end->app;
    while (app_may_begin(app)) {
        uint32_t len = app->work->request_body;
        unsigned i = app_next(app);
        struct exchange *x = app_take(app, len);
        nghttp2_data_provider provider = {.source = {.ptr = x}, .read_callback = read_body};
        checked(nghttp2_submit_request(end->session, NULL, len > 0 ? post_nva[i] : get_nva[i],
                                       REQUEST_FIELDS, len > 0 ? &provider : NULL, x));
    }
}

static void respond(struct end *end, int32_t id, struct exchange *x)
{
    struct app *app = &end->app;
    if (app->work->hold) {
        return;
    }
    unsigned i = app_next(app);
    bool small = app->work->response_body == SMALL_BODY;
    nghttp2_data_provider provider = {.source = {.ptr = x}, .read_callback = read_body};
    checked(nghttp2_submit_response(end->session, id, small ? small_nva[i] : large_nva[i],
                                    RESPONSE_FIELDS, &provider));
}

/* ---------------------------------------------------------------- callbacks */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct end *end = user;
    if (end->server) {
        struct exchange *x = app_take(&end->app, end->app.work->response_body);
        checked(nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, x));
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct end *end = user;
    (void)session;
    (void)frame;
    (void)name;
    (void)name_len;
    (void)value;
    (void)flags;
    end->app.sum += value_len;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    struct end *end = user;
    struct exchange *x = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    end->app.sum += data[len - 1];
    x->received += (uint32_t)len;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct end *end = user;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        return 0;
    }
    const struct scenario *work = end->app.work;
    struct exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (x->received != (end->server ? work->request_body : work->response_body)) {
        die("a body of a wrong length");
    }
    if (end->server) {
        respond(end, frame->hd.stream_id, x);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct end *end = user;
    if (code != NGHTTP2_NO_ERROR) {
        die("a stream of libnghttp2 was reset");
    }
    app_give(&end->app, nghttp2_session_get_stream_user_data(session, id));
    end->app.done++;
    return 0;
}

/* ---------------------------------------------------------------- bytes */

static void input(struct end *end, const uint8_t *p, size_t len)
{
    ssize_t n = nghttp2_session_mem_recv(end->session, p, len);
    if (n != (ssize_t)len) {
        die("libnghttp2 does not take its input");
    }
    if (!end->server) {
        begin_requests(end);
    }
}

static size_t output(struct end *end, uint8_t *p, size_t cap)
{
    size_t n = 0;
    for (;;) {
        if (end->rest_len == 0) {
            ssize_t got = nghttp2_session_mem_send(end->session, &end->rest);
            if (got < 0) {
                die("libnghttp2 cannot send");
            }
            end->rest_len = (size_t)got;
        }
        size_t part = end->rest_len < cap - n ? end->rest_len : cap - n;
        if (part == 0) {
            return n;
        }
        memcpy(p + n, end->rest, part);
        n += part;
        end->rest += part;
        end->rest_len -= part;
    }
}

/* ---------------------------------------------------------------- life */

static void *counted_malloc(size_t size, void *ctx)
{
    return counted_resize(ctx, NULL, size > 0 ? size : 1);
}

static void *counted_calloc(size_t n, size_t size, void *ctx)
{
    return memset(counted_malloc(n * size, ctx), 0, n * size);
}

static void *counted_realloc(void *p, size_t size, void *ctx)
{
    return counted_resize(ctx, p, size > 0 ? size : 1);
}

static void counted_free(void *p, void *ctx)
{
    counted_resize(ctx, p, 0);
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *cb;
    checked(nghttp2_session_callbacks_new(&cb));
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    return cb;
}

static struct end *make(bool server, const struct scenario *work)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MOST_IN_FLIGHT}};
    static nghttp2_mem counted = {NULL, counted_malloc, counted_free, counted_calloc,
                                  counted_realloc};
    static struct end ends[2];
    static nghttp2_session_callbacks *cb; /* made once, as they can be shared */
    if (cb == NULL) {
        cb = make_callbacks();
        for (unsigned i = 0; i < MESSAGES; i++) {
            convert(get_nva[i], get_requests[i], REQUEST_FIELDS);
            convert(post_nva[i], post_requests[i], REQUEST_FIELDS);
            convert(small_nva[i], small_responses[i], RESPONSE_FIELDS);
            convert(large_nva[i], large_responses[i], RESPONSE_FIELDS);
        }
    }
    struct end *end = &ends[server];
    nghttp2_mem *mem = count_heap ? &counted : NULL;
    app_init(&end->app, work);
    end->server = server;
    end->rest_len = 0;
    checked(server ? nghttp2_session_server_new3(&end->session, cb, end, NULL, mem)
                   : nghttp2_session_client_new3(&end->session, cb, end, NULL, mem));
    checked(nghttp2_submit_settings(end->session, NGHTTP2_FLAG_NONE, settings, 1));
    return end;
}

static void destroy(struct end *end)
{
    nghttp2_session_del(end->session);
}

static unsigned done(const struct end *end)
{
    return end->app.done;
}

const struct library theirs = {"libnghttp2", make, destroy, input, output, done};
