/*
 * An encoder and a decoder behind pipes, for hpack_peer.py. A line is a command, strings are in
 * hex,
 * "-" for an empty one:
 *
 *     peer SIZE | own SIZE | secrets 0/1    settings of the encoder
 *     allow SIZE | list SIZE                settings of the decoder: table limit, list limit
 *     field FLAGS NAME VALUE                one more for the next `encode`
 *     encode                                answers: block HEX
 *     decode HEX LEN...                     in pieces of these lengths, and the rest; answers: a
 * line "field FLAGS NAME VALUE" or "over FLAGS NAME VALUE" for each, then "end RC" (an enum
 * hpack_rc) table e | table d                     answers: a line "entry NAME VALUE" each, then
 * "end SIZE" release                               of the decoder
 */
#include "h2core/hpack.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 256
#define MAX_WORDS  64

static struct hpack_encoder *encoder;
static struct hpack_decoder *decoder;
static struct h2_field fields[MAX_FIELDS];
static size_t field_count;

static void die(const char *what)
{
    fprintf(stderr, "hpack_peer: %s\n", what);
    exit(1);
}

static void *checked(void *p)
{
    if (p == NULL) {
        die("no memory");
    }
    return p;
}

static uint8_t *unhex(const char *hex, size_t *len)
{
    *len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    uint8_t *octets = checked(malloc(*len + 1));
    for (size_t i = 0; i < *len; i++) {
        unsigned value;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1) {
            die("not a hex string");
        }
        octets[i] = (uint8_t)value;
    }
    return octets;
}

static void print_hex(const void *octets, size_t len)
{
    const uint8_t *p = octets;
    putchar(' ');
    if (len == 0) {
        putchar('-');
    }
    for (size_t i = 0; i < len; i++) {
        printf("%02x", p[i]);
    }
}

static uint32_t number(const char *word)
{
    return (uint32_t)strtoul(word, NULL, 10);
}

static void add_field(const char *flags, const char *name, const char *value)
{
    if (field_count == MAX_FIELDS) {
        die("too many fields");
    }
    struct h2_field *f = &fields[field_count++];
    size_t len;
    *f = (struct h2_field){.flags = (uint8_t)number(flags)};
    f->name = (char *)unhex(name, &len);
    f->name_len = (uint32_t)len;
    f->value = (char *)unhex(value, &len);
    f->value_len = (uint32_t)len;
}

static void encode(void)
{
    size_t len;
    uint8_t *buf = checked(malloc(hpack_encoder_bound(fields, field_count)));
    if (hpack_encoder_encode(encoder, fields, field_count, buf, &len) != HPACK_OK) {
        die("no memory");
    }
    printf("block");
    print_hex(buf, len);
    printf("\n");
    free(buf);
    for (size_t i = 0; i < field_count; i++) {
        free((void *)(uintptr_t)fields[i].name); /* made by add_field() */
        free((void *)(uintptr_t)fields[i].value);
    }
    field_count = 0;
}

/* Feeds [block + *taken, block + end) from memory of its own, and moves *taken. */
static enum hpack_rc feed(const uint8_t *block, size_t *taken, size_t end, struct h2_field *got,
                          bool *over, size_t *n)
{
    size_t len = end - *taken;
    uint8_t *piece = checked(malloc(len + 1));
    memcpy(piece, block + *taken, len);
    const uint8_t *pos = piece;
    enum hpack_rc rc;
    struct h2_field f;
    while ((rc = hpack_decoder_next(decoder, &pos, piece + len, &f)) == HPACK_FIELD ||
           rc == HPACK_ERR_LIST_SIZE) {
        if (*n == MAX_FIELDS) {
            die("too many fields");
        }
        over[*n] = rc == HPACK_ERR_LIST_SIZE;
        if (over[*n]) { /* valid until the next call only */
            f.name = memcpy(checked(malloc(f.name_len + 1)), f.name, f.name_len);
            f.value = memcpy(checked(malloc(f.value_len + 1)), f.value, f.value_len);
        }
        got[(*n)++] = f;
    }
    *taken += (size_t)(pos - piece);
    free(piece);
    return rc;
}

static void decode(const char *hex, char **lens, size_t n_lens)
{
    static struct h2_field got[MAX_FIELDS];
    static bool over[MAX_FIELDS];
    size_t n = 0;
    size_t len;
    uint8_t *block = unhex(hex, &len);
    size_t taken = 0;
    size_t end = 0;
    enum hpack_rc rc = HPACK_OK;
    hpack_decoder_begin(decoder);
    for (size_t i = 0; i <= n_lens && (rc == HPACK_OK || rc == HPACK_ERR_TRUNCATED); i++) {
        end = i < n_lens ? end + number(lens[i]) : len;
        if (end > len) {
            die("pieces longer than the block");
        }
        rc = feed(block, &taken, end, got, over, &n);
    }
    if (rc == HPACK_OK) {
        rc = hpack_decoder_end(decoder);
    }
    for (size_t i = 0; i < n; i++) {
        printf("%s %u", over[i] ? "over" : "field", got[i].flags);
        print_hex(got[i].name, got[i].name_len);
        print_hex(got[i].value, got[i].value_len);
        printf("\n");
        if (over[i]) {
            free((void *)(uintptr_t)got[i].name);
            free((void *)(uintptr_t)got[i].value);
        }
    }
    printf("end %d\n", (int)rc);
    free(block);
}

static void list_table(bool of_encoder)
{
    struct h2_field f;
    for (uint32_t i = 0; of_encoder ? hpack_encoder_table_entry(encoder, i, &f)
                                    : hpack_decoder_table_entry(decoder, i, &f);
         i++) {
        printf("entry");
        print_hex(f.name, f.name_len);
        print_hex(f.value, f.value_len);
        printf("\n");
    }
    printf("end %u\n", (unsigned)(of_encoder ? hpack_encoder_table_size(encoder)
                                             : hpack_decoder_table_size(decoder)));
}

static bool obey(char **word, size_t n)
{
    if (n == 2 && strcmp(word[0], "peer") == 0) {
        hpack_encoder_set_peer_table_size(encoder, number(word[1]));
    } else if (n == 2 && strcmp(word[0], "own") == 0) {
        hpack_encoder_set_max_table_size(encoder, number(word[1]));
    } else if (n == 2 && strcmp(word[0], "secrets") == 0) {
        hpack_encoder_index_secrets(encoder, number(word[1]) != 0);
    } else if (n == 2 && strcmp(word[0], "allow") == 0) {
        hpack_decoder_set_max_table_size(decoder, number(word[1]));
    } else if (n == 2 && strcmp(word[0], "list") == 0) {
        hpack_decoder_set_max_list_size(decoder, number(word[1]));
    } else if (n == 4 && strcmp(word[0], "field") == 0) {
        add_field(word[1], word[2], word[3]);
    } else if (n == 1 && strcmp(word[0], "encode") == 0) {
        encode();
    } else if (n >= 2 && strcmp(word[0], "decode") == 0) {
        decode(word[1], word + 2, n - 2);
    } else if (n == 2 && strcmp(word[0], "table") == 0) {
        list_table(word[1][0] == 'e');
    } else if (n == 1 && strcmp(word[0], "release") == 0) {
        hpack_decoder_release(decoder);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        die("usage: hpack_peer OUR_TABLE_SIZE");
    }
    encoder = checked(hpack_encoder_new(NULL, number(argv[1])));
    decoder = checked(hpack_decoder_new(NULL, HPACK_DEFAULT_TABLE_SIZE));
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        char *word[MAX_WORDS];
        size_t n = 0;
        char *rest = NULL;
        for (char *w = strtok_r(line, " \n", &rest); w != NULL && n < MAX_WORDS;
             w = strtok_r(NULL, " \n", &rest)) {
            word[n++] = w;
        }
        if (n == 0 || !obey(word, n)) {
            die("a command that this program does not know");
        }
        fflush(stdout);
    }
    free(line);
    hpack_encoder_free(encoder);
    hpack_decoder_free(decoder);
    return 0;
}
