/*
 * What must hold for every head, shared by the request and the response target: it is read the same
 * at once and in pieces, and with every form of the scans; its spans are inside it, what it says is
 * valid, and written anew by us it is read as the same head. The options change what they are for,
 * and nothing else.
 *
 * Input: an octet of limits ('~': none), an octet that cuts, then the head and what follows it.
 */
#ifndef H1_HEAD_CHECK_H
#define H1_HEAD_CHECK_H

#include "h1_scan.h"
#include "h1parser.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { H1_CHECK_FIELDS = 32 };

struct h1_check {
    struct h1_head head;
    struct h1_field fields[H1_CHECK_FIELDS];
    enum h1_rc rc;
    uint8_t *bytes;
    size_t len;
};

/* Reads it `step` octets at a time (0: at once), each time in memory of just that size. */
static inline void h1_check_read(struct h1_check *c, enum h1_kind kind, const uint8_t *data,
                                 size_t len, size_t step, struct h1_options options)
{
    h1_head_init(&c->head, kind, c->fields, H1_CHECK_FIELDS, options);
    c->bytes = NULL;
    c->len = 0;
    do {
        size_t now = step == 0 || len - c->len < step ? len : c->len + step;
        uint8_t *bytes = malloc(now > 0 ? now : 1);
        assert(bytes != NULL);
        if (c->len > 0) {
            memcpy(bytes, c->bytes, c->len);
        }
        if (now > c->len) {
            memcpy(bytes + c->len, data + c->len, now - c->len);
        }
        free(c->bytes);
        c->bytes = bytes;
        c->len = now;
        c->rc = h1_head_parse(&c->head, c->bytes, now);
    } while (c->rc == H1_MORE && c->len < len);
}

static inline const char *h1_check_text(const struct h1_check *c, struct h1_span s)
{
    assert((size_t)s.off + s.len <= c->head.head_len);
    return (const char *)c->bytes + s.off;
}

static inline void h1_check_same_span(const struct h1_check *a, struct h1_span x,
                                      const struct h1_check *b, struct h1_span y)
{
    assert(x.len == y.len);
    assert(memcmp(h1_check_text(a, x), h1_check_text(b, y), x.len) == 0);
}

/* The same result, wherever the spans are. */
static inline void h1_check_same(const struct h1_check *a, const struct h1_check *b)
{
    assert(a->rc == b->rc && a->head.error == b->head.error);
    if (a->rc != H1_DONE) {
        return;
    }
    assert(a->head.minor_version == b->head.minor_version);
    assert(a->head.method == b->head.method && a->head.form == b->head.form);
    assert(a->head.status == b->head.status);
    assert(a->head.nfields == b->head.nfields);
    assert(a->head.content_length == b->head.content_length);
    assert(a->head.chunked == b->head.chunked);
    assert(a->head.connection_close == b->head.connection_close);
    assert(a->head.connection_keep_alive == b->head.connection_keep_alive);
    assert(a->head.connection_upgrade == b->head.connection_upgrade);
    assert(a->head.expect_continue == b->head.expect_continue);
    assert(a->head.host_field == b->head.host_field);
    assert(a->head.upgrade_field == b->head.upgrade_field);
    h1_check_same_span(a, a->head.method_text, b, b->head.method_text);
    h1_check_same_span(a, a->head.target, b, b->head.target);
    h1_check_same_span(a, a->head.scheme, b, b->head.scheme);
    h1_check_same_span(a, a->head.authority, b, b->head.authority);
    h1_check_same_span(a, a->head.path, b, b->head.path);
    for (uint32_t i = 0; i < a->head.nfields; i++) {
        assert(a->fields[i].token == b->fields[i].token);
        h1_check_same_span(a, a->fields[i].name, b, b->fields[i].name);
        h1_check_same_span(a, a->fields[i].value, b, b->fields[i].value);
    }
}

static inline void h1_check_fields(const struct h1_check *c)
{
    for (uint32_t i = 0; i < c->head.nfields; i++) {
        const struct h1_field *f = &c->fields[i];
        const char *name = h1_check_text(c, f->name);
        assert(h1_token_valid(name, f->name.len));
        assert(h1_field_value_valid(h1_check_text(c, f->value), f->value.len));
        for (uint32_t k = 0; k < f->name.len; k++) {
            assert(name[k] < 'A' || name[k] > 'Z');
        }
    }
}

/* Written by our writer it is the same head (but for the reason, which is ours). */
static inline void h1_check_rewrite(const struct h1_check *c)
{
    const struct h1_head *h = &c->head;
    size_t cap = c->len + 64 + (size_t)h->nfields; /* "Unknown", and a blank behind each colon */
    uint8_t *buf = malloc(cap);
    assert(buf != NULL);
    struct h1_out o = {buf, buf + cap, false};
    if (h->kind == H1_REQUEST) {
        h1_put_request_line(&o, h1_check_text(c, h->method_text), h->method_text.len,
                            h1_check_text(c, h->target), h->target.len, h->minor_version);
    } else {
        h1_put_status_line(&o, h->status, h->minor_version);
    }
    for (uint32_t i = 0; i < h->nfields; i++) {
        const struct h1_field *f = &c->fields[i];
        h1_put_field(&o, h1_check_text(c, f->name), f->name.len, h1_check_text(c, f->value),
                     f->value.len);
    }
    h1_put_end(&o);
    assert(!o.full);
    struct h1_check again;
    struct h1_options options = {.head_bytes = UINT32_MAX, .fields = H1_CHECK_FIELDS};
    h1_check_read(&again, h->kind, buf, (size_t)(o.pos - buf), 0, options);
    h1_check_same(c, &again);
    assert(again.head.head_len == (size_t)(o.pos - buf));
    free(again.bytes);
    free(buf);
}

/* Reads the head at once into *c, and once more in pieces and with every form of the scans. */
static inline void h1_check_ways(struct h1_check *c, enum h1_kind kind, const uint8_t *data,
                                 size_t size, size_t step, struct h1_options options)
{
    h1_check_read(c, kind, data, size, 0, options);
    assert((c->rc == H1_ERROR) == (c->head.error != H1_ERR_NONE));
    struct h1_check other;
    for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
        h1_scan_use(h1_scan_form(i));
        h1_check_read(&other, kind, data, size, 0, options);
        h1_check_same(c, &other);
        assert(c->rc != H1_DONE || c->head.head_len == other.head.head_len);
        free(other.bytes);
        h1_check_read(&other, kind, data, size, step, options);
        h1_check_same(c, &other);
        assert(c->rc != H1_DONE || c->head.head_len == other.head.head_len);
        free(other.bytes);
    }
    h1_scan_use(NULL);
    if (c->rc == H1_DONE) {
        assert(c->head.head_len <= size && c->head.head_len <= options.head_bytes);
        assert(c->head.nfields + c->head.dropped <= options.fields);
        assert(c->head.nfields <= H1_CHECK_FIELDS);
        h1_check_fields(c);
    }
}

static inline bool h1_check_has_underscore(const struct h1_check *c)
{
    for (uint32_t i = 0; i < c->head.nfields; i++) {
        if (memchr(h1_check_text(c, c->fields[i].name), '_', c->fields[i].name.len) != NULL) {
            return true;
        }
    }
    return false;
}

/* The same head with each option, beside what it is without. */
static inline void h1_check_options(const struct h1_check *strict, enum h1_kind kind,
                                    const uint8_t *data, size_t size, size_t step,
                                    struct h1_options options)
{
    struct h1_check c;
    options.bare_lf = true;
    h1_check_ways(&c, kind, data, size, step, options);
    if (strict->rc == H1_DONE) { /* it takes more, and what was taken already as it was */
        h1_check_same(strict, &c);
    } else if (c.rc == H1_DONE) {
        assert(strict->head.error == H1_ERR_LINE_END);
        h1_check_rewrite(&c);
    }
    free(c.bytes);

    options.bare_lf = false;
    options.underscores = H1_UNDERSCORES_DROP;
    h1_check_ways(&c, kind, data, size, step, options);
    if (strict->rc == H1_DONE) {
        assert(c.rc == H1_DONE && c.head.nfields + c.head.dropped == strict->head.nfields);
        assert((c.head.dropped > 0) == h1_check_has_underscore(strict));
        assert(!h1_check_has_underscore(&c));
        assert(c.head.content_length == strict->head.content_length);
        assert(c.head.chunked == strict->head.chunked);
    } else {
        assert(c.rc == strict->rc);
    }
    free(c.bytes);

    options.underscores = H1_UNDERSCORES_REFUSE;
    h1_check_ways(&c, kind, data, size, step, options);
    if (strict->rc == H1_DONE) {
        bool refused = h1_check_has_underscore(strict);
        assert(refused ? c.head.error == H1_ERR_UNDERSCORE : c.rc == H1_DONE);
    } else {
        assert(c.rc == strict->rc || c.head.error == H1_ERR_UNDERSCORE);
    }
    free(c.bytes);
}

/* Reads the head in all ways; true with the head in *c (free c->bytes in any case) when it is one.
 */
static inline bool h1_check_head(struct h1_check *c, enum h1_kind kind, const uint8_t *data,
                                 size_t size)
{
    struct h1_options options = {.head_bytes = 1u + data[0] * 16u, .fields = data[0] % 40u};
    if (data[0] == '~') {
        options = (struct h1_options){.head_bytes = UINT32_MAX, .fields = H1_CHECK_FIELDS};
    }
    size_t step = 1u + data[1] % 16;
    h1_check_ways(c, kind, data + 2, size - 2, step, options);
    h1_check_options(c, kind, data + 2, size - 2, step, options);
    if (c->rc == H1_DONE) {
        h1_check_rewrite(c);
    }
    return c->rc == H1_DONE;
}

#endif
