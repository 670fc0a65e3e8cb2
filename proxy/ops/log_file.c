/* Opening the files of the logs. */
#include "ops/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0644

/* O_NONBLOCK: open() of a FIFO would wait for its reader, and write() too. */
static const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

/* 0, or an errno. */
static int check(int fd, bool careful)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode) ? 0 : EINVAL;
    }
    return careful && st.st_nlink > 1 ? EMLINK : 0; /* a second name is as good as a link */
}

int log_file_open(const char *path, bool users)
{
    bool careful = users && geteuid() == 0;
    int fd = open(path, careful ? flags | O_NOFOLLOW : flags, MODE);
    int error = fd >= 0 ? check(fd, careful) : 0;
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool log_file_make(const char *path, uid_t uid, gid_t gid)
{
    int fd = open(path, flags | O_EXCL, MODE); /* O_EXCL follows no link (open(2)) */
    if (fd < 0) {
        return errno == EEXIST;
    }
    bool ok = fchown(fd, uid, gid) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

const char *log_file_why(int error)
{
    switch (error) {
    case ELOOP:
        return "is a symbolic link, which is not followed with --user (or a loop of them)";
    case EMLINK:
        return "has a second name (a hard link), which is not accepted with --user";
    case ENXIO:
        return "is a FIFO that nobody reads, or a socket; expected a file";
    case EINVAL:
        return "is no file that a log could be written to";
    default:
        return strerror(error);
    }
}
