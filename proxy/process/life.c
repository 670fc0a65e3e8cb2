/* Beginning, serving, stopping, as others see it. */
#include "process/life.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "net/sockets.h"
#include "ops/log.h"
#include "process/successor.h"
#include "process/system.h"

static ev_timer watchdog; /* one loop of a process speaks for it */

static bool open_sockets(const struct config *cfg, struct sockets *sockets)
{
    struct sockets inherited = {0};
    successor_inherit(&inherited);
    if (!sockets_open(sockets, cfg, &inherited)) {
        sockets_forget(&inherited);
        return false;
    }
    sockets_retire(&inherited, sockets);
    return true;
}

bool life_begin(const struct config *cfg, struct sockets *sockets)
{
    if (!system_check_user(cfg) || !system_check_pid_file(cfg) || !open_sockets(cfg, sockets)) {
        return false;
    }
    /* A new binary is where the one before is, which knows it as its child. */
    if (cfg->daemon && !successor_takes_over() && !system_daemonize()) {
        LOG(FATAL, "daemon: %s", strerror(errno));
        sockets_abandon(sockets);
        return false;
    }
    return true;
}

void life_ready(const char *status)
{
    system_notify("READY=1\nMAINPID=%d\nSTATUS=%s", (int)getpid(), status);
    system_daemon_ready();
    successor_took_over();
}

void life_stopping(bool now)
{
    system_notify("STOPPING=1\nSTATUS=%s", now ? "stopping" : "finishing what is in progress");
}

static void on_watchdog(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)loop;
    (void)t;
    (void)revents;
    system_notify("WATCHDOG=1");
}

void life_watch(struct ev_loop *loop)
{
    ev_tstamp beat = (ev_tstamp)system_watchdog_us() / 2e6; /* twice in the time that it allows */
    ev_timer_init(&watchdog, on_watchdog, beat, beat);
    if (beat > 0) {
        ev_timer_start(loop, &watchdog);
    }
}

void life_unwatch(struct ev_loop *loop)
{
    ev_timer_stop(loop, &watchdog);
}
