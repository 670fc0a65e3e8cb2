/* By what a backend is known, and what is said of one that is not it. */
#ifndef TLS_TLS_VERIFY_H
#define TLS_TLS_VERIFY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

struct tls_trust {
    bool insecure; /**< the certificate is not verified; pins are, all the same */
    size_t npins;
    uint8_t (*pins)[CFG_PIN_SIZE]; /**< SHA-256 of the SubjectPublicKeyInfo: one of these */
};

/** Takes the place of OpenSSL's own verification; `trust` is a struct tls_trust. 1: it is the one.
 * Else the session is told why not. */
int tls_verify(X509_STORE_CTX *chain, void *trust);

#endif
