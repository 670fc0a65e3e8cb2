/* What an HTTP proxy on the way is asked, and which of its answers open the way: net/via.h. */
#include "net/via.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void the_request_names_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *host, *userinfo, *request;
        uint16_t port;
    } cases[] = {
        {"a.example", NULL, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 443},
        {"192.0.2.1", NULL, "CONNECT 192.0.2.1:80 HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n", 80},
        {"::1", NULL, "CONNECT [::1]:65535 HTTP/1.1\r\nHost: [::1]:65535\r\n\r\n", 65535},
        /* RFC 7617, 2 */
        {"a", "Aladdin:open sesame",
         "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n"
         "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n",
         1},
        {"a", "", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic \r\n\r\n", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *request = via_request(cases[i].host, cases[i].port, cases[i].userinfo);
        assert_string_equal(request, cases[i].request);
        free(request);
    }
}

struct answer {
    const char *text;
    enum via_rc rc;
    size_t used; /* of VIA_OPEN */
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct answer answers[] = {
    {"", VIA_MORE, 0},
    {"HTTP/1.1 200 OK\r\n", VIA_MORE, 0},
    {OK "\r\n", VIA_OPEN, 19},
    {OK "\r\nbehind it", VIA_OPEN, 19},
    {OK "Content-Length: 5\r\n\r\n", VIA_OPEN, 38}, /* to be ignored (RFC 9110, 9.3.6) */
    {"HTTP/1.0 204 No\r\n\r\n", VIA_OPEN, 19},
    {"HTTP/1.1 100 Go\r\n\r\n", VIA_MORE, 0},
    {"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Go\r\nA: b\r\n\r\n" OK "\r\nx", VIA_OPEN, 63},
    {"HTTP/1.1 101 Switch\r\n\r\n", VIA_REFUSED, 0},
    {"HTTP/1.1 302 F\r\n\r\n", VIA_REFUSED, 0},
    {"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n", VIA_REFUSED, 0},
    {"HTTP/1.1 502 B\r\n\r\n", VIA_REFUSED, 0},
    {"HTTP/2 200\r\n\r\n", VIA_REFUSED, 0},
    {"SSH-2.0-x\r\n", VIA_REFUSED, 0},
    {"HTTP/1.1 200 OK\n\n", VIA_REFUSED, 0},
    {OK "A : b\r\n\r\n", VIA_REFUSED, 0},
    {OK " folded\r\n\r\n", VIA_REFUSED, 0},
    {OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", VIA_REFUSED, 0},
    {"\x16\x03\x01\x02", VIA_REFUSED, 0},
};

static enum via_rc ask(const char *text, size_t len, size_t *used, char *why)
{
    uint8_t *copy = malloc(len + 1); /* exactly what came, for the sanitizer */
    memcpy(copy, text, len);
    enum via_rc rc = via_answer(copy, len, used, why, 64);
    free(copy);
    return rc;
}

static void only_a_success_opens(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        size_t used;
        char why[64] = "";
        enum via_rc rc = ask(answers[i].text, strlen(answers[i].text), &used, why);
        if (rc != answers[i].rc || (rc == VIA_OPEN && used != answers[i].used)) {
            fail_msg("%s: %d, %zu", answers[i].text, (int)rc, used);
        }
        assert_int_equal(rc == VIA_REFUSED, why[0] != '\0');
    }
}

/* More octets never turn an answer that is not complete into another one than the whole has. */
static void pieces_make_no_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        size_t len = strlen(answers[i].text), used;
        char why[64] = "";
        enum via_rc rc = VIA_MORE;
        for (size_t n = 0; n <= len && rc == VIA_MORE; n++) {
            rc = ask(answers[i].text, n, &used, why);
        }
        assert_int_equal(rc, answers[i].rc);
    }
}

static void an_answer_without_end_is_refused(void **state)
{
    (void)state;
    static const char *const parts[] = {"x: y\r\n", "\r\n\r\n", "HTTP/1.1 103 E\r\n\r\n"};
    for (size_t p = 0; p < COUNT(parts); p++) {
        static char text[2 * VIA_ANSWER_MAX];
        size_t len = p == 0 ? (size_t)sprintf(text, OK) : 0, used;
        char why[64] = "";
        while (len < VIA_ANSWER_MAX + 100) {
            len += (size_t)sprintf(text + len, "%s", parts[p]);
        }
        assert_int_equal(ask(text, len, &used, why), VIA_REFUSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_names_host_and_port),
        cmocka_unit_test(only_a_success_opens),
        cmocka_unit_test(pieces_make_no_difference),
        cmocka_unit_test(an_answer_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
