/* HTTP/1 messages that come in parts, into pipes with little room. */
#include "exchange/h1_receiver.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct receiver_case {
    const char *name;
    const char *bytes; /* what comes: the message, and perhaps something behind it */
    const char *body;  /* what is handed out; NULL: the message is refused */
    size_t behind;     /* octets that are left behind the message */
    bool trailers;
};

static const struct receiver_case cases[] = {
    {"no body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", 0, false},
    {"the next request is left", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2", "", 6, false},
    {"a length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "hello", 0, false},
    {"a length and the next", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET",
     "hello", 3, false},
    {"length 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET", "", 3, false},
    {"chunks",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\n5\r\nhello\r\n00000001;e=\"q\"\r\n!\r\n0\r\n\r\n",
     "hello!", 0, false},
    {"chunks and trailers",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: "
     "7\r\n\r\nGET",
     "hi", 3, true},
    {"a bad chunk",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nx\r\n", NULL, 0,
     false},
    {"a bad trailer",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : 1\r\n\r\n", NULL, 0,
     false},
    {"a bad head", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", NULL, 0, false},
};

struct outcome {
    char body[64];
    size_t body_len;
    bool ended, refused, trailers;
};

/* Steps as long as something happens. Returns how many octets were taken. */
static size_t feed(struct h1_receiver *r, uint8_t *data, size_t len, size_t room, struct outcome *o)
{
    size_t used = 0;
    enum h1_receipt step = H1_RECEIVED_HEAD;
    while (step != H1_RECEIVED_MORE && !o->ended && !o->refused) {
        struct h1_received in;
        step = h1_receiver_step(r, data + used, len - used, room, &in);
        used += in.used;
        assert_true(used <= len);
        assert_true(in.body_len <= room);
        switch (step) {
        case H1_RECEIVED_HEAD:
            assert_ptr_equal(in.section, data);
            h1_receiver_follow(r, h1_body_framing(&r->reader.head, H1_METHOD_OTHER));
            break;
        case H1_RECEIVED_BODY:
            assert_true(o->body_len + in.body_len < sizeof(o->body));
            memcpy(o->body + o->body_len, in.body, in.body_len);
            o->body_len += in.body_len;
            break;
        case H1_RECEIVED_END:
            o->ended = true;
            o->trailers = in.trailers;
            break;
        case H1_RECEIVED_ERROR:
            assert_int_not_equal(in.error, H1_ERR_NONE);
            o->refused = true;
            break;
        case H1_RECEIVED_FULL:
            fail_msg("there was room");
            break;
        case H1_RECEIVED_MORE:
            break;
        }
    }
    return used;
}

static void check(const struct receiver_case *c, const struct outcome *o, size_t left, size_t cut,
                  size_t room)
{
    bool good = c->body == NULL ? o->refused
                                : o->ended && left == c->behind && o->trailers == c->trailers &&
                                      o->body_len == strlen(c->body) &&
                                      memcmp(o->body, c->body, o->body_len) == 0;
    if (!good) {
        fail_msg("%s: cut at %zu, room %zu: ended %d, refused %d, left %zu, body \"%.*s\"", c->name,
                 cut, room, o->ended, o->refused, left, (int)o->body_len, o->body);
    }
}

static void every_message_at_every_cut_with_any_room(void **state)
{
    (void)state;
    static const struct h1_options limits = {.head_bytes = 1000, .fields = 10};
    struct rig rig;
    rig_open(&rig, "");
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].bytes);
        for (size_t cut = 0; cut <= len; cut++) {
            for (size_t room = 1; room <= 40; room += 13) {
                uint8_t buf[256];
                struct outcome o = {0};
                struct h1_receiver r = {0};
                memcpy(buf, cases[i].bytes, len);
                h1_receiver_begin(&r, rig.worker, H1_REQUEST, limits);
                assert_false(h1_receiver_in_message(&r));
                size_t used = feed(&r, buf, cut, room, &o);
                assert_true(used == 0 || h1_receiver_in_message(&r));
                if (!o.ended && !o.refused) {
                    used += feed(&r, buf + used, len - used, room, &o);
                }
                check(&cases[i], &o, len - used, cut, room);
                h1_receiver_release(&r);
            }
        }
    }
    rig_close(&rig);
}

static void without_room_bytes_wait_but_the_end_is_told(void **state)
{
    (void)state;
    char text[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcX";
    uint8_t *buf = (uint8_t *)text;
    struct h1_receiver r = {0};
    struct h1_received in;
    struct rig rig;
    rig_open(&rig, "");
    h1_receiver_begin(&r, rig.worker, H1_REQUEST,
                      (struct h1_options){.head_bytes = 1000, .fields = 10});
    assert_int_equal(h1_receiver_step(&r, buf, sizeof(text) - 1, 0, &in), H1_RECEIVED_HEAD);
    h1_receiver_follow(&r, h1_body_framing(&r.reader.head, H1_METHOD_OTHER));
    buf += in.used;
    assert_int_equal(h1_receiver_step(&r, buf, 4, 0, &in), H1_RECEIVED_FULL);
    assert_int_equal(in.used, 0);
    assert_int_equal(h1_receiver_step(&r, buf, 4, 3, &in), H1_RECEIVED_BODY);
    assert_int_equal(in.body_len, 3);
    assert_int_equal(h1_receiver_step(&r, buf + 3, 0, 0, &in), H1_RECEIVED_END);
    h1_receiver_release(&r);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_at_every_cut_with_any_room),
        cmocka_unit_test(without_room_bytes_wait_but_the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
