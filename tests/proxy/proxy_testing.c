#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "exchange/tunnel.h"
#include "config.h"
#include "exchange/request_check.h"
#include "ops/log.h"
#include "back/back.h"
#include "route/routes.h"
#include "route/targets.h"
#include "tls/tls.h"
#include "tls/tls_back.h"

/* ---------------------------------------------------------------- the worker */

struct config *testing_config(const char *options)
{
    char text[4096];
    char *argv[64];
    int argc = 0;
    struct config *cfg = NULL;
    size_t used = 0;
    static const char *const always[] = {"nghttpx", "--conf=/dev/null",
                                         "--frontend=127.0.0.1,3000;no-tls", "--log-level=FATAL"};
    for (size_t i = 0; i < COUNT(always); i++) {
        argv[argc++] = text + used;
        used += (size_t)sprintf(text + used, "%s", always[i]) + 1;
    }
    while (*options != '\0') {
        size_t len = strcspn(options, "\n");
        assert_true(used + len + 3 < sizeof(text) && argc < 62);
        argv[argc++] = text + used;
        used += (size_t)sprintf(text + used, "%s%.*s", options[0] == '/' ? "" : "--", (int)len,
                                options) +
                1;
        options += len + (options[len] == '\n');
    }
    argv[argc] = NULL;
    /* The system's certificates are no part of any test, and slow to read. */
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    assert_int_equal(cfg_load(argc, argv, stdout, stderr, &cfg), CFG_OK);
    return cfg;
}

SSL_CTX *testing_client_ctx(const struct config *cfg, const struct cfg_backend *b)
{
    static const struct cfg_backend usual = {.tls = true};
    struct tls_backs *all = tls_backs_new(cfg);
    assert_non_null(all);
    SSL_CTX *ctx = tls_backs_ctx(all, b != NULL ? b : &usual, "testing");
    assert_non_null(ctx);
    tls_backs_free(all);
    return ctx;
}

static void open_rig(struct rig *r, const char *options, bool tls)
{
    *r = (struct rig){.client = {.addr = "192.0.2.7", .port = 4711, .server_port = 3000}};
    r->cfg = testing_config(options);
    assert_true(log_open(r->cfg));
    if (tls) {
        r->server_ctx = tls_server_ctx(r->cfg);
        assert_non_null(r->server_ctx);
        r->client_ctx = testing_client_ctx(r->cfg, NULL);
    }
    r->routes = routes_new(r->cfg);
    assert_non_null(r->routes);
    assert_true(access_log_open(r->cfg));
    r->format = log_format_new(r->cfg->accesslog_format);
    r->worker = worker_new(0, r->cfg, r->routes, r->server_ctx, r->format);
    assert_non_null(r->worker);
}

void rig_open(struct rig *r, const char *options)
{
    open_rig(r, options, false);
}

void rig_open_tls(struct rig *r, const char *options)
{
    open_rig(r, options, true);
}

void rig_close(struct rig *r)
{
    worker_free(r->worker);
    access_log_close();
    log_format_free(r->format);
    routes_unref(r->routes);
    SSL_CTX_free(r->server_ctx);
    SSL_CTX_free(r->client_ctx);
    cfg_unref(r->cfg);
    *r = (struct rig){0};
}

void rig_turn(struct rig *r)
{
    /* The first handles events; libev calls the end of turn before it polls, so in the second. */
    ev_run(r->worker->loop, EVRUN_NOWAIT);
    ev_run(r->worker->loop, EVRUN_NOWAIT);
}

struct wait {
    ev_prepare prepare;
    ev_timer deadline;
    bool (*done)(const void *ctx);
    const void *ctx;
    bool late;
};

static void on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)revents;
    struct wait *w = container_of(t, struct wait, deadline);
    w->late = true;
    ev_break(loop, EVBREAK_ALL);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *p, int revents)
{
    (void)revents;
    struct wait *w = container_of(p, struct wait, prepare);
    if (w->done(w->ctx)) {
        ev_break(loop, EVBREAK_ALL);
    }
}

void rig_until(struct rig *r, bool (*done)(const void *ctx), const void *ctx)
{
    struct ev_loop *loop = r->worker->loop;
    struct wait w = {.done = done, .ctx = ctx};
    ev_now_update(loop);
    ev_timer_init(&w.deadline, on_deadline, 10., 0.);
    ev_timer_start(loop, &w.deadline);
    /* Asked before each sleep, behind the worker's end of turn. */
    ev_prepare_init(&w.prepare, on_prepare);
    ev_set_priority(&w.prepare, EV_MINPRI);
    ev_prepare_start(loop, &w.prepare);
    ev_run(loop, 0);
    ev_prepare_stop(loop, &w.prepare);
    ev_timer_stop(loop, &w.deadline);
    if (w.late) {
        fail_msg("what was waited for did not come");
    }
}

/* ---------------------------------------------------------------- exchanges */

static void told_head(struct exchange *x)
{
    ((struct told *)x->front)->heads++;
}

static void told_body(struct exchange *x)
{
    ((struct told *)x->front)->bodies++;
}

static void told_credit(struct exchange *x, size_t n)
{
    struct told *told = x->front;
    told->credits++;
    told->credit += n;
}

static void told_abort(struct exchange *x, enum exchange_error why)
{
    struct told *t = x->front;
    t->aborts++;
    t->why = why;
}

struct exchange *rig_exchange(struct rig *r, struct told *told)
{
    static const struct exchange_ops ops = {
        .head = told_head, .body = told_body, .credit = told_credit, .abort = told_abort};
    *told = (struct told){0};
    return exchange_new(r->worker, &r->client, &ops, told);
}

struct pool *rig_pool(struct rig *r, size_t backend)
{
    return r->worker->targets->backends[backend].pools[0];
}

void rig_sent_to(struct rig *r, struct exchange *x, size_t backend)
{
    assert_null(x->pool);
    x->pool = pool_ref(rig_pool(r, backend));
}

void rig_exchange_end(struct rig *r, struct exchange *x)
{
    exchange_end(x, EXCHANGE_OK);
    rig_turn(r);
    assert_int_equal(r->worker->nexchanges, 0);
    assert_int_equal(r->worker->blocks.lent, 0);
}

/* ---------------------------------------------------------------- messages as text */

size_t testing_parse_fields(const char *text, struct h2_field *f, size_t cap)
{
    size_t n = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        const char *colon = memchr(text + 1, ':', len - 1);
        assert_true(n < cap && colon != NULL && text[len] == '\n');
        const char *value = colon + 1 + (colon[1] == ' ');
        size_t name_len = (size_t)(colon - text);
        f[n++] = (struct h2_field){.name = text,
                                   .name_len = (uint32_t)name_len,
                                   .value = value,
                                   .value_len = (uint32_t)(text + len - value),
                                   .token = h2_token_lookup(text, name_len)};
        text += len + 1;
    }
    return n;
}

/* The text as a head of HTTP/1, in the arena; parsed into fields of the arena. */
static struct h1_head *parse_head(struct exchange *x, enum h1_kind kind, const char *text,
                                  const char **base)
{
    struct h1_head *h = arena_alloc(&x->arena, sizeof(*h));
    struct h1_field *fields = arena_alloc(&x->arena, 64 * sizeof(*fields));
    char *wire = arena_alloc(&x->arena, 2 * strlen(text) + 3), *p = wire;
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            *p++ = '\r';
        }
        *p++ = *text;
    }
    *p++ = '\r';
    *p++ = '\n';
    *p = '\0';
    h1_head_init(h, kind, fields, 64, (struct h1_options){.head_bytes = 65536, .fields = 64});
    enum h1_rc rc = h1_head_parse(h, (uint8_t *)wire, (size_t)(p - wire));
    if (rc != H1_DONE) {
        fail_msg("%s: %s", wire, rc == H1_ERROR ? h1_error_text(h->error) : "not complete");
    }
    *base = wire;
    return h;
}

static struct str span(const char *base, struct h1_span s)
{
    return (struct str){base + s.off, s.len};
}

static void request_h1(struct exchange *x, const char *text)
{
    struct request *r = &x->request;
    const char *base;
    struct h1_head *h = parse_head(x, H1_REQUEST, text, &base);
    struct h1_framing framing = h1_body_framing(h, H1_METHOD_OTHER);
    message_set_fields_h1(x, &r->m, h, base);
    r->method = h->method;
    r->method_text = span(base, h->method_text);
    r->target = span(base, h->target);
    r->authority = span(base, h->host);
    char *path = arena_alloc(&x->arena, h1_head_path_size(h));
    r->path = (struct str){path, h1_head_path(h, base, path, &r->path_len)};
    r->m.has_body = framing.kind != H1_BODY_NONE;
    r->m.content_length = h->content_length;
    assert_true(tunnel_ask_h1(x, h->connection_upgrade));
}

static int64_t length_of(const struct message *m)
{
    const struct h2_field *f = message_find(m, H2_TOKEN_CONTENT_LENGTH);
    int64_t n = 0;
    for (uint32_t i = 0; f != NULL && i < f->value_len; i++) {
        n = n * 10 + f->value[i] - '0';
    }
    return f != NULL ? n : -1;
}

static struct str pseudo(const struct h2_field *f, size_t n, uint8_t token)
{
    for (size_t i = 0; i < n; i++) {
        if (f[i].token == token) {
            return (struct str){f[i].value, f[i].value_len};
        }
    }
    return (struct str){"", 0};
}

static void request_h2(struct exchange *x, const char *text)
{
    struct request *r = &x->request;
    struct h2_field f[64];
    const char *copy = arena_copy(&x->arena, text, strlen(text));
    size_t n = testing_parse_fields(copy, f, COUNT(f));
    message_set_fields_h2(x, &r->m, f, n);
    r->method_text = pseudo(f, n, H2_TOKEN_PSEUDO_METHOD);
    r->method = h1_method_lookup(r->method_text.s, r->method_text.len);
    r->authority = pseudo(f, n, H2_TOKEN_PSEUDO_AUTHORITY);
    r->target = r->path = pseudo(f, n, H2_TOKEN_PSEUDO_PATH);
    r->m.content_length = length_of(&r->m);
    r->m.has_body = r->m.content_length > 0;
    assert_true(tunnel_ask_h2(x, pseudo(f, n, H2_TOKEN_PSEUDO_PROTOCOL)));
}

void testing_request(struct exchange *x, int version, const char *text)
{
    if (version == 20) {
        request_h2(x, text);
    } else {
        request_h1(x, text);
        assert_int_equal(x->request.m.http_minor, version - 10);
    }
    x->request.scheme = x->client->tls ? (struct str){"https", 5} : (struct str){"http", 4};
    assert_int_equal(request_check(x), EXCHANGE_OK);
    assert_true(message_finish_request(x));
}

void testing_response(struct exchange *x, int version, const char *text)
{
    struct response *r = &x->response;
    if (version == 20) {
        struct h2_field f[64];
        size_t n = testing_parse_fields(arena_copy(&x->arena, text, strlen(text)), f, COUNT(f));
        message_set_fields_h2(x, &r->m, f, n);
        r->status = atoi(pseudo(f, n, H2_TOKEN_PSEUDO_STATUS).s);
        r->m.content_length = length_of(&r->m);
        tunnel_judge_h2(x);
    } else {
        const char *base;
        struct h1_head *h = parse_head(x, H1_RESPONSE, text, &base);
        message_set_fields_h1(x, &r->m, h, base);
        r->status = h->status;
        r->m.content_length = h->content_length;
        assert_int_equal(r->m.http_minor, version - 10);
        assert_null(tunnel_judge_h1(x, h->connection_upgrade));
    }
    r->m.content_length = x->tunnel.open ? -1 : r->m.content_length;
    r->m.has_body = message_response_may_have_body(x) && r->m.content_length != 0;
}

void testing_trailers(struct exchange *x, struct message *m, int version, const char *text)
{
    if (version == 20) {
        struct h2_field f[64];
        message_set_trailers_h2(x, m, f, testing_parse_fields(text, f, COUNT(f)));
    } else {
        const char *base;
        struct h1_head *h = parse_head(x, H1_TRAILERS, text, &base);
        message_set_trailers_h1(x, m, h, base);
    }
}

char *testing_fields_text(const struct h2_field *f, size_t n)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%.*s: %.*s\n", (int)f[i].name_len, f[i].name, (int)f[i].value_len,
                f[i].value);
        /* The token is what everybody compares instead of the name. */
        assert_int_equal(f[i].token, h2_token_lookup(f[i].name, f[i].name_len));
    }
    fclose(out);
    return text;
}

void testing_expect_fields(const char *rule, struct field_list l, const char *expected)
{
    assert_true(l.n <= l.cap);
    char *got = testing_fields_text(l.f, l.n);
    bool same = strcmp(got, expected) == 0;
    if (!same) {
        print_error("%s:\n%sinstead of\n%s", rule, got, expected);
    }
    free(got);
    assert_true(same);
}

/* ---------------------------------------------------------------- files */

static char folder[64];

static void remove_folder(void)
{
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0) {
        fprintf(stderr, "%s: could not be removed\n", folder);
    }
}

const char *testing_folder(void)
{
    if (folder[0] == '\0') {
        strcpy(folder, "/tmp/nghttpx-proxy-test-XXXXXX");
        assert_non_null(mkdtemp(folder));
        assert_int_equal(atexit(remove_folder), 0);
    }
    return folder;
}
