/*
 * Answers of the program's own in the place of a backend's: respond= and redirect= as a backend,
 * redirect-if-not-tls of a group, healthmon of a frontend. To the front they are a back like any
 * other.
 */
#ifndef EXCHANGE_ANSWER_H
#define EXCHANGE_ANSWER_H

#include <stdbool.h>

struct exchange;

/** Of a request body as much is read and dropped before the answer, so that the connection can be
 * kept: less than a new connection with TLS would cost. Who sends more is answered at once. */
#define ANSWER_READS_MOST 65536u

/** Answers the request, if that is the program's to do: by its frontend, or by its group (which is
 * known, or else the frontend is asked alone). False: nothing was done. */
bool answer_begin(struct exchange *x);

#endif
