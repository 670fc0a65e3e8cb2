/*
 * Every option: its default, values at the ends of its range, and values beyond, from the command
 * line and from a file. The expectations are those of nghttpx's manual, written
 * down a second time on purpose.
 */
#include "cfg_test.h"

#define AT(member) offsetof(struct config, member)

/* Where a number, size or duration may be; 0 and the largest one if nothing else is said. */
struct number_row {
    const char *name;
    size_t at;
    uint64_t fallback, min, max;
};

#define ANY 0, INT64_MAX

static const struct number_row numbers[] = {
    {"workers", AT(workers), 1, 1, 65530},
    {"backlog", AT(backlog), 65536, 0, INT32_MAX},
    {"worker-frontend-connections", AT(worker_frontend_connections), 0, ANY},
    {"rlimit-nofile", AT(rlimit_nofile), 0, ANY},
    {"frontend-max-requests", AT(frontend_max_requests), 0, ANY},
    {"frontend-http2-max-concurrent-streams", AT(frontend_http2_max_concurrent_streams), 100, 1,
     INT32_MAX},
    {"max-request-header-fields", AT(max_request_header_fields), 100, 1, 65535},
    {"max-response-header-fields", AT(max_response_header_fields), 500, 1, 65535},
};

static const struct number_row sizes[] = {
    {"backend-request-buffer", AT(backend_request_buffer), 16384, 1, INT64_MAX},
    {"backend-response-buffer", AT(backend_response_buffer), 131072, 1, INT64_MAX},
    {"frontend-http2-window-size", AT(frontend_http2_window_size), 65535, 1, INT32_MAX},
    {"frontend-http2-connection-window-size", AT(frontend_http2_connection_window_size), 65535, 1,
     INT32_MAX},
    {"backend-http2-window-size", AT(backend_http2_window_size), 65535, 1, INT32_MAX},
    {"backend-http2-connection-window-size", AT(backend_http2_connection_window_size), INT32_MAX, 1,
     INT32_MAX},
    {"frontend-http2-encoder-dynamic-table-size", AT(frontend_http2_encoder_dynamic_table_size),
     4096, 0, UINT32_MAX},
    {"frontend-http2-decoder-dynamic-table-size", AT(frontend_http2_decoder_dynamic_table_size),
     4096, 0, UINT32_MAX},
    {"backend-http2-encoder-dynamic-table-size", AT(backend_http2_encoder_dynamic_table_size), 4096,
     0, UINT32_MAX},
    {"backend-http2-decoder-dynamic-table-size", AT(backend_http2_decoder_dynamic_table_size), 4096,
     0, UINT32_MAX},
    {"request-header-field-buffer", AT(request_header_field_buffer), 65536, 1, 1 << 30},
    {"response-header-field-buffer", AT(response_header_field_buffer), 65536, 1, 1 << 30},
};

static const struct number_row durations[] = {
    {"frontend-http2-idle-timeout", AT(frontend_http2_idle_timeout), 180000, ANY},
    {"frontend-write-timeout", AT(frontend_write_timeout), 30000, ANY},
    {"frontend-keep-alive-timeout", AT(frontend_keep_alive_timeout), 60000, ANY},
    {"frontend-header-timeout", AT(frontend_header_timeout), 60000, ANY},
    {"frontend-stream-read-timeout", AT(frontend_stream_read_timeout), 0, ANY},
    {"frontend-stream-write-timeout", AT(frontend_stream_write_timeout), 60000, ANY},
    {"backend-stream-read-timeout", AT(backend_stream_read_timeout), 0, ANY},
    {"backend-stream-write-timeout", AT(backend_stream_write_timeout), 60000, ANY},
    {"backend-read-timeout", AT(backend_read_timeout), 60000, ANY},
    {"backend-write-timeout", AT(backend_write_timeout), 30000, ANY},
    {"backend-connect-timeout", AT(backend_connect_timeout), 30000, ANY},
    {"backend-keep-alive-timeout", AT(backend_keep_alive_timeout), 2000, ANY},
    {"listener-disable-timeout", AT(listener_disable_timeout), 30000, ANY},
    {"frontend-http2-settings-timeout", AT(frontend_http2_settings_timeout), 10000, ANY},
    {"backend-http2-settings-timeout", AT(backend_http2_settings_timeout), 10000, ANY},
    {"backend-max-backoff", AT(backend_max_backoff), 120000, ANY},
};

static const struct {
    const char *name;
    size_t at;
} switches[] = {
    {"insecure", AT(insecure)},
    {"add-x-forwarded-for", AT(add_x_forwarded_for)},
    {"strip-incoming-x-forwarded-for", AT(strip_incoming_x_forwarded_for)},
    {"no-add-x-forwarded-proto", AT(no_add_x_forwarded_proto)},
    {"no-strip-incoming-x-forwarded-proto", AT(no_strip_incoming_x_forwarded_proto)},
    {"no-via", AT(no_via)},
    {"accesslog-syslog", AT(accesslog_syslog)},
    {"errorlog-syslog", AT(errorlog_syslog)},
    {"http2-no-cookie-crumbling", AT(http2_no_cookie_crumbling)},
    {"no-strip-incoming-early-data", AT(no_strip_incoming_early_data)},
    {"no-location-rewrite", AT(no_location_rewrite)},
    {"host-rewrite", AT(host_rewrite)},
    {"no-server-rewrite", AT(no_server_rewrite)},
    {"require-http-scheme", AT(require_http_scheme)},
};

#define SUITES_12                                                                                  \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"       \
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

static const struct {
    const char *name;
    size_t at;
    const char *fallback;
    const char *good, *bad;
    bool empty_allowed;
} strings[] = {
    {"ciphers", AT(ciphers), SUITES_12, "HIGH:!aNULL", "a\x01", false},
    {"tls13-ciphers", AT(tls13_ciphers), SUITES_13, "TLS_AES_128_GCM_SHA256", "a\x01", true},
    {"client-ciphers", AT(client_ciphers), SUITES_12, "HIGH", "a\x01", false},
    {"tls13-client-ciphers", AT(tls13_client_ciphers), SUITES_13, "x", "a\x01", true},
    {"groups", AT(groups), "X25519:P-256:P-384:P-521", "P-256", "a\x01", false},
    {"cacert", AT(cacert), NULL, "/etc/ca.pem", "a\x01", true},
    {"alpn-list", AT(alpn_list), "h2,http/1.1", "http/1.1,h2", "h2,spdy", false},
    {"accesslog-file", AT(accesslog_file), NULL, "/var/log/a.log", "a\x01", true},
    {"accesslog-format", AT(accesslog_format), NULL, "$remote_addr \"$request\" = #", "a\x01",
     true},
    {"errorlog-file", AT(errorlog_file), "/dev/stderr", "/var/log/e.log", "a\x01", false},
    {"server-name", AT(server_name), "nghttpx", "my server/1.0", "a ", true},
};

/* Those that other test files are about: addresses, fields, pages, files. */
static const char *const elsewhere[] = {
    "frontend",
    "backend",
    "add-request-header",
    "add-response-header",
    "error-page",
    "private-key-file",
    "certificate-file",
    "conf",
    "include",
    "version",
    "help",
    "log-level",
    "syslog-facility",
    "backend-address-family",
    "tls-min-proto-version",
    "tls-max-proto-version",
};

static struct loaded load_option(bool from_file, const char *name, const char *value)
{
    char text[1024], path[128];
    snprintf(text, sizeof(text), "%s=%s", name, value);
    if (from_file) {
        return load_text(text);
    }
    test_file(path, "empty.conf", "", 0);
    char arg[1100];
    bool is_switch = strcmp(value, "yes") == 0;
    snprintf(arg, sizeof(arg), "--%s%s%s", name, is_switch ? "" : "=", is_switch ? "" : value);
    const char *const args[] = {arg, "--conf", path, "-f*,3000;no-tls", NULL};
    return load_args(args);
}

static void check_number(const struct number_row *row, const char *value, bool good,
                         uint64_t expected)
{
    for (int from_file = 0; from_file <= 1; from_file++) {
        struct loaded l = load_option(from_file, row->name, value);
        if (l.rc != (good ? CFG_OK : CFG_ERROR)) {
            fail_msg("%s=%s: %d: %s", row->name, value, l.rc, l.err);
        }
        if (good) {
            uint64_t n;
            memcpy(&n, (char *)l.cfg + row->at, sizeof(n));
            assert_int_equal(n, expected);
            assert_string_equal(l.err, "");
        } else {
            assert_said(&l, row->name);
            assert_said(&l, "; expected ");
        }
        loaded_free(&l);
    }
}

static void check_numbers(const struct number_row *rows, size_t n, bool unit_k)
{
    for (size_t i = 0; i < n; i++) {
        char value[64];
        const struct number_row *row = &rows[i];
        uint64_t ends[] = {row->min, row->max};
        for (size_t j = 0; j < 2; j++) {
            snprintf(value, sizeof(value), "%llu", (unsigned long long)ends[j]);
            check_number(row, value, true, ends[j]);
        }
        snprintf(value, sizeof(value), "%llu", (unsigned long long)row->max + 1);
        check_number(row, value, false, 0);
        if (row->min > 0) {
            snprintf(value, sizeof(value), "%llu", (unsigned long long)row->min - 1);
            check_number(row, value, false, 0);
        }
        check_number(row, "2K", unit_k, 2048);
        static const char *const bad[] = {"", "x", "-1", "1.5", " 1", "1 ", "0x10"};
        for (size_t j = 0; j < COUNT(bad); j++) {
            check_number(row, bad[j], false, 0);
        }
    }
}

static void numbers_keep_to_their_range(void **state)
{
    (void)state;
    check_numbers(numbers, COUNT(numbers), false);
}

static void sizes_keep_to_their_range(void **state)
{
    (void)state;
    check_numbers(sizes, COUNT(sizes), true);
}

static void durations_become_milliseconds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(durations); i++) {
        check_number(&durations[i], "0", true, 0);
        check_number(&durations[i], "7", true, 7000);
        check_number(&durations[i], "7ms", true, 7);
        check_number(&durations[i], "2h", true, 7200000);
        check_number(&durations[i], "9223372036854775807ms", true, INT64_MAX);
        check_number(&durations[i], "9223372036854775808ms", false, 0);
        check_number(&durations[i], "9223372036854775807m", false, 0);
        check_number(&durations[i], "1d", false, 0);
        check_number(&durations[i], "", false, 0);
    }
}

static void switches_are_off_until_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(switches); i++) {
        static const struct {
            bool from_file;
            const char *value;
            bool on;
        } cases[] = {{false, "yes", true},
                     {true, "yes", true},
                     {true, "Yes", true},
                     {true, "no", false},
                     {true, "on", false}};
        for (size_t j = 0; j < COUNT(cases); j++) {
            struct loaded l = load_option(cases[j].from_file, switches[i].name, cases[j].value);
            assert_int_equal(l.rc, CFG_OK);
            assert_int_equal(*((bool *)l.cfg + switches[i].at), cases[j].on);
            loaded_free(&l);
        }
        struct loaded l = load_option(false, switches[i].name, "no"); /* --switch=no */
        assert_int_equal(l.rc, CFG_ERROR);
        assert_said(&l, "a value where none is taken; expected the option alone");
        loaded_free(&l);
    }
}

static void strings_are_taken_as_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        for (int from_file = 0; from_file <= 1; from_file++) {
            struct loaded l = load_option(from_file, strings[i].name, strings[i].good);
            assert_int_equal(l.rc, CFG_OK);
            assert_string_equal(*(char **)(void *)((char *)l.cfg + strings[i].at), strings[i].good);
            loaded_free(&l);
            l = load_option(from_file, strings[i].name, strings[i].bad);
            assert_int_equal(l.rc, CFG_ERROR);
            loaded_free(&l);
            l = load_option(from_file, strings[i].name, "");
            assert_int_equal(l.rc, strings[i].empty_allowed ? CFG_OK : CFG_ERROR);
            loaded_free(&l);
        }
    }
}

static void an_empty_path_takes_the_files_one_back(void **state)
{
    (void)state;
    struct loaded l = load_text("accesslog-file=/x\naccesslog-file=\n");
    assert_int_equal(l.rc, CFG_OK);
    assert_null(l.cfg->accesslog_file);
    loaded_free(&l);
}

static void a_blank_that_nobody_sees_is_warned_of(void **state)
{
    (void)state;
    struct loaded l = load_text("accesslog-file=/x \n");
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.cfg->accesslog_file, "/x ");
    assert_said(&l, ":1:18: warning: the blank is part of the value");
    loaded_free(&l);
}

static void choices(void **state)
{
    (void)state;
    struct loaded l = load_text("log-level=info\nbackend-address-family=ipv6\n"
                                "tls-min-proto-version=tlsv1.3\ntls-max-proto-version=TLSv1.3\n");
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->log_level, CFG_LOG_INFO);
    assert_int_equal(l.cfg->backend_address_family, CFG_FAMILY_IPV6);
    assert_int_equal(l.cfg->tls_min_proto_version, CFG_TLS_1_3);
    assert_int_equal(l.cfg->tls_max_proto_version, CFG_TLS_1_3);
    loaded_free(&l);
    static const char *const levels[] = {"INFO", "NOTICE", "WARN", "ERROR", "FATAL"};
    for (size_t i = 0; i < COUNT(levels); i++) {
        l = load_option(false, "log-level", levels[i]);
        assert_int_equal(l.rc, CFG_OK);
        assert_int_equal(l.cfg->log_level, CFG_LOG_INFO + i);
        loaded_free(&l);
    }
    l = load_option(true, "syslog-facility", "LOCAL3");
    assert_int_equal(l.cfg->syslog_facility, CFG_FACILITY_LOCAL3);
    loaded_free(&l);
    l = load_option(true, "syslog-facility", "uucp");
    assert_int_equal(l.cfg->syslog_facility, CFG_FACILITY_UUCP);
    loaded_free(&l);
    static const char *const bad[][2] = {{"log-level", "DEBUG"},
                                         {"syslog-facility", "local8"},
                                         {"log-level", ""},
                                         {"backend-address-family", "IPv5"},
                                         {"tls-min-proto-version", "TLSv1.1"},
                                         {"tls-max-proto-version", "1.3"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        l = load_option(true, bad[i][0], bad[i][1]);
        assert_int_equal(l.rc, CFG_ERROR);
        assert_said(&l, "is none of the names; expected one of ");
        loaded_free(&l);
    }
}

static void defaults_are_those_of_the_manual(void **state)
{
    (void)state;
    struct loaded l = load_text("");
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.err, "");
    const struct number_row *rows[] = {numbers, sizes, durations};
    const size_t n[] = {COUNT(numbers), COUNT(sizes), COUNT(durations)};
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < n[t]; i++) {
            uint64_t value;
            memcpy(&value, (char *)l.cfg + rows[t][i].at, sizeof(value));
            if (value != rows[t][i].fallback) {
                fail_msg("%s is %llu", rows[t][i].name, (unsigned long long)value);
            }
        }
    }
    for (size_t i = 0; i < COUNT(switches); i++) {
        assert_false(*((bool *)l.cfg + switches[i].at));
    }
    for (size_t i = 0; i < COUNT(strings); i++) {
        const char *value = *(char **)(void *)((char *)l.cfg + strings[i].at);
        assert_string_equal(value != NULL ? value : "(none)",
                            strings[i].fallback != NULL ? strings[i].fallback : "(none)");
    }
    assert_int_equal(l.cfg->log_level, CFG_LOG_NOTICE);
    assert_int_equal(l.cfg->backend_address_family, CFG_FAMILY_AUTO);
    assert_int_equal(l.cfg->tls_min_proto_version, CFG_TLS_1_2);
    assert_int_equal(l.cfg->tls_max_proto_version, CFG_TLS_1_3);
    assert_int_equal(l.cfg->nbackend, 1);
    assert_string_equal(l.cfg->backend[0].addr.host, "127.0.0.1");
    assert_int_equal(l.cfg->backend[0].addr.port, 80);
    assert_string_equal(l.cfg->backend[0].patterns[0], "/");
    assert_int_equal(l.cfg->nadd_request_header + l.cfg->nadd_response_header + l.cfg->nerror_page,
                     0);
    assert_null(l.cfg->private_key_file);
    loaded_free(&l);
}

static void every_option_is_in_a_table_of_this_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < cfg_noptions; i++) {
        const char *name = cfg_options[i].name;
        size_t found = !cfg_option_documented(&cfg_options[i]);
        const struct number_row *rows[] = {numbers, sizes, durations};
        const size_t n[] = {COUNT(numbers), COUNT(sizes), COUNT(durations)};
        for (size_t t = 0; t < 3; t++) {
            for (size_t j = 0; j < n[t]; j++) {
                found += strcmp(rows[t][j].name, name) == 0;
            }
        }
        for (size_t j = 0; j < COUNT(switches); j++) {
            found += strcmp(switches[j].name, name) == 0;
        }
        for (size_t j = 0; j < COUNT(strings); j++) {
            found += strcmp(strings[j].name, name) == 0;
        }
        for (size_t j = 0; j < COUNT(elsewhere); j++) {
            found += strcmp(elsewhere[j], name) == 0;
        }
        if (found != 1) {
            fail_msg("%s is in %zu tables", name, found);
        }
    }
}

static void deprecated_names_still_work(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        size_t at[2];
        uint64_t expected;
    } cases[] = {
        {"http2-max-concurrent-streams", "7", {AT(frontend_http2_max_concurrent_streams)}, 7},
        {"frontend-http2-read-timeout", "7", {AT(frontend_http2_idle_timeout)}, 7000},
        {"stream-read-timeout",
         "7",
         {AT(frontend_stream_read_timeout), AT(backend_stream_read_timeout)},
         7000},
        {"stream-write-timeout",
         "7",
         {AT(frontend_stream_write_timeout), AT(backend_stream_write_timeout)},
         7000},
        {"header-field-buffer", "7K", {AT(request_header_field_buffer)}, 7168},
        {"max-header-fields", "7", {AT(max_request_header_fields)}, 7},
        {"frontend-http2-window-bits", "16", {AT(frontend_http2_window_size)}, 65535},
        {"backend-http2-window-bits", "30", {AT(backend_http2_window_size)}, 1073741823},
        {"frontend-http2-connection-window-bits",
         "20",
         {AT(frontend_http2_connection_window_size)},
         1048575},
        {"backend-http2-connection-window-bits",
         "16",
         {AT(backend_http2_connection_window_size)},
         65535},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int from_file = 0; from_file <= 1; from_file++) {
            struct loaded l = load_option(from_file, cases[i].name, cases[i].value);
            assert_int_equal(l.rc, CFG_OK);
            assert_said(&l, "is deprecated; use \"");
            for (size_t j = 0; j < 2 && (j == 0 || cases[i].at[j] != 0); j++) {
                uint64_t value;
                memcpy(&value, (char *)l.cfg + cases[i].at[j], sizeof(value));
                assert_int_equal(value, cases[i].expected);
            }
            loaded_free(&l);
            l = load_option(from_file, cases[i].name, "x");
            assert_int_equal(l.rc, CFG_ERROR);
            loaded_free(&l);
        }
    }
    static const char *const bad[][2] = {{"backend-http2-connection-window-bits", "15"},
                                         {"backend-http2-connection-window-bits", "31"},
                                         {"frontend-http2-window-bits", "31"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct loaded l = load_option(true, bad[i][0], bad[i][1]);
        assert_int_equal(l.rc, CFG_ERROR);
        loaded_free(&l);
    }
    struct loaded l =
        load_text("backend-ipv4=yes\nbackend-ipv6=no\nnpn-list=h2\necdh-curves=P-256\n");
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->backend_address_family, CFG_FAMILY_IPV4);
    assert_string_equal(l.cfg->alpn_list, "h2");
    assert_string_equal(l.cfg->groups, "P-256");
    loaded_free(&l);
}

static void both_spellings_of_the_settings_timeout(void **state)
{
    (void)state;
    static const char *const names[] = {"frontend-http2-settings-timeout",
                                        "frontend-http2-setting-timeout"};
    for (size_t i = 0; i < 2; i++) {
        for (int from_file = 0; from_file <= 1; from_file++) {
            struct loaded l = load_option(from_file, names[i], "3");
            assert_int_equal(l.rc, CFG_OK);
            assert_string_equal(l.err, "");
            assert_int_equal(l.cfg->frontend_http2_settings_timeout, 3000);
            loaded_free(&l);
        }
    }
    struct loaded l =
        load_option(false, "frontend-http2-set", "3"); /* abbreviates both: the same */
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->frontend_http2_settings_timeout, 3000);
    loaded_free(&l);
}

static void what_is_not_there_yet_is_an_error_by_name(void **state)
{
    (void)state;
    size_t later = 0, unused = 0, refused = 0;
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        const char *value = o->takes_value ? "1" : "yes";
        for (int from_file = 0; from_file <= 1; from_file++) {
            if (o->type == CFG_TYPE_LATER || o->type == CFG_TYPE_REFUSED) {
                struct loaded l = load_option(from_file, o->name, value);
                assert_int_equal(l.rc, CFG_ERROR);
                assert_said(&l, o->name);
                assert_said(&l, o->type == CFG_TYPE_LATER ? "is not supported yet"
                                                          : "does not exist any more; use ");
                loaded_free(&l);
                later += o->type == CFG_TYPE_LATER;
                refused += o->type == CFG_TYPE_REFUSED;
            } else if (o->type == CFG_TYPE_UNUSED) {
                struct loaded l = load_option(from_file, o->name, value);
                assert_int_equal(l.rc, CFG_OK);
                assert_said(&l, "has no effect");
                assert_said(&l, o->help != NULL ? o->help : "; it may be left out");
                loaded_free(&l);
                unused++;
            }
        }
    }
    assert_true(later > 0 && unused > 0);
    assert_int_equal(refused, 6);
    struct loaded l = load_text("daemon=no\nno-ocsp=no\n"); /* that is how it is anyway */
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.err, "");
    loaded_free(&l);
}

static void names_are_found_in_any_case_and_whole(void **state)
{
    (void)state;
    assert_non_null(cfg_option_find(cfg_text("workers")));
    assert_ptr_equal(cfg_option_find(cfg_text("WorkERS")), cfg_option_find(cfg_text("workers")));
    assert_null(cfg_option_find(cfg_text("worker")));
    assert_null(cfg_option_find(cfg_text("")));
    assert_string_equal(cfg_option_nearest(cfg_text("wrkers"), true), "workers");
    assert_string_equal(cfg_option_nearest(cfg_text("accesslog-fiel"), true), "accesslog-file");
    assert_string_equal(cfg_option_nearest(cfg_text("private-key-fle"), true), "private-key-file");
    assert_null(cfg_option_nearest(cfg_text("private-key-fle"), false));
    assert_null(cfg_option_nearest(cfg_text("versoin"), true));
    assert_null(cfg_option_nearest(cfg_text("something-else"), true));
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
        cmocka_unit_test(numbers_keep_to_their_range),
        cmocka_unit_test(sizes_keep_to_their_range),
        cmocka_unit_test(durations_become_milliseconds),
        cmocka_unit_test(switches_are_off_until_said),
        cmocka_unit_test(strings_are_taken_as_they_are),
        cmocka_unit_test(an_empty_path_takes_the_files_one_back),
        cmocka_unit_test(a_blank_that_nobody_sees_is_warned_of),
        cmocka_unit_test(choices),
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(every_option_is_in_a_table_of_this_file),
        cmocka_unit_test(deprecated_names_still_work),
        cmocka_unit_test(both_spellings_of_the_settings_timeout),
        cmocka_unit_test(what_is_not_there_yet_is_an_error_by_name),
        cmocka_unit_test(names_are_found_in_any_case_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
