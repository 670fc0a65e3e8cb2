/* Hashes, the affinity cookie, and the choice that it stands for. */
#include "route/affinity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COOKIE_DIGITS 8u

/* ---------------------------------------------------------------- hashes */

/* FNV-1a of 64 bits, and then a mixing of them: on a ring, texts that differ in one digit have to
 * be far from each other, which FNV alone does not do. There is no secret in it, since all workers
 * and machines have to agree; who looks for texts that collide overloads one backend, up to the
 * bound of BALANCE_HASH. */
#define HASH_START 0xcbf29ce484222325ULL

static uint64_t hash_more(uint64_t h, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)s[i]) * 0x100000001b3ULL;
    }
    return h;
}

static uint32_t hash_end(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
    return (uint32_t)(h >> 32);
}

uint32_t affinity_hash(const char *s, size_t len)
{
    return hash_end(hash_more(HASH_START, s, len));
}

uint32_t affinity_hash_address(const char *address, size_t len)
{
    static const char mapped[] = "::ffff:";
    const size_t n = sizeof(mapped) - 1;
    if (len > n && strncasecmp(address, mapped, n) == 0 && memchr(address + n, '.', len - n)) {
        address += n;
        len -= n;
    }
    return affinity_hash(address, len);
}

bool affinity_hash_header(const struct h2_field *f, size_t n, const char *name, uint32_t *hash)
{
    const size_t name_len = strlen(name);
    uint64_t h = HASH_START;
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        if (f[i].name_len == name_len && strncasecmp(f[i].name, name, name_len) == 0) {
            h = found ? hash_more(h, ", ", 2) : h;
            h = hash_more(h, f[i].value, f[i].value_len);
            found = true;
        }
    }
    *hash = hash_end(h);
    return found;
}

bool affinity_hash_cookie(const struct h2_field *f, size_t n, const char *name, uint32_t *hash)
{
    for (size_t i = 0; i < n; i++) {
        const char *value;
        size_t len;
        if (f[i].token == H2_TOKEN_COOKIE &&
            affinity_find_cookie(f[i].value, f[i].value_len, name, &value, &len)) {
            *hash = affinity_hash(value, len);
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- reading */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **s, size_t *len)
{
    while (*len > 0 && is_space((*s)[0])) {
        (*s)++;
        (*len)--;
    }
    while (*len > 0 && is_space((*s)[*len - 1])) {
        (*len)--;
    }
}

/* RFC 6265, 4.1.1: quotes around the whole value. A ';' ends a cookie within them, too. */
static void unquote(const char **s, size_t *len)
{
    if (*len >= 2 && (*s)[0] == '"' && (*s)[*len - 1] == '"') {
        (*s)++;
        *len -= 2;
    }
}

bool affinity_find_cookie(const char *field, size_t len, const char *name, const char **value,
                          size_t *value_len)
{
    const size_t name_len = strlen(name);
    const char *end = field + len;
    while (field < end) {
        const char *semicolon = memchr(field, ';', (size_t)(end - field));
        const char *s = field;
        size_t n = (size_t)((semicolon != NULL ? semicolon : end) - field);
        field = semicolon != NULL ? semicolon + 1 : end;
        trim(&s, &n);
        if (n <= name_len || s[name_len] != '=' || memcmp(s, name, name_len) != 0) {
            continue; /* names of cookies have a case (RFC 6265, 5.3) */
        }
        *value = s + name_len + 1;
        *value_len = n - name_len - 1;
        unquote(value, value_len);
        return true;
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Eight digits and nothing else: what is anything else is not from us. */
static bool parse_cookie(const char *s, size_t len, uint32_t *cookie)
{
    if (len != COOKIE_DIGITS) {
        return false;
    }
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = hex_digit(s[i]);
        if (digit < 0) {
            return false;
        }
        n = n << 4 | (uint32_t)digit;
    }
    *cookie = n;
    return true;
}

static bool read_field(const char *field, size_t len, const char *name, uint32_t *cookie)
{
    const char *end = field + len;
    const char *value;
    size_t n;
    while (affinity_find_cookie(field, (size_t)(end - field), name, &value, &n)) {
        if (parse_cookie(value, n, cookie)) {
            return true;
        }
        field = value + n; /* what is left of this one is no cookie: a quote, or nothing */
    }
    return false;
}

bool affinity_read_cookie(const struct h2_field *f, size_t n, const char *name, uint32_t *cookie)
{
    for (size_t i = 0; i < n; i++) {
        if (f[i].token == H2_TOKEN_COOKIE && read_field(f[i].value, f[i].value_len, name, cookie)) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- writing */

/* Appends like snprintf(): `at` grows also when there is no room. */
__attribute__((format(printf, 4, 5))) static void append(char *buf, size_t cap, size_t *at,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(*at < cap ? buf + *at : NULL, *at < cap ? cap - *at : 0, format, args);
    va_end(args);
    *at += n > 0 ? (size_t)n : 0;
}

static bool is_secure(enum cfg_cookie_secure secure, bool https)
{
    return secure == CFG_COOKIE_SECURE_YES || (secure == CFG_COOKIE_SECURE_AUTO && https);
}

size_t affinity_set_cookie(char *buf, size_t cap, const struct affinity_cookie *c, uint32_t cookie,
                           bool https)
{
    size_t at = 0;
    append(buf, cap, &at, "%s=%08" PRIx32, c->name, cookie);
    if (c->path != NULL) {
        append(buf, cap, &at, "; Path=%s", c->path);
    }
    if (is_secure(c->secure, https)) {
        append(buf, cap, &at, "; Secure");
    }
    if (c->http_only) {
        append(buf, cap, &at, "; HttpOnly");
    }
    if (c->same_site != NULL) {
        append(buf, cap, &at, "; SameSite=%s", c->same_site);
    }
    if (c->max_age > 0) {
        append(buf, cap, &at, "; Max-Age=%" PRIu64, c->max_age / 1000);
    }
    return at;
}

/* ---------------------------------------------------------------- choosing */

static struct affinity_choice choose_loose(struct balance *b, const struct balance_ops *ops,
                                           void *arg, const uint32_t *cookie)
{
    uint32_t hash = cookie != NULL ? *cookie : balance_random(b);
    return (struct affinity_choice){balance_pick(b, ops, arg, hash), hash, cookie == NULL};
}

static struct affinity_choice choose_strict(struct balance *b, const struct balance_ops *ops,
                                            void *arg, const uint32_t *cookie)
{
    void *user = cookie != NULL ? balance_of_address(b, *cookie) : NULL;
    if (user != NULL && ops->usable(user, arg)) {
        return (struct affinity_choice){user, *cookie, false};
    }
    user = balance_pick(b, ops, arg, balance_random(b));
    return (struct affinity_choice){user, user != NULL ? balance_id_of(b, user) : 0, true};
}

struct affinity_choice affinity_choose(struct balance *b, const struct balance_ops *ops, void *arg,
                                       enum cfg_stickiness stickiness, const uint32_t *cookie)
{
    return stickiness == CFG_STICKINESS_STRICT ? choose_strict(b, ops, arg, cookie)
                                               : choose_loose(b, ops, arg, cookie);
}
