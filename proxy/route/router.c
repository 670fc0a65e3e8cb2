/*
 * Radix trees: one of the hosts, read from their end, and below each host (and for no host) one of
 * the paths.
 *
 *   hosts                                  paths of "a.example"
 *   "elpmaxe" ─┬─ ".a"  exact              "/" ─┬─ "img/"  exact: /img/
 *              └─ "."   open: *.example         └─ "i"     open:  /i*
 *
 * A node is the text on the way to it. `exact` belongs to that text alone; `open` to every longer
 * one, which is what a '*' says. An exact path that ends with '/' is a subtree and holds for the
 * longer ones, too.
 *
 * Here patterns are added; router_cells.c makes of the trees what is matched.
 */
#include "router_internal.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- trees */

static struct node *node_new(struct router *r, const char *label, size_t len, struct node *parent)
{
    struct node *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        return NULL;
    }
    n->label = malloc(len + 1);
    if (n->label == NULL) {
        free(n);
        return NULL;
    }
    memcpy(n->label, label, len);
    n->label[len] = '\0';
    n->len = len;
    n->parent = parent;
    n->exact = ROUTER_NONE;
    n->open = ROUTER_NONE;
    r->nnodes++;
    r->label_octets += len;
    return n;
}

/* Without recursion: a chain of nodes is as long as someone's configuration makes it. */
static void tree_free(struct node *root)
{
    struct node *n = root;
    while (n != NULL) {
        if (n->nchildren > 0) {
            n = n->child[--n->nchildren];
            continue;
        }
        struct node *parent = n == root ? NULL : n->parent;
        free(n->label);
        free(n->first);
        free(n->child);
        free(n);
        n = parent;
    }
}

static struct node *find_child(const struct node *n, char first)
{
    const uint8_t *at = n->nchildren > 0 ? memchr(n->first, (uint8_t)first, n->nchildren) : NULL;
    return at != NULL ? n->child[at - n->first] : NULL;
}

static bool add_child(struct node *n, struct node *child)
{
    assert(child->len > 0 && n->nchildren < 256);
    uint8_t *first = realloc(n->first, n->nchildren + 1);
    if (first == NULL) {
        return false;
    }
    n->first = first;
    struct node **children = realloc(n->child, (n->nchildren + 1) * sizeof(struct node *));
    if (children == NULL) {
        return false;
    }
    n->child = children;
    n->first[n->nchildren] = (uint8_t)child->label[0];
    n->child[n->nchildren++] = child;
    return true;
}

static struct node *add_leaf(struct router *r, struct node *parent, const char *label, size_t len)
{
    struct node *leaf = node_new(r, label, len, parent);
    if (leaf != NULL && !add_child(parent, leaf)) {
        tree_free(leaf);
        leaf = NULL;
    }
    return leaf;
}

/* Puts a node in front of n, for the first `at` octets of its label. */
static struct node *split(struct router *r, struct node *n, size_t at)
{
    assert(at > 0 && at < n->len);
    struct node *parent = n->parent;
    struct node *front = node_new(r, n->label, at, parent);
    char *rest = strdup(n->label + at);
    if (front == NULL || rest == NULL) {
        goto fail;
    }
    char *label = n->label;
    n->label = rest;
    n->len -= at;
    if (!add_child(front, n)) {
        n->label = label;
        n->len += at;
        goto fail;
    }
    free(label);
    n->parent = front;
    const uint8_t *slot = memchr(parent->first, (uint8_t)front->label[0], parent->nchildren);
    assert(slot != NULL && parent->child[slot - parent->first] == n);
    parent->child[slot - parent->first] = front;
    return front;

fail:
    free(rest);
    if (front != NULL) {
        front->nchildren = 0;
        tree_free(front);
    }
    return NULL;
}

static size_t common(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t n = 0;
    while (n < a_len && n < b_len && a[n] == b[n]) {
        n++;
    }
    return n;
}

/* The node of a text, made when it is not there; NULL when there is no memory. */
static struct node *tree_insert(struct router *r, struct node *n, const char *key, size_t len)
{
    while (len > 0) {
        struct node *child = find_child(n, key[0]);
        if (child == NULL) {
            return add_leaf(r, n, key, len);
        }
        size_t same = common(key, len, child->label, child->len);
        if (same < child->len) {
            child = split(r, child, same);
            if (child == NULL) {
                return NULL;
            }
        }
        key += same;
        len -= same;
        n = child;
    }
    return n;
}

/* The node of a text, of which the octets are read from its end when it is a host. */
static const struct node *tree_find(const struct node *n, const char *key, size_t len, bool host)
{
    size_t at = 0;
    while (at < len) {
        n = find_child(n, host ? key[len - 1 - at] : key[at]);
        if (n == NULL || n->len > len - at) {
            return NULL;
        }
        for (size_t i = 0; i < n->len; i++, at++) {
            if (n->label[i] != (host ? key[len - 1 - at] : key[at])) {
                return NULL;
            }
        }
    }
    return n;
}

/* ---------------------------------------------------------------- adding */

/* A part of a pattern: its text, and whether a '*' stood at its open end. */
struct part {
    char *text;
    size_t len;
    bool open;
};

/* The host of a pattern, reversed; text is NULL when there is no memory. */
static struct part host_part(const char *pattern)
{
    struct part p = {NULL, strcspn(pattern, "/"), pattern[0] == '*'};
    const char *host = pattern + p.open;
    p.len -= p.open;
    p.text = malloc(p.len + 1);
    for (size_t i = 0; p.text != NULL && i < p.len; i++) {
        p.text[i] = host[p.len - 1 - i];
    }
    return p;
}

static size_t path_part(const char *path, bool *open)
{
    size_t len = strlen(path);
    *open = path[len - 1] == '*';
    return len - *open;
}

static int *slot_of(struct node *n, bool open)
{
    return open ? &n->open : &n->exact;
}

static int new_path_tree(struct router *r)
{
    struct node **paths = realloc(r->paths, (r->npaths + 1) * sizeof(struct node *));
    if (paths == NULL) {
        return ROUTER_NONE;
    }
    r->paths = paths;
    r->paths[r->npaths] = node_new(r, "", 0, NULL);
    return r->paths[r->npaths] != NULL ? (int)r->npaths++ : ROUTER_NONE;
}

/* The tree of the paths below a pattern's host; NULL when there is no memory. */
static struct node *paths_of_host(struct router *r, const char *pattern)
{
    if (pattern[0] == '/') {
        return r->paths[0];
    }
    struct part host = host_part(pattern);
    if (host.text == NULL) {
        return NULL;
    }
    struct node *n = tree_insert(r, r->hosts, host.text, host.len);
    free(host.text);
    if (n == NULL) {
        return NULL;
    }
    int *tree = slot_of(n, host.open);
    if (*tree == ROUTER_NONE) {
        *tree = new_path_tree(r);
    }
    return *tree != ROUTER_NONE ? r->paths[*tree] : NULL;
}

struct router *router_new(void)
{
    struct router *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    r->hosts = node_new(r, "", 0, NULL);
    if (r->hosts == NULL || new_path_tree(r) != 0) {
        router_free(r);
        return NULL;
    }
    return r;
}

static void free_trees(struct router *r)
{
    for (size_t i = 0; i < r->npaths; i++) {
        tree_free(r->paths[i]);
    }
    tree_free(r->hosts);
    free(r->paths);
}

void router_free(struct router *r)
{
    if (r == NULL) {
        return;
    }
    free_trees(r);
    free(r->memory);
    free(r->above);
    free(r->jumps);
    free(r->texts);
    free(r);
}

enum router_rc router_add(struct router *r, const char *pattern, int index)
{
    const char *path = strchr(pattern, '/');
    assert(path != NULL && index >= 0 && index <= ROUTER_INDEX_MOST && r->slots == NULL);
    struct node *paths = paths_of_host(r, pattern);
    if (paths == NULL) {
        return ROUTER_NO_MEMORY;
    }
    bool open;
    size_t len = path_part(path, &open);
    struct node *n = tree_insert(r, paths, path, len);
    if (n == NULL) {
        return ROUTER_NO_MEMORY;
    }
    int *slot = slot_of(n, open);
    if (*slot != ROUTER_NONE) {
        return ROUTER_EXISTS;
    }
    *slot = index;
    return ROUTER_OK;
}

int router_find(const struct router *r, const char *pattern)
{
    const char *path = strchr(pattern, '/');
    if (path == NULL) {
        return ROUTER_NONE;
    }
    const struct node *paths = r->paths[0];
    bool open;
    if (path != pattern) {
        open = pattern[0] == '*';
        const struct node *n =
            tree_find(r->hosts, pattern + open, (size_t)(path - pattern) - open, true);
        int tree = n == NULL ? ROUTER_NONE : open ? n->open : n->exact;
        if (tree == ROUTER_NONE) {
            return ROUTER_NONE;
        }
        paths = r->paths[tree];
    }
    size_t len = path_part(path, &open);
    const struct node *n = tree_find(paths, path, len, false);
    return n == NULL ? ROUTER_NONE : open ? n->open : n->exact;
}
