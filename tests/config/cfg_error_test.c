/* How faults are shown. */
#include "cfg_test.h"

static char *shown(struct cfg_source at, struct cfg_text where)
{
    char *text;
    size_t len;
    struct cfg_report r = {.err = open_memstream(&text, &len), .at = at};
    assert_false(cfg_error(&r, where, "wrong; expected right"));
    assert_int_equal(r.errors, 1);
    fclose(r.err);
    return text;
}

static void a_fault_of_a_file_is_underlined(void **state)
{
    (void)state;
    const char *line = "name=value";
    struct cfg_source at = {.file = "dir/x.conf", .line = 7, .text = cfg_text(line)};
    char *text = shown(at, cfg_slice(line + 5, 5));
    assert_string_equal(text, "nghttpx: dir/x.conf:7:6: wrong; expected right\n"
                              "    name=value\n"
                              "         ^~~~~\n");
    free(text);
    text = shown(at, cfg_slice(line + 10, 0)); /* at the end */
    assert_string_equal(text, "nghttpx: dir/x.conf:7:11: wrong; expected right\n"
                              "    name=value\n"
                              "              ^\n");
    free(text);
    text = shown(at, cfg_slice(NULL, 0));
    assert_string_equal(text, "nghttpx: dir/x.conf:7:1: wrong; expected right\n");
    free(text);
}

static void a_fault_of_the_command_line_names_the_option(void **state)
{
    (void)state;
    const char *value = "1x";
    struct cfg_source at = {.option = "workers", .text = cfg_text(value)};
    char *text = shown(at, at.text);
    assert_string_equal(text, "nghttpx: command line: --workers: wrong; expected right\n"
                              "    1x\n"
                              "    ^~\n");
    free(text);
    text = shown((struct cfg_source){0}, cfg_slice(NULL, 0));
    assert_string_equal(text, "nghttpx: command line: wrong; expected right\n");
    free(text);
}

static void of_a_long_line_the_part_with_the_fault_is_shown(void **state)
{
    (void)state;
    char line[1001];
    memset(line, 'a', 1000);
    line[1000] = '\0';
    line[700] = 'X';
    struct cfg_source at = {.file = "f", .line = 1, .text = cfg_text(line)};
    char *text = shown(at, cfg_slice(line + 700, 300));
    char *first = strchr(text, '\n') + 1, *second = strchr(first, '\n') + 1;
    size_t first_len = (size_t)(second - first - 1), second_len = strlen(second) - 1;
    assert_true(first_len < 110 && second_len <= first_len);
    assert_int_equal(strchr(first, 'X') - first, strchr(second, '^') - second);
    free(text);
}

static void what_a_terminal_would_act_on_is_not_written(void **state)
{
    (void)state;
    const char *line = "a\x1b[31m\x9b\tb";
    struct cfg_source at = {.file = "f", .line = 1, .text = cfg_text(line)};
    char *text = shown(at, cfg_slice(line + 8, 1));
    assert_string_equal(text,
                        "nghttpx: f:1:9: wrong; expected right\n    a?[31m??b\n            ^\n");
    free(text);
    at.file = "dir\x1b/f";
    text = shown(at, cfg_slice(NULL, 0));
    assert_string_equal(text, "nghttpx: dir?/f:1:1: wrong; expected right\n");
    free(text);
    assert_string_equal(cfg_quote(cfg_text("a\x1b\n\xff")).s, "\"a???\"");
}

static void quotes_are_cut(void **state)
{
    (void)state;
    for (size_t len = 0; len < 200; len++) {
        char text[200];
        memset(text, 'a', len);
        struct cfg_quoted q = cfg_quote(cfg_slice(text, len));
        assert_true(strlen(q.s) < sizeof(q.s));
        assert_true(q.s[0] == '"' && q.s[strlen(q.s) - 1] == '"');
        assert_int_equal(strstr(q.s, "...") != NULL, len > 66);
    }
}

static void only_so_many_errors_are_shown(void **state)
{
    (void)state;
    struct said s;
    said_begin(&s, "x");
    for (size_t i = 0; i < 1000; i++) {
        cfg_error(&s.report, s.report.at.text, "fault %zu", i);
    }
    fflush(s.report.err);
    assert_non_null(strstr(s.text, "fault 19\n"));
    assert_null(strstr(s.text, "fault 20\n"));
    said_end(&s, 1000, "fault 0\n");
}

static void distances(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t most, expected;
    } cases[] = {
        {"tls", "tls", 2, 0},        {"tls", "TLS", 2, 0},    {"tsl", "tls", 2, 1},
        {"tl", "tls", 2, 1},         {"tlss", "tls", 2, 1},   {"tlx", "tls", 2, 1},
        {"kitten", "sitting", 5, 3}, {"abcdef", "", 9, 6},    {"", "", 1, 0},
        {"kitten", "sitting", 2, 3}, {"a", "abcdefgh", 3, 4}, {"abcd", "badc", 4, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cfg_text a = cfg_text(cases[i].a), b = cfg_text(cases[i].b);
        assert_int_equal(cfg_distance(a, b, cases[i].most), cases[i].expected);
        assert_int_equal(cfg_distance(b, a, cases[i].most), cases[i].expected);
    }
    char longer[100];
    memset(longer, 'a', sizeof(longer));
    assert_int_equal(cfg_distance(cfg_slice(longer, 65), cfg_slice(longer, 65), 3), 4);
    assert_int_equal(cfg_distance(cfg_slice(longer, 64), cfg_slice(longer, 64), 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_of_a_file_is_underlined),
        cmocka_unit_test(a_fault_of_the_command_line_names_the_option),
        cmocka_unit_test(of_a_long_line_the_part_with_the_fault_is_shown),
        cmocka_unit_test(what_a_terminal_would_act_on_is_not_written),
        cmocka_unit_test(quotes_are_cut),
        cmocka_unit_test(only_so_many_errors_are_shown),
        cmocka_unit_test(distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
