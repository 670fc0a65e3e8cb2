/*
 * The command line, as getopt_long(3) reads it: unambiguous abbreviations, options and other
 * arguments in any order,
 * "--" ends the options. This only takes it apart; values are looked at when the file has been
 * read.
 */
#include "config_internal.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* A long option's val: above every char, so that getopt's optopt tells short from long. */
#define LONG_BASE 256

struct tables {
    struct option *longs;
    char shorts[128];
};

/* Whether an argument is this option, written out. */
static bool is_written_out(const struct cfg_option *o, int argc, char *const *argv)
{
    size_t len = strlen(o->name);
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strncmp(arg, "--", 2) == 0 && strncmp(arg + 2, o->name, len) == 0 &&
            (arg[2 + len] == '\0' || arg[2 + len] == '=')) {
            return true;
        }
    }
    return false;
}

static bool make_tables(struct cfg_report *r, struct tables *t, int argc, char *const *argv)
{
    t->longs = calloc(cfg_noptions + 1, sizeof(*t->longs));
    if (t->longs == NULL) {
        return cfg_out_of_memory(r);
    }
    size_t n = 0, nshort = 0;
    t->shorts[nshort++] = ':'; /* a missing value is ':' then, and getopt prints nothing itself */
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (o->only_in_file || (o->whole && !is_written_out(o, argc, argv))) {
            continue;
        }
        /* A second spelling has the first one's val, so that what abbreviates both is not
         * ambiguous. */
        const struct cfg_option *meant = o->quiet ? o->to[0] : o;
        t->longs[n++] = (struct option){
            .name = o->name,
            .has_arg = o->takes_value ? required_argument : no_argument,
            .val = LONG_BASE + (int)(meant - cfg_options),
        };
        if (o->short_name != 0) {
            assert(nshort + 3 < sizeof(t->shorts));
            t->shorts[nshort++] = o->short_name;
            if (o->takes_value) {
                t->shorts[nshort++] = ':';
            }
        }
    }
    t->shorts[nshort] = '\0';
    return true;
}

static const struct cfg_option *option_of(int val)
{
    for (size_t i = 0; val < LONG_BASE && i < cfg_noptions; i++) {
        if (cfg_options[i].short_name == (char)val) {
            return &cfg_options[i];
        }
    }
    assert(val >= LONG_BASE);
    return &cfg_options[val - LONG_BASE];
}

/* A long option that is no one's beginning, or that of several. `arg` is --NAME or --NAME=VALUE. */
static bool bad_long_option(struct cfg_report *r, const char *arg)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    struct cfg_text rest = cfg_text(arg + 2);
    struct cfg_text name = cfg_cut(&rest, '=');
    struct cfg_quoted quoted = cfg_quote(name);
    const struct cfg_option *some[2] = {NULL, NULL};
    size_t n = 0;
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (!o->only_in_file && strncmp(o->name, name.s, name.len) == 0 && n++ < 2) {
            some[n - 1] = o;
        }
    }
    r->at.text = cfg_text(arg);
    struct cfg_text where = cfg_slice(arg, name.len + 2);
    if (n == 1) { /* the beginning of one that is not abbreviated */
        cfg_error(r, where, "unknown option %s; did you mean \"--%s\"?", quoted.s, some[0]->name);
    } else if (n > 1) {
        cfg_error(r, where, "%s is ambiguous; expected more of such as \"--%s\" or \"--%s\"",
                  quoted.s, some[0]->name, some[1]->name);
    } else if (cfg_option_find(name) != NULL && cfg_option_find(name)->only_in_file) {
        cfg_error(r, where, "%s is for a file; expected PRIVATE_KEY CERT as plain arguments",
                  quoted.s);
    } else if (cfg_option_nearest(name, false) != NULL) {
        cfg_error(r, where, "unknown option %s; did you mean \"--%s\"?", quoted.s,
                  cfg_option_nearest(name, false));
    } else {
        cfg_error(r, where, "unknown option %s; expected one that nghttpx --help lists", quoted.s);
    }
    r->at.text = none;
    return false;
}

/* Whether argv[i] is the argument that getopt did not like: an unknown long option leaves no other
 * trace. */
static bool bad_option(struct cfg_report *r, const char *arg)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    if (optopt == 0) {
        return bad_long_option(r, arg);
    }
    if (optopt >= LONG_BASE) {
        r->at.option = option_of(optopt)->name;
        cfg_error(r, none, "a value where none is taken; expected the option alone");
        r->at.option = NULL;
        return false;
    }
    char letter = (char)optopt;
    return cfg_error(r, none, "unknown option -%c; expected one that nghttpx --help lists",
                     letter > 0x20 && letter < 0x7f ? letter : '?');
}

static bool take_option(struct cfg_report *r, const struct cfg_option *o, const char *value,
                        struct cfg_args *args)
{
    if (o->type == CFG_TYPE_HELP || o->type == CFG_TYPE_VERSION) {
        args->print = args->print == NULL ? o : args->print;
        return true;
    }
    if (o->type == CFG_TYPE_CONF) {
        args->conf = value;
        return true;
    }
    struct cfg_arg *a = cfg_append(r, &args->list, &args->nlist, sizeof(*args->list));
    if (a == NULL) {
        return false;
    }
    a->option = o;
    a->value = cfg_text(value != NULL ? value : "yes");
    return true;
}

static bool take_plain_arguments(struct cfg_report *r, int n, char *const *argv,
                                 struct cfg_args *args)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    if (n == 0) {
        return true;
    }
    if (n == 1) {
        return cfg_error(r, none, "%s stands alone; expected PRIVATE_KEY CERT, or neither",
                         cfg_quote(cfg_text(argv[0])).s);
    }
    args->key = argv[0];
    args->certificate = argv[1];
    return n == 2 ||
           cfg_error(r, none, "%s is one argument too many; expected PRIVATE_KEY CERT alone",
                     cfg_quote(cfg_text(argv[2])).s);
}

bool cfg_args_parse(struct cfg_report *r, int argc, char *const *argv, struct cfg_args *args)
{
    struct tables t;
    *args = (struct cfg_args){0};
    if (argc < 1) {
        return true;
    }
    if (!make_tables(r, &t, argc, argv)) {
        return false;
    }
    /* getopt sorts the arguments, so it gets an array of its own. */
    char **own = malloc(((size_t)argc + 1) * sizeof(*own));
    bool good = own != NULL || cfg_out_of_memory(r);
    if (own != NULL) {
        memcpy(own, argv, (size_t)argc * sizeof(*own));
        own[argc] = NULL;
        optind = 0; /* glibc: forget all of an earlier run */
        int val;
        while (args->print == NULL &&
               (val = getopt_long(argc, own, t.shorts, t.longs, NULL)) != -1) {
            if (val == '?') {
                good = bad_option(r, own[optind - 1]);
            } else if (val == ':') {
                r->at.option = option_of(optopt)->name;
                good = cfg_error(
                    r, cfg_slice(NULL, 0), "no value; expected --%s=%s", option_of(optopt)->name,
                    option_of(optopt)->metavar != NULL ? option_of(optopt)->metavar : "VALUE");
                r->at.option = NULL;
            } else {
                good = take_option(r, option_of(val), optarg, args) && good;
            }
        }
        if (args->print == NULL) {
            good = take_plain_arguments(r, argc - optind, own + optind, args) && good;
        }
    }
    free(own);
    free(t.longs);
    return good;
}
