/*
 * Writing HTTP/1.1 messages from an exchange: heads, bodies out of a pipe, trailers. Used by the
 * front for responses and by the back for requests.
 */
#ifndef EXCHANGE_H1_WRITER_H
#define EXCHANGE_H1_WRITER_H

#include "exchange/exchange.h"
#include "exchange/message.h"
#include "net/buffer.h"

/** A start line: a request's when method.len > 0, a response's otherwise. */
struct h1_start {
    struct str method, target;
    int status;
};

/** What is being written. All zero is a writer that has nothing to write. */
struct h1_writer {
    struct buffer spill; /**< the rest of a head that did not fit the output */
    bool chunked;        /**< the body's framing; raw bytes otherwise */
    bool finished;       /**< the body is written to its end, trailers included */
};

/**
 * Writes a head into buf and returns its length. A head larger than `cap` goes into w->spill and 0
 * is returned: h1_write_spill() then sends it in parts. `connection` is added as the Connection
 * field unless NULL; chunked bodies get their Transfer-Encoding from the caller's list.
 */
size_t h1_write_head(struct h1_writer *w, const struct h1_start *start,
                     const struct field_list *fields, const char *connection, uint8_t *buf,
                     size_t cap);
size_t h1_write_spill(struct h1_writer *w, uint8_t *buf, size_t cap);

/**
 * Moves what the pipe has into buf, framed; at the body's end the last chunk and the trailers.
 * Returns the octets written; *taken is how many left the pipe. Sets w->finished.
 */
size_t h1_write_body(struct h1_writer *w, struct exchange *x, struct pipe *p,
                     const struct message *m, uint8_t *buf, size_t cap, size_t *taken);

#endif
