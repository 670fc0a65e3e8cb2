/* Listening sockets. Each worker has its own, of the same address (SO_REUSEPORT): the kernel
 * spreads connections. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/list.h"
#include "net/wheel.h"

#include <ev.h>
#include <stdbool.h>

struct worker;
struct cfg_frontend;

struct listener {
    struct worker *worker;
    const struct cfg_frontend *cfg;
    int fd;
    ev_io io;
    struct timer rest; /**< runs while accepting rests after a failure */
    struct list node;  /**< worker->listeners */
};

/**
 * Opens the listeners of one frontend ("*" and names: one for each address). False: a line that
 * names address and reason went to the error log.
 */
bool listener_open(struct worker *w, const struct cfg_frontend *cfg);
/** Serves what waits in the backlog, then closes all of them. */
void listener_close_all(struct worker *w);

#endif
