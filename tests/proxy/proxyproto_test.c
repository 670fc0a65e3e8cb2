/* The PROXY protocol: what is a header and what is none, and that ours is one. */
#include "net/proxyproto.h"

#include "proxy_testing.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Parses the octets, which lie at the end of their memory, so that a sanitizer sees a step too far.
 */
static enum proxyproto_rc parse(const uint8_t *data, size_t len, struct proxyproto *out)
{
    const char *why = NULL;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    enum proxyproto_rc rc = proxyproto_parse(copy, len, out, &why);
    assert_int_equal(rc == PROXYPROTO_BAD, why != NULL);
    free(copy);
    return rc;
}

/* At each cut before the end there is more to come; with something behind it, it is the same. */
static struct proxyproto expect_header(const uint8_t *data, size_t len)
{
    struct proxyproto whole, p;
    uint8_t more[8192];
    assert_true(len + 3 <= sizeof(more));
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(parse(data, cut, &p), PROXYPROTO_MORE);
    }
    assert_int_equal(parse(data, len, &whole), PROXYPROTO_OK);
    assert_int_equal(whole.len, len);
    memcpy(more, data, len);
    memcpy(more + len, "GET", 3);
    assert_int_equal(parse(more, len + 3, &p), PROXYPROTO_OK);
    assert_memory_equal(&p.from, &whole.from, sizeof(p.from));
    assert_memory_equal(&p.to, &whole.to, sizeof(p.to));
    assert_int_equal(p.len, len);
    return whole;
}

/* Refused, and at no cut was it a header. */
static void expect_bad(const char *name, const uint8_t *data, size_t len)
{
    struct proxyproto p;
    for (size_t cut = 0; cut < len; cut++) {
        if (parse(data, cut, &p) == PROXYPROTO_OK) {
            fail_msg("%s: accepted at %zu", name, cut);
        }
    }
    if (parse(data, len, &p) != PROXYPROTO_BAD) {
        fail_msg("%s: not refused", name);
    }
}

static void expect_end(const struct endpoint *e, const char *text, unsigned port)
{
    char buf[INET6_ADDRSTRLEN] = "";
    if (e->family != 0) {
        endpoint_format(e, buf, sizeof(buf));
    }
    assert_string_equal(buf, text);
    assert_int_equal(e->port, port);
}

/* ---------------------------------------------------------------- version 1 */

static void a_line_names_both_ends(void **state)
{
    (void)state;
    static const struct {
        const char *line, *from, *to;
        unsigned from_port, to_port;
    } cases[] = {
        {"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1", "198.51.100.2", 56324,
         443},
        {"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0", "255.255.255.255", 0, 65535},
        {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1", "::1", 1, 2},
        {"PROXY TCP6 2001:DB8:0:0:0:0:0:1 :: 1 2\r\n", "2001:db8::1", "::", 1, 2},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n", "192.0.2.1", "192.0.2.2", 1, 2},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         65535, 65535},
        {"PROXY UNKNOWN\r\n", "", "", 0, 0},
        {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "", "", 0, 0},
        {"PROXY UNKNOWN anything\r\n", "", "", 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct proxyproto p = expect_header((const uint8_t *)cases[i].line, strlen(cases[i].line));
        expect_end(&p.from, cases[i].from, cases[i].from_port);
        expect_end(&p.to, cases[i].to, cases[i].to_port);
    }
    assert_int_equal(strlen(cases[7].line), PROXYPROTO_V1_MOST);
}

static void other_lines_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4  1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1  2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4\r\n",
        "PROXY TCP4 1.2.3.4\r\n",
        "PROXY TCP4 \r\n",
        "PROXY TCP4\r\n",
        "PROXY \r\n",
        "PROXY\r\n",
        "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP44 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY UNKNOW\r\n",
        "PROXY unknown\r\n",
        "PROXY UNKNOWN \x01\r\n",
        "PROXY UNKNOWN \x80\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 00\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 100000\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2a\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n",
        "PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4. 1.2.3.4 1 2\r\n",
        "PROXY TCP4 16909060 1.2.3.4 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP6 ::1%1 ::1 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP6 1::2::3 ::1 1 2\r\n",
        "PROXY TCP6 00001::1 ::1 1 2\r\n",
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:1 ::1 1 2\r\n",
        "PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rGET",
        "PROXY UNKNOWN\n",
        "\r\n\r\nGET / HTTP/1.1\r\n",
        /* 108 octets */
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655350\r\n",
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535000000000000000000000000000000",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_bad(cases[i], (const uint8_t *)cases[i], strlen(cases[i]));
    }
    static const char nul[] = "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n";
    static const char nul_port[] = "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\0\r\n";
    expect_bad("NUL", (const uint8_t *)nul, sizeof(nul) - 1);
    expect_bad("NUL", (const uint8_t *)nul_port, sizeof(nul_port) - 1);
}

/* What does not begin as a header is known by its first octet, if that is another one. */
static void nothing_is_waited_for_in_vain(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        struct proxyproto p;
        uint8_t octet = (uint8_t)c;
        assert_int_equal(parse(&octet, 1, &p),
                         c == 'P' || c == '\r' ? PROXYPROTO_MORE : PROXYPROTO_BAD);
    }
}

/* ---------------------------------------------------------------- version 2 */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static uint8_t v2[8192];

/* A header with what comes behind the length. */
static size_t make_v2(unsigned command, unsigned family, const void *block, size_t len)
{
    memcpy(v2, SIGNATURE, 12);
    v2[12] = (uint8_t)command;
    v2[13] = (uint8_t)family;
    v2[14] = (uint8_t)(len >> 8);
    v2[15] = (uint8_t)len;
    memcpy(v2 + 16, block, len);
    return 16 + len;
}

#define IPV4 "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"

static void a_block_names_both_ends(void **state)
{
    (void)state;
    uint8_t block[216] = {0};
    struct proxyproto p = expect_header(v2, make_v2(0x21, 0x11, IPV4, 12));
    expect_end(&p.from, "192.0.2.1", 56324);
    expect_end(&p.to, "198.51.100.2", 443);
    p = expect_header(v2, make_v2(0x21, 0x12, IPV4, 12)); /* of a client with HTTP/3 */
    expect_end(&p.from, "192.0.2.1", 56324);
    block[0] = 0x20, block[1] = 0x01, block[15] = 1, block[16] = 0xfe, block[31] = 2;
    block[33] = 3, block[34] = 4;
    p = expect_header(v2, make_v2(0x21, 0x21, block, 36));
    expect_end(&p.from, "2001::1", 3);
    expect_end(&p.to, "fe00::2", 1024);
    memcpy(block, "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4", 16);
    p = expect_header(v2, make_v2(0x21, 0x22, block, 36));
    expect_end(&p.from, "1.2.3.4", 3); /* IPv4 is IPv4 */
    assert_int_equal(p.from.family, 4);
    /* Those that name nobody, or nobody that IP knows. */
    p = expect_header(v2, make_v2(0x21, 0x31, block, 216));
    expect_end(&p.from, "", 0);
    p = expect_header(v2, make_v2(0x21, 0x00, block, 0));
    expect_end(&p.from, "", 0);
    p = expect_header(v2, make_v2(0x21, 0x00, "what\xff\xff", 6));
    expect_end(&p.to, "", 0);
    p = expect_header(v2, make_v2(0x20, 0x00, block, 0));
    expect_end(&p.from, "", 0);
    p = expect_header(v2, make_v2(0x20, 0x11, IPV4, 12)); /* LOCAL: the block is not looked at */
    expect_end(&p.from, "", 0);
    p = expect_header(v2, make_v2(0x20, 0xff, "?", 1));
    expect_end(&p.from, "", 0);
}

static void versions_commands_families_and_protocols_are_those_that_there_are(void **state)
{
    (void)state;
    uint8_t block[216] = {0};
    struct proxyproto p;
    for (unsigned i = 0; i < 256; i++) {
        size_t len = make_v2(i, 0x11, block, 12);
        bool good = i == 0x20 || i == 0x21;
        assert_int_equal(parse(v2, len, &p), good ? PROXYPROTO_OK : PROXYPROTO_BAD);
        assert_int_equal(parse(v2, 13, &p), good ? PROXYPROTO_MORE : PROXYPROTO_BAD);
        len = make_v2(0x21, i, block, 216);
        good = i == 0 || ((i >> 4) >= 1 && (i >> 4) <= 3 && ((i & 15) == 1 || (i & 15) == 2));
        assert_int_equal(parse(v2, len, &p), good ? PROXYPROTO_OK : PROXYPROTO_BAD);
    }
}

static void a_length_has_room_for_the_addresses_and_for_whole_tlvs(void **state)
{
    (void)state;
    static uint8_t block[4097];
    static const struct {
        unsigned family;
        size_t size;
    } cases[] = {{0x11, 12}, {0x21, 36}, {0x31, 216}};
    struct proxyproto p;
    memset(block, 4, 216);
    for (size_t i = 0; i < COUNT(cases); i++) {
        memset(block + cases[i].size, 4, 3);
        for (size_t len = 0; len <= cases[i].size + 8; len++) {
            block[cases[i].size + 1] = 0; /* a TLV of four octets, 04 00 01 04 */
            block[cases[i].size + 2] = 1;
            block[cases[i].size + 3] = 4;
            memcpy(block + cases[i].size + 4, block + cases[i].size, 4); /* twice */
            size_t n = make_v2(0x21, cases[i].family, block, len);
            size_t extra = len - cases[i].size;
            bool good = len >= cases[i].size && extra % 4 == 0;
            assert_int_equal(parse(v2, n, &p), good ? PROXYPROTO_OK : PROXYPROTO_BAD);
        }
        memset(block + cases[i].size, 4, 8);
    }
    /* The longest, and one more; that one is known by its length alone. */
    memset(block, 0, sizeof(block));
    size_t rest = 4096 - 12 - 3;
    block[12] = 4, block[13] = (uint8_t)(rest >> 8), block[14] = (uint8_t)rest;
    expect_header(v2, make_v2(0x21, 0x11, block, 4096));
    make_v2(0x20, 0, block, 4097);
    assert_int_equal(parse(v2, 15, &p), PROXYPROTO_MORE);
    assert_int_equal(parse(v2, 16, &p), PROXYPROTO_BAD);
}

static void a_checksum_is_checked(void **state)
{
    (void)state;
    struct proxyproto p;
    /* By another implementation of CRC32c, of the 38 octets, with zeros in its place. */
    static const uint8_t tlvs[] = {0x04, 0, 0, 0x03, 0, 4, 0, 0, 0, 0};
    uint8_t block[32];
    memcpy(block, IPV4, 12);
    memcpy(block + 12, tlvs, sizeof(tlvs));
    size_t len = make_v2(0x21, 0x11, block, 12 + sizeof(tlvs));
    assert_int_equal(parse(v2, len, &p), PROXYPROTO_BAD); /* zeros are not it */
    memcpy(v2 + len - 4, (const uint8_t[]){0xa8, 0x1a, 0x9a, 0x14}, 4);
    expect_header(v2, len);
    for (size_t at = 16; at < len; at++) {
        for (int bit = 0; at != 31 && bit < 8; bit++) { /* 31: the type; then it is none */
            v2[at] ^= (uint8_t)(1 << bit);
            assert_int_equal(parse(v2, len, &p), PROXYPROTO_BAD);
            v2[at] ^= (uint8_t)(1 << bit);
        }
    }
    /* Two of them, or one of another length. */
    memcpy(block + 12, "\x03\0\4\0\0\0\0\x03\0\4\0\0\0\0", 14);
    assert_int_equal(parse(v2, make_v2(0x21, 0x11, block, 26), &p), PROXYPROTO_BAD);
    memcpy(block + 12, "\x03\0\3\0\0\0", 6);
    assert_int_equal(parse(v2, make_v2(0x21, 0x11, block, 18), &p), PROXYPROTO_BAD);
}

/* ---------------------------------------------------------------- endpoints, writing */

static struct endpoint end(const char *text, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return endpoint_of((const struct sockaddr *)(const void *)&in);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return endpoint_of((const struct sockaddr *)(const void *)&in6);
}

static void what_is_written_can_be_read(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *line;
    } cases[] = {
        {"192.0.2.1", "198.51.100.2", "PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"},
        {"2001:db8::1", "::1", "PROXY TCP6 2001:db8::1 ::1 4711 443\r\n"},
        {"::ffff:192.0.2.1", "192.0.2.2", "PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n"},
        {"192.0.2.1", "::1", "PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 443\r\n"},
    };
    uint8_t buf[PROXYPROTO_WRITE_MOST];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint from = end(cases[i].from, 4711), to = end(cases[i].to, 443);
        size_t n = proxyproto_write(buf, 1, &from, &to);
        assert_int_equal(n, strlen(cases[i].line));
        assert_memory_equal(buf, cases[i].line, n);
        for (unsigned version = 1; version <= 2; version++) {
            n = proxyproto_write(buf, version, &from, &to);
            struct proxyproto p = expect_header(buf, n);
            assert_memory_equal(&p.from, &from, sizeof(from));
            assert_memory_equal(&p.to, &to, sizeof(to));
        }
    }
    struct endpoint none = {0}, some = end("192.0.2.1", 1);
    size_t n = proxyproto_write(buf, 1, &none, &some);
    assert_int_equal(n, 15);
    assert_memory_equal(buf, "PROXY UNKNOWN\r\n", n);
    n = proxyproto_write(buf, 2, &some, &none);
    assert_int_equal(n, 16);
    assert_memory_equal(buf, SIGNATURE "\x20\0\0\0", n);
}

static void networks_have_their_addresses_and_no_others(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *net;
        unsigned bits;
        bool in;
    } cases[] = {
        {"10.1.2.3", "10.0.0.0", 8, true},
        {"11.0.0.0", "10.0.0.0", 8, false},
        {"192.168.1.127", "192.168.1.0", 25, true},
        {"192.168.1.128", "192.168.1.0", 25, false},
        {"1.2.3.4", "1.2.3.4", 32, true},
        {"1.2.3.5", "1.2.3.4", 32, false},
        {"1.2.3.4", "0.0.0.0", 0, true},
        {"::1", "0.0.0.0", 0, false},
        {"::ffff:10.1.2.3", "10.0.0.0", 8, true},
        {"1.2.3.4", "::", 0, false},
        {"fd00::1", "fd00::", 8, true},
        {"fe00::1", "fd00::", 8, false},
        {"::1", "::1", 128, true},
        {"::2", "::1", 128, false},
        {"::2", "::3", 127, true},
        {"::", "::", 0, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint e = end(cases[i].addr, 1), net = end(cases[i].net, 0);
        if (strcmp(cases[i].net, "::") == 0) {
            net = (struct endpoint){.family = 6};
        }
        if (endpoint_is_in(&e, net.family, net.addr, cases[i].bits) != cases[i].in) {
            fail_msg("%s in %s/%u", cases[i].addr, cases[i].net, cases[i].bits);
        }
    }
    struct endpoint none = {0};
    assert_false(endpoint_is_in(&none, 4, none.addr, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_both_ends),
        cmocka_unit_test(other_lines_are_refused),
        cmocka_unit_test(nothing_is_waited_for_in_vain),
        cmocka_unit_test(a_block_names_both_ends),
        cmocka_unit_test(versions_commands_families_and_protocols_are_those_that_there_are),
        cmocka_unit_test(a_length_has_room_for_the_addresses_and_for_whole_tlvs),
        cmocka_unit_test(a_checksum_is_checked),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(networks_have_their_addresses_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
