/*
 * A budget of retries: of the requests of the last ten to twenty seconds a fifth may be sent to
 * another backend, so that retries add at most 20 % to the load and never multiply an outage. A few
 * are always free: a worker that is seldom used can get over a backend that dies, too.
 */
#ifndef ROUTE_BUDGET_H
#define ROUTE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/** Retries in ten to twenty seconds that no request has to earn. */
#define BUDGET_FREE 100u

/** Cleared is a fresh one. */
struct budget {
    uint64_t since; /**< when the present ten seconds began, ms */
    uint32_t requests, retries;
    uint32_t requests_before, retries_before; /**< in the ten seconds before */
};

/** A request has come; `now` is clock_ms(). */
void budget_earn(struct budget *b, uint64_t now);
/** Whether there is a retry left. */
bool budget_has(struct budget *b, uint64_t now);
/** A retry is to be made. False: there is none left. */
bool budget_spend(struct budget *b, uint64_t now);

#endif
