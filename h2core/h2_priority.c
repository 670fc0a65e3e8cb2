/*
 * The priority field (RFC 9218, section 4), a dictionary of structured fields (RFC 8941, 3.2) of
 * which two members are known: u, an integer of 0 to 7, and i, a boolean. The rest is stepped over,
 * also what is no dictionary: a hint that is half right is still a hint.
 */
#include "h2_internal.h"

#include <string.h>

/* The end of a member: the next comma that is not inside a string. */
static const char *member_end(const char *p, const char *end)
{
    bool quoted = false;
    for (; p < end; p++) {
        if (*p == '"') {
            quoted = !quoted;
        } else if (quoted && *p == '\\' && p + 1 < end) {
            p++;
        } else if (*p == ',' && !quoted) {
            break;
        }
    }
    return p;
}

/* Whether [p, end) begins with text and goes on with parameters at most. */
static bool value_is(const char *p, const char *end, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(end - p) < n || memcmp(p, text, n) != 0) {
        return false;
    }
    return p + n == end || p[n] == ';';
}

void h2_priority_parse(const char *value, size_t len, uint8_t *urgency, bool *incremental)
{
    const char *p = value != NULL ? value : ""; /* of no octets */
    const char *end = p + len;
    while (p < end) {
        if (*p == ' ' || *p == '\t' || *p == ',') {
            p++;
            continue;
        }
        const char *stop = member_end(p, end);
        const char *last = stop;
        while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
            last--;
        }
        if (last - p >= 3 && p[0] == 'u' && p[1] == '=' && p[2] >= '0' && p[2] <= '7' &&
            (last - p == 3 || p[3] == ';')) {
            *urgency = (uint8_t)(p[2] - '0');
        } else if (value_is(p, last, "i") || value_is(p, last, "i=?1")) {
            *incremental = true;
        } else if (value_is(p, last, "i=?0")) {
            *incremental = false;
        }
        p = stop;
    }
}
