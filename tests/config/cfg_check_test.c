/*
 * What must hold between options. Each case is a list of lines; it is tried on the command line, in
 * a file, and with all lines but the first in a file that is included. The fault must be where the
 * line is that it is about, and say where the other one is that it contradicts.
 */
#include "cfg_test.h"

#define LINES 5
#define NONE  (-1)

struct fault_case {
    const char *lines[LINES];
    const char *why;   /* NULL: it is good. %s is the place of the other line */
    int at;            /* the line with the fault; NONE: it is about a default */
    const char *under; /* what is underlined; NULL: all of the value */
    int other;         /* the line that it contradicts; NONE: there is none */
    bool warning;
};

enum mode { IN_ARGS, IN_FILE, INCLUDED };

static bool is_for_args(const char *line)
{
    return strncmp(line, "check-config", 12) == 0 || strncmp(line, "format=", 7) == 0;
}

/* Where line `i` of a case stands. */
static void place_of(enum mode mode, const struct fault_case *c, int i, char out[300])
{
    if (i == NONE) {
        strcpy(out, "default");
    } else if (mode == IN_ARGS || is_for_args(c->lines[i])) {
        strcpy(out, "command line");
    } else if (mode == IN_FILE) {
        snprintf(out, 300, "%s/main.conf:%d", test_folder(), 1 + i);
    } else if (i == 0) {
        snprintf(out, 300, "%s/main.conf:1", test_folder());
    } else { /* a comment is first there */
        snprintf(out, 300, "%s/included.conf:%d", test_folder(), 1 + i);
    }
}

static struct loaded load_case(enum mode mode, const struct fault_case *c)
{
    static char texts[LINES][300];
    char main_text[1500] = "", included[1500] = "# included\n", path[128], conf[160];
    const char *args[LINES + 2] = {conf};
    size_t n = 1;
    for (size_t i = 0; i < LINES && c->lines[i] != NULL; i++) {
        const char *line = c->lines[i];
        const char *value = strchr(line, '=');
        bool is_switch = strcmp(value, "=yes") == 0;
        snprintf(texts[i], sizeof(texts[i]), "--%.*s",
                 (int)(is_switch ? (size_t)(value - line) : strlen(line)), line);
        if (mode == IN_ARGS || is_for_args(line)) {
            args[n++] = texts[i];
        } else {
            char *to = mode == INCLUDED && i > 0 ? included : main_text;
            snprintf(to + strlen(to), sizeof(included) - strlen(to), "%s\n", line);
        }
    }
    test_file(path, "included.conf", included, strlen(included));
    if (mode == INCLUDED) {
        size_t len = strlen(main_text);
        snprintf(main_text + len, sizeof(main_text) - len, "include=%s\n", path);
    }
    test_file(path, "main.conf", main_text, strlen(main_text));
    snprintf(conf, sizeof(conf), "--conf=%s", path);
    return load_args(args);
}

/* What stands above the ^~~~ below the fault. */
static void underlined(const char *fault, char out[300])
{
    const char *text = strchr(fault, '\n'), *mark = text != NULL ? strchr(text + 1, '\n') : NULL;
    out[0] = '\0';
    if (mark != NULL && strncmp(mark, "\n    ", 5) == 0) {
        size_t from = strcspn(mark + 1, "^"), len = strspn(mark + 1 + from, "^~");
        snprintf(out, 300, "%.*s", (int)len, text + 1 + from);
    }
}

static void try_fault(enum mode mode, const struct fault_case *c, const struct loaded *l)
{
    char place[300], message[600], expected[1000], shown[300];
    place_of(mode, c, c->other, place);
    snprintf(message, sizeof(message), c->why, place);
    place_of(mode, c, c->at, place);
    snprintf(expected, sizeof(expected), "nghttpx: %s:", place);
    const char *fault = strstr(l->err, message), *line = fault;
    if (fault == NULL) {
        fail_msg("expected: %s\nsaid: %s", message, l->err);
    }
    while (line > l->err && line[-1] != '\n') {
        line--;
    }
    if (strncmp(line, expected, strlen(expected)) != 0) {
        fail_msg("expected it at %s\nsaid: %s", place, line);
    }
    size_t len = strcspn(line, "\n");
    const char *warning = strstr(line, ": warning: ");
    assert_int_equal(warning != NULL && warning < line + len, c->warning);
    underlined(line, shown);
    const char *value = c->at == NONE ? "*,3000" : strchr(c->lines[c->at], '=') + 1;
    const char *under = c->under != NULL ? c->under : value;
    if (strcmp(shown, under) != 0) {
        fail_msg("expected to be underlined: %s\nit is: %s\nsaid: %s", under, shown, line);
    }
}

static void try_cases(const struct fault_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (enum mode mode = IN_ARGS; mode <= INCLUDED; mode++) {
            struct loaded l = load_case(mode, &cases[i]);
            bool good = cases[i].why == NULL || cases[i].warning;
            if (l.rc != (good ? CFG_OK : CFG_ERROR)) {
                fail_msg("case %zu, mode %d: %s", i, mode, l.err);
            }
            if (cases[i].why != NULL) {
                try_fault(mode, &cases[i], &l);
            } else if (l.err[0] != '\0') {
                fail_msg("case %zu, mode %d: %s", i, mode, l.err);
            }
            loaded_free(&l);
        }
    }
}

#define F      "frontend=*,1;no-tls"
#define TLS_AT "needs a private key and a certificate"

static void frontends(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{F}, NULL, 0, NULL, NONE, false},
        {{NULL}, "the frontend *,3000 has TLS and " TLS_AT, NONE, NULL, NONE, false},
        {{F, "frontend=*,2"}, "the frontend *,2 has TLS and " TLS_AT, 1, NULL, NONE, false},
        {{F, "frontend=unix:/x"}, "the frontend unix:/x has TLS", 1, NULL, NONE, false},
        {{"frontend=a,1;no-tls", "frontend=A,1"},
         "the frontend A,1 is there twice (%s), with TLS and without; expected one of them",
         1,
         NULL,
         0,
         false},
        {{"frontend=unix:/x;no-tls", F, "frontend=unix:/x"},
         "the frontend unix:/x is there twice (%s), with TLS",
         2,
         NULL,
         0,
         false},
        {{"frontend=unix:/x;no-tls", "frontend=unix:/X;no-tls"}, NULL, 0, NULL, NONE, false},
        {{"frontend=a,1;no-tls", "frontend=a,2;no-tls", "frontend=b,1;no-tls"},
         NULL,
         0,
         NULL,
         NONE,
         false},
        {{"frontend=unix:/x;no-tls", F, "frontend=unix:/x;no-tls"},
         "the frontend unix:/x is there twice (%s); once is enough",
         2,
         NULL,
         0,
         true},
    };
    try_cases(cases, COUNT(cases));
    static const char *const lines[] = {"private-key-file=k\n", "certificate-file=c\n"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        char text[100];
        snprintf(text, sizeof(text), "frontend=*,2\n%s", lines[i]);
        struct loaded l = load_text(text);
        assert_int_equal(l.rc, CFG_ERROR);
        assert_said(&l, "/main.conf:1:10: the frontend *,2 has TLS and " TLS_AT);
        loaded_free(&l);
    }
}

#define CATCH_ALL "no backend takes what matches no pattern; expected a catch-all backend"

static void the_catch_all(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{F, "backend=h,80;/a", "backend=h,80;/b"}, CATCH_ALL, 2, NULL, NONE, false},
        {{F, "backend=h,80;h/"}, CATCH_ALL, 1, NULL, NONE, false},
        {{F, "backend=h,80;*/"}, CATCH_ALL, 1, NULL, NONE, false},
        {{F, "backend=respond=200;/a"}, CATCH_ALL, 1, NULL, NONE, false},
        {{F, "backend=h,80;/a", "backend=h,80;/b:/"}, NULL, 0, NULL, NONE, false},
        {{F, "backend=h,80;/a", "backend=h,80;/x/.."}, NULL, 0, NULL, NONE, false},
        {{F, "backend=respond=200"}, NULL, 0, NULL, NONE, false},
    };
    try_cases(cases, COUNT(cases));
}

#define B      "backend=h,80;/;"
#define C      "backend=g,80;/;"
#define COOKIE "affinity=cookie;affinity-cookie-name=a"
#define DIFFER(what)                                                                               \
    "the backends g,80 and h,80 (%s) of the pattern \"/\" differ in " what "; expected the same"
/* Two backends of a pattern that agree, and two that do not. */
#define AGREE(b, c)                                                                                \
    {                                                                                              \
        {F, B b, C c}, NULL, 0, NULL, NONE, false                                                  \
    }
#define CONTRADICT(b, c, what, under)                                                              \
    {                                                                                              \
        {F, B b, C c}, DIFFER(what), 2, under, 1, false                                            \
    }

static void backends_of_one_pattern_agree(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        AGREE("affinity=ip", "affinity=ip"),
        AGREE("affinity=ip", "affinity=none"), /* not said */
        CONTRADICT("affinity=ip", COOKIE, "affinity", "affinity=cookie"),
        CONTRADICT(COOKIE, "affinity=cookie;affinity-cookie-name=b", "affinity", "affinity=cookie"),
        CONTRADICT(COOKIE, COOKIE ";affinity-cookie-path=/", "affinity", "affinity=cookie"),
        CONTRADICT(COOKIE ";affinity-cookie-secure=yes", COOKIE, "affinity", "affinity=cookie"),
        CONTRADICT(COOKIE ";affinity-cookie-stickiness=strict", COOKIE, "affinity",
                   "affinity=cookie"),
        CONTRADICT(COOKIE ";affinity-cookie-http-only", COOKIE, "affinity", "affinity=cookie"),
        CONTRADICT(COOKIE ";affinity-cookie-same-site=lax",
                   COOKIE ";affinity-cookie-same-site=strict", "affinity", "affinity=cookie"),
        AGREE(COOKIE ";affinity-cookie-max-age=1m", COOKIE ";affinity-cookie-max-age=60"),
        CONTRADICT(COOKIE ";affinity-cookie-max-age=1m", COOKIE ";affinity-cookie-max-age=61",
                   "affinity", "affinity=cookie"),
        {{F, B "affinity=ip", "backend=g,80;/a;" COOKIE}, NULL, 0, NULL, NONE, false},
        AGREE("read-timeout=1s", "read-timeout=1000ms"),
        AGREE("read-timeout=1s", "read-timeout=0"), /* not said */
        CONTRADICT("read-timeout=1s", "Read-Timeout=2s", "read-timeout", "Read-Timeout=2s"),
        {{F, B "write-timeout=1s", "backend=i,80", C "write-timeout=2s"},
         DIFFER("write-timeout"),
         3,
         "write-timeout=2s",
         1,
         false},
        AGREE("group=a;group-weight=1", "group=b;group-weight=2"),
        CONTRADICT("group=a;group-weight=1", "group=a;group-weight=2", "group-weight",
                   "group-weight=2"),
        AGREE("group=a;group-weight=1", "group=a"),
        CONTRADICT("group-weight=1", "group-weight=2", "group-weight", "group-weight=2"),
        CONTRADICT("group=a;read-timeout=1", "group=b;read-timeout=2", "read-timeout",
                   "read-timeout=2"),
        AGREE("balance=p2c", "balance=p2c"),
        AGREE("balance=p2c", "weight=2"), /* not said */
        CONTRADICT("balance=round-robin", "balance=p2c;balance=p2c;tls", "balance", "balance=p2c"),
        AGREE("balance=hash:header:a", "balance=hash:header:A"),
        CONTRADICT("balance=hash:header:a", "balance=hash:header:b", "balance",
                   "balance=hash:header:b"),
        CONTRADICT("balance=hash:header:a", "balance=hash:cookie:a", "balance",
                   "balance=hash:cookie:a"),
        CONTRADICT("balance=hash:uri", "balance=hash:cookie:a", "balance", "balance=hash:cookie:a"),
        CONTRADICT("balance=hash:cookie:a", "balance=hash:cookie:A", "balance",
                   "balance=hash:cookie:A"),
        {{F, B "balance=p2c", "backend=g,80;/a;balance=least-conn"}, NULL, 0, NULL, NONE, false},
        AGREE("max-conns=1;max-queue=1", "max-conns=1"),
        CONTRADICT("max-conns=1;max-queue=1", "max-conns=1;max-queue=2", "max-queue",
                   "max-queue=2"),
        CONTRADICT("max-conns=1;queue-timeout=1", "max-conns=1;queue-timeout=2", "queue-timeout",
                   "queue-timeout=2"),
        /* A default that is said is said. */
        CONTRADICT("max-conns=1;max-queue=100", "max-queue=7", "max-queue", "max-queue=7"),
        CONTRADICT("max-conns=1;max-queue=0", "max-queue=100", "max-queue", "max-queue=100"),
        CONTRADICT("max-conns=1;queue-timeout=5s", "queue-timeout=3s", "queue-timeout",
                   "queue-timeout=3s"),
        CONTRADICT("max-conns=1;queue-timeout=3s", "queue-timeout=5s", "queue-timeout",
                   "queue-timeout=5s"),
        AGREE("max-conns=1;max-queue=100;queue-timeout=5s", "max-queue=100;queue-timeout=5000ms"),
        {{F, B "balance=round-robin;affinity=ip"},
         "the backends of the pattern \"/\" have affinity and balance (%s); expected one of them",
         1,
         "affinity=ip",
         1,
         false},
        {{F, B "balance=p2c", "backend=i,80", C "affinity=ip"},
         "have affinity and balance (%s)",
         3,
         "affinity=ip",
         1,
         false},
        {{F, B "affinity=ip", "backend=i,80", C "balance=p2c"},
         "have affinity and balance (%s)",
         3,
         "balance=p2c",
         1,
         false},
        {{F, B "affinity=ip", "backend=g,80;/a;balance=p2c"}, NULL, 0, NULL, NONE, false},
        {{F, "backend=i,80", "backend=unix:/s;/b:/c;affinity=ip", "backend=h,80;/a:/%63;" COOKIE},
         "the backends h,80 and unix:/s (%s) of the pattern \"/c\" differ in affinity",
         3,
         "affinity=cookie",
         2,
         false},
    };
    try_cases(cases, COUNT(cases));
}

#define NO_QUEUE                                                                                   \
    "max-queue and queue-timeout have no effect for the pattern \"/\": none of its backends has "  \
    "max-conns or dns"
#define NO_WEIGHT                                                                                  \
    "weight and group-weight have no effect for the pattern \"/\", whose backends have affinity "  \
    "(%s)"

static void what_does_nothing_for_a_pattern_is_warned_of(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{F, B "max-queue=1"}, NO_QUEUE, 1, "max-queue=1", NONE, true},
        {{F, B "queue-timeout=1"}, NO_QUEUE, 1, "queue-timeout=1", NONE, true},
        {{F, B "max-queue=100", C "tls"}, NO_QUEUE, 1, "max-queue=100", NONE, true},
        {{F, "backend=i,80;/i;max-conns=1", C "tls", B "max-queue=1"},
         NO_QUEUE,
         3,
         "max-queue=1",
         NONE,
         true},
        AGREE("max-conns=1", "max-queue=7"),
        AGREE("queue-timeout=7", "group=a;max-conns=1"),
        AGREE("dns", "max-queue=7;queue-timeout=1"),
        {{F, B "weight=2;affinity=ip"}, NO_WEIGHT, 1, "weight=2", 1, true},
        {{F, B "affinity=ip", C "weight=2"}, NO_WEIGHT, 2, "weight=2", 1, true},
        {{F, B "group-weight=2", C COOKIE}, NO_WEIGHT, 1, "group-weight=2", 2, true},
        AGREE("affinity=ip;weight=1;group-weight=1", "affinity=ip"),
        {{F, B "weight=2", "backend=g,80;/a;affinity=ip"}, NULL, 0, NULL, NONE, false},
    };
    try_cases(cases, COUNT(cases));
}

#define KEEP_NONE "backend-keep-alive-timeout=0"

static void what_is_never_warm_is_warned_of(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{F, B "warm-up=1", KEEP_NONE},
         "warm-up has no effect with backend-keep-alive-timeout=0 (%s)",
         1,
         "warm-up=1",
         2,
         true},
        {{F, B "proto=h2;warm-up=1", KEEP_NONE}, NULL, 0, NULL, NONE, false},
        {{F, B "tls;proto=auto;warm-up=1", KEEP_NONE}, NULL, 0, NULL, NONE, false},
        {{F, B "tls", KEEP_NONE}, NULL, 0, NULL, NONE, false},
        {{F, "workers=3", B "warm-up=2;max-conns=5"},
         "warm-up=2 in each of 3 workers (%s) is above max-conns=5",
         2,
         "warm-up=2",
         1,
         true},
        {{F, "workers=3", B "warm-up=2;max-conns=6"}, NULL, 0, NULL, NONE, false},
        {{F, "workers=3", B "warm-up=2"}, NULL, 0, NULL, NONE, false},
        {{F, "workers=65530", B "warm-up=65535;max-conns=4294574550"}, NULL, 0, NULL, NONE, false},
    };
    try_cases(cases, COUNT(cases));
}

static void an_answer_is_alone(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{F, "backend=h,80", "backend=respond=200;/a", "backend=redirect=301,/x;/b"},
         NULL,
         0,
         NULL,
         NONE,
         false},
        {{F, "backend=h,80", "backend=respond=200"},
         "the pattern \"/\" has the backends respond=200 and h,80 (%s); expected respond or "
         "redirect to be the only one of a pattern",
         2,
         NULL,
         1,
         false},
        {{F, "backend=h,80", "backend=redirect=301,/x;/a:/b", "backend=unix:/s;/b"},
         "the pattern \"/b\" has the backends unix:/s and redirect=301 (%s);",
         3,
         NULL,
         2,
         false},
        {{F, "backend=respond=200", "backend=respond=200"},
         "has the backends respond=200 and respond=200 (%s)",
         2,
         NULL,
         1,
         false},
        {{F, "backend=respond=200", "backend=h,80;;group=a"},
         "has the backends h,80 and respond=200 (%s)",
         2,
         NULL,
         1,
         false},
    };
    try_cases(cases, COUNT(cases));
}

#define URI "backend-http-proxy-uri=http://p:1"

static void backends_behind_a_proxy(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{F, URI, "backend=h,443;;tls;proto=auto"},
         "the backend h,443 cannot be reached through backend-http-proxy-uri (%s)",
         2,
         "proto=auto",
         1,
         false},
        {{F, "backend=h,80;;proto=h2;dns=srv", URI},
         "cannot be reached through backend-http-proxy-uri (%s)",
         1,
         "dns=srv",
         2,
         false},
        {{F, "backend=h,80;;proto=h2;send-proxy=v2", URI},
         "cannot be reached through backend-http-proxy-uri (%s)",
         1,
         "send-proxy=v2",
         2,
         false},
        {{F, "backend=h,80;;proto=h2;dns", URI},
         "dns of the backend h,80 has no effect: with backend-http-proxy-uri (%s) the proxy looks "
         "the name up",
         1,
         "dns",
         2,
         true},
        {{F, "backend=h,80;;proto=h2", "backend=unix:/s;/a;proto=h2", URI},
         NULL,
         0,
         NULL,
         NONE,
         false},
        {{F, "backend=h,80;;dns", URI}, NULL, 0, NULL, NONE, false},
    };
    try_cases(cases, COUNT(cases));
}

#define MIN "tls-min-proto-version=TLSv1.3"

static void options_that_contradict_each_other(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{F, "tls-max-proto-version=TLSv1.2", MIN},
         "tls-min-proto-version (TLSv1.3) is above tls-max-proto-version (TLSv1.2, %s); expected "
         "the same or lower",
         2,
         NULL,
         1,
         false},
        {{F, "tls-proto-list=TLSv1.2", MIN},
         "is above tls-max-proto-version (TLSv1.2, %s)",
         2,
         NULL,
         1,
         false},
        {{F, "tls-max-proto-version=TLSv1.2"}, NULL, 0, NULL, NONE, false},
        {{F, "format=json"},
         "format says how something is printed; expected",
         1,
         NULL,
         NONE,
         false},
    };
    try_cases(cases, COUNT(cases));
}

static void what_is_probably_not_meant_is_warned_of(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{F, "accesslog-format=$status"},
         "there is no access log; it needs accesslog-file",
         1,
         NULL,
         NONE,
         true},
        {{F, "accesslog-write-early=yes"}, "there is no access log", 1, NULL, NONE, true},
        {{F, "accesslog-syslog=yes", "accesslog-file=/a"},
         "accesslog-file has no effect beside accesslog-syslog (%s)",
         2,
         NULL,
         1,
         true},
        {{F, "client-cert-file=/a"}, "have no effect without each other", 1, NULL, NONE, true},
        {{F, "client-private-key-file=/a"},
         "have no effect without each other",
         1,
         NULL,
         NONE,
         true},
        {{F, "verify-client-cacert=/a"},
         "are not asked for without verify-client",
         1,
         NULL,
         NONE,
         true},
        {{F, "verify-client-tolerate-expired=yes"},
         "are not asked for without verify-client",
         1,
         NULL,
         NONE,
         true},
        {{F, "workers=4", "single-thread=yes"},
         "with single-thread workers is 1, and not 4 (%s)",
         2,
         NULL,
         1,
         true},
        {{F, "client-cert-file=/a", "client-private-key-file=/b"}, NULL, 0, NULL, NONE, false},
        {{F, "accesslog-file=/a", "accesslog-format=$status", "check-config=yes"},
         NULL,
         0,
         NULL,
         NONE,
         false},
    };
    try_cases(cases, COUNT(cases));
}

/* Faults that are about no line. */
static void what_is_not_there_is_missing_in_the_configuration(void **state)
{
    (void)state;
    static const struct fault_case check = {
        {F, "check-config=yes"}, "there is no access log", 0, NULL, NONE, true};
    char expected[200];
    struct loaded l = load_case(IN_FILE, &check);
    assert_int_equal(l.rc, CFG_OK);
    snprintf(expected, sizeof(expected),
             "nghttpx: %s/main.conf: warning: there is no access log; it needs accesslog-file or "
             "accesslog-syslog\n",
             test_folder());
    assert_string_equal(l.err, expected);
    loaded_free(&l);
    const char *const args[] = {"--frontend=*,1;no-tls", "--conf=/nonexistent", NULL};
    l = load_args(args);
    assert_int_equal(l.rc, CFG_OK);
    loaded_free(&l);
    const char *const proxyproto[] = {"--conf=/dev/null", "-f*,1;no-tls", "--accept-proxy-protocol",
                                      NULL};
    l = load_args(proxyproto);
    assert_said(&l, "command line: --accept-proxy-protocol: warning: proxyproto believes every");
    loaded_free(&l);
}

static void all_of_them_are_said(void **state)
{
    (void)state;
    const char *const args[] = {
        "--conf=/dev/null",        "-bh,80;/a", "-f*,1", "-f*,1;no-tls", "--tls-min-proto=TLSv1.3",
        "--tls-max-proto=TLSv1.2", NULL};
    struct loaded l = load_args(args);
    assert_int_equal(l.rc, CFG_ERROR);
    assert_said(&l, "there twice");
    assert_said(&l, "needs a private key and a certificate");
    assert_said(&l, "catch-all");
    assert_said(&l, "tls-min-proto-version");
    loaded_free(&l);
}

static int clean_up(void **state)
{
    (void)state;
    test_folder_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frontends),
        cmocka_unit_test(the_catch_all),
        cmocka_unit_test(backends_of_one_pattern_agree),
        cmocka_unit_test(what_does_nothing_for_a_pattern_is_warned_of),
        cmocka_unit_test(what_is_never_warm_is_warned_of),
        cmocka_unit_test(an_answer_is_alone),
        cmocka_unit_test(backends_behind_a_proxy),
        cmocka_unit_test(options_that_contradict_each_other),
        cmocka_unit_test(what_is_probably_not_meant_is_warned_of),
        cmocka_unit_test(what_is_not_there_is_missing_in_the_configuration),
        cmocka_unit_test(all_of_them_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
