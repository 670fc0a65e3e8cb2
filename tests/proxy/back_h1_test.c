/* Connections to HTTP/1.1 backends: which one is used again, and what becomes of a request when one
 * dies. */
#include "back_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "back/probe.h"
#include "net/clock.h"
#include "route/targets.h"

#define KEPT "backend-keep-alive-timeout=60s"

/* A whole request over a new connection, which is idle then. */
static struct peer *kept(struct stage *s)
{
    size_t i = s->nx;
    stage_request(s, STAGE_GET);
    struct peer *p = stage_accept(s);
    peer_until_requests(p, 1);
    peer_say(p, PEER_OK);
    stage_until_done(s, i);
    stage_end(s, i);
    return p;
}

/* Several that are idle, in the order in which they became so. */
static void keep(struct stage *s, struct peer **peers, size_t n)
{
    size_t first = s->nx;
    for (size_t i = 0; i < n; i++) {
        stage_request(s, STAGE_GET);
        peers[i] = stage_accept(s);
        peer_until_requests(peers[i], 1);
    }
    for (size_t i = 0; i < n; i++) {
        peer_say(peers[i], PEER_OK);
        stage_until_done(s, first + i);
        stage_end(s, first + i);
    }
    assert_int_equal(stage_pool(s, 0)->nidle, n);
}

static void the_connection_used_last_is_used_next(void **state)
{
    (void)state;
    struct stage s;
    struct peer *peers[3];
    stage_open(&s, 1, "", KEPT, false);
    keep(&s, peers, 3);
    stage_request(&s, STAGE_GET);
    peer_until_requests(peers[2], 2);
    stage_request(&s, STAGE_GET);
    peer_until_requests(peers[1], 2);
    assert_int_equal(stage_pool(&s, 0)->nidle, 1);
    stage_close(&s);
}

static void of_too_many_idle_ones_the_oldest_ends(void **state)
{
    (void)state;
    struct stage s;
    struct peer *peers[2];
    stage_open(&s, 1, ";max-idle=2", KEPT, false);
    keep(&s, peers, 2);
    stage_request(&s, STAGE_GET);
    peer_until_requests(peers[1], 2);
    stage_request(&s, STAGE_GET);
    peer_until_requests(peers[0], 2);
    stage_request(&s, STAGE_GET);
    struct peer *third = stage_accept(&s);
    peer_until_requests(third, 1);
    peer_say(peers[0], PEER_OK);
    stage_until_done(&s, 3);
    peer_say(third, PEER_OK);
    stage_until_done(&s, 4);
    peer_say(peers[1], PEER_OK);
    stage_until_done(&s, 2);
    peer_until_gone(peers[0]);
    assert_int_equal(stage_pool(&s, 0)->nidle, 2);
    assert_false(third->gone || peers[1]->gone);
    stage_close(&s);
}

/*
 * The response fills one read to its last octet, and another one is behind it in the socket. The
 * request that has waited for the connection goes on in the same turn.
 */
static void what_is_behind_a_response_is_no_answer_to_the_next_request(void **state)
{
    (void)state;
    struct stage s;
    char *wire = malloc(WORKER_IO_SIZE + 100);
    assert_non_null(wire);
    stage_open(&s, 1, ";max-conns=1", KEPT, true);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    peer_until_requests(p, 1);
    stage_request(&s, STAGE_GET);
    assert_int_equal(s.rig.worker->nwaiting, 1);
    size_t head = (size_t)snprintf(wire, 100, "HTTP/1.1 200 OK\r\ncontent-length: %u\r\n\r\n",
                                   WORKER_IO_SIZE - 42);
    assert_int_equal(head, 42);
    memset(wire + head, 'x', WORKER_IO_SIZE - head);
    memcpy(wire + WORKER_IO_SIZE, PEER_OK, strlen(PEER_OK));
    peer_send(p, wire, WORKER_IO_SIZE + strlen(PEER_OK));
    free(wire);
    struct peer *other = stage_accept(&s);
    peer_until_requests(other, 1);
    assert_true(s.x[0]->down.ended && s.told[0].aborts == 0);
    assert_int_equal(s.told[1].heads, 0);
    peer_until_gone(p);
    assert_null(strstr(strstr(p->seen, "\r\n\r\n") + 4, "GET")); /* it was not asked again */
    peer_say(other, PEER_OK);
    stage_until_done(&s, 1);
    stage_close(&s);
}

static void a_kept_connection_that_speaks_or_ends_is_closed(void **state)
{
    (void)state;
    static const char *const says[] = {"x", PEER_OK, NULL};
    for (size_t i = 0; i < COUNT(says); i++) {
        struct stage s;
        stage_open(&s, 1, "", KEPT, false);
        struct peer *p = kept(&s);
        if (says[i] != NULL) {
            peer_say(p, says[i]);
        } else {
            peer_close(p);
        }
        stage_until_conns(&s, 0, 0);
        assert_int_equal(stage_pool(&s, 0)->nidle, 0);
        stage_close(&s);
    }
}

/* What the connection has been through decides whether the request may be sent again. */
static void where_a_request_goes_whose_connection_dies(void **state)
{
    (void)state;
    static const struct {
        const char *request, *said;
        bool reused, again;
        enum exchange_error why;
    } cases[] = {
        {STAGE_GET, "", true, true, EXCHANGE_OK},
        {STAGE_GET, "", false, true, EXCHANGE_OK},
        {STAGE_POST, "", true, false, EXCHANGE_BACKEND_GONE},
        {STAGE_POST, "", false, false, EXCHANGE_BACKEND_NO_ANSWER},
        {STAGE_GET, "H", true, false, EXCHANGE_BACKEND_GONE},
        {STAGE_GET, "H", false, false, EXCHANGE_BACKEND_GONE},
        {STAGE_GET, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", true, false,
         EXCHANGE_BACKEND_GONE},
        {STAGE_GET, "HTTP/1.1 100 Continue\r\n\r\n", true, false, EXCHANGE_BACKEND_GONE},
        {STAGE_GET, "nonsense\r\n\r\n", true, false, EXCHANGE_BACKEND_PROTOCOL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        stage_open(&s, 2, "", KEPT, false);
        struct peer *p;
        if (cases[i].reused) {
            p = kept(&s);
            kept(&s); /* the other one, so that it is this one's turn */
            s.nx = 0;
            stage_request(&s, cases[i].request);
            peer_until_requests(p, 2);
        } else {
            stage_request(&s, cases[i].request);
            p = stage_accept(&s);
            peer_until_requests(p, 1);
        }
        peer_say(p, cases[i].said);
        peer_close(p);
        if (cases[i].again) {
            struct peer *other = stage_accept(&s);
            peer_until_requests(other, 1);
            assert_int_not_equal(other->server, p->server);
            peer_say(other, PEER_OK);
            stage_until_done(&s, 0);
            assert_int_equal(s.told[0].aborts, 0);
        } else {
            stage_until_failed(&s, 0);
            assert_int_equal(s.told[0].why, cases[i].why);
            assert_false(s.npeers > s.ntaken);
        }
        stage_close(&s);
    }
}

static void a_second_try_does_not_get_a_kept_connection(void **state)
{
    (void)state;
    struct stage s;
    struct peer *peers[2];
    stage_open(&s, 1, "", KEPT, false);
    keep(&s, peers, 2);
    s.nx = 0;
    stage_request(&s, STAGE_GET);
    peer_until_requests(peers[1], 2);
    peer_close(peers[1]);
    struct peer *fresh = stage_accept(&s);
    peer_until_requests(fresh, 1);
    assert_int_equal(stage_pool(&s, 0)->nidle, 1);
    stage_close(&s);
}

/* What comes at the end of a response, and whether the connection waits for another request. */
static void when_a_connection_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *request, *response;
        bool kept;
    } cases[] = {
        {STAGE_GET, PEER_OK, true},
        {STAGE_GET, "HTTP/1.1 204 No Content\r\n\r\n", true},
        {STAGE_GET, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", true},
        {STAGE_GET, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", false},
        {STAGE_GET, "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false},
        {STAGE_GET, PEER_OK "x", false},
        {STAGE_GET, PEER_OK PEER_OK, false},
        {STAGE_POST, PEER_OK, false}, /* the body is not sent */
        {"POST / HTTP/1.1\nhost: a\nexpect: 100-continue\ncontent-length: 3\n", PEER_OK, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        stage_open(&s, 1, "", KEPT, false);
        stage_request(&s, cases[i].request);
        struct peer *p = stage_accept(&s);
        peer_until_requests(p, 1);
        peer_say(p, cases[i].response);
        stage_until_done(&s, 0);
        if (stage_pool(&s, 0)->nidle != cases[i].kept) {
            fail_msg("%s", cases[i].response);
        }
        assert_int_equal(s.told[0].aborts, 0);
        stage_close(&s);
    }
}

/* RFC 9110, 10.1.1: it said nothing of the body, and so may take it for the next request. */
static void a_body_that_was_not_asked_for_spoils_the_connection(void **state)
{
    (void)state;
    for (int continued = 0; continued < 2; continued++) {
        struct stage s;
        stage_open(&s, 1, "", KEPT, false);
        struct exchange *x = stage_request(
            &s, "POST / HTTP/1.1\nhost: a\nexpect: 100-continue\ncontent-length: 3\n");
        x->request.expect_continue = true;
        exchange_push_up(x, (const uint8_t *)"abc", 3);
        exchange_end_up(x);
        struct peer *p = stage_accept(&s);
        peer_until_requests(p, 1);
        if (continued) {
            peer_say(p, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        peer_say(p, PEER_OK);
        stage_until_done(&s, 0);
        assert_int_equal(stage_pool(&s, 0)->nidle, continued);
        stage_close(&s);
    }
}

static void one_that_speaks_or_ends_before_it_was_asked_is_no_backend(void **state)
{
    (void)state;
    struct stage s;
    static const char *const says[] = {PEER_OK, NULL};
    for (size_t i = 0; i < COUNT(says); i++) {
        stage_open(&s, 2, "", "", true);
        struct exchange *x = stage_request(&s, STAGE_POST);
        assert_non_null(x->back_ops);
        /* Accepted by hand, before the worker has seen that it is connected. */
        size_t server = x->pool == stage_pool(&s, 1);
        ev_invoke(s.rig.worker->loop, &s.ios[server], EV_READ);
        struct peer *p = stage_accept(&s);
        if (says[i] != NULL) {
            peer_say(p, says[i]);
        } else {
            peer_close(p);
        }
        peer_until_requests(stage_accept(&s), 1); /* nothing was written: another one gets it */
        assert_int_equal(p->nseen, 0);
        assert_int_equal(s.told[0].heads, 0);
        assert_int_equal(stage_pool(&s, server)->nconns, 0);
        assert_true(health_blocked_until(stage_pool(&s, server)->health) > clock_ms());
        stage_close(&s);
    }
}

static void interim_responses_have_a_limit(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, "", "", false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    peer_until_requests(p, 1);
    for (int i = 0; i < EXCHANGE_MAX_INTERIM; i++) {
        peer_say(p, "HTTP/1.1 103 Early Hints\r\n\r\n");
    }
    stage_until_head(&s, 0);
    assert_int_equal(s.told[0].aborts, 0);
    peer_say(p, "HTTP/1.1 103 Early Hints\r\n\r\n");
    stage_until_failed(&s, 0);
    assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_PROTOCOL);
    assert_int_equal(s.told[0].heads, EXCHANGE_MAX_INTERIM);
    stage_close(&s);
}

static void a_backend_that_says_nothing_gets_its_time_and_no_more(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, "", "backend-read-timeout=100ms", false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    peer_until_gone(p);
    assert_int_equal(s.told[0].aborts, 1);
    assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_TIMEOUT);
    assert_int_equal(s.npeers, 1); /* it may have done the request */
    stage_close(&s);
}

static void idle_connections_end_after_the_keep_alive_time(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, "", "backend-keep-alive-timeout=100ms", false);
    peer_until_gone(kept(&s));
    assert_int_equal(stage_pool(&s, 0)->nconns, 0);
    stage_close(&s);
}

static void an_exchange_that_leaves_takes_its_connection_along(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1, "", KEPT, false);
    stage_request(&s, STAGE_GET);
    struct peer *p = stage_accept(&s);
    peer_until_requests(p, 1);
    stage_end(&s, 0);
    peer_until_gone(p);
    assert_int_equal(stage_pool(&s, 0)->nconns, 0);
    assert_int_equal(stage_pool(&s, 0)->load, 0);
    stage_close(&s);
}

/* The address is offline with fall=1, as the check says that failed. */
static void a_request_leaves_a_backend_that_is_silent_for_good(void **state)
{
    (void)state;
    static const struct {
        size_t nservers;
        const char *request, *said;
        enum health_finding found;
        bool moves;
    } cases[] = {
        {2, STAGE_GET, "", HEALTH_SILENT, true},
        {2, STAGE_GET, "", HEALTH_ILL, false}, /* it is there, and may answer yet */
        {2, STAGE_GET, "", HEALTH_WELL, false},
        {2, STAGE_GET, "H", HEALTH_SILENT, false},
        {2, STAGE_POST, "", HEALTH_SILENT, false},
        {1, STAGE_GET, "", HEALTH_SILENT, false}, /* where to? */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage s;
        stage_open(&s, cases[i].nservers, ";fall=1;health-path=/h;health-timeout=100ms",
                   cases[i].moves ? "" : "backend-read-timeout=300ms", false);
        for (size_t j = 0; j < cases[i].nservers; j++) {
            probe_stop(stage_pool(&s, j)); /* what is found is said below */
        }
        stage_request(&s, cases[i].request);
        struct peer *p = stage_accept(&s);
        peer_until_requests(p, 1);
        peer_say(p, cases[i].said);
        struct pool *pool = stage_pool(&s, p->server);
        health_checked(pool->health, pool->backend->cfg, cases[i].found);
        peer_until_gone(p);
        if (cases[i].moves) {
            struct peer *other = stage_accept(&s);
            peer_until_requests(other, 1);
            assert_int_not_equal(other->server, p->server);
            peer_say(other, PEER_OK);
            stage_until_done(&s, 0);
            assert_int_equal(s.told[0].aborts, 0);
        } else {
            assert_int_equal(s.told[0].aborts, 1);
            assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_TIMEOUT);
            assert_int_equal(s.npeers, 1);
        }
        stage_close(&s);
    }
}

/* Each request stays with the silent one, since it would find nobody else. */
static void a_request_that_could_go_nowhere_stays(void **state)
{
    (void)state;
    enum obstacle { BUDGET, BLOCKED, OFFLINE, FULL, TRIED, OBSTACLES };
    for (int obstacle = 0; obstacle < OBSTACLES; obstacle++) {
        struct stage s;
        stage_open(&s, 2, ";fall=1;health-path=/h;health-timeout=100ms;max-conns=1",
                   "backend-read-timeout=300ms", false);
        probe_stop(stage_pool(&s, 0));
        probe_stop(stage_pool(&s, 1));
        struct exchange *x = stage_request(&s, STAGE_GET);
        struct peer *p = stage_accept(&s);
        peer_until_requests(p, 1);
        struct pool *pool = stage_pool(&s, p->server), *other = stage_pool(&s, 1 - p->server);
        switch ((enum obstacle)obstacle) {
        case BUDGET:
            s.rig.worker->retries.retries = 1000;
            break;
        case BLOCKED:
            atomic_store(&other->health->slot->blocked_until, clock_ms() + 60000);
            break;
        case OFFLINE:
            health_checked(other->health, other->backend->cfg, HEALTH_ILL);
            break;
        case FULL:
            assert_true(health_take_conn(other->health, 1));
            break;
        case TRIED:
            x->tried[x->tries++] = other->id;
            break;
        case OBSTACLES:
            break;
        }
        assert_false(exchange_can_move(x, EXCHANGE_SENT));
        health_checked(pool->health, pool->backend->cfg, HEALTH_SILENT);
        peer_until_gone(p);
        assert_int_equal(s.told[0].why, EXCHANGE_BACKEND_TIMEOUT);
        assert_int_equal(s.npeers, 1);
        if (obstacle == FULL) {
            health_give_conn(other->health);
        }
        stage_close(&s);
    }
}

static void a_request_that_moves_takes_its_body_along(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 2, ";fall=1;health-path=/h;health-timeout=100ms", "", false);
    probe_stop(stage_pool(&s, 0));
    probe_stop(stage_pool(&s, 1));
    struct exchange *x = stage_request(&s, "PUT / HTTP/1.1\nhost: a\ncontent-length: 4\n");
    exchange_push_up(x, (const uint8_t *)"abc", 3);
    struct peer *p = stage_accept(&s);
    peer_until_requests(p, 1);
    struct pool *pool = stage_pool(&s, p->server);
    health_checked(pool->health, pool->backend->cfg, HEALTH_SILENT);
    struct peer *other = stage_accept(&s);
    peer_until_requests(other, 1);
    exchange_push_up(x, (const uint8_t *)"d", 1);
    exchange_end_up(x);
    peer_until_seen(other, "\r\n\r\nabcd");
    peer_say(other, PEER_OK);
    stage_until_done(&s, 0);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_connection_used_last_is_used_next),
        cmocka_unit_test(of_too_many_idle_ones_the_oldest_ends),
        cmocka_unit_test(what_is_behind_a_response_is_no_answer_to_the_next_request),
        cmocka_unit_test(a_kept_connection_that_speaks_or_ends_is_closed),
        cmocka_unit_test(where_a_request_goes_whose_connection_dies),
        cmocka_unit_test(a_second_try_does_not_get_a_kept_connection),
        cmocka_unit_test(when_a_connection_is_kept),
        cmocka_unit_test(a_body_that_was_not_asked_for_spoils_the_connection),
        cmocka_unit_test(one_that_speaks_or_ends_before_it_was_asked_is_no_backend),
        cmocka_unit_test(interim_responses_have_a_limit),
        cmocka_unit_test(a_backend_that_says_nothing_gets_its_time_and_no_more),
        cmocka_unit_test(idle_connections_end_after_the_keep_alive_time),
        cmocka_unit_test(an_exchange_that_leaves_takes_its_connection_along),
        cmocka_unit_test(a_request_leaves_a_backend_that_is_silent_for_good),
        cmocka_unit_test(a_request_that_could_go_nowhere_stays),
        cmocka_unit_test(a_request_that_moves_takes_its_body_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
