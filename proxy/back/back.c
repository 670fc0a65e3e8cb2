/* Pools: opening connections to a backend, and standing back from one that does not answer. */
#include "back/back.h"

#include <stdlib.h>

#include "config.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/routes.h"

void pool_init(struct pool *p, struct worker *w, const struct backend *b, uint32_t index)
{
    *p = (struct pool){.worker = w, .backend = b, .index = index};
    list_init(&p->idle);
    list_init(&p->h2);
    list_init(&p->connections);
}

struct conn *pool_connect(struct pool *p, const struct conn_ops *ops, void *user, const char *alpn)
{
    const struct config *cfg = p->worker->cfg;
    const struct backend *b = p->backend;
    const struct backend_addr *a = &b->addrs[p->next_addr % b->naddrs];
    struct conn_target target = {.addr = (const struct sockaddr *)&a->addr,
                                 .addr_len = a->len,
                                 .ctx = b->cfg->tls ? p->worker->client_ctx : NULL,
                                 .sni = b->sni,
                                 .verify = !cfg->insecure,
                                 .alpn = alpn,
                                 .connect_timeout = cfg->backend_connect_timeout,
                                 .write_timeout = cfg->backend_write_timeout,
                                 .via = b->via,
                                 .via_timeout = cfg->backend_read_timeout};
    return conn_connect(p->worker, &target, ops, user);
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
    p->next_addr++; /* a name with several addresses: the next one's turn */
    double wait = 1.0;
    for (uint32_t i = 0; i < p->failures && i < 10; i++) {
        wait *= 1.6;
    }
    p->failures++;
    double jitter = 0.8 + 0.4 * (double)rand_r(&p->worker->seed) / (double)RAND_MAX;
    uint64_t ms = (uint64_t)(wait * jitter * 1000.0), cap = p->worker->cfg->backend_max_backoff;
    p->blocked_until = clock_ms() + (ms < cap ? ms : cap);
}

bool back_take(struct pool *p, struct exchange *x)
{
    x->backend = p->index;
    return p->backend->cfg->proto == CFG_PROTO_HTTP2 ? back_h2_take(p, x) : back_h1_take(p, x);
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
