/* Values of options about TLS: key pairs, memcached, pre-shared keys. */
#include "cfg_test.h"

static void key_pairs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *cert, *dir, *why;
    } cases[] = {
        {"k:c", "k", "c", "-", NULL},
        {"/k.pem:/c:d.pem;sct-dir=/s", "/k.pem", "/c:d.pem", "/s", NULL},
        {"k:c;;SCT-DIR=a;sct-dir=b;", "k", "c", "b", NULL},
        {"", NULL, NULL, NULL, "names no key and certificate; expected KEY:CERT"},
        {"k", NULL, NULL, NULL, "names no key"},
        {"k:", NULL, NULL, NULL, "names no key"},
        {":c", NULL, NULL, NULL, "names no key"},
        {"k:;sct-dir=x", NULL, NULL, NULL, "names no key"},
        {"k:c;sct-dir=", NULL, NULL, NULL, "no value; expected sct-dir=VALUE"},
        {"k:c;sct-dri=x", NULL, NULL, NULL, "did you mean \"sct-dir\"?"},
        {"k:c\x01", NULL, NULL, NULL, "a control character"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        struct cfg_subcert c;
        bool good = cases[i].why == NULL;
        said_begin(&s, cases[i].text);
        assert_int_equal(cfg_parse_subcert(&s.report, s.report.at.text, &c), good);
        if (good) {
            assert_string_equal(c.key, cases[i].key);
            assert_string_equal(c.cert, cases[i].cert);
            assert_string_equal(c.sct_dir != NULL ? c.sct_dir : "-", cases[i].dir);
            cfg_subcert_clear(&c);
        }
        said_end(&s, !good, cases[i].why);
    }
}

static void memcached_has_an_address(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        bool tls;
        const char *why;
    } cases[] = {
        {"h,11211", "h", false, NULL},
        {"::1,1;tls", "::1", true, NULL},
        {"h,1;tls;NO-TLS", "h", false, NULL},
        {"", "-", false, NULL}, /* takes it back */
        {"h", NULL, false, "has no port"},
        {"*,1", NULL, false, "* is no address to connect to"},
        {"unix:/x", NULL, false, "a UNIX socket; expected HOST,PORT of memcached"},
        {"h,1;tsl", NULL, false, "did you mean \"tls\"?"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        struct cfg_memcached m;
        bool good = cases[i].why == NULL;
        said_begin(&s, cases[i].text);
        assert_int_equal(cfg_parse_memcached(&s.report, s.report.at.text, &m), good);
        if (good) {
            assert_string_equal(m.addr.host != NULL ? m.addr.host : "-", cases[i].host);
            assert_int_equal(m.tls, cases[i].tls);
            cfg_memcached_clear(&m);
        }
        said_end(&s, !good, cases[i].why);
    }
}

static void pre_shared_keys_are_read_at_once(void **state)
{
    (void)state;
    char path[128];
    static const char good[] = "# a comment\n\nalice:00fF7a\nbob b:01";
    test_file(path, "psk", good, sizeof(good) - 1);
    struct said s;
    struct cfg_psk_file f;
    said_begin(&s, path);
    assert_true(cfg_parse_psk_file(&s.report, s.report.at.text, &f));
    assert_int_equal(f.n, 2);
    assert_string_equal(f.list[0].identity, "alice");
    assert_int_equal(f.list[0].secret_len, 3);
    assert_memory_equal(f.list[0].secret, "\x00\xff\x7a", 3);
    assert_string_equal(f.list[1].identity, "bob b");
    cfg_psk_file_clear(&f);
    said_end(&s, 0, NULL);
}

/* Whoever reads the log is not to read secrets. */
static void faults_of_pre_shared_keys_show_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "has no key; expected lines of identity:hexdigits"},
        {"# alone\n", "has no key"},
        {"alice:00\nSECRET", "psk:2:1: no ':'; expected identity:hexdigits"},
        {":5EC2E7", "an identity of 0 octets"},
        {"alice:", "a secret of 0 hex digits"},
        {"alice:5EC2E", "a secret of 5 hex digits; expected an even number up to 512"},
        {"alice:SECRET", "psk:1:1: a secret that is not hex"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char path[128];
        test_file(path, "psk", cases[i].text, strlen(cases[i].text));
        struct said s;
        struct cfg_psk_file f;
        said_begin(&s, path);
        assert_false(cfg_parse_psk_file(&s.report, s.report.at.text, &f));
        fflush(s.report.err);
        assert_null(strstr(s.text, "SECRET"));
        assert_null(strstr(s.text, "5EC2E"));
        said_end(&s, 1, cases[i].why);
    }
    char identity[140];
    memset(identity, 'a', 129);
    strcpy(identity + 129, ":00");
    char path[128];
    test_file(path, "psk", identity, strlen(identity));
    struct said s;
    struct cfg_psk_file f;
    said_begin(&s, path);
    assert_false(cfg_parse_psk_file(&s.report, s.report.at.text, &f));
    said_end(&s, 1, "an identity of 129 octets; expected 1 to 128");
    said_begin(&s, "/nonexistent");
    assert_false(cfg_parse_psk_file(&s.report, s.report.at.text, &f));
    said_end(&s, 1, "cannot read \"/nonexistent\": No such file");
    test_folder_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_pairs),
        cmocka_unit_test(memcached_has_an_address),
        cmocka_unit_test(pre_shared_keys_are_read_at_once),
        cmocka_unit_test(faults_of_pre_shared_keys_show_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
