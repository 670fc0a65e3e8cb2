/*
 * h1parser: HTTP/1.x messages (RFC 9112) without I/O and without allocation. Heads, body framing,
 * chunked bodies, trailers, and the writing of all of them; requests and responses alike.
 *
 * The caller owns every byte and every array. A head is parsed where it lies: results are offsets
 * into the caller's buffer, which may move (be reallocated) between calls as long as the bytes stay
 * the same. Field names are lower-cased in place. A head that comes byte by byte costs linear time.
 *
 * Nothing is shared between heads, bodies and outputs: each may be used by any thread, by one at a
 * time. Every text that a function returns is static and constant.
 *
 * What a peer sends never trips an assertion. What a caller does wrong (documented as "must") does,
 * in release builds too.
 *
 * Strict by default: what two parsers could read in two ways is an error here (see
 * docs/h1parser.md).
 */
#ifndef H1PARSER_H
#define H1PARSER_H

#include "h1_token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of the caller's buffer, counted from where the head begins. */
struct h1_span {
    uint32_t off;
    uint32_t len;
};

/** One field line: a lower-case name and a value without blanks around it. Nothing is
 * NUL-terminated. */
struct h1_field {
    struct h1_span name;
    struct h1_span value;
    uint8_t
        token; /**< enum h1_token; never one of HTTP/2's pseudo-header fields (H1_TOKEN_PSEUDO_…) */
};

enum h1_kind { H1_REQUEST, H1_RESPONSE, H1_TRAILERS };

enum h1_method {
    H1_METHOD_OTHER = 0, /**< any other valid token */
    H1_METHOD_GET,
    H1_METHOD_HEAD,
    H1_METHOD_POST,
    H1_METHOD_PUT,
    H1_METHOD_DELETE,
    H1_METHOD_CONNECT,
    H1_METHOD_OPTIONS,
    H1_METHOD_TRACE,
    H1_METHOD_PATCH,
};

/** The four forms of a request target (RFC 9112, 3.2). */
enum h1_form { H1_FORM_ORIGIN, H1_FORM_ABSOLUTE, H1_FORM_AUTHORITY, H1_FORM_ASTERISK };

/** Why a message was refused. h1_error_text() has a sentence, h1_error_status() the status to
 * answer with. */
enum h1_error {
    H1_ERR_NONE = 0,
    H1_ERR_START_LINE, /**< not METHOD SP target SP HTTP/1.x, or not HTTP/1.x SP 3DIGIT … */
    H1_ERR_METHOD,     /**< not a token */
    H1_ERR_TARGET,   /**< a byte or a form that is not allowed, or not the form the method needs */
    H1_ERR_VERSION,  /**< neither HTTP/1.0 nor HTTP/1.1 */
    H1_ERR_STATUS,   /**< not 100 to 599 */
    H1_ERR_LINE_END, /**< bare CR, or bare LF where it is no line end */
    H1_ERR_FIELD_NAME,        /**< empty, not a token, a blank before the colon, or no colon */
    H1_ERR_UNDERSCORE,        /**< a name with an underscore, where the options refuse it */
    H1_ERR_FIELD_VALUE,       /**< a control character or NUL (CR and LF: H1_ERR_LINE_END) */
    H1_ERR_FOLD,              /**< a line that begins with a blank (obs-fold) */
    H1_ERR_HEAD_TOO_LARGE,    /**< over options.head_bytes */
    H1_ERR_TARGET_TOO_LONG,   /**< the start line alone is over options.head_bytes */
    H1_ERR_TOO_MANY_FIELDS,   /**< over options.fields */
    H1_ERR_HOST,              /**< missing (HTTP/1.1), more than one, or not host[:port] */
    H1_ERR_CONTENT_LENGTH,    /**< not digits, zeros before them, over 2^63-1, or two that differ */
    H1_ERR_TRANSFER_ENCODING, /**< not exactly `chunked` once, or in HTTP/1.0, or where none may be
                               */
    H1_ERR_CODING_UNKNOWN, /**< well formed and chunked at last, but with another coding before */
    H1_ERR_LENGTH_AND_CODING, /**< Content-Length and Transfer-Encoding together */
    H1_ERR_CONNECTION,        /**< Connection is not a list of tokens */
    H1_ERR_UPGRADE,           /**< Upgrade is not a list of protocols, or an empty one */
    H1_ERR_UPGRADE_BODY,      /**< CONNECT, or Upgrade to something else than h2c, together with
                                 Content-Length (even 0) or Transfer-Encoding */
    H1_ERR_EXPECT,            /**< an expectation other than one 100-continue */
    H1_ERR_CHUNK_SIZE,        /**< no hex digit, more than 16, over 2^63-1, or a bad byte after */
    H1_ERR_CHUNK_EXT,         /**< bad or too long chunk extension, or too much of them in a body */
    H1_ERR_CHUNK_END,         /**< no CRLF after the chunk's data */
};

/** A sentence, static; "unknown error" for what is none. */
const char *h1_error_text(enum h1_error e);
/** The status for a request that failed so: 400, 414, 417, 431, 501 or 505. (A response that failed
 * is a 502, whatever the error.) */
int h1_error_status(enum h1_error e);

enum h1_rc {
    H1_MORE,  /**< give more bytes */
    H1_DONE,  /**< the head (or the body) is complete */
    H1_DATA,  /**< h1_body_next: some body bytes */
    H1_ERROR, /**< see `error` */
};

/** What becomes of a field whose name has an underscore. Some servers make the same variable of
 * X_Y and X-Y, so that a client can shadow a field that a proxy sets. */
enum h1_underscores {
    H1_UNDERSCORES_KEEP,   /**< it is a field like any other */
    H1_UNDERSCORES_DROP,   /**< it is checked like any other, and left out of the fields */
    H1_UNDERSCORES_REFUSE, /**< H1_ERR_UNDERSCORE */
};

/** How a head is read. With all options but the limits zero, only what docs/h1parser.md accepts is
 * accepted. */
struct h1_options {
    /** The whole head with leading empty line, start line and line ends, octets; must not be 0. A
     * head never has more than 4 GiB. */
    uint32_t head_bytes;
    /** Field lines, dropped ones too; 0: none at all. Never more than fields_cap are kept: a
     * dropped one takes no place. */
    uint32_t fields;
    /** A bare LF ends a line too: the start line, a field line, the empty line after them. Not the
     * empty line before a request, and nothing that belongs to a chunked body (chunk lines,
     * H1_TRAILERS, where this is ignored). A bare CR is refused all the same. */
    bool bare_lf;
    enum h1_underscores underscores;
};

/**
 * A head in the making and, when H1_DONE was returned, its result. Set up by h1_head_init(); the
 * caller may copy it only when done.
 */
struct h1_head {
    /* result */
    enum h1_kind kind;
    enum h1_error error;
    uint32_t head_len;     /**< octets of the head with its last CRLF and leading empty lines */
    uint8_t minor_version; /**< 0 or 1 */
    enum h1_method method; /**< request */
    enum h1_form form;     /**< request */
    struct h1_span method_text;
    struct h1_span target;    /**< the whole target as it came */
    struct h1_span scheme;    /**< absolute form: "http" or "https" in any case */
    struct h1_span authority; /**< absolute and authority form: host[:port], checked */
    /** Path and query as they came. Origin form: the target. Absolute form: what follows the
     * authority, so empty, or beginning with '?', where there is no path. Authority and asterisk
     * form: empty. What to route and forward is h1_head_path(). */
    struct h1_span path;
    /** Request: the host[:port] that counts, checked: the target's where it names one, whatever
     * Host says (RFC 9112, 3.2.2), else Host's; empty without either (HTTP/1.0). */
    struct h1_span host;
    uint16_t status;         /**< response */
    struct h1_span reason;   /**< response */
    struct h1_field *fields; /**< as given to h1_head_init */
    uint32_t nfields;
    /** Field lines that options.underscores has left out. They are checked like others, are in no
     * field, and say nothing: no field that the parser understands has an underscore. */
    uint32_t dropped;
    /* What the fields say about framing and connection, collected while they are parsed. */
    int64_t content_length; /**< -1 without */
    bool chunked;           /**< Transfer-Encoding: chunked */
    bool connection_close;  /**< Connection: close */
    bool connection_keep_alive;
    bool connection_upgrade; /**< Connection: upgrade; never in an HTTP/1.0 request (RFC 9110, 7.8)
                              */
    bool upgrade_other;      /**< an Upgrade names something else than h2c */
    bool expect_continue;    /**< Expect: 100-continue; never in HTTP/1.0 (RFC 9110, 10.1.1) */
    uint32_t host_field;     /**< request: index of Host in fields, UINT32_MAX without */
    uint32_t upgrade_field;  /**< index of the first Upgrade in fields, UINT32_MAX without */
    /* private */
    uint32_t fields_cap;
    struct h1_options options;
    uint32_t state;
    uint32_t line_off; /* where the element that is being scanned begins */
    uint32_t scan_off; /* octets that were looked at and need not be looked at again */
    bool query;        /* a '?' was seen in the target */
};

/**
 * Begins a head. `fields` (the caller's, fields_cap of them; NULL without any) must stay valid as
 * long as h->fields is read. It may be moved between two calls: set h->fields.
 */
void h1_head_init(struct h1_head *h, enum h1_kind kind, struct h1_field *fields,
                  uint32_t fields_cap, struct h1_options options);

/**
 * Goes on with a head. buf holds all bytes of it from its first one, `len` of them now; on each
 * call the same bytes and more (len must not shrink). H1_DONE: h->head_len octets were the head,
 * the rest of buf is body or the next message. For H1_TRAILERS the section begins right after the
 * last chunk's line. Done and failed heads stay so: asked again, they say the same.
 *
 * H1_ERROR: h->error says why, and of a request h->method is valid (H1_METHOD_OTHER before it was
 * read), so that an answer to HEAD goes without a body; nothing else is. Where the next message
 * begins is not known: answer, and close.
 *
 * H1_MORE when the connection ends: the head was cut, unless not a single octet of it has come
 * (len == 0: the connection ended between two messages; one CR LF alone may count as that).
 *
 * H1_DONE says that h1_body_framing() finds no error either. A head that is not complete when
 * options.head_bytes octets of it are there is an error at once, not one octet later: a buffer of
 * that size is enough. What the parser found does not depend on how the bytes were split.
 */
enum h1_rc h1_head_parse(struct h1_head *h, uint8_t *buf, size_t len);

/* ---------------------------------------------------------------- body framing */

enum h1_body_kind {
    H1_BODY_NONE,
    H1_BODY_LENGTH,
    H1_BODY_CHUNKED,
    H1_BODY_CLOSE,  /**< response: up to the end of the connection */
    H1_BODY_TUNNEL, /**< response: 101, or 2xx to CONNECT: no HTTP any more */
};

struct h1_framing {
    enum h1_body_kind kind;
    uint64_t length; /**< H1_BODY_LENGTH */
    /** The connection can carry another message after this one. False for an interim response, of
     * which it says nothing, and for CONNECT, which must be the last request (RFC 9931). */
    bool keep_alive;
    /** Request: CONNECT, or an Upgrade that counts. What follows the head may be another protocol
     * already: read no HTTP from there until the request was answered. If the answer opens no
     * tunnel, drop the octets that came before it, and close (RFC 9931). An offer of h2c alone
     * that comes with a body does not count: do not take it. */
    bool switches;
    /** Response: 1xx but 101. The final response follows: see h1_body_framing(). */
    bool interim;
    enum h1_error error; /**< H1_ERR_NONE, or why the message must be refused */
};

/**
 * The one place that decides where a body ends (RFC 9112, 6.3). The head must be done, and must not
 * be a trailer section. For a response `request_method` is
 * the method that it answers; for a request it is not looked at.
 *
 * Interim responses (RFC 9110, 15.2) have no body, and say nothing about the connection, whatever
 * their version and Connection: after one (framing.interim) begin a new head, and ask again with
 * the same request_method. There may be any number of them; to limit it is the caller's business.
 */
struct h1_framing h1_body_framing(const struct h1_head *h, enum h1_method request_method);

/** A body being read. `error` is valid after H1_ERROR, which is final. */
struct h1_body {
    enum h1_body_kind kind;
    enum h1_error error;
    /* private */
    uint8_t state;
    uint8_t digits;
    uint32_t ext_len;    /* octets of extensions on this chunk's line */
    uint32_t ext_excess; /* octets of extensions that the data so far has not paid for */
    uint64_t left;
};

void h1_body_init(struct h1_body *b, struct h1_framing framing);

/**
 * Reads on. *used octets of buf were taken; with H1_DATA the body bytes are [*data, *data_len)
 * inside buf (and inside what was used), never none. H1_DONE: the body has ended, and nothing
 * after it was taken; for H1_BODY_CHUNKED a trailer section follows (parse it as H1_TRAILERS, even
 * when it is only the empty line). H1_MORE: all of buf was taken and the body goes on.
 * H1_BODY_CLOSE and H1_BODY_TUNNEL never end by themselves.
 *
 * Call it until it returns something else than H1_DATA, with len 0 too: the end of a body is
 * reported by a separate call.
 */
enum h1_rc h1_body_next(struct h1_body *b, const uint8_t *buf, size_t len, size_t *used,
                        const uint8_t **data, size_t *data_len);

/** Whether the connection may end now: true for H1_BODY_CLOSE and H1_BODY_TUNNEL, and for any body
 * that is complete (chunked: the last chunk's line was read; the trailer section is the caller's to
 * watch). */
bool h1_body_may_end(const struct h1_body *b);

/* ---------------------------------------------------------------- checks that others share */

/** host[:port] as RFC 9110, 7.2 and RFC 3986, 3.2.2 have it, where there is one reading only:
 * reg-name (no comma, nothing percent-encoded, no last label that looks like a number), IPv4 or
 * [IPv6]; no userinfo; not empty; a port is 1 to 65535 or nothing after the colon. */
bool h1_authority_valid(const char *s, size_t len);
/** Takes an authority apart: the length of the host (brackets of IPv6 included), and the port (-1
 * without, or with nothing after the colon). False, with length 0 and no port, if it is not valid.
 */
bool h1_authority_split(const char *s, size_t len, size_t *host_len, int *port);

bool h1_token_valid(const char *s, size_t len); /**< RFC 9110, 5.6.2; not empty */
bool h1_field_value_valid(const char *s,
                          size_t len); /**< no CTL but HTAB, no blank at either end */
/** The number of a method, case counts; H1_METHOD_OTHER for all that have none. */
enum h1_method h1_method_lookup(const char *s, size_t len);

/** Whether the bytes may stand in an origin-form target: begins with '/', no blank, control, '#',
 * or byte over 0x7e, and no backslash before the query. */
bool h1_path_valid(const char *s, size_t len);

/** Takes the next element off a comma list (RFC 9110, 5.6.1), blanks around it and empty elements
 * skipped: true with [*elem, *elem_len) and *pos after it, false at the end. For lists of tokens
 * (Connection, TE, Upgrade): a quoted string is not looked into. */
bool h1_list_next(const char **pos, const char *end, const char **elem, size_t *elem_len);

/**
 * The path that a request is routed by and forwarded with, from its finished head: that of origin
 * and absolute form normalised (h1_path_normalise()); "*" for the asterisk form and for OPTIONS of
 * an absolute form with neither path nor query (RFC 9112, 3.2.4); of length 0 for CONNECT, which
 * has none. `buf` is where the head begins; `out` has h1_head_path_size() octets and is not part of
 * it. Returns the length; *path_len is the length without the query.
 */
size_t h1_head_path(const struct h1_head *h, const char *buf, char *out, size_t *path_len);
static inline size_t h1_head_path_size(const struct h1_head *h)
{
    return (size_t)h->path.len + 1;
}

/**
 * Normalises a path and query into out, which has at least len + 1 octets: percent-encoded
 * unreserved characters are decoded, hex digits made upper case, dot segments removed (RFC 3986,
 * 6.2.2); a missing '/' is put in front; a fragment is cut off; the query is kept as it is. Returns
 * the new length; *path_len is the length without the query.
 *
 * For paths: HTTP/2's :path, say. "*" is none, and would get one. `out` may be `s`, where the
 * octet after the path may be overwritten; in a head that is the SP before the version.
 */
size_t h1_path_normalise(const char *s, size_t len, char *out, size_t *path_len);

/* ---------------------------------------------------------------- writing */

/**
 * A place to write into. What does not fit whole is not begun: `full` is set and nothing more is
 * written, so that a caller checks once, at the end. What is written must have been checked before
 * (h1_token_valid(), h1_field_value_valid()): the writer copies it as it is.
 */
struct h1_out {
    uint8_t *pos;
    uint8_t *end;
    bool full;
};

/** minor_version must be 0 or 1. */
void h1_put_request_line(struct h1_out *o, const char *method, size_t method_len,
                         const char *target, size_t target_len, int minor_version);
/** The reason phrase is ours (h1_reason); a peer's is never repeated. The status must have three
 * digits; over 599 our parser would refuse it. */
void h1_put_status_line(struct h1_out *o, int status, int minor_version);
/** "name: value CRLF". The case of the name is kept; the value may be empty. */
void h1_put_field(struct h1_out *o, const char *name, size_t name_len, const char *value,
                  size_t value_len);
/** The same with a decimal number: Content-Length and the like. */
void h1_put_field_uint(struct h1_out *o, const char *name, size_t name_len, uint64_t value);
/** The empty line that ends a head or a trailer section. */
void h1_put_end(struct h1_out *o);

/** Octets that a chunk's size line can need: 16 hex digits and CRLF. */
#define H1_CHUNK_HEAD_MAX 18
/** A chunk's size line. The caller puts the data after it, and h1_put_chunk_end(). The size must
 * not be 0, which would end the body; over 2^63-1 our parser would refuse it. */
void h1_put_chunk_head(struct h1_out *o, uint64_t size);
/** The CRLF that follows a chunk's data. */
void h1_put_chunk_end(struct h1_out *o);
/** "0 CRLF"; trailers and h1_put_end() follow. */
void h1_put_last_chunk(struct h1_out *o);

/** The usual reason phrase, "Unknown" for a status without one. Static. */
const char *h1_reason(int status);

#ifdef __cplusplus
}
#endif

#endif
