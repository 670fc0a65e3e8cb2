/* A connection that speaks TLS: the same as in the clear, and what TLS adds (net/conn.h). */
#include "net/conn.h"

#include "cert_testing.h"
#include "conn_testing.h"
#include "proxy_testing.h"

#include <errno.h>
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

#include "tls/tls.h"

/* Both ends are connections of the same worker. */
struct tls_scene {
    struct rig rig;
    struct user server, client;
};

#define GREETING "before TLS"

static SSL_CTX *greeted_ctx;

/* Takes the greeting, all at once, and has TLS begin behind it. */
static size_t greeting_input(struct conn *c, uint8_t *data, size_t len)
{
    if (len < strlen(GREETING)) {
        return 0;
    }
    assert_memory_equal(data, GREETING, strlen(GREETING));
    conn_set_user(c, &user_ops, c->user);
    assert_true(conn_start_tls(c, greeted_ctx));
    return strlen(GREETING);
}

/* With `greets`, the client says something before TLS. */
static void open_scene(struct tls_scene *s, const char *name, bool greets)
{
    char options[512];
    struct sockaddr_in addr;
    snprintf(options, sizeof(options), "%s\n%s\ncacert=%s", cert_path("conn", "key"),
             cert_path("conn", "cert"), cert_path("conn", "cert"));
    rig_open_tls(&s->rig, options);
    int l = testing_listener(&addr);
    struct conn_target target =
        testing_target((const struct sockaddr *)(const void *)&addr, sizeof(addr));
    struct tls_peer peer = {.ctx = s->rig.client_ctx, .name = name, .alpn = "http/1.1"};
    target.tls = &peer;
    s->client = s->server = (struct user){.most = SIZE_MAX};
    s->client.conn = conn_connect(s->rig.worker, &target, &user_ops, &s->client);
    assert_non_null(s->client.conn);
    if (greets) {
        conn_set_preface(s->client.conn, (const uint8_t *)"something else", 14);
        conn_set_preface(s->client.conn, (const uint8_t *)GREETING, strlen(GREETING));
    }
    int fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        ev_run(s->rig.worker->loop, EVRUN_NOWAIT);
        fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    assert_true(fd >= 0);
    close(l);
    static struct conn_ops greeting_ops;
    greeting_ops = user_ops;
    greeting_ops.input = greeting_input;
    greeted_ctx = s->rig.server_ctx;
    s->server.conn = conn_accept(s->rig.worker, fd, greets ? NULL : s->rig.server_ctx,
                                 greets ? &greeting_ops : &user_ops, &s->server, 30000);
    assert_non_null(s->server.conn);
}

static void open_tls(struct tls_scene *s, const char *name)
{
    open_scene(s, name, false);
}

static void close_tls(struct tls_scene *s)
{
    if (s->server.conn != NULL) {
        conn_close(s->server.conn);
    }
    if (s->client.conn != NULL) {
        conn_close(s->client.conn);
    }
    free(s->server.seen);
    free(s->client.seen);
    rig_close(&s->rig);
}

static bool both_ready(const void *ctx)
{
    const struct tls_scene *s = ctx;
    return s->server.readies > 0 && s->client.readies > 0;
}

static bool client_has_all(const void *ctx)
{
    const struct tls_scene *s = ctx;
    return s->client.nseen >= s->server.to_send;
}

static bool client_saw_end(const void *ctx)
{
    return ((const struct tls_scene *)ctx)->client.eofs > 0;
}

static void tls_carries_the_same_bytes_and_a_clean_end(void **state)
{
    (void)state;
    struct tls_scene s;
    open_tls(&s, "a.example");
    rig_until(&s.rig, both_ready, &s);
    size_t len;
    const char *alpn = conn_alpn(s.client.conn, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(alpn, "http/1.1", 8);
    s.server.to_send = s.server.finish_at = 300000;
    conn_want_output(s.server.conn);
    rig_until(&s.rig, client_saw_end, &s);
    assert_true(s.client.clean); /* close_notify */
    assert_int_equal(s.client.nseen, 300000);
    for (size_t i = 0; i < s.client.nseen; i++) {
        assert_int_equal(s.client.seen[i], user_octet(i));
    }
    close_tls(&s);
}

static bool server_has_all(const void *ctx)
{
    const struct tls_scene *s = ctx;
    return s->server.nseen >= s->client.to_send && s->server.eofs > 0;
}

/* RFC 8446, 6.1: close_notify ends one direction only. */
static void one_side_of_tls_may_end_and_the_other_go_on(void **state)
{
    (void)state;
    struct tls_scene s;
    open_tls(&s, "a.example");
    rig_until(&s.rig, both_ready, &s);
    s.server.to_send = s.server.end_at = 300000;
    conn_want_output(s.server.conn);
    rig_until(&s.rig, client_saw_end, &s);
    assert_true(s.client.clean);
    assert_int_equal(s.client.nseen, 300000);
    s.client.to_send = s.client.end_at = 200000;
    conn_want_output(s.client.conn);
    rig_until(&s.rig, server_has_all, &s);
    assert_true(s.server.clean);
    assert_int_equal(s.server.nseen, 200000);
    assert_int_equal(s.server.fails + s.client.fails, 0);
    close_tls(&s);
}

static void tls_begins_behind_what_was_said_before_it(void **state)
{
    (void)state;
    struct tls_scene s;
    open_scene(&s, "a.example", true);
    rig_until(&s.rig, both_ready, &s);
    s.server.to_send = s.server.finish_at = 100000;
    conn_want_output(s.server.conn);
    rig_until(&s.rig, client_saw_end, &s);
    assert_int_equal(s.client.nseen, 100000);
    for (size_t i = 0; i < s.client.nseen; i++) {
        assert_int_equal(s.client.seen[i], user_octet(i));
    }
    close_tls(&s);
}

static bool client_has_some(const void *ctx)
{
    return ((const struct tls_scene *)ctx)->client.nseen > 0;
}

static void a_pause_in_the_middle_of_records_loses_nothing(void **state)
{
    (void)state;
    struct tls_scene s;
    open_tls(&s, "a.example");
    rig_until(&s.rig, both_ready, &s);
    s.client.pause = CONN_PAUSE_BODY;
    s.server.to_send = 200000;
    conn_want_output(s.server.conn);
    while (s.client.nseen < s.server.to_send) { /* a pause in each input */
        rig_turn(&s.rig);
        s.client.most = s.client.most == 777 ? 5000 : 777;
        conn_resume_reading(s.client.conn, CONN_PAUSE_BODY);
    }
    for (size_t i = 0; i < s.client.nseen; i++) {
        assert_int_equal(s.client.seen[i], user_octet(i));
    }
    assert_int_equal(s.client.eofs + s.client.fails, 0);
    close_tls(&s);
}

static bool server_has_some(const void *ctx)
{
    return ((const struct tls_scene *)ctx)->server.nseen > 0;
}

static bool server_has_30000(const void *ctx)
{
    return ((const struct tls_scene *)ctx)->server.nseen == 30000;
}

/* What a pause has left in TLS is read on when another pause begins, in which the peer is listened
 * to: nothing but the socket would wake it. */
static void an_end_that_lies_behind_a_pause_in_tls_is_heard(void **state)
{
    (void)state;
    struct tls_scene s;
    open_tls(&s, "a.example");
    rig_until(&s.rig, both_ready, &s);
    s.server.pause = CONN_PAUSE_BODY;
    s.server.most = 1000;
    s.client.to_send = s.client.end_at = 10000; /* a record, and close_notify in the same read */
    conn_want_output(s.client.conn);
    for (int i = 0; i < 10; i++) {
        rig_turn(&s.rig);
    }
    assert_int_equal(s.server.nseen, 1000);
    s.server.most = SIZE_MAX;
    s.server.pause = CONN_PAUSE_PIPELINE;
    conn_resume_reading(s.server.conn, CONN_PAUSE_BODY);
    for (int i = 0; i < 10; i++) {
        rig_turn(&s.rig);
    }
    assert_int_equal(s.server.nseen, 10000);
    assert_int_equal(s.server.eofs, 1);
    assert_true(s.server.clean);
    assert_false(ev_is_active(&s.server.conn->rev)); /* there is nothing that could wake it */
    close_tls(&s);
}

/* The same, and the loop has something of the socket to tell before its end of turn. */
static void what_tls_has_left_is_read_before_the_socket(void **state)
{
    (void)state;
    struct tls_scene s;
    open_tls(&s, "a.example");
    rig_until(&s.rig, both_ready, &s);
    s.server.pause = CONN_PAUSE_BODY;
    s.client.to_send = 20000; /* two records, in the same read */
    conn_want_output(s.client.conn);
    rig_until(&s.rig, server_has_some, &s);
    assert_true(s.server.nseen < 20000 && s.server.conn->tls->in_len > 0);
    s.client.to_send = 30000;
    conn_want_output(s.client.conn);
    rig_turn(&s.rig);
    conn_pause_reading(s.server.conn, CONN_PAUSE_PIPELINE);
    conn_resume_reading(s.server.conn, CONN_PAUSE_BODY);
    ev_feed_event(s.rig.worker->loop, &s.server.conn->rev, EV_READ);
    ev_invoke_pending(s.rig.worker->loop);
    rig_turn(&s.rig);
    s.server.pause = 0;
    conn_resume_reading(s.server.conn, CONN_PAUSE_PIPELINE);
    rig_until(&s.rig, server_has_30000, &s);
    for (size_t i = 0; i < s.server.nseen; i++) {
        assert_int_equal(s.server.seen[i], user_octet(i));
    }
    close_tls(&s);
}

static void an_end_without_close_notify_is_not_clean(void **state)
{
    (void)state;
    struct tls_scene s;
    open_tls(&s, "a.example");
    rig_until(&s.rig, both_ready, &s);
    s.server.to_send = 10;
    conn_want_output(s.server.conn);
    rig_until(&s.rig, client_has_some, &s);
    conn_close(s.server.conn); /* cut off, as anybody on the way could */
    s.server.conn = NULL;
    rig_until(&s.rig, client_saw_end, &s);
    assert_false(s.client.clean);
    close_tls(&s);
}

static void a_certificate_for_another_name_fails_the_connection(void **state)
{
    (void)state;
    struct tls_scene s;
    open_tls(&s, "b.example");
    rig_until(&s.rig, user_failed, &s.client);
    assert_int_equal(s.client.why, CONN_ERR_TLS);
    assert_int_equal(s.client.readies, 0);
    rig_until(&s.rig, user_failed, &s.server); /* by the alert */
    assert_int_equal(s.server.why, CONN_ERR_TLS);
    close_tls(&s);
}

static void a_handshake_that_does_not_go_on_times_out(void **state)
{
    (void)state;
    struct tls_scene s;
    struct sockaddr_in addr;
    char options[512];
    snprintf(options, sizeof(options), "%s\n%s", cert_path("conn", "key"),
             cert_path("conn", "cert"));
    rig_open_tls(&s.rig, options);
    int l = testing_listener(&addr); /* connects, and says nothing */
    struct conn_target target =
        testing_target((const struct sockaddr *)(const void *)&addr, sizeof(addr));
    struct tls_peer peer = {.ctx = s.rig.client_ctx, .name = "a.example", .alpn = "http/1.1"};
    target.tls = &peer;
    target.connect_timeout = 60;
    s.server = s.client = (struct user){.most = SIZE_MAX};
    s.client.conn = conn_connect(s.rig.worker, &target, &user_ops, &s.client);
    rig_until(&s.rig, user_failed, &s.client);
    assert_int_equal(s.client.why, CONN_ERR_CONNECT_TIMEOUT);
    close(l);
    close_tls(&s);
}

/* The time-out is one for all that comes before the connection can be used. */
static void a_peer_that_is_slow_to_read_the_first_words_has_no_more_time(void **state)
{
    (void)state;
    static uint8_t preface[16u << 20]; /* more than sockets hold */
    static uint8_t buf[1u << 16];
    struct tls_scene s;
    struct sockaddr_in addr;
    char options[512];
    snprintf(options, sizeof(options), "%s\n%s", cert_path("conn", "key"),
             cert_path("conn", "cert"));
    rig_open_tls(&s.rig, options);
    int l = testing_listener(&addr);
    struct conn_target target =
        testing_target((const struct sockaddr *)(const void *)&addr, sizeof(addr));
    struct tls_peer peer = {.ctx = s.rig.client_ctx, .name = "a.example", .alpn = "http/1.1"};
    target.tls = &peer;
    s.server = s.client = (struct user){.most = SIZE_MAX};
    s.client.conn = conn_connect(s.rig.worker, &target, &user_ops, &s.client);
    conn_set_preface(s.client.conn, preface, sizeof(preface));
    int fd = accept(l, NULL, NULL);
    assert_true(fd >= 0);
    while (s.client.conn->state == CONN_CONNECTING || conn_blocked(s.client.conn)) {
        rig_turn(&s.rig);
        assert_true(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == EAGAIN);
    }
    assert_int_equal(s.client.conn->state, CONN_HANDSHAKE);
    assert_true(s.client.conn->write_timer.at > 0);
    close(fd);
    close(l);
    close_tls(&s);
}

static void an_end_in_the_handshake_is_a_failure(void **state)
{
    (void)state;
    struct tls_scene s;
    char options[512];
    int fds[2];
    snprintf(options, sizeof(options), "%s\n%s", cert_path("conn", "key"),
             cert_path("conn", "cert"));
    rig_open_tls(&s.rig, options);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    s.server = s.client = (struct user){.most = SIZE_MAX};
    s.server.conn =
        conn_accept(s.rig.worker, fds[0], s.rig.server_ctx, &user_ops, &s.server, 30000);
    close(fds[1]);
    rig_until(&s.rig, user_failed, &s.server);
    assert_int_equal(s.server.why, CONN_ERR_TLS);
    close_tls(&s);
}

static void a_connection_at_rest_holds_no_buffers(void **state)
{
    (void)state;
    struct tls_scene s;
    open_tls(&s, "a.example");
    rig_until(&s.rig, both_ready, &s);
    s.server.to_send = 100000;
    conn_want_output(s.server.conn);
    rig_until(&s.rig, client_has_all, &s);
    rig_turn(&s.rig);
    struct conn *const conns[] = {s.server.conn, s.client.conn};
    for (size_t i = 0; i < COUNT(conns); i++) {
        assert_null(conns[i]->rx.mem);
        assert_null(conns[i]->tx.mem);
        assert_null(conns[i]->tls->in_mem);
    }
    close_tls(&s);
}

static int set_up(void **state)
{
    (void)state;
    cert_make(&(struct cert_wish){
        .file = "conn", .common_name = "conn", .alt_names = "DNS:a.example", .days = 10});
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
        cmocka_unit_test(tls_carries_the_same_bytes_and_a_clean_end),
        cmocka_unit_test(one_side_of_tls_may_end_and_the_other_go_on),
        cmocka_unit_test(tls_begins_behind_what_was_said_before_it),
        cmocka_unit_test(a_pause_in_the_middle_of_records_loses_nothing),
        cmocka_unit_test(an_end_that_lies_behind_a_pause_in_tls_is_heard),
        cmocka_unit_test(what_tls_has_left_is_read_before_the_socket),
        cmocka_unit_test(an_end_without_close_notify_is_not_clean),
        cmocka_unit_test(a_certificate_for_another_name_fails_the_connection),
        cmocka_unit_test(a_handshake_that_does_not_go_on_times_out),
        cmocka_unit_test(a_peer_that_is_slow_to_read_the_first_words_has_no_more_time),
        cmocka_unit_test(an_end_in_the_handshake_is_a_failure),
        cmocka_unit_test(a_connection_at_rest_holds_no_buffers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
