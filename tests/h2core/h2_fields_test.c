/* Field sections: what is malformed and what is not, rule by rule. */
#include "hpack_testing.h"

#include "h2_internal.h"

#include <stdio.h>

/* "name=value|name=value"; \0 ends it, so octets below are given by escapes in the name of a test
 * of its own. */
static size_t cut(char *text, struct h2_field *fields, size_t room)
{
    size_t n = 0;
    while (text != NULL && *text != '\0') {
        char *next = strchr(text, '|');
        if (next != NULL) {
            *next++ = '\0';
        }
        char *equals = strchr(text[0] == '=' ? text : text + 1, '=');
        assert_non_null(equals);
        *equals = '\0';
        assert_true(n < room);
        fields[n++] = (struct h2_field){.name = text,
                                        .name_len = (uint32_t)strlen(text),
                                        .value = equals + 1,
                                        .value_len = (uint32_t)strlen(equals + 1),
                                        .token = h2_token_lookup(text, strlen(text))};
        text = next;
    }
    return n;
}

/* Why a section is malformed; NULL: it is not. */
static const char *judge(enum h2_section section, const char *text, bool connect_protocol,
                         struct h2_head *head)
{
    static char copy[1024];
    struct h2_field fields[64];
    assert_true(strlen(text) < sizeof(copy));
    strcpy(copy, text);
    size_t n = cut(copy, fields, 64);
    h2_head_begin(head, section);
    for (size_t i = 0; i < n; i++) {
        if (h2_head_field(head, &fields[i]) == H2_FIELD_MALFORMED) {
            assert_non_null(head->malformed);
            return head->malformed;
        }
    }
    bool ok = h2_head_end(head, connect_protocol);
    assert_int_equal(ok, head->malformed == NULL);
    return head->malformed;
}

struct rule {
    const char *fields;
    const char *why; /* NULL: well-formed */
};

static void check(enum h2_section section, const struct rule *rules, size_t n, bool extended)
{
    for (size_t i = 0; i < n; i++) {
        struct h2_head head;
        const char *why = judge(section, rules[i].fields, extended, &head);
        bool same = why == NULL || rules[i].why == NULL ? why == rules[i].why
                                                        : strcmp(why, rules[i].why) == 0;
        if (!same) {
            print_error("%s\nwanted: %s\ngot: %s\n", rules[i].fields,
                        rules[i].why != NULL ? rules[i].why : "(fine)",
                        why != NULL ? why : "(fine)");
            fail();
        }
    }
}

#define CHECK(section, rules, extended)                                                            \
    check(section, rules, sizeof(rules) / sizeof((rules)[0]), extended)

#define REQ      ":method=GET|:scheme=https|:path=/|:authority=a.example"
#define NAME     "a field name with characters that it must not have"
#define VALUE    "a field value with characters that it must not have"
#define SPECIFIC "a connection-specific field"
#define METHOD   ":method is not a token"
#define SCHEME   ":scheme is not a scheme"
#define PATH     ":path is not a path"
#define AUTH     "an authority that is not host and port"
#define NOAUTH   "neither :authority nor host"
#define NUMBER   "content-length is not a number"
#define TWICE    "a pseudo-header field twice"
#define DIFFERS  "host differs from :authority"
#define CONN_HP  "CONNECT without host and port in :authority"
#define CONN_SP  "CONNECT with :scheme or :path"
#define NO_SP    "no :scheme or no :path"

/* clang-format off */
static const struct rule names_and_values[] = {
    {REQ "|x=y", NULL},
    {REQ "|x-!#$%&'*+-.^_`~09=y", NULL},
    {REQ "|X=y", NAME}, {REQ "|xY=y", NAME}, {REQ "|Accept=y", NAME},
    {REQ "|=y", NAME},
    {REQ "|x y=z", NAME}, {REQ "|x =z", NAME}, {REQ "|x:=z", NAME}, {REQ "|x\t=z", NAME},
    {REQ "|x\r=z", NAME}, {REQ "|x\n=z", NAME}, {REQ "|x\x7f=z", NAME}, {REQ "|x\x80=z", NAME},
    {REQ "|x\"=z", NAME}, {REQ "|x(=z", NAME}, {REQ "|x,=z", NAME}, {REQ "|x/=z", NAME},
    {REQ "|x{=z", NAME}, {REQ "|x;=z", NAME}, {REQ "|x@=z", NAME}, {REQ "|x\\=z", NAME},
    {REQ "|:x=y", NAME},
    {REQ "|x=", NULL},
    {REQ "|x=a b\tc", NULL}, {REQ "|x=\x80\xff, obs-text is opaque", NULL},
    {REQ "|x= a", VALUE}, {REQ "|x=a ", VALUE}, {REQ "|x=\ta", VALUE}, {REQ "|x=a\t", VALUE}, {REQ "|x= ", VALUE},
    {REQ "|x=a\rb", VALUE}, {REQ "|x=a\nb", VALUE}, {REQ "|x=a\x01" "b", VALUE}, {REQ "|x=a\x1f" "b", VALUE},
    {REQ "|x=a\x7f" "b", VALUE},
    {REQ "|x=0123456789abcdef\r", VALUE}, {REQ "|x=0123456\r89abcdef", VALUE}, {REQ "|x=0123456789\x7f" "bcdef01", VALUE},
    {REQ "|x=0123456\t89abcdef", NULL}, {REQ "|x=01234567\t9abcde\x80", NULL},
    {REQ "|accept=a\nb", VALUE}, {REQ "|cookie= a=b", VALUE}, {REQ "|host=a.example\t", VALUE},
};

static const struct rule connection_specific[] = {
    {REQ "|connection=close", SPECIFIC}, {REQ "|connection=", SPECIFIC}, {REQ "|keep-alive=5", SPECIFIC},
    {REQ "|proxy-connection=close", SPECIFIC}, {REQ "|transfer-encoding=chunked", SPECIFIC},
    {REQ "|upgrade=h2c", SPECIFIC}, {REQ "|te=gzip", SPECIFIC}, {REQ "|te=trailers, gzip", SPECIFIC},
    {REQ "|te=", SPECIFIC},
    {REQ "|te=trailers", NULL}, {REQ "|te=Trailers", NULL}, {REQ "|trailer=x", NULL}, {REQ "|http2-settings=x", NULL},
};

static const struct rule pseudo_fields[] = {
    {REQ, NULL},
    {":authority=a|:path=/|:scheme=http|:method=GET", NULL},
    {"x=y|" REQ, "a pseudo-header field behind other fields"},
    {":method=GET|:scheme=https|x=y|:path=/|:authority=a", "a pseudo-header field behind other fields"},
    {REQ "|:path=/", TWICE}, {REQ "|:method=GET", TWICE}, {REQ "|:authority=a.example", TWICE}, {REQ "|:scheme=https", TWICE},
    {":method=GET|:scheme=https|:path=/|:authority=|:authority=a", TWICE},
    {REQ "|:status=200", "a pseudo-header field that requests do not have"},
    {":unknown=1|" REQ, NAME}, {":=1|" REQ, NAME},
    {"", "no :method"}, {"x=y", "no :method"}, {":scheme=https|:path=/|:authority=a", "no :method"},
    {":method=GET|:path=/|:authority=a", NO_SP}, {":method=GET|:scheme=https|:authority=a", NO_SP},
    {":method=|:scheme=https|:path=/|:authority=a", METHOD}, {":method=G T|:scheme=https|:path=/|:authority=a", METHOD},
    {":method=GET\r|:scheme=https|:path=/|:authority=a", METHOD}, {":method=get/|:scheme=https|:path=/|:authority=a", METHOD},
    {":method=M-SEARCH|:scheme=https|:path=/|:authority=a", NULL}, {":method=get|:scheme=https|:path=/|:authority=a", NULL},
    {":method=GET|:scheme=|:path=/|:authority=a", SCHEME}, {":method=GET|:scheme=1a|:path=/|:authority=a", SCHEME},
    {":method=GET|:scheme=ht tp|:path=/|:authority=a", SCHEME}, {":method=GET|:scheme=https:|:path=/|:authority=a", SCHEME},
    {":method=GET|:scheme=https://x/|:path=/|:authority=a", SCHEME},
    {":method=GET|:scheme=HTTPS|:path=/|:authority=a", NULL}, {":method=GET|:scheme=a+b-c.1|:path=/", NULL}, {":method=GET|:scheme=z39.50|:path=/", NULL},
    {":method=GET|:scheme=https|:path=|:authority=a", PATH}, {":method=GET|:scheme=https|:path=a|:authority=a", PATH},
    {":method=GET|:scheme=https|:path=https://a/|:authority=a", PATH}, {":method=GET|:scheme=https|:path=/a#b|:authority=a", PATH},
    {":method=GET|:scheme=https|:path=/a b|:authority=a", PATH}, {":method=GET|:scheme=https|:path=/a\tb|:authority=a", PATH},
    {":method=GET|:scheme=https|:path=/a\r\nb|:authority=a", PATH}, {":method=GET|:scheme=https|:path=/\x80|:authority=a", PATH},
    {":method=GET|:scheme=https|:path=/\x7f|:authority=a", PATH}, {":method=GET|:scheme=https|:path=/?q=\"<>{}[]\\^`;:,|:authority=a", NULL},
    {":method=GET|:scheme=https|:path=*|:authority=a", ":path * with a method other than OPTIONS"},
    {":method=OPTIONS|:scheme=https|:path=*|:authority=a", NULL}, {":method=OPTIONS|:scheme=https|:path=*x|:authority=a", PATH},
    {":method=OPTIONS|:scheme=https|:path=/*|:authority=a", NULL},
};

static const struct rule authorities[] = {
    {":method=GET|:scheme=https|:path=/", NOAUTH}, {":method=GET|:scheme=http|:path=/", NOAUTH},
    {":method=GET|:scheme=coap|:path=/", NULL}, {":method=GET|:scheme=coap|:path=/|:authority=", NULL},
    {":method=GET|:scheme=https|:path=/|host=a", NULL}, {":method=GET|:scheme=https|:path=/|host=", AUTH},
    {":method=GET|:scheme=https|:path=/|host=a@b", AUTH}, {":method=GET|:scheme=https|:path=/|host=a, b", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=|host=a", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a:80", NULL}, {":method=GET|:scheme=https|:path=/|:authority=a:65535", NULL},
    {":method=GET|:scheme=https|:path=/|:authority=a:0", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=[::1]:00000", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a:65536", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a:", NULL},
    {":method=GET|:scheme=https|:path=/|:authority=[::1]:", NULL}, {":method=GET|:scheme=https|:path=/|host=a:", NULL},
    {":method=GET|:scheme=https|:path=/|:authority=:", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a::", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a:8x", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a:000080", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=:80", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a:80:80", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=u@a", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=u:p@a", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a/b", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a?b", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a#b", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a b", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority= a", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a,b", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a\r", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=\xc3\xa4", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a\\b", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=A-b_c.~1", NULL}, {":method=GET|:scheme=https|:path=/|:authority=a%2eb", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=%61", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a%00", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=[::::]", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=[.]", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=[1]", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=1.2.3.4:1", NULL},
    {":method=GET|:scheme=https|:path=/|:authority=1.2.3.256", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=127.1", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a.0x7F.:80", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=0x", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=2130706433", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=1.2.3.4a", NULL},
    {":method=GET|:scheme=https|:path=/|:authority=1.2.3.4.", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=0x7g", NULL},
    {":method=GET|:scheme=https|:path=/|host=a%2eb", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=a%2", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=a%gg", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=[::1]", NULL}, {":method=GET|:scheme=https|:path=/|:authority=[::ffff:1.2.3.4]:443", NULL},
    {":method=GET|:scheme=https|:path=/|:authority=[]", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=[::1", AUTH},
    {":method=GET|:scheme=https|:path=/|:authority=[::1]x", AUTH}, {":method=GET|:scheme=https|:path=/|:authority=[fe80::1%eth0]", AUTH},
    {REQ "|host=a.example", NULL}, {REQ "|host=A.EXAMPLE", NULL}, {REQ "|host=b.example", DIFFERS},
    {REQ "|host=a.example:443", DIFFERS}, {REQ "|host=", DIFFERS},
    {REQ "|host=a.example|host=a.example", "host twice"},
};

static const struct rule connects[] = {
    {":method=CONNECT|:authority=a:443", NULL}, {":method=CONNECT|:authority=[::1]:443", NULL},
    {":method=CONNECT|:authority=a:", CONN_HP}, {":method=CONNECT|:authority=a:0", AUTH},
    {":method=CONNECT|:authority=a", CONN_HP}, {":method=CONNECT", CONN_HP}, {":method=CONNECT|:authority=", CONN_HP},
    {":method=CONNECT|:authority=u@a:443", AUTH}, {":method=CONNECT|host=a:443", CONN_HP},
    {":method=CONNECT|:authority=a:443|:path=/", CONN_SP}, {":method=CONNECT|:authority=a:443|:scheme=https", CONN_SP},
    {":method=CONNECT|:scheme=https|:path=/|:authority=a:443", CONN_SP},
    {":method=CONNECT|:authority=a:443|host=b:443", DIFFERS}, {":method=CONNECT|:authority=a:443|host=a:443", NULL},
};

#define EXTENDED ":protocol without an extended CONNECT that was offered"

static const struct rule not_offered[] = {
    {":method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a", EXTENDED},
    {":method=GET|:protocol=websocket|:scheme=https|:path=/|:authority=a", EXTENDED},
};

static const struct rule extended_connects[] = {
    {":method=CONNECT|:protocol=websocket|:scheme=https|:path=/c|:authority=a", NULL},
    {":method=CONNECT|:protocol=websocket|:path=/c|:authority=a", NO_SP},
    {":method=CONNECT|:protocol=websocket|:scheme=https|:authority=a", NO_SP},
    {":method=CONNECT|:protocol=websocket|:authority=a:443", NO_SP},
    {":method=CONNECT|:protocol=websocket|:scheme=https|:path=/c", NOAUTH},
    {":method=CONNECT|:protocol=|:scheme=https|:path=/c|:authority=a", ":protocol is not a token"},
    {":method=CONNECT|:protocol=a b|:scheme=https|:path=/c|:authority=a", ":protocol is not a token"},
    {":method=CONNECT|:protocol=x|:protocol=x|:scheme=https|:path=/c|:authority=a", TWICE},
    {":method=GET|:protocol=websocket|:scheme=https|:path=/|:authority=a", EXTENDED},
    {":method=CONNECT|:authority=a:443", NULL},
};

static const struct rule lengths[] = {
    {REQ "|content-length=0", NULL}, {REQ "|content-length=5", NULL}, {REQ "|content-length=0005", NULL},
    {REQ "|content-length=", NUMBER}, {REQ "|content-length=+5", NUMBER}, {REQ "|content-length=-5", NUMBER},
    {REQ "|content-length=0x5", NUMBER}, {REQ "|content-length=5 5", NUMBER}, {REQ "|content-length=5.0", NUMBER},
    {REQ "|content-length=5,", NUMBER}, {REQ "|content-length=,5", NUMBER}, {REQ "|content-length=5,,5", NUMBER},
    {REQ "|content-length=5, 5", NULL}, {REQ "|content-length=5 ,5", NULL}, {REQ "|content-length=5,05", NULL},
    {REQ "|content-length=5, 6", "content-length has two values"},
    {REQ "|content-length=5|content-length=5", NULL},
    {REQ "|content-length=5|content-length=6", "content-length has two values"},
    {REQ "|content-length=9223372036854775807", NULL}, {REQ "|content-length=9223372036854775808", NUMBER},
    {REQ "|content-length=18446744073709551616", NUMBER}, {REQ "|content-length=99999999999999999999999", NUMBER},
};

static const struct rule responses[] = {
    {":status=200", NULL}, {":status=100", NULL}, {":status=103", NULL}, {":status=599", NULL}, {":status=204|x=y", NULL},
    {":status=101", ":status is not a status of HTTP/2"}, {":status=099", ":status is not a status of HTTP/2"},
    {":status=600", ":status is not a status of HTTP/2"}, {":status=20", ":status is not a status of HTTP/2"},
    {":status=2000", ":status is not a status of HTTP/2"}, {":status=2x0", ":status is not a status of HTTP/2"},
    {":status=", ":status is not a status of HTTP/2"}, {":status= 20", ":status is not a status of HTTP/2"},
    {":status=200|:status=200", TWICE}, {"x=y", "no :status"}, {"", "no :status"},
    {"x=y|:status=200", "a pseudo-header field behind other fields"},
    {":status=200|:path=/", "a pseudo-header field that responses do not have"},
    {":method=GET|:status=200", "a pseudo-header field that responses do not have"},
    {":status=200|connection=close", SPECIFIC}, {":status=200|transfer-encoding=chunked", SPECIFIC},
    {":status=200|Server=x", NAME}, {":status=200|server=a\rb", VALUE},
    {":status=200|content-length=1|content-length=2", "content-length has two values"},
    {":status=200|host=a|host=b", NULL},
};

static const struct rule trailers[] = {
    {"x=y", NULL}, {"", NULL}, {"content-length=x", NULL},
    {":status=200", "a pseudo-header field in trailers"}, {"x=y|:path=/", "a pseudo-header field in trailers"},
    {":protocol=x", "a pseudo-header field in trailers"}, {":x=y", NAME},
    {"connection=close", SPECIFIC}, {"X=y", NAME}, {"x=y ", VALUE},
};
/* clang-format on */

static void requests(void **state)
{
    (void)state;
    CHECK(H2_SECTION_REQUEST, names_and_values, false);
    CHECK(H2_SECTION_REQUEST, connection_specific, false);
    CHECK(H2_SECTION_REQUEST, pseudo_fields, false);
    CHECK(H2_SECTION_REQUEST, authorities, false);
    CHECK(H2_SECTION_REQUEST, connects, false);
    CHECK(H2_SECTION_REQUEST, not_offered, false);
    CHECK(H2_SECTION_REQUEST, lengths, false);
}

static void requests_where_extended_connect_was_offered(void **state)
{
    (void)state;
    CHECK(H2_SECTION_REQUEST, extended_connects, true);
    CHECK(H2_SECTION_REQUEST, pseudo_fields, true);
}

static void responses_and_trailers(void **state)
{
    (void)state;
    CHECK(H2_SECTION_RESPONSE, responses, false);
    CHECK(H2_SECTION_TRAILERS, trailers, false);
}

static struct h2_field octets(const char *name, size_t nlen, const char *value, size_t vlen)
{
    return (struct h2_field){.name = name,
                             .name_len = (uint32_t)nlen,
                             .value = value,
                             .value_len = (uint32_t)vlen,
                             .token = h2_token_lookup(name, nlen)};
}

/* Each octet in each place of a value of each length: the fast scan and the table agree. */
static void every_octet_of_a_value_is_looked_at(void **state)
{
    (void)state;
    char value[32];
    for (size_t len = 1; len <= 24; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned ch = 0; ch < 256; ch++) {
                struct h2_head head;
                memset(value, 'a', sizeof(value));
                value[at] = (char)ch;
                struct h2_field f = octets("x", 1, value, len);
                bool edge = at == 0 || at == len - 1;
                bool legal = (ch >= 0x20 && ch != 0x7f) || ch == '\t';
                legal = legal && !(edge && (ch == ' ' || ch == '\t'));
                h2_head_begin(&head, H2_SECTION_TRAILERS);
                assert_int_equal(h2_head_field(&head, &f) == H2_FIELD_KEEP, legal);
            }
        }
    }
}

static void every_octet_of_a_name_is_looked_at(void **state)
{
    (void)state;
    for (unsigned ch = 0; ch < 256; ch++) {
        struct h2_head head;
        char name[] = {'a', (char)ch, 'b'};
        struct h2_field f = octets(name, 3, "v", 1);
        bool legal = ch != 0 && ch < 128 &&
                     strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz", (int)ch) != NULL;
        h2_head_begin(&head, H2_SECTION_TRAILERS);
        assert_int_equal(h2_head_field(&head, &f) == H2_FIELD_KEEP, legal);
    }
}

static void a_length_given_twice_becomes_one(void **state)
{
    (void)state;
    struct h2_head head;
    char one[] = "5, 5, 5";
    struct h2_field f = octets("content-length", 14, one, 7);
    h2_head_begin(&head, H2_SECTION_RESPONSE);
    assert_int_equal(h2_head_field(&head, &f), H2_FIELD_KEEP);
    assert_int_equal(f.value_len, 1);
    struct h2_field again = octets("content-length", 14, "5", 1);
    assert_int_equal(h2_head_field(&head, &again), H2_FIELD_DROP);
    assert_int_equal(head.content_length, 5);
}

static void what_is_learnt_of_a_request(void **state)
{
    (void)state;
    struct h2_head head;
    assert_null(
        judge(H2_SECTION_REQUEST,
              ":method=HEAD|:scheme=http|:path=/x|:authority=a|priority=u=1, i|content-length=7",
              false, &head));
    assert_true(h2_span_is(head.method, "HEAD") && h2_span_is(head.path, "/x"));
    assert_true(h2_span_is(head.priority, "u=1, i") && head.content_length == 7);
    assert_null(judge(H2_SECTION_RESPONSE, ":status=451", false, &head));
    assert_int_equal(head.status, 451);
    assert_int_equal(head.content_length, -1);
}

/* ---------------------------------------------------------------- what may be sent */

static bool sendable(enum h2_section section, const char *text, bool tokens)
{
    static char copy[1024];
    struct h2_field fields[64];
    struct h2_head head;
    strcpy(copy, text);
    size_t n = cut(copy, fields, 64);
    for (size_t i = 0; i < n && !tokens; i++) {
        fields[i].token = H2_TOKEN_NONE;
    }
    return h2_fields_sendable(&head, section, fields, n);
}

static void what_is_malformed_is_not_sent(void **state)
{
    (void)state;
    static const char *const good_requests[] = {
        REQ, REQ "|x=y|te=trailers", ":method=CONNECT|:authority=a:1",
        ":method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a"};
    static const char *const bad_requests[] = {"",
                                               ":method=GET|:path=/",
                                               ":method=GET|:scheme=https",
                                               REQ "|:path=/",
                                               "x=y|" REQ,
                                               REQ "|X=y",
                                               REQ "|x=a\nb",
                                               REQ "|connection=close",
                                               REQ "|te=gzip",
                                               REQ "|upgrade=x",
                                               REQ "|transfer-encoding=chunked",
                                               ":method=CONNECT|:authority=a:1|:path=/",
                                               ":method=CONNECT|:authority=a:1|:scheme=x",
                                               ":method=GET|:scheme=https|:path=/ x",
                                               REQ "|=x",
                                               REQ "|:status=200",
                                               ":method=GET|:scheme=https|:path=/|:authority=a\r"};
    static const char *const good_responses[] = {":status=200", ":status=103|link=x"};
    static const char *const bad_responses[] = {"",
                                                "x=y",
                                                ":status=101",
                                                ":status=20",
                                                ":status=200|:path=/",
                                                ":status=200|keep-alive=5",
                                                "x=y|:status=200",
                                                ":status=200|x=a\r"};
    for (int tokens = 0; tokens < 2; tokens++) {
        for (size_t i = 0; i < sizeof(good_requests) / sizeof(good_requests[0]); i++) {
            assert_true(sendable(H2_SECTION_REQUEST, good_requests[i], tokens));
        }
        for (size_t i = 0; i < sizeof(bad_requests) / sizeof(bad_requests[0]); i++) {
            assert_false(sendable(H2_SECTION_REQUEST, bad_requests[i], tokens));
        }
        for (size_t i = 0; i < sizeof(good_responses) / sizeof(good_responses[0]); i++) {
            assert_true(sendable(H2_SECTION_RESPONSE, good_responses[i], tokens));
        }
        for (size_t i = 0; i < sizeof(bad_responses) / sizeof(bad_responses[0]); i++) {
            assert_false(sendable(H2_SECTION_RESPONSE, bad_responses[i], tokens));
        }
        assert_true(sendable(H2_SECTION_TRAILERS, "x=y", tokens));
        assert_false(sendable(H2_SECTION_TRAILERS, ":status=200", tokens));
        assert_false(sendable(H2_SECTION_TRAILERS, "connection=close", tokens));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(requests_where_extended_connect_was_offered),
        cmocka_unit_test(responses_and_trailers),
        cmocka_unit_test(every_octet_of_a_value_is_looked_at),
        cmocka_unit_test(every_octet_of_a_name_is_looked_at),
        cmocka_unit_test(a_length_given_twice_becomes_one),
        cmocka_unit_test(what_is_learnt_of_a_request),
        cmocka_unit_test(what_is_malformed_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
