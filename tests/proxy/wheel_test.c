/* Coarse timers on a real loop. Waits are short, and for a condition, never for a time. */
#include "net/wheel.h"

#include "net/clock.h"
#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* What a fired timer may be late: a tick, the clock's coarseness, and a loaded machine. What is
 * never allowed is early. */
#define LATE_MS (WHEEL_TICK_MS + 2000u)

struct alarm {
    struct timer timer;
    struct wheel *wheel;
    uint64_t due;
    unsigned fired;
    uint64_t again;       /* set again this far off when it fires; 0: not */
    struct alarm *remove; /* taken off when it fires */
    struct alarm *stop;
};

static struct ev_loop *loop;
static struct wheel wheel;

static void on_fire(struct timer *t)
{
    struct alarm *a = container_of(t, struct alarm, timer);
    uint64_t now = clock_ms();
    assert_true(now >= a->due);
    assert_true(now <= a->due + LATE_MS);
    a->fired++;
    if (a->again > 0) {
        a->due = now + a->again;
        timer_set(a->wheel, t, a->again);
    }
    if (a->remove != NULL) {
        timer_remove(&a->remove->timer);
    }
    if (a->stop != NULL) {
        timer_stop(&a->stop->timer);
    }
}

static void begin(void)
{
    loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    assert_non_null(loop);
    wheel_init(&wheel, loop);
}

static void end(void)
{
    wheel_stop(&wheel);
    ev_loop_destroy(loop);
}

static void init(struct alarm *a)
{
    *a = (struct alarm){.wheel = &wheel};
    timer_init(&a->timer, on_fire);
}

static void set(struct alarm *a, uint64_t ms)
{
    a->due = clock_ms() + ms;
    timer_set(&wheel, &a->timer, ms);
}

/* Runs until the alarm has fired so often. The loop blocks on nothing but the wheel, so that it
 * ends if the wheel forgot. */
static void until(const struct alarm *a, unsigned times)
{
    while (a->fired < times && ev_run(loop, EVRUN_ONCE)) {
    }
    assert_int_equal(a->fired, times);
}

static void timers_fire_once_in_order_and_never_early(void **state)
{
    (void)state;
    static const uint64_t ms[] = {170, 1, 60, 49, 50, 51, 120, 1};
    struct alarm a[COUNT(ms)];
    begin();
    for (size_t i = 0; i < COUNT(ms); i++) {
        init(&a[i]);
        set(&a[i], ms[i]);
    }
    until(&a[0], 1);
    for (size_t i = 0; i < COUNT(ms); i++) {
        assert_int_equal(a[i].fired, 1);
    }
    assert_int_equal(ev_run(loop, EVRUN_ONCE), 0); /* an empty wheel does not wake anybody */
    end();
}

static void a_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    struct alarm a, b, c, last;
    begin();
    init(&a), init(&b), init(&c), init(&last);
    set(&a, 10), set(&b, 10), set(&c, 10), set(&last, 110);
    timer_stop(&a.timer);
    timer_set(&wheel, &b.timer, 0);
    timer_remove(&c.timer);
    until(&last, 1);
    assert_int_equal(a.fired + b.fired + c.fired, 0);
    set(&a, 10); /* it can be set again */
    until(&a, 1);
    end();
}

static void setting_a_timer_later_or_sooner_moves_it(void **state)
{
    (void)state;
    struct alarm later, sooner;
    begin();
    init(&later), init(&sooner);
    set(&later, 20);
    set(&sooner, 100000);
    set(&later, 200);
    set(&sooner, 30);
    uint64_t start = clock_ms();
    until(&sooner, 1);
    assert_true(clock_ms() < start + LATE_MS);
    assert_int_equal(later.fired, 0);
    until(&later, 1);
    end();
}

static void a_timer_may_set_itself_again(void **state)
{
    (void)state;
    struct alarm a;
    begin();
    init(&a);
    a.again = 5;
    set(&a, 5);
    until(&a, 3);
    timer_remove(&a.timer);
    end();
}

static void a_timer_may_remove_or_stop_others_of_its_slot(void **state)
{
    (void)state;
    struct alarm a, b, c, d;
    begin();
    init(&a), init(&b), init(&c), init(&d);
    a.remove = &b;
    a.stop = &c;
    do { /* one slot for all of them, or the order would be the clock's */
        timer_remove(&a.timer), timer_remove(&b.timer);
        timer_remove(&c.timer), timer_remove(&d.timer);
        set(&a, 30), set(&b, 30), set(&c, 30), set(&d, 30);
    } while (a.timer.slot != d.timer.slot);
    until(&d, 1);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired + c.fired, 0);
    timer_remove(&a.timer), timer_remove(&b.timer), timer_remove(&c.timer), timer_remove(&d.timer);
    end();
}

static void times_beyond_a_round_wait_in_it(void **state)
{
    (void)state;
    struct alarm far, near;
    begin();
    init(&far), init(&near);
    set(&far, 24u * 3600u * 1000u);
    assert_true(far.timer.slot < wheel.done + WHEEL_SLOTS);
    set(&near, 10);
    until(&near, 1);
    assert_int_equal(far.fired, 0);
    timer_remove(&far.timer);
    timer_remove(&near.timer);
    end();
}

static void after_a_long_sleep_everything_that_is_due_fires(void **state)
{
    (void)state;
    enum { N = 40 };
    struct alarm a[N], future;
    begin();
    for (size_t i = 0; i < N; i++) {
        init(&a[i]);
        set(&a[i], 1 + i * 5);
    }
    init(&future);
    set(&future, 3600u * 1000u);
    /* As if the machine had been suspended for five rounds: what was done is long ago. */
    wheel.done -= 5 * WHEEL_SLOTS;
    until(&a[N - 1], 1);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(a[i].fired, 1);
    }
    assert_int_equal(future.fired, 0);
    timer_remove(&future.timer);
    end();
}

static void many_timers(void **state)
{
    (void)state;
    enum { N = 2000 };
    static struct alarm a[N];
    struct alarm last;
    unsigned fired = 0;
    begin();
    for (size_t i = 0; i < N; i++) {
        init(&a[i]);
        set(&a[i], 1 + i % 150);
        if (i % 3 == 0) {
            timer_stop(&a[i].timer);
        }
    }
    init(&last);
    set(&last, 250);
    until(&last, 1);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(a[i].fired, i % 3 != 0);
        fired += a[i].fired;
    }
    assert_int_equal(fired, N - (N + 2) / 3);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_in_order_and_never_early),
        cmocka_unit_test(a_stopped_timer_does_not_fire),
        cmocka_unit_test(setting_a_timer_later_or_sooner_moves_it),
        cmocka_unit_test(a_timer_may_set_itself_again),
        cmocka_unit_test(a_timer_may_remove_or_stop_others_of_its_slot),
        cmocka_unit_test(times_beyond_a_round_wait_in_it),
        cmocka_unit_test(after_a_long_sleep_everything_that_is_due_fires),
        cmocka_unit_test(many_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
