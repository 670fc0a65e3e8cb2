/*
 * The messages that the ends of conn_bench exchange, and how bytes go from one to the other.
 *
 * Requests are those of a browser for the parts of a page: seven of twelve fields are always the
 * same, :path, referer, x-request-id, if-none-match (or content-length) and the cookie change, some
 * with every request, some seldom. Responses have eight fields, of which date changes every fifty,
 * and content-type, last-modified and etag with each.
 */
#include "conn_bench.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct scenario scenarios[] = {
    {"small", 1, 5000, 10, 0, SMALL_BODY, false, false},
    {"download", 1, 500, 10, 0, LARGE_BODY, false, false},
    {"upload", 1, 500, 10, LARGE_BODY, SMALL_BODY, false, false},
    {"connect", 500, 1, 1, 0, SMALL_BODY, false, false},
};
const unsigned scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);

struct h2_field get_requests[MESSAGES][REQUEST_FIELDS];
struct h2_field post_requests[MESSAGES][REQUEST_FIELDS];
struct h2_field small_responses[MESSAGES][RESPONSE_FIELDS];
struct h2_field large_responses[MESSAGES][RESPONSE_FIELDS];
uint8_t body[LARGE_BODY];

_Noreturn void die(const char *what)
{
    fprintf(stderr, "conn_bench: %s\n", what);
    exit(1);
}

const struct scenario *scenario_named(const char *name)
{
    for (unsigned i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return &scenarios[i];
        }
    }
    die("no such scenario");
}

/* ---------------------------------------------------------------- messages */

static struct h2_field field(enum h2_token token, const char *name, const char *value)
{
    return (struct h2_field){.name = name,
                             .name_len = (uint32_t)strlen(name),
                             .value = value,
                             .value_len = (uint32_t)strlen(value),
                             .token = (uint8_t)token};
}

/* Text that stays until the end of the program. */
__attribute__((format(printf, 1, 2))) static const char *text(const char *format, ...)
{
    char *s;
    va_list args;
    va_start(args, format);
    if (vasprintf(&s, format, args) < 0) {
        die("no memory");
    }
    va_end(args);
    return s;
}

static void make_request(struct h2_field f[REQUEST_FIELDS], unsigned i, bool post)
{
    f[0] = field(H2_TOKEN_PSEUDO_METHOD, ":method", post ? "POST" : "GET");
    f[1] = field(H2_TOKEN_PSEUDO_SCHEME, ":scheme", "https");
    f[2] = field(H2_TOKEN_PSEUDO_AUTHORITY, ":authority", "www.example.org");
    f[3] = field(H2_TOKEN_PSEUDO_PATH, ":path",
                 text("/assets/images/%u/item-%06u.webp?v=%u", i / 20, i * 7919 % 1000000, i % 3));
    f[4] = field(H2_TOKEN_USER_AGENT, "user-agent",
                 "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
    f[5] = field(H2_TOKEN_ACCEPT, "accept", "image/avif,image/webp,image/png,*/*;q=0.8");
    f[6] = field(H2_TOKEN_ACCEPT_LANGUAGE, "accept-language", "en-US,en;q=0.5");
    f[7] = field(H2_TOKEN_ACCEPT_ENCODING, "accept-encoding", "gzip, deflate, br");
    f[8] = field(H2_TOKEN_REFERER, "referer", text("https://www.example.org/page/%u", i / 20));
    f[9] = field(H2_TOKEN_COOKIE, "cookie",
                 text("session=8f14e45fceea167a5a36dedd4bea2543; seen=%u", i / 20));
    f[10] = field(H2_TOKEN_X_REQUEST_ID, "x-request-id", text("%08x-%04x", i * 2654435761u, i));
    f[11] = post ? field(H2_TOKEN_CONTENT_LENGTH, "content-length", text("%u", LARGE_BODY))
                 : field(H2_TOKEN_IF_NONE_MATCH, "if-none-match", text("\"%x-%x\"", i * 31, i));
}

static void make_response(struct h2_field f[RESPONSE_FIELDS], unsigned i, uint32_t len)
{
    static const char *const types[] = {"image/webp", "image/png", "text/css"};
    f[0] = field(H2_TOKEN_PSEUDO_STATUS, ":status", "200");
    f[1] = field(H2_TOKEN_DATE, "date", text("Sat, 21 Nov 2026 11:%02u:%02u GMT", i / 50, 7u));
    f[2] = field(H2_TOKEN_SERVER, "server", "nginx/1.22.1");
    f[3] = field(H2_TOKEN_CONTENT_TYPE, "content-type", types[i % 3]);
    f[4] = field(H2_TOKEN_CONTENT_LENGTH, "content-length", text("%" PRIu32, len));
    f[5] = field(H2_TOKEN_LAST_MODIFIED, "last-modified",
                 text("Mon, 02 Nov 2026 %02u:%02u:14 GMT", i / 60 % 24, i % 60));
    f[6] = field(H2_TOKEN_ETAG, "etag", text("\"%x-%x\"", i * 31, i));
    f[7] = field(H2_TOKEN_CACHE_CONTROL, "cache-control", "public, max-age=86400");
}

void make_messages(void)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        make_request(get_requests[i], i, false);
        make_request(post_requests[i], i, true);
        make_response(small_responses[i], i, SMALL_BODY);
        make_response(large_responses[i], i, LARGE_BODY);
    }
    for (unsigned i = 0; i < LARGE_BODY; i++) {
        body[i] = (uint8_t)(i * 31 + i / 256);
    }
}

/* ---------------------------------------------------------------- applications */

void app_init(struct app *app, const struct scenario *work)
{
    app->work = work;
    app->free = NULL;
    app->begun = app->done = 0;
    app->sum = 0;
    for (unsigned i = 0; i < work->in_flight; i++) {
        app_give(app, &app->exchanges[i]);
    }
}

struct exchange *app_take(struct app *app, uint32_t to_send)
{
    struct exchange *x = app->free;
    if (x == NULL) {
        die("more in flight than there should be");
    }
    app->free = x->next_free;
    x->to_send = to_send;
    x->received = 0;
    return x;
}

void app_give(struct app *app, struct exchange *x)
{
    x->next_free = app->free;
    app->free = x;
}

/* ---------------------------------------------------------------- memory */

struct heap heap;
bool count_heap;

/* In front of each piece of counted memory: its size. */
union header {
    size_t size;
    max_align_t align;
};

/* As glibc's malloc rounds it, whatever malloc there is: so the figures are always the same. */
static size_t rounded(size_t size)
{
    return size <= 24 ? 24 : (size + 8 + 15) / 16 * 16 - 8;
}

void *counted_resize(void *ctx, void *p, size_t size)
{
    (void)ctx;
    union header *h = p != NULL ? (union header *)p - 1 : NULL;
    heap.used -= h != NULL ? rounded(h->size) : 0;
    if (size == 0) {
        free(h);
        return NULL;
    }
    heap.allocations++;
    h = realloc(h, sizeof(*h) + size);
    if (h == NULL) {
        die("no memory");
    }
    h->size = size;
    heap.used += rounded(size);
    return h + 1;
}

/* ---------------------------------------------------------------- two ends */

/*
 * What callgrind is to count for one side is all that is done below client_part() or server_part():
 * their names are given to --toggle-collect.
 */
struct turn {
    enum { MAKE, DESTROY, INPUT, OUTPUT } what;
    const struct library *lib;
    const struct scenario *work;
    struct end *end;
    const uint8_t *in;
    uint8_t *out;
    size_t len;
};

static size_t take_turn(bool server, struct turn *t)
{
    switch (t->what) {
    case MAKE:
        t->end = t->lib->make(server, t->work);
        return 0;
    case DESTROY:
        t->lib->destroy(t->end);
        return 0;
    case INPUT:
        t->lib->input(t->end, t->in, t->len);
        return 0;
    case OUTPUT:
        return t->lib->output(t->end, t->out, t->len);
    }
    return 0;
}

__attribute__((noinline)) static size_t client_part(struct turn *t)
{
    return take_turn(false, t);
}

__attribute__((noinline)) static size_t server_part(struct turn *t)
{
    return take_turn(true, t);
}

static size_t part(bool server, struct turn t)
{
    return server ? server_part(&t) : client_part(&t);
}

static struct end *make(bool server, const struct library *lib, const struct scenario *work)
{
    struct turn t = {.what = MAKE, .lib = lib, .work = work};
    (void)(server ? server_part(&t) : client_part(&t));
    return t.end;
}

void pair_open(struct pair *p, const struct library *client, const struct library *server,
               const struct scenario *work)
{
    p->client_lib = client;
    p->server_lib = server;
    p->client = make(false, client, work);
    p->server = make(true, server, work);
}

/* Everything that one end has goes to the other. False: there was nothing. */
static bool move_bytes(struct pair *p, bool from_server)
{
    static uint8_t buf[WRITE_SIZE];
    const struct library *from = from_server ? p->server_lib : p->client_lib;
    const struct library *to = from_server ? p->client_lib : p->server_lib;
    struct turn out = {.what = OUTPUT,
                       .lib = from,
                       .end = from_server ? p->server : p->client,
                       .out = buf,
                       .len = sizeof(buf)};
    size_t n = part(from_server, out);
    for (size_t at = 0; at < n; at += READ_SIZE) {
        struct turn in = {.what = INPUT,
                          .lib = to,
                          .end = from_server ? p->client : p->server,
                          .in = buf + at,
                          .len = n - at < READ_SIZE ? n - at : READ_SIZE};
        (void)part(!from_server, in);
    }
    return n > 0;
}

void pair_run(struct pair *p)
{
    bool moved;
    do {
        moved = move_bytes(p, false);
        moved = move_bytes(p, true) || moved;
    } while (moved);
}

void pair_close(struct pair *p)
{
    (void)part(false, (struct turn){.what = DESTROY, .lib = p->client_lib, .end = p->client});
    (void)part(true, (struct turn){.what = DESTROY, .lib = p->server_lib, .end = p->server});
}

void run_scenario(const struct library *client, const struct library *server,
                  const struct scenario *work)
{
    for (unsigned i = 0; i < work->connections; i++) {
        struct pair p;
        pair_open(&p, client, server, work);
        pair_run(&p);
        if (client->done(p.client) != work->requests || server->done(p.server) != work->requests) {
            die("exchanges that did not come to their end");
        }
        pair_close(&p);
    }
}
