/* The static table (RFC 7541, Appendix A) and the dynamic one (2.3.2, 4). */
#include "hpack_internal.h"
#include "hpack_testing.h"

#include <stdio.h>

static void static_table_is_appendix_a(void **state)
{
    (void)state;
    static const struct {
        unsigned index;
        const char *name, *value;
    } cases[] = {
        {1, ":authority", ""},
        {2, ":method", "GET"},
        {3, ":method", "POST"},
        {4, ":path", "/"},
        {5, ":path", "/index.html"},
        {6, ":scheme", "http"},
        {7, ":scheme", "https"},
        {8, ":status", "200"},
        {9, ":status", "204"},
        {10, ":status", "206"},
        {11, ":status", "304"},
        {12, ":status", "400"},
        {13, ":status", "404"},
        {14, ":status", "500"},
        {15, "accept-charset", ""},
        {16, "accept-encoding", "gzip, deflate"},
        {17, "accept-language", ""},
        {18, "accept-ranges", ""},
        {19, "accept", ""},
        {20, "access-control-allow-origin", ""},
        {21, "age", ""},
        {22, "allow", ""},
        {23, "authorization", ""},
        {24, "cache-control", ""},
        {25, "content-disposition", ""},
        {26, "content-encoding", ""},
        {27, "content-language", ""},
        {28, "content-length", ""},
        {29, "content-location", ""},
        {30, "content-range", ""},
        {31, "content-type", ""},
        {32, "cookie", ""},
        {33, "date", ""},
        {34, "etag", ""},
        {35, "expect", ""},
        {36, "expires", ""},
        {37, "from", ""},
        {38, "host", ""},
        {39, "if-match", ""},
        {40, "if-modified-since", ""},
        {41, "if-none-match", ""},
        {42, "if-range", ""},
        {43, "if-unmodified-since", ""},
        {44, "last-modified", ""},
        {45, "link", ""},
        {46, "location", ""},
        {47, "max-forwards", ""},
        {48, "proxy-authenticate", ""},
        {49, "proxy-authorization", ""},
        {50, "range", ""},
        {51, "referer", ""},
        {52, "refresh", ""},
        {53, "retry-after", ""},
        {54, "server", ""},
        {55, "set-cookie", ""},
        {56, "strict-transport-security", ""},
        {57, "transfer-encoding", ""},
        {58, "user-agent", ""},
        {59, "vary", ""},
        {60, "via", ""},
        {61, "www-authenticate", ""},
    };
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), HPACK_STATIC_COUNT);
    for (unsigned i = 0; i < HPACK_STATIC_COUNT; i++) {
        assert_int_equal(cases[i].index, i + 1);
        const struct h2_field *f = &hpack_static_table[i];
        assert_field(f, cases[i].name, cases[i].value);
        assert_int_equal(f->flags, 0);
        unsigned first = hpack_static_names[f->token].first;
        unsigned values = hpack_static_names[f->token].values;
        assert_true(first >= 1 && first <= i + 1);
        assert_string_equal(hpack_static_table[first - 1].name, cases[i].name);
        assert_true(first == 1 || hpack_static_table[first - 2].token != f->token);
        assert_true(f->value_len > 0 ? i + 1 < first + values : values == 0);
    }
    assert_int_equal(hpack_static_names[H2_TOKEN_NONE].first, 0);
    assert_int_equal(hpack_static_names[H2_TOKEN_PSEUDO_PROTOCOL].first, 0);
}

static void push(struct hpack_table *t, const struct h2_allocator *a, const char *name,
                 const char *value)
{
    struct h2_field f = field_of(name, value);
    struct hpack_entry *e = hpack_entry_new(a, sizeof(*e), &f);
    assert_non_null(e);
    assert_true(hpack_table_reserve(t, a));
    hpack_table_push(t, e);
}

static void eviction_is_exact_to_the_octet(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_table t = {.max_size = 2 * (HPACK_FIELD_OVERHEAD + 4)};
    push(&t, &c.alloc, "ab", "cd");
    push(&t, &c.alloc, "ef", "gh");
    assert_int_equal(t.size, t.max_size);
    assert_null(hpack_table_evict(&t, 0)); /* just full is not over */

    struct hpack_entry *oldest = hpack_table_evict(&t, 1);
    assert_non_null(oldest);
    assert_field(&oldest->field, "ab", "cd");
    hpack_release(&c.alloc, oldest);
    assert_int_equal(t.size, HPACK_FIELD_OVERHEAD + 4);
    assert_null(hpack_table_evict(&t, HPACK_FIELD_OVERHEAD + 4));

    oldest = hpack_table_evict(&t, HPACK_FIELD_OVERHEAD + 5);
    assert_non_null(oldest);
    assert_field(&oldest->field, "ef", "gh");
    hpack_release(&c.alloc, oldest);
    assert_int_equal(t.size, 0);
    assert_int_equal(t.count, 0);
    assert_null(hpack_table_evict(&t, UINT64_MAX / 2)); /* an empty table has nothing to give */
    hpack_table_free(&t, &c.alloc);
    assert_int_equal(c.blocks, 0);
}

static void index_0_is_the_newest_however_the_ring_turns_and_grows(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    struct hpack_table t = {0};
    unsigned oldest = 0;
    unsigned next = 0;
    for (unsigned held = 1; held < 200; held++) {
        t.max_size = held * (HPACK_FIELD_OVERHEAD + 6);
        for (unsigned n = 0; n < 37; n++) {
            struct hpack_entry *e;
            while ((e = hpack_table_evict(&t, HPACK_FIELD_OVERHEAD + 6)) != NULL) {
                hpack_release(&c.alloc, e);
                oldest++;
            }
            char value[8];
            snprintf(value, sizeof(value), "%05u", next++);
            push(&t, &c.alloc, "n", value);
            assert_int_equal(t.count, next - oldest);
            for (unsigned i = 0; i < t.count; i++) {
                snprintf(value, sizeof(value), "%05u", next - 1 - i);
                assert_memory_equal(hpack_table_get(&t, i)->field.value, value, 5);
            }
            assert_null(hpack_table_get(&t, t.count));
            assert_null(hpack_table_get(&t, UINT32_MAX));
        }
    }
    assert_true(next > 5000);
    hpack_table_free(&t, &c.alloc);
    assert_int_equal(c.blocks, 0);
}

static void an_entry_copies_its_strings_but_not_a_known_name(void **state)
{
    (void)state;
    struct counting c;
    counting_init(&c);
    char name[] = "x-own";
    char value[] = "value";
    struct h2_field f = field_of(name, value);
    f.flags = H2_FIELD_NO_INDEX;
    struct hpack_entry *own = hpack_entry_new(&c.alloc, sizeof(*own), &f);
    assert_non_null(own);
    memset(name, '?', sizeof(name) - 1);
    memset(value, '?', sizeof(value) - 1);
    assert_field(&own->field, "x-own", "value");
    assert_int_equal(own->field.flags, 0);
    assert_int_equal(c.bytes, sizeof(*own) + 10);
    hpack_release(&c.alloc, own);

    char host[] = "host";
    f = field_of(host, "");
    f.token = H2_TOKEN_HOST;
    struct hpack_entry *known = hpack_entry_new(&c.alloc, sizeof(*known), &f);
    assert_non_null(known);
    memset(host, '?', sizeof(host) - 1);
    assert_field(&known->field, "host", "");
    assert_int_equal(c.bytes, sizeof(*known));
    hpack_release(&c.alloc, known);
    assert_int_equal(c.blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_table_is_appendix_a),
        cmocka_unit_test(eviction_is_exact_to_the_octet),
        cmocka_unit_test(index_0_is_the_newest_however_the_ring_turns_and_grows),
        cmocka_unit_test(an_entry_copies_its_strings_but_not_a_known_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
