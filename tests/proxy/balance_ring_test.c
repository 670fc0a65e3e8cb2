/* Balancing by hash: which keys go where, and which ones move when a server comes or goes. */
#include "balance_testing.h"
#include "route/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const enum balance_kind kinds[] = {BALANCE_HASH, BALANCE_AFFINITY};

/* ---------------------------------------------------------------- rings */

#define KEYS 20000u

static size_t owners[KEYS];

static void remember_owners(struct balance *b)
{
    for (uint32_t k = 0; k < KEYS; k++) {
        owners[k] = (size_t)(pick(b, nth_hash(k)) - servers);
    }
}

/* How many keys have another owner now, of those that neither leave nor go to `only`. */
static unsigned count_moved(struct balance *b, size_t only, unsigned *elsewhere)
{
    unsigned moved = 0;
    *elsewhere = 0;
    for (uint32_t k = 0; k < KEYS; k++) {
        size_t now = (size_t)(pick(b, nth_hash(k)) - servers);
        moved += now != owners[k];
        *elsewhere += now != owners[k] && now != only && owners[k] != only;
    }
    return moved;
}

static void a_key_always_goes_to_the_same_member(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(10);
        struct balance *b = balance_new(kinds[k], members, 10, 19);
        remember_owners(b);
        unsigned elsewhere;
        assert_int_equal(count_moved(b, 0, &elsewhere), 0);
        balance_free(b);
        /* Whatever the order of the configuration, and in every worker. */
        for (size_t i = 0; i < 5; i++) {
            struct balance_member m = members[i];
            members[i] = members[9 - i];
            members[9 - i] = m;
        }
        b = balance_new(kinds[k], members, 10, 20);
        assert_int_equal(count_moved(b, 0, &elsewhere), 0);
        balance_free(b);
    }
}

static void equal_members_own_about_the_same(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(10);
        struct balance *b = balance_new(kinds[k], members, 10, 21);
        remember_owners(b);
        for (size_t i = 0; i < 10; i++) {
            expect_share("ring", i, KEYS, 0.1, 0.25);
        }
        balance_free(b);
    }
}

static void only_the_keys_of_one_that_comes_or_goes_move(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(11);
        struct balance *b = balance_new(kinds[k], members, 10, 22);
        remember_owners(b);
        balance_free(b);
        unsigned elsewhere;
        b = balance_new(kinds[k], members, 11, 22);
        assert_in_range(count_moved(b, 10, &elsewhere), KEYS / 11 * 3 / 4, KEYS / 11 * 5 / 4);
        assert_int_equal(elsewhere, 0);
        balance_free(b);
        /* One in the middle goes. */
        members[4] = members[9];
        b = balance_new(kinds[k], members, 9, 22);
        assert_in_range(count_moved(b, 4, &elsewhere), KEYS / 10 * 3 / 4, KEYS / 10 * 5 / 4);
        assert_int_equal(elsewhere, 0);
        balance_free(b);
    }
}

static void one_that_is_down_gives_its_keys_to_all_and_gets_them_back(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(10);
        struct balance *b = balance_new(kinds[k], members, 10, 23);
        remember_owners(b);
        servers[4].down = true;
        forget_picks(10);
        unsigned elsewhere;
        assert_in_range(count_moved(b, 4, &elsewhere), KEYS / 10 * 3 / 4, KEYS / 10 * 5 / 4);
        assert_int_equal(elsewhere, 0);
        for (size_t i = 0; i < 10; i++) {
            if (i != 4) {
                expect_share("the other nine", i, KEYS, 1 / 9.0, 0.3);
            }
        }
        servers[4].down = false;
        assert_int_equal(count_moved(b, 4, &elsewhere), 0);
        balance_free(b);
    }
}

static void affinity_does_not_know_weights(void **state)
{
    (void)state;
    set_up(10);
    struct balance *b = balance_new(BALANCE_AFFINITY, members, 10, 24);
    remember_owners(b);
    balance_free(b);
    for (size_t i = 0; i < 10; i++) {
        members[i].weight = 1 + 25 * (uint32_t)i;
        members[i].sub_group = (uint32_t)i / 3;
        members[i].sub_weight = 1 + (uint32_t)i / 3;
    }
    unsigned elsewhere;
    b = balance_new(BALANCE_AFFINITY, members, 10, 24);
    assert_int_equal(count_moved(b, 0, &elsewhere), 0);
    balance_free(b);
}

static void affinity_needs_no_loads(void **state)
{
    (void)state;
    set_up(3);
    struct balance *b = balance_new(BALANCE_AFFINITY, members, 3, 24);
    servers[0].down = true;
    for (uint32_t k = 0; k < 100; k++) {
        assert_non_null(balance_pick(b, &ops_without_load, NULL, nth_hash(k)));
    }
    balance_free(b);
}

static void hash_knows_weights(void **state)
{
    (void)state;
    set_up_levels();
    struct balance *b = balance_new(BALANCE_HASH, members, LEVELS, 25);
    remember_owners(b);
    for (size_t i = 3; i < LEVELS; i++) {
        expect_share("hash by weight", i, KEYS, level_shares[i], 0.25);
    }
    assert_true(servers[0].picked < KEYS / 50 && servers[1].picked < KEYS / 50);
    balance_free(b);
    /* No key moves between the others when one with another weight comes. */
    static const uint32_t weights[] = {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 2};
    set_weights(weights, 11);
    b = balance_new(BALANCE_HASH, members, 10, 25);
    remember_owners(b);
    balance_free(b);
    unsigned elsewhere;
    b = balance_new(BALANCE_HASH, members, 11, 25);
    assert_in_range(count_moved(b, 10, &elsewhere), KEYS / 21 / 2, KEYS / 21 * 2);
    assert_int_equal(elsewhere, 0);
    balance_free(b);
}

static void a_hot_key_spills_at_the_bound(void **state)
{
    (void)state;
    set_up(8);
    struct balance *b = balance_new(BALANCE_HASH, members, 8, 26);
    /* All requests have one key and none ends. */
    for (unsigned n = 0; n < 8000; n++) {
        pick(b, 12345)->load++;
        for (size_t i = 0; i < 8; i++) {
            assert_true(servers[i].load <= 1.25 * (n + 1) / 8 + 1);
        }
    }
    /* The owner has what it may, and the next one, until all have gone somewhere. */
    unsigned full = 0;
    for (size_t i = 0; i < 8; i++) {
        full += servers[i].load == 1250;
    }
    assert_int_equal(full, 6);
    balance_free(b);
}

static void the_bound_is_by_weight_and_of_those_that_are_usable(void **state)
{
    (void)state;
    static const uint32_t weights[] = {6, 3, 1, 90};
    set_weights(weights, 4);
    servers[3].down = true;
    struct balance *b = balance_new(BALANCE_HASH, members, 4, 27);
    for (unsigned n = 0; n < 10000; n++) {
        pick(b, nth_hash(n % 3))->load++;
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(servers[i].load <= 1.25 * 10000 * weights[i] / 10 + 1);
    }
    assert_int_equal(servers[0].load + servers[1].load + servers[2].load, 10000);
    balance_free(b);
}

static void an_idle_owner_is_all_that_is_looked_at(void **state)
{
    (void)state;
    set_up(1000);
    struct balance *b = balance_new(BALANCE_HASH, members, 1000, 28);
    questions = 0;
    for (uint32_t k = 0; k < 1000; k++) {
        pick(b, nth_hash(k));
    }
    assert_int_equal(questions, 2000);
    balance_free(b);
}

static void who_is_too_busy_is_asked_no_more_for_the_same_request(void **state)
{
    (void)state;
    set_up(4);
    struct balance *b = balance_new(BALANCE_HASH, members, 4, 29);
    for (size_t i = 0; i < 4; i++) {
        servers[i].load = i == 2 ? 1 : 100;
    }
    for (uint32_t k = 0; k < 200; k++) {
        questions = 0;
        assert_ptr_equal(pick(b, nth_hash(k)), &servers[2]);
        /* The owner's load; whether each is usable, and its load, for the bound; and on the ring.
         */
        assert_in_range(questions, 1, 1 + 2 * 4 + 2 * 4);
    }
    balance_free(b);
}

static void a_hash_belongs_to_the_first_point_at_it_or_behind_it(void **state)
{
    (void)state;
    struct ring_point points[] = {{10, 0}, {20, 1}, {UINT32_MAX - 1, 2}};
    const struct ring r = {.points = points, .n = 3};
    static const struct {
        uint32_t hash;
        size_t first;
    } cases[] = {{0, 0},         {9, 0}, {10, 0}, {11, 1}, {20, 1}, {21, 2}, {UINT32_MAX - 1, 2},
                 {UINT32_MAX, 0}}; /* the circle is closed */
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(ring_first(&r, cases[i].hash), cases[i].first);
    }
    assert_int_equal(ring_next(&r, 0), 1);
    assert_int_equal(ring_next(&r, 2), 0);
}

static void points_are_in_order_and_of_a_key_alone(void **state)
{
    (void)state;
    struct ring one, two;
    const struct ring_member same[] = {{"a", 1, 20}, {"a", 1, 12}}, other[] = {{"b", 1, 20}};
    ring_init(&one, same, 2);
    ring_init(&two, other, 1);
    assert_int_equal(one.n, 32);
    unsigned doubles = 0, first = 0;
    for (size_t i = 0; i + 1 < one.n; i++) {
        assert_true(one.points[i].at <= one.points[i + 1].at);
        if (one.points[i].at == one.points[i + 1].at) {
            doubles++;
            assert_int_equal(one.points[i].member, 0);
            assert_int_equal(one.points[i + 1].member, 1);
        }
        first += one.points[i].at == two.points[0].at;
    }
    assert_int_equal(doubles, 12); /* of the same key; beyond them each is somewhere else */
    assert_int_equal(first, 0);
    ring_free(&one);
    ring_free(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_always_goes_to_the_same_member),
        cmocka_unit_test(equal_members_own_about_the_same),
        cmocka_unit_test(only_the_keys_of_one_that_comes_or_goes_move),
        cmocka_unit_test(one_that_is_down_gives_its_keys_to_all_and_gets_them_back),
        cmocka_unit_test(affinity_does_not_know_weights),
        cmocka_unit_test(affinity_needs_no_loads),
        cmocka_unit_test(hash_knows_weights),
        cmocka_unit_test(a_hot_key_spills_at_the_bound),
        cmocka_unit_test(the_bound_is_by_weight_and_of_those_that_are_usable),
        cmocka_unit_test(an_idle_owner_is_all_that_is_looked_at),
        cmocka_unit_test(who_is_too_busy_is_asked_no_more_for_the_same_request),
        cmocka_unit_test(a_hash_belongs_to_the_first_point_at_it_or_behind_it),
        cmocka_unit_test(points_are_in_order_and_of_a_key_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
