/*
 * An HTTP/2 server with TLS on libev and OpenSSL. It answers /N with N octets (octets.c), made
 * while they are sent: an answer of a gigabyte costs no more memory than one of a byte.
 *
 *   server_ev_tls --port PORT KEY.pem CERT.pem
 *   curl --cacert CERT.pem https://localhost:PORT/1000000
 *
 * SIGTERM ends it without a lost request: see on_signal().
 */
#include "net.h"
#include "octets.h"
#include "tls_server.h"

#include <h2core/h2core.h>

#include <ev.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_CLIENTS = 256,
    BUFFER = 16384,     /* one TLS record */
    OUTPUT_HIGH = 8192, /* octets of heads and control frames that wait: no listening meanwhile */
    ROUNDS = 16,        /* before the other clients have their turn */
};
static const double idle_timeout = 30, linger_timeout = 1, drain_timeout = 5; /* seconds */

struct client {
    ev_io io;
    ev_timer timer;
    LIST_ENTRY(client) link;
    struct octets_list answers;
    SSL *ssl;
    struct h2_conn *h2;
    bool secure;    /* the handshake is done */
    bool last_word; /* GOAWAY with our last stream was sent: ends when the streams have */
    bool shut;      /* all is said; only waiting for the client to close */
    size_t out_at;  /* to be sent: [out_at, out_len) of `out` */
    size_t out_len;
    uint8_t out[BUFFER];
};

static struct ev_loop *loop;
static SSL_CTX *tls;
static ev_io listener;
static bool draining;
static unsigned nclients;
static LIST_HEAD(, client) clients;

/* ---------------------------------------------------------------- bytes */

/* A record's worth at most. */
static enum tls_io receive(struct client *c)
{
    uint8_t buf[BUFFER];
    struct h2_event ev;
    size_t n;
    if (h2_conn_output_len(c->h2) >= OUTPUT_HIGH) {
        return TLS_WANTS_WRITE; /* it does not take our answers: we do not listen to it */
    }
    enum tls_io got = tls_read(c->ssl, buf, sizeof(buf), &n);
    if (got == TLS_DONE && !c->shut) {
        h2_conn_feed(c->h2, buf, n);
        while (h2_conn_next_event(c->h2, net_now_ms(), &ev)) {
            octets_event(&c->answers, c->h2, &ev);
            if (ev.type ==
                H2_EVENT_PING_ACK) { /* the round trip behind the notice of on_signal() */
                c->last_word = true;
                h2_conn_shutdown(c->h2);
            }
        }
    }
    return got;
}

/* TLS_WANTS_READ: there is nothing to send. */
static enum tls_io transmit(struct client *c)
{
    size_t n;
    if (c->out_at == c->out_len) {
        c->out_at = 0;
        c->out_len = octets_output(c->h2, c->out, BUFFER);
    }
    if (c->out_len == 0) {
        return TLS_WANTS_READ;
    }
    enum tls_io sent = tls_write(c->ssl, c->out + c->out_at, c->out_len - c->out_at, &n);
    c->out_at += n;
    return sent;
}

/* ---------------------------------------------------------------- clients */

static void client_free(struct client *c)
{
    ev_io_stop(loop, &c->io);
    ev_timer_stop(loop, &c->timer);
    octets_free_all(&c->answers);
    LIST_REMOVE(c, link);
    h2_conn_free(c->h2);
    SSL_free(c->ssl);
    close(c->io.fd);
    free(c);
    if (nclients-- == MAX_CLIENTS && !draining) {
        ev_io_start(loop, &listener);
    }
    if (draining && nclients == 0) {
        ev_break(loop, EVBREAK_ALL);
    }
}

static void watch(struct client *c, int events)
{
    ev_io_stop(loop, &c->io);
    ev_io_set(&c->io, c->io.fd, events);
    ev_io_start(loop, &c->io);
}

/* Everything that can be done without waiting, and what to wait for then. May free the client. */
static void client_run(struct client *c)
{
    enum tls_io got = TLS_DONE, sent = TLS_DONE;
    if (!c->secure) {
        got = sent = tls_handshake(c->ssl);
        c->secure = got == TLS_DONE;
    }
    for (int i = 0; i < ROUNDS && (got == TLS_DONE || sent == TLS_DONE); i++) {
        got = receive(c);
        sent = c->shut || got == TLS_GONE ? got : transmit(c);
    }
    if (got == TLS_GONE || sent == TLS_GONE) {
        client_free(c);
        return;
    }
    bool over = h2_conn_is_over(c->h2) || (c->last_word && h2_conn_open_streams(c->h2) == 0);
    if (over && !c->shut && c->out_len == 0) {
        c->shut = true;
        SSL_shutdown(c->ssl);
        shutdown(c->io.fd, SHUT_WR);
    }
    c->timer.repeat = c->shut ? linger_timeout : idle_timeout;
    ev_timer_again(loop, &c->timer);
    bool more = got == TLS_DONE || sent == TLS_DONE; /* perhaps inside OpenSSL: come back at once */
    watch(c, (got == TLS_WANTS_WRITE ? 0 : EV_READ) |
                 (more || got == TLS_WANTS_WRITE || sent == TLS_WANTS_WRITE ? EV_WRITE : 0));
}

static void on_io(struct ev_loop *l, ev_io *w, int events)
{
    (void)l;
    (void)events;
    client_run(w->data);
}

static void on_timeout(struct ev_loop *l, ev_timer *w, int events)
{
    struct client *c = w->data;
    (void)l;
    (void)events;
    if (!c->secure || c->last_word || c->shut) {
        client_free(c);
    } else { /* GOAWAY says that it was not an accident */
        c->last_word = true;
        h2_conn_shutdown(c->h2);
        client_run(c);
    }
}

static void client_new(int fd, const struct h2_options *options)
{
    struct client *c = calloc(1, sizeof(*c));
    if (c == NULL || (c->h2 = h2_conn_new(H2_SERVER, options)) == NULL ||
        (c->ssl = SSL_new(tls)) == NULL || SSL_set_fd(c->ssl, fd) != 1) {
        fprintf(stderr, "no memory for a client\n");
        h2_conn_free(c == NULL ? NULL : c->h2);
        SSL_free(c == NULL ? NULL : c->ssl);
        free(c);
        close(fd);
        return;
    }
    LIST_INSERT_HEAD(&clients, c, link);
    nclients++;
    ev_io_init(&c->io, on_io, fd, EV_READ);
    ev_timer_init(&c->timer, on_timeout, idle_timeout, idle_timeout);
    c->io.data = c->timer.data = c;
    client_run(c);
}

/* ---------------------------------------------------------------- the server */

static void on_accept(struct ev_loop *l, ev_io *w, int events)
{
    (void)events;
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        net_set_nonblocking(fd);
        client_new(fd, w->data);
    }
    if (nclients == MAX_CLIENTS) {
        ev_io_stop(l, w);
    }
}

static void on_drain_timeout(struct ev_loop *l, ev_timer *w, int events)
{
    (void)w;
    (void)events;
    ev_break(l, EVBREAK_ALL);
}

/* A request may be on its way while we say GOAWAY. So the notice comes first, with the highest
 * stream id there is; the last word follows when a PING has gone round behind it (RFC 9113, 6.8).
 */
static void on_signal(struct ev_loop *l, ev_signal *w, int events)
{
    static ev_timer timer;
    struct client *c, *next;
    (void)w;
    (void)events;
    if (draining) {
        return;
    }
    draining = true;
    ev_io_stop(l, &listener);
    ev_timer_init(&timer, on_drain_timeout, nclients > 0 ? drain_timeout : 0, 0);
    ev_timer_start(l, &timer);
    for (c = LIST_FIRST(&clients); c != NULL; c = next) {
        next = LIST_NEXT(c, link);
        if (c->secure) {
            h2_conn_shutdown_notice(c->h2);
            h2_conn_ping(c->h2, (const uint8_t[8]){0});
            client_run(c);
        } else {
            client_free(c);
        }
    }
}

int main(int argc, char **argv)
{
    struct h2_options options;
    ev_signal term, interrupt;
    h2_options_init(&options);
    if (argc != 5) {
        fprintf(stderr, "usage: %s --port PORT KEY.pem CERT.pem\n", argv[0]);
        return 2;
    }
    tls = tls_server_context(argv[3], argv[4]);
    if (tls == NULL) {
        ERR_print_errors_fp(stderr);
        return 1;
    }
    loop = ev_default_loop(0);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write() */
    ev_signal_init(&term, on_signal, SIGTERM);
    ev_signal_init(&interrupt, on_signal, SIGINT);
    ev_signal_start(loop, &term);
    ev_signal_start(loop, &interrupt);
    int fd = net_listen(net_port_option(3, argv));
    net_set_nonblocking(fd);
    ev_io_init(&listener, on_accept, fd, EV_READ);
    listener.data = &options;
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
    while (!LIST_EMPTY(&clients)) {
        client_free(LIST_FIRST(&clients));
    }
    close(fd);
    ev_loop_destroy(loop);
    SSL_CTX_free(tls);
    return 0;
}
