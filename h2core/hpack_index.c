/* The encoder's index: from a field to the entry of the dynamic table that has it, or its name. */
#include "hpack_internal.h"

#include <assert.h>
#include <string.h>

/*
 * A peer may choose values that fall into one bucket (the hash has no secret). A walk therefore
 * ends after some steps; what it misses costs octets on the wire and nothing else.
 */
#define MAX_STEPS 32

static uint32_t hash_octets(uint32_t seed, const char *p, size_t len)
{
    uint64_t h = seed ^ len * 0x9e3779b97f4a7c15u;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    uint64_t rest = 0;
    if (len > 0) {
        memcpy(&rest, p, len);
    }
    h = (h ^ rest) * 0xff51afd7ed558ccdu;
    return (uint32_t)(h >> 32);
}

uint32_t hpack_hash_name(const struct h2_field *field)
{
    if (field->token != H2_TOKEN_NONE) {
        return field->token * 0x9e3779b1u;
    }
    return hash_octets(0, field->name, field->name_len);
}

uint32_t hpack_hash_field(uint32_t name_hash, const struct h2_field *field)
{
    return hash_octets(name_hash, field->value, field->value_len);
}

/* The upper bits are the best mixed ones. */
static uint32_t bucket(uint32_t hash)
{
    return hash / (UINT32_MAX / HPACK_INDEX_BUCKETS + 1);
}

static bool same_octets(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool same_name(const struct h2_field *a, const struct h2_field *b)
{
    /* A well-known name always has its token here. */
    return a->token == b->token &&
           (a->token != H2_TOKEN_NONE || same_octets(a->name, a->name_len, b->name, b->name_len));
}

/* The entry with number `ref` - 1 if the table still has it. */
static const struct hpack_indexed_entry *entry_of(const struct hpack_table *t, uint64_t ref,
                                                  uint32_t *index)
{
    if (ref == 0 || t->pushed - ref >= t->count) {
        return NULL;
    }
    *index = (uint32_t)(t->pushed - ref);
    return (const struct hpack_indexed_entry *)hpack_table_get(t, *index);
}

bool hpack_index_find_field(const struct hpack_index *x, const struct hpack_table *t,
                            const struct h2_field *field, uint32_t hash, uint32_t *index)
{
    const struct hpack_indexed_entry *e = entry_of(t, x->fields[bucket(hash)], index);
    for (int steps = 0; e != NULL && steps < MAX_STEPS; steps++) {
        const struct h2_field *f = &e->entry.field;
        if (e->field_hash == hash && same_name(f, field) &&
            same_octets(f->value, f->value_len, field->value, field->value_len)) {
            return true;
        }
        e = entry_of(t, e->older_field, index);
    }
    return false;
}

bool hpack_index_find_name(const struct hpack_index *x, const struct hpack_table *t,
                           const struct h2_field *field, uint32_t hash, uint32_t *index)
{
    const struct hpack_indexed_entry *e = entry_of(t, x->names[bucket(hash)], index);
    for (int steps = 0; e != NULL && steps < MAX_STEPS; steps++) {
        if (e->name_hash == hash && same_name(&e->entry.field, field)) {
            return true;
        }
        e = entry_of(t, e->older_name, index);
    }
    return false;
}

void hpack_index_add(struct hpack_index *x, const struct hpack_table *t,
                     struct hpack_indexed_entry *e)
{
    uint64_t ref = t->pushed + 1;
    uint64_t *name = &x->names[bucket(e->name_hash)];
    uint64_t *field = &x->fields[bucket(e->field_hash)];
    assert(*name < ref && *field < ref); /* chains go from newer to older and so have an end */
    e->older_name = *name;
    e->older_field = *field;
    *name = *field = ref;
}
