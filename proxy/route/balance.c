/*
 * Turns are kept as virtual time. A member's next turn is at `due`; when it has had it, its next
 * one is `stride` later, which is the longer the smaller its weight is. Whose turn comes first is
 * next:
 *
 *   weight 2  |--x--x--x--x--x--x-->        stride = (sum of the weights) / weight
 *   weight 1  |-----x-----x-----x-->        so in a time of (sum of the weights), each has as many
 *                                           turns as its weight says
 *
 * Times wrap around; those of one heap are at most a stride apart, which is far less than 2^63.
 */
#include "route/balance.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/block.h"
#include "route/ring.h"

/* Virtual time per pick: a stride is a multiple of it, and its fraction is lost. The error of a
 * share is less than 2^-24, and the longest stride (one of 65536 members, of weight 1 where the
 * others have 256) 2^48. */
#define TURN_TIME ((double)(1u << 24))

/* Weights out of the DNS may differ more: whose turn would come later than in 2^32 turns has no
 * other share than that. Sums of due times stay far from their end. */
#define LONGEST_STRIDE ((double)(1ull << 56))

/* HASH: how much more than its share of the load a member may have. With less, more requests leave
 * their owner's cache; with more, a hot one has more to bear. */
#define LOAD_BOUND 1.25

/* P2C: how often chance may hit what is not usable before the rest is looked through. */
#define DRAWS_MOST 8

struct turn {
    uint64_t due;
    uint64_t stride;
    uint32_t of; /* a member, or a sub-group */
};

/* A heap of turns, the earliest first, in t[0 .. n); those set aside during a pick are in
 * t[n .. all). */
struct turns {
    struct turn *t;
    size_t n, all;
};

struct member {
    void *user;
    uint32_t id;
    uint32_t sub_group;
    double share;   /* of all; their sum is balance.total */
    uint64_t asked; /* the pick that has found it not usable, or too busy */
};

struct sub_group {
    uint32_t number; /* the caller's */
    uint32_t weight;
    double total; /* weights of its members */
    size_t n;     /* members */
    struct turns members;
};

struct balance {
    enum balance_kind kind;
    struct member *m; /* sorted by key */
    size_t n;
    double total;
    uint32_t *by_id; /* members sorted by id */
    uint64_t random;
    uint64_t picks;

    /* ROUND_ROBIN */
    struct sub_group *subs;
    size_t nsubs;
    struct turns groups;

    struct turn *turns; /* LEAST_CONN: of each member, by index */
    uint64_t clock;     /* LEAST_CONN: no turn is due before it */

    double *up_to; /* P2C: shares of a member and those before it */

    struct ring ring; /* HASH, AFFINITY */
};

/* Whom to ask, for one request. */
struct question {
    const struct balance_ops *ops;
    void *arg;
};

/* ---------------------------------------------------------------- chance */

/* xorshift64*; the state is never 0. */
static uint64_t random_u64(struct balance *b)
{
    b->random ^= b->random >> 12;
    b->random ^= b->random << 25;
    b->random ^= b->random >> 27;
    return b->random * 0x2545f4914f6cdd1dULL;
}

/* Seeds are small numbers that resemble each other; a round of splitmix64 makes them differ. */
static uint64_t random_seed(unsigned seed)
{
    uint64_t z = seed + 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return z != 0 ? z : 1;
}

/* From 0 up to, but without, 1. */
static double random_unit(struct balance *b)
{
    return (double)(random_u64(b) >> 11) * 0x1p-53;
}

uint32_t balance_random(struct balance *b)
{
    return (uint32_t)(random_u64(b) >> 32);
}

/* ---------------------------------------------------------------- turns */

static bool earlier(const struct turn *a, const struct turn *b)
{
    return (int64_t)(a->due - b->due) < 0;
}

/*
 * The place where turns begin: as if somebody had looked in at a random turn. It is that of a
 * member drawn by weight; the others are at any point between two of theirs.
 */
static void begin_turns(struct balance *b, struct turn *t, const double *weight, size_t n)
{
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        total += weight[i];
    }
    double drawn = random_unit(b) * total;
    bool begun = false;
    for (size_t i = 0; i < n; i++) {
        t[i].of = (uint32_t)i;
        double stride = total / weight[i] * TURN_TIME;
        t[i].stride = (uint64_t)(stride < LONGEST_STRIDE ? stride : LONGEST_STRIDE);
        assert(t[i].stride > 0);
        t[i].due = 1 + (uint64_t)(random_unit(b) * (double)t[i].stride);
        drawn -= weight[i];
        if (!begun && (drawn < 0 || i + 1 == n)) {
            t[i].due = 0;
            begun = true;
        }
    }
}

static void sift_up(struct turns *q, size_t i)
{
    struct turn t = q->t[i];
    while (i > 0 && earlier(&t, &q->t[(i - 1) / 2])) {
        q->t[i] = q->t[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    q->t[i] = t;
}

static void sift_down(struct turns *q, size_t i)
{
    struct turn t = q->t[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= q->n) {
            break;
        }
        if (child + 1 < q->n && earlier(&q->t[child + 1], &q->t[child])) {
            child++;
        }
        if (!earlier(&q->t[child], &t)) {
            break;
        }
        q->t[i] = q->t[child];
        i = child;
    }
    q->t[i] = t;
}

static void order_turns(struct turns *q)
{
    for (q->n = 0; q->n < q->all; q->n++) {
        sift_up(q, q->n);
    }
}

static void set_first_aside(struct turns *q)
{
    assert(q->n > 0);
    struct turn t = q->t[0];
    q->t[0] = q->t[--q->n];
    q->t[q->n] = t;
    if (q->n > 1) {
        sift_down(q, 0);
    }
}

/* The first one has its turn. Those set aside have missed theirs, and have their next one when it
 * would be if they had not. */
static void first_is_served(struct turns *q)
{
    assert(q->n > 0);
    uint64_t now = q->t[0].due;
    q->t[0].due += q->t[0].stride;
    sift_down(q, 0);
    for (; q->n < q->all; q->n++) {
        struct turn *t = &q->t[q->n];
        assert((int64_t)(now - t->due) >= 0);
        t->due += ((now - t->due) / t->stride + 1) * t->stride;
        sift_up(q, q->n);
    }
}

/* ---------------------------------------------------------------- round robin */

static struct member *pick_in_turns(struct balance *b, struct turns *q, const struct question *r)
{
    while (q->n > 0) {
        struct member *m = &b->m[q->t[0].of];
        if (r->ops->usable(m->user, r->arg)) {
            first_is_served(q);
            return m;
        }
        set_first_aside(q);
    }
    order_turns(q);
    return NULL;
}

static struct member *pick_round_robin(struct balance *b, const struct question *r)
{
    struct turns *q = &b->groups;
    while (q->n > 0) {
        struct member *m = pick_in_turns(b, &b->subs[q->t[0].of].members, r);
        if (m != NULL) {
            first_is_served(q);
            return m;
        }
        set_first_aside(q);
    }
    order_turns(q);
    return NULL;
}

static void make_turns(struct balance *b, struct turns *q, const double *weight, size_t n)
{
    *q = (struct turns){.t = xcalloc(n + 1, sizeof(*q->t)), .all = n};
    begin_turns(b, q->t, weight, n);
    order_turns(q);
}

static void make_round_robin(struct balance *b, const struct balance_member *const *sorted)
{
    double *weight = xcalloc(b->n + 1, sizeof(*weight)); /* one sub-group behind the other */
    uint32_t *member = xcalloc(b->n + 1, sizeof(*member));
    size_t *end = xcalloc(b->nsubs + 1, sizeof(*end)); /* of what there is of each */
    for (size_t g = 1; g < b->nsubs; g++) {
        end[g] = end[g - 1] + b->subs[g - 1].n;
    }
    for (size_t i = 0; i < b->n; i++) {
        size_t at = end[b->m[i].sub_group]++;
        weight[at] = sorted[i]->weight;
        member[at] = (uint32_t)i;
    }
    for (size_t g = 0; g < b->nsubs; g++) {
        size_t n = b->subs[g].n, first = end[g] - n;
        struct turns *q = &b->subs[g].members;
        make_turns(b, q, weight + first, n);
        for (size_t i = 0; i < n; i++) {
            q->t[i].of = member[first + q->t[i].of];
        }
    }
    for (size_t g = 0; g < b->nsubs; g++) {
        weight[g] = b->subs[g].weight;
    }
    make_turns(b, &b->groups, weight, b->nsubs);
    free(weight);
    free(member);
    free(end);
}

/* ---------------------------------------------------------------- by load */

static double load_per_share(const struct member *m, const struct question *r)
{
    return (double)r->ops->load(m->user) / m->share;
}

static struct member *pick_least_conn(struct balance *b, const struct question *r)
{
    size_t best = b->n;
    double least = INFINITY;
    for (size_t i = 0; i < b->n; i++) {
        if (!r->ops->usable(b->m[i].user, r->arg)) {
            continue;
        }
        /* Who was too busy to be chosen has not saved up turns. */
        struct turn *t = &b->turns[i];
        if ((int64_t)(t->due - b->clock) < 0) {
            t->due = b->clock;
        }
        double load = load_per_share(&b->m[i], r);
        if (load < least || (load == least && earlier(t, &b->turns[best]))) {
            least = load;
            best = i;
        }
    }
    if (best == b->n) {
        return NULL;
    }
    b->clock = b->turns[best].due;
    b->turns[best].due += b->turns[best].stride;
    return &b->m[best];
}

static void make_least_conn(struct balance *b)
{
    double *weight = xcalloc(b->n + 1, sizeof(*weight));
    for (size_t i = 0; i < b->n; i++) {
        weight[i] = b->m[i].share;
    }
    b->turns = xcalloc(b->n + 1, sizeof(*b->turns));
    begin_turns(b, b->turns, weight, b->n);
    free(weight);
}

/* ---------------------------------------------------------------- two at random */

static bool is_asked(const struct balance *b, const struct member *m)
{
    return m->asked == b->picks;
}

/* Whether it may be taken; it is not asked again during this pick when not. */
static bool ask(struct balance *b, struct member *m, const struct question *r)
{
    if (is_asked(b, m) || !r->ops->usable(m->user, r->arg)) {
        m->asked = b->picks;
        return false;
    }
    return true;
}

static struct member *draw(struct balance *b)
{
    double at = random_unit(b) * b->total;
    size_t low = 0, high = b->n - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->up_to[middle] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return &b->m[low];
}

/* One of the usable members, and not `but`, by shares. */
static struct member *draw_usable(struct balance *b, struct member *but, const struct question *r)
{
    for (unsigned i = 0; i < DRAWS_MOST; i++) {
        struct member *m = draw(b);
        if (m != but && ask(b, m, r)) {
            return m;
        }
    }
    /* Most of them are out, or one has nearly all of the weight. Each member replaces the one
     * before with a chance of its share in what has been seen, which leaves each with its share. */
    struct member *drawn = NULL;
    double seen = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct member *m = &b->m[i];
        if (m != but && ask(b, m, r)) {
            seen += m->share;
            drawn = drawn == NULL || random_unit(b) * seen < m->share ? m : drawn;
        }
    }
    return drawn;
}

static struct member *pick_p2c(struct balance *b, const struct question *r)
{
    struct member *one = draw_usable(b, NULL, r);
    struct member *two = one != NULL ? draw_usable(b, one, r) : NULL;
    /* Equal ones are left to the first draw, which is by shares; the second is not. */
    return two != NULL && load_per_share(two, r) < load_per_share(one, r) ? two : one;
}

static void make_p2c(struct balance *b)
{
    b->up_to = xcalloc(b->n + 1, sizeof(*b->up_to));
    double sum = 0;
    for (size_t i = 0; i < b->n; i++) {
        sum += b->m[i].share;
        b->up_to[i] = sum;
    }
    b->total = sum;
}

/* ---------------------------------------------------------------- rings */

/* The first member from `hash` on that is usable and, with a limit, has a load per share below it.
 */
static struct member *walk_ring(struct balance *b, uint32_t hash, double limit,
                                const struct question *r)
{
    size_t at = ring_first(&b->ring, hash);
    for (size_t seen = 0; seen < b->ring.n; seen++, at = ring_next(&b->ring, at)) {
        struct member *m = &b->m[b->ring.points[at].member];
        if (!ask(b, m, r)) {
            continue;
        }
        if (limit == INFINITY || limit * m->share > (double)r->ops->load(m->user)) {
            return m;
        }
        m->asked = b->picks;
    }
    return NULL;
}

/*
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2018): nobody gets more
 * than LOAD_BOUND times its share of all requests, this one included, rounded up. Since together
 * that is more than there are, one of the usable members is always below.
 */
static struct member *pick_hash(struct balance *b, uint32_t hash, const struct question *r)
{
    struct member *owner = &b->m[b->ring.points[ring_first(&b->ring, hash)].member];
    if (r->ops->load(owner->user) == 0 && r->ops->usable(owner->user, r->arg)) {
        return owner; /* the bound is one at least */
    }
    double load = 1, share = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (ask(b, &b->m[i], r)) {
            load += (double)r->ops->load(b->m[i].user);
            share += b->m[i].share;
        }
    }
    return share > 0 ? walk_ring(b, hash, LOAD_BOUND * load / share, r) : NULL;
}

/*
 * How many points a share of one is: RING_POINTS for the average member, within a factor of 1.5.
 * When a member comes, the points of the others stay, so that no hash goes from one of them to
 * another: shares are measured by the weights of a sub-group, which with a single one are the
 * weights as they are said, and by a power of two, which the average seldom crosses.
 */
static double points_per_share(const struct balance *b)
{
    double weight = b->subs[0].total / b->subs[0].weight;
    double average = b->total / (double)b->n * weight;
    return RING_POINTS * weight / exp2(round(log2(average)));
}

static void make_ring(struct balance *b, const struct balance_member *const *sorted)
{
    struct ring_member *m = xcalloc(b->n + 1, sizeof(*m));
    double per_share = points_per_share(b);
    for (size_t i = 0; i < b->n; i++) {
        double points = b->kind == BALANCE_AFFINITY ? RING_POINTS : per_share * b->m[i].share;
        m[i] = (struct ring_member){sorted[i]->key, sorted[i]->key_len,
                                    points < 1 ? 1 : (size_t)lround(points)};
    }
    ring_init(&b->ring, m, b->n);
    free(m);
}

/* ---------------------------------------------------------------- ids */

uint32_t balance_id(const char *key, size_t len)
{
    return ring_id(key, len);
}

static int by_id(const void *a, const void *b, void *members)
{
    const struct member *m = members;
    uint32_t x = m[*(const uint32_t *)a].id, y = m[*(const uint32_t *)b].id;
    return (x > y) - (x < y);
}

/* Of two members with the same id, which takes 2^32 addresses or bad luck, it is always the same
 * one. */
void *balance_of_address(const struct balance *b, uint32_t id)
{
    size_t low = 0, high = b->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->m[b->by_id[middle]].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < b->n && b->m[b->by_id[low]].id == id ? b->m[b->by_id[low]].user : NULL;
}

uint32_t balance_id_of(const struct balance *b, const void *user)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->m[i].user == user) {
            return b->m[i].id;
        }
    }
    assert(!"balance_id_of: not a member");
    return 0;
}

/* ---------------------------------------------------------------- making */

static int by_key(const void *a, const void *b)
{
    const struct balance_member *x = *(const struct balance_member *const *)a;
    const struct balance_member *y = *(const struct balance_member *const *)b;
    int order = memcmp(x->key, y->key, x->key_len < y->key_len ? x->key_len : y->key_len);
    return order != 0 ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

static int by_number(const void *a, const void *b)
{
    const struct sub_group *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Those that have a member: one whose names do not resolve now has none. */
static void make_sub_groups(struct balance *b, const struct balance_member *const *m, size_t n)
{
    b->subs = xcalloc(n + 1, sizeof(*b->subs));
    for (size_t i = 0; i < n; i++) {
        b->subs[i] = (struct sub_group){.number = m[i]->sub_group, .weight = m[i]->sub_weight};
    }
    qsort(b->subs, n, sizeof(*b->subs), by_number);
    for (size_t i = 0; i < n; i++) {
        if (b->nsubs == 0 || b->subs[b->nsubs - 1].number != b->subs[i].number) {
            b->subs[b->nsubs++] = b->subs[i];
        }
        assert(b->subs[b->nsubs - 1].weight == b->subs[i].weight);
    }
    for (size_t i = 0; i < n; i++) {
        struct sub_group key = {.number = m[i]->sub_group};
        struct sub_group *g = bsearch(&key, b->subs, b->nsubs, sizeof(*b->subs), by_number);
        assert(g != NULL);
        b->m[i].sub_group = (uint32_t)(g - b->subs);
        g->total += m[i]->weight;
        g->n++;
    }
}

static void take_members(struct balance *b, const struct balance_member *const *m, size_t n)
{
    b->m = xcalloc(n + 1, sizeof(*b->m));
    b->by_id = xcalloc(n + 1, sizeof(*b->by_id));
    make_sub_groups(b, m, n);
    for (b->n = 0; b->n < n; b->n++) {
        const struct balance_member *from = m[b->n];
        struct member *to = &b->m[b->n];
        assert(from->user != NULL && from->weight > 0);
        assert(from->sub_weight >= 1 && from->sub_weight <= BALANCE_WEIGHT_MOST);
        to->user = from->user;
        to->id = balance_id(from->key, from->key_len);
        to->share = from->sub_weight * from->weight / b->subs[to->sub_group].total;
        b->total += to->share;
        b->by_id[b->n] = (uint32_t)b->n;
    }
    qsort_r(b->by_id, n, sizeof(*b->by_id), by_id, b->m);
}

struct balance *balance_new(enum balance_kind kind, const struct balance_member *m, size_t n,
                            unsigned seed)
{
    assert(n < UINT32_MAX);
    struct balance *b = xcalloc(1, sizeof(*b));
    b->kind = kind;
    b->random = random_seed(seed);
    const struct balance_member **sorted = xcalloc(n + 1, sizeof(*sorted));
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &m[i];
    }
    qsort(sorted, n, sizeof(*sorted), by_key);
    take_members(b, sorted, n);
    switch (kind) {
    case BALANCE_ROUND_ROBIN:
        make_round_robin(b, sorted);
        break;
    case BALANCE_LEAST_CONN:
        make_least_conn(b);
        break;
    case BALANCE_P2C:
        make_p2c(b);
        break;
    case BALANCE_HASH:
    case BALANCE_AFFINITY:
        make_ring(b, sorted);
        break;
    }
    free(sorted);
    return b;
}

void balance_free(struct balance *b)
{
    if (b == NULL) {
        return;
    }
    for (size_t g = 0; g < b->nsubs; g++) {
        free(b->subs[g].members.t);
    }
    ring_free(&b->ring);
    free(b->groups.t);
    free(b->subs);
    free(b->turns);
    free(b->up_to);
    free(b->by_id);
    free(b->m);
    free(b);
}

void *balance_pick(struct balance *b, const struct balance_ops *ops, void *arg, uint32_t hash)
{
    const struct question r = {ops, arg};
    struct member *m = NULL;
    b->picks++; /* from 1, so that no member has been asked yet */
    if (b->n == 0) {
        return NULL;
    }
    switch (b->kind) {
    case BALANCE_ROUND_ROBIN:
        m = pick_round_robin(b, &r);
        break;
    case BALANCE_LEAST_CONN:
        m = pick_least_conn(b, &r);
        break;
    case BALANCE_P2C:
        m = pick_p2c(b, &r);
        break;
    case BALANCE_HASH:
        m = pick_hash(b, hash, &r);
        break;
    case BALANCE_AFFINITY:
        m = walk_ring(b, hash, INFINITY, &r);
        break;
    }
    return m != NULL ? m->user : NULL;
}
