/* CONNECT to an HTTP proxy, and its answer. */
#include "net/via.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h1parser.h"
#include "net/block.h"

#define MAX_FIELDS 64

static char *basic_credentials(const char *userinfo)
{
    size_t len = strlen(userinfo);
    unsigned char *out = xmalloc(4 * (len / 3 + 1) + 1);
    EVP_EncodeBlock(out, (const unsigned char *)userinfo, (int)len);
    return (char *)out;
}

char *via_request(const char *host, uint16_t port, const char *userinfo)
{
    char *credentials = userinfo != NULL ? basic_credentials(userinfo) : NULL;
    bool v6 = strchr(host, ':') != NULL;
    size_t cap = 2 * strlen(host) + 128 + (credentials != NULL ? strlen(credentials) : 0);
    char *authority = xmalloc(cap), *request = xmalloc(cap);
    snprintf(authority, cap, v6 ? "[%s]:%u" : "%s:%u", host, port);
    snprintf(request, cap, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", authority, authority,
             credentials != NULL ? "Proxy-Authorization: Basic " : "",
             credentials != NULL ? credentials : "", credentials != NULL ? "\r\n" : "");
    free(authority);
    free(credentials);
    return request;
}

enum via_rc via_answer(uint8_t *buf, size_t len, size_t *used, char *why, size_t why_cap)
{
    struct h1_field fields[MAX_FIELDS];
    struct h1_options options = {.head_bytes = VIA_ANSWER_MAX, .fields = MAX_FIELDS};
    for (*used = 0; *used < VIA_ANSWER_MAX;) {
        struct h1_head h;
        h1_head_init(&h, H1_RESPONSE, fields, MAX_FIELDS, options);
        /* From its beginning each time: it is short, and mostly comes in one piece. */
        enum h1_rc rc = h1_head_parse(&h, buf + *used, len - *used);
        if (rc == H1_MORE && len < VIA_ANSWER_MAX) {
            return VIA_MORE;
        }
        if (rc != H1_DONE) {
            break;
        }
        struct h1_framing framing = h1_body_framing(&h, H1_METHOD_CONNECT);
        if (framing.error != H1_ERR_NONE || h.status == 101) {
            break;
        }
        *used += h.head_len;
        if (h.status >= 300) {
            snprintf(why, why_cap, "the HTTP proxy refuses to connect: %u", h.status);
            return VIA_REFUSED;
        }
        if (h.status >= 200) {
            return VIA_OPEN;
        }
    }
    snprintf(why, why_cap, "the HTTP proxy does not answer in HTTP");
    return VIA_REFUSED;
}
