/* Keys, certificates and other files of TLS: whether they can be loaded, and why not. */
#include "tls/tls_check.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "ops/log.h"
#include "tls/tls.h"

/* The first error of the queue is the cause; those behind it say who could not go on because of it.
 */
const char *tls_first_error(void)
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

bool tls_is_file(const char *option, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
        return true; /* what is wrong with it is said by whoever opens it */
    }
    LOG(FATAL, "%s: %s: is a FIFO, a socket or a device; expected a file", option, path);
    return false;
}

bool tls_load_key_pair(SSL_CTX *ctx, const char *cert_option, const char *cert,
                       const char *key_option, const char *key)
{
    bool encrypted = false;
    if (!tls_is_file(cert_option, cert) || !tls_is_file(key_option, key)) {
        return false;
    }
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
        LOG(FATAL, "%s: %s: no certificate could be read: %s", cert_option, cert,
            tls_first_error());
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
        LOG(FATAL, "%s: %s: is encrypted; expected a key without a pass phrase", key_option, key);
    } else if (ERR_GET_LIB(e) == ERR_LIB_X509 && ERR_GET_REASON(e) == X509_R_KEY_VALUES_MISMATCH) {
        ERR_clear_error();
        LOG(FATAL, "%s: %s: is not the key of the certificate in %s", key_option, key, cert);
    } else {
        LOG(FATAL, "%s: %s: no private key could be read: %s", key_option, key, tls_first_error());
    }
    return false;
}

/* In a context that nobody uses. */
static bool check_pair(const char *cert_option, const char *cert, const char *key_option,
                       const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    bool good = ctx != NULL && tls_load_key_pair(ctx, cert_option, cert, key_option, key);
    SSL_CTX_free(ctx);
    return good;
}

bool tls_check_subcerts(const struct config *cfg)
{
    bool good = true;
    for (size_t i = 0; i < cfg->nsubcert; i++) {
        const struct cfg_subcert *s = &cfg->subcert[i];
        char option[512]; /* the file that is wrong is named behind it, whatever is cut off here */
        snprintf(option, sizeof(option), "subcert=%s:%s", s->key, s->cert);
        good = check_pair(option, s->cert, option, s->key) && good;
    }
    return good;
}

static bool check_cas(const char *option, const char *path)
{
    if (!tls_is_file(option, path)) {
        return false;
    }
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    bool good = ctx != NULL && SSL_CTX_load_verify_locations(ctx, path, NULL) == 1;
    if (!good) {
        LOG(FATAL, "%s: %s: no certificates could be read: %s", option, path, tls_first_error());
    }
    SSL_CTX_free(ctx);
    return good;
}

static bool check_dh_params(const char *path)
{
    if (!tls_is_file("dh-param-file", path)) {
        return false;
    }
    BIO *bio = BIO_new_file(path, "r");
    EVP_PKEY *params = bio != NULL ? PEM_read_bio_Parameters(bio, NULL) : NULL;
    bool good = params != NULL && EVP_PKEY_is_a(params, "DH");
    if (!good) {
        LOG(FATAL, "dh-param-file: %s: no DH parameters could be read: %s", path,
            tls_first_error());
    }
    EVP_PKEY_free(params);
    BIO_free(bio);
    return good;
}

bool tls_check_files(const struct config *cfg)
{
    bool good = true;
    if (cfg->verify_client_cacert != NULL) {
        good = check_cas("verify-client-cacert", cfg->verify_client_cacert) && good;
    }
    if (cfg->dh_param_file != NULL) {
        good = check_dh_params(cfg->dh_param_file) && good;
    }
    return good;
}
