/* The grammars of single values: numbers, sizes, durations, names out of a list. */
#include "config_internal.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sizes and durations end here, so that signed arithmetic has room for any of them. */
#define LARGEST ((uint64_t)INT64_MAX)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits that t begins with. *ndigits is 0 without any; false: the number is too large. */
static bool read_digits(struct cfg_text t, uint64_t *out, size_t *ndigits)
{
    uint64_t n = 0;
    size_t i = 0;
    bool fits = true;
    for (; i < t.len && is_digit(t.s[i]); i++) {
        uint64_t digit = (uint64_t)(t.s[i] - '0');
        fits = fits && n <= (LARGEST - digit) / 10;
        n = fits ? n * 10 + digit : n;
    }
    *ndigits = i;
    *out = n;
    return fits;
}

static bool check_range(struct cfg_report *r, struct cfg_text t, bool fits, uint64_t n,
                        uint64_t min, uint64_t max)
{
    if (fits && n >= min && n <= max) {
        return true;
    }
    bool small = fits && n < min;
    if (small && max >= LARGEST) {
        return cfg_error(r, t, "%s is too small; expected at least %llu", cfg_quote(t).s,
                         (unsigned long long)min);
    }
    return cfg_error(r, t, "%s is too %s; expected %llu to %llu", cfg_quote(t).s,
                     small ? "small" : "large", (unsigned long long)min, (unsigned long long)max);
}

bool cfg_parse_number(struct cfg_report *r, struct cfg_text t, uint64_t min, uint64_t max,
                      uint64_t *out)
{
    size_t ndigits;
    uint64_t n;
    bool fits = read_digits(t, &n, &ndigits);
    if (ndigits == 0 || ndigits != t.len) {
        return cfg_error(r, t, "%s is no number; expected decimal digits", cfg_quote(t).s);
    }
    if (!check_range(r, t, fits, n, min, max)) {
        return false;
    }
    *out = n;
    return true;
}

bool cfg_parse_size(struct cfg_report *r, struct cfg_text t, uint64_t min, uint64_t max,
                    uint64_t *out)
{
    size_t ndigits;
    uint64_t n;
    bool fits = read_digits(t, &n, &ndigits);
    unsigned shift = 0;
    bool unit_known = true;
    if (ndigits + 1 == t.len) {
        switch (t.s[ndigits]) {
        case 'k':
        case 'K':
            shift = 10;
            break;
        case 'm':
        case 'M':
            shift = 20;
            break;
        case 'g':
        case 'G':
            shift = 30;
            break;
        default:
            unit_known = false;
        }
    }
    if (ndigits == 0 || ndigits + 1 < t.len || !unit_known) {
        return cfg_error(r, t, "%s is no size; expected digits and at most one of K, M, G",
                         cfg_quote(t).s);
    }
    fits = fits && n <= LARGEST >> shift;
    if (!check_range(r, t, fits, fits ? n << shift : 0, min, max)) {
        return false;
    }
    *out = n << shift;
    return true;
}

bool cfg_parse_duration(struct cfg_report *r, struct cfg_text t, uint64_t *out_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
    size_t ndigits;
    uint64_t n;
    bool fits = read_digits(t, &n, &ndigits);
    struct cfg_text unit = cfg_slice(t.s + ndigits, t.len - ndigits);
    for (size_t i = 0; ndigits > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (cfg_text_is_nocase(unit, units[i].unit)) {
            if (!fits || n > LARGEST / units[i].ms) {
                return cfg_error(r, t, "%s is too long; expected at most %llu ms", cfg_quote(t).s,
                                 (unsigned long long)LARGEST);
            }
            *out_ms = n * units[i].ms;
            return true;
        }
    }
    return cfg_error(r, t,
                     "%s is no duration; expected digits and at most one of h, m, s, ms (no unit: "
                     "seconds)",
                     cfg_quote(t).s);
}

bool cfg_parse_port(struct cfg_report *r, struct cfg_text t, uint16_t *out)
{
    size_t ndigits;
    uint64_t n;
    if (!read_digits(t, &n, &ndigits) || ndigits == 0 || ndigits != t.len || n < 1 || n > 65535) {
        return cfg_error(r, t, "%s is no port; expected a number from 1 to 65535", cfg_quote(t).s);
    }
    *out = (uint16_t)n;
    return true;
}

bool cfg_parse_bool(struct cfg_report *r, struct cfg_text t)
{
    if (cfg_text_is_nocase(t, "yes")) {
        return true;
    }
    if (!cfg_text_is_nocase(t, "no")) {
        cfg_warning(r, t, "%s means no here; expected yes or no", cfg_quote(t).s);
    }
    return false;
}

/* The name of the list that was probably meant; NULL: none is near. */
static const char *nearest(struct cfg_text t, const struct cfg_choice *choices)
{
    const char *best = NULL;
    size_t least = cfg_near(t);
    for (const struct cfg_choice *c = choices; c->name != NULL; c++) {
        size_t d = cfg_distance(t, cfg_text(c->name), least);
        if (d <= least && d < t.len && (best == NULL || d < least)) {
            best = c->name;
            least = d;
        }
    }
    return best;
}

bool cfg_parse_choice(struct cfg_report *r, struct cfg_text t, const struct cfg_choice *choices,
                      unsigned *out)
{
    char names[256], hint[64] = "";
    size_t used = 0;
    names[0] = '\0';
    for (const struct cfg_choice *c = choices; c->name != NULL; c++) {
        if (cfg_text_is_nocase(t, c->name)) {
            *out = c->value;
            return true;
        }
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                 c == choices ? "" : ", ", c->name);
        assert(used < sizeof(names));
    }
    const char *near = nearest(t, choices);
    if (near != NULL) {
        snprintf(hint, sizeof(hint), "; did you mean \"%s\"?", near);
    }
    return cfg_error(r, t, "%s is none of the names; expected one of %s%s", cfg_quote(t).s, names,
                     hint);
}

const char *cfg_choice_name(const struct cfg_choice *choices, unsigned value)
{
    while (choices->name != NULL && choices->value != value) {
        choices++;
    }
    return choices->name;
}

bool cfg_parse_set(struct cfg_report *r, struct cfg_text t, const struct cfg_choice *choices,
                   unsigned *out)
{
    unsigned all = 0;
    bool good = true;
    while (t.s != NULL) {
        unsigned one = 0;
        good = cfg_parse_choice(r, cfg_cut(&t, ','), choices, &one) && good;
        all |= one;
    }
    *out = good ? all : *out;
    return good;
}

/* Where the first byte is that the program would not write to a log or to a peer; t.len: nowhere.
 */
static size_t find_control(struct cfg_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char b = (unsigned char)t.s[i];
        if ((b < 0x20 && b != '\t') || b == 0x7f) {
            return i;
        }
    }
    return t.len;
}

static bool check_controls(struct cfg_report *r, struct cfg_text t)
{
    size_t i = find_control(t);
    return i == t.len || cfg_error(r, cfg_slice(t.s + i, 1),
                                   "a control character (0x%02x); expected none in a value",
                                   (unsigned char)t.s[i]);
}

bool cfg_check_string(struct cfg_report *r, struct cfg_text t, uint64_t min_len, uint64_t max_len)
{
    if (t.len < min_len) {
        return cfg_error(r, t, "no value; expected some text");
    }
    if (t.len > max_len) {
        return cfg_error(r, t, "%zu octets are too long; expected at most %llu", t.len,
                         (unsigned long long)max_len);
    }
    return check_controls(r, t);
}

/* RFC 9113, 8.2.1: no control characters, no blank at either end. */
bool cfg_check_field_value(struct cfg_report *r, struct cfg_text t)
{
    if (t.len > 0 && cfg_is_blank(t.s[0])) {
        return cfg_error(r, cfg_slice(t.s, 1), "a blank in front; expected a value without it");
    }
    if (t.len > 0 && cfg_is_blank(t.s[t.len - 1])) {
        return cfg_error(r, cfg_slice(t.s + t.len - 1, 1),
                         "a blank at the end; expected a value without it");
    }
    return check_controls(r, t);
}

bool cfg_check_alpn(struct cfg_report *r, struct cfg_text t)
{
    /* What a client agreed on must be spoken, so only what the program speaks is taken. */
    static const char *const protocols[] = {"h2", "http/1.1"};
    bool seen[2] = {false, false};
    struct cfg_text rest = t;
    while (rest.s != NULL) {
        struct cfg_text name = cfg_cut(&rest, ',');
        size_t i = 0;
        while (i < 2 && !cfg_text_is(name, protocols[i])) {
            i++;
        }
        if (i == 2) {
            return cfg_error(r, name, "%s is no protocol to offer; expected h2 or http/1.1",
                             cfg_quote(name).s);
        }
        if (seen[i]) {
            return cfg_error(r, name, "%s is listed twice; expected it once", protocols[i]);
        }
        seen[i] = true;
    }
    return true;
}
