/* Parameters of a backend that nghttpx's manual does not have, and what must hold between them. */
#include "cfg_test.h"

static void defaults(void **state)
{
    (void)state;
    struct cfg_backend b = backend_of("h,80", NULL);
    assert_int_equal(b.kind, CFG_KIND_SERVER);
    assert_int_equal(b.dns, CFG_DNS_NONE);
    assert_int_equal(b.send_proxy, CFG_SEND_PROXY_NONE);
    assert_true(b.ca == NULL && b.cert == NULL && b.key == NULL && !b.insecure && b.npins == 0);
    assert_true(b.health_path == NULL && b.health_host == NULL && b.nhealth_status == 0);
    assert_int_equal(b.health_interval, 5000);
    assert_int_equal(b.health_timeout, 2000);
    assert_int_equal(b.outlier + b.max_conns + b.max_idle + b.warm_up, 0);
    assert_int_equal(b.max_queue, 100);
    assert_int_equal(b.queue_timeout, 5000);
    assert_false(b.max_queue_said || b.queue_timeout_said || b.balance_said);
    assert_int_equal(b.balance, CFG_BALANCE_ROUND_ROBIN);
    assert_null(b.hash_name);
    assert_false(b.cookie_http_only);
    assert_int_equal(b.cookie_same_site, CFG_SAME_SITE_NONE_SAID);
    assert_int_equal(b.cookie_max_age, 0);
    cfg_backend_clear(&b);
}

static void connections(void **state)
{
    (void)state;
    struct cfg_backend b = backend_of("h,80;;max-conns=4294967295;MAX-QUEUE=0;queue-timeout=1ms;"
                                      "max-idle=7;warm-up=6;send-proxy=V1",
                                      "no effect with send-proxy");
    assert_int_equal(b.max_conns, UINT32_MAX);
    assert_int_equal(b.max_queue, 0);
    assert_int_equal(b.queue_timeout, 1);
    assert_int_equal(b.max_idle, 7);
    assert_int_equal(b.warm_up, 6);
    assert_int_equal(b.send_proxy, CFG_SEND_PROXY_V1);
    assert_true(b.max_queue_said && b.queue_timeout_said);
    cfg_backend_clear(&b);
    b = backend_of("h,80;;max-conns=1;max-queue=100", NULL);
    assert_true(b.max_queue_said && !b.queue_timeout_said);
    cfg_backend_clear(&b);
    b = backend_of("unix:/s;;send-proxy=v2;proto=h2", NULL);
    assert_int_equal(b.send_proxy, CFG_SEND_PROXY_V2);
    cfg_backend_clear(&b);
}

static void health(void **state)
{
    (void)state;
    struct cfg_backend b =
        backend_of("h,80;;health-path=/h?x;health-host=a.b:81;health-interval=1m;"
                   "health-timeout=10ms;health-status=204;outlier=5xx:3",
                   NULL);
    assert_string_equal(b.health_path, "/h?x");
    assert_string_equal(b.health_host, "a.b:81");
    assert_int_equal(b.health_interval, 60000);
    assert_int_equal(b.health_timeout, 10);
    assert_int_equal(b.nhealth_status, 1);
    assert_true(b.health_status[0].lo == 204 && b.health_status[0].hi == 204);
    assert_int_equal(b.outlier, 3);
    assert_int_equal(b.fall, 3);
    assert_int_equal(b.rise, 2);
    cfg_backend_clear(&b);
    b = backend_of("h,80;;rise=7;health-path=/", NULL);
    assert_int_equal(b.fall, 3);
    assert_int_equal(b.rise, 7);
    assert_int_equal(b.nhealth_status, 1);
    assert_true(b.health_status[0].lo == 200 && b.health_status[0].hi == 399);
    cfg_backend_clear(&b);
    b = backend_of("h,80;;health-path=/;fall=0;rise=0", "no effect with fall=0");
    assert_int_equal(b.fall + b.rise, 0); /* said */
    cfg_backend_clear(&b);
}

static void tls(void **state)
{
    (void)state;
    struct cfg_backend b = backend_of("h,443;;ca=/a b;cert=/c=d;key=k;insecure;proto=auto;tls;"
                                      "pin=sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=;"
                                      "pin=sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"
                                      "pin=sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                                      "ca has no effect with insecure");
    assert_string_equal(b.ca, "/a b");
    assert_string_equal(b.cert, "/c=d");
    assert_string_equal(b.key, "k");
    assert_true(b.insecure && b.tls);
    assert_int_equal(b.proto, CFG_PROTO_AUTO);
    assert_int_equal(b.npins, 3);
    assert_int_equal(b.pins[0][31], 31);
    assert_int_equal(b.pins[1][31], 0);
    assert_int_equal(b.pins[2][31], 31);
    cfg_backend_clear(&b);
}

static void balance_and_cookies(void **state)
{
    (void)state;
    struct cfg_backend b = backend_of("h,80;;balance=hash:header:A;balance=hash:cookie:B", NULL);
    assert_true(b.balance_said);
    assert_int_equal(b.balance, CFG_BALANCE_HASH);
    assert_int_equal(b.hash, CFG_HASH_COOKIE);
    assert_string_equal(b.hash_name, "B");
    cfg_backend_clear(&b);
    b = backend_of("h,80;;balance=hash:header:A;balance=round-robin", NULL);
    assert_true(b.balance_said);
    assert_int_equal(b.balance, CFG_BALANCE_ROUND_ROBIN);
    assert_null(b.hash_name);
    cfg_backend_clear(&b);
    b = backend_of("h,80;;affinity=cookie;affinity-cookie-name=n;affinity-cookie-http-only;"
                   "affinity-cookie-same-site=Lax;affinity-cookie-max-age=2h",
                   NULL);
    assert_true(b.cookie_http_only);
    assert_int_equal(b.cookie_same_site, CFG_SAME_SITE_LAX);
    assert_int_equal(b.cookie_max_age, 7200000);
    cfg_backend_clear(&b);
}

static void names_to_look_up(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cfg_dns dns;
        const char *sni;
    } cases[] = {
        {"h,80;;dns", CFG_DNS_ADDRESS, "-"},
        {"h,80;;DNS=SRV", CFG_DNS_SRV, "-"},
        {"_http._tcp.example.com,80;;dns=srv", CFG_DNS_SRV, "-"},
        {"_http._tcp.example.com,80;;dns=srv;tls", CFG_DNS_SRV, "example.com"},
        {"_http._tcp.example.com,80;;tls;sni=x;dns=srv", CFG_DNS_SRV, "x"},
        {"_http._tcp.example.com,80;;tls;dns", CFG_DNS_ADDRESS, "-"},
        {"web.service.consul,80;;dns=srv;tls", CFG_DNS_SRV, "-"},
        {"_http,80;;dns=srv;tls", CFG_DNS_SRV, "-"},
        {"_http.,80;;dns=srv;tls", CFG_DNS_SRV, "-"},
        {"_a.1.2,80;;dns=srv;tls", CFG_DNS_SRV, "-"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cfg_backend b = backend_of(cases[i].text, NULL);
        assert_int_equal(b.dns, cases[i].dns);
        assert_string_equal(b.sni != NULL ? b.sni : "-", cases[i].sni);
        cfg_backend_clear(&b);
    }
}

static void bad_parameters(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"h,80;;proto=Auto;tls", 1,
         "t:1:13: proto: \"Auto\" is no protocol of a backend; expected h2, "
         "http/1.1 or auto"},
        {"h,80;;proto=auto", 1, "t:1:7: proto=auto is agreed on by ALPN; expected tls"},
        {"h,80;;proto=auto;tls;no-tls", 1, "expected tls among the parameters"},
        {"h,80;;proto=auto;tls;send-proxy=v1", 1,
         "t:1:22: send-proxy makes a connection one client's before ALPN has decided; expected "
         "proto=h2 or proto=http/1.1"},
        {"h,80;;ca=/x", 1, "t:1:7: ca, cert, key, insecure and pin are about TLS; expected tls"},
        {"h,80;;cert=/x;key=/y", 1, "are about TLS"},
        {"h,80;;insecure", 1, "t:1:7: ca, cert, key, insecure and pin are about TLS"},
        {"h,80;;pin=sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1, "are about TLS"},
        {"h,80;;tls;cert=/x", 1, "t:1:11: cert without key; expected both or neither"},
        {"h,80;;tls;key=/x", 1, "t:1:11: key without cert; expected both or neither"},
        {"h,80;;tls;ca=", 1, "no value; expected ca=VALUE"},
        {"h,80;;tls;ca=/\x01", 1, "a control character"},
        {"h,80;;tls;insecure=yes", 1, "\"insecure\" takes no value"},
        {"h,80;;tls;pin=sha256:x", 1, "t:1:22: pin: \"x\" is no SHA-256 in base64"},
        {"h,80;;health-host=a", 1,
         "t:1:7: health-host, -interval, -timeout and -status are about "
         "the requests for health-path; expected health-path=PATH"},
        {"h,80;;health-interval=1", 1, "expected health-path=PATH"},
        {"h,80;;health-timeout=1", 1, "expected health-path=PATH"},
        {"h,80;;health-status=200", 1, "expected health-path=PATH"},
        {"h,80;;health-path=x", 1,
         "t:1:19: health-path: \"x\" is no path; expected it to begin with /"},
        {"h,80;;health-path=/;health-interval=0", 1, "\"0\" is too short; expected 100ms or more"},
        {"h,80;;health-path=/;health-timeout=0ms", 1, "expected 1ms or more"},
        {"h,80;;health-path=/;health-timeout=soon", 1, "is no duration"},
        {"h,80;;health-path=/;health-host=a/b", 1, "is no host name"},
        {"h,80;;health-path=/;health-status=2xx", 1, "is no number"},
        {"h,80;;health-pth=/", 1, "did you mean \"health-path\"?"},
        {"h,80;;outlier=5", 1, "expected 5xx:N"},
        {"h,80;;max-conns=x", 1, "is no number"},
        {"h,80;;max-con=1", 1, "did you mean \"max-conns\"?"},
        {"h,80;;max-conns=4294967296", 1, "is too large"},
        {"h,80;;max-conns=1;max-queue=-1", 1, "is no number"},
        {"h,80;;max-conns=1;queue-timeout=0", 1, "is too short"},
        {"h,80;;warm-up=65536", 1, "expected 0 to 65535"},
        {"h,80;;warm-up=3;max-conns=2", 1, "warm-up=3 is above max-conns; expected at most 2"},
        {"h,80;;warm-up=3;max-idle=2", 1, "warm-up=3 is above max-idle; expected at most 2"},
        {"h,80;;send-proxy", 1, "no value; expected send-proxy=VALUE"},
        {"h,80;;send-proxy=v3", 1, "expected one of v1, v2"},
        {"h,80;;send-proxy=1", 1, "expected one of v1, v2"},
        {"h,80;;balance=fast", 1, "expected one of round-robin"},
        {"h,80;;affinity-cookie-same-site=laxe", 1, "did you mean \"lax\"?"},
        {"h,80;;affinity-cookie-max-age=1500ms", 1,
         "\"1500ms\" has a part of a second; expected whole seconds"},
        {"h,80;;affinity-cookie-max-age=x", 1, "is no duration"},
        {"h,80;;affinity-cookie-http-only=yes", 1, "takes no value"},
        {"h,80;;dns=", 1, "t:1:7: no value; expected dns=VALUE, or no ="},
        {"h,80;;dns=dns", 1, "\"dns\" is none of the names; expected one of srv"},
        {"h,80;;dns=svr", 1,
         "t:1:11: dns: \"svr\" is none of the names; expected one of srv; did you "
         "mean \"srv\"?"},
        {"unix:/x;;dns=srv", 1, "t:1:10: a UNIX socket has no name to look up"},
        {"dns;unix", 1, "has no port"},
        {"unix:/x;;proto=h2;dns", 1, "a UNIX socket has no name to look up"},
        {"::1,80;;dns=srv", 1,
         "t:1:9: an address has no SRV record; expected a name such as "
         "_http._tcp.example.com"},
        {"127.0.0.1,80;;dns=srv", 1, "an address has no SRV record"},
    };
    assert_backends_refused(cases, COUNT(cases));
}

/* Good, but probably not what was meant. */
static void traps(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"h,80;;tls;ca=/x;insecure", "ca has no effect with insecure"},
        {"h,80;;tls;upgrade-scheme", "upgrade-scheme has no effect without tls and proto=h2"},
        {"h,80;;affinity=ip;affinity-cookie-http-only", "has no effect without affinity=cookie"},
        {"h,80;;affinity-cookie-max-age=1", "has no effect without affinity=cookie"},
        {"h,80;;affinity-cookie-secure=yes", "t:1:7: warning: what is about a cookie has no"},
        {"h,80;;affinity=cookie;affinity-cookie-name=n;affinity-cookie-same-site=none;"
         "affinity-cookie-secure=no",
         "browsers drop cookies with SameSite=None and without Secure"},
        {"h,80;;health-path=/;fall=0", "health-path has no effect with fall=0"},
        {"h,80;;health-path=/;rise=0", "fall without rise"},
        {"h,80;;rise=1", "t:1:7: warning: rise has no effect without fall"},
        {"h,80;;rise=2;fall=0", "rise has no effect without fall"},
        {"h,80;;proto=h2;max-idle=1", "max-idle has no effect with proto=h2"},
        {"h,80;;send-proxy=v1;max-idle=1", "have no effect with send-proxy"},
        {"h,80;;send-proxy=v1;warm-up=1", "have no effect with send-proxy"},
        {"::1,80;;dns", "t:1:9: warning: dns has no effect with an address: there is no name"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cfg_backend b = backend_of(cases[i].text, cases[i].why);
        cfg_backend_clear(&b);
    }
}

static void what_is_meant_is_not_warned_of(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "h,80;;tls;proto=auto;upgrade-scheme",
        "h,80;;affinity=cookie;affinity-cookie-name=n;affinity-cookie-same-site=none",
        "h,80;;affinity-cookie-name=n;affinity=cookie",
        "h,80;;health-path=/",
        "h,80;;health-path=/;fall=1",
        "h,80;;rise=0",
        "h,80;;max-queue=1", /* another one of its pattern may have max-conns */
        "h,80;;max-conns=1;max-queue=1;queue-timeout=1;warm-up=1;max-idle=1",
        "h,80;;proto=h2;warm-up=2;max-conns=2;max-idle=0",
        "h,80;;tls;insecure;pin=sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cfg_backend b = backend_of(cases[i], NULL);
        cfg_backend_clear(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(connections),
        cmocka_unit_test(health),
        cmocka_unit_test(tls),
        cmocka_unit_test(balance_and_cookies),
        cmocka_unit_test(names_to_look_up),
        cmocka_unit_test(bad_parameters),
        cmocka_unit_test(traps),
        cmocka_unit_test(what_is_meant_is_not_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
