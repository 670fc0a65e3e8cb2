/* RST_STREAM, PING, GOAWAY, WINDOW_UPDATE, PRIORITY and PRIORITY_UPDATE as a peer sends them. */
#include "h2_script.h"

static void wide_window(struct h2_options *opts)
{
    opts->initial_window_size = 1000000;
}

/* clang-format off */
static const struct script_case cases[] = {
    {"rst_stream_is_told_with_its_code", H2_SERVER, "POST 1\n!user 1\nRST_STREAM 1 - u32 5", "REQUEST 1\nRESET 1 peer STREAM_CLOSED\n  user someone\n", 0, 0},
    {"a_code_that_is_not_registered_is_kept", H2_SERVER, "POST 1\nRST_STREAM 1 - u32 0xfedcba98", "REQUEST 1\nRESET 1 peer UNKNOWN\n", 0, 0},
    {"a_second_rst_stream_is_late", H2_SERVER, "POST 1\nRST_STREAM 1 - u32 5\nRST_STREAM 1 - u32 5", "REQUEST 1\nRESET 1 peer STREAM_CLOSED\n", 0, 0},

    {"ping_is_answered_with_its_octets", H2_SERVER, "PING 0 - text abcdefgh\nPING 0 - text 12345678", "> PING ack abcdefgh\n> PING ack 12345678\n", 0, 0},
    {"our_ping_comes_back", H2_CLIENT, "!ping\nPING 0 ACK text 12345678", "> PING 12345678\nPING_ACK 12345678\n", 0, 0},

    {"goaway_is_told_with_its_text", H2_CLIENT, "!request\nGOAWAY 0 - hex 00000001 0000000b 62796521\n!request\nOKEND 1",
     "> HEADERS 1\nGOAWAY 1 ENHANCE_YOUR_CALM bye!\n= GOAWAY\nRESPONSE 1 end 200\n", 0, 0},
    {"streams_above_goaway_are_told_as_refused", H2_CLIENT, "!request end\n!request end\n!request\nGOAWAY 0 - u32 1,0\nOKEND 1\nWINDOW_UPDATE 5 - u32 1",
     "> HEADERS 1 end\n> HEADERS 3 end\n> HEADERS 5\nGOAWAY 1 NO_ERROR \nRESET 5 peer REFUSED_STREAM\n  user c\nRESET 3 peer REFUSED_STREAM\n  user b\nRESPONSE 1 end 200\n", 0, 0},
    {"the_notice_refuses_no_stream", H2_CLIENT, "!request end\nGOAWAY 0 - u32 0x7fffffff,0\n!request\nGOAWAY 0 - u32 1,0\nOKEND 1",
     "> HEADERS 1 end\nGOAWAY 2147483647 NO_ERROR \n= GOAWAY\nGOAWAY 1 NO_ERROR \nRESPONSE 1 end 200\n", 0, 0},
    {"goaway_cannot_take_back_what_it_refused", H2_CLIENT, "!request end\nGOAWAY 0 - u32 0,2\nGOAWAY 0 - u32 5,0",
     "> HEADERS 1 end\nGOAWAY 0 INTERNAL_ERROR \nRESET 1 peer REFUSED_STREAM\n  user a\nGOAWAY 0 NO_ERROR \n", 0, 0},
    {"a_server_is_told_of_goaway", H2_SERVER, "POST 1\nGOAWAY 0 - u32 0,0\nDATA 1 ES", "REQUEST 1\nGOAWAY 0 NO_ERROR \nDATA 1 0 end\n", 0, 0},

    {"window_update_of_0_on_a_stream", H2_SERVER, "POST 1\nWINDOW_UPDATE 1 - u32 0\nGET 3",
     "REQUEST 1\nRESET 1 us PROTOCOL_ERROR: WINDOW_UPDATE of 0\nREQUEST 3 end\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"window_update_of_0_on_the_connection", H2_SERVER, "WINDOW_UPDATE 0 - u32 0",
     "FAILED PROTOCOL_ERROR: WINDOW_UPDATE of 0 for the connection\n> GOAWAY 0 PROTOCOL_ERROR WINDOW_UPDATE of 0 for the connection\n", 0, 0},
    {"the_reserved_bit_of_an_increment_is_ignored", H2_SERVER, "WINDOW_UPDATE 0 - u32 0x80000000",
     "FAILED PROTOCOL_ERROR: WINDOW_UPDATE of 0 for the connection\n> GOAWAY 0 PROTOCOL_ERROR WINDOW_UPDATE of 0 for the connection\n", 0, 0},
    {"window_update_of_0_on_a_closed_stream_is_late", H2_SERVER, "POST 1\n!reset 1 CANCEL\nWINDOW_UPDATE 1 - u32 0", "REQUEST 1\n> RST_STREAM 1 CANCEL\n", 0, 0},
    {"a_stream_window_can_be_filled_to_its_end", H2_SERVER, "POST 1\nWINDOW_UPDATE 1 - u32 0x7fff0000\nDATA 1 ES", "REQUEST 1\nDATA 1 0 end\n", 0, 0},
    {"a_stream_window_over_its_end", H2_SERVER, "POST 1\nWINDOW_UPDATE 1 - u32 0x7fff0001",
     "REQUEST 1\nRESET 1 us FLOW_CONTROL_ERROR: WINDOW_UPDATE makes the stream window larger than 2^31-1\n> RST_STREAM 1 FLOW_CONTROL_ERROR\n", 0, 0},
    {"the_connection_window_can_be_filled_to_its_end", H2_SERVER, "WINDOW_UPDATE 0 - u32 0x7fff0000\nPING 0 - text abcdefgh", "> PING ack abcdefgh\n", 0, 0},
    {"the_connection_window_over_its_end", H2_SERVER, "WINDOW_UPDATE 0 - u32 0x7fff0000\nWINDOW_UPDATE 0 - u32 1",
     "FAILED FLOW_CONTROL_ERROR: WINDOW_UPDATE makes the connection window larger than 2^31-1\n"
     "> GOAWAY 0 FLOW_CONTROL_ERROR WINDOW_UPDATE makes the connection window larger than 2^31-1\n", 0, 0},
    {"both_windows_hold_our_data", H2_SERVER,
     "GET 1\n!respond 1 :status=200\n!data 1 65536\nWINDOW_UPDATE 1 - u32 10\n!data 1 1\nWINDOW_UPDATE 0 - u32 3\n!data 1 9\nWINDOW_UPDATE 0 - u32 100\n!data 1 9 end",
     "REQUEST 1 end\n> HEADERS 1\n> DATA 1 16384\n> DATA 1 16384\n> DATA 1 16384\n> DATA 1 16383\n= 1 stay\n= 1 stay\n> DATA 1 3\n= 6 stay\n> DATA 1 7\n= 2 stay\n", 0, 0},

    {"priority_of_a_wrong_length_on_an_idle_stream", H2_SERVER, "PRIORITY 1 - hex 00000000",
     "FAILED FRAME_SIZE_ERROR: PRIORITY of a length that it must not have\n> GOAWAY 0 FRAME_SIZE_ERROR PRIORITY of a length that it must not have\n", 0, 0},
    {"priority_of_a_wrong_length_on_an_open_stream", H2_SERVER, "POST 1\nPRIORITY 1 - hex 00000000 0000\nGET 3",
     "REQUEST 1\nRESET 1 us FRAME_SIZE_ERROR: PRIORITY of a length that it must not have\nREQUEST 3 end\n> RST_STREAM 1 FRAME_SIZE_ERROR\n", 0, 0},
    {"priority_on_itself", H2_SERVER, "POST 1\nPRIORITY 1 - hex 80000001 00",
     "REQUEST 1\nRESET 1 us PROTOCOL_ERROR: a stream that depends on itself\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"priority_on_itself_on_an_idle_stream", H2_SERVER, "PRIORITY 3 - hex 00000003 00",
     "FAILED PROTOCOL_ERROR: a stream that depends on itself\n> GOAWAY 0 PROTOCOL_ERROR a stream that depends on itself\n", 0, 0},
    {"priority_on_anything_else_is_ignored", H2_SERVER, "POST 1\nPRIORITY 1 - hex 00000000 00\nPRIORITY 9 - hex 80000001 ff\nDATA 1 ES", "REQUEST 1\nDATA 1 0 end\n", 0, 0},

    {"priority_update_of_stream_0", H2_SERVER, "PRIORITY_UPDATE 0 - hex 00000000 753d31",
     "FAILED PROTOCOL_ERROR: PRIORITY_UPDATE for a stream that cannot be\n> GOAWAY 0 PROTOCOL_ERROR PRIORITY_UPDATE for a stream that cannot be\n", 0, 0},
    {"priority_update_of_a_pushed_stream", H2_SERVER, "PRIORITY_UPDATE 0 - hex 00000002 753d31",
     "FAILED PROTOCOL_ERROR: PRIORITY_UPDATE for a stream that cannot be\n> GOAWAY 0 PROTOCOL_ERROR PRIORITY_UPDATE for a stream that cannot be\n", 0, 0},
    {"priority_update_in_every_state", H2_SERVER, "PRIORITY_UPDATE 0 - hex 00000001 753d31\nGET 1\nPRIORITY_UPDATE 0 - hex 00000001\nRST_STREAM 1 - u32 8\nPRIORITY_UPDATE 0 - hex 00000001 69",
     "REQUEST 1 end\nRESET 1 peer CANCEL\n", 0, 0},
    {"a_large_window_is_in_force_when_acknowledged", H2_SERVER, "POST 1\n*4 DATA 1 - zeros 16000\n!consume 1 64000\nDATA 1 ES zeros 16000",
     "REQUEST 1\nDATA 1 64000\n> WINDOW_UPDATE 0 64000\nDATA 1 16000 end\n", wide_window, 0},
};
/* clang-format on */

static void control_frames_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(control_frames_from_outside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
