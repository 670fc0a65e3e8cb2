/* A worker's listeners: accepting, and resting when descriptors run out. */
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "front/front.h"
#include "net/sockets.h"
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

void listener_add(struct worker *w, const struct cfg_frontend *cfg, const struct listen_socket *s)
{
    struct listener *l = xcalloc(1, sizeof(*l));
    l->worker = w;
    l->cfg = cfg;
    l->fd = s->fd;
    l->gone = s->gone;
    timer_init(&l->rest, resume);
    ev_io_init(&l->io, on_acceptable, l->fd, EV_READ);
    ev_io_start(w->loop, &l->io);
    list_append(&w->listeners, &l->node);
}

void listener_close_all(struct worker *w, bool serve_waiting)
{
    struct list *node;
    while ((node = list_shift(&w->listeners)) != NULL) {
        struct listener *l = container_of(node, struct listener, node);
        bool is_last = l->gone != NULL && atomic_load(l->gone);
        while ((serve_waiting || is_last) && accept_one(l)) {
        }
        ev_io_stop(w->loop, &l->io);
        timer_remove(&l->rest);
        close(l->fd);
        free(l);
    }
}
