/*
 * The program: reads the configuration and becomes the main process, or the only one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "net/sockets.h"
#include "ops/log.h"
#include "process/check.h"
#include "process/master.h"
#include "process/service.h"
#include "process/successor.h"
#include "process/system.h"
#include "route/health.h"

/* --single-process: no main process beside it, and so no reload, no restart, no swap. */
static int run_alone(struct config *cfg)
{
    struct sockets inherited = {0}, sockets = {0};
    struct service *s = NULL;
    bool ok = false;
    successor_inherit(&inherited);
    if (system_check_user(cfg) && (s = service_new(cfg)) != NULL &&
        sockets_open(&sockets, cfg, &inherited)) {
        sockets_retire(&inherited, &sockets);
        system_limits(cfg);
        ok = !cfg->daemon || system_daemonize();
        ok = ok && log_open(cfg) && system_write_pid_file(cfg) && system_become_user(cfg);
    }
    if (ok) {
        signal(SIGHUP, SIG_IGN);
        signal(SIGUSR2, SIG_IGN);
        system_daemon_ready();
        system_notify("READY=1\nSTATUS=serving");
        ok = service_run(s, &sockets, -1);
        system_remove_pid_file(cfg);
    }
    if (s != NULL) {
        service_free(s);
        sockets_forget(&sockets);
    }
    cfg_unref(cfg);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct config *cfg;
    switch (cfg_load(argc, argv, stdout, stderr, &cfg)) {
    case CFG_OK:
        break;
    case CFG_EXIT:
        return EXIT_SUCCESS;
    case CFG_ERROR:
        return EXIT_FAILURE;
    }
    if (cfg->check_config || cfg->print_config) {
        return check_run(cfg);
    }
    signal(SIGPIPE, SIG_IGN);
    system_hold_signals(true);
    successor_remember_file(argv[0]);
    health_map();
    return cfg->single_process ? run_alone(cfg) : master_run(argc, argv, cfg);
}
