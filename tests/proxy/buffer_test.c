/* A buffer that grows at its end and is used up from its front. */
#include "net/buffer.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void bytes_stay_in_order_however_it_grows_and_shrinks(void **state)
{
    (void)state;
    struct buffer b = {0};
    uint8_t data[64];
    uint32_t in = 0, out = 0, random = 1;
    for (int round = 0; round < 2000; round++) {
        random = random * 1664525u + 1013904223u;
        size_t n = (random >> 8) % (sizeof(data) + 1);
        for (size_t i = 0; i < n; i++) {
            data[i] = (uint8_t)in++;
        }
        buffer_append(&b, data, n);
        size_t take = (random >> 20) % 80;
        take = take < buffer_len(&b) ? take : buffer_len(&b);
        for (size_t i = 0; i < take; i++) {
            assert_int_equal(b.mem[b.start + i], (uint8_t)out++);
        }
        b.start += take;
        assert_int_equal(buffer_len(&b), in - out);
        assert_true(b.start <= b.end && b.end <= b.cap);
    }
    buffer_free(&b);
    assert_true(b.mem == NULL && b.cap == 0 && buffer_len(&b) == 0);
    buffer_free(&b);
}

static void room_in_front_is_used_before_it_grows(void **state)
{
    (void)state;
    struct buffer b = {0};
    static const uint8_t data[100] = {7};
    buffer_append(&b, data, sizeof(data));
    size_t cap = b.cap;
    for (int i = 0; i < 50; i++) {
        b.start += 60;
        buffer_append(&b, data, 60);
        assert_int_equal(b.cap, cap);
        assert_int_equal(buffer_len(&b), 100);
    }
    buffer_free(&b);
}

static void growing_is_geometric(void **state)
{
    (void)state;
    struct buffer b = {0};
    unsigned moves = 0;
    for (int i = 0; i < 20000; i++) {
        size_t cap = b.cap;
        buffer_append(&b, (const uint8_t *)"x", 1);
        moves += b.cap != cap;
    }
    assert_true(moves < 20);
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_stay_in_order_however_it_grows_and_shrinks),
        cmocka_unit_test(room_in_front_is_used_before_it_grows),
        cmocka_unit_test(growing_is_geometric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
