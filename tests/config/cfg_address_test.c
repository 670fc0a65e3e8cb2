/* The values of --frontend and --backend, as nghttpx's manual has them. */
#include "cfg_test.h"

static void frontends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host, *path;
        int port;
        bool tls;
    } cases[] = {
        {"*,3000", "*", NULL, 3000, true},
        {"*,3000;no-tls", "*", NULL, 3000, false},
        {"*,3000;NO-TLS", "*", NULL, 3000, false},
        {"*,3000;no-tls;tls", "*", NULL, 3000, true},
        {"*,3000;;no-tls;", "*", NULL, 3000, false},
        {"::1,443", "::1", NULL, 443, true},
        {"fe80::1%eth0,443", "fe80::1%eth0", NULL, 443, true},
        {"::ffff:1.2.3.4,443", "::ffff:1.2.3.4", NULL, 443, true},
        {"127.0.0.1,1", "127.0.0.1", NULL, 1, true},
        {"localhost,65535", "localhost", NULL, 65535, true},
        {"unix:/run/x.sock", NULL, "/run/x.sock", 0, true},
        {"UNIX:/run/x,y;no-tls", NULL, "/run/x,y", 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        struct cfg_frontend f = {0};
        said_begin(&s, cases[i].text);
        assert_true(cfg_parse_frontend(&s.report, s.report.at.text, &f));
        said_end(&s, 0, NULL);
        assert_int_equal(f.addr.port, cases[i].port);
        assert_int_equal(f.tls, cases[i].tls);
        assert_string_equal(f.addr.host != NULL ? f.addr.host : "-",
                            cases[i].host != NULL ? cases[i].host : "-");
        assert_string_equal(f.addr.path != NULL ? f.addr.path : "-",
                            cases[i].path != NULL ? cases[i].path : "-");
        cfg_frontend_clear(&f);
    }
}

static void a_unix_path_fits_its_structure(void **state)
{
    (void)state;
    for (size_t len = 106; len <= 109; len++) {
        char text[200] = "unix:";
        memset(text + 5, 'a', len);
        struct said s;
        struct cfg_frontend f = {0};
        said_begin(&s, text);
        bool good = cfg_parse_frontend(&s.report, s.report.at.text, &f);
        assert_int_equal(good, len <= 107);
        said_end(&s, !good, good ? NULL : "expected 1 to 107 after unix:");
        cfg_frontend_clear(&f);
    }
}

static void bad_frontends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t errors;
        const char *why;
    } cases[] = {
        {"", 1, "\"\" has no port; expected HOST,PORT or unix:PATH"},
        {"3000", 1, "\"3000\" has no port"},
        {"*:3000", 1, "has no port"},
        {",3000", 1, "no host; expected HOST,PORT"},
        {"*,0", 1, "t:1:3: \"0\" is no port"},
        {"*,65536", 1, "t:1:3: \"65536\" is no port"},
        {"*,80,90", 1, "t:1:3: \"80,90\" is no port"},
        {"[::1],80", 1, "\"[::1]\" has brackets; expected the address without them"},
        {"::1::2,80", 1, "is no IPv6 address"},
        {"localhost:8080,80", 1, "is no IPv6 address"},
        {"fe80::1%,80", 1, "is no IPv6 address"},
        {"256.0.0.1,80", 1, "is no IPv4 address"},
        {"127.1,80", 1, "is no IPv4 address"},
        {"a b,80", 1, "t:1:2: \"a b\" is no host name"},
        {"a/b,80", 1, "is no host name"},
        {"**,80", 1, "is no host name"},
        {"unix:", 1, "a path of 0 octets"},
        {"unix:/a\x1b", 1, "t:1:8: a control character (0x1b)"},
        {"*,80;tsl", 1, "t:1:6: unknown parameter \"tsl\"; did you mean \"tls\"?"},
        {"*,80;notls", 1, "did you mean \"no-tls\"?"},
        {"*,80;wonderful", 1,
         "unknown parameter \"wonderful\"; expected one that nghttpx --help names"},
        {"*,80;proto=h2", 1, "unknown parameter \"proto\""},
        {"*,80;tls=yes", 1, "t:1:10: \"tls\" takes no value; expected it alone"},
        {"*,80;proxyproto", 1, "the parameter \"proxyproto\" is not supported yet"},
        {"*,80;API", 1, "the parameter \"api\" is not supported yet"},
        {"*,80;healthmon;sni-fwd;quic", 3, "the parameter \"quic\" is not supported yet"},
        {"*,0;tsl", 2, "did you mean"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        struct cfg_frontend f = {0};
        said_begin(&s, cases[i].text);
        assert_false(cfg_parse_frontend(&s.report, s.report.at.text, &f));
        assert_null(f.addr.host);
        said_end(&s, cases[i].errors, cases[i].why);
    }
}

static void backends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        const char *patterns; /* joined with blanks */
        enum cfg_proto proto;
        bool tls;
        const char *sni;
        const char *warning;
    } cases[] = {
        {"h,80", "h", "/", CFG_PROTO_HTTP1, false, NULL, NULL},
        {"h,80;", "h", "/", CFG_PROTO_HTTP1, false, NULL, NULL},
        {"h,80;;", "h", "/", CFG_PROTO_HTTP1, false, NULL, NULL},
        {"::1,80;/a:B.com:C/d", "::1", "/a b.com/ c/d", CFG_PROTO_HTTP1, false, NULL, NULL},
        {"h,80;;proto=h2;tls", "h", "/", CFG_PROTO_HTTP2, true, NULL, NULL},
        {"h,80;;PROTO=http/1.1;TLS;No-Tls", "h", "/", CFG_PROTO_HTTP1, false, NULL, NULL},
        {"h,80;/;sni=a.example", "h", "/", CFG_PROTO_HTTP1, false, "a.example", NULL},
        {"h,80;/;sni=a;sni=b", "h", "/", CFG_PROTO_HTTP1, false, "b", NULL},
        {"h,80;/a:", "h", "/a /", CFG_PROTO_HTTP1, false, NULL, NULL},
        {"h,80;/a:/%61:/b", "h", "/a /b", CFG_PROTO_HTTP1, false, NULL, "is there twice"},
        {"h,80;tls", "h", "tls/", CFG_PROTO_HTTP1, false, NULL,
         "t:1:6: warning: \"tls\" is a pattern here, the host of that name; parameters come after "
         "a "
         "second ';' (;;tls)"},
        {"h,80;DNS", "h", "dns/", CFG_PROTO_HTTP1, false, NULL, "is a pattern here"},
        {"h,80;a.b:8080", "h", "a.b/ 8080/", CFG_PROTO_HTTP1, false, NULL, "patterns have no port"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        struct cfg_backend b = {0};
        said_begin(&s, cases[i].text);
        assert_true(cfg_parse_backend(&s.report, s.report.at.text, &b));
        said_end(&s, 0, cases[i].warning);
        assert_string_equal(b.addr.host, cases[i].host);
        assert_int_equal(b.addr.port, 80);
        char joined[200] = "";
        for (size_t j = 0; j < b.npatterns; j++) {
            strcat(j > 0 ? strcat(joined, " ") : joined, b.patterns[j]);
        }
        assert_string_equal(joined, cases[i].patterns);
        assert_int_equal(b.proto, cases[i].proto);
        assert_int_equal(b.tls, cases[i].tls);
        assert_string_equal(b.sni != NULL ? b.sni : "-", cases[i].sni != NULL ? cases[i].sni : "-");
        cfg_backend_clear(&b);
    }
}

static void bad_backends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t errors;
        const char *why;
    } cases[] = {
        {"*,80", 1, "* is no address to connect to"},
        {"h", 1, "has no port"},
        {"h,80;/a b;", 1, "a byte that no path has"},
        {"h,80;;proto=H2", 1,
         "t:1:13: \"H2\" is no protocol of a backend; expected h2 or http/1.1"},
        {"h,80;;proto=h3", 1, "is no protocol of a backend"},
        {"h,80;;proto", 1, "no value; expected proto=VALUE"},
        {"h,80;;sni=", 1, "no value; expected sni=VALUE"},
        {"h,80;;sni=a b", 1, "is no host name"},
        {"h,80;;tls=1", 1, "takes no value"},
        {"h,80;proto=h2", 1, "expected a pattern here"},
        {"h,80;;prot=h2", 1, "did you mean \"proto\"?"},
        {"h,80;;fall=1;rise=2;affinity=ip;weight=3;group=a;group-weight=2", 6, "not supported yet"},
        {"h,80;;dns;redirect-if-not-tls;upgrade-scheme;dnf;mruby=x", 5, "not supported yet"},
        {"h,80;;read-timeout=1;write-timeout=1;affinity-cookie-name=a;affinity-cookie-path=/;"
         "affinity-cookie-secure=yes;affinity-cookie-stickiness=loose",
         6, "not supported yet"},
        {"h,0;/?:[;tsl", 4, "did you mean"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        struct cfg_backend b = {0};
        said_begin(&s, cases[i].text);
        assert_false(cfg_parse_backend(&s.report, s.report.at.text, &b));
        assert_null(b.patterns);
        said_end(&s, cases[i].errors, cases[i].why);
    }
}

static void a_host_has_at_most_253_octets(void **state)
{
    (void)state;
    for (size_t len = 253; len <= 254; len++) {
        char text[300];
        memset(text, 'a', len);
        strcpy(text + len, ",80");
        struct said s;
        struct cfg_backend b = {0};
        said_begin(&s, text);
        bool good = cfg_parse_backend(&s.report, s.report.at.text, &b);
        assert_int_equal(good, len == 253);
        said_end(&s, !good, good ? NULL : "a host of 254 octets; expected at most 253");
        cfg_backend_clear(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frontends),     cmocka_unit_test(a_unix_path_fits_its_structure),
        cmocka_unit_test(bad_frontends), cmocka_unit_test(backends),
        cmocka_unit_test(bad_backends),  cmocka_unit_test(a_host_has_at_most_253_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
