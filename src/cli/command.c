/* command.c: what all commands share. */
#include "cli/command.h"

#include <stdio.h>

int command_error(const nst_error *error) {
    fprintf(stderr, "nst: error: %s\n", error->message);
    return error->status == NST_ERROR_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
}
