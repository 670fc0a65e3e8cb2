/* From the configuration to groups of backends. */
#include "route/routes.h"

#include "proxy_testing.h"
#include "route/router.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

static void backends_are_named_for_fields_tls_and_log(void **state)
{
    (void)state;
    static const struct {
        const char *option, *authority, *label, *sni;
        int family;
    } cases[] = {
        {"127.0.0.1,80", "127.0.0.1", "127.0.0.1,80", "127.0.0.1", AF_INET},
        {"127.0.0.1,8080", "127.0.0.1:8080", "127.0.0.1,8080", "127.0.0.1", AF_INET},
        {"127.0.0.1,443", "127.0.0.1:443", "127.0.0.1,443", "127.0.0.1", AF_INET},
        {"127.0.0.1,443;;tls", "127.0.0.1", "127.0.0.1,443", "127.0.0.1", AF_INET},
        {"127.0.0.1,80;;tls", "127.0.0.1:80", "127.0.0.1,80", "127.0.0.1", AF_INET},
        {"127.0.0.1,443;;tls;sni=a.example", "127.0.0.1", "127.0.0.1,443", "a.example", AF_INET},
        {"::1,80", "[::1]", "::1,80", "::1", AF_INET6},
        {"::1,8080", "[::1]:8080", "::1,8080", "::1", AF_INET6},
        {"unix:/tmp/a.sock", "localhost", "unix:/tmp/a.sock", NULL, AF_UNIX},
        {"_web._tcp.a.example,80;;dns=srv", "a.example", "_web._tcp.a.example,80",
         "_web._tcp.a.example", 0},
        {"_web._tcp.,80;;dns=srv", "_tcp.", "_web._tcp.,80", "_web._tcp.", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        char options[128];
        snprintf(options, sizeof(options), "backend=%s", cases[i].option);
        rig_open(&r, options);
        const struct backend *b = &r.routes->backends[0];
        assert_int_equal(r.routes->nbackends, 1);
        assert_string_equal(b->authority, cases[i].authority);
        assert_string_equal(b->label, cases[i].label);
        if (cases[i].sni != NULL) {
            assert_string_equal(b->sni, cases[i].sni);
        } else {
            assert_null(b->sni);
        }
        assert_int_equal(b->naddrs, cases[i].family != 0);
        if (cases[i].family != 0) {
            assert_int_equal(b->addrs[0].addr.ss_family, cases[i].family);
        }
        rig_close(&r);
    }
}

static void the_proxy_on_the_way_stands_for_the_backends_it_leads_to(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend-http-proxy-uri=http://u:p@127.0.0.2:3128\n"
                 "backend=name.invalid,443;/;proto=h2;tls\n"
                 "backend=127.0.0.1,80;/h1\n"
                 "backend=unix:/tmp/s;/unix;proto=h2\n");
    const struct backend *b = r.routes->backends;
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&b[0].addrs[0].addr;
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohl(in->sin_addr.s_addr), 0x7f000002);
    assert_int_equal(ntohs(in->sin_port), 3128);
    assert_string_equal(b[0].via, "CONNECT name.invalid:443 HTTP/1.1\r\nHost: name.invalid:443\r\n"
                                  "Proxy-Authorization: Basic dTpw\r\n\r\n");
    assert_string_equal(b[0].authority, "name.invalid");
    assert_string_equal(b[0].sni, "name.invalid");
    assert_null(b[1].via);
    assert_null(b[2].via);
    rig_close(&r);
}

static void a_backend_that_does_not_resolve_is_no_start(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=127.0.0.1,80\nbackend=::1,80\nbackend-address-family=auto");
    /* An address of the family that is not wanted: no name server is asked. */
    r.cfg->backend_address_family = CFG_FAMILY_IPV6;
    assert_null(routes_new(r.cfg));
    r.cfg->backend_address_family = CFG_FAMILY_IPV4;
    assert_null(routes_new(r.cfg));
    routes_unref(NULL);
    rig_close(&r);
}

/* ---------------------------------------------------------------- groups */

static const struct group *match(struct rig *r, const char *authority, const char *path,
                                 size_t path_len)
{
    struct request q = {.authority = {authority, strlen(authority)},
                        .path = {path, strlen(path)},
                        .path_len = path_len};
    return routes_match(r->routes, &q, NULL);
}

/* The group of exactly this pattern. */
static const struct group *group_of(struct rig *r, const char *pattern)
{
    int index = router_find(r->routes->router, pattern);
    assert_in_range(index, 0, (int)r->routes->ngroups - 1);
    return &r->routes->groups[index];
}

static void requests_are_matched_by_host_and_path_alone(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=127.0.0.1,81;a.example/:/b\nbackend=127.0.0.1,82;/b\n"
                 "backend=127.0.0.1,83");
    assert_int_equal(r.routes->ngroups, 3);
    static const struct {
        const char *authority, *path, *pattern;
        size_t path_len;
    } cases[] = {
        {"a.example", "/x", "a.example/", 2},
        {"a.example:8080", "/x", "a.example/", 2},
        {"A.Example:", "/x", "a.example/", 2},
        {"[::1]:80", "/x", "/", 2},
        {"b.example", "/b", "/b", 2},
        {"", "/b", "/b", 2},
        {"b.example", "/b?/x", "/b", 2}, /* the query is no part of it */
        {"b.example", "/b/", "/", 3},
        {"", "*", "/", 1},
        {"a.example.", "/x", "a.example/", 2},
        {"a.example.:80", "/x", "a.example/", 2},
        {".", "/b", "/b", 2},
        {"a.example..", "/x", "/", 2},
        {"xa.example", "/x", "/", 2},
        {"[::1]", "/b", "/b", 2},
        {"a.example:443", "", "a.example/", 0}, /* CONNECT */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_ptr_equal(match(&r, cases[i].authority, cases[i].path, cases[i].path_len),
                         group_of(&r, cases[i].pattern));
    }
    rig_close(&r);
}

static void backends_with_one_pattern_are_one_group(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=127.0.0.1,80;/a/../b\nbackend=127.0.0.1,81;/b:/\n"
                 "backend=127.0.0.1,82;/%62");
    const struct group *b = group_of(&r, "/b"), *all = group_of(&r, "/");
    assert_int_equal(r.routes->ngroups, 2);
    assert_int_equal(b->nbackends, 3);
    assert_int_equal(all->nbackends, 1);
    assert_int_equal(all->backends[0], 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(b->backends[i], i);
    }
    rig_close(&r);
}

static void an_answer_of_our_own_has_no_addresses(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=respond=404;/gone\nbackend=127.0.0.1,81\n"
                 "backend=redirect=301,/;/old;redirect-if-not-tls\nbackend=127.0.0.1,82;;"
                 "redirect-if-not-tls");
    const struct group *gone = group_of(&r, "/gone"), *all = group_of(&r, "/"),
                       *old = group_of(&r, "/old");
    assert_int_equal(gone->answer->status, 404);
    assert_int_equal(old->answer->kind, CFG_KIND_REDIRECT);
    assert_null(all->answer);
    assert_true(old->redirect_if_not_tls && all->redirect_if_not_tls);
    assert_false(gone->redirect_if_not_tls);
    static const char *const labels[] = {"respond=404", "127.0.0.1,81", "redirect=301",
                                         "127.0.0.1,82"};
    for (size_t i = 0; i < 4; i++) {
        const struct backend *b = &r.routes->backends[i];
        assert_string_equal(b->label, labels[i]);
        assert_int_equal(b->naddrs, i % 2);
        assert_true((b->authority != NULL) == (i % 2 == 1));
    }
    assert_int_equal(all->backends[1], 3);
    rig_close(&r);
}

static void the_name_that_tls_asked_for_can_decide(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=127.0.0.1,81;a.example/\nbackend=127.0.0.1,82;b.example/\n"
                 "backend=127.0.0.1,83");
    struct request q = {.authority = {"a.example", 9}, .path = {"/", 1}, .path_len = 1};
    assert_ptr_equal(routes_match(r.routes, &q, "b.example"), group_of(&r, "b.example/"));
    assert_ptr_equal(routes_match(r.routes, &q, "B.Example."), group_of(&r, "b.example/"));
    assert_ptr_equal(routes_match(r.routes, &q, "c.example"), group_of(&r, "/"));
    assert_ptr_equal(routes_match(r.routes, &q, NULL), group_of(&r, "a.example/"));
    rig_close(&r);
}

static void sub_groups_share_their_weight(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=127.0.0.1,81;;group=b;group-weight=7\nbackend=127.0.0.1,82;;group=a\n"
                 "backend=127.0.0.1,83;;group=b\nbackend=127.0.0.1,84");
    const struct group *g = group_of(&r, "/");
    assert_int_equal(g->nbackends, 4);
    assert_int_equal(g->sub_groups[0], g->sub_groups[2]);
    assert_int_not_equal(g->sub_groups[0], g->sub_groups[1]);
    assert_int_not_equal(g->sub_groups[1], g->sub_groups[3]);
    static const uint32_t weights[] = {7, 1, 7, 1};
    for (size_t i = 0; i < 4; i++) {
        assert_in_range(g->sub_groups[i], 0, 2);
        assert_int_equal(g->sub_weights[i], weights[i]);
    }
    rig_close(&r);
}

static void what_one_backend_says_holds_for_its_group(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=localhost,88;/b;balance=p2c\nbackend=127.0.0.1,89;/b\n"
                 "backend=127.0.0.1,90");
    assert_ptr_equal(group_of(&r, "/b")->balance, r.routes->backends[0].cfg);
    double shares = 0; /* of all that the name resolves to here */
    for (size_t i = 0; i < r.routes->backends[0].naddrs; i++) {
        shares += r.routes->backends[0].addrs[i].share;
    }
    assert_true(shares > 0.999 && shares < 1.001);
    rig_close(&r);
    rig_open(&r, "backend=127.0.0.1,84;/q;max-conns=1\n"
                 "backend=127.0.0.1,85;/q;max-conns=1;max-queue=1;queue-timeout=7s\n"
                 "backend=127.0.0.1,86;/q;max-conns=1\nbackend=127.0.0.1,87");
    assert_null(group_of(&r, "/q")->balance);
    assert_int_equal(group_of(&r, "/q")->max_queue, 1);
    assert_int_equal(group_of(&r, "/q")->queue_timeout, 7000);
    assert_int_equal(group_of(&r, "/")->max_queue, 100);
    assert_int_equal(group_of(&r, "/")->queue_timeout, 5000);
    rig_close(&r);
    rig_open(&r, "backend=127.0.0.1,84;;max-conns=1\n"
                 "backend=127.0.0.1,85;;max-queue=100;queue-timeout=5s");
    assert_int_equal(group_of(&r, "/")->max_queue, 100);
    assert_int_equal(group_of(&r, "/")->queue_timeout, 5000);
    rig_close(&r);
    rig_open(&r,
             "backend=127.0.0.1,81;/a;read-timeout=3s\nbackend=127.0.0.1,82;/a;write-timeout=4s\n"
             "backend=127.0.0.1,83\nbackend-read-timeout=5s");
    const struct group *a = group_of(&r, "/a"), *all = group_of(&r, "/");
    assert_int_equal(a->read_timeout, 3000);
    assert_int_equal(all->read_timeout, 5000);
    static const uint64_t expected[][2] = {{3000, 4000}, {3000, 4000}, {5000, 30000}};
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_int_equal(r.routes->backends[i].read_timeout, expected[i][0]);
        assert_int_equal(r.routes->backends[i].write_timeout, expected[i][1]);
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_are_named_for_fields_tls_and_log),
        cmocka_unit_test(the_proxy_on_the_way_stands_for_the_backends_it_leads_to),
        cmocka_unit_test(a_backend_that_does_not_resolve_is_no_start),
        cmocka_unit_test(requests_are_matched_by_host_and_path_alone),
        cmocka_unit_test(backends_with_one_pattern_are_one_group),
        cmocka_unit_test(an_answer_of_our_own_has_no_addresses),
        cmocka_unit_test(the_name_that_tls_asked_for_can_decide),
        cmocka_unit_test(sub_groups_share_their_weight),
        cmocka_unit_test(what_one_backend_says_holds_for_its_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
