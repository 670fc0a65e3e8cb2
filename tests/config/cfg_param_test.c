/*
 * Parameters: each one that the tables have is described, has the default that is said, and what is
 * no value of it is a fault that says which parameter, which value, and what was expected.
 */
#include "cfg_test.h"

static const struct {
    const char *option;
    const struct cfg_param *params;
    const char *stem; /* a value that a parameter may stand behind */
} tables[] = {{"frontend", cfg_frontend_params, "*,80;"},
              {"backend", cfg_backend_params, "h,80;;"},
              {"backend", cfg_answer_params, ""}};

/* A parameter is described under its name, with its default, unless it is hidden. */
static void every_parameter_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(tables); i++) {
        const struct cfg_entry *entries = cfg_option_find(cfg_text(tables[i].option))->entries;
        assert_non_null(entries);
        for (const struct cfg_param *p = tables[i].params; p->name != NULL; p++) {
            const struct cfg_entry *e = entries;
            size_t len = strlen(p->name);
            while (e->spelling != NULL && !(strncmp(e->spelling, p->name, len) == 0 &&
                                            (e->spelling[len] == '\0' || e->spelling[len] == '=' ||
                                             e->spelling[len] == '['))) {
                e++;
            }
            if ((e->spelling == NULL) != p->hidden) {
                fail_msg("%s: %s", tables[i].option, p->name);
            }
            if (e->spelling != NULL) {
                assert_int_equal(strchr(e->spelling, '=') != NULL, p->takes != CFG_TAKES_NOTHING);
                assert_true(p->fallback == NULL || strstr(e->facts, p->fallback) != NULL);
            }
        }
    }
}

/* Whether it loads, and what it is then, as it would be written. */
static bool parse_parameter(size_t table, const char *name, const char *value, char **written,
                            struct said *s)
{
    static char text[700];
    const char *kind = tables[table].option;
    bool checked = strncmp(name, "health-", 7) == 0 && strcmp(name, "health-path") != 0;
    const char *needed = checked ? ";health-path=/" : "";
    snprintf(text, sizeof(text), "%s%s%s%s%s", tables[table].stem, name, value != NULL ? "=" : "",
             value != NULL ? value : "", needed);
    const struct cfg_option *o = cfg_option_find(cfg_text(kind));
    const struct cfg_compound *c = cfg_compound_of(o->type);
    _Alignas(max_align_t) char made[CFG_COMPOUND_MOST];
    said_begin(s, text);
    bool good = c->parse(&s->report, s->report.at.text, made);
    if (good) {
        size_t len;
        FILE *out = open_memstream(written, &len);
        cfg_print_value(o, made, out);
        fclose(out);
        c->clear(made);
    }
    fflush(s->report.err);
    return good;
}

/* The fault is of this value, or of a part of it, and says what was expected. */
static void try_bad_parameter(size_t table, const struct cfg_param *p, const char *value)
{
    struct said s;
    char *end, message[120];
    if (parse_parameter(table, p->name, value, NULL, &s)) {
        fail_msg("%s=%s is taken", p->name, value);
    }
    size_t from = strlen(tables[table].stem) + strlen(p->name) + 2;
    size_t column = strtoul(s.text + strlen("nghttpx: t:1:"), &end, 10);
    bool all = p->kind != CFG_PARAM_CUSTOM;
    snprintf(message, sizeof(message), all ? ": %s: %s is " : ": %s: ", p->name,
             cfg_quote(cfg_text(value)).s);
    if (strncmp(end, message, strlen(message)) != 0 || strstr(end, "expected ") == NULL ||
        column < from || column > from + (all ? 0 : strlen(value))) {
        fail_msg("%s=%s, said: %s", p->name, value, s.text);
    }
    said_end(&s, 1, "expected ");
}

static void try_good_parameter(size_t table, const struct cfg_param *p, const char *value)
{
    struct said s;
    char *written = NULL;
    if (!parse_parameter(table, p->name, value, &written, &s)) {
        fail_msg("%s=%s: %s", p->name, value, s.text);
    }
    free(written);
    said_end(&s, 0, s.len > 0 ? "warning: " : NULL);
}

/* What is no value of a parameter that has a function of its own. */
static const char *const bad_values[][4] = {
    {"proxyproto-from", "x", "10.0.0.0/33"},
    {"proto", "h3", "H2"},
    {"sni", "a b"},
    {"pin", "sha1:x", "x"},
    {"dns", "x"},
    {"balance", "hash", "hash:x", "p2"},
    {"affinity-cookie-name", "a b", "a="},
    {"affinity-cookie-max-age", "1500ms", "x"},
    {"health-path", "x"},
    {"health-host", "a/b", "a:x"},
    {"health-status", "x", "99", "300-200"},
    {"outlier", "5", "4xx:1"},
    {"respond", "x", "199", "600"},
    {"redirect", "x", "200"},
    {"affinity-cookie-path", "a\x01", " "},
};

static void try_custom(size_t table, const struct cfg_param *p)
{
    size_t i = 0;
    while (i < COUNT(bad_values) && strcmp(bad_values[i][0], p->name) != 0) {
        i++;
    }
    if (i == COUNT(bad_values)) {
        fail_msg("%s: no bad value to be tried", p->name);
    }
    for (size_t j = 1; j < 4 && bad_values[i][j] != NULL; j++) {
        try_bad_parameter(table, p, bad_values[i][j]);
    }
}

static void try_number_parameter(size_t table, const struct cfg_param *p)
{
    char value[32];
    for (int out = 0; out <= 1; out++) {
        uint64_t ends[] = {p->min - (uint64_t)out, p->max + (uint64_t)out};
        for (size_t i = 0; i < 2; i++) {
            snprintf(value, sizeof(value), "%llu", (unsigned long long)ends[i]);
            if (!out) {
                try_good_parameter(table, p, value);
            } else if (i > 0 || p->min > 0) {
                try_bad_parameter(table, p, value);
            }
        }
    }
    try_bad_parameter(table, p, "x");
    try_bad_parameter(table, p, "1K");
}

static void a_bad_value_is_said_with_its_parameter(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(tables); i++) {
        for (const struct cfg_param *p = tables[i].params; p->name != NULL; p++) {
            struct said s;
            char text[32];
            if (p->hidden) {
                continue;
            }
            if (p->takes == CFG_TAKES_NOTHING) {
                char expected[100];
                snprintf(expected, sizeof(expected), "\"%s\" takes no value; expected it alone",
                         p->name);
                assert_false(parse_parameter(i, p->name, "yes", NULL, &s));
                said_end(&s, 1, expected);
                continue;
            }
            assert_false(parse_parameter(i, p->name, "", NULL, &s));
            said_end(&s, 1, "no value; expected ");
            switch (p->kind) {
            case CFG_PARAM_NUMBER:
                try_number_parameter(i, p);
                break;
            case CFG_PARAM_DURATION:
                try_bad_parameter(i, p, "x");
                try_bad_parameter(i, p, "1d");
                if (p->min > 0) {
                    snprintf(text, sizeof(text), "%llums", (unsigned long long)p->min - 1);
                    try_bad_parameter(i, p, text);
                }
                snprintf(text, sizeof(text), "%llums", (unsigned long long)p->min);
                try_good_parameter(i, p, text);
                break;
            case CFG_PARAM_ENUM:
                try_bad_parameter(i, p, "none-of-them");
                break;
            case CFG_PARAM_TEXT:
                assert_false(parse_parameter(i, p->name, "a\x01", NULL, &s));
                said_end(&s, 1, ": a control character (0x01); expected none in a value");
                break;
            default:
                try_custom(i, p);
            }
        }
    }
}

/* What belongs to a pattern must agree with the others of it, also where it is the default. */
static bool is_of_a_pattern(const char *name)
{
    return strcmp(name, "balance") == 0 || strcmp(name, "group-weight") == 0 ||
           strcmp(name, "max-queue") == 0 || strcmp(name, "queue-timeout") == 0;
}

/* A default that is written out changes nothing. */
static void the_defaults_of_parameters(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct cfg_param *p = cfg_backend_params; p->name != NULL; p++) {
        struct said s;
        char *written = NULL, *without = NULL;
        bool checked = strncmp(p->name, "health-", 7) == 0;
        if (p->fallback == NULL) {
            continue;
        }
        assert_true(parse_parameter(1, p->name, p->fallback, &written, &s));
        fclose(s.report.err);
        free(s.text);
        assert_true(parse_parameter(1, checked ? "health-path" : "proto",
                                    checked ? "/" : "http/1.1", &without, &s));
        fclose(s.report.err);
        free(s.text);
        if (!is_of_a_pattern(p->name) && strcmp(written, without) != 0) {
            fail_msg("%s=%s: %s\nwithout: %s", p->name, p->fallback, written, without);
        }
        free(written);
        free(without);
        n++;
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_parameter_is_described),
        cmocka_unit_test(a_bad_value_is_said_with_its_parameter),
        cmocka_unit_test(the_defaults_of_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
