/*
 * Reading bodies: a length, chunks (RFC 9112, 7.1), or whatever comes until the connection ends.
 *
 * Data is handed out where it lies, never copied. Chunk extensions are checked and dropped: what is
 * sent on is always made anew, so nothing of a peer's chunk lines ever gets to another peer.
 */
#include "h1_internal.h"

#include <assert.h>

enum {
    SIZE_DIGITS_MAX = 16, /* of an uint64_t; leading zeros count, or a size line had no end */

    /* Octets of extensions on one line. The longest in use, the signatures of S3's chunked upload,
     * have less than 170. */
    EXT_LINE_MAX = 256,

    /* Octets of extensions in a body beyond its octets of data. One octet of data with a full
     * extension is 1:260 (CVE-2023-39326); honest ones come with chunks larger than themselves. */
    EXT_EXCESS_MAX = 16 * 1024,
};

/*
 *   SIZE ──CR──► SIZE_LF ──► DATA ──► DATA_CR ──► DATA_LF ──► SIZE
 *    │ ; SP         ▲ │ size 0
 *    ▼              │ └──► DONE
 *   EXT_… ──CR──────┘
 */
enum state {
    S_FAILED, /* 0, so that an empty place in the table below is a failure */
    S_SIZE,
    S_EXT_SEMI,        /* blank after the size or an extension: only ';' can come */
    S_EXT_BEFORE_NAME, /* after ';' */
    S_EXT_NAME,
    S_EXT_EQUALS,       /* blank after a name: '=' or ';' */
    S_EXT_BEFORE_VALUE, /* after '=' */
    S_EXT_TOKEN,
    S_EXT_QUOTED,
    S_EXT_ESCAPE,    /* after '\' in a quoted string */
    S_EXT_QUOTE_END, /* after the closing quote */
    S_SIZE_LF,
    S_DATA,
    S_DATA_CR,
    S_DATA_LF,
    S_DONE,
};

enum octet {
    C_BAD, /* controls, LF */
    C_CR,
    C_BLANK,
    C_SEMI,
    C_EQUALS,
    C_QUOTE,
    C_BACKSLASH,
    C_TOKEN,
    C_OTHER, /* the rest of what a quoted string may have in it */
    C_COUNT,
};

/*
 * RFC 9112, 7.1.1:
 *   chunk-ext     = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
 *   chunk-ext-val = token / quoted-string
 * A CR ends the line wherever an extension may end, and nowhere else: not in a quoted string, where
 * one reader sees a line end and another does not (CVE-2025-55315).
 */
static const uint8_t ext_next[S_EXT_QUOTE_END + 1][C_COUNT] = {
    [S_EXT_SEMI] = {[C_BLANK] = S_EXT_SEMI, [C_SEMI] = S_EXT_BEFORE_NAME},
    [S_EXT_BEFORE_NAME] = {[C_BLANK] = S_EXT_BEFORE_NAME, [C_TOKEN] = S_EXT_NAME},
    [S_EXT_NAME] = {[C_CR] = S_SIZE_LF,
                    [C_BLANK] = S_EXT_EQUALS,
                    [C_SEMI] = S_EXT_BEFORE_NAME,
                    [C_EQUALS] = S_EXT_BEFORE_VALUE,
                    [C_TOKEN] = S_EXT_NAME},
    [S_EXT_EQUALS] =
        {[C_BLANK] = S_EXT_EQUALS, [C_SEMI] = S_EXT_BEFORE_NAME, [C_EQUALS] = S_EXT_BEFORE_VALUE},
    [S_EXT_BEFORE_VALUE] =
        {[C_BLANK] = S_EXT_BEFORE_VALUE, [C_QUOTE] = S_EXT_QUOTED, [C_TOKEN] = S_EXT_TOKEN},
    [S_EXT_TOKEN] = {[C_CR] = S_SIZE_LF,
                     [C_BLANK] = S_EXT_SEMI,
                     [C_SEMI] = S_EXT_BEFORE_NAME,
                     [C_TOKEN] = S_EXT_TOKEN},
    [S_EXT_QUOTED] = {[C_BLANK] = S_EXT_QUOTED,
                      [C_SEMI] = S_EXT_QUOTED,
                      [C_EQUALS] = S_EXT_QUOTED,
                      [C_QUOTE] = S_EXT_QUOTE_END,
                      [C_BACKSLASH] = S_EXT_ESCAPE,
                      [C_TOKEN] = S_EXT_QUOTED,
                      [C_OTHER] = S_EXT_QUOTED},
    [S_EXT_ESCAPE] = {[C_BLANK] = S_EXT_QUOTED,
                      [C_SEMI] = S_EXT_QUOTED,
                      [C_EQUALS] = S_EXT_QUOTED,
                      [C_QUOTE] = S_EXT_QUOTED,
                      [C_BACKSLASH] = S_EXT_QUOTED,
                      [C_TOKEN] = S_EXT_QUOTED,
                      [C_OTHER] = S_EXT_QUOTED},
    [S_EXT_QUOTE_END] = {[C_CR] = S_SIZE_LF, [C_BLANK] = S_EXT_SEMI, [C_SEMI] = S_EXT_BEFORE_NAME},
};

static enum octet octet_of(uint8_t c)
{
    switch (c) {
    case '\r':
        return C_CR;
    case ' ':
    case '\t':
        return C_BLANK;
    case ';':
        return C_SEMI;
    case '=':
        return C_EQUALS;
    case '"':
        return C_QUOTE;
    case '\\':
        return C_BACKSLASH;
    default:
        if (h1_is(c, H1_C_TOKEN)) {
            return C_TOKEN;
        }
        return h1_is(c, H1_C_VALUE) ? C_OTHER : C_BAD;
    }
}

static enum h1_rc fail(struct h1_body *b, enum h1_error error)
{
    b->error = error;
    b->state = S_FAILED;
    return H1_ERROR;
}

/* The steps of a chunk line take bytes from *p and return H1_MORE to go on, or an end. */

static enum h1_rc read_size(struct h1_body *b, const uint8_t **p, const uint8_t *end)
{
    int digit = 0;
    while (*p < end && (digit = h1_hex(**p)) >= 0) {
        if (b->digits == SIZE_DIGITS_MAX) {
            return fail(b, H1_ERR_CHUNK_SIZE);
        }
        b->digits++;
        b->left = b->left << 4 | (unsigned)digit;
        (*p)++;
    }
    if (*p == end) {
        return H1_MORE;
    }
    if (b->digits == 0 || b->left > (uint64_t)INT64_MAX) {
        return fail(b, H1_ERR_CHUNK_SIZE);
    }
    uint8_t c = *(*p)++;
    switch (c) {
    case '\r':
        b->state = S_SIZE_LF;
        return H1_MORE;
    case ';':
        b->ext_len = 1;
        b->state = S_EXT_BEFORE_NAME;
        return H1_MORE;
    case ' ':
    case '\t':
        b->ext_len = 1;
        b->state = S_EXT_SEMI;
        return H1_MORE;
    case '\n':
        return fail(b, H1_ERR_LINE_END);
    default:
        return fail(b, H1_ERR_CHUNK_SIZE);
    }
}

static enum h1_rc read_ext(struct h1_body *b, const uint8_t **p, const uint8_t *end)
{
    while (*p < end && b->state <= S_EXT_QUOTE_END) {
        uint8_t c = *(*p)++;
        uint8_t next = ext_next[b->state][octet_of(c)];
        if (next == S_FAILED) {
            return fail(b, c == '\n' ? H1_ERR_LINE_END : H1_ERR_CHUNK_EXT);
        }
        if (next != S_SIZE_LF && ++b->ext_len > EXT_LINE_MAX) {
            return fail(b, H1_ERR_CHUNK_EXT);
        }
        b->state = next;
    }
    return H1_MORE;
}

/* The LF that ends a chunk's line. Extensions are paid for by the data that comes with them. */
static enum h1_rc end_size_line(struct h1_body *b, uint8_t c)
{
    if (c != '\n') {
        return fail(b, H1_ERR_LINE_END);
    }
    uint64_t excess = (uint64_t)b->ext_excess + b->ext_len;
    excess = excess > b->left ? excess - b->left : 0;
    if (excess > EXT_EXCESS_MAX) {
        return fail(b, H1_ERR_CHUNK_EXT);
    }
    b->ext_excess = (uint32_t)excess;
    b->state = b->left == 0 ? S_DONE : S_DATA;
    return b->left == 0 ? H1_DONE : H1_MORE;
}

static void begin_chunk(struct h1_body *b)
{
    b->state = S_SIZE;
    b->digits = 0;
    b->ext_len = 0;
    b->left = 0;
}

/* Everything but the data: goes on until there is data or an end (RFC 9112, 7.1). */
static enum h1_rc read_between(struct h1_body *b, const uint8_t **p, const uint8_t *end)
{
    enum h1_rc rc = H1_MORE;
    while (rc == H1_MORE && *p < end && b->state != S_DATA) {
        switch ((enum state)b->state) {
        case S_SIZE:
            rc = read_size(b, p, end);
            break;
        case S_SIZE_LF:
            rc = end_size_line(b, *(*p)++);
            break;
        case S_DATA_CR:
            if (*(*p)++ != '\r') {
                return fail(b, H1_ERR_CHUNK_END);
            }
            b->state = S_DATA_LF;
            break;
        case S_DATA_LF:
            if (*(*p)++ != '\n') {
                return fail(b, H1_ERR_CHUNK_END);
            }
            begin_chunk(b);
            break;
        default:
            assert(b->state >= S_EXT_SEMI && b->state <= S_EXT_QUOTE_END);
            rc = read_ext(b, p, end);
            break;
        }
    }
    return rc;
}

static enum h1_rc take_data(struct h1_body *b, const uint8_t *p, size_t len, const uint8_t **data,
                            size_t *data_len)
{
    size_t n = b->left < len ? (size_t)b->left : len;
    assert(n > 0);
    b->left -= n;
    *data = p;
    *data_len = n;
    return H1_DATA;
}

static enum h1_rc chunked_next(struct h1_body *b, const uint8_t *buf, size_t len, size_t *used,
                               const uint8_t **data, size_t *data_len)
{
    if (b->state == S_FAILED) {
        return H1_ERROR;
    }
    if (b->state == S_DONE) {
        return H1_DONE;
    }
    if (len == 0) {
        return H1_MORE; /* buf may be NULL, and nothing may be added to that */
    }
    const uint8_t *p = buf;
    const uint8_t *end = buf + len;
    enum h1_rc rc = read_between(b, &p, end);
    if (rc == H1_MORE && p < end) {
        assert(b->state == S_DATA);
        rc = take_data(b, p, (size_t)(end - p), data, data_len);
        p += *data_len;
        if (b->left == 0) {
            b->state = S_DATA_CR;
        }
    }
    *used = (size_t)(p - buf);
    return rc;
}

void h1_body_init(struct h1_body *b, struct h1_framing framing)
{
    assert(framing.error == H1_ERR_NONE);
    *b = (struct h1_body){.kind = framing.kind};
    if (framing.kind == H1_BODY_CHUNKED) {
        begin_chunk(b);
    } else if (framing.kind == H1_BODY_LENGTH) {
        b->left = framing.length;
    }
}

enum h1_rc h1_body_next(struct h1_body *b, const uint8_t *buf, size_t len, size_t *used,
                        const uint8_t **data, size_t *data_len)
{
    *used = 0;
    *data = NULL;
    *data_len = 0;
    switch (b->kind) {
    case H1_BODY_NONE:
        return H1_DONE;
    case H1_BODY_CHUNKED:
        return chunked_next(b, buf, len, used, data, data_len);
    case H1_BODY_LENGTH:
        if (b->left == 0) {
            return H1_DONE;
        }
        if (len == 0) {
            return H1_MORE;
        }
        take_data(b, buf, len, data, data_len);
        *used = *data_len;
        return H1_DATA;
    case H1_BODY_CLOSE:
    case H1_BODY_TUNNEL:
        *data = buf;
        *data_len = len;
        *used = len;
        return len > 0 ? H1_DATA : H1_MORE;
    }
    assert(!"a body has one of the five kinds");
    return H1_ERROR;
}

bool h1_body_may_end(const struct h1_body *b)
{
    switch (b->kind) {
    case H1_BODY_NONE:
    case H1_BODY_CLOSE:
    case H1_BODY_TUNNEL:
        return true;
    case H1_BODY_LENGTH:
        return b->left == 0;
    case H1_BODY_CHUNKED:
        return b->state == S_DONE;
    }
    return false;
}
