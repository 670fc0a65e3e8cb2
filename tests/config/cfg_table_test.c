/*
 * The whole option table. The names and defaults of nghttpx's manual are written down a second time
 * here, on purpose; then each option that the table has is tried from the command line and from a
 * file: its default, good values (of a range both ends), and bad ones. What is tried follows from
 * the type, so that no option is forgotten.
 */
#include "cfg_test.h"

#define SUITES_12                                                                                  \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"       \
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
/* How many there are at most: new ones are not to come. */
#define NOT_YET_OPTIONS 60
#define NOT_YET_PARAMS  34
#define COMBINED                                                                                   \
    "$remote_addr - - [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" "      \
    "\"$http_user_agent\""

/* A name and its default; "off" for a switch, "-" for none, "none" for what is no option here. */
static const char *const manual[][2] = {
    {"backend", "127.0.0.1,80"},
    {"frontend", "*,3000"},
    {"backlog", "65536"},
    {"backend-address-family", "auto"},
    {"backend-http-proxy-uri", "-"},
    {"workers", "1"},
    {"single-thread", "off"},
    {"read-rate", "0"},
    {"read-burst", "0"},
    {"write-rate", "0"},
    {"write-burst", "0"},
    {"worker-read-rate", "none"},
    {"worker-read-burst", "none"},
    {"worker-write-rate", "none"},
    {"worker-write-burst", "none"},
    {"worker-frontend-connections", "0"},
    {"backend-connections-per-host", "8"},
    {"backend-connections-per-frontend", "0"},
    {"rlimit-nofile", "0"},
    {"rlimit-memlock", "0"},
    {"backend-request-buffer", "16K"},
    {"backend-response-buffer", "128K"},
    {"fastopen", "0"},
    {"no-kqueue", "none"},
    {"frontend-http2-idle-timeout", "3m"},
    {"frontend-http3-idle-timeout", "none"},
    {"frontend-write-timeout", "30s"},
    {"frontend-keep-alive-timeout", "1m"},
    {"frontend-header-timeout", "1m"},
    {"frontend-stream-read-timeout", "0"},
    {"frontend-stream-write-timeout", "1m"},
    {"backend-stream-read-timeout", "0"},
    {"backend-stream-write-timeout", "1m"},
    {"backend-read-timeout", "1m"},
    {"backend-write-timeout", "30s"},
    {"backend-connect-timeout", "30s"},
    {"backend-keep-alive-timeout", "2s"},
    {"listener-disable-timeout", "30s"},
    {"frontend-http2-setting-timeout", "none"}, /* as the manual spells it: another name */
    {"backend-http2-settings-timeout", "10s"},
    {"backend-max-backoff", "2m"},
    {"frontend-min-write-rate", "0"},
    {"frontend-initial-write-rate-timeout", "10s"},
    {"frontend-max-write-rate-timeout", "1m"},
    {"ciphers", SUITES_12},
    {"tls13-ciphers", SUITES_13},
    {"client-ciphers", SUITES_12},
    {"tls13-client-ciphers", SUITES_13},
    {"groups", "X25519:P-256:P-384:P-521"},
    {"insecure", "off"},
    {"cacert", "-"},
    {"private-key-passwd-file", "-"},
    {"subcert", "-"},
    {"dh-param-file", "-"},
    {"alpn-list", "h2,http/1.1"},
    {"verify-client", "off"},
    {"verify-client-cacert", "-"},
    {"verify-client-tolerate-expired", "off"},
    {"client-private-key-file", "-"},
    {"client-cert-file", "-"},
    {"tls-min-proto-version", "TLSv1.2"},
    {"tls-max-proto-version", "TLSv1.3"},
    {"tls-ticket-key-file", "-"},
    {"tls-ticket-key-cipher", "aes-128-cbc"},
    {"tls-ticket-key-memcached", "-"},
    {"tls-ticket-key-memcached-address-family", "auto"},
    {"tls-ticket-key-memcached-interval", "10m"},
    {"tls-ticket-key-memcached-max-retry", "3"},
    {"tls-ticket-key-memcached-max-fail", "2"},
    {"tls-ticket-key-memcached-cert-file", "-"},
    {"tls-ticket-key-memcached-private-key-file", "-"},
    {"tls-dyn-rec-warmup-threshold", "1M"},
    {"tls-dyn-rec-idle-timeout", "1s"},
    {"no-http2-cipher-block-list", "off"},
    {"client-no-http2-cipher-block-list", "off"},
    {"tls-sct-dir", "-"},
    {"psk-secrets", "-"},
    {"client-psk-secrets", "-"},
    {"tls-no-postpone-early-data", "off"},
    {"tls-max-early-data", "16K"},
    {"tls-ktls", "off"},
    {"ech-config-file", "none"},
    {"ech-retry-config-file", "none"},
    {"frontend-http2-max-concurrent-streams", "100"},
    {"backend-http2-max-concurrent-streams", "none"},
    {"frontend-http2-window-size", "65535"},
    {"frontend-http2-connection-window-size", "65535"},
    {"backend-http2-window-size", "65535"},
    {"backend-http2-connection-window-size", "2147483647"},
    {"http2-no-cookie-crumbling", "off"},
    {"padding", "0"},
    {"no-server-push", "off"},
    {"frontend-http2-optimize-write-buffer-size", "off"},
    {"frontend-http2-optimize-window-size", "off"},
    {"frontend-http2-encoder-dynamic-table-size", "4K"},
    {"frontend-http2-decoder-dynamic-table-size", "4K"},
    {"backend-http2-encoder-dynamic-table-size", "4K"},
    {"backend-http2-decoder-dynamic-table-size", "4K"},
    {"http2-proxy", "off"},
    {"log-level", "NOTICE"},
    {"accesslog-file", "-"},
    {"accesslog-syslog", "off"},
    {"accesslog-format", COMBINED},
    {"accesslog-write-early", "off"},
    {"errorlog-file", "/dev/stderr"},
    {"errorlog-syslog", "off"},
    {"syslog-facility", "daemon"},
    {"add-x-forwarded-for", "off"},
    {"strip-incoming-x-forwarded-for", "off"},
    {"no-add-x-forwarded-proto", "off"},
    {"no-strip-incoming-x-forwarded-proto", "off"},
    {"add-forwarded", "-"},
    {"strip-incoming-forwarded", "off"},
    {"forwarded-by", "obfuscated"},
    {"forwarded-for", "obfuscated"},
    {"no-via", "off"},
    {"no-strip-incoming-early-data", "off"},
    {"no-location-rewrite", "off"},
    {"host-rewrite", "off"},
    {"altsvc", "-"},
    {"http2-altsvc", "-"},
    {"add-request-header", "-"},
    {"add-response-header", "-"},
    {"request-header-field-buffer", "64K"},
    {"max-request-header-fields", "100"},
    {"response-header-field-buffer", "64K"},
    {"max-response-header-fields", "500"},
    {"error-page", "-"},
    {"server-name", "nghttpx"},
    {"no-server-rewrite", "off"},
    {"redirect-https-port", "443"},
    {"require-http-scheme", "off"},
    {"api-max-request-body", "32M"},
    {"dns-cache-timeout", "10s"},
    {"dns-lookup-timeout", "250ms"},
    {"dns-max-try", "3"},
    {"frontend-max-requests", "0"},
    {"frontend-http2-dump-request-header", "-"},
    {"frontend-http2-dump-response-header", "-"},
    {"frontend-frame-debug", "off"},
    {"daemon", "off"},
    {"pid-file", "-"},
    {"user", "-"},
    {"single-process", "off"},
    {"max-worker-processes", "0"},
    {"worker-process-grace-shutdown-period", "0"},
    {"mruby-file", "none"},
    {"ignore-per-pattern-mruby-error", "none"},
    {"frontend-quic-idle-timeout", "none"},
    {"frontend-quic-debug-log", "none"},
    {"quic-bpf-program-file", "none"},
    {"frontend-quic-early-data", "none"},
    {"frontend-quic-qlog-dir", "none"},
    {"frontend-quic-require-token", "none"},
    {"frontend-quic-congestion-controller", "none"},
    {"frontend-quic-secret-file", "none"},
    {"quic-server-id", "none"},
    {"frontend-quic-initial-rtt", "none"},
    {"no-quic-bpf", "none"},
    {"frontend-http3-window-size", "none"},
    {"frontend-http3-connection-window-size", "none"},
    {"frontend-http3-max-window-size", "none"},
    {"frontend-http3-max-connection-window-size", "none"},
    {"frontend-http3-max-concurrent-streams", "none"},
    {"conf", "/etc/nghttpx/nghttpx.conf"},
    {"include", "-"},
    {"version", "-"},
    {"help", "-"},
};

/* What it understands and its manual does not have; and what this program has besides. */
static const char *const undocumented[] = {"private-key-file", "certificate-file",
                                           "frontend-http2-settings-timeout"};
/* The first ones are not for files. */
#define OURS_IN_ARGS 3
static const char *const ours[] = {"check-config",       "print-config",   "format",
                                   "header-underscores", "accept-bare-lf", "resolv-conf"};
static const char *const deprecated[] = {
    "http2-bridge",
    "client",
    "client-proxy",
    "http2-max-concurrent-streams",
    "frontend-http2-read-timeout",
    "frontend-http3-read-timeout",
    "stream-read-timeout",
    "stream-write-timeout",
    "frontend-http2-window-bits",
    "backend-http2-window-bits",
    "frontend-http2-connection-window-bits",
    "backend-http2-connection-window-bits",
    "backend-tls-sni-field",
    "backend-ipv4",
    "backend-ipv6",
    "npn-list",
    "tls-proto-list",
    "backend-http1-connections-per-host",
    "backend-http1-connections-per-frontend",
    "accept-proxy-protocol",
    "header-field-buffer",
    "max-header-fields",
    "no-http2-cipher-black-list",
    "client-no-http2-cipher-black-list",
    "ecdh-curves",
    "frontend-read-timeout",
    "frontend-no-tls",
    "backend-no-tls",
    "backend-tls",
    "backend-http1-tls",
    "no-host-rewrite",
    "backend-http2-connections-per-worker",
    "fetch-ocsp-response-file",
    "ocsp-update-interval",
    "no-ocsp",
    "ocsp-startup",
    "no-verify-ocsp",
    "tls-session-cache-memcached",
    "tls-session-cache-memcached-tls",
    "tls-session-cache-memcached-cert-file",
    "tls-session-cache-memcached-private-key-file",
    "tls-session-cache-memcached-address-family",
    "tls-ticket-key-memcached-tls",
};

static void the_names_and_defaults_of_the_manual(void **state)
{
    (void)state;
    assert_int_equal(COUNT(manual), 168);
    assert_int_equal(COUNT(deprecated), 43);
    assert_int_equal(cfg_noptions,
                     COUNT(manual) + COUNT(deprecated) + COUNT(undocumented) + COUNT(ours));
    for (size_t i = 0; i < COUNT(manual); i++) {
        const struct cfg_option *o = cfg_option_find(cfg_text(manual[i][0]));
        const char *fallback = manual[i][1];
        if (o == NULL) {
            fail_msg("no option %s", manual[i][0]);
        }
        assert_int_equal(cfg_option_documented(o), strcmp(fallback, "none") != 0);
        if (strcmp(fallback, "off") == 0) {
            assert_int_equal(o->type, CFG_TYPE_BOOL);
        } else if (strcmp(fallback, "-") == 0 || strcmp(fallback, "none") == 0) {
            assert_null(o->fallback);
        } else {
            assert_string_equal(o->fallback, fallback);
        }
    }
    for (size_t i = 0; i < COUNT(deprecated); i++) {
        const struct cfg_option *o = cfg_option_find(cfg_text(deprecated[i]));
        if (o == NULL || cfg_option_documented(o)) {
            fail_msg("%s", deprecated[i]);
        }
    }
    for (size_t i = 0; i < COUNT(undocumented); i++) {
        assert_non_null(cfg_option_find(cfg_text(undocumented[i])));
    }
    for (size_t i = 0; i < COUNT(ours); i++) {
        const struct cfg_option *o = cfg_option_find(cfg_text(ours[i]));
        assert_true(o != NULL && o->whole); /* abbreviations are the original's */
        assert_int_equal(o->only_in_args, i < OURS_IN_ARGS);
    }
}

/* ---------------------------------------------------------------- each option */

static char some_file[128], some_keys[128];

/* The configuration with one option of this value. A file has one frontend more that needs no key.
 */
static struct loaded load_value(bool from_file, const struct cfg_option *o, const char *value)
{
    char text[1500];
    if (from_file) {
        snprintf(text, sizeof(text), "%s=%s\nprivate-key-file=k\ncertificate-file=c\n%s=%s",
                 "log-level", "NOTICE", o->name, value);
        return load_text(text);
    }
    bool is_switch = o->type == CFG_TYPE_BOOL;
    snprintf(text, sizeof(text), "--%s%s%s", o->name, is_switch ? "" : "=", is_switch ? "" : value);
    bool is_format = strcmp(o->name, "format") == 0; /* of something that is printed */
    const char *const args[] = {
        text, "--conf=/dev/null", "-f*,3000;no-tls", "k", "c", is_format ? "--print-config" : NULL,
        NULL};
    return load_args(args);
}

/* What the option is now, as it would be written; of a repeatable one the first. */
static char *written(const struct loaded *l, const struct cfg_option *o)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (cfg_print_count(l->cfg, o) > 0) {
        cfg_print_value(o, cfg_print_element(l->cfg, o, 0), out);
    }
    fclose(out);
    return text;
}

/* Whether it is what --print-config writes of a configuration without the option. */
static bool is_default(const struct cfg_option *o, const char *value)
{
    const char *const args[] = {"--conf=/dev/null", "-f*,1;no-tls", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    char *without = written(&l, o);
    bool same = strcmp(without, value) == 0;
    free(without);
    loaded_free(&l);
    return same;
}

static void try_value(const struct cfg_option *o, const char *value, const char *expected)
{
    for (int from_file = 0; from_file <= 1; from_file++) {
        if ((from_file && o->only_in_args) || (!from_file && o->only_in_file) ||
            (!from_file && o->type == CFG_TYPE_BOOL && strcmp(value, "yes") != 0)) {
            continue;
        }
        struct loaded l = load_value(from_file, o, value);
        if (l.rc != (expected != NULL ? CFG_OK : CFG_ERROR)) {
            fail_msg("%s=%s: %d: %s", o->name, value, l.rc, l.err);
        }
        if (expected != NULL) {
            char *now = written(&l, o);
            if (strcmp(now, expected) != 0) {
                fail_msg("%s=%s: is %s, expected %s", o->name, value, now, expected);
            }
            free(now);
            if (o->not_yet) { /* what it is anyhow was not asked for */
                bool said = strstr(l.err, "has no effect yet") != NULL;
                assert_int_equal(said, !is_default(o, expected));
            }
        } else {
            assert_said(&l, o->name);
            assert_said(&l, "expected ");
        }
        loaded_free(&l);
    }
}

/* What is written with the largest unit that leaves no fraction. */
static void try_size(const struct cfg_option *o, uint64_t n)
{
    static const char units[] = "\0KMG";
    char value[32], expected[32];
    uint64_t m = n;
    size_t unit = 0;
    while (m > 0 && m % 1024 == 0 && unit < 3) {
        m /= 1024;
        unit++;
    }
    snprintf(value, sizeof(value), "%llu", (unsigned long long)n);
    snprintf(expected, sizeof(expected), "%llu%.1s", (unsigned long long)m, units + unit);
    try_value(o, value, expected);
    if (unit > 0) {
        expected[strlen(expected) - 1] |= 0x20; /* either case */
        value[0] = '\0';
        snprintf(value, sizeof(value), "%llu%.1s", (unsigned long long)m, units + unit);
        try_value(o, expected, value);
    }
}

static void try_number(const struct cfg_option *o)
{
    static const char *const bad[] = {
        "", "x", "-1", "+1", "1.5", " 1", "1 ", "0x10", "1T", "1KK", "18446744073709551616"};
    char value[32];
    const uint64_t ends[] = {o->min, o->max};
    for (size_t i = 0; i < 2; i++) {
        snprintf(value, sizeof(value), "%llu", (unsigned long long)ends[i]);
        if (o->type == CFG_TYPE_SIZE) {
            try_size(o, ends[i]);
        } else {
            try_value(o, value, value);
        }
    }
    snprintf(value, sizeof(value), "%llu", (unsigned long long)o->max + 1);
    try_value(o, value, NULL);
    if (o->min > 0) {
        snprintf(value, sizeof(value), "%llu", (unsigned long long)o->min - 1);
        try_value(o, value, NULL);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        try_value(o, bad[i], NULL);
    }
    if (o->type == CFG_TYPE_NUMBER) {
        try_value(o, "2K", NULL);
    }
}

static void try_duration(const struct cfg_option *o)
{
    static const char *const good[][2] = {
        {"0", "0"},           {"7", "7s"},
        {"60", "1m"},         {"7MS", "7ms"},
        {"2H", "2h"},         {"90m", "90m"},
        {"1500ms", "1500ms"}, {"9223372036854775807ms", "9223372036854775807ms"}};
    static const char *const bad[] = {
        "", "x", "1d", "-1", "1.5s", "1 s", "ms", "9223372036854775808ms", "9223372036854775807s"};
    for (size_t i = 0; i < COUNT(good); i++) {
        try_value(o, good[i][0], good[i][1]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        try_value(o, bad[i], NULL);
    }
}

static void try_choices(const struct cfg_option *o)
{
    for (const struct cfg_choice *c = o->choices; c->name != NULL; c++) {
        char value[32];
        bool crosses = strcmp(o->name, "tls-max-proto-version") == 0 ||
                       strcmp(o->name, "tls-min-proto-version") == 0;
        snprintf(value, sizeof(value), "%s", c->name);
        try_value(o, value, c->name);
        for (char *p = value; *p != '\0' && !crosses; p++) {
            *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        }
        try_value(o, value, c->name);
    }
    try_value(o, "", NULL);
    try_value(o, "none-of-them", NULL);
}

/* Values of the types that have no range: good ones, with what they are then, and bad ones. */
static const struct {
    enum cfg_type type;
    const char *good[4][2];
    const char *bad[4];
} samples[] = {
    {CFG_TYPE_VALUE, {{"a b", "a b"}, {"", ""}}, {"a ", " a", "a\x01"}},
    {CFG_TYPE_ALPN, {{"http/1.1,h2", "http/1.1,h2"}, {"h2", "h2"}}, {"", "h2,spdy", "h2,h2"}},
    {CFG_TYPE_NODE, {{"ip", "ip"}, {"_a.b", "_a.b"}}, {"", "_", "x"}},
    {CFG_TYPE_FRONTEND, {{"*,80;api", "*,80;tls;api"}}, {"", "*,0", "*,80;x", "unix:"}},
    {CFG_TYPE_BACKEND,
     {{"h,80", "h,80;/;proto=http/1.1"},
      {"unix:/x;;proto=h2;tls", "unix:/x;/;proto=h2;tls"},
      {"h,80;/a:/b%3a:/", "h,80;/a:/b%3A:/;proto=http/1.1"},
      {"Redirect=308,/a?b=$host;/;redirect-if-not-tls",
       "redirect=308,/a?b=$host;/;redirect-if-not-tls"}},
     {"", "h", "h,80;;x", "*,80"}},
    {CFG_TYPE_REQUEST_HEADER,
     {{"X-a:  b", "x-a: b"}, {"a:", "a: "}},
     {"", "a", "host: b", "a b:c"}},
    {CFG_TYPE_RESPONSE_HEADER, {{"A:b:c", "a: b:c"}}, {"", ":a", "connection: close"}},
    {CFG_TYPE_SUBCERT, {{"k:c", "k:c"}, {"k:c;sct-dir=/d", "k:c;sct-dir=/d"}}, {"", "k", "k:c;x"}},
    {CFG_TYPE_ALTSVC, {{"h2,443", "h2,443"}, {"h2,1,,,x", "h2,1,,,x"}}, {"", "h2", "h2,0"}},
    {CFG_TYPE_PATH_LIST, {{"/a", "/a"}}, {"", "a\x01"}},
    {CFG_TYPE_MEMCACHED, {{"h,1;TLS", "h,1;tls"}, {"::1,2", "::1,2"}}, {"h", "h,0", "unix:/x"}},
    {CFG_TYPE_PROXY_URI,
     {{"http://a:b@h:1", "http://a:b@h:1"}, {"HTTP://[::1]:2/", "http://[::1]:2"}},
     {"h:1", "http://h", "https://h:1"}},
    {CFG_TYPE_SET, {{"by", "by"}, {"proto,FOR,by", "by,for,proto"}}, {"", "by,", "to"}},
};

static void try_samples(const struct cfg_option *o)
{
    size_t tried = 0;
    for (size_t i = 0; i < COUNT(samples); i++) {
        for (size_t j = 0; samples[i].type == o->type && j < 4; j++) {
            const char *const *good = samples[i].good[j];
            if (good[0] != NULL) {
                try_value(o, good[0], good[1]);
                tried++;
            }
            if (samples[i].bad[j] != NULL) {
                try_value(o, samples[i].bad[j], NULL);
                tried++;
            }
        }
    }
    if (tried == 0) {
        fail_msg("%s: nothing to try for its type", o->name);
    }
}

static void try_text(const struct cfg_option *o)
{
    char value[200];
    bool empty_is_good = o->type == CFG_TYPE_PATH ? o->fallback == NULL : o->min == 0;
    try_value(o, "a=b#c;d", "a=b#c;d");
    try_value(o, "a\x01", NULL);
    try_value(o, "", empty_is_good ? "" : NULL);
    if (o->max < sizeof(value) - 1) {
        memset(value, 'a', o->max + 1);
        value[o->max + 1] = '\0';
        try_value(o, value, NULL);
        value[o->max] = '\0';
        try_value(o, value, value);
    }
}

static void try_file_values(const struct cfg_option *o)
{
    char value[160], other[160];
    if (o->type == CFG_TYPE_PSK_FILE) {
        try_value(o, some_keys, some_keys);
        try_value(o, "", "");
        try_value(o, "/nonexistent", NULL);
        try_value(o, some_file, NULL); /* no key in it */
        return;
    }
    snprintf(value, sizeof(value), "404=%s", some_file);
    try_value(o, value, value);
    snprintf(value, sizeof(value), "*=%s", some_file);
    try_value(o, value, value);
    snprintf(other, sizeof(other), "600=%s", some_file);
    try_value(o, other, NULL);
    try_value(o, "404=/nonexistent", NULL);
}

static void try_option(const struct cfg_option *o)
{
    switch (o->type) {
    case CFG_TYPE_BOOL:
        try_value(o, "yes", "yes");
        try_value(o, "YES", "yes");
        try_value(o, "no", "no");
        break;
    case CFG_TYPE_NUMBER:
    case CFG_TYPE_SIZE:
        try_number(o);
        break;
    case CFG_TYPE_DURATION:
        try_duration(o);
        break;
    case CFG_TYPE_ENUM:
        try_choices(o);
        break;
    case CFG_TYPE_STRING:
    case CFG_TYPE_PATH:
        try_text(o);
        break;
    case CFG_TYPE_ERROR_PAGE:
    case CFG_TYPE_PSK_FILE:
        try_file_values(o);
        break;
    case CFG_TYPE_CONF: /* cfg_file_test.c and cfg_help_test.c are about these */
    case CFG_TYPE_INCLUDE:
    case CFG_TYPE_HELP:
    case CFG_TYPE_VERSION:
        break;
    default:
        if (cfg_option_documented(o)) {
            try_samples(o);
        }
    }
}

static void each_option_takes_what_its_type_allows(void **state)
{
    (void)state;
    test_file(some_file, "some-file", "", 0);
    test_file(some_keys, "some-keys", "a:00\n", 5);
    for (size_t i = 0; i < cfg_noptions; i++) {
        try_option(&cfg_options[i]);
    }
}

static void without_a_value_the_default_holds(void **state)
{
    (void)state;
    const char *const args[] = {"--conf=/dev/null", "k", "c", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.err, "");
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (!cfg_option_has_member(o) || o->type == CFG_TYPE_CONF || o->only_in_file) {
            continue;
        }
        char *now = written(&l, o);
        const char *expected = o->type == CFG_TYPE_BOOL       ? "no"
                               : o->type == CFG_TYPE_FRONTEND ? "*,3000;tls"
                               : o->type == CFG_TYPE_BACKEND  ? "127.0.0.1,80;/;proto=http/1.1"
                               : o->fallback == NULL          ? ""
                                                              : o->fallback;
        if (strcmp(now, expected) != 0) {
            fail_msg("%s is %s, expected %s", o->name, now, expected);
        }
        free(now);
    }
    loaded_free(&l);
}

static const struct cfg_param *const params[] = {cfg_frontend_params, cfg_backend_params,
                                                 cfg_answer_params};

static const char *compatibility_path;

/* One line of the document's list; cut out of it, so that what is left over shows. */
static void take_line(char *list, const char *line)
{
    char *at = strstr(list, line);
    if (at == NULL) {
        fail_msg("docs/compatibility.md does not have: %s", line);
    }
    memmove(at, at + strlen(line), strlen(at + strlen(line)) + 1);
}

/* What is taken and does nothing yet. The list gets shorter as features are built, and is to be
 * empty at the end. */
static void what_has_no_effect_yet_is_listed(void **state)
{
    (void)state;
    static const char heading[] = "\n## No effect yet\n";
    size_t len, n = 0, nparams = 0;
    int error;
    char line[120];
    char *document = cfg_read_file(compatibility_path, (size_t)1 << 20, &len, &error);
    assert_non_null(document);
    char *list = strstr(document, heading);
    assert_non_null(list);
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (o->not_yet) {
            print_message("no effect yet: %s\n", o->name);
            snprintf(line, sizeof(line), "- `%s`\n", o->name);
            take_line(list, line);
            assert_true(cfg_option_documented(o));
            n++;
        }
    }
    static const char *const forms[] = {"frontend ...;%s", "backend ...;%s", "backend %s=..."};
    for (size_t i = 0; i < COUNT(params); i++) {
        for (const struct cfg_param *p = params[i]; p->name != NULL; p++) {
            if (p->not_yet && !p->hidden) {
                size_t used = (size_t)snprintf(line, sizeof(line), "- `");
                used += (size_t)snprintf(line + used, sizeof(line) - used, forms[i], p->name);
                snprintf(line + used, sizeof(line) - used, "`\n");
                print_message("no effect yet: %s", line);
                take_line(list, line);
                nparams++;
            }
        }
    }
    print_message("%zu options and %zu parameters\n", n, nparams);
    assert_null(strstr(list, "\n- `")); /* nothing in the list that has its effect */
    assert_true(n <= NOT_YET_OPTIONS && nparams <= NOT_YET_PARAMS);
    free(document);
}

/* What nghttpx does not have is in the tables of new parameters. */
static void what_is_new_is_listed(void **state)
{
    (void)state;
    size_t len, n = 0;
    int error;
    char *document = cfg_read_file(compatibility_path, (size_t)1 << 20, &len, &error);
    assert_non_null(document);
    char *begin = strstr(document, "\n## New options\n"), *end = strstr(document, "\n### JSON\n");
    assert_true(begin != NULL && end != NULL && begin < end);
    *end = '\0';
    for (size_t i = 0; i < COUNT(params); i++) {
        for (const struct cfg_param *p = params[i]; p->name != NULL; p++) {
            char name[100];
            const char *at = begin;
            size_t name_len = (size_t)snprintf(name, sizeof(name), "`%s", p->name);
            while ((at = strstr(at, name)) != NULL && strchr("=`", at[name_len]) == NULL) {
                at++;
            }
            if (p->ours && at == NULL) {
                fail_msg("docs/compatibility.md does not list %s", p->name);
            }
            n += p->ours;
        }
    }
    assert_true(n > 20);
    free(document);
}

static int clean_up(void **state)
{
    (void)state;
    test_folder_remove();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s COMPATIBILITY_MD\n", argv[0]);
        return 1;
    }
    compatibility_path = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_names_and_defaults_of_the_manual),
        cmocka_unit_test(each_option_takes_what_its_type_allows),
        cmocka_unit_test(without_a_value_the_default_holds),
        cmocka_unit_test(what_has_no_effect_yet_is_listed),
        cmocka_unit_test(what_is_new_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
