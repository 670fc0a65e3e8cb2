/*
 * What the files of HPACK share: memory, integers, the Huffman code, the two tables.
 *
 *     hpack_decoder.c   hpack_encoder.c   representations (RFC 7541, 6)
 *           │       hpack_index.c │       the encoder's way from a field to an entry
 *     hpack_scratch.c  │          │       the decoder's strings that are in no table
 *           └── hpack_table.c ────┘       the dynamic table (4)
 *     hpack_integer.c, hpack_huffman.c    primitives (5)
 *     hpack_tables.c                      made by tools/gen_hpack.py (Appendix A, B)
 */
#ifndef H2CORE_HPACK_INTERNAL_H
#define H2CORE_HPACK_INTERNAL_H

#include "h2core/hpack.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- memory */

/** The caller's allocator, or the C library's for NULL. */
struct h2_allocator hpack_allocator(const struct h2_allocator *alloc);
void *hpack_alloc(const struct h2_allocator *alloc, size_t size);
void hpack_release(const struct h2_allocator *alloc, void *p);

/* ---------------------------------------------------------------- integers (5.1) */

/** An integer is at most its prefix octet and five more: 32 bits in groups of seven. */
#define HPACK_INTEGER_MAX 6

/** An integer whose prefix is all ones: the rest of hpack_integer_read() and _write(). */
enum hpack_rc hpack_integer_read_rest(const uint8_t **pos, const uint8_t *end, uint32_t prefix,
                                      uint32_t *value);
uint8_t *hpack_integer_write_rest(uint8_t *p, uint32_t rest);

/**
 * Reads an integer with a prefix of `bits` bits at *pos < end; *pos moves behind it. HPACK_OK,
 * HPACK_ERR_TRUNCATED or HPACK_ERR_INTEGER; *pos is then where it was.
 */
static inline enum hpack_rc hpack_integer_read(const uint8_t **pos, const uint8_t *end,
                                               unsigned bits, uint32_t *value)
{
    assert(*pos < end && bits >= 1 && bits <= 8);
    uint32_t prefix = (1u << bits) - 1;
    *value = **pos & prefix;
    if (*value == prefix) {
        return hpack_integer_read_rest(pos, end, prefix, value);
    }
    ++*pos;
    return HPACK_OK;
}

/** Writes `value` with a prefix of `bits` bits beside the bits `pattern`; returns the end. */
static inline uint8_t *hpack_integer_write(uint8_t *p, uint8_t pattern, unsigned bits,
                                           uint32_t value)
{
    uint32_t prefix = (1u << bits) - 1;
    assert(bits >= 1 && bits <= 8 && (pattern & prefix) == 0);
    if (value < prefix) {
        *p++ = (uint8_t)(pattern | value);
        return p;
    }
    *p++ = (uint8_t)(pattern | prefix);
    return hpack_integer_write_rest(p, value - prefix);
}

/* ---------------------------------------------------------------- Huffman code (5.2) */

#define HPACK_HUFFMAN_STEP_BITS 11
#define HPACK_HUFFMAN_LENGTHS   21
#define HPACK_HUFFMAN_EOS       256

/** What the next HPACK_HUFFMAN_STEP_BITS bits begin with: up to two symbols, or none if longer. */
struct hpack_huffman_step {
    uint8_t symbols[2];
    uint8_t count;
    uint8_t bits; /**< taken by them together */
};

/** The codes of one length: left-aligned first and last, and where their symbols begin. */
struct hpack_huffman_length {
    uint32_t first;
    uint32_t last;
    uint16_t symbols; /**< index into hpack_huffman_symbols */
    uint8_t bits;
};

/** The code of each octet: at the top of a word, its length in bits in the lowest octet. */
extern const uint64_t hpack_huffman_codes[256];

extern const struct hpack_huffman_step hpack_huffman_steps[1 << HPACK_HUFFMAN_STEP_BITS];
extern const uint16_t hpack_huffman_symbols[257];
extern const struct hpack_huffman_length hpack_huffman_lengths[HPACK_HUFFMAN_LENGTHS];

/** Octets of room that decoding `len` octets needs: the shortest code has 5 bits, so 8/5, here
 * 13/8; and a step writes a pair even where it counts for one. */
static inline size_t hpack_huffman_decoded_bound(size_t len)
{
    return len + (len >> 1) + (len >> 3) + 3;
}

/** Decodes into `out`, which has hpack_huffman_decoded_bound(len) octets. False: not a valid string
 * (5.2). */
bool hpack_huffman_decode(const uint8_t *in, size_t len, char *out, size_t *out_len);

/** Octets behind `limit` that encoding may overwrite, since it writes whole words. */
#define HPACK_HUFFMAN_SLACK 8

/**
 * Encodes, and returns the end, if that is before `limit`. NULL: it is not. There is room up to
 * `limit` and HPACK_HUFFMAN_SLACK octets more.
 */
uint8_t *hpack_huffman_encode(const char *in, size_t len, uint8_t *out, const uint8_t *limit);

/* ---------------------------------------------------------------- static table (Appendix A) */

#define HPACK_STATIC_COUNT 61

/** Index 1 of the protocol is element 0. */
extern const struct h2_field hpack_static_table[HPACK_STATIC_COUNT];

/** What the static table has of a name. */
struct hpack_static_name {
    uint8_t first;  /**< the lowest index; 0: none */
    uint8_t values; /**< how many indices from there on have a value; 0: one, which is empty */
};
extern const struct hpack_static_name hpack_static_names[H2_TOKEN_COUNT];

/* ---------------------------------------------------------------- dynamic table (2.3.2, 4) */

/**
 * One entry: one piece of memory with its octets behind it. A well-known name is not copied but
 * points to its static text. Owned by the table that it was pushed to, else by whoever holds it.
 */
struct hpack_entry {
    struct h2_field field;    /**< flags are 0 */
    uint32_t block;           /**< decoder: the last block whose fields point into this entry … */
    struct hpack_entry *next; /**< … and, evicted while they do, its list of those */
};

/**
 * An entry of `struct_size` octets (sizeof(struct hpack_entry), or of a struct that begins with
 * one) with copies of the field's name (unless it has a token) and value. NULL: no memory.
 */
struct hpack_entry *hpack_entry_new(const struct h2_allocator *alloc, size_t struct_size,
                                    const struct h2_field *field);

/** What a field counts in a table (4.1). */
static inline uint64_t hpack_field_size(const struct h2_field *field)
{
    return (uint64_t)field->name_len + field->value_len + HPACK_FIELD_OVERHEAD;
}

struct hpack_table {
    struct hpack_entry **ring; /**< room for `room` (a power of two, or 0) entries */
    uint32_t room;
    uint32_t count;
    uint32_t pushed;   /**< entries ever pushed: the newest has number pushed - 1 (both wrap) */
    uint32_t size;     /**< octets in use (4.1) */
    uint32_t max_size; /**< octets allowed (4.2) */
};

/** The entry `index` steps older than the newest one; NULL past the end. */
static inline struct hpack_entry *hpack_table_get(const struct hpack_table *t, uint32_t index)
{
    return index < t->count ? t->ring[(t->pushed - 1 - index) & (t->room - 1)] : NULL;
}

/** Makes sure that one more entry can be pushed. False: no memory. */
bool hpack_table_reserve(struct hpack_table *t, const struct h2_allocator *alloc);

/**
 * Takes out the oldest entry if `need` more octets do not fit otherwise. NULL: they fit, or the
 * table is empty. The entry is the caller's now.
 */
struct hpack_entry *hpack_table_evict(struct hpack_table *t, uint64_t need);

/** Adds the newest entry. It fits, and room is reserved. */
void hpack_table_push(struct hpack_table *t, struct hpack_entry *entry);

/** Frees all entries and the ring. */
void hpack_table_free(struct hpack_table *t, const struct h2_allocator *alloc);

/* ---------------------------------------------------------------- scratch */

struct hpack_chunk;

/** Strings of one block that are in no table. They never move; all are given up together. */
struct hpack_scratch {
    struct hpack_chunk *chunks; /**< the one in use first */
    size_t used;                /**< octets of it */
};

/** Room for `size` octets at the end, to be taken with hpack_scratch_take(). NULL: no memory. */
char *hpack_scratch_reserve(struct hpack_scratch *s, const struct h2_allocator *alloc, size_t size);

/** Keeps the first `size` octets of what was reserved last. */
void hpack_scratch_take(struct hpack_scratch *s, size_t size);

/**
 * Gives up what was taken since `mark` (a copy of the struct) was made. Nothing else may be in the
 * chunks that came after it.
 */
void hpack_scratch_rewind(struct hpack_scratch *s, const struct hpack_scratch *mark);

/** Gives up what was taken since `mark`, and the chunks that came after it. */
void hpack_scratch_cut(struct hpack_scratch *s, const struct h2_allocator *alloc,
                       const struct hpack_scratch *mark);

/** Gives up all strings, but keeps one chunk of ordinary size for the next block. */
void hpack_scratch_reset(struct hpack_scratch *s, const struct h2_allocator *alloc);
void hpack_scratch_free(struct hpack_scratch *s, const struct h2_allocator *alloc);

/* ---------------------------------------------------------------- index of the encoder's table */

/**
 * An entry of the encoder, in two chains from newer to older. A reference is the entry's number
 * plus one, 0 is none; 32 bits of it are enough, since whatever is found is compared.
 */
struct hpack_indexed_entry {
    struct hpack_entry entry;
    uint32_t name_hash;
    uint32_t field_hash;
    uint32_t older_name;  /**< reference to the next entry in the bucket of names */
    uint32_t older_field; /**< the same for the bucket of whole fields */
};

/* The default table holds 40 to 60 entries of real traffic. */
#define HPACK_INDEX_BUCKETS 64

/**
 * Finds entries by name and by whole field. A bucket refers to its newest entry; references to what
 * the table does not hold any more end a chain, so eviction touches nothing.
 */
struct hpack_index {
    uint32_t names[HPACK_INDEX_BUCKETS];
    uint32_t fields[HPACK_INDEX_BUCKETS];
};

/** What of a field is looked for, and found; `hpack_index_find` prefers the whole field. */
enum hpack_part {
    HPACK_NOTHING = 0,
    HPACK_NAME = 1,
    HPACK_WHOLE = 2,
};

struct hpack_found {
    enum hpack_part part;
    uint32_t index; /**< in the table (0: newest), unless nothing was found */
    uint32_t name_hash;
    uint32_t field_hash; /**< 0: the whole field was not looked for */
};

/**
 * Looks for the parts in `parts` (a set of enum hpack_part). `token` is that of the field's name,
 * whatever the field says.
 */
struct hpack_found hpack_index_find(const struct hpack_index *x, const struct hpack_table *t,
                                    const struct h2_field *field, uint8_t token, unsigned parts);

/** Links in an entry whose hashes are set and which is about to be pushed. */
void hpack_index_add(struct hpack_index *x, const struct hpack_table *t,
                     struct hpack_indexed_entry *e);

#endif
