/* resume.c: `nst resume`: repeats the command of a checkpoint, in the folder where it was given, from where it was. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/checkpoints.h"
#include "cli/command.h"
#include "cli/stylize.h"
#include "cli/stylize_options.h"
#include "support/error.h"

struct resume_options {
    const char *device, *progress;
    bool accept_changes, quiet, verbose;
};

#define FIELD(name) .offset = offsetof(struct resume_options, name)

/* clang-format off */
static const struct option options[] = {
    {"device", 'd', "SPEC", "Options", OPTION_TEXT, FIELD(device),
     .help = "a device by another name than in the command"},
    {"accept-changes", 0, NULL, NULL, OPTION_FLAG, FIELD(accept_changes),
     .help = "go on although program, device, network or pictures are not those of the checkpoint"},
    {"progress", 0, "KIND", NULL, OPTION_TEXT, FIELD(progress),
     .help = "auto, or for programs: json (standard error) or json:FD, other than in the command"},
    {"quiet", 'q', NULL, NULL, OPTION_FLAG, FIELD(quiet), .help = "print nothing but errors"},
    {"verbose", 'v', NULL, NULL, OPTION_FLAG, FIELD(verbose), .help = "print device, network and plan too"},
    {"help", 'h', NULL, NULL, OPTION_HELP, .help = "print this"},
};
/* clang-format on */

static const struct option_table resume_table = {.options = options, .count = sizeof options / sizeof options[0]};

/* The name as seen from everywhere, from malloc. */
static nst_status make_absolute(const char *path, char **absolute, nst_error *error) {
    char folder[4096];
    *absolute = NULL;
    if (*path != '/' && !getcwd(folder, sizeof folder)) {
        return fail(error, NST_ERROR_FILE, "cannot tell the name of the working folder: %s", strerror(errno));
    }
    size_t size = (*path == '/' ? 0 : strlen(folder) + 1) + strlen(path) + 1;
    *absolute = malloc(size);
    if (!*absolute) {
        return fail_memory(error, size, "a file name");
    }
    snprintf(*absolute, size, "%s%s%s", *path == '/' ? "" : folder, *path == '/' ? "" : "/", path);
    return NST_OK;
}

/* Takes the command of the checkpoint apart, and goes to its folder. */
static nst_status enter(const struct checkpoint_command *command, struct arguments *arguments, nst_error *error) {
    int first = command->argc > 1 && strcmp(command->argv[1], command_stylize.name) == 0 ? 2 : 1;
    if (chdir(command->folder) != 0) {
        return fail(error, NST_ERROR_FILE, "cannot go on in the folder of the command, %s: %s", command->folder,
                    strerror(errno));
    }
    return arguments_parse(*command_stylize.table, command->argc, command->argv, first, arguments, error);
}

static nst_status read_options(const struct arguments *arguments, struct resume_options *values, nst_error *error) {
    *values = (struct resume_options){0};
    nst_status status = arguments_store(arguments, values, error);
    if (!status && arguments->operand_count != 1) {
        status = fail(error, NST_ERROR_ARGUMENT, "resume: expected one checkpoint, found %s",
                      arguments->operand_count ? "several" : "none");
    }
    if (!status && values->quiet && values->verbose) {
        status = fail(error, NST_ERROR_ARGUMENT, "--quiet and --verbose: expected at most one of them, found both");
    }
    return status;
}

static int resume(const struct arguments *arguments) {
    struct resume_options values;
    struct checkpoint_command command = {0};
    struct arguments repeated = {0};
    nst_checkpoint *checkpoint = NULL;
    char *path = NULL;
    nst_note note;
    nst_error error;
    nst_status status = read_options(arguments, &values, &error);
    status = status ? status : make_absolute(arguments->operands[0], &path, &error);
    status = status ? status : nst_checkpoint_open(arguments->operands[0], &checkpoint, &note, &error);
    status = status ? status : checkpoint_command_read(checkpoint, &command, &error);
    if (!status && note.message[0] && !values.quiet) {
        fprintf(stderr, "nst: %s\n", note.message);
    }
    status = status ? status : enter(&command, &repeated, &error);
    int exit_status = EXIT_FINE;
    if (status) {
        exit_status = command_error(&error);
    } else {
        const struct stylize_resume going_on = {.checkpoint = checkpoint,
                                                .path = path,
                                                .accept_changes = values.accept_changes,
                                                .device = values.device,
                                                .progress = values.progress,
                                                .quiet = values.quiet,
                                                .verbose = values.verbose,
                                                .evaluations = command.evaluations};
        exit_status = stylize_run(&repeated, &going_on);
    }
    arguments_free(&repeated);
    free(command.argv);
    nst_checkpoint_close(checkpoint);
    free(path);
    return exit_status;
}

const struct command command_resume = {
    .name = "resume",
    .usage = "FILE [OPTION...]",
    .summary = "go on from a checkpoint, to the same result",
    .details = "The command of the checkpoint is repeated, from where it was, and writes the same picture to the same\n"
               "place as if it had never stopped, with further checkpoints on the way. Program, device, network and\n"
               "pictures must be the same.",
    .table = &resume_table,
    .values_size = sizeof(struct resume_options),
    .run = resume,
};
