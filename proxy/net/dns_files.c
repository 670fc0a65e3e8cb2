/* hosts(5) and resolv.conf(5). Both are read as a whole, line by line; they are small and local. */
#include "net/dns_files.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DNS_PORT 53u
#define BLANKS   " \t\r\n\f\v"

static bool parse_ip(const char *text, struct dns_address *a)
{
    *a = (struct dns_address){.family = AF_INET};
    if (inet_pton(AF_INET, text, a->octets) == 1) {
        return true;
    }
    a->family = AF_INET6;
    return inet_pton(AF_INET6, text, a->octets) == 1;
}

size_t dns_hosts_lookup(const char *path, const char *name, struct dns_address *out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    char *line = NULL;
    size_t cap = 0, n = 0;
    while (n < DNS_FILE_MAX && getline(&line, &cap, file) >= 0) {
        line[strcspn(line, "#")] = '\0';
        char *rest = line, *word = strsep(&rest, BLANKS);
        while (word != NULL && *word == '\0') {
            word = strsep(&rest, BLANKS);
        }
        if (word == NULL || !parse_ip(word, &out[n])) {
            continue; /* empty, or an address that this system's files may have but we do not
                         understand (a scope): the line is about nothing that we can use */
        }
        while ((word = strsep(&rest, BLANKS)) != NULL) {
            if (strcasecmp(word, name) == 0) {
                n++;
                break;
            }
        }
    }
    free(line);
    fclose(file);
    return n;
}

/* A port of 1 to 65535, and nothing behind it; 0: it is none. */
static uint16_t parse_port(const char *text)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 5) {
        return 0;
    }
    unsigned long port = strtoul(text, &end, 10);
    return *end == '\0' && port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* `text` is cut up. */
static bool parse_server(char *text, struct dns_address *a)
{
    char *port = NULL;
    if (text[0] == '[') {
        char *close = strchr(text, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
            return false;
        }
        port = close[1] == ':' ? close + 2 : NULL;
        *close = '\0';
        text++;
        if (!parse_ip(text, a) || a->family != AF_INET6) {
            return false;
        }
    } else {
        /* One colon ends an IPv4 address; more are an IPv6 address without port. */
        char *colon = strchr(text, ':');
        if (colon != NULL && strchr(colon + 1, ':') == NULL) {
            port = colon + 1;
            *colon = '\0';
        }
        if (!parse_ip(text, a)) {
            return false;
        }
    }
    a->port = port != NULL ? parse_port(port) : DNS_PORT;
    return a->port != 0;
}

enum dns_servers_result dns_servers_read(const char *path, struct dns_address *out, size_t *n,
                                         unsigned *bad_line)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    *n = 0;
    *bad_line = 0;
    if (file == NULL) {
        return DNS_SERVERS_UNREADABLE;
    }
    enum dns_servers_result result = DNS_SERVERS_OK;
    for (unsigned number = 1; *n < DNS_FILE_MAX && getline(&line, &cap, file) >= 0; number++) {
        line[strcspn(line, "#;")] = '\0';
        char *save, *word = strtok_r(line, BLANKS, &save);
        if (word == NULL || strcmp(word, "nameserver") != 0) {
            continue;
        }
        char *address = strtok_r(NULL, BLANKS, &save);
        if (address == NULL || strtok_r(NULL, BLANKS, &save) != NULL ||
            !parse_server(address, &out[*n])) {
            *bad_line = number;
            result = DNS_SERVERS_BAD;
            break;
        }
        (*n)++;
    }
    if (result == DNS_SERVERS_OK && *n == 0) {
        /* A folder opens, too, but does not read. */
        result = ferror(file) ? DNS_SERVERS_UNREADABLE : DNS_SERVERS_NONE;
    }
    free(line);
    fclose(file);
    assert(*n <= DNS_FILE_MAX);
    return result;
}
