/* Fields on their way through: into the exchange, and out of it in the other side's form. */
#include "exchange/message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "back/back.h"
#include "config.h"
#include "exchange/request_check.h"
#include "exchange/tunnel.h"
#include "process/worker.h"
#include "route/affinity.h"
#include "route/targets.h"
#include "route/routes.h"

/* One token serves both libraries: both are generated from tools/fields.def. */
_Static_assert((int)H1_TOKEN_HOST == (int)H2_TOKEN_HOST &&
                   (int)H1_TOKEN_COUNT == (int)H2_TOKEN_COUNT,
               "tokens of h1parser and h2core differ");

bool message_response_may_have_body(const struct exchange *x)
{
    int status = x->response.status;
    return x->request.method != H1_METHOD_HEAD && status >= 200 && status != 204 && status != 304;
}

const struct h2_field *message_find(const struct message *m, uint8_t token)
{
    for (size_t i = 0; i < m->nfields; i++) {
        if (m->fields[i].token == token) {
            return &m->fields[i];
        }
    }
    return NULL;
}

static bool next_element(const char **pos, const char *end, struct str *e)
{
    return h1_list_next(pos, end, &e->s, &e->len);
}

static bool str_is(struct str s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.s, word, s.len) == 0;
}

static bool is_listed(const struct h2_field *f, const char *word)
{
    const char *pos = f->value;
    struct str e;
    while (next_element(&pos, f->value + f->value_len, &e)) {
        /* RFC 9110, 10.1.4: `trailers` has no parameters; trailers;q=0 asks for none. */
        if (str_is(e, word)) {
            return true;
        }
    }
    return false;
}

bool message_finish_request(struct exchange *x)
{
    struct request *r = &x->request;
    if (message_nominates_too_many(&r->m)) {
        return false;
    }
    if (x->tunnel.wanted == TUNNEL_CONNECT) {
        r->path = (struct str){"/", 1}; /* routed as "/" */
        r->path_len = 1;
    } else if (r->method == H1_METHOD_OPTIONS && r->path.len == 1 && r->path.s[0] == '*') {
        r->path_len = 1;
    } else if (r->path_len == 0) { /* else h1_head_path() has made it */
        if (!h1_path_valid(r->path.s, r->path.len)) {
            return false;
        }
        char *out = arena_alloc(&x->arena, r->path.len + 1);
        size_t len = h1_path_normalise(r->path.s, r->path.len, out, &r->path_len);
        r->path = (struct str){out, len};
    }
    for (size_t i = 0; i < r->m.nfields; i++) {
        const struct h2_field *f = &r->m.fields[i];
        if (f->token == H2_TOKEN_TE) {
            r->te_trailers |= is_listed(f, "trailers");
        }
    }
    return true;
}

/* ---------------------------------------------------------------- out: building blocks */

static struct field_list list_new(struct exchange *x, size_t cap)
{
    return (struct field_list){.f = arena_alloc(&x->arena, cap * sizeof(struct h2_field)),
                               .cap = cap};
}

static void put(struct field_list *l, const struct h2_field *f)
{
    assert(l->n < l->cap);
    l->f[l->n++] = *f;
}

static void put_token(struct field_list *l, uint8_t token, const char *value, size_t len)
{
    size_t name_len;
    const char *name = h2_token_name(token, &name_len);
    put(l, &(struct h2_field){.name = name,
                              .name_len = (uint32_t)name_len,
                              .value = value,
                              .value_len = (uint32_t)len,
                              .token = token});
}

static void put_str(struct field_list *l, uint8_t token, struct str s)
{
    put_token(l, token, s.s, s.len);
}

static void put_number(struct exchange *x, struct field_list *l, uint8_t token, uint64_t n)
{
    char *text = arena_alloc(&x->arena, 24);
    int len = snprintf(text, 24, "%llu", (unsigned long long)n);
    put_token(l, token, text, (size_t)len);
}

static void put_headers(struct field_list *l, const struct cfg_header *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(h[i].name);
        put(l, &(struct h2_field){.name = h[i].name,
                                  .name_len = (uint32_t)len,
                                  .value = h[i].value,
                                  .value_len = (uint32_t)strlen(h[i].value),
                                  .token = h2_token_lookup(h[i].name, len)});
    }
}

/* All values of a field joined in their order, with `extra` as the last one; `with_old` false: only
 * extra. */
static struct str join(struct exchange *x, const struct message *m, uint8_t token, bool with_old,
                       const char *separator, struct str extra)
{
    size_t sep = strlen(separator), bytes = extra.len + sep;
    for (size_t i = 0; with_old && i < m->nfields; i++) {
        if (m->fields[i].token == token) {
            bytes += m->fields[i].value_len + sep;
        }
    }
    char *out = arena_alloc(&x->arena, bytes + 1), *p = out;
    for (size_t i = 0; with_old && i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (f->token != token || f->value_len == 0) {
            continue;
        }
        if (p > out) {
            p = mempcpy(p, separator, sep);
        }
        p = mempcpy(p, f->value, f->value_len);
    }
    if (extra.len > 0) {
        if (p > out) {
            p = mempcpy(p, separator, sep);
        }
        p = mempcpy(p, extra.s, extra.len);
    }
    return (struct str){out, (size_t)(p - out)};
}

static struct str via_entry(const struct message *m)
{
    if (m->http_major == 2) {
        return (struct str){"2 nghttpx", 9};
    }
    return m->http_minor == 0 ? (struct str){"1.0 nghttpx", 11} : (struct str){"1.1 nghttpx", 11};
}

/* ---------------------------------------------------------------- out: what is dropped */

/*
 * Names that a Connection field cannot take away, so that a client cannot have removed what the
 * proxy or the backend relies on. RFC 9110, 7.6.1 has nominated fields dropped; these are not
 * hop-by-hop by any reading.
 */
static bool is_protected(uint8_t token)
{
    switch (token) {
    case H2_TOKEN_HOST:
    case H2_TOKEN_CONTENT_LENGTH:
    case H2_TOKEN_CONTENT_TYPE:
    case H2_TOKEN_CONTENT_ENCODING:
    case H2_TOKEN_TRANSFER_ENCODING:
    case H2_TOKEN_FORWARDED:
    case H2_TOKEN_X_FORWARDED_FOR:
    case H2_TOKEN_X_FORWARDED_HOST:
    case H2_TOKEN_X_FORWARDED_PORT:
    case H2_TOKEN_X_FORWARDED_PROTO:
    case H2_TOKEN_X_REAL_IP:
    case H2_TOKEN_VIA:
    case H2_TOKEN_AUTHORIZATION:
    case H2_TOKEN_COOKIE:
    case H2_TOKEN_SET_COOKIE:
    case H2_TOKEN_CACHE_CONTROL:
    case H2_TOKEN_LOCATION:
        return true;
    default:
        return false;
    }
}

static bool is_hop_by_hop(uint8_t token)
{
    switch (token) {
    case H2_TOKEN_CONNECTION:
    case H2_TOKEN_KEEP_ALIVE:
    case H2_TOKEN_PROXY_CONNECTION:
    case H2_TOKEN_UPGRADE:
    case H2_TOKEN_HTTP2_SETTINGS:
    case H2_TOKEN_TE:
    case H2_TOKEN_TRANSFER_ENCODING:
        return true;
    default:
        return false;
    }
}

/*
 * The fields that Connection names. No honest message nominates many; a list of thousands would
 * have every field compared with each of them, so messages with more are refused.
 */
#define MAX_NOMINATED 32

struct nominated {
    struct str names[MAX_NOMINATED];
    size_t n;
    bool too_many;
};

static void find_nominated(const struct message *m, struct nominated *out)
{
    out->n = 0;
    out->too_many = false;
    for (size_t i = 0; m->http_major == 1 && i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (f->token != H2_TOKEN_CONNECTION) {
            continue;
        }
        const char *pos = f->value;
        struct str e;
        while (next_element(&pos, f->value + f->value_len, &e)) {
            if (out->n == MAX_NOMINATED) {
                out->too_many = true;
                return;
            }
            out->names[out->n++] = e;
        }
    }
}

bool message_nominates_too_many(const struct message *m)
{
    struct nominated list;
    find_nominated(m, &list);
    return list.too_many;
}

static bool is_nominated(const struct nominated *list, const struct h2_field *f)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct str *e = &list->names[i];
        if (e->len == f->name_len && strncasecmp(e->s, f->name, e->len) == 0) {
            return !is_protected(f->token);
        }
    }
    return false;
}

/* Copies a message's fields but those that `drop` names, the hop-by-hop ones, and those nominated
 * by Connection. */
static void put_passing(struct field_list *l, const struct message *m,
                        bool (*drop)(const void *ctx, uint8_t token), const void *ctx)
{
    struct nominated nominated;
    find_nominated(m, &nominated);
    for (size_t i = 0; i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (!is_hop_by_hop(f->token) && !drop(ctx, f->token) && !is_nominated(&nominated, f)) {
            put(l, f);
        }
    }
}

/* ---------------------------------------------------------------- out: requests */

/* A forward proxy's backend is a proxy too, and has to be told nothing of this hop's transport. */
static bool adds_forwarded_proto(const struct exchange *x)
{
    const struct config *cfg = x->worker->cfg;
    return !cfg->no_add_x_forwarded_proto && !cfg->http2_proxy &&
           x->tunnel.wanted != TUNNEL_CONNECT;
}

static bool drop_from_request(const void *ctx, uint8_t token)
{
    const struct exchange *x = ctx;
    const struct config *cfg = x->worker->cfg;
    switch (token) {
    case H2_TOKEN_HOST:
    case H2_TOKEN_CONTENT_LENGTH:
    case H2_TOKEN_COOKIE:
    case H2_TOKEN_EXPECT:
        return true;
    case H2_TOKEN_EARLY_DATA:
        return !cfg->no_strip_incoming_early_data;
    case H2_TOKEN_VIA:
        return !cfg->no_via;
    case H2_TOKEN_X_FORWARDED_FOR:
        return cfg->strip_incoming_x_forwarded_for || cfg->add_x_forwarded_for;
    case H2_TOKEN_X_FORWARDED_PROTO:
        return !cfg->no_strip_incoming_x_forwarded_proto || adds_forwarded_proto(x);
    case H2_TOKEN_SEC_WEBSOCKET_KEY:
        return x->tunnel.wanted == TUNNEL_WEBSOCKET;
    default:
        return false;
    }
}

/*
 * As many crumbs as an h2core server takes by default (cookie_crumbs), so that what one accepts
 * from others it is sent by us. A crumb of one octet costs a field here and at the backend, and a
 * request of 21 octets, whose HPACK references name one cookie again and again, can hold 30,000 of
 * them. No honest client comes close: Chromium keeps at most 180 cookies for a site.
 */
#define MAX_CRUMBS 200

/* The next cookie-pair of a value that has some octets, without blanks at its ends (RFC 9113,
 * 8.2.1). */
static bool next_crumb(const char **pos, const char *end, struct str *crumb)
{
    while (*pos < end) {
        const char *p = *pos, *semicolon = memchr(p, ';', (size_t)(end - p));
        const char *stop = semicolon == NULL ? end : semicolon;
        *pos = semicolon == NULL ? end : semicolon + 1;
        while (p < stop && (*p == ' ' || *p == '\t')) {
            p++;
        }
        while (stop > p && (stop[-1] == ' ' || stop[-1] == '\t')) {
            stop--;
        }
        if (stop > p) {
            *crumb = (struct str){p, (size_t)(stop - p)};
            return true;
        }
    }
    return false;
}

/* One field for each crumb, so that those that stay the same are found in the dynamic table (RFC
 * 9113, 8.2.3). Returns how many these are, one over the limit at most; without a list it only
 * counts. */
static size_t put_crumbs(struct field_list *l, const struct message *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (f->token != H2_TOKEN_COOKIE) {
            continue;
        }
        const char *pos = f->value;
        struct str crumb;
        while (n <= MAX_CRUMBS && next_crumb(&pos, f->value + f->value_len, &crumb)) {
            n++;
            if (l != NULL) {
                put_str(l, H2_TOKEN_COOKIE, crumb);
            }
        }
    }
    return n;
}

static void put_joined_cookie(struct exchange *x, struct field_list *l)
{
    struct str all = join(x, &x->request.m, H2_TOKEN_COOKIE, true, "; ", (struct str){NULL, 0});
    if (all.len > 0) {
        put_str(l, H2_TOKEN_COOKIE, all);
    }
}

static void put_forwarding(struct exchange *x, struct field_list *l)
{
    const struct config *cfg = x->worker->cfg;
    const struct message *m = &x->request.m;
    struct str proto = x->client->tls ? (struct str){"https", 5} : (struct str){"http", 4};
    if (cfg->add_x_forwarded_for) {
        struct str addr = {x->client->addr, strlen(x->client->addr)};
        put_str(
            l, H2_TOKEN_X_FORWARDED_FOR,
            join(x, m, H2_TOKEN_X_FORWARDED_FOR, !cfg->strip_incoming_x_forwarded_for, ", ", addr));
    }
    if (adds_forwarded_proto(x)) {
        put_str(l, H2_TOKEN_X_FORWARDED_PROTO,
                join(x, m, H2_TOKEN_X_FORWARDED_PROTO, cfg->no_strip_incoming_x_forwarded_proto,
                     ", ", proto));
    }
    if (!cfg->no_via) {
        put_str(l, H2_TOKEN_VIA, join(x, m, H2_TOKEN_VIA, true, ", ", via_entry(m)));
    }
}

/* A body's framing for HTTP/1.1, and the length for both (RFC 9110, 8.6: POST without content says
 * 0). */
static void put_request_framing(struct exchange *x, struct field_list *l, int http_major)
{
    const struct request *r = &x->request;
    if (r->m.content_length >= 0) {
        put_number(x, l, H2_TOKEN_CONTENT_LENGTH, (uint64_t)r->m.content_length);
    } else if (r->m.has_body) {
        if (http_major == 1) {
            put_token(l, H2_TOKEN_TRANSFER_ENCODING, "chunked", 7);
        }
    } else if (x->tunnel.wanted == TUNNEL_NONE && /* Upgrade goes without (RFC 9931) */
               (r->method == H1_METHOD_POST || r->method == H1_METHOD_PUT ||
                r->method == H1_METHOD_PATCH)) {
        put_token(l, H2_TOKEN_CONTENT_LENGTH, "0", 1);
    }
}

static struct str backend_authority(const struct exchange *x)
{
    const char *s = x->pool->backend->authority;
    return (struct str){s, strlen(s)};
}

/* The origin asked for: the client's words, but where the operator wants the backend's name there,
 * which is never the name of what a CONNECT or a forward proxy's client wants to reach. */
static struct str request_authority(const struct exchange *x)
{
    const struct config *cfg = x->worker->cfg;
    bool rewrite = cfg->host_rewrite && !cfg->http2_proxy && !x->is_check &&
                   x->tunnel.wanted != TUNNEL_CONNECT;
    return rewrite || x->request.authority.len == 0 ? backend_authority(x) : x->request.authority;
}

/* http://host/path: what proxies are asked (RFC 9112, 3.2.2); OPTIONS * has no path there (3.2.4).
 */
static struct str absolute_form(struct exchange *x)
{
    const struct request *r = &x->request;
    struct str authority = request_authority(x);
    size_t path = r->path.s[0] == '*' ? 0 : r->path.len;
    char *out = arena_alloc(&x->arena, r->scheme.len + 3 + authority.len + path), *p = out;
    p = mempcpy(p, r->scheme.s, r->scheme.len);
    p = mempcpy(p, "://", 3);
    p = mempcpy(p, authority.s, authority.len);
    p = mempcpy(p, r->path.s, path);
    return (struct str){out, (size_t)(p - out)};
}

void message_request_line(struct exchange *x, struct str *method, struct str *target)
{
    *method = x->request.method_text;
    *target = x->request.path;
    if (x->tunnel.wanted == TUNNEL_CONNECT) {
        *target = request_authority(x);
        return;
    }
    if (x->tunnel.wanted == TUNNEL_WEBSOCKET) {
        *method = (struct str){"GET", 3};
    }
    if (x->worker->cfg->http2_proxy) {
        *target = absolute_form(x);
    }
}

/* upgrade-scheme: there are servers that refuse http over TLS. */
static struct str scheme_for_backend(const struct exchange *x)
{
    const struct cfg_backend *b = x->pool != NULL ? x->pool->backend->cfg : NULL;
    return b != NULL && b->tls && b->upgrade_scheme ? (struct str){"https", 5} : x->request.scheme;
}

/* RFC 9113, 8.3.1 and 8.5; RFC 8441, 4. */
static void put_pseudo_fields(struct exchange *x, struct field_list *l)
{
    const struct request *r = &x->request;
    bool websocket = x->tunnel.wanted == TUNNEL_WEBSOCKET;
    put_str(l, H2_TOKEN_PSEUDO_METHOD,
            websocket ? (struct str){"CONNECT", 7} : x->request.method_text);
    if (websocket) {
        put_token(l, H2_TOKEN_PSEUDO_PROTOCOL, "websocket", 9);
    }
    if (x->tunnel.wanted != TUNNEL_CONNECT) {
        put_str(l, H2_TOKEN_PSEUDO_SCHEME, scheme_for_backend(x));
    }
    put_str(l, H2_TOKEN_PSEUDO_AUTHORITY, request_authority(x));
    if (x->tunnel.wanted != TUNNEL_CONNECT) {
        put_str(l, H2_TOKEN_PSEUDO_PATH, r->path);
    }
}

/* What is only for the next hop (RFC 9110, 7.6.1): TE and Upgrade, both named in Connection. */
static void put_hop_fields(struct exchange *x, struct field_list *l, int http_major)
{
    if (x->request.expect_continue) {
        put_token(l, H2_TOKEN_EXPECT, "100-continue", 12);
    }
    bool te = x->request.te_trailers;
    bool upgrade = http_major == 1 &&
                   (x->tunnel.wanted == TUNNEL_UPGRADE || x->tunnel.wanted == TUNNEL_WEBSOCKET);
    if (http_major == 1 && (te || upgrade)) {
        const char *names = !upgrade ? "te" : te ? "Upgrade, te" : "Upgrade";
        put_token(l, H2_TOKEN_CONNECTION, names, strlen(names));
    }
    if (upgrade) {
        put_str(l, H2_TOKEN_UPGRADE, x->tunnel.protocols);
    }
    if (upgrade && x->tunnel.wanted == TUNNEL_WEBSOCKET) {
        put_str(l, H2_TOKEN_SEC_WEBSOCKET_KEY, tunnel_websocket_key(x));
    }
    if (te) {
        put_token(l, H2_TOKEN_TE, "trailers", 8); /* RFC 9110, 10.1.4 */
    }
}

struct field_list message_request_fields(struct exchange *x, int http_major)
{
    const struct config *cfg = x->worker->cfg;
    const struct request *r = &x->request;
    /* Only HTTP/2 has crumbs (RFC 9113, 8.2.3). */
    bool crumbled = http_major == 2 && !cfg->http2_no_cookie_crumbling;
    size_t crumbs = crumbled ? put_crumbs(NULL, &r->m) : 0;
    crumbled = crumbled && crumbs <= MAX_CRUMBS;
    size_t cap = 5 + r->m.nfields + (crumbled ? crumbs : 1) + 12 + cfg->nadd_request_header;
    struct field_list l = list_new(x, cap);
    if (http_major == 2) {
        put_pseudo_fields(x, &l);
    } else {
        put_str(&l, H2_TOKEN_HOST, request_authority(x));
    }
    put_passing(&l, &r->m, drop_from_request, x);
    if (crumbled) {
        put_crumbs(&l, &r->m);
    } else {
        put_joined_cookie(x, &l);
    }
    put_request_framing(x, &l, http_major);
    put_hop_fields(x, &l, http_major);
    put_forwarding(x, &l);
    put_headers(&l, cfg->add_request_header, cfg->nadd_request_header);
    return l;
}

/* ---------------------------------------------------------------- out: responses */

/* A forward proxy's clients have asked the origin itself, which is not to be dressed up. */
static bool rewrites_server(const struct config *cfg)
{
    return !cfg->no_server_rewrite && !cfg->http2_proxy;
}

static bool rewrites_location(const struct config *cfg)
{
    return !cfg->no_location_rewrite && !cfg->http2_proxy;
}

static bool drop_from_response(const void *ctx, uint8_t token)
{
    const struct exchange *x = ctx;
    const struct config *cfg = x->worker->cfg;
    switch (token) {
    case H2_TOKEN_CONTENT_LENGTH:
        return true;
    case H2_TOKEN_SERVER:
        return rewrites_server(cfg);
    case H2_TOKEN_VIA:
        return !cfg->no_via;
    case H2_TOKEN_LOCATION:
        return rewrites_location(cfg);
    case H2_TOKEN_SEC_WEBSOCKET_ACCEPT:
        return x->tunnel.open && x->tunnel.wanted == TUNNEL_WEBSOCKET;
    default:
        return false;
    }
}

static struct str host_of(struct str authority)
{
    size_t len;
    int port;
    h1_authority_split(authority.s, authority.len, &len, &port);
    return (struct str){authority.s, len};
}

/* Location: an absolute URI whose host is the one that the backend was asked for becomes one that
 * the client can use. */
static struct str rewrite_location(struct exchange *x, const struct h2_field *f)
{
    const struct request *r = &x->request;
    struct str value = {f->value, f->value_len};
    size_t scheme = 0;
    if (value.len > 7 && strncasecmp(value.s, "http://", 7) == 0) {
        scheme = 7;
    } else if (value.len > 8 && strncasecmp(value.s, "https://", 8) == 0) {
        scheme = 8;
    }
    if (scheme == 0 || r->authority.len == 0) {
        return value;
    }
    size_t end = scheme;
    while (end < value.len && value.s[end] != '/' && value.s[end] != '?' && value.s[end] != '#') {
        end++;
    }
    struct str there = {value.s + scheme, end - scheme};
    if (!h1_authority_valid(there.s, there.len)) {
        return value;
    }
    struct str asked = x->worker->cfg->host_rewrite ? backend_authority(x) : r->authority;
    struct str a = host_of(there), b = host_of(asked);
    if (a.len != b.len || strncasecmp(a.s, b.s, a.len) != 0) {
        return value;
    }
    char *out = arena_alloc(&x->arena, 8 + r->authority.len + value.len), *p = out;
    p = mempcpy(p, x->client->tls ? "https://" : "http://", x->client->tls ? 8 : 7);
    p = mempcpy(p, r->authority.s, r->authority.len);
    p = mempcpy(p, value.s + end, value.len - end);
    return (struct str){out, (size_t)(p - out)};
}

/* The cookie by which the client finds its backend again. */
static struct str affinity_cookie(struct exchange *x)
{
    static const char *const same_site[] = {[CFG_SAME_SITE_STRICT] = "Strict",
                                            [CFG_SAME_SITE_LAX] = "Lax",
                                            [CFG_SAME_SITE_NONE] = "None"};
    const struct cfg_backend *said = x->group->group->affinity;
    struct affinity_cookie c = {.name = said->cookie_name,
                                .path = said->cookie_path,
                                .secure = said->cookie_secure,
                                .http_only = said->cookie_http_only,
                                .same_site = same_site[said->cookie_same_site],
                                .max_age = said->cookie_max_age};
    size_t len = affinity_set_cookie(NULL, 0, &c, x->affinity, x->client->tls);
    char *value = arena_alloc(&x->arena, len + 1);
    affinity_set_cookie(value, len + 1, &c, x->affinity, x->client->tls);
    return (struct str){value, len};
}

/* The 101 of an open tunnel; Connection: Upgrade is added where it is written. */
static void put_switching(struct exchange *x, struct field_list *l)
{
    assert(x->tunnel.open);
    struct str spoken =
        join(x, &x->response.m, H2_TOKEN_UPGRADE, true, ", ", (struct str){NULL, 0});
    put_str(l, H2_TOKEN_UPGRADE, spoken.len > 0 ? spoken : x->tunnel.protocols);
    if (x->tunnel.wanted == TUNNEL_WEBSOCKET) {
        put_str(l, H2_TOKEN_SEC_WEBSOCKET_ACCEPT, tunnel_websocket_accept(x));
    }
}

struct field_list message_response_fields(struct exchange *x, int http_major)
{
    const struct config *cfg = x->worker->cfg;
    const struct response *r = &x->response;
    /* Made by us: complete as it is. As in nghttpx, nothing is added to error pages. */
    bool page = x->error != EXCHANGE_OK, ours = page || x->own_answer;
    struct field_list l = list_new(x, r->m.nfields + 11 + cfg->nadd_response_header);
    if (http_major == 2) {
        put_number(x, &l, H2_TOKEN_PSEUDO_STATUS, (uint64_t)r->status);
    }
    if (r->status < 200 && !x->tunnel.open) {
        put_passing(&l, &r->m, drop_from_response, x);
        return l;
    }
    if (rewrites_server(cfg) && !ours) {
        put_token(&l, H2_TOKEN_SERVER, cfg->server_name, strlen(cfg->server_name));
    }
    if (ours) {
        for (size_t i = 0; i < r->m.nfields; i++) {
            put(&l, &r->m.fields[i]);
        }
    } else {
        put_passing(&l, &r->m, drop_from_response, x);
    }
    const struct h2_field *location = message_find(&r->m, H2_TOKEN_LOCATION);
    if (location != NULL && rewrites_location(cfg) && !ours) {
        put_str(&l, H2_TOKEN_LOCATION, rewrite_location(x, location));
    }
    if (r->m.content_length >= 0 && r->status != 204) { /* RFC 9110, 8.6: never with 204 */
        put_number(x, &l, H2_TOKEN_CONTENT_LENGTH, (uint64_t)r->m.content_length);
    }
    if (r->status == 101) {
        put_switching(x, &l);
    }
    if (!ours) {
        if (!cfg->no_via) {
            put_str(&l, H2_TOKEN_VIA, join(x, &r->m, H2_TOKEN_VIA, true, ", ", via_entry(&r->m)));
        }
        if (x->set_affinity) {
            put_str(&l, H2_TOKEN_SET_COOKIE, affinity_cookie(x));
        }
    }
    if (!page) {
        put_headers(&l, cfg->add_response_header, cfg->nadd_response_header);
    }
    return l;
}

/* ---------------------------------------------------------------- out: trailers */

/* Not what frames, routes, authenticates, modifies the request or controls the response (RFC
 * 9110, 6.5.1), or tells a browser whom to trust. */
static bool may_be_trailer(const struct h2_field *f)
{
    static const char cors[] = "access-control-", clear[] = "clear-site-data";
    if ((f->name_len >= sizeof(cors) - 1 && memcmp(f->name, cors, sizeof(cors) - 1) == 0) ||
        (f->name_len == sizeof(clear) - 1 && memcmp(f->name, clear, f->name_len) == 0)) {
        return false;
    }
    switch (f->token) {
    case H2_TOKEN_CONTENT_LENGTH:
    case H2_TOKEN_CONTENT_TYPE:
    case H2_TOKEN_CONTENT_ENCODING:
    case H2_TOKEN_CONTENT_RANGE:
    case H2_TOKEN_HOST:
    case H2_TOKEN_AUTHORIZATION:
    case H2_TOKEN_PROXY_AUTHORIZATION:
    case H2_TOKEN_PROXY_AUTHENTICATE:
    case H2_TOKEN_WWW_AUTHENTICATE:
    case H2_TOKEN_COOKIE:
    case H2_TOKEN_SET_COOKIE:
    case H2_TOKEN_CACHE_CONTROL:
    case H2_TOKEN_EXPECT:
    case H2_TOKEN_MAX_FORWARDS:
    case H2_TOKEN_RANGE:
    case H2_TOKEN_VIA:
    case H2_TOKEN_FORWARDED:
    case H2_TOKEN_X_FORWARDED_FOR:
    case H2_TOKEN_X_FORWARDED_HOST:
    case H2_TOKEN_X_FORWARDED_PORT:
    case H2_TOKEN_X_FORWARDED_PROTO:
    case H2_TOKEN_X_REAL_IP:
    case H2_TOKEN_TRAILER:
    case H2_TOKEN_AGE:
    case H2_TOKEN_DATE:
    case H2_TOKEN_EXPIRES:
    case H2_TOKEN_ALT_SVC:
    case H2_TOKEN_CONTENT_SECURITY_POLICY:
    case H2_TOKEN_EARLY_DATA:
    case H2_TOKEN_REFRESH:
    case H2_TOKEN_SERVER:
    case H2_TOKEN_STRICT_TRANSPORT_SECURITY:
    case H2_TOKEN_LOCATION:
    case H2_TOKEN_RETRY_AFTER:
    case H2_TOKEN_VARY:
    case H2_TOKEN_IF_MATCH:
    case H2_TOKEN_IF_NONE_MATCH:
    case H2_TOKEN_IF_MODIFIED_SINCE:
    case H2_TOKEN_IF_UNMODIFIED_SINCE:
    case H2_TOKEN_IF_RANGE:
        return false;
    default:
        return !is_hop_by_hop(f->token);
    }
}

struct field_list message_trailers(struct exchange *x, const struct message *m)
{
    struct field_list l = list_new(x, m->ntrailers + 1);
    bool request = m == &x->request.m;
    /* An HTTP/1 client says with TE whether it can do anything with trailers (RFC 9110, 6.5.1).
     * HTTP/2's trailer section is a part of every message, kept apart from the head. */
    if (!request && x->request.m.http_major == 1 && !x->request.te_trailers) {
        return l;
    }
    struct nominated nominated;
    find_nominated(m, &nominated);
    for (size_t i = 0; i < m->ntrailers; i++) {
        const struct h2_field *f = &m->trailers[i];
        bool dropped =
            request && f->token == H2_TOKEN_NONE && request_drops_name(x, f->name, f->name_len);
        if (may_be_trailer(f) && !dropped && !is_nominated(&nominated, f)) {
            put(&l, f);
        }
    }
    return l;
}
