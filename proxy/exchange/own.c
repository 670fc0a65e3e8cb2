/* Heads of the responses that the program makes itself. */
#include "exchange/own.h"

#include <string.h>
#include <time.h>

#include "config.h"
#include "exchange/exchange.h"
#include "exchange/message.h"
#include "process/worker.h"

#define DATE_SIZE 40 /* IMF-fixdate has 29 octets (RFC 9110, 5.6.7) */

static void add(struct response *r, uint8_t token, const char *value)
{
    size_t name_len;
    const char *name = h2_token_name(token, &name_len);
    r->m.fields[r->m.nfields++] = (struct h2_field){.name = name,
                                                    .name_len = (uint32_t)name_len,
                                                    .value = value,
                                                    .value_len = (uint32_t)strlen(value),
                                                    .token = token};
}

static const char *http_date(struct exchange *x)
{
    struct tm tm;
    time_t now = time(NULL);
    char *buf = arena_alloc(&x->arena, DATE_SIZE);
    gmtime_r(&now, &tm);
    strftime(buf, DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return buf;
}

/* Seconds. A queue has been given up by then, and a backend that came back has been probed. */
static const char retry_after[] = "5";

void own_head(struct exchange *x, int status, const char *type, const char *location, size_t len)
{
    struct response *r = &x->response;
    *r = (struct response){.status = status};
    r->m.http_major = 1;
    r->m.http_minor = 1;
    /* Of a 304 it would be that of another response (RFC 9110, 8.6). */
    r->m.content_length = status == 304 ? -1 : (int64_t)len;
    r->m.has_body = len > 0 && message_response_may_have_body(x);
    r->m.fields = arena_alloc(&x->arena, 5 * sizeof(*r->m.fields));
    if (type != NULL) {
        add(r, H2_TOKEN_CONTENT_TYPE, type);
    }
    if (location != NULL) {
        add(r, H2_TOKEN_LOCATION, location);
    }
    add(r, H2_TOKEN_SERVER, x->worker->cfg->server_name);
    add(r, H2_TOKEN_DATE, http_date(x));
    if (status == 503 && !x->own_answer) { /* RFC 9110, 15.6.4 */
        add(r, H2_TOKEN_RETRY_AFTER, retry_after);
    }
}
