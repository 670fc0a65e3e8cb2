/* What a pool does with its HTTP/2 connections. */
#include "back/back_h2_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "config.h"
#include "exchange/h2_body.h"
#include "net/block.h"
#include "net/clock.h"
#include "process/worker.h"

/* ---------------------------------------------------------------- opening */

static struct back_h2 *new_back(struct pool *p)
{
    const struct config *cfg = p->worker->cfg;
    struct h2_options o;
    struct h2_tuning tuning = {
        .decoder_table = cfg->backend_http2_decoder_dynamic_table_size,
        .encoder_table = cfg->backend_http2_encoder_dynamic_table_size,
        .window = cfg->backend_http2_window_size,
        .connection_window = cfg->backend_http2_connection_window_size,
        .field_buffer = cfg->response_header_field_buffer,
        .max_fields = cfg->max_response_header_fields,
    };
    h2_body_options(&o, &tuning);

    struct back_h2 *b = xcalloc(1, sizeof(*b));
    b->magic = BACK_H2_MAGIC;
    b->pool = p;
    list_init(&b->node);
    list_init(&b->pool_node);
    list_init(&b->client_node);
    list_init(&b->waiting);
    list_init(&b->streams);
    timer_init(&b->timer, back_h2_on_timeout);
    b->heard = clock_ms();
    b->engine = h2_conn_new(H2_CLIENT, &o);
    if (b->engine == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

static void enter_pool(struct back_h2 *b)
{
    list_append(&b->pool->h2, &b->node);
    list_append(&b->pool->connections, &b->pool_node);
}

struct back_h2 *back_h2_connect(struct pool *p, struct client_info *client)
{
    struct back_h2 *b = new_back(p);
    if (b == NULL) {
        return NULL;
    }
    b->conn = pool_connect(p, &back_h2_conn_ops, b, "h2");
    if (b->conn == NULL) {
        h2_conn_free(b->engine);
        free(b);
        return NULL;
    }
    enter_pool(b);
    if (pool_sends_proxy(p) && client != NULL) {
        b->client = client;
        list_append(&client->backs, &b->client_node);
        pool_introduce(p, b->conn, client);
    }
    return b;
}

bool back_h2_open(struct pool *p, bool probe)
{
    struct back_h2 *b = back_h2_connect(p, NULL);
    if (b == NULL) {
        return false;
    }
    b->probes = probe;
    if (probe) {
        list_remove(&b->node); /* not before it is known to be good */
    }
    return true;
}

bool back_h2_adopt(struct pool *p, struct conn *c)
{
    struct back_h2 *b = new_back(p);
    if (b == NULL) {
        return false;
    }
    b->conn = c;
    conn_set_user(c, &back_h2_conn_ops, b);
    enter_pool(b);
    back_h2_begin(b);
    return true;
}

/* ---------------------------------------------------------------- room, and making it */

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

/* One that takes requests, but has none; NULL: there is none. `at_once`: that can be closed now,
 * which what is being read from cannot. */
static struct back_h2 *find_unused(const struct pool *p, bool at_once)
{
    list_each(node, &p->h2)
    {
        struct back_h2 *b = container_of(node, struct back_h2, node);
        if (is_unused(b) && !(at_once && b->in_input)) {
            return b;
        }
    }
    return NULL;
}

void back_h2_end_soon(struct back_h2 *b)
{
    back_h2_stop_taking(b);
    if (!b->ready && is_unused(b)) {
        back_h2_destroy(b, false);
    } else {
        conn_want_output(b->conn);
    }
}

void back_h2_give_one(struct pool *p, bool in_use)
{
    struct back_h2 *used = NULL, *unused = find_unused(p, false);
    list_each(node, &p->connections)
    {
        struct back_h2 *b = container_of(node, struct back_h2, pool_node);
        if (b->closing && is_unused(b)) {
            return; /* it is gone at the end of the turn */
        }
        in_use = in_use && !b->closing; /* one at a time of those that somebody uses */
        used = used == NULL && b->ready && !is_unused(b) ? b : used; /* the oldest */
    }
    if (unused != NULL) {
        back_h2_end_soon(unused);
    } else if (in_use && used != NULL) {
        back_h2_end_soon(used);
    }
}

bool back_h2_has_unused(const struct pool *p)
{
    return pool_sends_proxy(p) && find_unused(p, true) != NULL;
}

void back_h2_close_unused(struct pool *p)
{
    struct back_h2 *b = pool_sends_proxy(p) ? find_unused(p, true) : NULL;
    if (b != NULL) {
        back_h2_destroy(b, true);
    }
}

void back_client_gone(struct client_info *client)
{
    list_each_safe(node, &client->backs)
    {
        struct back_h2 *b = container_of(node, struct back_h2, client_node);
        assert(list_empty(&b->streams) && list_empty(&b->waiting));
        b->client = NULL;
        list_remove(&b->client_node);
        back_h2_end_soon(b);
    }
}

void back_h2_retire(struct pool *p)
{
    list_each_safe(node, &p->h2)
    {
        back_h2_end_soon(container_of(node, struct back_h2, node));
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
