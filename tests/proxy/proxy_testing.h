/*
 * What the tests of the proxy's modules share: a worker with everything that it needs, without
 * threads or listeners; exchanges whose front does nothing but remember; messages as text.
 */
#ifndef PROXY_TESTING_H
#define PROXY_TESTING_H

#include "exchange/exchange.h"
#include "exchange/message.h"
#include "ops/access_log.h"
#include "process/worker.h"

#include "config.h"

#include <stdbool.h>
#include <stddef.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/** A worker whose loop is run by the test, turn by turn. */
struct rig {
    struct config *cfg;
    struct routes *routes;
    struct log_format *format;
    SSL_CTX *server_ctx, *client_ctx; /**< only when rig_open_tls() made it */
    struct worker *worker;
    struct client_info client;
};

/**
 * `options` are lines "name=value" or "name" as on the command line, without the dashes; a
 * line that begins with '/' is an argument as it is (key, certificate). There is one clear-text
 * frontend; a backend that is not given is 127.0.0.1,80. Nothing listens.
 */
void rig_open(struct rig *r, const char *options);
/** The same with both TLS contexts; the options name key and certificate (and cacert). */
void rig_open_tls(struct rig *r, const char *options);
/** The configuration that rig_open() makes of `options`; a reference of the caller's. */
struct config *testing_config(const char *options);
/** A context as for this backend; NULL: one that says nothing about TLS but that it is spoken. */
SSL_CTX *testing_client_ctx(const struct config *cfg, const struct cfg_backend *b);
/** Frees everything, and checks that the worker has nothing left (worker_free asserts it). */
void rig_close(struct rig *r);

/** One turn: what is ready is handled, and then its end of turn; does not wait for anything. */
void rig_turn(struct rig *r);
/** Runs the loop until `done` says so. Fails the test when that takes longer than ten seconds. */
void rig_until(struct rig *r, bool (*done)(const void *ctx), const void *ctx);

/** What the other side of an exchange was told. */
struct told {
    unsigned heads, bodies, credits, aborts;
    size_t credit; /* octets */
    enum exchange_error why;
};

/** An exchange that nobody serves: its front only counts what it is told. */
struct exchange *rig_exchange(struct rig *r, struct told *told);
/** The pool of a backend's first address. */
struct pool *rig_pool(struct rig *r, size_t backend);
/** Remembers that the exchange was sent there, as if it had been. */
void rig_sent_to(struct rig *r, struct exchange *x, size_t backend);
/** Ends it, and frees it. */
void rig_exchange_end(struct rig *r, struct exchange *x);

/**
 * Reads a request or response out of text: lines that end with '\n'; for version 10 and 11 a head
 * with its start line, for 20 fields with the pseudo-header fields that it needs. The same calls as
 * the fronts and backs make. Fails the test when the text is not acceptable.
 */
void testing_request(struct exchange *x, int version, const char *text);
void testing_response(struct exchange *x, int version, const char *text);
/** Trailers of a message, from lines "name: value\n". */
void testing_trailers(struct exchange *x, struct message *m, int version, const char *text);

/** The fields as lines "name: value\n"; owned by the caller. */
char *testing_fields_text(const struct h2_field *f, size_t n);
/** Compares with such lines; `rule` is named when they differ. */
void testing_expect_fields(const char *rule, struct field_list l, const char *expected);

/** Parses lines "name: value\n" into fields that point into text. Returns how many. */
size_t testing_parse_fields(const char *text, struct h2_field *f, size_t cap);

/** A folder of its own for files of this test program, removed when it exits. Static. */
const char *testing_folder(void);

#endif
