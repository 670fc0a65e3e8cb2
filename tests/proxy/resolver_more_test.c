/* Services (SRV), the files of the system, and what callers may do at which moment. */
#include "resolver_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---------------------------------------------------------------- SRV */

static void services_have_priorities_weights_and_ports(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){0});
    dns_say(server, "_http._tcp.test", "SRV",
            "SRV 60 20 1 8080 c.test,SRV 60 10 5 8081 B.test,SRV 60 10 7 8082 a.test");
    dns_say(server, "a.test", "A", "A 60 192.0.2.1,A 60 192.0.2.2");
    dns_say(server, "b.test", "AAAA", "AAAA 60 2001:db8::1");
    dns_say(server, "c.test", "A", "CNAME 60 d.test,A 60 192.0.2.1");
    watch_srv(&u, "_http._tcp.test");
    until(u.calls == 1);
    expect(&u,
           "192.0.2.1 8082 10/7, 192.0.2.2 8082 10/7, 2001:db8::1 8081 10/5, 192.0.2.1 8080 20/1");
    assert_int_equal(touch(&u), RESOLVER_READY);
    drop(&u);
    end();
}

static void a_place_that_comes_twice_has_its_best_priority(void **state)
{
    (void)state;
    struct user u;
    begin((struct resolver_options){0});
    dns_say(server, "s.test", "SRV",
            "SRV 60 20 9 80 a.test,SRV 60 10 1 80 b.test,SRV 60 10 3 80 a.test");
    dns_say(server, "a.test", "A", "A 60 192.0.2.1");
    dns_say(server, "b.test", "A", "A 60 192.0.2.1");
    watch_srv(&u, "s.test");
    until(u.calls == 1);
    expect(&u, "192.0.2.1 80 10/3");
    drop(&u);
    end();
}

static void targets_come_go_and_change(void **state)
{
    (void)state;
    struct user u, a;
    begin((struct resolver_options){.cache_timeout = 1000, .lookup_timeout = 100});
    dns_say(server, "s.test", "SRV", "SRV 1 0 1 80 a.test,SRV 1 0 1 80 gone.test");
    dns_say(server, "a.test", "A", "A 1 192.0.2.1");
    dns_say(server, "b.test", "A", "A 1 192.0.2.2");
    watch_srv(&u, "s.test");
    watch(&a, "a.test."); /* shares the target's lookups */
    until(u.calls == 1);
    expect(&u, "192.0.2.1 80 0/1");

    dns_say(server, "s.test", "SRV", "SRV 1 0 1 80 a.test,SRV 1 0 2 81 b.test");
    until(u.calls == 2);
    expect(&u, "192.0.2.1 80 0/1, 192.0.2.2 81 0/2");

    dns_say(server, "a.test", "A", "A 1 192.0.2.3");
    until(u.calls == 3);
    expect(&u, "192.0.2.2 81 0/2, 192.0.2.3 80 0/1");
    expect(&a, "192.0.2.3 80");

    dns_say(server, "s.test", "SRV", "SRV 1 0 9 80 a.test");
    until(u.calls == 4);
    expect(&u, "192.0.2.3 80 0/9");

    /* What a server that is away had said stays: the services and their addresses. */
    dns_say(server, "s.test", "SRV", "SILENCE");
    dns_say(server, "a.test", "A", "SILENCE");
    until(logged("are kept") == 2);
    assert_int_equal(touch(&u), RESOLVER_READY);
    assert_int_equal(u.calls, 4);

    dns_say(server, "s.test", "SRV", "SRV 1 0 0 0 ."); /* RFC 2782: decidedly not available */
    until(u.calls == 5);
    assert_int_equal(u.status, RESOLVER_NOT_FOUND);
    drop(&u), drop(&a);
    end();
}

static void services_without_addresses_fail_as_their_targets_do(void **state)
{
    (void)state;
    struct user none, no_target, away;
    begin((struct resolver_options){.lookup_timeout = 100});
    dns_say(server, "t.test", "SRV", "SRV 60 0 1 80 nx.test");
    dns_say(server, "w.test", "SRV", "SRV 60 0 1 80 silent.test,SRV 60 0 1 80 nx.test");
    dns_say(server, "silent.test", "A", "SILENCE");
    dns_say(server, "silent.test", "AAAA", "SILENCE");
    watch_srv(&none, "none.test");
    watch_srv(&no_target, "t.test");
    watch_srv(&away, "w.test");
    until(none.calls == 1 && no_target.calls == 1 && away.calls == 1);
    assert_int_equal(none.status, RESOLVER_NOT_FOUND);
    assert_int_equal(no_target.status, RESOLVER_NOT_FOUND);
    assert_int_equal(away.status, RESOLVER_AWAY);
    dns_say(server, "silent.test", "A", "A 60 192.0.2.1");
    until(away.calls == 2);
    expect(&away, "192.0.2.1 80 0/1");
    drop(&none), drop(&no_target), drop(&away);
    end();
}

static void a_service_sleeps_and_wakes_with_its_targets(void **state)
{
    (void)state;
    struct user u, fence;
    begin((struct resolver_options){.in_use = 500});
    dns_say(server, "s.test", "SRV", "SRV 1 0 1 80 a.test");
    dns_say(server, "a.test", "A", "A 1 192.0.2.1");
    dns_say(server, "fence.test", "A", "A 1 192.0.2.1");
    watch_srv(&u, "s.test");
    watch(&fence, "fence.test");
    until(u.calls == 1 && fence.calls == 1);
    until(touch(&fence) == RESOLVER_READY && dns_asked(server, "fence.test", "A") == 4);
    unsigned services = dns_asked(server, "s.test", "SRV"),
             hosts = dns_asked(server, "a.test", "A");
    assert_int_equal(services, 1);
    assert_int_equal(hosts, 1);
    dns_say(server, "a.test", "A", "A 1 192.0.2.2");
    assert_int_equal(touch(&u), RESOLVER_PENDING);
    until(u.calls == 2);
    expect(&u, "192.0.2.2 80 0/1");
    /* As long as the service is used, its targets are. */
    until(touch(&u) != RESOLVER_NONE && dns_asked(server, "a.test", "A") == 4);
    assert_int_equal(u.calls, 2);
    drop(&u), drop(&fence);
    end();
}

/* ---------------------------------------------------------------- files */

static void the_hosts_file_comes_first(void **state)
{
    (void)state;
    struct user a, b, local, sub;
    write_file(path_of("hosts"), "192.0.2.1 x a.test # b.test\n2001:db8::1\tA.TEST\n");
    begin((struct resolver_options){.hosts = path_of("hosts"), .cache_timeout = 1000});
    dns_say(server, "a.test", "A", "A 60 10.0.0.1");
    dns_say(server, "b.test", "A", "A 60 10.0.0.2");
    watch(&a, "a.test");
    watch(&b, "b.test");
    watch(&local, "localhost");
    watch(&sub, "x.LOCALHOST.");
    until(a.calls == 1 && b.calls == 1 && local.calls == 1 && sub.calls == 1);
    expect(&a, "192.0.2.1 80, 2001:db8::1 80");
    expect(&b, "10.0.0.2 80");
    expect(&local, "127.0.0.1 80, ::1 80");
    expect(&sub, "127.0.0.1 80, ::1 80");
    assert_int_equal(dns_asked(server, "a.test", NULL), 0);
    assert_int_equal(dns_asked(server, "localhost", NULL), 0);
    assert_int_equal(dns_asked(server, "x.localhost", NULL), 0);

    write_file(path_of("hosts"), "192.0.2.3 b.test localhost\n");
    until(a.calls == 2 && b.calls == 2 && local.calls == 2);
    expect(&a, "10.0.0.1 80");
    expect(&b, "192.0.2.3 80");
    expect(&local, "192.0.2.3 80");
    drop(&a), drop(&b), drop(&local), drop(&sub);
    end();
}

static void the_search_list_completes_names(void **state)
{
    (void)state;
    struct user s, dotted, absolute, nowhere, halted;
    begin_with((struct resolver_options){.lookup_timeout = 100}, "",
               "search one.test two.test\noptions ndots:2\n");
    dns_say(server, "short.two.test", "A", "A 60 192.0.2.1");
    dns_say(server, "x.y", "A", "A 60 192.0.2.2");
    dns_say(server, "x.y.one.test", "AAAA", "AAAA 60 2001:db8::2");
    dns_say(server, "h.one.test", "A", "SERVFAIL");
    dns_say(server, "h.two.test", "A", "A 60 192.0.2.3");
    watch(&s, "short");
    watch(&dotted, "x.y");
    watch(&absolute, "x.y.");
    watch(&nowhere, "a.b.c");
    watch(&halted, "h");
    until(s.calls == 1 && dotted.calls == 1 && absolute.calls == 1 && nowhere.calls == 1 &&
          halted.calls == 1);
    expect(&s, "192.0.2.1 80");
    expect(&dotted, "2001:db8::2 80"); /* not a mixture of two names */
    expect(&absolute, "192.0.2.2 80");
    assert_int_equal(nowhere.status, RESOLVER_NOT_FOUND);
    assert_int_equal(dns_asked(server, "a.b.c", "A"), 1);
    assert_int_equal(dns_asked(server, "a.b.c.one.test", "A"), 1);
    assert_int_equal(dns_asked(server, "a.b.c.two.test", "A"), 1);
    assert_int_equal(halted.status, RESOLVER_AWAY); /* who knows whether it is the first */
    drop(&s), drop(&dotted), drop(&absolute), drop(&nowhere), drop(&halted);
    end();
}

static void a_candidate_that_is_gone_is_not_kept(void **state)
{
    (void)state;
    struct user host, service;
    begin_with((struct resolver_options){.lookup_timeout = 100}, "", "search one.test\n");
    dns_say(server, "short.one.test", "A", "A 1 192.0.2.1");
    dns_say(server, "short", "A", "SERVFAIL");
    dns_say(server, "short", "AAAA", "SERVFAIL");
    dns_say(server, "svc.one.test", "SRV", "SRV 1 0 0 80 short.one.test");
    dns_say(server, "svc", "SRV", "SERVFAIL");
    watch(&host, "short");
    watch_srv(&service, "svc");
    until(host.calls == 1 && service.calls == 1);
    expect(&host, "192.0.2.1 80");
    expect(&service, "192.0.2.1 80");
    dns_say(server, "short.one.test", "A", "NXDOMAIN");
    dns_say(server, "svc.one.test", "SRV", "NXDOMAIN");
    until(host.status == RESOLVER_AWAY && service.status != RESOLVER_FOUND);
    drop(&host), drop(&service);
    end();
}

static void a_resolv_conf_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {NULL, "No such file"},
        {"", "no name server is named"},
        {"search x\n", "no name server is named"},
        {"nameserver 127.0.0.1\nnameserver\n", "resolv.conf:2: expected \"nameserver"},
        {"nameserver host.test\n", ":1: expected"},
    };
    loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    for (size_t i = 0; i < COUNT(cases); i++) {
        unlink(path_of("resolv.conf"));
        if (cases[i].text != NULL) {
            write_file(path_of("resolv.conf"), cases[i].text);
        }
        catch_log(true);
        struct resolver_options o = {.loop = loop, .resolv_conf = path_of("resolv.conf")};
        assert_null(resolver_new(&o));
        assert_int_equal(logged(cases[i].says), 1);
    }
    catch_log(false);
    ev_loop_destroy(loop);
}

static void the_systems_resolv_conf_will_do(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    struct resolver_options o = {.loop = loop};
    resolver = resolver_new(&o);
    assert_non_null(resolver);
    struct user u;
    watch(&u, "localhost");
    until(u.calls == 1);
    assert_int_equal(u.status, RESOLVER_FOUND);
    drop(&u);
    resolver_free(resolver);
    ev_loop_destroy(loop);
}

/* ---------------------------------------------------------------- safety */

static void watches_may_be_dropped_and_made_in_callbacks(void **state)
{
    (void)state;
    struct user self, killer, victim, maker, made;
    begin((struct resolver_options){0});
    dns_say(server, "a.test", "A", "A 60 192.0.2.1");
    dns_say(server, "b.test", "A", "A 60 192.0.2.2");
    watch(&self, "b.test");
    self.drop = &self; /* the only one of its name */
    watch(&killer, "a.test");
    watch(&victim, "a.test");
    watch(&maker, "a.test");
    made = (struct user){0};
    killer.drop = &victim;
    maker.watch_name = "b.test";
    maker.other = &made;
    until(self.calls == 1 && killer.calls == 1 && made.calls == 1);
    assert_null(self.watch);
    assert_int_equal(victim.calls, 0);
    expect(&made, "192.0.2.2 80");
    drop(&killer), drop(&maker), drop(&made);
    end();
}

static void a_name_may_be_dropped_while_it_is_asked_for(void **state)
{
    (void)state;
    struct user u, srv, again;
    begin((struct resolver_options){.lookup_timeout = 9000});
    dns_say(server, "a.test", "A", "HELD A 60 192.0.2.1");
    dns_say(server, "a.test", "AAAA", "HELD NODATA");
    dns_say(server, "s.test", "SRV", "SRV 60 0 1 80 a.test");
    watch(&u, "a.test");
    watch_srv(&srv, "s.test");
    until(dns_asked(server, "a.test", NULL) == 4); /* of the name and of the target */
    drop(&u), drop(&srv);
    watch(&again, "a.test");
    until(dns_asked(server, "a.test", NULL) == 6);
    dns_release(server);
    until(again.calls == 1);
    expect(&again, "192.0.2.1 80");
    assert_int_equal(u.calls + srv.calls, 0);
    drop(&again);

    watch(&again, "a.test"); /* and the whole resolver, while an answer is awaited */
    until(dns_asked(server, "a.test", NULL) == 8);
    drop(&again);
    end();
}

static void a_watch_dropped_at_once_is_never_told(void **state)
{
    (void)state;
    struct user a, b;
    begin((struct resolver_options){0});
    watch(&a, "192.0.2.1");
    drop(&a);
    watch(&b, "never.test");
    drop(&b);
    watch(&b, "192.0.2.2");
    until(b.calls == 1);
    assert_int_equal(a.calls, 0);
    assert_int_equal(dns_asked(server, "never.test", NULL), 0);
    drop(&b);
    end();
}

static void what_cannot_be_a_name_is_not_found(void **state)
{
    (void)state;
    static const char label[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const char *const names[] = {"a..b", "x.", ".", label};
    assert_int_equal(strlen(label), 64);
    char longest[1200];
    begin((struct resolver_options){0});
    for (size_t i = 0; i < COUNT(names); i++) {
        struct user u;
        watch(&u, names[i]);
        until(u.calls == 1);
        assert_int_equal(u.status, RESOLVER_NOT_FOUND);
        drop(&u);
    }
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 50; i < sizeof(longest); i += 50) {
        longest[i] = '.';
    }
    longest[sizeof(longest) - 1] = '\0';
    struct user u;
    watch(&u, longest);
    until(u.calls == 1);
    assert_int_equal(u.status, RESOLVER_NOT_FOUND);
    drop(&u);
    end();
}

static void damaged_answers_do_no_harm(void **state)
{
    (void)state;
    enum { N = 600 };
    static struct user users[N];
    struct user sound;
    unsigned found = 0;
    begin((struct resolver_options){.lookup_timeout = 50, .max_try = 2});
    dns_say(server, "sound.test", "A", "A 60 192.0.2.1");
    for (unsigned i = 0; i < N; i++) {
        char name[32];
        sprintf(name, "n%u.test", i);
        dns_say(server, name, "A", "MUTATED CNAME 60 other.test,A 60 192.0.2.1,A 60 192.0.2.2");
        dns_say(server, name, "AAAA", "MUTATED AAAA 60 2001:db8::1,A 60 192.0.2.3");
        dns_say(server, name, "SRV", "MUTATED SRV 60 1 2 3 a.test,CNAME 60 x,SRV 60 1 2 4 b.test");
        i % 3 == 0 ? watch_srv(&users[i], name) : watch(&users[i], name);
    }
    for (unsigned i = 0; i < N; i++) {
        until(users[i].calls > 0);
        found += users[i].status == RESOLVER_FOUND;
        drop(&users[i]);
    }
    assert_in_range(found, 1, N - 1);
    watch(&sound, "sound.test");
    until(sound.calls > 0 && sound.status == RESOLVER_FOUND);
    expect(&sound, "192.0.2.1 80");
    drop(&sound);
    end();
}

static void many_names_at_once(void **state)
{
    (void)state;
    enum { N = 300 };
    static struct user users[N];
    begin((struct resolver_options){.lookup_timeout = 9000});
    for (unsigned i = 0; i < N; i++) {
        char name[32], text[64];
        sprintf(name, "n%u.test", i);
        sprintf(text, "A 60 10.1.%u.%u", i / 256, i % 256);
        dns_say(server, name, "A", text);
        watch(&users[i], name);
    }
    for (unsigned i = 0; i < N; i++) {
        char text[64];
        until(users[i].calls == 1);
        sprintf(text, "10.1.%u.%u 80", i / 256, i % 256);
        expect(&users[i], text);
        sprintf(text, "n%u.test", i);
        assert_int_equal(dns_asked(server, text, NULL), 2); /* no query was lost in a crowd */
        drop(&users[i]);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_have_priorities_weights_and_ports),
        cmocka_unit_test(a_place_that_comes_twice_has_its_best_priority),
        cmocka_unit_test(targets_come_go_and_change),
        cmocka_unit_test(services_without_addresses_fail_as_their_targets_do),
        cmocka_unit_test(a_service_sleeps_and_wakes_with_its_targets),
        cmocka_unit_test(the_hosts_file_comes_first),
        cmocka_unit_test(the_search_list_completes_names),
        cmocka_unit_test(a_candidate_that_is_gone_is_not_kept),
        cmocka_unit_test(a_resolv_conf_that_is_none_is_refused),
        cmocka_unit_test(the_systems_resolv_conf_will_do),
        cmocka_unit_test(watches_may_be_dropped_and_made_in_callbacks),
        cmocka_unit_test(a_name_may_be_dropped_while_it_is_asked_for),
        cmocka_unit_test(a_watch_dropped_at_once_is_never_told),
        cmocka_unit_test(what_cannot_be_a_name_is_not_found),
        cmocka_unit_test(damaged_answers_do_no_harm),
        cmocka_unit_test(many_names_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
