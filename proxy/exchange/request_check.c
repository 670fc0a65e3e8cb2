/* Rules for requests that hold for HTTP/1 and HTTP/2 alike. */
#include "exchange/request_check.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "h1parser.h"
#include "process/worker.h"

/*
 * The host must be one to every reader: what is routed by here is looked at again by the backend
 * (RFC 9110, 7.2). A port goes on in one spelling (RFC 3986, 6.2.3), an empty one not at all.
 */
static bool check_authority(struct exchange *x)
{
    struct str *a = &x->request.authority;
    size_t host_len;
    int port;
    if (a->len == 0) {
        return true; /* HTTP/1.0; HTTP/2 without is refused by h2core */
    }
    if (!h1_authority_split(a->s, a->len, &host_len, &port)) {
        return false;
    }
    if (port < 0) {
        a->len = host_len;
        return true;
    }
    size_t digits = host_len + 1;
    while (a->s[digits] == '0') { /* ends: a port is not 0 */
        digits++;
    }
    if (digits > host_len + 1) {
        char *s = arena_alloc(&x->arena, a->len);
        memcpy(s, a->s, host_len + 1);
        memcpy(s + host_len + 1, a->s + digits, a->len - digits);
        *a = (struct str){s, a->len - (digits - host_len - 1)};
    }
    return true;
}

/*
 * RFC 9110, 10.1.1: one expectation is known. Any other gets 417, and so does a second one: of two,
 * each side may see another one, and then they do not agree whether a body comes.
 */
static bool check_expect(struct exchange *x)
{
    static const char word[] = "100-continue";
    struct request *r = &x->request;
    bool seen = false;
    for (size_t i = 0; i < r->m.nfields; i++) {
        const struct h2_field *f = &r->m.fields[i];
        if (f->token != H2_TOKEN_EXPECT) {
            continue;
        }
        if (seen || f->value_len != sizeof(word) - 1 ||
            strncasecmp(f->value, word, sizeof(word) - 1) != 0) {
            return false;
        }
        seen = true;
    }
    /* MUST be ignored in HTTP/1.0. */
    r->expect_continue = seen && (r->m.http_major == 2 || r->m.http_minor == 1);
    return true;
}

/* What the proxy sets, removes or frames with. */
static bool is_ours(uint8_t token)
{
    switch (token) {
    case H2_TOKEN_CONNECTION:
    case H2_TOKEN_CONTENT_LENGTH:
    case H2_TOKEN_EARLY_DATA:
    case H2_TOKEN_EXPECT:
    case H2_TOKEN_FORWARDED:
    case H2_TOKEN_HOST:
    case H2_TOKEN_HTTP2_SETTINGS:
    case H2_TOKEN_KEEP_ALIVE:
    case H2_TOKEN_MAX_FORWARDS:
    case H2_TOKEN_PROXY_CONNECTION:
    case H2_TOKEN_TE:
    case H2_TOKEN_TRAILER:
    case H2_TOKEN_TRANSFER_ENCODING:
    case H2_TOKEN_UPGRADE:
    case H2_TOKEN_VIA:
    case H2_TOKEN_X_FORWARDED_FOR:
    case H2_TOKEN_X_FORWARDED_HOST:
    case H2_TOKEN_X_FORWARDED_PORT:
    case H2_TOKEN_X_FORWARDED_PROTO:
    case H2_TOKEN_X_REAL_IP:
        return true;
    default:
        return false;
    }
}

static bool is_added(const struct config *cfg, const char *name, size_t len)
{
    for (size_t i = 0; i < cfg->nadd_request_header; i++) {
        const char *ours = cfg->add_request_header[i].name;
        size_t n = 0;
        while (n < len && ours[n] != '\0' &&
               (name[n] == '_' ? '-' : name[n]) ==
                   (ours[n] == '_' ? '-' : tolower((unsigned char)ours[n]))) {
            n++;
        }
        /* The name itself may come from a client too: it is added to, not replaced. */
        if (n == len && ours[n] == '\0' && strncasecmp(ours, name, len) != 0) {
            return true;
        }
    }
    return false;
}

bool request_drops_name(const struct exchange *x, const char *name, size_t len)
{
    const struct config *cfg = x->worker->cfg;
    char dashed[32]; /* longer than any name with a token */
    if (memchr(name, '_', len) == NULL) {
        return false;
    }
    if (cfg->header_underscores != CFG_UNDERSCORES_KEEP || is_added(cfg, name, len)) {
        return true;
    }
    if (len > sizeof(dashed)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        dashed[i] = name[i] == '_' ? '-' : name[i];
    }
    return is_ours(h2_token_lookup(dashed, len));
}

static bool check_names(struct exchange *x)
{
    struct message *m = &x->request.m;
    bool refuse = x->worker->cfg->header_underscores == CFG_UNDERSCORES_REFUSE;
    size_t kept = 0;
    for (size_t i = 0; i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (f->token != H2_TOKEN_NONE || !request_drops_name(x, f->name, f->name_len)) {
            m->fields[kept++] = *f;
        } else if (refuse) {
            return false;
        }
    }
    m->nfields = kept;
    return true;
}

/* A number of Max-Forwards less one, in place of it. Not digits: false. */
static bool count_down(struct exchange *x, struct h2_field *f, bool *zero)
{
    char *digits = arena_alloc(&x->arena, f->value_len + 1);
    size_t n = 0;
    for (uint32_t i = 0; i < f->value_len; i++) {
        if (f->value[i] < '0' || f->value[i] > '9') {
            return false;
        }
        if (n > 0 || f->value[i] != '0') { /* without leading zeros */
            digits[n++] = f->value[i];
        }
    }
    *zero = n == 0;
    if (n == 0) {
        return f->value_len > 0;
    }
    size_t at = n - 1;
    while (digits[at] == '0') { /* ends: the first is none */
        digits[at--] = '9';
    }
    digits[at]--;
    bool shorter = n > 1 && digits[0] == '0';
    f->value = digits + shorter;
    f->value_len = (uint32_t)(n - shorter);
    return true;
}

/* RFC 9110, 7.6.2: for these two methods it MUST be looked at. */
static enum exchange_error check_max_forwards(struct exchange *x)
{
    struct request *r = &x->request;
    bool seen = false, zero = false;
    if (r->method != H1_METHOD_OPTIONS && r->method != H1_METHOD_TRACE) {
        return EXCHANGE_OK;
    }
    for (size_t i = 0; i < r->m.nfields; i++) {
        struct h2_field *f = &r->m.fields[i];
        if (f->token != H2_TOKEN_MAX_FORWARDS) {
            continue;
        }
        if (seen || !count_down(x, f, &zero)) {
            return EXCHANGE_CLIENT_PROTOCOL;
        }
        seen = true;
    }
    if (!zero) {
        return EXCHANGE_OK;
    }
    /* OPTIONS gets an answer without content. What TRACE is for, to show the request as it came,
     * would hand out what the fields keep from scripts: that is not done. */
    return r->method == H1_METHOD_OPTIONS ? EXCHANGE_LAST_HOP : EXCHANGE_NOT_IMPLEMENTED;
}

bool request_scheme_allowed(const struct exchange *x, struct str scheme)
{
    bool http = scheme.len == 4 && strncasecmp(scheme.s, "http", 4) == 0;
    bool https = scheme.len == 5 && strncasecmp(scheme.s, "https", 5) == 0;
    const struct config *cfg = x->worker->cfg;
    /* A forward proxy is asked for the origin's. */
    bool any = cfg->http2_proxy || !cfg->require_http_scheme;
    return any ? http || https : x->client->tls ? https : http;
}

enum exchange_error request_check(struct exchange *x)
{
    const struct request *r = &x->request;
    if (!check_authority(x) || !check_names(x)) {
        return EXCHANGE_CLIENT_PROTOCOL;
    }
    if (!check_expect(x)) {
        return EXCHANGE_CLIENT_EXPECTATION;
    }
    if (r->method == H1_METHOD_TRACE && r->m.has_body && r->m.content_length != 0) {
        return EXCHANGE_CLIENT_PROTOCOL; /* RFC 9110, 9.3.8: MUST NOT have content */
    }
    return check_max_forwards(x);
}
