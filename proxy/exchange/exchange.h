/*
 * An exchange: one request with its responses, and the only object that both sides know. The front
 * owns it. A back takes it on, and either side calls the other only through struct exchange_ops.
 *
 * Its life: exchange_new() by the front when a request head is complete; exchange_begin() gives it
 * to a back; the back fills the response; the front sends it and calls exchange_end(). Memory goes
 * at the end of the turn.
 */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "exchange/queue.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/list.h"
#include "net/pipe.h"
#include "net/proxyproto.h"

#include "h1parser.h"
#include "h2core/h2core.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct exchange;
struct pool;
struct target_group;
struct targets;

enum exchange_error {
    EXCHANGE_OK = 0,
#define EXCHANGE_ERROR(name, status, code, text) EXCHANGE_##name,
#include "exchange/errors.def"
#undef EXCHANGE_ERROR
};

/** The RST_STREAM code, and the words for the log. */
enum h2_code exchange_error_code(enum exchange_error e);
const char *exchange_error_text(enum exchange_error e);

/**
 * What one side can be told by the other. Only the front's abort() may end the exchange inside the
 * call: its caller must not touch the exchange after it.
 */
struct exchange_ops {
    /** To the front only, or NULL: where the request has to wait for others of its client, if it
     * has to. The front takes it out and calls exchange_dispatch() when it need not any more. */
    struct queue *(*hold)(struct exchange *x);
    /** To the front only: a response head is in (x->response; interim when its status is 1xx). */
    void (*head)(struct exchange *x);
    /** The pipe towards this side has got bytes, or has ended. */
    void (*body)(struct exchange *x);
    /** Octets have left the pipe that this side fills: it may read more. `n` is how many of them
     * left it for the first time. */
    void (*credit)(struct exchange *x, size_t n);
    /** The other side is gone. The back lets go of the exchange; the front answers with an error,
     * or resets. */
    void (*abort)(struct exchange *x, enum exchange_error why);
};

/** A message head. Field bytes live in the exchange's arena; the field type is h2core's, whatever
 * the protocol. */
struct message {
    struct h2_field *fields; /**< without pseudo-header fields */
    size_t nfields;
    struct h2_field *trailers;
    size_t ntrailers;
    int64_t content_length; /**< -1: not known */
    bool has_body;          /**< a body may follow the head */
    uint8_t http_major, http_minor;
};

struct str {
    const char *s;
    size_t len;
};

/** However many addresses there are: a request is not tried any further after so many. */
#define EXCHANGE_MAX_TRIES 8

/** Interim responses for one request: 100, 102, a few 103. More is a backend gone wrong (502). */
#define EXCHANGE_MAX_INTERIM 16

struct request {
    struct message m;
    enum h1_method method;
    struct str method_text;
    struct str scheme;    /**< "http" or "https" */
    struct str authority; /**< without userinfo; empty when the client sent none (HTTP/1.0) */
    struct str target;    /**< as it came, for the log */
    struct str path;      /**< normalised, with its query; or "*" */
    size_t path_len;      /**< of `path` without the query; 0: not normalised yet */
    bool te_trailers;
    bool expect_continue;
};

/** What a request wants its connection or stream to become: see exchange/tunnel.h. */
enum tunnel_kind { TUNNEL_NONE, TUNNEL_CONNECT, TUNNEL_UPGRADE, TUNNEL_WEBSOCKET };

struct tunnel {
    enum tunnel_kind wanted;
    bool open;            /**< accepted: the pipes carry raw octets */
    bool down_sent;       /**< by the front: `down` and its end are with the client's connection */
    struct str protocols; /**< Upgrade as it goes on: without what may not be asked for */
    struct str key;       /**< Sec-WebSocket-Key, the client's or ours */
};

struct response {
    struct message m;
    int status; /**< 0: no head yet */
};

/** What the client's connection is, as far as requests and logs want to know. */
struct client_info {
    char addr[64]; /**< numeric, or "localhost" for a UNIX socket */
    uint16_t port, server_port;
    struct endpoint from, to; /**< both ends, as the PROXY protocol header or the socket has them */
    bool tls;
    bool sni_fwd;     /**< requests are routed by tls_sni */
    bool healthmon;   /**< each request is answered with 200 */
    const char *alpn; /**< static: "h2", "http/1.1" …; NULL: none was agreed on */
    const char *tls_protocol, *tls_cipher; /**< static; NULL in the clear */
    char *tls_sni;                         /**< owned by the front; NULL without */
    bool tls_reused;                       /**< the session was resumed */

    struct list backs; /**< HTTP/2 connections to backends that are its own (send-proxy) */
};

struct exchange {
    struct worker *worker;
    struct arena arena;
    struct client_info *client;
    struct request request;
    struct response response;
    struct tunnel tunnel;
    struct pipe up;   /**< the request body: front writes, back reads */
    struct pipe down; /**< the response body: back writes, front reads */

    const struct exchange_ops *front_ops;
    void *front;
    const struct exchange_ops *back_ops; /**< NULL while no back has it */
    void *back;
    struct list front_node; /**< in a list of the front */
    struct list back_node;  /**< in a list of the back that has it */
    uint32_t front_stream, back_stream;

    struct targets *targets; /**< a reference: `group` is of these */
    struct target_group *group;
    struct pool *pool; /**< a reference: where it was sent to last; NULL: nowhere yet */
    bool loads_pool;   /**< it counts among those in progress there */
    bool repeated;     /**< the check was made once before */
    bool is_check;     /**< of ours: it counts for no client and as no load, is not logged, and goes
                          nowhere else */
    bool set_affinity; /**< the client is told `affinity`, in the cookie of the group */
    uint32_t affinity;
    uint8_t tries;
    uint8_t returned; /**< how often a connection turned out to have no room for it */
    bool once; /**< an address closed a new connection on it, or was silent: none gets it twice */
    uint32_t tried[EXCHANGE_MAX_TRIES]; /**< ids of the pools */
    bool own_answer;                    /**< the response is the program's own, and no error */
    bool response_started;              /**< the front has sent a head that is not interim */
    bool request_sent;                  /**< HTTP/2 back: our side of the stream has ended */
    uint8_t interim;                    /**< interim responses so far */
    bool head_ended_stream;             /**< HTTP/2 front: END_STREAM went out with the head */
    bool ended;
    enum exchange_error error; /**< why it failed; EXCHANGE_OK otherwise */
    struct timer timer;        /**< the front's, for a client that does not read or send */
    uint64_t timer_mark;       /**< octets that must have moved when it fires */
    bool timer_reads;          /**< it waits for the request, not for the response to leave */
    uint64_t up_credited;      /**< octets of the request body that the front may read others for */
    struct timer back_timer;   /**< the back's, for a backend that does not read or send */
    uint64_t back_timer_mark;
    bool back_timer_reads;

    uint64_t waits_since;    /**< clock_ms(), of its first queue or connection since a try failed */
    uint64_t started_ms;     /**< of clock_ms(), when the head was complete */
    struct timespec started; /**< the same by the wall clock */
    uint64_t sent_bytes;     /**< response body octets handed to the client's connection */
    struct reap reap;
};

/** Its list; the rest is the caller's. */
void client_info_init(struct client_info *c);

struct exchange *exchange_new(struct worker *w, struct client_info *client,
                              const struct exchange_ops *front_ops, void *front);

/** Routes the request and hands it to a back. Failure is told through front_ops->abort, at once. */
void exchange_begin(struct exchange *x);
/** Hands a request that no back has to one, or to the queue; what it has waited for may have come.
 * `pool`: the one that was chosen for it; NULL: that is still to be done. */
void exchange_dispatch(struct exchange *x, struct pool *pool);

/** How far a request had got at the back that lost it. */
enum exchange_progress {
    EXCHANGE_UNSENT,  /**< nothing of it was written */
    EXCHANGE_REFUSED, /**< the backend has said that it was not processed */
    EXCHANGE_SENT,    /**< the backend may have begun with it */
    EXCHANGE_ANSWERED /**< octets of a response have come */
};

/**
 * By a back, which has let go of it: it cannot be finished there. It is sent once more where that
 * is safe (docs/routing.md has the rule); where it is not, or when none is left, or too much was
 * tried, the front is told `why`.
 */
void exchange_lost(struct exchange *x, enum exchange_error why, enum exchange_progress progress);

/** The back that took it has no room for it after all: that was no try. */
void exchange_return(struct exchange *x);

/** Whose it is; NULL: the program's own. */
static inline struct client_info *exchange_client(const struct exchange *x)
{
    return x->is_check ? NULL : x->client;
}

/** No head has come, and all of the body is still here: another back could do all of it. */
static inline bool exchange_can_start_over(const struct exchange *x)
{
    return (x->up.taken == 0 || x->up.keeps) && x->response.status == 0;
}

/** Whether doing the request twice is the same as once (RFC 9110, 9.2.2). */
bool exchange_is_idempotent(const struct exchange *x);

/**
 * Whether a request can be taken from a backend that says nothing any more (it is then lost, with
 * EXCHANGE_BACKEND_SILENT), and would find another one: if not, it is better left where it is.
 */
bool exchange_can_move(struct exchange *x, enum exchange_progress progress);

/** By the back: a response head is in. */
void exchange_take_head(struct exchange *x);

/** Whether octets of `up` may go to the backend: those for a tunnel have to wait until it is open.
 */
static inline bool exchange_may_send_up(const struct exchange *x)
{
    return x->tunnel.wanted == TUNNEL_NONE || x->tunnel.open;
}

/** By the front: both directions of the tunnel have come to their ends, and the back has let go. */
static inline bool exchange_tunnel_is_over(const struct exchange *x)
{
    return x->tunnel.open && x->tunnel.down_sent && x->up.ended && x->back_ops == NULL;
}

/** Octets of bodies that have come so far, in either direction. */
static inline uint64_t exchange_moved(const struct exchange *x)
{
    return x->up.taken + x->up.len + x->down.taken + x->down.len;
}

/** By the back: it has failed. The back must have let go (exchange_detach_back). */
void exchange_fail(struct exchange *x, enum exchange_error why);

/** By the back, when it takes the exchange. It counts for `pool` until it is detached; NULL: for
 * none. */
void exchange_attach_back(struct exchange *x, struct pool *pool, const struct exchange_ops *ops,
                          void *back);
/** By the back, when it is done with the exchange or gives it up. */
void exchange_detach_back(struct exchange *x);

/** By the front: over. Tells a back that still has it, writes the access log, frees at the end of
 * the turn. */
void exchange_end(struct exchange *x, enum exchange_error why);

/**
 * By the front: the client's request is not acceptable, or not in time. A back that has it already
 * is told to let go. The front's own abort() is then called, which answers.
 */
void exchange_refuse(struct exchange *x, enum exchange_error why);

/** The error that is answered with this status; CLIENT_PROTOCOL when none is. */
enum exchange_error exchange_error_of_status(int status);

/** By the front: the status that its failure is to be answered with; 0: with none. */
int exchange_status_of_error(const struct exchange *x);
/** By the front: makes the error response in x->response and x->down, instead of what a backend
 * said. */
void exchange_make_error(struct exchange *x);

/**
 * Of `waiting` octets, how many have to leave within a stream's write time-out. All of a few, but
 * not just one of many: a peer that opens its window octet by octet would hold them for ever.
 */
static inline uint64_t exchange_step(size_t waiting)
{
    return waiting < 4096 ? waiting : 4096;
}

/* Moving bytes: the writer's and the reader's calls. */

/** The front has received request body bytes, or the back response body bytes. */
void exchange_push_up(struct exchange *x, const uint8_t *data, size_t len);
void exchange_push_down(struct exchange *x, const uint8_t *data, size_t len);
void exchange_end_up(struct exchange *x);
void exchange_end_down(struct exchange *x);
/** The back has taken `n` octets out of its pipe. Those that were taken before, for a try that
 * failed, are not credited again; but the front hears that there is room. */
void exchange_took_up(struct exchange *x, size_t n);
/** The front has taken `n` octets out of its pipe. */
void exchange_took_down(struct exchange *x, size_t n);

#endif
