/* What must hold between options. */
#include "cfg_test.h"

static void configurations_that_do_not_fit_together(void **state)
{
    (void)state;
    static const struct {
        const char *args[6];
        const char *why; /* NULL: it is good */
    } cases[] = {
        {{"-f*,1;no-tls"}, NULL},
        {{NULL}, "the frontend *,3000 has TLS and needs a private key and a certificate"},
        {{"-f*,1;no-tls", "-f*,2"},
         "the frontend *,2 has TLS and needs a private key and a certificate"},
        {{"-f*,1;no-tls", "-f*,2", "k", "c"}, NULL},
        {{"-funix:/x"}, "the frontend unix:/x has TLS"},
        {{"-f*,1;no-tls", "-bh,80;/a"}, "expected a catch-all backend"},
        {{"-f*,1;no-tls", "-bh,80;h/"}, "expected a catch-all backend"},
        {{"-f*,1;no-tls", "-bh,80;*/"}, "expected a catch-all backend"},
        {{"-f*,1;no-tls", "-bh,80;tls"}, "expected a catch-all backend"},
        {{"-f*,1;no-tls", "-bh,80;/a", "-bh,80;/b:/"}, NULL},
        {{"-f*,1;no-tls", "-bh,80;/a", "-bh,80;/x/.."}, NULL},
        {{"-fa,1;no-tls", "-fA,1", "k", "c"},
         "the frontend A,1 is there twice, with TLS and without; expected one of them"},
        {{"-funix:/x;no-tls", "-funix:/x", "k", "c"},
         "the frontend unix:/x is there twice, with TLS"},
        {{"-funix:/x;no-tls", "-funix:/X;no-tls"}, NULL},
        {{"-fa,1;no-tls", "-fa,2;no-tls", "-fb,1;no-tls"}, NULL},
        {{"-f*,1;no-tls", "--tls-min-proto-version=TLSv1.3", "--tls-max-proto-version=TLSv1.2"},
         "tls-min-proto-version (TLSv1.3) is above tls-max-proto-version (TLSv1.2); expected the "
         "same or lower"},
        {{"-f*,1;no-tls", "--tls-max-proto-version=TLSv1.2"}, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *args[8] = {"--conf=/dev/null"};
        memcpy(args + 1, cases[i].args, sizeof(cases[i].args));
        struct loaded l = load_args(args);
        assert_int_equal(l.rc, cases[i].why == NULL ? CFG_OK : CFG_ERROR);
        if (cases[i].why != NULL) {
            assert_said(&l, cases[i].why);
        }
        loaded_free(&l);
    }
}

static void the_same_frontend_twice_is_warned_of(void **state)
{
    (void)state;
    const char *const args[] = {"--conf=/dev/null", "-funix:/x;no-tls", "-funix:/x;no-tls", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->nfrontend, 2);
    assert_said(&l, "warning: the frontend unix:/x is there twice; once is enough");
    loaded_free(&l);
}

static void all_of_them_are_said(void **state)
{
    (void)state;
    const char *const args[] = {
        "--conf=/dev/null",        "-bh,80;/a", "-f*,1", "-f*,1;no-tls", "--tls-min-proto=TLSv1.3",
        "--tls-max-proto=TLSv1.2", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "there twice");
    assert_said(&l, "needs a private key and a certificate");
    assert_said(&l, "catch-all");
    assert_said(&l, "tls-min-proto-version");
    loaded_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_that_do_not_fit_together),
        cmocka_unit_test(the_same_frontend_twice_is_warned_of),
        cmocka_unit_test(all_of_them_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
