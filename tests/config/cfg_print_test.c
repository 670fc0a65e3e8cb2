/* --print-config: what is printed loads to the same. */
#include "cfg_test.h"

static char *printed(const struct config *cfg)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_true(cfg_print(cfg, CFG_FORMAT_TEXT, out));
    fclose(out);
    return text;
}

/* Prints, loads that, prints again: the same text. The arguments end with NULL. */
static void round_trip(const char *const *args)
{
    char path[128], conf[160];
    struct loaded l = load_args(args);
    if (l.rc != CFG_OK) {
        fail_msg("%s", l.err);
    }
    char *first = printed(l.cfg);
    test_file(path, "printed.conf", first, strlen(first));
    snprintf(conf, sizeof(conf), "--conf=%s", path);
    const char *const again[] = {conf, NULL};
    struct loaded m = load_args(again);
    if (m.rc != CFG_OK) {
        fail_msg("%s%s", first, m.err);
    }
    char *second = printed(m.cfg);
    assert_string_equal(first, second);
    free(first);
    free(second);
    loaded_free(&l);
    loaded_free(&m);
}

static void configurations_come_back_the_same(void **state)
{
    (void)state;
    static const char *const cases[][8] = {
        {"-f*,1;no-tls"},
        {"key", "cert"},
        {"-f*,1;no-tls", "-b::1,80;/a:b.Example/C%3ad:/%7ex:*.y/z*", "-bh,80"},
        {"-funix:/a b,c;no-tls;proxyproto", "-f::1,443;sni-fwd;healthmon", "k", "c"},
        {"-f*,1;no-tls",
         "-bh,80;;proto=h2;tls;sni=x.y;fall=3;rise=2;dns;redirect-if-not-tls;upgrade-scheme",
         "-bg,80;/;weight=7;group=G h;group-weight=256;read-timeout=90s;write-timeout=1ms"},
        {"-f*,1;no-tls",
         "-bh,80;/;affinity=cookie;affinity-cookie-name=n;affinity-cookie-path=/p?q;"
         "affinity-cookie-secure=no;affinity-cookie-stickiness=strict",
         "-bg,80;/;affinity=none", "-bi,80;/i;affinity=ip"},
        {"-f*,1;no-tls", "--add-request-header=A: b",
         "--add-request-header=a:", "--add-response-header=Set-Cookie: x=y; Path=/"},
        {"-f*,1;no-tls", "--server-name=", "--ciphers=HIGH:!aNULL", "--groups=P-256",
         "--tls13-ciphers="},
        {"-f*,1;no-tls", "--accesslog-format=$remote_addr \"$request\" # = \xc3\xbc\xff\t.",
         "--accesslog-file= /x y "},
        {"-f*,1;no-tls", "--altsvc=h2,443,,https://x,ma=1,2", "--http2-altsvc=h3,1,h",
         "--subcert=k:c;sct-dir=/d", "--subcert=k2:c2:x"},
        {"-f*,1;no-tls", "--tls-ticket-key-memcached=::1,11211;tls", "--tls-ticket-key-file=/1",
         "--tls-ticket-key-file=/2", "--backend-http-proxy-uri=http://a%20b:c%40d@[::1]:1/"},
        {"-f*,1;no-tls", "--add-forwarded=proto,by", "--forwarded-by=_x", "--forwarded-for=ip",
         "--log-level=fatal", "--syslog-facility=LOCAL7", "-k"},
        {"-f*,1;no-tls", "--backend-read-timeout=0", "--dns-cache-timeout=90m",
         "--backend-request-buffer=1025", "--read-rate=3G", "--tls-dyn-rec-warmup-threshold=0"},
        {"-f*,1;no-tls", "--backend-tls-sni-field=s", "--accept-proxy-protocol",
         "--tls-proto-list=TLSv1.2", "--frontend-http2-window-bits=20", "--backend-ipv6"},
        {"-f*,1;no-tls;proxyproto-from=10.0.0.0/8,fd00::/8;proxyproto-from=::1",
         "--resolv-conf=/etc/resolv.conf"},
        {"-f*,1;no-tls", "-bh,80;/;health-path=/h?x=y;fall=0;rise=0",
         "-bh,81;/;health-path=/h;fall=3;rise=2;health-host=[::1]:80;health-interval=1;"
         "health-timeout=90m;health-status=200,300-399",
         "-bh,82;/;health-path=/h;health-status=200-399;outlier=5xx:7;fall=1",
         "-bh,83;/;fall=3;rise=2"},
        {"-f*,1;no-tls", "-bh,80;/;tls;proto=h2;ca=/c a;cert=/x=y;key=/k;insecure;send-proxy=v1;"
                         "pin=sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=;"
                         "pin=sha256://////////////////////////////////////////8="},
        {"-f*,1;no-tls",
         "-bh,80;/;balance=HASH:Header:X-Y;max-conns=9;max-queue=0;queue-timeout=1ms;max-idle=8;"
         "warm-up=7",
         "-bh,81;/;balance=hash:header:x-y;max-queue=0",
         "-bh,81;/q;max-conns=9;max-queue=100;queue-timeout=5", "-bh,82;/c;balance=hash:cookie:A",
         "-bh,83;/u;balance=hash:uri", "-bh,84;/l;balance=least-conn;send-proxy=v2",
         "-b_x._tcp.h.de,85;/p;balance=p2c;dns=srv;tls"},
        {"-f*,1;no-tls", "-bh,80;/;balance=round-robin;weight=256",
         "-bh,80;/c;affinity=cookie;affinity-cookie-name=n;affinity-cookie-http-only;"
         "affinity-cookie-same-site=NONE;affinity-cookie-max-age=90s"},
        {"-f*,1;no-tls", "-bh,80", "-brespond=204;/a:/b",
         "-bredirect=303,https://$authority$path_without_query?%41;/c;redirect-if-not-tls",
         "-bredirect=301,/x$path;h.example"},
        {"-f*,1;no-tls", "--single-thread", "-n9", "--daemon", "--user=nobody", "--pid-file=/p"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *args[10] = {"--conf=/dev/null"};
        memcpy(args + 1, cases[i], sizeof(cases[i]));
        round_trip(args);
    }
    char page[128], keys[128], page_arg[160], keys_arg[160], respond_arg[160];
    test_file(page, "page", "sorry", 5);
    test_file(keys, "keys", "i:00\n", 5);
    snprintf(page_arg, sizeof(page_arg), "--error-page=*=%s", page);
    snprintf(keys_arg, sizeof(keys_arg), "--psk-secrets=%s", keys);
    snprintf(respond_arg, sizeof(respond_arg), "-brespond=503,%s;/a", page);
    const char *const args[] = {"--conf=/dev/null", "-f*,1;no-tls", "-bh,80", respond_arg,
                                page_arg,           keys_arg,       NULL};
    round_trip(args);
}

/* Lines of many options at random, of which those that do not go together are left out. */
static void random_configurations_come_back_the_same(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "workers=%u",
        "backlog=%u",
        "backend-read-timeout=%ums",
        "backend-write-timeout=%um",
        "dns-lookup-timeout=%us",
        "worker-process-grace-shutdown-period=%uh",
        "read-rate=%uK",
        "write-burst=%uM",
        "backend-response-buffer=%uG",
        "request-header-field-buffer=%u",
        "add-request-header=x-%u: v",
        "add-response-header=y: %u",
        "backend=h%u,80;/;weight=3",
        "backend=10.0.0.1,%u;/a/%%3A/../b*:host.example/%%7e",
        "backend=unix:/s%u;/;proto=h2;rise=1;fall=%u",
        "frontend=127.0.0.1,%u;no-tls",
        "altsvc=h2,%u,,o",
        "server-name=server %u",
        "tls-ticket-key-file=/keys/%u",
        "subcert=k%u:c",
        "accesslog-file=/log %u",
        "insecure=yes",
        "no-via=no",
        "log-level=warn",
        "forwarded-by=_%u",
        "add-forwarded=host,for",
        "max-worker-processes=%u",
    };
    unsigned random = 12345;
    for (int run = 0; run < 300; run++) {
        char text[8000], path[128], conf[160];
        size_t used = 0;
        random = random * 1103515245 + 12345;
        unsigned n = random >> 16 & 31;
        for (unsigned i = 0; i < n; i++) {
            random = random * 1103515245 + 12345;
            const char *line = lines[(random >> 16) % COUNT(lines)];
            unsigned number = (random >> 8 & 1023) + 1;
            used += (size_t)snprintf(text + used, sizeof(text) - used, line, number, number);
            text[used++] = '\n';
        }
        test_file(path, "random.conf", text, used);
        snprintf(conf, sizeof(conf), "--conf=%s", path);
        const char *const args[] = {conf, "-f*,3000;no-tls", "-b127.0.0.1,80", NULL};
        round_trip(args);
    }
}

static void units_are_the_largest_that_fit(void **state)
{
    (void)state;
    struct loaded l = load_text("read-rate=1048576\nwrite-rate=1023\nread-burst=2048G\n"
                                "backend-read-timeout=120000ms\nbackend-write-timeout=1001ms\n"
                                "backend-keep-alive-timeout=7200\n");
    char *text = printed(l.cfg);
    static const char *const parts[] = {"\nread-rate=1M\n",
                                        "\nwrite-rate=1023\n",
                                        "\nread-burst=2048G\n",
                                        "\nbackend-read-timeout=2m\n",
                                        "\nbackend-write-timeout=1001ms\n",
                                        "\nbackend-keep-alive-timeout=2h\n",
                                        "\nfrontend-stream-read-timeout=0\n",
                                        "\nfrontend=*,3000;no-tls\n",
                                        "\n# Timeout\n"};
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (strstr(text, parts[i]) == NULL) {
            fail_msg("not there: %s", parts[i]);
        }
    }
    assert_null(strstr(text, "\naccesslog-file"));
    assert_null(strstr(text, "check-config"));
    free(text);
    loaded_free(&l);
}

static void a_full_disk_is_noticed(void **state)
{
    (void)state;
    struct loaded l = load_text("");
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_false(cfg_print(l.cfg, CFG_FORMAT_TEXT, full));
    fclose(full);
    full = fopen("/dev/full", "w");
    assert_false(cfg_print(l.cfg, CFG_FORMAT_JSON, full));
    fclose(full);
    loaded_free(&l);
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
        cmocka_unit_test(configurations_come_back_the_same),
        cmocka_unit_test(random_configurations_come_back_the_same),
        cmocka_unit_test(units_are_the_largest_that_fit),
        cmocka_unit_test(a_full_disk_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
