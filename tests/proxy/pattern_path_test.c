/*
 * A pattern's path and a request's path are brought into one form by two libraries that do not know
 * each other. What they make of the same text has to be the same, or a request would pass by the
 * pattern that was written for it.
 */
#include "config_internal.h"
#include "h1parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Both forms of a path; %3A of a pattern is its way to write a colon, so there is none in what is
 * compared. */
static void compare(const char *path)
{
    struct cfg_report r = {.err = stderr,
                           .at = {.file = "pattern", .line = 1, .text = cfg_text(path)}};
    char *pattern = cfg_parse_pattern(&r, cfg_text(path));
    assert_non_null(pattern);
    char normal[64];
    size_t path_len;
    assert_true(strlen(path) + 1 < sizeof(normal));
    size_t len = h1_path_normalise(path, strlen(path), normal, &path_len);
    assert_int_equal(len, path_len);
    normal[len] = '\0';
    if (strcmp(pattern, normal) != 0) {
        fail_msg("%s: the pattern becomes %s, the request %s", path, pattern, normal);
    }
    free(pattern);
}

static void every_short_path_of_dots_and_slashes(void **state)
{
    (void)state;
    static const char *const parts[] = {"/", ".", "%2e", "%2F", "a"};
    for (size_t n = 0; n < 5 * 5 * 5 * 5 * 5 * 5 * 5; n++) {
        char path[40] = "/";
        size_t rest = n;
        for (size_t i = 0; i < 7; i++, rest /= 5) {
            strcat(path, parts[rest % 5]);
        }
        compare(path);
    }
}

static void every_octet_percent_encoded(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char path[16];
        for (int upper = 0; upper <= 1; upper++) {
            snprintf(path, sizeof(path), upper ? "/x%%%02X/y" : "/x%%%02x/y", c);
            if (c != ':') {
                compare(path);
            }
        }
    }
    for (char c = 0x21; c < 0x7f; c++) {
        char path[] = {'/', 'x', c, 'y', '\0'};
        if (c != '?' && c != '#' && c != '%') {
            compare(path);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_path_of_dots_and_slashes),
        cmocka_unit_test(every_octet_percent_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
