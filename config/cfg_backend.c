/*
 * The value of --backend: ADDR[;PATTERN[:PATTERN]...[;PARAM]...], where an answer of the program's
 * own (cfg_answer.c) may stand in the place of the address.
 */
#include "cfg_params.h"
#include "config_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of a backend with active checks; without them nothing is counted unless it is said. */
#define DEFAULT_FALL 3
#define DEFAULT_RISE 2

/* ---------------------------------------------------------------- parameters */

/* Case counts here, as it does in nghttpx. */
static bool set_proto(struct cfg_report *r, struct cfg_text value, void *what)
{
    for (const struct cfg_choice *c = cfg_proto_choices; c->name != NULL; c++) {
        if (cfg_text_is(value, c->name)) {
            ((struct cfg_backend *)what)->proto = (enum cfg_proto)c->value;
            return true;
        }
    }
    return cfg_error(r, value, "%s is no protocol of a backend; expected h2, http/1.1 or auto",
                     cfg_quote(value).s);
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

/* What is sent in Set-Cookie (RFC 6265, 4.1.1). */
static bool set_affinity_cookie_name(struct cfg_report *r, struct cfg_text value, void *what)
{
    if (!cfg_is_token(value)) {
        return cfg_error(r, value, "%s is no name of a cookie; expected letters, digits and -",
                         cfg_quote(value).s);
    }
    return set_text(r, value, &((struct cfg_backend *)what)->cookie_name);
}

static bool set_affinity_cookie_path(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_check_field_value(r, value) &&
           set_text(r, value, &((struct cfg_backend *)what)->cookie_path);
}

/* Max-Age is in seconds (RFC 6265, 5.2.2). */
static bool set_affinity_cookie_max_age(struct cfg_report *r, struct cfg_text value, void *what)
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
    struct cfg_text value = whole;
    unsigned n = CFG_DNS_ADDRESS;
    cfg_cut(&value, '=');
    if (value.s != NULL && !cfg_parse_choice(r, value, choices, &n)) {
        return false;
    }
    ((struct cfg_backend *)what)->dns = (enum cfg_dns)n;
    return true;
}

static bool set_redirect_misspelt(struct cfg_report *r, struct cfg_text value, void *what)
{
    cfg_warning(r, value, "taken as \"redirect-if-not-tls\", which is the name");
    ((struct cfg_backend *)what)->redirect_if_not_tls = true;
    return true;
}

static bool set_health_path(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_check_target(r, value) &&
           set_text(r, value, &((struct cfg_backend *)what)->health_path);
}

static bool set_health_host(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_check_authority(r, value) &&
           set_text(r, value, &((struct cfg_backend *)what)->health_host);
}

static bool set_health_status(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_backend *b = what;
    return cfg_parse_statuses(r, value, &b->health_status, &b->nhealth_status);
}

static bool set_outlier(struct cfg_report *r, struct cfg_text value, void *what)
{
    return cfg_parse_outlier(r, value, &((struct cfg_backend *)what)->outlier);
}

/* Several add up: the next key is pinned before it is used. */
static bool set_pin(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_backend *b = what;
    uint8_t pin[CFG_PIN_SIZE];
    if (!cfg_parse_pin(r, value, pin)) {
        return false;
    }
    uint8_t *slot = cfg_append(r, &b->pins, &b->npins, sizeof(pin));
    if (slot != NULL) {
        memcpy(slot, pin, sizeof(pin));
    }
    return slot != NULL;
}

static bool warn_of_mruby(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)what;
    cfg_warning(r, value, "it has no effect: there is no scripting");
    return true;
}

/* Without a script nobody would answer. */
static bool refuse_dnf(struct cfg_report *r, struct cfg_text value, void *what)
{
    (void)what;
    return cfg_error(r, value,
                     "it leaves the answer to a script, and there is no scripting; expected a "
                     "backend without it");
}

const struct cfg_param cfg_backend_params[] = {
    CFG_BACKEND_PARAMS,
    {.name = NULL},
};

/* ---------------------------------------------------------------- parameters together */

/* A backend and what stands behind its patterns, so that a fault is shown where it is. */
struct draft {
    struct cfg_backend b;
    struct cfg_text params;
};

static struct cfg_text at(const struct draft *d, const char *name)
{
    return cfg_param_said(d->params, name);
}

/* The first of these names (up to a NULL) that is among the parameters. */
static struct cfg_text at_any(const struct draft *d, const char *const *names)
{
    struct cfg_text said = cfg_slice(NULL, 0);
    for (; said.s == NULL && *names != NULL; names++) {
        said = at(d, *names);
    }
    return said;
}

static bool check_tls(struct cfg_report *r, const struct draft *d)
{
    static const char *const needs_tls[] = {"ca", "cert", "key", "insecure", "pin", NULL};
    const struct cfg_backend *b = &d->b;
    if (!b->tls && at_any(d, needs_tls).s != NULL) {
        return cfg_error(r, at_any(d, needs_tls),
                         "ca, cert, key, insecure and pin are about TLS; expected tls among the "
                         "parameters");
    }
    if (b->send_proxy != CFG_SEND_PROXY_NONE && b->proto == CFG_PROTO_AUTO) {
        return cfg_error(r, at(d, "send-proxy"),
                         "send-proxy makes a connection one client's before ALPN has decided; "
                         "expected proto=h2 or proto=http/1.1 with it");
    }
    if (!b->tls && b->proto == CFG_PROTO_AUTO) {
        return cfg_error(r, at(d, "proto"),
                         "proto=auto is agreed on by ALPN; expected tls among the parameters");
    }
    if ((b->cert != NULL) != (b->key != NULL)) {
        const char *said = b->cert != NULL ? "cert" : "key";
        return cfg_error(r, at(d, said), "%s without %s; expected both or neither", said,
                         b->cert != NULL ? "key" : "cert");
    }
    if (b->ca != NULL && b->insecure) {
        cfg_warning(r, at(d, "ca"), "ca has no effect with insecure");
    }
    if (b->upgrade_scheme && !(b->tls && b->proto != CFG_PROTO_HTTP1)) {
        cfg_warning(r, at(d, "upgrade-scheme"),
                    "upgrade-scheme has no effect without tls and proto=h2 or proto=auto");
    }
    return true;
}

static bool check_affinity(struct cfg_report *r, const struct draft *d)
{
    static const char *const needs_cookie[] = {
        "affinity-cookie-name",      "affinity-cookie-path",
        "affinity-cookie-secure",    "affinity-cookie-stickiness",
        "affinity-cookie-http-only", "affinity-cookie-same-site",
        "affinity-cookie-max-age",   NULL};
    const struct cfg_backend *b = &d->b;
    if (b->affinity == CFG_AFFINITY_COOKIE && b->cookie_name == NULL) {
        return cfg_error(r, at(d, "affinity"),
                         "affinity=cookie needs a name; expected affinity-cookie-name=NAME");
    }
    if (b->affinity != CFG_AFFINITY_COOKIE && at_any(d, needs_cookie).s != NULL) {
        cfg_warning(r, at_any(d, needs_cookie),
                    "what is about a cookie has no effect without affinity=cookie");
    }
    if (b->cookie_same_site == CFG_SAME_SITE_NONE && b->cookie_secure == CFG_COOKIE_SECURE_NO) {
        cfg_warning(r, at(d, "affinity-cookie-secure"),
                    "browsers drop cookies with SameSite=None and without Secure; expected no "
                    "affinity-cookie-secure=no");
    }
    return true;
}

static bool check_health(struct cfg_report *r, struct draft *d)
{
    static const char *const needs_path[] = {"health-host", "health-interval", "health-timeout",
                                             "health-status", NULL};
    struct cfg_backend *b = &d->b;
    if (b->health_path == NULL && at_any(d, needs_path).s != NULL) {
        return cfg_error(r, at_any(d, needs_path),
                         "health-host, -interval, -timeout and -status are about the requests for "
                         "health-path; expected health-path=PATH");
    }
    b->fall = at(d, "fall").s != NULL ? b->fall : cfg_default_fall(b);
    b->rise = at(d, "rise").s != NULL ? b->rise : cfg_default_rise(b);
    if (b->health_path != NULL && b->nhealth_status == 0 &&
        !cfg_parse_statuses(r, cfg_text("200-399"), &b->health_status, &b->nhealth_status)) {
        return false;
    }
    if (b->fall == 0 && b->health_path != NULL) {
        cfg_warning(r, at(d, "fall"),
                    "health-path has no effect with fall=0, which is never offline");
    }
    if (b->fall == 0 && b->rise > 0 && b->health_path == NULL) {
        cfg_warning(r, at(d, "rise"), "rise has no effect without fall: it is never offline");
    }
    if (b->fall > 0 && b->rise == 0) {
        static const char *const either[] = {"rise", "fall", NULL};
        cfg_warning(r, at_any(d, either),
                    "fall without rise: once offline, the backend stays so until the next start or "
                    "reload");
    }
    return true;
}

static bool check_limits(struct cfg_report *r, struct draft *d)
{
    static const char *const shares[] = {"warm-up", "max-idle", NULL};
    struct cfg_backend *b = &d->b;
    b->max_queue_said = at(d, "max-queue").s != NULL;
    b->queue_timeout_said = at(d, "queue-timeout").s != NULL;
    if (b->max_conns > 0 && b->warm_up > b->max_conns) {
        return cfg_error(r, at(d, "warm-up"),
                         "warm-up=%" PRIu32 " is above max-conns; expected at most %" PRIu32,
                         b->warm_up, b->max_conns);
    }
    if (b->proto == CFG_PROTO_HTTP1 && b->max_idle > 0 && b->warm_up > b->max_idle) {
        return cfg_error(r, at(d, "warm-up"),
                         "warm-up=%" PRIu32 " is above max-idle; expected at most %" PRIu32,
                         b->warm_up, b->max_idle);
    }
    if (b->proto == CFG_PROTO_HTTP2 && b->max_idle > 0) {
        cfg_warning(r, at(d, "max-idle"),
                    "max-idle has no effect with proto=h2: it is about HTTP/1.1");
    }
    if (b->send_proxy != CFG_SEND_PROXY_NONE && (b->warm_up > 0 || b->max_idle > 0)) {
        cfg_warning(r, at_any(d, shares),
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
        return cfg_error(r, at(d, "dns"),
                         "a UNIX socket has no name to look up; expected no \"dns\"");
    }
    if (b->dns != CFG_DNS_NONE && cfg_is_numeric(b->addr.host)) {
        if (b->dns == CFG_DNS_SRV) {
            return cfg_error(r, at(d, "dns"),
                             "an address has no SRV record; expected a name such as "
                             "_http._tcp.example.com");
        }
        cfg_warning(r, at(d, "dns"), "dns has no effect with an address: there is no name");
    }
    return b->dns != CFG_DNS_SRV || !b->tls || b->sni != NULL || set_service_sni(r, b);
}

/* What must hold between parameters, and what is probably not meant. */
static bool check_params(struct cfg_report *r, struct draft *d)
{
    return check_affinity(r, d) && check_health(r, d) && check_tls(r, d) && check_limits(r, d) &&
           check_name(r, d);
}

/* An answer of the program's own has what is about the request, and nothing about a server. */
static bool check_answer_params(struct cfg_report *r, struct cfg_text params)
{
    bool good = true;
    while (params.s != NULL) {
        struct cfg_text param = cfg_cut(&params, ';');
        struct cfg_text name = param;
        const struct cfg_param *row = cfg_param_find(cfg_backend_params, cfg_cut(&name, '='));
        if (row != NULL && strncmp(row->name, "redirect-if-no", 14) != 0) {
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
           cfg_params_set(r, rest, cfg_backend_params, &d.b) && good;
    d.params = rest;
    good = good && (answer || check_params(r, &d));
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
