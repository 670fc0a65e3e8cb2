/*
 * What the caller says beside messages: PING, priorities, alternative services, origins, frames of
 * extensions.
 */
#include "h2_internal.h"

#include <string.h>

enum h2_error h2_conn_ping(struct h2_conn *c, const uint8_t opaque[8])
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_FRAME);
    if (error != H2_OK) {
        return error;
    }
    h2_tx_frame(c, H2_FRAME_PING, 0, 0, opaque, 8);
    return h2_result(c);
}

/* ---------------------------------------------------------------- priorities */

static bool is_stream_id(uint32_t id)
{
    return id > 0 && id <= H2_MAX_STREAM_ID;
}

/* RFC 9113, 5.3.2 and RFC 9218, 7.1: only clients have priorities to tell. */
static enum h2_error may_prioritize(const struct h2_conn *c, uint32_t stream_id)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_FRAME);
    if (error == H2_OK && c->role == H2_SERVER) {
        error = H2_ERR_UNWISE;
    }
    return error == H2_OK && !is_stream_id(stream_id) ? H2_ERR_VALUE : error;
}

enum h2_error h2_conn_priority(struct h2_conn *c, uint32_t stream_id,
                               const struct h2_priority *priority)
{
    enum h2_error error = may_prioritize(c, stream_id);
    if (error != H2_OK) {
        return error;
    }
    if (!h2_priority_ok(priority, stream_id)) {
        return H2_ERR_VALUE;
    }
    uint8_t payload[H2_PRIORITY_LEN];
    h2_put_priority(payload, priority);
    h2_tx_frame(c, H2_FRAME_PRIORITY, 0, stream_id, payload, sizeof(payload));
    return h2_result(c);
}

/* Queues a frame of two parts, if the peer takes frames that long. */
static enum h2_error send_parts(struct h2_conn *c, uint8_t type, uint32_t stream_id,
                                const void *first, size_t first_len, const char *rest,
                                size_t rest_len)
{
    size_t len = first_len + rest_len;
    if (len > c->peer[H2_SETTINGS_MAX_FRAME_SIZE]) {
        return H2_ERR_FRAME_SIZE;
    }
    uint8_t *out = h2_tx_begin(c, type, 0, stream_id, len);
    if (out == NULL) {
        return H2_ERR_NOMEM;
    }
    memcpy(out, first, first_len);
    if (rest_len > 0) {
        memcpy(out + first_len, rest, rest_len);
    }
    h2_tx_end(c, out);
    return H2_OK;
}

enum h2_error h2_conn_priority_update(struct h2_conn *c, uint32_t stream_id, const char *value,
                                      size_t len)
{
    enum h2_error error = may_prioritize(c, stream_id);
    if (error != H2_OK) {
        return error;
    }
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e) { /* ASCII (RFC 9218, 7.1) */
            return H2_ERR_VALUE;
        }
    }
    if (h2_conn_stream_state(c, stream_id) == H2_STATE_IDLE_PUSHED) {
        return H2_ERR_NO_STREAM; /* a connection error to the server (RFC 9218, 7.1) */
    }
    struct h2_stream *s = h2_stream_find(c, stream_id);
    if (s != NULL) { /* it is about the response, but what we send of the request goes by it too */
        uint8_t urgency = H2_DEFAULT_URGENCY;
        bool incremental = false;
        h2_priority_parse(value, len, &urgency, &incremental);
        h2_sched_set_priority(c, s, urgency, incremental);
    }
    uint8_t id[4];
    h2_put32(id, stream_id);
    return send_parts(c, H2_FRAME_PRIORITY_UPDATE, 0, id, sizeof(id), value, len);
}

/* ---------------------------------------------------------------- what a server answers for */

static enum h2_error may_announce(const struct h2_conn *c)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_FRAME);
    return error == H2_OK && c->role == H2_CLIENT ? H2_ERR_FRAME_TYPE : error;
}

enum h2_error h2_conn_altsvc(struct h2_conn *c, uint32_t stream_id, const char *origin,
                             size_t origin_len, const char *value, size_t value_len)
{
    enum h2_error error = may_announce(c);
    struct h2_stream *s;
    if (error == H2_OK && stream_id != 0) {
        error = h2_stream_may(c, stream_id, H2_TX_ALTSVC, &s);
        if (error == H2_OK && !s->inbound) {
            error = H2_ERR_STREAM_STATE; /* the origin is that of the client's request */
        }
    }
    if (error != H2_OK) {
        return error;
    }
    /* RFC 7838, 4: the origin is given exactly when the frame is on stream 0. */
    if ((stream_id == 0) != (origin_len > 0) || origin_len > UINT16_MAX) {
        return H2_ERR_VALUE;
    }
    uint8_t prefix[2 + 1024];
    if (origin_len > sizeof(prefix) - 2) {
        return H2_ERR_VALUE; /* no origin is that long: a host name has 255 octets at most */
    }
    prefix[0] = (uint8_t)(origin_len >> 8);
    prefix[1] = (uint8_t)origin_len;
    if (origin_len > 0) {
        memcpy(prefix + 2, origin, origin_len);
    }
    return send_parts(c, H2_FRAME_ALTSVC, stream_id, prefix, 2 + origin_len, value, value_len);
}

enum h2_error h2_conn_origin(struct h2_conn *c, const char *const *origins, size_t n)
{
    enum h2_error error = may_announce(c);
    if (error != H2_OK) {
        return error;
    }
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        size_t one = strlen(origins[i]);
        if (one > UINT16_MAX) {
            return H2_ERR_VALUE;
        }
        len += 2 + one;
    }
    if (len > c->peer[H2_SETTINGS_MAX_FRAME_SIZE]) {
        return H2_ERR_FRAME_SIZE;
    }
    uint8_t *out = h2_tx_begin(c, H2_FRAME_ORIGIN, 0, 0, len);
    if (out == NULL) {
        return H2_ERR_NOMEM;
    }
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++) {
        size_t one = strlen(origins[i]);
        *p++ = (uint8_t)(one >> 8);
        *p++ = (uint8_t)one;
        memcpy(p, origins[i], one);
        p += one;
    }
    h2_tx_end(c, out);
    return H2_OK;
}

bool h2_origin_next(const uint8_t **p, size_t *left, const char **origin, size_t *len)
{
    if (*left < 2) {
        return false;
    }
    size_t n = (size_t)(*p)[0] << 8 | (*p)[1];
    if (n > *left - 2) {
        return false;
    }
    *origin = (const char *)*p + 2;
    *len = n;
    *p += 2 + n;
    *left -= 2 + n;
    return true;
}

/* ---------------------------------------------------------------- extensions */

enum h2_error h2_conn_extension_frame(struct h2_conn *c, uint8_t type, uint8_t flags,
                                      uint32_t stream_id, const void *payload, size_t len)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_FRAME);
    if (error != H2_OK) {
        return error;
    }
    if (h2_is_known_frame(type)) {
        return H2_ERR_FRAME_TYPE;
    }
    if (stream_id > H2_MAX_STREAM_ID) {
        return H2_ERR_VALUE;
    }
    if (len > c->peer[H2_SETTINGS_MAX_FRAME_SIZE]) {
        return H2_ERR_FRAME_SIZE;
    }
    h2_tx_frame(c, type, flags, stream_id, payload, len);
    return h2_result(c);
}
