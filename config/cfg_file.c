/*
 * Configuration files: one name=value in a line, without blanks around the '=', without quoting and
 * continuation. Lines that are empty or begin with '#' are skipped. Every fault of a file is
 * reported, not only the first.
 */
#include "config_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Far above any configuration written by hand or machine; what is longer is not one. */
#define FILE_MOST ((size_t)16 << 20)

/* Each level is a stack frame and a file in memory. Cycles are found as such; this bounds what is
 * none. */
#define DEPTH_MOST 32
/* Two includes in each of some tens of files would otherwise be read 2^depth times. */
#define FILES_MOST 1000
/* And a large one that is included again and again would keep a reload busy for minutes. */
#define OCTETS_MOST ((size_t)64 << 20)

static struct cfg_text trimmed(struct cfg_text t)
{
    while (t.len > 0 && cfg_is_blank(t.s[0])) {
        t = cfg_slice(t.s + 1, t.len - 1);
    }
    while (t.len > 0 && cfg_is_blank(t.s[t.len - 1])) {
        t.len--;
    }
    return t;
}

/* What makes a line no text at all. */
static bool check_bytes(struct cfg_report *r, struct cfg_text line)
{
    if (line.len >= 3 && memcmp(line.s, "\xef\xbb\xbf", 3) == 0) {
        return cfg_error(r, cfg_slice(line.s, 3), "a byte order mark; expected name=value");
    }
    for (size_t i = 0; i < line.len; i++) {
        unsigned char b = (unsigned char)line.s[i];
        if (b == '\r' && i + 1 == line.len) {
            return cfg_error(
                r, cfg_slice(line.s + i, 1),
                "a carriage return at the end; expected the line to end with LF alone");
        }
        if ((b < 0x20 && b != '\t') || b == 0x7f) {
            return cfg_error(r, cfg_slice(line.s + i, 1),
                             "a control character (0x%02x); expected text", b);
        }
    }
    return true;
}

static bool unknown_name(struct cfg_report *r, struct cfg_text name)
{
    struct cfg_text bare = trimmed(name);
    if (r->errors >= CFG_ERRORS_SHOWN) {
        return cfg_error(r, name, "unknown option"); /* only counted: no need to look for hints */
    }
    if (name.len == 0) {
        return cfg_error(r, name, "no name; expected name=value");
    }
    if (bare.len != name.len && cfg_option_find(bare) != NULL) {
        return cfg_error(r, name, "a blank next to the name; expected %.*s=value without blanks",
                         (int)bare.len, bare.s);
    }
    struct cfg_text dashless = bare;
    while (dashless.len > 0 && dashless.s[0] == '-') {
        dashless = cfg_slice(dashless.s + 1, dashless.len - 1);
    }
    if (dashless.len != bare.len && cfg_option_find(dashless) != NULL) {
        return cfg_error(r, name, "%s has dashes; expected %.*s=value", cfg_quote(name).s,
                         (int)dashless.len, dashless.s);
    }
    const char *near = cfg_option_nearest(bare, true);
    if (near != NULL) {
        return cfg_error(r, name, "unknown option %s; did you mean \"%s\"?", cfg_quote(name).s,
                         near);
    }
    return cfg_error(r, name, "unknown option %s; expected one that nghttpx --help lists",
                     cfg_quote(name).s);
}

static bool load_line(struct cfg_loader *l, struct cfg_text line)
{
    struct cfg_report *r = &l->report;
    if (!check_bytes(r, line)) {
        return false;
    }
    if (line.len == 0 || line.s[0] == '#') {
        return true;
    }
    struct cfg_text value = line;
    struct cfg_text name = cfg_cut(&value, '=');
    if (value.s == NULL) {
        struct cfg_text bare = trimmed(line);
        if (bare.len == 0 || bare.s[0] == '#') {
            return cfg_error(r, line,
                             "a blank in front of nothing; expected an empty line, a # in "
                             "column 1, or name=value");
        }
        return cfg_error(r, line, "no '='; expected name=value");
    }
    const struct cfg_option *o = cfg_option_find(name);
    if (o == NULL) {
        return unknown_name(r, name);
    }
    if (o->type == CFG_TYPE_CONF) {
        cfg_warning(r, name, "\"conf\" is ignored in a file; use \"include\"");
        return true;
    }
    if (o->only_in_args) {
        return cfg_error(r, name, "\"%s\" is for the command line; expected another option",
                         o->name);
    }
    return cfg_option_set(l, o, value);
}

static bool load_lines(struct cfg_loader *l, const char *path, struct cfg_text text)
{
    bool good = true;
    struct cfg_source outer = l->report.at;
    l->report.at = (struct cfg_source){.file = path};
    while (text.s != NULL && text.len > 0 && !l->report.out_of_memory) {
        struct cfg_text line = cfg_cut(&text, '\n');
        l->report.at.line++;
        l->report.at.text = line;
        good = load_line(l, line) && good;
    }
    l->report.at = outer;
    return good;
}

static bool is_open(const struct cfg_open_file *f, const struct stat *st)
{
    while (f != NULL && !(f->device == (uint64_t)st->st_dev && f->inode == (uint64_t)st->st_ino)) {
        f = f->includer;
    }
    return f != NULL;
}

bool cfg_file_load(struct cfg_loader *l, const char *path, struct cfg_text path_text)
{
    struct cfg_report *r = &l->report;
    struct stat st;
    size_t depth = 0;
    for (const struct cfg_open_file *f = l->innermost; f != NULL; f = f->includer) {
        depth++;
    }
    bool exists = stat(path, &st) == 0;
    if (exists && is_open(l->innermost, &st)) {
        return cfg_error(r, path_text, "%s includes itself; expected no cycle of files",
                         cfg_quote(path_text).s);
    }
    if (depth >= DEPTH_MOST || l->files_read >= FILES_MOST) {
        return cfg_error(r, path_text,
                         "%s is one file too many; expected at most %d levels and %d files",
                         cfg_quote(path_text).s, DEPTH_MOST, FILES_MOST);
    }
    l->files_read++;
    int error;
    struct cfg_text text;
    char *bytes = cfg_read_file(path, FILE_MOST, &text.len, &error);
    if (bytes == NULL) {
        return cfg_unreadable(r, path_text, error, FILE_MOST);
    }
    if (cfg_keep(l, bytes) == NULL) {
        return false;
    }
    text.s = bytes;
    l->octets_read += text.len;
    if (l->octets_read > OCTETS_MOST) {
        return cfg_error(r, path_text,
                         "with %s the files are too large; expected at most %zu MiB in all of them",
                         cfg_quote(path_text).s, OCTETS_MOST >> 20);
    }
    if (memchr(bytes, '\0', text.len) != NULL) { /* one line says more than a hundred about each */
        return cfg_error(r, path_text, "%s has NUL bytes; expected a text file",
                         cfg_quote(path_text).s);
    }
    struct cfg_open_file self = {l->innermost, 0, 0};
    if (exists) {
        self.device = (uint64_t)st.st_dev;
        self.inode = (uint64_t)st.st_ino;
    }
    l->innermost = &self;
    bool good = load_lines(l, path, text);
    l->innermost = self.includer;
    return good;
}
