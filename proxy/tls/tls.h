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
/** Both contexts, each NULL when the configuration has no use for it. False: as above, for each
 * that failed; the caller frees what there is all the same. */
bool tls_contexts(const struct config *cfg, SSL_CTX **server, SSL_CTX **client);
/** Whether the other files that options name can be loaded: the key pair for backends, CAs, DH
 * parameters. False: as above, for each. */
bool tls_check_files(const struct config *cfg);
/** The context for backends, with the system's store and `cfg->cacert`; whether a session verifies
 * is tls_session_set_peer()'s. */
SSL_CTX *tls_client_ctx(const struct config *cfg);

/** Where a growing output lives. */
struct buffer;

struct tls_session {
    SSL *ssl;
    const uint8_t *in; /**< ciphertext that has not been read by OpenSSL */
    size_t in_len;
    uint8_t *in_mem;    /**< owned copy of `in` while it has to outlive a turn; NULL otherwise */
    struct buffer *out; /**< where ciphertext goes */
    char error[160];    /**< why it failed */
};

struct tls_session *tls_session_new(SSL_CTX *ctx, bool server, struct buffer *out);
void tls_session_free(struct tls_session *t);

/** Client: name to send and check, and the one ALPN protocol to offer. False: not possible (the
 * name is no name). */
bool tls_session_set_peer(struct tls_session *t, const char *name, bool verify, const char *alpn);

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
