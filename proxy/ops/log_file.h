/*
 * Opening the files of the logs: to append, made when they are not there, and never waiting for
 * anybody (a FIFO that nobody reads is refused).
 *
 * With --user the logs lie in folders that this user can change, and are opened by root: a link
 * there could lead root to any file of the machine. So then links are not followed.
 */
#ifndef OPS_LOG_FILE_H
#define OPS_LOG_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/** `users`: the file is --user's. -1: errno, for log_file_why(). */
int log_file_open(const char *path, bool users);
/** Makes the file for that user; one that is there stays as it is. False: errno. */
bool log_file_make(const char *path, uid_t uid, gid_t gid);
/** What errno means here. */
const char *log_file_why(int error);

#endif
