/* The trees of router.c, and what router_cells.c makes of them. */
#ifndef ROUTE_ROUTER_INTERNAL_H
#define ROUTE_ROUTER_INTERNAL_H

#include "router.h"

#include <stddef.h>
#include <stdint.h>

union slot;

struct node {
    char *label; /* the text from the parent to here; owned */
    size_t len;
    struct node *parent;
    uint8_t *first;      /* first octet of each child's label */
    struct node **child; /* in the same order */
    size_t nchildren;
    int exact;
    int open;
};

struct router {
    /* What is added to. */
    struct node *hosts;  /* values are indices of `paths` */
    struct node **paths; /* [0]: of the patterns without a host; values are the caller's indices */
    size_t npaths;
    size_t nnodes;       /* in all trees */
    size_t label_octets; /* at most */

    /* What is matched, once it is sealed. */
    void *memory;      /* that the slots are in, aligned */
    union slot *slots; /* cells and branches */
    uint32_t *above;   /* of a cell: the next one above that is open */
    uint32_t *jumps;   /* tables of them, open addressing */
    char *texts;
    int any_host;                    /* the paths of the patterns without a host */
    unsigned host_steps, path_steps; /* to a pattern, at most */
    unsigned probes;                 /* in a table of jumps, at most */
};

/* How many steps down a host and a path take on the way to a pattern, at most; for tests. */
unsigned router_steps(const struct router *r);
/* In how many places of its table a jump is looked for, at most; for tests. */
unsigned router_probes(const struct router *r);

#endif
