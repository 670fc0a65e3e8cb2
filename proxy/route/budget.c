/* The budget of retries. */
#include "route/budget.h"

#define WINDOW_MS 10000u
#define SHARE     5u /* one retry for so many requests */

void budget_init(struct budget *b, uint32_t free)
{
    *b = (struct budget){.free = free};
}

static void move_on(struct budget *b, uint64_t now)
{
    if (now - b->since < WINDOW_MS) {
        return;
    }
    bool follows = now - b->since < 2 * WINDOW_MS;
    *b = (struct budget){.free = b->free,
                         .since = now,
                         .requests_before = follows ? b->requests : 0,
                         .retries_before = follows ? b->retries : 0};
}

void budget_earn(struct budget *b, uint64_t now)
{
    move_on(b, now);
    b->requests++;
}

bool budget_has(struct budget *b, uint64_t now)
{
    move_on(b, now);
    uint64_t earned = ((uint64_t)b->requests + b->requests_before) / SHARE + b->free;
    return (uint64_t)b->retries + b->retries_before < earned;
}

bool budget_spend(struct budget *b, uint64_t now)
{
    bool has = budget_has(b, now);
    b->retries += has;
    return has;
}
