/*
 * A script drives one engine from outside: it plays the peer, frame by frame, and the caller,
 * action by action, and writes down what the engine told and sent. So a test is a table of texts.
 *
 * One line each:
 *
 *   TYPE id flags payload    a frame of the peer. TYPE: a name of frames.def or a number in hex.
 *                            flags: ES, EH, PAD, PRI, ACK joined by '+', or '-'.
 *                            payload: nothing | text T | hex H | zeros N | u32 N,N |
 *                            set id=value,... | fields name=value|name=value
 *   GET id, POST id          a whole request head, ending the stream or not
 *   OK id, OKEND id          a response head with :status 200
 *   PROMISE on id fields     a whole PUSH_PROMISE
 *   SPLIT id flags n fields  a header block in pieces of n octets: HEADERS and CONTINUATION
 *   *n line                  n times. `next` as an id: the next odd one
 *   BYTES H                  octets in hex, no frame
 *   !action ...              the caller; those of h2_script_actions.c, by the names in its table
 *
 * What actions take: fields as above; ids; [end] for END_STREAM; CODE by its name; `-` for nothing.
 *
 *   messages   request [end] [fields], prequest dep weight [exclusive] [end] [fields],
 *              respond id [end] fields, trailers id fields, push id [fields], end id, reset id CODE
 *   bodies     data id len [end] (through the scheduler), ready id len and pump n chunk (likewise),
 *              send id len pad|- [end] (copied), padded id len pad [end] (DATA header with padding)
 *   windows    consume id n, update id n, windows id (writes both down)
 *   others     ping, settings id=value,... , prio id dep weight [exclusive], pupdate id value,
 *              altsvc id origin|- value, origin a b c, ext type flags id text, notice, shutdown,
 *              terminate CODE why, close CODE last|told why, upgrade value|- [head], drop
 *   questions  state id, streams, setting id, offer (the HTTP2-Settings value), output, user id
 *   the script deaf (takes no output any more), now ms, auto (consumes at once), fields (writes
 *              fields down), errors (writes the names of errors down)
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

/* For h2_options.trace: a line "~ ..." for each record. script_run() sees to its context. */
void script_trace(void *ctx, const struct h2_trace *record);

/* Runs each case at once, byte by byte and in random pieces; all must give the record wanted. */
void script_check(const struct script_case *cases, size_t n);

#define SCRIPT_CHECK(cases) script_check(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
