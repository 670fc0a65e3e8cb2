/*
 * Step 2 of docs/h2core/getting-started.md: the bytes go into the engine, and events come out.
 */
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

static void show(const struct h2_event *ev)
{
    switch (ev->type) {
    case H2_EVENT_SETTINGS:
        for (size_t i = 0; i < ev->nsettings; i++) {
            printf("setting %s: %u\n", h2_setting_name(ev->settings[i].id), ev->settings[i].after);
        }
        break;
    case H2_EVENT_REQUEST:
        printf("request on stream %u:\n", ev->stream_id);
        for (size_t i = 0; i < ev->nfields; i++) {
            const struct h2_field *f = &ev->fields[i];
            printf("  %.*s: %.*s\n", (int)f->name_len, f->name, (int)f->value_len, f->value);
        }
        break;
    case H2_EVENT_STREAM_ENDED:
        printf("the request on stream %u is complete\n", ev->stream_id);
        break;
    case H2_EVENT_FAILED:
        printf("failed: %s\n", ev->fail.why);
        break;
    default:
        break;
    }
    fflush(stdout);
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
            show(&ev);
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
