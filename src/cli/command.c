/* command.c: what all commands share. */
#include "cli/command.h"

#include <stdio.h>

#include "support/error.h"

nst_status command_take_no_operands(const char *name, const struct arguments *arguments, nst_error *error) {
    char quoted[64];
    if (arguments->operand_count == 0) {
        return NST_OK;
    }
    return fail(error, NST_ERROR_ARGUMENT, "%s: expected options only, found '%s'", name,
                option_quote(arguments->operands[0], quoted, sizeof quoted));
}

int command_error(const nst_error *error) {
    fprintf(stderr, "nst: error: %s\n", error->message);
    return error->status == NST_ERROR_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
}
