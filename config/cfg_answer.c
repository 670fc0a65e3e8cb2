/*
 * Answers of the program's own, which stand in the place of a backend's address:
 * respond=STATUS[,FILE] and redirect=STATUS,TEMPLATE.
 */
#include "cfg_params.h"
#include "config_internal.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool set_respond(struct cfg_report *r, struct cfg_text value, void *what)
{
    struct cfg_backend *b = what;
    struct cfg_text file = value;
    struct cfg_text status = cfg_cut(&file, ',');
    uint64_t n;
    if (!cfg_parse_number(r, status, 200, 599, &n)) {
        return false;
    }
    b->kind = CFG_KIND_RESPOND;
    b->status = (uint16_t)n;
    if (file.s == NULL) {
        return true;
    }
    /* RFC 9110, 15.3.5, 15.3.6, 15.4.5 */
    if (n == 204 || n == 205 || n == 304) {
        return cfg_error(r, file, "a response with %u has no content; expected no file",
                         (unsigned)n);
    }
    if (file.len == 0) {
        return cfg_error(r, value, "no file behind the comma; expected STATUS or STATUS,FILE");
    }
    b->file = cfg_check_string(r, file, 1, UINT64_MAX) ? cfg_copy(r, file) : NULL;
    if (b->file == NULL) {
        return false;
    }
    int error;
    b->body = cfg_read_file(b->file, CFG_PAGE_MOST, &b->body_len, &error);
    return b->body != NULL || cfg_unreadable(r, file, error, CFG_PAGE_MOST);
}

/* ---------------------------------------------------------------- redirect */

static const struct cfg_choice variables[] = {
    {"$scheme", CFG_TEMPLATE_SCHEME},
    {"$host", CFG_TEMPLATE_HOST},
    {"$authority", CFG_TEMPLATE_AUTHORITY},
    {"$path", CFG_TEMPLATE_PATH},
    {"$path_without_query", CFG_TEMPLATE_PATH_WITHOUT_QUERY},
    {NULL, 0},
};

struct cfg_template_part cfg_template_next(const char **rest)
{
    struct cfg_template_part part = {.kind = CFG_TEMPLATE_TEXT, .s = *rest};
    if (*part.s == '\0') {
        part.kind = CFG_TEMPLATE_END;
    } else if (*part.s != '$') {
        part.len = strcspn(part.s, "$");
    } else {
        /* All letters behind it belong to the name, so that a misspelt one is noticed. */
        do {
            part.len++;
        } while (isalpha((unsigned char)part.s[part.len]) || part.s[part.len] == '_');
        part.kind = CFG_TEMPLATE_UNKNOWN;
        for (const struct cfg_choice *v = variables; v->name != NULL; v++) {
            if (cfg_text_is(cfg_slice(part.s, part.len), v->name)) {
                part.kind = (enum cfg_template_kind)v->value;
            }
        }
    }
    *rest = part.s + part.len;
    return part;
}

/* What a URI is made of (RFC 3986, 2); of a percent-encoded octet the '%'. */
static bool is_uri_char(const char *s)
{
    return isalnum((unsigned char)*s) || strchr("-._~:/?#[]@!&'()*+,=", *s) != NULL ||
           (*s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2]));
}

static bool check_part(struct cfg_report *r, struct cfg_text where, struct cfg_template_part part)
{
    if (part.kind == CFG_TEMPLATE_UNKNOWN) {
        unsigned kind;
        return cfg_parse_choice(r, where, variables, &kind) &&
               cfg_error(r, where, "%s has capital letters; expected small ones",
                         cfg_quote(where).s);
    }
    for (size_t i = 0; part.kind == CFG_TEMPLATE_TEXT && i < part.len; i++) {
        if (!is_uri_char(part.s + i)) {
            return cfg_error(r, cfg_slice(where.s + i, 1),
                             "a byte that no URI has; expected it percent-encoded, such as %%%02X",
                             (unsigned char)part.s[i]);
        }
    }
    return true;
}

/* What `s` has in front of its authority, "http://" or "$scheme://"; 0: it has none. */
static size_t scheme_length(const char *s)
{
    static const char *const schemes[] = {"http://", "https://", "$scheme://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncasecmp(s, schemes[i], strlen(schemes[i])) == 0) {
            return strlen(schemes[i]);
        }
    }
    return 0;
}

/*
 * Where a redirect leads is said by the configuration, not by who asks: "//host/" is a path that a
 * client may send, and the URI of another server where it stands alone (RFC 3986, 4.2). So $path
 * comes behind a host or a path of the template.
 */
static bool check_beginning(struct cfg_report *r, struct cfg_text t, const char *location)
{
    size_t scheme = scheme_length(location);
    const char *next = location + scheme;
    bool path_next = strncmp(next, "$path", 5) == 0;
    if (scheme > 0) {
        return (*next != '\0' && strchr("/?#:@", *next) == NULL && !path_next) ||
               cfg_error(r, t, "no host; expected such as https://$host$path");
    }
    if (*location != '/') {
        return cfg_error(r, t,
                         "%s does not say where to; expected it to begin with https://, http://, "
                         "$scheme:// or /",
                         cfg_quote(t).s);
    }
    return (location[1] != '/' && location[1] != '$') ||
           cfg_error(r, t,
                     "a path that a client can make lead to another host; expected such as "
                     "https://$host$path");
}

static bool check_template(struct cfg_report *r, struct cfg_text t, const char *location)
{
    const char *rest = location;
    struct cfg_template_part part;
    while ((part = cfg_template_next(&rest)).kind != CFG_TEMPLATE_END) {
        if (!check_part(r, cfg_slice(t.s + (part.s - location), part.len), part)) {
            return false;
        }
    }
    return check_beginning(r, t, location);
}

static bool set_redirect(struct cfg_report *r, struct cfg_text value, void *what)
{
    static const struct cfg_choice statuses[] = {{"301", 301}, {"302", 302}, {"303", 303},
                                                 {"307", 307}, {"308", 308}, {NULL, 0}};
    struct cfg_backend *b = what;
    struct cfg_text location = value;
    struct cfg_text status = cfg_cut(&location, ',');
    unsigned n;
    if (!cfg_parse_choice(r, status, statuses, &n)) {
        return false;
    }
    if (location.s == NULL || location.len == 0) {
        return cfg_error(r, value, "%s does not say where to; expected STATUS,TEMPLATE",
                         cfg_quote(value).s);
    }
    b->kind = CFG_KIND_REDIRECT;
    b->status = (uint16_t)n;
    b->location = cfg_copy(r, location);
    return b->location != NULL && check_template(r, location, b->location);
}

/* ---------------------------------------------------------------- in the place of an address */

const struct cfg_param cfg_answer_params[] = {
    CFG_ANSWER_PARAMS,
    {.name = NULL},
};

bool cfg_is_answer(struct cfg_text t)
{
    struct cfg_text name = cfg_cut(&t, '=');
    bool plain = t.s != NULL && name.len > 0;
    for (size_t i = 0; plain && i < name.len; i++) {
        plain = isalpha((unsigned char)name.s[i]) || name.s[i] == '-';
    }
    return plain || cfg_param_find(cfg_answer_params, name) != NULL;
}

bool cfg_parse_answer(struct cfg_report *r, struct cfg_text t, struct cfg_backend *out)
{
    assert(cfg_is_answer(t));
    return cfg_params_set(r, t, cfg_answer_params, out);
}
