/*
 * What becomes of fields on their way: RFC 9110, 7.6 and sections 3.5 and 3.6 of the option
 * reference. Every case is one rule; what it leaves alone is shown by the fields that come out.
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

struct request_case {
    const char *rule, *options;
    int from; /* 10, 11, 20 */
    int to;   /* 1, 2 */
    const char *in, *out;
    bool tls;
};

static void run_requests(const struct request_case *c, size_t n)
{
    for (; n > 0; n--, c++) {
        struct rig r;
        struct told told;
        rig_open(&r, c->options);
        r.client.tls = c->tls;
        struct exchange *x = rig_exchange(&r, &told);
        rig_sent_to(&r, x, 0);
        testing_request(x, c->from, c->in);
        testing_expect_fields(c->rule, message_request_fields(x, c->to), c->out);
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

#define OUT1 "host: a.example\n"
#define OUT2 GET20

static void requests_lose_what_is_meant_for_one_connection(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        {"hop-by-hop fields go nowhere", PLAIN, 11, 1,
         GET11 "Connection: keep-alive\nKeep-Alive: timeout=5\nProxy-Connection: close\n"
               "HTTP2-Settings: AAMAAABk\nAccept: */*\n",
         OUT1 "accept: */*\n", false},
        {"Upgrade that Connection does not name goes nowhere", PLAIN, 11, 1,
         GET11 "Upgrade: foo\nAccept: */*\n", OUT1 "accept: */*\n", false},
        {"Upgrade goes nowhere in HTTP/1.0 (RFC 9110, 7.8)", PLAIN, 10, 1,
         "GET /p HTTP/1.0\nHost: a.example\nConnection: upgrade\nUpgrade: foo\n", OUT1, false},
        {"the same towards HTTP/2", PLAIN, 11, 2,
         GET11 "Connection: upgrade, HTTP2-Settings\nKeep-Alive: timeout=5\nUpgrade: h2c\n"
               "HTTP2-Settings: AAMAAABk\nAccept: */*\n",
         OUT2 "accept: */*\n", false},
        {"what Connection names is dropped", PLAIN, 11, 1,
         GET11 "Connection: close, X-One ,, x-two\nX-One: 1\nx-TWO: 2\nX-Three: 3\n",
         OUT1 "x-three: 3\n", false},
        {"every Connection field counts, and every field of a name", PLAIN, 11, 2,
         GET11 "X-One: 1\nConnection: x-one\nX-Two: 2\nConnection: x-two\nX-One: 3\n", OUT2, false},
        {"a part of a name is not a name", PLAIN, 11, 1,
         GET11 "Connection: x-on, x-oneone\nX-One: 1\n", OUT1 "x-one: 1\n", false},
        {"Connection cannot take away what others rely on", PLAIN, 11, 1,
         GET11 "Connection: host, content-length, content-type, content-encoding, forwarded, "
               "x-forwarded-for, x-forwarded-host, x-forwarded-port, x-real-ip, via, "
               "authorization, cookie, cache-control\n"
               "Content-Length: 3\nContent-Type: text/plain\nContent-Encoding: br\n"
               "Forwarded: for=x\nX-Forwarded-For: 10.0.0.1\nX-Forwarded-Host: h\n"
               "X-Forwarded-Port: 80\nX-Real-IP: 10.0.0.2\nVia: 1.1 z\nAuthorization: Basic eA==\n"
               "Cookie: a=1\nCache-Control: no-cache\n",
         OUT1 "content-type: text/plain\ncontent-encoding: br\nforwarded: for=x\n"
              "x-forwarded-for: 10.0.0.1\nx-forwarded-host: h\nx-forwarded-port: 80\n"
              "x-real-ip: 10.0.0.2\nvia: 1.1 z\nauthorization: Basic eA==\n"
              "cache-control: no-cache\ncookie: a=1\ncontent-length: 3\n",
         false},
        {"Connection cannot take away what the proxy adds", "add-x-forwarded-for", 11, 1,
         GET11 "Connection: x-forwarded-for, x-forwarded-proto, via\n",
         OUT1 "x-forwarded-for: 192.0.2.7\nx-forwarded-proto: http\nvia: 1.1 nghttpx\n", false},
        {"te is trailers or nothing, and then Connection says so", PLAIN, 11, 1,
         GET11 "Connection: te\nTE: gzip, trailers\n", OUT1 "connection: te\nte: trailers\n",
         false},
        {"trailers with a weight is something else", PLAIN, 11, 1,
         GET11 "Connection: te\nTE: trailers;q=0, trailers;q=1\n", OUT1, false},
        {"te without trailers goes", PLAIN, 11, 1, GET11 "Connection: TE\nTE: gzip\n", OUT1, false},
        {"te from HTTP/2 to HTTP/1", PLAIN, 20, 1, GET20 "te: trailers\n",
         OUT1 "connection: te\nte: trailers\n", false},
        {"te from HTTP/1 to HTTP/2", PLAIN, 11, 2, GET11 "Connection: te\nTE: Trailers, deflate\n",
         OUT2 "te: trailers\n", false},
        {"HTTP/2 to HTTP/2 keeps te", PLAIN, 20, 2, GET20 "te: trailers\nx: y\n",
         OUT2 "x: y\nte: trailers\n", false},
        {"early-data is stripped", PLAIN, 20, 1, GET20 "early-data: 1\n", OUT1, false},
        {"no-strip-incoming-early-data", PLAIN "no-strip-incoming-early-data", 20, 1,
         GET20 "early-data: 1\n", OUT1 "early-data: 1\n", false},
    };
    run_requests(cases, COUNT(cases));
}

static void requests_for_a_tunnel_ask_in_the_way_of_their_backend(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        {"Upgrade goes to HTTP/1.1", PLAIN, 11, 1,
         GET11 "Connection: x, upgrade\nX: 1\nUpgrade: foo/2\nUpgrade: bar\nAccept: */*\n",
         OUT1 "accept: */*\nconnection: Upgrade\nupgrade: foo/2, bar\n", false},
        {"and not to HTTP/2", PLAIN, 11, 2, GET11 "Connection: upgrade\nUpgrade: foo\n", OUT2,
         false},
        {"HTTP is never asked for", PLAIN, 11, 1,
         GET11 "Connection: upgrade\nUpgrade: h2c, HTTP/2.0, foo, H2\n",
         OUT1 "connection: Upgrade\nupgrade: foo\n", false},
        {"nor alone", PLAIN, 11, 1, GET11 "Connection: upgrade\nUpgrade: H2C\n", OUT1, false},
        {"together with TE", PLAIN, 11, 1,
         GET11 "Connection: upgrade, te\nUpgrade: foo\nTE: trailers\n",
         OUT1 "connection: Upgrade, te\nupgrade: foo\nte: trailers\n", false},
        {"POST with Upgrade gets no length (RFC 9931)", PLAIN, 11, 1,
         "POST /p HTTP/1.1\nHost: a.example\nConnection: upgrade\nUpgrade: foo\n",
         OUT1 "connection: Upgrade\nupgrade: foo\n", false},
        {"WebSocket, 1 to 1", PLAIN, 11, 1, WEBSOCKET,
         OUT1 "sec-websocket-version: 13\nconnection: Upgrade\nupgrade: WebSocket\n"
              "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n",
         false},
        {"WebSocket, 1 to 2 (RFC 8441)", PLAIN, 11, 2, WEBSOCKET,
         ":method: CONNECT\n:protocol: websocket\n:scheme: https\n:authority: a.example\n"
         ":path: /p\nsec-websocket-version: 13\n",
         true},
        {"WebSocket, 2 to 2", PLAIN, 20, 2,
         ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a.example\n"
         ":path: /x/../p?q\nsec-websocket-version: 13\nsec-websocket-key: x\n",
         ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a.example\n"
         ":path: /p?q\nsec-websocket-version: 13\n",
         false},
        {"CONNECT, 1 to 1", "no-via\nadd-x-forwarded-for\nhost-rewrite", 11, 1,
         "CONNECT b.example:443 HTTP/1.1\nHost: b.example:443\nProxy-Authorization: x\n",
         "host: b.example:443\nproxy-authorization: x\nx-forwarded-for: 192.0.2.7\n", false},
        {"CONNECT, 1 to 2", PLAIN, 11, 2, "CONNECT b.example:443 HTTP/1.1\nHost: b.example:443\n",
         ":method: CONNECT\n:authority: b.example:443\n", false},
        {"CONNECT, 2 to 1", PLAIN, 20, 1, ":method: CONNECT\n:authority: b.example:443\nx: y\n",
         "host: b.example:443\nx: y\n", false},
        {"CONNECT keeps the X-Forwarded-Proto that is not stripped",
         "no-via\nno-strip-incoming-x-forwarded-proto", 20, 1,
         ":method: CONNECT\n:authority: b.example:443\nx-forwarded-proto: https\n",
         "host: b.example:443\nx-forwarded-proto: https\n", false},
        {"a forward proxy leaves Host and adds no X-Forwarded-Proto",
         "no-via\nhttp2-proxy\nhost-rewrite", 11, 2, GET11, OUT2, false},
        {"nor drops one that is not stripped",
         "no-via\nhttp2-proxy\nno-strip-incoming-x-forwarded-proto", 20, 1,
         GET20 "x-forwarded-proto: https\n", OUT1 "x-forwarded-proto: https\n", false},
    };
    run_requests(cases, COUNT(cases));
}

static void request_lines_have_the_form_that_the_backend_needs(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *options;
        int from;
        const char *in, *line;
    } cases[] = {
        {"origin form", "", 11, GET11, "GET /p"},
        {"of absolute form too", "", 11, "GET http://b.example/p HTTP/1.1\nHost: x\n", "GET /p"},
        {"OPTIONS *", "", 11, "OPTIONS * HTTP/1.1\nHost: x\n", "OPTIONS *"},
        {"authority form", "", 20, ":method: CONNECT\n:authority: b.example:443\n",
         "CONNECT b.example:443"},
        {"a WebSocket is asked for by GET", "", 20,
         ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:authority: a\n:path: /p\n",
         "GET /p"},
        {"absolute form to a proxy", "http2-proxy", 20, GET20, "GET http://a.example/p"},
        {"not of CONNECT", "http2-proxy", 11, "CONNECT b:443 HTTP/1.1\nHost: b:443\n",
         "CONNECT b:443"},
        {"OPTIONS * to a proxy (RFC 9112, 3.2.4)", "http2-proxy", 11,
         "OPTIONS * HTTP/1.1\nHost: x\n", "OPTIONS http://x"},
        {"without Host", "http2-proxy\nbackend=127.0.0.1,8080", 10, "GET /p HTTP/1.0\n",
         "GET http://127.0.0.1:8080/p"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        struct told told;
        char line[128];
        struct str method, target;
        rig_open(&r, cases[i].options);
        struct exchange *x = rig_exchange(&r, &told);
        rig_sent_to(&r, x, 0);
        testing_request(x, cases[i].from, cases[i].in);
        message_request_line(x, &method, &target);
        snprintf(line, sizeof(line), "%.*s %.*s", (int)method.len, method.s, (int)target.len,
                 target.s);
        if (strcmp(line, cases[i].line) != 0) {
            fail_msg("%s: %s", cases[i].rule, line);
        }
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

static void requests_say_whom_they_are_for(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        {"Host is kept, with its port", PLAIN, 11, 1, "GET / HTTP/1.1\nhOST: a.example:8080\n",
         "host: a.example:8080\n", false},
        {"Host comes first", PLAIN, 11, 1, "GET / HTTP/1.1\nAccept: */*\nHost: a.example\n",
         "host: a.example\naccept: */*\n", false},
        {"the authority of the target replaces Host (RFC 9112, 3.2.2)", PLAIN, 11, 1,
         "GET http://b.example/ HTTP/1.1\nHost: a.example\n", "host: b.example\n", false},
        {"without one: the backend's", PLAIN "backend=127.0.0.1,8080\n", 10, 1, "GET / HTTP/1.0\n",
         "host: 127.0.0.1:8080\n", false},
        {"the backend's usual port is not said", PLAIN, 10, 1, "GET / HTTP/1.0\n",
         "host: 127.0.0.1\n", false},
        {"an IPv6 backend has brackets", PLAIN "backend=::1,8080\n", 10, 1, "GET / HTTP/1.0\n",
         "host: [::1]:8080\n", false},
        {"a UNIX socket is localhost", PLAIN "backend=unix:/tmp/s\n", 10, 1, "GET / HTTP/1.0\n",
         "host: localhost\n", false},
        {"host-rewrite", PLAIN "host-rewrite\nbackend=127.0.0.1,8080\n", 11, 1, GET11,
         "host: 127.0.0.1:8080\n", false},
        {"host-rewrite of :authority", PLAIN "host-rewrite\nbackend=127.0.0.1,8080\n", 20, 2, GET20,
         ":method: GET\n:scheme: http\n:authority: 127.0.0.1:8080\n:path: /p\n", false},
        {"pseudo-header fields first", PLAIN, 11, 2,
         "GET /p HTTP/1.1\nAccept: */*\nHost: a.example\n", OUT2 "accept: */*\n", false},
        {"the scheme is the transport's", PLAIN, 11, 2, "GET /p HTTP/1.1\nHost: a.example\n",
         ":method: GET\n:scheme: https\n:authority: a.example\n:path: /p\n", true},
        {"a host field of HTTP/2 is not repeated", PLAIN, 20, 2, GET20 "host: a.example\n", OUT2,
         false},
        {"the path is normalised", PLAIN, 11, 2,
         "GET /a/../%70/./%2f?q=%70 HTTP/1.1\nHost: a.example\n",
         ":method: GET\n:scheme: http\n:authority: a.example\n:path: /p/%2F?q=%70\n", false},
        {"OPTIONS * stays", PLAIN, 11, 2, "OPTIONS * HTTP/1.1\nHost: a.example\n",
         ":method: OPTIONS\n:scheme: http\n:authority: a.example\n:path: *\n", false},
    };
    run_requests(cases, COUNT(cases));
}

static void cookies_are_joined_for_one_and_crumbled_for_two(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        {"joined for HTTP/1", PLAIN, 20, 1,
         GET20 "cookie: a=1\nx: y\ncookie: b=2\ncookie: c=3; d=4\n",
         OUT1 "x: y\ncookie: a=1; b=2; c=3; d=4\n", false},
        {"crumbled for HTTP/2", PLAIN, 11, 2, GET11 "Cookie: a=1; b=2;c=3;  d=4\n",
         OUT2 "cookie: a=1\ncookie: b=2\ncookie: c=3\ncookie: d=4\n", false},
        {"blanks around a crumb are no part of it (RFC 9113, 8.2.1)", PLAIN, 11, 2,
         GET11 "Cookie: a=1 ;\tb=2 \t; c d ; ;\n", OUT2 "cookie: a=1\ncookie: b=2\ncookie: c d\n",
         false},
        {"crumbs stay crumbs", PLAIN, 20, 2, GET20 "cookie: a=1\ncookie: b=2; c=3\n",
         OUT2 "cookie: a=1\ncookie: b=2\ncookie: c=3\n", false},
        {"http2-no-cookie-crumbling", PLAIN "http2-no-cookie-crumbling", 20, 2,
         GET20 "cookie: a=1\ncookie: b=2; c=3\n", OUT2 "cookie: a=1; b=2; c=3\n", false},
        {"nothing between semicolons is nothing", PLAIN, 11, 2, GET11 "Cookie: ;; a=1;; ;b=2;\n",
         OUT2 "cookie: a=1\ncookie: b=2\n", false},
        {"an empty one goes", PLAIN, 20, 1, GET20 "cookie:\n", OUT1, false},
        {"as many crumbs as there are semicolons", PLAIN, 11, 2,
         GET11 "Cookie: a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q;r;s;t\n",
         OUT2 "cookie: a\ncookie: b\ncookie: c\ncookie: d\ncookie: e\ncookie: f\ncookie: g\n"
              "cookie: h\ncookie: i\ncookie: j\ncookie: k\ncookie: l\ncookie: m\ncookie: n\n"
              "cookie: o\ncookie: p\ncookie: q\ncookie: r\ncookie: s\ncookie: t\n",
         false},
    };
    run_requests(cases, COUNT(cases));
}

/* The cookies of a request whose cookie fields have `per` crumbs each, in all `total` of them,
 * as they go to an HTTP/2 backend: as lines, or as one field. */
static void expect_crumbs(const char *rule, int per, int total, bool crumbled)
{
    char in[4096] = GET20, out[4096] = OUT2;
    char *i = in + strlen(in), *o = out + strlen(out);
    for (int n = 0; n < total; n++) {
        bool first = n % per == 0;
        i += sprintf(i, "%s%sc%d=", first && n > 0 ? "\n" : "", first ? "cookie: " : ";", n);
        const char *separator = n == 0 ? "cookie: " : first ? "; " : ";";
        o += sprintf(o, "%sc%d=%s", crumbled ? "cookie: " : separator, n, crumbled ? "\n" : "");
    }
    /* An empty crumb is none: it counts neither way. */
    sprintf(i, "; ;\n");
    sprintf(o, "%s", crumbled ? "" : "; ;\n");
    run_requests(&(struct request_case){rule, PLAIN, 20, 2, in, out, false}, 1);
}

static void cookies_of_too_many_crumbs_are_not_crumbled(void **state)
{
    (void)state;
    expect_crumbs("as many as the limit", 200, 200, true);
    expect_crumbs("one more: one field, as it came", 201, 201, false);
    expect_crumbs("as many as the limit in several fields", 10, 200, true);
    expect_crumbs("one more in several fields: joined", 10, 201, false);
}

static void requests_get_their_framing_anew(void **state)
{
    (void)state;
#define POST11 "POST /p HTTP/1.1\nHost: a.example\n"
#define POST20 ":method: POST\n:scheme: http\n:authority: a.example\n:path: /p\n"
    static const struct request_case cases[] = {
        {"a length is written in one way", PLAIN, 11, 1, POST11 "Content-Length: 7, 7\n",
         OUT1 "content-length: 7\n", false},
        {"the largest length", PLAIN, 11, 1, POST11 "Content-Length: 9223372036854775807\n",
         OUT1 "content-length: 9223372036854775807\n", false},
        {"chunked stays chunked", PLAIN, 11, 1, POST11 "Transfer-Encoding: Chunked\n",
         OUT1 "transfer-encoding: chunked\n", false},
        {"chunked to HTTP/2 is no field", PLAIN, 11, 2, POST11 "Transfer-Encoding: chunked\n",
         POST20, false},
        {"a length goes to HTTP/2", PLAIN, 11, 2, POST11 "Content-Length: 7\n",
         POST20 "content-length: 7\n", false},
        {"POST without a body says 0 (RFC 9110, 8.6)", PLAIN, 11, 1, POST11,
         OUT1 "content-length: 0\n", false},
        {"so does PUT", PLAIN, 11, 1, "PUT /p HTTP/1.1\nHost: a.example\n",
         OUT1 "content-length: 0\n", false},
        {"GET says nothing", PLAIN, 11, 1, GET11, OUT1, false},
        {"a length of 0 is passed on", PLAIN, 11, 1, GET11 "Content-Length: 0\n",
         OUT1 "content-length: 0\n", false},
        {"100-continue is passed on", PLAIN, 11, 1,
         POST11 "Expect: 100-Continue\nContent-Length: 1\n",
         OUT1 "content-length: 1\nexpect: 100-continue\n", false},
        {"but not from HTTP/1.0 (RFC 9110, 10.1.1)", PLAIN, 10, 1,
         "POST /p HTTP/1.0\nHost: a.example\nExpect: 100-continue\nContent-Length: 1\n",
         OUT1 "content-length: 1\n", false},
        {"100-continue of HTTP/2 is passed on", PLAIN, 20, 1,
         POST20 "content-length: 1\nexpect: 100-continue\n",
         OUT1 "content-length: 1\nexpect: 100-continue\n", false},
    };
    run_requests(cases, COUNT(cases));
    /* A body of HTTP/2 whose length nobody said. */
    struct rig r;
    struct told told;
    rig_open(&r, PLAIN);
    struct exchange *x = rig_exchange(&r, &told);
    rig_sent_to(&r, x, 0);
    testing_request(x, 20, POST20);
    x->request.m.has_body = true;
    testing_expect_fields("to HTTP/1", message_request_fields(x, 1),
                          OUT1 "transfer-encoding: chunked\n");
    testing_expect_fields("to HTTP/2", message_request_fields(x, 2), POST20);
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void requests_tell_where_they_come_from(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        {"by default: the scheme, and Via", "", 11, 1, GET11,
         OUT1 "x-forwarded-proto: http\nvia: 1.1 nghttpx\n", false},
        {"https", "", 11, 1, GET11, OUT1 "x-forwarded-proto: https\nvia: 1.1 nghttpx\n", true},
        {"Via is the version that came: 2", "", 20, 1, GET20,
         OUT1 "x-forwarded-proto: http\nvia: 2 nghttpx\n", false},
        {"Via is the version that came: 1.0", "", 10, 1, "GET /p HTTP/1.0\nHost: a.example\n",
         OUT1 "x-forwarded-proto: http\nvia: 1.0 nghttpx\n", false},
        {"Via is appended to, in one field", "no-add-x-forwarded-proto", 11, 1,
         GET11 "Via: 1.0 one\nAccept: */*\nVia: 1.1 two, 1.1 three\n",
         OUT1 "accept: */*\nvia: 1.0 one, 1.1 two, 1.1 three, 1.1 nghttpx\n", false},
        {"no-via leaves Via alone", PLAIN, 11, 1, GET11 "Via: 1.0 one\nVia: 1.1 two\n",
         OUT1 "via: 1.0 one\nvia: 1.1 two\n", false},
        {"an X-Forwarded-Proto of the client is no fact", "no-via", 11, 1,
         GET11 "X-Forwarded-Proto: https\n", OUT1 "x-forwarded-proto: http\n", false},
        {"kept: ours comes behind it", "no-via\nno-strip-incoming-x-forwarded-proto", 11, 1,
         GET11 "X-Forwarded-Proto: https\n", OUT1 "x-forwarded-proto: https, http\n", false},
        {"stripped and not added", PLAIN, 11, 1, GET11 "X-Forwarded-Proto: https\n", OUT1, false},
        {"kept and not added", PLAIN "no-strip-incoming-x-forwarded-proto", 11, 1,
         GET11 "X-Forwarded-Proto: https\n", OUT1 "x-forwarded-proto: https\n", false},
        {"X-Forwarded-For passes when nothing is said", PLAIN, 11, 1,
         GET11 "X-Forwarded-For: 10.0.0.1\n", OUT1 "x-forwarded-for: 10.0.0.1\n", false},
        {"X-Forwarded-For is appended to", PLAIN "add-x-forwarded-for", 11, 2,
         GET11 "X-Forwarded-For: 10.0.0.1\nX-Forwarded-For: 10.0.0.2\n",
         OUT2 "x-forwarded-for: 10.0.0.1, 10.0.0.2, 192.0.2.7\n", false},
        {"X-Forwarded-For is stripped", PLAIN "strip-incoming-x-forwarded-for", 11, 1,
         GET11 "X-Forwarded-For: 10.0.0.1\n", OUT1, false},
        {"stripped and added", PLAIN "add-x-forwarded-for\nstrip-incoming-x-forwarded-for", 11, 1,
         GET11 "X-Forwarded-For: 10.0.0.1\n", OUT1 "x-forwarded-for: 192.0.2.7\n", false},
        {"an empty X-Forwarded-For is no entry", PLAIN "add-x-forwarded-for", 11, 1,
         GET11 "X-Forwarded-For:\n", OUT1 "x-forwarded-for: 192.0.2.7\n", false},
        {"the order: for, proto, via, then what the operator adds",
         "add-x-forwarded-for\nadd-request-header=X-B: 2\nadd-request-header=Accept: 1", 11, 1,
         GET11 "Accept: */*\n",
         OUT1 "accept: */*\nx-forwarded-for: 192.0.2.7\nx-forwarded-proto: http\n"
              "via: 1.1 nghttpx\nx-b: 2\naccept: 1\n",
         false},
    };
    run_requests(cases, COUNT(cases));
}

/* ---------------------------------------------------------------- trailers */

static void trailers_carry_nothing_that_a_head_decides(void **state)
{
    (void)state;
    /* RFC 9110, 6.5.1: framing, routing, authentication, and what was decided on already. */
    static const char *const never[] = {"content-length",
                                        "content-type",
                                        "content-encoding",
                                        "content-range",
                                        "host",
                                        "authorization",
                                        "cookie",
                                        "set-cookie",
                                        "cache-control",
                                        "expect",
                                        "max-forwards",
                                        "range",
                                        "via",
                                        "forwarded",
                                        "x-forwarded-for",
                                        "x-forwarded-host",
                                        "x-forwarded-port",
                                        "x-forwarded-proto",
                                        "x-real-ip",
                                        "server",
                                        "refresh",
                                        "alt-svc",
                                        "early-data",
                                        "clear-site-data",
                                        "strict-transport-security",
                                        "content-security-policy",
                                        "access-control-allow-origin",
                                        "access-control-expose-headers",
                                        "trailer",
                                        "connection",
                                        "keep-alive",
                                        "transfer-encoding",
                                        "upgrade",
                                        "te",
                                        "proxy-connection",
                                        "http2-settings",
                                        "proxy-authorization",
                                        "www-authenticate",
                                        "proxy-authenticate"};
    for (int version = 11; version <= 20; version += 9) {
        struct rig r;
        struct told told;
        rig_open(&r, "");
        struct exchange *x = rig_exchange(&r, &told);
        rig_sent_to(&r, x, 0);
        testing_request(x, 11, GET11 "Connection: te\nTE: trailers\n");
        for (size_t i = 0; i < COUNT(never); i++) {
            char text[128];
            snprintf(text, sizeof(text), "x-sum: 1\n%s: 1\ngrpc-status: 0\n", never[i]);
            testing_trailers(x, &x->response.m, version, text);
            testing_expect_fields(never[i], message_trailers(x, &x->response.m),
                                  "x-sum: 1\ngrpc-status: 0\n");
        }
        testing_trailers(x, &x->request.m, version, "");
        testing_expect_fields("none", message_trailers(x, &x->request.m), "");
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
}

static void trailers_pass_to_whom_they_mean_something(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *options, *in, *out;
        int version;
        bool of_request, te;
    } cases[] = {
        {"HTTP/1 without TE", "", "x-sum: 1\n", "", 11, false, false},
        {"HTTP/1 with TE", "", "x-sum: 1\n", "x-sum: 1\n", 11, false, true},
        {"HTTP/2 without te", "", "x-sum: 1\n", "x-sum: 1\n", 20, false, false},
        {"of a request", "", "x-sum: 1\n", "x-sum: 1\n", 11, true, false},
        {"shadows of a request", "", "x_forwarded_for: 1\nx_sum: 1\n", "x_sum: 1\n", 11, true,
         false},
        {"underscores", "header-underscores=drop", "x_sum: 1\nx-sum: 1\n", "x-sum: 1\n", 20, true,
         false},
        {"underscores, refused", "header-underscores=refuse", "x_sum: 1\n", "", 20, true, false},
        {"underscores of a response", "header-underscores=drop", "x_sum: 1\n", "x_sum: 1\n", 20,
         false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        struct told told;
        rig_open(&r, cases[i].options);
        struct exchange *x = rig_exchange(&r, &told);
        testing_request(x, cases[i].version, cases[i].version == 20 ? GET20 : GET11);
        x->request.te_trailers = cases[i].te;
        struct message *m = cases[i].of_request ? &x->request.m : &x->response.m;
        testing_trailers(x, m, 11, cases[i].in);
        testing_expect_fields(cases[i].rule, message_trailers(x, m), cases[i].out);
        rig_exchange_end(&r, x);
        rig_close(&r);
    }
    /* What Connection names is for one hop, wherever in the message it is. */
    struct rig r;
    struct told told;
    rig_open(&r, "");
    struct exchange *x = rig_exchange(&r, &told);
    testing_request(x, 11, GET11 "Connection: x-hop\n");
    testing_trailers(x, &x->request.m, 11, "x-hop: 1\nx-sum: 1\n");
    testing_expect_fields("nominated", message_trailers(x, &x->request.m), "x-sum: 1\n");
    rig_exchange_end(&r, x);
    rig_close(&r);
}

/* ---------------------------------------------------------------- questions */

static void a_body_may_follow_by_method_and_status(void **state)
{
    (void)state;
    static const struct {
        enum h1_method method;
        int status;
        bool may;
    } cases[] = {
        {H1_METHOD_GET, 200, true},   {H1_METHOD_GET, 404, true},    {H1_METHOD_GET, 100, false},
        {H1_METHOD_GET, 199, false},  {H1_METHOD_GET, 204, false},   {H1_METHOD_GET, 304, false},
        {H1_METHOD_HEAD, 200, false}, {H1_METHOD_HEAD, 404, false},  {H1_METHOD_GET, 205, true},
        {H1_METHOD_OTHER, 200, true}, {H1_METHOD_OPTIONS, 200, true}};
    struct rig r;
    struct told told;
    rig_open(&r, "");
    struct exchange *x = rig_exchange(&r, &told);
    rig_sent_to(&r, x, 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        x->request.method = cases[i].method;
        x->response.status = cases[i].status;
        assert_int_equal(message_response_may_have_body(x), cases[i].may);
    }
    rig_exchange_end(&r, x);
    rig_close(&r);
}

static void a_target_is_finished_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *expected; /* NULL: refused */
        size_t path_len;
    } cases[] = {
        {"GET", "/a/./b?x#y", NULL, 0}, {"GET", "/a/./b?x", "/a/b?x", 4},
        {"GET", "*", NULL, 0},          {"OPTIONS", "*", "*", 1},
        {"GET", "", NULL, 0},           {"GET", "/ ", NULL, 0},
        {"GET", "x", NULL, 0},          {"GET", "/\\x", NULL, 0},
        {"CONNECT", "", "/", 1},        {"get", "/%41", "/A", 2},
    };
    struct rig r;
    struct told told;
    rig_open(&r, "");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct exchange *x = rig_exchange(&r, &told);
        rig_sent_to(&r, x, 0);
        x->request.method_text = (struct str){cases[i].method, strlen(cases[i].method)};
        x->request.method = h1_method_lookup(cases[i].method, strlen(cases[i].method));
        x->request.path = (struct str){cases[i].path, strlen(cases[i].path)};
        assert_true(tunnel_ask_h1(x, false));
        bool ok = message_finish_request(x);
        assert_int_equal(ok, cases[i].expected != NULL);
        if (ok) {
            assert_int_equal(x->request.path.len, strlen(cases[i].expected));
            assert_memory_equal(x->request.path.s, cases[i].expected, x->request.path.len);
            assert_int_equal(x->request.path_len, cases[i].path_len);
        }
        rig_exchange_end(&r, x);
    }
    rig_close(&r);
}

static void a_request_that_nominates_too_many_fields_is_refused(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, PLAIN);
    for (int n = 30; n <= 34; n++) {
        char text[600] = "connection: ";
        for (int i = 0; i < n; i++) {
            sprintf(text + strlen(text), "%sx-%d", i == 0 ? "" : i % 2 ? "," : "\nconnection: ", i);
        }
        strcat(text, "\nx-0: 1\nx-29: 1\n");
        struct exchange *x = rig_exchange(&r, &told);
        rig_sent_to(&r, x, 0);
        struct h2_field f[40];
        x->request.m.http_major = x->request.m.http_minor = 1;
        x->request.m.fields = f;
        x->request.m.nfields = testing_parse_fields(text, f, COUNT(f));
        x->request.path = (struct str){"/", 1};
        x->request.authority = (struct str){"a.example", 9};
        assert_int_equal(message_finish_request(x), n <= 32);
        if (n <= 32) {
            testing_expect_fields("as many as that", message_request_fields(x, 1), OUT1);
        }
        rig_exchange_end(&r, x);
    }
    rig_close(&r);
}

static void fields_outlive_what_they_were_read_from(void **state)
{
    (void)state;
    struct rig r;
    struct told told;
    rig_open(&r, "");
    struct exchange *x = rig_exchange(&r, &told);
    rig_sent_to(&r, x, 0);
    char text[] = ":status: 200\nx-a: 1\nempty:\n";
    struct h2_field f[4];
    size_t n = testing_parse_fields(text, f, COUNT(f));
    message_set_fields_h2(x, &x->response.m, f, n);
    message_set_trailers_h2(x, &x->response.m, f + 1, n - 1);
    memset(text, '?', sizeof(text) - 1);
    memset(f, 0, sizeof(f));
    char *fields = testing_fields_text(x->response.m.fields, x->response.m.nfields);
    char *trailers = testing_fields_text(x->response.m.trailers, x->response.m.ntrailers);
    assert_string_equal(fields, "x-a: 1\nempty: \n");
    assert_string_equal(trailers, fields);
    free(fields);
    free(trailers);
    assert_null(message_find(&x->response.m, H2_TOKEN_HOST));
    rig_exchange_end(&r, x);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_lose_what_is_meant_for_one_connection),
        cmocka_unit_test(requests_for_a_tunnel_ask_in_the_way_of_their_backend),
        cmocka_unit_test(request_lines_have_the_form_that_the_backend_needs),
        cmocka_unit_test(requests_say_whom_they_are_for),
        cmocka_unit_test(cookies_are_joined_for_one_and_crumbled_for_two),
        cmocka_unit_test(cookies_of_too_many_crumbs_are_not_crumbled),
        cmocka_unit_test(requests_get_their_framing_anew),
        cmocka_unit_test(requests_tell_where_they_come_from),
        cmocka_unit_test(trailers_carry_nothing_that_a_head_decides),
        cmocka_unit_test(trailers_pass_to_whom_they_mean_something),
        cmocka_unit_test(a_body_may_follow_by_method_and_status),
        cmocka_unit_test(a_target_is_finished_or_refused),
        cmocka_unit_test(a_request_that_nominates_too_many_fields_is_refused),
        cmocka_unit_test(fields_outlive_what_they_were_read_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
