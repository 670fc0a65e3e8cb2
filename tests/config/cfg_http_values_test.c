/* Values of options about HTTP: fields, error pages, Alt-Svc, Forwarded. */
#include "cfg_test.h"

static void headers_are_fields_that_do_not_frame(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool request;
        const char *name, *value; /* or an error that says `why` */
        const char *why;
    } cases[] = {
        {"X-Foo: Bar", true, "x-foo", "Bar", NULL},
        {"x:y:z", true, "x", "y:z", NULL},
        {"x: \t y", true, "x", "y", NULL},
        {"x:", true, "x", "", NULL},
        {"x:   ", true, "x", "", NULL},
        {"x: \xc3\xbc\tz", true, "x", "\xc3\xbc\tz", NULL},
        {"host: a", false, "host", "a", NULL},
        {"x", true, NULL, NULL, "\"x\" has no colon; expected NAME: VALUE"},
        {"", true, NULL, NULL, "has no colon"},
        {": y", true, NULL, NULL, "t:1:1: no name; expected NAME: VALUE"},
        {":path: /", true, NULL, NULL, "no name"},
        {"a b: y", true, NULL, NULL, "t:1:2: \"a b\" is no field name"},
        {"a : y", true, NULL, NULL, "t:1:2: \"a \" is no field name"},
        {"\xc3\xbc: y", true, NULL, NULL, "t:1:1: \"??\" is no field name"},
        {"x: y ", true, NULL, NULL, "t:1:5: a blank at the end"},
        {"x: y\nz: a", true, NULL, NULL, "t:1:5: a control character (0x0a)"},
        {"x: y\r", true, NULL, NULL, "t:1:5: a control character (0x0d)"},
        {"Connection: close", true, NULL, NULL, "\"Connection\" cannot be added"},
        {"content-length: 1", false, NULL, NULL, "cannot be added"},
        {"Transfer-Encoding: chunked", false, NULL, NULL, "cannot be added"},
        {"Host: a", true, NULL, NULL, "cannot be added"},
        {"te: trailers", true, NULL, NULL, "cannot be added"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        struct cfg_header h = {0};
        said_begin(&s, cases[i].text);
        bool good = cfg_parse_header(&s.report, s.report.at.text, cases[i].request, &h);
        assert_int_equal(good, cases[i].why == NULL);
        if (good) {
            assert_string_equal(h.name, cases[i].name);
            assert_string_equal(h.value, cases[i].value);
        }
        said_end(&s, !good, cases[i].why);
        cfg_header_clear(&h);
    }
}

static void error_pages_are_read_at_once(void **state)
{
    (void)state;
    char path[128], text[200];
    test_file(path, "page.html", "a\0b", 3);
    static const struct {
        const char *code;
        int expected;
    } codes[] = {
        {"400", 400}, {"599", 599}, {"*", 0},   {"399", -1},  {"600", -1},
        {"", -1},     {"4o4", -1},  {"**", -1}, {"-404", -1}, {"18446744073709552020", -1}};
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct said s;
        struct cfg_error_page p = {0};
        snprintf(text, sizeof(text), "%s=%s", codes[i].code, path);
        said_begin(&s, text);
        bool good = cfg_parse_error_page(&s.report, s.report.at.text, &p);
        assert_int_equal(good, codes[i].expected >= 0);
        if (good) {
            assert_int_equal(p.code, codes[i].expected);
            assert_string_equal(p.path, path);
            assert_int_equal(p.len, 3);
            assert_memory_equal(p.body, "a\0b", 4); /* and a NUL behind it */
        }
        said_end(&s, !good, good ? NULL : "is no status of an error; expected 400 to 599, or *");
        cfg_error_page_clear(&p);
    }
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"404", "names no file; expected CODE=PATH"},
        {"404=", "names no file"},
        {"404=/nonexistent/x", "t:1:5: cannot read \"/nonexistent/x\": No such file or directory; "
                               "expected a file that can be read"},
        {"404=/", "cannot read \"/\": Is a directory"},
        {"404=/dev/zero", "t:1:5: \"/dev/zero\" is a FIFO, a socket or a device; expected a file"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct said s;
        struct cfg_error_page p = {0};
        said_begin(&s, bad[i].text);
        assert_false(cfg_parse_error_page(&s.report, s.report.at.text, &p));
        assert_null(p.body);
        said_end(&s, 1, bad[i].why);
    }
    test_folder_remove();
}

static void alternative_services(void **state)
{
    (void)state;
    static const struct {
        const char *text, *protocol;
        int port;
        const char *host, *origin, *params;
    } good[] = {
        {"h2,443", "h2", 443, "-", "-", "-"},
        {"h2,1,", "h2", 1, "-", "-", "-"},
        {"h3,65535,a.example,,ma=5", "h3", 65535, "a.example", "-", "ma=5"},
        {"h2,80,,https://b.example", "h2", 80, "-", "https://b.example", "-"},
        {"h2,80,a,b,c=\"1,2\", d=3", "h2", 80, "a", "b", "c=\"1,2\", d=3"},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct said s;
        struct cfg_altsvc a;
        said_begin(&s, good[i].text);
        assert_true(cfg_parse_altsvc(&s.report, s.report.at.text, &a));
        assert_string_equal(a.protocol, good[i].protocol);
        assert_int_equal(a.port, good[i].port);
        assert_string_equal(a.host != NULL ? a.host : "-", good[i].host);
        assert_string_equal(a.origin != NULL ? a.origin : "-", good[i].origin);
        assert_string_equal(a.params != NULL ? a.params : "-", good[i].params);
        cfg_altsvc_clear(&a);
        said_end(&s, 0, NULL);
    }
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "has no port; expected PROTOID,PORT[,HOST[,ORIGIN[,PARAMS]]]"},
        {"h2", "has no port"},
        {"h2,", "is no port"},
        {"h2,0", "t:1:4: \"0\" is no port"},
        {"h2,65536,a", "is no port"},
        {",443", "is no protocol id"},
        {"h 2,443", "is no protocol id"},
        {"h2,443,a\"b", "t:1:9: a quotation mark"},
        {"h2,443,a,b\"", "a quotation mark"},
        {"h2,443,a\x01", "a control character"},
        {"h2,443,,,\x7f", "a control character"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct said s;
        struct cfg_altsvc a;
        said_begin(&s, bad[i].text);
        assert_false(cfg_parse_altsvc(&s.report, s.report.at.text, &a));
        said_end(&s, 1, bad[i].why);
    }
}

static void names_of_proxies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {{"obfuscated", true}, {"ip", true},  {"_a", true},    {"_A.z-9_", true},
                 {"", false},          {"_", false},  {"a", false},    {"_a b", false},
                 {"_a;", false},       {"IP", false}, {"_\xfc", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        said_begin(&s, cases[i].text);
        assert_int_equal(cfg_check_node(&s.report, s.report.at.text), cases[i].good);
        said_end(&s, !cases[i].good, cases[i].good ? NULL : "is no name of a proxy; expected ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_fields_that_do_not_frame),
        cmocka_unit_test(error_pages_are_read_at_once),
        cmocka_unit_test(alternative_services),
        cmocka_unit_test(names_of_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
