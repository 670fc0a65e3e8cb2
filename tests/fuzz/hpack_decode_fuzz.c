/*
 * HPACK: whatever the octets are, the decoder keeps to its limits, its strings stay readable to the
 * end of the block, and what it decoded survives our encoder and a second decoder. A block in
 * pieces gives what it gives at once, with a list limit and giving up strings in its midst.
 *
 * Input: an octet that chooses the table limits, then blocks, each behind a two-octet header: the
 * top two bits say what happens before it, the rest is its length. The octets of a block also
 * choose where it is cut, the list limit, and where its strings are given up.
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

struct peers {
    struct hpack_decoder *from_peer;
    struct hpack_decoder *in_pieces; /* gets the same octets */
    struct hpack_encoder *encoder;
    struct hpack_decoder *back;
    uint32_t limit;
};

/* What a block was decoded to, at once. */
static struct h2_field fields[MAX_FIELDS];
static size_t field_count;

static void same(const struct h2_field *a, const struct h2_field *b)
{
    assert(a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0);
    assert(a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0);
    assert(a->token == b->token);
    assert(a->token == h2_token_lookup(a->name, a->name_len));
    assert((a->flags & H2_FIELD_NEVER_INDEX) == 0 || (b->flags & H2_FIELD_NEVER_INDEX) != 0);
}

static void there_and_back(struct peers *p)
{
    size_t bound = hpack_encoder_bound(fields, field_count);
    uint8_t *buf = malloc(bound);
    assert(buf != NULL);
    size_t len;
    enum hpack_rc rc = hpack_encoder_encode(p->encoder, fields, field_count, buf, &len);
    assert(rc == HPACK_OK && len <= bound);

    const uint8_t *pos = buf;
    hpack_decoder_begin(p->back);
    for (size_t i = 0; i < field_count; i++) {
        struct h2_field f;
        rc = hpack_decoder_next(p->back, &pos, buf + len, &f);
        assert(rc == HPACK_FIELD);
        same(&fields[i], &f);
    }
    struct h2_field none;
    rc = hpack_decoder_next(p->back, &pos, buf + len, &none);
    assert(rc == HPACK_OK && pos == buf + len && hpack_decoder_end(p->back) == HPACK_OK);
    assert(hpack_encoder_table_size(p->encoder) == hpack_decoder_table_size(p->back));
    free(buf);
}

/* How the whole block ends. False in *whole: there were more fields than are kept. */
static enum hpack_rc at_once(struct peers *p, const uint8_t *block, size_t len, bool *whole)
{
    size_t list = 0;
    const uint8_t *pos = block;
    struct h2_field f;
    enum hpack_rc rc;

    field_count = 0;
    *whole = true;
    hpack_decoder_begin(p->from_peer);
    while ((rc = hpack_decoder_next(p->from_peer, &pos, block + len, &f)) == HPACK_FIELD) {
        assert(pos <= block + len);
        assert(hpack_decoder_table_size(p->from_peer) <= p->limit);
        list += f.name_len + f.value_len + HPACK_FIELD_OVERHEAD;
        if (field_count == MAX_FIELDS || list > MAX_LIST) {
            *whole = false;
            field_count = 0;
            hpack_decoder_release(p->from_peer);
        }
        if (*whole) {
            fields[field_count++] = f;
        }
    }
    assert(rc != HPACK_ERR_NOMEM && rc != HPACK_ERR_LIST_SIZE);
    enum hpack_rc end = hpack_decoder_end(p->from_peer);
    assert((end == HPACK_ERR_TRUNCATED) == (rc == HPACK_ERR_TRUNCATED));
    return rc == HPACK_OK ? end : rc;
}

/* The same block again. `choices` are its own octets, used up from the end. */
struct pieces {
    struct h2_field got[MAX_FIELDS];
    size_t n;
    size_t given_up; /* fields before this one are no longer readable */
    size_t list;
    uint32_t list_limit;
};

static void take(struct peers *p, struct pieces *s, enum hpack_rc rc, const struct h2_field *f,
                 bool compare, bool give_up)
{
    s->list += f->name_len + f->value_len + HPACK_FIELD_OVERHEAD;
    assert((rc == HPACK_ERR_LIST_SIZE) == (s->list_limit != UINT32_MAX && s->list > s->list_limit));
    if (compare) {
        assert(s->n < field_count);
        same(&fields[s->n], f); /* now, whether over the limit or not */
        s->got[s->n++] = *f;
        if (rc == HPACK_ERR_LIST_SIZE) {
            s->got[s->n - 1] = fields[s->n - 1];
        }
    }
    if (give_up) {
        hpack_decoder_release(p->in_pieces);
        s->given_up = s->n;
    }
}

static enum hpack_rc in_pieces(struct peers *p, const uint8_t *block, size_t len, bool compare)
{
    static struct pieces s;
    uint8_t choice = len > 0 ? block[len / 2] : 0;
    size_t most = 1 + (choice & 15) * (size_t)(choice & 15);
    s = (struct pieces){.list_limit = choice & 0x80 ? (uint32_t)(choice & 0x70) * 8 : UINT32_MAX};
    hpack_decoder_set_max_list_size(p->in_pieces, s.list_limit);
    hpack_decoder_begin(p->in_pieces);

    size_t taken = 0;
    size_t end = 0;
    enum hpack_rc rc = HPACK_OK;
    do {
        size_t step = end < len ? 1 + block[len - 1 - end] % most : 0;
        end = len - end < step ? len : end + step;
        uint8_t *piece = malloc(end - taken + 1);
        assert(piece != NULL);
        memcpy(piece, block + taken, end - taken);
        const uint8_t *stop = piece + (end - taken);
        const uint8_t *pos = piece;
        struct h2_field f;
        while ((rc = hpack_decoder_next(p->in_pieces, &pos, stop, &f)) == HPACK_FIELD ||
               rc == HPACK_ERR_LIST_SIZE) {
            take(p, &s, rc, &f, compare, (pos[-1] & 31) == 17);
        }
        assert(pos <= stop && (rc != HPACK_OK || pos == stop));
        taken += (size_t)(pos - piece);
        free(piece);
    } while (end < len && (rc == HPACK_OK || rc == HPACK_ERR_TRUNCATED));

    for (size_t i = s.given_up; i < s.n; i++) {
        same(&fields[i], &s.got[i]); /* and still at the end */
    }
    assert(!compare || s.n == field_count);
    return rc == HPACK_OK ? hpack_decoder_end(p->in_pieces) : rc;
}

static void same_tables(const struct hpack_decoder *a, const struct hpack_decoder *b)
{
    assert(hpack_decoder_table_size(a) == hpack_decoder_table_size(b));
    struct h2_field x;
    struct h2_field y;
    for (uint32_t i = 0; hpack_decoder_table_entry(a, i, &x); i++) {
        bool there = hpack_decoder_table_entry(b, i, &y);
        assert(there);
        same(&x, &y);
    }
}

/* False: the block had an error, and the connection would be over. */
static bool decode(struct peers *p, const uint8_t *block, size_t len)
{
    bool whole;
    enum hpack_rc rc = at_once(p, block, len, &whole);
    enum hpack_rc again = in_pieces(p, block, len, whole);
    assert(rc == again);
    same_tables(p->from_peer, p->in_pieces);
    if (whole) {
        there_and_back(p); /* reads every string at the block's end */
    }
    return rc == HPACK_OK;
}

static void before_block(struct peers *p, unsigned what, size_t len)
{
    uint32_t next = limits[len & 7];
    switch (what) {
    case 1: /* The limit of the peer's table; it may now be over it until it says so. */
        hpack_decoder_set_max_table_size(p->from_peer, next);
        hpack_decoder_set_max_table_size(p->in_pieces, next);
        p->limit = next;
        break;
    case 2: /* Either side's limit of the encoder's. */
        if (len & 8) {
            hpack_encoder_set_max_table_size(p->encoder, next);
        } else {
            hpack_encoder_set_peer_table_size(p->encoder, next);
            hpack_decoder_set_max_table_size(p->back, next);
        }
        break;
    case 3:
        hpack_decoder_release(p->from_peer);
        hpack_encoder_index_secrets(p->encoder, (len & 1) != 0);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct peers p = {.limit = limits[data[0] & 7]};
    p.from_peer = hpack_decoder_new(NULL, p.limit);
    p.in_pieces = hpack_decoder_new(NULL, p.limit);
    p.encoder = hpack_encoder_new(NULL, limits[data[0] >> 3 & 7]);
    p.back = hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE);
    assert(p.from_peer != NULL && p.in_pieces != NULL && p.encoder != NULL && p.back != NULL);
    data++;
    size--;

    bool alive = true;
    while (alive && size >= 2) {
        unsigned what = data[0] >> 6;
        size_t len = (data[0] & 0x3fu) << 8 | data[1];
        data += 2;
        size -= 2;
        before_block(&p, what, len);
        if (len > size) {
            len = size;
        }
        alive = decode(&p, data, len);
        data += len;
        size -= len;
    }
    hpack_decoder_free(p.from_peer);
    hpack_decoder_free(p.in_pieces);
    hpack_encoder_free(p.encoder);
    hpack_decoder_free(p.back);
    return 0;
}
