/* The state of an address: transitions, back-off, outliers, claims, counts; the table in common. */
#include "route/health.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct health_backoff calm = {.most = 120000, .random = 0.5}; /* no jitter */

static unsigned nkeys;

/* An address that no other test has. */
static struct health *fresh(const struct cfg_backend *cfg)
{
    char key[32];
    snprintf(key, sizeof(key), "address %u", nkeys++);
    return health_get(key, cfg);
}

/* Moves the clock to where a connect may be tried again, and lets it fail. */
static enum health_change fail_connect(struct health *h, const struct cfg_backend *cfg,
                                       uint64_t *now)
{
    unsigned n;
    uint64_t until = health_blocked_until(h);
    *now = until > *now ? until : *now;
    return health_connect_failed(h, cfg, *now, calm, false, &n);
}

/* ---------------------------------------------------------------- connects */

static void a_failed_connect_blocks_for_1_6_to_the_n_seconds(void **state)
{
    (void)state;
    static const unsigned expected[] = {1600,  2560,  4096,  6553,   10485,  16777,
                                        26843, 42949, 68719, 109951, 109951, 109951};
    const struct cfg_backend cfg = {0};
    struct health *h = fresh(&cfg);
    uint64_t now = 5000;
    for (unsigned i = 0; i < COUNT(expected); i++) {
        unsigned n;
        assert_int_equal(health_connect_failed(h, &cfg, now, calm, false, &n), HEALTH_SAME);
        assert_int_equal(n, i + 1);
        assert_in_range(health_blocked_until(h) - now, expected[i] - 2, expected[i] + 2);
        assert_int_equal(health_use(h, &cfg, now, 0), HEALTH_BLOCKED);
        now = health_blocked_until(h);
        assert_int_equal(health_use(h, &cfg, now, 0), HEALTH_GOOD);
    }
    health_connected(h);
    assert_int_equal(health_blocked_until(h), 0);
    fail_connect(h, &cfg, &now);
    assert_in_range(health_blocked_until(h) - now, 1598, 1602); /* from the start again */
    health_put(h);
}

static void the_back_off_varies_and_has_a_longest(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {0};
    static const struct {
        struct health_backoff b;
        uint64_t first, second;
    } cases[] = {{{120000, 0.0}, 1280, 2048},
                 {{120000, 1.0}, 1920, 3072},
                 {{2000, 1.0}, 1920, 2000},
                 {{0, 0.5}, 0, 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct health *h = fresh(&cfg);
        unsigned n;
        health_connect_failed(h, &cfg, 1, cases[i].b, false, &n);
        assert_in_range(health_blocked_until(h) - 1, cases[i].first, cases[i].first + 1);
        uint64_t now = health_blocked_until(h);
        health_connect_failed(h, &cfg, now, cases[i].b, false, &n);
        assert_int_equal(n, 2);
        assert_in_range(health_blocked_until(h) - now, cases[i].second, cases[i].second + 1);
        health_put(h);
    }
}

static void connects_that_fail_together_are_one_failure(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.fall = 2, .rise = 1};
    struct health *h = fresh(&cfg);
    unsigned n;
    assert_int_equal(health_connect_failed(h, &cfg, 100, calm, false, &n), HEALTH_SAME);
    assert_int_equal(n, 1);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(health_connect_failed(h, &cfg, 100 + i, calm, false, &n), HEALTH_SAME);
        assert_int_equal(n, 0);
    }
    assert_false(health_is_offline(h, &cfg));
    health_put(h);
}

/* ---------------------------------------------------------------- lines */

/* What two lines have in common when they name one address. */
static void lines_that_say_the_same_count_together(void **state)
{
    (void)state;
    char *patterns[] = {"/", "/q/"}, *other[] = {"/r/"};
    const struct cfg_backend lines[] = {
        {.patterns = patterns, .npatterns = 1, .max_conns = 1},
        {.patterns = patterns, .npatterns = 1, .max_conns = 2},
        {.patterns = patterns, .npatterns = 2, .max_conns = 1},
        {.patterns = other, .npatterns = 1, .max_conns = 1},
        {.patterns = patterns, .npatterns = 1, .max_conns = 1, .health_path = "/h"},
    };
    struct health *h[COUNT(lines)];
    for (size_t i = 0; i < COUNT(lines); i++) {
        h[i] = health_get("one address", &lines[i]);
    }
    assert_ptr_equal(h[0], h[1]);
    assert_true(health_take_conn(h[0], 1));
    assert_false(health_take_conn(h[1], 1));
    for (size_t i = 2; i < COUNT(lines); i++) { /* other patterns, other checks */
        assert_true(health_take_conn(h[i], 1));
        health_give_conn(h[i]);
    }
    health_give_conn(h[0]);
    for (size_t i = 0; i < COUNT(lines); i++) {
        health_put(h[i]);
    }
}

/* ---------------------------------------------------------------- fall and rise */

static void fall_connects_in_a_row_are_offline_and_rise_probes_online(void **state)
{
    (void)state;
    for (uint32_t fall = 1; fall < 5; fall++) {
        for (uint32_t rise = 1; rise < 4; rise++) {
            const struct cfg_backend cfg = {.fall = fall, .rise = rise};
            struct health *h = fresh(&cfg);
            uint64_t now = 1;
            for (uint32_t i = 1; i < fall; i++) {
                assert_int_equal(fail_connect(h, &cfg, &now), HEALTH_SAME);
            }
            health_connected(h); /* not in a row */
            for (uint32_t i = 1; i < fall; i++) {
                assert_int_equal(fail_connect(h, &cfg, &now), HEALTH_SAME);
            }
            assert_int_equal(fail_connect(h, &cfg, &now), HEALTH_FELL);
            assert_int_equal(health_use(h, &cfg, now + 1000000, 0), HEALTH_OFFLINE);
            assert_int_equal(fail_connect(h, &cfg, &now), HEALTH_SAME); /* told once */
            health_connected(h); /* was on its way; only probes count now */
            for (uint32_t i = 1; i < rise; i++) {
                assert_int_equal(health_probed(h, &cfg, true), HEALTH_SAME);
            }
            assert_int_equal(health_probed(h, &cfg, false), HEALTH_SAME);
            for (uint32_t i = 1; i < rise; i++) {
                assert_int_equal(health_probed(h, &cfg, true), HEALTH_SAME);
            }
            assert_int_equal(health_use(h, &cfg, now + 1000000, 0), HEALTH_OFFLINE);
            assert_int_equal(health_probed(h, &cfg, true), HEALTH_ROSE);
            assert_int_equal(health_use(h, &cfg, now, 0), HEALTH_GOOD); /* nor blocked */
            assert_int_equal(health_probed(h, &cfg, true), HEALTH_SAME);
            health_put(h);
        }
    }
}

static void without_fall_nothing_is_offline_and_without_rise_it_stays_so(void **state)
{
    (void)state;
    const struct cfg_backend never = {0}, for_good = {.fall = 1};
    struct health *h = fresh(&never);
    uint64_t now = 1;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(fail_connect(h, &never, &now), HEALTH_SAME);
    }
    assert_false(health_is_offline(h, &never));
    health_put(h);
    h = fresh(&for_good);
    assert_int_equal(fail_connect(h, &for_good, &now), HEALTH_FELL);
    for (int i = 0; i < 70000; i++) { /* more than a counter holds */
        assert_int_equal(health_probed(h, &for_good, true), HEALTH_SAME);
    }
    assert_true(health_is_offline(h, &for_good));
    assert_false(health_is_offline(h, &never)); /* a line that says nothing of fall */
    health_put(h);
}

static void probes_that_fail_come_later_and_later(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.fall = 1, .rise = 2};
    struct health *h = fresh(&cfg);
    uint64_t now = 1, last = 0;
    fail_connect(h, &cfg, &now);
    assert_in_range(health_next_probe(h, calm), 1599, 1601);
    for (int i = 0; i < 10; i++) {
        uint64_t next = health_next_probe(h, calm);
        assert_true(next > last);
        last = next;
        health_probed(h, &cfg, false);
    }
    assert_in_range(health_next_probe(h, (struct health_backoff){.most = 7000, .random = 1}), 7000,
                    7000);
    health_probed(h, &cfg, true); /* one good one: the next comes soon */
    assert_in_range(health_next_probe(h, calm), 999, 1001);
    health_put(h);
}

static void checks_fall_and_rise_too(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.fall = 3, .rise = 2, .health_path = (char *)(uintptr_t) "/h"};
    struct health *h = fresh(&cfg);
    uint64_t now = 1;
    assert_int_equal(health_use(h, &cfg, now, 0), HEALTH_GOOD); /* before the first result */
    assert_int_equal(health_checked(h, &cfg, HEALTH_ILL), HEALTH_SAME);
    assert_int_equal(health_checked(h, &cfg, HEALTH_ILL), HEALTH_SAME);
    assert_int_equal(health_checked(h, &cfg, HEALTH_WELL), HEALTH_SAME);
    assert_int_equal(health_checked(h, &cfg, HEALTH_ILL), HEALTH_SAME);
    health_connected(h); /* says nothing of the health endpoint */
    assert_int_equal(health_checked(h, &cfg, HEALTH_ILL), HEALTH_SAME);
    assert_int_equal(health_checked(h, &cfg, HEALTH_ILL), HEALTH_FELL);
    assert_int_equal(health_checked(h, &cfg, HEALTH_WELL), HEALTH_SAME);
    assert_int_equal(health_checked(h, &cfg, HEALTH_ILL), HEALTH_SAME);
    assert_int_equal(health_checked(h, &cfg, HEALTH_WELL), HEALTH_SAME);
    assert_int_equal(health_checked(h, &cfg, HEALTH_WELL), HEALTH_ROSE);
    assert_int_equal(health_use(h, &cfg, now, 0), HEALTH_GOOD);
    for (int i = 0; i < 2; i++) { /* the counters begin anew */
        assert_int_equal(health_checked(h, &cfg, HEALTH_ILL), HEALTH_SAME);
    }
    assert_int_equal(health_checked(h, &cfg, HEALTH_ILL), HEALTH_FELL);
    health_put(h);
}

/* ---------------------------------------------------------------- outliers */

static enum health_change answer(struct health *h, const struct cfg_backend *cfg, int status,
                                 unsigned n, uint64_t now)
{
    enum health_change change = HEALTH_SAME;
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(change, HEALTH_SAME);
        change = health_answered(h, cfg, status, now);
    }
    return change;
}

static void so_many_5xx_in_a_row_eject(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.outlier = 3}, off = {0};
    struct health *h = fresh(&cfg);
    assert_int_equal(answer(h, &off, 500, 100, 10), HEALTH_SAME);
    assert_int_equal(answer(h, &cfg, 502, 2, 10), HEALTH_SAME);
    assert_int_equal(answer(h, &cfg, 103, 1, 10), HEALTH_SAME); /* no response yet */
    assert_int_equal(answer(h, &cfg, 404, 1, 10), HEALTH_SAME);
    assert_int_equal(answer(h, &cfg, 500, 2, 10), HEALTH_SAME);
    assert_int_equal(health_use(h, &cfg, 10, 0), HEALTH_GOOD);
    assert_int_equal(answer(h, &cfg, 599, 1, 10), HEALTH_OUTED);
    assert_int_equal(health_ejected_for(h, 10), 30000);
    assert_int_equal(health_use(h, &cfg, 30009, 0), HEALTH_EJECTED);
    assert_int_equal(health_use(h, &off, 30009, 0), HEALTH_GOOD);
    assert_int_equal(answer(h, &cfg, 500, 30, 20), HEALTH_SAME); /* those on their way */
    assert_int_equal(health_use(h, &cfg, 30010, 0), HEALTH_GOOD);
    health_put(h);
}

static void ejections_double_to_five_minutes_and_shrink_again(void **state)
{
    (void)state;
    static const unsigned seconds[] = {30, 60, 120, 240, 300, 300, 300};
    const struct cfg_backend cfg = {.outlier = 1};
    struct health *h = fresh(&cfg);
    uint64_t now = 1;
    for (size_t i = 0; i < COUNT(seconds); i++) {
        assert_int_equal(answer(h, &cfg, 500, 1, now), HEALTH_OUTED);
        assert_int_equal(health_ejected_for(h, now), seconds[i] * 1000);
        now += health_ejected_for(h, now);
    }
    now += 2 * 300000; /* well for ten minutes: two doublings less */
    assert_int_equal(answer(h, &cfg, 500, 1, now), HEALTH_OUTED);
    assert_int_equal(health_ejected_for(h, now), 120000);
    now += 120000 + 3600000;
    assert_int_equal(answer(h, &cfg, 500, 1, now), HEALTH_OUTED);
    assert_int_equal(health_ejected_for(h, now), 30000);
    health_put(h);
}

struct crowd {
    struct health *h[8];
};

static const struct health *of_crowd(const void *user, size_t i)
{
    return ((const struct crowd *)user)->h[i];
}

static size_t left_out(const struct crowd *c, size_t n, const struct cfg_backend *cfg,
                       struct health_group *g, uint64_t now)
{
    uint64_t let_in = health_let_in(g, n, of_crowd, c, now);
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        out += health_use(c->h[i], cfg, now, let_in) == HEALTH_EJECTED;
    }
    return out;
}

static void never_more_than_half_are_left_out_unless_all_fail(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.outlier = 1};
    for (size_t n = 1; n <= 8; n++) {
        struct crowd c;
        struct health_group g = {0};
        uint64_t now = 1000;
        for (size_t i = 0; i < n; i++) {
            c.h[i] = fresh(&cfg);
        }
        for (size_t i = 0; i < n; i++, now += 100) {
            size_t most = i < n / 2 ? i : n / 2;
            assert_int_equal(left_out(&c, n, &cfg, &g, now), most);
            assert_int_equal(answer(c.h[i], &cfg, 500, 1, now), HEALTH_OUTED);
        }
        assert_int_equal(left_out(&c, n, &cfg, &g, now), 0); /* all: none */
        now = 1000 + 30000;                                  /* the first one is back */
        assert_int_equal(left_out(&c, n, &cfg, &g, now), n > 1 ? n / 2 : 0);
        assert_int_equal(left_out(&c, n, &cfg, &g, now + 30000), 0);
        for (size_t i = 0; i < n; i++) {
            health_put(c.h[i]);
        }
    }
}

/* ---------------------------------------------------------------- claims, counts */

static void one_prober_has_an_address_until_its_time_is_over(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {0};
    struct health *h = fresh(&cfg);
    uint16_t one = health_prober(), two = health_prober();
    uint64_t other = 0;
    assert_true(one != 0 && two != 0 && one != two);
    assert_true(health_claim(h, one, 100, 200, &other));
    assert_true(health_claim(h, one, 150, 300, &other)); /* goes on */
    assert_false(health_claim(h, two, 160, 400, &other));
    assert_int_equal(other, 300);
    health_unclaim(h, two); /* is not its own */
    assert_false(health_claim(h, two, 299, 400, &other));
    assert_true(health_claim(h, two, 300, 400, &other)); /* the first one is dead */
    assert_false(health_claim(h, one, 310, 400, &other));
    health_unclaim(h, two);
    assert_true(health_claim(h, one, 311, 400, &other));
    health_put(h);
}

static void connections_are_counted_up_to_the_limit(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.max_conns = 2};
    struct health *one = health_get("counted", &cfg), *two = health_get("counted", &cfg);
    assert_ptr_equal(one, two);
    assert_true(health_take_conn(one, 2) && health_take_conn(two, 2));
    assert_false(health_take_conn(one, 2));
    assert_true(health_take_conn(one, 0) && health_conns(one) == 3); /* no limit */
    for (int i = 0; i < 3; i++) {
        health_give_conn(two);
    }
    assert_int_equal(health_conns(one), 0);
    health_put(one);
    health_put(two);
}

static void what_is_checked_otherwise_is_another_address(void **state)
{
    (void)state;
    char a[] = "/a", b[] = "/b", host[] = "x";
    const struct cfg_backend plain = {0}, with_a = {.health_path = a}, with_b = {.health_path = b},
                             with_host = {.health_path = a, .health_host = host};
    const struct cfg_backend *all[] = {&plain, &with_a, &with_b, &with_host};
    struct health *h[COUNT(all)];
    for (size_t i = 0; i < COUNT(all); i++) {
        h[i] = health_get("same", all[i]);
        for (size_t j = 0; j < i; j++) {
            assert_true(h[i] != h[j] && h[i]->slot != h[j]->slot);
        }
    }
    for (size_t i = 0; i < COUNT(all); i++) {
        health_put(h[i]);
    }
}

/* ---------------------------------------------------------------- the table in common */

static const struct cfg_backend cfg_1_1 = {.fall = 1, .rise = 1}, cfg_1_0 = {.fall = 1};

/* In a child that ends as it is told to. */
static void in_child(void (*f)(void), bool killed)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        f();
        if (killed) {
            raise(SIGKILL);
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, killed ? SIGKILL : 0);
}

static void take_offline(void)
{
    uint64_t now = 7;
    struct health *a = health_get("shared", &cfg_1_1), *b = health_get("for good", &cfg_1_0);
    uint64_t other;
    fail_connect(a, &cfg_1_1, &now);
    fail_connect(b, &cfg_1_0, &now);
    health_claim(a, health_prober(), 100, 500, &other);
    for (int i = 0; i < 5; i++) {
        health_take_conn(a, 0);
    }
}

static void processes_share_and_one_that_is_killed_leaves_no_count(void **state)
{
    (void)state;
    uint64_t other;
    in_child(take_offline, true);
    struct health *a = health_get("shared", &cfg_1_1), *b = health_get("for good", &cfg_1_0);
    assert_true(health_is_offline(a, &cfg_1_1) && health_is_offline(b, &cfg_1_0));
    assert_int_equal(health_conns(a), 0);
    assert_false(health_claim(a, health_prober(), 499, 600, &other));
    assert_true(health_claim(a, health_prober(), 500, 600, &other));
    health_put(a);
    health_put(b);
    /* After a reload: what can rise is offline on, what is so for good has another chance. */
    health_new_generation();
    a = health_get("shared", &cfg_1_1);
    b = health_get("for good", &cfg_1_0);
    assert_true(health_is_offline(a, &cfg_1_1));
    assert_false(health_is_offline(b, &cfg_1_0));
    assert_int_equal(health_probed(a, &cfg_1_1, true), HEALTH_ROSE);
    health_put(a);
    health_put(b);
}

static void a_full_table_gives_slots_of_their_own(void **state)
{
    (void)state;
    enum { MANY = 40000 };
    const struct cfg_backend cfg = {.fall = 1, .rise = 1};
    struct health **h = calloc(MANY, sizeof(struct health *));
    size_t alone = 0;
    uint64_t now = 1;
    assert_non_null(h);
    for (size_t i = 0; i < MANY; i++) {
        h[i] = fresh(&cfg);
        alone += h[i]->slot == &h[i]->own;
        assert_false(health_is_offline(h[i], &cfg));
        fail_connect(h[i], &cfg, &now);
    }
    assert_true(alone > MANY - 16384 && alone < MANY);
    for (size_t i = 0; i < MANY; i++) {
        health_put(h[i]);
    }
    struct health *late = fresh(&cfg); /* a slot that nobody uses any more, and clean */
    assert_true(late->slot != &late->own);
    assert_false(health_is_offline(late, &cfg));
    health_put(late);
    free(h);
}

static const struct health *one_of(const void *user, size_t i)
{
    return ((struct health *const *)user)[i];
}

/* Half of them exactly: none has to be let in. */
static void one_of_two_may_be_left_out(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.outlier = 1};
    struct health *two[] = {fresh(&cfg), fresh(&cfg)};
    struct health_group g = {0};
    assert_int_equal(health_answered(two[0], &cfg, 503, 1000), HEALTH_OUTED);
    assert_int_equal(health_let_in(&g, 2, one_of, two, 1001), 0);
    health_put(two[0]);
    health_put(two[1]);
}

static void who_comes_back_is_counted_anew(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.outlier = 3};
    struct health *h = fresh(&cfg);
    uint64_t now = 1000;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(health_answered(h, &cfg, 503, now), HEALTH_SAME);
        assert_int_equal(health_answered(h, &cfg, 503, now), HEALTH_SAME);
        assert_int_equal(health_answered(h, &cfg, 503, now), HEALTH_OUTED);
        now += health_ejected_for(h, now);
    }
    health_put(h);
}

/* ---------------------------------------------------------------- silence */

static void what_was_found_last_says_whether_it_is_silent(void **state)
{
    (void)state;
    static const struct {
        enum health_finding found[4];
        size_t n;
        bool offline, silent; /* with fall=2, rise=2 */
    } cases[] = {
        {{HEALTH_SILENT}, 1, false, false},
        {{HEALTH_SILENT, HEALTH_SILENT}, 2, true, true},
        {{HEALTH_ILL, HEALTH_SILENT}, 2, true, true},
        {{HEALTH_SILENT, HEALTH_ILL}, 2, true, false},
        {{HEALTH_ILL, HEALTH_ILL, HEALTH_SILENT}, 3, true, true},
        {{HEALTH_SILENT, HEALTH_SILENT, HEALTH_ILL}, 3, true, false},
        {{HEALTH_SILENT, HEALTH_SILENT, HEALTH_WELL}, 3, true, false},
        {{HEALTH_SILENT, HEALTH_SILENT, HEALTH_WELL, HEALTH_WELL}, 4, false, false},
        {{HEALTH_SILENT, HEALTH_WELL, HEALTH_SILENT}, 3, false, false},
    };
    const struct cfg_backend cfg = {.fall = 2, .rise = 2}, other = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct health *h = fresh(&cfg);
        unsigned fell = 0, rose = 0;
        for (size_t j = 0; j < cases[i].n; j++) {
            enum health_change change = health_checked(h, &cfg, cases[i].found[j]);
            fell += change == HEALTH_FELL;
            rose += change == HEALTH_ROSE;
        }
        assert_int_equal(health_is_offline(h, &cfg), cases[i].offline);
        assert_int_equal(health_is_silent(h, &cfg), cases[i].silent);
        assert_false(health_is_silent(h, &other)); /* a line without `fall` */
        assert_int_equal(fell - rose, cases[i].offline);
        assert_true(fell <= 1);
        health_put(h);
    }
}

static void connects_that_time_out_are_silence_and_refused_ones_are_not(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.fall = 1, .rise = 2};
    for (int silent = 0; silent < 2; silent++) {
        struct health *h = fresh(&cfg);
        unsigned n;
        assert_int_equal(health_connect_failed(h, &cfg, 1, calm, silent, &n), HEALTH_FELL);
        assert_int_equal(health_is_silent(h, &cfg), silent);
        assert_int_equal(health_probed(h, &cfg, false), HEALTH_SAME);
        assert_int_equal(health_is_silent(h, &cfg), silent);
        assert_int_equal(health_probed(h, &cfg, true), HEALTH_SAME);
        assert_true(health_is_offline(h, &cfg));
        assert_false(health_is_silent(h, &cfg));
        health_put(h);
    }
}

/* ---------------------------------------------------------------- who is told of an end */

static void the_end_of_a_back_off_is_told_once(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.fall = 3};
    struct health *h = fresh(&cfg);
    uint64_t now = 1;
    assert_int_equal(health_connected(h), 0);
    fail_connect(h, &cfg, &now);
    fail_connect(h, &cfg, &now);
    assert_int_equal(health_connected(h), 2);
    assert_int_equal(health_connected(h), 0);
    for (int i = 0; i < 3; i++) {
        fail_connect(h, &cfg, &now);
    }
    assert_int_equal(health_connected(h), 0); /* offline: the probes say when it is back */
    assert_true(health_is_offline(h, &cfg));
    health_put(h);
}

static void the_end_of_an_ejection_is_told_once(void **state)
{
    (void)state;
    const struct cfg_backend cfg = {.outlier = 1};
    struct health *h = fresh(&cfg);
    assert_false(health_returned(h, 1000));
    for (uint64_t now = 1000; now < 400000; now += 200000) {
        assert_int_equal(health_answered(h, &cfg, 503, now), HEALTH_OUTED);
        uint64_t end = now + health_ejected_for(h, now);
        assert_false(health_returned(h, end - 1));
        assert_true(health_returned(h, end));
        assert_false(health_returned(h, end));
    }
    health_put(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_two_may_be_left_out),
        cmocka_unit_test(who_comes_back_is_counted_anew),
        cmocka_unit_test(what_was_found_last_says_whether_it_is_silent),
        cmocka_unit_test(connects_that_time_out_are_silence_and_refused_ones_are_not),
        cmocka_unit_test(the_end_of_a_back_off_is_told_once),
        cmocka_unit_test(the_end_of_an_ejection_is_told_once),
        cmocka_unit_test(a_failed_connect_blocks_for_1_6_to_the_n_seconds),
        cmocka_unit_test(the_back_off_varies_and_has_a_longest),
        cmocka_unit_test(connects_that_fail_together_are_one_failure),
        cmocka_unit_test(lines_that_say_the_same_count_together),
        cmocka_unit_test(fall_connects_in_a_row_are_offline_and_rise_probes_online),
        cmocka_unit_test(without_fall_nothing_is_offline_and_without_rise_it_stays_so),
        cmocka_unit_test(probes_that_fail_come_later_and_later),
        cmocka_unit_test(checks_fall_and_rise_too),
        cmocka_unit_test(so_many_5xx_in_a_row_eject),
        cmocka_unit_test(ejections_double_to_five_minutes_and_shrink_again),
        cmocka_unit_test(never_more_than_half_are_left_out_unless_all_fail),
        cmocka_unit_test(one_prober_has_an_address_until_its_time_is_over),
        cmocka_unit_test(connections_are_counted_up_to_the_limit),
        cmocka_unit_test(what_is_checked_otherwise_is_another_address),
    };
    const struct CMUnitTest shared[] = {
        cmocka_unit_test(processes_share_and_one_that_is_killed_leaves_no_count),
        cmocka_unit_test(a_full_table_gives_slots_of_their_own),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    health_map();
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed + cmocka_run_group_tests(shared, NULL, NULL);
}
