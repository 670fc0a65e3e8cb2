/* --format=json: the configuration, and what a check has found. */
#include "cfg_test.h"

#include <jansson.h>

static json_t *configuration(const struct loaded *l)
{
    char *text = NULL;
    size_t len;
    json_error_t error;
    FILE *out = open_memstream(&text, &len);
    assert_true(cfg_print(l->cfg, CFG_FORMAT_JSON, out));
    fclose(out);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        fail_msg("%s\n%s", error.text, text);
    }
    free(text);
    return root;
}

static void assert_text(const json_t *object, const char *name, const char *expected)
{
    const json_t *value = json_object_get(object, name);
    assert_non_null(value);
    if (expected == NULL) {
        assert_true(json_is_null(value));
    } else {
        assert_string_equal(json_string_value(value), expected);
    }
}

static void every_option_has_a_value(void **state)
{
    (void)state;
    struct loaded l = load_text("");
    json_t *root = configuration(&l);
    size_t n = 0;
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        bool expected = cfg_option_has_member(o) && !o->only_in_args;
        const json_t *value = json_object_get(root, o->name);
        assert_int_equal(value != NULL, expected);
        n += expected;
        if (expected) {
            assert_int_equal(json_is_array(value), cfg_option_repeatable(o));
            assert_int_equal(json_is_boolean(value), o->type == CFG_TYPE_BOOL);
        }
    }
    assert_int_equal(json_object_size(root), n);
    json_decref(root);
    loaded_free(&l);
}

static void assert_parameters(const json_t *b)
{
    assert_text(b, "dns", "srv");
    assert_text(b, "balance", "hash:cookie:C");
    assert_text(b, "outlier", "5xx:9");
    assert_text(b, "send-proxy", "v2");
    assert_text(b, "health-path", "/h");
    assert_text(b, "health-status", "200,300-399");
    assert_text(b, "affinity-cookie-same-site", NULL);
    assert_text(b, "ca", NULL);
    assert_int_equal(json_integer_value(json_object_get(b, "health-interval")), 5000);
    assert_int_equal(json_integer_value(json_object_get(b, "fall")), 3);
    assert_int_equal(json_integer_value(json_object_get(b, "rise")), 2);
    assert_int_equal(json_integer_value(json_object_get(b, "affinity-cookie-max-age")), 60000);
    const json_t *pins = json_object_get(b, "pin");
    assert_int_equal(json_array_size(pins), 1);
    assert_string_equal(json_string_value(json_array_get(pins, 0)),
                        "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    /* a member for each parameter, by its name */
    for (const struct cfg_param *p = cfg_backend_params; p->name != NULL; p++) {
        bool none = strcmp(p->name, "no-tls") == 0 || p->hidden;
        assert_int_equal(json_object_get(b, p->name) == NULL, none);
    }
}

static void values_are_what_they_are(void **state)
{
    (void)state;
    struct loaded l = load_text(
        "workers=3\nread-rate=2K\nbackend-read-timeout=2m\ninsecure=yes\naccesslog-file=/a\xffz\xc3"
        "\xbc\xed\xa0\x80\nbackend=unix:/s;/a:/b;fall=1;rise=2;affinity=ip;read-timeout=5\n"
        "backend=h,81;;proto=h2;tls\nbackend=respond=204;/r\nbackend=redirect=301,/x;/x\n"
        "backend=h,82;/y;tls;health-path=/h;health-status=200,300-399;balance=hash:cookie:C;"
        "outlier=5xx:9;dns=srv;send-proxy=v2;affinity-cookie-max-age=1m;pin=sha256:"
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        "frontend=*,9;no-tls;proxyproto-from=10.0.0.0/8,::1\nadd-forwarded=by,for\nsubcert=k:c\n");
    json_t *root = configuration(&l);
    assert_int_equal(json_integer_value(json_object_get(root, "workers")), 3);
    assert_int_equal(json_integer_value(json_object_get(root, "read-rate")), 2048);
    assert_int_equal(json_integer_value(json_object_get(root, "backend-read-timeout")), 120000);
    assert_true(json_is_true(json_object_get(root, "insecure")));
    assert_true(json_is_false(json_object_get(root, "no-via")));
    /* what is no UTF-8 is replaced, a surrogate too */
    assert_text(root, "accesslog-file",
                "/a\xef\xbf\xbdz\xc3\xbc\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_text(root, "cacert", NULL);
    assert_text(root, "add-forwarded", "by,for");
    assert_string_equal(json_string_value(json_array_get(json_object_get(root, "subcert"), 0)),
                        "k:c");
    const json_t *backends = json_object_get(root, "backend");
    assert_int_equal(json_array_size(backends), 5);
    const json_t *one = json_array_get(backends, 0), *two = json_array_get(backends, 1);
    assert_text(one, "path", "/s");
    assert_null(json_object_get(one, "host"));
    assert_int_equal(json_array_size(json_object_get(one, "patterns")), 2);
    assert_text(one, "affinity", "ip");
    assert_text(one, "proto", "http/1.1");
    assert_int_equal(json_integer_value(json_object_get(one, "rise")), 2);
    assert_int_equal(json_integer_value(json_object_get(one, "read-timeout")), 5000);
    assert_true(json_is_null(json_object_get(one, "write-timeout")));
    assert_text(two, "host", "h");
    assert_int_equal(json_integer_value(json_object_get(two, "port")), 81);
    assert_true(json_is_true(json_object_get(two, "tls")));
    assert_parameters(json_array_get(backends, 4));
    assert_text(two, "dns", NULL);
    assert_text(two, "balance", NULL);
    assert_text(two, "health-path", NULL);
    assert_true(json_is_null(json_object_get(two, "health-interval")));
    assert_true(json_is_null(json_object_get(two, "max-queue")));
    assert_true(json_is_null(json_object_get(two, "queue-timeout")));
    const json_t *respond = json_array_get(backends, 2), *redirect = json_array_get(backends, 3);
    assert_int_equal(json_integer_value(json_object_get(respond, "respond")), 204);
    assert_text(respond, "file", NULL);
    assert_int_equal(json_object_size(respond), 4);
    assert_int_equal(json_integer_value(json_object_get(redirect, "redirect")), 301);
    assert_text(redirect, "location", "/x");
    assert_int_equal(json_object_size(redirect), 4);
    const json_t *frontend = json_array_get(json_object_get(root, "frontend"), 0);
    const json_t *from = json_object_get(frontend, "proxyproto-from");
    assert_int_equal(json_array_size(from), 2);
    assert_string_equal(json_string_value(json_array_get(from, 1)), "::1/128");
    frontend = json_array_get(json_object_get(root, "frontend"), 1);
    assert_text(frontend, "host", "*");
    assert_text(frontend, "service", "proxy");
    json_decref(root);
    loaded_free(&l);
}

static json_t *result_of(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    if (root == NULL) {
        fail_msg("%s\n%s", error.text, text);
    }
    return root;
}

static void faults_have_their_places(void **state)
{
    (void)state;
    char path[128], conf[160];
    test_file(path, "bad.conf", "workers=1\nworkers= x\nbackend=h,80;tls\n", 38);
    snprintf(conf, sizeof(conf), "--conf=%s", path);
    const char *const args[] = {conf, "--check-config", "--format=json", "--wrokers=1", "-n0",
                                NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_string_equal(l.err, "");
    json_t *root = result_of(l.out);
    assert_true(json_is_false(json_object_get(root, "good")));
    const json_t *errors = json_object_get(root, "errors");
    assert_int_equal(json_array_size(errors), 3);
    const json_t *unknown = json_array_get(errors, 0), *bad = json_array_get(errors, 1);
    assert_text(unknown, "message", "unknown option \"wrokers\"; did you mean \"--workers\"?");
    assert_text(unknown, "file", NULL);
    assert_text(unknown, "text", "--wrokers=1");
    assert_text(bad, "file", path);
    assert_text(bad, "text", "workers= x");
    assert_int_equal(json_integer_value(json_object_get(bad, "line")), 2);
    assert_int_equal(json_integer_value(json_object_get(bad, "column")), 9);
    assert_int_equal(json_integer_value(json_object_get(bad, "length")), 2);
    assert_text(json_array_get(errors, 2), "option", "workers");
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 1);
    json_decref(root);
    loaded_free(&l);
}

/* What comes later, such as a key that cannot be read, is added. */
static void a_good_one_keeps_its_warnings(void **state)
{
    (void)state;
    const char *const args[] = {"--conf=/dev/null", "-f*,1;no-tls", "--check-config",
                                "--format=JSON",    "--padding=1",  NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.err, "");
    assert_string_equal(l.out, "");
    cfg_add_fault(l.cfg, false, "cacert: cannot be read");
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_true(cfg_print_check_result(l.cfg, false, out));
    fclose(out);
    json_t *root = result_of(text);
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 2);
    const json_t *errors = json_object_get(root, "errors");
    assert_text(json_array_get(errors, 0), "message", "cacert: cannot be read");
    json_decref(root);
    free(text);
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
        cmocka_unit_test(every_option_has_a_value),
        cmocka_unit_test(values_are_what_they_are),
        cmocka_unit_test(faults_have_their_places),
        cmocka_unit_test(a_good_one_keeps_its_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
