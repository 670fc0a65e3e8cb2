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
    json_t *made = json_stringn(clean, used);
    free(clean);
    return made;
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
    json_t *made = fclose(stream) == 0 ? text(written) : NULL;
    free(written);
    return made;
}

/* ---------------------------------------------------------------- the configuration */

static json_t *with_address(json_t *object, const struct cfg_address *a)
{
    if (a->path != NULL) {
        json_object_set_new(object, "path", text(a->path));
    } else {
        json_object_set_new(object, "host", text(a->host));
        json_object_set_new(object, "port", number(a->port));
    }
    return object;
}

static json_t *frontend(const struct cfg_frontend *f)
{
    static const char *const services[] = {"proxy", "api", "healthmon"};
    json_t *o = with_address(json_object(), &f->addr);
    json_object_set_new(o, "tls", json_boolean(f->tls));
    json_object_set_new(o, "sni-fwd", json_boolean(f->sni_fwd));
    json_object_set_new(o, "proxyproto", json_boolean(f->proxyproto));
    json_object_set_new(o, "service", text(services[f->service]));
    return o;
}

static json_t *backend(const struct cfg_backend *b)
{
    static const char *const affinities[] = {"none", "ip", "cookie"};
    static const char *const secure[] = {"auto", "yes", "no"};
    json_t *o = with_address(json_object(), &b->addr), *patterns = json_array();
    for (size_t i = 0; i < b->npatterns; i++) {
        json_array_append_new(patterns, text(b->patterns[i]));
    }
    json_object_set_new(o, "patterns", patterns);
    json_object_set_new(o, "proto", text(b->proto == CFG_PROTO_HTTP2 ? "h2" : "http/1.1"));
    json_object_set_new(o, "tls", json_boolean(b->tls));
    json_object_set_new(o, "sni", text(b->sni));
    json_object_set_new(o, "dns", json_boolean(b->dns));
    json_object_set_new(o, "redirect-if-not-tls", json_boolean(b->redirect_if_not_tls));
    json_object_set_new(o, "upgrade-scheme", json_boolean(b->upgrade_scheme));
    json_object_set_new(o, "fall", number(b->fall));
    json_object_set_new(o, "rise", number(b->rise));
    json_object_set_new(o, "group", text(b->group));
    json_object_set_new(o, "group-weight",
                        b->group_weight > 0 ? number(b->group_weight) : json_null());
    json_object_set_new(o, "weight", number(b->weight));
    json_object_set_new(o, "read-timeout",
                        b->read_timeout > 0 ? number(b->read_timeout) : json_null());
    json_object_set_new(o, "write-timeout",
                        b->write_timeout > 0 ? number(b->write_timeout) : json_null());
    json_object_set_new(o, "affinity", text(affinities[b->affinity]));
    json_object_set_new(o, "affinity-cookie-name", text(b->cookie_name));
    json_object_set_new(o, "affinity-cookie-path", text(b->cookie_path));
    json_object_set_new(o, "affinity-cookie-secure", text(secure[b->cookie_secure]));
    json_object_set_new(o, "affinity-cookie-stickiness",
                        text(b->cookie_stickiness == CFG_STICKINESS_STRICT ? "strict" : "loose"));
    return o;
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
    json_t *o = json_object();
    json_object_set_new(o, "message", text(f->message));
    json_object_set_new(o, "file", text(f->file));
    json_object_set_new(o, "line", f->file != NULL ? number(f->line) : json_null());
    json_object_set_new(o, "option", text(f->option));
    bool placed = f->text != NULL;
    json_object_set_new(o, "text", text(f->text));
    json_object_set_new(o, "column", placed ? number(f->column) : json_null());
    json_object_set_new(o, "length", placed ? number(f->length) : json_null());
    return o;
}

bool cfg_faults_print_json(const struct cfg_faults *faults, bool good, FILE *out)
{
    json_t *root = json_object(), *errors = json_array(), *warnings = json_array();
    for (size_t i = 0; i < faults->n; i++) {
        const struct cfg_fault *f = &faults->list[i];
        if (json_array_append_new(f->warning ? warnings : errors, fault(f)) != 0) {
            good = false;
        }
    }
    json_object_set_new(root, "good", json_boolean(good));
    json_object_set_new(root, "errors", errors);
    json_object_set_new(root, "warnings", warnings);
    return print_json(root, out);
}
