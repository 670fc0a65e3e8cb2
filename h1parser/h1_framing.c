/*
 * Where a message's body ends: the one place that decides it.
 */
#include "h1_internal.h"

#include <assert.h>

/* clang-format off */
/*
 * RFC 9112, 6.3. First what is refused, whatever the method and the status (framing.error):
 *
 *   Transfer-Encoding other than `chunked` once    by the parser already
 *   Content-Length invalid, or two that differ     by the parser already
 *   Transfer-Encoding and Content-Length           6.1 allows to refuse it: request smuggling
 *   Transfer-Encoding in HTTP/1.0                  6.1: the framing is faulty
 *   Transfer-Encoding in 1xx, 204                  6.1: MUST NOT be sent
 *   Content-Length in 1xx, but 0                   RFC 9110, 8.6: MUST NOT be sent; if the body does
 *                                                  come, it would be read as a response
 *   either of them with CONNECT or Upgrade,        RFC 9931: what one side takes for the body is the
 *   but for Upgrade to h2c alone                   new protocol to the other
 *
 * Then where the body ends; the first row that fits:
 *
 *   101; 2xx to CONNECT                            never: a tunnel begins
 *   response to HEAD; 1xx; 204; 304                no body, whatever the fields say
 *   Transfer-Encoding: chunked                     with the chunk of size 0 and the trailers
 *   Content-Length                                 after that many octets
 *   request                                        no body
 *   response                                       with the connection
 */
/* clang-format on */

/* Whether the octets after this request's head may be another protocol (RFC 9110, 7.8 and 9.3.6).
 */
static bool asks_to_switch(const struct h1_head *h)
{
    return h->method == H1_METHOD_CONNECT ||
           (h->connection_upgrade && h->upgrade_field != UINT32_MAX);
}

/*
 * The body of a request that offers h2c comes as HTTP/1.1 in any case, and nothing behind it before
 * a 101 (RFC 7540, 3.2). curl and Java's HttpClient make the offer with whatever their first
 * request is. Nobody has to take it (RFC 9110, 7.8), and with a body nobody here does.
 */
static bool only_offers_h2c(const struct h1_head *h)
{
    return h->method != H1_METHOD_CONNECT && !h->upgrade_other;
}

static enum h1_error request_error(const struct h1_head *h)
{
    bool has_length = h->content_length >= 0;
    if (h->chunked && h->minor_version == 0) {
        return H1_ERR_TRANSFER_ENCODING;
    }
    if (h->chunked && has_length) {
        return H1_ERR_LENGTH_AND_CODING;
    }
    if (asks_to_switch(h) && !only_offers_h2c(h) && (h->chunked || has_length)) {
        return H1_ERR_UPGRADE_BODY;
    }
    return H1_ERR_NONE;
}

static enum h1_error response_error(const struct h1_head *h)
{
    if (h->chunked && (h->minor_version == 0 || h->status < 200 || h->status == 204)) {
        return H1_ERR_TRANSFER_ENCODING;
    }
    if (h->chunked && h->content_length >= 0) {
        return H1_ERR_LENGTH_AND_CODING;
    }
    if (h->status < 200 && h->content_length > 0) {
        return H1_ERR_CONTENT_LENGTH;
    }
    return H1_ERR_NONE;
}

static enum h1_body_kind body_kind(const struct h1_head *h, enum h1_method request_method)
{
    if (h->kind == H1_RESPONSE) {
        bool success = h->status >= 200 && h->status <= 299;
        if (h->status == 101 || (success && request_method == H1_METHOD_CONNECT)) {
            return H1_BODY_TUNNEL;
        }
        if (request_method == H1_METHOD_HEAD || h->status < 200 || h->status == 204 ||
            h->status == 304) {
            return H1_BODY_NONE;
        }
    }
    if (h->chunked) {
        return H1_BODY_CHUNKED;
    }
    if (h->content_length >= 0) {
        return H1_BODY_LENGTH;
    }
    return h->kind == H1_REQUEST ? H1_BODY_NONE : H1_BODY_CLOSE;
}

/* RFC 9112, 9.3. `close` wins over `keep-alive`. */
static bool persistent(const struct h1_head *h, const struct h1_framing *f)
{
    if (h->connection_close || f->kind == H1_BODY_CLOSE || f->kind == H1_BODY_TUNNEL ||
        f->interim) {
        return false;
    }
    /* RFC 9931: whoever refuses a CONNECT cannot know whether what comes next is HTTP. */
    if (h->kind == H1_REQUEST && h->method == H1_METHOD_CONNECT) {
        return false;
    }
    /* A 204 that announces a body may be followed by it. */
    if (h->kind == H1_RESPONSE && h->status == 204 && h->content_length > 0) {
        return false;
    }
    return h->minor_version == 1 || h->connection_keep_alive;
}

struct h1_framing h1_framing_of(const struct h1_head *h, enum h1_method request_method)
{
    struct h1_framing framing = {.kind = H1_BODY_NONE};
    framing.error = h->kind == H1_REQUEST ? request_error(h) : response_error(h);
    if (framing.error != H1_ERR_NONE) {
        return framing;
    }
    framing.kind = body_kind(h, request_method);
    if (framing.kind == H1_BODY_LENGTH) {
        framing.length = (uint64_t)h->content_length;
    }
    framing.switches = h->kind == H1_REQUEST && asks_to_switch(h) && framing.kind == H1_BODY_NONE;
    framing.interim = h->kind == H1_RESPONSE && h->status < 200 && h->status != 101;
    framing.keep_alive = persistent(h, &framing);
    return framing;
}

struct h1_framing h1_body_framing(const struct h1_head *h, enum h1_method request_method)
{
    assert(h->kind != H1_TRAILERS && h->state == H1_S_DONE);
    return h1_framing_of(h, request_method);
}
