/* The option table: finding a row, and giving the snapshot's member a value by the row's type. */
#include "config_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct cfg_option *cfg_option_find(struct cfg_text name)
{
    for (size_t i = 0; i < cfg_noptions; i++) {
        if (cfg_text_is_nocase(name, cfg_options[i].name)) {
            return &cfg_options[i];
        }
    }
    return NULL;
}

bool cfg_option_documented(const struct cfg_option *o)
{
    return o->help != NULL && o->type != CFG_TYPE_REFUSED && o->type != CFG_TYPE_UNUSED;
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
    if (!cfg_parse_choice(&l->report, value, o->choices, &choice)) {
        return false;
    }
    memcpy(member(l->cfg, o->offset), &choice, sizeof(choice));
    return true;
}

/* The next element of a repeatable option. It is counted only when it is complete. */
static bool add_element(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    struct cfg_report *r = &l->report;
    union {
        struct cfg_frontend frontend;
        struct cfg_backend backend;
        struct cfg_header header;
        struct cfg_error_page page;
    } u;
    size_t size = 0;
    bool good = false;
    switch (o->type) {
    case CFG_TYPE_FRONTEND:
        size = sizeof(u.frontend);
        good = cfg_parse_frontend(r, value, &u.frontend);
        break;
    case CFG_TYPE_BACKEND:
        size = sizeof(u.backend);
        good = cfg_parse_backend(r, value, &u.backend);
        break;
    case CFG_TYPE_HEADER: {
        size = sizeof(u.header);
        bool request = o->offset == offsetof(struct config, add_request_header);
        good = cfg_parse_header(r, value, request, &u.header);
        break;
    }
    case CFG_TYPE_ERROR_PAGE:
        size = sizeof(u.page);
        good = cfg_parse_error_page(r, value, &u.page);
        break;
    default:
        assert(!"a type without elements");
    }
    if (!good) {
        return false;
    }
    void *slot = cfg_append(r, member(l->cfg, o->offset), member(l->cfg, o->count_offset), size);
    if (slot != NULL) {
        memcpy(slot, &u, size);
        return true;
    }
    switch (o->type) {
    case CFG_TYPE_FRONTEND:
        cfg_frontend_clear(&u.frontend);
        break;
    case CFG_TYPE_BACKEND:
        cfg_backend_clear(&u.backend);
        break;
    case CFG_TYPE_HEADER:
        cfg_header_clear(&u.header);
        break;
    default:
        cfg_error_page_clear(&u.page);
    }
    return false;
}

/* A blank that nobody sees would become part of a file's name or of a text. */
static void warn_of_blanks(struct cfg_report *r, struct cfg_text value)
{
    if (value.len > 0 && (value.s[0] == ' ' || value.s[value.len - 1] == ' ')) {
        size_t at = value.s[0] == ' ' ? 0 : value.len - 1;
        cfg_warning(r, cfg_slice(value.s + at, 1), "the blank is part of the value; is it meant?");
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

/* Options of the original that do nothing, or cannot do yet what they say. A switch that is off is
 * what we do. */
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
    if (o->type == CFG_TYPE_LATER) {
        return cfg_error(r, cfg_slice(NULL, 0), "\"%s\" is not supported yet; expected it left out",
                         o->name);
    }
    cfg_warning(r, cfg_slice(NULL, 0), "\"%s\" has no effect%s%s; it may be left out", o->name,
                o->help != NULL ? ": " : "", o->help != NULL ? o->help : "");
    return true;
}

bool cfg_option_set(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
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
    case CFG_TYPE_ENUM:
        return set_choice(l, o, value);
    case CFG_TYPE_FRONTEND:
    case CFG_TYPE_BACKEND:
    case CFG_TYPE_HEADER:
    case CFG_TYPE_ERROR_PAGE:
        return add_element(l, o, value);
    case CFG_TYPE_INCLUDE: {
        char *path = cfg_copy(r, value);
        bool good = path != NULL && cfg_file_load(l, path, value, true);
        free(path);
        return good;
    }
    case CFG_TYPE_LATER:
    case CFG_TYPE_UNUSED:
    case CFG_TYPE_REFUSED:
        return set_nothing(l, o, value);
    case CFG_TYPE_ALIAS:
    case CFG_TYPE_BITS:
        return set_by_alias(l, o, value);
    case CFG_TYPE_CONF:
    case CFG_TYPE_HELP:
    case CFG_TYPE_VERSION:
        break; /* taken care of by who reads them */
    }
    return true;
}
