/* command.h: what every command of nst is: its name, its help, its options, and the function that carries it out. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/options.h"

struct command {
    const char *name;
    const char *usage;   /* its operands, for the help */
    const char *summary; /* one line */
    const char *details; /* further lines for its own help, or NULL */
    const struct option_table *table;
    size_t values_size; /* of the struct that its options are stored in */
    nst_status (*set_defaults)(void *values, const char *preset, nst_error *error); /* NULL: zeros */
    int (*run)(const struct arguments *arguments);                                  /* returns the exit status */
};

extern const struct command command_stylize, command_batch, command_film, command_resume, command_judge,
    command_devices, command_weights, command_bench, command_selftest, command_tune;

enum exit_status { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* For a command that takes options only. Errors: NST_ERROR_ARGUMENT. */
nst_status command_take_no_operands(const char *name, const struct arguments *arguments, nst_error *error);

/* Prints "nst: error: ..." on standard error and returns the exit status: 2 for usage (NST_ERROR_ARGUMENT), else 1. */
int command_error(const nst_error *error);

#endif
