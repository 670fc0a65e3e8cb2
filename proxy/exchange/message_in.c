/* Parsed fields into the exchange, whatever protocol they came in. */
#include "exchange/message.h"

#include <string.h>

static struct h2_field *convert_h1(struct exchange *x, const struct h1_head *h, const char *base)
{
    struct h2_field *fields = arena_alloc(&x->arena, (h->nfields + 1) * sizeof(*fields));
    for (uint32_t i = 0; i < h->nfields; i++) {
        const struct h1_field *f = &h->fields[i];
        fields[i] = (struct h2_field){.name = base + f->name.off,
                                      .name_len = f->name.len,
                                      .value = base + f->value.off,
                                      .value_len = f->value.len,
                                      .token = f->token};
    }
    return fields;
}

static struct h2_field *copy_h2(struct exchange *x, const struct h2_field *f, size_t n,
                                size_t *kept)
{
    size_t bytes = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += f[i].name_len + f[i].value_len;
    }
    struct h2_field *fields = arena_alloc(&x->arena, (n + 1) * sizeof(*fields));
    char *p = arena_alloc(&x->arena, bytes + 1);
    for (size_t i = 0; i < n; i++) {
        if (f[i].name[0] == ':') {
            continue;
        }
        struct h2_field *to = &fields[count++];
        *to = f[i];
        to->name = memcpy(p, f[i].name, f[i].name_len);
        p += f[i].name_len;
        to->value = p;
        if (f[i].value_len > 0) {
            memcpy(p, f[i].value, f[i].value_len);
            p += f[i].value_len;
        }
    }
    *kept = count;
    return fields;
}

void message_set_fields_h1(struct exchange *x, struct message *m, const struct h1_head *h,
                           const char *base)
{
    m->fields = convert_h1(x, h, base);
    m->nfields = h->nfields;
    m->http_major = 1;
    m->http_minor = h->minor_version;
}

void message_set_fields_h2(struct exchange *x, struct message *m, const struct h2_field *f,
                           size_t n)
{
    m->fields = copy_h2(x, f, n, &m->nfields);
    m->http_major = 2;
    m->http_minor = 0;
}

void message_set_trailers_h1(struct exchange *x, struct message *m, const struct h1_head *h,
                             const char *base)
{
    const char *copy = arena_copy(&x->arena, base, h->head_len);
    m->trailers = convert_h1(x, h, copy);
    m->ntrailers = h->nfields;
}

void message_set_trailers_h2(struct exchange *x, struct message *m, const struct h2_field *f,
                             size_t n)
{
    m->trailers = copy_h2(x, f, n, &m->ntrailers);
}
