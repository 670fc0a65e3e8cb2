/* Handing over to a new binary, and taking over from the one before. */
#include "process/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "net/block.h"
#include "ops/log.h"
#include "process/system.h"

#define ACCEPT    "NGHTTPX_ACCEPT_"
#define ORIG_PID  "NGHTTPX_ORIG_PID"
#define CONF_READ "NGHTTPX_CONF_READ"
#define OUR_KIND  "fd," /* in front of a socket of this program's */

static char file[PATH_MAX]; /* an absolute path, symbolic links and all: an upgrade may move them */
static pid_t predecessor;

/* ---------------------------------------------------------------- the program's file */

static bool make_absolute(const char *name)
{
    if (name[0] == '/') {
        return (size_t)snprintf(file, sizeof(file), "%s", name) < sizeof(file);
    }
    char cwd[PATH_MAX];
    return getcwd(cwd, sizeof(cwd)) != NULL &&
           (size_t)snprintf(file, sizeof(file), "%s/%s", cwd, name) < sizeof(file);
}

void successor_remember_file(const char *argv0)
{
    if (strchr(argv0, '/') != NULL) {
        if (!make_absolute(argv0)) {
            file[0] = '\0';
        }
        return;
    }
    const char *path = getenv("PATH");
    for (const char *p = path != NULL ? path : "/usr/bin:/bin"; *p != '\0';) {
        size_t len = strcspn(p, ":");
        char name[PATH_MAX];
        int n = snprintf(name, sizeof(name), "%.*s/%s", (int)len, len > 0 ? p : ".", argv0);
        if (n > 0 && (size_t)n < sizeof(name) && access(name, X_OK) == 0 && make_absolute(name)) {
            return;
        }
        p += len + (p[len] == ':');
    }
    file[0] = '\0';
}

/* ---------------------------------------------------------------- handing over */

/* A new binary has this long to serve; if the operator asks again, this long. Seconds. */
#define LONGEST_START 60.0
#define USUAL_START   5.0

static void on_end(struct ev_loop *loop, ev_child *w, int revents)
{
    (void)revents;
    struct successor *s = w->data;
    ev_child_stop(loop, w);
    ev_timer_stop(loop, &s->limit);
    s->alive = false;
    LOG(ERROR, "the new binary (process %d) has ended %s %d%s", w->rpid,
        WIFSIGNALED(w->rstatus) ? "by signal" : "with status",
        WIFSIGNALED(w->rstatus) ? WTERMSIG(w->rstatus) : WEXITSTATUS(w->rstatus),
        s->over ? "" : "; this process serves on");
    if (!s->over) {
        s->failed(s->arg);
    }
}

static void on_limit(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct successor *s = t->data;
    LOG(ERROR, "the new binary (process %d) does not come to serve; it is ended", (int)s->pid);
    kill(s->pid, SIGKILL);
}

static bool export_socket(size_t number, const struct listen_socket *one)
{
    char name[48], value[96];
    snprintf(name, sizeof(name), ACCEPT "%zu", number);
    if (one->file.inode != 0) {
        snprintf(value, sizeof(value), OUR_KIND "%d,%llu:%llu", one->fd,
                 (unsigned long long)one->file.device, (unsigned long long)one->file.inode);
    } else {
        snprintf(value, sizeof(value), OUR_KIND "%d", one->fd);
    }
    return fcntl(one->fd, F_SETFD, 0) == 0 && setenv(name, value, 1) == 0;
}

/* In the child. Only a failure returns. */
static void execute(char **argv, int directory, const struct sockets *sockets, bool conf_read)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getppid());
    for (size_t i = 0; i < sockets->n; i++) {
        if (!export_socket(i + 1, &sockets->list[i])) {
            return;
        }
    }
    if (setenv(ORIG_PID, pid, 1) != 0 || (conf_read && setenv(CONF_READ, "1", 1) != 0) ||
        (directory >= 0 && fchdir(directory) != 0)) {
        return;
    }
    system_goes_on_for(getppid());
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(file, argv);
}

/* Returns 0 and the process, or an errno. */
static int run(char **argv, int directory, const struct sockets *sockets, bool conf_read,
               pid_t *pid)
{
    int failure[2], error = 0;
    if (pipe2(failure, O_CLOEXEC) != 0) {
        return errno;
    }
    *pid = fork();
    if (*pid == 0) {
        execute(argv, directory, sockets, conf_read);
        error = errno;
        ssize_t ignored = write(failure[1], &error, sizeof(error));
        (void)ignored;
        _exit(EXIT_FAILURE);
    }
    error = *pid < 0 ? errno : 0;
    close(failure[1]);
    if (*pid > 0 && read(failure[0], &error, sizeof(error)) <= 0) {
        error = 0; /* the pipe was closed by the execution */
    }
    close(failure[0]);
    if (*pid > 0 && error != 0) {
        (void)waitpid(*pid, NULL, 0); /* it ends at once, and its end is told here */
    }
    return error;
}

void successor_init(struct successor *s, void (*failed)(void *arg), void *arg)
{
    *s = (struct successor){.failed = failed, .arg = arg};
    ev_timer_init(&s->limit, on_limit, LONGEST_START, 0);
    s->limit.data = s;
}

static void start_again(struct successor *s, struct ev_loop *loop)
{
    ev_tstamp left = s->since + USUAL_START - ev_now(loop);
    LOG(WARN, "SIGUSR2: a new binary (process %d) is already starting", (int)s->pid);
    ev_timer_stop(loop, &s->limit);
    ev_timer_set(&s->limit, left > 0 ? left : 0, 0);
    ev_timer_start(loop, &s->limit);
}

void successor_start(struct successor *s, struct ev_loop *loop, char **argv, int directory,
                     const struct sockets *sockets, bool conf_read)
{
    if (s->alive) {
        start_again(s, loop);
        return;
    }
    if (file[0] == '\0') {
        LOG(ERROR, "SIGUSR2: the program's file is not known; expected it in PATH at the start");
        return;
    }
    LOG(NOTICE, "SIGUSR2: executing %s", file);
    system_notify("RELOADING=1\nSTATUS=a new binary is starting");
    int error = run(argv, directory, sockets, conf_read, &s->pid);
    if (error != 0) {
        LOG(ERROR, "SIGUSR2: %s: %s; this process serves on", file, strerror(error));
        s->failed(s->arg);
        return;
    }
    s->alive = true;
    s->since = ev_now(loop);
    ev_child_init(&s->end, on_end, s->pid, 0);
    s->end.data = s;
    ev_child_start(loop, &s->end);
    ev_timer_set(&s->limit, LONGEST_START, 0);
    ev_timer_start(loop, &s->limit);
}

bool successor_is_alive(const struct successor *s)
{
    return s->alive;
}

void successor_leave(struct successor *s, struct ev_loop *loop)
{
    s->over = true;
    ev_timer_stop(loop, &s->limit);
}

/* ---------------------------------------------------------------- taking over */

/* The number behind the first comma: all that is needed of "tcp,5" and "unix,6,/run/x". */
static int descriptor_of(const char *value)
{
    const char *comma = strchr(value, ',');
    char *end;
    if (comma == NULL) {
        return -1;
    }
    long fd = strtol(comma + 1, &end, 10);
    return end != comma + 1 && (*end == '\0' || *end == ',') && fd > 2 && fd < INT_MAX ? (int)fd
                                                                                       : -1;
}

/* Of a UNIX socket that this program has handed on. */
static struct socket_file file_of(const char *value)
{
    unsigned long long device, inode;
    if (sscanf(value, OUR_KIND "%*d,%llu:%llu", &device, &inode) != 2) {
        return (struct socket_file){0};
    }
    return (struct socket_file){device, inode};
}

static void adopt(struct sockets *s, int fd, struct socket_file at, const char *where)
{
    if (fd < 0 || !sockets_adopt(s, fd, at)) {
        LOG(WARN, "%s: no listening socket; it is not used", where);
    }
}

bool successor_needs_conf(void)
{
    bool needs = getenv(CONF_READ) != NULL;
    unsetenv(CONF_READ);
    return needs;
}

void successor_inherit(struct sockets *inherited)
{
    char name[48];
    for (size_t i = 1;; i++) {
        snprintf(name, sizeof(name), ACCEPT "%zu", i);
        const char *value = getenv(name);
        if (value == NULL) {
            break;
        }
        adopt(inherited, descriptor_of(value), file_of(value), name);
        unsetenv(name);
    }
    const char *pid = getenv(ORIG_PID);
    if (pid != NULL) {
        /* Whoever starts us can write anything there: it is the parent, or it is nobody. */
        if (strtol(pid, NULL, 10) == (long)getppid()) {
            predecessor = getppid();
        } else {
            LOG(WARN, ORIG_PID ": %s did not start this process; it is left alone", pid);
        }
        unsetenv(ORIG_PID);
    }
    int n = sd_listen_fds(1);
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
        adopt(inherited, fd, (struct socket_file){0}, "LISTEN_FDS");
    }
}

bool successor_takes_over(void)
{
    return predecessor > 1;
}

void successor_took_over(void)
{
    if (predecessor > 1) {
        LOG(NOTICE, "taking over from process %d", (int)predecessor);
        if (kill(predecessor, SIGQUIT) != 0) {
            LOG(WARN, "process %d: %s", (int)predecessor, strerror(errno));
        }
        predecessor = 0;
    }
}
