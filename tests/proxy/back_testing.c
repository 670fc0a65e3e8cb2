#include "back_testing.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "conn_testing.h"
#include "net/clock.h"
#include "route/targets.h"

/* ---------------------------------------------------------------- peers */

static void take_event(struct peer *p, const struct h2_event *ev)
{
    if (ev->type == H2_EVENT_REQUEST) {
        assert_true(p->nstreams < STAGE_MOST);
        p->streams[p->nstreams++] = ev->stream_id;
    }
    p->resets += ev->type == H2_EVENT_RESET && ev->by_peer;
    p->pings += ev->type == H2_EVENT_PING;
}

void peer_send(struct peer *p, const void *data, size_t len)
{
    assert_int_equal(send(p->fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

void peer_say(struct peer *p, const char *text)
{
    peer_send(p, text, strlen(text));
}

void peer_flush(struct peer *p)
{
    uint8_t buf[4096];
    size_t n;
    p->speaks = true;
    while ((n = h2_conn_send(p->engine, buf, sizeof(buf))) > 0) {
        peer_send(p, buf, n);
    }
}

static void take(struct peer *p, const uint8_t *data, size_t len)
{
    struct h2_event ev;
    p->seen = realloc(p->seen, p->nseen + len + 1);
    assert_non_null(p->seen);
    memcpy(p->seen + p->nseen, data, len);
    p->nseen += len;
    p->seen[p->nseen] = '\0';
    if (p->engine != NULL) {
        h2_conn_feed(p->engine, data, len);
        while (h2_conn_next_event(p->engine, clock_ms(), &ev)) {
            take_event(p, &ev);
        }
        if (p->speaks) {
            peer_flush(p);
        }
    }
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)revents;
    struct peer *p = io->data;
    uint8_t buf[65536];
    ssize_t n = recv(p->fd, buf, sizeof(buf), 0);
    if (n > 0) {
        take(p, buf, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        p->gone = true;
        ev_io_stop(loop, io);
    }
}

static void on_connection(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)revents;
    struct stage *s = io->data;
    int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    assert_true(s->npeers < COUNT(s->peers));
    struct peer *p = s->peers[s->npeers++] = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->stage = s;
    p->fd = fd;
    p->server = (size_t)(io - s->ios);
    if (s->h2) {
        p->engine = h2_conn_new(H2_SERVER, &s->h2_options);
        assert_non_null(p->engine);
    }
    ev_io_init(&p->io, on_readable, fd, EV_READ);
    p->io.data = p;
    ev_io_start(loop, &p->io);
}

void peer_answer(struct peer *p, size_t i)
{
    static const struct h2_field status = {.name = ":status",
                                           .name_len = 7,
                                           .value = "200",
                                           .value_len = 3,
                                           .token = H2_TOKEN_PSEUDO_STATUS};
    assert_true(i < p->nstreams);
    assert_int_equal(h2_conn_respond(p->engine, p->streams[i], &status, 1, true), H2_OK);
    peer_flush(p);
}

void peer_close(struct peer *p)
{
    ev_io_stop(p->stage->rig.worker->loop, &p->io);
    if (p->fd >= 0) {
        close(p->fd);
    }
    p->fd = -1;
}

/* ---------------------------------------------------------------- the stage */

static int listen_at(struct stage *s, size_t i, bool is_unix, char *address, size_t cap)
{
    if (!is_unix) {
        struct sockaddr_in in;
        int fd = testing_listener(&in);
        snprintf(address, cap, "127.0.0.1,%u", ntohs(in.sin_port));
        return fd;
    }
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(s->paths[i], sizeof(s->paths[i]), "%s/s%zu", testing_folder(), i);
    assert_true(strlen(s->paths[i]) < sizeof(un.sun_path));
    memcpy(un.sun_path, s->paths[i], strlen(s->paths[i]));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(fd, 8), 0);
    snprintf(address, cap, "unix:%s", s->paths[i]);
    return fd;
}

void stage_open(struct stage *s, size_t nservers, const char *params, const char *options,
                bool is_unix)
{
    char text[1500], address[200];
    size_t used = (size_t)snprintf(text, sizeof(text), "%s", options);
    *s = (struct stage){.nservers = nservers, .h2 = strstr(params, "proto=h2") != NULL};
    h2_options_init(&s->h2_options);
    for (size_t i = 0; i < nservers; i++) {
        s->listeners[i] = listen_at(s, i, is_unix, address, sizeof(address));
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%sbackend=%s;%s",
                                 used > 0 ? "\n" : "", address, params);
    }
    rig_open(&s->rig, text);
    client_info_init(&s->rig.client);
    for (size_t i = 0; i < nservers; i++) {
        ev_io_init(&s->ios[i], on_connection, s->listeners[i], EV_READ);
        s->ios[i].data = s;
        ev_io_start(s->rig.worker->loop, &s->ios[i]);
    }
}

void stage_close(struct stage *s)
{
    for (size_t i = 0; i < s->nx; i++) {
        stage_end(s, i);
    }
    for (size_t i = 0; i < s->npeers; i++) {
        peer_close(s->peers[i]);
        h2_conn_free(s->peers[i]->engine);
        free(s->peers[i]->seen);
        free(s->peers[i]);
    }
    for (size_t i = 0; i < s->nservers; i++) {
        ev_io_stop(s->rig.worker->loop, &s->ios[i]);
        close(s->listeners[i]);
        unlink(s->paths[i]);
    }
    rig_close(&s->rig);
}

struct pool *stage_pool(struct stage *s, size_t server)
{
    return rig_pool(&s->rig, server);
}

struct exchange *stage_request(struct stage *s, const char *text)
{
    assert_true(s->nx < STAGE_MOST);
    struct exchange *x = s->x[s->nx] = rig_exchange(&s->rig, &s->told[s->nx]);
    s->nx++;
    testing_request(x, strstr(text, "HTTP/1.1") != NULL ? 11 : 20, text);
    x->up.ended = !x->request.m.has_body;
    exchange_begin(x);
    return x;
}

void stage_end(struct stage *s, size_t i)
{
    if (s->x[i] != NULL) {
        exchange_end(s->x[i], EXCHANGE_OK);
        s->x[i] = NULL;
    }
}

/* ---------------------------------------------------------------- waiting */

static bool has_come(const void *ctx)
{
    const struct stage *s = ctx;
    return s->npeers > s->ntaken;
}

struct peer *stage_accept(struct stage *s)
{
    rig_until(&s->rig, has_come, s);
    return s->peers[s->ntaken++];
}

static bool has_failed(const void *ctx)
{
    return ((const struct told *)ctx)->aborts > 0;
}

void stage_until_failed(struct stage *s, size_t i)
{
    rig_until(&s->rig, has_failed, &s->told[i]);
}

static bool has_head(const void *ctx)
{
    return ((const struct told *)ctx)->heads > 0;
}

void stage_until_head(struct stage *s, size_t i)
{
    rig_until(&s->rig, has_head, &s->told[i]);
}

static bool is_done(const void *ctx)
{
    return ((const struct exchange *)ctx)->down.ended;
}

void stage_until_done(struct stage *s, size_t i)
{
    rig_until(&s->rig, is_done, s->x[i]);
}

static bool is_gone(const void *ctx)
{
    return ((const struct peer *)ctx)->gone;
}

void peer_until_gone(struct peer *p)
{
    rig_until(&p->stage->rig, is_gone, p);
}

struct so_many {
    const struct peer *p;
    const struct pool *pool;
    size_t n;
};

static bool has_requests(const void *ctx)
{
    const struct so_many *w = ctx;
    size_t n = 0;
    for (const char *at = w->p->seen; at != NULL && (at = strstr(at, "\r\n\r\n")) != NULL; at++) {
        n++;
    }
    assert_true(n <= w->n);
    return n == w->n;
}

void peer_until_requests(struct peer *p, size_t n)
{
    rig_until(&p->stage->rig, has_requests, &(struct so_many){.p = p, .n = n});
}

struct seen {
    const struct peer *p;
    const char *text;
};

static bool has_seen(const void *ctx)
{
    const struct seen *w = ctx;
    return w->p->seen != NULL && strstr(w->p->seen, w->text) != NULL;
}

void peer_until_seen(struct peer *p, const char *text)
{
    rig_until(&p->stage->rig, has_seen, &(struct seen){p, text});
}

static bool has_streams(const void *ctx)
{
    const struct so_many *w = ctx;
    return w->p->nstreams == w->n;
}

void peer_until_streams(struct peer *p, size_t n)
{
    rig_until(&p->stage->rig, has_streams, &(struct so_many){.p = p, .n = n});
}

static bool has_resets(const void *ctx)
{
    const struct so_many *w = ctx;
    return w->p->resets == w->n;
}

void peer_until_resets(struct peer *p, unsigned n)
{
    rig_until(&p->stage->rig, has_resets, &(struct so_many){.p = p, .n = n});
}

static bool has_pings(const void *ctx)
{
    const struct so_many *w = ctx;
    return w->p->pings == w->n;
}

void peer_until_pings(struct peer *p, unsigned n)
{
    rig_until(&p->stage->rig, has_pings, &(struct so_many){.p = p, .n = n});
}

static bool has_conns(const void *ctx)
{
    const struct so_many *w = ctx;
    return w->pool->nconns == w->n;
}

void stage_until_conns(struct stage *s, size_t server, uint32_t n)
{
    rig_until(&s->rig, has_conns, &(struct so_many){.pool = stage_pool(s, server), .n = n});
}
