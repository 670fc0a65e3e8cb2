/*
 * The sessions that a server has given us, to resume one with the next connection: most of a
 * handshake, and the certificate, are left out then. A store is for one server spoken to in one
 * way, so that what was verified for a session is what would be verified now; and for one thread.
 */
#ifndef TLS_TLS_STORE_H
#define TLS_TLS_STORE_H

#include <openssl/ssl.h>

struct tls_store;

struct tls_store *tls_store_new(void);
struct tls_store *tls_store_ref(struct tls_store *s);
/** The last one frees. NULL is allowed. */
void tls_store_unref(struct tls_store *s);

/** Takes over the caller's reference. */
void tls_store_put(struct tls_store *s, SSL_SESSION *session);
/** One that can be resumed now, the newest; a reference of the caller's. NULL: there is none. One
 * of TLS 1.3 is not there any more afterwards. */
SSL_SESSION *tls_store_take(struct tls_store *s);
void tls_store_clear(struct tls_store *s);

#endif
