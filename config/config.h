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

struct cfg_frontend {
    struct cfg_address addr;
    bool tls;
    bool sni_fwd;    /**< routed by SNI */
    bool proxyproto; /**< a PROXY protocol header is required of each connection */
    enum cfg_service service;
};

enum cfg_proto { CFG_PROTO_HTTP1, CFG_PROTO_HTTP2 };
enum cfg_affinity { CFG_AFFINITY_NONE, CFG_AFFINITY_IP, CFG_AFFINITY_COOKIE };
enum cfg_cookie_secure { CFG_COOKIE_SECURE_AUTO, CFG_COOKIE_SECURE_YES, CFG_COOKIE_SECURE_NO };
enum cfg_stickiness { CFG_STICKINESS_LOOSE, CFG_STICKINESS_STRICT };

/**
 * One -b option: an address, with every pattern that it serves. Backends with a pattern in common
 * are a group there; what belongs to the group (affinity, time-outs) is the same in all of them
 * that say it, and goes for the others too.
 */
struct cfg_backend {
    struct cfg_address addr;
    char **patterns; /**< as written but normalised: lower-case host, normalised path; "/" is the
                        catch-all */
    size_t npatterns;
    enum cfg_proto proto;
    bool tls;
    char *sni; /**< NULL: the host */
    bool dns;  /**< looked up while the program runs */
    bool redirect_if_not_tls;
    bool upgrade_scheme;
    uint32_t fall; /**< 0: never offline */
    uint32_t rise; /**< 0: never online again */
    char *group;   /**< NULL: one without a name */
    uint32_t
        group_weight; /**< 1 to 256; 0: not said, which is 1 unless another one of it says so */
    uint32_t weight;  /**< 1 to 256 */
    enum cfg_affinity affinity;
    char *cookie_name; /**< NULL unless affinity is CFG_AFFINITY_COOKIE */
    char *cookie_path; /**< NULL: no Path attribute */
    enum cfg_cookie_secure cookie_secure;
    enum cfg_stickiness cookie_stickiness;
    uint64_t read_timeout;  /**< 0: that of --backend-read-timeout */
    uint64_t write_timeout; /**< 0: that of --backend-write-timeout */
};

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

/** What --print-config prints: as a file that loads to the same, or as JSON. False: no memory, or
 * the stream has failed. */
bool cfg_print(const struct config *cfg, enum cfg_format format, FILE *out);

/** Keeps a fault that was found outside the configuration itself, such as in a key, for
 * cfg_print_check_result(). For whoever holds the only reference. */
void cfg_add_fault(struct config *cfg, bool warning, const char *message);
/** What --check-config with --format=json prints. False: as above. */
bool cfg_print_check_result(const struct config *cfg, bool good, FILE *out);

#endif
