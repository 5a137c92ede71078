/* batch_outputs.h: where each result of `nst batch` goes: a folder, or a pattern with {placeholders}. */
#ifndef CLI_BATCH_OUTPUTS_H
#define CLI_BATCH_OUTPUTS_H

#include "cli/batch_contents.h"
#include "cli/batch_options.h"

/* Lists the placeholders, for the help. */
#define BATCH_PLACEHOLDERS                                                                                             \
    "{name} the content's file without its ending, {file} with it, {folder} its folder below the one that was "        \
    "given,\n"                                                                                                         \
    "{style} the first style's file without its ending, {preset}, {ext} the ending that --format asks for, or png"

/* Checks that it is a folder or a pattern that differs from content to content. Errors: NST_ERROR_ARGUMENT, with the
 * placeholders that there are. */
nst_status batch_outputs_check(const char *output, nst_error *error);

/* The folder that all results go into or below: what stands before the first placeholder up to a slash, "." if nothing
 * does. From malloc. */
nst_status batch_outputs_folder(const char *output, char **folder, nst_error *error);

/* Fills in the output of every content, but for those out of folders that are themselves results of others. Errors:
 * NST_ERROR_ARGUMENT (two contents with one output, a content that would be written over), NST_ERROR_MEMORY. */
nst_status batch_outputs_find(const struct batch_options *options, struct batch_contents *contents, nst_error *error);

#endif
