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
                assert_true(m->next != H2_STATE_CLOSED_FORGOTTEN);
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
        cmocka_unit_test(states_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
