/*
 * Starting from an HTTP/1.1 connection that was upgraded to h2c (RFC 7540, 3.2; RFC 9113 no longer
 * describes it, and existing clients still do it): the HTTP2-Settings field, and stream 1.
 */
#include "h2_internal.h"

/* ---------------------------------------------------------------- base64url (RFC 4648, 5) */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Without padding (RFC 7540, 3.2.1). Returns how many characters. */
static size_t encode(const uint8_t *p, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                         (left > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k < (left > 2 ? 4 : left + 1); k++) {
            out[n++] = digits[group >> (18 - 6 * k) & 63];
        }
    }
    return n;
}

static int digit_value(char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }
    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }
    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }
    return ch == '-' ? 62 : ch == '_' ? 63 : -1;
}

/* False: not base64url, or longer than cap octets. Padding is taken, though nobody should send it.
 */
static bool decode(const char *p, size_t len, uint8_t *out, size_t cap, size_t *out_len)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t n = 0;
    if (len % 4 == 0) {
        for (int i = 0; i < 2 && len > 0 && p[len - 1] == '='; i++) {
            len--;
        }
    }
    for (size_t i = 0; i < len; i++) {
        int value = digit_value(p[i]);
        if (value < 0) {
            return false;
        }
        acc = acc << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (n == cap) {
                return false;
            }
            out[n++] = (uint8_t)(acc >> bits);
        }
    }
    *out_len = n;
    return bits < 6 && (acc & ((1u << bits) - 1)) == 0; /* no digit, and no bit, is left over */
}

/* ---------------------------------------------------------------- both roles */

size_t h2_conn_upgrade_settings(const struct h2_conn *c, char *buf, size_t cap)
{
    uint8_t payload[H2_SETTING_SLOTS * H2_SETTING_LEN];
    char text[sizeof(payload) / 3 * 4 + 4];
    _Static_assert(sizeof(text) <= H2_UPGRADE_SETTINGS_MAX, "as the header promises");
    size_t n = encode(payload, h2_settings_first(c, payload), text);
    if (n > cap) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        buf[i] = text[i];
    }
    return n;
}

/* More settings than this are no value that a client would send. */
#define MOST_SETTINGS 32

static enum h2_error apply_settings(struct h2_conn *c, const char *settings, size_t len)
{
    uint8_t payload[MOST_SETTINGS * H2_SETTING_LEN];
    size_t n;
    if (!decode(settings, len, payload, sizeof(payload), &n) || n % H2_SETTING_LEN != 0 ||
        n / H2_SETTING_LEN > c->opts.limits.settings_per_frame) {
        return H2_ERR_SETTING;
    }
    return h2_settings_apply(c, payload, n, NULL).scope == H2_SCOPE_NONE ? H2_OK : H2_ERR_SETTING;
}

enum h2_error h2_conn_upgrade(struct h2_conn *c, const char *settings, size_t len,
                              bool head_request, void *user)
{
    bool server = c->role == H2_SERVER;
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_STREAM);
    if (error != H2_OK) {
        return error; /* it is over or leaving: there will be no stream 1 */
    }
    assert(c->rx.header_len == 0 && c->map.count == 0 && c->next_id <= 2 && c->last_seen == 0);
    assert(server ? c->state == H2_CONN_PREFACE : !c->peer_settings);
    if (server) {
        error = apply_settings(c, settings, len);
        if (error != H2_OK) {
            return error;
        }
    }
    struct h2_stream *s =
        h2_stream_open(c, 1, server ? H2_STATE_HALF_CLOSED_REMOTE : H2_STATE_HALF_CLOSED_LOCAL);
    if (s == NULL) {
        return H2_ERR_NOMEM;
    }
    s->user = user;
    s->head_request = head_request;
    if (server) {
        s->rx_head = true;
        c->last_seen = c->last_processed = 1;
    } else {
        s->tx_head = true;
        c->next_id = 3;
    }
    return H2_OK;
}
