#include "dns_testing.h"

#include "proxy_testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_MESSAGE 65535u

struct rule {
    char name[256];
    unsigned type;
    char *answer;
    unsigned asked;
};

struct held {
    uint8_t query[512];
    size_t len;
    struct sockaddr_in from;
};

struct dns_server {
    int udp, tcp, wake[2];
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    struct rule *rules;   /* also those made by a question that had none */
    size_t nrules;
    struct held held[16];
    size_t nheld;
    unsigned by_tcp;
    unsigned seed; /* of mutations: the same ones in each run */
};

static unsigned type_code(const char *type)
{
    static const struct {
        const char *name;
        unsigned code;
    } types[] = {{"A", 1}, {"CNAME", 5}, {"AAAA", 28}, {"SRV", 33}};
    for (size_t i = 0; i < COUNT(types); i++) {
        if (strcmp(types[i].name, type) == 0) {
            return types[i].code;
        }
    }
    abort();
}

/* ---------------------------------------------------------------- messages */

struct message_out {
    uint8_t bytes[MAX_MESSAGE];
    size_t len;
};

static void put(struct message_out *m, const void *bytes, size_t len)
{
    if (m->len + len > sizeof(m->bytes)) {
        abort();
    }
    memcpy(m->bytes + m->len, bytes, len);
    m->len += len;
}

static void put16(struct message_out *m, unsigned v)
{
    put(m, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_name(struct message_out *m, const char *name)
{
    while (*name != '\0') {
        size_t len = strcspn(name, ".");
        uint8_t octet = (uint8_t)len;
        if (len == 0) {
            break; /* the root */
        }
        put(m, &octet, 1);
        put(m, name, len);
        name += len + (name[len] == '.');
    }
    put(m, "", 1);
}

/* One record "TYPE TTL DATA…"; `owner` moves on with a CNAME. */
static void put_record(struct message_out *m, char *text, char *owner)
{
    char *save, *type = strtok_r(text, " ", &save), *ttl = strtok_r(NULL, " ", &save);
    unsigned long seconds = strtoul(ttl, NULL, 10);
    unsigned code = type_code(type);
    put_name(m, owner);
    put16(m, code);
    put16(m, 1);
    put16(m, (unsigned)(seconds >> 16) & 0xffff);
    put16(m, (unsigned)seconds & 0xffff);
    size_t at = m->len;
    put16(m, 0);
    uint8_t ip[16];
    if (code == 1 || code == 28) {
        if (inet_pton(code == 1 ? AF_INET : AF_INET6, strtok_r(NULL, " ", &save), ip) != 1) {
            abort();
        }
        put(m, ip, code == 1 ? 4 : 16);
    } else if (code == 5) {
        strcpy(owner, strtok_r(NULL, " ", &save));
        put_name(m, owner);
    } else {
        for (int i = 0; i < 3; i++) {
            put16(m, (unsigned)strtoul(strtok_r(NULL, " ", &save), NULL, 10));
        }
        put_name(m, strtok_r(NULL, " ", &save));
    }
    size_t len = m->len - at - 2;
    m->bytes[at] = (uint8_t)(len >> 8);
    m->bytes[at + 1] = (uint8_t)len;
}

/* The answer that `say` describes, to a question of `len` octets (header and question). */
static void answer(struct message_out *m, const uint8_t *query, size_t len, const char *owner,
                   const char *say, bool truncated)
{
    unsigned rcode = 0, count = 0;
    m->len = 0;
    put(m, query, len);
    if (strcmp(say, "NXDOMAIN") == 0) {
        rcode = 3;
    } else if (strcmp(say, "SERVFAIL") == 0) {
        rcode = 2;
    } else if (strcmp(say, "REFUSED") == 0) {
        rcode = 5;
    } else if (strcmp(say, "GARBAGE") == 0) {
        put(m, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\xff\xff\x01", 13);
        count = 7;
    } else if (strcmp(say, "NODATA") != 0 && !truncated) {
        char *copy = strdup(say), *save, name[256];
        strcpy(name, owner);
        for (char *r = strtok_r(copy, ",", &save); r != NULL; r = strtok_r(NULL, ",", &save)) {
            put_record(m, r, name);
            count++;
        }
        free(copy);
    }
    m->bytes[2] = (uint8_t)(0x81 | (truncated ? 2 : 0)); /* QR, TC, RD */
    m->bytes[3] = (uint8_t)(0x80 | rcode);               /* RA */
    m->bytes[6] = (uint8_t)(count >> 8);
    m->bytes[7] = (uint8_t)count;
    memset(m->bytes + 8, 0, 4);
}

/* The question's name and type, and where it ends; false: it is none. */
static bool read_question(const uint8_t *q, size_t len, char *name, unsigned *type, size_t *end)
{
    size_t at = 12, n = 0;
    while (at < len && q[at] != 0) {
        size_t label = q[at];
        if (label > 63 || at + 1 + label >= len || n + label + 2 > 256) {
            return false;
        }
        memcpy(name + n, q + at + 1, label);
        n += label;
        name[n++] = '.';
        at += label + 1;
    }
    if (at + 5 > len) {
        return false;
    }
    name[n > 0 ? n - 1 : 0] = '\0';
    *type = (unsigned)q[at + 1] << 8 | q[at + 2];
    *end = at + 5;
    return true;
}

/* ---------------------------------------------------------------- rules */

static struct rule *find_rule(struct dns_server *s, const char *name, unsigned type)
{
    for (size_t i = 0; i < s->nrules; i++) {
        if (s->rules[i].type == type && strcasecmp(s->rules[i].name, name) == 0) {
            return &s->rules[i];
        }
    }
    return NULL;
}

static struct rule *make_rule(struct dns_server *s, const char *name, unsigned type)
{
    struct rule *r = find_rule(s, name, type);
    if (r == NULL) {
        s->rules = realloc(s->rules, (s->nrules + 1) * sizeof(*s->rules));
        r = &s->rules[s->nrules++];
        *r = (struct rule){.type = type};
        strcpy(r->name, name);
    }
    return r;
}

static const char *rule_answer(struct dns_server *s, const struct rule *r)
{
    if (r->answer != NULL) {
        return r->answer;
    }
    for (size_t i = 0; i < s->nrules; i++) {
        if (s->rules[i].answer != NULL && strcasecmp(s->rules[i].name, r->name) == 0) {
            return "NODATA";
        }
    }
    return "NXDOMAIN";
}

void dns_say(struct dns_server *s, const char *name, const char *type, const char *text)
{
    pthread_mutex_lock(&s->lock);
    struct rule *r = make_rule(s, name, type_code(type));
    free(r->answer);
    r->answer = strdup(text);
    pthread_mutex_unlock(&s->lock);
}

unsigned dns_asked(struct dns_server *s, const char *name, const char *type)
{
    unsigned n = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->nrules; i++) {
        if (strcasecmp(s->rules[i].name, name) == 0 &&
            (type == NULL || s->rules[i].type == type_code(type))) {
            n += s->rules[i].asked;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

unsigned dns_asked_by_tcp(struct dns_server *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned n = s->by_tcp;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* ---------------------------------------------------------------- serving */

/* Mostly behind the question, which ends at `end`: an answer to another one is not looked at. */
static void mutate(struct dns_server *s, struct message_out *m, size_t end)
{
    static const uint8_t favourites[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
    for (unsigned n = 1 + (unsigned)rand_r(&s->seed) % 3; n > 0; n--) {
        size_t from = rand_r(&s->seed) % 4 == 0 || m->len == end ? 2 : end;
        size_t at = from + (unsigned)rand_r(&s->seed) % (m->len - from);
        m->bytes[at] = rand_r(&s->seed) % 2 == 0
                           ? favourites[(unsigned)rand_r(&s->seed) % sizeof(favourites)]
                           : (uint8_t)rand_r(&s->seed);
    }
    if (rand_r(&s->seed) % 4 == 0) {
        m->len -= (unsigned)rand_r(&s->seed) % (m->len - 2);
    }
}

/* False: there is nothing to send. */
static bool serve(struct dns_server *s, struct message_out *m, const uint8_t *query, size_t len,
                  const struct sockaddr_in *udp_from, bool released)
{
    static const char held[] = "HELD ", truncated[] = "TRUNCATED ", mutated[] = "MUTATED ";
    char name[256];
    unsigned type;
    size_t end;
    if (len < 12 || !read_question(query, len, name, &type, &end)) {
        return false;
    }
    struct rule *r = make_rule(s, name, type);
    const char *say = rule_answer(s, r);
    if (!released) {
        r->asked++;
    }
    if (strncmp(say, held, strlen(held)) == 0) {
        if (!released && udp_from != NULL) {
            struct held *h = &s->held[s->nheld++ % COUNT(s->held)];
            memcpy(h->query, query, len);
            h->len = len;
            h->from = *udp_from;
            return false;
        }
        say += strlen(held);
    }
    bool cut = strncmp(say, truncated, strlen(truncated)) == 0;
    if (cut) {
        say += strlen(truncated);
    }
    bool damaged = strncmp(say, mutated, strlen(mutated)) == 0;
    if (damaged) {
        say += strlen(mutated);
    }
    if (strcmp(say, "SILENCE") == 0) {
        return false;
    }
    answer(m, query, end, name, say, cut && udp_from != NULL);
    if (damaged) {
        mutate(s, m, end);
    }
    return true;
}

static void send_udp(struct dns_server *s, const struct message_out *m,
                     const struct sockaddr_in *to)
{
    if (sendto(s->udp, m->bytes, m->len, 0, (const struct sockaddr *)to, sizeof(*to)) < 0) {
        perror("the test's name server");
    }
}

void dns_release(struct dns_server *s)
{
    struct message_out *m = malloc(sizeof(*m));
    pthread_mutex_lock(&s->lock);
    assert_true(s->nheld <= COUNT(s->held));
    for (size_t i = 0; i < s->nheld; i++) {
        struct held *h = &s->held[i];
        if (serve(s, m, h->query, h->len, &h->from, true)) {
            send_udp(s, m, &h->from);
        }
    }
    s->nheld = 0;
    pthread_mutex_unlock(&s->lock);
    free(m);
}

static bool read_all(int fd, uint8_t *to, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(fd, to, len, 0);
        if (n <= 0) {
            return false;
        }
        to += n;
        len -= (size_t)n;
    }
    return true;
}

static void serve_tcp(struct dns_server *s, struct message_out *m)
{
    uint8_t query[512], head[2];
    int fd = accept(s->tcp, NULL, NULL);
    if (fd < 0) {
        return;
    }
    struct timeval patience = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    while (read_all(fd, head, 2)) {
        size_t len = (size_t)head[0] << 8 | head[1];
        if (len > sizeof(query) || !read_all(fd, query, len)) {
            break;
        }
        pthread_mutex_lock(&s->lock);
        s->by_tcp++;
        bool has = serve(s, m, query, len, NULL, false);
        pthread_mutex_unlock(&s->lock);
        if (!has) {
            break;
        }
        head[0] = (uint8_t)(m->len >> 8);
        head[1] = (uint8_t)m->len;
        /* In two pieces: the length need not come with the message. */
        if (send(fd, head, 2, MSG_NOSIGNAL) != 2 ||
            send(fd, m->bytes, m->len, MSG_NOSIGNAL) != (ssize_t)m->len) {
            break;
        }
    }
    close(fd);
}

static void *run(void *arg)
{
    struct dns_server *s = arg;
    struct message_out *m = malloc(sizeof(*m));
    for (;;) {
        struct pollfd fds[] = {{s->wake[0], POLLIN, 0}, {s->udp, POLLIN, 0}, {s->tcp, POLLIN, 0}};
        if (poll(fds, COUNT(fds), -1) < 0) {
            continue;
        }
        if (fds[0].revents != 0) {
            break;
        }
        if (fds[1].revents != 0) {
            uint8_t query[512];
            struct sockaddr_in from;
            socklen_t size = sizeof(from);
            ssize_t n = recvfrom(s->udp, query, sizeof(query), 0, (struct sockaddr *)&from, &size);
            pthread_mutex_lock(&s->lock);
            if (n > 0 && serve(s, m, query, (size_t)n, &from, false)) {
                send_udp(s, m, &from);
            }
            pthread_mutex_unlock(&s->lock);
        }
        if (fds[2].revents != 0) {
            serve_tcp(s, m);
        }
    }
    free(m);
    return NULL;
}

struct dns_server *dns_server_start(void)
{
    struct dns_server *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    for (unsigned attempt = 0; s->port == 0; attempt++) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(in);
        assert_true(attempt < 100);
        s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(s->udp, (struct sockaddr *)&in, size), 0);
        assert_int_equal(getsockname(s->udp, (struct sockaddr *)&in, &size), 0);
        if (bind(s->tcp, (struct sockaddr *)&in, size) == 0 && listen(s->tcp, 16) == 0) {
            s->port = ntohs(in.sin_port);
        } else {
            close(s->udp);
            close(s->tcp);
        }
    }
    pthread_mutex_init(&s->lock, NULL);
    assert_int_equal(pipe(s->wake), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
    return s;
}

void dns_server_stop(struct dns_server *s)
{
    close(s->wake[1]);
    pthread_join(s->thread, NULL);
    close(s->wake[0]);
    close(s->udp);
    close(s->tcp);
    for (size_t i = 0; i < s->nrules; i++) {
        free(s->rules[i].answer);
    }
    free(s->rules);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

uint16_t dns_server_port(const struct dns_server *s)
{
    return s->port;
}
