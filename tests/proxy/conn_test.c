/* A connection between the kernel and its user: net/conn.h says what holds. */
#include "net/conn.h"

#include "conn_testing.h"
#include "proxy_testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* ---------------------------------------------------------------- a connection and its peer */

struct scene {
    struct rig rig;
    struct user user;
    int peer; /* the other end, not blocking */
};

static void accept_one(struct scene *s, int fd, SSL_CTX *ctx)
{
    s->user = (struct user){.most = SIZE_MAX};
    s->user.conn = conn_accept(s->rig.worker, fd, ctx, &user_ops, &s->user, 30000);
    assert_non_null(s->user.conn);
}

static void scene_open(struct scene *s)
{
    int fds[2];
    rig_open(&s->rig, "");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    s->peer = fds[1];
    accept_one(s, fds[0], NULL);
}

static void scene_close(struct scene *s)
{
    if (s->user.conn != NULL) {
        conn_close(s->user.conn);
    }
    free(s->user.seen);
    if (s->peer >= 0) {
        close(s->peer);
    }
    rig_turn(&s->rig);
    rig_close(&s->rig);
}

/* The same as scene_open, over TCP. */
static void scene_open_tcp(struct scene *s)
{
    struct sockaddr_in addr;
    rig_open(&s->rig, "");
    int l = testing_listener(&addr);
    s->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(s->peer, (struct sockaddr *)&addr, sizeof(addr)), 0);
    int fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(l);
    assert_int_equal(fcntl(s->peer, F_SETFL, O_NONBLOCK), 0);
    accept_one(s, fd, NULL);
}

static void say(struct scene *s, const char *text)
{
    assert_int_equal(write(s->peer, text, strlen(text)), strlen(text));
    rig_turn(&s->rig);
}

static void expect_seen(const struct scene *s, const char *text)
{
    assert_string_equal(s->user.seen != NULL ? (const char *)s->user.seen : "", text);
}

/* Reads what the peer gets; checks that it is the stream from *at on. 0: its end. */
static ssize_t peer_read(struct scene *s, uint64_t *at)
{
    uint8_t buf[8192];
    ssize_t n = read(s->peer, buf, sizeof(buf));
    for (ssize_t i = 0; i < n; i++) {
        assert_int_equal(buf[i], user_octet((*at)++));
    }
    return n;
}

/* ---------------------------------------------------------------- input */

static void input_that_is_not_taken_is_kept_and_offered_again(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    s.user.most = 0;
    say(&s, "abc");
    assert_int_equal(s.user.offered, 3);
    assert_int_equal(s.user.nseen, 0);
    say(&s, "de"); /* with what came before, in one piece */
    assert_int_equal(s.user.offered, 5);
    s.user.most = 2;
    conn_retry_input(s.user.conn);
    rig_turn(&s.rig);
    expect_seen(&s, "ab");
    assert_int_equal(s.user.inputs, 3); /* not over and over */
    s.user.most = SIZE_MAX;
    say(&s, "f");
    expect_seen(&s, "abcdef");
    scene_close(&s);
}

static void while_paused_nothing_is_told_and_nothing_is_lost(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    conn_pause_reading(s.user.conn, CONN_PAUSE_BODY);
    say(&s, "abc");
    say(&s, "def");
    assert_int_equal(s.user.inputs, 0);
    conn_resume_reading(s.user.conn, CONN_PAUSE_BODY);
    rig_turn(&s.rig);
    rig_turn(&s.rig);
    expect_seen(&s, "abcdef");
    /* Paused in the middle of an offer: the rest of it is kept. */
    s.user.most = 2;
    s.user.pause = CONN_PAUSE_BODY;
    say(&s, "ghijkl");
    say(&s, "mn");
    expect_seen(&s, "abcdefgh");
    s.user.pause = 0;
    s.user.most = SIZE_MAX;
    conn_resume_reading(s.user.conn, CONN_PAUSE_BODY);
    rig_turn(&s.rig);
    rig_turn(&s.rig);
    expect_seen(&s, "abcdefghijklmn");
    scene_close(&s);
}

static void only_when_no_reason_is_left_is_it_read_again(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    conn_pause_reading(s.user.conn, CONN_PAUSE_BODY);
    conn_pause_reading(s.user.conn, CONN_PAUSE_PIPELINE);
    say(&s, "abc");
    conn_resume_reading(s.user.conn, CONN_PAUSE_PIPELINE);
    rig_turn(&s.rig);
    assert_int_equal(s.user.inputs, 0);
    conn_resume_reading(s.user.conn, CONN_PAUSE_PIPELINE); /* it was none any more */
    rig_turn(&s.rig);
    assert_int_equal(s.user.inputs, 0);
    conn_resume_reading(s.user.conn, CONN_PAUSE_BODY);
    rig_turn(&s.rig);
    rig_turn(&s.rig);
    expect_seen(&s, "abc");
    scene_close(&s);
}

static void the_kernel_keeps_what_a_paused_connection_is_sent(void **state)
{
    (void)state;
    struct scene s;
    static const uint8_t block[65536];
    size_t total = 0;
    scene_open(&s);
    conn_pause_reading(s.user.conn, CONN_PAUSE_BODY);
    for (int i = 0; i < 100; i++) {
        ssize_t n = write(s.peer, block, sizeof(block));
        total += n > 0 ? (size_t)n : 0;
        rig_turn(&s.rig);
    }
    assert_true(total < 100 * sizeof(block)); /* the peer had to stop */
    assert_int_equal(buffer_len(&s.user.conn->rx), 0);
    scene_close(&s);
}

static void the_end_is_told_after_the_data_and_once(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    assert_int_equal(write(s.peer, "abc", 3), 3);
    shutdown(s.peer, SHUT_WR);
    for (int i = 0; i < 4; i++) {
        rig_turn(&s.rig);
    }
    expect_seen(&s, "abc");
    assert_int_equal(s.user.eofs, 1);
    assert_true(s.user.clean);
    scene_close(&s);
    /* The same for one that pauses: data on resuming, then the end. */
    scene_open(&s);
    conn_pause_reading(s.user.conn, CONN_PAUSE_BODY);
    assert_int_equal(write(s.peer, "abc", 3), 3);
    shutdown(s.peer, SHUT_WR);
    for (int i = 0; i < 4; i++) {
        rig_turn(&s.rig);
    }
    assert_int_equal(s.user.inputs + s.user.eofs, 0);
    conn_resume_reading(s.user.conn, CONN_PAUSE_BODY);
    for (int i = 0; i < 4; i++) {
        rig_turn(&s.rig);
    }
    expect_seen(&s, "abc");
    assert_int_equal(s.user.eofs, 1);
    scene_close(&s);
}

/* The loop hands out the end in the same iteration in which somebody else has ended the pause. */
static void the_end_does_not_overtake_what_was_kept(void **state)
{
    (void)state;
    static const enum conn_pause pauses[] = {CONN_PAUSE_BODY, CONN_PAUSE_PIPELINE};
    for (size_t i = 0; i < COUNT(pauses); i++) {
        struct scene s;
        scene_open(&s);
        s.user.most = 1;
        s.user.pause = pauses[i];
        say(&s, "abcdef");
        expect_seen(&s, "a");
        s.user.most = SIZE_MAX;
        s.user.pause = 0;
        shutdown(s.peer, SHUT_WR);
        conn_resume_reading(s.user.conn, pauses[i]);
        ev_feed_event(s.rig.worker->loop, &s.user.conn->rev, EV_READ);
        ev_invoke_pending(s.rig.worker->loop);
        assert_int_equal(s.user.eofs, 0);
        rig_turn(&s.rig);
        expect_seen(&s, "abcdef");
        assert_int_equal(s.user.eofs, 1);
        scene_close(&s);
    }
}

/* Nor do octets that come in that iteration. */
static void what_comes_does_not_overtake_what_was_kept(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    s.user.most = 0;
    say(&s, "abc");
    assert_int_equal(s.user.inputs, 1);
    s.user.most = SIZE_MAX;
    conn_retry_input(s.user.conn);
    assert_int_equal(write(s.peer, "def", 3), 3);
    ev_feed_event(s.rig.worker->loop, &s.user.conn->rev, EV_READ);
    ev_invoke_pending(s.rig.worker->loop);
    rig_turn(&s.rig);
    expect_seen(&s, "abcdef");
    scene_close(&s);
}

static void a_client_that_waits_for_its_answer_is_heard_leaving(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    s.user.pause = CONN_PAUSE_PIPELINE;
    say(&s, "abc");
    shutdown(s.peer, SHUT_WR);
    rig_turn(&s.rig);
    assert_int_equal(s.user.eofs, 1);
    assert_int_equal(s.user.leavings, 0);
    scene_close(&s);
    /* Behind the next requests, which are kept, it is told as what it is: not yet the end. */
    scene_open(&s);
    s.user.pause = CONN_PAUSE_PIPELINE;
    say(&s, "abc");
    say(&s, "def");
    say(&s, "ghi");
    shutdown(s.peer, SHUT_WR);
    rig_turn(&s.rig);
    rig_turn(&s.rig);
    expect_seen(&s, "abc");
    assert_int_equal(s.user.leavings, 1);
    s.user.most = 3;
    conn_resume_reading(s.user.conn, CONN_PAUSE_PIPELINE);
    rig_turn(&s.rig);
    expect_seen(&s, "abcdef");
    assert_int_equal(s.user.leavings, 2); /* of the next one, too */
    assert_int_equal(s.user.eofs, 0);
    conn_resume_reading(s.user.conn, CONN_PAUSE_PIPELINE);
    rig_turn(&s.rig);
    expect_seen(&s, "abcdefghi");
    assert_int_equal(s.user.leavings, 2);
    assert_int_equal(s.user.eofs, 1);
    scene_close(&s);
}

static bool peer_is_stuck(const void *ctx)
{
    static const char data[5000];
    const struct scene *s = ctx;
    while (write(s->peer, data, sizeof(data)) > 0) {
    }
    return !ev_is_active(&s->user.conn->rev);
}

static void a_client_is_not_listened_to_for_ever(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    s.user.pause = CONN_PAUSE_PIPELINE;
    say(&s, "abc");
    rig_until(&s.rig, peer_is_stuck, &s);
    assert_int_equal(buffer_len(&s.user.conn->rx), WORKER_IO_SIZE);
    assert_int_equal(s.user.inputs, 1);
    /* When some of it is taken it is listened to again. */
    s.user.most = 40000;
    conn_resume_reading(s.user.conn, CONN_PAUSE_PIPELINE);
    rig_turn(&s.rig);
    assert_int_equal(s.user.nseen, 3 + 40000);
    rig_until(&s.rig, peer_is_stuck, &s);
    assert_int_equal(buffer_len(&s.user.conn->rx), WORKER_IO_SIZE);
    assert_int_equal(s.user.leavings + s.user.eofs, 0);
    scene_close(&s);
}

/* Of two pauses the one ends in which nothing is listened to. */
static void a_client_is_listened_to_when_only_that_is_left(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    conn_pause_reading(s.user.conn, CONN_PAUSE_BODY);
    conn_pause_reading(s.user.conn, CONN_PAUSE_PIPELINE);
    say(&s, "abc");
    assert_int_equal(buffer_len(&s.user.conn->rx), 0);
    conn_resume_reading(s.user.conn, CONN_PAUSE_BODY);
    shutdown(s.peer, SHUT_WR);
    rig_turn(&s.rig);
    rig_turn(&s.rig);
    assert_int_equal(s.user.inputs, 0);
    assert_int_equal(s.user.leavings, 1);
    scene_close(&s);
}

/* ---------------------------------------------------------------- output */

static void output_is_asked_for_once_for_a_turn(void **state)
{
    (void)state;
    struct scene s;
    uint64_t at = 0;
    scene_open(&s);
    rig_turn(&s.rig);
    assert_int_equal(s.user.outputs, 0); /* nobody wanted any */
    s.user.to_send = 100;
    conn_want_output(s.user.conn);
    conn_want_output(s.user.conn);
    assert_int_equal(s.user.outputs, 0); /* not from inside */
    rig_turn(&s.rig);
    assert_int_equal(s.user.outputs, 2); /* the second time: that is all */
    assert_int_equal(peer_read(&s, &at), 100);
    rig_turn(&s.rig);
    assert_int_equal(s.user.outputs, 2);
    scene_close(&s);
}

static void output_is_pulled_only_when_the_socket_has_room(void **state)
{
    (void)state;
    struct scene s;
    uint64_t at = 0;
    scene_open(&s);
    s.user.to_send = 4u << 20;
    conn_want_output(s.user.conn);
    rig_turn(&s.rig);
    assert_true(conn_blocked(s.user.conn));
    uint64_t sent = s.user.sent;
    unsigned outputs = s.user.outputs;
    assert_true(sent < s.user.to_send);
    assert_true(buffer_len(&s.user.conn->tx) <= WORKER_IO_SIZE);
    for (int i = 0; i < 5; i++) { /* wanting does not help */
        conn_want_output(s.user.conn);
        rig_turn(&s.rig);
    }
    assert_int_equal(s.user.outputs, outputs);
    while (at < s.user.to_send) {
        ssize_t n = peer_read(&s, &at);
        assert_true(n > 0 || (n < 0 && errno == EAGAIN));
        if (n < 0) {
            rig_turn(&s.rig);
        }
    }
    assert_int_equal(s.user.sent, s.user.to_send);
    rig_turn(&s.rig);
    assert_false(conn_blocked(s.user.conn));
    assert_false(ev_is_active(&s.user.conn->wev));
    scene_close(&s);
}

static void a_peer_that_does_not_read_is_given_up(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    s.user.conn->write_timeout = 60;
    s.user.to_send = 8u << 20;
    conn_want_output(s.user.conn);
    rig_until(&s.rig, user_failed, &s.user);
    assert_int_equal(s.user.why, CONN_ERR_WRITE_TIMEOUT);
    scene_close(&s);
}

static void a_connection_that_breaks_is_told(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    close(s.peer);
    s.peer = -1;
    s.user.to_send = 10;
    conn_want_output(s.user.conn);
    rig_until(&s.rig, user_failed, &s.user);
    assert_int_equal(s.user.why, CONN_ERR_IO);
    scene_close(&s);
    /* And while reading: a reset. */
    scene_open_tcp(&s);
    struct linger now = {.l_onoff = 1};
    setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(s.peer);
    s.peer = -1;
    rig_until(&s.rig, user_failed, &s.user);
    assert_int_equal(s.user.why, CONN_ERR_IO);
    scene_close(&s);
}

/* ---------------------------------------------------------------- ending */

static bool no_conns(const void *ctx)
{
    return list_empty(&((const struct worker *)ctx)->conns);
}

static void finishing_sends_everything_and_waits_for_the_peer(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 1000, 3u << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct scene s;
        uint64_t at = 0;
        ssize_t n;
        scene_open_tcp(&s);
        s.user.to_send = s.user.finish_at = sizes[i];
        conn_want_output(s.user.conn);
        rig_turn(&s.rig);
        while ((n = peer_read(&s, &at)) != 0) { /* up to the end that is told */
            assert_true(n > 0 || errno == EAGAIN);
            rig_turn(&s.rig);
        }
        assert_int_equal(at, sizes[i]);
        /* What the peer still says is swallowed, it is not answered by a reset. */
        for (int j = 0; j < 3; j++) {
            assert_int_equal(write(s.peer, "more", 4), 4);
            rig_turn(&s.rig);
        }
        assert_int_equal(read(s.peer, &(char){0}, 1), 0);
        assert_int_equal(s.user.inputs, 0);
        assert_false(list_empty(&s.rig.worker->conns)); /* it lingers */
        close(s.peer);
        s.peer = -1;
        rig_until(&s.rig, no_conns, s.rig.worker);
        scene_close(&s);
    }
}

static void one_side_may_end_and_the_other_go_on(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 1000, 3u << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct scene s;
        uint64_t at = 0;
        ssize_t n;
        scene_open_tcp(&s);
        s.user.to_send = s.user.end_at = sizes[i];
        conn_want_output(s.user.conn);
        rig_turn(&s.rig);
        while ((n = peer_read(&s, &at)) != 0) {
            assert_true(n > 0 || errno == EAGAIN);
            rig_turn(&s.rig);
        }
        assert_int_equal(at, sizes[i]);
        say(&s, "still here");
        expect_seen(&s, "still here");
        conn_want_output(s.user.conn); /* it may be asked, and has nothing */
        rig_turn(&s.rig);
        assert_int_equal(s.user.conn->state, CONN_OPEN);
        close(s.peer);
        s.peer = -1;
        rig_turn(&s.rig);
        assert_int_equal(s.user.eofs, 1);
        assert_int_equal(s.user.fails, 0);
        scene_close(&s);
    }
}

static void ending_one_side_with_nothing_to_say_ends_it_at_once(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    conn_end_output(s.user.conn);
    rig_turn(&s.rig);
    assert_int_equal(read(s.peer, &(char){0}, 1), 0);
    say(&s, "abc");
    expect_seen(&s, "abc");
    conn_finish(s.user.conn); /* and then the whole */
    s.user.conn = NULL;
    rig_turn(&s.rig);
    scene_close(&s);
}

static void finishing_with_nothing_to_say_ends_at_once(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    conn_finish(s.user.conn);
    s.user.conn = NULL;
    rig_turn(&s.rig);
    assert_int_equal(read(s.peer, &(char){0}, 1), 0);
    scene_close(&s); /* the worker closes those that linger */
    /* The peer had ended first: there is nobody to wait for. */
    scene_open(&s);
    shutdown(s.peer, SHUT_WR);
    rig_turn(&s.rig);
    assert_int_equal(s.user.eofs, 1);
    conn_finish(s.user.conn);
    s.user.conn = NULL;
    rig_turn(&s.rig);
    assert_true(list_empty(&s.rig.worker->conns));
    assert_int_equal(read(s.peer, &(char){0}, 1), 0);
    scene_close(&s);
}

static void a_reset_is_no_regular_end(void **state)
{
    (void)state;
    struct scene s;
    scene_open_tcp(&s);
    conn_reset_on_close(s.user.conn);
    conn_close(s.user.conn);
    s.user.conn = NULL;
    assert_int_equal(read(s.peer, &(char){0}, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    scene_close(&s);
}

static void closing_is_allowed_from_everywhere(void **state)
{
    (void)state;
    static const char *const where[] = {"input", "eof", "output"};
    for (size_t i = 0; i < COUNT(where); i++) {
        struct scene s;
        scene_open(&s);
        s.user.close_in = where[i];
        s.user.to_send = 10;
        say(&s, "abc");
        if (s.user.conn != NULL) {
            shutdown(s.peer, SHUT_WR);
            rig_turn(&s.rig);
        }
        if (s.user.conn != NULL) {
            conn_want_output(s.user.conn);
            rig_turn(&s.rig);
        }
        assert_null(s.user.conn);
        assert_true(list_empty(&s.rig.worker->conns));
        assert_true(list_empty(&s.rig.worker->reap));
        scene_close(&s);
    }
}

static void it_is_silent_when_nothing_waits_anywhere(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    assert_true(conn_is_silent(s.user.conn));
    assert_int_equal(write(s.peer, "abc", 3), 3);
    assert_false(conn_is_silent(s.user.conn)); /* in the socket */
    s.user.most = 1;
    rig_turn(&s.rig);
    assert_false(conn_is_silent(s.user.conn)); /* kept */
    s.user.most = SIZE_MAX;
    conn_retry_input(s.user.conn);
    rig_turn(&s.rig);
    expect_seen(&s, "abc");
    assert_true(conn_is_silent(s.user.conn));
    shutdown(s.peer, SHUT_WR);
    assert_false(conn_is_silent(s.user.conn)); /* an end is something, too */
    rig_turn(&s.rig);
    assert_false(conn_is_silent(s.user.conn));
    scene_close(&s);
}

/* ---------------------------------------------------------------- connecting */

static void refusal_is_told_and_never_from_inside_the_call(void **state)
{
    (void)state;
    struct scene s = {.peer = -1};
    struct sockaddr_in addr;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    rig_open(&s.rig, "");
    close(testing_listener(&addr)); /* now nobody listens there */
    snprintf(un.sun_path, sizeof(un.sun_path), "%s/none", testing_folder());
    const struct conn_target targets[] = {
        testing_target((const struct sockaddr *)(const void *)&addr, sizeof(addr)),
        testing_target((const struct sockaddr *)(const void *)&un, sizeof(un))};
    for (size_t i = 0; i < COUNT(targets); i++) {
        s.user = (struct user){.most = SIZE_MAX};
        struct conn *c = s.user.conn = conn_connect(s.rig.worker, &targets[i], &user_ops, &s.user);
        assert_non_null(c);
        assert_int_equal(s.user.fails, 0);
        assert_int_equal(c->state, CONN_CONNECTING);
        conn_want_output(c); /* is of no consequence */
        rig_until(&s.rig, user_failed, &s.user);
        assert_int_equal(s.user.why, CONN_ERR_CONNECT);
        assert_int_equal(s.user.readies + s.user.outputs, 0);
    }
    scene_close(&s);
}

static bool has_input(const void *ctx)
{
    return ((const struct user *)ctx)->inputs > 0;
}

static void a_connection_user_ready_and_then_asked_for_output(void **state)
{
    (void)state;
    struct scene s;
    struct sockaddr_in addr;
    uint64_t at = 0;
    rig_open(&s.rig, "");
    int l = testing_listener(&addr);
    struct conn_target target =
        testing_target((const struct sockaddr *)(const void *)&addr, sizeof(addr));
    s.user = (struct user){.most = SIZE_MAX, .to_send = 3};
    s.user.conn = conn_connect(s.rig.worker, &target, &user_ops, &s.user);
    assert_int_equal(s.user.readies, 0);
    rig_until(&s.rig, user_ready, &s.user);
    assert_int_equal(s.user.readies, 1);
    s.peer = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    assert_true(s.peer >= 0);
    close(l);
    assert_int_equal(peer_read(&s, &at), 3);
    assert_int_equal(s.user.conn->write_timer.at, 0); /* the connect time-out is over */
    say(&s, "abc");
    rig_until(&s.rig, has_input, &s.user);
    expect_seen(&s, "abc");
    scene_close(&s);
}

static void connecting_may_be_given_up(void **state)
{
    (void)state;
    for (int finish = 0; finish <= 1; finish++) {
        struct scene s;
        struct sockaddr_in addr;
        rig_open(&s.rig, "");
        s.peer = testing_listener(&addr);
        struct conn_target target =
            testing_target((const struct sockaddr *)(const void *)&addr, sizeof(addr));
        s.user = (struct user){.most = SIZE_MAX};
        s.user.conn = conn_connect(s.rig.worker, &target, &user_ops, &s.user);
        if (finish) {
            conn_finish(s.user.conn);
        } else {
            conn_close(s.user.conn);
        }
        s.user.conn = NULL;
        rig_turn(&s.rig);
        assert_true(list_empty(&s.rig.worker->conns));
        scene_close(&s);
    }
}

static void a_peer_that_ends_its_side_still_gets_all_that_is_being_finished(void **state)
{
    (void)state;
    struct scene s;
    uint64_t at = 0;
    ssize_t n;
    scene_open(&s);
    struct conn *c = s.user.conn;
    s.user.to_send = s.user.finish_at = 1u << 20;
    conn_want_output(c);
    rig_turn(&s.rig);
    while (s.user.conn != NULL) {
        peer_read(&s, &at);
        rig_turn(&s.rig);
    }
    assert_true(conn_blocked(c)); /* the last octets wait for the socket */
    shutdown(s.peer, SHUT_WR);
    rig_turn(&s.rig);
    while ((n = peer_read(&s, &at)) != 0) {
        assert_true(n > 0 || errno == EAGAIN);
        rig_turn(&s.rig);
    }
    assert_int_equal(at, 1u << 20);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_that_is_not_taken_is_kept_and_offered_again),
        cmocka_unit_test(while_paused_nothing_is_told_and_nothing_is_lost),
        cmocka_unit_test(only_when_no_reason_is_left_is_it_read_again),
        cmocka_unit_test(the_kernel_keeps_what_a_paused_connection_is_sent),
        cmocka_unit_test(the_end_is_told_after_the_data_and_once),
        cmocka_unit_test(the_end_does_not_overtake_what_was_kept),
        cmocka_unit_test(what_comes_does_not_overtake_what_was_kept),
        cmocka_unit_test(a_client_that_waits_for_its_answer_is_heard_leaving),
        cmocka_unit_test(a_client_is_not_listened_to_for_ever),
        cmocka_unit_test(a_client_is_listened_to_when_only_that_is_left),
        cmocka_unit_test(output_is_asked_for_once_for_a_turn),
        cmocka_unit_test(output_is_pulled_only_when_the_socket_has_room),
        cmocka_unit_test(a_peer_that_does_not_read_is_given_up),
        cmocka_unit_test(a_connection_that_breaks_is_told),
        cmocka_unit_test(finishing_sends_everything_and_waits_for_the_peer),
        cmocka_unit_test(one_side_may_end_and_the_other_go_on),
        cmocka_unit_test(ending_one_side_with_nothing_to_say_ends_it_at_once),
        cmocka_unit_test(finishing_with_nothing_to_say_ends_at_once),
        cmocka_unit_test(a_reset_is_no_regular_end),
        cmocka_unit_test(closing_is_allowed_from_everywhere),
        cmocka_unit_test(it_is_silent_when_nothing_waits_anywhere),
        cmocka_unit_test(refusal_is_told_and_never_from_inside_the_call),
        cmocka_unit_test(a_connection_user_ready_and_then_asked_for_output),
        cmocka_unit_test(a_peer_that_ends_its_side_still_gets_all_that_is_being_finished),
        cmocka_unit_test(connecting_may_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
