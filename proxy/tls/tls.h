/*
 * TLS over the program's own buffers. OpenSSL never sees a socket: its BIO takes ciphertext from
 * memory that one recv() filled with many records, and puts ciphertext into memory that one send()
 * empties.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;

/** The server's context: certificate, key, protocols, ALPN. NULL: a line that names the fault went
 * to the error log. */
SSL_CTX *tls_server_ctx(const struct config *cfg);
/** The same for the frontends of a configuration; *ctx is NULL when none of them has TLS. False: as
 * above. */
bool tls_fronts_ctx(const struct config *cfg, SSL_CTX **ctx);
/** Whether the other files that options name can be loaded: CAs of clients, DH parameters. False:
 * as above, for each. */
bool tls_check_files(const struct config *cfg);

/** Where a growing output lives. */
struct buffer;
struct tls_store;

struct tls_session {
    SSL *ssl;
    const uint8_t *in; /**< ciphertext that has not been read by OpenSSL */
    size_t in_len;
    uint8_t *in_mem;    /**< owned copy of `in` while it has to outlive a turn; NULL otherwise */
    struct buffer *out; /**< where ciphertext goes */
    struct tls_store *store; /**< a reference: where sessions go; NULL: nowhere */
    char *error;             /**< why it failed; NULL: nobody said */
};

struct tls_session *tls_session_new(SSL_CTX *ctx, bool server, struct buffer *out);
void tls_session_free(struct tls_session *t);

/** Whom a client talks to. */
struct tls_peer {
    SSL_CTX *ctx;            /**< of tls_backs_ctx(): decides what is verified */
    const char *name;        /**< is sent, unless it is an address, and verified; NULL: none */
    const char *alpn;        /**< the protocols to offer, separated by commas */
    struct tls_store *store; /**< its sessions, to resume one and to keep those that come */
};

/** Client: what to send, to check and to offer. False: not possible (the name is no name, or there
 * is none and one is to be verified). */
bool tls_session_set_peer(struct tls_session *t, const struct tls_peer *peer);

/** Says why it failed. What was said first stays: it is the cause. */
void tls_session_explain(struct tls_session *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Once, before any thread: what all sessions share; and at the very end. */
void tls_prepare(void);
void tls_cleanup(void);

enum tls_rc { TLS_OK, TLS_WANT_READ, TLS_CLOSED, TLS_FAILED };

enum tls_rc tls_handshake(struct tls_session *t);
/** Reads up to cap octets of plain text; TLS_OK: *len > 0. TLS_CLOSED: the peer sent close_notify.
 */
enum tls_rc tls_read(struct tls_session *t, uint8_t *buf, size_t cap, size_t *len);
/** Encrypts all of it into the output. */
enum tls_rc tls_write(struct tls_session *t, const uint8_t *buf, size_t len);
void tls_shutdown(struct tls_session *t);
/** Copies ciphertext that was not read yet, so that the buffer it lies in can be used again. */
void tls_keep_input(struct tls_session *t);

#endif
