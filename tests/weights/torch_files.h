/* torch_files.h: writes files as torch.save does, of any pickle protocol, in both forms. */
#ifndef TESTS_WEIGHTS_TORCH_FILES_H
#define TESTS_WEIGHTS_TORCH_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* The values that tensors are cut from. */
struct torch_storage {
    const char *type; /* "FloatStorage" */
    size_t count, element_bytes;
    const void *data;
};

struct torch_tensor {
    const char *name;
    size_t storage, offset; /* which, and the first element in it */
    int dimensions;
    int shape[4], strides[4];
};

struct torch_file {
    int protocol;              /* of the pickles: 2 to 5 */
    bool zip;                  /* else the older form */
    const char *const *around; /* keys of the dictionaries around that of the tensors, ended by NULL; or NULL */
    const struct torch_storage *storages;
    size_t storage_count;
    const struct torch_tensor *tensors;
    size_t tensor_count;
};

/* Writes the file into the temporary folder and returns its path. */
const char *write_torch(const char *name, const struct torch_file *file);

#endif
