/* Values of a backend's parameters that have a grammar of their own. */
#include "cfg_test.h"

static void ways_to_balance(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cfg_balance balance;
        enum cfg_hash hash;
        const char *name;
    } good[] = {
        {"round-robin", CFG_BALANCE_ROUND_ROBIN, CFG_HASH_URI, "-"},
        {"Least-Conn", CFG_BALANCE_LEAST_CONN, CFG_HASH_URI, "-"},
        {"p2c", CFG_BALANCE_P2C, CFG_HASH_URI, "-"},
        {"hash:uri", CFG_BALANCE_HASH, CFG_HASH_URI, "-"},
        {"hash:header:X-User", CFG_BALANCE_HASH, CFG_HASH_HEADER, "x-user"},
        {"HASH:HEADER:name", CFG_BALANCE_HASH, CFG_HASH_HEADER, "name"},
        {"hash:cookie:Id", CFG_BALANCE_HASH, CFG_HASH_COOKIE, "Id"},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct said s;
        struct cfg_balancing b = {0};
        said_begin(&s, good[i].text);
        assert_true(cfg_parse_balance(&s.report, s.report.at.text, &b));
        assert_int_equal(b.balance, good[i].balance);
        assert_int_equal(b.hash, good[i].hash);
        assert_string_equal(b.name != NULL ? b.name : "-", good[i].name);
        free(b.name);
        said_end(&s, 0, NULL);
    }
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "is none of the names; expected one of round-robin, least-conn, p2c, hash:uri, "
             "hash:header:NAME, hash:cookie:NAME"},
        {"roundrobin", "did you mean \"round-robin\"?"},
        {"leastconn", "did you mean \"least-conn\"?"},
        {"p3c", "did you mean \"p2c\"?"},
        {"hash", "is none of the names"},
        {"hash:url", "did you mean \"hash:uri\"?"},
        {"hash:uri:x", "did you mean \"hash:uri\"?"},
        {"hash:header", "is none of the names"},
        {"hash:header:", "t:1:13: \"\" is no name of a field; expected letters"},
        {"hash:header::path", "\":path\" is no name of a field"},
        {"hash:cookie:a b", "t:1:13: \"a b\" is no name of a cookie"},
        {"hash:cookie:a=b", "is no name of a cookie"},
        {"p2c ", "is none of the names"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct said s;
        struct cfg_balancing b;
        said_begin(&s, bad[i].text);
        assert_false(cfg_parse_balance(&s.report, s.report.at.text, &b));
        said_end(&s, 1, bad[i].why);
    }
}

static void targets_are_what_a_request_line_takes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why; /* NULL: it is good */
    } cases[] = {
        {"/", NULL},
        {"/a?b=c%20&d", NULL},
        {"//x/../y", NULL},
        {"", "\"\" is no path; expected it to begin with /"},
        {"a", "t:1:1: \"a\" is no path"},
        {"*", "is no path"},
        {"http://h/", "is no path"},
        {"/a b", "t:1:3: a byte that no path of a request has; expected it percent-encoded, such "
                 "as %20"},
        {"/a#b", "such as %23"},
        {"/\r\nHost: x", "such as %0D"},
        {"/\x7f", "such as %7F"},
        {"/\xc3\xbc", "such as %C3"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        said_begin(&s, cases[i].text);
        bool good = cfg_check_target(&s.report, s.report.at.text);
        assert_int_equal(good, cases[i].why == NULL);
        said_end(&s, !good, cases[i].why);
    }
}

static void lists_of_statuses(void **state)
{
    (void)state;
    struct said s;
    struct cfg_status_range *list = NULL;
    size_t n = 0;
    said_begin(&s, "200-299,304,599-599,200-399");
    assert_true(cfg_parse_statuses(&s.report, s.report.at.text, &list, &n));
    said_end(&s, 0, NULL);
    static const int expected[][2] = {{200, 299}, {304, 304}, {599, 599}, {200, 399}};
    assert_int_equal(n, COUNT(expected));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(list[i].lo, expected[i][0]);
        assert_int_equal(list[i].hi, expected[i][1]);
    }
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "\"\" is no number"},
        {"200,", "is no number"},
        {"2xx", "\"2xx\" is no number"},
        {"200-", "\"\" is no number"},
        {"-200", "\"\" is no number"},
        {"100", "\"100\" is too small; expected 200 to 599"},
        {"200-600", "t:1:5: \"600\" is too large; expected 200 to 599"},
        {"200,299-250",
         "t:1:5: \"299-250\" ends before it begins; expected the lower status first"},
        {"200-250-299", "\"250-299\" is no number"},
        {"200 ", "is no number"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        said_begin(&s, bad[i].text);
        assert_false(cfg_parse_statuses(&s.report, s.report.at.text, &list, &n));
        said_end(&s, 1, bad[i].why);
        assert_true(n == COUNT(expected) && list[1].lo == 304); /* the good one stays */
    }
    said_begin(&s, "200");
    assert_true(cfg_parse_statuses(&s.report, s.report.at.text, &list, &n));
    said_end(&s, 0, NULL);
    assert_int_equal(n, 1);
    free(list);
}

static void what_makes_an_outlier(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t n;
        const char *why;
    } cases[] = {
        {"5xx:5", 5, NULL},
        {"5XX:4294967295", UINT32_MAX, NULL},
        {"5xx:0", 0, NULL},
        {"5xx", 9, "\"5xx\" is nothing to be counted; expected 5xx:N"},
        {"5", 9, "is nothing to be counted"},
        {"4xx:3", 9, "is nothing to be counted"},
        {"5xx:", 9, "t:1:5: \"\" is no number"},
        {"5xx:-1", 9, "is no number"},
        {"5xx:4294967296", 9, "is too large"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        uint32_t n = 9;
        said_begin(&s, cases[i].text);
        bool good = cfg_parse_outlier(&s.report, s.report.at.text, &n);
        assert_int_equal(good, cases[i].why == NULL);
        assert_int_equal(n, cases[i].n);
        said_end(&s, !good, cases[i].why);
    }
}

static void pins_are_32_octets(void **state)
{
    (void)state;
    struct said s;
    uint8_t pin[CFG_PIN_SIZE];
    /* 0 to 31, by another encoder */
    said_begin(&s, "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    assert_true(cfg_parse_pin(&s.report, s.report.at.text, pin));
    for (uint8_t i = 0; i < CFG_PIN_SIZE; i++) {
        assert_int_equal(pin[i], i);
    }
    said_end(&s, 0, NULL);
    said_begin(&s, "sha256:+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/8=");
    assert_true(cfg_parse_pin(&s.report, s.report.at.text, pin));
    static const uint8_t three[] = {0xfb, 0xff, 0xbf};
    for (size_t i = 0; i < 30; i++) {
        assert_int_equal(pin[i], three[i % 3]);
    }
    assert_int_equal(pin[30], 0xfb);
    assert_int_equal(pin[31], 0xff);
    said_end(&s, 0, NULL);
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "\"\" is no pin; expected sha256:BASE64"},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "is no pin"},
        {"sha1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "is no pin"},
        {"sha256:", "t:1:8: \"\" is no SHA-256 in base64; expected 44 characters, the last one ="},
        {"sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "is no SHA-256"},
        {"sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==", "is no SHA-256"},
        {"sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh88", "is no SHA-256"},
        {"sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", "is no SHA-256"}, /* bits left */
        {"sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh-=", "is no SHA-256"},
        {"sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh =", "is no SHA-256"},
        {"sha256:AAEC=wQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "is no SHA-256"},
        {"sha256:00:01", "is no SHA-256"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        said_begin(&s, bad[i].text);
        assert_false(cfg_parse_pin(&s.report, s.report.at.text, pin));
        said_end(&s, 1, bad[i].why);
    }
}

/* What is printed is parsed to the same, whatever the octets are. */
static void pins_are_printed_as_they_are_written(void **state)
{
    (void)state;
    unsigned random = 1;
    for (int run = 0; run < 1000; run++) {
        uint8_t pin[CFG_PIN_SIZE], again[CFG_PIN_SIZE];
        for (size_t i = 0; i < CFG_PIN_SIZE; i++) {
            random = random * 1103515245 + 12345;
            pin[i] = (uint8_t)(random >> 16);
        }
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        cfg_print_pin(pin, out);
        fclose(out);
        struct said s;
        said_begin(&s, text);
        assert_true(cfg_parse_pin(&s.report, s.report.at.text, again));
        assert_memory_equal(pin, again, sizeof(pin));
        said_end(&s, 0, NULL);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_to_balance),
        cmocka_unit_test(targets_are_what_a_request_line_takes),
        cmocka_unit_test(lists_of_statuses),
        cmocka_unit_test(what_makes_an_outlier),
        cmocka_unit_test(pins_are_32_octets),
        cmocka_unit_test(pins_are_printed_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
