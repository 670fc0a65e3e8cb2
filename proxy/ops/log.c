/* The error log. */
#include "ops/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "net/block.h"
#include "ops/log_file.h"

static char *log_path; /* NULL: stderr as it is */
static bool for_user;  /* the file is --user's */
static enum cfg_log_level log_level = CFG_LOG_NOTICE;
static bool to_syslog;
static bool to_journal;
static int main_pid;
static void (*divert_to)(enum cfg_log_level level, const char *text, void *arg);
static void *divert_arg;

static const char *const level_names[] = {
    [CFG_LOG_INFO] = "INFO",   [CFG_LOG_NOTICE] = "NOTICE", [CFG_LOG_WARN] = "WARN",
    [CFG_LOG_ERROR] = "ERROR", [CFG_LOG_FATAL] = "FATAL",
};

/* Everything that is written to stderr, libraries' words too, belongs into the log: stderr itself
 * is pointed at it. */
static bool redirect_stderr(const char *path, bool users)
{
    int fd = log_file_open(path, users);
    if (fd < 0) {
        return false;
    }
    bool ok = dup2(fd, STDERR_FILENO) >= 0;
    close(fd);
    return ok;
}

/* Also serves the access log: there is one connection to syslog in a process. */
static void open_syslog(enum cfg_facility facility)
{
    static const int codes[] = {
        [CFG_FACILITY_AUTH] = LOG_AUTH,     [CFG_FACILITY_AUTHPRIV] = LOG_AUTHPRIV,
        [CFG_FACILITY_CRON] = LOG_CRON,     [CFG_FACILITY_DAEMON] = LOG_DAEMON,
        [CFG_FACILITY_FTP] = LOG_FTP,       [CFG_FACILITY_KERN] = LOG_KERN,
        [CFG_FACILITY_LOCAL0] = LOG_LOCAL0, [CFG_FACILITY_LOCAL1] = LOG_LOCAL1,
        [CFG_FACILITY_LOCAL2] = LOG_LOCAL2, [CFG_FACILITY_LOCAL3] = LOG_LOCAL3,
        [CFG_FACILITY_LOCAL4] = LOG_LOCAL4, [CFG_FACILITY_LOCAL5] = LOG_LOCAL5,
        [CFG_FACILITY_LOCAL6] = LOG_LOCAL6, [CFG_FACILITY_LOCAL7] = LOG_LOCAL7,
        [CFG_FACILITY_LPR] = LOG_LPR,       [CFG_FACILITY_MAIL] = LOG_MAIL,
        [CFG_FACILITY_NEWS] = LOG_NEWS,     [CFG_FACILITY_SYSLOG] = LOG_SYSLOG,
        [CFG_FACILITY_USER] = LOG_USER,     [CFG_FACILITY_UUCP] = LOG_UUCP,
    };
    openlog("nghttpx", LOG_NDELAY | LOG_PID, codes[facility]);
}

/* Whether stderr is the journal of systemd: it adds time, process and level by itself, and takes
 * the level from the line (sd-daemon(3)). */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM"); /* device:inode (systemd.exec(5)) */
    struct stat st;
    char own[64];
    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0) {
        return false;
    }
    snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    return strcmp(own, stream) == 0;
}

bool log_open(const struct config *cfg)
{
    bool users = cfg->user != NULL;
    bool to_file = !cfg->errorlog_syslog && strcmp(cfg->errorlog_file, "/dev/stderr") != 0;
    if (to_file && !redirect_stderr(cfg->errorlog_file, users)) {
        LOG(FATAL, "errorlog-file: %s: %s", cfg->errorlog_file, log_file_why(errno));
        return false;
    }
    free(log_path); /* its own copy: a configuration may be gone before the log is opened again */
    log_path = to_file ? xstrdup(cfg->errorlog_file) : NULL;
    for_user = users;
    log_level = (enum cfg_log_level)cfg->log_level;
    if (cfg->errorlog_syslog || cfg->accesslog_syslog) {
        open_syslog((enum cfg_facility)cfg->syslog_facility);
    }
    to_syslog = cfg->errorlog_syslog;
    to_journal = !to_file && is_journal();
    return true;
}

void log_set_main_pid(int pid)
{
    main_pid = pid;
}

void log_leave_terminal(void)
{
    int fd = log_path == NULL ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)dup2(fd, STDERR_FILENO);
        close(fd);
    }
}

void log_reopen(void)
{
    if (log_path != NULL && !redirect_stderr(log_path, for_user)) {
        LOG(ERROR, "errorlog-file: %s: %s; the old file is still used", log_path,
            log_file_why(errno));
    }
}

void log_divert(void (*to)(enum cfg_log_level level, const char *text, void *arg), void *arg)
{
    divert_to = to;
    divert_arg = arg;
}

bool log_wants(enum cfg_log_level level)
{
    return level >= log_level;
}

void log_write(enum cfg_log_level level, const char *file, int line, const char *fmt, ...)
{
    struct timespec ts;
    struct tm tm;
    char when[40], zone[8], text[1024];
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof(zone), "%z", &tm);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (divert_to != NULL) {
        divert_to(level, text, divert_arg);
        return;
    }
    const char *slash = strrchr(file, '/');
    static const int priorities[] = {
        [CFG_LOG_INFO] = LOG_INFO, [CFG_LOG_NOTICE] = LOG_NOTICE, [CFG_LOG_WARN] = LOG_WARNING,
        [CFG_LOG_ERROR] = LOG_ERR, [CFG_LOG_FATAL] = LOG_CRIT,
    };
    if (to_syslog) {
        syslog(priorities[level], "%s (%s:%d) %s", level_names[level],
               slash != NULL ? slash + 1 : file, line, text);
        if (level != CFG_LOG_FATAL) {
            return;
        }
        /* Why it does not start is also told to whoever started it. */
    }
    char out[1200];
    int n;
    if (to_journal) {
        n = snprintf(out, sizeof(out), "<%d>%s (%s:%d) %s\n", priorities[level], level_names[level],
                     slash != NULL ? slash + 1 : file, line, text);
    } else {
        n = snprintf(out, sizeof(out), "%s.%03ld%.3s:%s %d %d %08lx %s (%s:%d) %s\n", when,
                     ts.tv_nsec / 1000000, zone, zone + 3, main_pid != 0 ? main_pid : (int)getpid(),
                     (int)getpid(), (unsigned long)syscall(SYS_gettid), level_names[level],
                     slash != NULL ? slash + 1 : file, line, text);
    }
    if (n < 0) {
        return;
    }
    size_t len = (size_t)n < sizeof(out) ? (size_t)n : sizeof(out) - 1;
    /* One write a line, so that lines of several threads do not mix. A log that cannot be written
     * is no reason to stop. */
    ssize_t ignored = write(STDERR_FILENO, out, len);
    (void)ignored;
}
