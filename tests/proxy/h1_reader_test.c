/* Heads that come in parts, while others are parsed into the worker's array in between. */
#include "exchange/h1_reader.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char request[] = "POST /a?b HTTP/1.1\r\nHost: a.example\r\nX-A:  1 \r\nEmpty:\r\n"
                              "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
static const char expected[] = "host=a.example,x-a=1,empty=,transfer-encoding=chunked,"
                               "connection=close,";

static void describe(const struct h1_head *h, const uint8_t *base, char *out)
{
    for (uint32_t i = 0; i < h->nfields; i++) {
        const struct h1_field *f = &h->fields[i];
        memcpy(out, base + f->name.off, f->name.len);
        out += f->name.len;
        *out++ = '=';
        memcpy(out, base + f->value.off, f->value.len);
        out += f->value.len;
        *out++ = ',';
    }
    *out = '\0';
}

/* Somebody else's head: every field of the worker's array becomes another. */
static void overwrite(struct rig *r)
{
    memset(r->worker->h1_fields, 0xa5, r->worker->h1_fields_cap * sizeof(struct h1_field));
}

static void check(const struct h1_reader *r, const uint8_t *buf, size_t len)
{
    char text[256];
    assert_int_equal(r->head.head_len, len);
    assert_int_equal(r->head.method, H1_METHOD_POST);
    assert_true(r->head.chunked && r->head.connection_close);
    assert_int_equal(r->head.host_field, 0);
    describe(&r->head, buf, text);
    assert_string_equal(text, expected);
}

static void a_head_may_be_cut_at_every_pair_of_places(void **state)
{
    (void)state;
    const size_t len = sizeof(request) - 1;
    const struct h1_options limits[] = {{.head_bytes = 1000, .fields = 100},
                                        {.head_bytes = 1000, .fields = 5}}; /* exactly */
    struct rig rig;
    rig_open(&rig, "");
    for (size_t k = 0; k < COUNT(limits); k++) {
        struct h1_reader r = {0};
        for (size_t i = 0; i < len; i++) {
            for (size_t j = i; j < len; j += k == 0 ? 1 : 5) {
                uint8_t buf[sizeof(request)];
                memcpy(buf, request, sizeof(request));
                h1_reader_begin(&r, rig.worker, H1_REQUEST, limits[k]);
                assert_int_equal(h1_reader_parse(&r, buf, i), H1_MORE);
                overwrite(&rig);
                assert_int_equal(h1_reader_parse(&r, buf, j), H1_MORE);
                overwrite(&rig);
                assert_int_equal(h1_reader_parse(&r, buf, len), H1_DONE);
                overwrite(&rig); /* it has an array of its own */
                check(&r, buf, len);
            }
        }
        h1_reader_release(&r);
        assert_null(r.own);
    }
    rig_close(&rig);
}

static void a_head_in_one_piece_needs_no_array_of_its_own(void **state)
{
    (void)state;
    struct rig rig;
    struct h1_reader r = {0};
    uint8_t buf[sizeof(request) + 4];
    rig_open(&rig, "");
    for (int again = 0; again < 3; again++) {
        memcpy(buf, request, sizeof(request) - 1);
        memcpy(buf + sizeof(request) - 1, "next", 4);
        h1_reader_begin(&r, rig.worker, H1_REQUEST,
                        (struct h1_options){.head_bytes = 1000, .fields = 100});
        assert_false(r.begun);
        assert_int_equal(h1_reader_parse(&r, buf, sizeof(buf) - 1), H1_DONE);
        assert_ptr_equal(r.head.fields, rig.worker->h1_fields);
        assert_null(r.own);
        check(&r, buf, sizeof(request) - 1);
    }
    h1_reader_release(&r);
    rig_close(&rig);
}

static void the_array_of_an_unfinished_head_is_given_back(void **state)
{
    (void)state;
    struct rig rig;
    struct h1_reader r = {0};
    uint8_t buf[sizeof(request)];
    rig_open(&rig, "");
    for (int i = 0; i < 3; i++) { /* begin releases what was there */
        memcpy(buf, request, sizeof(request));
        h1_reader_begin(&r, rig.worker, H1_REQUEST,
                        (struct h1_options){.head_bytes = 1000, .fields = 100});
        assert_int_equal(h1_reader_parse(&r, buf, 50), H1_MORE);
        assert_true(r.begun);
        assert_non_null(r.own);
    }
    h1_reader_release(&r);
    h1_reader_release(&r);
    assert_false(r.begun);
    rig_close(&rig);
}

static void limits_hold_wherever_it_is_cut(void **state)
{
    (void)state;
    const size_t len = sizeof(request) - 1;
    static const struct {
        struct h1_options limits;
        enum h1_error error;
    } cases[] = {
        {{.head_bytes = 1000, .fields = 4}, H1_ERR_TOO_MANY_FIELDS},
        {{.head_bytes = 1000, .fields = 0}, H1_ERR_TOO_MANY_FIELDS},
        {{.head_bytes = 60, .fields = 100}, H1_ERR_HEAD_TOO_LARGE},
        {{.head_bytes = 10, .fields = 100}, H1_ERR_TARGET_TOO_LONG},
    };
    struct rig rig;
    rig_open(&rig, "");
    for (size_t k = 0; k < COUNT(cases); k++) {
        for (size_t i = 0; i < len; i++) {
            struct h1_reader r = {0};
            uint8_t buf[sizeof(request)];
            memcpy(buf, request, sizeof(request));
            h1_reader_begin(&r, rig.worker, H1_REQUEST, cases[k].limits);
            enum h1_rc rc = h1_reader_parse(&r, buf, i);
            overwrite(&rig);
            if (rc == H1_MORE) {
                rc = h1_reader_parse(&r, buf, len);
            }
            assert_int_equal(rc, H1_ERROR);
            assert_int_equal(r.head.error, cases[k].error);
            h1_reader_release(&r);
        }
    }
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_may_be_cut_at_every_pair_of_places),
        cmocka_unit_test(a_head_in_one_piece_needs_no_array_of_its_own),
        cmocka_unit_test(the_array_of_an_unfinished_head_is_given_back),
        cmocka_unit_test(limits_hold_wherever_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
