/* --help, --version, and the generated documents (their paths are the arguments: options.md,
 * nghttpx.1, nghttpx.conf). */
#include "cfg_test.h"

static const char *markdown_path, *man_path, *example_path;

static char *read_text(const char *path)
{
    size_t len;
    int error;
    char *text = cfg_read_file(path, (size_t)1 << 20, &len, &error);
    if (text == NULL) {
        fail_msg("%s: %s", path, strerror(error));
    }
    return text;
}

static void help_has_every_option_in_79_columns(void **state)
{
    (void)state;
    const char *const args[] = {"--help", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_EXIT);
    assert_string_equal(l.err, "");
    for (size_t i = 0; i < cfg_noptions; i++) {
        char spelling[80];
        const struct cfg_option *o = &cfg_options[i];
        snprintf(spelling, sizeof(spelling), "%s%s%s", o->only_in_file ? "  " : "--", o->name,
                 o->takes_value ? "=" : "\n");
        bool documented =
            o->help != NULL && o->type != CFG_TYPE_REFUSED && o->type != CFG_TYPE_UNUSED;
        assert_int_equal(strstr(l.out, spelling) != NULL, documented);
    }
    struct cfg_text rest = cfg_text(l.out);
    while (rest.s != NULL) {
        struct cfg_text line = cfg_cut(&rest, '\n');
        bool is_text = line.len > 14 && memcmp(line.s, "              ", 14) == 0;
        assert_true(!is_text || line.len <= 79 || memchr(line.s + 14, ' ', line.len - 14) == NULL);
    }
    assert_non_null(strstr(l.out, "\nTimeout:\n"));
    assert_non_null(strstr(l.out, "Default: 3m\n"));
    loaded_free(&l);
}

static void version_begins_as_scripts_expect_it(void **state)
{
    (void)state;
    static const char *const forms[] = {"--version", "-v", "--vers"};
    for (size_t i = 0; i < COUNT(forms); i++) {
        const char *const args[] = {forms[i], NULL};
        struct loaded l = load_args(args);
        assert_int_equal(l.rc, CFG_EXIT);
        assert_int_equal(strncmp(l.out, "nghttpx nghttp2/", 16), 0);
        assert_true(l.out[16] >= '0' && l.out[16] <= '9');
        assert_non_null(strchr(l.out, '\n'));
        loaded_free(&l);
    }
}

static void help_wins_over_what_comes_behind_it(void **state)
{
    (void)state;
    const char *const behind[] = {"-h", "--xyzzy", NULL};
    struct loaded l = load_args(behind);
    assert_int_equal(l.rc, CFG_EXIT);
    loaded_free(&l);
    const char *const before[] = {"--xyzzy", "-h", NULL};
    l = load_args(before);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_string_equal(l.out, "");
    loaded_free(&l);
}

static void the_documents_have_every_option(void **state)
{
    (void)state;
    char *markdown = read_text(markdown_path), *man = read_text(man_path);
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        assert_non_null(strstr(markdown, o->name));
        if (!cfg_option_documented(o)) {
            continue;
        }
        char roff[120];
        size_t n = 0;
        for (const char *p = o->name; *p != '\0'; p++) {
            if (*p == '-') {
                roff[n++] = '\\';
            }
            roff[n++] = *p;
        }
        roff[n] = '\0';
        assert_non_null(strstr(man, roff));
    }
    free(markdown);
    free(man);
}

/* Each line `#name=value` of the example is good, and gives what is there without it. */
static void the_example_file_can_be_used(void **state)
{
    (void)state;
    char page[128], text[1200];
    test_file(page, "file", "", 0);
    char *example = read_text(example_path);
    struct loaded l = load_text(example);
    assert_int_equal(l.rc, CFG_OK);
    loaded_free(&l);
    struct cfg_text rest = cfg_text(example);
    size_t options = 0;
    while (rest.s != NULL) {
        struct cfg_text line = cfg_cut(&rest, '\n');
        if (line.len < 2 || line.s[0] != '#' || line.s[1] == ' ' || line.s[1] == '#') {
            continue;
        }
        static const char placeholder[] = "/path/to/file";
        int len = (int)line.len - 1;
        bool has_path =
            line.len > sizeof(placeholder) && memcmp(line.s + line.len - (sizeof(placeholder) - 1),
                                                     placeholder, sizeof(placeholder) - 1) == 0;
        if (has_path) {
            len -= (int)sizeof(placeholder) - 1;
        }
        bool frontend = strncmp(line.s, "#frontend=", 10) == 0;
        snprintf(text, sizeof(text), "%.*s%s", len, line.s + 1, has_path ? page : "");
        if (frontend) { /* TLS is its default */
            const char *const args[] = {"--conf=/dev/null", "-f", text + 9, "key", "cert", NULL};
            l = load_args(args);
        } else {
            l = load_text(text);
        }
        if (l.rc != CFG_OK || l.err[0] != '\0') {
            fail_msg("%s: %s", text, l.err);
        }
        loaded_free(&l);
        options++;
    }
    size_t expected = 0;
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        expected += cfg_option_documented(o) && !o->only_in_args;
    }
    assert_int_equal(options, expected);
    free(example);
    test_folder_remove();
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s OPTIONS_MD NGHTTPX_1 NGHTTPX_CONF\n", argv[0]);
        return 1;
    }
    markdown_path = argv[1];
    man_path = argv[2];
    example_path = argv[3];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_has_every_option_in_79_columns),
        cmocka_unit_test(version_begins_as_scripts_expect_it),
        cmocka_unit_test(help_wins_over_what_comes_behind_it),
        cmocka_unit_test(the_documents_have_every_option),
        cmocka_unit_test(the_example_file_can_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
