/* Listening sockets: opening them, and handing them on. */
#include "net/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "net/block.h"
#include "ops/log.h"

/* What is being made. */
struct making {
    struct sockets *set;
    const struct config *cfg;
    const struct sockets *old;
    size_t frontend;
};

static void put(struct sockets *s, struct listen_socket one)
{
    s->list = xrealloc(s->list, (s->n + 1) * sizeof(*s->list));
    s->list[s->n++] = one;
}

static bool contains(const struct sockets *s, int fd)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i].fd == fd) {
            return true;
        }
    }
    return false;
}

static void complain(const char *where, const char *what, int error)
{
    LOG(FATAL, "frontend: %s: %s: %s", where, what, strerror(error));
}

/* ---------------------------------------------------------------- taking over */

/* Whether both are the same place to connect to. */
static bool same_place(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) {
        return false;
    }
    switch (a->sa_family) {
    case AF_INET: {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    case AF_INET6: {
        const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
        return x->sin6_port == y->sin6_port && x->sin6_scope_id == y->sin6_scope_id &&
               memcmp(&x->sin6_addr, &y->sin6_addr, sizeof(x->sin6_addr)) == 0;
    }
    case AF_UNIX: {
        const struct sockaddr_un *x = (const void *)a, *y = (const void *)b;
        return strcmp(x->sun_path, y->sun_path) == 0;
    }
    default:
        return false;
    }
}

static bool is_at(int fd, const struct sockaddr *place)
{
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof(own);
    return getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
           same_place((struct sockaddr *)&own, place);
}

/* A socket file that was removed or replaced leads nowhere, though a socket is still bound to its
 * name. */
static bool file_is_there(const struct sockaddr_un *un)
{
    struct stat st;
    return lstat(un->sun_path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Takes over all sockets of the address. Returns how many. */
static size_t take_over(struct making *m, const struct sockaddr *place)
{
    size_t taken = 0;
    for (size_t i = 0; i < m->old->n; i++) {
        int fd = m->old->list[i].fd;
        if (contains(m->set, fd) || !is_at(fd, place)) {
            continue;
        }
        if (place->sa_family == AF_UNIX && !file_is_there((const void *)place)) {
            continue;
        }
        (void)listen(fd, (int)m->cfg->backlog); /* the backlog may have changed */
        put(m->set, (struct listen_socket){.fd = fd, .frontend = m->frontend, .slot = taken++});
    }
    return taken;
}

bool sockets_adopt(struct sockets *s, int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || listening == 0) {
        return false;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return false;
    }
    put(s, (struct listen_socket){.fd = fd});
    return true;
}

/* ---------------------------------------------------------------- UNIX sockets */

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

static bool open_unix(struct making *m, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char where[sizeof(un.sun_path) + 8];
    memcpy(un.sun_path, path, strlen(path) + 1);
    snprintf(where, sizeof(where), "unix:%s", un.sun_path);
    if (take_over(m, (struct sockaddr *)&un) > 0) {
        return true;
    }
    if (!make_way(where, &un)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 ||
        listen(fd, (int)m->cfg->backlog) != 0) {
        complain(where, "cannot listen", errno);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    put(m->set, (struct listen_socket){.fd = fd, .frontend = m->frontend, .fresh = true});
    return true;
}

/* ---------------------------------------------------------------- TCP */

static bool set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

/*
 * SO_REUSEPORT would let a second program of the same user listen beside us, and take every other
 * connection. So it is asked once without it whether the address is free.
 */
static bool is_free(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    (void)set_on(fd, SOL_SOCKET, SO_REUSEADDR);
    if (ai->ai_family == AF_INET6) {
        (void)set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    }
    bool is = bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return is;
}

static int open_tcp(const struct addrinfo *ai, int backlog)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    bool ok = set_on(fd, SOL_SOCKET, SO_REUSEADDR) && set_on(fd, SOL_SOCKET, SO_REUSEPORT) &&
              (ai->ai_family != AF_INET6 || set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
              bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, backlog) == 0;
    if (!ok) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* As many sockets as there are worker threads, those that exist already counted. */
static bool open_address(struct making *m, const struct addrinfo *ai)
{
    char host[NI_MAXHOST] = "?", where[NI_MAXHOST + 16];
    getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    snprintf(where, sizeof(where), "%s,%u", host, m->cfg->frontend[m->frontend].addr.port);
    size_t slot = take_over(m, ai->ai_addr);
    if (slot == 0 && !is_free(ai)) {
        complain(where, "cannot listen", errno);
        return false;
    }
    for (; slot < m->cfg->workers; slot++) {
        int fd = open_tcp(ai, (int)m->cfg->backlog);
        if (fd < 0 && slot > 0 && errno == EADDRINUSE) {
            return true; /* taken over from somebody who opened it without SO_REUSEPORT (systemd) */
        }
        if (fd < 0) {
            complain(where, "cannot listen", errno);
            return false;
        }
        put(m->set,
            (struct listen_socket){.fd = fd, .frontend = m->frontend, .slot = slot, .fresh = true});
    }
    return true;
}

static bool has_family(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 || errno != EAFNOSUPPORT;
    if (fd >= 0) {
        close(fd);
    }
    return has;
}

static bool open_host(struct making *m, const struct cfg_address *addr)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    bool any = strcmp(addr->host, "*") == 0;
    char port[8];
    snprintf(port, sizeof(port), "%u", addr->port);
    int rc = getaddrinfo(any ? NULL : addr->host, port, &hints, &list);
    if (rc != 0) {
        LOG(FATAL, "frontend: %s,%s: the address does not resolve: %s", addr->host, port,
            gai_strerror(rc));
        return false;
    }
    bool ok = true;
    size_t before = m->set->n;
    for (struct addrinfo *ai = list; ai != NULL && ok; ai = ai->ai_next) {
        /* a machine without IPv6 still serves "*" */
        ok = !has_family(ai->ai_family) || open_address(m, ai);
    }
    freeaddrinfo(list);
    if (ok && m->set->n == before) {
        LOG(FATAL, "frontend: %s,%s: no address of a family that this machine has", addr->host,
            port);
        return false;
    }
    return ok;
}

/* ---------------------------------------------------------------- sets */

bool sockets_open(struct sockets *s, const struct config *cfg, const struct sockets *old)
{
    struct making m = {.set = s, .cfg = cfg, .old = old};
    *s = (struct sockets){0};
    for (; m.frontend < cfg->nfrontend; m.frontend++) {
        const struct cfg_address *addr = &cfg->frontend[m.frontend].addr;
        if (!(addr->path != NULL ? open_unix(&m, addr->path) : open_host(&m, addr))) {
            sockets_abandon(s);
            return false;
        }
    }
    return true;
}

void sockets_forget(struct sockets *s)
{
    free(s->list);
    *s = (struct sockets){0};
}

void sockets_retire(struct sockets *old, const struct sockets *now)
{
    for (size_t i = 0; i < old->n; i++) {
        if (!contains(now, old->list[i].fd)) {
            close(old->list[i].fd);
        }
    }
    sockets_forget(old);
}

void sockets_abandon(struct sockets *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i].fresh) {
            close(s->list[i].fd);
        }
    }
    sockets_forget(s);
}

void sockets_close(struct sockets *s)
{
    for (size_t i = 0; i < s->n; i++) {
        close(s->list[i].fd);
    }
    sockets_forget(s);
}
