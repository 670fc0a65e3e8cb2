/*
 * Checks the stories of hpack-test-case, which hpack_vectors.py gives on standard input, a line
 * each, strings in hex and "-" for an empty one:
 *
 *     story NAME             a new connection
 *     table SIZE             SETTINGS_HEADER_TABLE_SIZE was sent and acknowledged
 *     field NAME VALUE       a field of the next block
 *     block WIRE             the block that somebody's encoder made of these fields
 *     raw                    the same without a block
 *
 * Every block must decode to its fields. The fields, with or without a block, are encoded by our
 * encoder and decoded again. At the end, the octets of both are told, so that a change of our
 * encoder's choices shows.
 */
#include "h2core/hpack.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 256

static struct {
    char story[256];
    unsigned block; /* in the story */
    struct hpack_decoder *theirs;
    struct hpack_encoder *encoder;
    struct hpack_decoder *ours;
    struct h2_field fields[MAX_FIELDS];
    size_t n;
} now;

static struct {
    unsigned stories, blocks;
    uint64_t fields, plain, theirs, ours; /* octets: names and values, their blocks, our blocks */
} sum;

static void fail(const char *what)
{
    fprintf(stderr, "%s, block %u: %s\n", now.story, now.block, what);
    exit(1);
}

static void *checked(void *p)
{
    if (p == NULL) {
        fail("no memory");
    }
    return p;
}

/* Makes octets of hex digits, in new memory. */
static uint8_t *unhex(const char *hex, size_t *len)
{
    if (strcmp(hex, "-") == 0) {
        hex = "";
    }
    *len = strlen(hex) / 2;
    uint8_t *octets = checked(malloc(*len + 1));
    for (size_t i = 0; i < *len; i++) {
        unsigned value;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1) {
            fail("not a hex string");
        }
        octets[i] = (uint8_t)value;
    }
    return octets;
}

static void end_story(void)
{
    hpack_decoder_free(now.theirs);
    hpack_encoder_free(now.encoder);
    hpack_decoder_free(now.ours);
    now.theirs = now.ours = NULL;
    now.encoder = NULL;
}

static void begin_story(const char *name)
{
    end_story();
    snprintf(now.story, sizeof(now.story), "%s", name);
    now.block = 0;
    now.theirs = checked(hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE));
    now.encoder = checked(hpack_encoder_new(NULL, 65536));
    now.ours = checked(hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE));
    sum.stories++;
}

static void set_table(uint32_t size)
{
    hpack_decoder_set_max_table_size(now.theirs, size);
    hpack_encoder_set_peer_table_size(now.encoder, size);
    hpack_decoder_set_max_table_size(now.ours, size);
}

static void add_field(const char *name, const char *value)
{
    if (now.n == MAX_FIELDS) {
        fail("too many fields for this program");
    }
    size_t name_len;
    size_t value_len;
    struct h2_field *f = &now.fields[now.n++];
    *f = (struct h2_field){0};
    f->name = (const char *)unhex(name, &name_len);
    f->value = (const char *)unhex(value, &value_len);
    f->name_len = (uint32_t)name_len;
    f->value_len = (uint32_t)value_len;
    sum.plain += name_len + value_len;
    sum.fields++;
}

static bool same(const struct h2_field *a, const struct h2_field *b)
{
    return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0 &&
           a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0 &&
           b->token == h2_token_lookup(a->name, a->name_len);
}

static void check(struct hpack_decoder *d, const uint8_t *block, size_t len, const char *whose)
{
    struct h2_field got[MAX_FIELDS];
    const uint8_t *pos = block;
    size_t n = 0;
    enum hpack_rc rc;
    struct h2_field f;
    char what[200];
    hpack_decoder_begin(d);
    while ((rc = hpack_decoder_next(d, &pos, block + len, &f)) == HPACK_FIELD) {
        if (n == now.n) {
            snprintf(what, sizeof(what), "%s: more fields than the story has", whose);
            fail(what);
        }
        got[n++] = f;
    }
    if (rc != HPACK_OK || n != now.n) {
        snprintf(what, sizeof(what), "%s: %s after %zu of %zu fields", whose, hpack_rc_text(rc), n,
                 now.n);
        fail(what);
    }
    for (size_t i = 0; i < n; i++) { /* only now: strings must have stayed */
        if (!same(&now.fields[i], &got[i])) {
            snprintf(what, sizeof(what), "%s: field %zu is %.*s: %.*s", whose, i,
                     (int)got[i].name_len, got[i].name, (int)got[i].value_len, got[i].value);
            fail(what);
        }
    }
}

static void end_block(const char *wire)
{
    size_t len;
    if (wire != NULL) {
        uint8_t *block = unhex(wire, &len);
        check(now.theirs, block, len, "their block");
        sum.theirs += len;
        free(block);
    }
    uint8_t *buf = checked(malloc(hpack_encoder_bound(now.fields, now.n)));
    if (hpack_encoder_encode(now.encoder, now.fields, now.n, buf, &len) != HPACK_OK) {
        fail("not encoded");
    }
    check(now.ours, buf, len, "our block");
    sum.ours += len;
    free(buf);

    for (size_t i = 0; i < now.n; i++) {
        /* Made by add_field(), which gave them away as const. */
        free((void *)(uintptr_t)now.fields[i].name);
        free((void *)(uintptr_t)now.fields[i].value);
    }
    now.n = 0;
    now.block++;
    sum.blocks++;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    while ((len = getline(&line, &room, stdin)) > 0) {
        char *rest = NULL;
        char *word = strtok_r(line, " \n", &rest);
        char *one = strtok_r(NULL, " \n", &rest);
        char *two = strtok_r(NULL, " \n", &rest);
        if (word != NULL && strcmp(word, "story") == 0 && one != NULL) {
            begin_story(one);
        } else if (word != NULL && strcmp(word, "table") == 0 && one != NULL) {
            set_table((uint32_t)strtoul(one, NULL, 10));
        } else if (word != NULL && strcmp(word, "field") == 0 && two != NULL) {
            add_field(one, two);
        } else if (word != NULL && strcmp(word, "block") == 0 && one != NULL) {
            end_block(one);
        } else if (word != NULL && strcmp(word, "raw") == 0) {
            end_block(NULL);
        } else {
            fail("a line that this program does not know");
        }
    }
    free(line);
    end_story();
    printf("%u stories, %u blocks, %" PRIu64 " fields: %" PRIu64 " octets plain, %" PRIu64
           " in their blocks, %" PRIu64 " in ours\n",
           sum.stories, sum.blocks, sum.fields, sum.plain, sum.theirs, sum.ours);
    return sum.blocks > 0 ? 0 : 1;
}
