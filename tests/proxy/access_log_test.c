/* Lines of the access log: section 3.4 of the option reference. */
#include "ops/access_log.h"

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

/* Everything in the log file; owned by the caller. */
static char *contents(const char *path)
{
    char *text = NULL;
    size_t len, n;
    FILE *f = fopen(path, "r"), *out = open_memstream(&text, &len);
    assert_true(f != NULL && out != NULL);
    char buf[4096];
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0) {
        fwrite(buf, 1, n, out);
    }
    fclose(f);
    fclose(out);
    return text;
}

static const char *log_path(void)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/access.log", testing_folder());
    return path;
}

static void open_log(struct rig *r, const char *format, const char *options)
{
    char text[2048];
    unlink(log_path());
    snprintf(text, sizeof(text), "accesslog-file=%s\n%s%s%s%s", log_path(),
             format != NULL ? "accesslog-format=" : "", format != NULL ? format : "",
             format != NULL ? "\n" : "", options);
    rig_open(r, text);
}

/* The line that this request leaves. `prepare` may change the exchange before it ends. */
static char *line(const char *format, int version, const char *request,
                  void (*prepare)(struct rig *r, struct exchange *x))
{
    struct rig r;
    struct told told;
    open_log(&r, format, "backend=127.0.0.1,8080");
    struct exchange *x = rig_exchange(&r, &told);
    testing_request(x, version, request);
    x->started = (struct timespec){.tv_sec = 784111777, .tv_nsec = 7000000};
    if (prepare != NULL) {
        prepare(&r, x);
    }
    rig_exchange_end(&r, x);
    rig_close(&r);
    return contents(log_path());
}

static void expect(const char *format, int version, const char *request,
                   void (*prepare)(struct rig *r, struct exchange *x), const char *expected)
{
    char *got = line(format, version, request, prepare), wanted[8192];
    snprintf(wanted, sizeof(wanted), "%s\n", expected);
    if (strcmp(got, wanted) != 0) {
        print_error("%s:\n%sinstead of\n%s", format, got, wanted);
    }
    bool same = strcmp(got, wanted) == 0;
    free(got);
    assert_true(same);
}

#define GET                                                                                        \
    "GET /a/../p?q HTTP/1.1\nHost: a.example:80\nUser-Agent: me\nX-Two-Words: 1\nX-Two-Words: 2\n"

static void answered(struct rig *r, struct exchange *x)
{
    x->response.status = 206;
    x->response_started = true;
    x->sent_bytes = 12345678901;
    rig_sent_to(r, x, 0);
}

static void each_variable_says_its_own(void **state)
{
    (void)state;
    char pid[24];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    const struct {
        const char *format, *expected;
    } cases[] = {
        {"$remote_addr", "192.0.2.7"},
        {"$remote_port", "4711"},
        {"$server_port", "3000"},
        {"$time_local", "06/Nov/1994:08:49:37 +0000"},
        {"$time_iso8601", "1994-11-06T08:49:37.007+00:00"},
        {"$request", "GET /a/../p?q HTTP/1.1"},
        {"$method", "GET"},
        {"$path", "/a/../p?q"},
        {"$path_without_query", "/a/../p"},
        {"$protocol_version", "HTTP/1.1"},
        {"$status", "206"},
        {"$body_bytes_sent", "12345678901"},
        {"$pid", pid},
        {"$alpn", "http/1.1"},
        {"$http_user_agent", "me"},
        {"$http_x_two_words", "1"},
        {"$http_host", "a.example:80"},
        {"$http_none", "-"},
        {"$tls_cipher $tls_protocol $tls_session_reused $tls_sni", "- - - -"},
        {"$backend_host", "127.0.0.1"},
        {"$backend_port", "8080"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect(cases[i].format, 11, GET, answered, cases[i].expected);
    }
}

static void a_name_is_found_in_any_case_and_in_braces(void **state)
{
    (void)state;
    static const struct {
        const char *format, *expected;
    } cases[] = {
        {"${method}x", "GETx"},
        {"$METHOD $Http_User_Agent", "GET me"},
        {"$methods", "$methods"}, /* unknown ones stay */
        {"a$nothing-${nothing}b", "a$nothing-${nothing}b"},
        {"$http_", "$http_"},
        {"$$method", "$GET"},
        {"$", "$"},
        {"$ method", "$ method"},
        {"${method", "${method"},
        {"${}$method", "${}GET"},
        {"$method$status", "GET206"},
        {"$method-$status.", "GET-206."},
        {"100%s%n", "100%s%n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect(cases[i].format, 11, GET, answered, cases[i].expected);
    }
}

static void the_default_is_the_combined_format(void **state)
{
    (void)state;
    expect(NULL, 11, "GET / HTTP/1.1\nHost: a\nReferer: r\nUser-Agent: u\n", answered,
           "192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] \"GET / HTTP/1.1\" 206 12345678901 \"r\" "
           "\"u\"");
}

static void what_is_missing_is_a_dash(void **state)
{
    (void)state;
    expect("$status $http_host $backend_host $backend_port $body_bytes_sent", 10,
           "GET / HTTP/1.0\n", NULL, "- - - - 0");
}

static void over_tls(struct rig *r, struct exchange *x)
{
    (void)x;
    static char sni[] = "a\"b";
    r->client.tls = r->client.tls_reused = true;
    r->client.alpn = "h2";
    r->client.tls_cipher = "C";
    r->client.tls_protocol = "TLSv1.3";
    r->client.tls_sni = sni;
}

static void http2_and_tls_have_their_facts(void **state)
{
    (void)state;
#define GET20 ":method: GET\n:scheme: http\n:authority: b.example\n:path: /p\n"
    expect("$request|$alpn|$http_host|$protocol_version", 20, GET20, NULL,
           "GET /p HTTP/2|h2c|b.example|HTTP/2");
    expect("$alpn $tls_cipher $ssl_cipher $tls_protocol $ssl_protocol $tls_session_reused $tls_sni",
           20, GET20, over_tls, "h2 C C TLSv1.3 TLSv1.3 r a\\x22b");
}

static void what_a_client_wrote_cannot_forge_anything(void **state)
{
    (void)state;
    expect("\"$http_x\"", 11, "GET / HTTP/1.1\nHost: a\nX: a\" \\ \t \xff\xc3\xa4~!\n", NULL,
           "\"a\\x22 \\x5C \\x09 \\xFF\\xC3\\xA4~!\"");
}

static void odd_target(struct rig *r, struct exchange *x)
{
    (void)r;
    x->request.method_text = (struct str){"G\nT", 3};
    x->request.target = (struct str){"/\r\n\0\x1b", 5};
}

static void not_even_a_target_that_no_parser_would_have_let_through(void **state)
{
    (void)state;
    expect("$request $method $path", 11, GET, odd_target,
           "G\\x0AT /\\x0D\\x0A\\x00\\x1B HTTP/1.1 G\\x0AT /\\x0D\\x0A\\x00\\x1B");
}

static void a_record_has_4_kib_at_the_most_and_always_its_line_end(void **state)
{
    (void)state;
    static const size_t sizes[] = {4000, 4094, 4095, 4096, 5000, 20000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        static char request[24000];
        int n = sprintf(request, "GET / HTTP/1.1\nHost: a\nX: ");
        memset(request + n, 'x', sizes[i]);
        strcpy(request + n + sizes[i], "\n");
        char *got = line("$http_x", 11, request, NULL);
        size_t len = strlen(got);
        assert_int_equal(len, sizes[i] + 1 < 4096 ? sizes[i] + 1 : 4096);
        assert_int_equal(got[len - 1], '\n');
        assert_int_equal(strspn(got, "x"), len - 1);
        free(got);
    }
}

static void lines_of_many_exchanges_are_whole_and_in_order(void **state)
{
    (void)state;
    enum { N = 300 };
    struct rig r;
    struct told told;
    open_log(&r, "$http_n $http_x", "");
    static char text[2000];
    for (int i = 0; i < N; i++) {
        struct exchange *x = rig_exchange(&r, &told);
        int n = sprintf(text, "GET / HTTP/1.1\nHost: a\nN: %d\nX: ", i);
        memset(text + n, 'y', 1000);
        strcpy(text + n + 1000, "\n");
        testing_request(x, 11, text);
        exchange_end(x, EXCHANGE_OK); /* all in one turn: more than the buffer holds */
    }
    rig_turn(&r);
    rig_close(&r);
    char *got = contents(log_path()), *p = got;
    for (int i = 0; i < N; i++) {
        int n = 0, number = -1;
        assert_int_equal(sscanf(p, "%d %n", &number, &n), 1);
        assert_int_equal(number, i);
        assert_int_equal(strspn(p + n, "y"), 1000);
        assert_int_equal(p[n + 1000], '\n');
        p += n + 1001;
    }
    assert_int_equal(*p, 0);
    free(got);
}

static void a_file_that_was_moved_away_is_made_again(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    char moved[160];
    open_log(&r, "$path", "");
    snprintf(moved, sizeof(moved), "%s.1", log_path());
    struct exchange *x = rig_exchange(&r, &told);
    testing_request(x, 11, "GET /1 HTTP/1.1\nHost: a\n");
    rig_exchange_end(&r, x);
    assert_int_equal(rename(log_path(), moved), 0);
    access_log_reopen();
    x = rig_exchange(&r, &told);
    testing_request(x, 11, "GET /2 HTTP/1.1\nHost: a\n");
    rig_exchange_end(&r, x);
    rig_close(&r);
    char *first = contents(moved), *second = contents(log_path());
    assert_string_equal(first, "/1\n");
    assert_string_equal(second, "/2\n");
    free(first);
    free(second);
}

static void without_a_file_nothing_is_kept(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "");
    struct exchange *x = rig_exchange(&r, &told);
    testing_request(x, 11, GET);
    rig_exchange_end(&r, x);
    assert_null(r.worker->access_log.buf);
    assert_int_equal(r.worker->access_log.len, 0);
    rig_close(&r);
    log_format_free(NULL);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_variable_says_its_own),
        cmocka_unit_test(a_name_is_found_in_any_case_and_in_braces),
        cmocka_unit_test(the_default_is_the_combined_format),
        cmocka_unit_test(what_is_missing_is_a_dash),
        cmocka_unit_test(http2_and_tls_have_their_facts),
        cmocka_unit_test(what_a_client_wrote_cannot_forge_anything),
        cmocka_unit_test(not_even_a_target_that_no_parser_would_have_let_through),
        cmocka_unit_test(a_record_has_4_kib_at_the_most_and_always_its_line_end),
        cmocka_unit_test(lines_of_many_exchanges_are_whole_and_in_order),
        cmocka_unit_test(a_file_that_was_moved_away_is_made_again),
        cmocka_unit_test(without_a_file_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
