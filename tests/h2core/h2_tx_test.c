/* The output buffer: header blocks in frames of the peer's size, small pieces, memory given back.
 */
#include "h2_script.h"

#include "h2_internal.h"
#include "hpack_testing.h"

#include <stdio.h>

static struct h2_conn *client(const struct h2_allocator *alloc, uint32_t encoder_table)
{
    struct h2_options opts;
    h2_options_init(&opts);
    opts.alloc = alloc;
    opts.encoder_table_size = encoder_table;
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    assert_non_null(c);
    uint8_t out[256];
    while (h2_conn_send(c, out, sizeof(out)) > 0) {
    }
    return c;
}

static size_t take(struct h2_conn *c, uint8_t *out, size_t cap, size_t step)
{
    size_t len = 0;
    size_t n;
    while ((n = h2_conn_send(c, out + len, step < cap - len ? step : cap - len)) > 0) {
        len += n;
    }
    assert_false(h2_conn_wants_send(c));
    return len;
}

/* A request whose header block has about `size` octets. */
static void request(struct h2_conn *c, char *value, size_t size)
{
    struct h2_field fields[] = {field_of(":method", "GET"), field_of(":scheme", "https"),
                                field_of(":path", "/"), field_of(":authority", "a"),
                                field_of("x", "")};
    memset(value, '~', size); /* 13 bits in Huffman code: stays as it is */
    fields[4].value = value;
    fields[4].value_len = (uint32_t)size;
    uint32_t id;
    assert_int_equal(h2_conn_request(c, fields, 5, true, NULL, &id), H2_OK);
}

static void a_long_block_is_cut_into_frames_of_the_peers_size(void **state)
{
    (void)state;
    static char value[200000];
    static uint8_t out[300000];
    static uint8_t block[300000];
    /* Around the sizes where one more frame begins. */
    for (size_t size = 16384 * 2 - 60; size < 16384 * 2; size++) {
        struct h2_conn *c = client(NULL, 0);
        request(c, value, size);
        size_t len = take(c, out, sizeof(out), 1000);
        size_t at = 0;
        size_t n = 0;
        unsigned frames = 0;
        bool end = false;
        while (at < len) {
            struct h2_frame f = h2_get_frame_header(out + at);
            assert_false(end);
            assert_int_equal(f.type, frames == 0 ? H2_FRAME_HEADERS : H2_FRAME_CONTINUATION);
            assert_int_equal(f.stream_id, 1);
            end = (f.flags & H2_FLAG_END_HEADERS) != 0;
            assert_int_equal((f.flags & H2_FLAG_END_STREAM) != 0, frames == 0);
            assert_true(end ? f.length > 0 && f.length <= 16384 : f.length == 16384);
            memcpy(block + n, out + at + 9, f.length);
            n += f.length;
            at += 9 + f.length;
            frames++;
        }
        assert_true(end && at == len);
        assert_int_equal(frames, n <= 32768 ? 2 : 3);

        struct hpack_decoder *d = hpack_decoder_new(NULL, 4096);
        const uint8_t *pos = block;
        struct h2_field f;
        enum hpack_rc rc;
        hpack_decoder_begin(d);
        while ((rc = hpack_decoder_next(d, &pos, block + n, &f)) == HPACK_FIELD) {
            if (f.name_len == 1) {
                assert_int_equal(f.value_len, size);
                assert_memory_equal(f.value, value, size);
            }
        }
        assert_int_equal(rc, HPACK_OK);
        hpack_decoder_free(d);
        h2_conn_free(c);
    }
}

static void output_can_be_taken_octet_by_octet_while_more_comes(void **state)
{
    (void)state;
    static char value[100];
    static uint8_t whole[100000];
    static uint8_t pieces[100000];
    struct h2_conn *a = client(NULL, 4096);
    struct h2_conn *b = client(NULL, 4096);
    size_t n = 0;
    for (int i = 0; i < 100; i++) {
        request(a, value, (size_t)i);
        request(b, value, (size_t)i);
        for (int k = 0; k < 40; k++) { /* less than comes, so the buffer moves and grows */
            n += h2_conn_send(b, pieces + n, 1);
        }
    }
    size_t len = take(a, whole, sizeof(whole), sizeof(whole));
    n += take(b, pieces + n, sizeof(pieces) - n, 7);
    assert_int_equal(n, len);
    assert_memory_equal(whole, pieces, len);
    h2_conn_free(a);
    h2_conn_free(b);
}

static void a_large_buffer_is_given_back_when_drained(void **state)
{
    (void)state;
    static char value[100000];
    static uint8_t out[200000];
    struct counting counting;
    counting_init(&counting);
    struct h2_conn *c = client(&counting.alloc, 0);
    assert_null(c->tx.buf);
    request(c, value, 100);
    take(c, out, sizeof(out), 4096);
    size_t before = counting.bytes;
    assert_non_null(c->tx.buf); /* a stream is open: it will be needed again */
    request(c, value, sizeof(value));
    assert_true(counting.bytes >= before + 100000);
    take(c, out, sizeof(out), 4096);
    assert_null(c->tx.buf);
    assert_true(counting.bytes <= before + 400); /* one more stream */
    h2_conn_free(c);
    assert_int_equal(counting.blocks, 0);
}

static void the_buffer_stays_as_long_as_streams_do(void **state)
{
    (void)state;
    static char value[100];
    static uint8_t out[1000];
    struct h2_event ev;
    struct h2_conn *c = client(NULL, 0);
    h2_conn_feed(c, (const uint8_t *)"\0\0\0\4\0\0\0\0\0", 9);
    assert_true(h2_conn_next_event(c, 0, &ev));
    assert_false(h2_conn_next_event(c, 0, &ev));
    request(c, value, 10);
    take(c, out, sizeof(out), sizeof(out));
    assert_false(h2_conn_next_event(c, 0, &ev));
    assert_non_null(c->tx.buf);
    h2_conn_feed(c, (const uint8_t *)"\0\0\4\3\0\0\0\0\1\0\0\0\x8", 13);
    assert_true(h2_conn_next_event(c, 0, &ev));
    assert_int_equal(ev.type, H2_EVENT_RESET);
    assert_false(h2_conn_next_event(c, 0, &ev));
    assert_null(c->tx.buf);
    h2_conn_free(c);
}

static void frame_headers_survive_the_round_trip(void **state)
{
    (void)state;
    static const struct h2_frame frames[] = {
        {0, 0, 0, 0}, {0xffffff, H2_MAX_STREAM_ID, 255, 255}, {0x123456, 0x12345678, 9, 4}};
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        uint8_t octets[9];
        h2_put_frame_header(octets, frames[i].length, frames[i].type, frames[i].flags,
                            frames[i].stream_id);
        struct h2_frame f = h2_get_frame_header(octets);
        assert_int_equal(f.length, frames[i].length);
        assert_int_equal(f.type, frames[i].type);
        assert_int_equal(f.flags, frames[i].flags);
        assert_int_equal(f.stream_id, frames[i].stream_id);
    }
}

static void debug_data_is_sent_as_it_is(void **state)
{
    (void)state;
    char why[1000];
    uint8_t out[2000];
    memset(why, 'x', sizeof(why));
    struct h2_conn *c = client(NULL, 0);
    assert_int_equal(h2_conn_close(c, H2_CANCEL, 5, why, sizeof(why)), H2_OK);
    assert_int_equal(take(c, out, sizeof(out), sizeof(out)), 9 + 8 + sizeof(why));
    assert_memory_equal(out + 9, "\0\0\0\5\0\0\0\x8xxx", 11);
    h2_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_block_is_cut_into_frames_of_the_peers_size),
        cmocka_unit_test(output_can_be_taken_octet_by_octet_while_more_comes),
        cmocka_unit_test(a_large_buffer_is_given_back_when_drained),
        cmocka_unit_test(the_buffer_stays_as_long_as_streams_do),
        cmocka_unit_test(frame_headers_survive_the_round_trip),
        cmocka_unit_test(debug_data_is_sent_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
