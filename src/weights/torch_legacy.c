/* torch_legacy.c: the form of torch.save before PyTorch 1.6: pickles of a magic number, the protocol, the machine, the
 * dictionary and the list of storage keys, one after the other; then each storage, in the order of the keys, as eight
 * bytes with its number of elements and the elements (torch/serialization.py, _legacy_save). */
#include "support/error.h"
#include "weights/pickle.h"
#include <stdlib.h>
#include <string.h>

#define LEGACY_PROTOCOL 1001

/* The pickles at the start of the file. */
struct legacy_head {
    const unsigned char *data;
    size_t bytes, position;
};

static nst_status next_pickle(struct legacy_head *head, const char *path, struct pickle *pickle, uint32_t *root,
                              nst_error *error) {
    nst_status status =
        pickle_read(pickle, path, head->data + head->position, head->bytes - head->position, root, error);
    head->position += pickle->position;
    return status;
}

/* Magic number (checked by the caller), protocol, and the machine's byte order. */
static nst_status check_preamble(struct legacy_head *head, const char *path, nst_error *error) {
    for (int i = 0; i < 3; i++) {
        struct pickle pickle;
        uint32_t root = 0;
        nst_status status = next_pickle(head, path, &pickle, &root, error);
        const struct pickle_value *value = !status ? &pickle.values[root] : NULL;
        if (!status && i == 1 && (value->kind != PICKLE_INTEGER || value->as.integer != LEGACY_PROTOCOL)) {
            status = fail(error, NST_ERROR_FORMAT, "%s was saved with another torch protocol than %d", path,
                          LEGACY_PROTOCOL);
        }
        if (!status && i == 2) {
            const struct pickle_value *order =
                value->kind == PICKLE_DICTIONARY ? pickle_find(&pickle, value, "little_endian") : NULL;
            if (order == NULL || order->kind != PICKLE_BOOL || order->as.integer != 1) {
                status = fail(error, NST_ERROR_FORMAT,
                              "%s was saved on a big-endian machine; nst reads little-endian files", path);
            }
        }
        pickle_free(&pickle);
        if (status) {
            return status;
        }
    }
    return NST_OK;
}

static struct pickle_storage *find_storage(struct pickle *dictionary, const struct pickle_value *key) {
    for (size_t i = 0; i < dictionary->storage_count && key->kind == PICKLE_TEXT; i++) {
        struct pickle_storage *storage = &dictionary->storages[i];
        if (storage->key_length == key->as.text.length &&
            memcmp(storage->key, key->as.text.bytes, key->as.text.length) == 0) {
            return storage;
        }
    }
    return NULL;
}

/* Walks over the storages behind the pickles and notes where each begins. */
static nst_status locate_storages(const struct tensor_list *list, uint64_t position, const struct pickle *keys,
                                  uint32_t root, struct pickle *dictionary, nst_error *error) {
    const struct pickle_value *order = &keys->values[root];
    if (order->kind != PICKLE_LIST || order->as.sequence.count > TENSOR_MAX_COUNT) {
        return fail(error, NST_ERROR_FORMAT, "%s: the list of storages is damaged", list->path);
    }
    for (size_t i = 0; i < order->as.sequence.count; i++) {
        const struct pickle_value *key = &keys->values[order->as.sequence.items[i]];
        struct pickle_storage *storage = find_storage(dictionary, key);
        char shown[40];
        if (storage == NULL || storage->found) {
            return fail(error, NST_ERROR_FORMAT, "%s: storage %zu belongs to no tensor, or is listed twice", list->path,
                        i);
        }
        printable(storage->key, storage->key_length, shown, sizeof shown);
        unsigned char count_bytes[8];
        nst_status status = tensor_list_read(list, position, count_bytes, 8, "the length of a storage", error);
        if (status) {
            return status;
        }
        uint64_t count = 0;
        for (int b = 7; b >= 0; b--) {
            count = count << 8 | count_bytes[b];
        }
        if (count != storage->count) {
            return fail(error, NST_ERROR_FORMAT, "%s: the storage %s holds %llu values, its tensors expect %llu",
                        list->path, shown, (unsigned long long)count, (unsigned long long)storage->count);
        }
        position += 8;
        size_t element_bytes = tensor_type_info(storage->type)->bytes;
        if (count > (list->file_bytes - position) / element_bytes) {
            return fail(error, NST_ERROR_FORMAT,
                        "%s is truncated: the storage %s has %llu values of %zu bytes, the file %llu bytes from there; "
                        "get it again",
                        list->path, shown, (unsigned long long)count, element_bytes,
                        (unsigned long long)(list->file_bytes - position));
        }
        storage->offset_bytes = position;
        storage->found = true;
        position += count * element_bytes;
    }
    if (position != list->file_bytes) {
        return fail(error, NST_ERROR_FORMAT, "%s: %llu bytes behind the last storage belong to none", list->path,
                    (unsigned long long)(list->file_bytes - position));
    }
    return NST_OK;
}

static nst_status read_head(struct tensor_list *list, struct legacy_head *head, nst_error *error) {
    struct pickle dictionary = {0}, keys = {0};
    uint32_t dictionary_root = 0, keys_root = 0;
    nst_status status = check_preamble(head, list->path, error);
    if (!status) {
        status = next_pickle(head, list->path, &dictionary, &dictionary_root, error);
    }
    if (!status) {
        status = pickle_check_dictionary(&dictionary, dictionary_root, error);
    }
    if (!status) {
        status = next_pickle(head, list->path, &keys, &keys_root, error);
    }
    if (!status) {
        status = locate_storages(list, head->position, &keys, keys_root, &dictionary, error);
    }
    if (!status) {
        status = pickle_list_tensors(&dictionary, dictionary_root, list, error);
    }
    pickle_free(&dictionary);
    pickle_free(&keys);
    return status;
}

nst_status torch_legacy_list(struct tensor_list *list, nst_error *error) {
    size_t bytes = list->file_bytes < PICKLE_LIMIT_BYTES ? (size_t)list->file_bytes : PICKLE_LIMIT_BYTES;
    unsigned char *data = malloc(bytes);
    if (data == NULL) {
        return fail_memory(error, bytes, "the start of a network");
    }
    nst_status status = tensor_list_read(list, 0, data, bytes, "the start of the file", error);
    if (!status) {
        struct legacy_head head = {data, bytes, 0};
        status = read_head(list, &head, error);
    }
    free(data);
    return status;
}
