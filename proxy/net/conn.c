/* A transport connection: opening, reading, writing, ending. */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/via.h"
#include "process/worker.h"
#include "tls/tls.h"

#define CONN_MAGIC 0x636f6e6eu /* "conn" */

/* What waits for the socket is one read of ours, encrypted; only a peer that makes TLS talk gets it
 * beyond this. */
#define MAX_BLOCKED (4u * WORKER_IO_SIZE)

/* After our side was shut down the peer gets this long to read what is on its way and to close (RFC
 * 9112, 9.6). */
#define LINGER_MS 3000u

static bool send_waiting(struct conn *c);
static void on_readable(struct ev_loop *loop, ev_io *w, int revents);
static void on_writable(struct ev_loop *loop, ev_io *w, int revents);

static struct conn *conn_of(ev_io *w)
{
    struct conn *c = w->data;
    assert(c->magic == CONN_MAGIC);
    return c;
}

/* ---------------------------------------------------------------- buffers */

/* The worker's spare buffer serves whoever is writing; only a conn whose socket is full keeps one.
 */
static void tx_borrow(struct conn *c)
{
    if (c->tx.mem == NULL) {
        c->tx = c->worker->spare;
        c->worker->spare = (struct buffer){0};
    }
}

static void tx_return(struct conn *c)
{
    assert(!conn_blocked(c));
    c->tx.start = c->tx.end = 0;
    if (c->worker->spare.mem == NULL) {
        c->worker->spare = c->tx;
    } else {
        free(c->tx.mem);
    }
    c->tx = (struct buffer){0};
}

/* ---------------------------------------------------------------- opening */

static void on_write_timeout(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, write_timer);
    assert(c->magic == CONN_MAGIC);
    switch (c->state) {
    case CONN_CONNECTING:
    case CONN_VIA:
    case CONN_HANDSHAKE:
        c->ops->failed(c, CONN_ERR_CONNECT_TIMEOUT);
        break;
    case CONN_OPEN:
        c->ops->failed(c, CONN_ERR_WRITE_TIMEOUT);
        break;
    default:
        conn_close(c);
        break;
    }
}

static struct conn *conn_new(struct worker *w, int fd, const struct conn_ops *ops, void *user,
                             uint64_t write_timeout)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->magic = CONN_MAGIC;
    c->fd = fd;
    c->worker = w;
    c->ops = ops;
    c->user = user;
    c->write_timeout = write_timeout;
    list_init(&c->reap.node);
    list_append(&w->conns, &c->node);
    list_init(&c->dirty_node);
    list_init(&c->resume_node);
    timer_init(&c->write_timer, on_write_timeout);
    ev_io_init(&c->rev, on_readable, fd, EV_READ);
    ev_io_init(&c->wev, on_writable, fd, EV_WRITE);
    c->rev.data = c->wev.data = c;
    return c;
}

/* One that could not be set up: nobody has seen it yet. */
static void discard(struct conn *c)
{
    tls_session_free(c->tls);
    list_remove(&c->node);
    close(c->fd);
    free(c->via);
    free(c);
}

static void set_nodelay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* no TCP: no matter */
}

struct conn *conn_accept(struct worker *w, int fd, SSL_CTX *ctx, const struct conn_ops *ops,
                         void *user, uint64_t write_timeout)
{
    struct conn *c = conn_new(w, fd, ops, user, write_timeout);
    set_nodelay(fd);
    c->state = CONN_OPEN;
    if (ctx != NULL) {
        c->state = CONN_HANDSHAKE;
        c->tls = tls_session_new(ctx, true, &c->tx);
        if (c->tls == NULL) {
            discard(c);
            return NULL;
        }
    }
    ev_io_start(w->loop, &c->rev);
    return c;
}

bool conn_start_tls(struct conn *c, SSL_CTX *ctx)
{
    assert(c->state == CONN_OPEN && c->tls == NULL && !conn_blocked(c));
    c->tls = tls_session_new(ctx, true, &c->tx);
    if (c->tls == NULL) {
        return false;
    }
    c->state = CONN_HANDSHAKE;
    return true;
}

struct conn *conn_connect(struct worker *w, const struct conn_target *t, const struct conn_ops *ops,
                          void *user)
{
    int fd = socket(t->addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return NULL;
    }
    set_nodelay(fd);
    struct conn *c = conn_new(w, fd, ops, user, t->write_timeout);
    c->state = CONN_CONNECTING;
    c->connect_timeout = t->connect_timeout;
    c->via = t->via != NULL ? xstrdup(t->via) : NULL;
    c->via_timeout = t->via_timeout;
    if (t->tls != NULL) {
        c->tls = tls_session_new(t->tls->ctx, false, &c->tx);
        if (c->tls == NULL || !tls_session_set_peer(c->tls, t->tls)) {
            discard(c);
            return NULL;
        }
    }
    timer_set(&w->wheel, &c->write_timer, t->connect_timeout);
    if (connect(fd, t->addr, t->addr_len) == 0 || errno == EINPROGRESS || errno == EINTR) {
        ev_io_start(w->loop, &c->wev);
    } else {
        /* An error that is known at once (no such UNIX socket) is told like any other: later, by
         * the event. */
        c->sys_errno = errno;
        list_append(&w->resuming, &c->resume_node);
    }
    return c;
}

void conn_set_preface(struct conn *c, const uint8_t *data, size_t len)
{
    assert(c->state == CONN_CONNECTING);
    c->tx.start = c->tx.end = 0;
    buffer_append(&c->tx, data, len); /* what TLS writes comes behind it */
}

void conn_set_user(struct conn *c, const struct conn_ops *ops, void *user)
{
    c->ops = ops;
    c->user = user;
}

/* ---------------------------------------------------------------- ending */

static void conn_free(struct reap *r)
{
    struct conn *c = container_of(r, struct conn, reap);
    assert(c->state == CONN_CLOSED && c->fd == -1);
    timer_remove(&c->write_timer);
    tls_session_free(c->tls);
    buffer_free(&c->rx);
    buffer_free(&c->tx);
    free(c->via);
    c->magic = 0;
    free(c);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    ev_io_stop(c->worker->loop, &c->rev);
    ev_io_stop(c->worker->loop, &c->wev);
    timer_stop(&c->write_timer);
    close(c->fd);
    c->fd = -1;
    c->state = CONN_CLOSED;
    list_remove(&c->node);
    list_remove(&c->dirty_node);
    list_remove(&c->resume_node);
    worker_reap(c->worker, &c->reap, conn_free);
}

void conn_reset_on_close(struct conn *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* The user is gone; only the kernel's buffers and the peer are waited for. */
static void begin_linger(struct conn *c)
{
    if (c->eof_seen || shutdown(c->fd, SHUT_WR) != 0) {
        conn_close(c);
        return;
    }
    c->state = CONN_LINGERING;
    timer_set(&c->worker->wheel, &c->write_timer, LINGER_MS);
    ev_io_start(c->worker->loop, &c->rev);
}

void conn_end_output(struct conn *c)
{
    assert(c->state == CONN_OPEN);
    c->output_ended = true;
    conn_want_output(c);
}

void conn_finish(struct conn *c)
{
    switch (c->state) {
    case CONN_OPEN:
        c->state = CONN_FINISHING;
        c->rx.start = c->rx.end = 0;
        conn_want_output(c);
        break;
    case CONN_CONNECTING:
    case CONN_VIA:
    case CONN_HANDSHAKE:
        conn_close(c);
        break;
    case CONN_FINISHING:
    case CONN_LINGERING:
    case CONN_CLOSED:
        break;
    }
}

/* Tells the user of a fault; a connection without user (it is finishing) just goes. */
static void conn_fail(struct conn *c, enum conn_error why)
{
    if (c->state == CONN_FINISHING || c->state == CONN_LINGERING) {
        conn_close(c);
    } else if (c->state != CONN_CLOSED) {
        c->ops->failed(c, why);
    }
}

/* ---------------------------------------------------------------- reading */

static void finish_connect(struct conn *c);

/*
 * What was read first is told first, and the end last. What was read and not told lies in rx, and
 * behind it in TLS. Whoever makes it possible to tell it puts the conn on the worker's list for the
 * end of the turn (conn_retry_input), which goes through all of it (conn_run_resumed). While it is
 * on that list nothing else is told, and nothing else read.
 */
static bool is_resuming(const struct conn *c)
{
    return !list_empty(&c->resume_node);
}

static bool may_deliver(const struct conn *c)
{
    return c->state == CONN_OPEN && c->paused == 0 && !is_resuming(c);
}

/*
 * While a request is being answered the next ones wait, but the client's leaving must be seen: the
 * socket is read on, for as long as they are not more than one read.
 */
static bool only_listens(const struct conn *c)
{
    return c->state == CONN_OPEN && c->paused == CONN_PAUSE_PIPELINE && !is_resuming(c) &&
           buffer_len(&c->rx) < WORKER_IO_SIZE;
}

static bool may_read(const struct conn *c)
{
    return may_deliver(c) || only_listens(c);
}

static void read_tls(struct conn *c);

/* conn_start_tls() was called from input(): what it left is ciphertext. */
static void read_first_tls(struct conn *c, uint8_t *data, size_t len)
{
    struct buffer kept = c->rx; /* the bytes may lie in it */
    c->rx = (struct buffer){0};
    c->tls->in = data;
    c->tls->in_len = len;
    read_tls(c);
    buffer_free(&kept);
}

/* Hands bytes to the user, behind those that it did not take before, and keeps what it leaves. */
static void deliver(struct conn *c, uint8_t *data, size_t len)
{
    bool kept = c->rx.end > c->rx.start;
    if (kept) {
        if (len > 0) {
            buffer_append(&c->rx, data, len);
        }
        data = c->rx.mem + c->rx.start;
        len = c->rx.end - c->rx.start;
    }
    if (len == 0) {
        return;
    }
    size_t used = c->ops->input(c, data, len);
    assert(used <= len);
    if (c->state == CONN_HANDSHAKE) {
        read_first_tls(c, data + used, len - used);
        return;
    }
    if (c->state != CONN_OPEN) {
        return;
    }
    if (kept) {
        c->rx.start += used;
        if (c->rx.start == c->rx.end) {
            buffer_free(&c->rx);
        }
    } else if (used < len) {
        buffer_append(&c->rx, data + used, len - used);
    }
}

/* Bytes have come: they are for the user, or for later. */
static void take(struct conn *c, uint8_t *data, size_t len)
{
    if (may_deliver(c)) {
        deliver(c, data, len);
    } else {
        buffer_append(&c->rx, data, len);
    }
}

static void tell_eof(struct conn *c)
{
    if (!c->eof_seen || c->eof_told) {
        return;
    }
    bool behind = buffer_len(&c->rx) > 0;
    if (may_deliver(c) || (only_listens(c) && !behind)) {
        c->eof_told = true;
        c->ops->eof(c, c->eof_clean);
    } else if (only_listens(c) && c->ops->leaving != NULL) {
        c->ops->leaving(c);
    }
}

static void handshake(struct conn *c)
{
    switch (tls_handshake(c->tls)) {
    case TLS_OK:
        timer_stop(&c->write_timer);
        c->state = CONN_OPEN;
        c->ops->ready(c);
        break;
    case TLS_WANT_READ:
        break;
    case TLS_CLOSED:
    case TLS_FAILED:
        send_waiting(c); /* the alert */
        conn_fail(c, CONN_ERR_TLS);
        return;
    }
    if (c->state != CONN_CLOSED) {
        conn_want_output(c);
    }
}

/* Decrypts and delivers until nothing is left or the user has had enough. */
static void read_tls(struct conn *c)
{
    if (c->state == CONN_HANDSHAKE) {
        handshake(c);
    }
    while (may_read(c)) {
        size_t len;
        enum tls_rc rc = tls_read(c->tls, c->worker->plain, WORKER_IO_SIZE, &len);
        if (rc == TLS_OK) {
            take(c, c->worker->plain, len);
        } else if (rc == TLS_WANT_READ) {
            break;
        } else if (rc == TLS_CLOSED) {
            c->eof_seen = c->eof_clean = true;
            break;
        } else {
            send_waiting(c); /* the alert */
            conn_fail(c, CONN_ERR_TLS);
            return;
        }
    }
    if (c->state == CONN_CLOSED) {
        return;
    }
    tls_keep_input(c->tls);
    if (conn_blocked(c)) {
        conn_want_output(c); /* reading can make TLS answer (KeyUpdate) */
    }
    if (buffer_len(&c->tx) > MAX_BLOCKED) {
        conn_fail(c, CONN_ERR_TLS);
    }
}

static void swallow(struct conn *c)
{
    ssize_t n = recv(c->fd, c->worker->rx, WORKER_IO_SIZE, 0);
    if (n == 0 && c->state == CONN_FINISHING) {
        c->eof_seen = true; /* it may still read what is being sent */
        ev_io_stop(c->worker->loop, &c->rev);
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        conn_close(c);
    }
}

static void begin_session(struct conn *c);

static void fail_via(struct conn *c, const char *why)
{
    if (c->via_error[0] == '\0') {
        snprintf(c->via_error, sizeof(c->via_error), "%s", why);
    }
    conn_fail(c, CONN_ERR_CONNECT);
}

/* The proxy's answer to CONNECT. What a server in the clear says right behind it is kept for the
 * user; in TLS it has nothing to say before we have. */
static void read_via(struct conn *c)
{
    ssize_t n = recv(c->fd, c->worker->rx, VIA_ANSWER_MAX, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        fail_via(c, "the HTTP proxy closed the connection");
        return;
    }
    buffer_append(&c->rx, c->worker->rx, (size_t)n);
    size_t used;
    enum via_rc rc = via_answer(c->rx.mem + c->rx.start, buffer_len(&c->rx), &used, c->via_error,
                                sizeof(c->via_error));
    if (rc == VIA_MORE) {
        return;
    }
    c->rx.start += used;
    bool more = buffer_len(&c->rx) > 0;
    if (rc == VIA_REFUSED || (more && c->tls != NULL)) {
        fail_via(c, "the HTTP proxy says more than it was asked");
        return;
    }
    if (!more) {
        buffer_free(&c->rx);
    }
    timer_set(&c->worker->wheel, &c->write_timer, c->connect_timeout);
    begin_session(c);
    conn_retry_input(c);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)revents;
    struct conn *c = conn_of(watcher);
    if (c->state == CONN_VIA) {
        read_via(c);
        return;
    }
    if (c->state == CONN_LINGERING || c->state == CONN_FINISHING) {
        swallow(c);
        return;
    }
    if (c->eof_seen || (c->state == CONN_OPEN && !may_read(c))) {
        ev_io_stop(loop, watcher); /* only now, so that a short pause costs no system call */
        return;
    }
    assert(c->tls == NULL || c->tls->in_len == 0); /* else it may not read, or is resuming */
    size_t room = c->paused != 0 ? WORKER_IO_SIZE - buffer_len(&c->rx) : WORKER_IO_SIZE;
    ssize_t n = recv(c->fd, c->worker->rx, room, 0);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            c->sys_errno = errno;
            conn_fail(c, CONN_ERR_IO);
        }
        return;
    }
    if (n == 0) {
        ev_io_stop(loop, watcher);
        c->eof_seen = true;
        c->eof_clean = c->tls == NULL;
        if (c->state == CONN_HANDSHAKE) {
            tls_session_explain(c->tls, "the peer closed it during the TLS handshake");
            conn_fail(c, CONN_ERR_TLS);
            return;
        }
    } else if (c->tls != NULL) {
        c->tls->in = c->worker->rx;
        c->tls->in_len = (size_t)n;
        read_tls(c);
    } else {
        take(c, c->worker->rx, (size_t)n);
    }
    tell_eof(c);
}

void conn_pause_reading(struct conn *c, enum conn_pause why)
{
    c->paused |= why;
}

void conn_retry_input(struct conn *c)
{
    if (c->state == CONN_OPEN && list_empty(&c->resume_node)) {
        list_append(&c->worker->resuming, &c->resume_node);
    }
}

void conn_resume_reading(struct conn *c, enum conn_pause why)
{
    if ((c->paused & why) == 0) {
        return;
    }
    c->paused &= ~(unsigned)why;
    conn_retry_input(c);
}

void conn_run_resumed(struct conn *c)
{
    if (c->state == CONN_CONNECTING) {
        finish_connect(c);
        return;
    }
    if (may_deliver(c)) {
        deliver(c, NULL, 0);
    }
    if (may_read(c) && c->tls != NULL && c->tls->in_len > 0) {
        read_tls(c);
    }
    tell_eof(c);
    if (may_read(c) && !c->eof_seen) {
        ev_io_start(c->worker->loop, &c->rev);
    }
}

/* ---------------------------------------------------------------- writing */

void conn_want_output(struct conn *c)
{
    if (c->state != CONN_CLOSED && list_empty(&c->dirty_node)) {
        list_append(&c->worker->dirty, &c->dirty_node);
    }
}

/* Sends; returns how many octets the socket took. 0 with `false`: it failed. */
static bool send_some(struct conn *c, const uint8_t *buf, size_t len, size_t *sent)
{
    ssize_t n = send(c->fd, buf, len, MSG_NOSIGNAL);
    *sent = 0;
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return true;
        }
        c->sys_errno = errno;
        conn_fail(c, CONN_ERR_IO);
        return false;
    }
    *sent = (size_t)n;
    return true;
}

static void watch_writable(struct conn *c)
{
    if (!ev_is_active(&c->wev)) {
        ev_io_start(c->worker->loop, &c->wev);
    }
    if (c->state == CONN_OPEN || c->state == CONN_FINISHING) {
        timer_set(&c->worker->wheel, &c->write_timer, c->write_timeout);
    }
}

/* Sends what waits. True: nothing waits any more. */
static bool send_waiting(struct conn *c)
{
    if (!conn_blocked(c)) {
        return true;
    }
    size_t sent;
    if (!send_some(c, c->tx.mem + c->tx.start, c->tx.end - c->tx.start, &sent)) {
        return false;
    }
    c->tx.start += sent;
    if (conn_blocked(c)) {
        watch_writable(c);
        return false;
    }
    tx_return(c);
    return true;
}

/* Asks the user for output and moves it on. True: there may be more. */
static bool pull_output(struct conn *c)
{
    struct worker *w = c->worker;
    bool was_ended = c->output_ended;
    size_t len = c->ops->output(c, w->tx, WORKER_IO_SIZE);
    if (len == 0 || c->state == CONN_CLOSED) {
        return false;
    }
    assert(len <= WORKER_IO_SIZE && !was_ended);
    if (c->tls != NULL) {
        tx_borrow(c);
        if (tls_write(c->tls, w->tx, len) != TLS_OK) {
            conn_fail(c, CONN_ERR_TLS);
            return false;
        }
        return send_waiting(c);
    }
    size_t sent;
    if (!send_some(c, w->tx, len, &sent)) {
        return false;
    }
    if (sent < len) {
        tx_borrow(c);
        buffer_append(&c->tx, w->tx + sent, len - sent);
        watch_writable(c);
        return false;
    }
    return true;
}

/* All is written: now close_notify, once. False: it waits for the socket. */
static bool send_close_notify(struct conn *c)
{
    if (c->tls == NULL || c->notify_sent) {
        return true;
    }
    c->notify_sent = true;
    tx_borrow(c);
    tls_shutdown(c->tls);
    return send_waiting(c);
}

/* The peer is told that nothing more comes; it may go on. */
static void end_our_side(struct conn *c)
{
    if (send_close_notify(c) && !c->fin_sent) {
        c->fin_sent = true;
        (void)shutdown(c->fd, SHUT_WR); /* if it fails the peer is gone, which reading tells */
    }
}

void conn_flush(struct conn *c)
{
    list_remove(&c->dirty_node);
    if (c->state == CONN_CONNECTING || c->state == CONN_CLOSED || c->state == CONN_LINGERING) {
        return;
    }
    if (!send_waiting(c)) {
        return;
    }
    if (c->state == CONN_VIA) { /* its timer goes on: it is for the answer */
        ev_io_stop(c->worker->loop, &c->wev);
        return;
    }
    while (c->state == CONN_OPEN && pull_output(c)) {
    }
    if (c->state == CONN_CLOSED || conn_blocked(c)) {
        return;
    }
    if (ev_is_active(&c->wev)) {
        ev_io_stop(c->worker->loop, &c->wev);
        if (c->state != CONN_HANDSHAKE) { /* there it is the connect time-out, which goes on */
            timer_stop(&c->write_timer);
        }
    }
    if (c->state == CONN_FINISHING) {
        if (send_close_notify(c)) {
            begin_linger(c);
        }
    } else if (c->output_ended) {
        end_our_side(c);
    }
}

/* Connected: TLS, if any, and then it is the user's. */
static void begin_session(struct conn *c)
{
    if (c->tls != NULL) {
        c->state = CONN_HANDSHAKE; /* the connect time-out runs on: it is the time to a usable
                                      connection */
        tx_borrow(c);
        handshake(c);
        return;
    }
    timer_stop(&c->write_timer);
    c->state = CONN_OPEN;
    c->ops->ready(c);
    if (c->state != CONN_CLOSED) {
        conn_want_output(c);
    }
}

static void ask_via(struct conn *c)
{
    c->state = CONN_VIA;
    timer_set(&c->worker->wheel, &c->write_timer, c->via_timeout);
    tx_borrow(c);
    buffer_append(&c->tx, (const uint8_t *)c->via, strlen(c->via));
    (void)send_waiting(c);
}

static void finish_connect(struct conn *c)
{
    int error = c->sys_errno;
    socklen_t len = sizeof(error);
    if (error == 0 && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    ev_io_stop(c->worker->loop, &c->wev);
    if (error != 0) {
        c->sys_errno = error;
        c->ops->failed(c, CONN_ERR_CONNECT);
        return;
    }
    ev_io_start(c->worker->loop, &c->rev);
    if (c->via != NULL) {
        ask_via(c);
    } else {
        begin_session(c);
    }
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct conn *c = conn_of(watcher);
    if (c->state == CONN_CONNECTING) {
        finish_connect(c);
    } else {
        conn_want_output(c);
    }
}
