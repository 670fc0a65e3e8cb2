/* HTTP/1.1 out of an exchange, into buffers of every size; read back by h1parser. */
#include "exchange/h1_writer.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---------------------------------------------------------------- heads */

static struct str str(const char *s)
{
    return (struct str){s, strlen(s)};
}

static void a_head_is_the_same_in_buffers_of_every_size(void **state)
{
    (void)state;
    static const char fields[] =
        "host: a.example\nx-a: 1\nempty:\nset-cookie: a=1\nset-cookie: b=2\n";
    struct h2_field f[8];
    struct field_list l = {.f = f, .cap = COUNT(f)};
    l.n = testing_parse_fields(fields, f, COUNT(f));
    const struct {
        struct h1_start start;
        const char *connection, *first, *last;
    } cases[] = {
        {{.method = str("GET"), .target = str("/a?b")}, NULL, "GET /a?b HTTP/1.1\r\n", ""},
        {{.method = str("M"), .target = str("*")},
         "close",
         "M * HTTP/1.1\r\n",
         "connection: close\r\n"},
        {{.status = 200}, "keep-alive", "HTTP/1.1 200 OK\r\n", "connection: keep-alive\r\n"},
        {{.status = 599}, NULL, "HTTP/1.1 599 Unknown\r\n", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[512];
        size_t len = (size_t)snprintf(expected, sizeof(expected),
                                      "%shost: a.example\r\nx-a: 1\r\nempty: \r\n"
                                      "set-cookie: a=1\r\nset-cookie: b=2\r\n%s\r\n",
                                      cases[i].first, cases[i].last);
        for (size_t cap = 1; cap <= len + 1; cap++) {
            struct h1_writer w = {0};
            uint8_t *buf = malloc(cap); /* exactly, so that a sanitizer sees one octet more */
            char got[512];
            assert_non_null(buf);
            size_t n = h1_write_head(&w, &cases[i].start, &l, cases[i].connection, buf, cap),
                   all = n;
            memcpy(got, buf, n);
            assert_true(n == 0 || cap >= len); /* whole, or spilled */
            while ((n = h1_write_spill(&w, buf, cap)) > 0) {
                memcpy(got + all, buf, n);
                all += n;
            }
            got[all] = '\0';
            assert_string_equal(got, expected);
            assert_null(w.spill.mem);
            assert_int_equal(h1_write_spill(&w, buf, cap), 0);
            free(buf);
        }
    }
}

/* ---------------------------------------------------------------- bodies */

/* What was written, and what a reader makes of it. */
struct result {
    uint8_t wire[16384];
    size_t len;
    uint8_t body[8192];
    size_t body_len;
    char *trailers;
};

static void read_chunked(struct result *r)
{
    struct h1_body b;
    size_t at = 0, used, n;
    const uint8_t *data;
    enum h1_rc rc;
    h1_body_init(&b, (struct h1_framing){.kind = H1_BODY_CHUNKED});
    while ((rc = h1_body_next(&b, r->wire + at, r->len - at, &used, &data, &n)) == H1_DATA) {
        memcpy(r->body + r->body_len, data, n);
        r->body_len += n;
        at += used;
    }
    at += used;
    assert_int_equal(rc, H1_DONE);
    struct h1_head h;
    struct h1_field fields[8];
    h1_head_init(&h, H1_TRAILERS, fields, COUNT(fields),
                 (struct h1_options){.head_bytes = 65536, .fields = COUNT(fields)});
    assert_int_equal(h1_head_parse(&h, r->wire + at, r->len - at), H1_DONE);
    assert_int_equal(at + h.head_len, r->len); /* and not an octet more */
    FILE *out = open_memstream(&r->trailers, &n);
    assert_non_null(out);
    for (uint32_t i = 0; i < h.nfields; i++) {
        fprintf(out, "%.*s: %.*s\n", (int)fields[i].name.len, r->wire + at + fields[i].name.off,
                (int)fields[i].value.len, r->wire + at + fields[i].value.off);
    }
    fclose(out);
}

/*
 * Writes `len` octets of body through buffers of `cap`. The body comes in pieces, and its end is
 * told only behind the last one. Every octet that leaves the pipe must be told.
 */
static void write_body(struct exchange *x, struct result *r, bool chunked, size_t len, size_t cap,
                       size_t piece)
{
    struct h1_writer w = {.chunked = chunked};
    size_t put = 0, total = 0;
    uint8_t *buf = malloc(cap);
    assert_non_null(buf);
    *r = (struct result){0};
    unsigned rounds = 0;
    while (!w.finished) {
        while (put < len && x->down.len < piece) {
            uint8_t octet = (uint8_t)(put++ * 7);
            pipe_write(&x->down, &octet, 1);
        }
        x->down.ended = put == len;
        size_t taken, before = x->down.len;
        size_t n = h1_write_body(&w, x, &x->down, &x->response.m, buf, cap, &taken);
        assert_true(n <= cap);
        assert_int_equal(before - x->down.len, taken);
        memcpy(r->wire + r->len, buf, n);
        r->len += n;
        total += taken;
        assert_true(++rounds < 20000);
    }
    size_t taken;
    assert_int_equal(total, len);
    assert_int_equal(h1_write_body(&w, x, &x->down, &x->response.m, buf, cap, &taken), 0);
    assert_int_equal(taken, 0);
    free(buf);
    if (chunked) {
        read_chunked(r);
    } else {
        memcpy(r->body, r->wire, r->len);
        r->body_len = r->len;
    }
    assert_int_equal(r->body_len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(r->body[i], (uint8_t)(i * 7));
    }
    pipe_clear(&x->down);
    x->down.ended = false;
}

/* The smallest buffer that a chunk with an octet in it goes into, with the writer's reserve. */
#define MIN_CAP (H1_CHUNK_HEAD_MAX + 2 + 8 + 1)

static void bodies_go_through_buffers_of_every_size(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 15, 16, 17, 255, 300}, pieces[] = {1, 40, 1000};
    struct rig rig;
    struct told told;
    struct result r;
    rig_open(&rig, "");
    struct exchange *x = rig_exchange(&rig, &told);
    testing_request(x, 11, "GET / HTTP/1.1\nHost: a\n");
    testing_response(x, 11, "HTTP/1.1 200 OK\n");
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (size_t j = 0; j < COUNT(pieces); j++) {
            for (size_t cap = MIN_CAP; cap < 360; cap += cap < 60 ? 1 : 7) {
                write_body(x, &r, true, lengths[i], cap, pieces[j]);
                assert_string_equal(r.trailers, "");
                free(r.trailers);
            }
            for (size_t cap = 1; cap < 320; cap += cap < 20 ? 1 : 9) {
                write_body(x, &r, false, lengths[i], cap, pieces[j]);
            }
        }
    }
    rig_exchange_end(&rig, x);
    rig_close(&rig);
}

static void trailers_that_fit_behind_or_into_the_next_buffer_are_sent(void **state)
{
    (void)state;
    static const char text[] = "x-sum: 0123456789abcdef\ngrpc-status: 0\n";
    const size_t end_len = strlen("0\r\nx-sum: 0123456789abcdef\r\ngrpc-status: 0\r\n\r\n");
    struct rig rig;
    struct told told;
    struct result r;
    rig_open(&rig, "");
    struct exchange *x = rig_exchange(&rig, &told);
    testing_request(x, 11, "GET / HTTP/1.1\nHost: a\n");
    x->request.te_trailers = true;
    testing_response(x, 11, "HTTP/1.1 200 OK\n");
    testing_trailers(x, &x->response.m, 11, text);
    for (size_t len = 0; len < 100; len += 11) {
        for (size_t cap = MIN_CAP; cap < 200; cap++) {
            write_body(x, &r, true, len, cap, 1000);
            if (cap >= end_len) {
                assert_string_equal(r.trailers, text);
            } else {
                /* Larger than any output: they may be discarded (RFC 9110, 6.5.1), the end may
                 * not. */
                assert_string_equal(r.trailers, "");
            }
            free(r.trailers);
        }
    }
    /* Without chunks there is no place for trailers. */
    write_body(x, &r, false, 10, 100, 1000);
    rig_exchange_end(&rig, x);
    rig_close(&rig);
}

static void nothing_is_written_before_there_is_something(void **state)
{
    (void)state;
    struct rig rig;
    struct told told;
    uint8_t buf[100];
    size_t taken;
    rig_open(&rig, "");
    struct exchange *x = rig_exchange(&rig, &told);
    for (int chunked = 0; chunked <= 1; chunked++) {
        struct h1_writer w = {.chunked = chunked};
        assert_int_equal(h1_write_body(&w, x, &x->down, &x->response.m, buf, sizeof(buf), &taken),
                         0);
        assert_int_equal(taken, 0);
        assert_false(w.finished);
    }
    rig_exchange_end(&rig, x);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_the_same_in_buffers_of_every_size),
        cmocka_unit_test(bodies_go_through_buffers_of_every_size),
        cmocka_unit_test(trailers_that_fit_behind_or_into_the_next_buffer_are_sent),
        cmocka_unit_test(nothing_is_written_before_there_is_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
