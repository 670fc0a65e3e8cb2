/* The queue of body bytes between two sides of an exchange. */
#include "net/pipe.h"

#include <assert.h>
#include <string.h>

void pipe_init(struct pipe *p, struct block_pool *pool, size_t limit)
{
    *p = (struct pipe){.pool = pool, .limit = limit};
}

void pipe_write(struct pipe *p, const uint8_t *data, size_t len)
{
    assert(!p->ended || len == 0);
    while (len > 0) {
        struct block *b = p->tail;
        if (b == NULL || b->end == BLOCK_ROOM) {
            b = block_get(p->pool);
            if (p->tail != NULL) {
                p->tail->next = b;
            } else {
                p->head = b;
            }
            p->tail = b;
        }
        size_t n = BLOCK_ROOM - b->end;
        n = n < len ? n : len;
        memcpy(b->data + b->end, data, n);
        b->end += (uint32_t)n;
        p->len += n;
        data += n;
        len -= n;
    }
}

size_t pipe_peek(const struct pipe *p, const uint8_t **data)
{
    if (p->head == NULL) {
        return 0;
    }
    *data = p->head->data + p->head->start;
    return p->head->end - p->head->start;
}

static void drop_first_block(struct pipe *p)
{
    struct block *b = p->head;
    p->head = b->next;
    if (p->head == NULL) {
        p->tail = NULL;
    }
    if (p->keeps) {
        b->next = p->kept;
        p->kept = b;
    } else {
        block_put(p->pool, b);
    }
}

void pipe_drop(struct pipe *p, size_t len)
{
    assert(len <= p->len);
    p->len -= len;
    p->taken += len;
    p->furthest = p->taken > p->furthest ? p->taken : p->furthest;
    if (p->keeps && p->taken > p->limit) {
        pipe_forget(p);
    }
    while (len > 0) {
        struct block *b = p->head;
        size_t n = b->end - b->start;
        if (n > len) {
            b->start += (uint32_t)len;
            return;
        }
        len -= n;
        drop_first_block(p);
    }
}

size_t pipe_read(struct pipe *p, uint8_t *buf, size_t len)
{
    size_t total = 0;
    while (total < len && p->head != NULL) {
        const uint8_t *data;
        size_t n = pipe_peek(p, &data);
        n = n < len - total ? n : len - total;
        memcpy(buf + total, data, n);
        pipe_drop(p, n);
        total += n;
    }
    return total;
}

void pipe_clear(struct pipe *p)
{
    pipe_forget(p);
    while (p->head != NULL) {
        drop_first_block(p);
    }
    p->len = 0;
}

void pipe_keep(struct pipe *p)
{
    assert(p->taken == 0);
    p->keeps = true;
}

void pipe_forget(struct pipe *p)
{
    p->keeps = false;
    while (p->kept != NULL) {
        struct block *b = p->kept;
        p->kept = b->next;
        block_put(p->pool, b);
    }
}

void pipe_rewind(struct pipe *p)
{
    assert(p->keeps || p->taken == 0);
    while (p->kept != NULL) {
        struct block *b = p->kept;
        p->kept = b->next;
        b->next = p->head;
        p->head = b;
        p->tail = p->tail == NULL ? b : p->tail;
    }
    for (struct block *b = p->head; b != NULL; b = b->next) {
        b->start = 0; /* the last one of them may have been read in part */
    }
    p->len += p->taken;
    p->taken = 0;
}
