/*
 * The fast way through field lines, with vectors: those that are wholly there and in order, one
 * after the other. Whatever is unusual about a line (that it is not complete, has an error, ends
 * with a bare LF, has no value, more blanks than one around it, an HTAB or octets over 0x7f) is
 * left to the state machine in h1_field.c, which decides about it. So nothing is decided here that
 * is not decided there too.
 *
 * A block of 64 octets is classified at once, into masks of where names and values end. Lines
 * are then found with shifts, so that where a line begins does not wait for a load from the line
 * before.
 *
 * It is in a header because every form of the scans that has vectors (h1_scan.h) has a copy of it
 * with its own classification inside.
 */
#ifndef H1_LINES_H
#define H1_LINES_H

#include "h1_internal.h"

enum { H1_BLOCK = 64 };

/* Bit i is about octet i of a block. */
struct h1_masks {
    uint64_t colon; /* the colons */
    /* All that are not of H1_C_VALUE, and HTAB; others too where that is less work, but no tchar
     * and no colon. */
    uint64_t no_value;
};

/* The masks of the block at p, with all bits set from `end` on. The last block is classified from
 * the 64 octets before `end`, so nothing after it is read; there are that many. */
__attribute__((always_inline)) static inline struct h1_masks
h1_masks_at(const uint8_t *p, const uint8_t *end, struct h1_masks (*classify)(const uint8_t *))
{
    size_t rest = (size_t)(end - p);
    if (rest >= H1_BLOCK) {
        return classify(p);
    }
    if (rest == 0) {
        return (struct h1_masks){UINT64_MAX, UINT64_MAX};
    }
    struct h1_masks m = classify(end - H1_BLOCK);
    m.colon = m.colon >> (H1_BLOCK - rest) | UINT64_MAX << rest;
    m.no_value = m.no_value >> (H1_BLOCK - rest) | UINT64_MAX << rest;
    return m;
}

/*
 * Takes the lines from p on, and returns where it stopped: at the beginning of a line, or NULL when
 * a line was refused (h->error). h->fields are set and counted.
 */
__attribute__((always_inline)) static inline uint8_t *
h1_lines(struct h1_head *h, uint8_t *buf, uint8_t *p, const uint8_t *end,
         struct h1_masks (*classify)(const uint8_t *),
         size_t (*scan_name)(const uint8_t *, const uint8_t *),
         uint8_t (*token_of)(const uint8_t *, size_t, const uint8_t *),
         void (*lower)(uint8_t *, size_t, const uint8_t *))
{
    uint32_t room = h1_room_for_fields(h);
    if (end - buf < H1_BLOCK || room == 0) {
        return p;
    }
    const uint8_t *block = p;
    struct h1_masks m = h1_masks_at(block, end, classify);
    struct h1_field *f = h->fields + h->nfields;
    const struct h1_field *f_end = f + room;
    for (; f < f_end; f++) {
        /* From p on, or from the block on that was come to: between, there was neither. */
        size_t from = (size_t)(p - block);
        while ((m.colon | m.no_value) >> from == 0) {
            block += H1_BLOCK;
            m = h1_masks_at(block, end, classify);
            from = 0;
        }
        const uint8_t *colon = block + from + __builtin_ctzll((m.colon | m.no_value) >> from);
        while (m.no_value >> from == 0) {
            block += H1_BLOCK;
            m = h1_masks_at(block, end, classify);
            from = 0;
        }
        const uint8_t *after = block + from + __builtin_ctzll(m.no_value >> from);
        size_t n = (size_t)(colon - p);
        if (end - after < 2 || memcmp(after, "\r\n", 2) != 0 || colon == after || n == 0) {
            break;
        }
        const uint8_t *value = colon + 1;
        if (*value == ' ') {
            value++;
        }
        /* A second blank, or no value at all: then this is the CR. */
        if (*value <= ' ' || after[-1] == ' ') {
            break;
        }
        f->name.off = (uint32_t)(p - buf);
        f->name.len = (uint32_t)n;
        f->value.off = (uint32_t)(value - buf);
        f->value.len = (uint32_t)(after - value);
        f->token = token_of(p, n, end);
        if (f->token == H1_TOKEN_NONE || h1_field_readers[f->token] != NULL) {
            /* A name with a token has no other octets than that: controls, which could be taken for
             * digits or a hyphen, would have ended the line. One without was not looked at yet. */
            bool good = f->token != H1_TOKEN_NONE || scan_name(p, colon) == n;
            if (!good || !h1_take_field(h, f, buf)) {
                break;
            }
        }
        lower(p, n, end);
        p += after + 2 - p;
        if (p - block >= H1_BLOCK) {
            block += H1_BLOCK;
            m = h1_masks_at(block, end, classify);
        }
    }
    h->nfields = (uint32_t)(f - h->fields);
    return h->error == H1_ERR_NONE ? p : NULL;
}

#endif
