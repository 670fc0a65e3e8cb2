/* Listening sockets: opening them, and handing them on. */
#include "net/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "net/block.h"
#include "ops/log.h"

/* Where a listening socket is. */
struct bound {
    struct sockaddr_storage name;
    bool both; /* IPv6 and IPv4 */
    struct socket_file file;
};

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

/* In host order; 0: no internet address. */
static unsigned port_of(const struct sockaddr *place)
{
    switch (place->sa_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)(const void *)place)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)(const void *)place)->sin6_port);
    default:
        return 0;
    }
}

/* "*" of its family. */
static bool is_any(const struct sockaddr *place)
{
    switch (place->sa_family) {
    case AF_INET:
        return ((const struct sockaddr_in *)(const void *)place)->sin_addr.s_addr == INADDR_ANY;
    case AF_INET6:
        return IN6_IS_ADDR_UNSPECIFIED(
            &((const struct sockaddr_in6 *)(const void *)place)->sin6_addr);
    default:
        return false;
    }
}

static const struct sockaddr *name_of(const struct bound *b)
{
    return (const struct sockaddr *)&b->name;
}

/* An inherited [::] may serve IPv4 too (ipv6(7)); systemd's BindIPv6Only=default is such a one. */
static bool serves_both(int fd, const struct sockaddr *own)
{
    int v6only = 1;
    socklen_t len = sizeof(v6only);
    return own->sa_family == AF_INET6 && is_any(own) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &len) == 0 && v6only == 0;
}

/* False: not to be had. */
static bool bound_to(const struct listen_socket *one, struct bound *b)
{
    socklen_t len = sizeof(b->name);
    *b = (struct bound){.file = one->file};
    if (getsockname(one->fd, (struct sockaddr *)&b->name, &len) != 0) {
        return false;
    }
    b->both = serves_both(one->fd, name_of(b));
    return true;
}

static bool is_at(const struct listen_socket *one, const struct sockaddr *place)
{
    struct bound b;
    if (!bound_to(one, &b)) {
        return false;
    }
    return same_place(name_of(&b), place) || (place->sa_family == AF_INET && is_any(place) &&
                                              b.both && port_of(name_of(&b)) == port_of(place));
}

/* Whether a connection to the place could reach that socket: it is no wonder then that the place is
 * not free. */
static bool overlaps(const struct bound *b, const struct sockaddr *place)
{
    const struct sockaddr *own = name_of(b);
    if (port_of(own) == 0 || port_of(own) != port_of(place)) {
        return false;
    }
    if (own->sa_family != place->sa_family) {
        return b->both;
    }
    return is_any(own) || is_any(place) || same_place(own, place);
}

static bool any_overlaps(const struct sockets *s, const struct sockaddr *place)
{
    struct bound b;
    for (size_t i = 0; i < s->n; i++) {
        if (bound_to(&s->list[i], &b) && overlaps(&b, place)) {
            return true;
        }
    }
    for (size_t i = 0; i < s->nleft; i++) {
        if (overlaps(&s->left[i], place)) {
            return true;
        }
    }
    return false;
}

static struct socket_file file_at(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return (struct socket_file){0};
    }
    return (struct socket_file){(uint64_t)st.st_dev, (uint64_t)st.st_ino};
}

/* Whether the path leads to that file. One that was removed or replaced leads nowhere, though a
 * socket is still bound to its name; and while it is, nobody else gets its inode. */
static bool is_file_at(const char *path, struct socket_file file)
{
    struct socket_file there = file_at(path);
    return there.inode != 0 && there.inode == file.inode && there.device == file.device;
}

/* Whether the file is one that was given up. */
static bool has_left_file(const struct sockets *s, const struct sockaddr_un *un)
{
    for (size_t i = 0; i < s->nleft; i++) {
        if (same_place(name_of(&s->left[i]), (const struct sockaddr *)un) &&
            is_file_at(un->sun_path, s->left[i].file)) {
            return true;
        }
    }
    return false;
}

/* What the set has at the place; NULL: nothing. */
static const struct listen_socket *find(const struct sockets *s, const struct sockaddr *place)
{
    for (size_t i = 0; i < s->n; i++) {
        if (is_at(&s->list[i], place)) {
            return &s->list[i];
        }
    }
    return NULL;
}

/* Takes over all sockets of the address. Returns how many. */
static size_t take_over(struct making *m, const struct sockaddr *place)
{
    size_t taken = 0;
    for (size_t i = 0; i < m->old->n; i++) {
        const struct listen_socket *one = &m->old->list[i];
        if (contains(m->set, one->fd) || !is_at(one, place)) {
            continue;
        }
        if (place->sa_family == AF_UNIX &&
            !is_file_at(((const struct sockaddr_un *)(const void *)place)->sun_path, one->file)) {
            continue;
        }
        (void)listen(one->fd, (int)m->cfg->backlog); /* the backlog may have changed */
        put(m->set,
            (struct listen_socket){
                .fd = one->fd, .frontend = m->frontend, .slot = taken++, .file = one->file});
    }
    return taken;
}

/*
 * The place has its socket already: a frontend is there twice, or "*" is two addresses that one
 * inherited socket serves. False: the two frontends contradict each other.
 */
static bool check_double(const struct making *m, const char *where,
                         const struct listen_socket *first)
{
    const struct cfg_frontend *a = &m->cfg->frontend[first->frontend];
    const struct cfg_frontend *b = &m->cfg->frontend[m->frontend];
    if (a == b) {
        return true;
    }
    if (a->tls != b->tls || a->service != b->service) {
        LOG(FATAL, "frontend: %s: is there twice, with different parameters", where);
        return false;
    }
    LOG(NOTICE, "frontend: %s: is there twice; the first one counts", where);
    return true;
}

bool sockets_adopt(struct sockets *s, int fd, struct socket_file file)
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
    struct sockaddr_un un = {0};
    len = sizeof(un);
    if (file.inode == 0 && getsockname(fd, (struct sockaddr *)&un, &len) == 0 &&
        un.sun_family == AF_UNIX) {
        file = file_at(un.sun_path);
    }
    put(s, (struct listen_socket){.fd = fd, .file = file});
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
    /* Not blocking: one that does not get to accept has a full queue, and connect() would wait. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0;
    int error = connected || errno == EAGAIN ? EADDRINUSE : errno;
    if (fd >= 0) {
        close(fd);
    }
    switch (error) {
    case ECONNREFUSED: /* left behind by one that has ended */
        (void)unlink(un->sun_path);
        return true;
    case ENOENT:
        return true;
    case EADDRINUSE:
        complain(where, "another program listens there", error);
        return false;
    case EPROTOTYPE:
        complain(where, "a socket of another kind is there", error);
        return false;
    default:
        complain(where, "whether another program listens there cannot be told", error);
        return false;
    }
}

static bool open_unix(struct making *m, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char where[sizeof(un.sun_path) + 8];
    memcpy(un.sun_path, path, strlen(path) + 1);
    snprintf(where, sizeof(where), "unix:%s", un.sun_path);
    const struct listen_socket *first = find(m->set, (struct sockaddr *)&un);
    if (first != NULL) {
        return check_double(m, where, first);
    }
    if (take_over(m, (struct sockaddr *)&un) > 0) {
        return true;
    }
    if (has_left_file(m->old, &un)) {
        (void)unlink(un.sun_path);
    } else if (!make_way(where, &un)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0;
    if (!bound || listen(fd, (int)m->cfg->backlog) != 0) {
        complain(where, "cannot listen", errno);
        if (bound) {
            (void)unlink(un.sun_path);
        }
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    put(m->set, (struct listen_socket){
                    .fd = fd, .frontend = m->frontend, .fresh = true, .file = file_at(path)});
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
 * connection. So it is asked once without it whether the address is free: bind() fails where
 * another socket listens. It must not listen itself: whoever connected meanwhile would be cut off.
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
    bool is = bind(fd, ai->ai_addr, ai->ai_addrlen) == 0;
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
    const struct listen_socket *first = find(m->set, ai->ai_addr);
    if (first != NULL) {
        return check_double(m, where, first);
    }
    size_t slot = take_over(m, ai->ai_addr);
    bool ours = any_overlaps(m->old, ai->ai_addr) || any_overlaps(m->set, ai->ai_addr);
    if (!ours && !is_free(ai)) {
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
    bool ok = true, usable = false;
    for (struct addrinfo *ai = list; ai != NULL && ok; ai = ai->ai_next) {
        if (has_family(ai->ai_family)) { /* a machine without IPv6 still serves "*" */
            usable = true;
            ok = open_address(m, ai);
        }
    }
    freeaddrinfo(list);
    if (ok && !usable) {
        LOG(FATAL, "frontend: %s,%s: no address of a family that this machine has", addr->host,
            port);
        return false;
    }
    return ok;
}

/* ---------------------------------------------------------------- sets */

/* Called once the list does not grow any more. */
static bool share_gone(struct sockets *s)
{
    void *shared = mmap(NULL, s->n * sizeof(*s->gone), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        LOG(FATAL, "no memory for the listening sockets: %s", strerror(errno));
        return false;
    }
    s->gone = shared;
    for (size_t i = 0; i < s->n; i++) {
        atomic_init(&s->gone[i], false);
        s->list[i].gone = &s->gone[i];
    }
    return true;
}

bool sockets_open(struct sockets *s, const struct config *cfg, const struct sockets *old)
{
    struct making m = {.set = s, .cfg = cfg, .old = old};
    bool ok = true;
    *s = (struct sockets){0};
    for (; ok && m.frontend < cfg->nfrontend; m.frontend++) {
        const struct cfg_address *addr = &cfg->frontend[m.frontend].addr;
        ok = addr->path != NULL ? open_unix(&m, addr->path) : open_host(&m, addr);
    }
    if (!ok || !share_gone(s)) {
        sockets_abandon(s);
        return false;
    }
    return true;
}

void sockets_forget(struct sockets *s)
{
    if (s->gone != NULL) {
        munmap(s->gone, s->n * sizeof(*s->gone));
    }
    free(s->list);
    free(s->left);
    *s = (struct sockets){0};
}

static bool same_bound(const struct bound *a, const struct bound *b)
{
    return same_place(name_of(a), name_of(b)) && a->both == b->both &&
           a->file.device == b->file.device && a->file.inode == b->file.inode;
}

static void put_left(struct sockets *s, const struct bound *b)
{
    for (size_t i = 0; i < s->nleft; i++) {
        if (same_bound(&s->left[i], b)) {
            return; /* it comes and goes with every reload */
        }
    }
    s->left = xrealloc(s->left, (s->nleft + 1) * sizeof(*s->left));
    s->left[s->nleft++] = *b;
}

void sockets_retire(struct sockets *old, struct sockets *now)
{
    for (size_t i = 0; i < old->nleft; i++) {
        put_left(now, &old->left[i]);
    }
    for (size_t i = 0; i < old->n; i++) {
        if (!contains(now, old->list[i].fd)) {
            struct bound b;
            if (bound_to(&old->list[i], &b)) {
                put_left(now, &b);
            }
            if (old->gone != NULL) {
                atomic_store(&old->gone[i], true);
            }
            close(old->list[i].fd);
        }
    }
    sockets_forget(old);
}

void sockets_forget_left(struct sockets *s)
{
    free(s->left);
    s->left = NULL;
    s->nleft = 0;
}

void sockets_leave(struct sockets *other, const struct sockets *own)
{
    for (size_t i = 0; i < other->n; i++) {
        if (!contains(own, other->list[i].fd)) {
            close(other->list[i].fd);
        }
    }
    sockets_forget(other);
}

static void remove_file(const struct listen_socket *one)
{
    struct sockaddr_un un = {0};
    socklen_t len = sizeof(un);
    if (getsockname(one->fd, (struct sockaddr *)&un, &len) == 0 && un.sun_family == AF_UNIX &&
        is_file_at(un.sun_path, one->file)) {
        (void)unlink(un.sun_path);
    }
}

void sockets_abandon(struct sockets *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i].fresh) {
            remove_file(&s->list[i]);
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
