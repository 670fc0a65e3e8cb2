/*
 * Token buckets, and what is charged to them. A bucket starts full; each charge takes one token,
 * and `rate` of them come back per second. An empty one ends the connection, with a sentence that
 * names the limit.
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

struct h2_fail h2_charge_glitch(struct h2_conn *c)
{
    const struct h2_limits *l = &c->opts.limits;
    if (h2_bucket_take(&c->glitches, l->glitch_burst, l->glitch_rate, c->now_ms)) {
        return h2_no_fail();
    }
    return h2_conn_fail(H2_ENHANCE_YOUR_CALM,
                        "more odd frames than glitch_burst and glitch_rate allow");
}

struct h2_fail h2_charge_reset(struct h2_conn *c)
{
    const struct h2_limits *l = &c->opts.limits;
    if (h2_bucket_take(&c->resets, l->reset_burst, l->reset_rate, c->now_ms)) {
        return h2_no_fail();
    }
    return h2_conn_fail(H2_ENHANCE_YOUR_CALM,
                        "more streams ended early than reset_burst and reset_rate allow");
}

struct h2_fail h2_charge_reply(struct h2_conn *c)
{
    if (c->tx.replies >= c->opts.limits.queued_replies) {
        return h2_conn_fail(H2_ENHANCE_YOUR_CALM, "more unread replies than queued_replies allows");
    }
    if (c->tx.len - c->tx.off > c->opts.limits.output_bytes) {
        return h2_conn_fail(H2_ENHANCE_YOUR_CALM, "more unread octets than output_bytes allows");
    }
    c->tx.replies++;
    return h2_no_fail();
}
