#include "tls_server.h"

#include <openssl/err.h>
#include <string.h>

/* ALPN (RFC 7301): the client has sent its list, a length in front of each name. Without "h2" in it
 * the handshake fails, because this server speaks nothing else. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    for (unsigned at = 0; at < in_len; at += 1u + in[at]) {
        if (in[at] == 2 && memcmp(in + at + 1, "h2", 2) == 0) {
            *out = in + at + 1;
            *out_len = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* RFC 9113, 9.2: TLS 1.2 at least, and of its cipher suites only those with ephemeral keys and
 * AEAD; neither renegotiation nor compression. */
SSL_CTX *tls_server_context(const char *key_file, const char *cert_file)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    return ctx;
}

static bool speaks_h2(const SSL *ssl)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

static enum tls_io outcome(const SSL *ssl, int rc)
{
    if (rc == 1) {
        return TLS_DONE;
    }
    switch (SSL_get_error(ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    default:
        return TLS_GONE;
    }
}

/* SSL_get_error() looks at the error queue, in which another connection's error may lie. */
enum tls_io tls_handshake(SSL *ssl)
{
    ERR_clear_error();
    enum tls_io result = outcome(ssl, SSL_accept(ssl));
    /* The callback above is not asked about a client that offers no protocol at all. */
    return result == TLS_DONE && !speaks_h2(ssl) ? TLS_GONE : result;
}

enum tls_io tls_read(SSL *ssl, uint8_t *buf, size_t cap, size_t *n)
{
    *n = 0;
    ERR_clear_error();
    return outcome(ssl, SSL_read_ex(ssl, buf, cap, n));
}

enum tls_io tls_write(SSL *ssl, const uint8_t *data, size_t len, size_t *n)
{
    *n = 0;
    ERR_clear_error();
    return outcome(ssl, SSL_write_ex(ssl, data, len, n));
}
