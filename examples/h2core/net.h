/*
 * Sockets for the examples: listening, connecting, waiting, writing. Nothing in here knows HTTP/2,
 * and nothing outside of here knows addresses and signals.
 */
#ifndef NET_H
#define NET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The value of `--port` (0: any free port). Anything else on the command line ends the program
 * with the usage. */
int net_port_option(int argc, char **argv);

/** From now on SIGTERM and SIGINT are told by net_poll(), net_wait() and net_accept(). */
void net_catch_signals(void);

/** Listens on 127.0.0.1 and prints "listening on 127.0.0.1:PORT". Ends the program when it cannot.
 */
int net_listen(int port);

/** For a socket that a loop watches. */
void net_set_nonblocking(int fd);

/** The next client, or -1: the program is to end. */
int net_accept(int listener);

/** Connects; -1 (and a message on stderr) when it cannot. */
int net_connect(const char *host, const char *port);

enum net_event {
    NET_READY,   /**< what was waited for is there */
    NET_TIMEOUT, /**< it did not come in time */
    NET_STOP,    /**< SIGTERM or SIGINT came; told once, net_stopping() knows it later on */
};

/** poll(), and the only place where a signal can get in. */
enum net_event net_poll(struct pollfd *fds, size_t n, int timeout_ms);

/** The same for one descriptor. */
enum net_event net_wait(int fd, short events, int timeout_ms);

/** Whether SIGTERM or SIGINT has come. */
bool net_stopping(void);

/** Writes all of it to a blocking socket. False: the peer is gone, or has taken nothing for ten
 * seconds. */
bool net_write_all(int fd, const void *data, size_t len);

/** Closes so that the peer can read what was written last: with unread bytes in the socket, a plain
 * close() makes TCP take it back. */
void net_close(int fd);

/** Milliseconds of a clock that only goes forward. */
uint64_t net_now_ms(void);

/** The parts of a URL, NUL-terminated. */
struct net_url {
    char scheme[8];
    char host[256];
    char port[6];
    char authority[264]; /**< host, and the port where the URL has one */
    const char *path;    /**< with the query; points into the URL */
};

/** Takes "http://host:port/path" or "https://…" apart. False: it is neither. */
bool net_parse_url(const char *text, struct net_url *url);

#endif
