/* Fields made to be what they should be, in both directions; and what is left alone. */
#include "h2_script.h"

#include "h2_internal.h"
#include "hpack_testing.h"

#define SERVER H2_SERVER
#define CLIENT H2_CLIENT

static void sent(struct h2_options *opts)
{
    opts->normalize_sent = true;
}

static void sent_unchecked(struct h2_options *opts)
{
    opts->normalize_sent = true;
    opts->validate_sent = false;
}

static void unchecked(struct h2_options *opts)
{
    opts->validate_sent = false;
    opts->validate_received = false;
}

static void received(struct h2_options *opts)
{
    opts->normalize_received = true;
}

static void received_unchecked(struct h2_options *opts)
{
    opts->normalize_received = true;
    opts->validate_received = false;
}

static void pushed(struct h2_options *opts)
{
    opts->normalize_received = true;
    opts->enable_push = true;
}

static void secrets(struct h2_options *opts)
{
    opts->index_secrets = true;
}

#define HEAD ":method=GET|:scheme=https|:path=/|:authority=a"

/* clang-format off */
static const struct script_case cases[] = {
    {"names_become_lower_case", CLIENT, "!fields\n!request end " HEAD "|X-Some=One|accept=A|TE=trailers|Z=Z", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=a|x-some=One|accept=A|te=trailers|z=Z\n", sent, 0},
    {"pseudo_header_fields_become_lower_case", CLIENT, "!fields\n!request end :Method=GET|:SCHEME=https|:path=/|:authority=a", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=a\n", sent, 0},
    {"white_space_around_values_goes", CLIENT, "!fields\n!request end " HEAD "|a= b |c=\t \t|d=x y|e=\tf", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=a|a=b|c=|d=x y|e=f\n", sent, 0},
    {"what_speaks_of_a_connection_goes", CLIENT, "!fields\n!request end " HEAD "|connection=close|Keep-Alive=5|proxy-connection=x|Transfer-Encoding=chunked|upgrade=h2c|te=gzip|x=y", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=a|x=y\n", sent, 0},
    {"te_trailers_stays", CLIENT, "!fields\n!request end " HEAD "|te=trailers|a=b\n!request end " HEAD "|te=Trailers\n!request end " HEAD "|te= trailers \n!request end " HEAD "|te=trailers, deflate", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=a|te=trailers|a=b\n> HEADERS 3 end :method=GET|:scheme=https|:path=/|:authority=a|te=Trailers\n> HEADERS 5 end :method=GET|:scheme=https|:path=/|:authority=a|te=trailers\n> HEADERS 7 end :method=GET|:scheme=https|:path=/|:authority=a\n", sent, 0},
    {"what_connection_names_goes", CLIENT, "!fields\n!request end " HEAD "|x-one=1|X-Two=2|Connection= X-ONE ,,x-two\t,te|x-three=3|te=trailers|connection=x-three", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=a\n", sent, 0},
    {"connection_cannot_name_pseudo_header_fields", CLIENT, "!fields\n!request end " HEAD "|connection=:path, :method", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=a\n", sent, 0},
    {"nothing_is_left_of_the_trailers", SERVER, "!fields\nGET 1\n!respond 1 :status=200\n!trailers 1 connection=close|Upgrade=x", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n> HEADERS 1 :status=200\n> HEADERS 1 end \n", sent, 0},
    {"responses_are_normalized_too", SERVER, "!fields\nGET 1\n!respond 1 :status=103|Link=x\n!respond 1 :status=200|Server= me |connection=keep-alive\n!trailers 1 X=y", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n> HEADERS 1 :status=103|link=x\n> HEADERS 1 :status=200|server=me\n> HEADERS 1 end x=y\n", sent, 0},
    {"pushes_are_normalized_too", SERVER, "!fields\nGET 1\n!push 1 " HEAD "|Accept= x |connection=y", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n> PUSH_PROMISE 1 2 :method=GET|:scheme=https|:path=/|:authority=a|accept=x\n", sent, 0},
    {"what_is_wrong_afterwards_is_refused", SERVER, "!fields\nGET 1\n!respond 1 Status=200\n!respond 1 :status=200|a b=c\n!respond 1 :status=200|Bad\002=c\n!respond 1 end :status=200|A=\n", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n= FIELDS\n= FIELDS\n= FIELDS\n> HEADERS 1 end :status=200|a=\n", sent, 0},
    {"a_priority_counts_whatever_its_case", CLIENT, "!request :method=PUT|:scheme=http|:path=/|:authority=a\n!request :method=PUT|:scheme=http|:path=/|:authority=a|Priority= u=1 \n!ready 1 10\n!ready 3 10\n!pump 2 10", "> HEADERS 1\n> HEADERS 3\n> DATA 3 10\n> DATA 1 10\n", sent, 0},
    {"a_method_counts_whatever_its_names_case", CLIENT, "!request end :METHOD=HEAD|:scheme=http|:path=/|:authority=a\nHEADERS 1 ES+EH fields :status=200|content-length=5", "> HEADERS 1 end\nRESPONSE 1 end 200 length 5\n", sent, 0},
    {"what_is_not_checked_is_normalized", SERVER, "!fields\nGET 1\n!respond 1 a b=c|X=y|connection=x|:status=200|x=2", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n> HEADERS 1 a b=c|:status=200\n", sent_unchecked, 0},
    {"what_is_neither_checked_nor_normalized_is_sent_as_it_is", SERVER, "!fields\nGET 1\n!respond 1 :status=200|Connection=close|a = b \n!trailers 1 :status=200", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\n> HEADERS 1 :status=200|Connection=close|a = b \n> HEADERS 1 end :status=200\n", unchecked, 0},
    {"an_extended_connect_needs_an_offer_though_nothing_is_checked", CLIENT, "!request :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|host=a\nSETTINGS 0 - set 8=1\n!request :method=CONNECT|:protocol=websocket|:scheme=https|:path=/|host=a", "= UNSUPPORTED\nSETTINGS\n> SETTINGS ack\n> HEADERS 1\n", unchecked, 0},
    {"a_request_without_anything", CLIENT, "!fields\n!request end x=y", "> HEADERS 1 end x=y\n", unchecked, 0},

    {"cookies_are_joined", SERVER, "!fields\nHEADERS 1 ES+EH fields " HEAD "|cookie=a=b|x=y|cookie=c=d|cookie=|cookie=e\nHEADERS 3 ES+EH fields " HEAD "|cookie=a=b", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|cookie=a=b; c=d; e|x=y\nREQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a|cookie=a=b\n", received, 0},
    {"cookies_are_left_as_they_came", SERVER, "!fields\nHEADERS 1 ES+EH fields " HEAD "|cookie=a=b|x=y|cookie=c=d", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|cookie=a=b|x=y|cookie=c=d\n", 0, 0},
    {"cookies_of_nothing", SERVER, "!fields\nHEADERS 1 ES+EH fields " HEAD "|cookie=|cookie=", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|cookie=\n", received, 0},
    {"cookies_of_a_promise_and_of_trailers_are_joined", CLIENT, "!fields\n!request end\nPROMISE 1 2 " HEAD "|cookie=a|cookie=b\nOK 1\nHEADERS 1 ES+EH fields cookie=a|cookie=b", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\nPUSH 1 2 :method=GET|:scheme=https|:path=/|:authority=a|cookie=a; b\nRESPONSE 1 200 :status=200\nTRAILERS 1 end cookie=a; b\n", pushed, 0},
    {"what_is_not_checked_is_told_in_lower_case", SERVER, "!fields\nHEADERS 1 ES+EH fields " HEAD "|X-Some= One |Connection=x-two|x-two=2|te=gzip", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|x-some=One\n", received_unchecked, 0},
    {"cookies_of_either_case_are_joined", SERVER, "!fields\nHEADERS 1 ES+EH fields " HEAD "|Cookie=a=b|cookie=c=d\nHEADERS 3 ES+EH fields " HEAD "|COOKIE=a=b|Cookie=c=d", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a|cookie=a=b; c=d\nREQUEST 3 end :method=GET|:scheme=https|:path=/|:authority=a|cookie=a=b; c=d\n", received_unchecked, 0},
    {"cookies_that_connection_names_go", SERVER, "!fields\nHEADERS 1 ES+EH fields " HEAD "|cookie=a=b|cookie=c=d|connection=cookie", "REQUEST 1 end :method=GET|:scheme=https|:path=/|:authority=a\n", received_unchecked, 0},
    {"a_section_of_nothing", SERVER, "!fields\nHEADERS 1 EH\nHEADERS 1 ES+EH\nHEADERS 3 ES+EH fields connection=x", "REQUEST 1 \nTRAILERS 1 end \nREQUEST 3 end \n", received_unchecked, 0},
    {"what_is_not_checked_is_told_as_it_came", SERVER, "!fields\nHEADERS 1 EH fields x=y|:path=|:path=b|:nonsense=1|Connection=x|te=gzip|content-length=5, 5|content-length=5|content-length=x|a b= c \nDATA 1 - text 1234567\nHEADERS 1 ES+EH fields :status=1|content-length=9|X=", "REQUEST 1 length 5 x=y|:path=|:path=b|:nonsense=1|Connection=x|te=gzip|content-length=5, 5|content-length=5|content-length=x|a b= c \nDATA 1 7\nTRAILERS 1 end :status=1|content-length=9|X=\n", unchecked, 0},
    {"a_response_that_is_not_checked", CLIENT, "!fields\n!request end\nHEADERS 1 EH fields a=b|content-length=3\nDATA 1 ES text 12345", "> HEADERS 1 end :method=GET|:scheme=https|:path=/|:authority=example.com\nRESPONSE 1 0 length 3 a=b|content-length=3\nDATA 1 5 end\n", unchecked, 0},
    {"a_body_that_is_not_checked", SERVER, "HEADERS 1 EH fields :method=PUT|:scheme=http|:path=/|:authority=a|content-length=3\nDATA 1 ES text 12345\nHEADERS 3 ES+EH fields :method=PUT|:scheme=http|:path=/|:authority=a|content-length=3", "REQUEST 1 length 3\nDATA 1 5 end\nREQUEST 3 end length 3\n", unchecked, 0},
    {"trailers_have_an_end_though_nothing_is_checked", SERVER, "POST 1\nHEADERS 1 EH fields a=b", "REQUEST 1\nRESET 1 us PROTOCOL_ERROR: trailers without END_STREAM\n> RST_STREAM 1 PROTOCOL_ERROR\n", unchecked, 0},
    {"a_stream_that_depends_on_itself_though_nothing_is_checked", SERVER, "HEADERS 1 EH+PRI hex 00000001 00 82", "RESET 1 us PROTOCOL_ERROR: a stream that depends on itself\n> RST_STREAM 1 PROTOCOL_ERROR\n", unchecked, 0},
};
/* clang-format on */

static void fields_from_outside(void **state)
{
    (void)state;
    SCRIPT_CHECK(cases);
}

static struct h2_conn *client(const struct h2_allocator *alloc, bool index_secrets)
{
    struct h2_options opts;
    h2_options_init(&opts);
    opts.alloc = alloc;
    if (index_secrets) {
        secrets(&opts);
    }
    struct h2_conn *c = h2_conn_new(H2_CLIENT, &opts);
    assert_non_null(c);
    h2_conn_drop_output(c);
    return c;
}

/* The caller's fields are not written to, whatever has to be done with them. */
static void the_callers_fields_stay_as_they_are(void **state)
{
    (void)state;
    struct h2_field fields[] = {field_of(":method", "GET"), field_of(":scheme", "https"),
                                field_of(":path", "/"),     field_of(":authority", "a"),
                                field_of("X-Upper", " v "), field_of("connection", "x-upper")};
    struct h2_field before[6];
    memcpy(before, fields, sizeof(fields));
    struct h2_conn *c = client(NULL, false);
    uint32_t id;
    assert_int_equal(h2_conn_request(c, fields, 6, true, NULL, &id), H2_OK);
    for (size_t i = 0; i < 6; i++) { /* each member: what lies between them is nobody's */
        assert_ptr_equal(fields[i].name, before[i].name);
        assert_ptr_equal(fields[i].value, before[i].value);
        assert_int_equal(fields[i].name_len, before[i].name_len);
        assert_int_equal(fields[i].value_len, before[i].value_len);
        assert_int_equal(fields[i].token, before[i].token);
        assert_int_equal(fields[i].flags, before[i].flags);
    }
    h2_conn_free(c);
}

/* A token that the caller gives stands for the lower-case name, whatever the octets beside it. */
static void upper_case_names_with_tokens(void **state)
{
    (void)state;
    struct h2_field fields[] = {
        {":METHOD", "GET", 7, 3, H2_TOKEN_PSEUDO_METHOD, 0},
        {":SCHEME", "https", 7, 5, H2_TOKEN_PSEUDO_SCHEME, 0},
        {":PATH", "/", 5, 1, H2_TOKEN_PSEUDO_PATH, 0},
        {":AUTHORITY", "a", 10, 1, H2_TOKEN_PSEUDO_AUTHORITY, 0},
        {"USER-AGENT", " me ", 10, 4, H2_TOKEN_USER_AGENT, 0},
        {"CONNECTION", "close", 10, 5, H2_TOKEN_CONNECTION, 0},
    };
    for (size_t n = 4; n <= 6; n++) {
        struct h2_list list;
        struct h2_conn *c = client(NULL, false);
        assert_true(h2_normalize(c, fields, n, &list));
        assert_int_equal(list.n, n < 5 ? n : 5);
        for (size_t i = 0; i < list.n; i++) {
            for (uint32_t k = 0; k < list.fields[i].name_len; k++) {
                assert_false(list.fields[i].name[k] >= 'A' && list.fields[i].name[k] <= 'Z');
            }
        }
        h2_resize(c, list.memory, 0);
        h2_conn_free(c);
    }
}

static void a_clean_list_is_not_copied(void **state)
{
    (void)state;
    struct h2_field fields[] = {field_of(":method", "GET"), field_of("te", "trailers"),
                                field_of("empty", "")};
    struct h2_list list;
    struct h2_conn *c = client(NULL, false);
    assert_true(h2_normalize(c, fields, 3, &list));
    assert_true(list.memory == NULL && list.fields == fields && list.n == 3);
    assert_true(h2_normalize(c, NULL, 0, &list));
    assert_true(list.memory == NULL && list.n == 0);
    h2_conn_free(c);
}

/* Each field alone, so that memory is as tight as can be. */
static void lists_of_one_field(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        const char *want; /* NULL: it goes */
        const char *want_value;
    } lists[] = {
        {"A", "b", "a", "b"},
        {"a", " ", "a", ""},
        {"a", "\t b\t", "a", "b"},
        {"CONNECTION", "", NULL, NULL},
        {"Upgrade", "\t", NULL, NULL},
        {"Te", " gzip", NULL, NULL},
        {"Te", " trailers", "te", "trailers"},
        {"Some-Very-Long-Name-That-Is-Not-Known", "x", "some-very-long-name-that-is-not-known",
         "x"},
    };
    struct counting counting;
    counting_init(&counting);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct h2_field f = field_of(lists[i].name, lists[i].value);
        struct h2_list list;
        struct h2_conn *c = client(&counting.alloc, false);
        assert_true(h2_normalize(c, &f, 1, &list));
        assert_int_equal(list.n, lists[i].want != NULL);
        if (list.n > 0) {
            assert_field(&list.fields[0], lists[i].want, lists[i].want_value);
            assert_int_equal(list.fields[0].token,
                             h2_token_lookup(lists[i].want, (uint32_t)strlen(lists[i].want)));
        }
        h2_resize(c, list.memory, 0);
        h2_conn_free(c);
        assert_int_equal(counting.blocks, 0);
    }
}

/* No octets need no pointer. */
static void values_that_are_null(void **state)
{
    (void)state;
    struct h2_field fields[] = {
        {":method", "GET", 7, 3, 0, 0}, {":scheme", "https", 7, 5, 0, 0},
        {":path", "/", 5, 1, 0, 0},     {":authority", "a", 10, 1, 0, 0},
        {"x", NULL, 1, 0, 0, 0},        {"priority", NULL, 8, 0, 0, 0},
        {"cookie", NULL, 6, 0, 0, 0},   {"Connection", NULL, 10, 0, 0, 0},
        {"te", NULL, 2, 0, 0, 0},       {"content-type", NULL, 12, 0, 0, 0},
    };
    struct h2_conn *c = client(NULL, false);
    uint32_t id;
    assert_int_equal(
        h2_conn_request(c, fields, sizeof(fields) / sizeof(fields[0]), true, NULL, &id), H2_OK);
    assert_int_equal(h2_conn_priority_update(c, id, NULL, 0), H2_OK);
    assert_int_equal(h2_conn_extension_frame(c, 0xbb, 0, 0, NULL, 0), H2_OK);
    assert_int_equal(h2_conn_update_settings(c, NULL, 0), H2_OK);
    assert_int_equal(h2_conn_close(c, H2_NO_ERROR, 0, NULL, 0), H2_OK);
    h2_conn_free(c);
}

static void flags_come_through(void **state)
{
    (void)state;
    struct h2_field fields[] = {field_of("A", "b"), field_of("Connection", "x"),
                                field_of("c", "d")};
    fields[0].flags = H2_FIELD_NEVER_INDEX;
    fields[2].flags = H2_FIELD_NO_INDEX;
    struct h2_list list;
    struct h2_conn *c = client(NULL, false);
    assert_true(h2_normalize(c, fields, 3, &list));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.fields[0].flags, H2_FIELD_NEVER_INDEX);
    assert_int_equal(list.fields[1].flags, H2_FIELD_NO_INDEX);
    h2_resize(c, list.memory, 0);
    h2_conn_free(c);
}

/* A crumb that must never be indexed makes the whole cookie one (RFC 7541, 7.1.3). */
static void a_secret_crumb_makes_a_secret_cookie(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 4; which++) {
        struct h2_field fields[] = {{"cookie", "a", 6, 1, H2_TOKEN_COOKIE, which & 1},
                                    {"x", "y", 1, 1, 0, 0},
                                    {"cookie", "b", 6, 1, H2_TOKEN_COOKIE, which >> 1 & 1}};
        uint32_t n = 3;
        struct h2_conn *c = client(NULL, false);
        assert_true(h2_join_cookies(c, fields, &n));
        assert_int_equal(n, 2);
        assert_field(&fields[0], "cookie", "a; b");
        assert_int_equal(fields[0].flags, which != 0);
        assert_field(&fields[1], "x", "y");
        h2_conn_free(c);
    }
}

/* The same request twice: what is in the dynamic table is one octet the second time. */
static size_t second_time(bool index_secrets, const char *name, const char *value)
{
    struct h2_field fields[] = {field_of(":method", "GET"), field_of(":scheme", "https"),
                                field_of(":path", "/"), field_of(":authority", "a"),
                                field_of(name, value)};
    struct h2_conn *c = client(NULL, index_secrets);
    uint32_t id;
    assert_int_equal(h2_conn_request(c, fields, 5, true, NULL, &id), H2_OK);
    h2_conn_drop_output(c);
    assert_int_equal(h2_conn_request(c, fields, 5, true, NULL, &id), H2_OK);
    size_t n = h2_conn_output_len(c) - H2_FRAME_HEADER_LEN - 4;
    h2_conn_free(c);
    return n;
}

static void secrets_are_indexed_only_when_told_to(void **state)
{
    (void)state;
    static const char *const names[] = {"authorization", "proxy-authorization", "cookie",
                                        "Authorization"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(second_time(false, names[i], "a=b") > 1);
        assert_int_equal(second_time(true, names[i], "a=b"), 1);
    }
    assert_int_equal(second_time(false, "x-other", "a=b"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_from_outside),
        cmocka_unit_test(the_callers_fields_stay_as_they_are),
        cmocka_unit_test(upper_case_names_with_tokens),
        cmocka_unit_test(a_clean_list_is_not_copied),
        cmocka_unit_test(lists_of_one_field),
        cmocka_unit_test(values_that_are_null),
        cmocka_unit_test(flags_come_through),
        cmocka_unit_test(a_secret_crumb_makes_a_secret_cookie),
        cmocka_unit_test(secrets_are_indexed_only_when_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
