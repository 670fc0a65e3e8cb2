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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authority_is_one_host_in_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
