/* Makes a snapshot: the defaults, then the file, then the command line, then what must hold between
 * them. */
#include "config_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *member(struct config *cfg, size_t offset)
{
    return (char *)cfg + offset;
}

static bool set_default(struct cfg_loader *l, const struct cfg_option *o)
{
    struct cfg_text value = cfg_text(o->fallback);
    l->report.at = (struct cfg_source){.option = o->name, .text = value, .is_default = true};
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
        if (o->fallback == NULL || o->type == CFG_TYPE_CONF ||
            cfg_option_repeatable(o) != repeatable) {
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

static bool load_file(struct cfg_loader *l, const char *given, bool check)
{
    struct cfg_text path = cfg_text(given != NULL ? given : conf_option()->fallback);
    l->report.at = (struct cfg_source){.option = "conf", .text = path};
    l->cfg->conf = cfg_copy(&l->report, path);
    if (l->cfg->conf == NULL) {
        return false;
    }
    bool missing = access(l->cfg->conf, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
    if (missing && l->had_file) {
        return cfg_error(&l->report, path,
                         "there is no %s any more; expected the file that the configuration came "
                         "from",
                         cfg_quote(path).s);
    }
    if (missing && given != NULL) {
        /* The original starts without a word; a check is there to find such things. */
        if (check) {
            return cfg_error(&l->report, path, "there is no %s; expected the path of a file",
                             cfg_quote(path).s);
        }
        cfg_warning(&l->report, path, "there is no %s; going on without a file", cfg_quote(path).s);
        return true;
    }
    if (missing) {
        return true;
    }
    cfg_set_has_file(l->cfg);
    return cfg_file_load(l, l->cfg->conf, path);
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

/* PRIVATE_KEY and CERT, which are as good as the options. */
static bool set_positional(struct cfg_loader *l, const char *option, const char *value)
{
    const struct cfg_option *o = cfg_option_find(cfg_text(option));
    struct cfg_text text = cfg_text(value);
    assert(o != NULL);
    l->report.at = (struct cfg_source){.option = option, .text = text};
    return cfg_option_set(l, o, text);
}

static bool set_args(struct cfg_loader *l, const struct cfg_args *args)
{
    bool good = true;
    for (size_t i = 0; i < args->nlist && !l->report.out_of_memory; i++) {
        const struct cfg_arg *a = &args->list[i];
        l->report.at = (struct cfg_source){.option = a->option->name, .text = a->value};
        good = cfg_option_set(l, a->option, a->value) && good;
    }
    if (args->key != NULL) {
        good = set_positional(l, "private-key-file", args->key) &&
               set_positional(l, "certificate-file", args->certificate) && good;
    }
    l->report.at = (struct cfg_source){0};
    return good;
}

static void apply_single_thread(struct cfg_loader *l)
{
    if (l->cfg->single_thread && l->cfg->workers > 1) {
        struct cfg_origin single = cfg_origin_of(l, "single-thread", 0);
        struct cfg_origin workers = cfg_origin_of(l, "workers", 0);
        l->report.at = single.at;
        cfg_warning(&l->report, single.value,
                    "with single-thread workers is 1, and not %" PRIu64 " (%s)", l->cfg->workers,
                    cfg_place(&workers).s);
        l->cfg->workers = 1;
    }
}

/* As if the parameter had been given. */
static void warn_of_proxyproto(struct cfg_loader *l)
{
    const struct cfg_param *row = cfg_param_find(cfg_frontend_params, cfg_text("proxyproto"));
    assert(row != NULL);
    struct cfg_origin origin = cfg_origin_of(l, "accept-proxy-protocol", 0);
    l->report.at = origin.at;
    cfg_warning(&l->report, cfg_slice(NULL, 0),
                "proxyproto believes every peer the client address that it tells; only trusted "
                "ones should reach the frontends");
    if (row->not_yet) {
        cfg_warning(&l->report, cfg_slice(NULL, 0), "the parameter \"%s\" has no effect yet",
                    row->name);
    }
}

/* What deprecated options make of all frontends and backends. */
static bool apply_deprecated(struct cfg_loader *l)
{
    struct config *cfg = l->cfg;
    for (size_t i = 0; l->accept_proxy && i < cfg->nfrontend; i++) {
        cfg->frontend[i].proxyproto = true;
    }
    if (l->accept_proxy) {
        warn_of_proxyproto(l);
    }
    for (size_t i = 0; l->sni != NULL && i < cfg->nbackend; i++) {
        if (!replace(&l->report, &cfg->backend[i].sni, l->sni)) {
            return false;
        }
    }
    return true;
}

static bool is_given(const struct cfg_args *args, const char *name, const char *value)
{
    bool given = false;
    for (size_t i = 0; i < args->nlist; i++) {
        if (strcmp(args->list[i].option->name, name) == 0) {
            given = cfg_text_is_nocase(args->list[i].value, value); /* the last one holds */
        }
    }
    return given;
}

static bool load(struct cfg_loader *l, const struct cfg_args *args, bool args_good)
{
    if (!set_defaults(l, false)) {
        return false;
    }
    bool good = load_file(l, args->conf, is_given(args, "check-config", "yes"));
    good = set_args(l, args) && good && args_good;
    if (!good || !set_defaults(l, true) || !apply_deprecated(l)) {
        return false; /* what is missing may be missing only because of the fault */
    }
    apply_single_thread(l);
    good = cfg_check(l);
    if (l->cfg->format != CFG_FORMAT_TEXT && !l->cfg->check_config && !l->cfg->print_config) {
        /* It would start the program, which is not what somebody wants who wants to read JSON. */
        struct cfg_origin format = cfg_origin_of(l, "format", 0);
        l->report.at = format.at;
        good = cfg_error(&l->report, format.value,
                         "format says how something is printed; expected check-config or "
                         "print-config with it");
    }
    l->report.at = (struct cfg_source){0};
    return good;
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
    return cfg_load_again(argc, argv, out_text, err, out, false);
}

enum cfg_rc cfg_load_again(int argc, char *const *argv, FILE *out_text, FILE *err,
                           struct config **out, bool had_file)
{
    struct cfg_args args = {0};
    enum cfg_rc rc = CFG_ERROR;
    struct cfg_loader l = {.report = {.err = err}, .cfg = cfg_new(), .had_file = had_file};
    *out = NULL;
    if (l.cfg == NULL) {
        cfg_out_of_memory(&l.report);
        return CFG_ERROR;
    }
    /* Whether faults are to be JSON is known only when the arguments have been taken apart. */
    struct cfg_faults *faults = cfg_faults_of(l.cfg);
    l.report.keep = faults;
    bool args_good = cfg_args_parse(&l.report, argc, argv, &args);
    bool json = is_given(&args, "check-config", "yes") && is_given(&args, "format", "json");
    if (!json) {
        cfg_faults_write(faults, err);
        cfg_faults_clear(faults);
        l.report.keep = NULL;
    }
    if (args_good && args.print != NULL) {
        rc = print(args.print, out_text);
    } else if (load(&l, &args, args_good)) {
        assert(l.report.errors == 0);
        *out = l.cfg;
        l.cfg = NULL;
        rc = CFG_OK;
    }
    if (!json) {
        cfg_report_end(&l.report);
    } else if (rc == CFG_ERROR) {
        bool both = is_given(&args, "print-config", "yes");
        fputs(both ? "{\"check\":\n" : "", out_text);
        (void)cfg_faults_print_json(faults, false, out_text);
        fputs(both ? ",\"config\": null}\n" : "", out_text);
    }
    free(args.list);
    free(l.sni);
    cfg_origins_clear(&l);
    cfg_unref(l.cfg);
    return rc;
}
