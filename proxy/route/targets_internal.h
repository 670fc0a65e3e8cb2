/* What targets.c, the choice, and waiting.c, the queues in front of it, ask of each other. */
#ifndef ROUTE_TARGETS_INTERNAL_H
#define ROUTE_TARGETS_INTERNAL_H

#include "route/targets.h"

#include "back/back.h"

/** The backend of a pool that has an owner. */
static inline struct target_backend *targets_backend_of(const struct pool *p)
{
    return &p->owner->backends[p->backend - p->owner->routes->backends];
}

/** It has just come, and others wait for what it might find. */
bool targets_is_behind(const struct target_group *g, const struct exchange *x);
/** Serves those who wait for a backend, or in any group, as far as there is room. */
void targets_serve(struct target_backend *tb);
void targets_serve_all(struct targets *t);
/** Of struct targets. */
void targets_on_look(struct timer *t);

#endif
