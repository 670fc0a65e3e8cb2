/* The responses that the proxy makes itself: errors, in the operator's words or in ours. */
#include "exchange/error_page.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "exchange/exchange.h"
#include "exchange/message.h"
#include "process/worker.h"

static const struct cfg_error_page *find_page(const struct config *cfg, int status)
{
    for (size_t i = 0; i < cfg->nerror_page; i++) {
        const struct cfg_error_page *p = &cfg->error_page[i];
        if (p->code == 0 || p->code == status) {
            return p;
        }
    }
    return NULL;
}

static void add(struct response *r, uint8_t token, const char *value, size_t len)
{
    size_t name_len;
    const char *name = h2_token_name(token, &name_len);
    r->m.fields[r->m.nfields++] = (struct h2_field){.name = name,
                                                    .name_len = (uint32_t)name_len,
                                                    .value = value,
                                                    .value_len = (uint32_t)len,
                                                    .token = token};
}

static size_t http_date(char *buf, size_t cap)
{
    struct tm tm;
    time_t now = time(NULL);
    gmtime_r(&now, &tm);
    return strftime(buf, cap, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* Seconds. A queue has been given up by then, and a backend that came back has been probed. */
static const char retry_after[] = "5";

void error_page_make(struct exchange *x, int status)
{
    const struct config *cfg = x->worker->cfg;
    const struct cfg_error_page *page = find_page(cfg, status);
    const char *body;
    size_t len;
    if (status == 200) { /* OPTIONS whose Max-Forwards is over */
        body = "";
        len = 0;
    } else if (page != NULL) {
        body = page->body;
        len = page->len;
    } else {
        const char *reason = h1_reason(status), *name = cfg->server_name;
        size_t cap = 256 + 2 * strlen(reason) + strlen(name);
        char *text = arena_alloc(&x->arena, cap);
        int n = snprintf(text, cap,
                         "<!DOCTYPE html><html lang=\"en\"><title>%d %s</title><body><h1>%d %s</h1>"
                         "<footer>%s</footer></body></html>",
                         status, reason, status, reason, name);
        body = text;
        len = (size_t)n;
    }
    static const char type[] = "text/html; charset=UTF-8";
    struct response *r = &x->response;
    *r = (struct response){.status = status};
    r->m.http_major = 1;
    r->m.http_minor = 1;
    r->m.content_length = (int64_t)len;
    r->m.has_body = x->request.method != H1_METHOD_HEAD;
    r->m.fields = arena_alloc(&x->arena, 4 * sizeof(*r->m.fields));
    char *date = arena_alloc(&x->arena, 40);
    if (status != 200) {
        add(r, H2_TOKEN_CONTENT_TYPE, type, sizeof(type) - 1);
    }
    add(r, H2_TOKEN_SERVER, cfg->server_name, strlen(cfg->server_name));
    add(r, H2_TOKEN_DATE, date, http_date(date, 40));
    if (status == 503) { /* RFC 9110, 15.6.4 */
        add(r, H2_TOKEN_RETRY_AFTER, retry_after, sizeof(retry_after) - 1);
    }
    if (r->m.has_body) {
        pipe_write(&x->down, (const uint8_t *)body, len);
    }
}
