/*
 * The main process: it owns the listening sockets, has the configuration read, starts worker
 * processes and starts them again, and turns signals into what they are told.
 *
 *     SIGHUP    a worker process with the configuration as it is now; when it serves, the one
 *               before hands over. On any error the old one stays.
 *     SIGUSR2   the program's file is executed anew with the same arguments and the sockets; when
 *               it serves, it sends SIGQUIT here.
 *     SIGUSR1   the logs are opened again.
 *     SIGQUIT, SIGTERM, SIGINT   finish what is in progress and end; a second SIGTERM or SIGINT
 *               ends at once.
 */
#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

struct config;

/** Runs the program until its end. Takes the snapshot over. Returns the exit status. */
int master_run(int argc, char **argv, struct config *cfg);

#endif
