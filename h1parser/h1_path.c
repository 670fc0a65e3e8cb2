/*
 * One form for all spellings of a path (RFC 3986, 6.2.2), so that what is routed by is what is
 * forwarded.
 *
 * What is left alone, because a backend may mean it so: empty segments ("//"), encoded delimiters
 * ("%2F", "%3B", "%00" too), percent signs that encode nothing, and the whole query.
 */
#include "h1_internal.h"

#include <assert.h>

/*
 * RFC 3986, 6.2.2.1 and 6.2.2.2. Never longer than before; `out` may be `s` or before it.
 *
 * A percent sign that encodes nothing stays, but nothing is decoded right after it: else "%%32e"
 * would become "%2e", a dot segment that only the backend sees.
 */
static size_t normalise_percent(const char *s, size_t len, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    size_t safe = 0; /* from this place of out on, a byte is not taken for a percent sign's digit */
    for (size_t i = 0; i < len; i++) {
        int high = -1;
        int low = -1;
        if (s[i] == '%' && len - i >= 3) {
            high = h1_hex((uint8_t)s[i + 1]);
            low = h1_hex((uint8_t)s[i + 2]);
        }
        if (high < 0 || low < 0) {
            if (s[i] == '%') {
                safe = n + 3;
            }
            out[n++] = s[i];
            continue;
        }
        uint8_t byte = (uint8_t)(high << 4 | low);
        if (h1_is(byte, H1_C_UNRESERVED) && n >= safe) {
            out[n++] = (char)byte;
        } else {
            out[n++] = '%';
            out[n++] = digits[high];
            out[n++] = digits[low];
        }
        i += 2;
    }
    return n;
}

/*
 * RFC 3986, 5.2.4, in place, for a path that begins with '/'. One segment, with the slash before
 * it, is read at a time; ".." takes back the last one written. A path cannot climb above its root.
 */
static size_t remove_dot_segments(char *path, size_t len)
{
    size_t n = 0;
    size_t i = 0;
    while (i < len) {
        assert(path[i] == '/' && n <= i);
        size_t end = i + 1;
        while (end < len && path[end] != '/') {
            end++;
        }
        const char *segment = path + i + 1;
        size_t segment_len = end - i - 1;
        bool dot = segment_len == 1 && segment[0] == '.';
        bool dot_dot = segment_len == 2 && segment[0] == '.' && segment[1] == '.';
        if (dot_dot) {
            while (n > 0 && path[--n] != '/') {
            }
        }
        if (!dot && !dot_dot) {
            memmove(path + n, path + i, end - i);
            n += end - i;
        } else if (end == len) {
            path[n++] = '/'; /* what was named is a directory */
        }
        i = end;
    }
    return n;
}

size_t h1_head_path(const struct h1_head *h, const char *buf, char *out, size_t *path_len)
{
    assert(h->kind == H1_REQUEST && h->state == H1_S_DONE);
    bool whole_server =
        h->form == H1_FORM_ASTERISK ||
        (h->form == H1_FORM_ABSOLUTE && h->path.len == 0 && h->method == H1_METHOD_OPTIONS);
    if (whole_server) {
        out[0] = '*';
        return *path_len = 1;
    }
    if (h->form == H1_FORM_AUTHORITY) {
        return *path_len = 0;
    }
    return h1_path_normalise(buf + h->path.off, h->path.len, out, path_len);
}

size_t h1_path_normalise(const char *s, size_t len, char *out, size_t *path_len)
{
    const char *fragment = memchr(s, '#', len);
    if (fragment != NULL) {
        len = (size_t)(fragment - s);
    }
    const char *question = memchr(s, '?', len);
    size_t raw = question != NULL ? (size_t)(question - s) : len;
    size_t query = len - raw;

    /* The query first, out of the way of a path that grows by its slash when out is s. */
    size_t slash = raw == 0 || s[0] != '/';
    size_t n;
    if (slash) {
        memmove(out + 1, s, len);
        out[0] = '/';
        n = 1 + normalise_percent(out + 1, raw, out + 1);
    } else {
        memmove(out, s, len);
        n = normalise_percent(out, raw, out);
    }
    n = remove_dot_segments(out, n);
    memmove(out + n, out + slash + raw, query);
    *path_len = n;
    return n + query;
}
