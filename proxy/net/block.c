/* Blocks of memory and arenas made of them. */
#include "net/block.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1024 blocks of 4 KiB: 4 MiB a worker keeps for its next burst. */
#define POOL_KEEP 1024u

static void out_of_memory(size_t size)
{
    fprintf(stderr, "nghttpx: out of memory (%zu octets wanted)\n", size);
    abort();
}

void *xmalloc(size_t size)
{
    void *p = malloc(size);
    if (p == NULL) {
        out_of_memory(size);
    }
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (p == NULL) {
        out_of_memory(n * size);
    }
    return p;
}

void *xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size);
    if (q == NULL) {
        out_of_memory(size);
    }
    return q;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;
    return memcpy(xmalloc(size), s, size);
}

struct block *block_get(struct block_pool *pool)
{
    struct block *b = pool->free;
    if (b != NULL) {
        pool->free = b->next;
        pool->nfree--;
    } else {
        b = xmalloc(BLOCK_SIZE);
    }
    pool->lent++;
    b->next = NULL;
    b->start = b->end = 0;
    return b;
}

void block_put(struct block_pool *pool, struct block *b)
{
    assert(pool->lent > 0);
    pool->lent--;
    if (pool->nfree >= POOL_KEEP) {
        free(b);
        return;
    }
    b->next = pool->free;
    pool->free = b;
    pool->nfree++;
}

void block_pool_trim(struct block_pool *pool)
{
    while (pool->free != NULL) {
        struct block *b = pool->free;
        pool->free = b->next;
        free(b);
    }
    pool->nfree = 0;
}

void block_pool_clear(struct block_pool *pool)
{
    assert(pool->lent == 0);
    block_pool_trim(pool);
}

void arena_init(struct arena *a, struct block_pool *pool)
{
    a->pool = pool;
    a->blocks = NULL;
    a->large = NULL;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size = (size + 15u) & ~(size_t)15u;
    if (size > BLOCK_ROOM / 2) {
        void **p = xmalloc(16 + size); /* the chain's link keeps the alignment of 16 */
        *p = a->large;
        a->large = p;
        return (char *)p + 16;
    }
    struct block *b = a->blocks;
    if (b == NULL || BLOCK_ROOM - b->end < size) {
        b = block_get(a->pool);
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = b->data + b->end;
    b->end += (uint32_t)size;
    return p;
}

char *arena_copy(struct arena *a, const char *s, size_t len)
{
    char *p = arena_alloc(a, len + 1);
    if (len > 0) {
        memcpy(p, s, len);
    }
    p[len] = '\0';
    return p;
}

void arena_release(struct arena *a)
{
    while (a->blocks != NULL) {
        struct block *b = a->blocks;
        a->blocks = b->next;
        block_put(a->pool, b);
    }
    while (a->large != NULL) {
        void **p = a->large;
        a->large = *p;
        free(p);
    }
}
