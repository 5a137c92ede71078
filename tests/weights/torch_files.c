/* torch_files.c: see torch_files.h. The pickles are those of Python's C pickler: texts remembered, and from protocol 4
 * on framed, with short texts and names taken from the stack. */
#include "torch_files.h"
#include "corpus.h"
#include "files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* ---- Bytes ----------------------------------------------------------------------------------------------------- */

struct bytes {
    unsigned char *data;
    size_t count, capacity;
};

static void add_bytes(struct bytes *bytes, const void *data, size_t count) {
    while (bytes->count + count > bytes->capacity) {
        bytes->capacity = bytes->capacity == 0 ? 4096 : 2 * bytes->capacity;
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    if (count > 0)
        memcpy(bytes->data + bytes->count, data, count);
    bytes->count += count;
}

static void add_number(struct bytes *bytes, uint64_t number, int count) {
    for (int i = 0; i < count; i++)
        add_bytes(bytes, &(unsigned char){(unsigned char)(number >> 8 * i)}, 1);
}

static void add_code(struct bytes *bytes, int code) {
    add_number(bytes, (uint64_t)code, 1);
}

/* ---- Pickles --------------------------------------------------------------------------------------------------- */

struct pickler {
    struct bytes bytes;
    int protocol, remembered;
};

static void remember(struct pickler *pickler) {
    if (pickler->protocol >= 4) {
        add_code(&pickler->bytes, 0x94);
        return;
    }
    bool small = pickler->remembered < 256;
    add_code(&pickler->bytes, small ? 'q' : 'r');
    add_number(&pickler->bytes, (uint64_t)pickler->remembered++, small ? 1 : 4);
}

static void put_text(struct pickler *pickler, const char *text) {
    bool is_short = pickler->protocol >= 4;
    add_code(&pickler->bytes, is_short ? 0x8c : 'X');
    add_number(&pickler->bytes, strlen(text), is_short ? 1 : 4);
    add_bytes(&pickler->bytes, text, strlen(text));
    remember(pickler);
}

static void put_name(struct pickler *pickler, const char *module, const char *name) {
    if (pickler->protocol >= 4) {
        put_text(pickler, module);
        put_text(pickler, name);
        add_code(&pickler->bytes, 0x93);
    } else {
        add_code(&pickler->bytes, 'c');
        add_bytes(&pickler->bytes, module, strlen(module));
        add_code(&pickler->bytes, '\n');
        add_bytes(&pickler->bytes, name, strlen(name));
        add_code(&pickler->bytes, '\n');
    }
    remember(pickler);
}

static void put_integer(struct pickler *pickler, size_t integer) {
    int bytes = integer < 256 ? 1 : integer < 65536 ? 2 : 4;
    add_code(&pickler->bytes, bytes == 1 ? 'K' : bytes == 2 ? 'M' : 'J');
    add_number(&pickler->bytes, integer, bytes);
}

static void put_numbers(struct pickler *pickler, const int *numbers, int count) {
    add_code(&pickler->bytes, '(');
    for (int i = 0; i < count; i++)
        put_integer(pickler, (size_t)numbers[i]);
    add_code(&pickler->bytes, 't');
    remember(pickler);
}

/* OrderedDict() */
static void put_ordered_dictionary(struct pickler *pickler) {
    put_name(pickler, "collections", "OrderedDict");
    add_code(&pickler->bytes, ')');
    add_code(&pickler->bytes, 'R');
    remember(pickler);
}

static void put_tensor(struct pickler *pickler, const struct torch_file *file, const struct torch_tensor *tensor) {
    const struct torch_storage *storage = &file->storages[tensor->storage];
    char key[24];
    snprintf(key, sizeof key, "%zu", tensor->storage);
    put_name(pickler, "torch._utils", "_rebuild_tensor_v2");
    add_code(&pickler->bytes, '(');
    add_code(&pickler->bytes, '(');
    put_text(pickler, "storage");
    put_name(pickler, "torch", storage->type);
    put_text(pickler, key);
    put_text(pickler, "cpu");
    put_integer(pickler, storage->count);
    if (!file->zip)
        add_code(&pickler->bytes, 'N'); /* no view of the storage */
    add_code(&pickler->bytes, 't');
    remember(pickler);
    add_code(&pickler->bytes, 'Q');
    put_integer(pickler, tensor->offset);
    put_numbers(pickler, tensor->shape, tensor->dimensions);
    put_numbers(pickler, tensor->strides, tensor->dimensions);
    add_code(&pickler->bytes, 0x89); /* requires_grad: False */
    put_ordered_dictionary(pickler); /* hooks */
    add_code(&pickler->bytes, 't');
    remember(pickler);
    add_code(&pickler->bytes, 'R');
    remember(pickler);
}

/* The dictionary within others, each beside something of the state of a training. */
static void put_dictionary(struct pickler *pickler, const struct torch_file *file) {
    for (const char *const *key = file->around; key != NULL && *key != NULL; key++) {
        add_code(&pickler->bytes, '}');
        remember(pickler);
        add_code(&pickler->bytes, '(');
        put_text(pickler, "epoch");
        put_integer(pickler, 300);
        put_text(pickler, *key);
    }
    put_ordered_dictionary(pickler);
    add_code(&pickler->bytes, '(');
    for (size_t i = 0; i < file->tensor_count; i++) {
        put_text(pickler, file->tensors[i].name);
        put_tensor(pickler, file, &file->tensors[i]);
    }
    add_code(&pickler->bytes, 'u');
    for (const char *const *key = file->around; key != NULL && *key != NULL; key++)
        add_code(&pickler->bytes, 'u');
}

/* Ends the pickle, and appends it with its head to `to`. */
static void finish_pickle(struct pickler *pickler, struct bytes *to) {
    add_code(&pickler->bytes, '.');
    add_code(to, 0x80);
    add_code(to, pickler->protocol);
    if (pickler->protocol >= 4 && pickler->bytes.count >= 4) {
        add_code(to, 0x95);
        add_number(to, pickler->bytes.count, 8);
    }
    add_bytes(to, pickler->bytes.data, pickler->bytes.count);
    free(pickler->bytes.data);
    pickler->bytes = (struct bytes){0};
    pickler->remembered = 0;
}

/* ---- The two forms --------------------------------------------------------------------------------------------- */

static void put_preamble(struct pickler *pickler, struct bytes *to) {
    add_bytes(&pickler->bytes, "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12);
    finish_pickle(pickler, to);
    put_integer(pickler, 1001);
    finish_pickle(pickler, to);
    add_code(&pickler->bytes, '}');
    remember(pickler);
    put_text(pickler, "little_endian");
    add_code(&pickler->bytes, 0x88);
    add_code(&pickler->bytes, 's');
    finish_pickle(pickler, to);
}

static void write_legacy(const char *path, const struct torch_file *file) {
    struct bytes whole = {0};
    struct pickler pickler = {.protocol = file->protocol};
    put_preamble(&pickler, &whole);
    put_dictionary(&pickler, file);
    finish_pickle(&pickler, &whole);
    add_code(&pickler.bytes, ']');
    remember(&pickler);
    add_code(&pickler.bytes, '(');
    for (size_t i = 0; i < file->storage_count; i++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", i);
        put_text(&pickler, key);
    }
    add_code(&pickler.bytes, 'e');
    finish_pickle(&pickler, &whole);
    for (size_t i = 0; i < file->storage_count; i++) {
        add_number(&whole, file->storages[i].count, 8);
        add_bytes(&whole, file->storages[i].data, file->storages[i].count * file->storages[i].element_bytes);
    }
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(whole.data, 1, whole.count, stream), whole.count);
    assert_int_equal(fclose(stream), 0);
    free(whole.data);
}

static void add_entry(zip_t *archive, const char *name, const void *data, size_t bytes) {
    zip_source_t *source = zip_source_buffer(archive, data, bytes, 0);
    assert_non_null(source);
    zip_int64_t entry = zip_file_add(archive, name, source, ZIP_FL_OVERWRITE);
    assert_true(entry >= 0);
    assert_int_equal(zip_set_file_compression(archive, (zip_uint64_t)entry, ZIP_CM_STORE, 0), 0);
}

static void write_zip(const char *path, const struct torch_file *file) {
    int problem = 0;
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &problem);
    assert_non_null(archive);
    struct bytes whole = {0};
    struct pickler pickler = {.protocol = file->protocol};
    put_dictionary(&pickler, file);
    finish_pickle(&pickler, &whole);
    add_entry(archive, "archive/data.pkl", whole.data, whole.count);
    add_entry(archive, "archive/byteorder", "little", 6);
    for (size_t i = 0; i < file->storage_count; i++) {
        char name[48];
        snprintf(name, sizeof name, "archive/data/%zu", i);
        add_entry(archive, name, file->storages[i].data, file->storages[i].count * file->storages[i].element_bytes);
    }
    add_entry(archive, "archive/version", "3\n", 2);
    assert_int_equal(zip_close(archive), 0);
    free(whole.data);
}

const char *write_torch(const char *name, const struct torch_file *file) {
    const char *path = temporary_path(name);
    if (file->zip)
        write_zip(path, file);
    else
        write_legacy(path, file);
    corpus_keep(path);
    return path;
}
