/*
 * The configuration: one immutable snapshot that is made from the defaults, the configuration file
 * and the command line, in this order. Everything is generated from one table, options.def.
 *
 * Durations are milliseconds, sizes octets. Strings are NUL-terminated and live as long as the
 * snapshot; NULL where a path or a name was not given.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** A place that connections are accepted at or made to. */
struct cfg_address {
    char *path; /**< UNIX socket; then host is NULL and port 0 */
    char *host; /**< name or numeric address without brackets; "*" for any (frontend only) */
    uint16_t port;
};

/** What a frontend's requests get. */
enum cfg_service { CFG_SERVICE_PROXY, CFG_SERVICE_API, CFG_SERVICE_HEALTHMON };

/** A network: all addresses whose first `bits` are those of `addr`; the others are 0. */
struct cfg_cidr {
    uint8_t family; /**< 4 or 6; an IPv4 address in IPv6 form is always 4 */
    uint8_t bits;   /**< 0 to 32, or 128 */
    uint8_t addr[16];
};

struct cfg_frontend {
    struct cfg_address addr;
    bool tls;
    bool sni_fwd;                     /**< routed by SNI */
    bool proxyproto;                  /**< a PROXY protocol header is required of each connection */
    struct cfg_cidr *proxyproto_from; /**< any: only of those that come from there (proxyproto is
                                         set), and from elsewhere there must be none */
    size_t nproxyproto_from;
    enum cfg_service service;
};

/** AUTO: what ALPN picks, always with TLS. */
enum cfg_proto { CFG_PROTO_HTTP1, CFG_PROTO_HTTP2, CFG_PROTO_AUTO };
/** Who answers: a server, or the program itself. */
enum cfg_kind { CFG_KIND_SERVER, CFG_KIND_RESPOND, CFG_KIND_REDIRECT };
enum cfg_balance {
    CFG_BALANCE_ROUND_ROBIN,
    CFG_BALANCE_LEAST_CONN,
    CFG_BALANCE_P2C,
    CFG_BALANCE_HASH,
};
/** Of what the hash is. */
enum cfg_hash { CFG_HASH_URI, CFG_HASH_HEADER, CFG_HASH_COOKIE };
/** ADDRESS: A and AAAA. */
enum cfg_dns { CFG_DNS_NONE, CFG_DNS_ADDRESS, CFG_DNS_SRV };
/** Of the PROXY protocol, to a backend. */
enum cfg_send_proxy { CFG_SEND_PROXY_NONE, CFG_SEND_PROXY_V1, CFG_SEND_PROXY_V2 };
enum cfg_affinity { CFG_AFFINITY_NONE, CFG_AFFINITY_IP, CFG_AFFINITY_COOKIE };
enum cfg_cookie_secure { CFG_COOKIE_SECURE_AUTO, CFG_COOKIE_SECURE_YES, CFG_COOKIE_SECURE_NO };
enum cfg_stickiness { CFG_STICKINESS_LOOSE, CFG_STICKINESS_STRICT };
enum cfg_same_site {
    CFG_SAME_SITE_NONE_SAID,
    CFG_SAME_SITE_STRICT,
    CFG_SAME_SITE_LAX,
    CFG_SAME_SITE_NONE,
};

struct cfg_status_range {
    uint16_t lo, hi; /**< both included */
};

/** What max_queue and queue_timeout (ms) of a backend are when it says nothing: another
 * backend of its pattern may. */
#define CFG_MAX_QUEUE     100
#define CFG_QUEUE_TIMEOUT 5000

/** SHA-256 of a SubjectPublicKeyInfo. */
#define CFG_PIN_SIZE 32

/**
 * One -b option: an address, or an answer of the program's own, with every pattern that it serves.
 * Backends with a pattern in common are a group there; what belongs to the group (balance,
 * affinity, time-outs) is the same in all of them that say it, and goes for the others too. An
 * answer of the program's own is the only backend of its patterns, and has no other members than
 * those of its kind and redirect_if_not_tls.
 */
struct cfg_backend {
    enum cfg_kind kind;
    struct cfg_address addr; /**< CFG_KIND_SERVER */
    uint16_t status;         /**< CFG_KIND_RESPOND: 200 to 599; REDIRECT: 301, 302, 303, 307, 308 */
    char *file;              /**< RESPOND: where the body comes from; NULL: none was named */
    char *body;              /**< what `file` had when the configuration was loaded */
    size_t body_len;
    char *location;  /**< REDIRECT: a template; see cfg_template_next() */
    char **patterns; /**< as written but normalised: lower-case host, normalised path; "/" is the
                        catch-all */
    size_t npatterns;

    enum cfg_proto proto;
    bool tls;
    char *sni;        /**< NULL: the host */
    enum cfg_dns dns; /**< looked up while the program runs; SRV: host is the name of the service,
                         and port what is used when there are only addresses of that name */
    bool redirect_if_not_tls;
    bool upgrade_scheme;
    enum cfg_send_proxy send_proxy;
    char *ca; /**< instead of --cacert; needs tls, as the next four do */
    char *cert;
    char *key;                     /**< with cert, or neither */
    bool insecure;                 /**< the certificate is not verified; pins are, all the same */
    uint8_t (*pins)[CFG_PIN_SIZE]; /**< one of these, if there are any */
    size_t npins;

    uint32_t fall;     /**< 0: never offline; default 0, with active checks 3 */
    uint32_t rise;     /**< 0: never online again; default 0, with active checks 2 */
    char *health_path; /**< asked for by a GET; NULL: no active checks, and the next four mean
                          nothing */
    char *health_host; /**< authority; NULL: that of the address */
    uint64_t health_interval;               /**< default 5 s, never 0 */
    uint64_t health_timeout;                /**< default 2 s, never 0 */
    struct cfg_status_range *health_status; /**< what is healthy; default 200 to 399 */
    size_t nhealth_status;
    uint32_t outlier; /**< ejected after so many responses with 5xx in a row; 0: never */

    uint32_t max_conns; /**< to one address, of all workers together; 0: no limit */
    bool max_queue_said;
    uint32_t max_queue; /**< requests of a worker that wait for one; default 100 */
    bool queue_timeout_said;
    uint64_t queue_timeout; /**< default 5 s, never 0 */
    uint32_t max_idle;      /**< idle HTTP/1.1 connections that a worker keeps; 0: no limit */
    uint32_t warm_up; /**< connections that a worker opens before requests need them; default 0 */

    char *group; /**< NULL: one without a name */
    uint32_t
        group_weight; /**< 1 to 256; 0: not said, which is 1 unless another one of it says so */
    uint32_t weight;  /**< 1 to 256 */
    bool balance_said;
    enum cfg_balance balance;
    enum cfg_hash hash; /**< with CFG_BALANCE_HASH */
    char *hash_name;    /**< of the field (lower case) or the cookie; NULL for CFG_HASH_URI */
    enum cfg_affinity affinity;
    char *cookie_name; /**< NULL unless affinity is CFG_AFFINITY_COOKIE */
    char *cookie_path; /**< NULL: no Path attribute */
    enum cfg_cookie_secure cookie_secure;
    enum cfg_stickiness cookie_stickiness;
    bool cookie_http_only;
    enum cfg_same_site cookie_same_site; /**< NONE_SAID: no SameSite attribute */
    uint64_t cookie_max_age;             /**< whole seconds; 0: a session cookie, without Max-Age */
    uint64_t read_timeout;               /**< 0: that of --backend-read-timeout */
    uint64_t write_timeout;              /**< 0: that of --backend-write-timeout */
};

/** What a part of the template of a redirect stands for. */
enum cfg_template_kind {
    CFG_TEMPLATE_END,
    CFG_TEMPLATE_TEXT,
    CFG_TEMPLATE_SCHEME,
    CFG_TEMPLATE_HOST,
    CFG_TEMPLATE_AUTHORITY,
    CFG_TEMPLATE_PATH, /**< with the query */
    CFG_TEMPLATE_PATH_WITHOUT_QUERY,
    CFG_TEMPLATE_UNKNOWN, /**< not in a snapshot */
};

struct cfg_template_part {
    enum cfg_template_kind kind;
    const char *s; /**< as it is written: of a text itself, else with the $ */
    size_t len;
};

/**
 * Takes the next part off *rest, which is `location` of a redirect at first. A template is checked
 * so that what it makes is an absolute http or https URI, or a path that does not begin with "//",
 * when the values put in are those of a valid request and the path begins with '/'.
 */
struct cfg_template_part cfg_template_next(const char **rest);

/** --subcert. */
struct cfg_subcert {
    char *key;
    char *cert;
    char *sct_dir; /**< NULL: none */
};

/** --tls-ticket-key-memcached; addr.host is NULL without it. */
struct cfg_memcached {
    struct cfg_address addr;
    bool tls;
};

/** --backend-http-proxy-uri; host is NULL without it. */
struct cfg_proxy_uri {
    char *userinfo; /**< USER:PASS, decoded; NULL: none */
    char *host;     /**< without brackets */
    uint16_t port;
};

/** --altsvc; what was left out is NULL. */
struct cfg_altsvc {
    char *protocol;
    uint16_t port;
    char *host;
    char *origin;
    char *params;
};

/** A pre-shared key. */
struct cfg_psk {
    char *identity;
    unsigned char *secret;
    size_t secret_len;
};

/** --psk-secrets, read when the configuration is loaded; path is NULL without it. */
struct cfg_psk_file {
    char *path;
    struct cfg_psk *list;
    size_t n;
};

/** A field of --add-request-header and the like: name lower case, value checked. */
struct cfg_header {
    char *name;
    char *value;
};

/** --error-page: code 0 is `*`. The page is read when the configuration is loaded. */
struct cfg_error_page {
    uint16_t code;
    char *path;
    char *body;
    size_t len;
};

enum cfg_log_level { CFG_LOG_INFO, CFG_LOG_NOTICE, CFG_LOG_WARN, CFG_LOG_ERROR, CFG_LOG_FATAL };
/** In the order of the names in gen_options.py. */
enum cfg_facility {
    CFG_FACILITY_AUTH,
    CFG_FACILITY_AUTHPRIV,
    CFG_FACILITY_CRON,
    CFG_FACILITY_DAEMON,
    CFG_FACILITY_FTP,
    CFG_FACILITY_KERN,
    CFG_FACILITY_LOCAL0,
    CFG_FACILITY_LOCAL1,
    CFG_FACILITY_LOCAL2,
    CFG_FACILITY_LOCAL3,
    CFG_FACILITY_LOCAL4,
    CFG_FACILITY_LOCAL5,
    CFG_FACILITY_LOCAL6,
    CFG_FACILITY_LOCAL7,
    CFG_FACILITY_LPR,
    CFG_FACILITY_MAIL,
    CFG_FACILITY_NEWS,
    CFG_FACILITY_SYSLOG,
    CFG_FACILITY_USER,
    CFG_FACILITY_UUCP,
};
enum cfg_family { CFG_FAMILY_AUTO, CFG_FAMILY_IPV4, CFG_FAMILY_IPV6 };
enum cfg_underscores { CFG_UNDERSCORES_KEEP, CFG_UNDERSCORES_DROP, CFG_UNDERSCORES_REFUSE };
enum cfg_tls_version { CFG_TLS_1_2, CFG_TLS_1_3 };
enum cfg_ticket_cipher { CFG_TICKET_AES_128_CBC, CFG_TICKET_AES_256_CBC };
enum cfg_forwarded_for { CFG_FORWARDED_FOR_OBFUSCATED, CFG_FORWARDED_FOR_IP };
/** Bits of add_forwarded. */
enum cfg_forwarded {
    CFG_FORWARDED_BY = 1,
    CFG_FORWARDED_FOR = 2,
    CFG_FORWARDED_HOST = 4,
    CFG_FORWARDED_PROTO = 8,
};
enum cfg_format { CFG_FORMAT_TEXT, CFG_FORMAT_JSON };

/*
 * The snapshot. For each scalar option of options.def there is a member that has the option's long
 * name with '_' for '-': bool, uint64_t (numbers, sizes, durations) or char *. Repeatable ones are
 * an array and its count, n<name>.
 */
#include "config_members.h"

enum cfg_rc {
    CFG_OK = 0,
    CFG_ERROR = 1, /**< the exit status, too */
    CFG_EXIT = 2,  /**< --help or --version: nothing more to do */
};

/**
 * Makes a snapshot from the defaults, the configuration file and the command line. CFG_OK: *out is
 * the snapshot, with one reference, which the caller gives back with cfg_unref(). CFG_ERROR: every
 * fault that was found has been written to `err` (such as stderr): a line with place, what is wrong
 * and what was expected, and the text with the fault underlined. CFG_EXIT: --help or --version has
 * printed to `out_text`. Warnings go to `err` in each case. *out is NULL but for CFG_OK. argv is
 * neither changed nor kept. Not thread-safe (getopt_long is not).
 *
 * With --check-config and --format=json faults are not written but kept, for
 * cfg_print_check_result(); when it comes to CFG_ERROR, that has been printed to `out_text`.
 */
enum cfg_rc cfg_load(int argc, char *const *argv, FILE *out_text, FILE *err, struct config **out);

/**
 * The same for a program that serves already. `had_file`: the configuration in force came from a
 * file (cfg_has_file()), and so one that is not there now is an error: the defaults are no
 * successor of it.
 */
enum cfg_rc cfg_load_again(int argc, char *const *argv, FILE *out_text, FILE *err,
                           struct config **out, bool had_file);
/** Gives `next` the value of `now` for one option that a reload cannot change. Returns its name;
 * NULL: there is none that differs (any more). */
const char *cfg_keep_fixed(struct config *next, const struct config *now);
/** A configuration file was read. */
bool cfg_has_file(const struct config *cfg);

/** A reference more to a snapshot, from any thread; returns it. It does not change while there is
 * one. */
const struct config *cfg_ref(const struct config *cfg);
/** One reference less; the last one gives back everything. NULL is allowed. */
void cfg_unref(const struct config *cfg);

/** The domain that a service is of: example.com for _https._tcp.example.com. It is what is asked
 * for there and what its certificates are for (RFC 6125, 6.2.1). Points into `name`. */
const char *cfg_service_domain(const char *name);

/** What --print-config prints: as a file that loads to the same, or as JSON. False: no memory, or
 * the stream has failed. */
bool cfg_print(const struct config *cfg, enum cfg_format format, FILE *out);

/** Keeps a fault that was found outside the configuration itself, such as in a key, for
 * cfg_print_check_result(). For whoever holds the only reference. */
void cfg_add_fault(struct config *cfg, bool warning, const char *message);
/** What --check-config with --format=json prints. False: as above. */
bool cfg_print_check_result(const struct config *cfg, bool good, FILE *out);

#endif
