/* Keys and certificates as options name them: loading them, and saying what is wrong. */
#ifndef TLS_TLS_CHECK_H
#define TLS_TLS_CHECK_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct config;

/** Loads a certificate with its chain and its key. The names of the options are for the log; false:
 * a line is in it. */
bool tls_load_key_pair(SSL_CTX *ctx, const char *cert_option, const char *cert,
                       const char *key_option, const char *key);
/** False: it is a FIFO or the like, which would keep its reader waiting; a line is in the log. */
bool tls_is_file(const char *option, const char *path);
/** Whether the key pairs of --subcert can be loaded. */
bool tls_check_subcerts(const struct config *cfg);
/** Says the first error of OpenSSL's queue, and empties it. */
const char *tls_first_error(void);

#endif
