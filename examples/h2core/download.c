#include "download.h"

#include "field.h"

#include <stdio.h>

bool download_start(struct download *d, struct h2_conn *h2, const char *method, const char *scheme,
                    const char *authority, const char *path)
{
    uint32_t stream_id;
    const struct h2_field head[] = {field(":method", method), field(":scheme", scheme),
                                    field(":authority", authority), field(":path", path),
                                    field("user-agent", "h2core-example")};
    enum h2_error error = h2_conn_request(h2, head, 5, true, d, &stream_id);
    if (error != H2_OK) {
        fprintf(stderr, "request: %s\n", h2_error_text(error));
    }
    return error == H2_OK;
}

static void show_head(const struct h2_event *ev)
{
    for (size_t i = 0; i < ev->nfields; i++) {
        const struct h2_field *f = &ev->fields[i];
        printf("%.*s: %.*s\n", (int)f->name_len, f->name, (int)f->value_len, f->value);
    }
    fflush(stdout);
}

/* The window goes back when the octets are where they belong: if stdout is a slow reader, so are
 * we. */
static void take_data(struct download *d, struct h2_conn *h2, const struct h2_event *ev)
{
    if (fwrite(ev->data, 1, ev->len, stdout) != ev->len || fflush(stdout) != 0) {
        perror("stdout");
        d->state = DOWNLOAD_FAILED;
        return;
    }
    h2_conn_consume(h2, ev->stream_id, ev->flow_len);
}

void download_event(struct download *d, struct h2_conn *h2, const struct h2_event *ev)
{
    if (d->state == DOWNLOAD_FAILED) {
        return;
    }
    switch (ev->type) {
    case H2_EVENT_RESPONSE:
        fprintf(stderr, "status %u\n", ev->status);
        if (d->show_head) {
            show_head(ev);
        }
        break;
    case H2_EVENT_DATA:
        take_data(d, h2, ev);
        break;
    case H2_EVENT_STREAM_ENDED:
        d->state = DOWNLOAD_DONE;
        break;
    case H2_EVENT_RESET:
        if (d->state == DOWNLOAD_RUNNING && ev->user == d) {
            fprintf(stderr, "reset%s: %s\n", ev->by_peer ? " by the server" : "",
                    ev->by_peer ? h2_code_name(ev->code) : ev->fail.why);
            d->state = DOWNLOAD_FAILED;
        }
        break;
    case H2_EVENT_FAILED:
        fprintf(stderr, "%s: %s\n", h2_code_name(ev->fail.code), ev->fail.why);
        if (d->state == DOWNLOAD_RUNNING) {
            d->state = DOWNLOAD_FAILED;
        }
        break;
    default: /* informational responses, settings, pings: nothing to do for us */
        break;
    }
}
