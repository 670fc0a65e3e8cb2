/*
 * RFC 9113, what an engine may send: every frame of a server and a client that do all they can is
 * looked at, then the rules for pushing, settings, windows and GOAWAY one by one. (Field sections
 * and states: h2_rfc9113_messages_test.c, h2_rfc9113_streams_test.c.)
 */
#include "h2_script.h"

#include "h2_internal.h"
#include "hpack_testing.h"

#define GET(method)                                                                                \
    {                                                                                              \
        field_of(":method", method), field_of(":scheme", "https"), field_of(":path", "/"),         \
            field_of(":authority", "a")                                                            \
    }

/* ---------------------------------------------------------------- two ends and a wire */

/* What was sent so far in one direction. */
struct wire {
    uint32_t seen[256]; /* frames of each type */
    uint32_t block;     /* stream of the header block that goes on */
    uint32_t last_goaway;
    uint32_t last_opened;
    uint32_t padded;
    uint8_t first[9 + 64]; /* the first frame of what was taken last */
};

struct end {
    struct h2_conn *c;
    bool is_server;
    struct wire wire;
    enum h2_event_type last; /* the last event that it was told */
    struct h2_fail fail;
    uint32_t events;
};

static const uint8_t flags_of[256] = {
    [H2_FRAME_DATA] = 0x9,         [H2_FRAME_HEADERS] = 0x2d, [H2_FRAME_SETTINGS] = 0x1,
    [H2_FRAME_PUSH_PROMISE] = 0xc, [H2_FRAME_PING] = 0x1,     [H2_FRAME_CONTINUATION] = 0x4,
};

static void check_ids(struct end *e, const struct h2_frame *f, const uint8_t *p)
{
    struct wire *w = &e->wire;
    if (f->type == H2_FRAME_HEADERS && !e->is_server && f->stream_id > w->last_opened) {
        assert_int_equal(f->stream_id % 2, 1); /* 5.1.1 */
        w->last_opened = f->stream_id;
    }
    if (f->type == H2_FRAME_PUSH_PROMISE) {
        uint32_t promised = h2_get32(p + ((f->flags & H2_FLAG_PADDED) != 0));
        assert_true(e->is_server && f->stream_id % 2 == 1);
        assert_true(promised % 2 == 0 && promised > w->last_opened && promised <= H2_MAX_STREAM_ID);
        w->last_opened = promised;
    }
}

static void check_frame(struct end *e, const uint8_t *octets, const struct h2_frame *f)
{
    struct wire *w = &e->wire;
    const uint8_t *p = octets + 9;
    assert_true(f->length <= h2_conn_peer_setting(e->c, H2_SETTINGS_MAX_FRAME_SIZE)); /* 4.1, 4.2 */
    assert_int_equal(octets[5] & 0x80, 0);                                            /* 4.1 */
    if (h2_is_known_frame(f->type)) {
        assert_int_equal(f->flags & ~flags_of[f->type], 0); /* 4.1 */
    }
    if (w->block != 0) { /* 4.3, 6.10 */
        assert_int_equal(f->type, H2_FRAME_CONTINUATION);
        assert_int_equal(f->stream_id, w->block);
    }
    if (f->type == H2_FRAME_HEADERS || f->type == H2_FRAME_PUSH_PROMISE ||
        f->type == H2_FRAME_CONTINUATION) {
        w->block = (f->flags & H2_FLAG_END_HEADERS) != 0 ? 0 : f->stream_id;
    }
    check_ids(e, f, p);
    if (f->type == H2_FRAME_DATA && (f->flags & H2_FLAG_PADDED) != 0) { /* 6.1 */
        assert_true(f->length > p[0]);
        for (uint32_t i = 0; i < p[0]; i++) {
            assert_int_equal(p[f->length - 1 - i], 0);
        }
        w->padded++;
    }
    if (f->type == H2_FRAME_WINDOW_UPDATE) { /* 6.9 */
        assert_true(h2_get32(p) > 0 && h2_get32(p) <= H2_MAX_WINDOW);
    }
    if (f->type == H2_FRAME_GOAWAY) { /* 6.8 */
        assert_true(w->seen[f->type] == 0 || h2_get32(p) <= w->last_goaway);
        w->last_goaway = h2_get32(p);
        assert_true(w->last_goaway <= H2_MAX_STREAM_ID);
    }
    w->seen[f->type]++;
}

/* Takes all output of one end, looks at it, and gives it to the other, if there is one. */
static size_t take(struct end *from, struct end *to)
{
    static uint8_t out[1 << 20];
    size_t len = 0;
    size_t n;
    while ((n = h2_conn_send(from->c, out + len, sizeof(out) - len)) > 0) {
        len += n;
    }
    size_t at = 0;
    if (!from->is_server && len >= 24 && memcmp(out, H2_PREFACE, 24) == 0) {
        at = 24;
    }
    memcpy(from->wire.first, out + at, len - at < 9 + 64 ? len - at : 9 + 64);
    while (at < len) {
        struct h2_frame f = h2_get_frame_header(out + at);
        assert_true(len - at >= 9 + (size_t)f.length);
        check_frame(from, out + at, &f);
        at += 9 + (size_t)f.length;
    }
    if (to != NULL && len > 0) {
        struct h2_event ev;
        h2_conn_feed(to->c, out, len);
        while (h2_conn_next_event(to->c, 0, &ev)) {
            to->last = ev.type;
            to->events |= 1u << ev.type;
            if (ev.type == H2_EVENT_FAILED) {
                to->fail = ev.fail;
            }
            if (ev.type == H2_EVENT_DATA) {
                assert_int_equal(h2_conn_consume(to->c, ev.stream_id, ev.flow_len), H2_OK);
            }
        }
    }
    return len;
}

static void converse(struct end *a, struct end *b)
{
    while (take(a, b) + take(b, a) > 0) {
    }
}

static void meet(struct end *client, struct end *server)
{
    struct h2_options opts;
    h2_options_init(&opts);
    opts.enable_push = true;
    *client = (struct end){.c = h2_conn_new(H2_CLIENT, &opts)};
    *server = (struct end){.c = h2_conn_new(H2_SERVER, &opts), .is_server = true};
    assert_true(client->c != NULL && server->c != NULL);
    converse(client, server);
}

static void part(struct end *client, struct end *server)
{
    h2_conn_free(client->c);
    h2_conn_free(server->c);
}

static uint32_t ask(struct end *client, struct end *server, bool end_stream)
{
    struct h2_field get[] = GET("GET");
    uint32_t id = 0;
    assert_int_equal(h2_conn_request(client->c, get, 4, end_stream, NULL, &id), H2_OK);
    converse(client, server);
    return id;
}

static void answer(struct end *server, uint32_t id, const char *status, bool end_stream)
{
    struct h2_field head[] = {field_of(":status", status)};
    assert_int_equal(h2_conn_respond(server->c, id, head, 1, end_stream), H2_OK);
}

/* Gives the engine one frame of its peer. */
static void hear(struct end *e, uint8_t type, uint8_t flags, uint32_t id, const char *payload,
                 size_t len)
{
    uint8_t octets[9 + 64];
    struct h2_event ev;
    assert_true(len <= 64);
    h2_put_frame_header(octets, (uint32_t)len, type, flags, id);
    memcpy(octets + 9, payload, len);
    h2_conn_feed(e->c, octets, 9 + len);
    while (h2_conn_next_event(e->c, 0, &ev)) {
        e->last = ev.type;
        if (ev.type == H2_EVENT_FAILED) {
            e->fail = ev.fail;
        }
    }
}

/* ---------------------------------------------------------------- everything at once */

static void a_client_does_all_it_can(struct end *client, uint32_t *upload)
{
    static char large[40000];
    static const uint8_t body[3000];
    memset(large, '~', sizeof(large));
    struct h2_field head[] = {field_of(":method", "POST"), field_of(":scheme", "https"),
                              field_of(":path", "/"), field_of(":authority", "a"),
                              field_of("x", "")};
    head[4].value = large;
    head[4].value_len = sizeof(large);
    struct h2_priority priority = {3, 256, true};
    struct h2_field trailer[] = {field_of("x-sum", "1")};
    struct h2_setting_value setting = {H2_SETTINGS_INITIAL_WINDOW_SIZE, 70000};
    struct h2_conn *c = client->c;
    uint32_t id;
    assert_int_equal(h2_conn_request_with_priority(
                         c, head, 4, false, &(struct h2_priority){0, 1, false}, NULL, upload),
                     H2_OK);
    assert_int_equal(h2_conn_request(c, head, 5, true, NULL, &id), H2_OK); /* with CONTINUATION */
    assert_int_equal(h2_conn_priority(c, *upload, &priority), H2_OK);
    assert_int_equal(h2_conn_priority_update(c, *upload, "u=1, i", 6), H2_OK);
    assert_int_equal(h2_conn_ping(c, (const uint8_t *)"abcdefgh"), H2_OK);
    assert_int_equal(h2_conn_update_settings(c, &setting, 1), H2_OK);
    assert_int_equal(h2_conn_update_window(c, 0, 1000), H2_OK);
    assert_int_equal(h2_conn_update_window(c, *upload, H2_MAX_WINDOW - 70000), H2_OK);
    assert_int_equal(h2_conn_extension_frame(c, 0xfa, 0xff, 0, body, 5), H2_OK);
    assert_int_equal(h2_conn_send_data(c, *upload, body, 3000, H2_NO_PADDING, false), H2_OK);
    assert_int_equal(h2_conn_send_data(c, *upload, body, 10, 0, false), H2_OK);
    assert_int_equal(h2_conn_send_data(c, *upload, body, 10, 255, false), H2_OK);
    assert_int_equal(h2_conn_trailers(c, *upload, trailer, 1), H2_OK);
}

static void a_server_does_all_it_can(struct end *server, uint32_t upload)
{
    static const uint8_t body[30000];
    struct h2_field get[] = GET("GET");
    struct h2_field trailer[] = {field_of("x-sum", "1")};
    const char *origins[] = {"https://a.example", "https://b.example"};
    struct h2_conn *c = server->c;
    uint32_t pushed;
    uint32_t unwanted;
    answer(server, upload, "103", false);
    assert_int_equal(h2_conn_push(c, upload, get, 4, NULL, &pushed), H2_OK);
    assert_int_equal(h2_conn_push(c, upload, get, 4, NULL, &unwanted), H2_OK);
    answer(server, upload, "200", false);
    answer(server, pushed, "200", false);
    assert_int_equal(h2_conn_reset(c, unwanted, H2_CANCEL), H2_OK);
    assert_int_equal(h2_conn_altsvc(c, 0, "https://a", 9, "h2=\":1\"", 7), H2_OK);
    assert_int_equal(h2_conn_altsvc(c, upload, NULL, 0, "clear", 5), H2_OK);
    assert_int_equal(h2_conn_origin(c, origins, 2), H2_OK);
    assert_int_equal(h2_conn_send_data(c, upload, body, 16384 - 256, 255, false), H2_OK);
    assert_int_equal(h2_conn_send_data(c, upload, body, 16384, H2_NO_PADDING, false), H2_OK);
    assert_int_equal(h2_conn_send_data(c, pushed, body, 100, 7, true), H2_OK);
    assert_int_equal(h2_conn_trailers(c, upload, trailer, 1), H2_OK);
    assert_int_equal(h2_conn_shutdown_notice(c), H2_OK);
    assert_int_equal(h2_conn_shutdown(c), H2_OK);
}

static void all_that_is_sent_is_well_formed(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    uint32_t upload = 0;
    meet(&client, &server);
    a_client_does_all_it_can(&client, &upload);
    converse(&client, &server);
    a_server_does_all_it_can(&server, upload);
    converse(&client, &server);
    assert_int_equal(client.fail.error, H2_OK);
    assert_int_equal(server.fail.error, H2_OK);
    for (unsigned type = 0; type <= H2_FRAME_CONTINUATION; type++) {
        assert_true(client.wire.seen[type] + server.wire.seen[type] > 0);
    }
    assert_true(client.wire.seen[H2_FRAME_CONTINUATION] == 2 && client.wire.padded == 2);
    assert_true(server.wire.seen[H2_FRAME_GOAWAY] == 2 && server.wire.padded == 2);
    assert_true(server.wire.seen[H2_FRAME_ALTSVC] == 2 && server.wire.seen[H2_FRAME_ORIGIN] == 1);
    unsigned told = 1u << H2_EVENT_PUSH | 1u << H2_EVENT_ALTSVC | 1u << H2_EVENT_ORIGIN |
                    1u << H2_EVENT_TRAILERS | 1u << H2_EVENT_GOAWAY | 1u << H2_EVENT_RESET;
    assert_int_equal(client.events & told, told);
    assert_int_equal(h2_conn_open_streams(client.c), 1); /* the large request */
    part(&client, &server);
}

/* ---------------------------------------------------------------- 5.1, reserved (local) */

static uint32_t promise(struct end *client, struct end *server, uint32_t *parent)
{
    struct h2_field get[] = GET("GET");
    uint32_t id = 0;
    *parent = ask(client, server, true);
    assert_int_equal(h2_conn_push(server->c, *parent, get, 4, NULL, &id), H2_OK);
    converse(client, server);
    assert_int_equal(h2_conn_stream_state(server->c, id), H2_STATE_RESERVED_LOCAL);
    return id;
}

static void only_headers_and_rst_stream_are_sent_on_a_reserved_stream(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    uint32_t parent;
    uint32_t id;
    struct h2_field get[] = GET("GET");
    struct h2_field trailer[] = {field_of("x-sum", "1")};
    meet(&client, &server);
    uint32_t reserved = promise(&client, &server, &parent);
    struct h2_conn *c = server.c;
    assert_int_equal(h2_conn_send_data(c, reserved, "x", 1, H2_NO_PADDING, false),
                     H2_ERR_STREAM_STATE);
    assert_int_equal(h2_conn_end_stream(c, reserved), H2_ERR_STREAM_STATE);
    assert_int_equal(h2_conn_trailers(c, reserved, trailer, 1), H2_ERR_STREAM_STATE);
    assert_int_equal(h2_conn_push(c, reserved, get, 4, NULL, &id), H2_ERR_STREAM_STATE);
    assert_int_equal(h2_conn_altsvc(c, reserved, NULL, 0, "clear", 5), H2_ERR_STREAM_STATE);
    assert_int_equal(h2_conn_update_window(c, reserved, 10), H2_ERR_STREAM_STATE);
    assert_false(h2_conn_wants_send(c));
    answer(&server, reserved, "200", true);
    assert_int_equal(h2_conn_reset(c, reserved, H2_CANCEL), H2_ERR_STREAM_CLOSED);
    reserved = promise(&client, &server, &parent);
    assert_int_equal(h2_conn_reset(c, reserved, H2_CANCEL), H2_OK);
    converse(&client, &server);
    assert_int_equal(h2_conn_open_streams(client.c), 2); /* the two requests */
    assert_int_equal(client.fail.error, H2_OK);
    part(&client, &server);
}

static void what_may_come_on_a_reserved_stream(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        uint8_t flags;
        const char *payload;
        size_t len;
        bool breaks;
    } cases[] = {
        {H2_FRAME_DATA, 0, "x", 1, true},
        {H2_FRAME_HEADERS, 0x5,
         "\x82\x87\x84\x41\x01"
         "a",
         6, true},
        {H2_FRAME_WINDOW_UPDATE, 0, "\0\0\0\1", 4, false},
        {H2_FRAME_PRIORITY, 0, "\0\0\0\0\1", 5, false},
        {H2_FRAME_RST_STREAM, 0, "\0\0\0\x8", 4, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct end client;
        struct end server;
        uint32_t parent;
        meet(&client, &server);
        uint32_t reserved = promise(&client, &server, &parent);
        hear(&server, cases[i].type, cases[i].flags, reserved, cases[i].payload, cases[i].len);
        assert_int_equal(server.last == H2_EVENT_FAILED, cases[i].breaks);
        if (cases[i].breaks) {
            assert_int_equal(server.fail.code, H2_PROTOCOL_ERROR);
        }
        part(&client, &server);
    }
}

/* ---------------------------------------------------------------- 6.6, 8.4: pushing */

static void what_may_be_promised_and_where(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    struct h2_field get[] = GET("GET");
    struct h2_field head[] = GET("HEAD");
    struct h2_field post[] = GET("POST");
    struct h2_field options[] = GET("OPTIONS");
    struct h2_field body[] = {field_of(":method", "GET"), field_of(":scheme", "https"),
                              field_of(":path", "/"), field_of(":authority", "a"),
                              field_of("content-length", "1")};
    uint32_t id;
    uint32_t second;
    meet(&client, &server);
    struct h2_conn *c = server.c;
    assert_int_equal(h2_conn_push(c, 1, get, 4, NULL, &id), H2_ERR_NO_STREAM);
    uint32_t parent = ask(&client, &server, true);
    assert_int_equal(h2_conn_push(c, parent, post, 4, NULL, &id), H2_ERR_FIELDS);
    assert_int_equal(h2_conn_push(c, parent, options, 4, NULL, &id), H2_ERR_FIELDS);
    assert_int_equal(h2_conn_push(c, parent, body, 5, NULL, &id), H2_ERR_FIELDS);
    assert_int_equal(h2_conn_push(c, parent, get, 3, NULL, &id), H2_ERR_FIELDS); /* no authority */
    assert_int_equal(h2_conn_push(c, parent, get + 1, 3, NULL, &id), H2_ERR_FIELDS);
    assert_int_equal(h2_conn_push(c, parent, get, 4, NULL, &id), H2_OK);
    assert_int_equal(h2_conn_push(c, parent, head, 4, NULL, &second), H2_OK);
    assert_int_equal(id, 2);
    assert_int_equal(second, 4);
    answer(&server, id, "200", false);
    assert_int_equal(h2_conn_push(c, id, get, 4, NULL, &second), H2_ERR_STREAM_STATE);
    answer(&server, parent, "200", true);
    assert_int_equal(h2_conn_push(c, parent, get, 4, NULL, &second), H2_ERR_STREAM_CLOSED);
    parent = ask(&client, &server, false);
    answer(&server, parent, "200", true); /* half closed (local) */
    assert_int_equal(h2_conn_push(c, parent, get, 4, NULL, &second), H2_ERR_STREAM_STATE);
    converse(&client, &server);
    assert_int_equal(client.fail.error, H2_OK);
    part(&client, &server);
}

static void nothing_is_promised_when_push_is_off_or_goaway_came(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    struct h2_field get[] = GET("GET");
    struct h2_setting_value off = {H2_SETTINGS_ENABLE_PUSH, 0};
    uint32_t id;
    meet(&client, &server);
    uint32_t parent = ask(&client, &server, true);
    assert_int_equal(h2_conn_update_settings(client.c, &off, 1), H2_OK);
    converse(&client, &server);
    assert_int_equal(h2_conn_push(server.c, parent, get, 4, NULL, &id), H2_ERR_UNSUPPORTED);
    part(&client, &server);

    meet(&client, &server);
    parent = ask(&client, &server, true);
    assert_int_equal(h2_conn_shutdown(client.c), H2_OK);
    converse(&client, &server);
    assert_int_equal(h2_conn_push(server.c, parent, get, 4, NULL, &id), H2_ERR_GOAWAY);
    part(&client, &server);
}

/* RFC 9113, 8.4.1: a promise counts as a stream from its HEADERS on. */
static void a_client_limits_what_is_pushed(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    struct h2_field get[] = GET("GET");
    struct h2_setting_value one = {H2_SETTINGS_MAX_CONCURRENT_STREAMS, 1};
    struct h2_field ok[] = {field_of(":status", "200")};
    uint32_t a;
    uint32_t b;
    meet(&client, &server);
    uint32_t parent = ask(&client, &server, true);
    assert_int_equal(h2_conn_push(server.c, parent, get, 4, NULL, &a), H2_OK);
    assert_int_equal(h2_conn_push(server.c, parent, get, 4, NULL, &b), H2_OK);
    converse(&client, &server);
    assert_int_equal(h2_conn_update_settings(client.c, &one, 1), H2_OK);
    converse(&client, &server);
    answer(&server, a, "200", false);
    assert_int_equal(h2_conn_respond(server.c, b, ok, 1, false), H2_ERR_STREAM_LIMIT);
    assert_int_equal(h2_conn_end_stream(server.c, a), H2_OK);
    answer(&server, b, "200", false);
    converse(&client, &server);
    assert_int_equal(client.fail.error, H2_OK);
    part(&client, &server);
}

/* ---------------------------------------------------------------- 4.3.1: the peer's table */

static void a_smaller_table_is_admitted_in_the_next_block(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    meet(&client, &server);
    uint32_t id = ask(&client, &server, true);
    struct h2_field head[] = {field_of(":status", "200"), field_of("x-a", "some value")};
    assert_int_equal(h2_conn_respond(server.c, id, head, 2, true), H2_OK);
    take(&server, NULL);
    hear(&server, H2_FRAME_SETTINGS, 0, 0, "\0\1\0\0\0\0\0\1\0\0\0\x20", 12); /* 0, then 32 */
    hear(&server, H2_FRAME_HEADERS, 0x5, 3, "\x82\x87\x84\xbe", 4); /* :authority of before */
    answer(&server, 3, "200", true);
    take(&server, NULL);
    /* SETTINGS acknowledged, then a block that begins with the sizes 0 and 32. */
    assert_memory_equal(server.wire.first,
                        "\0\0\0\4\1\0\0\0\0"
                        "\0\0\4\1\5\0\0\0\3\x20\x3f\x01\x88",
                        22);
    part(&client, &server);
}

/* ---------------------------------------------------------------- 6.5.2: what may be announced */

static void settings_that_may_not_be_sent(void **state)
{
    (void)state;
    static const struct {
        enum h2_role role;
        struct h2_setting_value value;
        enum h2_error error;
    } cases[] = {
        {H2_SERVER, {H2_SETTINGS_ENABLE_PUSH, 1}, H2_ERR_SETTING},
        {H2_SERVER, {H2_SETTINGS_ENABLE_PUSH, 0}, H2_OK},
        {H2_CLIENT, {H2_SETTINGS_ENABLE_PUSH, 2}, H2_ERR_SETTING},
        {H2_CLIENT, {H2_SETTINGS_ENABLE_PUSH, 1}, H2_OK},
        {H2_SERVER, {H2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000}, H2_ERR_SETTING},
        {H2_SERVER, {H2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff}, H2_OK},
        {H2_SERVER, {H2_SETTINGS_MAX_FRAME_SIZE, 16383}, H2_ERR_SETTING},
        {H2_SERVER, {H2_SETTINGS_MAX_FRAME_SIZE, 16777216}, H2_ERR_SETTING},
        {H2_CLIENT, {H2_SETTINGS_MAX_FRAME_SIZE, 16777215}, H2_OK},
        {H2_SERVER, {H2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 2}, H2_ERR_SETTING},
        {H2_SERVER, {H2_SETTINGS_NO_RFC7540_PRIORITIES, 0}, H2_ERR_SETTING},
        {H2_SERVER, {H2_SETTINGS_NO_RFC7540_PRIORITIES, 1}, H2_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct h2_options opts;
        h2_options_init(&opts);
        struct h2_conn *c = h2_conn_new(cases[i].role, &opts);
        size_t before = h2_conn_output_len(c);
        assert_int_equal(h2_conn_update_settings(c, &cases[i].value, 1), cases[i].error);
        assert_int_equal(h2_conn_output_len(c) > before, cases[i].error == H2_OK);
        h2_conn_free(c);
    }
}

/* RFC 9113, 6.5.3: each acknowledgement is for the oldest frame that has none. */
static void settings_come_into_force_in_order(void **state)
{
    (void)state;
    struct h2_setting_value first = {H2_SETTINGS_MAX_FRAME_SIZE, 20000};
    struct h2_setting_value second = {H2_SETTINGS_MAX_FRAME_SIZE, 30000};
    struct end client;
    struct end server;
    meet(&client, &server);
    assert_int_equal(h2_conn_update_settings(server.c, &first, 1), H2_OK);
    assert_int_equal(h2_conn_update_settings(server.c, &second, 1), H2_OK);
    assert_int_equal(h2_conn_local_setting(server.c, H2_SETTINGS_MAX_FRAME_SIZE), 16384);
    hear(&server, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, "", 0);
    assert_int_equal(h2_conn_local_setting(server.c, H2_SETTINGS_MAX_FRAME_SIZE), 20000);
    hear(&server, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, "", 0);
    assert_int_equal(h2_conn_local_setting(server.c, H2_SETTINGS_MAX_FRAME_SIZE), 30000);
    assert_true(h2_conn_settings_acked(server.c));
    hear(&server, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, "", 0);
    assert_int_equal(server.last, H2_EVENT_FAILED);
    part(&client, &server);
}

/* ---------------------------------------------------------------- 6.4, 6.8, 6.9 */

static void nothing_is_sent_on_streams_that_are_not_there(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    meet(&client, &server);
    struct h2_conn *c = server.c;
    for (uint32_t id = 0; id < 3; id++) { /* 0, idle, idle and ours */
        assert_int_equal(h2_conn_reset(c, id, H2_CANCEL), H2_ERR_NO_STREAM);
        assert_int_equal(h2_conn_send_data(c, id, "x", 1, 0, false), H2_ERR_NO_STREAM);
        assert_int_equal(h2_conn_end_stream(c, id), H2_ERR_NO_STREAM);
    }
    assert_int_equal(h2_conn_update_window(c, 1, 1), H2_ERR_NO_STREAM);
    assert_int_equal(h2_conn_update_window(c, 2, 1), H2_ERR_NO_STREAM);
    uint32_t id = ask(&client, &server, true);
    answer(&server, id, "200", true);
    converse(&client, &server);
    assert_int_equal(h2_conn_update_window(c, id, 1), H2_ERR_STREAM_CLOSED);
    assert_int_equal(h2_conn_reset(c, id, H2_CANCEL), H2_ERR_STREAM_CLOSED);
    assert_false(h2_conn_wants_send(c));
    part(&client, &server);
}

static void the_last_stream_id_of_goaway_never_grows(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    meet(&client, &server);
    uint32_t id = ask(&client, &server, true);
    assert_int_equal(h2_conn_shutdown_notice(server.c), H2_OK);
    assert_int_equal(h2_conn_shutdown(server.c), H2_OK);
    take(&server, NULL);
    assert_int_equal(server.wire.last_goaway, id);
    hear(&server, H2_FRAME_HEADERS, 0x5, id + 2, "\x82\x87\x84\xbe", 4);
    assert_int_equal(h2_conn_shutdown_notice(server.c), H2_OK);
    assert_int_equal(h2_conn_close(server.c, H2_NO_ERROR, id + 2, NULL, 0), H2_OK);
    take(&server, NULL);
    assert_int_equal(server.wire.seen[H2_FRAME_GOAWAY], 3);
    assert_int_equal(server.wire.last_goaway, id);
    part(&client, &server);

    meet(&client, &server); /* and a failure, with its own GOAWAY */
    ask(&client, &server, true);
    assert_int_equal(h2_conn_shutdown(server.c), H2_OK);
    hear(&server, H2_FRAME_HEADERS, 0x5, 3, "\x82\x87\x84\xbe", 4);
    hear(&server, H2_FRAME_PING, 0, 0, "x", 1);
    assert_int_equal(server.last, H2_EVENT_FAILED);
    take(&server, NULL);
    assert_int_equal(server.wire.last_goaway, 1);
    part(&client, &server);
}

static void no_window_is_announced_past_its_end(void **state)
{
    (void)state;
    struct end client;
    struct end server;
    struct h2_setting_value most = {H2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff};
    meet(&client, &server);
    uint32_t id = ask(&client, &server, false);
    assert_int_equal(h2_conn_update_window(server.c, id, 0), H2_ERR_VALUE);
    assert_int_equal(h2_conn_update_window(server.c, 0, 0x80000000), H2_ERR_VALUE);
    assert_int_equal(h2_conn_update_window(server.c, 0, H2_MAX_WINDOW - 65535), H2_OK);
    assert_int_equal(h2_conn_update_window(server.c, 0, 1), H2_ERR_FLOW_CONTROL);
    assert_int_equal(h2_conn_update_window(server.c, id, 1), H2_OK);
    assert_int_equal(h2_conn_update_settings(server.c, &most, 1), H2_ERR_FLOW_CONTROL);
    converse(&client, &server);
    assert_int_equal(client.fail.error, H2_OK);
    part(&client, &server);
}

static void no_data_beyond_windows_or_frames(void **state)
{
    (void)state;
    static const uint8_t body[16385];
    struct end client;
    struct end server;
    meet(&client, &server);
    uint32_t id = ask(&client, &server, false);
    struct h2_conn *c = client.c;
    assert_int_equal(h2_conn_send_data(c, id, body, 16385, H2_NO_PADDING, false),
                     H2_ERR_FRAME_SIZE);
    assert_int_equal(h2_conn_send_data(c, id, body, 16384, 0, false), H2_ERR_FRAME_SIZE);
    assert_int_equal(h2_conn_send_data(c, id, body, 1, 256, false), H2_ERR_VALUE);
    assert_int_equal(h2_conn_extension_frame(c, 0xfa, 0, 0, body, 16385), H2_ERR_FRAME_SIZE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(h2_conn_send_data(c, id, body, 16384, H2_NO_PADDING, false), H2_OK);
    }
    assert_int_equal(h2_conn_send_data(c, id, body, 16384, H2_NO_PADDING, false),
                     H2_ERR_FLOW_CONTROL);
    assert_int_equal(h2_conn_send_data(c, id, body, 16382, 1, false), H2_ERR_FLOW_CONTROL);
    assert_int_equal(h2_conn_send_data(c, id, body, 16381, 1, false),
                     H2_OK); /* to the last octet */
    assert_int_equal(h2_conn_send_window(c, id), 0);
    assert_int_equal(h2_conn_send_data(c, id, body, 0, 0, false), H2_ERR_FLOW_CONTROL);
    assert_int_equal(h2_conn_send_data(c, id, body, 0, H2_NO_PADDING, true), H2_OK); /* 6.9.1 */
    converse(&client, &server);
    assert_int_equal(server.fail.error, H2_OK);
    part(&client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_sent_is_well_formed),
        cmocka_unit_test(only_headers_and_rst_stream_are_sent_on_a_reserved_stream),
        cmocka_unit_test(what_may_come_on_a_reserved_stream),
        cmocka_unit_test(what_may_be_promised_and_where),
        cmocka_unit_test(nothing_is_promised_when_push_is_off_or_goaway_came),
        cmocka_unit_test(a_client_limits_what_is_pushed),
        cmocka_unit_test(a_smaller_table_is_admitted_in_the_next_block),
        cmocka_unit_test(settings_that_may_not_be_sent),
        cmocka_unit_test(settings_come_into_force_in_order),
        cmocka_unit_test(nothing_is_sent_on_streams_that_are_not_there),
        cmocka_unit_test(the_last_stream_id_of_goaway_never_grows),
        cmocka_unit_test(no_window_is_announced_past_its_end),
        cmocka_unit_test(no_data_beyond_windows_or_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
