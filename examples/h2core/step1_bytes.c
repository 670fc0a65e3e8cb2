/*
 * Step 1 of docs/h2core/getting-started.md: a socket, and what a client says first.
 */
#include "net.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    net_catch_signals();
    int listener = net_listen(net_port_option(argc, argv));
    int fd;
    while ((fd = net_accept(listener)) >= 0) {
        unsigned char bytes[1024];
        ssize_t n = net_wait(fd, POLLIN, 5000) == NET_READY ? recv(fd, bytes, sizeof(bytes), 0) : 0;
        for (ssize_t i = 0; i < n; i++) {
            if (bytes[i] != '\r') {
                putchar(isprint(bytes[i]) || bytes[i] == '\n' ? bytes[i] : '.');
            }
        }
        printf("\n(%zd octets)\n", n);
        fflush(stdout);
        net_close(fd);
    }
    net_close(listener);
    return 0;
}
