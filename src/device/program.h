/* program.h: compiled programs, each built once per context. */
#ifndef DEVICE_PROGRAM_H
#define DEVICE_PROGRAM_H

#include "device/context.h"

/* NULL without memory. With `no_cache`, binaries are neither read nor written; nor are they for a device whose driver
 * keeps its own (traits_keeps_programs), unless NST_CACHE_DIR names a folder for them. */
struct program_store *program_store_create(const nst_device_info *device, bool no_cache);
/* Writes the binaries that are new (failures do not matter) and releases everything. */
void program_store_free(nst_context *context);

/* The program of the kernel file `file` with these complete build options; it belongs to the store.
 * Errors: NST_ERROR_FILE, NST_ERROR_MEMORY, NST_ERROR_OPENCL (with the first lines of the compiler's log). */
nst_status program_find(nst_context *context, const char *file, const char *options, cl_program *program,
                        nst_error *error);

#endif
