/* Feeds every file of a folder to a fuzz target, so that its corpus is an ordinary test. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the file into memory of exactly its size, so that a sanitizer sees a read past its end. */
static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    size_t size = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = size > 0 ? malloc(size) : NULL;
    if (size > 0 && (data == NULL || fread(data, 1, size, f) != size)) {
        perror(path);
        exit(1);
    }
    fclose(f);
    int rc = LLVMFuzzerTestOneInput(data, size);
    free(data);
    return rc;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (dir == NULL) {
        fprintf(stderr, "usage: %s FOLDER (of inputs; %s)\n", argv[0],
                argc == 2 ? "it cannot be read" : "none is given");
        return 1;
    }
    unsigned count = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[4096];
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name) >= sizeof(path)) {
            fprintf(stderr, "%s: the path is too long\n", entry->d_name);
            return 1;
        }
        if (replay(path) != 0) {
            fprintf(stderr, "%s: refused\n", path);
            return 1;
        }
        count++;
    }
    closedir(dir);
    printf("%u inputs replayed\n", count);
    return count > 0 ? 0 : 1; /* an empty corpus shows nothing */
}
