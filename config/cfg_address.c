/*
 * The values of --frontend and --backend: an address, patterns and parameters, with ';' between
 * them.
 *
 *   frontend=ADDR[;PARAM]...                 backend=ADDR[;PATTERN[:PATTERN]...[;PARAM]...]
 *   ADDR = HOST,PORT | unix:PATH
 */
#include "config_internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

/* RFC 1035, 2.3.4 has 255 octets on the wire, which are 253 as text; a scope of an IPv6 address
 * fits, too. */
#define LONGEST_HOST 253

enum param {
    PARAM_TLS,
    PARAM_NO_TLS,
    PARAM_PROTO,
    PARAM_SNI,
    PARAM_LATER, /* of the original, but not there yet */
};

struct param_row {
    const char *name;
    enum param param;
    bool takes_value;
};

static const struct param_row frontend_params[] = {
    {"tls", PARAM_TLS, false},         {"no-tls", PARAM_NO_TLS, false},
    {"sni-fwd", PARAM_LATER, false},   {"api", PARAM_LATER, false},
    {"healthmon", PARAM_LATER, false}, {"proxyproto", PARAM_LATER, false},
    {"quic", PARAM_LATER, false},      {NULL, PARAM_LATER, false},
};

static const struct param_row backend_params[] = {
    {"tls", PARAM_TLS, false},
    {"no-tls", PARAM_NO_TLS, false},
    {"proto", PARAM_PROTO, true},
    {"sni", PARAM_SNI, true},
    {"fall", PARAM_LATER, true},
    {"rise", PARAM_LATER, true},
    {"affinity", PARAM_LATER, true},
    {"affinity-cookie-name", PARAM_LATER, true},
    {"affinity-cookie-path", PARAM_LATER, true},
    {"affinity-cookie-secure", PARAM_LATER, true},
    {"affinity-cookie-stickiness", PARAM_LATER, true},
    {"dns", PARAM_LATER, false},
    {"redirect-if-not-tls", PARAM_LATER, false},
    {"upgrade-scheme", PARAM_LATER, false},
    {"read-timeout", PARAM_LATER, true},
    {"write-timeout", PARAM_LATER, true},
    {"group", PARAM_LATER, true},
    {"group-weight", PARAM_LATER, true},
    {"weight", PARAM_LATER, true},
    {"mruby", PARAM_LATER, true},
    {"dnf", PARAM_LATER, false},
    {NULL, PARAM_LATER, false},
};

/* ---------------------------------------------------------------- addresses */

static void address_clear(struct cfg_address *a)
{
    free(a->path);
    free(a->host);
    *a = (struct cfg_address){0};
}

static bool is_ipv6(struct cfg_text host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    const char *scope = memchr(host.s, '%', host.len);
    size_t len = scope != NULL ? (size_t)(scope - host.s) : host.len;
    if (len >= sizeof(text) || (scope != NULL && len + 1 == host.len)) {
        return false;
    }
    memcpy(text, host.s, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &addr) == 1;
}

static bool is_ipv4(struct cfg_text host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr addr;
    if (host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.s, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, &addr) == 1;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

/* A name of a host as certificates and resolvers know it. */
static bool check_name(struct cfg_report *r, struct cfg_text name)
{
    bool numeric = true;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_char(name.s[i])) {
            return cfg_error(r, cfg_slice(name.s + i, 1),
                             "%s is no host name; expected letters, digits, '-', '.' and '_'",
                             cfg_quote(name).s);
        }
        numeric = numeric && strchr("0123456789.", name.s[i]) != NULL;
    }
    /* inet_aton would take 1.2.3 or 127.1 for an address that nobody has written. */
    return !numeric || is_ipv4(name) ||
           cfg_error(r, name, "%s is no IPv4 address; expected four numbers up to 255",
                     cfg_quote(name).s);
}

static bool check_host(struct cfg_report *r, struct cfg_text host, bool any_allowed)
{
    if (host.len == 0) {
        return cfg_error(r, host, "no host; expected HOST,PORT or unix:PATH");
    }
    if (cfg_text_is(host, "*")) {
        return any_allowed ||
               cfg_error(r, host, "* is no address to connect to; expected a name or an address");
    }
    if (host.len > LONGEST_HOST) {
        return cfg_error(r, host, "a host of %zu octets; expected at most %d", host.len,
                         LONGEST_HOST);
    }
    if (host.s[0] == '[') {
        return cfg_error(r, host, "%s has brackets; expected the address without them",
                         cfg_quote(host).s);
    }
    if (memchr(host.s, ':', host.len) != NULL) {
        return is_ipv6(host) ||
               cfg_error(r, host, "%s is no IPv6 address; expected such as ::1,8080",
                         cfg_quote(host).s);
    }
    return check_name(r, host);
}

static bool parse_address(struct cfg_report *r, struct cfg_text t, bool any_allowed,
                          struct cfg_address *out)
{
    static const char unix_prefix[] = "unix:";
    const size_t prefix_len = sizeof(unix_prefix) - 1;
    const size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    struct cfg_address a = {0};
    if (t.len >= prefix_len && strncasecmp(t.s, unix_prefix, prefix_len) == 0) {
        struct cfg_text path = cfg_slice(t.s + prefix_len, t.len - prefix_len);
        if (path.len == 0 || path.len > longest) {
            return cfg_error(r, t, "a path of %zu octets; expected 1 to %zu after unix:", path.len,
                             longest);
        }
        if (!cfg_check_string(r, path, 1, longest)) {
            return false;
        }
        a.path = cfg_copy(r, path);
        *out = a;
        return a.path != NULL;
    }
    struct cfg_text port = t;
    struct cfg_text host = cfg_cut(&port, ',');
    if (port.s == NULL) {
        return cfg_error(r, t, "%s has no port; expected HOST,PORT or unix:PATH", cfg_quote(t).s);
    }
    if (!check_host(r, host, any_allowed) || !cfg_parse_port(r, port, &a.port)) {
        return false;
    }
    a.host = cfg_copy(r, host);
    *out = a;
    return a.host != NULL;
}

/* ---------------------------------------------------------------- parameters */

static const struct param_row *find_param(const struct param_row *rows, struct cfg_text name)
{
    while (rows->name != NULL && !cfg_text_is_nocase(name, rows->name)) {
        rows++;
    }
    return rows->name != NULL ? rows : NULL;
}

static bool unknown_param(struct cfg_report *r, struct cfg_text t, struct cfg_text name,
                          const struct param_row *rows)
{
    const struct param_row *best = NULL;
    size_t least = cfg_near(name);
    for (const struct param_row *p = rows; p->name != NULL; p++) {
        size_t d = cfg_distance(name, cfg_text(p->name), least);
        if (d <= least && (best == NULL || d < least)) {
            best = p;
            least = d;
        }
    }
    if (best != NULL) {
        return cfg_error(r, t, "unknown parameter %s; did you mean \"%s\"?", cfg_quote(name).s,
                         best->name);
    }
    return cfg_error(r, t, "unknown parameter %s; expected one that nghttpx --help names",
                     cfg_quote(name).s);
}

/* The row of a parameter, its value in *value (s is NULL without); NULL, reported, when it cannot
 * be taken. */
static const struct param_row *read_param(struct cfg_report *r, struct cfg_text t,
                                          const struct param_row *rows, struct cfg_text *value)
{
    *value = t;
    struct cfg_text name = cfg_cut(value, '=');
    const struct param_row *row = find_param(rows, name);
    if (row == NULL) {
        unknown_param(r, t, name, rows);
    } else if (row->param == PARAM_LATER) {
        cfg_error(r, t, "the parameter \"%s\" is not supported yet; expected none of that name",
                  row->name);
    } else if (row->takes_value && (value->s == NULL || value->len == 0)) {
        cfg_error(r, t, "no value; expected %s=VALUE", row->name);
    } else if (!row->takes_value && value->s != NULL) {
        cfg_error(r, *value, "\"%s\" takes no value; expected it alone", row->name);
    } else {
        return row;
    }
    return NULL;
}

bool cfg_parse_frontend(struct cfg_report *r, struct cfg_text t, struct cfg_frontend *out)
{
    struct cfg_frontend f = {.tls = true};
    struct cfg_text rest = t;
    bool good = parse_address(r, cfg_cut(&rest, ';'), true, &f.addr);
    while (rest.s != NULL) {
        struct cfg_text value, param = cfg_cut(&rest, ';');
        if (param.len == 0) {
            continue;
        }
        const struct param_row *row = read_param(r, param, frontend_params, &value);
        if (row == NULL) {
            good = false;
        } else {
            f.tls = row->param == PARAM_TLS;
        }
    }
    if (!good) {
        cfg_frontend_clear(&f);
        return false;
    }
    *out = f;
    return true;
}

void cfg_frontend_clear(struct cfg_frontend *f)
{
    address_clear(&f->addr);
    f->tls = false;
}

static bool backend_param(struct cfg_report *r, struct cfg_text t, struct cfg_backend *b)
{
    struct cfg_text value;
    const struct param_row *row = read_param(r, t, backend_params, &value);
    if (row == NULL) {
        return false;
    }
    switch (row->param) {
    case PARAM_TLS:
    case PARAM_NO_TLS:
        b->tls = row->param == PARAM_TLS;
        return true;
    case PARAM_PROTO:
        if (!cfg_text_is(value, "h2") && !cfg_text_is(value, "http/1.1")) {
            return cfg_error(r, value, "%s is no protocol of a backend; expected h2 or http/1.1",
                             cfg_quote(value).s);
        }
        b->proto = cfg_text_is(value, "h2") ? CFG_PROTO_HTTP2 : CFG_PROTO_HTTP1;
        return true;
    case PARAM_SNI:
        if (value.len > LONGEST_HOST) {
            return cfg_error(r, value, "a name of %zu octets; expected at most %d", value.len,
                             LONGEST_HOST);
        }
        if (!check_name(r, value)) {
            return false;
        }
        free(b->sni);
        b->sni = cfg_copy(r, value);
        return b->sni != NULL;
    case PARAM_LATER:
        break;
    }
    return false;
}

/* `backend=h,80;tls` is a backend for the host "tls": most likely one ';' is missing. */
static void warn_of_param_as_pattern(struct cfg_report *r, struct cfg_text pattern)
{
    bool digits = pattern.len > 0;
    for (size_t i = 0; i < pattern.len; i++) {
        digits = digits && isdigit((unsigned char)pattern.s[i]);
    }
    if (find_param(backend_params, pattern) != NULL) {
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

static bool add_pattern(struct cfg_report *r, struct cfg_text t, struct cfg_backend *b)
{
    warn_of_param_as_pattern(r, t);
    char *pattern = cfg_parse_pattern(r, t);
    if (pattern == NULL) {
        return false;
    }
    for (size_t i = 0; i < b->npatterns; i++) {
        if (strcmp(b->patterns[i], pattern) == 0) {
            cfg_warning(r, t, "the pattern %s is there twice; once is enough", cfg_quote(t).s);
            free(pattern);
            return true;
        }
    }
    char **slot = cfg_append(r, &b->patterns, &b->npatterns, sizeof(*b->patterns));
    if (slot == NULL) {
        free(pattern);
        return false;
    }
    *slot = pattern;
    return true;
}

bool cfg_parse_backend(struct cfg_report *r, struct cfg_text t, struct cfg_backend *out)
{
    struct cfg_backend b = {0};
    struct cfg_text rest = t;
    struct cfg_text addr = cfg_cut(&rest, ';');
    struct cfg_text patterns =
        rest.s != NULL ? cfg_cut(&rest, ';') : cfg_slice(addr.s + addr.len, 0);
    bool good = parse_address(r, addr, false, &b.addr);
    while (patterns.s != NULL) {
        good = add_pattern(r, cfg_cut(&patterns, ':'), &b) && good;
    }
    while (rest.s != NULL) {
        struct cfg_text param = cfg_cut(&rest, ';');
        good = (param.len == 0 || backend_param(r, param, &b)) && good;
    }
    if (!good) {
        cfg_backend_clear(&b);
        return false;
    }
    *out = b;
    return true;
}

void cfg_backend_clear(struct cfg_backend *b)
{
    address_clear(&b->addr);
    for (size_t i = 0; i < b->npatterns; i++) {
        free(b->patterns[i]);
    }
    free(b->patterns);
    free(b->sni);
    *b = (struct cfg_backend){0};
}
