/*
 * Character classes, and the checks that need nothing else: tokens, values, methods, lists.
 */
#include "h1_scan.h"

/* What an octet is part of, besides values. */
#define UNRESERVED       (NAME_HOST_TARGET | H1_C_UNRESERVED)
#define NAME_HOST_TARGET (H1_C_TOKEN | H1_C_VALUE | H1_C_TARGET | H1_C_REGNAME)
#define NAME_TARGET      (H1_C_TOKEN | H1_C_VALUE | H1_C_TARGET)
#define HOST_TARGET      (H1_C_VALUE | H1_C_TARGET | H1_C_REGNAME)
#define TARGET           (H1_C_VALUE | H1_C_TARGET)
#define NAME             (H1_C_TOKEN | H1_C_VALUE)
#define VALUE            H1_C_VALUE

/*
 * TARGET is wider than a URI (RFC 3986, 2): browsers and command line clients send " < > ^ ` { | }
 * as they are, and nothing reads those in two ways. '#' never gets on the wire, and the backslash
 * is looked at apart: some take it for a slash (h1_target.c).
 */
const uint8_t h1_class[256] = {
    ['0' ... '9'] = UNRESERVED,
    ['A' ... 'Z'] = UNRESERVED,
    ['a' ... 'z'] = UNRESERVED,
    ['-'] = UNRESERVED,
    ['.'] = UNRESERVED,
    ['_'] = UNRESERVED,
    ['~'] = UNRESERVED,
    ['!'] = NAME_HOST_TARGET,
    ['$'] = NAME_HOST_TARGET,
    ['&'] = NAME_HOST_TARGET,
    ['\''] = NAME_HOST_TARGET,
    ['*'] = NAME_HOST_TARGET,
    ['+'] = NAME_HOST_TARGET,
    ['%'] = NAME_TARGET,
    ['^'] = NAME_TARGET,
    ['`'] = NAME_TARGET,
    ['|'] = NAME_TARGET,
    ['('] = HOST_TARGET,
    [')'] = HOST_TARGET,
    [';'] = HOST_TARGET,
    ['='] = HOST_TARGET,
    ['"'] = TARGET,
    [','] = TARGET,
    ['/'] = TARGET,
    [':'] = TARGET,
    ['<'] = TARGET,
    ['>'] = TARGET,
    ['@'] = TARGET,
    ['['] = TARGET,
    [']'] = TARGET,
    ['{'] = TARGET,
    ['}'] = TARGET,
    ['#'] = NAME,
    ['\\'] = VALUE,
    ['?'] = VALUE,
    [' '] = VALUE,
    ['\t'] = VALUE,
    [0x80 ... 0xff] = VALUE,
};

const uint8_t h1_tchar_rows[16] = {0xe8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc,
                                   0xf8, 0xf8, 0xf4, 0x54, 0xd0, 0x54, 0xf4, 0x70};
const uint8_t h1_row_bits[16] = {0, 0, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80};

const uint8_t h1_name_lower[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`',   ['|'] = '|',
    ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',   ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['A'] = 'a', ['B'] = 'b',   ['C'] = 'c',
    ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',   ['J'] = 'j',
    ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p',   ['Q'] = 'q',
    ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w',   ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd',   ['e'] = 'e',
    ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k',   ['l'] = 'l',
    ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',   ['s'] = 's',
    ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y',   ['z'] = 'z',
};

bool h1_token_valid(const char *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;
    return len > 0 && h1_scan_class(p, p + len, H1_C_TOKEN) == len;
}

bool h1_field_value_valid(const char *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;
    if (len == 0) {
        return true;
    }
    return !h1_is_blank(p[0]) && !h1_is_blank(p[len - 1]) &&
           h1_scan_in_use()->value(p, p + len) == len;
}

enum h1_method h1_method_lookup(const char *s, size_t len)
{
    static const struct {
        char text[8];
        uint8_t len;
        uint8_t method;
    } methods[] = {
        {"GET", 3, H1_METHOD_GET},         {"HEAD", 4, H1_METHOD_HEAD},
        {"POST", 4, H1_METHOD_POST},       {"PUT", 3, H1_METHOD_PUT},
        {"DELETE", 6, H1_METHOD_DELETE},   {"CONNECT", 7, H1_METHOD_CONNECT},
        {"OPTIONS", 7, H1_METHOD_OPTIONS}, {"TRACE", 5, H1_METHOD_TRACE},
        {"PATCH", 5, H1_METHOD_PATCH},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (methods[i].len == len && memcmp(methods[i].text, s, len) == 0) {
            return (enum h1_method)methods[i].method;
        }
    }
    return H1_METHOD_OTHER;
}

bool h1_list_next(const char **pos, const char *end, const char **elem, size_t *elem_len)
{
    const char *p = *pos;
    while (p < end && (*p == ',' || h1_is_blank((uint8_t)*p))) {
        p++;
    }
    if (p == end) {
        *pos = end;
        return false;
    }
    const char *comma = memchr(p, ',', (size_t)(end - p));
    const char *last = comma != NULL ? comma : end;
    *pos = last;
    while (h1_is_blank((uint8_t)last[-1])) {
        last--; /* ends at the element: p is no blank */
    }
    *elem = p;
    *elem_len = (size_t)(last - p);
    return true;
}
