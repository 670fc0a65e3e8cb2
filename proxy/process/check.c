/*
 * --check-config: all that can fail when the program starts, but for opening ports: keys and
 * certificates are loaded, names looked up, log files tried. Nothing is made or changed.
 */
#include "process/check.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "ops/log.h"
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

static bool check_frontend(const struct cfg_frontend *f)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    if (f->addr.path != NULL || strcmp(f->addr.host, "*") == 0) {
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

/* A log is made when it is not there, so then it is the folder that counts. */
static bool check_log(const char *option, const char *path)
{
    if (path == NULL || access(path, W_OK) == 0) {
        return true;
    }
    int error = errno;
    char *folder = error == ENOENT ? strdup(path) : NULL;
    if (folder != NULL) {
        char *slash = strrchr(folder, '/');
        const char *where = slash == NULL ? "." : slash == folder ? "/" : folder;
        if (slash != NULL && slash != folder) {
            *slash = '\0';
        }
        error = access(where, W_OK | X_OK) == 0 ? 0 : errno;
    }
    free(folder);
    if (error != 0) {
        LOG(FATAL, "%s: %s: %s", option, path, strerror(error));
    }
    return error == 0;
}

static bool check_tls(const struct config *cfg)
{
    bool front = false, good = true;
    for (size_t i = 0; i < cfg->nfrontend; i++) {
        front = front || cfg->frontend[i].tls;
    }
    if (front) {
        SSL_CTX *ctx = tls_server_ctx(cfg);
        good = ctx != NULL;
        SSL_CTX_free(ctx);
    }
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
    return system_check_user(cfg) && good;
}

int check_run(struct config *cfg)
{
    bool good = true;
    if (cfg->check_config) {
        log_divert(take, cfg);
        good = check_all(cfg);
        log_divert(NULL, NULL);
        if (cfg->format == CFG_FORMAT_JSON) {
            good = cfg_print_check_result(cfg, good, stdout) && good;
        } else if (good && !cfg->print_config) {
            puts("nghttpx: the configuration is good");
        }
    }
    if (cfg->print_config && !cfg_print(cfg, cfg->format, stdout)) {
        fprintf(stderr, "nghttpx: the configuration cannot be written: %s\n", strerror(errno));
        good = false;
    }
    cfg_unref(cfg);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
