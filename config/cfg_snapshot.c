/* The snapshot: its memory, its references, and the faults that are kept with it. */
#include "config_internal.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

/* What callers see of it is its first member. */
struct snapshot {
    struct config cfg;
    struct cfg_faults faults;
    bool has_file;
    atomic_uint references;
};

/* The snapshot does not change, but its count does. */
static struct snapshot *snapshot_of(const struct config *cfg)
{
    _Static_assert(offsetof(struct snapshot, cfg) == 0, "one address for both");
    return (struct snapshot *)(uintptr_t)cfg;
}

struct config *cfg_new(void)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    atomic_init(&s->references, 1);
    return &s->cfg;
}

const struct config *cfg_ref(const struct config *cfg)
{
    unsigned before =
        atomic_fetch_add_explicit(&snapshot_of(cfg)->references, 1, memory_order_relaxed);
    assert(before > 0 && before < UINT32_MAX);
    return cfg;
}

static void free_members(struct config *cfg)
{
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        const struct cfg_compound *kind = cfg_compound_of(o->type);
        char *at = (char *)cfg + o->offset;
        if (cfg_option_is_text(o)) {
            free(*(char **)(void *)at);
        } else if (kind != NULL && cfg_option_repeatable(o)) {
            size_t n = *(size_t *)(void *)((char *)cfg + o->count_offset);
            char *array = *(char **)(void *)at;
            for (size_t j = 0; j < n; j++) {
                kind->clear(array + j * kind->size);
            }
            free(array);
        } else if (kind != NULL) {
            kind->clear(at);
        }
    }
}

void cfg_unref(const struct config *cfg)
{
    if (cfg == NULL) {
        return;
    }
    struct snapshot *s = snapshot_of(cfg);
    /* Whoever frees it sees all that the others did before they let go. */
    unsigned before = atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        free_members(&s->cfg);
        cfg_faults_clear(&s->faults);
        free(s);
    }
}

const char *cfg_keep_fixed(struct config *next, const struct config *now)
{
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (!o->fixed) {
            continue;
        }
        assert(o->type == CFG_TYPE_BOOL); /* nothing else has asked for it so far */
        bool *to = (bool *)(void *)((char *)next + o->offset);
        bool from = *(const bool *)cfg_option_member(now, o);
        if (*to != from) {
            *to = from;
            return o->name;
        }
    }
    return NULL;
}

bool cfg_has_file(const struct config *cfg)
{
    return snapshot_of(cfg)->has_file;
}

void cfg_set_has_file(struct config *cfg)
{
    snapshot_of(cfg)->has_file = true;
}

struct cfg_faults *cfg_faults_of(struct config *cfg)
{
    return &snapshot_of(cfg)->faults;
}

const struct cfg_faults *cfg_faults_of_const(const struct config *cfg)
{
    return &snapshot_of(cfg)->faults;
}

void cfg_add_fault(struct config *cfg, bool warning, const char *message)
{
    const struct cfg_text none = cfg_slice(NULL, 0);
    struct cfg_report r = {.err = stderr, .keep = cfg_faults_of(cfg)};
    if (warning) {
        cfg_warning(&r, none, "%s", message);
    } else {
        cfg_error(&r, none, "%s", message);
    }
}

bool cfg_print_check_result(const struct config *cfg, bool good, FILE *out)
{
    return cfg_faults_print_json(cfg_faults_of_const(cfg), good, out);
}
