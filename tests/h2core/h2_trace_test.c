/* The trace hook: a record for each frame of either direction and for each change of a state. */
#include "h2_script.h"

#include "h2_internal.h"

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT

static void traced(struct h2_options *opts)
{
    opts->trace = script_trace;
}

static void traced_with_push(struct h2_options *opts)
{
    opts->trace = script_trace;
    opts->enable_push = true;
}

static void traced_and_told(struct h2_options *opts)
{
    opts->trace = script_trace;
    opts->mute = 0;
}

/* clang-format off */
static const struct script_case cases[] = {
    {"a_request_and_its_response", SERVER, "POST 1\nDATA 1 - text hello\nDATA 1 PAD+ES hex 02 61 0000\n!respond 1 :status=103\n!respond 1 :status=200\n!data 1 3\n!send 1 3 5\n!padded 1 3 4\n!trailers 1 x=y", "~ got HEADERS 1 flags 4 length 13\n~ 1: idle -> open\nREQUEST 1\n~ got DATA 1 flags 0 length 5 no payload\n~ got DATA 1 flags 9 length 4 no payload\n~ 1: open -> half closed (remote)\nDATA 1 6 flow 9 end\n~ sent HEADERS 1 flags 4 length 4\n> HEADERS 1\n~ sent HEADERS 1 flags 4 length 1\n> HEADERS 1\n~ sent DATA 1 flags 0 length 3 no payload\n> DATA 1 3\n~ sent DATA 1 flags 8 length 9\n> DATA 1 9 pad 5\n~ sent DATA 1 flags 8 length 8 no payload\n> DATA 1 8 pad 4\n~ sent HEADERS 1 flags 5 length 5\n~ 1: half closed (remote) -> closed (ended)\n> HEADERS 1 end\n", traced, 0},
    {"a_clients_request_and_its_response", CLIENT, "!request\n!data 1 3 end\nHEADERS 1 EH fields :status=103\nOK 1\nDATA 1 ES", "~ 1: idle (ours) -> open\n~ sent HEADERS 1 flags 4 length 13\n> HEADERS 1\n~ sent DATA 1 flags 1 length 3 no payload\n~ 1: open -> half closed (local)\n> DATA 1 3 end\n~ got HEADERS 1 flags 4 length 4\nINFORMATIONAL 1 103\n~ got HEADERS 1 flags 4 length 1\nRESPONSE 1 200\n~ got DATA 1 flags 1 length 0 no payload\n~ 1: half closed (local) -> closed (ended)\nDATA 1 0 end\n", traced, 0},
    {"a_promise_received", CLIENT, "!request end\nPROMISE 1 2 :method=GET|:scheme=https|:path=/|:authority=a\nOKEND 2\nPROMISE 1 4 :method=GET|:scheme=https|:path=/|:authority=a\nRST_STREAM 4 - u32 8\nPROMISE 1 6 :method=GET|:scheme=https|:path=/|:authority=a\n!reset 6 CANCEL", "~ 1: idle (ours) -> open\n~ sent HEADERS 1 flags 5 length 13\n~ 1: open -> half closed (local)\n> HEADERS 1 end\n~ got PUSH_PROMISE 1 flags 4 length 10\n~ 2: idle (to be promised) -> reserved (remote)\nPUSH 1 2\n~ got HEADERS 2 flags 5 length 1\n~ 2: reserved (remote) -> half closed (local)\n~ 2: half closed (local) -> closed (ended)\nRESPONSE 2 end 200\n~ got PUSH_PROMISE 1 flags 4 length 8\n~ 4: idle (to be promised) -> reserved (remote)\nPUSH 1 4\n~ got RST_STREAM 4 flags 0 length 4\n~ 4: reserved (remote) -> closed (reset received)\nRESET 4 peer CANCEL\n~ got PUSH_PROMISE 1 flags 4 length 8\n~ 6: idle (to be promised) -> reserved (remote)\nPUSH 1 6\n~ sent RST_STREAM 6 flags 0 length 4\n~ 6: reserved (remote) -> closed (reset sent)\n> RST_STREAM 6 CANCEL\n", traced_with_push, 0},
    {"a_promise_sent", SERVER, "GET 1\n!push 1\n!respond 2 :status=200\n!end 2\n!push 1\n!reset 4 CANCEL\n!push 1\nRST_STREAM 6 - u32 8", "~ got HEADERS 1 flags 5 length 13\n~ 1: idle -> open\n~ 1: open -> half closed (remote)\nREQUEST 1 end\n~ 2: idle (ours) -> reserved (local)\n~ sent PUSH_PROMISE 1 flags 4 length 17\n> PUSH_PROMISE 1 2\n~ sent HEADERS 2 flags 4 length 1\n~ 2: reserved (local) -> half closed (remote)\n> HEADERS 2\n~ sent DATA 2 flags 1 length 0\n~ 2: half closed (remote) -> closed (ended)\n> DATA 2 0 end\n~ 4: idle (ours) -> reserved (local)\n~ sent PUSH_PROMISE 1 flags 4 length 8\n> PUSH_PROMISE 1 4\n~ sent RST_STREAM 4 flags 0 length 4\n~ 4: reserved (local) -> closed (reset sent)\n> RST_STREAM 4 CANCEL\n~ 6: idle (ours) -> reserved (local)\n~ sent PUSH_PROMISE 1 flags 4 length 8\n> PUSH_PROMISE 1 6\n~ got RST_STREAM 6 flags 0 length 4\n~ 6: reserved (local) -> closed (reset received)\nRESET 6 peer CANCEL\n  user pushed\n", traced, 0},
    {"a_block_in_pieces", SERVER, "SPLIT 1 ES 5 :method=GET|:scheme=https|:path=/|:authority=a", "~ got HEADERS 1 flags 1 length 5\n~ got CONTINUATION 1 flags 4 length 1\n~ 1: idle -> open\n~ 1: open -> half closed (remote)\nREQUEST 1 end\n", traced, 0},
    {"frames_that_are_ignored", SERVER, "0b 0 - text hello\nALTSVC 0 - hex 0001 61\nRST_STREAM 0\n", "~ got UNKNOWN 0 flags 0 length 5 no payload\n~ got ALTSVC 0 flags 0 length 3 no payload\n~ got RST_STREAM 0 flags 0 length 0 no payload\n~ 0: open -> failed\n~ sent GOAWAY 0 flags 0 length 55\n~ 0: failed -> closed\nFAILED PROTOCOL_ERROR: RST_STREAM on a stream id that it must not have\n> GOAWAY 0 PROTOCOL_ERROR RST_STREAM on a stream id that it must not have\n", traced, 0},
    {"an_unknown_frame_that_is_told", SERVER, "0b 0 - text hello\n0b 0", "~ got UNKNOWN 0 flags 0 length 5\nUNKNOWN 0 type 11 flags 0 'hello'\n~ got UNKNOWN 0 flags 0 length 0\nUNKNOWN 0 type 11 flags 0 ''\n", traced_and_told, 0},
    {"a_frame_that_is_refused_by_its_header", SERVER, "BYTES ffffff 00 01 00000001", "~ got DATA 1 flags 1 length 16777215 no payload\n~ 0: open -> failed\n~ sent GOAWAY 0 flags 0 length 51\n~ 0: failed -> closed\nFAILED FRAME_SIZE_ERROR: a frame longer than SETTINGS_MAX_FRAME_SIZE\n> GOAWAY 0 FRAME_SIZE_ERROR a frame longer than SETTINGS_MAX_FRAME_SIZE\n", traced, 0},
    {"a_stream_that_is_refused_had_no_state", SERVER, "HEADERS 1 ES+EH fields x=y\nGET 3", "~ got HEADERS 1 flags 5 length 5\n~ sent RST_STREAM 1 flags 0 length 4\nRESET 1 us PROTOCOL_ERROR: no :method\n~ got HEADERS 3 flags 5 length 13\n~ 3: idle -> open\n~ 3: open -> half closed (remote)\nREQUEST 3 end\n> RST_STREAM 1 PROTOCOL_ERROR\n", traced, 0},
    {"streams_that_goaway_refuses", CLIENT, "!request\nGOAWAY 0 - u32 0,0", "~ 1: idle (ours) -> open\n~ sent HEADERS 1 flags 4 length 13\n> HEADERS 1\n~ got GOAWAY 0 flags 0 length 8\n~ 0: open -> goaway received\nGOAWAY 0 NO_ERROR \n~ 1: open -> closed (reset received)\nRESET 1 peer REFUSED_STREAM\n  user a\n", traced, 0},
    {"what_is_said_beside_messages", CLIENT, "!ping\n!prio 1 0 16\n!pupdate 1 u=1\n!ext 0b 1 0 x\n!settings 4=1\n!update 0 1\n!notice\n!close NO_ERROR told", "~ sent PING 0 flags 0 length 8\n> PING 12345678\n~ sent PRIORITY 1 flags 0 length 5\n> PRIORITY 1 00000000 15\n~ sent PRIORITY_UPDATE 0 flags 0 length 7\n> PRIORITY_UPDATE 0 1 u=1\n~ sent UNKNOWN 0 flags 1 length 1\n> type 11 id 0 flags 1 x\n~ sent SETTINGS 0 flags 0 length 6\n> SETTINGS 4=1\n~ sent WINDOW_UPDATE 0 flags 0 length 4\n> WINDOW_UPDATE 0 1\n~ sent GOAWAY 0 flags 0 length 8\n> GOAWAY 2147483647 NO_ERROR \n~ sent GOAWAY 0 flags 0 length 8\n~ 0: open -> closed\n> GOAWAY 0 NO_ERROR \n", traced, 0},
    {"what_a_server_says_beside_messages", SERVER, "!altsvc 0 https://a clear\n!origin https://a\nPING 0 - text abcdefgh\nSETTINGS 0 - set 4=1", "~ sent ALTSVC 0 flags 0 length 16\n> type 10 id 0 flags 0 0009https://aclear\n~ sent ORIGIN 0 flags 0 length 11\n> type 12 id 0 flags 0 0009https://a\n~ got PING 0 flags 0 length 8\n~ sent PING 0 flags 1 length 8\n~ got SETTINGS 0 flags 0 length 6\n~ sent SETTINGS 0 flags 1 length 0\nSETTINGS\n> PING ack abcdefgh\n> SETTINGS ack\n", traced, 0},
    {"an_upgrade", SERVER, "!upgrade -\n!respond 1 end :status=200", "~ sent SETTINGS 0 flags 0 length 18\n> SETTINGS 3=100 6=65536 9=1\n~ 1: idle -> half closed (remote)\n~ sent HEADERS 1 flags 5 length 1\n~ 1: half closed (remote) -> closed (ended)\n> HEADERS 1 end\n", traced, true},
};
/* clang-format on */

static void records_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

/* ---------------------------------------------------------------- payloads */

struct log {
    uint8_t octets[100000];
    size_t len;
    bool sent; /* the kind that is kept */
};

/* Writes frames down again, as they are on the wire. */
static void keep(void *ctx, const struct h2_trace *t)
{
    struct log *log = ctx;
    if (t->kind != (log->sent ? H2_TRACE_FRAME_SENT : H2_TRACE_FRAME_RECEIVED)) {
        return;
    }
    assert_true(log->len + H2_FRAME_HEADER_LEN + t->length <= sizeof(log->octets));
    h2_put_frame_header(log->octets + log->len, t->length, t->type, t->flags, t->stream_id);
    log->len += H2_FRAME_HEADER_LEN;
    if (t->length > 0) {
        assert_non_null(t->payload);
        memcpy(log->octets + log->len, t->payload, t->length);
        log->len += t->length;
    }
}

static struct h2_conn *logging(enum h2_role role, struct log *log, bool sent)
{
    struct h2_options opts;
    h2_options_init(&opts);
    log->len = 0;
    log->sent = sent;
    opts.trace = keep;
    opts.trace_ctx = log;
    struct h2_conn *c = h2_conn_new(role, &opts);
    assert_non_null(c);
    return c;
}

static void what_is_sent_is_recorded_to_its_last_octet(void **state)
{
    (void)state;
    static struct log log;
    static char value[40000];
    static uint8_t out[100000];
    struct h2_conn *c = logging(H2_CLIENT, &log, true);
    memset(value, '~', sizeof(value)); /* two CONTINUATION frames */
    struct h2_field fields[] = {
        {":method", "PUT", 7, 3, 0, 0},       {":scheme", "https", 7, 5, 0, 0},
        {":path", "/", 5, 1, 0, 0},           {":authority", "a", 10, 1, 0, 0},
        {"x", value, 1, sizeof(value), 0, 0},
    };
    uint32_t id;
    struct h2_priority priority = {0, 16, false};
    struct h2_setting_value setting = {H2_SETTINGS_INITIAL_WINDOW_SIZE, 1};
    assert_int_equal(h2_conn_request_with_priority(c, fields, 5, false, &priority, NULL, &id),
                     H2_OK);
    assert_int_equal(h2_conn_send_data(c, id, value, 1000, 200, true), H2_OK);
    assert_int_equal(h2_conn_update_settings(c, &setting, 1), H2_OK);
    assert_int_equal(h2_conn_priority_update(c, id, "u=1", 3), H2_OK);
    assert_int_equal(h2_conn_extension_frame(c, 0xbb, 7, 9, value, 100), H2_OK);
    assert_int_equal(h2_conn_extension_frame(c, 0xbb, 7, 9, NULL, 0), H2_OK);
    assert_int_equal(h2_conn_close(c, H2_CANCEL, 0, "why", 3), H2_OK);
    size_t n = h2_conn_send(c, out, sizeof(out));
    assert_int_equal(n, H2_PREFACE_LEN + log.len);
    assert_memory_equal(out + H2_PREFACE_LEN, log.octets, log.len);
    h2_conn_free(c);
}

/* However it is cut, but for DATA and what is ignored, which are not kept. */
static void what_is_received_is_recorded_to_its_last_octet(void **state)
{
    (void)state;
    static struct log log;
    static const uint8_t wire[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                  "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\5"
                                  "\0\0\0\4\1\0\0\0\0"
                                  "\0\0\3\1\1\0\0\0\1\x82\x87\x84"
                                  "\0\0\3\x9\4\0\0\0\1\x41\1a"
                                  "\0\0\x8\6\0\0\0\0\0abcdefgh"
                                  "\0\0\4\x42\1\0\0\0\0test"
                                  "\0\0\5\2\0\0\0\0\1\0\0\0\0\1"
                                  "\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for (size_t piece = 1; piece < sizeof(wire); piece++) {
        struct h2_conn *c = logging(H2_SERVER, &log, false);
        for (size_t at = 0; at < sizeof(wire) - 1; at += piece) {
            size_t left = sizeof(wire) - 1 - at;
            struct h2_event ev;
            h2_conn_feed(c, wire + at, left < piece ? left : piece);
            while (h2_conn_next_event(c, 0, &ev)) {
                assert_int_not_equal(ev.type, H2_EVENT_FAILED);
            }
        }
        assert_int_equal(log.len, sizeof(wire) - 1 - H2_PREFACE_LEN);
        assert_memory_equal(log.octets, wire + H2_PREFACE_LEN, log.len);
        h2_conn_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_from_outside),
        cmocka_unit_test(what_is_sent_is_recorded_to_its_last_octet),
        cmocka_unit_test(what_is_received_is_recorded_to_its_last_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
