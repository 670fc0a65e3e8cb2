/*
 * What an HTTP/2 server wants of OpenSSL: a context, and I/O that says what it waits for.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** NULL: OpenSSL's error queue says why. */
SSL_CTX *tls_server_context(const char *key_file, const char *cert_file);

enum tls_io {
    TLS_DONE,        /**< something was done */
    TLS_WANTS_READ,  /**< nothing yet: when the socket is readable */
    TLS_WANTS_WRITE, /**< nothing yet: when the socket is writable */
    TLS_GONE,        /**< the connection is over */
};

/** Goes on with the handshake. TLS_GONE also for a client that has not chosen "h2". */
enum tls_io tls_handshake(SSL *ssl);

/** *n octets were read or written. */
enum tls_io tls_read(SSL *ssl, uint8_t *buf, size_t cap, size_t *n);
enum tls_io tls_write(SSL *ssl, const uint8_t *data, size_t len, size_t *n);

#endif
