/* Pools by group, and the choice among them. */
#include "route/targets_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "back/back.h"
#include "back/probe.h"
#include "exchange/exchange.h"
#include "net/block.h"
#include "net/clock.h"
#include "net/resolver.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/affinity.h"
#include "route/balance.h"
#include "route/router.h"
#include "route/routes.h"

/* ---------------------------------------------------------------- pools */

/* None of these has a semicolon: it separates them in the configuration. */
static void format_tls(FILE *f, const struct backend *b)
{
    const struct cfg_backend *c = b->cfg;
    const char *const texts[] = {b->sni, c->ca, c->cert, c->key};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fprintf(f, "%s;", texts[i] != NULL ? texts[i] : "");
    }
    fprintf(f, "tls%s;", c->insecure ? " insecure" : "");
    for (size_t i = 0; i < c->npins; i++) {
        for (size_t j = 0; j < CFG_PIN_SIZE; j++) {
            fprintf(f, "%02x", c->pins[i][j]);
        }
        fputc(';', f);
    }
}

/* What makes two pools the same: the address, and all that decides how it is spoken to. */
static char *format_key(const struct backend *b, const struct backend_addr *a)
{
    const struct cfg_backend *c = b->cfg;
    char *key = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&key, &len);
    if (f == NULL) {
        abort(); /* no memory */
    }
    fprintf(f, "%s;%d;%d;", b->label, (int)c->proto, (int)c->send_proxy);
    if (c->tls) {
        format_tls(f, b);
    }
    const unsigned char *octets = (const unsigned char *)&a->addr;
    for (socklen_t i = 0; i < a->len; i++) {
        fprintf(f, "%02x", octets[i]);
    }
    if (fclose(f) != 0) {
        abort();
    }
    return key;
}

/* The pools that there were, to take those from that stay. */
struct stock {
    struct pool **list; /* sorted by key; a taken one has an owner again */
    size_t n;
    size_t *taken; /* where a run of equal keys begins: how many of it are taken */
};

static int by_key(const void *a, const void *b)
{
    const struct pool *x = *(struct pool *const *)a, *y = *(struct pool *const *)b;
    return strcmp(x->key, y->key);
}

static struct stock stock_of(const struct target_backend *backends, size_t nbackends)
{
    struct stock s = {0};
    for (size_t i = 0; i < nbackends; i++) {
        s.n += backends[i].npools;
    }
    s.list = xmalloc((s.n + 1) * sizeof(*s.list));
    s.n = 0;
    for (size_t i = 0; i < nbackends; i++) {
        for (size_t j = 0; j < backends[i].npools; j++) {
            backends[i].pools[j]->owner = NULL;
            s.list[s.n++] = backends[i].pools[j];
        }
    }
    qsort(s.list, s.n, sizeof(*s.list), by_key);
    s.taken = xcalloc(s.n + 1, sizeof(*s.taken));
    return s;
}

/* One of this key that nobody has taken yet (two lines may name the same address), or NULL. */
static struct pool *stock_take(const struct stock *s, const char *key)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(s->list[mid]->key, key) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    size_t next = lo + s->taken[lo];
    if (next == s->n || strcmp(s->list[next]->key, key) != 0) {
        return NULL;
    }
    s->taken[lo]++;
    return s->list[next];
}

static void stock_retire_rest(struct stock *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i]->owner == NULL) {
            pool_retire(s->list[i]);
        }
    }
    free(s->list);
    free(s->taken);
}

/* Gives a backend pools for these addresses: out of the stock where it has them. */
static void make_pools(struct target_backend *tb, const struct backend_addr *addrs, size_t n,
                       const struct stock *stock)
{
    struct targets *t = tb->targets;
    const struct backend *b = &t->routes->backends[tb->index];
    tb->pools = xcalloc(n + 1, sizeof(struct pool *));
    tb->npools = n;
    for (size_t i = 0; i < n; i++) {
        char *key = format_key(b, &addrs[i]);
        struct pool *p = stock_take(stock, key);
        if (p != NULL) {
            free(key);
            pool_ref(p);
            pool_belongs_to(p, t->routes, b);
            p->addr = addrs[i];
        } else {
            p = pool_new(t->worker, t->routes, b, &addrs[i], key);
        }
        p->owner = t;
        tb->pools[i] = p;
    }
}

static void let_pools_go(struct pool **pools, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pool_unref(pools[i]);
    }
    free(pools);
}

/* ---------------------------------------------------------------- groups */

static enum balance_kind kind_of(const struct group *g)
{
    static const enum balance_kind kinds[] = {[CFG_BALANCE_ROUND_ROBIN] = BALANCE_ROUND_ROBIN,
                                              [CFG_BALANCE_LEAST_CONN] = BALANCE_LEAST_CONN,
                                              [CFG_BALANCE_P2C] = BALANCE_P2C,
                                              [CFG_BALANCE_HASH] = BALANCE_HASH};
    return g->affinity != NULL  ? BALANCE_AFFINITY
           : g->balance != NULL ? kinds[g->balance->balance]
                                : BALANCE_ROUND_ROBIN;
}

struct member {
    struct balance_member m;
    uint16_t priority;
};

static int by_priority(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return (int)x->priority - (int)y->priority;
}

static void drop_tiers(struct target_group *g)
{
    for (size_t i = 0; i < g->ntiers; i++) {
        balance_free(g->tiers[i].balance);
    }
    free(g->tiers);
    g->tiers = NULL;
    g->ntiers = 0;
}

/* A tier for each priority among the members. */
static void make_tiers(struct worker *w, struct target_group *g, struct member *list, size_t n)
{
    struct balance_member *members = xcalloc(n + 1, sizeof(*members));
    qsort(list, n, sizeof(*list), by_priority);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first; end < n && list[end].priority == list[first].priority; end++) {
            members[end - first] = list[end].m;
        }
        g->tiers = xrealloc(g->tiers, (g->ntiers + 1) * sizeof(*g->tiers));
        g->tiers[g->ntiers++] =
            (struct tier){list[first].priority, balance_new(kind_of(g->group), members, end - first,
                                                            (unsigned)rand_r(&w->seed))};
    }
    free(members);
}

static void build_group(struct targets *t, struct target_group *g)
{
    const struct group *group = g->group;
    size_t n = 0;
    for (size_t i = 0; i < group->nbackends; i++) {
        n += t->backends[group->backends[i]].npools;
    }
    struct member *members = xcalloc(n + 1, sizeof(*members));
    g->pools = xrealloc(g->pools, (n + 1) * sizeof(*g->pools));
    g->npools = 0;
    g->own_connections = g->has_names = false;
    for (size_t i = 0; i < group->nbackends; i++) {
        const struct target_backend *tb = &t->backends[group->backends[i]];
        g->has_names |= tb->watch != NULL;
        for (size_t j = 0; j < tb->npools; j++) {
            struct pool *p = tb->pools[j];
            g->own_connections |= p->backend->cfg->send_proxy != CFG_SEND_PROXY_NONE;
            members[g->npools] = (struct member){
                .m = {.user = p,
                      .key = p->name,
                      .key_len = strlen(p->name),
                      .weight = p->backend->cfg->weight * p->addr.share,
                      .sub_group = group->sub_groups[i],
                      .sub_weight = group->sub_weights[i]},
                .priority = p->addr.priority,
            };
            g->pools[g->npools++] = p;
        }
    }
    g->outliers = (struct health_group){0};
    drop_tiers(g);
    make_tiers(t->worker, g, members, n);
    free(members);
}

static void find_groups(struct target_backend *tb)
{
    struct targets *t = tb->targets;
    const struct cfg_backend *cfg = t->routes->backends[tb->index].cfg;
    tb->groups = xcalloc(cfg->npatterns + 1, sizeof(struct target_group *));
    for (size_t i = 0; i < cfg->npatterns; i++) {
        int index = router_find(t->routes->router, cfg->patterns[i]);
        assert(index >= 0 && (size_t)index < t->routes->ngroups);
        tb->groups[i] = &t->groups[index];
    }
}

void targets_set_addresses(struct targets *t, uint32_t backend, const struct backend_addr *addrs,
                           size_t n)
{
    struct target_backend *tb = &t->backends[backend];
    struct pool **old = tb->pools;
    size_t nold = tb->npools;
    struct stock stock = stock_of(tb, 1);
    make_pools(tb, addrs, n, &stock);
    stock_retire_rest(&stock);
    let_pools_go(old, nold);
    const struct cfg_backend *cfg = t->routes->backends[backend].cfg;
    for (size_t i = 0; i < cfg->npatterns; i++) {
        build_group(t, tb->groups[i]);
    }
}

/* ---------------------------------------------------------------- names */

/* The weights of the addresses of one priority, as shares of the backend's. An SRV weight of 0
 * means a very small chance (RFC 2782). */
static double srv_weight(const struct resolver_address *a)
{
    return a->weight > 0 ? a->weight : 0.01;
}

static struct backend_addr *with_shares(const struct resolver_address *list, size_t n, bool srv)
{
    struct backend_addr *addrs = xcalloc(n + 1, sizeof(*addrs));
    for (size_t i = 0; i < n; i++) {
        const struct resolver_address *from = &list[i];
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            const struct resolver_address *other = &list[j];
            sum += other->priority != from->priority ? 0 : srv ? srv_weight(other) : 1;
        }
        addrs[i].addr = from->addr;
        addrs[i].len = from->len;
        addrs[i].priority = from->priority;
        addrs[i].share = (srv ? srv_weight(from) : 1) / sum;
    }
    return addrs;
}

static void on_answer(void *user, const struct resolver_answer *answer)
{
    struct target_backend *tb = user;
    struct targets *t = tb->targets;
    const struct backend *b = &t->routes->backends[tb->index];
    static const char *const why[] = {[RESOLVER_FOUND] = "",
                                      [RESOLVER_NOT_FOUND] = "there is no such name, or no address",
                                      [RESOLVER_AWAY] = "no name server answers"};
    if (answer->status != RESOLVER_FOUND) {
        LOG(WARN, "backend %s: %s", b->label, why[answer->status]);
    }
    struct backend_addr *addrs = with_shares(answer->addrs, answer->n, b->cfg->dns == CFG_DNS_SRV);
    targets_set_addresses(t, tb->index, addrs, answer->n);
    free(addrs);
    targets_serve(tb);
}

static void watch_name(struct target_backend *tb)
{
    struct targets *t = tb->targets;
    const struct cfg_backend *cfg = t->routes->backends[tb->index].cfg;
    if (cfg->dns != CFG_DNS_NONE && t->routes->backends[tb->index].via == NULL) {
        enum resolver_kind kind = cfg->dns == CFG_DNS_SRV ? RESOLVER_SRV : RESOLVER_ADDRESS;
        tb->watch = resolver_watch(t->worker->resolver, cfg->addr.host, cfg->addr.port, kind,
                                   t->routes->family, on_answer, tb);
    }
}

static void unwatch_names(struct targets *t)
{
    for (size_t i = 0; i < t->routes->nbackends; i++) {
        resolver_unwatch(t->backends[i].watch);
        t->backends[i].watch = NULL;
    }
}

/* Says to the resolver that the names of a group are used. True: the first answer for one of them
 * is still to come. */
static bool touch_names(const struct target_group *g, const struct targets *t)
{
    bool pending = false;
    for (size_t i = 0; g->has_names && i < g->group->nbackends; i++) {
        struct resolver_watch *watch = t->backends[g->group->backends[i]].watch;
        pending = (watch != NULL && resolver_touch(watch) == RESOLVER_PENDING) || pending;
    }
    return pending;
}

/* ---------------------------------------------------------------- life */

/* What the routes before knew of a name holds at once, so that no request waits for the resolver
 * and no connection is lost. */
static void begin_backend(struct target_backend *tb, const struct stock *stock)
{
    const struct backend *b = &tb->targets->routes->backends[tb->index];
    watch_name(tb);
    if (tb->watch == NULL) {
        make_pools(tb, b->addrs, b->naddrs, stock);
        return;
    }
    size_t n;
    struct resolver_address *known = resolver_known(tb->watch, &n);
    struct backend_addr *addrs = with_shares(known, n, b->cfg->dns == CFG_DNS_SRV);
    make_pools(tb, addrs, n, stock);
    free(addrs);
    free(known);
}

static struct targets *targets_new(struct worker *w, struct routes *routes,
                                   const struct stock *stock)
{
    struct targets *t = xcalloc(1, sizeof(*t));
    *t = (struct targets){.worker = w, .routes = routes_ref(routes), .refs = 1};
    timer_init(&t->look, targets_on_look);
    t->backends = xcalloc(routes->nbackends + 1, sizeof(*t->backends));
    for (size_t i = 0; i < routes->nbackends; i++) {
        t->backends[i] = (struct target_backend){.targets = t, .index = (uint32_t)i};
        begin_backend(&t->backends[i], stock);
    }
    t->groups = xcalloc(routes->ngroups + 1, sizeof(*t->groups));
    for (size_t i = 0; i < routes->ngroups; i++) {
        t->groups[i].group = &routes->groups[i];
        queue_init(&t->groups[i].queue, &w->nwaiting);
        budget_init(&t->groups[i].retries, BUDGET_FREE);
        build_group(t, &t->groups[i]);
    }
    for (size_t i = 0; i < routes->nbackends; i++) {
        find_groups(&t->backends[i]);
    }
    return t;
}

struct targets *targets_ref(struct targets *t)
{
    t->refs++;
    return t;
}

void targets_unref(struct targets *t)
{
    assert(t->refs > 0);
    t->refs--;
    if (t->refs > 0) {
        return;
    }
    for (size_t i = 0; i < t->routes->ngroups; i++) {
        assert(t->groups[i].queue.n == 0);
        drop_tiers(&t->groups[i]);
        free(t->groups[i].pools);
    }
    for (size_t i = 0; i < t->routes->nbackends; i++) {
        let_pools_go(t->backends[i].pools, t->backends[i].npools);
        free(t->backends[i].groups);
    }
    timer_remove(&t->look);
    routes_unref(t->routes);
    free(t->groups);
    free(t->backends);
    free(t);
}

void targets_install(struct worker *w, struct routes *routes)
{
    struct targets *old = w->targets;
    struct stock stock =
        stock_of(old != NULL ? old->backends : NULL, old != NULL ? old->routes->nbackends : 0);
    w->targets = targets_new(w, routes, &stock);
    stock_retire_rest(&stock);
    if (old != NULL) {
        unwatch_names(old);
        timer_stop(&old->look);
        targets_serve_all(old);
        targets_unref(old);
    }
}

void targets_remove(struct worker *w)
{
    struct targets *t = w->targets;
    unwatch_names(t);
    struct stock all = stock_of(t->backends, t->routes->nbackends);
    stock_retire_rest(&all);
    w->targets = NULL;
    targets_unref(t);
}

/* ---------------------------------------------------------------- choosing */

static unsigned times_tried(const struct exchange *x, const struct pool *p)
{
    unsigned n = 0;
    for (size_t i = 0; i < x->tries; i++) {
        n += x->tried[i] == p->id;
    }
    return n;
}

/* What a choice is asked for, and what it finds besides. */
struct question {
    struct exchange *x;
    uint64_t now;    /* clock_ms() */
    uint64_t let_in; /* of health_let_in() */
    unsigned tried;  /* so many times at the most */
    bool any_full;   /* one would do but for room */
    bool sticky;     /* it is one that the client has been with: if that is full, it waits */
    const struct pool *home; /* the same, of this one only */
    bool any_unable;         /* one would do, but does not take what is asked of it */
    bool any_out;            /* one would do but for its ejection */
};

static bool is_able(const struct pool *p, struct question *q)
{
    bool able = back_may_take(p, q->x);
    q->any_unable = q->any_unable || !able;
    return able;
}

/* Its client has been there: if it is full, it is waited for. */
static bool is_home(const struct question *q, const struct pool *p)
{
    return q->sticky || q->home == p;
}

static bool is_usable(void *user, void *arg)
{
    struct pool *p = user;
    struct question *q = arg;
    enum health_use use = health_use(p->health, p->backend->cfg, q->now, q->let_in);
    if (use == HEALTH_OFFLINE) {
        probe_wake(p); /* another worker saw it fall; whoever needs it sees to it, too */
    }
    if (use == HEALTH_OFFLINE || use == HEALTH_BLOCKED || times_tried(q->x, p) > q->tried ||
        !is_able(p, q)) {
        return false;
    }
    if (use == HEALTH_EJECTED) {
        q->any_out = true;
        return false;
    }
    if (!pool_has_room(p, exchange_client(q->x))) {
        q->any_full = true;
        return is_home(q, p);
    }
    return true;
}

static uint32_t load_of(void *user)
{
    return ((const struct pool *)user)->load;
}

static const struct balance_ops balance_ops = {.usable = is_usable, .load = load_of};

/* All failed lately: better the one that may be back first than no try at all. */
static struct pool *back_first(const struct target_group *g, struct question *q)
{
    struct pool *best = NULL;
    uint64_t first = 0;
    for (size_t i = 0; i < g->npools; i++) {
        struct pool *p = g->pools[i];
        if (health_is_offline(p->health, p->backend->cfg) || times_tried(q->x, p) > q->tried ||
            !is_able(p, q)) {
            continue;
        }
        if (!pool_has_room(p, exchange_client(q->x))) {
            q->any_full = true;
            continue;
        }
        uint64_t until = health_blocked_until(p->health);
        if (best == NULL || until < first) {
            best = p;
            first = until;
        }
    }
    return best;
}

/* balance=hash: of what the request says; a random one when it says nothing. */
static uint32_t hash_of(const struct group *g, struct balance *b, const struct request *r)
{
    const struct cfg_backend *said = g->balance;
    uint32_t hash;
    bool found = false;
    switch (said->hash) {
    case CFG_HASH_URI:
        return affinity_hash(r->path.s, r->path.len);
    case CFG_HASH_HEADER:
        found = affinity_hash_header(r->m.fields, r->m.nfields, said->hash_name, &hash);
        break;
    case CFG_HASH_COOKIE:
        found = affinity_hash_cookie(r->m.fields, r->m.nfields, said->hash_name, &hash);
        break;
    }
    return found ? hash : balance_random(b);
}

static struct pool *choose_by_cookie(const struct group *g, struct balance *b, struct exchange *x,
                                     struct question *q)
{
    const struct cfg_backend *said = g->affinity;
    const struct request *r = &x->request;
    uint32_t cookie;
    bool any = affinity_read_cookie(r->m.fields, r->m.nfields, said->cookie_name, &cookie);
    bool strict = said->cookie_stickiness == CFG_STICKINESS_STRICT;
    q->sticky = any && !strict;
    q->home = any && strict ? balance_of_address(b, cookie) : NULL;
    struct affinity_choice c =
        affinity_choose(b, &balance_ops, q, said->cookie_stickiness, any ? &cookie : NULL);
    x->set_affinity = c.user != NULL && c.set;
    x->affinity = c.cookie;
    return c.user;
}

static struct pool *choose_in_tier(const struct group *g, struct balance *b, struct exchange *x,
                                   struct question *q)
{
    if (g->affinity == NULL) {
        bool hash = kind_of(g) == BALANCE_HASH;
        return balance_pick(b, &balance_ops, q, hash ? hash_of(g, b, &x->request) : 0);
    }
    if (g->affinity->affinity == CFG_AFFINITY_COOKIE) {
        return choose_by_cookie(g, b, x, q);
    }
    q->sticky = true;
    uint32_t client = affinity_hash_address(x->client->addr, strlen(x->client->addr));
    return balance_pick(b, &balance_ops, q, client);
}

static struct pool *choose_in_turn(const struct target_group *g, struct exchange *x,
                                   struct question *q)
{
    struct pool *p = NULL;
    for (size_t i = 0; i < g->ntiers && p == NULL; i++) {
        p = choose_in_tier(g->group, g->tiers[i].balance, x, q);
    }
    bool waits = p != NULL && is_home(q, p) && !pool_has_room(p, exchange_client(x));
    q->any_full = q->any_full || waits;
    return waits ? NULL : p;
}

static struct pool *choose(const struct target_group *g, struct exchange *x, struct question *q)
{
    q->any_out = false;
    struct pool *p = choose_in_turn(g, x, q);
    if (p == NULL && !q->any_full && q->any_out) {
        uint64_t let_in = q->let_in;
        q->let_in = UINT64_MAX; /* an outlier is better than none */
        p = choose_in_turn(g, x, q);
        q->let_in = let_in;
    }
    /* The only address of a group, that has just refused this very request, is not asked again. */
    bool last_hope = q->tried == 0 || g->npools > 1;
    return p != NULL || q->any_full || !last_hope ? p : back_first(g, q);
}

static bool all_offline(const struct target_group *g)
{
    for (size_t i = 0; i < g->npools; i++) {
        if (!health_is_offline(g->pools[i]->health, g->pools[i]->backend->cfg)) {
            return false;
        }
    }
    return true;
}

static const struct health *health_of(const void *user, size_t i)
{
    return ((const struct target_group *)user)->pools[i]->health;
}

enum target_choice targets_choose(struct exchange *x, struct pool **pool)
{
    struct target_group *g = x->group;
    struct question q = {.x = x, .now = clock_ms()};
    bool pending = touch_names(g, x->targets);
    if (g->npools == 0) {
        return pending ? TARGET_LATER : TARGET_NONE;
    }
    if (targets_is_behind(g, x)) {
        return TARGET_LATER;
    }
    q.let_in = health_let_in(&g->outliers, g->npools, health_of, g, q.now);
    *pool = choose(g, x, &q);
    if (*pool == NULL && !x->once && !q.any_full) {
        q.tried = 1;
        *pool = choose(g, x, &q);
    }
    return *pool != NULL    ? TARGET_FOUND
           : q.any_full     ? TARGET_LATER
           : all_offline(g) ? TARGET_OFFLINE
           : q.any_unable   ? TARGET_UNABLE
                            : TARGET_NONE;
}

bool targets_have_other(struct exchange *x)
{
    const struct target_group *g = x->group;
    struct question q = {.x = x, .now = clock_ms(), .let_in = UINT64_MAX};
    for (size_t i = 0; i < g->npools; i++) {
        if (is_usable(g->pools[i], &q)) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- checks */

bool targets_assign(struct exchange *x, const struct pool *p)
{
    if (p->owner == NULL) {
        return false;
    }
    x->targets = targets_ref(p->owner);
    x->group = targets_backend_of(p)->groups[0];
    return true;
}
