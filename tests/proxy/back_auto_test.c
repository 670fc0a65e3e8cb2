/* A connection whose protocol is not known yet: who waits for it, and what becomes of both. */
#include "back/back.h"
#include "route/health.h"

#include "cert_testing.h"
#include "conn_testing.h"
#include "proxy_testing.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "route/routes.h"
#include "route/targets.h"
#include "tls/tls.h"

#define MOST 8

/* A worker with one backend, whose server is in the same worker: it shakes hands, and listens. */
struct scene {
    struct rig rig;
    struct pool *pool; /* a reference */
    int listener;
    struct user server[MOST];
    size_t nserver;
    struct told told[MOST];
    struct exchange *x[MOST];
    size_t nx;
};

static void open_scene(struct scene *s, const char *alpn, const char *params)
{
    char options[700];
    struct sockaddr_in addr;
    *s = (struct scene){0};
    s->listener = testing_listener(&addr);
    snprintf(options, sizeof(options),
             "%s\n%s\ncacert=%s\nalpn-list=%s\nbackend=127.0.0.1,%u;;tls;proto=auto%s",
             cert_path("auto", "key"), cert_path("auto", "cert"), cert_path("auto", "cert"), alpn,
             ntohs(addr.sin_port), params);
    rig_open_tls(&s->rig, options);
    s->pool = pool_ref(rig_pool(&s->rig, 0));
}

static void close_scene(struct scene *s)
{
    for (size_t i = 0; i < s->nx; i++) {
        if (s->x[i] != NULL) {
            exchange_end(s->x[i], EXCHANGE_OK);
        }
    }
    for (size_t i = 0; i < s->nserver; i++) {
        if (s->server[i].conn != NULL) {
            conn_close(s->server[i].conn);
        }
        free(s->server[i].seen);
    }
    close(s->listener);
    pool_unref(s->pool);
    rig_close(&s->rig);
}

static struct exchange *send_request(struct scene *s)
{
    assert_true(s->nx < MOST);
    struct exchange *x = s->x[s->nx] = rig_exchange(&s->rig, &s->told[s->nx]);
    s->nx++;
    testing_request(x, 11, "GET / HTTP/1.1\nhost: a\n");
    exchange_begin(x);
    return x;
}

static void accept_all(struct scene *s)
{
    int fd;
    while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        assert_true(s->nserver < MOST);
        struct user *u = &s->server[s->nserver++];
        *u = (struct user){.most = SIZE_MAX};
        u->conn = conn_accept(s->rig.worker, fd, s->rig.server_ctx, &user_ops, u, 30000);
        assert_non_null(u->conn);
    }
}

struct settled {
    const struct scene *s;
    size_t nserver;
};

static bool is_settled(const void *ctx)
{
    const struct settled *w = ctx;
    return list_empty(&w->s->pool->undecided) && w->s->nserver >= w->nserver;
}

static void on_connection(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop;
    (void)revents;
    accept_all(io->data);
}

/* Until nothing is being opened any more, and `nserver` connections have come. */
static void settle(struct scene *s, size_t nserver)
{
    struct settled w = {s, nserver};
    ev_io io;
    ev_io_init(&io, on_connection, s->listener, EV_READ);
    io.data = s;
    ev_io_start(s->rig.worker->loop, &io);
    rig_until(&s->rig, is_settled, &w);
    ev_io_stop(s->rig.worker->loop, &io);
}

static void many_wait_for_the_first_and_go_on_with_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *alpn;
        enum cfg_proto speaks;
        unsigned conns; /* for four requests */
    } cases[] = {{"h2", CFG_PROTO_HTTP2, 1}, {"http/1.1", CFG_PROTO_HTTP1, 4}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        open_scene(&s, cases[i].alpn, ";sni=a.example");
        assert_int_equal(s.pool->speaks, CFG_PROTO_AUTO);
        for (int j = 0; j < 4; j++) {
            send_request(&s);
        }
        assert_int_equal(s.pool->nconns, 1);
        assert_int_equal(s.pool->load, 4);
        settle(&s, cases[i].conns);
        assert_int_equal(s.pool->speaks, cases[i].speaks);
        assert_int_equal(s.pool->nconns, cases[i].conns);
        assert_int_equal(s.pool->load, 4);
        assert_int_equal(!list_empty(&s.pool->h2), cases[i].conns == 1);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(s.told[j].aborts, 0);
            assert_int_equal(s.x[j]->tries, 1); /* waiting in vain was no try */
        }
        close_scene(&s);
    }
}

static void a_wrong_guess_is_made_good(void **state)
{
    (void)state;
    static const struct {
        const char *alpn;
        enum cfg_proto guess;
        unsigned before, after; /* connections */
    } cases[] = {{"h2", CFG_PROTO_HTTP1, 3, 1}, {"http/1.1", CFG_PROTO_HTTP2, 1, 3}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        open_scene(&s, cases[i].alpn, ";sni=a.example");
        s.pool->speaks = cases[i].guess;
        for (int j = 0; j < 3; j++) {
            send_request(&s);
        }
        assert_int_equal(s.pool->nconns, cases[i].before);
        settle(&s, 3);
        assert_int_equal(s.pool->nconns, cases[i].after);
        assert_int_equal(s.pool->load, 3);
        assert_true(s.told[0].aborts + s.told[1].aborts + s.told[2].aborts == 0);
        close_scene(&s);
    }
}

static void whoever_leaves_is_not_waited_for(void **state)
{
    (void)state;
    static const char *const alpn[] = {"h2", "http/1.1"};
    for (size_t i = 0; i < COUNT(alpn); i++) {
        struct scene s;
        open_scene(&s, alpn[i], ";sni=a.example");
        for (int j = 0; j < 2; j++) {
            struct exchange *x = send_request(&s);
            exchange_end(x, EXCHANGE_CLIENT_GONE);
            s.x[j] = NULL;
        }
        assert_int_equal(s.pool->load, 0);
        assert_int_equal(s.pool->nconns, 1);
        settle(&s, 1);
        assert_int_equal(s.pool->nconns, 1); /* it serves who comes next */
        assert_int_equal(s.pool->nidle, i);
        send_request(&s);
        assert_int_equal(s.pool->nconns, 1);
        assert_int_equal(s.pool->load, 1);
        close_scene(&s);
    }
}

/* Other routes for the same worker, without the backend. */
static void leave_the_backend(struct scene *s)
{
    struct rig other;
    rig_open(&other, "backend=127.0.0.1,9");
    targets_install(s->rig.worker, other.routes);
    rig_close(&other);
}

static void a_retired_pool_serves_those_who_wait(void **state)
{
    (void)state;
    static const char *const alpn[] = {"h2", "http/1.1"};
    for (size_t i = 0; i < COUNT(alpn); i++) {
        struct scene s;
        open_scene(&s, alpn[i], ";sni=a.example");
        send_request(&s);
        leave_the_backend(&s);
        assert_int_equal(s.pool->nconns, 1);
        settle(&s, 1);
        assert_int_equal(s.pool->load, 1);
        assert_int_equal(s.told[0].aborts, 0);
        assert_true(list_empty(&s.pool->h2)); /* nobody else */
        close_scene(&s);
    }
}

static void a_retired_pool_opens_nothing_for_nobody(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "h2", ";sni=a.example");
    exchange_end(send_request(&s), EXCHANGE_CLIENT_GONE);
    s.x[0] = NULL;
    assert_int_equal(s.pool->nconns, 1);
    leave_the_backend(&s);
    assert_int_equal(s.pool->nconns, 0);
    close_scene(&s);
}

static void a_failure_is_told_to_all_who_wait(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "h2", ";sni=b.example"); /* which the certificate is not for */
    for (int j = 0; j < 3; j++) {
        send_request(&s);
    }
    settle(&s, 1);
    for (int j = 0; j < 3; j++) {
        assert_int_equal(s.told[j].aborts, 1);
        assert_int_equal(s.told[j].why, EXCHANGE_BACKEND_TLS);
    }
    assert_int_equal(s.pool->nconns, 0);
    assert_true(health_blocked_until(s.pool->health) > 0);
    close_scene(&s);
}

static void the_worker_may_end_meanwhile(void **state)
{
    (void)state;
    struct scene s;
    open_scene(&s, "h2", ";sni=a.example");
    send_request(&s);
    exchange_end(s.x[0], EXCHANGE_CLIENT_GONE);
    s.x[0] = NULL;
    assert_int_equal(s.pool->nconns, 1);
    close_scene(&s); /* asserts that nothing is left */
}

static int set_up(void **state)
{
    (void)state;
    cert_make(&(struct cert_wish){
        .file = "auto", .common_name = "auto", .alt_names = "DNS:a.example", .days = 10});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_cleanup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_wait_for_the_first_and_go_on_with_what_it_is),
        cmocka_unit_test(a_wrong_guess_is_made_good),
        cmocka_unit_test(whoever_leaves_is_not_waited_for),
        cmocka_unit_test(a_retired_pool_serves_those_who_wait),
        cmocka_unit_test(a_retired_pool_opens_nothing_for_nobody),
        cmocka_unit_test(a_failure_is_told_to_all_who_wait),
        cmocka_unit_test(the_worker_may_end_meanwhile),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
