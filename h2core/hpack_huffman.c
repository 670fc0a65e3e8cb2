/*
 * The Huffman code of HPACK (RFC 7541, 5.2 and Appendix B).
 *
 * Decoding looks at HPACK_HUFFMAN_STEP_BITS bits at a time and gets up to two symbols for them. The
 * last bits of a string, where padding begins, are taken symbol by symbol. Longer codes (rare
 * octets) are found through the list of code lengths: the code is canonical, so it is enough to
 * compare with the last code of each length.
 */
#include "hpack_internal.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define STEP_BITS HPACK_HUFFMAN_STEP_BITS
#define LONGEST   30u

size_t hpack_huffman_decoded_bound(size_t len)
{
    return len + len / 5 * 3 + (len % 5 * 3 + 4) / 5 + 1;
}

/* Input bits, the next one at the top. */
struct bits {
    const uint8_t *p;
    const uint8_t *end;
    uint64_t acc;
    unsigned n; /* bits of acc that count; those below are 0 or what the octet at p begins with */
};

/* At least LONGEST bits, or all that are left. */
static void refill(struct bits *b)
{
    if (b->end - b->p >= 8) {
        uint64_t next;
        memcpy(&next, b->p, 8);
        b->acc |= be64toh(next) >> b->n;
        unsigned octets = (63 - b->n) / 8; /* of next, now whole in acc */
        b->p += octets;
        b->n += octets * 8;
        return;
    }
    while (b->n <= 56 && b->p < b->end) {
        b->acc |= (uint64_t)*b->p++ << (56 - b->n);
        b->n += 8;
    }
}

static void drop(struct bits *b, unsigned n)
{
    assert(n <= b->n);
    b->acc <<= n;
    b->n -= n;
}

/* The bits of the next code, and its symbol. Behind the end it sees ones: no code but EOS has only
   ones, so what it finds there is longer than what is left. */
static unsigned next_code(const struct bits *b, unsigned *symbol)
{
    uint64_t window = b->n < 64 ? b->acc | ~(uint64_t)0 >> b->n : b->acc;
    const struct hpack_huffman_step *step = &hpack_huffman_steps[window >> (64 - STEP_BITS)];
    if (step->count > 0) {
        *symbol = step->symbols[0];
        return hpack_huffman_bits[*symbol];
    }
    const struct hpack_huffman_length *row = hpack_huffman_lengths;
    uint32_t top = (uint32_t)(window >> 32);
    while (top > row->last) { /* the last row ends with all ones */
        row++;
    }
    *symbol = hpack_huffman_symbols[row->symbols + ((top - row->first) >> (32 - row->bits))];
    return row->bits;
}

/* What is left when no whole code is: at most 7 bits, all ones (the beginning of EOS). */
static bool is_padding(const struct bits *b)
{
    return b->n < 8 && (b->n == 0 || b->acc >> (64 - b->n) == (1u << b->n) - 1);
}

bool hpack_huffman_decode(const uint8_t *in, size_t len, char *out, size_t *out_len)
{
    struct bits b = {in, in + len, 0, 0};
    char *o = out;

    for (;;) {
        refill(&b);
        while (b.n >= STEP_BITS) {
            const struct hpack_huffman_step *step = &hpack_huffman_steps[b.acc >> (64 - STEP_BITS)];
            if (step->count == 0) {
                break;
            }
            memcpy(o, step->symbols, 2);
            o += step->count;
            drop(&b, step->bits);
        }
        if (b.n < LONGEST && b.p < b.end) {
            continue; /* a long code may not be here as a whole yet */
        }
        if (b.n == 0) {
            break;
        }
        unsigned symbol;
        unsigned code_bits = next_code(&b, &symbol);
        if (code_bits > b.n) {
            if (!is_padding(&b)) {
                return false;
            }
            break;
        }
        if (symbol == HPACK_HUFFMAN_EOS) {
            return false;
        }
        *o++ = (char)symbol;
        drop(&b, code_bits);
    }
    *out_len = (size_t)(o - out);
    assert(*out_len < hpack_huffman_decoded_bound(len));
    return true;
}

size_t hpack_huffman_encoded_len(const char *in, size_t len)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        bits += hpack_huffman_bits[(uint8_t)in[i]];
    }
    return (size_t)((bits + 7) / 8);
}

uint8_t *hpack_huffman_encode(const char *in, size_t len, uint8_t *out)
{
    uint64_t acc = 0; /* the last n bits wait to be written */
    unsigned n = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t symbol = (uint8_t)in[i];
        acc = acc << hpack_huffman_bits[symbol] | hpack_huffman_code[symbol];
        n += hpack_huffman_bits[symbol];
        if (n >= 32) {
            n -= 32;
            uint32_t word = htobe32((uint32_t)(acc >> n));
            memcpy(out, &word, 4);
            out += 4;
        }
    }
    unsigned pad = (8 - n % 8) % 8;
    acc = acc << pad | ((1u << pad) - 1); /* the beginning of EOS: ones */
    for (n += pad; n > 0; n -= 8) {
        *out++ = (uint8_t)(acc >> (n - 8));
    }
    return out;
}
