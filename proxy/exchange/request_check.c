/* Rules for requests that hold for HTTP/1 and HTTP/2 alike. */
#include "exchange/request_check.h"

#include <string.h>

#include "h1parser.h"

/*
 * The host must be one to every reader: what is routed by here is looked at again by the backend
 * (RFC 9110, 7.2). A port goes on in one spelling (RFC 3986, 6.2.3), an empty one not at all.
 */
static bool check_authority(struct exchange *x)
{
    struct str *a = &x->request.authority;
    size_t host_len;
    int port;
    if (a->len == 0) {
        return true; /* HTTP/1.0; HTTP/2 without is refused by h2core */
    }
    if (!h1_authority_split(a->s, a->len, &host_len, &port)) {
        return false;
    }
    if (port < 0) {
        a->len = host_len;
        return true;
    }
    size_t digits = host_len + 1;
    while (a->s[digits] == '0') { /* ends: a port is not 0 */
        digits++;
    }
    if (digits > host_len + 1) {
        char *s = arena_alloc(&x->arena, a->len);
        memcpy(s, a->s, host_len + 1);
        memcpy(s + host_len + 1, a->s + digits, a->len - digits);
        *a = (struct str){s, a->len - (digits - host_len - 1)};
    }
    return true;
}

enum exchange_error request_check(struct exchange *x)
{
    return check_authority(x) ? EXCHANGE_OK : EXCHANGE_CLIENT_PROTOCOL;
}
