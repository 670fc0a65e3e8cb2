/* Slices, growing arrays, whole files. */
#include "cfg_test.h"

#include <errno.h>

static void cut_gives_every_part_even_empty_ones(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *parts[4];
    } cases[] = {
        {"", {""}},
        {"a", {"a"}},
        {";", {"", ""}},
        {"a;b", {"a", "b"}},
        {"a;;b", {"a", "", "b"}},
        {"a;", {"a", ""}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cfg_text rest = cfg_text(cases[i].text);
        size_t n = 0;
        while (rest.s != NULL) {
            struct cfg_text part = cfg_cut(&rest, ';');
            assert_non_null(cases[i].parts[n]);
            assert_true(cfg_text_is(part, cases[i].parts[n]));
            n++;
        }
        assert_true(n == 4 || cases[i].parts[n] == NULL);
    }
}

static void comparing(void **state)
{
    (void)state;
    assert_true(cfg_text_is(cfg_text("abc"), "abc"));
    assert_false(cfg_text_is(cfg_text("abc"), "abC"));
    assert_false(cfg_text_is(cfg_text("abc"), "ab"));
    assert_false(cfg_text_is(cfg_text("ab"), "abc"));
    assert_true(cfg_text_is_nocase(cfg_text("abc"), "ABC"));
    assert_false(cfg_text_is_nocase(cfg_text("abc"), "abcd"));
}

static void arrays_grow_zeroed(void **state)
{
    (void)state;
    struct said s;
    said_begin(&s, "");
    struct cfg_header *list = NULL;
    size_t n = 0;
    for (size_t i = 0; i < 1000; i++) {
        struct cfg_header *h = cfg_append(&s.report, &list, &n, sizeof(*list));
        assert_ptr_equal(h, &list[i]);
        assert_int_equal(n, i + 1);
        assert_null(h->name);
        h->name = (char *)(uintptr_t)(i + 1);
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal((uintptr_t)list[i].name, i + 1);
    }
    free(list);
    said_end(&s, 0, NULL);
}

static void files_are_read_whole_up_to_a_limit(void **state)
{
    (void)state;
    static char content[20000];
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 20000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char path[128];
        int error = 0;
        size_t len = 99;
        memset(content, 'a' + (int)i, sizeof(content));
        test_file(path, "x", content, sizes[i]);
        char *text = cfg_read_file(path, sizes[i], &len, &error);
        assert_non_null(text);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(text, content, len);
        assert_int_equal(text[len], '\0');
        free(text);
        if (sizes[i] > 0) {
            assert_null(cfg_read_file(path, sizes[i] - 1, &len, &error));
            assert_int_equal(error, EFBIG);
        }
    }
    test_folder_remove();
}

/* Else whoever starts or reloads the program would wait for somebody to write into it. */
static void what_is_no_file_is_not_waited_for(void **state)
{
    (void)state;
    static const char *const devices[] = {"/dev/zero", "/dev/full"};
    char path[128];
    int error = 0;
    size_t len = 99;
    snprintf(path, sizeof(path), "%s/fifo", test_folder());
    (void)mkdir(test_folder(), 0700);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(cfg_read_file(path, 100, &len, &error));
    assert_int_equal(error, ESPIPE);
    for (size_t i = 0; i < COUNT(devices); i++) {
        assert_null(cfg_read_file(devices[i], 100, &len, &error));
        assert_int_equal(error, ESPIPE);
    }
    assert_null(cfg_read_file(test_folder(), 100, &len, &error));
    assert_int_equal(error, EISDIR);
    char *text = cfg_read_file("/dev/null", 100, &len, &error);
    assert_non_null(text);
    assert_int_equal(len, 0);
    free(text);
    test_folder_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_gives_every_part_even_empty_ones),
        cmocka_unit_test(comparing),
        cmocka_unit_test(arrays_grow_zeroed),
        cmocka_unit_test(files_are_read_whole_up_to_a_limit),
        cmocka_unit_test(what_is_no_file_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
