/*
 * Writing heads and chunk lines.
 */
#include "h1_internal.h"

#include <assert.h>

/* Room for n octets, NULL (and full) without. */
static uint8_t *reserve(struct h1_out *o, size_t n)
{
    assert(o->pos <= o->end);
    if (o->full || (size_t)(o->end - o->pos) < n) {
        o->full = true;
        return NULL;
    }
    uint8_t *p = o->pos;
    o->pos += n;
    return p;
}

static uint8_t *put(uint8_t *p, const char *s, size_t len)
{
    if (len > 0) { /* memcpy from NULL is undefined even for nothing */
        memcpy(p, s, len);
    }
    return p + len;
}

void h1_put_request_line(struct h1_out *o, const char *method, size_t method_len,
                         const char *target, size_t target_len, int minor_version)
{
    assert(minor_version == 0 || minor_version == 1);
    uint8_t *p = reserve(o, method_len + 1 + target_len + 11);
    if (p == NULL) {
        return;
    }
    p = put(p, method, method_len);
    *p++ = ' ';
    p = put(p, target, target_len);
    put(p, minor_version == 1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n", 11);
}

void h1_put_status_line(struct h1_out *o, int status, int minor_version)
{
    assert(minor_version == 0 || minor_version == 1);
    assert(status >= 100 && status <= 999);
    const char *reason = h1_reason(status);
    size_t reason_len = strlen(reason);
    uint8_t *p = reserve(o, 13 + reason_len + 2);
    if (p == NULL) {
        return;
    }
    p = put(p, minor_version == 1 ? "HTTP/1.1 " : "HTTP/1.0 ", 9);
    *p++ = (uint8_t)('0' + status / 100);
    *p++ = (uint8_t)('0' + status / 10 % 10);
    *p++ = (uint8_t)('0' + status % 10);
    *p++ = ' ';
    p = put(p, reason, reason_len);
    put(p, "\r\n", 2);
}

void h1_put_field(struct h1_out *o, const char *name, size_t name_len, const char *value,
                  size_t value_len)
{
    uint8_t *p = reserve(o, name_len + 2 + value_len + 2);
    if (p == NULL) {
        return;
    }
    p = put(p, name, name_len);
    *p++ = ':';
    *p++ = ' ';
    p = put(p, value, value_len);
    *p++ = '\r';
    *p = '\n';
}

void h1_put_field_uint(struct h1_out *o, const char *name, size_t name_len, uint64_t value)
{
    char digits[20]; /* 2^64-1 has twenty */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    h1_put_field(o, name, name_len, digits + at, sizeof digits - at);
}

void h1_put_end(struct h1_out *o)
{
    uint8_t *p = reserve(o, 2);
    if (p != NULL) {
        put(p, "\r\n", 2);
    }
}

void h1_put_chunk_head(struct h1_out *o, uint64_t size)
{
    static const char hex[] = "0123456789abcdef";
    /* A chunk of size 0 ends the body: nobody may write it by chance. */
    assert(size > 0);
    char line[H1_CHUNK_HEAD_MAX];
    size_t at = sizeof line;
    line[--at] = '\n';
    line[--at] = '\r';
    do {
        line[--at] = hex[size & 15];
        size >>= 4;
    } while (size > 0);
    uint8_t *p = reserve(o, sizeof line - at);
    if (p != NULL) {
        put(p, line + at, sizeof line - at);
    }
}

void h1_put_chunk_end(struct h1_out *o)
{
    h1_put_end(o); /* the same two octets */
}

void h1_put_last_chunk(struct h1_out *o)
{
    uint8_t *p = reserve(o, 3);
    if (p != NULL) {
        put(p, "0\r\n", 3);
    }
}

/* RFC 9110, 15, and the registry of status codes. */
static const char *const reasons[600] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
};

const char *h1_reason(int status)
{
    if (status < 100 || status > 599 || reasons[status] == NULL) {
        return "Unknown";
    }
    return reasons[status];
}
