/* The stream states: the tables walked exhaustively, and each state reached and poked at from
 * outside. */
#include "h2_script.h"

#include "h2_internal.h"

static void every_entry_leads_somewhere_sensible(void **state)
{
    (void)state;
    unsigned accepted = 0;
    for (unsigned st = 0; st < H2_STATE_COUNT; st++) {
        for (unsigned input = 0; input < H2_INPUT_COUNT; input++) {
            const struct h2_move *m = h2_state_move(st, input);
            switch (m->verdict) {
            case H2_ACCEPT:
                accepted++;
                assert_true(m->next < H2_STATE_COUNT);
                assert_true(m->next != H2_STATE_IDLE && m->next != H2_STATE_IDLE_OURS);
                assert_true(m->next < H2_STATE_CLOSED_FORGOTTEN);
                assert_null(m->fail.why);
                break;
            case H2_REJECT:
                assert_true(input < H2_RX_INPUTS);
                assert_non_null(m->fail.why);
                assert_true(m->fail.scope == H2_SCOPE_CONN || m->fail.scope == H2_SCOPE_STREAM);
                assert_true(m->fail.code != H2_NO_ERROR);
                break;
            case H2_IGNORE: /* only what may have been on its way */
                assert_true(st > H2_STATE_HALF_CLOSED_REMOTE && input < H2_RX_INPUTS);
                break;
            case H2_ERROR: /* END_STREAM is asked for only after an accepted frame */
                assert_true(input >= H2_RX_INPUTS || input == H2_RX_END);
                break;
            }
        }
    }
    assert_int_equal(accepted,
                     1 + 1 + 2 + 2 + 6 + 6 + 2 /* received */ + 2 + 2 + 1 + 6 + 1 + 6 /* sent */);
}

static void closed_states_accept_nothing(void **state)
{
    (void)state;
    for (unsigned st = H2_STATE_CLOSED_ENDED; st < H2_STATE_COUNT; st++) {
        for (unsigned input = 0; input < H2_INPUT_COUNT; input++) {
            assert_true(h2_state_move(st, input)->verdict != H2_ACCEPT);
        }
    }
}

static void a_reset_closes_every_live_state(void **state)
{
    (void)state;
    for (unsigned st = 0; st < H2_STATE_COUNT; st++) {
        const struct h2_move *rx = h2_state_move(st, H2_RX_RST);
        const struct h2_move *tx = h2_state_move(st, H2_TX_RST);
        if (h2_state_is_live(st)) {
            assert_int_equal(rx->next, H2_STATE_CLOSED_RESET_RECEIVED);
            assert_int_equal(tx->next, H2_STATE_CLOSED_RESET_SENT);
        } else {
            assert_true(rx->verdict != H2_ACCEPT && tx->verdict != H2_ACCEPT);
        }
    }
}

static void every_state_has_a_name(void **state)
{
    (void)state;
    for (unsigned a = 0; a < H2_STATE_COUNT; a++) {
        for (unsigned b = 0; b < a; b++) {
            assert_string_not_equal(h2_stream_state_name(a), h2_stream_state_name(b));
        }
    }
    for (unsigned a = 0; a < H2_INPUT_COUNT; a++) {
        for (unsigned b = 0; b < a; b++) {
            assert_string_not_equal(h2_input_name(a), h2_input_name(b));
        }
    }
}

/* clang-format off */
static const struct script_case cases[] = {
    {"data_on_idle_is_protocol_error", H2_SERVER, "DATA 1 - text x",
     "FAILED PROTOCOL_ERROR: DATA on an idle stream\n"
     "> GOAWAY 0 PROTOCOL_ERROR DATA on an idle stream\n", 0, 0},
    {"rst_stream_on_idle_is_protocol_error", H2_SERVER, "RST_STREAM 1 - u32 8",
     "FAILED PROTOCOL_ERROR: RST_STREAM on an idle stream\n"
     "> GOAWAY 0 PROTOCOL_ERROR RST_STREAM on an idle stream\n", 0, 0},
    {"window_update_on_idle_is_protocol_error", H2_SERVER, "WINDOW_UPDATE 1 - u32 8",
     "FAILED PROTOCOL_ERROR: WINDOW_UPDATE on an idle stream\n"
     "> GOAWAY 0 PROTOCOL_ERROR WINDOW_UPDATE on an idle stream\n", 0, 0},
    {"priority_on_idle_is_ignored", H2_SERVER, "PRIORITY 1 - hex 00000003 10\nPRIORITY 2 - hex 00000003 10\nGET 1",
     "REQUEST 1 end\n", 0, 0},
    {"an_even_id_is_not_the_clients_to_open", H2_SERVER, "GET 2",
     "FAILED PROTOCOL_ERROR: HEADERS on a stream that is not the peer's to open\n"
     "> GOAWAY 0 PROTOCOL_ERROR HEADERS on a stream that is not the peer's to open\n", 0, 0},
    {"a_server_opens_no_stream", H2_CLIENT, "OK 1",
     "FAILED PROTOCOL_ERROR: HEADERS on a stream that is not the peer's to open\n"
     "> GOAWAY 0 PROTOCOL_ERROR HEADERS on a stream that is not the peer's to open\n", 0, 0},
    {"a_server_opens_no_even_stream", H2_CLIENT, "OK 2",
     "FAILED PROTOCOL_ERROR: HEADERS on a stream that is not the peer's to open\n"
     "> GOAWAY 0 PROTOCOL_ERROR HEADERS on a stream that is not the peer's to open\n", 0, 0},
    {"a_lower_id_that_was_skipped_is_protocol_error", H2_SERVER, "GET 5\nGET 3",
     "REQUEST 5 end\nFAILED PROTOCOL_ERROR: HEADERS on a stream id lower than one used before\n"
     "> GOAWAY 5 PROTOCOL_ERROR HEADERS on a stream id lower than one used before\n", 0, 0},
    {"frames_on_a_skipped_id_are_on_a_closed_stream", H2_SERVER,
     "GET 5\nWINDOW_UPDATE 3 - u32 1\nRST_STREAM 3 - u32 0\nDATA 3 - text x",
     "REQUEST 5 end\n", 0, 0},

    {"data_on_half_closed_remote_is_stream_closed", H2_SERVER, "GET 1\n!user 1\nDATA 1 - text x\nDATA 1 - text y",
     "REQUEST 1 end\nRESET 1 us STREAM_CLOSED: DATA after END_STREAM\n  user someone\n"
     "> RST_STREAM 1 STREAM_CLOSED\n", 0, 0},
    {"headers_on_half_closed_remote_is_stream_closed", H2_SERVER, "GET 1\nHEADERS 1 ES+EH fields x=y",
     "REQUEST 1 end\nRESET 1 us STREAM_CLOSED: HEADERS after END_STREAM\n"
     "> RST_STREAM 1 STREAM_CLOSED\n", 0, 0},
    {"window_update_on_half_closed_remote_is_taken", H2_SERVER,
     "GET 1\n!respond 1 :status=200\n!data 1 65535\nWINDOW_UPDATE 0 - u32 9\nWINDOW_UPDATE 1 - u32 5\n!data 1 6",
     "REQUEST 1 end\n> HEADERS 1\n> DATA 1 16384\n> DATA 1 16384\n> DATA 1 16384\n> DATA 1 16383\n"
     "> DATA 1 5\n= 1 stay\n", 0, 0},
    {"rst_stream_on_half_closed_remote_closes", H2_SERVER, "GET 1\nRST_STREAM 1 - u32 8\n!respond 1 end :status=200",
     "REQUEST 1 end\nRESET 1 peer CANCEL\n= STREAM_CLOSED\n", 0, 0},

    {"half_closed_local_still_receives", H2_SERVER,
     "POST 1\n!respond 1 end :status=200\nDATA 1 - text hello\nWINDOW_UPDATE 1 - u32 1\nDATA 1 ES text you",
     "REQUEST 1\n> HEADERS 1 end\nDATA 1 8 end\n", 0, 0},
    {"half_closed_local_sends_nothing", H2_SERVER,
     "POST 1\n!respond 1 end :status=200\n!respond 1 end :status=200\n!end 1\n!trailers 1 a=b",
     "REQUEST 1\n> HEADERS 1 end\n= STREAM_STATE\n"
     "= STREAM_STATE\n= STREAM_STATE\n", 0, 0},
    {"half_closed_local_can_be_reset", H2_SERVER, "POST 1\n!respond 1 end :status=200\n!reset 1 NO_ERROR\nDATA 1 ES text x",
     "REQUEST 1\n> HEADERS 1 end\n> RST_STREAM 1 NO_ERROR\n", 0, 0},

    {"data_on_an_ended_stream_is_a_connection_error", H2_SERVER, "GET 1\n!respond 1 end :status=200\nDATA 1 - text x",
     "REQUEST 1 end\n> HEADERS 1 end\nFAILED STREAM_CLOSED: DATA on a closed stream\n"
     "> GOAWAY 1 STREAM_CLOSED DATA on a closed stream\n", 0, 0},
    {"headers_on_an_ended_stream_is_a_connection_error", H2_SERVER, "GET 1\n!respond 1 end :status=200\nGET 1",
     "REQUEST 1 end\n> HEADERS 1 end\nFAILED STREAM_CLOSED: HEADERS on a closed stream\n"
     "> GOAWAY 1 STREAM_CLOSED HEADERS on a closed stream\n", 0, 0},
    {"window_update_and_rst_stream_on_an_ended_stream_are_late", H2_SERVER,
     "GET 1\n!respond 1 end :status=200\nWINDOW_UPDATE 1 - u32 5\nRST_STREAM 1 - u32 8\nPRIORITY 1 - hex 00000000 00",
     "REQUEST 1 end\n> HEADERS 1 end\n", 0, 0},
    {"frames_after_our_reset_were_on_their_way", H2_SERVER,
     "POST 1\n!reset 1 CANCEL\nDATA 1 - text x\nHEADERS 1 ES+EH fields a=b\nWINDOW_UPDATE 1 - u32 1\nRST_STREAM 1 - u32 8\nGET 3",
     "REQUEST 1\n> RST_STREAM 1 CANCEL\nREQUEST 3 end\n", 0, 0},
    {"data_after_the_peers_reset_is_stream_closed_once", H2_SERVER,
     "POST 1\nRST_STREAM 1 - u32 8\nDATA 1 - text x\nDATA 1 - text x\nHEADERS 1 ES+EH fields a=b",
     "REQUEST 1\nRESET 1 peer CANCEL\nRESET 1 us STREAM_CLOSED: DATA after RST_STREAM\n"
     "> RST_STREAM 1 STREAM_CLOSED\n", 0, 0},
    {"headers_after_the_peers_reset_is_stream_closed", H2_SERVER,
     "POST 1\nRST_STREAM 1 - u32 8\nHEADERS 1 ES+EH fields a=b",
     "REQUEST 1\nRESET 1 peer CANCEL\nRESET 1 us STREAM_CLOSED: HEADERS after RST_STREAM\n"
     "> RST_STREAM 1 STREAM_CLOSED\n", 0, 0},

    {"a_response_closes_a_clients_stream", H2_CLIENT, "!request end\nOKEND 1\n!reset 1 CANCEL",
     "> HEADERS 1 end\nRESPONSE 1 end 200\n= STREAM_CLOSED\n", 0, 0},
    {"a_client_may_go_on_sending_after_the_response", H2_CLIENT, "!request\nOKEND 1\n!data 1 5 end",
     "> HEADERS 1\nRESPONSE 1 end 200\n> DATA 1 5 end\n", 0, 0},
    {"data_behind_the_end_of_a_response", H2_CLIENT, "!request\nOKEND 1\nDATA 1 - text x",
     "> HEADERS 1\nRESPONSE 1 end 200\nRESET 1 us STREAM_CLOSED: DATA after END_STREAM\n  user a\n"
     "> RST_STREAM 1 STREAM_CLOSED\n", 0, 0},
};
/* clang-format on */

/* ---------------------------------------------------------------- each state, each input */

/* The stream is SUBJECT where its opener has odd ids or is asked to answer, else PUSHED. On stream
 * 1 is a request all the time. */
#define SUBJECT 3u
#define PUSHED  2u
#define FRESH   40u /* promised by PUSH_PROMISE on the stream */

#define FEED(c, octets) feed(c, (const uint8_t *)(octets), sizeof(octets) - 1)

struct outcome {
    const char *reset; /* why we reset it */
    const char *failed;
    unsigned told; /* events about the stream but its reset */
};

static struct outcome feed(struct h2_conn *c, const uint8_t *octets, size_t len)
{
    struct outcome out = {0};
    struct h2_event ev;
    h2_conn_feed(c, octets, len);
    while (h2_conn_next_event(c, 0, &ev)) {
        if (ev.type == H2_EVENT_FAILED) {
            out.failed = ev.fail.why;
        } else if (ev.type == H2_EVENT_RESET && !ev.by_peer) {
            out.reset = ev.fail.why;
        } else if (ev.stream_id != 0) {
            out.told++;
        }
    }
    return out;
}

static struct outcome feed_frame(struct h2_conn *c, uint8_t type, uint8_t flags, uint32_t id,
                                 const void *payload, uint32_t len)
{
    static uint8_t frame[64];
    h2_put_frame_header(frame, len, type, flags, id);
    memcpy(frame + H2_FRAME_HEADER_LEN, payload, len);
    return feed(c, frame, H2_FRAME_HEADER_LEN + len);
}

static const struct h2_field get[] = {
    {":method", "GET", 7, 3, 0, 0},
    {":scheme", "https", 7, 5, 0, 0},
    {":path", "/", 5, 1, 0, 0},
    {":authority", "a", 10, 1, 0, 0},
};
static const struct h2_field ok = {":status", "200", 7, 3, 0, 0};

#define GET    "\x82\x87\x84\x41\1a"
#define OK     "\x88"
#define FIELD  "\0\1x\1y"
#define CANCEL "\0\0\0\x8"

#define ES 0x1
#define EH 0x4

static struct h2_conn *begin(enum h2_role role)
{
    struct h2_options opts;
    h2_options_init(&opts);
    opts.enable_push = role == H2_CLIENT;
    opts.mute = 0;
    struct h2_conn *c = h2_conn_new(role, &opts);
    assert_non_null(c);
    uint32_t id;
    if (role == H2_SERVER) {
        FEED(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        FEED(c, "\0\0\0\4\0\0\0\0\0");
        feed_frame(c, H2_FRAME_HEADERS, EH, 1, GET, 6);
    } else {
        FEED(c, "\0\0\0\4\0\0\0\0\0");
        assert_int_equal(h2_conn_request(c, get, 4, false, NULL, &id), H2_OK);
    }
    return c;
}

/* By the peer's HEADERS, or our request and the peer's response head. */
static void open_subject(struct h2_conn *c, bool they_end, bool we_end, bool head)
{
    uint32_t id;
    uint8_t flags = (uint8_t)(EH | (they_end ? ES : 0));
    if (c->role == H2_SERVER) {
        feed_frame(c, H2_FRAME_HEADERS, flags, SUBJECT, GET, 6);
        if (head || we_end) {
            assert_int_equal(h2_conn_respond(c, SUBJECT, &ok, 1, we_end), H2_OK);
        }
    } else {
        assert_int_equal(h2_conn_request(c, get, 4, we_end, NULL, &id), H2_OK);
        feed_frame(c, H2_FRAME_HEADERS, flags, SUBJECT, OK, 1);
    }
}

/* Brings a stream into a state and returns its id; 0: not in this role. */
static uint32_t reach(struct h2_conn *c, enum h2_stream_state st, bool head)
{
    bool server = c->role == H2_SERVER;
    uint32_t id = SUBJECT;
    switch (st) {
    case H2_STATE_IDLE:
        return server ? id : 0;
    case H2_STATE_IDLE_PUSHED:
        return server ? 0 : PUSHED;
    case H2_STATE_IDLE_OURS:
        return server ? PUSHED : id;
    case H2_STATE_RESERVED_LOCAL:
        if (server) {
            assert_int_equal(h2_conn_push(c, 1, get, 4, NULL, &id), H2_OK);
        }
        return server ? id : 0;
    case H2_STATE_RESERVED_REMOTE:
        if (!server) {
            feed_frame(c, H2_FRAME_PUSH_PROMISE, EH, 1, "\0\0\0\2" GET, 10);
        }
        return server ? 0 : PUSHED;
    case H2_STATE_OPEN:
        open_subject(c, false, false, head);
        return id;
    case H2_STATE_HALF_CLOSED_LOCAL:
        open_subject(c, false, true, head);
        return id;
    case H2_STATE_HALF_CLOSED_REMOTE:
        open_subject(c, true, false, head);
        return id;
    case H2_STATE_CLOSED_ENDED:
        open_subject(c, true, true, head);
        return id;
    case H2_STATE_CLOSED_RESET_SENT:
        open_subject(c, false, false, head);
        assert_int_equal(h2_conn_reset(c, id, H2_CANCEL), H2_OK);
        return id;
    case H2_STATE_CLOSED_RESET_RECEIVED:
        open_subject(c, false, false, head);
        feed_frame(c, H2_FRAME_RST_STREAM, 0, id, CANCEL, 4);
        return id;
    case H2_STATE_CLOSED_FORGOTTEN:
        c->opts.limits.closed_streams = 0;
        open_subject(c, false, false, head);
        assert_int_equal(h2_conn_reset(c, id, H2_CANCEL), H2_OK);
        return id;
    default:
        assert_int_equal(st, H2_STATE_CLOSED_SKIPPED); /* by a higher one */
        if (server) {
            feed_frame(c, H2_FRAME_HEADERS, EH | ES, 5, GET, 6);
            return id;
        }
        feed_frame(c, H2_FRAME_PUSH_PROMISE, EH, 1, "\0\0\0\4" GET, 10);
        return PUSHED;
    }
}

static struct outcome receive(struct h2_conn *c, uint32_t id, enum h2_stream_state st,
                              enum h2_input input)
{
    uint8_t promise[10] = {0, 0, 0, FRESH, 0x82, 0x87, 0x84, 0x41, 1, 'a'};
    switch (input) {
    case H2_RX_HEADERS:
        if (st == H2_STATE_IDLE) {
            return feed_frame(c, H2_FRAME_HEADERS, EH, id, GET, 6);
        }
        if (st == H2_STATE_RESERVED_REMOTE) {
            return feed_frame(c, H2_FRAME_HEADERS, EH, id, OK, 1);
        }
        return feed_frame(c, H2_FRAME_HEADERS, EH | ES, id, FIELD, 5); /* trailers */
    case H2_RX_DATA:
        return feed_frame(c, H2_FRAME_DATA, 0, id, "x", 1);
    case H2_RX_END:
        return feed_frame(c, H2_FRAME_DATA, ES, id, "x", 1);
    case H2_RX_RST:
        return feed_frame(c, H2_FRAME_RST_STREAM, 0, id, CANCEL, 4);
    case H2_RX_WINDOW_UPDATE:
        return feed_frame(c, H2_FRAME_WINDOW_UPDATE, 0, id, "\0\0\0\1", 4);
    case H2_RX_PROMISE:
        return feed_frame(c, H2_FRAME_PUSH_PROMISE, EH, id, promise, sizeof(promise));
    default:
        assert_int_equal(input, H2_RX_PROMISED);
        promise[3] = (uint8_t)id;
        return feed_frame(c, H2_FRAME_PUSH_PROMISE, EH, 1, promise, sizeof(promise));
    }
}

static bool carries_end(enum h2_stream_state st, enum h2_input input)
{
    return input == H2_RX_END ||
           (input == H2_RX_HEADERS && st != H2_STATE_IDLE && st != H2_STATE_RESERVED_REMOTE);
}

static void check_received(struct h2_conn *c, uint32_t id, enum h2_stream_state st,
                           enum h2_input input)
{
    /* END_STREAM comes with a frame that has to be accepted first. */
    const struct h2_move *m = h2_state_move(st, input == H2_RX_END ? H2_RX_DATA : input);
    h2_conn_drop_output(c);
    uint32_t streams = h2_conn_open_streams(c);
    struct outcome out = receive(c, id, st, input);
    switch (m->verdict) {
    case H2_ACCEPT: {
        unsigned next = carries_end(st, input) ? h2_state_move(m->next, H2_RX_END)->next : m->next;
        assert_int_equal(h2_conn_stream_state(c, id), next);
        assert_true(out.told > 0 && out.reset == NULL && out.failed == NULL);
        break;
    }
    case H2_IGNORE:
        assert_int_equal(h2_conn_stream_state(c, id), st);
        assert_true(out.told == 0 && out.failed == NULL);
        if (input == H2_RX_PROMISE) { /* what it promises is not wanted either */
            assert_string_equal(out.reset, "a promise on a stream that was reset");
            assert_int_equal(h2_conn_stream_state(c, FRESH),
                             st); /* reset, and forgotten if all is */
        } else {
            assert_true(out.reset == NULL && !h2_conn_wants_send(c));
        }
        assert_int_equal(h2_conn_open_streams(c), streams);
        break;
    default:
        assert_int_equal(m->verdict, H2_REJECT);
        assert_int_equal(out.told, 0);
        assert_true(h2_conn_wants_send(c));
        if (m->fail.scope == H2_SCOPE_CONN) {
            assert_string_equal(out.failed, m->fail.why);
        } else {
            assert_null(out.failed);
            assert_string_equal(out.reset, m->fail.why);
            assert_int_equal(h2_conn_stream_state(c, id), H2_STATE_CLOSED_RESET_SENT);
        }
        break;
    }
}

static enum h2_error act(struct h2_conn *c, uint32_t id, enum h2_input input)
{
    uint32_t got;
    static const struct h2_field field = {"x", "y", 1, 1, 0, 0};
    switch (input) {
    case H2_TX_HEADERS:
        if (c->role == H2_SERVER) {
            return h2_conn_respond(c, id, &ok, 1, false);
        }
        if (id == h2_conn_next_stream_id(c)) {
            return h2_conn_request(c, get, 4, false, NULL, &got);
        }
        return h2_conn_trailers(c, id, &field, 1);
    case H2_TX_DATA:
        return h2_conn_send_data(c, id, "x", 1, H2_NO_PADDING, false);
    case H2_TX_END:
        return h2_conn_end_stream(c, id);
    case H2_TX_RST:
        return h2_conn_reset(c, id, H2_CANCEL);
    case H2_TX_PROMISE:
        return h2_conn_push(c, id, get, 4, NULL, &got);
    case H2_TX_PROMISED:
        assert_int_equal(h2_conn_next_stream_id(c), id);
        return h2_conn_push(c, 1, get, 4, NULL, &got);
    default:
        assert_int_equal(input, H2_TX_ALTSVC);
        return h2_conn_altsvc(c, id, NULL, 0, "clear", 5);
    }
}

static void check_action(struct h2_conn *c, uint32_t id, enum h2_stream_state st,
                         enum h2_input input)
{
    const struct h2_move *m = h2_state_move(st, input);
    bool trailers = c->role == H2_CLIENT && input == H2_TX_HEADERS && h2_state_is_live(st);
    h2_conn_drop_output(c);
    enum h2_error error = act(c, id, input);
    if (m->verdict == H2_ACCEPT) {
        unsigned next = trailers ? h2_state_move(m->next, H2_TX_END)->next : m->next;
        assert_int_equal(error, H2_OK);
        assert_int_equal(h2_conn_stream_state(c, id), next);
        assert_true(h2_conn_wants_send(c));
        return;
    }
    assert_int_equal(error, st < H2_STATE_RESERVED_LOCAL        ? H2_ERR_NO_STREAM
                            : st <= H2_STATE_HALF_CLOSED_REMOTE ? H2_ERR_STREAM_STATE
                                                                : H2_ERR_STREAM_CLOSED);
    assert_int_equal(h2_conn_stream_state(c, id), st);
    assert_false(h2_conn_wants_send(c));
}

/* Whether a role has the means to do this, or may be sent it. */
static bool is_possible(enum h2_role role, enum h2_stream_state st, enum h2_input input)
{
    bool promise = input == H2_RX_PROMISE || input == H2_RX_PROMISED;
    bool of_server = input == H2_TX_PROMISE || input == H2_TX_PROMISED || input == H2_TX_ALTSVC;
    if (role == H2_SERVER && st == H2_STATE_IDLE_OURS && input == H2_TX_HEADERS) {
        return false; /* a server opens no stream but by a promise */
    }
    if (role == H2_SERVER) { /* only a new stream can be promised: the engine picks its id */
        return !promise && (input != H2_TX_PROMISED || st == H2_STATE_IDLE_OURS);
    }
    if (input == H2_RX_PROMISE && st == H2_STATE_CLOSED_SKIPPED) {
        return false; /* it is the server's own there, and on those nothing is promised */
    }
    return !of_server;
}

static void every_state_is_given_every_input(void **state)
{
    (void)state;
    unsigned pokes[2] = {0, 0};
    for (int role = 0; role < 2; role++) {
        for (unsigned st = 0; st < H2_STATE_COUNT; st++) {
            for (unsigned input = 0; input < H2_INPUT_COUNT; input++) {
                struct h2_conn *c = begin(role);
                bool head = input == H2_TX_DATA || input == H2_TX_END;
                uint32_t id = is_possible(role, st, input) ? reach(c, st, head) : 0;
                if (id != 0) {
                    assert_int_equal(h2_conn_stream_state(c, id), st);
                    if (input < H2_RX_INPUTS) {
                        check_received(c, id, st, input);
                    } else {
                        check_action(c, id, st, input);
                    }
                    pokes[role]++;
                }
                h2_conn_free(c);
            }
        }
    }
    assert_int_equal(pokes[H2_SERVER], 11 * (H2_INPUT_COUNT - 3)); /* states × inputs */
    assert_int_equal(pokes[H2_CLIENT], 11 * (H2_INPUT_COUNT - 3) - 1);
}

static void states_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_leads_somewhere_sensible),
        cmocka_unit_test(closed_states_accept_nothing),
        cmocka_unit_test(a_reset_closes_every_live_state),
        cmocka_unit_test(every_state_has_a_name),
        cmocka_unit_test(every_state_is_given_every_input),
        cmocka_unit_test(states_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
