/* Waiting for room at the backends of a pattern: who is served when, and who is not passed over. */
#include "exchange_testing.h"

#include "back/back.h"
#include "net/clock.h"
#include "route/balance.h"
#include "route/routes.h"
#include "route/targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A "GET /a/ HTTP/1.1\nHost: a\n"
#define B "GET /b/ HTTP/1.1\nHost: a\n"

/* Everybody else has all connections of a backend; then one of them is given back. */
static void fill(struct rig *r, size_t backend)
{
    const struct pool *p = rig_pool(r, backend);
    while (health_take_conn(p->health, p->backend->cfg->max_conns)) {
    }
}

static void give_back(struct rig *r, size_t backend)
{
    struct pool *p = rig_pool(r, backend);
    health_give_conn(p->health);
    pool_freed(p);
}

static void give_all_back(struct rig *r, size_t backend)
{
    while (health_conns(rig_pool(r, backend)->health) > 0) {
        health_give_conn(rig_pool(r, backend)->health);
    }
}

static bool waits(const struct exchange *x)
{
    return x->back == &x->group->queue;
}

static bool is_served(const void *ctx)
{
    return !waits(ctx);
}

/* ---------------------------------------------------------------- whose turn it is */

/* However many wait for one of them, the others get every second, or third … connection. */
static void patterns_that_share_a_backend_take_turns(void **state)
{
    (void)state;
    struct rig r;
    struct told told[12];
    struct exchange *x[12];
    open_rig(&r, ONE ";/a/:/b/:/;max-conns=1");
    backs.counts = true;
    fill(&r, 0);
    for (size_t i = 0; i < 12; i++) {
        x[i] = begun(&r, &told[i], i < 6 ? A : i < 9 ? B : GET);
    }
    assert_int_equal(r.worker->nwaiting, 12);
    for (unsigned turn = 1; turn <= 3; turn++) {
        unsigned waiting[3] = {0};
        for (size_t i = 0; i < 3; i++) {
            give_back(&r, 0);
            rig_turn(&r);
        }
        for (size_t i = 0; i < 12; i++) {
            waiting[i < 6 ? 0 : i < 9 ? 1 : 2] += waits(x[i]);
        }
        assert_int_equal(waiting[0], 6 - turn);
        assert_int_equal(waiting[1], 3 - turn);
        assert_int_equal(waiting[2], 3 - turn);
    }
    give_all_back(&r, 0); /* and when nobody else waits, all */
    pool_freed(rig_pool(&r, 0));
    backs.counts = false;
    rig_turn(&r);
    assert_int_equal(r.worker->nwaiting, 0);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(told[i].aborts, 0);
        exchange_end(x[i], EXCHANGE_OK);
    }
    rig_turn(&r);
    rig_close(&r);
}

/* What was freed in a turn of the loop belongs to those who wait, not to who comes in the rest of
 * it. */
static void who_comes_later_is_behind_those_who_wait(void **state)
{
    (void)state;
    struct rig r;
    struct told told[2];
    open_rig(&r, ONE ";;max-conns=1");
    backs.counts = true;
    fill(&r, 0);
    struct exchange *first = begun(&r, &told[0], GET);
    rig_turn(&r);
    give_back(&r, 0);
    struct exchange *second = begun(&r, &told[1], GET);
    rig_turn(&r);
    assert_true(!waits(first) && waits(second));
    give_back(&r, 0);
    rig_turn(&r);
    assert_false(waits(second));
    give_all_back(&r, 0);
    exchange_end(first, EXCHANGE_OK);
    rig_exchange_end(&r, second);
    rig_close(&r);
}

/* Those that wait for an address which has not had them hold up nobody who may go to all. */
static void who_may_go_anywhere_is_not_behind_those_who_may_not(void **state)
{
    (void)state;
    struct rig r;
    struct told told[2];
    open_rig(&r, ONE ";;max-conns=1\nbackend=127.0.0.1,82;;max-conns=1");
    struct exchange *first = begun(&r, &told[0], GET);
    size_t tried = first->pool == rig_pool(&r, 1);
    fill(&r, !tried);
    fails(first, EXCHANGE_BACKEND_GONE);
    assert_true(waits(first));
    struct exchange *second = begun(&r, &told[1], GET);
    assert_ptr_equal(second->pool, rig_pool(&r, tried));
    give_all_back(&r, !tried);
    exchange_end(first, EXCHANGE_OK);
    rig_exchange_end(&r, second);
    rig_close(&r);
}

/* It waits for those that take it, and the others are not for it. */
static void a_websocket_holds_up_nobody_who_is_none(void **state)
{
    (void)state;
    struct rig r;
    struct told told[3];
    open_rig(&r, ONE ";;max-conns=1\nbackend=127.0.0.1,82;;max-conns=1");
    backs.unable = rig_pool(&r, 1)->id;
    backs.counts = true;
    fill(&r, 0);
    fill(&r, 1);
    struct exchange *first = begun(&r, &told[0], WEBSOCKET);
    struct exchange *second = begun(&r, &told[1], GET);
    give_back(&r, 1);
    rig_turn(&r);
    assert_true(waits(first) && second->pool == rig_pool(&r, 1));
    exchange_end(second, EXCHANGE_OK);
    health_give_conn(rig_pool(&r, 1)->health);
    struct exchange *third = begun(&r, &told[2], GET); /* nor who comes now */
    assert_true(waits(first) && third->pool == rig_pool(&r, 1));
    give_back(&r, 0);
    rig_turn(&r);
    assert_ptr_equal(first->pool, rig_pool(&r, 0));
    give_all_back(&r, 0);
    give_all_back(&r, 1);
    exchange_end(third, EXCHANGE_OK);
    rig_exchange_end(&r, first);
    rig_close(&r);
}

/* Another worker is faster each time. */
static void who_loses_its_turn_keeps_its_place_and_its_time(void **state)
{
    (void)state;
    struct rig r;
    struct told told[3];
    struct exchange *x[3];
    open_rig(&r, ONE ";;max-conns=1;queue-timeout=60s");
    fill(&r, 0);
    for (size_t i = 0; i < 3; i++) {
        x[i] = begun(&r, &told[i], GET);
    }
    uint64_t now = clock_ms();
    x[0]->waits_since = now - 50000;
    x[1]->waits_since = now - 40000;
    for (int i = 0; i < 3; i++) {
        backs.what = BACKS_ARE_LATE;
        give_back(&r, 0);
        rig_turn(&r);
        assert_int_equal(backs.ntook, i + 1);
        assert_true(waits(x[0]) && x[0]->tries == 0);
        assert_ptr_equal(queue_first(&x[0]->group->queue), x[0]);
        assert_in_range(x[0]->back_timer.at, now, now + 11000);
    }
    backs.what = BACKS_TAKE;
    backs.counts = true;
    for (size_t i = 0; i < 3; i++) {
        give_back(&r, 0);
        rig_turn(&r);
        assert_true(!waits(x[i]) && (i == 2 || waits(x[i + 1])));
    }
    /* Nor is it a new wait when the connection had no room after all. */
    exchange_detach_back(x[1]);
    exchange_return(x[1]);
    assert_true(waits(x[1]));
    assert_in_range(x[1]->back_timer.at, now, now + 21000);
    /* After a try it is. */
    exchange_detach_back(x[0]);
    exchange_lost(x[0], EXCHANGE_BACKEND_GONE, EXCHANGE_UNSENT);
    assert_true(waits(x[0]) && x[0]->tries == 1);
    assert_in_range(x[0]->back_timer.at, now + 59000, now + 70000);
    assert_ptr_equal(queue_first(&x[0]->group->queue), x[1]);
    give_all_back(&r, 0);
    for (size_t i = 0; i < 3; i++) {
        exchange_end(x[i], EXCHANGE_OK);
    }
    rig_turn(&r);
    rig_close(&r);
}

/* It has waited for the connection before others came. */
static void who_is_returned_is_before_those_who_came_later(void **state)
{
    (void)state;
    struct rig r;
    struct told told[2];
    open_rig(&r, ONE ";;max-conns=1;queue-timeout=60s");
    backs.counts = true;
    struct exchange *first = begun(&r, &told[0], GET), *second = begun(&r, &told[1], GET);
    assert_true(!waits(first) && waits(second));
    first->waits_since -= 100; /* a clock is not so fine */
    exchange_detach_back(first);
    exchange_return(first);
    assert_ptr_equal(queue_first(&first->group->queue), first);
    give_all_back(&r, 0);
    exchange_end(first, EXCHANGE_OK);
    rig_exchange_end(&r, second);
    rig_close(&r);
}

/* For as long as the connection was being opened, it has waited too. */
static void the_time_of_a_connection_that_had_no_room_counts(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE ";;max-conns=1;queue-timeout=60s");
    backs.counts = true;
    struct exchange *x = begun(&r, &told, GET);
    assert_false(waits(x));
    x->waits_since = clock_ms() - 60000;
    exchange_detach_back(x);
    exchange_return(x);
    expect_failure(x, &told, EXCHANGE_BACKEND_BUSY);
    give_all_back(&r, 0);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_whole_queue_time_is_all_that_one_waits(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE ";;max-conns=1;queue-timeout=60s");
    fill(&r, 0);
    struct exchange *x = begun(&r, &told, GET);
    x->waits_since = clock_ms() - 60000;
    backs.what = BACKS_ARE_LATE;
    give_back(&r, 0);
    rig_turn(&r);
    expect_failure(x, &told, EXCHANGE_BACKEND_BUSY);
    give_all_back(&r, 0);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* ---------------------------------------------------------------- affinity */

#define STRICT                                                                                     \
    ";affinity=cookie;affinity-cookie-name=c;affinity-cookie-stickiness=strict;max-conns=1"
#define STRICT_THREE                                                                               \
    ONE ";" STRICT "\nbackend=127.0.0.1,82;" STRICT "\nbackend=127.0.0.1,83;" STRICT

static struct exchange *begun_with_cookie(struct rig *r, struct told *told, uint32_t cookie)
{
    char request[100];
    snprintf(request, sizeof(request), GET "Cookie: c=%08x\n", cookie);
    return begun(r, told, request);
}

/* It waits for the address that its cookie names, and for no other. */
static void a_strict_cookie_holds_its_client_at_its_own_address_only(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, STRICT_THREE);
    uint32_t first = balance_id(rig_pool(&r, 0)->name, strlen(rig_pool(&r, 0)->name));
    fill(&r, 0);
    fill(&r, 1);
    struct exchange *x = begun_with_cookie(&r, &told, first);
    assert_true(waits(x));
    give_back(&r, 0);
    rig_turn(&r);
    assert_ptr_equal(x->pool, rig_pool(&r, 0));
    assert_false(x->set_affinity);
    rig_exchange_end(&r, x);
    /* Nobody's, and that of one that is not fit for use: as if there were none. */
    atomic_store(&rig_pool(&r, 0)->health->slot->blocked_until, clock_ms() + 60000);
    for (uint32_t i = 0; i < 30; i++) {
        x = begun_with_cookie(&r, &told, i % 2 == 0 ? first : 0xdeadbee0 + i);
        assert_false(waits(x));
        assert_ptr_equal(x->pool, rig_pool(&r, 2));
        assert_true(x->set_affinity);
        rig_exchange_end(&r, x);
    }
    give_all_back(&r, 1);
    rig_close(&r);
}

/* ---------------------------------------------------------------- one limit, several pools */

/* Lines that say the same share their limit: what one of them frees is for both. */
static void what_an_equal_line_frees_is_for_those_who_wait(void **state)
{
    (void)state;
    struct rig r;
    struct told told[2];
    open_rig(&r, ONE ";;max-conns=1\n" ONE ";;max-conns=1");
    assert_ptr_equal(rig_pool(&r, 0)->health, rig_pool(&r, 1)->health);
    for (size_t i = 0; i < 2; i++) {
        fill(&r, 0);
        struct exchange *x = begun(&r, &told[i], GET);
        assert_true(waits(x));
        rig_turn(&r);
        give_back(&r, i);
        rig_turn(&r);
        assert_false(waits(x));
        rig_exchange_end(&r, x);
    }
    rig_close(&r);
}

/* A pool that nobody chooses from any more still counts for the limit of the line that is back. */
static void what_a_retired_pool_frees_is_for_those_who_wait(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE ";;max-conns=1;queue-timeout=1m\nbackend=127.0.0.1,82;/x");
    struct pool *old = pool_ref(rig_pool(&r, 0));
    struct backend_addr addr = old->addr;
    targets_set_addresses(r.worker->targets, 0, NULL, 0);
    targets_set_addresses(r.worker->targets, 0, &addr, 1);
    assert_true(old->retired && rig_pool(&r, 0) != old);
    assert_ptr_equal(rig_pool(&r, 0)->health, old->health);
    fill(&r, 0);
    struct exchange *x = begun(&r, &told, GET);
    assert_true(waits(x));
    rig_turn(&r);
    health_give_conn(old->health);
    pool_freed(old);
    pool_unref(old); /* it goes with its last connection */
    rig_turn(&r);
    assert_false(waits(x));
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* ---------------------------------------------------------------- what nobody tells */

static bool has_looked(const void *ctx)
{
    return ((const struct backs *)ctx)->asked > 0;
}

/* However many backends their group has. */
static void all_who_wait_look_once(void **state)
{
    (void)state;
    struct rig r;
    struct told told[5];
    struct exchange *x[5];
    open_rig(&r, "backend=127.0.0.1,81;/:/a/;affinity=ip;max-conns=1\n"
                 "backend=127.0.0.1,82;/:/a/;affinity=ip;max-conns=1\n"
                 "backend=127.0.0.1,83;/:/a/;affinity=ip;max-conns=1");
    for (size_t i = 0; i < 3; i++) {
        fill(&r, i);
    }
    for (size_t i = 0; i < 5; i++) {
        x[i] = begun(&r, &told[i], i < 3 ? GET : A);
        assert_true(waits(x[i]));
    }
    rig_turn(&r);
    backs.asked = 0;
    rig_until(&r, has_looked, &backs);
    assert_int_equal(backs.asked, 5);
    for (size_t i = 0; i < 3; i++) {
        give_all_back(&r, i);
    }
    for (size_t i = 0; i < 5; i++) {
        exchange_end(x[i], EXCHANGE_OK);
    }
    rig_turn(&r);
    rig_close(&r);
}

/* What a look finds goes to the patterns in turn, too. */
static void patterns_take_turns_at_what_a_look_finds(void **state)
{
    (void)state;
    struct rig r;
    struct told told[6];
    struct exchange *x[6];
    open_rig(&r, ONE ";/a/:/b/:/;max-conns=1;queue-timeout=1m");
    backs.counts = true;
    fill(&r, 0);
    for (size_t i = 0; i < 6; i++) {
        x[i] = begun(&r, &told[i], i < 2 ? A : i < 4 ? B : GET);
        assert_true(waits(x[i]));
    }
    rig_turn(&r);
    for (unsigned n = 1; n <= 3; n++) {
        backs.asked = 0;
        health_give_conn(rig_pool(&r, 0)->health); /* and nobody says so */
        rig_until(&r, has_looked, &backs);
        assert_int_equal(r.worker->nwaiting, 6 - n);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(waits(x[i]), i % 2 == 1);
    }
    give_all_back(&r, 0);
    for (size_t i = 0; i < 6; i++) {
        exchange_end(x[i], EXCHANGE_OK);
    }
    rig_turn(&r);
    rig_close(&r);
}

/* That a back-off or an ejection ends, or that another process has seen an address rise. */
static void who_waits_sees_that_an_address_is_fit_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct rig r;
        struct told told;
        unsigned n;
        open_rig(&r, ONE ";;max-conns=1;queue-timeout=1m\n"
                         "backend=127.0.0.1,82;;fall=1;rise=1;outlier=5xx:5");
        struct pool *back = rig_pool(&r, 1);
        const struct cfg_backend *cfg = back->backend->cfg;
        fill(&r, 0);
        if (i == 0) {
            atomic_store(&back->health->slot->blocked_until, clock_ms() + 200);
        } else if (i == 1) {
            atomic_store(&back->health->slot->ejected_until, clock_ms() + 200);
        } else {
            assert_int_equal(health_connect_failed(back->health, cfg, clock_ms(),
                                                   (struct health_backoff){.most = 0}, false, &n),
                             HEALTH_FELL);
        }
        struct exchange *x = begun(&r, &told, GET);
        assert_true(waits(x));
        rig_turn(&r);
        if (i == 2) {
            assert_int_equal(health_probed(back->health, cfg, true), HEALTH_ROSE);
        }
        rig_until(&r, is_served, x);
        assert_ptr_equal(x->pool, back);
        assert_int_equal(told.aborts, 0);
        give_all_back(&r, 0);
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_that_share_a_backend_take_turns),
        cmocka_unit_test(who_comes_later_is_behind_those_who_wait),
        cmocka_unit_test(who_may_go_anywhere_is_not_behind_those_who_may_not),
        cmocka_unit_test(a_websocket_holds_up_nobody_who_is_none),
        cmocka_unit_test(who_loses_its_turn_keeps_its_place_and_its_time),
        cmocka_unit_test(who_is_returned_is_before_those_who_came_later),
        cmocka_unit_test(the_time_of_a_connection_that_had_no_room_counts),
        cmocka_unit_test(a_whole_queue_time_is_all_that_one_waits),
        cmocka_unit_test(a_strict_cookie_holds_its_client_at_its_own_address_only),
        cmocka_unit_test(what_an_equal_line_frees_is_for_those_who_wait),
        cmocka_unit_test(what_a_retired_pool_frees_is_for_those_who_wait),
        cmocka_unit_test(all_who_wait_look_once),
        cmocka_unit_test(patterns_take_turns_at_what_a_look_finds),
        cmocka_unit_test(who_waits_sees_that_an_address_is_fit_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
