/* Error pages: the operator's (--error-page), or a line of HTML. */
#ifndef EXCHANGE_ERROR_PAGE_H
#define EXCHANGE_ERROR_PAGE_H

#include "exchange/exchange.h"

/** All pages are HTML. */
#define ERROR_PAGE_TYPE "text/html; charset=UTF-8"

/** The page for `status`; it lives as long as the exchange. */
struct str error_page_body(struct exchange *x, int status);
/** Fills x->response with the head and x->down with the page for `status`. */
void error_page_make(struct exchange *x, int status);

#endif
