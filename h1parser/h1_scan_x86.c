/*
 * The scans with SSE4.2 (16 octets at a time) and AVX2 (32), for x86-64.
 *
 * The string instructions of SSE4.2 could test for ranges directly, but take several times as long
 * as the few comparisons here. Field names are classified with two table lookups: a tchar's low
 * four bits say which of its high four bits it may have, one bit of an octet for each of the rows
 * 0x20 to 0x70.
 */
#include "h1_scan.h"

#if defined(__x86_64__)

#include "h1_lines.h"
#include "h1_token_tables.h"

#include <immintrin.h>

/* Always inline: what serves both is encoded for the one that it becomes part of. */
#define SSE42 __attribute__((target("sse4.2"), always_inline)) inline
#define AVX2  __attribute__((target("avx2,bmi,bmi2"), always_inline)) inline

/* ---------------------------------------------------------------- SSE4.2 */

/* Which of 16 octets are not of H1_C_VALUE: below SP (but HTAB), and DEL. One bit each. */
static SSE42 unsigned not_value_16(__m128i octets)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(octets, _mm_set1_epi8(0x1f)), octets);
    __m128i tab = _mm_cmpeq_epi8(octets, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(octets, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

/* The same, and HTAB and the octets over 0x7f: one more than DEL is the smallest signed number. */
static SSE42 unsigned maybe_not_value_16(__m128i octets)
{
    __m128i next = _mm_add_epi8(octets, _mm_set1_epi8(1));
    return (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(next, _mm_set1_epi8(0x21)));
}

/* Which of 16 octets are not of H1_C_TARGET: up to SP, DEL and above, '#', '?', and the backslash.
 */
static SSE42 unsigned not_target_16(__m128i octets)
{
    /* As signed numbers 0x80 to 0xff are below SP too. */
    __m128i outside = _mm_cmplt_epi8(octets, _mm_set1_epi8(0x21));
    /* With 0x40 in it, '?' is DEL. */
    __m128i del = _mm_cmpeq_epi8(_mm_or_si128(octets, _mm_set1_epi8(0x40)), _mm_set1_epi8(0x7f));
    __m128i hash = _mm_cmpeq_epi8(octets, _mm_set1_epi8('#'));
    __m128i backslash = _mm_cmpeq_epi8(octets, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(outside, del), _mm_or_si128(hash, backslash)));
}

static SSE42 __m128i load_16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Which of 16 octets are no tchar. A shuffle gives 0 for an octet over 0x7f. */
static SSE42 unsigned not_token_16(__m128i octets)
{
    __m128i rows = _mm_shuffle_epi8(load_16(h1_tchar_rows), octets);
    __m128i high = _mm_and_si128(_mm_srli_epi16(octets, 4), _mm_set1_epi8(0x0f));
    __m128i row = _mm_shuffle_epi8(load_16(h1_row_bits), high);
    __m128i none = _mm_cmpeq_epi8(_mm_and_si128(rows, row), _mm_setzero_si128());
    return (unsigned)_mm_movemask_epi8(none);
}

static SSE42 unsigned equal_16(__m128i octets, char c)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(octets, _mm_set1_epi8(c)));
}

static SSE42 struct h1_masks classify_sse42(const uint8_t *p)
{
    struct h1_masks m = {0, 0};
    for (unsigned i = 0; i < H1_BLOCK; i += 16) {
        __m128i octets = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        m.colon |= (uint64_t)equal_16(octets, ':') << i;
        m.no_value |= (uint64_t)maybe_not_value_16(octets) << i;
    }
    return m;
}

static SSE42 size_t name_sse42(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 16; p += 16) {
        unsigned stop = not_token_16(_mm_loadu_si128((const __m128i *)(const void *)p));
        if (stop != 0) {
            return (size_t)(p - begin) + (size_t)__builtin_ctz(stop);
        }
    }
    return (size_t)(p - begin) + h1_name_plain(p, end);
}

/* The upper-case letters: they become the 26 smallest signed numbers. */
static SSE42 __m128i upper_16(__m128i octets)
{
    __m128i moved = _mm_add_epi8(octets, _mm_set1_epi8(0x80 - 'A'));
    return _mm_cmplt_epi8(moved, _mm_set1_epi8(-128 + 26));
}

static __attribute__((noinline)) void lower_odd(uint8_t *p, size_t n, const uint8_t *end)
{
    h1_lower_plain(p, n, end);
}

static SSE42 void lower_sse42(uint8_t *p, size_t n, const uint8_t *end)
{
    /* The bit that makes a letter lower case, 16 times, and 16 times none. */
    static const uint8_t bits[32] = {0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20,
                                     0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20};
    if (end - p < 16 || n > 32) {
        lower_odd(p, n, end);
        return;
    }
    const __m128i *bit = (const __m128i *)(const void *)bits;
    __m128i octets = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i upper = upper_16(octets);
    if (n > 16) { /* and the last 16, which overlap with the first */
        __m128i last = _mm_loadu_si128((const __m128i *)(const void *)(p + n - 16));
        last = _mm_or_si128(last, _mm_and_si128(upper_16(last), _mm_loadu_si128(bit)));
        octets = _mm_or_si128(octets, _mm_and_si128(upper, _mm_loadu_si128(bit)));
        _mm_storeu_si128((__m128i *)(void *)p, octets);
        _mm_storeu_si128((__m128i *)(void *)(p + n - 16), last);
        return;
    }
    bit = (const __m128i *)(const void *)(bits + 16 - n);
    octets = _mm_or_si128(octets, _mm_and_si128(upper, _mm_loadu_si128(bit)));
    _mm_storeu_si128((__m128i *)(void *)p, octets);
}

static inline uint32_t four_octets(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x | 0x20202020;
}

/* As h1_token_lookup(), but all of a name is compared at once: same_32 says which of 32 octets are
 * those of a text when they are made lower case. */
__attribute__((always_inline)) static inline uint8_t
token_of(const uint8_t *name, size_t n, const uint8_t *end,
         uint32_t (*same_32)(const uint8_t *, const char *))
{
    if (n < 4 || end - name < 32) {
        return h1_token_lookup((const char *)name, n);
    }
    uint32_t slot = h1_token_slot(four_octets(name), four_octets(name + n - 4), (uint32_t)n);
    size_t token = h1_token_slots[slot];
    const struct h1_token_entry *entry = &h1_token_entries[token];
    if (entry->len != n) {
        return H1_TOKEN_NONE;
    }
    uint32_t differ = ~same_32(name, entry->text) & ((1u << n) - 1);
    return differ == 0 ? (uint8_t)token : H1_TOKEN_NONE;
}

_Static_assert(sizeof(struct h1_token_entry) == 32, "an entry is read with one or two vectors");

static SSE42 uint32_t same_32_sse42(const uint8_t *name, const char *text)
{
    const __m128i *x = (const __m128i *)(const void *)name;
    const __m128i *y = (const __m128i *)(const void *)text;
    __m128i a = _mm_or_si128(_mm_loadu_si128(x), _mm_set1_epi8(0x20));
    __m128i b = _mm_or_si128(_mm_loadu_si128(x + 1), _mm_set1_epi8(0x20));
    unsigned same_a = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, _mm_loadu_si128(y)));
    unsigned same_b = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(b, _mm_loadu_si128(y + 1)));
    return same_a | same_b << 16;
}

static SSE42 uint8_t token_sse42(const uint8_t *name, size_t n, const uint8_t *end)
{
    return token_of(name, n, end, same_32_sse42);
}

static SSE42 size_t value_sse42(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 16; p += 16) {
        unsigned stop = not_value_16(_mm_loadu_si128((const __m128i *)(const void *)p));
        if (stop != 0) {
            return (size_t)(p - begin) + (size_t)__builtin_ctz(stop);
        }
    }
    return (size_t)(p - begin) + h1_value_plain(p, end);
}

static SSE42 size_t target_sse42(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 16; p += 16) {
        unsigned stop = not_target_16(_mm_loadu_si128((const __m128i *)(const void *)p));
        if (stop != 0) {
            return (size_t)(p - begin) + (size_t)__builtin_ctz(stop);
        }
    }
    return (size_t)(p - begin) + h1_target_plain(p, end);
}

__attribute__((target("sse4.2"))) static uint8_t *lines_sse42(struct h1_head *h, uint8_t *buf,
                                                              uint8_t *p, const uint8_t *end)
{
    return h1_lines(h, buf, p, end, classify_sse42, name_sse42, token_sse42, lower_sse42);
}

const struct h1_scan h1_scan_sse42 = {
    .instructions = "sse4.2",
    .name = name_sse42,
    .value = value_sse42,
    .target = target_sse42,
    .lower = lower_sse42,
    .lines = lines_sse42,
};

/* ---------------------------------------------------------------- AVX2: the same, twice as wide */

static AVX2 uint32_t not_value_32(__m256i octets)
{
    __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(octets, _mm256_set1_epi8(0x1f)), octets);
    __m256i tab = _mm256_cmpeq_epi8(octets, _mm256_set1_epi8('\t'));
    __m256i del = _mm256_cmpeq_epi8(octets, _mm256_set1_epi8(0x7f));
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(_mm256_andnot_si256(tab, low), del));
}

static AVX2 uint32_t maybe_not_value_32(__m256i octets)
{
    __m256i next = _mm256_add_epi8(octets, _mm256_set1_epi8(1));
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x21), next));
}

static AVX2 uint32_t not_target_32(__m256i octets)
{
    __m256i outside = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x21), octets);
    __m256i marked = _mm256_or_si256(octets, _mm256_set1_epi8(0x40));
    __m256i del = _mm256_cmpeq_epi8(marked, _mm256_set1_epi8(0x7f));
    __m256i hash = _mm256_cmpeq_epi8(octets, _mm256_set1_epi8('#'));
    __m256i backslash = _mm256_cmpeq_epi8(octets, _mm256_set1_epi8('\\'));
    return (uint32_t)_mm256_movemask_epi8(
        _mm256_or_si256(_mm256_or_si256(outside, del), _mm256_or_si256(hash, backslash)));
}

static AVX2 uint32_t equal_32(__m256i octets, char c)
{
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(octets, _mm256_set1_epi8(c)));
}

static AVX2 struct h1_masks classify_avx2(const uint8_t *p)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    return (struct h1_masks){
        .colon = equal_32(a, ':') | (uint64_t)equal_32(b, ':') << 32,
        .no_value = maybe_not_value_32(a) | (uint64_t)maybe_not_value_32(b) << 32,
    };
}

static AVX2 uint32_t same_32_avx2(const uint8_t *name, const char *text)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)name);
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)text);
    __m256i same = _mm256_cmpeq_epi8(_mm256_or_si256(x, _mm256_set1_epi8(0x20)), y);
    return (uint32_t)_mm256_movemask_epi8(same);
}

static AVX2 uint8_t token_avx2(const uint8_t *name, size_t n, const uint8_t *end)
{
    return token_of(name, n, end, same_32_avx2);
}

static AVX2 size_t value_avx2(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 32; p += 32) {
        uint32_t stop = not_value_32(_mm256_loadu_si256((const __m256i *)(const void *)p));
        if (stop != 0) {
            return (size_t)(p - begin) + (size_t)__builtin_ctz(stop);
        }
    }
    return (size_t)(p - begin) + value_sse42(p, end);
}

static AVX2 size_t target_avx2(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 32; p += 32) {
        uint32_t stop = not_target_32(_mm256_loadu_si256((const __m256i *)(const void *)p));
        if (stop != 0) {
            return (size_t)(p - begin) + (size_t)__builtin_ctz(stop);
        }
    }
    return (size_t)(p - begin) + target_sse42(p, end);
}

/* Names hardly ever have more than 32 octets, and most have less than 16: that is wide enough. */
static AVX2 size_t name_avx2(const uint8_t *p, const uint8_t *end)
{
    return name_sse42(p, end);
}

static AVX2 void lower_avx2(uint8_t *p, size_t n, const uint8_t *end)
{
    lower_sse42(p, n, end);
}

__attribute__((target("avx2,bmi,bmi2"))) static uint8_t *lines_avx2(struct h1_head *h, uint8_t *buf,
                                                                    uint8_t *p, const uint8_t *end)
{
    return h1_lines(h, buf, p, end, classify_avx2, name_avx2, token_avx2, lower_avx2);
}

const struct h1_scan h1_scan_avx2 = {
    .instructions = "avx2",
    .name = name_avx2,
    .value = value_avx2,
    .target = target_avx2,
    .lower = lower_avx2,
    .lines = lines_avx2,
};

#endif
