/* Where values were written. What is made of it is in cfg_check_test.c. */
#include "cfg_test.h"

static bool set(struct cfg_loader *l, struct cfg_source at, const char *name, size_t from)
{
    l->report.at = at;
    return cfg_option_set(l, cfg_option_find(cfg_text(name)),
                          cfg_slice(at.text.s + from, at.text.len - from));
}

static void the_last_value_of_an_option_counts_and_each_of_a_list(void **state)
{
    (void)state;
    struct cfg_loader l = {.report = {.err = stderr}, .cfg = cfg_new()};
    static const struct cfg_source lines[] = {
        {.file = "a", .line = 1, .text = {"workers=2", 9}},
        {.file = "a", .line = 7, .text = {"workers=3", 9}},
        {.file = "b", .line = 2, .text = {"backend=h,80", 12}},
        {.option = "backend", .text = {"g,80;/a", 7}},
        {.option = "backend", .text = {"i,80;/b", 7}, .is_default = true},
    };
    assert_true(set(&l, lines[0], "workers", 8) && set(&l, lines[1], "workers", 8));
    assert_true(set(&l, lines[2], "backend", 8) && set(&l, lines[3], "backend", 0) &&
                set(&l, lines[4], "backend", 0));
    static const struct {
        const char *option;
        size_t i;
        const char *place, *value;
    } cases[] = {
        {"workers", 0, "a:7", "3"},
        {"backend", 0, "b:2", "h,80"},
        {"backend", 1, "command line", "g,80;/a"},
        {"backend", 2, "default", "i,80;/b"},
        {"single-thread", 0, "command line", NULL}, /* not given, and there is no file */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cfg_origin origin = cfg_origin_of(&l, cases[i].option, cases[i].i);
        assert_string_equal(cfg_place(&origin).s, cases[i].place);
        assert_true(cases[i].value == NULL ? origin.value.s == NULL
                                           : cfg_text_is(origin.value, cases[i].value));
    }
    cfg_origins_clear(&l);
    cfg_unref(l.cfg);
}

static void of_a_long_path_the_end_is_shown(void **state)
{
    (void)state;
    char path[1000];
    memset(path, 'a', sizeof(path));
    memcpy(path + sizeof(path) - 8, "/x.conf", 8);
    struct cfg_origin origin = {.at = {.file = path, .line = SIZE_MAX}};
    struct cfg_place place = cfg_place(&origin);
    assert_int_equal(strncmp(place.s, "...aaa", 6), 0);
    assert_non_null(strstr(place.s, "a/x.conf:18446744073709551615"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_value_of_an_option_counts_and_each_of_a_list),
        cmocka_unit_test(of_a_long_path_the_end_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
