/* Limits, user, background, PID file, systemd. */
#include "process/system.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config.h"
#include "ops/log.h"

void system_hold_signals(bool hold)
{
    static const int handled[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGTERM, SIGINT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        sigaddset(&set, handled[i]);
    }
    sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* ---------------------------------------------------------------- limits */

void system_limits(const struct config *cfg)
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

/* ---------------------------------------------------------------- user */

static const struct passwd *find_user(const struct config *cfg)
{
    errno = 0;
    const struct passwd *pw = getpwnam(cfg->user);
    if (pw == NULL) {
        LOG(FATAL, "user: %s: %s; expected the name of a user of this machine", cfg->user,
            errno != 0 ? strerror(errno) : "no such user");
    }
    return pw;
}

bool system_check_user(const struct config *cfg)
{
    return cfg->user == NULL || find_user(cfg) != NULL;
}

bool system_become_user(const struct config *cfg)
{
    if (cfg->user == NULL) {
        return true;
    }
    const struct passwd *pw = find_user(cfg);
    if (pw == NULL) {
        return false;
    }
    if (getuid() == pw->pw_uid && geteuid() == pw->pw_uid) {
        return true;
    }
    if (initgroups(pw->pw_name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 ||
        setuid(pw->pw_uid) != 0) {
        LOG(FATAL, "user: %s: this process may not become that user: %s", cfg->user,
            strerror(errno));
        return false;
    }
    if (pw->pw_uid != 0 && setuid(0) == 0) {
        LOG(FATAL, "user: %s: the way back to root is still open", cfg->user);
        return false;
    }
    return true;
}

static void give_file(const struct config *cfg, int fd)
{
    const struct passwd *pw = cfg->user != NULL ? getpwnam(cfg->user) : NULL;
    if (pw != NULL && geteuid() == 0 && fchown(fd, pw->pw_uid, pw->pw_gid) != 0) {
        LOG(WARN, "user: %s: a file cannot be given to that user: %s", cfg->user, strerror(errno));
    }
}

static void give_log(const struct config *cfg, const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd >= 0) { /* what is wrong with the path is said when it is opened for good */
        give_file(cfg, fd);
        close(fd);
    }
}

void system_give_logs(const struct config *cfg)
{
    if (cfg->user == NULL || geteuid() != 0) {
        return;
    }
    if (cfg->accesslog_file != NULL && !cfg->accesslog_syslog) {
        give_log(cfg, cfg->accesslog_file);
    }
    if (strcmp(cfg->errorlog_file, "/dev/stderr") != 0 && !cfg->errorlog_syslog) {
        give_log(cfg, cfg->errorlog_file);
    }
}

/* ---------------------------------------------------------------- background */

static int ready_pipe = -1;

/* In the parent: the child's end decides how it ends. */
static void wait_and_exit(int fd, pid_t child)
{
    char ready;
    ssize_t n;
    do {
        n = read(fd, &ready, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        _exit(EXIT_SUCCESS);
    }
    waitpid(child, NULL, 0);
    _exit(EXIT_FAILURE);
}

bool system_daemonize(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child < 0) {
        return false;
    }
    if (child > 0) {
        close(ends[1]);
        wait_and_exit(ends[0], child);
    }
    close(ends[0]);
    ready_pipe = ends[1];
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        close(null);
    }
    return true;
}

void system_daemon_ready(void)
{
    if (ready_pipe < 0) {
        return;
    }
    ssize_t ignored = write(ready_pipe, "", 1); /* it may have been killed */
    (void)ignored;
    close(ready_pipe);
    ready_pipe = -1;
    log_leave_terminal();
}

/* ---------------------------------------------------------------- PID file */

bool system_write_pid_file(const struct config *cfg)
{
    char path[4096];
    if (cfg->pid_file == NULL) {
        return true;
    }
    int len = snprintf(path, sizeof(path), "%s.%d", cfg->pid_file, (int)getpid());
    int fd = len < (int)sizeof(path)
                 ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)
                 : -1;
    bool ok = fd >= 0 && dprintf(fd, "%d\n", (int)getpid()) > 0;
    if (ok) {
        give_file(cfg, fd);
        ok = rename(path, cfg->pid_file) == 0;
    }
    if (!ok) {
        LOG(ERROR, "pid-file: %s: %s", cfg->pid_file,
            len < (int)sizeof(path) ? strerror(errno) : "the path is too long");
        (void)unlink(path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

void system_remove_pid_file(const struct config *cfg)
{
    FILE *f = cfg->pid_file != NULL ? fopen(cfg->pid_file, "re") : NULL;
    int pid = 0;
    if (f == NULL) {
        return;
    }
    bool ours = fscanf(f, "%d", &pid) == 1 && pid == (int)getpid();
    (void)fclose(f);
    if (ours) {
        (void)unlink(cfg->pid_file);
    }
}

/* ---------------------------------------------------------------- systemd */

void system_notify(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)sd_notify(0, text);
}

unsigned long long system_watchdog_us(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}
