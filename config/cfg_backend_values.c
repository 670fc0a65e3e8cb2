/* Values of a backend's parameters that have a grammar of their own. */
#include "config_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Takes `prefix` off *t, case not counting. */
static bool take_prefix(struct cfg_text *t, const char *prefix)
{
    size_t n = strlen(prefix);
    if (t->len < n || strncasecmp(t->s, prefix, n) != 0) {
        return false;
    }
    *t = cfg_slice(t->s + n, t->len - n);
    return true;
}

/* ---------------------------------------------------------------- balance */

static bool parse_hash_name(struct cfg_report *r, struct cfg_text name, enum cfg_hash hash,
                            struct cfg_balancing *out)
{
    if (!cfg_is_token(name)) {
        return cfg_error(r, name, "%s is no name of a %s; expected letters, digits and -",
                         cfg_quote(name).s, hash == CFG_HASH_HEADER ? "field" : "cookie");
    }
    char *copy = cfg_copy(r, name);
    for (char *p = copy; hash == CFG_HASH_HEADER && p != NULL && *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    *out = (struct cfg_balancing){CFG_BALANCE_HASH, hash, copy};
    return copy != NULL;
}

bool cfg_parse_balance(struct cfg_report *r, struct cfg_text t, struct cfg_balancing *out)
{
    /* The last two are never found, only offered. */
    static const struct cfg_choice choices[] = {{"round-robin", CFG_BALANCE_ROUND_ROBIN},
                                                {"least-conn", CFG_BALANCE_LEAST_CONN},
                                                {"p2c", CFG_BALANCE_P2C},
                                                {"hash:uri", CFG_BALANCE_HASH},
                                                {"hash:header:NAME", CFG_BALANCE_HASH},
                                                {"hash:cookie:NAME", CFG_BALANCE_HASH},
                                                {NULL, 0}};
    struct cfg_text name = t;
    unsigned n;
    if (take_prefix(&name, "hash:header:")) {
        return parse_hash_name(r, name, CFG_HASH_HEADER, out);
    }
    if (take_prefix(&name, "hash:cookie:")) {
        return parse_hash_name(r, name, CFG_HASH_COOKIE, out);
    }
    if (!cfg_parse_choice(r, t, choices, &n)) {
        return false;
    }
    *out = (struct cfg_balancing){(enum cfg_balance)n, CFG_HASH_URI, NULL};
    return true;
}

/* ---------------------------------------------------------------- health */

bool cfg_check_target(struct cfg_report *r, struct cfg_text t)
{
    if (t.len == 0 || t.s[0] != '/') {
        return cfg_error(r, t, "%s is no path; expected it to begin with /", cfg_quote(t).s);
    }
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.s[i];
        if (c <= 0x20 || c >= 0x7f || c == '#') {
            return cfg_error(r, cfg_slice(t.s + i, 1),
                             "a byte that no path of a request has; expected it percent-encoded, "
                             "such as %%%02X",
                             c);
        }
    }
    return true;
}

static bool parse_range(struct cfg_report *r, struct cfg_text t, struct cfg_status_range *out)
{
    struct cfg_text last = t;
    struct cfg_text first = cfg_cut(&last, '-');
    uint64_t lo, hi;
    if (!cfg_parse_number(r, first, 200, 599, &lo)) {
        return false;
    }
    hi = lo;
    if (last.s != NULL && !cfg_parse_number(r, last, 200, 599, &hi)) {
        return false;
    }
    if (hi < lo) {
        return cfg_error(r, t, "%s ends before it begins; expected the lower status first",
                         cfg_quote(t).s);
    }
    *out = (struct cfg_status_range){(uint16_t)lo, (uint16_t)hi};
    return true;
}

bool cfg_parse_statuses(struct cfg_report *r, struct cfg_text t, struct cfg_status_range **out,
                        size_t *n)
{
    struct cfg_status_range *list = NULL;
    size_t count = 0;
    while (t.s != NULL) {
        struct cfg_status_range range, *slot;
        if (!parse_range(r, cfg_cut(&t, ','), &range) ||
            (slot = cfg_append(r, &list, &count, sizeof(*list))) == NULL) {
            free(list);
            return false;
        }
        *slot = range;
    }
    free(*out);
    *out = list;
    *n = count;
    return true;
}

bool cfg_parse_outlier(struct cfg_report *r, struct cfg_text t, uint32_t *out)
{
    struct cfg_text number = t;
    uint64_t n;
    if (!take_prefix(&number, "5xx:")) {
        return cfg_error(r, t, "%s is nothing to be counted; expected 5xx:N", cfg_quote(t).s);
    }
    if (!cfg_parse_number(r, number, 0, UINT32_MAX, &n)) {
        return false;
    }
    *out = (uint32_t)n;
    return true;
}

/* ---------------------------------------------------------------- pin */

/* RFC 4648, 4 */
static int base64_value(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

#define PIN_TEXT_LEN 44

/* 32 octets are 43 digits and one '='; the last digit has two bits too many, which are 0. */
static bool decode_pin(struct cfg_text t, uint8_t out[CFG_PIN_SIZE])
{
    unsigned bits = 0, nbits = 0;
    size_t n = 0;
    if (t.len != PIN_TEXT_LEN || t.s[PIN_TEXT_LEN - 1] != '=') {
        return false;
    }
    for (size_t i = 0; i + 1 < PIN_TEXT_LEN; i++) {
        int v = base64_value(t.s[i]);
        if (v < 0) {
            return false;
        }
        bits = (bits << 6 | (unsigned)v) & 0xfff;
        nbits += 6;
        if (nbits >= 8) {
            nbits -= 8;
            out[n++] = (uint8_t)(bits >> nbits);
        }
    }
    return (bits & 3) == 0;
}

bool cfg_parse_pin(struct cfg_report *r, struct cfg_text t, uint8_t out[CFG_PIN_SIZE])
{
    struct cfg_text digits = t;
    if (!take_prefix(&digits, "sha256:")) {
        return cfg_error(r, t, "%s is no pin; expected sha256:BASE64", cfg_quote(t).s);
    }
    return decode_pin(digits, out) ||
           cfg_error(r, digits,
                     "%s is no SHA-256 in base64; expected %d characters, the last one =",
                     cfg_quote(digits).s, PIN_TEXT_LEN);
}

void cfg_print_pin(const uint8_t pin[CFG_PIN_SIZE], FILE *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, nbits = 0;
    fputs("sha256:", out);
    for (size_t i = 0; i < CFG_PIN_SIZE; i++) {
        bits = (bits << 8 | pin[i]) & 0xffff;
        for (nbits += 8; nbits >= 6; nbits -= 6) {
            putc(alphabet[bits >> (nbits - 6) & 63], out);
        }
    }
    fprintf(out, "%c=", alphabet[bits << (6 - nbits) & 63]);
}
