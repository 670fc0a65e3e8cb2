/*
 * The output buffer: control frames and header blocks in the order they were made, until
 * h2_conn_send() takes them. Body bytes come through here only by
 * h2_conn_send_data().
 */
#include "h2_internal.h"

#include <string.h>

#define FIRST_CAPACITY 256u
#define KEPT_CAPACITY  16384u /* a drained buffer above this is given back at once */

uint8_t *h2_tx_reserve(struct h2_conn *c, size_t n)
{
    struct h2_tx *tx = &c->tx;
    if (tx->cap - tx->len >= n) {
        return tx->buf + tx->len;
    }
    if (tx->off > 0) {
        memmove(tx->buf, tx->buf + tx->off, tx->len - tx->off);
        tx->len -= tx->off;
        tx->off = 0;
    }
    if (tx->cap - tx->len < n) {
        size_t cap = tx->cap == 0 ? FIRST_CAPACITY : tx->cap;
        while (cap - tx->len < n) {
            cap *= 2;
        }
        uint8_t *buf = h2_resize(c, tx->buf, cap);
        if (buf == NULL) {
            h2_conn_break_nomem(c);
            return NULL;
        }
        tx->buf = buf;
        tx->cap = cap;
    }
    return tx->buf + tx->len;
}

static void drop_buffer(struct h2_conn *c)
{
    h2_resize(c, c->tx.buf, 0);
    c->tx.buf = NULL;
    c->tx.cap = c->tx.off = c->tx.len = 0;
}

void h2_tx_idle(struct h2_conn *c)
{
    if (c->tx.off == c->tx.len && c->map.count == 0) {
        drop_buffer(c);
    }
}

void h2_put_frame_header(uint8_t *p, uint32_t len, uint8_t type, uint8_t flags, uint32_t id)
{
    assert(len <= 0xffffff && id <= H2_MAX_STREAM_ID);
    p[0] = (uint8_t)(len >> 16);
    p[1] = (uint8_t)(len >> 8);
    p[2] = (uint8_t)len;
    p[3] = type;
    p[4] = flags;
    h2_put32(p + 5, id);
}

struct h2_frame h2_get_frame_header(const uint8_t *p)
{
    return (struct h2_frame){
        .length = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2],
        .type = p[3],
        .flags = p[4],
        .stream_id = h2_get32(p + 5) & H2_MAX_STREAM_ID, /* the top bit is reserved: ignored */
    };
}

void h2_tx_raw(struct h2_conn *c, const void *p, size_t len)
{
    uint8_t *out = h2_tx_reserve(c, len);
    if (out != NULL) {
        memcpy(out, p, len);
        c->tx.len += len;
    }
}

uint8_t *h2_tx_begin(struct h2_conn *c, uint8_t type, uint8_t flags, uint32_t id, size_t len)
{
    uint8_t *out = h2_tx_reserve(c, H2_FRAME_HEADER_LEN + len);
    if (out == NULL) {
        return NULL;
    }
    h2_put_frame_header(out, (uint32_t)len, type, flags, id);
    c->tx.len += H2_FRAME_HEADER_LEN + len;
    return out + H2_FRAME_HEADER_LEN;
}

void h2_tx_end(const struct h2_conn *c, const uint8_t *payload)
{
    h2_trace_sent(c, payload - H2_FRAME_HEADER_LEN);
}

void h2_tx_frame(struct h2_conn *c, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                 size_t len)
{
    uint8_t *out = h2_is_over(c) ? NULL : h2_tx_begin(c, type, flags, id, len);
    if (out == NULL) {
        return;
    }
    if (len > 0) {
        memcpy(out, payload, len);
    }
    h2_tx_end(c, out);
}

void h2_tx_rst_stream(struct h2_conn *c, uint32_t id, enum h2_code code)
{
    uint8_t payload[4];
    h2_put32(payload, code);
    h2_tx_frame(c, H2_FRAME_RST_STREAM, 0, id, payload, sizeof(payload));
}

void h2_tx_window_update(struct h2_conn *c, uint32_t id, uint32_t increment)
{
    assert(increment > 0 && increment <= H2_MAX_WINDOW);
    uint8_t payload[4];
    h2_put32(payload, increment);
    h2_tx_frame(c, H2_FRAME_WINDOW_UPDATE, 0, id, payload, sizeof(payload));
}

void h2_tx_goaway(struct h2_conn *c, uint32_t last_id, enum h2_code code, const void *debug,
                  size_t len)
{
    uint8_t *out = h2_tx_begin(c, H2_FRAME_GOAWAY, 0, 0, 8 + len);
    if (out == NULL) {
        return;
    }
    h2_put32(out, last_id);
    h2_put32(out + 4, code);
    if (len > 0) {
        memcpy(out + 8, debug, len);
    }
    h2_tx_end(c, out);
}

/* ---------------------------------------------------------------- header blocks */

bool h2_priority_ok(const struct h2_priority *priority, uint32_t stream_id)
{
    return priority->weight >= 1 && priority->weight <= 256 &&
           priority->depends_on <= H2_MAX_STREAM_ID && priority->depends_on != stream_id;
}

void h2_put_priority(uint8_t p[H2_PRIORITY_LEN], const struct h2_priority *priority)
{
    h2_put32(p, priority->depends_on | (priority->exclusive ? 0x80000000u : 0));
    p[4] = (uint8_t)(priority->weight - 1);
}

struct h2_priority h2_get_priority(const uint8_t p[H2_PRIORITY_LEN])
{
    uint32_t word = h2_get32(p);
    return (struct h2_priority){.depends_on = word & H2_MAX_STREAM_ID,
                                .weight = (uint16_t)(p[4] + 1),
                                .exclusive = word >> 31 != 0};
}

/*
 * Makes room for the frame headers of CONTINUATION in a payload of `len` octets that stands at p,
 * behind room for its first frame header. Pieces move back to front, the last one farthest.
 */
static size_t split_block(struct h2_conn *c, uint8_t *p, size_t len, const struct h2_block *block)
{
    size_t most = c->peer[H2_SETTINGS_MAX_FRAME_SIZE];
    size_t pieces = len <= most ? 1 : (len + most - 1) / most;
    for (size_t i = pieces; i-- > 0;) {
        size_t n = i + 1 == pieces ? len - i * most : most;
        uint8_t *to = p + i * (H2_FRAME_HEADER_LEN + most);
        if (i > 0) {
            memmove(to + H2_FRAME_HEADER_LEN, p + H2_FRAME_HEADER_LEN + i * most, n);
        }
        uint8_t flags =
            (uint8_t)((i == 0 ? block->flags : 0) | (i + 1 == pieces ? H2_FLAG_END_HEADERS : 0));
        h2_put_frame_header(to, (uint32_t)n, i == 0 ? block->type : H2_FRAME_CONTINUATION, flags,
                            block->stream_id);
    }
    for (size_t i = 0; h2_is_traced(c) && i < pieces; i++) {
        h2_trace_sent(c, p + i * (H2_FRAME_HEADER_LEN + most));
    }
    return len + pieces * H2_FRAME_HEADER_LEN;
}

void h2_tx_block(struct h2_conn *c, const struct h2_block *block, const struct h2_field *fields,
                 size_t n)
{
    size_t most = c->peer[H2_SETTINGS_MAX_FRAME_SIZE];
    size_t bound = block->prefix_len + hpack_encoder_bound(fields, n);
    uint8_t *p = h2_tx_reserve(c, bound + (bound / most + 1) * H2_FRAME_HEADER_LEN);
    if (p == NULL) {
        return;
    }
    uint8_t *payload = p + H2_FRAME_HEADER_LEN;
    memcpy(payload, block->prefix, block->prefix_len);
    size_t len;
    if (hpack_encoder_encode(c->encoder, fields, n, payload + block->prefix_len, &len) !=
        HPACK_OK) {
        h2_conn_break_nomem(c);
        return;
    }
    len += block->prefix_len;
    assert(len <= bound);
    c->tx.len += split_block(c, p, len, block);
}

/* ---------------------------------------------------------------- for the caller */

bool h2_conn_wants_send(const struct h2_conn *c)
{
    return c->tx.len > c->tx.off;
}

size_t h2_conn_output_len(const struct h2_conn *c)
{
    return c->tx.len - c->tx.off;
}

void h2_conn_drop_output(struct h2_conn *c)
{
    drop_buffer(c);
    c->tx.replies = 0;
}

size_t h2_conn_send(struct h2_conn *c, uint8_t *buf, size_t cap)
{
    struct h2_tx *tx = &c->tx;
    size_t n = tx->len - tx->off;
    if (n > cap) {
        n = cap;
    }
    if (n > 0) {
        memcpy(buf, tx->buf + tx->off, n);
        tx->off += n;
    }
    if (tx->off == tx->len) {
        tx->off = tx->len = 0;
        tx->replies = 0;
        if (tx->cap > KEPT_CAPACITY || c->map.count == 0) {
            drop_buffer(c);
        }
    }
    return n;
}
