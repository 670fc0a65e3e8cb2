/*
 * Every word that the parser looks for is compared to its last octet: with any one octet of it
 * changed to any other it is another word. (Case does not count, but in methods and the version.)
 */
#include "h1_scan.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

enum { HEAD_CAP = 256, FIELDS = 8 };

/* A word in a head, and what the head says with it and with no other. */
struct word {
    const char *before; /* the head up to the word */
    const char *word;
    const char *behind;
    enum h1_kind kind;
    bool (*found)(const struct h1_head *h, enum h1_rc rc);
    bool any_case;
    int number; /* for `found` */
};

static int number; /* of the word that is under test */

static bool accepted(const struct h1_head *h, enum h1_rc rc)
{
    (void)h;
    return rc == H1_DONE;
}

static bool chunked(const struct h1_head *h, enum h1_rc rc)
{
    return rc == H1_DONE && h->chunked;
}

static bool closes(const struct h1_head *h, enum h1_rc rc)
{
    return rc == H1_DONE && h->connection_close;
}

static bool keeps_alive(const struct h1_head *h, enum h1_rc rc)
{
    return rc == H1_DONE && h->connection_keep_alive;
}

static bool upgrades(const struct h1_head *h, enum h1_rc rc)
{
    return rc == H1_DONE && h->connection_upgrade;
}

static bool expects(const struct h1_head *h, enum h1_rc rc)
{
    return rc == H1_DONE && h->expect_continue;
}

static bool is_absolute(const struct h1_head *h, enum h1_rc rc)
{
    return rc == H1_DONE && h->form == H1_FORM_ABSOLUTE;
}

static bool has_method(const struct h1_head *h, enum h1_rc rc)
{
    (void)rc; /* CONNECT and OPTIONS need targets of their own */
    return (int)h->method == number;
}

static bool has_token(const struct h1_head *h, enum h1_rc rc)
{
    return rc == H1_DONE && h->nfields == 1 && h->fields[0].token == number;
}

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n"
#define END     "\r\n\r\n"

static const struct word words[] = {
    {REQUEST "Transfer-Encoding: ", "chunked", END, H1_REQUEST, chunked, true, 0},
    {REQUEST "Connection: ", "keep-alive", END, H1_REQUEST, keeps_alive, true, 0},
    {REQUEST "Connection: x, ", "keep-alive", ", y" END, H1_REQUEST, keeps_alive, true, 0},
    {REQUEST "Connection: ", "close", END, H1_REQUEST, closes, true, 0},
    {REQUEST "Connection: x,", "close", ",y" END, H1_REQUEST, closes, true, 0},
    {REQUEST "Connection: ", "upgrade", END, H1_REQUEST, upgrades, true, 0},
    {REQUEST "Connection: x , ", "upgrade", " ,y" END, H1_REQUEST, upgrades, true, 0},
    {REQUEST "Expect: ", "100-continue", END, H1_REQUEST, expects, true, 0},
    {"GET ", "http", "://a/ HTTP/1.1\r\nHost: a" END, H1_REQUEST, is_absolute, true, 0},
    {"GET ", "https", "://a/ HTTP/1.1\r\nHost: a" END, H1_REQUEST, is_absolute, true, 0},
    {"GET / ", "HTTP/1.", "1\r\nHost: a" END, H1_REQUEST, accepted, false, 0},
    {"", "HTTP/1.", "1 200 OK" END, H1_RESPONSE, accepted, false, 0},
    {"", "GET", " / HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_GET},
    {"", "HEAD", " / HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_HEAD},
    {"", "POST", " / HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_POST},
    {"", "PUT", " / HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_PUT},
    {"", "DELETE", " / HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_DELETE},
    {"", "CONNECT", " a:1 HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_CONNECT},
    {"", "OPTIONS", " * HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_OPTIONS},
    {"", "TRACE", " / HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_TRACE},
    {"", "PATCH", " / HTTP/1.0" END, H1_REQUEST, has_method, false, H1_METHOD_PATCH},
};

static size_t append(char *head, size_t len, const char *text)
{
    memcpy(head + len, text, strlen(text) + 1);
    return len + strlen(text);
}

/* Whether the head with this word says what it says with the right one. */
static bool finds(const struct word *w, const char *word, size_t len)
{
    static struct h1_field fields[FIELDS];
    char head[HEAD_CAP];
    size_t n = append(head, 0, w->before);
    memcpy(head + n, word, len);
    n = append(head, n + len, w->behind);
    struct h1_head h;
    h1_head_init(&h, w->kind, fields, FIELDS, (struct h1_options){HEAD_CAP, FIELDS, 0, 0});
    number = w->number;
    enum h1_rc rc = h1_head_parse(&h, (uint8_t *)head, n);
    return w->found(&h, rc);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void check_word(const struct word *w)
{
    char word[64];
    size_t len = strlen(w->word);
    memcpy(word, w->word, len);
    assert_true(finds(w, word, len));
    for (size_t i = 0; i < len; i++) {
        for (int octet = 0; octet < 256; octet++) {
            word[i] = (char)octet;
            bool same = word[i] == w->word[i] ||
                        (w->any_case && is_letter(w->word[i]) && (octet ^ 0x20) == w->word[i]);
            if (finds(w, word, len) != same) {
                fail_msg("%s with octet %zu changed to %#x: %s", w->word, i, (unsigned)octet,
                         same ? "not found" : "found");
            }
        }
        word[i] = w->word[i];
    }
    /* Nor is it found with an octet more or less ("http" is a word of its own, though). */
    assert_int_equal(finds(w, word, len - 1), strcmp(w->word, "https") == 0);
    word[len] = word[len - 1];
    assert_false(finds(w, word, len + 1));
}

static void every_octet_of_a_word_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        check_word(&words[i]);
    }
}

/* With every form of the scans: each has a way of its own to look names up. */
static void every_octet_of_a_field_name_counts(void **state)
{
    (void)state;
    for (size_t i = 0; h1_scan_form(i) != NULL; i++) {
        h1_scan_use(h1_scan_form(i));
        for (int token = 1; token < H1_TOKEN_COUNT; token++) {
            const char *name = h1_token_name((uint8_t)token, NULL);
            if (name[0] == ':') {
                continue; /* HTTP/2's */
            }
            /* Long enough that the vectors reach over the name. */
            struct word w = {
                "",          name,      ": 0123456789012345678901234567890123456789" END,
                H1_TRAILERS, has_token, true,
                token};
            check_word(&w);
        }
    }
    h1_scan_use(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_octet_of_a_word_counts),
        cmocka_unit_test(every_octet_of_a_field_name_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
