/* Listening sockets: opening, accepting, and resting when descriptors run out. */
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "front/front.h"
#include "ops/log.h"
#include "process/worker.h"

/* Connections taken in one turn and listener, so that those that exist get their turn too. */
#define ACCEPT_BATCH 64

static void on_acceptable(struct ev_loop *loop, ev_io *io, int revents);

static void resume(struct timer *t)
{
    struct listener *l = container_of(t, struct listener, rest);
    ev_io_start(l->worker->loop, &l->io);
}

/* Out of descriptors or memory: accepting again at once would only spin. */
static void rest(struct listener *l, int error)
{
    uint64_t ms = l->worker->cfg->listener_disable_timeout;
    LOG(ERROR, "accept: %s; no connections are taken for %llu ms", strerror(error),
        (unsigned long long)ms);
    if (ms > 0) {
        ev_io_stop(l->worker->loop, &l->io);
        timer_set(&l->worker->wheel, &l->rest, ms);
    }
}

/* False: nothing more waits. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        front_accept(l->worker, fd, l->cfg, (const struct sockaddr *)&peer);
        return true;
    }
    switch (errno) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true; /* that connection failed, not the listener (accept(2)) */
    case EAGAIN:
        return false;
    default:
        rest(l, errno);
        return false;
    }
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop;
    (void)revents;
    struct listener *l = container_of(io, struct listener, io);
    for (int i = 0; i < ACCEPT_BATCH && accept_one(l); i++) {
    }
}

static void add(struct worker *w, const struct cfg_frontend *cfg, int fd)
{
    struct listener *l = xcalloc(1, sizeof(*l));
    l->worker = w;
    l->cfg = cfg;
    l->fd = fd;
    timer_init(&l->rest, resume);
    ev_io_init(&l->io, on_acceptable, fd, EV_READ);
    ev_io_start(w->loop, &l->io);
    list_append(&w->listeners, &l->node);
}

static void complain(const char *where, const char *what, int error)
{
    LOG(FATAL, "frontend: %s: %s: %s", where, what, strerror(error));
}

/* Whether the path is free for us: nothing there, or a socket that nobody listens on any more. */
static bool make_way(const char *where, const struct sockaddr_un *un)
{
    struct stat st;
    if (lstat(un->sun_path, &st) != 0) {
        return true;
    }
    if (!S_ISSOCK(st.st_mode)) {
        LOG(FATAL, "frontend: %s: exists and is not a socket; expected a socket or nothing", where);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool served = fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    if (served) {
        complain(where, "another program listens there", EADDRINUSE);
        return false;
    }
    unlink(un->sun_path);
    return true;
}

static bool open_unix(struct worker *w, const struct cfg_frontend *cfg)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char where[sizeof(un.sun_path) + 8];
    memcpy(un.sun_path, cfg->addr.path, strlen(cfg->addr.path) + 1);
    snprintf(where, sizeof(where), "unix:%s", un.sun_path);
    if (w->index > 0) {
        return true; /* one socket file has one listener: the first worker's */
    }
    if (!make_way(where, &un)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 ||
        listen(fd, (int)w->cfg->backlog) != 0) {
        complain(where, "cannot listen", errno);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    add(w, cfg, fd);
    return true;
}

/*
 * SO_REUSEPORT would let a second program of the same user listen beside us, and take every other
 * connection. So the first worker asks once without it whether the address is free.
 */
static bool is_free(const struct addrinfo *ai)
{
    int on = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    bool is = bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return is;
}

static bool open_tcp(struct worker *w, const struct cfg_frontend *cfg, const struct addrinfo *ai)
{
    char host[NI_MAXHOST] = "?", where[NI_MAXHOST + 16];
    int on = 1;
    getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    snprintf(where, sizeof(where), "%s,%u", host, cfg->addr.port);
    if (w->index == 0 && !is_free(ai)) {
        complain(where, "cannot listen", errno);
        return false;
    }
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        complain(where, "cannot make a socket", errno);
        return false;
    }
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
              setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
    if (ai->ai_family == AF_INET6) {
        ok = ok && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
    }
    if (!ok || bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
        listen(fd, (int)w->cfg->backlog) != 0) {
        complain(where, "cannot listen", errno);
        close(fd);
        return false;
    }
    add(w, cfg, fd);
    return true;
}

bool listener_open(struct worker *w, const struct cfg_frontend *cfg)
{
    if (cfg->addr.path != NULL) {
        return open_unix(w, cfg);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    bool any = strcmp(cfg->addr.host, "*") == 0;
    char port[8];
    snprintf(port, sizeof(port), "%u", cfg->addr.port);
    int rc = getaddrinfo(any ? NULL : cfg->addr.host, port, &hints, &list);
    if (rc != 0) {
        LOG(FATAL, "frontend: %s,%s: the address does not resolve: %s", cfg->addr.host, port,
            gai_strerror(rc));
        return false;
    }
    bool ok = true;
    int opened = 0;
    for (struct addrinfo *ai = list; ai != NULL && ok; ai = ai->ai_next) {
        int probe = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (probe < 0 && errno == EAFNOSUPPORT) {
            continue; /* a machine without IPv6 still serves "*" */
        }
        if (probe >= 0) {
            close(probe);
        }
        ok = open_tcp(w, cfg, ai);
        opened += ok;
    }
    freeaddrinfo(list);
    if (ok && opened == 0) {
        LOG(FATAL, "frontend: %s,%s: no address of a family that this machine has", cfg->addr.host,
            port);
    }
    return ok && opened > 0;
}

void listener_close_all(struct worker *w)
{
    struct list *node;
    while ((node = list_shift(&w->listeners)) != NULL) {
        struct listener *l = container_of(node, struct listener, node);
        while (accept_one(l)) {
        }
        ev_io_stop(w->loop, &l->io);
        timer_remove(&l->rest);
        close(l->fd);
        free(l);
    }
}
