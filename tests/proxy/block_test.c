/* Blocks that are lent and come back, and arenas that are given back as a whole. */
#include "net/block.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_block_that_came_back_is_lent_again(void **state)
{
    (void)state;
    struct block_pool pool = {0};
    struct block *a = block_get(&pool), *b = block_get(&pool);
    assert_int_equal(pool.lent, 2);
    assert_ptr_not_equal(a, b);
    memset(a->data, 0xff, BLOCK_ROOM); /* all of it is ours */
    a->start = 3;
    a->end = BLOCK_ROOM;
    a->next = b;
    block_put(&pool, a);
    assert_int_equal(pool.lent, 1);
    assert_int_equal(pool.nfree, 1);
    struct block *c = block_get(&pool);
    assert_ptr_equal(c, a);
    assert_true(c->start == 0 && c->end == 0 && c->next == NULL);
    assert_int_equal(pool.nfree, 0);
    block_put(&pool, b);
    block_put(&pool, c);
    assert_int_equal(pool.lent, 0);
    block_pool_clear(&pool);
    assert_true(pool.free == NULL && pool.nfree == 0);
    block_pool_clear(&pool);
}

static void a_pool_keeps_a_bounded_number_of_free_blocks(void **state)
{
    (void)state;
    enum { MANY = 1500 };
    struct block_pool pool = {0};
    struct block *all = NULL;
    for (int i = 0; i < MANY; i++) {
        struct block *b = block_get(&pool);
        b->next = all;
        all = b;
    }
    assert_int_equal(pool.lent, MANY);
    while (all != NULL) {
        struct block *b = all;
        all = b->next;
        block_put(&pool, b);
    }
    assert_int_equal(pool.lent, 0);
    assert_true(pool.nfree > 0 && pool.nfree < MANY);
    block_pool_clear(&pool);
}

static void arena_memory_is_aligned_and_nobody_elses(void **state)
{
    (void)state;
    struct block_pool pool = {0};
    struct arena arena;
    arena_init(&arena, &pool);
    struct {
        uint8_t *p;
        size_t len;
    } got[400];
    size_t n = 0;
    /* Every small size, those around half a block, where allocations of their own begin, and large
     * ones. */
    for (size_t size = 0; size < 300; size++) {
        got[n++].len = size;
    }
    for (size_t size = BLOCK_ROOM / 2 - 20; size < BLOCK_ROOM / 2 + 20; size++) {
        got[n++].len = size;
    }
    got[n++].len = BLOCK_ROOM;
    got[n++].len = BLOCK_SIZE;
    got[n++].len = 100000;
    for (size_t i = 0; i < n; i++) {
        got[i].p = arena_alloc(&arena, got[i].len);
        assert_int_equal((uintptr_t)got[i].p % 16, 0);
        memset(got[i].p, (int)(i & 0xff), got[i].len);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < got[i].len; j++) {
            assert_int_equal(got[i].p[j], i & 0xff);
        }
    }
    assert_true(pool.lent > 1);
    arena_release(&arena);
    assert_int_equal(pool.lent, 0);
    arena_release(&arena); /* has nothing left */
    assert_non_null(arena_alloc(&arena, 1));
    arena_release(&arena);
    block_pool_clear(&pool);
}

static void a_copy_ends_with_nul(void **state)
{
    (void)state;
    struct block_pool pool = {0};
    struct arena arena;
    arena_init(&arena, &pool);
    static char long_text[3 * BLOCK_SIZE];
    memset(long_text, 'x', sizeof(long_text));
    for (size_t len = 0; len < sizeof(long_text); len = len * 2 + 1) {
        const char *copy = arena_copy(&arena, long_text, len);
        assert_memory_equal(copy, long_text, len);
        assert_int_equal(copy[len], 0);
    }
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    assert_memory_equal(arena_copy(&arena, "a\0b", 3), "a\0b", 4);
    arena_release(&arena);
    block_pool_clear(&pool);
}

static void the_allocators_that_never_fail(void **state)
{
    (void)state;
    char *s = xstrdup("text"), *z = xcalloc(3, 5), *m = xmalloc(1);
    assert_string_equal(s, "text");
    assert_memory_equal(z, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
    s = xrealloc(s, 4000);
    assert_string_equal(s, "text");
    free(s);
    free(z);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_that_came_back_is_lent_again),
        cmocka_unit_test(a_pool_keeps_a_bounded_number_of_free_blocks),
        cmocka_unit_test(arena_memory_is_aligned_and_nobody_elses),
        cmocka_unit_test(a_copy_ends_with_nul),
        cmocka_unit_test(the_allocators_that_never_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
