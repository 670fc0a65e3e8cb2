/* Routing by the rules of nghttpx's manual: each by name, then everything against a slow and
 * obvious implementation. */
#include "router.h"
#include "router_internal.h"

#include "failing_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct query {
    const char *host, *path;
    const char *expected; /* a pattern, NULL: none */
};

/* Adds the patterns, ended by NULL, with their place as index. */
static struct router *make(const char *const *patterns)
{
    struct router *r = router_new();
    assert_non_null(r);
    for (int i = 0; patterns[i] != NULL; i++) {
        assert_int_equal(router_add(r, patterns[i], i), ROUTER_OK);
    }
    return r;
}

static void seal(struct router *r)
{
    assert_int_equal(router_seal(r), ROUTER_OK);
}

static void check(const char *const *patterns, const struct query *queries, size_t n)
{
    struct router *r = make(patterns);
    seal(r);
    for (size_t i = 0; i < n; i++) {
        const struct query *q = &queries[i];
        int index = router_match(r, q->host, strlen(q->host), q->path, strlen(q->path));
        const char *got = index >= 0 ? patterns[index] : "none";
        const char *expected = q->expected != NULL ? q->expected : "none";
        if (strcmp(got, expected) != 0) {
            fail_msg("%s %s: %s instead of %s", q->host, q->path, got, expected);
        }
    }
    router_free(r);
}

static void an_empty_router_matches_nothing(void **state)
{
    (void)state;
    static const char *const patterns[] = {NULL};
    static const struct query queries[] = {{"", "/", NULL}, {"a", "/", NULL}, {"", "", NULL}};
    check(patterns, queries, COUNT(queries));
}

static void exact_hosts_come_before_wildcards_and_longer_wildcards_first(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "*example.com/", "www.example.com/", "*.example.com/", "*w.example.com/", "*/", "/", NULL};
    static const struct query queries[] = {
        {"www.example.com", "/x", "www.example.com/"},
        {"WWW.Example.COM", "/x", "www.example.com/"},
        {"w.example.com", "/x", "*.example.com/"}, /* a * stands for something */
        {"vw.example.com", "/x", "*w.example.com/"},
        {".example.com", "/x", "*example.com/"},
        {"notexample.com", "/x", "*example.com/"},
        {"example.com", "/x", "*/"},
        {"a", "/x", "*/"},
        {"", "/x", "/"},
    };
    check(patterns, queries, COUNT(queries));
}

static void host_patterns_come_before_paths_alone(void **state)
{
    (void)state;
    static const char *const patterns[] = {"/",   "/long/path/", "a/long/", "*b/long/path/x",
                                           "b/y", NULL};
    static const struct query queries[] = {
        {"a", "/long/path/x", "a/long/"},
        {"a", "/other", "/"}, /* nothing below a: the paths alone */
        {"ab", "/long/path/x", "*b/long/path/x"},
        {"ab", "/long/path/y", "/long/path/"},
        {"b", "/y", "b/y"},
        {"b", "/long/path/x", "/long/path/"},
        {"c", "/long/path", "/long/path/"},
    };
    check(patterns, queries, COUNT(queries));
}

static void when_no_path_fits_the_next_host_is_tried(void **state)
{
    (void)state;
    static const char *const patterns[] = {"a.b.c/x", "*.b.c/y", "*.c/z", "*/w", "/", NULL};
    static const struct query queries[] = {
        {"a.b.c", "/x", "a.b.c/x"}, {"a.b.c", "/y", "*.b.c/y"}, {"a.b.c", "/z", "*.c/z"},
        {"a.b.c", "/w", "*/w"},     {"a.b.c", "/v", "/"},       {"b.c", "/y", "/"},
    };
    check(patterns, queries, COUNT(queries));
}

static void paths(void **state)
{
    (void)state;
    static const char *const patterns[] = {"/a/",  "/a",  "/a/b/", "/ab",  "/c/", "/d*",
                                           "/de/", "/e/", "/e/*",  "/f/g", NULL};
    static const struct query queries[] = {
        {"", "/", NULL},       {"", "/a", "/a"},       {"", "/a/", "/a/"},   {"", "/a/x", "/a/"},
        {"", "/a/b", "/a/b/"}, {"", "/a/b/", "/a/b/"}, {"", "/a/bc", "/a/"}, {"", "/ab", "/ab"},
        {"", "/abc", NULL},    {"", "/c", "/c/"},      {"", "/c/", "/c/"},   {"", "/cc", NULL},
        {"", "/d", NULL},      {"", "/dx", "/d*"},     {"", "/d/x", "/d*"},  {"", "/de", "/de/"},
        {"", "/de/x", "/de/"}, {"", "/dex", "/d*"},    {"", "/e", "/e/"},    {"", "/e/", "/e/"},
        {"", "/e/x", "/e/*"},  {"", "/f", NULL},       {"", "/f/g/", NULL},  {"", "/f/gh", NULL},
    };
    check(patterns, queries, COUNT(queries));
}

static void a_path_that_is_none_counts_as_the_root(void **state)
{
    (void)state;
    static const char *const patterns[] = {"/", "/*", "h/", NULL};
    static const struct query queries[] = {
        {"", "", "/"},   {"", "*", "/"},  {"h", "*", "h/"},
        {"h", "", "h/"}, {"x", "/", "/"}, {"x", "/x", "/*"},
    };
    check(patterns, queries, COUNT(queries));
}

static void a_pattern_is_found_as_it_is_and_added_once(void **state)
{
    (void)state;
    static const char *const patterns[] = {"/",   "/a",  "/a/",   "/a*", "/a/*", "h/",
                                           "h/a", "*h/", "*h/a*", "*/",  "hh/",  NULL};
    struct router *r = make(patterns);
    for (int i = 0; patterns[i] != NULL; i++) {
        assert_int_equal(router_find(r, patterns[i]), i);
        assert_int_equal(router_add(r, patterns[i], 99), ROUTER_EXISTS);
        assert_int_equal(router_find(r, patterns[i]), i);
    }
    static const char *const others[] = {"/b",   "/a/b", "h/b", "g/",   "*g/",
                                         "*h/a", "",     "h",   "hhh/", "/*"};
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(router_find(r, others[i]), ROUTER_NONE);
    }
    router_free(r);
    router_free(NULL);
}

static void octets_of_any_value_are_compared(void **state)
{
    (void)state;
    struct router *r = router_new();
    char pattern[] = "/?x";
    for (int c = 1; c < 256; c++) {
        if (c != '/' && c != '*') {
            pattern[1] = (char)c;
            assert_int_equal(router_add(r, pattern, c), ROUTER_OK);
        }
    }
    seal(r);
    for (int c = 1; c < 256; c++) {
        if (c != '/' && c != '*') {
            pattern[1] = (char)c;
            assert_int_equal(router_match(r, "\xff\0", 2, pattern, 3), c);
        }
    }
    assert_int_equal(router_match(r, "", 0, "/\0x", 3), ROUTER_NONE);
    router_free(r);
}

/* ---------------------------------------------------------------- against the obvious */

#define MOST_PATTERNS 400

struct plain {
    char text[MOST_PATTERNS][32];
    size_t n;
};

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return m <= n && strcmp(s + n - m, end) == 0;
}

/* How well a path fits, 0: not at all. The whole path, then with a slash more, then by length, *
 * before subtree. */
static size_t path_rank(const char *pattern, const char *path)
{
    size_t n = strlen(pattern), m = strlen(path);
    if (strcmp(pattern, path) == 0 && pattern[n - 1] != '*') {
        return 10001;
    }
    if (pattern[n - 1] == '*') {
        return m > n - 1 && strncmp(pattern, path, n - 1) == 0 ? 2 * (n - 1) + 1 : 0;
    }
    if (pattern[n - 1] == '/') {
        if (m == n - 1 && strncmp(pattern, path, m) == 0) {
            return 10000;
        }
        return strncmp(pattern, path, n) == 0 ? 2 * n : 0;
    }
    return 0;
}

/* The same for a host: exact, then by length, then no host. */
static size_t host_rank(const char *pattern, const char *host)
{
    char own[32];
    size_t n = strcspn(pattern, "/");
    memcpy(own, pattern, n);
    own[n] = '\0';
    if (n == 0) {
        return 1;
    }
    if (own[0] == '*') {
        return strlen(host) > n - 1 && ends_with(host, own + 1) ? 1 + n : 0;
    }
    return strcmp(own, host) == 0 ? 10000 : 0;
}

static int plain_match(const struct plain *p, const char *host, const char *path)
{
    int best = ROUTER_NONE;
    size_t best_host = 0, best_path = 0;
    for (size_t i = 0; i < p->n; i++) {
        size_t h = host_rank(p->text[i], host);
        size_t w = path_rank(strchr(p->text[i], '/'), path);
        if (h > 0 && w > 0 && (h > best_host || (h == best_host && w > best_path))) {
            best = (int)i;
            best_host = h;
            best_path = w;
        }
    }
    return best;
}

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

static void random_text(char *out, const char *alphabet, size_t most)
{
    size_t len = random_below((uint32_t)most + 1);
    for (size_t i = 0; i < len; i++) {
        *out++ = alphabet[random_below((uint32_t)strlen(alphabet))];
    }
    *out = '\0';
}

static void random_pattern(char *out)
{
    char host[16], path[16];
    random_text(host, "ab.", 4);
    random_text(path, "ab/", 4);
    bool open_host = random_below(3) == 0, open_path = random_below(3) == 0;
    if (random_below(3) == 0) {
        host[0] = '\0';
        open_host = false;
    }
    snprintf(out, 32, "%s%s/%s%s", open_host ? "*" : "", host, path, open_path ? "*" : "");
}

/* All texts over the alphabet with exactly `len` octets, by number. */
static bool nth_text(char *out, const char *alphabet, size_t len, size_t n)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = alphabet[n % strlen(alphabet)];
        n /= strlen(alphabet);
    }
    out[len] = '\0';
    return n == 0;
}

static void compare(const struct router *r, const struct plain *p, const char *host,
                    const char *path)
{
    int got = router_match(r, host, strlen(host), path, strlen(path));
    int expected = plain_match(p, host, path);
    if (got != expected) {
        fail_msg("%s %s: %s instead of %s", host, path, got < 0 ? "none" : p->text[got],
                 expected < 0 ? "none" : p->text[expected]);
    }
}

static void every_short_request_goes_where_the_obvious_router_sends_it(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 60; round++) {
        struct plain p = {.n = 0};
        struct router *r = router_new();
        random_state = round;
        size_t wanted = 1 + random_below(24);
        for (size_t i = 0; i < wanted; i++) {
            random_pattern(p.text[p.n]);
            bool seen = false;
            for (size_t j = 0; j < p.n; j++) {
                seen = seen || strcmp(p.text[j], p.text[p.n]) == 0;
            }
            enum router_rc rc = router_add(r, p.text[p.n], (int)p.n);
            assert_int_equal(rc, seen ? ROUTER_EXISTS : ROUTER_OK);
            p.n += !seen;
        }
        seal(r);
        char host[8], path[8] = "/";
        for (size_t host_len = 0; host_len <= 4; host_len++) {
            for (size_t h = 0; nth_text(host, "ab.", host_len, h); h++) {
                for (size_t path_len = 0; path_len <= 4; path_len++) {
                    for (size_t w = 0; nth_text(path + 1, "ab/", path_len, w); w++) {
                        compare(r, &p, host, path);
                    }
                }
            }
        }
        router_free(r);
    }
}

static void long_requests_too(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        struct plain p = {.n = 0};
        struct router *r = router_new();
        random_state = round * 7919;
        for (size_t i = 0; i < 24; i++) {
            char host[12], path[12];
            random_text(host, "a.", 9);
            random_text(path, "a/", 9);
            snprintf(p.text[p.n], 32, "%s%s/%s%s", random_below(2) ? "*" : "", host, path,
                     random_below(2) ? "*" : "");
            p.n += router_add(r, p.text[p.n], (int)p.n) == ROUTER_OK;
        }
        seal(r);
        for (size_t i = 0; i < 500; i++) {
            char host[16], path[16] = "/";
            random_text(host, "a.", 12);
            random_text(path + 1, "a/", 12);
            compare(r, &p, host, path);
        }
        router_free(r);
    }
}

/* Texts of a few forms over a small alphabet, so that many begin the same way and there are jumps
 * over any number of octets; and requests that are such texts, some of them cut or longer. */
static void alike_text(char *out, const char *alphabet, const char *before, size_t least,
                       size_t most)
{
    size_t n = strlen(before);
    memcpy(out, before, n);
    random_text(out + n, alphabet, most - least);
    n = strlen(out);
    for (size_t i = 0; i < least; i++) {
        out[n++] = alphabet[random_below((uint32_t)strlen(alphabet))];
    }
    out[n] = '\0';
}

static void many_alike_patterns_too(void **state)
{
    (void)state;
    static struct plain p;
    for (uint32_t round = 0; round < 80; round++) {
        p.n = 0;
        struct router *r = router_new();
        random_state = round * 104729;
        size_t least = round % 11;
        const char *before = round % 3 == 0 ? "long-before-" : "";
        const char *alphabet = round % 2 ? "01/" : "0123456789abcdefghij/";
        for (size_t i = 0; i < MOST_PATTERNS; i++) {
            char host[16] = "", path[40];
            if (round % 5 > 1) {
                alike_text(host, round % 2 ? "01" : "0123456789abcdefghij", "", least / 2, 10);
            }
            alike_text(path, alphabet, before, round % 5 > 1 ? 1 : least, least + 3);
            bool open = round % 4 == 3 && host[0] != '\0';
            snprintf(p.text[p.n], sizeof(p.text[0]), "%s%.8s/%.19s%s", open ? "*" : "", host, path,
                     random_below(3) == 0 ? "*"
                     : random_below(2)    ? "/"
                                          : "");
            p.n += router_add(r, p.text[p.n], (int)p.n) == ROUTER_OK;
        }
        seal(r);
        for (size_t i = 0; i < 1000; i++) {
            const char *like = p.text[random_below((uint32_t)p.n)];
            const char *slash = strchr(like, '/');
            char host[40], path[40];
            bool open = like[0] == '*';
            snprintf(host, sizeof(host), "%s%.*s", random_below(3) == 0 ? "x" : "",
                     (int)(slash - like) - open, like + open);
            size_t cut = random_below(3) == 0 ? random_below((uint32_t)strlen(slash)) : 0;
            snprintf(path, sizeof(path), "%.*s%s", (int)(strlen(slash) - cut), slash,
                     random_below(4) == 0   ? "0"
                     : random_below(4) == 0 ? "/"
                                            : "");
            if (path[1] != '\0' && random_below(8) == 0) {
                path[1 + random_below((uint32_t)strlen(path) - 1)] = '/';
            }
            compare(r, &p, host, path);
        }
        router_free(r);
    }
}

/* The work of a match, counted in steps: with ten patterns, and with ten thousand. */
static void a_match_takes_as_many_steps_for_ten_patterns_as_for_ten_thousand(void **state)
{
    (void)state;
    static const char *const forms[] = {"shop-%05u.customers.example.com/",
                                        "*.tenant%05u.example.org/", "/api/v2/service-%05u/",
                                        "site%05u.example.com/app/*", "%05u.example/%%05u/x"};
    for (size_t f = 0; f < COUNT(forms); f++) {
        unsigned steps[2];
        for (unsigned many = 0; many < 2; many++) {
            struct router *r = router_new();
            for (unsigned i = 0; i < (many ? 10000 : 10); i++) {
                char pattern[64];
                snprintf(pattern, sizeof(pattern), forms[f], i * 70657 % 100000);
                assert_int_equal(router_add(r, pattern, (int)i), ROUTER_OK);
            }
            seal(r);
            steps[many] = router_steps(r);
            assert_in_range(router_probes(r), 0, 24);
            router_free(r);
        }
        assert_in_range(steps[0], 1, 3);
        assert_int_equal(steps[1], steps[0]);
    }
    /* Of names that have nothing in common, and of any length. */
    struct router *r = router_new();
    random_state = 1;
    for (int i = 0; i < 10000;) {
        char name[20], pattern[40];
        random_text(name, "abcdefghijklmnopqrstuvwxyz", 16);
        snprintf(pattern, sizeof(pattern), "%s.com/", name);
        i += strlen(name) >= 4 && router_add(r, pattern, i) == ROUTER_OK;
    }
    seal(r);
    assert_in_range(router_steps(r), 1, 6);
    router_free(r);
}

/* Eight letters each that have one place in a table of jumps, up to 2^14 places. */
static void nth_colliding(uint64_t *number, char out[9])
{
    uint64_t key;
    do {
        uint64_t n = (*number)++;
        key = 0;
        for (int i = 0; i < 8; i++) {
            out[i] = (char)('a' + n % 26);
            n /= 26;
            key = key << 8 | (uint8_t)out[i];
        }
    } while (key * 0x9e3779b97f4a7c15ULL >> 50 != 0);
    out[8] = '\0';
}

static void names_that_were_thought_up_to_collide_make_no_match_slow(void **state)
{
    (void)state;
    struct router *r = router_new();
    char pattern[16] = "/";
    uint64_t number = 0;
    for (int i = 0; i < 500; i++) {
        nth_colliding(&number, pattern + 1);
        assert_int_equal(router_add(r, pattern, i), ROUTER_OK);
    }
    seal(r);
    assert_in_range(router_probes(r), 0, 24);
    assert_in_range(router_steps(r), 1, 9); /* an octet each */
    number = 0;
    for (int i = 0; i < 500; i++) {
        nth_colliding(&number, pattern + 1);
        assert_int_equal(router_match(r, "", 0, pattern, 9), i);
        assert_int_equal(router_match(r, "", 0, pattern, 8), ROUTER_NONE);
    }
    router_free(r);
}

/* A step takes an octet of the request at least, whatever the patterns. */
static void the_length_of_a_request_bounds_its_steps(void **state)
{
    (void)state;
    enum { DEPTH = 4000 };
    static char path[2 * DEPTH + 2], host[256], pattern[2 * DEPTH + 300];
    struct router *r = router_new();
    for (size_t i = 0; i < DEPTH; i++) {
        memcpy(path + 2 * i, "/a", 3);
    }
    for (size_t i = 0; i < sizeof(host) - 1; i++) {
        host[i] = i % 2 ? '.' : 'a';
    }
    int n = 0;
    for (size_t depth = 1; depth <= 60; depth++) { /* "/a/", "/a/a/", ...; and beside them */
        snprintf(pattern, sizeof(pattern), "/%.*s", (int)(2 * depth), path + 1);
        assert_int_equal(router_add(r, pattern, n++), ROUTER_OK);
        pattern[2 * depth - 1] = 'b';
        assert_int_equal(router_add(r, pattern, n++), ROUTER_OK);
    }
    for (size_t len = 1; len <= 120; len++) { /* "*a/", "*.a/", "*a.a/", ... */
        snprintf(pattern, sizeof(pattern), "*%.*s/x", (int)len, host + 255 - len);
        assert_int_equal(router_add(r, pattern, n++), ROUTER_OK);
    }
    snprintf(pattern, sizeof(pattern), "a/%s", path + 1); /* as long as the request */
    assert_int_equal(router_add(r, pattern, n++), ROUTER_OK);
    seal(r);
    assert_in_range(router_steps(r), 1, 120 + 120);
    assert_int_equal(router_match(r, host, 255, path, 2 * DEPTH), 118);
    assert_int_equal(router_match(r, host, 255, "/x", 2), n - 2);
    assert_int_equal(router_match(r, "a", 1, path, 2 * DEPTH), n - 1);
    memset(path, '/', 2 * DEPTH);
    assert_int_equal(router_match(r, host, 255, path, 2 * DEPTH), ROUTER_NONE);
    router_free(r);
}

static void many_patterns(void **state)
{
    (void)state;
    struct router *r = router_new();
    char pattern[64];
    const int n = 20000;
    for (int i = 0; i < n; i++) {
        snprintf(pattern, sizeof(pattern), "%shost%d.example/path%d/", i % 2 ? "*" : "", i / 2,
                 i % 7);
        assert_int_equal(router_add(r, pattern, i), ROUTER_OK);
    }
    seal(r);
    for (int i = 0; i < n; i++) {
        char host[64], path[64];
        snprintf(host, sizeof(host), "%shost%d.example", i % 2 ? "x" : "", i / 2);
        snprintf(path, sizeof(path), "/path%d/file", i % 7);
        assert_int_equal(router_match(r, host, strlen(host), path, strlen(path)), i);
    }
    router_free(r);
    /* A chain as deep as its longest pattern is freed without recursion. */
    r = router_new();
    static char deep[30002];
    memset(deep, 'a', sizeof(deep) - 1);
    deep[0] = '/';
    for (size_t len = 1; len <= 30000; len++) {
        char last = deep[len];
        deep[len] = '\0';
        if (len % 10 == 0) {
            assert_int_equal(router_add(r, deep, (int)len), ROUTER_OK);
        }
        deep[len] = last;
    }
    seal(r);
    assert_int_equal(router_match(r, "", 0, deep, 20000), 20000);
    router_free(r);
}

/* ---------------------------------------------------------------- memory */

static void whichever_allocation_fails_nothing_leaks(void **state)
{
    (void)state;
    static const char *const patterns[] = {"/abc", "/abd", "/", "h.a/x", "*.a/xy", "h.b/", "/ab*"};
    bool complete = false;
    long failures = 0;
    for (; !complete; failures++) {
        allocations_left = failures;
        struct router *r = router_new();
        enum router_rc rc = r != NULL ? ROUTER_OK : ROUTER_NO_MEMORY;
        for (size_t i = 0; rc == ROUTER_OK && i < COUNT(patterns); i++) {
            rc = router_add(r, patterns[i], (int)i);
        }
        for (int i = 0; rc == ROUTER_OK && i < 30; i++) { /* enough for a table of jumps */
            char pattern[] = "/jump/00";
            pattern[6] += (char)(i % 10);
            pattern[7] += (char)(i / 10);
            rc = router_add(r, pattern, 100 + i);
        }
        rc = rc == ROUTER_OK ? router_seal(r) : rc;
        complete = rc == ROUTER_OK;
        assert_true(complete || allocations_left == 0);
        allocations_left = -1;
        router_free(r);
        assert_true(failures < 1000);
    }
    assert_true(failures > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_router_matches_nothing),
        cmocka_unit_test(exact_hosts_come_before_wildcards_and_longer_wildcards_first),
        cmocka_unit_test(host_patterns_come_before_paths_alone),
        cmocka_unit_test(when_no_path_fits_the_next_host_is_tried),
        cmocka_unit_test(paths),
        cmocka_unit_test(a_path_that_is_none_counts_as_the_root),
        cmocka_unit_test(a_pattern_is_found_as_it_is_and_added_once),
        cmocka_unit_test(octets_of_any_value_are_compared),
        cmocka_unit_test(every_short_request_goes_where_the_obvious_router_sends_it),
        cmocka_unit_test(long_requests_too),
        cmocka_unit_test(many_alike_patterns_too),
        cmocka_unit_test(a_match_takes_as_many_steps_for_ten_patterns_as_for_ten_thousand),
        cmocka_unit_test(names_that_were_thought_up_to_collide_make_no_match_slow),
        cmocka_unit_test(the_length_of_a_request_bounds_its_steps),
        cmocka_unit_test(many_patterns),
        cmocka_unit_test(whichever_allocation_fails_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
