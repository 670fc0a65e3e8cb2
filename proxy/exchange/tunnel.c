/* Tunnels: asked for, and opened. */
#include "exchange/tunnel.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <strings.h>

#include "exchange/message.h"

/* RFC 6455, 4.1 and 4.2.2: 16 octets and a SHA-1, in base64 with its padding. */
#define KEY_OCTETS  16
#define KEY_LEN     24
#define ACCEPT_LEN  28
#define SHA1_OCTETS 20

static const char websocket_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static bool str_is(struct str s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.s, word, s.len) == 0;
}

static bool next_element(const char **pos, const char *end, struct str *e)
{
    return h1_list_next(pos, end, &e->s, &e->len);
}

/* ---------------------------------------------------------------- asked for */

/* protocol-name ["/" protocol-version] (RFC 9110, 7.8). */
static bool is_protocol(struct str e)
{
    const char *slash = memchr(e.s, '/', e.len);
    if (slash == NULL) {
        return h1_token_valid(e.s, e.len);
    }
    size_t name = (size_t)(slash - e.s);
    return h1_token_valid(e.s, name) && h1_token_valid(slash + 1, e.len - name - 1);
}

/*
 * HTTP itself is never asked for: requests in such a tunnel would reach the backend past all that
 * this proxy does and refuses (h2c smuggling).
 */
static bool is_http(struct str e)
{
    return str_is(e, "h2c") || str_is(e, "h2") || str_is(e, "http") ||
           (e.len > 5 && strncasecmp(e.s, "http/", 5) == 0);
}

/* The protocols that may be asked for, of all Upgrade fields. */
static struct str wanted_protocols(struct exchange *x)
{
    const struct message *m = &x->request.m;
    size_t bytes = 0;
    for (size_t i = 0; i < m->nfields; i++) {
        /* An element of one octet becomes three. */
        bytes +=
            m->fields[i].token == H2_TOKEN_UPGRADE ? 2 * (size_t)m->fields[i].value_len + 2 : 0;
    }
    char *out = arena_alloc(&x->arena, bytes + 1), *p = out;
    for (size_t i = 0; i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (f->token != H2_TOKEN_UPGRADE) {
            continue;
        }
        const char *pos = f->value;
        struct str e;
        while (next_element(&pos, f->value + f->value_len, &e)) {
            if (is_protocol(e) && !is_http(e)) {
                p = p > out ? mempcpy(p, ", ", 2) : p;
                p = mempcpy(p, e.s, e.len);
            }
        }
    }
    assert((size_t)(p - out) <= bytes);
    return (struct str){out, (size_t)(p - out)};
}

/* One Sec-WebSocket-Key, which is 16 octets in base64: the Accept is made of it. */
static bool find_key(struct exchange *x)
{
    const struct message *m = &x->request.m;
    size_t n = 0;
    for (size_t i = 0; i < m->nfields; i++) {
        if (m->fields[i].token == H2_TOKEN_SEC_WEBSOCKET_KEY) {
            x->tunnel.key = (struct str){m->fields[i].value, m->fields[i].value_len};
            n++;
        }
    }
    if (n != 1 || x->tunnel.key.len != KEY_LEN) {
        return false;
    }
    const char *k = x->tunnel.key.s;
    uint8_t octets[KEY_LEN];
    /* Two '=' and not three: 16 octets are 22 letters. */
    return k[KEY_LEN - 1] == '=' && k[KEY_LEN - 2] == '=' && k[KEY_LEN - 3] != '=' &&
           EVP_DecodeBlock(octets, (const uint8_t *)k, KEY_LEN) == KEY_OCTETS + 2;
}

bool tunnel_ask_h1(struct exchange *x, bool connection_upgrade)
{
    struct tunnel *t = &x->tunnel;
    if (x->request.method == H1_METHOD_CONNECT) {
        t->wanted = TUNNEL_CONNECT;
        return true;
    }
    if (!connection_upgrade) {
        return true;
    }
    t->protocols = wanted_protocols(x);
    if (t->protocols.len == 0) {
        return true;
    }
    if (!str_is(t->protocols, "websocket")) {
        t->wanted = TUNNEL_UPGRADE;
        return true;
    }
    t->wanted = TUNNEL_WEBSOCKET;
    return x->request.method == H1_METHOD_GET && find_key(x); /* RFC 6455, 4.1 */
}

bool tunnel_ask_h2(struct exchange *x, struct str protocol)
{
    struct request *r = &x->request;
    if (r->method != H1_METHOD_CONNECT) {
        return true; /* h2core lets :protocol pass with CONNECT only */
    }
    x->tunnel.wanted = TUNNEL_CONNECT;
    if (protocol.len > 0) {
        x->tunnel.wanted = TUNNEL_WEBSOCKET;
        x->tunnel.protocols = (struct str){"websocket", 9};
        r->method = H1_METHOD_GET; /* what it is in HTTP/1.1: a 2xx to it opens nothing */
    }
    r->m.has_body = false; /* DATA is what goes through the tunnel, once it is there */
    r->m.content_length = -1;
    return message_find(&r->m, H2_TOKEN_CONTENT_LENGTH) == NULL &&
           (protocol.len == 0 || str_is(protocol, "websocket"));
}

bool tunnel_asked_of(const struct exchange *x, int http_major)
{
    return x->tunnel.wanted != TUNNEL_NONE &&
           (http_major == 1 || x->tunnel.wanted != TUNNEL_UPGRADE);
}

/* ---------------------------------------------------------------- opened */

static bool was_asked_for(const struct exchange *x, struct str protocol)
{
    const char *pos = x->tunnel.protocols.s, *end = pos + x->tunnel.protocols.len;
    struct str e;
    while (next_element(&pos, end, &e)) {
        if (e.len == protocol.len && strncasecmp(e.s, protocol.s, e.len) == 0) {
            return true;
        }
    }
    return false;
}

/* RFC 9110, 7.8: the response names what is spoken now (several are layers), and all of it was
 * asked for. */
static bool names_what_was_asked_for(const struct exchange *x)
{
    const struct message *m = &x->response.m;
    size_t n = 0;
    for (size_t i = 0; i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (f->token != H2_TOKEN_UPGRADE) {
            continue;
        }
        const char *pos = f->value;
        struct str e;
        for (; next_element(&pos, f->value + f->value_len, &e); n++) {
            if (!was_asked_for(x, e)) {
                return false;
            }
        }
    }
    return n > 0;
}

static bool accept_is_right(struct exchange *x)
{
    const struct message *m = &x->response.m;
    struct str right = tunnel_websocket_accept(x);
    size_t n = 0;
    bool same = false;
    for (size_t i = 0; i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (f->token == H2_TOKEN_SEC_WEBSOCKET_ACCEPT) {
            n++;
            same = f->value_len == right.len && memcmp(f->value, right.s, right.len) == 0;
        }
    }
    return n == 1 && same;
}

static const char *judge_101(struct exchange *x, bool connection_upgrade)
{
    if (x->tunnel.wanted != TUNNEL_UPGRADE && x->tunnel.wanted != TUNNEL_WEBSOCKET) {
        return "101 that nobody asked for";
    }
    if (!connection_upgrade || !names_what_was_asked_for(x)) {
        return "101 for a protocol that was not asked for";
    }
    if (x->tunnel.wanted == TUNNEL_WEBSOCKET && !accept_is_right(x)) {
        return "Sec-WebSocket-Accept does not belong to the key";
    }
    x->tunnel.open = true;
    return NULL;
}

static bool is_success(const struct exchange *x)
{
    return x->response.status >= 200 && x->response.status <= 299;
}

const char *tunnel_judge_h1(struct exchange *x, bool connection_upgrade)
{
    assert(!x->tunnel.open);
    if (x->response.status == 101) {
        return judge_101(x, connection_upgrade);
    }
    if (!is_success(x)) {
        return NULL;
    }
    x->tunnel.open = x->tunnel.wanted == TUNNEL_CONNECT;
    if (x->tunnel.wanted == TUNNEL_WEBSOCKET && x->request.m.http_major == 2) {
        /* The backend did not switch; over HTTP/2 this very status would say that it did. */
        return "2xx instead of 101 to a WebSocket handshake";
    }
    return NULL;
}

void tunnel_judge_h2(struct exchange *x)
{
    assert(!x->tunnel.open);
    x->tunnel.open = is_success(x) && tunnel_asked_of(x, 2);
}

int tunnel_status(const struct exchange *x, int http_major)
{
    assert(x->tunnel.open);
    if (x->tunnel.wanted == TUNNEL_CONNECT) {
        return x->response.status;
    }
    return http_major == 1 ? 101 : 200;
}

/* ---------------------------------------------------------------- WebSocket's handshake */

struct str tunnel_websocket_key(struct exchange *x)
{
    if (x->tunnel.key.len == 0) {
        uint8_t octets[KEY_OCTETS];
        uint8_t *text = arena_alloc(&x->arena, KEY_LEN + 1);
        if (RAND_bytes(octets, sizeof(octets)) != 1) {
            memset(octets, 0, sizeof(octets)); /* no secret: it only tells that somebody listens */
        }
        int n = EVP_EncodeBlock(text, octets, sizeof(octets));
        assert(n == KEY_LEN);
        x->tunnel.key = (struct str){(const char *)text, (size_t)n};
    }
    return x->tunnel.key;
}

struct str tunnel_websocket_accept(struct exchange *x)
{
    uint8_t in[KEY_LEN + sizeof(websocket_guid)], sha1[SHA1_OCTETS];
    struct str key = tunnel_websocket_key(x);
    assert(key.len == KEY_LEN);
    memcpy(in, key.s, KEY_LEN);
    memcpy(in + KEY_LEN, websocket_guid, sizeof(websocket_guid) - 1);
    size_t len = KEY_LEN + sizeof(websocket_guid) - 1;
    if (EVP_Digest(in, len, sha1, NULL, EVP_sha1(), NULL) != 1) {
        return (struct str){"", 0}; /* an OpenSSL without SHA-1: no Accept fits */
    }
    uint8_t *text = arena_alloc(&x->arena, ACCEPT_LEN + 1);
    int n = EVP_EncodeBlock(text, sha1, SHA1_OCTETS);
    assert(n == ACCEPT_LEN);
    return (struct str){(const char *)text, (size_t)n};
}
