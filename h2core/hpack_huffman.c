/*
 * The Huffman code of HPACK (RFC 7541, 5.2 and Appendix B).
 *
 * Decoding looks at HPACK_HUFFMAN_STEP_BITS bits at a time and gets up to two symbols for them.
 * Codes longer than that (rare octets) and the last bits of a string, where padding begins, go
 * through the list of code lengths instead: the code is canonical, so comparing with the last code
 * of each length finds it.
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

/* The code at the top of `window`, and its symbol. */
static const struct hpack_huffman_length *find_code(uint32_t window, unsigned *symbol)
{
    const struct hpack_huffman_length *row = hpack_huffman_lengths;
    while (window > row->last) { /* the last row ends with all ones */
        row++;
    }
    *symbol = hpack_huffman_symbols[row->symbols + ((window - row->first) >> (32 - row->bits))];
    return row;
}

/* Input bits, the next one at the top. */
struct bits {
    const uint8_t *p;
    const uint8_t *end;
    uint64_t acc;
    unsigned n; /* valid bits of acc; all others are 0 */
};

static void refill(struct bits *b)
{
    if (b->end - b->p >= 8) {
        uint64_t next;
        memcpy(&next, b->p, 8);
        next = be64toh(next);
        /* Whole octets only, so that acc holds no bit twice. */
        unsigned octets = (64 - b->n) / 8;
        if (octets == 0) {
            return;
        }
        next &= ~(uint64_t)0 << (64 - octets * 8);
        b->acc |= next >> b->n;
        b->n += octets * 8;
        b->p += octets;
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
            o[0] = (char)step->symbols[0];
            o[1] = (char)step->symbols[1];
            o += step->count;
            drop(&b, step->bits);
        }
        if (b.n < LONGEST && b.p < b.end) {
            continue; /* a long code may not be here as a whole yet */
        }
        if (b.n == 0) {
            break;
        }
        /* Ones behind the end look like padding and are never taken for a whole code but EOS. */
        uint64_t window = b.n < 64 ? b.acc | ~(uint64_t)0 >> b.n : b.acc;
        unsigned symbol;
        const struct hpack_huffman_length *code = find_code((uint32_t)(window >> 32), &symbol);
        if (code->bits > b.n) {
            if (!is_padding(&b)) {
                return false;
            }
            break;
        }
        if (symbol == HPACK_HUFFMAN_EOS) {
            return false;
        }
        *o++ = (char)symbol;
        drop(&b, code->bits);
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
