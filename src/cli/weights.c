/* weights.c: `nst weights list|info|convert`: networks found, shown and converted. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "support/error.h"
#include "support/text.h"
#include "weights/tools.h"

struct weights_options {
    const char *input_convention, *until;
    enum weights_storage storage;
};

static const struct option_choice storages[] = {
    {"4", WEIGHTS_4_BITS}, {"5", WEIGHTS_5_BITS},   {"6", WEIGHTS_6_BITS},   {"7", WEIGHTS_7_BITS},
    {"8", WEIGHTS_8_BITS}, {"16", WEIGHTS_16_BITS}, {"32", WEIGHTS_32_BITS}, {0}};
static const struct option options[] = {
    {"input-convention", 0, "NAME", "Options", OPTION_TEXT, offsetof(struct weights_options, input_convention),
     .choices = convention_choices, .help = "caffe or torchvision, for a file that does not tell"},
    {"until", 0, "LAYER", NULL, OPTION_TEXT, offsetof(struct weights_options, until),
     .help = "convert, info: only the layers up to this one, such as relu5_1"},
    {"bits", 0, "BITS", NULL, OPTION_CHOICE, offsetof(struct weights_options, storage), .choices = storages,
     .help = "convert: 4 to 8 (codes and a codebook fitted to each layer), 16 (F16) or 32 (F32); without it nothing is "
             "lost"},
    {"help", 'h', NULL, NULL, OPTION_HELP, .help = "print this"},
};
static const struct option_table weights_table = {.options = options, .count = sizeof options / sizeof options[0]};

static nst_network_options network_options(const struct weights_options *values) {
    return (nst_network_options){.input_convention = values->input_convention, .until = values->until};
}

static nst_status list(char **operands, const struct weights_options *values, nst_error *error) {
    (void)operands, (void)values;
    struct weights_list found;
    nst_status status = weights_list_create(&found, error);
    if (status) {
        return status;
    }
    weights_list_print(&found, stdout);
    weights_list_free(&found);
    return NST_OK;
}

static nst_status info(char **operands, const struct weights_options *values, nst_error *error) {
    const nst_network_options options = network_options(values);
    return weights_info(operands[0], &options, stdout, error);
}

static nst_status convert(char **operands, const struct weights_options *values, nst_error *error) {
    const nst_network_options options = network_options(values);
    struct weights_conversion conversion;
    nst_status status = weights_convert(operands[0], operands[1], &options, values->storage, &conversion, error);
    if (status) {
        return status;
    }
    printf("%s\n", operands[1]);
    if (conversion.worst_error > 0) {
        printf("largest error of a layer's weights, relative to their size: %.2g %% (%s)\n",
               100 * conversion.worst_error, conversion.worst_layer);
    }
    return NST_OK;
}

/* What may follow `nst weights`. */
static const struct action {
    const char *name, *operands;
    int operand_count;
    nst_status (*run)(char **operands, const struct weights_options *values, nst_error *error);
    const char *options[4]; /* those it takes, ended by NULL */
} actions[] = {
    {"list", "nothing", 0, list, {NULL}},
    {"info", "the NAME or FILE of a network", 1, info, {"input-convention", "until"}},
    {"convert",
     "IN, the NAME or FILE of a network, and OUT.safetensors",
     2,
     convert,
     {"input-convention", "until", "bits"}},
};
enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };

static nst_status find_action(const struct arguments *arguments, const struct action **action, nst_error *error) {
    if (arguments->operand_count == 0) {
        return fail(error, NST_ERROR_ARGUMENT, "weights: expected list, info or convert behind it, found nothing");
    }
    const char *names[ACTION_COUNT], *given = arguments->operands[0];
    char quoted[64];
    for (int i = 0; i < ACTION_COUNT; i++) {
        names[i] = actions[i].name;
        if (strcmp(given, names[i]) == 0) {
            *action = &actions[i];
            if (arguments->operand_count - 1 != actions[i].operand_count) {
                return fail(error, NST_ERROR_ARGUMENT, "weights %s: expected %s behind it, found %d operands", names[i],
                            actions[i].operands, arguments->operand_count - 1);
            }
            return NST_OK;
        }
    }
    option_quote(given, quoted, sizeof quoted);
    const char *nearest = text_nearest(given, names, ACTION_COUNT);
    if (nearest) {
        return fail(error, NST_ERROR_ARGUMENT, "weights: expected list, info or convert, found '%s'; did you mean %s?",
                    quoted, nearest);
    }
    return fail(error, NST_ERROR_ARGUMENT, "weights: expected list, info or convert, found '%s'", quoted);
}

/* An option that the action has no use for is an error. */
static nst_status check_options(const struct arguments *arguments, const struct action *action, nst_error *error) {
    for (size_t i = 0; i < arguments->given_count; i++) {
        const char *const *taken = action->options, *given = arguments->given[i].option->name;
        while (*taken != NULL && strcmp(*taken, given) != 0) {
            taken++;
        }
        if (*taken == NULL) {
            return fail(error, NST_ERROR_ARGUMENT, "weights %s takes no --%s", action->name, given);
        }
    }
    return NST_OK;
}

static int weights(const struct arguments *arguments) {
    struct weights_options values = {0};
    const struct action *action = NULL;
    nst_error error;
    nst_status status = arguments_store(arguments, &values, &error);
    if (!status) {
        status = find_action(arguments, &action, &error);
    }
    if (!status) {
        status = check_options(arguments, action, &error);
    }
    if (!status) {
        status = action->run(arguments->operands + 1, &values, &error);
    }
    return !status ? EXIT_FINE : command_error(&error);
}

const struct command command_weights = {
    .name = "weights",
    .usage = "list|info|convert",
    .summary = "list networks, show what is in one, or convert one",
    .details =
        "  nst weights list             the networks that --network takes by name, and where they are looked for\n"
        "  nst weights info NAME|FILE   its layers, input convention, license and checksum, and what looks broken\n"
        "  nst weights convert IN OUT   writes any network that nst reads as OUT.safetensors",
    .table = &weights_table,
    .values_size = sizeof(struct weights_options),
    .run = weights,
};
