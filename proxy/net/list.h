/*
 * An intrusive doubly linked list. A node that is in no list points to itself, so unlinking twice
 * is harmless.
 */
#ifndef NET_LIST_H
#define NET_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *l, struct list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

static inline void list_prepend(struct list *l, struct list *node)
{
    list_append(l->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/** Takes the first node out; NULL when there is none. */
static inline struct list *list_shift(struct list *l)
{
    if (list_empty(l)) {
        return NULL;
    }
    struct list *node = l->next;
    list_remove(node);
    return node;
}

#define list_each(pos, l) for (struct list *pos = (l)->next; pos != (l); pos = pos->next)
/** Like list_each, but `pos` may be removed (not its successor). */
#define list_each_safe(pos, l)                                                                     \
    for (struct list *pos = (l)->next, *pos##_next = pos->next; pos != (l);                        \
         pos = pos##_next, pos##_next = pos->next)

#endif
