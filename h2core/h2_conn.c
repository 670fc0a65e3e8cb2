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

const char *h2_options_check(const struct h2_options *o)
{
    if (o->initial_window_size > H2_MAX_WINDOW) {
        return "initial_window_size is above 2^31-1";
    }
    if (o->connection_window_size > H2_MAX_WINDOW) {
        return "connection_window_size is above 2^31-1";
    }
    if (o->max_frame_size < H2_DEFAULT_MAX_FRAME || o->max_frame_size > 0xffffff) {
        return "max_frame_size is not between 16384 and 16777215";
    }
    return NULL;
}

void h2_conn_skip_settings(struct h2_conn *c)
{
    if (!c->opts.require_settings_first && !h2_is_over(c)) {
        h2_conn_move(c, H2_CONN_RX_SETTINGS);
    }
}

struct h2_conn *h2_conn_new(enum h2_role role, const struct h2_options *opts)
{
    if (h2_options_check(opts) != NULL) {
        return NULL;
    }
    struct h2_conn *c = resize(opts->alloc, NULL, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->role = role;
    c->state = role == H2_SERVER ? H2_CONN_PREFACE : H2_CONN_SETTINGS;
    c->opts = *opts;
    if (opts->alloc != NULL) {
        c->alloc = *opts->alloc;
        c->opts.alloc = &c->alloc;
    }
    if (c->opts.connection_window_size < H2_DEFAULT_WINDOW) {
        c->opts.connection_window_size = H2_DEFAULT_WINDOW; /* it cannot be made smaller */
    }
    c->rx.step = role == H2_SERVER ? H2_STEP_PREFACE : H2_STEP_HEADER;
    h2_rx_empty(c);
    c->rx_window.left = H2_DEFAULT_WINDOW;
    c->rx_window_size = H2_DEFAULT_WINDOW;
    c->tx.window = H2_DEFAULT_WINDOW;
    c->next_id = role == H2_CLIENT ? 1 : 2;
    c->goaway_last = H2_MAX_STREAM_ID;
    c->goaway_peer = H2_MAX_STREAM_ID;
    h2_limits_init(c);
    h2_settings_init(c);
    /* The table that the peer may use until it has acknowledged ours (RFC 7541, 4.2). */
    c->decoder = hpack_decoder_new(opts->alloc, HPACK_DEFAULT_TABLE_SIZE);
    c->encoder = hpack_encoder_new(opts->alloc, opts->encoder_table_size);
    if (c->decoder == NULL || c->encoder == NULL) {
        h2_conn_free(c);
        return NULL;
    }
    hpack_encoder_index_secrets(c->encoder, opts->index_secrets);
    if (role == H2_CLIENT) {
        h2_tx_raw(c, H2_PREFACE, H2_PREFACE_LEN);
    }
    h2_settings_send_first(c);
    if (role == H2_CLIENT) {
        h2_conn_skip_settings(c);
    }
    if (h2_is_over(c)) {
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
    h2_settings_free(c);
    hpack_decoder_free(c->decoder);
    hpack_encoder_free(c->encoder);
    h2_resize(c, c->rx.buf, 0);
    h2_resize(c, c->rx.fields, 0);
    h2_lent_free(c);
    h2_resize(c, c->tx.buf, 0);
    struct h2_allocator alloc = c->alloc; /* it lies in what is freed */
    resize(c->opts.alloc != NULL ? &alloc : NULL, c, 0);
}

/* ---------------------------------------------------------------- the end */

void h2_conn_break(struct h2_conn *c, struct h2_fail fail)
{
    if (h2_is_over(c)) {
        return;
    }
    h2_conn_move(c, H2_CONN_BREAK);
    c->fail = fail;
    c->fail.scope = H2_SCOPE_CONN;
    h2_tx_goaway(c, c->last_processed, fail.code, fail.why, strlen(fail.why));
}

void h2_conn_break_nomem(struct h2_conn *c)
{
    h2_conn_break(c, h2_conn_fail(H2_ERR_NOMEM, H2_INTERNAL_ERROR, "no memory"));
}

enum h2_error h2_conn_shutdown_notice(struct h2_conn *c)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_GOAWAY);
    if (error == H2_OK && c->goaway_last == H2_MAX_STREAM_ID) {
        h2_tx_goaway(c, H2_MAX_STREAM_ID, H2_NO_ERROR, NULL, 0);
        error = h2_result(c);
    }
    return error;
}

enum h2_error h2_conn_shutdown(struct h2_conn *c)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_GOAWAY);
    if (error == H2_OK && c->goaway_last == H2_MAX_STREAM_ID) {
        h2_conn_move(c, H2_CONN_TX_GOAWAY);
        c->goaway_last = c->last_processed;
        h2_tx_goaway(c, c->goaway_last, H2_NO_ERROR, NULL, 0);
        error = h2_result(c);
    }
    return error;
}

enum h2_error h2_conn_close(struct h2_conn *c, enum h2_code code, uint32_t last_stream_id,
                            const void *debug, size_t len)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_CLOSE);
    if (error != H2_OK || c->state == H2_CONN_FAILED) {
        return H2_ERR_CLOSED; /* a failure has said its own GOAWAY */
    }
    if (last_stream_id == H2_LAST_TOLD) {
        last_stream_id = c->last_processed;
    }
    if (last_stream_id > H2_MAX_STREAM_ID || len > H2_DEFAULT_MAX_FRAME - 8) {
        return H2_ERR_VALUE;
    }
    if (last_stream_id > c->goaway_last) {
        last_stream_id = c->goaway_last; /* it must not be raised again (RFC 9113, 6.8) */
    }
    h2_tx_goaway(c, last_stream_id, code, debug, len);
    error = h2_result(c);
    h2_conn_move(c, H2_CONN_CLOSE);
    return error;
}

/* ---------------------------------------------------------------- questions */

uint32_t h2_conn_peer_setting(const struct h2_conn *c, enum h2_setting id)
{
    return id < H2_SETTING_SLOTS ? c->peer[id] : 0;
}

uint32_t h2_conn_local_setting(const struct h2_conn *c, enum h2_setting id)
{
    return id < H2_SETTING_SLOTS ? c->local[id] : 0;
}

bool h2_conn_settings_acked(const struct h2_conn *c)
{
    return c->pending == NULL;
}

uint32_t h2_conn_open_streams(const struct h2_conn *c)
{
    return c->map.count;
}

uint32_t h2_conn_open_outbound(const struct h2_conn *c)
{
    return c->active_out;
}

uint32_t h2_conn_open_inbound(const struct h2_conn *c)
{
    return c->active_in;
}

uint32_t h2_conn_last_peer_stream(const struct h2_conn *c)
{
    return c->last_processed;
}

uint32_t h2_conn_next_stream_id(const struct h2_conn *c)
{
    return c->next_id <= H2_MAX_STREAM_ID ? c->next_id : 0;
}

bool h2_conn_is_over(const struct h2_conn *c)
{
    return h2_is_over(c);
}

bool h2_conn_goaway_received(const struct h2_conn *c)
{
    return c->state == H2_CONN_GOAWAY_RECEIVED || c->state == H2_CONN_GOAWAY_BOTH;
}

bool h2_conn_in_header_block(const struct h2_conn *c)
{
    return c->rx.block_stream != 0 ||
           (c->rx.step == H2_STEP_PAYLOAD &&
            (c->rx.frame.type == H2_FRAME_HEADERS || c->rx.frame.type == H2_FRAME_PUSH_PROMISE));
}
