/*
 * An HTTP/2 server for many clients at once, on poll(): it sends each request's body back while it
 * comes.
 *
 *   server_poll --port PORT
 *   curl --http2-prior-knowledge --data-binary @FILE http://127.0.0.1:PORT/
 *
 * A slow reader costs a bounded amount of memory: a stream's window is given back only as its
 * octets leave (on_data, put_body), and a client that does not take our answers is not listened to
 * (take_events). docs/h2core/flow-control.md explains both.
 */
#include "echo.h"
#include "field.h"
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_CLIENTS = 256,
    IDLE_TIMEOUT_MS = 30000,
    DRAIN_TIMEOUT_MS = 5000,
    LINGER_TIMEOUT_MS = 1000,
    INPUT_SIZE = 16384,
    OUTPUT_SIZE = 32768,
    OUTPUT_HIGH = 8192, /* octets of heads and control frames that wait: no listening meanwhile */
    STREAM_WINDOW = 65535,
    CONNECTION_WINDOW = 1 << 20, /* so that 16 stalled streams do not stop the others */
};

struct client {
    int fd;
    struct h2_conn *h2;
    struct echo_list echoes;
    uint64_t deadline; /* when nothing has moved until then, it is closed */
    bool unread;       /* `in` has bytes that the engine has not parsed */
    bool shut;         /* all is said; only waiting for the client to close */
    size_t out_at;     /* to be sent: [out_at, out_len) of `out` */
    size_t out_len;
    uint8_t in[INPUT_SIZE];
    uint8_t out[OUTPUT_SIZE];
};

static struct client *clients[MAX_CLIENTS];
static size_t nclients;

/* ---------------------------------------------------------------- events */

static void on_request(struct client *c, const struct h2_event *ev)
{
    struct echo *e = ev->too_large ? NULL : echo_new(&c->echoes);
    const char *status = ev->too_large ? "431" : e == NULL ? "503" : "200";
    const struct h2_field head[] = {field(":status", status)};
    h2_stream_set_user(c->h2, ev->stream_id, e);
    h2_conn_respond(c->h2, ev->stream_id, head, 1, e == NULL);
}

/* The octets are kept, and so is their window: it goes back in put_body(). Padding is not kept. */
static void on_data(struct client *c, const struct h2_event *ev)
{
    struct echo *e = ev->user;
    if (e == NULL) { /* refused */
        h2_conn_consume(c->h2, ev->stream_id, ev->flow_len);
        return;
    }
    h2_conn_consume(c->h2, ev->stream_id, ev->flow_len - (uint32_t)ev->len);
    if (echo_append(e, ev->data, ev->len)) {
        h2_stream_set_ready(c->h2, ev->stream_id, echo_len(e) > 0);
    } else {
        h2_conn_consume(c->h2, ev->stream_id, (uint32_t)(ev->len + echo_len(e)));
        h2_conn_reset(c->h2, ev->stream_id, H2_INTERNAL_ERROR);
        echo_free(e);
    }
}

static void on_event(struct client *c, const struct h2_event *ev)
{
    struct echo *e = ev->user;
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        on_request(c, ev);
        break;
    case H2_EVENT_DATA:
        on_data(c, ev);
        break;
    case H2_EVENT_STREAM_ENDED:
        if (e != NULL && echo_len(e) > 0) {
            e->complete = true; /* and put_body() ends our side */
        } else if (e != NULL) {
            h2_conn_end_stream(c->h2, ev->stream_id);
            echo_free(e);
        }
        break;
    case H2_EVENT_RESET: /* what was kept is still owed to the connection's window */
        if (e != NULL) {
            h2_conn_consume(c->h2, ev->stream_id, (uint32_t)echo_len(e));
            echo_free(e);
        }
        break;
    case H2_EVENT_FAILED:
        fprintf(stderr, "%s: %s\n", h2_code_name(ev->fail.code), ev->fail.why);
        break;
    default:
        break;
    }
}

/* Stops in the middle of the input when too many answers wait. Then the rest stays in c->in, the
 * socket is not read, and TCP slows the client down. */
static void take_events(struct client *c)
{
    struct h2_event ev;
    while (c->unread && h2_conn_output_len(c->h2) < OUTPUT_HIGH) {
        c->unread = h2_conn_next_event(c->h2, net_now_ms(), &ev);
        if (c->unread) {
            on_event(c, &ev);
        }
    }
}

/* ---------------------------------------------------------------- output */

/* One DATA frame, whose octets go straight behind its header. */
static void put_body(struct client *c, uint32_t stream_id, struct echo *e, size_t room)
{
    uint8_t *frame = c->out + c->out_len;
    size_t space = OUTPUT_SIZE - c->out_len - H2_FRAME_HEADER_LEN;
    size_t len = echo_len(e);
    len = len < room ? len : room;
    len = len < space ? len : space;
    bool last = e->complete && len == echo_len(e);

    h2_conn_data_frame(c->h2, stream_id, len, last, frame);
    echo_take(e, frame + H2_FRAME_HEADER_LEN, len);
    c->out_len += H2_FRAME_HEADER_LEN + len;
    h2_conn_consume(c->h2, stream_id, (uint32_t)len);
    if (last) {
        echo_free(e);
    } else {
        h2_stream_set_ready(c->h2, stream_id, echo_len(e) > 0);
    }
}

static void fill_output(struct client *c)
{
    size_t room;
    uint32_t stream_id;
    void *user;
    if (c->out_at < c->out_len) {
        return; /* the socket has not taken what was there */
    }
    c->out_at = c->out_len = 0;
    while (OUTPUT_SIZE - c->out_len > H2_FRAME_HEADER_LEN) {
        c->out_len += h2_conn_send(c->h2, c->out + c->out_len, OUTPUT_SIZE - c->out_len);
        if (OUTPUT_SIZE - c->out_len <= H2_FRAME_HEADER_LEN) {
            break;
        }
        stream_id = h2_conn_next_writable(c->h2, &room, &user);
        if (stream_id != 0) {
            put_body(c, stream_id, user, room);
        } else if (!h2_conn_wants_send(c->h2)) {
            break;
        }
    }
}

/* False: the client is gone. */
static bool write_output(struct client *c)
{
    ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN;
    }
    c->out_at += (size_t)n;
    c->deadline = net_now_ms() + IDLE_TIMEOUT_MS;
    return true;
}

/* ---------------------------------------------------------------- clients */

static void client_open(int fd, const struct h2_options *options)
{
    struct client *c = calloc(1, sizeof(*c));
    if (c == NULL || (c->h2 = h2_conn_new(H2_SERVER, options)) == NULL) {
        free(c);
        close(fd);
        return;
    }
    net_set_nonblocking(fd);
    c->fd = fd;
    c->deadline = net_now_ms() + IDLE_TIMEOUT_MS;
    clients[nclients++] = c;
}

static void client_free(size_t at)
{
    struct client *c = clients[at];
    clients[at] = clients[--nclients];
    echo_free_all(&c->echoes);
    h2_conn_free(c->h2);
    close(c->fd);
    free(c);
}

/* False: the connection is at its end. */
static bool client_read(struct client *c)
{
    ssize_t n = recv(c->fd, c->in, sizeof(c->in), 0);
    if (n <= 0) {
        return n < 0 && errno == EAGAIN;
    }
    if (!c->shut) { /* otherwise it is read only so that it does not reset our last words */
        c->deadline = net_now_ms() + IDLE_TIMEOUT_MS;
        h2_conn_feed(c->h2, c->in, (size_t)n);
        c->unread = true;
    }
    return true;
}

/* Everything that can be done without waiting. False: the connection is at its end. */
static bool client_run(struct client *c)
{
    do {
        take_events(c);
        fill_output(c);
        if (c->out_at < c->out_len && !write_output(c)) {
            return false;
        }
        if (c->out_at < c->out_len) {
            return true; /* the socket is full */
        }
    } while (c->out_len > 0 || c->unread);
    bool over = h2_conn_is_over(c->h2) || (net_stopping() && h2_conn_open_streams(c->h2) == 0);
    if (over && !c->shut) {
        c->shut = true;
        c->deadline = net_now_ms() + LINGER_TIMEOUT_MS;
        shutdown(c->fd, SHUT_WR);
    }
    return true;
}

/* ---------------------------------------------------------------- the loop */

static void turn(int listener, const struct h2_options *options)
{
    struct pollfd fds[MAX_CLIENTS + 1];
    bool full = nclients == MAX_CLIENTS;
    fds[0] = (struct pollfd){.fd = full ? -1 : listener, .events = POLLIN};
    for (size_t i = 0; i < nclients; i++) {
        const struct client *c = clients[i];
        short events = (short)((c->unread ? 0 : POLLIN) | (c->out_at < c->out_len ? POLLOUT : 0));
        fds[i + 1] = (struct pollfd){.fd = c->fd, .events = events};
    }
    enum net_event event = net_poll(fds, nclients + 1, 1000);
    uint64_t now = net_now_ms();
    for (size_t i = nclients; i-- > 0;) { /* backwards: client_free() moves the last one here */
        struct client *c = clients[i];
        short got = event == NET_READY ? fds[i + 1].revents : 0;
        if (event == NET_STOP) {
            h2_conn_shutdown(c->h2);
        }
        if ((got & (POLLERR | POLLHUP)) != 0 || ((got & POLLIN) != 0 && !client_read(c)) ||
            ((got != 0 || event == NET_STOP) && !client_run(c)) || now >= c->deadline) {
            client_free(i);
        }
    }
    if (event == NET_READY && fds[0].revents != 0) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            client_open(fd, options);
        }
    }
}

int main(int argc, char **argv)
{
    struct h2_options options;
    h2_options_init(&options);
    options.initial_window_size = STREAM_WINDOW;
    options.connection_window_size = CONNECTION_WINDOW;
    net_catch_signals();
    int listener = net_listen(net_port_option(argc, argv));
    net_set_nonblocking(listener); /* a client may leave between poll() and accept() */
    uint64_t end = UINT64_MAX;
    while (net_now_ms() < end && (!net_stopping() || nclients > 0)) {
        turn(net_stopping() ? -1 : listener, &options);
        if (net_stopping() && end == UINT64_MAX) {
            end = net_now_ms() + DRAIN_TIMEOUT_MS;
        }
    }
    while (nclients > 0) {
        client_free(nclients - 1);
    }
    close(listener);
    return 0;
}
