/* corpus.c: copies the tests' files for the fuzzers. See corpus.h. */
#include "corpus.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_BYTES 16384

/* FNV-1a, 64 bits (Fowler, Noll and Vo 1991). */
static uint64_t hash(const unsigned char *data, size_t bytes) {
    uint64_t value = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++)
        value = (value ^ data[i]) * 0x100000001b3u;
    return value;
}

void corpus_keep(const char *path) {
    const char *folder = getenv("NST_CORPUS");
    unsigned char data[MOST_BYTES];
    char copy[4096];
    FILE *from = folder == NULL ? NULL : fopen(path, "rb");
    if (from == NULL)
        return;
    size_t bytes = fread(data, 1, sizeof data, from);
    fclose(from);
    if (bytes == 0 || bytes == sizeof data)
        return;
    snprintf(copy, sizeof copy, "%s/%016llx", folder, (unsigned long long)hash(data, bytes));
    FILE *to = fopen(copy, "wb");
    if (to == NULL || fwrite(data, 1, bytes, to) != bytes)
        perror(copy);
    if (to != NULL)
        fclose(to);
}
