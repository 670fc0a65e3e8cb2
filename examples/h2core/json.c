#include "json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "{\"fields\": [\n", tail[] = "]}\n";
static const char open_pair[] = "  [\"", between[] = "\", \"", close_pair[] = "\"],\n";

static char *put(char *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len);
    return out + len;
}

static char *put_escaped(char *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (ch < 0x20 || ch > 0x7e) {
            out += sprintf(out, "\\u%04x", ch);
        } else {
            if (ch == '"' || ch == '\\') {
                *out++ = '\\';
            }
            *out++ = (char)ch;
        }
    }
    return out;
}

char *json_from_fields(const struct h2_field *fields, size_t n, size_t *len)
{
    size_t cap = sizeof(head) + sizeof(tail);
    for (size_t i = 0; i < n; i++) {
        cap += sizeof(open_pair) + sizeof(between) + sizeof(close_pair) +
               6 * ((size_t)fields[i].name_len + fields[i].value_len); /* 6: "\u0001" */
    }
    char *text = malloc(cap);
    if (text == NULL) {
        return NULL;
    }
    char *out = put(text, head);
    for (size_t i = 0; i < n; i++) {
        out = put(out, open_pair);
        out = put_escaped(out, fields[i].name, fields[i].name_len);
        out = put(out, between);
        out = put_escaped(out, fields[i].value, fields[i].value_len);
        out = put(out, i + 1 < n ? close_pair : "\"]\n");
    }
    out = put(out, tail);
    *len = (size_t)(out - text);
    assert(*len < cap);
    return text;
}
