/* The decoder's strings outside of the table. */
#include "hpack_internal.h"
#include "hpack_testing.h"

static char *put(struct hpack_scratch *s, struct counting *c, char octet, size_t len)
{
    char *p = hpack_scratch_reserve(s, &c->alloc, len);
    assert_non_null(p);
    memset(p, octet, len);
    hpack_scratch_take(s, len);
    return p;
}

static void strings_do_not_move_and_do_not_overlap(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_scratch s = {0};
    char *p[500];
    size_t total = 0;
    for (size_t i = 0; i < 500; i++) {
        p[i] = put(&s, &c, (char)i, i * 3);
        total += i * 3;
        assert_true(c.bytes <= 2 * total + 16384 + 2048);
    }
    assert_true(c.blocks < 40);
    for (size_t i = 0; i < 500; i++) {
        for (size_t k = 0; k < i * 3; k++) {
            assert_int_equal(p[i][k], (char)i);
        }
    }
    hpack_scratch_free(&s, &c.alloc);
    assert_int_equal(c.blocks, 0);
}

static void only_what_is_taken_is_used(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_scratch s = {0};
    char *a = put(&s, &c, 'a', 10);
    for (int i = 0; i < 1000; i++) {
        assert_ptr_equal(hpack_scratch_reserve(&s, &c.alloc, 500), a + 10);
    }
    assert_int_equal(c.blocks, 1);
    struct hpack_scratch mark = s;
    put(&s, &c, 'b', 100);
    hpack_scratch_rewind(&s, &mark);
    assert_ptr_equal(hpack_scratch_reserve(&s, &c.alloc, 500), a + 10);

    /* Rewound behind a new chunk, that chunk is all free. */
    char *far = put(&s, &c, 'c', 5000);
    hpack_scratch_rewind(&s, &mark);
    assert_ptr_equal(hpack_scratch_reserve(&s, &c.alloc, 5000), far);
    assert_int_equal(a[9], 'a');
    hpack_scratch_free(&s, &c.alloc);
    assert_int_equal(c.blocks, 0);
}

static void cut_frees_the_chunks_behind_the_mark(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_scratch s = {0};
    struct hpack_scratch nothing = s;
    char *a = put(&s, &c, 'a', 10);
    struct hpack_scratch mark = s;
    size_t bytes = c.bytes;
    for (int i = 0; i < 100; i++) {
        put(&s, &c, 'b', 1000);
    }
    hpack_scratch_cut(&s, &c.alloc, &mark);
    assert_int_equal(c.bytes, bytes);
    assert_int_equal(a[9], 'a');
    assert_ptr_equal(hpack_scratch_reserve(&s, &c.alloc, 10), a + 10);
    hpack_scratch_cut(&s, &c.alloc, &nothing);
    assert_int_equal(c.blocks, 0);
}

static void reset_keeps_one_chunk_of_ordinary_size(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_scratch s = {0};
    hpack_scratch_reset(&s, &c.alloc);
    for (int i = 0; i < 100; i++) {
        put(&s, &c, 'x', 700);
    }
    hpack_scratch_reset(&s, &c.alloc);
    assert_int_equal(c.blocks, 1);
    assert_true(c.bytes <= 16384 + 64);
    put(&s, &c, 'x', 100000);
    hpack_scratch_reset(&s, &c.alloc);
    assert_int_equal(c.blocks, 0);
}

static void no_memory_is_told_and_what_was_there_stays(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_scratch s = {0};
    char *a = put(&s, &c, 'a', 10);
    c.fail_at = c.calls + 1;
    assert_null(hpack_scratch_reserve(&s, &c.alloc, 5000));
    assert_int_equal(a[9], 'a');
    assert_ptr_equal(hpack_scratch_reserve(&s, &c.alloc, 10), a + 10);
    hpack_scratch_free(&s, &c.alloc);
    assert_int_equal(c.blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_do_not_move_and_do_not_overlap),
        cmocka_unit_test(only_what_is_taken_is_used),
        cmocka_unit_test(cut_frees_the_chunks_behind_the_mark),
        cmocka_unit_test(reset_keeps_one_chunk_of_ordinary_size),
        cmocka_unit_test(no_memory_is_told_and_what_was_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
