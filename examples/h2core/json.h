/*
 * A list of fields as JSON text: what the servers answer with. Not a JSON library.
 */
#ifndef JSON_H
#define JSON_H

#include <h2core/h2core.h>

/**
 * {"fields": [[name, value], ...]} with a line for each field, because a name may come twice and
 * their order matters. Octets that are not ASCII are taken for ISO 8859-1, so that the text is
 * valid whatever was received. malloc'ed; NULL: no memory.
 */
char *json_from_fields(const struct h2_field *fields, size_t n, size_t *len);

#endif
