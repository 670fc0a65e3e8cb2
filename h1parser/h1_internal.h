/*
 * What the files of h1parser share: character classes, and the states of a head.
 */
#ifndef H1_INTERNAL_H
#define H1_INTERNAL_H

#include "h1parser.h"

#include <string.h>

/* ---------------------------------------------------------------- character classes */

enum {
    H1_C_TOKEN = 1,       /* tchar: RFC 9110, 5.6.2 */
    H1_C_VALUE = 2,       /* field-vchar, SP, HTAB: RFC 9110, 5.5 */
    H1_C_TARGET = 4,      /* what a request target is made of, but for '?' and the backslash */
    H1_C_REGNAME = 8,     /* unreserved and sub-delims without the comma: RFC 3986, 3.2.2 */
    H1_C_UNRESERVED = 16, /* RFC 3986, 2.3 */
};

extern const uint8_t h1_class[256];

/* The same of H1_C_TOKEN, for vectors, which look octets up by four bits: by its low four bits, in
 * which rows (high four bits) an octet is a tchar, a bit for each; and the bit of each row. */
extern const uint8_t h1_tchar_rows[16];
extern const uint8_t h1_row_bits[16];

/* A tchar's lower-case form, 0 for every byte that is none. */
extern const uint8_t h1_name_lower[256];

static inline bool h1_is(uint8_t c, unsigned classes)
{
    return (h1_class[c] & classes) != 0;
}

static inline bool h1_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static inline bool h1_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The value of a hex digit, -1 for any other byte. */
static inline int h1_hex(uint8_t c)
{
    if (h1_is_digit(c)) {
        return c - '0';
    }
    uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Eight octets in a word, and a word of eight equal octets. */
#define H1_EACH(c) (UINT64_C(0x0101010101010101) * (c))

static inline uint64_t h1_word(const void *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/*
 * Whether the octets are `word` (lower case; letters, digits and '-' only), in any case. They must
 * be of H1_C_VALUE: 0x20 added to anything else could make a digit or '-' of it.
 */
static inline bool h1_is_word(const char *s, size_t len, const char *word, size_t word_len)
{
    if (len != word_len) {
        return false;
    }
    uint64_t differs = 0;
    size_t i = 0;
    for (; i + 8 <= word_len; i += 8) {
        differs |= (h1_word(s + i) | H1_EACH(0x20)) ^ h1_word(word + i);
    }
    for (; i < word_len; i++) {
        differs |= (unsigned)(((uint8_t)s[i] | 0x20) ^ (uint8_t)word[i]);
    }
    return differs == 0;
}

/* ---------------------------------------------------------------- a head in the making */

/* How a step of the head ended. */
enum h1_step {
    H1_STEP_NEXT, /* h->state says how it goes on */
    H1_STEP_MORE, /* the bytes are used up */
    H1_STEP_DONE,
    H1_STEP_FAIL, /* h->error */
};

/*
 *            ┌────────────── request ───────────────┐
 * EMPTY ──► METHOD ──► TARGET ──► REQUEST_VERSION ──┐
 *   │ CRLF   ▲                                      ▼
 *   └────────┘                                  START_LF ──► LINE ──────► END_LF ──► DONE
 *                                                   ▲        │  ▲ (CR)
 *            STATUS_LINE ──────────► REASON ────────┘        ▼  └──────────────┐
 *            └────────────── response ──────────┘          NAME ► BLANK ► VALUE ► VALUE_LF
 *
 * A trailer section begins at LINE. FAILED is reached from everywhere and never left.
 */
enum h1_state {
    H1_S_EMPTY,
    H1_S_METHOD,
    H1_S_TARGET,
    H1_S_REQUEST_VERSION,
    H1_S_STATUS_LINE,
    H1_S_REASON,
    H1_S_START_LF,
    H1_S_LINE,
    H1_S_NAME,
    H1_S_BLANK,
    H1_S_VALUE,
    H1_S_VALUE_LF,
    H1_S_END_LF,
    H1_S_DONE,
    H1_S_FAILED,
};

enum h1_step h1_fail(struct h1_head *h, enum h1_error error);

/* How many more fields are within the limits. */
static inline uint32_t h1_room_for_fields(const struct h1_head *h)
{
    uint32_t lines = h->nfields + h->dropped;
    uint32_t more = h->options.fields > lines ? h->options.fields - lines : 0;
    return more < h->fields_cap - h->nfields ? more : h->fields_cap - h->nfields;
}

/* The states LINE to END_LF: field lines up to the empty line. `end` is after the last octet that
 * may be looked at. */
enum h1_step h1_parse_fields(struct h1_head *h, uint8_t *buf, const uint8_t *end);

/* Where the target at p ends: at an octet that it cannot have, or at `end`. *query says whether a
 * '?' was seen, before and now: the backslash, which some take for a slash, may only follow it. */
const uint8_t *h1_scan_target(const uint8_t *p, const uint8_t *end, bool *query);

/* h1_body_framing(), of a head whose fields are all in. */
struct h1_framing h1_framing_of(const struct h1_head *h, enum h1_method request_method);

/* Takes a request target apart that has the right bytes in it: h->target to h->form and spans. */
enum h1_error h1_parse_target(struct h1_head *h, const char *buf);

/* Takes in what a field, h->fields[index], says about framing or connection. */
typedef enum h1_error h1_field_reader(struct h1_head *h, uint32_t index, const char *value,
                                      size_t len);

/* By token: the reader of a field that says such things, NULL for all others. */
extern h1_field_reader *const h1_field_readers[256];

/* Whether options.underscores has something to say about a name without token. (No well-known name
 * has an underscore.) */
static inline bool h1_has_unwanted_underscore(const struct h1_head *h, const uint8_t *name,
                                              size_t len)
{
    return h->options.underscores != H1_UNDERSCORES_KEEP && memchr(name, '_', len) != NULL;
}

/* A good line was read, its token too: takes in what the field says. False when it is refused
 * (h->error), or when it is to be dropped or refused for its name, which is left to h1_field.c. */
static inline bool h1_take_field(struct h1_head *h, const struct h1_field *f, const uint8_t *buf)
{
    if (f->token == H1_TOKEN_NONE) {
        return !h1_has_unwanted_underscore(h, buf + f->name.off, f->name.len);
    }
    h1_field_reader *read = h1_field_readers[f->token];
    /* RFC 9110, 6.5.1: nothing in a trailer has a say about the message. */
    if (read == NULL || h->kind == H1_TRAILERS) {
        return true;
    }
    uint32_t index = (uint32_t)(f - h->fields);
    enum h1_error error = read(h, index, (const char *)buf + f->value.off, f->value.len);
    if (error != H1_ERR_NONE) {
        h1_fail(h, error);
        return false;
    }
    return true;
}

#endif
