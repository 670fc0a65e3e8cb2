/* The choice among pools, what stays when the routes change, and the queue. */
#include "route/targets.h"

#include "back/back_internal.h"
#include "cert_testing.h"
#include "conn_testing.h"
#include "net/clock.h"
#include "proxy_testing.h"
#include "route/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "tls/tls_store.h"

#define THREE "backend=127.0.0.1,81\nbackend=127.0.0.1,82\nbackend=127.0.0.1,83"

/* An exchange that was routed, and sent nowhere. */
static struct exchange *routed(struct rig *r, struct told *told)
{
    struct exchange *x = rig_exchange(r, told);
    testing_request(x, 11, "GET / HTTP/1.1\nhost: a\n");
    x->targets = targets_ref(r->worker->targets);
    x->group = &x->targets->groups[0];
    return x;
}

/* The number of the backend that is chosen. */
static size_t chosen(struct rig *r, struct exchange *x, bool again)
{
    struct pool *p;
    x->once = !again;
    assert_int_equal(targets_choose(x, &p), TARGET_FOUND);
    return (size_t)(p->backend - r->routes->backends);
}

static void backends_take_turns(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, THREE);
    struct exchange *x = routed(&r, &told);
    size_t order[3];
    unsigned seen = 0;
    for (size_t i = 0; i < 3; i++) {
        order[i] = chosen(&r, x, false);
        seen |= 1u << order[i];
    }
    assert_int_equal(seen, 7);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(chosen(&r, x, false), order[i % 3]);
    }
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* As if a connect had failed there. */
static void block(struct rig *r, size_t backend, uint64_t until)
{
    atomic_store(&rig_pool(r, backend)->health->slot->blocked_until, until);
}

static void one_that_failed_lately_stands_back(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    unsigned count[3] = {0};
    rig_open(&r, THREE);
    struct exchange *x = routed(&r, &told);
    block(&r, 1, clock_ms() + 60000);
    for (int i = 0; i < 100; i++) {
        count[chosen(&r, x, false)]++;
    }
    assert_int_equal(count[1], 0);
    assert_true(count[0] == 50 && count[2] == 50);
    block(&r, 1, clock_ms()); /* over */
    for (int i = 0; i < 6; i++) {
        count[chosen(&r, x, false)]++;
    }
    assert_true(count[1] >= 1);
    /* All of them: the one that may be back first. */
    block(&r, 0, clock_ms() + 60000);
    block(&r, 1, clock_ms() + 50000);
    block(&r, 2, clock_ms() + 70000);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(chosen(&r, x, false), 1);
    }
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void what_was_tried_is_not_tried_again(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct pool *p;
    rig_open(&r, THREE);
    struct exchange *x = routed(&r, &told);
    x->tried[x->tries++] = rig_pool(&r, 0)->id;
    x->tried[x->tries++] = rig_pool(&r, 2)->id;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(chosen(&r, x, true), 1);
    }
    x->tried[x->tries++] = rig_pool(&r, 1)->id;
    x->once = true;
    assert_int_equal(targets_choose(x, &p), TARGET_NONE);
    unsigned seen = 0;
    for (int i = 0; i < 6; i++) {
        seen |= 1u << chosen(&r, x, true);
    }
    assert_int_equal(seen, 7); /* the same once more, when there is nothing else */
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* One that failed lately is still better than one that has failed on this very request. */
static void what_was_not_tried_comes_first_even_when_it_stands_back(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, THREE);
    struct exchange *x = routed(&r, &told);
    x->tried[x->tries++] = rig_pool(&r, 0)->id;
    block(&r, 1, clock_ms() + 60000);
    block(&r, 2, clock_ms() + 50000);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(chosen(&r, x, true), 2);
    }
    x->tried[x->tries++] = rig_pool(&r, 2)->id;
    assert_int_equal(chosen(&r, x, true), 1);
    x->tried[x->tries++] = rig_pool(&r, 1)->id;
    assert_int_equal(chosen(&r, x, true), 0); /* the only one that does not stand back */
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* It has just refused the request; among several one may have come back meanwhile. */
static void the_only_address_is_not_asked_again_while_it_stands_back(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct pool *p;
    rig_open(&r, "backend=127.0.0.1,81");
    struct exchange *x = routed(&r, &told);
    block(&r, 0, clock_ms() + 60000);
    assert_int_equal(chosen(&r, x, true), 0); /* better than no try at all */
    x->tried[x->tries++] = rig_pool(&r, 0)->id;
    assert_int_equal(targets_choose(x, &p), TARGET_NONE);
    block(&r, 0, 0);
    assert_int_equal(chosen(&r, x, true), 0);
    rig_exchange_end(&r, x);
    rig_close(&r);

    rig_open(&r, "backend=127.0.0.1,81\nbackend=127.0.0.1,82");
    x = routed(&r, &told);
    for (size_t i = 0; i < 2; i++) {
        block(&r, i, clock_ms() + 60000 - i);
        x->tried[x->tries++] = rig_pool(&r, i)->id;
    }
    assert_int_equal(chosen(&r, x, true), 1);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* Other routes for the same worker. */
static struct routes *other_routes(const char *options)
{
    struct rig r;
    rig_open(&r, options);
    struct routes *routes = routes_ref(r.routes);
    rig_close(&r);
    return routes;
}

static void pools_of_addresses_that_stay_are_kept(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, THREE);
    struct exchange *x = routed(&r, &told);
    struct pool *one = pool_ref(rig_pool(&r, 0)), *two = rig_pool(&r, 1), *three = rig_pool(&r, 2);
    struct routes *other =
        other_routes("backend=127.0.0.1,83;/x\nbackend=127.0.0.1,84\nbackend=127.0.0.1,82\n"
                     "backend=127.0.0.1,82;/again\nbackend=127.0.0.1,83;;proto=h2");
    targets_install(r.worker, other);
    assert_ptr_equal(rig_pool(&r, 0), three);
    assert_ptr_equal(rig_pool(&r, 2), two);
    assert_ptr_equal(two->backend, &other->backends[2]);
    assert_true(rig_pool(&r, 3) != two);   /* each line has its own */
    assert_true(rig_pool(&r, 4) != three); /* another protocol */
    assert_true(one->retired && !two->retired && !three->retired);
    assert_ptr_equal(x->group, &x->targets->groups[0]); /* what is in progress keeps its group */
    assert_true(x->targets != r.worker->targets);
    routes_unref(other);
    rig_exchange_end(&r, x);
    assert_int_equal(one->refs, 1);
    pool_unref(one);
    rig_close(&r);
}

static void a_pool_stays_only_where_it_is_spoken_to_in_the_same_way(void **state)
{
    (void)state;
    char ca[200], own[400];
    cert_make(&(struct cert_wish){.file = "t", .common_name = "t", .days = 10});
    snprintf(ca, sizeof(ca), ";tls;ca=%s", cert_path("t", "cert"));
    snprintf(own, sizeof(own), ";tls;cert=%s;key=%s", cert_path("t", "cert"),
             cert_path("t", "key"));
#define PIN(x) ";pin=sha256:" x "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    const char *const params[] = {"",
                                  ";proto=h2",
                                  ";tls",
                                  ";send-proxy=v1",
                                  ";send-proxy=v2",
                                  ";tls;proto=h2",
                                  ";tls;proto=auto",
                                  ";tls;sni=a",
                                  ";tls;sni=b",
                                  ca,
                                  own,
                                  ";tls;insecure",
                                  ";tls;insecure" PIN("A"),
                                  ";tls" PIN("A"),
                                  ";tls" PIN("B"),
                                  ";tls" PIN("A") PIN("B")};
#undef PIN
    struct routes *other[COUNT(params)];
    for (size_t i = 0; i < COUNT(params); i++) {
        char line[500];
        snprintf(line, sizeof(line), "backend=127.0.0.1,81;/:/more%s;weight=2", params[i]);
        other[i] = other_routes(line);
    }
    for (size_t i = 0; i < COUNT(params); i++) {
        struct rig r;
        char line[500];
        snprintf(line, sizeof(line), "backend=127.0.0.1,81;%s", params[i]);
        rig_open(&r, line);
        struct pool *p = rig_pool(&r, 0);
        assert_int_equal(p->sessions != NULL, strstr(params[i], ";tls") != NULL);
        targets_install(r.worker, other[i]);
        assert_ptr_equal(rig_pool(&r, 0), p);
        for (size_t j = 0; j < COUNT(params); j++) {
            p = pool_ref(rig_pool(&r, 0));
            targets_install(r.worker, other[j]);
            if ((rig_pool(&r, 0) == p) != (i == j)) {
                fail_msg("\"%s\" and \"%s\"", params[i], params[j]);
            }
            assert_int_equal(p->retired, i != j);
            pool_unref(p);
            targets_install(r.worker, other[i]);
        }
        rig_close(&r);
    }
    for (size_t i = 0; i < COUNT(params); i++) {
        routes_unref(other[i]);
    }
}

/* The files may say something else now, though their names are the same. */
static void sessions_do_not_outlive_what_verified_them(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=127.0.0.1,81;;tls");
    struct pool *p = rig_pool(&r, 0);
    SSL_SESSION *session = SSL_SESSION_new();
    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION);
    SSL_SESSION_set1_id(session, (const unsigned char *)"x", 1);
    SSL_SESSION_set_time(session, (long)time(NULL));
    tls_store_put(p->sessions, session);
    targets_install(r.worker, r.routes); /* the same context */
    session = tls_store_take(p->sessions);
    assert_non_null(session);
    tls_store_put(p->sessions, session);
    struct routes *other = other_routes("backend=127.0.0.1,81;;tls");
    targets_install(r.worker, other);
    assert_ptr_equal(rig_pool(&r, 0), p);
    assert_null(tls_store_take(p->sessions));
    routes_unref(other);
    rig_close(&r);
}

static void addresses_come_and_go(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct pool *p;
    rig_open(&r, "backend=127.0.0.1,81;/:/a");
    struct targets *t = r.worker->targets;
    struct backend_addr addrs[3];
    for (uint16_t i = 0; i < 3; i++) {
        addrs[i] = rig_pool(&r, 0)->addr;
        ((struct sockaddr_in *)&addrs[i].addr)->sin_port = htons((uint16_t)(81 + i));
    }
    struct pool *first = rig_pool(&r, 0);
    targets_set_addresses(t, 0, addrs, 3);
    assert_int_equal(t->backends[0].npools, 3);
    assert_ptr_equal(rig_pool(&r, 0), first);
    struct exchange *x = routed(&r, &told);
    unsigned seen = 0;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(targets_choose(x, &p), TARGET_FOUND);
        seen |= 1u << (ntohs(((struct sockaddr_in *)&p->addr.addr)->sin_port) - 81);
    }
    assert_int_equal(seen, 7);
    targets_set_addresses(t, 0, addrs + 1, 1);
    assert_true(first->retired || first->refs == 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(targets_choose(x, &p), TARGET_FOUND);
        assert_int_equal(ntohs(((struct sockaddr_in *)&p->addr.addr)->sin_port), 82);
    }
    targets_set_addresses(t, 0, NULL, 0);
    assert_int_equal(targets_choose(x, &p), TARGET_NONE);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(t->groups[i].npools, 0); /* of both patterns */
    }
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_running_worker_gets_other_routes(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, THREE);
    struct routes *first = other_routes("backend=127.0.0.1,90");
    struct routes *second = other_routes("backend=127.0.0.1,91;/x\nbackend=127.0.0.1,82");
    struct pool *stays = rig_pool(&r, 1);
    worker_set_routes(r.worker, first);
    worker_set_routes(r.worker, second); /* before it has looked: only the last ones count */
    assert_ptr_equal(r.worker->targets->routes, r.routes);
    rig_turn(&r);
    assert_ptr_equal(r.worker->targets->routes, second);
    assert_ptr_equal(rig_pool(&r, 1), stays);
    worker_set_routes(r.worker, first); /* never looked at */
    routes_unref(first);
    routes_unref(second);
    rig_close(&r);
}

/* ---------------------------------------------------------------- the queue */

static void make_full(struct rig *r, uint32_t connections)
{
    struct pool *p = rig_pool(r, 0);
    p->nconns = connections;
    for (uint32_t i = 0; i < connections; i++) {
        assert_true(health_take_conn(p->health, 0));
        pool_ref(p);
    }
}

static void make_room(struct rig *r)
{
    struct pool *p = rig_pool(r, 0);
    while (p->nconns > 0) {
        pool_conn_gone(p);
    }
}

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

static void who_finds_no_room_waits_for_it(void **state)
{
    (void)state;
    struct rig r;
    struct told told[3];
    rig_open(&r, "backend=127.0.0.1,1;;max-conns=2;max-queue=2;queue-timeout=1m");
    make_full(&r, 2);
    struct exchange *x[3];
    for (size_t i = 0; i < 3; i++) {
        x[i] = begun(&r, &told[i]);
    }
    assert_int_equal(r.worker->nwaiting, 2);
    assert_int_equal(told[2].aborts, 1); /* the queue is full */
    assert_int_equal(told[2].why, EXCHANGE_BACKEND_BUSY);
    rig_turn(&r);
    assert_int_equal(told[0].aborts + told[1].aborts, 0);
    exchange_end(x[0], EXCHANGE_CLIENT_GONE); /* whoever leaves is not served */
    assert_int_equal(r.worker->nwaiting, 1);
    make_room(&r);
    rig_until(&r, was_refused, &told[1]); /* it was sent there; nothing listens */
    assert_int_equal(told[1].why, EXCHANGE_BACKEND_CONNECT);
    assert_int_equal(r.worker->nwaiting, 0);
    exchange_end(x[1], EXCHANGE_OK);
    exchange_end(x[2], EXCHANGE_OK);
    rig_turn(&r);
    rig_close(&r);
}

/* Another worker gave a connection back before it could see that somebody waits. */
static void who_waits_looks_once_more(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "backend=127.0.0.1,1;;max-conns=1;queue-timeout=1m");
    struct exchange *x = routed(&r, &told);
    assert_true(targets_wait(x));
    assert_int_equal(r.worker->nwaiting, 1);
    rig_turn(&r);
    assert_int_equal(r.worker->nwaiting, 0);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void nobody_waits_longer_than_the_time_out(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "backend=127.0.0.1,1;;max-conns=1;queue-timeout=50ms");
    make_full(&r, 1);
    struct exchange *x = begun(&r, &told);
    assert_int_equal(told.aborts, 0);
    rig_until(&r, was_refused, &told);
    assert_int_equal(told.why, EXCHANGE_BACKEND_BUSY);
    assert_int_equal(r.worker->nwaiting, 0);
    make_room(&r);
    exchange_end(x, EXCHANGE_OK);
    rig_turn(&r);
    rig_close(&r);
}

static void who_waits_goes_by_the_new_routes(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "backend=127.0.0.1,1;;max-conns=1;queue-timeout=1m");
    struct pool *full = rig_pool(&r, 0);
    make_full(&r, 1);
    struct exchange *x = begun(&r, &told);
    struct routes *other = other_routes("backend=127.0.0.1,2");
    targets_install(r.worker, other);
    assert_int_equal(r.worker->nwaiting, 0);
    rig_until(&r, was_refused, &told);
    assert_ptr_equal(x->pool, rig_pool(&r, 0));
    assert_int_equal(x->waits_since, 0); /* it was somewhere: another wait would be a new one */
    pool_conn_gone(full);
    routes_unref(other);
    exchange_end(x, EXCHANGE_OK);
    rig_turn(&r);
    rig_close(&r);
}

/* Another worker has the only connection of each, or gives it back. */
static void others_have(struct rig *r, bool taken)
{
    for (size_t i = 0; i < r->routes->nbackends; i++) {
        struct pool *p = rig_pool(r, i);
        if (taken) {
            assert_true(health_take_conn(p->health, 1));
        } else {
            health_give_conn(p->health);
            pool_freed(p);
        }
    }
}

/* Who has waited is sent where its turn was: looking whether there is room is no turn. */
static void weights_count_for_those_who_wait(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct sockaddr_in addr[2];
    char options[200];
    unsigned count[2] = {0};
    int fd[2] = {testing_listener(&addr[0]), testing_listener(&addr[1])};
    snprintf(
        options, sizeof(options),
        "backend=127.0.0.1,%u;;max-conns=1;weight=1\nbackend=127.0.0.1,%u;;max-conns=1;weight=3",
        ntohs(addr[0].sin_port), ntohs(addr[1].sin_port));
    rig_open(&r, options);
    for (int i = 0; i < 400; i++) {
        others_have(&r, true);
        struct exchange *x = begun(&r, &told);
        assert_int_equal(r.worker->nwaiting, 1);
        others_have(&r, false);
        rig_turn(&r);
        assert_int_equal(r.worker->nwaiting, 0);
        size_t to = x->pool == rig_pool(&r, 1);
        count[to]++;
        rig_exchange_end(&r, x);
        int server = accept(fd[to], NULL, NULL);
        assert_true(server >= 0);
        close(server);
    }
    assert_int_equal(count[0], 100);
    assert_int_equal(count[1], 300);
    rig_close(&r);
    close(fd[0]);
    close(fd[1]);
}

/* Who waits for an address of its own, by affinity or since it has seen the others, holds up
 * nobody whose address has room. */
static void whoever_has_room_is_not_behind_those_who_have_not(void **state)
{
    (void)state;
    static const char *const options[] = {";affinity=ip", ""};
    for (size_t i = 0; i < COUNT(options); i++) {
        struct rig r;
        struct told told[2];
        struct sockaddr_in addr[2];
        char lines[200];
        int fd[2] = {testing_listener(&addr[0]), testing_listener(&addr[1])};
        snprintf(lines, sizeof(lines),
                 "backend=127.0.0.1,%u;;max-conns=1%s\nbackend=127.0.0.1,%u;;max-conns=1%s",
                 ntohs(addr[0].sin_port), options[i], ntohs(addr[1].sin_port), options[i]);
        rig_open(&r, lines);
        struct client_info clients[2];
        struct exchange *x[2];
        size_t home[2] = {0, 1};
        for (size_t j = 0; j < 2; j++) {
            clients[j] = r.client;
            client_info_init(&clients[j]);
            x[j] = routed(&r, &told[j]);
            x[j]->client = &clients[j];
        }
        /* Another client until it has another home. */
        for (int n = 0;
             i == 0 && (home[0] = chosen(&r, x[0], true)) == (home[1] = chosen(&r, x[1], true));
             n++) {
            snprintf(clients[1].addr, sizeof(clients[1].addr), "192.0.2.%d", n);
        }
        if (i == 1) {
            x[0]->tried[x[0]->tries++] = rig_pool(&r, home[1])->id;
        }
        others_have(&r, true);
        for (size_t j = 0; j < 2; j++) {
            exchange_dispatch(x[j], NULL);
        }
        assert_int_equal(r.worker->nwaiting, 2);
        health_give_conn(rig_pool(&r, home[1])->health);
        pool_freed(rig_pool(&r, home[1]));
        rig_turn(&r);
        assert_int_equal(r.worker->nwaiting, 1);
        assert_ptr_equal(x[1]->pool, rig_pool(&r, home[1]));
        health_give_conn(rig_pool(&r, home[0])->health);
        pool_freed(rig_pool(&r, home[0]));
        rig_turn(&r);
        assert_ptr_equal(x[0]->pool, rig_pool(&r, home[0]));
        exchange_end(x[0], EXCHANGE_OK);
        rig_exchange_end(&r, x[1]);
        rig_close(&r);
        close(fd[0]);
        close(fd[1]);
    }
}

static void retries_have_a_budget(void **state)
{
    (void)state;
    struct budget b;
    uint64_t now = 123456789;
    budget_init(&b, BUDGET_FREE);
    unsigned spent = 0;
    while (budget_spend(&b, now)) {
        spent++;
    }
    assert_int_equal(spent, BUDGET_FREE);
    for (unsigned i = 0; i < 1000; i++) {
        budget_earn(&b, now + 9000);
    }
    for (spent = 0; budget_spend(&b, now + 9999); spent++) {
    }
    assert_int_equal(spent, 200);                /* a fifth of the requests */
    assert_false(budget_spend(&b, now + 15000)); /* both count for a while */
    for (spent = 0; budget_spend(&b, now + 40000); spent++) {
    }
    assert_int_equal(spent, BUDGET_FREE); /* then neither does */
}

/* ---------------------------------------------------------------- health */

static void go_offline(struct rig *r, size_t backend)
{
    struct pool *p = rig_pool(r, backend);
    unsigned n;
    assert_int_equal(health_connect_failed(p->health, p->backend->cfg, clock_ms(),
                                           (struct health_backoff){.most = 0}, false, &n),
                     HEALTH_FELL);
}

static void what_is_offline_is_never_chosen(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct pool *p;
    rig_open(&r, "backend=127.0.0.1,81;;fall=1;rise=1\nbackend=127.0.0.1,82;;fall=1;rise=1\n"
                 "backend=127.0.0.1,83;;fall=1;rise=1");
    struct exchange *x = routed(&r, &told);
    go_offline(&r, 0);
    block(&r, 1, clock_ms() + 60000);
    go_offline(&r, 2);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(chosen(&r, x, true), 1); /* better one that has failed */
    }
    block(&r, 1, 0);
    go_offline(&r, 1);
    assert_int_equal(targets_choose(x, &p), TARGET_OFFLINE);
    const struct pool *back = rig_pool(&r, 2);
    assert_int_equal(health_probed(back->health, back->backend->cfg, true), HEALTH_ROSE);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(chosen(&r, x, false), 2);
    }
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void outliers_are_chosen_when_there_is_no_other(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    unsigned count[3] = {0};
    rig_open(&r, "backend=127.0.0.1,81;;outlier=5xx:1\nbackend=127.0.0.1,82;;outlier=5xx:1\n"
                 "backend=127.0.0.1,83;;outlier=5xx:1");
    struct exchange *x = routed(&r, &told);
    pool_answered(rig_pool(&r, 0), 500);
    for (int i = 0; i < 100; i++) {
        count[chosen(&r, x, false)]++;
    }
    assert_true(count[0] == 0 && count[1] == 50 && count[2] == 50);
    block(&r, 1, clock_ms() + 60000);
    block(&r, 2, clock_ms() + 60000);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(chosen(&r, x, false), 0);
    }
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void who_can_wait_for_a_good_one_needs_no_outlier(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct pool *p;
    rig_open(&r, "backend=127.0.0.1,81;;outlier=5xx:1\n"
                 "backend=127.0.0.1,82;;outlier=5xx:1;max-conns=1\n"
                 "backend=127.0.0.1,83;;outlier=5xx:1;max-conns=1");
    struct exchange *x = routed(&r, &told);
    pool_answered(rig_pool(&r, 0), 500);
    for (size_t i = 1; i < 3; i++) {
        assert_true(health_take_conn(rig_pool(&r, i)->health, 1));
    }
    assert_int_equal(targets_choose(x, &p), TARGET_LATER);
    for (size_t i = 1; i < 3; i++) {
        health_give_conn(rig_pool(&r, i)->health);
    }
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* Its connections may be on their way, and what is known of it old. */
static void one_that_stands_back_and_is_full_is_waited_for(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct pool *p;
    rig_open(&r, "backend=127.0.0.1,81;;max-conns=1\nbackend=127.0.0.1,82;;max-conns=1");
    struct exchange *x = routed(&r, &told);
    for (size_t i = 0; i < 2; i++) {
        block(&r, i, clock_ms() + 60000);
        assert_true(health_take_conn(rig_pool(&r, i)->health, 1));
    }
    assert_int_equal(targets_choose(x, &p), TARGET_LATER);
    health_give_conn(rig_pool(&r, 0)->health);
    assert_int_equal(chosen(&r, x, false), 0);
    health_give_conn(rig_pool(&r, 1)->health);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void who_finds_all_connections_in_use_waits(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    struct pool *p;
    rig_open(&r, "backend=127.0.0.1,81;;max-conns=2");
    struct exchange *x = routed(&r, &told);
    p = rig_pool(&r, 0);
    /* As another worker of the process has them. */
    assert_true(health_take_conn(p->health, 2) && health_take_conn(p->health, 2));
    assert_int_equal(targets_choose(x, &p), TARGET_LATER);
    health_give_conn(rig_pool(&r, 0)->health);
    assert_int_equal(chosen(&r, x, false), 0);
    health_give_conn(rig_pool(&r, 0)->health);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_take_turns),
        cmocka_unit_test(one_that_failed_lately_stands_back),
        cmocka_unit_test(what_was_tried_is_not_tried_again),
        cmocka_unit_test(what_was_not_tried_comes_first_even_when_it_stands_back),
        cmocka_unit_test(the_only_address_is_not_asked_again_while_it_stands_back),
        cmocka_unit_test(pools_of_addresses_that_stay_are_kept),
        cmocka_unit_test(a_pool_stays_only_where_it_is_spoken_to_in_the_same_way),
        cmocka_unit_test(sessions_do_not_outlive_what_verified_them),
        cmocka_unit_test(addresses_come_and_go),
        cmocka_unit_test(a_running_worker_gets_other_routes),
        cmocka_unit_test(who_finds_no_room_waits_for_it),
        cmocka_unit_test(who_waits_looks_once_more),
        cmocka_unit_test(nobody_waits_longer_than_the_time_out),
        cmocka_unit_test(who_waits_goes_by_the_new_routes),
        cmocka_unit_test(weights_count_for_those_who_wait),
        cmocka_unit_test(whoever_has_room_is_not_behind_those_who_have_not),
        cmocka_unit_test(retries_have_a_budget),
        cmocka_unit_test(what_is_offline_is_never_chosen),
        cmocka_unit_test(outliers_are_chosen_when_there_is_no_other),
        cmocka_unit_test(who_can_wait_for_a_good_one_needs_no_outlier),
        cmocka_unit_test(one_that_stands_back_and_is_full_is_waited_for),
        cmocka_unit_test(who_finds_all_connections_in_use_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
