/* What the tests of HPACK share. */
#ifndef HPACK_TESTING_H
#define HPACK_TESTING_H

#include "h2core/hpack.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* An allocator that counts, and can fail at one call. */
struct counting {
    struct h2_allocator alloc; /* to be handed out; ctx is this */
    size_t blocks;             /* now allocated */
    size_t bytes;              /* now allocated */
    size_t calls;              /* for memory, so far */
    size_t fail_at;            /* this call (from 1) finds no memory; 0: none */
};

void counting_init(struct counting *c);

/* Octets from hex digits; blanks are skipped. Returns how many. */
size_t unhex(const char *hex, uint8_t *out, size_t room);

/* A field as it is handed to the encoder: no token yet. */
struct h2_field field_of(const char *name, const char *value);

void assert_field(const struct h2_field *f, const char *name, const char *value);

/* Exactly these octets in memory of their own, so that a sanitizer sees a read past the end. */
uint8_t *exact_copy(const uint8_t *octets, size_t len);

/* Decodes a whole block given in hex and returns how it ended; the number of fields goes to *n. */
enum hpack_rc decode_hex(struct hpack_decoder *d, const char *hex, struct h2_field *fields,
                         size_t room, size_t *n);

#endif
