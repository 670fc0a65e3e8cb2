/* Slices of text, the few ways that memory is taken, and reading whole files. */
#include "config_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct cfg_text cfg_text(const char *s)
{
    return cfg_slice(s, strlen(s));
}

bool cfg_text_is(struct cfg_text t, const char *s)
{
    return strlen(s) == t.len && memcmp(t.s, s, t.len) == 0;
}

bool cfg_text_is_nocase(struct cfg_text t, const char *s)
{
    return strlen(s) == t.len && strncasecmp(t.s, s, t.len) == 0;
}

struct cfg_text cfg_cut(struct cfg_text *rest, char separator)
{
    assert(rest->s != NULL);
    struct cfg_text part = *rest;
    const char *end = memchr(rest->s, separator, rest->len);
    if (end == NULL) {
        *rest = cfg_slice(NULL, 0);
        return part;
    }
    part.len = (size_t)(end - rest->s);
    *rest = cfg_slice(end + 1, rest->len - part.len - 1);
    return part;
}

char *cfg_copy(struct cfg_report *r, struct cfg_text t)
{
    char *copy = malloc(t.len + 1);
    if (copy == NULL) {
        cfg_out_of_memory(r);
        return NULL;
    }
    memcpy(copy, t.s, t.len);
    copy[t.len] = '\0';
    return copy;
}

void *cfg_append(struct cfg_report *r, void *array, size_t *count, size_t element_size)
{
    char *elements;
    memcpy(&elements, array, sizeof(elements));
    size_t n = *count;
    if ((n & (n - 1)) == 0) { /* full: the room is always the next power of two */
        char *grown = realloc(elements, (n == 0 ? 1 : 2 * n) * element_size);
        if (grown == NULL) {
            cfg_out_of_memory(r);
            return NULL;
        }
        elements = grown;
        memcpy(array, &elements, sizeof(elements));
    }
    memset(elements + n * element_size, 0, element_size);
    *count = n + 1;
    return elements + n * element_size;
}

static char *read_all(int fd, size_t most, size_t *len, int *error)
{
    size_t room = 4096, used = 0;
    char *buf = malloc(room);
    while (buf != NULL) {
        ssize_t n = read(fd, buf + used, room - 1 - used);
        if (n == 0) {
            buf[used] = '\0';
            *len = used;
            return buf;
        }
        if (n < 0 && errno != EINTR) {
            *error = errno;
            break;
        }
        used += n > 0 ? (size_t)n : 0;
        if (used > most) {
            *error = EFBIG;
            break;
        }
        if (used == room - 1) {
            char *grown = realloc(buf, room * 2);
            if (grown == NULL) {
                *error = ENOMEM;
                break;
            }
            buf = grown;
            room *= 2;
        }
    }
    if (buf == NULL) {
        *error = ENOMEM;
    }
    free(buf);
    return NULL;
}

char *cfg_read_file(const char *path, size_t most, size_t *len, int *error)
{
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *error = errno;
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    bool null = S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !null) {
        close(fd);
        *error = ESPIPE;
        return NULL;
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > most) { /* without reading it first */
        close(fd);
        *error = EFBIG;
        return NULL;
    }
    char *text = read_all(fd, most, len, error);
    close(fd);
    return text;
}
