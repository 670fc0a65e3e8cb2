/* The responses that the proxy makes itself: section 3.7 of the option reference. */
#include "exchange/error_page.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static char *page_file(const char *name, const char *text, size_t len)
{
    static char path[2][160];
    static unsigned next;
    char *p = path[next++ % 2];
    snprintf(p, sizeof(path[0]), "%s/%s", testing_folder(), name);
    FILE *f = fopen(p, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
    return p;
}

/* Makes the page and checks all of it. */
static void expect_page(struct rig *r, const char *request, int status, const char *server,
                        const char *body, size_t len)
{
    struct told told;
    struct exchange *x = rig_exchange(r, &told);
    testing_request(x, 11, request);
    error_page_make(x, status);
    const struct message *m = &x->response.m;
    bool head = x->request.method == H1_METHOD_HEAD;
    assert_int_equal(x->response.status, status);
    assert_int_equal(m->content_length, len); /* HEAD too: what GET would get */
    assert_int_equal(m->has_body, !head && len > 0);
    assert_int_equal(m->ntrailers, 0);
    assert_int_equal(x->down.len, head ? 0 : len);
    uint8_t got[1024];
    assert_true(len < sizeof(got));
    size_t n = pipe_read(&x->down, got, sizeof(got));
    if (!head) {
        assert_memory_equal(got, body, n);
    }
    const struct h2_field *date = message_find(m, H2_TOKEN_DATE);
    assert_non_null(date);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "content-type: text/html; charset=UTF-8\nserver: %s\ndate: %.*s\n%s", server,
             (int)date->value_len, date->value, status == 503 ? "retry-after: 5\n" : "");
    char *fields = testing_fields_text(m->fields, m->nfields);
    assert_string_equal(fields, expected);
    free(fields);
    struct tm tm = {0};
    const char *end = strptime(date->value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    assert_ptr_equal(end, date->value + date->value_len); /* RFC 9110, 5.6.7 */
    assert_true(labs((long)(timegm(&tm) - time(NULL))) < 60);
    rig_exchange_end(r, x);
}

#define GET "GET / HTTP/1.1\nHost: a\n"

static void a_line_of_html_when_nothing_else_is_wanted(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *reason;
    } cases[] = {{404, "Not Found"},
                 {502, "Bad Gateway"},
                 {400, "Bad Request"},
                 {504, "Gateway Timeout"},
                 {408, "Request Timeout"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"},
                 {500, "Internal Server Error"},
                 {431, "Request Header Fields Too Large"}};
    struct rig r;
    for (int named = 0; named <= 1; named++) {
        const char *server = named ? "other" : "nghttpx";
        rig_open(&r, named ? "server-name=other" : "");
        for (size_t i = 0; i < COUNT(cases); i++) {
            char body[512];
            int len = snprintf(
                body, sizeof(body),
                "<!DOCTYPE html><html lang=\"en\"><title>%d %s</title><body><h1>%d %s</h1>"
                "<footer>%s</footer></body></html>",
                cases[i].status, cases[i].reason, cases[i].status, cases[i].reason, server);
            expect_page(&r, GET, cases[i].status, server, body, (size_t)len);
            expect_page(&r, "HEAD / HTTP/1.1\nHost: a\n", cases[i].status, server, body,
                        (size_t)len);
        }
        rig_close(&r);
    }
}

static void the_first_page_that_fits_is_the_operators(void **state)
{
    (void)state;
    char options[600];
    const char *own = page_file("404", "gone\0away", 9), *any = page_file("any", "", 0);
    struct rig r;
    snprintf(options, sizeof(options), "error-page=404=%s\nerror-page=*=%s\nerror-page=502=%s", own,
             any, own);
    rig_open(&r, options);
    expect_page(&r, GET, 404, "nghttpx", "gone\0away", 9);
    expect_page(&r, "HEAD / HTTP/1.1\nHost: a\n", 404, "nghttpx", "", 9);
    expect_page(&r, GET, 502, "nghttpx", "", 0); /* `*` stands before it */
    expect_page(&r, GET, 400, "nghttpx", "", 0);
    rig_close(&r);
}

static void it_replaces_what_a_backend_said(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "");
    struct exchange *x = rig_exchange(&r, &told);
    testing_request(x, 11, GET);
    testing_response(x, 20, ":status: 200\nx-secret: 1\ncontent-length: 3\n");
    testing_trailers(x, &x->response.m, 20, "x-sum: 1\n");
    pipe_write(&x->down, (const uint8_t *)"abc", 3);
    x->error = EXCHANGE_BACKEND_GONE;
    exchange_make_error(x);
    assert_int_equal(x->response.status, 502);
    assert_int_equal(x->response.m.ntrailers, 0);
    assert_int_equal(x->down.len, x->response.m.content_length);
    assert_true(x->down.ended);
    const uint8_t *data;
    assert_true(pipe_peek(&x->down, &data) > 3);
    assert_memory_equal(data, "<!D", 3);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_html_when_nothing_else_is_wanted),
        cmocka_unit_test(the_first_page_that_fits_is_the_operators),
        cmocka_unit_test(it_replaces_what_a_backend_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
