/*
 * A client over TLS: it offers "h2" by ALPN, checks that the server has taken it, and makes a GET.
 *
 *   client_tls [--cacert FILE] https://HOST:PORT/PATH
 */
#include "download.h"
#include "net.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SILENCE_MS = 30000, WINDOW = 1 << 20 };

/* RFC 9113, 9.2: TLS 1.2 at least, and of its cipher suites only those with ephemeral keys and
 * AEAD. Each name in ALPN has its length in front (RFC 7301, 3.1). */
static SSL_CTX *make_context(const char *ca_file)
{
    static const unsigned char protocols[] = {2, 'h', '2'};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool ok = ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
              SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
              SSL_CTX_set_alpn_protos(ctx, protocols, sizeof(protocols)) == 0 &&
              (ca_file != NULL ? SSL_CTX_load_verify_locations(ctx, ca_file, NULL)
                               : SSL_CTX_set_default_verify_paths(ctx)) == 1;
    if (!ok) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    return ctx;
}

static bool speaks_h2(const SSL *ssl)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

static SSL *handshake(SSL_CTX *ctx, int fd, struct net_url *url)
{
    SSL *ssl = SSL_new(ctx);
    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_set_tlsext_host_name(ssl, url->host) == 1 &&
        SSL_set1_host(ssl, url->host) == 1 && SSL_connect(ssl) == 1) {
        if (speaks_h2(ssl)) {
            return ssl;
        }
        fprintf(stderr, "%s does not speak HTTP/2\n", url->host);
    } else {
        ERR_print_errors_fp(stderr);
    }
    SSL_free(ssl);
    return NULL;
}

static bool send_output(SSL *ssl, struct h2_conn *h2)
{
    uint8_t buf[4096];
    size_t n, written;
    while ((n = h2_conn_send(h2, buf, sizeof(buf))) > 0) {
        if (SSL_write_ex(ssl, buf, n, &written) != 1) {
            fprintf(stderr, "the server has gone\n");
            return false;
        }
    }
    return true;
}

static bool receive_input(SSL *ssl, struct h2_conn *h2, struct download *d)
{
    uint8_t buf[16384];
    struct h2_event ev;
    size_t n;
    bool ready = SSL_pending(ssl) > 0 || net_wait(SSL_get_fd(ssl), POLLIN, SILENCE_MS) == NET_READY;
    if (!ready || SSL_read_ex(ssl, buf, sizeof(buf), &n) != 1) {
        fprintf(stderr, "the server has gone, or says nothing\n");
        return false;
    }
    h2_conn_feed(h2, buf, n);
    while (h2_conn_next_event(h2, net_now_ms(), &ev)) {
        download_event(d, h2, &ev);
    }
    return true;
}

static void run(SSL *ssl, struct h2_conn *h2, struct download *d)
{
    while (send_output(ssl, h2) && d->state == DOWNLOAD_RUNNING && receive_input(ssl, h2, d)) {
    }
    h2_conn_close(h2, H2_NO_ERROR, H2_LAST_TOLD, NULL, 0);
    if (send_output(ssl, h2)) {
        SSL_shutdown(ssl);
    }
}

static bool get(int fd, SSL_CTX *ctx, struct net_url *url)
{
    struct download d = {.state = DOWNLOAD_RUNNING};
    struct h2_options options;
    h2_options_init(&options);
    options.initial_window_size = options.connection_window_size = WINDOW;
    SSL *ssl = handshake(ctx, fd, url);
    struct h2_conn *h2 = ssl == NULL ? NULL : h2_conn_new(H2_CLIENT, &options);
    if (h2 != NULL && download_start(&d, h2, "GET", url->scheme, url->authority, url->path)) {
        run(ssl, h2, &d);
    }
    h2_conn_free(h2);
    SSL_free(ssl);
    return d.state == DOWNLOAD_DONE;
}

int main(int argc, char **argv)
{
    struct net_url url;
    bool has_ca = argc == 4 && strcmp(argv[1], "--cacert") == 0;
    if (argc != (has_ca ? 4 : 2) || !net_parse_url(argv[argc - 1], &url) ||
        strcmp(url.scheme, "https") != 0) {
        fprintf(stderr, "usage: %s [--cacert FILE] https://HOST[:PORT]/PATH\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write() */
    SSL_CTX *ctx = make_context(has_ca ? argv[2] : NULL);
    int fd = ctx == NULL ? -1 : net_connect(url.host, url.port);
    bool done = fd >= 0 && get(fd, ctx, &url);
    ERR_print_errors_fp(stderr);
    if (fd >= 0) {
        close(fd);
    }
    SSL_CTX_free(ctx);
    return done ? 0 : 1;
}
