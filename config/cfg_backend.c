/*
 * The value of --backend: ADDR[;PATTERN[:PATTERN]...[;PARAM]...]
 */
#include "config_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A share of the load; the ratio of two of them is what counts. */
#define WEIGHT_MOST 256

/* ---------------------------------------------------------------- parameters */

static bool set_tls(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)r;
    (void)value;
    ((struct cfg_backend *)what)->tls = true;
    return true;
}

static bool set_no_tls(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)r;
    (void)value;
    ((struct cfg_backend *)what)->tls = false;
    return true;
}

static bool set_proto(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_backend *b = what;
    if (!cfg_text_is(value, "h2") && !cfg_text_is(value, "http/1.1")) {
        return cfg_error(r, value, "%s is no protocol of a backend; expected h2 or http/1.1",
                         cfg_quote(value).s);
    }
    b->proto = cfg_text_is(value, "h2") ? CFG_PROTO_HTTP2 : CFG_PROTO_HTTP1;
    return true;
}

static bool set_text(struct cfg_report *r, struct cfg_text value, char **slot)
{
    char *copy = cfg_copy(r, value);
    if (copy == NULL) {
        return false;
    }
    free(*slot);
    *slot = copy;
    return true;
}

static bool set_sni(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_backend *b = what;
    if (value.len > CFG_HOST_MOST) {
        return cfg_error(r, value, "a name of %zu octets; expected at most %d", value.len,
                         CFG_HOST_MOST);
    }
    return cfg_check_name(r, value) && set_text(r, value, &b->sni);
}

static bool set_u32(struct cfg_report *r, struct cfg_text value, uint64_t min, uint64_t max,
                    uint32_t *slot)
{
    uint64_t n;
    if (!cfg_parse_number(r, value, min, max, &n)) {
        return false;
    }
    *slot = (uint32_t)n;
    return true;
}

static bool set_fall(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_u32(r, value, 0, UINT32_MAX, &((struct cfg_backend *)what)->fall);
}

static bool set_rise(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_u32(r, value, 0, UINT32_MAX, &((struct cfg_backend *)what)->rise);
}

static bool set_weight(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_u32(r, value, 1, WEIGHT_MOST, &((struct cfg_backend *)what)->weight);
}

static bool set_group_weight(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_u32(r, value, 1, WEIGHT_MOST, &((struct cfg_backend *)what)->group_weight);
}

static bool set_group(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_check_string(r, value, 1, CFG_HOST_MOST) &&
           set_text(r, value, &((struct cfg_backend *)what)->group);
}

static bool set_affinity(struct cfg_report *r, struct cfg_text value, void *what)
{
    static const struct cfg_choice choices[] = {{"none", CFG_AFFINITY_NONE},
                                                {"ip", CFG_AFFINITY_IP},
                                                {"cookie", CFG_AFFINITY_COOKIE},
                                                {NULL, 0}};
    unsigned n;
    if (!cfg_parse_choice(r, value, choices, &n)) {
        return false;
    }
    ((struct cfg_backend *)what)->affinity = (enum cfg_affinity)n;
    return true;
}

/* What is sent in Set-Cookie (RFC 6265, 4.1.1). */
static bool set_cookie_name(struct cfg_report *r, struct cfg_text value, void *what)
{
    if (!cfg_is_token(value)) {
        return cfg_error(r, value, "%s is no name of a cookie; expected letters, digits and -",
                         cfg_quote(value).s);
    }
    return set_text(r, value, &((struct cfg_backend *)what)->cookie_name);
}

static bool set_cookie_path(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_check_field_value(r, value) &&
           set_text(r, value, &((struct cfg_backend *)what)->cookie_path);
}

static bool set_cookie_secure(struct cfg_report *r, struct cfg_text value, void *what)
{
    static const struct cfg_choice choices[] = {{"auto", CFG_COOKIE_SECURE_AUTO},
                                                {"yes", CFG_COOKIE_SECURE_YES},
                                                {"no", CFG_COOKIE_SECURE_NO},
                                                {NULL, 0}};
    unsigned n;
    if (!cfg_parse_choice(r, value, choices, &n)) {
        return false;
    }
    ((struct cfg_backend *)what)->cookie_secure = (enum cfg_cookie_secure)n;
    return true;
}

static bool set_stickiness(struct cfg_report *r, struct cfg_text value, void *what)
{
    static const struct cfg_choice choices[] = {
        {"loose", CFG_STICKINESS_LOOSE}, {"strict", CFG_STICKINESS_STRICT}, {NULL, 0}};
    unsigned n;
    if (!cfg_parse_choice(r, value, choices, &n)) {
        return false;
    }
    ((struct cfg_backend *)what)->cookie_stickiness = (enum cfg_stickiness)n;
    return true;
}

static bool set_dns(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_backend *b = what;
    if (b->addr.path != NULL) {
        return cfg_error(r, value, "a UNIX socket has no name to look up; expected no \"dns\"");
    }
    b->dns = CFG_DNS_ADDRESS;
    return true;
}

static bool set_redirect(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)r;
    (void)value;
    ((struct cfg_backend *)what)->redirect_if_not_tls = true;
    return true;
}

static bool set_redirect_misspelt(struct cfg_report *r, struct cfg_text value, void *what)
{
    cfg_warning(r, value, "taken as \"redirect-if-not-tls\", which is the name");
    return set_redirect(r, value, what);
}

static bool set_upgrade_scheme(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)r;
    (void)value;
    ((struct cfg_backend *)what)->upgrade_scheme = true;
    return true;
}

static bool set_read_timeout(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_parse_duration(r, value, &((struct cfg_backend *)what)->read_timeout);
}

static bool set_write_timeout(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_parse_duration(r, value, &((struct cfg_backend *)what)->write_timeout);
}

static bool warn_of_mruby(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)what;
    cfg_warning(r, value, "the parameter \"mruby\" has no effect: there is no scripting");
    return true;
}

/* Without a script nobody would answer. */
static bool refuse_dnf(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)what;
    return cfg_error(r, value,
                     "\"dnf\" leaves the answer to a script, and there is no scripting; expected a "
                     "backend without it");
}

const struct cfg_param cfg_backend_params[] = {
    {"tls", false, false, set_tls, false},
    {"no-tls", false, false, set_no_tls, false},
    {"proto", true, false, set_proto, false},
    {"sni", true, false, set_sni, false},
    {"fall", true, true, set_fall, false},
    {"rise", true, true, set_rise, false},
    {"affinity", true, true, set_affinity, false},
    {"affinity-cookie-name", true, true, set_cookie_name, false},
    {"affinity-cookie-path", true, true, set_cookie_path, false},
    {"affinity-cookie-secure", true, true, set_cookie_secure, false},
    {"affinity-cookie-stickiness", true, true, set_stickiness, false},
    {"dns", false, true, set_dns, false},
    {"redirect-if-not-tls", false, true, set_redirect, false},
    {"redirect-if-no-tls", false, true, set_redirect_misspelt, true},
    {"upgrade-scheme", false, true, set_upgrade_scheme, false},
    {"read-timeout", true, true, set_read_timeout, false},
    {"write-timeout", true, true, set_write_timeout, false},
    {"group", true, true, set_group, false},
    {"group-weight", true, true, set_group_weight, false},
    {"weight", true, true, set_weight, false},
    {"mruby", true, false, warn_of_mruby, false},
    {"dnf", false, false, refuse_dnf, false},
    {NULL, false, false, NULL, false},
};

/* What must hold between parameters, and what is probably not meant. */
static bool check_params(struct cfg_report *r, struct cfg_text t, struct cfg_backend *b)
{
    if (b->affinity == CFG_AFFINITY_COOKIE && b->cookie_name == NULL) {
        return cfg_error(r, t, "affinity=cookie needs a name; expected affinity-cookie-name=NAME");
    }
    if (b->affinity != CFG_AFFINITY_COOKIE && b->cookie_name != NULL) {
        cfg_warning(r, t, "affinity-cookie-name has no effect without affinity=cookie");
    }
    if (b->fall > 0 && b->rise == 0) {
        cfg_warning(r, t,
                    "fall without rise: once offline, the backend stays so until the next start or "
                    "reload");
    }
    if (b->upgrade_scheme && !(b->tls && b->proto == CFG_PROTO_HTTP2)) {
        cfg_warning(r, t, "upgrade-scheme has no effect without tls and proto=h2");
    }
    return true;
}

/* ---------------------------------------------------------------- patterns */

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

static bool parse_patterns(struct cfg_report *r, struct cfg_text t, struct cfg_backend *b)
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

/* ---------------------------------------------------------------- the whole */

bool cfg_parse_backend(struct cfg_report *r, struct cfg_text t, struct cfg_backend *out)
{
    struct cfg_backend b = {.weight = 1,
                            .max_queue = 100,
                            .queue_timeout = 5000,
                            .health_interval = 5000,
                            .health_timeout = 2000};
    struct cfg_text rest = t;
    struct cfg_text addr = cfg_cut(&rest, ';');
    struct cfg_text patterns =
        rest.s != NULL ? cfg_cut(&rest, ';') : cfg_slice(addr.s + addr.len, 0);
    bool good = cfg_parse_address(r, addr, false, &b.addr);
    good = parse_patterns(r, patterns, &b) && good;
    good = cfg_params_set(r, rest, cfg_backend_params, &b) && good;
    good = good && check_params(r, t, &b);
    if (!good) {
        cfg_backend_clear(&b);
        return false;
    }
    *out = b;
    return true;
}

void cfg_backend_clear(struct cfg_backend *b)
{
    cfg_address_clear(&b->addr);
    for (size_t i = 0; i < b->npatterns; i++) {
        free(b->patterns[i]);
    }
    free(b->patterns);
    free(b->sni);
    free(b->group);
    free(b->cookie_name);
    free(b->cookie_path);
    *b = (struct cfg_backend){0};
}
