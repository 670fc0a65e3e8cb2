/* The command line, as getopt_long has it. */
#include "cfg_test.h"

#define BASE "--conf=/dev/null", "-f*,3000;no-tls"

static void options_in_any_form_and_order(void **state)
{
    (void)state;
    static const char *const lines[][8] = {
        {"-n", "3", "-k"},
        {"-n3", "-k"},
        {"-kn3"},
        {"--workers", "3", "--insecure"},
        {"--workers=3", "--insec"},
        {"-n1", "--insecure", "--workers=3"},
        {"--workers=3", "-k", "--"},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        const char *args[12] = {BASE};
        memcpy(args + 2, lines[i], sizeof(lines[i]));
        struct loaded l = load_args(args);
        assert_string_equal(l.err, "");
        assert_int_equal(l.rc, CFG_OK);
        assert_int_equal(l.cfg->workers, 3);
        assert_true(l.cfg->insecure);
        loaded_free(&l);
    }
}

static void key_and_certificate_stand_anywhere(void **state)
{
    (void)state;
    static const char *const lines[][8] = {
        {"k.pem", "c.pem"},
        {"k.pem", "-n1", "c.pem", "-k"},
        {"-n", "1", "k.pem", "c.pem"},
        {"--", "k.pem", "c.pem"},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        const char *args[12] = {"--conf=/dev/null"};
        memcpy(args + 1, lines[i], sizeof(lines[i]));
        struct loaded l = load_args(args);
        assert_string_equal(l.err, "");
        assert_int_equal(l.rc, CFG_OK);
        assert_string_equal(l.cfg->private_key_file, "k.pem");
        assert_string_equal(l.cfg->certificate_file, "c.pem");
        loaded_free(&l);
    }
    const char *const dashed[] = {"--conf=/dev/null", "--", "-k", "-n", NULL};
    struct loaded l = load_args(dashed);
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.cfg->private_key_file, "-k");
    assert_false(l.cfg->insecure);
    loaded_free(&l);
}

static void short_options(void **state)
{
    (void)state;
    const char *const args[] = {"--conf=/dev/null", "-f*,1;no-tls", "-b",
                                "h,81;/x",          "-bh,80",       "-c7",
                                "-LINFO",           "-n2",          NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->nbackend, 2);
    assert_int_equal(l.cfg->backend[0].addr.port, 81);
    assert_int_equal(l.cfg->frontend_http2_max_concurrent_streams, 7);
    assert_int_equal(l.cfg->log_level, CFG_LOG_INFO);
    assert_int_equal(l.cfg->workers, 2);
    loaded_free(&l);
}

/* What the original does not have takes no abbreviation from what it has. */
static void own_options_are_written_out(void **state)
{
    (void)state;
    const char *const abbreviated[] = {BASE, "--pr=/x", "--ch", NULL};
    struct loaded l = load_args(abbreviated);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "--private-key-passwd-file: warning: ");
    assert_said(&l, "unknown option \"ch\"");
    loaded_free(&l);
    const char *const whole[] = {BASE, "--format", "JSON", "--print-config", "--padd=3", NULL};
    l = load_args(whole);
    assert_int_equal(l.rc, CFG_OK);
    assert_true(l.cfg->print_config);
    assert_int_equal(l.cfg->format, CFG_FORMAT_JSON);
    assert_int_equal(l.cfg->padding, 3);
    loaded_free(&l);
}

static void bad_command_lines(void **state)
{
    (void)state;
    static const struct {
        const char *args[4];
        const char *why;
    } cases[] = {
        {{"--xyzzy"},
         "nghttpx: command line: unknown option \"xyzzy\"; expected one that nghttpx --help lists\n"
         "    --xyzzy\n    ^~~~~~~\n"},
        {{"--wrokers=1"},
         "unknown option \"wrokers\"; did you mean \"--workers\"?\n    --wrokers=1\n    "
         "^~~~~~~~~\n"},
        {{"--Workers=1"}, "did you mean \"--workers\"?"},
        {{"--back=1"},
         "\"back\" is ambiguous; expected more of such as \"--backend\" or \"--backlog\""},
        {{"--insecure=yes"}, "command line: --insecure: a value where none is taken"},
        {{"--insecure="}, "command line: --insecure: a value where none is taken"},
        {{"--workers"}, "command line: --workers: no value; expected --workers=N"},
        {{"-n"}, "command line: --workers: no value; expected --workers=N"},
        {{"-Z"}, "command line: unknown option -Z; expected one"},
        {{"-\x01"}, "command line: unknown option -?; expected one"},
        {{"-kZ"}, "command line: unknown option -Z"},
        {{"--check"}, "unknown option \"check\"; did you mean \"--check-config\"?"},
        {{"-n", "0"},
         "command line: --workers: \"0\" is too small; expected 1 to 65530\n    0\n    ^\n"},
        {{"-n", "-k"}, "command line: --workers: \"-k\" is no number"},
        {{"key"}, "command line: \"key\" stands alone; expected PRIVATE_KEY CERT, or neither"},
        {{"key", "cert", "more"}, "command line: \"more\" is one argument too many"},
        {{"--private-key-file=x"},
         "\"private-key-file\" is for a file; expected PRIVATE_KEY CERT as plain arguments"},
        {{"-p"}, "--client-proxy: \"client-proxy\" does not exist any more; use --http2-proxy"},
        {{"--server-name=a\nb"}, "--server-name: a control character (0x0a)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *args[8] = {BASE};
        memcpy(args + 2, cases[i].args, sizeof(cases[i].args));
        struct loaded l = load_args(args);
        assert_int_equal(l.rc, CFG_ERROR);
        assert_said(&l, cases[i].why);
        loaded_free(&l);
    }
}

static void every_fault_is_said_and_the_file_is_read_too(void **state)
{
    (void)state;
    char path[128];
    test_file(path, "main.conf", "backlog=z\n", 10);
    const char *const args[] = {"--xyzzy", "-n0", "--conf", path, "--zyxxy", "-c", "x", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "\"xyzzy\"");
    assert_said(&l, "\"zyxxy\"");
    assert_said(&l, "main.conf:1:9: \"z\" is no number");
    assert_said(&l, "--workers: \"0\"");
    assert_said(&l, "--frontend-http2-max-concurrent-streams: \"x\"");
    loaded_free(&l);
    test_folder_remove();
}

static void no_run_leaves_anything_to_the_next(void **state)
{
    (void)state;
    const char *const bad[] = {"-kZ", "--workers", NULL};
    const char *const good[] = {BASE, "-k", "--workers=2", "k", "c", NULL};
    for (int i = 0; i < 3; i++) {
        struct loaded l = load_args(bad);
        assert_int_equal(l.rc, CFG_ERROR);
        loaded_free(&l);
        l = load_args(good);
        assert_int_equal(l.rc, CFG_OK);
        assert_int_equal(l.cfg->workers, 2);
        assert_string_equal(l.cfg->certificate_file, "c");
        loaded_free(&l);
    }
}

static void without_any_argument_at_all(void **state)
{
    (void)state;
    struct cfg_args args;
    struct said s;
    said_begin(&s, "");
    char *argv[] = {NULL};
    assert_true(cfg_args_parse(&s.report, 0, argv, &args));
    assert_int_equal(args.nlist, 0);
    said_end(&s, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_in_any_form_and_order),
        cmocka_unit_test(key_and_certificate_stand_anywhere),
        cmocka_unit_test(short_options),
        cmocka_unit_test(own_options_are_written_out),
        cmocka_unit_test(bad_command_lines),
        cmocka_unit_test(every_fault_is_said_and_the_file_is_read_too),
        cmocka_unit_test(no_run_leaves_anything_to_the_next),
        cmocka_unit_test(without_any_argument_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
