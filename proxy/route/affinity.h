/*
 * What keeps a client with its backend: hashes of what a request says, and the affinity cookie.
 * Works on texts; which request and which group they are of is the caller's business.
 *
 * The cookie is NAME=xxxxxxxx, eight hex digits:
 *
 *   loose   a hash, which goes onto the group's ring; a random one for a client that has none. The
 *           same cookie may mean another address when addresses come or go.
 *   strict  the number of an address, balance_id(). It means this address or none: when that is
 *           gone or not usable, the client gets another one as if it had no cookie, and is told.
 */
#ifndef ROUTE_AFFINITY_H
#define ROUTE_AFFINITY_H

#include "config.h"
#include "h2core/h2core.h"
#include "route/balance.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- hashes */

/** A hash of octets, the same in every process and on every machine. For balance=hash:uri: of path
 * and query. */
uint32_t affinity_hash(const char *s, size_t len);

/** The hash of a client for affinity=ip: of its address as text. An IPv4 address is the same client
 * as its IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2). */
uint32_t affinity_hash_address(const char *address, size_t len);

/** For balance=hash:header:NAME: of the field's value; when it is there several times, of their
 * values joined by ", " (RFC 9110, 5.3). false: the request has no such field. */
bool affinity_hash_header(const struct h2_field *f, size_t n, const char *name, uint32_t *hash);

/** For balance=hash:cookie:NAME: of the value of the first such cookie. false: there is none. */
bool affinity_hash_cookie(const struct h2_field *f, size_t n, const char *name, uint32_t *hash);

/* ---------------------------------------------------------------- cookies */

/** Finds the first cookie of this name in the value of a Cookie field (RFC 6265, 4.2.1). *value is
 * within `field`, without quotes, and may be empty. */
bool affinity_find_cookie(const char *field, size_t len, const char *name, const char **value,
                          size_t *value_len);

/** Reads the affinity cookie out of a request's fields: the first of this name that has the right
 * form, since a client may have several of the same name. */
bool affinity_read_cookie(const struct h2_field *f, size_t n, const char *name, uint32_t *cookie);

/** How a group's cookie is set. */
struct affinity_cookie {
    const char *name;
    const char *path; /**< NULL: no Path attribute */
    enum cfg_cookie_secure secure;
    bool http_only;
    const char *same_site; /**< "Strict", "Lax", "None"; NULL: not said */
    uint64_t max_age;      /**< ms, whole seconds; 0: a session cookie */
};

/**
 * The value of Set-Cookie, NUL-terminated, into buf: like snprintf(), nothing is written behind
 * cap, and what is returned is the length that it has (without NUL) when there is room. `https` is
 * the scheme that the client uses.
 */
size_t affinity_set_cookie(char *buf, size_t cap, const struct affinity_cookie *c, uint32_t cookie,
                           bool https);

/* ---------------------------------------------------------------- choosing */

struct affinity_choice {
    void *user;      /**< NULL: none is usable, and the others say nothing */
    uint32_t cookie; /**< what the client's cookie is to be */
    bool set;        /**< the client does not have it yet */
};

/** Chooses for a client with a cookie, NULL: it has none. `b` is of BALANCE_AFFINITY. */
struct affinity_choice affinity_choose(struct balance *b, const struct balance_ops *ops, void *arg,
                                       enum cfg_stickiness stickiness, const uint32_t *cookie);

#endif
