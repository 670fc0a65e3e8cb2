/*
 * The HPACK decoder (RFC 7541, 3 and 6): one representation a call, from as much of a block as
 * there is.
 *
 * A representation is first measured (find out whether all of it is there) and then acted upon, so
 * that one that is cut off leaves no trace.
 *
 * Where the bytes of a decoded field are:
 *
 *     static table     well-known names and static values; never copied
 *     dynamic table    what is in an entry is lent from there, however often it is referred to; an
 *                      entry that is evicted while lent waits on `evicted` for the block's end
 *     scratch          literals that do not go into the table
 *
 * So a reference costs no memory, and a block holds no more than its literals and what they evict.
 * Over the limit of the list size nothing more is lent for longer than a call, so what a block
 * holds stops growing there.
 */
#include "hpack_internal.h"

#include <assert.h>
#include <string.h>

struct hpack_decoder {
    struct h2_allocator alloc;
    struct hpack_table table;
    struct hpack_scratch scratch;
    struct hpack_scratch before; /* without the last literal; over the limit it goes back there */
    struct hpack_entry *evicted; /* no longer in the table, still lent to the caller */
    int64_t list_left;           /* of the list size in this block; negative: over the limit */
    uint32_t list_limit;         /* UINT32_MAX: none */
    uint32_t limit;              /* what a size update may set at most */
    uint32_t owed;               /* the first size update may set at most this … */
    bool update_owed;            /* … and has to come */
    bool at_start;               /* of a block: size updates are legal */
    bool cut_off;                /* the octets so far end inside a representation */
    uint8_t updates;             /* in this block */
    uint32_t block;              /* number of the block whose strings are lent */
};

/* RFC 7541, 4.2: however often the size changes, the smallest and the last value are to be sent. */
#define MAX_UPDATES 2

struct hpack_decoder *hpack_decoder_new(const struct h2_allocator *alloc, uint32_t max_table_size)
{
    struct h2_allocator a = hpack_allocator(alloc);
    struct hpack_decoder *d = hpack_alloc(&a, sizeof(*d));
    if (d == NULL) {
        return NULL;
    }
    *d = (struct hpack_decoder){
        .alloc = a, .limit = max_table_size, .list_limit = UINT32_MAX, .block = 1};
    d->table.max_size = max_table_size;
    hpack_decoder_begin(d);
    return d;
}

static void give_up_strings(struct hpack_decoder *d)
{
    while (d->evicted != NULL) {
        struct hpack_entry *e = d->evicted;
        d->evicted = e->next;
        hpack_release(&d->alloc, e);
    }
    /* If the number comes around to one that an old entry has, that entry is only freed later. */
    d->block++;
}

void hpack_decoder_free(struct hpack_decoder *d)
{
    if (d == NULL) {
        return;
    }
    give_up_strings(d);
    hpack_scratch_free(&d->scratch, &d->alloc);
    hpack_table_free(&d->table, &d->alloc);
    struct h2_allocator a = d->alloc;
    hpack_release(&a, d);
}

void hpack_decoder_set_max_table_size(struct hpack_decoder *d, uint32_t size)
{
    d->limit = size;
    /* RFC 9113, 4.3.1: owed when the table as the encoder last set it has become too large. Several
       changes before the next block: the smallest counts (RFC 7541, 4.2). */
    if (size < d->table.max_size && (!d->update_owed || size < d->owed)) {
        d->update_owed = true;
        d->owed = size;
    }
}

void hpack_decoder_set_max_list_size(struct hpack_decoder *d, uint32_t size)
{
    d->list_limit = size;
}

void hpack_decoder_begin(struct hpack_decoder *d)
{
    give_up_strings(d);
    hpack_scratch_reset(&d->scratch, &d->alloc);
    d->list_left = d->list_limit == UINT32_MAX ? INT64_MAX : (int64_t)d->list_limit;
    d->at_start = true;
    d->cut_off = false;
    d->updates = 0;
}

void hpack_decoder_release(struct hpack_decoder *d)
{
    give_up_strings(d);
    hpack_scratch_free(&d->scratch, &d->alloc);
    d->before = d->scratch;
}

/* ---------------------------------------------------------------- dynamic table */

/* Whether the block's list is. Then nothing is lent for longer than until the next call. */
static bool over_limit(const struct hpack_decoder *d)
{
    return d->list_left < 0;
}

/* Evicts until `need` more octets fit, or the table is empty (4.3, 4.4). */
static void make_space(struct hpack_decoder *d, uint64_t need)
{
    struct hpack_entry *e;
    while ((e = hpack_table_evict(&d->table, need)) != NULL) {
        if (e->block == d->block) {
            e->next = d->evicted;
            d->evicted = e;
        } else {
            hpack_release(&d->alloc, e);
        }
    }
}

/* An entry of either table. Its strings are lent from now on. */
static enum hpack_rc look_up(struct hpack_decoder *d, uint32_t index, const struct h2_field **field)
{
    if (index == 0) {
        return HPACK_ERR_INDEX;
    }
    if (index <= HPACK_STATIC_COUNT) {
        *field = &hpack_static_table[index - 1];
        return HPACK_OK;
    }
    struct hpack_entry *e = hpack_table_get(&d->table, index - HPACK_STATIC_COUNT - 1);
    if (e == NULL) {
        return HPACK_ERR_INDEX;
    }
    if (!over_limit(d)) {
        e->block = d->block;
    }
    *field = &e->field;
    return HPACK_OK;
}

/* Puts a copy of the field, which fits, into the table and lends the field from there. */
static enum hpack_rc insert(struct hpack_decoder *d, struct h2_field *field)
{
    uint64_t size = hpack_field_size(field);
    struct hpack_entry *e = hpack_entry_new(&d->alloc, sizeof(*e), field);
    if (e == NULL) {
        return HPACK_ERR_NOMEM;
    }
    /* The name may belong to an entry that goes now; it has been copied. */
    make_space(d, size);
    if (!hpack_table_reserve(&d->table, &d->alloc)) {
        hpack_release(&d->alloc, e);
        return HPACK_ERR_NOMEM;
    }
    hpack_table_push(&d->table, e);
    if (!over_limit(d)) {
        e->block = d->block;
    }
    *field = e->field;
    return HPACK_OK;
}

static enum hpack_rc size_update(struct hpack_decoder *d, const uint8_t **p, const uint8_t *end)
{
    uint32_t size;
    enum hpack_rc rc = hpack_integer_read(p, end, 5, &size);
    if (rc != HPACK_OK) {
        return rc;
    }
    if (!d->at_start || d->updates == MAX_UPDATES || size > d->limit ||
        (d->update_owed && size > d->owed)) {
        return HPACK_ERR_TABLE_SIZE;
    }
    d->updates++;
    d->update_owed = false;
    d->table.max_size = size;
    make_space(d, 0);
    if (size == 0) {
        hpack_table_free(&d->table, &d->alloc); /* empty: gives back the ring */
    }
    return HPACK_OK;
}

/* ---------------------------------------------------------------- strings */

/* A string literal (5.2) as it stands in the block. */
struct coded {
    const uint8_t *octets;
    uint32_t len;
    bool huffman;
};

/* Finds where a string literal is, and that it is there as a whole. */
static enum hpack_rc find_string(const uint8_t **p, const uint8_t *end, struct coded *coded)
{
    if (*p == end) {
        return HPACK_ERR_TRUNCATED;
    }
    coded->huffman = (**p & 0x80) != 0;
    enum hpack_rc rc = hpack_integer_read(p, end, 7, &coded->len);
    if (rc != HPACK_OK) {
        return rc;
    }
    if (coded->len > (size_t)(end - *p)) {
        return HPACK_ERR_TRUNCATED;
    }
    coded->octets = *p;
    *p += coded->len;
    return HPACK_OK;
}

struct text {
    const char *p;
    uint32_t len;
    bool elsewhere; /* in the block or a table: to be copied if nobody else does */
};

/* The text of a string. A Huffman string is decoded to the end of the scratch and not taken yet,
   for if it goes into the table, or is a well-known name, the scratch need not keep it. */
static enum hpack_rc read_string(struct hpack_decoder *d, const struct coded *coded,
                                 struct text *text)
{
    if (!coded->huffman) {
        *text = (struct text){(const char *)coded->octets, coded->len, true};
        return HPACK_OK;
    }
    char *out =
        hpack_scratch_reserve(&d->scratch, &d->alloc, hpack_huffman_decoded_bound(coded->len));
    if (out == NULL) {
        return HPACK_ERR_NOMEM;
    }
    size_t len;
    if (!hpack_huffman_decode(coded->octets, coded->len, out, &len)) {
        return HPACK_ERR_HUFFMAN;
    }
    if (len > UINT32_MAX) {
        return HPACK_ERR_INTEGER;
    }
    *text = (struct text){out, (uint32_t)len, false};
    return HPACK_OK;
}

/* Makes the scratch keep a string that was just read. */
static enum hpack_rc keep(struct hpack_decoder *d, struct text *text)
{
    if (text->len == 0) {
        text->p = "";
        return HPACK_OK;
    }
    if (text->elsewhere) {
        char *copy = hpack_scratch_reserve(&d->scratch, &d->alloc, text->len);
        if (copy == NULL) {
            return HPACK_ERR_NOMEM;
        }
        memcpy(copy, text->p, text->len);
        text->p = copy;
        text->elsewhere = false;
    }
    hpack_scratch_take(&d->scratch, text->len);
    return HPACK_OK;
}

/* ---------------------------------------------------------------- representations (6) */

static enum hpack_rc indexed(struct hpack_decoder *d, const uint8_t **p, const uint8_t *end,
                             struct h2_field *field)
{
    uint32_t index;
    enum hpack_rc rc = hpack_integer_read(p, end, 7, &index);
    if (rc != HPACK_OK) {
        return rc;
    }
    const struct h2_field *entry;
    rc = look_up(d, index, &entry);
    if (rc == HPACK_OK) {
        *field = *entry;
    }
    return rc;
}

/* The name of a literal: from a table, or a string that is kept unless it is a well-known name. */
static enum hpack_rc literal_name(struct hpack_decoder *d, uint32_t index,
                                  const struct coded *coded, struct h2_field *field)
{
    if (index != 0) {
        const struct h2_field *entry;
        enum hpack_rc rc = look_up(d, index, &entry);
        if (rc == HPACK_OK) {
            *field = *entry;
        }
        return rc;
    }
    struct text name;
    enum hpack_rc rc = read_string(d, coded, &name);
    if (rc != HPACK_OK) {
        return rc;
    }
    field->token = h2_token_lookup(name.p, name.len);
    if (field->token != H2_TOKEN_NONE) {
        field->name = h2_token_name(field->token, NULL);
        field->name_len = name.len;
        return HPACK_OK;
    }
    rc = keep(d, &name);
    field->name = name.p;
    field->name_len = name.len;
    return rc;
}

/* A field that does not fit into the table empties it (4.4). If its name is lent from there, the
   entry waits on `evicted`, but over the list limit the name alone is kept. */
static enum hpack_rc empty_table(struct hpack_decoder *d, struct h2_field *field, bool name_is_lent)
{
    if (over_limit(d) && name_is_lent && field->token == H2_TOKEN_NONE) {
        struct text name = {field->name, field->name_len, true};
        enum hpack_rc rc = keep(d, &name);
        if (rc != HPACK_OK) {
            return rc;
        }
        field->name = name.p;
    }
    make_space(d, hpack_field_size(field));
    return HPACK_OK;
}

static enum hpack_rc literal(struct hpack_decoder *d, const uint8_t **p, const uint8_t *end,
                             struct h2_field *field)
{
    uint8_t first = **p;
    bool to_table = (first & 0x40) != 0;           /* 01xxxxxx (6.2.1) */
    bool never = !to_table && (first & 0x10) != 0; /* 0001xxxx (6.2.3) */
    uint32_t index;
    struct coded coded_name;
    struct coded coded_value;
    enum hpack_rc rc = hpack_integer_read(p, end, to_table ? 6 : 4, &index);
    if (rc == HPACK_OK && index == 0) {
        rc = find_string(p, end, &coded_name);
    }
    if (rc == HPACK_OK) {
        rc = find_string(p, end, &coded_value);
    }
    if (rc != HPACK_OK) {
        return rc;
    }

    d->before = d->scratch;
    rc = literal_name(d, index, &coded_name, field);
    if (rc != HPACK_OK) {
        return rc;
    }
    struct text value;
    rc = read_string(d, &coded_value, &value);
    if (rc != HPACK_OK) {
        return rc;
    }
    field->value = value.p;
    field->value_len = value.len;
    field->flags = never ? H2_FIELD_NEVER_INDEX : 0;
    if (to_table && hpack_field_size(field) <= d->table.max_size) {
        rc = insert(d, field);
        hpack_scratch_rewind(&d->scratch, &d->before); /* the table has the name now */
        return rc;
    }
    rc = keep(d, &value);
    field->value = value.p;
    if (rc == HPACK_OK && to_table) {
        rc = empty_table(d, field, index != 0);
    }
    return rc;
}

/* Counts a field that was decoded. */
static enum hpack_rc count(struct hpack_decoder *d, const struct h2_field *field, bool in_scratch)
{
    d->list_left -= (int64_t)hpack_field_size(field);
    if (!over_limit(d)) {
        return HPACK_FIELD;
    }
    d->list_left = -1;
    if (!in_scratch) {
        d->before = d->scratch;
    }
    return HPACK_ERR_LIST_SIZE;
}

enum hpack_rc hpack_decoder_next(struct hpack_decoder *d, const uint8_t **pos, const uint8_t *end,
                                 struct h2_field *field)
{
    assert(*pos <= end);
    const uint8_t *p = *pos;
    enum hpack_rc rc;
    if (over_limit(d)) {
        hpack_scratch_cut(&d->scratch, &d->alloc, &d->before);
    }
    d->cut_off = false;
    while (p < end && (*p & 0xe0) == 0x20) { /* 001xxxxx: at most MAX_UPDATES times */
        rc = size_update(d, &p, end);
        if (rc != HPACK_OK) {
            d->cut_off = rc == HPACK_ERR_TRUNCATED;
            return rc;
        }
        *pos = p;
    }
    if (p == end) {
        return HPACK_OK;
    }
    if (d->update_owed) {
        return HPACK_ERR_TABLE_SIZE;
    }
    d->at_start = false;
    bool is_literal = (*p & 0x80) == 0;
    rc = is_literal ? literal(d, &p, end, field) : indexed(d, &p, end, field);
    if (rc != HPACK_OK) {
        d->cut_off = rc == HPACK_ERR_TRUNCATED;
        return rc;
    }
    *pos = p;
    return count(d, field, is_literal);
}

enum hpack_rc hpack_decoder_end(struct hpack_decoder *d)
{
    if (d->cut_off) {
        return HPACK_ERR_TRUNCATED;
    }
    /* A block, even an empty one, begins with the update that is owed. */
    return d->update_owed ? HPACK_ERR_TABLE_SIZE : HPACK_OK;
}

uint32_t hpack_decoder_table_size(const struct hpack_decoder *d)
{
    return d->table.size;
}

bool hpack_decoder_table_entry(const struct hpack_decoder *d, uint32_t index,
                               struct h2_field *field)
{
    const struct hpack_entry *e = hpack_table_get(&d->table, index);
    if (e == NULL) {
        return false;
    }
    *field = e->field;
    return true;
}
