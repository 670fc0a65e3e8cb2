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

struct cfg_frontend {
    struct cfg_address addr;
    bool tls;
};

enum cfg_proto { CFG_PROTO_HTTP1, CFG_PROTO_HTTP2 };

/** One -b option: an address, with every pattern that it serves. */
struct cfg_backend {
    struct cfg_address addr;
    char **patterns; /**< as written but normalised: lower-case host, normalised path; "/" is the
                        catch-all */
    size_t npatterns;
    enum cfg_proto proto;
    bool tls;
    char *sni; /**< NULL: the host */
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
enum cfg_tls_version { CFG_TLS_1_2, CFG_TLS_1_3 };

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
 * the snapshot, owned by the caller, who gives it back with cfg_free(). CFG_ERROR: every fault that
 * was found has been written to `err` (such as stderr): a line with place, what is wrong and what
 * was expected, and the text with the fault underlined. CFG_EXIT: --help or --version has printed
 * to `out_text`. Warnings go to `err` in each case. *out is NULL but for CFG_OK. argv is neither
 * changed nor kept. Not thread-safe (getopt_long is not).
 */
enum cfg_rc cfg_load(int argc, char *const *argv, FILE *out_text, FILE *err, struct config **out);

/** Gives back everything. NULL is allowed. */
void cfg_free(struct config *cfg);

#endif
