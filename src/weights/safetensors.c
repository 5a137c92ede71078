/* safetensors.c: reads and writes the safetensors format: eight bytes with the length of a JSON header (little-endian),
 * the header { "name": {"dtype", "shape", "data_offsets"}, ..., "__metadata__": {...} }, then the tensors' bytes. */
#include "weights/safetensors.h"
#include "support/error.h"
#include "support/file.h"
#include <stdlib.h>
#include <string.h>

#define HEADER_LIMIT_BYTES (16u << 20)

/* ---- Reading --------------------------------------------------------------------------------------------------- */

/* A JSON integer that is not negative; false for anything else. */
static bool whole_number(const json_t *value, uint64_t *number) {
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static nst_status read_type(const struct tensor_list *list, const char *name, const json_t *value,
                            struct tensor *tensor, nst_error *error) {
    char shown[40];
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    for (int type = 0; type < TENSOR_TYPE_COUNT; type++) {
        if (strcmp(tensor_type_info((enum tensor_type)type)->name, text) == 0) {
            tensor->type = (enum tensor_type)type;
            return NST_OK;
        }
    }
    return fail(error, NST_ERROR_FORMAT,
                "%s: the tensor %s has the type \"%s\", which nst does not read (F32, F16, ...)", list->path, name,
                printable(text, strlen(text), shown, sizeof shown));
}

static nst_status read_shape(const struct tensor_list *list, const char *name, const json_t *value,
                             struct tensor *tensor, nst_error *error) {
    size_t dimensions = json_array_size(value);
    if (!json_is_array(value) || dimensions > TENSOR_MAX_DIMENSIONS) {
        return fail(error, NST_ERROR_FORMAT, "%s: the shape of the tensor %s is not a list of at most %d numbers",
                    list->path, name, TENSOR_MAX_DIMENSIONS);
    }
    tensor->dimensions = (int)dimensions;
    for (size_t i = 0; i < dimensions; i++) {
        if (!whole_number(json_array_get(value, i), &tensor->shape[i])) {
            return fail(error, NST_ERROR_FORMAT,
                        "%s: the shape of the tensor %s holds something else than whole numbers", list->path, name);
        }
    }
    if (!tensor_measure(tensor, true)) {
        return fail(error, NST_ERROR_FORMAT, "%s: the shape of the tensor %s is impossibly large", list->path, name);
    }
    return NST_OK;
}

static nst_status read_entry(struct tensor_list *list, const char *name, const json_t *entry, uint64_t data_start,
                             nst_error *error) {
    struct tensor tensor = {.zip_entry = -1};
    char shown[80];
    const char *shown_name = printable(name, strlen(name), shown, sizeof shown);
    if (!json_is_object(entry)) {
        return fail(error, NST_ERROR_FORMAT, "%s: the header entry \"%s\" does not describe a tensor", list->path,
                    shown_name);
    }
    nst_status status = read_type(list, shown_name, json_object_get(entry, "dtype"), &tensor, error);
    if (!status) {
        status = read_shape(list, shown_name, json_object_get(entry, "shape"), &tensor, error);
    }
    if (status) {
        return status;
    }

    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t begin, end, data_bytes = list->file_bytes - data_start;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !whole_number(json_array_get(offsets, 0), &begin) ||
        !whole_number(json_array_get(offsets, 1), &end) || begin > end) {
        return fail(error, NST_ERROR_FORMAT, "%s: the data_offsets of the tensor %s are not two ascending numbers",
                    list->path, shown_name);
    }
    if (end > data_bytes) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s is truncated: the tensor %s ends at byte %llu of the data, the file has %llu; get it again",
                    list->path, shown_name, (unsigned long long)end, (unsigned long long)data_bytes);
    }
    uint64_t expected = tensor.count * tensor_type_info(tensor.type)->bytes; /* count <= 2^61: see tensor_measure */
    if (end - begin != expected) {
        return fail(error, NST_ERROR_FORMAT, "%s: the tensor %s takes %llu bytes by its shape, but %llu by its offsets",
                    list->path, shown_name, (unsigned long long)expected, (unsigned long long)(end - begin));
    }
    tensor.offset_bytes = data_start + begin;
    return tensor_list_add(list, name, &tensor, error);
}

static int compare_offsets(const void *a, const void *b) {
    const struct tensor *x = a, *y = b;
    if (x->offset_bytes != y->offset_bytes) {
        return x->offset_bytes < y->offset_bytes ? -1 : 1;
    }
    return (x->count > y->count) - (x->count < y->count);
}

/* No two tensors may share bytes, and (as the format demands) no byte may lie between or behind them. */
static nst_status check_layout(struct tensor_list *list, uint64_t data_start, nst_error *error) {
    uint64_t end = data_start;
    if (list->count > 1) {
        qsort(list->tensors, list->count, sizeof *list->tensors, compare_offsets);
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor *tensor = &list->tensors[i];
        if (tensor->offset_bytes < end) {
            return fail(error, NST_ERROR_FORMAT, "%s: the tensor %s overlaps %s", list->path, tensor->name,
                        list->tensors[i - 1].name);
        }
        if (tensor->offset_bytes > end) {
            return fail(error, NST_ERROR_FORMAT, "%s: %llu bytes before the tensor %s belong to none", list->path,
                        (unsigned long long)(tensor->offset_bytes - end), tensor->name);
        }
        end += tensor->count * tensor_type_info(tensor->type)->bytes;
    }
    if (end != list->file_bytes) {
        return fail(error, NST_ERROR_FORMAT, "%s: %llu bytes behind the last tensor belong to none", list->path,
                    (unsigned long long)(list->file_bytes - end));
    }
    return NST_OK;
}

static nst_status read_entries(struct tensor_list *list, json_t *header, uint64_t data_start, nst_error *error) {
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) {
            list->metadata = json_is_object(entry) ? json_incref(entry) : NULL;
            continue;
        }
        nst_status status = read_entry(list, name, entry, data_start, error);
        if (status) {
            return status;
        }
    }
    return check_layout(list, data_start, error);
}

nst_status safetensors_list(struct tensor_list *list, nst_error *error) {
    unsigned char length_bytes[8];
    nst_status status = tensor_list_read(list, 0, length_bytes, 8, "the header's length", error);
    if (status) {
        return status;
    }
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) {
        length = length << 8 | length_bytes[i];
    }
    if (length > HEADER_LIMIT_BYTES) {
        return fail(error, NST_ERROR_FORMAT, "%s: a header of %llu bytes is more than the %u that nst reads",
                    list->path, (unsigned long long)length, HEADER_LIMIT_BYTES);
    }
    char *text = malloc((size_t)length + 1);
    if (text == NULL) {
        return fail_memory(error, (size_t)length + 1, "the header of a network");
    }
    status = tensor_list_read(list, 8, text, (size_t)length, "the header", error);
    if (!status) {
        json_error_t problem;
        json_t *header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
        if (!json_is_object(header)) {
            char shown[160];
            const char *reason = header == NULL ? problem.text : "it is not an object";
            status = fail(error, NST_ERROR_FORMAT, "%s: the header is not valid JSON: %s", list->path,
                          printable(reason, strlen(reason), shown, sizeof shown));
        } else {
            status = read_entries(list, header, 8 + length, error);
        }
        json_decref(header);
    }
    free(text);
    return status;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

static uint64_t item_bytes(const struct safetensors_item *item) {
    uint64_t bytes = tensor_type_info(item->type)->bytes;
    for (int i = 0; i < item->dimensions; i++) {
        bytes *= (uint64_t)item->shape[i];
    }
    return bytes;
}

/* The header as text, padded with spaces so that the data begins at a multiple of 8 bytes. NULL: out of memory. */
static char *header_text(const struct safetensors_item *items, size_t count, json_t *metadata) {
    json_t *header = json_object();
    uint64_t offset = 0;
    int failed = metadata == NULL ? 0 : json_object_set(header, "__metadata__", metadata);
    for (size_t i = 0; i < count && failed == 0; i++) {
        json_t *shape = json_array();
        for (int d = 0; d < items[i].dimensions; d++) {
            failed |= json_array_append_new(shape, json_integer(items[i].shape[d]));
        }
        uint64_t end = offset + item_bytes(&items[i]);
        json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor_type_info(items[i].type)->name, "shape",
                                  shape, "data_offsets", (json_int_t)offset, (json_int_t)end);
        failed |= json_object_set_new(header, items[i].name, entry);
        offset = end;
    }
    char *compact = failed ? NULL : json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (compact == NULL) {
        return NULL;
    }
    size_t length = strlen(compact), padded = (length + 7) / 8 * 8;
    char *text = malloc(padded + 1);
    if (text != NULL) {
        memcpy(text, compact, length);
        memset(text + length, ' ', padded - length);
        text[padded] = 0;
    }
    free(compact);
    return text;
}

static bool write_item(FILE *stream, const struct safetensors_item *item) {
    size_t bytes = (size_t)item_bytes(item);
    if (item->type != TENSOR_F32) {
        return fwrite(item->data, 1, bytes, stream) == bytes;
    }
    const float *values = item->data;
    for (size_t i = 0; i < bytes / 4; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        unsigned char little[4] = {(unsigned char)bits, (unsigned char)(bits >> 8), (unsigned char)(bits >> 16),
                                   (unsigned char)(bits >> 24)};
        if (fwrite(little, 1, 4, stream) != 4) {
            return false;
        }
    }
    return true;
}

nst_status safetensors_write(const char *path, const struct safetensors_item *items, size_t count, json_t *metadata,
                             nst_error *error) {
    char *header = header_text(items, count, metadata);
    if (header == NULL) {
        return fail_memory(error, 0, "the header of a network");
    }
    struct file_replacement replacement = {0};
    nst_status status = file_replacement_begin(&replacement, path, error);
    if (status) {
        free(header);
        return status;
    }
    unsigned char length_bytes[8];
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++) {
        length_bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    bool written =
        fwrite(length_bytes, 1, 8, replacement.stream) == 8 && fwrite(header, 1, length, replacement.stream) == length;
    for (size_t i = 0; i < count && written; i++) {
        written = write_item(replacement.stream, &items[i]);
    }
    if (written) {
        status = file_replacement_commit(&replacement, error);
    } else {
        status = fail(error, NST_ERROR_FILE, "cannot write %s: is the disk full?", path);
        file_replacement_abort(&replacement);
    }
    free(header);
    return status;
}
