/* What the tests of connections share: a user of a connection that remembers what it was told. */
#ifndef CONN_TESTING_H
#define CONN_TESTING_H

#include "net/conn.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct user {
    struct conn *conn;
    uint8_t *seen; /* what it took, in order */
    size_t nseen, offered, inputs;
    size_t most;           /* what it takes of one offer; SIZE_MAX: everything */
    enum conn_pause pause; /* said in each input(); 0: nothing */
    unsigned readies, eofs, leavings, fails, outputs;
    bool clean;
    enum conn_error why;
    uint64_t to_send, sent; /* octets of its endless stream */
    uint64_t finish_at;     /* conn_finish() when so many were output; 0: never */
    uint64_t end_at;        /* conn_end_output() likewise */
    const char *close_in;   /* name of the op that closes */
};

/** Checks what conn.h promises: nothing is told after close or finish, no bytes after the end. It
 * closes the connection when it failed. */
extern const struct conn_ops user_ops;

/** The octet at a place of the stream that it sends. */
uint8_t user_octet(uint64_t at);

/** For rig_until(): ctx is a struct user. */
bool user_failed(const void *ctx);
bool user_ready(const void *ctx);

/** A listener on the loopback, not blocking, and its address. */
int testing_listener(struct sockaddr_in *addr);
/** A target in the clear, with long time-outs. */
struct conn_target testing_target(const struct sockaddr *addr, socklen_t len);

#endif
