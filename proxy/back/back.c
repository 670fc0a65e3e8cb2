/* Pools: opening connections to an address, and standing back from one that does not answer. */
#include "back/back_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "back/probe.h"
#include "config.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"
#include "tls/tls.h"
#include "tls/tls_store.h"

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

static char *format_text(const char *label, const char *name)
{
    size_t cap = strlen(label) + strlen(name) + sizeof(" at ");
    char *text = xmalloc(cap);
    bool same = strcmp(label, name) == 0;
    snprintf(text, cap, "%s%s%s", label, same ? "" : " at ", same ? "" : name);
    return text;
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
                       .refs = 1,
                       .speaks = CFG_PROTO_AUTO,
                       .sessions = b->ctx != NULL ? tls_store_new() : NULL};
    format_address(addr, p->name, sizeof(p->name));
    p->text = format_text(b->label, p->name);
    p->health = health_get(key, b->cfg);
    list_init(&p->idle);
    list_init(&p->opening);
    list_init(&p->undecided);
    list_init(&p->h2);
    list_init(&p->connections);
    list_init(&p->freed_node);
    list_init(&p->reap.node);
    list_append(&w->pools, &p->node);
    probe_start(p);
    return p;
}

static void free_pool(struct reap *r)
{
    struct pool *p = container_of(r, struct pool, reap);
    assert(p->nconns == 0 && p->load == 0);
    list_remove(&p->freed_node);
    probe_free(p);
    health_put(p->health);
    routes_unref(p->routes);
    tls_store_unref(p->sessions);
    free(p->key);
    free(p->text);
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
        worker_reap(p->worker, &p->reap, free_pool);
    }
}

/* Its connections count as those of another line now. */
static void count_as(struct pool *p, struct health *h)
{
    for (uint32_t i = 0; i < p->nconns; i++) {
        (void)health_take_conn(h, 0);
        health_give_conn(p->health);
    }
    health_put(p->health);
    p->health = h;
}

void pool_belongs_to(struct pool *p, struct routes *routes, const struct backend *b)
{
    /* The files may have changed, and what was verified by the old ones need not be good now. */
    if (p->sessions != NULL && b->ctx != p->backend->ctx) {
        tls_store_clear(p->sessions);
    }
    routes_ref(routes);
    routes_unref(p->routes);
    p->routes = routes;
    if (p->backend == b) {
        return;
    }
    struct health *h = health_get(p->key, b->cfg);
    if (h->slot != p->health->slot) {
        probe_stop(p); /* else what it is about to find out is as good as before */
    }
    p->backend = b;
    count_as(p, h);
    probe_start(p);
}

void pool_close_idle(struct pool *p)
{
    probe_stop(p);
    back_auto_close_idle(p);
    back_h1_close_idle(p);
}

void pool_close_all(struct pool *p)
{
    probe_stop(p);
    back_auto_close_idle(p);
    back_h1_close_idle(p);
    back_h2_close_all(p);
}

void pool_retire(struct pool *p)
{
    p->retired = true;
    probe_stop(p);
    back_auto_close_idle(p);
    back_h1_close_idle(p);
    back_h2_retire(p);
}

/* ---------------------------------------------------------------- room */

bool pool_may_open(const struct pool *p)
{
    uint32_t most = p->backend->cfg->max_conns;
    return most == 0 || health_conns(p->health) < most;
}

bool pool_has_room(const struct pool *p, const struct client_info *client)
{
    return pool_may_open(p) || p->nidle > 0 || back_h2_has_stream(p, client) ||
           back_auto_has_room(p) || back_h2_has_unused(p);
}

void pool_make_room(struct pool *p)
{
    if (!pool_may_open(p)) {
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
    if (p->backend->cfg->max_conns != 0 && worker_others_wait(p->worker)) {
        pool_yield(p);
    }
    pool_freed(p);
}

/*
 * With max-conns a connection that one worker keeps is one that another cannot open. Who has
 * requests of its own that wait gives only what is beyond its share, so that workers take turns
 * when there are fewer connections than workers.
 */
void pool_yield(struct pool *p)
{
    const struct worker *w = p->worker;
    uint32_t most = p->backend->cfg->max_conns;
    bool more_than_share = p->nconns > most / w->cfg->workers;
    if (most == 0 || pool_may_open(p) || (atomic_load(&w->nwaiting) > 0 && !more_than_share)) {
        return;
    }
    if (p->nidle > 0) {
        back_h1_close_last(p);
    } else {
        back_h2_give_one(p, more_than_share);
    }
}

void pool_freed(struct pool *p)
{
    struct worker *w = p->worker;
    if (atomic_load(&w->nwaiting) > 0 && list_empty(&p->freed_node)) {
        list_append(&w->freed, &p->freed_node);
    }
}

/* ---------------------------------------------------------------- connecting */

struct conn *pool_connect(struct pool *p, const struct conn_ops *ops, void *user, const char *alpn)
{
    const struct config *cfg = p->worker->cfg;
    const struct backend *b = p->backend;
    struct tls_peer peer = {.ctx = b->ctx, .name = b->sni, .alpn = alpn, .store = p->sessions};
    struct conn_target target = {.addr = (const struct sockaddr *)&p->addr.addr,
                                 .addr_len = p->addr.len,
                                 .tls = b->ctx != NULL ? &peer : NULL,
                                 .connect_timeout = cfg->backend_connect_timeout,
                                 .write_timeout = b->write_timeout,
                                 .via = b->via,
                                 .via_timeout = cfg->backend_read_timeout};
    if (!health_take_conn(p->health, b->cfg->max_conns)) {
        return NULL;
    }
    struct conn *c = conn_connect(p->worker, &target, ops, user);
    if (c == NULL) {
        health_give_conn(p->health);
        return NULL;
    }
    p->nconns++;
    pool_ref(p);
    pool_introduce(p, c, NULL);
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
    health_give_conn(p->health);
    if (p->backend->cfg->max_conns != 0) {
        worker_wake_waiting(p->worker);
    }
    pool_freed(p);
    pool_unref(p);
}

static bool is_name(const char *alpn, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(alpn, name, len) == 0;
}

bool pool_agrees(const struct conn *c, enum cfg_proto proto)
{
    size_t len;
    const char *alpn = conn_alpn(c, &len);
    return c->tls == NULL ||
           (proto == CFG_PROTO_HTTP2 ? is_name(alpn, len, "h2")
                                     : len == 0 || is_name(alpn, len, "http/1.1"));
}

const char *pool_disagreement(const struct conn *c, const char *wanted, char buf[POOL_WHY_SIZE])
{
    char got[32];
    size_t len;
    const char *alpn = conn_alpn(c, &len);
    len = len < sizeof(got) ? len : sizeof(got) - 1;
    for (size_t i = 0; i < len; i++) { /* the peer may have said anything */
        got[i] = (char)(alpn[i] > 0x20 && alpn[i] < 0x7f ? alpn[i] : '?');
    }
    got[len] = '\0';
    snprintf(buf, POOL_WHY_SIZE, "ALPN: %s was offered, and %s chosen", wanted,
             len > 0 ? got : "nothing");
    return buf;
}

void pool_connected(struct pool *p)
{
    unsigned n = health_connected(p->health);
    if (n > 0) {
        LOG(NOTICE, "backend %s: connected again, after %u failures in a row", p->text, n);
    }
}

struct health_backoff pool_backoff(struct pool *p)
{
    return (struct health_backoff){.most = p->worker->cfg->backend_max_backoff,
                                   .random = (double)rand_r(&p->worker->seed) / (double)RAND_MAX};
}

void pool_probed(struct pool *p, bool *probes, bool good, const char *why)
{
    if (*probes) {
        *probes = false;
        probe_done(p, good, why);
    }
}

void pool_connect_failed(struct pool *p, bool *probes, bool silent, const char *why)
{
    if (*probes) {
        pool_probed(p, probes, false, why);
        return;
    }
    unsigned n;
    const struct cfg_backend *cfg = p->backend->cfg;
    enum health_change change =
        health_connect_failed(p->health, cfg, clock_ms(), pool_backoff(p), silent, &n);
    if (n != 0 && (n & (n - 1)) == 0) { /* the 1st, 2nd, 4th …: an outage must not flood the log */
        LOG(WARN, "backend %s: no connection: %s (%u in a row)", p->text, why, n);
    }
    if (change == HEALTH_FELL) {
        LOG(WARN, "backend %s: offline: %u connects failed in a row, the last one: %s", p->text, n,
            why);
        probe_wake(p);
    }
}

void pool_answered(struct pool *p, int status)
{
    const struct cfg_backend *cfg = p->backend->cfg;
    uint64_t now = clock_ms();
    if (cfg->outlier == 0) {
        return;
    }
    if (health_returned(p->health, now)) {
        LOG(NOTICE, "backend %s: not left out any more", p->text);
    }
    if (health_answered(p->health, cfg, status, now) == HEALTH_OUTED) {
        LOG(WARN, "backend %s: left out for %llu s: %u responses with 5xx in a row", p->text,
            (unsigned long long)(health_ejected_for(p->health, now) + 999) / 1000, cfg->outlier);
    }
}

/* ---------------------------------------------------------------- exchanges */

bool back_take(struct pool *p, struct exchange *x)
{
    switch (p->backend->cfg->proto) {
    case CFG_PROTO_HTTP1:
        return back_h1_take(p, x);
    case CFG_PROTO_HTTP2:
        return back_h2_take(p, x);
    case CFG_PROTO_AUTO:
        return back_auto_take(p, x);
    }
    return false;
}

enum exchange_error back_death(enum exchange_error why, bool kept, bool answered)
{
    return why == EXCHANGE_BACKEND_GONE && !kept && !answered ? EXCHANGE_BACKEND_NO_ANSWER : why;
}

bool back_open(struct pool *p, bool probe)
{
    switch (p->backend->cfg->proto) {
    case CFG_PROTO_HTTP1:
        return back_h1_open(p, probe);
    case CFG_PROTO_HTTP2:
        return back_h2_open(p, probe);
    case CFG_PROTO_AUTO:
        return back_auto_open(p, probe);
    }
    return false;
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
