/* Balancing by counting: who is chosen how often, of servers that are what the test makes them. */
#include "balance_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const enum balance_kind kinds[] = {BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONN, BALANCE_P2C,
                                          BALANCE_HASH, BALANCE_AFFINITY};

/* ---------------------------------------------------------------- all kinds */

static void nobody_is_chosen_of_none(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct balance *b = balance_new(kinds[k], NULL, 0, 1);
        assert_null(balance_pick(b, &ops, NULL, 7));
        assert_null(balance_of_address(b, 7));
        balance_free(b);
    }
    balance_free(NULL);
}

static void one_member_gets_everything_while_it_is_usable(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(1);
        struct balance *b = balance_new(kinds[k], members, 1, 1);
        for (uint32_t i = 0; i < 1000; i++) {
            servers[0].load = i;
            assert_ptr_equal(pick(b, nth_hash(i)), &servers[0]);
        }
        servers[0].down = true;
        assert_null(pick(b, 0));
        servers[0].down = false;
        assert_ptr_equal(pick(b, 0), &servers[0]);
        balance_free(b);
    }
}

static void when_none_is_usable_each_is_asked_and_none_is_chosen(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(50);
        for (size_t i = 0; i < 50; i++) {
            members[i].weight = 1 + (uint32_t)i;
            servers[i].down = true;
            servers[i].load = 1;
        }
        struct balance *b = balance_new(kinds[k], members, 50, 1);
        assert_null(pick(b, 1));
        for (size_t i = 0; i < 50; i++) {
            assert_int_equal(servers[i].asked, 1);
        }
        servers[33].down = false;
        assert_ptr_equal(pick(b, 1), &servers[33]);
        /* A request that has tried it gets nothing. */
        assert_null(balance_pick(b, &ops, &servers[33], 1));
        balance_free(b);
    }
}

static void whatever_is_down_only_the_others_are_chosen(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(12);
        for (size_t i = 0; i < 12; i++) {
            members[i].weight = i % 3 == 0 ? 256 : 1;
            members[i].sub_group = (uint32_t)i % 4 * 1000; /* any numbers */
            members[i].sub_weight = 1 + (uint32_t)i % 4 * 80;
        }
        struct balance *b = balance_new(kinds[k], members, 12, 3);
        for (uint32_t round = 0; round < 4096; round++) {
            for (size_t i = 0; i < 12; i++) {
                servers[i].down = (round >> i & 1) != 0;
                servers[i].load = nth_hash(round * 12 + (uint32_t)i) % 5;
            }
            struct server *s = pick(b, nth_hash(round)); /* which checks that it is not down */
            assert_true((s == NULL) == (round == 4095));
        }
        balance_free(b);
    }
}

/* ---------------------------------------------------------------- round robin */

static void round_robin_gives_each_its_exact_share(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 2, 5};
    for (unsigned seed = 0; seed < 20; seed++) {
        set_weights(weights, 3);
        struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 3, seed);
        for (unsigned i = 0; i < 100000; i++) {
            servers[0].asked = servers[1].asked = servers[2].asked = 0;
            struct server *s = balance_pick(b, &ops_without_load, NULL, i);
            s->picked++;
            assert_int_equal(servers[0].asked + servers[1].asked + servers[2].asked, 1);
        }
        for (size_t i = 0; i < 3; i++) {
            expect_share("1:2:5", i, 100000, weights[i] / 8.0, 0.001);
        }
        balance_free(b);
    }
}

static void any_eight_picks_in_a_row_are_one_two_and_five(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 2, 5};
    set_weights(weights, 3);
    struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 3, 4);
    for (unsigned i = 0; i < 1000; i++) {
        forget_picks(3);
        pick_many(b, 8);
        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(servers[j].picked, weights[j]);
        }
        pick_many(b, i % 8); /* begin elsewhere */
    }
    balance_free(b);
}

static void extreme_weights_are_exact_too(void **state)
{
    (void)state;
    static const uint32_t weights[] = {256, 1, 255, 3};
    set_weights(weights, 4);
    struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 4, 5);
    pick_many(b, 515 * 400);
    for (size_t i = 0; i < 4; i++) {
        expect_share("extreme weights", i, 515 * 400, weights[i] / 515.0, 0.001);
    }
    balance_free(b);
}

static void shares_of_sub_groups_come_before_those_of_members(void **state)
{
    (void)state;
    set_up_levels();
    struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, LEVELS, 6);
    pick_many(b, 260 * 1000);
    for (size_t i = 0; i < LEVELS; i++) {
        expect_share("two levels", i, 260 * 1000, level_shares[i], 0.001);
    }
    /* Within a sub-group the others have the share of one that is down. */
    forget_picks(LEVELS);
    servers[5].down = true;
    pick_many(b, 260 * 1000);
    expect_share("all of its own", 0, 260 * 1000, 1 / 260.0, 0.001);
    expect_share("one of two left", 3, 260 * 1000, 256 / 260.0 / 3, 0.001);
    expect_share("two of two left", 4, 260 * 1000, 256 / 260.0 * 2 / 3, 0.001);
    /* A sub-group with nobody left is none. */
    forget_picks(LEVELS);
    servers[3].down = servers[4].down = true;
    pick_many(b, 4000);
    expect_share("without the large one", 0, 4000, 0.25, 0.001);
    expect_share("without the large one", 1, 4000, 0.15, 0.001);
    expect_share("without the large one", 2, 4000, 0.6, 0.001);
    balance_free(b);
}

static void who_comes_back_does_not_make_up_for_it(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 2, 5, 2};
    set_weights(weights, 4);
    struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 4, 7);
    for (unsigned round = 0; round < 200; round++) {
        size_t away = round % 4;
        unsigned rest = 10 - weights[away];
        servers[away].down = true;
        forget_picks(4);
        pick_many(b, rest * (1 + round));
        for (size_t i = 0; i < 4; i++) {
            assert_in_range(servers[i].picked + 1, i == away ? 1 : weights[i] * (1 + round),
                            i == away ? 1 : weights[i] * (1 + round) + 2);
        }
        servers[away].down = false;
        /* At once in step: no run of ten has more than one turn more or less than the weights. */
        for (unsigned run = 0; run < 3; run++) {
            forget_picks(4);
            pick_many(b, 10);
            for (size_t i = 0; i < 4; i++) {
                assert_in_range(servers[i].picked + 1, weights[i], weights[i] + 2);
            }
        }
    }
    balance_free(b);
}

/* The one that was away is due again after all the turns that it has missed, however many they were
 * between two of the others. */
static void who_missed_many_turns_at_once_does_not_make_up_for_them(void **state)
{
    (void)state;
    static const uint32_t weights[] = {256, 1};
    set_weights(weights, 2);
    struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 2, 8);
    servers[0].down = true;
    pick_many(b, 10);
    servers[0].down = false;
    forget_picks(2);
    pick_many(b, 2 * 257);
    assert_in_range(servers[1].picked, 1, 3);
    balance_free(b);
}

/* Weights out of the DNS: more than turns can be counted for. */
static void a_weight_of_next_to_nothing_leaves_the_others_their_turns(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 20; seed++) {
        set_up(3);
        members[1].weight = 1e-15;
        struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 3, seed);
        pick_many(b, 1000);
        assert_int_equal(servers[1].picked, 0);
        assert_int_equal(servers[0].picked, 500);
        servers[0].down = servers[2].down = true;
        pick_many(b, 3);
        servers[0].down = servers[2].down = false;
        forget_picks(3);
        pick_many(b, 1000);
        assert_int_equal(servers[1].picked, 0);
        balance_free(b);
    }
}

static void the_order_of_the_configuration_does_not_matter(void **state)
{
    (void)state;
    static const char *const keys[] = {"10.0.0.1,8", "10.0.0.1,80", "10.0.0.1,8080", "10.0.0.10,8"};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        const char *chosen[100];
        for (size_t turned = 0; turned < 2; turned++) {
            set_up(4);
            for (size_t i = 0; i < 4; i++) {
                members[i].key = keys[turned ? 3 - i : i];
                members[i].key_len = strlen(members[i].key);
            }
            struct balance *b = balance_new(kinds[k], members, 4, 31);
            for (uint32_t n = 0; n < COUNT(chosen); n++) {
                const char *key = members[pick(b, nth_hash(n)) - servers].key;
                if (turned) {
                    assert_string_equal(key, chosen[n]);
                }
                chosen[n] = key;
            }
            balance_free(b);
        }
    }
}

static void requests_that_may_not_go_somewhere_leave_the_shares_of_others(void **state)
{
    (void)state;
    set_up(4);
    struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 4, 8);
    for (unsigned i = 0; i < 100000; i++) {
        /* Every tenth has tried server 0. */
        struct server *s = balance_pick(b, &ops, i % 10 == 0 ? &servers[0] : NULL, 0);
        assert_true(s != &servers[0] || i % 10 != 0);
        s->picked++;
    }
    for (size_t i = 2; i < 4; i++) {
        assert_int_equal((int)(servers[i].picked / 100), (int)(servers[1].picked / 100));
    }
    assert_true(servers[0].picked > 22000);
    balance_free(b);
}

static void turns_that_nobody_could_have_had_are_not_lost(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 2, 5};
    set_weights(weights, 3);
    struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 3, 9);
    for (unsigned i = 0; i < 800; i++) {
        servers[0].down = servers[1].down = servers[2].down = true;
        for (unsigned j = 0; j < i % 5; j++) {
            assert_null(pick(b, 0));
        }
        servers[0].down = servers[1].down = servers[2].down = false;
        assert_non_null(pick(b, 0));
    }
    assert_int_equal(servers[0].picked, 100);
    assert_int_equal(servers[1].picked, 200);
    assert_int_equal(servers[2].picked, 500);
    balance_free(b);
}

static void the_first_picks_of_many_workers_have_the_shares(void **state)
{
    (void)state;
    set_up_levels();
    const unsigned workers = 40000;
    for (unsigned seed = 0; seed < workers; seed++) {
        struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, LEVELS, seed);
        pick_many(b, 1);
        balance_free(b);
    }
    for (size_t i = 0; i < LEVELS; i++) {
        /* Three and a half standard deviations of the rarest (92 expected) are 36 %. */
        expect_share("first picks", i, workers, level_shares[i], i < 3 ? 0.36 : 0.05);
    }
}

static void a_thousand_take_turns(void **state)
{
    (void)state;
    set_up(1000);
    struct balance *b = balance_new(BALANCE_ROUND_ROBIN, members, 1000, 10);
    questions = 0;
    pick_many(b, 100000);
    assert_int_equal(questions, 100000); /* one each: nobody is looked at who is not chosen */
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(servers[i].picked, 100);
        servers[i].down = i % 10 == 0;
    }
    forget_picks(1000);
    questions = 0;
    pick_many(b, 90000);
    /* Who is down is asked when its turn comes, and not before. */
    assert_in_range(questions, 90000, 101001);
    for (size_t i = 0; i < 1000; i++) {
        assert_in_range(servers[i].picked, i % 10 == 0 ? 0 : 99, i % 10 == 0 ? 0 : 101);
    }
    balance_free(b);
}

/* ---------------------------------------------------------------- least-conn */

static void with_equal_loads_least_conn_takes_turns_by_weight(void **state)
{
    (void)state;
    set_up_levels();
    struct balance *b = balance_new(BALANCE_LEAST_CONN, members, LEVELS, 11);
    pick_many(b, 260 * 1000);
    for (size_t i = 0; i < LEVELS; i++) {
        expect_share("least-conn, idle", i, 260 * 1000, level_shares[i], 0.001);
    }
    balance_free(b);
}

static void least_conn_takes_the_lowest_load_per_weight(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 2, 5};
    static const struct {
        uint32_t load[3];
        size_t expected;
    } cases[] = {
        {{0, 1, 1}, 0},
        {{1, 0, 1}, 1},
        {{1, 1, 0}, 2},
        {{1, 1, 1}, 2},
        {{1, 1, 3}, 1},
        {{1, 3, 6}, 0},
        {{2, 3, 8}, 1},
        {{10, 20, 49}, 2},
        {{9, 20, 50}, 0},
        {{10, 19, 50}, 1},
        {{0, UINT32_MAX, UINT32_MAX}, 0},
    };
    set_weights(weights, 3);
    struct balance *b = balance_new(BALANCE_LEAST_CONN, members, 3, 12);
    for (size_t c = 0; c < COUNT(cases); c++) {
        for (size_t i = 0; i < 3; i++) {
            servers[i].load = cases[c].load[i];
        }
        for (unsigned i = 0; i < 5; i++) {
            assert_ptr_equal(pick(b, 0), &servers[cases[c].expected]);
        }
    }
    balance_free(b);
}

/* Requests come one per tick and take servers so many ticks; the first one is slow. */
static void run_with_a_slow_server(struct balance *b, size_t n, unsigned slow, unsigned requests)
{
    static uint8_t ends[400001][4]; /* requests that end at a tick, for each server */
    memset(ends, 0, sizeof(ends));
    assert_true(n <= 4 && requests + slow < COUNT(ends));
    for (unsigned tick = 0; tick < requests; tick++) {
        for (size_t i = 0; i < n; i++) {
            servers[i].load -= ends[tick][i];
        }
        struct server *s = pick(b, nth_hash(tick));
        s->load++;
        ends[tick + (s == &servers[0] ? slow : 6)][s - servers]++;
    }
}

static void a_slow_server_gets_its_share_by_load_and_no_more(void **state)
{
    (void)state;
    set_up(4);
    struct balance *b = balance_new(BALANCE_LEAST_CONN, members, 4, 13);
    run_with_a_slow_server(b, 4, 60, 200000);
    /* Ten times slower, so a tenth of what each of the others gets: 1 of 31. */
    assert_in_range(servers[0].picked, 200000 / 31 / 2, 200000 / 31 * 2);
    for (size_t i = 1; i < 4; i++) {
        expect_share("the fast ones", i, 200000.0 - servers[0].picked, 1 / 3.0, 0.02);
        assert_true(servers[i].load <= 4);
    }
    assert_true(servers[0].load <= 4); /* nothing piles up */
    balance_free(b);
}

static void who_was_too_busy_does_not_get_all_that_follows(void **state)
{
    (void)state;
    set_up(3);
    struct balance *b = balance_new(BALANCE_LEAST_CONN, members, 3, 14);
    servers[0].load = 1;
    pick_many(b, 9999);
    assert_int_equal(servers[0].picked, 0);
    servers[0].load = 0;
    forget_picks(3);
    pick_many(b, 30);
    for (size_t i = 0; i < 3; i++) {
        assert_in_range(servers[i].picked, 9, 11);
    }
    balance_free(b);
}

/* ---------------------------------------------------------------- two at random */

static void two_at_random_have_the_shares_when_idle(void **state)
{
    (void)state;
    set_up_levels();
    struct balance *b = balance_new(BALANCE_P2C, members, LEVELS, 15);
    pick_many(b, 1000000);
    for (size_t i = 0; i < LEVELS; i++) {
        expect_share("p2c, idle", i, 1000000, level_shares[i], i < 3 ? 0.08 : 0.01);
    }
    /* And those of the rest when most of the weight is out. */
    servers[3].down = servers[4].down = servers[5].down = true;
    forget_picks(LEVELS);
    pick_many(b, 200000);
    expect_share("p2c, rest", 0, 200000, 0.25, 0.02);
    expect_share("p2c, rest", 1, 200000, 0.15, 0.02);
    expect_share("p2c, rest", 2, 200000, 0.6, 0.02);
    balance_free(b);
}

static void of_two_at_random_the_less_loaded_is_chosen(void **state)
{
    (void)state;
    set_up(4);
    struct balance *b = balance_new(BALANCE_P2C, members, 4, 16);
    for (size_t i = 0; i < 4; i++) {
        servers[i].load = 10 * (uint32_t)i;
    }
    pick_many(b, 120000);
    /* Of 6 pairs the first is in three, the second in two without the first, and so on. */
    static const double share[] = {3 / 6.0, 2 / 6.0, 1 / 6.0, 0};
    for (size_t i = 0; i < 4; i++) {
        expect_share("p2c, by load", i, 120000, share[i], 0.02);
    }
    assert_int_equal(servers[3].picked, 0);
    balance_free(b);
}

static void with_two_at_random_a_slow_server_gets_little(void **state)
{
    (void)state;
    set_up(4);
    struct balance *b = balance_new(BALANCE_P2C, members, 4, 17);
    run_with_a_slow_server(b, 4, 60, 200000);
    assert_true(servers[0].picked < 200000 / 4 / 3);
    assert_true(servers[0].load < 20);
    balance_free(b);
}

static void p2c_looks_at_two_of_a_thousand(void **state)
{
    (void)state;
    set_up(1000);
    struct balance *b = balance_new(BALANCE_P2C, members, 1000, 18);
    questions = 0;
    pick_many(b, 10000);
    assert_int_equal(questions, 4 * 10000); /* for each of two: usable, and load */
    balance_free(b);
}

/* ---------------------------------------------------------------- ids */

static void an_address_is_found_by_its_id(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(1000);
        struct balance *b = balance_new(kinds[k], members, 999, 29);
        for (size_t i = 0; i < 999; i++) {
            uint32_t id = balance_id(members[i].key, members[i].key_len);
            assert_ptr_equal(balance_of_address(b, id), &servers[i]);
            assert_int_equal(balance_id_of(b, &servers[i]), id);
        }
        assert_null(balance_of_address(b, balance_id(members[999].key, members[999].key_len)));
        assert_null(balance_of_address(b, 0));
        assert_null(balance_of_address(b, UINT32_MAX));
        balance_free(b);
    }
    /* Cookies of clients hold it: the same for ever. */
    assert_int_equal(balance_id("abc", 3), 0xba7816bf);
    assert_int_equal(balance_id("", 0), 0xe3b0c442);
}

static void the_same_address_twice_does_no_harm(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        set_up(2);
        members[1].key = members[0].key;
        members[1].key_len = members[0].key_len;
        struct balance *b = balance_new(kinds[k], members, 2, 30);
        servers[0].down = true;
        assert_ptr_equal(pick(b, 99), &servers[1]);
        servers[0].down = false;
        servers[1].down = true;
        assert_ptr_equal(pick(b, 99), &servers[0]);
        balance_free(b);
    }
}

static void random_numbers_differ_between_workers(void **state)
{
    (void)state;
    set_up(1);
    uint32_t seen[64];
    for (unsigned seed = 0; seed < 64; seed++) {
        struct balance *b = balance_new(BALANCE_AFFINITY, members, 1, seed);
        seen[seed] = balance_random(b);
        assert_int_not_equal(balance_random(b), seen[seed]);
        for (unsigned i = 0; i < seed; i++) {
            assert_int_not_equal(seen[i], seen[seed]);
        }
        balance_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_chosen_of_none),
        cmocka_unit_test(one_member_gets_everything_while_it_is_usable),
        cmocka_unit_test(when_none_is_usable_each_is_asked_and_none_is_chosen),
        cmocka_unit_test(whatever_is_down_only_the_others_are_chosen),
        cmocka_unit_test(round_robin_gives_each_its_exact_share),
        cmocka_unit_test(any_eight_picks_in_a_row_are_one_two_and_five),
        cmocka_unit_test(extreme_weights_are_exact_too),
        cmocka_unit_test(shares_of_sub_groups_come_before_those_of_members),
        cmocka_unit_test(who_comes_back_does_not_make_up_for_it),
        cmocka_unit_test(who_missed_many_turns_at_once_does_not_make_up_for_them),
        cmocka_unit_test(a_weight_of_next_to_nothing_leaves_the_others_their_turns),
        cmocka_unit_test(the_order_of_the_configuration_does_not_matter),
        cmocka_unit_test(requests_that_may_not_go_somewhere_leave_the_shares_of_others),
        cmocka_unit_test(turns_that_nobody_could_have_had_are_not_lost),
        cmocka_unit_test(the_first_picks_of_many_workers_have_the_shares),
        cmocka_unit_test(a_thousand_take_turns),
        cmocka_unit_test(with_equal_loads_least_conn_takes_turns_by_weight),
        cmocka_unit_test(least_conn_takes_the_lowest_load_per_weight),
        cmocka_unit_test(a_slow_server_gets_its_share_by_load_and_no_more),
        cmocka_unit_test(who_was_too_busy_does_not_get_all_that_follows),
        cmocka_unit_test(two_at_random_have_the_shares_when_idle),
        cmocka_unit_test(of_two_at_random_the_less_loaded_is_chosen),
        cmocka_unit_test(with_two_at_random_a_slow_server_gets_little),
        cmocka_unit_test(p2c_looks_at_two_of_a_thousand),
        cmocka_unit_test(an_address_is_found_by_its_id),
        cmocka_unit_test(the_same_address_twice_does_no_harm),
        cmocka_unit_test(random_numbers_differ_between_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
