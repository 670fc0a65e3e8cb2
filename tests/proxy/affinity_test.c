/* Hashes of requests, the affinity cookie, and what loose and strict make of it. */
#include "route/affinity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct h2_field field(enum h2_token token, const char *name, const char *value)
{
    return (struct h2_field){.name = name,
                             .value = value,
                             .name_len = (uint32_t)strlen(name),
                             .value_len = (uint32_t)strlen(value),
                             .token = (uint8_t)token};
}

static struct h2_field cookie_field(const char *value)
{
    return field(H2_TOKEN_COOKIE, "cookie", value);
}

/* ---------------------------------------------------------------- hashes */

static void texts_that_differ_a_little_have_hashes_that_differ_a_lot(void **state)
{
    (void)state;
    unsigned buckets[16] = {0};
    uint32_t before = 0;
    for (unsigned i = 0; i < 16000; i++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "10.1.%u.%u", i / 250, i % 250);
        uint32_t h = affinity_hash(text, (size_t)n);
        assert_int_not_equal(h, before);
        before = h;
        buckets[h >> 28]++;
    }
    for (size_t i = 0; i < 16; i++) {
        assert_in_range(buckets[i], 880, 1120);
    }
}

static void hashes_are_the_same_for_ever(void **state)
{
    (void)state;
    /* Machines that share the load have to agree, and a program and the one after it. */
    assert_int_equal(affinity_hash("", 0), 0xefd01f60);
    assert_int_equal(affinity_hash("/index.html?a=b", 15), 0x618fab09);
    assert_int_not_equal(affinity_hash("a\0b", 3), affinity_hash("a\0c", 3));
}

static void an_address_is_hashed_whatever_its_family(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"192.0.2.1", "::FFFF:192.0.2.1", true},
        {"192.0.2.1", "::ffff:192.0.2.2", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"2001:db8::1", "2001:db8::2", false},
        {"::ffff:1", "1", false}, /* no IPv4 address */
        {"::ffff:", "", false},
        {"localhost", "localhost", true},
        {"", "", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool same = affinity_hash_address(cases[i].one, strlen(cases[i].one)) ==
                    affinity_hash_address(cases[i].other, strlen(cases[i].other));
        if (same != cases[i].same) {
            fail_msg("%s, %s", cases[i].one, cases[i].other);
        }
    }
}

static void a_header_is_hashed_with_all_its_values(void **state)
{
    (void)state;
    const struct h2_field one[] = {field(H2_TOKEN_HOST, "host", "h"), field(0, "x-user", "a, b")};
    const struct h2_field two[] = {field(0, "x-user", "a"), field(H2_TOKEN_HOST, "host", "h"),
                                   field(0, "x-user", "b")};
    const struct h2_field other[] = {field(0, "x-user", "b"), field(0, "x-user", "a")};
    uint32_t a, b, c;
    assert_true(affinity_hash_header(one, COUNT(one), "x-user", &a));
    assert_true(affinity_hash_header(two, COUNT(two), "X-User", &b));
    assert_true(affinity_hash_header(other, COUNT(other), "x-user", &c));
    assert_int_equal(a, affinity_hash("a, b", 4));
    assert_int_equal(a, b);
    assert_int_not_equal(a, c);
    assert_false(affinity_hash_header(one, COUNT(one), "x-use", &a));
    assert_false(affinity_hash_header(one, COUNT(one), "x-user2", &a));
    assert_false(affinity_hash_header(NULL, 0, "x-user", &a));
    const struct h2_field empty[] = {field(0, "x-user", "")};
    assert_true(affinity_hash_header(empty, 1, "x-user", &a));
    assert_int_equal(a, affinity_hash("", 0));
}

static void a_cookie_is_hashed_wherever_it_is(void **state)
{
    (void)state;
    const struct h2_field joined[] = {cookie_field("a=1; id=abc; b=2")};
    const struct h2_field crumbs[] = {cookie_field("a=1"), field(0, "x", "id=no"),
                                      cookie_field("id=\"abc\""), cookie_field("id=later")};
    uint32_t h;
    assert_true(affinity_hash_cookie(joined, 1, "id", &h));
    assert_int_equal(h, affinity_hash("abc", 3));
    assert_true(affinity_hash_cookie(crumbs, COUNT(crumbs), "id", &h));
    assert_int_equal(h, affinity_hash("abc", 3));
    assert_false(affinity_hash_cookie(joined, 1, "ID", &h));
    assert_false(affinity_hash_cookie(NULL, 0, "id", &h));
}

/* ---------------------------------------------------------------- reading */

static void cookies_are_found_in_a_field(void **state)
{
    (void)state;
    static const struct {
        const char *field, *value; /* of the cookie "lb"; NULL: none */
    } cases[] = {
        {"lb=x", "x"},
        {"a=b; lb=x; c=d", "x"},
        {"lb=x; lb=y", "x"},
        {"lb=", ""},
        {"lb=;a", ""},
        {"lb=\"x\"", "x"},
        {"lb=\"\"", ""},
        {"lb=\"", "\""},
        {"lb=\"x", "\"x"},
        {"lb=x\"", "x\""},
        {"lb=x=y", "x=y"},
        {" \tlb=x \t", "x"},
        {"a;lb=x", "x"},
        {";;; ;lb=x;", "x"},
        {"q=\"1; lb=x\"", "x\""}, /* a quote does not hide a ';' */
        {"alb=x", NULL},
        {"lbb=x", NULL},
        {"lb", NULL},
        {"lb =x", NULL},
        {"LB=x", NULL},
        {"a=lb=x", NULL},
        {"=lb=x", NULL},
        {"a=b, lb=x", NULL},
        {"", NULL},
        {";", NULL},
        {"  ", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        /* Copies of exactly this length, so that a sanitizer sees what is read behind it. */
        size_t len = strlen(cases[i].field), n = 0;
        char *copy = malloc(len + (len == 0));
        memcpy(copy, cases[i].field, len);
        const char *value = NULL;
        bool found = affinity_find_cookie(copy, len, "lb", &value, &n);
        if (found != (cases[i].value != NULL) ||
            (found && (n != strlen(cases[i].value) || memcmp(value, cases[i].value, n) != 0))) {
            fail_msg("%s: %.*s", cases[i].field, found ? (int)n : 4, found ? value : "none");
        }
        free(copy);
    }
}

static void only_eight_hex_digits_are_our_cookie(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        bool ours;
        uint32_t cookie;
    } cases[] = {
        {"lb=01234567", true, 0x01234567},
        {"lb=89abcdef", true, 0x89abcdef},
        {"lb=89ABCDEF", true, 0x89abcdef},
        {"lb=ffffffff", true, 0xffffffff},
        {"lb=00000000", true, 0},
        {"lb=\"0000000a\"", true, 10},
        {"a=1; lb=0000000a; b=2", true, 10},
        {"lb=0000000a; lb=0000000b", true, 10},
        {"lb=x; lb=0000000b", true, 11}, /* of several, the one that has the form */
        {"lb=; lb=\"; lb=00000001x; lb=0000000c", true, 12},
        {"lb=0000000", false, 0},
        {"lb=000000000", false, 0},
        {"lb=0000000g", false, 0},
        {"lb=0x000000", false, 0},
        {"lb=+0000000", false, 0},
        {"lb= 0000000", false, 0},
        {"lb=0000 000", false, 0},
        {"lb=\"0000000a", false, 0},
        {"lb='0000000a'", false, 0},
        {"lb=\"\"0000000a\"\"", false, 0},
        {"lb=0000000\xff", false, 0},
        {"lb=0000000@", false, 0}, /* between 9 and A, and their neighbours */
        {"lb=0000000`", false, 0},
        {"lb=0000000G", false, 0},
        {"lb=0000000:", false, 0},
        {"lb=0000000/", false, 0},
        {"lb=", false, 0},
        {"lb", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct h2_field f[] = {field(H2_TOKEN_HOST, "host", "lb=00000001"),
                                     cookie_field(cases[i].field)};
        uint32_t cookie = 0;
        if (affinity_read_cookie(f, 2, "lb", &cookie) != cases[i].ours ||
            cookie != cases[i].cookie) {
            fail_msg("%s: %08x", cases[i].field, cookie);
        }
    }
    /* In crumbs, as h2 clients send it. */
    const struct h2_field crumbs[] = {cookie_field("lb=bad"), cookie_field("x=1"),
                                      cookie_field("lb=0000000d")};
    uint32_t cookie;
    assert_true(affinity_read_cookie(crumbs, 3, "lb", &cookie));
    assert_int_equal(cookie, 13);
    assert_false(affinity_read_cookie(crumbs, 2, "lb", &cookie));
}

/* ---------------------------------------------------------------- writing */

static void set_cookie_has_what_was_asked_for(void **state)
{
    (void)state;
    static const struct {
        struct affinity_cookie c;
        uint32_t cookie;
        bool https;
        const char *expected;
    } cases[] = {
        {{.name = "lb"}, 0xabc, false, "lb=00000abc"},
        {{.name = "lb"}, UINT32_MAX, true, "lb=ffffffff; Secure"},
        {{.name = "lb", .secure = CFG_COOKIE_SECURE_YES}, 0, false, "lb=00000000; Secure"},
        {{.name = "lb", .secure = CFG_COOKIE_SECURE_NO}, 0, true, "lb=00000000"},
        {{.name = "lb", .path = "/a"}, 0, false, "lb=00000000; Path=/a"},
        {{.name = "lb", .http_only = true}, 0, false, "lb=00000000; HttpOnly"},
        {{.name = "lb", .same_site = "Lax"}, 0, false, "lb=00000000; SameSite=Lax"},
        {{.name = "lb", .max_age = 3600000}, 0, false, "lb=00000000; Max-Age=3600"},
        {{.name = "lb", .max_age = 1000}, 0, false, "lb=00000000; Max-Age=1"},
        {{.name = "lb", .max_age = UINT64_MAX - UINT64_MAX % 1000},
         0,
         false,
         "lb=00000000; Max-Age=18446744073709551"},
        {{"lb", "/", CFG_COOKIE_SECURE_AUTO, true, "None", 60000},
         1,
         true,
         "lb=00000001; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=60"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *expected = cases[i].expected;
        size_t len = strlen(expected);
        char buf[128];
        assert_int_equal(
            affinity_set_cookie(buf, sizeof(buf), &cases[i].c, cases[i].cookie, cases[i].https),
            len);
        assert_string_equal(buf, expected);
        /* Whatever the room is, the length is right and nothing is written behind it. */
        for (size_t cap = 0; cap <= len + 1; cap++) {
            char *small = malloc(cap + 1);
            small[cap] = '#';
            assert_int_equal(
                affinity_set_cookie(small, cap, &cases[i].c, cases[i].cookie, cases[i].https), len);
            assert_int_equal(small[cap], '#');
            assert_true(cap == 0 || strncmp(small, expected, cap - 1) == 0);
            free(small);
        }
        /* What we set, we read. */
        *strchrnul(buf, ';') = '\0';
        const struct h2_field f = cookie_field(buf);
        uint32_t cookie;
        assert_true(affinity_read_cookie(&f, 1, "lb", &cookie));
        assert_int_equal(cookie, cases[i].cookie);
    }
}

/* ---------------------------------------------------------------- choosing */

#define SERVERS 10u

struct server {
    char key[16];
    bool down;
};

static struct server servers[SERVERS];

static bool is_usable(void *user, void *arg)
{
    (void)arg;
    return !((struct server *)user)->down;
}

static const struct balance_ops ops = {is_usable, NULL};

/* The first n servers, all up. */
static struct balance *make(size_t n, unsigned seed)
{
    struct balance_member members[SERVERS];
    for (size_t i = 0; i < n; i++) {
        servers[i].down = false;
        snprintf(servers[i].key, sizeof(servers[i].key), "10.0.0.%zu:80", i);
        members[i] =
            (struct balance_member){&servers[i], servers[i].key, strlen(servers[i].key), 1, 0, 1};
    }
    return balance_new(BALANCE_AFFINITY, members, n, seed);
}

static struct affinity_choice choose(struct balance *b, enum cfg_stickiness stickiness,
                                     const uint32_t *cookie)
{
    return affinity_choose(b, &ops, NULL, stickiness, cookie);
}

static void a_client_without_a_cookie_gets_one_that_leads_back(void **state)
{
    (void)state;
    for (int s = CFG_STICKINESS_LOOSE; s <= CFG_STICKINESS_STRICT; s++) {
        struct balance *b = make(SERVERS, 1);
        struct balance *other_worker = make(SERVERS, 2);
        unsigned picked[SERVERS] = {0};
        for (unsigned i = 0; i < 2000; i++) {
            struct affinity_choice first = choose(b, (enum cfg_stickiness)s, NULL);
            assert_true(first.set);
            picked[(struct server *)first.user - servers]++;
            struct affinity_choice again =
                choose(i % 2 ? b : other_worker, (enum cfg_stickiness)s, &first.cookie);
            assert_ptr_equal(again.user, first.user);
            assert_int_equal(again.cookie, first.cookie);
            assert_false(again.set);
        }
        for (size_t i = 0; i < SERVERS; i++) {
            assert_in_range(picked[i], 120, 290); /* spread by chance */
        }
        balance_free(other_worker);
        balance_free(b);
    }
}

static void loose_goes_on_to_the_next_and_back_with_the_same_cookie(void **state)
{
    (void)state;
    struct balance *b = make(SERVERS, 3);
    struct affinity_choice first = choose(b, CFG_STICKINESS_LOOSE, NULL);
    ((struct server *)first.user)->down = true;
    struct affinity_choice second = choose(b, CFG_STICKINESS_LOOSE, &first.cookie);
    assert_ptr_not_equal(second.user, first.user);
    assert_false(second.set);
    assert_ptr_equal(choose(b, CFG_STICKINESS_LOOSE, &first.cookie).user, second.user);
    ((struct server *)first.user)->down = false;
    assert_ptr_equal(choose(b, CFG_STICKINESS_LOOSE, &first.cookie).user, first.user);
    balance_free(b);
}

static void strict_means_one_address_or_a_new_choice(void **state)
{
    (void)state;
    struct balance *b = make(SERVERS, 4);
    uint32_t cookie = balance_id(servers[6].key, strlen(servers[6].key));
    assert_ptr_equal(choose(b, CFG_STICKINESS_STRICT, &cookie).user, &servers[6]);
    /* Not usable: another one, and the client is told; for any of them. */
    servers[6].down = true;
    unsigned picked[SERVERS] = {0};
    for (unsigned i = 0; i < 900; i++) {
        struct affinity_choice c = choose(b, CFG_STICKINESS_STRICT, &cookie);
        size_t at = (size_t)((struct server *)c.user - servers);
        assert_true(c.set);
        assert_int_equal(c.cookie, balance_id(servers[at].key, strlen(servers[at].key)));
        picked[at]++;
    }
    for (size_t i = 0; i < SERVERS; i++) {
        assert_in_range(picked[i], i == 6 ? 0 : 40, i == 6 ? 0 : 190);
    }
    /* A cookie that means nobody. */
    uint32_t nobody = 7;
    assert_true(choose(b, CFG_STICKINESS_STRICT, &nobody).set);
    balance_free(b);
}

static void strict_clients_stay_when_an_address_comes(void **state)
{
    (void)state;
    struct balance *few = make(SERVERS - 1, 5);
    struct balance *more = make(SERVERS, 5);
    unsigned loose_moved = 0;
    for (unsigned i = 0; i < 1000; i++) {
        struct affinity_choice strict = choose(few, CFG_STICKINESS_STRICT, NULL);
        struct affinity_choice then = choose(more, CFG_STICKINESS_STRICT, &strict.cookie);
        assert_ptr_equal(then.user, strict.user);
        assert_false(then.set);
        struct affinity_choice loose = choose(few, CFG_STICKINESS_LOOSE, NULL);
        loose_moved += choose(more, CFG_STICKINESS_LOOSE, &loose.cookie).user != loose.user;
    }
    assert_in_range(loose_moved, 50, 160); /* about a tenth */
    balance_free(few);
    balance_free(more);
}

static void nobody_is_chosen_when_all_are_down(void **state)
{
    (void)state;
    struct balance *b = make(3, 6);
    uint32_t cookie = balance_id(servers[1].key, strlen(servers[1].key));
    servers[0].down = servers[1].down = servers[2].down = true;
    for (int s = CFG_STICKINESS_LOOSE; s <= CFG_STICKINESS_STRICT; s++) {
        assert_null(choose(b, (enum cfg_stickiness)s, &cookie).user);
        assert_null(choose(b, (enum cfg_stickiness)s, NULL).user);
    }
    balance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_differ_a_little_have_hashes_that_differ_a_lot),
        cmocka_unit_test(hashes_are_the_same_for_ever),
        cmocka_unit_test(an_address_is_hashed_whatever_its_family),
        cmocka_unit_test(a_header_is_hashed_with_all_its_values),
        cmocka_unit_test(a_cookie_is_hashed_wherever_it_is),
        cmocka_unit_test(cookies_are_found_in_a_field),
        cmocka_unit_test(only_eight_hex_digits_are_our_cookie),
        cmocka_unit_test(set_cookie_has_what_was_asked_for),
        cmocka_unit_test(a_client_without_a_cookie_gets_one_that_leads_back),
        cmocka_unit_test(loose_goes_on_to_the_next_and_back_with_the_same_cookie),
        cmocka_unit_test(strict_means_one_address_or_a_new_choice),
        cmocka_unit_test(strict_clients_stay_when_an_address_comes),
        cmocka_unit_test(nobody_is_chosen_when_all_are_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
