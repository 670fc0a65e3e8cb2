/* What is said beside messages, from both ends: PING, priorities, ALTSVC, ORIGIN, frames of
 * extensions. Each is sent as it should be, refused as it should be, and told to the other side. */
#include "h2_script.h"

static void tell_all(struct h2_options *opts)
{
    opts->mute = 0;
}

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT

/* clang-format off */
static const struct script_case cases[] = {
    {"a_ping_is_told_and_answered", SERVER, "PING 0 - text abcdefgh", "PING abcdefgh\n> PING ack abcdefgh\n", tell_all, 0},
    {"a_ping_that_comes_back_is_told_once", CLIENT, "!ping\n!ping\n*2 PING 0 ACK text 12345678", "> PING 12345678\n> PING 12345678\nPING_ACK 12345678\nPING_ACK 12345678\n", tell_all, 0},
    {"an_answer_to_no_ping_is_told_too", CLIENT, "PING 0 ACK text whatever", "PING_ACK whatever\n", tell_all, 0},

    {"a_client_sends_priority", CLIENT, "!prio 1 0 1\n!request\n!prio 1 5 256 exclusive\n!prio 9 0x7fffffff 16\n!reset 1 CANCEL\n!prio 1 0 1", "> PRIORITY 1 00000000 0\n> HEADERS 1\n> PRIORITY 1 80000005 255\n> PRIORITY 9 7fffffff 15\n> RST_STREAM 1 CANCEL\n> PRIORITY 1 00000000 0\n", 0, 0},
    {"priority_out_of_range", CLIENT, "!prio 0 1 1\n!prio 0x80000000 1 1\n!prio 1 1 1\n!prio 1 0x80000000 1\n!prio 1 0 0\n!prio 1 0 257", "= VALUE\n= VALUE\n= VALUE\n= VALUE\n= VALUE\n= VALUE\n", 0, 0},
    {"a_server_has_no_priorities_to_tell", SERVER, "GET 1\n!prio 1 0 1\n!pupdate 1 u=1", "REQUEST 1 end\n= UNWISE\n= UNWISE\n", 0, 0},
    {"priority_is_told", SERVER, "PRIORITY 1 - hex 80000003 ff\nPOST 1\n!user 1\nPRIORITY 1 - hex 00000000 00", "PRIORITY 1 3 256 exclusive\nREQUEST 1 u=3\nPRIORITY 1 0 1\n", tell_all, 0},
    {"a_client_is_told_of_priority_too", CLIENT, "PRIORITY 1 - hex 00000003 0f", "PRIORITY 1 3 16\n", tell_all, 0},
    {"a_request_with_priority", CLIENT, "!prequest 0 256\n!prequest 1 1 exclusive end\n!prequest 3 16 end :method=GET|:scheme=http|:path=/|:authority=a", "> priority 00000000 255\n> HEADERS 1\n> priority 80000001 0\n> HEADERS 3 end\n> priority 00000003 15\n> HEADERS 5 end\n", 0, 0},
    {"a_request_with_a_bad_priority_uses_no_id", CLIENT, "!prequest 1 16\n!prequest 0x80000000 16\n!prequest 0 0\n!prequest 0 257\n!request", "= VALUE\n= VALUE\n= VALUE\n= VALUE\n> HEADERS 1\n", 0, 0},
    {"a_request_is_told_with_its_priority", SERVER, "HEADERS 1 ES+EH+PRI hex 80000005 c8 82 87 84 41 01 61\nHEADERS 3 ES+EH hex 82 87 84 41 01 61", "REQUEST 1 end u=3 priority 5 201 exclusive\nSTREAM_ENDED 1\nREQUEST 3 end u=3\nSTREAM_ENDED 3\n", tell_all, 0},
    {"a_response_and_trailers_are_told_with_their_priority", CLIENT, "!request end\nHEADERS 1 EH+PRI hex 00000000 0f 88\nHEADERS 1 ES+EH+PRI hex 00000003 00 00 01 78 01 79", "> HEADERS 1 end\nRESPONSE 1 200 priority 0 16\nTRAILERS 1 end priority 3 1\nSTREAM_ENDED 1\n", tell_all, 0},
    {"the_priority_of_a_block_in_pieces", SERVER, "HEADERS 1 ES+PRI+PAD hex 02 80000005 c8 82 87 0000\nCONTINUATION 1 - hex 84\nCONTINUATION 1 EH hex 41 01 61", "REQUEST 1 end u=3 priority 5 201 exclusive\nSTREAM_ENDED 1\n", tell_all, 0},

    {"a_client_sends_priority_update", CLIENT, "!pupdate 1 u=0\n!request\n!pupdate 1 u=1, i\n!pupdate 1\n!reset 1 CANCEL\n!pupdate 1 u=2", "> PRIORITY_UPDATE 0 1 u=0\n> HEADERS 1\n> PRIORITY_UPDATE 0 1 u=1, i\n> PRIORITY_UPDATE 0 1 \n> RST_STREAM 1 CANCEL\n> PRIORITY_UPDATE 0 1 u=2\n", 0, 0},
    {"priority_update_out_of_range", CLIENT, "!pupdate 0 u=1\n!pupdate 0x80000000 u=1\n!pupdate 1 \001\n!pupdate 1 \303\244", "= VALUE\n= VALUE\n= VALUE\n= VALUE\n", 0, 0},
    {"no_priority_update_of_a_push_that_was_not_promised", CLIENT, "!pupdate 2 u=1", "= NO_STREAM\n", 0, 0},
    {"priority_update_is_told_in_every_state", SERVER,
     "PRIORITY_UPDATE 0 - hex 00000003 753d30\nGET 1\n!user 1\nPRIORITY_UPDATE 0 - hex 00000001 753d312c69\n!respond 1 end :status=200\nPRIORITY_UPDATE 0 - hex 00000001\nPRIORITY_UPDATE 0 - hex 80000001 753d39", "PRIORITY_UPDATE 3 u=0 u=0\nREQUEST 1 end u=3\nSTREAM_ENDED 1\nPRIORITY_UPDATE 1 u=1,i u=1,i\n> HEADERS 1 end\nPRIORITY_UPDATE 1 u=3 \nPRIORITY_UPDATE 1 u=3 u=9\n", tell_all, 0},
    {"a_request_is_told_with_the_urgency_of_its_update", SERVER,
     "PRIORITY_UPDATE 0 - hex 00000001 753d30\nHEADERS 1 ES+EH fields :method=GET|:scheme=http|:path=/|:authority=a|priority=u=7, i\nHEADERS 3 ES+EH fields :method=GET|:scheme=http|:path=/|:authority=a|priority=u=7, i", "PRIORITY_UPDATE 1 u=0 u=0\nREQUEST 1 end u=0\nSTREAM_ENDED 1\nREQUEST 3 end u=7,i\nSTREAM_ENDED 3\n", tell_all, 0},

    {"an_alternative_service_of_an_origin", SERVER, "!altsvc 0 https://a h2=\":8000\"", "> type 10 id 0 flags 0 0009https://ah2=\":8000\"\n", 0, 0},
    {"an_alternative_service_of_a_request", SERVER, "POST 1\n!altsvc 1 - h2=\":8000\"\n!respond 1 :status=200\n!altsvc 1 - clear\n!end 1\n!altsvc 1 - clear", "REQUEST 1\n> type 10 id 1 flags 0 0000h2=\":8000\"\n> HEADERS 1\n> type 10 id 1 flags 0 0000clear\n> DATA 1 0 end\n= STREAM_STATE\n", 0, 0},
    {"an_alternative_service_on_no_stream", SERVER, "!altsvc 1 - clear\n!altsvc 2 - clear\nGET 1\n!respond 1 end :status=200\n!altsvc 1 - clear", "= NO_STREAM\n= NO_STREAM\nREQUEST 1 end\n> HEADERS 1 end\n= STREAM_CLOSED\n", 0, 0},
    {"an_alternative_service_of_both_kinds", SERVER, "GET 1\n!altsvc 1 https://a clear\n!altsvc 0 - clear", "REQUEST 1 end\n= VALUE\n= VALUE\n", 0, 0},
    {"no_alternative_service_of_a_pushed_stream", SERVER, "GET 1\n!push 1\n!altsvc 2 - clear\n!respond 2 :status=200\n!altsvc 2 - clear", "REQUEST 1 end\n> PUSH_PROMISE 1 2\n= STREAM_STATE\n> HEADERS 2\n= STREAM_STATE\n", 0, 0},
    {"a_client_offers_no_alternative_service", CLIENT, "!altsvc 0 https://a clear\n!origin https://a", "= FRAME_TYPE\n= FRAME_TYPE\n", 0, 0},
    {"altsvc_is_told", CLIENT, "ALTSVC 0 - hex 0001 61 636c656172\n!request\nALTSVC 1 - hex 0000 636c656172\nALTSVC 0 - hex 0001 61", "ALTSVC 0 'a' clear\n> HEADERS 1\nALTSVC 1 '' clear\nALTSVC 0 'a' \n", 0, 0},
    {"altsvc_about_nothing_is_ignored", CLIENT, "!request\nALTSVC 0 - hex 0000 636c656172\nALTSVC 1 - hex 0001 61 636c656172\nALTSVC 3 - hex 0000 63\nALTSVC 2 - hex 0000 63\nRST_STREAM 1 - u32 8\nALTSVC 1 - hex 0000 63", "> HEADERS 1\nRESET 1 peer CANCEL\n  user a\n", 0, 0},
    {"altsvc_that_ends_too_early", CLIENT, "ALTSVC 0 - hex 0003 6161", "FAILED FRAME_SIZE_ERROR: ALTSVC that ends before its origin does\n> GOAWAY 0 FRAME_SIZE_ERROR ALTSVC that ends before its origin does\n", 0, 0},
    {"a_server_ignores_altsvc_and_origin", SERVER, "ALTSVC 0 - hex 0001 61 63\nORIGIN 0 - hex 0001 61\nORIGIN 0 - hex 0002 61\nGET 1", "REQUEST 1 end u=3\nSTREAM_ENDED 1\n", tell_all, 0},

    {"origins_are_sent", SERVER, "!origin https://a https://b:8443\n!origin", "> type 12 id 0 flags 0 0009https://a000ehttps://b:8443\n> type 12 id 0 flags 0\n", 0, 0},
    {"origins_are_told", CLIENT, "ORIGIN 0 - hex 0001 61 0000 0002 6162\nORIGIN 0", "ORIGIN a  ab\nORIGIN\n", 0, 0},
    {"origin_with_flags_that_would_change_it_is_ignored", CLIENT, "ORIGIN 0 ES+EH+PAD hex 0001 61", "", 0, 0},
    {"origin_on_a_stream_is_ignored", CLIENT, "!request\nORIGIN 1 - hex 0001 61\nORIGIN 7 - hex 0001 61", "> HEADERS 1\n", 0, 0},
    {"origin_that_ends_inside_an_origin", CLIENT, "ORIGIN 0 - hex 0001 61 0002 61", "FAILED FRAME_SIZE_ERROR: ORIGIN that ends inside an origin\n> GOAWAY 0 FRAME_SIZE_ERROR ORIGIN that ends inside an origin\n", 0, 0},
    {"origin_that_ends_inside_a_length", CLIENT, "ORIGIN 0 - hex 0001 61 00", "FAILED FRAME_SIZE_ERROR: ORIGIN that ends inside an origin\n> GOAWAY 0 FRAME_SIZE_ERROR ORIGIN that ends inside an origin\n", 0, 0},

    {"frames_of_extensions", CLIENT, "!ext 0b 255 0 hello\n!ext ff 0 7\n!ext fa 1 0x7fffffff x", "> type 11 id 0 flags 255 hello\n> type 255 id 7 flags 0\n> type 250 id 2147483647 flags 1 x\n", 0, 0},
    {"an_extension_frame_that_is_none", CLIENT, "!ext 00 0 1 x\n!ext 09 0 1\n!ext 0a 0 0\n!ext 0c 0 0\n!ext 10 0 0\n!ext 0b 0 0x80000000", "= FRAME_TYPE\n= FRAME_TYPE\n= FRAME_TYPE\n= FRAME_TYPE\n= FRAME_TYPE\n= VALUE\n", 0, 0},
    {"unknown_frames_are_told", SERVER, "0b 0 - text hello\nPOST 1\n!user 1\nff 1 ES+EH hex 7a\n42 99", "UNKNOWN 0 type 11 flags 0 'hello'\nREQUEST 1 u=3\nUNKNOWN 1 type 255 flags 5 'z'\nUNKNOWN 99 type 66 flags 0 ''\n", tell_all, 0},

    {"nothing_is_said_when_it_is_over", SERVER,
     "!close NO_ERROR told\n!ping\n!prio 1 0 1\n!pupdate 1 u=1\n!altsvc 0 https://a clear\n!origin\n!ext 0b 0 0\n!settings 3=1\n!update 0 1\n!push 1\n!send 1 1 -\n!close NO_ERROR told", "> GOAWAY 0 NO_ERROR \n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n= CLOSED\n", 0, 0},
};
/* clang-format on */

static void announcements_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

static struct h2_conn *server(void)
{
    struct h2_options opts;
    struct h2_event ev;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    assert_non_null(c);
    h2_conn_feed(c, (const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
    while (h2_conn_next_event(c, 0, &ev)) {
    }
    h2_conn_drop_output(c);
    return c;
}

/* Each is sent as long as the peer's frames may be, and not an octet longer. */
static void announcements_fill_a_frame(void **state)
{
    (void)state;
    static char text[16384 + 1];
    memset(text, 'a', sizeof(text) - 1);
    struct h2_conn *c = server();
    size_t frame = H2_FRAME_HEADER_LEN + 16384;

    assert_int_equal(h2_conn_altsvc(c, 0, "o", 1, text, 16384 - 3), H2_OK);
    assert_int_equal(h2_conn_output_len(c), frame);
    assert_int_equal(h2_conn_altsvc(c, 0, "o", 1, text, 16384 - 2), H2_ERR_FRAME_SIZE);
    assert_int_equal(h2_conn_altsvc(c, 0, text, 1024, text, 1), H2_OK);
    assert_int_equal(h2_conn_altsvc(c, 0, text, 1025, text, 1), H2_ERR_VALUE);
    h2_conn_drop_output(c);

    assert_int_equal(h2_conn_extension_frame(c, 0xfe, 0, 0, text, 16384), H2_OK);
    assert_int_equal(h2_conn_output_len(c), frame);
    assert_int_equal(h2_conn_extension_frame(c, 0xfe, 0, 0, text, 16385), H2_ERR_FRAME_SIZE);
    assert_int_equal(h2_conn_output_len(c), frame);
    h2_conn_drop_output(c);

    const char *origins[] = {text + 2 + 5, text + 16384 - 3};
    assert_int_equal(h2_conn_origin(c, origins, 2), H2_OK); /* 2 + 16377 + 2 + 3 */
    assert_int_equal(h2_conn_output_len(c), frame);
    origins[1]--;
    assert_int_equal(h2_conn_origin(c, origins, 2), H2_ERR_FRAME_SIZE);
    assert_int_equal(h2_conn_output_len(c), frame);
    h2_conn_free(c);
}

static void an_origin_is_no_longer_than_its_length_field(void **state)
{
    (void)state;
    char *text = malloc(65537);
    assert_non_null(text);
    memset(text, 'a', 65536);
    text[65536] = '\0';
    const char *origin = text;
    struct h2_conn *c = server();
    assert_int_equal(h2_conn_origin(c, &origin, 1), H2_ERR_VALUE);
    origin++;
    assert_int_equal(h2_conn_origin(c, &origin, 1), H2_ERR_FRAME_SIZE);
    assert_int_equal(h2_conn_output_len(c), 0);
    h2_conn_free(c);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announcements_from_outside),
        cmocka_unit_test(announcements_fill_a_frame),
        cmocka_unit_test(an_origin_is_no_longer_than_its_length_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
