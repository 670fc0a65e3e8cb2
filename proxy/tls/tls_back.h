/*
 * TLS to backends: one context for all that have the same settings, made once for a snapshot of
 * routes, shared by the workers. It decides by what a backend is known: CAs, pins.
 */
#ifndef TLS_TLS_BACK_H
#define TLS_TLS_BACK_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct cfg_backend;
struct config;
struct tls_backs;

/** Makes contexts for backends. NULL: what the options name cannot be loaded; lines that say what
 * went to the error log. */
struct tls_backs *tls_backs_new(const struct config *cfg);
/** A reference to the context for a backend, which `label` names in the log. NULL: as above. */
SSL_CTX *tls_backs_ctx(struct tls_backs *all, const struct cfg_backend *b, const char *label);
/** The contexts live on for those who have them. NULL is allowed. */
void tls_backs_free(struct tls_backs *all);

/** Whether certificates are verified, by CA and name. */
bool tls_back_verifies(const SSL_CTX *ctx);
/** After a handshake: whether the peer showed a certificate, if it had to. */
bool tls_back_is_identified(const SSL *ssl);

#endif
