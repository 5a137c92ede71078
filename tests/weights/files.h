/* files.h: what the suites of the weights room share: a temporary folder, files in it, and the check of an error. */
#ifndef TESTS_WEIGHTS_FILES_H
#define TESTS_WEIGHTS_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "weights/network.h"

/* The path of `name` in the temporary folder of this program; valid until the eighth call after. */
const char *temporary_path(const char *name);

/* Group set-up and tear-down for cmocka: makes the folder, and removes it with the files in it (two levels). */
int make_temporary_folder(void **state);
int remove_temporary_folder(void **state);

/* Writes a file into the temporary folder and returns its path. */
const char *write_bytes(const char *name, const void *data, size_t bytes);
const char *write_text(const char *name, const char *text);

/* Writes a safetensors file: `header` is the JSON text; then `bytes` of data (NULL: zeros). */
const char *write_safetensors(const char *name, const char *header, const void *data, size_t bytes);

/* The first convolutions of VGG: enough to tell it by its names, small enough to write often. */
struct vgg_file {
    const char *names[8]; /* prefixes of the convolutions to write, ended by NULL */
    const char *input;    /* metadata, or NULL */
    int broken_shape;     /* this convolution gets one input channel too many; -1: none */
};

/* Writes such a file, its weights zero. */
const char *write_vgg(const char *name, const struct vgg_file *file);

/* Opens a network, which must succeed. */
nst_network *open_network(const char *name_or_path, const nst_network_options *options);

/* Opening `path` must fail with `status` (0: any), and the message must be one line that holds `path` and `part`. */
void assert_open_fails(const char *path, const nst_network_options *options, nst_status status, const char *part);

#endif
