/*
 * Making fields, and looking one up. Fields that were received have lengths and no NUL; those that
 * a program writes itself are made of C strings.
 */
#ifndef FIELD_H
#define FIELD_H

#include <h2core/h2core.h>

#include <string.h>

static inline struct h2_field field(const char *name, const char *value)
{
    return (struct h2_field){.name = name,
                             .name_len = (uint32_t)strlen(name),
                             .value = value,
                             .value_len = (uint32_t)strlen(value)};
}

/** Whether one of the fields has this name (by its number, see h2_token.h) and this value. */
static inline bool has_field(const struct h2_field *fields, size_t n, enum h2_token name,
                             const char *value)
{
    for (size_t i = 0; i < n; i++) {
        if (fields[i].token == name && fields[i].value_len == strlen(value) &&
            memcmp(fields[i].value, value, fields[i].value_len) == 0) {
            return true;
        }
    }
    return false;
}

#endif
