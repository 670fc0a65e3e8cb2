/*
 * Request targets (RFC 9112, 3.2) and authorities (RFC 3986, 3.2).
 */
#include "h1_scan.h"

#include <arpa/inet.h>

/* ---------------------------------------------------------------- authority */

enum { PORT_NONE = -1, PORT_BAD = -2 };

/* What is after the colon: nothing (RFC 3986, 3.2.3 lets it be empty), or 1 to 65535. */
static int parse_port(const char *s, size_t len)
{
    if (len == 0) {
        return PORT_NONE;
    }
    if (len > 5) {
        return PORT_BAD;
    }
    int port = 0;
    for (size_t i = 0; i < len; i++) {
        if (!h1_is_digit((uint8_t)s[i])) {
            return PORT_BAD;
        }
        port = port * 10 + (s[i] - '0');
    }
    return port >= 1 && port <= 65535 ? port : PORT_BAD;
}

static bool address_valid(int family, const char *s, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr; /* the larger one */
    if (len >= sizeof text || memchr(s, '\0', len) != NULL) {
        return false;
    }
    memcpy(text, s, len);
    text[len] = '\0';
    return inet_pton(family, text, &addr) == 1;
}

/* Whether the last label (a dot may follow it) is of digits, or 0x and hex digits. */
static bool ends_in_number(const char *s, size_t len)
{
    size_t end = len > 0 && s[len - 1] == '.' ? len - 1 : len;
    size_t begin = end;
    while (begin > 0 && s[begin - 1] != '.') {
        begin--;
    }
    bool hex = end - begin >= 2 && s[begin] == '0' && (s[begin + 1] | 0x20) == 'x';
    for (size_t i = begin + (hex ? 2 : 0); i < end; i++) {
        if (hex ? h1_hex((uint8_t)s[i]) < 0 : !h1_is_digit((uint8_t)s[i])) {
            return false;
        }
    }
    return end > begin;
}

/*
 * reg-name or IPv4address. Three things that RFC 3986 allows are refused:
 * - the comma, with which two joined Host fields look like one name;
 * - percent-encoding: "%61" is the name "a" to one reader (RFC 3986, 6.2.2.2) and not to another;
 * - a name that ends in a number and is no IPv4 address: 127.1, 0x7f.1 and 2130706433 are 127.0.0.1
 *   to inet_aton() and to browsers. No top-level domain is one.
 */
static bool reg_name_valid(const char *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;
    return h1_scan_class(p, p + len, H1_C_REGNAME) == len &&
           (!ends_in_number(s, len) || address_valid(AF_INET, s, len));
}

/* Where the host ends: at the colon before the port, or at the end. */
static size_t host_end(const char *s, size_t len)
{
    if (s[0] == '[') {
        const char *close = memchr(s, ']', len);
        return close != NULL ? (size_t)(close + 1 - s) : len;
    }
    const char *colon = memchr(s, ':', len);
    return colon != NULL ? (size_t)(colon - s) : len;
}

bool h1_authority_valid(const char *s, size_t len)
{
    size_t host = len > 0 ? host_end(s, len) : 0;
    if (host == 0) {
        return false;
    }
    if (host < len && (s[host] != ':' || parse_port(s + host + 1, len - host - 1) == PORT_BAD)) {
        return false;
    }
    if (s[0] == '[') {
        /* IPvFuture is not in use, and a zone has no meaning to anybody but the sender (RFC 9110,
         * 4.2: neither is in the uri-host of http). */
        return s[host - 1] == ']' && address_valid(AF_INET6, s + 1, host - 2);
    }
    return reg_name_valid(s, host);
}

bool h1_authority_split(const char *s, size_t len, size_t *host_len, int *port)
{
    *host_len = 0;
    *port = PORT_NONE;
    if (!h1_authority_valid(s, len)) {
        return false;
    }
    *host_len = host_end(s, len);
    if (*host_len < len) {
        *port = parse_port(s + *host_len + 1, len - *host_len - 1);
    }
    return true;
}

/* ---------------------------------------------------------------- the four forms */

const uint8_t *h1_scan_target(const uint8_t *p, const uint8_t *end, bool *query)
{
    const struct h1_scan *scan = h1_scan_in_use();
    for (;;) {
        p += scan->target(p, end);
        if (p == end || (*p != '?' && (*p != '\\' || !*query))) {
            return p;
        }
        *query = true;
        p++;
    }
}

bool h1_path_valid(const char *s, size_t len)
{
    const uint8_t *end = (const uint8_t *)s + len;
    bool query = false;
    return len > 0 && s[0] == '/' && h1_scan_target((const uint8_t *)s, end, &query) == end;
}

static struct h1_span span_of(const char *buf, const char *from, const char *to)
{
    return (struct h1_span){(uint32_t)(from - buf), (uint32_t)(to - from)};
}

/* absolute-form = absolute-URI (RFC 9112, 3.2.2), of the two schemes that we serve. */
static enum h1_error parse_absolute(struct h1_head *h, const char *buf)
{
    const char *s = buf + h->target.off;
    const char *end = s + h->target.len;
    const char *colon = memchr(s, ':', h->target.len);
    /* The SP after the target is there, and ends the comparison. */
    if (colon == NULL || colon[1] != '/' || colon[2] != '/') {
        return H1_ERR_TARGET;
    }
    size_t scheme_len = (size_t)(colon - s);
    if (!h1_is_word(s, scheme_len, "http", 4) && !h1_is_word(s, scheme_len, "https", 5)) {
        return H1_ERR_TARGET;
    }
    const char *authority = colon + 3;
    const char *path = authority;
    while (path < end && *path != '/' && *path != '?') {
        path++;
    }
    /* Userinfo falls with this too: '@' is no part of a host (RFC 9110, 4.2.4). */
    if (!h1_authority_valid(authority, (size_t)(path - authority))) {
        return H1_ERR_TARGET;
    }
    h->form = H1_FORM_ABSOLUTE;
    h->scheme = span_of(buf, s, colon);
    h->authority = span_of(buf, authority, path);
    h->path = span_of(buf, path, end);
    return H1_ERR_NONE;
}

/* authority-form = uri-host ":" port (RFC 9112, 3.2.3). RFC 9110, 9.3.6: there is no default port,
 * and an empty or invalid one MUST be refused. */
static enum h1_error parse_connect(struct h1_head *h, const char *buf)
{
    const char *s = buf + h->target.off;
    size_t host_len;
    int port;
    if (!h1_authority_split(s, h->target.len, &host_len, &port) || port == PORT_NONE) {
        return H1_ERR_TARGET;
    }
    h->form = H1_FORM_AUTHORITY;
    h->authority = h->target;
    return H1_ERR_NONE;
}

enum h1_error h1_parse_target(struct h1_head *h, const char *buf)
{
    const char *s = buf + h->target.off;
    if (h->method == H1_METHOD_CONNECT) {
        return parse_connect(h, buf);
    }
    if (s[0] == '/') {
        h->form = H1_FORM_ORIGIN;
        h->path = h->target;
        return H1_ERR_NONE;
    }
    if (s[0] == '*' && h->target.len == 1) {
        h->form = H1_FORM_ASTERISK;
        return h->method == H1_METHOD_OPTIONS ? H1_ERR_NONE : H1_ERR_TARGET;
    }
    return parse_absolute(h, buf);
}
