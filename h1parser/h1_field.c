/*
 * Field lines (RFC 9112, 5): field-name ":" OWS field-value OWS CRLF, up to the empty line. The
 * same for heads and trailer sections.
 *
 * Lines that are wholly there and in order are taken by the fast loop (h1_lines.h). Here are all
 * the others, at whatever octet they are cut.
 */
#include "h1_scan.h"

#include <assert.h>

/* A line begins with c, which no field name does: H1_ERR_NONE if that is the end of the lines. */
static enum h1_error no_name(const struct h1_head *h, uint8_t c)
{
    if (c == '\r' || (c == '\n' && h->options.bare_lf)) {
        return H1_ERR_NONE;
    }
    if (c == '\n') {
        return H1_ERR_LINE_END;
    }
    /* RFC 9112, 2.2 and 5.2: obs-fold, or a blank line between start line and fields: one parser
     * joins, another skips. */
    if (h1_is_blank(c)) {
        return H1_ERR_FOLD;
    }
    return h1_room_for_fields(h) > 0 ? H1_ERR_FIELD_NAME : H1_ERR_TOO_MANY_FIELDS;
}

/* Blanks behind a value, which ends before `end`, are not part of it (RFC 9110, 5.5). */
static void trim(struct h1_span *value, const uint8_t *buf, const uint8_t *end)
{
    while (end > buf + value->off && h1_is_blank(end[-1])) {
        end--;
    }
    value->len = (uint32_t)(end - buf) - value->off;
}

/* What may be between the value and the LF of its line, which c is the first octet of. */
static enum h1_error behind_value(const struct h1_head *h, uint8_t c)
{
    if (c == '\r' || (c == '\n' && h->options.bare_lf)) {
        return H1_ERR_NONE;
    }
    return c == '\n' ? H1_ERR_LINE_END : H1_ERR_FIELD_VALUE;
}

/* A whole line was read into *f, the next place of h->fields. */
static enum h1_error end_field(struct h1_head *h, struct h1_field *f, uint8_t *buf,
                               const uint8_t *behind)
{
    uint8_t *name = buf + f->name.off;
    h1_scan_in_use()->lower(name, f->name.len, behind);
    f->token = h1_token_lookup((const char *)name, f->name.len);
    if (f->token == H1_TOKEN_NONE && h1_has_unwanted_underscore(h, name, f->name.len)) {
        h->dropped++; /* the next line takes its place */
        return h->options.underscores == H1_UNDERSCORES_DROP ? H1_ERR_NONE : H1_ERR_UNDERSCORE;
    }
    h->nfields++;
    return h1_take_field(h, f, buf) ? H1_ERR_NONE : h->error;
}

enum h1_step h1_parse_fields(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    const struct h1_scan *scan = h1_scan_in_use();
    enum h1_state state = (enum h1_state)h->state;
    enum h1_error error = H1_ERR_NONE;
    uint8_t *p = buf + h->scan_off;
    struct h1_field *f;

    while (p < end) {
        f = h->fields != NULL ? h->fields + h->nfields : NULL; /* without, no line gets far */
        switch (state) {
        case H1_S_LINE:
            p = scan->lines(h, buf, p, end);
            if (p == NULL) {
                return H1_STEP_FAIL;
            }
            if (p == end) {
                continue;
            }
            if (end - p >= 2 && memcmp(p, "\r\n", 2) == 0) { /* as below, at once */
                h->scan_off = (uint32_t)(p + 2 - buf);
                return H1_STEP_DONE;
            }
            if (!h1_is(*p, H1_C_TOKEN)) {
                error = no_name(h, *p);
                p += *p == '\r';
                state = H1_S_END_LF;
                break;
            }
            if (h1_room_for_fields(h) == 0) {
                return h1_fail(h, H1_ERR_TOO_MANY_FIELDS);
            }
            f = h->fields + h->nfields;
            f->name.off = (uint32_t)(p - buf);
            state = H1_S_NAME;
            __attribute__((fallthrough));
        case H1_S_NAME:
            p += scan->name(p, end);
            if (p == end) {
                continue;
            }
            if (*p != ':') { /* a blank before it (RFC 9112, 5.1), or there is none */
                return h1_fail(h, H1_ERR_FIELD_NAME);
            }
            f->name.len = (uint32_t)(p - buf) - f->name.off;
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
            f->value.off = (uint32_t)(p - buf);
            state = H1_S_VALUE;
            __attribute__((fallthrough));
        case H1_S_VALUE:
            p += scan->value(p, end);
            if (p == end) {
                continue;
            }
            trim(&f->value, buf, p);
            error = behind_value(h, *p);
            p += *p == '\r';
            state = H1_S_VALUE_LF;
            break;
        case H1_S_VALUE_LF:
            if (*p != '\n') {
                return h1_fail(h, H1_ERR_LINE_END);
            }
            p++;
            error = end_field(h, f, buf, p);
            state = H1_S_LINE;
            break;
        default:
            assert(state == H1_S_END_LF);
            if (*p != '\n') {
                return h1_fail(h, H1_ERR_LINE_END);
            }
            h->scan_off = (uint32_t)(p + 1 - buf);
            return H1_STEP_DONE;
        }
        if (error != H1_ERR_NONE) {
            return h1_fail(h, error);
        }
    }
    h->state = state;
    h->scan_off = (uint32_t)(p - buf);
    return H1_STEP_MORE;
}
