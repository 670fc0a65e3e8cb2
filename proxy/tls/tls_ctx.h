/* What the contexts of both roles have in common. */
#ifndef TLS_TLS_CTX_H
#define TLS_TLS_CTX_H

#include <openssl/ssl.h>

struct config;

/** A context with the versions, ciphers and groups of the configuration. NULL: a line that names
 * the fault went to the error log. */
SSL_CTX *tls_new_ctx(const struct config *cfg, const SSL_METHOD *method, const char *ciphers,
                     const char *tls13_ciphers);

#endif
