/*
 * A budget of retries: each request earns a fifth of one, so that retries add at most 20 % to the
 * load and never multiply an outage. A reserve lets a worker get over a backend that dies with many
 * requests waiting for it.
 */
#ifndef ROUTE_BUDGET_H
#define ROUTE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
    uint32_t fifths; /**< of a retry */
};

void budget_init(struct budget *b);
/** A request has come. */
void budget_earn(struct budget *b);
/** A retry is to be made. False: there is none left. */
bool budget_spend(struct budget *b);

#endif
