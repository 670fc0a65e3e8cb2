/*
 * From records to addresses: which can be used, in an order that does not depend on the server's,
 * each place once; and whether that is another answer than the one before.
 */
#include "net/resolver_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "net/block.h"
#include "ops/log.h"

void resolver_set_port(struct resolver_address *a, uint16_t port)
{
    if (a->addr.ss_family == AF_INET) {
        ((struct sockaddr_in *)(void *)&a->addr)->sin_port = htons(port);
    } else {
        ((struct sockaddr_in6 *)(void *)&a->addr)->sin6_port = htons(port);
    }
}

static uint16_t port_of(const struct resolver_address *a)
{
    return ntohs(a->addr.ss_family == AF_INET
                     ? ((const struct sockaddr_in *)(const void *)&a->addr)->sin_port
                     : ((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_port);
}

/* 0.0.0.0 and :: would be this host itself; nobody listens at a multicast address. Names are
 * pointed there to be blocked. */
static bool is_usable(const struct resolver_address *a)
{
    if (a->addr.ss_family == AF_INET) {
        uint32_t ip = ntohl(((const struct sockaddr_in *)(const void *)&a->addr)->sin_addr.s_addr);
        return ip != INADDR_ANY && ip < 0xe0000000u;
    }
    const struct in6_addr *ip = &((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_addr;
    return !IN6_IS_ADDR_UNSPECIFIED(ip) && !IN6_IS_ADDR_MULTICAST(ip);
}

void resolver_make_address(struct resolver_address *a, int family, const uint8_t *octets)
{
    *a = (struct resolver_address){0};
    a->addr.ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a->addr;
        memcpy(&in->sin_addr, octets, 4);
        a->len = sizeof(*in);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&a->addr;
        memcpy(&in6->sin6_addr, octets, 16);
        a->len = sizeof(*in6);
    }
}

static int compare_place(const struct resolver_address *a, const struct resolver_address *b)
{
    if (a->addr.ss_family != b->addr.ss_family) {
        return a->addr.ss_family == AF_INET ? -1 : 1;
    }
    int order;
    if (a->addr.ss_family == AF_INET) {
        order = memcmp(&((const struct sockaddr_in *)(const void *)&a->addr)->sin_addr,
                       &((const struct sockaddr_in *)(const void *)&b->addr)->sin_addr, 4);
    } else {
        order = memcmp(&((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_addr,
                       &((const struct sockaddr_in6 *)(const void *)&b->addr)->sin6_addr, 16);
    }
    return order != 0 ? order : (int)port_of(a) - (int)port_of(b);
}

/* The same place comes together, the best of its records first. */
static int by_place(const void *pa, const void *pb)
{
    const struct resolver_address *a = pa, *b = pb;
    int order = compare_place(a, b);
    if (order == 0) {
        order = (int)a->priority - (int)b->priority;
    }
    return order != 0 ? order : (int)b->weight - (int)a->weight;
}

static int by_priority(const void *pa, const void *pb)
{
    const struct resolver_address *a = pa, *b = pb;
    int order = (int)a->priority - (int)b->priority;
    return order != 0 ? order : compare_place(a, b);
}

/* Sorts, and drops what cannot be used, what is there twice, and what is too much. */
static size_t tidy(struct resolver_address *a, size_t n)
{
    size_t kept = 0;
    if (n == 0) {
        return 0;
    }
    qsort(a, n, sizeof(*a), by_place);
    for (size_t i = 0; i < n; i++) {
        if (is_usable(&a[i]) && (kept == 0 || compare_place(&a[kept - 1], &a[i]) != 0)) {
            a[kept++] = a[i];
        }
    }
    qsort(a, kept, sizeof(*a), by_priority);
    return kept < RESOLVER_MAX_ADDRESSES ? kept : RESOLVER_MAX_ADDRESSES;
}

static bool is_same(const struct resolver_address *a, const struct resolver_address *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (by_place(&a[i], &b[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_srv_target(const struct name *n)
{
    list_each(node, &n->watches)
    {
        if (container_of(node, struct resolver_watch, node)->srv != NULL) {
            return true;
        }
    }
    return false;
}

/* The answer becomes the name's. `addrs` is taken over. */
void resolver_set_answer(struct name *n, enum resolver_status status,
                         struct resolver_address *addrs, size_t naddrs)
{
    naddrs = tidy(addrs, naddrs);
    if (naddrs > 0) {
        status = RESOLVER_FOUND;
    } else if (status == RESOLVER_FOUND) {
        status = RESOLVER_NOT_FOUND;
    }
    bool changed = status != n->status || naddrs != n->naddrs || !is_same(addrs, n->addrs, naddrs);
    if (changed && status == RESOLVER_NOT_FOUND && is_srv_target(n)) {
        LOG(WARN, "dns: %s: there is no such name, or no address, though an SRV record names it",
            n->text);
    } else if (changed) { /* who uses the name says more, where that matters */
        LOG(INFO, "dns: %s: %zu addresses", n->text, naddrs);
    }
    free(n->addrs);
    n->addrs = addrs;
    n->naddrs = naddrs;
    n->status = status;
    n->awaited = false;
    resolver_tell(n, changed);
}

static void build_address_answer(struct name *n, enum resolver_status status)
{
    size_t total = 0;
    for (unsigned i = 0; i < n->nparts; i++) {
        const struct part *p = &n->parts[i];
        total += p->nfound + p->nknown;
    }
    struct resolver_address *addrs = xcalloc(total + 1, sizeof(*addrs));
    total = 0;
    for (unsigned i = 0; i < n->nparts; i++) {
        const struct part *p = &n->parts[i];
        /* What one family has found is not known yet while the other one is awaited. */
        bool early = p->nfound > 0;
        const struct dns_record *records = early ? p->found : p->known;
        size_t count = early ? p->nfound : p->nknown;
        for (size_t j = 0; j < count; j++, total++) {
            resolver_make_address(&addrs[total], p->type == DNS_A ? AF_INET : AF_INET6,
                                  records[j].addr);
            addrs[total].ttl = early ? p->ttl : p->known_ttl;
        }
    }
    resolver_set_answer(n, status, addrs, total);
}

/* Of the answers for all targets, once each has one. */
static void build_srv_answer(struct name *n)
{
    size_t total = 0;
    enum resolver_status status = n->failures > 0 ? RESOLVER_AWAY : RESOLVER_NOT_FOUND;
    if (n->awaited && (n->state == DUE || n->state == ASKING)) {
        return; /* the records themselves are awaited */
    }
    for (size_t i = 0; i < n->ntargets; i++) {
        const struct resolver_watch *w = n->targets[i].watch;
        if (w->owed) {
            return;
        }
        total += w->name->naddrs;
        if (w->name->status == RESOLVER_AWAY) {
            status = RESOLVER_AWAY;
        }
    }
    struct resolver_address *addrs = xcalloc(total + 1, sizeof(*addrs));
    total = 0;
    for (size_t i = 0; i < n->ntargets; i++) {
        const struct target *t = &n->targets[i];
        const struct name *host = t->watch->name;
        for (size_t j = 0; j < host->naddrs; j++, total++) {
            addrs[total] = host->addrs[j];
            addrs[total].priority = t->priority;
            addrs[total].weight = t->weight;
            addrs[total].ttl = t->ttl < host->addrs[j].ttl ? t->ttl : host->addrs[j].ttl;
            resolver_set_port(&addrs[total], t->watch->port);
        }
    }
    resolver_set_answer(n, status, addrs, total);
}

void resolver_build_answer(struct name *n)
{
    if (n->kind == RESOLVER_SRV) {
        build_srv_answer(n);
    } else {
        build_address_answer(n, n->failures > 0 ? RESOLVER_AWAY : RESOLVER_NOT_FOUND);
    }
}
