/* What has to hold between options, once all of them are known. */
#include "config_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A host (at most 253 octets) and a port, or a path of a UNIX socket. */
#define ADDRESS_SIZE 320

static void print_address(const struct cfg_address *a, char *out, size_t size)
{
    if (a->path != NULL) {
        snprintf(out, size, "unix:%s", a->path);
    } else {
        snprintf(out, size, "%s,%u", a->host, a->port);
    }
}

static void print_backend(const struct cfg_backend *b, char *out, size_t size)
{
    if (b->kind == CFG_KIND_SERVER) {
        print_address(&b->addr, out, size);
    } else {
        snprintf(out, size, "%s=%u", b->kind == CFG_KIND_RESPOND ? "respond" : "redirect",
                 b->status);
    }
}

/* ---------------------------------------------------------------- frontends */

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

static bool check_pair(struct cfg_report *r, const struct cfg_frontend *f,
                       const struct cfg_frontend *other)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    char addr[ADDRESS_SIZE];
    if (address_order(&f->addr, &other->addr) != 0) {
        return true;
    }
    print_address(&other->addr, addr, sizeof(addr));
    if (f->tls != other->tls) {
        return cfg_error(r, none,
                         "the frontend %s is there twice, with TLS and without; expected one of "
                         "them",
                         addr);
    }
    cfg_warning(r, none, "the frontend %s is there twice; once is enough", addr);
    return true;
}

static bool check_doubles(struct cfg_report *r, const struct config *cfg)
{
    bool good = true;
    const struct cfg_frontend **sorted = malloc((cfg->nfrontend + 1) * sizeof(*sorted));
    if (sorted == NULL) {
        return cfg_out_of_memory(r);
    }
    for (size_t i = 0; i < cfg->nfrontend; i++) {
        sorted[i] = &cfg->frontend[i];
    }
    qsort(sorted, cfg->nfrontend, sizeof(*sorted), by_address);
    for (size_t i = 1; i < cfg->nfrontend; i++) {
        good = check_pair(r, sorted[i - 1], sorted[i]) && good;
    }
    free(sorted);
    return good;
}

static bool check_frontends(struct cfg_report *r, const struct config *cfg)
{
    bool good = check_doubles(r, cfg);
    const struct cfg_frontend *tls = NULL;
    for (size_t i = 0; i < cfg->nfrontend && tls == NULL; i++) {
        tls = cfg->frontend[i].tls ? &cfg->frontend[i] : NULL;
    }
    if (tls != NULL && (cfg->private_key_file == NULL || cfg->certificate_file == NULL)) {
        char addr[ADDRESS_SIZE];
        print_address(&tls->addr, addr, sizeof(addr));
        good = cfg_error(r, cfg_slice(NULL, 0),
                         "the frontend %s has TLS and needs a private key and a certificate; "
                         "expected PRIVATE_KEY CERT on the command line, private-key-file and "
                         "certificate-file in a file, or no-tls",
                         addr);
    }
    return good;
}

/* ---------------------------------------------------------------- backends */

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

/* What the members of a group have said so far. */
struct said {
    const struct cfg_backend *affinity, *balance, *read, *write, *queue, *patience, *weight;
};

static bool disagree(struct cfg_report *r, const char *what, const struct membership *m,
                     const struct cfg_backend *other)
{
    char a[ADDRESS_SIZE], b[ADDRESS_SIZE];
    print_backend(other, a, sizeof(a));
    print_backend(m->backend, b, sizeof(b));
    return cfg_error(r, cfg_slice(NULL, 0),
                     "the backends %s and %s of the pattern %s differ in %s; expected the same in "
                     "all of them that have it",
                     a, b, cfg_quote(cfg_text(m->pattern)).s, what);
}

static bool add_said(struct cfg_report *r, struct said *s, const struct membership *m)
{
    const struct cfg_backend *b = m->backend;
    bool good = true;
    if (b->affinity != CFG_AFFINITY_NONE) {
        s->affinity = s->affinity == NULL ? b : s->affinity;
        good = same_affinity(b, s->affinity) || disagree(r, "affinity", m, s->affinity);
    }
    if (b->balance_said) {
        s->balance = s->balance == NULL ? b : s->balance;
        good = (same_balance(b, s->balance) || disagree(r, "balance", m, s->balance)) && good;
    }
    /* Both say who gets a request; said once, by the one that is new to the other. */
    if ((s->affinity == b || s->balance == b) && s->affinity != NULL && s->balance != NULL) {
        good = cfg_error(r, cfg_slice(NULL, 0),
                         "the backends of the pattern %s have affinity and balance; expected one "
                         "of them",
                         cfg_quote(cfg_text(m->pattern)).s);
    }
    if (b->read_timeout != 0) {
        s->read = s->read == NULL ? b : s->read;
        good =
            (b->read_timeout == s->read->read_timeout || disagree(r, "read-timeout", m, s->read)) &&
            good;
    }
    if (b->write_timeout != 0) {
        s->write = s->write == NULL ? b : s->write;
        good = (b->write_timeout == s->write->write_timeout ||
                disagree(r, "write-timeout", m, s->write)) &&
               good;
    }
    if (b->max_queue != CFG_MAX_QUEUE) {
        s->queue = s->queue == NULL ? b : s->queue;
        good =
            (b->max_queue == s->queue->max_queue || disagree(r, "max-queue", m, s->queue)) && good;
    }
    if (b->queue_timeout != CFG_QUEUE_TIMEOUT) {
        s->patience = s->patience == NULL ? b : s->patience;
        good = (b->queue_timeout == s->patience->queue_timeout ||
                disagree(r, "queue-timeout", m, s->patience)) &&
               good;
    }
    if (b->group_weight != 0) {
        s->weight = s->weight == NULL ? b : s->weight;
        good = (b->group_weight == s->weight->group_weight ||
                disagree(r, "group-weight", m, s->weight)) &&
               good;
    }
    return good;
}

/* There is nothing to share between a server and an answer that is always there. */
static bool check_alone(struct cfg_report *r, const struct membership *m,
                        const struct membership *other)
{
    char a[ADDRESS_SIZE], b[ADDRESS_SIZE];
    if (m->backend->kind == CFG_KIND_SERVER && other->backend->kind == CFG_KIND_SERVER) {
        return true;
    }
    print_backend(other->backend, a, sizeof(a));
    print_backend(m->backend, b, sizeof(b));
    return cfg_error(r, cfg_slice(NULL, 0),
                     "the pattern %s has the backends %s and %s; expected respond or redirect to "
                     "be the only one of a pattern",
                     cfg_quote(cfg_text(m->pattern)).s, a, b);
}

static bool check_groups(struct cfg_report *r, const struct config *cfg)
{
    size_t n = 0;
    for (size_t i = 0; i < cfg->nbackend; i++) {
        n += cfg->backend[i].npatterns;
    }
    struct membership *all = malloc((n + 1) * sizeof(*all));
    if (all == NULL) {
        return cfg_out_of_memory(r);
    }
    n = 0;
    for (size_t i = 0; i < cfg->nbackend; i++) {
        for (size_t j = 0; j < cfg->backend[i].npatterns; j++) {
            all[n++] = (struct membership){cfg->backend[i].patterns[j], &cfg->backend[i]};
        }
    }
    qsort(all, n, sizeof(*all), by_group);
    struct said said = {0};
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        bool same_pattern = i > 0 && strcmp(all[i].pattern, all[i - 1].pattern) == 0;
        if (!same_pattern) {
            said = (struct said){0};
        } else if (!check_alone(r, &all[i], &all[i - 1])) {
            good = false;
        } else if (strcmp(name_of(all[i].backend), name_of(all[i - 1].backend)) != 0) {
            said.weight = NULL;
        }
        good = add_said(r, &said, &all[i]) && good;
    }
    free(all);
    return good;
}

static bool check_backends(struct cfg_report *r, const struct config *cfg)
{
    for (size_t i = 0; i < cfg->nbackend; i++) {
        for (size_t j = 0; j < cfg->backend[i].npatterns; j++) {
            if (strcmp(cfg->backend[i].patterns[j], "/") == 0) {
                return true;
            }
        }
    }
    return cfg_error(r, cfg_slice(NULL, 0),
                     "no backend takes what matches no pattern; expected a catch-all backend, one "
                     "without a pattern, such as backend=127.0.0.1,80");
}

static const char *tls_name(enum cfg_tls_version v)
{
    return v == CFG_TLS_1_3 ? "TLSv1.3" : "TLSv1.2";
}

/* ---------------------------------------------------------------- the rest */

static const char *combined_format(void)
{
    return cfg_option_find(cfg_text("accesslog-format"))->fallback;
}

/* What is allowed, and probably not meant. */
static void warn_of_traps(struct cfg_report *r, const struct config *cfg)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    bool has_log = cfg->accesslog_file != NULL || cfg->accesslog_syslog;
    bool shaped =
        cfg->accesslog_write_early || strcmp(cfg->accesslog_format, combined_format()) != 0;
    if (!has_log && (shaped || cfg->check_config)) {
        cfg_warning(r, none, "there is no access log; it needs accesslog-file or accesslog-syslog");
    }
    if (cfg->accesslog_file != NULL && cfg->accesslog_syslog) {
        cfg_warning(r, none, "accesslog-file has no effect beside accesslog-syslog");
    }
    if ((cfg->client_private_key_file == NULL) != (cfg->client_cert_file == NULL)) {
        cfg_warning(r, none,
                    "client-private-key-file and client-cert-file have no effect without each "
                    "other");
    }
    if (!cfg->verify_client &&
        (cfg->verify_client_cacert != NULL || cfg->verify_client_tolerate_expired)) {
        cfg_warning(r, none, "certificates of clients are not asked for without verify-client");
    }
}

/* --backend-http-proxy-uri: only a connection that speaks HTTP/2 goes through it, and the proxy
 * looks up the names. */
static bool check_proxied(struct cfg_report *r, const struct config *cfg)
{
    bool good = true;
    for (size_t i = 0; cfg->backend_http_proxy_uri.host != NULL && i < cfg->nbackend; i++) {
        const struct cfg_backend *b = &cfg->backend[i];
        char addr[ADDRESS_SIZE];
        if (b->kind != CFG_KIND_SERVER || b->addr.path != NULL || b->proto == CFG_PROTO_HTTP1) {
            continue;
        }
        print_address(&b->addr, addr, sizeof(addr));
        if (b->proto == CFG_PROTO_AUTO || b->dns == CFG_DNS_SRV ||
            b->send_proxy != CFG_SEND_PROXY_NONE) {
            good = cfg_error(r, cfg_slice(NULL, 0),
                             "the backend %s cannot be reached through backend-http-proxy-uri; "
                             "expected proto=h2 or proto=http/1.1, and neither dns=srv nor "
                             "send-proxy",
                             addr);
        } else if (b->dns != CFG_DNS_NONE) {
            cfg_warning(
                r, cfg_slice(NULL, 0),
                "dns of the backend %s has no effect: with backend-http-proxy-uri the proxy "
                "looks the name up",
                addr);
        }
    }
    return good;
}

bool cfg_check(struct cfg_report *r, const struct config *cfg)
{
    bool good = check_frontends(r, cfg);
    good = check_backends(r, cfg) && good;
    good = check_groups(r, cfg) && good;
    good = check_proxied(r, cfg) && good;
    if (cfg->tls_min_proto_version > cfg->tls_max_proto_version) {
        good =
            cfg_error(r, cfg_slice(NULL, 0),
                      "tls-min-proto-version (%s) is above tls-max-proto-version (%s); expected "
                      "the same or lower",
                      tls_name(cfg->tls_min_proto_version), tls_name(cfg->tls_max_proto_version));
    }
    warn_of_traps(r, cfg);
    return good && !r->out_of_memory;
}
