/*
 * What the program asks of the system besides sockets: limits, another user, the background, the
 * PID file, and systemd.
 */
#ifndef PROCESS_SYSTEM_H
#define PROCESS_SYSTEM_H

#include <stdbool.h>
#include <sys/types.h>

struct config;

/**
 * Signals that somebody handles wait (`hold`) or come. They wait before there are handlers, so that
 * one that comes early is not lost, and after, so that one that comes late does not kill a program
 * that is ending.
 */
void system_hold_signals(bool hold);
/** Holds those that ask a running program for something, and would kill one that is still loading
 * its configuration; those that end it may end it. */
void system_hold_early_signals(void);

/** --rlimit-nofile. A limit that cannot be had is a warning. */
void system_limits(const struct config *cfg);

/** --user is known. False: a line went to the error log. */
bool system_check_user(const struct config *cfg);
/** Becomes --user, with its groups. Without the option nothing happens. False: as above. */
bool system_become_user(const struct config *cfg);
/** Makes the log files, for --user to write to them: it could not in a folder of root's. */
void system_give_logs(const struct config *cfg);

/**
 * --daemon: goes on in a child without a terminal. The parent waits in here until
 * system_daemon_ready() is called in the child, and ends with status 0, or with 1 when the child
 * has ended before. False: no process can be made (errno).
 */
bool system_daemonize(void);
/** It serves: the one who started it may go. Nothing happens without system_daemonize(). */
void system_daemon_ready(void);
/** In a child: whether the daemon serves is not for it to say. */
void system_daemon_forget(void);

/** --pid-file can be written. False: a line went to the error log. */
bool system_check_pid_file(const struct config *cfg);
/** --pid-file: writes this process's id, so that a reader sees all of it or nothing. */
bool system_write_pid_file(const struct config *cfg);
/** Removes it if it still names this process. */
void system_remove_pid_file(const struct config *cfg);

/** Tells systemd (sd_notify(3)); nothing happens when it did not start us. */
void system_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** This process goes on for `before`, to which systemd's variables speak (WATCHDOG_PID). */
void system_goes_on_for(pid_t before);
/** Microseconds within which systemd wants to hear of us again and again; 0: it does not. */
unsigned long long system_watchdog_us(void);

#endif
