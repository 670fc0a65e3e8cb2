/* Two sessions that talk through memory: handshakes, names, protocols, and records cut anywhere. */
#include "tls/tls.h"

#include "cert_testing.h"
#include "proxy_testing.h"
#include "tls_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"
#include "net/buffer.h"

static const char *alpn_of(const struct end *e)
{
    static char text[32];
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(e->tls->ssl, &name, &len);
    snprintf(text, sizeof(text), "%.*s", (int)len, len > 0 ? (const char *)name : "");
    return text;
}

/* ---------------------------------------------------------------- names */

static void a_certificate_is_good_for_its_alternative_names_only(void **state)
{
    (void)state;
    static const struct {
        const char *cert, *trusted, *name;
        bool verify, good;
    } cases[] = {
        {"good", "good", "a.example", true, true},
        {"good", "good", "A.EXAMPLE", true, true},
        {"good", "good", "b.example", true, false},
        {"good", "good", "a.example.org", true, false},
        {"good", "good", "x.a.example", true, false},
        {"good", "good", "www.wild.example", true, true},
        {"good", "good", "wild.example", true, false},
        {"good", "good", "a.b.wild.example", true, false},
        {"good", "good", "foobar.part.example", true, false}, /* foo*.part.example */
        {"good", "good", "127.0.0.1", true, true},
        {"good", "good", "127.0.0.2", true, false},
        {"good", "good", "::1", true, true},
        {"good", "good", "::2", true, false},
        {"good", "good", "common.example", true, false}, /* the CN is no name */
        {"common", "common", "common.example", true, false},
        {"common", "common", "127.0.0.1", true, false},
        {"good", "common", "a.example", true, false},     /* not trusted */
        {"expired", "expired", "a.example", true, false}, /* not any more */
        {"good", "common", "b.example", false, true},     /* whatever it is */
        {"expired", "good", "b.example", false, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair p;
        enum tls_rc server, client;
        pair_open(&p, cases[i].cert, cases[i].trusted, cases[i].verify ? "" : "insecure");
        assert_true(pair_set_peer(&p, cases[i].name, "h2"));
        pair_shake(&p, SIZE_MAX, &server, &client);
        if ((client == TLS_OK) != cases[i].good) {
            fail_msg("%s: %s for %s: %s", cases[i].cert, cases[i].good ? "refused" : "accepted",
                     cases[i].name, p.client.tls->error);
        }
        if (!cases[i].good) {
            assert_int_equal(client, TLS_FAILED);
            assert_true(strncmp(p.client.tls->error, "certificate: ", 13) == 0);
        }
        pair_close(&p);
    }
}

static void the_name_is_sent_unless_it_is_an_address(void **state)
{
    (void)state;
    static const struct {
        const char *name, *sent;
    } cases[] = {{"a.example", "a.example"}, {"127.0.0.1", NULL}, {"::1", NULL}, {NULL, NULL}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair p;
        enum tls_rc server, client;
        pair_open(&p, "good", "good", "insecure");
        assert_true(pair_set_peer(&p, cases[i].name, "h2"));
        pair_shake(&p, SIZE_MAX, &server, &client);
        assert_true(server == TLS_OK && client == TLS_OK);
        const char *sent = SSL_get_servername(p.server.tls->ssl, TLSEXT_NAMETYPE_host_name);
        if (cases[i].sent == NULL) {
            assert_null(sent);
        } else {
            assert_string_equal(sent, cases[i].sent);
        }
        pair_close(&p);
    }
    /* No name, but one is to be verified: that cannot be. */
    struct pair p;
    pair_open(&p, "good", "good", "");
    assert_false(pair_set_peer(&p, NULL, "h2"));
    pair_close(&p);
}

/* ---------------------------------------------------------------- protocols and versions */

static void protocols_are_agreed_on_in_the_servers_order(void **state)
{
    (void)state;
    static const struct {
        const char *list, *offer; /* the offer as on the wire */
        const char *agreed;       /* NULL: an alert (RFC 7301, 3.2) */
    } cases[] = {
        {"h2,http/1.1", "\x02h2", "h2"},
        {"h2,http/1.1", "\x08http/1.1", "http/1.1"},
        {"h2,http/1.1", "\x08http/1.1\x02h2", "h2"},
        {"http/1.1,h2", "\x02h2\x08http/1.1", "http/1.1"},
        {"http/1.1", "\x02h2", NULL},
        {"h2", "\x02h3\x03h2c\x01h", NULL},
        {"h2,http/1.1", "", ""}, /* no ALPN at all is fine */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair p;
        enum tls_rc server, client;
        char options[64];
        snprintf(options, sizeof(options), "alpn-list=%s", cases[i].list);
        pair_open(&p, "good", "good", options);
        SSL_set_alpn_protos(p.client.tls->ssl, (const unsigned char *)cases[i].offer,
                            (unsigned)strlen(cases[i].offer));
        SSL_set_verify(p.client.tls->ssl, SSL_VERIFY_NONE, NULL);
        pair_shake(&p, SIZE_MAX, &server, &client);
        if (cases[i].agreed != NULL) {
            assert_true(server == TLS_OK && client == TLS_OK);
            assert_string_equal(alpn_of(&p.server), cases[i].agreed);
            assert_string_equal(alpn_of(&p.client), cases[i].agreed);
        } else {
            assert_true(server == TLS_FAILED && client == TLS_FAILED);
            assert_non_null(strstr(p.client.tls->error, "no application protocol"));
        }
        pair_close(&p);
    }
}

static void versions_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        int client_max;
        const char *version; /* NULL: refused */
    } cases[] = {
        {"", TLS1_3_VERSION, "TLSv1.3"},
        {"", TLS1_2_VERSION, "TLSv1.2"},
        {"", TLS1_1_VERSION, NULL},
        {"tls-min-proto-version=TLSv1.3", TLS1_2_VERSION, NULL},
        {"tls-max-proto-version=TLSv1.2", TLS1_3_VERSION, "TLSv1.2"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair p;
        enum tls_rc server, client;
        pair_open(&p, "good", "good", cases[i].options);
        SSL_set_verify(p.client.tls->ssl, SSL_VERIFY_NONE, NULL);
        SSL_set_security_level(p.client.tls->ssl, 0); /* or it would not even ask for TLS 1.1 */
        SSL_set_cipher_list(p.client.tls->ssl, "ALL:@SECLEVEL=0");
        SSL_set_min_proto_version(p.client.tls->ssl, TLS1_VERSION);
        SSL_set_max_proto_version(p.client.tls->ssl, cases[i].client_max);
        pair_shake(&p, SIZE_MAX, &server, &client);
        if (cases[i].version != NULL) {
            assert_true(server == TLS_OK && client == TLS_OK);
            assert_string_equal(SSL_get_version(p.server.tls->ssl), cases[i].version);
        } else {
            assert_int_equal(server, TLS_FAILED);
            assert_true(strncmp(p.server.tls->error, "TLS: ", 5) == 0);
        }
        pair_close(&p);
    }
}

/* ---------------------------------------------------------------- data */

/* Reads all that can be read; checks that it is the stream from *at on. */
static enum tls_rc read_all(struct end *e, size_t *at, size_t cap)
{
    uint8_t buf[16384];
    size_t len;
    enum tls_rc rc;
    while ((rc = tls_read(e->tls, buf, cap, &len)) == TLS_OK) {
        assert_true(len > 0 && len <= cap);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(buf[i], (uint8_t)(*at * 31));
            *at += 1;
        }
    }
    tls_keep_input(e->tls);
    return rc;
}

static void records_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 5, 1000, SIZE_MAX}, caps[] = {1, 100, 16384};
    static uint8_t data[40000];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 31);
    }
    for (size_t i = 0; i < COUNT(pieces); i++) {
        for (size_t j = 0; j < COUNT(caps); j++) {
            struct pair p;
            enum tls_rc server, client;
            size_t at = 0, len = pieces[i] == 1 || caps[j] == 1 ? 1500 : sizeof(data);
            pair_open(&p, "good", "good", "");
            assert_true(pair_set_peer(&p, "a.example", "h2"));
            pair_shake(&p, pieces[i], &server, &client);
            assert_true(server == TLS_OK && client == TLS_OK);
            /* The server's tickets come first; they are no data. */
            assert_int_equal(tls_write(p.server.tls, data, len), TLS_OK);
            while (pair_carry(&p.server, &p.client, pieces[i])) {
                assert_int_equal(read_all(&p.client, &at, caps[j]), TLS_WANT_READ);
            }
            assert_int_equal(at, len);
            tls_shutdown(p.server.tls);
            enum tls_rc rc = TLS_WANT_READ;
            while (rc == TLS_WANT_READ && pair_carry(&p.server, &p.client, pieces[i])) {
                rc = read_all(&p.client, &at, caps[j]);
            }
            assert_int_equal(rc, TLS_CLOSED);
            pair_close(&p);
        }
    }
}

static void ciphertext_that_was_touched_is_a_failure(void **state)
{
    (void)state;
    struct pair p;
    enum tls_rc server, client;
    size_t at = 0;
    pair_open(&p, "good", "good", "");
    assert_true(pair_set_peer(&p, "a.example", "h2"));
    pair_shake(&p, SIZE_MAX, &server, &client);
    assert_int_equal(tls_write(p.client.tls, (const uint8_t *)"\0\x1f", 2), TLS_OK);
    p.client.out.mem[p.client.out.end - 1] ^= 1;
    while (pair_carry(&p.client, &p.server, SIZE_MAX)) {
        client = read_all(&p.server, &at, 100);
    }
    assert_int_equal(client, TLS_FAILED);
    assert_int_equal(at, 0);
    assert_true(strncmp(p.server.tls->error, "TLS: ", 5) == 0);
    assert_true(buffer_len(&p.server.out) > 0); /* the alert */
    pair_close(&p);
}

static void what_is_no_tls_is_a_failure(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, "good", "good", "");
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    p.server.tls->in = (const uint8_t *)text;
    p.server.tls->in_len = sizeof(text) - 1;
    assert_int_equal(tls_handshake(p.server.tls), TLS_FAILED);
    assert_non_null(p.server.tls->error);
    pair_close(&p);
}

static void unread_ciphertext_is_kept_as_often_as_it_takes(void **state)
{
    (void)state;
    struct pair p;
    enum tls_rc server, client;
    uint8_t byte;
    size_t len, at = 0;
    pair_open(&p, "good", "good", "");
    assert_true(pair_set_peer(&p, "a.example", "h2"));
    pair_shake(&p, SIZE_MAX, &server, &client);
    read_all(&p.client, &at, 100); /* tickets */
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(tls_write(p.client.tls, &(uint8_t){(uint8_t)(i * 31)}, 1), TLS_OK);
    }
    assert_true(pair_carry(&p.client, &p.server, SIZE_MAX));
    for (size_t i = 0; i < 5; i++) { /* a record at a time, kept over and over */
        assert_int_equal(tls_read(p.server.tls, &byte, 1, &len), TLS_OK);
        assert_int_equal(byte, (uint8_t)(i * 31));
        tls_keep_input(p.server.tls);
        tls_keep_input(p.server.tls);
    }
    assert_int_equal(tls_read(p.server.tls, &byte, 1, &len), TLS_WANT_READ);
    assert_int_equal(p.server.tls->in_len, 0);
    assert_null(p.server.tls->in_mem);
    pair_close(&p);
}

static int set_up(void **state)
{
    (void)state;
    static const struct cert_wish wishes[] = {
        {"good", "common.example",
         "DNS:a.example,DNS:*.wild.example,DNS:foo*.part.example,IP:127.0.0.1,IP:::1", 10},
        {"common", "common.example", NULL, 10},
        {"expired", "common.example", "DNS:a.example", -1},
    };
    for (size_t i = 0; i < COUNT(wishes); i++) {
        cert_make(&wishes[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_cleanup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_good_for_its_alternative_names_only),
        cmocka_unit_test(the_name_is_sent_unless_it_is_an_address),
        cmocka_unit_test(protocols_are_agreed_on_in_the_servers_order),
        cmocka_unit_test(versions_out_of_range_are_refused),
        cmocka_unit_test(records_may_be_cut_anywhere),
        cmocka_unit_test(ciphertext_that_was_touched_is_a_failure),
        cmocka_unit_test(what_is_no_tls_is_a_failure),
        cmocka_unit_test(unread_ciphertext_is_kept_as_often_as_it_takes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
