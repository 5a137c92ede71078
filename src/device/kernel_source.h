/* kernel_source.h: the text of a kernel file with its headers put in, from the copy in the program or from a folder. */
#ifndef DEVICE_KERNEL_SOURCE_H
#define DEVICE_KERNEL_SOURCE_H

#include "nst.h"

struct embedded_kernel {
    const char *file; /* "convolution.cl" */
    const char *text;
};

/* Every file of cl/, made by the build; a row of NULLs ends it. */
extern const struct embedded_kernel embedded_kernels[];

/* The source of the kernel file `file`, every line `#include "other.h"` replaced by that file (each file once). It is
 * read from `folder` when that is not NULL, else from the embedded copy. `*source` is from malloc. Errors:
 * NST_ERROR_FILE (no such file), NST_ERROR_MEMORY. */
nst_status kernel_source_assemble(const char *folder, const char *file, char **source, nst_error *error);

#endif
