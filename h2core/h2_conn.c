/* Life of a connection: making it, shutting it down, its failure, and questions about it. */
#include "h2_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- memory */

static void *resize(const struct h2_allocator *alloc, void *p, size_t size)
{
    if (size == 0 && p == NULL) {
        return NULL;
    }
    if (alloc != NULL) {
        return alloc->resize(alloc->ctx, p, size);
    }
    if (size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}

void *h2_resize(const struct h2_conn *c, void *p, size_t size)
{
    return resize(c->opts.alloc, p, size);
}

/* ---------------------------------------------------------------- life */

static void check_options(const struct h2_options *o)
{
    assert(o->initial_window_size <= H2_MAX_WINDOW);
    assert(o->connection_window_size <= H2_MAX_WINDOW);
    assert(o->max_frame_size >= H2_DEFAULT_MAX_FRAME && o->max_frame_size <= 0xffffff);
    (void)o;
}

struct h2_conn *h2_conn_new(enum h2_role role, const struct h2_options *opts)
{
    check_options(opts);
    struct h2_conn *c = resize(opts->alloc, NULL, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->role = role;
    c->opts = *opts;
    if (c->opts.connection_window_size < H2_DEFAULT_WINDOW) {
        c->opts.connection_window_size = H2_DEFAULT_WINDOW; /* it cannot be made smaller */
    }
    c->rx.step = role == H2_SERVER ? H2_STEP_PREFACE : H2_STEP_HEADER;
    h2_rx_empty(c);
    c->rx.settings_seen = !opts->require_settings_first;
    c->rx_window.left = H2_DEFAULT_WINDOW;
    c->tx.window = H2_DEFAULT_WINDOW;
    c->next_id = 1;
    c->goaway_last = H2_MAX_STREAM_ID;
    c->goaway_peer = H2_MAX_STREAM_ID;
    h2_bucket_fill(&c->resets, c->opts.limits.reset_burst);
    h2_bucket_fill(&c->glitches, c->opts.limits.glitch_burst);
    h2_settings_init(c);
    /* The table that the peer may use until it has acknowledged ours (RFC 7541, 4.2). */
    c->decoder = hpack_decoder_new(opts->alloc, H2_DEFAULT_HEADER_TABLE);
    c->encoder = hpack_encoder_new(opts->alloc, opts->encoder_table_size);
    if (c->decoder == NULL || c->encoder == NULL) {
        h2_conn_free(c);
        return NULL;
    }
    if (role == H2_CLIENT) {
        h2_tx_raw(c, H2_PREFACE, H2_PREFACE_LEN);
    }
    h2_settings_send(c);
    if (c->over) {
        h2_conn_free(c);
        return NULL;
    }
    return c;
}

void h2_conn_free(struct h2_conn *c)
{
    if (c == NULL) {
        return;
    }
    h2_streams_free(c);
    hpack_decoder_free(c->decoder);
    hpack_encoder_free(c->encoder);
    h2_resize(c, c->rx.buf, 0);
    h2_resize(c, c->rx.fields, 0);
    h2_resize(c, c->tx.buf, 0);
    h2_resize(c, c, 0);
}

enum h2_rc h2_conn_upgrade(struct h2_conn *c, const uint8_t *settings, size_t len,
                           bool head_request)
{
    assert(c->role == H2_SERVER && c->rx.step == H2_STEP_PREFACE && c->rx.header_len == 0);
    if (len % 6 != 0 || len / 6 > c->opts.limits.settings_per_frame ||
        h2_settings_apply(c, settings, len).scope != H2_SCOPE_NONE) {
        return H2_ERR_VALUE;
    }
    struct h2_stream *s = h2_stream_open(c, 1, H2_STATE_HALF_CLOSED_REMOTE);
    if (s == NULL) {
        return H2_ERR_NOMEM;
    }
    s->rx_head = true;
    s->head_request = head_request;
    c->last_seen = c->last_processed = 1;
    return H2_OK;
}

/* ---------------------------------------------------------------- the end */

void h2_conn_break(struct h2_conn *c, struct h2_fail fail)
{
    if (c->over) {
        return;
    }
    c->over = true;
    c->fail = fail;
    c->fail.scope = H2_SCOPE_CONN;
    h2_tx_goaway(c, c->last_processed, fail.code, fail.why);
}

void h2_conn_break_nomem(struct h2_conn *c)
{
    h2_conn_break(c, h2_conn_fail(H2_INTERNAL_ERROR, "no memory"));
}

enum h2_rc h2_conn_shutdown_notice(struct h2_conn *c)
{
    if (c->over) {
        return H2_ERR_CLOSED;
    }
    if (!c->shut) {
        h2_tx_goaway(c, H2_MAX_STREAM_ID, H2_NO_ERROR, NULL);
    }
    return c->over ? H2_ERR_NOMEM : H2_OK;
}

enum h2_rc h2_conn_shutdown(struct h2_conn *c)
{
    if (c->over) {
        return H2_ERR_CLOSED;
    }
    if (!c->shut) {
        c->shut = true;
        c->goaway_last = c->last_processed;
        h2_tx_goaway(c, c->goaway_last, H2_NO_ERROR, NULL);
    }
    return c->over ? H2_ERR_NOMEM : H2_OK;
}

enum h2_rc h2_conn_terminate(struct h2_conn *c, enum h2_code code, const char *why)
{
    if (c->over) {
        return H2_ERR_CLOSED;
    }
    h2_conn_break(c, h2_conn_fail(code, why));
    c->fail.why = NULL; /* need not be static, so it is not kept; the caller knows what it did */
    c->over_told = true;
    return H2_OK;
}

/* ---------------------------------------------------------------- questions */

uint32_t h2_conn_peer_setting(const struct h2_conn *c, enum h2_setting id)
{
    assert(id < sizeof(c->peer) / sizeof(c->peer[0]));
    return c->peer[id];
}

bool h2_conn_settings_acked(const struct h2_conn *c)
{
    return c->settings_acked;
}

uint32_t h2_conn_open_streams(const struct h2_conn *c)
{
    return c->map.count;
}

uint32_t h2_conn_last_peer_stream(const struct h2_conn *c)
{
    return c->last_processed;
}

bool h2_conn_failed(const struct h2_conn *c)
{
    return c->over;
}

bool h2_conn_goaway_received(const struct h2_conn *c)
{
    return c->goaway_received;
}

bool h2_conn_in_header_block(const struct h2_conn *c)
{
    return c->rx.block_stream != 0 ||
           (c->rx.step == H2_STEP_PAYLOAD && c->rx.frame.type == H2_FRAME_HEADERS);
}
