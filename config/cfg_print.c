/*
 * --print-config: the snapshot as a file that loads to the same. Each option that has a value has a
 * line; one that has none is left out, for there is no way to write that.
 */
#include "cfg_params.h"
#include "config_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_set(const struct cfg_choice *choices, unsigned set, FILE *out)
{
    const char *comma = "";
    for (; choices->name != NULL; choices++) {
        if ((set & choices->value) != 0) {
            fprintf(out, "%s%s", comma, choices->name);
            comma = ",";
        }
    }
}

/* With the largest unit that leaves no fraction. */
static void print_size(uint64_t n, FILE *out)
{
    static const char units[] = {0, 'K', 'M', 'G'};
    size_t unit = 0;
    while (n > 0 && n % 1024 == 0 && unit + 1 < sizeof(units)) {
        n /= 1024;
        unit++;
    }
    fprintf(out, "%" PRIu64, n);
    if (unit > 0) {
        putc(units[unit], out);
    }
}

static void print_duration(uint64_t ms, FILE *out)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (ms == 0 || ms % units[i].ms != 0) {
        if (ms == 0) {
            putc('0', out);
            return;
        }
        i++;
    }
    fprintf(out, "%" PRIu64 "%s", ms / units[i].ms, units[i].unit);
}

static void print_frontend(const struct cfg_frontend *f, FILE *out)
{
    fputs(cfg_show_address(&f->addr).s, out);
    fputs(f->tls ? ";tls" : ";no-tls", out);
    fputs(f->sni_fwd ? ";sni-fwd" : "", out);
    fputs(f->service == CFG_SERVICE_API         ? ";api"
          : f->service == CFG_SERVICE_HEALTHMON ? ";healthmon"
                                                : "",
          out);
    fputs(f->proxyproto && f->nproxyproto_from == 0 ? ";proxyproto" : "", out);
    for (size_t i = 0; i < f->nproxyproto_from; i++) {
        fputs(i == 0 ? ";proxyproto-from=" : ",", out);
        cfg_print_cidr(&f->proxyproto_from[i], out);
    }
}

/* A colon separates patterns, so inside one it is written as %3A. */
static void print_pattern(const char *pattern, FILE *out)
{
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == ':') {
            fputs("%3A", out);
        } else {
            putc(*p, out);
        }
    }
}

/* What is the default is left out. */
static void print_timeout(const char *name, uint64_t ms, uint64_t fallback, FILE *out)
{
    if (ms != fallback) {
        fprintf(out, ";%s=", name);
        print_duration(ms, out);
    }
}

static void print_count(const char *name, uint32_t n, uint32_t fallback, FILE *out)
{
    if (n != fallback) {
        fprintf(out, ";%s=%" PRIu32, name, n);
    }
}

static void print_text(const char *name, const char *text, FILE *out)
{
    if (text != NULL) {
        fprintf(out, ";%s=%s", name, text);
    }
}

static void print_affinity(const struct cfg_backend *b, FILE *out)
{
    if (b->affinity != CFG_AFFINITY_NONE) {
        print_text("affinity", cfg_choice_name(cfg_affinity_choices, b->affinity), out);
    }
    print_text("affinity-cookie-name", b->cookie_name, out);
    print_text("affinity-cookie-path", b->cookie_path, out);
    if (b->cookie_secure != CFG_COOKIE_SECURE_AUTO) {
        print_text("affinity-cookie-secure",
                   cfg_choice_name(cfg_cookie_secure_choices, b->cookie_secure), out);
    }
    if (b->cookie_stickiness != CFG_STICKINESS_LOOSE) {
        print_text("affinity-cookie-stickiness",
                   cfg_choice_name(cfg_stickiness_choices, b->cookie_stickiness), out);
    }
    fputs(b->cookie_http_only ? ";affinity-cookie-http-only" : "", out);
    print_text("affinity-cookie-same-site",
               cfg_choice_name(cfg_same_site_choices, b->cookie_same_site), out);
    print_timeout("affinity-cookie-max-age", b->cookie_max_age, 0, out);
}

void cfg_print_balance(const struct cfg_backend *b, FILE *out)
{
    static const char *const names[] = {"round-robin", "least-conn", "p2c", "hash"};
    static const char *const hashes[] = {":uri", ":header:", ":cookie:"};
    fputs(names[b->balance], out);
    if (b->balance == CFG_BALANCE_HASH) {
        fprintf(out, "%s%s", hashes[b->hash], b->hash_name != NULL ? b->hash_name : "");
    }
}

void cfg_print_statuses(const struct cfg_backend *b, FILE *out)
{
    for (size_t i = 0; i < b->nhealth_status; i++) {
        const struct cfg_status_range *s = &b->health_status[i];
        fprintf(out, s->lo == s->hi ? "%s%u" : "%s%u-%u", i == 0 ? "" : ",", s->lo, s->hi);
    }
}

static void print_health(const struct cfg_backend *b, FILE *out)
{
    print_count("fall", b->fall, cfg_default_fall(b), out);
    print_count("rise", b->rise, cfg_default_rise(b), out);
    if (b->health_path != NULL) {
        fprintf(out, ";health-path=%s", b->health_path);
        print_text("health-host", b->health_host, out);
        print_timeout("health-interval", b->health_interval, CFG_HEALTH_INTERVAL, out);
        print_timeout("health-timeout", b->health_timeout, CFG_HEALTH_TIMEOUT, out);
        if (!cfg_default_statuses(b)) {
            fputs(";health-status=", out);
            cfg_print_statuses(b, out);
        }
    }
    if (b->outlier > 0) {
        fprintf(out, ";outlier=5xx:%" PRIu32, b->outlier);
    }
}

static void print_connections(const struct cfg_backend *b, FILE *out)
{
    print_count("max-conns", b->max_conns, 0, out);
    if (b->max_queue_said) {
        fprintf(out, ";max-queue=%" PRIu32, b->max_queue);
    }
    print_timeout("queue-timeout", b->queue_timeout_said ? b->queue_timeout : 0, 0, out);
    print_count("max-idle", b->max_idle, 0, out);
    print_count("warm-up", b->warm_up, 0, out);
    print_text("send-proxy", cfg_choice_name(cfg_send_proxy_choices, b->send_proxy), out);
}

static void print_tls(const struct cfg_backend *b, FILE *out)
{
    fputs(b->tls ? ";tls" : "", out);
    print_text("sni", b->sni, out);
    print_text("ca", b->ca, out);
    print_text("cert", b->cert, out);
    print_text("key", b->key, out);
    fputs(b->insecure ? ";insecure" : "", out);
    for (size_t i = 0; i < b->npins; i++) {
        fputs(";pin=", out);
        cfg_print_pin(b->pins[i], out);
    }
}

static void print_answer(const struct cfg_backend *b, FILE *out)
{
    fprintf(out, "%s=%u", b->kind == CFG_KIND_RESPOND ? "respond" : "redirect", b->status);
    const char *second = b->kind == CFG_KIND_RESPOND ? b->file : b->location;
    if (second != NULL) {
        fprintf(out, ",%s", second);
    }
}

static void print_backend(const struct cfg_backend *b, FILE *out)
{
    if (b->kind == CFG_KIND_SERVER) {
        fputs(cfg_show_address(&b->addr).s, out);
    } else {
        print_answer(b, out);
    }
    for (size_t i = 0; i < b->npatterns; i++) {
        putc(i == 0 ? ';' : ':', out);
        print_pattern(b->patterns[i], out);
    }
    fputs(b->redirect_if_not_tls ? ";redirect-if-not-tls" : "", out);
    if (b->kind != CFG_KIND_SERVER) {
        return;
    }
    print_text("proto", cfg_choice_name(cfg_proto_choices, b->proto), out);
    print_tls(b, out);
    print_health(b, out);
    if (b->balance_said) {
        fputs(";balance=", out);
        cfg_print_balance(b, out);
    }
    print_affinity(b, out);
    fputs(b->dns == CFG_DNS_SRV ? ";dns=srv" : b->dns == CFG_DNS_ADDRESS ? ";dns" : "", out);
    fputs(b->upgrade_scheme ? ";upgrade-scheme" : "", out);
    print_connections(b, out);
    print_timeout("read-timeout", b->read_timeout, 0, out);
    print_timeout("write-timeout", b->write_timeout, 0, out);
    print_text("group", b->group, out);
    print_count("group-weight", b->group_weight, 0, out);
    print_count("weight", b->weight, 1, out);
}

static void print_altsvc(const struct cfg_altsvc *a, FILE *out)
{
    const char *parts[] = {a->host, a->origin, a->params};
    size_t n = 3;
    while (n > 0 && parts[n - 1] == NULL) {
        n--;
    }
    fprintf(out, "%s,%u", a->protocol, a->port);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, ",%s", parts[i] != NULL ? parts[i] : "");
    }
}

/* What is not unreserved is percent-encoded (RFC 3986, 3.2.1), but the colon. */
static void print_userinfo(const char *s, FILE *out)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~:", c) != NULL;
        fprintf(out, plain ? "%c" : "%%%02X", c);
    }
}

static void print_proxy_uri(const struct cfg_proxy_uri *u, FILE *out)
{
    bool v6 = strchr(u->host, ':') != NULL;
    fputs("http://", out);
    if (u->userinfo != NULL) {
        print_userinfo(u->userinfo, out);
        putc('@', out);
    }
    fprintf(out, v6 ? "[%s]:%u" : "%s:%u", u->host, u->port);
}

static void print_compound(enum cfg_type type, const void *at, FILE *out)
{
    const struct cfg_header *header = at;
    const struct cfg_error_page *page = at;
    const struct cfg_subcert *pair = at;
    const struct cfg_memcached *memcached = at;
    switch (type) {
    case CFG_TYPE_FRONTEND:
        print_frontend(at, out);
        break;
    case CFG_TYPE_BACKEND:
        print_backend(at, out);
        break;
    case CFG_TYPE_REQUEST_HEADER:
    case CFG_TYPE_RESPONSE_HEADER:
        fprintf(out, "%s: %s", header->name, header->value);
        break;
    case CFG_TYPE_ERROR_PAGE:
        if (page->code != 0) {
            fprintf(out, "%u", page->code);
        } else {
            putc('*', out);
        }
        fprintf(out, "=%s", page->path);
        break;
    case CFG_TYPE_SUBCERT:
        fprintf(out, "%s:%s", pair->key, pair->cert);
        if (pair->sct_dir != NULL) {
            fprintf(out, ";sct-dir=%s", pair->sct_dir);
        }
        break;
    case CFG_TYPE_ALTSVC:
        print_altsvc(at, out);
        break;
    case CFG_TYPE_PATH_LIST:
        fputs(*(char *const *)at, out);
        break;
    case CFG_TYPE_MEMCACHED:
        fputs(cfg_show_address(&memcached->addr).s, out);
        fputs(memcached->tls ? ";tls" : "", out);
        break;
    case CFG_TYPE_PROXY_URI:
        print_proxy_uri(at, out);
        break;
    default:
        assert(type == CFG_TYPE_PSK_FILE);
        fputs(((const struct cfg_psk_file *)at)->path, out);
    }
}

void cfg_print_value(const struct cfg_option *o, const void *element, FILE *out)
{
    unsigned choice;
    if (cfg_option_is_text(o)) {
        fputs(*(char *const *)element, out);
        return;
    }
    switch (o->type) {
    case CFG_TYPE_BOOL:
        fputs(*(const bool *)element ? "yes" : "no", out);
        break;
    case CFG_TYPE_NUMBER:
        fprintf(out, "%" PRIu64, *(const uint64_t *)element);
        break;
    case CFG_TYPE_SIZE:
        print_size(*(const uint64_t *)element, out);
        break;
    case CFG_TYPE_DURATION:
        print_duration(*(const uint64_t *)element, out);
        break;
    case CFG_TYPE_ENUM:
        memcpy(&choice, element, sizeof(choice));
        fputs(cfg_choice_name(o->choices, choice), out);
        break;
    case CFG_TYPE_SET:
        print_set(o->choices, *(const unsigned *)element, out);
        break;
    default:
        print_compound(o->type, element, out);
    }
}

size_t cfg_print_count(const struct config *cfg, const struct cfg_option *o)
{
    const void *at = cfg_option_member(cfg, o);
    if (cfg_option_is_text(o)) {
        return *(char *const *)at != NULL;
    }
    switch (o->type) {
    case CFG_TYPE_SET:
        return *(const unsigned *)at != 0;
    case CFG_TYPE_MEMCACHED:
        return ((const struct cfg_memcached *)at)->addr.host != NULL;
    case CFG_TYPE_PROXY_URI:
        return ((const struct cfg_proxy_uri *)at)->host != NULL;
    case CFG_TYPE_PSK_FILE:
        return ((const struct cfg_psk_file *)at)->path != NULL;
    default:
        return !cfg_option_repeatable(o)
                   ? 1
                   : *(const size_t *)(const void *)((const char *)cfg + o->count_offset);
    }
}

const void *cfg_print_element(const struct config *cfg, const struct cfg_option *o, size_t i)
{
    const void *at = cfg_option_member(cfg, o);
    if (!cfg_option_repeatable(o)) {
        assert(i == 0);
        return at;
    }
    return *(char *const *)at + i * cfg_compound_of(o->type)->size;
}

static void print_file(const struct config *cfg, FILE *out)
{
    const char *group = "";
    fputs("# The configuration as it takes effect.\n", out);
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (!cfg_option_has_member(o) || o->only_in_args) {
            continue;
        }
        size_t n = cfg_print_count(cfg, o);
        if (n > 0 && strcmp(group, o->group) != 0) {
            group = o->group;
            fprintf(out, "\n# %s\n", group);
        }
        for (size_t j = 0; j < n; j++) {
            fprintf(out, "%s=", o->name);
            cfg_print_value(o, cfg_print_element(cfg, o, j), out);
            putc('\n', out);
        }
    }
}

bool cfg_print(const struct config *cfg, enum cfg_format format, FILE *out)
{
    if (format == CFG_FORMAT_JSON) {
        return cfg_print_json(cfg, out);
    }
    print_file(cfg, out);
    return fflush(out) == 0 && !ferror(out);
}
