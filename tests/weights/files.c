/* files.c: temporary files for the suites of the weights room. See files.h. */
#include "files.h"
#include "corpus.h"
#include "weights/safetensors.h"
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

static const int vgg_channels[] = {3, 64, 64, 128, 128, 256};

const char *write_vgg(const char *name, const struct vgg_file *file) {
    static float zeros[256 * 129 * 9];
    struct safetensors_item items[16];
    size_t count = 0;
    nst_error error = {NST_OK, ""};
    for (int i = 0; file->names[i] != NULL; i++) {
        if (file->names[i][0] == 0)
            continue; /* left out */
        items[count] = (struct safetensors_item){.type = TENSOR_F32, .dimensions = 4, .data = zeros};
        snprintf(items[count].name, sizeof items[count].name, "%s.weight", file->names[i]);
        items[count].shape[0] = vgg_channels[i + 1];
        items[count].shape[1] = vgg_channels[i] + (i == file->broken_shape ? 1 : 0);
        items[count].shape[2] = items[count].shape[3] = 3;
        items[count + 1] = (struct safetensors_item){.type = TENSOR_F32, .dimensions = 1, .data = zeros};
        snprintf(items[count + 1].name, sizeof items[count + 1].name, "%s.bias", file->names[i]);
        items[count + 1].shape[0] = vgg_channels[i + 1];
        count += 2;
    }
    json_t *metadata = file->input == NULL ? NULL : json_pack("{s:s}", "input", file->input);
    const char *path = temporary_path(name);
    assert_int_equal(safetensors_write(path, items, count, metadata, &error), NST_OK);
    json_decref(metadata);
    return path;
}

nst_network *open_network(const char *name_or_path, const nst_network_options *options) {
    nst_network *network = NULL;
    nst_error error = {NST_OK, ""};
    corpus_keep(name_or_path);
    if (nst_network_open(name_or_path, options, &network, &error) != NST_OK)
        fail_msg("%s: %s", name_or_path, error.message);
    return network;
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
