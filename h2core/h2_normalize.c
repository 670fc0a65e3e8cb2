/*
 * Fields made to be what they should be: names in lower case, values without white space around
 * them, nothing about an HTTP/1.1 connection, one cookie field. Most lists need none of it, so they
 * are only looked at.
 */
#include "h2_internal.h"

#include <string.h>

/* A flag of this file, beside those of enum h2_field_flags. */
#define GOES 0x80

/* ---------------------------------------------------------------- single fields */

static bool is_space(char ch)
{
    return ch == ' ' || ch == '\t';
}

static bool is_upper(char ch)
{
    return ch >= 'A' && ch <= 'Z';
}

static bool has_upper(const struct h2_field *f)
{
    return h2_has_upper(f->name, f->name_len);
}

static void trim(struct h2_field *f)
{
    while (f->value_len > 0 && is_space(f->value[f->value_len - 1])) {
        f->value_len--;
    }
    while (f->value_len > 0 && is_space(f->value[0])) {
        f->value++;
        f->value_len--;
    }
}

/* Copies the name in lower case to *text and moves behind it. */
static void lower_name(struct h2_field *f, char **text)
{
    char *name = *text;
    for (uint32_t i = 0; i < f->name_len; i++) {
        name[i] = (char)(is_upper(f->name[i]) ? f->name[i] + ('a' - 'A') : f->name[i]);
    }
    *text += f->name_len;
    f->name = name;
    f->token = H2_TOKEN_NONE; /* to be looked up again */
}

/* ---------------------------------------------------------------- connection-specific fields */

static bool same_name(const struct h2_field *f, const char *p, size_t len)
{
    if (f->name_len != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char ch = (char)(is_upper(p[i]) ? p[i] + ('a' - 'A') : p[i]);
        if (ch != f->name[i]) {
            return false;
        }
    }
    return true;
}

/* Whether a connection field lists the name (RFC 9110, 7.6.1). */
static bool names(const struct h2_field *connection, const struct h2_field *f)
{
    const char *p = connection->value_len > 0 ? connection->value : ""; /* it may be NULL */
    const char *end = p + connection->value_len;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma != NULL ? comma : end;
        struct h2_field option = {.value = p, .value_len = (uint32_t)(stop - p)};
        trim(&option);
        if (same_name(f, option.value, option.value_len)) {
            return true;
        }
        p = comma != NULL ? comma + 1 : end;
    }
    return false;
}

static bool is_nominated(const struct h2_field *fields, size_t n, const struct h2_field *f)
{
    for (size_t i = 0; i < n; i++) {
        if (fields[i].token == H2_TOKEN_CONNECTION && names(&fields[i], f)) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- lists */

static uint8_t token_of(const struct h2_field *f)
{
    return f->token != H2_TOKEN_NONE ? f->token : h2_token_lookup(f->name, f->name_len);
}

/* Whether anything is to be done, and how many octets of names have to be written anew. */
static bool needs_work(const struct h2_field *fields, size_t n, size_t *name_octets)
{
    bool needed = false;
    *name_octets = 0;
    for (size_t i = 0; i < n; i++) {
        const struct h2_field *f = &fields[i];
        uint8_t token = token_of(f);
        if (has_upper(f)) {
            *name_octets += f->name_len;
        }
        needed = needed || *name_octets > 0 || (f->value_len > 0 && h2_has_outer_space(f)) ||
                 h2_is_connection_specific(f, token);
    }
    return needed;
}

/* Takes out what speaks of a connection. Returns how many are left. */
static size_t strip(struct h2_field *fields, size_t n)
{
    size_t kept = 0;
    bool nominates = false;
    for (size_t i = 0; i < n; i++) {
        nominates = nominates || fields[i].token == H2_TOKEN_CONNECTION;
    }
    /* Marked first, as the connection fields have to stay until all are looked at. */
    for (size_t i = 0; i < n; i++) {
        bool goes = h2_is_connection_specific(&fields[i], fields[i].token) ||
                    (nominates && fields[i].name_len > 0 && fields[i].name[0] != ':' &&
                     is_nominated(fields, n, &fields[i]));
        fields[i].flags = (uint8_t)(fields[i].flags | (goes ? GOES : 0));
    }
    for (size_t i = 0; i < n; i++) {
        if ((fields[i].flags & GOES) == 0) {
            fields[kept++] = fields[i];
        }
    }
    return kept;
}

bool h2_names_have_upper(const struct h2_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (has_upper(&fields[i])) {
            return true;
        }
    }
    return false;
}

bool h2_normalize(struct h2_conn *c, const struct h2_field *fields, size_t n, struct h2_list *out)
{
    size_t name_octets;
    *out = (struct h2_list){fields, n, NULL};
    if (!needs_work(fields, n, &name_octets)) {
        return true;
    }
    out->memory = h2_resize(c, NULL, sizeof(*out->memory) + n * sizeof(*fields) + name_octets);
    if (out->memory == NULL) {
        h2_conn_break_nomem(c);
        return false;
    }
    struct h2_field *copy = (struct h2_field *)(out->memory + 1);
    char *text = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = fields[i];
        copy[i].flags &= (uint8_t)~GOES; /* whatever the caller has there */
        if (has_upper(&copy[i])) {
            lower_name(&copy[i], &text);
        }
        copy[i].token = token_of(&copy[i]);
        trim(&copy[i]);
    }
    out->fields = copy;
    out->n = strip(copy, n);
    return true;
}

bool h2_join_cookies(struct h2_conn *c, struct h2_field *fields, uint32_t *n)
{
    size_t len = 0;
    for (uint32_t i = 0; i < *n; i++) {
        len += fields[i].token == H2_TOKEN_COOKIE ? fields[i].value_len + 2u : 0;
    }
    struct h2_lent *memory = h2_resize(c, NULL, sizeof(*memory) + len);
    if (memory == NULL) {
        h2_conn_break_nomem(c);
        return false;
    }
    h2_lend(c, memory);
    char *text = (char *)(memory + 1);
    char *end = text;
    struct h2_field *first = NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *n; i++) {
        if (fields[i].token != H2_TOKEN_COOKIE) {
            fields[kept++] = fields[i];
            continue;
        }
        if (first == NULL) {
            fields[kept] = fields[i];
            first = &fields[kept++];
        }
        first->flags |= fields[i].flags; /* never-indexed if one of them was */
        if (fields[i].value_len == 0) {
            continue; /* else white space could come to stand at an end (8.2.1) */
        }
        if (end > text) {
            *end++ = ';';
            *end++ = ' ';
        }
        memcpy(end, fields[i].value, fields[i].value_len);
        end += fields[i].value_len;
    }
    if (first != NULL) {
        first->value = text;
        first->value_len = (uint32_t)(end - text);
    }
    *n = kept;
    return true;
}
