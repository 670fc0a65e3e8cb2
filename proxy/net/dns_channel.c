/*
 * c-ares on libev: its sockets are ev_io watchers, its next time-out an ev_timer. c-ares chooses
 * identifiers, checks that an answer belongs to its question and comes from the server asked,
 * repeats, goes on to the next server, and asks by TCP what came truncated.
 */
#include "net/dns_channel.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "net/block.h"
#include "net/dns_files.h"
#include "net/list.h"
#include "ops/log.h"

struct dns_channel {
    ares_channel ares;
    struct ev_loop *loop;
    ev_timer timeout;
    struct list socks; /* struct sock */
    char **domains;    /* NULL behind the last */
    unsigned ndots;
};

struct sock {
    ev_io io;
    struct list node;
    struct dns_channel *channel;
};

struct query {
    enum dns_type type;
    dns_reply_fn *fn;
    void *arg;
};

/* ---------------------------------------------------------------- the loop */

/* c-ares may have sent, or given up, something: its next time-out is another. */
static void arm_timeout(struct dns_channel *c)
{
    struct timeval tv;
    ev_timer_stop(c->loop, &c->timeout);
    if (ares_timeout(c->ares, NULL, &tv) != NULL) {
        ev_now_update(c->loop); /* or it would be too early by as long as this turn took */
        ev_timer_set(&c->timeout, (double)tv.tv_sec + (double)tv.tv_usec * 1e-6, 0.);
        ev_timer_start(c->loop, &c->timeout);
    }
}

static void on_timeout(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct dns_channel *c = container_of(t, struct dns_channel, timeout);
    ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timeout(c);
}

static void on_socket(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop;
    struct sock *s = container_of(io, struct sock, io);
    struct dns_channel *c = s->channel; /* the socket may be closed by what follows */
    int fd = io->fd;
    ares_process_fd(c->ares, revents & EV_READ ? fd : ARES_SOCKET_BAD,
                    revents & EV_WRITE ? fd : ARES_SOCKET_BAD);
    arm_timeout(c);
}

static void close_sock(struct dns_channel *c, struct sock *s)
{
    ev_io_stop(c->loop, &s->io);
    list_remove(&s->node);
    free(s);
}

static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct dns_channel *c = data;
    struct sock *s = NULL;
    list_each(node, &c->socks)
    {
        struct sock *other = container_of(node, struct sock, node);
        if (other->io.fd == fd) {
            s = other;
            break;
        }
    }
    if (!readable && !writable) {
        if (s != NULL) {
            close_sock(c, s);
        }
        return;
    }
    if (s == NULL) {
        s = xcalloc(1, sizeof(*s));
        s->channel = c;
        list_append(&c->socks, &s->node);
        ev_init(&s->io, on_socket);
    }
    ev_io_stop(c->loop, &s->io);
    ev_io_set(&s->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(c->loop, &s->io);
}

/* ---------------------------------------------------------------- answers */

void dns_records_free(struct dns_record *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(records[i].target);
    }
    free(records);
}

static unsigned read16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* Behind a name of a message (RFC 1035, 4.1.4); NULL: it does not end. */
static const uint8_t *skip_name(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        unsigned len = *p;
        if ((len & 0xc0) == 0xc0) {
            return end - p >= 2 ? p + 2 : NULL;
        }
        if (len >= (size_t)(end - p)) {
            return NULL;
        }
        p += len + 1;
        if (len == 0) {
            return p;
        }
    }
    return NULL;
}

/* The least TTL of the answer section. c-ares says it for addresses only, not for SRV. */
static uint32_t least_ttl(const uint8_t *msg, size_t len)
{
    uint32_t least = UINT32_MAX;
    if (len < NS_HFIXEDSZ) {
        return 0;
    }
    const uint8_t *p = msg + NS_HFIXEDSZ, *end = msg + len;
    for (unsigned n = read16(msg + 4); n > 0; n--) {
        p = skip_name(p, end);
        if (p == NULL || end - p < NS_QFIXEDSZ) {
            return 0;
        }
        p += NS_QFIXEDSZ;
    }
    for (unsigned n = read16(msg + 6); n > 0; n--) {
        p = skip_name(p, end);
        if (p == NULL || end - p < NS_RRFIXEDSZ) {
            return 0;
        }
        uint32_t ttl = (uint32_t)read16(p + 4) << 16 | read16(p + 6);
        if (ttl > INT32_MAX) {
            ttl = 0; /* RFC 2181, 8 */
        }
        least = ttl < least ? ttl : least;
        size_t data = read16(p + 8);
        p += NS_RRFIXEDSZ;
        if ((size_t)(end - p) < data) {
            return 0;
        }
        p += data;
    }
    return least == UINT32_MAX ? 0 : least;
}

static int parse_a(const uint8_t *msg, int len, struct dns_reply *r)
{
    struct ares_addrttl found[DNS_MAX_RECORDS];
    int n = (int)DNS_MAX_RECORDS;
    int rc = ares_parse_a_reply(msg, len, NULL, found, &n);
    if (rc == ARES_SUCCESS && n > 0) {
        r->n = (size_t)n;
        r->records = xcalloc(r->n, sizeof(*r->records));
        for (size_t i = 0; i < r->n; i++) {
            memcpy(r->records[i].addr, &found[i].ipaddr, 4);
        }
    }
    return rc;
}

static int parse_aaaa(const uint8_t *msg, int len, struct dns_reply *r)
{
    struct ares_addr6ttl found[DNS_MAX_RECORDS];
    int n = (int)DNS_MAX_RECORDS;
    int rc = ares_parse_aaaa_reply(msg, len, NULL, found, &n);
    if (rc == ARES_SUCCESS && n > 0) {
        r->n = (size_t)n;
        r->records = xcalloc(r->n, sizeof(*r->records));
        for (size_t i = 0; i < r->n; i++) {
            memcpy(r->records[i].addr, &found[i].ip6addr, 16);
        }
    }
    return rc;
}

static int parse_srv(const uint8_t *msg, int len, struct dns_reply *r)
{
    struct ares_srv_reply *found = NULL;
    int rc = ares_parse_srv_reply(msg, len, &found);
    if (rc != ARES_SUCCESS) {
        return rc;
    }
    size_t n = 0;
    for (const struct ares_srv_reply *s = found; s != NULL && n < DNS_MAX_RECORDS; s = s->next) {
        n++;
    }
    if (n == 0) { /* success all the same: there was a CNAME, or something else */
        ares_free_data(found);
        return ARES_ENODATA;
    }
    r->n = n;
    r->records = xcalloc(n, sizeof(*r->records));
    const struct ares_srv_reply *s = found;
    for (size_t i = 0; i < n; i++, s = s->next) {
        r->records[i] =
            (struct dns_record){.priority = s->priority, .weight = s->weight, .port = s->port};
        size_t size = strlen(s->host) + 1;
        r->records[i].target = memcpy(xmalloc(size), s->host, size);
    }
    ares_free_data(found);
    return rc;
}

static int parse(enum dns_type type, const uint8_t *msg, int len, struct dns_reply *r)
{
    switch (type) {
    case DNS_A:
        return parse_a(msg, len, r);
    case DNS_AAAA:
        return parse_aaaa(msg, len, r);
    case DNS_SRV:
        return parse_srv(msg, len, r);
    }
    return ARES_EBADQUERY;
}

static enum dns_outcome outcome_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return DNS_FOUND;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME: /* a label too long, an empty one: nobody can have it */
        return DNS_NO_NAME;
    case ARES_ENODATA:
        return DNS_NO_DATA;
    default:
        return DNS_FAILED;
    }
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *msg, int len)
{
    (void)timeouts;
    struct query *q = arg;
    struct dns_reply reply = {0};
    if (status == ARES_SUCCESS) {
        status = parse(q->type, msg, len, &reply);
    }
    reply.outcome = outcome_of(status);
    if (reply.outcome == DNS_FOUND && reply.n == 0) {
        dns_records_free(reply.records, 0);
        reply.records = NULL;
        reply.outcome = DNS_NO_DATA;
    }
    if (reply.outcome == DNS_FOUND) {
        reply.ttl = least_ttl(msg, (size_t)len);
    } else if (reply.outcome == DNS_FAILED) {
        /* A server that says SERVFAIL, NOTIMP or REFUSED is the same as none to c-ares. */
        reply.why =
            status == ARES_ECONNREFUSED ? "no name server is of use" : ares_strerror(status);
    }
    q->fn(q->arg, &reply);
    free(q);
}

void dns_channel_ask(struct dns_channel *c, const char *name, enum dns_type type, dns_reply_fn *fn,
                     void *arg)
{
    struct query *q = xcalloc(1, sizeof(*q));
    *q = (struct query){.type = type, .fn = fn, .arg = arg};
    ares_query(c->ares, name, ns_c_in, (int)type, on_answer, q);
    arm_timeout(c);
}

/* ---------------------------------------------------------------- beginning and end */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void begin_library(void)
{
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        abort(); /* no memory */
    }
}

/* c-ares 1.18 does not read ports in resolv.conf, and would take 127.0.0.1 when a line is not
 * understood: the name servers are read by us. */
static bool set_servers(struct dns_channel *c, const char *path)
{
    struct dns_address found[DNS_FILE_MAX];
    struct ares_addr_port_node nodes[DNS_FILE_MAX] = {0};
    size_t n;
    unsigned line;
    switch (dns_servers_read(path, found, &n, &line)) {
    case DNS_SERVERS_OK:
        break;
    case DNS_SERVERS_UNREADABLE:
        LOG(ERROR, "dns: %s: %s", path, strerror(errno));
        return false;
    case DNS_SERVERS_NONE:
        LOG(ERROR, "dns: %s: no name server is named", path);
        return false;
    case DNS_SERVERS_BAD:
        LOG(ERROR,
            "dns: %s:%u: expected \"nameserver ADDRESS\", \"nameserver IPV4:PORT\" or "
            "\"nameserver [IPV6]:PORT\"",
            path, line);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        nodes[i].family = found[i].family;
        memcpy(&nodes[i].addr, found[i].octets, found[i].family == AF_INET ? 4 : 16);
        nodes[i].udp_port = nodes[i].tcp_port = found[i].port;
        nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
    }
    if (ares_set_servers_ports(c->ares, nodes) != ARES_SUCCESS) {
        abort(); /* no memory */
    }
    return true;
}

static void read_search_list(struct dns_channel *c)
{
    struct ares_options o = {0};
    int mask;
    if (ares_save_options(c->ares, &o, &mask) != ARES_SUCCESS) {
        abort(); /* no memory */
    }
    size_t n = o.ndomains > 0 ? (size_t)o.ndomains : 0;
    c->domains = xcalloc(n + 1, sizeof(*c->domains));
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(o.domains[i]) + 1;
        c->domains[i] = memcpy(xmalloc(size), o.domains[i], size);
    }
    c->ndots = o.ndots >= 0 ? (unsigned)o.ndots : 1;
    ares_destroy_options(&o);
}

struct dns_channel *dns_channel_new(const struct dns_channel_options *opts)
{
    assert(opts->tries > 0 && opts->timeout_ms > 0);
    pthread_once(&library_once, begin_library);
    struct dns_channel *c = xcalloc(1, sizeof(*c));
    c->loop = opts->loop;
    list_init(&c->socks);
    ev_timer_init(&c->timeout, on_timeout, 0., 0.);
    struct ares_options o = {.timeout = (int)opts->timeout_ms,
                             .tries = (int)opts->tries,
                             .sock_state_cb = on_socket_state,
                             .sock_state_cb_data = c};
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    char *path = NULL; /* c-ares wants one that it could write to */
    if (opts->resolv_conf != NULL) {
        size_t size = strlen(opts->resolv_conf) + 1;
        o.resolvconf_path = path = memcpy(xmalloc(size), opts->resolv_conf, size);
        mask |= ARES_OPT_RESOLVCONF;
    }
    int rc = ares_init_options(&c->ares, &o, mask);
    free(path);
    if (rc != ARES_SUCCESS) {
        LOG(ERROR, "dns: c-ares does not start: %s", ares_strerror(rc));
        free(c);
        return NULL;
    }
    if (opts->resolv_conf != NULL && !set_servers(c, opts->resolv_conf)) {
        dns_channel_free(c);
        return NULL;
    }
    read_search_list(c);
    return c;
}

void dns_channel_free(struct dns_channel *c)
{
    if (c == NULL) {
        return;
    }
    ares_destroy(c->ares); /* calls on_answer for what is under way, and closes its sockets */
    while (!list_empty(&c->socks)) {
        close_sock(c, container_of(c->socks.next, struct sock, node));
    }
    ev_timer_stop(c->loop, &c->timeout);
    for (size_t i = 0; c->domains != NULL && c->domains[i] != NULL; i++) {
        free(c->domains[i]);
    }
    free(c->domains);
    free(c);
}

const char *dns_channel_domain(const struct dns_channel *c, unsigned i)
{
    /* The list ends with NULL, and is asked in order. */
    return c->domains[i];
}

unsigned dns_channel_ndots(const struct dns_channel *c)
{
    return c->ndots;
}
