/* The access log: the format's variables, escaping, and the file. */
#include "ops/access_log.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "exchange/exchange.h"
#include "exchange/message.h"
#include "net/clock.h"
#include "ops/log.h"
#include "ops/log_file.h"
#include "process/worker.h"
#include "back/back.h"

#define DEFAULT_FORMAT                                                                             \
    "$remote_addr - - [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" "      \
    "\"$http_user_agent\""

/* A record's limit, octets with its line end (as nghttpx has it). */
#define RECORD_MAX  4096u
#define BUFFER_SIZE (16u * RECORD_MAX)

enum variable {
    VAR_TEXT, /* not a variable: literal text */
    VAR_REMOTE_ADDR,
    VAR_REMOTE_PORT,
    VAR_SERVER_PORT,
    VAR_TIME_LOCAL,
    VAR_TIME_ISO8601,
    VAR_REQUEST,
    VAR_METHOD,
    VAR_PATH,
    VAR_PATH_WITHOUT_QUERY,
    VAR_PROTOCOL_VERSION,
    VAR_STATUS,
    VAR_BODY_BYTES_SENT,
    VAR_REQUEST_TIME,
    VAR_PID,
    VAR_ALPN,
    VAR_HTTP, /* a request field */
    VAR_TLS_CIPHER,
    VAR_TLS_PROTOCOL,
    VAR_TLS_REUSED,
    VAR_TLS_SNI,
    VAR_BACKEND_HOST,
    VAR_BACKEND_PORT,
};

static const struct {
    const char *name;
    enum variable var;
} variables[] = {
    {"remote_addr", VAR_REMOTE_ADDR},
    {"remote_port", VAR_REMOTE_PORT},
    {"server_port", VAR_SERVER_PORT},
    {"time_local", VAR_TIME_LOCAL},
    {"time_iso8601", VAR_TIME_ISO8601},
    {"request", VAR_REQUEST},
    {"method", VAR_METHOD},
    {"path", VAR_PATH},
    {"path_without_query", VAR_PATH_WITHOUT_QUERY},
    {"protocol_version", VAR_PROTOCOL_VERSION},
    {"status", VAR_STATUS},
    {"body_bytes_sent", VAR_BODY_BYTES_SENT},
    {"request_time", VAR_REQUEST_TIME},
    {"pid", VAR_PID},
    {"alpn", VAR_ALPN},
    {"tls_cipher", VAR_TLS_CIPHER},
    {"tls_protocol", VAR_TLS_PROTOCOL},
    {"tls_session_reused", VAR_TLS_REUSED},
    {"tls_sni", VAR_TLS_SNI},
    {"ssl_cipher", VAR_TLS_CIPHER},
    {"ssl_protocol", VAR_TLS_PROTOCOL},
    {"ssl_session_reused", VAR_TLS_REUSED},
    {"backend_host", VAR_BACKEND_HOST},
    {"backend_port", VAR_BACKEND_PORT},
};

struct part {
    enum variable var;
    char *text; /* literal text, or the field's name */
    size_t len;
};

struct log_format {
    struct part *parts;
    size_t n;
};

/* ---------------------------------------------------------------- the format */

static void add_part(struct log_format *f, enum variable var, const char *text, size_t len)
{
    f->parts = xrealloc(f->parts, (f->n + 1) * sizeof(*f->parts));
    char *copy = xmalloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    f->parts[f->n++] = (struct part){.var = var, .text = copy, .len = len};
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* $http_user_agent is the field user-agent. */
static void add_field(struct log_format *f, const char *name, size_t len)
{
    add_part(f, VAR_HTTP, name, len);
    char *text = f->parts[f->n - 1].text;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '_') {
            text[i] = '-';
        } else if (text[i] >= 'A' && text[i] <= 'Z') {
            text[i] = (char)(text[i] + 'a' - 'A');
        }
    }
}

static bool add_variable(struct log_format *f, const char *name, size_t len)
{
    if (len > 5 && strncasecmp(name, "http_", 5) == 0) {
        add_field(f, name + 5, len - 5);
        return true;
    }
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        if (strlen(variables[i].name) == len && strncasecmp(variables[i].name, name, len) == 0) {
            add_part(f, variables[i].var, "", 0);
            return true;
        }
    }
    return false;
}

struct log_format *log_format_new(const char *format)
{
    struct log_format *f = xcalloc(1, sizeof(*f));
    const char *p = format != NULL ? format : DEFAULT_FORMAT, *text = p;
    while (*p != '\0') {
        if (*p != '$') {
            p++;
            continue;
        }
        bool braces = p[1] == '{';
        const char *name = p + 1 + braces, *end = name;
        while (is_name_char(*end)) {
            end++;
        }
        if (end == name || (braces && *end != '}')) {
            p++;
            continue;
        }
        if (p > text) {
            add_part(f, VAR_TEXT, text, (size_t)(p - text));
        }
        text = p;
        p = end + braces;
        if (add_variable(f, name, (size_t)(end - name))) {
            text = p;
        } else {
            LOG(WARN, "accesslog-format: unknown variable %.*s", (int)(p - text), text);
        }
    }
    if (p > text) {
        add_part(f, VAR_TEXT, text, (size_t)(p - text));
    }
    return f;
}

void log_format_free(struct log_format *f)
{
    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        free(f->parts[i].text);
    }
    free(f->parts);
    free(f);
}

/* ---------------------------------------------------------------- the file */

static pthread_rwlock_t file_lock =
    PTHREAD_RWLOCK_INITIALIZER; /* held for reading while a worker writes */
static const char *file_path;
static bool for_user; /* the file is --user's */
static int file_fd = -1;
static bool to_syslog; /* instead of the file */

static bool open_file(const char *path)
{
    int fd = log_file_open(path, for_user);
    if (fd < 0) {
        return false;
    }
    pthread_rwlock_wrlock(&file_lock);
    if (file_fd >= 0) {
        close(file_fd);
    }
    file_fd = fd;
    file_path = path;
    pthread_rwlock_unlock(&file_lock);
    return true;
}

bool access_log_open(const struct config *cfg)
{
    to_syslog = cfg->accesslog_syslog;
    for_user = cfg->user != NULL;
    return to_syslog || cfg->accesslog_file == NULL || open_file(cfg->accesslog_file);
}

void access_log_reopen(void)
{
    if (file_path != NULL && !open_file(file_path)) {
        LOG(ERROR, "accesslog-file: %s: %s; the old file is still used", file_path,
            log_file_why(errno));
    }
}

void access_log_close(void)
{
    if (file_fd >= 0) {
        close(file_fd);
        file_fd = -1;
    }
}

/* ---------------------------------------------------------------- records */

/* A record under construction; what does not fit is cut off. */
struct record {
    char *pos, *end;
};

static void put(struct record *r, const char *s, size_t len)
{
    size_t room = (size_t)(r->end - r->pos);
    len = len < room ? len : room;
    memcpy(r->pos, s, len);
    r->pos += len;
}

static void put_text(struct record *r, const char *s)
{
    put(r, s, strlen(s));
}

/* What a client wrote must not be able to forge a line or a quote: \xNN for all that is not plain.
 */
static void put_escaped(struct record *r, const char *s, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            put(r, s + i, 1);
        } else {
            char escaped[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
            put(r, escaped, 4);
        }
    }
}

static void put_str(struct record *r, struct str s)
{
    if (s.len == 0) {
        put_text(r, "-");
    } else {
        put_escaped(r, s.s, s.len);
    }
}

static void put_number(struct record *r, uint64_t n)
{
    char text[24];
    put(r, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)n));
}

static void put_time(struct record *r, const struct exchange *x, bool iso)
{
    char text[64], zone[8];
    struct tm tm;
    localtime_r(&x->started.tv_sec, &tm);
    if (!iso) {
        put(r, text, strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S %z", &tm));
        return;
    }
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof(zone), "%z", &tm);
    n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03ld%.3s:%s", x->started.tv_nsec / 1000000,
                          zone, zone + 3);
    put(r, text, n);
}

static const char *version_text(const struct message *m)
{
    return m->http_major == 2 ? "HTTP/2" : m->http_minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

static void put_request_field(struct record *r, const struct exchange *x, const struct part *p)
{
    const struct message *m = &x->request.m;
    for (size_t i = 0; i < m->nfields; i++) {
        const struct h2_field *f = &m->fields[i];
        if (f->name_len == p->len && memcmp(f->name, p->text, p->len) == 0) {
            put_str(r, (struct str){f->value, f->value_len});
            return;
        }
    }
    bool host = p->len == 4 && memcmp(p->text, "host", 4) == 0;
    put_str(r, host ? x->request.authority : (struct str){NULL, 0});
}

static void put_backend(struct record *r, const struct exchange *x, bool port)
{
    if (x->pool == NULL) {
        put_text(r, "-");
        return;
    }
    const struct cfg_address *a = &x->pool->backend->cfg->addr;
    if (a->path != NULL) {
        put_text(r, port ? "-" : a->path);
    } else if (port) {
        put_number(r, a->port);
    } else {
        put_text(r, a->host);
    }
}

static void put_request_line(struct record *r, const struct request *q)
{
    put_str(r, q->method_text);
    put_text(r, " ");
    put_str(r, q->target);
    put_text(r, " ");
    put_text(r, version_text(&q->m));
}

static void put_path_without_query(struct record *r, struct str target)
{
    const char *query = target.len > 0 ? memchr(target.s, '?', target.len) : NULL;
    put_str(r, (struct str){target.s, query != NULL ? (size_t)(query - target.s) : target.len});
}

static void put_seconds(struct record *r, uint64_t ms)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%llu.%03u", (unsigned long long)(ms / 1000),
                     (unsigned)(ms % 1000));
    put(r, text, (size_t)n);
}

static void put_part(struct record *r, const struct exchange *x, const struct part *p)
{
    const struct request *q = &x->request;
    switch (p->var) {
    case VAR_TEXT:
        put(r, p->text, p->len);
        break;
    case VAR_REMOTE_ADDR:
        put_text(r, x->client->addr);
        break;
    case VAR_REMOTE_PORT:
        put_number(r, x->client->port);
        break;
    case VAR_SERVER_PORT:
        put_number(r, x->client->server_port);
        break;
    case VAR_TIME_LOCAL:
    case VAR_TIME_ISO8601:
        put_time(r, x, p->var == VAR_TIME_ISO8601);
        break;
    case VAR_REQUEST:
        put_request_line(r, q);
        break;
    case VAR_METHOD:
        put_str(r, q->method_text);
        break;
    case VAR_PATH:
        put_str(r, q->target);
        break;
    case VAR_PATH_WITHOUT_QUERY:
        put_path_without_query(r, q->target);
        break;
    case VAR_PROTOCOL_VERSION:
        put_text(r, version_text(&q->m));
        break;
    case VAR_STATUS:
        if (x->response_started) {
            put_number(r, (uint64_t)x->response.status);
        } else {
            put_text(r, "-");
        }
        break;
    case VAR_BODY_BYTES_SENT:
        put_number(r, x->sent_bytes);
        break;
    case VAR_REQUEST_TIME:
        put_seconds(r, clock_ms() - x->started_ms);
        break;
    case VAR_PID:
        put_number(r, (uint64_t)getpid());
        break;
    case VAR_ALPN:
        put_text(r, x->client->alpn != NULL ? x->client->alpn
                    : q->m.http_major == 2  ? "h2c"
                                            : "http/1.1");
        break;
    case VAR_HTTP:
        put_request_field(r, x, p);
        break;
    case VAR_TLS_CIPHER:
        put_text(r, x->client->tls_cipher != NULL ? x->client->tls_cipher : "-");
        break;
    case VAR_TLS_PROTOCOL:
        put_text(r, x->client->tls_protocol != NULL ? x->client->tls_protocol : "-");
        break;
    case VAR_TLS_REUSED:
        put_text(r, !x->client->tls ? "-" : x->client->tls_reused ? "r" : ".");
        break;
    case VAR_TLS_SNI: {
        const char *sni = x->client->tls_sni;
        put_str(r, (struct str){sni, sni != NULL ? strlen(sni) : 0});
        break;
    }
    case VAR_BACKEND_HOST:
    case VAR_BACKEND_PORT:
        put_backend(r, x, p->var == VAR_BACKEND_PORT);
        break;
    }
}

void access_log_init(struct access_log *log, const struct log_format *format)
{
    *log = (struct access_log){.format = format};
    if (file_fd >= 0 || to_syslog) {
        log->buf = xmalloc(BUFFER_SIZE);
    }
}

void access_log_write(struct access_log *log, const struct exchange *x)
{
    if (log->buf == NULL) {
        return;
    }
    if (BUFFER_SIZE - log->len < RECORD_MAX) {
        access_log_flush(log);
    }
    char *start = log->buf + log->len;
    struct record r = {.pos = start, .end = start + RECORD_MAX - 1};
    for (size_t i = 0; i < log->format->n; i++) {
        put_part(&r, x, &log->format->parts[i]);
    }
    if (to_syslog) {
        syslog(LOG_INFO, "%.*s", (int)(r.pos - start), start);
        return;
    }
    *r.pos++ = '\n';
    log->len += (size_t)(r.pos - start);
}

void access_log_flush(struct access_log *log)
{
    if (log->len == 0) {
        return;
    }
    pthread_rwlock_rdlock(&file_lock);
    ssize_t n = write(file_fd, log->buf, log->len);
    pthread_rwlock_unlock(&file_lock);
    if (n < 0) {
        LOG(ERROR, "accesslog-file: %s: %s", file_path, strerror(errno));
    }
    log->len = 0;
}

void access_log_free(struct access_log *log)
{
    access_log_flush(log);
    free(log->buf);
    log->buf = NULL;
}
