/*
 * Heads of the responses that the program makes itself: error pages (error_page.h) and answers in
 * the place of a backend's (answer.h).
 */
#ifndef EXCHANGE_OWN_H
#define EXCHANGE_OWN_H

#include <stddef.h>

struct exchange;

/**
 * Makes the head in x->response, in the place of what was there: Content-Type and Location (NULL:
 * none; they must live as long as the exchange), Server, Date, Retry-After of a 503 that is a
 * failure, and the length of the body, which the caller writes if x->response.m.has_body says so.
 */
void own_head(struct exchange *x, int status, const char *type, const char *location, size_t len);

#endif
