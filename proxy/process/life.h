/*
 * What a main process and a single process (--single-process) have in common: how they begin, and
 * whom they tell that they serve and that they stop.
 */
#ifndef PROCESS_LIFE_H
#define PROCESS_LIFE_H

#include <ev.h>
#include <stdbool.h>

struct config;
struct sockets;

/**
 * What can fail before anybody is asked to wait: the user, the PID file, the listening sockets; and
 * then the background. False: why went to the error log, and nothing is open.
 */
bool life_begin(const struct config *cfg, struct sockets *sockets);

/** It serves, in the words of `status`. systemd hears it each time; the shell that waits for a
 * daemon and the process that this one takes over from, the first time. */
void life_ready(const char *status);
/** It ends. */
void life_stopping(bool now);

/** Lets systemd's watchdog hear of this loop, if there is one. */
void life_watch(struct ev_loop *loop);
void life_unwatch(struct ev_loop *loop);

#endif
