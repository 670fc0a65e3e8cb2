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
    struct block *kept; /**< blocks that were read and are kept, the newest first */
    size_t len;         /**< octets inside */
    size_t limit;       /**< octets that it should hold at the most */
    uint64_t taken;     /**< octets that have left it, since it was rewound the last time */
    uint64_t furthest;  /**< the most that `taken` ever was */
    bool keeps;         /**< what has left it can be had again */
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

/** From now on, what leaves the pipe is kept for pipe_rewind(), until more than `limit` octets have
 * left it. */
void pipe_keep(struct pipe *p);
/** Nothing has to be had again. */
void pipe_forget(struct pipe *p);
/** Everything that was ever written is inside again. Only while `keeps` is set, or nothing has
 * left it. */
void pipe_rewind(struct pipe *p);

/** Octets inside that have never left it. */
static inline size_t pipe_unread(const struct pipe *p)
{
    return (size_t)(p->taken + p->len - p->furthest);
}

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
