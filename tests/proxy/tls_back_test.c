/* By what a backend is known: CAs, pins; what is said of one that is not it; sessions; contexts. */
#include "tls/tls_back.h"

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

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "back/back_internal.h"
#include "net/conn.h"
#include "ops/log.h"
#include "tls/tls_store.h"

/* ---------------------------------------------------------------- helpers */

static X509 *read_cert(const char *cert)
{
    FILE *f = fopen(cert_path(cert, "cert"), "r");
    assert_non_null(f);
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(x);
    return x;
}

/* Not by the way that the code goes: out of the key's file, not the certificate. */
static void pin_of(const char *cert, uint8_t pin[CFG_PIN_SIZE])
{
    unsigned char *der = NULL;
    FILE *f = fopen(cert_path(cert, "key"), "r");
    assert_non_null(f);
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    int len = i2d_PUBKEY(key, &der);
    assert_true(len > 0);
    assert_int_equal(EVP_Digest(der, (size_t)len, pin, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

/* One handshake of a backend's context with the server of `cert`; "" is the client's view of a good
 * one, else what it says. In static memory. */
static const char *verdict(const char *cert, const char *trusted, const struct cfg_backend *b,
                           const char *name)
{
    static char text[600];
    struct pair p;
    enum tls_rc server, client;
    pair_open(&p, cert, trusted, "");
    pair_set_client(&p, testing_client_ctx(p.rig.cfg, b));
    assert_true(pair_set_peer(&p, name, "h2"));
    pair_shake(&p, SIZE_MAX, &server, &client);
    if (client == TLS_OK) {
        assert_null(p.client.tls->error);
        text[0] = '\0';
    } else {
        assert_int_equal(client, TLS_FAILED);
        assert_non_null(p.client.tls->error);
        snprintf(text, sizeof(text), "%s", p.client.tls->error);
        assert_true(server != TLS_OK || !SSL_session_reused(p.server.tls->ssl));
    }
    pair_close(&p);
    return text;
}

static void expect(const char *said, const char *part)
{
    if (part == NULL ? said[0] != '\0' : strstr(said, part) == NULL) {
        fail_msg("\"%s\" instead of \"%s\"", said, part != NULL ? part : "");
    }
}

/* ---------------------------------------------------------------- verification */

static void it_is_said_which_check_failed_and_what_was_seen(void **state)
{
    (void)state;
    static const struct {
        const char *cert, *trusted, *name, *said;
    } cases[] = {
        {"good", "good", "a.example", NULL},
        {"good", "good", "b.example",
         "certificate: hostname mismatch (it is for a.example, 127.0.0.1, ::1)"},
        {"good", "good", "127.0.0.2",
         "certificate: IP address mismatch (it is for a.example, 127.0.0.1, ::1)"},
        {"good", "other", "a.example", "(of CN=common.example, issued by CN=common.example)"},
        {"nameless", "nameless", "a.example", "certificate: hostname mismatch (it has no names)"},
        {"many", "many", "a.example",
         "(it is for n1.example, n2.example, n3.example, n4.example, n5.example and 2 more)"},
        {"expired", "expired", "a.example", "certificate: certificate has expired (on 20"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect(verdict(cases[i].cert, cases[i].trusted, &(struct cfg_backend){.tls = true},
                       cases[i].name),
               cases[i].said);
    }
    /* The very second of its end. */
    X509 *x = read_cert("expired");
    struct tm tm;
    char on[80];
    assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm), 1);
    snprintf(on, sizeof(on), "(on %04d-%02d-%02d %02d:%02d:%02d UTC)", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    X509_free(x);
    expect(verdict("expired", "expired", &(struct cfg_backend){.tls = true}, "a.example"), on);
}

static void names_of_a_certificate_make_no_lines_in_the_log(void **state)
{
    (void)state;
    const char *said = verdict("nasty", "nasty", &(struct cfg_backend){.tls = true}, "b.example");
    expect(said, "a?b??c.example");
    for (const char *s = said; *s != '\0'; s++) {
        assert_true(*s >= ' ' && *s <= '~');
    }
    said = verdict("nasty", "good", &(struct cfg_backend){.tls = true}, "b.example");
    for (const char *s = said; *s != '\0'; s++) {
        assert_true(*s >= ' ' && *s <= '~');
    }
}

static void a_backends_ca_counts_instead_of_cacert(void **state)
{
    (void)state;
    char good[200], other[200];
    snprintf(good, sizeof(good), "%s", cert_path("good", "cert"));
    snprintf(other, sizeof(other), "%s", cert_path("other", "cert"));
    static const char name[] = "a.example";
    expect(verdict("good", "other", &(struct cfg_backend){.tls = true, .ca = good}, name), NULL);
    expect(verdict("good", "good", &(struct cfg_backend){.tls = true, .ca = other}, name),
           "certificate: self-signed certificate (of ");
    expect(verdict("other", "other", &(struct cfg_backend){.tls = true, .ca = good}, name),
           "certificate: ");
}

static void one_of_the_pins_must_be_the_keys(void **state)
{
    (void)state;
    uint8_t good[CFG_PIN_SIZE], pins[3][CFG_PIN_SIZE];
    char said[160], text[80];
    pin_of("good", good);
    EVP_EncodeBlock((unsigned char *)text, good, sizeof(good));
    snprintf(said, sizeof(said), "certificate: its key is not pinned (sha256:%s)", text);
    for (size_t i = 0; i < 3; i++) {
        pin_of("other", pins[i]);
        pins[i][i]++;
    }
    struct cfg_backend b = {.tls = true, .pins = pins, .npins = 3};
    for (int insecure = 0; insecure < 2; insecure++) {
        b.insecure = insecure == 1;
        const char *name = b.insecure ? "whatever.example" : "a.example";
        memcpy(pins[2], good, sizeof(good));
        expect(verdict("good", b.insecure ? "other" : "good", &b, name), NULL);
        pins[2][31] ^= 1;
        expect(verdict("good", b.insecure ? "other" : "good", &b, name), said);
        pins[2][31] ^= 1;
        pins[2][0] ^= 0x80;
        expect(verdict("good", b.insecure ? "other" : "good", &b, name), said);
    }
    /* A pin is no reason to take what is not good otherwise. */
    memcpy(pins[2], good, sizeof(good));
    b.insecure = false;
    expect(verdict("good", "other", &b, "a.example"), "certificate: self-signed");
    expect(verdict("good", "good", &b, "b.example"), "hostname mismatch");
}

/* With suites that an operator may allow there is no certificate, and nothing is verified. */
static void a_server_without_a_certificate_is_refused(void **state)
{
    (void)state;
    for (int insecure = 0; insecure < 2; insecure++) {
        struct pair p;
        enum tls_rc server, client;
        char options[160];
        snprintf(options, sizeof(options),
                 "tls-max-proto-version=TLSv1.2\nciphers=AECDH:@SECLEVEL=0\n"
                 "client-ciphers=AECDH:@SECLEVEL=0%s",
                 insecure == 1 ? "\ninsecure" : "");
        pair_open(&p, "good", "good", options);
        assert_true(pair_set_peer(&p, "a.example", "h2"));
        pair_shake(&p, SIZE_MAX, &server, &client);
        assert_int_equal(client, insecure == 1 ? TLS_OK : TLS_FAILED);
        if (insecure == 0) {
            assert_string_equal(p.client.tls->error, "certificate: there is none");
        }
        pair_close(&p);
    }
}

/* ---------------------------------------------------------------- ALPN */

static int choose_h3(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                     const unsigned char *in, unsigned inlen, void *arg)
{
    (void)ssl, (void)in, (void)inlen, (void)arg;
    *out = (const unsigned char *)"h3";
    *outlen = 2;
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301, 3.1: a server chooses among what was offered. Later versions of OpenSSL 3.0 refuse one
 * that does not, earlier ones leave it to us. */
static void a_protocol_that_was_not_offered_is_not_taken_for_another(void **state)
{
    (void)state;
    struct pair p;
    enum tls_rc server, client;
    pair_open(&p, "good", "good", "");
    SSL_CTX_set_alpn_select_cb(p.rig.server_ctx, choose_h3, NULL);
    assert_true(pair_set_peer(&p, "a.example", "h2,http/1.1"));
    pair_shake(&p, SIZE_MAX, &server, &client);
    struct conn c = {.tls = p.client.tls};
    assert_true(client == TLS_FAILED ||
                (!pool_agrees(&c, CFG_PROTO_HTTP1) && !pool_agrees(&c, CFG_PROTO_HTTP2)));
    pair_close(&p);
}

/* ---------------------------------------------------------------- sessions */

/* One connection; the sessions that the server gives go to the store. Whether it was resumed. */
static bool connects_resumed(struct pair *p, struct tls_store *store)
{
    enum tls_rc server, client;
    uint8_t buf[16];
    size_t len;
    struct tls_peer peer = {
        .ctx = p->rig.client_ctx, .name = "a.example", .alpn = "h2", .store = store};
    pair_again(p);
    assert_true(tls_session_set_peer(p->client.tls, &peer));
    pair_shake(p, SIZE_MAX, &server, &client);
    assert_true(server == TLS_OK && client == TLS_OK);
    assert_int_equal(tls_read(p->client.tls, buf, sizeof(buf), &len), TLS_WANT_READ); /* tickets */
    bool reused = SSL_session_reused(p->client.tls->ssl) == 1;
    assert_int_equal(reused, SSL_session_reused(p->server.tls->ssl));
    return reused;
}

static void the_second_connection_is_resumed(void **state)
{
    (void)state;
    static const char *const options[] = {"tls-max-proto-version=TLSv1.2", ""};
    for (size_t i = 0; i < COUNT(options); i++) {
        struct pair p;
        struct tls_store *store = tls_store_new(), *other = tls_store_new();
        pair_open(&p, "good", "good", options[i]);
        assert_false(connects_resumed(&p, store));
        for (int j = 0; j < 10; j++) {
            assert_true(connects_resumed(&p, store));
        }
        assert_false(connects_resumed(&p, other)); /* nobody else's */
        tls_store_clear(store);
        assert_false(connects_resumed(&p, store));
        tls_store_unref(other);
        pair_close(&p);
        tls_store_unref(store);
    }
}

static void no_ticket_of_tls_1_3_is_used_twice(void **state)
{
    (void)state;
    struct pair p;
    struct tls_store *store = tls_store_new();
    pair_open(&p, "good", "good", "");
    assert_false(connects_resumed(&p, store)); /* two tickets */
    SSL_CTX_set_num_tickets(p.rig.server_ctx, 0);
    assert_true(connects_resumed(&p, store));
    assert_true(connects_resumed(&p, store));
    assert_false(connects_resumed(&p, store));
    pair_close(&p);
    tls_store_unref(store);
}

static void a_failure_forgets_the_sessions(void **state)
{
    (void)state;
    struct pair p;
    struct tls_store *store = tls_store_new();
    enum tls_rc server, client;
    pair_open(&p, "good", "good", "");
    assert_false(connects_resumed(&p, store));
    pair_again(&p);
    struct tls_peer peer = {
        .ctx = p.rig.client_ctx, .name = "a.example", .alpn = "nothing-of-it", .store = store};
    assert_true(tls_session_set_peer(p.client.tls, &peer));
    pair_shake(&p, SIZE_MAX, &server, &client);
    assert_int_equal(client, TLS_FAILED);
    assert_null(tls_store_take(store));
    assert_false(connects_resumed(&p, store));
    pair_close(&p);
    tls_store_unref(store);
}

/* ---------------------------------------------------------------- contexts */

static void the_same_settings_share_a_context(void **state)
{
    (void)state;
    struct rig r;
    char ca[200], cert[200], key[200], ca2[200];
    uint8_t pins[1][CFG_PIN_SIZE] = {{1}}, other[1][CFG_PIN_SIZE] = {{2}};
    snprintf(ca, sizeof(ca), "%s", cert_path("good", "cert"));
    snprintf(ca2, sizeof(ca2), "%s", cert_path("good", "cert"));
    snprintf(cert, sizeof(cert), "%s", cert_path("other", "cert"));
    snprintf(key, sizeof(key), "%s", cert_path("other", "key"));
    char host[] = "h";
    const struct {
        struct cfg_backend b;
        size_t same_as;
    } cases[] = {
        {{.tls = true}, 0},
        {{.tls = true, .addr = {.host = host}, .proto = CFG_PROTO_HTTP2, .sni = host}, 0},
        {{.tls = true, .ca = ca}, 2},
        {{.tls = true, .ca = ca2}, 2},
        {{.tls = true, .cert = cert, .key = key}, 4},
        {{.tls = true, .ca = ca, .cert = cert, .key = key}, 5},
        {{.tls = true, .insecure = true}, 6},
        {{.tls = true, .insecure = true, .ca = ca}, 6}, /* which has no effect then */
        {{.tls = true, .pins = pins, .npins = 1}, 8},
        {{.tls = true, .pins = other, .npins = 1}, 9},
        {{.tls = true, .pins = pins, .npins = 1, .insecure = true}, 10},
        {{.tls = true, .pins = other, .npins = 1}, 9},
    };
    SSL_CTX *ctx[COUNT(cases)];
    rig_open(&r, "");
    struct tls_backs *all = tls_backs_new(r.cfg);
    assert_non_null(all);
    for (size_t i = 0; i < COUNT(cases); i++) {
        ctx[i] = tls_backs_ctx(all, &cases[i].b, "x");
        assert_non_null(ctx[i]);
        assert_int_equal(tls_back_verifies(ctx[i]), !cases[i].b.insecure);
        for (size_t j = 0; j <= i; j++) {
            assert_int_equal(ctx[i] == ctx[j], cases[i].same_as == cases[j].same_as);
        }
    }
    tls_backs_free(all);
    for (size_t i = 0; i < COUNT(cases); i++) {
        SSL_CTX_free(ctx[i]);
    }
    rig_close(&r);
    tls_backs_free(NULL);
}

static void remember(enum cfg_log_level level, const char *text, void *arg)
{
    (void)level;
    strncat(arg, text, 900 - strlen(arg));
}

/* What cannot be loaded, and what is said; --cacert and the options' pair even when nobody has
 * TLS. */
static void files_that_cannot_be_loaded_are_named(void **state)
{
    (void)state;
    char good[200], key[200], other_key[200], missing[] = "/nonexistent";
    snprintf(good, sizeof(good), "%s", cert_path("good", "cert"));
    snprintf(key, sizeof(key), "%s", cert_path("good", "key"));
    snprintf(other_key, sizeof(other_key), "%s", cert_path("other", "key"));
    char options[3][600];
    snprintf(options[0], sizeof(options[0]), "cacert=%s", key);
    snprintf(options[1], sizeof(options[1]), "client-cert-file=%s\nclient-private-key-file=%s",
             good, missing);
    snprintf(options[2], sizeof(options[2]), "insecure\ncacert=%s", key);
    const struct {
        const char *options;
        struct cfg_backend b;
        const char *said;
    } cases[] = {
        {"", {.ca = missing}, "backend h,1: ca: /nonexistent: no certificates could be read: "},
        {"", {.ca = key}, "ca: "},
        {"", {.cert = missing, .key = key}, "backend h,1: cert: /nonexistent: no certificate "},
        {"", {.cert = good, .key = missing}, "backend h,1: key: /nonexistent: no private key "},
        {"", {.cert = good, .key = other_key}, "is not the key of the certificate in "},
        {"", {.addr = {.path = missing}}, "backend h,1: a UNIX socket has no name to verify"},
        {options[0], {.insecure = true}, "cacert: "},
        {options[2], {.insecure = true}, "cacert: "},
        {options[1], {.insecure = true}, "client-private-key-file: /nonexistent: no private key "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        char said[1000] = "";
        rig_open(&r, ""); /* the routes load the files too: the options go round them */
        struct config *cfg = testing_config(cases[i].options);
        struct cfg_backend b = cases[i].b;
        b.tls = true;
        log_divert(remember, said);
        struct tls_backs *all = tls_backs_new(cfg);
        SSL_CTX *ctx = all != NULL ? tls_backs_ctx(all, &b, "h,1") : NULL;
        log_divert(NULL, NULL);
        assert_null(ctx);
        expect(said, cases[i].said);
        tls_backs_free(all);
        cfg_unref(cfg);
        rig_close(&r);
    }
}

static int take_any(int good, X509_STORE_CTX *chain)
{
    (void)good;
    (void)chain;
    return 1;
}

/* A certificate of ours is shown to whoever asks: the backend's own before the options'. */
static void the_backends_own_certificate_is_shown_first(void **state)
{
    (void)state;
    struct pair p;
    char own_cert[200], own_key[200], options[500];
    snprintf(own_cert, sizeof(own_cert), "%s", cert_path("expired", "cert"));
    snprintf(own_key, sizeof(own_key), "%s", cert_path("expired", "key"));
    snprintf(options, sizeof(options), "client-cert-file=%s\nclient-private-key-file=%s",
             cert_path("other", "cert"), cert_path("other", "key"));
    const struct {
        const char *options;
        struct cfg_backend b;
        const char *shown; /* NULL: none */
    } cases[] = {
        {"", {.tls = true}, NULL},
        {options, {.tls = true}, "other"},
        {"", {.tls = true, .cert = own_cert, .key = own_key}, "expired"},
        {options, {.tls = true, .cert = own_cert, .key = own_key}, "expired"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum tls_rc server, client;
        pair_open(&p, "good", "good", cases[i].options);
        pair_set_client(&p, testing_client_ctx(p.rig.cfg, &cases[i].b));
        SSL_set_verify(p.server.tls->ssl, SSL_VERIFY_PEER, take_any);
        assert_true(pair_set_peer(&p, "a.example", "h2"));
        pair_shake(&p, SIZE_MAX, &server, &client);
        assert_true(server == TLS_OK && client == TLS_OK);
        X509 *shown = SSL_get0_peer_certificate(p.server.tls->ssl);
        assert_int_equal(shown != NULL, cases[i].shown != NULL);
        if (shown != NULL) {
            X509 *expected = read_cert(cases[i].shown);
            assert_int_equal(X509_cmp(shown, expected), 0);
            X509_free(expected);
        }
        pair_close(&p);
    }
}

static int set_up(void **state)
{
    (void)state;
    static const struct cert_wish wishes[] = {
        {"good", "common.example", "DNS:a.example,IP:127.0.0.1,IP:::1", 10},
        {"other", "other.example", "DNS:a.example", 10},
        {"nameless", "a.example", NULL, 10},
        {"many", "many.example",
         "DNS:n1.example,DNS:n2.example,DNS:n3.example,DNS:n4.example,DNS:n5.example,"
         "DNS:n6.example,DNS:n7.example,URI:http://x.example/",
         10},
        {"expired", "common.example", "DNS:a.example", -1},
        {"nasty", "new\nline",
         "DNS:a b\x01\x7f"
         "c.example",
         10},
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
        cmocka_unit_test(it_is_said_which_check_failed_and_what_was_seen),
        cmocka_unit_test(names_of_a_certificate_make_no_lines_in_the_log),
        cmocka_unit_test(a_backends_ca_counts_instead_of_cacert),
        cmocka_unit_test(one_of_the_pins_must_be_the_keys),
        cmocka_unit_test(a_server_without_a_certificate_is_refused),
        cmocka_unit_test(a_protocol_that_was_not_offered_is_not_taken_for_another),
        cmocka_unit_test(the_second_connection_is_resumed),
        cmocka_unit_test(no_ticket_of_tls_1_3_is_used_twice),
        cmocka_unit_test(a_failure_forgets_the_sessions),
        cmocka_unit_test(the_same_settings_share_a_context),
        cmocka_unit_test(files_that_cannot_be_loaded_are_named),
        cmocka_unit_test(the_backends_own_certificate_is_shown_first),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
