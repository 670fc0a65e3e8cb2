/*
 * The snapshot, and what a check has found, as JSON. docs/compatibility.md describes both.
 *
 * JSON is Unicode and a path is any octets: what is no UTF-8 becomes U+FFFD.
 */
#include "cfg_params.h"
#include "config_internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* U+FFFD */
#define REPLACEMENT "\xef\xbf\xbd"

/* The octets of a well-formed UTF-8 sequence (RFC 3629, 4), 0 when it is none. */
static size_t utf8_sequence(const char *s)
{
    unsigned char b = (unsigned char)s[0];
    size_t n = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : (b & 0xf0) == 0xe0 ? 3 : 4;
    unsigned char low = 0x80, high = 0xbf; /* of the second octet */
    if ((b >= 0x80 && b < 0xc2) || b > 0xf4) {
        return 0;
    }
    low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : low;
    high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : high;
    for (size_t i = 1; i < n; i++) {
        unsigned char c = (unsigned char)s[i]; /* a NUL ends the loop as it is out of range */
        if (c < (i == 1 ? low : 0x80) || c > (i == 1 ? high : 0xbf)) {
            return 0;
        }
    }
    return n;
}

/* null for NULL. */
static json_t *text(const char *s)
{
    if (s == NULL) {
        return json_null();
    }
    char *clean = malloc(3 * strlen(s) + 1);
    size_t used = 0;
    if (clean == NULL) {
        return NULL;
    }
    while (*s != '\0') {
        size_t n = utf8_sequence(s);
        memcpy(clean + used, n > 0 ? s : REPLACEMENT, n > 0 ? n : 3);
        used += n > 0 ? n : 3;
        s += n > 0 ? n : 1;
    }
    json_t *string = json_stringn(clean, used);
    free(clean);
    return string;
}

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n); /* none is above INT64_MAX */
}

/* What `print` writes of it. */
static json_t *printed(void (*print)(const void *what, FILE *out), const void *what)
{
    char *written = NULL;
    size_t len;
    FILE *stream = open_memstream(&written, &len);
    if (stream == NULL) {
        return NULL;
    }
    print(what, stream);
    json_t *string = fclose(stream) == 0 ? text(written) : NULL;
    free(written);
    return string;
}

struct element {
    const struct cfg_option *option;
    const void *value;
};

static void print_element(const void *what, FILE *out)
{
    const struct element *e = what;
    cfg_print_value(e->option, e->value, out);
}

static void print_cidr(const void *what, FILE *out)
{
    cfg_print_cidr(what, out);
}

static void print_pin(const void *what, FILE *out)
{
    cfg_print_pin(what, out);
}

static void print_statuses(const void *what, FILE *out)
{
    cfg_print_statuses(what, out);
}

static void print_balance(const void *what, FILE *out)
{
    cfg_print_balance(what, out);
}

/* The value as it is written in a file. */
static json_t *as_written(const struct cfg_option *o, const void *element)
{
    return printed(print_element, &(struct element){o, element});
}

/* An object that is being made; one member that has no memory spoils it. */
struct object {
    json_t *json;
    bool failed;
};

static struct object new_object(void)
{
    return (struct object){.json = json_object()};
}

static void put(struct object *o, const char *name, json_t *value)
{
    o->failed = json_object_set_new(o->json, name, value) != 0 || o->failed;
}

/* NULL when there was no memory. */
static json_t *made(struct object *o)
{
    if (o->failed) {
        json_decref(o->json);
        o->json = NULL;
    }
    return o->json;
}

static void append_printed(struct object *o, json_t *array,
                           void (*print)(const void *what, FILE *out), const void *what)
{
    o->failed = json_array_append_new(array, printed(print, what)) != 0 || o->failed;
}

/* ---------------------------------------------------------------- the configuration */

static void put_address(struct object *object, const struct cfg_address *a)
{
    if (a->path != NULL) {
        put(object, "path", text(a->path));
    } else {
        put(object, "host", text(a->host));
        put(object, "port", number(a->port));
    }
}

static json_t *frontend(const struct cfg_frontend *f)
{
    static const char *const services[] = {"proxy", "api", "healthmon"};
    struct object o = new_object();
    put_address(&o, &f->addr);
    put(&o, "tls", json_boolean(f->tls));
    put(&o, "sni-fwd", json_boolean(f->sni_fwd));
    put(&o, "proxyproto", json_boolean(f->proxyproto));
    json_t *from = json_array();
    for (size_t i = 0; i < f->nproxyproto_from; i++) {
        append_printed(&o, from, print_cidr, &f->proxyproto_from[i]);
    }
    put(&o, "proxyproto-from", from);
    put(&o, "service", text(services[f->service]));
    return made(&o);
}

static void put_time(struct object *o, const char *name, uint64_t ms)
{
    put(o, name, ms > 0 ? number(ms) : json_null());
}

static void put_tls(struct object *o, const struct cfg_backend *b)
{
    json_t *pins = json_array();
    put(o, "tls", json_boolean(b->tls));
    put(o, "sni", text(b->sni));
    put(o, "ca", text(b->ca));
    put(o, "cert", text(b->cert));
    put(o, "key", text(b->key));
    put(o, "insecure", json_boolean(b->insecure));
    for (size_t i = 0; i < b->npins; i++) {
        append_printed(o, pins, print_pin, b->pins[i]);
    }
    put(o, "pin", pins);
}

static void put_health(struct object *o, const struct cfg_backend *b)
{
    bool checked = b->health_path != NULL;
    put(o, "fall", number(b->fall));
    put(o, "rise", number(b->rise));
    put(o, "health-path", text(b->health_path));
    put(o, "health-host", text(b->health_host));
    put_time(o, "health-interval", checked ? b->health_interval : 0);
    put_time(o, "health-timeout", checked ? b->health_timeout : 0);
    put(o, "health-status", checked ? printed(print_statuses, b) : json_null());
    put(o, "outlier",
        b->outlier > 0 ? json_sprintf("5xx:%lu", (unsigned long)b->outlier) : json_null());
}

static void put_connections(struct object *o, const struct cfg_backend *b)
{
    put(o, "max-conns", number(b->max_conns));
    put(o, "max-queue", b->max_queue_said ? number(b->max_queue) : json_null());
    put_time(o, "queue-timeout", b->queue_timeout_said ? b->queue_timeout : 0);
    put(o, "max-idle", number(b->max_idle));
    put(o, "warm-up", number(b->warm_up));
    put(o, "send-proxy", text(cfg_choice_name(cfg_send_proxy_choices, b->send_proxy)));
    put_time(o, "read-timeout", b->read_timeout);
    put_time(o, "write-timeout", b->write_timeout);
}

static void put_choice(struct object *o, const struct cfg_backend *b)
{
    put(o, "group", text(b->group));
    put(o, "group-weight", b->group_weight > 0 ? number(b->group_weight) : json_null());
    put(o, "weight", number(b->weight));
    put(o, "balance", b->balance_said ? printed(print_balance, b) : json_null());
    put(o, "affinity", text(cfg_choice_name(cfg_affinity_choices, b->affinity)));
    put(o, "affinity-cookie-name", text(b->cookie_name));
    put(o, "affinity-cookie-path", text(b->cookie_path));
    put(o, "affinity-cookie-secure",
        text(cfg_choice_name(cfg_cookie_secure_choices, b->cookie_secure)));
    put(o, "affinity-cookie-stickiness",
        text(cfg_choice_name(cfg_stickiness_choices, b->cookie_stickiness)));
    put(o, "affinity-cookie-http-only", json_boolean(b->cookie_http_only));
    put(o, "affinity-cookie-same-site",
        text(cfg_choice_name(cfg_same_site_choices, b->cookie_same_site)));
    put_time(o, "affinity-cookie-max-age", b->cookie_max_age);
}

static void put_server(struct object *o, const struct cfg_backend *b)
{
    static const char *const dns[] = {NULL, "address", "srv"};
    put_address(o, &b->addr);
    put(o, "proto", text(cfg_choice_name(cfg_proto_choices, b->proto)));
    put(o, "dns", text(dns[b->dns]));
    put(o, "upgrade-scheme", json_boolean(b->upgrade_scheme));
    put_tls(o, b);
    put_health(o, b);
    put_connections(o, b);
    put_choice(o, b);
}

static json_t *backend(const struct cfg_backend *b)
{
    struct object o = new_object();
    json_t *patterns = json_array();
    for (size_t i = 0; i < b->npatterns; i++) {
        o.failed = json_array_append_new(patterns, text(b->patterns[i])) != 0 || o.failed;
    }
    put(&o, "patterns", patterns);
    put(&o, "redirect-if-not-tls", json_boolean(b->redirect_if_not_tls));
    if (b->kind == CFG_KIND_SERVER) {
        put_server(&o, b);
    } else {
        put(&o, b->kind == CFG_KIND_RESPOND ? "respond" : "redirect", number(b->status));
        put(&o, b->kind == CFG_KIND_RESPOND ? "file" : "location",
            text(b->kind == CFG_KIND_RESPOND ? b->file : b->location));
    }
    return made(&o);
}

static json_t *value(const struct cfg_option *o, const void *element)
{
    switch (o->type) {
    case CFG_TYPE_BOOL:
        return json_boolean(*(const bool *)element);
    case CFG_TYPE_NUMBER:
    case CFG_TYPE_SIZE:
    case CFG_TYPE_DURATION:
        return number(*(const uint64_t *)element);
    case CFG_TYPE_FRONTEND:
        return frontend(element);
    case CFG_TYPE_BACKEND:
        return backend(element);
    default:
        return as_written(o, element);
    }
}

static json_t *option(const struct config *cfg, const struct cfg_option *o)
{
    size_t n = cfg_print_count(cfg, o);
    if (!cfg_option_repeatable(o)) {
        return n > 0 ? value(o, cfg_print_element(cfg, o, 0)) : json_null();
    }
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(array, value(o, cfg_print_element(cfg, o, i))) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static bool print_json(json_t *root, FILE *out)
{
    bool good = root != NULL && json_dumpf(root, out, JSON_INDENT(2)) == 0;
    json_decref(root);
    putc('\n', out);
    return fflush(out) == 0 && !ferror(out) && good;
}

bool cfg_print_json(const struct config *cfg, FILE *out)
{
    json_t *root = json_object();
    bool good = root != NULL;
    for (size_t i = 0; good && i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (cfg_option_has_member(o) && !o->only_in_args) {
            good = json_object_set_new(root, o->name, option(cfg, o)) == 0;
        }
    }
    if (!good) {
        json_decref(root);
        return false;
    }
    return print_json(root, out);
}

/* ---------------------------------------------------------------- faults */

static json_t *fault(const struct cfg_fault *f)
{
    struct object o = new_object();
    put(&o, "message", text(f->message));
    put(&o, "file", text(f->file));
    put(&o, "line", f->line > 0 ? number(f->line) : json_null());
    put(&o, "option", text(f->option));
    bool placed = f->text != NULL;
    put(&o, "text", text(f->text));
    put(&o, "column", placed ? number(f->column) : json_null());
    put(&o, "length", placed ? number(f->length) : json_null());
    return made(&o);
}

bool cfg_faults_print_json(const struct cfg_faults *faults, bool good, FILE *out)
{
    struct object root = new_object();
    json_t *errors = json_array(), *warnings = json_array();
    for (size_t i = 0; i < faults->n; i++) {
        const struct cfg_fault *f = &faults->list[i];
        json_t *to = f->warning ? warnings : errors;
        root.failed = json_array_append_new(to, fault(f)) != 0 || root.failed;
    }
    put(&root, "good", json_boolean(good));
    put(&root, "errors", errors);
    put(&root, "warnings", warnings);
    return print_json(made(&root), out);
}
