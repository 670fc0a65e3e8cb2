/* The grammars of single values: each table is a rule of nghttpx's manual. */
#include "cfg_test.h"

static void numbers_are_decimal_digits_in_their_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t min, max;
        int64_t value; /* -1: an error that says `why` */
        const char *why;
    } cases[] = {
        {"0", 0, INT64_MAX, 0, NULL},
        {"9223372036854775807", 0, INT64_MAX, INT64_MAX, NULL},
        {"007", 1, 65530, 7, NULL},
        {"9223372036854775808", 0, INT64_MAX, -1, "is too large"},
        {"99999999999999999999999999", 0, INT64_MAX, -1, "is too large"},
        {"65531", 1, 65530, -1, "t:1:1: \"65531\" is too large; expected 1 to 65530"},
        {"0", 1, 65530, -1, "is too small; expected 1 to 65530"},
        {"0", 1, INT64_MAX, -1, "is too small; expected at least 1\n"},
        {"", 0, 9, -1, "is no number; expected decimal digits"},
        {"-1", 0, 9, -1, "is no number"},
        {"+1", 0, 9, -1, "is no number"},
        {" 1", 0, 9, -1, "is no number"},
        {"1 ", 0, 9, -1, "is no number"},
        {"1K", 0, 9, -1, "is no number"},
        {"0x1", 0, 9, -1, "is no number"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        uint64_t n = 99;
        said_begin(&s, cases[i].text);
        bool good = cfg_parse_number(&s.report, s.report.at.text, cases[i].min, cases[i].max, &n);
        assert_int_equal(good, cases[i].value >= 0);
        assert_int_equal(n, good ? (uint64_t)cases[i].value : 99);
        said_end(&s, !good, cases[i].why);
    }
}

static void sizes_have_one_unit_at_most(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
        const char *why;
    } cases[] = {
        {"0", 0, NULL},
        {"1k", 1024, NULL},
        {"16K", 16384, NULL},
        {"1M", 1048576, NULL},
        {"1m", 1048576, NULL},
        {"1G", 1073741824, NULL},
        {"8589934591g", INT64_C(8589934591) << 30, NULL},
        {"9007199254740991K", INT64_C(9007199254740991) << 10, NULL},
        {"9223372036854775807", INT64_MAX, NULL},
        {"9223372036854775808", -1, "is too large"},
        {"8589934592G", -1, "is too large"},
        {"9007199254740992K", -1, "is too large"},
        {"1KB", -1, "is no size; expected digits and at most one of K, M, G"},
        {"1T", -1, "is no size"},
        {"K", -1, "is no size"},
        {"", -1, "is no size"},
        {"1.5K", -1, "is no size"},
        {"-1K", -1, "is no size"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        uint64_t n = 99;
        said_begin(&s, cases[i].text);
        bool good = cfg_parse_size(&s.report, s.report.at.text, 0, INT64_MAX, &n);
        assert_int_equal(good, cases[i].value >= 0);
        assert_int_equal(n, good ? (uint64_t)cases[i].value : 99);
        said_end(&s, !good, cases[i].why);
    }
}

static void durations_without_a_unit_are_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"3", 3000},
        {"3s", 3000},
        {"3S", 3000},
        {"250ms", 250},
        {"250MS", 250},
        {"2m", 120000},
        {"2M", 120000},
        {"1h", 3600000},
        {"1H", 3600000},
        {"9223372036854775807ms", INT64_MAX},
        {"9223372036854775s", INT64_C(9223372036854775000)},
        {"9223372036854776s", -1},
        {"9223372036854775808ms", -1},
        {"9223372036854775807h", -1},
        {"1d", -1},
        {"1.5s", -1},
        {"", -1},
        {"s", -1},
        {"1 s", -1},
        {"1sec", -1},
        {"-1s", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        uint64_t n = 99;
        said_begin(&s, cases[i].text);
        bool good = cfg_parse_duration(&s.report, s.report.at.text, &n);
        assert_int_equal(good, cases[i].ms >= 0);
        assert_int_equal(n, good ? (uint64_t)cases[i].ms : 99);
        said_end(&s, !good, good ? NULL : "; expected ");
    }
}

static void ports_are_1_to_65535(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int port;
    } cases[] = {{"1", 1}, {"65535", 65535}, {"0", -1},  {"65536", -1},
                 {"", -1}, {"80x", -1},      {"-1", -1}, {"18446744073709551617", -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        uint16_t port = 0;
        said_begin(&s, cases[i].text);
        bool good = cfg_parse_port(&s.report, s.report.at.text, &port);
        assert_int_equal(good, cases[i].port >= 0);
        assert_int_equal(port, good ? cases[i].port : 0);
        said_end(&s, !good, good ? NULL : "is no port; expected a number from 1 to 65535");
    }
}

static void a_switch_is_on_with_yes_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool on;
        const char *warning;
    } cases[] = {{"yes", true, NULL},
                 {"YES", true, NULL},
                 {"no", false, NULL},
                 {"No", false, NULL},
                 {"true", false, "warning: \"true\" means no here"},
                 {"1", false, "warning"},
                 {"", false, "warning"},
                 {"yes ", false, "warning"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        said_begin(&s, cases[i].text);
        assert_int_equal(cfg_parse_bool(&s.report, s.report.at.text), cases[i].on);
        said_end(&s, 0, cases[i].warning);
    }
}

static void a_choice_is_one_of_its_names_in_any_case(void **state)
{
    (void)state;
    static const struct cfg_choice choices[] = {{"auto", 5}, {"IPv4", 7}, {NULL, 0}};
    static const struct {
        const char *text;
        unsigned value;
    } cases[] = {{"auto", 5}, {"ipV4", 7}, {"IPv", 0}, {"IPv44", 0}, {"", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        unsigned value = 0;
        said_begin(&s, cases[i].text);
        bool good = cfg_parse_choice(&s.report, s.report.at.text, choices, &value);
        assert_int_equal(value, cases[i].value);
        said_end(&s, !good, good ? NULL : "is none of the names; expected one of auto, IPv4");
    }
}

static void strings_have_no_control_characters_and_a_length(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t min, max;
        const char *why;
    } cases[] = {
        {"a \"b\"\t\xc3\xbc", 0, 10, NULL},
        {"", 0, 10, NULL},
        {"", 1, 10, "no value; expected some text"},
        {"abcdef", 0, 5, "6 octets are too long; expected at most 5"},
        {"ab\nc", 0, 10, "t:1:3: a control character (0x0a)"},
        {"ab\x7f", 0, 10, "t:1:3: a control character (0x7f)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        said_begin(&s, cases[i].text);
        bool good = cfg_check_string(&s.report, s.report.at.text, cases[i].min, cases[i].max);
        assert_int_equal(good, cases[i].why == NULL);
        said_end(&s, !good, cases[i].why);
    }
}

static void only_protocols_that_are_spoken_are_offered(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"h2,http/1.1", NULL},
        {"http/1.1", NULL},
        {"h2", NULL},
        {"", "is no protocol to offer; expected h2 or http/1.1"},
        {"h2,", "t:1:4: \"\" is no protocol"},
        {"h2, http/1.1", "t:1:4: \" http/1.1\" is no protocol"},
        {"H2", "is no protocol"},
        {"h2,spdy/3,http/1.1", "t:1:4: \"spdy/3\" is no protocol"},
        {"h2,h2", "t:1:4: h2 is listed twice"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        said_begin(&s, cases[i].text);
        bool good = cfg_check_alpn(&s.report, s.report.at.text);
        assert_int_equal(good, cases[i].why == NULL);
        said_end(&s, !good, cases[i].why);
    }
}

static void a_near_name_is_offered(void **state)
{
    (void)state;
    static const struct cfg_choice choices[] = {{"cubic", 1}, {"bbr", 2}, {NULL, 0}};
    static const struct {
        const char *text, *why;
    } cases[] = {{"cubik", "expected one of cubic, bbr; did you mean \"cubic\"?\n"},
                 {"brb", "; did you mean \"bbr\"?\n"},
                 {"reno", "expected one of cubic, bbr\n"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        unsigned value;
        said_begin(&s, cases[i].text);
        assert_false(cfg_parse_choice(&s.report, s.report.at.text, choices, &value));
        said_end(&s, 1, cases[i].why);
    }
}

static void sets_are_sums_of_names(void **state)
{
    (void)state;
    static const struct cfg_choice choices[] = {{"a", 1}, {"bb", 2}, {"c", 4}, {NULL, 0}};
    static const struct {
        const char *text;
        unsigned value, errors;
    } cases[] = {{"a", 1, 0},    {"C,a", 5, 0}, {"a,a", 1, 0},   {"bb,c,a", 7, 0},
                 {"a, c", 9, 1}, {"", 9, 1},    {"x,a,y", 9, 2}, {"a,", 9, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s;
        unsigned value = 9;
        said_begin(&s, cases[i].text);
        assert_int_equal(cfg_parse_set(&s.report, s.report.at.text, choices, &value),
                         cases[i].errors == 0);
        assert_int_equal(value, cases[i].value);
        said_end(&s, cases[i].errors, cases[i].errors > 0 ? "is none of the names" : NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal_digits_in_their_range),
        cmocka_unit_test(sizes_have_one_unit_at_most),
        cmocka_unit_test(durations_without_a_unit_are_seconds),
        cmocka_unit_test(ports_are_1_to_65535),
        cmocka_unit_test(a_switch_is_on_with_yes_only),
        cmocka_unit_test(a_choice_is_one_of_its_names_in_any_case),
        cmocka_unit_test(strings_have_no_control_characters_and_a_length),
        cmocka_unit_test(only_protocols_that_are_spoken_are_offered),
        cmocka_unit_test(a_near_name_is_offered),
        cmocka_unit_test(sets_are_sums_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
