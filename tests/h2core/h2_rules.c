/* The interpreter of h2_rules.h. */
#include "h2_rules.h"

#include <stdio.h>

#define MARK  "> PING 12345678\n"
#define ALIVE "> PING ack the end!\n"

static const char *const server_states[RULE_STATES] = {
    [IDLE] = "",
    [OPEN] = "POST 1\n",
    [PEER_ENDED] = "GET 1\n",
    [WE_ENDED] = "POST 1\n!respond 1 end :status=200\n",
    [ASKED] = "POST 1\n!respond 1 end :status=200\n",
    [ENDED] = "GET 1\n!respond 1 end :status=200\n",
    [WE_RESET] = "POST 1\n!reset 1 CANCEL\n",
    [PEER_RESET] = "POST 1\nRST_STREAM 1 - u32 8\n",
    [UNGREETED] = "",
};

static const char *const client_states[RULE_STATES] = {
    [IDLE] = "",
    [OPEN] = "!request\nOK 1\n",
    [PEER_ENDED] = "!request\nOKEND 1\n",
    [WE_ENDED] = "!request end\nOK 1\n",
    [ASKED] = "!request end\n",
    [ENDED] = "!request end\nOKEND 1\n",
    [WE_RESET] = "!request\n!reset 1 CANCEL\n",
    [PEER_RESET] = "!request\nRST_STREAM 1 - u32 8\n",
    [PROMISED] = "!request\nOK 1\nPROMISE 1 2 :method=GET|:scheme=https|:path=/p|:authority=a\n",
    [UNGREETED] = "",
};

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what)) {
        n++;
    }
    return n;
}

/* Whether the last frame of this kind has the code behind its stream id. */
static bool last_has_code(const char *record, const char *kind, const char *code)
{
    const char *frame = NULL;
    for (const char *p = strstr(record, kind); p != NULL; p = strstr(p + 1, kind)) {
        frame = p + strlen(kind);
    }
    if (frame == NULL) {
        return false;
    }
    frame = strchr(frame, ' ') + 1;
    size_t len = strlen(code);
    return strncmp(frame, code, len) == 0 && (frame[len] == ' ' || frame[len] == '\n');
}

/* What is wrong with the record; NULL: nothing. */
static const char *judge(const struct h2_rule *rule, const char *record)
{
    bool alive = strstr(record, ALIVE) != NULL;
    bool failed = strstr(record, "FAILED ") != NULL;
    unsigned resets = count(record, "> RST_STREAM ");
    if (rule->with != NULL && strstr(record, rule->with) == NULL) {
        return "something is missing";
    }
    if (rule->outcome == BREAKS) {
        return alive || !failed || !last_has_code(record, "> GOAWAY ", rule->code)
                   ? "the connection is not broken with this code"
                   : NULL;
    }
    if (!alive || failed) {
        return "the connection is broken";
    }
    if (rule->outcome == TAKEN) {
        return resets > 0 ? "a stream is reset" : NULL;
    }
    return resets != 1 || !last_has_code(record, "> RST_STREAM ", rule->code)
               ? "not one reset with this code"
               : NULL;
}

static bool check_one(const struct h2_rule *rule, enum h2_role role, enum script_split split,
                      unsigned seed)
{
    static char script[1 << 17];
    const char *state = (role == H2_SERVER ? server_states : client_states)[rule->state];
    bool raw = rule->state == UNGREETED;
    assert_non_null(state);
    int n = snprintf(script, sizeof(script), "%s%s%s\nPING 0 - text the end!\n", state,
                     raw ? "" : "!ping\n", rule->script);
    assert_true(n > 0 && (size_t)n < sizeof(script));
    struct script_case sc = {
        .name = rule->name, .role = role, .script = script, .tune = rule->tune, .raw = raw};
    char *whole = script_run(&sc, split, seed, NULL);
    const char *record = raw ? whole : strstr(whole, MARK);
    const char *wrong = record == NULL ? "the state was not reached" : judge(rule, record);
    if (wrong != NULL) {
        print_error("%s (%s, split %d): %s\n%s", rule->name,
                    role == H2_SERVER ? "server" : "client", (int)split, wrong, whole);
    }
    free(whole);
    return wrong == NULL;
}

static bool check_all_ways(const struct h2_rule *rule, enum h2_role role)
{
    bool good = true;
    for (unsigned run = 0; run < 6 && good; run++) {
        enum script_split split = run < 2 ? (enum script_split)run : SCRIPT_AT_RANDOM;
        good = check_one(rule, role, split, run * 7919);
    }
    return good;
}

void rules_check(const struct h2_rule *rules, size_t n)
{
    unsigned broken = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(rules[i].outcome == TAKEN || rules[i].code != NULL);
        assert_true((rules[i].roles & SC) != 0);
        if ((rules[i].roles & S) != 0 && !check_all_ways(&rules[i], H2_SERVER)) {
            broken++;
        }
        if ((rules[i].roles & C) != 0 && !check_all_ways(&rules[i], H2_CLIENT)) {
            broken++;
        }
    }
    assert_int_equal(broken, 0);
}
