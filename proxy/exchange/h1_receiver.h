/*
 * An HTTP/1 message being received: head, body, trailers, end, one step at a time. Used by the
 * front for requests and by the back for responses.
 */
#ifndef EXCHANGE_H1_RECEIVER_H
#define EXCHANGE_H1_RECEIVER_H

#include "exchange/h1_reader.h"

#include "h1parser.h"

#include <stddef.h>
#include <stdint.h>

/*
 *   HEAD ──► BODY ──► TRAILERS ──► END
 *    │         └──── (no chunks) ───▲
 *    └───────────────── (no body) ──┘
 */
enum h1_part { H1_PART_HEAD, H1_PART_BODY, H1_PART_TRAILERS, H1_PART_END };

struct h1_receiver {
    enum h1_part part;
    struct h1_reader reader; /**< reader.head: the head, and at the end the trailer section */
    struct h1_body body;
    enum h1_kind kind;
    struct h1_options options;
};

enum h1_receipt {
    H1_RECEIVED_MORE, /**< nothing more can be done with these bytes */
    H1_RECEIVED_HEAD, /**< a head is complete: h1_receiver_follow() must say what comes behind it */
    H1_RECEIVED_BODY, /**< some body bytes */
    H1_RECEIVED_FULL, /**< there are body bytes, but no room for them */
    H1_RECEIVED_END,  /**< the message is complete; reader.head has trailers when `trailers` */
    H1_RECEIVED_ERROR, /**< `error` */
};

struct h1_received {
    size_t used; /**< octets that were taken */
    const uint8_t
        *section; /**< where the head or the trailer section begins that is now complete */
    const uint8_t *body;
    size_t body_len;
    bool trailers;
    enum h1_error error;
};

/** Begins a message of this kind (H1_REQUEST or H1_RESPONSE). */
void h1_receiver_begin(struct h1_receiver *r, struct worker *w, enum h1_kind kind,
                       struct h1_options options);
/** After H1_RECEIVED_HEAD: the body that follows. */
void h1_receiver_follow(struct h1_receiver *r, struct h1_framing framing);
/** Does one step with what has come; at most `room` body bytes are handed out. */
enum h1_receipt h1_receiver_step(struct h1_receiver *r, uint8_t *data, size_t len, size_t room,
                                 struct h1_received *out);
/** Whether a part of a message has come and it is not complete. */
bool h1_receiver_in_message(const struct h1_receiver *r);
void h1_receiver_release(struct h1_receiver *r);

#endif
