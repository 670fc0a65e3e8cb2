/*
 * The scans that nearly all octets of a head pass through, and the choice of the instructions that
 * they are made with.
 *
 * A scan says how many octets at p are of its class. None looks at an octet at `end` or after it,
 * so a head may end where readable memory ends. All forms of a scan give the same result on every
 * input (tests/h1parser/h1_scan_test.c), and what the parser says never depends on which is used.
 */
#ifndef H1_SCAN_H
#define H1_SCAN_H

#include "h1_internal.h"

/* One form of all of them, for one set of instructions. */
struct h1_scan {
    const char *instructions; /* "avx2", "sse4.2", "neon", "plain" */
    /* A field name (H1_C_TOKEN). */
    size_t (*name)(const uint8_t *p, const uint8_t *end);
    /* A field value or a reason phrase, with the blanks in it and after it (H1_C_VALUE). */
    size_t (*value)(const uint8_t *p, const uint8_t *end);
    /* A request target, up to its end, a '?' or a backslash (H1_C_TARGET). */
    size_t (*target)(const uint8_t *p, const uint8_t *end);
    /* Makes a field name of n octets at p lower case. The octets up to `end` may be written as they
     * are. */
    void (*lower)(uint8_t *p, size_t n, const uint8_t *end);
    /* The field lines that are wholly there and in order (h1_lines.h): the loop around `name`,
     * `value` and `lower`, which are part of it here, because a call for each of them would cost as
     * much as the scan. */
    uint8_t *(*lines)(struct h1_head *h, uint8_t *buf, uint8_t *p, const uint8_t *end);
};

/* The form that is in use: the best one that this machine has, found out at the first call. May be
 * called from several threads at once. */
const struct h1_scan *h1_scan_in_use(void);

/* For tests and measurements. The forms that this machine has, the best one first and the plain one
 * last; NULL after it. */
const struct h1_scan *h1_scan_form(size_t index);
/* Uses this form from now on; NULL: the best one. */
void h1_scan_use(const struct h1_scan *form);

/* The plain one is always there, the others where the machine can have them. */
extern const struct h1_scan h1_scan_plain;
#if defined(__x86_64__)
extern const struct h1_scan h1_scan_sse42;
extern const struct h1_scan h1_scan_avx2;
#elif defined(__aarch64__)
extern const struct h1_scan h1_scan_neon;
#endif

/* ---------------------------------------------------------------- plain C
 *
 * Also what the wide forms do with the octets that do not fill a vector.
 */

static inline size_t h1_scan_class(const uint8_t *p, const uint8_t *end, unsigned classes)
{
    const uint8_t *begin = p;
    while (p < end && h1_is(*p, classes)) {
        p++;
    }
    return (size_t)(p - begin);
}

static inline size_t h1_name_plain(const uint8_t *p, const uint8_t *end)
{
    return h1_scan_class(p, end, H1_C_TOKEN);
}

/*
 * Tests of eight octets in a word: not 0 if one of them is less than c, or is c. After the first
 * that is, a borrow may mark others that are not, so where it is has to be looked up octet by
 * octet.
 */
#define H1_SOME_LESS(x, c)  (((x)-H1_EACH(c)) & ~(x)&H1_EACH(0x80)) /* c <= 0x80 */
#define H1_SOME_EQUAL(x, c) H1_SOME_LESS((x) ^ H1_EACH(c), 1)

static inline uint64_t h1_lower_word(uint64_t x)
{
    uint64_t seven = x & H1_EACH(0x7f); /* no carry goes from one octet to the next */
    uint64_t from_a = seven + H1_EACH(0x80 - 'A');
    uint64_t after_z = seven + H1_EACH(0x7f - 'Z');
    return x | ((from_a & ~after_z & ~x & H1_EACH(0x80)) >> 2);
}

static inline void h1_lower_plain(uint8_t *p, size_t n, const uint8_t *end)
{
    (void)end;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t x = h1_lower_word(h1_word(p));
        memcpy(p, &x, sizeof x);
    }
    for (; n > 0; p++, n--) {
        *p = h1_name_lower[*p];
    }
}

static inline size_t h1_value_plain(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 8; p += 8) {
        uint64_t x = h1_word(p);
        if ((H1_SOME_LESS(x, 0x20) | H1_SOME_EQUAL(x, 0x7f)) != 0) {
            size_t n = h1_scan_class(p, p + 8, H1_C_VALUE);
            if (n < 8) {
                return (size_t)(p - begin) + n;
            }
        }
    }
    return (size_t)(p - begin) + h1_scan_class(p, end, H1_C_VALUE);
}

static inline size_t h1_target_plain(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 8; p += 8) {
        uint64_t x = h1_word(p);
        uint64_t high = x & H1_EACH(0x80);
        /* With 0x40 in it, '?' is DEL. */
        uint64_t del = H1_SOME_EQUAL(x | H1_EACH(0x40), 0x7f);
        if ((H1_SOME_LESS(x, 0x21) | del | H1_SOME_EQUAL(x, '#') | H1_SOME_EQUAL(x, '\\') | high) !=
            0) {
            return (size_t)(p - begin) + h1_scan_class(p, p + 8, H1_C_TARGET);
        }
    }
    return (size_t)(p - begin) + h1_scan_class(p, end, H1_C_TARGET);
}

#endif
