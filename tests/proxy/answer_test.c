/* Answers of the program's own: respond, redirect, redirect-if-not-tls, healthmon. */
#include "exchange/answer.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GET "GET /a?b HTTP/1.1\nHost: h.example:81\n"

static char page[160];

static void make_page(const char *name, size_t len)
{
    snprintf(page, sizeof(page), "%s/%s", testing_folder(), name);
    FILE *f = fopen(page, "w");
    assert_non_null(f);
    for (size_t i = 0; i < len; i++) {
        fputc((int)('a' + i % 26), f);
    }
    fclose(f);
}

static struct exchange *begun(struct rig *r, struct told *told, int version, const char *request)
{
    struct exchange *x = rig_exchange(r, told);
    testing_request(x, version, request);
    x->up.ended = !x->request.m.has_body;
    exchange_begin(x);
    return x;
}

/* The head as the client gets it, but for Date. */
static void expect_head(struct exchange *x, const char *expected)
{
    struct field_list l = message_response_fields(x, 2);
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++) {
        if (l.f[i].token != H2_TOKEN_DATE) {
            l.f[n++] = l.f[i];
        }
    }
    assert_int_equal(n + 1, l.n);
    l.n = n;
    testing_expect_fields(expected, l, expected);
}

/* Asks for it, and expects the whole answer at once. */
static void expect_answer(struct rig *r, const char *request, const char *head, size_t body)
{
    struct told told;
    struct exchange *x = begun(r, &told, strstr(request, "HTTP/1.0") != NULL ? 10 : 11, request);
    assert_int_equal(told.heads, 1);
    assert_int_equal(told.aborts, 0);
    assert_true(told.bodies > 0 && x->down.ended);
    assert_int_equal(x->down.len, body);
    assert_int_equal(x->response.m.has_body, body > 0);
    assert_null(x->back_ops);
    assert_null(x->pool);
    expect_head(x, head);
    rig_exchange_end(r, x);
}

static void expect_refusal(struct rig *r, const char *request, int status)
{
    struct told told;
    struct exchange *x = rig_exchange(r, &told);
    testing_request(x, 20, request);
    x->up.ended = true;
    exchange_begin(x);
    assert_int_equal(told.heads, 0);
    assert_int_equal(told.aborts, 1);
    assert_int_equal(exchange_status_of_error(x), status);
    rig_exchange_end(r, x);
}

static void respond_gives_a_status_and_a_file(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type;
    } cases[] = {
        {"a.html", "text/html; charset=UTF-8"},
        {"a.b.JSON", "application/json"},
        {"a.txt", "text/plain; charset=UTF-8"},
        {"a.xml", "application/xml"},
        {"a.css", "text/css; charset=UTF-8"},
        {"a.js", "text/javascript; charset=UTF-8"},
        {"a.svg", "image/svg+xml"},
        {"a.png", "image/png"},
        {"a.tar", "application/octet-stream"},
        {"a", "application/octet-stream"},
        {"html", "application/octet-stream"},
        {"a.", "application/octet-stream"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        char options[256], head[256];
        make_page(cases[i].name, 100);
        snprintf(options, sizeof(options), "backend=respond=%d,%s", i % 2 == 0 ? 200 : 503, page);
        rig_open(&r, options);
        snprintf(head, sizeof(head),
                 ":status: %d\ncontent-type: %s\nserver: nghttpx\ncontent-length: 100\n",
                 i % 2 == 0 ? 200 : 503, cases[i].type);
        expect_answer(&r, GET, head, 100);
        expect_answer(&r, "HEAD / HTTP/1.0\n", head, 0);
        rig_close(&r);
    }
}

static void respond_without_a_file_is_empty_or_the_error_page(void **state)
{
    (void)state;
    struct rig r;
    make_page("page", 7);
    char options[512];
    snprintf(options, sizeof(options),
             "backend=respond=200\nbackend=respond=204;/204\nbackend=respond=205;/205\n"
             "backend=respond=304;/304\nbackend=respond=404;/404\nerror-page=404=%s\n"
             "add-response-header=x-a: b\nserver-name=me",
             page);
    rig_open(&r, options);
    static const char rest[] = "server: me\ncontent-length: 0\nx-a: b\n";
    char head[256];
    snprintf(head, sizeof(head), ":status: 200\n%s", rest);
    expect_answer(&r, GET, head, 0);
    snprintf(head, sizeof(head), ":status: 205\n%s", rest); /* RFC 9110, 15.3.6 */
    expect_answer(&r, "GET /205 HTTP/1.1\nHost: a\n", head, 0);
    /* No Content-Length (RFC 9110, 8.6). */
    expect_answer(&r, "GET /204 HTTP/1.1\nHost: a\n", ":status: 204\nserver: me\nx-a: b\n", 0);
    expect_answer(&r, "GET /304 HTTP/1.1\nHost: a\n", ":status: 304\nserver: me\nx-a: b\n", 0);
    expect_answer(&r, "GET /404 HTTP/1.1\nHost: a\n",
                  ":status: 404\ncontent-type: text/html; charset=UTF-8\nserver: me\n"
                  "content-length: 7\nx-a: b\n",
                  7);
    rig_close(&r);
}

static void expect_location(struct rig *r, const char *request, int status, const char *location)
{
    char head[512];
    snprintf(head, sizeof(head), ":status: %d\nlocation: %s\nserver: nghttpx\ncontent-length: 0\n",
             status, location);
    expect_answer(r, request, head, 0);
}

static void a_template_is_filled_from_the_request(void **state)
{
    (void)state;
    static const struct {
        const char *template, *request, *location;
    } cases[] = {
        {"https://$host$path", GET, "https://h.example/a?b"},
        {"$scheme://$authority$path_without_query", GET, "http://h.example:81/a"},
        {"https://b.example/x", GET, "https://b.example/x"},
        {"/x$path", GET, "/x/a?b"},
        {"https://$host:8443$path", "GET //e.example/ HTTP/1.1\nHost: [::1]:81\n",
         "https://[::1]:8443//e.example/"},
        {"https://$host$path", "OPTIONS * HTTP/1.1\nHost: a\n", "https://a/"},
        {"https://b.example$path", "GET / HTTP/1.0\n", "https://b.example/"},
        /* What a URI does not have is encoded; what is encoded stays. */
        {"https://b.example$path", "GET /%22%c3?a|b\"%5c HTTP/1.1\nHost: a\n",
         "https://b.example/%22%C3?a%7Cb%22%5c"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        char options[128];
        snprintf(options, sizeof(options), "backend=redirect=302,%s", cases[i].template);
        rig_open(&r, options);
        expect_location(&r, cases[i].request, 302, cases[i].location);
        rig_close(&r);
    }
}

static void a_host_that_is_not_there_is_not_put_in(void **state)
{
    (void)state;
    struct rig r;
    static const char *const options[] = {"backend=redirect=302,https://$host$path",
                                          "backend=redirect=302,$scheme://$authority$path",
                                          "backend=127.0.0.1,80;;redirect-if-not-tls"};
    for (size_t i = 0; i < COUNT(options); i++) {
        rig_open(&r, options[i]);
        expect_refusal(&r, ":method: GET\n:scheme: http\n:path: /\n", 400);
        rig_close(&r);
    }
}

static void redirect_if_not_tls_is_about_the_transport(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=respond=200;/;redirect-if-not-tls\nadd-response-header=x-a: b");
    expect_answer(&r, GET,
                  ":status: 308\nlocation: https://h.example/a?b\nserver: nghttpx\n"
                  "content-length: 0\nx-a: b\n",
                  0);
    r.client.tls = true;
    expect_answer(&r, GET, ":status: 200\nserver: nghttpx\ncontent-length: 0\nx-a: b\n", 0);
    rig_close(&r);
    /* One backend of a group says it for all. */
    rig_open(&r, "backend=127.0.0.1,80\nbackend=127.0.0.1,81;;redirect-if-not-tls\n"
                 "redirect-https-port=8443");
    expect_location(&r, GET, 308, "https://h.example:8443/a?b");
    expect_location(&r, "POST / HTTP/1.1\nHost: [::1]\n", 308, "https://[::1]:8443/");
    rig_close(&r);
}

static void healthmon_answers_whatever_is_asked(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "backend=127.0.0.1,1;;redirect-if-not-tls");
    r.client.healthmon = true;
    static const char ok[] = ":status: 200\nserver: nghttpx\ncontent-length: 0\n";
    expect_answer(&r, GET, ok, 0);
    expect_answer(&r, "OPTIONS * HTTP/1.1\nHost: a\n", ok, 0);
    expect_answer(&r, "DELETE / HTTP/1.0\n", ok, 0);
    rig_close(&r);
}

static void connect_is_not_answered(void **state)
{
    (void)state;
    struct rig r;
    static const char request[] = ":method: CONNECT\n:authority: a:1\n";
    rig_open(&r, "backend=respond=200");
    expect_refusal(&r, request, 501); /* 2xx would be a tunnel */
    r.client.healthmon = true;
    expect_refusal(&r, request, 501);
    rig_close(&r);
    rig_open(&r, "backend=127.0.0.1,80;;redirect-if-not-tls");
    expect_refusal(&r, request, 501);
    rig_close(&r);
}

/* ---------------------------------------------------------------- bodies */

static void push(struct exchange *x, size_t len)
{
    static uint8_t zeros[4096];
    for (size_t n; len > 0; len -= n) {
        n = len < sizeof(zeros) ? len : sizeof(zeros);
        exchange_push_up(x, zeros, n);
    }
}

static void a_body_is_read_and_dropped_before_the_answer(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "backend=respond=200");
    struct exchange *x = begun(&r, &told, 11, "POST / HTTP/1.1\nHost: a\nContent-Length: 60000\n");
    push(x, 60000);
    assert_int_equal(told.heads, 0);
    assert_int_equal(told.credit, 60000);
    assert_int_equal(x->up.len, 0);
    exchange_end_up(x);
    assert_int_equal(told.heads, 1);
    assert_true(x->down.ended);
    assert_null(x->back_ops);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_body_that_is_too_long_is_not_waited_for(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "backend=respond=200");
    struct exchange *x =
        begun(&r, &told, 11, "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n");
    push(x, ANSWER_READS_MOST);
    assert_int_equal(told.heads, 0);
    push(x, 1);
    assert_int_equal(told.heads, 1);
    assert_true(x->down.ended);
    push(x, 100000); /* what comes all the same is dropped */
    assert_int_equal(told.credit, ANSWER_READS_MOST + 100001);
    assert_int_equal(told.heads, 1);
    rig_exchange_end(&r, x);
    x = begun(&r, &told, 11, "POST / HTTP/1.1\nHost: a\nContent-Length: 65537\n");
    assert_int_equal(told.heads, 1);
    rig_exchange_end(&r, x);
    x = begun(&r, &told, 11, "POST / HTTP/1.1\nHost: a\nExpect: 100-continue\nContent-Length: 1\n");
    assert_int_equal(told.heads, 1); /* the client waits for a word */
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_long_answer_takes_no_more_memory_than_the_pipe(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    char options[256];
    const size_t len = 1000003;
    uint8_t buf[7777];
    size_t at = 0;
    make_page("long", len);
    snprintf(options, sizeof(options), "backend=respond=200,%s\nbackend-response-buffer=16K", page);
    rig_open(&r, options);
    struct exchange *x = begun(&r, &told, 11, GET);
    while (!x->down.ended || x->down.len > 0) {
        assert_true(x->down.len > 0 && x->down.len <= 16384);
        size_t n = pipe_read(&x->down, buf, sizeof(buf));
        for (size_t i = 0; i < n; i++, at++) {
            assert_int_equal(buf[i], 'a' + at % 26);
        }
        exchange_took_down(x, n);
    }
    assert_int_equal(at, len);
    assert_null(x->back_ops);
    rig_exchange_end(&r, x);
    x = begun(&r, &told, 11, GET); /* a client that leaves in the middle */
    assert_non_null(x->back_ops);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(respond_gives_a_status_and_a_file),
        cmocka_unit_test(respond_without_a_file_is_empty_or_the_error_page),
        cmocka_unit_test(a_template_is_filled_from_the_request),
        cmocka_unit_test(a_host_that_is_not_there_is_not_put_in),
        cmocka_unit_test(redirect_if_not_tls_is_about_the_transport),
        cmocka_unit_test(healthmon_answers_whatever_is_asked),
        cmocka_unit_test(connect_is_not_answered),
        cmocka_unit_test(a_body_is_read_and_dropped_before_the_answer),
        cmocka_unit_test(a_body_that_is_too_long_is_not_waited_for),
        cmocka_unit_test(a_long_answer_takes_no_more_memory_than_the_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
