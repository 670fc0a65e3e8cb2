/*
 * Single DNS queries, by c-ares on a libev loop: a name and a type to the name servers, with their
 * repetitions and TCP for what was truncated. It never blocks after dns_channel_new(). What is made
 * of the answers, and when to ask again, is the resolver's business (resolver.h).
 */
#ifndef NET_DNS_CHANNEL_H
#define NET_DNS_CHANNEL_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

/** Types of RFC 1035, 3596, 2782. */
enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33 };

struct dns_record {
    uint8_t addr[16]; /**< A (4 octets), AAAA */
    uint16_t priority, weight, port;
    char *target; /**< SRV: the host, without the dot at its end ("" is the root) */
};

enum dns_outcome {
    DNS_FOUND,   /**< records of the type, at least one */
    DNS_NO_NAME, /**< NXDOMAIN, or it cannot be a name: there are no records of any type */
    DNS_NO_DATA, /**< no records of this type */
    DNS_FAILED,  /**< nobody answered, or with a failure or rubbish */
};

struct dns_reply {
    enum dns_outcome outcome;
    const char *why; /**< DNS_FAILED: in words; static */
    uint32_t ttl;    /**< DNS_FOUND: the least of all its records, CNAMEs included; seconds */
    size_t n;
    struct dns_record *records; /**< DNS_FOUND: the callback's, for dns_records_free() */
};

typedef void dns_reply_fn(void *arg, const struct dns_reply *reply);

struct dns_channel_options {
    struct ev_loop *loop;
    unsigned timeout_ms;     /**< of the first query to each server; doubled each round */
    unsigned tries;          /**< queries to each server */
    const char *resolv_conf; /**< NULL: the system's, with c-ares' defaults when there is none */
};

/** More records of one answer are not looked at. */
#define DNS_MAX_RECORDS 256u

struct dns_channel;

/** NULL: the configuration is not usable, as the log says. */
struct dns_channel *dns_channel_new(const struct dns_channel_options *opts);
/** Queries under way are answered with DNS_FAILED. NULL is fine. */
void dns_channel_free(struct dns_channel *c);

/** `name` is absolute. `fn` is called once, perhaps before this returns. */
void dns_channel_ask(struct dns_channel *c, const char *name, enum dns_type type, dns_reply_fn *fn,
                     void *arg);

/** The search list of resolv.conf: domain `i`, or NULL behind the last. */
const char *dns_channel_domain(const struct dns_channel *c, unsigned i);
/** A name with so many dots is tried as it is before the search list. */
unsigned dns_channel_ndots(const struct dns_channel *c);

void dns_records_free(struct dns_record *records, size_t n);

#endif
