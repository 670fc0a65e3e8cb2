/*
 * HPACK, header compression for HTTP/2 (RFC 7541): an encoder and a decoder that need no
 * connection.
 *
 * Both are sans-I/O and keep no global state. An object belongs to the thread that uses it.
 */
#ifndef H2CORE_HPACK_H
#define H2CORE_HPACK_H

#include <h2core/h2_token.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Where memory comes from. `resize` behaves as realloc: with p == NULL it allocates, with size == 0
 * it frees and returns NULL. It may return NULL when there is no memory; every function that can
 * meet that reports it. A NULL `struct h2_allocator *` means the C library's.
 */
struct h2_allocator {
    void *(*resize)(void *ctx, void *p, size_t size); /**< see above */
    void *ctx;                                        /**< handed to `resize` */
};

/** What is special about a field line: a sum of these. */
enum h2_field_flags {
    /** Never-indexed literal (RFC 7541, 6.2.3): must stay one on every hop. Set by the decoder,
       obeyed by the encoder. */
    H2_FIELD_NEVER_INDEX = 1,
    /** Encoder: do not put this field into the dynamic table (a value that will hardly come again).
     */
    H2_FIELD_NO_INDEX = 2,
};

/**
 * One field line. Name and value are bytes with a length; they are not NUL-terminated. Names are
 * lower case. `token` may be H2_TOKEN_NONE for a well-known name when handed in: the encoder then
 * looks it up.
 */
struct h2_field {
    const char *name;   /**< `name_len` octets */
    const char *value;  /**< `value_len` octets */
    uint32_t name_len;  /**< octets of the name */
    uint32_t value_len; /**< octets of the value */
    uint8_t token;      /**< enum h2_token */
    uint8_t flags;      /**< enum h2_field_flags */
};

/** The dynamic table's size limit until a SETTINGS frame says otherwise (RFC 9113, 6.5.2). */
#define HPACK_DEFAULT_TABLE_SIZE 4096u

/** What a table entry counts beside its bytes (RFC 7541, 4.1). Also used for list sizes (RFC
 * 9113, 6.5.2). */
#define HPACK_FIELD_OVERHEAD 32u

/** What a call came to. */
enum hpack_rc {
    HPACK_OK = 0,         /**< done; decoder: all octets are taken */
    HPACK_FIELD,          /**< decoder: *field was filled; call again */
    HPACK_ERR_NOMEM,      /**< no memory; the object can only be freed */
    HPACK_ERR_TRUNCATED,  /**< the octets end inside a representation */
    HPACK_ERR_INTEGER,    /**< an integer does not fit 32 bits or is padded without end (5.1) */
    HPACK_ERR_HUFFMAN,    /**< EOS inside a string, padding over 7 bits or not of ones (5.2) */
    HPACK_ERR_INDEX,      /**< index 0 or past both tables (2.3.3) */
    HPACK_ERR_TABLE_SIZE, /**< size update above the limit, not at the start of a block, the third
                             of a block, or one that is owed is missing (4.2) */
    HPACK_ERR_LIST_SIZE,  /**< decoder: *field was filled, and the list is over its limit; decoding
                             may go on */
};

/** A sentence for a return code, static. */
H2_API const char *hpack_rc_text(enum hpack_rc rc);

/* ---------------------------------------------------------------- decoder */

struct hpack_decoder;

/**
 * `max_table_size` (octets) is the limit in force from the first block on; the table has that size
 * until the encoder says otherwise. For an HTTP/2 connection it is HPACK_DEFAULT_TABLE_SIZE,
 * whatever we announce: that counts when it is acknowledged. The table takes memory when entries
 * come, not here. `alloc` is copied. NULL: no memory.
 */
H2_API struct hpack_decoder *hpack_decoder_new(const struct h2_allocator *alloc,
                                               uint32_t max_table_size);
/** Frees everything; NULL is allowed. */
H2_API void hpack_decoder_free(struct hpack_decoder *d);

/**
 * Sets the limit that the peer has acknowledged. When the table, as the encoder last set it, is
 * larger, the next block must begin with a size update of at most that (RFC 9113, 4.3.1; RFC 7541,
 * 4.2); the decoder checks it.
 */
H2_API void hpack_decoder_set_max_table_size(struct hpack_decoder *d, uint32_t size);

/**
 * Sets how large the field list of one block may be: the sum of name, value and
 * HPACK_FIELD_OVERHEAD of every field, those that only refer to a table included (RFC 9113, 6.5.2).
 * UINT32_MAX, as it is at first: no limit. Counts from the next block on.
 */
H2_API void hpack_decoder_set_max_list_size(struct hpack_decoder *d, uint32_t size);

/** Begins a header block: size updates are legal again, the strings of the block before are given
 * up. */
H2_API void hpack_decoder_begin(struct hpack_decoder *d);

/**
 * Decodes one field of a header block. [*pos, end) is what there is of it; *pos moves behind each
 * representation that is done.
 *
 *  - HPACK_FIELD: one field, whose bytes stay valid until hpack_decoder_begin() or
 *    hpack_decoder_release(); they never point into [*pos, end). Call again.
 *  - HPACK_OK: *pos == end. Either the block is complete, which hpack_decoder_end() is to be told,
 *    or more of it comes, for which this is called again.
 *  - HPACK_ERR_TRUNCATED: what is at *pos is only the beginning of a representation, of which
 *    nothing was kept. When more octets come, call again with [*pos, end) and these behind it, in
 *    one piece. When none come, the block is broken. How long a representation may become is for
 *    the caller to say: the decoder keeps nothing of it, whoever joins the pieces does.
 *  - HPACK_ERR_LIST_SIZE: one field, as with HPACK_FIELD, but it takes the list over the limit of
 *    hpack_decoder_set_max_list_size(), or comes behind one that did. Its bytes are valid only
 *    until the next call, while those of the fields before stay. Decoding may go on to the end of
 *    the block, for the table's sake, and then holds no more memory than now.
 *  - HPACK_ERR_NOMEM.
 *  - Everything else: a COMPRESSION_ERROR of the connection.
 *
 * After the last two the decoder must only be freed. What a block can make it hold, beside the
 * table, is of the order of its list size: twice that at most, and a chunk of 16 KiB.
 */
H2_API enum hpack_rc hpack_decoder_next(struct hpack_decoder *d, const uint8_t **pos,
                                        const uint8_t *end, struct h2_field *field);

/**
 * The block is complete: no more octets come. HPACK_OK; HPACK_ERR_TRUNCATED, when the last call of
 * hpack_decoder_next() said so; HPACK_ERR_TABLE_SIZE, when the block is empty and a size update is
 * owed. The strings stay valid as before.
 */
H2_API enum hpack_rc hpack_decoder_end(struct hpack_decoder *d);

/** Gives up the strings handed out so far, and their memory (an idle connection should hold none).
 * Also legal inside a block. */
H2_API void hpack_decoder_release(struct hpack_decoder *d);

/** Octets now used by the dynamic table. */
H2_API uint32_t hpack_decoder_table_size(const struct hpack_decoder *d);

/** An entry of the dynamic table; the newest has index 0. Its strings are valid until the next call
 * for this decoder. False: past the end. */
H2_API bool hpack_decoder_table_entry(const struct hpack_decoder *d, uint32_t index,
                                      struct h2_field *field);

/* ---------------------------------------------------------------- encoder */

struct hpack_encoder;

/**
 * `max_table_size` is the most that we are willing to use, whatever the peer allows (octets). The
 * peer's limit is HPACK_DEFAULT_TABLE_SIZE until it is set. `alloc` is copied. NULL: no memory.
 */
H2_API struct hpack_encoder *hpack_encoder_new(const struct h2_allocator *alloc,
                                               uint32_t max_table_size);
/** Frees everything; NULL is allowed. */
H2_API void hpack_encoder_free(struct hpack_encoder *e);

/** The peer's SETTINGS_HEADER_TABLE_SIZE, each value as it comes. Size updates are sent by
 * themselves at the start of the next block. */
H2_API void hpack_encoder_set_peer_table_size(struct hpack_encoder *e, uint32_t size);

/**
 * Changes our own limit, the one given to hpack_encoder_new(). At any time between two blocks; the
 * size update is sent by itself here, too.
 */
H2_API void hpack_encoder_set_max_table_size(struct hpack_encoder *e, uint32_t size);

/**
 * Whether secrets are treated as all other fields. False, as it is at first: authorization,
 * proxy-authorization and cookies under 20 octets, which an attacker could guess through the sizes
 * of blocks, are never-indexed literals (RFC 7541, 7.1.3). H2_FIELD_NEVER_INDEX is obeyed always.
 */
H2_API void hpack_encoder_index_secrets(struct hpack_encoder *e, bool index);

/** Octets of room that hpack_encoder_encode() needs for these fields: the most that it can write,
 * size updates included, and some that it may use on the way. */
H2_API size_t hpack_encoder_bound(const struct h2_field *fields, size_t n);

/**
 * Encodes a header block, fields in their order, into buf, which has at least hpack_encoder_bound()
 * octets; *len is the length of the block, and the octets behind it are undefined. HPACK_OK, or
 * HPACK_ERR_NOMEM (the block must then not be sent and the encoder only freed).
 */
H2_API enum hpack_rc hpack_encoder_encode(struct hpack_encoder *e, const struct h2_field *fields,
                                          size_t n, uint8_t *buf, size_t *len);

/** Octets now used by the dynamic table. */
H2_API uint32_t hpack_encoder_table_size(const struct hpack_encoder *e);

/** An entry of the dynamic table, as with hpack_decoder_table_entry(). */
H2_API bool hpack_encoder_table_entry(const struct hpack_encoder *e, uint32_t index,
                                      struct h2_field *field);

#ifdef __cplusplus
}
#endif

#endif
