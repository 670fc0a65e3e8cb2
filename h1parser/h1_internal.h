/*
 * What the files of h1parser share: character classes, the two hot scans, and the states of a head.
 */
#ifndef H1_INTERNAL_H
#define H1_INTERNAL_H

#include "h1parser.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---------------------------------------------------------------- character classes */

enum {
    H1_C_TOKEN = 1,       /* tchar: RFC 9110, 5.6.2 */
    H1_C_VALUE = 2,       /* field-vchar, SP, HTAB: RFC 9110, 5.5 */
    H1_C_TARGET = 4,      /* what a request target is made of, but for the backslash */
    H1_C_REGNAME = 8,     /* unreserved and sub-delims without the comma: RFC 3986, 3.2.2 */
    H1_C_UNRESERVED = 16, /* RFC 3986, 2.3 */
};

extern const uint8_t h1_class[256];

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

/* Whether the bytes are `word` (lower case, letters, digits and '-' only), in any case. */
bool h1_is_word(const char *s, size_t len, const char *word, size_t word_len);

/* ---------------------------------------------------------------- scans
 *
 * Nearly all bytes of a head pass through one of these. Each returns how many bytes at p are of its
 * class. They are kept apart from what is made of the result, so that forms with wider instructions
 * can take their place without a change elsewhere. None looks at a byte at `end` or behind it.
 */

/* A field name, made lower case on the way. Names are short, and most of tchar lies scattered. */
static inline size_t h1_scan_name(uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    uint8_t c;
    while (p < end && (c = h1_name_lower[*p]) != 0) {
        *p++ = c;
    }
    return (size_t)(p - begin);
}

static inline size_t h1_scan_class(const uint8_t *p, const uint8_t *end, unsigned classes)
{
    const uint8_t *begin = p;
    while (p < end && h1_is(*p, classes)) {
        p++;
    }
    return (size_t)(p - begin);
}

#ifdef __SSE2__
/* Which of 16 octets are not of H1_C_VALUE: below SP (but HTAB), and DEL. One bit each. */
static inline unsigned h1_not_value(__m128i octets)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(octets, _mm_set1_epi8(0x1f)), octets);
    __m128i tab = _mm_cmpeq_epi8(octets, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(octets, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

/* Which of 16 octets are not of H1_C_TARGET: up to SP, DEL and above, '#', and the backslash. */
static inline unsigned h1_not_target(__m128i octets)
{
    /* As signed numbers 0x80 to 0xff are below SP too. */
    __m128i outside = _mm_cmplt_epi8(octets, _mm_set1_epi8(0x21));
    __m128i del = _mm_cmpeq_epi8(octets, _mm_set1_epi8(0x7f));
    __m128i hash = _mm_cmpeq_epi8(octets, _mm_set1_epi8('#'));
    __m128i backslash = _mm_cmpeq_epi8(octets, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(outside, del), _mm_or_si128(hash, backslash)));
}
#endif

/* A field value or a reason phrase, with the blanks in it and behind it. */
static inline size_t h1_scan_value(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        unsigned stop = h1_not_value(_mm_loadu_si128((const __m128i *)(const void *)p));
        if (stop != 0) {
            return (size_t)(p - begin) + (size_t)__builtin_ctz(stop);
        }
    }
#endif
    return (size_t)(p - begin) + h1_scan_class(p, end, H1_C_VALUE);
}

/* A request target, up to its end or a backslash. */
static inline size_t h1_scan_target(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        unsigned stop = h1_not_target(_mm_loadu_si128((const __m128i *)(const void *)p));
        if (stop != 0) {
            return (size_t)(p - begin) + (size_t)__builtin_ctz(stop);
        }
    }
#endif
    return (size_t)(p - begin) + h1_scan_class(p, end, H1_C_TARGET);
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

/* The states LINE to END_LF: field lines up to the empty line. `end` is behind the last byte that
 * may be looked at. */
enum h1_step h1_parse_fields(struct h1_head *h, uint8_t *buf, const uint8_t *end);

/* Takes a request target apart that has the right bytes in it: h->target to h->form and spans. */
enum h1_error h1_parse_target(struct h1_head *h, const char *buf);

/* Takes in what the last field of h->fields says about framing and connection. */
enum h1_error h1_known_field(struct h1_head *h, const struct h1_field *f, const char *value);

#endif
