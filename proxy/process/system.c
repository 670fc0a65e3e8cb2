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
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config.h"
#include "ops/log.h"
#include "ops/log_file.h"

void system_hold_early_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

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

static void give_log(const struct passwd *pw, const char *path)
{
    if (!log_file_make(path, pw->pw_uid, pw->pw_gid)) {
        LOG(WARN, "user: %s: %s cannot be made for that user: %s", pw->pw_name, path,
            log_file_why(errno));
    }
}

void system_give_logs(const struct config *cfg)
{
    if (cfg->user == NULL || geteuid() != 0) {
        return;
    }
    const struct passwd *pw = find_user(cfg);
    if (pw == NULL) {
        return;
    }
    if (cfg->accesslog_file != NULL && !cfg->accesslog_syslog) {
        give_log(pw, cfg->accesslog_file);
    }
    if (strcmp(cfg->errorlog_file, "/dev/stderr") != 0 && !cfg->errorlog_syslog) {
        give_log(pw, cfg->errorlog_file);
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
    system_goes_on_for(getppid());
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

void system_daemon_forget(void)
{
    if (ready_pipe >= 0) {
        close(ready_pipe);
        ready_pipe = -1;
    }
}

/* ---------------------------------------------------------------- PID file */

/* A new file beside it, with a name that nobody can have foreseen. -1: errno. */
static int open_beside(const char *path, char *name, size_t size)
{
    int len = snprintf(name, size, "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= size) {
        name[0] = '\0';
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) {
        name[0] = '\0';
    }
    return fd;
}

bool system_check_pid_file(const struct config *cfg)
{
    char name[4096];
    struct stat st;
    if (cfg->pid_file == NULL) {
        return true;
    }
    bool is_folder = lstat(cfg->pid_file, &st) == 0 && S_ISDIR(st.st_mode);
    int fd = is_folder ? -1 : open_beside(cfg->pid_file, name, sizeof(name));
    if (fd < 0) {
        LOG(FATAL, "pid-file: %s: %s", cfg->pid_file, strerror(is_folder ? EISDIR : errno));
        return false;
    }
    close(fd);
    (void)unlink(name);
    return true;
}

static bool write_pid(const struct config *cfg, int fd)
{
    const struct passwd *pw = cfg->user != NULL && geteuid() == 0 ? getpwnam(cfg->user) : NULL;
    return dprintf(fd, "%d\n", (int)getpid()) > 0 && fchmod(fd, 0644) == 0 &&
           (pw == NULL || fchown(fd, pw->pw_uid, pw->pw_gid) == 0);
}

bool system_write_pid_file(const struct config *cfg)
{
    char name[4096];
    if (cfg->pid_file == NULL) {
        return true;
    }
    int fd = open_beside(cfg->pid_file, name, sizeof(name));
    bool ok = fd >= 0 && write_pid(cfg, fd) && rename(name, cfg->pid_file) == 0;
    if (!ok) {
        LOG(ERROR, "pid-file: %s: %s", cfg->pid_file, strerror(errno));
        if (fd >= 0) {
            (void)unlink(name);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* The number in the file; 0: there is none, -1: it cannot be read. Never waits, whatever somebody
 * has put there. */
static long read_pid(const char *path)
{
    char text[16] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

void system_remove_pid_file(const struct config *cfg)
{
    long pid = cfg->pid_file != NULL ? read_pid(cfg->pid_file) : 0;
    if (pid == -1 || (pid == (long)getpid() && unlink(cfg->pid_file) != 0)) {
        LOG(WARN, "pid-file: %s: cannot be removed: %s", cfg->pid_file, strerror(errno));
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

void system_goes_on_for(pid_t before)
{
    const char *watched = getenv("WATCHDOG_PID"); /* sd_watchdog_enabled(3) */
    char own[16];
    if (watched != NULL && strtol(watched, NULL, 10) == (long)before) {
        snprintf(own, sizeof(own), "%d", (int)getpid());
        (void)setenv("WATCHDOG_PID", own, 1);
    }
}

unsigned long long system_watchdog_us(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}
