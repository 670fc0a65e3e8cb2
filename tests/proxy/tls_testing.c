#include "tls_testing.h"

#include "cert_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void begin(struct end *e, SSL_CTX *ctx, bool server)
{
    e->tls = tls_session_new(ctx, server, &e->out);
    assert_non_null(e->tls);
}

static void end(struct end *e)
{
    tls_session_free(e->tls);
    buffer_free(&e->out);
    *e = (struct end){0};
}

void pair_open(struct pair *p, const char *cert, const char *trusted, const char *options)
{
    char text[1024];
    snprintf(text, sizeof(text), "%s\n%s\ncacert=%s\n%s", cert_path(cert, "key"),
             cert_path(cert, "cert"), cert_path(trusted, "cert"), options);
    *p = (struct pair){0};
    rig_open_tls(&p->rig, text);
    begin(&p->server, p->rig.server_ctx, true);
    begin(&p->client, p->rig.client_ctx, false);
}

void pair_close(struct pair *p)
{
    end(&p->server);
    end(&p->client);
    rig_close(&p->rig);
}

void pair_set_client(struct pair *p, SSL_CTX *ctx)
{
    if (ctx != NULL) {
        SSL_CTX_free(p->rig.client_ctx);
        p->rig.client_ctx = ctx;
    }
    end(&p->client);
    begin(&p->client, p->rig.client_ctx, false);
}

bool pair_set_peer(struct pair *p, const char *name, const char *alpn)
{
    struct tls_peer peer = {.ctx = p->rig.client_ctx, .name = name, .alpn = alpn};
    return tls_session_set_peer(p->client.tls, &peer);
}

void pair_again(struct pair *p)
{
    end(&p->server);
    begin(&p->server, p->rig.server_ctx, true);
    pair_set_client(p, NULL);
}

bool pair_carry(struct end *from, struct end *to, size_t piece)
{
    size_t n = buffer_len(&from->out), kept = to->tls->in_len;
    n = n < piece ? n : piece;
    if (n == 0) {
        return false;
    }
    uint8_t *all = malloc(kept + n);
    assert_non_null(all);
    if (kept > 0) {
        memcpy(all, to->tls->in, kept);
    }
    memcpy(all + kept, from->out.mem + from->out.start, n);
    from->out.start += n;
    to->tls->in = all;
    to->tls->in_len = kept + n;
    tls_keep_input(to->tls);
    free(all);
    return true;
}

void pair_shake(struct pair *p, size_t piece, enum tls_rc *server, enum tls_rc *client)
{
    *server = *client = TLS_WANT_READ;
    bool moved = true;
    while (moved) {
        if (*client == TLS_WANT_READ) {
            *client = tls_handshake(p->client.tls);
        }
        moved = pair_carry(&p->client, &p->server, piece);
        if (*server == TLS_WANT_READ) {
            *server = tls_handshake(p->server.tls);
        }
        moved = pair_carry(&p->server, &p->client, piece) || moved;
    }
}
