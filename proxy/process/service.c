/* The service: its set-up, its threads, and how it is told to end. */
#include "process/service.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "net/block.h"
#include "net/sockets.h"
#include "ops/access_log.h"
#include "ops/log.h"
#include "ops/log_file.h"
#include "process/life.h"
#include "process/system.h"
#include "process/worker.h"
#include "route/routes.h"
#include "tls/tls.h"

struct service {
    const struct config *cfg;
    pthread_mutex_t routes_lock;
    struct routes *routes; /* those in force */
    struct log_format *format;
    SSL_CTX *server_ctx;
    struct worker **workers;
    size_t nworkers;
    size_t nstarted;
    bool stopping;
    int channel;
};

/* ---------------------------------------------------------------- set-up */

bool service_set_backends(struct service *s, const struct config *cfg)
{
    struct routes *next = routes_new(cfg);
    if (next == NULL) {
        return false;
    }
    pthread_mutex_lock(&s->routes_lock);
    struct routes *before = s->routes;
    s->routes = next;
    for (size_t i = 0; i < s->nworkers && s->workers[i] != NULL; i++) {
        worker_set_routes(s->workers[i], next);
    }
    pthread_mutex_unlock(&s->routes_lock);
    routes_unref(before);
    return true;
}

static bool set_up(struct service *s)
{
    const struct config *cfg = s->cfg;
    if (!access_log_open(cfg)) {
        LOG(FATAL, "accesslog-file: %s: %s", cfg->accesslog_file, log_file_why(errno));
        return false;
    }
    tls_prepare();
    if (!tls_fronts_ctx(cfg, &s->server_ctx)) {
        return false;
    }
    if (!service_set_backends(s, cfg)) {
        return false;
    }
    s->format = log_format_new(cfg->accesslog_format);
    s->nworkers = cfg->workers;
    s->workers = xcalloc(s->nworkers, sizeof(struct worker *));
    for (size_t i = 0; i < s->nworkers; i++) {
        s->workers[i] = worker_new((int)i, cfg, s->routes, s->server_ctx, s->format);
        if (s->workers[i] == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < s->nworkers; i++) {
        worker_set_peers(s->workers[i], s->workers, s->nworkers);
    }
    return true;
}

struct service *service_new(const struct config *cfg)
{
    struct service *s = xcalloc(1, sizeof(*s));
    s->cfg = cfg_ref(cfg);
    pthread_mutex_init(&s->routes_lock, NULL);
    if (!set_up(s)) {
        service_free(s);
        return NULL;
    }
    return s;
}

void service_free(struct service *s)
{
    for (size_t i = 0; i < s->nworkers; i++) {
        if (s->workers[i] != NULL) {
            worker_set_peers(s->workers[i], NULL, 0); /* they go one by one */
        }
    }
    for (size_t i = 0; i < s->nworkers; i++) {
        worker_free(s->workers[i]);
    }
    free(s->workers);
    access_log_close();
    log_format_free(s->format);
    routes_unref(s->routes);
    pthread_mutex_destroy(&s->routes_lock);
    SSL_CTX_free(s->server_ctx);
    tls_cleanup();
    cfg_unref(s->cfg);
    free(s);
}

/* ---------------------------------------------------------------- being told */

static void post_all(struct service *s, enum worker_command cmd)
{
    for (size_t i = 0; i < s->nstarted; i++) {
        worker_post(s->workers[i], cmd);
    }
}

static void reopen_logs(void)
{
    log_reopen();
    access_log_reopen();
}

static void obey(struct service *s, char command)
{
    switch (command) {
    case SERVICE_DRAIN:
        post_all(s, WORKER_DRAIN);
        break;
    case SERVICE_HAND_OVER:
        post_all(s, WORKER_HAND_OVER);
        break;
    case SERVICE_STOP:
        post_all(s, WORKER_STOP);
        break;
    case SERVICE_REOPEN:
        reopen_logs();
        break;
    default:
        LOG(ERROR, "the main process said %d, which means nothing", command);
    }
}

static void on_channel(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)revents;
    struct service *s = io->data;
    char said[16];
    ssize_t n = read(io->fd, said, sizeof(said));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        LOG(ERROR, "the main process is gone; stopping at once");
        ev_io_stop(loop, io);
        post_all(s, WORKER_STOP);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        obey(s, said[i]);
    }
}

/* SIGQUIT, SIGTERM and SIGINT drain; a second SIGTERM or SIGINT does not wait. */
static void on_stop(struct ev_loop *loop, ev_signal *sig, int revents)
{
    (void)loop;
    (void)revents;
    struct service *s = sig->data;
    bool now = s->stopping && sig->signum != SIGQUIT;
    LOG(NOTICE, "SIG%s: %s", sigabbrev_np(sig->signum),
        now ? "stopping at once" : "finishing what is in progress");
    s->stopping = true;
    life_stopping(now);
    post_all(s, now ? WORKER_STOP : WORKER_DRAIN);
}

static void on_reopen(struct ev_loop *loop, ev_signal *sig, int revents)
{
    (void)loop;
    (void)revents;
    (void)sig;
    reopen_logs();
    LOG(NOTICE, "logs reopened");
}

static void on_unheard(struct ev_loop *loop, ev_signal *sig, int revents)
{
    (void)loop;
    (void)revents;
    LOG(WARN, "SIG%s: has no effect with --single-process", sigabbrev_np(sig->signum));
}

static void on_worker_done(struct ev_loop *loop, ev_async *a, int revents)
{
    (void)revents;
    struct service *s = a->data;
    for (size_t i = 0; i < s->nstarted; i++) {
        if (!atomic_load(&s->workers[i]->finished)) {
            return;
        }
    }
    ev_break(loop, EVBREAK_ALL);
}

static const struct {
    int signum;
    void (*cb)(struct ev_loop *, ev_signal *, int);
} handlers[] = {{SIGQUIT, on_stop},   {SIGTERM, on_stop},   {SIGINT, on_stop},
                {SIGUSR1, on_reopen}, {SIGHUP, on_unheard}, {SIGUSR2, on_unheard}};
enum { NHANDLERS = sizeof(handlers) / sizeof(handlers[0]) };

/* ---------------------------------------------------------------- running */

static bool start_threads(struct service *s, struct ev_loop *loop, ev_async *done)
{
    for (; s->nstarted < s->nworkers; s->nstarted++) {
        if (!worker_start(s->workers[s->nstarted], loop, done)) {
            post_all(s, WORKER_STOP);
            return false;
        }
    }
    return true;
}

/* Whoever started us is told once everything runs. */
static void tell_ready(const struct service *s)
{
    char ready = SERVICE_READY;
    if (s->channel < 0) {
        life_ready("serving");
        return;
    }
    if (write(s->channel, &ready, 1) != 1) {
        LOG(ERROR, "the main process cannot be told: %s", strerror(errno));
    }
    if (s->cfg->daemon) {
        log_leave_terminal();
    }
}

bool service_run(struct service *s, const struct sockets *sockets, int channel)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_NOENV);
    ev_signal signals[NHANDLERS];
    size_t nsignals = channel < 0 ? NHANDLERS : 0;
    ev_io io;
    ev_async done;
    s->channel = channel;
    for (size_t i = 0; i < nsignals; i++) {
        ev_signal_init(&signals[i], handlers[i].cb, handlers[i].signum);
        signals[i].data = s;
        ev_signal_start(loop, &signals[i]);
    }
    if (channel < 0) {
        life_watch(loop);
    }
    ev_async_init(&done, on_worker_done);
    done.data = s;
    ev_async_start(loop, &done);
    for (size_t i = 0; i < s->nworkers; i++) {
        worker_listen(s->workers[i], sockets);
    }
    system_hold_signals(false);
    bool ok = start_threads(s, loop, &done);
    if (ok) {
        LOG(NOTICE, "serving with %zu worker thread%s", s->nworkers, s->nworkers == 1 ? "" : "s");
        tell_ready(s);
        ev_io_init(&io, on_channel, channel, EV_READ);
        io.data = s;
        if (channel >= 0) {
            ev_io_start(loop, &io);
        }
        ev_run(loop, 0);
        ev_io_stop(loop, &io);
    }
    for (size_t i = 0; i < s->nstarted; i++) {
        worker_join(s->workers[i]);
    }
    system_hold_signals(true);
    for (size_t i = 0; i < nsignals; i++) {
        ev_signal_stop(loop, &signals[i]);
    }
    ev_async_stop(loop, &done);
    if (channel < 0) {
        life_unwatch(loop);
    }
    ev_loop_destroy(loop);
    return ok;
}
