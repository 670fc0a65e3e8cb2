/* What becomes of addresses, and of those who wait for them, when the routes or names change. */
#include "route/targets.h"

#include "back/back_internal.h"
#include "dns_testing.h"
#include "net/clock.h"
#include "ops/log.h"
#include "proxy_testing.h"
#include "route/router.h"
#include "route/routes.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

/* An exchange that was routed, and sent nowhere. */
static struct exchange *routed(struct rig *r, struct told *told)
{
    struct exchange *x = rig_exchange(r, told);
    testing_request(x, 11, "GET / HTTP/1.1\nhost: a\n");
    x->targets = targets_ref(r->worker->targets);
    x->group = &x->targets->groups[0];
    return x;
}

/* One that a back has, or the queue. */
static struct exchange *begun(struct rig *r, struct told *told)
{
    struct exchange *x = rig_exchange(r, told);
    testing_request(x, 11, "GET / HTTP/1.1\nhost: a\n");
    exchange_begin(x);
    return x;
}

static bool was_refused(const void *ctx)
{
    return ((const struct told *)ctx)->aborts > 0;
}

/* Other routes for the same worker. */
static struct routes *other_routes(const char *options)
{
    struct config *cfg = testing_config(options);
    struct routes *routes = routes_new(cfg);
    assert_non_null(routes);
    cfg_unref(cfg);
    return routes;
}

/* The only connection that the first backend may have is there, until its end. */
static struct pool *take_only_connection(struct rig *r)
{
    struct pool *p = rig_pool(r, 0);
    assert_true(health_take_conn(p->health, 1));
    p->nconns++;
    return pool_ref(p);
}

/* ---------------------------------------------------------------- addresses */

/* How often each pool of the group is chosen in n turns, by the last digit of its port. */
static void count_choices(struct exchange *x, unsigned n, unsigned count[10])
{
    memset(count, 0, 10 * sizeof(*count));
    for (unsigned i = 0; i < n; i++) {
        struct pool *p;
        assert_int_equal(targets_choose(x, &p), TARGET_FOUND);
        count[ntohs(((struct sockaddr_in *)&p->addr.addr)->sin_port) % 10]++;
    }
}

static void addresses_share_the_weight_of_their_line_and_lower_priorities_come_first(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    unsigned count[10];
    rig_open(&r, "backend=127.0.0.1,81;;weight=2\nbackend=127.0.0.1,82;;weight=2");
    struct targets *t = r.worker->targets;
    struct exchange *x = routed(&r, &told);
    struct backend_addr addrs[3];
    for (uint16_t i = 0; i < 3; i++) {
        addrs[i] = rig_pool(&r, 0)->addr;
        addrs[i].share = 0.5;
        ((struct sockaddr_in *)&addrs[i].addr)->sin_port = htons((uint16_t)(81 + 2 * i));
    }
    t->groups[0].outliers = (struct health_group){.changes_at = UINT64_MAX, .let_in = 1};
    targets_set_addresses(t, 0, addrs, 2); /* one that stays, and has half of its share now */
    assert_int_equal(t->groups[0].outliers.changes_at, 0);
    count_choices(x, 400, count);
    assert_true(count[1] == 100 && count[3] == 100 && count[2] == 200);
    /* The line that comes first has the addresses that are to be used last. */
    addrs[0].priority = addrs[1].priority = 7;
    addrs[2].priority = 3;
    targets_set_addresses(t, 0, addrs, 3);
    assert_int_equal(t->groups[0].ntiers, 3);
    count_choices(x, 10, count);
    assert_int_equal(count[2], 10);
    atomic_store(&rig_pool(&r, 1)->health->slot->blocked_until, clock_ms() + 60000);
    count_choices(x, 10, count);
    assert_int_equal(count[5], 10);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static bool has_pools(const void *ctx)
{
    const struct rig *r = ctx;
    const struct targets *t = r->worker->targets;
    return t->backends[0].npools == 2 && t->backends[1].npools == 3;
}

static void names_that_stay_keep_their_addresses_and_pools_when_the_routes_change(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct dns_server *server = dns_server_start();
    char conf[200], options[600];
    snprintf(conf, sizeof(conf), "%s/resolv.conf", testing_folder());
    FILE *f = fopen(conf, "w");
    assert_non_null(f);
    fprintf(f, "nameserver 127.0.0.1:%u\nsearch\n", dns_server_port(server));
    assert_int_equal(fclose(f), 0);
    dns_say(server, "web.test", "A", "A 60 127.0.0.8,A 60 127.0.0.9");
    dns_say(server, "_http._tcp.web.test", "SRV",
            "SRV 60 7 3 8081 one.test,SRV 60 7 0 8082 one.test,SRV 60 9 1 8083 one.test");
    dns_say(server, "one.test", "A", "A 60 127.0.0.7");
    snprintf(options, sizeof(options),
             "resolv-conf=%s\nbackend=web.test,81;/;dns\n"
             "backend=_http._tcp.web.test,80;/srv;dns=srv",
             conf);
    rig_open(&r, options);
    rig_until(&r, has_pools, &r);
    struct pool *before[2] = {rig_pool(&r, 0), rig_pool(&r, 1)};
    /* Nobody is there to answer now, and no turn of the loop goes by. */
    dns_say(server, "web.test", "A", "SILENCE");
    struct routes *other = other_routes("backend=_http._tcp.web.test,80;/a;dns=srv\n"
                                        "backend=web.test,81;/;dns;weight=2");
    targets_install(r.worker, other);
    assert_ptr_equal(rig_pool(&r, 1), before[0]);
    assert_ptr_equal(rig_pool(&r, 0), before[1]);
    assert_int_equal(r.worker->targets->backends[1].npools, 2);
    assert_int_equal(r.worker->targets->backends[0].npools, 3);
    static const struct {
        uint16_t priority, port;
        double share;
    } srv[] = {{7, 8081, 3 / 3.01}, {7, 8082, 0.01 / 3.01}, {9, 8083, 1}};
    for (size_t i = 0; i < 3; i++) {
        const struct backend_addr *a = &r.worker->targets->backends[0].pools[i]->addr;
        assert_int_equal(a->priority, srv[i].priority);
        assert_int_equal(ntohs(((const struct sockaddr_in *)&a->addr)->sin_port), srv[i].port);
        assert_true(a->share > srv[i].share - 1e-9 && a->share < srv[i].share + 1e-9);
    }
    struct exchange *x = routed(&r, &told);
    x->group = &x->targets->groups[router_find(other->router, "/")];
    struct pool *p;
    assert_int_equal(targets_choose(x, &p), TARGET_FOUND);
    rig_exchange_end(&r, x);
    routes_unref(other);
    rig_close(&r);
    dns_server_stop(server);
}

static char warned[4096];

static void on_log(enum cfg_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)arg;
    if (strlen(warned) + strlen(text) + 2 < sizeof(warned)) {
        strcat(strcat(warned, text), "\n");
    }
}

static bool has_warned(const void *ctx)
{
    (void)ctx;
    return strchr(warned, '\n') != NULL;
}

/* One line, which names the backend. */
static void that_a_name_does_not_exist_is_said_once(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct dns_server *server = dns_server_start();
    char conf[200], options[300];
    snprintf(conf, sizeof(conf), "%s/resolv.conf", testing_folder());
    FILE *f = fopen(conf, "w");
    assert_non_null(f);
    fprintf(f, "nameserver 127.0.0.1:%u\nsearch\n", dns_server_port(server));
    assert_int_equal(fclose(f), 0);
    snprintf(options, sizeof(options),
             "log-level=NOTICE\nresolv-conf=%s\nbackend=none.test,81;/;dns", conf);
    warned[0] = '\0';
    rig_open(&r, options);
    log_divert(on_log, NULL);
    struct exchange *x = routed(&r, &told);
    struct pool *p;
    assert_int_equal(targets_choose(x, &p), TARGET_LATER); /* it waits for the answer */
    rig_until(&r, has_warned, NULL);
    rig_turn(&r);
    assert_int_equal(targets_choose(x, &p), TARGET_NONE);
    rig_exchange_end(&r, x);
    rig_close(&r);
    log_divert(NULL, NULL);
    assert_string_equal(warned, "backend none.test,81: there is no such name, or no address\n");
    dns_server_stop(server);
}

/* The linker gives strcmp() to this file. */
int __wrap_strcmp(const char *a, const char *b);
int __real_strcmp(const char *a, const char *b);
static unsigned long compared;

int __wrap_strcmp(const char *a, const char *b)
{
    compared++;
    return __real_strcmp(a, b);
}

/* How many keys are compared when `n` pools of one server stay. */
static unsigned long comparisons(struct rig *r, size_t n)
{
    struct backend_addr *addrs = calloc(n, sizeof(*addrs));
    assert_non_null(addrs);
    for (size_t i = 0; i < n; i++) {
        addrs[i] = rig_pool(r, 0)->addr;
    }
    targets_set_addresses(r->worker->targets, 0, addrs, n);
    struct pool *last = r->worker->targets->backends[0].pools[n - 1];
    compared = 0;
    targets_set_addresses(r->worker->targets, 0, addrs, n);
    assert_false(last->retired);
    free(addrs);
    return compared;
}

static void many_pools_of_one_server_are_no_more_work_each(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=127.0.0.1,81");
    unsigned long few = comparisons(&r, 100), many = comparisons(&r, 1600);
    assert_in_range(few, 100, ULONG_MAX);
    if (many > few * 16 * 3) { /* to sort and search them takes a bit more than 16 times as long */
        fail_msg("%lu for 100 pools, %lu for 1600", few, many);
    }
    rig_close(&r);
}

/* ---------------------------------------------------------------- who waits */

/* The routes change faster than anybody is served. */
struct swaps {
    struct rig *r;
    struct routes *routes[2];
    unsigned n;
    const struct told *told;
};

static bool was_refused_while_swapping(const void *ctx)
{
    struct swaps *s = *(struct swaps *const *)ctx;
    worker_set_routes(s->r->worker, s->routes[s->n++ % 2]);
    return s->told->aborts > 0;
}

static void who_waits_over_many_changes_of_routes_waits_no_longer(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "backend=127.0.0.1,1;;max-conns=1;queue-timeout=200ms");
    struct pool *full = take_only_connection(&r);
    struct exchange *x = begun(&r, &told);
    struct swaps s = {.r = &r, .told = &told}, *swaps = &s;
    s.routes[0] = other_routes("backend=127.0.0.1,1;;max-conns=1;queue-timeout=200ms;weight=2");
    s.routes[1] = other_routes("backend=127.0.0.1,1;;max-conns=1;queue-timeout=200ms;weight=3");
    rig_until(&r, was_refused_while_swapping, &swaps);
    assert_int_equal(told.why, EXCHANGE_BACKEND_BUSY);
    assert_true(s.n > 10);
    assert_int_equal(r.worker->nwaiting, 0);
    pool_conn_gone(full);
    exchange_end(x, EXCHANGE_OK);
    rig_turn(&r);
    routes_unref(s.routes[0]);
    routes_unref(s.routes[1]);
    rig_close(&r);
}

static void what_is_left_of_a_wait_goes_on_in_the_next_queue(void **state)
{
    (void)state;
    struct rig r;
    struct told told[2];
    static const char options[] = "backend=127.0.0.1,1;;max-conns=1;queue-timeout=60s";
    rig_open(&r, options);
    struct pool *full = take_only_connection(&r);
    struct exchange *x[2] = {begun(&r, &told[0]), begun(&r, &told[1])};
    uint64_t now = clock_ms();
    assert_in_range(x[0]->waits_since, now - 10000, now);
    x[0]->waits_since = now - 50000;
    x[1]->waits_since = now - 60000;
    struct routes *other = other_routes(options);
    targets_install(r.worker, other);
    assert_in_range(x[0]->back_timer.at, now, now + 20000);
    assert_int_equal(told[0].aborts, 0);
    assert_int_equal(told[1].aborts, 1);
    assert_int_equal(told[1].why, EXCHANGE_BACKEND_BUSY);
    exchange_end(x[0], EXCHANGE_CLIENT_GONE);
    exchange_end(x[1], EXCHANGE_OK);
    pool_conn_gone(full);
    rig_turn(&r);
    routes_unref(other);
    rig_close(&r);
}

static void who_waits_in_a_group_that_is_gone_waits_in_the_next_one_or_is_refused(void **state)
{
    (void)state;
    struct rig r;
    struct told told[3];
    rig_open(&r, "backend=127.0.0.1,1;/;max-conns=1;queue-timeout=1m\n"
                 "backend=127.0.0.1,2;/x;max-conns=1;queue-timeout=1m");
    struct pool *full = take_only_connection(&r);
    struct exchange *x[3];
    for (size_t i = 0; i < 3; i++) {
        x[i] = begun(&r, &told[i]);
    }
    /* Another pattern, and the room for one. */
    struct routes *other =
        other_routes("backend=127.0.0.1,2;/\nbackend=127.0.0.1,1;a/;max-conns=1;max-queue=1");
    targets_install(r.worker, other);
    assert_int_equal(r.worker->nwaiting, 1);
    assert_int_equal(told[0].aborts, 0);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(told[i].aborts, 1);
        assert_int_equal(told[i].why, EXCHANGE_BACKEND_BUSY);
    }
    /* Then to one that has room. */
    struct routes *third = other_routes("backend=127.0.0.1,3");
    targets_install(r.worker, third);
    assert_int_equal(r.worker->nwaiting, 0);
    rig_until(&r, was_refused, &told[0]);
    assert_int_equal(told[0].why, EXCHANGE_BACKEND_CONNECT);
    assert_ptr_equal(x[0]->pool, rig_pool(&r, 0));
    pool_conn_gone(full);
    for (size_t i = 0; i < 3; i++) {
        exchange_end(x[i], EXCHANGE_OK);
    }
    rig_turn(&r);
    routes_unref(other);
    routes_unref(third);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_share_the_weight_of_their_line_and_lower_priorities_come_first),
        cmocka_unit_test(names_that_stay_keep_their_addresses_and_pools_when_the_routes_change),
        cmocka_unit_test(that_a_name_does_not_exist_is_said_once),
        cmocka_unit_test(many_pools_of_one_server_are_no_more_work_each),
        cmocka_unit_test(who_waits_over_many_changes_of_routes_waits_no_longer),
        cmocka_unit_test(what_is_left_of_a_wait_goes_on_in_the_next_queue),
        cmocka_unit_test(who_waits_in_a_group_that_is_gone_waits_in_the_next_one_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
