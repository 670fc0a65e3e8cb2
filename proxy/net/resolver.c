/*
 * The names that are watched, when they are looked up, and who is told.
 *
 *                       resolver_watch                 touched
 *            ┌───────────────▼───────────────────────────────────────────┐
 *            │  DUE ──► ASKING ──► RESTING ──(time is up)──► used? ─no─► SLEEPING
 *            │   ▲                                             │
 *            │   └─────────────────────yes─────────────────────┘
 *  numeric: FIXED
 *
 * Two rules keep it safe. Calls of the interface, and answers of the channel, only note what is
 * to be done: lookups begin, and users are told, in on_work(), which a timer runs on the loop. It
 * is a timer, so that it comes before the worker's end of turn. What a user is told is a copy.
 */
#include "net/resolver_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "net/block.h"
#include "net/clock.h"

#define IN_USE_MS         60000u /* requests come at least once a minute */
#define LOOKUP_TIMEOUT_MS 250u
#define MAX_ASKING        64u    /* lookups at a time: 128 queries fit into every socket's buffer */
#define MAX_LOOKUP_MS     60000u /* no server is waited for longer; doubling must not overflow */

/* ---------------------------------------------------------------- work */

static void need_work(struct resolver *r)
{
    if (!ev_is_active(&r->work)) {
        ev_timer_set(&r->work, 0., 0.);
        ev_timer_start(r->loop, &r->work);
    }
}

void resolver_set_busy(struct name *n)
{
    if (list_empty(&n->busy)) {
        list_append(&n->resolver->busy, &n->busy);
        need_work(n->resolver);
    }
}

/* One less: the next name that waits for its turn has it. */
static void stop_asking(struct resolver *r)
{
    assert(r->nasking > 0);
    r->nasking--;
    struct list *node = list_shift(&r->waiting);
    if (node != NULL) {
        list_append(&r->busy, node);
        need_work(r);
    }
}

void resolver_set_state(struct name *n, enum name_state state)
{
    static const bool allowed[5][5] = {
        [DUE] = {[ASKING] = true, [RESTING] = true}, /* at once: the hosts file */
        [ASKING] = {[RESTING] = true},
        [RESTING] = {[DUE] = true, [SLEEPING] = true},
        [SLEEPING] = {[DUE] = true},
    };
    struct resolver *r = n->resolver;
    assert(allowed[n->state][state]);
    if (n->state == ASKING) {
        stop_asking(r);
    } else if (state == ASKING) {
        assert(r->nasking < MAX_ASKING);
        r->nasking++;
    }
    n->state = state;
}

void resolver_set_timer(struct name *n, uint64_t ms)
{
    struct ev_loop *loop = n->resolver->loop;
    ev_timer_stop(loop, &n->timer);
    ev_now_update(loop);
    ev_timer_set(&n->timer, (double)ms * 1e-3, 0.);
    ev_timer_start(loop, &n->timer);
}

static void set_due(struct name *n)
{
    resolver_set_state(n, DUE);
    resolver_set_busy(n);
}

static bool is_in_use(const struct name *n)
{
    return clock_ms() - n->touched < n->resolver->in_use;
}

static void on_name_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct name *n = container_of(t, struct name, timer);
    if (n->state == ASKING) {
        n->timer_over = true;
        resolver_set_busy(n);
    } else if (is_in_use(n)) {
        set_due(n);
    } else {
        resolver_set_state(n, SLEEPING);
    }
}

/* ---------------------------------------------------------------- telling */

void resolver_tell(struct name *n, bool everybody)
{
    list_each(node, &n->watches)
    {
        struct resolver_watch *w = container_of(node, struct resolver_watch, node);
        if ((everybody || w->owed) && list_empty(&w->to_tell)) {
            list_append(&n->resolver->to_tell, &w->to_tell);
            need_work(n->resolver);
        }
    }
}

struct resolver_address *resolver_known(const struct resolver_watch *w, size_t *n)
{
    const struct name *name = w->name;
    struct resolver_address *copy = xcalloc(name->naddrs + 1, sizeof(*copy));
    for (size_t i = 0; i < name->naddrs; i++) {
        copy[i] = name->addrs[i];
        if (name->kind == RESOLVER_ADDRESS) {
            resolver_set_port(&copy[i], w->port);
        }
    }
    *n = name->naddrs;
    return copy;
}

static void tell_user(struct resolver_watch *w)
{
    struct resolver_answer answer = {.status = w->name->status};
    struct resolver_address *copy = resolver_known(w, &answer.n);
    answer.addrs = copy;
    assert((answer.n > 0) == (answer.status == RESOLVER_FOUND));
    w->fn(w->user, &answer); /* may drop the watch, and its name with it */
    free(copy);
}

/* ---------------------------------------------------------------- watches */

static void touch_name(struct name *n)
{
    uint64_t now = clock_ms();
    bool wake = n->state == SLEEPING;
    /* Its targets are in use as it is; telling them with every use would cost too much. */
    bool pass_on = n->ntargets > 0 && (wake || now - n->passed_on >= n->resolver->in_use / 4);
    n->touched = now;
    if (wake) {
        n->awaited = true;
        set_due(n);
    }
    if (pass_on) {
        n->passed_on = now;
    }
    for (size_t i = 0; pass_on && i < n->ntargets; i++) {
        struct resolver_watch *w = n->targets[i].watch;
        bool asleep = w->name->state == SLEEPING;
        touch_name(w->name);
        if (asleep) {
            w->owed = true;
            n->awaited = true;
        }
    }
}

static struct list *bucket_of(struct resolver *r, const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a; names come from the configuration or its servers */
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    }
    return &r->names[(hash ^ hash >> 16) % RESOLVER_BUCKETS];
}

static struct name *find_name(struct list *bucket, const char *text, enum resolver_kind kind,
                              int family)
{
    list_each(node, bucket)
    {
        struct name *n = container_of(node, struct name, node);
        if (n->kind == kind && n->family == family && strcmp(n->text, text) == 0) {
            return n;
        }
    }
    return NULL;
}

/* A numeric address is an answer for good. True: `text` is one, of whatever family. */
static bool fix_numeric(struct name *n)
{
    uint8_t octets[16];
    int family = inet_pton(AF_INET, n->text, octets) == 1    ? AF_INET
                 : inet_pton(AF_INET6, n->text, octets) == 1 ? AF_INET6
                                                             : AF_UNSPEC;
    if (family == AF_UNSPEC) {
        return false;
    }
    bool fits = n->kind == RESOLVER_ADDRESS && (n->family == AF_UNSPEC || n->family == family);
    struct resolver_address *addrs = xcalloc(1, sizeof(*addrs));
    resolver_make_address(addrs, family, octets);
    n->state = FIXED;
    resolver_set_answer(n, RESOLVER_NOT_FOUND, addrs, fits ? 1 : 0);
    return true;
}

static struct name *new_name(struct resolver *r, struct list *bucket, char *text,
                             enum resolver_kind kind, int family)
{
    struct name *n = xcalloc(1, sizeof(*n));
    n->resolver = r;
    n->text = text;
    n->kind = kind;
    n->family = family;
    n->status = RESOLVER_AWAY;
    n->awaited = true;
    list_init(&n->busy);
    list_init(&n->watches);
    list_append(bucket, &n->node);
    ev_timer_init(&n->timer, on_name_timer, 0., 0.);
    if (kind == RESOLVER_SRV) {
        n->parts[n->nparts++].type = DNS_SRV;
    } else {
        if (family != AF_INET6) {
            n->parts[n->nparts++].type = DNS_A;
        }
        if (family != AF_INET) {
            n->parts[n->nparts++].type = DNS_AAAA;
        }
    }
    n->state = DUE;
    if (!fix_numeric(n)) {
        resolver_set_busy(n);
    }
    return n;
}

struct resolver_watch *resolver_watch(struct resolver *r, const char *name, uint16_t port,
                                      enum resolver_kind kind, int family, resolver_fn *fn,
                                      void *user)
{
    assert(family == AF_UNSPEC || family == AF_INET || family == AF_INET6);
    size_t len = strlen(name);
    char *text = xmalloc(len + 1);
    for (size_t i = 0; i <= len; i++) {
        text[i] = (char)tolower((unsigned char)name[i]);
    }
    struct list *bucket = bucket_of(r, text);
    struct name *n = find_name(bucket, text, kind, family);
    if (n == NULL) {
        n = new_name(r, bucket, text, kind, family);
    } else {
        free(text);
    }
    struct resolver_watch *w = xcalloc(1, sizeof(*w));
    *w = (struct resolver_watch){.name = n, .port = port, .fn = fn, .user = user, .owed = true};
    list_init(&w->to_tell);
    list_append(&n->watches, &w->node);
    touch_name(n);
    if (!n->awaited) {
        resolver_tell(n, false);
    }
    return w;
}

void resolver_drop_targets(struct target *targets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        resolver_unwatch(targets[i].watch);
    }
    free(targets);
}

static void free_name(struct name *n)
{
    list_remove(&n->node);
    list_remove(&n->busy);
    if (n->state == ASKING) {
        stop_asking(n->resolver);
    }
    ev_timer_stop(n->resolver->loop, &n->timer);
    for (unsigned i = 0; i < n->nparts; i++) {
        struct part *p = &n->parts[i];
        if (p->query != NULL) {
            p->query->name = NULL; /* c-ares cannot take back a single query */
        }
        dns_records_free(p->found, p->nfound);
        dns_records_free(p->known, p->nknown);
    }
    resolver_drop_targets(n->targets, n->ntargets);
    free(n->addrs);
    free(n->text);
    free(n);
}

void resolver_unwatch(struct resolver_watch *w)
{
    if (w == NULL) {
        return;
    }
    struct name *n = w->name;
    list_remove(&w->node);
    list_remove(&w->to_tell);
    free(w);
    if (list_empty(&n->watches)) {
        free_name(n);
    }
}

enum resolver_state resolver_touch(struct resolver_watch *w)
{
    struct name *n = w->name;
    touch_name(n);
    if (n->awaited) {
        w->owed = true;
    }
    if (n->awaited || !w->told) {
        return RESOLVER_PENDING;
    }
    return n->naddrs > 0 ? RESOLVER_READY : RESOLVER_NONE;
}

/* ---------------------------------------------------------------- the resolver */

static void on_work(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct resolver *r = container_of(t, struct resolver, work);
    struct list *node;
    /* An answer may come while it is asked for. It ends: candidates are finite. */
    while ((node = list_shift(&r->busy)) != NULL) {
        struct name *n = container_of(node, struct name, busy);
        if (n->state == DUE && r->nasking == MAX_ASKING) {
            list_append(&r->waiting, &n->busy);
        } else if (n->state == DUE) {
            resolver_begin_lookup(n);
        } else {
            assert(n->state == ASKING);
            resolver_go_on(n);
        }
    }
    /* Whoever is to be told because of these calls is so in the next turn. */
    struct list now;
    list_init(&now);
    while ((node = list_shift(&r->to_tell)) != NULL) {
        list_append(&now, node);
    }
    while ((node = list_shift(&now)) != NULL) {
        struct resolver_watch *w = container_of(node, struct resolver_watch, to_tell);
        w->owed = w->owed && w->name->awaited; /* this one is older than what it waits for */
        w->told = true;
        if (w->srv != NULL) {
            resolver_build_answer(w->srv);
        } else {
            tell_user(w);
        }
    }
}

struct resolver *resolver_new(const struct resolver_options *opts)
{
    uint64_t timeout = opts->lookup_timeout > 0 ? opts->lookup_timeout : LOOKUP_TIMEOUT_MS;
    struct dns_channel_options co = {
        .loop = opts->loop,
        .timeout_ms = (unsigned)(timeout < MAX_LOOKUP_MS ? timeout : MAX_LOOKUP_MS),
        .tries = opts->max_try > 0 ? opts->max_try : 1,
        .resolv_conf = opts->resolv_conf};
    struct dns_channel *channel = dns_channel_new(&co);
    if (channel == NULL) {
        return NULL;
    }
    struct resolver *r = xcalloc(1, sizeof(*r));
    r->loop = opts->loop;
    r->channel = channel;
    r->cache_timeout = opts->cache_timeout;
    r->in_use = opts->in_use > 0 ? opts->in_use : IN_USE_MS;
    const char *hosts = opts->hosts != NULL ? opts->hosts : "/etc/hosts";
    size_t size = strlen(hosts) + 1;
    r->hosts = memcpy(xmalloc(size), hosts, size);
    ev_timer_init(&r->work, on_work, 0., 0.);
    list_init(&r->busy);
    list_init(&r->waiting);
    list_init(&r->to_tell);
    for (unsigned i = 0; i < RESOLVER_BUCKETS; i++) {
        list_init(&r->names[i]);
    }
    return r;
}

void resolver_free(struct resolver *r)
{
    if (r == NULL) {
        return;
    }
    for (unsigned i = 0; i < RESOLVER_BUCKETS; i++) {
        assert(list_empty(&r->names[i]));
    }
    assert(list_empty(&r->busy) && list_empty(&r->waiting) && list_empty(&r->to_tell));
    assert(r->nasking == 0);
    dns_channel_free(r->channel);
    ev_timer_stop(r->loop, &r->work);
    free(r->hosts);
    free(r);
}
