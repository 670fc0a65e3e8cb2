/* The budget of retries. */
#include "route/budget.h"

#define RETRY   5u             /* what a retry costs, in what a request earns */
#define RESERVE (200u * RETRY) /* as many as two connections of HTTP/2 have streams */

void budget_init(struct budget *b)
{
    b->fifths = RESERVE;
}

void budget_earn(struct budget *b)
{
    b->fifths += b->fifths < RESERVE;
}

bool budget_spend(struct budget *b)
{
    if (b->fifths < RETRY) {
        return false;
    }
    b->fifths -= RETRY;
    return true;
}
