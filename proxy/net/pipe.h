/*
 * A bounded queue of body bytes between the two sides of an exchange. It knows nothing of who fills
 * and who empties it. `limit` is a mark, not a wall: a writer looks at pipe_room() before it takes
 * bytes from its peer, and may finish what it already took.
 */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include "net/block.h"

#include <stdbool.h>

struct pipe {
    struct block_pool *pool;
    struct block *head, *tail;
    size_t len;     /**< octets inside */
    size_t limit;   /**< octets that it should hold at the most */
    uint64_t taken; /**< octets that have left it, ever */
    bool ended; /**< nothing will be written any more: the body (and its trailers) are complete */
};

void pipe_init(struct pipe *p, struct block_pool *pool, size_t limit);
void pipe_write(struct pipe *p, const uint8_t *data, size_t len);
/** The first bytes that lie together; 0 when empty. */
size_t pipe_peek(const struct pipe *p, const uint8_t **data);
void pipe_drop(struct pipe *p, size_t len);
/** Moves up to len octets out; returns how many. */
size_t pipe_read(struct pipe *p, uint8_t *buf, size_t len);
/** Gives up all that is inside. */
void pipe_clear(struct pipe *p);

static inline size_t pipe_room(const struct pipe *p)
{
    return p->len < p->limit ? p->limit - p->len : 0;
}

/** Everything has been written and read. */
static inline bool pipe_done(const struct pipe *p)
{
    return p->ended && p->len == 0;
}

#endif
