/*
 * A client that sends a file, or what comes from stdin, as the body of a POST, while the response
 * comes.
 *
 *   client_post http://HOST:PORT/PATH [FILE]
 *
 * It reads its input no faster than the server takes it: only when a window is open and the socket
 * has taken what was there, and no more than fits, straight behind the frame's header. So nothing
 * is copied twice, and an endless input costs one buffer.
 */
#include "download.h"
#include "field.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SILENCE_MS = 30000, WINDOW = 1 << 20 };

struct post {
    int fd;    /* the socket */
    int input; /* the file; -1: it was read to its end */
    struct h2_conn *h2;
    struct download download;
    size_t out_at; /* to be sent: [out_at, out_len) of `out` */
    size_t out_len;
    uint8_t out[H2_FRAME_HEADER_LEN + 16384];
};

static bool start(struct post *p, const struct net_url *url)
{
    char length[24];
    struct stat info;
    uint32_t stream_id;
    size_t n = 5;
    struct h2_field head[6] = {field(":method", "POST"), field(":scheme", url->scheme),
                               field(":authority", url->authority), field(":path", url->path),
                               field("content-type", "application/octet-stream")};
    if (fstat(p->input, &info) == 0 && S_ISREG(info.st_mode)) {
        snprintf(length, sizeof(length), "%lld", (long long)info.st_size);
        head[n++] = field("content-length", length);
    }
    enum h2_error error = h2_conn_request(p->h2, head, n, false, &p->download, &stream_id);
    if (error != H2_OK) {
        fprintf(stderr, "request: %s\n", h2_error_text(error));
        return false;
    }
    h2_stream_set_ready(p->h2, stream_id, true); /* from now on next_writable tells its windows */
    return true;
}

/* Fills the output with one frame of the body. False: the input cannot be read. */
static bool read_input(struct post *p, uint32_t stream_id, size_t room)
{
    size_t space = sizeof(p->out) - H2_FRAME_HEADER_LEN;
    ssize_t n = read(p->input, p->out + H2_FRAME_HEADER_LEN, room < space ? room : space);
    if (n < 0) {
        perror("input");
        h2_conn_reset(p->h2, stream_id, H2_CANCEL);
        return false;
    }
    if (n == 0) { /* only now it is known that the frame before was the last one */
        h2_conn_end_stream(p->h2, stream_id);
        p->input = -1;
        return true;
    }
    h2_conn_data_frame(p->h2, stream_id, (size_t)n, false, p->out);
    p->out_len = H2_FRAME_HEADER_LEN + (size_t)n;
    return true;
}

static bool write_output(struct post *p)
{
    ssize_t n = send(p->fd, p->out + p->out_at, p->out_len - p->out_at, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        perror("send");
        return false;
    }
    p->out_at += n > 0 ? (size_t)n : 0;
    return true;
}

static bool receive(struct post *p)
{
    uint8_t buf[65536];
    struct h2_event ev;
    ssize_t n = recv(p->fd, buf, sizeof(buf), 0);
    if (n <= 0) {
        fprintf(stderr, "the server has gone\n");
        return false;
    }
    h2_conn_feed(p->h2, buf, (size_t)n);
    while (h2_conn_next_event(p->h2, net_now_ms(), &ev)) {
        download_event(&p->download, p->h2, &ev);
    }
    return true;
}

/* One turn: what comes, what goes, and the input when there is room for it. */
static bool turn(struct post *p)
{
    uint32_t stream_id = 0;
    size_t room = 0;
    if (p->out_at == p->out_len) {
        p->out_at = 0;
        p->out_len = h2_conn_send(p->h2, p->out, sizeof(p->out));
    }
    if (p->out_len == 0 && p->input >= 0) {
        stream_id = h2_conn_next_writable(p->h2, &room, NULL);
    }
    struct pollfd fds[2] = {
        {.fd = p->fd, .events = (short)(POLLIN | (p->out_len > 0 ? POLLOUT : 0))},
        {.fd = stream_id != 0 ? p->input : -1, .events = POLLIN},
    };
    if (net_poll(fds, 2, SILENCE_MS) != NET_READY) {
        fprintf(stderr, "nothing happens\n");
        return false;
    }
    if (fds[1].revents != 0 && !read_input(p, stream_id, room)) {
        return false;
    }
    if ((fds[0].revents & POLLOUT) != 0 && !write_output(p)) {
        return false;
    }
    return (fds[0].revents & ~POLLOUT) == 0 || receive(p);
}

static void run(struct post *p)
{
    while (p->download.state == DOWNLOAD_RUNNING && turn(p)) {
    }
    if (p->download.state == DOWNLOAD_DONE && p->input >= 0) {
        fprintf(stderr, "the server did not want all of it\n"); /* RFC 9113, 8.1 allows that */
    }
}

int main(int argc, char **argv)
{
    struct net_url url;
    struct post p = {.input = STDIN_FILENO};
    if ((argc != 2 && argc != 3) || !net_parse_url(argv[1], &url) ||
        strcmp(url.scheme, "http") != 0) {
        fprintf(stderr, "usage: %s http://HOST[:PORT]/PATH [FILE]\n", argv[0]);
        return 2;
    }
    int file = argc == 3 ? open(argv[2], O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (file < 0) {
        perror(argv[2]);
        return 1;
    }
    p.input = file;
    p.fd = net_connect(url.host, url.port);
    if (p.fd < 0) {
        close(file);
        return 1;
    }
    net_set_nonblocking(p.fd);
    struct h2_options options;
    h2_options_init(&options);
    options.initial_window_size = options.connection_window_size = WINDOW;
    p.h2 = h2_conn_new(H2_CLIENT, &options);
    if (p.h2 == NULL) {
        fprintf(stderr, "no memory\n");
    } else if (start(&p, &url)) {
        run(&p);
    }
    h2_conn_free(p.h2);
    close(p.fd);
    close(file);
    return p.download.state == DOWNLOAD_DONE ? 0 : 1;
}
