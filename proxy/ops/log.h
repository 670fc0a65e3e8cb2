/*
 * The error log: one line a message, as nghttpx has it:
 * <ISO 8601> <main pid> <pid> <thread id> <LEVEL> (<file>:<line>) <message>
 */
#ifndef OPS_LOG_H
#define OPS_LOG_H

#include "config.h"

#include <stdbool.h>

/**
 * From now on messages go to the configured place: a file (opened to append; "/dev/stderr" stays as
 * it is) or syslog. False: the file cannot be opened, as the log so far says, which goes on.
 */
bool log_open(const struct config *cfg);
/** The process that lines name first: the main one's id, in a worker process. */
void log_set_main_pid(int pid);
/** A daemon has told all that whoever started it may see: what still goes to a terminal ends here.
 */
void log_leave_terminal(void);
/** Opens it again by its name, after it was moved away. */
void log_reopen(void);

/** Messages go to `to` instead, but for their frame; NULL: not any more. For --check-config. */
void log_divert(void (*to)(enum cfg_log_level level, const char *text, void *arg), void *arg);

bool log_wants(enum cfg_log_level level);
void log_write(enum cfg_log_level level, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#define LOG(level, ...)                                                                            \
    do {                                                                                           \
        if (log_wants(CFG_LOG_##level)) {                                                          \
            log_write(CFG_LOG_##level, __FILE__, __LINE__, __VA_ARGS__);                           \
        }                                                                                          \
    } while (0)

#endif
