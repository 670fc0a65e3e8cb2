/* Pools: who gives a connection away, what makes room, what failures mean, and what is said of
 * them. */
#include "back_testing.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "back/probe.h"
#include "net/clock.h"
#include "ops/log.h"
#include "route/targets.h"

#define KEPT "backend-keep-alive-timeout=60s"

/* Connections that each carry a request. */
static void busy(struct stage *s, struct peer **peers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        stage_request(s, STAGE_GET);
        peers[i] = stage_accept(s);
        if (s->h2) {
            peer_flush(peers[i]);
            peer_until_streams(peers[i], 1);
        } else {
            peer_until_requests(peers[i], 1);
        }
    }
}

static void finish(struct stage *s, struct peer *p, size_t i)
{
    if (s->h2) {
        peer_answer(p, 0);
    } else {
        peer_say(p, PEER_OK);
    }
    stage_until_done(s, i);
    stage_end(s, i);
}

/* ---------------------------------------------------------------- giving */

static void idle_connections_are_given_to_workers_that_wait(void **state)
{
    (void)state;
    static const struct {
        const char *workers;
        unsigned most, has, waits; /* max-conns, connections, requests that wait here, too */
        unsigned left[2];          /* after one call, and after two */
    } cases[] = {
        {"workers=2", 2, 2, 0, {1, 1}}, /* then there is room for the other one */
        {"workers=2", 2, 2, 1, {1, 1}}, /* more than its share */
        {"workers=1", 2, 2, 1, {2, 2}}, /* its share, and it needs it */
        {"workers=1", 2, 2, 0, {1, 1}}, /* it does not */
        {"workers=3", 2, 2, 1, {1, 1}}, /* fewer than workers: they take turns */
        {"workers=2", 4, 2, 0, {2, 2}}, /* the other one may open its own */
        {"workers=2", 0, 2, 0, {2, 2}}, /* no limit */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        struct peer *peers[2];
        char params[40], options[80];
        snprintf(params, sizeof(params), ";max-conns=%u", cases[i].most);
        snprintf(options, sizeof(options), KEPT "\n%s", cases[i].workers);
        stage_open(&s, 1, params, options, false);
        busy(&s, peers, 2);
        finish(&s, peers[0], 0);
        finish(&s, peers[1], 1);
        assert_int_equal(stage_pool(&s, 0)->nidle, 2);
        for (size_t j = 0; j < 2; j++) {
            atomic_store(&s.rig.worker->nwaiting, cases[i].waits);
            pool_yield(stage_pool(&s, 0));
            atomic_store(&s.rig.worker->nwaiting, 0);
            if (stage_pool(&s, 0)->nconns != cases[i].left[j]) {
                fail_msg("case %zu: %u connections", i, stage_pool(&s, 0)->nconns);
            }
        }
        stage_close(&s);
    }
}

static void of_http2_connections_in_use_one_at_a_time_is_given(void **state)
{
    (void)state;
    struct stage s;
    struct peer *peers[3];
    stage_open(&s, 1, ";proto=h2;max-conns=3", "workers=3", false);
    s.h2_options.max_concurrent_streams = 1;
    busy(&s, peers, 3);
    struct pool *p = stage_pool(&s, 0);
    pool_yield(p);
    pool_yield(p); /* the one is on its way */
    size_t takes = 0;
    list_each(node, &p->h2)
    {
        takes++;
    }
    assert_int_equal(takes, 2);
    finish(&s, peers[0], 0);
    peer_until_gone(peers[0]);
    assert_int_equal(p->nconns, 2);
    stage_request(&s, STAGE_GET); /* there is room again */
    peers[0] = stage_accept(&s);
    peer_flush(peers[0]);
    peer_until_streams(peers[0], 1);
    assert_false(peers[1]->gone || peers[2]->gone);
    stage_close(&s);
}

/* The one that is on its way out has a response that takes its time. */
static void an_unused_http2_connection_is_given_though_another_one_ends(void **state)
{
    (void)state;
    struct stage s;
    struct peer *peers[3];
    stage_open(&s, 1, ";proto=h2;max-conns=3", "workers=3", false);
    s.h2_options.max_concurrent_streams = 1;
    busy(&s, peers, 3);
    struct pool *p = stage_pool(&s, 0);
    pool_yield(p);
    finish(&s, peers[1], 1);
    finish(&s, peers[2], 2);
    assert_int_equal(p->nconns, 3);
    pool_yield(p);
    pool_yield(p); /* one at a time */
    stage_until_conns(&s, 0, 2);
    assert_false(peers[0]->gone);
    pool_yield(p); /* the other worker may open its own now */
    rig_turn(&s.rig);
    assert_int_equal(p->nconns, 2);
    stage_close(&s);
}

static void a_connection_within_the_share_is_not_given_while_it_is_used(void **state)
{
    (void)state;
    struct stage s;
    struct peer *peers[2];
    stage_open(&s, 1, ";proto=h2;max-conns=2", "workers=1", false);
    s.h2_options.max_concurrent_streams = 1;
    busy(&s, peers, 2);
    pool_yield(stage_pool(&s, 0));
    finish(&s, peers[0], 0);
    rig_turn(&s.rig);
    assert_int_equal(stage_pool(&s, 0)->nconns, 2);
    pool_yield(stage_pool(&s, 0)); /* the one that is unused */
    stage_until_conns(&s, 0, 1);
    assert_false(peers[1]->gone);
    stage_close(&s);
}

/* Whoever asked for it has left: connecting may take as long as nobody answers. */
static void what_is_opened_for_nobody_any_more_is_given_at_once(void **state)
{
    (void)state;
    static const char *const params[] = {";proto=h2;max-conns=1",
                                         ";proto=h2;max-conns=1;send-proxy=v1"};
    for (size_t i = 0; i < COUNT(params); i++) {
        struct stage s;
        stage_open(&s, 1, params[i], "", false);
        stage_request(&s, STAGE_GET);
        stage_end(&s, 0);
        assert_int_equal(stage_pool(&s, 0)->nconns, 1);
        if (i == 0) {
            pool_yield(stage_pool(&s, 0));
        } else {
            back_client_gone(&s.rig.client);
        }
        assert_int_equal(stage_pool(&s, 0)->nconns, 0);
        stage_close(&s);
    }
}

/* ---------------------------------------------------------------- room */

static void what_needs_a_new_connection_gets_the_place_of_an_idle_one(void **state)
{
    (void)state;
    struct stage s;
    struct peer *peers[2];
    stage_open(&s, 1, ";max-conns=2", KEPT, false);
    busy(&s, peers, 2);
    finish(&s, peers[0], 0);
    finish(&s, peers[1], 1);
    stage_request(&s, "GET / HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: foo\n");
    struct peer *p = stage_accept(&s);
    peer_until_requests(p, 1);
    peer_until_gone(peers[0]); /* the one that had waited longer */
    assert_false(peers[1]->gone);
    assert_int_equal(stage_pool(&s, 0)->nconns, 2);
    stage_close(&s);
}

static void who_waits_is_served_when_a_connection_is_free(void **state)
{
    (void)state;
    static const char *const params[] = {";max-conns=1", ";max-conns=1;proto=h2"};
    for (size_t i = 0; i < COUNT(params); i++) {
        struct stage s;
        struct peer *p;
        stage_open(&s, 1, params[i], KEPT, false);
        s.h2_options.max_concurrent_streams = 1;
        busy(&s, &p, 1);
        stage_request(&s, STAGE_GET);
        assert_int_equal(s.rig.worker->nwaiting, 1);
        finish(&s, p, 0);
        if (s.h2) {
            peer_until_streams(p, 2);
        } else {
            peer_until_requests(p, 2);
        }
        assert_int_equal(s.rig.worker->nwaiting, 0);
        assert_int_equal(s.npeers, 1);
        stage_close(&s);
    }
}

static void a_clients_own_connections_go_with_it(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, ";proto=h2;send-proxy=v1", "", false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    assert_false(back_h2_has_unused(stage_pool(&s, 0)));
    stage_end(&s, 0);
    assert_true(back_h2_has_unused(stage_pool(&s, 0)));
    assert_true(back_h2_has_stream(stage_pool(&s, 0), &s.rig.client));
    assert_false(back_h2_has_stream(stage_pool(&s, 0), NULL));
    back_client_gone(&s.rig.client);
    assert_false(back_h2_has_stream(stage_pool(&s, 0), &s.rig.client));
    peer_until_gone(p);
    assert_int_equal(strncmp(p->seen, "PROXY ", 6), 0);
    stage_close(&s);
}

static void a_closed_pool_has_nothing_left(void **state)
{
    (void)state;
    static const char *const params[] = {"", ";proto=h2"};
    for (size_t i = 0; i < COUNT(params); i++) {
        struct stage s;
        struct peer *p;
        stage_open(&s, 1, params[i], KEPT, false);
        busy(&s, &p, 1);
        finish(&s, p, 0);
        assert_true(back_open(stage_pool(&s, 0), false));
        assert_int_equal(stage_pool(&s, 0)->nconns, 2);
        pool_close_all(stage_pool(&s, 0));
        assert_int_equal(stage_pool(&s, 0)->nconns, 0);
        peer_until_gone(p);
        stage_close(&s);
    }
}

static bool has_come(const void *ctx)
{
    return clock_ms() >= *(const uint64_t *)ctx;
}

/* Its queue of connections is full: another one is not answered (and not refused). */
static int fill_queue(struct stage *s, size_t server)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ev_io_stop(s->rig.worker->loop, &s->ios[server]);
    assert_int_equal(listen(s->listeners[server], 0), 0);
    assert_int_equal(getsockname(s->listeners[server], (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), 0);
    return fd;
}

static void who_is_not_connected_yet_leaves_a_silent_backend_whatever_it_asks(void **state)
{
    (void)state;
    static const char *const protos[] = {"", ";proto=h2"};
    for (size_t i = 0; i < COUNT(protos); i++) {
        struct stage s;
        struct peer *p;
        char params[100];
        snprintf(params, sizeof(params), ";fall=1;health-path=/h;health-timeout=100ms%s",
                 protos[i]);
        /* While it is being connected to, there is nothing to be read. */
        stage_open(&s, 2, params, i == 0 ? "backend-read-timeout=50ms" : "", false);
        probe_stop(stage_pool(&s, 0));
        probe_stop(stage_pool(&s, 1));
        busy(&s, &p, 1);
        int fd = fill_queue(&s, 1 - p->server);
        stage_request(&s, STAGE_POST);
        struct pool *full = stage_pool(&s, 1 - p->server);
        assert_ptr_equal(s.x[1]->pool, full);
        uint64_t later = clock_ms() + 250;
        rig_until(&s.rig, has_come, &later);
        health_checked(full->health, full->backend->cfg, HEALTH_SILENT);
        if (s.h2) {
            peer_until_streams(p, 2);
        } else {
            peer_until_requests(stage_accept(&s), 1);
        }
        assert_int_equal(s.told[1].aborts, 0);
        assert_int_equal(full->nconns, 0);
        stage_close(&s);
        close(fd);
    }
}

/* ---------------------------------------------------------------- what failures mean */

static void what_a_closed_connection_means(void **state)
{
    (void)state;
    static const struct {
        enum exchange_error why;
        bool kept, answered;
        enum exchange_error means;
    } cases[] = {
        {EXCHANGE_BACKEND_GONE, false, false, EXCHANGE_BACKEND_NO_ANSWER},
        {EXCHANGE_BACKEND_GONE, true, false, EXCHANGE_BACKEND_GONE},
        {EXCHANGE_BACKEND_GONE, false, true, EXCHANGE_BACKEND_GONE},
        {EXCHANGE_BACKEND_TIMEOUT, false, false, EXCHANGE_BACKEND_TIMEOUT},
        {EXCHANGE_BACKEND_PROTOCOL, true, false, EXCHANGE_BACKEND_PROTOCOL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum exchange_error e = back_death(cases[i].why, cases[i].kept, cases[i].answered);
        assert_int_equal(e, cases[i].means);
    }
    assert_int_equal(back_error(CONN_ERR_CONNECT), EXCHANGE_BACKEND_CONNECT);
    assert_int_equal(back_error(CONN_ERR_CONNECT_TIMEOUT), EXCHANGE_BACKEND_CONNECT_TIMEOUT);
    assert_int_equal(back_error(CONN_ERR_TLS), EXCHANGE_BACKEND_TLS);
    assert_int_equal(back_error(CONN_ERR_WRITE_TIMEOUT), EXCHANGE_BACKEND_TIMEOUT);
    assert_int_equal(back_error(CONN_ERR_IO), EXCHANGE_BACKEND_GONE);
}

/* ---------------------------------------------------------------- what is said of it */

static char said[4096];

static void hear(enum cfg_log_level level, const char *text, void *arg)
{
    (void)arg;
    size_t n = strlen(said);
    snprintf(said + n, sizeof(said) - n, "%d %s\n", (int)level, text);
}

/* A stage whose messages are heard. */
static void open_heard(struct stage *s, const char *params)
{
    stage_open(s, 1, params, "log-level=NOTICE", true);
    said[0] = '\0';
    log_divert(hear, NULL);
}

static void close_heard(struct stage *s)
{
    log_divert(NULL, NULL);
    stage_close(s);
}

static void expect_said(struct stage *s, enum cfg_log_level level, const char *what)
{
    char line[400];
    snprintf(line, sizeof(line), "%d backend %s: %s\n", (int)level, stage_pool(s, 0)->text, what);
    if (strcmp(said, *what != '\0' ? line : "") != 0) {
        fail_msg("%s, not %s", said, line);
    }
    said[0] = '\0';
}

static void fail_connect(struct stage *s)
{
    bool probes = false;
    atomic_store(&stage_pool(s, 0)->health->slot->blocked_until, 0);
    pool_connect_failed(stage_pool(s, 0), &probes, false, "for a test");
}

static void failed_connects_are_told_ever_less_often(void **state)
{
    (void)state;
    struct stage s;
    open_heard(&s, "");
    for (unsigned i = 1; i <= 17; i++) {
        char text[80] = "";
        if (i == 1 || i == 2 || i == 4 || i == 8 || i == 16) {
            snprintf(text, sizeof(text), "no connection: for a test (%u in a row)", i);
        }
        fail_connect(&s);
        expect_said(&s, CFG_LOG_WARN, text);
    }
    close_heard(&s);
}

static void who_comes_back_is_told_once(void **state)
{
    (void)state;
    struct stage s;
    open_heard(&s, ";outlier=5xx:1");
    fail_connect(&s);
    fail_connect(&s);
    fail_connect(&s);
    said[0] = '\0';
    pool_connected(stage_pool(&s, 0));
    expect_said(&s, CFG_LOG_NOTICE, "connected again, after 3 failures in a row");
    pool_connected(stage_pool(&s, 0));
    expect_said(&s, CFG_LOG_NOTICE, "");

    pool_answered(stage_pool(&s, 0), 500);
    expect_said(&s, CFG_LOG_WARN, "left out for 30 s: 1 responses with 5xx in a row");
    pool_answered(stage_pool(&s, 0), 200);
    expect_said(&s, CFG_LOG_NOTICE, ""); /* what was on its way */
    atomic_store(&stage_pool(&s, 0)->health->slot->ejected_until, clock_ms() - 1);
    pool_answered(stage_pool(&s, 0), 200);
    expect_said(&s, CFG_LOG_NOTICE, "not left out any more");
    pool_answered(stage_pool(&s, 0), 200);
    expect_said(&s, CFG_LOG_NOTICE, "");
    close_heard(&s);
}

static void a_probe_that_fails_is_told_to_the_prober_only(void **state)
{
    (void)state;
    struct stage s;
    bool probes = true;
    open_heard(&s, "");
    pool_connect_failed(stage_pool(&s, 0), &probes, false, "for a test");
    assert_false(probes);
    expect_said(&s, CFG_LOG_WARN, "");
    assert_int_equal(health_blocked_until(stage_pool(&s, 0)->health), 0);
    pool_connect_failed(stage_pool(&s, 0), &probes, false, "for a test");
    expect_said(&s, CFG_LOG_WARN, "no connection: for a test (1 in a row)");
    close_heard(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_connections_are_given_to_workers_that_wait),
        cmocka_unit_test(of_http2_connections_in_use_one_at_a_time_is_given),
        cmocka_unit_test(an_unused_http2_connection_is_given_though_another_one_ends),
        cmocka_unit_test(a_connection_within_the_share_is_not_given_while_it_is_used),
        cmocka_unit_test(what_is_opened_for_nobody_any_more_is_given_at_once),
        cmocka_unit_test(what_needs_a_new_connection_gets_the_place_of_an_idle_one),
        cmocka_unit_test(who_waits_is_served_when_a_connection_is_free),
        cmocka_unit_test(a_clients_own_connections_go_with_it),
        cmocka_unit_test(a_closed_pool_has_nothing_left),
        cmocka_unit_test(who_is_not_connected_yet_leaves_a_silent_backend_whatever_it_asks),
        cmocka_unit_test(what_a_closed_connection_means),
        cmocka_unit_test(failed_connects_are_told_ever_less_often),
        cmocka_unit_test(who_comes_back_is_told_once),
        cmocka_unit_test(a_probe_that_fails_is_told_to_the_prober_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
