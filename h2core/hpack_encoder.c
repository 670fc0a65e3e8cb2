/*
 * The HPACK encoder (RFC 7541, 6), and its choice of what to put into the dynamic table.
 *
 * The choice: the table is small and forgets in order of arrival, so an entry that never comes
 * again costs twice, its own octets and those of the entry it pushes out.
 *
 *  - A name that is not in the table yet goes in at once with its value: most fields of a
 *    connection are the same in all of its messages.
 *  - A name that is there with another value shows that it has several; then a value goes in when
 *    it comes for the second time. The same holds from the first time on for names whose values are
 *    known to differ by message (:path, etag, content-length and the like).
 *  - A new date goes in at once: all messages of its second have it.
 *  - Some never come again (age, content-range, set-cookie): not at all.
 *  - Secrets that could be guessed octet by octet through the sizes of blocks are never indexed, by
 *    anybody on the way (7.1.3): authorization, and cookies that are short enough to be guessed.
 */
#include "hpack_internal.h"

#include <assert.h>
#include <string.h>

/* As many values as ten or twenty messages have: fewer find less repetition, more hardly more. */
#define SEEN_SLOTS 256
/* RFC 7541, 7.1.3 leaves the choice; below this many octets a cookie may be guessed. */
#define SECRET_COOKIE_LEN 20
/* Type, three integers, besides the strings themselves: Huffman code is used only if shorter. */
#define FIELD_MAX ((size_t)3 * HPACK_INTEGER_MAX)

/* What is needed only from the first insertion on. */
struct memory {
    struct hpack_index index;
    uint16_t seen[SEEN_SLOTS]; /* marks of fields that were sent lately, but not put in */
};

struct hpack_encoder {
    struct h2_allocator alloc;
    struct hpack_table table;
    struct memory *memory; /* NULL until used */
    uint32_t own_max;
    uint32_t peer_max;
    bool index_secrets;
    bool update_due;
    uint32_t update_min; /* the smallest size since the last block … */
    uint32_t update_to;  /* … and the size to use from now on */
};

struct hpack_encoder *hpack_encoder_new(const struct h2_allocator *alloc, uint32_t max_table_size)
{
    struct h2_allocator a = hpack_allocator(alloc);
    struct hpack_encoder *e = hpack_alloc(&a, sizeof(*e));
    if (e == NULL) {
        return NULL;
    }
    *e = (struct hpack_encoder){.alloc = a, .peer_max = HPACK_DEFAULT_TABLE_SIZE};
    e->table.max_size = HPACK_DEFAULT_TABLE_SIZE;
    hpack_encoder_set_max_table_size(e, max_table_size);
    return e;
}

void hpack_encoder_free(struct hpack_encoder *e)
{
    if (e == NULL) {
        return;
    }
    hpack_table_free(&e->table, &e->alloc);
    hpack_release(&e->alloc, e->memory);
    struct h2_allocator a = e->alloc;
    hpack_release(&a, e);
}

/* One of the two limits has changed. */
static void change_size(struct hpack_encoder *e)
{
    uint32_t to = e->peer_max < e->own_max ? e->peer_max : e->own_max;
    if (!e->update_due) {
        e->update_due = to != e->table.max_size;
        e->update_min = to;
    } else if (to < e->update_min) {
        e->update_min = to;
    }
    e->update_to = to;
}

void hpack_encoder_set_peer_table_size(struct hpack_encoder *e, uint32_t size)
{
    e->peer_max = size;
    change_size(e);
}

void hpack_encoder_set_max_table_size(struct hpack_encoder *e, uint32_t size)
{
    e->own_max = size;
    change_size(e);
}

void hpack_encoder_index_secrets(struct hpack_encoder *e, bool index)
{
    e->index_secrets = index;
}

/* ---------------------------------------------------------------- dynamic table */

static void make_space(struct hpack_encoder *e, uint64_t need)
{
    struct hpack_entry *oldest;
    while ((oldest = hpack_table_evict(&e->table, need)) != NULL) {
        hpack_release(&e->alloc, oldest);
    }
}

static uint8_t *write_size_update(struct hpack_encoder *e, uint8_t *p, uint32_t size)
{
    e->table.max_size = size;
    make_space(e, 0);
    if (size == 0) {
        hpack_table_free(&e->table, &e->alloc); /* empty: gives back the ring */
    }
    return hpack_integer_write(p, 0x20, 5, size);
}

/* RFC 7541, 4.2: the smallest size in between makes the decoder evict, the last one is in force. */
static uint8_t *write_size_updates(struct hpack_encoder *e, uint8_t *p)
{
    if (e->update_due) {
        if (e->update_min < e->update_to) {
            p = write_size_update(e, p, e->update_min);
        }
        p = write_size_update(e, p, e->update_to);
        e->update_due = false;
    }
    return p;
}

static bool insert(struct hpack_encoder *e, const struct h2_field *field, uint8_t token,
                   const struct hpack_found *found)
{
    struct h2_field known = *field;
    known.token = token;
    struct hpack_indexed_entry *entry =
        (struct hpack_indexed_entry *)hpack_entry_new(&e->alloc, sizeof(*entry), &known);
    if (entry == NULL) {
        return false;
    }
    make_space(e, hpack_field_size(field));
    if (!hpack_table_reserve(&e->table, &e->alloc)) {
        hpack_release(&e->alloc, entry);
        return false;
    }
    entry->name_hash = found->name_hash;
    entry->field_hash = found->field_hash;
    hpack_index_add(&e->memory->index, &e->table, entry);
    hpack_table_push(&e->table, &entry->entry);
    return true;
}

/* ---------------------------------------------------------------- the choice */

enum choice {
    ORDINARY, /* at once if the name is new to the table, else when seen before */
    AT_ONCE,  /* into the table */
    IF_SEEN,  /* when seen before */
    NOT,      /* not into the table */
    NEVER,    /* and not into anybody's */
    COOKIE,   /* ORDINARY or, if short, NEVER */
};

static const uint8_t choices[H2_TOKEN_COUNT] = {
    [H2_TOKEN_AUTHORIZATION] = NEVER,
    [H2_TOKEN_PROXY_AUTHORIZATION] = NEVER,

    [H2_TOKEN_COOKIE] = COOKIE,

    [H2_TOKEN_DATE] = AT_ONCE,

    [H2_TOKEN_AGE] = NOT,
    [H2_TOKEN_CONTENT_RANGE] = NOT,
    [H2_TOKEN_HTTP2_SETTINGS] = NOT,
    [H2_TOKEN_IF_RANGE] = NOT,
    [H2_TOKEN_RANGE] = NOT,
    [H2_TOKEN_SEC_WEBSOCKET_ACCEPT] = NOT,
    [H2_TOKEN_SEC_WEBSOCKET_KEY] = NOT,
    [H2_TOKEN_SET_COOKIE] = NOT,
    [H2_TOKEN_X_REQUEST_ID] = NOT,

    [H2_TOKEN_PSEUDO_PATH] = IF_SEEN,
    [H2_TOKEN_CONTENT_DISPOSITION] = IF_SEEN,
    [H2_TOKEN_CONTENT_LENGTH] = IF_SEEN,
    [H2_TOKEN_CONTENT_LOCATION] = IF_SEEN,
    [H2_TOKEN_ETAG] = IF_SEEN,
    [H2_TOKEN_EXPIRES] = IF_SEEN,
    [H2_TOKEN_FORWARDED] = IF_SEEN,
    [H2_TOKEN_IF_MATCH] = IF_SEEN,
    [H2_TOKEN_IF_MODIFIED_SINCE] = IF_SEEN,
    [H2_TOKEN_IF_NONE_MATCH] = IF_SEEN,
    [H2_TOKEN_IF_UNMODIFIED_SINCE] = IF_SEEN,
    [H2_TOKEN_LAST_MODIFIED] = IF_SEEN,
    [H2_TOKEN_LINK] = IF_SEEN,
    [H2_TOKEN_LOCATION] = IF_SEEN,
    [H2_TOKEN_REFERER] = IF_SEEN,
    [H2_TOKEN_X_FORWARDED_FOR] = IF_SEEN,
    [H2_TOKEN_X_REAL_IP] = IF_SEEN,
};

static enum choice choose(const struct hpack_encoder *e, const struct h2_field *field,
                          uint8_t token)
{
    enum choice choice = (enum choice)choices[token];
    if (choice < NEVER && field->flags == 0) { /* nearly all */
        return choice;
    }
    if (choice == COOKIE) {
        choice = field->value_len < SECRET_COOKIE_LEN ? NEVER : ORDINARY;
    }
    if (choice == NEVER && e->index_secrets) {
        choice = ORDINARY;
    }
    if (choice == NEVER || (field->flags & H2_FIELD_NEVER_INDEX) != 0) {
        return NEVER;
    }
    return field->flags & H2_FIELD_NO_INDEX ? NOT : choice;
}

/* Whether the field was sent lately; remembers it. Sixteen bits of its hash are enough: to be
   mistaken costs no more than an entry. */
static bool seen_before(struct memory *m, uint32_t field_hash)
{
    uint16_t *slot = &m->seen[field_hash % SEEN_SLOTS];
    uint16_t mark = (uint16_t)(field_hash >> 16);
    bool seen = *slot == mark;
    *slot = mark;
    return seen;
}

static bool is_worth_an_entry(struct hpack_encoder *e, enum choice choice,
                              const struct h2_field *field, bool name_known, uint32_t field_hash)
{
    /* A field that takes more than half of the table would push out too much. */
    if (hpack_field_size(field) > e->table.max_size / 2) {
        return false;
    }
    return choice == AT_ONCE || (choice == ORDINARY && !name_known) ||
           seen_before(e->memory, field_hash);
}

/* ---------------------------------------------------------------- writing */

/* A string literal (5.2), in Huffman code if that is shorter. Encoded at once, behind the room that
   the length may need, and not measured before: over nine of ten strings come out shorter. */
static uint8_t *write_string(uint8_t *p, const char *s, uint32_t len)
{
    if (len == 0) { /* s may be NULL */
        *p = 0;
        return p + 1;
    }
    uint8_t *behind_len = hpack_integer_write(p, 0x00, 7, len);
    uint8_t *end = hpack_huffman_encode(s, len, behind_len, behind_len + len);
    if (end != NULL) {
        size_t coded = (size_t)(end - behind_len);
        uint8_t *to = hpack_integer_write(p, 0x80, 7, (uint32_t)coded);
        if (to != behind_len) { /* a shorter integer */
            memmove(to, behind_len, coded);
        }
        return to + coded;
    }
    memcpy(behind_len, s, len);
    return behind_len + len;
}

static uint8_t *write_literal(uint8_t *p, uint8_t pattern, unsigned bits, uint32_t name_index,
                              const struct h2_field *field)
{
    p = hpack_integer_write(p, pattern, bits, name_index);
    if (name_index == 0) {
        p = write_string(p, field->name, field->name_len);
    }
    return write_string(p, field->value, field->value_len);
}

/* The static index of the whole field; 0: none. */
static uint32_t static_field(const struct h2_field *field, const struct hpack_static_name *name)
{
    uint32_t len = field->value_len;
    if (name->values == 0 || len == 0) {
        return name->values == 0 && len == 0 ? name->first : 0;
    }
    for (uint32_t i = name->first; i < name->first + name->values; i++) {
        const struct h2_field *f = &hpack_static_table[i - 1];
        /* The last octet tells most of them apart: 200, 204, 206. */
        if (f->value_len == len && f->value[len - 1] == field->value[len - 1] &&
            memcmp(f->value, field->value, len) == 0) {
            return i;
        }
    }
    return 0;
}

static enum hpack_rc write_field(struct hpack_encoder *e, const struct h2_field *field, uint8_t **p)
{
    uint8_t token = field->token;
    if (token == H2_TOKEN_NONE) {
        token = h2_token_lookup(field->name, field->name_len);
    }
    assert(token < H2_TOKEN_COUNT);
    enum choice choice = choose(e, field, token);
    const struct hpack_static_name *name = &hpack_static_names[token];
    uint32_t index = choice != NEVER ? static_field(field, name) : 0;
    if (index != 0) {
        *p = hpack_integer_write(*p, 0x80, 7, index);
        return HPACK_OK;
    }

    uint32_t name_index = name->first;
    if (e->memory != NULL) {
        bool may_be_in = choice < NOT;
        /* Whether the table has the name is of interest if that is the choice, or the only place
           to take it from. */
        bool look_for_name = choice == ORDINARY || name_index == 0;
        struct hpack_found found =
            hpack_index_find(&e->memory->index, &e->table, field, token,
                             (may_be_in ? HPACK_WHOLE : 0u) | (look_for_name ? HPACK_NAME : 0u));
        index = HPACK_STATIC_COUNT + 1 + found.index;
        if (found.part == HPACK_WHOLE) {
            *p = hpack_integer_write(*p, 0x80, 7, index);
            return HPACK_OK;
        }
        bool name_known = found.part == HPACK_NAME;
        if (name_known && name_index == 0) {
            name_index = index;
        }
        if (may_be_in && is_worth_an_entry(e, choice, field, name_known, found.field_hash)) {
            *p = write_literal(*p, 0x40, 6, name_index, field);
            return insert(e, field, token, &found) ? HPACK_OK : HPACK_ERR_NOMEM;
        }
    }
    *p = write_literal(*p, choice == NEVER ? 0x10 : 0x00, 4, name_index, field);
    return HPACK_OK;
}

size_t hpack_encoder_bound(const struct h2_field *fields, size_t n)
{
    size_t bound = (size_t)2 * HPACK_INTEGER_MAX + HPACK_HUFFMAN_SLACK;
    for (size_t i = 0; i < n; i++) {
        bound += FIELD_MAX + (size_t)fields[i].name_len + fields[i].value_len;
    }
    return bound;
}

enum hpack_rc hpack_encoder_encode(struct hpack_encoder *e, const struct h2_field *fields, size_t n,
                                   uint8_t *buf, size_t *len)
{
    uint8_t *p = write_size_updates(e, buf);
    if (e->memory == NULL && e->table.max_size > 0 && n > 0) {
        e->memory = hpack_alloc(&e->alloc, sizeof(*e->memory));
        if (e->memory == NULL) {
            return HPACK_ERR_NOMEM;
        }
        memset(e->memory, 0, sizeof(*e->memory));
    }
    for (size_t i = 0; i < n; i++) {
        enum hpack_rc rc = write_field(e, &fields[i], &p);
        if (rc != HPACK_OK) {
            return rc;
        }
    }
    *len = (size_t)(p - buf);
    return HPACK_OK;
}

uint32_t hpack_encoder_table_size(const struct hpack_encoder *e)
{
    return e->table.size;
}

bool hpack_encoder_table_entry(const struct hpack_encoder *e, uint32_t index,
                               struct h2_field *field)
{
    const struct hpack_entry *entry = hpack_table_get(&e->table, index);
    if (entry == NULL) {
        return false;
    }
    *field = entry->field;
    return true;
}
