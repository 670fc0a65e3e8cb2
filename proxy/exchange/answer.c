/*
 * The back of exchanges that the program answers itself. It reads what there is of a request body,
 * drops it, and writes the response as the front makes room for it.
 */
#include "exchange/answer.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "exchange/error_page.h"
#include "exchange/exchange.h"
#include "exchange/own.h"
#include "process/worker.h"
#include "route/routes.h"
#include "route/targets.h"

struct answer {
    int status;
    const char *type;     /* NULL: no Content-Type */
    const char *location; /* NULL: no Location */
    struct str body;
    size_t at; /* so much of the body is in the pipe */
};

/* ---------------------------------------------------------------- what is answered */

/* By the extension of the file's name. The charset of text is that of error pages. */
static const char *type_of(const char *path)
{
    static const struct {
        const char *extension, *type;
    } types[] = {
        {"html", "text/html; charset=UTF-8"},
        {"htm", "text/html; charset=UTF-8"},
        {"txt", "text/plain; charset=UTF-8"},
        {"json", "application/json"},
        {"xml", "application/xml"},
        {"css", "text/css; charset=UTF-8"},
        {"js", "text/javascript; charset=UTF-8"},
        {"mjs", "text/javascript; charset=UTF-8"},
        {"csv", "text/csv; charset=UTF-8"},
        {"md", "text/markdown; charset=UTF-8"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"avif", "image/avif"},
        {"ico", "image/x-icon"},
        {"pdf", "application/pdf"},
        {"wasm", "application/wasm"},
        {"webmanifest", "application/manifest+json"},
        {"woff", "font/woff"},
        {"woff2", "font/woff2"},
    };
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash != NULL ? slash : path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(dot + 1, types[i].extension) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

static void respond(struct exchange *x, const struct cfg_backend *b, struct answer *a)
{
    a->status = b->status;
    if (b->file != NULL) {
        a->type = type_of(b->file);
        a->body = (struct str){b->body, b->body_len};
    } else if (b->status >= 400) {
        a->type = ERROR_PAGE_TYPE;
        a->body = error_page_body(x, b->status);
    }
}

/* What a template is filled with. */
struct parts {
    struct str scheme, host, authority, path, path_without_query;
};

static struct parts parts_of(const struct request *r)
{
    static const struct str root = {"/", 1};
    bool star = r->path.len == 1 && r->path.s[0] == '*'; /* OPTIONS *: no path of a URI */
    struct parts p = {.scheme = r->scheme,
                      .host = r->authority,
                      .authority = r->authority,
                      .path = star ? root : r->path,
                      .path_without_query = star ? root : (struct str){r->path.s, r->path_len}};
    if (r->authority.len > 0) {
        int port;
        h1_authority_split(r->authority.s, r->authority.len, &p.host.len, &port);
    }
    return p;
}

/* Octets that a request target may have here and a URI may not (RFC 3986, 2): they are
 * percent-encoded. */
static bool is_uri_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-._~:/?[]@!$&'()*+,;=%", c) != NULL);
}

static char *put_encoded(char *p, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        if (is_uri_char(s.s[i])) {
            *p++ = s.s[i];
        } else {
            *p++ = '%';
            *p++ = hex[(unsigned char)s.s[i] >> 4];
            *p++ = hex[(unsigned char)s.s[i] & 15];
        }
    }
    return p;
}

static struct str value_of(const struct parts *p, struct cfg_template_part part)
{
    switch (part.kind) {
    case CFG_TEMPLATE_SCHEME:
        return p->scheme;
    case CFG_TEMPLATE_HOST:
        return p->host;
    case CFG_TEMPLATE_AUTHORITY:
        return p->authority;
    case CFG_TEMPLATE_PATH:
        return p->path;
    case CFG_TEMPLATE_PATH_WITHOUT_QUERY:
        return p->path_without_query;
    case CFG_TEMPLATE_TEXT:
    case CFG_TEMPLATE_UNKNOWN: /* not in a snapshot */
    case CFG_TEMPLATE_END:
        break;
    }
    return (struct str){part.s, part.len};
}

/* NULL: the template wants a host, and the request names none. */
static const char *expand(struct exchange *x, const char *template)
{
    struct parts parts = parts_of(&x->request);
    struct cfg_template_part part;
    size_t cap = 1;
    const char *rest = template;
    while ((part = cfg_template_next(&rest)).kind != CFG_TEMPLATE_END) {
        bool host = part.kind == CFG_TEMPLATE_HOST || part.kind == CFG_TEMPLATE_AUTHORITY;
        if (host && parts.host.len == 0) {
            return NULL;
        }
        cap += 3 * value_of(&parts, part).len;
    }
    char *out = arena_alloc(&x->arena, cap), *p = out;
    rest = template;
    while ((part = cfg_template_next(&rest)).kind != CFG_TEMPLATE_END) {
        struct str value = value_of(&parts, part);
        if (part.kind == CFG_TEMPLATE_TEXT) {
            p = mempcpy(p, value.s, value.len); /* checked with the configuration */
        } else {
            p = put_encoded(p, value);
        }
    }
    assert((size_t)(p - out) < cap);
    *p = '\0';
    return out;
}

/* redirect-if-not-tls: the same resource, over TLS. */
static const char *https_location(struct exchange *x)
{
    char template[48];
    uint64_t port = x->worker->cfg->redirect_https_port;
    if (port == 443) {
        return expand(x, "https://$host$path");
    }
    snprintf(template, sizeof(template), "https://$host:%u$path", (unsigned)port);
    return expand(x, template);
}

enum kind { NONE, ANSWER, NO_HOST, NOT_FOR_CONNECT };

/* What the program answers itself, if anything. */
static enum kind decide(struct exchange *x, struct answer *a)
{
    const struct group *g = x->group != NULL ? x->group->group : NULL;
    bool to_tls = g != NULL && g->redirect_if_not_tls && !x->client->tls;
    bool redirect = to_tls || (g != NULL && g->answer != NULL && g->answer->location != NULL);
    if (!x->client->healthmon && !to_tls && (g == NULL || g->answer == NULL)) {
        return NONE;
    }
    if (x->request.method == H1_METHOD_CONNECT) {
        return NOT_FOR_CONNECT; /* 2xx would open a tunnel, to nobody (RFC 9110, 9.3.6) */
    }
    /* Nor may it open a WebSocket (RFC 8441, 5). */
    bool opens = x->tunnel.wanted == TUNNEL_WEBSOCKET && x->request.m.http_major == 2;
    *a = (struct answer){.status = 200, .body = {"", 0}};
    if (x->client->healthmon) {
        return opens ? NOT_FOR_CONNECT : ANSWER;
    }
    if (redirect) {
        a->status = to_tls ? 308 : g->answer->status;
        a->location = to_tls ? https_location(x) : expand(x, g->answer->location);
        return a->location != NULL ? ANSWER : NO_HOST;
    }
    respond(x, g->answer, a);
    return opens && a->status < 300 ? NOT_FOR_CONNECT : ANSWER;
}

/* ---------------------------------------------------------------- the back */

/* Nothing is left to be read or written. */
static void settle(struct exchange *x)
{
    if (x->down.ended && (x->up.ended || !x->request.m.has_body)) {
        exchange_detach_back(x);
    }
}

/* Fills the pipe: a page of megabytes is not there again for each of those who read slowly. */
static void feed(struct exchange *x)
{
    struct answer *a = x->back;
    size_t room = pipe_room(&x->down), left = a->body.len - a->at, n = left < room ? left : room;
    if (x->down.ended || (left > 0 && n == 0)) {
        return;
    }
    pipe_write(&x->down, (const uint8_t *)a->body.s + a->at, n);
    a->at += n;
    x->down.ended = a->at == a->body.len; /* told together with the last octets */
    x->front_ops->body(x);
}

static void begin_response(struct exchange *x)
{
    struct answer *a = x->back;
    own_head(x, a->status, a->type, a->location, a->body.len);
    if (!x->response.m.has_body) {
        a->body.len = 0;
    }
    exchange_take_head(x);
    feed(x);
}

/* The request is in; or the client waits for a word before it sends the body, or has too much of
 * it. */
static bool is_time(const struct exchange *x)
{
    const struct message *m = &x->request.m;
    return !m->has_body || x->up.ended || x->request.expect_continue ||
           m->content_length > (int64_t)ANSWER_READS_MOST || x->up.taken > ANSWER_READS_MOST;
}

static void on_body(struct exchange *x)
{
    size_t n = x->up.len;
    pipe_drop(&x->up, n);
    exchange_took_up(x, n);
    if (x->response.status == 0 && is_time(x)) {
        begin_response(x);
    }
    settle(x);
}

static void on_credit(struct exchange *x, size_t n)
{
    (void)n;
    if (pipe_room(&x->down) >= x->down.limit / 2) {
        feed(x);
        settle(x);
    }
}

static void on_abort(struct exchange *x, enum exchange_error why)
{
    (void)why;
    exchange_detach_back(x);
}

static const struct exchange_ops answer_ops = {
    .body = on_body, .credit = on_credit, .abort = on_abort};

bool answer_begin(struct exchange *x)
{
    struct answer a;
    switch (decide(x, &a)) {
    case NONE:
        return false;
    case NO_HOST:
        exchange_fail(x, EXCHANGE_CLIENT_PROTOCOL);
        return true;
    case NOT_FOR_CONNECT:
        exchange_fail(x, EXCHANGE_NOT_IMPLEMENTED);
        return true;
    case ANSWER:
        break;
    }
    struct answer *own = arena_alloc(&x->arena, sizeof(*own));
    *own = a;
    x->own_answer = true;
    pipe_forget(&x->up);
    exchange_attach_back(x, NULL, &answer_ops, own);
    on_body(x); /* it may have waited, and some of its body be here */
    return true;
}
