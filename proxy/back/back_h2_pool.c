/* What a pool does with its HTTP/2 connections. */
#include "back/back_h2.h"

#include <assert.h>

static void end_soon(struct back_h2 *b)
{
    back_h2_stop_taking(b);
    conn_want_output(b->conn);
}

bool back_h2_has_stream(const struct pool *p, const struct client_info *client)
{
    list_each(node, &p->h2)
    {
        const struct back_h2 *b = container_of(node, struct back_h2, node);
        if (back_h2_is_for(b, client) && back_h2_has_room(b)) {
            return true;
        }
    }
    return false;
}

static bool is_unused(const struct back_h2 *b)
{
    return list_empty(&b->streams) && list_empty(&b->waiting);
}

void back_h2_give_one(struct pool *p, bool in_use)
{
    struct back_h2 *chosen = NULL;
    list_each(node, &p->connections)
    {
        struct back_h2 *b = container_of(node, struct back_h2, pool_node);
        if (b->closing) {
            return; /* one is on its way out */
        }
        if (b->ready && !b->probes && (is_unused(b) || (in_use && chosen == NULL))) {
            chosen = b;
        }
    }
    if (chosen != NULL) {
        end_soon(chosen);
    }
}

static struct back_h2 *find_unused(const struct pool *p)
{
    list_each(node, &p->h2)
    {
        struct back_h2 *b = container_of(node, struct back_h2, node);
        if (!b->in_input && is_unused(b)) {
            return b;
        }
    }
    return NULL;
}

bool back_h2_has_unused(const struct pool *p)
{
    return pool_sends_proxy(p) && find_unused(p) != NULL;
}

void back_h2_close_unused(struct pool *p)
{
    struct back_h2 *b = pool_sends_proxy(p) ? find_unused(p) : NULL;
    if (b != NULL) {
        back_h2_destroy(b, true);
    }
}

void back_h2_client_gone(struct client_info *client)
{
    list_each_safe(node, &client->backs)
    {
        struct back_h2 *b = container_of(node, struct back_h2, client_node);
        assert(list_empty(&b->streams) && list_empty(&b->waiting));
        b->client = NULL;
        list_remove(&b->client_node);
        end_soon(b);
    }
}

void back_h2_retire(struct pool *p)
{
    list_each_safe(node, &p->h2)
    {
        end_soon(container_of(node, struct back_h2, node));
    }
}

void back_h2_close_all(struct pool *p)
{
    list_each_safe(node, &p->connections)
    {
        struct back_h2 *b = container_of(node, struct back_h2, pool_node);
        back_h2_destroy(b, false);
    }
}
