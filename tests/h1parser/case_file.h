/*
 * Case files: bytes on the wire and what must come out, as text. The format is described in
 * cases/README.md.
 */
#ifndef CASE_FILE_H
#define CASE_FILE_H

#include "h1parser.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_case {
    char *name;         /* "request.txt:12 what_the_rule_is" */
    char *kind;         /* request, response, trailers, chunked */
    char *method;       /* response: the method that it answers; "" without */
    uint32_t limits[2]; /* head bytes, fields */
    bool bare_lf;
    enum h1_underscores underscores;
    uint8_t *input;
    size_t input_len;
    char *outcome; /* "ok", "more", or the error's name without H1_ERR_ */
    size_t nwants;
    struct want {
        char *key;
        char *value; /* escapes decoded */
        size_t value_len;
    } wants[16];
};

/* Reads the cases of a file behind the *count that are in *cases (realloc'ed). Exits with a message
 * when the file is not right. */
void case_file_read(const char *path, struct test_case **cases, size_t *count);

void case_file_free(struct test_case *cases, size_t count);

#endif
