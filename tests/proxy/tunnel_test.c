/*
 * What a request asks for and what opens it: exchange/tunnel.h. What the fields become is the
 * business of message_test.c.
 */
#include "exchange/tunnel.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GET     "GET /p HTTP/1.1\nHost: a\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
#define ACCEPT  "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"
#define UPGRADE "Connection: upgrade\nUpgrade: "
#define WS1     GET UPGRADE "websocket\n" KEY
#define WS2     ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a\n:path: /p\n"
#define CONNECT "CONNECT a:1 HTTP/1.1\nHost: a:1\n"

struct scene {
    struct rig rig;
    struct told told;
    struct exchange *x;
};

static void scene_open(struct scene *s, const char *request)
{
    rig_open(&s->rig, "");
    s->x = rig_exchange(&s->rig, &s->told);
    if (request != NULL) {
        testing_request(s->x, request[0] == ':' ? 20 : 11, request);
    }
}

static void scene_close(struct scene *s)
{
    rig_exchange_end(&s->rig, s->x);
    rig_close(&s->rig);
}

static void requests_ask_for_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        enum tunnel_kind kind;
        bool of1, of2; /* what backends of either version are asked */
    } cases[] = {
        {GET, TUNNEL_NONE, false, false},
        {GET "Upgrade: foo\n", TUNNEL_NONE, false, false},
        {GET "Connection: upgrade\n", TUNNEL_NONE, false, false},
        {GET UPGRADE "h2c\n", TUNNEL_NONE, false, false},
        {GET UPGRADE "http/2\n", TUNNEL_NONE, false, false},
        {GET UPGRADE "foo\n", TUNNEL_UPGRADE, true, false},
        {GET UPGRADE "httpx\n", TUNNEL_UPGRADE, true, false},
        {GET UPGRADE "TLS/1.3, h2c\n", TUNNEL_UPGRADE, true, false},
        {GET UPGRADE "websocket, foo\n", TUNNEL_UPGRADE, true, false},
        {GET UPGRADE "h2c, WEBSOCKET\n" KEY, TUNNEL_WEBSOCKET, true, true},
        {CONNECT, TUNNEL_CONNECT, true, true},
        {":method: CONNECT\n:authority: a:1\n", TUNNEL_CONNECT, true, true},
        {WS2, TUNNEL_WEBSOCKET, true, true},
        {":method: GET\n:scheme: http\n:authority: a\n:path: /\n", TUNNEL_NONE, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        scene_open(&s, cases[i].request);
        assert_int_equal(s.x->tunnel.wanted, cases[i].kind);
        assert_int_equal(tunnel_asked_of(s.x, 1), cases[i].of1);
        assert_int_equal(tunnel_asked_of(s.x, 2), cases[i].of2);
        assert_int_equal(exchange_may_send_up(s.x), cases[i].kind == TUNNEL_NONE);
        scene_close(&s);
    }
}

/* Sets the fields of a request; the rest of it does not matter here. */
static void set_fields(struct exchange *x, const char *text)
{
    struct h2_field f[16];
    char *copy = arena_copy(&x->arena, text, strlen(text));
    message_set_fields_h2(x, &x->request.m, f, testing_parse_fields(copy, f, COUNT(f)));
}

static void malformed_ones_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum h1_method method;
        const char *fields, *protocol; /* protocol: HTTP/2 */
        bool good;
    } cases[] = {
        {H1_METHOD_GET, "upgrade: websocket\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n", NULL,
         true},
        {H1_METHOD_GET, "upgrade: websocket\n", NULL, false},
        {H1_METHOD_GET, "upgrade: websocket\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ\n", NULL,
         false},
        {H1_METHOD_GET, "upgrade: websocket\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQA=\n", NULL,
         false},
        {H1_METHOD_GET, "upgrade: websocket\nsec-websocket-key: dGhlIHNhbXBsZSBub25j====\n", NULL,
         false},
        {H1_METHOD_GET, "upgrade: websocket\nsec-websocket-key: dGhl!HNhbXBsZSBub25jZQ==\n", NULL,
         false},
        {H1_METHOD_GET,
         "upgrade: websocket\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n"
         "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n",
         NULL, false},
        {H1_METHOD_POST, "upgrade: websocket\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n", NULL,
         false},
        {H1_METHOD_CONNECT, "x: y\n", "", true},
        {H1_METHOD_CONNECT, "content-length: 0\n", "", false},
        {H1_METHOD_CONNECT, "x: y\n", "WebSocket", true},
        {H1_METHOD_CONNECT, "content-length: 5\n", "websocket", false},
        {H1_METHOD_CONNECT, "x: y\n", "connect-udp", false},
        {H1_METHOD_CONNECT, "x: y\n", "websocke", false},
        {H1_METHOD_GET, "content-length: 5\n", "", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        const char *protocol = cases[i].protocol;
        scene_open(&s, NULL);
        set_fields(s.x, cases[i].fields);
        s.x->request.method = cases[i].method;
        bool good = protocol != NULL ? tunnel_ask_h2(s.x, (struct str){protocol, strlen(protocol)})
                                     : tunnel_ask_h1(s.x, true);
        if (good != cases[i].good) {
            fail_msg("case %zu: %s", i, cases[i].fields);
        }
        scene_close(&s);
    }
}

enum verdict { OPEN, SHUT, WRONG };

static void only_the_right_answer_opens(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        bool connection_upgrade;
        const char *fields;
        enum verdict of1, of2; /* from a backend of either version */
    } cases[] = {
        {GET, 200, false, "", SHUT, SHUT},
        {GET, 101, true, "upgrade: foo\n", WRONG, SHUT},
        {CONNECT, 101, true, "upgrade: foo\n", WRONG, SHUT},
        {CONNECT, 200, false, "", OPEN, OPEN},
        {CONNECT, 299, false, "", OPEN, OPEN},
        {CONNECT, 199, false, "", SHUT, SHUT},
        {CONNECT, 300, false, "", SHUT, SHUT},
        {CONNECT, 407, false, "", SHUT, SHUT},
        {GET UPGRADE "foo, bar/1\n", 101, true, "upgrade: foo\n", OPEN, SHUT},
        {GET UPGRADE "foo, bar/1\n", 101, true, "upgrade: BAR/1, foo\n", OPEN, SHUT},
        {GET UPGRADE "foo, bar/1\n", 101, true, "upgrade: bar\n", WRONG, SHUT},
        {GET UPGRADE "foo, bar/1\n", 101, true, "upgrade: foo\nupgrade: baz\n", WRONG, SHUT},
        {GET UPGRADE "foo, bar/1\n", 101, true, "upgrade: ,\n", WRONG, SHUT},
        {GET UPGRADE "foo, bar/1\n", 101, true, "x: y\n", WRONG, SHUT},
        {GET UPGRADE "foo, bar/1\n", 101, false, "upgrade: foo\n", WRONG, SHUT},
        {GET UPGRADE "foo, h2c\n", 101, true, "upgrade: h2c\n", WRONG, SHUT},
        {GET UPGRADE "foo\n", 200, true, "upgrade: foo\n", SHUT, SHUT},
        {WS1, 101, true, "upgrade: WebSocket\n" ACCEPT, OPEN, SHUT},
        {WS1, 101, true, "upgrade: websocket\n", WRONG, SHUT},
        {WS1, 101, true, "upgrade: websocket\n" ACCEPT ACCEPT, WRONG, SHUT},
        {WS1, 101, true, "upgrade: websocket\nsec-websocket-accept: s3pP\n", WRONG, SHUT},
        {WS1, 101, true, ACCEPT, WRONG, SHUT},
        {WS1, 101, false, "upgrade: websocket\n" ACCEPT, WRONG, SHUT},
        {WS1, 200, false, "", SHUT, OPEN},
        {WS2, 200, false, "", WRONG, OPEN},
        {WS2, 204, false, "", WRONG, OPEN},
        {WS2, 403, false, "", SHUT, SHUT},
        {WS2, 101, true, "upgrade: websocket\n" ACCEPT, WRONG, SHUT}, /* our key is another one */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int version = 1; version <= 2; version++) {
            struct scene s;
            struct h2_field f[8];
            scene_open(&s, cases[i].request);
            char *copy = arena_copy(&s.x->arena, cases[i].fields, strlen(cases[i].fields));
            size_t n = testing_parse_fields(copy, f, COUNT(f));
            message_set_fields_h2(s.x, &s.x->response.m, f, n);
            s.x->response.status = cases[i].status;
            const char *fault = NULL;
            if (version == 1) {
                fault = tunnel_judge_h1(s.x, cases[i].connection_upgrade);
            } else {
                tunnel_judge_h2(s.x);
            }
            enum verdict v = fault != NULL ? WRONG : s.x->tunnel.open ? OPEN : SHUT;
            if (v != (version == 1 ? cases[i].of1 : cases[i].of2)) {
                fail_msg("case %zu from HTTP/%d: %d %s", i, version, (int)v, fault);
            }
            assert_true(fault == NULL || !s.x->tunnel.open);
            scene_close(&s);
        }
    }
}

static void each_client_gets_its_own_status(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status, to1, to2;
    } cases[] = {{CONNECT, 201, 201, 201}, {WS1, 200, 101, 200}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene s;
        scene_open(&s, cases[i].request);
        s.x->response.status = cases[i].status;
        tunnel_judge_h2(s.x);
        assert_int_equal(tunnel_status(s.x, 1), cases[i].to1);
        assert_int_equal(tunnel_status(s.x, 2), cases[i].to2);
        scene_close(&s);
    }
}

static void keys_are_made_once_and_are_never_the_same(void **state)
{
    (void)state;
    char last[25] = "";
    for (int i = 0; i < 3; i++) {
        struct scene s;
        scene_open(&s, WS2);
        struct str key = tunnel_websocket_key(s.x);
        assert_int_equal(key.len, 24);
        assert_ptr_equal(tunnel_websocket_key(s.x).s, key.s);
        assert_memory_not_equal(key.s, last, 24);
        memcpy(last, key.s, 24);
        scene_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_ask_for_what_they_say),
        cmocka_unit_test(malformed_ones_are_refused),
        cmocka_unit_test(only_the_right_answer_opens),
        cmocka_unit_test(each_client_gets_its_own_status),
        cmocka_unit_test(keys_are_made_once_and_are_never_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
