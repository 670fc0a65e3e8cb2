/* What the tests of config/ share: a report that is kept as text, files for a while, and loading in
 * one call. */
#ifndef CFG_TEST_H
#define CFG_TEST_H

#include "config_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/** A report about `text`, as if it were all of line 1 of the file "t". */
struct said {
    struct cfg_report report;
    char *text;
    size_t len;
};

static inline void said_begin(struct said *s, const char *text)
{
    memset(s, 0, sizeof(*s));
    s->report.err = open_memstream(&s->text, &s->len);
    assert_non_null(s->report.err);
    s->report.at = (struct cfg_source){.file = "t", .line = 1, .text = cfg_text(text)};
}

/** Checks the number of errors, and that what was said contains `part` (NULL: nothing was said). */
static inline void said_end(struct said *s, size_t errors, const char *part)
{
    fclose(s->report.err);
    if (s->report.errors != errors || (part == NULL && s->len > 0) ||
        (part != NULL && strstr(s->text, part) == NULL)) {
        fail_msg("%zu errors (expected %zu), said: %s(expected: %s)", s->report.errors, errors,
                 s->text, part != NULL ? part : "nothing");
    }
    for (size_t i = 0; i < s->len; i++) {
        assert_true(s->text[i] == '\n' || (s->text[i] >= 0x20 && s->text[i] <= 0x7e));
    }
    free(s->text);
}

/** A backend that is good, and what is said of it: see said_end(). */
static inline struct cfg_backend backend_of(const char *text, const char *part)
{
    struct said s;
    struct cfg_backend b = {0};
    said_begin(&s, text);
    bool good = cfg_parse_backend(&s.report, s.report.at.text, &b);
    said_end(&s, 0, part);
    assert_true(good);
    return b;
}

struct refusal {
    const char *text;
    size_t errors;
    const char *why;
};

static inline void assert_backends_refused(const struct refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct said s;
        struct cfg_backend b = {0};
        said_begin(&s, cases[i].text);
        bool good = cfg_parse_backend(&s.report, s.report.at.text, &b);
        said_end(&s, cases[i].errors, cases[i].why);
        assert_false(good);
        assert_null(b.patterns);
    }
}

/** A folder of its own; the path is static. */
static inline const char *test_folder(void)
{
    static char path[64];
    if (path[0] == '\0') {
        strcpy(path, "/tmp/nghttpx-config-test-XXXXXX");
        assert_non_null(mkdtemp(path));
    }
    return path;
}

/** Makes (or replaces) a file in the folder, its path in `path`. */
static inline void test_file(char path[128], const char *name, const char *content, size_t len)
{
    snprintf(path, 128, "%s/%s", test_folder(), name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static inline void test_folder_remove(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", test_folder());
    assert_int_equal(system(command), 0);
}

/** What a load came to. */
struct loaded {
    enum cfg_rc rc;
    struct config *cfg;
    char *err;
    char *out;
};

/** Loads with these arguments (after argv[0], NULL at the end). */
static inline struct loaded load_args(const char *const *args)
{
    struct loaded l = {.rc = CFG_ERROR};
    size_t err_len, out_len;
    const char *argv[64] = {"nghttpx"};
    int argc = 1;
    while (*args != NULL) {
        assert_true(argc < 63);
        argv[argc++] = *args++;
    }
    char *copy[64];
    memcpy(copy, argv, sizeof(copy));
    FILE *err = open_memstream(&l.err, &err_len), *out = open_memstream(&l.out, &out_len);
    assert_non_null(err);
    assert_non_null(out);
    l.rc = cfg_load(argc, copy, out, err, &l.cfg);
    fclose(err);
    fclose(out);
    assert_memory_equal(copy, argv, sizeof(copy)); /* the caller's order is kept */
    assert_true((l.rc == CFG_OK) == (l.cfg != NULL));
    return l;
}

/** Loads a file with this content, and a frontend that needs no certificate if it names none. */
static inline struct loaded load_text(const char *content)
{
    char path[128], conf[160];
    test_file(path, "main.conf", content, strlen(content));
    snprintf(conf, sizeof(conf), "--conf=%s", path);
    const char *const args[] = {conf, "--frontend=*,3000;no-tls", NULL};
    return load_args(args);
}

static inline void loaded_free(struct loaded *l)
{
    cfg_unref(l->cfg);
    free(l->err);
    free(l->out);
}

static inline void assert_said(const struct loaded *l, const char *part)
{
    if (strstr(l->err, part) == NULL) {
        fail_msg("expected: %s\nsaid: %s", part, l->err);
    }
}

#endif
