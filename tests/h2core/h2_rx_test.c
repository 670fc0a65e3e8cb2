/* Bytes to frames: prefaces, legality by frames.def, unknown frames, memory that is held in
 * between. */
#include "h2_script.h"

#include "h2_internal.h"
#include "hpack_testing.h"

#include <stdio.h>

#define PREFACE "BYTES 505249202a20485454502f322e300d0a0d0a534d0d0a0d0a\n"

static void large_frames(struct h2_options *opts)
{
    opts->max_frame_size = 20000;
}

static void settings_may_be_late(struct h2_options *opts)
{
    opts->require_settings_first = false;
}

/* clang-format off */
static const struct script_case cases[] = {
    {"a_server_greets_with_its_settings", H2_SERVER, "", "> SETTINGS 3=100 6=65536 9=1\n", 0, true},
    {"a_client_greets_with_preface_and_settings", H2_CLIENT, "", "> preface\n> SETTINGS 2=0 6=65536 9=1\n", 0, true},
    {"a_wrong_preface_ends_it_at_once", H2_SERVER, "BYTES 505249202a20485454502f312e31",
     "FAILED PROTOCOL_ERROR: not the preface of HTTP/2\n> SETTINGS 3=100 6=65536 9=1\n"
     "> GOAWAY 0 PROTOCOL_ERROR not the preface of HTTP/2\n", 0, true},
    {"a_request_of_http_1_is_not_the_preface", H2_SERVER, "BYTES 474554202f20485454502f312e310d0a",
     "FAILED PROTOCOL_ERROR: not the preface of HTTP/2\n> SETTINGS 3=100 6=65536 9=1\n"
     "> GOAWAY 0 PROTOCOL_ERROR not the preface of HTTP/2\n", 0, true},
    {"half_a_preface_is_waited_for", H2_SERVER, "BYTES 50524920", "> SETTINGS 3=100 6=65536 9=1\n", 0, true},
    {"the_first_frame_of_a_client_is_settings", H2_SERVER, PREFACE "PING 0 - zeros 8",
     "FAILED PROTOCOL_ERROR: the first frame is not SETTINGS\n> SETTINGS 3=100 6=65536 9=1\n"
     "> GOAWAY 0 PROTOCOL_ERROR the first frame is not SETTINGS\n", 0, true},
    {"the_first_frame_of_a_server_is_settings", H2_CLIENT, "PING 0 - zeros 8",
     "FAILED PROTOCOL_ERROR: the first frame is not SETTINGS\n> preface\n> SETTINGS 2=0 6=65536 9=1\n"
     "> GOAWAY 0 PROTOCOL_ERROR the first frame is not SETTINGS\n", 0, true},
    {"an_acknowledgement_is_not_the_first_settings", H2_CLIENT, "SETTINGS 0 ACK",
     "FAILED PROTOCOL_ERROR: the first frame is not SETTINGS\n> preface\n> SETTINGS 2=0 6=65536 9=1\n"
     "> GOAWAY 0 PROTOCOL_ERROR the first frame is not SETTINGS\n", 0, true},
    {"settings_may_be_late_where_that_is_allowed", H2_SERVER, PREFACE "PING 0 - text abcdefgh\nGET 1\nSETTINGS 0 - set 4=1\nSETTINGS 0 ACK", "REQUEST 1 end\nSETTINGS\nSETTINGS_ACK\n> SETTINGS 3=100 6=65536 9=1\n> PING ack abcdefgh\n> SETTINGS ack\n", settings_may_be_late, true},
    {"a_servers_settings_may_be_late_where_that_is_allowed", H2_CLIENT, "!request end\nOKEND 1\nGOAWAY 0 - u32 1,0\nSETTINGS 0", "> preface\n> SETTINGS 2=0 6=65536 9=1\n> HEADERS 1 end\nRESPONSE 1 end 200\nGOAWAY 1 NO_ERROR \nSETTINGS\n> SETTINGS ack\n", settings_may_be_late, true},
    {"the_preface_comes_first_all_the_same", H2_SERVER, "!shutdown\nSETTINGS 0", "> SETTINGS 3=100 6=65536 9=1\n> GOAWAY 0 NO_ERROR \nFAILED PROTOCOL_ERROR: not the preface of HTTP/2\n> GOAWAY 0 PROTOCOL_ERROR not the preface of HTTP/2\n", settings_may_be_late, true},
    {"leaving_before_late_settings", H2_SERVER, "!shutdown\n" PREFACE "PING 0 - text abcdefgh\nGET 1", "> SETTINGS 3=100 6=65536 9=1\n> GOAWAY 0 NO_ERROR \n> PING ack abcdefgh\n", settings_may_be_late, true},
    {"an_upgrade_before_late_settings", H2_CLIENT, "!upgrade -\nOKEND 1", "> preface\n> SETTINGS 2=0 6=65536 9=1\nRESPONSE 1 end 200\n", settings_may_be_late, true},
    {"unknown_frames_are_ignored", H2_SERVER, "0b 0 - zeros 5\nff 7 - text hello\nfa 1 ES+EH\n11 0 - zeros 16384\nGET 1",
     "REQUEST 1 end\n", 0, 0},
    {"an_unknown_frame_is_no_longer_than_allowed", H2_SERVER, "0b 0 - zeros 16385",
     "FAILED FRAME_SIZE_ERROR: a frame longer than SETTINGS_MAX_FRAME_SIZE\n"
     "> GOAWAY 0 FRAME_SIZE_ERROR a frame longer than SETTINGS_MAX_FRAME_SIZE\n", 0, 0},
    {"an_unknown_frame_does_not_interrupt_a_header_block", H2_SERVER, "HEADERS 1 ES\n0b 0 - zeros 5",
     "FAILED PROTOCOL_ERROR: a frame inside a header block\n"
     "> GOAWAY 0 PROTOCOL_ERROR a frame inside a header block\n", 0, 0},
    {"the_reserved_bit_of_a_stream_id_is_ignored", H2_SERVER,
     "GET 1\nBYTES 000004 03 00 80000001 00000008", "REQUEST 1 end\nRESET 1 peer CANCEL\n", 0, 0},
    {"unknown_flags_are_ignored", H2_SERVER, "BYTES 000008 06 fe 00000000 6162636465666768",
     "> PING ack abcdefgh\n", 0, 0},
    {"a_long_frame_is_an_error_with_its_header", H2_SERVER, "POST 1\nBYTES 004001 00 00 00000001",
     "REQUEST 1\nFAILED FRAME_SIZE_ERROR: a frame longer than SETTINGS_MAX_FRAME_SIZE\n"
     "> GOAWAY 1 FRAME_SIZE_ERROR a frame longer than SETTINGS_MAX_FRAME_SIZE\n", 0, 0},
    {"a_frame_as_long_as_was_announced_is_taken", H2_SERVER, "POST 1\nDATA 1 ES zeros 20000",
     "REQUEST 1\nDATA 1 20000 end\n", large_frames, 0},
    {"what_is_announced_counts_when_it_is_acknowledged", H2_SERVER,
     PREFACE "SETTINGS 0\nPOST 1\nDATA 1 ES zeros 16385",
     "SETTINGS\nREQUEST 1\nFAILED FRAME_SIZE_ERROR: a frame longer than SETTINGS_MAX_FRAME_SIZE\n"
     "> SETTINGS 3=100 5=20000 6=65536 9=1\n> SETTINGS ack\n"
     "> GOAWAY 1 FRAME_SIZE_ERROR a frame longer than SETTINGS_MAX_FRAME_SIZE\n", large_frames, true},
    {"nothing_is_parsed_after_a_failure", H2_SERVER, "DATA 1 - text x\nGET 1\nPING 0 - zeros 8",
     "FAILED PROTOCOL_ERROR: DATA on an idle stream\n> GOAWAY 0 PROTOCOL_ERROR DATA on an idle stream\n", 0, 0},
    {"nothing_is_parsed_after_terminate", H2_SERVER, "GET 1\n!terminate INTERNAL_ERROR sorry\nGET 3\nPING 0 - zeros 8\n!reset 1 CANCEL\n!ping\n!shutdown\n!notice\n!terminate CANCEL x",
     "REQUEST 1 end\n> GOAWAY 1 INTERNAL_ERROR sorry\n= CLOSED\n= CLOSED\n"
     "= CLOSED\n= CLOSED\n= CLOSED\n", 0, 0},
    {"a_client_must_not_send_push_promise", H2_SERVER, "GET 1\nPUSH_PROMISE 1 EH u32 2",
     "REQUEST 1 end\nFAILED PROTOCOL_ERROR: PUSH_PROMISE that this side must not be sent\n"
     "> GOAWAY 1 PROTOCOL_ERROR PUSH_PROMISE that this side must not be sent\n", 0, 0},
    {"a_server_was_told_not_to_push", H2_CLIENT, "!request end\nPUSH_PROMISE 1 EH u32 2",
     "> HEADERS 1 end\nFAILED PROTOCOL_ERROR: PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0\n"
     "> GOAWAY 0 PROTOCOL_ERROR PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0\n", 0, 0},
    {"a_server_sends_no_priority_update", H2_CLIENT, "PRIORITY_UPDATE 0 - hex 00000001",
     "FAILED PROTOCOL_ERROR: PRIORITY_UPDATE that this side must not be sent\n"
     "> GOAWAY 0 PROTOCOL_ERROR PRIORITY_UPDATE that this side must not be sent\n", 0, 0},
};
/* clang-format on */

static void frames_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

/* ---------------------------------------------------------------- every row of frames.def */

enum { STREAM, CONN, ANY };
enum { BOTH, SERVER, CLIENT, CLIENT_ONLY };
#define VARIES UINT32_MAX

static const struct row {
    const char *name;
    unsigned type;
    int id;
    uint32_t least;
    uint32_t most;
    int scope;
    int receiver;
} rows[] = {
#define FRAME(name, type, id, least, most, scope, receiver)                                        \
    {#name, type, id, least, most, H2_SCOPE_##scope, receiver},
#include "frames.def"
#undef FRAME
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* How one frame with a payload of zeros is met, on a stream that is open. */
static char *meet(const struct row *row, enum h2_role role, uint32_t id, uint32_t len)
{
    char script[256];
    const char *open = role == H2_SERVER ? "POST 1" : "!request\nOK 1";
    snprintf(script, sizeof(script), "%s\n%s %u - zeros %u", open, row->name, id, len);
    struct script_case sc = {.role = role, .script = script};
    char *at_once = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
    char *in_bytes = script_run(&sc, SCRIPT_BYTE_BY_BYTE, 0, NULL);
    assert_string_equal(at_once, in_bytes);
    free(in_bytes);
    return at_once;
}

static void expect(const struct row *row, enum h2_role role, uint32_t id, uint32_t len,
                   const char *what)
{
    char want[128];
    snprintf(want, sizeof(want), "%s %s", row->name, what);
    char *got = meet(row, role, id, len);
    if (strstr(got, want) == NULL) {
        print_error("%s on %u with %u octets: no \"%s\" in\n%s", row->name, id, len, want, got);
        fail();
    }
    free(got);
}

static enum h2_role receiver(const struct row *row)
{
    return row->receiver == CLIENT || row->receiver == CLIENT_ONLY ? H2_CLIENT : H2_SERVER;
}

static void every_frame_for_the_other_side_is_refused_or_ignored(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        uint32_t id = rows[i].id == CONN ? 0 : 1;
        if (rows[i].receiver == CLIENT || rows[i].receiver == SERVER) {
            enum h2_role other = rows[i].receiver == CLIENT ? H2_SERVER : H2_CLIENT;
            expect(&rows[i], other, id, rows[i].least, "that this side must not be sent");
        } else if (rows[i].receiver == CLIENT_ONLY) {
            char *got = meet(&rows[i], H2_SERVER, id, rows[i].least);
            assert_string_equal(got, "REQUEST 1\n");
            free(got);
        }
    }
}

static void every_frame_on_a_wrong_stream_id_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].id == ANY || rows[i].type == H2_FRAME_CONTINUATION) {
            continue;
        }
        uint32_t wrong = rows[i].id == CONN ? 1 : 0;
        expect(&rows[i], receiver(&rows[i]), wrong, rows[i].least,
               "on a stream id that it must not have");
        if (rows[i].receiver == BOTH) {
            expect(&rows[i], H2_CLIENT, wrong, rows[i].least,
                   "on a stream id that it must not have");
        }
    }
}

static void every_frame_of_a_wrong_length_is_refused(void **state)
{
    (void)state;
    const char *why = "of a length that it must not have";
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        if (row->type == H2_FRAME_CONTINUATION) {
            continue;
        }
        uint32_t id = row->id == CONN ? 0 : 1;
        for (uint32_t len = 0; len < row->least; len++) {
            expect(row, receiver(row), id, len, why);
        }
        if (row->most != VARIES) {
            expect(row, receiver(row), id, row->most + 1, why);
            expect(row, receiver(row), id, row->most * 2, why);
            expect(row, receiver(row), id, 16384, why);
        }
    }
}

static void every_frame_over_the_maximum_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char *got = meet(&rows[i], H2_SERVER, rows[i].id == CONN ? 0 : 1, 16385);
        assert_non_null(strstr(got, "FRAME_SIZE_ERROR"));
        free(got);
    }
}

static void every_frame_but_continuation_interrupts_a_header_block(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char script[128];
        bool continuation = rows[i].type == H2_FRAME_CONTINUATION;
        snprintf(script, sizeof(script), "HEADERS 1 ES\n%s %u - zeros %u", rows[i].name,
                 rows[i].id == CONN ? 0
                 : continuation     ? 3
                                    : 1,
                 rows[i].least);
        struct script_case sc = {.role = H2_SERVER, .script = script};
        char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
        assert_string_equal(got, "FAILED PROTOCOL_ERROR: a frame inside a header block\n"
                                 "> GOAWAY 0 PROTOCOL_ERROR a frame inside a header block\n");
        free(got);
    }
}

/* ---------------------------------------------------------------- memory */

static const char preface_and_settings[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                           "\0\0\0\4\0\0\0\0\0"
                                           "\0\0\0\4\1\0\0\0\0";

static void drain(struct h2_conn *c)
{
    uint8_t out[4096];
    while (h2_conn_send(c, out, sizeof(out)) > 0) {
    }
}

static void feed(struct h2_conn *c, const void *p, size_t len)
{
    struct h2_event ev;
    h2_conn_feed(c, p, len);
    while (h2_conn_next_event(c, 0, &ev)) {
    }
}

/* A server at rest, whose memory is counted. */
static struct h2_conn *quiet_server(struct counting *counting)
{
    struct h2_options opts;
    counting_init(counting);
    h2_options_init(&opts);
    opts.alloc = &counting->alloc;
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    feed(c, preface_and_settings, sizeof(preface_and_settings) - 1);
    drain(c);
    return c;
}

static void frames_that_come_whole_are_not_copied(void **state)
{
    (void)state;
    struct counting counting;
    struct h2_conn *c = quiet_server(&counting);
    size_t quiet = counting.bytes;
    size_t calls = counting.calls;

    /* GOAWAY with 9 octets of text, and a PING that waits for its last octet */
    feed(c, "\0\0\x11\7\0\0\0\0\0\0\0\0\0\0\0\0\0good bye!", 9 + 17);
    assert_int_equal(counting.calls, calls);

    feed(c, "\0\0\x8\6\1\0\0\0\0abcdefg", 16);
    assert_true(counting.bytes > quiet && counting.bytes <= quiet + 8);
    feed(c, "h", 1);
    assert_int_equal(counting.bytes, quiet);
    h2_conn_free(c);
    assert_int_equal(counting.blocks, 0);
}

static void an_announced_length_takes_no_memory(void **state)
{
    (void)state;
    struct counting counting;
    struct h2_conn *c = quiet_server(&counting);
    size_t quiet = counting.bytes;
    feed(c, "\0\x40\0\1\4\0\0\0\1x", 10); /* HEADERS of 16384 octets, of which one has come */
    assert_true(counting.bytes <= quiet + 256);
    assert_true(h2_conn_in_header_block(c));
    h2_conn_free(c);
    assert_int_equal(counting.blocks, 0);
}

static void an_idle_connection_is_small(void **state)
{
    (void)state;
    struct counting counting;
    struct h2_conn *c = quiet_server(&counting);
    print_message("idle: %zu octets in %zu blocks; connection %zu, stream %zu\n", counting.bytes,
                  counting.blocks, sizeof(struct h2_conn), sizeof(struct h2_stream));
    assert_true(counting.bytes <= 1536);
    assert_true(sizeof(struct h2_stream) <= 320);
    h2_conn_free(c);
}

static void what_is_unread_is_forgotten(void **state)
{
    (void)state;
    struct h2_options opts;
    struct h2_event ev;
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(H2_SERVER, &opts);
    h2_conn_feed(c, (const uint8_t *)preface_and_settings, sizeof(preface_and_settings) - 1);
    assert_true(h2_conn_next_event(c, 0, &ev)); /* SETTINGS */
    assert_int_equal(ev.type, H2_EVENT_SETTINGS);
    assert_int_equal(h2_conn_unread(c), 9);
    assert_false(h2_conn_next_event(c, 0, &ev));
    assert_false(h2_conn_settings_acked(c));
    feed(c, preface_and_settings + sizeof(preface_and_settings) - 1 - 9, 9);
    assert_true(h2_conn_settings_acked(c));
    h2_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_from_outside),
        cmocka_unit_test(every_frame_for_the_other_side_is_refused_or_ignored),
        cmocka_unit_test(every_frame_on_a_wrong_stream_id_is_refused),
        cmocka_unit_test(every_frame_of_a_wrong_length_is_refused),
        cmocka_unit_test(every_frame_over_the_maximum_is_refused),
        cmocka_unit_test(every_frame_but_continuation_interrupts_a_header_block),
        cmocka_unit_test(frames_that_come_whole_are_not_copied),
        cmocka_unit_test(an_announced_length_takes_no_memory),
        cmocka_unit_test(an_idle_connection_is_small),
        cmocka_unit_test(what_is_unread_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
