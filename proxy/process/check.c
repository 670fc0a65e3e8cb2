/*
 * --check-config: all that can fail when the program starts, but for opening ports: keys and
 * certificates are loaded, names looked up, log files tried. Nothing is made or changed.
 */
#include "process/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "ops/log.h"
#include "ops/log_file.h"
#include "process/system.h"
#include "route/routes.h"
#include "tls/tls.h"

/* What the log would get is the result. */
static void take(enum cfg_log_level level, const char *text, void *arg)
{
    struct config *cfg = arg;
    bool warning = level < CFG_LOG_ERROR;
    if (level < CFG_LOG_WARN) {
        return;
    }
    if (cfg->format == CFG_FORMAT_JSON) {
        cfg_add_fault(cfg, warning, text);
    } else {
        fprintf(stderr, "nghttpx: %s%s\n", warning ? "warning: " : "", text);
    }
}

/* What is made when it is not there: then it is the folder that counts. 0, or an errno. */
static int check_folder_of(const char *path)
{
    char *folder = strdup(path);
    if (folder == NULL) {
        return ENOMEM;
    }
    char *slash = strrchr(folder, '/');
    const char *where = slash == NULL ? "." : slash == folder ? "/" : folder;
    if (slash != NULL && slash != folder) {
        *slash = '\0';
    }
    struct stat st;
    int error = stat(where, &st) != 0             ? errno
                : !S_ISDIR(st.st_mode)            ? ENOTDIR
                : access(where, W_OK | X_OK) != 0 ? errno
                                                  : 0;
    free(folder);
    return error;
}

/* A FIFO needs a reader when it is opened, so the one way to know is to try. 0, or an errno. */
static int check_fifo(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return 0;
}

static bool check_unix(const char *path)
{
    struct stat st;
    bool there = lstat(path, &st) == 0;
    int error = there && !S_ISSOCK(st.st_mode) ? EEXIST : check_folder_of(path);
    if (error != 0) {
        LOG(FATAL, "frontend: unix:%s: %s", path,
            error == EEXIST ? "exists and is not a socket; expected a socket or nothing"
                            : strerror(error));
    }
    return error == 0;
}

static bool check_frontend(const struct cfg_frontend *f)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    if (f->addr.path != NULL) {
        return check_unix(f->addr.path);
    }
    if (strcmp(f->addr.host, "*") == 0) {
        return true;
    }
    int rc = getaddrinfo(f->addr.host, NULL, &hints, &list);
    if (rc != 0) {
        LOG(FATAL, "frontend: %s,%u: the address does not resolve: %s", f->addr.host, f->addr.port,
            gai_strerror(rc));
        return false;
    }
    freeaddrinfo(list);
    return true;
}

static bool check_log(const char *option, const char *path)
{
    struct stat st;
    if (path == NULL) {
        return true;
    }
    int error = stat(path, &st) == 0 ? (S_ISDIR(st.st_mode)       ? EISDIR
                                        : S_ISFIFO(st.st_mode)    ? check_fifo(path)
                                        : access(path, W_OK) != 0 ? errno
                                                                  : 0)
                : errno == ENOENT    ? check_folder_of(path)
                                     : errno;
    if (error != 0) {
        LOG(FATAL, "%s: %s: %s", option, path, log_file_why(error));
    }
    return error == 0;
}

/* It is replaced, whatever it is but a folder. */
static bool check_pid_file(const char *path)
{
    struct stat st;
    if (path == NULL) {
        return true;
    }
    int error = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR : check_folder_of(path);
    if (error != 0) {
        LOG(FATAL, "pid-file: %s: %s", path, strerror(error));
    }
    return error == 0;
}

static bool check_tls(const struct config *cfg)
{
    SSL_CTX *ctx;
    bool good = tls_fronts_ctx(cfg, &ctx);
    SSL_CTX_free(ctx);
    return tls_check_files(cfg) && good;
}

static bool check_readable(const char *option, const char *path)
{
    if (path == NULL || access(path, R_OK) == 0) {
        return true;
    }
    LOG(FATAL, "%s: %s: %s", option, path, strerror(errno));
    return false;
}

static bool check_all(const struct config *cfg)
{
    tls_prepare();
    bool good = check_tls(cfg);
    good = check_readable("resolv-conf", cfg->resolv_conf) && good;
    struct routes *routes = routes_new(cfg);
    good = routes != NULL && good;
    routes_unref(routes);
    tls_cleanup();
    for (size_t i = 0; i < cfg->nfrontend; i++) {
        good = check_frontend(&cfg->frontend[i]) && good;
    }
    if (!cfg->errorlog_syslog) {
        good = check_log("errorlog-file", cfg->errorlog_file) && good;
    }
    if (!cfg->accesslog_syslog) {
        good = check_log("accesslog-file", cfg->accesslog_file) && good;
    }
    good = check_pid_file(cfg->pid_file) && good;
    return system_check_user(cfg) && good;
}

/* JSON is one object, whatever was asked for: of both, each is a member. */
static bool print(const struct config *cfg, bool good)
{
    bool json = cfg->format == CFG_FORMAT_JSON, both = cfg->check_config && cfg->print_config;
    bool ok = true;
    errno = 0;
    if (cfg->check_config && json) {
        fputs(both ? "{\"check\":\n" : "", stdout);
        ok = cfg_print_check_result(cfg, good, stdout);
        fputs(both ? ",\"config\":\n" : "", stdout);
    } else if (cfg->check_config && good && !both) {
        puts("nghttpx: the configuration is good");
    }
    if (cfg->print_config) {
        ok = cfg_print(cfg, cfg->format, stdout) && ok;
        fputs(json && both ? "}\n" : "", stdout);
    }
    ok = fflush(stdout) == 0 && !ferror(stdout) && ok;
    if (!ok) {
        fprintf(stderr, "nghttpx: standard output cannot be written: %s\n", strerror(errno));
    }
    return ok;
}

int check_run(struct config *cfg)
{
    bool good = true;
    if (cfg->check_config) {
        log_divert(take, cfg);
        good = check_all(cfg);
        log_divert(NULL, NULL);
    }
    bool written = print(cfg, good);
    cfg_unref(cfg);
    return written && good ? EXIT_SUCCESS : EXIT_FAILURE;
}
