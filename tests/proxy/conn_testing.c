#include "conn_testing.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void maybe_close(struct user *u, const char *op)
{
    if (u->close_in != NULL && strcmp(u->close_in, op) == 0) {
        conn_close(u->conn);
        u->conn = NULL;
    }
}

static struct user *user_of(struct conn *c)
{
    struct user *u = c->user;
    assert_ptr_equal(u->conn, c); /* after close and finish nothing is told any more */
    return u;
}

static void on_ready(struct conn *c)
{
    struct user *u = user_of(c);
    u->readies++;
    maybe_close(u, "ready");
}

static size_t on_input(struct conn *c, uint8_t *data, size_t len)
{
    struct user *u = user_of(c);
    assert_true(len > 0 && u->eofs == 0);
    size_t n = len < u->most ? len : u->most;
    u->inputs++;
    u->offered = len;
    u->seen = realloc(u->seen, u->nseen + n + 1);
    assert_non_null(u->seen);
    memcpy(u->seen + u->nseen, data, n);
    u->nseen += n;
    u->seen[u->nseen] = '\0';
    if (u->pause != 0) {
        conn_pause_reading(c, u->pause);
    }
    maybe_close(u, "input");
    return n;
}

static void on_eof(struct conn *c, bool clean)
{
    struct user *u = user_of(c);
    u->eofs++;
    u->clean = clean;
    maybe_close(u, "eof");
}

static void on_leaving(struct conn *c)
{
    struct user *u = user_of(c);
    assert_int_equal(u->eofs, 0);
    u->leavings++;
    maybe_close(u, "leaving");
}

uint8_t user_octet(uint64_t at)
{
    return (uint8_t)(at * 131 + (at >> 9));
}

static size_t on_output(struct conn *c, uint8_t *buf, size_t cap)
{
    struct user *u = user_of(c);
    u->outputs++;
    size_t n = u->to_send - u->sent < cap ? (size_t)(u->to_send - u->sent) : cap;
    for (size_t i = 0; i < n; i++) {
        buf[i] = user_octet(u->sent++);
    }
    if (u->finish_at > 0 && u->sent >= u->finish_at) {
        conn_finish(c);
        u->conn = NULL;
    }
    if (n > 0 && u->end_at > 0 && u->sent >= u->end_at) {
        conn_end_output(c);
    }
    maybe_close(u, "output");
    return n;
}

static void on_failed(struct conn *c, enum conn_error why)
{
    struct user *u = user_of(c);
    u->fails++;
    u->why = why;
    conn_close(c);
    u->conn = NULL;
}

const struct conn_ops user_ops = {.ready = on_ready,
                                  .input = on_input,
                                  .eof = on_eof,
                                  .leaving = on_leaving,
                                  .output = on_output,
                                  .failed = on_failed};

bool user_failed(const void *ctx)
{
    return ((const struct user *)ctx)->fails > 0;
}

bool user_ready(const void *ctx)
{
    return ((const struct user *)ctx)->readies > 0;
}

int testing_listener(struct sockaddr_in *addr)
{
    socklen_t len = sizeof(*addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    return fd;
}

struct conn_target testing_target(const struct sockaddr *addr, socklen_t len)
{
    return (struct conn_target){
        .addr = addr, .addr_len = len, .connect_timeout = 30000, .write_timeout = 30000};
}
