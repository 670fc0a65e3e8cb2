/* What may be asked of a connection. Nothing here changes one. */
#include "net/conn.h"

#include <errno.h>
#include <string.h>

#include "tls/tls.h"

bool conn_is_silent(const struct conn *c)
{
    uint8_t byte;
    if (c->state != CONN_OPEN || c->eof_seen || buffer_len(&c->rx) > 0) {
        return false;
    }
    if (c->tls != NULL && (c->tls->in_len > 0 || SSL_pending(c->tls->ssl) > 0)) {
        return false;
    }
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

const char *conn_alpn(const struct conn *c, size_t *len)
{
    const unsigned char *name = NULL;
    unsigned n = 0;
    if (c->tls != NULL) {
        SSL_get0_alpn_selected(c->tls->ssl, &name, &n);
    }
    *len = n;
    return n > 0 ? (const char *)name : "";
}

const char *conn_error_detail(const struct conn *c, enum conn_error why)
{
    switch (why) {
    case CONN_ERR_CONNECT:
        return c->via_error[0] != '\0' ? c->via_error : strerror(c->sys_errno);
    case CONN_ERR_CONNECT_TIMEOUT:
        return "connecting timed out";
    case CONN_ERR_IO:
        return strerror(c->sys_errno);
    case CONN_ERR_TLS:
        return c->tls != NULL && c->tls->error != NULL ? c->tls->error : "TLS failed";
    case CONN_ERR_WRITE_TIMEOUT:
        return "the peer does not read";
    }
    return "unknown error";
}
