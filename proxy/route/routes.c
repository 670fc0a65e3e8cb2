/* Patterns to groups to backends, made from the configuration. */
#include "route/routes.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/exchange.h"
#include "net/block.h"
#include "net/via.h"
#include "ops/log.h"
#include "route/router.h"
#include "tls/tls_back.h"

/* ---------------------------------------------------------------- making */

static char *format_authority(const struct cfg_backend *b)
{
    if (b->kind != CFG_KIND_SERVER) {
        return NULL;
    }
    if (b->addr.path != NULL) {
        return xstrdup("localhost");
    }
    if (b->dns == CFG_DNS_SRV) {
        return xstrdup(cfg_service_domain(b->addr.host)); /* the records have their own ports */
    }
    bool v6 = strchr(b->addr.host, ':') != NULL;
    uint16_t usual = b->tls ? 443 : 80;
    size_t cap = strlen(b->addr.host) + 16;
    char *s = xmalloc(cap);
    int n = snprintf(s, cap, v6 ? "[%s]" : "%s", b->addr.host);
    if (b->addr.port != usual) {
        snprintf(s + n, cap - (size_t)n, ":%u", b->addr.port);
    }
    return s;
}

static char *format_label(const struct cfg_backend *b)
{
    const char *name = b->addr.path != NULL ? b->addr.path : b->addr.host;
    size_t cap = 32 + (name != NULL ? strlen(name) : 0);
    char *s = xmalloc(cap);
    if (b->kind != CFG_KIND_SERVER) {
        snprintf(s, cap, "%s=%u", b->kind == CFG_KIND_RESPOND ? "respond" : "redirect", b->status);
    } else if (b->addr.path != NULL) {
        snprintf(s, cap, "unix:%s", b->addr.path);
    } else {
        snprintf(s, cap, "%s,%u", b->addr.host, b->addr.port);
    }
    return s;
}

static bool resolve_unix(struct backend *b)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(b->cfg->addr.path);
    assert(len < sizeof(un.sun_path)); /* checked with the configuration */
    memcpy(un.sun_path, b->cfg->addr.path, len + 1);
    b->addrs = xcalloc(1, sizeof(*b->addrs));
    memcpy(&b->addrs[0].addr, &un, sizeof(un));
    b->addrs[0].len = (socklen_t)sizeof(un);
    b->addrs[0].share = 1;
    b->naddrs = 1;
    return true;
}

static bool resolve_name(struct backend *b, const char *host, uint16_t number, int family)
{
    struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", number);
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0) {
        LOG(FATAL, "backend %s: the address %s does not resolve: %s", b->label, host,
            gai_strerror(rc));
        return false;
    }
    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        b->naddrs++;
    }
    b->addrs = xcalloc(b->naddrs, sizeof(*b->addrs));
    size_t i = 0;
    for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next, i++) {
        memcpy(&b->addrs[i].addr, ai->ai_addr, ai->ai_addrlen);
        b->addrs[i].len = ai->ai_addrlen;
        b->addrs[i].share = 1.0 / (double)b->naddrs;
    }
    freeaddrinfo(list);
    return true;
}

/* --backend-http-proxy-uri: the proxy's addresses stand for those of the backend, whose name is the
 * proxy's business. Only HTTP/2 backends are reached so. */
static bool resolve(struct backend *b, const struct routes *r)
{
    const struct cfg_proxy_uri *proxy = &r->cfg->backend_http_proxy_uri;
    if (b->cfg->kind != CFG_KIND_SERVER) {
        return true; /* it has none */
    }
    if (b->cfg->addr.path != NULL) {
        return resolve_unix(b);
    }
    if (proxy->host == NULL || b->cfg->proto != CFG_PROTO_HTTP2) {
        if (b->cfg->dns != CFG_DNS_NONE) {
            return true; /* they come and go */
        }
        return resolve_name(b, b->cfg->addr.host, b->cfg->addr.port, r->family);
    }
    b->via = via_request(b->cfg->addr.host, b->cfg->addr.port, proxy->userinfo);
    return resolve_name(b, proxy->host, proxy->port, r->family);
}

/* False: its context cannot be made. Without `tls` none can, and that has been said. */
static bool set_tls(struct backend *b, struct tls_backs *tls)
{
    if (b->cfg->tls && tls != NULL) {
        b->ctx = tls_backs_ctx(tls, b->cfg, b->label);
    }
    return !b->cfg->tls || tls == NULL || b->ctx != NULL;
}

static struct group *find_group(struct routes *r, const char *pattern)
{
    int index = router_find(r->router, pattern);
    if (index != ROUTER_NONE) {
        return &r->groups[index];
    }
    if ((r->ngroups & (r->ngroups - 1)) == 0) { /* full: 0, 1, 2, 4 … */
        r->groups = xrealloc(r->groups, (r->ngroups > 0 ? 2 * r->ngroups : 1) * sizeof(*r->groups));
    }
    struct group *g = &r->groups[r->ngroups];
    *g = (struct group){.index = (uint32_t)r->ngroups,
                        .read_timeout = r->cfg->backend_read_timeout,
                        .queue_timeout = CFG_QUEUE_TIMEOUT,
                        .max_queue = CFG_MAX_QUEUE};
    if (router_add(r->router, pattern, (int)r->ngroups) != ROUTER_OK) {
        abort(); /* no memory */
    }
    r->ngroups++;
    return g;
}

/* What one backend of a pattern says holds for all of them; that they agree was checked with the
 * configuration. */
static void add_to_group(const struct routes *r, struct group *g, uint32_t backend)
{
    const struct cfg_backend *b = r->backends[backend].cfg;
    g->backends = xrealloc(g->backends, (g->nbackends + 1) * sizeof(*g->backends));
    g->backends[g->nbackends++] = backend;
    g->read_timeout = b->read_timeout != 0 ? b->read_timeout : g->read_timeout;
    g->balance = b->balance_said ? b : g->balance;
    g->answer = b->kind != CFG_KIND_SERVER ? b : g->answer;
    g->redirect_if_not_tls = g->redirect_if_not_tls || b->redirect_if_not_tls;
    g->affinity = b->affinity != CFG_AFFINITY_NONE ? b : g->affinity;
    g->queue_timeout = b->queue_timeout_said ? b->queue_timeout : g->queue_timeout;
    g->max_queue = b->max_queue_said ? b->max_queue : g->max_queue;
}

static const char *sub_group_name(const struct cfg_backend *b)
{
    return b->group != NULL ? b->group : "";
}

struct named {
    const char *name;
    size_t at;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Numbers the sub-groups, and gives each the weight that one of its backends says. */
static void set_sub_groups(const struct routes *r, struct group *g)
{
    struct named *list = xcalloc(g->nbackends, sizeof(*list));
    g->sub_groups = xcalloc(g->nbackends, sizeof(*g->sub_groups));
    g->sub_weights = xcalloc(g->nbackends, sizeof(*g->sub_weights));
    for (size_t i = 0; i < g->nbackends; i++) {
        list[i] = (struct named){sub_group_name(r->backends[g->backends[i]].cfg), i};
    }
    qsort(list, g->nbackends, sizeof(*list), by_name);
    uint32_t number = 0;
    for (size_t first = 0, end; first < g->nbackends; first = end, number++) {
        uint32_t weight = 1;
        for (end = first; end < g->nbackends && strcmp(list[end].name, list[first].name) == 0;
             end++) {
            uint32_t said = r->backends[g->backends[list[end].at]].cfg->group_weight;
            weight = said != 0 ? said : weight;
        }
        for (size_t i = first; i < end; i++) {
            g->sub_groups[list[i].at] = number;
            g->sub_weights[list[i].at] = weight;
        }
    }
    free(list);
}

/* Of connections, which may be of several patterns: the first one that says something counts. */
static void set_timeouts(struct routes *r)
{
    for (size_t i = 0; i < r->nbackends; i++) {
        r->backends[i].read_timeout = r->backends[i].cfg->read_timeout;
        r->backends[i].write_timeout = r->backends[i].cfg->write_timeout;
    }
    for (size_t i = 0; i < r->ngroups; i++) {
        const struct group *g = &r->groups[i];
        uint64_t read = 0, write = 0;
        for (size_t j = 0; j < g->nbackends; j++) {
            const struct cfg_backend *cfg = r->backends[g->backends[j]].cfg;
            read = cfg->read_timeout != 0 ? cfg->read_timeout : read;
            write = cfg->write_timeout != 0 ? cfg->write_timeout : write;
        }
        for (size_t j = 0; j < g->nbackends; j++) {
            struct backend *b = &r->backends[g->backends[j]];
            b->read_timeout = b->read_timeout != 0 ? b->read_timeout : read;
            b->write_timeout = b->write_timeout != 0 ? b->write_timeout : write;
        }
    }
    for (size_t i = 0; i < r->nbackends; i++) {
        struct backend *b = &r->backends[i];
        b->read_timeout = b->read_timeout != 0 ? b->read_timeout : r->cfg->backend_read_timeout;
        b->write_timeout = b->write_timeout != 0 ? b->write_timeout : r->cfg->backend_write_timeout;
    }
}

struct routes *routes_new(const struct config *cfg)
{
    static const int families[] = {
        [CFG_FAMILY_AUTO] = AF_UNSPEC, [CFG_FAMILY_IPV4] = AF_INET, [CFG_FAMILY_IPV6] = AF_INET6};
    struct routes *r = xcalloc(1, sizeof(*r));
    bool ok = true;
    atomic_init(&r->refs, 1);
    r->cfg = cfg_ref(cfg);
    r->family = families[cfg->backend_address_family];
    r->router = router_new();
    if (r->router == NULL) {
        abort(); /* no memory */
    }
    r->backends = xcalloc(cfg->nbackend + 1, sizeof(*r->backends));
    struct tls_backs *tls = tls_backs_new(cfg);
    ok = tls != NULL;
    for (size_t i = 0; i < cfg->nbackend; i++) {
        const struct cfg_backend *cb = &cfg->backend[i];
        struct backend *b = &r->backends[r->nbackends++];
        b->cfg = cb;
        b->authority = format_authority(cb);
        b->label = format_label(cb);
        b->sni = cb->sni != NULL ? cb->sni : cb->addr.host;
        ok = resolve(b, r) && ok;
        ok = set_tls(b, tls) && ok;
        for (size_t j = 0; j < cb->npatterns; j++) {
            add_to_group(r, find_group(r, cb->patterns[j]), (uint32_t)i);
        }
    }
    tls_backs_free(tls);
    for (size_t i = 0; i < r->ngroups; i++) {
        set_sub_groups(r, &r->groups[i]);
    }
    set_timeouts(r);
    if (router_seal(r->router) != ROUTER_OK) {
        abort(); /* no memory */
    }
    if (!ok) {
        routes_unref(r);
        return NULL;
    }
    return r;
}

struct routes *routes_ref(struct routes *r)
{
    atomic_fetch_add(&r->refs, 1);
    return r;
}

void routes_unref(struct routes *r)
{
    if (r == NULL || atomic_fetch_sub(&r->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < r->ngroups; i++) {
        free(r->groups[i].backends);
        free(r->groups[i].sub_groups);
        free(r->groups[i].sub_weights);
    }
    for (size_t i = 0; i < r->nbackends; i++) {
        free(r->backends[i].addrs);
        free(r->backends[i].authority);
        free(r->backends[i].label);
        free(r->backends[i].via);
        SSL_CTX_free(r->backends[i].ctx);
    }
    router_free(r->router);
    free(r->groups);
    free(r->backends);
    cfg_unref(r->cfg);
    free(r);
}

/* ---------------------------------------------------------------- matching */

const struct group *routes_match(const struct routes *r, const struct request *req, const char *sni)
{
    const char *host = req->authority.s;
    size_t host_len = 0;
    int port;
    if (sni != NULL) {
        host = sni;
        host_len = strlen(sni);
    } else if (req->authority.len > 0) {
        h1_authority_split(req->authority.s, req->authority.len, &host_len, &port);
    }
    if (host_len > 1 && host[host_len - 1] == '.') {
        host_len--; /* the same name, from the root (RFC 3986, 3.2.2) */
    }
    int index = router_match(r->router, host, host_len, req->path.s, req->path_len);
    assert(index >= 0 && (size_t)index < r->ngroups); /* a catch-all is mandatory */
    return &r->groups[index];
}
