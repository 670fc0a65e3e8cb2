/*
 * The sockets of demo_origin: a poll() loop that fills and empties the buffers of its connections
 * and knows nothing of HTTP.
 */
#ifndef DEMO_LOOP_H
#define DEMO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEMO_RX_SIZE = 32 * 1024, DEMO_TX_SIZE = 128 * 1024 };

struct demo_conn {
    int fd;
    bool eof;     /* the client has nothing more to say */
    bool closing; /* set by the app: send what is left, then close */
    bool linger; /* set by the app: the client may still be sending; let it read the answer first */
    size_t rx_at; /* received: [0, rx_len); how far the app has read is its own affair */
    size_t rx_len;
    size_t tx_at; /* to be sent: [tx_at, tx_len) */
    size_t tx_len;
    uint8_t rx[DEMO_RX_SIZE];
    uint8_t tx[DEMO_TX_SIZE];
};

struct demo_app {
    size_t client_size;                    /* of a struct that begins with a struct demo_conn */
    void (*open)(struct demo_conn *c);     /* a new connection; all of it is zero */
    void (*progress)(struct demo_conn *c); /* bytes came, or bytes went */
};

/* Listens as the arguments say, prints where, and serves until SIGTERM or SIGINT. The exit status.
 */
int demo_loop_run(int argc, char **argv, const struct demo_app *app);

#endif
