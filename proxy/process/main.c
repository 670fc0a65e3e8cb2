/*
 * The program: reads the configuration, sets up everything that can fail before the first byte is
 * served, starts the workers, and turns signals into commands for them.
 */
#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "config.h"
#include "net/block.h"
#include "ops/access_log.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/routes.h"
#include "tls/tls.h"

struct program {
    struct config *cfg;
    struct routes *routes;
    struct log_format *format;
    SSL_CTX *server_ctx, *client_ctx;
    struct worker **workers;
    size_t nworkers;
    size_t nstarted;
    bool stopping;
};

/* ---------------------------------------------------------------- set-up */

static bool open_logs(const struct config *cfg)
{
    if (!log_open(cfg)) {
        LOG(FATAL, "errorlog-file: %s: %s", cfg->errorlog_file, strerror(errno));
        return false;
    }
    if (!access_log_open(cfg)) {
        LOG(FATAL, "accesslog-file: %s: %s", cfg->accesslog_file, strerror(errno));
        return false;
    }
    return true;
}

static void raise_file_limit(const struct config *cfg)
{
    if (cfg->rlimit_nofile == 0) {
        return;
    }
    struct rlimit limit = {.rlim_cur = cfg->rlimit_nofile, .rlim_max = cfg->rlimit_nofile};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        LOG(WARN, "rlimit-nofile: %llu: %s", (unsigned long long)cfg->rlimit_nofile,
            strerror(errno));
    }
}

static bool fronts_need_tls(const struct config *cfg)
{
    for (size_t i = 0; i < cfg->nfrontend; i++) {
        if (cfg->frontend[i].tls) {
            return true;
        }
    }
    return false;
}

static bool backs_need_tls(const struct config *cfg)
{
    for (size_t i = 0; i < cfg->nbackend; i++) {
        if (cfg->backend[i].tls) {
            return true;
        }
    }
    return false;
}

static bool set_up_tls(struct program *p)
{
    tls_prepare();
    if (fronts_need_tls(p->cfg)) {
        p->server_ctx = tls_server_ctx(p->cfg);
        if (p->server_ctx == NULL) {
            return false;
        }
    }
    if (backs_need_tls(p->cfg) ||
        p->cfg->cacert != NULL) { /* the system's certificates cost 1 MiB and some milliseconds */
        p->client_ctx = tls_client_ctx(p->cfg);
        if (p->client_ctx == NULL) {
            return false;
        }
    }
    return true;
}

/* Everything that can be wrong is found here, before anybody is served. */
static bool set_up(struct program *p)
{
    const struct config *cfg = p->cfg;
    if (!open_logs(cfg) || !set_up_tls(p)) {
        return false;
    }
    raise_file_limit(cfg);
    p->routes = routes_new(cfg);
    if (p->routes == NULL) {
        return false;
    }
    p->format = log_format_new(cfg->accesslog_format);
    p->nworkers = cfg->workers;
    p->workers = xcalloc(p->nworkers, sizeof(struct worker *));
    for (size_t i = 0; i < p->nworkers; i++) {
        struct worker *w =
            worker_new((int)i, cfg, p->routes, p->server_ctx, p->client_ctx, p->format);
        p->workers[i] = w;
        if (w == NULL || !worker_listen(w)) {
            return false;
        }
    }
    return true;
}

static void tear_down(struct program *p)
{
    for (size_t i = 0; i < p->nworkers; i++) {
        worker_free(p->workers[i]);
    }
    free(p->workers);
    access_log_close();
    log_format_free(p->format);
    routes_free(p->routes);
    SSL_CTX_free(p->server_ctx);
    SSL_CTX_free(p->client_ctx);
    tls_cleanup();
    cfg_free(p->cfg);
}

/* ---------------------------------------------------------------- signals */

static void post_all(struct program *p, enum worker_command cmd)
{
    for (size_t i = 0; i < p->nstarted; i++) {
        worker_post(p->workers[i], cmd);
    }
}

/* SIGQUIT, SIGTERM and SIGINT drain; a second SIGTERM or SIGINT does not wait. */
static void on_stop(struct ev_loop *loop, ev_signal *s, int revents)
{
    (void)loop;
    (void)revents;
    struct program *p = s->data;
    bool now = p->stopping && s->signum != SIGQUIT;
    LOG(NOTICE, "SIG%s: %s", sigabbrev_np(s->signum),
        now ? "stopping at once" : "finishing what is in progress");
    p->stopping = true;
    post_all(p, now ? WORKER_STOP : WORKER_DRAIN);
}

static void on_reopen(struct ev_loop *loop, ev_signal *s, int revents)
{
    (void)loop;
    (void)revents;
    (void)s;
    log_reopen();
    access_log_reopen();
    LOG(NOTICE, "logs reopened");
}

static void on_worker_done(struct ev_loop *loop, ev_async *a, int revents)
{
    (void)revents;
    struct program *p = a->data;
    for (size_t i = 0; i < p->nstarted; i++) {
        if (!atomic_load(&p->workers[i]->finished)) {
            return;
        }
    }
    ev_break(loop, EVBREAK_ALL);
}

static const struct {
    int signum;
    void (*cb)(struct ev_loop *, ev_signal *, int);
} handlers[] = {{SIGQUIT, on_stop}, {SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGUSR1, on_reopen}};
enum { NHANDLERS = sizeof(handlers) / sizeof(handlers[0]) };

/*
 * Outside of run() our signals wait: before it, so that one that comes early is not lost; after it,
 * so that one that comes late does not kill a program that is ending.
 */
static void hold_signals(int how)
{
    sigset_t ours;
    sigemptyset(&ours);
    for (size_t i = 0; i < NHANDLERS; i++) {
        sigaddset(&ours, handlers[i].signum);
    }
    pthread_sigmask(how, &ours, NULL);
}

/* Runs until every worker has finished. */
static bool run(struct program *p)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_NOENV);
    ev_signal watchers[NHANDLERS];
    ev_async done;
    for (size_t i = 0; i < NHANDLERS; i++) {
        ev_signal_init(&watchers[i], handlers[i].cb, handlers[i].signum);
        watchers[i].data = p;
        ev_signal_start(loop, &watchers[i]);
    }
    ev_async_init(&done, on_worker_done);
    done.data = p;
    ev_async_start(loop, &done);
    hold_signals(SIG_UNBLOCK);
    bool ok = true;
    for (size_t i = 0; i < p->nworkers && ok; i++) {
        ok = worker_start(p->workers[i], loop, &done);
        p->nstarted += ok;
    }
    if (ok) {
        LOG(NOTICE, "serving with %zu worker thread%s", p->nworkers, p->nworkers == 1 ? "" : "s");
        ev_run(loop, 0);
    } else {
        post_all(p, WORKER_STOP);
    }
    for (size_t i = 0; i < p->nstarted; i++) {
        worker_join(p->workers[i]);
    }
    hold_signals(SIG_BLOCK);
    for (size_t i = 0; i < NHANDLERS; i++) {
        ev_signal_stop(loop, &watchers[i]);
    }
    ev_async_stop(loop, &done);
    ev_loop_destroy(loop);
    return ok;
}

int main(int argc, char **argv)
{
    struct program p = {0};
    switch (cfg_load(argc, argv, stdout, stderr, &p.cfg)) {
    case CFG_OK:
        break;
    case CFG_EXIT:
        return EXIT_SUCCESS;
    case CFG_ERROR:
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    hold_signals(SIG_BLOCK);
    bool ok = set_up(&p) && run(&p);
    tear_down(&p);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
