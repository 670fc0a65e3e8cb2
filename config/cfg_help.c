/* --help and --version, from the option table. */
#include "config_internal.h"

#include <string.h>

#define WIDTH  79
#define INDENT 14
#define DEEPER 22 /* what is said of a parameter */

/* Writes text in lines of at most WIDTH columns; longer words stay whole. */
static void print_indented(FILE *out, int indent, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > WIDTH) {
            putc('\n', out);
            column = 0;
        }
        if (column == 0) {
            column = (size_t)indent + word;
            fprintf(out, "%*s", indent, "");
        } else {
            column += 1 + word;
            putc(' ', out);
        }
        fwrite(text, 1, word, out);
        text += word + strspn(text + word, " ");
    }
    putc('\n', out);
}

static void print_wrapped(FILE *out, const char *text)
{
    print_indented(out, INDENT, text);
}

/* The parameters, in their groups. */
static void print_entries(FILE *out, const struct cfg_entry *e)
{
    const char *group = "";
    for (; e != NULL && e->spelling != NULL; e++) {
        if (strcmp(group, e->group) != 0) {
            group = e->group;
            fprintf(out, "\n%*s%s:\n", INDENT, "", group);
        }
        fprintf(out, "%*s%s\n", INDENT + 4, "", e->spelling);
        print_indented(out, DEEPER, e->text);
        if (e->facts != NULL) {
            char line[256];
            snprintf(line, sizeof(line), "(%s)", e->facts);
            print_indented(out, DEEPER, line);
        }
    }
    fputs(*group != '\0' ? "\n" : "", out);
}

static void print_option(FILE *out, const struct cfg_option *o)
{
    if (o->short_name != 0) {
        fprintf(out, "  -%c, ", o->short_name);
    } else {
        fputs("  ", out);
    }
    fprintf(out, "%s%s%s%s\n", o->only_in_file ? "" : "--", o->name, o->takes_value ? "=" : "",
            o->takes_value ? o->metavar : "");
    print_wrapped(out, o->help);
    if (o->fallback != NULL) {
        char line[512];
        snprintf(line, sizeof(line), "Default: %s", o->fallback);
        print_wrapped(out, line);
    }
    if (cfg_option_repeatable(o) || o->type == CFG_TYPE_INCLUDE) {
        print_wrapped(out, "May be given several times.");
    }
    if (o->only_in_file) {
        print_wrapped(out, "Only in a file.");
    }
    if (o->fixed) {
        print_wrapped(out, "A change needs a new start.");
    }
    if (o->not_yet) {
        print_wrapped(out, "No effect yet.");
    }
    print_entries(out, o->entries);
}

void cfg_print_help(FILE *out)
{
    fputs("Usage: nghttpx [OPTION]... [PRIVATE_KEY CERT]\n"
          "HTTP/2 reverse proxy and TLS terminator.\n\n"
          "The private key and the certificate are needed when a frontend uses TLS.\n"
          "SIZE: digits and at most one of K, M, G (powers of 1024).\n"
          "DURATION: digits and at most one of h, m, s, ms; without one it is seconds.\n",
          out);
    const char *group = "";
    for (size_t i = 0; i < cfg_noptions; i++) {
        const struct cfg_option *o = &cfg_options[i];
        if (!cfg_option_documented(o)) {
            continue;
        }
        if (strcmp(group, o->group) != 0) {
            group = o->group;
            fprintf(out, "\n%s:\n", group);
        }
        print_option(out, o);
    }
}

void cfg_print_version(FILE *out)
{
    /* Scripts look for the two words of the original. */
    fprintf(out, "nghttpx nghttp2/%s\n", cfg_version);
}
