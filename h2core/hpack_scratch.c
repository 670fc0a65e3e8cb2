/*
 * The decoder's strings that are in no table: a list of chunks, filled one after the other.
 *
 * What a block can make it hold is what its fields add up to, each string at most once; of fields
 * over the limit of the list size (hpack_decoder_set_max_list_size) it holds nothing.
 */
#include "hpack_internal.h"

#include <assert.h>

/* Enough for the literals of most requests: a path, a cookie, a referer. */
#define FIRST_CHUNK 1024u
/* Chunks double up to this, so that many strings need few of them. */
#define LAST_CHUNK 16384u

struct hpack_chunk {
    struct hpack_chunk *next;
    size_t room;
    char bytes[];
};

char *hpack_scratch_reserve(struct hpack_scratch *s, const struct h2_allocator *alloc, size_t size)
{
    struct hpack_chunk *c = s->chunks;
    if (c == NULL || c->room - s->used < size) {
        size_t room = c == NULL ? FIRST_CHUNK : c->room * 2;
        if (room > LAST_CHUNK) {
            room = LAST_CHUNK;
        }
        if (room < size) {
            room = size;
        }
        c = hpack_alloc(alloc, sizeof(*c) + room);
        if (c == NULL) {
            return NULL;
        }
        c->next = s->chunks;
        c->room = room;
        s->chunks = c;
        s->used = 0;
    }
    return c->bytes + s->used;
}

void hpack_scratch_take(struct hpack_scratch *s, size_t size)
{
    assert(s->chunks != NULL && size <= s->chunks->room - s->used);
    s->used += size;
}

void hpack_scratch_rewind(struct hpack_scratch *s, const struct hpack_scratch *mark)
{
    s->used = s->chunks == mark->chunks ? mark->used : 0;
}

static void free_list(struct hpack_chunk *c, const struct h2_allocator *alloc)
{
    while (c != NULL) {
        struct hpack_chunk *next = c->next;
        hpack_release(alloc, c);
        c = next;
    }
}

void hpack_scratch_cut(struct hpack_scratch *s, const struct h2_allocator *alloc,
                       const struct hpack_scratch *mark)
{
    while (s->chunks != mark->chunks) {
        struct hpack_chunk *c = s->chunks;
        assert(c != NULL); /* the mark is one of an older state */
        s->chunks = c->next;
        hpack_release(alloc, c);
    }
    s->used = mark->used;
}

void hpack_scratch_reset(struct hpack_scratch *s, const struct h2_allocator *alloc)
{
    struct hpack_chunk *keep = s->chunks;
    s->used = 0;
    if (keep == NULL) {
        return;
    }
    if (keep->room > LAST_CHUNK) {
        hpack_scratch_free(s, alloc);
        return;
    }
    free_list(keep->next, alloc);
    keep->next = NULL;
}

void hpack_scratch_free(struct hpack_scratch *s, const struct h2_allocator *alloc)
{
    free_list(s->chunks, alloc);
    s->chunks = NULL;
    s->used = 0;
}
