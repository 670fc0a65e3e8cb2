/*
 * Parameters: what stands behind an address, NAME or NAME=VALUE, with ';' between them. Which ones
 * there are is said by the table of whoever has them.
 */
#include "config_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct cfg_param *cfg_param_find(const struct cfg_param *rows, struct cfg_text name)
{
    while (rows->name != NULL && !cfg_text_is_nocase(name, rows->name)) {
        rows++;
    }
    return rows->name != NULL ? rows : NULL;
}

static bool unknown_param(struct cfg_report *r, struct cfg_text t, struct cfg_text name,
                          const struct cfg_param *rows)
{
    const struct cfg_param *best = NULL;
    size_t least = cfg_near(name);
    for (const struct cfg_param *p = rows; p->name != NULL; p++) {
        size_t d = cfg_distance(name, cfg_text(p->name), least);
        if (!p->hidden && d <= least && (best == NULL || d < least)) {
            best = p;
            least = d;
        }
    }
    if (best != NULL) {
        return cfg_error(r, t, "unknown parameter %s; did you mean \"%s\"?", cfg_quote(name).s,
                         best->name);
    }
    return cfg_error(r, t, "unknown parameter %s; expected one that nghttpx --help names",
                     cfg_quote(name).s);
}

static bool set_duration(struct cfg_report *r, struct cfg_text value, uint64_t min, uint64_t *slot)
{
    uint64_t ms;
    if (!cfg_parse_duration(r, value, &ms)) {
        return false;
    }
    if (ms < min) {
        return cfg_error(r, value, "%s is too short; expected %llums or more", cfg_quote(value).s,
                         (unsigned long long)min);
    }
    *slot = ms;
    return true;
}

static bool set_text(struct cfg_report *r, struct cfg_text value, const struct cfg_param *row,
                     char **slot)
{
    char *copy = cfg_check_string(r, value, row->min, row->max) ? cfg_copy(r, value) : NULL;
    if (copy != NULL) {
        free(*slot);
        *slot = copy;
    }
    return copy != NULL;
}

static bool set_by_kind(struct cfg_report *r, struct cfg_text value, const struct cfg_param *row,
                        void *what)
{
    void *slot = (char *)what + row->offset;
    uint64_t n;
    unsigned choice;
    switch (row->kind) {
    case CFG_PARAM_ON:
    case CFG_PARAM_OFF:
        *(bool *)slot = row->kind == CFG_PARAM_ON;
        return true;
    case CFG_PARAM_NUMBER:
        if (!cfg_parse_number(r, value, row->min, row->max, &n)) {
            return false;
        }
        *(uint32_t *)slot = (uint32_t)n;
        return true;
    case CFG_PARAM_DURATION:
        return set_duration(r, value, row->min, slot);
    case CFG_PARAM_TEXT:
        return set_text(r, value, row, slot);
    case CFG_PARAM_ENUM:
        if (!cfg_parse_choice(r, value, row->choices, &choice)) {
            return false;
        }
        memcpy(slot, &choice, sizeof(choice));
        return true;
    default:
        assert(row->kind == CFG_PARAM_CUSTOM);
        return row->set(r, value, what);
    }
}

static bool set_param(struct cfg_report *r, struct cfg_text t, const struct cfg_param *rows,
                      void *what)
{
    struct cfg_text value = t;
    struct cfg_text name = cfg_cut(&value, '=');
    const struct cfg_param *row = cfg_param_find(rows, name);
    if (row == NULL) {
        return unknown_param(r, t, name, rows);
    }
    bool any = row->takes == CFG_TAKES_ANY;
    if ((value.s == NULL && row->takes == CFG_TAKES_VALUE) ||
        (value.s != NULL && value.len == 0 && row->takes != CFG_TAKES_NOTHING)) {
        return cfg_error(r, t, "no value; expected %s=VALUE%s", row->name, any ? ", or no =" : "");
    }
    if (value.s != NULL && row->takes == CFG_TAKES_NOTHING) {
        return cfg_error(r, value, "\"%s\" takes no value; expected it alone", row->name);
    }
    /* Without a value, a fault is about the name. */
    r->at.param = row->name;
    bool good = set_by_kind(r, any ? t : row->takes == CFG_TAKES_VALUE ? value : name, row, what);
    r->at.param = NULL;
    if (good && row->not_yet) {
        cfg_warning(r, t, "the parameter \"%s\" has no effect yet", row->name);
    }
    return good;
}

bool cfg_params_set(struct cfg_report *r, struct cfg_text params, const struct cfg_param *rows,
                    void *what)
{
    bool good = true;
    while (params.s != NULL) {
        struct cfg_text param = cfg_cut(&params, ';');
        good = (param.len == 0 || set_param(r, param, rows, what)) && good;
    }
    return good;
}

struct cfg_text cfg_param_said(struct cfg_text params, const char *name)
{
    struct cfg_text last = cfg_slice(NULL, 0);
    while (params.s != NULL) {
        struct cfg_text param = cfg_cut(&params, ';'), rest = param;
        if (cfg_text_is_nocase(cfg_cut(&rest, '='), name)) {
            last = param;
        }
    }
    return last;
}
