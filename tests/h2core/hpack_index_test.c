/* The encoder's index over the dynamic table. */
#include "hpack_internal.h"
#include "hpack_testing.h"

#include <stdio.h>

struct fixture {
    struct counting c;
    struct hpack_table table;
    struct hpack_index index;
};

static struct hpack_found look(const struct fixture *x, const struct h2_field *f, unsigned parts)
{
    return hpack_index_find(&x->index, &x->table, f, f->token, parts);
}

/* With hashes of its own, if they are not 0, as an attacker may choose values that have them. */
static void add_with_hashes(struct fixture *x, struct h2_field f, uint32_t name_hash,
                            uint32_t field_hash)
{
    struct hpack_indexed_entry *e =
        (struct hpack_indexed_entry *)hpack_entry_new(&x->c.alloc, sizeof(*e), &f);
    assert_non_null(e);
    struct hpack_found found = look(x, &f, HPACK_WHOLE);
    e->name_hash = name_hash != 0 ? name_hash : found.name_hash;
    e->field_hash = field_hash != 0 ? field_hash : found.field_hash;
    struct hpack_entry *old;
    while ((old = hpack_table_evict(&x->table, hpack_field_size(&f))) != NULL) {
        hpack_release(&x->c.alloc, old);
    }
    assert_true(hpack_table_reserve(&x->table, &x->c.alloc));
    hpack_index_add(&x->index, &x->table, e);
    hpack_table_push(&x->table, &e->entry);
}

static void add(struct fixture *x, struct h2_field f)
{
    add_with_hashes(x, f, 0, 0);
}

static bool find(const struct fixture *x, struct h2_field f, bool whole, uint32_t *index)
{
    enum hpack_part part = whole ? HPACK_WHOLE : HPACK_NAME;
    struct hpack_found found = look(x, &f, part);
    *index = found.index;
    assert_true(found.part == part || found.part == HPACK_NOTHING);
    return found.part == part;
}

static void finds_what_is_in_the_table_and_nothing_else(void **state)
{
    (void)state;
    struct fixture x = {.table = {.max_size = 20 * 40}};
    counting_init(&x.c);
    uint32_t index;
    assert_false(find(&x, field_of("n", "v"), true, &index));
    for (unsigned i = 0; i < 2000; i++) {
        char name[16];
        char value[16];
        snprintf(name, sizeof(name), "%04u", i % 7 == 0 ? 0 : i);
        snprintf(value, sizeof(value), "%04u", i);
        add(&x, field_of(name, value)); /* 40 octets each: 20 of them */
        for (unsigned back = 0; back < 30; back++) {
            unsigned k = i - back;
            if (k > i) {
                break;
            }
            snprintf(name, sizeof(name), "%04u", k % 7 == 0 ? 0 : k);
            snprintf(value, sizeof(value), "%04u", k);
            bool held = back < 20;
            assert_int_equal(find(&x, field_of(name, value), true, &index), held);
            if (held) {
                assert_int_equal(index, back);
            }
            assert_false(find(&x, field_of(name, "other"), true, &index));
            if (k % 7 != 0) {
                assert_int_equal(find(&x, field_of(name, "other"), false, &index), held);
            } else {
                assert_true(find(&x, field_of(name, "other"), false, &index));
                assert_int_equal(index, i % 7); /* the newest one with that name */
            }
        }
    }
    hpack_table_free(&x.table, &x.c.alloc);
    assert_false(find(&x, field_of("0000", "0000"), false, &index)); /* an empty table has none */
    assert_int_equal(x.c.blocks, 0);
}

static void the_whole_field_goes_before_its_name(void **state)
{
    (void)state;
    struct fixture x = {.table = {.max_size = 4096}};
    counting_init(&x.c);
    struct h2_field f = field_of("name", "value");
    struct h2_field other = field_of("name", "other");
    assert_int_equal(look(&x, &f, HPACK_WHOLE | HPACK_NAME).part, HPACK_NOTHING);
    add(&x, f);
    add(&x, other);
    struct hpack_found found = look(&x, &f, HPACK_WHOLE | HPACK_NAME);
    assert_int_equal(found.part, HPACK_WHOLE);
    assert_int_equal(found.index, 1);
    found = look(&x, &f, HPACK_NAME);
    assert_int_equal(found.part, HPACK_NAME);
    assert_int_equal(found.index, 0);
    f.value = "";
    f.value_len = 0;
    assert_int_equal(look(&x, &f, HPACK_WHOLE | HPACK_NAME).part, HPACK_NAME);
    assert_int_equal(look(&x, &f, HPACK_WHOLE).part, HPACK_NOTHING);
    assert_int_equal(look(&x, &f, 0).part, HPACK_NOTHING);
    hpack_table_free(&x.table, &x.c.alloc);
}

static void equal_hashes_are_not_equal_fields(void **state)
{
    (void)state;
    static const char long_value[] = "a value that is longer than what is compared in line";
    static const char *const others[][2] = {
        {"name", "other"},
        {"name", "valu"},
        {"name", "value2"},
        {"nama", "value"},
        {"nam", "value"},
        {"name", ""},
        {"name", "value456"},
        {"name", "value4567"},
        {"name", "value456789012345"},
        {"name", "v"},
        {"name", "va"},
        {"name", "val"},
        {"a-longer-name", "v"},
        {"a-longer-nam3", "v"},
        {"a-longer-name-of-many-octets-indeed", "v"},
        {"name", long_value},
        {"name", long_value + 1},
    };
    size_t n = sizeof(others) / sizeof(others[0]);
    for (size_t i = 0; i < n; i++) {
        struct h2_field f = field_of(others[i][0], others[i][1]);
        for (size_t k = 0; k < n; k++) {
            struct fixture x = {.table = {.max_size = 4096}};
            counting_init(&x.c);
            struct h2_field other = field_of(others[k][0], others[k][1]);
            struct hpack_found hashes = look(&x, &f, HPACK_WHOLE);
            add_with_hashes(&x, other, hashes.name_hash, hashes.field_hash);
            bool same_name = strcmp(others[i][0], others[k][0]) == 0;
            assert_int_equal(look(&x, &f, HPACK_WHOLE).part, i == k ? HPACK_WHOLE : HPACK_NOTHING);
            assert_int_equal(look(&x, &f, HPACK_NAME).part, same_name ? HPACK_NAME : HPACK_NOTHING);
            hpack_table_free(&x.table, &x.c.alloc);
        }
    }
    /* Nor are a well-known name and another one. */
    struct fixture x = {.table = {.max_size = 4096}};
    counting_init(&x.c);
    struct h2_field known = field_of("host", "v");
    struct hpack_found hashes = hpack_index_find(&x.index, &x.table, &known, H2_TOKEN_HOST, 0);
    add_with_hashes(&x, field_of("name", "v"), hashes.name_hash, 0);
    known.token = H2_TOKEN_HOST;
    assert_int_equal(look(&x, &known, HPACK_NAME).part, HPACK_NOTHING);
    hpack_table_free(&x.table, &x.c.alloc);
}

static void each_octet_of_a_value_is_compared(void **state)
{
    (void)state;
    char value[80];
    char other[80];
    memset(value, 'a', sizeof(value));
    for (uint32_t len = 1; len <= sizeof(value); len++) {
        struct fixture x = {.table = {.max_size = 4096}};
        counting_init(&x.c);
        struct h2_field f = {"n", value, 1, len, 0, 0};
        struct hpack_found hashes = look(&x, &f, HPACK_WHOLE);
        for (uint32_t i = 0; i < len; i++) {
            memcpy(other, value, sizeof(other));
            other[i] ^= 1;
            struct h2_field g = {"n", other, 1, len, 0, 0};
            add_with_hashes(&x, g, hashes.name_hash, hashes.field_hash);
            assert_int_equal(look(&x, &f, HPACK_WHOLE).part, HPACK_NOTHING);
            hpack_table_free(&x.table, &x.c.alloc);
            x = (struct fixture){.table = {.max_size = 4096}, .c = x.c};
            counting_init(&x.c);
        }
    }
}

static void a_full_bucket_is_walked_a_bounded_way_only(void **state)
{
    (void)state;
    /* All in one bucket, as an attacker would have it: the newest are found, the oldest missed. */
    struct fixture x = {.table = {.max_size = 1 << 20}};
    counting_init(&x.c);
    struct h2_field oldest = field_of("n", "oldest");
    struct h2_field newest = field_of("n", "newest");
    uint32_t name_hash = look(&x, &oldest, HPACK_WHOLE).name_hash;
    uint32_t oldest_hash = look(&x, &oldest, HPACK_WHOLE).field_hash;
    add(&x, oldest);
    for (unsigned i = 0; i < 1000; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%u", i);
        /* Other hashes, but the same buckets. */
        add_with_hashes(&x, field_of("x", value), name_hash + (i + 1) * HPACK_INDEX_BUCKETS,
                        oldest_hash + (i + 1) * HPACK_INDEX_BUCKETS);
        bool found = look(&x, &oldest, HPACK_WHOLE).part == HPACK_WHOLE;
        assert_int_equal(found, i + 1 < 32);
        assert_int_equal(look(&x, &oldest, HPACK_NAME).part == HPACK_NAME, found);
    }
    add(&x, newest);
    assert_int_equal(look(&x, &newest, HPACK_WHOLE).part, HPACK_WHOLE);
    assert_int_equal(look(&x, &newest, HPACK_WHOLE).index, 0);
    hpack_table_free(&x.table, &x.c.alloc);
    assert_int_equal(x.c.blocks, 0);
}

static void numbers_may_wrap(void **state)
{
    (void)state;
    struct fixture x = {.table = {.max_size = 10 * 40, .pushed = UINT32_MAX - 1000}};
    counting_init(&x.c);
    unsigned missed = 0;
    for (unsigned i = 0; i < 2000; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%06u", i);
        add(&x, field_of("nn", value));
        for (unsigned back = 0; back < 12 && back <= i; back++) {
            snprintf(value, sizeof(value), "%06u", i - back);
            struct h2_field f = field_of("nn", value);
            struct hpack_found found = look(&x, &f, HPACK_WHOLE);
            if (back >= 10) {
                assert_int_equal(found.part, HPACK_NOTHING);
            } else if (found.part == HPACK_WHOLE) {
                assert_int_equal(found.index, back);
            } else {
                missed++; /* the entry whose reference is 0, and what is behind it in its chains */
            }
        }
    }
    assert_true(missed < 100);
    hpack_table_free(&x.table, &x.c.alloc);
    assert_int_equal(x.c.blocks, 0);
}

static void every_octet_of_a_value_counts_in_its_hash(void **state)
{
    (void)state;
    static const struct fixture none;
    char value[40];
    memset(value, 'a', sizeof(value));
    for (uint32_t len = 0; len <= sizeof(value); len++) {
        struct h2_field f = {"n", value, 1, len, 0, 0};
        struct h2_field other = {"m", value, 1, len, 0, 0};
        uint32_t hash = look(&none, &f, HPACK_WHOLE).field_hash;
        assert_int_not_equal(look(&none, &other, HPACK_WHOLE).field_hash, hash);
        for (uint32_t i = 0; i < len; i++) {
            value[i] ^= 1;
            assert_int_not_equal(look(&none, &f, HPACK_WHOLE).field_hash, hash);
            value[i] ^= 1;
        }
        if (len > 0) {
            f.value_len--;
            assert_int_not_equal(look(&none, &f, HPACK_WHOLE).field_hash, hash);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_in_the_table_and_nothing_else),
        cmocka_unit_test(the_whole_field_goes_before_its_name),
        cmocka_unit_test(each_octet_of_a_value_is_compared),
        cmocka_unit_test(numbers_may_wrap),
        cmocka_unit_test(equal_hashes_are_not_equal_fields),
        cmocka_unit_test(a_full_bucket_is_walked_a_bounded_way_only),
        cmocka_unit_test(every_octet_of_a_value_counts_in_its_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
