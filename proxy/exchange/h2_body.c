/* Options of an engine, and bodies into DATA frames. */
#include "exchange/h2_body.h"

#include <assert.h>

#include "exchange/message.h"

/* A frame with less than this is only made when it is all there is: no dribble because a buffer is
 * nearly full. */
#define MIN_FRAME 1024u

void h2_body_options(struct h2_options *o, const struct h2_tuning *tuning)
{
    h2_options_init(o);
    o->header_table_size = (uint32_t)tuning->decoder_table;
    o->encoder_table_size = (uint32_t)tuning->encoder_table;
    /* What a window allows may come, and is held: a pipe may have more than its limit in it. */
    o->initial_window_size = (uint32_t)tuning->window;
    o->connection_window_size = (uint32_t)tuning->connection_window;
    o->limits.header_list_bytes = (uint32_t)tuning->field_buffer;
    o->limits.header_block_bytes =
        2 * (uint32_t)tuning->field_buffer; /* too large is still decoded, and answered */
    o->limits.header_fields = (uint32_t)tuning->max_fields;
    o->normalize_received = o->normalize_sent = false;
    o->mute = H2_MUTE(H2_EVENT_STREAM_ENDED) | H2_MUTE(H2_EVENT_WINDOW_UPDATE) |
              H2_MUTE(H2_EVENT_SETTINGS_ACK) | H2_MUTE(H2_EVENT_PING) | H2_MUTE(H2_EVENT_PING_ACK) |
              H2_MUTE(H2_EVENT_PRIORITY) | H2_MUTE(H2_EVENT_PRIORITY_UPDATE) |
              H2_MUTE(H2_EVENT_ALTSVC) | H2_MUTE(H2_EVENT_ORIGIN) | H2_MUTE(H2_EVENT_UNKNOWN_FRAME);
}

static struct pipe *pipe_of(struct exchange *x, enum h2_body_side side)
{
    return side == H2_BODY_REQUESTS ? &x->up : &x->down;
}

static struct message *message_of(struct exchange *x, enum h2_body_side side)
{
    return side == H2_BODY_REQUESTS ? &x->request.m : &x->response.m;
}

static uint32_t stream_of(const struct exchange *x, enum h2_body_side side)
{
    return side == H2_BODY_REQUESTS ? x->back_stream : x->front_stream;
}

/* Ends our side without DATA: by trailers when there are any, by an empty frame otherwise. */
static void end_side(struct h2_conn *engine, enum h2_body_side side, struct exchange *x)
{
    struct message *m = message_of(x, side);
    uint32_t id = stream_of(x, side);
    if (m->ntrailers > 0) {
        struct field_list l = message_trailers(x, m);
        if (l.n > 0 && h2_conn_trailers(engine, id, l.f, l.n) == H2_OK) {
            return;
        }
    }
    /* A failure means that stream or connection is gone; that comes, or has come, as an event. */
    (void)h2_conn_end_stream(engine, id);
}

bool h2_body_update(struct h2_conn *engine, enum h2_body_side side, struct exchange *x)
{
    struct pipe *p = pipe_of(x, side);
    if (p->len > 0) {
        h2_stream_set_ready(engine, stream_of(x, side), true);
    } else if (p->ended) {
        end_side(engine, side, x);
        return true;
    }
    return false;
}

/* One DATA frame. Returns its octets; 0 when the room left is too small. */
static size_t put_frame(struct h2_conn *engine, enum h2_body_side side, struct exchange *x,
                        size_t limit, uint8_t *buf, size_t cap, bool *ended)
{
    struct pipe *p = pipe_of(x, side);
    assert(p->len > 0);
    size_t len = p->len < limit ? p->len : limit;
    if (cap < H2_FRAME_HEADER_LEN + 1 ||
        (cap < H2_FRAME_HEADER_LEN + MIN_FRAME && cap < H2_FRAME_HEADER_LEN + len)) {
        return 0;
    }
    size_t room = cap - H2_FRAME_HEADER_LEN;
    len = len < room ? len : room;
    bool last = p->ended && len == p->len;
    bool end_stream = last && message_of(x, side)->ntrailers == 0;
    uint32_t id = stream_of(x, side);
    h2_conn_data_frame(engine, id, len, end_stream, buf);
    size_t n = pipe_read(p, buf + H2_FRAME_HEADER_LEN, len);
    assert(n == len);
    if (p->len == 0) {
        h2_stream_set_ready(engine, id, false);
    }
    if (last && !end_stream) {
        end_side(engine, side, x);
    }
    *ended = last;
    if (side == H2_BODY_REQUESTS) {
        exchange_took_up(x, len);
    } else {
        exchange_took_down(x, len);
    }
    return H2_FRAME_HEADER_LEN + len;
}

size_t h2_body_output(struct h2_conn *engine, enum h2_body_side side, uint8_t *buf, size_t cap,
                      h2_body_sent sent)
{
    size_t n = 0;
    for (;;) {
        n += h2_conn_send(engine, buf + n, cap - n);
        size_t limit;
        void *user;
        if (n == cap || h2_conn_next_writable(engine, &limit, &user) == 0) {
            return n;
        }
        struct exchange *x = user;
        bool ended = false;
        size_t len = put_frame(engine, side, x, limit, buf + n, cap - n, &ended);
        if (len == 0) {
            return n;
        }
        n += len;
        if (ended) {
            sent(x);
        }
    }
}
