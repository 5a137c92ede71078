/* stylize_options.c: the table of the options of `nst stylize`. */
#include "cli/stylize_options.h"

#include <string.h>

#include "cli/output.h"
#include "support/error.h"
#include "support/file.h"
#include "support/text.h"
#include "weights/tools.h"

static const struct option_choice optimizers[] = {{"auto", NST_AUTO}, {"lbfgs", NST_LBFGS}, {"adam", NST_ADAM}, {0}};
static const struct option_choice poolings[] = {{"max", NST_POOLING_MAX}, {"average", NST_POOLING_AVERAGE}, {0}};
static const struct option_choice colors[] = {{"style", NST_COLORS_STYLE},         {"content", NST_COLORS_CONTENT},
                                              {"luminance", NST_COLORS_LUMINANCE}, {"match", NST_COLORS_MATCH},
                                              {"palette", NST_COLORS_PALETTE},     {0}};
static const struct option_choice depths[] = {{"8", 8}, {"16", 16}, {"32", 32}, {0}};

#define FIELD(name) .offset = offsetof(struct stylize_options, name)
#define LIST(name, counter, most)                                                                                      \
    FIELD(name), .count_offset = offsetof(struct stylize_options, counter), .capacity = most

/* clang-format off */
static const struct option options[] = {
    {"output", 'o', "FILE", "Output", OPTION_TEXT, FIELD(output), .single = true,
     .help = "where to write the result: a .png, .jpg, .tif or .webp file, a folder, or - for standard output; required"},
    {"format", 0, "KIND", NULL, OPTION_TEXT, FIELD(format),
     .help = "png, jpeg, tiff or webp, for -o - and other names that do not tell"},
    {"depth", 0, "BITS", NULL, OPTION_CHOICE, FIELD(depth_bits), .choices = depths, .recorded = true,
     .help = "bits per channel of a PNG or TIFF file: 8, 16, or 32 (TIFF)"},
    {"jpeg-quality", 0, "N", NULL, OPTION_INTEGER, FIELD(jpeg_quality), .minimum = 1, .maximum = 100,
     .help = "quality of a JPEG file, 1 to 100"},
    {"webp-quality", 0, "N", NULL, OPTION_INTEGER, FIELD(webp_quality), .minimum = 1, .maximum = 100,
     .zero = "lossless", .help = "quality of a WebP file, 1 to 100, or lossless"},
    {"keep-profile", 0, NULL, NULL, OPTION_FLAG, FIELD(keep_profile), .recorded = true,
     .help = "write the result in the color profile of the content, not in sRGB"},
    {"strip", 0, NULL, NULL, OPTION_FLAG, FIELD(strip), .recorded = true,
     .help = "leave out the EXIF, XMP and IPTC data of the content"},
    {"save-every", 0, "N", NULL, OPTION_INTEGER, FIELD(save_every), .minimum = 1, .maximum = 1000000, .zero = "never",
     .help = "also write FILE-0100.png and so on, every N iterations"},
    {"log", 0, "FILE", NULL, OPTION_TEXT, FIELD(log), .single = true,
     .help = "write one JSON object per evaluation of the loss"},
    {"checkpoint", 0, "FILE", NULL, OPTION_TEXT, FIELD(checkpoint), .single = true,
     .help = "write what 'nst resume FILE' goes on with; keep the one before in FILE.1"},
    {"checkpoint-every", 0, "TIME", NULL, OPTION_DURATION, FIELD(checkpoint_every), .minimum = 0.001,
     .maximum = 1e6, .zero = "auto", .single = true, .help = "how often: 5min; auto: 60s, or in 1 % of the time"},

    {"size", 's', "PX", "Picture", OPTION_INTEGER, FIELD(settings.size_px), .minimum = 16,
     .maximum = NST_MAX_SIZE_PX, .recorded = true, .help = "longer side of the result, in pixels"},
    {"init", 0, "START", NULL, OPTION_TEXT, FIELD(init), .recorded = true,
     .help = "start from content, random, or a picture file"},
    {"seed", 0, "N", NULL, OPTION_SEED, FIELD(settings.seed), .maximum = 9007199254740991, .recorded = true,
     .help = "seed of all random numbers"},
    {"colors", 0, "WHOSE", NULL, OPTION_CHOICE, FIELD(settings.colors), .choices = colors, .recorded = true,
     .help = "style: as painted; content: its chroma, luminance of the result; luminance: the same, painted from gray "
             "pictures; match: styles first get the content's mean and covariance; palette: the content's chroma with "
             "mean and covariance of the style's, smoothed along the result's luminance"},
    {"original-colors", 0, NULL, NULL, OPTION_FLAG, FIELD(settings.original_colors), .recorded = true,
     .help = "keep the colors of the content (chroma of YCbCr)"},
    {"mask", 0, "FILE", NULL, OPTION_TEXT, FIELD(mask), .recorded = true,
     .help = "where the picture may change: white yes, black no, gray partly"},

    {"strength", 0, "X", "Style", OPTION_REAL, FIELD(strength), .maximum = 1,
     .help = "from the photograph, hardly touched (0), to the style with hardly any content (1): sets the content weight"},
    {"content-weight", 0, "X", NULL, OPTION_REAL, FIELD(settings.content_weight), .maximum = 1e12,
     .recorded = true, .help = "how much the content counts"},
    {"style-weight", 0, "X", NULL, OPTION_REAL, FIELD(settings.style_weight), .maximum = 1e12, .recorded = true,
     .help = "how much the style counts"},
    {"tv-weight", 0, "X", NULL, OPTION_REAL, FIELD(settings.tv_weight), .maximum = 1e12, .recorded = true,
     .help = "how much smoothness (total variation) counts"},
    {"style-scale", 0, "X", NULL, OPTION_REAL, FIELD(settings.style_scale), .minimum = NST_MIN_STYLE_SCALE,
     .maximum = NST_MAX_STYLE_SCALE, .recorded = true, .help = "size of the style pictures relative to the result"},
    {"style-blend", 0, "A,B,...", NULL, OPTION_REALS, LIST(settings.style_blend, settings.style_blend_count,
     NST_MAX_STYLES), .maximum = 1e6, .recorded = true, .help = "how much each style counts [equally]"},
    {"style-mask", 0, "FILE", NULL, OPTION_TEXTS, LIST(style_masks, style_mask_count, NST_MAX_STYLES), .recorded = true,
     .help = "where a style acts (white); once for each style, in order"},
    {"content-layers", 0, "LAYERS", NULL, OPTION_LAYERS, FIELD(settings.content_layers), .maximum = 1e12,
     .recorded = true, .help = "layers that hold the content"},
    {"style-layers", 0, "LAYERS", NULL, OPTION_LAYERS, FIELD(settings.style_layers), .maximum = 1e12,
     .recorded = true, .help = "layers that hold the style: relu1_1,relu2_1:0.5,..."},

    {"preset", 'p', "NAME", "Optimization", OPTION_TEXT, FIELD(preset), .recorded = true,
     .help = "what is minimized and how: 'nst help presets' lists them"},
    {"scales", 0, "N", NULL, OPTION_INTEGER, FIELD(settings.scale_count), .minimum = 1, .maximum = NST_MAX_SCALES,
     .zero = "auto", .recorded = true, .help = "sizes to go through, from small to large"},
    {"iterations", 'i', "N[,N...]", NULL, OPTION_INTEGERS, LIST(settings.iterations, settings.iteration_count,
     NST_MAX_SCALES), .maximum = NST_MAX_ITERATIONS, .recorded = true,
     .help = "at each scale: one number for all, or one for each; 0: only begins"},
    {"time", 0, "TIME", NULL, OPTION_DURATION, FIELD(seconds), .minimum = 1, .maximum = 1e7, .zero = "any",
     .help = "be done after 60s, 5min or 2h: as many iterations as fit"},
    {"optimizer", 0, "NAME", NULL, OPTION_CHOICE, FIELD(settings.optimizer), .choices = optimizers, .recorded = true,
     .help = "auto, lbfgs or adam"},
    {"history", 0, "N", NULL, OPTION_INTEGER, FIELD(settings.history), .minimum = 1, .maximum = NST_MAX_HISTORY,
     .recorded = true, .help = "pairs that L-BFGS remembers"},
    {"learning-rate", 0, "X", NULL, OPTION_REAL, FIELD(settings.learning_rate), .minimum = 1e-4, .maximum = 1e6,
     .zero = "auto", .recorded = true, .help = "step of L-BFGS, or of Adam in 1/255 of the range"},
    {"pooling", 0, "KIND", NULL, OPTION_CHOICE, FIELD(settings.pooling), .choices = poolings, .recorded = true,
     .help = "max or average"},

    {"network", 'n', "NAME", "Network and device", OPTION_TEXT, FIELD(network), .recorded = true,
     .help = "name ('nst weights list' shows them) or file"},
    {"input-convention", 0, "NAME", NULL, OPTION_TEXT, FIELD(input_convention), .choices = convention_choices,
     .recorded = true, .help = "caffe or torchvision, for a file that does not tell"},
    {"device", 'd', "SPEC", NULL, OPTION_TEXT, FIELD(device),
     .help = "auto, gpu, cpu, accelerator, P:D as in 'nst devices', or a name; several, with commas, or all: together on "
             "one picture"},
    {"deal", 0, "N,N,...", NULL, OPTION_TEXT, FIELD(deal), .recorded = true,
     .help = "parts of the picture that each of several devices gets [by their speeds]"},
    {"precision", 0, "KIND", NULL, OPTION_CHOICE, FIELD(settings.precision), .choices = precision_choices,
     .recorded = true, .help = "numbers in memory: single, half (16 bits), or auto: half where single does not fit"},
    {"memory", 0, "BYTES", NULL, OPTION_BYTES, FIELD(settings.memory_bytes), .minimum = 1, .maximum = 9007199254740991,
     .zero = "auto", .recorded = true,
     .help = "of the device, at most: 2GiB, 500MiB, ...; auto: what it has; a job that needs more runs in tiles"},
    {"no-cache", 0, NULL, NULL, OPTION_FLAG, FIELD(no_cache), .help = "neither read nor keep kernels, checks, tuning"},
    {"plan", 0, NULL, NULL, OPTION_FLAG, FIELD(plan), .single = true,
     .help = "print buffers, bytes and engines, and stop"},

    {"quiet", 'q', NULL, "Messages", OPTION_FLAG, FIELD(quiet), .help = "print nothing but errors"},
    {"progress", 0, "KIND", NULL, OPTION_TEXT, FIELD(progress),
     .help = "auto, or for programs: json (standard error) or json:FD"},
    {"verbose", 'v', NULL, NULL, OPTION_FLAG, FIELD(verbose), .help = "print device, network and plan too"},
    {"help", 'h', NULL, NULL, OPTION_HELP, .help = "print this"},
};
/* clang-format on */

const struct option_table stylize_table = {.options = options, .count = sizeof options / sizeof options[0]};

/* The preset that the settings name. */
nst_preset stylize_preset(const nst_settings *settings) {
    nst_preset preset;
    int i = 0;
    while (nst_preset_at(i, &preset) && strcmp(preset.name, settings->preset) != 0) {
        i++;
    }
    return preset;
}

nst_status stylize_defaults(void *values, const char *preset_name, nst_error *error) {
    struct stylize_options *defaults = values;
    *defaults = (struct stylize_options){.depth_bits = 8, .jpeg_quality = 95, .strength = 0.5, .progress = "auto"};
    nst_status status = nst_settings_init(&defaults->settings, preset_name, error);
    if (status) {
        return status;
    }
    nst_preset preset = stylize_preset(&defaults->settings);
    defaults->preset = preset.name;
    defaults->network = preset.network ? preset.network : WEIGHTS_DEFAULT_NAME;
    defaults->init = defaults->settings.init == NST_INIT_RANDOM ? "random" : "content";
    return NST_OK;
}

/* Sets settings.init from the word, which is the path of a picture unless it is one of two names. */
static nst_status read_init(struct stylize_options *options, nst_error *error) {
    static const char *const names[] = {"content", "random"};
    options->settings.init = NST_INIT_PICTURE;
    if (strcmp(options->init, "content") == 0) {
        options->settings.init = NST_INIT_CONTENT;
    }
    if (strcmp(options->init, "random") == 0) {
        options->settings.init = NST_INIT_RANDOM;
    }
    const char *nearest = text_nearest(options->init, names, 2);
    char quoted[64];
    if (options->settings.init == NST_INIT_PICTURE && nearest && !file_exists(options->init)) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "--init: expected content, random or a file, found '%s'; did you mean %s?",
                    option_quote(options->init, quoted, sizeof quoted), nearest);
    }
    return NST_OK;
}

/* The content weight that stands for the strength, which is not recorded itself. */
static nst_status apply_strength(const struct arguments *arguments, struct stylize_options *options, nst_error *error) {
    if (!arguments_text(arguments, "strength")) {
        return NST_OK;
    }
    if (arguments_text(arguments, "content-weight")) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "--strength and --content-weight: expected at most one of them, found both");
    }
    return nst_settings_set_strength(&options->settings, options->strength, error);
}

static double sum(const double *values, int count) {
    double total = 0;
    for (int i = 0; i < count; i++) {
        total += values[i];
    }
    return total;
}

/* No two files that are written have the same name. */
static nst_status check_files(const struct arguments *arguments, const struct stylize_options *options,
                              nst_error *error) {
    const struct {
        const char *option, *path;
    } files[] = {{"log", options->log}, {"output", options->output}, {"checkpoint", options->checkpoint}};
    enum { FILES = sizeof files / sizeof files[0] };
    for (int i = 0; i < FILES; i++) {
        for (int j = 0; j < i; j++) {
            if (files[i].path && files[j].path && strcmp(files[i].path, files[j].path) == 0) {
                return fail(error, NST_ERROR_ARGUMENT, "--%s and --%s: expected two files, found the same name twice",
                            files[j].option, files[i].option);
            }
        }
    }
    if (arguments_text(arguments, "checkpoint-every") && !options->checkpoint) {
        return fail(error, NST_ERROR_ARGUMENT, "--checkpoint-every: expected --checkpoint FILE too, found none");
    }
    return NST_OK;
}

/* Standard input can be read once, and standard output be written once, in a kind that is given. */
static nst_status check_streams(const struct stylize_options *options, nst_error *error) {
    int inputs = options->settings.init == NST_INIT_PICTURE && output_is_stream(options->init);
    inputs += output_is_stream(options->content);
    for (int i = 0; i < options->style_count; i++) {
        inputs += output_is_stream(options->styles[i]);
    }
    if (inputs > 1) {
        return fail(error, NST_ERROR_ARGUMENT, "expected at most one picture from standard input (-), found %d",
                    inputs);
    }
    if (inputs > 0 && options->checkpoint) {
        return fail(
            error, NST_ERROR_ARGUMENT,
            "--checkpoint: expected pictures in files, found one from standard input, which cannot be read again");
    }
    bool to_stream = output_is_stream(options->output);
    if (to_stream && !options->format) {
        return fail(error, NST_ERROR_ARGUMENT, "-o -: expected --format KIND, such as png, for standard output");
    }
    if (to_stream && options->save_every) {
        return fail(error, NST_ERROR_ARGUMENT, "--save-every: expected -o FILE, found standard output");
    }
    return NST_OK;
}

/* What can only be judged when all options and operands are known. */
static nst_status check_together(const struct arguments *arguments, const struct stylize_options *options,
                                 nst_error *error) {
    const nst_settings *settings = &options->settings;
    int styles = options->style_count;
    if (!options->output && !options->plan) {
        return fail(error, NST_ERROR_ARGUMENT, "expected -o FILE, where to write the result; found none");
    }
    if (settings->style_blend_count && settings->style_blend_count != styles) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "--style-blend: expected one number for each of the %d style pictures, found %d", styles,
                    settings->style_blend_count);
    }
    if (settings->style_blend_count && sum(settings->style_blend, styles) <= 0) {
        return fail(error, NST_ERROR_ARGUMENT, "--style-blend: expected a number above 0 among them, found none");
    }
    if (options->style_mask_count && options->style_mask_count != styles) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "--style-mask: expected one for each of the %d style pictures, in order, found %d", styles,
                    options->style_mask_count);
    }
    if (arguments_text(arguments, "iterations") && settings->iteration_count > 1 && settings->scale_count &&
        settings->iteration_count != settings->scale_count + stylize_preset(settings).phases - 1) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "--iterations: expected one number or one for each of the %d scales, found %d",
                    settings->scale_count + stylize_preset(settings).phases - 1, settings->iteration_count);
    }
    if (arguments_text(arguments, "colors") && settings->original_colors) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "--colors and --original-colors: expected at most one of them, found both");
    }
    if (options->seconds > 0 && arguments_text(arguments, "iterations")) {
        return fail(error, NST_ERROR_ARGUMENT, "--time and --iterations: expected at most one of them, found both");
    }
    if (options->quiet && options->verbose) {
        return fail(error, NST_ERROR_ARGUMENT, "--quiet and --verbose: expected at most one of them, found both");
    }
    return check_streams(options, error);
}

/* The operands: a content and its styles. */
static nst_status take_operands(const struct arguments *arguments, struct stylize_options *options, nst_error *error) {
    int styles = arguments->operand_count - 1;
    if (styles < 1) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "expected a content and at least one style picture, found %s; 'nst help' shows how",
                    styles < 0 ? "none" : "only one");
    }
    if (styles > NST_MAX_STYLES) {
        return fail(error, NST_ERROR_ARGUMENT, "expected at most %d style pictures, found %d", NST_MAX_STYLES, styles);
    }
    options->content = arguments->operands[0];
    options->style_count = styles;
    for (int i = 0; i < styles; i++) {
        options->styles[i] = arguments->operands[i + 1];
    }
    return NST_OK;
}

nst_status stylize_options_read(const struct arguments *arguments, struct stylize_options *options, nst_error *error) {
    nst_status status = stylize_defaults(options, arguments_text(arguments, "preset"), error);
    status = status ? status : arguments_store(arguments, options, error);
    status = status ? status : take_operands(arguments, options, error);
    return status ? status : stylize_options_complete(arguments, options, error);
}

nst_status stylize_options_complete(const struct arguments *arguments, struct stylize_options *options,
                                    nst_error *error) {
    nst_status status = apply_strength(arguments, options, error);
    if (status) {
        return status;
    }
    if (options->settings.original_colors && !arguments_text(arguments, "colors")) {
        options->settings.colors = NST_COLORS_STYLE; /* not those of the preset */
    }
    /* What "default" stands for is recorded, since it may change. */
    options->preset = stylize_preset(&options->settings).name;
    /* A number of iterations for each scale, and for each further run through the last one, says how many scales there
     * are. */
    int repeats = stylize_preset(&options->settings).phases - 1;
    if (arguments_text(arguments, "iterations") && !arguments_text(arguments, "scales") &&
        options->settings.iteration_count > 1 + repeats) {
        options->settings.scale_count = options->settings.iteration_count - repeats;
    }
    status = read_init(options, error);
    status = status ? status : check_together(arguments, options, error);
    return status ? status : check_files(arguments, options, error);
}
