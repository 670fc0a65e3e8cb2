/*
 * HPACK without a connection: encodes lists of fields, decodes them in pieces as a network would
 * bring them, and lists what the dynamic tables have learnt. docs/h2core/hpack.md goes through it.
 */
#include <h2core/hpack.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE     7    /* octets that come at a time */
#define MOST_LIST 300  /* octets of a list that we are ready to take */
#define MOST_REST 1024 /* octets of a field that we are ready to keep */

static void die(const char *what)
{
    fprintf(stderr, "hpack_roundtrip: %s\n", what);
    exit(1);
}

/* ---------------------------------------------------------------- sending */

static struct h2_field field(const char *name, const char *value)
{
    return (struct h2_field){.name = name,
                             .value = value,
                             .name_len = (uint32_t)strlen(name),
                             .value_len = (uint32_t)strlen(value)};
}

/* A header block, to be freed. */
static uint8_t *encode(struct hpack_encoder *encoder, const struct h2_field *fields, size_t n,
                       size_t *len)
{
    uint8_t *block = malloc(hpack_encoder_bound(fields, n));
    if (block == NULL || hpack_encoder_encode(encoder, fields, n, block, len) != HPACK_OK) {
        die("no memory");
    }
    return block;
}

/* ---------------------------------------------------------------- receiving */

struct receiver {
    struct hpack_decoder *decoder;
    uint8_t rest[MOST_REST]; /* the beginning of a field, whose end has not come yet */
    size_t rest_len;
    unsigned over; /* fields behind the limit of the list */
};

static void print_field(const struct h2_field *f)
{
    printf("    %.*s: %.*s%s\n", (int)f->name_len, f->name, (int)f->value_len, f->value,
           f->flags & H2_FIELD_NEVER_INDEX ? "   (never indexed)" : "");
}

/* Some more octets of the block. What could not be decoded yet is put in front of what comes
 * next. */
static enum hpack_rc receive(struct receiver *r, const uint8_t *octets, size_t len)
{
    if (len > sizeof(r->rest) - r->rest_len) {
        return HPACK_ERR_TRUNCATED; /* longer than we want to wait for */
    }
    memcpy(r->rest + r->rest_len, octets, len);
    r->rest_len += len;

    const uint8_t *pos = r->rest;
    const uint8_t *end = r->rest + r->rest_len;
    struct h2_field f;
    enum hpack_rc rc;
    while ((rc = hpack_decoder_next(r->decoder, &pos, end, &f)) == HPACK_FIELD ||
           rc == HPACK_ERR_LIST_SIZE) {
        if (rc == HPACK_FIELD) {
            print_field(&f);
        } else {
            r->over++;
        }
    }
    r->rest_len = (size_t)(end - pos);
    memmove(r->rest, pos, r->rest_len);
    return rc == HPACK_ERR_TRUNCATED ? HPACK_OK : rc;
}

static void decode(struct receiver *r, const uint8_t *block, size_t len)
{
    enum hpack_rc rc = HPACK_OK;
    r->rest_len = 0;
    r->over = 0;
    hpack_decoder_begin(r->decoder);
    for (size_t at = 0; rc == HPACK_OK && at < len; at += PIECE) {
        rc = receive(r, block + at, len - at < PIECE ? len - at : PIECE);
    }
    if (rc == HPACK_OK) {
        rc = hpack_decoder_end(r->decoder);
    }
    if (rc != HPACK_OK) {
        die(hpack_rc_text(rc)); /* on a connection: COMPRESSION_ERROR */
    }
    if (r->over > 0) {
        printf("    and %u more: the list is larger than %d octets\n", r->over, MOST_LIST);
    }
    /* The fields are dealt with: nothing needs to be held but the table. */
    hpack_decoder_release(r->decoder);
}

/* ---------------------------------------------------------------- the tables */

static void print_table(const struct hpack_decoder *decoder)
{
    printf("the dynamic table, %u octets:\n", (unsigned)hpack_decoder_table_size(decoder));
    struct h2_field f;
    for (uint32_t i = 0; hpack_decoder_table_entry(decoder, i, &f); i++) {
        printf("    %u  %.*s: %.*s\n", (unsigned)i, (int)f.name_len, f.name, (int)f.value_len,
               f.value);
    }
}

/* ---------------------------------------------------------------- both ends */

static void send_and_receive(struct hpack_encoder *encoder, struct receiver *receiver,
                             const struct h2_field *fields, size_t n)
{
    size_t plain = 0;
    for (size_t i = 0; i < n; i++) {
        plain += fields[i].name_len + fields[i].value_len;
    }
    size_t len;
    uint8_t *block = encode(encoder, fields, n, &len);
    printf("%zu octets of names and values, %zu of the block:\n", plain, len);
    decode(receiver, block, len);
    free(block);
}

int main(void)
{
    struct hpack_encoder *encoder = hpack_encoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE);
    struct receiver receiver = {.decoder = hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE)};
    if (encoder == NULL || receiver.decoder == NULL) {
        die("no memory");
    }
    hpack_decoder_set_max_list_size(receiver.decoder, MOST_LIST);

    struct h2_field fields[] = {
        field(":method", "GET"),
        field(":path", "/"),
        field("user-agent", "hpack_roundtrip"),
        field("x-tenant", "blue"),
        field("x-one-time-code", "493817"),
        field("authorization", "Basic dXNlcjpwYXNz"),
    };
    fields[4].flags = H2_FIELD_NO_INDEX; /* will not come again */
    size_t n = sizeof(fields) / sizeof(fields[0]);
    send_and_receive(encoder, &receiver, fields, n);
    send_and_receive(encoder, &receiver, fields, n); /* most of it is in the tables now */
    print_table(receiver.decoder);

    /* The receiver announces a smaller table, and sees this acknowledged. */
    hpack_encoder_set_peer_table_size(encoder, 60);
    hpack_decoder_set_max_table_size(receiver.decoder, 60);
    struct h2_field longer[] = {
        fields[0], fields[1], fields[3], field("x-note", "a list that has grown over the limit"),
        fields[2], fields[2],
    };
    send_and_receive(encoder, &receiver, longer, sizeof(longer) / sizeof(longer[0]));
    print_table(receiver.decoder);

    hpack_encoder_free(encoder);
    hpack_decoder_free(receiver.decoder);
    return 0;
}
