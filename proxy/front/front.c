/* A client's connection until its protocol is known, and what all protocols share. */
#include "front/front.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "back/back.h"
#include "config.h"
#include "exchange/message.h"
#include "exchange/request_check.h"
#include "ops/log.h"
#include "process/worker.h"
#include "tls/tls.h"

#define FRONT_MAGIC 0x66726f6eu /* "fron" */

/* A client that has connected but not asked yet, when the worker is to drain: its request is
 * probably on its way. */
#define DRAIN_FIRST_REQUEST_MS 2000u

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(h2_preface) - 1)

/* ---------------------------------------------------------------- ending */

static void free_front(struct reap *r)
{
    struct front *f = container_of(r, struct front, reap);
    if (f->proto->free != NULL) {
        f->proto->free(f);
    }
    timer_remove(&f->timer);
    free(f->client.tls_sni);
    worker_front_gone(f->worker);
    f->magic = 0;
    free(f);
}

static void release(struct front *f)
{
    list_remove(&f->node);
    timer_stop(&f->timer);
    back_client_gone(&f->client);
    worker_reap(f->worker, &f->reap, free_front);
}

void front_close(struct front *f)
{
    conn_close(f->conn);
    release(f);
}

void front_finish(struct front *f)
{
    conn_finish(f->conn);
    release(f);
}

/* ---------------------------------------------------------------- the protocol is not known yet */

static struct front *of_conn(struct conn *c)
{
    struct front *f = c->user;
    assert(f->magic == FRONT_MAGIC);
    return f;
}

/* What requests and logs want to know of the handshake. */
static void describe_tls(struct front *f)
{
    SSL *ssl = f->conn->tls->ssl;
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    f->client.tls_protocol = SSL_get_version(ssl);
    f->client.tls_cipher = SSL_get_cipher_name(ssl);
    f->client.tls_reused = SSL_session_reused(ssl) == 1;
    f->client.tls_sni = sni != NULL ? xstrdup(sni) : NULL;
    static const char *const known[] = {"h2", "http/1.1", "http/1.0"};
    size_t len;
    const char *name = conn_alpn(f->conn, &len);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (len == strlen(known[i]) && memcmp(name, known[i], len) == 0) {
            f->client.alpn = known[i];
        }
    }
}

static void unknown_ready(struct conn *c)
{
    struct front *f = of_conn(c);
    describe_tls(f);
    if (f->client.alpn != NULL && strcmp(f->client.alpn, "h2") == 0) {
        front_h2_start(f);
    } else {
        front_h1_start(f);
    }
}

static size_t unknown_input(struct conn *c, uint8_t *data, size_t len)
{
    struct front *f = of_conn(c);
    size_t n = len < PREFACE_LEN ? len : PREFACE_LEN;
    if (memcmp(data, h2_preface, n) != 0) {
        front_h1_start(f);
    } else if (n == PREFACE_LEN) {
        front_h2_start(f);
    } else {
        return 0; /* wait for the rest of it */
    }
    return c->ops->input(c, data, len);
}

static void unknown_eof(struct conn *c, bool clean)
{
    (void)clean;
    front_close(of_conn(c));
}

static size_t unknown_output(struct conn *c, uint8_t *buf, size_t cap)
{
    (void)c;
    (void)buf;
    (void)cap;
    return 0;
}

static void unknown_failed(struct conn *c, enum conn_error why)
{
    struct front *f = of_conn(c);
    LOG(INFO, "%s: %s", f->client.addr, conn_error_detail(c, why));
    front_close(f);
}

void front_expect_soon(struct front *f)
{
    timer_set(&f->worker->wheel, &f->timer, DRAIN_FIRST_REQUEST_MS);
}

static const struct conn_ops unknown_ops = {.ready = unknown_ready,
                                            .input = unknown_input,
                                            .eof = unknown_eof,
                                            .output = unknown_output,
                                            .failed = unknown_failed};

static const struct front_proto unknown_proto = {
    .timeout = front_close, .drain = front_expect_soon, .cut = front_close};

/* ---------------------------------------------------------------- opening */

static void set_client(struct client_info *ci, const struct endpoint *from,
                       const struct endpoint *to)
{
    ci->from = *from;
    ci->to = *to;
    ci->port = from->port;
    if (from->family != 0) {
        endpoint_format(from, ci->addr, sizeof(ci->addr));
    } else {
        memcpy(ci->addr, "localhost", 10);
    }
}

static void describe_socket(struct client_info *ci, int fd, const struct sockaddr *peer)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof(local);
    (void)getsockname(fd, (struct sockaddr *)&local,
                      &len); /* fails: no address, as UNIX has none */
    struct endpoint from = endpoint_of(peer), to = endpoint_of((const struct sockaddr *)&local);
    set_client(ci, &from, &to);
}

/* proxyproto: everybody; proxyproto-from: who comes from there. */
static bool expects_header(const struct cfg_frontend *cfg, const struct endpoint *peer)
{
    for (size_t i = 0; i < cfg->nproxyproto_from; i++) {
        const struct cfg_cidr *net = &cfg->proxyproto_from[i];
        if (endpoint_is_in(peer, net->family, net->addr, net->bits)) {
            return true;
        }
    }
    return cfg->proxyproto && cfg->nproxyproto_from == 0;
}

/* The PROXY protocol's header comes before everything else, TLS too. */
static size_t header_input(struct conn *c, uint8_t *data, size_t len)
{
    struct front *f = of_conn(c);
    struct proxyproto header;
    const char *why = NULL;
    switch (proxyproto_parse(data, len, &header, &why)) {
    case PROXYPROTO_MORE:
        return 0;
    case PROXYPROTO_BAD:
        LOG(INFO, "%s: PROXY protocol: %s", f->client.addr, why);
        front_close(f);
        return len;
    case PROXYPROTO_OK:
        break;
    }
    if (header.from.family != 0) {
        set_client(&f->client, &header.from, &header.to);
    }
    conn_set_user(c, &unknown_ops, f);
    if (f->cfg->tls && !conn_start_tls(c, f->worker->server_ctx)) {
        front_close(f);
        return len;
    }
    if (!f->cfg->tls && header.len < len) {
        return header.len + unknown_input(c, data + header.len, len - header.len);
    }
    return header.len;
}

static void header_eof(struct conn *c, bool clean)
{
    (void)clean;
    struct front *f = of_conn(c);
    LOG(INFO, "%s: PROXY protocol: the connection ended before its header", f->client.addr);
    front_close(f);
}

static const struct conn_ops header_ops = {.ready = unknown_ready,
                                           .input = header_input,
                                           .eof = header_eof,
                                           .output = unknown_output,
                                           .failed = unknown_failed};

static void on_timer(struct timer *t)
{
    struct front *f = container_of(t, struct front, timer);
    assert(f->magic == FRONT_MAGIC);
    f->proto->timeout(f);
}

void front_accept(struct worker *w, int fd, const struct cfg_frontend *cfg,
                  const struct sockaddr *peer)
{
    if (w->cfg->worker_frontend_connections > 0 &&
        w->nfronts >= w->cfg->worker_frontend_connections) {
        close(fd);
        return;
    }
    struct front *f = xcalloc(1, sizeof(*f));
    f->magic = FRONT_MAGIC;
    f->worker = w;
    f->proto = &unknown_proto;
    client_info_init(&f->client);
    f->cfg = cfg;
    f->client.tls = cfg->tls;
    f->client.sni_fwd = cfg->sni_fwd;
    f->client.healthmon = cfg->service == CFG_SERVICE_HEALTHMON;
    f->client.server_port = cfg->addr.port;
    describe_socket(&f->client, fd, peer);
    list_init(&f->node);
    timer_init(&f->timer, on_timer);
    bool header = expects_header(cfg, &f->client.from);
    f->conn = conn_accept(w, fd, cfg->tls && !header ? w->server_ctx : NULL,
                          header ? &header_ops : &unknown_ops, f, w->cfg->frontend_write_timeout);
    if (f->conn == NULL) {
        free(f);
        return;
    }
    w->nfronts++;
    list_append(&w->fronts, &f->node);
    timer_set(&w->wheel, &f->timer,
              w->cfg->frontend_header_timeout); /* from here to the first complete head */
}

bool front_count_request(struct front *f)
{
    const struct config *cfg = f->worker->cfg;
    f->requests++;
    return f->worker->draining ||
           (cfg->frontend_max_requests > 0 && f->requests >= cfg->frontend_max_requests);
}

/* ---------------------------------------------------------------- requests */

/* The methods of the IANA registry and some that are widely used; others get 501, as in nghttpx. */
static bool method_is_known(struct str m)
{
    static const char *const names[] = {"GET",
                                        "HEAD",
                                        "POST",
                                        "PUT",
                                        "DELETE",
                                        "CONNECT",
                                        "OPTIONS",
                                        "TRACE",
                                        "PATCH",
                                        "ACL",
                                        "BASELINE-CONTROL",
                                        "BIND",
                                        "CHECKIN",
                                        "CHECKOUT",
                                        "COPY",
                                        "LABEL",
                                        "LINK",
                                        "LOCK",
                                        "MERGE",
                                        "MKACTIVITY",
                                        "MKCALENDAR",
                                        "MKCOL",
                                        "MKREDIRECTREF",
                                        "MKWORKSPACE",
                                        "MOVE",
                                        "ORDERPATCH",
                                        "PRI",
                                        "PROPFIND",
                                        "PROPPATCH",
                                        "QUERY",
                                        "REBIND",
                                        "REPORT",
                                        "SEARCH",
                                        "UNBIND",
                                        "UNCHECKOUT",
                                        "UNLINK",
                                        "UNLOCK",
                                        "UPDATE",
                                        "UPDATEREDIRECTREF",
                                        "VERSION-CONTROL",
                                        "PURGE",
                                        "SOURCE",
                                        "SUBSCRIBE",
                                        "UNSUBSCRIBE",
                                        "NOTIFY",
                                        "M-SEARCH"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (m.len == strlen(names[i]) && memcmp(m.s, names[i], m.len) == 0) {
            return true;
        }
    }
    return false;
}

void front_begin_exchange(struct exchange *x)
{
    enum exchange_error why = request_check(x);
    if (why != EXCHANGE_OK) {
        exchange_refuse(x, why);
    } else if (!message_finish_request(x)) {
        exchange_refuse(x, EXCHANGE_CLIENT_PROTOCOL);
    } else if (!method_is_known(x->request.method_text)) {
        exchange_refuse(x, EXCHANGE_NOT_IMPLEMENTED);
    } else {
        exchange_begin(x);
    }
}
