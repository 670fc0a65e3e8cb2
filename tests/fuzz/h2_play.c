/* The reader of the input: options, steps of the peer, steps of the caller. */
#include "h2_play.h"

#define MOST_ZEROS (256u * 1024) /* of all generated bodies: time is better spent on frames */

enum option {
    OPTION_ACCEPT_ALL = 1, /* received fields are not validated … */
    OPTION_AS_THEY_COME = 2,
    OPTION_SEND_ALL = 4, /* … nor those sent */
    OPTION_AS_THEY_ARE = 8,
    OPTION_INDEX_SECRETS = 16,
    OPTION_EXTRA = 32, /* client: push; server: extended CONNECT */
    OPTION_ANY_FIRST = 64,
    OPTION_SMALL = 128, /* limits that are soon hit */
};

enum size_option {
    SIZE_WINDOW = 3, /* two bits */
    SIZE_FRAME = 4,
    SIZE_CONN_WINDOW = 8,
    SIZE_NO_TABLE = 16,
    SIZE_NO_ENCODER_TABLE = 32,
    SIZE_MUTED = 64,
    SIZE_UPGRADED = 128,
};

/* ---------------------------------------------------------------- input */

static uint8_t octet(struct play *p)
{
    return p->in < p->end ? *p->in++ : 0;
}

static uint32_t number16(struct play *p)
{
    uint32_t high = octet(p);
    return high << 8 | octet(p);
}

static const uint8_t *octets(struct play *p, size_t want, size_t *n)
{
    const uint8_t *at = p->in;
    *n = (size_t)(p->end - p->in) < want ? (size_t)(p->end - p->in) : want;
    p->in += *n;
    return at;
}

/* Small ids as they are; some that are not. */
static uint32_t stream_id(struct play *p)
{
    static const uint32_t odd_ones[] = {0x7fffffff, 0x7ffffffe, 1000001, 1000000};
    uint8_t n = octet(p);
    return n < 0xf0 ? n % 64 : odd_ones[n % 4];
}

/* Where something may go wrong. */
static uint32_t value(struct play *p)
{
    static const uint32_t values[] = {0,          1,     2,     100,       16383,  16384,
                                      0x7fffffff, 65535, 65536, 0x10000,   100000, 0x7ffeffff,
                                      0x80000000, 20,    4096,  0xffffffff};
    uint8_t n = octet(p);
    return n < 0xf0 ? n : values[n % 16];
}

static enum h2_code code(struct play *p)
{
    return octet(p) % 20;
}

/* ---------------------------------------------------------------- fields */

static const struct {
    const char *names[8];
    const char *values[8];
} sections[] = {
    {{":method", ":scheme", ":path", ":authority"}, {"GET", "https", "/", "a"}},
    {{":method", ":scheme", ":path", ":authority", "content-length", "priority"},
     {"POST", "https", "/x", "a.example:80", "5", "u=1, i"}},
    {{":method", ":scheme", ":path", ":authority", "cookie", "Cookie", "X-Upper", "te"},
     {"HEAD", "http", "/", "a", "a=b", "c=d", " padded ", "trailers"}},
    {{":method", ":authority"}, {"CONNECT", "a:443"}},
    {{":method", ":protocol", ":scheme", ":path", ":authority"},
     {"CONNECT", "websocket", "https", "/", "a"}},
    {{":method", ":scheme", ":path", ":authority", "connection", "upgrade", "x-gone"},
     {"GET", "https", "*", "", "x-gone", "h2c", "1"}},
    {{":status", "content-type"}, {"200", "text/plain"}},
    {{":status", "content-length", "priority"}, {"200", "5", "u=7"}},
    {{":status", "link"}, {"103", "</x>"}},
    {{":status"}, {"304"}},
    {{":status", ":status"}, {"204", "200"}},
    {{"x-trailer", "authorization"}, {"1", "secret"}},
    {{"", "bad name"}, {"", "bad\nvalue"}},
    {{"x-long"},
     {"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"}},
    {{"content-length", "content-length"}, {"5", "6"}},
    {{":path", ":method", ":scheme"}, {"/", "OPTIONS", "https"}},
};

static size_t section(struct play *p, struct h2_field *fields)
{
    size_t which = octet(p) % (sizeof(sections) / sizeof(sections[0]));
    size_t n = 0;
    while (n < 8 && sections[which].names[n] != NULL) {
        const char *name = sections[which].names[n];
        const char *text = sections[which].values[n];
        fields[n] = (struct h2_field){.name = name,
                                      .name_len = (uint32_t)strlen(name),
                                      .value = text,
                                      .value_len = (uint32_t)strlen(text),
                                      .token = H2_TOKEN_NONE,
                                      .flags = n == 7 ? H2_FIELD_NEVER_INDEX : 0};
        n++;
    }
    return n;
}

/* The same for the peer, whose encoder knows no table. */
static size_t block(struct play *p, uint8_t *out)
{
    struct h2_field fields[8];
    size_t n = section(p, fields);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        assert(fields[i].name_len < 127 && fields[i].value_len < 127);
        out[len++] = 0;
        out[len++] = (uint8_t)fields[i].name_len;
        memcpy(out + len, fields[i].name, fields[i].name_len);
        len += fields[i].name_len;
        out[len++] = (uint8_t)fields[i].value_len;
        memcpy(out + len, fields[i].value, fields[i].value_len);
        len += fields[i].value_len;
    }
    return len;
}

/* ---------------------------------------------------------------- memory */

static void *count_resize(void *ctx, void *ptr, size_t size)
{
    struct play *p = ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (p->failing > 0 && --p->failing == 0) {
        p->failed_alloc = true;
        p->failing = p->fail_on ? 1 : 0;
        return NULL;
    }
    return realloc(ptr, size);
}

/* ---------------------------------------------------------------- the peer */

static void feed_piece(struct play *p, const uint8_t *data, size_t n)
{
    struct h2_event ev;
    uint8_t *exact = malloc(n);
    assert(exact != NULL);
    memcpy(exact, data, n);
    h2_conn_feed(p->c, exact, n);
    size_t at = 0;
    while (h2_conn_next_event(p->c, p->now, &ev)) {
        h2_play_check_event(p, &ev);
        if (p->again) {
            size_t left = h2_conn_unread(p->c);
            assert(left <= n - at);
            at = n - left;
            h2_conn_feed(p->c, exact + at, left);
        }
    }
    assert(h2_conn_unread(p->c) == 0);
    free(exact);
    h2_play_check_conn(p);
}

static void feed(struct play *p, const uint8_t *data, size_t n)
{
    size_t piece = p->piece == 0 ? n : p->piece;
    for (size_t at = 0; at < n; at += piece) {
        feed_piece(p, data + at, n - at < piece ? n - at : piece);
    }
}

static void feed_frame(struct play *p, uint8_t type, uint8_t flags, uint32_t id,
                       const uint8_t *payload, size_t len)
{
    uint8_t *frame = malloc(H2_FRAME_HEADER_LEN + len);
    assert(frame != NULL);
    frame[0] = (uint8_t)(len >> 16);
    frame[1] = (uint8_t)(len >> 8);
    frame[2] = (uint8_t)len;
    frame[3] = type;
    frame[4] = flags;
    h2_put32(frame + 5, id);
    if (len > 0) {
        memcpy(frame + H2_FRAME_HEADER_LEN, payload, len);
    }
    feed(p, frame, H2_FRAME_HEADER_LEN + len);
    free(frame);
}

static void peer_frame(struct play *p)
{
    uint8_t type = octet(p);
    uint8_t flags = octet(p);
    uint32_t id = stream_id(p);
    size_t n;
    const uint8_t *payload = octets(p, octet(p), &n);
    feed_frame(p, type, flags, id, payload, n);
}

/* HEADERS or PUSH_PROMISE, cut into pieces of a block or not. */
static void peer_block(struct play *p, bool promise)
{
    uint8_t buf[4 + 2048];
    uint32_t id = stream_id(p);
    uint8_t flags = octet(p) & H2_FLAG_END_STREAM;
    size_t piece = octet(p);
    size_t len = 0;
    if (promise) {
        h2_put32(buf, stream_id(p));
        len = 4;
    }
    len += block(p, buf + len);
    if (piece < 8 || piece >= len) {
        piece = len;
    }
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        uint8_t first = promise ? H2_FRAME_PUSH_PROMISE : H2_FRAME_HEADERS;
        feed_frame(p, at == 0 ? first : H2_FRAME_CONTINUATION,
                   (uint8_t)((at == 0 && !promise ? flags : 0) |
                             (at + n == len ? H2_FLAG_END_HEADERS : 0)),
                   id, buf + at, n);
    }
}

static size_t zeros(struct play *p)
{
    uint32_t n = number16(p);
    if (n > MOST_ZEROS - p->zeros) {
        n = MOST_ZEROS - p->zeros;
    }
    p->zeros += n;
    return n;
}

static void peer_data(struct play *p)
{
    uint32_t id = stream_id(p);
    uint8_t flags = octet(p) & (H2_FLAG_END_STREAM | H2_FLAG_PADDED);
    size_t n = zeros(p);
    uint8_t *body = calloc(1, n + 1);
    assert(body != NULL);
    body[0] = (uint8_t)n; /* of padding, if it is padded */
    feed_frame(p, H2_FRAME_DATA, flags, id, body, n);
    free(body);
}

static void peer_settings(struct play *p)
{
    uint8_t payload[4 * 6];
    size_t n = 1 + octet(p) % 4;
    for (size_t i = 0; i < n; i++) {
        payload[6 * i] = 0;
        payload[6 * i + 1] = octet(p) % 12;
        h2_put32(payload + 6 * i + 2, value(p));
    }
    feed_frame(p, H2_FRAME_SETTINGS, 0, 0, payload, 6 * n);
}

static void peer_word(struct play *p, uint8_t type)
{
    uint8_t payload[4];
    uint32_t id = stream_id(p);
    h2_put32(payload, value(p));
    feed_frame(p, type, 0, id, payload, sizeof(payload));
}

static void peer_step(struct play *p, uint8_t step)
{
    size_t n;
    switch (step % 11) {
    case 0: {
        const uint8_t *raw = octets(p, octet(p), &n);
        feed(p, raw, n);
        break;
    }
    case 1:
        peer_frame(p);
        break;
    case 2:
        peer_block(p, false);
        break;
    case 3:
        peer_block(p, true);
        break;
    case 4:
        peer_data(p);
        break;
    case 5:
        peer_settings(p);
        break;
    case 6:
        feed_frame(p, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, NULL, 0);
        break;
    case 7:
        peer_word(p, H2_FRAME_WINDOW_UPDATE);
        break;
    case 8:
        peer_word(p, H2_FRAME_RST_STREAM);
        break;
    case 9: {
        uint8_t payload[8] = {0, 0, 0, octet(p), 0, 0, 0, octet(p)};
        feed_frame(p, H2_FRAME_GOAWAY, 0, 0, payload, sizeof(payload));
        break;
    }
    default:
        p->now += octet(p) * 100;
        break;
    }
}

/* ---------------------------------------------------------------- the caller: bytes */

static void take(struct play *p, size_t most)
{
    uint8_t *buf = malloc(most + 1);
    assert(buf != NULL);
    size_t n = h2_conn_send(p->c, buf, most);
    assert(n <= most);
    h2_play_check_output(p, buf, n);
    free(buf);
}

/* Frames of whoever is to send next. */
static void pump(struct play *p)
{
    uint8_t how = octet(p);
    take(p, h2_conn_output_len(p->c));
    for (int i = 0; i < how % 8; i++) {
        uint8_t header[H2_FRAME_HEADER_LEN + 1];
        size_t limit;
        void *user;
        uint32_t id = h2_conn_next_writable(p->c, &limit, &user);
        if (id == 0) {
            return;
        }
        assert(limit > 0 && limit <= p->sent_frame);
        assert(id >= PLAY_STREAMS || user == NULL || user == &p->users[id]);
        bool end = (how & 8) != 0;
        size_t padding = (how & 16) != 0 && limit > 3 ? 3 : 0;
        size_t len = limit - padding < 2000 ? limit - padding : 2000;
        if (padding > 0) {
            h2_conn_padded_data_frame(p->c, id, len, (uint8_t)(padding - 1), end, header);
        } else {
            h2_conn_data_frame(p->c, id, len, end, header);
        }
        uint8_t *frame = calloc(1, H2_FRAME_HEADER_LEN + len + padding);
        assert(frame != NULL);
        memcpy(frame, header, H2_FRAME_HEADER_LEN + (padding > 0));
        h2_play_check_output(p, frame, H2_FRAME_HEADER_LEN + len + padding);
        free(frame);
        if (!end && i % 2 == 1) {
            h2_stream_set_ready(p->c, id, false);
        }
        h2_play_check_conn(p);
    }
}

/* ---------------------------------------------------------------- the caller: actions */

static struct h2_priority priority(struct play *p)
{
    struct h2_priority priority = {.depends_on = stream_id(p)};
    priority.weight = (uint16_t)(octet(p) + 1);
    priority.exclusive = octet(p) % 2 != 0;
    return priority;
}

static enum h2_error message(struct play *p, uint8_t step)
{
    struct h2_field fields[8];
    uint32_t id = stream_id(p);
    uint32_t made = 0;
    bool end = octet(p) % 2 != 0;
    size_t n = section(p, fields);
    enum h2_error error = H2_OK;
    if (step == 2) {
        return h2_conn_trailers(p->c, id, fields, n);
    }
    if (p->c->role == H2_SERVER) {
        error = step == 0 ? h2_conn_respond(p->c, id, fields, n, end)
                          : h2_conn_push(p->c, id, fields, n, NULL, &made);
    } else if (step == 0) {
        error = h2_conn_request(p->c, fields, n, end, NULL, &made);
    } else {
        struct h2_priority pri = priority(p);
        error = h2_conn_request_with_priority(p->c, fields, n, end, &pri, NULL, &made);
    }
    assert(error != H2_OK || made == 0 || h2_conn_next_stream_id(p->c) != made);
    return error;
}

static enum h2_error body(struct play *p)
{
    uint32_t id = stream_id(p);
    size_t n = zeros(p);
    int pad = octet(p);
    bool end = octet(p) % 2 != 0;
    uint8_t *zero = calloc(1, n + 1);
    assert(zero != NULL);
    enum h2_error error =
        h2_conn_send_data(p->c, id, zero, n, pad > 250 ? H2_NO_PADDING : pad, end);
    free(zero);
    return error;
}

static enum h2_error our_settings(struct play *p)
{
    struct h2_setting_value values[4];
    size_t n = octet(p) % 5;
    for (size_t i = 0; i < n; i++) {
        values[i].id = octet(p) % 12;
        values[i].value = value(p);
    }
    return h2_conn_update_settings(p->c, values, n);
}

static enum h2_error announce(struct play *p, uint8_t step)
{
    static const char *const origins[] = {"https://a.example", "", "https://b.example:444"};
    uint32_t id = stream_id(p);
    size_t n;
    switch (step) {
    case 9:
        return h2_conn_ping(p->c, (const uint8_t *)"12345678");
    case 10: {
        struct h2_priority pri = priority(p);
        return h2_conn_priority(p->c, id, &pri);
    }
    case 11: {
        const char *text = (const char *)octets(p, octet(p) % 16, &n);
        return h2_conn_priority_update(p->c, id, text, n);
    }
    case 12: {
        const char *text = (const char *)octets(p, octet(p) % 16, &n);
        return h2_conn_altsvc(p->c, id, origins[0], octet(p) % 18, text, n);
    }
    case 13:
        return h2_conn_origin(p->c, origins, octet(p) % 4);
    default: {
        uint8_t type = octet(p);
        const uint8_t *payload = octets(p, octet(p), &n);
        return h2_conn_extension_frame(p->c, type, octet(p), id, payload, n);
    }
    }
}

static void ask(struct play *p)
{
    uint32_t id = stream_id(p);
    (void)h2_conn_can_request(p->c);
    (void)h2_conn_in_header_block(p->c);
    (void)h2_conn_goaway_received(p->c);
    (void)h2_conn_settings_acked(p->c);
    (void)h2_conn_last_peer_stream(p->c);
    (void)h2_conn_send_window(p->c, id);
    (void)h2_conn_receive_window(p->c, id);
    assert(h2_conn_peer_setting(p->c, id) == 0 || id < H2_SETTING_SLOTS);
    assert(h2_conn_local_setting(p->c, id) == 0 || id < H2_SETTING_SLOTS);
    if (id > 0) {
        assert(h2_stream_state_name(h2_conn_stream_state(p->c, id)) != NULL);
    }
    if (id > 0 && id < PLAY_STREAMS) {
        h2_stream_set_user(p->c, id, &p->users[id]);
        void *user = h2_stream_user(p->c, id);
        assert(user == NULL || user == &p->users[id]);
    }
}

/* As much as was told, or whatever the input says. */
static enum h2_error consume(struct play *p, uint32_t id)
{
    uint32_t n = number16(p);
    if (n >= 0x8000 || id >= PLAY_STREAMS) {
        p->by_hand = true;
        return h2_conn_consume(p->c, id, n & 0x7fff);
    }
    n = n < p->owed[id] ? n : p->owed[id];
    p->owed[id] -= n;
    p->held -= n;
    return h2_conn_consume(p->c, id, n);
}

static int64_t window_size(const struct play *p, uint32_t id)
{
    const struct h2_stream *s = h2_stream_find(p->c, id);
    return s != NULL ? (int64_t)s->rx.left + s->rx.held + s->rx.owed : 0;
}

static enum h2_error open_window(struct play *p, uint32_t id)
{
    int64_t before = window_size(p, id);
    enum h2_error error = h2_conn_update_window(p->c, id, value(p));
    if (id == 0) {
        p->by_hand = true;
    } else if (id < PLAY_STREAMS) {
        p->growth[id] += window_size(p, id) - before;
    }
    return error;
}

static enum h2_error stream_action(struct play *p, uint8_t step)
{
    uint32_t id = stream_id(p);
    switch (step) {
    case 4:
        return h2_conn_end_stream(p->c, id);
    case 5: {
        enum h2_error error = h2_conn_reset(p->c, id, code(p));
        if (error == H2_OK && id < PLAY_STREAMS) {
            p->told[id] |= PLAY_GONE;
        }
        return error;
    }
    case 6:
        return consume(p, id);
    case 7:
        return open_window(p, id);
    default:
        h2_stream_set_ready(p->c, id, octet(p) % 2 != 0);
        return H2_OK;
    }
}

static enum h2_error caller_step(struct play *p, uint8_t step)
{
    step %= 22;
    switch (step) {
    case 0:
    case 1:
    case 2:
        return message(p, step);
    case 3:
        return body(p);
    case 4:
    case 5:
    case 6:
    case 7:
    case 20:
        return stream_action(p, step);
    case 8:
        return our_settings(p);
    case 15:
        return h2_conn_shutdown_notice(p->c);
    case 16:
        return h2_conn_shutdown(p->c);
    case 17: {
        enum h2_code why = code(p);
        uint32_t last = octet(p);
        return h2_conn_close(p->c, why, last > 200 ? H2_LAST_TOLD : last, "bye", octet(p) % 4);
    }
    case 18:
        take(p, octet(p));
        return H2_OK;
    case 19:
        pump(p);
        return H2_OK;
    case 21:
        ask(p);
        return H2_OK;
    default:
        return announce(p, step);
    }
}

/* ---------------------------------------------------------------- a whole play */

static void set_options(struct play *p, uint8_t how, uint8_t sizes)
{
    struct h2_options *o = &p->opts;
    static const uint32_t windows[] = {65535, 0, 100, 1 << 20};
    h2_options_init(o);
    o->validate_received = (how & OPTION_ACCEPT_ALL) == 0;
    o->normalize_received = (how & OPTION_AS_THEY_COME) == 0;
    o->validate_sent = (how & OPTION_SEND_ALL) == 0;
    o->normalize_sent = (how & OPTION_AS_THEY_ARE) == 0;
    o->index_secrets = (how & OPTION_INDEX_SECRETS) != 0;
    o->enable_push = o->enable_connect_protocol = (how & OPTION_EXTRA) != 0;
    o->require_settings_first = (how & OPTION_ANY_FIRST) == 0;
    if ((how & OPTION_SMALL) != 0) {
        o->limits = (struct h2_limits){.header_list_bytes = 300,
                                       .header_fields = 6,
                                       .cookie_crumbs = 1,
                                       .continuation_frames = 3,
                                       .header_block_bytes = 200,
                                       .settings_per_frame = 3,
                                       .queued_replies = 5,
                                       .output_bytes = 3000,
                                       .reset_burst = 3,
                                       .error_burst = 3,
                                       .empty_burst = 3,
                                       .control_burst = 20,
                                       .control_payload = 10,
                                       .closed_streams = 3};
        o->max_concurrent_streams = 4;
    }
    o->initial_window_size = windows[sizes & SIZE_WINDOW];
    o->max_frame_size = (sizes & SIZE_FRAME) != 0 ? 70000 : 16384;
    o->connection_window_size = (sizes & SIZE_CONN_WINDOW) != 0 ? 1 << 20 : 65535;
    o->header_table_size = (sizes & SIZE_NO_TABLE) != 0 ? 0 : 4096;
    o->encoder_table_size = (sizes & SIZE_NO_ENCODER_TABLE) != 0 ? 0 : 4096;
    o->mute = (sizes & SIZE_MUTED) != 0
                  ? H2_MUTE(H2_EVENT_WINDOW_UPDATE) | H2_MUTE(H2_EVENT_STREAM_ENDED) |
                        H2_MUTE(H2_EVENT_SETTINGS) | H2_MUTE(H2_EVENT_UNKNOWN_FRAME) |
                        H2_MUTE(H2_EVENT_PING) | H2_MUTE(H2_EVENT_PRIORITY)
                  : 0;
}

static void upgrade(struct play *p)
{
    static const char settings[] = "AAMAAABkAARAAAAAAAIAAAAA";
    enum h2_error error;
    if (p->c->role == H2_SERVER) {
        error = h2_conn_upgrade(p->c, settings, sizeof(settings) - 1, false, NULL);
        p->told[1] = PLAY_HEAD | PLAY_END | PLAY_ENDED;
    } else {
        char value_of[H2_UPGRADE_SETTINGS_MAX];
        size_t n = h2_conn_upgrade_settings(p->c, value_of, sizeof(value_of));
        assert(n > 0 && n <= sizeof(value_of));
        error = h2_conn_upgrade(p->c, NULL, 0, false, NULL);
        p->sent[1] = PLAY_SENT_HEAD | PLAY_SENT_END;
    }
    assert(error == H2_OK || (error == H2_ERR_NOMEM && p->failed_alloc));
}

static void run(struct play *p)
{
    enum h2_error error = H2_OK;
    if (p->c->role == H2_SERVER) {
        feed(p, (const uint8_t *)H2_PREFACE, H2_PREFACE_LEN);
    }
    while (p->in < p->end) {
        uint8_t step = octet(p);
        if (step < 0x80) {
            peer_step(p, step);
        } else {
            error = caller_step(p, step & 0x7f);
        }
        assert(error != H2_ERR_NOMEM || (p->failed_alloc && h2_conn_is_over(p->c)));
        h2_play_check_conn(p);
    }
    if (p->zeros % 2 == 1) { /* the transport is gone */
        h2_conn_drop_output(p->c);
        assert(!h2_conn_wants_send(p->c));
        return;
    }
    take(p, h2_conn_output_len(p->c));
    assert(p->out_len == 0 && p->block == 0);
}

void h2_play(enum h2_role role, const uint8_t *data, size_t size)
{
    struct play p = {.in = data,
                     .end = data + size,
                     .largest_frame = H2_DEFAULT_MAX_FRAME,
                     .sent_frame = H2_DEFAULT_MAX_FRAME,
                     .goaway_last = UINT32_MAX,
                     .preface = role == H2_CLIENT};
    struct h2_allocator alloc = {count_resize, &p};
    uint8_t how = octet(&p);
    uint8_t sizes = octet(&p);
    uint8_t failing = octet(&p);
    uint8_t piece = octet(&p);
    set_options(&p, how, sizes);
    p.opts.alloc = &alloc;
    p.failing = failing & 0x7f;
    p.fail_on = (failing & 0x80) != 0;
    p.piece = piece & 0x7f;
    p.again = (piece & 0x80) != 0;
    p.decoder = hpack_decoder_new(NULL, (sizes & SIZE_MUTED) != 0 ? 65536 : 4096);
    assert(p.decoder != NULL);
    p.c = h2_conn_new(role, &p.opts);
    assert(p.c != NULL || p.failed_alloc);
    if (p.c != NULL) {
        if ((sizes & SIZE_UPGRADED) != 0) {
            upgrade(&p);
        }
        run(&p);
    }
    h2_conn_free(p.c);
    hpack_decoder_free(p.decoder);
    free(p.out);
    free(p.block_bytes);
}
