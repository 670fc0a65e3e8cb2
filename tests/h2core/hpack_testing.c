#include "hpack_testing.h"

#include <ctype.h>

/* In front of each block, to know its size. */
#define HEAD 16

static void *counting_resize(void *ctx, void *p, size_t size)
{
    struct counting *c = ctx;
    char *old = p != NULL ? (char *)p - HEAD : NULL;
    size_t old_size = 0;
    if (old != NULL) {
        memcpy(&old_size, old, sizeof(old_size));
    }
    if (size > 0 && ++c->calls == c->fail_at) {
        return NULL;
    }
    if (old != NULL) {
        c->blocks--;
        c->bytes -= old_size;
    }
    if (size == 0) {
        free(old);
        return NULL;
    }
    char *block = realloc(old, HEAD + size);
    assert_non_null(block);
    memcpy(block, &size, sizeof(size));
    c->blocks++;
    c->bytes += size;
    return block + HEAD;
}

void counting_init(struct counting *c)
{
    *c = (struct counting){.alloc = {counting_resize, c}};
}

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(tolower(c) - 'a' + 10);
}

size_t unhex(const char *hex, uint8_t *out, size_t room)
{
    size_t n = 0;
    while (*hex != '\0') {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        assert_true(isxdigit(hex[0]) && isxdigit(hex[1]) && n < room);
        out[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
        hex += 2;
    }
    return n;
}

struct h2_field field_of(const char *name, const char *value)
{
    return (struct h2_field){name, value, (uint32_t)strlen(name), (uint32_t)strlen(value), 0, 0};
}

void assert_field(const struct h2_field *f, const char *name, const char *value)
{
    assert_int_equal(f->name_len, strlen(name));
    assert_memory_equal(f->name, name, f->name_len);
    assert_int_equal(f->value_len, strlen(value));
    assert_memory_equal(f->value, value, f->value_len);
    assert_int_equal(f->token, h2_token_lookup(name, strlen(name)));
}

uint8_t *exact_copy(const uint8_t *octets, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0) {
        memcpy(copy, octets, len);
    }
    return copy;
}

enum hpack_rc decode_hex(struct hpack_decoder *d, const char *hex, struct h2_field *fields,
                         size_t room, size_t *n)
{
    uint8_t octets[8192];
    size_t len = unhex(hex, octets, sizeof(octets));
    uint8_t *block = exact_copy(octets, len);
    const uint8_t *pos = block;
    struct h2_field f;
    enum hpack_rc rc;
    *n = 0;
    hpack_decoder_begin(d);
    while ((rc = hpack_decoder_next(d, &pos, block + len, &f)) == HPACK_FIELD) {
        assert_true(*n < room);
        fields[(*n)++] = f;
    }
    if (rc == HPACK_OK) {
        assert_ptr_equal(pos, block + len);
        rc = hpack_decoder_end(d);
    }
    /* The fields must not need the block. */
    memset(block, 0xee, len);
    free(block);
    return rc;
}
