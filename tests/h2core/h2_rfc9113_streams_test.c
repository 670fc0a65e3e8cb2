/* RFC 9113, section 5: each frame in each state of a stream, stream ids, concurrency, errors. */
#include "h2_rules.h"

#include <stdio.h>

#define PUSHED ":method=GET|:scheme=https|:path=/p|:authority=a"

static void push(struct h2_options *opts)
{
    opts->enable_push = true;
}

static void one_stream(struct h2_options *opts)
{
    opts->max_concurrent_streams = 1;
}

static void one_push(struct h2_options *opts)
{
    opts->enable_push = true;
    opts->max_concurrent_streams = 1;
}

static void one_stream_of_many(struct h2_options *opts)
{
    opts->max_concurrent_streams = 1;
    opts->limits.error_burst = 1000;
}

/* clang-format off */
static const struct h2_rule idle[] = { /* 5.1 */
    {"data_on_an_idle_stream", SC, IDLE, "DATA 1 - text x", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"data_on_an_idle_even_stream", SC, IDLE, "DATA 2 - text x", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"rst_stream_on_an_idle_stream", SC, IDLE, "RST_STREAM 1 - u32 8", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"window_update_on_an_idle_stream", SC, IDLE, "WINDOW_UPDATE 1 - u32 100", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"window_update_on_an_idle_even_stream", SC, IDLE, "WINDOW_UPDATE 2 - u32 100", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"continuation_on_an_idle_stream", SC, IDLE, "CONTINUATION 1 EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"push_promise_on_an_idle_stream", C, IDLE, "PROMISE 1 2 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"priority_on_an_idle_stream", SC, IDLE, "PRIORITY 1 - hex 00000003 10\nPRIORITY 2 - hex 00000003 10", TAKEN, 0, 0, 0},
    {"headers_open_an_idle_stream", S, IDLE, "POST 1\nDATA 1 ES text hello", TAKEN, 0, "DATA 1 5 end\n", 0},
    {"headers_on_a_stream_that_a_server_would_open", S, IDLE, "GET 2", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_on_a_stream_that_the_client_has_not_opened", C, IDLE, "OK 1", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"headers_on_a_stream_that_was_not_promised", C, IDLE, "OK 2", BREAKS, "PROTOCOL_ERROR", 0, push},
    {"an_idle_stream_stays_so_after_priority", SC, IDLE, "PRIORITY 1 - hex 00000003 10\nDATA 1 - text x", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_lower_stream_may_be_opened_after_priority_on_a_higher", S, IDLE, "PRIORITY 5 - hex 00000000 10\nGET 1", TAKEN, 0, "REQUEST 1 end\n", 0},
};

static const struct h2_rule reserved[] = { /* 5.1: reserved (remote) */
    {"headers_answer_a_promise", C, PROMISED, "OK 2\nDATA 2 ES text hello", TAKEN, 0, "RESPONSE 2 200\nDATA 2 5 end\n", push},
    {"rst_stream_takes_a_promise_back", C, PROMISED, "RST_STREAM 2 - u32 8", TAKEN, 0, "RESET 2 peer CANCEL\n", push},
    {"priority_on_a_reserved_stream", C, PROMISED, "PRIORITY 2 - hex 00000001 10", TAKEN, 0, 0, push},
    {"data_on_a_reserved_stream", C, PROMISED, "DATA 2 - text x", BREAKS, "PROTOCOL_ERROR", 0, push},
    {"window_update_on_a_reserved_stream", C, PROMISED, "WINDOW_UPDATE 2 - u32 1", BREAKS, "PROTOCOL_ERROR", 0, push},
    {"push_promise_on_a_reserved_stream", C, PROMISED, "PROMISE 2 4 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"we_send_nothing_but_a_reset_on_a_reserved_stream", C, PROMISED, "!data 2 5\n!end 2\n!trailers 2 x=y\n!reset 2 CANCEL", RESETS, "CANCEL", "= 5 stay\n= STREAM_STATE\n= STREAM_STATE\n> RST_STREAM 2 CANCEL\n", push},
    {"what_was_promised_may_come_after_our_reset", C, PROMISED, "!reset 2 CANCEL\nOK 2\nDATA 2 ES text x", RESETS, "CANCEL", 0, push},
};

static const struct h2_rule half_closed[] = { /* 5.1 */
    {"data_on_half_closed_local", SC, WE_ENDED, "DATA 1 - text hello", TAKEN, 0, "DATA 1 5\n", 0},
    {"trailers_on_half_closed_local", SC, WE_ENDED, "HEADERS 1 ES+EH fields x=y", TAKEN, 0, "TRAILERS 1 end\n", 0},
    {"window_update_on_half_closed_local", SC, WE_ENDED, "WINDOW_UPDATE 1 - u32 1", TAKEN, 0, 0, 0},
    {"priority_on_half_closed_local", SC, WE_ENDED, "PRIORITY 1 - hex 00000000 10", TAKEN, 0, 0, 0},
    {"rst_stream_on_half_closed_local", SC, WE_ENDED, "RST_STREAM 1 - u32 8", TAKEN, 0, "RESET 1 peer CANCEL\n", 0},
    {"we_send_no_more_on_half_closed_local", SC, WE_ENDED, "!data 1 5\n!end 1\n!trailers 1 x=y", TAKEN, 0, "= 5 stay\n= STREAM_STATE\n= STREAM_STATE\n> PING ack", 0},
    {"we_may_reset_on_half_closed_local", SC, WE_ENDED, "!reset 1 NO_ERROR", RESETS, "NO_ERROR", 0, 0},
    {"data_on_half_closed_remote", SC, PEER_ENDED, "DATA 1 - text x", RESETS, "STREAM_CLOSED", 0, 0},
    {"headers_on_half_closed_remote", SC, PEER_ENDED, "HEADERS 1 ES+EH fields x=y", RESETS, "STREAM_CLOSED", 0, 0},
    {"headers_without_end_on_half_closed_remote", SC, PEER_ENDED, "HEADERS 1 EH fields x=y", RESETS, "STREAM_CLOSED", 0, 0},
    {"continuation_on_half_closed_remote", SC, PEER_ENDED, "CONTINUATION 1 EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"window_update_on_half_closed_remote", SC, PEER_ENDED, "WINDOW_UPDATE 1 - u32 1", TAKEN, 0, 0, 0},
    {"priority_on_half_closed_remote", SC, PEER_ENDED, "PRIORITY 1 - hex 00000000 10", TAKEN, 0, 0, 0},
    {"rst_stream_on_half_closed_remote", SC, PEER_ENDED, "RST_STREAM 1 - u32 8", TAKEN, 0, "RESET 1 peer CANCEL\n", 0},
    {"we_may_go_on_when_the_peer_has_ended", S, PEER_ENDED, "!respond 1 :status=200\n!data 1 5\n!trailers 1 x=y", TAKEN, 0, "> HEADERS 1\n> DATA 1 5\n> HEADERS 1 end\n", 0},
    {"a_client_may_go_on_when_the_server_has_ended", C, PEER_ENDED, "!data 1 5\n!trailers 1 x=y", TAKEN, 0, "> DATA 1 5\n> HEADERS 1 end\n", 0},
};

static const struct h2_rule closed[] = { /* 5.1 */
    {"data_on_an_ended_stream", SC, ENDED, "DATA 1 - text x", BREAKS, "STREAM_CLOSED", 0, 0},
    {"headers_on_an_ended_stream", SC, ENDED, "HEADERS 1 ES+EH fields x=y", BREAKS, "STREAM_CLOSED", 0, 0},
    {"continuation_on_an_ended_stream", SC, ENDED, "CONTINUATION 1 EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"window_update_on_an_ended_stream", SC, ENDED, "WINDOW_UPDATE 1 - u32 1", TAKEN, 0, 0, 0},
    {"rst_stream_on_an_ended_stream", SC, ENDED, "RST_STREAM 1 - u32 8", TAKEN, 0, 0, 0},
    {"priority_on_an_ended_stream", SC, ENDED, "PRIORITY 1 - hex 00000000 10", TAKEN, 0, 0, 0},
    {"data_after_their_reset", SC, PEER_RESET, "DATA 1 - text x", RESETS, "STREAM_CLOSED", 0, 0},
    {"headers_after_their_reset", SC, PEER_RESET, "HEADERS 1 ES+EH fields x=y", RESETS, "STREAM_CLOSED", 0, 0},
    {"continuation_after_their_reset", SC, PEER_RESET, "CONTINUATION 1 EH", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"window_update_after_their_reset", SC, PEER_RESET, "WINDOW_UPDATE 1 - u32 1", TAKEN, 0, 0, 0},
    {"priority_after_their_reset", SC, PEER_RESET, "PRIORITY 1 - hex 00000000 10", TAKEN, 0, 0, 0},
    {"all_that_was_on_its_way_at_our_reset", SC, WE_RESET, "DATA 1 - text x\nWINDOW_UPDATE 1 - u32 1\nPRIORITY 1 - hex 00000000 10\nHEADERS 1 ES+EH fields x=y\nRST_STREAM 1 - u32 8", TAKEN, 0, 0, 0},
    {"data_after_our_reset_counts_for_the_connection", SC, WE_RESET, "*2 DATA 1 - zeros 16384", TAKEN, 0, "> WINDOW_UPDATE 0 32768\n", 0},
    {"headers_after_our_reset_are_decoded", S, WE_RESET, "!fields\nHEADERS 1 ES+EH fields x-a=1\nHEADERS 3 ES+EH fields :method=GET|:scheme=https|:path=/|:authority=a|x-a=1", TAKEN, 0, "|x-a=1\n", 0},
    {"a_response_after_our_reset_is_decoded", C, WE_RESET, "!fields\nHEADERS 1 ES+EH fields :status=200|x-a=1\n!request end\nHEADERS 3 ES+EH fields :status=200|x-a=1", TAKEN, 0, "RESPONSE 3 end 200 :status=200|x-a=1\n", 0},
    {"we_send_nothing_on_an_ended_stream", S, ENDED, "!respond 1 end :status=200\n!data 1 5\n!end 1\n!trailers 1 x=y\n!reset 1 CANCEL", TAKEN, 0,
     "= STREAM_CLOSED\n= 5 stay\n= STREAM_CLOSED\n= STREAM_CLOSED\n= STREAM_CLOSED\n> PING ack", 0},
    {"a_client_sends_nothing_on_an_ended_stream", C, ENDED, "!data 1 5\n!end 1\n!trailers 1 x=y\n!reset 1 CANCEL", TAKEN, 0, "= 5 stay\n= STREAM_CLOSED\n= STREAM_CLOSED\n= STREAM_CLOSED\n> PING ack", 0},
    {"we_send_nothing_after_our_reset", SC, WE_RESET, "!data 1 5\n!end 1\n!trailers 1 x=y\n!reset 1 CANCEL", TAKEN, 0, "= 5 stay\n= STREAM_CLOSED\n= STREAM_CLOSED\n= STREAM_CLOSED\n> PING ack", 0},
};

static const struct h2_rule ids[] = { /* 5.1.1 */
    {"an_even_id_of_a_client", S, IDLE, "POST 4", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"an_id_lower_than_one_before", S, IDLE, "GET 5\nGET 3", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"an_id_lower_than_one_that_was_refused", S, IDLE, "POST 1\nPOST 7\nGET 5", BREAKS, "PROTOCOL_ERROR", "REFUSED_STREAM", one_stream},
    {"an_id_lower_than_one_that_was_malformed", S, IDLE, "HEADERS 7 ES+EH\nGET 5", BREAKS, "PROTOCOL_ERROR", "RST_STREAM 7 PROTOCOL_ERROR", 0},
    {"an_id_that_was_used", S, ENDED, "GET 1", BREAKS, "STREAM_CLOSED", 0, 0},
    {"an_id_that_was_reset_is_not_opened_again", S, WE_RESET, "GET 1\nDATA 1 - text x", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"a_higher_id_closes_the_idle_ones_below", S, IDLE, "GET 5\nWINDOW_UPDATE 3 - u32 1\nRST_STREAM 1 - u32 8", TAKEN, 0, 0, 0},
    {"gaps_are_legal", S, IDLE, "GET 3\nGET 101\nGET 0x7fffffff", TAKEN, 0, "REQUEST 2147483647 end\n", 0},
    {"stream_0_is_no_stream", SC, IDLE, "HEADERS 0 ES+EH hex 828784410161", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_client_uses_odd_ids_in_order", C, IDLE, "!request end\n!request end\n!request end", TAKEN, 0, "> HEADERS 1 end\n> HEADERS 3 end\n> HEADERS 5 end\n", 0},
    {"a_promise_of_an_odd_id", C, OPEN, "PROMISE 1 3 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
    {"a_promise_of_an_id_lower_than_one_before", C, OPEN, "PROMISE 1 6 " PUSHED "\nPROMISE 1 4 " PUSHED, BREAKS, "PROTOCOL_ERROR", 0, push},
};

static const struct h2_rule concurrency[] = { /* 5.1.2 */
    {"one_stream_too_many", S, OPEN, "POST 3", RESETS, "REFUSED_STREAM", 0, one_stream},
    {"half_closed_streams_count", S, PEER_ENDED, "POST 3", RESETS, "REFUSED_STREAM", 0, one_stream},
    {"closed_streams_do_not_count", S, ENDED, "GET 3", TAKEN, 0, "REQUEST 3 end\n", one_stream},
    {"reset_streams_do_not_count", S, WE_RESET, "GET 3", TAKEN, 0, "REQUEST 3 end\n", one_stream},
    {"one_promise_too_many", C, PROMISED, "PROMISE 1 4 " PUSHED, RESETS, "REFUSED_STREAM", 0, one_push},
    {"a_client_keeps_to_the_servers_limit", C, IDLE, "SETTINGS 0 - set 3=1\n!request end\n!request end\nOKEND 1\n!request end", TAKEN, 0, "> HEADERS 1 end\n= STREAM_LIMIT\nRESPONSE 1 end 200\n> HEADERS 3 end\n", 0},
    {"a_lower_limit_takes_no_stream_away", C, OPEN, "!request end\nSETTINGS 0 - set 3=1\nDATA 1 - text hello\nOKEND 3\n!request end", TAKEN, 0, "DATA 1 5\nRESPONSE 3 end 200\n> SETTINGS ack\n= STREAM_LIMIT\n", 0},
};

static const struct h2_rule priority[] = { /* 5.3 */
    {"the_old_priorities_are_stepped_over", S, IDLE, "HEADERS 1 EH+PRI hex 80000000 ff 828784410161\nPRIORITY 1 - hex 00000003 00\nDATA 1 ES text hello", TAKEN, 0, "DATA 1 5 end\n", 0},
    {"a_head_that_depends_on_its_stream", S, IDLE, "HEADERS 1 ES+EH+PRI hex 00000001 10 828784410161", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"a_stream_that_depends_on_itself", SC, OPEN, "PRIORITY 1 - hex 00000001 10", RESETS, "PROTOCOL_ERROR", 0, 0},
};

static const struct h2_rule errors[] = { /* 5.4, 5.5 */
    {"a_connection_error_names_the_last_stream", S, IDLE, "GET 1\nGET 5\nPING 0 - text x", BREAKS, "FRAME_SIZE_ERROR", "> GOAWAY 5 FRAME_SIZE_ERROR", 0},
    {"nothing_is_done_after_a_connection_error", SC, OPEN, "PING 0 - text x\nDATA 1 - text hello\n!ping\n!data 1 5\n!reset 1 CANCEL", BREAKS, "FRAME_SIZE_ERROR", "= CLOSED\n= 5 stay\n= CLOSED\n", 0},
    {"a_stream_error_leaves_the_others", S, OPEN, "POST 3\nWINDOW_UPDATE 1 - u32 0\nDATA 3 ES text hello", RESETS, "PROTOCOL_ERROR", "DATA 3 5 end\n", 0},
    {"a_stream_error_leaves_the_other_answers", C, OPEN, "!request end\nWINDOW_UPDATE 1 - u32 0\nOKEND 3", RESETS, "PROTOCOL_ERROR", "RESPONSE 3 end 200\n", 0},
    {"what_follows_a_stream_error_is_taken", SC, OPEN, "WINDOW_UPDATE 1 - u32 0\nDATA 1 - text x\nHEADERS 1 ES+EH fields x=y\nWINDOW_UPDATE 1 - u32 0\nRST_STREAM 1 - u32 8", RESETS, "PROTOCOL_ERROR", 0, 0},
    {"frames_of_extensions_in_every_state", SC, ENDED, "0b 1 - text x\n0b 3 - text x\n0b 0 - text x\n0b 2 - text x", TAKEN, 0, 0, 0},
    {"settings_of_extensions", SC, IDLE, "SETTINGS 0 - set 0x10=1,0xf000=2", TAKEN, 0, "> SETTINGS ack\n", 0},
};
/* clang-format on */

#define TEST_OF(rules)                                                                             \
    static void rules##_of_a_peer(void **state)                                                    \
    {                                                                                              \
        (void)state;                                                                               \
        RULES_CHECK(rules);                                                                        \
    }

TEST_OF(idle)
TEST_OF(reserved)
TEST_OF(half_closed)
TEST_OF(closed)
TEST_OF(ids)
TEST_OF(concurrency)
TEST_OF(priority)
TEST_OF(errors)

/* ---------------------------------------------------------------- every state, every frame */

static const char *const states[] = {
    "POST 1\n",
    "GET 1\n",
    "POST 1\n!respond 1 end :status=200\n",
    "GET 1\n!respond 1 end :status=200\n",
    "POST 1\n!reset 1 CANCEL\n",
    "POST 1\nRST_STREAM 1 - u32 8\n",
    "GET 5\n", /* 1 was skipped */
};

/* RFC 9113, 5.4.2: RST_STREAM is never answered by one, whatever its code, or there would be no
 * end. */
static void no_reset_is_answered_by_a_reset(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        for (unsigned code = 0; code < 16; code++) {
            char script[200];
            snprintf(script, sizeof(script),
                     "%s!ping\n*3 RST_STREAM 1 - u32 %u\nPING 0 - text abcdefgh", states[i], code);
            struct script_case sc = {.role = H2_SERVER, .script = script};
            char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
            const char *behind = strstr(got, "> PING 12345678\n");
            assert_non_null(behind);
            assert_null(strstr(behind, "> RST_STREAM"));
            assert_non_null(strstr(behind, "> PING ack abcdefgh\n"));
            free(got);
        }
    }
}

/* RFC 9113, 5.1: PRIORITY may come in every state, for every stream. */
static void priority_may_come_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        char script[200];
        snprintf(script, sizeof(script),
                 "%s!ping\nPRIORITY 1 - hex 00000000 10\nPRIORITY 2 - hex 00000001 10\n"
                 "PRIORITY 9 - hex 80000005 ff\nPING 0 - text abcdefgh",
                 states[i]);
        struct script_case sc = {.role = H2_SERVER, .script = script};
        char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
        assert_non_null(strstr(got, "> PING 12345678\n> PING ack abcdefgh\n"));
        free(got);
    }
}

/* RFC 9113, 5.1.2 and 5.4.2: every refused stream is told once, and all of them are over. */
static void each_stream_over_the_limit_is_refused(void **state)
{
    (void)state;
    static char script[8192] = "POST 1\n";
    for (unsigned id = 3; id < 203; id += 2) {
        snprintf(script + strlen(script), 32, "POST %u\nDATA %u ES text x\n", id, id);
    }
    strcat(script, "DATA 1 ES\n");
    struct script_case sc = {.role = H2_SERVER, .script = script, .tune = one_stream_of_many};
    char *got = script_run(&sc, SCRIPT_AT_RANDOM, 1, NULL);
    for (unsigned id = 3; id < 203; id += 2) {
        char line[64];
        snprintf(line, sizeof(line), "> RST_STREAM %u REFUSED_STREAM\n", id);
        const char *first = strstr(got, line);
        assert_non_null(first);
        assert_null(strstr(first + 1, line));
    }
    assert_non_null(strstr(got, "DATA 1 0 end\n"));
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_of_a_peer),
        cmocka_unit_test(reserved_of_a_peer),
        cmocka_unit_test(half_closed_of_a_peer),
        cmocka_unit_test(closed_of_a_peer),
        cmocka_unit_test(ids_of_a_peer),
        cmocka_unit_test(concurrency_of_a_peer),
        cmocka_unit_test(priority_of_a_peer),
        cmocka_unit_test(errors_of_a_peer),
        cmocka_unit_test(no_reset_is_answered_by_a_reset),
        cmocka_unit_test(priority_may_come_in_every_state),
        cmocka_unit_test(each_stream_over_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
