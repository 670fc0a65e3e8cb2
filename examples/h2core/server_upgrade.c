/*
 * A server on one cleartext port for both ways to begin without TLS: with prior knowledge (RFC
 * 9113, 3.3), or as HTTP/1.1 with an upgrade to h2c (RFC 7540, 3.2). It answers with a line that
 * says how the connection came to speak HTTP/2; who does not want to gets it over HTTP/1.1.
 *
 *   server_upgrade --port PORT
 *   curl --http2 http://127.0.0.1:PORT/
 *   curl --http2-prior-knowledge http://127.0.0.1:PORT/
 *
 * One client after another, on a blocking socket. Of HTTP/1.1 it reads one head: h1parser refuses
 * an upgrade with a body, and after an HTTP/1.1 answer the connection ends.
 */
#include "field.h"
#include "net.h"

#include "h1parser.h"

#include <h2core/h2core.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { TIMEOUT_MS = 5000, HEAD_MAX = 8192, FIELDS_MAX = 64 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"; /* RFC 9113, 3.4 */

/* What is answered. A stream's user pointer is the part of it that is still to be sent. */
static char by_upgrade[] = "HTTP/2 by upgrade\n";
static char by_knowledge[] = "HTTP/2 by prior knowledge\n";
static const char by_nothing[] = "HTTP/1.1\n";

struct session {
    int fd;
    struct h2_conn *h2;
    char *text; /* one of the above */
    size_t len; /* received and not used: [0, len) of `in` */
    uint8_t in[HEAD_MAX];
};

static bool receive(struct session *s)
{
    ssize_t n = 0;
    assert(s->len < sizeof(s->in));
    if (net_wait(s->fd, POLLIN, TIMEOUT_MS) == NET_READY) {
        n = recv(s->fd, s->in + s->len, sizeof(s->in) - s->len, 0);
    }
    s->len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* ---------------------------------------------------------------- HTTP/2 */

static void answer(struct session *s, uint32_t stream_id, bool head_only)
{
    char length[24];
    snprintf(length, sizeof(length), "%zu", strlen(s->text));
    const struct h2_field head[] = {field(":status", "200"), field("content-type", "text/plain"),
                                    field("content-length", length)};
    enum h2_error error = h2_conn_respond(s->h2, stream_id, head, 3, head_only);
    if (error != H2_OK) {
        fprintf(stderr, "stream %u: %s\n", stream_id, h2_error_text(error));
        return;
    }
    h2_stream_set_user(s->h2, stream_id, s->text);
    h2_stream_set_ready(s->h2, stream_id, !head_only);
}

static void on_event(struct session *s, const struct h2_event *ev)
{
    if (ev->type == H2_EVENT_REQUEST && ev->too_large) {
        const struct h2_field head[] = {field(":status", "431")};
        h2_conn_respond(s->h2, ev->stream_id, head, 1, true);
    } else if (ev->type == H2_EVENT_REQUEST) {
        answer(s, ev->stream_id,
               has_field(ev->fields, ev->nfields, H2_TOKEN_PSEUDO_METHOD, "HEAD"));
    } else if (ev->type == H2_EVENT_DATA) {
        h2_conn_consume(s->h2, ev->stream_id, ev->flow_len);
    } else if (ev->type == H2_EVENT_FAILED) {
        fprintf(stderr, "%s: %s\n", h2_code_name(ev->fail.code), ev->fail.why);
    }
}

static bool send_output(struct session *s)
{
    uint8_t buf[4096], header[H2_FRAME_HEADER_LEN];
    size_t n, room;
    uint32_t stream_id;
    void *user;
    do {
        while ((n = h2_conn_send(s->h2, buf, sizeof(buf))) > 0) {
            if (!net_write_all(s->fd, buf, n)) {
                return false;
            }
        }
        stream_id = h2_conn_next_writable(s->h2, &room, &user);
        if (stream_id != 0) {
            char *text = user;
            size_t left = strlen(text), len = left < room ? left : room;
            h2_stream_set_user(s->h2, stream_id, text + len);
            h2_conn_data_frame(s->h2, stream_id, len, len == left, header);
            if (!net_write_all(s->fd, header, sizeof(header)) || !net_write_all(s->fd, text, len)) {
                return false;
            }
        }
    } while (stream_id != 0 || h2_conn_wants_send(s->h2));
    return true;
}

/* What was received behind an upgrade's head, or as the preface, is the engine's. */
static void serve_h2(struct session *s)
{
    struct h2_event ev;
    bool more;
    do {
        h2_conn_feed(s->h2, s->in, s->len);
        while (h2_conn_next_event(s->h2, net_now_ms(), &ev)) {
            on_event(s, &ev);
        }
        s->len = 0;
        more = send_output(s) && !h2_conn_is_over(s->h2) && receive(s);
    } while (more);
    h2_conn_shutdown(s->h2); /* a signal, or a client that has nothing to say, or has gone */
    send_output(s);
}

/* ---------------------------------------------------------------- HTTP/1.1 */

/* Whether a field that is a list names this. Lists may be spread over several field lines. */
static bool lists(const struct session *s, const struct h1_head *head, enum h1_token name,
                  const char *wanted)
{
    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct h1_field *f = &head->fields[i];
        const char *pos = (const char *)s->in + f->value.off, *end = pos + f->value.len, *elem;
        size_t len;
        while (f->token == name && h1_list_next(&pos, end, &elem, &len)) {
            if (len == strlen(wanted) && strncasecmp(elem, wanted, len) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The one HTTP2-Settings field of a request that wants h2c; NULL: it does not, or not properly
 * (RFC 7540, 3.2.1), or has a body (framing.switches), and is an HTTP/1.1 request like others. */
static const struct h1_field *upgrade_settings(const struct session *s, const struct h1_head *head)
{
    const struct h1_field *settings = NULL;
    unsigned count = 0;
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].token == H1_TOKEN_HTTP2_SETTINGS) {
            settings = &head->fields[i];
            count++;
        }
    }
    bool wanted = h1_body_framing(head, head->method).switches &&
                  lists(s, head, H1_TOKEN_UPGRADE, "h2c") &&
                  lists(s, head, H1_TOKEN_CONNECTION, "http2-settings");
    return wanted && count == 1 ? settings : NULL;
}

static void answer_h1(struct session *s, int status, const char *body)
{
    char head[256];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d %s\r\n"
                     "Content-Type: text/plain\r\n"
                     "Content-Length: %zu\r\n"
                     "Connection: close\r\n"
                     "\r\n",
                     status, h1_reason(status), strlen(body));
    net_write_all(s->fd, head, (size_t)n);
    net_write_all(s->fd, body, strlen(body));
}

/* The engine takes the settings first: when it refuses them, there is no upgrade. Then 101, then
 * the engine's own preface, then the response on stream 1. */
static bool upgrade(struct session *s, const struct h1_head *head, const struct h1_field *settings)
{
    static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                    "Connection: Upgrade\r\n"
                                    "Upgrade: h2c\r\n"
                                    "\r\n";
    const char *value = (const char *)s->in + settings->value.off;
    bool head_only = head->method == H1_METHOD_HEAD;
    enum h2_error error = h2_conn_upgrade(s->h2, value, settings->value.len, head_only, NULL);
    if (error != H2_OK) {
        fprintf(stderr, "upgrade: %s\n", h2_error_text(error));
        answer_h1(s, 400, "");
        return false;
    }
    s->text = by_upgrade;
    s->len -= head->head_len;
    memmove(s->in, s->in + head->head_len, s->len);
    answer(s, 1, head_only);
    return net_write_all(s->fd, switching, strlen(switching));
}

static bool serve_h1(struct session *s)
{
    struct h1_field fields[FIELDS_MAX];
    struct h1_head head;
    enum h1_rc rc;
    h1_head_init(&head, H1_REQUEST, fields, FIELDS_MAX,
                 (struct h1_options){.head_bytes = HEAD_MAX, .fields = FIELDS_MAX});
    while ((rc = h1_head_parse(&head, s->in, s->len)) == H1_MORE) {
        if (!receive(s)) {
            return false;
        }
    }
    if (rc != H1_DONE) {
        answer_h1(s, h1_error_status(head.error), h1_error_text(head.error));
        return false;
    }
    const struct h1_field *settings = upgrade_settings(s, &head);
    if (settings == NULL) {
        answer_h1(s, 200, head.method == H1_METHOD_HEAD ? "" : by_nothing);
        return false;
    }
    return upgrade(s, &head, settings);
}

/* ---------------------------------------------------------------- both */

/* The preface was made so that no HTTP/1.1 request begins with it. */
static void serve(struct session *s)
{
    size_t n;
    do {
        if (!receive(s)) {
            return;
        }
        n = s->len < strlen(preface) ? s->len : strlen(preface);
        if (memcmp(s->in, preface, n) != 0) {
            if (serve_h1(s)) {
                serve_h2(s);
            }
            return;
        }
    } while (n < strlen(preface));
    s->text = by_knowledge;
    serve_h2(s);
}

int main(int argc, char **argv)
{
    static struct session s;
    struct h2_options options;
    h2_options_init(&options);
    net_catch_signals();
    int listener = net_listen(net_port_option(argc, argv));
    while ((s.fd = net_accept(listener)) >= 0) {
        s.len = 0;
        s.h2 = h2_conn_new(H2_SERVER, &options);
        if (s.h2 == NULL) {
            fprintf(stderr, "no memory for a client\n");
        } else {
            serve(&s);
        }
        h2_conn_free(s.h2);
        net_close(s.fd);
    }
    net_close(listener);
    return 0;
}
