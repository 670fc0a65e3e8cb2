/* A worker's listeners: its share of the program's listening sockets (net/sockets.h). */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/list.h"
#include "net/wheel.h"

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>

struct worker;
struct cfg_frontend;
struct listen_socket;

struct listener {
    struct worker *worker;
    const struct cfg_frontend *cfg;
    int fd;
    const atomic_bool *gone; /**< the main process has given the socket up (net/sockets.h) */
    ev_io io;
    struct timer rest; /**< runs while accepting rests after a failure */
    struct list node;  /**< worker->listeners */
};

/** The worker accepts connections at this socket, as this frontend; the descriptor is the
 * listener's from now on. */
void listener_add(struct worker *w, const struct cfg_frontend *cfg, const struct listen_socket *s);
/** Ends all of them. `serve_waiting`: what waits in the backlogs is taken before; otherwise it is
 * left to whoever else has the sockets, and taken where nobody has. */
void listener_close_all(struct worker *w, bool serve_waiting);

#endif
