/*
 * What becomes of the fields of responses: RFC 9110, 7.6 and section 3.6 of the option reference.
 * Every case is one rule; message_test.c has those of requests and trailers.
 */
#include "exchange/message.h"

#include "exchange/tunnel.h"
#include "message_testing.h"
#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct response_case {
    const char *rule, *options;
    const char *request; /* of HTTP/1.1 unless it begins with a colon; NULL: GET11 */
    int from, to;
    const char *in, *out;
    bool tls;
};

static void run_responses(const struct response_case *c, size_t n)
{
    for (; n > 0; n--, c++) {
        struct rig r;
        struct told told;
        rig_open(&r, c->options);
        r.client.tls = c->tls;
        struct exchange *x = rig_exchange(&r, &told);
        rig_sent_to(&r, x, 0);
        const char *request = c->request != NULL ? c->request : GET11;
        testing_request(x, request[0] == ':' ? 20 : 11, request);
        testing_response(x, c->from, c->in);
        if (x->tunnel.open) {
            x->response.status = tunnel_status(x, c->to);
        }
        testing_expect_fields(c->rule, message_response_fields(x, c->to), c->out);
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

#define QUIET "no-via\nno-server-rewrite\n"
#define OK11  "HTTP/1.1 200 OK\n"

static void responses_keep_what_is_for_the_client(void **state)
{
    (void)state;
    static const struct response_case cases[] = {
        {"hop-by-hop fields go nowhere", QUIET, NULL, 11, 1,
         OK11 "Connection: close\nKeep-Alive: timeout=5\nProxy-Connection: x\nUpgrade: h2c\n"
              "Transfer-Encoding: chunked\nDate: d\n",
         "date: d\n", false},
        {"towards HTTP/2 too, behind the status", QUIET, NULL, 11, 2,
         OK11 "Connection: close\nTransfer-Encoding: chunked\nDate: d\n", ":status: 200\ndate: d\n",
         false},
        {"what Connection names is dropped", QUIET, NULL, 11, 2,
         OK11 "X-One: 1\nConnection: x-one, set-cookie, location, content-type\nSet-Cookie: a=1\n"
              "Location: /x\nContent-Type: t\nX-Two: 2\n",
         ":status: 200\nset-cookie: a=1\ncontent-type: t\nx-two: 2\nlocation: /x\n", false},
        {"cookies are set one by one", QUIET, NULL, 20, 1,
         ":status: 200\nset-cookie: a=1\nset-cookie: b=2\n", "set-cookie: a=1\nset-cookie: b=2\n",
         false},
        {"our name, and the version that the backend spoke", "", NULL, 11, 1,
         OK11 "Server: theirs\nDate: d\n", "server: nghttpx\ndate: d\nvia: 1.1 nghttpx\n", false},
        {"another name", "server-name=x", NULL, 10, 2, "HTTP/1.0 404 No\n",
         ":status: 404\nserver: x\nvia: 1.0 nghttpx\n", false},
        {"their name", "no-server-rewrite", NULL, 20, 1, ":status: 200\nserver: theirs\n",
         "server: theirs\nvia: 2 nghttpx\n", false},
        {"Via is appended to", "no-server-rewrite", NULL, 11, 1,
         OK11 "Via: 1.1 a\nVia: 1.1 b\nDate: d\n", "date: d\nvia: 1.1 a, 1.1 b, 1.1 nghttpx\n",
         false},
        {"what the operator adds comes last", "add-response-header=X-A: 1\nno-server-rewrite", NULL,
         11, 1, OK11 "X-A: 0\n", "x-a: 0\nvia: 1.1 nghttpx\nx-a: 1\n", false},
        {"a length is made anew", QUIET, NULL, 11, 1, OK11 "Content-Length: 7, 7\nDate: d\n",
         "date: d\ncontent-length: 7\n", false},
        {"the length that HEAD asks for is kept", QUIET, "HEAD /p HTTP/1.1\nHost: a.example\n", 11,
         2, OK11 "Content-Length: 7\n", ":status: 200\ncontent-length: 7\n", false},
        {"and that of 304", QUIET, NULL, 11, 1, "HTTP/1.1 304 NM\nContent-Length: 7\n",
         "content-length: 7\n", false},
        {"204 has none (RFC 9110, 8.6)", QUIET, NULL, 20, 1, ":status: 204\ncontent-length: 0\n",
         "", false},
        {"interim responses are passed as they are", "add-response-header=X-A: 1", NULL, 11, 2,
         "HTTP/1.1 103 Early Hints\nLink: </a>; rel=preload\nConnection: x-b\nX-B: 1\n",
         ":status: 103\nlink: </a>; rel=preload\n", false},
    };
    run_responses(cases, COUNT(cases));
}

#define WEBSOCKET2                                                                                 \
    ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a\n:path: /p\n"

static void responses_open_a_tunnel_in_the_way_of_their_client(void **state)
{
    (void)state;
    static const struct response_case cases[] = {
        {"Upgrade", QUIET, GET11 "Connection: upgrade\nUpgrade: foo, bar\n", 11, 1,
         "HTTP/1.1 101 S\nConnection: x-a, upgrade\nUpgrade: bar\nUpgrade: foo\nX-A: 1\nX-B: 2\n",
         "x-b: 2\nupgrade: bar, foo\n", false},
        {"as any final response", "add-response-header=X-A: 1",
         GET11 "Connection: upgrade\nUpgrade: foo\n", 11, 1,
         "HTTP/1.1 101 S\nConnection: upgrade\nUpgrade: foo\nServer: s\n",
         "server: nghttpx\nupgrade: foo\nvia: 1.1 nghttpx\nx-a: 1\n", false},
        {"WebSocket, 1 to 1", QUIET, WEBSOCKET, 11, 1,
         "HTTP/1.1 101 S\nConnection: upgrade\nUpgrade: websocket\nSec-WebSocket-Protocol: p\n"
         "Sec-WebSocket-Accept: " ACCEPT "\n",
         "sec-websocket-protocol: p\nupgrade: websocket\nsec-websocket-accept: " ACCEPT "\n",
         false},
        {"WebSocket, 2 to 1", QUIET, WEBSOCKET, 20, 1,
         ":status: 200\nsec-websocket-protocol: p\nsec-websocket-accept: not this\n",
         "sec-websocket-protocol: p\nupgrade: WebSocket\nsec-websocket-accept: " ACCEPT "\n",
         false},
        {"WebSocket, 2 to 2", QUIET, WEBSOCKET2, 20, 2,
         ":status: 200\nsec-websocket-protocol: p\nsec-websocket-accept: x\n",
         ":status: 200\nsec-websocket-protocol: p\n", false},
        {"a refusal is a response like others", QUIET, WEBSOCKET, 11, 1,
         "HTTP/1.1 426 U\nConnection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
         "Content-Length: 0\n",
         "sec-websocket-version: 13\ncontent-length: 0\n", false},
        {"CONNECT has no length (RFC 9110, 9.3.6)", QUIET, "CONNECT a:1 HTTP/1.1\nHost: a:1\n", 11,
         1, OK11 "Content-Length: 5\nX: y\n", "x: y\n", false},
        {"CONNECT, 1 to 2", QUIET, "CONNECT a:1 HTTP/1.1\nHost: a:1\n", 11, 2, OK11 "X: y\n",
         ":status: 200\nx: y\n", false},
        {"a refused CONNECT has its length", QUIET, "CONNECT a:1 HTTP/1.1\nHost: a:1\n", 20, 1,
         ":status: 403\ncontent-length: 5\n", "content-length: 5\n", false},
        {"a forward proxy leaves Server and Location", "no-via\nhttp2-proxy", GET11, 11, 1,
         "HTTP/1.1 302 F\nServer: s\nLocation: https://a.example/x\n",
         "server: s\nlocation: https://a.example/x\n", false},
    };
    run_responses(cases, COUNT(cases));
}

static void location_is_rewritten_when_it_names_the_host_that_was_asked(void **state)
{
    (void)state;
#define REDIRECT "HTTP/1.1 302 Found\nLocation: "
#define CASE(rule, options, tls, authority, in, out)                                               \
    {                                                                                              \
        rule, QUIET options, "GET / HTTP/1.1\nHost: " authority "\n", 11, 1, REDIRECT in "\n",     \
            "location: " out "\n", tls                                                             \
    }
    static const struct response_case cases[] = {
        CASE("the client's scheme", "", true, "a.example", "http://a.example/x",
             "https://a.example/x"),
        CASE("the client's scheme in the clear", "", false, "a.example", "https://a.example/x",
             "http://a.example/x"),
        CASE("the client's port", "", false, "a.example:3000", "http://a.example/x",
             "http://a.example:3000/x"),
        CASE("whatever port it names", "", true, "a.example", "http://a.example:8080/x",
             "https://a.example/x"),
        CASE("in any case of letters", "", true, "a.example", "HTTP://A.Example/X",
             "https://a.example/X"),
        CASE("without a path", "", true, "a.example", "http://a.example", "https://a.example"),
        CASE("a query right behind it", "", true, "a.example", "http://a.example?q",
             "https://a.example?q"),
        CASE("a fragment right behind it", "", true, "a.example", "http://a.example#f",
             "https://a.example#f"),
        CASE("IPv6", "", true, "[::1]:3000", "http://[::1]:80/x", "https://[::1]:3000/x"),
        CASE("another host is left", "", true, "a.example", "http://b.example/x",
             "http://b.example/x"),
        CASE("a longer host is another", "", true, "a.example", "http://a.example.org/x",
             "http://a.example.org/x"),
        CASE("userinfo is left", "", true, "a.example", "http://a.example@b.example/x",
             "http://a.example@b.example/x"),
        CASE("a relative one is left", "", true, "a.example", "/x", "/x"),
        CASE("//host is no absolute URI", "", true, "a.example", "//a.example/x", "//a.example/x"),
        CASE("other schemes are left", "", true, "a.example", "ftp://a.example/x",
             "ftp://a.example/x"),
        CASE("not even a host", "", true, "a.example", "http:///x", "http:///x"),
        CASE("half a URI", "", true, "a.example", "http://", "http://"),
        CASE("host-rewrite: the backend's name is ours", "host-rewrite\nbackend=127.0.0.1,8080",
             true, "a.example", "http://127.0.0.1:8080/x", "https://a.example/x"),
        CASE("host-rewrite: the client's is not", "host-rewrite\nbackend=127.0.0.1,8080", true,
             "a.example", "http://a.example/x", "http://a.example/x"),
        CASE("no-location-rewrite", "no-location-rewrite", true, "a.example", "http://a.example/x",
             "http://a.example/x"),
    };
    run_responses(cases, COUNT(cases));
}

static void errors_of_our_own_get_no_additions(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "add-response-header=x-a: 1");
    struct exchange *x = rig_exchange(&r, &told);
    rig_sent_to(&r, x, 0);
    testing_request(x, 11, GET11);
    testing_response(x, 11, "HTTP/1.1 502 Bad\nServer: own\nContent-Length: 5\nDate: d\n");
    x->response.m.nfields = 1;
    x->error = EXCHANGE_BACKEND_CONNECT;
    testing_expect_fields("as it is", message_response_fields(x, 1),
                          "server: own\ncontent-length: 5\n");
    rig_exchange_end(&r, x);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_keep_what_is_for_the_client),
        cmocka_unit_test(responses_open_a_tunnel_in_the_way_of_their_client),
        cmocka_unit_test(location_is_rewritten_when_it_names_the_host_that_was_asked),
        cmocka_unit_test(errors_of_our_own_get_no_additions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
