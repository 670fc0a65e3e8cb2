/* The prober: checks, probes of an address that is offline, connections ahead of any request. */
#include "back/probe.h"

#include "back_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/clock.h"
#include "route/targets.h"

#define CHECKS ";fall=1;rise=1;health-path=/h;health-interval=100ms;health-timeout=2s"
#define QUICK  "backend-max-backoff=50ms\nbackend-keep-alive-timeout=60s"

static bool is_offline(const void *ctx)
{
    const struct pool *p = ctx;
    return health_is_offline(p->health, p->backend->cfg);
}

static bool is_online(const void *ctx)
{
    return !is_offline(ctx);
}

static void until(struct stage *s, bool (*done)(const void *))
{
    rig_until(&s->rig, done, stage_pool(s, 0));
}

/* The next check over HTTP/1.1: each has a connection of its own. */
static struct peer *next_check(struct stage *s)
{
    struct peer *p = stage_accept(s);
    peer_until_requests(p, 1);
    assert_int_equal(strncmp(p->seen, "GET /h HTTP/1.1\r\n", 17), 0);
    assert_non_null(strstr(p->seen, "user-agent: nghttpx-health-check\r\n"));
    return p;
}

static void the_status_of_a_check_decides(void **state)
{
    (void)state;
    static const struct {
        const char *params, *answer;
        bool good;
    } cases[] = {
        {"", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true},
        {"", "HTTP/1.1 399 Odd\r\ncontent-length: 0\r\n\r\n", true},
        {"", "HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n", false},
        {"", "HTTP/1.1 503 Ill\r\ncontent-length: 0\r\n\r\n", false},
        {"", "HTTP/1.1 503 Ill\r\ncontent-length: 5\r\n\r\n", false}, /* the head is enough */
        {"", "nonsense\r\n\r\n", false},
        {";health-status=204,500-599", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false},
        {";health-status=204,500-599", "HTTP/1.1 204 No\r\n\r\n", true},
        {";health-status=204,500-599", "HTTP/1.1 599 Ill\r\ncontent-length: 0\r\n\r\n", true},
        {";health-status=204,500-599", "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 204 No\r\n\r\n", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        char params[160];
        snprintf(params, sizeof(params), CHECKS "%s", cases[i].params);
        stage_open(&s, 1, params, QUICK, false);
        peer_say(next_check(&s), cases[i].answer);
        next_check(&s); /* the first one is decided then */
        if (is_offline(stage_pool(&s, 0)) == cases[i].good) {
            fail_msg("%s", cases[i].answer);
        }
        assert_false(health_is_silent(stage_pool(&s, 0)->health, stage_pool(&s, 0)->backend->cfg));
        stage_close(&s);
    }
}

static void a_body_that_is_too_long_is_cut_off(void **state)
{
    (void)state;
    struct stage s;
    char body[70000];
    memset(body, 'x', sizeof(body));
    stage_open(&s, 1, ";fall=1;rise=1;health-path=/h;health-interval=1h;health-timeout=1h", QUICK,
               false);
    struct peer *p = next_check(&s);
    peer_say(p, "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
    peer_send(p, body, 60000);
    rig_turn(&s.rig);
    assert_int_equal(stage_pool(&s, 0)->nconns, 1);
    peer_send(p, body, 10000);
    peer_until_gone(p);
    assert_false(is_offline(stage_pool(&s, 0)));
    stage_close(&s);
}

static void fall_and_rise_count_checks_in_a_row(void **state)
{
    (void)state;
    static const char good[] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    static const char bad[] = "HTTP/1.1 500 Ill\r\ncontent-length: 0\r\n\r\n";
    static const struct {
        const char *answer;
        bool offline;
    } steps[] = {{bad, false}, {good, false}, {bad, false}, {bad, true},
                 {good, true}, {bad, true},   {good, true}, {good, false}};
    struct stage s;
    stage_open(&s, 1, ";fall=2;rise=2;health-path=/h;health-interval=100ms", QUICK, false);
    struct peer *p = next_check(&s);
    for (size_t i = 0; i < COUNT(steps); i++) {
        peer_say(p, steps[i].answer);
        p = next_check(&s);
        assert_int_equal(is_offline(stage_pool(&s, 0)), steps[i].offline);
    }
    stage_close(&s);
}

static void a_check_without_an_answer_fails_in_time_and_is_silence(void **state)
{
    (void)state;
    static const char *const protos[] = {"", ";proto=h2"};
    for (size_t i = 0; i < COUNT(protos); i++) {
        struct stage s;
        char params[160];
        snprintf(params, sizeof(params),
                 ";fall=1;rise=1;health-path=/h;health-interval=1h;health-timeout=100ms%s",
                 protos[i]);
        stage_open(&s, 1, params, QUICK, false);
        uint64_t began = clock_ms();
        struct peer *p = stage_accept(&s);
        if (s.h2) {
            peer_flush(p);
        }
        until(&s, is_offline);
        assert_true(clock_ms() - began >= 90);
        assert_true(health_is_silent(stage_pool(&s, 0)->health, stage_pool(&s, 0)->backend->cfg));
        assert_int_equal(stage_pool(&s, 0)->load, 0);
        stage_close(&s);
    }
}

static void checks_over_http2_are_streams_beside_others(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, CHECKS ";proto=h2", QUICK, false);
    struct peer *p = stage_accept(&s);
    peer_flush(p);
    peer_until_streams(p, 1);
    assert_int_equal(stage_pool(&s, 0)->load, 0); /* it is nobody's */
    peer_answer(p, 0);
    peer_until_streams(p, 2);
    stage_request(&s, STAGE_GET);
    peer_until_streams(p, 3);
    assert_int_equal(stage_pool(&s, 0)->nconns, 1);
    assert_false(is_offline(stage_pool(&s, 0)));
    stage_close(&s);
}

/* It says nothing of the address, once; GOAWAY and REFUSED_STREAM are the same in that. */
static void a_check_that_was_not_processed_is_made_once_more(void **state)
{
    (void)state;
    for (int goaway = 0; goaway < 2; goaway++) {
        struct stage s;
        stage_open(&s, 1,
                   ";fall=1;rise=1;health-path=/h;health-interval=1h;health-timeout=1h;proto=h2",
                   QUICK, false);
        struct peer *p = stage_accept(&s);
        for (size_t i = 0; i < 2; i++) {
            peer_flush(p);
            peer_until_streams(p, goaway ? 1 : i + 1);
            assert_false(is_offline(stage_pool(&s, 0)));
            if (goaway) {
                assert_int_equal(h2_conn_close(p->engine, H2_NO_ERROR, 0, NULL, 0), H2_OK);
            } else {
                assert_int_equal(h2_conn_reset(p->engine, p->streams[i], H2_REFUSED_STREAM), H2_OK);
            }
            peer_flush(p);
            if (i == 0 && goaway) {
                p = stage_accept(&s);
            }
        }
        until(&s, is_offline);
        assert_int_equal(s.npeers, 1 + goaway);
        stage_close(&s);
    }
}

/* The connection that ends is still there, and no other one may be opened. */
static void a_check_that_cannot_be_repeated_for_lack_of_room_is_left_out(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1,
               ";max-conns=1;fall=1;rise=1;health-path=/h;health-interval=1h;health-timeout=1h;"
               "proto=h2",
               QUICK, false);
    struct peer *p = stage_accept(&s);
    peer_flush(p);
    peer_until_streams(p, 1);
    assert_int_equal(h2_conn_close(p->engine, H2_NO_ERROR, 0, NULL, 0), H2_OK);
    peer_flush(p);
    peer_until_gone(p);
    assert_false(is_offline(stage_pool(&s, 0)));
    stage_close(&s);
}

static bool has_come(const void *ctx)
{
    return clock_ms() >= *(const uint64_t *)ctx;
}

/* As busy as it may be: that is no reason to be offline, nor one for another connection. */
static void a_check_without_room_is_left_out(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, ";max-conns=1;fall=1;rise=1;health-path=/h;health-interval=100ms", QUICK,
               false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    peer_until_requests(p, 1);
    uint64_t then = clock_ms() + 200; /* three are due meanwhile */
    rig_until(&s.rig, has_come, &then);
    assert_false(is_offline(stage_pool(&s, 0)));
    assert_int_equal(s.npeers, 1);
    peer_say(p, PEER_OK);
    stage_until_done(&s, 0);
    next_check(&s);
    stage_close(&s);
}

/* ---------------------------------------------------------------- probes */

static void fall(struct stage *s)
{
    bool probes = false;
    pool_connect_failed(stage_pool(s, 0), &probes, false, "for a test");
    assert_true(is_offline(stage_pool(s, 0)));
}

static void the_connection_of_the_last_probe_stays(void **state)
{
    (void)state;
    static const char *const protos[] = {"", ";proto=h2"};
    for (size_t i = 0; i < COUNT(protos); i++) {
        struct stage s;
        char params[80];
        snprintf(params, sizeof(params), ";fall=1;rise=3%s", protos[i]);
        stage_open(&s, 1, params, QUICK, false);
        fall(&s);
        struct peer *p = NULL;
        for (int probe = 1; probe <= 3; probe++) {
            p = stage_accept(&s);
            if (s.h2) {
                assert_true(is_offline(stage_pool(&s, 0)));
                assert_false(back_h2_has_stream(stage_pool(&s, 0), NULL));
                peer_flush(p);
            }
            if (probe < 3) {
                peer_until_gone(p);
                assert_true(is_offline(stage_pool(&s, 0)));
            }
        }
        until(&s, is_online);
        stage_request(&s, STAGE_GET);
        if (s.h2) {
            peer_until_streams(p, 1);
        } else {
            peer_until_requests(p, 1);
        }
        assert_int_equal(s.npeers, 3);
        stage_close(&s);
    }
}

static void a_probe_of_http2_without_settings_is_a_bad_one(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, ";fall=1;rise=1;proto=h2", QUICK "\nbackend-http2-settings-timeout=400ms",
               false);
    fall(&s);
    struct peer *p = stage_accept(&s);
    peer_until_gone(p);
    assert_true(is_offline(stage_pool(&s, 0)));
    peer_flush(stage_accept(&s)); /* the next one */
    until(&s, is_online);
    stage_close(&s);
}

static void who_is_offline_for_good_is_not_probed(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, ";fall=1", QUICK, false);
    fall(&s);
    probe_wake(stage_pool(&s, 0));
    stage_request(&s, STAGE_GET);
    assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_OFFLINE);
    assert_int_equal(stage_pool(&s, 0)->nconns, 0);
    assert_int_equal(s.rig.worker->wheel.armed, 0); /* nothing is to happen */
    stage_close(&s);
}

/* ---------------------------------------------------------------- warm-up */

static void connections_are_opened_ahead_of_requests(void **state)
{
    (void)state;
    static const char *const params[] = {";warm-up=2", ";warm-up=2;proto=h2"};
    for (size_t i = 0; i < COUNT(params); i++) {
        struct stage s;
        stage_open(&s, 1, params[i], QUICK, false);
        struct peer *first = stage_accept(&s), *second = stage_accept(&s);
        if (s.h2) {
            peer_flush(first);
            peer_flush(second);
        }
        stage_request(&s, STAGE_GET);
        stage_request(&s, STAGE_GET);
        if (s.h2) {
            peer_until_streams(first, 2);
        } else {
            peer_until_requests(first, 1);
            peer_until_requests(second, 1);
        }
        assert_int_equal(s.npeers, 2);
        stage_close(&s);
    }
}

static void who_comes_back_is_warmed_up_again(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, ";warm-up=2;fall=1;rise=1", QUICK, false);
    struct peer *first = stage_accept(&s), *second = stage_accept(&s);
    stage_until_conns(&s, 0, 2);
    peer_close(first);
    peer_close(second);
    stage_until_conns(&s, 0, 0);
    fall(&s);
    until(&s, is_online);
    stage_accept(&s);
    stage_accept(&s);
    stage_until_conns(&s, 0, 2);
    stage_close(&s);
}

static void a_pool_that_closes_what_is_idle_is_not_probed_any_more(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, CHECKS, QUICK, false);
    struct peer *p = next_check(&s);
    pool_close_idle(stage_pool(&s, 0));
    peer_until_gone(p);
    assert_int_equal(stage_pool(&s, 0)->nconns, 0);
    assert_false(is_offline(stage_pool(&s, 0))); /* it was not found to be ill */
    probe_wake(stage_pool(&s, 0));
    assert_int_equal(stage_pool(&s, 0)->nconns, 0);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_of_a_check_decides),
        cmocka_unit_test(a_body_that_is_too_long_is_cut_off),
        cmocka_unit_test(fall_and_rise_count_checks_in_a_row),
        cmocka_unit_test(a_check_without_an_answer_fails_in_time_and_is_silence),
        cmocka_unit_test(checks_over_http2_are_streams_beside_others),
        cmocka_unit_test(a_check_that_was_not_processed_is_made_once_more),
        cmocka_unit_test(a_check_that_cannot_be_repeated_for_lack_of_room_is_left_out),
        cmocka_unit_test(a_check_without_room_is_left_out),
        cmocka_unit_test(the_connection_of_the_last_probe_stays),
        cmocka_unit_test(a_probe_of_http2_without_settings_is_a_bad_one),
        cmocka_unit_test(who_is_offline_for_good_is_not_probed),
        cmocka_unit_test(connections_are_opened_ahead_of_requests),
        cmocka_unit_test(who_comes_back_is_warmed_up_again),
        cmocka_unit_test(a_pool_that_closes_what_is_idle_is_not_probed_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
