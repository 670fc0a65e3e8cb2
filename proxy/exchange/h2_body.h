/*
 * What both sides do alike with an h2core connection: its options, and sending bodies through it,
 * the response bodies of a front, the request bodies
 * of a back. Bytes go from the pipe of the stream that the engine picks straight behind their frame
 * header.
 */
#ifndef EXCHANGE_H2_BODY_H
#define EXCHANGE_H2_BODY_H

#include "exchange/exchange.h"

#include "h2core/h2core.h"

/** What the options of a frontend or backend say about its HTTP/2 connections; octets. */
struct h2_tuning {
    uint64_t decoder_table;
    uint64_t encoder_table;
    uint64_t window; /**< of a stream */
    uint64_t connection_window;
    uint64_t field_buffer;
    uint64_t max_fields;
};

/** Options for an engine of the proxy: those of the configuration, nothing normalised (messages are
 * made here), and only events that somebody acts on. */
void h2_body_options(struct h2_options *o, const struct h2_tuning *tuning);

enum h2_body_side { H2_BODY_REQUESTS, H2_BODY_RESPONSES };

/** Called for each exchange whose body (and trailers) have now been sent to the end; may end the
 * exchange. */
typedef void (*h2_body_sent)(struct exchange *x);

/**
 * Fills buf with what the engine has to send and then with DATA of the streams that may send.
 * Returns the octets written. Streams' user pointers must be their exchanges.
 */
size_t h2_body_output(struct h2_conn *engine, enum h2_body_side side, uint8_t *buf, size_t cap,
                      h2_body_sent sent);

/**
 * The pipe of this exchange has changed: tells the engine whether it has bytes; one that is empty
 * and has ended ends the stream's side at once. True: our side of the stream has ended (sent() is
 * not called then).
 */
bool h2_body_update(struct h2_conn *engine, enum h2_body_side side, struct exchange *x);

#endif
