/* Integers (RFC 7541, 5.1 and C.1). */
#include "hpack_internal.h"
#include "hpack_testing.h"

static void appendix_c1_both_ways(void **state)
{
    (void)state;
    static const struct {
        unsigned bits;
        uint32_t value;
        const char *hex;
    } cases[] = {
        {5, 10, "0a"},
        {5, 1337, "1f9a0a"},
        {8, 42, "2a"},
        {5, 30, "1e"},
        {5, 31, "1f00"},
        {5, 32, "1f01"},
        {5, 158, "1f7f"},
        {5, 159, "1f8001"},
        {1, 0, "00"},
        {1, 1, "0100"},
        {8, 254, "fe"},
        {8, 255, "ff00"},
        {7, 126, "7e"},
        {7, 127, "7f00"},
        {4, UINT32_MAX, "0ff0ffffff0f"},
        {7, UINT32_MAX, "7f80ffffff0f"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t expected[HPACK_INTEGER_MAX];
        uint8_t octets[HPACK_INTEGER_MAX];
        size_t len = unhex(cases[i].hex, expected, sizeof(expected));
        assert_int_equal(hpack_integer_write(octets, 0, cases[i].bits, cases[i].value) - octets,
                         len);
        assert_memory_equal(octets, expected, len);

        const uint8_t *pos = octets;
        uint32_t value = 0;
        assert_int_equal(hpack_integer_read(&pos, octets + len, cases[i].bits, &value), HPACK_OK);
        assert_int_equal(value, cases[i].value);
        assert_ptr_equal(pos, octets + len);
    }
}

static void every_prefix_around_every_boundary(void **state)
{
    (void)state;
    for (unsigned bits = 1; bits <= 8; bits++) {
        uint32_t prefix = (1u << bits) - 1;
        for (unsigned shift = 0; shift <= 32; shift++) {
            for (int delta = -2; delta <= 2; delta++) {
                uint64_t wide = ((uint64_t)1 << shift) + prefix + (uint64_t)(int64_t)delta;
                if (wide > UINT32_MAX) {
                    continue;
                }
                uint8_t octets[HPACK_INTEGER_MAX];
                uint8_t pattern = (uint8_t)~prefix;
                uint8_t *end = hpack_integer_write(octets, pattern, bits, (uint32_t)wide);
                assert_true(end - octets <= HPACK_INTEGER_MAX);
                assert_int_equal(octets[0] & pattern, pattern);
                uint8_t *exact = exact_copy(octets, (size_t)(end - octets));
                const uint8_t *stop = exact + (end - octets);
                uint32_t value;
                for (const uint8_t *cut = exact + 1; cut <= stop; cut++) {
                    const uint8_t *pos = exact;
                    enum hpack_rc rc = hpack_integer_read(&pos, cut, bits, &value);
                    assert_int_equal(rc, cut < stop ? HPACK_ERR_TRUNCATED : HPACK_OK);
                    assert_ptr_equal(pos, cut < stop ? exact : stop);
                }
                assert_int_equal(value, wide);
                free(exact);
            }
        }
    }
}

static void more_than_32_bits_is_an_error(void **state)
{
    (void)state;
    static const struct {
        unsigned bits;
        const char *hex;
        enum hpack_rc rc;
        uint32_t value;
    } cases[] = {
        {7, "7f80ffffff0f", HPACK_OK, UINT32_MAX},
        {7, "7f81ffffff0f", HPACK_ERR_INTEGER, 0}, /* one more */
        {7, "7fffffffff0f", HPACK_ERR_INTEGER, 0},
        {7, "7fffffffff7f", HPACK_ERR_INTEGER, 0},
        {1, "01ffffffff7f", HPACK_ERR_INTEGER, 0},
        {7, "7f8000", HPACK_OK, 127}, /* padded, but within five octets */
        {7, "7f8080808000", HPACK_OK, 127},
        {7, "7f808080808000", HPACK_ERR_INTEGER, 0}, /* padded too far */
        {7, "7f808080808080", HPACK_ERR_INTEGER, 0}, /* and not even at an end */
        {7, "7fffffffffffffffffff01", HPACK_ERR_INTEGER, 0},
        {7, "7f", HPACK_ERR_TRUNCATED, 0},
        {7, "7f80808080", HPACK_ERR_TRUNCATED, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t octets[16];
        size_t len = unhex(cases[i].hex, octets, sizeof(octets));
        const uint8_t *pos = octets;
        uint32_t value = 0;
        assert_int_equal(hpack_integer_read(&pos, octets + len, cases[i].bits, &value),
                         cases[i].rc);
        if (cases[i].rc == HPACK_OK) {
            assert_int_equal(value, cases[i].value);
        } else {
            assert_ptr_equal(pos, octets); /* nothing is taken */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appendix_c1_both_ways),
        cmocka_unit_test(every_prefix_around_every_boundary),
        cmocka_unit_test(more_than_32_bits_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
