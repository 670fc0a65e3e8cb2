#include "h1parser.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void write_request(struct h1_out *o)
{
    h1_put_request_line(o, "POST", 4, "/a?b", 4, 1);
    h1_put_field(o, "host", 4, "a.example", 9);
    h1_put_field(o, "x-empty", 7, "", 0);
    h1_put_field_uint(o, "content-length", 14, 0);
    h1_put_field_uint(o, "x-max", 5, UINT64_MAX);
    h1_put_end(o);
}

static const char request[] = "POST /a?b HTTP/1.1\r\n"
                              "host: a.example\r\n"
                              "x-empty: \r\n"
                              "content-length: 0\r\n"
                              "x-max: 18446744073709551615\r\n"
                              "\r\n";

static void write_response(struct h1_out *o)
{
    h1_put_status_line(o, 404, 0);
    h1_put_field(o, "a", 1, "b", 1);
    h1_put_end(o);
    h1_put_chunk_head(o, 1);
    h1_put_chunk_end(o);
    h1_put_chunk_head(o, 0xabcdef);
    h1_put_chunk_head(o, UINT64_MAX);
    h1_put_last_chunk(o);
    h1_put_end(o);
}

static const char response[] = "HTTP/1.0 404 Not Found\r\n"
                               "a: b\r\n"
                               "\r\n"
                               "1\r\n\r\n"
                               "abcdef\r\n"
                               "ffffffffffffffff\r\n"
                               "0\r\n"
                               "\r\n";

static const struct {
    void (*write)(struct h1_out *o);
    const char *text;
} messages[] = {{write_request, request}, {write_response, response}};

static void messages_are_written_as_they_should_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint8_t buf[512];
        struct h1_out o = {buf, buf + sizeof buf, false};
        messages[i].write(&o);
        assert_false(o.full);
        assert_int_equal(o.pos - buf, strlen(messages[i].text));
        assert_memory_equal(buf, messages[i].text, strlen(messages[i].text));
    }
}

/* In every smaller place: full is said, nothing is written behind the end (the sanitizer looks),
 * and what is there are whole lines of the message. */
static void what_does_not_fit_is_not_begun(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(messages[i].text);
        for (size_t size = 0; size <= len; size++) {
            uint8_t *buf = malloc(size > 0 ? size : 1);
            assert_non_null(buf);
            struct h1_out o = {buf, buf + size, false};
            messages[i].write(&o);
            size_t written = (size_t)(o.pos - buf);
            assert_true(written <= size);
            assert_int_equal(o.full, size < len);
            assert_memory_equal(buf, messages[i].text, written);
            assert_true(written == 0 || buf[written - 1] == '\n');
            free(buf);
        }
    }
}

static void full_stays_full(void **state)
{
    (void)state;
    uint8_t buf[8];
    struct h1_out o = {buf, buf + sizeof buf, false};
    h1_put_field(&o, "long-name", 9, "value", 5);
    assert_true(o.full);
    h1_put_end(&o); /* would fit, but would end a head that has a field missing */
    assert_ptr_equal(o.pos, buf);
}

static void chunk_head_never_needs_more_than_said(void **state)
{
    (void)state;
    uint8_t buf[H1_CHUNK_HEAD_MAX];
    struct h1_out o = {buf, buf + sizeof buf, false};
    h1_put_chunk_head(&o, UINT64_MAX);
    assert_false(o.full);
    assert_ptr_equal(o.pos, o.end);
}

static void reasons_are_for_every_status(void **state)
{
    (void)state;
    assert_string_equal(h1_reason(200), "OK");
    assert_string_equal(h1_reason(101), "Switching Protocols");
    assert_string_equal(h1_reason(431), "Request Header Fields Too Large");
    assert_string_equal(h1_reason(299), "Unknown");
    for (int status = -1; status < 1100; status++) {
        assert_true(h1_field_value_valid(h1_reason(status), strlen(h1_reason(status))));
        assert_true(strlen(h1_reason(status)) > 0);
    }
}

/* What we write is what we read: the strict parser takes it. */
static void what_is_written_is_read(void **state)
{
    (void)state;
    uint8_t buf[512];
    struct h1_field fields[8];
    struct h1_out o = {buf, buf + sizeof buf, false};
    write_request(&o);
    struct h1_head h;
    h1_head_init(&h, H1_REQUEST, fields, 8, (struct h1_options){.head_bytes = 512, .fields = 8});
    assert_int_equal(h1_head_parse(&h, buf, (size_t)(o.pos - buf)), H1_DONE);
    assert_int_equal(h.head_len, o.pos - buf);
    assert_int_equal(h.nfields, 4);
    assert_int_equal(h.content_length, 0);
    for (int status = 100; status <= 599; status++) {
        o = (struct h1_out){buf, buf + sizeof buf, false};
        h1_put_status_line(&o, status, 1);
        h1_put_end(&o);
        h1_head_init(&h, H1_RESPONSE, fields, 8,
                     (struct h1_options){.head_bytes = 512, .fields = 8});
        assert_int_equal(h1_head_parse(&h, buf, (size_t)(o.pos - buf)), H1_DONE);
        assert_int_equal(h.status, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_written_as_they_should_be),
        cmocka_unit_test(what_does_not_fit_is_not_begun),
        cmocka_unit_test(full_stays_full),
        cmocka_unit_test(chunk_head_never_needs_more_than_said),
        cmocka_unit_test(reasons_are_for_every_status),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
