/* folder.c: a temporary folder; see folder.h. */
#define _XOPEN_SOURCE 700
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[1024];

int folder_create(void **state) {
    (void)state;
    char folder[900];
    if (!getcwd(folder, sizeof folder)) {
        return -1;
    }
    snprintf(root, sizeof root, "%s/test-XXXXXX", folder);
    return mkdtemp(root) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info, (void)kind, (void)place;
    return remove(path);
}

int folder_remove(void **state) {
    (void)state;
    return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *folder_path(const char *name) {
    static char paths[4][1280];
    static int latest;
    latest = (latest + 1) % 4;
    snprintf(paths[latest], sizeof paths[latest], "%s%s%s", root, *name ? "/" : "", name);
    return paths[latest];
}

void folder_write(const char *name, const void *data, size_t bytes) {
    FILE *stream = fopen(folder_path(name), "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

char *folder_read(const char *name, size_t *bytes) {
    FILE *stream = fopen(folder_path(name), "rb");
    assert_non_null(stream);
    char *data = calloc(1, 1 << 20);
    assert_non_null(data);
    *bytes = fread(data, 1, (1 << 20) - 1, stream);
    fclose(stream);
    return data;
}

int folder_count(const char *name) {
    DIR *folder = opendir(folder_path(name));
    int count = 0;
    if (!folder) {
        return -1;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(folder);
    return count;
}
