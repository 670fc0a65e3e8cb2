/*
 * An HTTP/2 server on a blocking socket, one client after another: the result of
 * docs/h2core/getting-started.md. It answers every request with the request's fields as JSON.
 *
 *   server_blocking --port PORT
 *   curl --http2-prior-knowledge http://127.0.0.1:PORT/
 *
 * server_poll.c serves many clients at once, server_ev_tls.c does it with TLS.
 */
#include "field.h"
#include "json.h"
#include "net.h"

#include <h2core/h2core.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

enum {
    IDLE_TIMEOUT_MS = 10000, /* the next client is waiting */
    DRAIN_TIMEOUT_MS = 3000, /* for the streams that are open then */
};

/* What a stream is answered with. The stream's user pointer leads here. */
struct answer {
    LIST_ENTRY(answer) link;
    char *json;
    size_t len;
    size_t sent;
    bool head_only; /* the request's method is HEAD */
};

/* One client. The engine does not free what user pointers lead to, so the list does. */
struct session {
    int fd;
    struct h2_conn *h2;
    LIST_HEAD(, answer) answers;
    uint64_t drain_until; /* not 0: GOAWAY was sent; streams that are open go on, and then we end */
};

static void answer_free(struct answer *a)
{
    if (a != NULL) {
        LIST_REMOVE(a, link);
        free(a->json);
        free(a);
    }
}

/* ---------------------------------------------------------------- events */

/* Fields are valid until the next event is asked for, so the text is made right away. It is
 * sent when the request is complete. */
static void on_request(struct session *s, const struct h2_event *ev)
{
    struct answer *a = ev->too_large ? NULL : calloc(1, sizeof(*a));
    if (a == NULL) {
        const struct h2_field head[] = {field(":status", ev->too_large ? "431" : "503")};
        h2_conn_respond(s->h2, ev->stream_id, head, 1, true);
        return;
    }
    LIST_INSERT_HEAD(&s->answers, a, link);
    a->json = json_from_fields(ev->fields, ev->nfields, &a->len);
    a->head_only = has_field(ev->fields, ev->nfields, H2_TOKEN_PSEUDO_METHOD, "HEAD");
    h2_stream_set_user(s->h2, ev->stream_id, a);
}

static void on_request_complete(struct session *s, const struct h2_event *ev)
{
    struct answer *a = ev->user;
    char length[24];
    if (a == NULL) {
        return; /* answered already */
    }
    snprintf(length, sizeof(length), "%zu", a->len);
    const struct h2_field head[] = {field(":status", "200"),
                                    field("content-type", "application/json"),
                                    field("content-length", length)};
    enum h2_error error = H2_ERR_NOMEM;
    if (a->json != NULL) {
        error = h2_conn_respond(s->h2, ev->stream_id, head, 3, a->head_only);
    }
    if (error != H2_OK) {
        fprintf(stderr, "stream %u: %s\n", ev->stream_id, h2_error_text(error));
        h2_conn_reset(s->h2, ev->stream_id, H2_INTERNAL_ERROR);
    }
    if (error != H2_OK || a->head_only) {
        answer_free(a);
    } else {
        h2_stream_set_ready(s->h2, ev->stream_id, true);
    }
}

static void on_event(struct session *s, const struct h2_event *ev)
{
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        on_request(s, ev);
        break;
    case H2_EVENT_DATA: /* nobody wants it: the window is given back at once */
        h2_conn_consume(s->h2, ev->stream_id, ev->flow_len);
        break;
    case H2_EVENT_STREAM_ENDED:
        on_request_complete(s, ev);
        break;
    case H2_EVENT_RESET:
        answer_free(ev->user);
        break;
    case H2_EVENT_FAILED:
        fprintf(stderr, "%s: %s\n", h2_code_name(ev->fail.code), ev->fail.why);
        break;
    default: /* the engine has done what there is to do */
        break;
    }
}

/* ---------------------------------------------------------------- bytes */

/* One DATA frame of the stream whose turn it is, no longer than `room`. */
static bool send_body(struct session *s, uint32_t stream_id, struct answer *a, size_t room)
{
    uint8_t frame[H2_FRAME_HEADER_LEN + 16384];
    size_t len = a->len - a->sent;
    len = len < room ? len : room;
    len = len < sizeof(frame) - H2_FRAME_HEADER_LEN ? len : sizeof(frame) - H2_FRAME_HEADER_LEN;
    bool last = a->sent + len == a->len;

    h2_conn_data_frame(s->h2, stream_id, len, last, frame);
    memcpy(frame + H2_FRAME_HEADER_LEN, a->json + a->sent, len);
    a->sent += len;
    if (last) {
        answer_free(a);
    }
    return net_write_all(s->fd, frame, H2_FRAME_HEADER_LEN + len);
}

/* Everything that may be sent now. What a window holds back is sent after a WINDOW_UPDATE. */
static bool send_output(struct session *s)
{
    uint8_t buf[16384];
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
        if (stream_id != 0 && !send_body(s, stream_id, user, room)) {
            return false;
        }
    } while (stream_id != 0 || h2_conn_wants_send(s->h2));
    return true;
}

static bool receive_input(struct session *s)
{
    uint8_t buf[16384];
    struct h2_event ev;
    ssize_t n = recv(s->fd, buf, sizeof(buf), 0);
    if (n <= 0) {
        return false;
    }
    h2_conn_feed(s->h2, buf, (size_t)n);
    while (h2_conn_next_event(s->h2, net_now_ms(), &ev)) {
        on_event(s, &ev);
    }
    return true;
}

/* How long to wait for the client now. */
static int patience_ms(const struct session *s)
{
    uint64_t now = net_now_ms();
    if (s->drain_until == 0) {
        return IDLE_TIMEOUT_MS;
    }
    return s->drain_until > now ? (int)(s->drain_until - now) : 0;
}

static bool is_over(const struct session *s)
{
    return h2_conn_is_over(s->h2) || (s->drain_until != 0 && h2_conn_open_streams(s->h2) == 0);
}

static void serve(struct session *s)
{
    while (send_output(s) && !is_over(s)) {
        if (net_wait(s->fd, POLLIN, patience_ms(s)) == NET_READY) {
            if (!receive_input(s)) {
                break;
            }
        } else if (s->drain_until == 0) { /* a signal, or a client that has nothing to say */
            s->drain_until = net_now_ms() + DRAIN_TIMEOUT_MS;
            h2_conn_shutdown(s->h2);
        } else {
            break;
        }
    }
}

int main(int argc, char **argv)
{
    struct h2_options options;
    h2_options_init(&options);
    net_catch_signals();
    int listener = net_listen(net_port_option(argc, argv));
    struct session s = {.fd = -1};
    while ((s.fd = net_accept(listener)) >= 0) {
        s.drain_until = 0;
        s.h2 = h2_conn_new(H2_SERVER, &options);
        if (s.h2 == NULL) {
            fprintf(stderr, "no memory for a client\n");
        } else {
            serve(&s);
        }
        h2_conn_free(s.h2);
        while (!LIST_EMPTY(&s.answers)) {
            answer_free(LIST_FIRST(&s.answers));
        }
        net_close(s.fd);
    }
    net_close(listener);
    return 0;
}
