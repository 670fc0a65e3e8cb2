/*
 * Runs the case files, with every form of the scans that this machine has. Every case is read four
 * ways, which must all come to the outcome that the case wants:
 *
 *   at once, ending at a page that must not be touched;
 *   byte by byte, the bytes moving to new memory for each;
 *   in two pieces, cut at every place;
 *   at once with something else after it, for cases that are complete or refused.
 */
#include "h1parser.h"

#include "case_file.h"
#include "h1_scan.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIELDS_CAP = 128, BODY_CAP = 1 << 16 };

/* What came out of one way of reading. */
struct result {
    enum h1_rc rc;
    enum h1_error error;
    struct h1_head head;
    struct h1_field fields[FIELDS_CAP];
    uint8_t *bytes; /* the head as it was left */
    uint8_t body[BODY_CAP];
    size_t body_len;
    size_t used; /* chunked: octets of the input up to the end of the body */
};

static const char *const error_names[] = {
    [H1_ERR_NONE] = "NONE",
    [H1_ERR_START_LINE] = "START_LINE",
    [H1_ERR_METHOD] = "METHOD",
    [H1_ERR_TARGET] = "TARGET",
    [H1_ERR_VERSION] = "VERSION",
    [H1_ERR_STATUS] = "STATUS",
    [H1_ERR_LINE_END] = "LINE_END",
    [H1_ERR_FIELD_NAME] = "FIELD_NAME",
    [H1_ERR_UNDERSCORE] = "UNDERSCORE",
    [H1_ERR_FIELD_VALUE] = "FIELD_VALUE",
    [H1_ERR_FOLD] = "FOLD",
    [H1_ERR_HEAD_TOO_LARGE] = "HEAD_TOO_LARGE",
    [H1_ERR_TARGET_TOO_LONG] = "TARGET_TOO_LONG",
    [H1_ERR_TOO_MANY_FIELDS] = "TOO_MANY_FIELDS",
    [H1_ERR_HOST] = "HOST",
    [H1_ERR_CONTENT_LENGTH] = "CONTENT_LENGTH",
    [H1_ERR_TRANSFER_ENCODING] = "TRANSFER_ENCODING",
    [H1_ERR_CODING_UNKNOWN] = "CODING_UNKNOWN",
    [H1_ERR_LENGTH_AND_CODING] = "LENGTH_AND_CODING",
    [H1_ERR_CONNECTION] = "CONNECTION",
    [H1_ERR_UPGRADE] = "UPGRADE",
    [H1_ERR_UPGRADE_BODY] = "UPGRADE_BODY",
    [H1_ERR_EXPECT] = "EXPECT",
    [H1_ERR_CHUNK_SIZE] = "CHUNK_SIZE",
    [H1_ERR_CHUNK_EXT] = "CHUNK_EXT",
    [H1_ERR_CHUNK_END] = "CHUNK_END",
};

/* ---------------------------------------------------------------- ways of reading */

/* Memory whose last byte is followed by a page that cannot be read. Nothing is inside out: what is
 * put there ends at its end. */
static uint8_t *guarded;
static size_t guarded_size;

static int make_guarded(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded_size = 1 << 20;
    guarded =
        mmap(NULL, guarded_size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return guarded == MAP_FAILED || mprotect(guarded + guarded_size, page, PROT_NONE) != 0;
}

static uint8_t *at_guard(const uint8_t *bytes, size_t len)
{
    assert_true(len <= guarded_size);
    uint8_t *p = guarded + guarded_size - len;
    if (len > 0) {
        memcpy(p, bytes, len);
    }
    return p;
}

/* Memory of its own, of just that size: the sanitizer watches its end. */
static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
    uint8_t *p = malloc(len > 0 ? len : 1);
    assert_non_null(p);
    if (len > 0) {
        memcpy(p, bytes, len);
    }
    return p;
}

static bool is_body(const struct test_case *c)
{
    return strcmp(c->kind, "chunked") == 0;
}

static enum h1_kind kind_of(const struct test_case *c)
{
    static const char *const names[] = {"request", "response", "trailers"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(c->kind, names[i]) == 0) {
            return (enum h1_kind)i;
        }
    }
    fail_msg("%s: unknown kind %s", c->name, c->kind);
    return H1_REQUEST;
}

static struct h1_options options_of(const struct test_case *c)
{
    return (struct h1_options){.head_bytes = c->limits[0],
                               .fields = c->limits[1],
                               .bare_lf = c->bare_lf,
                               .underscores = c->underscores};
}

/* The input up to each of the places in turn, the last being its end, until the head is complete or
 * refused. Each time in other memory. */
static void read_head(const struct test_case *c, const size_t *places, size_t n, struct result *r)
{
    struct h1_options options = options_of(c);
    h1_head_init(&r->head, kind_of(c), r->fields, FIELDS_CAP, options);
    r->rc = H1_MORE;
    r->bytes = copy_of(c->input, 0);
    size_t seen = 0;
    for (size_t i = 0; i < n && r->rc == H1_MORE; i++) {
        uint8_t *now = malloc(places[i] > 0 ? places[i] : 1);
        assert_non_null(now);
        memcpy(now, r->bytes, seen);
        memcpy(now + seen, c->input + seen, places[i] - seen);
        free(r->bytes);
        r->bytes = now;
        seen = places[i];
        r->rc = h1_head_parse(&r->head, r->bytes, seen);
    }
    r->error = r->head.error;
}

/* All of a piece, up to the end of the body. */
static void read_piece(struct h1_body *body, const uint8_t *piece, size_t len, struct result *r)
{
    size_t at = 0;
    do {
        const uint8_t *data;
        size_t data_len;
        size_t used;
        r->rc = h1_body_next(body, piece + at, len - at, &used, &data, &data_len);
        at += used;
        assert_true(at <= len);
        if (r->rc == H1_DATA) {
            assert_true(data_len > 0 && data >= piece && data + data_len <= piece + at);
            assert_true(r->body_len + data_len <= BODY_CAP);
            memcpy(r->body + r->body_len, data, data_len);
            r->body_len += data_len;
        }
        assert_true(r->rc != H1_MORE || at == len);
    } while (r->rc == H1_DATA);
    r->used += at;
}

static void read_body(const struct test_case *c, const size_t *places, size_t n, struct result *r)
{
    struct h1_body body;
    h1_body_init(&body, (struct h1_framing){.kind = H1_BODY_CHUNKED});
    r->rc = H1_MORE;
    r->bytes = NULL;
    r->body_len = 0;
    r->used = 0;
    for (size_t i = 0; i < n && r->rc == H1_MORE; i++) {
        size_t len = places[i] - r->used;
        uint8_t *piece = copy_of(c->input + r->used, len);
        read_piece(&body, piece, len, r);
        free(piece);
    }
    assert_int_equal(h1_body_may_end(&body), r->rc == H1_DONE);
    r->error = body.error;
}

static void read_in_pieces(const struct test_case *c, const size_t *places, size_t n,
                           struct result *r)
{
    if (is_body(c)) {
        read_body(c, places, n, r);
    } else {
        read_head(c, places, n, r);
    }
}

/* ---------------------------------------------------------------- what came out, as text */

static void put_text(char *out, size_t *len, const void *text, size_t n)
{
    assert_true(*len + n < BODY_CAP);
    if (n > 0) {
        memcpy(out + *len, text, n);
    }
    *len += n;
}

static void put_span(char *out, size_t *len, const struct result *r, struct h1_span s)
{
    if (s.len > 0) {
        assert_true(s.off + s.len <= r->head.head_len);
    }
    put_text(out, len, r->bytes + s.off, s.len);
}

static void put_number(char *out, size_t *len, long long n)
{
    char text[24];
    put_text(out, len, text, (size_t)snprintf(text, sizeof text, "%lld", n));
}

static void put_framing(char *out, size_t *len, const struct test_case *c, const struct result *r)
{
    static const char *const names[] = {"none", "length", "chunked", "close", "tunnel"};
    enum h1_method method = h1_method_lookup(c->method, strlen(c->method));
    struct h1_framing f = h1_body_framing(&r->head, method);
    assert_int_equal(f.error, H1_ERR_NONE); /* what the parser let through is in order */
    put_text(out, len, names[f.kind], strlen(names[f.kind]));
    if (f.kind == H1_BODY_LENGTH) {
        put_text(out, len, ":", 1);
        put_number(out, len, (long long)f.length);
    }
    if (f.keep_alive) {
        put_text(out, len, "+", 1);
    }
    put_text(out, len, "/switches", f.switches ? 9 : 0);
    put_text(out, len, "/interim", f.interim ? 8 : 0);
}

/* fields: name:value|name:value… */
static void put_fields(char *out, size_t *len, const struct result *r)
{
    for (uint32_t i = 0; i < r->head.nfields; i++) {
        const struct h1_field *f = &r->fields[i];
        assert_int_equal(f->token,
                         h1_token_lookup((const char *)r->bytes + f->name.off, f->name.len));
        put_text(out, len, "|", i > 0);
        put_span(out, len, r, f->name);
        put_text(out, len, ":", 1);
        put_span(out, len, r, f->value);
    }
}

/* close, keep-alive, upgrade, expect: those that are set. */
static void put_flags(char *out, size_t *len, const struct result *r)
{
    const struct {
        bool set;
        const char *letter;
    } flags[] = {
        {r->head.connection_close, "c"},
        {r->head.connection_keep_alive, "k"},
        {r->head.connection_upgrade, "u"},
        {r->head.expect_continue, "e"},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        put_text(out, len, flags[i].letter, flags[i].set);
    }
}

static size_t show(const struct test_case *c, const struct result *r, const char *key, char *out)
{
    static const char *const forms[] = {"origin", "absolute", "authority", "asterisk"};
    const struct h1_head *h = &r->head;
    const struct {
        const char *key;
        struct h1_span span;
    } spans[] = {
        {"target", h->target}, {"scheme", h->scheme}, {"authority", h->authority},
        {"path", h->path},     {"reason", h->reason}, {"method", h->method_text},
        {"hostname", h->host},
    };
    const struct {
        const char *key;
        long long number;
    } numbers[] = {
        {"head", h->head_len},
        {"minor", h->minor_version},
        {"status", h->status},
        {"nfields", h->nfields},
        {"dropped", h->dropped},
        {"known", h->method},
        {"length", h->content_length},
        {"chunked", h->chunked},
        {"host", (int32_t)h->host_field},
        {"upgrade", (int32_t)h->upgrade_field},
    };
    size_t len = 0;
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        if (strcmp(key, spans[i].key) == 0) {
            put_span(out, &len, r, spans[i].span);
            return len;
        }
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(key, numbers[i].key) == 0) {
            put_number(out, &len, numbers[i].number);
            return len;
        }
    }
    if (strcmp(key, "form") == 0) {
        put_text(out, &len, forms[h->form], strlen(forms[h->form]));
    } else if (strcmp(key, "framing") == 0) {
        put_framing(out, &len, c, r);
    } else if (strcmp(key, "fields") == 0) {
        put_fields(out, &len, r);
    } else if (strcmp(key, "flags") == 0) {
        put_flags(out, &len, r);
    } else if (strcmp(key, "data") == 0) {
        put_text(out, &len, r->body, r->body_len);
    } else if (strcmp(key, "rest") == 0) {
        size_t used = is_body(c) ? r->used : r->head.head_len;
        put_text(out, &len, c->input + used, c->input_len - used);
    } else {
        fail_msg("%s: unknown key %s", c->name, key);
    }
    return len;
}

static void check(const struct test_case *c, const struct result *r, const char *way, size_t place)
{
    static char out[BODY_CAP];
    const char *outcome = r->rc == H1_DONE   ? "ok"
                          : r->rc == H1_MORE ? "more"
                                             : error_names[r->error];
    if (strcmp(outcome, c->outcome) != 0) {
        fail_msg("%s: %s (%zu): %s, wanted %s", c->name, way, place, outcome, c->outcome);
    }
    assert_int_equal(r->rc == H1_ERROR, r->error != H1_ERR_NONE);
    for (size_t i = 0; i < c->nwants; i++) {
        const struct want *w = &c->wants[i];
        size_t len = show(c, r, w->key, out);
        if (len != w->value_len || (len > 0 && memcmp(out, w->value, len) != 0)) {
            fail_msg("%s: %s (%zu): %s=%.*s, wanted %.*s", c->name, way, place, w->key, (int)len,
                     out, (int)w->value_len, w->value);
        }
    }
}

/* ---------------------------------------------------------------- the test of a case */

static void run_at_guard(const struct test_case *c, struct result *r)
{
    struct test_case moved = *c;
    moved.input = at_guard(c->input, c->input_len);
    if (is_body(c)) {
        struct h1_body body;
        h1_body_init(&body, (struct h1_framing){.kind = H1_BODY_CHUNKED});
        r->body_len = 0;
        r->used = 0;
        read_piece(&body, moved.input, c->input_len, r);
        r->error = body.error;
        check(c, r, "at the guard page", c->input_len);
        return;
    }
    struct h1_options options = options_of(c);
    h1_head_init(&r->head, kind_of(c), r->fields, FIELDS_CAP, options);
    r->rc = h1_head_parse(&r->head, moved.input, c->input_len);
    r->error = r->head.error;
    r->bytes = moved.input;
    check(c, r, "at the guard page", c->input_len);
    /* Asked again, it says the same. */
    assert_int_equal(h1_head_parse(&r->head, moved.input, c->input_len), r->rc);
    check(c, r, "again", c->input_len);
}

/* What comes after a head or body, or after its error, is not looked at, whatever it is. There is
 * so much of it that the widest scans are not kept away by the end. */
static void run_with_more_behind(const struct test_case *c, struct result *r)
{
    static const char behind[256] = "\0\r\n x: y\r\n";
    struct test_case longer = *c;
    longer.input = malloc(c->input_len + sizeof behind);
    assert_non_null(longer.input);
    memcpy(longer.input, c->input, c->input_len);
    memcpy(longer.input + c->input_len, behind, sizeof behind);
    longer.input_len = c->input_len + sizeof behind;
    read_in_pieces(&longer, &longer.input_len, 1, r);
    longer.input_len = c->input_len; /* for rest= */
    check(&longer, r, "with more behind", c->input_len);
    free(r->bytes);
    free(longer.input);
}

/* A case, and the form of the scans to run it with. */
struct run {
    const struct test_case *c;
    const struct h1_scan *form;
    char *name;
};

static void run_case(void **state)
{
    const struct run *run = *state;
    const struct test_case *c = run->c;
    static struct result r;
    size_t len = c->input_len;
    h1_scan_use(run->form);
    run_at_guard(c, &r);

    size_t *places = calloc(len + 1, sizeof *places);
    assert_non_null(places);
    for (size_t i = 0; i <= len; i++) {
        places[i] = i;
    }
    read_in_pieces(c, places, len + 1, &r);
    check(c, &r, "byte by byte", len);
    free(r.bytes);
    free(places);

    for (size_t i = 0; i <= len; i++) {
        read_in_pieces(c, (size_t[]){i, len}, 2, &r);
        check(c, &r, "cut", i);
        free(r.bytes);
    }

    if (strcmp(c->outcome, "more") != 0) {
        run_with_more_behind(c, &r);
    }
}

int main(int argc, char **argv)
{
    struct test_case *cases = NULL;
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        case_file_read(argv[i], &cases, &count);
    }
    size_t forms = 0;
    while (h1_scan_form(forms) != NULL) {
        forms++;
    }
    size_t n = count * forms;
    struct CMUnitTest *tests = calloc(n, sizeof *tests);
    struct run *runs = calloc(n, sizeof *runs);
    if (n == 0 || tests == NULL || runs == NULL) {
        fprintf(stderr, "usage: %s CASE_FILE...\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < n; i++) {
        runs[i] = (struct run){.c = &cases[i % count], .form = h1_scan_form(i / count)};
        if (asprintf(&runs[i].name, "%s %s", runs[i].form->instructions, runs[i].c->name) < 0) {
            abort();
        }
        tests[i] = (struct CMUnitTest){
            .name = runs[i].name, .test_func = run_case, .initial_state = &runs[i]};
    }
    int failed = _cmocka_run_group_tests("h1 cases", tests, n, make_guarded, NULL);
    for (size_t i = 0; i < n; i++) {
        free(runs[i].name);
    }
    free(runs);
    free(tests);
    case_file_free(cases, count);
    return failed;
}
