/*
 * The dynamic table (RFC 7541, 2.3.2 and 4): a ring of pointers to entries, oldest first out.
 *
 * Entries are pieces of memory of their own and not octets in one ring buffer, because the decoder
 * lends an entry's strings to its caller, and they must outlive the entry's eviction.
 */
#include "hpack_internal.h"

#include <assert.h>
#include <string.h>

/* The default table of 4096 octets holds 40 to 60 entries of real traffic. */
#define FIRST_ROOM 16u

struct hpack_entry *hpack_entry_new(const struct h2_allocator *alloc, size_t struct_size,
                                    const struct h2_field *field)
{
    assert(struct_size >= sizeof(struct hpack_entry));
    size_t name_len = field->token == H2_TOKEN_NONE ? field->name_len : 0;
    struct hpack_entry *e = hpack_alloc(alloc, struct_size + name_len + field->value_len);
    if (e == NULL) {
        return NULL;
    }
    char *bytes = (char *)e + struct_size;
    e->field = *field;
    e->field.flags = 0;
    e->block = 0;
    e->next = NULL;
    if (name_len > 0) {
        memcpy(bytes, field->name, name_len);
    }
    e->field.name = field->token == H2_TOKEN_NONE ? bytes : h2_token_name(field->token, NULL);
    if (field->value_len > 0) {
        memcpy(bytes + name_len, field->value, field->value_len);
    }
    e->field.value = bytes + name_len;
    return e;
}

bool hpack_table_reserve(struct hpack_table *t, const struct h2_allocator *alloc)
{
    if (t->count < t->room) {
        return true;
    }
    /* Entries have numbers, and a number's place depends on the room: all move. */
    uint32_t room = t->room == 0 ? FIRST_ROOM : t->room * 2;
    struct hpack_entry **ring = hpack_alloc(alloc, room * sizeof(ring[0]));
    if (ring == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        ring[(t->pushed - 1 - i) & (room - 1)] = hpack_table_get(t, i);
    }
    hpack_release(alloc, t->ring);
    t->ring = ring;
    t->room = room;
    return true;
}

struct hpack_entry *hpack_table_evict(struct hpack_table *t, uint64_t need)
{
    if (t->count == 0 || t->size + need <= t->max_size) {
        return NULL;
    }
    struct hpack_entry *oldest = hpack_table_get(t, t->count - 1);
    uint64_t size = hpack_field_size(&oldest->field);
    assert(size <= t->size);
    t->size -= (uint32_t)size;
    t->count--;
    return oldest;
}

void hpack_table_push(struct hpack_table *t, struct hpack_entry *entry)
{
    uint64_t size = hpack_field_size(&entry->field);
    assert(t->count < t->room && t->size + size <= t->max_size);
    t->ring[t->pushed & (t->room - 1)] = entry;
    t->pushed++;
    t->count++;
    t->size += (uint32_t)size;
}

void hpack_table_free(struct hpack_table *t, const struct h2_allocator *alloc)
{
    for (uint32_t i = 0; i < t->count; i++) {
        hpack_release(alloc, hpack_table_get(t, i));
    }
    hpack_release(alloc, t->ring);
    t->ring = NULL;
    t->room = t->count = t->size = 0;
}
