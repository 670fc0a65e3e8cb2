/*
 * What the files of the engine share. Nothing here is for callers.
 *
 *   h2_rx.c           bytes to frames: steps, frame legality, the one place that acts on failures
 *   h2_rx_data.c      DATA                     h2_rx_headers.c   header blocks to events
 *   h2_rx_control.c   all other frames         h2_settings.c     settings of both sides
 *   h2_fields.c       what makes a received section malformed, and what may not be sent
 *   h2_normalize.c    fields made to be what they should be
 *   h2_tx.c           the output buffer and the frames in it
 *   h2_actions.c      what the caller does with streams
 *   h2_announce.c     what the caller says beside messages: PING, priorities, ALTSVC, ORIGIN, …
 *   h2_stream.c       the streams by id, and the memory of closed ones
 *   h2_state.c        the states of a stream   h2_conn_state.c   the states of a connection
 *   h2_flow.c         windows                  h2_sched.c        who sends next
 *   h2_priority.c     the priority field       h2_limits.c       token buckets
 *   h2_conn.c         life, shutdown, failure, questions         h2_upgrade.c     from HTTP/1.1
 *   h2_trace.c        records for the trace hook                 h2_text.c        names, sentences
 *   h2_options.c      the defaults, with their reasons
 */
#ifndef H2CORE_H2_INTERNAL_H
#define H2CORE_H2_INTERNAL_H

#include "h2core/h2core.h"

#include <assert.h>
#include <string.h>

/* ---------------------------------------------------------------- figures of the protocol */

#define H2_PREFACE           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_LEN       24u
#define H2_MAX_WINDOW        0x7fffffff
#define H2_MAX_STREAM_ID     0x7fffffffu
#define H2_DEFAULT_WINDOW    65535u /* RFC 9113, 6.9.2 */
#define H2_DEFAULT_MAX_FRAME 16384u
#define H2_DEFAULT_URGENCY   3 /* RFC 9218, 4.1 */
#define H2_URGENCIES         8

enum h2_frame_type {
#define FRAME(name, type, id, least, most, scope, receiver) H2_FRAME_##name = type,
#include "frames.def"
#undef FRAME
};

enum h2_frame_flags {
    H2_FLAG_ACK = 0x1, /* SETTINGS, PING */
    H2_FLAG_END_STREAM = 0x1,
    H2_FLAG_END_HEADERS = 0x4,
    H2_FLAG_PADDED = 0x8,
    H2_FLAG_PRIORITY = 0x20,
};

#define H2_PRIORITY_LEN 5 /* RFC 7540, 6.3: E and stream dependency, weight */

struct h2_frame {
    uint32_t length;
    uint32_t stream_id;
    uint8_t type;
    uint8_t flags;
};

/* ---------------------------------------------------------------- failures */

static inline struct h2_fail h2_no_fail(void)
{
    return (struct h2_fail){H2_OK, H2_NO_ERROR, H2_SCOPE_NONE, NULL};
}

static inline struct h2_fail h2_stream_fail(enum h2_error error, enum h2_code code, const char *why)
{
    return (struct h2_fail){error, code, H2_SCOPE_STREAM, why};
}

static inline struct h2_fail h2_conn_fail(enum h2_error error, enum h2_code code, const char *why)
{
    return (struct h2_fail){error, code, H2_SCOPE_CONN, why};
}

static inline struct h2_fail h2_limit_fail(const char *why)
{
    return h2_conn_fail(H2_ERR_LIMIT, H2_ENHANCE_YOUR_CALM, why);
}

/* ---------------------------------------------------------------- state tables */

/* What a table says to an input. The empty entry is H2_ERROR: it cannot come, or is the caller's
 * mistake. */
enum h2_verdict {
    H2_ERROR = 0,
    H2_ACCEPT, /* do it and go to `next` */
    H2_IGNORE, /* it may have been on its way: account for it, drop it */
    H2_REJECT, /* the failure given */
};

struct h2_move {
    enum h2_verdict verdict;
    uint8_t next; /* a state of the table's machine */
    struct h2_fail fail;
};

/* ---- streams (h2_state.c); the states themselves are in h2core.h */

#define H2_STATE_COUNT (H2_STATE_CLOSED_SKIPPED + 1)

enum h2_input {
    H2_RX_HEADERS,
    H2_RX_DATA,
    H2_RX_END, /* END_STREAM of a frame that was accepted */
    H2_RX_RST,
    H2_RX_WINDOW_UPDATE,
    H2_RX_PROMISE,  /* PUSH_PROMISE on the stream */
    H2_RX_PROMISED, /* PUSH_PROMISE of the stream */
    H2_RX_INPUTS,
    H2_TX_HEADERS = H2_RX_INPUTS,
    H2_TX_DATA,
    H2_TX_END,
    H2_TX_RST,
    H2_TX_PROMISE,
    H2_TX_PROMISED,
    H2_TX_ALTSVC,
    H2_INPUT_COUNT
};

const struct h2_move *h2_state_move(enum h2_stream_state state, enum h2_input input);
const char *h2_input_name(enum h2_input input);

/* There is an object for it. */
static inline bool h2_state_is_live(enum h2_stream_state state)
{
    return state >= H2_STATE_RESERVED_LOCAL && state <= H2_STATE_HALF_CLOSED_REMOTE;
}

/* It counts for SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, 5.1.2). */
static inline bool h2_state_is_active(enum h2_stream_state state)
{
    return state >= H2_STATE_OPEN && state <= H2_STATE_HALF_CLOSED_REMOTE;
}

/* ---- the connection (h2_conn_state.c) */

enum h2_conn_state {
    H2_CONN_PREFACE,         /* server: the client's preface has not come yet */
    H2_CONN_PREFACE_LEAVING, /* … and we have sent GOAWAY */
    H2_CONN_SETTINGS,        /* the peer's first SETTINGS has not come yet */
    H2_CONN_SETTINGS_LEAVING,
    H2_CONN_OPEN,
    H2_CONN_GOAWAY_SENT,
    H2_CONN_GOAWAY_RECEIVED,
    H2_CONN_GOAWAY_BOTH,
    H2_CONN_FAILED, /* the caller is to be told */
    H2_CONN_CLOSED, /* the caller knows */
    H2_CONN_STATE_COUNT
};

enum h2_conn_input {
    H2_CONN_RX_PREFACE,
    H2_CONN_RX_SETTINGS, /* but acknowledgements */
    H2_CONN_RX_GOAWAY,
    H2_CONN_RX_STREAM, /* a frame that opens a stream */
    H2_CONN_RX_FRAME,  /* any other */
    H2_CONN_TX_STREAM,
    H2_CONN_TX_GOAWAY, /* the last word; not the notice that comes before it */
    H2_CONN_TX_FRAME,
    H2_CONN_BREAK, /* a failure */
    H2_CONN_CLOSE, /* the caller ends it, or was told */
    H2_CONN_INPUT_COUNT
};

const struct h2_move *h2_conn_state_move(enum h2_conn_state state, enum h2_conn_input input);
const char *h2_conn_state_name(enum h2_conn_state state);
const char *h2_conn_input_name(enum h2_conn_input input);

/* ---------------------------------------------------------------- objects */

/*
 * A receive window: left + held + owed (+ what of a frame is still coming) is its size, always.
 *
 *     |<------------------------------ size ------------------------------>|
 *     | left: the peer may send | held: with the caller | owed: to be told |
 */
struct h2_rx_window {
    int32_t left; /* negative after SETTINGS made it smaller (RFC 9113, 6.9.2) */
    uint32_t held;
    uint32_t owed;
};

/* Only live streams have one. Owner: the connection. */
struct h2_stream {
    struct h2_stream *next; /* in the map's chain, or in the list of free ones */
    struct h2_stream *queue_prev;
    struct h2_stream *queue_next;
    void *user;
    int64_t content_left; /* octets that content-length still promises; -1: any number may come */
    uint32_t id;
    int32_t tx_window;
    struct h2_rx_window rx;
    uint8_t state; /* enum h2_state */
    uint8_t urgency;
    uint8_t interims; /* 1xx heads received */
    bool incremental;
    bool ready;        /* the caller has body bytes for it */
    bool queued;       /* with the scheduler */
    bool head_request; /* its method is HEAD */
    bool connect;      /* its method is CONNECT */
    bool tunnel;       /* … and was answered by 2xx: DATA only (RFC 9113, 8.5) */
    bool inbound;      /* the peer has opened it */
    bool rx_head;      /* the final head has been received */
    bool tx_head;      /* the final head has been sent */
};

struct h2_map {
    struct h2_stream **buckets; /* a power of two of them, or NULL */
    uint32_t nbuckets;
    uint32_t count;
    struct h2_stream *free;
};

/* How the latest streams were closed: a ring of their ids, and behind it one of their states. */
struct h2_closed {
    uint32_t *ids;
    uint8_t *ways;
    bool forgot; /* the oldest one has been written over */
    uint32_t cap;
    uint32_t count;
    uint32_t next;
};

struct h2_queue {
    struct h2_stream *first;
    struct h2_stream *last;
};

struct h2_sched {
    struct h2_queue in_order[H2_URGENCIES];    /* non-incremental, by id */
    struct h2_queue round_robin[H2_URGENCIES]; /* incremental */
    uint8_t used;                              /* a bit per urgency with a stream in either queue */
    uint8_t turn;                              /* a bit per urgency: round_robin is next */
    uint8_t frames;                            /* since a less urgent one had its turn */
    uint8_t favoured;                          /* the urgency that had it */
};

struct h2_bucket {
    uint64_t milli; /* thousandths of a token */
    uint64_t at_ms; /* when it was last filled */
};

/* What is charged to a bucket. */
enum h2_budget {
    H2_BUDGET_RESETS,  /* the peer resets a stream */
    H2_BUDGET_ERRORS,  /* the peer makes us reset one */
    H2_BUDGET_EMPTY,   /* a frame of a message that carries nothing */
    H2_BUDGET_CONTROL, /* a frame that is no part of a message, or comes to nothing */
    H2_BUDGETS
};

/* Memory that an event points to, freed with the next call. */
struct h2_lent {
    struct h2_lent *next;
};

/* One SETTINGS frame of ours that is not acknowledged yet; then lent to the event that says so. */
struct h2_pending {
    struct h2_lent lent;
    struct h2_pending *next;
    uint32_t n;
    struct h2_setting_change changes[]; /* `before` is filled in when they come into force */
};

/* A PRIORITY_UPDATE for a stream that is not open yet. */
struct h2_early_priority {
    uint32_t stream_id; /* 0: free */
    uint8_t urgency;
    bool incremental;
};

#define H2_EARLY_PRIORITIES 4

enum h2_rx_step {
    H2_STEP_PREFACE,
    H2_STEP_HEADER,
    H2_STEP_PAYLOAD,  /* collect the payload, then act on the frame */
    H2_STEP_DATA_PAD, /* the pad length octet of DATA */
    H2_STEP_DATA,     /* hand out DATA as it comes */
    H2_STEP_SKIP,
};

struct h2_rx {
    const uint8_t *in; /* fed and not taken: [in, end) */
    const uint8_t *end;
    enum h2_rx_step step;
    uint8_t header_len; /* octets in `header`; of the preface, octets matched */
    uint8_t header[H2_FRAME_HEADER_LEN];
    struct h2_frame frame;
    uint32_t target;    /* the stream that a stream error of the frame is about */
    uint32_t left;      /* payload octets to skip */
    uint32_t data_left; /* DATA: body octets to come */
    uint32_t data_pad;  /* DATA: padding and its length octet */

    /* What comes in pieces: [0, block_len) the header block so far, [block_len, len) the frame
     * being received. */
    uint8_t *buf;
    uint32_t cap;
    uint32_t len;
    uint32_t block_len;

    uint32_t block_stream;   /* stream of the header block that is being received, 0: none */
    uint32_t block_promised; /* PUSH_PROMISE: the stream that it promises, 0: HEADERS */
    uint32_t block_frames;   /* CONTINUATION frames of it */
    struct h2_priority block_priority;
    bool block_has_priority;
    bool block_end_stream;
    bool block_opens; /* it is a new stream */
    bool block_drop;  /* decode it, do nothing else */
    struct h2_fail block_fail;

    struct h2_field *fields; /* of the event just told */
    uint32_t fields_cap;
    struct h2_lent *lent; /* other memory that the event just told points to */
    bool decoded;         /* the HPACK decoder may hold strings */

    uint32_t ended; /* STREAM_ENDED is to be told for this stream, 0: none … */
    void *ended_user;
};

struct h2_tx {
    uint8_t *buf; /* [off, len) waits for h2_conn_send() */
    size_t cap;
    size_t off;
    size_t len;
    uint32_t replies; /* frames in it that the peer made us send */
    int32_t window;   /* the connection's send window */
};

#define H2_SETTING_SLOTS (H2_SETTINGS_NO_RFC7540_PRIORITIES + 1)

struct h2_conn {
    enum h2_role role;
    enum h2_conn_state state;
    struct h2_options opts;
    struct h2_allocator alloc; /* what opts.alloc points to, if anything */
    uint64_t now_ms;
    struct hpack_decoder *decoder;
    struct hpack_encoder *encoder;

    struct h2_rx rx;
    struct h2_tx tx;
    struct h2_rx_window rx_window; /* of the connection */
    uint32_t rx_window_size;
    struct h2_map map;
    struct h2_closed closed;
    struct h2_sched sched;
    struct h2_bucket buckets[H2_BUDGETS];
    struct h2_early_priority early[H2_EARLY_PRIORITIES];
    uint32_t early_next;

    uint32_t peer[H2_SETTING_SLOTS];      /* the peer's settings, by id */
    uint32_t local[H2_SETTING_SLOTS];     /* ours, as acknowledged */
    uint32_t announced[H2_SETTING_SLOTS]; /* ours, as last sent */
    struct h2_pending *pending;           /* sent and not acknowledged, oldest first */
    bool peer_settings;                   /* the peer has sent some */

    uint32_t next_id;        /* of the next stream that we open */
    uint32_t active_out;     /* open or half-closed streams of ours … */
    uint32_t active_in;      /* … and of the peer */
    uint32_t last_seen;      /* highest stream id that the peer has used */
    uint32_t last_processed; /* highest stream id of the peer that was told to the caller */
    uint32_t goaway_last;    /* sent: streams above it are ignored */
    uint32_t goaway_peer;    /* received: last stream id */
    bool orphans;            /* streams above goaway_peer have to be told */

    struct h2_fail fail;  /* why it is over, … */
    uint32_t fail_stream; /* … and the stream of the frame that did it */
};

static inline bool h2_is_over(const struct h2_conn *c)
{
    return c->state >= H2_CONN_FAILED;
}

static inline bool h2_is_ours(const struct h2_conn *c, uint32_t id)
{
    return (id % 2 == 1) == (c->role == H2_CLIENT);
}

/* RFC 8441, section 3: as last said. */
static inline bool h2_connect_protocol_offered(const struct h2_conn *c)
{
    return c->announced[H2_SETTINGS_ENABLE_CONNECT_PROTOCOL] != 0;
}

static inline bool h2_is_muted(const struct h2_conn *c, enum h2_event_type type)
{
    return (c->opts.mute >> type & 1u) != 0;
}

/* ---------------------------------------------------------------- h2_conn.c */

/* realloc for this connection; size 0 frees. */
void *h2_resize(const struct h2_conn *c, void *p, size_t size);

/* The connection is over: queues GOAWAY and remembers what to tell. Only the first call counts. */
void h2_conn_break(struct h2_conn *c, struct h2_fail fail);
void h2_conn_break_nomem(struct h2_conn *c);

/* The preface was exchanged: where SETTINGS need not come first, any frame may come now. */
void h2_conn_skip_settings(struct h2_conn *c);

/* h2_conn_state.c: moves the connection by an input that the table accepts. */
void h2_conn_move(struct h2_conn *c, enum h2_conn_input input);

/* H2_OK, or why an action cannot be taken now. */
enum h2_error h2_conn_may(const struct h2_conn *c, enum h2_conn_input input);

/* What an action came to that can only lack memory. */
static inline enum h2_error h2_result(const struct h2_conn *c)
{
    return h2_is_over(c) ? H2_ERR_NOMEM : H2_OK;
}

/* ---------------------------------------------------------------- h2_stream.c */

struct h2_stream *h2_stream_find(const struct h2_conn *c, uint32_t id);

/* The live stream that may be given this input, and H2_OK, or why not. */
enum h2_error h2_stream_may(const struct h2_conn *c, uint32_t id, enum h2_input input,
                            struct h2_stream **s);

/* A live stream with fresh windows. NULL: no memory (the connection is then broken). */
struct h2_stream *h2_stream_open(struct h2_conn *c, uint32_t id, enum h2_stream_state state);

/* Moves by an input that the table accepts. Closing frees the stream: *s is NULL then. */
void h2_stream_move(struct h2_conn *c, struct h2_stream **s, enum h2_input input);

/* Remembers how a stream was closed that never became an object. */
void h2_closed_remember(struct h2_conn *c, uint32_t id, enum h2_stream_state way);

/* All live streams: first with s == NULL. The one given must not have been freed. */
struct h2_stream *h2_map_next(const struct h2_conn *c, const struct h2_stream *s);

void h2_streams_free(struct h2_conn *c);

/* ---------------------------------------------------------------- h2_flow.c */

/* Octets of a DATA frame arrive. False: more than the window allows. */
bool h2_rx_window_take(struct h2_rx_window *w, uint32_t n);

/* Held octets are taken by their reader; s may be NULL. Queues WINDOW_UPDATE when enough is owed.
 */
void h2_flow_give_back(struct h2_conn *c, struct h2_stream *s, uint32_t n);

/* Adds to a send window. False: it would go past 2^31-1. */
bool h2_tx_window_add(int32_t *window, int64_t n);

/* SETTINGS_INITIAL_WINDOW_SIZE changed: the peer's moves our send windows, ours moves the receive
 * windows. */
void h2_flow_set_tx_initial(struct h2_conn *c, uint32_t size);
/* False: it would take a send window past 2^31-1. */
bool h2_flow_may_set_tx_initial(const struct h2_conn *c, uint32_t size);
void h2_flow_set_rx_initial(struct h2_conn *c, uint32_t size);
/* False: it would take a receive window past 2^31-1. */
bool h2_flow_may_set_rx_initial(const struct h2_conn *c, uint32_t size);

/* ---------------------------------------------------------------- h2_sched.c, h2_priority.c */

/* Puts the stream into its queue or takes it out, by what it could do now. */
void h2_sched_update(struct h2_conn *c, struct h2_stream *s);
void h2_sched_remove(struct h2_conn *c, struct h2_stream *s);
void h2_sched_set_priority(struct h2_conn *c, struct h2_stream *s, uint8_t urgency,
                           bool incremental);
/* It has sent a frame: the next one's turn. */
void h2_sched_sent(struct h2_conn *c, struct h2_stream *s);
struct h2_stream *h2_sched_next(const struct h2_conn *c);

/* Reads a priority field value (RFC 9218, 4); members that are absent or wrong leave what is there.
 */
void h2_priority_parse(const char *value, size_t len, uint8_t *urgency, bool *incremental);

/* ---------------------------------------------------------------- h2_limits.c */

void h2_bucket_fill(struct h2_bucket *b, uint32_t burst);
/* False: empty. */
bool h2_bucket_take(struct h2_bucket *b, uint32_t burst, uint32_t rate, uint64_t now_ms);

void h2_limits_init(struct h2_conn *c);

/* Takes one from a budget. The failure names the limit. */
struct h2_fail h2_charge(struct h2_conn *c, enum h2_budget budget);

/* Octets of messages came: control frames beside them are normal. */
void h2_earn_payload(struct h2_conn *c, uint32_t octets);
/* A DATA frame was sent: two WINDOW_UPDATE frames are normal. */
void h2_earn_data_sent(struct h2_conn *c);

/* A frame that we have to answer, and one that makes the caller answer. */
struct h2_fail h2_charge_reply(struct h2_conn *c);
struct h2_fail h2_check_output(const struct h2_conn *c);

/* ---------------------------------------------------------------- h2_settings.c */

#define H2_SETTING_LEN 6u /* octets of one in a frame */

void h2_settings_init(struct h2_conn *c);
void h2_settings_free(struct h2_conn *c);

/* The peer's, in order. `changes` (may be NULL) has room for each. */
struct h2_fail h2_settings_apply(struct h2_conn *c, const uint8_t *p, size_t len,
                                 struct h2_setting_change *changes);

/* What our first SETTINGS says, as a payload: at most H2_SETTING_SLOTS entries. Returns octets. */
size_t h2_settings_first(const struct h2_conn *c, uint8_t *p);

/* Queues our first SETTINGS, and the WINDOW_UPDATE that opens the connection's window. */
void h2_settings_send_first(struct h2_conn *c);

/* The oldest unacknowledged ones come into force. It is the caller's to free; NULL: there are none.
 */
struct h2_pending *h2_settings_in_force(struct h2_conn *c);

/* ---------------------------------------------------------------- h2_fields.c */

enum h2_section { H2_SECTION_REQUEST, H2_SECTION_RESPONSE, H2_SECTION_TRAILERS };

struct h2_span {
    const char *p; /* NULL: absent */
    uint32_t len;
};

/* What is learnt of a section while its fields pass. */
struct h2_head {
    enum h2_section section;
    const char *malformed; /* why it is; NULL: it is not, so far */
    bool regular;          /* a field that is not a pseudo-header field was seen */
    bool authority_port;   /* :authority has a port */
    uint16_t status;
    int64_t content_length; /* -1: none */
    struct h2_span method, scheme, path, authority, protocol, host, priority;
};

enum h2_field_use { H2_FIELD_KEEP, H2_FIELD_DROP, H2_FIELD_MALFORMED };

void h2_head_begin(struct h2_head *h, enum h2_section section);

/* The next field. It may shorten its value (a content-length given twice); DROP: an equal one was
 * seen already; MALFORMED: it is as it was. */
enum h2_field_use h2_head_field(struct h2_head *h, struct h2_field *f);

/* All fields have passed. False: malformed. */
bool h2_head_end(struct h2_head *h, bool connect_protocol);

static inline bool h2_span_is(struct h2_span s, const char *text)
{
    return s.p != NULL && s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

/* Whether a value that is not empty begins or ends with white space, or with a control, which is no
 * better. */
static inline bool h2_has_outer_space(const struct h2_field *f)
{
    return (uint8_t)f->value[0] <= ' ' || (uint8_t)f->value[f->value_len - 1] <= ' ';
}

/* RFC 9113, 8.4: a request that is safe and cacheable (RFC 9110, 9.2), and has no body. */
bool h2_may_be_promised(const struct h2_head *h);

/* Checks fields that are to be sent and reads the same from them; names may come without a token.
 */
bool h2_fields_sendable(struct h2_head *h, enum h2_section section, const struct h2_field *fields,
                        size_t n);
/* The same without the checks. */
void h2_fields_read(struct h2_head *h, enum h2_section section, const struct h2_field *fields,
                    size_t n);

/* Whether there are capital letters (ASCII) among n octets. */
bool h2_has_upper(const char *p, size_t n);

/* Fields that speak about an HTTP/1.1 connection (RFC 9113, 8.2.2). */
bool h2_is_connection_specific(const struct h2_field *f, uint8_t token);

/* ---------------------------------------------------------------- h2_normalize.c */

/* A list of fields that is perhaps a copy in memory of its own (NULL: it is not). */
struct h2_list {
    const struct h2_field *fields;
    size_t n;
    struct h2_lent *memory;
};

/*
 * Lower-case names, values without white space around them, no connection-specific fields. False:
 * no memory (the connection is then broken). What comes out points into what went in where nothing
 * had to change; `memory` is the caller's to free.
 */
bool h2_normalize(struct h2_conn *c, const struct h2_field *fields, size_t n, struct h2_list *out);

bool h2_names_have_upper(const struct h2_field *fields, size_t n);

/* RFC 9113, 8.2.3: joins the cookie fields into the first one of them, in place; its value is lent.
 * False: no memory (broken). */
bool h2_join_cookies(struct h2_conn *c, struct h2_field *fields, uint32_t *n);

/* ---------------------------------------------------------------- receiving */

/* h2_rx.c: keeps memory for the event that is being told. */
void h2_lend(struct h2_conn *c, struct h2_lent *memory);
void h2_lent_free(struct h2_conn *c);

/* h2_rx.c: whether frames.def has the type. */
bool h2_is_known_frame(uint8_t type);

/* h2_rx.c: appends a piece to rx.buf, growing it no further than `most`. False: no memory. */
bool h2_rx_keep(struct h2_conn *c, const uint8_t *p, uint32_t len, uint32_t most);
void h2_rx_drop_buf(struct h2_conn *c);

/* END_STREAM came with the event that is being told: STREAM_ENDED follows, the stream moves on. */
void h2_rx_end_of_stream(struct h2_conn *c, struct h2_stream *s);

/* Nothing is fed. */
void h2_rx_empty(struct h2_conn *c);

/* h2_rx_data.c: the frame header was accepted; the pad length is known; bytes have come (false:
 * starved). */
struct h2_fail h2_rx_data_begin(struct h2_conn *c);
struct h2_fail h2_rx_data_pad(struct h2_conn *c, uint8_t pad);
bool h2_rx_data(struct h2_conn *c, struct h2_event *ev);

/* h2_rx_headers.c: frames with their whole payload. */
struct h2_fail h2_rx_headers(struct h2_conn *c, const uint8_t *p, uint32_t len,
                             struct h2_event *ev);
struct h2_fail h2_rx_push_promise(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                  struct h2_event *ev);
struct h2_fail h2_rx_continuation(struct h2_conn *c, const uint8_t *p, uint32_t len,
                                  struct h2_event *ev);

/* h2_rx_control.c */
struct h2_fail h2_rx_control(struct h2_conn *c, const uint8_t *p, uint32_t len,
                             struct h2_event *ev);

/* ---------------------------------------------------------------- h2_tx.c */

static inline uint32_t h2_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void h2_put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

void h2_put_frame_header(uint8_t *p, uint32_t len, uint8_t type, uint8_t flags, uint32_t id);
struct h2_frame h2_get_frame_header(const uint8_t *p);

/*
 * Each queues one frame. No memory breaks the connection, so that none of them has a result to
 * check; on a connection that is over nothing is queued but its GOAWAY.
 */
void h2_tx_raw(struct h2_conn *c, const void *p, size_t len);
void h2_tx_frame(struct h2_conn *c, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                 size_t len);
void h2_tx_rst_stream(struct h2_conn *c, uint32_t id, enum h2_code code);
void h2_tx_window_update(struct h2_conn *c, uint32_t id, uint32_t increment);
void h2_tx_goaway(struct h2_conn *c, uint32_t last_id, enum h2_code code, const void *debug,
                  size_t len);

/* The first frame of a header block: HEADERS or PUSH_PROMISE. */
struct h2_block {
    uint8_t type;
    uint8_t flags; /* END_STREAM, PRIORITY */
    uint32_t stream_id;
    uint8_t prefix[H2_PRIORITY_LEN]; /* what stands before the block: priority, promised id */
    uint8_t prefix_len;
};

void h2_tx_block(struct h2_conn *c, const struct h2_block *block, const struct h2_field *fields,
                 size_t n);

/* Whether a stream may have this priority (RFC 7540, 5.3). */
bool h2_priority_ok(const struct h2_priority *priority, uint32_t stream_id);
void h2_put_priority(uint8_t p[H2_PRIORITY_LEN], const struct h2_priority *priority);
struct h2_priority h2_get_priority(const uint8_t p[H2_PRIORITY_LEN]);

/*
 * A frame in the output whose payload is written in place: its header is there after begin, which
 * returns where `len` octets go (NULL: no memory, the connection is broken); end tells the trace
 * hook.
 */
uint8_t *h2_tx_begin(struct h2_conn *c, uint8_t type, uint8_t flags, uint32_t id, size_t len);
void h2_tx_end(const struct h2_conn *c, const uint8_t *payload);

/* Room at the end of the output, to be filled at once. NULL: no memory; the connection is broken.
 */
uint8_t *h2_tx_reserve(struct h2_conn *c, size_t n);

/* No stream is open and nothing waits: an idle connection holds no output buffer. */
void h2_tx_idle(struct h2_conn *c);

/* ---------------------------------------------------------------- h2_trace.c */

/* Out of line, as hardly anybody traces. */
void h2_trace_frame_always(const struct h2_conn *c, enum h2_trace_kind kind,
                           const struct h2_frame *f, const uint8_t *payload);
void h2_trace_state_always(const struct h2_conn *c, enum h2_trace_kind kind, uint32_t id,
                           const char *from, const char *to);

static inline bool h2_is_traced(const struct h2_conn *c)
{
    return __builtin_expect(c->opts.trace != NULL, 0);
}

/* A frame that stands in the output: header and payload. */
void h2_trace_sent_always(const struct h2_conn *c, const uint8_t *header);

static inline void h2_trace_sent(const struct h2_conn *c, const uint8_t *header)
{
    if (h2_is_traced(c)) {
        h2_trace_sent_always(c, header);
    }
}

static inline void h2_trace_received(const struct h2_conn *c, const uint8_t *payload)
{
    if (h2_is_traced(c)) {
        h2_trace_frame_always(c, H2_TRACE_FRAME_RECEIVED, &c->rx.frame, payload);
    }
}

#endif
