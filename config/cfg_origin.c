/*
 * Where each value was written: in which line of which file, or in which argument. It is for faults
 * that are seen only when the whole configuration is known (cfg_check.c).
 *
 * Texts of files, and their names, are kept until the load is over, so that an origin is a few
 * pointers.
 */
#include "config_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct cfg_origins *origins_of(const struct cfg_loader *l, const struct cfg_option *o)
{
    return &l->origins[o - cfg_options];
}

bool cfg_origin_add(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value)
{
    if (l->origins == NULL) {
        l->origins = calloc(cfg_noptions, sizeof(*l->origins));
        if (l->origins == NULL) {
            return cfg_out_of_memory(&l->report);
        }
    }
    struct cfg_origins *origins = origins_of(l, o);
    struct cfg_origin *slot = origins->list;
    if (slot == NULL || cfg_option_repeatable(o)) {
        slot = cfg_append(&l->report, &origins->list, &origins->n, sizeof(*slot));
    }
    if (slot != NULL) {
        *slot = (struct cfg_origin){l->report.at, value};
    }
    return slot != NULL;
}

struct cfg_origin cfg_origin_of(const struct cfg_loader *l, const char *option, size_t i)
{
    const struct cfg_option *o = cfg_option_find(cfg_text(option));
    assert(o != NULL);
    struct cfg_origins none = {0}, *origins = l->origins != NULL ? origins_of(l, o) : &none;
    if (i < origins->n) {
        return origins->list[i];
    }
    assert(!cfg_option_repeatable(o)); /* each element has come from somewhere */
    return (struct cfg_origin){.at.file = cfg_has_file(l->cfg) ? l->cfg->conf : NULL};
}

struct cfg_place cfg_place(const struct cfg_origin *origin)
{
    const struct cfg_source *at = &origin->at;
    struct cfg_place place;
    if (at->file != NULL) {
        /* Of a long path the end says more than the beginning. */
        size_t len = strlen(at->file), most = sizeof(place.s) - sizeof("...:18446744073709551615");
        snprintf(place.s, sizeof(place.s), "%s%s:%zu", len > most ? "..." : "",
                 at->file + (len > most ? len - most : 0), at->line);
    } else {
        snprintf(place.s, sizeof(place.s), "%s", at->is_default ? "default" : "command line");
    }
    return place;
}

void *cfg_keep(struct cfg_loader *l, void *allocation)
{
    if (allocation == NULL) {
        return NULL; /* reported */
    }
    void **slot = cfg_append(&l->report, &l->kept, &l->nkept, sizeof(*slot));
    if (slot == NULL) {
        free(allocation);
        return NULL;
    }
    *slot = allocation;
    return allocation;
}

void cfg_origins_clear(struct cfg_loader *l)
{
    for (size_t i = 0; l->origins != NULL && i < cfg_noptions; i++) {
        free(l->origins[i].list);
    }
    free(l->origins);
    for (size_t i = 0; i < l->nkept; i++) {
        free(l->kept[i]);
    }
    free(l->kept);
    l->origins = NULL;
    l->kept = NULL;
    l->nkept = 0;
}
