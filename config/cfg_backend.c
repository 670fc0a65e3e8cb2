/*
 * The value of --backend: ADDR[;PATTERN[:PATTERN]...[;PARAM]...], where an answer of the program's
 * own (cfg_answer.c) may stand in the place of the address.
 */
#include "config_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A share of the load; the ratio of two of them is what counts. */
#define WEIGHT_MOST 256

/* More of either, of one worker to one address, is not meant. */
#define WARM_UP_MOST 65535

/* Of a backend with active checks; without them nothing is counted unless it is said. */
#define DEFAULT_FALL 3
#define DEFAULT_RISE 2

/* A backend while its parameters are read, and where those stood that need another one; `s` is NULL
 * when there was none. */
struct draft {
    struct cfg_backend b; /* first: most setters take a draft for a backend */
    bool fall_said, rise_said;
    struct cfg_text needs_tls, needs_check, needs_limit, needs_cookie, needs_name;
};

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
    bool is_auto = cfg_text_is(value, "auto");
    if (!is_auto && !cfg_text_is(value, "h2") && !cfg_text_is(value, "http/1.1")) {
        return cfg_error(r, value, "%s is no protocol of a backend; expected h2, http/1.1 or auto",
                         cfg_quote(value).s);
    }
    b->proto = is_auto                    ? CFG_PROTO_AUTO
               : cfg_text_is(value, "h2") ? CFG_PROTO_HTTP2
                                          : CFG_PROTO_HTTP1;
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
    struct draft *d = what;
    d->fall_said = true;
    return set_u32(r, value, 0, UINT32_MAX, &d->b.fall);
}

static bool set_rise(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct draft *d = what;
    d->rise_said = true;
    return set_u32(r, value, 0, UINT32_MAX, &d->b.rise);
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
    ((struct draft *)what)->needs_cookie = value;
    return set_text(r, value, &((struct cfg_backend *)what)->cookie_name);
}

static bool set_cookie_path(struct cfg_report *r, struct cfg_text value, void *what)
{
    ((struct draft *)what)->needs_cookie = value;
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
    ((struct draft *)what)->needs_cookie = value;
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
    ((struct draft *)what)->needs_cookie = value;
    return true;
}

static bool set_cookie_http_only(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)r;
    ((struct cfg_backend *)what)->cookie_http_only = true;
    ((struct draft *)what)->needs_cookie = value;
    return true;
}

static bool set_same_site(struct cfg_report *r, struct cfg_text value, void *what)
{
    static const struct cfg_choice choices[] = {{"strict", CFG_SAME_SITE_STRICT},
                                                {"lax", CFG_SAME_SITE_LAX},
                                                {"none", CFG_SAME_SITE_NONE},
                                                {NULL, 0}};
    unsigned n;
    if (!cfg_parse_choice(r, value, choices, &n)) {
        return false;
    }
    ((struct cfg_backend *)what)->cookie_same_site = (enum cfg_same_site)n;
    ((struct draft *)what)->needs_cookie = value;
    return true;
}

/* Max-Age is in seconds (RFC 6265, 5.2.2). */
static bool set_max_age(struct cfg_report *r, struct cfg_text value, void *what)
{
    uint64_t ms;
    if (!cfg_parse_duration(r, value, &ms)) {
        return false;
    }
    if (ms % 1000 != 0) {
        return cfg_error(r, value, "%s has a part of a second; expected whole seconds",
                         cfg_quote(value).s);
    }
    ((struct cfg_backend *)what)->cookie_max_age = ms;
    ((struct draft *)what)->needs_cookie = value;
    return true;
}

static bool set_balance(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_backend *b = what;
    struct cfg_balancing balancing;
    if (!cfg_parse_balance(r, value, &balancing)) {
        return false;
    }
    free(b->hash_name);
    b->balance_said = true;
    b->balance = balancing.balance;
    b->hash = balancing.hash;
    b->hash_name = balancing.name;
    return true;
}

static bool set_dns(struct cfg_report *r, struct cfg_text whole, void *what)
{
    static const struct cfg_choice choices[] = {{"srv", CFG_DNS_SRV}, {NULL, 0}};
    struct draft *d = what;
    struct cfg_text value = whole;
    unsigned n = CFG_DNS_ADDRESS;
    cfg_cut(&value, '=');
    if (value.s != NULL && !cfg_parse_choice(r, value, choices, &n)) {
        return false;
    }
    d->b.dns = (enum cfg_dns)n;
    d->needs_name = whole;
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

/* A duration that does not mean "no limit". */
static bool set_some_time(struct cfg_report *r, struct cfg_text value, uint64_t *slot)
{
    uint64_t ms;
    if (!cfg_parse_duration(r, value, &ms)) {
        return false;
    }
    if (ms == 0) {
        return cfg_error(r, value, "no time at all; expected more than 0");
    }
    *slot = ms;
    return true;
}

static bool set_health_path(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_check_target(r, value) &&
           set_text(r, value, &((struct cfg_backend *)what)->health_path);
}

static bool set_health_host(struct cfg_report *r, struct cfg_text value, void *what)
{
    ((struct draft *)what)->needs_check = value;
    return cfg_check_authority(r, value) &&
           set_text(r, value, &((struct cfg_backend *)what)->health_host);
}

static bool set_health_interval(struct cfg_report *r, struct cfg_text value, void *what)
{
    ((struct draft *)what)->needs_check = value;
    return set_some_time(r, value, &((struct cfg_backend *)what)->health_interval);
}

static bool set_health_timeout(struct cfg_report *r, struct cfg_text value, void *what)
{
    ((struct draft *)what)->needs_check = value;
    return set_some_time(r, value, &((struct cfg_backend *)what)->health_timeout);
}

static bool set_health_status(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_backend *b = what;
    ((struct draft *)what)->needs_check = value;
    return cfg_parse_statuses(r, value, &b->health_status, &b->nhealth_status);
}

static bool set_outlier(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_parse_outlier(r, value, &((struct cfg_backend *)what)->outlier);
}

static bool set_max_conns(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_u32(r, value, 0, UINT32_MAX, &((struct cfg_backend *)what)->max_conns);
}

static bool set_max_queue(struct cfg_report *r, struct cfg_text value, void *what)
{
    ((struct draft *)what)->needs_limit = value;
    return set_u32(r, value, 0, UINT32_MAX, &((struct cfg_backend *)what)->max_queue);
}

static bool set_queue_timeout(struct cfg_report *r, struct cfg_text value, void *what)
{
    ((struct draft *)what)->needs_limit = value;
    return set_some_time(r, value, &((struct cfg_backend *)what)->queue_timeout);
}

static bool set_max_idle(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_u32(r, value, 0, UINT32_MAX, &((struct cfg_backend *)what)->max_idle);
}

static bool set_warm_up(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_u32(r, value, 0, WARM_UP_MOST, &((struct cfg_backend *)what)->warm_up);
}

static bool set_send_proxy(struct cfg_report *r, struct cfg_text value, void *what)
{
    static const struct cfg_choice choices[] = {
        {"v1", CFG_SEND_PROXY_V1}, {"v2", CFG_SEND_PROXY_V2}, {NULL, 0}};
    unsigned n;
    if (!cfg_parse_choice(r, value, choices, &n)) {
        return false;
    }
    ((struct cfg_backend *)what)->send_proxy = (enum cfg_send_proxy)n;
    return true;
}

static bool set_tls_file(struct cfg_report *r, struct cfg_text value, struct draft *d, char **slot)
{
    d->needs_tls = value;
    return cfg_check_string(r, value, 1, UINT64_MAX) && set_text(r, value, slot);
}

static bool set_ca(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_tls_file(r, value, what, &((struct cfg_backend *)what)->ca);
}

static bool set_cert(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_tls_file(r, value, what, &((struct cfg_backend *)what)->cert);
}

static bool set_key(struct cfg_report *r, struct cfg_text value, void *what)
{
    return set_tls_file(r, value, what, &((struct cfg_backend *)what)->key);
}

static bool set_insecure(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)r;
    ((struct draft *)what)->needs_tls = value;
    ((struct cfg_backend *)what)->insecure = true;
    return true;
}

/* Several add up: the next key is pinned before it is used. */
static bool set_pin(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct draft *d = what;
    uint8_t pin[CFG_PIN_SIZE];
    d->needs_tls = value;
    if (!cfg_parse_pin(r, value, pin)) {
        return false;
    }
    uint8_t *slot = cfg_append(r, &d->b.pins, &d->b.npins, sizeof(pin));
    if (slot != NULL) {
        memcpy(slot, pin, sizeof(pin));
    }
    return slot != NULL;
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
    {"fall", true, false, set_fall, false},
    {"rise", true, false, set_rise, false},
    {"affinity", true, false, set_affinity, false},
    {"affinity-cookie-name", true, false, set_cookie_name, false},
    {"affinity-cookie-path", true, false, set_cookie_path, false},
    {"affinity-cookie-secure", true, false, set_cookie_secure, false},
    {"affinity-cookie-stickiness", true, false, set_stickiness, false},
    {"dns", CFG_TAKES_ANY, false, set_dns, false},
    {"redirect-if-not-tls", false, false, set_redirect, false},
    {"redirect-if-no-tls", false, false, set_redirect_misspelt, true},
    {"upgrade-scheme", false, false, set_upgrade_scheme, false},
    {"read-timeout", true, false, set_read_timeout, false},
    {"write-timeout", true, false, set_write_timeout, false},
    {"group", true, false, set_group, false},
    {"group-weight", true, false, set_group_weight, false},
    {"weight", true, false, set_weight, false},
    {"affinity-cookie-http-only", false, false, set_cookie_http_only, false},
    {"affinity-cookie-same-site", true, false, set_same_site, false},
    {"affinity-cookie-max-age", true, false, set_max_age, false},
    {"balance", true, false, set_balance, false},
    {"max-conns", true, false, set_max_conns, false},
    {"max-queue", true, false, set_max_queue, false},
    {"queue-timeout", true, false, set_queue_timeout, false},
    {"max-idle", true, false, set_max_idle, false},
    {"warm-up", true, false, set_warm_up, false},
    {"health-path", true, false, set_health_path, false},
    {"health-host", true, false, set_health_host, false},
    {"health-interval", true, false, set_health_interval, false},
    {"health-timeout", true, false, set_health_timeout, false},
    {"health-status", true, false, set_health_status, false},
    {"outlier", true, false, set_outlier, false},
    {"send-proxy", true, false, set_send_proxy, false},
    {"ca", true, false, set_ca, false},
    {"cert", true, false, set_cert, false},
    {"key", true, false, set_key, false},
    {"insecure", false, false, set_insecure, false},
    {"pin", true, false, set_pin, false},
    {"mruby", true, false, warn_of_mruby, false},
    {"dnf", false, false, refuse_dnf, false},
    {NULL, false, false, NULL, false},
};

/* ---------------------------------------------------------------- parameters together */

static bool check_tls(struct cfg_report *r, struct cfg_text t, const struct draft *d)
{
    const struct cfg_backend *b = &d->b;
    if (!b->tls && d->needs_tls.s != NULL) {
        return cfg_error(r, d->needs_tls,
                         "ca, cert, key, insecure and pin are about TLS; expected tls among the "
                         "parameters");
    }
    if (b->send_proxy != CFG_SEND_PROXY_NONE && b->proto == CFG_PROTO_AUTO) {
        return cfg_error(r, t,
                         "send-proxy makes a connection one client's before ALPN has decided; "
                         "expected proto=h2 or proto=http/1.1 with it");
    }
    if (!b->tls && b->proto == CFG_PROTO_AUTO) {
        return cfg_error(r, t,
                         "proto=auto is agreed on by ALPN; expected tls among the parameters");
    }
    if ((b->cert != NULL) != (b->key != NULL)) {
        return cfg_error(r, t, "%s without %s; expected both or neither",
                         b->cert != NULL ? "cert" : "key", b->cert != NULL ? "key" : "cert");
    }
    if (b->ca != NULL && b->insecure) {
        cfg_warning(r, t, "ca has no effect with insecure");
    }
    if (b->upgrade_scheme && !(b->tls && b->proto != CFG_PROTO_HTTP1)) {
        cfg_warning(r, t, "upgrade-scheme has no effect without tls and proto=h2");
    }
    return true;
}

static bool check_affinity(struct cfg_report *r, struct cfg_text t, const struct draft *d)
{
    const struct cfg_backend *b = &d->b;
    if (b->affinity == CFG_AFFINITY_COOKIE && b->cookie_name == NULL) {
        return cfg_error(r, t, "affinity=cookie needs a name; expected affinity-cookie-name=NAME");
    }
    if (b->affinity != CFG_AFFINITY_COOKIE && d->needs_cookie.s != NULL) {
        cfg_warning(r, d->needs_cookie,
                    "what is about a cookie has no effect without affinity=cookie");
    }
    if (b->cookie_same_site == CFG_SAME_SITE_NONE && b->cookie_secure == CFG_COOKIE_SECURE_NO) {
        cfg_warning(r, t,
                    "browsers drop cookies with SameSite=None and without Secure; expected no "
                    "affinity-cookie-secure=no");
    }
    return true;
}

static bool check_health(struct cfg_report *r, struct cfg_text t, struct draft *d)
{
    struct cfg_backend *b = &d->b;
    if (b->health_path == NULL && d->needs_check.s != NULL) {
        return cfg_error(r, d->needs_check,
                         "health-host, -interval, -timeout and -status are about the requests for "
                         "health-path; expected health-path=PATH");
    }
    b->fall = d->fall_said ? b->fall : cfg_default_fall(b);
    b->rise = d->rise_said ? b->rise : cfg_default_rise(b);
    if (b->health_path != NULL && b->nhealth_status == 0 &&
        !cfg_parse_statuses(r, cfg_text("200-399"), &b->health_status, &b->nhealth_status)) {
        return false;
    }
    if (b->fall == 0 && b->health_path != NULL) {
        cfg_warning(r, t, "health-path has no effect with fall=0, which is never offline");
    }
    if (b->fall > 0 && b->rise == 0) {
        cfg_warning(r, t,
                    "fall without rise: once offline, the backend stays so until the next start or "
                    "reload");
    }
    return true;
}

static bool check_limits(struct cfg_report *r, struct cfg_text t, const struct draft *d)
{
    const struct cfg_backend *b = &d->b;
    if (b->max_conns > 0 && b->warm_up > b->max_conns) {
        return cfg_error(r, t, "warm-up=%" PRIu32 " is above max-conns; expected at most %" PRIu32,
                         b->warm_up, b->max_conns);
    }
    if (b->proto == CFG_PROTO_HTTP1 && b->max_idle > 0 && b->warm_up > b->max_idle) {
        return cfg_error(r, t, "warm-up=%" PRIu32 " is above max-idle; expected at most %" PRIu32,
                         b->warm_up, b->max_idle);
    }
    if (b->max_conns == 0 && b->dns == CFG_DNS_NONE && d->needs_limit.s != NULL) {
        cfg_warning(r, d->needs_limit,
                    "max-queue and queue-timeout have no effect without max-conns or dns");
    }
    if (b->proto == CFG_PROTO_HTTP2 && b->max_idle > 0) {
        cfg_warning(r, t, "max-idle has no effect with proto=h2: it is about HTTP/1.1");
    }
    if (b->send_proxy != CFG_SEND_PROXY_NONE && (b->warm_up > 0 || b->max_idle > 0)) {
        cfg_warning(r, t,
                    "warm-up and max-idle have no effect with send-proxy: a connection is of one "
                    "client");
    }
    return true;
}

const char *cfg_service_domain(const char *name)
{
    const char *dot;
    while (name[0] == '_' && (dot = strchr(name, '.')) != NULL && dot[1] != '\0') {
        name = dot + 1;
    }
    return name;
}

/* No certificate has labels such as _https._tcp. */
static bool set_service_sni(struct cfg_report *r, struct cfg_backend *b)
{
    const char *name = cfg_service_domain(b->addr.host);
    bool is_name = strspn(name, "0123456789.") < strlen(name);
    return name == b->addr.host || !is_name || set_text(r, cfg_text(name), &b->sni);
}

static bool check_name(struct cfg_report *r, struct draft *d)
{
    struct cfg_backend *b = &d->b;
    if (b->dns != CFG_DNS_NONE && b->addr.path != NULL) {
        return cfg_error(r, d->needs_name,
                         "a UNIX socket has no name to look up; expected no \"dns\"");
    }
    if (b->dns != CFG_DNS_NONE && cfg_is_numeric(b->addr.host)) {
        if (b->dns == CFG_DNS_SRV) {
            return cfg_error(r, d->needs_name,
                             "an address has no SRV record; expected a name such as "
                             "_http._tcp.example.com");
        }
        cfg_warning(r, d->needs_name, "dns has no effect with an address: there is no name");
    }
    return b->dns != CFG_DNS_SRV || !b->tls || b->sni != NULL || set_service_sni(r, b);
}

/* What must hold between parameters, and what is probably not meant. */
static bool check_params(struct cfg_report *r, struct cfg_text t, struct draft *d)
{
    return check_affinity(r, t, d) && check_health(r, t, d) && check_tls(r, t, d) &&
           check_limits(r, t, d) && check_name(r, d);
}

/* An answer of the program's own has what is about the request, and nothing about a server. */
static bool check_answer_params(struct cfg_report *r, struct cfg_text params)
{
    bool good = true;
    while (params.s != NULL) {
        struct cfg_text param = cfg_cut(&params, ';');
        struct cfg_text name = param;
        const struct cfg_param *row = cfg_param_find(cfg_backend_params, cfg_cut(&name, '='));
        if (row != NULL && row->set != set_redirect && row->set != set_redirect_misspelt) {
            good = cfg_error(r, param,
                             "\"%s\" is about a server, and there is none; expected at most "
                             "redirect-if-not-tls",
                             row->name);
        }
    }
    return good;
}

uint32_t cfg_default_fall(const struct cfg_backend *b)
{
    return b->health_path != NULL ? DEFAULT_FALL : 0;
}

uint32_t cfg_default_rise(const struct cfg_backend *b)
{
    return b->health_path != NULL ? DEFAULT_RISE : 0;
}

bool cfg_default_statuses(const struct cfg_backend *b)
{
    return b->nhealth_status == 0 || (b->nhealth_status == 1 && b->health_status[0].lo == 200 &&
                                      b->health_status[0].hi == 399);
}

/* ---------------------------------------------------------------- the whole */

bool cfg_parse_backend(struct cfg_report *r, struct cfg_text t, struct cfg_backend *out)
{
    struct draft d = {.b = {.weight = 1,
                            .max_queue = CFG_MAX_QUEUE,
                            .queue_timeout = CFG_QUEUE_TIMEOUT,
                            .health_interval = CFG_HEALTH_INTERVAL,
                            .health_timeout = CFG_HEALTH_TIMEOUT}};
    struct cfg_text rest = t;
    struct cfg_text addr = cfg_cut(&rest, ';');
    struct cfg_text patterns =
        rest.s != NULL ? cfg_cut(&rest, ';') : cfg_slice(addr.s + addr.len, 0);
    bool answer = cfg_is_answer(addr);
    bool good =
        answer ? cfg_parse_answer(r, addr, &d.b) : cfg_parse_address(r, addr, false, &d.b.addr);
    good = cfg_parse_patterns(r, patterns, &d.b) && good;
    good = (!answer || check_answer_params(r, rest)) &&
           cfg_params_set(r, rest, cfg_backend_params, &d) && good;
    good = good && (answer || check_params(r, t, &d));
    if (!good) {
        cfg_backend_clear(&d.b);
        return false;
    }
    *out = d.b;
    return true;
}

void cfg_backend_clear(struct cfg_backend *b)
{
    cfg_address_clear(&b->addr);
    for (size_t i = 0; i < b->npatterns; i++) {
        free(b->patterns[i]);
    }
    free(b->patterns);
    free(b->file);
    free(b->body);
    free(b->location);
    free(b->sni);
    free(b->ca);
    free(b->cert);
    free(b->key);
    free(b->pins);
    free(b->health_path);
    free(b->health_host);
    free(b->health_status);
    free(b->group);
    free(b->hash_name);
    free(b->cookie_name);
    free(b->cookie_path);
    *b = (struct cfg_backend){0};
}
