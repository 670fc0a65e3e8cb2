/* The PROXY protocol: https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt */
#include "net/proxyproto.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

#define V2_HEAD      16u /* signature, version and command, family and protocol, length */
#define V2_LOCAL     0x20u
#define V2_PROXY     0x21u
#define V2_TCP4      0x11u
#define V2_TCP6      0x21u
#define V2_TCP4_SIZE 12u
#define V2_TCP6_SIZE 36u
#define V2_UNIX_SIZE 216u
#define TLV_HEAD     3u
#define TLV_CRC32C   0x03u

/* ---------------------------------------------------------------- endpoints */

static struct endpoint make(uint8_t family, const void *addr, uint16_t port)
{
    struct endpoint e = {.family = family, .port = port};
    if (family == 6 && memcmp(addr, mapped, sizeof(mapped)) == 0) {
        e.family = 4;
        memcpy(e.addr, (const uint8_t *)addr + sizeof(mapped), 4);
    } else {
        memcpy(e.addr, addr, family == 4 ? 4 : 16);
    }
    return e;
}

struct endpoint endpoint_of(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        return make(4, &in->sin_addr, ntohs(in->sin_port));
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        return make(6, &in6->sin6_addr, ntohs(in6->sin6_port));
    }
    return (struct endpoint){0};
}

void endpoint_format(const struct endpoint *e, char *buf, size_t cap)
{
    assert(e->family == 4 || e->family == 6);
    const char *s = inet_ntop(e->family == 4 ? AF_INET : AF_INET6, e->addr, buf, (socklen_t)cap);
    assert(s != NULL);
}

bool endpoint_is_in(const struct endpoint *e, uint8_t family, const uint8_t *addr, unsigned bits)
{
    if (e->family != family) {
        return false;
    }
    unsigned octets = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return memcmp(e->addr, addr, octets) == 0 &&
           (rest == 0 || ((e->addr[octets] ^ addr[octets]) & mask) == 0);
}

/* ---------------------------------------------------------------- version 1 */

static enum proxyproto_rc bad(const char **why, const char *text)
{
    *why = text;
    return PROXYPROTO_BAD;
}

/* What is left of the line. */
struct rest {
    const char *s, *end;
};

/* Takes what stands before the next blank, or before the end. */
static bool take_word(struct rest *r, char *word, size_t cap)
{
    const char *blank = memchr(r->s, ' ', (size_t)(r->end - r->s));
    const char *stop = blank != NULL ? blank : r->end;
    size_t len = (size_t)(stop - r->s);
    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(word, r->s, len);
    word[len] = '\0';
    if (strlen(word) != len) {
        return false; /* NUL */
    }
    r->s = blank != NULL ? blank + 1 : r->end;
    return blank == NULL || r->s < r->end; /* no blank at the end of the line */
}

static bool take_address(struct rest *r, uint8_t family, uint8_t addr[16])
{
    char word[INET6_ADDRSTRLEN];
    /* inet_pton() takes no leading zeros, signs, blanks, scopes or other bases. */
    return take_word(r, word, sizeof(word)) &&
           inet_pton(family == 4 ? AF_INET : AF_INET6, word, addr) == 1;
}

static bool take_port(struct rest *r, uint16_t *port)
{
    char word[6];
    unsigned long n = 0;
    if (!take_word(r, word, sizeof(word)) || (word[0] == '0' && word[1] != '\0')) {
        return false;
    }
    for (const char *p = word; *p != '\0'; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        n = n * 10 + (unsigned long)(*p - '0');
    }
    *port = (uint16_t)n;
    return n <= 65535;
}

/* "PROXY UNKNOWN": what follows is to be ignored, but it is text. */
static bool is_ignorable(struct rest r)
{
    for (; r.s < r.end; r.s++) {
        if (*r.s < ' ' || *r.s > '~') {
            return false;
        }
    }
    return true;
}

static const char *read_line(struct rest r, struct proxyproto *out)
{
    char word[8];
    uint8_t from[16], to[16];
    uint16_t from_port, to_port;
    const char *all = r.s;
    bool last = !take_word(&r, word, sizeof(word)) || r.s == r.end;
    if (r.end - all >= 7 && memcmp(all, "UNKNOWN", 7) == 0 && (all + 7 == r.end || all[7] == ' ')) {
        return is_ignorable((struct rest){all, r.end}) ? NULL : "version 1: control characters";
    }
    if (last || (strcmp(word, "TCP4") != 0 && strcmp(word, "TCP6") != 0)) {
        return "version 1: no TCP4, TCP6 or UNKNOWN with what belongs to it";
    }
    uint8_t family = word[3] == '4' ? 4 : 6;
    if (!take_address(&r, family, from) || !take_address(&r, family, to)) {
        return "version 1: no valid address";
    }
    if (!take_port(&r, &from_port) || r.s == r.end || !take_port(&r, &to_port)) {
        return "version 1: no valid port";
    }
    if (r.s != r.end) {
        return "version 1: more than two ports";
    }
    out->from = make(family, from, from_port);
    out->to = make(family, to, to_port);
    return NULL;
}

static enum proxyproto_rc parse_v1(const uint8_t *data, size_t len, struct proxyproto *out,
                                   const char **why)
{
    const char *s = (const char *)data;
    size_t most = len < PROXYPROTO_V1_MOST ? len : PROXYPROTO_V1_MOST;
    const char *cr = memchr(s, '\r', most), *lf = memchr(s, '\n', most);
    if (lf != NULL && (cr == NULL || lf < cr)) {
        return bad(why, "version 1: a line without CR");
    }
    if (cr == NULL) {
        return len < PROXYPROTO_V1_MOST ? PROXYPROTO_MORE
                                        : bad(why, "version 1: more than 107 octets");
    }
    size_t end = (size_t)(cr - s) + 1;
    if (end == PROXYPROTO_V1_MOST) {
        return bad(why, "version 1: more than 107 octets");
    }
    if (end == len) {
        return PROXYPROTO_MORE;
    }
    if (s[end] != '\n') {
        return bad(why, "version 1: CR without LF");
    }
    struct proxyproto p = {.len = end + 1};
    const char *fault = read_line((struct rest){s + 6, cr}, &p);
    if (fault != NULL) {
        return bad(why, fault);
    }
    *out = p;
    return PROXYPROTO_OK;
}

/* ---------------------------------------------------------------- version 2 */

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* CRC32c (RFC 9260, appendix A) of octets and zeros in the place of `hole`, which has four. Bit by
 * bit: a header comes once in a connection. */
static uint32_t crc32c(const uint8_t *data, size_t len, size_t hole)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= i >= hole && i < hole + 4 ? 0u : data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
        }
    }
    return ~crc;
}

/* They end where the header does; a checksum among them must be right. */
static const char *check_tlvs(const uint8_t *data, size_t at, size_t end)
{
    bool sum = false;
    while (at < end) {
        if (end - at < TLV_HEAD || end - at - TLV_HEAD < get16(data + at + 1)) {
            return "version 2: a TLV is longer than the header";
        }
        size_t len = get16(data + at + 1), value = at + TLV_HEAD;
        if (data[at] == TLV_CRC32C) {
            if (sum || len != 4) {
                return "version 2: not one checksum of four octets";
            }
            sum = true;
            uint32_t said = (uint32_t)get16(data + value) << 16 | get16(data + value + 2);
            if (crc32c(data, end, value) != said) {
                return "version 2: the checksum is wrong";
            }
        }
        at = value + len;
    }
    return NULL;
}

/* Octets of the addresses of a family; SIZE_MAX: there is none such. */
static size_t v2_addresses(uint8_t family_protocol)
{
    /* For a stream or for datagrams: a proxy in front may have got its request by HTTP/3. */
    static const size_t sizes[] = {0, V2_TCP4_SIZE, V2_TCP6_SIZE, V2_UNIX_SIZE};
    unsigned family = family_protocol >> 4, protocol = family_protocol & 15u;
    bool valid = family == 0 ? protocol == 0 : family <= 3 && (protocol == 1 || protocol == 2);
    return valid ? sizes[family] : SIZE_MAX;
}

static const char *read_v2(const uint8_t *data, struct proxyproto *p)
{
    if (data[12] == V2_LOCAL) {
        return NULL; /* a connection of the proxy itself: all of the block is to be ignored */
    }
    const uint8_t *a = data + V2_HEAD;
    size_t size = v2_addresses(data[13]);
    if (size == SIZE_MAX) {
        return "version 2: no known family and protocol";
    }
    if (p->len - V2_HEAD < size) {
        return "version 2: too short for its addresses";
    }
    if (size == 0) {
        return NULL; /* AF_UNSPEC: to be ignored, as above */
    }
    if (size == V2_TCP4_SIZE) {
        p->from = make(4, a, (uint16_t)get16(a + 8));
        p->to = make(4, a + 4, (uint16_t)get16(a + 10));
    } else if (size == V2_TCP6_SIZE) {
        p->from = make(6, a, (uint16_t)get16(a + 32));
        p->to = make(6, a + 16, (uint16_t)get16(a + 34));
    }
    return check_tlvs(data, V2_HEAD + size, p->len);
}

static enum proxyproto_rc parse_v2(const uint8_t *data, size_t len, struct proxyproto *out,
                                   const char **why)
{
    if (len > 12 && data[12] != V2_LOCAL && data[12] != V2_PROXY) {
        return bad(why, "version 2: no known version and command");
    }
    if (len < V2_HEAD) {
        return PROXYPROTO_MORE;
    }
    struct proxyproto p = {.len = V2_HEAD + get16(data + 14)};
    if (p.len > V2_HEAD + PROXYPROTO_V2_MOST) {
        return bad(why, "version 2: too long");
    }
    if (len < p.len) {
        return PROXYPROTO_MORE;
    }
    const char *fault = read_v2(data, &p);
    if (fault != NULL) {
        return bad(why, fault);
    }
    *out = p;
    return PROXYPROTO_OK;
}

enum proxyproto_rc proxyproto_parse(const uint8_t *data, size_t len, struct proxyproto *out,
                                    const char **why)
{
    static const char v1[] = "PROXY ";
    if (len == 0) {
        return PROXYPROTO_MORE;
    }
    if (memcmp(data, signature, len < sizeof(signature) ? len : sizeof(signature)) == 0) {
        return parse_v2(data, len, out, why);
    }
    if (memcmp(data, v1, len < 6 ? len : 6) == 0) {
        return len > 6 ? parse_v1(data, len, out, why) : PROXYPROTO_MORE;
    }
    return bad(why, "the connection does not begin with a PROXY protocol header");
}

/* ---------------------------------------------------------------- writing */

/* The address in IPv6 form. */
static void as_ipv6(const struct endpoint *e, uint8_t out[16])
{
    if (e->family == 6) {
        memcpy(out, e->addr, 16);
    } else {
        memcpy(out, mapped, sizeof(mapped));
        memcpy(out + sizeof(mapped), e->addr, 4);
    }
}

static size_t write_v1(uint8_t *buf, bool ipv4, const struct endpoint *from,
                       const struct endpoint *to)
{
    char line[PROXYPROTO_V1_MOST + 1], texts[2][INET6_ADDRSTRLEN];
    const struct endpoint *ends[] = {from, to};
    for (size_t i = 0; i < 2; i++) {
        uint8_t v6[16];
        as_ipv6(ends[i], v6);
        const void *addr = ipv4 ? (const void *)ends[i]->addr : v6;
        const char *s = inet_ntop(ipv4 ? AF_INET : AF_INET6, addr, texts[i], sizeof(texts[i]));
        assert(s != NULL);
    }
    int n = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u %u\r\n", ipv4 ? '4' : '6', texts[0],
                     texts[1], from->port, to->port);
    assert(n > 0 && (size_t)n < sizeof(line));
    memcpy(buf, line, (size_t)n);
    return (size_t)n;
}

static uint8_t *put16(uint8_t *p, unsigned n)
{
    p[0] = (uint8_t)(n >> 8);
    p[1] = (uint8_t)n;
    return p + 2;
}

static size_t write_v2(uint8_t *buf, bool ipv4, const struct endpoint *from,
                       const struct endpoint *to)
{
    uint8_t *p = buf + 13;
    size_t size = ipv4 ? V2_TCP4_SIZE : V2_TCP6_SIZE, each = ipv4 ? 4 : 16;
    uint8_t v6[2][16];
    as_ipv6(from, v6[0]);
    as_ipv6(to, v6[1]);
    buf[12] = V2_PROXY;
    *p++ = ipv4 ? V2_TCP4 : V2_TCP6;
    p = put16(p, (unsigned)size);
    p = mempcpy(p, ipv4 ? from->addr : v6[0], each);
    p = mempcpy(p, ipv4 ? to->addr : v6[1], each);
    p = put16(p, from->port);
    p = put16(p, to->port);
    assert((size_t)(p - buf) == V2_HEAD + size);
    return V2_HEAD + size;
}

size_t proxyproto_write(uint8_t buf[PROXYPROTO_WRITE_MOST], unsigned version,
                        const struct endpoint *from, const struct endpoint *to)
{
    static const char unknown[] = "PROXY UNKNOWN\r\n";
    bool known = from->family != 0 && to->family != 0;
    bool ipv4 = from->family == 4 && to->family == 4;
    assert(version == 1 || version == 2);
    if (version == 1) {
        if (known) {
            return write_v1(buf, ipv4, from, to);
        }
        memcpy(buf, unknown, sizeof(unknown) - 1);
        return sizeof(unknown) - 1;
    }
    memcpy(buf, signature, sizeof(signature));
    if (known) {
        return write_v2(buf, ipv4, from, to);
    }
    memcpy(buf + 12, (const uint8_t[]){V2_LOCAL, 0, 0, 0}, 4);
    return V2_HEAD;
}
