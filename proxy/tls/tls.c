/* TLS sessions: OpenSSL between memory and memory. */
#include "tls/tls.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/buffer.h"
#include "tls/tls_back.h"
#include "tls/tls_store.h"

/* ---------------------------------------------------------------- the BIO */

static int bio_write(BIO *bio, const char *data, size_t len, size_t *written)
{
    struct tls_session *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buffer_append(t->out, (const uint8_t *)data, len);
    *written = len;
    return 1;
}

static int bio_read(BIO *bio, char *data, size_t len, size_t *read)
{
    struct tls_session *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (t->in_len == 0) {
        *read = 0;
        BIO_set_retry_read(bio);
        return 0;
    }
    size_t n = len < t->in_len ? len : t->in_len;
    memcpy(data, t->in, n);
    t->in += n;
    t->in_len -= n;
    *read = n;
    return 1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method; /* made by tls_prepare(), before any thread is started */
    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nghttpx memory");
        if (method == NULL || BIO_meth_set_write_ex(method, bio_write) != 1 ||
            BIO_meth_set_read_ex(method, bio_read) != 1 ||
            BIO_meth_set_ctrl(method, bio_ctrl) != 1 ||
            BIO_meth_set_create(method, bio_create) != 1) {
            abort();
        }
    }
    return method;
}

void tls_prepare(void)
{
    (void)bio_method();
}

void tls_cleanup(void)
{
    BIO_meth_free(bio_method());
}

/* ---------------------------------------------------------------- sessions */

struct tls_session *tls_session_new(SSL_CTX *ctx, bool server, struct buffer *out)
{
    struct tls_session *t = xcalloc(1, sizeof(*t));
    BIO *bio = BIO_new(bio_method());
    t->ssl = SSL_new(ctx);
    t->out = out;
    if (bio == NULL || t->ssl == NULL) {
        BIO_free(bio);
        SSL_free(t->ssl);
        free(t);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    if (server) {
        SSL_set_accept_state(t->ssl);
    } else {
        SSL_set_connect_state(t->ssl);
    }
    return t;
}

void tls_session_free(struct tls_session *t)
{
    if (t == NULL) {
        return;
    }
    if (t->store != NULL) {
        /* OpenSSL would make the session unfit for resumption, for a close without close_notify;
         * that is not asked for since TLS 1.1 (RFC 5246, 7.2.1). */
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(t->ssl);
    tls_store_unref(t->store);
    free(t->error);
    free(t->in_mem);
    free(t);
}

static bool is_numeric(const char *name)
{
    unsigned char addr[16];
    return inet_pton(AF_INET, name, addr) == 1 || inet_pton(AF_INET6, name, addr) == 1;
}

static bool check_name(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    /* Only subjectAltName counts; the subject's CN is not a name (RFC 9110, 4.3.4; RFC 9525). */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    bool ok = is_numeric(name) ? X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1
                               : X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
    return ok;
}

/* The list as ALPN has it: each name behind its length (RFC 7301, 3.1). */
static bool offer(SSL *ssl, const char *list)
{
    unsigned char wire[32];
    size_t at = 0;
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        assert(len > 0 && at + 1 + len <= sizeof(wire)); /* we say it, nobody else */
        wire[at++] = (unsigned char)len;
        memcpy(wire + at, list, len);
        at += len;
        list += len + (list[len] == ',');
    }
    return SSL_set_alpn_protos(ssl, wire, (unsigned)at) == 0;
}

static void resume(struct tls_session *t)
{
    SSL_SESSION *s = tls_store_take(t->store);
    if (s != NULL) {
        (void)SSL_set_session(t->ssl, s); /* if it does not fit there is a full handshake */
        SSL_SESSION_free(s);
    }
}

bool tls_session_set_peer(struct tls_session *t, const struct tls_peer *peer)
{
    const char *name = peer->name;
    bool ok = offer(t->ssl, peer->alpn);
    if (name != NULL && !is_numeric(name)) {
        /* The macro casts const away where a warning is made of it. */
        ok = ok && SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                            (void *)(uintptr_t)name) == 1;
    }
    if (tls_back_verifies(peer->ctx)) {
        ok = ok && name != NULL && check_name(t->ssl, name);
    }
    if (peer->store != NULL) {
        t->store = tls_store_ref(peer->store);
        resume(t);
    }
    ERR_clear_error();
    return ok;
}

void tls_session_explain(struct tls_session *t, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    if (t->error == NULL) {
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        t->error = xstrdup(text);
    }
}

static enum tls_rc fail(struct tls_session *t)
{
    unsigned long e = ERR_peek_last_error();
    if (e != 0) {
        const char *reason = ERR_reason_error_string(e);
        tls_session_explain(t, "TLS: %s", reason != NULL ? reason : "unknown error");
    }
    ERR_clear_error();
    return TLS_FAILED;
}

/* What a call of OpenSSL came to. */
static enum tls_rc outcome(struct tls_session *t, int ret)
{
    switch (SSL_get_error(t->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return fail(t);
    }
}

enum tls_rc tls_handshake(struct tls_session *t)
{
    ERR_clear_error();
    int ret = SSL_do_handshake(t->ssl);
    enum tls_rc rc = ret == 1 ? TLS_OK : outcome(t, ret);
    if (rc == TLS_OK && !SSL_is_server(t->ssl) && !tls_back_is_identified(t->ssl)) {
        tls_session_explain(t, "certificate: there is none");
        rc = TLS_FAILED;
    }
    if (rc == TLS_FAILED && t->store != NULL) {
        tls_store_clear(t->store); /* it may be the session that the peer stumbles over */
    }
    return rc;
}

enum tls_rc tls_read(struct tls_session *t, uint8_t *buf, size_t cap, size_t *len)
{
    ERR_clear_error();
    int ret = SSL_read_ex(t->ssl, buf, cap, len);
    return ret == 1 ? TLS_OK : outcome(t, ret);
}

enum tls_rc tls_write(struct tls_session *t, const uint8_t *buf, size_t len)
{
    size_t written = 0;
    ERR_clear_error();
    int ret = SSL_write_ex(t->ssl, buf, len, &written);
    if (ret != 1) {
        return fail(t);
    }
    assert(written == len); /* the BIO takes everything */
    return TLS_OK;
}

void tls_shutdown(struct tls_session *t)
{
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

void tls_keep_input(struct tls_session *t)
{
    uint8_t *old = t->in_mem;
    t->in_mem = NULL;
    if (t->in_len > 0) {
        t->in_mem = xmalloc(t->in_len);
        memcpy(t->in_mem, t->in, t->in_len);
    }
    t->in = t->in_mem;
    free(old);
}
