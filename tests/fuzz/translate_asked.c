/* Requests, as anybody reads them. */
#include "translate_asked.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/block.h"

static struct asked *add_request(struct requests *list, const char *method, size_t method_len,
                                 const char *path, size_t path_len)
{
    if (list->n == MAX_REQUESTS) {
        list->loose = true;
        return NULL;
    }
    struct asked *r = &list->r[list->n++];
    *r = (struct asked){.line = xmalloc(method_len + path_len + 2)};
    memcpy(r->line, method, method_len);
    r->line[method_len] = ' ';
    memcpy(r->line + method_len + 1, path, path_len);
    r->line[method_len + 1 + path_len] = '\0';
    return r;
}

void free_requests(struct requests *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->r[i].line);
        buffer_free(&list->r[i].body);
    }
    list->n = 0;
}

static enum parsed parse_trailers(uint8_t *data, size_t len, size_t *used)
{
    struct h1_head h;
    static struct h1_field fields[100];
    h1_head_init(&h, H1_TRAILERS, fields, 100,
                 (struct h1_options){.head_bytes = 65536, .fields = 100});
    enum h1_rc rc = h1_head_parse(&h, data, len);
    *used += rc == H1_DONE ? h.head_len : 0;
    return rc == H1_DONE ? PARSED_ALL : rc == H1_MORE ? PARSED_PART : PARSED_BAD;
}

enum parsed parse_body(struct h1_framing framing, uint8_t *data, size_t len, struct buffer *body,
                       size_t *used)
{
    struct h1_body b;
    const uint8_t *part;
    size_t n, part_len;
    enum h1_rc rc;
    h1_body_init(&b, framing);
    while ((rc = h1_body_next(&b, data + *used, len - *used, &n, &part, &part_len)) == H1_DATA) {
        *used += n;
        if (body != NULL) {
            buffer_append(body, part, part_len);
        }
    }
    *used += n;
    if (rc != H1_DONE) {
        return rc == H1_MORE ? PARSED_PART : PARSED_BAD;
    }
    return framing.kind == H1_BODY_CHUNKED ? parse_trailers(data + *used, len - *used, used)
                                           : PARSED_ALL;
}

/* Whether a head asks for a tunnel, beyond doubt: one Upgrade, of one protocol that is not HTTP's.
 */
static bool asks_for_tunnel(const struct h1_head *h, const uint8_t *data)
{
    size_t n = 0;
    for (uint32_t i = 0; i < h->nfields; i++) {
        n += h->fields[i].token == H1_TOKEN_UPGRADE;
    }
    if (h->method == H1_METHOD_CONNECT || !h->connection_upgrade || n != 1) {
        return h->method == H1_METHOD_CONNECT;
    }
    struct h1_span v = h->fields[h->upgrade_field].value;
    const char *value = (const char *)data + v.off;
    return h1_token_valid(value, v.len) && value[0] != 'h' && value[0] != 'H';
}

enum parsed parse_request(struct requests *list, uint8_t *data, size_t len, bool normalise,
                          size_t *used, struct h1_head *h)
{
    static struct h1_field fields[100];
    *used = 0;
    h1_head_init(h, H1_REQUEST, fields, 100,
                 (struct h1_options){.head_bytes = 65536, .fields = 100});
    enum h1_rc rc = h1_head_parse(h, data, len);
    if (rc != H1_DONE) {
        return rc == H1_MORE ? PARSED_PART : PARSED_BAD;
    }
    *used = h->head_len;
    const char *path = (const char *)data + h->path.off;
    size_t path_len = h->path.len, unused;
    char *normal = xmalloc(path_len + 1);
    if (h->form == H1_FORM_ASTERISK ||
        (path_len == 0 && h->form == H1_FORM_ABSOLUTE && h->method == H1_METHOD_OPTIONS)) {
        path = "*";
        path_len = 1;
    } else if (h->form == H1_FORM_AUTHORITY) {
        path = (const char *)data + h->authority.off;
        path_len = h->authority.len;
    } else if (normalise) {
        path_len = h1_path_normalise(path, path_len, normal, &unused);
        path = normal;
    }
    struct asked *r = add_request(list, (const char *)data + h->method_text.off, h->method_text.len,
                                  path, path_len);
    free(normal);
    if (r == NULL) {
        return PARSED_BAD;
    }
    r->tunnel = asks_for_tunnel(h, data);
    if (r->tunnel) {
        return PARSED_ALL; /* what is behind it is for the caller to judge */
    }
    enum parsed p = parse_body(h1_body_framing(h, H1_METHOD_OTHER), data, len, &r->body, used);
    r->complete = p == PARSED_ALL;
    return p;
}

void expect_h1(struct requests *list, const uint8_t *data, size_t len)
{
    uint8_t *copy = xmalloc(len + 1);
    memcpy(copy, data, len);
    size_t at = 0, used;
    struct h1_head h;
    while (list->n < MAX_REQUESTS &&
           parse_request(list, copy + at, len - at, true, &used, &h) == PARSED_ALL) {
        at += used;
        struct asked *r = &list->r[list->n - 1];
        if (r->tunnel) {
            buffer_append(&r->body, copy + at, len - at);
            r->complete = true;
            break;
        }
        if (h.connection_upgrade) {
            list->loose = true; /* it may go on as HTTP/2 */
        }
        if (!h1_body_framing(&h, H1_METHOD_OTHER).keep_alive) {
            break;
        }
    }
    list->loose = list->loose || list->n == MAX_REQUESTS;
    free(copy);
}

struct asked *of_stream(struct requests *list, uint32_t id)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->r[i].stream == id) {
            return &list->r[i];
        }
    }
    return NULL;
}

void take_event(struct requests *list, const struct h2_event *ev)
{
    struct asked *r = of_stream(list, ev->stream_id);
    if (ev->type == H2_EVENT_REQUEST && !ev->too_large) {
        const struct h2_field *method = NULL, *path = NULL, *authority = NULL;
        bool websocket = false;
        for (size_t i = 0; i < ev->nfields; i++) {
            const struct h2_field *f = &ev->fields[i];
            method = f->token == H2_TOKEN_PSEUDO_METHOD ? f : method;
            path = f->token == H2_TOKEN_PSEUDO_PATH ? f : path;
            authority = f->token == H2_TOKEN_PSEUDO_AUTHORITY ? f : authority;
            websocket = websocket || f->token == H2_TOKEN_PSEUDO_PROTOCOL;
        }
        bool connect = method->value_len == 7 && memcmp(method->value, "CONNECT", 7) == 0;
        size_t len = 0, unused;
        char *normal = xmalloc((path != NULL        ? path->value_len
                                : authority != NULL ? authority->value_len
                                                    : 0) +
                               2);
        if (connect && !websocket) {
            len = authority->value_len;
            memcpy(normal, authority->value, len);
        } else if (path != NULL && path->value_len == 1 && path->value[0] == '*') {
            normal[len++] = '*';
        } else if (path != NULL) {
            len = h1_path_normalise(path->value, path->value_len, normal, &unused);
        }
        /* In HTTP/1.1 a WebSocket is asked for by GET. */
        r = add_request(list, websocket ? "GET" : method->value, websocket ? 3 : method->value_len,
                        normal, len);
        free(normal);
        if (r != NULL) {
            r->tunnel = connect;
            r->stream = ev->stream_id;
        }
    } else if (ev->type == H2_EVENT_DATA && r != NULL && ev->len > 0) {
        buffer_append(&r->body, ev->data, ev->len);
    }
    if (r != NULL && ev->end_stream) {
        r->complete = true;
    }
}

/* The same for HTTP/2. The engine takes more than the proxy's may: no stream is ever in its way. */
void expect_h2(struct requests *list, const uint8_t *data, size_t len)
{
    struct h2_options o;
    struct h2_event ev;
    h2_options_init(&o);
    o.max_concurrent_streams = 100000;
    o.limits.header_list_bytes = 65536;
    o.limits.header_fields = 100;
    o.enable_connect_protocol = true;
    struct h2_conn *engine = h2_conn_new(H2_SERVER, &o);
    assert(engine != NULL);
    h2_conn_feed(engine, data, len);
    while (h2_conn_next_event(engine, 1, &ev)) {
        take_event(list, &ev);
        if (ev.type == H2_EVENT_DATA) {
            h2_conn_consume(engine, ev.stream_id, ev.flow_len);
        }
        /* Nothing was ever answered here: windows and states are not what they are there. */
        list->loose = list->loose ||
                      (ev.type == H2_EVENT_FAILED &&
                       (ev.fail.code == H2_FLOW_CONTROL_ERROR || ev.fail.code == H2_STREAM_CLOSED ||
                        ev.fail.code == H2_ENHANCE_YOUR_CALM));
    }
    (void)h2_conn_unread(engine);
    h2_conn_free(engine);
}

void check_made(const struct requests *made, const struct asked *got)
{
    for (size_t i = 0; i < made->n; i++) {
        const struct asked *m = &made->r[i];
        size_t len = buffer_len(&got->body), all = buffer_len(&m->body);
        /* HTTP/2 backends are not told of Upgrade, nor what came behind it. */
        bool dropped = m->tunnel && len == 0;
        if (strcmp(m->line, got->line) == 0 && (!got->complete || m->complete || dropped) &&
            (got->complete && !dropped ? len == all : len <= all) &&
            (len == 0 ||
             memcmp(m->body.mem + m->body.start, got->body.mem + got->body.start, len) == 0)) {
            return;
        }
    }
    if (!made->loose) {
        fprintf(stderr, "nobody asked for: %s (%zu octets of body, %s)\n", got->line,
                buffer_len(&got->body), got->complete ? "complete" : "cut off");
        abort();
    }
}
