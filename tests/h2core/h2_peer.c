/*
 * The engine on stdin and stdout, for a peer that is not ours (h2_peer.py).
 *
 *   h2_peer server              answers each request with its own body and trailers
 *   h2_peer client N OCTETS     makes N requests with bodies of that size, one after another as
 * streams come free, and wants its octets back; says "done N" on stderr
 *
 * Ends with 0 at end of input when nothing has failed.
 */
#include "h2core/h2core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct body {
    uint8_t *p;
    size_t len;
    size_t sent;
    size_t got; /* client: of the response */
    bool complete;
    bool trailers;
    uint32_t id;
};

static struct h2_conn *conn;
static unsigned to_make, done;
static size_t body_len;

static struct h2_field field(const char *name, const char *value)
{
    return (struct h2_field){.name = name,
                             .name_len = (uint32_t)strlen(name),
                             .value = value,
                             .value_len = (uint32_t)strlen(value)};
}

static void must(enum h2_error rc)
{
    if (rc != H2_OK) {
        fprintf(stderr, "h2_peer: %s\n", h2_error_text(rc));
        exit(1);
    }
}

static void write_all(const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t w = write(STDOUT_FILENO, at, n);
        if (w <= 0) {
            exit(1);
        }
        at += w;
        n -= (size_t)w;
    }
}

static void free_body(struct body *b)
{
    free(b->p);
    free(b);
}

/* Our side has nothing more to say. */
static void finish(struct body *b, bool server)
{
    struct h2_field trailer = field("x-trailer", "came back");
    if (b->trailers) {
        must(h2_conn_trailers(conn, b->id, &trailer, 1));
    } else {
        must(h2_conn_end_stream(conn, b->id));
    }
    if (server) {
        free_body(b); /* the request had ended before */
    }
}

static void ready(struct body *b)
{
    h2_stream_set_ready(conn, b->id, b->sent < b->len);
}

/* ---------------------------------------------------------------- server: an echo */

static void serve(const struct h2_event *ev)
{
    struct body *b = ev->user;
    if (ev->type == H2_EVENT_REQUEST) {
        b = calloc(1, sizeof(*b));
        assert(b != NULL);
        b->id = ev->stream_id;
        h2_stream_set_user(conn, b->id, b);
        struct h2_field early = field(":status", "103");
        must(h2_conn_respond(conn, b->id, &early, 1, false));
        struct h2_field head[] = {field(":status", "200"), field("server", "h2_peer")};
        must(h2_conn_respond(conn, b->id, head, 2, false));
    } else if (ev->type == H2_EVENT_DATA) {
        b->p = realloc(b->p, b->len + ev->len + 1);
        assert(b->p != NULL);
        memcpy(b->p + b->len, ev->data, ev->len);
        b->len += ev->len;
        h2_conn_consume(conn, b->id, ev->flow_len);
        ready(b);
    } else if (ev->type == H2_EVENT_TRAILERS) {
        b->trailers = true;
    } else if (ev->type == H2_EVENT_RESET && b != NULL) {
        free_body(b);
        return;
    }
    if (ev->end_stream) {
        b->complete = true;
        if (b->sent == b->len) {
            finish(b, true);
        }
    }
}

/* ---------------------------------------------------------------- client */

static void request(void)
{
    while (to_make > 0 && h2_conn_can_request(conn)) {
        struct body *b = calloc(1, sizeof(*b));
        assert(b != NULL);
        struct h2_field head[] = {field(":method", "POST"), field(":scheme", "https"),
                                  field(":path", "/echo"), field(":authority", "example.com"),
                                  field("priority", to_make % 2 != 0 ? "u=1" : "i")};
        b->len = body_len;
        b->complete = true;
        b->p = malloc(body_len + 1);
        assert(b->p != NULL);
        must(h2_conn_request(conn, head, 5, false, b, &b->id));
        for (size_t i = 0; i < body_len; i++) {
            b->p[i] = (uint8_t)(b->id + i * 7 + (i >> 8));
        }
        to_make--;
        if (b->len == 0) {
            finish(b, false);
        }
        ready(b);
    }
}

static void hear(const struct h2_event *ev)
{
    struct body *b = ev->user;
    if (ev->type == H2_EVENT_DATA) {
        if (ev->len > b->len - b->got || memcmp(b->p + b->got, ev->data, ev->len) != 0) {
            fprintf(stderr, "h2_peer: stream %u: not what was sent\n", b->id);
            exit(1);
        }
        b->got += ev->len;
        h2_conn_consume(conn, b->id, ev->flow_len);
    } else if (ev->type == H2_EVENT_RESET) {
        fprintf(stderr, "h2_peer: reset: %s\n", h2_code_name(ev->code));
        exit(1);
    }
    if (ev->end_stream) {
        if (b->got != b->len) {
            fprintf(stderr, "h2_peer: stream %u: %zu of %zu octets\n", b->id, b->got, b->len);
            exit(1);
        }
        done++;
        free_body(b);
    }
}

/* ---------------------------------------------------------------- both */

static void send_all(bool server)
{
    static uint8_t buf[20000];
    size_t limit;
    void *user;
    size_t n;
    do {
        while ((n = h2_conn_send(conn, buf, sizeof(buf))) > 0) {
            write_all(buf, n);
        }
        while (h2_conn_next_writable(conn, &limit, &user) != 0) {
            struct body *b = user;
            uint8_t header[H2_FRAME_HEADER_LEN];
            n = b->len - b->sent < limit ? b->len - b->sent : limit;
            h2_conn_data_frame(conn, b->id, n, false, header);
            write_all(header, sizeof(header));
            write_all(b->p + b->sent, n);
            b->sent += n;
            ready(b);
            if (b->complete && b->sent == b->len) {
                finish(b, server);
            }
        }
    } while (h2_conn_wants_send(conn));
}

int main(int argc, char **argv)
{
    static uint8_t buf[70000];
    bool server = argc == 2 && strcmp(argv[1], "server") == 0;
    struct h2_options opts;
    struct h2_event ev;
    ssize_t n;
    if (!server && (argc != 4 || strcmp(argv[1], "client") != 0)) {
        fprintf(stderr, "usage: h2_peer server | client N OCTETS\n");
        return 2;
    }
    h2_options_init(&opts);
    conn = h2_conn_new(server ? H2_SERVER : H2_CLIENT, &opts);
    assert(conn != NULL);
    if (!server) {
        to_make = (unsigned)strtoul(argv[2], NULL, 10);
        body_len = strtoul(argv[3], NULL, 10);
    }
    send_all(server);
    while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
        h2_conn_feed(conn, buf, (size_t)n);
        while (h2_conn_next_event(conn, 0, &ev)) {
            if (ev.type == H2_EVENT_FAILED) {
                fprintf(stderr, "h2_peer: %s\n", ev.fail.why);
                return 1;
            }
            if (ev.stream_id != 0) {
                (server ? serve : hear)(&ev);
            }
        }
        if (!server && h2_conn_settings_acked(conn)) { /* the peer's limits are known by then */
            request();
        }
        send_all(server);
    }
    fprintf(stderr, "done %u\n", done);
    h2_conn_free(conn);
    return 0;
}
