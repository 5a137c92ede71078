/* frame_names.h: numbered files, such as frames/%04d.png. */
#ifndef CLI_FRAME_NAMES_H
#define CLI_FRAME_NAMES_H

#include "nst.h"

/* True for a name that stands for numbered files: one with a %. */
bool frame_names_are_meant(const char *name);

/* Checks that the pattern has one number, %d or with digits such as %04d, in its last part. `option` says in messages
 * where it was given. Errors: NST_ERROR_ARGUMENT. */
nst_status frame_names_check(const char *pattern, const char *option, nst_error *error);

/* The name with that number, from malloc. Errors: NST_ERROR_MEMORY. */
nst_status frame_name(const char *pattern, int number, char **name, nst_error *error);

/* Finds the numbers of the files that are there. Errors: NST_ERROR_FILE (no such folder, no file, one between the first
 * and the last is missing). */
nst_status frame_names_find(const char *pattern, int *first, int *last, nst_error *error);

#endif
