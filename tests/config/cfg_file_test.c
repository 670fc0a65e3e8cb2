/* Configuration files, as nghttpx's manual has them, and what is wrong in them. */
#include "cfg_test.h"

static void lines_are_name_and_value(void **state)
{
    (void)state;
    struct loaded l = load_text("# a comment\n\n#\nworkers=2\nWORKERS=3\nServer-Name=a=b#c\n"
                                "add-request-header=x: 1\nadd-request-header=y: 2");
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.err, "");
    assert_int_equal(l.cfg->workers, 3); /* the last one holds */
    assert_string_equal(l.cfg->server_name, "a=b#c");
    assert_int_equal(l.cfg->nadd_request_header, 2);
    assert_string_equal(l.cfg->add_request_header[0].name, "x");
    assert_string_equal(l.cfg->add_request_header[1].value, "2"); /* without a final LF */
    loaded_free(&l);
}

static void every_fault_of_a_file_has_its_place(void **state)
{
    (void)state;
    struct loaded l = load_text("workers=0\n"
                                "nonsense\n"
                                "\n"
                                "wrokers=1\n"
                                " workers=1\n"
                                "workers =1\n"
                                "workers= 1\n"
                                "=1\n"
                                "--workers=1\n"
                                "version=yes\n"
                                "   \n"
                                "xyzzy=1\n"
                                "backend=h,80;;tls;fall=x;wieght=1\n"
                                "  # comment\n"
                                "work=1\n");
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(
        &l,
        "main.conf:1:9: \"0\" is too small; expected 1 to 65530\n    workers=0\n            ^\n");
    assert_said(&l, "main.conf:2:1: no '='; expected name=value\n");
    assert_said(&l, "main.conf:4:1: unknown option \"wrokers\"; did you mean \"workers\"?\n");
    assert_said(&l,
                "main.conf:5:1: a blank next to the name; expected workers=value without blanks");
    assert_said(&l, "main.conf:6:1: a blank next to the name");
    assert_said(&l, "main.conf:7:9: \" 1\" is no number");
    assert_said(&l, "main.conf:8:1: no name; expected name=value");
    assert_said(&l, "main.conf:9:1: \"--workers\" has dashes; expected workers=value");
    assert_said(&l, "main.conf:10:1: \"version\" is for the command line");
    assert_said(&l, "main.conf:11:1: a blank in front of nothing");
    assert_said(&l,
                "main.conf:12:1: unknown option \"xyzzy\"; expected one that nghttpx --help lists");
    assert_said(&l, "main.conf:13:24: fall: \"x\" is no number; expected decimal digits");
    assert_said(&l, "main.conf:13:26: unknown parameter \"wieght\"; did you mean \"weight\"?");
    assert_said(&l, "main.conf:14:1: a blank in front of nothing");
    assert_said(&l, "main.conf:15:1: unknown option \"work\""); /* no abbreviations in a file */
    assert_null(strstr(l.err, "more errors"));
    loaded_free(&l);
}

static void of_many_errors_some_are_counted_only(void **state)
{
    (void)state;
    char text[1000] = "";
    for (size_t i = 0; i < 30; i++) {
        strcat(text, "x\n");
    }
    struct loaded l = load_text(text);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "main.conf:20:1:");
    assert_null(strstr(l.err, "main.conf:21:1:"));
    assert_said(&l, "nghttpx: 10 more errors\n");
    loaded_free(&l);
}

static void of_many_warnings_some_are_counted_only(void **state)
{
    (void)state;
    char text[2000] = "";
    for (size_t i = 0; i < 25; i++) {
        strcat(text, "insecure=maybe\n");
    }
    struct loaded l = load_text(text);
    assert_int_equal(l.rc, CFG_OK);
    assert_said(&l, "main.conf:20:10: warning: \"maybe\" means no here");
    assert_null(strstr(l.err, "main.conf:21:10:"));
    assert_said(&l, "nghttpx: 5 more warnings\n");
    loaded_free(&l);
}

static void what_is_no_text_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *why;
    } cases[] = {
        {"workers=1\r\n", 11,
         ":1:10: a carriage return at the end; expected the line to end with LF alone"},
        {"workers=1\x01\n", 11, ":1:10: a control character (0x01)"},
        {"# \x1b\n", 4, ":1:3: a control character (0x1b)"},
        {"workers=1\0\n", 11, "has NUL bytes; expected a text file"},
        {"\xef\xbb\xbfworkers=1\n", 13, ":1:1: a byte order mark"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char path[128];
        test_file(path, "bad.conf", cases[i].text, cases[i].len);
        const char *const args[] = {"--conf", path, "-f*,3000;no-tls", NULL};
        struct loaded l = load_args(args);
        assert_int_equal(l.rc, CFG_ERROR);
        assert_said(&l, cases[i].why);
        loaded_free(&l);
    }
    struct loaded l = load_text("# \xc3\xbc and \xff are nobody's business in a comment\n\n");
    assert_int_equal(l.rc, CFG_OK);
    loaded_free(&l);
}

/* Only the file has a limit; of a fault in a long line a part is shown. */
static void a_line_may_be_long(void **state)
{
    (void)state;
    enum { LENGTH = 1 << 20 };
    char *text = malloc(LENGTH + 64);
    strcpy(text, "server-name=");
    memset(text + 12, 'a', LENGTH);
    strcpy(text + 12 + LENGTH, "\nworkers=2\n");
    struct loaded l = load_text(text);
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(strlen(l.cfg->server_name), LENGTH);
    assert_int_equal(l.cfg->workers, 2);
    loaded_free(&l);
    text[LENGTH / 2] = '\x01';
    l = load_text(text);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "main.conf:1:524289: a control character (0x01)");
    assert_true(strlen(l.err) < 600);
    loaded_free(&l);
    free(text);
}

static void a_file_that_is_named_must_be_readable(void **state)
{
    (void)state;
    static const struct {
        const char *path, *why;
    } cases[] = {
        {"/", "--conf: cannot read \"/\": Is a directory"},
        {"/dev/zero", "--conf: \"/dev/zero\" is a FIFO, a socket or a device; expected a file"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const args[] = {"--conf", cases[i].path, "-f*,3000;no-tls", NULL};
        struct loaded l = load_args(args);
        assert_int_equal(l.rc, CFG_ERROR);
        assert_said(&l, cases[i].why);
        loaded_free(&l);
    }
    const char *const args[] = {"--conf=/dev/null", "-f*,3000;no-tls", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    loaded_free(&l);
}

static void a_file_that_is_not_there_is_warned_of(void **state)
{
    (void)state;
    static const char *const names[] = {"/nonexistent.conf", "/dev/null/x", ""};
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *args[] = {"--conf", names[i], "-f*,3000;no-tls", "--check-config", NULL};
        struct loaded l = load_args(args);
        assert_int_equal(l.rc, CFG_ERROR); /* a check is there to find it */
        assert_said(&l, "--conf: there is no \"");
        loaded_free(&l);
        args[3] = NULL;
        l = load_args(args);
        assert_int_equal(l.rc, CFG_OK);
        assert_said(&l, "--conf: warning: there is no \"");
        assert_said(&l, "going on without a file");
        loaded_free(&l);
    }
    struct loaded l =
        load_text("include=/nonexistent\n"); /* that is said by somebody who means it */
    assert_int_equal(l.rc, CFG_ERROR);
    loaded_free(&l);
}

/* 1 GiB that takes no room on the disk, and none in memory either. */
static void a_huge_file_is_refused_at_once(void **state)
{
    (void)state;
    char path[128];
    test_file(path, "huge.conf", "", 0);
    assert_int_equal(truncate(path, (off_t)1 << 30), 0);
    const char *const args[] = {"--conf", path, "-f*,3000;no-tls", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "huge.conf\" is too large; expected a file of at most 16 MiB");
    loaded_free(&l);
    assert_int_equal(truncate(path, 0), 0);
}

enum { LINES = 100000 };

static char *many_lines(const char *backend)
{
    char *text = malloc(LINES * 64), *p = text;
    for (int i = 0; i < LINES; i++) {
        switch (i % 4) {
        case 0:
            p += sprintf(p, "%s=10.0.%d.%d,80;/p%d\n", backend, i / 256 % 256, i % 256, i);
            break;
        case 1:
            p += sprintf(p, "frontend=unix:/run/%d;no-tls\n", i);
            break;
        case 2:
            p += sprintf(p, "backend-read-timeout=3m\n");
            break;
        default:
            p += sprintf(p, "# %d\n", i);
        }
    }
    strcpy(p, "backend=127.0.0.1,80\n");
    return text;
}

/* A program writes such files: nothing in here may grow with the square of the lines. */
static void a_hundred_thousand_lines_are_read(void **state)
{
    (void)state;
    char *text = many_lines("backend");
    struct loaded l = load_text(text);
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.err, "");
    assert_int_equal(l.cfg->nbackend, LINES / 4 + 1);
    assert_int_equal(l.cfg->nfrontend, LINES / 4 + 1);
    loaded_free(&l);
    free(text);
    text = many_lines("bakcend"); /* a hint for each would take its time */
    l = load_text(text);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "nghttpx: 24980 more errors\n");
    loaded_free(&l);
    free(text);
}

static void includes_are_read_where_they_stand(void **state)
{
    (void)state;
    char inner[128], outer[700];
    test_file(inner, "inner.conf", "workers=5\nbacklog=7\nadd-request-header=b: 2\n", 44);
    snprintf(outer, sizeof(outer),
             "workers=4\nbacklog=6\nadd-request-header=a: 1\ninclude=%s\nbacklog=8\n"
             "add-request-header=c: 3\ninclude=%s\n",
             inner, inner);
    struct loaded l = load_text(outer);
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->workers, 5);
    assert_int_equal(l.cfg->backlog, 7);
    assert_int_equal(l.cfg->nadd_request_header, 4); /* twice is no cycle */
    assert_string_equal(l.cfg->add_request_header[2].name, "c");
    loaded_free(&l);

    const char *const args[] = {"--conf=/dev/null", "--workers=1",  "--include", inner,
                                "--backlog=1",      "-f*,1;no-tls", NULL};
    l = load_args(args); /* on the command line, too */
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->workers, 5);
    assert_int_equal(l.cfg->backlog, 1);
    loaded_free(&l);
}

static void faults_of_an_included_file_name_that_file(void **state)
{
    (void)state;
    char inner[128], outer[700];
    test_file(inner, "inner.conf", "\nworkers=x\n", 11);
    snprintf(outer, sizeof(outer), "include=%s\nbacklog=y\ninclude=/nonexistent\n", inner);
    struct loaded l = load_text(outer);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "inner.conf:2:9: \"x\" is no number");
    assert_said(&l, "main.conf:2:9: \"y\" is no number");
    assert_said(&l, "main.conf:3:9: cannot read \"/nonexistent\": No such file");
    loaded_free(&l);
}

static void a_cycle_of_includes_is_an_error(void **state)
{
    (void)state;
    char a[128], b[128], text[700];
    test_file(a, "a.conf", "", 0);
    /* By another name: it is the file that counts. */
    snprintf(text, sizeof(text), "include=%s/./a.conf\n", test_folder());
    test_file(b, "b.conf", text, strlen(text));
    snprintf(text, sizeof(text), "include=%s\n", b);
    test_file(a, "a.conf", text, strlen(text));
    const char *const args[] = {"--conf", a, "-f*,1;no-tls", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "b.conf:1:9: ");
    assert_said(&l, "includes itself; expected no cycle of files");
    loaded_free(&l);
}

static void includes_are_bounded_in_depth_and_number(void **state)
{
    (void)state;
    char path[128], name[32], text[700];
    for (int i = 0; i < 40; i++) { /* each file includes the next one twice */
        snprintf(name, sizeof(name), "deep%d.conf", i);
        snprintf(text, sizeof(text), "include=%s/deep%d.conf\ninclude=%s/deep%d.conf\n",
                 test_folder(), i + 1, test_folder(), i + 1);
        test_file(path, name, i < 39 ? text : "", i < 39 ? strlen(text) : 0);
    }
    snprintf(text, sizeof(text), "include=%s/deep0.conf\n", test_folder());
    struct loaded l = load_text(text);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "is one file too many; expected at most 32 levels and 1000 files");
    loaded_free(&l);
    snprintf(text, sizeof(text), "include=%s/deep20.conf\n", test_folder());
    l = load_text(text);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "is one file too many");
    loaded_free(&l);
    snprintf(text, sizeof(text), "include=%s/deep32.conf\n", test_folder());
    l = load_text(text);
    assert_int_equal(l.rc, CFG_OK);
    loaded_free(&l);
}

static void a_chain_of_includes_may_have_32_files(void **state)
{
    (void)state;
    char path[128], name[32], text[300];
    for (int last = 31; last < 33; last++) {
        for (int i = 1; i <= last; i++) {
            snprintf(name, sizeof(name), "chain%d.conf", i);
            snprintf(text, sizeof(text), "include=%s/chain%d.conf\n", test_folder(), i + 1);
            test_file(path, name, i < last ? text : "workers=7\n", i < last ? strlen(text) : 10);
        }
        snprintf(text, sizeof(text), "include=%s/chain1.conf\n", test_folder());
        struct loaded l = load_text(text); /* main.conf is the first one */
        assert_int_equal(l.rc, last == 31 ? CFG_OK : CFG_ERROR);
        if (last == 31) {
            assert_int_equal(l.cfg->workers, 7);
        } else {
            assert_said(&l, "chain31.conf:1:9: ");
            assert_said(&l, "is one file too many");
        }
        loaded_free(&l);
    }
}

/* A thousand files of 16 MiB would keep whoever reads them busy for minutes. */
static void files_are_bounded_together(void **state)
{
    (void)state;
    enum { SIZE = 16 << 20, TIMES = 64 / 16 };
    char *big = malloc(SIZE), path[128], text[1000] = "";
    assert_non_null(big);
    memset(big, '#', SIZE); /* one comment */
    test_file(path, "big.conf", big, SIZE);
    free(big);
    for (int i = 0; i < TIMES - 1; i++) {
        snprintf(text + strlen(text), 160, "include=%s\n", path);
    }
    struct loaded l = load_text(text);
    assert_int_equal(l.rc, CFG_OK);
    loaded_free(&l);
    snprintf(text + strlen(text), 160, "include=%s\n", path); /* 64 MiB, and main.conf itself */
    l = load_text(text);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "main.conf:4:9: ");
    assert_said(&l, "expected at most 64 MiB in all of them");
    loaded_free(&l);
    test_file(path, "big.conf", "", 0);
}

static void conf_in_a_file_is_ignored(void **state)
{
    (void)state;
    struct loaded l = load_text("conf=/nonexistent\nworkers=2\n");
    assert_int_equal(l.rc, CFG_OK);
    assert_int_equal(l.cfg->workers, 2);
    assert_said(&l, "main.conf:1:1: warning: \"conf\" is ignored in a file; use \"include\"");
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
        cmocka_unit_test(lines_are_name_and_value),
        cmocka_unit_test(every_fault_of_a_file_has_its_place),
        cmocka_unit_test(of_many_errors_some_are_counted_only),
        cmocka_unit_test(of_many_warnings_some_are_counted_only),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(a_line_may_be_long),
        cmocka_unit_test(a_file_that_is_named_must_be_readable),
        cmocka_unit_test(a_file_that_is_not_there_is_warned_of),
        cmocka_unit_test(a_huge_file_is_refused_at_once),
        cmocka_unit_test(a_hundred_thousand_lines_are_read),
        cmocka_unit_test(includes_are_read_where_they_stand),
        cmocka_unit_test(faults_of_an_included_file_name_that_file),
        cmocka_unit_test(a_cycle_of_includes_is_an_error),
        cmocka_unit_test(includes_are_bounded_in_depth_and_number),
        cmocka_unit_test(a_chain_of_includes_may_have_32_files),
        cmocka_unit_test(files_are_bounded_together),
        cmocka_unit_test(conf_in_a_file_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
