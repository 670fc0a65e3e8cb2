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
        {"3000", 1, "no host; expected *,3000"},
        {"123456", 1, "\"123456\" has no port"},
        {"*:3000", 1, "t:1:2: a ':' before the port; expected *,3000"},
        {"127.0.0.1:80;no-tls", 1, "t:1:10: a ':' before the port; expected 127.0.0.1,80"},
        {"127.0.0.1:http", 1, "has no port"},
        {"::1", 1, "has no port"},
        {"http://a:80/", 1, "\"http://a:80/\" is a URI; expected HOST,PORT or unix:PATH"},
        {"/tmp/x.sock", 1, "a path without unix:; expected unix:/tmp/x.sock"},
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
        {"*,80;quic", 1,
         "t:1:6: quic: HTTP/3 is not supported; expected a frontend without \"quic\""},
        {"*,80;api;healthmon", 1, "t:1:10: healthmon: api and healthmon exclude each other"},
        {"*,80;healthmon;API", 1, "t:1:16: api: api and healthmon exclude each other"},
        {"*,80;no-tls;sni-fwd", 1, "sni-fwd needs TLS"},
        {"*,80;sni-fwd;no-tls", 1, "sni-fwd needs TLS"},
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
        struct cfg_backend b = backend_of(cases[i].text, cases[i].warning);
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
    static const struct refusal cases[] = {
        {"*,80", 1, "* is no address to connect to"},
        {"h", 1, "has no port"},
        {"h,80;/a b;", 1, "a byte that no path has"},
        {"h,80;;proto=H2", 1,
         "t:1:13: proto: \"H2\" is no protocol of a backend; expected h2, http/1.1 or auto"},
        {"h,80;;proto=h3", 1, "is no protocol of a backend"},
        {"h,80;;proto", 1, "no value; expected proto=VALUE"},
        {"h,80;;sni=", 1, "no value; expected sni=VALUE"},
        {"h,80;;sni=a b", 1, "is no host name"},
        {"h,80;;tls=1", 1, "takes no value"},
        {"h,80;proto=h2", 1, "expected a pattern here"},
        {"h,80;;prot=h2", 1, "did you mean \"proto\"?"},
        {"h,80;;fall=x", 1, "t:1:12: fall: \"x\" is no number"},
        {"h,80;;fall=4294967296", 1, "is too large"},
        {"h,80;;rise=-1", 1, "is no number"},
        {"h,80;;weight=0", 1, "\"0\" is too small; expected 1 to 256"},
        {"h,80;;weight=257", 1, "\"257\" is too large; expected 1 to 256"},
        {"h,80;;group-weight=257", 1, "expected 1 to 256"},
        {"h,80;;group-weight=0", 1, "expected 1 to 256"},
        {"h,80;;group=", 1, "no value; expected group=VALUE"},
        {"h,80;;affinity=cookies", 1,
         "\"cookies\" is none of the names; expected one of none, ip, cookie; did you mean "
         "\"cookie\"?"},
        {"h,80;;affinity=cookie", 1, "expected affinity-cookie-name=NAME"},
        {"h,80;;affinity=cookie;affinity-cookie-name=a b", 1, "is no name of a cookie"},
        {"h,80;;affinity=ip;affinity-cookie-path=/\x01", 1, "a control character"},
        {"h,80;;affinity-cookie-secure=on", 1, "expected one of auto, yes, no"},
        {"h,80;;affinity-cookie-stickiness=lose", 1, "did you mean \"loose\"?"},
        {"h,80;;read-timeout=1x", 1, "is no duration"},
        {"h,80;;write-timeout=1.5s", 1, "is no duration"},
        {"unix:/x;;dns", 1, "t:1:10: a UNIX socket has no name to look up"},
        {"h,80;;dnf", 1, "dnf: it leaves the answer to a script"},
        {"h,80;;mruby=", 1, "no value; expected mruby=VALUE"},
        {"h,80;;redirect-if-nto-tls", 1, "did you mean \"redirect-if-not-tls\"?"},
        {"h,0;/?:[;tsl", 4, "did you mean"},
    };
    assert_backends_refused(cases, COUNT(cases));
}

static void parameters_of_frontends(void **state)
{
    (void)state;
    struct said s;
    struct cfg_frontend f = {0};
    said_begin(&s, "*,3000;sni-fwd;API;proxyproto");
    assert_true(cfg_parse_frontend(&s.report, s.report.at.text, &f));
    assert_true(f.tls && f.sni_fwd && f.proxyproto);
    assert_int_equal(f.service, CFG_SERVICE_API);
    cfg_frontend_clear(&f);
    said_end(&s, 0, "t:1:20: warning: proxyproto believes every peer");
    said_begin(&s, "*,3000;healthmon;no-tls");
    assert_true(cfg_parse_frontend(&s.report, s.report.at.text, &f));
    assert_int_equal(f.service, CFG_SERVICE_HEALTHMON);
    assert_false(f.tls || f.sni_fwd || f.proxyproto);
    cfg_frontend_clear(&f);
    said_end(&s, 0, "");
}

static void parameters_of_backends(void **state)
{
    (void)state;
    struct said s;
    struct cfg_backend b = {0};
    said_begin(&s, "h,80;;fall=1;rise=4294967295;weight=256;group=A b;group-weight=1;dns;"
                   "redirect-if-not-tls;upgrade-scheme;read-timeout=5ms;write-timeout=2h;"
                   "Affinity=COOKIE;affinity-cookie-name=N;affinity-cookie-path=/p q;"
                   "affinity-cookie-secure=no;affinity-cookie-stickiness=strict;proto=h2;tls");
    assert_true(cfg_parse_backend(&s.report, s.report.at.text, &b));
    assert_int_equal(b.fall, 1);
    assert_int_equal(b.rise, UINT32_MAX);
    assert_int_equal(b.weight, 256);
    assert_string_equal(b.group, "A b");
    assert_int_equal(b.group_weight, 1);
    assert_true(b.dns && b.redirect_if_not_tls && b.upgrade_scheme);
    assert_int_equal(b.read_timeout, 5);
    assert_int_equal(b.write_timeout, 7200000);
    assert_int_equal(b.affinity, CFG_AFFINITY_COOKIE);
    assert_string_equal(b.cookie_name, "N");
    assert_string_equal(b.cookie_path, "/p q");
    assert_int_equal(b.cookie_secure, CFG_COOKIE_SECURE_NO);
    assert_int_equal(b.cookie_stickiness, CFG_STICKINESS_STRICT);
    cfg_backend_clear(&b);
    said_end(&s, 0, "");
    said_begin(&s, "h,80");
    assert_true(cfg_parse_backend(&s.report, s.report.at.text, &b));
    assert_int_equal(b.weight, 1);
    assert_int_equal(b.fall + b.rise + b.group_weight, 0);
    assert_int_equal(b.affinity, CFG_AFFINITY_NONE);
    assert_int_equal(b.cookie_secure, CFG_COOKIE_SECURE_AUTO);
    assert_int_equal(b.cookie_stickiness, CFG_STICKINESS_LOOSE);
    assert_false(b.dns || b.redirect_if_not_tls || b.upgrade_scheme || b.tls);
    assert_null(b.group);
    assert_int_equal(b.read_timeout + b.write_timeout, 0);
    cfg_backend_clear(&b);
    said_end(&s, 0, NULL);
}

static void traps_of_backends_are_warned_of(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"h,80;;fall=2", "fall without rise: once offline, the backend stays so"},
        {"h,80;;redirect-if-no-tls", "taken as \"redirect-if-not-tls\""},
        {"h,80;;upgrade-scheme", "upgrade-scheme has no effect without tls and proto=h2"},
        {"h,80;;affinity-cookie-name=a", "has no effect without affinity=cookie"},
        {"h,80;;mruby=/x.rb", "warning: mruby: it has no effect: there is no scripting"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cfg_backend b = backend_of(cases[i].text, cases[i].why);
        cfg_backend_clear(&b);
    }
}

/* In one option there may be thousands; what is there twice is found all the same. */
static void many_patterns_keep_their_order(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    char *text = malloc(MANY * 8 + 16), *p = text + sprintf(text, "h,80;");
    for (int i = 0; i < MANY; i++) {
        p += sprintf(p, "%s/%d", i == 0 ? "" : ":", (MANY - i) % (MANY - 1));
    }
    struct said s;
    struct cfg_backend b = {0};
    said_begin(&s, text);
    assert_true(cfg_parse_backend(&s.report, s.report.at.text, &b));
    assert_int_equal(b.npatterns, MANY - 1);
    assert_int_equal(s.report.warnings, 1);
    assert_string_equal(b.patterns[0], "/1");
    assert_string_equal(b.patterns[1], "/0");
    assert_string_equal(b.patterns[2], "/4998");
    assert_string_equal(b.patterns[MANY - 2], "/2");
    cfg_backend_clear(&b);
    said_end(&s, 0, "the pattern \"/1\" is there twice; once is enough");
    free(text);
}

static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
        int family, bits;
    } good[] = {
        {"10.0.0.0/8", "10.0.0.0/8", 4, 8},
        {"0.0.0.0/0", "0.0.0.0/0", 4, 0},
        {"192.168.7.128/25", "192.168.7.128/25", 4, 25},
        {"127.0.0.1", "127.0.0.1/32", 4, 32},
        {"127.0.0.1/32", "127.0.0.1/32", 4, 32},
        {"::/0", "::/0", 6, 0},
        {"fd00::/8", "fd00::/8", 6, 8},
        {"FE80::/10", "fe80::/10", 6, 10},
        {"::1", "::1/128", 6, 128},
        {"2001:db8:0:8000::/49", "2001:db8:0:8000::/49", 6, 49},
        {"::ffff:0:0/95", NULL, 6, 95},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct said s;
        struct cfg_cidr c;
        char *text = NULL;
        size_t len;
        said_begin(&s, good[i].text);
        bool is_good = cfg_parse_cidr(&s.report, s.report.at.text, &c);
        assert_int_equal(is_good, good[i].printed != NULL);
        said_end(&s, !is_good, is_good ? NULL : "expected ::fffe:0:0/95");
        if (!is_good) {
            continue;
        }
        FILE *out = open_memstream(&text, &len);
        cfg_print_cidr(&c, out);
        fclose(out);
        assert_string_equal(text, good[i].printed);
        free(text);
        assert_int_equal(c.family, good[i].family);
        assert_int_equal(c.bits, good[i].bits);
        assert_true(c.family == 6 || (c.addr[4] | c.addr[15]) == 0);
    }
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "\"\" is no address; expected a network such as 10.0.0.0/8 or fd00::/8"},
        {"/8", "is no address"},
        {"10", "is no address"},
        {"10.0.0/8", "is no address"},
        {"localhost/8", "t:1:1: \"localhost\" is no address"},
        {"[::1]", "is no address"},
        {"fe80::1%eth0", "is no address"},
        {"10.0.0.0/", "t:1:10: \"\" is no number"},
        {"10.0.0.0/33", "expected 0 to 32"},
        {"::/129", "expected 0 to 128"},
        {"10.0.0.0/255.0.0.0", "is no number"},
        {"10.0.0.0/8/8", "is no number"},
        {"10.0.0.1/8", "\"10.0.0.1/8\" has bits behind its first 8; expected 10.0.0.0/8"},
        {"10.0.0.1/0", "expected 0.0.0.0/0"},
        {"192.168.7.129/25", "expected 192.168.7.128/25"},
        {"fd00::1/127", "expected fd00::/127"},
        {"::ffff:10.0.0.0/104", "an IPv4 address in the form of IPv6; expected such as 10.0.0.0/8"},
        {"::ffff:1.2.3.4", "an IPv4 address in the form of IPv6"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct said s;
        struct cfg_cidr c;
        said_begin(&s, bad[i].text);
        assert_false(cfg_parse_cidr(&s.report, s.report.at.text, &c));
        said_end(&s, 1, bad[i].why);
    }
}

static void who_may_send_a_proxy_header(void **state)
{
    (void)state;
    struct said s;
    struct cfg_frontend f;
    said_begin(&s, "*,1;proxyproto-from=10.0.0.0/8,::1;proxyproto-from=fd00::/8");
    assert_true(cfg_parse_frontend(&s.report, s.report.at.text, &f));
    assert_true(f.proxyproto);
    assert_int_equal(f.nproxyproto_from, 3);
    assert_int_equal(f.proxyproto_from[0].addr[0], 10);
    assert_int_equal(f.proxyproto_from[1].addr[15], 1);
    assert_int_equal(f.proxyproto_from[2].addr[0], 0xfd);
    cfg_frontend_clear(&f);
    fflush(s.report.err);
    assert_null(strstr(s.text, "believes every peer"));
    said_end(&s, 0, "");
    static const struct {
        const char *text;
        size_t errors;
        const char *why;
    } bad[] = {
        {"*,1;proxyproto-from", 1, "no value; expected proxyproto-from=VALUE"},
        {"*,1;proxyproto-from=10.0.0.0/8,", 1, "\"\" is no address"},
        {"*,1;proxyproto-from=a,10.0.0.0/99,b", 3, "t:1:35: proxyproto-from: \"b\" is no address"},
        {"*,1;proxyproto-form=::1", 1, "did you mean \"proxyproto-from\"?"},
        {"unix:/s;proxyproto-from=::1", 1,
         "t:1:25: proxyproto-from: clients of a UNIX socket have no address; expected proxyproto"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        said_begin(&s, bad[i].text);
        assert_false(cfg_parse_frontend(&s.report, s.report.at.text, &f));
        said_end(&s, bad[i].errors, bad[i].why);
    }
}

static void authorities(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why; /* NULL: it is good */
    } cases[] = {
        {"a.example", NULL},
        {"a.example:8080", NULL},
        {"127.0.0.1", NULL},
        {"127.0.0.1:1", NULL},
        {"[::1]", NULL},
        {"[::1]:65535", NULL},
        {"", "no host; expected HOST or HOST:PORT"},
        {":80", "no host; expected HOST or HOST:PORT"},
        {"a:", "t:1:3: \"\" is no port"},
        {"a:0", "is no port"},
        {"a:65536", "is no port"},
        {"a:b", "is no port"},
        {"::1", "an IPv6 address without brackets"},
        {"[::1", "an IPv6 address without brackets"},
        {"[::1]x", "is no IPv6 address; expected such as [::1]:8080"},
        {"[::1]x:80", "is no IPv6 address"},
        {"[]", "is no IPv6 address"},
        {"[a]:80", "is no IPv6 address"},
        {"[fe80::1%eth0]", "is no IPv6 address"},
        {"a b", "t:1:2: \"a b\" is no host name"},
        {"u@a", "is no host name"},
        {"a/b", "is no host name"},
        {"a\r\nb: c", "is no"},
        {"*", "* is no address to connect to"},
        {"127.1", "is no IPv4 address"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        said_begin(&s, cases[i].text);
        bool good = cfg_check_authority(&s.report, s.report.at.text);
        if (good != (cases[i].why == NULL)) {
            fail_msg("%s", cases[i].text);
        }
        said_end(&s, !good, cases[i].why);
    }
}

static void uris_of_proxies(void **state)
{
    (void)state;
    static const struct {
        const char *text, *userinfo, *host;
        int port;
    } good[] = {
        {"http://h:80", "-", "h", 80},
        {"HTTP://a%3Ab:p%40ss@h:65535/", "a:b:p@ss", "h", 65535},
        {"http://[::1]:8080", "-", "::1", 8080},
        {"http://u@127.0.0.1:1", "u", "127.0.0.1", 1},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct said s;
        struct cfg_proxy_uri u;
        said_begin(&s, good[i].text);
        assert_true(cfg_parse_proxy_uri(&s.report, s.report.at.text, &u));
        assert_string_equal(u.userinfo != NULL ? u.userinfo : "-", good[i].userinfo);
        assert_string_equal(u.host, good[i].host);
        assert_int_equal(u.port, good[i].port);
        cfg_proxy_uri_clear(&u);
        said_end(&s, 0, NULL);
    }
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"https://h:80", "is no URI of a proxy; expected http://[USER:PASS@]HOST:PORT"},
        {"h:80", "is no URI of a proxy"},
        {"http://h", "has no port"},
        {"http://", "has no port"},
        {"http://h:80/x", "t:1:12: a path"},
        {"http://h:0", "is no port"},
        {"http://:80", "no host"},
        {"http://::1:80", "an IPv6 address without brackets"},
        {"http://[::1]", "has no port"},
        {"http://[x]:1", "is no IPv6 address"},
        {"http://u%4@h:80", "t:1:9: a '%' alone"},
        {"http://u%00@h:80", "a '%' alone"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct said s;
        struct cfg_proxy_uri u = {0};
        said_begin(&s, bad[i].text);
        assert_false(cfg_parse_proxy_uri(&s.report, s.report.at.text, &u));
        said_end(&s, 1, bad[i].why);
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
        cmocka_unit_test(frontends),
        cmocka_unit_test(a_unix_path_fits_its_structure),
        cmocka_unit_test(bad_frontends),
        cmocka_unit_test(backends),
        cmocka_unit_test(parameters_of_frontends),
        cmocka_unit_test(parameters_of_backends),
        cmocka_unit_test(traps_of_backends_are_warned_of),
        cmocka_unit_test(many_patterns_keep_their_order),
        cmocka_unit_test(networks),
        cmocka_unit_test(who_may_send_a_proxy_header),
        cmocka_unit_test(authorities),
        cmocka_unit_test(uris_of_proxies),
        cmocka_unit_test(bad_backends),
        cmocka_unit_test(a_host_has_at_most_253_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
