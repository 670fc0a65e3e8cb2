/*
 * demo_origin: a small HTTP/1.1 origin server on h1parser.
 *
 * It shows how h1parser is meant to be used: you bring the bytes and the memory, it says what they
 * mean. All that is HTTP is in this file; the sockets are in demo_loop.c. It is also what the
 * integration tests use as a backend, so it keeps to the protocol.
 *
 *   usage: demo_origin [-u PATH] [HOST,]PORT     (PORT 0: any that is free; the address is printed)
 *
 *   /           a page that says what the server saw
 *   /bytes/N    N octets
 *   /status/N   an answer with status N, 200 to 599
 *   /echo       POST or PUT: the body comes back while it is sent, chunks and trailers as they came
 *
 * How a request goes through this file, from the bottom to the top:
 *
 *   progress ──► read_head ──► begin_answer ──► read_body ──► end_request ──► read_head …
 *                               (echo: now)    read_trailers   (the others)
 *
 * What it does not do: TLS, timeouts, files. It is no server for the Internet.
 */
#include "demo_loop.h"

#include "h1parser.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    HEAD_MAX = 8 * 1024,                              /* octets of a head or a trailer section */
    FIELDS_MAX = 64,                                  /* field lines in either */
    PAGE_SIZE = 5 * HEAD_MAX + FIELDS_MAX * 8 + 1024, /* every octet of the head as "&amp;" */
    ANSWER_ROOM = 1024, /* a head of ours, or what goes around a piece of body */
};

/* Where a connection stands. One request at a time: the next is read when this one is answered. */
enum phase { READ_HEAD, READ_BODY, READ_TRAILERS, SEND_BYTES };

/* In conn.rx the request's head stays at the start until the request is over, because the spans of
 * h1_head point there; rx_at is where the bytes begin that were not read yet. */
struct client {
    struct demo_conn conn; /* first: the loop knows only this */
    enum phase phase;
    bool echo;           /* the body goes back as it comes */
    uint64_t bytes_left; /* SEND_BYTES */
    struct h1_framing framing;
    struct h1_body body;
    struct h1_head head;
    struct h1_field fields[FIELDS_MAX];
    struct h1_head trailers;
    struct h1_field trailer_fields[FIELDS_MAX];
};

static const struct h1_options limits = {.head_bytes = HEAD_MAX, .fields = FIELDS_MAX};

/* ---------------------------------------------------------------- writing */

/* The free part of the client's buffer, as h1parser's writer wants it. */
static struct h1_out begin_output(struct client *c)
{
    if (c->conn.tx_at == c->conn.tx_len) {
        c->conn.tx_at = c->conn.tx_len = 0;
    }
    return (struct h1_out){c->conn.tx + c->conn.tx_len, c->conn.tx + DEMO_TX_SIZE, false};
}

static void end_output(struct client *c, const struct h1_out *o)
{
    assert(!o->full); /* an answer is begun only with an empty buffer, and pieces of body are cut */
    c->conn.tx_len = (size_t)(o->pos - c->conn.tx);
}

/* Bytes that are no line of a head: the writer has no function for them, and needs none. */
static void put_bytes(struct h1_out *o, const void *bytes, size_t len)
{
    if (o->full || (size_t)(o->end - o->pos) < len) {
        o->full = true;
        return;
    }
    memcpy(o->pos, bytes, len);
    o->pos += len;
}

static void put_text(struct h1_out *o, const char *text)
{
    put_bytes(o, text, strlen(text));
}

/* What a client sent is shown as text: it must not become part of the page. */
static void put_escaped(struct h1_out *o, const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '<':
            put_text(o, "&lt;");
            break;
        case '>':
            put_text(o, "&gt;");
            break;
        case '&':
            put_text(o, "&amp;");
            break;
        default:
            put_bytes(o, text + i, 1);
        }
    }
}

static void put_field(struct h1_out *o, const char *name, const char *value)
{
    h1_put_field(o, name, strlen(name), value, strlen(value));
}

/* The lines that every answer begins with. A 1xx is the only answer that goes without. */
static void put_head(struct client *c, struct h1_out *o, int status)
{
    char date[64];
    time_t now = time(NULL);
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    h1_put_status_line(o, status, 1);
    put_field(o, "server", "demo_origin");
    put_field(o, "date", date);
    /* RFC 9112, 9.3: persistence is the default of HTTP/1.1 only, so it is said either way. */
    if (!c->framing.keep_alive) {
        put_field(o, "connection", "close");
    } else if (c->head.minor_version == 0) {
        put_field(o, "connection", "keep-alive");
    }
}

/* A whole answer with a text body. HEAD gets the same fields without it (RFC 9110, 9.3.2). */
static void answer(struct client *c, int status, const char *type, const void *body, size_t len)
{
    struct h1_out o = begin_output(c);
    put_head(c, &o, status);
    bool bodyless = status == 204 || status == 304;
    len = status == 205 ? 0 : len;
    if (!bodyless) {
        put_field(&o, "content-type", type);
        h1_put_field_uint(&o, "content-length", 14, len);
    }
    h1_put_end(&o);
    if (!bodyless && c->head.method != H1_METHOD_HEAD) {
        put_bytes(&o, body, len);
    }
    end_output(c, &o);
}

static void answer_status(struct client *c, int status)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%d %s\n", status, h1_reason(status));
    answer(c, status, "text/plain", text, (size_t)len);
}

/* ---------------------------------------------------------------- answers */

static void put_span(struct client *c, struct h1_out *o, struct h1_span s)
{
    put_escaped(o, c->conn.rx + s.off, s.len); /* spans count from the head's first octet */
}

static void answer_page(struct client *c)
{
    static uint8_t page[PAGE_SIZE];
    struct h1_out o = {page, page + sizeof page, false};
    const struct h1_head *h = &c->head;
    put_text(&o, "<!DOCTYPE html>\n<title>demo_origin</title>\n<h1>It works</h1>\n<pre>");
    put_span(c, &o, h->method_text);
    put_text(&o, " ");
    put_span(c, &o, h->target);
    put_text(&o, h->minor_version == 1 ? " HTTP/1.1\n" : " HTTP/1.0\n");
    for (uint32_t i = 0; i < h->nfields; i++) {
        put_span(c, &o, h->fields[i].name);
        put_text(&o, ": ");
        put_span(c, &o, h->fields[i].value);
        put_text(&o, "\n");
    }
    put_text(&o, "</pre>\n");
    assert(!o.full); /* five octets for one, of HEAD_MAX, and some more per field */
    answer(c, 200, "text/html", page, (size_t)(o.pos - page));
}

static void answer_bytes(struct client *c, uint64_t n)
{
    struct h1_out o = begin_output(c);
    put_head(c, &o, 200);
    put_field(&o, "content-type", "application/octet-stream");
    h1_put_field_uint(&o, "content-length", 14, n);
    h1_put_end(&o);
    end_output(c, &o);
    c->bytes_left = c->head.method == H1_METHOD_HEAD ? 0 : n;
    c->phase = SEND_BYTES;
}

/* The head of an echo: framed the way the request was. The body follows as it comes. */
static void begin_echo(struct client *c)
{
    struct h1_out o = begin_output(c);
    put_head(c, &o, 200);
    put_field(&o, "content-type", "application/octet-stream");
    if (c->framing.kind == H1_BODY_CHUNKED) {
        put_field(&o, "transfer-encoding", "chunked");
    } else {
        h1_put_field_uint(&o, "content-length", 14, c->framing.length);
    }
    h1_put_end(&o);
    end_output(c, &o);
}

static void echo_data(struct client *c, const uint8_t *data, size_t len)
{
    struct h1_out o = begin_output(c);
    if (c->framing.kind == H1_BODY_CHUNKED) {
        h1_put_chunk_head(&o, len);
        put_bytes(&o, data, len);
        h1_put_chunk_end(&o);
    } else {
        put_bytes(&o, data, len);
    }
    end_output(c, &o);
}

static void echo_trailers(struct client *c, const uint8_t *section)
{
    struct h1_out o = begin_output(c);
    h1_put_last_chunk(&o);
    for (uint32_t i = 0; i < c->trailers.nfields; i++) {
        const struct h1_field *f = &c->trailers.fields[i];
        h1_put_field(&o, (const char *)section + f->name.off, f->name.len,
                     (const char *)section + f->value.off, f->value.len);
    }
    h1_put_end(&o);
    end_output(c, &o);
}

/* ---------------------------------------------------------------- a request */

/* The path is "PREFIX" and a number, and nothing else. */
static bool path_number(const char *path, size_t len, const char *prefix, uint64_t *n)
{
    size_t at = strlen(prefix);
    if (len <= at || len > at + 18 || memcmp(path, prefix, at) != 0) {
        return false;
    }
    for (*n = 0; at < len; at++) {
        if (path[at] < '0' || path[at] > '9') {
            return false;
        }
        *n = *n * 10 + (uint64_t)(path[at] - '0');
    }
    return true;
}

/* The path that all decisions are made with: in its normal form, without the query. */
static size_t request_path(struct client *c, char path[HEAD_MAX + 1])
{
    size_t len;
    h1_head_path(&c->head, (const char *)c->conn.rx, path, &len);
    return len;
}

/* The head is complete. An echo has to begin now; everything else answers when the body is in, as a
 * client may not read before it has sent all. */
static void begin_answer(struct client *c)
{
    char path[HEAD_MAX + 1];
    size_t len = request_path(c, path);
    c->echo = len == 5 && memcmp(path, "/echo", 5) == 0 &&
              (c->head.method == H1_METHOD_POST || c->head.method == H1_METHOD_PUT);
    h1_body_init(&c->body, c->framing);
    c->phase = READ_BODY;
    if (c->head.expect_continue && !h1_body_may_end(&c->body)) {
        struct h1_out o = begin_output(c);
        h1_put_status_line(&o, 100, 1);
        h1_put_end(&o);
        end_output(c, &o);
    }
    if (c->echo) {
        begin_echo(c);
    }
}

/* The request is read to its end: forget it, keep what came behind it, wait for the next. */
static void next_request(struct client *c)
{
    memmove(c->conn.rx, c->conn.rx + c->conn.rx_at, c->conn.rx_len - c->conn.rx_at);
    c->conn.rx_len -= c->conn.rx_at;
    c->conn.rx_at = 0;
    c->conn.closing = !c->framing.keep_alive;
    c->conn.linger = c->framing.switches; /* there is more that nobody reads, or may be */
    c->phase = READ_HEAD;
    h1_head_init(&c->head, H1_REQUEST, c->fields, FIELDS_MAX, limits);
}

static void end_request(struct client *c)
{
    char path[HEAD_MAX + 1];
    size_t len = request_path(c, path);
    uint64_t n;
    if (c->echo) {
        /* was answered while it came */
    } else if (c->head.method == H1_METHOD_CONNECT) {
        answer_status(c, 501); /* a 2xx would be the promise of a tunnel */
    } else if (path_number(path, len, "/bytes/", &n)) {
        answer_bytes(c, n);
        return; /* the next request waits for the last of them */
    } else if (path_number(path, len, "/status/", &n) && n >= 200 && n <= 599) {
        answer_status(c, (int)n);
    } else if (len == 1 && path[0] == '/') {
        answer_page(c);
    } else if (len == 1 && path[0] == '*') {
        answer_status(c, 204); /* OPTIONS of the whole server (RFC 9110, 9.3.7) */
    } else {
        answer_status(c, 404);
    }
    next_request(c);
}

/* A message that is no HTTP: nobody knows where the next would begin, so it is the last one. */
static void refuse(struct client *c, enum h1_error error)
{
    c->framing.keep_alive = false;
    c->conn.closing = true;
    c->conn.linger = true;
    if (!c->echo) { /* else an answer is under way, and breaking off is all that can be done */
        c->head.method = H1_METHOD_OTHER;
        char text[160];
        int len = snprintf(text, sizeof text, "%s\n", h1_error_text(error));
        answer(c, h1_error_status(error), "text/plain", text, (size_t)len);
    }
}

/* ---------------------------------------------------------------- reading
 *
 * Each of these takes what it can from rx. True: go on with what is there; false: wait, for more to
 * come or for the output to go.
 */

static bool read_head(struct client *c)
{
    if (c->conn.tx_len > c->conn.tx_at) {
        return false; /* the answer before is not out yet */
    }
    switch (h1_head_parse(&c->head, c->conn.rx, c->conn.rx_len)) {
    case H1_DONE:
        c->conn.rx_at = c->head.head_len;
        c->framing = h1_body_framing(&c->head, H1_METHOD_OTHER);
        /* We never switch, so what follows CONNECT or Upgrade is not looked at: a client that did
         * not wait for the answer may have sent another protocol. */
        c->framing.keep_alive = c->framing.keep_alive && !c->framing.switches;
        begin_answer(c);
        return true;
    case H1_MORE:
        return false;
    default:
        c->echo = false;
        refuse(c, c->head.error);
        return false;
    }
}

/* rx behind the head is only lent to body bytes: what was read of them makes room again. */
static void drop_read_bytes(struct client *c)
{
    size_t head_len = c->head.head_len;
    memmove(c->conn.rx + head_len, c->conn.rx + c->conn.rx_at, c->conn.rx_len - c->conn.rx_at);
    c->conn.rx_len -= c->conn.rx_at - head_len;
    c->conn.rx_at = head_len;
}

static bool read_body(struct client *c)
{
    for (;;) {
        begin_output(c); /* may make room */
        size_t room = DEMO_TX_SIZE - c->conn.tx_len;
        size_t len = c->conn.rx_len - c->conn.rx_at;
        if (c->echo && room < ANSWER_ROOM + DEMO_RX_SIZE) {
            break; /* back-pressure: what is not read here is not read from the socket for long */
        }
        const uint8_t *data;
        size_t data_len;
        size_t used;
        enum h1_rc rc =
            h1_body_next(&c->body, c->conn.rx + c->conn.rx_at, len, &used, &data, &data_len);
        c->conn.rx_at += used;
        if (rc == H1_DATA) {
            if (c->echo) {
                echo_data(c, data, data_len);
            }
        } else if (rc == H1_DONE && c->framing.kind == H1_BODY_CHUNKED) {
            drop_read_bytes(c);
            h1_head_init(&c->trailers, H1_TRAILERS, c->trailer_fields, FIELDS_MAX, limits);
            c->phase = READ_TRAILERS;
            return true;
        } else if (rc == H1_DONE) {
            end_request(c);
            return true;
        } else if (rc == H1_ERROR) {
            refuse(c, c->body.error);
            return false;
        } else {
            break;
        }
    }
    drop_read_bytes(c);
    return false;
}

static bool read_trailers(struct client *c)
{
    const uint8_t *section = c->conn.rx + c->conn.rx_at;
    switch (
        h1_head_parse(&c->trailers, c->conn.rx + c->conn.rx_at, c->conn.rx_len - c->conn.rx_at)) {
    case H1_DONE:
        if (c->echo) {
            echo_trailers(c, section);
        }
        c->conn.rx_at += c->trailers.head_len;
        end_request(c);
        return true;
    case H1_MORE:
        return false;
    default:
        refuse(c, c->trailers.error);
        return false;
    }
}

static bool send_bytes(struct client *c)
{
    struct h1_out o = begin_output(c);
    size_t room = (size_t)(o.end - o.pos);
    size_t n = c->bytes_left < room ? (size_t)c->bytes_left : room;
    memset(o.pos, 'x', n);
    o.pos += n;
    c->bytes_left -= n;
    end_output(c, &o);
    if (c->bytes_left > 0) {
        return false;
    }
    next_request(c);
    return true;
}

static void progress(struct demo_conn *conn)
{
    struct client *c = (struct client *)conn;
    static bool (*const steps[])(struct client *) = {
        [READ_HEAD] = read_head,
        [READ_BODY] = read_body,
        [READ_TRAILERS] = read_trailers,
        [SEND_BYTES] = send_bytes,
    };
    while (!c->conn.closing && steps[c->phase](c)) {
    }
}

static void open_client(struct demo_conn *conn)
{
    struct client *c = (struct client *)conn;
    c->phase = READ_HEAD;
    h1_head_init(&c->head, H1_REQUEST, c->fields, FIELDS_MAX, limits);
}

int main(int argc, char **argv)
{
    const struct demo_app app = {
        .client_size = sizeof(struct client), .open = open_client, .progress = progress};
    return demo_loop_run(argc, argv, &app);
}
