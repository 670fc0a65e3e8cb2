/*
 * The listening sockets of the program. They belong to the main process and outlive its worker
 * processes: a reload, a restarted worker and a new binary get the same ones, so that no connection
 * that waits in a backlog is lost.
 *
 * A TCP address has as many sockets as there are worker threads (SO_REUSEPORT: the kernel spreads
 * connections over them), and keeps those that it had when there are fewer threads later, as
 * closing one would reset what waits in it; a UNIX socket has one.
 */
#ifndef NET_SOCKETS_H
#define NET_SOCKETS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;

/** The file of a UNIX socket, by which it is known again when another one has its name. */
struct socket_file {
    uint64_t device;
    uint64_t inode; /**< 0: none, or not known */
};

struct listen_socket {
    int fd;
    size_t frontend; /**< index in config->frontend */
    size_t slot;     /**< counts the sockets of one address: worker slot % workers has it */
    bool fresh;      /**< opened by this set, not taken over */
    struct socket_file file;
    const atomic_bool *gone; /**< set in sockets->gone; NULL: it is never given up */
};

struct bound; /* sockets.c */

struct sockets {
    struct listen_socket *list;
    size_t n;
    /** One for each of the list, in memory that worker processes share: the main process has given
     * that socket up, and who closes it as the last one resets what waits in it. */
    atomic_bool *gone;
    /** Addresses that were given up. A worker process may listen there until it has heard of it. */
    struct bound *left;
    size_t nleft;
};

/** Puts an inherited descriptor into a set, for others to take over. `file` with an inode of 0: the
 * one that its path leads to now. False: no listening socket. */
bool sockets_adopt(struct sockets *s, int fd, struct socket_file file);

/**
 * Makes the set for a configuration: takes over what `old` has of its addresses, opens the rest.
 * `old` is not changed. False: a line that names address and reason went to the error log, and
 * nothing new is open.
 */
bool sockets_open(struct sockets *s, const struct config *cfg, const struct sockets *old);

/** `now` is in force: gives up what only `old` has, and empties `old`. */
void sockets_retire(struct sockets *old, struct sockets *now);
/** Nobody listens any more at addresses that were given up: who does is another program. */
void sockets_forget_left(struct sockets *s);
/** Closes what only `other` has, and empties it: a worker process has no use for it. */
void sockets_leave(struct sockets *other, const struct sockets *own);
/** The set does not come into force: closes what it opened itself, removes the files that it made,
 * and empties it. */
void sockets_abandon(struct sockets *s);
/** Closes all of them. */
void sockets_close(struct sockets *s);
/** Empties the set without closing any: the descriptors are somebody else's now. */
void sockets_forget(struct sockets *s);

#endif
