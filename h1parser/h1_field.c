/*
 * Field lines (RFC 9112, 5): field-name ":" OWS field-value OWS CRLF, up to the empty line. The
 * same for heads and trailer sections.
 *
 * Lines that are wholly there and in order are taken by the fast loop (h1_lines.h). Here are all
 * the others, at whatever octet they are cut.
 */
#include "h1_scan.h"

#include <assert.h>

/* c, which begins a line, cannot begin a field name. H1_ERR_NONE: it is the empty line that ends
 * the fields. Else what is wrong with it. */
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

/* Blanks after a value, which ends before `end`, are not part of it (RFC 9110, 5.5). */
static void trim(struct h1_span *value, const uint8_t *buf, const uint8_t *end)
{
    while (end > buf + value->off && h1_is_blank(end[-1])) {
        end--;
    }
    value->len = (uint32_t)(end - buf) - value->off;
}

/* What may be between the value and the LF of its line, which c is the first octet of. */
static enum h1_error after_value(const struct h1_head *h, uint8_t c)
{
    if (c == '\r' || (c == '\n' && h->options.bare_lf)) {
        return H1_ERR_NONE;
    }
    return c == '\n' ? H1_ERR_LINE_END : H1_ERR_FIELD_VALUE;
}

/* A whole line was read into *f, the next place of h->fields. */
static enum h1_error end_field(struct h1_head *h, struct h1_field *f, uint8_t *buf,
                               const uint8_t *after)
{
    uint8_t *name = buf + f->name.off;
    h1_scan_in_use()->lower(name, f->name.len, after);
    f->token = h1_token_lookup((const char *)name, f->name.len);
    if (f->token == H1_TOKEN_NONE && h1_has_unwanted_underscore(h, name, f->name.len)) {
        h->dropped++; /* the next line takes its place */
        return h->options.underscores == H1_UNDERSCORES_DROP ? H1_ERR_NONE : H1_ERR_UNDERSCORE;
    }
    h->nfields++;
    return h1_take_field(h, f, buf) ? H1_ERR_NONE : h->error;
}

static enum h1_step go(struct h1_head *h, enum h1_state state, const uint8_t *buf, const uint8_t *p)
{
    h->state = state;
    h->scan_off = (uint32_t)(p - buf);
    return H1_STEP_NEXT;
}

/* The line that is being read. There is room for it: its name has begun. */
static struct h1_field *this_field(struct h1_head *h)
{
    return h->fields + h->nfields;
}

static enum h1_step step_line(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    uint8_t *p = h1_scan_in_use()->lines(h, buf, buf + h->scan_off, end);
    if (p == NULL) {
        return H1_STEP_FAIL;
    }
    h->scan_off = (uint32_t)(p - buf);
    if (p == end) {
        return H1_STEP_MORE;
    }
    if (end - p >= 2 && memcmp(p, "\r\n", 2) == 0) { /* as step_lf() does: saves a small head 2 % */
        h->scan_off += 2;
        return H1_STEP_DONE;
    }
    if (!h1_is(*p, H1_C_TOKEN)) {
        enum h1_error error = no_name(h, *p);
        return error != H1_ERR_NONE ? h1_fail(h, error) : go(h, H1_S_END_LF, buf, p + (*p == '\r'));
    }
    if (h1_room_for_fields(h) == 0) {
        return h1_fail(h, H1_ERR_TOO_MANY_FIELDS);
    }
    this_field(h)->name.off = h->scan_off;
    h->state = H1_S_NAME;
    return H1_STEP_NEXT;
}

static enum h1_step step_name(struct h1_head *h, const uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    struct h1_span *name = &this_field(h)->name;
    p += h1_scan_in_use()->name(p, end);
    h->scan_off = (uint32_t)(p - buf);
    if (p == end) {
        return H1_STEP_MORE;
    }
    if (*p != ':') { /* a blank before it (RFC 9112, 5.1), or there is none */
        return h1_fail(h, H1_ERR_FIELD_NAME);
    }
    name->len = h->scan_off - name->off;
    return go(h, H1_S_BLANK, buf, p + 1);
}

static enum h1_step step_blank(struct h1_head *h, const uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    while (p < end && h1_is_blank(*p)) {
        p++;
    }
    h->scan_off = (uint32_t)(p - buf);
    if (p == end) {
        return H1_STEP_MORE;
    }
    this_field(h)->value.off = h->scan_off;
    h->state = H1_S_VALUE;
    return H1_STEP_NEXT;
}

static enum h1_step step_value(struct h1_head *h, const uint8_t *buf, const uint8_t *end)
{
    const uint8_t *p = buf + h->scan_off;
    p += h1_scan_in_use()->value(p, end);
    h->scan_off = (uint32_t)(p - buf);
    if (p == end) {
        return H1_STEP_MORE;
    }
    trim(&this_field(h)->value, buf, p);
    enum h1_error error = after_value(h, *p);
    return error != H1_ERR_NONE ? h1_fail(h, error) : go(h, H1_S_VALUE_LF, buf, p + (*p == '\r'));
}

/* The LF of a field line, or of the empty line. */
static enum h1_step step_lf(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    uint8_t *p = buf + h->scan_off;
    if (p == end) {
        return H1_STEP_MORE;
    }
    if (*p++ != '\n') {
        return h1_fail(h, H1_ERR_LINE_END);
    }
    h->scan_off = (uint32_t)(p - buf);
    if (h->state == H1_S_END_LF) {
        return H1_STEP_DONE;
    }
    enum h1_error error = end_field(h, this_field(h), buf, p);
    return error != H1_ERR_NONE ? h1_fail(h, error) : go(h, H1_S_LINE, buf, p);
}

enum h1_step h1_parse_fields(struct h1_head *h, uint8_t *buf, const uint8_t *end)
{
    switch ((enum h1_state)h->state) {
    case H1_S_LINE:
        return step_line(h, buf, end);
    case H1_S_NAME:
        return step_name(h, buf, end);
    case H1_S_BLANK:
        return step_blank(h, buf, end);
    case H1_S_VALUE:
        return step_value(h, buf, end);
    default:
        assert(h->state == H1_S_VALUE_LF || h->state == H1_S_END_LF);
        return step_lf(h, buf, end);
    }
}
