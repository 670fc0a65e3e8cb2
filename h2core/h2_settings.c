/*
 * Settings (RFC 9113, 6.5): the peer's are checked and applied in order, before the acknowledgement
 * goes out; ours wait in a list of the frames sent, and are in force when theirs is acknowledged.
 */
#include "h2_internal.h"

#include <string.h>

struct rule {
    uint32_t initial;
    uint32_t least;
    uint32_t most;
    enum h2_code code;
    const char *why;
};

static const struct rule rules[H2_SETTING_SLOTS] = {
#define SETTING(name, id, initial, least, most, code)                                              \
    [id] = {initial, least, most, H2_##code, "SETTINGS_" #name " is out of range"},
#include "settings.def"
#undef SETTING
};

/* Of ours in one frame: there are eight, and some of extensions. */
#define MOST_SETTINGS 32

static bool is_known(uint32_t id)
{
    return id < H2_SETTING_SLOTS && rules[id].why != NULL;
}

static bool in_range(uint32_t id, uint32_t value)
{
    return value >= rules[id].least && value <= rules[id].most;
}

void h2_settings_init(struct h2_conn *c)
{
    for (size_t id = 0; id < H2_SETTING_SLOTS; id++) {
        c->peer[id] = c->local[id] = c->announced[id] = rules[id].initial;
    }
    const struct h2_options *o = &c->opts;
    c->announced[H2_SETTINGS_HEADER_TABLE_SIZE] = o->header_table_size;
    /* What only the other side could use is not announced: a server is never pushed to, a client
       without push has no streams opened by the peer. */
    if (c->role == H2_CLIENT) {
        c->announced[H2_SETTINGS_ENABLE_PUSH] = o->enable_push;
    } else {
        c->announced[H2_SETTINGS_ENABLE_CONNECT_PROTOCOL] = o->enable_connect_protocol;
    }
    if (c->role == H2_SERVER || o->enable_push) {
        c->announced[H2_SETTINGS_MAX_CONCURRENT_STREAMS] = o->max_concurrent_streams;
    }
    c->announced[H2_SETTINGS_INITIAL_WINDOW_SIZE] = o->initial_window_size;
    c->announced[H2_SETTINGS_MAX_FRAME_SIZE] = o->max_frame_size;
    c->announced[H2_SETTINGS_MAX_HEADER_LIST_SIZE] = o->limits.header_list_bytes;
    c->announced[H2_SETTINGS_NO_RFC7540_PRIORITIES] = 1;
}

void h2_settings_free(struct h2_conn *c)
{
    while (c->pending != NULL) {
        struct h2_pending *p = c->pending;
        c->pending = p->next;
        h2_resize(c, p, 0);
    }
}

/* ---------------------------------------------------------------- the peer's */

/* What only makes sense together with what was said before, or with who says it. */
static struct h2_fail check_change(const struct h2_conn *c, uint32_t id, uint32_t value)
{
    const char *why = NULL;
    if (id == H2_SETTINGS_ENABLE_PUSH && c->role == H2_CLIENT && value != 0) {
        why = "a server announced SETTINGS_ENABLE_PUSH 1";
    } else if (id == H2_SETTINGS_ENABLE_CONNECT_PROTOCOL && value < c->peer[id]) {
        why = "SETTINGS_ENABLE_CONNECT_PROTOCOL was taken back"; /* RFC 8441, section 3 */
    } else if (id == H2_SETTINGS_NO_RFC7540_PRIORITIES && c->peer_settings &&
               value != c->peer[id]) { /* RFC 9218, 2.1 */
        why = "SETTINGS_NO_RFC7540_PRIORITIES changed after the first SETTINGS";
    }
    return why != NULL ? h2_conn_fail(H2_ERR_SETTING, H2_PROTOCOL_ERROR, why) : h2_no_fail();
}

/* The windows of all streams are moved once a frame, however often it changes their initial size.
 */
struct window_change {
    bool any;
    uint32_t largest;
    uint32_t last;
};

static void note_window(struct window_change *w, uint32_t size)
{
    w->largest = w->any && w->largest > size ? w->largest : size;
    w->last = size;
    w->any = true;
}

static struct h2_fail apply_window(struct h2_conn *c, const struct window_change *w)
{
    if (!w->any) {
        return h2_no_fail();
    }
    if (!h2_flow_may_set_tx_initial(c, w->largest)) {
        return h2_conn_fail(H2_ERR_FLOW_CONTROL, H2_FLOW_CONTROL_ERROR,
                            "SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1");
    }
    h2_flow_set_tx_initial(c, w->last);
    c->peer[H2_SETTINGS_INITIAL_WINDOW_SIZE] = w->last;
    return h2_no_fail();
}

static struct h2_fail apply_one(struct h2_conn *c, uint32_t id, uint32_t value,
                                struct window_change *w)
{
    if (!is_known(id)) {
        return h2_no_fail(); /* RFC 9113, 6.5.2: ignored */
    }
    if (!in_range(id, value)) {
        return h2_conn_fail(H2_ERR_SETTING, rules[id].code, rules[id].why);
    }
    struct h2_fail fail = check_change(c, id, value);
    if (fail.scope != H2_SCOPE_NONE) {
        return fail;
    }
    if (id == H2_SETTINGS_INITIAL_WINDOW_SIZE) {
        note_window(w, value);
        return h2_no_fail();
    }
    if (id == H2_SETTINGS_HEADER_TABLE_SIZE) {
        hpack_encoder_set_peer_table_size(c->encoder, value);
    }
    c->peer[id] = value;
    return h2_no_fail();
}

struct h2_fail h2_settings_apply(struct h2_conn *c, const uint8_t *p, size_t len,
                                 struct h2_setting_change *changes)
{
    assert(len % H2_SETTING_LEN == 0);
    struct h2_fail fail = h2_no_fail();
    struct window_change w = {0};
    for (size_t i = 0; i < len / H2_SETTING_LEN && fail.scope == H2_SCOPE_NONE; i++) {
        const uint8_t *entry = p + i * H2_SETTING_LEN;
        uint16_t id = (uint16_t)(entry[0] << 8 | entry[1]);
        uint32_t value = h2_get32(entry + 2);
        if (changes != NULL) {
            uint32_t before = id == H2_SETTINGS_INITIAL_WINDOW_SIZE && w.any
                                  ? w.last
                                  : h2_conn_peer_setting(c, id);
            changes[i] = (struct h2_setting_change){id, before, value};
        }
        fail = apply_one(c, id, value, &w);
    }
    return fail.scope == H2_SCOPE_NONE ? apply_window(c, &w) : fail;
}

/* ---------------------------------------------------------------- ours */

static void put_setting(uint8_t *p, uint32_t id, uint32_t value)
{
    p[0] = (uint8_t)(id >> 8);
    p[1] = (uint8_t)id;
    h2_put32(p + 2, value);
}

size_t h2_settings_first(const struct h2_conn *c, uint8_t *p)
{
    size_t n = 0;
    for (uint32_t id = 0; id < H2_SETTING_SLOTS; id++) {
        if (c->announced[id] != rules[id].initial) { /* it says what would not be assumed */
            assert(in_range(id, c->announced[id]));
            put_setting(p + n, id, c->announced[id]);
            n += H2_SETTING_LEN;
        }
    }
    return n;
}

/* Queues a SETTINGS frame and remembers what it says. */
static void send(struct h2_conn *c, const uint8_t *payload, size_t len)
{
    uint32_t n = (uint32_t)(len / H2_SETTING_LEN);
    struct h2_pending *sent = h2_resize(c, NULL, sizeof(*sent) + n * sizeof(sent->changes[0]));
    if (sent == NULL) {
        h2_conn_break_nomem(c);
        return;
    }
    sent->next = NULL;
    sent->n = n;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *entry = payload + i * H2_SETTING_LEN;
        sent->changes[i] = (struct h2_setting_change){.id = (uint16_t)(entry[0] << 8 | entry[1]),
                                                      .after = h2_get32(entry + 2)};
    }
    struct h2_pending **last = &c->pending;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = sent;
    h2_tx_frame(c, H2_FRAME_SETTINGS, 0, 0, payload, len);
}

void h2_settings_send_first(struct h2_conn *c)
{
    uint8_t payload[H2_SETTING_SLOTS * H2_SETTING_LEN];
    send(c, payload, h2_settings_first(c, payload));
    uint32_t more = c->opts.connection_window_size - c->rx_window_size;
    if (more > 0) {
        (void)h2_conn_update_window(c, 0, more);
    }
}

/* Whether we may say this now, after what was `said`. */
static enum h2_error check_ours(const struct h2_conn *c, const uint32_t *said,
                                const struct h2_setting_value *v)
{
    if (!is_known(v->id)) {
        return H2_OK;
    }
    if (!in_range(v->id, v->value)) {
        return H2_ERR_SETTING;
    }
    switch (v->id) {
    case H2_SETTINGS_ENABLE_PUSH:
        return c->role == H2_SERVER && v->value != 0 ? H2_ERR_SETTING : H2_OK;
    case H2_SETTINGS_ENABLE_CONNECT_PROTOCOL:
        return v->value < said[v->id] ? H2_ERR_SETTING : H2_OK;
    case H2_SETTINGS_NO_RFC7540_PRIORITIES:
        return v->value != said[v->id] ? H2_ERR_SETTING : H2_OK;
    case H2_SETTINGS_INITIAL_WINDOW_SIZE:
        return h2_flow_may_set_rx_initial(c, v->value) ? H2_OK : H2_ERR_FLOW_CONTROL;
    default:
        return H2_OK;
    }
}

enum h2_error h2_conn_update_settings(struct h2_conn *c, const struct h2_setting_value *values,
                                      size_t n)
{
    enum h2_error error = h2_conn_may(c, H2_CONN_TX_FRAME);
    if (error != H2_OK) {
        return error;
    }
    uint8_t payload[MOST_SETTINGS * H2_SETTING_LEN];
    if (n > MOST_SETTINGS) {
        return H2_ERR_VALUE;
    }
    uint32_t said[H2_SETTING_SLOTS];
    memcpy(said, c->announced, sizeof(said));
    for (size_t i = 0; i < n; i++) {
        error = check_ours(c, said, &values[i]);
        if (error != H2_OK) {
            return error;
        }
        if (is_known(values[i].id)) {
            said[values[i].id] = values[i].value;
        }
        put_setting(payload + i * H2_SETTING_LEN, values[i].id, values[i].value);
    }
    memcpy(c->announced, said, sizeof(said));
    if (said[H2_SETTINGS_MAX_CONCURRENT_STREAMS] !=
        UINT32_MAX) { /* what was never said is ours to bound */
        c->opts.max_concurrent_streams = said[H2_SETTINGS_MAX_CONCURRENT_STREAMS];
    }
    send(c, payload, n * H2_SETTING_LEN);
    return h2_result(c);
}

static void bring_into_force(struct h2_conn *c, struct h2_setting_change *change)
{
    if (!is_known(change->id)) {
        return;
    }
    change->before = c->local[change->id];
    switch (change->id) {
    case H2_SETTINGS_INITIAL_WINDOW_SIZE:
        h2_flow_set_rx_initial(c, change->after);
        break;
    case H2_SETTINGS_HEADER_TABLE_SIZE:
        hpack_decoder_set_max_table_size(c->decoder, change->after);
        break;
    case H2_SETTINGS_MAX_HEADER_LIST_SIZE:
        c->opts.limits.header_list_bytes = change->after;
        break;
    default:
        break;
    }
    c->local[change->id] = change->after;
}

struct h2_pending *h2_settings_in_force(struct h2_conn *c)
{
    struct h2_pending *oldest = c->pending;
    if (oldest != NULL) {
        c->pending = oldest->next;
        for (uint32_t i = 0; i < oldest->n; i++) {
            bring_into_force(c, &oldest->changes[i]);
        }
    }
    return oldest;
}
