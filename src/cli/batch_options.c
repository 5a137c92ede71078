/* batch_options.c: the options of `nst batch`: those of `nst stylize` with a few in front. See batch_options.h. */
#include "cli/batch_options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/batch_outputs.h"
#include "cli/output.h"
#include "support/error.h"

#define FIELD(name) .offset = offsetof(struct batch_options, name)

/* clang-format off */
static const struct option options[] = {
    {"style", 0, "FILE", "Pictures", OPTION_TEXTS, FIELD(common.styles),
     .count_offset = offsetof(struct batch_options, common.style_count), .capacity = NST_MAX_STYLES,
     .help = "a style picture; several are blended; required"},
    {"recursive", 'r', NULL, NULL, OPTION_FLAG, FIELD(recursive),
     .help = "folders within folders too; links to folders are not followed"},
    {"output", 'o', "NAME", "Output", OPTION_TEXT, FIELD(common.output),
     .help = "a folder, which ends with /, or a pattern, see above; folders are made; required"},
    {"force", 0, NULL, NULL, OPTION_FLAG, FIELD(force), .help = "paint again what is there already"},
};
/* clang-format on */

const struct option_table batch_table = {
    .options = options, .count = sizeof options / sizeof options[0], .base = &stylize_table};

nst_status batch_defaults(void *values, const char *preset, nst_error *error) {
    struct batch_options *defaults = values;
    *defaults = (struct batch_options){0};
    return stylize_defaults(&defaults->common, preset, error);
}

/* Options of a single picture. */
static nst_status check_given(const struct arguments *arguments, nst_error *error) {
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct option *option = arguments->given[i].option;
        if (option->single) {
            return fail(error, NST_ERROR_ARGUMENT,
                        "--%s: batch does not have it, since it is about one picture; "
                        "'nst stylize' does",
                        option->name);
        }
    }
    return NST_OK;
}

static nst_status check_operands(const struct arguments *arguments, const struct batch_options *options,
                                 nst_error *error) {
    if (arguments->operand_count == 0) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "batch: expected contents or folders of them, found none; 'nst help batch' shows how");
    }
    for (int i = 0; i < arguments->operand_count; i++) {
        if (output_is_stream(arguments->operands[i])) {
            return fail(error, NST_ERROR_ARGUMENT, "batch: expected contents in files, found standard input (-)");
        }
    }
    if (options->common.style_count == 0) {
        return fail(error, NST_ERROR_ARGUMENT, "batch: expected --style FILE, found none");
    }
    if (!options->common.output) {
        return fail(error, NST_ERROR_ARGUMENT, "batch: expected -o FOLDER/, where to write the results; found none");
    }
    return output_is_stream(options->common.output)
               ? fail(error, NST_ERROR_ARGUMENT, "-o -: batch expects a folder or a pattern, found standard output")
               : batch_outputs_check(options->common.output, error);
}

nst_status batch_options_read(const struct arguments *arguments, struct batch_options *options, nst_error *error) {
    nst_status status = batch_defaults(options, arguments_text(arguments, "preset"), error);
    status = status ? status : check_given(arguments, error);
    status = status ? status : arguments_store(arguments, options, error);
    status = status ? status : check_operands(arguments, options, error);
    if (!status) {
        options->common.settings.seconds = options->common.seconds; /* for each picture */
        status = stylize_options_complete(arguments, &options->common, error);
    }
    return status;
}

/* ---- As a command of its own ------------------------------------------------------------------------------------- */

/* Whether an option is one of this command only. */
static bool is_own(const struct option *option) {
    return option >= options && option < options + sizeof options / sizeof options[0];
}

/* "--name=value", or "--name" without a value; from malloc. */
static char *join(const char *name, const char *value) {
    size_t size = strlen(name) + (value ? strlen(value) : 0) + 4;
    char *text = malloc(size);
    if (text) {
        snprintf(text, size, "--%s%s%s", name, value ? "=" : "", value ? value : "");
    }
    return text;
}

nst_status batch_command_make(const struct arguments *arguments, const char *content, const char *output,
                              struct arguments *command, nst_error *error) {
    size_t most = arguments->given_count + 5;
    *command = (struct arguments){.argv = calloc(most, sizeof *command->argv)};
    if (!command->argv) {
        return fail_memory(error, most * sizeof *command->argv, "a command line");
    }
    char **next = command->argv;
    *next++ = strdup(arguments->argv[0]);
    *next++ = strdup("stylize");
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (!is_own(arguments->given[i].option)) {
            *next++ = join(arguments->given[i].option->name, arguments->given[i].text);
        }
    }
    *next++ = join("output", output);
    *next++ = strdup("--"); /* names may begin with a dash */
    *next++ = strdup(content);
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->name, "style") == 0) {
            *next++ = strdup(arguments->given[i].text);
        }
    }
    command->argc = (int)(next - command->argv);
    for (int i = 0; i < command->argc; i++) {
        if (!command->argv[i]) {
            batch_command_free(command);
            return fail_memory(error, most * sizeof *command->argv, "a command line");
        }
    }
    return NST_OK;
}

void batch_command_free(struct arguments *command) {
    for (int i = 0; i < command->argc; i++) {
        free(command->argv[i]);
    }
    free(command->argv);
    *command = (struct arguments){0};
}
