/*
 * HPACK: whatever the octets are, the decoder keeps to its limits, its strings stay readable to the
 * end of the block, and what it decoded survives our encoder and a second decoder.
 *
 * Input: an octet that chooses the table limit, then blocks, each behind a two-octet header: the
 * top two bits say what happens before it, the rest is its length.
 */
#include "fuzz.h"

#include "h2core/hpack.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* More fields of a block than this are still decoded, but given up one by one. */
#define MAX_FIELDS 512
/* References can make a small block large: so much is compared. */
#define MAX_LIST (256u * 1024)

static const uint32_t limits[] = {0, 31, 32, 64, 100, 256, 4096, 65536};

struct pair {
    struct hpack_decoder *from_peer;
    struct hpack_encoder *encoder;
    struct hpack_decoder *back;
    uint32_t limit;
};

static void same(const struct h2_field *a, const struct h2_field *b)
{
    assert(a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0);
    assert(a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0);
    assert(a->token == b->token);
    assert(a->token == h2_token_lookup(a->name, a->name_len));
    assert((a->flags & H2_FIELD_NEVER_INDEX) == 0 || (b->flags & H2_FIELD_NEVER_INDEX) != 0);
}

static void there_and_back(struct pair *p, const struct h2_field *fields, size_t n)
{
    size_t bound = hpack_encoder_bound(fields, n);
    uint8_t *buf = malloc(bound);
    assert(buf != NULL);
    size_t len;
    enum hpack_rc rc = hpack_encoder_encode(p->encoder, fields, n, buf, &len);
    assert(rc == HPACK_OK && len <= bound);

    const uint8_t *pos = buf;
    hpack_decoder_begin(p->back);
    for (size_t i = 0; i < n; i++) {
        struct h2_field f;
        rc = hpack_decoder_next(p->back, &pos, buf + len, &f);
        assert(rc == HPACK_FIELD);
        same(&fields[i], &f);
    }
    struct h2_field none;
    rc = hpack_decoder_next(p->back, &pos, buf + len, &none);
    assert(rc == HPACK_OK && pos == buf + len);
    assert(hpack_encoder_table_size(p->encoder) == hpack_decoder_table_size(p->back));
    free(buf);
}

/* False: the block had an error, and the connection would be over. */
static bool decode(struct pair *p, const uint8_t *block, size_t len)
{
    static struct h2_field fields[MAX_FIELDS];
    size_t n = 0;
    size_t list = 0;
    bool whole = true;
    const uint8_t *pos = block;
    struct h2_field f;
    enum hpack_rc rc;

    hpack_decoder_begin(p->from_peer);
    while ((rc = hpack_decoder_next(p->from_peer, &pos, block + len, &f)) == HPACK_FIELD) {
        assert(pos <= block + len);
        assert(hpack_decoder_table_size(p->from_peer) <= p->limit);
        list += f.name_len + f.value_len + HPACK_FIELD_OVERHEAD;
        if (n == MAX_FIELDS || list > MAX_LIST) {
            whole = false;
            n = 0;
            hpack_decoder_release(p->from_peer);
        }
        if (whole) {
            fields[n++] = f;
        }
    }
    assert(rc != HPACK_ERR_NOMEM);
    if (whole) {
        there_and_back(p, fields, n); /* reads every string at the block's end */
    }
    return rc == HPACK_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct pair p = {.limit = limits[data[0] & 7]};
    uint32_t ours = limits[data[0] >> 3 & 7];
    p.from_peer = hpack_decoder_new(NULL, p.limit);
    p.encoder = hpack_encoder_new(NULL, ours);
    p.back = hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE);
    assert(p.from_peer != NULL && p.encoder != NULL && p.back != NULL);
    data++;
    size--;

    bool alive = true;
    while (alive && size >= 2) {
        unsigned what = data[0] >> 6;
        size_t len = (data[0] & 0x3fu) << 8 | data[1];
        data += 2;
        size -= 2;
        if (len > size) {
            len = size;
        }
        if (what == 1) {
            /* The limit of the peer's table changes; it may now be over it until it says so. */
            uint32_t next = limits[len & 7];
            hpack_decoder_set_max_table_size(p.from_peer, next);
            p.limit = next;
        } else if (what == 2) {
            uint32_t next = limits[len & 7];
            hpack_encoder_set_peer_table_size(p.encoder, next);
            hpack_decoder_set_max_table_size(p.back, next);
        } else if (what == 3) {
            hpack_decoder_release(p.from_peer);
        }
        alive = decode(&p, data, len);
        data += len;
        size -= len;
    }
    hpack_decoder_free(p.from_peer);
    hpack_encoder_free(p.encoder);
    hpack_decoder_free(p.back);
    return 0;
}
