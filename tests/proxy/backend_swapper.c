/*
 * The program with nothing but a service, whose backends are changed while it serves, as the API
 * does it; for integration/test_set_backends.py:
 *
 *   backend_swapper [OPTIONS as of nghttpx]
 *
 * For each line on standard input, the path of a configuration file, it calls
 * service_set_backends() and prints "done" or "refused". The end of standard input ends it, after
 * what is in progress.
 */
#include "process/service.h"

#include "config.h"
#include "net/sockets.h"
#include "ops/log.h"
#include "process/life.h"
#include "process/system.h"
#include "route/health.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **arguments;
static int narguments;

static struct config *load(const char *path)
{
    char conf[4200];
    struct config *cfg = NULL;
    snprintf(conf, sizeof(conf), "--conf=%s", path);
    arguments[1] = conf;
    return cfg_load(narguments, arguments, stdout, stderr, &cfg) == CFG_OK ? cfg : NULL;
}

static void *read_commands(void *service)
{
    char path[4096];
    while (fgets(path, sizeof(path), stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        struct config *cfg = load(path);
        puts(cfg != NULL && service_set_backends(service, cfg) ? "done" : "refused");
        fflush(stdout);
        cfg_unref(cfg);
    }
    kill(getpid(), SIGQUIT);
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockets sockets = {0};
    pthread_t thread;
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE [OPTION]...\n", argv[0]);
        return EXIT_FAILURE;
    }
    narguments = argc;
    arguments = argv;
    struct config *cfg = load(argv[1]);
    if (cfg == NULL) {
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    system_hold_signals(true); /* of all threads: the service's own waits for them */
    health_map();
    struct service *s = service_new(cfg);
    if (s == NULL || !log_open(cfg) || !life_begin(cfg, &sockets) ||
        pthread_create(&thread, NULL, read_commands, s) != 0) {
        return EXIT_FAILURE;
    }
    bool ok = service_run(s, &sockets, -1);
    sockets_forget(&sockets);
    pthread_join(thread, NULL);
    service_free(s);
    cfg_unref(cfg);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
