/*
 * config: whatever the bytes are, a parser says no or makes something that keeps its rules, and
 * what it says is fit for a terminal.
 *
 * Input: an octet that chooses the parser, then the text. No input makes it open a file: a text
 * that might name one (include, error-page) is left out.
 */
#include "fuzz.h"

#include "config_internal.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct said {
    FILE *stream;
    char *text;
    size_t len;
};

static void said_begin(struct said *s)
{
    s->stream = open_memstream(&s->text, &s->len);
    assert(s->stream != NULL);
}

static void said_end(struct said *s, bool anything)
{
    fclose(s->stream);
    assert(!anything || s->len > 0);
    for (size_t i = 0; i < s->len; i++) {
        assert(s->text[i] == '\n' || (s->text[i] >= 0x20 && s->text[i] <= 0x7e));
    }
    free(s->text);
}

static void check_address(const struct cfg_address *a)
{
    assert((a->path != NULL) != (a->host != NULL));
    assert(a->host != NULL ? a->port > 0 && a->host[0] != '\0' : a->port == 0);
}

/* A pattern is its own normal form. */
static void check_pattern(struct cfg_report *r, const char *pattern)
{
    const char *path = strchr(pattern, '/');
    assert(path != NULL && strstr(path, "/./") == NULL && strstr(path, "/../") == NULL);
    for (const char *p = pattern; p < path; p++) {
        assert(!isupper((unsigned char)*p));
    }
    char *again = cfg_parse_pattern(r, cfg_text(pattern));
    assert(again != NULL && strcmp(again, pattern) == 0);
    free(again);
}

static void check_field(const struct cfg_header *h)
{
    assert(h->name[0] != '\0' && strpbrk(h->name, " \t\r\n:") == NULL);
    assert(strpbrk(h->value, "\r\n") == NULL);
}

static void check_backend(struct cfg_report *r, const struct cfg_backend *b)
{
    check_address(&b->addr);
    assert(b->npatterns > 0);
    for (size_t i = 0; i < b->npatterns; i++) {
        check_pattern(r, b->patterns[i]);
    }
}

static void one_value(unsigned kind, struct cfg_text t)
{
    struct said said;
    said_begin(&said);
    struct cfg_report r = {.err = said.stream, .at = {.file = "f", .line = 1, .text = t}};
    bool good = false;
    if (kind == 0) {
        struct cfg_backend b;
        good = cfg_parse_backend(&r, t, &b);
        if (good) {
            check_backend(&r, &b);
            cfg_backend_clear(&b);
        }
    } else if (kind == 1) {
        struct cfg_frontend f;
        good = cfg_parse_frontend(&r, t, &f);
        if (good) {
            check_address(&f.addr);
            cfg_frontend_clear(&f);
        }
    } else if (kind == 2) {
        struct cfg_header h;
        good = cfg_parse_header(&r, t, true, &h);
        if (good) {
            check_field(&h);
            cfg_header_clear(&h);
        }
    } else {
        uint64_t size = 0, ms = 0, n = 0;
        bool is_number = cfg_parse_number(&r, t, 1, 1000, &n);
        bool is_size = cfg_parse_size(&r, t, 0, INT64_MAX, &size);
        bool is_duration = cfg_parse_duration(&r, t, &ms);
        assert(!is_number || (n >= 1 && n <= 1000 && is_size && size == n && ms == 1000 * n));
        assert(size <= INT64_MAX && ms <= INT64_MAX);
        good = is_number && is_size && is_duration;
    }
    assert(good == (r.errors == 0));
    said_end(&said, !good);
}

static bool may_open_files(const char *text)
{
    return strcasestr(text, "inc") != NULL || strcasestr(text, "err") != NULL ||
           strcasestr(text, "conf") != NULL || strcasestr(text, "psk") != NULL;
}

static void whole_file(const char *text, size_t len)
{
    int fd = memfd_create("config", 0);
    assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    char conf[64];
    snprintf(conf, sizeof(conf), "--conf=/proc/self/fd/%d", fd);
    char *argv[] = {(char[]){"nghttpx"}, conf, NULL};
    struct said said;
    said_begin(&said);
    struct config *cfg;
    enum cfg_rc rc = cfg_load(2, argv, said.stream, said.stream, &cfg);
    assert(rc != CFG_EXIT && (rc == CFG_OK) == (cfg != NULL));
    if (cfg != NULL) {
        assert(cfg->workers >= 1 && cfg->workers <= 65530 && cfg->nfrontend > 0 &&
               cfg->nbackend > 0);
        assert(cfg->backend_request_buffer > 0 && cfg->frontend_http2_window_size <= INT32_MAX);
        struct cfg_report r = {.err = said.stream};
        for (size_t i = 0; i < cfg->nbackend; i++) {
            check_backend(&r, &cfg->backend[i]);
        }
        for (size_t i = 0; i < cfg->nadd_request_header; i++) {
            check_field(&cfg->add_request_header[i]);
        }
    }
    said_end(&said, rc == CFG_ERROR);
    cfg_unref(cfg);
    close(fd);
}

/* The text is arguments, each ended by LF. */
static void command_line(char *text)
{
    char *argv[64] = {(char[]){"nghttpx"}, (char[]){"--conf=/dev/null"}};
    int argc = 2;
    for (char *line = strtok(text, "\n"); line != NULL && argc < 63; line = strtok(NULL, "\n")) {
        argv[argc++] = line;
    }
    struct said said;
    said_begin(&said);
    struct config *cfg;
    char *help = NULL;
    size_t help_len;
    FILE *out = open_memstream(&help, &help_len);
    assert(out != NULL);
    enum cfg_rc rc = cfg_load(argc, argv, out, said.stream, &cfg);
    assert((rc == CFG_OK) == (cfg != NULL));
    fclose(out);
    assert((help_len > 0) == (rc == CFG_EXIT));
    free(help);
    cfg_unref(cfg);
    said_end(&said, rc == CFG_ERROR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    assert(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    unsigned kind = data[0] % 6;
    if (kind < 4) {
        one_value(kind, cfg_slice(text, size - 1));
    } else if (!may_open_files(text)) {
        /* Abbreviations: --e=404=/x and --i=/x name files, too, so no such argument is given. */
        if (kind == 4) {
            whole_file(text, strlen(text));
        } else if (strstr(text, "--i") == NULL && strstr(text, "--e") == NULL &&
                   strstr(text, "--c") == NULL && strstr(text, "--p") == NULL) {
            command_line(text);
        }
    }
    free(text);
    return 0;
}
