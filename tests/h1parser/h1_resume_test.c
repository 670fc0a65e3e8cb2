/*
 * That a head is read on from where it stopped: no byte that was taken is looked at again, however
 * small the pieces. (The time of a head that comes byte by byte is linear then.)
 */
#include "h1parser.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { FIELDS = 16 };

/* Reads text byte by byte. After each call everything in [from, now - keep) is overwritten with
 * NUL, which no part of a head may have: a parser that went back there would refuse it. */
static enum h1_rc read_forgetting(enum h1_kind kind, const char *text, size_t from, size_t keep,
                                  struct h1_head *h)
{
    static struct h1_field fields[FIELDS];
    size_t len = strlen(text);
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    h1_head_init(h, kind, fields, FIELDS,
                 (struct h1_options){.head_bytes = 1 << 20, .fields = FIELDS});
    enum h1_rc rc = H1_MORE;
    for (size_t n = 1; n <= len && rc == H1_MORE; n++) {
        buf[n - 1] = (uint8_t)text[n - 1];
        rc = h1_head_parse(h, buf, n);
        if (n > from + keep) {
            memset(buf + from, 0, n - keep - from);
        }
    }
    free(buf);
    return rc;
}

static void value_is_not_looked_at_again(void **state)
{
    (void)state;
    struct h1_head h;
    /* From behind the "x" on, everything but the byte that came last. */
    assert_int_equal(
        read_forgetting(H1_TRAILERS, "xy: some value, and more of it\r\n\r\n", 0, 1, &h), H1_DONE);
    assert_int_equal(h.fields[0].value.len, 26);
}

static void blanks_inside_a_value_are_not_looked_at_again(void **state)
{
    (void)state;
    struct h1_head h;
    assert_int_equal(read_forgetting(H1_TRAILERS, "x:          a             b\r\n\r\n", 0, 1, &h),
                     H1_DONE);
    assert_int_equal(h.fields[0].value.len, 15);
}

static void name_is_not_scanned_again(void **state)
{
    (void)state;
    struct h1_head h;
    assert_int_equal(read_forgetting(H1_TRAILERS, "x-a-rather-long-name: v\r\n\r\n", 0, 1, &h),
                     H1_DONE);
    assert_int_equal(h.fields[0].name.len, 20);
}

static void reason_is_not_looked_at_again(void **state)
{
    (void)state;
    struct h1_head h;
    assert_int_equal(read_forgetting(H1_RESPONSE, "HTTP/1.1 200 a long reason\r\n\r\n", 13, 1, &h),
                     H1_DONE);
    assert_int_equal(h.reason.len, 13);
}

static void query_is_not_looked_at_again(void **state)
{
    (void)state;
    struct h1_head h;
    const char *text = "GET /?q\\a-long\\query\\with\\backslashes HTTP/1.0\r\n\r\n";
    assert_int_equal(read_forgetting(H1_REQUEST, text, 7, 11, &h), H1_DONE);
    assert_int_equal(h.target.len, 33);
}

/* A megabyte of backslashes behind a '?' that comes late: a search from the start for each of them
 * would take minutes. */
static void backslashes_take_linear_time(void **state)
{
    (void)state;
    size_t half = 1 << 20;
    size_t len = 2 * half;
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    memset(buf, 'a', half);
    memcpy(buf, "GET /", 5);
    buf[half - 1] = '?';
    memset(buf + half, '\\', half);
    struct h1_head h;
    h1_head_init(&h, H1_REQUEST, NULL, 0,
                 (struct h1_options){.head_bytes = UINT32_MAX, .fields = 0});
    for (size_t n = half; n <= len; n += 7) {
        assert_int_equal(h1_head_parse(&h, buf, n), H1_MORE);
    }
    free(buf);
}

static void done_and_failed_stay_so(void **state)
{
    (void)state;
    uint8_t good[] = "\r\n";
    uint8_t bad[] = " \r\n";
    struct h1_head h;
    h1_head_init(&h, H1_TRAILERS, NULL, 0, (struct h1_options){.head_bytes = 10, .fields = 0});
    assert_int_equal(h1_head_parse(&h, NULL, 0), H1_MORE);
    assert_int_equal(h1_head_parse(&h, good, 2), H1_DONE);
    assert_int_equal(h1_head_parse(&h, good, 2), H1_DONE);
    h1_head_init(&h, H1_TRAILERS, NULL, 0, (struct h1_options){.head_bytes = 10, .fields = 0});
    assert_int_equal(h1_head_parse(&h, bad, 3), H1_ERROR);
    assert_int_equal(h1_head_parse(&h, bad, 3), H1_ERROR);
    assert_int_equal(h.error, H1_ERR_FOLD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_is_not_looked_at_again),
        cmocka_unit_test(blanks_inside_a_value_are_not_looked_at_again),
        cmocka_unit_test(name_is_not_scanned_again),
        cmocka_unit_test(reason_is_not_looked_at_again),
        cmocka_unit_test(query_is_not_looked_at_again),
        cmocka_unit_test(backslashes_take_linear_time),
        cmocka_unit_test(done_and_failed_stay_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
