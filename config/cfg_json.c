/*
 * The snapshot, and what a check has found, as JSON. docs/compatibility.md describes both.
 *
 * JSON is Unicode and a path is any octets: what is no UTF-8 becomes U+FFFD.
 */
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

/* The value as it is written in a file. */
static json_t *as_written(const struct cfg_option *o, const void *element)
{
    char *written = NULL;
    size_t len;
    FILE *stream = open_memstream(&written, &len);
    if (stream == NULL) {
        return NULL;
    }
    cfg_print_value(o, element, stream);
    json_t *string = fclose(stream) == 0 ? text(written) : NULL;
    free(written);
    return string;
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
    put(&o, "service", text(services[f->service]));
    return made(&o);
}

static json_t *backend(const struct cfg_backend *b)
{
    static const char *const affinities[] = {"none", "ip", "cookie"};
    static const char *const secure[] = {"auto", "yes", "no"};
    struct object o = new_object();
    json_t *patterns = json_array();
    put_address(&o, &b->addr);
    for (size_t i = 0; i < b->npatterns; i++) {
        o.failed = json_array_append_new(patterns, text(b->patterns[i])) != 0 || o.failed;
    }
    put(&o, "patterns", patterns);
    put(&o, "proto", text(b->proto == CFG_PROTO_HTTP2 ? "h2" : "http/1.1"));
    put(&o, "tls", json_boolean(b->tls));
    put(&o, "sni", text(b->sni));
    put(&o, "dns", json_boolean(b->dns));
    put(&o, "redirect-if-not-tls", json_boolean(b->redirect_if_not_tls));
    put(&o, "upgrade-scheme", json_boolean(b->upgrade_scheme));
    put(&o, "fall", number(b->fall));
    put(&o, "rise", number(b->rise));
    put(&o, "group", text(b->group));
    put(&o, "group-weight", b->group_weight > 0 ? number(b->group_weight) : json_null());
    put(&o, "weight", number(b->weight));
    put(&o, "read-timeout", b->read_timeout > 0 ? number(b->read_timeout) : json_null());
    put(&o, "write-timeout", b->write_timeout > 0 ? number(b->write_timeout) : json_null());
    put(&o, "affinity", text(affinities[b->affinity]));
    put(&o, "affinity-cookie-name", text(b->cookie_name));
    put(&o, "affinity-cookie-path", text(b->cookie_path));
    put(&o, "affinity-cookie-secure", text(secure[b->cookie_secure]));
    put(&o, "affinity-cookie-stickiness",
        text(b->cookie_stickiness == CFG_STICKINESS_STRICT ? "strict" : "loose"));
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
    put(&o, "line", f->file != NULL ? number(f->line) : json_null());
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
