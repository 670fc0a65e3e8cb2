/* The option table: finding a row, and giving the snapshot's member a value by the row's type. */
#include "config_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int order(struct cfg_text name, const char *other)
{
    size_t len = strlen(other);
    int d = strncasecmp(name.s, other, name.len < len ? name.len : len);
    return d != 0 ? d : name.len < len ? -1 : name.len > len;
}

const struct cfg_option *cfg_option_find(struct cfg_text name)
{
    size_t low = 0, high = cfg_noptions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct cfg_option *o = &cfg_options[cfg_options_sorted[middle]];
        int d = order(name, o->name);
        if (d == 0) {
            return o;
        }
        if (d < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

bool cfg_option_has_member(const struct cfg_option *o)
{
    return o->type < CFG_TYPE_INCLUDE;
}

bool cfg_option_documented(const struct cfg_option *o)
{
    return cfg_option_has_member(o) || o->type == CFG_TYPE_INCLUDE || o->type == CFG_TYPE_HELP ||
           o->type == CFG_TYPE_VERSION;
}

const char *cfg_option_nearest(struct cfg_text name, bool in_file)
{
    const char *best = NULL;
    size_t least = cfg_near(name);
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (!cfg_option_documented(o) || (in_file ? o->only_in_args : o->only_in_file)) {
            continue; /* nothing that one should be led to */
        }
        size_t d = cfg_distance(name, cfg_text(o->name), least);
        if (d <= least && (best == NULL || d < least)) {
            best = o->name;
            least = d;
        }
    }
    return best;
}

static void *member(struct config *cfg, size_t offset)
{
    assert(offset < sizeof(*cfg));
    return (char *)cfg + offset;
}

static bool set_string(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    char *copy = NULL;
    /* An empty path takes back what a file has set; where there is no way to do without, it is an
     * error. */
    bool none = o->type == CFG_TYPE_PATH && value.len == 0 && o->fallback == NULL;
    if (!none) {
        if (o->type == CFG_TYPE_PATH && value.len == 0) {
            return cfg_error(&l->report, value, "no path; expected the path of a file");
        }
        copy = cfg_copy(&l->report, value);
        if (copy == NULL) {
            return false;
        }
    }
    char **slot = member(l->cfg, o->offset);
    free(*slot);
    *slot = copy;
    return true;
}

static bool set_uint(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    struct cfg_report *r = &l->report;
    uint64_t n = 0;
    if (o->type == CFG_TYPE_NUMBER ? !cfg_parse_number(r, value, o->min, o->max, &n)
        : o->type == CFG_TYPE_SIZE ? !cfg_parse_size(r, value, o->min, o->max, &n)
                                   : !cfg_parse_duration(r, value, &n)) {
        return false;
    }
    uint64_t *slot = member(l->cfg, o->offset);
    *slot = n;
    return true;
}

static bool set_choice(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    unsigned choice;
    _Static_assert(sizeof(enum cfg_family) == sizeof(choice),
                   "enumerations are stored as unsigned");
    bool good = o->type == CFG_TYPE_SET ? cfg_parse_set(&l->report, value, o->choices, &choice)
                                        : cfg_parse_choice(&l->report, value, o->choices, &choice);
    if (!good) {
        return false;
    }
    memcpy(member(l->cfg, o->offset), &choice, sizeof(choice));
    return true;
}

/* A structure: the one that there is, or one more. It is stored only when it is complete. */
static bool set_compound(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    const struct cfg_compound *kind = cfg_compound_of(o->type);
    _Alignas(max_align_t) char made[CFG_COMPOUND_MOST];
    if (!kind->parse(&l->report, value, made)) {
        return false;
    }
    void *slot = member(l->cfg, o->offset);
    if (cfg_option_repeatable(o)) {
        slot = cfg_append(&l->report, slot, member(l->cfg, o->count_offset), kind->size);
    } else {
        kind->clear(slot);
    }
    if (slot == NULL) {
        kind->clear(made);
        return false;
    }
    memcpy(slot, made, kind->size);
    return true;
}

/* A blank that nobody sees would become part of a file's name or of a text. */
static void warn_of_blanks(struct cfg_report *r, struct cfg_text value)
{
    if (value.len == 0) {
        return;
    }
    char first = value.s[0], last = value.s[value.len - 1];
    if (cfg_is_blank(first) || cfg_is_blank(last)) {
        size_t at = cfg_is_blank(first) ? 0 : value.len - 1;
        cfg_warning(r, cfg_slice(value.s + at, 1), "the %s is part of the value; is it meant?",
                    value.s[at] == ' ' ? "blank" : "tab");
    }
    if (value.len > 1 && first == last && (first == '"' || first == '\'')) {
        cfg_warning(r, value, "the quotes are part of the value; are they meant?");
    }
}

/* Another name for one option or two. */
static bool set_by_alias(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    struct cfg_report *r = &l->report;
    if (!o->quiet) {
        cfg_warning(r, cfg_slice(NULL, 0), "\"%s\" is deprecated; use \"%s\"%s%s%s", o->name,
                    o->to[0]->name, o->to[1] != NULL ? " and \"" : "",
                    o->to[1] != NULL ? o->to[1]->name : "", o->to[1] != NULL ? "\"" : "");
    }
    if (o->type == CFG_TYPE_BITS) {
        uint64_t bits;
        if (!cfg_parse_number(r, value, o->min, o->max, &bits)) {
            return false;
        }
        uint64_t *slot = member(l->cfg, o->to[0]->offset);
        *slot = (UINT64_C(1) << bits) - 1;
        return true;
    }
    if (o->to_value != NULL) {
        return !cfg_parse_bool(r, value) || cfg_option_set(l, o->to[0], cfg_text(o->to_value));
    }
    return cfg_option_set(l, o->to[0], value) &&
           (o->to[1] == NULL || cfg_option_set(l, o->to[1], value));
}

/* Options of the original that do nothing here. A switch that is off is what we do. */
static bool set_nothing(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    struct cfg_report *r = &l->report;
    if (o->type == CFG_TYPE_REFUSED) {
        return cfg_error(r, cfg_slice(NULL, 0), "\"%s\" does not exist any more; %s", o->name,
                         o->help);
    }
    if (!o->takes_value && !cfg_parse_bool(r, value)) {
        return true;
    }
    if (o->help == NULL) {
        cfg_warning(r, cfg_slice(NULL, 0), "\"%s\" has no effect; it may be left out", o->name);
    } else if (strncmp(o->help, "use ", 4) == 0) {
        cfg_warning(r, cfg_slice(NULL, 0), "\"%s\" has no effect any more; %s", o->name, o->help);
    } else {
        cfg_warning(r, cfg_slice(NULL, 0), "\"%s\" has no effect: %s; it may be left out", o->name,
                    o->help);
    }
    return true;
}

/* Deprecated ones that each are a case of their own. */
static bool set_deprecated(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    struct cfg_report *r = &l->report;
    bool on = o->takes_value || cfg_parse_bool(r, value);
    if (on) {
        cfg_warning(r, cfg_slice(NULL, 0), "\"%s\" is deprecated; %s", o->name, o->help);
    }
    if (o->type == CFG_TYPE_TLS_LIST) {
        return cfg_parse_tls_list(r, value, &l->cfg->tls_min_proto_version,
                                  &l->cfg->tls_max_proto_version) &&
               cfg_origin_add(l, cfg_option_find(cfg_text("tls-min-proto-version")), value) &&
               cfg_origin_add(l, cfg_option_find(cfg_text("tls-max-proto-version")), value);
    }
    if (o->type == CFG_TYPE_ACCEPT_PROXY) {
        l->accept_proxy = on;
        return true;
    }
    assert(o->type == CFG_TYPE_SNI_FIELD);
    char *sni = value.len > 0 && cfg_check_name(r, value) ? cfg_copy(r, value) : NULL;
    if (sni == NULL && value.len > 0) {
        return false;
    }
    free(l->sni);
    l->sni = sni;
    return true;
}

static bool set_value(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    struct cfg_report *r = &l->report;
    switch (o->type) {
    case CFG_TYPE_BOOL: {
        bool *slot = member(l->cfg, o->offset);
        *slot = cfg_parse_bool(r, value);
        return true;
    }
    case CFG_TYPE_NUMBER:
    case CFG_TYPE_SIZE:
    case CFG_TYPE_DURATION:
        return set_uint(l, o, value);
    case CFG_TYPE_STRING:
    case CFG_TYPE_PATH:
        if (!cfg_check_string(r, value, o->min, o->max)) {
            return false;
        }
        warn_of_blanks(r, value);
        return set_string(l, o, value);
    case CFG_TYPE_VALUE:
        return cfg_check_field_value(r, value) && set_string(l, o, value);
    case CFG_TYPE_ALPN:
        return cfg_check_alpn(r, value) && set_string(l, o, value);
    case CFG_TYPE_NODE:
        return cfg_check_node(r, value) && set_string(l, o, value);
    case CFG_TYPE_ENUM:
    case CFG_TYPE_SET:
        return set_choice(l, o, value);
    default:
        return set_compound(l, o, value);
    }
}

/* Whether the value is what it is without the option; --print-config writes that out, too. */
static bool is_default(struct cfg_loader *l, const struct cfg_option *o)
{
    const void *at = member(l->cfg, o->offset);
    struct cfg_text fallback = cfg_text(o->fallback != NULL ? o->fallback : "");
    uint64_t n = 0;
    unsigned choice = 0;
    if (o->type == CFG_TYPE_BOOL) {
        return !*(const bool *)at; /* no switch is on by default */
    }
    if (o->fallback == NULL) {
        return cfg_print_count(l->cfg, o) == 0; /* an empty one takes back what was there */
    }
    switch (o->type) {
    case CFG_TYPE_NUMBER:
        return cfg_parse_number(&l->report, fallback, o->min, o->max, &n) &&
               n == *(const uint64_t *)at;
    case CFG_TYPE_SIZE:
        return cfg_parse_size(&l->report, fallback, o->min, o->max, &n) &&
               n == *(const uint64_t *)at;
    case CFG_TYPE_DURATION:
        return cfg_parse_duration(&l->report, fallback, &n) && n == *(const uint64_t *)at;
    case CFG_TYPE_ENUM:
        return cfg_parse_choice(&l->report, fallback, o->choices, &choice) &&
               choice == *(const unsigned *)at;
    default:
        return cfg_option_is_text(o) && strcmp(*(char *const *)at, o->fallback) == 0;
    }
}

/* That it is asked for and not done is said; what was not asked for, or is as ever, is not. */
static void warn_of_not_yet(struct cfg_loader *l, const struct cfg_option *o)
{
    if (o->not_yet && !l->report.at.is_default && !is_default(l, o)) {
        cfg_warning(&l->report, cfg_slice(NULL, 0), "\"%s\" has no effect yet", o->name);
    }
}

static bool set_option(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    struct cfg_report *r = &l->report;
    switch (o->type) {
    case CFG_TYPE_INCLUDE: {
        char *path = cfg_keep(l, cfg_copy(r, value));
        return path != NULL && cfg_file_load(l, path, value);
    }
    case CFG_TYPE_UNUSED:
    case CFG_TYPE_REFUSED:
        return set_nothing(l, o, value);
    case CFG_TYPE_ALIAS:
    case CFG_TYPE_BITS:
        return set_by_alias(l, o, value);
    case CFG_TYPE_TLS_LIST:
    case CFG_TYPE_SNI_FIELD:
    case CFG_TYPE_ACCEPT_PROXY:
        return set_deprecated(l, o, value);
    case CFG_TYPE_CONF:
    case CFG_TYPE_HELP:
    case CFG_TYPE_VERSION:
        return true; /* taken care of by who reads them */
    default:
        if (!set_value(l, o, value)) {
            return false;
        }
        warn_of_not_yet(l, o);
        return true;
    }
}

bool cfg_option_set(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    return set_option(l, o, value) && cfg_origin_add(l, o, value);
}
