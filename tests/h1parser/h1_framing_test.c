#include "h1_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

/*
 * Most rows of the table are walked by the case files, through the parser. Here the function alone
 * is held against every combination of what it looks at, with the rules written another way round.
 */

struct input {
    enum h1_kind kind;
    int minor;
    int status; /* response */
    enum h1_method method;
    bool chunked;
    int64_t length;
    bool upgrade;
    bool other; /* to something else than h2c */
    bool close;
    bool keep_alive;
};

static struct h1_head head_of(const struct input *in)
{
    struct h1_head h;
    h1_head_init(&h, in->kind, NULL, 0, (struct h1_options){.head_bytes = 1000, .fields = 0});
    h.minor_version = (uint8_t)in->minor;
    h.status = (uint16_t)in->status;
    h.method = in->kind == H1_REQUEST ? in->method : H1_METHOD_OTHER;
    h.chunked = in->chunked;
    h.content_length = in->length;
    h.connection_upgrade = in->upgrade;
    h.upgrade_field = in->upgrade ? 0 : UINT32_MAX;
    h.upgrade_other = in->upgrade && in->other;
    h.connection_close = in->close;
    h.connection_keep_alive = in->keep_alive;
    h.state = H1_S_DONE;
    return h;
}

static void check_request(const struct input *in, struct h1_framing f)
{
    bool framed = in->chunked || in->length >= 0;
    bool takes_over = in->upgrade || in->method == H1_METHOD_CONNECT;
    bool ignored = framed && in->method != H1_METHOD_CONNECT && !in->other;
    bool bad =
        (in->chunked && (in->minor == 0 || in->length >= 0)) || (takes_over && framed && !ignored);
    assert_int_equal(f.error != H1_ERR_NONE, bad);
    if (bad) {
        return;
    }
    /* A request never lasts until the connection ends, and never is a tunnel. */
    assert_int_equal(f.kind, in->chunked       ? H1_BODY_CHUNKED
                             : in->length >= 0 ? H1_BODY_LENGTH
                                               : H1_BODY_NONE);
    assert_int_equal(f.keep_alive, in->method != H1_METHOD_CONNECT && !in->close &&
                                       (in->minor == 1 || in->keep_alive));
    assert_int_equal(f.switches, takes_over && !ignored);
    assert_false(f.interim);
}

static void check_response(const struct input *in, struct h1_framing f)
{
    bool interim = in->status < 200;
    bool bad =
        (in->chunked && (in->minor == 0 || in->length >= 0 || interim || in->status == 204)) ||
        (interim && in->length > 0);
    assert_int_equal(f.error != H1_ERR_NONE, bad);
    if (bad) {
        return;
    }
    bool tunnel = in->status == 101 ||
                  (in->method == H1_METHOD_CONNECT && in->status >= 200 && in->status < 300);
    bool bodyless =
        in->method == H1_METHOD_HEAD || interim || in->status == 204 || in->status == 304;
    assert_int_equal(f.kind == H1_BODY_TUNNEL, tunnel);
    if (!tunnel) {
        assert_int_equal(f.kind == H1_BODY_NONE, bodyless);
        assert_int_equal(f.kind == H1_BODY_CHUNKED, !bodyless && in->chunked);
        assert_int_equal(f.kind == H1_BODY_CLOSE, !bodyless && !in->chunked && in->length < 0);
    }
    bool self_ending = f.kind != H1_BODY_TUNNEL && f.kind != H1_BODY_CLOSE;
    bool odd_204 = in->status == 204 && in->length > 0;
    assert_int_equal(f.interim, interim && in->status != 101);
    assert_int_equal(f.keep_alive, self_ending && !f.interim && !odd_204 && !in->close &&
                                       (in->minor == 1 || in->keep_alive));
    assert_false(f.switches);
}

static void every_combination(void **state)
{
    static const int statuses[] = {100, 101, 103, 200, 204, 205, 299, 300, 304, 404, 500, 599};
    static const enum h1_method methods[] = {H1_METHOD_GET, H1_METHOD_HEAD, H1_METHOD_CONNECT,
                                             H1_METHOD_OTHER};
    static const int64_t lengths[] = {-1, 0, 7, INT64_MAX};
    (void)state;
    for (unsigned bits = 0; bits < 128; bits++) {
        for (unsigned i = 0; i < 12 * 4 * 4; i++) {
            struct input in = {
                .kind = bits & 1 ? H1_REQUEST : H1_RESPONSE,
                .minor = bits >> 1 & 1,
                .chunked = bits >> 2 & 1,
                .upgrade = bits >> 3 & 1,
                .close = bits >> 4 & 1,
                .keep_alive = bits >> 5 & 1,
                .other = bits >> 6 & 1,
                .status = statuses[i % 12],
                .method = methods[i / 12 % 4],
                .length = lengths[i / 48],
            };
            struct h1_head h = head_of(&in);
            struct h1_framing f = h1_body_framing(&h, in.method);
            if (in.kind == H1_REQUEST) {
                check_request(&in, f);
            } else {
                check_response(&in, f);
            }
            assert_int_equal(f.length, f.kind == H1_BODY_LENGTH ? (uint64_t)in.length : 0);
        }
    }
}

static void the_reason_is_named(void **state)
{
    static const struct {
        struct input in;
        enum h1_error error;
    } cases[] = {
        {{.kind = H1_REQUEST, .minor = 0, .chunked = true, .length = -1}, H1_ERR_TRANSFER_ENCODING},
        {{.kind = H1_REQUEST, .minor = 1, .chunked = true, .length = 0}, H1_ERR_LENGTH_AND_CODING},
        {{.kind = H1_REQUEST, .minor = 1, .upgrade = true, .other = true, .length = 0},
         H1_ERR_UPGRADE_BODY},
        {{.kind = H1_REQUEST, .minor = 1, .upgrade = true, .length = 0}, H1_ERR_NONE},
        {{.kind = H1_REQUEST, .minor = 1, .method = H1_METHOD_CONNECT, .length = 1},
         H1_ERR_UPGRADE_BODY},
        {{.kind = H1_RESPONSE, .minor = 1, .status = 100, .chunked = true, .length = -1},
         H1_ERR_TRANSFER_ENCODING},
        {{.kind = H1_RESPONSE, .minor = 1, .status = 204, .chunked = true, .length = -1},
         H1_ERR_TRANSFER_ENCODING},
        {{.kind = H1_RESPONSE, .minor = 1, .status = 103, .length = 1}, H1_ERR_CONTENT_LENGTH},
        {{.kind = H1_RESPONSE, .minor = 1, .status = 200, .chunked = true, .length = 1},
         H1_ERR_LENGTH_AND_CODING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct h1_head h = head_of(&cases[i].in);
        assert_int_equal(h1_body_framing(&h, H1_METHOD_GET).error, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination),
        cmocka_unit_test(the_reason_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
