/*
 * An HTTP proxy on the way to a server (--backend-http-proxy-uri): what it is asked, and what it
 * answers (RFC 9110, 9.3.6). No I/O: conn.c does that.
 */
#ifndef NET_VIA_H
#define NET_VIA_H

#include <stddef.h>
#include <stdint.h>

/** CONNECT host:port, with `userinfo` ("user:password", NULL: none) as Basic credentials
 * (RFC 7617). NUL-terminated; the caller's to free. */
char *via_request(const char *host, uint16_t port, const char *userinfo);

/** An answer of more octets is none; its interim responses count, too. */
#define VIA_ANSWER_MAX 8192

enum via_rc {
    VIA_MORE,    /**< not complete yet */
    VIA_OPEN,    /**< *used octets were the answer; behind them the server speaks */
    VIA_REFUSED, /**< `why` says it */
};

/** Looks at all that has come so far, which is changed in place (names become lower case). */
enum via_rc via_answer(uint8_t *buf, size_t len, size_t *used, char *why, size_t why_cap);

#endif
