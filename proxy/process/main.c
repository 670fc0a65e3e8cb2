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
#include "process/life.h"
#include "process/master.h"
#include "process/service.h"
#include "process/successor.h"
#include "process/system.h"
#include "route/health.h"

/* What only root may: afterwards this process is --user. */
static bool leave_root(const struct config *cfg)
{
    if (!system_write_pid_file(cfg)) {
        return false;
    }
    if (cfg->user != NULL) {
        successor_took_over(); /* as --user we could not send a signal to root's process */
    }
    return system_become_user(cfg);
}

/* --single-process: no main process beside it, and so no reload, no restart, no swap. */
static int run_alone(struct config *cfg)
{
    struct sockets sockets = {0};
    bool ok = false;
    struct service *s = NULL;
    if (system_check_user(cfg)) {
        system_give_logs(cfg);
        s = service_new(cfg);
    }
    if (s != NULL && life_begin(cfg, &sockets)) {
        system_limits(cfg);
        if (log_open(cfg) && leave_root(cfg)) {
            ok = service_run(s, &sockets, -1);
            sockets_forget(&sockets); /* the service has closed them */
            system_remove_pid_file(cfg);
        } else {
            sockets_abandon(&sockets);
        }
    }
    if (s != NULL) {
        service_free(s);
    }
    cfg_unref(cfg);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct config *cfg;
    system_hold_early_signals();
    switch (cfg_load_again(argc, argv, stdout, stderr, &cfg, successor_needs_conf())) {
    case CFG_OK:
        break;
    case CFG_EXIT:
        if (fflush(stdout) != 0 || ferror(stdout)) {
            fprintf(stderr, "nghttpx: standard output cannot be written: %s\n", strerror(errno));
            return EXIT_FAILURE;
        }
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
