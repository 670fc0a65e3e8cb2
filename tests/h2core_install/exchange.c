/*
 * What a user of the installed library would write first: a client and a server in memory, a
 * request with a body, a response with a body. Only <h2core/h2core.h> is included.
 */
#include <h2core/h2core.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char question[] = "What is the answer?";
static const char answer[] = "Forty-two.";

struct end {
    struct h2_conn *conn;
    const char *to_send; /* the body that waits for the scheduler */
    char body[64];       /* the one that came */
    size_t body_len;
    uint16_t status;
    bool ended;
};

static void die(const char *what)
{
    fprintf(stderr, "exchange: %s\n", what);
    exit(1);
}

static struct h2_field field(const char *name, const char *value)
{
    struct h2_field f = {.name = name,
                         .value = value,
                         .name_len = (uint32_t)strlen(name),
                         .value_len = (uint32_t)strlen(value)};
    return f;
}

static void on_event(struct end *end, const struct h2_event *ev)
{
    switch (ev->type) {
    case H2_EVENT_RESPONSE:
        end->status = ev->status;
        break;
    case H2_EVENT_DATA:
        if (ev->len > sizeof(end->body) - end->body_len) {
            die("a body is longer than what was sent");
        }
        memcpy(end->body + end->body_len, ev->data, ev->len);
        end->body_len += ev->len;
        if (h2_conn_consume(end->conn, ev->stream_id, ev->flow_len) != H2_OK) {
            die("credit was refused");
        }
        break;
    case H2_EVENT_FAILED:
        die(ev->fail.why);
        break;
    default:
        break;
    }
    end->ended = end->ended || ev->end_stream;
}

/* Hands everything that one end has to the other; whether there was anything. */
static bool carry(struct end *from, struct end *to)
{
    uint8_t wire[512];
    size_t len = h2_conn_send(from->conn, wire, sizeof(wire));
    if (len == 0) {
        size_t limit;
        uint32_t id = h2_conn_next_writable(from->conn, &limit, NULL);
        if (id == 0) {
            return false;
        }
        size_t body_len = strlen(from->to_send);
        if (body_len > limit) {
            die("no window for a few octets");
        }
        h2_conn_data_frame(from->conn, id, body_len, true, wire);
        memcpy(wire + H2_FRAME_HEADER_LEN, from->to_send, body_len);
        len = H2_FRAME_HEADER_LEN + body_len;
    }
    struct h2_event ev;
    h2_conn_feed(to->conn, wire, len);
    while (h2_conn_next_event(to->conn, 0, &ev)) {
        on_event(to, &ev);
        if (ev.type == H2_EVENT_REQUEST) {
            struct h2_field fields[] = {field(":status", "200"), field("server", "exchange")};
            if (h2_conn_respond(to->conn, ev.stream_id, fields, 2, false) != H2_OK) {
                die("the response was refused");
            }
            h2_stream_set_ready(to->conn, ev.stream_id, true);
        }
    }
    return true;
}

int main(void)
{
    struct h2_options opts;
    h2_options_init(&opts);
    struct end client = {.conn = h2_conn_new(H2_CLIENT, &opts), .to_send = question};
    struct end server = {.conn = h2_conn_new(H2_SERVER, &opts), .to_send = answer};
    if (client.conn == NULL || server.conn == NULL) {
        die("no memory");
    }
    struct h2_field fields[] = {field(":method", "POST"), field(":scheme", "https"),
                                field(":authority", "example.org"), field(":path", "/")};
    uint32_t id;
    if (h2_conn_request(client.conn, fields, 4, false, NULL, &id) != H2_OK) {
        die("the request was refused");
    }
    h2_stream_set_ready(client.conn, id, true);
    bool moved;
    do {
        moved = carry(&client, &server);
        moved = carry(&server, &client) || moved;
    } while (moved);

    if (!server.ended || server.body_len != strlen(question) ||
        memcmp(server.body, question, server.body_len) != 0) {
        die("the request did not arrive as it was sent");
    }
    if (!client.ended || client.status != 200 || client.body_len != strlen(answer) ||
        memcmp(client.body, answer, client.body_len) != 0) {
        die("the response did not arrive as it was sent");
    }
    h2_conn_free(client.conn);
    h2_conn_free(server.conn);
    puts("exchanged");
    return 0;
}
