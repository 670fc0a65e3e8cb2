/* The queue between two sides: what goes in comes out, in order, whatever the sizes. */
#include "net/pipe.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The octet at a place of the endless stream that is written here. */
static uint8_t octet(uint64_t at)
{
    return (uint8_t)(at * 167 + (at >> 8) * 13);
}

static void write_some(struct pipe *p, size_t n)
{
    static uint8_t data[4 * BLOCK_SIZE];
    assert_true(n <= sizeof(data));
    for (size_t i = 0; i < n; i++) {
        data[i] = octet(p->taken + p->len + i);
    }
    pipe_write(p, data, n);
}

static void read_some(struct pipe *p, size_t n)
{
    static uint8_t data[8 * BLOCK_SIZE];
    assert_true(n <= sizeof(data));
    uint64_t at = p->taken;
    size_t expected = n < p->len ? n : p->len, len = p->len;
    assert_int_equal(pipe_read(p, data, n), expected);
    for (size_t i = 0; i < expected; i++) {
        assert_int_equal(data[i], octet(at + i));
    }
    assert_int_equal(p->taken, at + expected);
    assert_int_equal(p->len, len - expected);
}

static void what_was_written_is_read_in_order(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        1, 2, 17, 1000, BLOCK_ROOM, BLOCK_ROOM - 1, BLOCK_SIZE, 0, 2 * BLOCK_ROOM + 1};
    struct block_pool pool = {0};
    struct pipe p;
    pipe_init(&p, &pool, 1000);
    for (size_t w = 0; w < COUNT(sizes); w++) {
        for (size_t r = 0; r < COUNT(sizes); r++) {
            write_some(&p, sizes[w]);
            write_some(&p, 5);
            read_some(&p, sizes[r]);
        }
    }
    assert_true(p.len > 0);
    read_some(&p, 8 * BLOCK_SIZE);
    while (p.len > 0) {
        read_some(&p, 8 * BLOCK_SIZE);
    }
    assert_int_equal(pool.lent, 0); /* an empty pipe holds nothing */
    block_pool_clear(&pool);
}

static void peek_shows_what_lies_together_and_drop_takes_it(void **state)
{
    (void)state;
    struct block_pool pool = {0};
    struct pipe p;
    const uint8_t *data;
    pipe_init(&p, &pool, 1000);
    assert_int_equal(pipe_peek(&p, &data), 0);
    write_some(&p, BLOCK_ROOM + 100);
    assert_int_equal(pipe_peek(&p, &data), BLOCK_ROOM);
    assert_int_equal(data[0], octet(0));
    pipe_drop(&p, 10);
    assert_int_equal(pipe_peek(&p, &data), BLOCK_ROOM - 10);
    assert_int_equal(data[0], octet(10));
    pipe_drop(&p, BLOCK_ROOM); /* over the border of a block */
    assert_int_equal(pipe_peek(&p, &data), 90);
    assert_int_equal(data[0], octet(BLOCK_ROOM + 10));
    pipe_drop(&p, 0);
    pipe_drop(&p, 90);
    assert_int_equal(pipe_peek(&p, &data), 0);
    assert_int_equal(pool.lent, 0);
    write_some(&p, 3); /* and it goes on */
    read_some(&p, 3);
    block_pool_clear(&pool);
}

static void the_limit_is_a_mark_and_not_a_wall(void **state)
{
    (void)state;
    struct block_pool pool = {0};
    struct pipe p;
    pipe_init(&p, &pool, 100);
    assert_int_equal(pipe_room(&p), 100);
    write_some(&p, 99);
    assert_int_equal(pipe_room(&p), 1);
    write_some(&p, 2);
    assert_int_equal(pipe_room(&p), 0);
    read_some(&p, 1);
    assert_int_equal(pipe_room(&p), 0);
    read_some(&p, 1);
    assert_int_equal(pipe_room(&p), 1);
    pipe_clear(&p);
    assert_int_equal(pipe_room(&p), 100);
    block_pool_clear(&pool);
}

static void a_pipe_is_done_when_it_has_ended_and_is_empty(void **state)
{
    (void)state;
    struct block_pool pool = {0};
    struct pipe p;
    pipe_init(&p, &pool, 100);
    assert_false(pipe_done(&p));
    write_some(&p, 2);
    p.ended = true;
    assert_false(pipe_done(&p));
    pipe_write(&p, NULL, 0); /* nothing may still be written */
    read_some(&p, 1);
    assert_false(pipe_done(&p));
    read_some(&p, 1);
    assert_true(pipe_done(&p));
    block_pool_clear(&pool);
}

static void a_cleared_pipe_gives_its_blocks_back(void **state)
{
    (void)state;
    struct block_pool pool = {0};
    struct pipe p;
    pipe_init(&p, &pool, 100);
    write_some(&p, 3 * BLOCK_ROOM);
    read_some(&p, 10);
    assert_int_equal(pool.lent, 3);
    pipe_clear(&p);
    assert_int_equal(pool.lent, 0);
    assert_int_equal(p.len, 0);
    pipe_clear(&p);
    write_some(&p, 5);
    read_some(&p, 5);
    block_pool_clear(&pool);
}

static void what_is_kept_can_be_had_again(void **state)
{
    (void)state;
    static const size_t reads[] = {1, 100, BLOCK_ROOM - 1, BLOCK_ROOM, BLOCK_ROOM + 1, 9000};
    struct block_pool pool = {0};
    for (size_t i = 0; i < COUNT(reads); i++) {
        struct pipe p;
        pipe_init(&p, &pool, 10000);
        pipe_keep(&p);
        write_some(&p, 9000);
        read_some(&p, reads[i]);
        assert_int_equal(pipe_unread(&p), 9000 - reads[i]);
        write_some(&p, 700);
        pipe_rewind(&p);
        assert_int_equal(p.taken, 0);
        assert_int_equal(p.len, 9700);
        assert_int_equal(pipe_unread(&p), 9700 - reads[i]); /* less than there is: some were out */
        read_some(&p, 9700);
        pipe_rewind(&p);
        read_some(&p, 17);
        assert_int_equal(pipe_unread(&p), 0);
        pipe_clear(&p);
        assert_int_equal(pool.lent, 0);
    }
    block_pool_clear(&pool);
}

static void no_more_than_the_limit_is_kept(void **state)
{
    (void)state;
    struct block_pool pool = {0};
    struct pipe p;
    pipe_init(&p, &pool, 8000);
    pipe_keep(&p);
    for (size_t i = 0; i < 80; i++) {
        assert_true(p.keeps);
        write_some(&p, 100);
        read_some(&p, 100);
    }
    assert_true(p.keeps && pool.lent >= 2);
    write_some(&p, 1);
    read_some(&p, 1);
    assert_false(p.keeps);
    assert_true(pool.lent <= 1);
    pipe_clear(&p);
    assert_int_equal(pool.lent, 0);
    block_pool_clear(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_in_order),
        cmocka_unit_test(peek_shows_what_lies_together_and_drop_takes_it),
        cmocka_unit_test(the_limit_is_a_mark_and_not_a_wall),
        cmocka_unit_test(a_pipe_is_done_when_it_has_ended_and_is_empty),
        cmocka_unit_test(a_cleared_pipe_gives_its_blocks_back),
        cmocka_unit_test(what_is_kept_can_be_had_again),
        cmocka_unit_test(no_more_than_the_limit_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
