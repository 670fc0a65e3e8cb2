/*
 * Where requests go: patterns to groups, groups to backends. A snapshot, made from the
 * configuration, shared by all workers, and never changed. What changes while the program runs
 * (addresses, connections, failures) is in each worker's targets.
 */
#ifndef ROUTE_ROUTES_H
#define ROUTE_ROUTES_H

#include "config.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct request;
struct router;

/** A socket address of a backend. */
struct backend_addr {
    struct sockaddr_storage addr;
    socklen_t len;
    uint16_t priority; /**< those with a lower one come first; of SRV, else 0 */
    double share;      /**< of the backend's weight, above 0; the shares of a priority make 1 */
};

struct backend {
    const struct cfg_backend *cfg;
    struct backend_addr
        *addrs; /**< all that the name resolved to; none when it is looked up later */
    size_t naddrs;
    uint64_t read_timeout, write_timeout; /**< ms, of its connections: what it says, or another one
                                             of its patterns, or the options */
    char *authority; /**< host[:port] as a Host field would have it; "localhost" for a UNIX socket,
                        NULL for an answer of the program's own */
    const char *sni; /**< name for TLS */
    char *via;    /**< what the HTTP proxy is asked whose addresses `addrs` are then; NULL: none */
    SSL_CTX *ctx; /**< a reference; NULL: in the clear */
    char *label;  /**< for the log */
};

/** The backends that share a pattern, and what holds for all of them. */
struct group {
    uint32_t *backends; /**< indices */
    size_t nbackends;
    uint32_t index;
    uint32_t
        *sub_groups; /**< of each backend: those with the same group=NAME have the same number */
    uint32_t *sub_weights;              /**< of each backend: group-weight */
    const struct cfg_backend *balance;  /**< the one that says balance=; NULL: none */
    const struct cfg_backend *affinity; /**< the one that says affinity=ip or cookie; NULL: none */
    const struct cfg_backend *answer; /**< respond= or redirect=, its only backend; NULL: servers */
    bool redirect_if_not_tls;
    uint64_t read_timeout;  /**< ms, of a response, and of waiting for those before */
    uint64_t queue_timeout; /**< ms */
    uint32_t max_queue;     /**< exchanges of a worker */
};

struct routes {
    atomic_uint refs;
    const struct config *cfg; /**< a reference */
    int family;               /**< of addresses (AF_…), by --backend-address-family */
    struct router *router;
    struct group *groups;
    size_t ngroups;
    struct backend *backends;
    size_t nbackends;
};

/** Resolves every backend and loads what its TLS needs. One reference is the caller's. NULL: lines
 * that name what does not resolve or cannot be loaded went to the error log. */
struct routes *routes_new(const struct config *cfg);
/** A reference more, from any thread; returns it. */
struct routes *routes_ref(struct routes *r);
/** A reference less; the last one frees. NULL is allowed. */
void routes_unref(struct routes *r);

/**
 * The group for a request; never NULL, there is always a catch-all. `sni`: the name that the TLS
 * client asked for, where that decides instead of the request's authority (sni-fwd); else NULL.
 */
const struct group *routes_match(const struct routes *r, const struct request *req,
                                 const char *sni);

#endif
