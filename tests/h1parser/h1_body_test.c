#include "h1parser.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* Chunked syntax is in cases/chunked.txt. Here: the other kinds, and what a case cannot say. */

static struct h1_body body_of(enum h1_body_kind kind, uint64_t length)
{
    struct h1_body b;
    h1_body_init(&b, (struct h1_framing){.kind = kind, .length = length});
    return b;
}

struct step {
    enum h1_rc rc;
    size_t used;
    const uint8_t *data;
    size_t data_len;
};

static struct step next(struct h1_body *b, const char *text, size_t len)
{
    struct step s;
    s.rc = h1_body_next(b, (const uint8_t *)text, len, &s.used, &s.data, &s.data_len);
    return s;
}

static void no_body_is_done_at_once(void **state)
{
    (void)state;
    struct h1_body b = body_of(H1_BODY_NONE, 0);
    assert_true(h1_body_may_end(&b));
    struct step s = next(&b, "GET / HTTP/1.1", 14);
    assert_int_equal(s.rc, H1_DONE);
    assert_int_equal(s.used, 0);
    assert_int_equal(next(&b, NULL, 0).rc, H1_DONE);
}

static void length_0_is_done_at_once(void **state)
{
    (void)state;
    struct h1_body b = body_of(H1_BODY_LENGTH, 0);
    assert_true(h1_body_may_end(&b));
    assert_int_equal(next(&b, "x", 1).rc, H1_DONE);
}

static void length_takes_that_many_and_no_more(void **state)
{
    (void)state;
    const char *text = "hello world";
    struct h1_body b = body_of(H1_BODY_LENGTH, 5);
    assert_int_equal(next(&b, NULL, 0).rc, H1_MORE);
    struct step s = next(&b, text, 2);
    assert_int_equal(s.rc, H1_DATA);
    assert_int_equal(s.used, 2);
    assert_ptr_equal(s.data, text);
    assert_int_equal(s.data_len, 2);
    assert_false(h1_body_may_end(&b));
    s = next(&b, text + 2, 9);
    assert_int_equal(s.rc, H1_DATA);
    assert_int_equal(s.used, 3);
    assert_ptr_equal(s.data, text + 2);
    assert_true(h1_body_may_end(&b));
    s = next(&b, text + 5, 6);
    assert_int_equal(s.rc, H1_DONE);
    assert_int_equal(s.used, 0);
    assert_int_equal(next(&b, NULL, 0).rc, H1_DONE);
}

static void length_over_32_bits_is_counted(void **state)
{
    (void)state;
    struct h1_body b = body_of(H1_BODY_LENGTH, (1ull << 32) + 1);
    assert_int_equal(next(&b, "a", 1).rc, H1_DATA);
    assert_int_equal(next(&b, "a", 1).rc, H1_DATA);
    assert_false(h1_body_may_end(&b));
}

static void close_and_tunnel_never_end_by_themselves(void **state)
{
    (void)state;
    const enum h1_body_kind kinds[] = {H1_BODY_CLOSE, H1_BODY_TUNNEL};
    for (size_t i = 0; i < 2; i++) {
        struct h1_body b = body_of(kinds[i], 0);
        assert_true(h1_body_may_end(&b));
        assert_int_equal(next(&b, NULL, 0).rc, H1_MORE);
        struct step s = next(&b, "0\r\n\r\n", 5);
        assert_int_equal(s.rc, H1_DATA);
        assert_int_equal(s.used, 5);
        assert_int_equal(s.data_len, 5);
        assert_int_equal(next(&b, NULL, 0).rc, H1_MORE);
    }
}

static void chunked_may_end_behind_the_last_chunk_only(void **state)
{
    (void)state;
    struct h1_body b = body_of(H1_BODY_CHUNKED, 0);
    assert_false(h1_body_may_end(&b));
    assert_int_equal(next(&b, NULL, 0).rc, H1_MORE);
    assert_int_equal(next(&b, "2\r\nab", 5).rc, H1_DATA);
    assert_int_equal(next(&b, "\r\n", 2).rc, H1_MORE);
    assert_false(h1_body_may_end(&b));
    assert_int_equal(next(&b, "0\r", 2).rc, H1_MORE);
    assert_false(h1_body_may_end(&b));
    struct step s = next(&b, "\nX: y\r\n\r\n", 9);
    assert_int_equal(s.rc, H1_DONE);
    assert_int_equal(s.used, 1);
    assert_true(h1_body_may_end(&b));
    s = next(&b, "X", 1);
    assert_int_equal(s.rc, H1_DONE);
    assert_int_equal(s.used, 0);
}

static void an_error_is_final(void **state)
{
    (void)state;
    struct h1_body b = body_of(H1_BODY_CHUNKED, 0);
    assert_int_equal(next(&b, "x", 1).rc, H1_ERROR);
    assert_int_equal(b.error, H1_ERR_CHUNK_SIZE);
    assert_int_equal(next(&b, "0\r\n", 3).rc, H1_ERROR);
    assert_int_equal(next(&b, NULL, 0).rc, H1_ERROR);
    assert_int_equal(b.error, H1_ERR_CHUNK_SIZE);
    assert_false(h1_body_may_end(&b));
}

/* Feeds n chunks of `size` octets with an extension of ext_len; how many went through. */
static unsigned feed_chunks(unsigned n, unsigned size, int ext_len)
{
    static const char data[8192];
    struct h1_body b = body_of(H1_BODY_CHUNKED, 0);
    for (unsigned i = 0; i < n; i++) {
        char line[512];
        int len = snprintf(line, sizeof line, "%x;%0*d\r\n", size, ext_len - 1, 0);
        if (next(&b, line, (size_t)len).rc != H1_MORE) {
            assert_int_equal(b.error, H1_ERR_CHUNK_EXT);
            return i;
        }
        assert_int_equal(next(&b, data, size).data_len, size);
        assert_int_equal(next(&b, "\r\n", 2).rc, H1_MORE);
    }
    return n;
}

static void extensions_are_paid_for_by_data(void **state)
{
    (void)state;
    /* A signature on every chunk of 8 KiB: for ever. As many octets as the data: for ever too. */
    assert_int_equal(feed_chunks(10000, 8192, 90), 10000);
    assert_int_equal(feed_chunks(10000, 256, 256), 10000);
    /* One octet with the longest extension: 16 KiB in all. */
    assert_int_equal(feed_chunks(10000, 1, 256), 16 * 1024 / 255);
    assert_int_equal(feed_chunks(10000, 1, 3), 16 * 1024 / 2);
}

static void chunks_that_are_large_are_handed_out_in_pieces(void **state)
{
    (void)state;
    struct h1_body b = body_of(H1_BODY_CHUNKED, 0);
    const char *first = "10000000000\r\nabc"; /* 2^40 */
    struct step s = next(&b, first, strlen(first));
    assert_int_equal(s.rc, H1_DATA);
    assert_int_equal(s.data_len, 3);
    for (int i = 0; i < 100; i++) {
        s = next(&b, "0\r\n\r\n", 5);
        assert_int_equal(s.rc, H1_DATA);
        assert_int_equal(s.data_len, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_body_is_done_at_once),
        cmocka_unit_test(length_0_is_done_at_once),
        cmocka_unit_test(length_takes_that_many_and_no_more),
        cmocka_unit_test(length_over_32_bits_is_counted),
        cmocka_unit_test(close_and_tunnel_never_end_by_themselves),
        cmocka_unit_test(chunked_may_end_behind_the_last_chunk_only),
        cmocka_unit_test(an_error_is_final),
        cmocka_unit_test(extensions_are_paid_for_by_data),
        cmocka_unit_test(chunks_that_are_large_are_handed_out_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
