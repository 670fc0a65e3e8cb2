/*
 * The fields that say how a message is framed and what becomes of the connection. What each value
 * may be is decided here, line by line; what they mean together, in h1_framing.c.
 */
#include "h1_internal.h"

/* Called by one that is called often, which would have to save registers for it each time. */
#define SELDOM __attribute__((noinline))

/* As many digits cannot overflow, whatever they are. */
enum { SAFE_DIGITS = 18 };

/* A decimal number at *p, which is moved to its end: false without a digit, with a zero before
 * others (octal to some readers), or over 2^63-1. */
static bool read_number(const char **p, const char *end, uint64_t *number)
{
    const char *digits = *p;
    const char *s = digits;
    uint64_t n = 0;
    for (; s < end && h1_is_digit((uint8_t)*s); s++) {
        unsigned digit = (unsigned)(*s - '0');
        if (s - digits >= SAFE_DIGITS && n > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    *p = s;
    *number = n;
    return s == digits + 1 || (s > digits && digits[0] != '0');
}

/*
 * RFC 9110, 8.6: 1*DIGIT, and a list of equal numbers may be taken for one. Nothing else is: no
 * sign, no zero before other digits, no blank inside, no empty element (CVE-2023-40225), nothing
 * that does not fit an int64_t.
 */
static enum h1_error content_length(struct h1_head *h, uint32_t index, const char *v, size_t len)
{
    (void)index;
    const char *end = v + len;
    const char *p = v;
    for (;;) {
        uint64_t n;
        if (!read_number(&p, end, &n) ||
            (h->content_length >= 0 && h->content_length != (int64_t)n)) {
            return H1_ERR_CONTENT_LENGTH;
        }
        h->content_length = (int64_t)n;
        if (p == end) {
            return H1_ERR_NONE;
        }
        while (p < end && h1_is_blank((uint8_t)*p)) {
            p++;
        }
        if (p == end || *p != ',') {
            return H1_ERR_CONTENT_LENGTH;
        }
        p++;
        while (p < end && h1_is_blank((uint8_t)*p)) {
            p++;
        }
    }
}

/*
 * RFC 9112, 6.1 and 6.3: `chunked`, once, and nothing else. Another coding before it is well formed
 * but not ours (501); everything else leaves the end of the body unknown (400).
 */
static enum h1_error transfer_encoding(struct h1_head *h, uint32_t index, const char *v, size_t len)
{
    (void)index;
    /* A second one; or one in HTTP/1.0, which has none (RFC 9112, 6.1). */
    if (h->chunked || h->minor_version == 0) {
        return H1_ERR_TRANSFER_ENCODING;
    }
    if (h1_is_word(v, len, "chunked", 7)) {
        h->chunked = true;
        return H1_ERR_NONE;
    }
    const char *end = v + len;
    const char *elem;
    size_t elem_len;
    bool last_is_chunked = false;
    unsigned others = 0;
    while (h1_list_next(&v, end, &elem, &elem_len)) {
        if (last_is_chunked || !h1_token_valid(elem, elem_len)) {
            return H1_ERR_TRANSFER_ENCODING;
        }
        last_is_chunked = h1_is_word(elem, elem_len, "chunked", 7);
        others += !last_is_chunked;
    }
    return last_is_chunked && others > 0 ? H1_ERR_CODING_UNKNOWN : H1_ERR_TRANSFER_ENCODING;
}

/* RFC 9112, 9.3 and 9.6; RFC 9110, 7.8: Upgrade in an HTTP/1.0 request MUST be ignored. */
static SELDOM enum h1_error connection_list(struct h1_head *h, const char *v, size_t len)
{
    const char *end = v + len;
    const char *elem;
    size_t elem_len;
    while (h1_list_next(&v, end, &elem, &elem_len)) {
        if (h1_is_word(elem, elem_len, "keep-alive", 10)) {
            h->connection_keep_alive = true;
        } else if (h1_is_word(elem, elem_len, "close", 5)) {
            h->connection_close = true;
        } else if (h1_is_word(elem, elem_len, "upgrade", 7)) {
            h->connection_upgrade = h->kind != H1_REQUEST || h->minor_version == 1;
        } else if (!h1_token_valid(elem, elem_len)) {
            return H1_ERR_CONNECTION; /* "close" in quotes, to a reader that takes them off */
        }
    }
    return H1_ERR_NONE;
}

static enum h1_error connection(struct h1_head *h, uint32_t index, const char *v, size_t len)
{
    (void)index;
    if (h1_is_word(v, len, "keep-alive", 10)) { /* nearly always that alone */
        h->connection_keep_alive = true;
        return H1_ERR_NONE;
    }
    return connection_list(h, v, len);
}

/*
 * RFC 9110, 7.8: a list of protocols, a name and perhaps a version each. An empty list asks for
 * nothing, and is there all the same: some take it for an Upgrade, some not.
 */
static enum h1_error upgrade(struct h1_head *h, uint32_t index, const char *v, size_t len)
{
    const char *end = v + len;
    const char *elem;
    size_t elem_len;
    bool any = false;
    while (h1_list_next(&v, end, &elem, &elem_len)) {
        const char *slash = memchr(elem, '/', elem_len);
        size_t name_len = slash != NULL ? (size_t)(slash - elem) : elem_len;
        if (!h1_token_valid(elem, name_len) ||
            (slash != NULL && !h1_token_valid(slash + 1, elem_len - name_len - 1))) {
            return H1_ERR_UPGRADE;
        }
        any = true;
        h->upgrade_other |= !h1_is_word(elem, elem_len, "h2c", 3);
    }
    if (h->upgrade_field == UINT32_MAX) {
        h->upgrade_field = index;
    }
    return any ? H1_ERR_NONE : H1_ERR_UPGRADE;
}

/*
 * RFC 9110, 10.1.1: any other expectation MAY be answered with 417. It is, because an Expect that
 * one side does not see is a way to put the two sides out of step. A second one is no better.
 */
static enum h1_error expect(struct h1_head *h, uint32_t index, const char *v, size_t len)
{
    if (h->kind != H1_REQUEST) {
        return H1_ERR_NONE;
    }
    for (uint32_t i = 0; i < index; i++) {
        if (h->fields[i].token == H1_TOKEN_EXPECT) {
            return H1_ERR_EXPECT;
        }
    }
    if (!h1_is_word(v, len, "100-continue", 12)) {
        return H1_ERR_EXPECT;
    }
    h->expect_continue = h->minor_version == 1; /* MUST be ignored in HTTP/1.0 */
    return H1_ERR_NONE;
}

/*
 * RFC 9112, 3.2: exactly one, and valid. An empty one is for a target URI without an authority,
 * which http and https do not have (RFC 9110, 4.2): it is let through only where the target names
 * the authority and Host is not looked at.
 */
static enum h1_error host(struct h1_head *h, uint32_t index, const char *v, size_t len)
{
    if (h->kind != H1_REQUEST) {
        return H1_ERR_NONE;
    }
    if (h->host_field != UINT32_MAX) {
        return H1_ERR_HOST;
    }
    h->host_field = index;
    if (len == 0) {
        bool overridden = h->form == H1_FORM_ABSOLUTE || h->form == H1_FORM_AUTHORITY;
        return overridden ? H1_ERR_NONE : H1_ERR_HOST;
    }
    return h1_authority_valid(v, len) ? H1_ERR_NONE : H1_ERR_HOST;
}

h1_field_reader *const h1_field_readers[256] = {
    [H1_TOKEN_CONTENT_LENGTH] = content_length,
    [H1_TOKEN_TRANSFER_ENCODING] = transfer_encoding,
    [H1_TOKEN_CONNECTION] = connection,
    [H1_TOKEN_UPGRADE] = upgrade,
    [H1_TOKEN_HOST] = host,
    [H1_TOKEN_EXPECT] = expect,
};
