/*
 * A head, from its first byte to its last: the driver, and the start lines (RFC 9112, 3 and 4). The
 * field lines are in h1_field.c.
 *
 * Every state stands at one element of the head. It takes as much of the element as is there and
 * notes in scan_off how far it got, so each octet is looked at a constant number of times, however
 * small the pieces are (docs/h1parser.md, Costs).
 */
#include "h1_scan.h"

#include <assert.h>

enum { VERSION_LEN = 8, STATUS_LEN = 12 }; /* "HTTP/1.1", "HTTP/1.1 200" */

enum h1_step h1_fail(struct h1_head *h, enum h1_error error)
{
    h->error = error;
    h->state = H1_S_FAILED;
    return H1_STEP_FAIL;
}

static enum h1_step go(struct h1_head *h, enum h1_state state, uint32_t off)
{
    h->state = state;
    h->scan_off = off;
    h->line_off = off;
    return H1_STEP_NEXT;
}

/* The start line is over but for its end, that begins at p: CR LF, or (options.bare_lf) LF alone.
 */
static enum h1_step end_start_line(struct h1_head *h, const uint8_t *buf, const uint8_t *p,
                                   const uint8_t *end)
{
    uint32_t off = (uint32_t)(p - buf);
    if (*p == '\r') {
        bool whole = end - p >= 2 && p[1] == '\n';
        return whole ? go(h, H1_S_LINE, off + 2) : go(h, H1_S_START_LF, off + 1);
    }
    if (*p != '\n') {
        return h1_fail(h, H1_ERR_START_LINE);
    }
    return h->options.bare_lf ? go(h, H1_S_LINE, off + 1) : h1_fail(h, H1_ERR_LINE_END);
}

/* RFC 9112, 2.2: a server SHOULD ignore at least one empty line before a request, for the sake of
 * old clients that send CR LF after a body. One is enough: nobody honest sends more. */
static enum h1_step step_empty(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    if (p == end) {
        return H1_STEP_MORE;
    }
    if (*p != '\r') {
        return go(h, H1_S_METHOD, h->scan_off);
    }
    if (p + 1 == end) {
        return H1_STEP_MORE;
    }
    if (p[1] != '\n') {
        return h1_fail(h, H1_ERR_LINE_END);
    }
    return go(h, H1_S_METHOD, h->scan_off + 2);
}

static enum h1_step step_method(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    p += h1_scan_class(p, end, H1_C_TOKEN);
    h->scan_off = (uint32_t)(p - buf);
    if (p == end) {
        return H1_STEP_MORE;
    }
    if (*p == '\r' || *p == '\n') {
        return h1_fail(h, H1_ERR_START_LINE);
    }
    h->method_text = (struct h1_span){h->line_off, h->scan_off - h->line_off};
    if (*p != ' ' || h->method_text.len == 0) {
        return h1_fail(h, H1_ERR_METHOD);
    }
    h->method = h1_method_lookup((const char *)buf + h->method_text.off, h->method_text.len);
    return go(h, H1_S_TARGET, h->scan_off + 1);
}

static enum h1_step step_target(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = h1_scan_target(buf + h->scan_off, end, &h->query);
    h->scan_off = (uint32_t)(p - buf);
    if (p == end) {
        return H1_STEP_MORE;
    }
    if (*p == '\r' || *p == '\n') {
        return h1_fail(h, H1_ERR_START_LINE); /* HTTP/0.9, or a line cut in two */
    }
    h->target = (struct h1_span){h->line_off, h->scan_off - h->line_off};
    if (*p != ' ' || h->target.len == 0) {
        return h1_fail(h, H1_ERR_TARGET);
    }
    enum h1_error error = h1_parse_target(h, (const char *)buf);
    if (error != H1_ERR_NONE) {
        return h1_fail(h, error);
    }
    return go(h, H1_S_REQUEST_VERSION, h->scan_off + 1);
}

/* HTTP-version (RFC 9112, 2.3) in the n octets at p, that are all there is so far. */
static enum h1_step match_version(struct h1_head *h, const uint8_t *p, size_t n)
{
    enum { MINOR = 7 };
    static const char shape[] = "HTTP/0.0"; /* 0: any digit */
    if (n >= VERSION_LEN && memcmp(p, "HTTP/1.", MINOR) == 0 && (p[MINOR] | 1) == '1') {
        h->minor_version = p[MINOR] - '0';
        return H1_STEP_NEXT;
    }
    for (size_t i = 0; i < n && i < VERSION_LEN; i++) {
        if (shape[i] == '0' ? !h1_is_digit(p[i]) : p[i] != (uint8_t)shape[i]) {
            return h1_fail(h, H1_ERR_START_LINE);
        }
    }
    return n < VERSION_LEN ? H1_STEP_MORE : h1_fail(h, H1_ERR_VERSION);
}

static enum h1_step step_request_version(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    enum h1_step step = match_version(h, p, (size_t)(end - p));
    if (step != H1_STEP_NEXT) {
        return step;
    }
    p += VERSION_LEN;
    if (p == end) {
        return H1_STEP_MORE;
    }
    return end_start_line(h, buf, p, end);
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112, 4), up to the status
 * code. */
static enum h1_step step_status_line(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    size_t n = (size_t)(end - p);
    enum h1_step step = match_version(h, p, n);
    if (step != H1_STEP_NEXT) {
        return step;
    }
    if (n > VERSION_LEN && p[VERSION_LEN] != ' ') {
        return h1_fail(h, H1_ERR_START_LINE);
    }
    unsigned status = 0;
    for (size_t i = VERSION_LEN + 1; i < n && i < STATUS_LEN; i++) {
        if (!h1_is_digit(p[i])) {
            return h1_fail(h, H1_ERR_START_LINE);
        }
        status = status * 10 + (p[i] - '0');
    }
    if (n < STATUS_LEN) {
        return H1_STEP_MORE;
    }
    if (status < 100 || status > 599) {
        return h1_fail(h, H1_ERR_STATUS);
    }
    if (n == STATUS_LEN) {
        return H1_STEP_MORE;
    }
    h->status = (uint16_t)status;
    uint32_t next = h->scan_off + STATUS_LEN;
    if (p[STATUS_LEN] == ' ') {
        return go(h, H1_S_REASON, next + 1);
    }
    if (h1_is_digit(p[STATUS_LEN])) {
        return h1_fail(h, H1_ERR_STATUS);
    }
    /* The SP before no reason is a MUST, but many servers leave it out, and there is nothing to be
     * mistaken about. */
    return end_start_line(h, buf, p + STATUS_LEN, end);
}

static enum h1_step step_reason(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    p += h1_scan_in_use()->value(p, end);
    h->scan_off = (uint32_t)(p - buf);
    if (p == end) {
        return H1_STEP_MORE;
    }
    h->reason = (struct h1_span){h->line_off, h->scan_off - h->line_off};
    return end_start_line(h, buf, p, end);
}

static enum h1_step step_start_lf(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    if (p == end) {
        return H1_STEP_MORE;
    }
    if (*p != '\n') {
        return h1_fail(h, H1_ERR_LINE_END);
    }
    return go(h, H1_S_LINE, h->scan_off + 1);
}

/* What can only be said when all fields are in. */
static enum h1_step finish(struct h1_head *h)
{
    /* RFC 9112, 3.2: a request without Host is 400. HTTP/1.0 did not know Host. */
    if (h->kind == H1_REQUEST && h->minor_version == 1 && h->host_field == UINT32_MAX) {
        return h1_fail(h, H1_ERR_HOST);
    }
    if (h->form == H1_FORM_ABSOLUTE || h->form == H1_FORM_AUTHORITY) {
        h->host = h->authority;
    } else if (h->host_field != UINT32_MAX) {
        h->host = h->fields[h->host_field].value;
    }
    if (h->kind != H1_TRAILERS) {
        /* Whether the framing is in order never depends on the method that was answered. */
        enum h1_error error = h1_framing_of(h, H1_METHOD_OTHER).error;
        if (error != H1_ERR_NONE) {
            return h1_fail(h, error);
        }
    }
    h->head_len = h->scan_off;
    h->state = H1_S_DONE;
    return H1_STEP_DONE;
}

static enum h1_step step(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    switch ((enum h1_state)h->state) {
    case H1_S_EMPTY:
        return step_empty(h, buf, end);
    case H1_S_METHOD:
        return step_method(h, buf, end);
    case H1_S_TARGET:
        return step_target(h, buf, end);
    case H1_S_REQUEST_VERSION:
        return step_request_version(h, buf, end);
    case H1_S_STATUS_LINE:
        return step_status_line(h, buf, end);
    case H1_S_REASON:
        return step_reason(h, buf, end);
    case H1_S_START_LF:
        return step_start_lf(h, buf, end);
    case H1_S_LINE:
    case H1_S_NAME:
    case H1_S_BLANK:
    case H1_S_VALUE:
    case H1_S_VALUE_LF:
    case H1_S_END_LF: {
        enum h1_step r = h1_parse_fields(h, buf, end);
        return r == H1_STEP_DONE ? finish(h) : r;
    }
    case H1_S_DONE:
        return H1_STEP_DONE;
    case H1_S_FAILED:
        break;
    }
    return H1_STEP_FAIL;
}

void h1_head_init(struct h1_head *h, enum h1_kind kind, struct h1_field *fields,
                  uint32_t fields_cap, struct h1_options options)
{
    static const uint8_t first[] = {
        [H1_REQUEST] = H1_S_EMPTY,
        [H1_RESPONSE] = H1_S_STATUS_LINE,
        [H1_TRAILERS] = H1_S_LINE,
    };
    assert(options.head_bytes > 0);
    assert(fields != NULL || fields_cap == 0);
    /* In two halves: of all at once GCC makes a string instruction, whose start takes longer than
     * some whole heads. */
    enum { HALF = sizeof *h / 2 };
    memset(h, 0, HALF);
    memset((uint8_t *)h + HALF, 0, sizeof *h - HALF);
    h->kind = kind;
    h->fields = fields;
    h->content_length = -1;
    h->host_field = UINT32_MAX;
    h->upgrade_field = UINT32_MAX;
    h->fields_cap = fields_cap;
    h->options = options;
    h->state = first[kind];
    /* A trailer section is part of a body's framing: what ends it decides where the next message
     * begins. */
    h->options.bare_lf = options.bare_lf && kind != H1_TRAILERS;
}

enum h1_rc h1_head_parse(struct h1_head *h, uint8_t *buf, size_t len)
{
    /* What is beyond the limit is not looked at, so that the result is the same whether it is there
     * already or not. */
    size_t seen = len < h->options.head_bytes ? len : h->options.head_bytes;
    assert(h->state >= H1_S_DONE || seen >= h->scan_off);
    if (seen == 0 && h->state < H1_S_DONE) {
        return H1_MORE; /* buf may be NULL, and nothing may be added to that */
    }
    enum h1_step r;
    do {
        r = step(h, buf, buf + seen);
    } while (r == H1_STEP_NEXT);

    switch (r) {
    case H1_STEP_DONE:
        return H1_DONE;
    case H1_STEP_MORE:
        if (seen < h->options.head_bytes) {
            return H1_MORE;
        }
        h1_fail(h, h->kind == H1_REQUEST && h->state < H1_S_LINE ? H1_ERR_TARGET_TOO_LONG
                                                                 : H1_ERR_HEAD_TOO_LARGE);
        return H1_ERROR;
    case H1_STEP_NEXT:
    case H1_STEP_FAIL:
        break;
    }
    return H1_ERROR;
}
