/* The encoder's index: from a field to the entry of the dynamic table that has it, or its name. */
#include "hpack_internal.h"

#include <string.h>

/*
 * A peer may choose values that fall into one bucket (the hash has no secret). A walk therefore
 * ends after some steps; what it misses costs octets on the wire and nothing else.
 */
#define MAX_STEPS 32

static uint64_t load64(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static uint64_t load32(const char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* Fewer than eight octets as a number. The two halves overlap, so that there is no loop. */
static uint64_t load_short(const char *p, size_t len)
{
    if (len >= 4) {
        return load32(p) << 32 | load32(p + len - 4);
    }
    return len == 0 ? 0
                    : (uint64_t)(uint8_t)p[0] << 16 | (uint64_t)(uint8_t)p[len / 2] << 8 |
                          (uint8_t)p[len - 1];
}

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    return h ^ h >> 32;
}

static uint32_t hash_octets(uint32_t seed, const char *p, size_t len)
{
    uint64_t h = seed ^ len * 0x9e3779b97f4a7c15u;
    if (len < 8) {
        return (uint32_t)mix(h, load_short(p, len));
    }
    const char *last = p + len - 8; /* overlaps what is before it, if that is no whole word */
    for (; p < last; p += 8) {
        h = mix(h, load64(p));
    }
    return (uint32_t)mix(h, load64(last));
}

/* The upper bits of the product, which are the best mixed ones, are the lower of these. */
static uint32_t bucket(uint32_t hash)
{
    return hash % HPACK_INDEX_BUCKETS;
}

static uint32_t hash_name(const struct h2_field *field, uint8_t token)
{
    return token != H2_TOKEN_NONE ? token : hash_octets(0, field->name, field->name_len);
}

/* Of one length. In line for what most strings are; a call costs more than the comparison. */
static bool same_octets(const char *a, const char *b, size_t len)
{
    if (len < 8) {
        return load_short(a, len) == load_short(b, len);
    }
    if (len > 32) {
        return memcmp(a, b, len) == 0;
    }
    size_t last = len - 8;
    for (size_t i = 0; i < last; i += 8) {
        if (load64(a + i) != load64(b + i)) {
            return false;
        }
    }
    return load64(a + last) == load64(b + last);
}

/* A well-known name always has its token here. */
static bool same_name(const struct h2_field *entry, const struct h2_field *field, uint8_t token)
{
    return entry->token == token &&
           (token != H2_TOKEN_NONE || (entry->name_len == field->name_len &&
                                       same_octets(entry->name, field->name, field->name_len)));
}

/* The entry that is referred to, if the table still has it. */
static const struct hpack_indexed_entry *entry_of(const struct hpack_table *t, uint32_t ref)
{
    if (ref == 0 || t->pushed - ref >= t->count) {
        return NULL;
    }
    return (const struct hpack_indexed_entry *)t->ring[(ref - 1) & (t->room - 1)];
}

/* A reference to the entry with this field; 0: there is none. */
static uint32_t find_field(const struct hpack_index *x, const struct hpack_table *t,
                           const struct h2_field *field, uint8_t token, uint32_t hash)
{
    uint32_t ref = x->fields[bucket(hash)];
    const struct hpack_indexed_entry *e = entry_of(t, ref);
    for (int steps = 0; e != NULL && steps < MAX_STEPS; steps++) {
        const struct h2_field *f = &e->entry.field;
        if (e->field_hash == hash && f->value_len == field->value_len &&
            same_name(f, field, token) && same_octets(f->value, field->value, f->value_len)) {
            return ref;
        }
        ref = e->older_field;
        e = entry_of(t, ref);
    }
    return 0;
}

/* The same for the name. */
static uint32_t find_name(const struct hpack_index *x, const struct hpack_table *t,
                          const struct h2_field *field, uint8_t token, uint32_t hash)
{
    uint32_t ref = x->names[bucket(hash)];
    const struct hpack_indexed_entry *e = entry_of(t, ref);
    for (int steps = 0; e != NULL && steps < MAX_STEPS; steps++) {
        if (e->name_hash == hash && same_name(&e->entry.field, field, token)) {
            return ref;
        }
        ref = e->older_name;
        e = entry_of(t, ref);
    }
    return 0;
}

struct hpack_found hpack_index_find(const struct hpack_index *x, const struct hpack_table *t,
                                    const struct h2_field *field, uint8_t token, unsigned parts)
{
    struct hpack_found found = {HPACK_NOTHING, 0, hash_name(field, token), 0};
    uint32_t ref = 0;
    if ((parts & HPACK_WHOLE) != 0) {
        found.field_hash = hash_octets(found.name_hash, field->value, field->value_len);
        ref = find_field(x, t, field, token, found.field_hash);
        found.part = ref != 0 ? HPACK_WHOLE : HPACK_NOTHING;
    }
    if (ref == 0 && (parts & HPACK_NAME) != 0) {
        ref = find_name(x, t, field, token, found.name_hash);
        found.part = ref != 0 ? HPACK_NAME : HPACK_NOTHING;
    }
    found.index = t->pushed - ref;
    return found;
}

void hpack_index_add(struct hpack_index *x, const struct hpack_table *t,
                     struct hpack_indexed_entry *e)
{
    uint32_t ref = t->pushed + 1;
    uint32_t *name = &x->names[bucket(e->name_hash)];
    uint32_t *field = &x->fields[bucket(e->field_hash)];
    e->older_name = *name;
    e->older_field = *field;
    *name = *field = ref;
}
