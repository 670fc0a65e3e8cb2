#include "h1parser.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* Memory of just the text's size, so that the sanitizer sees a step over its end. */
static char *exact(const char *text, size_t len)
{
    char *p = malloc(len > 0 ? len : 1);
    assert_non_null(p);
    memcpy(p, text, len);
    return p;
}

static const struct {
    const char *text;
    bool valid;
    const char *host;
    int port;
} authorities[] = {
    {"a", true, "a", -1},
    {"example.com", true, "example.com", -1},
    {"example.com.", true, "example.com.", -1},
    {"EXAMPLE.com:80", true, "EXAMPLE.com", 80},
    {"a:", true, "a", -1},
    {"a:1", true, "a", 1},
    {"a:65535", true, "a", 65535},
    {"a:00080", true, "a", 80},
    {"192.0.2.1:443", true, "192.0.2.1", 443},
    {"0.0.0.0", true, "0.0.0.0", -1},
    {"1.2.3.4a", true, "1.2.3.4a", -1},
    {"1.2.3.a4", true, "1.2.3.a4", -1},
    {"0x7g", true, "0x7g", -1},
    {"10x", true, "10x", -1},
    {"1.0y1", true, "1.0y1", -1},
    {"1.example", true, "1.example", -1},
    {"1..", true, "1..", -1}, /* ends with an empty label, which is no number */
    {"a_b-c~d.e", true, "a_b-c~d.e", -1},
    {"a!$&'()*+;=b", true, "a!$&'()*+;=b", -1},
    {"[::]", true, "[::]", -1},
    {"[::1]:80", true, "[::1]", 80},
    {"[::1]:", true, "[::1]", -1},
    {"[2001:DB8:1:2:3:4:5:6]", true, "[2001:DB8:1:2:3:4:5:6]", -1},
    {"[::ffff:192.0.2.1]:1", true, "[::ffff:192.0.2.1]", 1},
    {"", false, NULL, 0},
    {":", false, NULL, 0},
    {":80", false, NULL, 0},
    {"a:0", false, NULL, 0},
    {"a:65536", false, NULL, 0},
    {"a:000080", false, NULL, 0},
    {"a:99999", false, NULL, 0},
    {"a:8o", false, NULL, 0},
    {"a:-1", false, NULL, 0},
    {"a: 80", false, NULL, 0},
    {"a:80:80", false, NULL, 0},
    {"a b", false, NULL, 0},
    {"a,b", false, NULL, 0},
    {"a@b", false, NULL, 0},
    {"@a", false, NULL, 0},
    {"a/b", false, NULL, 0},
    {"a\\b", false, NULL, 0},
    {"a?b", false, NULL, 0},
    {"a#b", false, NULL, 0},
    {"a\"b", false, NULL, 0},
    {"a<b", false, NULL, 0},
    {"a|b", false, NULL, 0},
    {"a^b", false, NULL, 0},
    {"a`b", false, NULL, 0},
    {"a{b", false, NULL, 0},
    {"\xc3\xa9", false, NULL, 0},
    {"\x7f", false, NULL, 0},
    {"a\r", false, NULL, 0},
    {"%", false, NULL, 0},
    {"%4", false, NULL, 0},
    {"%4g", false, NULL, 0},
    {"%g4", false, NULL, 0},
    {"a@bbb", false, NULL, 0}, /* as long as an encoded octet, and hex behind it */
    {"%e3%81%82.example", false, NULL, 0},
    {"%41", false, NULL, 0},
    {"a%2d", false, NULL, 0},
    {"%80", false, NULL, 0},
    /* addresses to some, names to others */
    {"999.999.999.999", false, NULL, 0},
    {"1.2.3.999", false, NULL, 0},
    {"1.2.3.4.5", false, NULL, 0},
    {"1.2.3.4.", false, NULL, 0},
    {"1.2.3", false, NULL, 0},
    {"127.1", false, NULL, 0},
    {"127.0.0.01", false, NULL, 0},
    {"127.0.0.0x1", false, NULL, 0},
    {"127.0.0.0X1", false, NULL, 0},
    {"2130706433", false, NULL, 0},
    {"0x7f000001:80", false, NULL, 0},
    {"0x", false, NULL, 0},
    {"a.0", false, NULL, 0},
    {"a.0.", false, NULL, 0},
    {"%00", false, NULL, 0},
    {"a%0d%0ab", false, NULL, 0},
    {"a%20b", false, NULL, 0},
    {"a%2fb", false, NULL, 0},
    {"a%2Cb", false, NULL, 0},
    {"a%40b", false, NULL, 0},
    {"a%5cb", false, NULL, 0},
    {"a%25b", false, NULL, 0},
    {"a%7fb", false, NULL, 0},
    {"::1", false, NULL, 0},
    {"[", false, NULL, 0},
    {"]", false, NULL, 0},
    {"[]", false, NULL, 0},
    {"[::1", false, NULL, 0},
    {"::1]", false, NULL, 0},
    {"[::1]a", false, NULL, 0},
    {"[::1]80", false, NULL, 0},
    {"[::1]:x", false, NULL, 0},
    {"[[::1]]", false, NULL, 0},
    {"a[::1]", false, NULL, 0},
    {"[1.2.3.4]", false, NULL, 0},
    {"[a]", false, NULL, 0},
    {"[::1%25eth0]", false, NULL, 0},
    {"[::1%eth0]", false, NULL, 0},
    {"[v1.a]", false, NULL, 0},
    {"[1:2:3:4:5:6:7]", false, NULL, 0},
    {"[1:2:3:4:5:6:7:8:9]", false, NULL, 0},
    {"[1::2::3]", false, NULL, 0},
    {"[12345::]", false, NULL, 0},
    {"[::1 ]", false, NULL, 0},
    {"[0000:0000:0000:0000:0000:0000:000000000.000000]", false, NULL, 0}, /* 46 octets */
    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", false, NULL, 0},
};

static void authority_is_host_and_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof authorities / sizeof authorities[0]; i++) {
        size_t len = strlen(authorities[i].text);
        char *text = exact(authorities[i].text, len);
        if (h1_authority_valid(text, len) != authorities[i].valid) {
            fail_msg("%s", authorities[i].text);
        }
        size_t host_len;
        int port;
        assert_int_equal(h1_authority_split(text, len, &host_len, &port), authorities[i].valid);
        if (!authorities[i].valid) {
            assert_int_equal(host_len, 0);
            assert_int_equal(port, -1);
        } else {
            assert_int_equal(host_len, strlen(authorities[i].host));
            assert_memory_equal(text, authorities[i].host, host_len);
            assert_int_equal(port, authorities[i].port);
        }
        free(text);
    }
    assert_false(h1_authority_valid("a\0b", 3));
    assert_false(h1_authority_valid("[::1\0]", 6));
    assert_false(h1_authority_valid(NULL, 0));
}

/* What is routed and forwarded of each form (RFC 9112, 3.2), and which host counts. */
static void head_has_one_path_and_one_host(void **state)
{
    static const struct {
        const char *head;
        const char *path;
        size_t path_len;
        const char *host;
    } cases[] = {
        {"GET /a/../b%7e?c HTTP/1.1\r\nHost: h:1\r\n\r\n", "/b~?c", 3, "h:1"},
        {"GET / HTTP/1.0\r\n\r\n", "/", 1, ""},
        {"GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n", "/x", 2, "a"},
        {"GET http://a/x HTTP/1.0\r\n\r\n", "/x", 2, "a"},
        {"GET http://a:80 HTTP/1.1\r\nHost:\r\n\r\n", "/", 1, "a:80"},
        {"GET http://a?q HTTP/1.1\r\nHost: b\r\n\r\n", "/?q", 1, "a"},
        {"OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n", "*", 1, "b"},
        {"OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n", "*", 1, "a"},
        {"OPTIONS http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "/", 1, "a"},
        {"OPTIONS http://a?q HTTP/1.1\r\nHost: b\r\n\r\n", "/?q", 1, "a"},
        {"OPTIONS /* HTTP/1.1\r\nHost: b\r\n\r\n", "/*", 2, "b"},
        {"CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n", "", 0, "a:443"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].head);
        char *head = exact(cases[i].head, len);
        struct h1_field fields[2];
        struct h1_head h;
        h1_head_init(&h, H1_REQUEST, fields, 2, (struct h1_options){.head_bytes = 99, .fields = 2});
        assert_int_equal(h1_head_parse(&h, (uint8_t *)head, len), H1_DONE);
        char *out = malloc(h1_head_path_size(&h)); /* of just that size */
        assert_non_null(out);
        size_t path_len;
        size_t n = h1_head_path(&h, head, out, &path_len);
        if (n != strlen(cases[i].path) || memcmp(out, cases[i].path, n) != 0) {
            fail_msg("%s: %.*s, wanted %s", cases[i].head, (int)n, out, cases[i].path);
        }
        assert_int_equal(path_len, cases[i].path_len);
        assert_int_equal(h.host.len, strlen(cases[i].host));
        assert_memory_equal(head + h.host.off, cases[i].host, h.host.len);
        free(out);
        free(head);
    }
}

static const struct {
    const char *from;
    const char *to;
    size_t path_len;
} paths[] = {
    {"/", "/", 1},
    {"/a/b", "/a/b", 4},
    {"/a/b/", "/a/b/", 5},
    /* what the absolute form may leave */
    {"", "/", 1},
    {"?q", "/?q", 1},
    {"a/b", "/a/b", 4},
    /* percent-encoding */
    {"/%61%7A%2d%2E%5f%7E%41%30", "/az-._~A0", 9},
    {"/%2f%3b%3a%40", "/%2F%3B%3A%40", 13},
    {"/%00%0a%20%7f%ff%25", "/%00%0A%20%7F%FF%25", 19},
    {"/%252e%252e/", "/%252e%252e/", 12}, /* decoded once only */
    {"/%", "/%", 2},
    {"/%4", "/%4", 3},
    {"/%4g%g4%%41", "/%4g%g4%%41", 11},
    {"/a/%%32e%%32e/b", "/a/%%32e%%32e/b", 15}, /* else a ".." would come into being */
    {"/%2%65", "/%2%65", 6},
    {"/%%%34%31", "/%%%341", 7},
    {"/%zz%41", "/%zzA", 5},
    {"/%c3%A9", "/%C3%A9", 7},
    /* dot segments, RFC 3986, 5.2.4 and 5.4 */
    {"/a/b/c/./../../g", "/a/g", 4},
    {"/.", "/", 1},
    {"/..", "/", 1},
    {"/./", "/", 1},
    {"/../", "/", 1},
    {"/../../../etc/passwd", "/etc/passwd", 11},
    {"/a/.", "/a/", 3},
    {"/a/..", "/", 1},
    {"/a/b/..", "/a/", 3},
    {"/a/b/../", "/a/", 3},
    {"/a/./b", "/a/b", 4},
    {"/a/../b", "/b", 2},
    {"/a/../../b", "/b", 2},
    {"/...", "/...", 4},
    {"/.a/a./..a/a..", "/.a/a./..a/a..", 14},
    {"/a/%2e%2e/b", "/b", 2},
    {"/a/%2E./b", "/b", 2},
    {"/a/.%2e", "/", 1},
    {"/%2e/a", "/a", 2},
    {"/a/..%2fb", "/a/..%2Fb", 9},
    {"/a;x/..;y/b", "/a;x/..;y/b", 11},
    {"..", "/", 1},
    {"./a", "/a", 2},
    /* empty segments are segments */
    {"//", "//", 2},
    {"//a//b", "//a//b", 6},
    {"/a//../b", "/a/b", 4},
    {"//..", "/", 1},
    {"//../a", "/a", 2},
    /* the query is kept, a fragment is not */
    {"/a/../b?c/../d%2e%zz", "/b?c/../d%2e%zz", 2},
    {"/a?b?c", "/a?b?c", 2},
    {"/a?", "/a?", 2},
    {"/%3f?%3f", "/%3F?%3f", 4},
    {"/a#b", "/a", 2},
    {"/a?b#c?d", "/a?b", 2},
    {"/a#b?c", "/a", 2},
    {"#a", "/", 1},
};

static void path_is_normalised(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        size_t len = strlen(paths[i].from);
        char *from = exact(paths[i].from, len);
        char *out = malloc(len + 1);
        assert_non_null(out);
        size_t path_len;
        size_t n = h1_path_normalise(from, len, out, &path_len);
        if (n != strlen(paths[i].to) || memcmp(out, paths[i].to, n) != 0) {
            fail_msg("%s: %.*s, wanted %s", paths[i].from, (int)n, out, paths[i].to);
        }
        assert_int_equal(path_len, paths[i].path_len);
        assert_memory_equal(from, paths[i].from, len);
        free(from);
        free(out);
    }
}

static void path_is_normalised_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        size_t len = strlen(paths[i].from);
        char *text = malloc(len + 1);
        assert_non_null(text);
        memcpy(text, paths[i].from, len);
        size_t path_len;
        size_t n = h1_path_normalise(text, len, text, &path_len);
        assert_int_equal(n, strlen(paths[i].to));
        assert_memory_equal(text, paths[i].to, n);
        assert_int_equal(path_len, paths[i].path_len);
        free(text);
    }
}

/* Else a second proxy would route what we forward to another place than we did. */
static void a_normal_path_stays_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char out[64];
        size_t path_len;
        size_t n = h1_path_normalise(paths[i].to, strlen(paths[i].to), out, &path_len);
        if (n != strlen(paths[i].to) || memcmp(out, paths[i].to, n) != 0) {
            fail_msg("%s: %.*s", paths[i].to, (int)n, out);
        }
        assert_int_equal(path_len, paths[i].path_len);
    }
}

static void long_climbs_take_linear_time(void **state)
{
    (void)state;
    /* "/a" as often as "/..": quadratic work on a megabyte would not end within the test's time. */
    enum { N = 200000 };
    size_t len = (size_t)N * 2 + (size_t)N * 3;
    char *text = malloc(len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < N; i++) {
        memcpy(text + i * 2, "/a", 2);
        memcpy(text + (size_t)N * 2 + i * 3, "/..", 3);
    }
    size_t path_len;
    assert_int_equal(h1_path_normalise(text, len, text, &path_len), 1);
    assert_int_equal(text[0], '/');
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authority_is_host_and_port),
        cmocka_unit_test(head_has_one_path_and_one_host),
        cmocka_unit_test(path_is_normalised),
        cmocka_unit_test(path_is_normalised_in_place),
        cmocka_unit_test(a_normal_path_stays_as_it_is),
        cmocka_unit_test(long_climbs_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
