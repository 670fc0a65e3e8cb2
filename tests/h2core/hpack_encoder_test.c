/* The encoder: representations, what it puts into the table, size updates, the bound. */
#include "hpack_internal.h"
#include "hpack_testing.h"

#include <stdio.h>

static struct hpack_encoder *encoder(const struct h2_allocator *alloc, uint32_t max)
{
    struct hpack_encoder *e = hpack_encoder_new(alloc, max);
    assert_non_null(e);
    return e;
}

static void encode_to_hex(struct hpack_encoder *e, const struct h2_field *fields, size_t n,
                          const char *expected)
{
    uint8_t octets[512];
    size_t expected_len = unhex(expected, octets, sizeof(octets));
    size_t bound = hpack_encoder_bound(fields, n);
    uint8_t *buf = malloc(bound);
    assert_non_null(buf);
    size_t len = 0;
    assert_int_equal(hpack_encoder_encode(e, fields, n, buf, &len), HPACK_OK);
    assert_true(len <= bound);
    if (len != expected_len || memcmp(buf, octets, len) != 0) {
        char hex[1025] = "";
        for (size_t i = 0; i < len && i < 512; i++) {
            snprintf(hex + 2 * i, 3, "%02x", buf[i]);
        }
        fail_msg("%s, expected %s", hex, expected);
    }
    free(buf);
}

static void one_to_hex(struct hpack_encoder *e, const char *name, const char *value,
                       const char *expected)
{
    struct h2_field f = field_of(name, value);
    encode_to_hex(e, &f, 1, expected);
}

static void representations(void **state)
{
    (void)state;
    struct hpack_encoder *e = encoder(NULL, 4096);
    one_to_hex(e, ":method", "GET", "82");
    one_to_hex(e, ":status", "500", "8e");
    one_to_hex(e, ":authority", "", "81");           /* the static value is empty */
    one_to_hex(e, "accept", "a", "53 01 61");        /* one octet: Huffman code is no shorter */
    one_to_hex(e, "accept", "a", "be");              /* now it is in the table */
    one_to_hex(e, "x-a", "b", "40 03 782d61 01 62"); /* 20 bits: no shorter, either */
    one_to_hex(e, "x-a", "b", "be");
    one_to_hex(e, "accept", "a", "bf");
    one_to_hex(e, "x-a", "0000", "0f 2f 83 0000 0f"); /* its name's entry is 62; not put in */
    one_to_hex(e, "x-a", "0000", "7e 83 0000 0f");    /* the second time it is */
    one_to_hex(e, "x-a", "0000", "be");
    one_to_hex(e, "x-a", "b", "bf");
    one_to_hex(e, "age", "", "95");
    one_to_hex(e, "age", "1", "0f 06 01 31"); /* never comes again */
    one_to_hex(e, "", "", "40 00 00");        /* odd, but a field */
    one_to_hex(e, "", "", "be");
    encode_to_hex(e, NULL, 0, "");
    hpack_encoder_free(e);
}

/* How a field is sent: 'i'ndexed, 'p'ut into the table, 'l'iteral, 'n'ever indexed. */
static char how(struct hpack_encoder *e, const struct h2_field *f)
{
    uint8_t buf[2048];
    size_t len;
    assert_true(hpack_encoder_bound(f, 1) <= sizeof(buf));
    assert_int_equal(hpack_encoder_encode(e, f, 1, buf, &len), HPACK_OK);
    assert_true(len > 0 && (buf[0] & 0xe0) != 0x20);
    return buf[0] & 0x80 ? 'i' : buf[0] & 0x40 ? 'p' : buf[0] & 0x10 ? 'n' : 'l';
}

static void a_token_may_be_missing_and_a_value_be_null(void **state)
{
    (void)state;
    struct hpack_encoder *e = encoder(NULL, 4096);
    struct h2_field f = field_of("origin", "null");
    assert_int_equal(how(e, &f), 'p');
    f.token = H2_TOKEN_ORIGIN;
    assert_int_equal(how(e, &f), 'i');
    f.token = H2_TOKEN_NONE;
    assert_int_equal(how(e, &f), 'i');
    f = field_of("x-empty", "");
    f.value = NULL;
    assert_int_equal(how(e, &f), 'p');
    assert_int_equal(how(e, &f), 'i');
    hpack_encoder_free(e);
}

static void what_is_put_into_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t flags;
        const char *values[5]; /* sent one after the other … */
        const char *how;       /* … like this */
    } cases[] = {
        /* the same in all messages: at once */
        {"user-agent", 0, {"x/1", "x/1", "x/1"}, "pii"},
        {"x-unknown", 0, {"v", "v", "v"}, "pii"},
        {"date", 0, {"Mon", "Mon", "Tue", "Tue", "Tue"}, "pipii"},
        /* a name that turns out to vary: when a value comes again */
        {"x-trace", 0, {"1", "2", "3", "4", "2"}, "plllp"},
        {":status", 0, {"200", "201", "202", "201", "202"}, "iplip"},
        /* names that are known to vary: when a value comes again */
        {":path", 0, {"/a", "/b", "/a", "/a", "/b"}, "llpip"},
        {"etag", 0, {"\"1\"", "\"1\"", "\"1\""}, "lpi"},
        {"content-length", 0, {"1", "2", "3", "1"}, "lllp"},
        {"referer", 0, {"a", "a", "a"}, "lpi"},
        /* values that never come again */
        {"age", 0, {"1", "1", "1"}, "lll"},
        {"set-cookie", 0, {"a=b", "a=b", "a=b"}, "lll"},
        {"content-range", 0, {"x", "x", "x"}, "lll"},
        /* secrets */
        {"authorization", 0, {"Basic eA==", "Basic eA=="}, "nn"},
        {"proxy-authorization", 0, {"Basic eA==", "Basic eA=="}, "nn"},
        {"cookie", 0, {"a=1234567890123456", "a=1234567890123456"}, "nn"},     /* 18 */
        {"cookie", 0, {"a=12345678901234567", "a=12345678901234567"}, "nn"},   /* 19 */
        {"cookie", 0, {"a=123456789012345678", "a=123456789012345678"}, "pi"}, /* 20 */
        /* what the caller says goes before */
        {"user-agent", H2_FIELD_NO_INDEX, {"x/1", "x/1"}, "ll"},
        {":path", H2_FIELD_NO_INDEX, {"/a", "/a"}, "ll"},
        {"user-agent", H2_FIELD_NEVER_INDEX, {"x/1", "x/1"}, "nn"},
        {"authorization", H2_FIELD_NO_INDEX, {"x", "x"}, "nn"},
        {"user-agent", H2_FIELD_NEVER_INDEX | H2_FIELD_NO_INDEX, {"x/1", "x/1"}, "nn"},
        {":method", H2_FIELD_NEVER_INDEX, {"GET", "GET"}, "nn"}, /* though it is in the table */
        {":method", H2_FIELD_NO_INDEX, {"GET", "PUT", "PUT"}, "ill"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hpack_encoder *e = encoder(NULL, 4096);
        char got[8] = "";
        for (size_t k = 0; k < 5 && cases[i].values[k] != NULL; k++) {
            struct h2_field f = field_of(cases[i].name, cases[i].values[k]);
            f.flags = cases[i].flags;
            got[k] = how(e, &f);
        }
        if (strcmp(got, cases[i].how) != 0) {
            fail_msg("%s %s ...: %s, expected %s", cases[i].name, cases[i].values[0], got,
                     cases[i].how);
        }
        hpack_encoder_free(e);
    }
}

static void a_never_indexed_field_stays_one_though_the_table_has_it(void **state)
{
    (void)state;
    struct hpack_encoder *e = encoder(NULL, 4096);
    struct h2_field f = field_of("x-key", "secret");
    assert_int_equal(how(e, &f), 'p');
    assert_int_equal(how(e, &f), 'i');
    f.flags = H2_FIELD_NEVER_INDEX;
    assert_int_equal(how(e, &f), 'n');
    hpack_encoder_free(e);
}

static void a_field_over_half_of_the_table_does_not_go_in(void **state)
{
    (void)state;
    char value[600];
    memset(value, 'v', sizeof(value));
    struct hpack_encoder *e = encoder(NULL, 1000);
    struct h2_field f = field_of("x-a", "");
    f.value = value;
    f.value_len = 500 - 32 - 3 + 1;
    encode_to_hex(e, NULL, 0, "3fc9 07"); /* the size, smaller than the peer's default */
    assert_int_equal(how(e, &f), 'l');
    assert_int_equal(how(e, &f), 'l');
    f.value_len--;
    assert_int_equal(how(e, &f), 'p');
    assert_int_equal(hpack_encoder_table_size(e), 500);
    hpack_encoder_free(e);
}

static void size_updates(void **state)
{
    (void)state;
    static const struct {
        uint32_t own;
        uint32_t peer[4]; /* in a row, 1 ends */
        const char *hex;
    } cases[] = {
        {4096, {1}, ""},
        {4096, {4096, 1}, ""},
        {4096, {65536, 1}, ""}, /* we use no more than we want */
        {100, {1}, "3f45"},     /* we use less than the default */
        {0, {1}, "20"},
        {100, {4096, 65536, 1}, "3f45"},
        {100, {50, 1}, "3f13"},
        {4096, {0, 1}, "20"},
        {4096, {100, 1}, "3f45"},
        {4096, {100, 4096, 1}, "3f45 3fe11f"}, /* the smallest and the last */
        {4096, {100, 50, 200, 1}, "3f13 3fa901"},
        {4096, {50, 100, 1}, "3f13 3f45"},
        {4096, {200, 50, 1}, "3f13"},
        {4096, {4096, 100, 1}, "3f45"},
        {8192, {1}, ""}, /* the peer has not allowed more yet */
        {8192, {8192, 1}, "3fe13f"},
        {8192, {65536, 1}, "3fe13f"},
        {8192, {8192, 100, 8192, 1}, "3f45 3fe13f"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hpack_encoder *e = encoder(NULL, cases[i].own);
        for (size_t k = 0; k < 4 && cases[i].peer[k] != 1; k++) {
            hpack_encoder_set_peer_table_size(e, cases[i].peer[k]);
        }
        encode_to_hex(e, NULL, 0, cases[i].hex);
        encode_to_hex(e, NULL, 0, ""); /* told once */
        one_to_hex(e, ":method", "GET", "82");
        hpack_encoder_free(e);
    }
}

static void our_own_limit_may_change_at_any_time(void **state)
{
    (void)state;
    struct hpack_encoder *e = encoder(NULL, 4096);
    one_to_hex(e, "a", "1", "4001 6101 31");
    hpack_encoder_set_max_table_size(e, 100);
    one_to_hex(e, "a", "1", "3f45 be");
    hpack_encoder_set_max_table_size(e, 33);
    one_to_hex(e, "a", "1", "3f02 0001 6101 31"); /* the entry has gone */
    hpack_encoder_set_max_table_size(e, 100000);  /* more than the peer allows */
    one_to_hex(e, "a", "1", "3fe11f 4001 6101 31");
    hpack_encoder_set_peer_table_size(e, 8192); /* the limit of before still counts */
    one_to_hex(e, "a", "1", "3fe13f be");
    hpack_encoder_set_max_table_size(e, 0);
    hpack_encoder_set_max_table_size(e, 8192);
    one_to_hex(e, "a", "1", "20 3fe13f 4001 6101 31");
    hpack_encoder_set_max_table_size(e, 8192);
    hpack_encoder_set_peer_table_size(e, 10000);
    one_to_hex(e, "a", "1", "be"); /* nothing has changed */
    hpack_encoder_free(e);
}

static void secrets_are_ordinary_fields_when_the_caller_says_so(void **state)
{
    (void)state;
    static const char *const secrets[][2] = {
        {"authorization", "Basic eA=="}, {"proxy-authorization", "Basic eA=="}, {"cookie", "a=1"}};
    for (size_t i = 0; i < 3; i++) {
        struct hpack_encoder *e = encoder(NULL, 4096);
        struct h2_field f = field_of(secrets[i][0], secrets[i][1]);
        assert_int_equal(how(e, &f), 'n');
        hpack_encoder_index_secrets(e, true);
        assert_int_equal(how(e, &f), 'p');
        assert_int_equal(how(e, &f), 'i');
        f.flags = H2_FIELD_NEVER_INDEX;
        assert_int_equal(how(e, &f), 'n');
        f.flags = H2_FIELD_NO_INDEX;
        f.value = "x";
        f.value_len = 1;
        assert_int_equal(how(e, &f), 'l');
        f.flags = 0;
        hpack_encoder_index_secrets(e, false);
        assert_int_equal(how(e, &f), 'n');
        hpack_encoder_free(e);
    }
}

static void a_smaller_table_evicts_and_size_0_uses_none(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_encoder *e = encoder(&c.alloc, 4096);
    struct h2_field f[3] = {field_of("a", "1"), field_of("b", "2"), field_of("c", "3")};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(how(e, &f[i]), 'p');
    }
    assert_int_equal(hpack_encoder_table_size(e), 3 * 34);

    /* One octet too small for three. */
    hpack_encoder_set_peer_table_size(e, 3 * 34 - 1);
    struct h2_field order[3] = {f[1], f[0], f[2]};
    encode_to_hex(e, order, 3, "3f46 bf 4001 6101 31 bf"); /* a comes back and evicts b */
    assert_int_equal(hpack_encoder_table_size(e), 2 * 34);
    struct h2_field entry;
    assert_true(hpack_encoder_table_entry(e, 0, &entry));
    assert_field(&entry, "a", "1");
    assert_true(hpack_encoder_table_entry(e, 1, &entry));
    assert_field(&entry, "c", "3");
    assert_false(hpack_encoder_table_entry(e, 2, &entry));

    hpack_encoder_set_peer_table_size(e, 0);
    size_t before = c.blocks;
    encode_to_hex(e, f, 1, "20 0001 6101 31");
    assert_int_equal(c.blocks, before - 3); /* two entries and the ring */
    assert_int_equal(how(e, &f[0]), 'l');
    hpack_encoder_set_peer_table_size(e, 4096);
    encode_to_hex(e, f, 1, "3fe1 1f 4001 6101 31");
    assert_int_equal(how(e, &f[0]), 'i');
    hpack_encoder_free(e);
    assert_int_equal(c.blocks, 0);
    hpack_encoder_free(NULL);
}

static void memory_is_taken_when_used(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_encoder *e = encoder(&c.alloc, 4096);
    assert_int_equal(c.blocks, 1);
    assert_true(c.bytes <= 128);
    hpack_encoder_free(e);

    /* Nor by an encoder that may have no table. */
    e = encoder(&c.alloc, 0);
    struct h2_field f = field_of("a", "1");
    encode_to_hex(e, &f, 1, "20 0001 6101 31");
    assert_int_equal(c.blocks, 1);
    hpack_encoder_free(e);
    assert_int_equal(c.blocks, 0);
}

static void the_worst_block_fits_its_bound(void **state)
{
    (void)state;
    /* Strings that Huffman code makes no shorter, at the lengths where integers grow. */
    static const uint32_t lens[] = {0, 1, 126, 127, 128, 254, 255, 16510, 16511, 16512};
    static char octets[16512];
    memset(octets, '<', sizeof(octets));
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
            struct hpack_encoder *e = encoder(NULL, UINT32_MAX);
            hpack_encoder_set_peer_table_size(e, UINT32_MAX - 1);
            hpack_encoder_set_peer_table_size(e, UINT32_MAX);
            struct h2_field f = {octets, octets, lens[i], lens[k], 0, 0};
            size_t bound = hpack_encoder_bound(&f, 1);
            uint8_t *buf = malloc(bound);
            assert_non_null(buf);
            size_t len;
            assert_int_equal(hpack_encoder_encode(e, &f, 1, buf, &len), HPACK_OK);
            assert_true(len >= 2 * HPACK_INTEGER_MAX + lens[i] + lens[k] && len <= bound);
            free(buf);
            hpack_encoder_free(e);
        }
    }
}

static void every_failed_allocation_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    for (size_t fail_at = 1;; fail_at++) {
        struct counting c;
        counting_init(&c);
        c.fail_at = fail_at;
        struct hpack_encoder *e = hpack_encoder_new(&c.alloc, 4096);
        enum hpack_rc rc = e == NULL ? HPACK_ERR_NOMEM : HPACK_OK;
        /* Enough entries for a larger ring. */
        for (int i = 0; rc == HPACK_OK && i < 40; i++) {
            char name[8];
            snprintf(name, sizeof(name), "x-%d", i);
            struct h2_field f[2] = {field_of(name, "1"), field_of("user-agent", "x")};
            uint8_t buf[256];
            size_t len;
            assert_true(hpack_encoder_bound(f, 2) <= sizeof(buf));
            rc = hpack_encoder_encode(e, f, 2, buf, &len);
        }
        hpack_encoder_free(e);
        assert_int_equal(c.blocks, 0);
        if (rc == HPACK_OK) {
            assert_true(c.calls < fail_at && fail_at > 40);
            break;
        }
        assert_int_equal(rc, HPACK_ERR_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(representations),
        cmocka_unit_test(a_token_may_be_missing_and_a_value_be_null),
        cmocka_unit_test(what_is_put_into_the_table),
        cmocka_unit_test(a_never_indexed_field_stays_one_though_the_table_has_it),
        cmocka_unit_test(a_field_over_half_of_the_table_does_not_go_in),
        cmocka_unit_test(size_updates),
        cmocka_unit_test(our_own_limit_may_change_at_any_time),
        cmocka_unit_test(secrets_are_ordinary_fields_when_the_caller_says_so),
        cmocka_unit_test(a_smaller_table_evicts_and_size_0_uses_none),
        cmocka_unit_test(memory_is_taken_when_used),
        cmocka_unit_test(the_worst_block_fits_its_bound),
        cmocka_unit_test(every_failed_allocation_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
