/* Pools: opening connections to an address, and standing back from one that does not answer. */
#include "back/back.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"

/* ---------------------------------------------------------------- life */

static void format_address(const struct backend_addr *a, char *buf, size_t cap)
{
    char host[64];
    const struct sockaddr *sa = (const struct sockaddr *)&a->addr;
    if (sa->sa_family == AF_UNIX) {
        snprintf(buf, cap, "unix:%s", ((const struct sockaddr_un *)(const void *)sa)->sun_path);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(buf, cap, "%s,%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(buf, cap, "%s,%u", host, ntohs(in->sin_port));
    }
}

struct pool *pool_new(struct worker *w, struct routes *routes, const struct backend *b,
                      const struct backend_addr *addr, char *key)
{
    struct pool *p = xcalloc(1, sizeof(*p));
    *p = (struct pool){.worker = w,
                       .routes = routes_ref(routes),
                       .backend = b,
                       .addr = *addr,
                       .key = key,
                       .id = ++w->last_pool_id,
                       .refs = 1};
    format_address(addr, p->name, sizeof(p->name));
    list_init(&p->idle);
    list_init(&p->h2);
    list_init(&p->connections);
    list_init(&p->freed_node);
    list_init(&p->reap.node);
    list_append(&w->pools, &p->node);
    return p;
}

static void free_pool(struct reap *r)
{
    struct pool *p = container_of(r, struct pool, reap);
    assert(p->nconns == 0 && p->load == 0);
    routes_unref(p->routes);
    free(p->key);
    free(p);
}

struct pool *pool_ref(struct pool *p)
{
    assert(p->refs > 0);
    p->refs++;
    return p;
}

void pool_unref(struct pool *p)
{
    assert(p->refs > 0);
    p->refs--;
    if (p->refs == 0) {
        list_remove(&p->node);
        list_remove(&p->freed_node);
        worker_reap(p->worker, &p->reap, free_pool);
    }
}

void pool_belongs_to(struct pool *p, struct routes *routes, const struct backend *b)
{
    routes_ref(routes);
    routes_unref(p->routes);
    p->routes = routes;
    p->backend = b;
}

void pool_close_idle(struct pool *p)
{
    back_h1_close_idle(p);
}

void pool_close_all(struct pool *p)
{
    back_h1_close_idle(p);
    back_h2_close_all(p);
}

void pool_retire(struct pool *p)
{
    p->retired = true;
    back_h1_close_idle(p);
    back_h2_retire(p);
}

/* ---------------------------------------------------------------- room */

static bool may_open(const struct pool *p)
{
    uint32_t most = p->backend->cfg->max_conns;
    return most == 0 || p->nconns < most;
}

bool pool_has_room(const struct pool *p, const struct client_info *client)
{
    return may_open(p) || p->nidle > 0 || back_h2_has_stream(p, client) || back_h2_has_unused(p);
}

void pool_make_room(struct pool *p)
{
    if (!may_open(p)) {
        back_h1_close_last(p);
        back_h2_close_unused(p);
    }
}

void pool_settle(struct pool *p)
{
    uint32_t most = p->backend->cfg->max_idle;
    if (most != 0 && p->nidle > most) {
        back_h1_close_last(p);
    }
    pool_freed(p);
}

void pool_freed(struct pool *p)
{
    if (p->worker->nwaiting > 0 && list_empty(&p->freed_node)) {
        list_append(&p->worker->freed, &p->freed_node);
    }
}

/* ---------------------------------------------------------------- connecting */

struct conn *pool_connect(struct pool *p, const struct conn_ops *ops, void *user, const char *alpn)
{
    const struct config *cfg = p->worker->cfg;
    const struct backend *b = p->backend;
    struct conn_target target = {.addr = (const struct sockaddr *)&p->addr.addr,
                                 .addr_len = p->addr.len,
                                 .ctx = b->cfg->tls ? p->worker->client_ctx : NULL,
                                 .sni = b->sni,
                                 .verify = !cfg->insecure,
                                 .alpn = alpn,
                                 .connect_timeout = cfg->backend_connect_timeout,
                                 .write_timeout = b->cfg->write_timeout != 0
                                                      ? b->cfg->write_timeout
                                                      : cfg->backend_write_timeout};
    struct conn *c = conn_connect(p->worker, &target, ops, user);
    if (c != NULL) {
        p->nconns++;
        pool_ref(p);
        pool_introduce(p, c, NULL);
    }
    return c;
}

void pool_introduce(const struct pool *p, struct conn *c, const struct client_info *client)
{
    static const struct endpoint nobody;
    uint8_t header[PROXYPROTO_WRITE_MOST];
    if (!pool_sends_proxy(p)) {
        return;
    }
    unsigned version = p->backend->cfg->send_proxy == CFG_SEND_PROXY_V1 ? 1 : 2;
    size_t len = proxyproto_write(header, version, client != NULL ? &client->from : &nobody,
                                  client != NULL ? &client->to : &nobody);
    conn_set_preface(c, header, len);
}

void pool_conn_gone(struct pool *p)
{
    assert(p->nconns > 0);
    p->nconns--;
    pool_freed(p);
    pool_unref(p);
}

void pool_connected(struct pool *p)
{
    p->failures = 0;
    p->blocked_until = 0;
}

void pool_connect_failed(struct pool *p, const char *why)
{
    if ((p->failures & (p->failures + 1)) ==
        0) { /* the 1st, 2nd, 4th …: an outage must not flood the log */
        LOG(WARN, "backend %s: no connection: %s (%u in a row)", p->backend->label, why,
            p->failures + 1);
    }
    double wait = 1.0;
    for (uint32_t i = 0; i < p->failures && i < 10; i++) {
        wait *= 1.6;
    }
    p->failures++;
    double jitter = 0.8 + 0.4 * (double)rand_r(&p->worker->seed) / (double)RAND_MAX;
    uint64_t ms = (uint64_t)(wait * jitter * 1000.0), cap = p->worker->cfg->backend_max_backoff;
    p->blocked_until = clock_ms() + (ms < cap ? ms : cap);
}

/* ---------------------------------------------------------------- exchanges */

bool back_take(struct pool *p, struct exchange *x)
{
    return p->backend->cfg->proto == CFG_PROTO_HTTP2 ? back_h2_take(p, x) : back_h1_take(p, x);
}

enum exchange_error back_death(enum exchange_error why, bool kept, bool answered)
{
    return why == EXCHANGE_BACKEND_GONE && !kept && !answered ? EXCHANGE_BACKEND_NO_ANSWER : why;
}

enum exchange_error back_error(enum conn_error why)
{
    switch (why) {
    case CONN_ERR_CONNECT:
        return EXCHANGE_BACKEND_CONNECT;
    case CONN_ERR_CONNECT_TIMEOUT:
        return EXCHANGE_BACKEND_CONNECT_TIMEOUT;
    case CONN_ERR_TLS:
        return EXCHANGE_BACKEND_TLS;
    case CONN_ERR_WRITE_TIMEOUT:
        return EXCHANGE_BACKEND_TIMEOUT;
    case CONN_ERR_IO:
        return EXCHANGE_BACKEND_GONE;
    }
    return EXCHANGE_INTERNAL;
}
