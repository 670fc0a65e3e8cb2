/*
 * What becomes of a message's fields on its way through the proxy: which are dropped, rewritten or
 * added, for either direction and either protocol. The result is a list that the serialisers write
 * out as it is.
 */
#ifndef EXCHANGE_MESSAGE_H
#define EXCHANGE_MESSAGE_H

#include "exchange/exchange.h"

#include "h1parser.h"
#include "h2core/h2core.h"

/** A list of fields in an arena, filled up to a capacity that its maker knows. */
struct field_list {
    struct h2_field *f;
    size_t n, cap;
};

/** The head of the request as it goes to a backend of this HTTP major version; for 2 pseudo-header
 * fields first. */
struct field_list message_request_fields(struct exchange *x, int http_major);

/** The start line of the request as it goes to an HTTP/1.1 backend: in authority form for CONNECT,
 * in absolute form to a forward proxy's backend, otherwise in origin form (RFC 9112, 3.2). */
void message_request_line(struct exchange *x, struct str *method, struct str *target);

/**
 * The head of the response as it goes to the client; for version 2 with :status first. For HTTP/1.1
 * the framing fields are added by the front, which decides the framing.
 */
struct field_list message_response_fields(struct exchange *x, int http_major);

/** Trailer fields that may pass (RFC 9110, 6.5.1): no framing, routing, authentication or
 * hop-by-hop ones, none that Connection names; of a response none at all to an HTTP/1 client that
 * did not say TE: trailers. */
struct field_list message_trailers(struct exchange *x, const struct message *m);

/** Copies parsed fields into the exchange. Pseudo-header fields of h2 are left out. */
void message_set_fields_h1(struct exchange *x, struct message *m, const struct h1_head *h,
                           const char *base);
void message_set_fields_h2(struct exchange *x, struct message *m, const struct h2_field *f,
                           size_t n);
void message_set_trailers_h1(struct exchange *x, struct message *m, const struct h1_head *h,
                             const char *base);
void message_set_trailers_h2(struct exchange *x, struct message *m, const struct h2_field *f,
                             size_t n);

/**
 * Finishes a request whose method, scheme, authority, target and path (as it came) are set: path,
 * te. False: the target, or what Connection names, is not acceptable.
 */
bool message_finish_request(struct exchange *x);

/** Whether Connection names more fields than anybody honest has: the message is to be refused. */
bool message_nominates_too_many(const struct message *m);

/** Whether a response may have a body: none has one to HEAD, and none with 1xx, 204 or 304 (RFC
 * 9110, 6.4.1). */
bool message_response_may_have_body(const struct exchange *x);

/** The first field with this token, or NULL. */
const struct h2_field *message_find(const struct message *m, uint8_t token);

#endif
