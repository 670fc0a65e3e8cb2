/* What the tests of balancing share: servers that a test makes busy or down, and counts of who was
 * chosen. */
#ifndef BALANCE_TESTING_H
#define BALANCE_TESTING_H

#include "route/balance.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/** How many servers there are. */
#define MOST 1000u

struct server {
    char key[32];
    bool down;
    uint32_t load;
    unsigned picked, asked;
};

extern struct server servers[MOST];
/** One for each server; those that a test gives balance_new(). */
extern struct balance_member members[MOST];
/** How often the operations below were called. */
extern unsigned questions;

/** `arg` is a server that the request has tried, or NULL. */
extern const struct balance_ops ops, ops_without_load;

/** The first n servers: up, idle, of weight 1, in one sub-group. */
void set_up(size_t n);
/** The same with weights. */
void set_weights(const uint32_t *weight, size_t n);

/** Six servers in sub-groups of one, two and three, with weights 1, 3 and 256, and their shares. */
#define LEVELS 6u
extern const double level_shares[LEVELS];
void set_up_levels(void);

/** Picks and counts; checks that nobody is chosen who is down. */
struct server *pick(struct balance *b, uint32_t hash);
void pick_many(struct balance *b, unsigned n);
void forget_picks(size_t n);

/** Expects that a server was picked a share of `of` picks, give or take a part of it, and one. */
void expect_share(const char *rule, size_t i, double of, double share, double within);

/** Hashes that are well spread, the same in each run. */
uint32_t nth_hash(uint32_t n);

#endif
