/* batch_options.h: what `nst batch` is told on its command line: what `nst stylize` is told, but for what is about one
 * picture, and a little more. */
#ifndef CLI_BATCH_OPTIONS_H
#define CLI_BATCH_OPTIONS_H

#include "cli/stylize_options.h"

struct batch_options {
    struct stylize_options
        common; /* first, so that the table of `nst stylize` fits; its output is a folder or pattern */
    bool recursive, force;
};

extern const struct option_table batch_table;

/* As stylize_defaults and stylize_options_read; the operands are contents and folders. */
nst_status batch_defaults(void *options, const char *preset, nst_error *error);
nst_status batch_options_read(const struct arguments *arguments, struct batch_options *options, nst_error *error);

/* The command line of `nst stylize` that makes one of the pictures, with the same options. Free with
 * batch_command_free. Errors: NST_ERROR_MEMORY. */
nst_status batch_command_make(const struct arguments *arguments, const char *content, const char *output,
                              struct arguments *command, nst_error *error);
void batch_command_free(struct arguments *command);

#endif
