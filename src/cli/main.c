/* main.c: finds the command that is meant, takes its arguments apart, and runs it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/help.h"
#include "support/error.h"
#include "support/file.h"
#include "support/text.h"

/* The first one is meant when none is named. */
static const struct command *const commands[] = {&command_stylize,  &command_batch,   &command_film,    &command_resume,
                                                 &command_judge,    &command_devices, &command_weights, &command_bench,
                                                 &command_selftest, &command_tune};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

/* `besides`: what else could have been meant. */
static int fail_unknown(const char *name, const char *besides) {
    const char *names[COMMAND_COUNT + 1] = {besides};
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i + 1] = commands[i]->name;
    }
    char quoted[64];
    option_quote(name, quoted, sizeof quoted);
    const char *nearest = text_nearest(name, names, COMMAND_COUNT + 1);
    nst_error error;
    if (nearest) {
        fail(&error, NST_ERROR_ARGUMENT, "unknown command '%s'; did you mean %s?", quoted, nearest);
    } else {
        fail(&error, NST_ERROR_ARGUMENT, "unknown command '%s'; 'nst help' lists them", quoted);
    }
    return command_error(&error);
}

static void print_version(void) {
    nst_picture_kind kind;
    printf("nst %s\n", NST_VERSION);
    for (int writes = 0; writes < 2; writes++) {
        printf("%s", writes ? "writes" : "reads");
        for (int i = 0, count = 0; nst_picture_kind_at(i, &kind); i++) {
            if (writes ? kind.is_written : kind.is_read) {
                printf("%s %s", count++ ? "," : "", kind.name);
            }
        }
        printf("\n");
    }
}

/* nst help [COMMAND|presets] */
static int help(int argc, char **argv) {
    if (argc < 3) {
        help_program(commands, COMMAND_COUNT, stdout);
        return EXIT_FINE;
    }
    if (strcmp(argv[2], "presets") == 0) {
        help_presets(&command_stylize, stdout);
        return EXIT_FINE;
    }
    const struct command *command = find_command(argv[2]);
    if (!command) {
        return fail_unknown(argv[2], "presets");
    }
    help_command(command, stdout);
    return EXIT_FINE;
}

static int run(const struct command *command, int argc, char **argv, int first) {
    struct arguments arguments;
    nst_error error;
    if (arguments_parse(*command->table, argc, argv, first, &arguments, &error)) {
        return command_error(&error);
    }
    int exit_status = EXIT_FINE;
    if (arguments.help && first == 1) {
        help_program(commands, COMMAND_COUNT, stdout);
    } else if (arguments.help) {
        help_command(command, stdout);
    } else {
        exit_status = command->run(&arguments);
    }
    arguments_free(&arguments);
    return exit_status;
}

static int dispatch(int argc, char **argv) {
    /* The loader ocl-icd would ask all drivers for their devices, to sort the platforms: one that crashes or hangs
     * would take `-d P:D` of another with it, and the numbers would change with what is plugged in. */
    setenv("OCL_ICD_PLATFORM_SORT", "none", 0);
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        print_version();
        return EXIT_FINE;
    }
    if (strcmp(word, "help") == 0) {
        return help(argc, argv);
    }
    const struct command *command = find_command(word);
    if (command) {
        return run(command, argc, argv, 2);
    }
    /* What is neither an option nor looks like a file was meant to be a command. */
    if (*word && *word != '-' && !strpbrk(word, "./\\") && !file_exists(word)) {
        return fail_unknown(word, "help");
    }
    return run(&command_stylize, argc, argv, 1);
}

int main(int argc, char **argv) {
    int exit_status = dispatch(argc, argv);
    /* What was printed may still be on its way, to a disk that is full. */
    bool printed = !ferror(stdout);
    if ((fflush(stdout) == 0 && printed) || exit_status == EXIT_FAILED) { /* why it failed was told */
        return exit_status;
    }
    nst_error error;
    fail(&error, NST_ERROR_FILE, "cannot write to standard output: %s", strerror(errno));
    int failed = command_error(&error);
    return exit_status == EXIT_FINE ? failed : exit_status;
}
