/* The Huffman code (RFC 7541, 5.2 and Appendix B). */
#include "hpack_internal.h"
#include "hpack_testing.h"

static unsigned bits_of(unsigned symbol)
{
    return (unsigned)(hpack_huffman_codes[symbol] & 0xff);
}

static uint32_t code_of(unsigned symbol)
{
    return (uint32_t)(hpack_huffman_codes[symbol] >> (64 - bits_of(symbol)));
}

/* Decodes from memory of exactly `len` octets into exactly the room that is asked for. */
static bool decode(const uint8_t *octets, size_t len, char *out, size_t *out_len)
{
    uint8_t *in = exact_copy(octets, len);
    char *room = malloc(hpack_huffman_decoded_bound(len));
    assert_non_null(room);
    bool ok = hpack_huffman_decode(in, len, room, out_len);
    if (ok) {
        memcpy(out, room, *out_len);
    }
    free(room);
    free(in);
    return ok;
}

/* Encodes, within each limit that there can be: it is exact, and nothing is written behind what is
   allowed. */
static size_t encode(const char *text, size_t n, uint8_t *out)
{
    size_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits += bits_of((uint8_t)text[i]);
    }
    size_t len = (bits + 7) / 8;
    for (size_t limit = len > 40 ? len - 40 : 0; limit <= len + 1; limit++) {
        uint8_t *room = malloc(limit + HPACK_HUFFMAN_SLACK);
        assert_non_null(room);
        uint8_t *end = hpack_huffman_encode(text, n, room, room + limit);
        if (limit <= len) {
            assert_null(end);
        } else {
            assert_ptr_equal(end, room + len);
            memcpy(out, room, len);
        }
        free(room);
    }
    return len;
}

static void codes_of_appendix_b(void **state)
{
    (void)state;
    /* At least one of every length. */
    static const struct {
        uint8_t symbol, bits;
        uint32_t code;
    } cases[] = {
        {'0', 5, 0x0},        {'t', 5, 0x9},        {' ', 6, 0x14},       {'u', 6, 0x2d},
        {':', 7, 0x5c},       {'z', 7, 0x7b},       {'&', 8, 0xf8},       {';', 8, 0xfb},
        {'Z', 8, 0xfd},       {'!', 10, 0x3f8},     {'?', 10, 0x3fc},     {'|', 11, 0x7fc},
        {'#', 12, 0xffa},     {0, 13, 0x1ff8},      {'~', 13, 0x1ffd},    {'}', 14, 0x3ffd},
        {'<', 15, 0x7ffc},    {'\\', 19, 0x7fff0},  {208, 19, 0x7fff2},   {128, 20, 0xfffe6},
        {153, 21, 0x1fffdc},  {129, 22, 0x3fffd2},  {1, 23, 0x7fffd8},    {9, 24, 0xffffea},
        {199, 25, 0x1ffffec}, {192, 26, 0x3ffffe0}, {203, 27, 0x7ffffde}, {2, 28, 0xfffffe2},
        {127, 28, 0xffffffc}, {249, 28, 0xffffffe}, {10, 30, 0x3ffffffc}, {22, 30, 0x3ffffffe},
        {255, 26, 0x3ffffee},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(code_of(cases[i].symbol), cases[i].code);
        assert_int_equal(bits_of(cases[i].symbol), cases[i].bits);
    }
}

static void every_symbol_in_every_bit_position_both_ways(void **state)
{
    (void)state;
    /* The eight digits in front shift the symbol through the octet (5 bits each); the same behind.
     */
    for (unsigned symbol = 0; symbol < 256; symbol++) {
        for (unsigned before = 0; before < 8; before++) {
            for (unsigned after = 0; after < 3; after++) {
                char text[16];
                size_t n = 0;
                memset(text, '1', before);
                n += before;
                text[n++] = (char)symbol;
                memset(text + n, 'X', after);
                n += after;

                uint8_t coded[64];
                size_t len = encode(text, n, coded);
                char out[64];
                size_t out_len = 0;
                assert_true(decode(coded, len, out, &out_len));
                assert_int_equal(out_len, n);
                assert_memory_equal(out, text, n);
            }
        }
    }
}

static void random_octets_both_ways(void **state)
{
    (void)state;
    srand(7541);
    for (int round = 0; round < 2000; round++) {
        char text[300];
        char out[300];
        uint8_t coded[1200];
        size_t n = (size_t)rand() % sizeof(text);
        for (size_t i = 0; i < n; i++) {
            /* A third each: letters, ASCII, anything. */
            int kind = round % 3;
            text[i] = (char)(kind == 0 ? 'a' + rand() % 26 : rand() % (kind == 1 ? 128 : 256));
        }
        size_t len = encode(text, n, coded);
        size_t out_len = 0;
        assert_true(decode(coded, len, out, &out_len));
        assert_int_equal(out_len, n);
        assert_memory_equal(out, text, n);
    }
}

static void the_densest_string_fits_its_bound(void **state)
{
    (void)state;
    static const uint8_t zeros[100]; /* 160 times '0' */
    for (size_t len = 0; len <= sizeof(zeros); len++) {
        char out[200];
        size_t out_len = 0;
        bool whole = len * 8 % 5 == 0; /* otherwise zeros are left over, and not padding */
        assert_int_equal(decode(zeros, len, out, &out_len), whole);
        if (whole) {
            assert_int_equal(out_len, len * 8 / 5);
        }
    }
}

static void padding_is_less_than_an_octet_of_ones(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        const char *text; /* NULL: an error */
    } cases[] = {
        {"", ""},
        {"1f", "a"},  /* 00011 and 3 bits */
        {"1e", NULL}, /* a zero in the padding */
        {"1b", NULL},
        {"17", "2"},
        {"fcff", NULL}, /* 'X' is 8 bits: 8 bits of padding are one too many */
        {"fc", "X"},
        {"ff", NULL}, /* nothing but padding, 8 bits */
        {"ffff", NULL},
        {"ffffff", NULL},
        {"1fff", NULL}, /* 3 + 8 bits of padding */
        {"1fffffff", NULL},
        {"ffffffff", NULL}, /* 32 ones: EOS and two more bits */
        {"fffffffc", NULL}, /* EOS, then 00 */
        {"fffffff0", NULL}, /* 30 bits of LF, then 00 */
        {"fffffff3", "\n"}, /* the same with right padding */
        {"fffffff7", "\r"},
        {"fffffffb", "\x16"},
        {"1fffffffff", NULL}, /* EOS inside, behind 'a' */
        {"1ffffffffc", NULL},
        {"f7", "z"}, /* 1111011 1: seven bits, one of padding */
        {"f6", NULL},
        {"fe3f", "!"}, /* 10 bits and 6 */
        {"fe3e", NULL},
        {"fffe1f", "\\"}, /* 19 bits and 5 */
        {"fffe1e", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t octets[16];
        char out[32];
        size_t out_len = 0;
        size_t len = unhex(cases[i].hex, octets, sizeof(octets));
        bool ok = decode(octets, len, out, &out_len);
        if (ok != (cases[i].text != NULL)) {
            fail_msg("%s: %s", cases[i].hex, ok ? "taken" : "refused");
        }
        if (ok) {
            assert_int_equal(out_len, strlen(cases[i].text));
            assert_memory_equal(out, cases[i].text, out_len);
        }
    }
}

/* One bit after the other, as the RFC describes it. */
static bool decode_slowly(const uint8_t *in, size_t len, char *out, size_t *out_len)
{
    uint32_t code = 0;
    unsigned bits = 0;
    *out_len = 0;
    for (size_t i = 0; i < len * 8; i++) {
        code = code << 1 | (in[i / 8] >> (7 - i % 8) & 1);
        bits++;
        if (bits == 30 && code == 0x3fffffff) {
            return false;
        }
        for (unsigned s = 0; s < 256; s++) {
            if (bits_of(s) == bits && code_of(s) == code) {
                out[(*out_len)++] = (char)s;
                code = 0;
                bits = 0;
                break;
            }
        }
    }
    return bits < 8 && code == (1u << bits) - 1;
}

static void the_fast_decoder_agrees_with_the_plain_one(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        uint8_t in[24];
        char fast[64];
        char slow[64];
        size_t len = (size_t)rand() % sizeof(in);
        for (size_t i = 0; i < len; i++) {
            /* Many ones, so that long codes and EOS come up. */
            in[i] = (uint8_t)(rand() | (rand() & rand() & 1 ? 0xff : rand() % 2 ? 0 : rand()));
        }
        if (len > 0 && rand() % 2) {
            in[len - 1] |= 0x7f; /* often a good end */
        }
        size_t fast_len = 0;
        size_t slow_len = 0;
        bool expected = decode_slowly(in, len, slow, &slow_len);
        assert_int_equal(decode(in, len, fast, &fast_len), expected);
        if (expected) {
            assert_int_equal(fast_len, slow_len);
            assert_memory_equal(fast, slow, slow_len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_of_appendix_b),
        cmocka_unit_test(every_symbol_in_every_bit_position_both_ways),
        cmocka_unit_test(random_octets_both_ways),
        cmocka_unit_test(the_densest_string_fits_its_bound),
        cmocka_unit_test(padding_is_less_than_an_octet_of_ones),
        cmocka_unit_test(the_fast_decoder_agrees_with_the_plain_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
