/*
 * A client on a blocking socket: GET or HEAD over cleartext HTTP/2, with prior knowledge that the
 * server speaks it.
 *
 *   client_get [--head] http://HOST:PORT/PATH
 *
 * Ends with 0 when the response is complete. client_tls.c does the same with TLS, client_upgrade.c
 * asks the server first.
 */
#include "download.h"
#include "net.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SILENCE_MS = 30000, /* a server that says nothing for so long is given up */
    WINDOW = 1 << 20,   /* octets on their way to us; 65535 would slow down a long way */
};

static bool send_output(int fd, struct h2_conn *h2)
{
    uint8_t buf[4096];
    size_t n;
    while ((n = h2_conn_send(h2, buf, sizeof(buf))) > 0) {
        if (!net_write_all(fd, buf, n)) {
            perror("send");
            return false;
        }
    }
    return true;
}

static bool receive_input(int fd, struct h2_conn *h2, struct download *d)
{
    uint8_t buf[65536];
    struct h2_event ev;
    ssize_t n = net_wait(fd, POLLIN, SILENCE_MS) == NET_READY ? recv(fd, buf, sizeof(buf), 0) : 0;
    if (n <= 0) {
        fprintf(stderr, "the server has gone, or says nothing\n");
        return false;
    }
    h2_conn_feed(h2, buf, (size_t)n);
    while (h2_conn_next_event(h2, net_now_ms(), &ev)) {
        download_event(d, h2, &ev);
    }
    return true;
}

static void run(int fd, struct h2_conn *h2, struct download *d)
{
    while (send_output(fd, h2) && d->state == DOWNLOAD_RUNNING && receive_input(fd, h2, d)) {
    }
    h2_conn_close(h2, H2_NO_ERROR, H2_LAST_TOLD, NULL, 0); /* that it was the end is good to know */
    send_output(fd, h2);
}

int main(int argc, char **argv)
{
    struct net_url url;
    struct download d = {.show_head = argc == 3 && strcmp(argv[1], "--head") == 0};
    if (argc != (d.show_head ? 3 : 2) || !net_parse_url(argv[argc - 1], &url) ||
        strcmp(url.scheme, "http") != 0) {
        fprintf(stderr, "usage: %s [--head] http://HOST[:PORT]/PATH\n", argv[0]);
        return 2;
    }
    int fd = net_connect(url.host, url.port);
    if (fd < 0) {
        return 1;
    }
    struct h2_options options;
    h2_options_init(&options);
    options.initial_window_size = options.connection_window_size = WINDOW;
    struct h2_conn *h2 = h2_conn_new(H2_CLIENT, &options);
    if (h2 == NULL) {
        fprintf(stderr, "no memory\n");
    } else if (download_start(&d, h2, d.show_head ? "HEAD" : "GET", url.scheme, url.authority,
                              url.path)) {
        run(fd, h2, &d);
    }
    h2_conn_free(h2);
    close(fd);
    return d.state == DOWNLOAD_DONE ? 0 : 1;
}
