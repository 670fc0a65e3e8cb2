/*
 * Step 3 of docs/h2core/getting-started.md: every request gets an answer, which has no body yet.
 */
#include "field.h"
#include "net.h"

#include <h2core/h2core.h>

#include <stdio.h>
#include <sys/socket.h>

static bool send_output(int fd, struct h2_conn *h2)
{
    uint8_t buf[16384];
    size_t n;
    while ((n = h2_conn_send(h2, buf, sizeof(buf))) > 0) {
        if (!net_write_all(fd, buf, n)) {
            return false;
        }
    }
    return true;
}

static void answer(struct h2_conn *h2, uint32_t stream_id)
{
    const struct h2_field head[] = {field(":status", "204"), field("server", "h2core")};
    enum h2_error error = h2_conn_respond(h2, stream_id, head, 2, true);
    if (error != H2_OK) {
        fprintf(stderr, "stream %u: %s\n", stream_id, h2_error_text(error));
    }
}

static void on_event(struct h2_conn *h2, const struct h2_event *ev)
{
    switch (ev->type) {
    case H2_EVENT_DATA:
        h2_conn_consume(h2, ev->stream_id, ev->flow_len);
        break;
    case H2_EVENT_STREAM_ENDED:
        answer(h2, ev->stream_id);
        break;
    case H2_EVENT_FAILED:
        fprintf(stderr, "failed: %s\n", ev->fail.why);
        break;
    default:
        break;
    }
}

static void serve(int fd, struct h2_conn *h2)
{
    uint8_t buf[16384];
    struct h2_event ev;
    while (send_output(fd, h2) && !h2_conn_is_over(h2) && net_wait(fd, POLLIN, 5000) == NET_READY) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        if (n <= 0) {
            break;
        }
        h2_conn_feed(h2, buf, (size_t)n);
        while (h2_conn_next_event(h2, net_now_ms(), &ev)) {
            on_event(h2, &ev);
        }
    }
}

int main(int argc, char **argv)
{
    struct h2_options options;
    h2_options_init(&options);
    net_catch_signals();
    int listener = net_listen(net_port_option(argc, argv));
    int fd;
    while ((fd = net_accept(listener)) >= 0) {
        struct h2_conn *h2 = h2_conn_new(H2_SERVER, &options);
        if (h2 != NULL) {
            serve(fd, h2);
        }
        h2_conn_free(h2);
        net_close(fd);
    }
    net_close(listener);
    return 0;
}
