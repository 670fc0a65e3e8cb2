/*
 * Every form of the scans against the plain one, which is checked octet by octet against the
 * classes: every length, every place in a vector, every octet at every position, and at the last
 * octet before a page that cannot be read.
 */
#include "h1_scan.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LEN_MAX = 100, ROOM = 4096 };

/* `room` ends at a page that cannot be touched. */
static uint8_t *room;

static int make_room(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *p =
        mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + ROOM, page, PROT_NONE) != 0) {
        return 1;
    }
    room = p;
    return 0;
}

static size_t by_class(const uint8_t *p, size_t len, unsigned classes)
{
    size_t n = 0;
    while (n < len && h1_is(p[n], classes)) {
        n++;
    }
    return n;
}

/* The scans of a form at p, against the classes. */
static void check_scans(const struct h1_scan *form, const uint8_t *p, size_t len)
{
    assert_int_equal(form->name(p, p + len), by_class(p, len, H1_C_TOKEN));
    assert_int_equal(form->value(p, p + len), by_class(p, len, H1_C_VALUE));
    assert_int_equal(form->target(p, p + len), by_class(p, len, H1_C_TARGET));
}

/* With octets that are of all three classes around it, so that each scan gets there; the octets
 * behind the end are of none, or cannot be read. */
static void every_octet_at_every_position(void **state)
{
    (void)state;
    for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
        const struct h1_scan *form = h1_scan_form(i);
        for (size_t len = 0; len <= LEN_MAX; len++) {
            uint8_t *p = room + ROOM - len;
            memset(p, 'a', len);
            check_scans(form, p, len);
            for (size_t at = 0; at < len; at++) {
                for (unsigned c = 0; c < 256; c++) {
                    p[at] = (uint8_t)c;
                    check_scans(form, p, len);
                }
                p[at] = 'a';
            }
        }
    }
}

static void every_alignment(void **state)
{
    (void)state;
    for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
        const struct h1_scan *form = h1_scan_form(i);
        for (size_t align = 0; align < 64; align++) {
            for (size_t len = 0; len <= LEN_MAX; len++) {
                uint8_t *p = room + align;
                memset(room, 0, ROOM);
                memset(p, 'a', len);
                check_scans(form, p, len);
                check_scans(form, p, LEN_MAX); /* and to the first that is of no class */
            }
        }
    }
}

static void names_become_lower_case_and_nothing_else_changes(void **state)
{
    (void)state;
    for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
        const struct h1_scan *form = h1_scan_form(i);
        for (size_t len = 0; len <= LEN_MAX; len++) {
            for (size_t n = 0; n <= len; n++) {
                uint8_t before[LEN_MAX];
                uint8_t *p = room + ROOM - len;
                static const char mixed[] = "@AZ[`az{-_9MnKl!";
                for (size_t k = 0; k < len; k++) {
                    before[k] = (uint8_t)mixed[(k + n) % (sizeof mixed - 1)];
                }
                /* What is no tchar is never in a name. */
                for (size_t k = 0; k < n; k++) {
                    before[k] = h1_is(before[k], H1_C_TOKEN) ? before[k] : 'Q';
                }
                if (len > 0) {
                    memcpy(p, before, len);
                }
                room[ROOM - len - 1] = 'A';
                form->lower(p, n, p + len);
                for (size_t k = 0; k < len; k++) {
                    assert_int_equal(p[k], k < n ? h1_name_lower[before[k]] : before[k]);
                }
                assert_int_equal(room[ROOM - len - 1], 'A');
            }
        }
    }
}

/* Every tchar is lowered, at every place of names up to that length. */
static void every_letter_at_every_position_is_lowered(void **state)
{
    (void)state;
    for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
        const struct h1_scan *form = h1_scan_form(i);
        for (size_t n = 1; n <= 40; n++) {
            for (size_t at = 0; at < n; at++) {
                for (unsigned c = 0; c < 256; c++) {
                    if (!h1_is((uint8_t)c, H1_C_TOKEN)) {
                        continue;
                    }
                    uint8_t *p = room + ROOM - 48;
                    memset(p, 'X', 48);
                    p[at] = (uint8_t)c;
                    form->lower(p, n, p + 48);
                    assert_int_equal(p[at], h1_name_lower[c]);
                    assert_int_equal(p[n], 'X');
                    assert_int_equal(p[n - 1], n - 1 == at ? h1_name_lower[c] : 'x');
                }
            }
        }
    }
}

/* ---------------------------------------------------------------- whole field sections */

enum { FIELDS = 16 };

struct outcome {
    enum h1_rc rc;
    struct h1_head head;
    struct h1_field fields[FIELDS];
    uint8_t bytes[512];
};

static void parse(struct outcome *o, const struct h1_scan *form, const uint8_t *bytes, size_t len,
                  struct h1_options options)
{
    h1_scan_use(form);
    memset(o, 0, sizeof *o);
    uint8_t *p = room + ROOM - len;
    memcpy(p, bytes, len);
    h1_head_init(&o->head, H1_RESPONSE, o->fields, FIELDS, options);
    o->rc = h1_head_parse(&o->head, p, len);
    memcpy(o->bytes, p, len);
}

/* All that was found; of a head that is incomplete or refused, that it is so. */
static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->rc, b->rc);
    assert_int_equal(a->head.error, b->head.error);
    if (a->rc != H1_DONE) {
        return;
    }
    assert_int_equal(a->head.nfields, b->head.nfields);
    assert_int_equal(a->head.dropped, b->head.dropped);
    assert_int_equal(a->head.head_len, b->head.head_len);
    assert_int_equal(a->head.content_length, b->head.content_length);
    for (uint32_t i = 0; i < a->head.nfields; i++) {
        assert_memory_equal(&a->fields[i].name, &b->fields[i].name, sizeof(struct h1_span));
        assert_memory_equal(&a->fields[i].value, &b->fields[i].value, sizeof(struct h1_span));
        assert_int_equal(a->fields[i].token, b->fields[i].token);
    }
    assert_memory_equal(a->bytes, b->bytes, a->head.head_len);
}

static void check_all_forms(const uint8_t *bytes, size_t len, struct h1_options options)
{
    static struct outcome plain;
    static struct outcome other;
    parse(&plain, &h1_scan_plain, bytes, len, options);
    for (size_t i = 0; h1_scan_form(i) != &h1_scan_plain; i++) {
        parse(&other, h1_scan_form(i), bytes, len, options);
        assert_same(&plain, &other);
    }
    h1_scan_use(NULL);
}

static const char section[] =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\nX: y\r\n"
    "Strict-Transport-Security: max-age=31536000\r\nX_Under: score\r\nEmpty:\r\nTe:  z \r\n"
    "Content-Length: 18231\r\nX-Content-Type-Options-That-Are-Longer-Than-A-Vector: "
    "nosniff\r\n\r\n";

static const struct h1_options strict = {.head_bytes = 4096, .fields = FIELDS};

/* What the fast loop over lines leaves to the state machine is decided alike by all forms. */
static void every_octet_at_every_position_of_a_head(void **state)
{
    (void)state;
    static const struct h1_options options[] = {
        {.head_bytes = 4096, .fields = FIELDS},
        {.head_bytes = 4096, .fields = FIELDS, .bare_lf = true},
        {.head_bytes = 4096, .fields = FIELDS, .underscores = H1_UNDERSCORES_DROP},
        {.head_bytes = 4096, .fields = 5, .underscores = H1_UNDERSCORES_REFUSE},
    };
    for (size_t k = 0; k < sizeof options / sizeof options[0]; k++) {
        for (size_t at = 0; at < sizeof section - 1; at++) {
            for (unsigned c = 0; c < 256; c++) {
                uint8_t bytes[sizeof section];
                memcpy(bytes, section, sizeof section);
                bytes[at] = (uint8_t)c;
                check_all_forms(bytes, sizeof section - 1, options[k]);
            }
        }
    }
}

static void every_length_of_a_head(void **state)
{
    (void)state;
    for (size_t len = 1; len < sizeof section; len++) {
        check_all_forms((const uint8_t *)section, len, strict);
    }
}

/* A line of every length at every place of a block of 64: names of one length, values of another.
 */
static void every_length_of_a_line(void **state)
{
    (void)state;
    for (size_t before = 0; before < 70; before++) {
        for (size_t n = 1; n <= 70; n++) {
            char text[512];
            int len =
                snprintf(text, sizeof text,
                         "HTTP/1.1 200 %.*s\r\n%.*s: %.*s\r\nAge: 1\r\nContent-Length: 5\r\n\r\n",
                         (int)before, section + 60, (int)n,
                         "Access-Control-Allow-CREDENTIALS-and-more-of-it-so-that-it-fills-a-"
                         "block-and-",
                         (int)(before * n % 90),
                         "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
                         "vvvvvvvvvvvvvvvvvvvvvvvvv");
            assert_in_range(len, 1, (int)sizeof text - 1);
            check_all_forms((const uint8_t *)text, (size_t)len, strict);
        }
    }
}

/* ---------------------------------------------------------------- names and their tokens */

/* A name of the list is found in any case and by each form, and nothing near it is. */
static void tokens_are_found_by_every_form(void **state)
{
    (void)state;
    for (unsigned token = 1; token < H1_TOKEN_COUNT; token++) {
        size_t n;
        const char *name = h1_token_name((uint8_t)token, &n);
        if (name[0] == ':') {
            continue; /* a pseudo-header field of HTTP/2: no name here */
        }
        for (int variant = 0; variant < 4; variant++) {
            char text[256];
            char changed[40] = "";
            memcpy(changed, name, n);
            for (size_t i = 0; variant == 1 && i < n; i++) {
                changed[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 0x20 : name[i]);
            }
            if (variant == 2) {
                changed[n / 2] = changed[n / 2] == '~' ? '!' : '~';
            } else if (variant == 3) {
                changed[n] = 'x';
            }
            int len =
                snprintf(text, sizeof text,
                         "HTTP/1.1 200 OK\r\n%s: 7\r\nX-Filler: of some length, so that it is "
                         "more than one block in all\r\n\r\n",
                         changed);
            for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
                static struct outcome o;
                parse(&o, h1_scan_form(i), (const uint8_t *)text, (size_t)len, strict);
                if (o.rc == H1_DONE) {
                    assert_int_equal(o.fields[0].token, variant < 2 ? token : H1_TOKEN_NONE);
                } else { /* that is not what this field may be */
                    assert_true(token == H1_TOKEN_TRANSFER_ENCODING && variant < 2);
                }
            }
        }
    }
    h1_scan_use(NULL);
}

/* ---------------------------------------------------------------- the choice */

static void *choose(void *unused)
{
    (void)unused;
    return (void *)(uintptr_t)h1_scan_in_use();
}

static void the_best_form_is_chosen_by_all_threads(void **state)
{
    (void)state;
    pthread_t threads[8];
    h1_scan_use(NULL);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, choose, NULL), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        void *form;
        assert_int_equal(pthread_join(threads[i], &form), 0);
        assert_ptr_equal(form, h1_scan_form(0));
    }
    h1_scan_use(&h1_scan_plain);
    assert_ptr_equal(h1_scan_in_use(), &h1_scan_plain);
    h1_scan_use(NULL);
    assert_ptr_equal(h1_scan_in_use(), h1_scan_form(0));
}

int main(void)
{
    for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
        print_message("form: %s\n", h1_scan_form(i)->instructions);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_octet_at_every_position),
        cmocka_unit_test(every_alignment),
        cmocka_unit_test(names_become_lower_case_and_nothing_else_changes),
        cmocka_unit_test(every_letter_at_every_position_is_lowered),
        cmocka_unit_test(every_octet_at_every_position_of_a_head),
        cmocka_unit_test(every_length_of_a_head),
        cmocka_unit_test(every_length_of_a_line),
        cmocka_unit_test(tokens_are_found_by_every_form),
        cmocka_unit_test(the_best_form_is_chosen_by_all_threads),
    };
    return cmocka_run_group_tests(tests, make_room, NULL);
}
