/*
 * Settings (RFC 9113, 6.5): the peer's are checked and applied in order; ours are announced once,
 * at the start, and are in force when they are acknowledged.
 */
#include "h2_internal.h"

#define SETTING_LEN 6u

struct rule {
    uint32_t initial;
    uint32_t least;
    uint32_t most;
    enum h2_code code;
    const char *why;
};

static const struct rule rules[] = {
#define SETTING(name, id, initial, least, most, code)                                              \
    [id] = {initial, least, most, H2_##code, "SETTINGS_" #name " is out of range"},
#include "settings.def"
#undef SETTING
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

void h2_settings_init(struct h2_conn *c)
{
    for (size_t id = 0; id < RULES; id++) {
        c->peer[id] = rules[id].initial;
    }
    c->rx_initial_window = H2_DEFAULT_WINDOW;
    c->rx_max_frame = H2_DEFAULT_MAX_FRAME;
}

/* What only makes sense together with what was said before, or with who says it. */
static struct h2_fail check_change(const struct h2_conn *c, uint32_t id, uint32_t value)
{
    if (id == H2_SETTINGS_ENABLE_PUSH && c->role == H2_CLIENT && value != 0) {
        return h2_conn_fail(H2_PROTOCOL_ERROR, "a server announced SETTINGS_ENABLE_PUSH 1");
    }
    if (id == H2_SETTINGS_ENABLE_CONNECT_PROTOCOL && value < c->peer[id]) {
        return h2_conn_fail(H2_PROTOCOL_ERROR, /* RFC 8441, section 3 */
                            "SETTINGS_ENABLE_CONNECT_PROTOCOL was taken back");
    }
    if (id == H2_SETTINGS_NO_RFC7540_PRIORITIES && c->peer_settings && value != c->peer[id]) {
        return h2_conn_fail(H2_PROTOCOL_ERROR, /* RFC 9218, 2.1 */
                            "SETTINGS_NO_RFC7540_PRIORITIES changed after the first SETTINGS");
    }
    return h2_no_fail();
}

static struct h2_fail apply_one(struct h2_conn *c, uint32_t id, uint32_t value)
{
    if (id >= RULES || rules[id].why == NULL) {
        return h2_no_fail(); /* unknown: ignored */
    }
    if (value < rules[id].least || value > rules[id].most) {
        return h2_conn_fail(rules[id].code, rules[id].why);
    }
    struct h2_fail fail = check_change(c, id, value);
    if (fail.scope != H2_SCOPE_NONE) {
        return fail;
    }
    if (id == H2_SETTINGS_INITIAL_WINDOW_SIZE && !h2_flow_set_tx_initial(c, value)) {
        return h2_conn_fail(H2_FLOW_CONTROL_ERROR,
                            "SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1");
    }
    if (id == H2_SETTINGS_HEADER_TABLE_SIZE) {
        hpack_encoder_set_peer_table_size(c->encoder, value);
    }
    c->peer[id] = value;
    return h2_no_fail();
}

struct h2_fail h2_settings_apply(struct h2_conn *c, const uint8_t *p, size_t len)
{
    assert(len % SETTING_LEN == 0);
    struct h2_fail fail = h2_no_fail();
    for (size_t i = 0; i < len && fail.scope == H2_SCOPE_NONE; i += SETTING_LEN) {
        uint32_t id = (uint32_t)p[i] << 8 | p[i + 1];
        fail = apply_one(c, id, h2_get32(p + i + 2));
    }
    return fail;
}

/* Appends a setting if it says anything that the peer would not assume. */
static size_t announce(uint8_t *p, size_t at, enum h2_setting id, uint32_t value)
{
    assert(value >= rules[id].least && value <= rules[id].most);
    if (value == rules[id].initial) {
        return at;
    }
    p[at] = 0;
    p[at + 1] = (uint8_t)id;
    h2_put32(p + at + 2, value);
    return at + SETTING_LEN;
}

void h2_settings_send(struct h2_conn *c)
{
    const struct h2_options *o = &c->opts;
    uint8_t p[RULES * SETTING_LEN];
    size_t n = 0;
    n = announce(p, n, H2_SETTINGS_HEADER_TABLE_SIZE, o->header_table_size);
    if (c->role == H2_CLIENT) {
        n = announce(p, n, H2_SETTINGS_ENABLE_PUSH, 0);
    } else {
        /* A server neither pushes nor is pushed to; only it has streams opened by the peer. */
        n = announce(p, n, H2_SETTINGS_MAX_CONCURRENT_STREAMS, o->max_concurrent_streams);
        n = announce(p, n, H2_SETTINGS_ENABLE_CONNECT_PROTOCOL, o->enable_connect_protocol);
    }
    n = announce(p, n, H2_SETTINGS_INITIAL_WINDOW_SIZE, o->initial_window_size);
    n = announce(p, n, H2_SETTINGS_MAX_FRAME_SIZE, o->max_frame_size);
    n = announce(p, n, H2_SETTINGS_MAX_HEADER_LIST_SIZE, o->limits.header_list_bytes);
    n = announce(p, n, H2_SETTINGS_NO_RFC7540_PRIORITIES, 1);
    h2_tx_frame(c, H2_FRAME_SETTINGS, 0, 0, p, n);

    if (o->connection_window_size > H2_DEFAULT_WINDOW) {
        uint32_t more = o->connection_window_size - H2_DEFAULT_WINDOW;
        h2_tx_window_update(c, 0, more);
        c->rx_window.left += (int32_t)more;
    }
}

void h2_settings_in_force(struct h2_conn *c)
{
    assert(!c->settings_acked);
    c->settings_acked = true;
    h2_flow_set_rx_initial(c, c->opts.initial_window_size);
    c->rx_max_frame = c->opts.max_frame_size;
    hpack_decoder_set_max_table_size(c->decoder, c->opts.header_table_size);
}
