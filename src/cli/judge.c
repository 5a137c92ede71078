/* judge.c: `nst judge`: how far is a picture from its style and from its content? */
#include "cli/command.h"
#include "cli/device_open.h"
#include "cli/json.h"
#include "cli/network_choice.h"
#include "cli/picture_open.h"
#include "cli/table.h"
#include "support/error.h"

#include <math.h>

struct judge_options {
    nst_settings settings;
    const char *content, *style;
    const char *network, *input_convention;
    const char *device; /* NULL: NST_DEVICE, then auto */
    bool json, no_cache;
};

#define FIELD(name) .offset = offsetof(struct judge_options, name)
/* clang-format off */
static const struct option options[] = {
    {"content", 0, "FILE", "Pictures", OPTION_TEXT, FIELD(content), .help = "what the picture should show; required"},
    {"style", 0, "FILE", NULL, OPTION_TEXT, FIELD(style), .help = "how it should be painted; required"},
    {"style-scale", 0, "X", NULL, OPTION_REAL, FIELD(settings.style_scale), .minimum = NST_MIN_STYLE_SCALE,
     .maximum = NST_MAX_STYLE_SCALE, .help = "size of the style picture relative to the picture"},
    {"network", 'n', "NAME", "Network and device", OPTION_TEXT, FIELD(network),
     .help = "name ('nst weights list' shows them) or file"},
    {"input-convention", 0, "NAME", NULL, OPTION_TEXT, FIELD(input_convention), .choices = convention_choices,
     .help = "caffe or torchvision, for a file that does not tell"},
    {"device", 'd', "SPEC", NULL, OPTION_TEXT, FIELD(device),
     .help = "auto, gpu, cpu, accelerator, P:D as in 'nst devices', or a name"},
    {"no-cache", 0, NULL, NULL, OPTION_FLAG, FIELD(no_cache), .help = "neither read nor keep kernels, checks, tuning"},
    {"json", 'j', NULL, "Messages", OPTION_FLAG, FIELD(json), .help = "print the distances as JSON"},
    {"help", 'h', NULL, NULL, OPTION_HELP, .help = "print this"},
};
/* clang-format on */
static const struct option_table judge_table = {.options = options, .count = sizeof options / sizeof options[0]};

static nst_status judge_defaults(void *values, const char *preset, nst_error *error) {
    struct judge_options *defaults = values;
    *defaults = (struct judge_options){.network = "vgg19"};
    return nst_settings_init(&defaults->settings, preset, error);
}

/* ---- Printing -------------------------------------------------------------------------------------------------- */

static void add_rows(struct table *table, const char *kind, double mean, const nst_layer_distance *layers, int count) {
    table_row(table);
    table_cell(table, 0, "%s", kind);
    table_cell(table, 2, "%.5f", mean);
    for (int i = 0; i < count; i++) {
        table_row(table);
        table_cell(table, 1, "%s", layers[i].name);
        table_cell(table, 2, "%.5f", layers[i].distance);
    }
}

static void print_text(const nst_judgment *judgment) {
    struct table table;
    table_begin(&table, "<|<layer|distance");
    add_rows(&table, "style", judgment->style, judgment->style_layers, judgment->style_count);
    add_rows(&table, "content", judgment->content, judgment->content_layers, judgment->content_count);
    add_rows(&table, "wasserstein", judgment->wasserstein, judgment->wasserstein_layers, judgment->style_count);
    if (isfinite(judgment->structure)) {
        add_rows(&table, "structure", judgment->structure, NULL, 0);
    }
    if (judgment->patch_count > 0) {
        add_rows(&table, "patches", judgment->patches, judgment->patch_layers, judgment->patch_count);
    }
    table_print_text(&table, 0, stdout);
    table_free(&table);
}

static json_t *distance_json(double mean, const nst_layer_distance *layers, int count) {
    json_t *distances = json_object();
    for (int i = 0; i < count; i++) {
        json_object_set_new(distances, layers[i].name, real_json(layers[i].distance));
    }
    return json_pack("{s:o, s:o}", "distance", real_json(mean), "layers", distances);
}

static nst_status print_judgment_json(const char *picture, const struct judge_options *values,
                                      const nst_network *network, const nst_judgment *judgment, nst_error *error) {
    json_t *whole =
        json_pack("{s:s, s:s, s:o, s:i, s:i, s:o, s:o, s:o, s:s, s:o, s:o}", "kind", "nst judge", "version",
                  NST_VERSION, "picture", text_json(picture), "width", judgment->width, "height", judgment->height,
                  "content_picture", text_json(values->content), "style_picture", text_json(values->style), "network",
                  text_json(nst_network_name(network)), "network_sha256", nst_network_sha256(network), "style",
                  distance_json(judgment->style, judgment->style_layers, judgment->style_count), "content",
                  distance_json(judgment->content, judgment->content_layers, judgment->content_count));
    json_object_set_new(whole, "wasserstein",
                        distance_json(judgment->wasserstein, judgment->wasserstein_layers, judgment->style_count));
    if (isfinite(judgment->structure)) {
        json_object_set_new(whole, "structure", json_pack("{s:o}", "distance", real_json(judgment->structure)));
    }
    if (judgment->patch_count > 0) {
        json_object_set_new(whole, "patches",
                            distance_json(judgment->patches, judgment->patch_layers, judgment->patch_count));
    }
    return print_json(whole, "the distances", stdout, error);
}

/* ---- Command --------------------------------------------------------------------------------------------------- */

static nst_status read_options(const struct arguments *arguments, struct judge_options *values, nst_error *error) {
    nst_status status = judge_defaults(values, NULL, error);
    if (!status) {
        status = arguments_store(arguments, values, error);
    }
    if (!status && arguments->operand_count != 1) {
        status = fail(error, NST_ERROR_ARGUMENT, "judge: expected one picture, found %d; 'nst help judge' shows how",
                      arguments->operand_count);
    }
    if (!status && (!values->content || !values->style)) {
        status = fail(error, NST_ERROR_ARGUMENT, "judge: expected --%s FILE, found none",
                      values->content ? "style" : "content");
    }
    return status;
}

static nst_status run(const char *path, const struct judge_options *values, nst_error *error) {
    nst_context *context = NULL;
    nst_network *network = NULL;
    nst_picture picture = {0}, content = {0}, style = {0};
    nst_judgment judgment;
    nst_status status = picture_open(path, false, &picture, error);
    if (!status) {
        status = picture_open(values->content, false, &content, error);
    }
    if (!status) {
        status = picture_open(values->style, false, &style, error);
    }
    if (!status) {
        status = device_open(values->device, values->no_cache, false, &context, error);
    }
    if (!status) {
        status = network_choice_open(values->network, values->input_convention, &values->settings, &network, error);
    }
    if (!status) {
        nst_judge_pictures pictures = {.picture = &picture, .content = &content, .style = &style};
        status = nst_judge(context, network, &values->settings, &pictures, &judgment, error);
    }
    if (!status && values->json) {
        status = print_judgment_json(path, values, network, &judgment, error);
    } else if (!status) {
        print_text(&judgment);
    }
    nst_network_destroy(network);
    nst_context_destroy(context);
    nst_picture_free(&style);
    nst_picture_free(&content);
    nst_picture_free(&picture);
    return status;
}

static int judge(const struct arguments *arguments) {
    struct judge_options values;
    nst_error error;
    nst_status status = read_options(arguments, &values, &error);
    if (!status) {
        status = run(arguments->operands[0], &values, &error);
    }
    return !status ? EXIT_FINE : command_error(&error);
}

const struct command command_judge = {
    .name = "judge",
    .usage = "PICTURE --content C --style S",
    .summary = "measure how far a picture is from its style and from its content",
    .details =
        "The picture is judged at its own size, by the features of the network; 0 is the same, 1 is far away.\n"
        "  style        |G - G*|^2 / |G*|^2 of the Gram matrices at relu1_1 to relu5_1, and their mean\n"
        "  content      |F - F*|^2 / |F*|^2 of the features at relu4_2\n"
        "  wasserstein  squared Wasserstein-2 distance of means and covariances at relu1_1 to relu5_1, relative to\n"
        "               the style's mean squared length\n"
        "  structure    content feature structure distance (CFSD): divergence of relu3_1's self-similarities from\n"
        "               the content's\n"
        "  patches      mean cosine distance of each position at relu3_1 and relu4_1 to the nearest one of the style,\n"
        "               turned four ways, both pictures at 384 pixels\n"
        "* marks the style at the size that it has when such a picture is made, or the content at the picture's\n"
        "size. Distances can be compared between pictures judged with the same network at the same size.",
    .table = &judge_table,
    .values_size = sizeof(struct judge_options),
    .set_defaults = judge_defaults,
    .run = judge,
};
