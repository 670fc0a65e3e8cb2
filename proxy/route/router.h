/*
 * Which group of backends a request goes to, by its host and path.
 *
 * A pattern is HOST/PATH or /PATH, as config/ has normalised it:
 *
 *   HOST    a.b    this host
 *           *a.b   every host that ends so and is longer
 *   /PATH   /x     this path
 *           /x/    every path below, and /x
 *           /x*    every path that begins so and is longer
 *
 * The exact host comes before the hosts with a star, of which the longer one comes first, and
 * before the patterns without a host. Where nothing below a host fits the path, the next of them is
 * tried. Below a host the exact path comes first, then /x/ for /x, then the longest pattern.
 *
 * First all patterns are added, then the router is sealed, and then it matches; many threads may do
 * that. A match takes time by the length of the host and the path and not by the number of
 * patterns, and no memory.
 */
#ifndef ROUTE_ROUTER_H
#define ROUTE_ROUTER_H

#include <limits.h>
#include <stddef.h>

struct router;

/** No pattern matches. */
#define ROUTER_NONE (-1)
/** The greatest index. */
#define ROUTER_INDEX_MOST (INT_MAX - 2)

enum router_rc {
    ROUTER_OK,
    ROUTER_EXISTS,    /**< the pattern is there already; nothing was changed */
    ROUTER_NO_MEMORY, /**< the router can only be freed now */
};

/** An empty router; NULL when there is no memory. */
struct router *router_new(void);
/** Gives back everything. NULL is allowed. */
void router_free(struct router *r);

/** Adds a pattern with an index of the caller's (0 or more). The pattern is copied. Not after
 * router_seal(). */
enum router_rc router_add(struct router *r, const char *pattern, int index);

/** The index that exactly this pattern was added with, or ROUTER_NONE. */
int router_find(const struct router *r, const char *pattern);

/** Makes of the patterns what router_match() reads. Nothing is added afterwards. */
enum router_rc router_seal(struct router *r);

/**
 * The index for a request, or ROUTER_NONE; after router_seal(). `host` is without a port, in any
 * case, and may be empty. `path` is normalised and without query; one that does not begin with '/'
 * (of CONNECT, OPTIONS *) counts as "/".
 */
int router_match(const struct router *r, const char *host, size_t host_len, const char *path,
                 size_t path_len);

#endif
