/* The snapshot as a whole: what overrides what, and that nothing is left over, whichever allocation
 * fails. */
#include "cfg_test.h"
#include "failing_memory.h"

static void the_command_line_overrides_the_file(void **state)
{
    (void)state;
    char path[128];
    static const char text[] =
        "workers=2\nbacklog=3\nserver-name=a\nbackend=h1,80;/a\nadd-response-header=x: 1\n"
        "private-key-file=fk\ncertificate-file=fc\nfrontend=*,1;no-tls\nlog-level=WARN\n";
    test_file(path, "main.conf", text, sizeof(text) - 1);
    const char *const args[] = {"--workers=4", "-b",
                                "h2,80",       "--conf",
                                path,          "--server-name",
                                "b",           "--add-response-header=y: 2",
                                "key",         "cert",
                                "-f*,2",       NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    const struct config *c = l.cfg;
    assert_string_equal(c->conf, path);
    assert_int_equal(c->workers, 4);
    assert_int_equal(c->backlog, 3);
    assert_int_equal(c->log_level, CFG_LOG_WARN);
    assert_string_equal(c->server_name, "b");
    assert_string_equal(c->private_key_file, "key");
    assert_string_equal(c->certificate_file, "cert");
    assert_int_equal(c->nbackend, 2); /* those of the file first */
    assert_string_equal(c->backend[0].addr.host, "h1");
    assert_string_equal(c->backend[1].addr.host, "h2");
    assert_int_equal(c->nadd_response_header, 2);
    assert_string_equal(c->add_response_header[1].value, "2");
    assert_int_equal(c->nfrontend, 2);
    assert_false(c->frontend[0].tls);
    assert_true(c->frontend[1].tls);
    loaded_free(&l);
}

static void the_last_conf_is_the_one(void **state)
{
    (void)state;
    char path[128];
    test_file(path, "main.conf", "workers=9\n", 10);
    const char *const args[] = {"--conf=/nonexistent", "-f*,1;no-tls", "--conf", path, NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->workers, 9);
    loaded_free(&l);
}

static enum cfg_rc load_again(const char *conf, bool had_file, char **said, bool *has_file)
{
    char arg[160];
    size_t len;
    struct config *cfg;
    FILE *err = open_memstream(said, &len);
    snprintf(arg, sizeof(arg), "--conf=%s", conf);
    char *argv[] = {(char[]){"nghttpx"}, arg, (char[]){"-f*,1;no-tls"}, NULL};
    enum cfg_rc rc = cfg_load_again(COUNT(argv) - 1, argv, stdout, err, &cfg, had_file);
    fclose(err);
    *has_file = cfg != NULL && cfg_has_file(cfg);
    cfg_unref(cfg);
    return rc;
}

/* A start goes on without a file that is not there; what serves already does not lose one so. */
static void a_file_that_was_there_must_be_there_again(void **state)
{
    (void)state;
    char path[128], *said;
    bool has_file;
    test_file(path, "main.conf", "workers=9\n", 10);
    assert_int_equal(load_again(path, false, &said, &has_file), CFG_OK);
    assert_true(has_file);
    free(said);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(load_again(path, true, &said, &has_file), CFG_ERROR);
    assert_non_null(strstr(said, "there is no \""));
    assert_non_null(strstr(said, "any more; expected the file that the configuration came from"));
    free(said);
    assert_int_equal(load_again(path, false, &said, &has_file), CFG_OK);
    assert_false(has_file);
    free(said);
}

/* Else --print-config would print lines that are none of its own. */
static void the_arguments_are_checked_as_options_are(void **state)
{
    (void)state;
    const char *const args[] = {"--conf=/dev/null", "-f*,1;no-tls", "key\nworkers=9", "cert", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "a control character (0x0a)");
    loaded_free(&l);
}

static void the_last_format_is_the_one(void **state)
{
    (void)state;
    const char *const args[] = {"--conf=/dev/null", "--check-config", "--format=json",
                                "--format=text",    "--workers=x",    NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "\"x\" is no number");
    assert_string_equal(l.out, "");
    loaded_free(&l);
}

static void json_of_nothing_is_an_error(void **state)
{
    (void)state;
    const char *args[] = {"--conf=/dev/null", "-f*,1;no-tls", "--format=json", NULL, NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "expected check-config or print-config with it");
    loaded_free(&l);
    args[3] = "--print-config";
    l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    loaded_free(&l);
}

static void what_a_reload_cannot_change_stays(void **state)
{
    (void)state;
    struct loaded now = load_text("daemon=yes\nworkers=2\n");
    struct loaded next = load_text("single-process=yes\nworkers=3\n");
    assert_int_equal(now.rc, CFG_OK);
    assert_int_equal(next.rc, CFG_OK);
    assert_string_equal(cfg_keep_fixed(next.cfg, now.cfg), "daemon");
    assert_string_equal(cfg_keep_fixed(next.cfg, now.cfg), "single-process");
    assert_null(cfg_keep_fixed(next.cfg, now.cfg));
    assert_true(next.cfg->daemon);
    assert_false(next.cfg->single_process);
    assert_int_equal(next.cfg->workers, 3);
    loaded_free(&now);
    loaded_free(&next);
}

static void a_deprecated_name_warns_as_the_new_one(void **state)
{
    (void)state;
    struct loaded old = load_text("accept-proxy-protocol=yes\n");
    struct loaded new = load_text("frontend=*,1;no-tls;proxyproto\n");
    assert_int_equal(old.rc, CFG_OK);
    assert_true(old.cfg->frontend[0].proxyproto);
    assert_said(&old, "proxyproto believes every peer");
    assert_said(&new, "proxyproto believes every peer");
    assert_int_equal(strstr(old.err, "has no effect yet") != NULL,
                     strstr(new.err, "has no effect yet") != NULL);
    loaded_free(&old);
    loaded_free(&new);
    old = load_text("accept-proxy-protocol=no\n");
    assert_string_equal(old.err, "");
    loaded_free(&old);
}

static void arrays_keep_their_order(void **state)
{
    (void)state;
    char text[4000] = "";
    for (int i = 0; i < 100; i++) {
        snprintf(text + strlen(text), 40, "add-request-header=x: %d\n", i);
    }
    struct loaded l = load_text(text);
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->nadd_request_header, 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(atoi(l.cfg->add_request_header[i].value), i);
    }
    loaded_free(&l);
}

static void whichever_allocation_fails_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    char page[128], inner[128], keys[128], path[128], text[2400], page_arg[160];
    test_file(page, "page", "sorry", 5);
    test_file(keys, "keys", "a:00\nb:01ff\n", 12);
    test_file(inner, "inner.conf", "add-request-header=a: b\n", 24);
    snprintf(
        text, sizeof(text),
        "workers=2\nserver-name=x\nfrontend=*,1;no-tls\nfrontend=unix:/"
        "x;no-tls\nbackend=h,80;/a:/b:c/d;proto=h2;sni=s\n"
        "backend=h,80\nadd-request-header=x: 1\nadd-response-header=y: "
        "2\ncacert=/ca\nerror-page=404=%s\n"
        "accesslog-file=/a\nalpn-list=h2\ninclude=%s\npsk-secrets=%s\nclient-psk-secrets=%s\n"
        "subcert=k:c;sct-dir=/d\naltsvc=h2,1,h,o,p\nhttp2-altsvc=h2,1\ntls-ticket-key-file=/t\n"
        "tls-ticket-key-memcached=m,1;tls\nbackend-http-proxy-uri=http://u:p@h:1\nforwarded-by=_x\n"
        "backend=h,80;/b:/c:/b;group=g;affinity=cookie;affinity-cookie-name=n;"
        "affinity-cookie-path=/\nbackend-tls-sni-field=s\naccept-proxy-protocol=yes\n"
        "backend=respond=503,%s;/r\nbackend=redirect=301,/x;/x\n"
        "backend=h,80;/y;tls;ca=a;cert=b;key=c;pin=sha256:"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;health-path=/;health-host=h;"
        "health-status=200,300;balance=hash:header:x\nbackend=_a.b,80;/z;health-path=/;tls;"
        "dns=srv\nfrontend=*,2;no-tls;proxyproto-from=::1,::2,::3\n",
        page, inner, keys, keys, page);
    test_file(path, "main.conf", text, strlen(text));
    snprintf(page_arg, sizeof(page_arg), "--error-page=*=%s", page);
    char *argv[] = {(char[]){"nghttpx"}, (char[]){"--conf"},     path,
                    (char[]){"-n3"},     (char[]){"-bh2,80;/z"}, page_arg,
                    (char[]){"key"},     (char[]){"cert"},       NULL};
    size_t failures = 0;
    enum cfg_rc rc = CFG_ERROR;
    while (rc != CFG_OK) {
        struct config *cfg;
        char *said = NULL;
        size_t len;
        FILE *err = open_memstream(&said, &len);
        allocations_left = (long)failures;
        rc = cfg_load(COUNT(argv) - 1, argv, stdout, err, &cfg);
        bool reached_end = allocations_left > 0 || rc == CFG_OK;
        allocations_left = -1;
        fclose(err);
        if (rc != CFG_OK) {
            assert_false(reached_end);
            assert_int_equal(rc, CFG_ERROR);
            assert_null(cfg);
            assert_non_null(strstr(said, "out of memory"));
            failures++;
        } else {
            assert_int_equal(cfg->nerror_page, 2);
            assert_int_equal(cfg->nbackend, 8);
        }
        cfg_unref(cfg);
        free(said);
        assert_true(failures < 1000);
    }
    assert_true(failures > 130);
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
        cmocka_unit_test(the_command_line_overrides_the_file),
        cmocka_unit_test(the_last_conf_is_the_one),
        cmocka_unit_test(a_file_that_was_there_must_be_there_again),
        cmocka_unit_test(the_arguments_are_checked_as_options_are),
        cmocka_unit_test(the_last_format_is_the_one),
        cmocka_unit_test(json_of_nothing_is_an_error),
        cmocka_unit_test(what_a_reload_cannot_change_stays),
        cmocka_unit_test(a_deprecated_name_warns_as_the_new_one),
        cmocka_unit_test(arrays_keep_their_order),
        cmocka_unit_test(whichever_allocation_fails_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
