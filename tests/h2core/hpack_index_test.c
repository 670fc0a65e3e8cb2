/* The encoder's index over the dynamic table. */
#include "hpack_internal.h"
#include "hpack_testing.h"

#include <stdio.h>

struct fixture {
    struct counting c;
    struct hpack_table table;
    struct hpack_index index;
};

static void add(struct fixture *x, struct h2_field f)
{
    struct hpack_indexed_entry *e =
        (struct hpack_indexed_entry *)hpack_entry_new(&x->c.alloc, sizeof(*e), &f);
    assert_non_null(e);
    e->name_hash = hpack_hash_name(&f);
    e->field_hash = hpack_hash_field(e->name_hash, &f);
    struct hpack_entry *old;
    while ((old = hpack_table_evict(&x->table, hpack_field_size(&f))) != NULL) {
        hpack_release(&x->c.alloc, old);
    }
    assert_true(hpack_table_reserve(&x->table, &x->c.alloc));
    hpack_index_add(&x->index, &x->table, e);
    hpack_table_push(&x->table, &e->entry);
}

static bool find(const struct fixture *x, struct h2_field f, bool whole, uint32_t *index)
{
    uint32_t hash = hpack_hash_name(&f);
    return whole
               ? hpack_index_find_field(&x->index, &x->table, &f, hpack_hash_field(hash, &f), index)
               : hpack_index_find_name(&x->index, &x->table, &f, hash, index);
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

static void equal_hashes_are_not_equal_fields(void **state)
{
    (void)state;
    struct fixture x = {.table = {.max_size = 4096}};
    counting_init(&x.c);
    struct h2_field f = field_of("name", "value");
    add(&x, f);
    uint32_t index;
    uint32_t name_hash = hpack_hash_name(&f);
    uint32_t hash = hpack_hash_field(name_hash, &f);
    static const char *const others[][2] = {
        {"name", "other"}, {"name", "valu"}, {"name", "value2"},
        {"nama", "value"}, {"nam", "value"},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct h2_field other = field_of(others[i][0], others[i][1]);
        assert_false(hpack_index_find_field(&x.index, &x.table, &other, hash, &index));
        assert_int_equal(hpack_index_find_name(&x.index, &x.table, &other, name_hash, &index),
                         strcmp(others[i][0], "name") == 0);
    }
    struct h2_field known = f;
    known.token = H2_TOKEN_HOST;
    assert_false(hpack_index_find_name(&x.index, &x.table, &known, name_hash, &index));
    hpack_table_free(&x.table, &x.c.alloc);
}

static void a_full_bucket_is_walked_a_bounded_way_only(void **state)
{
    (void)state;
    /* All in one bucket, as an attacker would have it: the newest are found, the oldest missed. */
    struct fixture x = {.table = {.max_size = 1 << 20}};
    counting_init(&x.c);
    char value[16];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(value, sizeof(value), "%u", i);
        struct h2_field f = field_of("n", value);
        struct hpack_indexed_entry *e =
            (struct hpack_indexed_entry *)hpack_entry_new(&x.c.alloc, sizeof(*e), &f);
        assert_non_null(e);
        e->name_hash = e->field_hash = 7;
        assert_true(hpack_table_reserve(&x.table, &x.c.alloc));
        hpack_index_add(&x.index, &x.table, e);
        hpack_table_push(&x.table, &e->entry);
    }
    uint32_t index;
    struct h2_field newest = field_of("n", "999");
    assert_true(hpack_index_find_field(&x.index, &x.table, &newest, 7, &index));
    assert_int_equal(index, 0);
    struct h2_field oldest = field_of("n", "0");
    assert_false(hpack_index_find_field(&x.index, &x.table, &oldest, 7, &index));
    hpack_table_free(&x.table, &x.c.alloc);
    assert_int_equal(x.c.blocks, 0);
}

static void every_octet_of_a_value_counts_in_its_hash(void **state)
{
    (void)state;
    char value[40];
    memset(value, 'a', sizeof(value));
    for (uint32_t len = 0; len <= sizeof(value); len++) {
        struct h2_field f = {"n", value, 1, len, 0, 0};
        uint32_t hash = hpack_hash_field(1, &f);
        assert_int_not_equal(hpack_hash_field(2, &f), hash);
        for (uint32_t i = 0; i < len; i++) {
            value[i] ^= 1;
            assert_int_not_equal(hpack_hash_field(1, &f), hash);
            value[i] ^= 1;
        }
        if (len > 0) {
            f.value_len--;
            assert_int_not_equal(hpack_hash_field(1, &f), hash);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_in_the_table_and_nothing_else),
        cmocka_unit_test(equal_hashes_are_not_equal_fields),
        cmocka_unit_test(a_full_bucket_is_walked_a_bounded_way_only),
        cmocka_unit_test(every_octet_of_a_value_counts_in_its_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
