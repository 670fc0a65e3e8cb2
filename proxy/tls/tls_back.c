/* Contexts for backends: which of them are the same, and what their settings make of OpenSSL. */
#include "tls/tls_back.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "net/block.h"
#include "ops/log.h"
#include "tls/tls.h"
#include "tls/tls_check.h"
#include "tls/tls_ctx.h"
#include "tls/tls_store.h"
#include "tls/tls_verify.h"

/* For so long a certificate is believed without being shown again, whatever the server allows. */
#define SESSION_SECONDS (2 * 3600)

/* What makes two backends' contexts the same. The strings and pins are the configuration's. */
struct settings {
    const char *ca, *cert, *key; /* NULL: the system's CAs and --cacert's; no certificate */
    struct tls_trust trust;
};

struct known {
    struct settings settings;
    SSL_CTX *ctx;
};

struct tls_backs {
    const struct config *cfg;
    X509_STORE *store; /* the system's certificates and --cacert, once they are needed */
    struct known *list;
    size_t n;
};

/* ---------------------------------------------------------------- what a context carries */

static int trust_index;
static pthread_once_t trust_once = PTHREAD_ONCE_INIT;

/* The last session of a context may outlive the routes that it was made for, and so does this. */
static void free_trust(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    struct tls_trust *trust = ptr;
    if (trust != NULL) {
        free(trust->pins);
        free(trust);
    }
}

static void make_trust_index(void)
{
    trust_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_trust);
}

static const struct tls_trust *trust_of(const SSL_CTX *ctx)
{
    return SSL_CTX_get_ex_data(ctx, trust_index);
}

static void set_trust(SSL_CTX *ctx, const struct tls_trust *from)
{
    struct tls_trust *trust = xcalloc(1, sizeof(*trust));
    *trust = *from;
    trust->pins = NULL;
    if (from->npins > 0) {
        trust->pins = xmalloc(from->npins * sizeof(*trust->pins));
        memcpy(trust->pins, from->pins, from->npins * sizeof(*trust->pins));
    }
    if (SSL_CTX_set_ex_data(ctx, trust_index, trust) != 1) {
        abort(); /* no memory */
    }
    SSL_CTX_set_cert_verify_callback(ctx, tls_verify, trust);
    bool any = !trust->insecure || trust->npins > 0;
    SSL_CTX_set_verify(ctx, any ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
}

bool tls_back_verifies(const SSL_CTX *ctx)
{
    return !trust_of(ctx)->insecure;
}

/* Verification is asked for a certificate only when there is one, and with some cipher suites of
 * TLS 1.2 that an operator may allow there is none. */
bool tls_back_is_identified(const SSL *ssl)
{
    return SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE || SSL_get0_peer_certificate(ssl) != NULL;
}

/* ---------------------------------------------------------------- sessions */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_session *t = SSL_get_app_data(ssl);
    if (t->store == NULL) {
        return 0;
    }
    tls_store_put(t->store, session);
    return 1; /* the reference is ours */
}

static void keep_sessions(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_CTX_set_timeout(ctx, SESSION_SECONDS);
}

/* ---------------------------------------------------------------- CAs */

static X509_STORE *load_default_cas(const struct config *cfg)
{
    X509_STORE *store = X509_STORE_new();
    if (store == NULL) {
        abort(); /* no memory */
    }
    if (X509_STORE_set_default_paths(store) != 1) {
        LOG(WARN, "the system's certificate store could not be loaded: %s", tls_first_error());
    }
    if (cfg->cacert != NULL && !tls_is_file("cacert", cfg->cacert)) {
        X509_STORE_free(store);
        return NULL;
    }
    if (cfg->cacert != NULL && X509_STORE_load_file(store, cfg->cacert) != 1) {
        LOG(FATAL, "cacert: %s: no certificates could be read: %s", cfg->cacert, tls_first_error());
        X509_STORE_free(store);
        return NULL;
    }
    return store;
}

/* The system's certificates cost 1 MiB and some milliseconds: once, and only where they count. */
static bool set_default_cas(struct tls_backs *all, SSL_CTX *ctx)
{
    if (all->store == NULL) {
        all->store = load_default_cas(all->cfg);
    }
    if (all->store != NULL) {
        SSL_CTX_set1_cert_store(ctx, all->store);
    }
    return all->store != NULL;
}

static bool set_cas(struct tls_backs *all, SSL_CTX *ctx, const struct settings *s,
                    const char *label)
{
    if (s->trust.insecure) {
        return true;
    }
    if (s->ca == NULL) {
        return set_default_cas(all, ctx);
    }
    if (!tls_is_file("ca of a backend", s->ca)) {
        return false;
    }
    if (SSL_CTX_load_verify_file(ctx, s->ca) != 1) {
        LOG(FATAL, "backend %s: ca: %s: no certificates could be read: %s", label, s->ca,
            tls_first_error());
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- making them */

static bool is_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same(const struct settings *a, const struct settings *b)
{
    return is_text(a->ca, b->ca) && is_text(a->cert, b->cert) && is_text(a->key, b->key) &&
           a->trust.insecure == b->trust.insecure && a->trust.npins == b->trust.npins &&
           (a->trust.npins == 0 ||
            memcmp(a->trust.pins, b->trust.pins, a->trust.npins * CFG_PIN_SIZE) == 0);
}

/* The options' pair; either without the other is of no use, which the configuration says. */
static bool has_default_pair(const struct config *cfg)
{
    return cfg->client_cert_file != NULL && cfg->client_private_key_file != NULL;
}

static struct settings settings_of(const struct config *cfg, const struct cfg_backend *b)
{
    struct settings s = {
        .trust = {.insecure = cfg->insecure || b->insecure, .npins = b->npins, .pins = b->pins}};
    s.ca = s.trust.insecure ? NULL : b->ca;
    s.cert = b->cert != NULL || !has_default_pair(cfg) ? b->cert : cfg->client_cert_file;
    s.key = b->cert != NULL || !has_default_pair(cfg) ? b->key : cfg->client_private_key_file;
    return s;
}

static bool set_pair(SSL_CTX *ctx, const struct config *cfg, const struct settings *s,
                     const char *label)
{
    char cert[256], key[256]; /* the file is named behind it, whatever is cut off here */
    if (s->cert == NULL) {
        return true;
    }
    if (s->cert == cfg->client_cert_file) {
        return tls_load_key_pair(ctx, "client-cert-file", s->cert, "client-private-key-file",
                                 s->key);
    }
    snprintf(cert, sizeof(cert), "backend %s: cert", label);
    snprintf(key, sizeof(key), "backend %s: key", label);
    return tls_load_key_pair(ctx, cert, s->cert, key, s->key);
}

static SSL_CTX *make(struct tls_backs *all, const struct settings *s, const char *label)
{
    const struct config *cfg = all->cfg;
    SSL_CTX *ctx =
        tls_new_ctx(cfg, TLS_client_method(), cfg->client_ciphers, cfg->tls13_client_ciphers);
    if (ctx == NULL) {
        return NULL;
    }
    set_trust(ctx, &s->trust);
    keep_sessions(ctx);
    bool good = set_cas(all, ctx, s, label);
    good = set_pair(ctx, cfg, s, label) && good;
    if (!good) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* Nobody has a name behind a UNIX socket, unless it is said. */
static bool can_verify(const struct settings *s, const struct cfg_backend *b, const char *label)
{
    bool can = s->trust.insecure || b->sni != NULL || b->addr.path == NULL;
    if (!can) {
        LOG(FATAL, "backend %s: a UNIX socket has no name to verify; expected sni=NAME or insecure",
            label);
    }
    return can;
}

/* The one for these settings, still the list's; NULL: it cannot be made. */
static SSL_CTX *find_or_make(struct tls_backs *all, const struct settings *s, const char *label)
{
    for (size_t i = 0; i < all->n; i++) {
        if (is_same(s, &all->list[i].settings)) {
            return all->list[i].ctx;
        }
    }
    SSL_CTX *ctx = make(all, s, label);
    if (ctx != NULL) {
        all->list = xrealloc(all->list, (all->n + 1) * sizeof(*all->list));
        all->list[all->n++] = (struct known){*s, ctx};
    }
    return ctx;
}

SSL_CTX *tls_backs_ctx(struct tls_backs *all, const struct cfg_backend *b, const char *label)
{
    struct settings s = settings_of(all->cfg, b);
    SSL_CTX *ctx = find_or_make(all, &s, label);
    if (!can_verify(&s, b, label) || ctx == NULL) {
        return NULL;
    }
    SSL_CTX_up_ref(ctx);
    return ctx;
}

struct tls_backs *tls_backs_new(const struct config *cfg)
{
    struct tls_backs *all = xcalloc(1, sizeof(*all));
    pthread_once(&trust_once, make_trust_index);
    assert(trust_index >= 0);
    all->cfg = cfg;
    /* Files that options name are wrong or right whether or not a backend needs them. */
    static const struct cfg_backend any = {.tls = true};
    bool needed = cfg->cacert != NULL || has_default_pair(cfg);
    SSL_CTX *ctx = needed ? tls_backs_ctx(all, &any, "any") : NULL;
    bool good = !needed || ctx != NULL;
    SSL_CTX_free(ctx);
    if (good && cfg->cacert != NULL && all->store == NULL) { /* with --insecure nobody loads it */
        all->store = load_default_cas(cfg);
        good = all->store != NULL;
    }
    if (!good) {
        tls_backs_free(all);
        return NULL;
    }
    return all;
}

void tls_backs_free(struct tls_backs *all)
{
    if (all == NULL) {
        return;
    }
    for (size_t i = 0; i < all->n; i++) {
        SSL_CTX_free(all->list[i].ctx);
    }
    X509_STORE_free(all->store);
    free(all->list);
    free(all);
}
