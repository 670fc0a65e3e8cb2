/*
 * What a request must be before it is routed, whichever protocol it came with: the rules that
 * h1parser and h2core do not know, or that must be the same for both.
 */
#ifndef EXCHANGE_REQUEST_CHECK_H
#define EXCHANGE_REQUEST_CHECK_H

#include "exchange/exchange.h"

/**
 * Checks a request whose head is set, and brings parts of it into the one form that goes on: the
 * authority, Max-Forwards (one less), fields without those that request_drops_name(); sets
 * expect_continue. EXCHANGE_OK, or why it goes no further.
 */
enum exchange_error request_check(struct exchange *x);

/**
 * Whether a request field without token must not pass for the underscores in its name: by
 * --header-underscores, or because to a server that makes one variable of X_Y and X-Y it would be a
 * field that the proxy sets, removes or frames with.
 */
bool request_drops_name(const struct exchange *x, const char *name, size_t len);

/** Whether a client on this transport may say this scheme (any case): http or https, and with
 * --require-http-scheme the transport's. */
bool request_scheme_allowed(const struct exchange *x, struct str scheme);

#endif
