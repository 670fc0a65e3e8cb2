/*
 * Chunked bodies and their trailers: read the same at once and in pieces, and written anew by us
 * they are the same body.
 *
 * Input: an octet that cuts, then the body.
 */
#include "fuzz.h"

#include "h1_head_check.h"

struct body {
    enum h1_rc rc;
    enum h1_error error;
    uint8_t *data;
    size_t len;
    size_t used;
};

/* Reads it `step` octets at a time (0: at once), each piece in memory of its own. */
static void read_body(struct body *r, const uint8_t *data, size_t size, size_t step)
{
    struct h1_body b;
    h1_body_init(&b, (struct h1_framing){.kind = H1_BODY_CHUNKED});
    *r = (struct body){.rc = H1_MORE, .data = malloc(size + 1)};
    assert(r->data != NULL);
    do {
        size_t n = step == 0 || size - r->used < step ? size - r->used : step;
        uint8_t *piece = malloc(n > 0 ? n : 1);
        assert(piece != NULL);
        if (n > 0) {
            memcpy(piece, data + r->used, n);
        }
        size_t at = 0;
        do {
            const uint8_t *part;
            size_t part_len;
            size_t used;
            r->rc = h1_body_next(&b, piece + at, n - at, &used, &part, &part_len);
            assert(used <= n - at);
            at += used;
            if (r->rc == H1_DATA) {
                assert(part_len > 0 && part >= piece && part + part_len <= piece + at);
                memcpy(r->data + r->len, part, part_len);
                r->len += part_len;
            }
            assert(r->rc != H1_MORE || at == n);
        } while (r->rc == H1_DATA);
        r->used += at;
        free(piece);
    } while (r->rc == H1_MORE && r->used < size);
    r->error = b.error;
    assert(h1_body_may_end(&b) == (r->rc == H1_DONE));
    assert((r->rc == H1_ERROR) == (r->error != H1_ERR_NONE));
}

static void check_rewrite(const struct body *r)
{
    size_t cap = r->len + H1_CHUNK_HEAD_MAX + 8;
    uint8_t *buf = malloc(cap);
    assert(buf != NULL);
    struct h1_out o = {buf, buf + cap, false};
    if (r->len > 0) {
        h1_put_chunk_head(&o, r->len);
        memcpy(o.pos, r->data, r->len);
        o.pos += r->len;
        h1_put_chunk_end(&o);
    }
    h1_put_last_chunk(&o);
    assert(!o.full);
    struct body again;
    read_body(&again, buf, (size_t)(o.pos - buf), 0);
    assert(again.rc == H1_DONE && again.used == (size_t)(o.pos - buf));
    assert(again.len == r->len && memcmp(again.data, r->data, r->len) == 0);
    free(again.data);
    free(buf);
}

static void check_trailers(const uint8_t *data, size_t size, size_t step)
{
    struct h1_options options = {.head_bytes = 1024, .fields = H1_CHECK_FIELDS};
    struct h1_check c;
    h1_check_ways(&c, H1_TRAILERS, data, size, step, options);
    if (c.rc == H1_DONE) {
        assert(!c.head.chunked && c.head.content_length == -1);
    }
    h1_check_options(&c, H1_TRAILERS, data, size, step, options);
    free(c.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    size_t step = 1u + data[0] % 16;
    struct body whole;
    struct body pieces;
    read_body(&whole, data + 1, size - 1, 0);
    read_body(&pieces, data + 1, size - 1, step);
    assert(whole.rc == pieces.rc && whole.error == pieces.error);
    assert(whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);
    if (whole.rc == H1_DONE) {
        assert(whole.used == pieces.used);
        check_rewrite(&whole);
        check_trailers(data + 1 + whole.used, size - 1 - whole.used, step);
    }
    free(whole.data);
    free(pieces.data);
    return 0;
}
