/* Patterns of --backend, as nghttpx's manual has them. */
#include "cfg_test.h"

static void patterns_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "/"},
        {"/", "/"},
        {"example.com", "example.com/"},
        {"Example.COM/", "example.com/"},
        {"a.test.", "a.test/"},
        {"*.a.test./x.", "*.a.test/x."},
        {"./", "./"},
        {"a../", "a../"},
        {"*./", "*./"},
        {"EXAMPLE.com/Foo", "example.com/Foo"},
        {"*.Example.com", "*.example.com/"},
        {"*", "*/"},
        {"*example.com/x*", "*example.com/x*"},
        {"/a*", "/a*"},
        {"/a*b", "/a*b"},
        {"/%7euser/%41", "/~user/A"},
        {"/%2f%2F%c3%bc", "/%2F%2F%C3%BC"},
        {"/a%3ab", "/a:b"},
        {"/a%253Ab", "/a%253Ab"},
        {"/a/./b", "/a/b"},
        {"/a/../b", "/b"},
        {"/a/..", "/"},
        {"/a/.", "/a/"},
        {"/.", "/"},
        {"/..", "/"},
        {"/../../a", "/a"},
        {"/a/b/../../c/", "/c/"},
        {"/a//../b", "/a/b"},
        {"//", "//"},
        {"/a/%2e%2E/b", "/b"},
        {"/a/.%2e", "/"},
        {"/...", "/..."},
        {"/a/..*", "/a/..*"},
        {"/a;x=1/b", "/a;x=1/b"},
        {"h/../..", "h/"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        said_begin(&s, cases[i].text);
        char *pattern = cfg_parse_pattern(&s.report, s.report.at.text);
        said_end(&s, 0, NULL);
        assert_string_equal(pattern, cases[i].expected);
        /* What is normal stays as it is. */
        said_begin(&s, pattern);
        char *again = cfg_parse_pattern(&s.report, s.report.at.text);
        said_end(&s, 0, NULL);
        assert_string_equal(again, pattern);
        free(pattern);
        free(again);
    }
}

static void what_could_never_match_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"/a?b", "t:1:3: a '?' in a pattern"},
        {"/a#b", "t:1:3: a '#' in a pattern"},
        {"/a b", "t:1:3: a byte that no path has (0x20); expected it percent-encoded"},
        {"/\xc3\xbc", "t:1:2: a byte that no path has (0xc3)"},
        {"/a\x7f", "(0x7f)"},
        {"/%", "t:1:2: a '%' alone"},
        {"/%4", "t:1:2: a '%' alone"},
        {"/%4x", "t:1:2: a '%' alone"},
        {"a.*.b", "t:1:3: \"a.*.b\" has a * inside"},
        {"**", "has a * inside"},
        {"[", "t:1:1: \"[\" is no host"},
        {"exa mple", "t:1:4: \"exa mple\" is no host"},
        {"proto=h2",
         "\"proto=h2\" is no host; expected a pattern here, and parameters after a second ';'"},
        {"\xc3\xbc.de/", "is no host"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        said_begin(&s, cases[i].text);
        assert_null(cfg_parse_pattern(&s.report, s.report.at.text));
        said_end(&s, 1, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_have_one_form),
        cmocka_unit_test(what_could_never_match_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
