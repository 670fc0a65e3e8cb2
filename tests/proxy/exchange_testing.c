#include "exchange_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "back/back.h"

struct backs backs;

static void back_body(struct exchange *x)
{
    (void)x;
    backs.bodies++;
}

static void back_credit(struct exchange *x, size_t n)
{
    (void)x;
    backs.credit += n;
}

static void back_abort(struct exchange *x, enum exchange_error why)
{
    backs.aborts++;
    backs.why = why;
    exchange_detach_back(x);
}

static const struct exchange_ops back_ops = {
    .body = back_body, .credit = back_credit, .abort = back_abort};

bool __wrap_back_take(struct pool *p, struct exchange *x);
bool __real_back_take(struct pool *p, struct exchange *x);

bool __wrap_back_take(struct pool *p, struct exchange *x)
{
    if (backs.what == BACKS_ARE_REAL) {
        return __real_back_take(p, x);
    }
    assert_true(backs.ntook < COUNT(backs.took));
    backs.took[backs.ntook++] = p->id;
    bool late = backs.what == BACKS_ARE_LATE;
    if (late || backs.counts) {
        assert_true(health_take_conn(p->health, p->backend->cfg->max_conns));
    }
    if (late || backs.what == BACKS_REFUSE) {
        return false;
    }
    exchange_attach_back(x, p, &back_ops, &backs);
    return true;
}

bool __wrap_back_may_take(const struct pool *p, const struct exchange *x);

bool __wrap_back_may_take(const struct pool *p, const struct exchange *x)
{
    backs.asked++;
    return x->tunnel.wanted != TUNNEL_WEBSOCKET || p->id != backs.unable;
}

void open_rig(struct rig *r, const char *options)
{
    memset(&backs, 0, sizeof(backs));
    rig_open(r, options);
}

struct exchange *asked(struct rig *r, struct told *told, const char *request)
{
    struct exchange *x = rig_exchange(r, told);
    testing_request(x, 11, request);
    x->up.ended = !x->request.m.has_body;
    return x;
}

struct exchange *begun(struct rig *r, struct told *told, const char *request)
{
    struct exchange *x = asked(r, told, request);
    exchange_begin(x);
    return x;
}

void loses(struct exchange *x, enum exchange_error why, enum exchange_progress progress)
{
    assert_ptr_equal(x->back_ops, &back_ops);
    exchange_detach_back(x);
    exchange_lost(x, why, progress);
}

void fails(struct exchange *x, enum exchange_error why)
{
    loses(x, why, EXCHANGE_UNSENT);
}

void expect_failure(const struct exchange *x, const struct told *told, enum exchange_error why)
{
    assert_null(x->back_ops);
    assert_int_equal(told->aborts, 1);
    assert_int_equal(told->why, why);
    assert_int_equal(x->error, why);
}
