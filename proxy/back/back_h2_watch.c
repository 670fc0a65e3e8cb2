/* Whether an HTTP/2 backend is still there: PINGs, time-outs of the connection, and what becomes of
 * the requests on one that says nothing. */
#include "back/back_h2_internal.h"

#include "config.h"
#include "net/clock.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/routes.h"

#include "h2core/h2core.h"

/* After so long without a word the peer is asked whether it is still there, and has so long to say
 * so: what has died is found before a request is sent on it, and requests that wait for what has
 * died are sent elsewhere. */
#define PING_AFTER_MS  10000u
#define PING_ANSWER_MS 5000u
/* While streams wait it is looked so often whether anything was heard. */
#define LOOK_MS 5000u

/* What is left of `ms` since then; 0: they never end. */
static uint64_t left_of(uint64_t ms, uint64_t since, uint64_t now)
{
    return ms == 0 ? 0 : since + ms > now ? since + ms - now : 1;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The next of such steps from when something came: what goes out does not put it off. */
static uint64_t next_step(const struct back_h2 *b, uint64_t step, uint64_t now)
{
    return step == 0 ? 0 : step - (now - b->heard) % step;
}

static bool is_used(const struct back_h2 *b)
{
    return !list_empty(&b->streams) || !list_empty(&b->waiting);
}

static bool awaits_settings(const struct back_h2 *b)
{
    return b->ready && !b->settings_seen && b->settings_by != 0;
}

/* When to look at it again, ms from now; 0: never. */
static uint64_t patience(const struct back_h2 *b)
{
    const struct cfg_backend *cfg = b->pool->backend->cfg;
    uint64_t now = clock_ms();
    uint64_t health = cfg->fall > 0 && is_used(b) ? next_step(b, cfg->health_timeout, now) : 0;
    if (!b->ready) {
        return health; /* conn has its own time-out */
    }
    if (awaits_settings(b)) { /* nothing that it says gives it more time */
        return sooner(health, left_of(b->settings_by, 0, now));
    }
    if (list_empty(&b->streams) && b->answer_by == 0) {
        uint64_t settings = b->pool->worker->cfg->backend_http2_settings_timeout;
        return left_of(h2_conn_settings_acked(b->engine) ? PING_AFTER_MS : settings, b->moved, now);
    }
    if (list_empty(&b->streams)) {
        return left_of(b->answer_by, 0, now);
    }
    uint64_t look = sooner(health, next_step(b, LOOK_MS, now));
    look = sooner(look, left_of(b->pool->backend->read_timeout, b->moved, now));
    return b->answer_by > now ? sooner(look, b->answer_by - now) : look;
}

static void look_later(struct back_h2 *b)
{
    timer_set(&b->pool->worker->wheel, &b->timer, patience(b));
}

void back_h2_touch(struct back_h2 *b)
{
    if (b->answer_by == 0) { /* what is sent to one that does not answer is no sign of life */
        b->moved = clock_ms();
    }
    look_later(b);
}

/* Whether it is the backend that some exchange waits for, not a client that does not read. */
static bool waits_for_backend(const struct back_h2 *b)
{
    list_each(node, &b->streams)
    {
        const struct exchange *x = container_of(node, struct exchange, back_node);
        if (x->down.len == 0) {
            return true;
        }
    }
    return false;
}

/* RFC 9113, 6.7: whoever gets a PING answers at once. Whatever comes is a sign of life. */
static void ask_if_alive(struct back_h2 *b)
{
    static const uint8_t opaque[8];
    if (h2_conn_ping(b->engine, opaque) == H2_OK) { /* else it is ending */
        b->answer_by = clock_ms() + PING_ANSWER_MS;
        b->asked_unused = list_empty(&b->streams);
        conn_want_output(b->conn);
    }
}

static bool any_can_move(const struct back_h2 *b)
{
    list_each(node, &b->streams)
    {
        if (exchange_can_move(container_of(node, struct exchange, back_node), EXCHANGE_SENT)) {
            return true;
        }
    }
    return false;
}

/* The backend says nothing: those that another one can answer go there. The others stay, since it
 * may be busy and no more than that. */
static void send_on(struct back_h2 *b)
{
    unsigned n = 0;
    back_h2_stop_taking(b);
    list_each_safe(node, &b->streams)
    {
        struct exchange *x = container_of(node, struct exchange, back_node);
        if (exchange_can_move(x, EXCHANGE_SENT)) {
            (void)h2_conn_reset(b->engine, x->back_stream, H2_CANCEL);
            back_h2_lose(b, x, EXCHANGE_BACKEND_SILENT, EXCHANGE_SENT);
            n++;
        }
    }
    list_each_safe(node, &b->waiting)
    {
        struct exchange *x = container_of(node, struct exchange, back_node);
        if (exchange_can_move(x, EXCHANGE_UNSENT)) {
            back_h2_lose(b, x, EXCHANGE_BACKEND_SILENT, EXCHANGE_UNSENT);
            n++;
        }
    }
    if (n > 0) {
        LOG(INFO, "backend %s: it says nothing: %u requests go elsewhere", b->pool->text, n);
    }
}

/* Requests may wait for something. */
static void look_at_users(struct back_h2 *b, uint64_t now)
{
    if (!is_used(b)) {
        look_later(b);
        return;
    }
    const struct cfg_backend *cfg = b->pool->backend->cfg;
    uint64_t silent = now - b->heard;
    bool unheard = b->answer_by != 0 && now >= b->answer_by;
    if (unheard || (silent >= cfg->health_timeout && health_is_silent(b->pool->health, cfg))) {
        send_on(b);
    } else if (b->settings_seen && b->answer_by == 0 && silent >= PING_AFTER_MS &&
               any_can_move(b)) {
        ask_if_alive(b);
    }
    if (!is_used(b)) {
        back_h2_destroy(b, false);
    } else {
        look_later(b);
    }
}

static void time_out(struct back_h2 *b)
{
    if (!b->settings_seen) {
        pool_connect_failed(b->pool, &b->probes, true, "no SETTINGS in time");
    } else {
        LOG(WARN, "backend %s: nothing was heard in time; the connection is closed", b->pool->text);
    }
    back_h2_fail(b, EXCHANGE_BACKEND_TIMEOUT);
}

bool back_h2_is_overdue(const struct back_h2 *b)
{
    uint64_t most = b->pool->backend->read_timeout;
    return b->ready && !awaits_settings(b) && most != 0 && waits_for_backend(b) &&
           clock_ms() - b->moved >= most;
}

void back_h2_on_timeout(struct timer *t)
{
    struct back_h2 *b = container_of(t, struct back_h2, timer);
    assert(b->magic == BACK_H2_MAGIC);
    uint64_t now = clock_ms();
    bool unused = list_empty(&b->streams);
    if (b->answer_by != 0 && now >= b->answer_by && (unused || b->asked_unused)) {
        LOG(NOTICE, "backend %s: an idle connection is dead, and closed", b->pool->text);
        back_h2_fail(b, EXCHANGE_BACKEND_GONE);
    } else if (awaits_settings(b) && now >= b->settings_by) {
        send_on(b);
        time_out(b);
    } else if (!b->ready || awaits_settings(b)) {
        look_at_users(b, now);
    } else if (unused && !h2_conn_settings_acked(b->engine)) {
        time_out(b);
    } else if (unused) {
        if (b->answer_by == 0) {
            ask_if_alive(b);
        }
        look_later(b);
    } else if (!waits_for_backend(b)) {
        back_h2_touch(b);
    } else if (back_h2_is_overdue(b)) {
        time_out(b);
    } else {
        look_at_users(b, now);
    }
}
