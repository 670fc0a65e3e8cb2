/*
 * Token buckets, and what is charged to them. A bucket starts full; each charge takes one token,
 * and `rate` of them come back per second; that of control frames also fills with the octets of the
 * messages they serve. An empty one ends the connection, with a sentence that names the limit.
 */
#include "h2_internal.h"

void h2_bucket_fill(struct h2_bucket *b, uint32_t burst)
{
    b->milli = (uint64_t)burst * 1000;
    b->at_ms = 0;
}

bool h2_bucket_take(struct h2_bucket *b, uint32_t burst, uint32_t rate, uint64_t now_ms)
{
    uint64_t full = (uint64_t)burst * 1000;
    if (now_ms > b->at_ms) {
        uint64_t elapsed = now_ms - b->at_ms;
        /* rate tokens a second are rate thousandths a millisecond; the bound keeps it from
         * overflowing */
        if (rate != 0 && elapsed >= (full - b->milli) / rate + 1) {
            b->milli = full;
        } else {
            b->milli += elapsed * rate;
        }
        b->at_ms = now_ms;
    }
    assert(b->milli <= full);
    if (b->milli < 1000) {
        return false;
    }
    b->milli -= 1000;
    return true;
}

/* ---------------------------------------------------------------- budgets */

struct rates {
    uint32_t burst;
    uint32_t rate;
    const char *why;
};

static struct rates rates_of(const struct h2_limits *l, enum h2_budget budget)
{
    switch (budget) {
    case H2_BUDGET_RESETS:
        return (struct rates){l->reset_burst, l->reset_rate,
                              "more streams reset than reset_burst and reset_rate allow"};
    case H2_BUDGET_ERRORS:
        return (struct rates){l->error_burst, l->error_rate,
                              "more stream errors than error_burst and error_rate allow"};
    case H2_BUDGET_EMPTY:
        return (struct rates){l->empty_burst, l->empty_rate,
                              "more empty frames than empty_burst and empty_rate allow"};
    default:
        assert(budget == H2_BUDGET_CONTROL);
        return (struct rates){l->control_burst, l->control_rate,
                              "more control frames than control_burst and control_rate allow"};
    }
}

void h2_limits_init(struct h2_conn *c)
{
    for (int i = 0; i < H2_BUDGETS; i++) {
        h2_bucket_fill(&c->buckets[i], rates_of(&c->opts.limits, i).burst);
    }
}

struct h2_fail h2_charge(struct h2_conn *c, enum h2_budget budget)
{
    struct rates r = rates_of(&c->opts.limits, budget);
    if (h2_bucket_take(&c->buckets[budget], r.burst, r.rate, c->now_ms)) {
        return h2_no_fail();
    }
    return h2_limit_fail(r.why);
}

static void earn(struct h2_conn *c, uint64_t milli)
{
    struct h2_bucket *b = &c->buckets[H2_BUDGET_CONTROL];
    uint64_t full = (uint64_t)c->opts.limits.control_burst * 1000;
    b->milli = full - b->milli < milli ? full : b->milli + milli;
}

void h2_earn_payload(struct h2_conn *c, uint32_t octets)
{
    if (c->opts.limits.control_payload > 0) {
        earn(c, (uint64_t)octets * 1000 / c->opts.limits.control_payload);
    }
}

void h2_earn_data_sent(struct h2_conn *c)
{
    earn(c, 2000); /* one for each window */
}

/* ---------------------------------------------------------------- output */

struct h2_fail h2_check_output(const struct h2_conn *c)
{
    return c->tx.len - c->tx.off > c->opts.limits.output_bytes
               ? h2_limit_fail("more unread octets than output_bytes allows")
               : h2_no_fail();
}

struct h2_fail h2_charge_reply(struct h2_conn *c)
{
    if (c->tx.replies >= c->opts.limits.queued_replies) {
        return h2_limit_fail("more unread replies than queued_replies allows");
    }
    c->tx.replies++;
    return h2_check_output(c);
}
