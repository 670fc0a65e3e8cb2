/* --help, --version, and the generated documents (their paths are the arguments: options.md,
 * nghttpx.1, nghttpx.conf.example, and the completions for bash and zsh). */
#include "cfg_test.h"

enum { MARKDOWN, MAN, EXAMPLE, BASH, ZSH, NPATHS };
static const char *paths[NPATHS];

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
        bool documented = cfg_option_documented(o);
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
    for (size_t i = 0; i < cfg_noptions; i++) { /* the default stands below the option */
        char spelling[80];
        const struct cfg_option *o = &cfg_options[i];
        snprintf(spelling, sizeof(spelling), "%s%s=", o->only_in_file ? "  " : "--", o->name);
        const char *at = strstr(l.out, spelling);
        if (o->fallback != NULL && strchr(o->fallback, ' ') == NULL) {
            char value[400];
            snprintf(value, sizeof(value), "Default: %s\n", o->fallback);
            const char *shown = at != NULL ? strstr(at, "Default: ") : NULL;
            bool cut = strlen(value) > 60; /* longer ones stand in a line of their own */
            assert_true(shown != NULL && (cut || strncmp(shown, value, strlen(value)) == 0));
        }
    }
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

/* As the man page writes it. */
static void in_roff(const char *text, char *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '-') {
            *out++ = '\\';
        } else if (*text == ':') {
            *out++ = ':';
            *out++ = '\\';
        }
        *out++ = *text;
    }
    *out = '\0';
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("not there: %s", part);
    }
}

/* Every parameter, under the option that it is of. */
static void assert_has_entries(const struct cfg_option *o, const char *text, const char *option,
                               const char *form, bool roff)
{
    const char *from = strstr(text, option);
    assert_non_null(from);
    for (const struct cfg_entry *e = o->entries; e != NULL && e->spelling != NULL; e++) {
        char spelling[400], shown[500];
        snprintf(spelling, sizeof(spelling), "%s", e->spelling);
        if (roff) {
            in_roff(e->spelling, spelling);
        }
        snprintf(shown, sizeof(shown), form, spelling);
        assert_has(from, shown);
    }
}

static void parameters_are_lists_of_their_own(void **state)
{
    (void)state;
    char *man = read_text(paths[MAN]), *example = read_text(paths[EXAMPLE]);
    char *markdown = read_text(paths[MARKDOWN]);
    const char *const args[] = {"--help", NULL};
    struct loaded l = load_args(args);
    static const char *const names[] = {"frontend", "backend"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct cfg_option *o = cfg_option_find(cfg_text(names[i]));
        char spelling[100];
        assert_non_null(o->entries);
        snprintf(spelling, sizeof(spelling), "--%s=", names[i]);
        assert_has_entries(o, l.out, spelling, "\n                  %s\n", false);
        snprintf(spelling, sizeof(spelling), "\\-\\-%s", names[i]);
        assert_has_entries(o, man, spelling, "\n.TP 4\n\\fB%s\\fR\n", true);
        snprintf(spelling, sizeof(spelling), "\n### Parameters of %s\n", names[i]);
        const char *table = strstr(markdown, spelling);
        assert_non_null(table);
        for (const struct cfg_entry *e = o->entries; e->spelling != NULL; e++) {
            size_t len = strcspn(e->spelling, "|"); /* that one is escaped in a table */
            snprintf(spelling, sizeof(spelling), "\n| `%.*s", (int)len, e->spelling);
            assert_has(table, spelling);
        }
        assert_has_entries(o, example, "# ", "\n#   %s\n", false);
    }
    loaded_free(&l);
    free(markdown);
    free(man);
    free(example);
}

static void the_documents_have_every_option_and_default(void **state)
{
    (void)state;
    char *markdown = read_text(paths[MARKDOWN]), *man = read_text(paths[MAN]);
    char *example = read_text(paths[EXAMPLE]);
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        char name[800], roff[1600], value[800];
        snprintf(name, sizeof(name), "`%s`", o->name);
        if (!cfg_option_documented(o)) {
            assert_has(markdown, name);
            continue;
        }
        snprintf(name, sizeof(name), "%s%s", o->only_in_file ? "`" : "--", o->name);
        assert_has(markdown, name);
        in_roff(o->name, roff);
        assert_has(man, roff);
        snprintf(name, sizeof(name), "\n#%s=", o->name);
        assert_int_equal(strstr(example, name) != NULL, !o->only_in_args);
        if (o->fallback != NULL) {
            const char *row = strstr(markdown, o->only_in_file ? name : name + 2);
            assert_non_null(row);
            snprintf(value, sizeof(value), "default %s", o->fallback);
            in_roff(value, roff);
            assert_has(man, roff);
            snprintf(value, sizeof(value), "\n#%s=%s\n", o->name, o->fallback);
            assert_int_equal(strstr(example, value) != NULL, !o->only_in_args);
            snprintf(value, sizeof(value), "` | `%s` | ", o->fallback);
            assert_has(markdown, value);
        }
    }
    free(markdown);
    free(man);
    free(example);
}

static void shells_complete_every_option(void **state)
{
    (void)state;
    char *bash = read_text(paths[BASH]), *zsh = read_text(paths[ZSH]);
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        char word[100];
        bool shown = cfg_option_documented(o) && !o->only_in_file;
        snprintf(word, sizeof(word), " --%s%s ", o->name, o->takes_value ? "=" : "");
        char *end = strstr(bash, word);
        if (end == NULL) { /* the first of the list has a quotation mark in front */
            word[0] = '"';
            end = strstr(bash, word);
        }
        assert_int_equal(end != NULL, shown);
        snprintf(word, sizeof(word), "--%s%s[", o->name, o->takes_value ? "=" : "");
        assert_int_equal(strstr(zsh, word) != NULL, shown);
        if (o->short_name != 0 && shown) {
            snprintf(word, sizeof(word), "-%c%s[", o->short_name, o->takes_value ? "+" : "");
            assert_has(zsh, word);
            snprintf(word, sizeof(word), " -%c", o->short_name);
            assert_has(bash, word);
        }
        for (const struct cfg_choice *c = o->choices; shown && c != NULL && c->name != NULL; c++) {
            assert_has(bash, c->name);
            assert_has(zsh, c->name);
        }
    }
    free(bash);
    free(zsh);
}

/* The lines `#name=value` of the example, uncommented, and with files that are there. */
static char *uncommented(const char *example, size_t *options)
{
    static const char placeholder[] = "/path/to/file";
    char page[128], psk[128], *text = NULL;
    size_t len;
    test_file(page, "file", "", 0);
    test_file(psk, "psk", "identity:00ff\n", 14);
    FILE *out = open_memstream(&text, &len);
    struct cfg_text rest = cfg_text(example);
    *options = 0;
    while (rest.s != NULL) {
        struct cfg_text line = cfg_cut(&rest, '\n');
        if (line.len < 2 || line.s[0] != '#' || line.s[1] == ' ' || line.s[1] == '#') {
            continue;
        }
        char copy[1200], *at, *from = copy;
        snprintf(copy, sizeof(copy), "%.*s", (int)line.len - 1, line.s + 1);
        while ((at = strstr(from, placeholder)) != NULL) {
            fprintf(out, "%.*s%s", (int)(at - from), from,
                    strstr(copy, "psk-secrets") != NULL ? psk : page);
            from = at + strlen(placeholder);
        }
        fprintf(out, "%s\n", from);
        ++*options;
    }
    fclose(out);
    return text;
}

/* Each line is good, alone and together, and a default says what is there without it. */
static void the_example_file_can_be_used(void **state)
{
    (void)state;
    char *example = read_text(paths[EXAMPLE]);
    struct loaded l = load_text(example);
    assert_int_equal(l.rc, CFG_OK);
    assert_string_equal(l.err, "");
    loaded_free(&l);
    size_t options, expected = 0;
    char *text = uncommented(example, &options);
    for (size_t i = 0; i < cfg_noptions; i++) {
        expected += cfg_option_documented(&cfg_options[i]) && !cfg_options[i].only_in_args;
    }
    assert_int_equal(options, expected);
    struct cfg_text rest = cfg_text(text);
    while (rest.s != NULL && rest.len > 0) {
        struct cfg_text line = cfg_cut(&rest, '\n');
        char one[1300], conf[128], conf_arg[160];
        snprintf(one, sizeof(one), "%.*s\nfrontend=*,3000;no-tls\n", (int)line.len, line.s);
        test_file(conf, "one.conf", one, strlen(one));
        snprintf(conf_arg, sizeof(conf_arg), "--conf=%s", conf);
        const char *const args[] = {conf_arg, "key", "cert", NULL};
        l = load_args(args);
        bool frontend = strncmp(one, "frontend=", 9) == 0; /* is *,3000, with TLS then */
        if (l.rc != (frontend ? CFG_ERROR : CFG_OK)) {
            fail_msg("%s: %s", one, l.err);
        }
        loaded_free(&l);
    }
    char conf[128], conf_arg[160];
    test_file(conf, "all.conf", text, strlen(text));
    snprintf(conf_arg, sizeof(conf_arg), "--conf=%s", conf);
    const char *const args[] = {conf_arg, NULL};
    l = load_args(args);
    if (l.rc != CFG_OK) {
        fail_msg("%s", l.err);
    }
    loaded_free(&l);
    free(text);
    free(example);
    test_folder_remove();
}

int main(int argc, char **argv)
{
    if (argc != NPATHS + 1) {
        fprintf(stderr, "usage: %s OPTIONS_MD NGHTTPX_1 NGHTTPX_CONF_EXAMPLE BASH ZSH\n", argv[0]);
        return 1;
    }
    for (size_t i = 0; i < NPATHS; i++) {
        paths[i] = argv[i + 1];
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_has_every_option_in_79_columns),
        cmocka_unit_test(version_begins_as_scripts_expect_it),
        cmocka_unit_test(help_wins_over_what_comes_behind_it),
        cmocka_unit_test(the_documents_have_every_option_and_default),
        cmocka_unit_test(parameters_are_lists_of_their_own),
        cmocka_unit_test(shells_complete_every_option),
        cmocka_unit_test(the_example_file_can_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
