/* Our encoder against our decoder: random messages, random table sizes. */
#include "hpack_testing.h"

#include <stdio.h>

#define MAX_FIELDS 40
#define MAX_VALUE  300

struct message {
    struct h2_field fields[MAX_FIELDS];
    char names[MAX_FIELDS][24];
    char values[MAX_FIELDS][MAX_VALUE];
    size_t n;
};

static void random_message(struct message *m)
{
    m->n = (size_t)rand() % MAX_FIELDS;
    for (size_t i = 0; i < m->n; i++) {
        struct h2_field *f = &m->fields[i];
        *f = (struct h2_field){0};
        if (rand() % 3) {
            size_t len;
            f->token = (uint8_t)(1 + rand() % (H2_TOKEN_COUNT - 1));
            f->name = h2_token_name(f->token, &len);
            f->name_len = (uint32_t)len;
            if (rand() % 2) {
                f->token = H2_TOKEN_NONE;
            }
        } else {
            f->name_len = (uint32_t)snprintf(m->names[i], sizeof(m->names[i]), "x-%d", rand() % 60);
            f->name = m->names[i];
        }
        char *v = m->values[i];
        f->value = v;
        switch (rand() % 4) {
        case 0: /* few different ones */
            f->value_len = (uint32_t)snprintf(v, MAX_VALUE, "value-%d", rand() % 3);
            break;
        case 1:
            f->value_len = (uint32_t)snprintf(v, MAX_VALUE, "%d", rand());
            break;
        case 2:
            f->value_len = (uint32_t)(rand() % MAX_VALUE);
            memset(v, 'a' + rand() % 26, f->value_len);
            break;
        default:
            f->value_len = (uint32_t)(rand() % 40);
            for (uint32_t k = 0; k < f->value_len; k++) {
                v[k] = (char)rand();
            }
            break;
        }
        f->flags = rand() % 10 == 0   ? H2_FIELD_NEVER_INDEX
                   : rand() % 10 == 0 ? H2_FIELD_NO_INDEX
                                      : 0;
    }
}

static void assert_same(const struct h2_field *sent, const struct h2_field *got)
{
    assert_int_equal(sent->name_len, got->name_len);
    assert_memory_equal(sent->name, got->name, sent->name_len);
    assert_int_equal(sent->value_len, got->value_len);
    assert_memory_equal(sent->value, got->value, sent->value_len);
    assert_int_equal(got->token, h2_token_lookup(sent->name, sent->name_len));
    if (sent->flags & H2_FIELD_NEVER_INDEX) {
        assert_int_equal(got->flags, H2_FIELD_NEVER_INDEX);
    }
    if (sent->flags & H2_FIELD_NO_INDEX) {
        assert_int_equal(got->flags & ~H2_FIELD_NEVER_INDEX, 0);
    }
}

static void same_tables(const struct hpack_encoder *e, const struct hpack_decoder *d)
{
    assert_int_equal(hpack_encoder_table_size(e), hpack_decoder_table_size(d));
    struct h2_field a;
    struct h2_field b;
    uint32_t i = 0;
    while (hpack_encoder_table_entry(e, i, &a)) {
        assert_true(hpack_decoder_table_entry(d, i, &b));
        assert_int_equal(a.name_len, b.name_len);
        assert_memory_equal(a.name, b.name, a.name_len);
        assert_int_equal(a.value_len, b.value_len);
        assert_memory_equal(a.value, b.value, a.value_len);
        assert_int_equal(a.token, b.token);
        i++;
    }
    assert_false(hpack_decoder_table_entry(d, i, &b));
}

static void what_goes_in_comes_out_whatever_the_table_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 33, 64, 200, 1000, 4096, 16384, 100000};
    static struct message m;
    srand(42);
    for (int conn = 0; conn < 300; conn++) {
        struct counting c;
        counting_init(&c);
        struct hpack_encoder *e = hpack_encoder_new(&c.alloc, sizes[rand() % 8]);
        struct hpack_decoder *d = hpack_decoder_new(&c.alloc, HPACK_DEFAULT_TABLE_SIZE);
        assert_true(e != NULL && d != NULL);
        for (int block = 0; block < 50; block++) {
            for (int changes = rand() % 8 - 4; changes > 0; changes--) {
                uint32_t size = sizes[rand() % 8];
                hpack_encoder_set_peer_table_size(e, size);
                hpack_decoder_set_max_table_size(d, size);
            }
            random_message(&m);
            size_t bound = hpack_encoder_bound(m.fields, m.n);
            uint8_t *buf = malloc(bound);
            assert_non_null(buf);
            size_t len;
            assert_int_equal(hpack_encoder_encode(e, m.fields, m.n, buf, &len), HPACK_OK);
            assert_true(len <= bound);
            uint8_t *wire = exact_copy(buf, len);
            free(buf);

            struct h2_field got[MAX_FIELDS + 1];
            const uint8_t *pos = wire;
            size_t n = 0;
            enum hpack_rc rc;
            hpack_decoder_begin(d);
            while ((rc = hpack_decoder_next(d, &pos, wire + len, &got[n])) == HPACK_FIELD) {
                assert_true(++n <= m.n);
            }
            assert_int_equal(rc, HPACK_OK);
            free(wire);
            assert_int_equal(n, m.n);
            for (size_t i = 0; i < n; i++) {
                assert_same(&m.fields[i], &got[i]);
            }
            same_tables(e, d);
            if (rand() % 4 == 0) {
                hpack_decoder_release(d);
            }
        }
        hpack_encoder_free(e);
        hpack_decoder_free(d);
        assert_int_equal(c.blocks, 0);
    }
}

static void random_octets_only_ever_give_an_error(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        struct counting c;
        counting_init(&c);
        struct hpack_decoder *d = hpack_decoder_new(&c.alloc, 200);
        assert_non_null(d);
        enum hpack_rc rc = HPACK_OK;
        for (int block = 0; block < 5 && rc == HPACK_OK; block++) {
            uint8_t octets[64];
            size_t len = (size_t)rand() % sizeof(octets);
            for (size_t i = 0; i < len; i++) {
                octets[i] = (uint8_t)(rand() % 3 ? rand() % 8 : rand());
            }
            uint8_t *wire = exact_copy(octets, len);
            const uint8_t *pos = wire;
            struct h2_field f;
            hpack_decoder_begin(d);
            while ((rc = hpack_decoder_next(d, &pos, wire + len, &f)) == HPACK_FIELD) {
                assert_true(pos > wire && pos <= wire + len);
                assert_true(hpack_decoder_table_size(d) <= 200);
            }
            free(wire);
        }
        assert_int_not_equal(rc, HPACK_ERR_NOMEM);
        hpack_decoder_free(d);
        assert_int_equal(c.blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_whatever_the_table_sizes),
        cmocka_unit_test(random_octets_only_ever_give_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
