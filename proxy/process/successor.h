/*
 * A new binary takes over (SIGUSR2): the program's file is executed with the same arguments, and
 * finds the listening sockets in its environment, as nghttpx has it:
 *
 *     NGHTTPX_ACCEPT_<n>   tcp,<fd> or unix,<fd>,<path>, n from 1
 *     NGHTTPX_ORIG_PID     the process that gets SIGQUIT when the new one serves
 *
 * systemd's socket activation (LISTEN_FDS) is heard the same way.
 */
#ifndef PROCESS_SUCCESSOR_H
#define PROCESS_SUCCESSOR_H

#include "net/sockets.h"

#include <ev.h>
#include <stdbool.h>

struct successor {
    bool alive;
    ev_child end;
};

/** Starts it. What goes wrong goes to the error log, and this process serves on. */
void successor_start(struct successor *s, struct ev_loop *loop, char **argv, int directory,
                     const struct sockets *sockets);
/** It was started and has not died. */
bool successor_is_alive(const struct successor *s);

/** In the new process, before anything else: where its file is, for the next swap. */
void successor_remember_file(const char *argv0);
/** Takes the descriptors out of the environment. */
void successor_inherit(struct sockets *inherited);
/** This process serves: the one before may go. */
void successor_took_over(void);

#endif
