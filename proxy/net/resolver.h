/*
 * Names of backends, looked up while the program runs: addresses (A and AAAA) or services (SRV),
 * kept up to date for as long as somebody watches and uses them. One for each worker, on its loop;
 * it never blocks after resolver_new().
 *
 * A name is looked up in the hosts file, then by DNS, with the search list of resolv.conf. Watches
 * of the same name share its lookups. An answer lives as long as its records' TTL says, but at
 * least a second and at most `cache_timeout`; then it is looked up again in the background, as long
 * as the name was used (touched) in the last `in_use` milliseconds. An unused name sleeps until it
 * is touched again.
 *
 * When no name server answers, the addresses that were known stay, and it is tried again after 1,
 * 2, 4, 8 and then every 16 seconds. When a server says that there is no such name, or no address,
 * the addresses go.
 *
 * What it does not do: choose among the addresses. DNSSEC. Read nsswitch.conf. Notice that
 * resolv.conf changed (a reload does; the hosts file is looked at in each lookup).
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct resolver;
struct resolver_watch;

enum resolver_kind { RESOLVER_ADDRESS, RESOLVER_SRV };

struct resolver_address {
    struct sockaddr_storage addr; /**< with the port: of the watch, or of the SRV record */
    socklen_t len;
    uint16_t priority; /**< SRV: the lowest is to be used first (RFC 2782); otherwise 0 */
    uint16_t weight;   /**< SRV: the share among the same priority, may be 0; otherwise 0 */
    uint32_t ttl;      /**< as the record came, seconds; 0 for what has none */
};

enum resolver_status {
    RESOLVER_FOUND,     /**< there are addresses; perhaps old ones, when no server answers now */
    RESOLVER_NOT_FOUND, /**< a server says that there is no such name, or that it has no address */
    RESOLVER_AWAY,      /**< nothing is known: no server answers, or with failures only */
};

struct resolver_answer {
    enum resolver_status status;
    /** At least one for RESOLVER_FOUND, otherwise none. Without doubles; in an order that does not
     * depend on the server's: by priority, IPv4 first, address, port. Valid during the call. */
    const struct resolver_address *addrs;
    size_t n;
};

/**
 * Called with the first answer, whenever the status or the set of addresses (or a priority or
 * weight) changes, and once after resolver_touch() said RESOLVER_PENDING. Always from the loop,
 * never inside a call of this header; it may call everything here but resolver_free().
 */
typedef void resolver_fn(void *user, const struct resolver_answer *answer);

struct resolver_options {
    struct ev_loop *loop;
    uint64_t cache_timeout;  /**< ms; --dns-cache-timeout. An answer lives no longer, and just as
                                long when it has no TTL: negative ones, the hosts file */
    uint64_t lookup_timeout; /**< ms; --dns-lookup-timeout: of the first query, doubled for each
                                repetition; 0: 250 */
    unsigned max_try;        /**< --dns-max-try: queries to each name server; 0 counts as 1 */
    const char *resolv_conf; /**< NULL: /etc/resolv.conf, and nothing is wrong with it */
    const char *hosts;       /**< NULL: /etc/hosts */
    uint64_t in_use;         /**< ms; 0: a minute */
};

/** More addresses of one name are not told. */
#define RESOLVER_MAX_ADDRESSES 256u

/** NULL: `resolv_conf` cannot be used, as the log says. */
struct resolver *resolver_new(const struct resolver_options *opts);
/** All watches must have been dropped. NULL is fine. */
void resolver_free(struct resolver *r);

/**
 * Watches `name` (a copy is made). `port` belongs to RESOLVER_ADDRESS; an SRV record has its own.
 * `family` is AF_UNSPEC, AF_INET or AF_INET6. A numeric address is its own answer. A name with a
 * dot at its end is absolute. The watch is the caller's, until resolver_unwatch().
 */
struct resolver_watch *resolver_watch(struct resolver *r, const char *name, uint16_t port,
                                      enum resolver_kind kind, int family, resolver_fn *fn,
                                      void *user);
/** `fn` is not called any more. Allowed inside any callback. NULL is fine. */
void resolver_unwatch(struct resolver_watch *w);

/**
 * The addresses that are known now, as a call would tell them, and perhaps older than their TTL and
 * `in_use`: for whoever begins to watch what others have watched, and does not want to wait for the
 * first call (it comes nevertheless). The caller frees them; *n may be 0.
 */
struct resolver_address *resolver_known(const struct resolver_watch *w, size_t *n);

enum resolver_state {
    RESOLVER_PENDING, /**< being looked up, for the first time or after a sleep; a call will come */
    RESOLVER_READY,   /**< the addresses told last are to be used */
    RESOLVER_NONE,    /**< there are no addresses, as was told last */
};

/**
 * The name is used; to be called for each use. Cheap. Whoever does not want to wait at
 * RESOLVER_PENDING may use the addresses told before, if there were some: they are older than
 * their TTL and `in_use`.
 */
enum resolver_state resolver_touch(struct resolver_watch *w);

#endif
