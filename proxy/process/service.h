/*
 * What serves: everything that a configuration needs, and the worker threads. One process has one;
 * a worker process is told what to do through a channel, a single process by signals.
 */
#ifndef PROCESS_SERVICE_H
#define PROCESS_SERVICE_H

#include <stdbool.h>

struct config;
struct sockets;
struct service;

/** What the main process says to a worker process, one octet each. */
enum service_command {
    SERVICE_DRAIN = 'D',     /**< take what waits, serve it and what there is, end */
    SERVICE_HAND_OVER = 'H', /**< the same without what waits: a successor takes it */
    SERVICE_STOP = 'S',      /**< end at once */
    SERVICE_REOPEN = 'R',    /**< open the logs again */
};

/** What a worker process says: it serves. */
#define SERVICE_READY 'r'

/**
 * Makes all that can fail: logs, TLS contexts with their keys, routes, workers. `cfg` must outlive
 * it. NULL: why went to the error log.
 */
struct service *service_new(const struct config *cfg);

/**
 * Requests go to the backends of this configuration from now on: the only way by which they get
 * into force, at the start and while the service runs. From any thread; names and files are looked
 * up in it. What both have keeps its connections; requests in progress are not disturbed. Of the
 * configuration what is about backends counts: their lines and what holds where a line says
 * nothing (time-outs of responses, family, HTTP proxy, TLS). False: nothing has changed, and why
 * went to the error log.
 */
bool service_set_backends(struct service *s, const struct config *cfg);

/**
 * Serves at the sockets, whose descriptors become the service's, until it has been told to end and
 * all is served. `channel` is connected to the main process, and its closing ends the service at
 * once; -1: there is none, signals are heard (SIGQUIT, SIGTERM, SIGINT, SIGUSR1), and the end of
 * the start is told to all that life_ready() tells. False: threads could not be started.
 */
bool service_run(struct service *s, const struct sockets *sockets, int channel);

void service_free(struct service *s);

#endif
