/* HTTP/1 messages, received. */
#include "exchange/h1_receiver.h"

#include <assert.h>

void h1_receiver_begin(struct h1_receiver *r, struct worker *w, enum h1_kind kind,
                       struct h1_options options)
{
    r->part = H1_PART_HEAD;
    r->kind = kind;
    r->options = options;
    h1_reader_begin(&r->reader, w, kind, options);
}

void h1_receiver_follow(struct h1_receiver *r, struct h1_framing framing)
{
    assert(r->part == H1_PART_HEAD);
    h1_body_init(&r->body, framing);
    r->part = framing.kind == H1_BODY_NONE ? H1_PART_END : H1_PART_BODY;
}

static enum h1_receipt step_head(struct h1_receiver *r, uint8_t *data, size_t len,
                                 struct h1_received *out)
{
    if (len == 0) {
        return H1_RECEIVED_MORE;
    }
    switch (h1_reader_parse(&r->reader, data, len)) {
    case H1_MORE:
        return H1_RECEIVED_MORE;
    case H1_DONE:
        out->section = data;
        out->used += r->reader.head.head_len;
        if (r->part == H1_PART_HEAD) {
            return H1_RECEIVED_HEAD;
        }
        r->part = H1_PART_END;
        out->trailers = r->reader.head.nfields > 0;
        return H1_RECEIVED_END;
    default:
        out->error = r->reader.head.error;
        return H1_RECEIVED_ERROR;
    }
}

/* Without bytes too: the body may have its end to tell, which needs neither bytes nor room. */
static enum h1_receipt step_body(struct h1_receiver *r, const uint8_t *data, size_t len,
                                 size_t room, struct h1_received *out)
{
    for (;;) {
        size_t left = len - out->used, n;
        if (left > 0 && room == 0) {
            return H1_RECEIVED_FULL;
        }
        enum h1_rc rc = h1_body_next(&r->body, data + out->used, left < room ? left : room, &n,
                                     &out->body, &out->body_len);
        out->used += n;
        switch (rc) {
        case H1_DATA:
            return H1_RECEIVED_BODY;
        case H1_DONE:
            if (r->body.kind == H1_BODY_CHUNKED) {
                r->part = H1_PART_TRAILERS;
                h1_reader_begin(&r->reader, r->reader.worker, H1_TRAILERS, r->options);
                return H1_RECEIVED_MORE;
            }
            r->part = H1_PART_END;
            return H1_RECEIVED_END;
        case H1_MORE:
            if (n == 0 || out->used == len) {
                return H1_RECEIVED_MORE;
            }
            break; /* it was `room` that cut the bytes short, in the middle of a chunk's size line
                    */
        default:
            out->error = r->body.error;
            return H1_RECEIVED_ERROR;
        }
    }
}

enum h1_receipt h1_receiver_step(struct h1_receiver *r, uint8_t *data, size_t len, size_t room,
                                 struct h1_received *out)
{
    *out = (struct h1_received){0};
    if (r->part == H1_PART_BODY) {
        enum h1_receipt step = step_body(r, data, len, room, out);
        if (r->part != H1_PART_TRAILERS) {
            return step;
        }
    }
    if (r->part == H1_PART_END) {
        return H1_RECEIVED_END;
    }
    return step_head(r, data + out->used, len - out->used, out);
}

bool h1_receiver_in_message(const struct h1_receiver *r)
{
    return r->part != H1_PART_HEAD || r->reader.begun;
}

void h1_receiver_release(struct h1_receiver *r)
{
    h1_reader_release(&r->reader);
}
