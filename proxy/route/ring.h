/*
 * A hash ring: every member has points on a circle of 2^32 places, made from its key, and a hash
 * belongs to the member of the first point at it or behind it. When a member comes or goes, only
 * the hashes between its points and the ones before them change hands.
 *
 * Where a point lies depends on the key and its number alone: not on the order of the members, on
 * the others, or on the process. Several proxies with the same backends have the same ring.
 */
#ifndef ROUTE_RING_H
#define ROUTE_RING_H

#include <stddef.h>
#include <stdint.h>

/** Points of a member of usual weight: 20 SHA-256 of 8 points each. Keeps the shares of equal
 * members within some 10 % of each other. */
#define RING_POINTS 160u

struct ring_point {
    uint32_t at;
    uint32_t member;
};

struct ring {
    struct ring_point *points; /**< sorted by `at`, then by member */
    size_t n;
};

/** What ring_init() wants to know of a member; borrowed for that call. */
struct ring_member {
    const char *key;
    size_t key_len;
    size_t points; /**< how many it gets; more of them leave the first ones where they are */
};

/** Members are sorted by key, so that points at the same place do not depend on the order of the
 * configuration. ring_free() gives back what this takes. */
void ring_init(struct ring *r, const struct ring_member *m, size_t n);
void ring_free(struct ring *r);

/** The index of the first point at `hash` or behind it; the ring has one at least. */
size_t ring_first(const struct ring *r, uint32_t hash);
/** The index of the point behind that of `index`. */
static inline size_t ring_next(const struct ring *r, size_t index)
{
    return index + 1 < r->n ? index + 1 : 0;
}

/** A number for a key: the first four octets of its SHA-256. */
uint32_t ring_id(const char *key, size_t len);

#endif
