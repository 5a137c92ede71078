/* torch_zip.c: the form of torch.save since PyTorch 1.6: a zip file with the pickle NAME/data.pkl and one entry
 * NAME/data/KEY for each storage (torch/serialization.py, _save). */
#include "support/error.h"
#include "weights/pickle.h"
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#define MAX_ENTRIES       100000
#define ENTRY_NAME_LENGTH 512

static nst_status fail_zip(const struct tensor_list *list, const char *what, const char *reason, nst_error *error) {
    char shown[160];
    return fail(error, NST_ERROR_FORMAT, "%s: cannot read %s from the zip file: %s; get it again", list->path, what,
                printable(reason, strlen(reason), shown, sizeof shown));
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* An entry of the zip file. */
struct entry {
    const struct tensor_list *list;
    zip_uint64_t index;
    const char *what; /* for messages */
};

/* Reads `bytes` of an entry from `offset_bytes` on. */
static nst_status read_entry(struct entry entry, uint64_t offset_bytes, void *data, size_t bytes, nst_error *error) {
    const struct tensor_list *list = entry.list;
    const char *what = entry.what;
    zip_file_t *file = zip_fopen_index(list->archive, entry.index, 0);
    if (file == NULL) {
        return fail_zip(list, what, zip_strerror(list->archive), error);
    }
    nst_status status = NST_OK;
    unsigned char skipped[4096];
    while (offset_bytes > 0 && !status) { /* compressed entries cannot be sought in */
        uint64_t step = offset_bytes < sizeof skipped ? offset_bytes : sizeof skipped;
        zip_int64_t count = zip_fread(file, skipped, step);
        if (count <= 0) {
            status = fail_zip(list, what, "it is truncated or damaged", error);
        } else {
            offset_bytes -= (uint64_t)count;
        }
    }
    size_t done = 0;
    while (done < bytes && !status) {
        zip_int64_t count = zip_fread(file, (char *)data + done, bytes - done);
        if (count <= 0) {
            status = fail_zip(list, what, "it is truncated or damaged", error);
        } else {
            done += (size_t)count;
        }
    }
    /* One read at the end makes libzip compare the checksum of an entry that was read as a whole. */
    if (!status && zip_fread(file, skipped, 1) < 0) {
        status = fail_zip(list, what, "its checksum is wrong", error);
    }
    zip_fclose(file);
    return status;
}

nst_status torch_zip_read(const struct tensor_list *list, const struct tensor *tensor, void *data, size_t bytes,
                          nst_error *error) {
    struct entry entry = {list, (zip_uint64_t)tensor->zip_entry, tensor->name};
    return read_entry(entry, tensor->offset_bytes, data, bytes, error);
}

void torch_zip_close(struct tensor_list *list) {
    if (list->archive != NULL) {
        zip_discard(list->archive);
    }
    list->archive = NULL;
}

/* The index of NAME/data.pkl, and the length of "NAME/". */
static nst_status find_pickle(const struct tensor_list *list, zip_uint64_t *entry, size_t *prefix, nst_error *error) {
    zip_int64_t count = zip_get_num_entries(list->archive, 0);
    bool found = false;
    if (count > MAX_ENTRIES) {
        return fail(error, NST_ERROR_FORMAT, "%s: a zip file of %lld entries is no network", list->path,
                    (long long)count);
    }
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(list->archive, (zip_uint64_t)i, 0);
        if (name == NULL) {
            continue;
        }
        if (ends_with(name, "/constants.pkl")) {
            return fail(error, NST_ERROR_FORMAT,
                        "%s is a TorchScript program; expected a dictionary of tensors, saved with "
                        "torch.save(model.state_dict(), ...)",
                        list->path);
        }
        if (ends_with(name, "/data.pkl") && strchr(name, '/') == strrchr(name, '/')) {
            if (found) {
                return fail(error, NST_ERROR_FORMAT, "%s holds two pickles", list->path);
            }
            found = true;
            *entry = (zip_uint64_t)i;
            *prefix = strlen(name) - strlen("data.pkl");
        }
    }
    if (!found) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s is a zip file without data.pkl; expected a network (safetensors, torch.save or Keras)",
                    list->path);
    }
    return NST_OK;
}

/* Reads a whole entry of at most `limit` bytes. */
static nst_status read_whole(struct entry entry, size_t limit, unsigned char **data, size_t *bytes, nst_error *error) {
    const struct tensor_list *list = entry.list;
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(list->archive, entry.index, 0, &stat) != 0 || (stat.valid & ZIP_STAT_SIZE) == 0) {
        return fail_zip(list, entry.what, "its size is unknown", error);
    }
    if (stat.size > limit) {
        return fail(error, NST_ERROR_FORMAT, "%s: %s has %llu bytes, nst reads at most %zu", list->path, entry.what,
                    (unsigned long long)stat.size, limit);
    }
    *bytes = (size_t)stat.size;
    *data = malloc(*bytes + 1);
    if (*data == NULL) {
        return fail_memory(error, *bytes + 1, entry.what);
    }
    nst_status status = read_entry(entry, 0, *data, *bytes, error);
    if (status) {
        free(*data);
        *data = NULL;
    }
    return status;
}

/* Newer files say in which order their bytes are; older ones are little-endian. */
static nst_status check_byte_order(const struct tensor_list *list, char *name, size_t prefix, nst_error *error) {
    strcpy(name + prefix, "byteorder");
    zip_int64_t index = zip_name_locate(list->archive, name, 0);
    if (index < 0) {
        return NST_OK;
    }
    unsigned char *text;
    size_t bytes;
    nst_status status = read_whole((struct entry){list, (zip_uint64_t)index, "byteorder"}, 64, &text, &bytes, error);
    if (status) {
        return status;
    }
    bool little = bytes >= 6 && memcmp(text, "little", 6) == 0;
    free(text);
    return little ? NST_OK
                  : fail(error, NST_ERROR_FORMAT, "%s was saved on a big-endian machine; nst reads little-endian files",
                         list->path);
}

static nst_status locate_storage(const struct tensor_list *list, char *name, size_t prefix,
                                 struct pickle_storage *storage, nst_error *error) {
    char shown[80];
    printable(storage->key, storage->key_length, shown, sizeof shown);
    int64_t entry = -1;
    if (storage->key_length < ENTRY_NAME_LENGTH - prefix - 8 && memchr(storage->key, 0, storage->key_length) == NULL) {
        memcpy(name + prefix, "data/", 5);
        memcpy(name + prefix + 5, storage->key, storage->key_length);
        name[prefix + 5 + storage->key_length] = 0;
        entry = zip_name_locate(list->archive, name, 0);
    }
    if (entry < 0) {
        return fail(error, NST_ERROR_FORMAT, "%s is damaged: the zip file has no entry data/%s", list->path, shown);
    }
    zip_stat_t stat;
    zip_stat_init(&stat);
    size_t element_bytes = tensor_type_info(storage->type)->bytes;
    if (zip_stat_index(list->archive, (zip_uint64_t)entry, 0, &stat) != 0 || (stat.valid & ZIP_STAT_SIZE) == 0) {
        return fail_zip(list, shown, "its size is unknown", error);
    }
    if (storage->count > UINT64_MAX / element_bytes || stat.size != storage->count * element_bytes) {
        return fail(error, NST_ERROR_FORMAT, "%s: the storage data/%s has %llu bytes, its tensors expect %llu values",
                    list->path, shown, (unsigned long long)stat.size, (unsigned long long)storage->count);
    }
    storage->zip_entry = entry;
    storage->found = true;
    return NST_OK;
}

static nst_status open_archive(struct tensor_list *list, nst_error *error) {
    zip_error_t problem;
    nst_status status = NST_OK;
    zip_error_init(&problem);
    zip_source_t *source = list->memory != NULL ? zip_source_buffer_create(list->memory, list->file_bytes, 0, &problem)
                                                : zip_source_file_create(list->path, 0, -1, &problem);
    if (source != NULL) {
        list->archive = zip_open_from_source(source, ZIP_RDONLY, &problem);
    }
    if (list->archive == NULL) {
        status = fail(error, NST_ERROR_FORMAT, "%s is truncated or damaged: as a zip file: %s; get it again",
                      list->path, zip_error_strerror(&problem));
        zip_source_free(source); /* which the archive would have taken over */
    }
    zip_error_fini(&problem);
    return status;
}

nst_status torch_zip_list(struct tensor_list *list, nst_error *error) {
    nst_status status = open_archive(list, error);
    if (status) {
        return status;
    }
    zip_uint64_t entry = 0;
    size_t prefix = 0, bytes = 0;
    char name[ENTRY_NAME_LENGTH];
    unsigned char *data = NULL;
    status = find_pickle(list, &entry, &prefix, error);
    if (!status && prefix > ENTRY_NAME_LENGTH / 2) {
        status = fail(error, NST_ERROR_FORMAT, "%s: the names in the zip file are too long", list->path);
    }
    if (!status) {
        status = read_whole((struct entry){list, entry, "data.pkl"}, PICKLE_LIMIT_BYTES, &data, &bytes, error);
    }
    if (status) {
        return status;
    }
    memcpy(name, zip_get_name(list->archive, entry, 0), prefix);
    status = check_byte_order(list, name, prefix, error);

    struct pickle pickle = {0};
    uint32_t root = 0;
    if (!status) {
        status = pickle_read(&pickle, list->path, data, bytes, &root, error);
    }
    if (!status) {
        status = pickle_check_dictionary(&pickle, root, error);
    }
    for (size_t i = 0; i < pickle.storage_count && !status; i++) {
        status = locate_storage(list, name, prefix, &pickle.storages[i], error);
    }
    if (!status) {
        status = pickle_list_tensors(&pickle, root, list, error);
    }
    pickle_free(&pickle);
    free(data);
    return status;
}
