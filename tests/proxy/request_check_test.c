/* What a request must be, whichever protocol it came with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "exchange/request_check.h"
#include "proxy_testing.h"

static void an_authority_is_one_host_in_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"a.example", "a.example"},
        {"a.example:8080", "a.example:8080"},
        {"a:", "a"},
        {"[1::]:", "[1::]"},
        {"a:00080", "a:80"},
        {"[::1]:0443", "[::1]:443"},
        {"127.0.0.1:01", "127.0.0.1:1"},
        {"a:0", NULL},
        {"a:00000", NULL},
        {"[1]:0", NULL},
        {"[::1]:0", NULL},
        {"a:65536", NULL},
        {"a%2f%40b", NULL},
        {"a%00", NULL},
        {"a%25b", NULL},
        {"%61", NULL},
        {"[::::]", NULL},
        {"[.]", NULL},
        {":80", NULL},
        {"127.1", NULL},
        {"a,b", NULL},
    };
    struct rig r;
    struct told told;
    rig_open(&r, "");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct exchange *x = rig_exchange(&r, &told);
        struct str *a = &x->request.authority;
        *a = (struct str){cases[i].in, strlen(cases[i].in)};
        enum exchange_error why = request_check(x);
        if ((why == EXCHANGE_OK) != (cases[i].out != NULL) ||
            (why == EXCHANGE_OK &&
             (a->len != strlen(cases[i].out) || memcmp(a->s, cases[i].out, a->len) != 0))) {
            fail_msg("%s: %d, %.*s", cases[i].in, (int)why, (int)a->len, a->s);
        }
        rig_exchange_end(&r, x);
    }
    rig_close(&r);
}

/* What becomes of a request with these fields; *fields is what request_check() leaves of them. */
struct check {
    const char *rule;
    int version;
    const char *method, *fields;
    bool has_body;
    enum exchange_error why;
    const char *left; /* NULL: as they were */
    bool expects;
};

static void run_checks(const struct check *c, size_t n)
{
    struct rig r;
    struct told told;
    rig_open(&r, "");
    for (; n > 0; n--, c++) {
        struct exchange *x = rig_exchange(&r, &told);
        struct h2_field f[8];
        char text[512];
        strcpy(text, c->fields);
        x->request.m.fields = f;
        x->request.m.nfields = testing_parse_fields(text, f, COUNT(f));
        x->request.m.http_major = (uint8_t)(c->version / 10);
        x->request.m.http_minor = (uint8_t)(c->version % 10);
        x->request.m.has_body = c->has_body;
        x->request.m.content_length = -1;
        x->request.method = h1_method_lookup(c->method, strlen(c->method));
        enum exchange_error why = request_check(x);
        if (why != c->why || (why == EXCHANGE_OK && x->request.expect_continue != c->expects)) {
            fail_msg("%s: %d, %d", c->rule, (int)why, x->request.expect_continue);
        }
        if (why == EXCHANGE_OK) {
            struct field_list l = {
                .f = x->request.m.fields, .n = x->request.m.nfields, .cap = COUNT(f)};
            testing_expect_fields(c->rule, l, c->left != NULL ? c->left : c->fields);
        }
        rig_exchange_end(&r, x);
    }
    rig_close(&r);
}

#define BAD EXCHANGE_CLIENT_PROTOCOL

static void one_expectation_is_known(void **state)
{
    (void)state;
    static const struct check cases[] = {
        {"none", 11, "POST", "", true, EXCHANGE_OK, NULL, false},
        {"one", 11, "POST", "expect: 100-continue\n", true, EXCHANGE_OK, NULL, true},
        {"in any case", 20, "POST", "expect: 100-CONTINUE\n", true, EXCHANGE_OK, NULL, true},
        {"ignored in 1.0", 10, "POST", "expect: 100-continue\n", true, EXCHANGE_OK, NULL, false},
        {"another", 20, "POST", "expect: 200-ok\n", true, EXCHANGE_CLIENT_EXPECTATION, NULL, false},
        {"an empty one", 20, "POST", "expect: \n", true, EXCHANGE_CLIENT_EXPECTATION, NULL, false},
        {"a list", 20, "POST", "expect: 100-continue, x\n", true, EXCHANGE_CLIENT_EXPECTATION, NULL,
         false},
        {"two", 20, "POST", "expect: 100-continue\nexpect: 100-continue\n", true,
         EXCHANGE_CLIENT_EXPECTATION, NULL, false},
        {"the last is good", 20, "POST", "expect: x\nexpect: 100-continue\n", true,
         EXCHANGE_CLIENT_EXPECTATION, NULL, false},
        {"the first is good", 20, "POST", "expect: 100-continue\nexpect: x\n", true,
         EXCHANGE_CLIENT_EXPECTATION, NULL, false},
    };
    run_checks(cases, COUNT(cases));
}

#define MF "max-forwards: "

static void max_forwards_counts_down(void **state)
{
    (void)state;
    static const struct check cases[] = {
        {"not for GET", 11, "GET", MF "0\n", false, EXCHANGE_OK, NULL, false},
        {"one", 11, "OPTIONS", MF "1\n", false, EXCHANGE_OK, MF "0\n", false},
        {"ten", 20, "TRACE", MF "10\n", false, EXCHANGE_OK, MF "9\n", false},
        {"a thousand", 11, "TRACE", MF "1000\n", false, EXCHANGE_OK, MF "999\n", false},
        {"twenty", 11, "TRACE", MF "20\n", false, EXCHANGE_OK, MF "19\n", false},
        {"with zeros", 11, "TRACE", MF "0007\n", false, EXCHANGE_OK, MF "6\n", false},
        {"over 64 bits", 11, "TRACE", MF "18446744073709551617\n", false, EXCHANGE_OK,
         MF "18446744073709551616\n", false},
        {"the end of OPTIONS", 11, "OPTIONS", MF "0\n", false, EXCHANGE_LAST_HOP, NULL, false},
        {"the end in zeros", 20, "OPTIONS", MF "00\n", false, EXCHANGE_LAST_HOP, NULL, false},
        {"the end of TRACE", 11, "TRACE", MF "0\n", false, EXCHANGE_NOT_IMPLEMENTED, NULL, false},
        {"two", 11, "TRACE", MF "1\n" MF "1\n", false, BAD, NULL, false},
        {"two, the first 0", 11, "OPTIONS", MF "0\n" MF "1\n", false, BAD, NULL, false},
        {"a list", 11, "TRACE", MF "1, 1\n", false, BAD, NULL, false},
        {"a sign", 11, "TRACE", MF "-1\n", false, BAD, NULL, false},
        {"nothing", 11, "OPTIONS", MF "\n", false, BAD, NULL, false},
    };
    run_checks(cases, COUNT(cases));
}

static void trace_has_no_content(void **state)
{
    (void)state;
    static const struct check cases[] = {
        {"without", 11, "TRACE", "", false, EXCHANGE_OK, NULL, false},
        {"with", 11, "TRACE", "", true, BAD, NULL, false},
        {"with, by HTTP/2", 20, "TRACE", "", true, BAD, NULL, false},
        {"OPTIONS may", 20, "OPTIONS", "", true, EXCHANGE_OK, NULL, false},
    };
    run_checks(cases, COUNT(cases));
}

static void names_do_not_shadow_ours(void **state)
{
    (void)state;
    static const struct {
        const char *options, *in, *left; /* NULL: refused */
    } cases[] = {
        {"", "x_other: 1\nx-forwarded-for: 2\n", "x_other: 1\nx-forwarded-for: 2\n"},
        {"", "x_forwarded_for: 1\nx-a: 1\n", "x-a: 1\n"},
        {"", "x-forwarded_proto: 1\n", ""},
        {"", "transfer_encoding: chunked\ncontent_length: 5\nx_real_ip: 1\n", ""},
        {"", "user_agent: 1\n_: 1\n", "user_agent: 1\n_: 1\n"},
        {"", "a_name_of_more_than_32_octets_that_is_long: 1\n",
         "a_name_of_more_than_32_octets_that_is_long: 1\n"},
        {"add-request-header=X-User:me", "x_user: 1\nx-user: 2\nx_use: 3\nx_users: 4\n",
         "x-user: 2\nx_use: 3\nx_users: 4\n"},
        {"add-request-header=X_User:me", "x_user: 1\nx-user: 2\n", "x_user: 1\nx-user: 2\n"},
        {"header-underscores=drop", "x_other: 1\nx-other: 2\n", "x-other: 2\n"},
        {"header-underscores=refuse", "x-other: 2\n", "x-other: 2\n"},
        {"header-underscores=refuse", "x-a: 1\nx_other: 2\n", NULL},
        {"header-underscores=refuse", "x_forwarded_for: 2\n", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        struct told told;
        rig_open(&r, cases[i].options);
        struct exchange *x = rig_exchange(&r, &told);
        struct h2_field f[8];
        char text[512];
        strcpy(text, cases[i].in);
        x->request.m.fields = f;
        x->request.m.nfields = testing_parse_fields(text, f, COUNT(f));
        x->request.m.http_major = 2;
        enum exchange_error why = request_check(x);
        if ((why == EXCHANGE_OK) != (cases[i].left != NULL)) {
            fail_msg("%s: %d", cases[i].in, (int)why);
        }
        if (why == EXCHANGE_OK) {
            struct field_list l = {.f = f, .n = x->request.m.nfields, .cap = COUNT(f)};
            testing_expect_fields(cases[i].in, l, cases[i].left);
        }
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

static void schemes_are_two(void **state)
{
    (void)state;
    static const struct {
        const char *options, *scheme;
        bool tls, allowed;
    } cases[] = {
        {"", "http", false, true},
        {"", "HTTPS", false, true},
        {"", "http", true, true},
        {"", "ftp", false, false},
        {"", "httpx", true, false},
        {"", "", false, false},
        {"require-http-scheme", "http", false, true},
        {"require-http-scheme", "https", false, false},
        {"require-http-scheme", "Https", true, true},
        {"require-http-scheme", "http", true, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        struct told told;
        rig_open(&r, cases[i].options);
        r.client.tls = cases[i].tls;
        struct exchange *x = rig_exchange(&r, &told);
        struct str scheme = {cases[i].scheme, strlen(cases[i].scheme)};
        assert_int_equal(request_scheme_allowed(x, scheme), cases[i].allowed);
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_expectation_is_known),
        cmocka_unit_test(max_forwards_counts_down),
        cmocka_unit_test(trace_has_no_content),
        cmocka_unit_test(names_do_not_shadow_ours),
        cmocka_unit_test(schemes_are_two),
        cmocka_unit_test(an_authority_is_one_host_in_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
