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
#include <stdint.h>
#include <stdlib.h>
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

/* ---------------------------------------------------------------- writing */

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

static void put_fault(FILE *err, const struct cfg_source *at, struct cfg_text where, bool warning,
                      const char *message)
{
    bool placed = is_inside(where, at->text);
    fputs("nghttpx: ", err);
    if (at->file != NULL) {
        put_shown(err, at->file);
        if (at->line > 0) {
            fprintf(err, ":%zu:%zu", at->line, placed ? (size_t)(where.s - at->text.s) + 1 : 1);
        }
        fputs(": ", err);
    } else if (at->option != NULL) {
        fprintf(err, "%s: --%s: ", at->is_default ? "default" : "command line", at->option);
    } else {
        fputs("command line: ", err);
    }
    fputs(warning ? "warning: " : "", err);
    put_shown(err, message);
    putc('\n', err);
    if (placed) {
        underline(err, at->text, (size_t)(where.s - at->text.s), where.len);
    }
}

/* In one piece: stderr has no buffer. */
static void write_fault(FILE *err, const struct cfg_source *at, struct cfg_text where, bool warning,
                        const char *message)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    put_fault(memory != NULL ? memory : err, at, where, warning, message);
    if (memory != NULL && fclose(memory) == 0) {
        fwrite(text, 1, len, err);
    }
    free(text);
}

void cfg_faults_write(const struct cfg_faults *faults, FILE *err)
{
    for (size_t i = 0; i < faults->n; i++) {
        const struct cfg_fault *f = &faults->list[i];
        struct cfg_source at = {.file = f->file, .line = f->line, .option = f->option};
        at.is_default = f->is_default;
        struct cfg_text where = cfg_slice(NULL, 0);
        if (f->text != NULL) {
            at.text = cfg_text(f->text);
            where = cfg_slice(f->text + f->column - 1, f->length);
        }
        write_fault(err, &at, where, f->warning, f->message);
    }
}

/* ---------------------------------------------------------------- keeping */

static bool copy_to(char **slot, const char *s, size_t len)
{
    *slot = s != NULL ? strndup(s, len) : NULL;
    return s == NULL || *slot != NULL;
}

static bool copy_all(char **slot, const char *s)
{
    return copy_to(slot, s, s != NULL ? strlen(s) : 0);
}

static void fault_clear(struct cfg_fault *f)
{
    free(f->file);
    free(f->option);
    free(f->message);
    free(f->text);
}

static void keep(struct cfg_report *r, struct cfg_text where, bool warning, const char *message)
{
    const struct cfg_source *at = &r->at;
    bool placed = is_inside(where, at->text);
    struct cfg_fault f = {.warning = warning, .line = at->line};
    f.is_default = at->is_default;
    f.column = placed ? (size_t)(where.s - at->text.s) + 1 : 1;
    f.length = placed ? where.len : 0;
    bool copied = copy_all(&f.file, at->file) && copy_all(&f.option, at->option) &&
                  copy_all(&f.message, message) &&
                  copy_to(&f.text, placed ? at->text.s : NULL, at->text.len);
    struct cfg_fault *slot =
        copied ? cfg_append(r, &r->keep->list, &r->keep->n, sizeof(*slot)) : NULL;
    if (slot == NULL) {
        fault_clear(&f);
        cfg_out_of_memory(r);
        return;
    }
    *slot = f;
}

void cfg_faults_clear(struct cfg_faults *faults)
{
    for (size_t i = 0; i < faults->n; i++) {
        fault_clear(&faults->list[i]);
    }
    free(faults->list);
    *faults = (struct cfg_faults){0};
}

/* ---------------------------------------------------------------- reporting */

static void report(struct cfg_report *r, struct cfg_text where, bool warning, const char *format,
                   va_list args)
{
    char message[2048]; /* its parts are quoted texts, addresses and places, which are short */
    size_t used = 0;
    if (r->at.param != NULL) {
        used = (size_t)snprintf(message, sizeof(message), "%s: ", r->at.param);
    }
    vsnprintf(message + used, sizeof(message) - used, format, args);
    if (r->keep != NULL) {
        keep(r, where, warning, message);
    } else {
        write_fault(r->err, &r->at, where, warning, message);
    }
}

bool cfg_error(struct cfg_report *r, struct cfg_text where, const char *format, ...)
{
    assert(r->err != NULL);
    if (r->errors++ < CFG_ERRORS_SHOWN) {
        va_list args;
        va_start(args, format);
        report(r, where, false, format, args);
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
        report(r, where, true, format, args);
        va_end(args);
    }
}

void cfg_report_end(struct cfg_report *r)
{
    if (r->warnings > CFG_ERRORS_SHOWN) {
        fprintf(r->err, "nghttpx: %zu more warnings\n", r->warnings - CFG_ERRORS_SHOWN);
    }
    if (r->errors > CFG_ERRORS_SHOWN) {
        fprintf(r->err, "nghttpx: %zu more errors\n", r->errors - CFG_ERRORS_SHOWN);
    }
}

bool cfg_unreadable(struct cfg_report *r, struct cfg_text path, int error, size_t most)
{
    struct cfg_quoted name = cfg_quote(path);
    if (error == EFBIG) {
        return cfg_error(r, path, "%s is too large; expected a file of at most %zu MiB", name.s,
                         most >> 20);
    }
    if (error == ESPIPE || error == ENXIO) { /* ENXIO: open() of a socket */
        return cfg_error(r, path, "%s is a FIFO, a socket or a device; expected a file", name.s);
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
