/* HPACK: what belongs to neither the encoder nor the decoder. */
#include "hpack_internal.h"

#include <assert.h>
#include <stdlib.h>

const char *hpack_rc_text(enum hpack_rc rc)
{
    switch (rc) {
    case HPACK_OK:
        return "no error";
    case HPACK_FIELD:
        return "a field was decoded";
    case HPACK_ERR_NOMEM:
        return "no memory for header compression";
    case HPACK_ERR_TRUNCATED:
        return "the header block ends inside a field";
    case HPACK_ERR_INTEGER:
        return "an integer in a header block does not fit 32 bits";
    case HPACK_ERR_HUFFMAN:
        return "a string in a header block is not valid Huffman code";
    case HPACK_ERR_INDEX:
        return "a header block refers to a table entry that does not exist";
    case HPACK_ERR_TABLE_SIZE:
        return "a dynamic table size update is too large, misplaced or missing";
    case HPACK_ERR_LIST_SIZE:
        return "a header list is larger than its limit";
    }
    return "unknown return code";
}

static void *libc_resize(void *ctx, void *p, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}

struct h2_allocator hpack_allocator(const struct h2_allocator *alloc)
{
    static const struct h2_allocator libc = {libc_resize, NULL};
    return alloc != NULL ? *alloc : libc;
}

void *hpack_alloc(const struct h2_allocator *alloc, size_t size)
{
    assert(size > 0);
    return alloc->resize(alloc->ctx, NULL, size);
}

void hpack_release(const struct h2_allocator *alloc, void *p)
{
    if (p != NULL) {
        alloc->resize(alloc->ctx, p, 0);
    }
}
