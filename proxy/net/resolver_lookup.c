/*
 * One lookup of a name: the hosts file; the candidates that the search list makes of it, each asked
 * for all types at once; what becomes of the answers.
 */
#include "net/resolver_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/block.h"
#include "net/dns_files.h"
#include "ops/log.h"

#define MIN_LIFETIME_MS   1000u /* a TTL of 0 or 1 must not make a storm of queries */
#define FIRST_RETRY_MS    1000u /* doubled with each failure ... */
#define MAX_RETRY_DOUBLES 4u   /* ... up to 16 s: a server that comes back is noticed soon enough */
#define SECOND_FAMILY_MS  50u  /* RFC 8305, 3: what one family's answer waits for the other's */
#define MAX_NAME          255u /* RFC 1035, 2.3.4 */

/* ---------------------------------------------------------------- asking */

/* The absolute name that candidate `i` is: the name as it is, or with a domain of the search list,
 * in the order of resolv.conf(5). False: there are no more. */
static bool make_candidate(const struct name *n, unsigned i, char *out, size_t cap)
{
    const struct dns_channel *c = n->resolver->channel;
    size_t len = strlen(n->text);
    unsigned dots = 0, ndomains = 0;
    for (const char *p = n->text; *p != '\0'; p++) {
        dots += *p == '.';
    }
    while (dns_channel_domain(c, ndomains) != NULL) {
        ndomains++;
    }
    if (len > 0 && n->text[len - 1] == '.') {
        ndomains = 0;
    }
    if (i > ndomains) {
        return false;
    }
    bool plain_first = dots >= dns_channel_ndots(c);
    const char *domain = NULL;
    if (plain_first) {
        domain = i > 0 ? dns_channel_domain(c, i - 1) : NULL;
    } else {
        domain = i < ndomains ? dns_channel_domain(c, i) : NULL;
    }
    snprintf(out, cap, "%s%s%s", n->text, domain != NULL ? "." : "", domain != NULL ? domain : "");
    return true;
}

static void on_reply(void *arg, const struct dns_reply *reply)
{
    struct query *q = arg;
    struct name *n = q->name;
    if (n == NULL) {
        dns_records_free(reply->records, reply->n);
        free(q);
        return;
    }
    struct part *p = q->part;
    assert(n->state == ASKING && p->state == ASKED && p->query == q && p->found == NULL);
    p->query = NULL;
    p->state = ANSWERED;
    p->outcome = reply->outcome;
    p->found = reply->records;
    p->nfound = reply->n;
    p->ttl = reply->ttl;
    if (reply->outcome == DNS_FAILED) {
        n->why = reply->why;
    }
    free(q);
    resolver_set_busy(n);
}

static void ask(struct name *n)
{
    /* Longer than a name may be is refused by c-ares, so cutting one off changes nothing. */
    char text[2 * MAX_NAME];
    bool exists = make_candidate(n, n->candidate, text, sizeof(text));
    assert(exists);
    for (unsigned i = 0; i < n->nparts; i++) {
        struct part *p = &n->parts[i];
        assert(p->query == NULL && p->found == NULL);
        p->state = ASKED;
        p->query = xcalloc(1, sizeof(*p->query));
        *p->query = (struct query){.name = n, .part = p};
    }
    for (unsigned i = 0; i < n->nparts; i++) {
        struct part *p = &n->parts[i];
        dns_channel_ask(n->resolver->channel, text, p->type, on_reply, p->query);
    }
}

static uint64_t lifetime(const struct resolver *r, uint64_t ms)
{
    ms = ms < r->cache_timeout ? ms : r->cache_timeout;
    return ms > MIN_LIFETIME_MS ? ms : MIN_LIFETIME_MS;
}

/* A lookup is over. */
static void rest(struct name *n, uint64_t ms)
{
    if (n->failures > 0) {
        LOG(NOTICE, "dns: %s: answered again", n->text);
        n->failures = 0;
    }
    resolver_set_state(n, RESTING);
    resolver_set_timer(n, ms);
}

static void set_known(struct part *p, struct dns_record *records, size_t n, uint32_t ttl)
{
    dns_records_free(p->known, p->nknown);
    p->known = records;
    p->nknown = n;
    p->known_ttl = ttl;
}

/* What the hosts file says is the whole answer, as libc has it. RFC 6761, 6.3: localhost is never
 * asked of a server. */
static bool look_into_hosts(struct name *n)
{
    struct dns_address found[DNS_FILE_MAX];
    struct stat st;
    const char *path = n->resolver->hosts;
    size_t len = strlen(n->text), nfound = 0;
    char name[MAX_NAME + 1];
    if (n->kind == RESOLVER_SRV || len == 0 || len > MAX_NAME) {
        return false;
    }
    memcpy(name, n->text, len + 1);
    if (name[len - 1] == '.') {
        name[--len] = '\0';
    }
    if (stat(path, &st) == 0) {
        /* A long file is not read again and again for names that are not in it. */
        const struct stat *was = &n->hosts_stat;
        if (st.st_ino == was->st_ino && st.st_dev == was->st_dev && st.st_size == was->st_size &&
            st.st_mtim.tv_sec == was->st_mtim.tv_sec &&
            st.st_mtim.tv_nsec == was->st_mtim.tv_nsec) {
            nfound = 0;
        } else {
            nfound = dns_hosts_lookup(path, name, found);
            n->hosts_stat = nfound == 0 ? st : (struct stat){0};
        }
    }
    static const char suffix[] = ".localhost";
    if (nfound == 0 &&
        (strcmp(name, suffix + 1) == 0 ||
         (len > strlen(suffix) && strcmp(name + len - strlen(suffix), suffix) == 0))) {
        found[nfound++] = (struct dns_address){.family = AF_INET, .octets = {127, 0, 0, 1}};
        found[nfound++] = (struct dns_address){.family = AF_INET6, .octets = {[15] = 1}};
    }
    if (nfound == 0) {
        return false;
    }
    for (unsigned i = 0; i < n->nparts; i++) {
        struct part *p = &n->parts[i];
        int family = p->type == DNS_A ? AF_INET : AF_INET6;
        struct dns_record *records = xcalloc(nfound, sizeof(*records));
        size_t count = 0;
        for (size_t j = 0; j < nfound; j++) {
            if (found[j].family == family) {
                memcpy(records[count++].addr, found[j].octets, sizeof(found[j].octets));
            }
        }
        set_known(p, records, count, 0);
    }
    rest(n, lifetime(n->resolver, n->resolver->cache_timeout));
    resolver_build_answer(n);
    return true;
}

void resolver_begin_lookup(struct name *n)
{
    n->candidate = 0;
    n->timer_over = false;
    ev_timer_stop(n->resolver->loop, &n->timer);
    if (!look_into_hosts(n)) {
        resolver_set_state(n, ASKING);
        ask(n);
    }
}

/* ---------------------------------------------------------------- what was answered */

/* A target that was there before keeps its watch, and so what is known of it. */
static struct resolver_watch *keep_target(struct name *n, const char *host, uint16_t port)
{
    for (size_t i = 0; i < n->ntargets; i++) {
        struct resolver_watch *w = n->targets[i].watch;
        if (w != NULL && w->port == port && strcasecmp(w->name->text, host) == 0) {
            n->targets[i].watch = NULL;
            return w;
        }
    }
    return NULL;
}

static void set_targets(struct name *n)
{
    const struct part *p = &n->parts[0];
    struct target *targets = xcalloc(p->nknown + 1, sizeof(*targets));
    size_t count = 0;
    for (size_t i = 0; i < p->nknown; i++) {
        const struct dns_record *rec = &p->known[i];
        char host[2 * MAX_NAME];
        if (rec->target[0] == '\0' || rec->port == 0) {
            continue; /* RFC 2782: the target "." says that the service is not there */
        }
        snprintf(host, sizeof(host), "%s.", rec->target); /* absolute, whatever dots it has */
        struct resolver_watch *w = keep_target(n, host, rec->port);
        if (w == NULL) {
            w = resolver_watch(n->resolver, host, rec->port, RESOLVER_ADDRESS, n->family, NULL,
                               NULL);
            w->srv = n;
        }
        targets[count++] = (struct target){
            .priority = rec->priority, .weight = rec->weight, .ttl = p->known_ttl, .watch = w};
    }
    resolver_drop_targets(n->targets, n->ntargets);
    n->targets = targets;
    n->ntargets = count;
}

/* Makes what the lookup has found so far the name's. `negative`: what failed is not there either.
 */
static void take_found(struct name *n, bool negative)
{
    for (unsigned i = 0; i < n->nparts; i++) {
        struct part *p = &n->parts[i];
        bool failed = p->state != ANSWERED || p->outcome == DNS_FAILED;
        if (!failed) {
            set_known(p, p->found, p->nfound, p->ttl);
            p->found = NULL;
            p->nfound = 0;
        } else if (negative || n->candidate != n->known_candidate) {
            set_known(p, NULL, 0, 0); /* not known, or of another name */
        }
    }
    n->known_candidate = n->candidate;
    if (n->kind == RESOLVER_SRV) {
        set_targets(n);
    }
}

static void forget_known(struct name *n)
{
    for (unsigned i = 0; i < n->nparts; i++) {
        set_known(&n->parts[i], NULL, 0, 0);
    }
    if (n->kind == RESOLVER_SRV) {
        set_targets(n);
    }
}

static void fail(struct name *n)
{
    unsigned doubles = n->failures < MAX_RETRY_DOUBLES ? n->failures : MAX_RETRY_DOUBLES;
    if (n->failures == 0) {
        LOG(WARN, "dns: %s: %s; %s", n->text, n->why != NULL ? n->why : "no answer",
            n->naddrs > 0 ? "the addresses known so far are kept" : "no address is known");
    }
    if (n->failures < UINT32_MAX) {
        n->failures++;
    }
    resolver_set_state(n, RESTING);
    resolver_set_timer(n, (uint64_t)FIRST_RETRY_MS << doubles);
    resolver_build_answer(n);
}

/* All parts have been answered. */
static void conclude(struct name *n)
{
    bool found = false, no_name = false, failed = false;
    uint32_t ttl = UINT32_MAX;
    char text[2 * MAX_NAME];
    for (unsigned i = 0; i < n->nparts; i++) {
        const struct part *p = &n->parts[i];
        found = found || p->outcome == DNS_FOUND;
        failed = failed || p->outcome == DNS_FAILED;
        no_name = no_name || p->outcome == DNS_NO_NAME; /* of whatever type: RFC 8020 */
        if (p->outcome == DNS_FOUND && p->ttl < ttl) {
            ttl = p->ttl;
        }
    }
    struct resolver *r = n->resolver;
    if (found) {
        take_found(n, false);
        rest(n, lifetime(r, (uint64_t)ttl * 1000));
        resolver_build_answer(n);
    } else if (failed && !no_name) {
        fail(n);
    } else if (make_candidate(n, n->candidate + 1, text, sizeof(text))) {
        if (n->candidate == n->known_candidate) {
            forget_known(n); /* nothing is kept, should the next one fail */
        }
        n->candidate++;
        ask(n);
    } else {
        take_found(n, true);
        rest(n, lifetime(r, r->cache_timeout));
        resolver_build_answer(n);
    }
}

void resolver_go_on(struct name *n)
{
    bool found = false, asked = false;
    for (unsigned i = 0; i < n->nparts; i++) {
        const struct part *p = &n->parts[i];
        asked = asked || p->state == ASKED;
        found = found || (p->state == ANSWERED && p->outcome == DNS_FOUND);
    }
    if (!asked) {
        ev_timer_stop(n->resolver->loop, &n->timer);
        conclude(n);
    } else if (found && n->awaited && n->timer_over) {
        /* The other family takes long, for ever with some servers. */
        resolver_build_answer(n);
    } else if (found && n->awaited && !ev_is_active(&n->timer)) {
        resolver_set_timer(n, SECOND_FAMILY_MS);
    }
}
