#include "resolver_testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "net/clock.h"
#include "ops/log.h"

struct ev_loop *loop;
struct dns_server *server;
struct resolver *resolver;
static char log_text[65536];
static bool in_call; /* of the interface: nobody may be told */

/* ---------------------------------------------------------------- the setting */

void write_file(const char *path, const char *text)
{
    /* Another file each time, so that a change is one whatever the clock says. */
    char fresh[160];
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *f = fopen(fresh, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename(fresh, path), 0);
}

const char *path_of(const char *file)
{
    static char path[8][128]; /* a few are in use at a time */
    static unsigned turn;
    turn = (turn + 1) % COUNT(path);
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", testing_folder(), file);
    return path[turn];
}

static void on_log(enum cfg_log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level >= CFG_LOG_NOTICE && strlen(log_text) + strlen(text) + 2 < sizeof(log_text)) {
        strcat(strcat(log_text, text), "\n");
    }
}

void catch_log(bool on)
{
    log_text[0] = '\0';
    log_divert(on ? on_log : NULL, NULL);
}

unsigned logged(const char *words)
{
    unsigned n = 0;
    for (const char *p = log_text; (p = strstr(p, words)) != NULL; p++) {
        n++;
    }
    return n;
}

void begin_with(struct resolver_options o, const char *first, const char *more)
{
    char conf[512];
    loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    server = dns_server_start();
    snprintf(conf, sizeof(conf), "%snameserver 127.0.0.1:%u\n%s", first, dns_server_port(server),
             more);
    write_file(path_of("resolv.conf"), conf);
    if (o.hosts == NULL) {
        o.hosts = "/nonexistent";
    }
    o.loop = loop;
    o.resolv_conf = path_of("resolv.conf");
    o.max_try = o.max_try > 0 ? o.max_try : 2;
    o.cache_timeout = o.cache_timeout > 0 ? o.cache_timeout : 10000;
    catch_log(true);
    resolver = resolver_new(&o);
    assert_non_null(resolver);
}

void begin(struct resolver_options o)
{
    begin_with(o, "", "search\n");
}

void end(void)
{
    resolver_free(resolver);
    ev_loop_destroy(loop);
    dns_server_stop(server);
    catch_log(false);
}

/* ---------------------------------------------------------------- who is told */

static void on_told(void *arg, const struct resolver_answer *a)
{
    struct user *u = arg;
    assert_false(in_call);
    u->calls++;
    u->status = a->status;
    u->text[0] = '\0';
    assert_int_equal(a->n > 0, a->status == RESOLVER_FOUND);
    for (size_t i = 0, used = 0; i < a->n; i++) {
        char ip[INET6_ADDRSTRLEN];
        const struct sockaddr_in *in = (const void *)&a->addrs[i].addr;
        const struct sockaddr_in6 *in6 = (const void *)&a->addrs[i].addr;
        bool v4 = a->addrs[i].addr.ss_family == AF_INET;
        assert_int_equal(a->addrs[i].len, v4 ? sizeof(*in) : sizeof(*in6));
        inet_ntop(a->addrs[i].addr.ss_family, v4 ? (const void *)&in->sin_addr : &in6->sin6_addr,
                  ip, sizeof(ip));
        used += (size_t)snprintf(u->text + used, sizeof(u->text) - used, "%s%s %u",
                                 i > 0 ? ", " : "", ip, ntohs(v4 ? in->sin_port : in6->sin6_port));
        if (a->addrs[i].priority > 0 || a->addrs[i].weight > 0) {
            used += (size_t)snprintf(u->text + used, sizeof(u->text) - used, " %u/%u",
                                     a->addrs[i].priority, a->addrs[i].weight);
        }
    }
    if (u->drop != NULL) {
        resolver_unwatch(u->drop->watch);
        u->drop->watch = NULL;
        u->drop = NULL;
    }
    if (u->watch_name != NULL) {
        const char *name = u->watch_name;
        u->watch_name = NULL;
        in_call = true;
        u->other->watch =
            resolver_watch(resolver, name, 80, RESOLVER_ADDRESS, AF_UNSPEC, on_told, u->other);
        in_call = false;
    }
}

void watch_as(struct user *u, const char *name, uint16_t port, enum resolver_kind kind, int family)
{
    u->calls = 0;
    in_call = true;
    u->watch = resolver_watch(resolver, name, port, kind, family, on_told, u);
    in_call = false;
}

void watch(struct user *u, const char *name)
{
    *u = (struct user){0};
    watch_as(u, name, 80, RESOLVER_ADDRESS, AF_UNSPEC);
}

void watch_srv(struct user *u, const char *name)
{
    *u = (struct user){0};
    watch_as(u, name, 0, RESOLVER_SRV, AF_UNSPEC);
}

void drop(struct user *u)
{
    resolver_unwatch(u->watch);
    u->watch = NULL;
}

enum resolver_state touch(struct user *u)
{
    in_call = true;
    enum resolver_state state = resolver_touch(u->watch);
    in_call = false;
    return state;
}

static void on_tick(struct ev_loop *l, ev_timer *t, int revents)
{
    (void)l, (void)t, (void)revents;
}

static ev_timer tick;

uint64_t wait_begin(void)
{
    ev_timer_init(&tick, on_tick, 0.005, 0.005);
    ev_timer_start(loop, &tick);
    return clock_ms() + 10000;
}

void wait_turn(uint64_t deadline, const char *what)
{
    if (clock_ms() > deadline) {
        fail_msg("waited in vain for %s", what);
    }
    ev_run(loop, EVRUN_ONCE);
}

void wait_end(void)
{
    ev_timer_stop(loop, &tick);
}

void expect(struct user *u, const char *text)
{
    assert_int_equal(u->status, RESOLVER_FOUND);
    assert_string_equal(u->text, text);
}
