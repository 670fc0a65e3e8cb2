/*
 * The access log: a line for each exchange, in the format of --accesslog-format. A worker gathers
 * the lines of a turn and writes them at once; every line is whole in the file, whoever else writes
 * to it.
 */
#ifndef OPS_ACCESS_LOG_H
#define OPS_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct exchange;
struct log_format;

/** The format, understood once and shared by all workers. Unknown variables stay as they are, with
 * a warning. */
struct log_format *log_format_new(const char *format);
void log_format_free(struct log_format *f);

/** Where the lines of the whole process go: syslog, a file, or nowhere. False: the file cannot be
 * opened (errno). */
bool access_log_open(const struct config *cfg);
void access_log_reopen(void);
void access_log_close(void);

/** A worker's part. */
struct access_log {
    const struct log_format *format;
    char *buf;
    size_t len;
};

void access_log_init(struct access_log *log, const struct log_format *format);
void access_log_write(struct access_log *log, const struct exchange *x);
void access_log_flush(struct access_log *log);
void access_log_free(struct access_log *log);

#endif
