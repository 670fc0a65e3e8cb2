#include "echo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct echo *echo_new(struct echo_list *list)
{
    struct echo *e = calloc(1, sizeof(*e));
    if (e != NULL) {
        LIST_INSERT_HEAD(list, e, link);
    }
    return e;
}

void echo_free(struct echo *e)
{
    LIST_REMOVE(e, link);
    free(e->data);
    free(e);
}

void echo_free_all(struct echo_list *list)
{
    while (!LIST_EMPTY(list)) {
        echo_free(LIST_FIRST(list));
    }
}

size_t echo_len(const struct echo *e)
{
    return e->len - e->at;
}

bool echo_append(struct echo *e, const uint8_t *data, size_t len)
{
    if (len == 0) {
        return true;
    }
    if (e->len + len > e->cap && e->at > 0) {
        memmove(e->data, e->data + e->at, echo_len(e));
        e->len -= e->at;
        e->at = 0;
    }
    if (e->len + len > e->cap) {
        size_t cap = e->cap * 2 > e->len + len ? e->cap * 2 : e->len + len;
        uint8_t *data_now = realloc(e->data, cap);
        if (data_now == NULL) {
            return false;
        }
        e->data = data_now;
        e->cap = cap;
    }
    memcpy(e->data + e->len, data, len);
    e->len += len;
    return true;
}

void echo_take(struct echo *e, uint8_t *to, size_t len)
{
    assert(len <= echo_len(e));
    memcpy(to, e->data + e->at, len);
    e->at += len;
    if (e->at == e->len) {
        e->at = e->len = 0;
    }
}
