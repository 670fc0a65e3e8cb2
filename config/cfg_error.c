/*
 * Says what is wrong with a configuration, and where:
 *
 *   nghttpx: /etc/nghttpx/nghttpx.conf:3:9: "16Q" is no size; expected digits and ...
 *       padding=16Q
 *               ^~~
 *
 * The text comes from files and arguments, so what a terminal would act on is never written as it
 * is.
 */
#include "config_internal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* So much of a line is shown, and so much of it in front of the fault. */
#define SHOWN  96
#define BEFORE 48

static char shown_char(char c)
{
    unsigned char b = (unsigned char)c;
    return b < 0x20 || b > 0x7e ? '?' : c;
}

struct cfg_quoted cfg_quote(struct cfg_text t)
{
    static const size_t most = CFG_QUOTED_SIZE - sizeof("\"...\"");
    struct cfg_quoted q;
    size_t n = t.len > most ? most : t.len;
    char *p = q.s;
    *p++ = '"';
    for (size_t i = 0; i < n; i++) {
        *p++ = shown_char(t.s[i]);
    }
    strcpy(p, t.len > most ? "...\"" : "\"");
    return q;
}

static bool is_inside(struct cfg_text part, struct cfg_text whole)
{
    return part.s != NULL && whole.s != NULL && part.s >= whole.s &&
           part.s + part.len <= whole.s + whole.len;
}

static void underline(FILE *err, struct cfg_text text, size_t off, size_t len)
{
    size_t from = text.len > SHOWN && off > BEFORE ? off - BEFORE : 0;
    size_t n = text.len - from > SHOWN ? SHOWN : text.len - from;
    fputs(from > 0 ? "    ..." : "    ", err);
    for (size_t i = 0; i < n; i++) {
        putc(shown_char(text.s[from + i]), err);
    }
    fputs(from > 0 ? "\n       " : "\n    ", err);
    for (size_t i = from; i < off; i++) {
        putc(' ', err);
    }
    putc('^', err);
    for (size_t i = 1; i < len && off - from + i < n; i++) {
        putc('~', err);
    }
    putc('\n', err);
}

static void put_shown(FILE *err, const char *s)
{
    for (; *s != '\0'; s++) {
        putc(shown_char(*s), err);
    }
}

static void report(struct cfg_report *r, struct cfg_text where, const char *kind,
                   const char *format, va_list args)
{
    const struct cfg_source *at = &r->at;
    bool placed = is_inside(where, at->text);
    char message[1024]; /* its parts are quoted texts and addresses, which are short */
    vsnprintf(message, sizeof(message), format, args);
    fputs("nghttpx: ", r->err);
    if (at->file != NULL) {
        put_shown(r->err, at->file);
        fprintf(r->err, ":%zu:%zu: ", at->line, placed ? (size_t)(where.s - at->text.s) + 1 : 1);
    } else if (at->option != NULL) {
        fprintf(r->err, "command line: --%s: ", at->option);
    } else {
        fputs("command line: ", r->err);
    }
    fputs(kind, r->err);
    put_shown(r->err, message);
    putc('\n', r->err);
    if (placed) {
        underline(r->err, at->text, (size_t)(where.s - at->text.s), where.len);
    }
}

bool cfg_error(struct cfg_report *r, struct cfg_text where, const char *format, ...)
{
    assert(r->err != NULL);
    if (r->errors++ < CFG_ERRORS_SHOWN) {
        va_list args;
        va_start(args, format);
        report(r, where, "", format, args);
        va_end(args);
    }
    return false;
}

void cfg_warning(struct cfg_report *r, struct cfg_text where, const char *format, ...)
{
    assert(r->err != NULL);
    if (r->warnings++ < CFG_ERRORS_SHOWN) {
        va_list args;
        va_start(args, format);
        report(r, where, "warning: ", format, args);
        va_end(args);
    }
}

bool cfg_unreadable(struct cfg_report *r, struct cfg_text path, int error, size_t most)
{
    struct cfg_quoted name = cfg_quote(path);
    if (error == EFBIG) {
        return cfg_error(r, path, "%s is too large; expected a file of at most %zu MiB", name.s,
                         most >> 20);
    }
    return cfg_error(r, path, "cannot read %s: %s; expected a file that can be read", name.s,
                     strerror(error));
}

bool cfg_out_of_memory(struct cfg_report *r)
{
    if (!r->out_of_memory) {
        r->out_of_memory = true;
        r->errors++;
        fputs("nghttpx: out of memory while reading the configuration\n", r->err);
    }
    return false;
}

/* Longer than any name that there is; a longer text is near to none. */
#define LONGEST_NAME 64

size_t cfg_distance(struct cfg_text a, struct cfg_text b, size_t most)
{
    size_t difference = a.len > b.len ? a.len - b.len : b.len - a.len;
    if (difference > most || a.len > LONGEST_NAME || b.len > LONGEST_NAME) {
        return most + 1;
    }
    /* Three rows of the usual table of distances between beginnings: the one before last is for
     * swaps. */
    size_t rows[3][LONGEST_NAME + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.len; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            int x = tolower((unsigned char)a.s[i - 1]), y = tolower((unsigned char)b.s[j - 1]);
            size_t d = last[j - 1] + (x != y);
            d = last[j] + 1 < d ? last[j] + 1 : d;
            d = now[j - 1] + 1 < d ? now[j - 1] + 1 : d;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b.s[j - 2]) &&
                y == tolower((unsigned char)a.s[i - 2]) && before[j - 2] + 1 < d) {
                d = before[j - 2] + 1;
            }
            now[j] = d;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b.len] > most ? most + 1 : last[b.len];
}

size_t cfg_near(struct cfg_text t)
{
    return t.len < 4 ? 1 : t.len < 12 ? 2 : 3;
}
