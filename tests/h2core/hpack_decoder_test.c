/* The decoder: every error, every limit, and how long strings live. */
#include "hpack_internal.h"
#include "hpack_testing.h"

#define MAX_FIELDS 64

static struct hpack_decoder *decoder(const struct h2_allocator *alloc, uint32_t max)
{
    struct hpack_decoder *d = hpack_decoder_new(alloc, max);
    assert_non_null(d);
    return d;
}

static void every_error(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum hpack_rc rc;
        size_t fields; /* in front of it */
    } cases[] = {
        {"", HPACK_OK, 0},
        {"80", HPACK_ERR_INDEX, 0}, /* index 0 */
        {"bd", HPACK_OK, 1},        /* 61, the last static one */
        {"be", HPACK_ERR_INDEX, 0}, /* 62 in an empty table */
        {"82 be", HPACK_ERR_INDEX, 1},
        {"4001 6101 62 be", HPACK_OK, 2},
        {"4001 6101 62 bf", HPACK_ERR_INDEX, 1},
        {"7e 01 62", HPACK_ERR_INDEX, 0},       /* name 62, incremental */
        {"0f2f 01 62", HPACK_ERR_INDEX, 0},     /* name 62, without indexing */
        {"1f2f 01 62", HPACK_ERR_INDEX, 0},     /* name 62, never indexed */
        {"ff80 ffff ff0f", HPACK_ERR_INDEX, 0}, /* a large index that is an integer */
        {"ff", HPACK_ERR_TRUNCATED, 0},
        {"ff80 8080 8080 00", HPACK_ERR_INTEGER, 0},
        {"ffff ffff ff7f", HPACK_ERR_INTEGER, 0},
        {"7fff ffff ff7f", HPACK_ERR_INTEGER, 0}, /* name index */
        {"0fff ffff ff7f", HPACK_ERR_INTEGER, 0},
        {"1fff ffff ff7f", HPACK_ERR_INTEGER, 0},
        {"3fff ffff ff7f", HPACK_ERR_INTEGER, 0},        /* size update */
        {"007f ffff ffff 7f", HPACK_ERR_INTEGER, 0},     /* length of a name */
        {"047f ffff ffff 7f", HPACK_ERR_INTEGER, 0},     /* length of a value */
        {"047f 80ff ffff 0f61", HPACK_ERR_TRUNCATED, 0}, /* 4 GiB that are not there */
        {"0402 61", HPACK_ERR_TRUNCATED, 0},
        {"0002 61", HPACK_ERR_TRUNCATED, 0},
        {"04", HPACK_ERR_TRUNCATED, 0},
        {"0001 61", HPACK_ERR_TRUNCATED, 0},
        {"3f", HPACK_ERR_TRUNCATED, 0},
        {"0481 1f", HPACK_OK, 1},
        {"0481 1e", HPACK_ERR_HUFFMAN, 0},        /* padding is not of ones */
        {"0482 1fff", HPACK_ERR_HUFFMAN, 0},      /* padding over 7 bits */
        {"0484 ffff ffff", HPACK_ERR_HUFFMAN, 0}, /* EOS */
        {"0085 1fff ffff ff01 61", HPACK_ERR_HUFFMAN, 0},
        {"3fe1 1f 82", HPACK_OK, 1},          /* 4096 */
        {"3fe2 1f", HPACK_ERR_TABLE_SIZE, 0}, /* 4097 */
        {"3f80 ffff ff0f", HPACK_ERR_TABLE_SIZE, 0},
        {"20 3fe1 1f 82", HPACK_OK, 1},           /* two */
        {"20 20 20 82", HPACK_ERR_TABLE_SIZE, 0}, /* three */
        {"82 20", HPACK_ERR_TABLE_SIZE, 1},       /* behind a field */
        {"0401 61 20", HPACK_ERR_TABLE_SIZE, 1},
        {"20 82 20", HPACK_ERR_TABLE_SIZE, 1},
        {"20", HPACK_OK, 0}, /* nothing else */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hpack_decoder *d = decoder(NULL, 4096);
        struct h2_field fields[MAX_FIELDS];
        size_t n;
        enum hpack_rc rc = decode_hex(d, cases[i].hex, fields, MAX_FIELDS, &n);
        if (rc != cases[i].rc || n != cases[i].fields) {
            fail_msg("%s: %s after %zu fields", cases[i].hex, hpack_rc_text(rc), n);
        }
        hpack_decoder_free(d);
    }
}

static void every_code_has_a_sentence(void **state)
{
    (void)state;
    for (int rc = HPACK_OK; rc <= HPACK_ERR_LIST_SIZE; rc++) {
        const char *text = hpack_rc_text((enum hpack_rc)rc);
        assert_true(strlen(text) > 5);
        assert_string_not_equal(text, hpack_rc_text((enum hpack_rc)99));
        for (int other = HPACK_OK; other < rc; other++) {
            assert_string_not_equal(text, hpack_rc_text((enum hpack_rc)other));
        }
    }
}

/* Every representation, with and without Huffman code. */
static const char *const whole_blocks[] = {
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "20 3fe1 1f 400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572 be",
    "4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf 7e81 1f be bf",
    "1008 7061 7373 776f 7264 0673 6563 7265 74 1088 25a8 49e9 5ba9 7d7f 811f 0f0d 0132",
    "040c 2f73 616d 706c 652f 7061 7468 bd",
};

static void truncated_at_every_octet_is_an_error_or_a_shorter_block(void **state)
{
    (void)state;
    for (size_t b = 0; b < sizeof(whole_blocks) / sizeof(whole_blocks[0]); b++) {
        uint8_t octets[256];
        size_t len = unhex(whole_blocks[b], octets, sizeof(octets));
        size_t ends[MAX_FIELDS] = {0}; /* where a representation of the whole block ends */
        size_t n_ends = 0;
        for (size_t cut = len + 1; cut-- > 0;) {
            struct hpack_decoder *d = decoder(NULL, 4096);
            uint8_t *block = exact_copy(octets, cut);
            const uint8_t *pos = block;
            struct h2_field f;
            enum hpack_rc rc;
            while ((rc = hpack_decoder_next(d, &pos, block + cut, &f)) == HPACK_FIELD) {
                if (cut == len) {
                    ends[n_ends++] = (size_t)(pos - block);
                }
            }
            bool at_end = cut == 0;
            for (size_t i = 0; i < n_ends; i++) {
                at_end |= ends[i] == cut;
            }
            if (octets[0] == 0x20) { /* behind each of the size updates, too */
                at_end |= cut == 1 || cut == 4;
            }
            assert_int_equal(rc, at_end ? HPACK_OK : HPACK_ERR_TRUNCATED);
            free(block);
            hpack_decoder_free(d);
        }
        assert_true(n_ends > 1);
    }
}

static void a_lower_limit_owes_an_update_at_once(void **state)
{
    (void)state;
    struct h2_field f[MAX_FIELDS];
    size_t n;
    static const struct {
        uint32_t limits[4]; /* in a row, 1 ends */
        const char *hex;
        enum hpack_rc rc;
    } cases[] = {
        {{100, 1}, "82", HPACK_ERR_TABLE_SIZE},      /* missing */
        {{100, 1}, "", HPACK_ERR_TABLE_SIZE},        /* even from an empty block */
        {{100, 1}, "3f45 82", HPACK_OK},             /* 100 */
        {{100, 1}, "3f46 82", HPACK_ERR_TABLE_SIZE}, /* 101 */
        {{100, 1}, "20 82", HPACK_OK},               /* less */
        {{100, 1}, "20 3f45 82", HPACK_OK},
        {{100, 1}, "3f45 3f46 82", HPACK_ERR_TABLE_SIZE},
        {{4096, 1}, "82", HPACK_OK},         /* the same: nothing is owed */
        {{8192, 1}, "82", HPACK_OK},         /* more: it may, it need not */
        {{8192, 1}, "3fe1 3f 82", HPACK_OK}, /* 8192 */
        {{8192, 1}, "3fe2 3f 82", HPACK_ERR_TABLE_SIZE},
        {{8192, 4096, 1}, "82", HPACK_OK},                    /* the table never became larger */
        {{100, 4096, 1}, "82", HPACK_ERR_TABLE_SIZE},         /* the smallest in between counts */
        {{100, 4096, 1}, "3fe1 1f 82", HPACK_ERR_TABLE_SIZE}, /* 4096 at once */
        {{100, 4096, 1}, "3f45 3fe1 1f 82", HPACK_OK},
        {{100, 50, 4096, 1}, "3f45 3fe1 1f 82", HPACK_ERR_TABLE_SIZE},
        {{50, 100, 4096, 1}, "3f13 3fe1 1f 82", HPACK_OK},
        {{50, 100, 1}, "3f45 82", HPACK_ERR_TABLE_SIZE},
        {{0, 1}, "20 4001 6101 62", HPACK_OK},
        {{0, 1}, "20 4001 6101 62 be", HPACK_ERR_INDEX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hpack_decoder *d = decoder(NULL, 4096);
        for (size_t k = 0; k < 4 && cases[i].limits[k] != 1; k++) {
            hpack_decoder_set_max_table_size(d, cases[i].limits[k]);
        }
        enum hpack_rc rc = decode_hex(d, cases[i].hex, f, MAX_FIELDS, &n);
        if (rc != cases[i].rc) {
            fail_msg("case %zu, %s: %s", i, cases[i].hex, hpack_rc_text(rc));
        }
        if (rc == HPACK_OK && cases[i].limits[0] != 0) {
            /* Paid once, not again. */
            assert_int_equal(decode_hex(d, "82", f, MAX_FIELDS, &n), HPACK_OK);
        }
        hpack_decoder_free(d);
    }

    /* The encoder had made its table smaller before: it owes nothing. */
    struct hpack_decoder *d = decoder(NULL, 4096);
    assert_int_equal(decode_hex(d, "3f45", f, MAX_FIELDS, &n), HPACK_OK);
    hpack_decoder_set_max_table_size(d, 100);
    assert_int_equal(decode_hex(d, "82", f, MAX_FIELDS, &n), HPACK_OK);
    hpack_decoder_free(d);
}

static void entries_are_evicted_at_the_exact_size(void **state)
{
    (void)state;
    struct h2_field f[MAX_FIELDS];
    size_t n;
    struct hpack_decoder *d = decoder(NULL, 100);
    /* 34 and 66 octets fill the table. */
    char hex[256] = "4001 6101 62 4001 6321";
    for (int i = 0; i < 33; i++) {
        strcat(hex, "64");
    }
    assert_int_equal(decode_hex(d, hex, f, MAX_FIELDS, &n), HPACK_OK);
    assert_int_equal(hpack_decoder_table_size(d), 100);
    assert_int_equal(decode_hex(d, "bf", f, MAX_FIELDS, &n), HPACK_OK);
    assert_field(&f[0], "a", "b");

    /* A size update of one octet less takes the older one. */
    assert_int_equal(decode_hex(d, "3f44", f, MAX_FIELDS, &n), HPACK_OK);
    assert_int_equal(hpack_decoder_table_size(d), 66);
    assert_int_equal(decode_hex(d, "3f22 be", f, MAX_FIELDS, &n), HPACK_ERR_INDEX); /* 65 */
    assert_int_equal(hpack_decoder_table_size(d), 0);
    hpack_decoder_free(d);

    /* An entry as large as the table goes in, one octet more empties it (4.4). */
    d = decoder(NULL, 34);
    assert_int_equal(decode_hex(d, "4001 6101 62 be", f, MAX_FIELDS, &n), HPACK_OK);
    assert_int_equal(hpack_decoder_table_size(d), 34);
    assert_int_equal(decode_hex(d, "4001 6302 6465 82", f, MAX_FIELDS, &n), HPACK_OK);
    assert_int_equal(n, 2);
    assert_field(&f[0], "c", "de");
    assert_int_equal(hpack_decoder_table_size(d), 0);
    hpack_decoder_free(d);
}

static void strings_live_to_the_end_of_the_block(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct h2_field f[MAX_FIELDS];
    size_t n;
    /* Room for one entry; each takes its name from the one that it evicts (4.4). decode_hex()
       overwrites the block before the fields are looked at. */
    struct hpack_decoder *d = decoder(&c.alloc, 40);
    assert_int_equal(decode_hex(d,
                                "4003 782d 6101 31"                      /* x-a: 1 */
                                "7e01 32 be"                             /* x-a: 2, again */
                                "7e81 1f be"                             /* x-a: a (Huffman) */
                                "0003 782d 6203 717171"                  /* x-b: qqq, in no table */
                                "7e00"                                   /* x-a: (empty) */
                                "4004 782d 6363 0a 30313233343536373839" /* too large */
                                "82",
                                f, MAX_FIELDS, &n),
                     HPACK_OK);
    assert_int_equal(n, 9);
    assert_field(&f[0], "x-a", "1");
    assert_field(&f[1], "x-a", "2");
    assert_field(&f[2], "x-a", "2");
    assert_field(&f[3], "x-a", "a");
    assert_field(&f[4], "x-a", "a");
    assert_field(&f[5], "x-b", "qqq");
    assert_field(&f[6], "x-a", "");
    assert_field(&f[7], "x-cc", "0123456789");
    assert_field(&f[8], ":method", "GET");
    hpack_decoder_free(d);
    assert_int_equal(c.blocks, 0);
}

static void references_to_one_entry_cost_no_memory(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_decoder *d = decoder(&c.alloc, 4096);
    uint8_t block[8 + 4000 + 2000];
    size_t len = unhex("4001 617f a11e", block, sizeof(block)); /* a: 4000 octets */
    memset(block + len, 'v', 4000);
    len += 4000;
    const uint8_t *pos = block;
    struct h2_field f;
    assert_int_equal(hpack_decoder_next(d, &pos, block + len, &f), HPACK_FIELD);
    assert_int_equal(f.value_len, 4000);
    size_t calls = c.calls;
    size_t bytes = c.bytes;
    memset(block + len, 0xbe, 2000);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(hpack_decoder_next(d, &pos, block + len + 2000, &f), HPACK_FIELD);
        assert_int_equal(f.value_len, 4000);
    }
    assert_int_equal(c.calls, calls);
    assert_int_equal(c.bytes, bytes);
    hpack_decoder_free(d);
    assert_int_equal(c.blocks, 0);
}

static void a_block_holds_less_than_its_list_size(void **state)
{
    (void)state;
    /* The name of an entry of nearly the table's size, again and again: three octets make an entry
       of 4000, and evict one that is still lent. The list size counts each. */
    struct counting c;
    counting_init(&c);
    struct hpack_decoder *d = decoder(&c.alloc, 4096);
    uint8_t block[8 + 4000 + 3 * 1000];
    size_t len = unhex("407f a11e", block, sizeof(block));
    memset(block + len, 'n', 4000);
    len += 4000;
    len += unhex("0161", block + len, 2);
    for (int i = 0; i < 900; i++) {
        len += unhex("7e01 62", block + len, 3);
    }
    const uint8_t *pos = block;
    struct h2_field f;
    size_t list = 0;
    size_t peak = 0;
    while (hpack_decoder_next(d, &pos, block + len, &f) == HPACK_FIELD) {
        list += f.name_len + f.value_len + HPACK_FIELD_OVERHEAD;
        peak = c.bytes > peak ? c.bytes : peak;
        assert_true(c.bytes < 4096 + 16384 + list + list / 2);
    }
    assert_true(peak > 900 * 4000); /* that is why the caller must count */

    /* A caller that is over its limit goes on without holding. */
    hpack_decoder_begin(d);
    pos = block;
    while (hpack_decoder_next(d, &pos, block + len, &f) == HPACK_FIELD) {
        assert_true(c.bytes < 3 * 4096 + 16384);
        hpack_decoder_release(d);
    }
    assert_ptr_equal(pos, block + len);
    hpack_decoder_free(d);
    assert_int_equal(c.blocks, 0);
}

static void what_goes_into_the_table_is_not_kept_twice(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct h2_field f[MAX_FIELDS];
    size_t n;
    char hex[9000] = "";
    for (int i = 0; i < 20; i++) {
        /* A name and a value of 100 octets, more than one chunk of the scratch together. */
        strcat(hex, "40 64");
        for (int k = 0; k < 100; k++) {
            strcat(hex, "78");
        }
        strcat(hex, "64");
        for (int k = 0; k < 100; k++) {
            strcat(hex, "79");
        }
    }
    struct hpack_decoder *d = decoder(&c.alloc, 20 * 232);
    assert_int_equal(decode_hex(d, hex, f, MAX_FIELDS, &n), HPACK_OK);
    assert_int_equal(n, 20);
    assert_int_equal(c.blocks, 1 + 20 + 1 + 1); /* decoder, entries, ring, chunk */
    hpack_decoder_free(d);
    assert_int_equal(c.blocks, 0);
}

static void memory_is_taken_when_used_and_given_back(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct h2_field f[MAX_FIELDS];
    size_t n;
    struct hpack_decoder *d = decoder(&c.alloc, 4096);
    size_t idle = c.bytes;
    assert_true(idle <= 128);
    /* Nothing but static entries: nothing is taken. */
    assert_int_equal(decode_hex(d, "8284 86", f, MAX_FIELDS, &n), HPACK_OK);
    assert_int_equal(c.bytes, idle);
    /* Literals are given back by release, the table's entries stay. */
    assert_int_equal(decode_hex(d, "0403 2f61 62 4001 6101 62", f, MAX_FIELDS, &n), HPACK_OK);
    hpack_decoder_release(d);
    size_t with_entry = c.bytes;
    assert_true(with_entry > idle && with_entry < idle + 300);
    /* One block after the other keeps to one chunk. */
    assert_int_equal(decode_hex(d, "0403 2f61 62", f, MAX_FIELDS, &n), HPACK_OK);
    size_t with_chunk = c.bytes;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(
            decode_hex(d, "0403 2f61 62 be 0488 25a8 49e9 5ba9 7d7f", f, MAX_FIELDS, &n), HPACK_OK);
    }
    assert_int_equal(c.bytes, with_chunk);
    /* A table of size 0 takes nothing. */
    assert_int_equal(decode_hex(d, "20", f, MAX_FIELDS, &n), HPACK_OK);
    hpack_decoder_release(d);
    assert_int_equal(c.bytes, idle);
    hpack_decoder_free(d);
    assert_int_equal(c.blocks, 0);
    hpack_decoder_free(NULL);
}

static void tokens_come_with_every_kind_of_field(void **state)
{
    (void)state;
    struct h2_field f[MAX_FIELDS];
    size_t n;
    struct hpack_decoder *d = decoder(NULL, 4096);
    assert_int_equal(decode_hex(d,
                                "88"                       /* static */
                                "5803 616263"              /* static name, indexed */
                                "be"                       /* from the dynamic table */
                                "4006 6f72 6967 696e 0161" /* literal origin, indexed */
                                "be"                       /* and again */
                                "7e01 62"                  /* name from that entry */
                                "0004 686f 7374 0163"      /* literal host */
                                "0083 9ce8 4f 0163"        /* host in Huffman code */
                                "0004 486f 7374 0163",     /* Host: not lower case */
                                f, MAX_FIELDS, &n),
                     HPACK_OK);
    assert_int_equal(n, 9);
    assert_int_equal(f[0].token, H2_TOKEN_PSEUDO_STATUS);
    assert_int_equal(f[1].token, H2_TOKEN_CACHE_CONTROL);
    assert_int_equal(f[2].token, H2_TOKEN_CACHE_CONTROL);
    assert_int_equal(f[3].token, H2_TOKEN_ORIGIN);
    assert_int_equal(f[4].token, H2_TOKEN_ORIGIN);
    assert_int_equal(f[5].token, H2_TOKEN_ORIGIN);
    assert_int_equal(f[6].token, H2_TOKEN_HOST);
    assert_int_equal(f[7].token, H2_TOKEN_HOST);
    assert_int_equal(f[8].token, H2_TOKEN_NONE);
    hpack_decoder_free(d);
}

static void every_failed_allocation_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    for (size_t fail_at = 1;; fail_at++) {
        struct counting c;
        counting_init(&c);
        c.fail_at = fail_at;
        struct hpack_decoder *d = hpack_decoder_new(&c.alloc, 4096);
        enum hpack_rc rc = d == NULL ? HPACK_ERR_NOMEM : HPACK_OK;
        for (size_t b = 0; rc == HPACK_OK && b < sizeof(whole_blocks) / sizeof(whole_blocks[0]);
             b++) {
            struct h2_field f[MAX_FIELDS];
            size_t n;
            rc = decode_hex(d, whole_blocks[b], f, MAX_FIELDS, &n);
            if (rc == HPACK_OK) {
                hpack_decoder_release(d);
            }
        }
        /* Enough entries for a larger ring, enough literals for a second chunk. */
        uint8_t many[8 * 40 + 2100];
        size_t len = 0;
        for (int i = 0; i < 40; i++) {
            len += unhex("4002 7861 0162", many + len, sizeof(many) - len);
        }
        len += unhex("047f e506", many + len, sizeof(many) - len); /* 100 + 127 + 6 * 128 */
        memset(many + len, 'p', 996);
        len += 996;
        len += unhex("047f e506", many + len, sizeof(many) - len);
        memset(many + len, 'p', 996);
        len += 996;
        const uint8_t *pos = many;
        struct h2_field f;
        if (rc == HPACK_OK) {
            hpack_decoder_begin(d);
            do {
                rc = hpack_decoder_next(d, &pos, many + len, &f);
            } while (rc == HPACK_FIELD);
        }
        hpack_decoder_free(d);
        assert_int_equal(c.blocks, 0);
        if (rc == HPACK_OK) {
            assert_true(c.calls < fail_at && fail_at > 50);
            break;
        }
        assert_int_equal(rc, HPACK_ERR_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error),
        cmocka_unit_test(every_code_has_a_sentence),
        cmocka_unit_test(truncated_at_every_octet_is_an_error_or_a_shorter_block),
        cmocka_unit_test(a_lower_limit_owes_an_update_at_once),
        cmocka_unit_test(entries_are_evicted_at_the_exact_size),
        cmocka_unit_test(strings_live_to_the_end_of_the_block),
        cmocka_unit_test(references_to_one_entry_cost_no_memory),
        cmocka_unit_test(a_block_holds_less_than_its_list_size),
        cmocka_unit_test(what_goes_into_the_table_is_not_kept_twice),
        cmocka_unit_test(memory_is_taken_when_used_and_given_back),
        cmocka_unit_test(tokens_come_with_every_kind_of_field),
        cmocka_unit_test(every_failed_allocation_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
