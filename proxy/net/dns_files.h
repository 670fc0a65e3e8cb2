/*
 * The system's files about names: hosts(5), and the name servers of resolv.conf(5) with ports. What
 * else resolv.conf says (search, options) c-ares reads by itself.
 */
#ifndef NET_DNS_FILES_H
#define NET_DNS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** An address without port; `family` is AF_INET (4 octets) or AF_INET6 (16). */
struct dns_address {
    int family;
    uint8_t octets[16];
    uint16_t port; /**< of name servers; 0 in what hosts says */
};

/** More addresses of one name, or more name servers, are not taken from a file. */
#define DNS_FILE_MAX 64u

/**
 * All addresses that the hosts file at `path` gives for `name` (compared without case), in its
 * order. Returns how many were written to `out`, at most DNS_FILE_MAX. A file that cannot be read
 * has none.
 */
size_t dns_hosts_lookup(const char *path, const char *name, struct dns_address *out);

enum dns_servers_result {
    DNS_SERVERS_OK,
    DNS_SERVERS_UNREADABLE, /**< errno says why */
    DNS_SERVERS_NONE,       /**< no line "nameserver" */
    DNS_SERVERS_BAD,        /**< `bad_line` is the number of a line that is none */
};

/**
 * The name servers of the file at `path`: lines "nameserver ADDRESS", ADDRESS being an IPv4 or IPv6
 * address, with a port as 192.0.2.1:5353 or [2001:db8::1]:5353; 53 without.
 */
enum dns_servers_result dns_servers_read(const char *path, struct dns_address *out, size_t *n,
                                         unsigned *bad_line);

#endif
