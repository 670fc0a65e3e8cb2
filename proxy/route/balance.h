/*
 * Which of the addresses of a group gets the next request. Chooses only: no I/O, no clock, no
 * worker. Whether an address can be used, and how busy it is, the caller says when asked.
 *
 * Two levels of weights, as nghttpx has them: those of the sub-groups against each other, and
 * within a sub-group those of its addresses. The share of an address is that of its sub-group times
 * its own there.
 *
 *   ROUND_ROBIN  in turn, by shares; exactly so: with all usable, any run of picks is within one
 *                turn of the shares. O(log n).
 *   LEAST_CONN   the lowest load per share; in turn among equals. O(n).
 *   P2C          two at random by shares, of which the one with the lower load per share. O(log n).
 *   HASH         the owner of the hash, unless its load is above 1.25 times its share of the load
 *                of all; then the next on the ring that is not. Owners have shares of the ring.
 *                O(log n) when the owner is idle, otherwise O(n).
 *   AFFINITY     the owner of the hash; the next on the ring that is usable when it is not. All
 *                addresses have the same share, whatever their weights.
 *
 * Round robin and least-conn begin at a random place, so that many workers with a few requests each
 * do not all choose the same address.
 *
 * A member that is not usable when its turn comes misses it: the others take turns as if it were
 * not there, and nothing is made up for when it is back.
 */
#ifndef ROUTE_BALANCE_H
#define ROUTE_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The greatest weight of a sub-group. */
#define BALANCE_WEIGHT_MOST 256u

enum balance_kind {
    BALANCE_ROUND_ROBIN,
    BALANCE_LEAST_CONN,
    BALANCE_P2C,
    BALANCE_HASH,
    BALANCE_AFFINITY,
};

struct balance_member {
    void *user;          /**< what is chosen; not NULL */
    const char *key;     /**< stable name of the address, for the rings; needed by
                              balance_new() only */
    size_t key_len;      /**< in octets */
    double weight;       /**< above 0, within the sub-group */
    uint32_t sub_group;  /**< any number of the caller's */
    uint32_t sub_weight; /**< 1..256, the same for all members of a sub-group */
};

/** Asked during a pick; they must not pick themselves. */
struct balance_ops {
    /** May this request go there now? Asked at most once for each member and pick, except by HASH,
     * and no more often than it takes. */
    bool (*usable)(void *user, void *arg);
    /** Requests in progress there, over connections of any kind. ROUND_ROBIN and AFFINITY do not
     * ask: NULL then. */
    uint32_t (*load)(void *user);
};

struct balance;

/** n may be 0. Never NULL: no memory ends the program. `seed` is where chance begins; workers have
 * different ones. */
struct balance *balance_new(enum balance_kind kind, const struct balance_member *m, size_t n,
                            unsigned seed);
/** NULL is allowed. */
void balance_free(struct balance *b);

/** The user of the member that was chosen; NULL: none is usable, and nobody has lost a turn. `hash`
 * matters for HASH and AFFINITY, `arg` goes to usable(). */
void *balance_pick(struct balance *b, const struct balance_ops *ops, void *arg, uint32_t hash);

/** A number for an address that does not change: what a strict affinity cookie says. */
uint32_t balance_id(const char *key, size_t len);
/** The user of the member whose key has this number, usable or not; NULL: none. */
void *balance_of_address(const struct balance *b, uint32_t id);
/** The number of a member's key; of what balance_pick() or balance_of_address() gave. */
uint32_t balance_id_of(const struct balance *b, const void *user);

/** A random number, for a request that has nothing to hash. */
uint32_t balance_random(struct balance *b);

#endif
