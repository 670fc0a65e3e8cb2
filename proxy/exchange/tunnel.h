/*
 * Tunnels: what a request asks for, and whether a response has opened what was asked for. From the
 * moment on in which one is open, both pipes of the exchange carry raw octets until both have
 * ended.
 *
 *     asked for by                                   opened by
 *     CONNECT (RFC 9110, 9.3.6; RFC 9113, 8.5)       2xx
 *     Upgrade in HTTP/1.1 (RFC 9110, 7.8)            101 with a protocol that was asked for
 *     WebSocket in HTTP/1.1 (RFC 6455)               101 with the Accept that belongs to the Key
 *     WebSocket in HTTP/2 (RFC 8441)                 2xx
 *
 * A WebSocket is asked for, and answered, in the way of each side's protocol. Until a tunnel is
 * open no octet behind the request's head goes on: what is a request to the backend and the new
 * protocol to us would be smuggled past every check (RFC 9931).
 */
#ifndef EXCHANGE_TUNNEL_H
#define EXCHANGE_TUNNEL_H

#include "exchange/exchange.h"

/** Finds out what an HTTP/1 request asks for: its method and fields are set. False: it is
 * malformed.
 */
bool tunnel_ask_h1(struct exchange *x, bool connection_upgrade);
/** The same of an HTTP/2 request with this :protocol (len 0: none). */
bool tunnel_ask_h2(struct exchange *x, struct str protocol);

/** Whether a backend of this HTTP major version is asked for the tunnel: only 1.1 knows Upgrade. */
bool tunnel_asked_of(const struct exchange *x, int http_major);

/** Looks at a response head from an HTTP/1 or HTTP/2 backend: sets x->tunnel.open when it is what
 * was waited for. NULL, or why the response is not acceptable. */
const char *tunnel_judge_h1(struct exchange *x, bool connection_upgrade);
void tunnel_judge_h2(struct exchange *x);

/** The status that says to a client of this HTTP major version that the tunnel is open. */
int tunnel_status(const struct exchange *x, int http_major);

/** Sec-WebSocket-Key for the backend, made if the client has none; and the Accept for the client.
 */
struct str tunnel_websocket_key(struct exchange *x);
struct str tunnel_websocket_accept(struct exchange *x);

#endif
