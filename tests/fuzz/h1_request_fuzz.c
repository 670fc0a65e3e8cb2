/*
 * Request heads: see h1_head_check.h. Beyond it: the target's parts are what they say, a normal
 * path stays as it is, and no request body lasts until the connection ends.
 */
#include "fuzz.h"

#include "h1_head_check.h"

static void check_path(const struct h1_check *c)
{
    struct h1_span path = c->head.path;
    char *once = malloc(path.len + 1);
    char *twice = malloc(path.len + 2);
    assert(once != NULL && twice != NULL);
    size_t path_len;
    size_t path_len_twice;
    size_t n = h1_path_normalise(h1_check_text(c, path), path.len, once, &path_len);
    assert(n >= 1 && n <= path.len + 1u && path_len <= n && once[0] == '/');
    assert(h1_path_valid(once, n));
    assert(h1_path_normalise(once, n, twice, &path_len_twice) == n);
    assert(path_len == path_len_twice && memcmp(once, twice, n) == 0);
    memcpy(twice, h1_check_text(c, path), path.len);
    assert(h1_path_normalise(twice, path.len, twice, &path_len_twice) == n);
    assert(memcmp(once, twice, n) == 0);
    for (size_t i = 0; i + 2 < path_len; i++) { /* no segment is ".." any more */
        bool ends = i + 3 == path_len || once[i + 3] == '/';
        assert(!(once[i] == '/' && once[i + 1] == '.' && once[i + 2] == '.' && ends));
    }
    free(once);
    free(twice);
}

static void check_authority(const struct h1_check *c, struct h1_span s)
{
    size_t host_len;
    int port;
    assert(h1_authority_valid(h1_check_text(c, s), s.len));
    assert(h1_authority_split(h1_check_text(c, s), s.len, &host_len, &port));
    assert(host_len > 0 && host_len <= s.len && port >= -1 && port <= 65535);
}

static void check_request(const struct h1_check *c)
{
    const struct h1_head *h = &c->head;
    assert(h1_token_valid(h1_check_text(c, h->method_text), h->method_text.len));
    assert((h->method == H1_METHOD_CONNECT) == (h->form == H1_FORM_AUTHORITY));
    switch (h->form) {
    case H1_FORM_ORIGIN:
        assert(h1_path_valid(h1_check_text(c, h->path), h->path.len));
        check_path(c);
        break;
    case H1_FORM_ABSOLUTE:
        assert(h->scheme.len == 4 || h->scheme.len == 5);
        check_authority(c, h->authority);
        check_path(c);
        break;
    case H1_FORM_AUTHORITY:
        check_authority(c, h->authority);
        break;
    case H1_FORM_ASTERISK:
        assert(h->method == H1_METHOD_OPTIONS && h->target.len == 1);
        break;
    }
    if (h->host_field != UINT32_MAX && c->fields[h->host_field].value.len > 0) {
        check_authority(c, c->fields[h->host_field].value);
    }
    assert(h->minor_version == 0 || h->host_field != UINT32_MAX);
    struct h1_framing f = h1_body_framing(h, H1_METHOD_OTHER);
    assert(f.error == H1_ERR_NONE);
    assert(f.kind != H1_BODY_CLOSE && f.kind != H1_BODY_TUNNEL && !f.interim);
    assert(!f.switches || f.kind == H1_BODY_NONE);
    assert(h->method != H1_METHOD_CONNECT || (f.switches && !f.keep_alive));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct h1_check c;
    if (h1_check_head(&c, H1_REQUEST, data, size)) {
        check_request(&c);
    }
    free(c.bytes);
    return 0;
}
