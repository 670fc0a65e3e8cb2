/*
 * An exchange between a front and backs that do what the test says: what either side is told, who
 * is held back, checks, errors, tunnels. How it gets to a back: exchange_retry_test.c.
 */
#include "exchange_testing.h"

#include "back/back.h"
#include "exchange/error_page.h"
#include "net/clock.h"
#include "route/routes.h"
#include "route/targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---------------------------------------------------------------- both sides */

static void either_side_is_told_what_the_other_does(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE);
    struct exchange *x = begun(&r, &told, POST);
    struct pool *p = rig_pool(&r, 0);
    assert_int_equal(backs.ntook, 1);
    assert_true(x->pool == p && p->load == 1);
    exchange_push_up(x, (const uint8_t *)"0123456789", 10);
    assert_int_equal(backs.bodies, 1);
    exchange_end_up(x);
    assert_int_equal(backs.bodies, 2);
    pipe_drop(&x->up, 10);
    exchange_took_up(x, 10);
    exchange_took_up(x, 0);
    assert_int_equal(told.credits, 1);
    assert_int_equal(told.credit, 10);

    testing_response(x, 11, "HTTP/1.1 200 OK\nContent-Length: 3\n");
    exchange_take_head(x);
    assert_int_equal(told.heads, 1);
    exchange_push_down(x, (const uint8_t *)"abc", 3);
    assert_int_equal(told.bodies, 1);
    exchange_end_down(x);
    assert_int_equal(told.bodies, 2);
    pipe_drop(&x->down, 2);
    exchange_took_down(x, 2);
    exchange_took_down(x, 0);
    assert_true(backs.credit == 2 && x->sent_bytes == 2);
    exchange_detach_back(x);
    assert_int_equal(p->load, 0);
    exchange_took_down(x, 1); /* the back has gone */
    assert_true(backs.credit == 2 && x->sent_bytes == 3);
    rig_exchange_end(&r, x);
    assert_int_equal(backs.aborts + told.aborts, 0);
    rig_close(&r);
}

/* What is there of the body is the front's until somebody takes it on. */
static void nobody_is_told_before_there_is_a_back(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE);
    struct exchange *x = asked(&r, &told, POST);
    exchange_push_up(x, (const uint8_t *)"0123", 4);
    exchange_end_up(x);
    assert_int_equal(backs.bodies, 0);
    exchange_begin(x);
    assert_int_equal(x->up.len, 4);
    rig_exchange_end(&r, x);
    assert_int_equal(backs.aborts, 1); /* it had not answered */
    rig_close(&r);
}

static void the_end_is_told_to_who_has_it(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE);
    struct exchange *x = begun(&r, &told, POST);
    exchange_push_up(x, (const uint8_t *)"012", 3);
    exchange_end(x, EXCHANGE_CLIENT_GONE);
    assert_true(backs.aborts == 1 && backs.why == EXCHANGE_CLIENT_GONE);
    assert_true(x->ended && x->back_ops == NULL && x->error == EXCHANGE_CLIENT_GONE);
    exchange_fail(x, EXCHANGE_BACKEND_GONE); /* too late for anybody */
    pipe_drop(&x->up, 3);
    exchange_took_up(x, 3);
    assert_int_equal(told.aborts + told.credit, 0);
    rig_turn(&r);
    assert_int_equal(r.worker->nexchanges, 0);

    x = asked(&r, &told, GET); /* never begun: a request that was refused */
    exchange_refuse(x, EXCHANGE_CLIENT_PROTOCOL);
    exchange_refuse(x, EXCHANGE_CLIENT_TIMEOUT); /* one error is enough */
    expect_failure(x, &told, EXCHANGE_CLIENT_PROTOCOL);
    exchange_end(x, EXCHANGE_CLIENT_GONE);
    assert_int_equal(x->error, EXCHANGE_CLIENT_PROTOCOL); /* the first one is the reason */
    rig_turn(&r);

    x = begun(&r, &told, POST); /* refused when a back has it */
    exchange_refuse(x, EXCHANGE_CLIENT_TIMEOUT);
    assert_true(backs.aborts == 2 && backs.why == EXCHANGE_CLIENT_TIMEOUT);
    expect_failure(x, &told, EXCHANGE_CLIENT_TIMEOUT);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void sni_decides_when_the_frontend_says_so(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    static char sni[] = "b";
    open_rig(&r, ONE "\nbackend=127.0.0.1,82;a/\nbackend=127.0.0.1,83;b/");
    struct exchange *x = begun(&r, &told, GET);
    assert_ptr_equal(x->pool, rig_pool(&r, 1));
    rig_exchange_end(&r, x);
    r.client.tls_sni = sni;
    x = begun(&r, &told, GET);
    assert_ptr_equal(x->pool, rig_pool(&r, 1));
    rig_exchange_end(&r, x);
    r.client.sni_fwd = true;
    x = begun(&r, &told, GET);
    assert_ptr_equal(x->pool, rig_pool(&r, 2));
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* In each state that an exchange may be in between turns. */
enum place { NOT_BEGUN, IN_A_QUEUE, WITH_A_BACK, INTERIM, IN_BODY, RETRIED, BACK_IS_DONE, FAILED };
#define NPLACES (FAILED + 1)

static struct exchange *brought_to(struct rig *r, struct told *told, enum place where)
{
    struct pool *p = rig_pool(r, 0);
    struct exchange *x = asked(r, told, POST);
    memset(&backs, 0, sizeof(backs));
    if (where == NOT_BEGUN) {
        return x;
    }
    if (where == IN_A_QUEUE) {
        assert_true(health_take_conn(p->health, 1));
        exchange_begin(x);
        health_give_conn(p->health);
        return x;
    }
    exchange_begin(x);
    exchange_push_up(x, (const uint8_t *)"012", 3);
    if (where == RETRIED) {
        fails(x, EXCHANGE_BACKEND_GONE);
    } else if (where == FAILED) {
        exchange_detach_back(x);
        exchange_fail(x, EXCHANGE_BACKEND_TIMEOUT);
    } else if (where >= INTERIM) {
        testing_response(x, 11,
                         where == INTERIM ? "HTTP/1.1 103 Early Hints\n" : "HTTP/1.1 200 OK\n");
        exchange_take_head(x);
    }
    if (where == IN_BODY || where == BACK_IS_DONE) {
        exchange_push_down(x, (const uint8_t *)"abc", 3);
    }
    if (where == BACK_IS_DONE) {
        exchange_end_down(x);
        exchange_detach_back(x);
    }
    return x;
}

static void it_may_be_refused_or_end_at_any_time(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE ";;max-conns=1");
    for (enum place where = 0; where < NPLACES; where++) {
        for (int refused = 0; refused < 2; refused++) {
            struct exchange *x = brought_to(&r, &told, where);
            bool with_back = x->back_ops != NULL && where != IN_A_QUEUE;
            assert_int_equal(with_back, where >= WITH_A_BACK && where < BACK_IS_DONE);
            assert_int_equal(r.worker->nwaiting, where == IN_A_QUEUE);
            assert_int_equal(rig_pool(&r, 0)->load, with_back);
            assert_int_equal(told.aborts, where == FAILED);
            if (refused) {
                exchange_refuse(x, EXCHANGE_CLIENT_TIMEOUT);
                expect_failure(
                    x, &told, where == FAILED ? EXCHANGE_BACKEND_TIMEOUT : EXCHANGE_CLIENT_TIMEOUT);
            } else {
                exchange_end(x, EXCHANGE_CLIENT_GONE);
                assert_int_equal(told.aborts, where == FAILED);
            }
            assert_int_equal(backs.aborts, with_back);
            assert_int_equal(r.worker->nwaiting + rig_pool(&r, 0)->load, 0);
            if (refused) {
                exchange_end(x, EXCHANGE_CLIENT_GONE);
            }
            rig_turn(&r); /* nobody who has left is served */
            assert_int_equal(r.worker->nexchanges + (unsigned)r.worker->blocks.lent, 0);
            assert_int_equal(backs.aborts, with_back);
        }
    }
    rig_close(&r);
}

/* ---------------------------------------------------------------- waiting for one's own client */

static struct queue held;
static bool may_go;

static struct queue *front_hold(struct exchange *x)
{
    (void)x;
    return may_go ? NULL : &held;
}

static struct exchange_ops holding; /* what rig_exchange() gives, and front_hold() */

static struct exchange *held_back(struct rig *r, struct told *told, const char *request)
{
    struct exchange *x = asked(r, told, request);
    holding = *x->front_ops;
    holding.hold = front_hold;
    x->front_ops = &holding;
    exchange_begin(x);
    return x;
}

static bool was_refused(const void *ctx)
{
    return ((const struct told *)ctx)->aborts > 0;
}

static void a_front_may_hold_a_request_back(void **state)
{
    (void)state;
    struct rig r;
    struct told told, second;
    open_rig(&r, ONE "\nbackend=respond=204;/own\nbackend=127.0.0.1,83;/soon;read-timeout=30ms");
    queue_init(&held, NULL);
    may_go = false;
    struct exchange *x = held_back(&r, &told, POST);
    exchange_push_up(x, (const uint8_t *)"0123", 4);
    assert_true(held.n == 1 && backs.ntook == 0);
    assert_true(x->back_timer.at >= clock_ms() + 50000); /* --backend-read-timeout is a minute */
    assert_int_equal(r.worker->nwaiting, 0);             /* no pool has what it waits for */
    queue_leave(x);
    exchange_dispatch(x, NULL);
    assert_true(held.n == 0 && backs.ntook == 1 && x->up.len == 4);
    fails(x, EXCHANGE_BACKEND_GONE); /* it does not wait a second time */
    assert_true(held.n == 0 && backs.ntook == 2);

    struct exchange *y = held_back(&r, &second, "GET /own HTTP/1.1\nHost: a\n");
    assert_true(held.n == 0 && second.heads == 1 && y->own_answer); /* who waits for nobody */
    exchange_end(y, EXCHANGE_OK);
    y = held_back(&r, &second, "GET /soon HTTP/1.1\nHost: a\n");
    assert_int_equal(held.n, 1);
    rig_until(&r, was_refused, &second);
    expect_failure(y, &second, EXCHANGE_BACKEND_BUSY);
    assert_int_equal(exchange_status_of_error(y), 503);
    assert_int_equal(held.n, 0);
    exchange_end(y, EXCHANGE_OK);
    y = held_back(&r, &second, GET); /* its client goes away */
    exchange_end(y, EXCHANGE_CLIENT_GONE);
    assert_int_equal(held.n, 0);
    may_go = true;
    y = held_back(&r, &second, GET);
    assert_int_equal(backs.ntook, 3);
    exchange_end(y, EXCHANGE_OK);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void who_was_held_back_goes_by_the_routes_in_force_then(void **state)
{
    (void)state;
    struct rig r, other;
    struct told told;
    open_rig(&r, ONE);
    queue_init(&held, NULL);
    may_go = false;
    struct exchange *x = held_back(&r, &told, "POST / HTTP/1.1\nHost: a\nContent-Length: 10\n");
    exchange_push_up(x, (const uint8_t *)"0123", 4);
    rig_open(&other, "backend=respond=204");
    targets_install(r.worker, other.routes);
    rig_close(&other);
    queue_leave(x);
    exchange_dispatch(x, NULL);
    assert_true(x->up.taken == 4 && x->up.kept == NULL); /* nobody wants that again */
    exchange_push_up(x, (const uint8_t *)"456789", 6);
    exchange_end_up(x);
    assert_true(backs.ntook == 0 && told.heads == 1 && x->response.status == 204);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* ---------------------------------------------------------------- checks */

static struct exchange *check_of(struct rig *r, struct told *told)
{
    struct exchange *x = asked(r, told, GET);
    x->is_check = true;
    assert_true(targets_assign(x, rig_pool(r, 0)));
    assert_true(back_take(rig_pool(r, 0), x));
    return x;
}

static void a_check_is_about_one_address(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO);
    uint32_t id = rig_pool(&r, 0)->id;
    struct exchange *x = check_of(&r, &told);
    assert_null(exchange_client(x));
    assert_int_equal(rig_pool(&r, 0)->load, 0); /* it is no load */
    fails(x, EXCHANGE_BACKEND_GONE);            /* a kept connection has ended: once more */
    assert_true(backs.ntook == 2 && backs.took[0] == id && backs.took[1] == id);
    fails(x, EXCHANGE_BACKEND_GONE);
    expect_failure(x, &told, EXCHANGE_BACKEND_GONE);
    assert_int_equal(backs.ntook, 2);
    rig_exchange_end(&r, x);

    x = check_of(&r, &told);
    exchange_detach_back(x);
    exchange_return(x); /* no room for it on that connection: likewise */
    assert_true(backs.ntook == 4 && backs.took[3] == id);
    fails(x, EXCHANGE_BACKEND_NO_ANSWER);
    expect_failure(x, &told, EXCHANGE_BACKEND_NO_ANSWER);
    rig_exchange_end(&r, x);

    x = check_of(&r, &told);
    fails(x, EXCHANGE_BACKEND_TLS); /* that would come again */
    assert_int_equal(backs.ntook, 5);
    expect_failure(x, &told, EXCHANGE_BACKEND_TLS);
    rig_exchange_end(&r, x);

    x = check_of(&r, &told);
    backs.what = BACKS_REFUSE;
    fails(x, EXCHANGE_BACKEND_GONE);
    expect_failure(x, &told, EXCHANGE_BACKEND_GONE);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static long size_of(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    fclose(f);
    return size;
}

static void checks_are_not_in_the_access_log(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    char path[128], options[256];
    snprintf(path, sizeof(path), "%s/access.log", testing_folder());
    snprintf(options, sizeof(options), ONE "\naccesslog-file=%s", path);
    open_rig(&r, options);
    rig_exchange_end(&r, check_of(&r, &told));
    assert_int_equal(size_of(path), 0);
    rig_exchange_end(&r, begun(&r, &told, GET));
    assert_true(size_of(path) > 0);
    rig_close(&r);
}

/* ---------------------------------------------------------------- errors */

static void every_error_has_a_sentence_and_a_status_or_none(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE);
    static const int statuses[] = {400, 408, 414, 417, 431, 500, 501, 502, 503, 504, 505};
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct exchange *x = asked(&r, &told, GET);
        enum exchange_error e = exchange_error_of_status(statuses[i]);
        exchange_refuse(x, e);
        assert_int_equal(exchange_status_of_error(x), statuses[i]);
        assert_true(strlen(exchange_error_text(e)) > 8);
        assert_int_not_equal(exchange_error_code(e), H2_NO_ERROR);
        rig_exchange_end(&r, x);
    }
    assert_int_equal(exchange_error_of_status(418), EXCHANGE_CLIENT_PROTOCOL);
    assert_int_equal(exchange_error_code(EXCHANGE_CLIENT_GONE), H2_CANCEL);
    assert_int_equal(exchange_error_code(EXCHANGE_BACKEND_GONE), H2_INTERNAL_ERROR);
    rig_close(&r);
}

static void an_error_replaces_what_a_backend_said(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE);
    struct exchange *x = begun(&r, &told, "CONNECT a:1 HTTP/1.1\nHost: a\n");
    testing_response(x, 11, "HTTP/1.1 200 OK\n");
    assert_true(x->tunnel.open);
    exchange_push_down(x, (const uint8_t *)"abc", 3);
    exchange_end_down(x);
    exchange_detach_back(x);
    exchange_fail(x, EXCHANGE_BACKEND_TIMEOUT);
    exchange_make_error(x);
    assert_false(x->tunnel.open);
    assert_int_equal(x->response.status, 504);
    assert_true(x->down.ended && x->down.len == error_page_body(x, 504).len);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* ---------------------------------------------------------------- tunnels */

static void a_tunnel_is_over_when_both_ends_and_the_back_are(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE);
    struct exchange *x = begun(&r, &told, "CONNECT a:1 HTTP/1.1\nHost: a\n");
    x->up.ended = false;
    assert_false(exchange_may_send_up(x)); /* nothing before it is open */
    testing_response(x, 11, "HTTP/1.1 200 OK\n");
    assert_true(exchange_may_send_up(x));
    exchange_push_up(x, (const uint8_t *)"01", 2);
    exchange_push_down(x, (const uint8_t *)"abc", 3);
    pipe_drop(&x->down, 1);
    assert_int_equal(exchange_moved(x), 5);
    exchange_end_up(x);
    assert_false(exchange_tunnel_is_over(x));
    x->tunnel.down_sent = true;
    assert_false(exchange_tunnel_is_over(x));
    exchange_detach_back(x);
    assert_true(exchange_tunnel_is_over(x));
    rig_exchange_end(&r, x);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_side_is_told_what_the_other_does),
        cmocka_unit_test(nobody_is_told_before_there_is_a_back),
        cmocka_unit_test(the_end_is_told_to_who_has_it),
        cmocka_unit_test(sni_decides_when_the_frontend_says_so),
        cmocka_unit_test(it_may_be_refused_or_end_at_any_time),
        cmocka_unit_test(a_front_may_hold_a_request_back),
        cmocka_unit_test(who_was_held_back_goes_by_the_routes_in_force_then),
        cmocka_unit_test(a_check_is_about_one_address),
        cmocka_unit_test(checks_are_not_in_the_access_log),
        cmocka_unit_test(every_error_has_a_sentence_and_a_status_or_none),
        cmocka_unit_test(an_error_replaces_what_a_backend_said),
        cmocka_unit_test(a_tunnel_is_over_when_both_ends_and_the_back_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
