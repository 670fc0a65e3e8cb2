#include "h1parser.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

/* RFC 9110, 5.6.2, spelled out once more, so that the table is not its own witness. */
static bool is_tchar(unsigned c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && c < 128 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
}

static void token_is_tchars_only(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        assert_int_equal(h1_token_valid(text, 3), is_tchar(c));
        assert_int_equal(h1_token_valid(text + 1, 1), is_tchar(c));
    }
    assert_false(h1_token_valid("", 0));
}

static void value_is_visible_bytes_and_inner_blanks(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool inside = c == '\t' || (c >= ' ' && c != 0x7f);
        bool blank = c == '\t' || c == ' ';
        assert_int_equal(h1_field_value_valid(text, 3), inside);
        assert_int_equal(h1_field_value_valid(text, 2), inside && !blank);
        assert_int_equal(h1_field_value_valid(text + 1, 2), inside && !blank);
    }
    assert_true(h1_field_value_valid("", 0));
    assert_false(h1_field_value_valid(" ", 1));
}

static void path_is_uri_bytes_behind_a_slash(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char path[4] = {'/', 'a', (char)c, 'b'};
        char query[4] = {'/', '?', (char)c, 'b'};
        bool uri = c > ' ' && c < 0x7f && c != '#';
        assert_int_equal(h1_path_valid(path, 4), uri && c != '\\');
        assert_int_equal(h1_path_valid(query, 4), uri);
        path[0] = (char)c;
        path[2] = 'a';
        assert_int_equal(h1_path_valid(path, 4), c == '/');
    }
    assert_true(h1_path_valid("/", 1));
    assert_false(h1_path_valid("", 0));
    assert_false(h1_path_valid("*", 1));
    assert_false(h1_path_valid("a/", 2));
    assert_false(h1_path_valid("?a", 2));
    assert_true(h1_path_valid("/?\\\\a\\", 6));
    assert_false(h1_path_valid("/\\?\\", 4));
    assert_false(h1_path_valid("/?\\#", 4));
}

/* The scans take several octets at once: every octet in every lane, with and without a rest. */
static void a_bad_octet_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 67; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                char text[68];
                memset(text, 'a', sizeof text);
                text[0] = '/';
                text[at] = (char)c;
                bool blank = c == '\t' || c == ' ';
                bool end = at == 0 || at == len - 1;
                bool value = blank ? !end : c > ' ' && c != 0x7f;
                bool path = c > ' ' && c < 0x7f && c != '#' && c != '\\';
                assert_int_equal(h1_field_value_valid(text, len), value);
                assert_int_equal(h1_path_valid(text, len), at == 0 ? c == '/' : path);
                assert_int_equal(h1_token_valid(text + 1, len - 1),
                                 len > 1 && (at == 0 || is_tchar(c)));
            }
        }
    }
}

static void methods_are_found_by_exact_name(void **state)
{
    static const struct {
        const char *text;
        enum h1_method method;
    } cases[] = {
        {"GET", H1_METHOD_GET},         {"HEAD", H1_METHOD_HEAD},
        {"POST", H1_METHOD_POST},       {"PUT", H1_METHOD_PUT},
        {"DELETE", H1_METHOD_DELETE},   {"CONNECT", H1_METHOD_CONNECT},
        {"OPTIONS", H1_METHOD_OPTIONS}, {"TRACE", H1_METHOD_TRACE},
        {"PATCH", H1_METHOD_PATCH},     {"get", H1_METHOD_OTHER},
        {"GE", H1_METHOD_OTHER},        {"GETT", H1_METHOD_OTHER},
        {"", H1_METHOD_OTHER},          {"PURGE", H1_METHOD_OTHER},
        {"OPTIONSS", H1_METHOD_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(h1_method_lookup(cases[i].text, strlen(cases[i].text)), cases[i].method);
    }
}

static void list_gives_elements_without_blanks(void **state)
{
    static const struct {
        const char *list;
        const char *elements; /* joined with '|' */
    } cases[] = {
        {"", ""},
        {" \t", ""},
        {",", ""},
        {" , ,\t,", ""},
        {"a", "a"},
        {" a ", "a"},
        {"a,b", "a|b"},
        {"a , b\t,\tc", "a|b|c"},
        {",,a,,b,,", "a|b"},
        {"a b, c", "a b|c"},
        {"a;q=\"x\"", "a;q=\"x\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char joined[64];
        size_t len = 0;
        const char *pos = cases[i].list;
        const char *end = pos + strlen(pos);
        const char *elem;
        size_t elem_len;
        while (h1_list_next(&pos, end, &elem, &elem_len)) {
            assert_true(elem_len > 0);
            if (len > 0) {
                joined[len++] = '|';
            }
            memcpy(joined + len, elem, elem_len);
            len += elem_len;
        }
        joined[len] = '\0';
        assert_string_equal(joined, cases[i].elements);
        assert_ptr_equal(pos, end);
        assert_false(h1_list_next(&pos, end, &elem, &elem_len));
    }
}

static void every_error_has_a_sentence_and_a_status(void **state)
{
    static const struct {
        enum h1_error error;
        int status;
    } cases[] = {
        {H1_ERR_START_LINE, 400},      {H1_ERR_VERSION, 505},
        {H1_ERR_TARGET_TOO_LONG, 414}, {H1_ERR_HEAD_TOO_LARGE, 431},
        {H1_ERR_TOO_MANY_FIELDS, 431}, {H1_ERR_CODING_UNKNOWN, 501},
        {H1_ERR_EXPECT, 417},          {H1_ERR_HOST, 400},
        {H1_ERR_UPGRADE_BODY, 400},    {H1_ERR_TRANSFER_ENCODING, 400},
    };
    (void)state;
    for (int e = H1_ERR_START_LINE; e <= H1_ERR_CHUNK_END; e++) {
        assert_true(strlen(h1_error_text((enum h1_error)e)) > 5);
        assert_in_range(h1_error_status((enum h1_error)e), 400, 505);
        for (int other = H1_ERR_START_LINE; other < e; other++) {
            assert_string_not_equal(h1_error_text((enum h1_error)e),
                                    h1_error_text((enum h1_error)other));
        }
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(h1_error_status(cases[i].error), cases[i].status);
    }
    assert_int_equal(h1_error_status((enum h1_error)999), 400);
    assert_string_equal(h1_error_text((enum h1_error)999), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_is_tchars_only),
        cmocka_unit_test(value_is_visible_bytes_and_inner_blanks),
        cmocka_unit_test(path_is_uri_bytes_behind_a_slash),
        cmocka_unit_test(a_bad_octet_is_found_wherever_it_is),
        cmocka_unit_test(methods_are_found_by_exact_name),
        cmocka_unit_test(list_gives_elements_without_blanks),
        cmocka_unit_test(every_error_has_a_sentence_and_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
