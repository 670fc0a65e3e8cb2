#include "octets.h"

#include "field.h"

#include <stdio.h>
#include <stdlib.h>

/* An answer: octets [at, len) are still to be made. The stream's user pointer leads here. */
struct octets {
    LIST_ENTRY(octets) link;
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

static void on_request(struct octets_list *list, struct h2_conn *h2, const struct h2_event *ev)
{
    uint64_t n = 0;
    char length[24];
    struct octets *o = NULL;
    const char *status = ev->too_large ? "431" : parse_path(ev, &n) ? "200" : "404";
    if (strcmp(status, "200") != 0) {
        n = 0;
    }
    snprintf(length, sizeof(length), "%llu", (unsigned long long)n);
    const struct h2_field head[] = {field(":status", status), field("content-length", length)};
    if (n > 0 && !has_field(ev->fields, ev->nfields, H2_TOKEN_PSEUDO_METHOD, "HEAD")) {
        o = calloc(1, sizeof(*o));
        if (o == NULL) {
            h2_conn_reset(h2, ev->stream_id, H2_INTERNAL_ERROR);
            return;
        }
        o->len = n;
        LIST_INSERT_HEAD(list, o, link);
        h2_stream_set_user(h2, ev->stream_id, o);
    }
    h2_conn_respond(h2, ev->stream_id, head, 2, o == NULL);
    h2_stream_set_ready(h2, ev->stream_id, o != NULL);
}

/* A stream may outlive its answer here: a client may send on after it has its answer. So what is
 * freed must not stay the stream's user pointer. */
static void finish(struct h2_conn *h2, uint32_t stream_id, struct octets *o)
{
    h2_stream_set_user(h2, stream_id, NULL);
    LIST_REMOVE(o, link);
    free(o);
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
    case H2_EVENT_RESET:
        if (ev->user != NULL) {
            finish(h2, ev->stream_id, ev->user);
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
        finish(h2, stream_id, o);
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
        struct octets *o = LIST_FIRST(list);
        LIST_REMOVE(o, link);
        free(o);
    }
}
