/* The rules of RFC 7541 for a decoder, and the examples of its Appendix C: decoded as they stand,
 * and encoded by us. */
#include "hpack_testing.h"

#define MAX_FIELDS 8

struct example {
    const char *hex;
    struct {
        const char *name, *value;
    } fields[MAX_FIELDS], table[MAX_FIELDS]; /* table: newest first, after the block */
    uint32_t table_size;
};

/* C.2: one representation each. */
static const struct example c2_1[] = {
    {"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
     {{"custom-key", "custom-header"}},
     {{"custom-key", "custom-header"}},
     55},
    {NULL, {{0}}, {{0}}, 0},
};
static const struct example c2_2[] = {
    {"040c 2f73 616d 706c 652f 7061 7468", {{":path", "/sample/path"}}, {{0}}, 0},
    {NULL, {{0}}, {{0}}, 0},
};
static const struct example c2_3[] = {
    {"1008 7061 7373 776f 7264 0673 6563 7265 74", {{"password", "secret"}}, {{0}}, 0},
    {NULL, {{0}}, {{0}}, 0},
};
static const struct example c2_4[] = {
    {"82", {{":method", "GET"}}, {{0}}, 0},
    {NULL, {{0}}, {{0}}, 0},
};

#define C3_FIELDS_1                                                                                \
    {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}},  \
        {{":authority", "www.example.com"}}, 57
#define C3_FIELDS_2                                                                                \
    {{":method", "GET"},                                                                           \
     {":scheme", "http"},                                                                          \
     {":path", "/"},                                                                               \
     {":authority", "www.example.com"},                                                            \
     {"cache-control", "no-cache"}},                                                               \
        {{"cache-control", "no-cache"}, {":authority", "www.example.com"}}, 110
#define C3_FIELDS_3                                                                                \
    {{":method", "GET"},                                                                           \
     {":scheme", "https"},                                                                         \
     {":path", "/index.html"},                                                                     \
     {":authority", "www.example.com"},                                                            \
     {"custom-key", "custom-value"}},                                                              \
        {{"custom-key", "custom-value"},                                                           \
         {"cache-control", "no-cache"},                                                            \
         {":authority", "www.example.com"}},                                                       \
        164

static const struct example c3[] = {
    {"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", C3_FIELDS_1},
    {"8286 84be 5808 6e6f 2d63 6163 6865", C3_FIELDS_2},
    {"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", C3_FIELDS_3},
    {NULL, {{0}}, {{0}}, 0},
};
static const struct example c4[] = {
    {"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", C3_FIELDS_1},
    {"8286 84be 5886 a8eb 1064 9cbf", C3_FIELDS_2},
    {"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", C3_FIELDS_3},
    {NULL, {{0}}, {{0}}, 0},
};

#define DATE_21  "Mon, 21 Oct 2013 20:13:21 GMT"
#define DATE_22  "Mon, 21 Oct 2013 20:13:22 GMT"
#define LOCATION "https://www.example.com"
#define COOKIE   "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"

#define C5_FIELDS_1                                                                                \
    {{":status", "302"}, {"cache-control", "private"}, {"date", DATE_21}, {"location", LOCATION}}, \
        {{"location", LOCATION},                                                                   \
         {"date", DATE_21},                                                                        \
         {"cache-control", "private"},                                                             \
         {":status", "302"}},                                                                      \
        222
#define C5_FIELDS_2                                                                                \
    {{":status", "307"}, {"cache-control", "private"}, {"date", DATE_21}, {"location", LOCATION}}, \
        {{":status", "307"},                                                                       \
         {"location", LOCATION},                                                                   \
         {"date", DATE_21},                                                                        \
         {"cache-control", "private"}},                                                            \
        222
#define C5_FIELDS_3                                                                                \
    {{":status", "200"},     {"cache-control", "private"}, {"date", DATE_22},                      \
     {"location", LOCATION}, {"content-encoding", "gzip"}, {"set-cookie", COOKIE}},                \
        {{"set-cookie", COOKIE}, {"content-encoding", "gzip"}, {"date", DATE_22}}, 215

static const struct example c5[] = {
    {"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a"
     "3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
     C5_FIELDS_1},
    {"4803 3330 37c1 c0bf", C5_FIELDS_2},
    {"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04"
     "677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49"
     "553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
     C5_FIELDS_3},
    {NULL, {{0}}, {{0}}, 0},
};
static const struct example c6[] = {
    {"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e"
     "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
     C5_FIELDS_1},
    {"4883 640e ffc1 c0bf", C5_FIELDS_2},
    {"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7"
     "821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed"
     "4ee5 b106 3d50 07",
     C5_FIELDS_3},
    {NULL, {{0}}, {{0}}, 0},
};

static const struct {
    const struct example *blocks;
    uint32_t table_max;
} sections[] = {
    {c2_1, 4096}, {c2_2, 4096}, {c2_3, 4096}, {c2_4, 4096},
    {c3, 4096},   {c4, 4096},   {c5, 256},    {c6, 256},
};

static size_t count(const struct example *x)
{
    size_t n = 0;
    while (n < MAX_FIELDS && x->fields[n].name != NULL) {
        n++;
    }
    return n;
}

static void every_block_decodes_to_its_fields_and_table(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++) {
        struct hpack_decoder *d = hpack_decoder_new(NULL, sections[s].table_max);
        assert_non_null(d);
        for (const struct example *x = sections[s].blocks; x->hex != NULL; x++) {
            struct h2_field fields[MAX_FIELDS];
            size_t n;
            assert_int_equal(decode_hex(d, x->hex, fields, MAX_FIELDS, &n), HPACK_OK);
            assert_int_equal(n, count(x));
            for (size_t i = 0; i < n; i++) {
                assert_field(&fields[i], x->fields[i].name, x->fields[i].value);
                bool never = x == c2_3;
                assert_int_equal(fields[i].flags, never ? H2_FIELD_NEVER_INDEX : 0);
            }
            struct h2_field entry;
            uint32_t i;
            for (i = 0; i < MAX_FIELDS && x->table[i].name != NULL; i++) {
                assert_true(hpack_decoder_table_entry(d, i, &entry));
                assert_field(&entry, x->table[i].name, x->table[i].value);
            }
            assert_false(hpack_decoder_table_entry(d, i, &entry));
            assert_int_equal(hpack_decoder_table_size(d), x->table_size);
        }
        hpack_decoder_free(d);
    }
}

/* Encodes the fields of a block; returns the length. */
static size_t encode(struct hpack_encoder *e, const struct example *x, uint8_t *buf, size_t room)
{
    struct h2_field fields[MAX_FIELDS];
    size_t n = count(x);
    for (size_t i = 0; i < n; i++) {
        fields[i] = field_of(x->fields[i].name, x->fields[i].value);
    }
    if (x == c2_3) {
        fields[0].flags = H2_FIELD_NEVER_INDEX;
    }
    assert_true(hpack_encoder_bound(fields, n) <= room);
    size_t len;
    assert_int_equal(hpack_encoder_encode(e, fields, n, buf, &len), HPACK_OK);
    return len;
}

/* C.4 makes the choices that we make: the same octets, the same table. */
static void our_encoding_of_c4_is_the_rfcs(void **state)
{
    (void)state;
    struct hpack_encoder *e = hpack_encoder_new(NULL, 4096);
    assert_non_null(e);
    for (const struct example *x = c4; x->hex != NULL; x++) {
        uint8_t expected[256];
        uint8_t buf[1024];
        size_t expected_len = unhex(x->hex, expected, sizeof(expected));
        assert_int_equal(encode(e, x, buf, sizeof(buf)), expected_len);
        assert_memory_equal(buf, expected, expected_len);
        assert_int_equal(hpack_encoder_table_size(e), x->table_size);
        struct h2_field entry;
        for (uint32_t i = 0; i < MAX_FIELDS && x->table[i].name != NULL; i++) {
            assert_true(hpack_encoder_table_entry(e, i, &entry));
            assert_field(&entry, x->table[i].name, x->table[i].value);
        }
    }
    hpack_encoder_free(e);
}

/* The other sections choose otherwise (no Huffman code, everything indexed): the same fields. */
static void our_encoding_of_every_block_decodes_to_its_fields(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++) {
        struct hpack_encoder *e = hpack_encoder_new(NULL, sections[s].table_max);
        struct hpack_decoder *d = hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE);
        assert_true(e != NULL && d != NULL);
        for (const struct example *x = sections[s].blocks; x->hex != NULL; x++) {
            uint8_t buf[1024];
            size_t len = encode(e, x, buf, sizeof(buf));
            const uint8_t *pos = buf;
            struct h2_field f;
            hpack_decoder_begin(d);
            for (size_t i = 0; i < count(x); i++) {
                assert_int_equal(hpack_decoder_next(d, &pos, buf + len, &f), HPACK_FIELD);
                assert_field(&f, x->fields[i].name, x->fields[i].value);
                assert_int_equal(f.flags, x == c2_3 ? H2_FIELD_NEVER_INDEX : 0);
            }
            assert_int_equal(hpack_decoder_next(d, &pos, buf + len, &f), HPACK_OK);
            assert_int_equal(hpack_decoder_table_size(d), hpack_encoder_table_size(e));
            assert_true(hpack_encoder_table_size(e) <= sections[s].table_max);
        }
        hpack_encoder_free(e);
        hpack_decoder_free(d);
    }
}

/* ---------------------------------------------------------------- rules */

#define B20 "6262626262626262626262626262626262626262"

/* clang-format off */
static const struct {
    const char *name; /* the rule */
    const char *hex;  /* a block, in a fresh decoder with a table of 4096 octets */
    enum hpack_rc rc;
    size_t fields; /* decoded before */
} rules[] = {
    /* 2.3.3, 6.1, 6.2: indices */
    {"an_index_of_0", "80", HPACK_ERR_INDEX, 0},
    {"the_last_entry_of_the_static_table", "bd", HPACK_OK, 1},
    {"an_index_behind_the_static_table", "be", HPACK_ERR_INDEX, 0},
    {"the_first_entry_of_the_dynamic_table", "4001 6101 62 be", HPACK_OK, 2},
    {"an_index_behind_the_dynamic_table", "4001 6101 62 bf", HPACK_ERR_INDEX, 1},
    {"the_name_of_an_indexed_literal_is_not_there", "7e 01 62", HPACK_ERR_INDEX, 0},
    {"the_name_of_a_literal_without_indexing_is_not_there", "0f2f 01 62", HPACK_ERR_INDEX, 0},
    {"the_name_of_a_never_indexed_literal_is_not_there", "1f2f 01 62", HPACK_ERR_INDEX, 0},
    /* 4.2, 6.3: the size of the table */
    {"a_size_update_to_the_limit", "3fe1 1f 82", HPACK_OK, 1},
    {"a_size_update_over_the_limit", "3fe2 1f 82", HPACK_ERR_TABLE_SIZE, 0},
    {"a_size_update_behind_a_field", "82 20", HPACK_ERR_TABLE_SIZE, 1},
    {"the_smallest_size_and_then_the_last", "20 3fe1 1f 82", HPACK_OK, 1},
    {"more_size_updates_than_two", "20 20 20 82", HPACK_ERR_TABLE_SIZE, 0},
    /* 4.3, 4.4: eviction; a table of 40 octets */
    {"what_was_evicted_is_not_there", "3f09 4001 7801 79 4001 7801 7a bf", HPACK_ERR_INDEX, 2},
    {"a_field_larger_than_the_table_is_no_error", "3f09 4001 7801 79 4001 6114" B20, HPACK_OK, 2},
    {"a_field_larger_than_the_table_empties_it", "3f09 4001 7801 79 4001 6114" B20 "be", HPACK_ERR_INDEX, 2},
    {"the_name_of_an_entry_that_its_literal_evicts", "3f09 4001 7801 79 7e 02 7a7a be", HPACK_OK, 3},
    /* 5.1: integers */
    {"an_integer_of_32_bits", "ff80 ffff ff0f", HPACK_ERR_INDEX, 0},
    {"an_integer_of_more_bits", "ffff ffff ff7f", HPACK_ERR_INTEGER, 0},
    {"an_integer_padded_without_end", "ff80 8080 8080 8000", HPACK_ERR_INTEGER, 0},
    {"a_string_length_of_more_bits", "047f ffff ffff 7f", HPACK_ERR_INTEGER, 0},
    /* 5.2: strings */
    {"padding_of_ones", "0481 1f", HPACK_OK, 1},
    {"padding_not_of_ones", "0481 1e", HPACK_ERR_HUFFMAN, 0},
    {"padding_of_more_than_7_bits", "0482 1fff", HPACK_ERR_HUFFMAN, 0},
    {"eos_in_a_string", "0484 ffff ffff", HPACK_ERR_HUFFMAN, 0},
    {"a_string_beyond_the_block", "0403 6161", HPACK_ERR_TRUNCATED, 0},
    /* 3.2: representations in their order, each to its end */
    {"a_representation_that_is_cut_off", "82 40", HPACK_ERR_TRUNCATED, 1},
    {"an_empty_block", "", HPACK_OK, 0},
};
/* clang-format on */

static void a_decoder_keeps_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct hpack_decoder *d = hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE);
        struct h2_field fields[MAX_FIELDS];
        size_t n;
        assert_non_null(d);
        enum hpack_rc rc = decode_hex(d, rules[i].hex, fields, MAX_FIELDS, &n);
        if (rc != rules[i].rc || n != rules[i].fields) {
            fail_msg("%s: %s after %zu fields", rules[i].name, hpack_rc_text(rc), n);
        }
        hpack_decoder_free(d);
    }
}

/* 4.2, 4.3: every entry goes when the size is 0, and none comes back. */
static void a_size_of_0_empties_the_table(void **state)
{
    (void)state;
    struct hpack_decoder *d = hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE);
    struct h2_field fields[MAX_FIELDS];
    size_t n;
    assert_int_equal(decode_hex(d, "4001 6101 62", fields, MAX_FIELDS, &n), HPACK_OK);
    assert_int_equal(hpack_decoder_table_size(d), 34);
    assert_int_equal(decode_hex(d, "20 3fe1 1f", fields, MAX_FIELDS, &n), HPACK_OK);
    assert_int_equal(hpack_decoder_table_size(d), 0);
    assert_int_equal(decode_hex(d, "be", fields, MAX_FIELDS, &n), HPACK_ERR_INDEX);
    hpack_decoder_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decoder_keeps_the_rules),
        cmocka_unit_test(a_size_of_0_empties_the_table),
        cmocka_unit_test(every_block_decodes_to_its_fields_and_table),
        cmocka_unit_test(our_encoding_of_c4_is_the_rfcs),
        cmocka_unit_test(our_encoding_of_every_block_decodes_to_its_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
