/* The contexts: what the operator's options make of OpenSSL. */
#include "tls/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "ops/log.h"

/* The first error of the queue is the cause; those behind it say who could not go on because of it.
 */
static const char *first_error(void)
{
    unsigned long e = ERR_peek_error();
    const char *reason = NULL;
    if (e != 0) {
        reason = ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);
    }
    ERR_clear_error();
    return reason != NULL ? reason : "unknown error";
}

/* Nobody sits at a server to type a pass phrase. */
static int no_pass_phrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)ctx = true;
    return -1;
}

static int tls_version(enum cfg_tls_version v)
{
    return v == CFG_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

/* What both roles have in common. */
static SSL_CTX *new_ctx(const struct config *cfg, const SSL_METHOD *method, const char *ciphers,
                        const char *tls13_ciphers)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx == NULL) {
        LOG(FATAL, "TLS: %s", first_error());
        return NULL;
    }
    /* No anti-replay: it is for early data, which is not taken. */
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
        LOG(FATAL, "%s: \"%s\" is no list that OpenSSL knows: %s", what, value, first_error());
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
    const char *cert = cfg->certificate_file, *key = cfg->private_key_file;
    bool encrypted = false;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
        LOG(FATAL, "certificate-file: %s: no certificate could be read: %s", cert, first_error());
        return false;
    }
    SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &encrypted);
    int rc = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, NULL);
    if (rc == 1) {
        return true;
    }
    unsigned long e = ERR_peek_last_error();
    if (encrypted) {
        ERR_clear_error();
        LOG(FATAL, "private-key-file: %s: is encrypted; expected a key without a pass phrase", key);
    } else if (ERR_GET_LIB(e) == ERR_LIB_X509 && ERR_GET_REASON(e) == X509_R_KEY_VALUES_MISMATCH) {
        ERR_clear_error();
        LOG(FATAL, "private-key-file: %s: is not the key of the certificate in %s", key, cert);
    } else {
        LOG(FATAL, "private-key-file: %s: no private key could be read: %s", key, first_error());
    }
    return false;
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
    SSL_CTX_set_timeout(ctx, 12 * 3600); /* as the original: a session may be resumed for 12 h */
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
        LOG(WARN, "the system's certificate store could not be loaded: %s", first_error());
    }
    if (cfg->cacert != NULL && SSL_CTX_load_verify_locations(ctx, cfg->cacert, NULL) != 1) {
        LOG(FATAL, "cacert: %s: no certificates could be read: %s", cfg->cacert, first_error());
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}
