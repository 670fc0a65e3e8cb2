/*
 * Response heads: see h1_head_check.h. Beyond it: whatever was asked, the framing is in order, and
 * there is no body where none may be.
 */
#include "fuzz.h"

#include "h1_head_check.h"

static void check_response(const struct h1_check *c)
{
    const struct h1_head *h = &c->head;
    assert(h->status >= 100 && h->status <= 599);
    (void)h1_check_text(c, h->reason);
    for (int method = H1_METHOD_OTHER; method <= H1_METHOD_PATCH; method++) {
        struct h1_framing f = h1_body_framing(h, (enum h1_method)method);
        assert(f.error == H1_ERR_NONE);
        if (method == H1_METHOD_HEAD) {
            assert(f.kind == H1_BODY_NONE || h->status == 101);
        }
        if (h->status < 200 || h->status == 204 || h->status == 304) {
            assert(f.kind == H1_BODY_NONE || f.kind == H1_BODY_TUNNEL);
        }
        assert(!f.keep_alive || !h->connection_close);
        assert(f.interim == (h->status < 200 && h->status != 101) && !f.switches);
        assert(!f.interim || (f.kind == H1_BODY_NONE && !f.keep_alive));
        assert(!f.keep_alive || f.kind < H1_BODY_CLOSE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct h1_check c;
    if (h1_check_head(&c, H1_RESPONSE, data, size)) {
        check_response(&c);
    }
    free(c.bytes);
    return 0;
}
