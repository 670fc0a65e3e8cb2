/* Makes a snapshot: the defaults, then the file, then the command line, then what must hold between
 * them. */
#include "config_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A count is never the first member: its array stands in front of it. */
static bool is_repeatable(const struct cfg_option *o)
{
    return o->count_offset != 0;
}

static void *member(struct config *cfg, size_t offset)
{
    return (char *)cfg + offset;
}

static bool set_default(struct cfg_loader *l, const struct cfg_option *o)
{
    struct cfg_text value = cfg_text(o->fallback);
    l->report.at = (struct cfg_source){.option = o->name, .text = value};
    bool good = cfg_option_set(l, o, value);
    assert(good || l->report.out_of_memory);
    return good;
}

/* Scalars before anything is read; a repeatable option has its default only when it was not given
 * at all. */
static bool set_defaults(struct cfg_loader *l, bool repeatable)
{
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (o->fallback == NULL || o->type == CFG_TYPE_CONF || is_repeatable(o) != repeatable) {
            continue;
        }
        size_t *count = repeatable ? member(l->cfg, o->count_offset) : NULL;
        if ((count == NULL || *count == 0) && !set_default(l, o)) {
            return false;
        }
    }
    return true;
}

static const struct cfg_option *conf_option(void)
{
    const struct cfg_option *o = cfg_option_find(cfg_text("conf"));
    assert(o != NULL && o->type == CFG_TYPE_CONF && o->fallback != NULL);
    return o;
}

static bool load_file(struct cfg_loader *l, const char *given)
{
    struct cfg_text path = cfg_text(given != NULL ? given : conf_option()->fallback);
    l->report.at = (struct cfg_source){.option = "conf", .text = path};
    l->cfg->conf = cfg_copy(&l->report, path);
    return l->cfg->conf != NULL && cfg_file_load(l, l->cfg->conf, path, given != NULL);
}

static bool replace(struct cfg_report *r, char **slot, const char *value)
{
    char *copy = cfg_copy(r, cfg_text(value));
    if (copy == NULL) {
        return false;
    }
    free(*slot);
    *slot = copy;
    return true;
}

static bool set_args(struct cfg_loader *l, const struct cfg_args *args)
{
    bool good = true;
    for (size_t i = 0; i < args->nlist && !l->report.out_of_memory; i++) {
        const struct cfg_arg *a = &args->list[i];
        l->report.at = (struct cfg_source){.option = a->option->name, .text = a->value};
        good = cfg_option_set(l, a->option, a->value) && good;
    }
    l->report.at = (struct cfg_source){0};
    if (args->key != NULL) {
        good = replace(&l->report, &l->cfg->private_key_file, args->key) &&
               replace(&l->report, &l->cfg->certificate_file, args->certificate) && good;
    }
    return good;
}

static void apply_single_thread(struct cfg_loader *l)
{
    if (l->cfg->single_thread && l->cfg->workers > 1) {
        cfg_warning(&l->report, cfg_slice(NULL, 0),
                    "single-thread: workers is 1, whatever was given");
        l->cfg->workers = 1;
    }
}

static bool load(struct cfg_loader *l, const struct cfg_args *args, bool args_good)
{
    if (!set_defaults(l, false)) {
        return false;
    }
    bool good = load_file(l, args->conf);
    good = set_args(l, args) && good && args_good;
    if (!good || !set_defaults(l, true)) {
        return false; /* what is missing may be missing only because of the fault */
    }
    l->report.at = (struct cfg_source){0};
    apply_single_thread(l);
    return cfg_check(&l->report, l->cfg);
}

static enum cfg_rc print(const struct cfg_option *what, FILE *out)
{
    if (what->type == CFG_TYPE_HELP) {
        cfg_print_help(out);
    } else {
        cfg_print_version(out);
    }
    return CFG_EXIT;
}

enum cfg_rc cfg_load(int argc, char *const *argv, FILE *out_text, FILE *err, struct config **out)
{
    struct cfg_loader l = {.report = {.err = err}};
    struct cfg_args args;
    enum cfg_rc rc = CFG_ERROR;
    *out = NULL;
    bool args_good = cfg_args_parse(&l.report, argc, argv, &args);
    if (args_good && args.print != NULL) {
        rc = print(args.print, out_text);
        goto done;
    }
    l.cfg = calloc(1, sizeof(*l.cfg));
    if (l.cfg == NULL) {
        cfg_out_of_memory(&l.report);
        goto done;
    }
    if (load(&l, &args, args_good)) {
        assert(l.report.errors == 0);
        *out = l.cfg;
        l.cfg = NULL;
        rc = CFG_OK;
    }
    if (l.report.errors > CFG_ERRORS_SHOWN) {
        fprintf(err, "nghttpx: %zu more errors\n", l.report.errors - CFG_ERRORS_SHOWN);
    }
done:
    free(args.list);
    cfg_free(l.cfg);
    return rc;
}

static void free_elements(struct config *cfg, const struct cfg_option *o)
{
    size_t n = *(size_t *)member(cfg, o->count_offset);
    void *array = *(void **)member(cfg, o->offset);
    for (size_t i = 0; i < n; i++) {
        switch (o->type) {
        case CFG_TYPE_FRONTEND:
            cfg_frontend_clear((struct cfg_frontend *)array + i);
            break;
        case CFG_TYPE_BACKEND:
            cfg_backend_clear((struct cfg_backend *)array + i);
            break;
        case CFG_TYPE_HEADER:
            cfg_header_clear((struct cfg_header *)array + i);
            break;
        case CFG_TYPE_ERROR_PAGE:
            cfg_error_page_clear((struct cfg_error_page *)array + i);
            break;
        default:
            assert(!"a repeatable option of another type");
        }
    }
    free(array);
}

void cfg_free(struct config *cfg)
{
    if (cfg == NULL) {
        return;
    }
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        switch (o->type) {
        case CFG_TYPE_STRING:
        case CFG_TYPE_PATH:
        case CFG_TYPE_VALUE:
        case CFG_TYPE_ALPN:
        case CFG_TYPE_CONF:
            free(*(char **)member(cfg, o->offset));
            break;
        default:
            if (is_repeatable(o)) {
                free_elements(cfg, o);
            }
        }
    }
    free(cfg);
}
