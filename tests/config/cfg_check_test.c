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

#define B "-bh,80;/;"
#define C "-bg,80;/;"

static void backends_of_one_pattern_agree(void **state)
{
    (void)state;
    static const struct {
        const char *backends[4];
        const char *why; /* NULL: it is good */
    } cases[] = {
        {{B "affinity=ip", C "affinity=ip"}, NULL},
        {{B "affinity=ip", C "affinity=none"}, NULL}, /* not said */
        {{B "affinity=ip", C "affinity=cookie;affinity-cookie-name=a"}, "differ in affinity"},
        {{B "affinity=cookie;affinity-cookie-name=a", C "affinity=cookie;affinity-cookie-name=b"},
         "the backends h,80 and g,80 of the pattern \"/\" differ in affinity; expected the same"},
        {{B "affinity=cookie;affinity-cookie-name=a",
          C "affinity=cookie;affinity-cookie-name=a;affinity-cookie-path=/"},
         "differ in affinity"},
        {{B "affinity=cookie;affinity-cookie-name=a;affinity-cookie-secure=yes",
          C "affinity=cookie;affinity-cookie-name=a"},
         "differ in affinity"},
        {{B "affinity=cookie;affinity-cookie-name=a;affinity-cookie-stickiness=strict",
          C "affinity=cookie;affinity-cookie-name=a"},
         "differ in affinity"},
        {{B "affinity=ip", "-bg,80;/a;affinity=cookie;affinity-cookie-name=a"}, NULL},
        {{B "read-timeout=1s", C "read-timeout=1000ms"}, NULL},
        {{B "read-timeout=1s", C "read-timeout=0"}, NULL}, /* not said */
        {{B "read-timeout=1s", C "read-timeout=2s"}, "differ in read-timeout"},
        {{B "write-timeout=1s", "-bi,80", C "write-timeout=2s"}, "differ in write-timeout"},
        {{B "group=a;group-weight=1", C "group=b;group-weight=2"}, NULL},
        {{B "group=a;group-weight=1", C "group=a;group-weight=2"}, "differ in group-weight"},
        {{B "group=a;group-weight=1", C "group=a"}, NULL},
        {{B "group-weight=1", C "group-weight=2"}, "differ in group-weight"},
        {{B "group=a;read-timeout=1", C "group=b;read-timeout=2"}, "differ in read-timeout"},
        {{B "balance=p2c", C "balance=p2c"}, NULL},
        {{B "balance=p2c", C "weight=2"}, NULL}, /* not said */
        {{B "balance=round-robin", C "balance=p2c"}, "differ in balance"},
        {{B "balance=hash:header:a", C "balance=hash:header:A"}, NULL},
        {{B "balance=hash:header:a", C "balance=hash:header:b"}, "differ in balance"},
        {{B "balance=hash:header:a", C "balance=hash:cookie:a"}, "differ in balance"},
        {{B "balance=hash:uri", C "balance=hash:cookie:a"}, "differ in balance"},
        {{B "balance=hash:cookie:a", C "balance=hash:cookie:A"}, "differ in balance"},
        {{B "balance=p2c", "-bg,80;/a;balance=least-conn"}, NULL},
        {{B "balance=round-robin;affinity=ip"},
         "the backends of the pattern \"/\" have affinity and balance; expected one of them"},
        {{B "balance=p2c", "-bi,80", C "affinity=ip"}, "have affinity and balance"},
        {{B "affinity=ip", "-bi,80", C "balance=p2c"}, "have affinity and balance"},
        {{B "affinity=ip", "-bg,80;/a;balance=p2c"}, NULL},
        {{B "affinity=cookie;affinity-cookie-name=a;affinity-cookie-http-only",
          C "affinity=cookie;affinity-cookie-name=a"},
         "differ in affinity"},
        {{B "affinity=cookie;affinity-cookie-name=a;affinity-cookie-same-site=lax",
          C "affinity=cookie;affinity-cookie-name=a;affinity-cookie-same-site=strict"},
         "differ in affinity"},
        {{B "affinity=cookie;affinity-cookie-name=a;affinity-cookie-max-age=1m",
          C "affinity=cookie;affinity-cookie-name=a;affinity-cookie-max-age=60"},
         NULL},
        {{B "affinity=cookie;affinity-cookie-name=a;affinity-cookie-max-age=1m",
          C "affinity=cookie;affinity-cookie-name=a;affinity-cookie-max-age=61"},
         "differ in affinity"},
        {{"-bh,443;;tls;proto=auto", "--backend-http-proxy-uri=http://p:1"},
         "the backend h,443 cannot be reached through backend-http-proxy-uri"},
        {{"-bh,80;;proto=h2;dns=srv", "--backend-http-proxy-uri=http://p:1"},
         "and neither dns=srv nor"},
        {{"-bh,80;;proto=h2;send-proxy=v2", "--backend-http-proxy-uri=http://p:1"},
         "cannot be reached through"},
        {{"-bh,80;;proto=h2", "-bunix:/s;/a;proto=h2", "--backend-http-proxy-uri=http://p:1"},
         NULL},
        {{B "max-conns=1;max-queue=1", C "max-conns=1"}, NULL},
        {{B "max-conns=1;max-queue=1", C "max-conns=1;max-queue=2"}, "differ in max-queue"},
        {{B "max-conns=1;queue-timeout=1", C "max-conns=1;queue-timeout=2"},
         "differ in queue-timeout"},
        {{"-brespond=200"}, NULL},
        {{"-bh,80", "-brespond=200;/a", "-bredirect=301,/x;/b"}, NULL},
        {{"-bh,80", "-brespond=200"},
         "the pattern \"/\" has the backends h,80 and respond=200; expected respond or redirect to "
         "be the only one of a pattern"},
        {{"-bh,80", "-bredirect=301,/x;/a:/b", "-bunix:/s;/b"},
         "the pattern \"/b\" has the backends redirect=301 and unix:/s;"},
        {{"-brespond=200", "-brespond=200"}, "has the backends respond=200 and respond=200"},
        {{"-brespond=200", "-bh,80;;group=a"}, "has the backends respond=200 and h,80"},
        {{"-brespond=200;/a"}, "expected a catch-all backend"},
        {{"-bi,80", "-bunix:/s;/b:/c;affinity=ip",
          "-bh,80;/a:/%63;affinity=cookie;affinity-cookie-name=n"},
         "the backends unix:/s and h,80 of the pattern \"/c\" differ in affinity"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *args[8] = {"--conf=/dev/null", "-f*,1;no-tls"};
        memcpy(args + 2, cases[i].backends, sizeof(cases[i].backends));
        struct loaded l = load_args(args);
        if (l.rc != (cases[i].why == NULL ? CFG_OK : CFG_ERROR)) {
            fail_msg("%zu: %s", i, l.err);
        }
        if (cases[i].why != NULL) {
            assert_said(&l, cases[i].why);
        }
        loaded_free(&l);
    }
}

static void what_is_probably_not_meant_is_warned_of(void **state)
{
    (void)state;
    static const struct {
        const char *args[3];
        const char *why;
    } cases[] = {
        {{"--accesslog-format=$status"}, "there is no access log; it needs accesslog-file"},
        {{"--accesslog-write-early"}, "there is no access log"},
        {{"--check-config"}, "there is no access log"},
        {{"--accesslog-file=/a", "--accesslog-syslog"}, "has no effect beside accesslog-syslog"},
        {{"--client-cert-file=/a"}, "have no effect without each other"},
        {{"--client-private-key-file=/a"}, "have no effect without each other"},
        {{"--verify-client-cacert=/a"}, "are not asked for without verify-client"},
        {{"--verify-client-tolerate-expired"}, "are not asked for without verify-client"},
        {{"--accept-proxy-protocol"}, "\"accept-proxy-protocol\" is deprecated"},
        {{"-bh,80;;proto=h2;dns", "--backend-http-proxy-uri=http://p:1"},
         "dns of the backend h,80 has no effect"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *args[6] = {"--conf=/dev/null", "-f*,1;no-tls"};
        memcpy(args + 2, cases[i].args, sizeof(cases[i].args));
        struct loaded l = load_args(args);
        assert_int_equal(l.rc, CFG_OK);
        assert_said(&l, "warning: ");
        assert_said(&l, cases[i].why);
        loaded_free(&l);
    }
    const char *const args[] = {"--conf=/dev/null",    "-f*,1;no-tls",
                                "--accesslog-file=/a", "--accesslog-format=$status",
                                "--check-config",      NULL};
    struct loaded l = load_args(args);
    assert_string_equal(l.err, "");
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
        cmocka_unit_test(backends_of_one_pattern_agree),
        cmocka_unit_test(what_is_probably_not_meant_is_warned_of),
        cmocka_unit_test(all_of_them_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
