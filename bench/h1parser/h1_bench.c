/*
 * h1parser beside http_parser (libhttp-parser-dev), in one process: heads, and chunked bodies. Both
 * get the same octets in the same places of memory and keep the same results: where each name and
 * value is, the method or status, how the body is framed. h1parser finds the tokens of the names
 * and makes them lower case besides.
 *
 *     h1_bench time ROUNDS     by turns; the median, and half of the samples lie between
 *     h1_bench list            what there is to measure
 *     h1_bench once WHAT       measured() a hundred times, for an instruction count
 *
 * A sample is one pass over COPIES copies of a message, which lie side by side, so that each begins
 * at another place of a cache line. They are made anew before each sample (h1parser changes names
 * in place), out of what is timed.
 */
#include "h1_scan.h"
#include "h1parser.h"
#include "messages.h"

#include <http_parser.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    COPIES = 32,
    FIELDS = 64,
    SAMPLES = 24, /* of a contender in a round; the first ones are not counted */
    UNCOUNTED = 8,
    CHUNKED_SIZE = 256 * 1024, /* octets of data in a chunked body */
};

static void die(const char *what)
{
    fprintf(stderr, "h1_bench: %s\n", what);
    exit(1);
}

/* ---------------------------------------------------------------- heads */

struct message {
    const char *name;
    const char *text;
    size_t len;
    enum h1_kind kind;
    uint32_t fields;
};

static const struct message messages[] = {
    {"request", browser_request, sizeof(browser_request) - 1, H1_REQUEST, 15},
    {"response", server_response, sizeof(server_response) - 1, H1_RESPONSE, 12},
};
_Static_assert(sizeof(browser_request) - 1 == 700, "the request is to have 700 octets");
_Static_assert(sizeof(server_response) - 1 == 400, "the response is to have 400 octets");

static uint8_t copies[COPIES * 1024];

static size_t stride_of(const struct message *m)
{
    return m->len + 13;
}

static void lay_out(const struct message *m)
{
    for (size_t i = 0; i < COPIES; i++) {
        memcpy(copies + i * stride_of(m), m->text, m->len);
    }
}

static struct h1_field our_fields[FIELDS];

static __attribute__((noinline)) void ours(const struct message *m)
{
    static const struct h1_options options = {.head_bytes = 65536, .fields = FIELDS};
    for (size_t i = 0; i < COPIES; i++) {
        struct h1_head h;
        h1_head_init(&h, m->kind, our_fields, FIELDS, options);
        if (h1_head_parse(&h, copies + i * stride_of(m), m->len) != H1_DONE ||
            h.nfields != m->fields) {
            die("the head was not read");
        }
    }
}

/* What the callbacks of http_parser keep: as much as h1_head has. */
struct their_head {
    struct {
        const char *name, *value;
        size_t name_len, value_len;
    } fields[FIELDS];
    size_t nfields;
    const char *target;
    size_t target_len;
    bool in_value;
    bool complete;
};

static int on_target(http_parser *p, const char *at, size_t len)
{
    struct their_head *h = p->data;
    if (h->target == NULL) {
        h->target = at;
    }
    h->target_len += len;
    return 0;
}

static int on_name(http_parser *p, const char *at, size_t len)
{
    struct their_head *h = p->data;
    if (h->in_value || h->nfields == 0) {
        if (h->nfields == FIELDS) {
            return 1;
        }
        h->fields[h->nfields].name = at;
        h->fields[h->nfields].name_len = 0;
        h->fields[h->nfields].value_len = 0;
        h->nfields++;
        h->in_value = false;
    }
    h->fields[h->nfields - 1].name_len += len;
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct their_head *h = p->data;
    if (!h->in_value) {
        h->fields[h->nfields - 1].value = at;
        h->in_value = true;
    }
    h->fields[h->nfields - 1].value_len += len;
    return 0;
}

static int on_head(http_parser *p)
{
    struct their_head *h = p->data;
    h->complete = true;
    return 0;
}

static __attribute__((noinline)) void theirs(const struct message *m)
{
    static const http_parser_settings settings = {
        .on_url = on_target,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
    };
    static struct their_head h;
    for (size_t i = 0; i < COPIES; i++) {
        http_parser parser;
        h.nfields = 0;
        h.target = NULL;
        h.target_len = 0;
        h.in_value = false;
        h.complete = false;
        http_parser_init(&parser, m->kind == H1_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE);
        parser.data = &h;
        size_t n = http_parser_execute(&parser, &settings, (const char *)copies + i * stride_of(m),
                                       m->len);
        if (n != m->len || !h.complete || h.nfields != m->fields) {
            die("http_parser did not read the head");
        }
    }
}

/* ---------------------------------------------------------------- chunked bodies */

static uint8_t *body;
static size_t body_len;

static void make_body(size_t chunk)
{
    free(body);
    body = malloc(CHUNKED_SIZE / chunk * (chunk + 32) + 32);
    if (body == NULL) {
        die("no memory");
    }
    struct h1_out o = {body, body + CHUNKED_SIZE / chunk * (chunk + 32) + 32, false};
    for (size_t made = 0; made < CHUNKED_SIZE; made += chunk) {
        h1_put_chunk_head(&o, chunk);
        memset(o.pos, 'x', chunk);
        o.pos += chunk;
        h1_put_end(&o); /* CRLF */
    }
    h1_put_last_chunk(&o);
    h1_put_end(&o);
    body_len = (size_t)(o.pos - body);
}

static __attribute__((noinline)) void our_chunks(void)
{
    struct h1_body b;
    size_t at = 0;
    size_t got = 0;
    enum h1_rc rc;
    h1_body_init(&b, (struct h1_framing){.kind = H1_BODY_CHUNKED});
    do {
        const uint8_t *data;
        size_t len;
        size_t used;
        rc = h1_body_next(&b, body + at, body_len - at, &used, &data, &len);
        at += used;
        got += len;
    } while (rc == H1_DATA);
    if (rc != H1_DONE || got != CHUNKED_SIZE) {
        die("the body was not read");
    }
}

static size_t their_octets;

static int on_body(http_parser *p, const char *at, size_t len)
{
    (void)p;
    (void)at;
    their_octets += len;
    return 0;
}

static __attribute__((noinline)) void their_chunks(void)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const http_parser_settings settings = {.on_body = on_body};
    http_parser parser;
    their_octets = 0;
    http_parser_init(&parser, HTTP_RESPONSE);
    http_parser_execute(&parser, &settings, head, sizeof(head) - 1);
    size_t n = http_parser_execute(&parser, &settings, (const char *)body, body_len);
    if (n != body_len || their_octets != CHUNKED_SIZE) {
        die("http_parser did not read the body");
    }
}

/* ---------------------------------------------------------------- what is measured */

struct contender {
    char name[48];
    const struct message *message; /* NULL: a chunked body */
    size_t chunk;
    const struct h1_scan *form; /* NULL: http_parser */
};

static struct contender contenders[64];
static size_t count;

static void add(const struct message *m, size_t chunk, const struct h1_scan *form)
{
    struct contender *c = &contenders[count++];
    *c = (struct contender){.message = m, .chunk = chunk, .form = form};
    const char *by = form != NULL ? form->instructions : "http_parser";
    if (m != NULL) {
        snprintf(c->name, sizeof(c->name), "%s/%s", m->name, by);
    } else {
        snprintf(c->name, sizeof(c->name), "chunks-of-%zu/%s", chunk, form != NULL ? "ours" : by);
    }
}

static void list_contenders(void)
{
    static const size_t chunks[] = {64, 1024, 16384};
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        add(&messages[i], 0, NULL);
        for (size_t k = 0; h1_scan_form(k) != NULL; k++) {
            add(&messages[i], 0, h1_scan_form(k));
        }
    }
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        add(NULL, chunks[i], NULL);
        add(NULL, chunks[i], h1_scan_form(0));
    }
}

static void prepare(const struct contender *c)
{
    h1_scan_use(c->form);
    if (c->message == NULL) {
        make_body(c->chunk);
    }
}

static __attribute__((noinline)) void measured(const struct contender *c)
{
    if (c->message != NULL) {
        (c->form != NULL ? ours : theirs)(c->message);
    } else {
        (c->form != NULL ? our_chunks : their_chunks)();
    }
}

/* Octets that one call of measured() reads. */
static size_t octets_of(const struct contender *c)
{
    return c->message != NULL ? COPIES * c->message->len : body_len;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_all(size_t rounds)
{
    size_t each = rounds * (SAMPLES - UNCOUNTED);
    double *samples = calloc(count * each, sizeof(*samples));
    if (samples == NULL || rounds == 0) {
        die("no memory, or no rounds");
    }
    for (size_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < count; i++) {
            prepare(&contenders[i]);
            for (size_t s = 0; s < SAMPLES; s++) {
                if (contenders[i].message != NULL) {
                    lay_out(contenders[i].message);
                }
                double begin = now_ns();
                measured(&contenders[i]);
                double ns = now_ns() - begin;
                if (s >= UNCOUNTED) {
                    samples[i * each + r * (SAMPLES - UNCOUNTED) + s - UNCOUNTED] = ns;
                }
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        double *own = samples + i * each;
        prepare(&contenders[i]);
        double octets = (double)octets_of(&contenders[i]);
        qsort(own, each, sizeof(*own), by_size);
        /* name, octets a second: the median, the quarters */
        printf("%s %.0f %.0f %.0f\n", contenders[i].name, octets / own[each / 2] * 1e9,
               octets / own[each - each / 4 - 1] * 1e9, octets / own[each / 4] * 1e9);
    }
    free(samples);
}

static void once(const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(contenders[i].name, what) == 0) {
            prepare(&contenders[i]);
            for (size_t k = 0; k < 100; k++) {
                if (contenders[i].message != NULL) {
                    lay_out(contenders[i].message);
                }
                measured(&contenders[i]);
            }
            printf("octets %zu\n", 100 * octets_of(&contenders[i]));
            return;
        }
    }
    die("there is nothing of this name");
}

int main(int argc, char **argv)
{
    list_contenders();
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < count; i++) {
            puts(contenders[i].name);
        }
    } else if (argc == 3 && strcmp(argv[1], "time") == 0) {
        time_all(strtoul(argv[2], NULL, 10));
    } else if (argc == 3 && strcmp(argv[1], "once") == 0) {
        once(argv[2]);
    } else {
        die("time ROUNDS, list, or once WHAT");
    }
    free(body);
    return 0;
}
