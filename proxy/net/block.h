/*
 * Fixed-size memory blocks, lent by a worker and given back to it. Arenas and pipes are made of
 * them, so that a busy worker allocates nothing per request. A pool keeps a bounded number of free
 * blocks; the rest goes back to libc.
 *
 * Out of memory ends the program: a proxy that cannot get 4 KiB cannot serve anybody, and its
 * limits (connections, buffers per exchange) are there to keep it from getting so far.
 */
#ifndef NET_BLOCK_H
#define NET_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK_SIZE 4096u

struct block {
    struct block *next;
    uint32_t start; /**< first byte in use */
    uint32_t end;   /**< behind the last byte in use */
    uint8_t data[]; /**< BLOCK_ROOM bytes */
};

#define BLOCK_ROOM (BLOCK_SIZE - (uint32_t)offsetof(struct block, data))

struct block_pool {
    struct block *free;
    uint32_t nfree;
    uint32_t lent; /**< blocks now in use */
};

struct block *block_get(struct block_pool *pool);
void block_put(struct block_pool *pool, struct block *b);
/** Gives free blocks back to libc. */
void block_pool_trim(struct block_pool *pool);
/** The same; none may be lent any more. */
void block_pool_clear(struct block_pool *pool);

/** malloc, calloc and realloc that end the program with a message when there is no memory. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/* An arena: memory that is given back as a whole. */

struct arena {
    struct block_pool *pool;
    struct block *blocks; /**< the newest first */
    void *large;          /**< chain of allocations that did not fit a block */
};

void arena_init(struct arena *a, struct block_pool *pool);
/** Memory for `size` octets, aligned for any object; never NULL; not cleared. */
void *arena_alloc(struct arena *a, size_t size);
/** A copy of `len` octets, with a NUL behind it. */
char *arena_copy(struct arena *a, const char *s, size_t len);
void arena_release(struct arena *a);

#endif
