/* output.h: where a result goes: into a file, into a folder, or to standard output. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "nst.h"

/* True for the name that stands for standard input or output. */
bool output_is_stream(const char *name);

/* The name in a path, without folders and ending: `*length` characters of the path. */
const char *output_base_name(const char *path, size_t *length);

/* True for the name of a folder: one that is there, or that ends with a slash. */
bool output_is_folder(const char *path);

/* The file that is meant by -o: the name itself, or in a folder one named after the content, photo-nst.png for photo.jpg;
 * `kind` is its ending, NULL for png. NULL for standard output. `*path` is from malloc. Errors: NST_ERROR_MEMORY. */
nst_status output_find_path(const char *output, const char *content, const char *kind, char **path, nst_error *error);

#endif
