/*
 * Where requests go: patterns to groups, groups to backends. Made once from the configuration and
 * shared, read-only, by all workers. What changes while the program runs (connections, failures) is
 * in each worker's pools.
 */
#ifndef ROUTE_ROUTES_H
#define ROUTE_ROUTES_H

#include "config.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct exchange;
struct request;
struct worker;
struct pool;
struct router;

/** One resolved address of a backend. */
struct backend_addr {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct backend {
    const struct cfg_backend *cfg;
    struct backend_addr *addrs; /**< all that the name resolved to; at least one */
    size_t naddrs;
    char
        *authority; /**< host[:port] as a Host field would have it; "localhost" for a UNIX socket */
    const char *sni; /**< name for TLS */
    char *via;   /**< what the HTTP proxy is asked whose addresses `addrs` are then; NULL: none */
    char *label; /**< for the log */
};

/** The backends that share a pattern. */
struct group {
    uint32_t *backends; /**< indices */
    size_t nbackends;
    size_t naddrs; /**< addresses of all of them together */
    uint32_t index;
};

struct routes {
    struct router *router;
    struct group *groups;
    size_t ngroups;
    struct backend *backends;
    size_t nbackends;
};

/** Resolves every backend. NULL: lines that name what does not resolve went to the error log. */
struct routes *routes_new(const struct config *cfg);
void routes_free(struct routes *r);

/** The group for a request; never NULL, there is always a catch-all. */
const struct group *routes_match(const struct routes *r, const struct request *req);

/**
 * The pool to try next for a request of this group: the next in turn, but not one that just failed
 * to connect while another has not.
 */
struct pool *routes_pick(struct worker *w, const struct group *g);

#endif
