/*
 * The PROXY protocol's header: read the same at once and octet by octet, never beyond its limits,
 * and what it says can be written and read again.
 */
#include "fuzz.h"

#include "net/proxyproto.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* In memory of its own, so that a step too far is seen. */
static enum proxyproto_rc parse(const uint8_t *data, size_t len, struct proxyproto *out)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    const char *why = NULL;
    assert(copy != NULL);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    enum proxyproto_rc rc = proxyproto_parse(copy, len, out, &why);
    assert((rc == PROXYPROTO_BAD) == (why != NULL));
    free(copy);
    return rc;
}

static void check_endpoint(const struct endpoint *e)
{
    static const struct endpoint none;
    char text[46];
    assert(e->family == 0 || e->family == 4 || e->family == 6);
    if (e->family == 0) {
        assert(memcmp(e, &none, sizeof(none)) == 0);
        return;
    }
    endpoint_format(e, text, sizeof(text));
    assert(strncmp(text, "::ffff:", 7) != 0 || strchr(text, '.') == NULL);
    assert(endpoint_is_in(e, e->family, e->addr, e->family == 4 ? 32 : 128));
}

static void check_rewrite(const struct proxyproto *p)
{
    uint8_t buf[PROXYPROTO_WRITE_MOST];
    for (unsigned version = 1; version <= 2; version++) {
        struct proxyproto again;
        size_t n = proxyproto_write(buf, version, &p->from, &p->to);
        assert(n <= sizeof(buf) && parse(buf, n, &again) == PROXYPROTO_OK && again.len == n);
        assert(memcmp(&again.from, &p->from, sizeof(p->from)) == 0);
        assert(memcmp(&again.to, &p->to, sizeof(p->to)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxyproto whole, p;
    enum proxyproto_rc rc = parse(data, size, &whole);
    size_t most = 16 + PROXYPROTO_V2_MOST, step = size > 600 ? 97 : 1;
    enum proxyproto_rc before = PROXYPROTO_MORE;
    for (size_t n = 0; n < size && before == PROXYPROTO_MORE; n += step) {
        before = parse(data, n, &p);
    }
    /* Once it is decided, it stays so. */
    assert(before == PROXYPROTO_MORE || before == rc);
    assert(rc != PROXYPROTO_MORE || size < most);
    if (rc == PROXYPROTO_OK) {
        assert(whole.len > 0 && whole.len <= size && whole.len <= most);
        check_endpoint(&whole.from);
        check_endpoint(&whole.to);
        assert((whole.from.family == 0) == (whole.to.family == 0));
        assert(parse(data, whole.len - 1, &p) == PROXYPROTO_MORE);
        check_rewrite(&whole);
    }
    return 0;
}
