/*
 * Field lines (RFC 9112, 5): field-name ":" OWS field-value OWS CRLF, up to the empty line. The
 * same for heads and trailer sections.
 *
 * This loop sees most bytes of a head. It keeps its state and its place in locals, and writes them
 * back only when it runs out of bytes.
 */
#include "h1_internal.h"

#include <assert.h>

/* Blanks behind a value, which ends before `end`, are not part of it (RFC 9110, 5.5). */
static void trim_value(struct h1_span *value, const uint8_t *buf, const uint8_t *end)
{
    while (end > buf + value->off && h1_is_blank(end[-1])) {
        end--;
    }
    value->len = (uint32_t)(end - buf) - value->off;
}

/* The first byte of a line that is not its empty end: may a field begin here? */
static enum h1_error check_begin(const struct h1_head *h, uint8_t c)
{
    if (c == '\n') {
        return H1_ERR_LINE_END;
    }
    /* RFC 9112, 2.2 and 5.2: obs-fold, or a blank line between start line and fields: one parser
     * joins, another skips. */
    if (h1_is_blank(c)) {
        return H1_ERR_FOLD;
    }
    if (h->nfields >= h->limits.fields || h->nfields >= h->fields_cap) {
        return H1_ERR_TOO_MANY_FIELDS;
    }
    return H1_ERR_NONE;
}

/* A whole line was read: its name and value are in the next place of the array. */
static enum h1_error end_field(struct h1_head *h, const uint8_t *buf)
{
    struct h1_field *f = &h->fields[h->nfields];
    f->token = h1_token_lookup((const char *)buf + f->name.off, f->name.len);
    h->nfields++;
    if (f->token == H1_TOKEN_NONE || h->kind == H1_TRAILERS) {
        return H1_ERR_NONE; /* RFC 9110, 6.5.1: nothing in a trailer has a say about the message */
    }
    return h1_known_field(h, f, (const char *)buf + f->value.off);
}

static enum h1_step suspend(struct h1_head *h, enum h1_state state, const uint8_t *buf,
                            const uint8_t *p)
{
    h->state = state;
    h->scan_off = (uint32_t)(p - buf);
    return H1_STEP_MORE;
}

enum h1_step h1_parse_fields(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    enum h1_state state = (enum h1_state)h->state;
    enum h1_error error;
    uint8_t *p = buf + h->scan_off;

    while (p < end) {
        switch (state) {
        case H1_S_LINE:
            if (*p == '\r') {
                p++;
                state = H1_S_END_LF;
                continue;
            }
            error = check_begin(h, *p);
            if (error != H1_ERR_NONE) {
                return h1_fail(h, error);
            }
            h->line_off = (uint32_t)(p - buf);
            state = H1_S_NAME;
            __attribute__((fallthrough));
        case H1_S_NAME:
            p += h1_scan_name(p, end);
            if (p == end) {
                continue;
            }
            /* A blank before the colon (RFC 9112, 5.1), an empty name, a line without colon. */
            if (*p != ':' || p == buf + h->line_off) {
                return h1_fail(h, H1_ERR_FIELD_NAME);
            }
            h->fields[h->nfields].name =
                (struct h1_span){h->line_off, (uint32_t)(p - buf) - h->line_off};
            p++;
            state = H1_S_BLANK;
            __attribute__((fallthrough));
        case H1_S_BLANK:
            while (p < end && h1_is_blank(*p)) {
                p++;
            }
            if (p == end) {
                continue;
            }
            h->fields[h->nfields].value.off = (uint32_t)(p - buf);
            state = H1_S_VALUE;
            __attribute__((fallthrough));
        case H1_S_VALUE:
            p += h1_scan_value(p, end);
            if (p == end) {
                continue;
            }
            if (*p != '\r') {
                return h1_fail(h, *p == '\n' ? H1_ERR_LINE_END : H1_ERR_FIELD_VALUE);
            }
            trim_value(&h->fields[h->nfields].value, buf, p);
            p++;
            state = H1_S_VALUE_LF;
            if (p == end) {
                continue;
            }
            __attribute__((fallthrough));
        case H1_S_VALUE_LF:
            if (*p != '\n') {
                return h1_fail(h, H1_ERR_LINE_END);
            }
            p++;
            error = end_field(h, buf);
            if (error != H1_ERR_NONE) {
                return h1_fail(h, error);
            }
            state = H1_S_LINE;
            continue;
        default:
            assert(state == H1_S_END_LF);
            if (*p != '\n') {
                return h1_fail(h, H1_ERR_LINE_END);
            }
            h->scan_off = (uint32_t)(p + 1 - buf);
            return H1_STEP_DONE;
        }
    }
    return suspend(h, state, buf, p);
}
