/*
 * That a head is read on from where it stopped: no byte that was taken is looked at again, however
 * small the pieces. (The time of a head that comes byte by byte is linear then.)
 */
#include "h1_scan.h"

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

/* ---------------------------------------------------------------- octets looked at */

static size_t looked_at;

static size_t counted_name(const uint8_t *p, const uint8_t *end)
{
    size_t n = h1_scan_plain.name(p, end);
    looked_at += n + 1;
    return n;
}

static size_t counted_value(const uint8_t *p, const uint8_t *end)
{
    size_t n = h1_scan_plain.value(p, end);
    looked_at += n + 1;
    return n;
}

static size_t counted_target(const uint8_t *p, const uint8_t *end)
{
    size_t n = h1_scan_plain.target(p, end);
    looked_at += n + 1;
    return n;
}

static void counted_lower(uint8_t *p, size_t n, const uint8_t *end)
{
    h1_scan_plain.lower(p, n, end);
    looked_at += n;
}

/* All that there is, though it may stop before: it is the most. */
static uint8_t *counted_lines(struct h1_head *h, uint8_t *buf, uint8_t *p, const uint8_t *end)
{
    looked_at += (size_t)(end - p);
    return h1_scan_plain.lines(h, buf, p, end);
}

static const struct h1_scan counted = {
    .instructions = "counted",
    .name = counted_name,
    .value = counted_value,
    .target = counted_target,
    .lower = counted_lower,
    .lines = counted_lines,
};

enum { BIG_HEAD = 64 * 1024 };

static size_t put(char *head, size_t len, const char *text, size_t times)
{
    for (; times > 0; times--) {
        memcpy(head + len, text, strlen(text));
        len += strlen(text);
    }
    return len;
}

/* 64 KiB: a long target with backslashes, long names and values, many short lines. */
static size_t make_big_head(char *head)
{
    size_t len = put(head, 0, "GET /?", 1);
    len = put(head, len, "a\\%20", 2000);
    len = put(head, len, " HTTP/1.1\r\nHost: a\r\n", 1);
    len = put(head, len, "long-Name-", 800);
    len = put(head, len, ": ", 1);
    len = put(head, len, "long value\t", 2000);
    len = put(head, len, "\r\n", 1);
    len = put(head, len, "X-Y: z \r\n", 1500);
    len = put(head, len, "X: ", 1);
    len = put(head, len, "x", BIG_HEAD - len - 4);
    return put(head, len, "\r\n\r\n", 1);
}

/* A head of 64 KiB in pieces of each of some sizes: a few looks at each octet, and a few more for
 * each piece. A parser that began again would look at 2^31 for the smallest. */
static void a_large_head_in_small_pieces_takes_linear_time(void **state)
{
    (void)state;
    static char head[BIG_HEAD];
    static uint8_t buf[BIG_HEAD];
    static struct h1_field fields[2000];
    static const size_t sizes[] = {1, 2, 3, 7, 64, 1000};
    assert_int_equal(make_big_head(head), BIG_HEAD);
    h1_scan_use(&counted);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct h1_head h;
        h1_head_init(&h, H1_REQUEST, fields, 2000,
                     (struct h1_options){.head_bytes = BIG_HEAD, .fields = 2000});
        memcpy(buf, head, BIG_HEAD);
        looked_at = 0;
        size_t pieces = 0;
        enum h1_rc rc = H1_MORE;
        for (size_t n = sizes[i]; rc == H1_MORE; n += sizes[i]) {
            rc = h1_head_parse(&h, buf, n < BIG_HEAD ? n : BIG_HEAD);
            pieces++;
        }
        assert_int_equal(rc, H1_DONE);
        assert_int_equal(h.nfields, 1503);
        assert_in_range(looked_at, BIG_HEAD, 4 * BIG_HEAD + 2 * pieces + sizes[i] * 1500);
    }
    h1_scan_use(NULL);
}

/* Backslashes after a '?' that comes late: none of them is a reason to go back. */
static void backslashes_take_linear_time(void **state)
{
    (void)state;
    enum { HALF = 1 << 16, LEN = 2 * HALF };
    static uint8_t buf[LEN];
    memset(buf, 'a', HALF);
    memcpy(buf, "GET /", 5);
    buf[HALF - 1] = '?';
    memset(buf + HALF, '\\', HALF);
    struct h1_head h;
    h1_head_init(&h, H1_REQUEST, NULL, 0,
                 (struct h1_options){.head_bytes = UINT32_MAX, .fields = 0});
    h1_scan_use(&counted);
    looked_at = 0;
    for (size_t n = 1; n <= LEN; n += 7) {
        assert_int_equal(h1_head_parse(&h, buf, n), H1_MORE);
        assert_true(looked_at <= 3 * n + 10);
    }
    h1_scan_use(NULL);
}

/* With each form: nothing is made of an array that is not there. */
static void no_array_is_no_room(void **state)
{
    (void)state;
    for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
        h1_scan_use(h1_scan_form(i));
        uint8_t line[100] = "X: y\r\n\r\n";
        struct h1_head h;
        h1_head_init(&h, H1_TRAILERS, NULL, 0, (struct h1_options){.head_bytes = 1000});
        assert_int_equal(h1_head_parse(&h, line, sizeof line), H1_ERROR);
        assert_int_equal(h.error, H1_ERR_TOO_MANY_FIELDS);
        h1_head_init(&h, H1_TRAILERS, NULL, 0, (struct h1_options){.head_bytes = 1000});
        assert_int_equal(h1_head_parse(&h, line + 6, sizeof line - 6), H1_DONE);
    }
    h1_scan_use(NULL);
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
        cmocka_unit_test(a_large_head_in_small_pieces_takes_linear_time),
        cmocka_unit_test(no_array_is_no_room),
        cmocka_unit_test(done_and_failed_stay_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
