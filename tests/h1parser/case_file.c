#include "case_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *path;
    unsigned line;
    char kind[16];
    struct test_case *cases;
    size_t count;
};

__attribute__((noreturn, format(printf, 2, 3))) static void die(const struct reader *r,
                                                                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%u: ", r->path, r->line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static void *grow(void *p, size_t size)
{
    p = realloc(p, size);
    if (p == NULL) {
        abort();
    }
    return p;
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Appends what the text stands for: \r \n \t \s \\ \xHH, and \(COUNT,TEXT) for a repetition. */
static size_t decode(const struct reader *r, const char *text, uint8_t **out, size_t len)
{
    static const char names[] = "rnts\\";
    static const char bytes[] = "\r\n\t \\";
    while (*text != '\0') {
        if (*text != '\\') {
            *out = grow(*out, len + 2);
            (*out)[len++] = (uint8_t)*text++;
            continue;
        }
        text++;
        const char *name = *text != '\0' ? strchr(names, *text) : NULL;
        if (name != NULL) {
            *out = grow(*out, len + 2);
            (*out)[len++] = (uint8_t)bytes[name - names];
            text++;
        } else if (*text == 'x' && hex(text[1]) >= 0 && hex(text[2]) >= 0) {
            *out = grow(*out, len + 2);
            (*out)[len++] = (uint8_t)(hex(text[1]) << 4 | hex(text[2]));
            text += 3;
        } else if (*text == '(') {
            char *unit;
            unsigned long n = strtoul(text + 1, &unit, 10);
            const char *close = strchr(unit, ')');
            if (*unit != ',' || close == NULL) {
                die(r, "\\(COUNT,TEXT) expected");
            }
            char *repeated = strndup(unit + 1, (size_t)(close - unit - 1));
            while (n-- > 0) {
                len = decode(r, repeated, out, len);
            }
            free(repeated);
            text = close + 1;
        } else {
            die(r, "unknown escape \\%c", *text);
        }
    }
    return len;
}

static struct test_case *begin_case(struct reader *r, const char *name)
{
    const char *file = strrchr(r->path, '/');
    file = file != NULL ? file + 1 : r->path;
    r->cases = grow(r->cases, (r->count + 1) * sizeof *r->cases);
    struct test_case *c = &r->cases[r->count++];
    memset(c, 0, sizeof *c);
    size_t size = strlen(file) + strlen(name) + 16;
    c->name = grow(NULL, size);
    snprintf(c->name, size, "%s:%u %s", file, r->line, name);
    c->kind = strdup(r->kind);
    c->method = strdup("");
    c->input = grow(NULL, 1);
    c->limits[0] = 1 << 20;
    c->limits[1] = 100;
    return c;
}

static void read_wants(const struct reader *r, struct test_case *c, char *text)
{
    char *save = NULL;
    for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        if (c->outcome == NULL) {
            c->outcome = strdup(word);
            continue;
        }
        char *equals = strchr(word, '=');
        if (equals == NULL || c->nwants == sizeof c->wants / sizeof c->wants[0]) {
            die(r, "key=value expected, or too many of them");
        }
        struct want *w = &c->wants[c->nwants++];
        uint8_t *value = NULL;
        w->key = strndup(word, (size_t)(equals - word));
        w->value_len = decode(r, equals + 1, &value, 0);
        w->value = (char *)value;
    }
    if (c->outcome == NULL) {
        die(r, "no outcome");
    }
}

/* bare_lf, underscores=keep, =drop, =refuse; what is not named is as a proxy has it. */
static void read_options(const struct reader *r, struct test_case *c, char *text)
{
    char *save = NULL;
    for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        if (strcmp(word, "bare_lf") == 0) {
            c->bare_lf = true;
        } else if (strcmp(word, "underscores=keep") == 0) {
            c->underscores = H1_UNDERSCORES_KEEP;
        } else if (strcmp(word, "underscores=drop") == 0) {
            c->underscores = H1_UNDERSCORES_DROP;
        } else if (strcmp(word, "underscores=refuse") == 0) {
            c->underscores = H1_UNDERSCORES_REFUSE;
        } else {
            die(r, "unknown option %s", word);
        }
    }
}

static void read_line(struct reader *r, struct test_case **c, char *line)
{
    if (line[0] == '#' || line[0] == '\0') {
        return;
    }
    if (strncmp(line, "kind ", 5) == 0) {
        snprintf(r->kind, sizeof r->kind, "%s", line + 5);
        return;
    }
    if (strncmp(line, "rule ", 5) == 0) {
        return; /* for h1_rules_test.py */
    }
    if (line[0] != ' ') {
        if (*c != NULL && (*c)->outcome == NULL) {
            die(r, "the case before has no outcome");
        }
        *c = begin_case(r, line);
        return;
    }
    if (*c == NULL || (*c)->outcome != NULL) {
        die(r, "a case begins with its name");
    }
    if (strcmp(line, "  >") == 0) {
        return; /* no bytes at all */
    }
    if (strncmp(line, "  > ", 4) == 0) {
        (*c)->input_len = decode(r, line + 4, &(*c)->input, (*c)->input_len);
    } else if (strncmp(line, "  = ", 4) == 0) {
        read_wants(r, *c, line + 4);
    } else if (strncmp(line, "  options ", 10) == 0) {
        read_options(r, *c, line + 10);
    } else if (strncmp(line, "  method ", 9) == 0) {
        free((*c)->method);
        (*c)->method = strdup(line + 9);
    } else if (sscanf(line, "  limits %u %u", &(*c)->limits[0], &(*c)->limits[1]) != 2) {
        die(r, "what is this line?");
    }
}

void case_file_read(const char *path, struct test_case **cases, size_t *count)
{
    struct reader r = {.path = path, .cases = *cases, .count = *count};
    struct test_case *c = NULL;
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        die(&r, "cannot be opened");
    }
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    while ((len = getline(&line, &size, f)) >= 0) {
        r.line++;
        if (len > 0 && line[len - 1] == '\n') {
            line[len - 1] = '\0';
        }
        read_line(&r, &c, line);
    }
    free(line);
    fclose(f);
    if (c == NULL || c->outcome == NULL) {
        die(&r, "no case, or the last one has no outcome");
    }
    *cases = r.cases;
    *count = r.count;
}

void case_file_free(struct test_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < cases[i].nwants; k++) {
            free(cases[i].wants[k].key);
            free(cases[i].wants[k].value);
        }
        free(cases[i].name);
        free(cases[i].kind);
        free(cases[i].method);
        free(cases[i].input);
        free(cases[i].outcome);
    }
    free(cases);
}
