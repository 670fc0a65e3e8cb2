/*
 * The scans with NEON (16 octets at a time), which every arm64 has. As h1_scan_x86.c has them.
 */
#include "h1_scan.h"

#if defined(__aarch64__)

#include "h1_lines.h"

#include <arm_neon.h>

static const uint8_t lane_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* How many lanes there are before the first that is not 0: NEON has no mask of single bits, so each
 * lane becomes four of 64. */
static inline unsigned lanes_before(uint8x16_t stop)
{
    uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(stop), 4);
    uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(narrow), 0);
    return bits != 0 ? (unsigned)__builtin_ctzll(bits) / 4 : 16;
}

/* The lanes that are not of H1_C_VALUE: below SP (but HTAB), and DEL. */
static inline uint8x16_t not_value(uint8x16_t octets)
{
    uint8x16_t low = vcltq_u8(octets, vdupq_n_u8(0x20));
    uint8x16_t tab = vceqq_u8(octets, vdupq_n_u8('\t'));
    uint8x16_t del = vceqq_u8(octets, vdupq_n_u8(0x7f));
    return vorrq_u8(vbicq_u8(low, tab), del);
}

/* The lanes that are not of H1_C_TARGET: up to SP, DEL and above, '#', '?', and the
 * backslash. */
static inline uint8x16_t not_target(uint8x16_t octets)
{
    uint8x16_t low = vcltq_u8(octets, vdupq_n_u8(0x21));
    uint8x16_t high = vcgtq_u8(octets, vdupq_n_u8(0x7e));
    uint8x16_t hash = vceqq_u8(octets, vdupq_n_u8('#'));
    uint8x16_t backslash = vceqq_u8(octets, vdupq_n_u8('\\'));
    uint8x16_t question = vceqq_u8(octets, vdupq_n_u8('?'));
    return vorrq_u8(vorrq_u8(vorrq_u8(low, high), question), vorrq_u8(hash, backslash));
}

static inline uint8x16_t not_token(uint8x16_t octets)
{
    uint8x16_t rows = vqtbl1q_u8(vld1q_u8(h1_tchar_rows), vandq_u8(octets, vdupq_n_u8(0x0f)));
    uint8x16_t row = vqtbl1q_u8(vld1q_u8(h1_row_bits), vshrq_n_u8(octets, 4));
    return vceqq_u8(vandq_u8(rows, row), vdupq_n_u8(0));
}

/* One bit for each lane of four vectors. */
static inline uint64_t mask_of(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
    static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t bit = vld1q_u8(bits);
    uint8x16_t ab = vpaddq_u8(vandq_u8(a, bit), vandq_u8(b, bit));
    uint8x16_t cd = vpaddq_u8(vandq_u8(c, bit), vandq_u8(d, bit));
    uint8x16_t sum = vpaddq_u8(ab, cd);
    sum = vpaddq_u8(sum, sum);
    return vgetq_lane_u64(vreinterpretq_u64_u8(sum), 0);
}

/* The lanes of controls: what is not of H1_C_VALUE, and HTAB. */
static inline uint8x16_t control(uint8x16_t octets)
{
    uint8x16_t low = vcltq_u8(octets, vdupq_n_u8(0x20));
    return vorrq_u8(low, vceqq_u8(octets, vdupq_n_u8(0x7f)));
}

static inline struct h1_masks classify_neon(const uint8_t *p)
{
    uint8x16_t colon = vdupq_n_u8(':');
    uint8x16_t a = vld1q_u8(p);
    uint8x16_t b = vld1q_u8(p + 16);
    uint8x16_t c = vld1q_u8(p + 32);
    uint8x16_t d = vld1q_u8(p + 48);
    return (struct h1_masks){
        .colon =
            mask_of(vceqq_u8(a, colon), vceqq_u8(b, colon), vceqq_u8(c, colon), vceqq_u8(d, colon)),
        .no_value = mask_of(control(a), control(b), control(c), control(d)),
    };
}

static inline size_t name_neon(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 16; p += 16) {
        unsigned n = lanes_before(not_token(vld1q_u8(p)));
        if (n < 16) {
            return (size_t)(p - begin) + n;
        }
    }
    return (size_t)(p - begin) + h1_name_plain(p, end);
}

static inline uint8_t token_neon(const uint8_t *name, size_t n, const uint8_t *end)
{
    (void)end;
    return h1_token_lookup((const char *)name, n);
}

static inline void lower_neon(uint8_t *p, size_t n, const uint8_t *end)
{
    for (; end - p >= 16; p += 16, n -= 16) {
        uint8x16_t octets = vld1q_u8(p);
        uint8x16_t upper = vcltq_u8(vsubq_u8(octets, vdupq_n_u8('A')), vdupq_n_u8(26));
        uint8x16_t first = vcltq_u8(vld1q_u8(lane_numbers), vdupq_n_u8(n < 16 ? (uint8_t)n : 16));
        uint8x16_t bit = vandq_u8(vandq_u8(upper, first), vdupq_n_u8(0x20));
        vst1q_u8(p, vorrq_u8(octets, bit));
        if (n <= 16) {
            return;
        }
    }
    h1_lower_plain(p, n, end);
}

static inline size_t value_neon(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 16; p += 16) {
        unsigned n = lanes_before(not_value(vld1q_u8(p)));
        if (n < 16) {
            return (size_t)(p - begin) + n;
        }
    }
    return (size_t)(p - begin) + h1_value_plain(p, end);
}

static inline size_t target_neon(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *begin = p;
    for (; end - p >= 16; p += 16) {
        unsigned n = lanes_before(not_target(vld1q_u8(p)));
        if (n < 16) {
            return (size_t)(p - begin) + n;
        }
    }
    return (size_t)(p - begin) + h1_target_plain(p, end);
}

static uint8_t *lines_neon(struct h1_head *h, uint8_t *buf, uint8_t *p, const uint8_t *end)
{
    return h1_lines(h, buf, p, end, classify_neon, name_neon, token_neon, lower_neon);
}

const struct h1_scan h1_scan_neon = {
    .instructions = "neon",
    .name = name_neon,
    .value = value_neon,
    .target = target_neon,
    .lower = lower_neon,
    .lines = lines_neon,
};

#endif
