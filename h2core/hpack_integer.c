/* HPACK integers (RFC 7541, 5.1): a prefix of some bits, then seven bits to an octet, lowest first.
 */
#include "hpack_internal.h"

#include <assert.h>

enum hpack_rc hpack_integer_read(const uint8_t **pos, const uint8_t *end, unsigned bits,
                                 uint32_t *value)
{
    assert(*pos < end && bits >= 1 && bits <= 8);
    const uint8_t *p = *pos;
    uint32_t prefix = (1u << bits) - 1;
    uint64_t v = *p++ & prefix;
    if (v == prefix) {
        /* Five octets carry 35 bits, enough for 32. A sixth can only be padding (or too much): the
           encoding that RFC 7541, 7.3 warns of is cut off here. */
        unsigned shift = 0;
        uint8_t octet;
        do {
            if (shift == 35) {
                return HPACK_ERR_INTEGER;
            }
            if (p == end) {
                return HPACK_ERR_TRUNCATED;
            }
            octet = *p++;
            v += (uint64_t)(octet & 0x7f) << shift;
            shift += 7;
        } while (octet & 0x80);
        if (v > UINT32_MAX) {
            return HPACK_ERR_INTEGER;
        }
    }
    *pos = p;
    *value = (uint32_t)v;
    return HPACK_OK;
}

uint8_t *hpack_integer_write(uint8_t *p, uint8_t pattern, unsigned bits, uint32_t value)
{
    uint32_t prefix = (1u << bits) - 1;
    assert(bits >= 1 && bits <= 8 && (pattern & prefix) == 0);
    if (value < prefix) {
        *p++ = (uint8_t)(pattern | value);
        return p;
    }
    *p++ = (uint8_t)(pattern | prefix);
    for (value -= prefix; value >= 0x80; value >>= 7) {
        *p++ = (uint8_t)(value | 0x80);
    }
    *p++ = (uint8_t)value;
    return p;
}
