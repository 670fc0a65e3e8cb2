/*
 * What the files of config/ share: slices of text, the report that faults are written to, and the
 * option table.
 *
 * Values are parsed where they lie, in the line of the file or in the argument, so that a pointer
 * into the value is the place of a fault too. Nothing in here is seen outside config/ and its
 * tests.
 */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include "config.h"

/* An error page, or the body of a response, is held in memory by the configuration; this is far
 * above any page that a person would write. */
#define CFG_PAGE_MOST ((size_t)16 << 20)

/** Some bytes of a line or an argument; not NUL-terminated. */
struct cfg_text {
    const char *s;
    size_t len;
};

/* ---------------------------------------------------------------- faults (cfg_error.c) */

/** What is being read at the moment. */
struct cfg_source {
    const char *file;     /**< NULL: the command line */
    size_t line;          /**< from 1; 0: all of the file */
    const char *option;   /**< of the command line, without the dashes; NULL: not about one */
    struct cfg_text text; /**< the line, or the argument's value */
    bool is_default;      /**< nobody has written it; `option` is whose it is */
    const char *param;    /**< the parameter whose value is read; NULL: none */
};

/** A fault that is kept. Its strings are its own. */
struct cfg_fault {
    bool warning;
    char *file;   /**< NULL: the command line */
    char *option; /**< as in struct cfg_source */
    char *message;
    char *text; /**< the line, or the value; NULL: the fault has no place in it */
    bool is_default;
    size_t line;   /**< as in struct cfg_source */
    size_t column; /**< from 1 */
    size_t length; /**< of what is wrong */
};

struct cfg_faults {
    struct cfg_fault *list;
    size_t n;
};

struct cfg_report {
    FILE *err;
    struct cfg_faults *keep; /**< NULL: faults are written to err */
    struct cfg_source at;
    size_t errors;
    size_t warnings;
    bool out_of_memory;
};

/* A load shows this many errors; of a binary file taken for a configuration more would not help. */
#define CFG_ERRORS_SHOWN 20

/**
 * Reports a fault in `where`, which lies inside report->at.text, or anywhere else (or is empty and
 * NULL) when the fault has no place in it; nothing is underlined then. Always false, so that a
 * parser can return it.
 */
bool cfg_error(struct cfg_report *r, struct cfg_text where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cfg_warning(struct cfg_report *r, struct cfg_text where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Writes what has been kept. */
void cfg_faults_write(const struct cfg_faults *faults, FILE *err);
void cfg_faults_clear(struct cfg_faults *faults);
/** Counts what is over CFG_ERRORS_SHOWN, in a last line. */
void cfg_report_end(struct cfg_report *r);
/** Says why cfg_read_file() gave nothing; false. */
bool cfg_unreadable(struct cfg_report *r, struct cfg_text path, int error, size_t most);
/** Says once that there is no memory; false. */
bool cfg_out_of_memory(struct cfg_report *r);

/** Text made fit to be shown: quoted, at most about 60 octets of it, nothing that a terminal would
 * act on. */
#define CFG_QUOTED_SIZE 72
struct cfg_quoted {
    char s[CFG_QUOTED_SIZE];
};
struct cfg_quoted cfg_quote(struct cfg_text t);

/** How many insertions, deletions, replacements and swaps of neighbours lie between them, case not
 * counting; or more than `most`, which stops the count. */
size_t cfg_distance(struct cfg_text a, struct cfg_text b, size_t most);
/** The distance up to which a name is near enough to be meant. */
size_t cfg_near(struct cfg_text t);

/* ---------------------------------------------------------------- text and memory (cfg_text.c) */

static inline struct cfg_text cfg_slice(const char *s, size_t len)
{
    return (struct cfg_text){s, len};
}
struct cfg_text cfg_text(const char *s);
static inline bool cfg_is_blank(char c)
{
    return c == ' ' || c == '\t';
}
bool cfg_text_is(struct cfg_text t, const char *s);        /**< the same octets */
bool cfg_text_is_nocase(struct cfg_text t, const char *s); /**< the same but for ASCII case */

/** Takes what is in front of the next `separator` (or all) off *rest; after the last part rest->s
 * is NULL. */
struct cfg_text cfg_cut(struct cfg_text *rest, char separator);

/** A NUL-terminated copy; NULL, reported, when there is no memory. */
char *cfg_copy(struct cfg_report *r, struct cfg_text t);
/** Appends a zeroed element to *(T **)array and returns it; NULL, reported, when there is no
 * memory. */
void *cfg_append(struct cfg_report *r, void *array, size_t *count, size_t element_size);

/** Reads a whole file, NUL-terminated, which the caller frees; NULL and errno's number without it:
 * EFBIG for one of more than `most` octets, ESPIPE for what is no file (but /dev/null), such as a
 * FIFO, for whose other end the program would wait. */
char *cfg_read_file(const char *path, size_t most, size_t *len, int *error);

/* ---------------------------------------------------------------- values (cfg_values.c) */

bool cfg_parse_number(struct cfg_report *r, struct cfg_text t, uint64_t min, uint64_t max,
                      uint64_t *out);
bool cfg_parse_size(struct cfg_report *r, struct cfg_text t, uint64_t min, uint64_t max,
                    uint64_t *out);
bool cfg_parse_duration(struct cfg_report *r, struct cfg_text t, uint64_t *out_ms);
bool cfg_parse_port(struct cfg_report *r, struct cfg_text t, uint16_t *out);
/** Anything but "yes" is no; what does not look like a no either gets a warning. */
bool cfg_parse_bool(struct cfg_report *r, struct cfg_text t);

struct cfg_choice {
    const char *name;
    unsigned value;
};
/** Case does not count. `choices` ends with a NULL name. */
bool cfg_parse_choice(struct cfg_report *r, struct cfg_text t, const struct cfg_choice *choices,
                      unsigned *out);
/** NULL: none has this value. */
const char *cfg_choice_name(const struct cfg_choice *choices, unsigned value);

/* These check without making anything. */
bool cfg_check_string(struct cfg_report *r, struct cfg_text t, uint64_t min_len, uint64_t max_len);
bool cfg_check_field_value(struct cfg_report *r, struct cfg_text t);
bool cfg_check_alpn(struct cfg_report *r, struct cfg_text t);

/** Names out of a list, with commas between them: the sum of their values. */
bool cfg_parse_set(struct cfg_report *r, struct cfg_text t, const struct cfg_choice *choices,
                   unsigned *out);

/* ---------------------------------------------------------------- values (cfg_http_values.c,
 * cfg_tls_values.c) */

bool cfg_parse_header(struct cfg_report *r, struct cfg_text t, bool request,
                      struct cfg_header *out);
bool cfg_parse_error_page(struct cfg_report *r, struct cfg_text t, struct cfg_error_page *out);
bool cfg_parse_altsvc(struct cfg_report *r, struct cfg_text t, struct cfg_altsvc *out);
bool cfg_parse_subcert(struct cfg_report *r, struct cfg_text t, struct cfg_subcert *out);
bool cfg_parse_memcached(struct cfg_report *r, struct cfg_text t, struct cfg_memcached *out);
bool cfg_parse_psk_file(struct cfg_report *r, struct cfg_text t, struct cfg_psk_file *out);
/** The versions of --tls-proto-list: the lowest and the highest of those that there are. */
bool cfg_parse_tls_list(struct cfg_report *r, struct cfg_text t, enum cfg_tls_version *min,
                        enum cfg_tls_version *max);
/** obfuscated, ip, or _ with letters, digits, '.', '_' and '-' (RFC 7239, 6.3). */
bool cfg_check_node(struct cfg_report *r, struct cfg_text t);
/** RFC 9110, 5.6.2. */
bool cfg_is_token(struct cfg_text t);
void cfg_header_clear(struct cfg_header *h);
void cfg_error_page_clear(struct cfg_error_page *p);
void cfg_altsvc_clear(struct cfg_altsvc *a);
void cfg_subcert_clear(struct cfg_subcert *s);
void cfg_memcached_clear(struct cfg_memcached *m);
void cfg_psk_file_clear(struct cfg_psk_file *f);

/* ---------------------------------------------------------------- parameters (cfg_param.c) */

/** Whether a parameter takes a value: one of these, or as a bool says. */
enum cfg_takes { CFG_TAKES_NOTHING = false, CFG_TAKES_VALUE = true, CFG_TAKES_ANY };

/** How a parameter's value is parsed, and what its member is. */
enum cfg_param_kind {
    CFG_PARAM_CUSTOM,   /**< by `set` */
    CFG_PARAM_ON,       /**< a bool that becomes true */
    CFG_PARAM_OFF,      /**< and false */
    CFG_PARAM_NUMBER,   /**< uint32_t */
    CFG_PARAM_DURATION, /**< uint64_t, milliseconds */
    CFG_PARAM_TEXT,     /**< char *; min and max are of its length */
    CFG_PARAM_ENUM,
};

/** A parameter of a frontend, a backend, or another value that has some; see options.def. */
struct cfg_param {
    const char *name;
    enum cfg_param_kind kind;
    enum cfg_takes takes;
    /** `value` is the name when it takes none, and of CFG_TAKES_ANY NAME or NAME=VALUE. */
    bool (*set)(struct cfg_report *r, struct cfg_text value, void *what);
    size_t offset; /**< of the member */
    uint64_t min;
    uint64_t max;
    const struct cfg_choice *choices;
    const char *fallback; /**< the default as it would be written; NULL: none */
    bool not_yet;         /**< taken and checked, but has no effect yet; that is warned of */
    bool hidden;          /**< taken or refused, but not offered */
    bool ours;            /**< nghttpx does not have it */
};

/** Those of a frontend and a backend; a NULL name ends them. Their rows are generated. */
extern const struct cfg_param cfg_frontend_params[];
extern const struct cfg_param cfg_backend_params[];
/** What may stand in the place of a backend's address. (cfg_answer.c) */
extern const struct cfg_param cfg_answer_params[];

/** Case does not count; NULL: there is none. */
const struct cfg_param *cfg_param_find(const struct cfg_param *rows, struct cfg_text name);
/** Takes all that is separated by ';'. Empty ones are skipped. */
bool cfg_params_set(struct cfg_report *r, struct cfg_text params, const struct cfg_param *rows,
                    void *what);
/** The last of this name, NAME or NAME=VALUE; `s` is NULL when there is none. */
struct cfg_text cfg_param_said(struct cfg_text params, const char *name);

/* ---------------------------------------------------------------- addresses (cfg_address.c,
 * cfg_frontend.c, cfg_backend.c, cfg_pattern.c) */

/* RFC 1035, 2.3.4 has 255 octets on the wire, which are 253 as text; a scope of an IPv6 address
 * fits, too. */
#define CFG_HOST_MOST 253

bool cfg_parse_address(struct cfg_report *r, struct cfg_text t, bool any_allowed,
                       struct cfg_address *out);
void cfg_address_clear(struct cfg_address *a);
/** As it is written: a host and a port, or a path of a UNIX socket. */
struct cfg_shown {
    char s[320]; /* a host has 253 octets at most, a path of a UNIX socket 107 */
};
struct cfg_shown cfg_show_address(const struct cfg_address *a);
/** A name, or a numeric address; no brackets. */
bool cfg_check_host(struct cfg_report *r, struct cfg_text host, bool any_allowed);
/** A name of a host as certificates and resolvers know it. */
bool cfg_check_name(struct cfg_report *r, struct cfg_text name);
/** Whether a host that was checked is an address. */
bool cfg_is_numeric(const char *host);
/** HOST or HOST:PORT, with brackets around an IPv6 address (RFC 9110, 7.2). */
bool cfg_check_authority(struct cfg_report *r, struct cfg_text t);
/** ADDRESS or ADDRESS/BITS. */
bool cfg_parse_cidr(struct cfg_report *r, struct cfg_text t, struct cfg_cidr *out);
void cfg_print_cidr(const struct cfg_cidr *c, FILE *out);
bool cfg_parse_proxy_uri(struct cfg_report *r, struct cfg_text t, struct cfg_proxy_uri *out);
void cfg_proxy_uri_clear(struct cfg_proxy_uri *u);

bool cfg_parse_frontend(struct cfg_report *r, struct cfg_text t, struct cfg_frontend *out);
bool cfg_parse_backend(struct cfg_report *r, struct cfg_text t, struct cfg_backend *out);
void cfg_frontend_clear(struct cfg_frontend *f);
void cfg_backend_clear(struct cfg_backend *b);

/** A pattern of a backend, normalised; the caller frees it. NULL, reported, when it is none. */
char *cfg_parse_pattern(struct cfg_report *r, struct cfg_text t);
/** All of them; what is set is the caller's even when it fails. */
bool cfg_parse_patterns(struct cfg_report *r, struct cfg_text t, struct cfg_backend *b);

/** Whether an answer of the program's own is meant. (cfg_answer.c) */
bool cfg_is_answer(struct cfg_text t);
/** Sets `kind` and what belongs to it; what is set is the caller's even when it fails.
 * (cfg_answer.c) */
bool cfg_parse_answer(struct cfg_report *r, struct cfg_text t, struct cfg_backend *out);

/* ---------------------------------------------------------------- parameters of a backend
 * (cfg_backend_values.c) */

/** balance=; `name` is the caller's. */
struct cfg_balancing {
    enum cfg_balance balance;
    enum cfg_hash hash;
    char *name;
};
bool cfg_parse_balance(struct cfg_report *r, struct cfg_text t, struct cfg_balancing *out);
/** The path, and the query if any, of a request (RFC 9112, 3.2.1). */
bool cfg_check_target(struct cfg_report *r, struct cfg_text t);
/** Replaces the list when it is good. */
bool cfg_parse_statuses(struct cfg_report *r, struct cfg_text t, struct cfg_status_range **out,
                        size_t *n);
bool cfg_parse_outlier(struct cfg_report *r, struct cfg_text t, uint32_t *out);
bool cfg_parse_pin(struct cfg_report *r, struct cfg_text t, uint8_t out[CFG_PIN_SIZE]);
void cfg_print_pin(const uint8_t pin[CFG_PIN_SIZE], FILE *out);
/* Defaults; of times, milliseconds. */
#define CFG_HEALTH_INTERVAL 5000
#define CFG_HEALTH_TIMEOUT  2000
/** What `fall`, `rise` and `health_status` are when nobody says. */
uint32_t cfg_default_fall(const struct cfg_backend *b);
uint32_t cfg_default_rise(const struct cfg_backend *b);
bool cfg_default_statuses(const struct cfg_backend *b);

/* ---------------------------------------------------------------- the table (cfg_option.c) */

enum cfg_type {
    CFG_TYPE_BOOL,
    CFG_TYPE_NUMBER,
    CFG_TYPE_SIZE,
    CFG_TYPE_DURATION,
    CFG_TYPE_STRING, /* a char * from here to CONF: cfg_option_is_text() */
    CFG_TYPE_PATH,
    CFG_TYPE_VALUE,
    CFG_TYPE_ALPN,
    CFG_TYPE_NODE,
    CFG_TYPE_CONF,
    CFG_TYPE_ENUM,
    CFG_TYPE_SET,
    /* structures; see cfg_compound.c */
    CFG_TYPE_FRONTEND,
    CFG_TYPE_BACKEND,
    CFG_TYPE_REQUEST_HEADER,
    CFG_TYPE_RESPONSE_HEADER,
    CFG_TYPE_ERROR_PAGE,
    CFG_TYPE_SUBCERT,
    CFG_TYPE_ALTSVC,
    CFG_TYPE_PATH_LIST,
    CFG_TYPE_MEMCACHED,
    CFG_TYPE_PROXY_URI,
    CFG_TYPE_PSK_FILE,
    /* without a member */
    CFG_TYPE_INCLUDE,
    CFG_TYPE_HELP,
    CFG_TYPE_VERSION,
    CFG_TYPE_UNUSED,
    CFG_TYPE_REFUSED,
    CFG_TYPE_ALIAS,
    CFG_TYPE_BITS,
    CFG_TYPE_TLS_LIST,
    CFG_TYPE_SNI_FIELD,
    CFG_TYPE_ACCEPT_PROXY,
};

/** How a structure is made and given back. (cfg_compound.c) */
struct cfg_compound {
    size_t size;
    /** On success *out is the caller's; without it nothing is. */
    bool (*parse)(struct cfg_report *r, struct cfg_text t, void *out);
    void (*clear)(void *element);
};
/** NULL for a type that is none. */
const struct cfg_compound *cfg_compound_of(enum cfg_type type);
/** The largest of the sizes. */
#define CFG_COMPOUND_MOST 512

/** What --help says of a parameter, or of something else that a value may have. */
struct cfg_entry {
    const char *group;
    const char *spelling; /**< NULL ends them */
    const char *text;
    const char *facts; /**< NULL: none */
};

/** A row of options.def; see there. */
struct cfg_option {
    const char *name;
    enum cfg_type type;
    const char *group;
    char short_name; /**< 0: none */
    bool takes_value;
    bool quiet;
    bool whole;   /**< not abbreviated */
    bool fixed;   /**< a change needs a new start */
    bool not_yet; /**< taken and checked, but has no effect yet; that is warned of */
    bool only_in_args;
    bool only_in_file;
    size_t offset;       /**< of the member in struct config */
    size_t count_offset; /**< of its n<name> */
    uint64_t min;
    uint64_t max;
    const struct cfg_choice *choices;
    const struct cfg_option *to[2];
    const char *to_value;
    const char *fallback; /**< the default as it would be written; NULL: none */
    const char *metavar;
    const char *help; /**< for CFG_TYPE_REFUSED: what to use instead; for CFG_TYPE_UNUSED: why */
    const struct cfg_entry *entries; /**< NULL: there are none */
};

extern const struct cfg_option cfg_options[];
extern const size_t cfg_noptions;
extern const uint16_t cfg_options_sorted[];
extern const char cfg_version[];

/** Case does not count, no abbreviations; NULL: there is none. */
const struct cfg_option *cfg_option_find(struct cfg_text name);
/** Whether --help and the documents describe it: it does something. */
bool cfg_option_documented(const struct cfg_option *o);
/** The name that was probably meant, NULL when none is near. */
const char *cfg_option_nearest(struct cfg_text name, bool in_file);

/* ---------------------------------------------------------------- origins (cfg_origin.c) */

/** Where a value was written. It is valid as long as the loader. */
struct cfg_origin {
    struct cfg_source at;
    struct cfg_text value; /**< inside at.text, or elsewhere: what another name stands for */
};

/** Of an option: the last value, or of a repeatable one each element in its order. */
struct cfg_origins {
    struct cfg_origin *list;
    size_t n;
};

struct cfg_loader;
/** Remembers that what is read at the moment has given the option this value. False: no memory. */
bool cfg_origin_add(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value);
/** Of an option's value, of a repeatable one of element `i`. One that nobody has given, even as a
 * default, comes from the configuration as a whole. */
struct cfg_origin cfg_origin_of(const struct cfg_loader *l, const char *option, size_t i);
/** FILE:LINE, "command line" or "default". */
struct cfg_place {
    char s[256];
};
struct cfg_place cfg_place(const struct cfg_origin *origin);
/** Leaves an allocation to the loader, as origins may point into it; NULL, reported, when there is
 * no memory (or it is NULL), and then it is freed. */
void *cfg_keep(struct cfg_loader *l, void *allocation);
void cfg_origins_clear(struct cfg_loader *l);

/* ---------------------------------------------------------------- loading */

/** A file that is being read, and the one that includes it. */
struct cfg_open_file {
    const struct cfg_open_file *includer;
    uint64_t device;
    uint64_t inode;
};

struct cfg_loader {
    struct cfg_report report;
    struct config *cfg;
    const struct cfg_open_file *innermost; /**< NULL: the command line */
    size_t files_read;
    size_t octets_read;          /**< of all files */
    bool had_file;               /**< cfg_load_again() */
    struct cfg_origins *origins; /**< one for each option */
    void **kept;                 /**< what origins point into */
    size_t nkept;
    /* Deprecated options that change what others say, once all are known. */
    char *sni;
    bool accept_proxy;
};

/**
 * Gives an option a value, `value` being inside report.at.text; for an option that takes none it is
 * what stands behind the = in a file, or "yes". False when it was refused, which has been reported.
 * (cfg_option.c)
 */
bool cfg_option_set(struct cfg_loader *l, const struct cfg_option *o, struct cfg_text value);

/** Whether there is a member in struct config. */
bool cfg_option_has_member(const struct cfg_option *o);
/** Whether the member is a char *. */
static inline bool cfg_option_is_text(const struct cfg_option *o)
{
    return o->type >= CFG_TYPE_STRING && o->type <= CFG_TYPE_CONF;
}
/** A count is never the first member: its array stands in front of it. */
static inline bool cfg_option_repeatable(const struct cfg_option *o)
{
    return o->count_offset != 0;
}
/** The member, or for a repeatable option the array. */
static inline const void *cfg_option_member(const struct config *cfg, const struct cfg_option *o)
{
    return (const char *)cfg + o->offset;
}

/** Reads a file; where that fails is reported at `path_text`. When it need not exist and does not,
 * nothing happens. (cfg_file.c) */
bool cfg_file_load(struct cfg_loader *l, const char *path, struct cfg_text path_text);

/** An option as it stood on the command line. */
struct cfg_arg {
    const struct cfg_option *option;
    struct cfg_text value;
};

/** The command line, taken apart. (cfg_args.c) */
struct cfg_args {
    struct cfg_arg *list;
    size_t nlist;
    const char *key; /**< NULL, or both are given */
    const char *certificate;
    const char *conf;               /**< NULL: not given */
    const struct cfg_option *print; /**< --help or --version */
};
/** Strings point into argv. False when it was wrong; the caller frees args->list in each case. */
bool cfg_args_parse(struct cfg_report *r, int argc, char *const *argv, struct cfg_args *args);

void cfg_print_help(FILE *out);    /**< (cfg_help.c) */
void cfg_print_version(FILE *out); /**< (cfg_help.c) */

/** What can only be said about all options together. (cfg_check.c) */
bool cfg_check(struct cfg_loader *l);

/* ---------------------------------------------------------------- the snapshot
 * (cfg_snapshot.c) */

/** An empty one with one reference; NULL: no memory. */
struct config *cfg_new(void);
/** The faults that are kept with it. */
struct cfg_faults *cfg_faults_of(struct config *cfg);
/** cfg_has_file() from now on. */
void cfg_set_has_file(struct config *cfg);
const struct cfg_faults *cfg_faults_of_const(const struct config *cfg);

/* ---------------------------------------------------------------- printing (cfg_print.c,
 * cfg_json.c) */

/** The value of an option (of a repeatable one, of element `i`) as it is written in a file. */
void cfg_print_value(const struct cfg_option *o, const void *element, FILE *out);
/** How many values there are to be printed: 0 or 1, or of a repeatable one, how many elements. */
size_t cfg_print_count(const struct config *cfg, const struct cfg_option *o);
/** The place of value `i`. */
/* Values of parameters as they are written. */
void cfg_print_balance(const struct cfg_backend *b, FILE *out);
void cfg_print_statuses(const struct cfg_backend *b, FILE *out);
const void *cfg_print_element(const struct config *cfg, const struct cfg_option *o, size_t i);
bool cfg_print_json(const struct config *cfg, FILE *out);
/** What cfg_print_check_result() prints. */
bool cfg_faults_print_json(const struct cfg_faults *faults, bool good, FILE *out);

#endif
