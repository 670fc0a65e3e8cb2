/*
 * Addresses, HOST,PORT or unix:PATH, and the URI of an HTTP proxy.
 */
#include "config_internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

void cfg_address_clear(struct cfg_address *a)
{
    free(a->path);
    free(a->host);
    *a = (struct cfg_address){0};
}

struct cfg_shown cfg_show_address(const struct cfg_address *a)
{
    struct cfg_shown shown;
    if (a->path != NULL) {
        snprintf(shown.s, sizeof(shown.s), "unix:%s", a->path);
    } else {
        snprintf(shown.s, sizeof(shown.s), "%s,%u", a->host, a->port);
    }
    return shown;
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

bool cfg_check_name(struct cfg_report *r, struct cfg_text name)
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

bool cfg_check_host(struct cfg_report *r, struct cfg_text host, bool any_allowed)
{
    if (host.len == 0) {
        return cfg_error(r, host, "no host; expected HOST,PORT or unix:PATH");
    }
    if (cfg_text_is(host, "*")) {
        return any_allowed ||
               cfg_error(r, host, "* is no address to connect to; expected a name or an address");
    }
    if (host.len > CFG_HOST_MOST) {
        return cfg_error(r, host, "a host of %zu octets; expected at most %d", host.len,
                         CFG_HOST_MOST);
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
    return cfg_check_name(r, host);
}

static bool is_port(struct cfg_text t)
{
    bool digits = t.len > 0 && t.len <= 5;
    for (size_t i = 0; digits && i < t.len; i++) {
        digits = t.s[i] >= '0' && t.s[i] <= '9';
    }
    return digits;
}

/* What other programs write for an address. */
static bool explain_no_comma(struct cfg_report *r, struct cfg_text t, bool any_allowed)
{
    const char *colon = t.len > 0 ? memrchr(t.s, ':', t.len) : NULL;
    size_t host_len = colon != NULL ? (size_t)(colon - t.s) : 0;
    bool one_colon = colon != NULL && memchr(t.s, ':', t.len) == colon;
    if (memmem(t.s, t.len, "://", 3) != NULL) {
        return cfg_error(r, t, "%s is a URI; expected HOST,PORT or unix:PATH", cfg_quote(t).s);
    }
    if (t.len > 0 && t.s[0] == '/') {
        return cfg_error(r, t, "a path without unix:; expected unix:%.*s",
                         (int)(t.len < 100 ? t.len : 100), t.s);
    }
    if (is_port(t)) {
        return cfg_error(r, t, "no host; expected %s,%.*s", any_allowed ? "*" : "HOST", (int)t.len,
                         t.s);
    }
    if (one_colon && host_len < 100 && is_port(cfg_slice(colon + 1, t.len - host_len - 1))) {
        return cfg_error(r, cfg_slice(colon, 1), "a ':' before the port; expected %.*s,%.*s",
                         (int)host_len, t.s, (int)(t.len - host_len - 1), colon + 1);
    }
    return cfg_error(r, t, "%s has no port; expected HOST,PORT or unix:PATH", cfg_quote(t).s);
}

bool cfg_parse_address(struct cfg_report *r, struct cfg_text t, bool any_allowed,
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
        return explain_no_comma(r, t, any_allowed);
    }
    if (!cfg_check_host(r, host, any_allowed) || !cfg_parse_port(r, port, &a.port)) {
        return false;
    }
    a.host = cfg_copy(r, host);
    *out = a;
    return a.host != NULL;
}

bool cfg_is_numeric(const char *host)
{
    struct cfg_text t = cfg_text(host);
    return is_ipv4(t) || is_ipv6(t);
}

bool cfg_check_authority(struct cfg_report *r, struct cfg_text t)
{
    uint16_t port;
    const char *colon = t.len > 0 ? memrchr(t.s, ':', t.len) : NULL;
    const char *bracket = t.len > 0 && t.s[0] == '[' ? memrchr(t.s, ']', t.len) : NULL;
    struct cfg_text host = t;
    if (colon != NULL && (bracket == NULL || colon == bracket + 1)) {
        host.len = (size_t)(colon - t.s);
        if (memchr(host.s, ':', host.len) != NULL && bracket == NULL) {
            return cfg_error(r, t, "an IPv6 address without brackets; expected such as [::1]:8080");
        }
        if (!cfg_parse_port(r, cfg_slice(colon + 1, t.len - host.len - 1), &port)) {
            return false;
        }
    }
    if (host.len == 0) {
        return cfg_error(r, t, "no host; expected HOST or HOST:PORT");
    }
    if (bracket == NULL) {
        return cfg_check_host(r, host, false);
    }
    struct cfg_text inside = cfg_slice(host.s + 1, (size_t)(bracket - host.s - 1));
    return (bracket + 1 == host.s + host.len && is_ipv6(inside) &&
            memchr(inside.s, '%', inside.len) == NULL) ||
           cfg_error(r, host, "%s is no IPv6 address; expected such as [::1]:8080",
                     cfg_quote(host).s);
}

/* ---------------------------------------------------------------- networks */

static bool parse_ip(struct cfg_text t, struct cfg_cidr *out)
{
    char text[INET6_ADDRSTRLEN];
    if (t.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, t.s, t.len);
    text[t.len] = '\0';
    memset(out->addr, 0, sizeof(out->addr));
    if (inet_pton(AF_INET, text, out->addr) == 1) {
        out->family = 4;
        return true;
    }
    out->family = 6;
    return inet_pton(AF_INET6, text, out->addr) == 1;
}

/* Clears the bits behind the network's own; whether there were any. */
static bool mask(struct cfg_cidr *c)
{
    bool any = false;
    for (unsigned i = 0; i < sizeof(c->addr); i++) {
        unsigned own = c->bits > 8 * i ? c->bits - 8 * i : 0;
        uint8_t keep = own >= 8 ? 0xff : (uint8_t)(0xff00 >> own);
        any = any || (c->addr[i] & ~keep) != 0;
        c->addr[i] &= keep;
    }
    return any;
}

bool cfg_parse_cidr(struct cfg_report *r, struct cfg_text t, struct cfg_cidr *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct cfg_cidr c;
    struct cfg_text bits = t;
    struct cfg_text addr = cfg_cut(&bits, '/');
    char expected[INET6_ADDRSTRLEN];
    if (!parse_ip(addr, &c)) {
        return cfg_error(r, addr,
                         "%s is no address; expected a network such as 10.0.0.0/8 or fd00::/8",
                         cfg_quote(addr).s);
    }
    uint64_t n = c.family == 4 ? 32 : 128;
    if (bits.s != NULL && !cfg_parse_number(r, bits, 0, n, &n)) {
        return false;
    }
    c.bits = (uint8_t)n;
    /* Clients that come by IPv4 have IPv4 addresses here, so this would be nobody. */
    if (c.family == 6 && c.bits >= 96 && memcmp(c.addr, mapped, sizeof(mapped)) == 0) {
        return cfg_error(r, t, "an IPv4 address in the form of IPv6; expected such as 10.0.0.0/8");
    }
    if (mask(&c)) {
        inet_ntop(c.family == 4 ? AF_INET : AF_INET6, c.addr, expected, sizeof(expected));
        return cfg_error(r, t, "%s has bits behind its first %u; expected %s/%u", cfg_quote(t).s,
                         c.bits, expected, c.bits);
    }
    *out = c;
    return true;
}

void cfg_print_cidr(const struct cfg_cidr *c, FILE *out)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(c->family == 4 ? AF_INET : AF_INET6, c->addr, text, sizeof(text));
    fprintf(out, "%s/%u", text, c->bits);
}

/* ---------------------------------------------------------------- proxy URI */

static int hex_value(char c)
{
    int l = tolower((unsigned char)c);
    return c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* Percent-decodes; NULL, reported, when it cannot be. */
static char *decode(struct cfg_report *r, struct cfg_text t)
{
    char *out = cfg_copy(r, t);
    size_t n = 0;
    for (size_t i = 0; out != NULL && i < t.len; i++) {
        char c = t.s[i];
        if (c == '%') {
            int high = i + 2 < t.len ? hex_value(t.s[i + 1]) : -1;
            int low = i + 2 < t.len ? hex_value(t.s[i + 2]) : -1;
            c = (char)(high * 16 + low);
            if (high < 0 || low < 0 || c == '\0') {
                cfg_error(r, cfg_slice(t.s + i, 1),
                          "a '%%' alone; expected two hex digits behind it");
                free(out);
                return NULL;
            }
            i += 2;
        }
        out[n++] = c;
    }
    if (out != NULL) {
        out[n] = '\0';
    }
    return out;
}

/* HOST:PORT, with brackets around an IPv6 address. */
static bool parse_authority(struct cfg_report *r, struct cfg_text t, struct cfg_proxy_uri *u)
{
    const char *colon = t.len > 0 ? memrchr(t.s, ':', t.len) : NULL;
    if (colon == NULL || (t.s[0] == '[' && colon[-1] != ']')) {
        return cfg_error(r, t, "%s has no port; expected HOST:PORT", cfg_quote(t).s);
    }
    struct cfg_text host = cfg_slice(t.s, (size_t)(colon - t.s));
    struct cfg_text port = cfg_slice(colon + 1, t.len - host.len - 1);
    if (host.len > 2 && host.s[0] == '[') {
        host = cfg_slice(host.s + 1, host.len - 2);
        if (!is_ipv6(host)) {
            return cfg_error(r, host, "%s is no IPv6 address; expected such as [::1]:8080",
                             cfg_quote(host).s);
        }
    } else if (memchr(host.s, ':', host.len) != NULL) {
        return cfg_error(r, host, "an IPv6 address without brackets; expected such as [::1]:8080");
    }
    if (!cfg_check_host(r, host, false) || !cfg_parse_port(r, port, &u->port)) {
        return false;
    }
    u->host = cfg_copy(r, host);
    return u->host != NULL;
}

bool cfg_parse_proxy_uri(struct cfg_report *r, struct cfg_text t, struct cfg_proxy_uri *out)
{
    static const char scheme[] = "http://";
    const size_t scheme_len = sizeof(scheme) - 1;
    struct cfg_proxy_uri u = {0};
    if (t.len == 0) { /* takes back what a file has set */
        *out = u;
        return true;
    }
    if (t.len < scheme_len || strncasecmp(t.s, scheme, scheme_len) != 0) {
        return cfg_error(r, t, "%s is no URI of a proxy; expected http://[USER:PASS@]HOST:PORT",
                         cfg_quote(t).s);
    }
    struct cfg_text rest = cfg_slice(t.s + scheme_len, t.len - scheme_len);
    const char *slash = memchr(rest.s, '/', rest.len);
    if (slash != NULL && slash + 1 != rest.s + rest.len) {
        return cfg_error(r, cfg_slice(slash, rest.len - (size_t)(slash - rest.s)),
                         "a path; expected http://[USER:PASS@]HOST:PORT alone");
    }
    rest.len -= slash != NULL;
    const char *at = rest.len > 0 ? memrchr(rest.s, '@', rest.len) : NULL;
    if (at != NULL) {
        u.userinfo = decode(r, cfg_slice(rest.s, (size_t)(at - rest.s)));
        if (u.userinfo == NULL) {
            return false;
        }
        rest = cfg_slice(at + 1, rest.len - (size_t)(at + 1 - rest.s));
    }
    if (!parse_authority(r, rest, &u)) {
        cfg_proxy_uri_clear(&u);
        return false;
    }
    *out = u;
    return true;
}

void cfg_proxy_uri_clear(struct cfg_proxy_uri *u)
{
    free(u->userinfo);
    free(u->host);
    *u = (struct cfg_proxy_uri){0};
}
