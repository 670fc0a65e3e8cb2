/* A worker: its loop, the end of its turns, and its end. */
#include "process/worker.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "back/back.h"
#include "config.h"
#include "front/front.h"
#include "net/listener.h"
#include "net/resolver.h"
#include "net/sockets.h"
#include "ops/log.h"
#include "route/routes.h"
#include "route/targets.h"
#include "tls/tls.h"

/* ---------------------------------------------------------------- the turn */

static void run_reaper(struct worker *w)
{
    struct list *node;
    while ((node = list_shift(&w->reap)) != NULL) {
        struct reap *r = container_of(node, struct reap, node);
        r->free(r);
    }
}

/* Everybody is served, and what was said has been handed to the kernel. */
static bool is_done(const struct worker *w)
{
    if (!w->draining || w->nfronts > 0 || !list_empty(&w->listeners)) {
        return false;
    }
    list_each(node, &w->conns)
    {
        if (container_of(node, struct conn, node)->state == CONN_FINISHING) {
            return false;
        }
    }
    return true;
}

/*
 * Writing makes room in pipes, which lets connections read on, which fills pipes: round and round
 * until nobody has anything left. It ends, since no round takes anything from the kernel's sockets:
 * that is done by events only.
 */
static void end_turn(struct worker *w)
{
    while (!list_empty(&w->dirty) || !list_empty(&w->resuming) || !list_empty(&w->freed)) {
        targets_serve_waiting(w);
        struct list *node = list_shift(&w->resuming);
        if (node != NULL) {
            conn_run_resumed(container_of(node, struct conn, resume_node));
            continue;
        }
        node = list_shift(&w->dirty);
        if (node != NULL) {
            conn_flush(container_of(node, struct conn, dirty_node));
        }
    }
    access_log_flush(&w->access_log);
    run_reaper(w);
}

static void on_end_of_turn(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
    (void)revents;
    struct worker *w = container_of(prepare, struct worker, end_of_turn);
    end_turn(w);
    w->turn++;
    if (is_done(w)) {
        ev_break(loop, EVBREAK_ALL);
    }
}

/* ---------------------------------------------------------------- rest */

/* What a burst needed is given back to the system when nobody has come for this long. */
#define REST_MS 300u

static void on_rest(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, rest);
    if (w->nfronts == 0) {
        block_pool_trim(&w->blocks);
        buffer_free(&w->spare);
        malloc_trim(0);
    }
}

void worker_front_gone(struct worker *w)
{
    assert(w->nfronts > 0);
    w->nfronts--;
    if (w->nfronts == 0) {
        timer_set(&w->wheel, &w->rest, REST_MS);
    }
}

/* ---------------------------------------------------------------- commands */

static void drain(struct worker *w, bool serve_waiting)
{
    if (w->draining) {
        return;
    }
    listener_close_all(w, serve_waiting);
    w->draining = true;
    list_each_safe(node, &w->fronts)
    {
        struct front *f = container_of(node, struct front, node);
        f->proto->drain(f);
    }
    list_each_safe(node, &w->pools)
    {
        pool_close_idle(container_of(node, struct pool, node));
    }
}

static void install_routes(struct worker *w)
{
    struct routes *routes = atomic_exchange(&w->next_routes, NULL);
    if (routes != NULL) {
        targets_install(w, routes);
        routes_unref(routes);
    }
}

/* Another worker has freed something, or wants something. */
static void look(struct worker *w)
{
    bool wanted = worker_others_wait(w);
    list_each_safe(node, &w->pools)
    {
        struct pool *p = container_of(node, struct pool, node);
        pool_freed(p);
        if (wanted) {
            pool_yield(p);
        }
    }
}

static void on_wake(struct ev_loop *loop, ev_async *async, int revents)
{
    (void)revents;
    struct worker *w = container_of(async, struct worker, wake);
    unsigned commands = atomic_exchange(&w->commands, 0);
    if ((commands & WORKER_ROUTES) != 0) {
        install_routes(w);
    }
    if ((commands & WORKER_STOP) != 0) {
        listener_close_all(w, true);
        w->draining = true;
        ev_break(loop, EVBREAK_ALL);
    } else if ((commands & (WORKER_DRAIN | WORKER_HAND_OVER)) != 0) {
        drain(w, (commands & WORKER_DRAIN) != 0);
    }
    if ((commands & WORKER_LOOK) != 0) {
        look(w);
    }
}

void worker_post(struct worker *w, enum worker_command cmd)
{
    atomic_fetch_or(&w->commands, (unsigned)cmd);
    ev_async_send(w->loop, &w->wake);
}

void worker_set_routes(struct worker *w, struct routes *routes)
{
    routes_unref(atomic_exchange(&w->next_routes, routes_ref(routes)));
    worker_post(w, WORKER_ROUTES);
}

/* ---------------------------------------------------------------- other workers */

void worker_set_peers(struct worker *w, struct worker **peers, size_t n)
{
    w->peers = peers;
    w->npeers = n;
}

bool worker_others_wait(const struct worker *w)
{
    for (size_t i = 0; i < w->npeers; i++) {
        if (w->peers[i] != w && atomic_load(&w->peers[i]->nwaiting) > 0) {
            return true;
        }
    }
    return false;
}

void worker_wake_waiting(struct worker *w)
{
    for (size_t i = 0; i < w->npeers; i++) {
        if (w->peers[i] != w && atomic_load(&w->peers[i]->nwaiting) > 0) {
            worker_post(w->peers[i], WORKER_LOOK);
        }
    }
}

void worker_ask_others(struct worker *w)
{
    for (size_t i = 0; i < w->npeers; i++) {
        if (w->peers[i] != w) {
            worker_post(w->peers[i], WORKER_LOOK);
        }
    }
}

/* ---------------------------------------------------------------- life */

struct worker *worker_new(int index, const struct config *cfg, struct routes *routes,
                          SSL_CTX *server_ctx, const struct log_format *format)
{
    struct worker *w = xcalloc(1, sizeof(*w));
    w->index = index;
    w->seed = (unsigned)time(NULL) ^ (unsigned)getpid() ^ ((unsigned)index << 16);
    w->cfg = cfg;
    w->server_ctx = server_ctx;
    w->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (w->loop == NULL) {
        LOG(FATAL, "no event loop could be made: %s", strerror(errno));
        free(w);
        return NULL;
    }
    struct resolver_options names = {.loop = w->loop,
                                     .cache_timeout = cfg->dns_cache_timeout,
                                     .lookup_timeout = cfg->dns_lookup_timeout,
                                     .max_try = (unsigned)cfg->dns_max_try,
                                     .resolv_conf = cfg->resolv_conf};
    w->resolver = resolver_new(&names);
    if (w->resolver == NULL) {
        ev_loop_destroy(w->loop);
        free(w);
        return NULL;
    }
    wheel_init(&w->wheel, w->loop);
    timer_init(&w->rest, on_rest);
    list_init(&w->listeners);
    list_init(&w->fronts);
    list_init(&w->conns);
    list_init(&w->dirty);
    list_init(&w->resuming);
    list_init(&w->reap);
    list_init(&w->pools);
    list_init(&w->freed);
    budget_init(&w->retries, BUDGET_FREE_ALL);
    targets_install(w, routes);
    w->rx = xmalloc(WORKER_IO_SIZE);
    w->plain = xmalloc(WORKER_IO_SIZE);
    w->tx = xmalloc(WORKER_IO_SIZE);
    uint64_t fields = cfg->max_request_header_fields;
    fields = fields > cfg->max_response_header_fields ? fields : cfg->max_response_header_fields;
    w->h1_fields_cap = (uint32_t)fields;
    w->h1_fields = xcalloc(fields + 1, sizeof(*w->h1_fields));
    access_log_init(&w->access_log, format);
    ev_prepare_init(&w->end_of_turn, on_end_of_turn);
    ev_prepare_start(w->loop, &w->end_of_turn);
    ev_async_init(&w->wake, on_wake);
    ev_async_start(w->loop, &w->wake);
    return w;
}

void worker_listen(struct worker *w, const struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->n; i++) {
        const struct listen_socket *s = &sockets->list[i];
        if (s->slot % w->cfg->workers == (size_t)w->index) {
            listener_add(w, &w->cfg->frontend[s->frontend], s);
        }
    }
}

static void *run(void *arg)
{
    struct worker *w = arg;
    ev_run(w->loop, 0);
    atomic_store(&w->finished, true);
    ev_async_send(w->main_loop, w->main_wake);
    return NULL;
}

bool worker_start(struct worker *w, struct ev_loop *main_loop, ev_async *wake)
{
    w->main_loop = main_loop;
    w->main_wake = wake;
    /* Signals are the main thread's business. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        LOG(FATAL, "no thread could be started: %s", strerror(rc));
    }
    return rc == 0;
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
}

void worker_free(struct worker *w)
{
    if (w == NULL) {
        return;
    }
    w->draining = true;
    listener_close_all(w, true);
    end_turn(w);
    list_each_safe(node, &w->fronts)
    {
        struct front *f = container_of(node, struct front, node);
        f->proto->cut(f);
    }
    list_each_safe(node, &w->pools)
    {
        pool_close_all(container_of(node, struct pool, node));
    }
    run_reaper(w);
    targets_remove(w);
    routes_unref(atomic_load(&w->next_routes));
    run_reaper(w);
    resolver_free(w->resolver);
    list_each_safe(node, &w->conns)
    {
        conn_close(container_of(node, struct conn, node)); /* those that lingered */
    }
    run_reaper(w);
    assert(w->nexchanges == 0 && w->nfronts == 0 && list_empty(&w->conns) && list_empty(&w->pools));
    access_log_free(&w->access_log);
    timer_remove(&w->rest);
    wheel_stop(&w->wheel);
    ev_prepare_stop(w->loop, &w->end_of_turn);
    ev_async_stop(w->loop, &w->wake);
    ev_loop_destroy(w->loop);
    block_pool_clear(&w->blocks);
    buffer_free(&w->spare);
    free(w->rx);
    free(w->plain);
    free(w->tx);
    free(w->h1_fields);
    free(w);
}
