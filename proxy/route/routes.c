/* Patterns to groups to backends: made from the configuration, and the choice of a backend. */
#include "route/routes.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "back/back.h"
#include "exchange/exchange.h"
#include "net/block.h"
#include "net/clock.h"
#include "net/via.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/router.h"

/* ---------------------------------------------------------------- making */

static char *format_authority(const struct cfg_backend *b)
{
    if (b->addr.path != NULL) {
        return xstrdup("localhost");
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
    size_t cap = 32 + strlen(b->addr.path != NULL ? b->addr.path : b->addr.host);
    char *s = xmalloc(cap);
    if (b->addr.path != NULL) {
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
    b->naddrs = 1;
    return true;
}

static bool resolve_name(struct backend *b, const char *host, uint16_t number,
                         enum cfg_family family)
{
    static const int families[] = {
        [CFG_FAMILY_AUTO] = AF_UNSPEC, [CFG_FAMILY_IPV4] = AF_INET, [CFG_FAMILY_IPV6] = AF_INET6};
    struct addrinfo hints = {
        .ai_family = families[family], .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", number);
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0) {
        LOG(FATAL, "backend: %s: the address %s does not resolve: %s", b->label, host,
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
    }
    freeaddrinfo(list);
    return true;
}

/* --backend-http-proxy-uri: the proxy's addresses stand for those of the backend, whose name is the
 * proxy's business. Only HTTP/2 backends are reached so. */
static bool resolve(struct backend *b, const struct config *cfg)
{
    enum cfg_family family = (enum cfg_family)cfg->backend_address_family;
    const struct cfg_proxy_uri *proxy = &cfg->backend_http_proxy_uri;
    if (b->cfg->addr.path != NULL) {
        return resolve_unix(b);
    }
    if (proxy->host == NULL || b->cfg->proto != CFG_PROTO_HTTP2) {
        return resolve_name(b, b->cfg->addr.host, b->cfg->addr.port, family);
    }
    b->via = via_request(b->cfg->addr.host, b->cfg->addr.port, proxy->userinfo);
    return resolve_name(b, proxy->host, proxy->port, family);
}

static struct group *find_group(struct routes *r, const char *pattern)
{
    int index = router_find(r->router, pattern);
    if (index != ROUTER_NONE) {
        return &r->groups[index];
    }
    r->groups = xrealloc(r->groups, (r->ngroups + 1) * sizeof(*r->groups));
    struct group *g = &r->groups[r->ngroups];
    *g = (struct group){.index = (uint32_t)r->ngroups};
    if (router_add(r->router, pattern, (int)r->ngroups) != ROUTER_OK) {
        abort(); /* no memory */
    }
    r->ngroups++;
    return g;
}

static void add_to_group(const struct routes *r, struct group *g, uint32_t backend)
{
    g->backends = xrealloc(g->backends, (g->nbackends + 1) * sizeof(*g->backends));
    g->backends[g->nbackends++] = backend;
    g->naddrs += r->backends[backend].naddrs;
}

struct routes *routes_new(const struct config *cfg)
{
    struct routes *r = xcalloc(1, sizeof(*r));
    bool ok = true;
    r->router = router_new();
    if (r->router == NULL) {
        abort(); /* no memory */
    }
    r->backends = xcalloc(cfg->nbackend + 1, sizeof(*r->backends));
    for (size_t i = 0; i < cfg->nbackend; i++) {
        const struct cfg_backend *cb = &cfg->backend[i];
        struct backend *b = &r->backends[r->nbackends++];
        b->cfg = cb;
        b->authority = format_authority(cb);
        b->label = format_label(cb);
        b->sni = cb->sni != NULL ? cb->sni : cb->addr.host;
        ok = resolve(b, cfg) && ok;
        for (size_t j = 0; j < cb->npatterns; j++) {
            add_to_group(r, find_group(r, cb->patterns[j]), (uint32_t)i);
        }
    }
    if (!ok) {
        routes_free(r);
        return NULL;
    }
    return r;
}

void routes_free(struct routes *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->ngroups; i++) {
        free(r->groups[i].backends);
    }
    for (size_t i = 0; i < r->nbackends; i++) {
        free(r->backends[i].addrs);
        free(r->backends[i].authority);
        free(r->backends[i].label);
        free(r->backends[i].via);
    }
    router_free(r->router);
    free(r->groups);
    free(r->backends);
    free(r);
}

/* ---------------------------------------------------------------- choosing */

const struct group *routes_match(const struct routes *r, const struct request *req)
{
    size_t host_len = 0;
    int port;
    if (req->authority.len > 0) {
        h1_authority_split(req->authority.s, req->authority.len, &host_len, &port);
    }
    int index = router_match(r->router, req->authority.s, host_len, req->path.s, req->path_len);
    assert(index >= 0 && (size_t)index < r->ngroups); /* a catch-all is mandatory */
    return &r->groups[index];
}

struct pool *routes_pick(struct worker *w, const struct group *g)
{
    uint64_t now = clock_ms();
    struct pool *blocked = NULL;
    for (size_t i = 0; i < g->nbackends; i++) {
        uint32_t turn = w->group_turns[g->index]++;
        struct pool *p = &w->pools[g->backends[turn % g->nbackends]];
        if (p->blocked_until <= now) {
            return p;
        }
        blocked = blocked == NULL || p->blocked_until < blocked->blocked_until ? p : blocked;
    }
    return blocked; /* all failed lately: better the one that may be back first than no try at all
                     */
}
