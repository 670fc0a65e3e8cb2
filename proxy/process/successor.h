/*
 * A new binary takes over (SIGUSR2): the program's file is executed with the same arguments, and
 * finds in its environment
 *
 *     NGHTTPX_ACCEPT_<n>   a listening socket, n from 1: fd,<number>, for a UNIX socket with
 *                          ,<device>:<inode> of its file behind it
 *     NGHTTPX_ORIG_PID     its parent, which gets SIGQUIT when the new one serves
 *     NGHTTPX_CONF_READ    there is a configuration file, and so the new one must find one too
 *
 * Of the original, which writes tcp,<number> and unix,<number>,<path>, sockets are taken over as
 * well. Not the other way round: it would open its own. systemd's socket activation (LISTEN_FDS) is
 * heard too.
 */
#ifndef PROCESS_SUCCESSOR_H
#define PROCESS_SUCCESSOR_H

#include "net/sockets.h"

#include <ev.h>
#include <stdbool.h>
#include <sys/types.h>

struct successor {
    bool alive; /**< it was started and has not ended */
    bool over; /**< the one before is ending: what becomes of the new one is no more its business */
    pid_t pid;
    ev_tstamp since;
    ev_child end;
    ev_timer limit; /**< until it has to serve */
    void (*failed)(void *arg);
    void *arg;
};

/** `failed` is called when a new binary has ended without taking over. */
void successor_init(struct successor *s, void (*failed)(void *arg), void *arg);
/** Starts it; one that is starting already, for longer than it should take, is ended instead.
 * What goes wrong goes to the error log, and this process serves on. */
void successor_start(struct successor *s, struct ev_loop *loop, char **argv, int directory,
                     const struct sockets *sockets, bool conf_read);
/** It was started and has not died. */
bool successor_is_alive(const struct successor *s);
/** This process ends: nobody is told any more what becomes of the new one. */
void successor_leave(struct successor *s, struct ev_loop *loop);

/** In the new process, before anything else: where its file is, for the next swap. */
void successor_remember_file(const char *argv0);
/** In the new process: the one before had a configuration file. */
bool successor_needs_conf(void);
/** Takes the descriptors out of the environment. */
void successor_inherit(struct sockets *inherited);
/** This process takes over from another one. After successor_inherit(). */
bool successor_takes_over(void);
/** This process serves: the one before may go. */
void successor_took_over(void);

#endif
