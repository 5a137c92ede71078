/* help.h: prints what a command does and its options, from the tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

/* The help of one command: how it is called, and its options in groups, with their defaults. */
void help_command(const struct command *command, FILE *stream);

/* The help of the program: its commands, and the options of the first of them. */
void help_program(const struct command *const *commands, size_t count, FILE *stream);

/* The presets, each with what it sets of the command's main options, as it would be typed. */
void help_presets(const struct command *command, FILE *stream);

#endif
