/*
 * What looks at an address without being asked by a request:
 *
 *  - active checks (health-path): a GET of our own over the backend's protocol, again and again;
 *  - probes of an address that is offline (rise): a connect, the TLS handshake, for HTTP/2 the
 *    SETTINGS; with active checks, these are the probes;
 *  - warm-up: connections that are opened before a request needs them.
 *
 * Of all workers of all processes one checks or probes an address; what it finds holds for all
 * (route/health.h). The others look now and then whether it still does. A worker that drains does
 * not probe. Warm-up is each worker's own.
 */
#ifndef BACK_PROBE_H
#define BACK_PROBE_H

#include <stdbool.h>

struct pool;

/** The pool has got its backend: what that asks for begins, once the loop runs. */
void probe_start(struct pool *p);
/** Ends what is in progress, and leaves the address to others. */
void probe_stop(struct pool *p);
/** With the pool; it has been stopped. */
void probe_free(struct pool *p);

/** The address is offline: it has to be probed. */
void probe_wake(struct pool *p);
/** By a back: what became of a connection that back_open() was asked for as a probe. */
void probe_done(struct pool *p, bool good, const char *why);

#endif
