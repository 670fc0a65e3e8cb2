#include "octets.h"

#include "field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer: octets [at, len) are still to be made. The stream's user pointer leads here. */
struct octets {
    LIST_ENTRY(octets) link;
    const char *status;
    bool head_only; /* the request's method is HEAD */
    uint64_t at;
    uint64_t len;
};

/* Whether the path is "/N". */
static bool parse_path(const struct h2_event *ev, uint64_t *n)
{
    for (size_t i = 0; i < ev->nfields; i++) {
        const struct h2_field *f = &ev->fields[i];
        if (f->token != H2_TOKEN_PSEUDO_PATH) {
            continue;
        }
        *n = 0;
        for (uint32_t at = 1; at < f->value_len; at++) {
            if (f->value[at] < '0' || f->value[at] > '9') {
                return false;
            }
            *n = *n * 10 + (uint64_t)(f->value[at] - '0');
        }
        return f->value_len >= 2 && f->value_len <= 13;
    }
    return false;
}

static void octets_free(struct octets *o)
{
    LIST_REMOVE(o, link);
    free(o);
}

static void on_request(struct octets_list *list, struct h2_conn *h2, const struct h2_event *ev)
{
    struct octets *o = calloc(1, sizeof(*o));
    if (o == NULL) {
        h2_conn_reset(h2, ev->stream_id, H2_REFUSED_STREAM); /* it may be tried again */
        return;
    }
    LIST_INSERT_HEAD(list, o, link);
    h2_stream_set_user(h2, ev->stream_id, o);
    o->head_only = has_field(ev->fields, ev->nfields, H2_TOKEN_PSEUDO_METHOD, "HEAD");
    o->status = ev->too_large ? "431" : parse_path(ev, &o->len) ? "200" : "404";
    if (strcmp(o->status, "200") != 0) {
        o->len = 0;
    }
}

/* RFC 9113, 8.1 allows to answer earlier. But there are clients that then stop sending, and wait
 * for ever. */
static void on_request_complete(struct h2_conn *h2, uint32_t stream_id, struct octets *o)
{
    char length[24];
    bool head_only = o->head_only || o->len == 0;
    snprintf(length, sizeof(length), "%llu", (unsigned long long)o->len);
    const struct h2_field head[] = {field(":status", o->status), field("content-length", length)};
    enum h2_error error = h2_conn_respond(h2, stream_id, head, 2, head_only);
    if (error != H2_OK) {
        fprintf(stderr, "stream %u: %s\n", stream_id, h2_error_text(error));
        h2_conn_reset(h2, stream_id, H2_INTERNAL_ERROR);
    }
    if (error != H2_OK || head_only) {
        octets_free(o);
    } else {
        h2_stream_set_ready(h2, stream_id, true);
    }
}

void octets_event(struct octets_list *list, struct h2_conn *h2, const struct h2_event *ev)
{
    switch (ev->type) {
    case H2_EVENT_REQUEST:
        on_request(list, h2, ev);
        break;
    case H2_EVENT_DATA: /* nobody wants it */
        h2_conn_consume(h2, ev->stream_id, ev->flow_len);
        break;
    case H2_EVENT_STREAM_ENDED:
        on_request_complete(h2, ev->stream_id, ev->user);
        break;
    case H2_EVENT_RESET:
        if (ev->user != NULL) {
            octets_free(ev->user);
        }
        break;
    case H2_EVENT_FAILED:
        fprintf(stderr, "%s: %s\n", h2_code_name(ev->fail.code), ev->fail.why);
        break;
    default:
        break;
    }
}

/* One DATA frame. Its octets are made where they are sent from. */
static size_t put_frame(struct h2_conn *h2, uint32_t stream_id, struct octets *o, uint8_t *frame,
                        size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz\n";
    len = o->len - o->at < len ? (size_t)(o->len - o->at) : len;
    h2_conn_data_frame(h2, stream_id, len, o->at + len == o->len, frame);
    for (size_t i = 0; i < len; i++) {
        frame[H2_FRAME_HEADER_LEN + i] = (uint8_t)letters[o->at++ % (sizeof(letters) - 1)];
    }
    if (o->at == o->len) {
        octets_free(o);
    }
    return H2_FRAME_HEADER_LEN + len;
}

size_t octets_output(struct h2_conn *h2, uint8_t *buf, size_t cap)
{
    size_t used = h2_conn_send(h2, buf, cap);
    while (cap - used > H2_FRAME_HEADER_LEN) {
        size_t room, space = cap - used - H2_FRAME_HEADER_LEN;
        void *user;
        uint32_t stream_id = h2_conn_next_writable(h2, &room, &user);
        if (stream_id == 0) {
            break;
        }
        used += put_frame(h2, stream_id, user, buf + used, room < space ? room : space);
    }
    return used;
}

void octets_free_all(struct octets_list *list)
{
    while (!LIST_EMPTY(list)) {
        octets_free(LIST_FIRST(list));
    }
}
