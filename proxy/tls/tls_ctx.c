/* The contexts: what the operator's options make of OpenSSL. */
#include "tls/tls.h"

#include <openssl/err.h>
#include <string.h>

#include "config.h"
#include "ops/log.h"
#include "tls/tls_check.h"
#include "tls/tls_ctx.h"

static int tls_version(enum cfg_tls_version v)
{
    return v == CFG_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

SSL_CTX *tls_new_ctx(const struct config *cfg, const SSL_METHOD *method, const char *ciphers,
                     const char *tls13_ciphers)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx == NULL) {
        LOG(FATAL, "TLS: %s", tls_first_error());
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
        LOG(FATAL, "%s: \"%s\" is no list that OpenSSL knows: %s", what, value, tls_first_error());
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* ---------------------------------------------------------------- server */

struct alpn_offer {
    const unsigned char *names;
    unsigned len;
};

/* Where `name` is in what the client offers, behind its length; NULL: it is not. */
static const unsigned char *find_offer(struct alpn_offer in, const char *name, size_t len)
{
    for (unsigned i = 0; i < in.len && i + 1u + in.names[i] <= in.len; i += 1u + in.names[i]) {
        if (in.names[i] == len && memcmp(in.names + i + 1, name, len) == 0) {
            return in.names + i + 1;
        }
    }
    return NULL;
}

/* Our order of preference decides (RFC 7301, 3.2); a client that offers ALPN but nothing of ours
 * gets an alert. What reads HTTP/1.1 reads HTTP/1.0, too, if a client knows no better. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                       const unsigned char *in, unsigned inlen, void *arg)
{
    (void)ssl;
    const struct config *cfg = arg;
    struct alpn_offer offer = {in, inlen};
    const unsigned char *old = NULL, *name = NULL;
    for (const char *p = cfg->alpn_list; name == NULL && *p != '\0';) {
        size_t len = strcspn(p, ",");
        name = find_offer(offer, p, len);
        if (len == 8 && memcmp(p, "http/1.1", 8) == 0) {
            old = find_offer(offer, "http/1.0", 8);
        }
        p += len + (p[len] == ',');
    }
    name = name != NULL ? name : old;
    if (name == NULL) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = name;
    *outlen = name[-1];
    return SSL_TLSEXT_ERR_OK;
}

static int tolerate_expired(int good, X509_STORE_CTX *chain)
{
    if (!good && X509_STORE_CTX_get_error(chain) == X509_V_ERR_CERT_HAS_EXPIRED) {
        X509_STORE_CTX_set_error(chain, X509_V_OK);
        return 1;
    }
    return good;
}

/* --verify-client. Without CAs of one's own nobody is let in: those of the system vouch for
 * servers. */
static bool demand_certificate(SSL_CTX *ctx, const struct config *cfg)
{
    const char *path = cfg->verify_client_cacert;
    if (!cfg->verify_client) {
        return true;
    }
    if (path != NULL) {
        if (!tls_is_file("verify-client-cacert", path)) {
            return false;
        }
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
        if (names == NULL || SSL_CTX_load_verify_locations(ctx, path, NULL) != 1) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            LOG(FATAL, "verify-client-cacert: %s: no certificates could be read", path);
            return false;
        }
        SSL_CTX_set_client_CA_list(ctx, names);
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       cfg->verify_client_tolerate_expired ? tolerate_expired : NULL);
    return true;
}

SSL_CTX *tls_server_ctx(const struct config *cfg)
{
    SSL_CTX *ctx = tls_new_ctx(cfg, TLS_server_method(), cfg->ciphers, cfg->tls13_ciphers);
    if (ctx == NULL) {
        return NULL;
    }
    if (!tls_load_key_pair(ctx, "certificate-file", cfg->certificate_file, "private-key-file",
                           cfg->private_key_file) ||
        !tls_check_subcerts(cfg) || !demand_certificate(ctx, cfg)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    static const unsigned char session_context[] = "nghttpx";
    SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);
    SSL_CTX_set_timeout(ctx, 12 * 3600); /* as the original: a session may be resumed for 12 h */
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, (void *)(uintptr_t)cfg);
    return ctx;
}

bool tls_fronts_ctx(const struct config *cfg, SSL_CTX **ctx)
{
    bool needed = false;
    for (size_t i = 0; i < cfg->nfrontend; i++) {
        needed = needed || cfg->frontend[i].tls;
    }
    *ctx = needed ? tls_server_ctx(cfg) : NULL;
    return !needed || *ctx != NULL;
}
