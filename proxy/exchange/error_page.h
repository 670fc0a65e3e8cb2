/* The responses that the proxy makes itself. */
#ifndef EXCHANGE_ERROR_PAGE_H
#define EXCHANGE_ERROR_PAGE_H

struct exchange;

/** Fills x->response with the head and x->down with the page for `status`: --error-page, or a line
 * of HTML. */
void error_page_make(struct exchange *x, int status);

#endif
