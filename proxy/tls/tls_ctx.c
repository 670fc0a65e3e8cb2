/* The contexts: what the operator's options make of OpenSSL. */
#include "tls/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "ops/log.h"

static const char *last_error(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return reason != NULL ? reason : "unknown error";
}

static int tls_version(enum cfg_tls_version v)
{
    return v == CFG_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

/* What both roles have in common. */
static SSL_CTX *new_ctx(const struct config *cfg, const SSL_METHOD *method, const char *ciphers,
                        const char *tls13_ciphers)
{
    tls_prepare();
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx == NULL) {
        LOG(FATAL, "TLS: %s", last_error());
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_ANTI_REPLAY);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_clear_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_min_proto_version(ctx,
                                  tls_version((enum cfg_tls_version)cfg->tls_min_proto_version));
    SSL_CTX_set_max_proto_version(ctx,
                                  tls_version((enum cfg_tls_version)cfg->tls_max_proto_version));
    const char *what = NULL, *value = NULL;
    if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1) {
        what = "ciphers", value = ciphers;
    } else if (SSL_CTX_set_ciphersuites(ctx, tls13_ciphers) != 1) {
        what = "tls13-ciphers", value = tls13_ciphers;
    } else if (SSL_CTX_set1_groups_list(ctx, cfg->groups) != 1) {
        what = "groups", value = cfg->groups;
    }
    if (what != NULL) {
        LOG(FATAL, "%s: \"%s\" is no list that OpenSSL knows: %s", what, value, last_error());
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* ---------------------------------------------------------------- server */

/* Our order of preference decides (RFC 7301, 3.2); a client that offers ALPN but nothing of ours
 * gets an alert. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                       const unsigned char *in, unsigned inlen, void *arg)
{
    (void)ssl;
    const struct config *cfg = arg;
    for (const char *p = cfg->alpn_list; *p != '\0';) {
        size_t len = strcspn(p, ",");
        for (unsigned i = 0; i < inlen && i + 1u + in[i] <= inlen; i += 1u + in[i]) {
            if (in[i] == len && memcmp(in + i + 1, p, len) == 0) {
                *out = in + i + 1;
                *outlen = in[i];
                return SSL_TLSEXT_ERR_OK;
            }
        }
        p += len + (p[len] == ',');
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool load_key_pair(SSL_CTX *ctx, const struct config *cfg)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cfg->certificate_file) != 1) {
        LOG(FATAL, "certificate-file: %s: no certificate could be read: %s", cfg->certificate_file,
            last_error());
        return false;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, cfg->private_key_file, SSL_FILETYPE_PEM) != 1) {
        LOG(FATAL, "private-key-file: %s: no private key could be read: %s", cfg->private_key_file,
            last_error());
        return false;
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        LOG(FATAL, "private-key-file: %s: is not the key of the certificate in %s: %s",
            cfg->private_key_file, cfg->certificate_file, last_error());
        return false;
    }
    return true;
}

SSL_CTX *tls_server_ctx(const struct config *cfg)
{
    SSL_CTX *ctx = new_ctx(cfg, TLS_server_method(), cfg->ciphers, cfg->tls13_ciphers);
    if (ctx == NULL) {
        return NULL;
    }
    if (!load_key_pair(ctx, cfg)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    static const unsigned char session_context[] = "nghttpx";
    SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);
    SSL_CTX_set_timeout(ctx, 12 * 3600);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, (void *)(uintptr_t)cfg);
    return ctx;
}

/* ---------------------------------------------------------------- client */

SSL_CTX *tls_client_ctx(const struct config *cfg)
{
    SSL_CTX *ctx =
        new_ctx(cfg, TLS_client_method(), cfg->client_ciphers, cfg->tls13_client_ciphers);
    if (ctx == NULL) {
        return NULL;
    }
    if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
        LOG(WARN, "the system's certificate store could not be loaded: %s", last_error());
    }
    if (cfg->cacert != NULL && SSL_CTX_load_verify_locations(ctx, cfg->cacert, NULL) != 1) {
        LOG(FATAL, "cacert: %s: no certificates could be read: %s", cfg->cacert, last_error());
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}
