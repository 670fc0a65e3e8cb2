/*
 * A head being read from a connection. Nearly every head comes in one piece, and is parsed into an
 * array that the whole worker shares; only one that does not gets an array of its own, until it is
 * complete.
 */
#ifndef EXCHANGE_H1_READER_H
#define EXCHANGE_H1_READER_H

#include "h1parser.h"

#include <stdbool.h>

struct worker;

struct h1_reader {
    struct h1_head head;
    struct worker *worker;
    struct h1_field *own; /**< NULL: the worker's array is used */
    enum h1_kind kind;
    struct h1_options options;
    bool begun;
};

void h1_reader_begin(struct h1_reader *r, struct worker *w, enum h1_kind kind,
                     struct h1_options options);
/** As h1_head_parse. After H1_DONE the head is good until another one is parsed in this worker. */
enum h1_rc h1_reader_parse(struct h1_reader *r, uint8_t *buf, size_t len);
void h1_reader_release(struct h1_reader *r);

#endif
