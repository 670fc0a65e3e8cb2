/* The state of addresses: the table, the transitions, the claims. */
#include "route/health.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "config.h"
#include "net/block.h"
#include "ops/log.h"

/* ---------------------------------------------------------------- the table */

/* 64 octets each, 1 MiB in all, of which only the pages exist that are used. Whoever finds no place
 * near that of its hash has a slot of its own: it shares with less, and works as well. */
#define SLOTS       16384u
#define PLACES      32u
#define OWNER_USERS 0xffffu /* the low bits of `owner`; above them is the hash */

struct table {
    struct health_slot slots[SLOTS];
    atomic_uint generation; /* reloads */
    atomic_uint probers;    /* numbers that were given out */
    atomic_uint ejections;  /* of all addresses */
};

_Static_assert(sizeof(struct health_slot) == 64, "a slot is a cache line");

/* Without a table in common (tests, a system that gives no memory). */
static struct {
    atomic_uint generation, probers, ejections;
} own;

static struct table *table;

void health_map(void)
{
    assert(table == NULL);
    void *p =
        mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        LOG(WARN, "no memory to share: a reload forgets which backends are offline: %s",
            strerror(errno));
        return;
    }
    table = p;
}

static atomic_uint *generation(void)
{
    return table != NULL ? &table->generation : &own.generation;
}

static atomic_uint *all_ejections(void)
{
    return table != NULL ? &table->ejections : &own.ejections;
}

void health_new_generation(void)
{
    atomic_fetch_add(generation(), 1);
}

/* FNV-1a, 64 bits, folded to 48: two of some thousand addresses share a slot once in 10^7 times. */
static uint64_t hash_of(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = key; *p != '\0'; p++) {
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    }
    h = (h >> 48 ^ h) & 0xffffffffffffu;
    return h != 0 ? h : 1;
}

static void clear(struct health_slot *s)
{
    atomic_store(&s->state, 0);
    atomic_store(&s->blocked_until, 0);
    atomic_store(&s->ejected_until, 0);
    atomic_store(&s->claim, 0);
    atomic_store(&s->fives, 0);
    atomic_store(&s->ejections, 0);
    atomic_store(&s->generation, 0);
    atomic_store(&s->outed, 0);
}

/* One user more, if the slot is of this hash. */
static bool join(struct health_slot *s, uint64_t hash)
{
    uint64_t owner = atomic_load(&s->owner);
    while (owner >> 16 == hash && (owner & OWNER_USERS) < OWNER_USERS) {
        if (atomic_compare_exchange_weak(&s->owner, &owner, owner + 1)) {
            return true;
        }
    }
    return false;
}

/* The slot becomes this hash's, if nobody uses it. A process that was killed used it for ever: that
 * costs a slot only if its address never comes again. */
static bool take_over(struct health_slot *s, uint64_t hash, bool only_free)
{
    uint64_t owner = atomic_load(&s->owner);
    if ((owner & OWNER_USERS) != 0 || (only_free && owner != 0) ||
        !atomic_compare_exchange_strong(&s->owner, &owner, hash << 16 | 1)) {
        return false;
    }
    clear(s);
    return true;
}

/* A slot that was free once is never free again, so behind a free one there is nothing to find. */
static struct health_slot *find_slot(uint64_t hash)
{
    for (unsigned i = 0; table != NULL && i < PLACES; i++) {
        struct health_slot *s = &table->slots[(hash + i) % SLOTS];
        if (join(s, hash) || take_over(s, hash, true) || join(s, hash)) {
            return s;
        }
    }
    for (unsigned i = 0; table != NULL && i < PLACES; i++) {
        struct health_slot *s = &table->slots[(hash + i) % SLOTS];
        if (take_over(s, hash, false)) {
            return s;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- the addresses of a process */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#define BUCKETS 1024u
static struct health *buckets[BUCKETS];

static char *key_of(const char *key, const struct cfg_backend *cfg)
{
    const char *path = cfg->health_path != NULL ? cfg->health_path : "";
    const char *host = cfg->health_host != NULL ? cfg->health_host : "";
    char *s = NULL;
    size_t len;
    FILE *f = open_memstream(&s, &len);
    if (f == NULL) {
        abort(); /* no memory */
    }
    fprintf(f, "%s\n%s\n%s", key, path, host);
    for (size_t i = 0; cfg->health_path != NULL && i < cfg->nhealth_status; i++) {
        fprintf(f, "\n%u-%u", cfg->health_status[i].lo, cfg->health_status[i].hi);
    }
    if (cfg->health_path != NULL) {
        fprintf(f, "\n%llu %llu", (unsigned long long)cfg->health_interval,
                (unsigned long long)cfg->health_timeout);
    }
    if (fclose(f) != 0) {
        abort();
    }
    return s;
}

/* Connections are counted for each line: two of the same address have their own max-conns, and the
 * idle connections of one must not use up those of the other. Lines with the same patterns count
 * together: they serve the same requests, so that what one of them frees is for those of all. */
static char *line_of(const char *full, const struct cfg_backend *cfg)
{
    size_t cap = strlen(full) + 1;
    for (size_t i = 0; i < cfg->npatterns; i++) {
        cap += strlen(cfg->patterns[i]) + 1;
    }
    char *s = xmalloc(cap), *p = stpcpy(s, full);
    for (size_t i = 0; i < cfg->npatterns; i++) {
        *p++ = '\n';
        p = stpcpy(p, cfg->patterns[i]);
    }
    return s;
}

static struct health *health_new(char *line, const char *full)
{
    struct health *h = xcalloc(1, sizeof(*h));
    h->key = line;
    h->slot = find_slot(hash_of(full));
    if (h->slot == NULL) {
        h->slot = &h->own;
    }
    return h;
}

static void forgive(struct health_slot *s, const struct cfg_backend *cfg);

struct health *health_get(const char *key, const struct cfg_backend *cfg)
{
    char *full = key_of(key, cfg), *line = line_of(full, cfg);
    struct health **bucket = &buckets[hash_of(line) % BUCKETS];
    pthread_mutex_lock(&lock);
    struct health *h = *bucket;
    while (h != NULL && strcmp(h->key, line) != 0) {
        h = h->next;
    }
    if (h == NULL) {
        h = health_new(line, full);
        h->next = *bucket;
        *bucket = h;
        forgive(h->slot, cfg);
    } else {
        free(line);
    }
    free(full);
    h->refs++;
    pthread_mutex_unlock(&lock);
    return h;
}

void health_put(struct health *h)
{
    pthread_mutex_lock(&lock);
    assert(h->refs > 0);
    h->refs--;
    bool last = h->refs == 0;
    if (last) {
        struct health **at = &buckets[hash_of(h->key) % BUCKETS];
        while (*at != h) {
            at = &(*at)->next;
        }
        *at = h->next;
    }
    pthread_mutex_unlock(&lock);
    if (last) {
        assert(atomic_load(&h->nconns) == 0);
        if (h->slot != &h->own) {
            atomic_fetch_sub(&h->slot->owner, 1);
        }
        free(h->key);
        free(h);
    }
}

/* ---------------------------------------------------------------- online and offline */

/* What decides is one word, so that two threads never make one transition twice. Counters stop at
 * their end. */
struct state {
    uint16_t failures; /* connects, or probes, that failed in a row */
    uint16_t bad;      /* active checks that failed in a row */
    uint16_t good;     /* probes, or checks, that succeeded in a row while it was offline */
    uint16_t offline;  /* ONLINE, OFFLINE or SILENT */
};

enum { ONLINE, OFFLINE, SILENT /* offline, too */ };

static struct state unpack(uint64_t word)
{
    return (struct state){(uint16_t)word, (uint16_t)(word >> 16), (uint16_t)(word >> 32),
                          (uint16_t)(word >> 48)};
}

static uint64_t pack(struct state s)
{
    return (uint64_t)s.offline << 48 | (uint64_t)s.good << 32 | (uint64_t)s.bad << 16 | s.failures;
}

static struct state state_of(const struct health *h)
{
    return unpack(atomic_load(&h->slot->state));
}

static uint16_t one_more(uint16_t n)
{
    return n < UINT16_MAX ? (uint16_t)(n + 1) : n;
}

/* Whether n of them are as many as fall or rise says. */
static bool reaches(uint16_t n, uint32_t limit)
{
    return limit > 0 && n >= (limit < UINT16_MAX ? limit : UINT16_MAX);
}

typedef struct state (*transition)(struct state s, const struct cfg_backend *cfg);

/* Whoever gets the new word in has made the change. */
static enum health_change apply(struct health *h, const struct cfg_backend *cfg, transition f,
                                struct state *after)
{
    struct health_slot *slot = h->slot;
    uint64_t word = atomic_load(&slot->state);
    struct state old, new;
    do {
        old = unpack(word);
        new = f(old, cfg);
    } while (pack(new) != word && !atomic_compare_exchange_weak(&slot->state, &word, pack(new)));
    *after = new;
    if (!old.offline == !new.offline) {
        return HEALTH_SAME;
    }
    if (new.offline) {
        atomic_store(&slot->generation, atomic_load(generation()));
        return HEALTH_FELL;
    }
    atomic_store(&slot->blocked_until, 0);
    return HEALTH_ROSE;
}

static struct state failed_connect(struct state s, const struct cfg_backend *cfg, uint16_t how)
{
    if (s.offline) {
        return s; /* it was on its way before; the probes have the word now */
    }
    s.failures = one_more(s.failures);
    s.good = 0;
    s.offline = reaches(s.failures, cfg->fall) ? how : ONLINE;
    return s;
}

static struct state on_connect_failed(struct state s, const struct cfg_backend *cfg)
{
    return failed_connect(s, cfg, OFFLINE);
}

static struct state on_connect_timeout(struct state s, const struct cfg_backend *cfg)
{
    return failed_connect(s, cfg, SILENT);
}

static struct state on_good_probe(struct state s, const struct cfg_backend *cfg)
{
    if (!s.offline) {
        return s;
    }
    s.offline = OFFLINE;
    s.failures = 0;
    s.good = one_more(s.good);
    return reaches(s.good, cfg->rise) ? (struct state){0} : s;
}

static struct state on_bad_probe(struct state s, const struct cfg_backend *cfg)
{
    (void)cfg;
    if (s.offline) {
        s.failures = one_more(s.failures);
        s.good = 0;
    }
    return s;
}

static struct state on_good_check(struct state s, const struct cfg_backend *cfg)
{
    s.bad = 0;
    return on_good_probe(s, cfg);
}

static struct state failed_check(struct state s, const struct cfg_backend *cfg, uint16_t how)
{
    s.good = 0;
    s.bad = one_more(s.bad);
    s.offline = s.offline || reaches(s.bad, cfg->fall) ? how : ONLINE;
    return s;
}

static struct state on_bad_check(struct state s, const struct cfg_backend *cfg)
{
    return failed_check(s, cfg, OFFLINE);
}

static struct state on_silent_check(struct state s, const struct cfg_backend *cfg)
{
    return failed_check(s, cfg, SILENT);
}

/* Offline for good (rise=0) means: until the operator reloads. */
static void forgive(struct health_slot *s, const struct cfg_backend *cfg)
{
    uint64_t word = atomic_load(&s->state);
    if (cfg->rise == 0 && unpack(word).offline &&
        atomic_load(&s->generation) != atomic_load(generation())) {
        atomic_compare_exchange_strong(&s->state, &word, 0);
    }
}

bool health_is_offline(const struct health *h, const struct cfg_backend *cfg)
{
    return cfg->fall > 0 && state_of(h).offline != ONLINE;
}

bool health_is_silent(const struct health *h, const struct cfg_backend *cfg)
{
    return cfg->fall > 0 && state_of(h).offline == SILENT;
}

/* 1.6^n s ±20 %; the tenth time is the longest. */
static uint64_t backoff(unsigned n, struct health_backoff b)
{
    double ms = 1000.0 * (0.8 + 0.4 * b.random);
    for (unsigned i = 0; i < n && i < 10; i++) {
        ms *= 1.6;
    }
    return (uint64_t)ms < b.most ? (uint64_t)ms : b.most;
}

unsigned health_connected(struct health *h)
{
    uint64_t word = atomic_load(&h->slot->state);
    struct state s;
    unsigned failures;
    do {
        s = unpack(word);
        failures = s.failures;
        if (s.offline || failures == 0) { /* an address that is well is not written to */
            return 0;
        }
        s.failures = 0;
    } while (!atomic_compare_exchange_weak(&h->slot->state, &word, pack(s)));
    atomic_store(&h->slot->blocked_until, 0);
    return failures;
}

enum health_change health_connect_failed(struct health *h, const struct cfg_backend *cfg,
                                         uint64_t now, struct health_backoff b, bool silent,
                                         unsigned *failures)
{
    struct state s = state_of(h);
    uint64_t until = atomic_load(&h->slot->blocked_until);
    *failures = 0;
    /* Of those that fail at the same time one gets its time in, and counts. */
    if (until > now || s.offline ||
        !atomic_compare_exchange_strong(&h->slot->blocked_until, &until,
                                        now + backoff(s.failures + 1u, b))) {
        return HEALTH_SAME;
    }
    enum health_change change = apply(h, cfg, silent ? on_connect_timeout : on_connect_failed, &s);
    *failures = s.failures;
    return change;
}

enum health_change health_probed(struct health *h, const struct cfg_backend *cfg, bool good)
{
    struct state s;
    return apply(h, cfg, good ? on_good_probe : on_bad_probe, &s);
}

uint64_t health_next_probe(const struct health *h, struct health_backoff b)
{
    struct state s = state_of(h);
    return backoff(s.failures, b);
}

enum health_change health_checked(struct health *h, const struct cfg_backend *cfg,
                                  enum health_finding found)
{
    static const transition transitions[] = {[HEALTH_WELL] = on_good_check,
                                             [HEALTH_ILL] = on_bad_check,
                                             [HEALTH_SILENT] = on_silent_check};
    struct state s;
    return apply(h, cfg, transitions[found], &s);
}

/* ---------------------------------------------------------------- outliers */

#define EJECTION_MS      30000u
#define LONGEST_EJECTION 300000u
#define MOST_DOUBLINGS   4u /* 30 s, 1, 2, 4, 5 min */
/* For each time of this length without an ejection, one doubling less. */
#define FORGET_MS 300000u

static uint64_t ejection_ms(unsigned doublings)
{
    uint64_t ms = (uint64_t)EJECTION_MS << doublings;
    return ms < LONGEST_EJECTION ? ms : LONGEST_EJECTION;
}

static enum health_change eject(struct health_slot *s, uint64_t now)
{
    uint64_t ended = atomic_load(&s->ejected_until);
    if (ended > now) {
        return HEALTH_SAME; /* what was on its way, or what had to be let in */
    }
    unsigned doublings = atomic_load(&s->ejections);
    uint64_t quiet = (now - ended) / FORGET_MS;
    doublings = quiet < doublings ? doublings - (unsigned)quiet : 0;
    if (!atomic_compare_exchange_strong(&s->ejected_until, &ended, now + ejection_ms(doublings))) {
        return HEALTH_SAME;
    }
    atomic_store(&s->ejections, doublings < MOST_DOUBLINGS ? doublings + 1 : doublings);
    atomic_store(&s->outed, 1);
    atomic_fetch_add(all_ejections(), 1);
    return HEALTH_OUTED;
}

enum health_change health_answered(struct health *h, const struct cfg_backend *cfg, int status,
                                   uint64_t now)
{
    struct health_slot *s = h->slot;
    if (cfg->outlier == 0 || status < 200) {
        return HEALTH_SAME;
    }
    if (status < 500) {
        if (atomic_load(&s->fives) != 0) {
            atomic_store(&s->fives, 0);
        }
        return HEALTH_SAME;
    }
    unsigned n = atomic_fetch_add(&s->fives, 1) + 1;
    if (n < cfg->outlier) {
        return HEALTH_SAME;
    }
    atomic_store(&s->fives, 0);
    return eject(s, now);
}

bool health_returned(struct health *h, uint64_t now)
{
    return atomic_load(&h->slot->outed) != 0 && health_ejected_for(h, now) == 0 &&
           atomic_exchange(&h->slot->outed, 0) != 0;
}

uint64_t health_ejected_for(const struct health *h, uint64_t now)
{
    uint64_t until = atomic_load(&h->slot->ejected_until);
    return until > now ? until - now : 0;
}

enum health_use health_use(const struct health *h, const struct cfg_backend *cfg, uint64_t now,
                           uint64_t let_in)
{
    const struct health_slot *s = h->slot;
    if (health_is_offline(h, cfg)) {
        return HEALTH_OFFLINE;
    }
    if (atomic_load(&s->blocked_until) > now) {
        return HEALTH_BLOCKED;
    }
    uint64_t ejected = cfg->outlier > 0 ? atomic_load(&s->ejected_until) : 0;
    return ejected > now && ejected > let_in ? HEALTH_EJECTED : HEALTH_GOOD;
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t health_let_in(struct health_group *g, size_t n,
                       const struct health *(*of)(const void *user, size_t i), const void *user,
                       uint64_t now)
{
    unsigned version = atomic_load(all_ejections());
    if (g->changes_at > now && g->version == version) {
        return g->let_in;
    }
    uint64_t *ends = xmalloc((n + 1) * sizeof(*ends));
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t end = atomic_load(&of(user, i)->slot->ejected_until);
        if (end > now) {
            ends[out++] = end;
        }
    }
    qsort(ends, out, sizeof(*ends), by_time);
    g->version = version;
    g->changes_at = out > 0 ? ends[0] : UINT64_MAX;
    g->let_in = out == n ? UINT64_MAX : out > n / 2 ? ends[out - n / 2 - 1] : 0;
    free(ends);
    return g->let_in;
}

/* ---------------------------------------------------------------- who probes */

/* A claim: the time until which it holds, and in the low 16 bits the prober. */

uint16_t health_prober(void)
{
    atomic_uint *probers = table != NULL ? &table->probers : &own.probers;
    uint16_t id;
    do {
        id = (uint16_t)(atomic_fetch_add(probers, 1) + 1);
    } while (id == 0);
    return id;
}

bool health_claim(struct health *h, uint16_t prober, uint64_t now, uint64_t until, uint64_t *other)
{
    uint64_t claim = atomic_load(&h->slot->claim);
    do {
        if (claim >> 16 > now && (uint16_t)claim != prober) {
            *other = claim >> 16;
            return false;
        }
    } while (!atomic_compare_exchange_weak(&h->slot->claim, &claim, until << 16 | prober));
    return true;
}

void health_unclaim(struct health *h, uint16_t prober)
{
    uint64_t claim = atomic_load(&h->slot->claim);
    if ((uint16_t)claim == prober) {
        atomic_compare_exchange_strong(&h->slot->claim, &claim, 0);
    }
}

/* ---------------------------------------------------------------- connections */

bool health_take_conn(struct health *h, unsigned most)
{
    unsigned n = atomic_load(&h->nconns);
    do {
        if (most > 0 && n >= most) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&h->nconns, &n, n + 1));
    return true;
}

void health_give_conn(struct health *h)
{
    unsigned before = atomic_fetch_sub(&h->nconns, 1);
    assert(before > 0);
}
