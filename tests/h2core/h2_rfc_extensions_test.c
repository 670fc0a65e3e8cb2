/* The RFCs beside RFC 9113: 8441 (extended CONNECT), 9218 (priorities), 7838 (ALTSVC), 8336
 * (ORIGIN), and the upgrade of RFC 7540, 3.2. */
#include "h2_rules.h"

#define PREFACE   "BYTES 505249202a20485454502f322e300d0a0d0a534d0d0a0d0a\n"
#define WEBSOCKET ":method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a"

static void extended(struct h2_options *opts)
{
    opts->enable_connect_protocol = true;
}

static void told(struct h2_options *opts)
{
    opts->mute = 0;
}

/* clang-format off */
static const struct h2_rule rfc8441[] = {
    {"connect_protocol_of_2", C, IDLE, "SETTINGS 0 - set 8=2", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"connect_protocol_taken_back", C, IDLE, "SETTINGS 0 - set 8=1\nSETTINGS 0 - set 8=0", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"connect_protocol_of_0", C, IDLE, "SETTINGS 0 - set 8=0\nSETTINGS 0 - set 8=1\nSETTINGS 0 - set 8=1", TAKEN, 0, "> SETTINGS ack\n", 0},
    {"connect_protocol_is_announced_when_asked_for", S, UNGREETED, PREFACE "SETTINGS 0", TAKEN, 0, " 8=1", extended},
    {"no_protocol_before_the_setting", C, IDLE, "!request " WEBSOCKET "\nSETTINGS 0 - set 8=1\n!request " WEBSOCKET, TAKEN, 0, "= UNSUPPORTED\nSETTINGS\n> SETTINGS ack\n> HEADERS 1\n", 0},
    {"a_protocol_that_was_not_offered", S, IDLE, "HEADERS 1 EH fields " WEBSOCKET, RESETS, "PROTOCOL_ERROR", 0, 0},
    {"a_protocol_that_was_offered", S, IDLE, "HEADERS 1 EH fields " WEBSOCKET "\nDATA 1 - text hello", TAKEN, 0, "REQUEST 1\nDATA 1 5\n", extended},
    {"a_protocol_without_scheme", S, IDLE, "HEADERS 1 EH fields :method=CONNECT|:protocol=websocket|:path=/|:authority=a", RESETS, "PROTOCOL_ERROR", 0, extended},
    {"a_protocol_without_path", S, IDLE, "HEADERS 1 EH fields :method=CONNECT|:protocol=websocket|:scheme=https|:authority=a", RESETS, "PROTOCOL_ERROR", 0, extended},
    {"a_protocol_without_authority", S, IDLE, "HEADERS 1 EH fields :method=CONNECT|:protocol=websocket|:scheme=https|:path=/", RESETS, "PROTOCOL_ERROR", 0, extended},
    {"a_protocol_of_another_method", S, IDLE, "HEADERS 1 EH fields :method=GET|:protocol=websocket|:scheme=https|:path=/|:authority=a", RESETS, "PROTOCOL_ERROR", 0, extended},
    {"a_protocol_twice", S, IDLE, "HEADERS 1 EH fields " WEBSOCKET "|:protocol=x", RESETS, "PROTOCOL_ERROR", 0, extended},
    {"a_plain_connect_has_neither", S, IDLE, "HEADERS 1 EH fields :method=CONNECT|:authority=a:1|:path=/", RESETS, "PROTOCOL_ERROR", 0, extended},
    {"a_bad_protocol_is_not_sent", C, IDLE, "SETTINGS 0 - set 8=1\n!request :method=GET|:protocol=x|:scheme=https|:path=/|:authority=a\n!request :method=CONNECT|:protocol=x|:authority=a\n!request " WEBSOCKET, TAKEN, 0, "= FIELDS\n= FIELDS\n> HEADERS 1\n", 0},
    {"a_tunnel_closes_with_end_stream", S, IDLE, "HEADERS 1 EH fields " WEBSOCKET "\n!respond 1 :status=200\nDATA 1 ES\n!data 1 5 end", TAKEN, 0, "DATA 1 0 end\n> DATA 1 5 end\n", extended},
};

static const struct h2_rule rfc9218[] = {
    {"a_client_sets_the_scheme_to_2", S, UNGREETED, PREFACE "SETTINGS 0 - set 9=2", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_server_sets_the_scheme_to_2", C, UNGREETED, "SETTINGS 0 - set 9=2", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"the_scheme_changes_later", SC, IDLE, "SETTINGS 0 - set 9=1", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"the_scheme_is_repeated", SC, IDLE, "SETTINGS 0 - set 9=0", TAKEN, 0, "> SETTINGS ack\n", 0},
    {"a_server_says_that_the_old_scheme_is_gone", S, UNGREETED, PREFACE "SETTINGS 0", TAKEN, 0, " 9=1\n", 0},
    {"a_client_says_that_the_old_scheme_is_gone", C, UNGREETED, "SETTINGS 0", TAKEN, 0, " 9=1\n", 0},
    {"a_priority_field_is_read", S, IDLE, "HEADERS 1 ES+EH fields :method=GET|:scheme=https|:path=/|:authority=a|priority=u=1, i", TAKEN, 0, "REQUEST 1 end u=1,i\n", told},
    {"the_default_is_3_and_not_incremental", S, IDLE, "GET 1", TAKEN, 0, "REQUEST 1 end u=3\n", told},
    {"an_urgency_out_of_range_is_ignored", S, IDLE, "HEADERS 1 ES+EH fields :method=GET|:scheme=https|:path=/|:authority=a|priority=u=9, i", TAKEN, 0, "REQUEST 1 end u=3,i\n", told},
    {"members_that_are_unknown_are_ignored", S, IDLE, "HEADERS 1 ES+EH fields :method=GET|:scheme=https|:path=/|:authority=a|priority=x=?0, u=2, z", TAKEN, 0, "REQUEST 1 end u=2\n", told},
    {"a_priority_update_of_an_open_stream", S, OPEN, "PRIORITY_UPDATE 0 - hex 00000001 753d30", TAKEN, 0, "PRIORITY_UPDATE 1 u=0 u=0\n", told},
    {"a_priority_update_before_its_stream", S, IDLE, "PRIORITY_UPDATE 0 - hex 00000001 753d36\nHEADERS 1 ES+EH fields :method=GET|:scheme=https|:path=/|:authority=a|priority=u=1", TAKEN, 0, "REQUEST 1 end u=6\n", told},
    {"a_priority_update_of_a_closed_stream", S, ENDED, "PRIORITY_UPDATE 0 - hex 00000001 753d30", TAKEN, 0, 0, 0},
    {"a_priority_update_on_a_stream", S, OPEN, "PRIORITY_UPDATE 1 - hex 00000001 753d30", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_priority_update_of_stream_0", S, IDLE, "PRIORITY_UPDATE 0 - hex 00000000 753d30", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_priority_update_of_a_push_that_was_not_promised", S, IDLE, "PRIORITY_UPDATE 0 - hex 00000002 753d30", BREAKS, "PROTOCOL_ERROR", 0, 0},
    {"a_priority_update_of_3_octets", S, IDLE, "PRIORITY_UPDATE 0 - hex 000001", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_priority_update_without_members", S, OPEN, "PRIORITY_UPDATE 0 - hex 00000001", TAKEN, 0, "PRIORITY_UPDATE 1 u=3 \n", told},
    {"a_priority_update_that_is_no_dictionary", S, OPEN, "PRIORITY_UPDATE 0 - hex 00000001 ff00ff", TAKEN, 0, 0, 0},
    {"the_reserved_bit_of_a_priority_update", S, OPEN, "PRIORITY_UPDATE 0 - hex 80000001 753d30", TAKEN, 0, "PRIORITY_UPDATE 1 u=0 u=0\n", told},
    {"a_server_sends_no_priority_update", C, IDLE, "PRIORITY_UPDATE 0 - hex 00000001 753d30", BREAKS, "PROTOCOL_ERROR", 0, 0},
};

static const struct h2_rule rfc7838[] = {
    {"altsvc_with_its_origin", C, IDLE, "ALTSVC 0 - hex 0003 612e62 636c656172", TAKEN, 0, "ALTSVC 0 'a.b' clear\n", 0},
    {"altsvc_of_a_stream", C, OPEN, "ALTSVC 1 - hex 0000 636c656172", TAKEN, 0, "ALTSVC 1 '' clear\n", 0},
    {"altsvc_on_stream_0_without_an_origin", C, IDLE, "ALTSVC 0 - hex 0000 636c656172", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"altsvc_of_a_stream_with_an_origin", C, OPEN, "ALTSVC 1 - hex 0003 612e62 636c656172", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"altsvc_of_a_stream_that_is_not_there", C, IDLE, "ALTSVC 1 - hex 0000 636c656172", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"altsvc_of_a_closed_stream", C, ENDED, "ALTSVC 1 - hex 0000 636c656172", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"altsvc_shorter_than_its_length", C, IDLE, "ALTSVC 0 - hex 00", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"altsvc_shorter_than_its_origin", C, IDLE, "ALTSVC 0 - hex 0009 612e62", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_server_ignores_altsvc", S, OPEN, "ALTSVC 0 - hex 0003 612e62 636c656172\nALTSVC 1 - hex 0000 636c656172\nALTSVC 0 - hex 00", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"the_flags_of_altsvc_mean_nothing", C, IDLE, "ALTSVC 0 ES+EH+PAD+PRI hex 0003 612e62 636c656172", TAKEN, 0, "ALTSVC 0 'a.b' clear\n", 0},
};

static const struct h2_rule rfc8336[] = {
    {"origins", C, IDLE, "ORIGIN 0 - hex 0003 612e62 0001 63", TAKEN, 0, "ORIGIN a.b c\n", 0},
    {"no_origins", C, IDLE, "ORIGIN 0", TAKEN, 0, "ORIGIN\n", 0},
    {"origins_on_a_stream", C, OPEN, "ORIGIN 1 - hex 0003 612e62", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"origins_with_a_flag_of_1", C, IDLE, "ORIGIN 0 ES hex 0003 612e62", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"origins_with_a_flag_of_2", C, IDLE, "BYTES 000005 0c 02 00000000 0003 612e62", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"origins_with_a_flag_of_4", C, IDLE, "ORIGIN 0 EH hex 0003 612e62", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"origins_with_a_flag_of_8", C, IDLE, "ORIGIN 0 PAD hex 0003 612e62", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
    {"origins_with_the_other_flags", C, IDLE, "BYTES 000005 0c f0 00000000 0003 612e62", TAKEN, 0, "ORIGIN a.b\n", 0},
    {"origins_that_end_early", C, IDLE, "ORIGIN 0 - hex 0009 612e62", BREAKS, "FRAME_SIZE_ERROR", 0, 0},
    {"a_server_ignores_origins", S, IDLE, "ORIGIN 0 - hex 0003 612e62\nORIGIN 0 - hex 0009 61", TAKEN, 0, "> PING 12345678\n> PING ack", 0},
};
/* clang-format on */

#define TEST_OF(rules)                                                                             \
    static void rules##_of_a_peer(void **state)                                                    \
    {                                                                                              \
        (void)state;                                                                               \
        RULES_CHECK(rules);                                                                        \
    }

TEST_OF(rfc8441)
TEST_OF(rfc9218)
TEST_OF(rfc7838)
TEST_OF(rfc8336)

/* ---------------------------------------------------------------- what each side may send */

static struct h2_conn *conn(enum h2_role role)
{
    struct h2_options opts;
    uint8_t out[256];
    h2_options_init(&opts);
    struct h2_conn *c = h2_conn_new(role, &opts);
    assert_non_null(c);
    while (h2_conn_send(c, out, sizeof(out)) > 0) {
    }
    return c;
}

static void only_servers_announce(void **state)
{
    (void)state;
    const char *origins[] = {"https://a.b"};
    struct h2_conn *c = conn(H2_CLIENT);
    assert_int_equal(h2_conn_altsvc(c, 0, "https://a", 9, "clear", 5), H2_ERR_FRAME_TYPE);
    assert_int_equal(h2_conn_origin(c, origins, 1), H2_ERR_FRAME_TYPE);
    assert_false(h2_conn_wants_send(c));
    h2_conn_free(c);

    uint8_t out[64];
    c = conn(H2_SERVER);
    assert_int_equal(h2_conn_altsvc(c, 0, NULL, 0, "clear", 5), H2_ERR_VALUE);
    assert_int_equal(h2_conn_altsvc(c, 1, NULL, 0, "clear", 5), H2_ERR_NO_STREAM);
    assert_false(h2_conn_wants_send(c));
    assert_int_equal(h2_conn_origin(c, origins, 1), H2_OK);
    assert_int_equal(h2_conn_send(c, out, sizeof(out)), 9 + 2 + 11);
    assert_memory_equal(out, "\0\0\xd\xc\0\0\0\0\0\0\xbhttps://a.b", 22); /* stream 0, no flags */
    assert_int_equal(h2_conn_altsvc(c, 0, "https://a", 9, "clear", 5), H2_OK);
    assert_int_equal(h2_conn_send(c, out, sizeof(out)), 9 + 2 + 9 + 5);
    assert_memory_equal(out, "\0\0\x10\xa\0\0\0\0\0\0\x9https://aclear", 25);
    h2_conn_free(c);
}

static void only_clients_prioritize(void **state)
{
    (void)state;
    uint8_t out[64];
    struct h2_priority priority = {0, 16, false};
    struct h2_conn *c = conn(H2_SERVER);
    assert_int_equal(h2_conn_priority_update(c, 1, "u=1", 3), H2_ERR_UNWISE);
    assert_int_equal(h2_conn_priority(c, 1, &priority), H2_ERR_UNWISE);
    assert_false(h2_conn_wants_send(c));
    h2_conn_free(c);

    c = conn(H2_CLIENT);
    assert_int_equal(h2_conn_priority_update(c, 0, "u=1", 3), H2_ERR_VALUE);
    assert_int_equal(h2_conn_priority_update(c, 0x80000001, "u=1", 3), H2_ERR_VALUE);
    assert_int_equal(h2_conn_priority_update(c, 1, "u=\n", 3), H2_ERR_VALUE);
    assert_false(h2_conn_wants_send(c));
    assert_int_equal(h2_conn_priority_update(c, 1, "u=1", 3), H2_OK);
    assert_int_equal(h2_conn_send(c, out, sizeof(out)), 9 + 4 + 3);
    assert_memory_equal(out, "\0\0\7\x10\0\0\0\0\0\0\0\0\1u=1", 16); /* on stream 0 */
    h2_conn_free(c);
}

static void settings_of_extensions_are_not_taken_back(void **state)
{
    (void)state;
    struct h2_setting_value on = {H2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    struct h2_setting_value off = {H2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 0};
    struct h2_setting_value old = {H2_SETTINGS_NO_RFC7540_PRIORITIES, 0};
    struct h2_conn *c = conn(H2_SERVER);
    assert_int_equal(h2_conn_update_settings(c, &off, 1), H2_OK);
    assert_int_equal(h2_conn_update_settings(c, &on, 1), H2_OK);
    assert_int_equal(h2_conn_update_settings(c, &off, 1), H2_ERR_SETTING);
    assert_int_equal(h2_conn_update_settings(c, &old, 1), H2_ERR_SETTING);
    h2_conn_free(c);
}

/* ---------------------------------------------------------------- RFC 7540, 3.2 */

static void a_client_says_in_its_upgrade_what_its_settings_say(void **state)
{
    (void)state;
    struct h2_options opts;
    h2_options_init(&opts);
    opts.initial_window_size = 12345;
    opts.max_frame_size = 20000;
    struct h2_conn *client = h2_conn_new(H2_CLIENT, &opts);
    char value[H2_UPGRADE_SETTINGS_MAX];
    size_t len = h2_conn_upgrade_settings(client, value, sizeof(value));
    assert_true(len > 0 && len % 4 != 1);
    for (size_t i = 0; i < len; i++) { /* base64url without padding */
        assert_non_null(
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", value[i]));
    }
    struct h2_conn *server = conn(H2_SERVER);
    assert_int_equal(h2_conn_upgrade(server, value, len, false, NULL), H2_OK);
    assert_int_equal(h2_conn_peer_setting(server, H2_SETTINGS_INITIAL_WINDOW_SIZE), 12345);
    assert_int_equal(h2_conn_peer_setting(server, H2_SETTINGS_MAX_FRAME_SIZE), 20000);
    assert_int_equal(h2_conn_peer_setting(server, H2_SETTINGS_ENABLE_PUSH), 0);
    assert_false(h2_conn_wants_send(server)); /* 101 is the acknowledgement */
    assert_int_equal(h2_conn_stream_state(server, 1), H2_STATE_HALF_CLOSED_REMOTE);
    assert_int_equal(h2_conn_upgrade(client, NULL, 0, false, NULL), H2_OK);
    assert_int_equal(h2_conn_stream_state(client, 1), H2_STATE_HALF_CLOSED_LOCAL);
    assert_int_equal(h2_conn_next_stream_id(client), 3);
    h2_conn_free(client);
    h2_conn_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8441_of_a_peer),
        cmocka_unit_test(rfc9218_of_a_peer),
        cmocka_unit_test(rfc7838_of_a_peer),
        cmocka_unit_test(rfc8336_of_a_peer),
        cmocka_unit_test(only_servers_announce),
        cmocka_unit_test(only_clients_prioritize),
        cmocka_unit_test(settings_of_extensions_are_not_taken_back),
        cmocka_unit_test(a_client_says_in_its_upgrade_what_its_settings_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
