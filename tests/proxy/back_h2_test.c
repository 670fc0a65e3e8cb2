/* Connections to HTTP/2 backends: streams, those who wait for one, and what becomes of them. */
#include "back/back_h2_internal.h"
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
#include "back/probe.h"
#include "route/targets.h"

#define H2        ";proto=h2"
#define WEBSOCKET ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a\n:path: /\n"

static struct back_h2 *first_back(struct stage *s, size_t server)
{
    assert_false(list_empty(&stage_pool(s, server)->connections));
    return container_of(stage_pool(s, server)->connections.next, struct back_h2, pool_node);
}

/* A connection on which a request was answered. */
static struct peer *used(struct stage *s)
{
    size_t i = s->nx;
    stage_request(s, STAGE_GET);
    struct peer *p = stage_accept(s);
    peer_flush(p);
    peer_until_streams(p, 1);
    peer_answer(p, 0);
    stage_until_done(s, i);
    stage_end(s, i);
    assert_true(first_back(s, p->server)->settings_seen);
    return p;
}

static void requests_share_a_connection(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, H2, "", false);
    for (int i = 0; i < 3; i++) {
        stage_request(&s, STAGE_GET);
    }
    struct peer *p = stage_accept(&s);
    peer_until_streams(p, 1);
    assert_int_equal(first_back(&s, 0)->nwaiting, 2); /* before SETTINGS one goes ahead */
    peer_flush(p);
    peer_until_streams(p, 3);
    for (size_t i = 3; i-- > 0;) {
        peer_answer(p, i);
        stage_until_done(&s, i);
    }
    assert_int_equal(s.npeers, 1);
    assert_int_equal(stage_pool(&s, 0)->nconns, 1);
    stage_close(&s);
}

static void when_streams_run_out_there_is_another_connection(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, H2, "", false);
    s.h2_options.max_concurrent_streams = 2;
    for (int i = 0; i < 5; i++) {
        stage_request(&s, STAGE_GET);
    }
    unsigned seen = 0;
    for (int i = 0; i < 3; i++) {
        struct peer *p = stage_accept(&s);
        peer_flush(p);
        peer_until_streams(p, i < 2 ? 2 : 1);
        seen += (unsigned)p->nstreams;
    }
    assert_int_equal(seen, 5);
    assert_int_equal(stage_pool(&s, 0)->nconns, 3);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(s.x[i]->tries, 1); /* waiting in vain was no try */
    }
    stage_close(&s);
}

/* RFC 9113, 6.5.2: another connection would only hear the same. */
static void a_backend_without_any_stream_is_left_alone_at_once(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, H2, "", false);
    s.h2_options.max_concurrent_streams = 0;
    s.h2_options.enable_connect_protocol = true;
    for (int i = 0; i < 3; i++) {
        stage_request(&s, WEBSOCKET); /* none goes ahead: the SETTINGS decide whether it may */
    }
    assert_int_equal(first_back(&s, 0)->nwaiting, 3);
    struct peer *p = stage_accept(&s);
    peer_flush(p);
    for (size_t i = 0; i < 3; i++) {
        stage_until_failed(&s, i);
        assert_int_equal(s.told[i].why, EXCHANGE_BACKEND_CONNECT);
    }
    peer_until_gone(p);
    assert_int_equal(s.npeers, 1);
    assert_true(health_blocked_until(stage_pool(&s, 0)->health) > clock_ms());
    stage_close(&s);
}

static void a_websocket_goes_to_a_backend_that_takes_it(void **state)
{
    (void)state;
    for (int offered = 0; offered < 2; offered++) {
        struct stage s;
        stage_open(&s, 1, H2, "", false);
        s.h2_options.enable_connect_protocol = offered;
        stage_request(&s, WEBSOCKET);
        struct peer *p = stage_accept(&s);
        peer_flush(p);
        if (offered) {
            peer_until_streams(p, 1);
        } else {
            stage_until_failed(&s, 0);
            assert_int_equal(exchange_status_of_error(s.x[0]), 502);
            stage_request(&s, WEBSOCKET); /* now that it is known */
            assert_int_equal(s.told[1].aborts, 1);
            assert_int_equal(p->nstreams, 0);
        }
        stage_close(&s);
    }
}

/* Behind one address there may be several, of which some are newer. */
static void a_websocket_goes_over_the_connection_that_takes_it(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, H2, "", false);
    s.h2_options.max_concurrent_streams = 1;
    stage_request(&s, STAGE_GET);
    struct peer *old = stage_accept(&s);
    peer_flush(old);
    peer_until_streams(old, 1);
    stage_request(&s, STAGE_GET);
    s.h2_options.max_concurrent_streams = 2;
    s.h2_options.enable_connect_protocol = true;
    struct peer *new = stage_accept(&s);
    peer_flush(new);
    peer_until_streams(new, 1);
    peer_answer(old, 0);
    peer_answer(new, 0);
    stage_until_done(&s, 0);
    stage_until_done(&s, 1);
    stage_request(&s, WEBSOCKET);
    stage_request(&s, WEBSOCKET);
    peer_until_streams(new, 3);
    assert_int_equal(old->nstreams, 1);
    assert_int_equal(s.npeers, 2);
    stage_close(&s);
}

/* Each on a connection that has answered one before, or on one that has not. */
static void where_a_request_goes_whose_connection_dies(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool served, again;
        enum exchange_error why;
    } cases[] = {
        {STAGE_GET, true, true, EXCHANGE_OK},
        {STAGE_GET, false, true, EXCHANGE_OK},
        {STAGE_POST, true, false, EXCHANGE_BACKEND_GONE},
        {STAGE_POST, false, false, EXCHANGE_BACKEND_NO_ANSWER},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        struct peer *p;
        stage_open(&s, 2, H2, "", false);
        if (cases[i].served) {
            p = used(&s);
            used(&s);
            s.nx = 0;
            stage_request(&s, cases[i].request);
            peer_until_streams(p, 2);
        } else {
            stage_request(&s, cases[i].request);
            p = stage_accept(&s);
            peer_flush(p);
            peer_until_streams(p, 1);
        }
        peer_close(p);
        if (cases[i].again) {
            struct peer *other = cases[i].served ? s.peers[1] : stage_accept(&s);
            peer_until_streams(other, cases[i].served ? 2 : 1);
            assert_int_not_equal(other->server, p->server);
            assert_int_equal(s.told[0].aborts, 0);
        } else {
            stage_until_failed(&s, 0);
            assert_int_equal(s.told[0].why, cases[i].why);
        }
        stage_close(&s);
    }
}

/* RFC 9113, 8.7: REFUSED_STREAM says that it was not processed, and other codes do not. */
static void a_refused_stream_goes_elsewhere_and_a_reset_one_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        enum h2_code code;
        bool again;
    } cases[] = {{STAGE_POST, H2_REFUSED_STREAM, true},
                 {STAGE_GET, H2_REFUSED_STREAM, true},
                 {STAGE_GET, H2_INTERNAL_ERROR, false},
                 {STAGE_POST, H2_CANCEL, false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        stage_open(&s, 2, H2, "", false);
        stage_request(&s, cases[i].request);
        struct peer *p = stage_accept(&s);
        peer_flush(p);
        peer_until_streams(p, 1);
        assert_int_equal(h2_conn_reset(p->engine, p->streams[0], cases[i].code), H2_OK);
        peer_flush(p);
        if (cases[i].again) {
            struct peer *other = stage_accept(&s);
            assert_int_not_equal(other->server, p->server);
            peer_flush(other);
            peer_until_streams(other, 1);
            assert_int_equal(s.told[0].aborts, 0);
        } else {
            stage_until_failed(&s, 0);
            assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_RESET);
            assert_int_equal(s.npeers, 1);
        }
        assert_int_equal(stage_pool(&s, p->server)->nconns, 1); /* it goes on */
        stage_close(&s);
    }
}

/* RFC 9113, 6.8: what is above the last stream was not acted on; what is below goes on. */
static void goaway_sends_on_what_was_not_taken(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, H2, "", false);
    struct peer *p = used(&s), *other = used(&s);
    s.nx = 0;
    stage_request(&s, STAGE_POST);
    peer_until_streams(p, 2);
    stage_request(&s, STAGE_POST); /* the other one's turn */
    peer_until_streams(other, 2);
    stage_request(&s, STAGE_POST);
    peer_until_streams(p, 3);
    assert_int_equal(h2_conn_close(p->engine, H2_NO_ERROR, p->streams[1], NULL, 0), H2_OK);
    peer_flush(p);
    peer_until_streams(other, 3);
    assert_true(s.told[0].aborts + s.told[2].aborts == 0);
    assert_int_equal(stage_pool(&s, p->server)->load, 1);
    assert_true(list_empty(&stage_pool(&s, p->server)->h2));
    peer_close(p);
    stage_until_failed(&s, 0);
    assert_int_equal(s.told[2].aborts, 0);
    stage_close(&s);
}

static void a_connection_that_breaks_the_protocol_is_closed(void **state)
{
    (void)state;
    static const uint8_t data_on_0[] = {0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct stage s;
    stage_open(&s, 2, H2, "", false);
    struct peer *p = used(&s);
    used(&s);
    s.nx = 0;
    stage_request(&s, STAGE_GET);
    peer_until_streams(p, 2);
    peer_send(p, data_on_0, sizeof(data_on_0));
    stage_until_failed(&s, 0);
    assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_PROTOCOL);
    peer_until_gone(p);
    assert_int_equal(stage_pool(&s, p->server)->nconns, 0);
    stage_close(&s);
}

static void interim_responses_have_a_limit(void **state)
{
    (void)state;
    static const struct h2_field hints = {.name = ":status",
                                          .name_len = 7,
                                          .value = "103",
                                          .value_len = 3,
                                          .token = H2_TOKEN_PSEUDO_STATUS};
    struct stage s;
    stage_open(&s, 1, H2, "", false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    peer_flush(p);
    peer_until_streams(p, 1);
    for (int i = 0; i <= EXCHANGE_MAX_INTERIM; i++) {
        assert_int_equal(h2_conn_respond(p->engine, p->streams[0], &hints, 1, false), H2_OK);
    }
    peer_flush(p);
    stage_until_failed(&s, 0);
    assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_PROTOCOL);
    assert_int_equal(s.told[0].heads, EXCHANGE_MAX_INTERIM);
    peer_until_resets(p, 1);
    stage_close(&s);
}

static void an_exchange_that_leaves_resets_its_stream_only(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, H2, "", false);
    struct peer *p = used(&s);
    s.nx = 0;
    stage_request(&s, STAGE_GET);
    stage_request(&s, STAGE_GET);
    peer_until_streams(p, 3);
    stage_end(&s, 0);
    peer_until_resets(p, 1);
    peer_answer(p, 2);
    stage_until_done(&s, 1);
    assert_int_equal(stage_pool(&s, 0)->nconns, 1);
    stage_close(&s);
}

/* They are part of being connected: whoever only accepts counts as one that cannot be reached. */
static void settings_that_do_not_come_end_the_connection(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, H2 ";fall=2", "backend-http2-settings-timeout=100ms", false);
    const struct pool *pool = stage_pool(&s, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_false(health_is_offline(pool->health, pool->backend->cfg));
        stage_request(&s, STAGE_POST);
        struct peer *p = stage_accept(&s);
        stage_until_failed(&s, i);
        assert_int_equal(s.told[i].why, EXCHANGE_BACKEND_TIMEOUT);
        peer_until_gone(p);
        assert_true(health_blocked_until(pool->health) > clock_ms());
        atomic_store(&pool->health->slot->blocked_until, 0);
    }
    assert_true(health_is_silent(pool->health, pool->backend->cfg));
    stage_close(&s);
}

/* One POST has gone ahead and may have been done; the other one has not been sent. */
static void who_waits_for_settings_leaves_a_silent_backend(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, H2 ";fall=1;health-path=/h;health-timeout=100ms",
               "backend-http2-settings-timeout=60s", false);
    probe_stop(stage_pool(&s, 0));
    probe_stop(stage_pool(&s, 1));
    for (int i = 0; i < 4; i++) {
        stage_request(&s, STAGE_POST);
    }
    struct peer *p = stage_accept(&s), *other = stage_accept(&s);
    peer_flush(other);
    peer_until_streams(other, 2);
    peer_until_streams(p, 1);
    struct pool *pool = stage_pool(&s, p->server);
    health_checked(pool->health, pool->backend->cfg, HEALTH_SILENT);
    peer_until_streams(other, 3);
    assert_int_equal(pool->load, 1);
    assert_true(list_empty(&pool->h2));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(s.told[i].aborts, 0);
    }
    stage_close(&s);
}

static void who_stays_silent_is_not_asked_a_second_time(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, H2, "backend-http2-settings-timeout=100ms", false);
    for (int i = 0; i < 4; i++) {
        stage_request(&s, STAGE_POST); /* to each, one that goes ahead and one that waits */
    }
    for (size_t i = 0; i < 4; i++) {
        stage_until_failed(&s, i);
        assert_int_equal(s.told[i].why, EXCHANGE_BACKEND_TIMEOUT);
        assert_true(s.x[i]->tries <= 2);
    }
    stage_close(&s);
}

static void settings_that_come_end_a_back_off(void **state)
{
    (void)state;
    struct stage s;
    bool probes = false;
    stage_open(&s, 1, H2, "", false);
    struct health *h = stage_pool(&s, 0)->health;
    pool_connect_failed(stage_pool(&s, 0), &probes, false, "for a test");
    stage_request(&s, STAGE_GET); /* there is no other one */
    struct peer *p = stage_accept(&s);
    peer_until_streams(p, 1);
    assert_true(health_blocked_until(h) > 0);
    peer_flush(p);
    peer_answer(p, 0);
    stage_until_done(&s, 0);
    assert_int_equal(health_blocked_until(h), 0);
    stage_close(&s);
}

static void a_response_that_stalls_times_out_with_its_stream(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, H2, "backend-stream-read-timeout=100ms", false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    peer_flush(p);
    stage_until_failed(&s, 0);
    assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_TIMEOUT);
    peer_until_resets(p, 1);
    assert_int_equal(stage_pool(&s, 0)->nconns, 1);
    stage_close(&s);
}

/* ---------------------------------------------------------------- backends that say nothing any
 * more */

/* As if nothing had been heard for so long; the timer fires. */
static void pass(struct peer *p, struct back_h2 *b, uint64_t ms)
{
    p->speaks = false; /* nor is anything said to what comes of it */
    b->heard -= ms;
    b->moved -= ms;
    b->answer_by = b->answer_by > ms ? b->answer_by - ms : 0;
    back_h2_on_timeout(&b->timer);
}

static void a_ping_that_is_answered_changes_nothing(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, H2, "", false);
    struct peer *p = used(&s), *other = used(&s);
    s.nx = 0;
    stage_request(&s, STAGE_GET);
    peer_until_streams(p, 2);
    struct back_h2 *b = first_back(&s, p->server);
    pass(p, b, 9000);
    assert_int_equal(b->answer_by, 0); /* not yet */
    pass(p, b, 1000);
    peer_until_pings(p, 1);
    assert_true(b->answer_by > 0 && !b->asked_unused);
    peer_flush(p);
    peer_answer(p, 1);
    stage_until_done(&s, 0);
    assert_int_equal(b->answer_by, 0);
    assert_int_equal(other->nstreams, 1);
    assert_false(list_empty(&b->node)); /* it takes others */
    stage_close(&s);
}

static void what_another_backend_can_answer_leaves_one_that_answers_no_ping(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, H2, "", false);
    struct peer *p = used(&s), *other = used(&s);
    s.nx = 0;
    stage_request(&s, STAGE_GET);
    peer_until_streams(p, 2);
    stage_request(&s, STAGE_GET);
    stage_request(&s, STAGE_POST);
    peer_until_streams(p, 3);
    peer_until_streams(other, 2);
    struct back_h2 *b = first_back(&s, p->server);
    pass(p, b, 10000);
    uint64_t moved = b->moved;
    peer_until_pings(p, 1);
    exchange_push_up(s.x[2], (const uint8_t *)"a", 1);
    rig_turn(&s.rig);
    assert_int_equal(s.x[2]->up.taken, 1);
    assert_int_equal(b->moved, moved); /* --backend-read-timeout goes on */
    pass(p, b, 5000);
    peer_until_streams(other, 3);
    assert_int_equal(stage_pool(&s, p->server)->load, 1); /* POST may have been done */
    assert_true(list_empty(&stage_pool(&s, p->server)->h2));
    peer_answer(other, 2);
    stage_until_done(&s, 0);
    peer_flush(p); /* it was only busy */
    peer_answer(p, 2);
    stage_until_done(&s, 2);
    peer_until_gone(p);
    assert_int_equal(s.told[0].aborts + s.told[1].aborts + s.told[2].aborts, 0);
    stage_close(&s);
}

static void whoever_left_does_not_take_a_new_connection_along(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, H2, "backend-http2-settings-timeout=60s", false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    struct back_h2 *b = first_back(&s, p->server);
    peer_until_streams(p, 1);
    pass(p, b, 20000);
    assert_int_equal(b->answer_by, 0); /* no PING before the SETTINGS, which have their own time */
    stage_end(&s, 0);
    pass(p, b, 20000);
    assert_int_equal(stage_pool(&s, p->server)->nconns, 1);
    stage_close(&s);
}

static void nobody_is_pinged_for_what_could_go_nowhere(void **state)
{
    (void)state;
    static const struct {
        size_t nservers;
        const char *request;
    } cases[] = {{1, STAGE_GET}, {2, STAGE_POST}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        stage_open(&s, cases[i].nservers, H2, "", false);
        struct peer *p = used(&s);
        s.nx = 0;
        if (cases[i].nservers == 2) {
            used(&s);
            s.nx = 0;
        }
        stage_request(&s, cases[i].request);
        peer_until_streams(p, 2);
        struct back_h2 *b = first_back(&s, p->server);
        pass(p, b, 30000);
        assert_int_equal(b->answer_by, 0);
        assert_int_equal(s.told[0].aborts, 0);
        pass(p, b, 30000); /* --backend-read-timeout */
        assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_TIMEOUT);
        stage_close(&s);
    }
}

static void an_idle_connection_that_answers_no_ping_is_closed(void **state)
{
    (void)state;
    for (int request = 0; request < 2; request++) {
        struct stage s;
        stage_open(&s, 1, H2, "", false);
        struct peer *p = used(&s);
        struct back_h2 *b = first_back(&s, 0);
        pass(p, b, 10000);
        peer_until_pings(p, 1);
        if (request) { /* it came too late to give it more time, and too early to be lost */
            s.nx = 0;
            stage_request(&s, STAGE_GET);
        }
        pass(p, b, 5000);
        peer_until_gone(p);
        assert_int_equal(stage_pool(&s, 0)->nconns, request);
        if (request) {
            struct peer *fresh = stage_accept(&s);
            peer_flush(fresh);
            peer_until_streams(fresh, 1);
        }
        stage_close(&s);
    }
}

/* The address is offline with fall=1, as the check says that failed. */
static void a_request_leaves_a_backend_that_is_silent_for_good(void **state)
{
    (void)state;
    static const struct {
        size_t nservers;
        const char *request;
        enum health_finding found;
        bool moves;
    } cases[] = {
        {2, STAGE_GET, HEALTH_SILENT, true},
        {2, STAGE_GET, HEALTH_ILL, false},
        {2, STAGE_POST, HEALTH_SILENT, false},
        {1, STAGE_GET, HEALTH_SILENT, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        stage_open(&s, cases[i].nservers, ";proto=h2;fall=1;health-path=/h;health-timeout=100ms",
                   cases[i].moves ? "" : "backend-read-timeout=300ms", false);
        for (size_t j = 0; j < cases[i].nservers; j++) {
            probe_stop(stage_pool(&s, j)); /* what is found is said below */
        }
        stage_request(&s, cases[i].request);
        struct peer *p = stage_accept(&s);
        peer_flush(p);
        peer_until_streams(p, 1);
        struct pool *pool = stage_pool(&s, p->server);
        health_checked(pool->health, pool->backend->cfg, cases[i].found);
        first_back(&s, p->server)->heard = clock_ms();
        back_h2_on_timeout(&first_back(&s, p->server)->timer);
        assert_int_equal(pool->load, 1); /* it has just said something */
        peer_until_gone(p);
        assert_int_equal(s.told[0].aborts, !cases[i].moves);
        if (cases[i].moves) {
            struct peer *other = stage_accept(&s);
            peer_flush(other);
            peer_until_streams(other, 1);
        } else {
            assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_TIMEOUT);
        }
        stage_close(&s);
    }
}

static void a_new_connection_that_stays_silent_loses_no_request(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, H2, "backend-http2-settings-timeout=400ms", false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    peer_until_streams(p, 1);
    struct peer *other = stage_accept(&s);
    assert_int_not_equal(other->server, p->server);
    peer_flush(other);
    peer_until_streams(other, 1);
    peer_until_gone(p);
    assert_int_equal(s.told[0].aborts, 0);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_share_a_connection),
        cmocka_unit_test(when_streams_run_out_there_is_another_connection),
        cmocka_unit_test(a_backend_without_any_stream_is_left_alone_at_once),
        cmocka_unit_test(a_websocket_goes_to_a_backend_that_takes_it),
        cmocka_unit_test(a_websocket_goes_over_the_connection_that_takes_it),
        cmocka_unit_test(where_a_request_goes_whose_connection_dies),
        cmocka_unit_test(a_refused_stream_goes_elsewhere_and_a_reset_one_does_not),
        cmocka_unit_test(goaway_sends_on_what_was_not_taken),
        cmocka_unit_test(a_connection_that_breaks_the_protocol_is_closed),
        cmocka_unit_test(interim_responses_have_a_limit),
        cmocka_unit_test(an_exchange_that_leaves_resets_its_stream_only),
        cmocka_unit_test(settings_that_do_not_come_end_the_connection),
        cmocka_unit_test(whoever_left_does_not_take_a_new_connection_along),
        cmocka_unit_test(who_waits_for_settings_leaves_a_silent_backend),
        cmocka_unit_test(who_stays_silent_is_not_asked_a_second_time),
        cmocka_unit_test(settings_that_come_end_a_back_off),
        cmocka_unit_test(a_response_that_stalls_times_out_with_its_stream),
        cmocka_unit_test(a_ping_that_is_answered_changes_nothing),
        cmocka_unit_test(what_another_backend_can_answer_leaves_one_that_answers_no_ping),
        cmocka_unit_test(nobody_is_pinged_for_what_could_go_nowhere),
        cmocka_unit_test(an_idle_connection_that_answers_no_ping_is_closed),
        cmocka_unit_test(a_request_leaves_a_backend_that_is_silent_for_good),
        cmocka_unit_test(a_new_connection_that_stays_silent_loses_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
