/* What must be true whatever the peer and the caller do. */
#include "h2_play.h"

/* ---------------------------------------------------------------- events */

static void check_fields(const struct play *p, const struct h2_event *ev)
{
    bool regular = false;
    if (!p->opts.validate_received) {
        return;
    }
    for (size_t i = 0; i < ev->nfields; i++) {
        const struct h2_field *f = &ev->fields[i];
        assert(f->name_len > 0);
        bool pseudo = f->name[0] == ':';
        assert(!pseudo || !regular);
        regular = regular || !pseudo;
        for (uint32_t k = 0; k < f->name_len; k++) {
            assert(f->name[k] > ' ' && f->name[k] < 127 &&
                   !(f->name[k] >= 'A' && f->name[k] <= 'Z'));
        }
        for (uint32_t k = 0; k < f->value_len; k++) {
            assert(f->value[k] != '\r' && f->value[k] != '\n' && f->value[k] != '\0');
        }
    }
}

/* What one stream's events may follow. */
static void check_order(struct play *p, const struct h2_event *ev)
{
    uint8_t *told = &p->told[ev->stream_id];
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        assert(p->c->role == H2_SERVER && *told == 0);
        *told |= PLAY_HEAD;
        break;
    case H2_EVENT_INFORMATIONAL:
        assert((*told & (PLAY_HEAD | PLAY_END | PLAY_GONE)) == 0 && !ev->end_stream);
        assert(ev->status / 100 == 1);
        break;
    case H2_EVENT_RESPONSE:
        assert(p->c->role == H2_CLIENT && (*told & (PLAY_HEAD | PLAY_END | PLAY_GONE)) == 0);
        assert(ev->status / 100 != 1);
        *told |= PLAY_HEAD;
        break;
    case H2_EVENT_DATA:
    case H2_EVENT_TRAILERS:
        assert((*told & (PLAY_HEAD | PLAY_END | PLAY_GONE)) == PLAY_HEAD);
        assert(ev->type == H2_EVENT_DATA || ev->end_stream);
        break;
    case H2_EVENT_STREAM_ENDED:
        assert((*told & (PLAY_END | PLAY_ENDED | PLAY_GONE)) == PLAY_END);
        *told |= PLAY_ENDED;
        break;
    case H2_EVENT_RESET:
        *told |= PLAY_GONE;
        break;
    case H2_EVENT_PUSH:
        assert(p->c->role == H2_CLIENT && (*told & (PLAY_END | PLAY_GONE)) == 0);
        assert(ev->promised_id % 2 == 0);
        if (ev->promised_id < PLAY_STREAMS) {
            assert(p->told[ev->promised_id] == 0);
            p->told[ev->promised_id] = PLAY_PROMISED;
        }
        break;
    default:
        break;
    }
    if (ev->end_stream) {
        *told |= PLAY_END;
    }
}

/* What the peer's encoder for us has to keep to from our acknowledgement on. */
static void note_tables(struct play *p, const struct h2_event *ev)
{
    for (size_t i = 0; i < ev->nsettings; i++) {
        if (ev->settings[i].id == H2_SETTINGS_HEADER_TABLE_SIZE && p->ntables < PLAY_TABLES) {
            p->tables[p->ntables] = ev->settings[i].after;
            p->table_frame[p->ntables++] = p->settings_told;
        }
    }
    p->settings_told++;
}

static void check_content(struct play *p, const struct h2_event *ev)
{
    switch (ev->type) {
    case H2_EVENT_DATA:
        assert(ev->flow_len >= ev->len && (ev->len > 0 || ev->end_stream));
        p->held += ev->flow_len;
        if (ev->stream_id < PLAY_STREAMS) {
            p->owed[ev->stream_id] += ev->flow_len;
        }
        break;
    case H2_EVENT_SETTINGS:
        note_tables(p, ev);
        break;
    case H2_EVENT_RESET:
        assert(ev->by_peer == (ev->fail.why == NULL));
        assert(ev->by_peer || (ev->fail.scope == H2_SCOPE_STREAM && ev->fail.error != H2_OK));
        break;
    case H2_EVENT_FAILED:
        assert(ev->fail.scope == H2_SCOPE_CONN && ev->fail.why != NULL && h2_conn_is_over(p->c));
        assert(ev->fail.error != H2_ERR_NOMEM || p->failed_alloc);
        break;
    case H2_EVENT_WINDOW_UPDATE:
        assert(ev->increment > 0 && ev->increment <= H2_MAX_WINDOW);
        break;
    case H2_EVENT_UNKNOWN_FRAME:
        assert(!h2_is_known_frame(ev->frame_type));
        break;
    case H2_EVENT_ALTSVC:
        assert(p->c->role == H2_CLIENT && (ev->stream_id == 0) == (ev->origin_len > 0));
        break;
    case H2_EVENT_PRIORITY_UPDATE:
        assert(p->c->role == H2_SERVER && ev->urgency < H2_URGENCIES);
        break;
    default:
        break;
    }
    const volatile uint8_t *octets = ev->data; /* a sanitizer sees octets that are not there */
    for (size_t i = 0; i < ev->len; i++) {
        (void)octets[i];
    }
}

void h2_play_check_event(struct play *p, const struct h2_event *ev)
{
    bool cannot_mute =
        ev->type == H2_EVENT_RESET || ev->type == H2_EVENT_GOAWAY || ev->type == H2_EVENT_FAILED;
    assert(!p->failed);
    assert(ev->type >= H2_EVENT_REQUEST && ev->type <= H2_EVENT_FAILED);
    assert(cannot_mute || (p->opts.mute >> ev->type & 1) == 0);
    assert(!ev->too_large || ev->type == H2_EVENT_REQUEST);
    if (ev->stream_id > 0 && ev->stream_id < PLAY_STREAMS) {
        assert(ev->user == NULL || ev->user == &p->users[ev->stream_id]);
        check_order(p, ev);
    }
    check_fields(p, ev);
    check_content(p, ev);
    p->failed = ev->type == H2_EVENT_FAILED;
}

/* ---------------------------------------------------------------- octets sent */

/* A header block is complete: a peer must be able to decode it. */
static void check_block(struct play *p)
{
    struct h2_field f;
    const uint8_t *pos = p->block_bytes;
    enum hpack_rc rc;
    hpack_decoder_begin(p->decoder);
    while ((rc = hpack_decoder_next(p->decoder, &pos, p->block_bytes + p->block_len, &f)) ==
           HPACK_FIELD) {
    }
    assert(rc == HPACK_OK && hpack_decoder_end(p->decoder) == HPACK_OK);
    hpack_decoder_release(p->decoder);
    p->block = 0;
    p->block_len = 0;
}

static void check_fragment(struct play *p, const struct h2_frame *f, const uint8_t *b)
{
    uint32_t before = f->type == H2_FRAME_PUSH_PROMISE ? 4 : 0;
    if (f->type == H2_FRAME_HEADERS && (f->flags & H2_FLAG_PRIORITY) != 0) {
        before = H2_PRIORITY_LEN;
    }
    assert(f->length >= before);
    p->block = f->stream_id;
    p->block_bytes = realloc(p->block_bytes, p->block_len + f->length + 1);
    assert(p->block_bytes != NULL);
    memcpy(p->block_bytes + p->block_len, b + before, f->length - before);
    p->block_len += f->length - before;
    if ((f->flags & H2_FLAG_END_HEADERS) != 0) {
        check_block(p);
    }
}

/* RFC 9113, 5.1: what may still be sent on a stream. */
static void check_stream(struct play *p, const struct h2_frame *f)
{
    uint8_t *sent = &p->sent[f->stream_id];
    bool message =
        f->type == H2_FRAME_HEADERS || f->type == H2_FRAME_DATA || f->type == H2_FRAME_PUSH_PROMISE;
    assert(!message || (*sent & (PLAY_SENT_END | PLAY_SENT_RST)) == 0);
    assert(f->type != H2_FRAME_WINDOW_UPDATE || (*sent & PLAY_SENT_RST) == 0);
    assert(f->type != H2_FRAME_DATA || (*sent & PLAY_SENT_HEAD) != 0);
    if (f->type == H2_FRAME_HEADERS) {
        *sent |= PLAY_SENT_HEAD;
    }
    if (message && f->type != H2_FRAME_PUSH_PROMISE && (f->flags & H2_FLAG_END_STREAM) != 0) {
        *sent |= PLAY_SENT_END;
    }
    if (f->type == H2_FRAME_RST_STREAM) {
        *sent |= PLAY_SENT_RST;
    }
}

/* The peer knows now that its settings hold: blocks that follow go by them. */
static void settings_acked(struct play *p)
{
    size_t done = 0;
    while (done < p->ntables && p->table_frame[done] == p->settings_acked) {
        hpack_decoder_set_max_table_size(p->decoder, p->tables[done++]);
    }
    p->ntables -= done;
    memmove(p->tables, p->tables + done, p->ntables * sizeof(p->tables[0]));
    memmove(p->table_frame, p->table_frame + done, p->ntables);
    p->settings_acked++;
}

static void check_frame(struct play *p, const struct h2_frame *f, const uint8_t *b)
{
    assert(f->length <= p->sent_frame);
    assert(!p->over);
    assert((f->type == H2_FRAME_CONTINUATION) == (p->block != 0));
    assert(p->block == 0 || p->block == f->stream_id);
    if (f->stream_id > 0 && f->stream_id < PLAY_STREAMS) {
        check_stream(p, f);
    }
    switch (f->type) {
    case H2_FRAME_HEADERS:
    case H2_FRAME_PUSH_PROMISE:
    case H2_FRAME_CONTINUATION:
        check_fragment(p, f, b);
        break;
    case H2_FRAME_SETTINGS:
        assert(f->stream_id == 0 && f->length % 6 == 0);
        assert((f->flags & H2_FLAG_ACK) == 0 || f->length == 0);
        if ((f->flags & H2_FLAG_ACK) != 0) {
            settings_acked(p);
        }
        break;
    case H2_FRAME_PING:
        assert(f->stream_id == 0 && f->length == 8);
        break;
    case H2_FRAME_RST_STREAM:
        assert(f->stream_id != 0 && f->length == 4);
        break;
    case H2_FRAME_WINDOW_UPDATE:
        assert(f->length == 4 && h2_get32(b) > 0 && h2_get32(b) <= H2_MAX_WINDOW);
        break;
    case H2_FRAME_GOAWAY:
        assert(f->stream_id == 0 && f->length >= 8 && h2_get32(b) <= p->goaway_last);
        p->goaway_last = h2_get32(b);
        p->over = h2_get32(b + 4) != H2_NO_ERROR;
        break;
    case H2_FRAME_PRIORITY_UPDATE:
        assert(p->c->role == H2_CLIENT && f->stream_id == 0 && f->length >= 4);
        break;
    case H2_FRAME_ALTSVC:
    case H2_FRAME_ORIGIN:
        assert(p->c->role == H2_SERVER);
        break;
    default:
        break;
    }
}

void h2_play_check_output(struct play *p, const uint8_t *out, size_t len)
{
    size_t at = 0;
    p->out = realloc(p->out, p->out_len + len + 1);
    assert(p->out != NULL);
    memcpy(p->out + p->out_len, out, len);
    p->out_len += len;
    if (p->preface && p->out_len >= H2_PREFACE_LEN) {
        assert(memcmp(p->out, H2_PREFACE, H2_PREFACE_LEN) == 0);
        p->preface = false;
        at = H2_PREFACE_LEN;
    }
    while (!p->preface && p->out_len - at >= H2_FRAME_HEADER_LEN) {
        struct h2_frame f = h2_get_frame_header(p->out + at);
        if (p->out_len - at < H2_FRAME_HEADER_LEN + f.length) {
            break;
        }
        check_frame(p, &f, p->out + at + H2_FRAME_HEADER_LEN);
        at += H2_FRAME_HEADER_LEN + f.length;
    }
    memmove(p->out, p->out + at, p->out_len - at);
    p->out_len -= at;
}

/* ---------------------------------------------------------------- the connection */

static void check_window(const struct h2_rx_window *w, int64_t size)
{
    assert(w->left <= H2_MAX_WINDOW && size <= H2_MAX_WINDOW);
    assert((int64_t)w->left + w->held + w->owed == size);
}

void h2_play_check_conn(struct play *p)
{
    const struct h2_conn *c = p->c;
    uint32_t n = 0;
    uint32_t active = 0;
    check_window(&c->rx_window, c->rx_window_size);
    for (struct h2_stream *s = h2_map_next(c, NULL); s != NULL; s = h2_map_next(c, s)) {
        if (s->id < PLAY_STREAMS) {
            check_window(&s->rx,
                         (int64_t)c->local[H2_SETTINGS_INITIAL_WINDOW_SIZE] + p->growth[s->id]);
        }
        assert(h2_state_is_live(s->state) && h2_conn_stream_state(c, s->id) == s->state);
        assert(!s->queued || s->ready);
        assert(h2_conn_send_window(c, s->id) <= H2_MAX_WINDOW);
        assert(h2_conn_receive_window(c, s->id) <= H2_MAX_WINDOW);
        active += h2_state_is_active(s->state);
        n++;
    }
    /* What is held is with the caller, but for the octets of a frame that is being received. */
    if (!p->by_hand && !h2_conn_is_over(c)) {
        bool in_frame = c->rx.step >= H2_STEP_DATA_PAD;
        assert(in_frame ? c->rx_window.held >= p->held : c->rx_window.held == p->held);
    }
    assert(n == h2_conn_open_streams(c));
    assert(active == h2_conn_open_inbound(c) + h2_conn_open_outbound(c));
    assert(h2_conn_wants_send(c) == (h2_conn_output_len(c) > 0));
    if (c->local[H2_SETTINGS_MAX_FRAME_SIZE] > p->largest_frame) {
        p->largest_frame = c->local[H2_SETTINGS_MAX_FRAME_SIZE];
    }
    if (c->peer[H2_SETTINGS_MAX_FRAME_SIZE] > p->sent_frame) {
        p->sent_frame = c->peer[H2_SETTINGS_MAX_FRAME_SIZE];
    }
    assert(c->rx.cap <= p->largest_frame + c->opts.limits.header_block_bytes);
    assert(c->closed.count <= c->opts.limits.closed_streams);
    assert(!p->failed || h2_conn_is_over(c));
}
