/* Who sends next: urgency, order, turns, and windows that are shut. */
#include "h2_script.h"

#define HEAD(id, priority)                                                                         \
    "HEADERS " id " ES+EH fields :method=GET|:scheme=http|:path=/|:authority=a" priority           \
    "\n!respond " id " :status=200\n"
#define TOLD(id) "REQUEST " id " end\n> HEADERS " id "\n"
#define GO(id)   "> DATA " id " 10\n"

/* clang-format off */
static const struct script_case cases[] = {
    {"without_priorities_the_lower_id_goes_first", H2_SERVER,
     HEAD("1", "") HEAD("3", "") HEAD("5", "") "!ready 5 20\n!ready 1 20\n!ready 3 20\n!pump 7 10",
     TOLD("1") TOLD("3") TOLD("5") GO("1") GO("1") GO("3") GO("3") GO("5") GO("5") "= nothing to send\n", 0, 0},
    {"urgency_goes_before_order", H2_SERVER,
     HEAD("1", "|priority=u=5") HEAD("3", "") HEAD("5", "|priority=u=0") HEAD("7", "|priority=u=7") "!ready 7 10\n!ready 1 20\n!ready 3 20\n!ready 5 20\n!pump 8 10",
     TOLD("1") TOLD("3") TOLD("5") TOLD("7") GO("5") GO("5") GO("3") GO("3") GO("1") GO("1") GO("7") "= nothing to send\n", 0, 0},
    {"incremental_streams_take_turns", H2_SERVER,
     HEAD("1", "|priority=i") HEAD("3", "|priority=i") HEAD("5", "|priority=u=3, i") "!ready 1 20\n!ready 3 20\n!ready 5 30\n!pump 8 10",
     TOLD("1") TOLD("3") TOLD("5") GO("1") GO("3") GO("5") GO("1") GO("3") GO("5") GO("5") "= nothing to send\n", 0, 0},
    {"both_kinds_alternate", H2_SERVER,
     HEAD("1", "|priority=i") HEAD("3", "") HEAD("5", "") HEAD("7", "|priority=i") "!ready 1 20\n!ready 3 20\n!ready 5 20\n!ready 7 20\n!pump 9 10",
     TOLD("1") TOLD("3") TOLD("5") TOLD("7") GO("3") GO("1") GO("3") GO("7") GO("5") GO("1") GO("5") GO("7") "= nothing to send\n", 0, 0},
    {"a_stream_that_becomes_ready_late_goes_first_if_it_should", H2_SERVER,
     HEAD("1", "") HEAD("3", "") "!ready 3 30\n!pump 1 10\n!ready 1 10\n!pump 4 10",
     TOLD("1") TOLD("3") GO("3") GO("1") GO("3") GO("3") "= nothing to send\n", 0, 0},
    {"a_shut_stream_window_lets_others_go", H2_SERVER,
     "SETTINGS 0 - set 4=15\n" HEAD("1", "") HEAD("3", "") "!ready 1 30\n!ready 3 10\n!pump 4 10\nWINDOW_UPDATE 1 - u32 10\n!pump 2 10",
     "SETTINGS\n" "REQUEST 1 end\n> SETTINGS ack\n> HEADERS 1\n" TOLD("3") GO("1") "> DATA 1 5\n" GO("3") "= nothing to send\n" GO("1") "= nothing to send\n", 0, 0},
    {"a_shut_connection_window_stops_all", H2_SERVER,
     HEAD("1", "") HEAD("3", "") "!ready 1 65530\n!ready 3 10\n!pump 7 16384\nWINDOW_UPDATE 0 - u32 1\n!pump 2 10",
     TOLD("1") TOLD("3") "> DATA 1 16384\n> DATA 1 16384\n> DATA 1 16384\n> DATA 1 16378\n> DATA 3 5\n= nothing to send\n> DATA 3 1\n= nothing to send\n", 0, 0},
    {"nothing_is_sent_before_the_head", H2_SERVER, "GET 1\n!ready 1 10\n!pump 1 10\n!respond 1 :status=103\n!pump 1 10\n!respond 1 :status=200\n!pump 2 10",
     "REQUEST 1 end\n= nothing to send\n> HEADERS 1\n= nothing to send\n> HEADERS 1\n" GO("1") "= nothing to send\n", 0, 0},
    {"nothing_is_sent_of_a_reset_stream", H2_SERVER, HEAD("1", "") HEAD("3", "|priority=i") "!ready 1 10\n!ready 3 10\nRST_STREAM 1 - u32 8\n!reset 3 CANCEL\n!pump 1 10",
     TOLD("1") TOLD("3") "RESET 1 peer CANCEL\n> RST_STREAM 3 CANCEL\n= nothing to send\n", 0, 0},
    {"nothing_is_sent_after_a_failure", H2_SERVER, HEAD("1", "") "!ready 1 10\nDATA 3 - text x\n!pump 1 10",
     TOLD("1") "FAILED PROTOCOL_ERROR: DATA on an idle stream\n> GOAWAY 1 PROTOCOL_ERROR DATA on an idle stream\n= nothing to send\n", 0, 0},
    {"an_update_changes_the_order", H2_SERVER,
     HEAD("1", "") HEAD("3", "") "!ready 1 30\n!ready 3 20\n!pump 1 10\nPRIORITY_UPDATE 0 - hex 00000003 753d31\n!pump 5 10",
     TOLD("1") TOLD("3") GO("1") GO("3") GO("3") GO("1") GO("1") "= nothing to send\n", 0, 0},
    {"an_update_without_members_is_the_default", H2_SERVER,
     HEAD("1", "|priority=u=1") HEAD("3", "|priority=u=2") "!ready 1 20\n!ready 3 20\n!pump 1 10\nPRIORITY_UPDATE 0 - hex 00000001\n!pump 4 10",
     TOLD("1") TOLD("3") GO("1") GO("3") GO("3") GO("1") "= nothing to send\n", 0, 0},
    {"an_update_before_the_request_outdoes_its_field", H2_SERVER,
     "PRIORITY_UPDATE 0 - hex 00000003 753d30\n" HEAD("1", "|priority=u=1") HEAD("3", "|priority=u=7") "!ready 1 10\n!ready 3 10\n!pump 3 10",
     TOLD("1") TOLD("3") GO("3") GO("1") "= nothing to send\n", 0, 0},
    {"the_last_update_before_the_request_counts", H2_SERVER,
     "PRIORITY_UPDATE 0 - hex 00000003 753d30\nPRIORITY_UPDATE 0 - hex 00000003 753d37\n" HEAD("1", "") HEAD("3", "") "!ready 1 10\n!ready 3 10\n!pump 3 10",
     TOLD("1") TOLD("3") GO("1") GO("3") "= nothing to send\n", 0, 0},
    {"only_the_latest_early_updates_are_kept", H2_SERVER,
     "PRIORITY_UPDATE 0 - hex 00000003 753d30\nPRIORITY_UPDATE 0 - hex 00000065 69\nPRIORITY_UPDATE 0 - hex 00000067 69\nPRIORITY_UPDATE 0 - hex 00000069 69\nPRIORITY_UPDATE 0 - hex 0000006b 69\n"
     HEAD("1", "") HEAD("3", "") "!ready 1 10\n!ready 3 10\n!pump 3 10",
     TOLD("1") TOLD("3") GO("1") GO("3") "= nothing to send\n", 0, 0},
    {"the_response_can_change_urgency_and_keeps_the_rest", H2_SERVER,
     "HEADERS 1 ES+EH fields :method=GET|:scheme=http|:path=/|:authority=a|priority=i\n!respond 1 :status=200|priority=u=6\n" HEAD("3", "|priority=u=6, i") "!ready 1 20\n!ready 3 20\n!pump 5 10",
     TOLD("1") TOLD("3") GO("1") GO("3") GO("1") GO("3") "= nothing to send\n", 0, 0},
    {"a_client_sends_by_the_priority_of_its_requests", H2_CLIENT,
     "!request :method=PUT|:scheme=http|:path=/|:authority=a\n!request :method=PUT|:scheme=http|:path=/|:authority=a|priority=u=1\n!ready 1 10\n!ready 3 10\n!pump 3 10",
     "> HEADERS 1\n> HEADERS 3\n" GO("3") GO("1") "= nothing to send\n", 0, 0},
    {"none_starves_of_a_more_urgent_one", H2_SERVER, HEAD("1", "|priority=u=0") HEAD("3", "|priority=u=5") HEAD("5", "|priority=u=7") "!ready 1 1000\n!ready 3 1000\n!ready 5 1000\n!pump 50 10", "REQUEST 1 end\n> HEADERS 1\nREQUEST 3 end\n> HEADERS 3\nREQUEST 5 end\n> HEADERS 5\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 3 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 5 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 3 10\n> DATA 1 10\n> DATA 1 10\n", 0, 0},
    {"every_sixteenth_frame_and_no_more_goes_to_a_less_urgent_one", H2_SERVER, HEAD("1", "|priority=u=0") HEAD("3", "|priority=u=7, i") HEAD("5", "|priority=u=7, i") "!ready 1 1000\n!ready 3 20\n!ready 5 20\n!pump 65 10", "REQUEST 1 end\n> HEADERS 1\nREQUEST 3 end\n> HEADERS 3\nREQUEST 5 end\n> HEADERS 5\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 3 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 5 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 3 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 5 10\n> DATA 1 10\n", 0, 0},
    {"a_stream_alone_is_not_held_up", H2_SERVER, HEAD("1", "|priority=u=7") "!ready 1 200\n!pump 21 10", "REQUEST 1 end\n> HEADERS 1\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n> DATA 1 10\n= nothing to send\n", 0, 0},
    {"a_push_is_less_urgent_when_it_says_so", H2_SERVER, HEAD("1", "") "!push 1 :method=GET|:scheme=http|:path=/|:authority=a|priority=u=6\n!respond 2 :status=200\n!ready 1 20\n!ready 2 20\n!pump 5 10", "REQUEST 1 end\n> HEADERS 1\n> PUSH_PROMISE 1 2\n> HEADERS 2\n> DATA 1 10\n> DATA 1 10\n> DATA 2 10\n> DATA 2 10\n= nothing to send\n", 0, 0},
    {"copied_bytes_take_their_turn_too", H2_SERVER, HEAD("1", "|priority=i") HEAD("3", "|priority=i") "!ready 1 20\n!ready 3 20\n!pump 1 10\n!send 3 10 -\n!pump 3 10", "REQUEST 1 end\n> HEADERS 1\nREQUEST 3 end\n> HEADERS 3\n> DATA 1 10\n> DATA 3 10\n> DATA 1 10\n> DATA 3 10\n> DATA 3 10\n", 0, 0},
    {"an_update_of_the_clients_own_moves_its_bodies", H2_CLIENT, "!request :method=PUT|:scheme=http|:path=/|:authority=a\n!request :method=PUT|:scheme=http|:path=/|:authority=a\n!ready 1 20\n!ready 3 20\n!pump 1 10\n!pupdate 3 u=0\n!pump 4 10", "> HEADERS 1\n> HEADERS 3\n> DATA 1 10\n> PRIORITY_UPDATE 0 3 u=0\n> DATA 3 10\n> DATA 3 10\n> DATA 1 10\n= nothing to send\n", 0, 0},
};
/* clang-format on */

static void order_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_from_outside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
