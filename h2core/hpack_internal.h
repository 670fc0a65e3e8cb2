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

/**
 * Reads an integer with a prefix of `bits` bits at *pos < end; *pos moves behind it. HPACK_OK,
 * HPACK_ERR_TRUNCATED or HPACK_ERR_INTEGER.
 */
enum hpack_rc hpack_integer_read(const uint8_t **pos, const uint8_t *end, unsigned bits,
                                 uint32_t *value);

/** Writes `value` with a prefix of `bits` bits beside the bits `pattern`; returns the end. */
uint8_t *hpack_integer_write(uint8_t *p, uint8_t pattern, unsigned bits, uint32_t value);

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

extern const uint32_t hpack_huffman_code[256];
extern const uint8_t hpack_huffman_bits[256];
extern const struct hpack_huffman_step hpack_huffman_steps[1 << HPACK_HUFFMAN_STEP_BITS];
extern const uint16_t hpack_huffman_symbols[257];
extern const struct hpack_huffman_length hpack_huffman_lengths[HPACK_HUFFMAN_LENGTHS];

/** Octets of room that decoding `len` octets needs: the shortest code has 5 bits, and a step writes
 * a pair even where it counts for one. */
size_t hpack_huffman_decoded_bound(size_t len);

/** Decodes into `out`, which has hpack_huffman_decoded_bound(len) octets. False: not a valid string
 * (5.2). */
bool hpack_huffman_decode(const uint8_t *in, size_t len, char *out, size_t *out_len);

/** Octets of the encoded form. */
size_t hpack_huffman_encoded_len(const char *in, size_t len);

/** Encodes; exactly hpack_huffman_encoded_len() octets. Returns the end. */
uint8_t *hpack_huffman_encode(const char *in, size_t len, uint8_t *out);

/* ---------------------------------------------------------------- static table (Appendix A) */

#define HPACK_STATIC_COUNT 61

/** Index 1 of the protocol is element 0. */
extern const struct h2_field hpack_static_table[HPACK_STATIC_COUNT];

/** The lowest static index with the token's name; 0: the static table does not have it. */
extern const uint8_t hpack_static_first[H2_TOKEN_COUNT];

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
uint64_t hpack_field_size(const struct h2_field *field);

struct hpack_table {
    struct hpack_entry **ring; /**< room for `room` (a power of two, or 0) entries */
    uint32_t room;
    uint32_t count;
    uint64_t pushed;   /**< entries ever pushed: the newest has number pushed - 1 */
    uint32_t size;     /**< octets in use (4.1) */
    uint32_t max_size; /**< octets allowed (4.2) */
};

/** The entry `index` steps older than the newest one; NULL past the end. */
struct hpack_entry *hpack_table_get(const struct hpack_table *t, uint32_t index);

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

/** An entry of the encoder, in two chains from newer to older. */
struct hpack_indexed_entry {
    struct hpack_entry entry;
    uint32_t name_hash;
    uint32_t field_hash;
    uint64_t older_name;  /**< number of the next entry in the bucket of names, plus one; 0: none */
    uint64_t older_field; /**< the same for the bucket of whole fields */
};

/* The default table holds 40 to 60 entries of real traffic. */
#define HPACK_INDEX_BUCKETS 64

/**
 * Finds entries by name and by whole field. A bucket holds the number (plus one) of its newest
 * entry; numbers that the table does not hold any more end a chain, so eviction touches nothing.
 */
struct hpack_index {
    uint64_t names[HPACK_INDEX_BUCKETS];
    uint64_t fields[HPACK_INDEX_BUCKETS];
};

uint32_t hpack_hash_name(const struct h2_field *field);
uint32_t hpack_hash_field(uint32_t name_hash, const struct h2_field *field);

/** The table index (0: newest) of an entry with this name, and value. False: there is none. */
bool hpack_index_find_field(const struct hpack_index *x, const struct hpack_table *t,
                            const struct h2_field *field, uint32_t hash, uint32_t *index);
bool hpack_index_find_name(const struct hpack_index *x, const struct hpack_table *t,
                           const struct h2_field *field, uint32_t hash, uint32_t *index);

/** Links in an entry whose hashes are set and which is about to be pushed. */
void hpack_index_add(struct hpack_index *x, const struct hpack_table *t,
                     struct hpack_indexed_entry *e);

#endif
