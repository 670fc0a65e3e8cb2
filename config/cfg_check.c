/*
 * What has to hold between options, once all of them are known. A fault is reported where the value
 * was written that it is about; when it is about two, the message says where the other one is.
 */
#include "config_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* From now on faults are about what was written there. */
static struct cfg_text look_at(struct cfg_loader *l, const struct cfg_origin *origin)
{
    l->report.at = origin->at;
    return origin->value;
}

static struct cfg_text look_at_option(struct cfg_loader *l, const char *option)
{
    struct cfg_origin origin = cfg_origin_of(l, option, 0);
    return look_at(l, &origin);
}

static struct cfg_place place_of_option(const struct cfg_loader *l, const char *option)
{
    struct cfg_origin origin = cfg_origin_of(l, option, 0);
    return cfg_place(&origin);
}

/* ---------------------------------------------------------------- frontends */

static struct cfg_origin origin_of_frontend(const struct cfg_loader *l,
                                            const struct cfg_frontend *f)
{
    return cfg_origin_of(l, "frontend", (size_t)(f - l->cfg->frontend));
}

static int address_order(const struct cfg_address *a, const struct cfg_address *b)
{
    bool a_unix = a->path != NULL, b_unix = b->path != NULL;
    if (a_unix || b_unix) {
        return a_unix && b_unix ? strcmp(a->path, b->path) : a_unix ? 1 : -1;
    }
    int d = strcasecmp(a->host, b->host);
    return d != 0 ? d : (int)a->port - (int)b->port;
}

static int by_address(const void *a, const void *b)
{
    const struct cfg_frontend *x = *(const struct cfg_frontend *const *)a;
    const struct cfg_frontend *y = *(const struct cfg_frontend *const *)b;
    int d = address_order(&x->addr, &y->addr);
    return d != 0 ? d : x < y ? -1 : 1;
}

static bool check_pair(struct cfg_loader *l, const struct cfg_frontend *first,
                       const struct cfg_frontend *again)
{
    if (address_order(&first->addr, &again->addr) != 0) {
        return true;
    }
    struct cfg_origin other = origin_of_frontend(l, first), origin = origin_of_frontend(l, again);
    struct cfg_text where = look_at(l, &origin);
    if (first->tls != again->tls) {
        return cfg_error(&l->report, where,
                         "the frontend %s is there twice (%s), with TLS and without; expected one "
                         "of them",
                         cfg_show_address(&again->addr).s, cfg_place(&other).s);
    }
    cfg_warning(&l->report, where, "the frontend %s is there twice (%s); once is enough",
                cfg_show_address(&again->addr).s, cfg_place(&other).s);
    return true;
}

static bool check_doubles(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    bool good = true;
    const struct cfg_frontend **sorted = malloc((cfg->nfrontend + 1) * sizeof(*sorted));
    if (sorted == NULL) {
        return cfg_out_of_memory(&l->report);
    }
    for (size_t i = 0; i < cfg->nfrontend; i++) {
        sorted[i] = &cfg->frontend[i];
    }
    qsort(sorted, cfg->nfrontend, sizeof(*sorted), by_address);
    for (size_t i = 1; i < cfg->nfrontend; i++) {
        good = check_pair(l, sorted[i - 1], sorted[i]) && good;
    }
    free(sorted);
    return good;
}

static bool check_frontends(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    bool good = check_doubles(l);
    const struct cfg_frontend *tls = NULL;
    for (size_t i = 0; i < cfg->nfrontend && tls == NULL; i++) {
        tls = cfg->frontend[i].tls ? &cfg->frontend[i] : NULL;
    }
    if (tls != NULL && (cfg->private_key_file == NULL || cfg->certificate_file == NULL)) {
        struct cfg_origin origin = origin_of_frontend(l, tls);
        good = cfg_error(&l->report, look_at(l, &origin),
                         "the frontend %s has TLS and needs a private key and a certificate; "
                         "expected PRIVATE_KEY CERT on the command line, private-key-file and "
                         "certificate-file in a file, or no-tls",
                         cfg_show_address(&tls->addr).s);
    }
    return good;
}

/* ---------------------------------------------------------------- groups */

static struct cfg_origin origin_of_backend(const struct cfg_loader *l, const struct cfg_backend *b)
{
    return cfg_origin_of(l, "backend", (size_t)(b - l->cfg->backend));
}

static struct cfg_shown show_backend(const struct cfg_backend *b)
{
    struct cfg_shown shown;
    if (b->kind == CFG_KIND_SERVER) {
        return cfg_show_address(&b->addr);
    }
    snprintf(shown.s, sizeof(shown.s), "%s=%u",
             b->kind == CFG_KIND_RESPOND ? "respond" : "redirect", b->status);
    return shown;
}

/* What is behind the address (and the patterns). */
static struct cfg_text params_of(struct cfg_text value)
{
    (void)cfg_cut(&value, ';');
    if (value.s != NULL) {
        (void)cfg_cut(&value, ';');
    }
    return value;
}

/* Where a parameter stands; the whole value when it does not. */
static struct cfg_text param_or_all(struct cfg_text value, const char *name)
{
    struct cfg_text param = cfg_param_said(params_of(value), name);
    return param.s != NULL ? param : value;
}

/* A backend in one of its groups. */
struct membership {
    const char *pattern;
    const struct cfg_backend *backend;
};

static const char *name_of(const struct cfg_backend *b)
{
    return b->group != NULL ? b->group : "";
}

/* Those of a pattern together, and among them those of a group; in the order of the file else. */
static int by_group(const void *a, const void *b)
{
    const struct membership *x = a, *y = b;
    int d = strcmp(x->pattern, y->pattern);
    d = d != 0 ? d : strcmp(name_of(x->backend), name_of(y->backend));
    return d != 0 ? d : x->backend < y->backend ? -1 : 1;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_affinity(const struct cfg_backend *a, const struct cfg_backend *b)
{
    return a->affinity == b->affinity && same_text(a->cookie_name, b->cookie_name) &&
           same_text(a->cookie_path, b->cookie_path) && a->cookie_secure == b->cookie_secure &&
           a->cookie_stickiness == b->cookie_stickiness &&
           a->cookie_http_only == b->cookie_http_only &&
           a->cookie_same_site == b->cookie_same_site && a->cookie_max_age == b->cookie_max_age;
}

static bool same_balance(const struct cfg_backend *a, const struct cfg_backend *b)
{
    return a->balance == b->balance && a->hash == b->hash && same_text(a->hash_name, b->hash_name);
}

static bool same_read_timeout(const struct cfg_backend *a, const struct cfg_backend *b)
{
    return a->read_timeout == b->read_timeout;
}

static bool same_write_timeout(const struct cfg_backend *a, const struct cfg_backend *b)
{
    return a->write_timeout == b->write_timeout;
}

static bool same_max_queue(const struct cfg_backend *a, const struct cfg_backend *b)
{
    return a->max_queue == b->max_queue;
}

static bool same_queue_timeout(const struct cfg_backend *a, const struct cfg_backend *b)
{
    return a->queue_timeout == b->queue_timeout;
}

static bool same_group_weight(const struct cfg_backend *a, const struct cfg_backend *b)
{
    return a->group_weight == b->group_weight;
}

/* What belongs to a pattern, or to a group of one: whoever says it says the same. */
enum { AFFINITY, BALANCE, MAX_QUEUE = 4, QUEUE_TIMEOUT, GROUP_WEIGHT, NRULES };
static const struct {
    const char *name;
    bool (*same)(const struct cfg_backend *a, const struct cfg_backend *b);
} rules[NRULES] = {
    [AFFINITY] = {"affinity", same_affinity},
    [BALANCE] = {"balance", same_balance},
    {"read-timeout", same_read_timeout},
    {"write-timeout", same_write_timeout},
    [MAX_QUEUE] = {"max-queue", same_max_queue},
    [QUEUE_TIMEOUT] = {"queue-timeout", same_queue_timeout},
    [GROUP_WEIGHT] = {"group-weight", same_group_weight},
};

/* Of time-outs and weights 0 is not said. */
static bool says(const struct cfg_backend *b, size_t rule)
{
    static const struct cfg_backend unsaid = {.max_queue = 0};
    return rule == BALANCE         ? b->balance_said
           : rule == AFFINITY      ? b->affinity != CFG_AFFINITY_NONE
           : rule == MAX_QUEUE     ? b->max_queue_said
           : rule == QUEUE_TIMEOUT ? b->queue_timeout_said
                                   : !rules[rule].same(b, &unsaid);
}

static bool check_member(struct cfg_loader *l, const struct cfg_backend *said[NRULES],
                         const struct membership *m)
{
    const struct cfg_backend *b = m->backend;
    const struct cfg_origin origin = origin_of_backend(l, b);
    struct cfg_text value = look_at(l, &origin);
    struct cfg_quoted pattern = cfg_quote(cfg_text(m->pattern));
    bool good = true;
    for (size_t i = 0; i < NRULES; i++) {
        if (!says(b, i)) {
            continue;
        }
        said[i] = said[i] == NULL ? b : said[i];
        if (!rules[i].same(b, said[i])) {
            struct cfg_origin other = origin_of_backend(l, said[i]);
            good = cfg_error(&l->report, param_or_all(value, rules[i].name),
                             "the backends %s and %s (%s) of the pattern %s differ in %s; expected "
                             "the same in all of them that have it",
                             show_backend(b).s, show_backend(said[i]).s, cfg_place(&other).s,
                             pattern.s, rules[i].name);
        }
    }
    /* Both say who gets a request; said once, by the one that is new to the other. */
    const struct cfg_backend *affinity = said[AFFINITY], *balance = said[BALANCE];
    if ((affinity == b || balance == b) && affinity != NULL && balance != NULL) {
        struct cfg_origin other = origin_of_backend(l, affinity == b ? balance : affinity);
        good = cfg_error(&l->report, param_or_all(value, affinity == b ? "affinity" : "balance"),
                         "the backends of the pattern %s have affinity and balance (%s); expected "
                         "one of them",
                         pattern.s, cfg_place(&other).s);
    }
    return good;
}

/* There is nothing to share between a server and an answer that is always there. */
static bool check_alone(struct cfg_loader *l, const struct membership *m,
                        const struct membership *before)
{
    if (m->backend->kind == CFG_KIND_SERVER && before->backend->kind == CFG_KIND_SERVER) {
        return true;
    }
    struct cfg_origin origin = origin_of_backend(l, m->backend);
    struct cfg_origin other = origin_of_backend(l, before->backend);
    return cfg_error(&l->report, look_at(l, &origin),
                     "the pattern %s has the backends %s and %s (%s); expected respond or redirect "
                     "to be the only one of a pattern",
                     cfg_quote(cfg_text(m->pattern)).s, show_backend(m->backend).s,
                     show_backend(before->backend).s, cfg_place(&other).s);
}

/* What the `n` backends of a pattern say in vain. A single line does not tell: another one may have
 * what is needed, or what forbids it. */
static void warn_of_pattern(struct cfg_loader *l, const struct membership *all, size_t n)
{
    const struct cfg_backend *affinity = NULL;
    bool may_wait = false;
    for (size_t i = 0; i < n; i++) {
        const struct cfg_backend *b = all[i].backend;
        affinity = affinity == NULL && b->affinity != CFG_AFFINITY_NONE ? b : affinity;
        may_wait = may_wait || b->max_conns > 0 || b->dns != CFG_DNS_NONE;
    }
    struct cfg_quoted pattern = cfg_quote(cfg_text(all[0].pattern));
    for (size_t i = 0; i < n; i++) {
        const struct cfg_backend *b = all[i].backend;
        struct cfg_origin origin = origin_of_backend(l, b);
        struct cfg_text value = look_at(l, &origin);
        if (!may_wait && (b->max_queue_said || b->queue_timeout_said)) {
            cfg_warning(&l->report,
                        param_or_all(value, b->max_queue_said ? "max-queue" : "queue-timeout"),
                        "max-queue and queue-timeout have no effect for the pattern %s: none of "
                        "its backends has max-conns or dns",
                        pattern.s);
        }
        if (affinity != NULL && (b->weight > 1 || b->group_weight > 1)) {
            struct cfg_origin other = origin_of_backend(l, affinity);
            cfg_warning(&l->report, param_or_all(value, b->weight > 1 ? "weight" : "group-weight"),
                        "weight and group-weight have no effect for the pattern %s, whose backends "
                        "have affinity (%s)",
                        pattern.s, cfg_place(&other).s);
        }
    }
}

static bool check_sorted(struct cfg_loader *l, const struct membership *all, size_t n)
{
    const struct cfg_backend *said[NRULES] = {NULL};
    bool good = true;
    size_t first = 0; /* of its pattern */
    for (size_t i = 0; i < n; i++) {
        bool same_pattern = i > 0 && strcmp(all[i].pattern, all[i - 1].pattern) == 0;
        first = same_pattern ? first : i;
        if (!same_pattern) {
            memset(said, 0, sizeof(said));
        } else if (!check_alone(l, &all[i], &all[i - 1])) {
            good = false;
        } else if (strcmp(name_of(all[i].backend), name_of(all[i - 1].backend)) != 0) {
            said[GROUP_WEIGHT] = NULL;
        }
        good = check_member(l, said, &all[i]) && good;
        if (i + 1 == n || strcmp(all[i].pattern, all[i + 1].pattern) != 0) {
            warn_of_pattern(l, all + first, i + 1 - first);
        }
    }
    return good;
}

static bool check_groups(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    size_t n = 0;
    for (size_t i = 0; i < cfg->nbackend; i++) {
        n += cfg->backend[i].npatterns;
    }
    struct membership *all = malloc((n + 1) * sizeof(*all));
    if (all == NULL) {
        return cfg_out_of_memory(&l->report);
    }
    n = 0;
    for (size_t i = 0; i < cfg->nbackend; i++) {
        for (size_t j = 0; j < cfg->backend[i].npatterns; j++) {
            all[n++] = (struct membership){cfg->backend[i].patterns[j], &cfg->backend[i]};
        }
    }
    qsort(all, n, sizeof(*all), by_group);
    bool good = check_sorted(l, all, n);
    free(all);
    return good;
}

/* ---------------------------------------------------------------- backends */

/* Reported where the last backend is, behind which one more would stand. */
static bool check_catch_all(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    for (size_t i = 0; i < cfg->nbackend; i++) {
        for (size_t j = 0; j < cfg->backend[i].npatterns; j++) {
            if (strcmp(cfg->backend[i].patterns[j], "/") == 0) {
                return true;
            }
        }
    }
    assert(cfg->nbackend > 0); /* the default, if nothing else */
    struct cfg_origin last = origin_of_backend(l, &cfg->backend[cfg->nbackend - 1]);
    return cfg_error(&l->report, look_at(l, &last),
                     "no backend takes what matches no pattern; expected a catch-all backend, one "
                     "without a pattern, such as backend=127.0.0.1,80");
}

/* --backend-http-proxy-uri: only a connection that speaks HTTP/2 goes through it, and the proxy
 * looks up the names. */
static bool check_proxied(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    bool good = true;
    for (size_t i = 0; cfg->backend_http_proxy_uri.host != NULL && i < cfg->nbackend; i++) {
        const struct cfg_backend *b = &cfg->backend[i];
        if (b->kind != CFG_KIND_SERVER || b->addr.path != NULL || b->proto == CFG_PROTO_HTTP1) {
            continue;
        }
        struct cfg_origin origin = origin_of_backend(l, b);
        struct cfg_text value = look_at(l, &origin);
        const char *reason = b->proto == CFG_PROTO_AUTO             ? "proto"
                             : b->dns == CFG_DNS_SRV                ? "dns"
                             : b->send_proxy != CFG_SEND_PROXY_NONE ? "send-proxy"
                                                                    : NULL;
        if (reason != NULL) {
            good = cfg_error(&l->report, param_or_all(value, reason),
                             "the backend %s cannot be reached through backend-http-proxy-uri "
                             "(%s); expected proto=h2 or proto=http/1.1, and neither dns=srv nor "
                             "send-proxy",
                             cfg_show_address(&b->addr).s,
                             place_of_option(l, "backend-http-proxy-uri").s);
        } else if (b->dns != CFG_DNS_NONE) {
            cfg_warning(&l->report, param_or_all(value, "dns"),
                        "dns of the backend %s has no effect: with backend-http-proxy-uri (%s) the "
                        "proxy looks the name up",
                        cfg_show_address(&b->addr).s,
                        place_of_option(l, "backend-http-proxy-uri").s);
        }
    }
    return good;
}

/* Connections that are closed at once, or that there is no room for. */
static void warn_of_warm_up(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    for (size_t i = 0; i < cfg->nbackend; i++) {
        const struct cfg_backend *b = &cfg->backend[i];
        if (b->warm_up == 0 || b->send_proxy != CFG_SEND_PROXY_NONE) {
            continue; /* the latter is warned of with its line */
        }
        struct cfg_origin origin = origin_of_backend(l, b);
        struct cfg_text where = param_or_all(look_at(l, &origin), "warm-up");
        if (b->proto == CFG_PROTO_HTTP1 && cfg->backend_keep_alive_timeout == 0) {
            cfg_warning(&l->report, where,
                        "warm-up has no effect with backend-keep-alive-timeout=0 (%s): no idle "
                        "HTTP/1.1 connection is kept",
                        place_of_option(l, "backend-keep-alive-timeout").s);
        } else if (b->max_conns > 0 && b->warm_up * cfg->workers > b->max_conns) {
            cfg_warning(&l->report, where,
                        "warm-up=%" PRIu32 " in each of %" PRIu64 " workers (%s) is above "
                        "max-conns=%" PRIu32 "; no more than that are opened",
                        b->warm_up, cfg->workers, place_of_option(l, "workers").s, b->max_conns);
        }
    }
}

/* ---------------------------------------------------------------- the rest */

static const char *tls_name(enum cfg_tls_version v)
{
    return v == CFG_TLS_1_3 ? "TLSv1.3" : "TLSv1.2";
}

static bool check_tls_versions(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    if (cfg->tls_min_proto_version <= cfg->tls_max_proto_version) {
        return true;
    }
    return cfg_error(&l->report, look_at_option(l, "tls-min-proto-version"),
                     "tls-min-proto-version (%s) is above tls-max-proto-version (%s, %s); expected "
                     "the same or lower",
                     tls_name(cfg->tls_min_proto_version), tls_name(cfg->tls_max_proto_version),
                     place_of_option(l, "tls-max-proto-version").s);
}

static void warn_of_logs(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    bool has_log = cfg->accesslog_file != NULL || cfg->accesslog_syslog;
    const char *combined = cfg_option_find(cfg_text("accesslog-format"))->fallback;
    const char *shaped = cfg->accesslog_write_early                     ? "accesslog-write-early"
                         : strcmp(cfg->accesslog_format, combined) != 0 ? "accesslog-format"
                                                                        : NULL;
    if (!has_log && (shaped != NULL || cfg->check_config)) {
        /* What is not there has no place but the configuration. */
        struct cfg_text where = look_at_option(l, shaped != NULL ? shaped : "accesslog-file");
        cfg_warning(&l->report, where,
                    "there is no access log; it needs accesslog-file or accesslog-syslog");
    }
    if (cfg->accesslog_file != NULL && cfg->accesslog_syslog) {
        cfg_warning(&l->report, look_at_option(l, "accesslog-file"),
                    "accesslog-file has no effect beside accesslog-syslog (%s)",
                    place_of_option(l, "accesslog-syslog").s);
    }
}

/* What is allowed, and probably not meant. */
static void warn_of_traps(struct cfg_loader *l)
{
    const struct config *cfg = l->cfg;
    warn_of_logs(l);
    warn_of_warm_up(l);
    if ((cfg->client_private_key_file == NULL) != (cfg->client_cert_file == NULL)) {
        struct cfg_text where =
            look_at_option(l, cfg->client_private_key_file != NULL ? "client-private-key-file"
                                                                   : "client-cert-file");
        cfg_warning(&l->report, where,
                    "client-private-key-file and client-cert-file have no effect without each "
                    "other");
    }
    if (!cfg->verify_client &&
        (cfg->verify_client_cacert != NULL || cfg->verify_client_tolerate_expired)) {
        struct cfg_text where =
            look_at_option(l, cfg->verify_client_cacert != NULL ? "verify-client-cacert"
                                                                : "verify-client-tolerate-expired");
        cfg_warning(&l->report, where,
                    "certificates of clients are not asked for without verify-client");
    }
}

bool cfg_check(struct cfg_loader *l)
{
    bool good = check_frontends(l);
    good = check_catch_all(l) && good;
    good = check_groups(l) && good;
    good = check_proxied(l) && good;
    good = check_tls_versions(l) && good;
    warn_of_traps(l);
    return good && !l->report.out_of_memory;
}
