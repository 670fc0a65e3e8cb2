/*
 * The time that a request's route takes, with few patterns and with many.
 * bench/router/patterns runs it.
 *
 *     router_bench TURNS    for each kind of pattern: its name, ns per match with FEW, with MANY
 *
 * Requests are made in batches, into the same memory, and then the time of their matches is taken:
 * like that of a head that has just been parsed, their text is in the nearest cache, and what the
 * router reads is where the batches before have left it. They lead to patterns at random, and are
 * of the same lengths for few and for many. Both take turns of many batches. Of a turn the median
 * of its batches counts, and of the turns the best: what else runs on the machine only adds.
 */
#include "route/router.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FEW      10u
#define MANY     10000u
#define BATCH    64u
#define BATCHES  500u /* of a turn */
#define TEXT_MAX 64u

struct request {
    char host[TEXT_MAX], path[TEXT_MAX];
    size_t host_len, path_len;
    int expected;
};

struct table {
    struct router *router;
    unsigned npatterns;
    double ns; /* of the best turn */
};

/* A pattern, and a request that goes there; n is the pattern's, extra is another number. */
struct kind {
    const char *name;
    void (*write)(unsigned n, unsigned extra, char *pattern, char *host, char *path);
};

/* Numbers of five digits that resemble each other in no order. */
static unsigned scatter(unsigned n)
{
    return n * 70657u % 100000u;
}

static void write_host(unsigned n, unsigned extra, char *pattern, char *host, char *path)
{
    sprintf(pattern, "shop-%05u.customers.example.com/", scatter(n));
    sprintf(host, "shop-%05u.customers.example.com", scatter(n));
    sprintf(path, "/cart/%05u/items", extra);
}

static void write_wildcard(unsigned n, unsigned extra, char *pattern, char *host, char *path)
{
    sprintf(pattern, "*.tenant%05u.example.org/", scatter(n));
    sprintf(host, "w%05u.tenant%05u.example.org", extra, scatter(n));
    sprintf(path, "/index.html");
}

static void write_path(unsigned n, unsigned extra, char *pattern, char *host, char *path)
{
    sprintf(pattern, "/api/v2/service-%05u/", scatter(n));
    sprintf(host, "api.example.net");
    sprintf(path, "/api/v2/service-%05u/objects/%05u", scatter(n), extra);
}

static void write_host_and_path(unsigned n, unsigned extra, char *pattern, char *host, char *path)
{
    sprintf(pattern, "site%05u.example.com/app%u/*", scatter(n / 2), n % 2);
    sprintf(host, "site%05u.example.com", scatter(n / 2));
    sprintf(path, "/app%u/view/%05u", n % 2, extra);
}

static void write_mixed(unsigned n, unsigned extra, char *pattern, char *host, char *path)
{
    static void (*const writers[])(unsigned, unsigned, char *, char *, char *) = {
        write_host, write_wildcard, write_path, write_host_and_path};
    writers[n % 4](n, extra, pattern, host, path);
}

static const struct kind kinds[] = {
    {"hosts", write_host},  {"wildcard hosts", write_wildcard},
    {"paths", write_path},  {"hosts and paths", write_host_and_path},
    {"mixed", write_mixed},
};

static void die(const char *what)
{
    fprintf(stderr, "router_bench: %s\n", what);
    exit(1);
}

static uint64_t random_state = 88172645463325252ULL;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % n;
}

static struct table *table_new(const struct kind *k, unsigned npatterns)
{
    struct table *t = calloc(1, sizeof(*t));
    char pattern[TEXT_MAX], host[TEXT_MAX], path[TEXT_MAX];
    if (t == NULL || (t->router = router_new()) == NULL) {
        die("no memory");
    }
    t->npatterns = npatterns;
    for (unsigned i = 0; i < npatterns; i++) {
        k->write(i, 0, pattern, host, path);
        if (router_add(t->router, pattern, (int)i) != ROUTER_OK) {
            die(pattern);
        }
    }
    if (router_add(t->router, "/", (int)npatterns) != ROUTER_OK ||
        router_seal(t->router) != ROUTER_OK) {
        die("no catch-all");
    }
    return t;
}

static void table_free(struct table *t)
{
    router_free(t->router);
    free(t);
}

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double ask_batch(const struct kind *k, const struct table *t)
{
    static struct request batch[BATCH];
    char pattern[TEXT_MAX];
    for (unsigned i = 0; i < BATCH; i++) {
        struct request *q = &batch[i];
        q->expected = (int)random_below(t->npatterns);
        k->write((unsigned)q->expected, random_below(100000), pattern, q->host, q->path);
        q->host_len = strlen(q->host);
        q->path_len = strlen(q->path);
    }
    bool good = true;
    double start = now_ns();
    for (unsigned i = 0; i < BATCH; i++) {
        const struct request *q = &batch[i];
        good &= router_match(t->router, q->host, q->host_len, q->path, q->path_len) == q->expected;
    }
    double ns = (now_ns() - start) / BATCH;
    if (!good) {
        die("a request went elsewhere");
    }
    return ns;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Enough requests for the caches to be of this table again, whatever ran before. */
static void ask_turn(const struct kind *k, struct table *t)
{
    double ns[BATCHES];
    for (unsigned i = 0; i < BATCHES; i++) {
        ns[i] = ask_batch(k, t);
    }
    qsort(ns, BATCHES, sizeof(*ns), by_size);
    t->ns = t->ns == 0 || ns[BATCHES / 2] < t->ns ? ns[BATCHES / 2] : t->ns;
}

int main(int argc, char **argv)
{
    int turns = argc == 2 ? atoi(argv[1]) : 0;
    if (turns < 1) {
        die("usage: router_bench TURNS");
    }
    for (size_t n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++) {
        const struct kind *k = &kinds[n];
        struct table *few = table_new(k, FEW);
        struct table *many = table_new(k, MANY);
        for (int i = 0; i < turns; i++) {
            ask_turn(k, few);
            ask_turn(k, many);
        }
        printf("%s\t%.1f\t%.1f\n", k->name, few->ns, many->ns);
        table_free(few);
        table_free(many);
    }
    return 0;
}
