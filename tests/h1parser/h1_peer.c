/*
 * What h1parser makes of a stream of messages, for h1_differential_test.py.
 *
 * Reads lines "KIND METHOD HEX" (KIND request or response; METHOD is what a response answers) and
 * answers each with a line: for every complete message "START HEAD_END END FIELDS LENGTHS BODY
 * FRAMING" (LENGTHS: how many of the fields are Content-Length), a '|' behind each, and how it
 * ended: "more", "end" (nothing is left), "tunnel", or the error's text. A body that lasts until
 * the connection ends is complete, with all there is.
 */
#include "h1parser.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 64 };

static const struct h1_options options = {.head_bytes = 65536, .fields = FIELDS};

/* The body at *at: *at behind it, how much data it has; NULL when it is complete. */
static const char *read_body(struct h1_framing framing, uint8_t *octets, size_t len, size_t *at,
                             size_t *data_total)
{
    struct h1_body b;
    h1_body_init(&b, framing);
    enum h1_rc rc;
    do {
        const uint8_t *data;
        size_t data_len;
        size_t used;
        rc = h1_body_next(&b, octets + *at, len - *at, &used, &data, &data_len);
        *at += used;
        *data_total += data_len;
    } while (rc == H1_DATA);
    if (rc == H1_ERROR) {
        return h1_error_text(b.error);
    }
    if (rc == H1_MORE) {
        return framing.kind == H1_BODY_CLOSE ? NULL : "more";
    }
    if (framing.kind != H1_BODY_CHUNKED) {
        return NULL;
    }
    struct h1_head trailers;
    struct h1_field fields[FIELDS];
    h1_head_init(&trailers, H1_TRAILERS, fields, FIELDS, options);
    rc = h1_head_parse(&trailers, octets + *at, len - *at);
    if (rc == H1_DONE) {
        *at += trailers.head_len;
        return NULL;
    }
    return rc == H1_MORE ? "more" : h1_error_text(trailers.error);
}

static const char *read_message(enum h1_kind kind, enum h1_method method, uint8_t *octets,
                                size_t len, size_t *at)
{
    static const char *const framings[] = {"none", "length", "chunked", "close", "tunnel"};
    struct h1_head h;
    struct h1_field fields[FIELDS];
    size_t start = *at;
    h1_head_init(&h, kind, fields, FIELDS, options);
    enum h1_rc rc = h1_head_parse(&h, octets + start, len - start);
    if (rc != H1_DONE) {
        return rc == H1_MORE ? "more" : h1_error_text(h.error);
    }
    struct h1_framing framing = h1_body_framing(&h, method);
    *at += h.head_len;
    size_t head_end = *at;
    size_t body = 0;
    const char *why = NULL;
    if (framing.kind != H1_BODY_TUNNEL) {
        why = read_body(framing, octets, len, at, &body);
    }
    if (why == NULL) {
        unsigned lengths = 0;
        for (uint32_t i = 0; i < h.nfields; i++) {
            lengths += fields[i].token == H1_TOKEN_CONTENT_LENGTH;
        }
        printf("%zu %zu %zu %u %u %zu %s|", start, head_end, *at, h.nfields, lengths, body,
               framings[framing.kind]);
    }
    /* An Upgrade that is declined leaves the connection as it is: the others read on. */
    bool ends = framing.kind == H1_BODY_TUNNEL || (framing.switches && !framing.keep_alive);
    return why == NULL && ends ? "tunnel" : why;
}

static size_t from_hex(char *text)
{
    size_t n = strspn(text, "0123456789abcdef") / 2;
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        ((uint8_t *)text)[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        char *save = NULL;
        const char *kind = strtok_r(line, " ", &save);
        const char *method = strtok_r(NULL, " ", &save);
        char *hex = strtok_r(NULL, "\n", &save);
        assert(kind != NULL && method != NULL && hex != NULL);
        size_t len = from_hex(hex);
        uint8_t *octets = malloc(len > 0 ? len : 1); /* of just that size */
        assert(octets != NULL);
        memcpy(octets, hex, len);
        size_t at = 0;
        const char *why = NULL;
        while (why == NULL && at < len) {
            why = read_message(kind[2] == 'q' ? H1_REQUEST : H1_RESPONSE,
                               h1_method_lookup(method, strlen(method)), octets, len, &at);
        }
        printf("%s\n", why != NULL ? why : "end");
        fflush(stdout);
        free(octets);
    }
    free(line);
    return 0;
}
