/* Header blocks: pieces, padding, priority, what their sections mean, and the limits on them. */
#include "h2_script.h"

#define HEAD(...) ":method=GET|:scheme=https|:path=/|:authority=a" __VA_ARGS__

static void few_frames(struct h2_options *opts)
{
    opts->limits.continuation_frames = 3;
}

static void short_blocks(struct h2_options *opts)
{
    opts->limits.header_block_bytes = 100;
}

static void six_octets(struct h2_options *opts)
{
    opts->limits.header_block_bytes = 6;
}

static void short_lists(struct h2_options *opts)
{
    opts->limits.header_list_bytes = 400;
}

static void few_fields(struct h2_options *opts)
{
    opts->limits.header_fields = 3;
}

static void few_crumbs(struct h2_options *opts)
{
    opts->limits.cookie_crumbs = 2;
}

static void two_streams(struct h2_options *opts)
{
    opts->max_concurrent_streams = 2;
}

static void extended(struct h2_options *opts)
{
    opts->enable_connect_protocol = true;
}

#define BLOCK_LONG                                                                                 \
    "FAILED ENHANCE_YOUR_CALM: a header block longer than header_block_bytes allows\n"             \
    "> GOAWAY 0 ENHANCE_YOUR_CALM a header block longer than header_block_bytes allows\n"
#define FRAMES_MANY                                                                                \
    "FAILED ENHANCE_YOUR_CALM: more CONTINUATION frames than continuation_frames allows\n"         \
    "> GOAWAY 0 ENHANCE_YOUR_CALM more CONTINUATION frames than continuation_frames allows\n"
#define X100                                                                                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxx"
#define REFUSED "max_concurrent_streams allows"

/* clang-format off */
static const struct script_case cases[] = {
    {"a_request_is_told_with_its_fields", H2_SERVER, "!fields\nHEADERS 1 ES+EH fields " HEAD("|x=y|cookie=a=b"),
     "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|x=y|cookie=a=b\n", 0, 0},
    {"the_dynamic_table_is_kept_between_blocks", H2_SERVER,
     "!fields\nHEADERS 1 ES+EH fields " HEAD("|x-some=value") "\nHEADERS 3 ES+EH fields " HEAD("|x-some=value"),
     "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|x-some=value\n"
     "REQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a|x-some=value\n", 0, 0},
    {"a_block_in_pieces_is_one_event", H2_SERVER, "!fields\nSPLIT 1 ES 12 " HEAD("|x=" "0123456789012345678901234567890123456789"),
     "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|x=0123456789012345678901234567890123456789\n", 0, 0},
    {"an_empty_piece_does_no_harm", H2_SERVER, "!fields\nHEADERS 1 ES\nCONTINUATION 1 - fields " HEAD() "\nCONTINUATION 1 EH",
     "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a\n", 0, 0},
    {"continuation_needs_a_block", H2_SERVER, "GET 1\nCONTINUATION 1 EH",
     "REQUEST 1 end\nFAILED PROTOCOL_ERROR: CONTINUATION without a header block\n"
     "> GOAWAY 1 PROTOCOL_ERROR CONTINUATION without a header block\n", 0, 0},
    {"continuation_of_another_stream", H2_SERVER, "HEADERS 1 ES\nCONTINUATION 3 EH",
     "FAILED PROTOCOL_ERROR: a frame inside a header block\n> GOAWAY 0 PROTOCOL_ERROR a frame inside a header block\n", 0, 0},
    {"continuation_of_stream_0", H2_SERVER, "HEADERS 1 ES\nCONTINUATION 0 EH",
     "FAILED PROTOCOL_ERROR: a frame inside a header block\n> GOAWAY 0 PROTOCOL_ERROR a frame inside a header block\n", 0, 0},
    {"padding_and_priority_are_stepped_over", H2_SERVER,
     "HEADERS 1 ES+EH+PAD+PRI hex 02 80000003 ff 82 87 84 41 01 61 0000", "REQUEST 1 end priority 3 256 exclusive\n", 0, 0},
    {"padding_alone_is_stepped_over", H2_SERVER, "HEADERS 1 ES+EH+PAD hex 01 82 87 84 41 01 61 00", "REQUEST 1 end\n", 0, 0},
    {"padding_in_a_block_of_pieces", H2_SERVER, "HEADERS 1 ES+PAD+PRI hex 02 00000000 00 82 87 0000\nCONTINUATION 1 EH hex 84 41 01 61", "REQUEST 1 end priority 0 1\n", 0, 0},
    {"padding_beyond_the_frame", H2_SERVER, "HEADERS 1 ES+EH+PAD hex 06 82 87 84 41 01",
     "FAILED PROTOCOL_ERROR: a header block's frame padded beyond its end\n> GOAWAY 0 PROTOCOL_ERROR a header block's frame padded beyond its end\n", 0, 0},
    {"padding_into_the_priority", H2_SERVER, "HEADERS 1 ES+EH+PAD+PRI hex 01 00000000 00",
     "FAILED PROTOCOL_ERROR: a header block's frame padded beyond its end\n> GOAWAY 0 PROTOCOL_ERROR a header block's frame padded beyond its end\n", 0, 0},
    {"no_room_for_the_pad_length", H2_SERVER, "HEADERS 1 ES+EH+PAD",
     "FAILED FRAME_SIZE_ERROR: a header block's frame without its pad length\n> GOAWAY 0 FRAME_SIZE_ERROR a header block's frame without its pad length\n", 0, 0},
    {"no_room_for_the_priority", H2_SERVER, "HEADERS 1 ES+EH+PRI hex 00000000",
     "FAILED FRAME_SIZE_ERROR: a header block's frame without what stands before the block\n> GOAWAY 0 FRAME_SIZE_ERROR a header block's frame without what stands before the block\n", 0, 0},
    {"a_stream_cannot_depend_on_itself", H2_SERVER, "HEADERS 1 ES+EH+PRI hex 00000001 00 82 87 84 41 01 61\nGET 3",
     "RESET 1 us PROTOCOL_ERROR: a stream that depends on itself\nREQUEST 3 end\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_block_that_is_not_hpack", H2_SERVER, "HEADERS 1 ES+EH hex 80",
     "FAILED COMPRESSION_ERROR: a header block refers to a table entry that does not exist\n> GOAWAY 0 COMPRESSION_ERROR a header block refers to a table entry that does not exist\n", 0, 0},
    {"a_block_that_is_not_hpack_on_a_dead_stream", H2_SERVER, "POST 1\n!reset 1 CANCEL\nHEADERS 1 ES+EH hex 80",
     "REQUEST 1\n> RST_STREAM 1 CANCEL\nFAILED COMPRESSION_ERROR: a header block refers to a table entry that does not exist\n"
     "> GOAWAY 1 COMPRESSION_ERROR a header block refers to a table entry that does not exist\n", 0, 0},
    {"a_block_that_is_cut_short", H2_SERVER, "HEADERS 1 ES+EH hex 82 87 84 41 05 61",
     "FAILED COMPRESSION_ERROR: the header block ends inside a field\n> GOAWAY 0 COMPRESSION_ERROR the header block ends inside a field\n", 0, 0},
    {"a_block_on_a_dead_stream_is_decoded", H2_SERVER,
     "!fields\nPOST 1\n!reset 1 CANCEL\nHEADERS 1 ES+EH fields x-new=entry\nHEADERS 3 ES+EH fields " HEAD("|x-new=entry"),
     "REQUEST 1 :method=POST|:scheme=https|:path=/|:authority=example.com\n> RST_STREAM 1 CANCEL\n"
     "REQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a|x-new=entry\n", 0, 0},

    {"a_malformed_request_is_never_told", H2_SERVER, "HEADERS 1 EH fields " HEAD("|X=y") "\nDATA 1 ES text x\nGET 3",
     "RESET 1 us PROTOCOL_ERROR: a field name with characters that it must not have\nREQUEST 3 end\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_malformed_request_leaves_hpack_in_order", H2_SERVER,
     "!fields\nHEADERS 1 ES+EH fields " HEAD("|connection=close|x-a=1|x-b=2") "\nHEADERS 3 ES+EH fields " HEAD("|x-a=1|x-b=2"),
     "RESET 1 us PROTOCOL_ERROR: a connection-specific field\n"
     "REQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a|x-a=1|x-b=2\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_request_without_fields", H2_SERVER, "HEADERS 1 ES+EH", "RESET 1 us PROTOCOL_ERROR: no :method\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"equal_lengths_become_one", H2_SERVER, "!fields\nHEADERS 1 EH fields " HEAD("|content-length=3, 3|x=y|content-length=3"),
     "REQUEST 1 length 3 :method=GET|:scheme=https|:path=/|:authority=a|content-length=3|x=y\n", 0, 0},
    {"the_length_of_connect_means_nothing", H2_SERVER, "HEADERS 1 EH fields :method=CONNECT|:authority=a:1|content-length=3\nDATA 1 - text hello",
     "REQUEST 1\nDATA 1 5\n", 0, 0},
    {"extended_connect_where_it_was_offered", H2_SERVER, "HEADERS 1 EH fields :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a",
     "REQUEST 1\n", extended, 0},
    {"extended_connect_where_it_was_not", H2_SERVER, "HEADERS 1 EH fields :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a",
     "RESET 1 us PROTOCOL_ERROR: :protocol without an extended CONNECT that was offered\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},

    {"trailers_end_a_request", H2_SERVER, "!fields\nPOST 1\nDATA 1 - text hello\nHEADERS 1 ES+EH fields x=y",
     "REQUEST 1 :method=POST|:scheme=https|:path=/|:authority=example.com\nDATA 1 5\nTRAILERS 1 end x=y\n", 0, 0},
    {"trailers_may_be_empty", H2_SERVER, "POST 1\nHEADERS 1 ES+EH", "REQUEST 1\nTRAILERS 1 end\n", 0, 0},
    {"trailers_without_end_stream", H2_SERVER, "POST 1\nHEADERS 1 EH fields x=y",
     "REQUEST 1\nRESET 1 us PROTOCOL_ERROR: trailers without END_STREAM\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"trailers_with_a_pseudo_field", H2_SERVER, "POST 1\nHEADERS 1 ES+EH fields :path=/",
     "REQUEST 1\nRESET 1 us PROTOCOL_ERROR: a pseudo-header field in trailers\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_response_with_trailers", H2_CLIENT, "!fields\n!request end\nOK 1\nDATA 1 - text x\nHEADERS 1 ES+EH fields grpc-status=0",
     "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\nRESPONSE 1 200 :status=200\nDATA 1 1\nTRAILERS 1 end grpc-status=0\n", 0, 0},
    {"a_second_response_head_is_bad_trailers", H2_CLIENT, "!request end\nOK 1\nHEADERS 1 ES+EH fields :status=200",
     "> HEADERS 1 end\nRESPONSE 1 200\nRESET 1 us PROTOCOL_ERROR: a pseudo-header field in trailers\n  user a\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"interim_responses_come_first", H2_CLIENT, "!request end\nHEADERS 1 EH fields :status=103|link=x\nHEADERS 1 EH fields :status=100\nOKEND 1",
     "> HEADERS 1 end\nINFORMATIONAL 1 103\nINFORMATIONAL 1 100\nRESPONSE 1 end 200\n", 0, 0},
    {"an_interim_response_ends_nothing", H2_CLIENT, "!request end\nHEADERS 1 ES+EH fields :status=103",
     "> HEADERS 1 end\nRESET 1 us PROTOCOL_ERROR: a 1xx response that ends the stream\n  user a\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_malformed_response", H2_CLIENT, "!request end\nHEADERS 1 ES+EH fields :status=200|transfer-encoding=chunked",
     "> HEADERS 1 end\nRESET 1 us PROTOCOL_ERROR: a connection-specific field\n  user a\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},
    {"a_response_without_the_length_it_declares", H2_CLIENT, "!request end\nHEADERS 1 ES+EH fields :status=200|content-length=9",
     "> HEADERS 1 end\nRESET 1 us PROTOCOL_ERROR: content-length, but no DATA\n  user a\n> RST_STREAM 1 PROTOCOL_ERROR\n", 0, 0},

    {"streams_over_the_limit_are_refused", H2_SERVER, "POST 1\nPOST 3\nPOST 5\nDATA 5 - text x\nDATA 1 ES\n!respond 1 end :status=200\nPOST 7",
     "REQUEST 1\nREQUEST 3\nRESET 5 us REFUSED_STREAM: more streams than " REFUSED "\nDATA 1 0 end\n> RST_STREAM 5 REFUSED_STREAM\n"
     "> HEADERS 1 end\nREQUEST 7\n", two_streams, 0},
    {"a_refused_stream_leaves_hpack_in_order", H2_SERVER, "!fields\nPOST 1\nPOST 3\nHEADERS 5 ES+EH fields " HEAD("|x-a=1") "\nRST_STREAM 1 - u32 8\nHEADERS 7 ES+EH fields " HEAD("|x-a=1"),
     "REQUEST 1 :method=POST|:scheme=https|:path=/|:authority=example.com\nREQUEST 3 :method=POST|:scheme=https|:path=/|:authority=example.com\n"
     "RESET 5 us REFUSED_STREAM: more streams than " REFUSED "\nRESET 1 peer CANCEL\n"
     "REQUEST 7 end :method=GET|:scheme=https|:path=/|:authority=a|x-a=1\n> RST_STREAM 5 REFUSED_STREAM\n", two_streams, 0},

    {"continuation_frames_are_counted", H2_SERVER, "HEADERS 1 ES\n*3 CONTINUATION 1 - hex 82\nCONTINUATION 1 EH", FRAMES_MANY, few_frames, 0},
    {"empty_continuation_frames_are_counted_too", H2_SERVER, "HEADERS 1 ES\n*4 CONTINUATION 1", FRAMES_MANY, few_frames, 0},
    {"as_many_continuation_frames_as_allowed", H2_SERVER, "HEADERS 1 ES\n*2 CONTINUATION 1\nCONTINUATION 1 EH hex 82 87 84 41 01 61", "REQUEST 1 end\n", few_frames, 0},
    {"a_block_in_one_frame_can_be_too_long", H2_SERVER, "HEADERS 1 ES+EH fields x=" X100 "|y=" X100, BLOCK_LONG, short_blocks, 0},
    {"a_block_of_pieces_can_be_too_long", H2_SERVER, "SPLIT 1 ES 50 x=" X100 "|y=" X100, BLOCK_LONG, short_blocks, 0},
    {"a_block_as_long_as_allowed", H2_SERVER, "HEADERS 1 ES+EH hex 82 87 84 41 01 61\nHEADERS 3 ES hex 82 87\nCONTINUATION 3 EH hex 84 41 01 61", "REQUEST 1 end\nREQUEST 3 end\n", six_octets, 0},
    {"a_block_an_octet_longer", H2_SERVER, "HEADERS 1 ES hex 82 87 84\nCONTINUATION 1 EH hex 84 41 01 61", BLOCK_LONG, six_octets, 0},
    {"a_frame_can_announce_too_much", H2_SERVER, "BYTES 000200 01 05 00000001", BLOCK_LONG, short_blocks, 0},
    {"padding_does_not_count_as_block", H2_SERVER, "HEADERS 1 ES+EH+PAD hex 60 82 87 84 41 01 61"
     "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000", "REQUEST 1 end\n", short_blocks, 0},

    {"a_list_too_large_is_told_with_its_pseudo_fields", H2_SERVER, "!fields\nHEADERS 1 EH fields " HEAD("|x=" X100 "|y=" X100 "|z=1") "\nDATA 1 - text x\n!respond 1 end :status=431",
     "REQUEST 1 too_large 4 :method=GET|:scheme=https|:path=/|:authority=a\nDATA 1 1\n> HEADERS 1 end :status=431\n", short_lists, 0},
    {"a_path_too_large_is_not_kept", H2_SERVER, "!fields\nHEADERS 1 ES+EH fields :method=GET|:scheme=https|:path=/" X100 X100 X100 "|:authority=a",
     "REQUEST 1 end too_large 2 :method=GET|:scheme=https\n", short_lists, 0},
    {"references_count_in_full", H2_SERVER,
     "!fields\nHEADERS 1 ES+EH fields " HEAD("|x=" X100) "\nHEADERS 3 ES+EH hex 82 87 84 bf be be be be be",
     "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|x=" X100 "\n"
     "REQUEST 3 end too_large 4 :method=GET|:scheme=https|:path=/|:authority=a\n", short_lists, 0},
    {"hpack_is_decoded_to_the_end_of_a_list_too_large", H2_SERVER,
     "!fields\nHEADERS 1 ES+EH fields " HEAD("|x=" X100 "|y=" X100 "|x-late=1") "\nHEADERS 3 ES+EH fields " HEAD("|x-late=1"),
     "REQUEST 1 end too_large 4 :method=GET|:scheme=https|:path=/|:authority=a\n"
     "REQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a|x-late=1\n", short_lists, 0},
    {"as_many_fields_as_allowed", H2_SERVER, "HEADERS 1 ES+EH fields " HEAD("|a=1|b=1|c=1"), "REQUEST 1 end\n", few_fields, 0},
    {"too_many_fields", H2_SERVER, "HEADERS 1 ES+EH fields " HEAD("|a=1|b=1|c=1|d=1"), "REQUEST 1 end too_large 4\n", few_fields, 0},
    {"cookies_are_counted_apart", H2_SERVER, "HEADERS 1 ES+EH fields " HEAD("|a=1|b=1|c=1|cookie=1|cookie=2|cookie=3"), "REQUEST 1 end\n", few_fields, 0},
    {"too_many_cookies", H2_SERVER, "HEADERS 1 ES+EH fields " HEAD("|cookie=1|cookie=2|cookie=3"), "REQUEST 1 end too_large 4\n", few_crumbs, 0},
    {"malformed_before_it_was_too_large", H2_SERVER, "HEADERS 1 ES+EH fields " HEAD("|A=1|b=1|c=1|d=1"),
     "RESET 1 us PROTOCOL_ERROR: a field name with characters that it must not have\n> RST_STREAM 1 PROTOCOL_ERROR\n", few_fields, 0},
    {"what_is_told_of_a_list_too_large_is_checked", H2_SERVER, "HEADERS 1 ES+EH fields :method=GET|:scheme=https|:path=/|:authority=a b|a=1|b=1|c=1|d=1",
     "RESET 1 us PROTOCOL_ERROR: an authority that is not host and port\n> RST_STREAM 1 PROTOCOL_ERROR\n", few_fields, 0},
    {"too_many_trailers", H2_SERVER, "POST 1\nHEADERS 1 ES+EH fields a=1|b=1|c=1|d=1",
     "REQUEST 1\nRESET 1 us ENHANCE_YOUR_CALM: a header section with more fields than header_fields allows\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", few_fields, 0},
    {"a_response_with_too_many_fields", H2_CLIENT, "!request end\nHEADERS 1 ES+EH fields :status=200|a=1|b=1|c=1|d=1",
     "> HEADERS 1 end\nRESET 1 us ENHANCE_YOUR_CALM: a header section with more fields than header_fields allows\n  user a\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", few_fields, 0},
    {"a_response_too_large", H2_CLIENT, "!request end\nHEADERS 1 ES+EH fields :status=200|x=" X100 "|y=" X100 "|z=" X100 X100,
     "> HEADERS 1 end\nRESET 1 us ENHANCE_YOUR_CALM: a header section larger than header_list_bytes allows\n  user a\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", short_lists, 0},
    {"interim_responses_have_an_end", H2_CLIENT, "!request end\n*33 HEADERS 1 EH fields :status=103",
     "> HEADERS 1 end\n"
     "INFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\n"
     "INFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\n"
     "INFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\n"
     "INFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\nINFORMATIONAL 1 103\n"
     "RESET 1 us ENHANCE_YOUR_CALM: more than 32 responses of 1xx\n  user a\n> RST_STREAM 1 ENHANCE_YOUR_CALM\n", 0, 0},
};
/* clang-format on */

static void headers_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

/* One octet each for thousands of fields: memory stays at what the limits say. */
static void thousands_of_references_are_not_stored(void **state)
{
    (void)state;
    char *script = malloc(64 + 2 * 16384);
    assert_non_null(script);
    strcpy(script, "HEADERS 1 ES+EH hex 828784410161");
    for (int i = 0; i < 16000; i++) {
        strcat(script + 30 + 2 * (size_t)i, "90"); /* accept-encoding: gzip, deflate */
    }
    struct script_case sc = {.role = H2_SERVER, .script = script};
    char *got = script_run(&sc, SCRIPT_AT_ONCE, 0, NULL);
    assert_string_equal(got, "REQUEST 1 end too_large 4\n");
    free(got);
    free(script);
}

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT

static void with_push(struct h2_options *opts)
{
    opts->enable_push = true;
    opts->mute = 0;
}

#define PROMISED ":method=GET|:scheme=https|:path=/|:authority=a"

/* clang-format off */
static const struct script_case promises[] = {
    {"a_promise_and_its_response", CLIENT, "!fields\n!request end\nPROMISE 1 2 " PROMISED "|priority=u=1, i\n!state 2\n!streams\n!user 2\nOK 2\n!state 2\n!streams\nDATA 2 - text hello\nHEADERS 2 ES+EH fields x=y\n!state 2\n!streams\nOKEND 1", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\nPUSH 1 2 u=1,i :method=GET|:scheme=https|:path=/|:authority=a|priority=u=1, i\n= 2 is reserved (remote)\n= streams 2 in 0 out 1 next 3 last 2\nRESPONSE 2 200 :status=200\n= 2 is half closed (local)\n= streams 2 in 1 out 1 next 3 last 2\nDATA 2 5\nTRAILERS 2 end x=y\nSTREAM_ENDED 2\n= 2 is closed (ended)\n= streams 1 in 0 out 1 next 3 last 2\nRESPONSE 1 end 200 :status=200\nSTREAM_ENDED 1\n", with_push, 0},
    {"a_response_without_status", CLIENT, "!request end\nHEADERS 1 ES+EH fields a=b\n!request end\nHEADERS 3 ES+EH", "> HEADERS 1 end\nRESET 1 us PROTOCOL_ERROR: no :status\n  user a\n> RST_STREAM 1 PROTOCOL_ERROR\n> HEADERS 3 end\nRESET 3 us PROTOCOL_ERROR: no :status\n  user b\n> RST_STREAM 3 PROTOCOL_ERROR\n", with_push, 0},
    {"a_promise_with_padding", CLIENT, "!fields\n!request end\nPUSH_PROMISE 1 PAD+EH hex 03 00000002 82 87 84 41 01 61 000000", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\nPUSH 1 2 u=3 :method=GET|:scheme=https|:path=/|:authority=a\n", with_push, 0},
    {"a_promise_in_pieces", CLIENT, "!fields\n!request end\nPUSH_PROMISE 1 - hex 00000002\nCONTINUATION 1 - hex 82 87\nCONTINUATION 1 EH hex 84 41 01 61", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\nPUSH 1 2 u=3 :method=GET|:scheme=https|:path=/|:authority=a\n", with_push, 0},
    {"a_promise_in_pieces_with_padding", CLIENT, "!fields\n!request end\nPUSH_PROMISE 1 PAD hex 02 00000002 82 87 0000\nCONTINUATION 1 EH hex 84 41 01 61", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\nPUSH 1 2 u=3 :method=GET|:scheme=https|:path=/|:authority=a\n", with_push, 0},
    {"a_promise_padded_beyond_its_end", CLIENT, "!request end\nPUSH_PROMISE 1 PAD+EH hex 03 00000002 82 87", "> HEADERS 1 end\nFAILED PROTOCOL_ERROR: a header block's frame padded beyond its end\n> GOAWAY 0 PROTOCOL_ERROR a header block's frame padded beyond its end\n", with_push, 0},
    {"a_promise_without_its_stream_id", CLIENT, "!request end\nPUSH_PROMISE 1 PAD+EH hex 00 000000", "> HEADERS 1 end\nFAILED FRAME_SIZE_ERROR: a header block's frame without what stands before the block\n> GOAWAY 0 FRAME_SIZE_ERROR a header block's frame without what stands before the block\n", with_push, 0},
    {"a_promise_that_another_stream_continues", CLIENT, "!request end\nPUSH_PROMISE 1 - hex 00000002 82\nCONTINUATION 2 EH hex 87", "> HEADERS 1 end\nFAILED PROTOCOL_ERROR: a frame inside a header block\n> GOAWAY 0 PROTOCOL_ERROR a frame inside a header block\n", with_push, 0},
    {"the_reserved_bit_of_a_promised_id_is_ignored", CLIENT, "!request end\nPUSH_PROMISE 1 EH hex 80000002 82 87 84 41 01 61", "> HEADERS 1 end\nPUSH 1 2 u=3\n", with_push, 0},
    {"a_promise_of_stream_0", CLIENT, "!request end\nPUSH_PROMISE 1 EH hex 00000000 82", "> HEADERS 1 end\nFAILED PROTOCOL_ERROR: PUSH_PROMISE of a stream id that is not a new one of the peer's\n> GOAWAY 0 PROTOCOL_ERROR PUSH_PROMISE of a stream id that is not a new one of the peer's\n", with_push, 0},
    {"a_promise_of_an_odd_stream", CLIENT, "!request end\nPROMISE 1 3 " PROMISED, "> HEADERS 1 end\nFAILED PROTOCOL_ERROR: PUSH_PROMISE of a stream id that is not a new one of the peer's\n> GOAWAY 0 PROTOCOL_ERROR PUSH_PROMISE of a stream id that is not a new one of the peer's\n", with_push, 0},
    {"a_promise_of_the_same_stream_twice", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "\nPROMISE 1 2 " PROMISED, "> HEADERS 1 end\nPUSH 1 2 u=3\nFAILED PROTOCOL_ERROR: PUSH_PROMISE of a stream id that is not a new one of the peer's\n> GOAWAY 2 PROTOCOL_ERROR PUSH_PROMISE of a stream id that is not a new one of the peer's\n", with_push, 0},
    {"a_promise_of_a_lower_stream", CLIENT, "!request end\nPROMISE 1 4 " PROMISED "\nPROMISE 1 2 " PROMISED, "> HEADERS 1 end\nPUSH 1 4 u=3\nFAILED PROTOCOL_ERROR: PUSH_PROMISE of a stream id that is not a new one of the peer's\n> GOAWAY 4 PROTOCOL_ERROR PUSH_PROMISE of a stream id that is not a new one of the peer's\n", with_push, 0},
    {"promises_may_skip_ids", CLIENT, "!request end\nPROMISE 1 8 " PROMISED "\n!state 2\n!state 8\n!state 10\nRST_STREAM 4 - u32 0", "> HEADERS 1 end\nPUSH 1 8 u=3\n= 2 is closed (skipped)\n= 8 is reserved (remote)\n= 10 is idle (to be promised)\n", with_push, 0},
    {"a_promise_after_our_reset_is_decoded_and_refused", CLIENT, "!fields\n!request end\n!reset 1 CANCEL\nPROMISE 1 2 " PROMISED "|x-new=1\n!state 2\n!request end\nPROMISE 3 4 " PROMISED "|x-new=1", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n> RST_STREAM 1 CANCEL\nRESET 2 us CANCEL: a promise on a stream that was reset\n> RST_STREAM 2 CANCEL\n= 2 is closed (reset sent)\n> HEADERS 3 end :method=GET|:scheme=https|:path=/|:authority=example.com\nPUSH 3 4 u=3 :method=GET|:scheme=https|:path=/|:authority=a|x-new=1\n", with_push, 0},
    {"a_promise_on_a_stream_that_is_reset_in_between", CLIENT, "!request end\nPUSH_PROMISE 1 - hex 00000002 82 87\n!reset 1 CANCEL\nCONTINUATION 1 EH hex 84 41 01 61", "> HEADERS 1 end\n> RST_STREAM 1 CANCEL\nRESET 2 us CANCEL: a promise on a stream that was reset\n> RST_STREAM 2 CANCEL\n", with_push, 0},
    {"a_promise_on_a_closed_stream", CLIENT, "!request end\nOKEND 1\nPROMISE 1 2 " PROMISED, "> HEADERS 1 end\nRESPONSE 1 end 200\nSTREAM_ENDED 1\nFAILED PROTOCOL_ERROR: PUSH_PROMISE on a stream that is neither open nor half closed (local)\n> GOAWAY 0 PROTOCOL_ERROR PUSH_PROMISE on a stream that is neither open nor half closed (local)\n", with_push, 0},
    {"a_promise_on_a_stream_that_the_peer_reset", CLIENT, "!request end\nRST_STREAM 1 - u32 8\nPROMISE 1 2 " PROMISED, "> HEADERS 1 end\nRESET 1 peer CANCEL\n  user a\nFAILED PROTOCOL_ERROR: PUSH_PROMISE on a stream that is neither open nor half closed (local)\n> GOAWAY 0 PROTOCOL_ERROR PUSH_PROMISE on a stream that is neither open nor half closed (local)\n", with_push, 0},
    {"a_promise_after_our_goaway_is_ignored", CLIENT, "!fields\n!request end\nPROMISE 1 2 " PROMISED "\n!shutdown\nPROMISE 1 4 " PROMISED "|x-new=1\nOK 4\nDATA 4 ES text hello\nRST_STREAM 4 - u32 8\n!state 4\nHEADERS 2 ES+EH fields :status=200|x-new=1", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\nPUSH 1 2 u=3 :method=GET|:scheme=https|:path=/|:authority=a\n> GOAWAY 2 NO_ERROR \n= 4 is closed (reset sent)\nRESPONSE 2 end 200 :status=200|x-new=1\nSTREAM_ENDED 2\n", with_push, 0},
    {"a_promise_after_the_servers_goaway_is_taken", CLIENT, "!request end\nGOAWAY 0 - u32 1,0\nPROMISE 1 2 " PROMISED "\nOKEND 2", "> HEADERS 1 end\nGOAWAY 1 NO_ERROR \nPUSH 1 2 u=3\nRESPONSE 2 end 200\nSTREAM_ENDED 2\n", with_push, 0},
    {"a_promised_method_that_is_not_safe", CLIENT, "!request end\nPROMISE 1 2 :method=PUT|:scheme=https|:path=/|:authority=a\n!state 2\nPROMISE 1 4 :method=HEAD|:scheme=https|:path=/|:authority=a\nHEADERS 4 ES+EH fields :status=200|content-length=5", "> HEADERS 1 end\nRESET 2 us PROTOCOL_ERROR: a promised request that is not safe and cacheable, or has a body\n> RST_STREAM 2 PROTOCOL_ERROR\n= 2 is closed (reset sent)\nPUSH 1 4 u=3\nRESPONSE 4 end 200 length 5\nSTREAM_ENDED 4\n", with_push, 0},
    {"a_promised_request_with_a_body", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "|content-length=1\nPROMISE 1 4 " PROMISED "|content-length=0", "> HEADERS 1 end\nRESET 2 us PROTOCOL_ERROR: a promised request that is not safe and cacheable, or has a body\nPUSH 1 4 u=3\n> RST_STREAM 2 PROTOCOL_ERROR\n", with_push, 0},
    {"a_promise_that_is_malformed", CLIENT, "!request end\nPROMISE 1 2 :method=GET\nPROMISE 1 4 :method=GET|:scheme=https|:path=/\nOKEND 1", "> HEADERS 1 end\nRESET 2 us PROTOCOL_ERROR: no :scheme or no :path\nRESET 4 us PROTOCOL_ERROR: neither :authority nor host\nRESPONSE 1 end 200\nSTREAM_ENDED 1\n> RST_STREAM 2 PROTOCOL_ERROR\n> RST_STREAM 4 PROTOCOL_ERROR\n", with_push, 0},
    {"interim_responses_on_a_pushed_stream", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "\nHEADERS 2 EH fields :status=103\n!state 2\nHEADERS 2 EH fields :status=103\nDATA 2 - text x", "> HEADERS 1 end\nPUSH 1 2 u=3\nINFORMATIONAL 2 103\n= 2 is half closed (local)\nINFORMATIONAL 2 103\nRESET 2 us PROTOCOL_ERROR: DATA before the response head\n> RST_STREAM 2 PROTOCOL_ERROR\n", with_push, 0},
    {"a_pushed_response_with_a_wrong_length", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "\nHEADERS 2 EH fields :status=200|content-length=3\nDATA 2 ES text 12", "> HEADERS 1 end\nPUSH 1 2 u=3\nRESPONSE 2 200 length 3\nRESET 2 us PROTOCOL_ERROR: less DATA than content-length says\n> RST_STREAM 2 PROTOCOL_ERROR\n", with_push, 0},
    {"data_on_a_promise", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "\nDATA 2 - text x", "> HEADERS 1 end\nPUSH 1 2 u=3\nFAILED PROTOCOL_ERROR: DATA on a reserved stream\n> GOAWAY 2 PROTOCOL_ERROR DATA on a reserved stream\n", with_push, 0},
    {"window_update_on_a_promise", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "\nWINDOW_UPDATE 2 - u32 1", "> HEADERS 1 end\nPUSH 1 2 u=3\nFAILED PROTOCOL_ERROR: WINDOW_UPDATE on a stream that the peer has promised\n> GOAWAY 2 PROTOCOL_ERROR WINDOW_UPDATE on a stream that the peer has promised\n", with_push, 0},
    {"a_promise_on_a_pushed_stream", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "\nOK 2\nPROMISE 2 4 " PROMISED, "> HEADERS 1 end\nPUSH 1 2 u=3\nRESPONSE 2 200\nFAILED PROTOCOL_ERROR: PUSH_PROMISE on a stream that the client has not opened\n> GOAWAY 2 PROTOCOL_ERROR PUSH_PROMISE on a stream that the client has not opened\n", with_push, 0},
    {"what_a_client_may_say_on_a_promise", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "\n!update 2 5\n!prio 2 0 16\n!pupdate 2 u=1\n!send 2 1 -\n!trailers 2 a=b\n!end 2\n!windows 2\nOK 2\n!windows 2\n!reset 2 CANCEL", "> HEADERS 1 end\nPUSH 1 2 u=3\n> WINDOW_UPDATE 2 5\n> PRIORITY 2 00000000 15\n> PRIORITY_UPDATE 0 2 u=1\n= STREAM_STATE\n= STREAM_STATE\n= STREAM_STATE\n= windows 2: 0 0\nRESPONSE 2 200\n= windows 2: 0 65535\n> RST_STREAM 2 CANCEL\n", with_push, 0},
    {"the_user_of_a_promise_comes_back", CLIENT, "!request end\nPROMISE 1 2 " PROMISED "\n!user 2\nRST_STREAM 2 - u32 7", "> HEADERS 1 end\nPUSH 1 2 u=3\nRESET 2 peer REFUSED_STREAM\n  user someone\n", with_push, 0},
};
/* clang-format on */

static void promises_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(promises);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_from_outside),
        cmocka_unit_test(headers_from_outside),
        cmocka_unit_test(thousands_of_references_are_not_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
