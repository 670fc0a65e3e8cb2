/* Which of a server's sessions are kept, and which is resumed next. */
#include "tls/tls_store.h"

#include "proxy_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

/* A session as a handshake leaves it: with an id, so that it can be resumed. */
static SSL_SESSION *session(int version, unsigned char id)
{
    SSL_SESSION *s = SSL_SESSION_new();
    assert_non_null(s);
    assert_int_equal(SSL_SESSION_set_protocol_version(s, version), 1);
    assert_int_equal(SSL_SESSION_set1_id(s, &id, 1), 1);
    SSL_SESSION_set_time(s, (long)time(NULL));
    SSL_SESSION_set_timeout(s, 100);
    return s;
}

/* The id of the one that is taken; -1: there is none. */
static int taken(struct tls_store *store)
{
    SSL_SESSION *s = tls_store_take(store);
    if (s == NULL) {
        return -1;
    }
    unsigned len;
    int id = SSL_SESSION_get_id(s, &len)[0];
    SSL_SESSION_free(s);
    return id;
}

static void a_ticket_of_tls_1_3_is_used_once_the_newest_first(void **state)
{
    (void)state;
    struct tls_store *store = tls_store_new();
    assert_int_equal(taken(store), -1);
    for (unsigned char i = 1; i <= 3; i++) {
        tls_store_put(store, session(TLS1_3_VERSION, i));
    }
    assert_int_equal(taken(store), 3);
    assert_int_equal(taken(store), 2);
    tls_store_put(store, session(TLS1_3_VERSION, 4));
    assert_int_equal(taken(store), 4);
    assert_int_equal(taken(store), 1);
    assert_int_equal(taken(store), -1);
    tls_store_unref(store);
}

static void only_the_last_few_are_kept(void **state)
{
    (void)state;
    struct tls_store *store = tls_store_new();
    for (unsigned char i = 1; i <= 100; i++) {
        tls_store_put(store, session(TLS1_3_VERSION, i));
    }
    for (int i = 100; i > 92; i--) {
        assert_int_equal(taken(store), i);
    }
    assert_int_equal(taken(store), -1);
    tls_store_unref(store);
}

static void a_session_of_tls_1_2_is_used_until_another_one_comes(void **state)
{
    (void)state;
    struct tls_store *store = tls_store_new();
    tls_store_put(store, session(TLS1_2_VERSION, 1));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(taken(store), 1);
    }
    tls_store_put(store, session(TLS1_2_VERSION, 2));
    assert_int_equal(taken(store), 2);
    /* The server has been upgraded: the other version's are gone, in either direction. */
    tls_store_put(store, session(TLS1_3_VERSION, 3));
    assert_int_equal(taken(store), 3);
    assert_int_equal(taken(store), -1);
    tls_store_put(store, session(TLS1_3_VERSION, 4));
    tls_store_put(store, session(TLS1_2_VERSION, 5));
    assert_int_equal(taken(store), 5);
    tls_store_clear(store);
    assert_int_equal(taken(store), -1);
    tls_store_unref(store);
}

static void what_is_too_old_is_not_resumed(void **state)
{
    (void)state;
    static const struct {
        long made, timeout; /* seconds, from now */
        bool good;
    } cases[] = {{0, 100, true}, {-99, 110, true},  {-100, 100, false}, {-5000, 100, false},
                 {0, 0, false},  {3600, 100, false}}; /* the clock was set back */
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        struct tls_store *store = tls_store_new();
        SSL_SESSION *s = session(versions[i % 2], 1);
        SSL_SESSION_set_time(s, (long)time(NULL) + cases[i / 2].made);
        SSL_SESSION_set_timeout(s, cases[i / 2].timeout);
        tls_store_put(store, s);
        assert_int_equal(taken(store), cases[i / 2].good ? 1 : -1);
        tls_store_unref(store);
    }
}

static void one_that_cannot_be_resumed_is_passed_over(void **state)
{
    (void)state;
    struct tls_store *store = tls_store_new();
    tls_store_put(store, session(TLS1_3_VERSION, 1));
    SSL_SESSION *bare = SSL_SESSION_new(); /* neither id nor ticket */
    SSL_SESSION_set_protocol_version(bare, TLS1_3_VERSION);
    SSL_SESSION_set_time(bare, (long)time(NULL));
    SSL_SESSION_set_timeout(bare, 100);
    tls_store_put(store, bare);
    assert_int_equal(taken(store), 1);
    tls_store_unref(store);
}

static void the_last_reference_frees(void **state)
{
    (void)state;
    struct tls_store *store = tls_store_new();
    assert_ptr_equal(tls_store_ref(store), store);
    tls_store_put(store, session(TLS1_3_VERSION, 1));
    tls_store_unref(store);
    assert_int_equal(taken(store), 1);
    tls_store_put(store, session(TLS1_3_VERSION, 2)); /* not taken: ASan sees whether it goes */
    tls_store_unref(store);
    tls_store_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_of_tls_1_3_is_used_once_the_newest_first),
        cmocka_unit_test(only_the_last_few_are_kept),
        cmocka_unit_test(a_session_of_tls_1_2_is_used_until_another_one_comes),
        cmocka_unit_test(what_is_too_old_is_not_resumed),
        cmocka_unit_test(one_that_cannot_be_resumed_is_passed_over),
        cmocka_unit_test(the_last_reference_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
