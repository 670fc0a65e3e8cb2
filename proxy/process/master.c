/* The main process. */
#include "process/master.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "net/block.h"
#include "net/list.h"
#include "net/sockets.h"
#include "ops/log.h"
#include "process/service.h"
#include "process/successor.h"
#include "process/system.h"
#include "route/health.h"

/* A worker process that dies sooner than this after its start is started again with growing delay,
 * so that one that cannot live does not keep the machine busy. Seconds. */
#define HEALTHY_AFTER 10.0
#define FIRST_DELAY   0.1
#define LONGEST_DELAY 10.0
/* What has been told to end at once, or whose grace is over, has this long. Seconds. */
#define PATIENCE 2.0

/* A worker process. */
struct child {
    struct master *m;
    pid_t pid;
    int channel;
    bool ready;
    bool leaving; /* it was told to end */
    ev_tstamp since;
    ev_io io;
    ev_child end;
    ev_timer grace; /* leaving: until it is ended by force */
    struct list node;
};

struct master {
    int argc;
    char **argv;
    int directory; /* where the program was started: names in the configuration start there */
    struct ev_loop *loop;

    struct config *cfg; /* in force */
    struct sockets sockets;
    struct list children;  /* oldest first */
    struct child *current; /* serves with cfg; NULL: it died and is to be started again */

    struct config *next_cfg; /* a reload is on its way: its configuration, sockets, process */
    struct sockets next_sockets;
    struct child *candidate;
    bool reload_again; /* SIGHUP came meanwhile */

    ev_timer restart;
    ev_tstamp delay;
    unsigned restarts;
    ev_timer watchdog;
    struct successor successor;
    bool serving; /* the first worker process was ready */
    bool stopping;
    int status;
};

static void reload(struct master *m);

/* ---------------------------------------------------------------- the start directory */

/* Names in the configuration are relative to where the program was started, though a daemon leaves
 * that place. */
static void enter_start_directory(const struct master *m)
{
    if (m->directory >= 0 && fchdir(m->directory) != 0) {
        LOG(WARN, "the directory of the start cannot be entered: %s", strerror(errno));
    }
}

static void leave_start_directory(const struct master *m)
{
    if (m->cfg->daemon && chdir("/") != 0) {
        LOG(WARN, "chdir /: %s", strerror(errno));
    }
}

/* ---------------------------------------------------------------- worker processes */

static void tell(struct child *c, enum service_command command)
{
    char octet = (char)command;
    if (write(c->channel, &octet, 1) != 1) {
        LOG(WARN, "worker process %d cannot be told: %s", (int)c->pid, strerror(errno));
    }
}

static void tell_all(struct master *m, enum service_command command)
{
    list_each(node, &m->children)
    {
        tell(container_of(node, struct child, node), command);
    }
}

static void on_grace_over(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct child *c = t->data;
    LOG(WARN, "worker process %d: its time to finish is over; it is ended", (int)c->pid);
    kill(c->pid, SIGKILL);
}

static void kill_after(struct child *c, ev_tstamp seconds)
{
    ev_timer_stop(c->m->loop, &c->grace);
    ev_timer_set(&c->grace, seconds, 0);
    ev_timer_start(c->m->loop, &c->grace);
}

/* Tells it to end; a grace period is given to those that a reload replaces. */
static void dismiss(struct child *c, enum service_command how)
{
    if (c->leaving && how != SERVICE_STOP) {
        return;
    }
    c->leaving = true;
    tell(c, how);
    uint64_t grace = c->m->cfg->worker_process_grace_shutdown_period;
    if (how == SERVICE_STOP) {
        kill_after(c, PATIENCE);
    } else if (grace > 0) {
        kill_after(c, (ev_tstamp)grace / 1000);
    }
}

static void forget(struct child *c)
{
    ev_io_stop(c->m->loop, &c->io);
    ev_child_stop(c->m->loop, &c->end);
    ev_timer_stop(c->m->loop, &c->grace);
    list_remove(&c->node);
    close(c->channel);
    free(c);
}

/* The worker process: never returns. What belongs to the main process only is left behind. */
_Noreturn static void be_child(struct master *m, struct config *cfg, struct sockets *sockets,
                               int channel)
{
    enter_start_directory(m);
    list_each(node, &m->children)
    {
        close(container_of(node, struct child, node)->channel);
    }
    ev_loop_destroy(m->loop);
    for (int sig = 1; sig < NSIG; sig++) {
        struct sigaction now;
        if (sigaction(sig, NULL, &now) == 0 && now.sa_handler != SIG_DFL &&
            now.sa_handler != SIG_IGN) {
            signal(sig, SIG_IGN); /* signals are the main process's business */
        }
    }
    signal(SIGCHLD, SIG_DFL);
    if (sockets != &m->sockets) {
        sockets_retire(&m->sockets, sockets); /* addresses that a reload gives up */
    }

    int status = EXIT_FAILURE;
    system_limits(cfg);
    struct service *s = service_new(cfg);
    if (s != NULL && log_open(cfg) && system_become_user(cfg)) {
        status = service_run(s, sockets, channel) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (s != NULL) {
        service_free(s);
    }
    close(channel);
    exit(status);
}

static void on_said(struct ev_loop *loop, ev_io *io, int revents);
static void on_end(struct ev_loop *loop, ev_child *w, int revents);

/* Starts a worker process. NULL: a line went to the error log. */
static struct child *spawn(struct master *m, struct config *cfg, struct sockets *sockets)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        LOG(ERROR, "no channel to a worker process: %s", strerror(errno));
        return NULL;
    }
    system_give_logs(cfg);
    pid_t pid = fork();
    if (pid < 0) {
        LOG(ERROR, "no worker process: %s", strerror(errno));
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    if (pid == 0) {
        close(ends[0]);
        be_child(m, cfg, sockets, ends[1]);
    }
    close(ends[1]);
    struct child *c = xcalloc(1, sizeof(*c));
    c->m = m;
    c->pid = pid;
    c->channel = ends[0];
    c->since = ev_now(m->loop);
    ev_io_init(&c->io, on_said, c->channel, EV_READ);
    c->io.data = c;
    ev_io_start(m->loop, &c->io);
    ev_child_init(&c->end, on_end, pid, 0);
    c->end.data = c;
    ev_child_start(m->loop, &c->end);
    ev_timer_init(&c->grace, on_grace_over, 0, 0);
    c->grace.data = c;
    list_append(&m->children, &c->node);
    return c;
}

/* ---------------------------------------------------------------- serving */

static void limit_children(struct master *m)
{
    uint64_t most = m->cfg->max_worker_processes;
    size_t n = 0;
    list_each(node, &m->children)
    {
        n++;
    }
    list_each_safe(node, &m->children)
    {
        struct child *c = container_of(node, struct child, node);
        if (most > 0 && n > most && c != m->current) {
            LOG(NOTICE, "worker process %d is ended: there are more than max-worker-processes",
                (int)c->pid);
            dismiss(c, SERVICE_STOP);
            n--;
        }
    }
}

/* What has to be said once a configuration is in force. */
static void announce(struct master *m)
{
    enter_start_directory(m);
    (void)log_open(m->cfg);
    (void)system_write_pid_file(m->cfg);
    leave_start_directory(m);
    system_notify("READY=1\nMAINPID=%d\nSTATUS=serving with worker process %d", (int)getpid(),
                  (int)m->current->pid);
    if (!m->serving) {
        m->serving = true;
        system_daemon_ready();
        successor_took_over();
    }
}

/* The candidate of a reload serves: it is the one from now on. */
static void promote(struct master *m)
{
    cfg_unref(m->cfg);
    m->cfg = m->next_cfg;
    m->next_cfg = NULL;
    sockets_retire(&m->sockets, &m->next_sockets);
    m->sockets = m->next_sockets;
    m->next_sockets = (struct sockets){0};
    m->current = m->candidate;
    m->candidate = NULL;
    ev_timer_stop(m->loop, &m->restart); /* the one before may have died meanwhile */
    LOG(NOTICE, "reloaded: worker process %d serves", (int)m->current->pid);
    list_each(node, &m->children)
    {
        struct child *c = container_of(node, struct child, node);
        if (c != m->current) {
            dismiss(c, SERVICE_HAND_OVER);
        }
    }
    limit_children(m);
    announce(m);
}

static void give_reload_up(struct master *m)
{
    sockets_abandon(&m->next_sockets);
    cfg_unref(m->next_cfg);
    m->next_cfg = NULL;
    m->candidate = NULL;
    LOG(ERROR, "reload failed: the configuration before stays in force");
    system_notify("READY=1\nSTATUS=reload failed; serving with the configuration before");
}

static void after_reload(struct master *m)
{
    if (m->reload_again && !m->stopping) {
        m->reload_again = false;
        reload(m);
    }
}

static void on_said(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)revents;
    struct child *c = io->data;
    struct master *m = c->m;
    char said;
    ssize_t n = read(c->channel, &said, 1);
    if (n <= 0) {
        ev_io_stop(loop, io); /* how it ended is told by on_end() */
        return;
    }
    assert(said == SERVICE_READY);
    c->ready = true;
    if (c == m->candidate) {
        promote(m);
        after_reload(m);
    } else if (c == m->current && !m->stopping) {
        announce(m);
        after_reload(m);
    }
}

/* ---------------------------------------------------------------- reload */

static void reload(struct master *m)
{
    struct timespec now;
    if (m->candidate != NULL || m->current == NULL || !m->current->ready) {
        m->reload_again = true; /* when what is on its way has come to its end */
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    system_notify("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
                  (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    enter_start_directory(m);
    enum cfg_rc rc = cfg_load(m->argc, m->argv, stdout, stderr, &m->next_cfg);
    leave_start_directory(m);
    if (rc != CFG_OK) {
        give_reload_up(m);
        return;
    }
    if (m->next_cfg->daemon != m->cfg->daemon || m->next_cfg->single_process) {
        LOG(WARN, "daemon and single-process cannot change at a reload");
        m->next_cfg->daemon = m->cfg->daemon;
    }
    if (system_check_user(m->next_cfg) &&
        sockets_open(&m->next_sockets, m->next_cfg, &m->sockets)) {
        health_new_generation();
        m->candidate = spawn(m, m->next_cfg, &m->next_sockets);
    }
    if (m->candidate == NULL) {
        give_reload_up(m);
    }
}

static void on_hup(struct ev_loop *loop, ev_signal *sig, int revents)
{
    (void)loop;
    (void)revents;
    struct master *m = sig->data;
    if (m->stopping) {
        LOG(WARN, "SIGHUP: the program is ending; nothing is reloaded");
        return;
    }
    LOG(NOTICE, "SIGHUP: reloading");
    reload(m);
}

/* ---------------------------------------------------------------- deaths */

static void on_restart(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct master *m = t->data;
    m->current = spawn(m, m->cfg, &m->sockets);
    if (m->current == NULL) {
        ev_timer_set(t, LONGEST_DELAY, 0);
        ev_timer_start(loop, t);
    }
}

static void say_how(const struct child *c, int status)
{
    bool never_served = !c->ready && WIFEXITED(status);
    if (never_served) {
        return; /* it has said what is wrong */
    }
    if (WIFSIGNALED(status)) {
        LOG(ERROR, "worker process %d was ended by signal %d (SIG%s)", (int)c->pid,
            WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        LOG(ERROR, "worker process %d ended with status %d", (int)c->pid, WEXITSTATUS(status));
    } else {
        LOG(NOTICE, "worker process %d has ended", (int)c->pid);
    }
}

/* The one that serves is gone: another one, at once if it had lived for a while. */
static void replace(struct master *m, ev_tstamp lived)
{
    m->current = NULL;
    m->delay = lived >= HEALTHY_AFTER ? 0
               : m->delay == 0        ? (m->restarts == 0 ? 0 : FIRST_DELAY)
                                      : m->delay * 2;
    m->delay = m->delay < LONGEST_DELAY ? m->delay : LONGEST_DELAY;
    m->restarts++;
    LOG(NOTICE, "a worker process is started again in %.1f s (start %u)", m->delay,
        m->restarts + 1);
    ev_timer_set(&m->restart, m->delay, 0);
    ev_timer_start(m->loop, &m->restart);
}

static void end_if_done(struct master *m)
{
    if (list_empty(&m->children)) {
        ev_break(m->loop, EVBREAK_ALL);
    }
}

static void on_end(struct ev_loop *loop, ev_child *w, int revents)
{
    (void)loop;
    (void)revents;
    struct child *c = w->data;
    struct master *m = c->m;
    int status = w->rstatus;
    ev_tstamp lived = ev_now(loop) - c->since;
    bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    bool was_current = c == m->current, was_candidate = c == m->candidate;
    say_how(c, status);
    if (failed && m->stopping) {
        m->status = EXIT_FAILURE;
    }
    forget(c);
    if (was_candidate) {
        give_reload_up(m);
        after_reload(m);
    }
    if (!was_current || m->stopping) {
        if (m->stopping) {
            end_if_done(m);
        }
        return;
    }
    m->current = NULL;
    if (!m->serving) { /* what is wrong has been said */
        m->status = EXIT_FAILURE;
        m->stopping = true;
        end_if_done(m);
        return;
    }
    replace(m, lived);
}

/* ---------------------------------------------------------------- other signals */

static void on_usr1(struct ev_loop *loop, ev_signal *sig, int revents)
{
    (void)loop;
    (void)revents;
    struct master *m = sig->data;
    enter_start_directory(m);
    system_give_logs(m->cfg);
    log_reopen();
    leave_start_directory(m);
    tell_all(m, SERVICE_REOPEN);
    LOG(NOTICE, "logs reopened");
}

static void on_usr2(struct ev_loop *loop, ev_signal *sig, int revents)
{
    (void)revents;
    struct master *m = sig->data;
    if (m->stopping || !m->serving) {
        LOG(WARN, "SIGUSR2: %s", m->stopping ? "the program is ending" : "still starting");
        return;
    }
    successor_start(&m->successor, loop, m->argv, m->directory, &m->sockets);
}

static void stop(struct master *m, bool now)
{
    bool handed_over = successor_is_alive(&m->successor);
    m->stopping = true;
    ev_timer_stop(m->loop, &m->restart);
    system_notify("STOPPING=1\nSTATUS=%s", now ? "stopping" : "finishing what is in progress");
    if (m->candidate != NULL) {
        dismiss(m->candidate, SERVICE_STOP);
    }
    /* The last ones to have the sockets take what waits in them: the worker processes, if nobody
       else has them. */
    sockets_close(&m->sockets);
    list_each(node, &m->children)
    {
        dismiss(container_of(node, struct child, node), now           ? SERVICE_STOP
                                                        : handed_over ? SERVICE_HAND_OVER
                                                                      : SERVICE_DRAIN);
    }
    end_if_done(m);
}

static void on_stop(struct ev_loop *loop, ev_signal *sig, int revents)
{
    (void)loop;
    (void)revents;
    struct master *m = sig->data;
    bool now = m->stopping && sig->signum != SIGQUIT;
    LOG(NOTICE, "SIG%s: %s", sigabbrev_np(sig->signum),
        now ? "stopping at once" : "finishing what is in progress");
    stop(m, now);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)t;
    (void)revents;
    system_notify("WATCHDOG=1");
}

static const struct {
    int signum;
    void (*cb)(struct ev_loop *, ev_signal *, int);
} handlers[] = {{SIGHUP, on_hup},   {SIGUSR1, on_usr1}, {SIGUSR2, on_usr2},
                {SIGQUIT, on_stop}, {SIGTERM, on_stop}, {SIGINT, on_stop}};
enum { NHANDLERS = sizeof(handlers) / sizeof(handlers[0]) };

/* ---------------------------------------------------------------- life */

static bool start(struct master *m)
{
    struct sockets inherited = {0};
    successor_inherit(&inherited);
    bool ok = system_check_user(m->cfg) && sockets_open(&m->sockets, m->cfg, &inherited);
    if (ok) {
        sockets_retire(&inherited, &m->sockets);
    }
    if (ok && m->cfg->daemon && !system_daemonize()) {
        LOG(FATAL, "daemon: %s", strerror(errno));
        ok = false;
    }
    if (!ok) {
        return false;
    }
    log_set_main_pid((int)getpid());
    m->loop = ev_default_loop(EVFLAG_NOENV);
    if (m->loop == NULL) {
        LOG(FATAL, "no event loop could be made: %s", strerror(errno));
        return false;
    }
    return true;
}

static void run(struct master *m)
{
    ev_signal signals[NHANDLERS];
    for (size_t i = 0; i < NHANDLERS; i++) {
        ev_signal_init(&signals[i], handlers[i].cb, handlers[i].signum);
        signals[i].data = m;
        ev_signal_start(m->loop, &signals[i]);
    }
    ev_timer_init(&m->restart, on_restart, 0, 0);
    m->restart.data = m;
    ev_tstamp beat = (ev_tstamp)system_watchdog_us() / 2e6;
    ev_timer_init(&m->watchdog, on_watchdog, beat, beat);
    if (beat > 0) {
        ev_timer_start(m->loop, &m->watchdog);
    }
    system_hold_signals(false);
    m->current = spawn(m, m->cfg, &m->sockets);
    if (m->current == NULL) {
        m->status = EXIT_FAILURE;
    } else {
        ev_run(m->loop, 0);
    }
    system_hold_signals(true);
    ev_timer_stop(m->loop, &m->watchdog);
    for (size_t i = 0; i < NHANDLERS; i++) {
        ev_signal_stop(m->loop, &signals[i]);
    }
}

int master_run(int argc, char **argv, struct config *cfg)
{
    struct master m = {.argc = argc, .argv = argv, .cfg = cfg, .status = EXIT_SUCCESS};
    list_init(&m.children);
    m.directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (start(&m)) {
        run(&m);
        ev_loop_destroy(m.loop);
    } else {
        m.status = EXIT_FAILURE;
    }
    if (!successor_is_alive(&m.successor)) {
        enter_start_directory(&m);
        system_remove_pid_file(m.cfg);
    }
    sockets_close(&m.sockets);
    if (m.directory >= 0) {
        close(m.directory);
    }
    cfg_unref(m.cfg);
    return m.status;
}
