/*
 * From a client to a backend and back, through a real front and a real back: whatever both of them
 * send, nothing breaks, and what arrives at the backend are requests that the client really made.
 *
 * Input: an octet of flags, the length of the client's part (two octets, the low one first), the
 * client's part, and the rest is the backend's. For HTTP/2 the client's preface and SETTINGS, and
 * the backend's SETTINGS, are put before. A backend that speaks HTTP/1.1 says its part up to the
 * next NUL for each request, one that speaks HTTP/2 all of it, piece by piece; when it has nothing
 * left, it answers in good order, or closes.
 *
 * A request for a tunnel (CONNECT, Upgrade) has what is behind it for its body, none of which may
 * get to the backend before that has answered.
 *
 * What the client asked for is found out by reading its bytes a second time, without the proxy in
 * between; what the backend got is parsed as strictly as the proxy parses its own clients.
 */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "front/front.h"
#include "net/buffer.h"
#include "ops/log.h"
#include "process/worker.h"
#include "route/routes.h"
#include "translate_asked.h"

#define H2_PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_LEN 24u

enum flag {
    FRONT_H2 = 1,
    BACK_H2 = 2,
    SMALL_PIECES = 4, /* of both sides' bytes */
    BACK_CLOSES = 8,  /* when it has nothing left to say */
    BACK_EARLY = 16,  /* it answers as soon as anything comes */
    CLIENT_LEAVES = 32,
};

#define MAX_BACKS  32
#define MAX_CLIENT 16384u

static const uint8_t empty_settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
/* SETTINGS_ENABLE_CONNECT_PROTOCOL: 1 (RFC 8441) */
static const uint8_t back_settings[] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1};

/* ---------------------------------------------------------------- the world, made once */

struct world {
    struct config *cfg;
    struct routes *routes;
    struct log_format *format;
    int listener;
    char path[64];
};

static struct world worlds[2]; /* the backend speaks HTTP/1.1, HTTP/2 */
static char folder[] = "/tmp/nghttpx-translate-XXXXXX";

static void remove_files(void)
{
    for (size_t i = 0; i < 2; i++) {
        unlink(worlds[i].path);
    }
    rmdir(folder);
}

static void make_world(struct world *w, bool h2)
{
    char backend[128];
    snprintf(w->path, sizeof(w->path), "%s/%s", folder, h2 ? "h2" : "h1");
    snprintf(backend, sizeof(backend), "--backend=unix:%s;;proto=%s", w->path,
             h2 ? "h2" : "http/1.1");
    char name[] = "nghttpx", conf[] = "--conf=/dev/null",
         frontend[] = "--frontend=127.0.0.1,3000;no-tls", level[] = "--log-level=FATAL",
         buffer[] = "--backend-response-buffer=4K";
    char *argv[] = {name, conf, frontend, level, buffer, backend, NULL};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, w->path, strlen(w->path) + 1);
    w->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->listener < 0 || bind(w->listener, (struct sockaddr *)&un, sizeof(un)) != 0 ||
        listen(w->listener, 128) != 0 || cfg_load(6, argv, stdout, stderr, &w->cfg) != CFG_OK ||
        !log_open(w->cfg)) {
        perror(w->path);
        abort();
    }
    w->routes = routes_new(w->cfg);
    w->format = log_format_new(NULL);
}

static struct world *get_world(bool h2)
{
    if (worlds[0].cfg == NULL) {
        if (mkdtemp(folder) == NULL || atexit(remove_files) != 0) {
            abort();
        }
        make_world(&worlds[0], false);
        make_world(&worlds[1], true);
    }
    return &worlds[h2];
}

/* ---------------------------------------------------------------- a run */

struct back {
    int fd;
    struct buffer rx;
    size_t parsed;       /* HTTP/1.1: what the requests before took; HTTP/2: frames */
    struct requests got; /* HTTP/2 */
    bool answered;       /* HTTP/1.1: before the request was complete */
    bool said;           /* anything but its SETTINGS */
    struct asked tunnel; /* HTTP/1.1: `line` is set when it was asked for one */
    struct h2_conn *engine;
};

struct run {
    unsigned flags;
    struct worker *worker;
    struct world *world;
    int client;
    struct buffer client_rx;
    struct requests made;
    struct back backs[MAX_BACKS];
    size_t nbacks;
    const uint8_t *script; /* the backend's */
    size_t script_len;
};

/* Reads all there is. False: nothing. */
static bool receive(int *fd, struct buffer *b)
{
    uint8_t buf[16384];
    bool any = false;
    ssize_t n;
    while (*fd >= 0 && (n = read(*fd, buf, sizeof(buf))) != -1) {
        if (n == 0) {
            close(*fd);
            *fd = -1;
            return true;
        }
        buffer_append(b, buf, (size_t)n);
        any = true;
    }
    if (*fd >= 0 && errno != EAGAIN) {
        close(*fd);
        *fd = -1;
    }
    return any;
}

static size_t send_some(int fd, const uint8_t *data, size_t len)
{
    ssize_t n = fd >= 0 ? send(fd, data, len, MSG_NOSIGNAL) : -1;
    return n > 0 ? (size_t)n : 0;
}

/* What the script has for one request; NULL when it has ended. */
static const uint8_t *next_line(struct run *run, size_t *len)
{
    if (run->script_len == 0) {
        return NULL;
    }
    const uint8_t *line = run->script, *end = memchr(line, 0, run->script_len);
    *len = end != NULL ? (size_t)(end - line) : run->script_len;
    size_t taken = *len + (end != NULL);
    run->script += taken;
    run->script_len -= taken;
    return line;
}

static void close_back(struct back *b)
{
    if (b->fd >= 0) {
        close(b->fd);
        b->fd = -1;
    }
}

static void answer_h1(struct run *run, struct back *b)
{
    static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    size_t len;
    b->said = true;
    const uint8_t *line = next_line(run, &len);
    if (line != NULL) {
        (void)send_some(b->fd, line, len);
    } else if ((run->flags & BACK_CLOSES) != 0) {
        close_back(b);
    } else {
        (void)send_some(b->fd, (const uint8_t *)good, sizeof(good) - 1);
    }
}

static void check_early(bool early, const struct asked *r)
{
    if (early) {
        fprintf(stderr, "octets behind %s before it was answered\n", r->line);
        abort();
    }
}

static void serve_tunnel(struct run *run, struct back *b)
{
    size_t n = buffer_len(&b->rx) - b->parsed;
    check_early(n > 0 && !b->said, &b->tunnel);
    buffer_append(&b->tunnel.body, b->rx.mem + b->parsed, n);
    b->parsed += n;
    check_made(&run->made, &b->tunnel);
}

static void serve_h1(struct run *run, struct back *b)
{
    struct h1_head h;
    size_t used;
    if (b->tunnel.line != NULL) {
        serve_tunnel(run, b);
        return;
    }
    for (;;) {
        struct requests now = {.n = 0};
        uint8_t *copy = xmalloc(buffer_len(&b->rx) - b->parsed + 1);
        memcpy(copy, b->rx.mem + b->parsed, buffer_len(&b->rx) - b->parsed);
        enum parsed p = parse_request(&now, copy, buffer_len(&b->rx) - b->parsed, false, &used, &h);
        free(copy);
        if (p == PARSED_BAD) {
            fprintf(stderr, "the backend was sent what is no request: %s\n",
                    h1_error_text(h.error));
            abort();
        }
        if (now.n > 0) {
            check_made(&run->made, &now.r[0]);
        }
        if (now.n > 0 && now.r[0].tunnel) {
            b->tunnel = now.r[0];
            b->parsed += used;
            b->said = b->answered;
            serve_tunnel(run, b);
            answer_h1(run, b);
            return;
        }
        free_requests(&now);
        if (p == PARSED_PART) {
            break;
        }
        b->parsed += used;
        if (!b->answered) {
            answer_h1(run, b);
        }
        b->answered = false;
        if (b->parsed == buffer_len(&b->rx)) {
            break;
        }
    }
    if ((run->flags & BACK_EARLY) != 0 && !b->answered && b->parsed < buffer_len(&b->rx)) {
        b->answered = true;
        answer_h1(run, b);
    }
}

static void feed_engine(struct run *run, struct back *b, const uint8_t *data, size_t len)
{
    struct h2_event ev;
    h2_conn_feed(b->engine, data, len);
    while (h2_conn_next_event(b->engine, 1, &ev)) {
        if (ev.type == H2_EVENT_FAILED || (ev.type == H2_EVENT_RESET && !ev.by_peer)) {
            fprintf(stderr, "the backend was sent what is no HTTP/2: %s\n", ev.fail.why);
            abort();
        }
        take_event(&b->got, &ev);
        if (ev.type == H2_EVENT_DATA) {
            h2_conn_consume(b->engine, ev.stream_id, ev.flow_len);
        }
        struct asked *r = of_stream(&b->got, ev.stream_id);
        if (r != NULL && ev.type != H2_EVENT_RESET) {
            check_early(r->tunnel && buffer_len(&r->body) > 0 && !b->said, r);
            check_made(&run->made, r);
        }
        if (ev.type == H2_EVENT_REQUEST && r != NULL && r->tunnel && run->script_len == 0) {
            const uint8_t id = (uint8_t)ev.stream_id; /* :status: 200, the tunnel is open */
            const uint8_t ok[] = {0, 0, 1, 1, 4, 0, 0, (uint8_t)(ev.stream_id >> 8), id, 0x88};
            b->said = true;
            (void)send_some(b->fd, ok, sizeof(ok));
            continue;
        }
        if (r != NULL && r->complete && run->script_len == 0 && (run->flags & BACK_CLOSES) == 0) {
            const uint8_t id = (uint8_t)ev.stream_id; /* :status: 200, and the end */
            const uint8_t ok[] = {0, 0, 1, 1, 5, 0, 0, (uint8_t)(ev.stream_id >> 8), id, 0x88};
            (void)send_some(b->fd, ok, sizeof(ok));
        }
    }
}

/*
 * The engine reads what the proxy sends, but its own words never get there: acknowledgements and
 * windows that answer the script are not for it.
 */
static void serve_h2(struct run *run, struct back *b)
{
    if (b->parsed == 0 && buffer_len(&b->rx) >= 24) {
        feed_engine(run, b, b->rx.mem, 24);
        b->parsed = 24;
    }
    while (b->parsed > 0 && buffer_len(&b->rx) - b->parsed >= 9) {
        const uint8_t *f = b->rx.mem + b->parsed;
        size_t len = 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
        if (buffer_len(&b->rx) - b->parsed < len) {
            break;
        }
        enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, CONTINUATION = 9 };
        if (f[3] == DATA || f[3] == HEADERS || f[3] == RST_STREAM || f[3] == CONTINUATION ||
            (f[3] == SETTINGS && (f[4] & 1) == 0)) {
            feed_engine(run, b, f, len);
        }
        b->parsed += len;
    }
    if (b->got.n == 0) {
        return; /* there is no stream yet that it could say anything about */
    }
    size_t n = (run->flags & SMALL_PIECES) != 0 && run->script_len > 13 ? 13 : run->script_len;
    n = send_some(b->fd, run->script, n);
    b->said = b->said || n > 0;
    run->script += n;
    run->script_len -= n;
    if (run->script_len == 0 && (run->flags & BACK_CLOSES) != 0) {
        close_back(b);
    }
}

static struct h2_conn *new_engine(void)
{
    struct h2_options o;
    h2_options_init(&o);
    o.max_concurrent_streams = 100000;
    o.enable_connect_protocol = true;
    o.initial_window_size = INT32_MAX;
    o.connection_window_size = INT32_MAX;
    o.max_frame_size = (1u << 24) - 1;
    o.limits.header_list_bytes = 1u << 20;
    o.limits.header_fields = 1000;
    o.limits.cookie_crumbs = 10000;
    o.limits.reset_burst = 100000;
    o.limits.control_burst = 100000;
    o.limits.queued_replies = UINT32_MAX;
    o.limits.output_bytes = UINT32_MAX;
    return h2_conn_new(H2_SERVER, &o);
}

static bool accept_backs(struct run *run)
{
    int fd;
    bool any = false;
    while ((fd = accept4(run->world->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        any = true;
        if (run->nbacks == MAX_BACKS) {
            close(fd);
            continue;
        }
        struct back *b = &run->backs[run->nbacks++];
        *b = (struct back){.fd = fd};
        if ((run->flags & BACK_H2) != 0) {
            b->engine = new_engine();
            assert(b->engine != NULL);
            (void)send_some(fd, back_settings, sizeof(back_settings));
        }
    }
    return any;
}

/* A turn of the proxy, and of everybody around it. False: nothing has happened. */
static bool turn(struct run *run)
{
    ev_run(run->worker->loop, EVRUN_NOWAIT);
    ev_run(run->worker->loop, EVRUN_NOWAIT);
    bool any = accept_backs(run);
    for (size_t i = 0; i < run->nbacks; i++) {
        struct back *b = &run->backs[i];
        bool open = b->fd >= 0;
        if (!receive(&b->fd, &b->rx)) {
            if (!open || b->engine == NULL || b->got.n == 0 || run->script_len == 0) {
                continue; /* with HTTP/2 the script goes on by itself */
            }
        }
        any = true;
        if (b->engine != NULL) {
            serve_h2(run, b);
        } else if (buffer_len(&b->rx) > b->parsed) {
            serve_h1(run, b);
        }
    }
    return receive(&run->client, &run->client_rx) || any;
}

/* ---------------------------------------------------------------- what the client gets */

/* Responses in the order of the requests; only the last one may be cut off. */
static void check_responses_h1(const struct run *run)
{
    struct buffer b = {0};
    size_t at = 0, n = 0;
    static struct h1_field fields[500];
    if (buffer_len(&run->client_rx) == 0) {
        return;
    }
    buffer_append(&b, run->client_rx.mem + run->client_rx.start, buffer_len(&run->client_rx));
    while (at < buffer_len(&b)) {
        struct h1_head h;
        h1_head_init(&h, H1_RESPONSE, fields, 500,
                     (struct h1_options){.head_bytes = 1u << 20, .fields = 500});
        enum h1_rc rc = h1_head_parse(&h, b.mem + at, buffer_len(&b) - at);
        if (rc == H1_MORE) {
            break;
        }
        const char *line = n < run->made.n ? run->made.r[n].line : "GET";
        enum h1_method method = h1_method_lookup(line, strcspn(line, " "));
        struct h1_framing framing = h1_body_framing(&h, method);
        if (rc == H1_DONE && h.status == 101 && n < run->made.n && run->made.r[n].tunnel) {
            break; /* the rest is not HTTP */
        }
        if (rc == H1_ERROR || framing.error != H1_ERR_NONE || h.status == 101) {
            fprintf(stderr, "the client was sent what is no response: %s\n",
                    h1_error_text(h.error));
            abort();
        }
        at += h.head_len;
        if (h.status < 200) {
            continue;
        }
        n++;
        size_t used = 0;
        enum parsed p = parse_body(framing, b.mem + at, buffer_len(&b) - at, NULL, &used);
        assert(p != PARSED_BAD);
        if (p == PARSED_PART) {
            break;
        }
        at += used;
    }
    assert(n <= run->made.n + 1); /* one for what was no request */
    buffer_free(&b);
}

static void check_frames(const struct run *run)
{
    const uint8_t *p = run->client_rx.mem + run->client_rx.start;
    size_t len = buffer_len(&run->client_rx);
    bool in_block = false, first = true;
    uint32_t block = 0;
    while (len >= 9) {
        size_t n = 9 + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
        uint32_t id = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];
        assert(n <= 9 + 16384 && p[3] <= 9 && p[3] != 5 && p[3] != 2);
        assert(!first || p[3] == 4);
        assert(in_block ? p[3] == 9 && id == block : p[3] != 9);
        if (p[3] == 1 || p[3] == 9) {
            in_block = (p[4] & 4) == 0;
            block = id;
        }
        first = false;
        if (n > len) {
            break;
        }
        p += n;
        len -= n;
    }
}

/* ---------------------------------------------------------------- putting it together */

static void play(struct run *run, const uint8_t *data, size_t len)
{
    unsigned quiet = 0, rounds = 0;
    size_t piece = (run->flags & SMALL_PIECES) != 0 ? 1 + len / 40 : len;
    while (quiet < 4 && rounds++ < 3000) {
        size_t n = len < piece ? len : piece;
        n = n > 0 ? send_some(run->client, data, n) : 0;
        data += n;
        len -= n;
        quiet = turn(run) || n > 0 ? 0 : quiet + 1;
        if (len == 0 && (run->flags & CLIENT_LEAVES) != 0 && run->client >= 0) {
            close(run->client);
            run->client = -1;
        }
    }
}

static void finish(struct run *run)
{
    if (run->client >= 0) {
        close(run->client);
        run->client = -1;
    }
    turn(run);
    turn(run);
    for (size_t i = 0; i < run->nbacks; i++) {
        close_back(&run->backs[i]);
    }
    turn(run);
    turn(run);
    worker_free(run->worker); /* asserts that nothing is left */
    accept_backs(run);
    for (size_t i = 0; i < run->nbacks; i++) {
        struct back *b = &run->backs[i];
        close_back(b);
        buffer_free(&b->rx);
        free_requests(&b->got);
        h2_conn_free(b->engine);
        free(b->tunnel.line);
        buffer_free(&b->tunnel.body);
    }
    free_requests(&run->made);
    buffer_free(&run->client_rx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    static struct run run;
    struct buffer sent = {0};
    size_t len = data[1] | (size_t)data[2] << 8;
    len = len < size - 3 ? len : size - 3;
    len = len < MAX_CLIENT ? len : MAX_CLIENT;
    run = (struct run){.flags = data[0], .client = -1};
    run.script = data + 3 + len;
    run.script_len = size - 3 - len;
    if ((run.flags & FRONT_H2) != 0) {
        buffer_append(&sent, (const uint8_t *)H2_PREFACE, H2_PREFACE_LEN);
        buffer_append(&sent, empty_settings, sizeof(empty_settings));
    }
    buffer_append(&sent, data + 3, len);
    bool h2 =
        buffer_len(&sent) >= H2_PREFACE_LEN && memcmp(sent.mem, H2_PREFACE, H2_PREFACE_LEN) == 0;
    if (h2) {
        expect_h2(&run.made, sent.mem, buffer_len(&sent));
    } else {
        expect_h1(&run.made, sent.mem, buffer_len(&sent));
    }
    run.world = get_world((run.flags & BACK_H2) != 0);
    run.worker = worker_new(0, run.world->cfg, run.world->routes, NULL, run.world->format);
    int fds[2];
    const struct sockaddr peer = {.sa_family = AF_UNIX};
    if (run.worker == NULL ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
        abort();
    }
    run.client = fds[1];
    front_accept(run.worker, fds[0], &run.world->cfg->frontend[0], &peer);
    play(&run, sent.mem, buffer_len(&sent));
    if (h2) {
        check_frames(&run);
    } else if (!run.made.loose) {
        check_responses_h1(&run);
    }
    finish(&run);
    buffer_free(&sent);
    return 0;
}
