#include "demo_loop.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS_MAX = 256, LISTENERS_MAX = 2 };

struct loop {
    const struct demo_app *app;
    int listeners[LISTENERS_MAX];
    size_t nlisteners;
    struct demo_conn *clients[CLIENTS_MAX];
    size_t nclients;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* ---------------------------------------------------------------- listening */

static int listen_on(int family, const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    if (fd < 0 || bind(fd, addr, len) != 0 || listen(fd, SOMAXCONN) != 0) {
        perror("demo_origin: cannot listen");
        exit(1);
    }
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof addr.sun_path) {
        fprintf(stderr, "demo_origin: the path of the socket is too long\n");
        exit(1);
    }
    strcpy(addr.sun_path, path);
    int fd = listen_on(AF_UNIX, (struct sockaddr *)&addr, sizeof addr);
    printf("demo_origin: listening on unix:%s\n", path);
    return fd;
}

/* [HOST,]PORT, as nghttpx writes addresses. */
static int listen_inet(char *arg)
{
    char *comma = strrchr(arg, ',');
    if (comma != NULL) {
        *comma = '\0';
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int rc = getaddrinfo(comma != NULL ? arg : "127.0.0.1", comma != NULL ? comma + 1 : arg, &hints,
                         &found);
    if (rc != 0) {
        fprintf(stderr, "demo_origin: %s: %s\n", arg, gai_strerror(rc));
        exit(1);
    }
    int fd = listen_on(found->ai_family, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);

    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[64];
    char port[8];
    getsockname(fd, (struct sockaddr *)&bound, &len);
    getnameinfo((struct sockaddr *)&bound, len, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    const char *format = bound.ss_family == AF_INET6 ? "demo_origin: listening on http://[%s]:%s/\n"
                                                     : "demo_origin: listening on http://%s:%s/\n";
    printf(format, host, port);
    return fd;
}

/* ---------------------------------------------------------------- connections */

static void accept_client(struct loop *l, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct demo_conn *c = fd >= 0 ? calloc(1, l->app->client_size) : NULL;
    if (c != NULL) {
        c->fd = fd;
        l->app->open(c);
        l->clients[l->nclients++] = c;
    } else if (fd >= 0) {
        close(fd);
    }
}

static bool again(ssize_t n)
{
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static bool receive(struct demo_conn *c)
{
    ssize_t n = read(c->fd, c->rx + c->rx_len, DEMO_RX_SIZE - c->rx_len);
    c->eof = n == 0;
    c->rx_len += n > 0 ? (size_t)n : 0;
    return again(n);
}

static bool transmit(struct demo_conn *c)
{
    if (c->tx_at == c->tx_len) {
        return true;
    }
    ssize_t n = send(c->fd, c->tx + c->tx_at, c->tx_len - c->tx_at, MSG_NOSIGNAL);
    c->tx_at += n > 0 ? (size_t)n : 0;
    return again(n);
}

/* Closing with bytes of the client unread makes the kernel send RST, which may overtake the answer.
 * So: say that this is all, and read until the client has gone. */
static bool discard(struct demo_conn *c)
{
    shutdown(c->fd, SHUT_WR);
    ssize_t n = read(c->fd, c->rx, DEMO_RX_SIZE);
    return n != 0 && again(n);
}

/* One connection's turn; false when it is over. */
static bool serve(const struct demo_app *app, struct demo_conn *c)
{
    bool full = c->rx_len == DEMO_RX_SIZE;
    if (!c->eof && !c->closing && !full && !receive(c)) {
        return false;
    }
    app->progress(c);
    if (!transmit(c)) {
        return false;
    }
    app->progress(c); /* there may be room again */
    bool sent = c->tx_at == c->tx_len;
    if (sent && c->closing && c->linger) {
        return discard(c);
    }
    /* At the end of the client's bytes progress() has made of them all that can be made. */
    return !(sent && (c->closing || c->eof));
}

static short events_of(const struct demo_conn *c)
{
    short events = 0;
    if (c->tx_at < c->tx_len) {
        events |= POLLOUT;
    } else if (c->closing && c->linger) {
        events |= POLLIN;
    }
    if (!c->eof && !c->closing && c->rx_len < DEMO_RX_SIZE) {
        events |= POLLIN;
    }
    return events;
}

/* ---------------------------------------------------------------- the loop */

static void turn(struct loop *l, const sigset_t *while_waiting)
{
    struct pollfd polls[LISTENERS_MAX + CLIENTS_MAX];
    struct pollfd *client_polls = polls + l->nlisteners;
    for (size_t i = 0; i < l->nlisteners; i++) {
        int fd = l->nclients < CLIENTS_MAX ? l->listeners[i] : -1; /* full: new ones wait */
        polls[i] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    for (size_t i = 0; i < l->nclients; i++) {
        client_polls[i] =
            (struct pollfd){.fd = l->clients[i]->fd, .events = events_of(l->clients[i])};
    }
    if (ppoll(polls, l->nlisteners + l->nclients, NULL, while_waiting) < 0) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < l->nclients; i++) {
        struct demo_conn *c = l->clients[i];
        if (client_polls[i].revents == 0 || serve(l->app, c)) {
            l->clients[kept++] = c;
        } else {
            close(c->fd);
            free(c);
        }
    }
    l->nclients = kept;
    for (size_t i = 0; i < l->nlisteners && l->nclients < CLIENTS_MAX; i++) {
        if (polls[i].revents != 0) {
            accept_client(l, l->listeners[i]);
        }
    }
}

/* SIGTERM and SIGINT are let in only while ppoll() waits, so that none is missed. */
static void catch_signals(sigset_t *while_waiting)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, while_waiting);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

int demo_loop_run(int argc, char **argv, const struct demo_app *app)
{
    static struct loop l;
    const char *path = NULL;
    bool usage = false;
    int option;
    while ((option = getopt(argc, argv, "u:")) != -1) {
        usage |= option != 'u';
        path = optarg;
    }
    if (usage || argc - optind > 1 || (path == NULL && argc == optind)) {
        fprintf(stderr, "usage: %s [-u PATH] [HOST,]PORT\n", argv[0]);
        return 2;
    }
    sigset_t while_waiting;
    catch_signals(&while_waiting);
    l.app = app;
    if (path != NULL) {
        l.listeners[l.nlisteners++] = listen_unix(path);
    }
    if (optind < argc) {
        l.listeners[l.nlisteners++] = listen_inet(argv[optind]);
    }
    fflush(stdout); /* whoever started us may wait for the address */

    while (!stopped) {
        turn(&l, &while_waiting);
    }
    for (size_t i = 0; i < l.nclients; i++) {
        close(l.clients[i]->fd);
        free(l.clients[i]);
    }
    for (size_t i = 0; i < l.nlisteners; i++) {
        close(l.listeners[i]);
    }
    if (path != NULL) {
        unlink(path);
    }
    return 0;
}
