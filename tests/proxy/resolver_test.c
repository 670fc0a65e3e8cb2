/*
 * Names that are watched, against a name server of the test's own: which addresses are told, when
 * they are looked up again, what becomes of them when servers fail. A second is the shortest life
 * of an answer, and so what most waits here last; that something is not asked is shown by something
 * else that is asked later.
 */
#include "resolver_testing.h"

#include "net/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---------------------------------------------------------------- addresses */

static void all_addresses_of_both_families_are_told_once_and_in_order(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){0});
    dns_say(server, "a.test", "A", "A 60 192.0.2.9,A 60 192.0.2.1,A 60 192.0.2.9,A 60 10.0.0.1");
    dns_say(server, "a.test", "AAAA", "AAAA 60 2001:db8::2,AAAA 60 2001:db8::1");
    watch(&u, "a.test");
    assert_int_equal(touch(&u), RESOLVER_PENDING);
    until(u.calls > 0);
    expect(&u, "10.0.0.1 80, 192.0.2.1 80, 192.0.2.9 80, 2001:db8::1 80, 2001:db8::2 80");
    assert_int_equal(touch(&u), RESOLVER_READY);
    drop(&u);
    end();
}

static void a_family_may_be_asked_for_alone(void **state)
{
    (void)state;
    struct user four, six;
    begin((struct resolver_options){0});
    dns_say(server, "a.test", "A", "A 60 192.0.2.1");
    dns_say(server, "a.test", "AAAA", "AAAA 60 2001:db8::1");
    four = six = (struct user){0};
    watch_as(&four, "a.test", 1, RESOLVER_ADDRESS, AF_INET);
    until(four.calls == 1);
    assert_int_equal(dns_asked(server, "a.test", "AAAA"), 0);
    watch_as(&six, "a.test", 2, RESOLVER_ADDRESS, AF_INET6);
    until(six.calls == 1);
    expect(&four, "192.0.2.1 1");
    expect(&six, "2001:db8::1 2");
    assert_int_equal(dns_asked(server, "a.test", "A"), 1);
    drop(&four), drop(&six);
    end();
}

static void watches_of_a_name_share_its_lookups(void **state)
{
    (void)state;
    struct user a, b, c;
    begin((struct resolver_options){0});
    dns_say(server, "a.test", "A", "A 60 192.0.2.1");
    a = b = c = (struct user){0};
    watch_as(&a, "a.test", 80, RESOLVER_ADDRESS, AF_UNSPEC);
    watch_as(&b, "A.Test", 443, RESOLVER_ADDRESS, AF_UNSPEC);
    until(a.calls == 1 && b.calls == 1);
    watch_as(&c, "a.test", 8080, RESOLVER_ADDRESS, AF_UNSPEC); /* told what is known */
    until(c.calls == 1);
    expect(&a, "192.0.2.1 80");
    expect(&b, "192.0.2.1 443");
    expect(&c, "192.0.2.1 8080");
    assert_int_equal(dns_asked(server, "a.test", "A"), 1);
    assert_int_equal(dns_asked(server, "a.test", "AAAA"), 1);
    drop(&b), drop(&a), drop(&c);
    end();
}

static void a_numeric_address_is_its_own_answer(void **state)
{
    (void)state;
    struct user four, six, other;
    begin((struct resolver_options){0});
    watch(&four, "192.0.2.7");
    watch(&six, "2001:DB8::7");
    other = (struct user){0};
    watch_as(&other, "192.0.2.7", 80, RESOLVER_ADDRESS, AF_INET6);
    until(four.calls == 1 && six.calls == 1 && other.calls == 1);
    expect(&four, "192.0.2.7 80");
    expect(&six, "2001:db8::7 80");
    assert_int_equal(other.status, RESOLVER_NOT_FOUND);
    assert_int_equal(dns_asked(server, "192.0.2.7", NULL), 0);
    assert_int_equal(touch(&four), RESOLVER_READY);
    assert_int_equal(touch(&other), RESOLVER_NONE);
    drop(&four), drop(&six), drop(&other);
    end();
}

static void aliases_are_followed(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){0});
    dns_say(server, "a.test", "A", "CNAME 60 b.test,CNAME 1 c.test,A 60 192.0.2.1,A 60 192.0.2.2");
    dns_say(server, "a.test", "AAAA", "CNAME 60 b.test,CNAME 1 c.test");
    watch(&u, "a.test");
    until(u.calls == 1);
    expect(&u, "192.0.2.1 80, 192.0.2.2 80");
    /* The alias' TTL is the least of all: it is what the answer lives. */
    until(touch(&u) == RESOLVER_READY && dns_asked(server, "a.test", "A") == 2);
    drop(&u);
    end();
}

static void addresses_that_cannot_be_a_server_are_left_out(void **state)
{
    (void)state;
    struct user some, none;
    begin((struct resolver_options){0});
    dns_say(server, "some.test", "A",
            "A 60 0.0.0.0,A 60 224.0.0.1,A 60 192.0.2.1,A 60 255.255.255.255");
    dns_say(server, "some.test", "AAAA", "AAAA 60 ::,AAAA 60 ff02::1,AAAA 60 2001:db8::1");
    dns_say(server, "none.test", "A", "A 60 0.0.0.0");
    watch(&some, "some.test");
    watch(&none, "none.test");
    until(some.calls == 1 && none.calls == 1);
    expect(&some, "192.0.2.1 80, 2001:db8::1 80");
    assert_int_equal(none.status, RESOLVER_NOT_FOUND);
    drop(&some), drop(&none);
    end();
}

static void what_does_not_fit_is_asked_for_by_tcp(void **state)
{
    (void)state;
    struct user u;
    char text[8192] = "TRUNCATED A 60 192.0.2.0";
    begin((struct resolver_options){0});
    for (unsigned i = 1; i < 200; i++) {
        sprintf(text + strlen(text), ",A 60 192.0.2.%u", i);
    }
    dns_say(server, "a.test", "A", text);
    watch(&u, "a.test");
    until(u.calls == 1);
    assert_non_null(strstr(u.text, "192.0.2.0 80, 192.0.2.1 80, "));
    assert_non_null(strstr(u.text, "192.0.2.199 80"));
    assert_int_equal(dns_asked_by_tcp(server), 1);
    drop(&u);
    end();
}

static void more_addresses_than_the_limit_are_not_told(void **state)
{
    (void)state;
    struct user u;
    static char text[32768] = "TRUNCATED A 60 10.0.0.0";
    begin((struct resolver_options){0});
    for (unsigned i = 1; i < 1000; i++) {
        sprintf(text + strlen(text), ",A 60 10.0.%u.%u", i / 256, i % 256);
    }
    dns_say(server, "a.test", "A", text);
    watch(&u, "a.test");
    until(u.calls == 1);
    assert_int_equal(u.status, RESOLVER_FOUND);
    unsigned commas = 0;
    for (const char *p = u.text; *p != '\0'; p++) {
        commas += *p == ',';
    }
    assert_int_equal(commas + 1, RESOLVER_MAX_ADDRESSES);
    drop(&u);
    end();
}

/* ---------------------------------------------------------------- time */

static void a_change_is_told_when_the_answer_has_lived(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){0});
    dns_say(server, "a.test", "A", "A 1 192.0.2.1,A 1 192.0.2.2");
    watch(&u, "a.test");
    until(u.calls == 1);
    dns_say(server, "a.test", "A", "A 1 192.0.2.2,A 1 192.0.2.1"); /* no change */
    until(dns_asked(server, "a.test", "A") == 2);
    dns_say(server, "a.test", "A", "A 1 192.0.2.3");
    until(u.calls == 2);
    expect(&u, "192.0.2.3 80");
    drop(&u);
    end();
}

static void an_answer_lives_a_second_at_least_and_the_cache_timeout_at_most(void **state)
{
    (void)state;
    struct user zero, huge, sane;
    begin((struct resolver_options){.cache_timeout = 2000});
    dns_say(server, "zero.test", "A", "A 0 192.0.2.1");
    dns_say(server, "huge.test", "A", "A 4294967295 192.0.2.1"); /* RFC 2181, 8: 0 */
    dns_say(server, "sane.test", "A", "A 3600 192.0.2.1");
    uint64_t start = clock_ms();
    watch(&zero, "zero.test");
    watch(&huge, "huge.test");
    watch(&sane, "sane.test");
    until(dns_asked(server, "zero.test", "A") == 2 && dns_asked(server, "huge.test", "A") == 2);
    assert_true(clock_ms() - start >= 990);
    assert_int_equal(dns_asked(server, "sane.test", "A"), 1);
    until(dns_asked(server, "sane.test", "A") == 2);
    assert_true(clock_ms() - start >= 1990);
    drop(&zero), drop(&huge), drop(&sane);
    end();
}

static void an_unused_name_sleeps_until_it_is_touched(void **state)
{
    (void)state;
    struct user used, unused;
    begin((struct resolver_options){.in_use = 500});
    dns_say(server, "used.test", "A", "A 1 192.0.2.1");
    dns_say(server, "unused.test", "A", "A 1 192.0.2.2");
    watch(&unused, "unused.test");
    until(unused.calls == 1);
    watch(&used, "used.test");
    until(used.calls == 1);
    until(touch(&used) == RESOLVER_READY && dns_asked(server, "used.test", "A") == 3);
    assert_int_equal(dns_asked(server, "unused.test", "A"), 1);
    assert_int_equal(unused.calls, 1);

    /* Whoever waits for it is told, though nothing has changed. */
    assert_int_equal(touch(&unused), RESOLVER_PENDING);
    assert_int_equal(touch(&unused), RESOLVER_PENDING);
    until(unused.calls == 2);
    expect(&unused, "192.0.2.2 80");
    assert_int_equal(touch(&unused), RESOLVER_READY);
    assert_int_equal(dns_asked(server, "unused.test", "A"), 2);
    drop(&used), drop(&unused);
    end();
}

static void negative_answers_live_too(void **state)
{
    (void)state;
    struct user no_name, no_data, fence;
    begin((struct resolver_options){.cache_timeout = 2000});
    dns_say(server, "data.test", "SRV", "SRV 60 1 1 1 x.test");
    dns_say(server, "fence.test", "A", "A 1 192.0.2.1");
    watch(&no_name, "name.test");
    watch(&no_data, "data.test");
    watch(&fence, "fence.test");
    until(no_name.calls == 1 && no_data.calls == 1);
    assert_int_equal(no_name.status, RESOLVER_NOT_FOUND);
    assert_int_equal(no_data.status, RESOLVER_NOT_FOUND);
    assert_int_equal(touch(&no_name), RESOLVER_NONE);
    assert_int_equal(logged("name.test"), 0); /* that is for who watches it to say */
    dns_say(server, "name.test", "AAAA", "AAAA 60 2001:db8::1");
    until(dns_asked(server, "fence.test", "A") == 2);
    assert_int_equal(dns_asked(server, "name.test", "A"), 1);
    until(no_name.calls == 2);
    expect(&no_name, "2001:db8::1 80");
    assert_int_equal(no_data.calls, 1);
    drop(&no_name), drop(&no_data), drop(&fence);
    end();
}

static void a_name_that_is_gone_takes_its_addresses_along(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){.cache_timeout = 1000});
    dns_say(server, "a.test", "A", "A 1 192.0.2.1");
    watch(&u, "a.test");
    until(u.calls == 1);
    dns_say(server, "a.test", "A", "NXDOMAIN");
    until(u.calls == 2);
    assert_int_equal(u.status, RESOLVER_NOT_FOUND);
    assert_int_equal(touch(&u), RESOLVER_NONE);
    dns_say(server, "a.test", "A", "A 1 192.0.2.1");
    until(u.calls == 3);
    expect(&u, "192.0.2.1 80");
    drop(&u);
    end();
}

/* ---------------------------------------------------------------- servers that fail */

static void old_answers_are_kept_while_no_server_answers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *failure;
    } cases[] = {{"a.test", "SILENCE"},
                 {"b.test", "SERVFAIL"},
                 {"c.test", "REFUSED"},
                 {"d.test", "GARBAGE"}};
    static struct user users[COUNT(cases)], late[COUNT(cases)];
    unsigned asked[COUNT(cases)];
    begin((struct resolver_options){.lookup_timeout = 100});
    for (size_t i = 0; i < COUNT(cases); i++) {
        dns_say(server, cases[i].name, "A", "A 1 192.0.2.1");
        dns_say(server, cases[i].name, "AAAA", "AAAA 1 2001:db8::1");
        watch(&users[i], cases[i].name);
    }
    for (size_t i = 0; i < COUNT(cases); i++) {
        until(users[i].calls == 1);
        dns_say(server, cases[i].name, "A", cases[i].failure);
        dns_say(server, cases[i].name, "AAAA", cases[i].failure);
    }
    until(logged("the addresses known so far are kept") == COUNT(cases));
    for (size_t i = 0; i < COUNT(cases); i++) {
        asked[i] = dns_asked(server, cases[i].name, "A");
    }
    for (size_t i = 0; i < COUNT(cases); i++) {
        until(dns_asked(server, cases[i].name, "A") > asked[i]);
        watch(&late[i], cases[i].name);
        until(late[i].calls == 1);
        expect(&late[i], "192.0.2.1 80, 2001:db8::1 80");
        assert_int_equal(touch(&users[i]), RESOLVER_READY);
        assert_int_equal(users[i].calls, 1);
        assert_int_equal(logged(cases[i].name), 1); /* once, not with every attempt */
        dns_say(server, cases[i].name, "A", "A 1 192.0.2.9");
        dns_say(server, cases[i].name, "AAAA", "NODATA");
    }
    for (size_t i = 0; i < COUNT(cases); i++) {
        until(users[i].calls == 2);
        expect(&users[i], "192.0.2.9 80");
        assert_int_equal(logged(cases[i].name), 2); /* answered again */
        drop(&users[i]), drop(&late[i]);
    }
    assert_int_equal(logged("answered again"), COUNT(cases));
    end();
}

static void a_name_never_answered_is_away_and_tried_again_ever_later(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){.lookup_timeout = 100, .max_try = 1});
    dns_say(server, "a.test", "A", "SILENCE");
    dns_say(server, "a.test", "AAAA", "SILENCE");
    watch(&u, "a.test");
    until(u.calls == 1);
    assert_int_equal(u.status, RESOLVER_AWAY);
    assert_int_equal(touch(&u), RESOLVER_NONE);
    uint64_t start = clock_ms();
    until(dns_asked(server, "a.test", "A") == 2);
    assert_true(clock_ms() - start >= 950); /* the coarse clock's tick is 4 ms */
    until(dns_asked(server, "a.test", "A") == 3);
    assert_true(clock_ms() - start >= 2900);
    assert_int_equal(u.calls, 1);
    dns_say(server, "a.test", "A", "A 60 192.0.2.1");
    until(u.calls == 2);
    expect(&u, "192.0.2.1 80");
    assert_int_equal(logged("no address is known"), 1);
    drop(&u);
    end();
}

static void one_family_does_not_wait_long_for_the_other(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){.lookup_timeout = 9000});
    dns_say(server, "a.test", "A", "HELD A 1 192.0.2.1");
    dns_say(server, "a.test", "AAAA", "AAAA 1 2001:db8::1");
    watch(&u, "a.test");
    until(u.calls == 1);
    expect(&u, "2001:db8::1 80");
    assert_int_equal(touch(&u), RESOLVER_READY);
    dns_release(server);
    until(u.calls == 2);
    expect(&u, "192.0.2.1 80, 2001:db8::1 80");
    drop(&u);
    end();
}

static void a_family_that_fails_keeps_what_it_had(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){.lookup_timeout = 100});
    dns_say(server, "a.test", "A", "A 1 192.0.2.1");
    dns_say(server, "a.test", "AAAA", "AAAA 1 2001:db8::1");
    watch(&u, "a.test");
    until(u.calls == 1);
    dns_say(server, "a.test", "AAAA", "SILENCE");
    dns_say(server, "a.test", "A", "A 1 192.0.2.2");
    until(u.calls == 2);
    expect(&u, "192.0.2.2 80, 2001:db8::1 80");
    dns_say(server, "a.test", "A", "NXDOMAIN"); /* there are no records of any type */
    until(u.calls == 3);
    assert_int_equal(u.status, RESOLVER_NOT_FOUND);
    drop(&u);
    end();
}

static void the_next_server_is_asked_when_the_first_is_not_there(void **state)
{
    (void)state;
    struct user u;
    begin_with((struct resolver_options){.lookup_timeout = 100}, "nameserver 127.0.0.1:1\n",
               "search\n");
    dns_say(server, "a.test", "A", "A 60 192.0.2.1");
    watch(&u, "a.test");
    until(u.calls == 1);
    expect(&u, "192.0.2.1 80");
    drop(&u);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_addresses_of_both_families_are_told_once_and_in_order),
        cmocka_unit_test(a_family_may_be_asked_for_alone),
        cmocka_unit_test(watches_of_a_name_share_its_lookups),
        cmocka_unit_test(a_numeric_address_is_its_own_answer),
        cmocka_unit_test(aliases_are_followed),
        cmocka_unit_test(addresses_that_cannot_be_a_server_are_left_out),
        cmocka_unit_test(what_does_not_fit_is_asked_for_by_tcp),
        cmocka_unit_test(more_addresses_than_the_limit_are_not_told),
        cmocka_unit_test(a_change_is_told_when_the_answer_has_lived),
        cmocka_unit_test(an_answer_lives_a_second_at_least_and_the_cache_timeout_at_most),
        cmocka_unit_test(an_unused_name_sleeps_until_it_is_touched),
        cmocka_unit_test(negative_answers_live_too),
        cmocka_unit_test(a_name_that_is_gone_takes_its_addresses_along),
        cmocka_unit_test(old_answers_are_kept_while_no_server_answers),
        cmocka_unit_test(a_name_never_answered_is_away_and_tried_again_ever_later),
        cmocka_unit_test(one_family_does_not_wait_long_for_the_other),
        cmocka_unit_test(a_family_that_fails_keeps_what_it_had),
        cmocka_unit_test(the_next_server_is_asked_when_the_first_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
