/*
 * HPACK integers (RFC 7541, 5.1): a prefix of some bits, then seven bits to an octet, lowest first.
 * Most fit into their prefix, which hpack_internal.h sees to in line.
 */
#include "hpack_internal.h"

enum hpack_rc hpack_integer_read_rest(const uint8_t **pos, const uint8_t *end, uint32_t prefix,
                                      uint32_t *value)
{
    const uint8_t *p = *pos + 1;
    uint64_t v = prefix;
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
    *pos = p;
    *value = (uint32_t)v;
    return HPACK_OK;
}

uint8_t *hpack_integer_write_rest(uint8_t *p, uint32_t rest)
{
    for (; rest >= 0x80; rest >>= 7) {
        *p++ = (uint8_t)(rest | 0x80);
    }
    *p++ = (uint8_t)rest;
    return p;
}
