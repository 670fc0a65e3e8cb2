/*
 * What the files of back/ share and nobody else sees: what a pool does for its connections, and
 * what each kind of connection does for its pool (back_h1.c, back_h2.c and its kin,
 * back_auto.c).
 */
#ifndef BACK_BACK_INTERNAL_H
#define BACK_BACK_INTERNAL_H

#include "back/back.h"

/* ---------------------------------------------------------------- of the pool, for connections */

/** A connection that is being opened. NULL: no socket, or max-conns are there. When it ends,
 * pool_conn_gone() has to be called. */
struct conn *pool_connect(struct pool *p, const struct conn_ops *ops, void *user, const char *alpn);
/** send-proxy: such connections tell the backend whose they are, and no other client's requests may
 * go over them. */
static inline bool pool_sends_proxy(const struct pool *p)
{
    return p->backend->cfg->send_proxy != CFG_SEND_PROXY_NONE;
}
/** With send-proxy, right behind pool_connect(), which has said that the connection is the
 * program's own: it is this client's. */
void pool_introduce(const struct pool *p, struct conn *c, const struct client_info *client);
void pool_conn_gone(struct pool *p);
/** Ends an idle connection where there would be too many with another one. */
void pool_make_room(struct pool *p);
/** A connection has become idle: there may be one too many, or somebody who waits for it. */
void pool_settle(struct pool *p);

/** After a TLS handshake: whether ALPN has come to `proto`. HTTP/1.1 is also what is spoken when
 * nothing was agreed on (RFC 7301, 3.1: a server may ignore the extension). */
bool pool_agrees(const struct conn *c, enum cfg_proto proto);
/** What to say when it has come to something else than `wanted`; returns buf. */
#define POOL_WHY_SIZE 96
const char *pool_disagreement(const struct conn *c, const char *wanted, char buf[POOL_WHY_SIZE]);

/** The outcome of a connect: failures make everybody stand back from the address for a while. */
void pool_connected(struct pool *p);
/** `*probes`: it was opened as a probe; then it is the prober that is told, once, and this is
 * cleared. `silent`: it timed out. */
void pool_connect_failed(struct pool *p, bool *probes, bool silent, const char *why);
/** The back-off that is to be had of its address now. */
struct health_backoff pool_backoff(struct pool *p);
/** What became of a connection, if it was opened as a probe; clears *probes. */
void pool_probed(struct pool *p, bool *probes, bool good, const char *why);

/** How many exchanges may wait for a connection that is being opened: the usual stream limit of an
 * HTTP/2 peer. */
#define BACK_MOST_WAITING 100u

/** The error that a transport failure means for the exchanges on it. */
enum exchange_error back_error(enum conn_error why);
/**
 * What it means that a connection was closed: of one that had been kept, that it was closed while
 * the request was on its way, which says nothing against the address; of a new one without a byte
 * of the answer, that this address should not have the request again.
 */
enum exchange_error back_death(enum exchange_error why, bool kept, bool answered);

/**
 * Opens a connection that nobody asked for: it waits for a request when it is there. With `probe`
 * the outcome is told to probe_done(), and it stays only if the address is online then. False: none
 * could be begun.
 */
bool back_open(struct pool *p, bool probe);

/* ---------------------------------------------------------------- HTTP/1.1 */

bool back_h1_take(struct pool *p, struct exchange *x);
bool back_h1_open(struct pool *p, bool probe);
/** Hands the exchange to a connection that waits for one. False: there is none. */
bool back_h1_reuse(struct pool *p, struct exchange *x);
/** A connection of the pool has turned out to speak this, and has a user now. `x`: its first
 * exchange; NULL: it waits for one. */
void back_h1_adopt(struct pool *p, struct conn *c, struct exchange *x);
/** Those that wait for a request, and those that are being opened for none. */
void back_h1_close_idle(struct pool *p);
/** Of those that wait for a request, the one that waits the longest, if there is one. */
void back_h1_close_last(struct pool *p);

/* ---------------------------------------------------------------- HTTP/2 */

bool back_h2_take(struct pool *p, struct exchange *x);
bool back_h2_open(struct pool *p, bool probe);
/** As back_h1_adopt(); exchanges come by back_h2_take(). False: no memory. */
bool back_h2_adopt(struct pool *p, struct conn *c);
/** Whether a connection has a stream to give to this client. */
bool back_h2_has_stream(const struct pool *p, const struct client_info *client);
/** Ends one that nobody uses; with `in_use` one that is, if need be: it takes no other requests. */
void back_h2_give_one(struct pool *p, bool in_use);
/** With send-proxy: whether a client has a connection that it does not use now. */
bool back_h2_has_unused(const struct pool *p);
/** Ends one of these, if there is one. */
void back_h2_close_unused(struct pool *p);
/** No connection takes another exchange; each ends with its last one. */
void back_h2_retire(struct pool *p);
/** Their exchanges have ended. */
void back_h2_close_all(struct pool *p);

/* ---------------------------------------------------------------- not known yet (proto=auto) */

bool back_auto_take(struct pool *p, struct exchange *x);
bool back_auto_open(struct pool *p, bool probe);
/** Whether one that is being opened takes another exchange. */
bool back_auto_has_room(const struct pool *p);
/** Of those that are being opened, the ones that nobody waits for. */
void back_auto_close_idle(struct pool *p);

#endif
