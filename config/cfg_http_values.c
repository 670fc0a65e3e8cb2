/* The values of options about HTTP: fields, error pages, Alt-Svc, Forwarded. */
#include "config_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* RFC 9110, 5.6.2 */
static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/*
 * A field that is added says nothing about how a message is framed or routed: a second one beside
 * the program's own would make two readings of one message possible (RFC 9112, 11.2).
 */
static bool is_the_programs_own(struct cfg_text name, bool request)
{
    static const char *const names[] = {"connection", "keep-alive",        "proxy-connection",
                                        "upgrade",    "transfer-encoding", "content-length",
                                        "trailer"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (cfg_text_is_nocase(name, names[i])) {
            return true;
        }
    }
    return request && (cfg_text_is_nocase(name, "host") || cfg_text_is_nocase(name, "te"));
}

bool cfg_is_token(struct cfg_text t)
{
    size_t i = 0;
    while (i < t.len && is_token_char(t.s[i])) {
        i++;
    }
    return i > 0 && i == t.len;
}

bool cfg_parse_header(struct cfg_report *r, struct cfg_text t, bool request, struct cfg_header *out)
{
    struct cfg_text value = t;
    struct cfg_text name = cfg_cut(&value, ':');
    if (value.s == NULL) {
        return cfg_error(r, t, "%s has no colon; expected NAME: VALUE", cfg_quote(t).s);
    }
    if (name.len == 0) {
        return cfg_error(r, cfg_slice(t.s, 1), "no name; expected NAME: VALUE");
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_token_char(name.s[i])) {
            return cfg_error(r, cfg_slice(name.s + i, 1),
                             "%s is no field name; expected letters, digits and -, without blanks",
                             cfg_quote(name).s);
        }
    }
    if (is_the_programs_own(name, request)) {
        return cfg_error(r, name,
                         "%s cannot be added: the program sets it itself; expected another field",
                         cfg_quote(name).s);
    }
    while (value.len > 0 && cfg_is_blank(value.s[0])) {
        value = cfg_slice(value.s + 1, value.len - 1);
    }
    if (!cfg_check_field_value(r, value)) {
        return false;
    }
    struct cfg_header h = {cfg_copy(r, name), NULL};
    h.value = h.name != NULL ? cfg_copy(r, value) : NULL;
    if (h.value == NULL) {
        cfg_header_clear(&h);
        return false;
    }
    for (char *p = h.name; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    *out = h;
    return true;
}

void cfg_header_clear(struct cfg_header *h)
{
    free(h->name);
    free(h->value);
    *h = (struct cfg_header){0};
}

static bool is_error_status(struct cfg_text t, uint16_t *out)
{
    if (t.len != 3 || (t.s[0] != '4' && t.s[0] != '5') || !isdigit((unsigned char)t.s[1]) ||
        !isdigit((unsigned char)t.s[2])) {
        return false;
    }
    *out = (uint16_t)((t.s[0] - '0') * 100 + (t.s[1] - '0') * 10 + (t.s[2] - '0'));
    return true;
}

bool cfg_parse_error_page(struct cfg_report *r, struct cfg_text t, struct cfg_error_page *out)
{
    struct cfg_text path = t;
    struct cfg_text code = cfg_cut(&path, '=');
    uint16_t n = 0;
    if (path.s == NULL || path.len == 0) {
        return cfg_error(r, t, "%s names no file; expected CODE=PATH or *=PATH", cfg_quote(t).s);
    }
    if (!cfg_text_is(code, "*") && !is_error_status(code, &n)) {
        return cfg_error(r, code, "%s is no status of an error; expected 400 to 599, or *",
                         cfg_quote(code).s);
    }
    struct cfg_error_page page = {.code = n, .path = cfg_copy(r, path)};
    if (page.path == NULL) {
        return false;
    }
    int error;
    page.body = cfg_read_file(page.path, CFG_PAGE_MOST, &page.len, &error);
    if (page.body == NULL) {
        cfg_unreadable(r, path, error, CFG_PAGE_MOST);
        cfg_error_page_clear(&page);
        return false;
    }
    *out = page;
    return true;
}

void cfg_error_page_clear(struct cfg_error_page *p)
{
    free(p->path);
    free(p->body);
    *p = (struct cfg_error_page){0};
}

/* ---------------------------------------------------------------- Alt-Svc */

/* Each part stands in a quoted string or as a parameter of a field (RFC 7838, 3). */
static bool take_part(struct cfg_report *r, struct cfg_text t, bool quoted, char **slot)
{
    if (t.s == NULL || t.len == 0) {
        return true;
    }
    const char *quote = quoted ? memchr(t.s, '"', t.len) : NULL;
    if (quote != NULL) {
        return cfg_error(r, cfg_slice(quote, 1), "a quotation mark; expected none here");
    }
    if (!cfg_check_field_value(r, t)) {
        return false;
    }
    *slot = cfg_copy(r, t);
    return *slot != NULL;
}

static struct cfg_text next_part(struct cfg_text *rest)
{
    return rest->s != NULL ? cfg_cut(rest, ',') : *rest;
}

bool cfg_parse_altsvc(struct cfg_report *r, struct cfg_text t, struct cfg_altsvc *out)
{
    struct cfg_altsvc a = {0};
    struct cfg_text rest = t;
    struct cfg_text protocol = cfg_cut(&rest, ',');
    if (rest.s == NULL) {
        return cfg_error(r, t, "%s has no port; expected PROTOID,PORT[,HOST[,ORIGIN[,PARAMS]]]",
                         cfg_quote(t).s);
    }
    if (!cfg_is_token(protocol)) {
        return cfg_error(r, protocol, "%s is no protocol id; expected such as h2",
                         cfg_quote(protocol).s);
    }
    struct cfg_text port = next_part(&rest), host = next_part(&rest), origin = next_part(&rest);
    bool good = cfg_parse_port(r, port, &a.port) && take_part(r, host, true, &a.host) &&
                take_part(r, origin, true, &a.origin) && take_part(r, rest, false, &a.params);
    a.protocol = good ? cfg_copy(r, protocol) : NULL;
    if (a.protocol == NULL) {
        cfg_altsvc_clear(&a);
        return false;
    }
    *out = a;
    return true;
}

void cfg_altsvc_clear(struct cfg_altsvc *a)
{
    free(a->protocol);
    free(a->host);
    free(a->origin);
    free(a->params);
    *a = (struct cfg_altsvc){0};
}

/* ---------------------------------------------------------------- Forwarded */

bool cfg_check_node(struct cfg_report *r, struct cfg_text t)
{
    static const char expected[] =
        "obfuscated, ip, or _ with letters, digits, '.', '_' and '-' behind it";
    if (cfg_text_is(t, "obfuscated") || cfg_text_is(t, "ip")) {
        return true;
    }
    if (t.len < 2 || t.s[0] != '_') {
        return cfg_error(r, t, "%s is no name of a proxy; expected %s", cfg_quote(t).s, expected);
    }
    for (size_t i = 1; i < t.len; i++) {
        char c = t.s[i];
        if (!isalnum((unsigned char)c) && c != '.' && c != '_' && c != '-') {
            return cfg_error(r, cfg_slice(t.s + i, 1), "%s is no name of a proxy; expected %s",
                             cfg_quote(t).s, expected);
        }
    }
    return true;
}
