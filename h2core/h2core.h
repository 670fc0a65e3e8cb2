/*
 * h2core: HTTP/2 (RFC 9113) without I/O. Bytes in, events out; actions in, bytes out. One engine
 * for both roles.
 *
 * No sockets, no clock, no globals. A connection belongs to one thread at a time. Time is given by
 * the caller in milliseconds of any monotonic clock.
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
 *
 * A caller with little to send may leave the second half out: h2_conn_send_data() copies body bytes
 * into the output of h2_conn_send().
 *
 * What a peer sends never ends the process, and what an action cannot do is its result. Only misuse
 * that no check of the caller's could excuse is an assertion, alive in release builds: NULL where a
 * pointer is needed, feeding before all is read (h2_conn_feed), a DATA header for more or less than
 * was offered (h2_conn_data_frame), an upgrade behind other calls (h2_conn_upgrade), a token that
 * does not exist.
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

/** Which end of a connection an engine is. */
enum h2_role {
    H2_CLIENT, /**< sends the preface and requests */
    H2_SERVER, /**< answers them */
};

/* ---------------------------------------------------------------- errors */

/** Error codes of the wire (RFC 9113, section 7). */
enum h2_code {
    H2_NO_ERROR = 0x0,            /**< a graceful end */
    H2_PROTOCOL_ERROR = 0x1,      /**< a rule was broken that has no code of its own */
    H2_INTERNAL_ERROR = 0x2,      /**< the sender's own fault */
    H2_FLOW_CONTROL_ERROR = 0x3,  /**< more than a window allowed */
    H2_SETTINGS_TIMEOUT = 0x4,    /**< SETTINGS were not acknowledged in time */
    H2_STREAM_CLOSED = 0x5,       /**< a frame on a stream that was half closed or closed */
    H2_FRAME_SIZE_ERROR = 0x6,    /**< a frame of a wrong length */
    H2_REFUSED_STREAM = 0x7,      /**< the stream was not processed at all: it may be tried again */
    H2_CANCEL = 0x8,              /**< the stream is no longer wanted */
    H2_COMPRESSION_ERROR = 0x9,   /**< the HPACK state is lost */
    H2_CONNECT_ERROR = 0xa,       /**< the connection behind a CONNECT was reset */
    H2_ENHANCE_YOUR_CALM = 0xb,   /**< the peer asks for too much */
    H2_INADEQUATE_SECURITY = 0xc, /**< TLS is below what RFC 9113, 9.2 wants */
    H2_HTTP_1_1_REQUIRED = 0xd,   /**< to be tried again over HTTP/1.1 */
};

/** "PROTOCOL_ERROR" and so on; "UNKNOWN" for a code that is not in the registry. Static. */
H2_API const char *h2_code_name(uint32_t code);

/**
 * What an action came to, and what was wrong in a failure.
 *
 * Any action can be told H2_ERR_CLOSED or H2_ERR_NOMEM; one on a stream also H2_ERR_NO_STREAM,
 * H2_ERR_STREAM_CLOSED or H2_ERR_STREAM_STATE; one with fields also H2_ERR_FIELDS. What else a
 * function returns is said there. An action that is told anything but H2_OK has sent nothing.
 */
enum h2_error {
    H2_OK = 0,            /**< done */
    H2_ERR_NOMEM,         /**< no memory; the connection can only be freed */
    H2_ERR_CLOSED,        /**< the connection is over */
    H2_ERR_GOAWAY,        /**< GOAWAY was sent or received: no new streams */
    H2_ERR_NO_STREAM,     /**< the stream was never opened */
    H2_ERR_STREAM_CLOSED, /**< the stream is closed */
    H2_ERR_STREAM_STATE,  /**< the stream's state does not allow it (RFC 9113, 5.1) */
    H2_ERR_STREAM_ID_LOW, /**< a stream id lower than one used before (5.1.1) */
    H2_ERR_NO_STREAM_ID,  /**< the 31 bits of stream ids are used up: open a new connection */
    H2_ERR_STREAM_LIMIT,  /**< SETTINGS_MAX_CONCURRENT_STREAMS is reached; as the result of an
                             action: try again when a stream has ended */
    H2_ERR_FLOW_CONTROL,  /**< more than a window allows, or a window past 2^31-1 (6.9) */
    H2_ERR_FRAME_SIZE,    /**< a frame too large, or of a length that its type has not (4.2) */
    H2_ERR_FRAME_DATA,    /**< a frame that ends before what it must carry; padding beyond it */
    H2_ERR_FRAME_TYPE,    /**< a frame that may not come here, or not from this side */
    H2_ERR_SETTING,       /**< a setting's value out of range, or one that may not change so */
    H2_ERR_BODY_LENGTH,   /**< the body is not as long as content-length says (8.1.1) */
    H2_ERR_FIELDS,        /**< the fields are not a valid message (8.2, 8.3); of an action:
                             nothing was sent */
    H2_ERR_COMPRESSION,   /**< a header block that cannot be decompressed (4.3) */
    H2_ERR_LIMIT,         /**< a limit of struct h2_limits was hit: the sentence names it */
    H2_ERR_UNWISE,        /**< allowed, but of no use to anybody: a server that sends priorities */
    H2_ERR_UNSUPPORTED, /**< the peer has not offered it (extended CONNECT) or disabled it (push) */
    H2_ERR_VALUE,       /**< an argument out of range */
    H2_ERR_PREFACE,     /**< not the preface of HTTP/2 (3.4) */
    H2_ERR_PROTOCOL,    /**< another rule of the protocol was broken */
};

/** "STREAM_LIMIT" and so on. Static. */
H2_API const char *h2_error_name(enum h2_error error);

/** The sentence of an error. Static. */
H2_API const char *h2_error_text(enum h2_error error);

/** How far a failure reaches. */
enum h2_scope {
    H2_SCOPE_NONE,   /**< there is none */
    H2_SCOPE_STREAM, /**< RST_STREAM: the others go on */
    H2_SCOPE_CONN,   /**< GOAWAY: the connection is over */
};

/** A failure: what was wrong, what to tell the peer, how far it reaches, and one static sentence
 * for people. */
struct h2_fail {
    enum h2_error error; /**< H2_OK: there is none */
    enum h2_code code;   /**< as it goes into RST_STREAM or GOAWAY */
    enum h2_scope scope; /**< how far it reaches */
    const char *why;     /**< the sentence; NULL: there is none */
};

/* ---------------------------------------------------------------- settings and limits */

/** Settings that the engine knows (RFC 9113, 6.5.2). */
enum h2_setting {
    H2_SETTINGS_HEADER_TABLE_SIZE = 0x1,       /**< octets of the HPACK table */
    H2_SETTINGS_ENABLE_PUSH = 0x2,             /**< 0 or 1: the server may push */
    H2_SETTINGS_MAX_CONCURRENT_STREAMS = 0x3,  /**< streams that the other side may open */
    H2_SETTINGS_INITIAL_WINDOW_SIZE = 0x4,     /**< octets, of each stream */
    H2_SETTINGS_MAX_FRAME_SIZE = 0x5,          /**< octets of payload */
    H2_SETTINGS_MAX_HEADER_LIST_SIZE = 0x6,    /**< octets, decoded, 32 more for each field */
    H2_SETTINGS_ENABLE_CONNECT_PROTOCOL = 0x8, /**< 0 or 1 (RFC 8441) */
    H2_SETTINGS_NO_RFC7540_PRIORITIES = 0x9,   /**< 0 or 1 (RFC 9218) */
};

/** "HEADER_TABLE_SIZE" and so on; "UNKNOWN". Static. */
H2_API const char *h2_setting_name(uint32_t id);

/** A setting that is to be sent. */
struct h2_setting_value {
    uint16_t id;    /**< enum h2_setting, or one of an extension */
    uint32_t value; /**< its new value */
};

/** A setting that was changed by a SETTINGS frame or its acknowledgement. */
struct h2_setting_change {
    uint16_t id;     /**< enum h2_setting, or one that the engine does not know */
    uint32_t before; /**< 0 for one that it does not know */
    uint32_t after;  /**< the value in force now */
};

/**
 * What a peer may make us keep or do. Every limit that is hit is a failure with H2_ERR_LIMIT whose
 * sentence names it. 0 allows none, UINT32_MAX is as good as no limit. The defaults (in brackets)
 * are argued in h2_options.c. Bursts and rates are token buckets: a burst at once, and so many more
 * a second.
 */
struct h2_limits {
    /** Decoded names + values + 32 each, per section, trailers too, every reference counted; also
     * announced (65536). */
    uint32_t header_list_bytes;
    /** Fields per section, trailers too; pseudo-header fields are not counted (100). */
    uint32_t header_fields;
    uint32_t cookie_crumbs;       /**< cookie fields per section, counted apart (200) */
    uint32_t continuation_frames; /**< CONTINUATION frames per block (8) */
    uint32_t header_block_bytes;  /**< compressed octets per block (65536) */
    uint32_t settings_per_frame;  /**< entries of one SETTINGS frame (32) */
    /** SETTINGS and PING acknowledgements and RST_STREAM not yet taken by h2_conn_send() (1000). */
    uint32_t queued_replies;
    uint32_t output_bytes; /**< octets waiting for h2_conn_send() when more are asked for (1 MiB) */
    uint32_t reset_burst;  /**< streams that the peer resets: burst (1000) … */
    uint32_t reset_rate;   /**< … and per second (33) */
    uint32_t error_burst;  /**< streams that we reset for the peer's errors: burst (1000) … */
    uint32_t error_rate;   /**< … and per second (33) */
    uint32_t empty_burst;  /**< DATA, HEADERS, CONTINUATION that carry nothing: burst (1000) … */
    uint32_t empty_rate;   /**< … and per second (33) */
    /** Frames that carry no message (PRIORITY, SETTINGS, PING, WINDOW_UPDATE, unknown ones, …) and
     * odd but legal ones: burst (10000) … */
    uint32_t control_burst;
    uint32_t control_rate; /**< … and per second (330) … */
    /** … and one more for so many octets of DATA and header blocks (1024; 0: they earn none). */
    uint32_t control_payload;
    uint32_t closed_streams; /**< closed streams remembered by how they were closed (100) */
};

/* ---------------------------------------------------------------- trace */

/** What a trace record is about. */
enum h2_trace_kind {
    H2_TRACE_FRAME_RECEIVED, /**< header complete (DATA, ignored frames), else payload complete */
    H2_TRACE_FRAME_SENT,     /**< queued for h2_conn_send(), or given by h2_conn_data_frame() */
    H2_TRACE_STREAM_STATE,   /**< a stream went from one state to another */
    H2_TRACE_CONN_STATE,     /**< the connection did */
};

/** One record for the trace hook. Everything it points to is valid during the call only. */
struct h2_trace {
    enum h2_trace_kind kind; /**< which of the members below are set */
    uint32_t stream_id;      /**< 0: the connection's */
    uint8_t type;            /**< frames: see h2_frame_name() */
    uint8_t flags;           /**< frames */
    uint32_t length;         /**< frames: octets of payload */
    const uint8_t *payload;  /**< frames: NULL when it is not at hand (DATA, ignored frames) */
    const char *from;        /**< states: the name of the one left */
    const char *to;          /**< states: the name of the one entered */
};

/** "HEADERS" and so on; "UNKNOWN" for a type that the engine does not know. Static. */
H2_API const char *h2_frame_name(uint8_t type);

/* ---------------------------------------------------------------- options */

/** How a connection behaves. To be filled by h2_options_init() and then changed. */
struct h2_options {
    const struct h2_allocator *alloc; /**< NULL: the C library's. It is copied; its ctx must
                                         outlive the connection */

    /* Announced in the first SETTINGS. h2_conn_update_settings() changes them later. */
    uint32_t header_table_size;      /**< the decoder's table, octets (4096) */
    uint32_t max_concurrent_streams; /**< peer-initiated streams (100) */
    uint32_t initial_window_size;    /**< per stream, octets (65535) */
    uint32_t max_frame_size;         /**< octets (16384) */
    bool enable_push;                /**< client: take pushed streams (false) */
    bool enable_connect_protocol;    /**< server: announce RFC 8441 (false) */

    uint32_t
        connection_window_size;  /**< by WINDOW_UPDATE at the start, octets (65535; not below) */
    uint32_t encoder_table_size; /**< the most the encoder uses, whatever the peer allows (4096) */
    bool require_settings_first; /**< the peer's first frame must be SETTINGS (true, RFC 9113, 3.4)
                                  */

    /** Received sections must be valid messages (RFC 9113, 8.2, 8.3), and bodies as long as
     * content-length says (true). Off: fields are handed out as they came, but for what
     * normalize_received does. */
    bool validate_received;
    /** Cookie fields are joined into one (8.2.3). Without validation the rest of what
     * normalize_sent does is done, too: a valid section does not need it (true). */
    bool normalize_received;
    bool validate_sent; /**< what is not a valid message is refused with H2_ERR_FIELDS (true) */
    /** Names become lower case, white space around values goes, and so do fields that speak of an
     * HTTP/1.1 connection (8.2.2) and those that `connection` names (true). */
    bool normalize_sent;
    /** authorization, proxy-authorization and cookies short enough to be guessed may be indexed by
     * HPACK; by default they are never-indexed literals (false; RFC 7541, 7.1.3). */
    bool index_secrets;

    /** Events that are not to be told: a sum of H2_MUTE(type) (0). The engine does the same either
     * way; what is muted costs nothing. */
    uint32_t mute;

    /** Called with every frame and every change of a state, if not NULL. It must not call the
     * engine. */
    void (*trace)(void *ctx, const struct h2_trace *record);
    void *trace_ctx; /**< handed to `trace` */

    struct h2_limits limits; /**< what the peer may make us keep or do */
};

/** Fills in every default. */
H2_API void h2_options_init(struct h2_options *opts);

/** NULL, or a sentence that says which option is out of its range. Static. */
H2_API const char *h2_options_check(const struct h2_options *opts);

/* ---------------------------------------------------------------- life */

struct h2_conn;

/**
 * A connection. Its preface and first SETTINGS wait for h2_conn_send() at once. `opts` is copied.
 * NULL: no memory, or options that h2_options_check() finds fault with.
 */
H2_API struct h2_conn *h2_conn_new(enum h2_role role, const struct h2_options *opts);

/** Frees everything; NULL is allowed. Streams' user pointers are not touched. */
H2_API void h2_conn_free(struct h2_conn *c);

/**
 * Client, for an upgrade from HTTP/1.1 (RFC 7540, 3.2): the value of the HTTP2-Settings field,
 * which says what the engine's first SETTINGS says. Not NUL-terminated; returns its length, 0 when
 * `cap` is too small (H2_UPGRADE_SETTINGS_MAX is enough).
 */
H2_API size_t h2_conn_upgrade_settings(const struct h2_conn *c, char *buf, size_t cap);

/** Enough room for h2_conn_upgrade_settings(). */
#define H2_UPGRADE_SETTINGS_MAX 96

/**
 * The connection was upgraded from HTTP/1.1, and nothing was fed yet. Stream 1 exists after this.
 *
 * Server, before it sends 101: `settings` is the value of the HTTP2-Settings field (base64url,
 * RFC 7540, 3.2.1), which is applied; stream 1 is half closed (remote), its request being the
 * HTTP/1.1 one: whether that was a HEAD says `head_request`. H2_ERR_SETTING: not a valid value, the
 * upgrade must not be made, and the connection only be freed. The value does not stand for the
 * peer's first SETTINGS frame.
 *
 * Client, after it has got 101: `settings` is NULL. Stream 1 is half closed (local), and
 * `head_request` says whether the request was a HEAD. `user` becomes the stream's user pointer.
 */
H2_API enum h2_error h2_conn_upgrade(struct h2_conn *c, const char *settings, size_t len,
                                     bool head_request, void *user);

/* ---------------------------------------------------------------- bytes in, events out */

/** What an event tells. */
enum h2_event_type {
    H2_EVENT_REQUEST = 1,   /**< server: a request head */
    H2_EVENT_RESPONSE,      /**< client: the final response head */
    H2_EVENT_INFORMATIONAL, /**< client: a 1xx response head */
    H2_EVENT_TRAILERS,      /**< a trailer section; always with end_stream */
    H2_EVENT_DATA,          /**< body bytes; `flow_len` is owed to h2_conn_consume() */
    /** The peer's side has ended: follows the event that had end_stream. */
    H2_EVENT_STREAM_ENDED,
    /** The stream is gone: by the peer, or by us because of what it sent (by_peer tells). Also
     * told, with user == NULL, for each RST_STREAM that the engine sends on a stream that the
     * caller never knew or has finished with (a malformed or refused request, say). */
    H2_EVENT_RESET,
    /** Client: the server promises stream `promised_id` with the request in `fields`, on behalf of
     * stream_id. */
    H2_EVENT_PUSH,
    H2_EVENT_WINDOW_UPDATE, /**< the peer gives `increment` octets to stream_id (0: connection) */
    H2_EVENT_SETTINGS,      /**< the peer's settings: `settings`; they are applied, and answered */
    H2_EVENT_SETTINGS_ACK,  /**< ours are in force: `settings` */
    H2_EVENT_PING,          /**< `opaque`; it is answered */
    H2_EVENT_PING_ACK,      /**< `opaque` comes back */
    H2_EVENT_PRIORITY,      /**< a PRIORITY frame (RFC 7540): `priority`; the engine ignores it */
    /** Server: PRIORITY_UPDATE (RFC 9218, 7.1) for stream_id: urgency, incremental, its text in
     * `data`; it is applied. */
    H2_EVENT_PRIORITY_UPDATE,
    /** The peer takes no stream of ours (requests, pushes) above last_stream_id: each above it that
     * is left after this event is told by a RESET by_peer, REFUSED_STREAM. */
    H2_EVENT_GOAWAY,
    /** Client: an alternative service (RFC 7838, 4): the Alt-Svc value in `data`, for the `origin`
     * given, or, on a stream, for the origin of its request. */
    H2_EVENT_ALTSVC,
    H2_EVENT_ORIGIN,        /**< client: an Origin Set (RFC 8336); h2_origin_next() reads `data` */
    H2_EVENT_UNKNOWN_FRAME, /**< of a type that the engine does not know: frame_*, data, stream_id
                             */
    /** The connection is over: `fail`. A GOAWAY waits for h2_conn_send(). The last event. */
    H2_EVENT_FAILED,
};

/** The bit of h2_options.mute for an event. It means nothing for heads, trailers, DATA, PUSH,
 * RESET, GOAWAY and FAILED, which are always told. */
#define H2_MUTE(type) (1u << (type))

/** A priority as RFC 7540, 5.3 had it. The engine passes it on and does not act on it. */
struct h2_priority {
    uint32_t depends_on; /**< stream id; 0: none */
    uint16_t weight;     /**< 1 to 256 */
    bool exclusive;      /**< it comes between the other stream and its dependents */
};

/** One event. What a type does not use is 0. What it points to is valid until the next
 * h2_conn_next_event() or h2_conn_free(), and is not changed by actions in between; DATA points
 * into the fed bytes. */
struct h2_event {
    enum h2_event_type type; /**< which of the members below are set */
    uint32_t stream_id;      /**< 0: the connection. FAILED: that of the frame at fault */
    void *user;              /**< the stream's user pointer as it was set, NULL otherwise */
    bool end_stream; /**< REQUEST, RESPONSE, DATA, TRAILERS: the peer's side has ended with this */
    bool by_peer;    /**< RESET */
    /** REQUEST: over a limit on header sections. `fields` are only the pseudo-header fields before
     * that, perhaps not all: answer 431. The body is not checked. `fail` names the limit. */
    bool too_large;
    bool has_priority; /**< heads and TRAILERS: HEADERS carried `priority` */
    bool incremental;  /**< REQUEST, PUSH, PRIORITY_UPDATE: RFC 9218, 4.2 */
    uint8_t urgency;   /**< REQUEST, PUSH, PRIORITY_UPDATE: RFC 9218, 4.1 */
    uint16_t status;   /**< RESPONSE, INFORMATIONAL */
    enum h2_code code; /**< RESET, GOAWAY, FAILED; the peer's may be an unknown number */
    const struct h2_field *fields; /**< heads, trailers, PUSH; pseudo-header fields first */
    size_t nfields;                /**< how many */
    int64_t content_length;        /**< REQUEST, RESPONSE: the declared one, -1 without */
    const uint8_t *data;           /**< DATA: points into the fed bytes. GOAWAY: debug data. ALTSVC,
                                      ORIGIN, PRIORITY_UPDATE, UNKNOWN_FRAME: see there */
    size_t len;                    /**< octets of `data` */
    uint32_t flow_len; /**< DATA: flow-controlled length, padding and its length octet included */
    uint32_t last_stream_id;                  /**< GOAWAY */
    uint32_t promised_id;                     /**< PUSH */
    uint32_t increment;                       /**< WINDOW_UPDATE, octets */
    uint8_t frame_type;                       /**< UNKNOWN_FRAME */
    uint8_t frame_flags;                      /**< UNKNOWN_FRAME */
    uint8_t opaque[8];                        /**< PING, PING_ACK */
    struct h2_priority priority;              /**< PRIORITY, and with has_priority */
    const struct h2_setting_change *settings; /**< SETTINGS, SETTINGS_ACK, in order */
    size_t nsettings;                         /**< how many */
    const char *origin;                       /**< ALTSVC: not NUL-terminated */
    size_t origin_len;                        /**< octets; 0: that of the stream */
    struct h2_fail fail; /**< FAILED, RESET with !by_peer, and with too_large */
};

/**
 * Offers received bytes. They are not copied and must stay until h2_conn_next_event() has returned
 * false, or h2_conn_unread() was asked for and the rest is kept by the caller and fed again later
 * (together with what follows). Must not be called while bytes fed before are unread.
 */
H2_API void h2_conn_feed(struct h2_conn *c, const uint8_t *data, size_t len);

/**
 * Parses on until something has to be told. False: all fed bytes are taken (a partial frame is kept
 * inside). After H2_EVENT_FAILED it takes and ignores everything. No memory is reported as FAILED
 * with INTERNAL_ERROR and H2_ERR_NOMEM.
 */
H2_API bool h2_conn_next_event(struct h2_conn *c, uint64_t now_ms, struct h2_event *ev);

/** How many of the fed bytes have not been taken; the unread ones are forgotten by the engine. */
H2_API size_t h2_conn_unread(struct h2_conn *c);

/**
 * Reads an ORIGIN frame's payload (RFC 8336, 2.1): the next origin of [*p, *p + *left), in ASCII
 * and not NUL-terminated; both move on. False: no more.
 */
H2_API bool h2_origin_next(const uint8_t **p, size_t *left, const char **origin, size_t *len);

/* ---------------------------------------------------------------- messages */

/** A stream's user pointer: any owner the caller likes. Returned with each event. No stream:
 * nothing happens. */
H2_API void h2_stream_set_user(struct h2_conn *c, uint32_t stream_id, void *user);
/** The pointer that was set; NULL without one, or without such a stream. */
H2_API void *h2_stream_user(const struct h2_conn *c, uint32_t stream_id);

/** The id that the next stream of ours will have (a request, or a push); 0: none is left. */
H2_API uint32_t h2_conn_next_stream_id(const struct h2_conn *c);

/**
 * Client: sends a request head and opens a stream (*stream_id). Fields are checked (RFC
 * 9113, 8.3.1) and must begin with their pseudo-header fields. Field bytes are copied. Its
 * `priority` field (RFC 9218) counts here, too. `user` is the stream's user pointer from the start.
 *
 * H2_ERR_STREAM_LIMIT: not now, but when a stream has ended. H2_ERR_GOAWAY, H2_ERR_NO_STREAM_ID:
 * only on another connection. H2_ERR_UNSUPPORTED: an extended CONNECT (RFC 8441) which the server
 * has not announced.
 */
H2_API enum h2_error h2_conn_request(struct h2_conn *c, const struct h2_field *fields, size_t n,
                                     bool end_stream, void *user, uint32_t *stream_id);

/** The same, with a priority of RFC 7540 in HEADERS for a server that still goes by it.
 * H2_ERR_VALUE: its weight is not 1 to 256, or it depends on itself. */
H2_API enum h2_error h2_conn_request_with_priority(struct h2_conn *c, const struct h2_field *fields,
                                                   size_t n, bool end_stream,
                                                   const struct h2_priority *priority, void *user,
                                                   uint32_t *stream_id);

/** Client: whether h2_conn_request() would now find a free stream. */
H2_API bool h2_conn_can_request(const struct h2_conn *c);

/**
 * Server: sends a response head. :status decides: 1xx is informational and must not end the stream.
 * Its `priority` field (RFC 9218, 8) overrides what the client has said. H2_ERR_STREAM_LIMIT: the
 * stream was promised, and the client takes no more of them until one has ended.
 */
H2_API enum h2_error h2_conn_respond(struct h2_conn *c, uint32_t stream_id,
                                     const struct h2_field *fields, size_t n, bool end_stream);

/** Sends a trailer section, which ends our side. All body bytes must have been sent.
 * H2_ERR_STREAM_STATE: also in a tunnel, a CONNECT that was answered by 2xx (RFC 9113, 8.5). */
H2_API enum h2_error h2_conn_trailers(struct h2_conn *c, uint32_t stream_id,
                                      const struct h2_field *fields, size_t n);

/**
 * Server: promises a stream (*promised_id) with the request that it will answer (RFC 9113, 8.4),
 * which must be a safe one without a body; then h2_conn_respond() to it. `user` is the promised
 * stream's. H2_ERR_UNSUPPORTED: the client has disabled push. H2_ERR_GOAWAY, H2_ERR_NO_STREAM_ID:
 * no more streams on this connection.
 */
H2_API enum h2_error h2_conn_push(struct h2_conn *c, uint32_t stream_id,
                                  const struct h2_field *fields, size_t n, void *user,
                                  uint32_t *promised_id);

/**
 * Resets a stream. Everything of it that waits is dropped, its events stop; bytes of it that still
 * arrive are accounted and swallowed (their window credit is given back by the engine). No event is
 * made for it. What DATA events have handed over is still owed to h2_conn_consume(), here as after
 * any other end of a stream, or the connection's window stays smaller by it.
 */
H2_API enum h2_error h2_conn_reset(struct h2_conn *c, uint32_t stream_id, enum h2_code code);

/* ---------------------------------------------------------------- bodies */

/** No padding, not even the octet that says so. */
#define H2_NO_PADDING (-1)

/**
 * Copies body bytes into one DATA frame of the output, with `pad` octets of padding (H2_NO_PADDING,
 * or 0 to 255), and ends our side when `end_stream`. H2_ERR_FLOW_CONTROL: a window does not allow
 * it (h2_conn_send_window() tells how much it does); H2_ERR_FRAME_SIZE: it is larger than the
 * peer's frames may be; H2_ERR_VALUE: no such padding.
 */
H2_API enum h2_error h2_conn_send_data(struct h2_conn *c, uint32_t stream_id, const void *data,
                                       size_t len, int pad, bool end_stream);

/** Ends our side when its body bytes are all sent already: queues an empty DATA frame, which needs
 * no window. */
H2_API enum h2_error h2_conn_end_stream(struct h2_conn *c, uint32_t stream_id);

/** Tells the scheduler whether the caller has body bytes for this stream. No stream: nothing
 * happens. */
H2_API void h2_stream_set_ready(struct h2_conn *c, uint32_t stream_id, bool ready);

/**
 * The stream that is to send next among those that are ready and have window (RFC 9218): by
 * urgency; within one by stream id, incremental ones in turn; every so often a frame goes to a less
 * urgent one, so that none starves. 0: none. *limit (> 0) is the most octets that one DATA frame of
 * it may carry now (windows and the peer's frame size); *user (may be NULL) is its user pointer.
 * Returns 0 while h2_conn_wants_send(): that goes first.
 */
H2_API uint32_t h2_conn_next_writable(struct h2_conn *c, size_t *limit, void **user);

/** Octets of a frame header. */
#define H2_FRAME_HEADER_LEN 9

/**
 * Writes the frame header for `len` octets of DATA (1 .. the limit just given), charges the
 * windows, and ends our side of the stream when `end_stream`. The caller puts exactly `len` octets
 * right behind it.
 */
H2_API void h2_conn_data_frame(struct h2_conn *c, uint32_t stream_id, size_t len, bool end_stream,
                               uint8_t header[H2_FRAME_HEADER_LEN]);

/**
 * The same with padding, which hides the length of what is sent (RFC 9113, 10.7): `header` takes
 * one octet more, and behind the `len` octets the caller puts `pad` of 0. len + 1 + pad is at most
 * the limit.
 */
H2_API void h2_conn_padded_data_frame(struct h2_conn *c, uint32_t stream_id, size_t len,
                                      uint8_t pad, bool end_stream,
                                      uint8_t header[H2_FRAME_HEADER_LEN + 1]);

/* ---------------------------------------------------------------- flow control */

/** `n` flow-controlled octets of this stream were taken by their reader. Updates are coalesced. A
 * stream that is gone is no error: the connection's credit is given back all the same. */
H2_API enum h2_error h2_conn_consume(struct h2_conn *c, uint32_t stream_id, uint32_t n);

/**
 * WINDOW_UPDATE by hand: the peer may send `n` more octets on the stream, or on the connection (0).
 * What was received and not given back yet (see h2_conn_consume()) is given back by it first; what
 * is more makes the window larger. Consuming it afterwards all the same gives nothing back twice.
 * H2_ERR_FLOW_CONTROL: past 2^31-1; H2_ERR_VALUE: 0.
 */
H2_API enum h2_error h2_conn_update_window(struct h2_conn *c, uint32_t stream_id, uint32_t n);

/** Octets that we may send now, on a stream (the connection's window counts, too), or on the
 * connection (0). 0 for a stream that may not send. */
H2_API uint32_t h2_conn_send_window(const struct h2_conn *c, uint32_t stream_id);

/** Octets that the peer may send now, as we have told it; likewise. */
H2_API uint32_t h2_conn_receive_window(const struct h2_conn *c, uint32_t stream_id);

/* ---------------------------------------------------------------- the connection */

/**
 * Announces settings. Each is in force when the peer has acknowledged it, which
 * H2_EVENT_SETTINGS_ACK tells; several calls may be on their way and are acknowledged in order. Ids
 * that the engine does not know are sent as they are. H2_ERR_SETTING: a value out of range, or a
 * change that the protocol does not allow. H2_ERR_FLOW_CONTROL: the window of a stream would go
 * past 2^31-1. H2_ERR_VALUE: more than 32 at once.
 */
H2_API enum h2_error h2_conn_update_settings(struct h2_conn *c,
                                             const struct h2_setting_value *values, size_t n);

/** PING (RFC 9113, 6.7); the answer is an event. */
H2_API enum h2_error h2_conn_ping(struct h2_conn *c, const uint8_t opaque[8]);

/** Client: PRIORITY of RFC 7540 for a server that still goes by it; the stream may be in any state.
 * H2_ERR_VALUE: as with h2_conn_request_with_priority(). Server: H2_ERR_UNWISE. */
H2_API enum h2_error h2_conn_priority(struct h2_conn *c, uint32_t stream_id,
                                      const struct h2_priority *priority);

/** Client: PRIORITY_UPDATE (RFC 9218, 7.1) with a priority field value such as "u=1, i". Our own
 * sending goes by it, too. H2_ERR_VALUE: not ASCII. Server: H2_ERR_UNWISE. */
H2_API enum h2_error h2_conn_priority_update(struct h2_conn *c, uint32_t stream_id,
                                             const char *value, size_t len);

/**
 * Server: an alternative service (RFC 7838, 4). With an origin ("https://example.org") the stream
 * id is 0; without one (origin_len 0) it is a stream whose request the client has sent and which is
 * not closed, and the service is for that request's origin. `value` is as in the Alt-Svc field.
 * H2_ERR_VALUE: an origin on a stream, none without one, or one over 1024 octets.
 * H2_ERR_FRAME_SIZE: longer than the client's frames may be. Client: H2_ERR_FRAME_TYPE.
 */
H2_API enum h2_error h2_conn_altsvc(struct h2_conn *c, uint32_t stream_id, const char *origin,
                                    size_t origin_len, const char *value, size_t value_len);

/** Server: the origins that this connection answers for (RFC 8336), as NUL-terminated text.
 * H2_ERR_FRAME_SIZE: longer than the client's frames may be. Client: H2_ERR_FRAME_TYPE. */
H2_API enum h2_error h2_conn_origin(struct h2_conn *c, const char *const *origins, size_t n);

/** Any frame of a type that the engine does not know (RFC 9113, 5.5). H2_ERR_FRAME_TYPE: it does.
 * H2_ERR_FRAME_SIZE: longer than the peer's frames may be. */
H2_API enum h2_error h2_conn_extension_frame(struct h2_conn *c, uint8_t type, uint8_t flags,
                                             uint32_t stream_id, const void *payload, size_t len);

/** GOAWAY with last stream id 2^31-1 and NO_ERROR: "no new streams, please" (RFC 9113, 6.8). */
H2_API enum h2_error h2_conn_shutdown_notice(struct h2_conn *c);

/** GOAWAY with the last stream that was taken; newer ones are refused from now on. Streams go on.
 * Idempotent. */
H2_API enum h2_error h2_conn_shutdown(struct h2_conn *c);

/** For h2_conn_close(): the last stream that was told to the caller. */
#define H2_LAST_TOLD UINT32_MAX

/** GOAWAY with a code, a last stream id (H2_LAST_TOLD, or less than that) and debug data (may be
 * NULL); nothing is parsed or taken after it, and no event follows: what the streams' user pointers
 * point to is the caller's to end. H2_ERR_VALUE: an id over 2^31-1, or more debug data
 * than fits a frame of 16384 octets. */
H2_API enum h2_error h2_conn_close(struct h2_conn *c, enum h2_code code, uint32_t last_stream_id,
                                   const void *debug, size_t len);

/* ---------------------------------------------------------------- bytes out */

/** Octets that wait for h2_conn_send(). */
H2_API size_t h2_conn_output_len(const struct h2_conn *c);

/** Whether h2_conn_send() has something. */
H2_API bool h2_conn_wants_send(const struct h2_conn *c);

/** Moves waiting control frames and header blocks into buf; returns how many octets were written
 * (<= cap). */
H2_API size_t h2_conn_send(struct h2_conn *c, uint8_t *buf, size_t cap);

/** Forgets what waits, for a transport that is gone. The peer would not understand what comes after
 * it: only h2_conn_free() is sensible then. */
H2_API void h2_conn_drop_output(struct h2_conn *c);

/* ---------------------------------------------------------------- questions */

/** The states of a stream (RFC 9113, 5.1). Closed is several, by how it was closed. */
enum h2_stream_state {
    H2_STATE_IDLE,                  /**< a HEADERS frame of the peer opens it */
    H2_STATE_IDLE_PUSHED,           /**< a PUSH_PROMISE of the peer opens it */
    H2_STATE_IDLE_OURS,             /**< ours to open */
    H2_STATE_RESERVED_LOCAL,        /**< we have promised it */
    H2_STATE_RESERVED_REMOTE,       /**< the peer has promised it */
    H2_STATE_OPEN,                  /**< both sides may send */
    H2_STATE_HALF_CLOSED_LOCAL,     /**< we have ended our side */
    H2_STATE_HALF_CLOSED_REMOTE,    /**< the peer has ended its side */
    H2_STATE_CLOSED_ENDED,          /**< closed by END_STREAM of both sides */
    H2_STATE_CLOSED_RESET_SENT,     /**< closed by our RST_STREAM */
    H2_STATE_CLOSED_RESET_RECEIVED, /**< closed by the peer's */
    H2_STATE_CLOSED_FORGOTTEN,      /**< closed so long ago that nothing is known */
    H2_STATE_CLOSED_SKIPPED,        /**< never opened: the peer has used a higher id */
};

/** The state of any stream id but 0. */
H2_API enum h2_stream_state h2_conn_stream_state(const struct h2_conn *c, uint32_t stream_id);

/** "half closed (local)" and so on. Static. */
H2_API const char *h2_stream_state_name(enum h2_stream_state state);

/** A setting of the peer that is in force; for an unknown id 0. The frame size that we may send is
 * H2_SETTINGS_MAX_FRAME_SIZE. */
H2_API uint32_t h2_conn_peer_setting(const struct h2_conn *c, enum h2_setting id);
/** One of ours that is in force (acknowledged). */
H2_API uint32_t h2_conn_local_setting(const struct h2_conn *c, enum h2_setting id);
/** Whether all of ours are acknowledged. */
H2_API bool h2_conn_settings_acked(const struct h2_conn *c);
/** Streams that are not closed, reserved ones included. */
H2_API uint32_t h2_conn_open_streams(const struct h2_conn *c);
/** Open or half-closed streams that we have opened (RFC 9113, 5.1.2). */
H2_API uint32_t h2_conn_open_outbound(const struct h2_conn *c);
/** Open or half-closed streams that the peer has opened. */
H2_API uint32_t h2_conn_open_inbound(const struct h2_conn *c);
/** The highest stream id of the peer that was told to the caller. */
H2_API uint32_t h2_conn_last_peer_stream(const struct h2_conn *c);
/** Whether the connection is over: failed, or ended by h2_conn_close(). */
H2_API bool h2_conn_is_over(const struct h2_conn *c);
/** Whether the peer has sent GOAWAY. False once the connection is over. */
H2_API bool h2_conn_goaway_received(const struct h2_conn *c);
/** Whether a header block has begun and not ended (for its timer). */
H2_API bool h2_conn_in_header_block(const struct h2_conn *c);

#ifdef __cplusplus
}
#endif

#endif
