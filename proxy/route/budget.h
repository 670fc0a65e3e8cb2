/*
 * A budget of retries: of the requests of the last ten to twenty seconds a fifth may be sent to
 * another backend, so that retries add at most 20 % to the load and never multiply an outage. A few
 * are always free: what is seldom used can get over a backend that dies, too.
 *
 * Each group has one, and the worker one for all: a group whose servers fail does not use up the
 * retries of the others, and many that share a server do not add up.
 */
#ifndef ROUTE_BUDGET_H
#define ROUTE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/** Retries in ten to twenty seconds that no request has to earn: of a group, and of all. */
#define BUDGET_FREE     100u
#define BUDGET_FREE_ALL 400u

struct budget {
    uint32_t free;  /**< what no request has to earn */
    uint64_t since; /**< when the present ten seconds began, ms */
    uint32_t requests, retries;
    uint32_t requests_before, retries_before; /**< in the ten seconds before */
};

void budget_init(struct budget *b, uint32_t free);
/** A request has come; `now` is clock_ms(). */
void budget_earn(struct budget *b, uint64_t now);
/** Whether there is a retry left. */
bool budget_has(struct budget *b, uint64_t now);
/** A retry is to be made. False: there is none left. */
bool budget_spend(struct budget *b, uint64_t now);

#endif
