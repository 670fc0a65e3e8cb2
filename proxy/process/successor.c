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

#define ACCEPT   "NGHTTPX_ACCEPT_"
#define ORIG_PID "NGHTTPX_ORIG_PID"

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

static void on_end(struct ev_loop *loop, ev_child *w, int revents)
{
    (void)revents;
    struct successor *s = w->data;
    ev_child_stop(loop, w);
    s->alive = false;
    LOG(ERROR, "the new binary (process %d) has ended %s %d; this process serves on", w->rpid,
        WIFSIGNALED(w->rstatus) ? "by signal" : "with status",
        WIFSIGNALED(w->rstatus) ? WTERMSIG(w->rstatus) : WEXITSTATUS(w->rstatus));
    system_notify("READY=1\nMAINPID=%d\nSTATUS=the new binary did not start", (int)getpid());
}

static bool export_socket(size_t number, int fd)
{
    char name[48], value[32];
    snprintf(name, sizeof(name), ACCEPT "%zu", number);
    snprintf(value, sizeof(value), "fd,%d", fd);
    return fcntl(fd, F_SETFD, 0) == 0 && setenv(name, value, 1) == 0;
}

/* In the child. Only a failure returns. */
static void execute(char **argv, int directory, const struct sockets *sockets)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getppid());
    for (size_t i = 0; i < sockets->n; i++) {
        if (!export_socket(i + 1, sockets->list[i].fd)) {
            return;
        }
    }
    if (setenv(ORIG_PID, pid, 1) != 0 || (directory >= 0 && fchdir(directory) != 0)) {
        return;
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(file, argv);
}

void successor_start(struct successor *s, struct ev_loop *loop, char **argv, int directory,
                     const struct sockets *sockets)
{
    if (s->alive) {
        LOG(WARN, "SIGUSR2: a new binary is already starting");
        return;
    }
    if (file[0] == '\0') {
        LOG(ERROR, "SIGUSR2: the program's file is not known; expected it in PATH at the start");
        return;
    }
    LOG(NOTICE, "SIGUSR2: executing %s", file);
    int failure[2];
    if (pipe2(failure, O_CLOEXEC) != 0) {
        LOG(ERROR, "SIGUSR2: %s", strerror(errno));
        return;
    }
    system_notify("RELOADING=1\nSTATUS=a new binary is starting");
    pid_t pid = fork();
    if (pid == 0) {
        execute(argv, directory, sockets);
        int error = errno;
        ssize_t ignored = write(failure[1], &error, sizeof(error));
        (void)ignored;
        _exit(EXIT_FAILURE);
    }
    int error = pid < 0 ? errno : 0;
    close(failure[1]);
    if (pid > 0 && read(failure[0], &error, sizeof(error)) <= 0) {
        error = 0; /* the pipe was closed by the execution */
    }
    close(failure[0]);
    if (error != 0) {
        LOG(ERROR, "SIGUSR2: %s: %s; this process serves on", file, strerror(error));
        system_notify("READY=1\nSTATUS=the new binary did not start");
    }
    if (pid <= 0) {
        return;
    }
    s->alive = true;
    ev_child_init(&s->end, on_end, pid, 0);
    s->end.data = s;
    ev_child_start(loop, &s->end);
}

bool successor_is_alive(const struct successor *s)
{
    return s->alive;
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

static void adopt(struct sockets *s, int fd, const char *where)
{
    if (fd < 0 || !sockets_adopt(s, fd, (struct socket_file){0})) {
        LOG(WARN, "%s: no listening socket; it is not used", where);
    }
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
        adopt(inherited, descriptor_of(value), name);
        unsetenv(name);
    }
    const char *pid = getenv(ORIG_PID);
    if (pid != NULL) {
        predecessor = (pid_t)atoi(pid);
        unsetenv(ORIG_PID);
    }
    int n = sd_listen_fds(1);
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
        adopt(inherited, fd, "LISTEN_FDS");
    }
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
