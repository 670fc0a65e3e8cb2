/*
 * A script drives one engine from outside: it plays the peer, frame by frame, and the caller,
 * action by action, and writes down what the engine told and sent. So a test is a table of texts.
 *
 * One line each:
 *
 *   TYPE id flags payload    a frame of the peer. TYPE: a name of RFC 9113 or a number in hex.
 *                            flags: ES, EH, PAD, PRI, ACK joined by '+', or '-'.
 *                            payload: nothing | text T | hex H | zeros N | u32 N,N | set
 * id=value,... | fields name=value|name=value GET id, POST id          a whole request head, ending
 * the stream or not OK id, OKEND id          a response head with :status 200 SPLIT id flags n
 * fields  a header block in pieces of n octets: HEADERS and CONTINUATION *n line                  n
 * times. `next` as an id: the next odd one BYTES H                  octets in hex, no frame !action
 * ...              the caller: request [end] [fields], respond id [end] fields, trailers id fields,
 * data id len [end], end id, reset id CODE, consume id n, user id, ping, notice, shutdown,
 * terminate CODE why, deaf (takes no output any more), now ms, auto (consumes at once), fields
 * (writes fields down)
 *
 * The record: a line for each event (DATA of a stream runs together), then, whenever the peer's
 * frames are through, a line "> ..." for each frame that was sent, and "= ..." for a result that is
 * not OK.
 */
#ifndef H2_SCRIPT_H
#define H2_SCRIPT_H

#include "h2core/h2core.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum script_split { SCRIPT_AT_ONCE, SCRIPT_BYTE_BY_BYTE, SCRIPT_AT_RANDOM };

struct script_case {
    const char *name; /* the rule */
    enum h2_role role;
    const char *script;
    const char *want; /* the whole record */
    void (*tune)(struct h2_options *opts);
    bool raw; /* without the exchange of prefaces and SETTINGS at the start */
};

/* Runs a script and returns its record, which the caller frees. */
char *script_run(const struct script_case *sc, enum script_split split, unsigned seed,
                 const struct h2_allocator *alloc);

/* Runs each case at once, byte by byte and in random pieces; all must give the record wanted. */
void script_check(const struct script_case *cases, size_t n);

#define SCRIPT_CHECK(cases) script_check(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
