/*
 * A client that does not know whether the server speaks HTTP/2: it asks with an HTTP/1.1 request
 * for the upgrade to h2c (RFC 7540, 3.2), whose response is then that of stream 1.
 *
 *   client_upgrade http://HOST:PORT/PATH
 *
 * RFC 9113 has given this way up; servers that have it are getting fewer. A server that declines
 * answers over HTTP/1.1: this client then says its status and ends with 3.
 */
#include "download.h"
#include "net.h"

#include "h1parser.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SILENCE_MS = 30000, HEAD_MAX = 8192, FIELDS_MAX = 64 };

/* What was received and not used yet. */
struct input {
    size_t len;
    uint8_t bytes[HEAD_MAX];
};

static bool receive(int fd, struct input *in)
{
    ssize_t n = 0;
    if (net_wait(fd, POLLIN, SILENCE_MS) == NET_READY) {
        n = recv(fd, in->bytes + in->len, sizeof(in->bytes) - in->len, 0);
    }
    if (n <= 0) {
        fprintf(stderr, "the server has gone, or says nothing\n");
        return false;
    }
    in->len += (size_t)n;
    return true;
}

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

static bool ask(int fd, const struct h2_conn *h2, const struct net_url *url)
{
    char request[4096], settings[H2_UPGRADE_SETTINGS_MAX];
    size_t len = h2_conn_upgrade_settings(h2, settings, sizeof(settings));
    int n = snprintf(request, sizeof(request),
                     "GET %s HTTP/1.1\r\n"
                     "Host: %s\r\n"
                     "Connection: Upgrade, HTTP2-Settings\r\n"
                     "Upgrade: h2c\r\n"
                     "HTTP2-Settings: %.*s\r\n"
                     "\r\n",
                     url->path, url->authority, (int)len, settings);
    if (n < 0 || (size_t)n >= sizeof(request)) {
        fprintf(stderr, "the URL is too long\n");
        return false;
    }
    return net_write_all(fd, request, (size_t)n);
}

/* Reads the head of an HTTP/1.1 response: its status, 0 when there is none. What is behind a 101 is
 * HTTP/2 and stays in `in`. */
static int read_status(int fd, struct input *in)
{
    struct h1_field fields[FIELDS_MAX];
    struct h1_head head;
    enum h1_rc rc;
    h1_head_init(&head, H1_RESPONSE, fields, FIELDS_MAX,
                 (struct h1_options){.head_bytes = HEAD_MAX, .fields = FIELDS_MAX});
    while ((rc = h1_head_parse(&head, in->bytes, in->len)) == H1_MORE) {
        if (!receive(fd, in)) {
            return 0;
        }
    }
    if (rc != H1_DONE) {
        fprintf(stderr, "not HTTP/1.1: %s\n", h1_error_text(head.error));
        return 0;
    }
    in->len -= head.head_len;
    memmove(in->bytes, in->bytes + head.head_len, in->len);
    return head.status;
}

static void take_events(struct h2_conn *h2, struct download *d, struct input *in)
{
    struct h2_event ev;
    h2_conn_feed(h2, in->bytes, in->len);
    while (h2_conn_next_event(h2, net_now_ms(), &ev)) {
        download_event(d, h2, &ev);
    }
    in->len = 0;
}

static int run(int fd, struct h2_conn *h2, const struct net_url *url)
{
    struct download d = {.state = DOWNLOAD_RUNNING};
    struct input in = {.len = 0};
    if (!ask(fd, h2, url)) {
        return 1;
    }
    int status;
    do { /* 103, say, may come before */
        status = read_status(fd, &in);
    } while (status > 101 && status < 200);
    if (status != 101) {
        fprintf(stderr, "no upgrade: status %d over HTTP/1.1\n", status);
        return status != 0 ? 3 : 1;
    }
    enum h2_error error = h2_conn_upgrade(h2, NULL, 0, false, &d);
    if (error != H2_OK) {
        fprintf(stderr, "upgrade: %s\n", h2_error_text(error));
        return 1;
    }
    take_events(h2, &d, &in);
    while (send_output(fd, h2) && d.state == DOWNLOAD_RUNNING && receive(fd, &in)) {
        take_events(h2, &d, &in);
    }
    h2_conn_close(h2, H2_NO_ERROR, H2_LAST_TOLD, NULL, 0);
    send_output(fd, h2);
    return d.state == DOWNLOAD_DONE ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct net_url url;
    int status = 1;
    if (argc != 2 || !net_parse_url(argv[1], &url) || strcmp(url.scheme, "http") != 0) {
        fprintf(stderr, "usage: %s http://HOST[:PORT]/PATH\n", argv[0]);
        return 2;
    }
    int fd = net_connect(url.host, url.port);
    if (fd < 0) {
        return 1;
    }
    struct h2_options options;
    h2_options_init(&options);
    struct h2_conn *h2 = h2_conn_new(H2_CLIENT, &options);
    if (h2 == NULL) {
        fprintf(stderr, "no memory\n");
    } else {
        status = run(fd, h2, &url);
    }
    h2_conn_free(h2);
    close(fd);
    return status;
}
