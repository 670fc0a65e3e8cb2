/* HTTP/1.1 messages out of an exchange. */
#include "exchange/h1_writer.h"

#include <assert.h>
#include <string.h>

/* What a chunk costs beside its bytes, and what is left for the end of the body so that it mostly
 * goes out at once. */
#define CHUNK_OVERHEAD  (H1_CHUNK_HEAD_MAX + 2)
#define LAST_CHUNK_ROOM 8

static void put_all(struct h1_out *o, const struct h1_start *start, const struct field_list *fields,
                    const char *connection)
{
    if (start->method.len > 0) {
        h1_put_request_line(o, start->method.s, start->method.len, start->target.s,
                            start->target.len, 1);
    } else {
        h1_put_status_line(o, start->status, 1);
    }
    for (size_t i = 0; i < fields->n; i++) {
        const struct h2_field *f = &fields->f[i];
        h1_put_field(o, f->name, f->name_len, f->value, f->value_len);
    }
    if (connection != NULL) {
        h1_put_field(o, "connection", 10, connection, strlen(connection));
    }
    h1_put_end(o);
}

size_t h1_write_head(struct h1_writer *w, const struct h1_start *start,
                     const struct field_list *fields, const char *connection, uint8_t *buf,
                     size_t cap)
{
    struct h1_out o = {.pos = buf, .end = buf + cap};
    put_all(&o, start, fields, connection);
    if (!o.full) {
        return (size_t)(o.pos - buf);
    }
    size_t need = start->method.len + start->target.len + 128;
    for (size_t i = 0; i < fields->n; i++) {
        need += fields->f[i].name_len + fields->f[i].value_len + 4;
    }
    assert(buffer_len(&w->spill) == 0);
    w->spill = (struct buffer){.mem = xmalloc(need), .cap = need};
    o = (struct h1_out){.pos = w->spill.mem, .end = w->spill.mem + need};
    put_all(&o, start, fields, connection);
    assert(!o.full);
    w->spill.end = (size_t)(o.pos - w->spill.mem);
    return 0;
}

size_t h1_write_spill(struct h1_writer *w, uint8_t *buf, size_t cap)
{
    return buffer_take(&w->spill, buf, cap);
}

/* The last chunk and the trailers. False: they do not fit behind what is there; the next call has
 * more room. */
static bool put_end(struct exchange *x, const struct message *m, struct h1_out *o, bool room_is_all)
{
    struct h1_out before = *o;
    struct field_list l = message_trailers(x, m);
    h1_put_last_chunk(o);
    for (size_t i = 0; i < l.n; i++) {
        h1_put_field(o, l.f[i].name, l.f[i].name_len, l.f[i].value, l.f[i].value_len);
    }
    h1_put_end(o);
    if (!o->full) {
        return true;
    }
    *o = before;
    if (!room_is_all) {
        return false;
    }
    /* Larger than any output: trailers may be discarded (RFC 9110, 6.5.1), the end may not. */
    h1_put_last_chunk(o);
    h1_put_end(o);
    return !o->full;
}

size_t h1_write_body(struct h1_writer *w, struct exchange *x, struct pipe *p,
                     const struct message *m, uint8_t *buf, size_t cap, size_t *taken)
{
    *taken = 0;
    if (w->finished) {
        return 0;
    }
    if (!w->chunked) {
        size_t n = pipe_read(p, buf, cap);
        *taken = n;
        w->finished = pipe_done(p);
        return n;
    }
    struct h1_out o = {.pos = buf, .end = buf + cap};
    if (p->len > 0 && cap > CHUNK_OVERHEAD + LAST_CHUNK_ROOM) {
        size_t n = cap - CHUNK_OVERHEAD - LAST_CHUNK_ROOM;
        n = p->len < n ? p->len : n;
        h1_put_chunk_head(&o, n);
        *taken = pipe_read(p, o.pos, n);
        assert(*taken == n);
        o.pos += n;
        h1_put_chunk_end(&o);
    }
    if (pipe_done(p)) {
        w->finished = put_end(x, m, &o, o.pos == buf);
    }
    return (size_t)(o.pos - buf);
}
