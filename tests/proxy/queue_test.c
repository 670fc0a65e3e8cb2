/* Waiting: in the order that they came, for so long, and whoever leaves is not there any more. */
#include "exchange/queue.h"

#include "back/back.h"
#include "proxy_testing.h"
#include "route/targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N 4

struct scene {
    struct rig r;
    struct queue queue;
    atomic_uint total;
    struct told told[N];
    struct exchange *x[N];
};

static void open_scene(struct scene *s, bool counted)
{
    *s = (struct scene){.total = 7};
    rig_open(&s->r, "backend=127.0.0.1,81");
    queue_init(&s->queue, counted ? &s->total : NULL);
    for (size_t i = 0; i < N; i++) {
        s->x[i] = rig_exchange(&s->r, &s->told[i]);
        testing_request(s->x[i], 11, "GET / HTTP/1.1\nhost: a\n");
    }
}

static void close_scene(struct scene *s)
{
    for (size_t i = 0; i < N; i++) {
        if (!s->x[i]->ended) {
            exchange_end(s->x[i], EXCHANGE_OK);
        }
    }
    assert_int_equal(s->queue.n, 0);
    assert_null(queue_first(&s->queue));
    assert_int_equal(s->total, 7);
    rig_turn(&s->r);
    rig_close(&s->r);
}

static void who_came_first_is_first(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, true);
    assert_null(queue_first(&s.queue));
    for (size_t i = 0; i < N; i++) {
        queue_enter(&s.queue, s.x[i], NULL, 60000);
        assert_int_equal(s.queue.n, i + 1);
        assert_int_equal(s.total, 7 + i + 1);
        assert_ptr_equal(queue_first(&s.queue), s.x[0]);
    }
    queue_leave(s.x[0]);
    queue_leave(s.x[2]); /* out of the middle */
    assert_ptr_equal(queue_first(&s.queue), s.x[1]);
    queue_enter(&s.queue, s.x[0], NULL, 60000); /* behind the others now */
    queue_leave(s.x[1]);
    assert_ptr_equal(queue_first(&s.queue), s.x[3]);
    queue_leave(s.x[3]);
    assert_ptr_equal(queue_first(&s.queue), s.x[0]);
    assert_int_equal(s.total, 8);
    close_scene(&s);
}

static void whoever_ends_one_need_not_know_that_it_waits(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, true);
    for (size_t i = 0; i < N; i++) {
        queue_enter(&s.queue, s.x[i], NULL, 60000);
    }
    exchange_end(s.x[1], EXCHANGE_CLIENT_GONE);
    exchange_refuse(s.x[2], EXCHANGE_CLIENT_TIMEOUT);
    assert_int_equal(s.told[2].why, EXCHANGE_CLIENT_TIMEOUT);
    assert_true(s.queue.n == 2 && s.total == 9);
    /* Nor whoever sends more of it, or reads. */
    exchange_push_up(s.x[3], (const uint8_t *)"abc", 3);
    exchange_end_up(s.x[3]);
    exchange_took_down(s.x[3], 1);
    assert_int_equal(s.x[3]->up.len, 3);
    assert_true(s.queue.n == 2 && s.told[3].aborts + s.told[3].heads + s.told[3].bodies == 0);
    close_scene(&s);
}

static bool two_gave_up(const void *ctx)
{
    const struct scene *s = ctx;
    return s->told[1].aborts + s->told[2].aborts == 2;
}

static void each_waits_for_its_own_time(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, false);
    queue_enter(&s.queue, s.x[0], NULL, 60000);
    queue_enter(&s.queue, s.x[1], NULL, 20);
    queue_enter(&s.queue, s.x[2], NULL, 40);
    queue_enter(&s.queue, s.x[3], NULL, 20);
    queue_leave(s.x[3]); /* in time */
    rig_until(&s.r, two_gave_up, &s);
    assert_true(s.told[1].why == EXCHANGE_BACKEND_BUSY && s.told[2].why == EXCHANGE_BACKEND_BUSY);
    assert_true(s.told[0].aborts == 0 && s.told[3].aborts == 0);
    assert_ptr_equal(queue_first(&s.queue), s.x[0]);
    assert_int_equal(s.queue.n, 1);
    close_scene(&s);
}

static void without_a_time_it_waits_for_as_long_as_it_takes(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, false);
    queue_enter(&s.queue, s.x[0], NULL, 0);
    assert_int_equal(s.x[0]->back_timer.at, 0); /* stopped */
    close_scene(&s);
}

static void who_waits_for_a_connection_is_load_of_its_pool(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, false);
    struct pool *p = rig_pool(&s.r, 0);
    queue_enter(&s.queue, s.x[0], p, 0);
    queue_enter(&s.queue, s.x[1], p, 0);
    queue_enter(&s.queue, s.x[2], NULL, 0);
    assert_int_equal(p->load, 2);
    assert_true(s.x[0]->pool == p && s.x[2]->pool == NULL);
    queue_leave(s.x[0]);
    exchange_end(s.x[1], EXCHANGE_CLIENT_GONE);
    assert_int_equal(p->load, 0);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_came_first_is_first),
        cmocka_unit_test(whoever_ends_one_need_not_know_that_it_waits),
        cmocka_unit_test(each_waits_for_its_own_time),
        cmocka_unit_test(without_a_time_it_waits_for_as_long_as_it_takes),
        cmocka_unit_test(who_waits_for_a_connection_is_load_of_its_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
