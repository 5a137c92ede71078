/* tensors.h: a weight file as a list of named tensors, whatever its format. Opening reads and checks the directory of
 * the file only; the values of a tensor are read when they are asked for. */
#ifndef WEIGHTS_TENSORS_H
#define WEIGHTS_TENSORS_H

#include "nst.h"
#include <jansson.h>

#define TENSOR_MAX_DIMENSIONS 8
#define TENSOR_NAME_LENGTH    200   /* longer names are refused */
#define TENSOR_MAX_COUNT      10000 /* tensors in one file */

enum tensor_type {
    TENSOR_BOOL,
    TENSOR_U8,
    TENSOR_I8,
    TENSOR_I16,
    TENSOR_I32,
    TENSOR_I64,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_F32,
    TENSOR_F64,
    TENSOR_TYPE_COUNT
};

struct tensor {
    char *name;
    enum tensor_type type;
    int dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS];
    uint64_t strides[TENSOR_MAX_DIMENSIONS]; /* in elements */
    uint64_t count;                          /* the product of the shape */
    uint64_t span;                           /* elements from the first to the last in the file */
    uint64_t offset_bytes;                   /* of its first element, in the file or in the zip entry */
    int64_t zip_entry;                       /* -1: in the file itself */
};

struct zip;

struct tensor_list {
    char *path; /* in messages; in memory: what stands for it */
    FILE *stream;
    const unsigned char *memory; /* instead of the stream, for a list opened from memory */
    uint64_t file_bytes;
    struct zip *archive;    /* for zip files, else NULL */
    bool accept_not_finite; /* tensor_read does not refuse values that are not finite */
    json_t *metadata;       /* safetensors' __metadata__, an object of strings, or NULL */
    struct tensor *tensors;
    size_t count, capacity;
};

/* Opens a file, tells its format from its content and lists its tensors, sorted by name. Nothing in the file is
 * executed. Every tensor is checked to lie within the file. Close with tensor_list_close, which also accepts a zeroed
 * list. Errors: NST_ERROR_FILE, NST_ERROR_FORMAT, NST_ERROR_MEMORY. */
nst_status tensor_list_open(const char *path, struct tensor_list *list, nst_error *error);

/* The same for a file that lies in memory, as `bytes` at `data`, which must outlive the list; `name` stands for its
 * path in messages. */
nst_status tensor_list_open_memory(const char *name, const void *data, size_t bytes, struct tensor_list *list,
                                   nst_error *error);
void tensor_list_close(struct tensor_list *list);

/* The tensor of that name, or NULL. */
const struct tensor *tensor_find(const struct tensor_list *list, const char *name);

/* Reads the values of a tensor, converted to float, in the order of its shape with the last dimension innermost.
 * `*values` (tensor->count of them) is from malloc. Values that are not finite are refused unless the list accepts
 * them. */
nst_status tensor_read(const struct tensor_list *list, const struct tensor *tensor, float **values, nst_error *error);

/* "64 x 3 x 3 x 3", into `buffer`, which is returned. */
const char *tensor_shape_text(const struct tensor *tensor, char *buffer, size_t size);

/* ---- For the readers of the formats ---------------------------------------------------------------------------- */

struct tensor_type_info {
    const char *name; /* as safetensors spells it */
    const char *torch_storage;
    size_t bytes;
};
const struct tensor_type_info *tensor_type_info(enum tensor_type type);

/* Computes count and span of `tensor` (shape, and strides unless `dense`, in which case they are filled in).
 * False if a product overflows or the tensor reaches more elements than it has places for. */
bool tensor_measure(struct tensor *tensor, bool dense);

/* Appends a copy of `tensor` under a copy of `name` (checked: length, no control characters). */
nst_status tensor_list_add(struct tensor_list *list, const char *name, const struct tensor *tensor, nst_error *error);

/* Reads `bytes` at `offset_bytes` of the file; `what` is what is being read, for the message. */
nst_status tensor_list_read(const struct tensor_list *list, uint64_t offset_bytes, void *data, size_t bytes,
                            const char *what, nst_error *error);

/* Each fills the list from the opened file. */
nst_status safetensors_list(struct tensor_list *list, nst_error *error);
nst_status torch_zip_list(struct tensor_list *list, nst_error *error);
nst_status torch_legacy_list(struct tensor_list *list, nst_error *error);
nst_status keras_list(struct tensor_list *list, nst_error *error);

/* Reads from an entry of a zip file; part of torch_zip.c. */
nst_status torch_zip_read(const struct tensor_list *list, const struct tensor *tensor, void *data, size_t bytes,
                          nst_error *error);
void torch_zip_close(struct tensor_list *list);

/* Copies `text` for use in a message: control characters become '?', long texts end in "...". Returns `buffer`. */
const char *printable(const char *text, size_t length, char *buffer, size_t size);

#endif
