/*
 * Requests, as anybody reads them: what a client has asked for, found out without the proxy in
 * between, and what a backend has got. For translate_fuzz.c.
 */
#ifndef TRANSLATE_ASKED_H
#define TRANSLATE_ASKED_H

#include "h1parser.h"
#include "h2core/h2core.h"
#include "net/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_REQUESTS 64

struct asked {
    char *line; /* "METHOD path" */
    struct buffer body;
    uint32_t stream;
    bool complete;
    bool tunnel; /* CONNECT or Upgrade: the body is what goes through it */
};

struct requests {
    struct asked r[MAX_REQUESTS];
    size_t n;
    bool loose; /* there may be more than these */
};

enum parsed { PARSED_ALL, PARSED_PART, PARSED_BAD };

/** Reads a body on from data + *used; its octets go to `body` unless NULL. */
enum parsed parse_body(struct h1_framing framing, uint8_t *data, size_t len, struct buffer *body,
                       size_t *used);
/** The next request of a connection. With PARSED_PART and no request made: not even a head. One for
 * a tunnel ends with its head. */
enum parsed parse_request(struct requests *list, uint8_t *data, size_t len, bool normalise,
                          size_t *used, struct h1_head *h);
/** What an honest reader of HTTP/1 makes of the client's bytes; and of HTTP/2. */
void expect_h1(struct requests *list, const uint8_t *data, size_t len);
void expect_h2(struct requests *list, const uint8_t *data, size_t len);
/** Notes what an event of a server's engine tells. */
void take_event(struct requests *list, const struct h2_event *ev);
struct asked *of_stream(struct requests *list, uint32_t id);
/** A request that came to the backend must be one that was made, all of it or its beginning; aborts
 * otherwise. */
void check_made(const struct requests *made, const struct asked *got);
void free_requests(struct requests *list);

#endif
