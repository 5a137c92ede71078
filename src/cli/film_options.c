/* film_options.c: the options of `nst film`: those of `nst stylize` with a few in front. See film_options.h. */
#include "cli/film_options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/frame_names.h"
#include "cli/output.h"
#include "support/error.h"
#include "support/file.h"

#define FIELD(name) .offset = offsetof(struct film_options, name)

/* clang-format off */
static const struct option options[] = {
    {"output", 'o', "NAME", "Film", OPTION_TEXT, FIELD(common.output),
     .help = "a film, or numbered frames such as 'out/%04d.png', whose folder is made; required"},
    {"temporal-weight", 0, "X", NULL, OPTION_REAL, FIELD(common.settings.temporal_weight), .maximum = 1e12,
     .recorded = true, .help = "how much it counts that things look as in the frame before"},
    {"next-iterations", 0, "N[,N...]", NULL, OPTION_INTEGERS, FIELD(next_iterations),
     .count_offset = offsetof(struct film_options, next_iteration_count), .capacity = NST_MAX_SCALES,
     .maximum = NST_MAX_ITERATIONS, .recorded = true,
     .help = "of frames that begin with the one before, at the last scale [a third of those there]"},
    {"flow", 0, "NAME", NULL, OPTION_TEXTS, FIELD(flows), .count_offset = offsetof(struct film_options, flow_count),
     .capacity = 2, .recorded = true,
     .help = "numbered .flo files, such as 'flow/%04d.flo': from frame N to the one before; given twice: and back"},
    {"frame-rate", 0, "RATE", NULL, OPTION_TEXT, FIELD(frame_rate),
     .help = "frames in a second, 25 or 30000/1001, of numbered frames that become a film"},
};
/* clang-format on */

const struct option_table film_table = {
    .options = options, .count = sizeof options / sizeof options[0], .base = &stylize_table};

nst_status film_defaults(void *values, const char *preset, nst_error *error) {
    struct film_options *defaults = values;
    *defaults = (struct film_options){.frame_rate = "25"};
    return stylize_defaults(&defaults->common, preset, error);
}

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

/* Options of a single picture. */
static nst_status check_given(const struct arguments *arguments, nst_error *error) {
    static const char *const others[] = {"time", "save-every"};
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct option *option = arguments->given[i].option;
        bool is_other = strcmp(option->name, others[0]) == 0 || strcmp(option->name, others[1]) == 0;
        if (option->single || is_other) {
            return fail(error, NST_ERROR_ARGUMENT,
                        "--%s: film does not have it, since it is about one picture; 'nst stylize' does", option->name);
        }
    }
    return NST_OK;
}

static bool is_rate(const char *text) {
    char *end;
    long above = strtol(text, &end, 10), below = 1;
    if (*end == '/') {
        below = strtol(end + 1, &end, 10);
    }
    return *end == '\0' && above > 0 && below > 0 && above <= 1000000 && below <= 1000000;
}

static nst_status check_names(const struct arguments *arguments, const struct film_options *options, nst_error *error) {
    const char *content = options->common.content, *output = options->common.output;
    bool from_frames = frame_names_are_meant(content), to_frames = frame_names_are_meant(output);
    nst_status status = from_frames ? frame_names_check(content, "film", error) : NST_OK;
    if (!status && to_frames) {
        const nst_picture_format format = {.kind = options->common.format, .depth_bits = options->common.depth_bits};
        status = frame_names_check(output, "-o", error);
        status = status ? status : nst_picture_check_format(output, &format, error);
    }
    for (int i = 0; !status && i < options->flow_count; i++) {
        status = frame_names_check(options->flows[i], "--flow", error);
    }
    if (status) {
        return status;
    }
    if (strcmp(content, output) == 0) {
        return fail(error, NST_ERROR_ARGUMENT, "-o: expected another name than that of the film");
    }
    if (arguments_text(arguments, "frame-rate") && (!from_frames || to_frames)) {
        return fail(error, NST_ERROR_ARGUMENT, "--frame-rate: it is of numbered frames that become a film");
    }
    if (!is_rate(options->frame_rate)) {
        return fail(error, NST_ERROR_ARGUMENT, "--frame-rate: expected a number such as 25 or 30000/1001, found '%s'",
                    options->frame_rate);
    }
    if (arguments_text(arguments, "format") && !to_frames) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "--format: it is of numbered frames; the ending of a film tells its kind");
    }
    return NST_OK;
}

static nst_status check_operands(const struct arguments *arguments, struct film_options *options, nst_error *error) {
    struct stylize_options *common = &options->common;
    int styles = arguments->operand_count - 1;
    if (styles < 1) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "film: expected a film or numbered frames, and at least one style picture, found %s; 'nst help "
                    "film' shows how",
                    styles < 0 ? "none" : "only one");
    }
    if (styles > NST_MAX_STYLES) {
        return fail(error, NST_ERROR_ARGUMENT, "expected at most %d style pictures, found %d", NST_MAX_STYLES, styles);
    }
    common->content = arguments->operands[0];
    common->style_count = styles;
    for (int i = 0; i < styles; i++) {
        common->styles[i] = arguments->operands[i + 1];
    }
    if (!common->output) {
        return fail(error, NST_ERROR_ARGUMENT, "film: expected -o FILM or -o 'FRAMES/%%04d.png'; found none");
    }
    if (output_is_stream(common->output) || output_is_stream(common->content) || output_is_folder(common->output)) {
        return fail(error, NST_ERROR_ARGUMENT, "film: expected files, found standard input or output, or a folder");
    }
    return check_names(arguments, options, error);
}

nst_status film_options_read(const struct arguments *arguments, struct film_options *options, nst_error *error) {
    nst_status status = film_defaults(options, arguments_text(arguments, "preset"), error);
    status = status ? status : check_given(arguments, error);
    status = status ? status : arguments_store(arguments, options, error);
    status = status ? status : check_operands(arguments, options, error);
    status = status ? status : stylize_options_complete(arguments, &options->common, error);
    int phases = status ? 0 : stylize_preset(&options->common.settings).phases;
    if (!status && options->next_iteration_count > 1 && options->next_iteration_count != phases) {
        status = fail(error, NST_ERROR_ARGUMENT, "--next-iterations: expected one number%s, found %d",
                      phases > 1 ? ", or one for each run through the last scale" : "", options->next_iteration_count);
    }
    return status;
}

/* ---- Settings ---------------------------------------------------------------------------------------------------- */

nst_settings film_next_settings(const struct film_options *options) {
    nst_settings settings = options->common.settings;
    int phases = stylize_preset(&settings).phases, count = settings.iteration_count;
    settings.scale_count = 1;
    settings.iteration_count = phases;
    for (int i = 0; i < phases; i++) {
        int at = count - phases + i, given = options->next_iteration_count;
        int last = options->common.settings.iterations[at > 0 ? at : 0];
        settings.iterations[i] = given > 0 ? options->next_iterations[i < given ? i : given - 1] : (last + 2) / 3;
    }
    return settings;
}
