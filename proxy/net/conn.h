/*
 * A transport connection: a socket, TLS or not, with the buffers and timers that it needs while it
 * is busy. It moves bytes; what they mean is its user's business (front_h1, front_h2, back_h1,
 * back_h2).
 *
 * Input is pushed, output is pulled. What arrives is handed to ops->input(); what is not taken is
 * kept and offered again. When a user has something to send it says conn_want_output(), and at the
 * end of the turn ops->output() is asked to fill a buffer, once for all that came up in the turn.
 * Nothing is asked for while earlier bytes wait for the socket, so a slow reader stops its writer.
 *
 * Ownership: the user owns the conn and ends it by conn_close() or conn_finish(). Memory goes at
 * the end of the turn, so both may be called from anywhere. After either, no more ops are called.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/buffer.h"
#include "net/list.h"
#include "net/wheel.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct worker;
struct conn;

/** Something that is freed at the end of the turn (see worker_reap). */
struct reap {
    struct list node;
    void (*free)(struct reap *r);
};

struct tls_peer;
struct tls_session;
typedef struct ssl_ctx_st SSL_CTX;

enum conn_error {
    CONN_ERR_CONNECT = 1, /**< the connection could not be made */
    CONN_ERR_CONNECT_TIMEOUT,
    CONN_ERR_IO,  /**< reset, or another error of the socket */
    CONN_ERR_TLS, /**< handshake or record layer; conn_error_detail() has the reason */
    CONN_ERR_WRITE_TIMEOUT,
};

struct conn_ops {
    /** Connected, and the TLS handshake is done (conn_alpn() is known). */
    void (*ready)(struct conn *c);
    /** Bytes have come. Returns how many were taken. The rest is kept: offered again when more
     * comes or on resume. */
    size_t (*input)(struct conn *c, uint8_t *data, size_t len);
    /** The peer has ended its side. `clean` is false when TLS was cut off without close_notify. */
    void (*eof)(struct conn *c, bool clean);
    /** The same is known, but eof() has to wait: what came before it is kept until
     * CONN_PAUSE_PIPELINE is over. May be told again in the next such pause. NULL: of no interest.
     */
    void (*leaving)(struct conn *c);
    /** Fills buf with up to cap octets that are to be sent; 0: nothing now. */
    size_t (*output)(struct conn *c, uint8_t *buf, size_t cap);
    /** It is broken. The user must close it. */
    void (*failed)(struct conn *c, enum conn_error why);
};

/** Reasons for not reading. Only when none is left is the socket read again. */
enum conn_pause {
    CONN_PAUSE_BODY = 1,     /**< the pipe that the body goes to is full */
    CONN_PAUSE_PIPELINE = 2, /**< a request is being answered; the next ones wait */
};

enum conn_state {
    CONN_CONNECTING,
    CONN_VIA, /**< an HTTP proxy was asked to connect */
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_FINISHING, /**< sends what is left, then lingers until the peer has read it */
    CONN_LINGERING,
    CONN_CLOSED,
};

struct conn {
    uint32_t magic;
    enum conn_state state;
    int fd;
    struct worker *worker;
    const struct conn_ops *ops;
    void *user;
    struct tls_session *tls; /**< NULL in the clear */
    unsigned paused;         /**< enum conn_pause bits */
    bool eof_seen, eof_told, eof_clean;
    bool output_ended;          /**< conn_end_output() was called */
    bool notify_sent, fin_sent; /**< the ends of our side, of TLS and of the socket */
    int sys_errno;              /**< of the socket's failure */
    char *via;                  /**< what is asked of a proxy first; NULL: nothing */
    char via_error[64];         /**< why that did not help */
    ev_io rev, wev;
    struct buffer rx;         /**< plain bytes that were not taken */
    struct buffer tx;         /**< bytes on their way to the socket (ciphertext with TLS) */
    struct timer write_timer; /**< connect, handshake, write or linger time-out, by state */
    struct list node;         /**< worker->conns */
    struct reap reap;
    struct list dirty_node;                               /**< worker->dirty */
    struct list resume_node;                              /**< worker->resuming */
    uint64_t write_timeout, connect_timeout, via_timeout; /**< ms */
};

/** An accepted socket; with `ctx` TLS is spoken first. Takes the fd. NULL (fd closed) when TLS
 * cannot be set up. */
struct conn *conn_accept(struct worker *w, int fd, SSL_CTX *ctx, const struct conn_ops *ops,
                         void *user, uint64_t write_timeout);

/**
 * From input() or behind it, on an accepted connection in the clear: the octets that input() does
 * not take, and all that come, are TLS from now on. What follows is as with conn_accept(). False:
 * TLS cannot be set up, and nothing has changed.
 */
bool conn_start_tls(struct conn *c, SSL_CTX *ctx);

struct conn_target {
    const struct sockaddr *addr;
    socklen_t addr_len;
    const struct tls_peer *tls; /**< NULL: in the clear; conn_alpn() tells what was agreed on */
    uint64_t connect_timeout, write_timeout;
    const char *via; /**< `addr` is an HTTP proxy's: the CONNECT request that it gets (net/via.h),
                        which must outlive the connection; NULL: no proxy */
    uint64_t via_timeout; /**< for its answer */
};

/** Begins to connect. The outcome comes through ops, never from inside this call. NULL: no socket
 * could be had. */
struct conn *conn_connect(struct worker *w, const struct conn_target *t, const struct conn_ops *ops,
                          void *user);

/**
 * While it connects: these octets go out before everything else, in the clear with TLS too. They
 * take the place of those of an earlier call.
 */
void conn_set_preface(struct conn *c, const uint8_t *data, size_t len);

/** The user may change when the protocol on top does (ALPN, Upgrade). */
void conn_set_user(struct conn *c, const struct conn_ops *ops, void *user);

void conn_pause_reading(struct conn *c, enum conn_pause why);
void conn_resume_reading(struct conn *c, enum conn_pause why);
/** Offers the bytes that were not taken again, at the end of the turn. */
void conn_retry_input(struct conn *c);
void conn_want_output(struct conn *c);
/** Whether bytes wait for the socket. */
static inline bool conn_blocked(const struct conn *c)
{
    return c->tx.end > c->tx.start;
}

/**
 * Ends our side only: behind what output() has given goes close_notify, if it is TLS, and FIN.
 * Reading goes on, and output() is asked on, but must have nothing. May be called from output().
 */
void conn_end_output(struct conn *c);
/**
 * Closes without cutting off what is on its way (RFC 9112, 9.6). Called from output(), whose bytes
 * are then the last ones, or at any time when there is nothing more to say.
 */
void conn_finish(struct conn *c);
/** Makes the coming conn_close() a reset, which no peer can take for a regular end. */
void conn_reset_on_close(struct conn *c);
/** Closes at once. */
void conn_close(struct conn *c);

/** Whether nothing has come that was not handed out: asks the socket. */
bool conn_is_silent(const struct conn *c);

/** The agreed ALPN protocol, "" without one. */
const char *conn_alpn(const struct conn *c, size_t *len);
/** What went wrong, for the log. */
const char *conn_error_detail(const struct conn *c, enum conn_error why);

/** Called by the worker at the end of a turn. */
void conn_flush(struct conn *c);
void conn_run_resumed(struct conn *c);

#endif
