/*
 * What the resolver's files share. resolver.c: watches, when a name is looked up, who is told.
 * resolver_lookup.c: one lookup of a name, from the hosts file to the last candidate of the search
 * list. resolver_answer.c: the addresses that are made of what was found.
 */
#ifndef NET_RESOLVER_INTERNAL_H
#define NET_RESOLVER_INTERNAL_H

#include "net/resolver.h"

#include "net/dns_channel.h"
#include "net/list.h"

#include <sys/stat.h>

#define RESOLVER_BUCKETS 256u

struct resolver {
    struct ev_loop *loop;
    struct dns_channel *channel;
    uint64_t cache_timeout, in_use;
    char *hosts;
    ev_timer work;       /* runs when one of the two lists is not empty */
    struct list busy;    /* names: due, or with something new from the channel */
    struct list waiting; /* names: due, while enough others are asked for */
    struct list to_tell; /* watches */
    unsigned nasking;    /* names */
    struct list names[RESOLVER_BUCKETS];
};

/** Drawn in resolver.c. */
enum name_state { DUE, ASKING, RESTING, SLEEPING, FIXED };

enum part_state { UNASKED, ASKED, ANSWERED };

struct name;

/* One type of records of a name: what is known of it, and what the lookup under way has found. */
struct part {
    enum dns_type type;
    enum part_state state;
    enum dns_outcome outcome;
    struct query *query;
    struct dns_record *found, *known;
    size_t nfound, nknown;
    uint32_t ttl, known_ttl;
};

/* What an answer of the channel finds its way back with; outlives a name that is dropped. */
struct query {
    struct name *name;
    struct part *part;
};

struct name {
    struct resolver *resolver;
    struct list node; /* in a bucket */
    struct list busy;
    struct list watches; /* struct resolver_watch */
    char *text;          /* lower case */
    enum resolver_kind kind;
    int family;
    enum name_state state;
    bool awaited;    /* users are to wait for the lookup: there is no answer yet, or an old one */
    bool timer_over; /* the wait for the second family */
    uint64_t touched;
    uint64_t passed_on; /* when the targets were touched because of it */
    ev_timer timer;
    unsigned candidate, known_candidate; /* of the search list */
    unsigned failures;                   /* in a row */
    const char *why;                     /* the last of them */
    struct stat hosts_stat;              /* of the file that did not have the name */
    struct part parts[2];
    unsigned nparts;
    struct target *targets; /* of SRV */
    size_t ntargets;
    /* the answer as it was told */
    enum resolver_status status;
    struct resolver_address *addrs;
    size_t naddrs;
};

struct resolver_watch {
    struct name *name;
    struct list node;
    struct list to_tell;
    bool owed; /* the next answer is to be told, even if it is no other one */
    bool told; /* at least once */
    uint16_t port;
    resolver_fn *fn;
    void *user;
    struct name *srv; /* instead of `fn`: the watch of a name's SRV target */
};

/* One SRV record. The watch of its host carries the port. */
struct target {
    uint16_t priority, weight;
    uint32_t ttl;
    struct resolver_watch *watch;
};

/* resolver.c */
void resolver_set_state(struct name *n, enum name_state state);
void resolver_set_timer(struct name *n, uint64_t ms);
/** Something is to be done for it, in the next run of the work. */
void resolver_set_busy(struct name *n);
/** Its watches are to be called: those that are owed an answer, or all. */
void resolver_tell(struct name *n, bool everybody);
void resolver_drop_targets(struct target *targets, size_t n);

/* resolver_lookup.c */
/** Of a name that is due. */
void resolver_begin_lookup(struct name *n);
/** Of a name that is asking, when an answer has come or its timer is over. */
void resolver_go_on(struct name *n);

/* resolver_answer.c */
/** Makes the addresses of a name out of what is known, and has them told. */
void resolver_build_answer(struct name *n);
/** The answer becomes the name's. `addrs` is taken over. */
void resolver_set_answer(struct name *n, enum resolver_status status,
                         struct resolver_address *addrs, size_t naddrs);
void resolver_make_address(struct resolver_address *a, int family, const uint8_t *octets);
void resolver_set_port(struct resolver_address *a, uint16_t port);

#endif
