/* Options one by one: what their types leave open, other names, and those that are none any more.
 */
#include "cfg_test.h"

#define AT(member) offsetof(struct config, member)

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
    l = load_text("accesslog-file= /x\naccesslog-format='$status'\nserver-name=\"\n");
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.cfg->accesslog_format, "'$status'");
    assert_said(&l, ":1:16: warning: the blank is part of the value");
    assert_said(&l, ":2:18: warning: the quotes are part of the value; are they meant?");
    assert_null(strstr(l.err, "main.conf:3:"));
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
        {"backend-http1-connections-per-host", "7", {AT(backend_connections_per_host)}, 7},
        {"backend-http1-connections-per-frontend", "7", {AT(backend_connections_per_frontend)}, 7},
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
        load_text("backend-ipv4=yes\nbackend-ipv6=no\nnpn-list=h2\necdh-curves=P-256\n"
                  "no-http2-cipher-black-list=yes\nclient-no-http2-cipher-black-list=yes\n");
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->backend_address_family, CFG_FAMILY_IPV4);
    assert_string_equal(l.cfg->alpn_list, "h2");
    assert_string_equal(l.cfg->groups, "P-256");
    assert_true(l.cfg->no_http2_cipher_block_list && l.cfg->client_no_http2_cipher_block_list);
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

static void what_is_no_option_any_more_is_said_by_name(void **state)
{
    (void)state;
    size_t unused = 0, refused = 0;
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        const char *value = o->takes_value ? "1" : "yes";
        for (int from_file = 0; from_file <= 1; from_file++) {
            if (o->type == CFG_TYPE_REFUSED) {
                struct loaded l = load_option(from_file, o->name, value);
                assert_int_equal(l.rc, CFG_ERROR);
                assert_said(&l, o->name);
                assert_said(&l, "does not exist any more; use ");
                loaded_free(&l);
                refused++;
            } else if (o->type == CFG_TYPE_UNUSED) {
                struct loaded l = load_option(from_file, o->name, value);
                assert_int_equal(l.rc, CFG_OK);
                assert_said(&l, o->name);
                assert_said(&l, strncmp(o->help, "use ", 4) == 0 ? "has no effect any more; use "
                                                                 : "has no effect: ");
                assert_said(&l, o->help); /* each says why */
                loaded_free(&l);
                unused++;
            }
        }
    }
    assert_int_equal(refused, 2 * 3);
    assert_int_equal(unused, 2 * 46);
    struct loaded l = load_text("daemon=no\nno-ocsp=no\nhttp2-proxy=no\n"); /* it is so anyway */
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.err, "");
    loaded_free(&l);
}

static void deprecated_ones_that_change_others(void **state)
{
    (void)state;
    struct loaded l = load_text("backend=a,80;/;sni=x\nbackend=b,80;/b\nbackend-tls-sni-field=Y\n"
                                "accept-proxy-protocol=yes\nfrontend=*,1;no-tls\n"
                                "tls-proto-list=TLSv1.1,tlsv1.2\n");
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.cfg->backend[0].sni, "Y");
    assert_string_equal(l.cfg->backend[1].sni, "Y");
    assert_true(l.cfg->frontend[0].proxyproto && l.cfg->frontend[1].proxyproto);
    assert_int_equal(l.cfg->tls_min_proto_version, CFG_TLS_1_2);
    assert_int_equal(l.cfg->tls_max_proto_version, CFG_TLS_1_2);
    assert_said(&l, "\"backend-tls-sni-field\" is deprecated; use the parameter sni of backend");
    assert_said(&l, "\"accept-proxy-protocol\" is deprecated; use the parameter proxyproto");
    assert_said(&l, ":6:16: warning: \"TLSv1.1\" is left out; there are TLSv1.2 and TLSv1.3");
    loaded_free(&l);
    static const struct {
        const char *list;
        int min, max; /* -1: an error */
    } lists[] = {{"TLSv1.2,TLSv1.3", CFG_TLS_1_2, CFG_TLS_1_3},
                 {"TLSv1.3", CFG_TLS_1_3, CFG_TLS_1_3},
                 {"TLSv1.1", -1, -1},
                 {"", -1, -1}};
    for (size_t i = 0; i < COUNT(lists); i++) {
        l = load_option(true, "tls-proto-list", lists[i].list);
        assert_int_equal(l.rc, lists[i].min < 0 ? CFG_ERROR : CFG_OK);
        if (l.rc == CFG_OK) {
            assert_int_equal(l.cfg->tls_min_proto_version, lists[i].min);
            assert_int_equal(l.cfg->tls_max_proto_version, lists[i].max);
        }
        loaded_free(&l);
    }
    l = load_text("accept-proxy-protocol=no\nbackend-tls-sni-field=\n");
    assert_int_equal(l.rc, CFG_OK);
    assert_false(l.cfg->frontend[0].proxyproto);
    assert_null(l.cfg->backend[0].sni);
    loaded_free(&l);
    l = load_option(true, "backend-tls-sni-field", "a b");
    assert_int_equal(l.rc, CFG_ERROR);
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
        cmocka_unit_test(an_empty_path_takes_the_files_one_back),
        cmocka_unit_test(a_blank_that_nobody_sees_is_warned_of),
        cmocka_unit_test(choices),
        cmocka_unit_test(deprecated_names_still_work),
        cmocka_unit_test(both_spellings_of_the_settings_timeout),
        cmocka_unit_test(what_is_no_option_any_more_is_said_by_name),
        cmocka_unit_test(deprecated_ones_that_change_others),
        cmocka_unit_test(names_are_found_in_any_case_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
