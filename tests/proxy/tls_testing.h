/* What the tests of TLS share: two sessions that talk through memory. */
#ifndef TLS_TESTING_H
#define TLS_TESTING_H

#include "net/buffer.h"
#include "proxy_testing.h"
#include "tls/tls.h"

#include <stdbool.h>
#include <stddef.h>

struct end {
    struct tls_session *tls;
    struct buffer out;
};

struct pair {
    struct rig rig;
    struct end server, client;
};

/** The server shows `cert`, the client trusts `trusted` (of cert_make()). */
void pair_open(struct pair *p, const char *cert, const char *trusted, const char *options);
void pair_close(struct pair *p);
/** The client's session is another one, of this context (NULL: the one that it has). */
void pair_set_client(struct pair *p, SSL_CTX *ctx);
/** Whom the client wants to talk to. */
bool pair_set_peer(struct pair *p, const char *name, const char *alpn);
/** Ends both sessions and begins others, as for the next connection. */
void pair_again(struct pair *p);

/** Moves up to `piece` octets from one end's output to the other's input. False: there are none. */
bool pair_carry(struct end *from, struct end *to, size_t piece);
/** Handshakes until both are done or one has failed; ciphertext goes in pieces. */
void pair_shake(struct pair *p, size_t piece, enum tls_rc *server, enum tls_rc *client);

#endif
