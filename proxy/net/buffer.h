/*
 * A growing buffer of bytes that are consumed from its front. Used where bytes have to wait: for
 * more of them, for their reader, or for the socket.
 */
#ifndef NET_BUFFER_H
#define NET_BUFFER_H

#include "net/block.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
    uint8_t *mem;
    size_t start, end, cap;
};

static inline size_t buffer_len(const struct buffer *b)
{
    return b->end - b->start;
}

static inline void buffer_append(struct buffer *b, const uint8_t *data, size_t len)
{
    if (len == 0) {
        return; /* there may be no memory yet to point into */
    }
    if (b->cap - b->end < len && b->start > 0) {
        memmove(b->mem, b->mem + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
    if (b->cap - b->end < len) {
        size_t need = b->end + len;
        b->cap = need < 2 * b->cap ? 2 * b->cap : need;
        b->mem = xrealloc(b->mem, b->cap);
    }
    memcpy(b->mem + b->end, data, len);
    b->end += len;
}

/** Moves up to cap octets out; returns how many. Gives the memory back with the last one. */
static inline size_t buffer_take(struct buffer *b, uint8_t *buf, size_t cap)
{
    size_t n = buffer_len(b) < cap ? buffer_len(b) : cap;
    if (n == 0) {
        return 0;
    }
    memcpy(buf, b->mem + b->start, n);
    b->start += n;
    if (b->start == b->end) {
        free(b->mem);
        *b = (struct buffer){0};
    }
    return n;
}

static inline void buffer_free(struct buffer *b)
{
    free(b->mem);
    *b = (struct buffer){0};
}

#endif
