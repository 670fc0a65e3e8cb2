/*
 * h2core: HTTP/2 (RFC 9113) without I/O. Bytes in, events out; actions in, bytes out. One engine
 * for both roles.
 *
 * No sockets, no clock, no callbacks, no globals. A connection belongs to one thread at a time.
 * Time is given by the caller in milliseconds of any monotonic clock.
 *
 * The way of a caller:
 *
 *     h2_conn_feed(c, bytes, len);
 *     while (h2_conn_next_event(c, now_ms, &ev)) {
 *         ... act on ev ...
 *     }
 *
 *     n = h2_conn_send(c, buf, cap);   // first control frames and header blocks, in order
 *     while ((id = h2_conn_next_writable(c, &limit, &user)) != 0) {   // then bodies, bound late
 *         h2_conn_data_frame(c, id, len, end_stream, header);
 *         ... header and `len` octets right behind it ...
 *     }
 *
 * Events are made one at a time while bytes are parsed (there is no queue of them), so not asking
 * for the next one is the back-pressure, and nothing that a peer sends can pile up inside.
 */
#ifndef H2CORE_H
#define H2CORE_H

#include <h2core/hpack.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum h2_role { H2_CLIENT, H2_SERVER };

/** Error codes of RFC 9113, section 7. */
enum h2_code {
    H2_NO_ERROR = 0x0,
    H2_PROTOCOL_ERROR = 0x1,
    H2_INTERNAL_ERROR = 0x2,
    H2_FLOW_CONTROL_ERROR = 0x3,
    H2_SETTINGS_TIMEOUT = 0x4,
    H2_STREAM_CLOSED = 0x5,
    H2_FRAME_SIZE_ERROR = 0x6,
    H2_REFUSED_STREAM = 0x7,
    H2_CANCEL = 0x8,
    H2_COMPRESSION_ERROR = 0x9,
    H2_CONNECT_ERROR = 0xa,
    H2_ENHANCE_YOUR_CALM = 0xb,
    H2_INADEQUATE_SECURITY = 0xc,
    H2_HTTP_1_1_REQUIRED = 0xd,
};

/** "PROTOCOL_ERROR" and so on; "UNKNOWN" for a code that is not in the registry. Static. */
const char *h2_code_name(uint32_t code);

enum h2_scope { H2_SCOPE_NONE, H2_SCOPE_STREAM, H2_SCOPE_CONN };

/** A failure: what to tell the peer, how far it reaches, and one static sentence for people. */
struct h2_fail {
    enum h2_code code;
    enum h2_scope scope;
    const char *why;
};

/** What an action came to. */
enum h2_rc {
    H2_OK = 0,
    H2_ERR_NOMEM,        /**< no memory; the connection can only be freed */
    H2_ERR_CLOSED,       /**< the connection has failed or may not send this any more */
    H2_ERR_NO_STREAM,    /**< no such stream, or it is closed */
    H2_ERR_STREAM_STATE, /**< the stream's state does not allow it (RFC 9113, 5.1) */
    H2_ERR_STREAM_LIMIT, /**< client: the peer's SETTINGS_MAX_CONCURRENT_STREAMS is reached; try
                            when one has ended */
    H2_ERR_NO_STREAM_ID, /**< client: the 31 bits of stream ids are used up; open a new connection
                          */
    H2_ERR_GOAWAY,       /**< client: the peer takes no new streams */
    H2_ERR_FIELDS, /**< the fields are not a valid message (RFC 9113, 8.2, 8.3); nothing was sent */
    H2_ERR_VALUE,  /**< an argument out of range (a setting's value, a window increment) */
};

const char *h2_rc_text(enum h2_rc rc);

enum h2_setting {
    H2_SETTINGS_HEADER_TABLE_SIZE = 0x1,
    H2_SETTINGS_ENABLE_PUSH = 0x2,
    H2_SETTINGS_MAX_CONCURRENT_STREAMS = 0x3,
    H2_SETTINGS_INITIAL_WINDOW_SIZE = 0x4,
    H2_SETTINGS_MAX_FRAME_SIZE = 0x5,
    H2_SETTINGS_MAX_HEADER_LIST_SIZE = 0x6,
    H2_SETTINGS_ENABLE_CONNECT_PROTOCOL = 0x8, /**< RFC 8441 */
    H2_SETTINGS_NO_RFC7540_PRIORITIES = 0x9,   /**< RFC 9218 */
};

/**
 * What a peer may make us keep or do. Every limit that is hit is a failure whose sentence names it.
 * h2_options_init() fills in the defaults, which are written with their reasons in h2_options.c.
 */
struct h2_limits {
    uint32_t header_list_bytes; /**< decoded names + values + 32 each, per header section; also
                                   announced */
    uint32_t
        header_fields; /**< fields per section, trailers too, pseudo-header fields not counted */
    uint32_t cookie_crumbs;       /**< cookie fields per section (RFC 9113, 8.2.3), counted apart */
    uint32_t continuation_frames; /**< CONTINUATION frames per block */
    uint32_t header_block_bytes;  /**< compressed octets per block */
    uint32_t settings_per_frame;  /**< entries of one SETTINGS frame */
    uint32_t queued_replies; /**< SETTINGS and PING acknowledgements and RST_STREAM not yet taken by
                                h2_conn_send */
    uint32_t output_bytes;   /**< octets waiting for h2_conn_send because of the peer's behaviour */
    uint32_t reset_burst;    /**< streams ended early, by the peer or by us because of its errors:
                                burst … */
    uint32_t reset_rate;     /**< … and refill per second */
    uint32_t glitch_burst; /**< odd but legal frames (empty, unknown, PRIORITY, tiny WINDOW_UPDATE):
                              burst … */
    uint32_t glitch_rate;  /**< … and refill per second */
    uint32_t closed_streams; /**< how many closed streams are remembered by how they were closed */
};

struct h2_options {
    const struct h2_allocator
        *alloc;                  /**< NULL: the C library's; must live as long as the connection */
    uint32_t header_table_size;  /**< decoder's table, announced (4096) */
    uint32_t encoder_table_size; /**< the most the encoder uses, whatever the peer allows (4096) */
    uint32_t max_concurrent_streams; /**< announced, peer-initiated streams (100) */
    uint32_t initial_window_size;    /**< announced, per stream, octets (65535) */
    uint32_t
        connection_window_size;   /**< by WINDOW_UPDATE at the start, octets (65535; not below) */
    uint32_t max_frame_size;      /**< announced, octets (16384) */
    bool enable_connect_protocol; /**< server: announce RFC 8441 (false) */
    bool require_settings_first;  /**< the peer's first frame must be SETTINGS (true, RFC 9113, 3.4)
                                   */
    struct h2_limits limits;
};

/** Fills in every default. */
void h2_options_init(struct h2_options *opts);

/* ---------------------------------------------------------------- life */

struct h2_conn;

/**
 * A connection. Its preface and first SETTINGS wait for h2_conn_send() at once. `opts` is copied.
 * NULL: no memory.
 */
struct h2_conn *h2_conn_new(enum h2_role role, const struct h2_options *opts);

/** Frees everything; NULL is allowed. Streams' user pointers are not touched. */
void h2_conn_free(struct h2_conn *c);

/**
 * Server, before the first byte is fed: the connection was upgraded from HTTP/1.1 (RFC 7540, 3.2).
 * `settings` is the decoded payload of HTTP2-Settings. Stream 1 exists after this and is half
 * closed (remote). H2_ERR_VALUE: not a valid SETTINGS payload; the upgrade must not be made.
 */
enum h2_rc h2_conn_upgrade(struct h2_conn *c, const uint8_t *settings, size_t len,
                           bool head_request);

/* ---------------------------------------------------------------- bytes in, events out */

enum h2_event_type {
    H2_EVENT_REQUEST = 1,   /**< server: a request head */
    H2_EVENT_RESPONSE,      /**< client: the final response head */
    H2_EVENT_INFORMATIONAL, /**< client: a 1xx response head */
    H2_EVENT_TRAILERS,      /**< a trailer section; always with end_stream */
    H2_EVENT_DATA,          /**< body bytes; `flow_len` is owed to h2_conn_consume() */
    /** The stream is gone: by the peer, or by us because of what it sent (by_peer tells). Also
     * told, with user == NULL, for each RST_STREAM that the engine sends on a stream that the
     * caller never knew or has finished with (a malformed or refused request, say). */
    H2_EVENT_RESET,
    H2_EVENT_SETTINGS,     /**< the peer's settings changed (ask h2_conn_peer_setting) */
    H2_EVENT_SETTINGS_ACK, /**< ours are in force */
    H2_EVENT_PING_ACK,     /**< `opaque` comes back */
    /** The peer takes no stream above last_stream_id. Client: each stream above it that is left
     * after this event is told by a RESET by_peer, REFUSED_STREAM. */
    H2_EVENT_GOAWAY,
    H2_EVENT_FAILED, /**< the connection is over: `fail`. A GOAWAY waits for h2_conn_send(). The
                        last event. */
};

struct h2_event {
    enum h2_event_type type;
    uint32_t stream_id;
    void *user;      /**< the stream's user pointer as it was set, NULL otherwise */
    bool end_stream; /**< REQUEST, RESPONSE, DATA, TRAILERS: the peer's side has ended with this */
    bool by_peer;    /**< RESET */
    enum h2_code code; /**< RESET, GOAWAY; what the peer sent may be an unknown number */
    const struct h2_field *fields; /**< head and trailer events; pseudo-header fields first; valid
                                      until the next call */
    size_t nfields;
    int64_t content_length; /**< REQUEST, RESPONSE: the declared one, -1 without */
    /** REQUEST: over a limit on header sections. `fields` are only the pseudo-header fields before
     * that, perhaps not all: answer 431. The body is not checked. */
    bool too_large;
    uint16_t status;     /**< RESPONSE, INFORMATIONAL */
    const uint8_t *data; /**< DATA: points into the fed bytes. GOAWAY: debug data */
    size_t len;
    uint32_t flow_len; /**< DATA: flow-controlled length, padding and its length octet included */
    uint32_t last_stream_id; /**< GOAWAY */
    uint8_t opaque[8];       /**< PING_ACK */
    struct h2_fail fail;     /**< FAILED, and RESET with !by_peer */
};

/**
 * Offers received bytes. They are not copied and must stay until h2_conn_next_event() has returned
 * false, or h2_conn_unread() was asked for and the rest is kept by the caller and fed again later
 * (together with what follows). Must not be called while bytes fed before are unread.
 */
void h2_conn_feed(struct h2_conn *c, const uint8_t *data, size_t len);

/**
 * Parses on until something has to be told. False: all fed bytes are taken (a partial frame is kept
 * inside). After H2_EVENT_FAILED it takes and ignores everything. No memory is reported as FAILED
 * with INTERNAL_ERROR.
 */
bool h2_conn_next_event(struct h2_conn *c, uint64_t now_ms, struct h2_event *ev);

/** How many of the fed bytes have not been taken; the unread ones are forgotten by the engine. */
size_t h2_conn_unread(struct h2_conn *c);

/* ---------------------------------------------------------------- actions */

/** A stream's user pointer: any owner the caller likes. Returned with each event. No stream:
 * nothing happens. */
void h2_stream_set_user(struct h2_conn *c, uint32_t stream_id, void *user);
void *h2_stream_user(const struct h2_conn *c, uint32_t stream_id);

/**
 * Client: sends a request head and opens a stream (*stream_id). Fields are checked (RFC
 * 9113, 8.3.1) and must begin with their pseudo-header fields. Field bytes are copied.
 */
enum h2_rc h2_conn_request(struct h2_conn *c, const struct h2_field *fields, size_t n,
                           bool end_stream, void *user, uint32_t *stream_id);

/** Client: whether h2_conn_request() would now find a free stream. */
bool h2_conn_can_request(const struct h2_conn *c);

/** Server: sends a response head. :status decides: 1xx is informational and must not end the
 * stream. */
enum h2_rc h2_conn_respond(struct h2_conn *c, uint32_t stream_id, const struct h2_field *fields,
                           size_t n, bool end_stream);

/** Sends a trailer section, which ends our side. All body bytes must have been sent. */
enum h2_rc h2_conn_trailers(struct h2_conn *c, uint32_t stream_id, const struct h2_field *fields,
                            size_t n);

/**
 * Resets a stream. Everything of it that waits is dropped, its events stop; bytes of it that still
 * arrive are accounted and swallowed (their window credit is given back by the engine). No event is
 * made for it. What DATA events have handed over is still owed to h2_conn_consume(), here as after
 * any other end of a stream, or the connection's window stays smaller by it.
 */
enum h2_rc h2_conn_reset(struct h2_conn *c, uint32_t stream_id, enum h2_code code);

/** `n` flow-controlled octets of this stream were taken by their reader. Updates are coalesced. A
 * stream that is gone is no error: the connection's credit is given back all the same. */
enum h2_rc h2_conn_consume(struct h2_conn *c, uint32_t stream_id, uint32_t n);

enum h2_rc h2_conn_ping(struct h2_conn *c, const uint8_t opaque[8]);

/** GOAWAY with last stream id 2^31-1 and NO_ERROR: "no new streams, please" (RFC 9113, 6.8). */
enum h2_rc h2_conn_shutdown_notice(struct h2_conn *c);

/** GOAWAY with the last stream that was taken; newer ones are refused from now on. Streams go on.
 * Idempotent. */
enum h2_rc h2_conn_shutdown(struct h2_conn *c);

/** GOAWAY with an error code; nothing is parsed after it. `why` (may be NULL) becomes the debug
 * data. */
enum h2_rc h2_conn_terminate(struct h2_conn *c, enum h2_code code, const char *why);

/* ---------------------------------------------------------------- bytes out */

/** Whether h2_conn_send() has something. */
bool h2_conn_wants_send(const struct h2_conn *c);

/** Moves waiting control frames and header blocks into buf; returns how many octets were written
 * (<= cap). */
size_t h2_conn_send(struct h2_conn *c, uint8_t *buf, size_t cap);

/** Tells the scheduler whether the caller has body bytes for this stream. No stream: nothing
 * happens. */
void h2_stream_set_ready(struct h2_conn *c, uint32_t stream_id, bool ready);

/**
 * The stream that is to send next, by urgency (RFC 9218) among those that are ready and have
 * window; 0: none. *limit (> 0) is the most octets that one DATA frame of it may carry now (windows
 * and the peer's frame size). Returns 0 while h2_conn_wants_send(): that goes first.
 */
uint32_t h2_conn_next_writable(struct h2_conn *c, size_t *limit, void **user);

#define H2_FRAME_HEADER_LEN 9

/**
 * Writes the frame header for `len` octets of DATA (1 .. the limit just given), charges the
 * windows, and ends our side of the stream when `end_stream`. The caller puts exactly `len` octets
 * right behind it.
 */
void h2_conn_data_frame(struct h2_conn *c, uint32_t stream_id, size_t len, bool end_stream,
                        uint8_t header[H2_FRAME_HEADER_LEN]);

/** Ends our side when its body bytes are all sent already: queues an empty DATA frame, which needs
 * no window. */
enum h2_rc h2_conn_end_stream(struct h2_conn *c, uint32_t stream_id);

/* ---------------------------------------------------------------- questions */

uint32_t h2_conn_peer_setting(const struct h2_conn *c, enum h2_setting id);
bool h2_conn_settings_acked(const struct h2_conn *c);   /**< all of ours */
uint32_t h2_conn_open_streams(const struct h2_conn *c); /**< both directions, not yet closed */
uint32_t h2_conn_last_peer_stream(const struct h2_conn *c);
bool h2_conn_failed(const struct h2_conn *c);
bool h2_conn_goaway_received(const struct h2_conn *c);
bool h2_conn_in_header_block(
    const struct h2_conn *c); /**< a header block has begun and not ended (for its timer) */

#ifdef __cplusplus
}
#endif

#endif
