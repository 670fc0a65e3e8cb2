/*
 * config: whatever the bytes are, a parser says no or makes something that keeps its rules, and
 * what it says is fit for a terminal. What was made is printed, and that is read to the same again.
 *
 * Input: an octet that chooses the parser (a digit, or a letter from a to g), then the text. No
 * input makes it open a file: a text that might name one (include, error-page, psk-secrets,
 * respond) is left out.
 */
#include "fuzz.h"

#include "config_internal.h"

#include <assert.h>
#include <ctype.h>
#include <stddef.h>
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

/* Whatever a client sends, a redirect leads to where the template says. */
static void check_location(const char *location)
{
    struct cfg_template_part part;
    const char *rest = location;
    bool text_first = strchr("/hH", location[0]) != NULL && location[0] != '\0';
    assert(text_first || strncmp(location, "$scheme://", 10) == 0);
    assert(location[0] != '/' || (location[1] != '/' && location[1] != '$'));
    while ((part = cfg_template_next(&rest)).kind != CFG_TEMPLATE_END) {
        assert(part.kind != CFG_TEMPLATE_UNKNOWN && part.len > 0 && part.s + part.len == rest);
        for (size_t i = 0; i < part.len; i++) {
            assert(part.s[i] > 0x20 && part.s[i] < 0x7f && part.s[i] != '\\');
        }
    }
}

static void check_server(const struct cfg_backend *b)
{
    check_address(&b->addr);
    assert((b->cert == NULL) == (b->key == NULL));
    assert(b->tls || (b->proto != CFG_PROTO_AUTO && b->ca == NULL && b->cert == NULL &&
                      b->npins == 0 && !b->insecure));
    assert((b->health_path == NULL) == (b->nhealth_status == 0));
    for (size_t i = 0; i < b->nhealth_status; i++) {
        const struct cfg_status_range *s = &b->health_status[i];
        assert(s->lo >= 200 && s->lo <= s->hi && s->hi <= 599);
    }
    assert(b->health_path == NULL || b->health_path[0] == '/');
    assert(b->health_interval > 0 && b->health_timeout > 0 && b->queue_timeout > 0);
    assert(b->cookie_max_age % 1000 == 0);
    assert(b->weight >= 1 && b->weight <= 256 && b->group_weight <= 256);
    assert((b->hash_name != NULL) == (b->balance == CFG_BALANCE_HASH && b->hash != CFG_HASH_URI));
}

static void check_backend(struct cfg_report *r, const struct cfg_backend *b)
{
    if (b->kind == CFG_KIND_SERVER) {
        check_server(b);
    } else {
        assert(b->addr.host == NULL && b->addr.path == NULL && b->status >= 200);
        assert((b->kind == CFG_KIND_REDIRECT) == (b->location != NULL));
    }
    if (b->location != NULL) {
        check_location(b->location);
    }
    assert(b->npatterns > 0);
    for (size_t i = 0; i < b->npatterns; i++) {
        check_pattern(r, b->patterns[i]);
    }
}

static void check_networks(const struct cfg_frontend *f)
{
    assert(f->nproxyproto_from == 0 || f->proxyproto);
    for (size_t i = 0; i < f->nproxyproto_from; i++) {
        const struct cfg_cidr *c = &f->proxyproto_from[i];
        assert(c->family == 4 || c->family == 6);
        assert(c->bits <= (c->family == 4 ? 32 : 128));
        for (unsigned bit = c->bits; bit < 128; bit++) {
            assert((c->addr[bit / 8] >> (7 - bit % 8) & 1) == 0);
        }
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
            check_networks(&f);
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

/* respond=STATUS,FILE of a backend */
static bool names_a_body(const char *text)
{
    while ((text = strcasestr(text, "respond=")) != NULL) {
        text += strcspn(text, ",;\n");
        if (*text == ',') {
            return true;
        }
    }
    return false;
}

static bool may_open_files(const char *text)
{
    return strcasestr(text, "inc") != NULL || strcasestr(text, "err") != NULL ||
           strcasestr(text, "conf") != NULL || strcasestr(text, "psk") != NULL;
}

static struct config *load_memory(const char *text, size_t len, FILE *said)
{
    int fd = memfd_create("config", 0);
    assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    char conf[64];
    snprintf(conf, sizeof(conf), "--conf=/proc/self/fd/%d", fd);
    char *argv[] = {(char[]){"nghttpx"}, conf, NULL};
    struct config *cfg;
    enum cfg_rc rc = cfg_load(2, argv, said, said, &cfg);
    assert(rc != CFG_EXIT && (rc == CFG_OK) == (cfg != NULL));
    close(fd);
    return cfg;
}

static char *print_to_memory(const struct config *cfg, enum cfg_format format, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    assert(out != NULL && cfg_print(cfg, format, out));
    fclose(out);
    return text;
}

static void check_round_trip(const struct config *cfg, FILE *said)
{
    size_t len, len_again, len_json;
    char *first = print_to_memory(cfg, CFG_FORMAT_TEXT, &len);
    struct config *again = load_memory(first, len, said);
    assert(again != NULL);
    char *second = print_to_memory(again, CFG_FORMAT_TEXT, &len_again);
    assert(len == len_again && memcmp(first, second, len) == 0);
    free(print_to_memory(cfg, CFG_FORMAT_JSON, &len_json));
    cfg_unref(again);
    free(first);
    free(second);
}

static void whole_file(const char *text, size_t len)
{
    struct said said;
    said_begin(&said);
    struct config *cfg = load_memory(text, len, said.stream);
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
        check_round_trip(cfg, said.stream);
    }
    said_end(&said, cfg == NULL);
    cfg_unref(cfg);
}

static void print_one(enum cfg_type type, const void *element, char **text, size_t *len)
{
    const struct cfg_option o = {.type = type};
    FILE *out = open_memstream(text, len);
    assert(out != NULL);
    cfg_print_value(&o, element, out);
    fclose(out);
}

/* A structure: what is printed of it is read to the same. An empty one prints nothing. */
static void structure(enum cfg_type type, struct cfg_text t)
{
    const struct cfg_compound *kind = cfg_compound_of(type);
    _Alignas(max_align_t) char one[CFG_COMPOUND_MOST], two[CFG_COMPOUND_MOST];
    struct said said;
    said_begin(&said);
    struct cfg_report r = {.err = said.stream, .at = {.file = "f", .line = 1, .text = t}};
    bool good = kind->parse(&r, t, one);
    assert(good == (r.errors == 0));
    if (good && t.len > 0) {
        char *first, *second;
        size_t len, len_again;
        print_one(type, one, &first, &len);
        assert(kind->parse(&r, cfg_slice(first, len), two));
        print_one(type, two, &second, &len_again);
        assert(len == len_again && memcmp(first, second, len) == 0);
        free(first);
        free(second);
        kind->clear(two);
    }
    if (good) {
        kind->clear(one);
    }
    said_end(&said, !good);
}

static void psk_file(const char *text, size_t len)
{
    int fd = memfd_create("psk", 0);
    assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct said said;
    said_begin(&said);
    struct cfg_report r = {.err = said.stream, .at = {.file = "f", .text = cfg_text(path)}};
    struct cfg_psk_file f;
    bool good = cfg_parse_psk_file(&r, cfg_text(path), &f);
    if (good) {
        assert(f.n > 0);
        for (size_t i = 0; i < f.n; i++) {
            assert(f.list[i].identity[0] != '\0' && f.list[i].secret_len > 0);
        }
        cfg_psk_file_clear(&f);
    }
    said_end(&said, !good);
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
    static const enum cfg_type structures[] = {
        CFG_TYPE_SUBCERT,   CFG_TYPE_ALTSVC,   CFG_TYPE_MEMCACHED,
        CFG_TYPE_PROXY_URI, CFG_TYPE_FRONTEND, CFG_TYPE_BACKEND,
    };
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    assert(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    unsigned kind = data[0] % 6;
    if (names_a_body(text)) {
        free(text);
        return 0;
    }
    if (data[0] >= 'a' && data[0] <= 'f') {
        structure(structures[data[0] - 'a'], cfg_slice(text, size - 1));
    } else if (data[0] == 'g') {
        psk_file(text, size - 1);
    } else if (kind < 4) {
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
