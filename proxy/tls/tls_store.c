/* A few sessions of one server, the newest used first. */
#include "tls/tls_store.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "net/block.h"

/* A server gives one or two tickets with each connection. More than a worker opens at once, as a
 * rule, need not be kept: a session holds the server's certificates, some 5 KiB. */
#define MOST 8u

struct tls_store {
    unsigned refs;
    size_t n;
    SSL_SESSION *list[MOST]; /* the newest last */
};

struct tls_store *tls_store_new(void)
{
    struct tls_store *s = xcalloc(1, sizeof(*s));
    s->refs = 1;
    return s;
}

struct tls_store *tls_store_ref(struct tls_store *s)
{
    assert(s->refs > 0);
    s->refs++;
    return s;
}

void tls_store_unref(struct tls_store *s)
{
    if (s == NULL) {
        return;
    }
    assert(s->refs > 0);
    s->refs--;
    if (s->refs == 0) {
        tls_store_clear(s);
        free(s);
    }
}

void tls_store_clear(struct tls_store *s)
{
    while (s->n > 0) {
        SSL_SESSION_free(s->list[--s->n]);
    }
}

/* RFC 8446, C.4: a ticket that is used twice tells whoever listens that both connections are of the
 * same client. A session of TLS 1.2 is meant to be used again and again. */
static bool is_for_one_use(const SSL_SESSION *session)
{
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

void tls_store_put(struct tls_store *s, SSL_SESSION *session)
{
    if (!is_for_one_use(session) || (s->n > 0 && !is_for_one_use(s->list[s->n - 1]))) {
        tls_store_clear(s);
    }
    if (s->n == MOST) {
        SSL_SESSION_free(s->list[0]);
        for (size_t i = 1; i < MOST; i++) {
            s->list[i - 1] = s->list[i];
        }
        s->n--;
    }
    s->list[s->n++] = session;
}

/* The certificate is not shown again, so it must not have expired since. */
static bool is_good(SSL_SESSION *session)
{
    long now = (long)time(NULL), age = now - SSL_SESSION_get_time(session);
    unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(session);
    X509 *cert = SSL_SESSION_get0_peer(session);
    if (!SSL_SESSION_is_resumable(session) || age < 0 || age >= SSL_SESSION_get_timeout(session) ||
        (hint > 0 && (unsigned long)age >= hint)) {
        return false;
    }
    return cert == NULL || X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

SSL_SESSION *tls_store_take(struct tls_store *s)
{
    while (s->n > 0) {
        SSL_SESSION *session = s->list[s->n - 1];
        if (!is_good(session)) {
            SSL_SESSION_free(session);
        } else if (!is_for_one_use(session)) {
            SSL_SESSION_up_ref(session);
            return session;
        } else {
            s->n--;
            return session;
        }
        s->n--;
    }
    return NULL;
}
