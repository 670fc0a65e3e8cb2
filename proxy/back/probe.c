/* The prober of a pool: checks, probes, warm-up. */
#include "back/probe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "back/back_internal.h"
#include "config.h"
#include "exchange/message.h"
#include "net/block.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/health.h"
#include "route/targets.h"

#define PROBE_MAGIC 0x70726f62u /* "prob" */

/* So much of a checked response's body is read, if there is as much; what is longer is cut off. */
#define MOST_BODY 65536u

/* A claim holds this much longer than what it is for, so that a prober that is only slow keeps it.
 */
#define SLACK_MS 1000u

/* Of a connect without a time-out of its own. */
#define LONG_MS 60000u

/* Whoever has the claim may give it up at any moment, as a worker process does that a reload
 * replaces: so soon those that have none look again. */
#define LOOK_MS 1000u

struct probe {
    uint32_t magic;
    uint16_t id; /* of its claims */
    struct pool *pool;
    struct timer timer;    /* the next check or probe, or a look at who makes them */
    struct timer deadline; /* of the check in progress; or it has ended, and is cleared away */
    struct exchange *x;    /* the check in progress */
    bool decided;          /* its outcome is known; only the rest of the body is waited for */
    bool connecting;       /* a probe is in progress */
    uint32_t warm_up;      /* connections that are still to be opened */
    size_t body;           /* octets of it so far */
    bool enough;           /* it has ended, or more is not wanted */
    struct client_info client;
};

static const struct cfg_backend *cfg_of(const struct probe *pr)
{
    return pr->pool->backend->cfg;
}

static bool checks(const struct cfg_backend *cfg)
{
    return cfg->health_path != NULL && cfg->fall > 0;
}

/* Nothing is to be found out about an address that is offline for good. */
static bool is_lost(const struct probe *pr)
{
    const struct cfg_backend *cfg = cfg_of(pr);
    return cfg->rise == 0 && health_is_offline(pr->pool->health, cfg);
}

/* ±10 %, so that the checks of many addresses do not come together. */
static uint64_t with_jitter(const struct probe *pr, uint64_t ms)
{
    uint64_t tenth = ms / 10 + 1;
    return ms - tenth + (uint64_t)rand_r(&pr->pool->worker->seed) % (2 * tenth) + 1;
}

static void set(struct probe *pr, struct timer *t, uint64_t ms)
{
    timer_set(&pr->pool->worker->wheel, t, ms);
}

/* True: this worker is the one who probes. False: it looks again later. */
static bool claim(struct probe *pr, uint64_t ms)
{
    const struct cfg_backend *cfg = cfg_of(pr);
    uint64_t now = clock_ms(), other, look = checks(cfg) ? cfg->health_interval : LOOK_MS;
    if (health_claim(pr->pool->health, pr->id, now, now + ms + SLACK_MS, &other)) {
        return true;
    }
    uint64_t end = other - now + SLACK_MS / 2;
    set(pr, &pr->timer, with_jitter(pr, end < look ? end : look));
    return false;
}

/* ---------------------------------------------------------------- what is found out */

static void tell(const struct probe *pr, enum health_change change, const char *what,
                 const char *why)
{
    struct pool *p = pr->pool;
    const struct cfg_backend *cfg = cfg_of(pr);
    if (change == HEALTH_FELL) {
        LOG(WARN, "backend %s: offline: %u %s failed in a row, the last one: %s", p->text,
            cfg->fall, what, why);
    } else if (change == HEALTH_ROSE) {
        LOG(NOTICE, "backend %s: online: %u %s succeeded in a row", p->text, cfg->rise, what);
        pool_freed(p);
        worker_wake_waiting(p->worker);
    }
}

/* ---------------------------------------------------------------- active checks */

/* When the next one begins. */
static uint64_t pace(const struct probe *pr)
{
    return with_jitter(pr, cfg_of(pr)->health_interval);
}

static void decide(struct probe *pr, enum health_finding found, const char *why)
{
    assert(pr->x != NULL && !pr->decided);
    const struct cfg_backend *cfg = cfg_of(pr);
    uint64_t next = pace(pr);
    pr->decided = true;
    tell(pr, health_checked(pr->pool->health, cfg, found), "checks", why);
    (void)claim(pr, next + cfg->health_timeout);
    set(pr, &pr->timer, next);
}

/* Takes what is left of it away. Not from inside a call of the back, but for its abort(). */
static void end_check(struct probe *pr, enum exchange_error why)
{
    struct exchange *x = pr->x;
    pr->x = NULL;
    timer_stop(&pr->deadline);
    exchange_end(x, why);
}

static void end_soon(struct probe *pr)
{
    set(pr, &pr->deadline, 1);
}

/* It is as busy as it may be: requests find out how it is. */
static void skip(struct probe *pr)
{
    uint64_t next = pace(pr);
    (void)claim(pr, next + cfg_of(pr)->health_timeout);
    set(pr, &pr->timer, next);
}

static void on_deadline(struct timer *t)
{
    struct probe *pr = container_of(t, struct probe, deadline);
    assert(pr->magic == PROBE_MAGIC && pr->x != NULL);
    if (!pr->decided) {
        decide(pr, HEALTH_SILENT, "no answer in time");
    }
    end_check(pr, EXCHANGE_CLIENT_GONE);
}

static struct probe *of(struct exchange *x)
{
    struct probe *pr = x->front;
    assert(pr->magic == PROBE_MAGIC && pr->x == x);
    return pr;
}

static bool is_good(const struct cfg_backend *cfg, int status)
{
    for (size_t i = 0; i < cfg->nhealth_status; i++) {
        if (status >= cfg->health_status[i].lo && status <= cfg->health_status[i].hi) {
            return true;
        }
    }
    return false;
}

static void on_head(struct exchange *x)
{
    struct probe *pr = of(x);
    int status = x->response.status;
    if (status < 200 || pr->decided) {
        return;
    }
    char why[32];
    snprintf(why, sizeof(why), "status %d", status);
    decide(pr, is_good(cfg_of(pr), status) ? HEALTH_WELL : HEALTH_ILL, why);
}

static void on_body(struct exchange *x)
{
    struct probe *pr = of(x);
    size_t n = x->down.len;
    if (pr->enough) {
        return; /* what is left in the pipe holds up the backend, and is credited in the end */
    }
    pr->body += n;
    pipe_drop(&x->down, n);
    exchange_took_down(x, n); /* all of it: others may share the connection */
    if (x->down.ended || pr->body >= MOST_BODY) {
        pr->enough = true;
        end_soon(pr);
    }
}

static void on_credit(struct exchange *x, size_t n)
{
    (void)x;
    (void)n;
}

static void on_abort(struct exchange *x, enum exchange_error why)
{
    struct probe *pr = of(x);
    if (why == EXCHANGE_BACKEND_BUSY && !pr->decided) {
        end_check(pr, why);
        skip(pr);
        return;
    }
    if (!pr->decided) {
        bool silent = why == EXCHANGE_BACKEND_TIMEOUT || why == EXCHANGE_BACKEND_CONNECT_TIMEOUT;
        decide(pr, silent ? HEALTH_SILENT : HEALTH_ILL, exchange_error_text(why));
    }
    end_check(pr, why);
}

static const struct exchange_ops check_ops = {
    .head = on_head, .body = on_body, .credit = on_credit, .abort = on_abort};

static struct str copy(struct exchange *x, const char *s)
{
    size_t len = strlen(s);
    return (struct str){arena_copy(&x->arena, s, len), len};
}

/* GET health-path. NULL: nobody chooses from the pool any more. */
static struct exchange *make_check(struct probe *pr)
{
    static const char agent[] = "nghttpx-health-check";
    const struct cfg_backend *cfg = cfg_of(pr);
    struct exchange *x = exchange_new(pr->pool->worker, &pr->client, &check_ops, pr);
    struct request *r = &x->request;
    size_t name_len;
    x->is_check = true;
    r->method = H1_METHOD_GET;
    r->method_text = (struct str){"GET", 3};
    r->scheme = cfg->tls ? (struct str){"https", 5} : (struct str){"http", 4};
    r->authority =
        copy(x, cfg->health_host != NULL ? cfg->health_host : pr->pool->backend->authority);
    r->target = r->path = copy(x, cfg->health_path);
    r->m.http_major = 1;
    r->m.http_minor = 1;
    r->m.fields = arena_alloc(&x->arena, sizeof(*r->m.fields));
    const char *name = h2_token_name(H2_TOKEN_USER_AGENT, &name_len);
    r->m.fields[r->m.nfields++] = (struct h2_field){.name = name,
                                                    .name_len = (uint32_t)name_len,
                                                    .value = agent,
                                                    .value_len = sizeof(agent) - 1,
                                                    .token = H2_TOKEN_USER_AGENT};
    x->up.ended = true;
    if (!targets_assign(x, pr->pool) || !message_finish_request(x)) {
        exchange_end(x, EXCHANGE_INTERNAL);
        return NULL;
    }
    return x;
}

static void check(struct probe *pr)
{
    struct pool *p = pr->pool;
    uint64_t patience = cfg_of(pr)->health_timeout;
    if (is_lost(pr) || !claim(pr, patience)) {
        return;
    }
    pr->decided = false;
    pr->body = 0;
    pr->enough = false;
    pr->x = make_check(pr);
    if (pr->x == NULL) {
        skip(pr);
        return;
    }
    set(pr, &pr->deadline, patience);
    if (back_take(p, pr->x)) {
        return;
    }
    exchange_fail(pr->x, pool_has_room(p, NULL) ? EXCHANGE_BACKEND_CONNECT : EXCHANGE_BACKEND_BUSY);
}

/* ---------------------------------------------------------------- probes */

/* Not where a connection is one client's from its first octet. */
static uint32_t wanted(const struct cfg_backend *cfg)
{
    return cfg->send_proxy == CFG_SEND_PROXY_NONE ? cfg->warm_up : 0;
}

static uint64_t longest_probe(const struct probe *pr)
{
    const struct config *cfg = pr->pool->worker->cfg;
    uint64_t ms = cfg->backend_connect_timeout;
    return (ms != 0 ? ms : LONG_MS) + cfg->backend_http2_settings_timeout;
}

static void probe_later(struct probe *pr)
{
    uint64_t next = health_next_probe(pr->pool->health, pool_backoff(pr->pool));
    (void)claim(pr, next + longest_probe(pr));
    set(pr, &pr->timer, next);
}

static void probe(struct probe *pr)
{
    struct pool *p = pr->pool;
    if (pr->connecting || is_lost(pr) || !health_is_offline(p->health, cfg_of(pr)) ||
        !claim(pr, longest_probe(pr))) {
        return;
    }
    pr->connecting = true;
    if (!back_open(p, true) && pr->connecting) {
        pr->connecting = false; /* no socket, or its connections are all in use */
        probe_later(pr);
    }
}

void probe_done(struct pool *p, bool good, const char *why)
{
    struct probe *pr = p->probe;
    if (pr == NULL || !pr->connecting) {
        return; /* it was stopped meanwhile */
    }
    pr->connecting = false;
    if (!good) {
        LOG(INFO, "backend %s: still offline: %s", p->text, why);
    }
    tell(pr, health_probed(p->health, cfg_of(pr), good), "probes", why);
    if (health_is_offline(p->health, cfg_of(pr))) {
        probe_later(pr);
        return;
    }
    health_unclaim(p->health, pr->id);
    pr->warm_up = wanted(cfg_of(pr));
    if (pr->warm_up > 0) {
        set(pr, &pr->timer, 1);
    }
}

void probe_wake(struct pool *p)
{
    struct probe *pr = p->probe;
    const struct cfg_backend *cfg = p->backend->cfg;
    if (pr == NULL || pr->timer.at != 0 || pr->connecting || pr->x != NULL || is_lost(pr) ||
        checks(cfg) || p->worker->draining || p->retired) {
        return;
    }
    probe_later(pr);
}

/* ---------------------------------------------------------------- warm-up */

static void warm_up(struct probe *pr)
{
    struct pool *p = pr->pool;
    uint32_t most = cfg_of(pr)->warm_up;
    uint32_t n = p->nconns < most ? most - p->nconns : 0;
    pr->warm_up = n < pr->warm_up ? n : pr->warm_up;
    while (pr->warm_up > 0 && !health_is_offline(p->health, cfg_of(pr)) && back_open(p, false)) {
        pr->warm_up--;
    }
    pr->warm_up = 0;
}

/* ---------------------------------------------------------------- life */

static void on_timer(struct timer *t)
{
    struct probe *pr = container_of(t, struct probe, timer);
    assert(pr->magic == PROBE_MAGIC);
    if (pr->pool->worker->draining || pr->pool->retired) {
        return;
    }
    if (pr->warm_up > 0) {
        warm_up(pr);
    }
    if (!checks(cfg_of(pr))) {
        probe(pr);
    } else if (pr->x == NULL) {
        check(pr);
    } else {
        set(pr, &pr->timer, 1 + cfg_of(pr)->health_timeout);
    }
}

void probe_start(struct pool *p)
{
    const struct cfg_backend *cfg = p->backend->cfg;
    if (cfg->kind != CFG_KIND_SERVER || (cfg->fall == 0 && cfg->warm_up == 0)) {
        return;
    }
    if (p->probe == NULL) {
        struct probe *pr = xcalloc(1, sizeof(*pr));
        pr->magic = PROBE_MAGIC;
        pr->id = health_prober();
        pr->pool = p;
        timer_init(&pr->timer, on_timer);
        timer_init(&pr->deadline, on_deadline);
        client_info_init(&pr->client);
        strcpy(pr->client.addr, "unknown"); /* RFC 7239, 6.2 */
        p->probe = pr;
    }
    p->probe->warm_up = wanted(cfg);
    bool now = p->probe->timer.at == 0 && p->probe->x == NULL;
    if (p->probe->warm_up > 0 || (now && (checks(cfg) || health_is_offline(p->health, cfg)))) {
        set(p->probe, &p->probe->timer, 1);
    }
}

void probe_stop(struct pool *p)
{
    struct probe *pr = p->probe;
    if (pr == NULL) {
        return;
    }
    timer_stop(&pr->timer);
    pr->connecting = false;
    pr->warm_up = 0;
    if (pr->x != NULL) {
        end_check(pr, EXCHANGE_CLIENT_GONE);
    }
    health_unclaim(p->health, pr->id);
}

void probe_free(struct pool *p)
{
    struct probe *pr = p->probe;
    if (pr != NULL) {
        assert(pr->x == NULL);
        timer_remove(&pr->timer);
        timer_remove(&pr->deadline);
        pr->magic = 0;
        free(pr);
    }
}
