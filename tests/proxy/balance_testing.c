/* Servers that a test makes busy or down, and what is chosen among them. */
#include "balance_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct server servers[MOST];
struct balance_member members[MOST];
unsigned questions;

static bool is_usable(void *user, void *arg)
{
    struct server *s = user;
    s->asked++;
    questions++;
    return !s->down && s != arg; /* arg: one that this request has tried */
}

static uint32_t load_of(void *user)
{
    questions++;
    return ((struct server *)user)->load;
}

const struct balance_ops ops = {is_usable, load_of};
const struct balance_ops ops_without_load = {is_usable, NULL};

void set_up(size_t n)
{
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++) {
        servers[i] = (struct server){.picked = 0};
        snprintf(servers[i].key, sizeof(servers[i].key), "10.0.%zu.%zu:80", i / 250, i % 250);
        members[i] = (struct balance_member){.user = &servers[i],
                                             .key = servers[i].key,
                                             .key_len = strlen(servers[i].key),
                                             .weight = 1,
                                             .sub_weight = 1};
    }
}

void set_weights(const uint32_t *weight, size_t n)
{
    set_up(n);
    for (size_t i = 0; i < n; i++) {
        members[i].weight = weight[i];
    }
}

struct server *pick(struct balance *b, uint32_t hash)
{
    struct server *s = balance_pick(b, &ops, NULL, hash);
    if (s != NULL) {
        assert_false(s->down);
        s->picked++;
    }
    return s;
}

void pick_many(struct balance *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_non_null(pick(b, 0));
    }
}

void forget_picks(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        servers[i].picked = 0;
    }
}

void expect_share(const char *rule, size_t i, double of, double share, double within)
{
    double got = servers[i].picked, expected = of * share;
    if (got < expected * (1 - within) - 1 || got > expected * (1 + within) + 1) {
        fail_msg("%s: server %zu was picked %.0f times, not %.0f", rule, i, got, expected);
    }
}

uint32_t nth_hash(uint32_t n)
{
    uint64_t z = (n + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    return (uint32_t)((z ^ z >> 27) * 0x94d049bb133111ebULL >> 32);
}

static const struct {
    uint32_t sub_group, sub_weight, weight;
} levels[LEVELS] = {{7, 1, 200}, {2, 3, 1}, {2, 3, 4}, {0, 256, 1}, {0, 256, 2}, {0, 256, 5}};

const double level_shares[LEVELS] = {
    1 / 260.0,           3 / 260.0 * 1 / 5,   3 / 260.0 * 4 / 5,
    256 / 260.0 * 1 / 8, 256 / 260.0 * 2 / 8, 256 / 260.0 * 5 / 8,
};

void set_up_levels(void)
{
    set_up(LEVELS);
    for (size_t i = 0; i < LEVELS; i++) {
        members[i].sub_group = levels[i].sub_group;
        members[i].sub_weight = levels[i].sub_weight;
        members[i].weight = levels[i].weight;
    }
}
