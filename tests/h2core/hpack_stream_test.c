/* The decoder fed in pieces, and its limit of the list size. */
#include "hpack_internal.h"
#include "hpack_testing.h"

#define MAX_FIELDS 64
#define MAX_BLOCK  4096

/* What a block came to. The strings are copies. */
struct result {
    enum hpack_rc rc;
    size_t n;
    struct h2_field fields[MAX_FIELDS];
    char text[65536];
    size_t text_len;
    uint32_t table_size;
};

static const char *copy_text(struct result *r, const char *p, uint32_t len)
{
    assert_true(r->text_len + len <= sizeof(r->text));
    char *copy = r->text + r->text_len;
    memcpy(copy, p, len);
    r->text_len += len;
    return copy;
}

/* Only now are the strings read: they must have outlived everything that was fed after them. */
static void copy_fields(struct result *r)
{
    r->text_len = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct h2_field *f = &r->fields[i];
        f->name = copy_text(r, f->name, f->name_len);
        f->value = copy_text(r, f->value, f->value_len);
    }
}

/* Feeds a block, cut behind each of the octets whose bit is set in `cuts` (bit i: behind octet i;
   what is over 64 octets is one piece), as a caller does: what was not taken comes again with what
   follows. Each piece is in memory of its own, which is gone afterwards. */
static void feed(struct hpack_decoder *d, const uint8_t *block, size_t len, uint64_t cuts,
                 struct result *r)
{
    size_t taken = 0;
    r->n = 0;
    r->rc = HPACK_OK;
    hpack_decoder_begin(d);
    for (size_t end = 1; end <= len; end++) {
        bool cut = end < 64 && (cuts >> (end - 1) & 1) != 0;
        if (end != len && !cut) {
            continue;
        }
        uint8_t *piece = exact_copy(block + taken, end - taken);
        const uint8_t *pos = piece;
        const uint8_t *before = piece;
        struct h2_field f;
        while ((r->rc = hpack_decoder_next(d, &pos, piece + (end - taken), &f)) == HPACK_FIELD) {
            assert_true(r->n < MAX_FIELDS && pos > before);
            r->fields[r->n++] = f;
            before = pos;
        }
        if (r->rc == HPACK_OK) {
            assert_ptr_equal(pos, piece + (end - taken));
        }
        taken += (size_t)(pos - piece);
        memset(piece, 0xee, end - (taken - (size_t)(pos - piece)));
        free(piece);
        if (r->rc != HPACK_OK && r->rc != HPACK_ERR_TRUNCATED) {
            break;
        }
    }
    if (r->rc == HPACK_OK || r->rc == HPACK_ERR_TRUNCATED) {
        assert_int_equal(hpack_decoder_end(d) == HPACK_ERR_TRUNCATED, r->rc == HPACK_ERR_TRUNCATED);
        r->rc = hpack_decoder_end(d);
    }
    copy_fields(r);
    r->table_size = hpack_decoder_table_size(d);
}

static void assert_same_field(const struct h2_field *a, const struct h2_field *b)
{
    assert_int_equal(a->name_len, b->name_len);
    assert_memory_equal(a->name, b->name, a->name_len);
    assert_int_equal(a->value_len, b->value_len);
    assert_memory_equal(a->value, b->value, a->value_len);
    assert_int_equal(a->token, b->token);
    assert_int_equal(a->flags, b->flags);
}

static void assert_same_result(const struct result *a, const struct result *b)
{
    assert_int_equal(a->rc, b->rc);
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->table_size, b->table_size);
    for (size_t i = 0; i < a->n; i++) {
        assert_same_field(&a->fields[i], &b->fields[i]);
    }
}

static void assert_same_tables(const struct hpack_decoder *a, const struct hpack_decoder *b)
{
    struct h2_field x;
    struct h2_field y;
    uint32_t i = 0;
    for (; hpack_decoder_table_entry(a, i, &x); i++) {
        assert_true(hpack_decoder_table_entry(b, i, &y));
        assert_same_field(&x, &y);
    }
    assert_false(hpack_decoder_table_entry(b, i, &y));
}

/* Every representation, good and bad. */
static const char *const blocks[] = {
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "20 3fe1 1f 400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572 be",
    "4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf 7e81 1f be bf",
    "1008 7061 7373 776f 7264 0673 6563 7265 74 1088 25a8 49e9 5ba9 7d7f 811f 0f0d 0132",
    "040c 2f73 616d 706c 652f 7061 7468 bd",
    "4003 782d 6101 31 7e01 32 be 3f",
    "0004 686f 7374 0163 0f2f 01 62",
    "4001 6101 62 bf",
    "82 3f45",
    "20 20 20",
    "3fe2 1f 82",
    "0485 1fff ffff ff 82",
    "82 ff80 8080 8080 00",
    "82 0482 1fff 84",
    "0400 4000 00 be",
    "4001 6101",
    "",
};

static void every_split_gives_the_same_result(void **state)
{
    (void)state;
    static struct result whole;
    static struct result split;
    for (size_t b = 0; b < sizeof(blocks) / sizeof(blocks[0]); b++) {
        uint8_t octets[64];
        size_t len = unhex(blocks[b], octets, sizeof(octets));
        struct hpack_decoder *at_once = hpack_decoder_new(NULL, 4096);
        assert_non_null(at_once);
        feed(at_once, octets, len, 0, &whole);
        /* At one octet, at every two, and at all of them (i == k == len). */
        for (size_t i = 0; i <= len; i++) {
            for (size_t k = i; k <= len; k++) {
                uint64_t cuts = i == len ? UINT64_MAX : (uint64_t)1 << i | (uint64_t)1 << k;
                struct hpack_decoder *d = hpack_decoder_new(NULL, 4096);
                assert_non_null(d);
                feed(d, octets, len, cuts, &split);
                assert_same_result(&whole, &split);
                assert_same_tables(at_once, d);
                hpack_decoder_free(d);
            }
        }
        hpack_decoder_free(at_once);
    }
}

static void blocks_of_a_connection_may_be_split_anywhere(void **state)
{
    (void)state;
    static struct result whole;
    static struct result split;
    /* Little room, so that entries go while they are lent. */
    struct hpack_decoder *at_once = hpack_decoder_new(NULL, 100);
    struct hpack_decoder *d = hpack_decoder_new(NULL, 100);
    assert_true(at_once != NULL && d != NULL);
    srand(3);
    for (int round = 0; round < 3000; round++) {
        uint8_t octets[64];
        size_t len = unhex(blocks[rand() % 5], octets, sizeof(octets));
        if (octets[0] == 0x20) {
            len -= 4; /* behind the size updates */
            memmove(octets, octets + 4, len);
        }
        feed(at_once, octets, len, 0, &whole);
        feed(d, octets, len, (uint64_t)rand() << 32 ^ (uint64_t)rand(), &split);
        assert_same_result(&whole, &split);
        assert_same_tables(at_once, d);
        if (whole.rc != HPACK_OK) { /* an index that is no longer there */
            hpack_decoder_free(at_once);
            hpack_decoder_free(d);
            at_once = hpack_decoder_new(NULL, 100);
            d = hpack_decoder_new(NULL, 100);
            assert_true(at_once != NULL && d != NULL);
        }
    }
    hpack_decoder_free(at_once);
    hpack_decoder_free(d);
}

static void a_representation_that_is_cut_off_leaves_no_trace(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_decoder *d = hpack_decoder_new(&c.alloc, 4096);
    assert_non_null(d);
    uint8_t octets[64];
    /* Huffman name and value, into the table: everything that could be begun. */
    size_t len = unhex("4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", octets, sizeof(octets));
    size_t bytes = c.bytes;
    struct h2_field f;
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *piece = exact_copy(octets, cut);
        const uint8_t *pos = piece;
        enum hpack_rc rc = hpack_decoder_next(d, &pos, piece + cut, &f);
        assert_int_equal(rc, cut == 0 ? HPACK_OK : HPACK_ERR_TRUNCATED);
        assert_int_equal(hpack_decoder_end(d), rc);
        assert_ptr_equal(pos, piece);
        assert_int_equal(c.calls, 1); /* the decoder itself */
        assert_int_equal(c.bytes, bytes);
        assert_int_equal(hpack_decoder_table_size(d), 0);
        free(piece);
    }
    const uint8_t *pos = octets;
    assert_int_equal(hpack_decoder_next(d, &pos, octets + len, &f), HPACK_FIELD);
    assert_field(&f, "custom-key", "custom-value");
    assert_int_equal(hpack_decoder_end(d), HPACK_OK);

    /* A size update that is whole is done, and behind it. */
    hpack_decoder_begin(d);
    len = unhex("3f01 3f", octets, sizeof(octets));
    pos = octets;
    assert_int_equal(hpack_decoder_next(d, &pos, octets + len, &f), HPACK_ERR_TRUNCATED);
    assert_ptr_equal(pos, octets + 2);
    assert_int_equal(hpack_decoder_table_size(d), 0);
    hpack_decoder_free(d);
    assert_int_equal(c.blocks, 0);
}

static void an_owed_update_may_still_come_until_the_end(void **state)
{
    (void)state;
    struct hpack_decoder *d = hpack_decoder_new(NULL, 4096);
    assert_non_null(d);
    hpack_decoder_set_max_table_size(d, 100);
    uint8_t octets[8];
    size_t len = unhex("3f45 82", octets, sizeof(octets));
    struct h2_field f;
    const uint8_t *pos = octets;
    assert_int_equal(hpack_decoder_next(d, &pos, octets, &f), HPACK_OK);
    assert_int_equal(hpack_decoder_end(d), HPACK_ERR_TABLE_SIZE); /* had this been all */
    assert_int_equal(hpack_decoder_next(d, &pos, octets + 1, &f), HPACK_ERR_TRUNCATED);
    assert_int_equal(hpack_decoder_next(d, &pos, octets + len, &f), HPACK_FIELD);
    assert_int_equal(hpack_decoder_end(d), HPACK_OK);
    hpack_decoder_free(d);
}

/* ---------------------------------------------------------------- the limit of the list size */

static void the_limit_is_exact_and_counts_references(void **state)
{
    (void)state;
    /* ":method: GET" counts 42, "a: b" 34, each time. */
    static const struct {
        uint32_t limit;
        const char *hex;
        const char *fields; /* 'f': within the limit, 'L': over it */
    } cases[] = {
        {42, "82", "f"},
        {41, "82", "L"},
        {0, "82", "L"},
        {0, "", ""},
        {83, "8282 82", "fLL"},
        {84, "8282 82", "ffL"},
        {34, "4001 6101 62 be", "fL"},
        {67, "4001 6101 62 be 7e01 63", "fLL"},
        {102, "4001 6101 62 be 0f2f 01 63", "fff"},
        {101, "4001 6101 62 be 0f2f 01 63", "ffL"},
        {34, "4001 6101 62 82 be 4001 6301 62 be", "fLLLL"}, /* all behind it are over */
        {UINT32_MAX - 1, "8282 82", "fff"},
        {UINT32_MAX, "8282 82", "fff"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hpack_decoder *d = hpack_decoder_new(NULL, 4096);
        assert_non_null(d);
        hpack_decoder_set_max_list_size(d, cases[i].limit);
        uint8_t octets[64];
        size_t len = unhex(cases[i].hex, octets, sizeof(octets));
        for (int block = 0; block < 2; block++) { /* each block counts from 0 */
            char got[8] = "";
            size_t n = 0;
            const uint8_t *pos = octets;
            struct h2_field f;
            enum hpack_rc rc;
            hpack_decoder_begin(d);
            while ((rc = hpack_decoder_next(d, &pos, octets + len, &f)) == HPACK_FIELD ||
                   rc == HPACK_ERR_LIST_SIZE) {
                got[n++] = rc == HPACK_FIELD ? 'f' : 'L';
            }
            assert_int_equal(rc, HPACK_OK);
            if (strcmp(got, cases[i].fields) != 0) {
                fail_msg("%s, at most %u: %s, expected %s", cases[i].hex, cases[i].limit, got,
                         cases[i].fields);
            }
        }
        hpack_decoder_free(d);
    }
}

static void a_new_limit_counts_from_the_next_block_on(void **state)
{
    (void)state;
    struct hpack_decoder *d = hpack_decoder_new(NULL, 4096);
    assert_non_null(d);
    static const uint8_t octets[] = {0x82, 0x82};
    const uint8_t *pos = octets;
    struct h2_field f;
    hpack_decoder_begin(d);
    hpack_decoder_set_max_list_size(d, 10);
    assert_int_equal(hpack_decoder_next(d, &pos, octets + 1, &f), HPACK_FIELD);
    hpack_decoder_begin(d);
    assert_int_equal(hpack_decoder_next(d, &pos, octets + 2, &f), HPACK_ERR_LIST_SIZE);
    hpack_decoder_free(d);
}

/* Random fields, many into the table, some larger than it; `entries` there are at the beginning, of
   which those that are referred to may have gone. */
static size_t random_block(uint8_t *out, uint32_t entries)
{
    size_t len = 0;
    for (int i = rand() % 30; i > 0; i--) {
        uint32_t index = entries > 0 && rand() % 2 ? 62 + (uint32_t)rand() % entries : 0;
        if (index != 0 && rand() % 2) {
            out[len++] = (uint8_t)(0x80 | index);
            continue;
        }
        bool to_table = rand() % 2;
        uint8_t *end = hpack_integer_write(out + len, to_table ? 0x40 : 0, to_table ? 6 : 4, index);
        len = (size_t)(end - out);
        if (index == 0) {
            len += unhex("0378 2d", out + len, 3);
            out[len++] = (uint8_t)('a' + rand() % 26);
        }
        uint32_t value_len = (uint32_t)(rand() % 10 == 0 ? 300 : rand() % 20);
        end = hpack_integer_write(out + len, 0, 7, value_len);
        memset(end, 'v', value_len);
        len = (size_t)(end - out) + value_len;
    }
    return len;
}

static void over_the_limit_the_table_is_kept_up_and_earlier_strings_stay(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    static uint8_t octets[16384];
    srand(11);
    struct hpack_decoder *free_of_it = hpack_decoder_new(NULL, 200);
    struct hpack_decoder *d = hpack_decoder_new(&c.alloc, 200);
    assert_true(free_of_it != NULL && d != NULL);
    int over = 0;
    for (int round = 0; round < 5000; round++) {
        uint32_t entries = 0;
        struct h2_field f;
        while (hpack_decoder_table_entry(d, entries, &f)) {
            entries++;
        }
        size_t len = random_block(octets, entries);
        hpack_decoder_set_max_list_size(d, (uint32_t)(rand() % 1000));
        hpack_decoder_begin(free_of_it);
        hpack_decoder_begin(d);
        static struct h2_field within[64];
        static struct h2_field expected[64];
        size_t n = 0;
        const uint8_t *a = octets;
        const uint8_t *b = octets;
        struct h2_field g;
        enum hpack_rc rc;
        while ((rc = hpack_decoder_next(free_of_it, &a, octets + len, &g)) == HPACK_FIELD) {
            rc = hpack_decoder_next(d, &b, octets + len, &f);
            assert_ptr_equal(a, b);
            assert_same_field(&g, &f); /* now, at least */
            if (rc == HPACK_FIELD) {
                expected[n] = g;
                within[n++] = f;
            } else {
                assert_int_equal(rc, HPACK_ERR_LIST_SIZE);
                over++;
            }
        }
        for (size_t i = 0; i < n; i++) {
            assert_same_field(&expected[i], &within[i]); /* and at the end */
        }
        assert_same_tables(free_of_it, d);
        if (rc != HPACK_OK) { /* an entry had gone: the connection would be over */
            assert_int_equal(hpack_decoder_next(d, &b, octets + len, &f), rc);
            hpack_decoder_free(free_of_it);
            hpack_decoder_free(d);
            assert_int_equal(c.blocks, 0);
            free_of_it = hpack_decoder_new(NULL, 200);
            d = hpack_decoder_new(&c.alloc, 200);
            assert_true(free_of_it != NULL && d != NULL);
        } else if (rand() % 4 == 0) {
            hpack_decoder_release(d);
        }
    }
    assert_true(over > 5000);
    hpack_decoder_free(free_of_it);
    hpack_decoder_free(d);
    assert_int_equal(c.blocks, 0);
}

/* Blocks that make much of little, each a first part and one that is said again and again. */
static const struct {
    const char *what;
    uint32_t name_len; /* of an entry that goes into the table first */
    const char *again;
    uint32_t fill; /* octets behind each `again` */
} bombs[] = {
    {"references", 4000, "be", 0},
    {"the name of the newest entry", 4000, "7e01 62", 0},
    {"literals", 10, "0001 617f c105", 832},
    {"literals with a name", 10, "407f c105", 832},
    {"a literal larger than the table, with the name of an entry", 10, "4001 6101 627e 7fa3 1f",
     4130},
};

static void a_bomb_holds_nothing_over_the_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
        struct counting c;
        counting_init(&c);
        struct hpack_decoder *d = hpack_decoder_new(&c.alloc, 4096);
        assert_non_null(d);
        hpack_decoder_set_max_list_size(d, 20000);
        static uint8_t octets[2 << 20];
        uint8_t *p = octets;
        *p++ = 0x40;
        p = hpack_integer_write(p, 0, 7, bombs[i].name_len);
        memset(p, 'n', bombs[i].name_len);
        p += bombs[i].name_len;
        p += unhex("0161", p, 2);
        for (int k = 0; k < 400; k++) {
            p += unhex(bombs[i].again, p, 16);
            memset(p, 'v', bombs[i].fill);
            p += bombs[i].fill;
            if (bombs[i].again[0] == '4' && bombs[i].again[1] == '0' && bombs[i].fill == 832) {
                *p++ = 1; /* the value of a literal whose name was filled */
                *p++ = 'v';
            }
        }
        assert_true((size_t)(p - octets) < sizeof(octets));
        const uint8_t *pos = octets;
        struct h2_field f;
        enum hpack_rc rc;
        size_t over = 0;
        size_t most = 0;
        hpack_decoder_begin(d);
        while ((rc = hpack_decoder_next(d, &pos, p, &f)) == HPACK_FIELD ||
               rc == HPACK_ERR_LIST_SIZE) {
            over += rc == HPACK_ERR_LIST_SIZE;
            most = c.bytes > most ? c.bytes : most;
            assert_true(f.value_len == 0 || f.value[f.value_len - 1] != 0);
        }
        if (rc != HPACK_OK || over < 300 || most > 4 * 20000) {
            fail_msg("%s: %s, %zu fields over the limit, %zu octets held", bombs[i].what,
                     hpack_rc_text(rc), over, most);
        }
        hpack_decoder_free(d);
        assert_int_equal(c.blocks, 0);
    }
}

static void release_over_the_limit_is_legal(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_decoder *d = hpack_decoder_new(&c.alloc, 4096);
    assert_non_null(d);
    size_t idle = c.bytes;
    hpack_decoder_set_max_list_size(d, 40);
    uint8_t octets[64];
    size_t len = unhex("0001 6101 62 0001 6301 64 0001 6501 66 82", octets, sizeof(octets));
    const uint8_t *pos = octets;
    struct h2_field f;
    hpack_decoder_begin(d);
    assert_int_equal(hpack_decoder_next(d, &pos, octets + len, &f), HPACK_FIELD);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hpack_decoder_next(d, &pos, octets + len, &f), HPACK_ERR_LIST_SIZE);
        hpack_decoder_release(d);
        assert_int_equal(c.bytes, idle);
    }
    assert_int_equal(hpack_decoder_next(d, &pos, octets + len, &f), HPACK_OK);
    hpack_decoder_free(d);
}

static void every_failed_allocation_over_the_limit_is_reported(void **state)
{
    (void)state;
    for (size_t fail_at = 1;; fail_at++) {
        struct counting c;
        counting_init(&c);
        c.fail_at = fail_at;
        struct hpack_decoder *d = hpack_decoder_new(&c.alloc, 40);
        enum hpack_rc rc = HPACK_ERR_NOMEM;
        if (d != NULL) {
            hpack_decoder_set_max_list_size(d, 0);
            hpack_decoder_begin(d);
            uint8_t octets[64];
            /* An entry; a field that is too large and has its name; one of its own. */
            size_t len = unhex("4003 782d 6101 31 7e0a 30313233343536373839 0001 6101 62", octets,
                               sizeof(octets));
            const uint8_t *pos = octets;
            struct h2_field f;
            do {
                rc = hpack_decoder_next(d, &pos, octets + len, &f);
            } while (rc == HPACK_ERR_LIST_SIZE);
        }
        hpack_decoder_free(d);
        assert_int_equal(c.blocks, 0);
        if (rc == HPACK_OK) {
            assert_true(fail_at > 4);
            break;
        }
        assert_int_equal(rc, HPACK_ERR_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same_result),
        cmocka_unit_test(blocks_of_a_connection_may_be_split_anywhere),
        cmocka_unit_test(a_representation_that_is_cut_off_leaves_no_trace),
        cmocka_unit_test(an_owed_update_may_still_come_until_the_end),
        cmocka_unit_test(the_limit_is_exact_and_counts_references),
        cmocka_unit_test(a_new_limit_counts_from_the_next_block_on),
        cmocka_unit_test(over_the_limit_the_table_is_kept_up_and_earlier_strings_stay),
        cmocka_unit_test(a_bomb_holds_nothing_over_the_limit),
        cmocka_unit_test(release_over_the_limit_is_legal),
        cmocka_unit_test(every_failed_allocation_over_the_limit_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
