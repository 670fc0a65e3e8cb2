/* Heads, read from a connection. */
#include "exchange/h1_reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "process/worker.h"

void h1_reader_begin(struct h1_reader *r, struct worker *w, enum h1_kind kind,
                     struct h1_options options)
{
    h1_reader_release(r);
    assert(options.fields <= w->h1_fields_cap);
    r->worker = w;
    r->kind = kind;
    r->options = options;
    r->begun = false;
}

enum h1_rc h1_reader_parse(struct h1_reader *r, uint8_t *buf, size_t len)
{
    if (!r->begun) {
        r->begun = true;
        h1_head_init(&r->head, r->kind, r->worker->h1_fields, r->worker->h1_fields_cap, r->options);
    }
    enum h1_rc rc = h1_head_parse(&r->head, buf, len);
    if (rc == H1_MORE && r->own == NULL) {
        size_t size = r->options.fields * sizeof(*r->own);
        r->own = xmalloc(size > 0 ? size : 1);
        /* The one behind the last may be begun already. */
        uint32_t n = r->head.nfields < r->options.fields ? r->head.nfields + 1 : r->head.nfields;
        memcpy(r->own, r->head.fields, n * sizeof(*r->own));
        r->head.fields = r->own;
    }
    return rc;
}

void h1_reader_release(struct h1_reader *r)
{
    free(r->own);
    r->own = NULL;
    r->begun = false;
}
