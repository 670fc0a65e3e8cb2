#define _GNU_SOURCE 1 /* ppoll(), accept4() */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SOCKET_TIMEOUT_S = 10,    /* for a peer that does not read, or sends half a TLS record */
    LINGER_TIMEOUT_MS = 1000, /* for a peer that does not close */
};

static volatile sig_atomic_t stop_signal;
static sigset_t while_waiting; /* the signals that stay blocked while the program waits: none but
                                * those that were when it began */

static void on_signal(int number)
{
    stop_signal = number;
}

/* A signal that came between looking at stop_signal and waiting would be missed until the next
 * byte. So signals are blocked, but for the time that ppoll() waits. */
void net_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
    sigdelset(&while_waiting, SIGTERM);
    sigdelset(&while_waiting, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

int net_port_option(int argc, char **argv)
{
    char *end;
    if (argc == 3 && strcmp(argv[1], "--port") == 0) {
        long port = strtol(argv[2], &end, 10);
        if (end != argv[2] && *end == '\0' && port >= 0 && port <= 65535) {
            return (int)port;
        }
    }
    fprintf(stderr, "usage: %s --port PORT    (0: any free port)\n", argv[0]);
    exit(2);
}

int net_listen(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof(address);
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        die("socket");
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        die("listen");
    }
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* Small frames are not to wait for the acknowledgement of earlier ones. */
static void send_at_once(int fd)
{
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

void net_set_nonblocking(int fd)
{
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        die("fcntl");
    }
    send_at_once(fd);
}

static void set_blocking_options(int fd)
{
    struct timeval timeout = {.tv_sec = SOCKET_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    send_at_once(fd);
}

int net_accept(int listener)
{
    while (!net_stopping() && net_wait(listener, POLLIN, -1) == NET_READY) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            set_blocking_options(fd);
            return fd;
        }
        perror("accept"); /* this client has left, or descriptors are short */
    }
    return -1;
}

int net_connect(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int fd = -1;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", host, gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            int error = errno;
            close(fd);
            errno = error;
            fd = -1;
        }
    }
    if (fd < 0) {
        fprintf(stderr, "%s:%s: %s\n", host, port, strerror(errno));
    } else {
        set_blocking_options(fd);
    }
    freeaddrinfo(list);
    return fd;
}

bool net_stopping(void)
{
    return stop_signal != 0;
}

enum net_event net_poll(struct pollfd *fds, size_t n, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    int before = stop_signal, ready;
    do {
        ready = ppoll(fds, n, timeout_ms < 0 ? NULL : &timeout, &while_waiting);
    } while (ready < 0 && errno == EINTR && stop_signal == before);
    if (stop_signal != before) {
        return NET_STOP;
    }
    return ready == 0 ? NET_TIMEOUT : NET_READY;
}

enum net_event net_wait(int fd, short events, int timeout_ms)
{
    struct pollfd one = {.fd = fd, .events = events};
    return net_poll(&one, 1, timeout_ms);
}

bool net_write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

void net_close(int fd)
{
    char rest[4096];
    uint64_t end = net_now_ms() + LINGER_TIMEOUT_MS;
    shutdown(fd, SHUT_WR);
    for (uint64_t now; (now = net_now_ms()) < end;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        if (poll(&one, 1, (int)(end - now)) <= 0 || recv(fd, rest, sizeof(rest), 0) <= 0) {
            break;
        }
    }
    close(fd);
}

uint64_t net_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool net_parse_url(const char *text, struct net_url *url)
{
    const char *host = strstr(text, "://");
    size_t scheme_len = host == NULL ? 0 : (size_t)(host - text);
    if (scheme_len == 0 || scheme_len >= sizeof(url->scheme)) {
        return false;
    }
    memcpy(url->scheme, text, scheme_len);
    url->scheme[scheme_len] = '\0';
    bool tls = strcmp(url->scheme, "https") == 0;
    if (!tls && strcmp(url->scheme, "http") != 0) {
        return false;
    }
    host += 3;
    size_t len = strcspn(host, "/?");
    if (len == 0 || len >= sizeof(url->host) || host[len] == '?') {
        return false;
    }
    memcpy(url->host, host, len);
    url->host[len] = '\0';
    snprintf(url->authority, sizeof(url->authority), "%s", url->host);
    char *colon = strrchr(url->host, ':'); /* IPv6 literals are beyond these examples */
    snprintf(url->port, sizeof(url->port), "%s", tls ? "443" : "80");
    if (colon != NULL) {
        *colon = '\0';
        if (strlen(colon + 1) >= sizeof(url->port) || colon[1] == '\0') {
            return false;
        }
        strcpy(url->port, colon + 1);
    }
    url->path = host[len] == '/' ? host + len : "/";
    return true;
}
