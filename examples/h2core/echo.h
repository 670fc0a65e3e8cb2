/*
 * The octets of one request's body on their way back: what server_poll.c keeps for a stream. There
 * are never more of them than the stream's window lets in.
 */
#ifndef ECHO_H
#define ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

LIST_HEAD(echo_list, echo);

struct echo {
    LIST_ENTRY(echo) link; /* in its connection's list, which frees it when the connection ends */
    bool complete;         /* no more will come */
    uint8_t *data;         /* waiting: [at, len) */
    size_t at;
    size_t len;
    size_t cap;
};

/** NULL: no memory. */
struct echo *echo_new(struct echo_list *list);
void echo_free(struct echo *e);
void echo_free_all(struct echo_list *list);

/** How many octets wait. */
size_t echo_len(const struct echo *e);

/** False: no memory, nothing was added. */
bool echo_append(struct echo *e, const uint8_t *data, size_t len);

/** Moves the first `len` octets, which must be there, to `to`. */
void echo_take(struct echo *e, uint8_t *to, size_t len);

#endif
