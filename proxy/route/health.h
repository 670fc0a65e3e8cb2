/*
 * What the program knows of the addresses of backends: whether one may be used now, and how many
 * connections it has.
 *
 * The state of an address (struct health_slot) is in memory that the main process maps before it
 * makes any other: it is shared by the worker threads of all processes, and stays over a reload.
 * Nothing in there is locked or counts on somebody to tidy up, since a process may be killed at any
 * moment: there are only atomics and times. Counts of what a process has (struct health) are its
 * own, and go with it.
 *
 *              fall connects, or fall checks, failed in a row
 *     online ────────────────────────────────────────────────► offline
 *            ◄────────────────────────────────────────────────
 *              rise probes, or rise checks, succeeded in a row
 *
 * Beside that, a connect that fails blocks an address for a while (back-off), and responses with
 * 5xx in a row eject it (outliers); both end by themselves.
 *
 * Who observes calls; who is told of a change (enum health_change) is the only one that is told,
 * and logs it. Times are of clock_ms(), which all processes of a machine have in common.
 */
#ifndef ROUTE_HEALTH_H
#define ROUTE_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfg_backend;

/** Maps the table. Once, before there is another process or thread; without it every process has
 * its own state. */
void health_map(void);
/** By the main process, before a reload's worker process: who is offline for good gets another
 * chance there. */
void health_new_generation(void);

struct health_slot {
    _Atomic uint64_t owner;         /**< hash of the key and the number of users; 0: free */
    _Atomic uint64_t state;         /**< counters of failures and successes; see health.c */
    _Atomic uint64_t blocked_until; /**< back-off; 0: none */
    _Atomic uint64_t ejected_until; /**< outlier; 0: never was */
    _Atomic uint64_t claim;         /**< who probes it, and until when */
    atomic_uint fives;              /**< responses with 5xx in a row */
    atomic_uint ejections;          /**< how often it was ejected lately */
    atomic_uint generation;         /**< in which it went offline */
    atomic_uint outed;  /**< it was ejected, and nobody has said yet that this is over */
    uint32_t unused[2]; /**< so that two do not share a cache line */
};

/** An address, as one process has it; the worker threads share it. */
struct health {
    char *key;
    struct health *next;
    unsigned refs;            /**< behind the lock of the list */
    struct health_slot *slot; /**< in the table, or `own` when that is full */
    struct health_slot own;
    atomic_uint nconns; /**< connections, and attempts at one, of all workers of the process */
};

/**
 * The address that is spoken to as `key` says (struct pool) and checked as the backend says. One
 * reference is the caller's. From any thread.
 */
struct health *health_get(const char *key, const struct cfg_backend *cfg);
void health_put(struct health *h);

enum health_use {
    HEALTH_GOOD,
    HEALTH_BLOCKED, /**< a connect has failed lately */
    HEALTH_OFFLINE,
    HEALTH_EJECTED,
};

enum health_change {
    HEALTH_SAME,
    HEALTH_FELL,  /**< it is offline now */
    HEALTH_ROSE,  /**< it is online again */
    HEALTH_OUTED, /**< it is ejected now; health_ejected_for() says for how long */
};

bool health_is_offline(const struct health *h, const struct cfg_backend *cfg);
/** It is offline, and what was found out last is that it says nothing at all. What waits for it to
 * answer may wait for ever. */
bool health_is_silent(const struct health *h, const struct cfg_backend *cfg);
/** `let_in`: of health_let_in(); 0 where there is no group. */
enum health_use health_use(const struct health *h, const struct cfg_backend *cfg, uint64_t now,
                           uint64_t let_in);
static inline uint64_t health_blocked_until(const struct health *h)
{
    return atomic_load(&h->slot->blocked_until);
}

/** What a back-off is made of: --backend-max-backoff (ms), and a random number of 0 to 1. */
struct health_backoff {
    uint64_t most;
    double random;
};

/** A connect of a request, or one ahead of any, has succeeded. Returns how many had failed in a row
 * before, to the one only who is to say so; 0: none. */
unsigned health_connected(struct health *h);
/**
 * One has failed: blocked for 1.6^n s ±20 %. What fails while it is blocked began before, and is of
 * the same failure. `silent`: it timed out. *failures: how many there were in a row, 0 when this
 * one did not count.
 */
enum health_change health_connect_failed(struct health *h, const struct cfg_backend *cfg,
                                         uint64_t now, struct health_backoff b, bool silent,
                                         unsigned *failures);
/** The outcome of a probe of an address that is offline. */
enum health_change health_probed(struct health *h, const struct cfg_backend *cfg, bool good);
/** When the next probe may be, in ms from now: as after a connect that failed. */
uint64_t health_next_probe(const struct health *h, struct health_backoff b);
enum health_finding {
    HEALTH_WELL,
    HEALTH_ILL,    /**< it has answered, or refused to */
    HEALTH_SILENT, /**< nothing came in time */
};
/** The outcome of an active check. */
enum health_change health_checked(struct health *h, const struct cfg_backend *cfg,
                                  enum health_finding found);
/** A client's request was answered with this status. */
enum health_change health_answered(struct health *h, const struct cfg_backend *cfg, int status,
                                   uint64_t now);
/** For the one that was told HEALTH_OUTED, ms. */
uint64_t health_ejected_for(const struct health *h, uint64_t now);
/** Whether an ejection is over: told once, to one. */
bool health_returned(struct health *h, uint64_t now);

/**
 * Never more than half of a group is left out as outliers, unless all are: then none is. Which ones
 * are let in all the same is kept here, and worked out anew when one was ejected or comes back.
 */
struct health_group {
    unsigned version;
    uint64_t changes_at; /**< when the next one comes back; 0: nothing was worked out yet */
    uint64_t let_in;
};

/** Those whose ejection ends at this time or before are let in. `of(user, i)` is the i-th of `n`.
 */
uint64_t health_let_in(struct health_group *g, size_t n,
                       const struct health *(*of)(const void *user, size_t i), const void *user,
                       uint64_t now);

/* ---------------------------------------------------------------- who probes */

/** A number for a prober, different from those of all others that live. Never 0. */
uint16_t health_prober(void);
/**
 * Makes the caller the one who probes this address until `until`, if nobody else is; who is it
 * already stays it. False: somebody else is, until *other.
 */
bool health_claim(struct health *h, uint16_t prober, uint64_t now, uint64_t until, uint64_t *other);
/** It does not probe any more. */
void health_unclaim(struct health *h, uint16_t prober);

/* ---------------------------------------------------------------- connections */

/** One more connection. False: there are `most` of them (0: no limit). */
bool health_take_conn(struct health *h, unsigned most);
void health_give_conn(struct health *h);
static inline unsigned health_conns(const struct health *h)
{
    return atomic_load(&h->nconns);
}

#endif
