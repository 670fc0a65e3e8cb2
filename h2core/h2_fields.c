/*
 * What makes a received field section malformed (RFC 9113, 8.2 and 8.3; RFC 8441; RFC 9110), and
 * what may not be sent. It looks at fields one at a time as they are decoded and keeps pointers
 * only.
 *
 * Most names are known by token, which proves their characters; values are scanned sixteen octets
 * at a time. What a proxy would translate to HTTP/1.1 must not change its meaning there, so this is
 * strict: whatever RFC 9113 leaves to "may be treated as malformed" is.
 */
#include "h2_internal.h"

#include <arpa/inet.h>
#include <string.h>

/* ---------------------------------------------------------------- characters */

enum {
    C_NAME = 0x01,   /* field name: token (RFC 9110, 5.6.2) without upper case */
    C_TOKEN = 0x02,  /* token */
    C_VALUE = 0x04,  /* field value: no controls but HTAB (RFC 9110, 5.5) */
    C_HOST = 0x08,   /* reg-name (RFC 3986, 3.2.2) without ',', which joins two Host fields */
    C_SCHEME = 0x10, /* scheme, behind its first letter */
    C_HEX = 0x20,
    C_DIGIT = 0x40,

    ALL = C_NAME | C_TOKEN | C_VALUE | C_HOST,
    LOWER = ALL | C_SCHEME,
    UPPER = LOWER & ~C_NAME,
};

static const uint8_t classes[256] = {
    ['\t'] = C_VALUE,
    [' '] = C_VALUE,
    ['!'] = ALL,
    ['"'] = C_VALUE,
    ['#'] = ALL & ~C_HOST,
    ['$'] = ALL,
    ['%'] = ALL & ~C_HOST,
    ['&'] = ALL,
    ['\''] = ALL,
    ['('] = C_VALUE | C_HOST,
    [')'] = C_VALUE | C_HOST,
    ['*'] = ALL,
    ['+'] = ALL | C_SCHEME,
    [','] = C_VALUE,
    ['-'] = ALL | C_SCHEME,
    ['.'] = ALL | C_SCHEME,
    ['/'] = C_VALUE,
    ['0' ... '9'] = ALL | C_SCHEME | C_HEX | C_DIGIT,
    [':'] = C_VALUE,
    [';'] = C_VALUE | C_HOST,
    ['<'] = C_VALUE,
    ['='] = C_VALUE | C_HOST,
    ['>'] = C_VALUE,
    ['?'] = C_VALUE,
    ['@'] = C_VALUE,
    ['A' ... 'F'] = UPPER | C_HEX,
    ['G' ... 'Z'] = UPPER,
    ['['] = C_VALUE,
    ['\\'] = C_VALUE,
    [']'] = C_VALUE,
    ['^'] = ALL & ~C_HOST,
    ['_'] = ALL,
    ['`'] = ALL & ~C_HOST,
    ['a' ... 'f'] = LOWER | C_HEX,
    ['g' ... 'z'] = LOWER,
    ['{'] = C_VALUE,
    ['|'] = ALL & ~C_HOST,
    ['}'] = C_VALUE,
    ['~'] = ALL,
    [0x80 ... 0xff] = C_VALUE, /* obs-text: opaque */
};

static bool is_class(char ch, unsigned class)
{
    return (classes[(uint8_t)ch] & class) != 0;
}

static bool all_class(const char *p, size_t n, unsigned class)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_class(p[i], class)) {
            return false;
        }
    }
    return true;
}

/* Sixteen octets at once: the compiler's vectors, for which any machine has some instructions. */
typedef uint8_t octets16 __attribute__((vector_size(16)));
typedef int8_t mask16 __attribute__((vector_size(16))); /* -1 where something holds, else 0 */

/* Each of n octets (0 < n < 16) at least once. */
static octets16 load_short(const char *p, size_t n)
{
    uint64_t words[2];
    octets16 x;
    if (n >= 8) {
        memcpy(&words[0], p, 8);
        memcpy(&words[1], p + n - 8, 8);
    } else {
        uint32_t halves[2];
        if (n >= 4) {
            memcpy(&halves[0], p, 4);
            memcpy(&halves[1], p + n - 4, 4);
        } else {
            halves[0] =
                (uint8_t)p[0] * 0x1010000u | (uint32_t)(uint8_t)p[n / 2] << 8 | (uint8_t)p[n - 1];
            halves[1] = halves[0];
        }
        memcpy(&words[0], halves, 8);
        words[1] = words[0];
    }
    memcpy(&x, words, sizeof(x));
    return x;
}

/* Whether `find` finds something among n > 0 octets. */
static inline __attribute__((always_inline)) bool any_octet(const char *p, size_t n,
                                                            mask16 (*find)(octets16))
{
    mask16 found;
    octets16 x;
    if (n < sizeof(x)) {
        found = find(load_short(p, n));
    } else {
        memcpy(&x, p + n - sizeof(x), sizeof(x)); /* the last ones, some of them twice */
        found = find(x);
        for (size_t i = 0; i + sizeof(x) < n; i += sizeof(x)) {
            memcpy(&x, p + i, sizeof(x));
            found |= find(x);
        }
    }
    uint64_t words[2];
    memcpy(words, &found, sizeof(words));
    return (words[0] | words[1]) != 0;
}

static mask16 is_control(octets16 x)
{
    return (mask16)(x < 0x20) | (mask16)(x == 0x7f);
}

static mask16 is_outside_path(octets16 x)
{
    return (mask16)(x - 0x21 > 0x7e - 0x21) | (mask16)(x == '#');
}

static mask16 is_upper(octets16 x)
{
    return (mask16)(x - 'A' < 26);
}

bool h2_has_upper(const char *p, size_t n)
{
    return n > 0 && any_octet(p, n, is_upper);
}

static bool value_chars_ok(const char *p, size_t n)
{
    return !any_octet(p, n, is_control) || all_class(p, n, C_VALUE); /* HTAB is a control, too */
}

static bool path_ok(const char *p, size_t n)
{
    return n > 0 && (p[0] == '/' || (p[0] == '*' && n == 1)) && !any_octet(p, n, is_outside_path);
}

static bool is_space(char ch)
{
    return ch == ' ' || ch == '\t';
}

/* RFC 9113, 8.2.1: no controls, and neither starts nor ends with white space. */
static bool value_ok(const struct h2_field *f)
{
    return f->value_len == 0 || (!h2_has_outer_space(f) && value_chars_ok(f->value, f->value_len));
}

static char lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
}

static bool equal_nocase(const char *a, size_t alen, const char *b, size_t blen)
{
    if (alen != blen) {
        return false;
    }
    for (size_t i = 0; i < alen; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- parts of a request target */

static bool scheme_ok(const char *p, size_t n)
{
    return n > 0 && lower(p[0]) >= 'a' && lower(p[0]) <= 'z' && all_class(p, n, C_SCHEME);
}

static bool is_http(struct h2_span scheme)
{
    return equal_nocase(scheme.p, scheme.len, "http", 4) ||
           equal_nocase(scheme.p, scheme.len, "https", 5);
}

static bool port_ok(const char *p, size_t n)
{
    unsigned port = 0;
    if (n > 5 || !all_class(p, n, C_DIGIT)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        port = port * 10 + (unsigned)(p[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

static bool address_ok(int family, const char *p, size_t n)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr; /* the larger one */
    if (n >= sizeof text || memchr(p, '\0', n) != NULL) {
        return false;
    }
    memcpy(text, p, n);
    text[n] = '\0';
    return inet_pton(family, text, &addr) == 1;
}

/* Whether the last label (a dot may follow it) is of digits, or 0x and hex digits. */
static bool ends_in_number(const char *p, size_t n)
{
    size_t end = n > 0 && p[n - 1] == '.' ? n - 1 : n;
    size_t begin = end;
    while (begin > 0 && p[begin - 1] != '.') {
        begin--;
    }
    bool hex = end - begin >= 2 && p[begin] == '0' && lower(p[begin + 1]) == 'x';
    begin += hex ? 2 : 0;
    return hex ? all_class(p + begin, end - begin, C_HEX)
               : end > begin && all_class(p + begin, end - begin, C_DIGIT);
}

/*
 * Length of the host that [p, p + n) begins with; 0: none. Stricter than RFC 3986, 3.2.2: nothing
 * percent-encoded ("%61" is "a" to one reader, and not to another), and a name that ends in a
 * number is an IPv4 address of four of them (127.1 is one to inet_aton() too).
 */
static size_t host_len(const char *p, size_t n)
{
    size_t i = 0;
    if (n > 0 && p[0] == '[') {
        const char *close = memchr(p, ']', n);
        size_t len = close != NULL ? (size_t)(close - p) : 0;
        return len > 1 && address_ok(AF_INET6, p + 1, len - 1) ? len + 1 : 0;
    }
    while (i < n && is_class(p[i], C_HOST)) {
        i++;
    }
    return i > 0 && ends_in_number(p, i) && !address_ok(AF_INET, p, i) ? 0 : i;
}

/* host [ ":" [ port ] ] (RFC 3986, 3.2.3); with userinfo it is malformed (RFC 9113, 8.3.1). */
static bool authority_ok(const char *p, size_t n, bool *has_port)
{
    size_t host = host_len(p, n);
    if (host == 0) {
        return false;
    }
    *has_port = host + 1 < n;
    return host == n || (p[host] == ':' && (!*has_port || port_ok(p + host + 1, n - host - 1)));
}

/* ---------------------------------------------------------------- single fields */

#define BAD_AUTHORITY "an authority that is not host and port"

static enum h2_field_use malformed(struct h2_head *h, const char *why)
{
    h->malformed = why;
    return H2_FIELD_MALFORMED;
}

static struct h2_span value_of(const struct h2_field *f)
{
    return (struct h2_span){f->value != NULL ? f->value : "", f->value_len}; /* NULL is "absent" */
}

/* RFC 9113, 8.3: three digits. 101 cannot be (8.6). */
static uint16_t parse_status(const struct h2_field *f)
{
    const char *v = f->value;
    if (f->value_len != 3 || v[0] < '1' || v[0] > '5' || !all_class(v, 3, C_DIGIT)) {
        return 0;
    }
    uint16_t status = (uint16_t)((v[0] - '0') * 100 + (v[1] - '0') * 10 + (v[2] - '0'));
    return status == 101 ? 0 : status;
}

static const char *set_pseudo(const struct h2_field *f, struct h2_span *slot, bool valid,
                              const char *invalid)
{
    if (slot->p != NULL) {
        return "a pseudo-header field twice";
    }
    *slot = value_of(f);
    return valid ? NULL : invalid;
}

static const char *request_pseudo(struct h2_head *h, const struct h2_field *f)
{
    const char *v = f->value;
    size_t n = f->value_len;
    switch (f->token) {
    case H2_TOKEN_PSEUDO_METHOD:
        return set_pseudo(f, &h->method, n > 0 && all_class(v, n, C_TOKEN),
                          ":method is not a token");
    case H2_TOKEN_PSEUDO_SCHEME:
        return set_pseudo(f, &h->scheme, scheme_ok(v, n), ":scheme is not a scheme");
    case H2_TOKEN_PSEUDO_PATH:
        return set_pseudo(f, &h->path, path_ok(v, n), ":path is not a path");
    case H2_TOKEN_PSEUDO_AUTHORITY:
        return set_pseudo(f, &h->authority, n == 0 || authority_ok(v, n, &h->authority_port),
                          BAD_AUTHORITY);
    case H2_TOKEN_PSEUDO_PROTOCOL:
        return set_pseudo(f, &h->protocol, n > 0 && all_class(v, n, C_TOKEN),
                          ":protocol is not a token");
    default:
        return "a pseudo-header field that requests do not have";
    }
}

static enum h2_field_use pseudo(struct h2_head *h, const struct h2_field *f)
{
    const char *why;
    if (h->section == H2_SECTION_TRAILERS) {
        why = "a pseudo-header field in trailers";
    } else if (h->regular) {
        why = "a pseudo-header field behind other fields";
    } else if (h->section == H2_SECTION_REQUEST) {
        why = request_pseudo(h, f);
    } else if (f->token != H2_TOKEN_PSEUDO_STATUS) {
        why = "a pseudo-header field that responses do not have";
    } else if (h->status != 0) {
        why = "a pseudo-header field twice";
    } else {
        h->status = parse_status(f);
        why = h->status == 0 ? ":status is not a status of HTTP/2" : NULL;
    }
    return why != NULL ? malformed(h, why) : H2_FIELD_KEEP;
}

/* A number of the list in a content-length value; moves past it and its comma. -1: not one. */
static int64_t length_item(const char **p, const char *end)
{
    const char *s = *p;
    int64_t n = 0;
    if (s == end || !is_class(*s, C_DIGIT)) {
        return -1;
    }
    for (; s < end && is_class(*s, C_DIGIT); s++) {
        int digit = *s - '0';
        if (n > (INT64_MAX - digit) / 10) {
            return -1;
        }
        n = n * 10 + digit;
    }
    while (s < end && is_space(*s)) {
        s++;
    }
    if (s < end) {
        if (*s != ',') {
            return -1;
        }
        for (s++; s < end && is_space(*s); s++) {
        }
        if (s == end) {
            return -1;
        }
    }
    *p = s;
    return n;
}

/* RFC 9110, 8.6: one number, or the same one several times, also as one known before (-1: none).
 * NULL, or why not. */
static const char *read_length(const struct h2_field *f, int64_t *length)
{
    const char *p = f->value;
    const char *end = f->value + f->value_len;
    do {
        int64_t n = length_item(&p, end);
        if (n < 0) {
            return "content-length is not a number";
        }
        if (*length >= 0 && *length != n) {
            return "content-length has two values";
        }
        *length = n;
    } while (p < end);
    return NULL;
}

/* Given several times, it becomes one. */
static enum h2_field_use content_length(struct h2_head *h, struct h2_field *f)
{
    bool again = h->content_length >= 0;
    const char *why = read_length(f, &h->content_length);
    if (why != NULL) {
        return malformed(h, why);
    }

    uint32_t digits = 0;
    while (digits < f->value_len && is_class(f->value[digits], C_DIGIT)) {
        digits++;
    }
    f->value_len = digits;
    return again ? H2_FIELD_DROP : H2_FIELD_KEEP;
}

static bool name_ok(const struct h2_field *f)
{
    return f->name_len > 0 && all_class(f->name, f->name_len, C_NAME);
}

bool h2_is_connection_specific(const struct h2_field *f, uint8_t token)
{
    switch (token) {
    case H2_TOKEN_CONNECTION:
    case H2_TOKEN_KEEP_ALIVE:
    case H2_TOKEN_PROXY_CONNECTION:
    case H2_TOKEN_TRANSFER_ENCODING:
    case H2_TOKEN_UPGRADE:
        return true;
    case H2_TOKEN_TE:
        return !equal_nocase(f->value, f->value_len, "trailers", 8);
    default:
        return false;
    }
}

static bool is_pseudo(uint8_t token)
{
    return (token >= H2_TOKEN_PSEUDO_AUTHORITY && token <= H2_TOKEN_PSEUDO_STATUS) ||
           token == H2_TOKEN_PSEUDO_PROTOCOL;
}

void h2_head_begin(struct h2_head *h, enum h2_section section)
{
    memset(h, 0, sizeof(*h));
    h->section = section;
    h->content_length = -1;
}

enum h2_field_use h2_head_field(struct h2_head *h, struct h2_field *f)
{
    assert(h->malformed == NULL);
    if (is_pseudo(f->token)) {
        return pseudo(h, f);
    }
    h->regular = true;
    if (f->token == H2_TOKEN_NONE && !name_ok(f)) {
        return malformed(h, "a field name with characters that it must not have");
    }
    if (!value_ok(f)) {
        return malformed(h, "a field value with characters that it must not have");
    }
    switch (f->token) {
    case H2_TOKEN_CONNECTION:
    case H2_TOKEN_KEEP_ALIVE:
    case H2_TOKEN_PROXY_CONNECTION:
    case H2_TOKEN_TRANSFER_ENCODING:
    case H2_TOKEN_UPGRADE:
    case H2_TOKEN_TE:
        if (h2_is_connection_specific(f, f->token)) {
            return malformed(h, "a connection-specific field");
        }
        return H2_FIELD_KEEP;
    case H2_TOKEN_HOST:
        if (h->section == H2_SECTION_REQUEST) {
            if (h->host.p != NULL) {
                return malformed(h, "host twice");
            }
            h->host = value_of(f);
        }
        return H2_FIELD_KEEP;
    case H2_TOKEN_CONTENT_LENGTH:
        return h->section == H2_SECTION_TRAILERS ? H2_FIELD_KEEP : content_length(h, f);
    case H2_TOKEN_PRIORITY:
        h->priority = value_of(f);
        return H2_FIELD_KEEP;
    default:
        return H2_FIELD_KEEP;
    }
}

/* ---------------------------------------------------------------- whole sections */

/* RFC 9113, 8.5: CONNECT has only :method and :authority, which is host and port. */
static const char *connect_end(const struct h2_head *h)
{
    if (h->scheme.p != NULL || h->path.p != NULL) {
        return "CONNECT with :scheme or :path";
    }
    if (!h->authority_port) {
        return "CONNECT without host and port in :authority";
    }
    return NULL;
}

/* RFC 9113, 8.3.1: where the request goes is said once, or twice the same. */
static const char *authority_end(const struct h2_head *h)
{
    bool needed = is_http(h->scheme);
    if (h->authority.p != NULL) {
        return needed && h->authority.len == 0 ? BAD_AUTHORITY : NULL;
    }
    if (h->host.p == NULL) {
        return needed ? "neither :authority nor host" : NULL;
    }
    bool has_port;
    bool ok = h->host.len == 0 ? !needed : authority_ok(h->host.p, h->host.len, &has_port);
    return ok ? NULL : BAD_AUTHORITY;
}

static const char *request_end(const struct h2_head *h, bool connect_protocol)
{
    const char *why;
    if (h->method.p == NULL) {
        return "no :method";
    }
    bool connect = h2_span_is(h->method, "CONNECT");
    if (h->protocol.p != NULL && !(connect && connect_protocol)) {
        return ":protocol without an extended CONNECT that was offered"; /* RFC 8441, section 4 */
    }
    if (connect && h->protocol.p == NULL) {
        why = connect_end(h);
    } else if (h->scheme.p == NULL || h->path.p == NULL) {
        why = "no :scheme or no :path";
    } else if (h->path.p[0] == '*' && !h2_span_is(h->method, "OPTIONS")) {
        why = ":path * with a method other than OPTIONS";
    } else {
        why = authority_end(h);
    }
    if (why == NULL && h->authority.p != NULL && h->host.p != NULL &&
        !equal_nocase(h->authority.p, h->authority.len, h->host.p, h->host.len)) {
        why = "host differs from :authority";
    }
    return why;
}

bool h2_head_end(struct h2_head *h, bool connect_protocol)
{
    if (h->malformed == NULL) {
        if (h->section == H2_SECTION_REQUEST) {
            h->malformed = request_end(h, connect_protocol);
        } else if (h->section == H2_SECTION_RESPONSE && h->status == 0) {
            h->malformed = "no :status";
        }
    }
    return h->malformed == NULL;
}

bool h2_may_be_promised(const struct h2_head *h)
{
    return (h2_span_is(h->method, "GET") || h2_span_is(h->method, "HEAD")) &&
           h->content_length <= 0;
}

/* ---------------------------------------------------------------- what we send */

/* What the engine has to know of a field. False: a content-length that is none, or another one. */
static bool read_field(struct h2_head *h, const struct h2_field *f)
{
    switch (f->token) {
    case H2_TOKEN_PSEUDO_METHOD:
        h->method = value_of(f);
        break;
    case H2_TOKEN_PSEUDO_SCHEME:
        h->scheme = value_of(f);
        break;
    case H2_TOKEN_PSEUDO_PATH:
        h->path = value_of(f);
        break;
    case H2_TOKEN_PSEUDO_PROTOCOL:
        h->protocol = value_of(f);
        break;
    case H2_TOKEN_PSEUDO_STATUS:
        h->status = parse_status(f);
        break;
    case H2_TOKEN_HOST:
        h->host = value_of(f);
        break;
    case H2_TOKEN_PRIORITY:
        h->priority = value_of(f);
        break;
    case H2_TOKEN_CONTENT_LENGTH:
        if (read_length(f, &h->content_length) != NULL) {
            return false;
        }
        break;
    default:
        break;
    }
    return true;
}

/* The field, or a copy that has its token. */
static const struct h2_field *with_token(const struct h2_field *f, struct h2_field *copy)
{
    if (f->token != H2_TOKEN_NONE) {
        return f;
    }
    *copy = *f;
    copy->token = h2_token_lookup(f->name, f->name_len);
    return copy;
}

void h2_fields_read(struct h2_head *h, enum h2_section section, const struct h2_field *fields,
                    size_t n)
{
    struct h2_field copy;
    h2_head_begin(h, section);
    for (size_t i = 0; i < n; i++) {
        (void)read_field(h, with_token(&fields[i], &copy));
    }
}

bool h2_fields_sendable(struct h2_head *h, enum h2_section section, const struct h2_field *fields,
                        size_t n)
{
    struct h2_field copy;
    h2_head_begin(h, section);
    for (size_t i = 0; i < n; i++) {
        const struct h2_field *f = with_token(&fields[i], &copy);
        if (is_pseudo(f->token)) {
            /* Known, once, and before the others; what they may consist of leaves no room for what
             * no value may have. */
            if (pseudo(h, f) != H2_FIELD_KEEP) {
                return false;
            }
            continue;
        }
        h->regular = true;
        if ((f->token == H2_TOKEN_NONE && !name_ok(f)) || !value_ok(f) ||
            h2_is_connection_specific(f, f->token) ||
            (section == H2_SECTION_REQUEST && f->token == H2_TOKEN_HOST && h->host.p != NULL)) {
            return false;
        }
        if (!(section == H2_SECTION_TRAILERS || read_field(h, f))) {
            return false;
        }
    }
    if (section == H2_SECTION_RESPONSE) {
        return h->status != 0;
    }
    return section != H2_SECTION_REQUEST || request_end(h, true) == NULL;
}
