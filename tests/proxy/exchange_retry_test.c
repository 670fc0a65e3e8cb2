/* How an exchange gets to a back: which one, how often, with what of its body, and if none has
 * room.
 */
#include "exchange_testing.h"

#include "back/back.h"
#include "conn_testing.h"
#include "net/clock.h"
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
static void after_silence_or_a_new_connection_that_was_closed_none_gets_it_twice(void **state)
{
    (void)state;
    static const struct {
        enum exchange_error why[3];
    } cases[] = {
        {{EXCHANGE_BACKEND_NO_ANSWER, EXCHANGE_BACKEND_NO_ANSWER, EXCHANGE_BACKEND_NO_ANSWER}},
        {{EXCHANGE_BACKEND_NO_ANSWER, EXCHANGE_BACKEND_CONNECT, EXCHANGE_BACKEND_GONE}},
        {{EXCHANGE_BACKEND_GONE, EXCHANGE_BACKEND_NO_ANSWER, EXCHANGE_BACKEND_CONNECT}},
        {{EXCHANGE_BACKEND_SILENT, EXCHANGE_BACKEND_GONE, EXCHANGE_BACKEND_CONNECT}},
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

static struct budget *budget_of(struct rig *r, size_t group)
{
    return &r->worker->targets->groups[group].retries;
}

static void spend_all(struct rig *r, size_t group)
{
    while (budget_spend(budget_of(r, group), clock_ms())) {
    }
}

static void the_budget_is_for_retries_and_not_for_requests(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO);
    spend_all(&r, 0);
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
    backs.what = BACKS_REFUSE;
    struct exchange *x = begun(&r, &told, GET);
    assert_int_equal(backs.ntook, 4); /* each of them twice */
    assert_true(all_differ(backs.took, 2));
    expect_failure(x, &told, EXCHANGE_BACKEND_CONNECT);
    rig_exchange_end(&r, x);

    memset(&backs, 0, sizeof(backs)); /* that comes last, so it is what is said */
    x = begun(&r, &told, GET);
    backs.what = BACKS_REFUSE;
    fails(x, EXCHANGE_BACKEND_RESET);
    expect_failure(x, &told, EXCHANGE_BACKEND_CONNECT);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void so_is_each_of_many_but_it_costs_no_retry(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, THREE "\nbackend=127.0.0.1,84\nbackend=127.0.0.1,85");
    spend_all(&r, 0);
    backs.what = BACKS_REFUSE;
    struct exchange *x = begun(&r, &told, GET);
    assert_int_equal(backs.ntook, EXCHANGE_MAX_TRIES);
    expect_failure(x, &told, EXCHANGE_BACKEND_CONNECT);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* It has sent nothing there. */
static void what_no_server_takes_costs_no_retry(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, THREE);
    spend_all(&r, 0);
    struct exchange *x = begun(&r, &told, GET);
    for (int i = 0; i < 2; i++) {
        fails(x, EXCHANGE_BACKEND_NO_WEBSOCKET);
    }
    assert_true(backs.ntook == 3 && told.aborts == 0);
    fails(x, EXCHANGE_BACKEND_GONE);
    expect_failure(x, &told, EXCHANGE_BACKEND_GONE);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_websocket_goes_only_to_servers_that_take_it(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO);
    backs.unable = rig_pool(&r, 1)->id;
    for (int i = 0; i < 4; i++) {
        struct exchange *x = begun(&r, &told, WEBSOCKET);
        assert_ptr_equal(x->pool, rig_pool(&r, 0));
        rig_exchange_end(&r, x);
    }
    struct exchange *x = begun(&r, &told, WEBSOCKET);
    fails(x, EXCHANGE_BACKEND_GONE);
    assert_ptr_equal(x->pool, rig_pool(&r, 0)); /* better the same once more */
    rig_exchange_end(&r, x);
    rig_close(&r);

    open_rig(&r, ONE);
    backs.unable = rig_pool(&r, 0)->id;
    x = begun(&r, &told, WEBSOCKET);
    expect_failure(x, &told, EXCHANGE_BACKEND_NO_WEBSOCKET);
    assert_int_equal(backs.ntook, 0);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_pattern_has_its_own_retries(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO "\nbackend=127.0.0.1,83;/dead/\nbackend=127.0.0.1,84;/dead/");
    for (unsigned i = 0; i < 2 * BUDGET_FREE; i++) {
        struct exchange *x = begun(&r, &told, "GET /dead/ HTTP/1.1\nHost: a\n");
        backs.ntook = 0;
        while (told.aborts == 0) {
            fails(x, EXCHANGE_BACKEND_CONNECT);
        }
        rig_exchange_end(&r, x);
    }
    assert_int_equal(backs.ntook, 1); /* they are used up there */
    backs.ntook = 0;
    struct exchange *x = begun(&r, &told, GET);
    fails(x, EXCHANGE_BACKEND_RESET);
    assert_true(backs.ntook == 2 && told.aborts == 0);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* An outage of what many patterns share must not be multiplied by their number. */
static void all_patterns_together_have_a_budget_too(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    char options[2000] = TWO ";/", request[64];
    for (int i = 0; i < 20; i++) {
        snprintf(options + strlen(options), sizeof(options) - strlen(options), ":/%d/", i);
    }
    strcat(options, "\n" ONE ";/");
    open_rig(&r, options);
    unsigned retries = 0, requests = 0;
    for (unsigned i = 0; i < 20 * BUDGET_FREE; i++) {
        snprintf(request, sizeof(request), "GET /%u/ HTTP/1.1\nHost: a\n", i % 20);
        struct exchange *x = begun(&r, &told, request);
        backs.ntook = 0;
        fails(x, EXCHANGE_BACKEND_RESET);
        retries += backs.ntook;
        requests++;
        rig_exchange_end(&r, x);
    }
    assert_int_equal(retries, requests / 5 + BUDGET_FREE_ALL);
    rig_close(&r);
}

static void what_the_worker_has_no_retry_for_costs_the_group_none(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, TWO);
    for (unsigned i = 1; i < BUDGET_FREE; i++) {
        assert_true(budget_spend(budget_of(&r, 0), clock_ms()));
    }
    struct budget before = r.worker->retries;
    while (budget_spend(&r.worker->retries, clock_ms())) {
    }
    struct exchange *x = begun(&r, &told, GET);
    fails(x, EXCHANGE_BACKEND_RESET);
    expect_failure(x, &told, EXCHANGE_BACKEND_RESET);
    rig_exchange_end(&r, x);
    r.worker->retries = before;
    backs.ntook = 0;
    x = begun(&r, &told, GET);
    fails(x, EXCHANGE_BACKEND_RESET);
    assert_true(backs.ntook == 2 && told.aborts == 0);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* By whoever looked whether there is room. */
static void what_was_chosen_before_is_tried_first(void **state)
{
    (void)state;
    for (size_t first = 0; first < 3; first++) {
        struct rig r;
        struct told told;
        open_rig(&r, THREE);
        struct pool *p = rig_pool(&r, first);
        struct exchange *x = asked(&r, &told, GET);
        backs.what = BACKS_REFUSE;
        exchange_dispatch(x, p);
        assert_true(backs.ntook == 6 && backs.took[0] == p->id && all_differ(backs.took, 3));
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
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

/* docs/routing.md, "When a backend fails". */
static void what_is_sent_again_and_what_is_not(void **state)
{
    (void)state;
    static const struct {
        enum exchange_progress progress;
        enum exchange_error why;
        bool get, post; /* whether it goes to another one */
    } cases[] = {
        {EXCHANGE_UNSENT, EXCHANGE_BACKEND_CONNECT, true, true},
        {EXCHANGE_UNSENT, EXCHANGE_BACKEND_PROTOCOL, true, true},
        {EXCHANGE_UNSENT, EXCHANGE_BACKEND_TIMEOUT, true, true},
        {EXCHANGE_REFUSED, EXCHANGE_BACKEND_RESET, true, true},
        {EXCHANGE_SENT, EXCHANGE_BACKEND_GONE, true, false},
        {EXCHANGE_SENT, EXCHANGE_BACKEND_NO_ANSWER, true, false},
        {EXCHANGE_SENT, EXCHANGE_BACKEND_SILENT, true, false},
        {EXCHANGE_SENT, EXCHANGE_BACKEND_RESET, false, false},
        {EXCHANGE_SENT, EXCHANGE_BACKEND_PROTOCOL, false, false},
        {EXCHANGE_SENT, EXCHANGE_BACKEND_TIMEOUT, false, false},
        {EXCHANGE_SENT, EXCHANGE_BACKEND_TLS, false, false},
        {EXCHANGE_ANSWERED, EXCHANGE_BACKEND_GONE, false, false},
        {EXCHANGE_ANSWERED, EXCHANGE_BACKEND_SILENT, false, false},
    };
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        struct rig r;
        struct told told;
        bool post = i % 2 == 1, again = post ? cases[i / 2].post : cases[i / 2].get;
        enum exchange_error why = cases[i / 2].why;
        open_rig(&r, TWO);
        struct exchange *x = begun(&r, &told, post ? POST : GET);
        if (exchange_can_move(x, cases[i / 2].progress) != again &&
            why == EXCHANGE_BACKEND_SILENT) {
            fail_msg("case %zu: it %s", i / 2, again ? "stays" : "moves");
        }
        loses(x, why, cases[i / 2].progress);
        if (backs.ntook != 1u + again || told.aborts != !again) {
            fail_msg("case %zu: %s", i / 2, post ? "POST" : "GET");
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
    exchange_took_up(x, len);
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
    loses(x, EXCHANGE_BACKEND_RESET, EXCHANGE_REFUSED);
    unsigned credits = told.credits;
    take_body(x, 10000);
    assert_int_equal(told.credit, 30000);        /* for these the front has read others */
    assert_int_equal(told.credits, credits + 1); /* but there is room again: it may have paused */
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

/* ---------------------------------------------------------------- other routes meanwhile */

/* What the group before wanted in a cookie is nothing that the next one knows of. */
static void the_cookie_is_of_the_group_that_answers(void **state)
{
    (void)state;
    struct rig r, other;
    struct told told;
    open_rig(&other, ONE);
    struct routes *plain = routes_ref(other.routes);
    rig_close(&other);
    open_rig(&r, ONE ";;affinity=cookie;affinity-cookie-name=c");
    struct exchange *x = begun(&r, &told, GET);
    assert_true(x->set_affinity);
    targets_install(r.worker, plain);
    fails(x, EXCHANGE_BACKEND_GONE);
    assert_ptr_equal(x->targets->routes, plain);
    testing_response(x, 11, "HTTP/1.1 204 No Content\n");
    testing_expect_fields("no cookie", message_response_fields(x, 1),
                          "server: nghttpx\nvia: 1.1 nghttpx\n");
    rig_exchange_end(&r, x);
    routes_unref(plain);
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
    backs.what = BACKS_REFUSE;
    exchange_dispatch(x, p); /* the choice was made before */
    assert_true(backs.ntook == 1 && backs.took[0] == p->id);
    assert_true(x->tries == 0 && r.worker->nwaiting == 1);
    assert_int_equal(told[0].aborts, 0);
    exchange_begin(other);
    expect_failure(other, &told[1], EXCHANGE_BACKEND_BUSY); /* the queue is full */
    backs.what = BACKS_TAKE;
    health_give_conn(p->health);
    pool_freed(p);
    rig_turn(&r);
    assert_true(x->tries == 1 && x->pool == p && r.worker->nwaiting == 0);
    exchange_end(other, EXCHANGE_OK);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void whoever_leaves_a_pool_may_leave_room(void **state)
{
    (void)state;
    for (int check = 0; check < 2; check++) {
        struct rig r;
        struct told told[2];
        open_rig(&r, ONE ";;max-conns=1");
        struct pool *p = rig_pool(&r, 0);
        struct exchange *first = asked(&r, &told[0], GET);
        first->is_check = check;
        assert_true(back_take(p, first));
        assert_true(health_take_conn(p->health, 1));
        struct exchange *x = begun(&r, &told[1], GET);
        assert_int_equal(r.worker->nwaiting, 1);
        rig_turn(&r);
        health_give_conn(p->health); /* and nobody says so */
        rig_turn(&r);
        assert_int_equal(r.worker->nwaiting, 1);
        exchange_end(first, EXCHANGE_OK);
        rig_turn(&r);
        assert_ptr_equal(x->pool, p);
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
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
    assert_int_equal(health_connect_failed(p->health, p->backend->cfg, clock_ms(), now, false, &n),
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

/* Looking for room once more is no retry more, and the client's own limit none at all. */
static void a_retry_that_waits_is_paid_once(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    open_rig(&r, ONE ";;max-conns=1\nbackend=127.0.0.1,82;;max-conns=1");
    for (unsigned i = 1; i < BUDGET_FREE; i++) {
        assert_true(budget_spend(budget_of(&r, 0), clock_ms()));
    }
    struct exchange *x = begun(&r, &told, GET);
    struct pool *other = rig_pool(&r, x->pool == rig_pool(&r, 0));
    assert_true(health_take_conn(other->health, 1));
    fails(x, EXCHANGE_BACKEND_GONE);
    assert_int_equal(r.worker->nwaiting, 1);
    assert_false(budget_spend(budget_of(&r, 0), clock_ms()));
    health_give_conn(other->health);
    pool_freed(other);
    rig_turn(&r);
    assert_true(told.aborts == 0 && x->pool == other && x->tries == 2);
    exchange_detach_back(x);
    exchange_return(x); /* nor is what was no try */
    assert_true(told.aborts == 0 && x->tries == 2);
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
    backs.what = BACKS_ARE_REAL;
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
        cmocka_unit_test(each_address_is_tried_before_one_is_tried_twice),
        cmocka_unit_test(a_request_is_tried_so_often_and_no_further),
        cmocka_unit_test(after_silence_or_a_new_connection_that_was_closed_none_gets_it_twice),
        cmocka_unit_test(the_budget_is_for_retries_and_not_for_requests),
        cmocka_unit_test(a_back_that_cannot_begin_is_a_try),
        cmocka_unit_test(so_is_each_of_many_but_it_costs_no_retry),
        cmocka_unit_test(what_no_server_takes_costs_no_retry),
        cmocka_unit_test(a_websocket_goes_only_to_servers_that_take_it),
        cmocka_unit_test(a_pattern_has_its_own_retries),
        cmocka_unit_test(all_patterns_together_have_a_budget_too),
        cmocka_unit_test(what_the_worker_has_no_retry_for_costs_the_group_none),
        cmocka_unit_test(what_was_chosen_before_is_tried_first),
        cmocka_unit_test(idempotent_is_what_rfc_9110_says),
        cmocka_unit_test(what_is_sent_again_and_what_is_not),
        cmocka_unit_test(the_next_back_gets_the_body_from_its_beginning),
        cmocka_unit_test(a_request_starts_over_only_while_all_of_it_is_here),
        cmocka_unit_test(the_cookie_is_of_the_group_that_answers),
        cmocka_unit_test(what_was_returned_was_no_try),
        cmocka_unit_test(who_comes_too_late_waits_and_has_tried_nothing),
        cmocka_unit_test(whoever_leaves_a_pool_may_leave_room),
        cmocka_unit_test(what_is_offline_is_said_unless_something_was_tried),
        cmocka_unit_test(a_retry_that_waits_is_paid_once),
        cmocka_unit_test(a_second_try_is_not_made_over_a_kept_connection),
        cmocka_unit_test(interim_responses_are_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
