/* tensors.c: opening a weight file, the list of its tensors, and their values as floats. See tensors.h. */
#include "weights/tensors.h"
#include "support/error.h"
#include "weights/foreign.h"
#include "weights/half.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SPREAD 16 /* elements in the file for each that is used, when a tensor is a cut from a larger one */

static const struct tensor_type_info types[TENSOR_TYPE_COUNT] = {
    [TENSOR_BOOL] = {"BOOL", "BoolStorage", 1}, [TENSOR_U8] = {"U8", "ByteStorage", 1},
    [TENSOR_I8] = {"I8", "CharStorage", 1},     [TENSOR_I16] = {"I16", "ShortStorage", 2},
    [TENSOR_I32] = {"I32", "IntStorage", 4},    [TENSOR_I64] = {"I64", "LongStorage", 8},
    [TENSOR_F16] = {"F16", "HalfStorage", 2},   [TENSOR_BF16] = {"BF16", "BFloat16Storage", 2},
    [TENSOR_F32] = {"F32", "FloatStorage", 4},  [TENSOR_F64] = {"F64", "DoubleStorage", 8},
};

const struct tensor_type_info *tensor_type_info(enum tensor_type type) {
    return &types[type];
}

/* ---- The list -------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static nst_status sort_names(struct tensor_list *list, nst_error *error) {
    if (list->count > 1) {
        qsort(list->tensors, list->count, sizeof *list->tensors, compare_names);
    }
    for (size_t i = 1; i < list->count; i++) {
        if (strcmp(list->tensors[i - 1].name, list->tensors[i].name) == 0) {
            return fail(error, NST_ERROR_FORMAT, "%s: two tensors are named %s", list->path, list->tensors[i].name);
        }
    }
    return NST_OK;
}

static nst_status open_stream(struct tensor_list *list, nst_error *error) {
    struct stat status;
    if (stat(list->path, &status) != 0) {
        return fail(error, NST_ERROR_FILE, "cannot open the network %s: %s", list->path, strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return fail(error, NST_ERROR_FILE, "cannot open the network %s: it is a folder", list->path);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(error, NST_ERROR_FILE, "cannot open the network %s: it is not a regular file", list->path);
    }
    list->file_bytes = (uint64_t)status.st_size;
    list->stream = fopen(list->path, "rb");
    if (list->stream == NULL) {
        return fail(error, NST_ERROR_FILE, "cannot open the network %s: %s", list->path, strerror(errno));
    }
    return NST_OK;
}

/* A file of torch.save's older form begins with the pickle of the integer 0x1950a86a20f9469cfc6c, of any protocol: from
 * the fourth on the number is preceded by the length of its frame. */
static bool is_torch_legacy(const unsigned char *start) {
    static const unsigned char magic[] = {0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
    const size_t protocol_bytes = 2, frame_bytes = 9;
    return start[0] == 0x80 &&
           memcmp(start + protocol_bytes + (start[protocol_bytes] == 0x95 ? frame_bytes : 0), magic, sizeof magic) == 0;
}

/* A file of safetensors begins with the length of its header, of which the upper bytes are zero, and the header. */
static bool is_safetensors(const unsigned char *start) {
    bool is_text = true;
    for (int i = 0; i < 8; i++) {
        is_text =
            is_text && (start[i] >= ' ' || start[i] == '\n' || start[i] == '\r' || start[i] == '\t') && start[i] < 0x7f;
    }
    return start[8] == '{' && !is_text;
}

static nst_status list_tensors(struct tensor_list *list, nst_error *error) {
    static const unsigned char zip_magic[] = {'P', 'K', 3, 4};
    static const unsigned char hdf5_magic[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char start[FOREIGN_START_BYTES] = {0};
    if (list->file_bytes == 0) {
        return fail(error, NST_ERROR_FORMAT, "%s is empty; expected a network (safetensors, torch.save or Keras)",
                    list->path);
    }
    size_t length = list->file_bytes < sizeof start ? (size_t)list->file_bytes : sizeof start;
    nst_status status = tensor_list_read(list, 0, start, length, "the start of the file", error);
    if (status) {
        return status;
    }
    if (memcmp(start, zip_magic, sizeof zip_magic) == 0) {
        return torch_zip_list(list, error);
    }
    if (is_torch_legacy(start)) {
        return torch_legacy_list(list, error);
    }
    if (is_safetensors(start)) {
        return safetensors_list(list, error);
    }
    if (memcmp(start, hdf5_magic, sizeof hdf5_magic) == 0) {
        return keras_list(list, error);
    }
    const char *kind = foreign_kind(start, length);
    return fail(error, NST_ERROR_FORMAT, "%s is %s", list->path,
                kind != NULL ? kind : "not a network: expected safetensors, torch.save or Keras");
}

/* Opens the file at `path` if `list` has no bytes in memory. */
static nst_status open_list(const char *path, struct tensor_list *list, nst_error *error) {
    nst_status status = NST_OK;
    list->path = strdup(path);
    if (list->path == NULL) {
        return fail_memory(error, strlen(path) + 1, "a file name");
    }
    if (list->memory == NULL) {
        status = open_stream(list, error);
    }
    if (!status) {
        status = list_tensors(list, error);
    }
    if (!status) {
        status = sort_names(list, error);
    }
    if (status) {
        tensor_list_close(list);
    }
    return status;
}

nst_status tensor_list_open(const char *path, struct tensor_list *list, nst_error *error) {
    *list = (struct tensor_list){0};
    return open_list(path, list, error);
}

nst_status tensor_list_open_memory(const char *name, const void *data, size_t bytes, struct tensor_list *list,
                                   nst_error *error) {
    *list = (struct tensor_list){.memory = data, .file_bytes = bytes};
    return open_list(name, list, error);
}

void tensor_list_close(struct tensor_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->tensors[i].name);
    }
    free(list->tensors);
    if (list->stream != NULL) {
        fclose(list->stream);
    }
    torch_zip_close(list);
    json_decref(list->metadata);
    free(list->path);
    *list = (struct tensor_list){0};
}

const struct tensor *tensor_find(const struct tensor_list *list, const char *name) {
    struct tensor key = {.name = (char *)name}; /* only read by compare_names */
    if (list->count == 0) {
        return NULL;
    }
    return bsearch(&key, list->tensors, list->count, sizeof *list->tensors, compare_names);
}

nst_status tensor_list_add(struct tensor_list *list, const char *name, const struct tensor *tensor, nst_error *error) {
    char shown[80];
    size_t length = strlen(name);
    if (length == 0 || length > TENSOR_NAME_LENGTH || strcmp(printable(name, length, (char[256]){0}, 256), name) != 0) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s: the tensor name \"%s\" is empty, longer than %d bytes or holds control characters", list->path,
                    printable(name, length, shown, sizeof shown), TENSOR_NAME_LENGTH);
    }
    if (list->count == TENSOR_MAX_COUNT) {
        return fail(error, NST_ERROR_FORMAT, "%s holds more than %d tensors", list->path, TENSOR_MAX_COUNT);
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        struct tensor *tensors = realloc(list->tensors, capacity * sizeof *tensors);
        if (tensors == NULL) {
            return fail_memory(error, capacity * sizeof *tensors, "the list of tensors");
        }
        list->tensors = tensors;
        list->capacity = capacity;
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return fail_memory(error, length + 1, "a tensor's name");
    }
    list->tensors[list->count] = *tensor;
    list->tensors[list->count++].name = copy;
    return NST_OK;
}

bool tensor_measure(struct tensor *tensor, bool dense) {
    tensor->count = 1;
    for (int i = tensor->dimensions - 1; i >= 0; i--) {
        if (dense) {
            tensor->strides[i] = tensor->count;
        }
        if (tensor->shape[i] != 0 && tensor->count > UINT64_MAX / 8 / tensor->shape[i]) {
            return false;
        }
        tensor->count *= tensor->shape[i];
    }
    tensor->span = tensor->count == 0 ? 0 : 1;
    for (int i = 0; i < tensor->dimensions && tensor->count > 0; i++) {
        uint64_t steps = tensor->shape[i] - 1;
        if (steps > 0 && tensor->strides[i] > (UINT64_MAX / 8 - tensor->span) / steps) {
            return false;
        }
        tensor->span += steps * tensor->strides[i];
    }
    return tensor->count <= tensor->span; /* so that a few bytes cannot be spread over gigabytes by strides of 0 */
}

const char *tensor_shape_text(const struct tensor *tensor, char *buffer, size_t size) {
    size_t used = 0;
    snprintf(buffer, size, "a single value");
    for (int i = 0; i < tensor->dimensions && used < size; i++) {
        used += (size_t)snprintf(buffer + used, size - used, "%s%llu", i == 0 ? "" : " x ",
                                 (unsigned long long)tensor->shape[i]);
    }
    return buffer;
}

const char *printable(const char *text, size_t length, char *buffer, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < length && used + 1 < size; i++) {
        buffer[used++] = (unsigned char)text[i] < 32 || text[i] == 127 ? '?' : text[i];
    }
    buffer[used] = 0;
    if (length >= size && size >= 4) {
        memcpy(buffer + size - 4, "...", 4);
    }
    return buffer;
}

/* ---- Values ---------------------------------------------------------------------------------------------------- */

nst_status tensor_list_read(const struct tensor_list *list, uint64_t offset_bytes, void *data, size_t bytes,
                            const char *what, nst_error *error) {
    if (offset_bytes > list->file_bytes || bytes > list->file_bytes - offset_bytes) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s is truncated: %s needs %llu bytes at %llu, the file has %llu; get it again", list->path, what,
                    (unsigned long long)bytes, (unsigned long long)offset_bytes, (unsigned long long)list->file_bytes);
    }
    if (list->memory != NULL) {
        memcpy(data, list->memory + offset_bytes, bytes);
        return NST_OK;
    }
    if (fseeko(list->stream, (off_t)offset_bytes, SEEK_SET) != 0 || fread(data, 1, bytes, list->stream) != bytes) {
        return fail(error, NST_ERROR_FILE, "cannot read %s: %s failed at byte %llu", list->path, what,
                    (unsigned long long)offset_bytes);
    }
    return NST_OK;
}

static uint64_t little_endian(const unsigned char *bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float element_value(const unsigned char *bytes, enum tensor_type type) {
    uint64_t bits = little_endian(bytes, types[type].bytes);
    double real;
    switch (type) {
    case TENSOR_BOOL:
    case TENSOR_U8:
        return (float)bits;
    case TENSOR_I8:
        return (float)(int8_t)bits;
    case TENSOR_I16:
        return (float)(int16_t)bits;
    case TENSOR_I32:
        return (float)(int32_t)bits;
    case TENSOR_I64:
        return (float)(int64_t)bits;
    case TENSOR_F16:
        return half_to_float((uint16_t)bits);
    case TENSOR_BF16:
        return bfloat16_to_float((uint16_t)bits);
    case TENSOR_F32:
        return float_from_bits((uint32_t)bits);
    case TENSOR_F64:
        memcpy(&real, &bits, sizeof real);
        return fabs(real) > 3.4028234663852886e38 ? NAN : (float)real;
    default:
        return NAN;
    }
}

/* Converts the elements: runs of those that lie in one piece, and from run to run through the shape like an odometer.
 * Returns the place of the first that is not finite, in elements of the file, or UINT64_MAX. */
static uint64_t convert_elements(const struct tensor *tensor, const unsigned char *data, float *values) {
    uint64_t index[TENSOR_MAX_DIMENSIONS] = {0};
    uint64_t position = 0, not_finite = UINT64_MAX, run = 1;
    size_t bytes = types[tensor->type].bytes;
    int outer = tensor->dimensions;
    while (outer > 0 && tensor->strides[outer - 1] == run) {
        run *= tensor->shape[--outer];
    }
    for (uint64_t i = 0; i < tensor->count; i += run) {
        for (uint64_t k = 0; k < run; k++) {
            values[i + k] = element_value(data + (position + k) * bytes, tensor->type);
            if (!isfinite(values[i + k]) && not_finite == UINT64_MAX) {
                not_finite = position + k;
            }
        }
        for (int d = outer - 1; d >= 0; d--) {
            position += tensor->strides[d];
            if (++index[d] < tensor->shape[d]) {
                break;
            }
            position -= tensor->strides[d] * tensor->shape[d];
            index[d] = 0;
        }
    }
    return not_finite;
}

static nst_status fail_not_finite(const struct tensor_list *list, const struct tensor *tensor, uint64_t place,
                                  nst_error *error) {
    return fail(error, NST_ERROR_FORMAT,
                "%s: the tensor %s holds values that are not finite, the first at byte %llu of %s; the file is "
                "damaged, get it again",
                list->path, tensor->name,
                (unsigned long long)(tensor->offset_bytes + place * types[tensor->type].bytes),
                tensor->zip_entry >= 0 ? "its storage" : "the file");
}

nst_status tensor_read(const struct tensor_list *list, const struct tensor *tensor, float **values, nst_error *error) {
    size_t element_bytes = types[tensor->type].bytes;
    *values = NULL;
    if (tensor->span / MAX_SPREAD > tensor->count || tensor->span > SIZE_MAX / 8 / element_bytes) {
        return fail(error, NST_ERROR_FORMAT, "%s: the tensor %s is too large, or its values lie too far apart",
                    list->path, tensor->name);
    }
    size_t bytes = (size_t)tensor->span * element_bytes;
    size_t value_bytes = (size_t)tensor->count * sizeof(float);
    unsigned char *data = malloc(bytes == 0 ? 1 : bytes);
    float *floats = malloc(value_bytes == 0 ? 1 : value_bytes);
    nst_status status = NST_OK;
    if (data == NULL || floats == NULL) {
        status = fail_memory(error, bytes + value_bytes, tensor->name);
    } else if (tensor->zip_entry >= 0) {
        status = torch_zip_read(list, tensor, data, bytes, error);
    } else {
        status = tensor_list_read(list, tensor->offset_bytes, data, bytes, tensor->name, error);
    }
    if (!status) {
        uint64_t not_finite = convert_elements(tensor, data, floats);
        if (not_finite != UINT64_MAX && !list->accept_not_finite) {
            status = fail_not_finite(list, tensor, not_finite, error);
        }
    }
    free(data);
    if (status) {
        free(floats);
    } else {
        *values = floats;
    }
    return status;
}
