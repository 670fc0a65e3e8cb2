/* Answers of the program's own in the place of a backend's address. */
#include "cfg_test.h"

static char page[128];

static void answers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cfg_kind kind;
        int status;
        const char *location;
    } cases[] = {
        {"respond=200", CFG_KIND_RESPOND, 200, NULL},
        {"RESPOND=599;;", CFG_KIND_RESPOND, 599, NULL},
        {"respond=204;/a:b.c/", CFG_KIND_RESPOND, 204, NULL},
        {"respond=304", CFG_KIND_RESPOND, 304, NULL},
        {"redirect=301,https://a.example/b?c=d&e=$host", CFG_KIND_REDIRECT, 301,
         "https://a.example/b?c=d&e=$host"},
        {"redirect=302,$scheme://$authority/x$path", CFG_KIND_REDIRECT, 302,
         "$scheme://$authority/x$path"},
        {"redirect=303,HTTP://www.$host$path_without_query#%41", CFG_KIND_REDIRECT, 303,
         "HTTP://www.$host$path_without_query#%41"},
        {"redirect=307,/", CFG_KIND_REDIRECT, 307, "/"},
        {"redirect=308,/a/,$path;/x;redirect-if-not-tls", CFG_KIND_REDIRECT, 308, "/a/,$path"},
        {"redirect=301,https://[::1]:8443$path", CFG_KIND_REDIRECT, 301, "https://[::1]:8443$path"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cfg_backend b = backend_of(cases[i].text, NULL);
        assert_int_equal(b.kind, cases[i].kind);
        assert_int_equal(b.status, cases[i].status);
        assert_true(b.addr.host == NULL && b.addr.path == NULL && b.npatterns > 0);
        assert_true(b.file == NULL && b.body == NULL);
        assert_int_equal(b.redirect_if_not_tls, cases[i].status == 308);
        if (cases[i].location == NULL) {
            assert_null(b.location);
        } else {
            assert_string_equal(b.location, cases[i].location);
        }
        cfg_backend_clear(&b);
    }
}

static void the_body_is_read_with_the_configuration(void **state)
{
    (void)state;
    char text[160];
    test_file(page, "page", "back\0soon", 9);
    snprintf(text, sizeof(text), "respond=503,%s;/a", page);
    struct cfg_backend b = backend_of(text, NULL);
    assert_string_equal(b.file, page);
    assert_int_equal(b.body_len, 9);
    assert_memory_equal(b.body, "back\0soon", 9);
    cfg_backend_clear(&b);
    test_file(page, "page", "", 0);
    b = backend_of(text, NULL);
    assert_int_equal(b.body_len, 0);
    assert_non_null(b.body);
    cfg_backend_clear(&b);
}

static void bad_answers(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"respond", 1, "t:1:1: no value; expected respond=VALUE"},
        {"respond=", 1, "no value; expected respond=VALUE"},
        {"respond=;/a", 1, "no value; expected respond=VALUE"},
        {"redirect", 1, "no value; expected redirect=VALUE"},
        {"respnd=200", 1, "t:1:1: unknown parameter \"respnd\"; did you mean \"respond\"?"},
        {"redirct=301,/", 1, "did you mean \"redirect\"?"},
        {"respond=199", 1, "t:1:9: respond: \"199\" is too small; expected 200 to 599"},
        {"respond=600", 1, "\"600\" is too large; expected 200 to 599"},
        {"respond=2xx", 1, "\"2xx\" is no number"},
        {"respond=,/x", 1, "\"\" is no number"},
        {"respond=200,", 1,
         "t:1:9: respond: no file behind the comma; expected STATUS or STATUS,FILE"},
        {"respond=200,/nonexistent", 1,
         "t:1:13: respond: cannot read \"/nonexistent\": No such file"},
        {"respond=200,/", 1, "cannot read \"/\": Is a directory"},
        {"respond=204,/dev/null", 1,
         "t:1:13: respond: a response with 204 has no content; expected no"},
        {"respond=205,/dev/null", 1, "has no content"},
        {"respond=304,/dev/null", 1, "has no content"},
        {"respond=200,/\x01", 1, "a control character"},
        {"redirect=301", 1, "\"301\" does not say where to; expected STATUS,TEMPLATE"},
        {"redirect=301,", 1, "does not say where to"},
        {"redirect=300,/", 1,
         "t:1:10: redirect: \"300\" is none of the names; expected one of 301, 302, 303"},
        {"redirect=304,/", 1, "is none of the names"},
        {"redirect=https://a/", 1, "is none of the names"},
        /* where it begins */
        {"redirect=301,a", 1,
         "t:1:14: redirect: \"a\" does not say where to; expected it to begin with"},
        {"redirect=301,$path", 1, "does not say where to"},
        {"redirect=301,$host$path", 1, "does not say where to"},
        {"redirect=301,$authority/", 1, "does not say where to"},
        {"redirect=301,$scheme:/a", 1, "does not say where to"},
        {"redirect=301,ftp://a/", 1, "does not say where to"},
        {"redirect=301,javascript:x", 1, "does not say where to"},
        {"redirect=301,//a.example/", 1, "a path that a client can make lead to another host"},
        {"redirect=301,/$path", 1, "a path that a client can make lead to another host"},
        {"redirect=301,/$path_without_query", 1, "can make lead to another host"},
        {"redirect=301,/$host", 1, "can make lead to another host"},
        {"redirect=301,https://", 1, "no host; expected such as https://$host$path"},
        {"redirect=301,https:///a", 1, "no host"},
        {"redirect=301,https://?a", 1, "no host"},
        {"redirect=301,https://#a", 1, "no host"},
        {"redirect=301,https://:443$path", 1, "no host"},
        {"redirect=301,https://@$host", 1, "no host"},
        {"redirect=301,https://$path", 1, "no host"},
        {"redirect=301,$scheme://$path_without_query", 1, "no host"},
        /* what it is made of */
        {"redirect=301,/a$hots", 1,
         "t:1:16: redirect: \"$hots\" is none of the names; expected one of $scheme, $host, "
         "$authority, "
         "$path, "
         "$path_without_query; did you mean \"$host\"?"},
        {"redirect=301,/a$", 1, "t:1:16: redirect: \"$\" is none of the names"},
        {"redirect=301,/a$$host", 1, "\"$\" is none of the names"},
        {"redirect=301,/a$Host", 1,
         "t:1:16: redirect: \"$Host\" has capital letters; expected small ones"},
        {"redirect=301,/a$path_with_query", 1, "did you mean \"$path_without_query\"?"},
        {"redirect=301,/a${path}", 1, "\"$\" is none of the names"},
        {"redirect=301,/a b", 1,
         "t:1:16: redirect: a byte that no URI has; expected it percent-encoded, "
         "such as %20"},
        {"redirect=301,/\\a.example", 1, "such as %5C"},
        {"redirect=301,/\xc3\xbc", 1, "such as %C3"},
        {"redirect=301,/\"", 1, "such as %22"},
        {"redirect=301,/%", 1, "such as %25"},
        {"redirect=301,/%4", 1, "such as %25"},
        {"redirect=301,/%4$host", 1, "such as %25"},
        {"redirect=301,/a\x7f", 1, "such as %7F"},
        /* what is about a server */
        {"respond=200;;tls", 1,
         "t:1:14: \"tls\" is about a server, and there is none; expected at "
         "most redirect-if-not-tls"},
        {"respond=200;;proto=h2;weight=3", 2, "\"weight\" is about a server"},
        {"redirect=301,/;;health-path=/", 1, "\"health-path\" is about a server"},
        {"respond=200;;redirect-if-nto-tls", 1, "did you mean \"redirect-if-not-tls\"?"},
        {"respond=1;[;tls", 3, "is about a server"},
    };
    assert_backends_refused(cases, COUNT(cases));
}

static void addresses_stay_addresses(void **state)
{
    (void)state;
    static const char *const addresses[] = {"respond,80", "redirect,80", "unix:respond=200",
                                            "unix:/a=b", "h-respond,80"};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct cfg_backend b = backend_of(addresses[i], NULL);
        assert_int_equal(b.kind, CFG_KIND_SERVER);
        cfg_backend_clear(&b);
    }
}

static void templates_come_in_parts(void **state)
{
    (void)state;
    static const struct {
        enum cfg_template_kind kind;
        const char *s;
    } expected[] = {
        {CFG_TEMPLATE_SCHEME, "$scheme"},
        {CFG_TEMPLATE_TEXT, "://"},
        {CFG_TEMPLATE_HOST, "$host"},
        {CFG_TEMPLATE_TEXT, ".x"},
        {CFG_TEMPLATE_AUTHORITY, "$authority"},
        {CFG_TEMPLATE_PATH_WITHOUT_QUERY, "$path_without_query"},
        {CFG_TEMPLATE_PATH, "$path"},
        {CFG_TEMPLATE_TEXT, "-a"},
        {CFG_TEMPLATE_UNKNOWN, "$paths"},
        {CFG_TEMPLATE_UNKNOWN, "$"},
        {CFG_TEMPLATE_TEXT, "1"},
        {CFG_TEMPLATE_END, ""},
        {CFG_TEMPLATE_END, ""},
    };
    const char *rest = "$scheme://$host.x$authority$path_without_query$path-a$paths$1";
    for (size_t i = 0; i < COUNT(expected); i++) {
        struct cfg_template_part part = cfg_template_next(&rest);
        assert_int_equal(part.kind, expected[i].kind);
        assert_int_equal(part.len, strlen(expected[i].s));
        assert_memory_equal(part.s, expected[i].s, part.len);
    }
}

static int clean_up(void **state)
{
    (void)state;
    test_folder_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(the_body_is_read_with_the_configuration),
        cmocka_unit_test(bad_answers),
        cmocka_unit_test(addresses_stay_addresses),
        cmocka_unit_test(templates_come_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
