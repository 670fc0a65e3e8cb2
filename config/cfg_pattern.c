/*
 * Patterns of backends: PATH, HOST or HOST/PATH, brought into the one form that requests are
 * compared with.
 *
 * The host is lower case, and a dot at its end does not count; a host alone stands for HOST/,
 * nothing at all for "/". The path is normalised as the path of a request is (RFC 3986, 6.2.2:
 * unreserved characters decoded, hex digits upper case, dot segments removed), and then %3A becomes
 * the colon that could not be written, colons being what separates patterns.
 */
#include "config_internal.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    int l = tolower((unsigned char)c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* RFC 3986, 2.3 */
static bool is_unreserved(int c)
{
    return isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool check_host(struct cfg_report *r, struct cfg_text host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.s[i];
        if (c == '*' && i == 0) {
            continue;
        }
        if (c == '*') {
            return cfg_error(r, cfg_slice(host.s + i, 1),
                             "%s has a * inside; expected it in front of a host only",
                             cfg_quote(host).s);
        }
        if (c == '=') {
            return cfg_error(r, host,
                             "%s is no host; expected a pattern here, and parameters after a "
                             "second ';'",
                             cfg_quote(host).s);
        }
        if (!isalnum((unsigned char)c) && c != '-' && c != '.' && c != '_') {
            return cfg_error(
                r, cfg_slice(host.s + i, 1),
                "%s is no host; expected letters, digits, '-', '.' and '_', and a path "
                "to begin with /",
                cfg_quote(host).s);
        }
    }
    return true;
}

static bool check_path(struct cfg_report *r, struct cfg_text path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.s[i];
        if (c == '?' || c == '#') {
            return cfg_error(r, cfg_slice(path.s + i, 1),
                             "a '%c' in a pattern; expected a path alone, queries are not compared",
                             c);
        }
        if (c <= 0x20 || c > 0x7e) {
            return cfg_error(r, cfg_slice(path.s + i, 1),
                             "a byte that no path has (0x%02x); expected it percent-encoded", c);
        }
        if (c == '%' &&
            (i + 2 >= path.len || hex_value(path.s[i + 1]) < 0 || hex_value(path.s[i + 2]) < 0)) {
            return cfg_error(r, cfg_slice(path.s + i, 1),
                             "a '%%' alone; expected two hex digits behind it");
        }
    }
    return true;
}

/* Writes the path to `out`, which has room for as much as it has now. Returns the length. */
static size_t decode_unreserved(struct cfg_text path, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < path.len; i++) {
        if (path.s[i] != '%') {
            out[n++] = path.s[i];
            continue;
        }
        int high = hex_value(path.s[i + 1]), low = hex_value(path.s[i + 2]);
        assert(high >= 0 && low >= 0);
        if (is_unreserved(high * 16 + low)) {
            out[n++] = (char)(high * 16 + low);
        } else {
            out[n++] = '%';
            out[n++] = digits[high];
            out[n++] = digits[low];
        }
        i += 2;
    }
    return n;
}

/* RFC 3986, 5.2.4, in place. A dot segment at the end leaves the '/' in front of it. */
static size_t remove_dot_segments(char *path, size_t len)
{
    size_t n = 0, i = 0;
    assert(len > 0 && path[0] == '/');
    while (i < len) { /* path[i] is the '/' in front of a segment */
        size_t end = i + 1;
        while (end < len && path[end] != '/') {
            end++;
        }
        size_t segment = end - i - 1;
        bool one = segment == 1 && path[i + 1] == '.';
        bool two = segment == 2 && path[i + 1] == '.' && path[i + 2] == '.';
        if (two) {
            while (n > 0 && path[--n] != '/') {
            }
        }
        if (!one && !two) {
            memmove(path + n, path + i, end - i);
            n += end - i;
        } else if (end == len) {
            path[n++] = '/';
        }
        i = end;
    }
    return n;
}

static size_t decode_colons(char *path, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (len - i >= 3 && memcmp(path + i, "%3A", 3) == 0) {
            path[n++] = ':';
            i += 2;
        } else {
            path[n++] = path[i];
        }
    }
    return n;
}

char *cfg_parse_pattern(struct cfg_report *r, struct cfg_text t)
{
    const char *slash = t.len > 0 ? memchr(t.s, '/', t.len) : NULL;
    struct cfg_text host = cfg_slice(t.s, slash != NULL ? (size_t)(slash - t.s) : t.len);
    struct cfg_text path = cfg_slice(t.s + host.len, t.len - host.len);
    if (!check_host(r, host) || !check_path(r, path)) {
        return NULL;
    }
    /* The same name, from the root. No request is compared with it that has the dot. */
    if (host.len > 1 && host.s[host.len - 1] == '.' &&
        isalnum((unsigned char)host.s[host.len - 2])) {
        host.len--;
    }
    char *out = malloc(t.len + 2);
    if (out == NULL) {
        cfg_out_of_memory(r);
        return NULL;
    }
    for (size_t i = 0; i < host.len; i++) {
        out[i] = (char)tolower((unsigned char)host.s[i]);
    }
    char *out_path = out + host.len;
    size_t n = 1;
    if (path.len == 0) {
        out_path[0] = '/';
    } else {
        n = decode_unreserved(path, out_path);
        n = remove_dot_segments(out_path, n);
        n = decode_colons(out_path, n);
    }
    assert(n >= 1 && host.len + n < t.len + 2);
    out_path[n] = '\0';
    return out;
}

/* ---------------------------------------------------------------- those of a backend */

/* `backend=h,80;tls` is a backend for the host "tls": most likely one ';' is missing. */
static void warn_of_param_as_pattern(struct cfg_report *r, struct cfg_text pattern)
{
    bool digits = pattern.len > 0;
    for (size_t i = 0; i < pattern.len; i++) {
        digits = digits && isdigit((unsigned char)pattern.s[i]);
    }
    if (cfg_param_find(cfg_backend_params, pattern) != NULL) {
        cfg_warning(r, pattern,
                    "%s is a pattern here, the host of that name; parameters come after a second "
                    "';' (;;%.*s)",
                    cfg_quote(pattern).s, (int)pattern.len, pattern.s);
    } else if (digits) {
        cfg_warning(r, pattern,
                    "%s is a pattern here, the host of that name; patterns have no port",
                    cfg_quote(pattern).s);
    }
}

/* A pattern, and where it stood. */
struct placed {
    char *pattern;
    struct cfg_text where;
};

static int by_text_and_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int order = strcmp(x->pattern, y->pattern);
    return order != 0 ? order : x->where.s < y->where.s ? -1 : 1;
}

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return x->where.s < y->where.s ? -1 : 1;
}

/* Drops what is there twice; the order stays. */
static size_t drop_doubles(struct cfg_report *r, struct placed *list, size_t n)
{
    size_t kept = 0;
    qsort(list, n, sizeof(*list), by_text_and_place);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && strcmp(list[kept - 1].pattern, list[i].pattern) == 0) {
            cfg_warning(r, list[i].where, "the pattern %s is there twice; once is enough",
                        cfg_quote(list[i].where).s);
            free(list[i].pattern);
        } else {
            list[kept++] = list[i];
        }
    }
    qsort(list, kept, sizeof(*list), by_place);
    return kept;
}

bool cfg_parse_patterns(struct cfg_report *r, struct cfg_text t, struct cfg_backend *b)
{
    struct placed *list = NULL;
    size_t n = 0;
    bool good = true;
    while (t.s != NULL) {
        struct cfg_text where = cfg_cut(&t, ':');
        warn_of_param_as_pattern(r, where);
        char *pattern = cfg_parse_pattern(r, where);
        struct placed *slot = pattern != NULL ? cfg_append(r, &list, &n, sizeof(*list)) : NULL;
        if (slot == NULL) {
            free(pattern);
            good = false;
            continue;
        }
        *slot = (struct placed){pattern, where};
    }
    n = n > 1 ? drop_doubles(r, list, n) : n;
    b->patterns = n > 0 ? malloc(n * sizeof(*b->patterns)) : NULL;
    if (n > 0 && b->patterns == NULL) {
        good = cfg_out_of_memory(r);
    }
    for (size_t i = 0; i < n; i++) {
        if (b->patterns != NULL) {
            b->patterns[b->npatterns++] = list[i].pattern;
        } else {
            free(list[i].pattern);
        }
    }
    free(list);
    return good;
}
