/*
 * The PROXY protocol, versions 1 and 2: what a proxy in front says about its client, as the first
 * octets of a connection. Octets in, addresses out, and the other way round; no I/O.
 *
 *   version 1:  PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 CR LF      107 octets at the most
 *
 *   version 2:  | signature, 12 | version, command | family, protocol | length, 2 |
 *               | addresses, 0 to 216 | TLVs: type, length (2), value | ... |
 */
#ifndef NET_PROXYPROTO_H
#define NET_PROXYPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/** An end of a connection. */
struct endpoint {
    uint8_t family;   /**< 4 or 6; 0: none that IP knows, the rest is 0 then */
    uint8_t addr[16]; /**< the first 4 of them for family 4; never an IPv4 address in IPv6 form */
    uint16_t port;
};

/** Of a socket's address. IPv4 in IPv6 form becomes IPv4. */
struct endpoint endpoint_of(const struct sockaddr *sa);
/** As text, without the port: INET6_ADDRSTRLEN octets. Only for families 4 and 6. */
void endpoint_format(const struct endpoint *e, char *buf, size_t cap);
/** Whether it is one of the addresses whose first `bits` are those of `addr`. */
bool endpoint_is_in(const struct endpoint *e, uint8_t family, const uint8_t *addr, unsigned bits);

/** The longest line of version 1, with its end. */
#define PROXYPROTO_V1_MOST 107u
/** What may follow the first 16 octets of version 2. The standard has senders keep to 536 in all,
 * and a certificate in a TLV takes a few thousand; what is larger is no header. */
#define PROXYPROTO_V2_MOST 4096u

struct proxyproto {
    struct endpoint from, to; /**< family 0: the header names none, so those of the socket hold */
    size_t len;               /**< octets of the header */
};

enum proxyproto_rc { PROXYPROTO_OK, PROXYPROTO_MORE, PROXYPROTO_BAD };

/**
 * Reads the header that `data` begins with: all octets that have come so far, each time. MORE: so
 * far it can be one. BAD: it is none; *why (static) says what is wrong. Only OK sets *out.
 */
enum proxyproto_rc proxyproto_parse(const uint8_t *data, size_t len, struct proxyproto *out,
                                    const char **why);

/** Of either version's header. */
#define PROXYPROTO_WRITE_MOST PROXYPROTO_V1_MOST

/**
 * Writes a header; returns its octets. Where an end has no IP address: UNKNOWN in version 1, LOCAL
 * in version 2.
 */
size_t proxyproto_write(uint8_t buf[PROXYPROTO_WRITE_MOST], unsigned version,
                        const struct endpoint *from, const struct endpoint *to);

#endif
