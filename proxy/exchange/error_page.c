/* Error pages, in the operator's words or in ours. */
#include "exchange/error_page.h"

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "exchange/own.h"
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

struct str error_page_body(struct exchange *x, int status)
{
    const struct config *cfg = x->worker->cfg;
    const struct cfg_error_page *page = find_page(cfg, status);
    if (page != NULL) {
        return (struct str){page->body, page->len};
    }
    const char *reason = h1_reason(status), *name = cfg->server_name;
    size_t cap = 256 + 2 * strlen(reason) + strlen(name);
    char *text = arena_alloc(&x->arena, cap);
    int n = snprintf(text, cap,
                     "<!DOCTYPE html><html lang=\"en\"><title>%d %s</title><body><h1>%d %s</h1>"
                     "<footer>%s</footer></body></html>",
                     status, reason, status, reason, name);
    return (struct str){text, (size_t)n};
}

void error_page_make(struct exchange *x, int status)
{
    if (status == 200) { /* OPTIONS whose Max-Forwards is over */
        own_head(x, status, NULL, NULL, 0);
        return;
    }
    struct str body = error_page_body(x, status);
    own_head(x, status, ERROR_PAGE_TYPE, NULL, body.len);
    if (x->response.m.has_body) {
        pipe_write(&x->down, (const uint8_t *)body.s, body.len);
    }
}
