/* The states of a connection: the table walked exhaustively, each state reached from outside and
 * given each input there. */
#include "h2_script.h"

#include "h2_internal.h"

#include <stdio.h>

/* ---------------------------------------------------------------- the table by itself */

static bool has_sent_goaway(unsigned st)
{
    return st == H2_CONN_PREFACE_LEAVING || st == H2_CONN_SETTINGS_LEAVING ||
           st == H2_CONN_GOAWAY_SENT || st == H2_CONN_GOAWAY_BOTH;
}

static bool has_received_goaway(unsigned st)
{
    return st == H2_CONN_GOAWAY_RECEIVED || st == H2_CONN_GOAWAY_BOTH;
}

static bool is_over(unsigned st)
{
    return st == H2_CONN_FAILED || st == H2_CONN_CLOSED;
}

static void check_accepted(unsigned st, unsigned input, unsigned next)
{
    assert_true(next < H2_CONN_STATE_COUNT);
    switch (input) {
    case H2_CONN_BREAK:
        assert_int_equal(next, H2_CONN_FAILED);
        break;
    case H2_CONN_CLOSE:
        assert_int_equal(next, H2_CONN_CLOSED);
        break;
    default:
        assert_false(is_over(st) || is_over(next));
        /* What was said cannot be unsaid, and is said by nothing but GOAWAY. */
        assert_int_equal(has_sent_goaway(next), has_sent_goaway(st) || input == H2_CONN_TX_GOAWAY);
        assert_int_equal(has_received_goaway(next),
                         has_received_goaway(st) || input == H2_CONN_RX_GOAWAY);
        break;
    }
    if (input == H2_CONN_TX_FRAME || input == H2_CONN_TX_STREAM || input == H2_CONN_RX_FRAME ||
        input == H2_CONN_RX_STREAM) {
        assert_int_equal(next, st);
    }
}

static void every_entry_is_sensible(void **state)
{
    (void)state;
    for (unsigned st = 0; st < H2_CONN_STATE_COUNT; st++) {
        for (unsigned input = 0; input < H2_CONN_INPUT_COUNT; input++) {
            const struct h2_move *m = h2_conn_state_move(st, input);
            bool received = input <= H2_CONN_RX_FRAME;
            switch (m->verdict) {
            case H2_ACCEPT:
                assert_int_equal(m->fail.scope, H2_SCOPE_NONE);
                check_accepted(st, input, m->next);
                break;
            case H2_REJECT: /* a failure of the peer's, or the result of an action */
                assert_int_equal(m->fail.scope, received ? H2_SCOPE_CONN : H2_SCOPE_NONE);
                assert_int_equal(m->fail.why != NULL, received);
                assert_int_equal(m->fail.error, received      ? H2_ERR_PREFACE
                                                : is_over(st) ? H2_ERR_CLOSED
                                                              : H2_ERR_GOAWAY);
                break;
            case H2_IGNORE:
                assert_int_equal(input, H2_CONN_RX_STREAM);
                assert_true(has_sent_goaway(st));
                break;
            case H2_ERROR: /* what cannot come: frames before the preface or after the end */
                assert_true(received);
                break;
            }
        }
    }
}

static void every_action_has_an_answer_in_every_state(void **state)
{
    (void)state;
    for (unsigned st = 0; st < H2_CONN_STATE_COUNT; st++) {
        for (unsigned input = H2_CONN_TX_STREAM; input < H2_CONN_INPUT_COUNT; input++) {
            assert_true(h2_conn_state_move(st, input)->verdict != H2_ERROR);
        }
        bool over = is_over(st);
        assert_int_equal(h2_conn_state_move(st, H2_CONN_TX_FRAME)->verdict == H2_ACCEPT, !over);
        assert_int_equal(h2_conn_state_move(st, H2_CONN_TX_STREAM)->verdict == H2_ACCEPT,
                         !over && !has_sent_goaway(st) && !has_received_goaway(st));
        assert_int_equal(h2_conn_state_move(st, H2_CONN_BREAK)->verdict == H2_ACCEPT, !over);
        assert_int_equal(h2_conn_state_move(st, H2_CONN_CLOSE)->verdict == H2_ACCEPT,
                         st != H2_CONN_CLOSED);
    }
}

static void walk(unsigned st, bool *seen)
{
    if (seen[st]) {
        return;
    }
    seen[st] = true;
    for (unsigned input = 0; input < H2_CONN_INPUT_COUNT; input++) {
        const struct h2_move *m = h2_conn_state_move(st, input);
        if (m->verdict == H2_ACCEPT) {
            walk(m->next, seen);
        }
    }
}

static void every_state_can_be_reached(void **state)
{
    (void)state;
    bool server[H2_CONN_STATE_COUNT] = {false};
    bool client[H2_CONN_STATE_COUNT] = {false};
    walk(H2_CONN_PREFACE, server);
    walk(H2_CONN_SETTINGS, client);
    for (unsigned st = 0; st < H2_CONN_STATE_COUNT; st++) {
        assert_true(server[st]);
        assert_int_equal(client[st], st != H2_CONN_PREFACE && st != H2_CONN_PREFACE_LEAVING);
    }
}

static void every_name_is_its_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < H2_CONN_STATE_COUNT; a++) {
        for (unsigned b = 0; b < a; b++) {
            assert_string_not_equal(h2_conn_state_name(a), h2_conn_state_name(b));
        }
    }
    for (unsigned a = 0; a < H2_CONN_INPUT_COUNT; a++) {
        for (unsigned b = 0; b < a; b++) {
            assert_string_not_equal(h2_conn_input_name(a), h2_conn_input_name(b));
        }
    }
}

/* ---------------------------------------------------------------- from outside */

#define PREFACE  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define GOAWAY   "\0\0\10\7\0\0\0\0\0\177\377\377\377\0\0\0\0"
#define PING     "\0\0\10\6\1\0\0\0\0abcdefgh"
#define BAD      "\0\0\4\10\0\0\0\0\0\0\0\0\0" /* WINDOW_UPDATE of 0 */

#define FEED(c, octets) feed(c, octets, sizeof(octets) - 1)

/* Why the connection failed with these octets; NULL: it did not. */
static const char *feed(struct h2_conn *c, const char *octets, size_t len)
{
    static uint8_t copy[256];
    const char *why = NULL;
    struct h2_event ev;
    assert_true(len <= sizeof(copy));
    memcpy(copy, octets, len);
    h2_conn_feed(c, copy, len);
    while (h2_conn_next_event(c, 0, &ev)) {
        assert_null(why); /* it was the last event */
        if (ev.type == H2_EVENT_FAILED) {
            why = ev.fail.why;
            assert_int_equal(c->state, H2_CONN_CLOSED);
        }
    }
    return why;
}

static void ask(struct h2_conn *c, uint32_t id)
{
    static const struct h2_field get[] = {
        {":method", "GET", 7, 3, 0, 0},
        {":scheme", "https", 7, 5, 0, 0},
        {":path", "/", 5, 1, 0, 0},
        {":authority", "a", 10, 1, 0, 0},
    };
    uint32_t got;
    assert_int_equal(h2_conn_request(c, get, 4, true, NULL, &got), H2_OK);
    assert_int_equal(got, id);
}

static bool no_memory;

static void *resize(void *ctx, void *p, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return no_memory ? NULL : realloc(p, size);
}

/* How a connection comes to a state. NULL: this role never does. */
static struct h2_conn *reach(enum h2_role role, enum h2_conn_state st)
{
    struct h2_options opts;
    h2_options_init(&opts);
    static const struct h2_allocator alloc = {resize, NULL};
    opts.alloc = &alloc;
    opts.enable_push = true;
    bool server = role == H2_SERVER;
    if (!server && (st == H2_CONN_PREFACE || st == H2_CONN_PREFACE_LEAVING)) {
        return NULL;
    }
    struct h2_conn *c = h2_conn_new(role, &opts);
    assert_non_null(c);
    if (st == H2_CONN_PREFACE_LEAVING) {
        assert_int_equal(h2_conn_shutdown(c), H2_OK);
    }
    if (st > H2_CONN_PREFACE_LEAVING && server) {
        FEED(c, PREFACE);
    }
    if (st == H2_CONN_SETTINGS_LEAVING) {
        assert_int_equal(h2_conn_shutdown(c), H2_OK);
    }
    if (st > H2_CONN_SETTINGS_LEAVING) {
        FEED(c, SETTINGS);
        if (!server) { /* for a push */
            ask(c, 1);
        }
    }
    if (st == H2_CONN_GOAWAY_SENT || st == H2_CONN_GOAWAY_BOTH) {
        assert_int_equal(h2_conn_shutdown(c), H2_OK);
    }
    if (st == H2_CONN_GOAWAY_RECEIVED || st == H2_CONN_GOAWAY_BOTH) {
        FEED(c, GOAWAY);
    }
    if (st == H2_CONN_FAILED) { /* by an action, and not told yet */
        h2_conn_drop_output(c);
        no_memory = true;
        assert_int_equal(h2_conn_ping(c, (const uint8_t *)"pingping"), H2_ERR_NOMEM);
        no_memory = false;
    }
    if (st == H2_CONN_CLOSED) {
        assert_int_equal(h2_conn_close(c, H2_NO_ERROR, H2_LAST_TOLD, NULL, 0), H2_OK);
    }
    if (c->state != st) {
        fail_msg("%s instead of %s", h2_conn_state_name(c->state), h2_conn_state_name(st));
    }
    return c;
}

/* Why the connection failed with what the peer sends; NULL: it did not. */
static const char *receive(struct h2_conn *c, enum h2_conn_input input)
{
    switch (input) {
    case H2_CONN_RX_PREFACE:
        return FEED(c, PREFACE);
    case H2_CONN_RX_SETTINGS:
        return FEED(c, SETTINGS);
    case H2_CONN_RX_GOAWAY:
        return FEED(c, GOAWAY);
    case H2_CONN_RX_FRAME:
        return FEED(c, PING);
    case H2_CONN_RX_STREAM:
        return c->role == H2_SERVER ? FEED(c, "\0\0\6\1\5\0\0\0\1\x82\x87\x84\x41\1a")
                                    : FEED(c, "\0\0\12\5\4\0\0\0\1\0\0\0\2\x82\x87\x84\x41\1a");
    default:
        assert_int_equal(input, H2_CONN_BREAK);
        return FEED(c, BAD);
    }
}

static enum h2_error act(struct h2_conn *c, enum h2_conn_input input)
{
    static const struct h2_field get[] = {
        {":method", "GET", 7, 3, 0, 0},
        {":scheme", "https", 7, 5, 0, 0},
        {":path", "/", 5, 1, 0, 0},
        {":authority", "a", 10, 1, 0, 0},
    };
    uint32_t id;
    switch (input) {
    case H2_CONN_TX_STREAM:
        return c->role == H2_CLIENT ? h2_conn_request(c, get, 4, true, NULL, &id)
                                    : h2_conn_push(c, 1, get, 4, NULL, &id);
    case H2_CONN_TX_GOAWAY:
        return h2_conn_shutdown(c);
    case H2_CONN_TX_FRAME:
        return h2_conn_ping(c, (const uint8_t *)"pingping");
    default:
        assert_int_equal(input, H2_CONN_CLOSE);
        return h2_conn_close(c, H2_NO_ERROR, H2_LAST_TOLD, NULL, 0);
    }
}

static void check_received(struct h2_conn *c, enum h2_conn_state st, enum h2_conn_input input)
{
    const struct h2_move *m = h2_conn_state_move(st, input);
    uint32_t before = h2_conn_last_peer_stream(c);
    const char *why = receive(c, input);
    switch (m->verdict) {
    case H2_ACCEPT:
        assert_null(why);
        assert_int_equal(c->state, m->next);
        assert_int_equal(h2_conn_last_peer_stream(c) > before, input == H2_CONN_RX_STREAM);
        break;
    case H2_IGNORE:
        assert_null(why);
        assert_int_equal(c->state, st);
        assert_int_equal(h2_conn_last_peer_stream(c), before);
        break;
    case H2_REJECT:
        assert_string_equal(why, m->fail.why);
        break;
    case H2_ERROR:
        if (st == H2_CONN_PREFACE || st == H2_CONN_PREFACE_LEAVING) {
            assert_string_equal(why, "not the preface of HTTP/2");
        } else if (st == H2_CONN_FAILED) {
            assert_string_equal(why, "no memory"); /* told now, whatever is fed */
        } else if (st == H2_CONN_CLOSED) {
            assert_null(why);
        } else {
            assert_int_equal(input, H2_CONN_RX_PREFACE); /* a second one is no frame */
            assert_non_null(why);
        }
        break;
    }
}

/* A push has to have a stream: before that, the stream is what is missing. */
static bool is_without_stream(const struct h2_conn *c, enum h2_conn_input input)
{
    return c->role == H2_SERVER && input == H2_CONN_TX_STREAM;
}

static void check_action(struct h2_conn *c, enum h2_conn_state st, enum h2_conn_input input)
{
    const struct h2_move *m = h2_conn_state_move(st, input);
    h2_conn_drop_output(c);
    enum h2_error error = act(c, input);
    if (m->verdict == H2_ACCEPT && is_without_stream(c, input)) {
        assert_int_equal(error, H2_ERR_NO_STREAM);
    } else if (st == H2_CONN_FAILED) {
        assert_int_equal(error, H2_ERR_CLOSED); /* it has said its GOAWAY: FAILED is still told */
    } else {
        assert_int_equal(error, m->verdict == H2_ACCEPT ? H2_OK : m->fail.error);
        assert_int_equal(c->state, m->verdict == H2_ACCEPT ? m->next : st);
    }
    bool quiet = input == H2_CONN_TX_GOAWAY && has_sent_goaway(st); /* idempotent */
    assert_int_equal(h2_conn_wants_send(c), error == H2_OK && !quiet);
}

static void every_state_is_given_every_input(void **state)
{
    (void)state;
    unsigned pokes = 0;
    for (int role = 0; role < 2; role++) {
        for (unsigned st = 0; st < H2_CONN_STATE_COUNT; st++) {
            for (unsigned input = 0; input < H2_CONN_INPUT_COUNT; input++) {
                struct h2_conn *c = reach(role, st);
                if (c == NULL) {
                    continue;
                }
                if (input <= H2_CONN_RX_FRAME) {
                    check_received(c, st, input);
                } else if (input != H2_CONN_BREAK) {
                    check_action(c, st, input);
                } else if (st > H2_CONN_SETTINGS_LEAVING) {
                    assert_int_equal(receive(c, input) != NULL, st != H2_CONN_CLOSED);
                    assert_int_equal(c->state, H2_CONN_CLOSED);
                }
                pokes++;
                h2_conn_free(c);
            }
        }
    }
    assert_int_equal(pokes, (2 * H2_CONN_STATE_COUNT - 2) * H2_CONN_INPUT_COUNT);
}

static void traced(struct h2_options *opts)
{
    opts->trace = script_trace;
}

#define PRI "BYTES 505249202a20485454502f322e300d0a0d0a534d0d0a0d0a\n"

/* clang-format off */
static const struct script_case cases[] = {
    {"leaving_before_the_preface", H2_SERVER, "!shutdown\n" PRI "SETTINGS 0\nGET 1\nPING 0 - text abcdefgh\n!streams", "~ sent SETTINGS 0 flags 0 length 18\n> SETTINGS 3=100 6=65536 9=1\n~ 0: preface -> preface (leaving)\n~ sent GOAWAY 0 flags 0 length 8\n> GOAWAY 0 NO_ERROR \n~ 0: preface (leaving) -> settings (leaving)\n~ got SETTINGS 0 flags 0 length 0\n~ 0: settings (leaving) -> goaway sent\n~ sent SETTINGS 0 flags 1 length 0\nSETTINGS\n~ got HEADERS 1 flags 5 length 13\n~ got PING 0 flags 0 length 8\n~ sent PING 0 flags 1 length 8\n> SETTINGS ack\n> PING ack abcdefgh\n= streams 0 in 0 out 0 next 2 last 0\n", traced, true},
    {"leaving_before_the_peers_settings", H2_CLIENT, "!shutdown\n!request\nSETTINGS 0\nGOAWAY 0 - u32 0,0\n!request", "~ sent SETTINGS 0 flags 0 length 18\n> preface\n> SETTINGS 2=0 6=65536 9=1\n~ 0: settings -> settings (leaving)\n~ sent GOAWAY 0 flags 0 length 8\n> GOAWAY 0 NO_ERROR \n= GOAWAY\n~ got SETTINGS 0 flags 0 length 0\n~ 0: settings (leaving) -> goaway sent\n~ sent SETTINGS 0 flags 1 length 0\nSETTINGS\n~ got GOAWAY 0 flags 0 length 8\n~ 0: goaway sent -> goaway of both\nGOAWAY 0 NO_ERROR \n> SETTINGS ack\n= GOAWAY\n", traced, true},
    {"a_notice_before_the_preface_changes_nothing", H2_SERVER, "!notice\n" PRI "SETTINGS 0\nGET 1", "~ sent SETTINGS 0 flags 0 length 18\n> SETTINGS 3=100 6=65536 9=1\n~ sent GOAWAY 0 flags 0 length 8\n> GOAWAY 2147483647 NO_ERROR \n~ 0: preface -> settings\n~ got SETTINGS 0 flags 0 length 0\n~ 0: settings -> open\n~ sent SETTINGS 0 flags 1 length 0\nSETTINGS\n~ got HEADERS 1 flags 5 length 13\n~ 1: idle -> open\n~ 1: open -> half closed (remote)\nREQUEST 1 end\n> SETTINGS ack\n", traced, true},
    {"closing_before_the_preface", H2_SERVER, "!close NO_ERROR told\n" PRI "SETTINGS 0\nGET 1", "~ sent SETTINGS 0 flags 0 length 18\n> SETTINGS 3=100 6=65536 9=1\n~ sent GOAWAY 0 flags 0 length 8\n~ 0: preface -> closed\n> GOAWAY 0 NO_ERROR \n", traced, true},
    {"a_failure_is_told_and_then_it_is_closed", H2_CLIENT, "SETTINGS 0\nWINDOW_UPDATE 0 - u32 0\nSETTINGS 0", "~ sent SETTINGS 0 flags 0 length 18\n~ got SETTINGS 0 flags 0 length 0\n~ 0: settings -> open\n~ sent SETTINGS 0 flags 1 length 0\nSETTINGS\n~ got WINDOW_UPDATE 0 flags 0 length 4\n~ 0: open -> failed\n~ sent GOAWAY 0 flags 0 length 45\n~ 0: failed -> closed\nFAILED PROTOCOL_ERROR: WINDOW_UPDATE of 0 for the connection\n> preface\n> SETTINGS 2=0 6=65536 9=1\n> SETTINGS ack\n> GOAWAY 0 PROTOCOL_ERROR WINDOW_UPDATE of 0 for the connection\n", traced, true},
    {"requests_before_the_peers_settings", H2_CLIENT, "!request end\n!ping\nSETTINGS 0\nOKEND 1", "~ sent SETTINGS 0 flags 0 length 18\n> preface\n> SETTINGS 2=0 6=65536 9=1\n~ 1: idle (ours) -> open\n~ sent HEADERS 1 flags 5 length 13\n~ 1: open -> half closed (local)\n> HEADERS 1 end\n~ sent PING 0 flags 0 length 8\n> PING 12345678\n~ got SETTINGS 0 flags 0 length 0\n~ 0: settings -> open\n~ sent SETTINGS 0 flags 1 length 0\nSETTINGS\n~ got HEADERS 1 flags 5 length 1\n~ 1: half closed (local) -> closed (ended)\nRESPONSE 1 end 200\n> SETTINGS ack\n", traced, true},
};
/* clang-format on */

static void ways_through_the_states(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_sensible),
        cmocka_unit_test(every_action_has_an_answer_in_every_state),
        cmocka_unit_test(every_state_can_be_reached),
        cmocka_unit_test(every_name_is_its_own),
        cmocka_unit_test(every_state_is_given_every_input),
        cmocka_unit_test(ways_through_the_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
