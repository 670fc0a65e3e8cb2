/* The main process. */
#include "process/master.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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
#include "process/life.h"
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
/* The worker process of a reload has this long to serve; if another reload waits for its end, this
 * long. A start with a hundred thousand backends takes a second. Seconds. */
#define LONGEST_START 60.0
#define USUAL_START   5.0

/* A worker process. */
struct child {
    struct master *m;
    pid_t pid;
    int channel;
    bool ready;
    bool leaving; /* it was told to end */
    bool ended;   /* by us, by force */
    ev_tstamp since;
    ev_io io;
    ev_child end;
    ev_timer grace; /* until it is ended by force */
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

static void end_by_force(struct child *c)
{
    c->ended = true;
    kill(c->pid, SIGKILL);
}

/* One that does not listen (SIGSTOP, a debugger) must not keep the main process from its work. */
static void tell(struct child *c, enum service_command command)
{
    char octet = (char)command;
    if (write(c->channel, &octet, 1) == 1) {
        return;
    }
    LOG(WARN, "worker process %d cannot be told: %s", (int)c->pid,
        errno == EAGAIN ? "it does not listen" : strerror(errno));
    if (command == SERVICE_STOP) {
        end_by_force(c);
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
    LOG(WARN, "worker process %d: its time to %s is over; it is ended", (int)c->pid,
        c->leaving ? "finish" : "start");
    end_by_force(c);
}

static void kill_after(struct child *c, ev_tstamp seconds)
{
    ev_timer_stop(c->m->loop, &c->grace);
    ev_timer_set(&c->grace, seconds > 0 ? seconds : 0, 0);
    ev_timer_start(c->m->loop, &c->grace);
}

/* The time to finish what is in progress. */
static void give_time(struct child *c)
{
    uint64_t grace = c->m->cfg->worker_process_grace_shutdown_period;
    ev_timer_stop(c->m->loop, &c->grace);
    if (c == c->m->candidate && !c->ready) {
        kill_after(c, PATIENCE);
    } else if (grace > 0) {
        kill_after(c, (ev_tstamp)grace / 1000);
    }
}

/* Tells it to end; a grace period is given to those that a reload replaces. */
static void dismiss(struct child *c, enum service_command how)
{
    if (c->leaving && how == SERVICE_DRAIN) {
        tell(c, how); /* its successor ends too: who closes the sockets last takes what waits */
        return;
    }
    if (c->leaving && how != SERVICE_STOP) {
        return;
    }
    c->leaving = true;
    tell(c, how);
    if (how == SERVICE_STOP) {
        kill_after(c, PATIENCE);
    } else {
        give_time(c);
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

/* The worker process: never returns. What belongs to the main process only is left behind, and
 * among that the sockets of another configuration: addresses that a reload gives up, or opens. */
_Noreturn static void be_child(struct master *m, struct config *cfg, struct sockets *sockets,
                               int channel)
{
    enter_start_directory(m);
    system_daemon_forget();
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
    sockets_leave(sockets == &m->sockets ? &m->next_sockets : &m->sockets, sockets);

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
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK); /* this end only: see tell() */
    enter_start_directory(m);
    system_give_logs(cfg);
    leave_start_directory(m);
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
    if (successor_is_alive(&m->successor)) { /* it may have said already that it is the one */
        leave_start_directory(m);
        return;
    }
    (void)system_write_pid_file(m->cfg);
    leave_start_directory(m);
    char status[64];
    snprintf(status, sizeof(status), "serving with worker process %d", (int)m->current->pid);
    m->serving = true;
    life_ready(status);
}

/* One that is not in force any more, if the new one has none or another one. */
static void remove_old_pid_file(struct master *m, const struct config *old)
{
    if (old->pid_file == NULL ||
        (m->cfg->pid_file != NULL && strcmp(old->pid_file, m->cfg->pid_file) == 0)) {
        return;
    }
    enter_start_directory(m);
    system_remove_pid_file(old);
    leave_start_directory(m);
}

/* The candidate of a reload serves: it is the one from now on. */
static void promote(struct master *m)
{
    struct config *old = m->cfg;
    m->cfg = m->next_cfg;
    m->next_cfg = NULL;
    remove_old_pid_file(m, old);
    cfg_unref(old);
    sockets_retire(&m->sockets, &m->next_sockets);
    m->sockets = m->next_sockets;
    m->next_sockets = (struct sockets){0};
    m->current = m->candidate;
    m->candidate = NULL;
    ev_timer_stop(m->loop, &m->current->grace);
    ev_timer_stop(m->loop, &m->restart); /* the one before may have died meanwhile */
    LOG(NOTICE, "reloaded: worker process %d serves", (int)m->current->pid);
    list_each(node, &m->children)
    {
        struct child *c = container_of(node, struct child, node);
        if (c != m->current) { /* one that never came to serve has nothing to finish */
            dismiss(c, c->ready ? SERVICE_HAND_OVER : SERVICE_STOP);
        }
    }
    limit_children(m);
    announce(m);
}

static void forget_reload(struct master *m)
{
    enter_start_directory(m);
    sockets_abandon(&m->next_sockets);
    leave_start_directory(m);
    cfg_unref(m->next_cfg);
    m->next_cfg = NULL;
    m->candidate = NULL;
    m->reload_again = false;
}

static void give_reload_up(struct master *m)
{
    bool again = m->reload_again;
    forget_reload(m);
    m->reload_again = again;
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
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        ev_io_stop(loop, io); /* how it ended is told by on_end() */
        return;
    }
    if (said != SERVICE_READY || c->ready) { /* whoever has taken it over must not harm us too */
        LOG(ERROR, "worker process %d said %d, which means nothing; it is ended", (int)c->pid,
            said);
        ev_io_stop(loop, io);
        kill(c->pid, SIGKILL);
        return;
    }
    c->ready = true;
    if (m->stopping) {
        give_time(c); /* a candidate that came too late has connections all the same */
    } else if (c == m->candidate) {
        promote(m);
        after_reload(m);
    } else if (c == m->current) {
        announce(m);
        after_reload(m);
    }
}

/* ---------------------------------------------------------------- reload */

/* None of the worker processes is one that may still listen where the others do not. */
static bool all_stay(const struct master *m)
{
    list_each(node, &m->children)
    {
        if (container_of(node, struct child, node)->leaving) {
            return false;
        }
    }
    return true;
}

static bool load_next(struct master *m)
{
    if (cfg_load_again(m->argc, m->argv, stdout, stderr, &m->next_cfg, cfg_has_file(m->cfg)) !=
        CFG_OK) {
        return false;
    }
    const char *fixed;
    while ((fixed = cfg_keep_fixed(m->next_cfg, m->cfg)) != NULL) {
        LOG(WARN, "%s cannot change at a reload; it stays as it was", fixed);
    }
    if (all_stay(m)) {
        sockets_forget_left(&m->sockets);
    }
    return system_check_user(m->next_cfg) && system_check_pid_file(m->next_cfg) &&
           sockets_open(&m->next_sockets, m->next_cfg, &m->sockets);
}

static void reload(struct master *m)
{
    struct timespec now;
    if (m->candidate != NULL) {
        m->reload_again = true; /* when what is on its way has come to its end, */
        kill_after(m->candidate, m->candidate->since + USUAL_START - ev_now(m->loop)); /* soon */
        return;
    }
    if (successor_is_alive(&m->successor)) {
        LOG(NOTICE, "a new binary is starting; it reloads when it serves");
        m->reload_again = true; /* it may have read the configuration before it was changed */
        return;
    }
    if (!m->serving) { /* afterwards a worker process that cannot start is a reason to reload */
        m->reload_again = true;
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    system_notify("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
                  (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    enter_start_directory(m);
    bool good = load_next(m);
    leave_start_directory(m);
    if (good) {
        health_new_generation();
    }
    m->candidate = good ? spawn(m, m->next_cfg, &m->next_sockets) : NULL;
    if (m->candidate == NULL) {
        give_reload_up(m);
        return;
    }
    kill_after(m->candidate, LONGEST_START);
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
    if (never_served || c->ended) {
        return; /* it has said what is wrong, or we have */
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
    if (m->delay > 0) {
        LOG(NOTICE, "a worker process is started again in %.1f s", m->delay);
    } else {
        LOG(NOTICE, "a worker process is started again at once");
    }
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
    bool failed = !c->ended && (!WIFEXITED(status) || WEXITSTATUS(status) != 0);
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
    successor_start(&m->successor, loop, m->argv, m->directory, &m->sockets, cfg_has_file(m->cfg));
}

static void stop(struct master *m, bool now)
{
    bool handed_over = successor_is_alive(&m->successor);
    m->stopping = true;
    ev_timer_stop(m->loop, &m->restart);
    successor_leave(&m->successor, m->loop);
    if (!handed_over) { /* to systemd this is one service, and it goes on */
        life_stopping(now);
    } else if (m->reload_again) {
        kill(m->successor.pid, SIGHUP);
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
    forget_reload(m);
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

/* The new binary has ended, and may have said before that it serves. */
static void on_no_successor(void *arg)
{
    struct master *m = arg;
    enter_start_directory(m);
    (void)system_write_pid_file(m->cfg);
    leave_start_directory(m);
    life_ready("the new binary did not start; this one serves on");
    after_reload(m);
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
    if (!life_begin(m->cfg, &m->sockets)) {
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
    successor_init(&m->successor, on_no_successor, m);
    life_watch(m->loop);
    system_hold_signals(false);
    m->current = spawn(m, m->cfg, &m->sockets);
    if (m->current == NULL) {
        m->status = EXIT_FAILURE;
    } else {
        ev_run(m->loop, 0);
    }
    system_hold_signals(true);
    life_unwatch(m->loop);
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
    enter_start_directory(&m);
    if (!successor_is_alive(&m.successor)) {
        system_remove_pid_file(m.cfg);
    }
    if (!m.serving) {
        sockets_abandon(&m.sockets); /* nothing half-started stays behind */
    }
    sockets_close(&m.sockets);
    if (m.directory >= 0) {
        close(m.directory);
    }
    cfg_unref(m.cfg);
    return m.status;
}
