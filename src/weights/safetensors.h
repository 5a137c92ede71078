/* safetensors.h: writing a safetensors file (https://github.com/huggingface/safetensors). Reading it: tensors.h. */
#ifndef WEIGHTS_SAFETENSORS_H
#define WEIGHTS_SAFETENSORS_H

#include "weights/tensors.h"

/* One tensor to write. */
struct safetensors_item {
    char name[TENSOR_NAME_LENGTH];
    enum tensor_type type; /* TENSOR_F32: `data` is float; others: little-endian bytes */
    int dimensions;
    int shape[4];
    const void *data; /* dense */
};

/* Writes the tensors in the given order, with `metadata` (an object of strings, or NULL) as __metadata__. The file
 * appears complete or not at all. Errors: NST_ERROR_FILE, NST_ERROR_MEMORY. */
nst_status safetensors_write(const char *path, const struct safetensors_item *items, size_t count, json_t *metadata,
                             nst_error *error);

#endif
