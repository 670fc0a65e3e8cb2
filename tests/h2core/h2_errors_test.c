/* Every error of errors.def: those that actions return, and those that failures have, each provoked
 * by name. */
#include "h2_script.h"

#include <stdio.h>

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT

static void no_fields(struct h2_options *opts)
{
    opts->limits.header_fields = 0;
    opts->enable_push = true;
}

static void one_stream(struct h2_options *opts)
{
    opts->max_concurrent_streams = 1;
}

static void with_push(struct h2_options *opts)
{
    opts->enable_push = true;
}

/* clang-format off */
static const struct script_case results[] = {
    {"CLOSED", SERVER, "!terminate NO_ERROR\n!ping", "> GOAWAY 0 NO_ERROR \n= CLOSED\n", 0, 0},
    {"GOAWAY", CLIENT, "GOAWAY 0 - u32 0,0\n!request", "GOAWAY 0 NO_ERROR \n= GOAWAY\n", 0, 0},
    {"NO_STREAM", SERVER, "!reset 1 CANCEL", "= NO_STREAM\n", 0, 0},
    {"STREAM_CLOSED", SERVER, "POST 1\n!reset 1 CANCEL\n!reset 1 CANCEL", "REQUEST 1\n> RST_STREAM 1 CANCEL\n= STREAM_CLOSED\n", 0, 0},
    {"STREAM_STATE", SERVER, "POST 1\n!respond 1 end :status=200\n!end 1", "REQUEST 1\n> HEADERS 1 end\n= STREAM_STATE\n", 0, 0},
    {"STREAM_LIMIT", CLIENT, "SETTINGS 0 - set 3=0\n!request", "SETTINGS\n> SETTINGS ack\n= STREAM_LIMIT\n", 0, 0},
    {"FLOW_CONTROL", SERVER, "SETTINGS 0 - set 4=0\nPOST 1\n!respond 1 :status=200\n!send 1 1 -", "SETTINGS\nREQUEST 1\n> SETTINGS ack\n> HEADERS 1\n= FLOW_CONTROL\n", 0, 0},
    {"FRAME_SIZE", SERVER, "POST 1\n!respond 1 :status=200\n!send 1 16385 -", "REQUEST 1\n> HEADERS 1\n= FRAME_SIZE\n", 0, 0},
    {"FRAME_TYPE", SERVER, "!ext 00 0 0", "= FRAME_TYPE\n", 0, 0},
    {"SETTING", SERVER, "!settings 2=1", "= SETTING\n", 0, 0},
    {"FIELDS", CLIENT, "!request a=b", "= FIELDS\n", 0, 0},
    {"UNWISE", SERVER, "!prio 1 0 1", "= UNWISE\n", 0, 0},
    {"UNSUPPORTED", SERVER, "SETTINGS 0 - set 2=0\nGET 1\n!push 1", "SETTINGS\nREQUEST 1 end\n> SETTINGS ack\n= UNSUPPORTED\n", 0, 0},
    {"VALUE", CLIENT, "!update 0 0", "= VALUE\n", 0, 0},
};

/* "error: how far it reaches" */
static const struct script_case failures[] = {
    {"NO_STREAM: connection", SERVER, "!errors\nDATA 1 - text x", "FAILED PROTOCOL_ERROR: DATA on an idle stream [NO_STREAM]\n> GOAWAY 0 PROTOCOL_ERROR DATA on an idle stream\n", 0, 0},
    {"NO_STREAM: connection (a push that cannot be)", SERVER, "!errors\nPRIORITY_UPDATE 0 - hex 00000002", "FAILED PROTOCOL_ERROR: PRIORITY_UPDATE for a stream that cannot be [NO_STREAM]\n> GOAWAY 0 PROTOCOL_ERROR PRIORITY_UPDATE for a stream that cannot be\n", 0, 0},
    {"STREAM_CLOSED: connection", SERVER, "GET 1\n!respond 1 end :status=200\n!errors\nDATA 1 - text x", "REQUEST 1 end\n> HEADERS 1 end\nFAILED STREAM_CLOSED: DATA on a closed stream [STREAM_CLOSED]\n> GOAWAY 1 STREAM_CLOSED DATA on a closed stream\n", 0, 0},
    {"STREAM_CLOSED: stream", SERVER, "!errors\nGET 1\nDATA 1 - text x", "REQUEST 1 end\nRESET 1 us STREAM_CLOSED: DATA after END_STREAM [STREAM_CLOSED]\n> RST_STREAM 1 STREAM_CLOSED\n", 0, 0},
    {"STREAM_CLOSED: stream (a promise)", CLIENT, "!request\n!reset 1 CANCEL\n!errors\nPROMISE 1 2 :method=GET|:scheme=https|:path=/|:authority=a", "> HEADERS 1\n> RST_STREAM 1 CANCEL\nRESET 2 us CANCEL: a promise on a stream that was reset [STREAM_CLOSED]\n> RST_STREAM 2 CANCEL\n", with_push, 0},
    {"STREAM_STATE: connection", SERVER, "GET 1\n!push 1\n!errors\nDATA 2 - text x", "REQUEST 1 end\n> PUSH_PROMISE 1 2\nFAILED PROTOCOL_ERROR: DATA on a reserved stream [STREAM_STATE]\n> GOAWAY 1 PROTOCOL_ERROR DATA on a reserved stream\n", 0, 0},
    {"STREAM_STATE: stream", CLIENT, "!request end\n!errors\nDATA 1 - text x", "> HEADERS 1 end\nRESET 1 us PROTOCOL_ERROR: DATA before the response head [STREAM_STATE]\n  user a\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"STREAM_ID_LOW: connection", SERVER, "GET 5\n!errors\nGET 3", "REQUEST 5 end\nFAILED PROTOCOL_ERROR: HEADERS on a stream id lower than one used before [STREAM_ID_LOW]\n> GOAWAY 5 PROTOCOL_ERROR HEADERS on a stream id lower than one used before\n", 0, 0},
    {"STREAM_LIMIT: stream", SERVER, "GET 1\n!errors\nGET 3", "REQUEST 1 end\nRESET 3 us REFUSED_STREAM: more streams than max_concurrent_streams allows [STREAM_LIMIT]\n> RST_STREAM 3 REFUSED_STREAM\n", one_stream, 0},
    {"FLOW_CONTROL: connection", SERVER, "!errors\nWINDOW_UPDATE 0 - u32 0x7fffffff", "FAILED FLOW_CONTROL_ERROR: WINDOW_UPDATE makes the connection window larger than 2^31-1 [FLOW_CONTROL]\n> GOAWAY 0 FLOW_CONTROL_ERROR WINDOW_UPDATE makes the connection window larger than 2^31-1\n", 0, 0},
    {"FLOW_CONTROL: connection (0)", SERVER, "!errors\nWINDOW_UPDATE 0 - u32 0", "FAILED PROTOCOL_ERROR: WINDOW_UPDATE of 0 for the connection [FLOW_CONTROL]\n> GOAWAY 0 PROTOCOL_ERROR WINDOW_UPDATE of 0 for the connection\n", 0, 0},
    {"FLOW_CONTROL: connection (settings)", SERVER, "GET 1\nWINDOW_UPDATE 1 - u32 0x7fff0000\n!errors\nSETTINGS 0 - set 4=65536", "REQUEST 1 end\nFAILED FLOW_CONTROL_ERROR: SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1 [FLOW_CONTROL]\n> GOAWAY 1 FLOW_CONTROL_ERROR SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1\n", 0, 0},
    {"FLOW_CONTROL: connection (DATA)", SERVER, "POST 1\n!errors\n*4 DATA 1 - zeros 16384", "REQUEST 1\nDATA 1 49152\nFAILED FLOW_CONTROL_ERROR: more DATA than the connection window allows [FLOW_CONTROL]\n> GOAWAY 1 FLOW_CONTROL_ERROR more DATA than the connection window allows\n", 0, 0},
    {"FLOW_CONTROL: stream", SERVER, "GET 1\n!errors\nWINDOW_UPDATE 1 - u32 0x7fffffff", "REQUEST 1 end\nRESET 1 us FLOW_CONTROL_ERROR: WINDOW_UPDATE makes the stream window larger than 2^31-1 [FLOW_CONTROL]\n> RST_STREAM 1 FLOW_CONTROL_ERROR\n", 0, 0},
    {"FLOW_CONTROL: stream (0)", SERVER, "GET 1\n!errors\nWINDOW_UPDATE 1 - u32 0", "REQUEST 1 end\nRESET 1 us PROTOCOL_ERROR: WINDOW_UPDATE of 0 [FLOW_CONTROL]\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"FRAME_SIZE: connection", SERVER, "!errors\nPING 0 - zeros 9", "FAILED FRAME_SIZE_ERROR: PING of a length that it must not have [FRAME_SIZE]\n> GOAWAY 0 FRAME_SIZE_ERROR PING of a length that it must not have\n", 0, 0},
    {"FRAME_SIZE: connection (the limit)", SERVER, "!errors\nBYTES 004001 00 00 00000001", "FAILED FRAME_SIZE_ERROR: a frame longer than SETTINGS_MAX_FRAME_SIZE [FRAME_SIZE]\n> GOAWAY 0 FRAME_SIZE_ERROR a frame longer than SETTINGS_MAX_FRAME_SIZE\n", 0, 0},
    {"FRAME_SIZE: stream", SERVER, "GET 1\n!errors\nPRIORITY 1 - hex 00000000 00 00", "REQUEST 1 end\nRESET 1 us FRAME_SIZE_ERROR: PRIORITY of a length that it must not have [FRAME_SIZE]\n> RST_STREAM 1 FRAME_SIZE_ERROR\n", 0, 0},
    {"FRAME_DATA: connection", SERVER, "!errors\nPING 0 - zeros 7", "FAILED FRAME_SIZE_ERROR: PING of a length that it must not have [FRAME_DATA]\n> GOAWAY 0 FRAME_SIZE_ERROR PING of a length that it must not have\n", 0, 0},
    {"FRAME_DATA: connection (padding)", SERVER, "POST 1\n!errors\nDATA 1 PAD hex 05 00", "REQUEST 1\nFAILED PROTOCOL_ERROR: DATA padded beyond its end [FRAME_DATA]\n> GOAWAY 1 PROTOCOL_ERROR DATA padded beyond its end\n", 0, 0},
    {"FRAME_DATA: connection (padding of HEADERS)", SERVER, "!errors\nHEADERS 1 PAD+EH hex 05 00", "FAILED PROTOCOL_ERROR: a header block's frame padded beyond its end [FRAME_DATA]\n> GOAWAY 0 PROTOCOL_ERROR a header block's frame padded beyond its end\n", 0, 0},
    {"FRAME_DATA: connection (no pad length)", SERVER, "POST 1\n!errors\nDATA 1 PAD", "REQUEST 1\nFAILED FRAME_SIZE_ERROR: DATA without its pad length [FRAME_DATA]\n> GOAWAY 1 FRAME_SIZE_ERROR DATA without its pad length\n", 0, 0},
    {"FRAME_DATA: connection (no priority)", SERVER, "!errors\nHEADERS 1 PRI+EH hex 00", "FAILED FRAME_SIZE_ERROR: a header block's frame without what stands before the block [FRAME_DATA]\n> GOAWAY 0 FRAME_SIZE_ERROR a header block's frame without what stands before the block\n", 0, 0},
    {"FRAME_DATA: connection (ALTSVC)", CLIENT, "!errors\nALTSVC 0 - hex 0001", "FAILED FRAME_SIZE_ERROR: ALTSVC that ends before its origin does [FRAME_DATA]\n> GOAWAY 0 FRAME_SIZE_ERROR ALTSVC that ends before its origin does\n", 0, 0},
    {"FRAME_DATA: connection (ORIGIN)", CLIENT, "!errors\nORIGIN 0 - hex 0001", "FAILED FRAME_SIZE_ERROR: ORIGIN that ends inside an origin [FRAME_DATA]\n> GOAWAY 0 FRAME_SIZE_ERROR ORIGIN that ends inside an origin\n", 0, 0},
    {"FRAME_DATA: stream", SERVER, "GET 1\n!errors\nPRIORITY 1 - hex 00", "REQUEST 1 end\nRESET 1 us FRAME_SIZE_ERROR: PRIORITY of a length that it must not have [FRAME_DATA]\n> RST_STREAM 1 FRAME_SIZE_ERROR\n", 0, 0},
    {"FRAME_TYPE: connection", SERVER, "!errors\nCONTINUATION 1 EH", "FAILED PROTOCOL_ERROR: CONTINUATION without a header block [FRAME_TYPE]\n> GOAWAY 0 PROTOCOL_ERROR CONTINUATION without a header block\n", 0, 0},
    {"FRAME_TYPE: connection (inside a block)", SERVER, "!errors\nHEADERS 1\nPING 0 - zeros 8", "FAILED PROTOCOL_ERROR: a frame inside a header block [FRAME_TYPE]\n> GOAWAY 0 PROTOCOL_ERROR a frame inside a header block\n", 0, 0},
    {"FRAME_TYPE: connection (a role's)", SERVER, "GET 1\n!errors\nPUSH_PROMISE 1 EH u32 2", "REQUEST 1 end\nFAILED PROTOCOL_ERROR: PUSH_PROMISE that this side must not be sent [FRAME_TYPE]\n> GOAWAY 1 PROTOCOL_ERROR PUSH_PROMISE that this side must not be sent\n", 0, 0},
    {"FRAME_TYPE: connection (push is off)", CLIENT, "!request\n!errors\nPUSH_PROMISE 1 EH u32 2", "> HEADERS 1\nFAILED PROTOCOL_ERROR: PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0 [FRAME_TYPE]\n> GOAWAY 0 PROTOCOL_ERROR PUSH_PROMISE though SETTINGS_ENABLE_PUSH is 0\n", 0, 0},
    {"FRAME_TYPE: connection (an acknowledgement)", SERVER, "!errors\nSETTINGS 0 ACK", "FAILED PROTOCOL_ERROR: SETTINGS acknowledged that were not sent [FRAME_TYPE]\n> GOAWAY 0 PROTOCOL_ERROR SETTINGS acknowledged that were not sent\n", 0, 0},
    {"FRAME_TYPE: stream", CLIENT, "!request\n!settings 2=0\n!errors\nPROMISE 1 2 :method=GET|:scheme=https|:path=/|:authority=a", "> HEADERS 1\n> SETTINGS 2=0\nRESET 2 us REFUSED_STREAM: PUSH_PROMISE while SETTINGS_ENABLE_PUSH 0 is on its way [FRAME_TYPE]\n> RST_STREAM 2 REFUSED_STREAM\n", with_push, 0},
    {"SETTING: connection", SERVER, "!errors\nSETTINGS 0 - set 2=2", "FAILED PROTOCOL_ERROR: SETTINGS_ENABLE_PUSH is out of range [SETTING]\n> GOAWAY 0 PROTOCOL_ERROR SETTINGS_ENABLE_PUSH is out of range\n", 0, 0},
    {"SETTING: connection (taken back)", CLIENT, "SETTINGS 0 - set 8=1\n!errors\nSETTINGS 0 - set 8=0", "SETTINGS\n> SETTINGS ack\nFAILED PROTOCOL_ERROR: SETTINGS_ENABLE_CONNECT_PROTOCOL was taken back [SETTING]\n> GOAWAY 0 PROTOCOL_ERROR SETTINGS_ENABLE_CONNECT_PROTOCOL was taken back\n", 0, 0},
    {"BODY_LENGTH: stream", SERVER, "HEADERS 1 EH fields :method=PUT|:scheme=http|:path=/|:authority=a|content-length=3\n!errors\nDATA 1 - text 1234", "REQUEST 1 length 3\nRESET 1 us PROTOCOL_ERROR: more DATA than content-length says [BODY_LENGTH]\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"BODY_LENGTH: stream (less)", SERVER, "HEADERS 1 EH fields :method=PUT|:scheme=http|:path=/|:authority=a|content-length=3\n!errors\nDATA 1 ES text 12", "REQUEST 1 length 3\nRESET 1 us PROTOCOL_ERROR: less DATA than content-length says [BODY_LENGTH]\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"BODY_LENGTH: stream (nothing)", SERVER, "!errors\nHEADERS 1 ES+EH fields :method=PUT|:scheme=http|:path=/|:authority=a|content-length=3", "RESET 1 us PROTOCOL_ERROR: content-length, but no DATA [BODY_LENGTH]\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"BODY_LENGTH: stream (trailers)", SERVER, "HEADERS 1 EH fields :method=PUT|:scheme=http|:path=/|:authority=a|content-length=3\n!errors\nHEADERS 1 ES+EH fields a=b", "REQUEST 1 length 3\nRESET 1 us PROTOCOL_ERROR: less DATA than content-length says [BODY_LENGTH]\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"FIELDS: stream", SERVER, "!errors\nHEADERS 1 ES+EH fields a=b", "RESET 1 us PROTOCOL_ERROR: no :method [FIELDS]\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"FIELDS: stream (a promise)", CLIENT, "!request\n!errors\nPROMISE 1 2 :method=POST|:scheme=https|:path=/|:authority=a", "> HEADERS 1\nRESET 2 us PROTOCOL_ERROR: a promised request that is not safe and cacheable, or has a body [FIELDS]\n> RST_STREAM 2 PROTOCOL_ERROR\n", with_push, 0},
    {"COMPRESSION: connection", SERVER, "!errors\nHEADERS 1 ES+EH hex ff ff ff ff ff ff ff", "FAILED COMPRESSION_ERROR: an integer in a header block does not fit 32 bits [COMPRESSION]\n> GOAWAY 0 COMPRESSION_ERROR an integer in a header block does not fit 32 bits\n", 0, 0},
    {"LIMIT: connection", SERVER, "!errors\nSETTINGS 0 - zeros 198", "FAILED ENHANCE_YOUR_CALM: more settings than settings_per_frame allows [LIMIT]\n> GOAWAY 0 ENHANCE_YOUR_CALM more settings than settings_per_frame allows\n", 0, 0},
    {"LIMIT: stream", SERVER, "POST 1\n!errors\nHEADERS 1 ES+EH fields a=b", "REQUEST 1\nRESET 1 us ENHANCE_YOUR_CALM: a header section with more fields than header_fields allows [LIMIT]\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", no_fields, 0},
    {"LIMIT: stream (a promise)", CLIENT, "!request\n!errors\nPROMISE 1 2 :method=GET|:scheme=https|:path=/|:authority=a|a=b", "> HEADERS 1\nRESET 2 us ENHANCE_YOUR_CALM: a header section with more fields than header_fields allows [LIMIT]\n> RST_STREAM 2 ENHANCE_YOUR_CALM\n", no_fields, 0},
    {"PREFACE: connection", SERVER, "!errors\nBYTES 00", "> SETTINGS 3=100 6=65536 9=1\nFAILED PROTOCOL_ERROR: not the preface of HTTP/2 [PREFACE]\n> GOAWAY 0 PROTOCOL_ERROR not the preface of HTTP/2\n", 0, true},
    {"PREFACE: connection (SETTINGS)", CLIENT, "!errors\nPING 0 - zeros 8", "> preface\n> SETTINGS 2=0 6=65536 9=1\nFAILED PROTOCOL_ERROR: the first frame is not SETTINGS [PREFACE]\n> GOAWAY 0 PROTOCOL_ERROR the first frame is not SETTINGS\n", 0, true},
    {"PROTOCOL: connection", SERVER, "!errors\nRST_STREAM 0 - u32 0", "FAILED PROTOCOL_ERROR: RST_STREAM on a stream id that it must not have [PROTOCOL]\n> GOAWAY 0 PROTOCOL_ERROR RST_STREAM on a stream id that it must not have\n", 0, 0},
    {"PROTOCOL: stream", SERVER, "GET 1\n!errors\nPRIORITY 1 - hex 00000001 00", "REQUEST 1 end\nRESET 1 us PROTOCOL_ERROR: a stream that depends on itself [PROTOCOL]\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
};
/* clang-format on */

static void every_result_is_provoked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        char last[64];
        snprintf(last, sizeof(last), "= %s\n", results[i].name);
        size_t want = strlen(results[i].want);
        assert_true(want >= strlen(last));
        assert_string_equal(results[i].want + want - strlen(last), last);
    }
    SCRIPT_CHECK(results);
}

static void every_failure_is_provoked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        char error[64];
        const char *colon = strchr(failures[i].name, ':');
        assert_non_null(colon);
        snprintf(error, sizeof(error), " [%.*s]\n", (int)(colon - failures[i].name),
                 failures[i].name);
        assert_non_null(strstr(failures[i].want, error));
        bool stream = strncmp(colon, ": stream", 8) == 0;
        assert_non_null(strstr(failures[i].want, stream ? "RESET " : "FAILED "));
        assert_non_null(strstr(failures[i].want, stream ? "> RST_STREAM " : "> GOAWAY "));
    }
    SCRIPT_CHECK(failures);
}

static bool is_among(const char *name, const struct script_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(name);
        if (strncmp(cases[i].name, name, len) == 0 &&
            (cases[i].name[len] == '\0' || cases[i].name[len] == ':')) {
            return true;
        }
    }
    return false;
}

/* So that a new error is not forgotten here. */
static void no_error_is_left_out(void **state)
{
    (void)state;
    static const char *const elsewhere[] = {
        "NOMEM",        /* h2_conn_test: every_allocation_can_fail */
        "NO_STREAM_ID", /* h2_actions_test: the_ids_of_a_connection_come_to_an_end */
    };
    static const char *const names[] = {
#define ERROR(name, sentence) #name,
#include "h2core/errors.def"
#undef ERROR
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool found = is_among(names[i], results, sizeof(results) / sizeof(results[0])) ||
                     is_among(names[i], failures, sizeof(failures) / sizeof(failures[0]));
        for (size_t k = 0; k < sizeof(elsewhere) / sizeof(elsewhere[0]); k++) {
            found = found || strcmp(names[i], elsewhere[k]) == 0;
        }
        if (!found) {
            fail_msg("nothing provokes %s", names[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_is_provoked),
        cmocka_unit_test(every_failure_is_provoked),
        cmocka_unit_test(no_error_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
