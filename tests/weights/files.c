/* files.c: temporary files for the suites of the weights room. See files.h. */
#include "files.h"
#include "corpus.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

const char *temporary_path(const char *name) {
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

int make_temporary_folder(void **state) {
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%s/nst-weights-XXXXXX", base == NULL ? "/tmp" : base);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static void remove_folder(const char *path, int levels) {
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char inner[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) != 0 && levels > 0)
            remove_folder(inner, levels - 1);
    }
    closedir(directory);
    rmdir(path);
}

int remove_temporary_folder(void **state) {
    (void)state;
    remove_folder(folder, 4);
    return 0;
}

const char *write_bytes(const char *name, const void *data, size_t bytes) {
    const char *path = temporary_path(name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
    return path;
}

const char *write_text(const char *name, const char *text) {
    const char *path = write_bytes(name, text, strlen(text));
    corpus_keep(path);
    return path;
}

const char *write_safetensors(const char *name, const char *header, const void *data, size_t bytes) {
    size_t length = strlen(header);
    unsigned char *file = calloc(1, 8 + length + bytes);
    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)length >> (8 * i));
    memcpy(file + 8, header, length);
    if (data != NULL)
        memcpy(file + 8 + length, data, bytes);
    const char *path = write_bytes(name, file, 8 + length + bytes);
    free(file);
    return path;
}

void assert_open_fails(const char *path, const nst_network_options *options, nst_status status, const char *part) {
    nst_network *network = NULL;
    nst_error error = {NST_OK, ""};
    corpus_keep(path);
    nst_status found = nst_network_open(path, options, &network, &error);
    if (found == NST_OK) {
        nst_network_destroy(network);
        fail_msg("%s was accepted, expected an error with: %s", path, part);
    }
    if (strstr(error.message, part) == NULL || strstr(error.message, path) == NULL ||
        strchr(error.message, '\n') != NULL)
        fail_msg("expected one line with \"%s\" and the file's name, found: %s", part, error.message);
    assert_int_equal(error.status, found);
    if (status != NST_OK)
        assert_int_equal(found, status);
    assert_null(network);
}
