/*
 * Watches names by a worker's resolver and prints what it is told, for integration/test_dns.py:
 *
 *   name_watcher RESOLV_CONF HOSTS CACHE_TIMEOUT_MS LOOKUP_TIMEOUT_MS [srv:]NAME…
 *
 * A line for each call: the name, then "found" with the addresses ("IP PORT PRIORITY WEIGHT",
 * comma between), "not found" or "away". The names are in use until standard input ends, which ends
 * the program.
 */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct resolver_watch **watches;
static int nwatches;

static void on_told(void *user, const struct resolver_answer *a)
{
    static const char *const words[] = {
        [RESOLVER_FOUND] = "found", [RESOLVER_NOT_FOUND] = "not found", [RESOLVER_AWAY] = "away"};
    printf("%s %s", (const char *)user, words[a->status]);
    for (size_t i = 0; i < a->n; i++) {
        const struct sockaddr_in *in = (const void *)&a->addrs[i].addr;
        const struct sockaddr_in6 *in6 = (const void *)&a->addrs[i].addr;
        bool v4 = a->addrs[i].addr.ss_family == AF_INET;
        char ip[INET6_ADDRSTRLEN];
        inet_ntop(a->addrs[i].addr.ss_family, v4 ? (const void *)&in->sin_addr : &in6->sin6_addr,
                  ip, sizeof(ip));
        printf("%s%s %u %u %u", i > 0 ? "," : " ", ip, ntohs(v4 ? in->sin_port : in6->sin6_port),
               a->addrs[i].priority, a->addrs[i].weight);
    }
    putchar('\n');
    fflush(stdout);
}

static void on_use(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop, (void)t, (void)revents;
    for (int i = 0; i < nwatches; i++) {
        resolver_touch(watches[i]);
    }
}

static void on_stdin(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)revents;
    char buf[64];
    if (read(io->fd, buf, sizeof(buf)) <= 0) {
        ev_break(loop, EVBREAK_ALL);
    }
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: %s RESOLV_CONF HOSTS CACHE_TIMEOUT_MS LOOKUP_TIMEOUT_MS NAME...\n",
                argv[0]);
        return 2;
    }
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct resolver_options o = {.loop = loop,
                                 .resolv_conf = argv[1],
                                 .hosts = argv[2],
                                 .cache_timeout = strtoul(argv[3], NULL, 10),
                                 .lookup_timeout = strtoul(argv[4], NULL, 10),
                                 .max_try = 3};
    struct resolver *r = resolver_new(&o);
    if (r == NULL) {
        return 1;
    }
    nwatches = argc - 5;
    watches = calloc((size_t)nwatches, sizeof(struct resolver_watch *));
    for (int i = 0; i < nwatches; i++) {
        char *name = argv[5 + i];
        bool srv = strncmp(name, "srv:", 4) == 0;
        watches[i] =
            resolver_watch(r, srv ? name + 4 : name, 80, srv ? RESOLVER_SRV : RESOLVER_ADDRESS,
                           AF_UNSPEC, on_told, name);
    }
    ev_timer use;
    ev_timer_init(&use, on_use, 0.1, 0.1);
    ev_timer_start(loop, &use);
    ev_io in;
    ev_io_init(&in, on_stdin, STDIN_FILENO, EV_READ);
    ev_io_start(loop, &in);
    ev_run(loop, 0);
    for (int i = 0; i < nwatches; i++) {
        resolver_unwatch(watches[i]);
    }
    free(watches);
    resolver_free(r);
    ev_loop_destroy(loop);
    return 0;
}
