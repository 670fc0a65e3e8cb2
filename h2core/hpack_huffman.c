/*
 * The Huffman code of HPACK (RFC 7541, 5.2 and Appendix B).
 *
 * Decoding looks at HPACK_HUFFMAN_STEP_BITS bits at a time and gets up to two symbols for them.
 * Longer codes (rare octets) are found through the list of code lengths: the code is canonical, so
 * it is enough to compare with the last code of each length.
 *
 * Encoding joins the codes of six symbols before it writes, eight octets at a time.
 */
#include "hpack_internal.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define STEP_BITS HPACK_HUFFMAN_STEP_BITS
#define LONGEST   30u

static uint64_t load64(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return be64toh(word);
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof(word));
    return be32toh(word);
}

/* ---------------------------------------------------------------- decoding */

/* Input bits, the next one at the top. */
struct bits {
    const uint8_t *p;
    const uint8_t *end;
    const uint8_t *begin;
    uint64_t acc;
    unsigned n; /* bits of acc that count; those below are 0 or what the octet at p begins with */
};

/* The last `left` octets of the input, fewer than eight, at the top of a word. Strings are short,
   so most of them are met here: no loop over octets. */
static uint64_t last_octets(const struct bits *b, size_t left)
{
    if (left == 0) {
        return 0;
    }
    if (b->end - b->begin >= 8) {
        return load64(b->end - 8) << (64 - 8 * left); /* the octets in front fall out at the top */
    }
    if (left >= 4) { /* the two halves overlap, in what is the same */
        return (uint64_t)load32(b->p) << 32 | (uint64_t)load32(b->end - 4) << (64 - 8 * left);
    }
    /* The same with three octets: one to three of them are different ones. */
    return (uint64_t)b->p[0] << 56 | (uint64_t)b->p[left / 2] << (56 - 8 * (left / 2)) |
           (uint64_t)b->end[-1] << (64 - 8 * left);
}

/* At least 56 bits, or all that are left. */
static void refill(struct bits *b)
{
    size_t left = (size_t)(b->end - b->p);
    uint64_t next = left >= 8 ? load64(b->p) : last_octets(b, left);
    size_t octets = (63 - b->n) / 8; /* of next, then whole in acc */
    octets = octets < left ? octets : left;
    b->acc |= next >> b->n;
    b->p += octets;
    b->n += (unsigned)octets * 8;
}

static void drop(struct bits *b, unsigned n)
{
    b->acc <<= n;
    b->n -= n;
}

/* One look at the table; the caller knows that there are STEP_BITS bits. Where a long code comes
   next, nothing happens, and the return value is 0. */
static unsigned step(struct bits *b, char **o)
{
    const struct hpack_huffman_step *s = &hpack_huffman_steps[b->acc >> (64 - STEP_BITS)];
    memcpy(*o, s->symbols, 2);
    *o += s->count;
    drop(b, s->bits);
    return s->count;
}

/* A symbol whose code is longer than a step. False: it is EOS, or no code ends here. */
static bool long_code(struct bits *b, char **o)
{
    const struct hpack_huffman_length *row = hpack_huffman_lengths;
    uint32_t top = (uint32_t)(b->acc >> 32);
    while (top > row->last) { /* the last row ends with all ones */
        row++;
    }
    unsigned symbol =
        hpack_huffman_symbols[row->symbols + ((top - row->first) >> (32 - row->bits))];
    if (row->bits > b->n || symbol == HPACK_HUFFMAN_EOS) {
        return false;
    }
    *(*o)++ = (char)symbol;
    drop(b, row->bits);
    return true;
}

/* What is left when no whole code is: at most 7 bits, all ones (the beginning of EOS). */
static bool is_padding(const struct bits *b)
{
    return b->n < 8 && (b->n == 0 || b->acc >> (64 - b->n) == (1u << b->n) - 1);
}

/* The last bits, fewer than a step: up to two symbols, and padding. */
static bool decode_end(struct bits *b, char **o)
{
    if (b->n > 0) {
        /* With ones behind the end, as if the padding went on: no code but EOS has only ones, so
           no symbol begins in padding that is right. */
        uint64_t window = b->acc | ~(uint64_t)0 >> b->n;
        const struct hpack_huffman_step *s = &hpack_huffman_steps[window >> (64 - STEP_BITS)];
        if (s->bits <= b->n) {
            memcpy(*o, s->symbols, 2);
            *o += s->count;
            drop(b, s->bits);
        }
    }
    return is_padding(b);
}

bool hpack_huffman_decode(const uint8_t *in, size_t len, char *out, size_t *out_len)
{
    struct bits b = {in, in + len, in, 0, 0};
    char *o = out;
    for (;;) {
        refill(&b);
        unsigned count = 1;
        if (b.n >= 5 * STEP_BITS) {
            /* No test in between: a step that finds a long code does nothing, nor do those after
               it. */
            step(&b, &o);
            step(&b, &o);
            step(&b, &o);
            step(&b, &o);
            count = step(&b, &o);
        } else {
            while (b.n >= STEP_BITS && (count = step(&b, &o)) > 0) {
            }
        }
        if (count == 0 && (b.n >= LONGEST || b.p == b.end)) {
            if (!long_code(&b, &o)) {
                return false; /* nor is it padding: there is more than that */
            }
        } else if (b.p == b.end && b.n < STEP_BITS) {
            if (!decode_end(&b, &o)) {
                return false;
            }
            break;
        }
    }
    *out_len = (size_t)(o - out);
    assert(*out_len < hpack_huffman_decoded_bound(len));
    return true;
}

/* ---------------------------------------------------------------- encoding */

struct writer {
    uint8_t *out;
    uint64_t acc; /* n bits at the top wait to be written, fewer than eight; the others are 0 */
    unsigned n;
};

/* So many bits may be together in one word: seven wait, the lowest octet may hold lengths of codes
   (see add()), and then a shift by 56 would take these to where bits are read. */
#define MOST_BITS 55u

/* Writes the whole octets of `n` bits, MOST_BITS at most, at the top of `acc`. */
static inline void flush(struct writer *w, uint64_t acc, unsigned n)
{
    uint64_t word = htobe64(acc);
    memcpy(w->out, &word, sizeof(word)); /* what is behind them will be overwritten */
    w->out += n / 8;
    w->acc = acc << (n & ~7u) & (uint64_t)0xff << 56;
    w->n = n & 7;
}

/* Rare octets, whose codes are long. Out of line, so that add() has enough registers. */
static __attribute__((noinline)) void add_one_by_one(struct writer *w, const uint8_t *in,
                                                     const uint8_t *end, const uint8_t *limit)
{
    for (; in < end && w->out < limit; in++) {
        uint64_t entry = hpack_huffman_codes[*in];
        flush(w, w->acc | entry >> w->n, w->n + (uint8_t)entry);
    }
}

/* Adds the codes of up to six symbols. */
static inline void add(struct writer *w, const uint8_t *in, unsigned count, const uint8_t *limit)
{
    uint64_t acc = w->acc;
    uint64_t n = w->n;
    for (unsigned i = 0; i < count; i++) {
        /* The length, in the entry's low octet, goes along with the code and needs no instruction
           of its own: in `acc` it is behind all that counts, of `n` only the low octet counts. */
        uint64_t entry = hpack_huffman_codes[in[i]];
        acc |= entry >> (n & 63);
        n += entry;
    }
    unsigned bits = (uint8_t)n;
    if (__builtin_expect(bits <= MOST_BITS, 1)) {
        flush(w, acc, bits);
    } else {
        struct writer copy = *w; /* whose address is taken; the other stays in registers */
        add_one_by_one(&copy, in, in + count, limit);
        *w = copy;
    }
}

uint8_t *hpack_huffman_encode(const char *in, size_t len, uint8_t *out, const uint8_t *limit)
{
    struct writer w = {out, 0, 0};
    const uint8_t *p = (const uint8_t *)in;
    const uint8_t *end = p + len;
    for (; end - p >= 6; p += 6) {
        add(&w, p, 6, limit);
        if (w.out >= limit) {
            return NULL;
        }
    }
    if (p < end) {
        add(&w, p, (unsigned)(end - p), limit);
    }
    if (w.n > 0) {
        *w.out++ = (uint8_t)(w.acc >> 56 | 0xffu >> w.n); /* the beginning of EOS: ones */
    }
    return w.out < limit ? w.out : NULL;
}
