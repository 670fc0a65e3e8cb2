/* Records for the trace hook: frames and changes of state, which the caller formats or drops. */
#include "h2_internal.h"

void h2_trace_frame_always(const struct h2_conn *c, enum h2_trace_kind kind,
                           const struct h2_frame *f, const uint8_t *payload)
{
    struct h2_trace record = {.kind = kind,
                              .stream_id = f->stream_id,
                              .type = f->type,
                              .flags = f->flags,
                              .length = f->length,
                              .payload = payload};
    c->opts.trace(c->opts.trace_ctx, &record);
}

void h2_trace_sent_always(const struct h2_conn *c, const uint8_t *header)
{
    struct h2_frame f = h2_get_frame_header(header);
    h2_trace_frame_always(c, H2_TRACE_FRAME_SENT, &f, header + H2_FRAME_HEADER_LEN);
}

void h2_trace_state_always(const struct h2_conn *c, enum h2_trace_kind kind, uint32_t id,
                           const char *from, const char *to)
{
    struct h2_trace record = {.kind = kind, .stream_id = id, .from = from, .to = to};
    c->opts.trace(c->opts.trace_ctx, &record);
}
