/*
 * The life of an exchange between a front and backs that do what the test says: who gets it, how
 * often, and what either side is told. The linker gives back_take() to this file
 * (-Wl,--wrap=back_take).
 */
#include "exchange/exchange.h"

#include "back/back.h"
#include "conn_testing.h"
#include "exchange/error_page.h"
#include "net/clock.h"
#include "proxy_testing.h"
#include "route/routes.h"
#include "route/targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ONE   "backend=127.0.0.1,81"
#define TWO   ONE "\nbackend=127.0.0.1,82"
#define THREE TWO "\nbackend=127.0.0.1,83"

/* ---------------------------------------------------------------- backs */

enum { TAKES, REFUSES, IS_REAL };

/* What all backs of a test were asked and told. */
static struct {
    int does;
    unsigned ntook, bodies, aborts;
    uint32_t took[32]; /* ids of the pools, in order */
    size_t credit;
    enum exchange_error why;
} backs;

static void back_body(struct exchange *x)
{
    (void)x;
    backs.bodies++;
}

static void back_credit(struct exchange *x, size_t n)
{
    (void)x;
    backs.credit += n;
}

static void back_abort(struct exchange *x, enum exchange_error why)
{
    backs.aborts++;
    backs.why = why;
    exchange_detach_back(x);
}

static const struct exchange_ops back_ops = {
    .body = back_body, .credit = back_credit, .abort = back_abort};

bool __wrap_back_take(struct pool *p, struct exchange *x);
bool __real_back_take(struct pool *p, struct exchange *x);

bool __wrap_back_take(struct pool *p, struct exchange *x)
{
    if (backs.does == IS_REAL) {
        return __real_back_take(p, x);
    }
    assert_true(backs.ntook < COUNT(backs.took));
    backs.took[backs.ntook++] = p->id;
    if (backs.does == REFUSES) {
        return false;
    }
    exchange_attach_back(x, p, &back_ops, &backs);
    return true;
}

static void open_rig(struct rig *r, const char *options)
{
    memset(&backs, 0, sizeof(backs));
    rig_open(r, options);
}

static struct exchange *asked(struct rig *r, struct told *told, const char *request)
{
    struct exchange *x = rig_exchange(r, told);
    testing_request(x, 11, request);
    x->up.ended = !x->request.m.has_body;
    return x;
}

#define GET  "GET / HTTP/1.1\nHost: a\n"
#define POST "POST / HTTP/1.1\nHost: a\nContent-Length: 100000\n"

static struct exchange *begun(struct rig *r, struct told *told, const char *request)
{
    struct exchange *x = asked(r, told, request);
    exchange_begin(x);
    return x;
}

/* As a back does that could do nothing with it. */
static void fails(struct exchange *x, enum exchange_error why)
{
    assert_ptr_equal(x->back_ops, &back_ops);
    exchange_detach_back(x);
    exchange_retry(x, why);
}

static void expect_failure(const struct exchange *x, const struct told *told,
                           enum exchange_error why)
{
    assert_null(x->back_ops);
    assert_int_equal(told->aborts, 1);
    assert_int_equal(told->why, why);
    assert_int_equal(x->error, why);
}

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
    exchange_took_up(x);
    exchange_took_up(x); /* nothing more */
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
    struct exchange *x = begun(&r, &told, GET);
    exchange_end(x, EXCHANGE_CLIENT_GONE);
    assert_true(backs.aborts == 1 && backs.why == EXCHANGE_CLIENT_GONE);
    assert_true(x->ended && x->back_ops == NULL && x->error == EXCHANGE_CLIENT_GONE);
    exchange_fail(x, EXCHANGE_BACKEND_GONE); /* too late for anybody */
    exchange_took_up(x);
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

static void
the_routes_that_count_are_those_of_the_name_in_tls_when_the_frontend_says_so(void **state)
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

/* ---------------------------------------------------------------- once more */

static bool all_differ(const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (ids[i] == ids[j]) {
                return false;
            }
        }
    }
    return true;
}

static void each_address_is_tried_before_one_is_tried_twice(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, THREE);
    struct exchange *x = begun(&r, &told, GET);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(x->tries, i + 1);
        fails(x, EXCHANGE_BACKEND_GONE);
    }
    assert_int_equal(backs.ntook, 6);
    assert_true(all_differ(backs.took, 3) && all_differ(backs.took + 3, 3));
    expect_failure(x, &told, EXCHANGE_BACKEND_GONE); /* none a third time */
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_request_is_tried_so_often_and_no_further(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, THREE "\nbackend=127.0.0.1,84\nbackend=127.0.0.1,85");
    struct exchange *x = begun(&r, &told, GET);
    for (int i = 0; i < EXCHANGE_MAX_TRIES; i++) {
        assert_int_equal(told.aborts, 0);
        fails(x, EXCHANGE_BACKEND_CONNECT);
    }
    assert_int_equal(backs.ntook, EXCHANGE_MAX_TRIES);
    expect_failure(x, &told, EXCHANGE_BACKEND_CONNECT);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* What kills servers would kill them again. */
static void after_a_new_connection_was_closed_on_it_none_gets_it_twice(void **state)
{
    (void)state;
    static const struct {
        enum exchange_error why[3];
    } cases[] = {
        {{EXCHANGE_BACKEND_NO_ANSWER, EXCHANGE_BACKEND_NO_ANSWER, EXCHANGE_BACKEND_NO_ANSWER}},
        {{EXCHANGE_BACKEND_NO_ANSWER, EXCHANGE_BACKEND_CONNECT, EXCHANGE_BACKEND_GONE}},
        {{EXCHANGE_BACKEND_GONE, EXCHANGE_BACKEND_NO_ANSWER, EXCHANGE_BACKEND_CONNECT}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        struct told told;
        open_rig(&r, THREE);
        struct exchange *x = begun(&r, &told, GET);
        for (size_t j = 0; j < 3; j++) {
            fails(x, cases[i].why[j]);
        }
        assert_int_equal(backs.ntook, 3);
        assert_true(all_differ(backs.took, 3));
        expect_failure(x, &told, cases[i].why[2]);
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

static void the_budget_is_for_retries_and_not_for_requests(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO);
    while (budget_spend(&r.worker->retries, clock_ms())) {
    }
    for (int i = 0; i < 5; i++) { /* which earn one */
        struct exchange *x = begun(&r, &told, GET);
        assert_int_equal(told.aborts, 0);
        rig_exchange_end(&r, x);
    }
    backs.ntook = 0;
    struct exchange *x = begun(&r, &told, GET);
    fails(x, EXCHANGE_BACKEND_RESET);
    assert_int_equal(backs.ntook, 2);
    fails(x, EXCHANGE_BACKEND_GONE);
    assert_int_equal(backs.ntook, 2);
    expect_failure(x, &told, EXCHANGE_BACKEND_GONE);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_back_that_cannot_begin_is_a_try(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO);
    backs.does = REFUSES;
    struct exchange *x = begun(&r, &told, GET);
    assert_int_equal(backs.ntook, 4); /* each of them twice */
    assert_true(all_differ(backs.took, 2));
    expect_failure(x, &told, EXCHANGE_BACKEND_CONNECT);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void idempotent_is_what_rfc_9110_says(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool idempotent;
    } cases[] = {
        {"GET / HTTP/1.1\nHost: a\n", true},        {"HEAD / HTTP/1.1\nHost: a\n", true},
        {"OPTIONS / HTTP/1.1\nHost: a\n", true},    {"PUT / HTTP/1.1\nHost: a\n", true},
        {"DELETE / HTTP/1.1\nHost: a\n", true},     {"TRACE / HTTP/1.1\nHost: a\n", true},
        {"POST / HTTP/1.1\nHost: a\n", false},      {"PATCH / HTTP/1.1\nHost: a\n", false},
        {"CONNECT a:1 HTTP/1.1\nHost: a\n", false}, {"PROPFIND / HTTP/1.1\nHost: a\n", false},
        {"get / HTTP/1.1\nHost: a\n", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        struct told told;
        open_rig(&r, ONE);
        struct exchange *x = asked(&r, &told, cases[i].request);
        if (exchange_is_idempotent(x) != cases[i].idempotent) {
            fail_msg("%s", cases[i].request);
        }
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

/* ---------------------------------------------------------------- the body once more */

#define BODY 50000u

static void push_body(struct exchange *x)
{
    for (unsigned i = 0; i < BODY; i += 1000) {
        uint8_t piece[1000];
        for (unsigned j = 0; j < sizeof(piece); j++) {
            piece[j] = user_octet(i + j);
        }
        exchange_push_up(x, piece, sizeof(piece));
    }
}

/* As a back takes it: the octets from the first one on. */
static void take_body(struct exchange *x, size_t len)
{
    uint8_t buf[BODY];
    assert_int_equal(x->up.taken, 0);
    assert_int_equal(pipe_read(&x->up, buf, len), len);
    exchange_took_up(x);
    for (unsigned i = 0; i < len; i++) {
        assert_int_equal(buf[i], user_octet(i));
    }
}

static void the_next_back_gets_the_body_from_its_beginning(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, THREE "\nbackend-request-buffer=60k");
    struct exchange *x = begun(&r, &told, POST);
    push_body(x);
    take_body(x, 30000);
    assert_int_equal(told.credit, 30000);
    assert_true(exchange_can_start_over(x));
    fails(x, EXCHANGE_BACKEND_GONE);
    take_body(x, 10000);
    assert_int_equal(told.credit, 30000); /* for these the front has read others */
    fails(x, EXCHANGE_BACKEND_GONE);
    take_body(x, BODY);
    assert_int_equal(told.credit, BODY);
    exchange_end_up(x);
    assert_true(pipe_done(&x->up) && exchange_can_start_over(x));
    testing_response(x, 11, "HTTP/1.1 204 No Content\n");
    exchange_take_head(x);
    assert_null(x->up.kept); /* it is not needed any more */
    assert_false(exchange_can_start_over(x));
    assert_int_equal(told.aborts, 0);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_request_starts_over_only_while_all_of_it_is_here(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO "\nbackend-request-buffer=20k");
    struct exchange *x = begun(&r, &told, POST);
    push_body(x);
    assert_true(exchange_can_start_over(x));
    take_body(x, 20480);
    assert_true(exchange_can_start_over(x));
    pipe_drop(&x->up, 1); /* more than the buffer holds */
    assert_false(exchange_can_start_over(x));
    rig_exchange_end(&r, x);

    x = begun(&r, &told, GET);
    assert_true(exchange_can_start_over(x));
    testing_response(x, 11, "HTTP/1.1 103 Early Hints\n"); /* an interim one was passed on, too */
    exchange_take_head(x);
    assert_false(exchange_can_start_over(x));
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* ---------------------------------------------------------------- no room */

static void what_was_returned_was_no_try(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO);
    struct exchange *x = begun(&r, &told, GET);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(x->tries, 1);
        assert_int_equal(told.aborts, 0);
        backs.ntook = 0;
        exchange_detach_back(x);
        exchange_return(x);
        assert_int_equal(backs.ntook, 1);
    }
    exchange_detach_back(x);
    exchange_return(x); /* this goes nowhere */
    expect_failure(x, &told, EXCHANGE_BACKEND_BUSY);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* Between the choice and the connection another worker was faster. */
static void who_comes_too_late_waits_and_has_tried_nothing(void **state)
{
    (void)state;
    struct rig r;
    struct told told[2];
    open_rig(&r, ONE ";;max-conns=1;max-queue=1");
    struct pool *p = rig_pool(&r, 0);
    struct exchange *x = asked(&r, &told[0], GET), *other = asked(&r, &told[1], GET);
    x->targets = targets_ref(r.worker->targets);
    x->group = &x->targets->groups[0];
    assert_true(health_take_conn(p->health, 1));
    backs.does = REFUSES;
    exchange_dispatch(x, p); /* the choice was made before */
    assert_true(backs.ntook == 1 && backs.took[0] == p->id);
    assert_true(x->tries == 0 && r.worker->nwaiting == 1);
    assert_int_equal(told[0].aborts, 0);
    exchange_begin(other);
    expect_failure(other, &told[1], EXCHANGE_BACKEND_BUSY); /* the queue is full */
    backs.does = TAKES;
    health_give_conn(p->health);
    pool_freed(p);
    rig_turn(&r);
    assert_true(x->tries == 1 && x->pool == p && r.worker->nwaiting == 0);
    exchange_end(other, EXCHANGE_OK);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void what_is_offline_is_said_unless_something_was_tried(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    unsigned n;
    open_rig(&r, ONE ";;fall=1;rise=1");
    struct pool *p = rig_pool(&r, 0);
    struct exchange *x = begun(&r, &told, GET);
    struct health_backoff now = {.most = 0};
    assert_int_equal(health_connect_failed(p->health, p->backend->cfg, clock_ms(), now, &n),
                     HEALTH_FELL);
    fails(x, EXCHANGE_BACKEND_TLS);
    expect_failure(x, &told, EXCHANGE_BACKEND_TLS);
    rig_exchange_end(&r, x);
    x = begun(&r, &told, GET);
    expect_failure(x, &told, EXCHANGE_BACKEND_OFFLINE);
    assert_int_equal(exchange_status_of_error(x), 503);
    rig_exchange_end(&r, x);
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
    struct exchange *x = held_back(&r, &told, GET);
    rig_open(&other, "backend=respond=204");
    targets_install(r.worker, other.routes);
    rig_close(&other);
    queue_leave(x);
    exchange_dispatch(x, NULL);
    assert_true(backs.ntook == 0 && told.heads == 1 && x->response.status == 204);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* ---------------------------------------------------------------- checks */

static struct exchange *check_of(struct rig *r, struct told *told)
{
    struct exchange *x = asked(r, told, GET);
    x->is_check = true;
    x->tries = 2;
    assert_true(targets_assign(x, rig_pool(r, 0)));
    assert_true(__wrap_back_take(rig_pool(r, 0), x));
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
    rig_exchange_end(&r, x);

    x = check_of(&r, &told);
    exchange_detach_back(x);
    exchange_return(x); /* no room for it on that connection: likewise */
    assert_true(backs.ntook == 4 && backs.took[3] == id);
    fails(x, EXCHANGE_BACKEND_NO_ANSWER);
    expect_failure(x, &told, EXCHANGE_BACKEND_NO_ANSWER);
    rig_exchange_end(&r, x);

    x = check_of(&r, &told);
    backs.does = REFUSES;
    fails(x, EXCHANGE_BACKEND_GONE);
    expect_failure(x, &told, EXCHANGE_BACKEND_GONE);
    rig_exchange_end(&r, x);
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
    assert_int_equal(exchange_tunnel_moved(x), 5);
    exchange_end_up(x);
    assert_false(exchange_tunnel_is_over(x));
    x->tunnel.down_sent = true;
    assert_false(exchange_tunnel_is_over(x));
    exchange_detach_back(x);
    assert_true(exchange_tunnel_is_over(x));
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* ---------------------------------------------------------------- with real connections */

/* A server that does what the test says. */
struct server {
    struct rig r;
    int listener, fd[4];
    size_t n;    /* connections that have come */
    size_t read; /* the one that a request came over */
    struct told told[4];
    struct exchange *x[4];
};

static void open_server(struct server *s)
{
    struct sockaddr_in addr;
    char options[64];
    *s = (struct server){.listener = testing_listener(&addr)};
    snprintf(options, sizeof(options), "backend=127.0.0.1,%u", ntohs(addr.sin_port));
    open_rig(&s->r, options);
    backs.does = IS_REAL;
}

static void close_server(struct server *s, size_t nexchanges)
{
    for (size_t i = 0; i < nexchanges; i++) {
        exchange_end(s->x[i], EXCHANGE_OK);
    }
    rig_turn(&s->r);
    rig_close(&s->r);
    for (size_t i = 0; i < s->n; i++) {
        close(s->fd[i]);
    }
    close(s->listener);
}

static bool has_come(const void *ctx)
{
    struct server *s = *(struct server *const *)ctx;
    int fd = accept(s->listener, NULL, NULL);
    if (fd >= 0) {
        s->fd[s->n++] = fd;
    }
    return fd >= 0;
}

static bool has_asked(const void *ctx)
{
    struct server *s = *(struct server *const *)ctx;
    char buf[4096];
    for (s->read = 0; s->read < s->n; s->read++) {
        if (recv(s->fd[s->read], buf, sizeof(buf), MSG_DONTWAIT) > 0) {
            return true;
        }
    }
    return false;
}

static bool is_over(const void *ctx)
{
    const struct pool *p = ctx;
    return p->load == 0;
}

/* To the request that comes next. */
static void answer(struct server *s, const char *response)
{
    rig_until(&s->r, has_asked, &s);
    assert_int_equal(send(s->fd[s->read], response, strlen(response), 0), strlen(response));
}

static void ask(struct server *s, size_t i)
{
    s->x[i] = begun(&s->r, &s->told[i], GET);
}

#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"

/* What closed one kept connection may be closing all of them. */
static void a_second_try_is_not_made_over_a_kept_connection(void **state)
{
    (void)state;
    struct server s, *server = &s;
    open_server(&s);
    struct pool *p = rig_pool(&s.r, 0);
    for (size_t i = 0; i < 2; i++) {
        ask(&s, i);
        rig_until(&s.r, has_come, &server);
    }
    answer(&s, NO_CONTENT);
    answer(&s, NO_CONTENT);
    rig_until(&s.r, is_over, p);
    assert_int_equal(p->nidle, 2);
    ask(&s, 2);
    assert_int_equal(p->nidle, 1);
    rig_until(&s.r, has_asked, &server);
    assert_int_equal(shutdown(s.fd[s.read], SHUT_RDWR), 0);
    rig_until(&s.r, has_come, &server);
    assert_int_equal(p->nidle, 1); /* the other one waits on */
    answer(&s, NO_CONTENT);
    assert_int_equal(s.read, 2);
    rig_until(&s.r, is_over, p);
    assert_true(s.told[2].aborts == 0 && s.told[2].heads == 1 && s.x[2]->tries == 2);
    close_server(&s, 3);
}

static void interim_responses_are_so_many_and_no_more(void **state)
{
    (void)state;
    for (unsigned n = EXCHANGE_MAX_INTERIM; n <= EXCHANGE_MAX_INTERIM + 1; n++) {
        struct server s, *server = &s;
        char text[1024] = "";
        for (unsigned i = 0; i < n; i++) {
            strcat(text, "HTTP/1.1 103 Early Hints\r\n\r\n");
        }
        strcat(text, NO_CONTENT);
        open_server(&s);
        ask(&s, 0);
        rig_until(&s.r, has_come, &server);
        answer(&s, text);
        rig_until(&s.r, is_over, rig_pool(&s.r, 0));
        if (n == EXCHANGE_MAX_INTERIM) {
            assert_int_equal(s.told[0].heads, n + 1);
            assert_int_equal(s.x[0]->response.status, 204);
        } else {
            expect_failure(s.x[0], &s.told[0], EXCHANGE_BACKEND_PROTOCOL);
        }
        close_server(&s, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_side_is_told_what_the_other_does),
        cmocka_unit_test(nobody_is_told_before_there_is_a_back),
        cmocka_unit_test(the_end_is_told_to_who_has_it),
        cmocka_unit_test(
            the_routes_that_count_are_those_of_the_name_in_tls_when_the_frontend_says_so),
        cmocka_unit_test(each_address_is_tried_before_one_is_tried_twice),
        cmocka_unit_test(a_request_is_tried_so_often_and_no_further),
        cmocka_unit_test(after_a_new_connection_was_closed_on_it_none_gets_it_twice),
        cmocka_unit_test(the_budget_is_for_retries_and_not_for_requests),
        cmocka_unit_test(a_back_that_cannot_begin_is_a_try),
        cmocka_unit_test(idempotent_is_what_rfc_9110_says),
        cmocka_unit_test(the_next_back_gets_the_body_from_its_beginning),
        cmocka_unit_test(a_request_starts_over_only_while_all_of_it_is_here),
        cmocka_unit_test(what_was_returned_was_no_try),
        cmocka_unit_test(who_comes_too_late_waits_and_has_tried_nothing),
        cmocka_unit_test(what_is_offline_is_said_unless_something_was_tried),
        cmocka_unit_test(a_front_may_hold_a_request_back),
        cmocka_unit_test(who_was_held_back_goes_by_the_routes_in_force_then),
        cmocka_unit_test(a_check_is_about_one_address),
        cmocka_unit_test(every_error_has_a_sentence_and_a_status_or_none),
        cmocka_unit_test(an_error_replaces_what_a_backend_said),
        cmocka_unit_test(a_tunnel_is_over_when_both_ends_and_the_back_are),
        cmocka_unit_test(a_second_try_is_not_made_over_a_kept_connection),
        cmocka_unit_test(interim_responses_are_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
