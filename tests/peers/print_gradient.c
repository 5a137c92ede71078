/* print_gradient.c: losses and gradient of one evaluation of the objective, for check_gradient.py to compare.
 *
 *     print_gradient [OPTION...] CONTENT STYLE NETWORK GRADIENT
 *
 * The pictures are taken at the sizes that they have. The losses go to standard output as JSON; the gradient with
 * respect to the image, of values 0..255, goes to the file GRADIENT, float [3][height][width], red, green, blue. What
 * the gradient flows back through goes to GRADIENT.selections: for each ReLU which elements were positive, for each
 * maximum pooling which elements of its input were the largest of their windows, and positive. A line "LAYER CHANNELS
 * HEIGHT WIDTH", then [channels][height][width] bytes, 0 or 1. A ReLU that runs as one with the pooling behind it has
 * none.
 * Options:
 *
 *     --image FILE          where the objective is evaluated, a picture of the content's size [CONTENT]
 *     --preset NAME         gram, neural-style, ... [neural-style]
 *     --pooling NAME        max or average [max]
 *     --engine NAME         plain, direct, winograd: for the convolutions that it can do [auto]
 *     --content-layers A,B  --style-layers A,B:0.5,...
 *
 * The engine is not a setting of the program, so the making of a convolution is wrapped by the linker (see
 * CMakeLists.txt).
 */
#include "device/plan.h"
#include "evaluate/evaluation.h"
#include "image/picture.h"
#include "network/stage.h"
#include "optimizer/optimizer.h"
#include "stylize/recipe.h"
#include "stylize/transfer.h"
#include "support/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    nst_settings settings;
    const char *engine; /* NULL or "auto": any */
    const char *content, *style, *image, *network, *gradient;
};

struct run {
    nst_picture content, style, image;
    nst_context *context;
    nst_network *network;
    struct objective *objective;
    struct plan plan;
    struct evaluation *evaluation;
};

/* ---- The engine -------------------------------------------------------------------------------------------------- */

static const struct convolution_engine *wanted_engine; /* NULL: any; the wrappers have no other way to know */
static int wanted_count, other_count;                  /* convolutions with that engine, and with another */

nst_status __real_convolution_create(nst_context *context, const struct convolution_shape *shape,
                                     const struct convolution_engine *engine, const struct convolution_weights *weights,
                                     struct convolution **convolution, nst_error *error);
nst_status __wrap_convolution_create(nst_context *context, const struct convolution_shape *shape,
                                     const struct convolution_engine *engine, const struct convolution_weights *weights,
                                     struct convolution **convolution, nst_error *error);

/* Where the wanted engine cannot do a shape, the usual one. */
nst_status __wrap_convolution_create(nst_context *context, const struct convolution_shape *shape,
                                     const struct convolution_engine *engine, const struct convolution_weights *weights,
                                     struct convolution **convolution, nst_error *error) {
    nst_status status = __real_convolution_create(context, shape, engine, weights, convolution, error);
    if (status == NST_ERROR_ARGUMENT && engine) {
        status = __real_convolution_create(context, shape, NULL, weights, convolution, error);
    }
    if (!status && weights) {
        bool is_wanted = !wanted_engine || convolution_engine_of(*convolution) == wanted_engine;
        ++*(is_wanted ? &wanted_count : &other_count);
    }
    return status;
}

/* ---- The selections ---------------------------------------------------------------------------------------------- */

static FILE *selection_file; /* of the evaluation; NULL before it */

nst_status __real_model_backward_begin(struct model_run *run, nst_error *error);
nst_status __wrap_model_backward_begin(struct model_run *run, nst_error *error);

/* `masks`: as in network/convolution.h, of one channel. */
static void write_channel(const cl_ushort *masks, int block, struct image_size size) {
    for (int y = 0; y < size.height; ++y) {
        for (int x = 0; x < size.width; ++x) {
            int tile = y / 4 * ((size.width + 3) / 4) + x / 4;
            fputc(masks[tile * block] >> (4 * (y % 4) + x % 4) & 1, selection_file);
        }
    }
}

static nst_status write_selection(const struct model *model, const struct stage *stage, cl_mem buffer,
                                  struct image_size size, nst_error *error) {
    int block = model->context->channel_block;
    size_t tiles = (size_t)((size.height + 3) / 4) * (size_t)((size.width + 3) / 4);
    uint64_t bytes = relu_mask_bytes(model->context, stage->out_channels, size.height, size.width);
    cl_ushort *masks = malloc(bytes);
    if (!masks) {
        return fail_memory(error, bytes, "a mask");
    }
    nst_status status = buffer_read(model->context, buffer, 0, masks, bytes, error);
    fprintf(selection_file, "%s %d %d %d\n", stage->name, stage->out_channels, size.height, size.width);
    for (int c = 0; !status && c < stage->out_channels; ++c) {
        write_channel(masks + (size_t)(c / block * block) * tiles + c % block, block, size);
    }
    free(masks);
    return status;
}

/* The backward pass is about to begin: the only time when all masks are there. */
nst_status __wrap_model_backward_begin(struct model_run *run, nst_error *error) {
    nst_status status = NST_OK;
    const struct model *model = run->model;
    for (int s = 0; !status && s < model->stage_count; ++s) {
        const struct stage *stage = &model->stages[s];
        const struct stage_buffers *buffers = &run->buffers[s];
        struct image_size size = stage->methods->mask_size(stage, model_input_size(model, s, run->size));
        int entry = buffers->selection >= 0 ? buffers->selection : buffers->mask;
        if (entry >= 0) {
            status = write_selection(model, stage, run_buffer(run, entry), size, error);
        }
    }
    return status ? status : __real_model_backward_begin(run, error);
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

/* The place of a name in a list of names that ends with NULL, or -1. */
static int find_name(const char *name, const char *const *names) {
    for (int i = 0; names[i]; ++i) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* "relu1_1,relu2_1:0.5" */
static bool read_layers(const char *text, nst_layer_list *list) {
    list->count = 0;
    while (*text && list->count < NST_MAX_LAYERS) {
        nst_layer_weight *layer = &list->layers[list->count++];
        size_t length = strcspn(text, ",:");
        if (length == 0 || length >= sizeof layer->name) {
            return false;
        }
        memcpy(layer->name, text, length);
        layer->name[length] = '\0';
        layer->weight = 1;
        text += length;
        if (*text == ':') {
            char *end;
            layer->weight = strtod(text + 1, &end);
            text = end;
        }
        text += *text == ',';
    }
    return *text == '\0' && list->count > 0;
}

static bool read_option(struct options *options, const char *name, const char *value) {
    static const char *const poolings[] = {"max", "average", NULL};
    int index = 0;
    if (strcmp(name, "--image") == 0) {
        options->image = value;
    } else if (strcmp(name, "--pooling") == 0) {
        index = find_name(value, poolings);
        options->settings.pooling = index == 1 ? NST_POOLING_AVERAGE : NST_POOLING_MAX;
    } else if (strcmp(name, "--engine") == 0) {
        options->engine = value;
    } else if (strcmp(name, "--content-layers") == 0) {
        return read_layers(value, &options->settings.content_layers);
    } else if (strcmp(name, "--style-layers") == 0) {
        return read_layers(value, &options->settings.style_layers);
    } else {
        return strcmp(name, "--preset") == 0; /* read before the others */
    }
    return index >= 0;
}

static bool read_options(struct options *options, int count, char **words) {
    const char *preset = "neural-style";
    for (int i = 1; i + 1 < count; ++i) {
        if (strcmp(words[i], "--preset") == 0) {
            preset = words[i + 1];
        }
    }
    if (nst_settings_init(&options->settings, preset, NULL)) {
        return false;
    }
    int i = 1;
    for (; i + 1 < count && strncmp(words[i], "--", 2) == 0; i += 2) {
        if (!read_option(options, words[i], words[i + 1])) {
            return false;
        }
    }
    if (count - i != 4) {
        return false;
    }
    options->content = words[i];
    options->style = words[i + 1];
    options->network = words[i + 2];
    options->gradient = words[i + 3];
    options->image = options->image ? options->image : options->content;
    return true;
}

/* ---- The evaluation ---------------------------------------------------------------------------------------------- */

static struct image_size size_of(const nst_picture *picture) {
    return (struct image_size){.height = picture->height, .width = picture->width};
}

static size_t elements_of(const nst_picture *picture) {
    return 3 * (size_t)picture->height * (size_t)picture->width;
}

static nst_status read_inputs(struct run *run, const struct options *options, nst_error *error) {
    nst_status status = nst_picture_read(options->content, &run->content, NULL, error);
    if (!status) {
        status = nst_picture_read(options->style, &run->style, NULL, error);
    }
    if (!status) {
        status = nst_picture_read(options->image, &run->image, NULL, error);
    }
    if (!status && (run->image.width != run->content.width || run->image.height != run->content.height)) {
        snprintf(error->message, sizeof error->message, "%s: expected the size of the content", options->image);
        status = NST_ERROR_ARGUMENT;
    }
    return status ? status : nst_network_open(options->network, NULL, &run->network, error);
}

static nst_status prepare(struct run *run, const struct options *options, nst_error *error) {
    nst_status status = nst_context_create(NULL, &run->context, error);
    if (status) {
        return status;
    }
    if (options->engine && strcmp(options->engine, "auto") != 0) {
        wanted_engine = convolution_find_engine(run->context, options->engine);
        if (!wanted_engine) {
            return fail(error, NST_ERROR_ARGUMENT, "this device has no engine '%s'", options->engine);
        }
    }
    const struct recipe_use use = {.engine = wanted_engine};
    status = recipe_create_objective(run->context, run->network, &options->settings, &use, &run->objective, error);
    if (status) {
        return status;
    }
    struct image_size sizes[] = {size_of(&run->content), size_of(&run->style)};
    status = evaluation_reserve(run->objective, &run->plan, sizes, 2, &run->evaluation, error);
    if (!status) {
        status = plan_assign(&run->plan, error);
    }
    return status ? status : plan_allocate(&run->plan, run->context, error);
}

static nst_status upload(struct run *run, const nst_picture *picture, nst_error *error) {
    struct transfer transfer = {.center = objective_center(run->objective), .rounds_to_bytes = true};
    return transfer_to_device(run->context, picture, &transfer, evaluation_image_vector(run->evaluation), error);
}

static nst_status evaluate(struct run *run, nst_error *error) {
    const struct loss_target content = {.picture = LOSS_CONTENT, .share = 1},
                             style = {.picture = LOSS_STYLE, .share = 1};
    struct evaluation *evaluation = run->evaluation;
    nst_status status = evaluation_begin_targets(evaluation, 0, NULL, error);
    status = status ? status : upload(run, &run->content, error);
    status = status ? status : evaluation_add_target(evaluation, &content, size_of(&run->content), error);
    status = status ? status : upload(run, &run->style, error);
    status = status ? status : evaluation_add_target(evaluation, &style, size_of(&run->style), error);
    status = status ? status : evaluation_end_targets(evaluation, error);
    status = status ? status : upload(run, &run->image, error);
    return status ? status : evaluation_run(evaluation, EVALUATE_GRADIENT, error);
}

/* ---- What is printed --------------------------------------------------------------------------------------------- */

static nst_status open_selections(const char *gradient, nst_error *error) {
    char path[FILENAME_MAX];
    snprintf(path, sizeof path, "%s.selections", gradient);
    selection_file = fopen(path, "wb");
    return selection_file ? NST_OK : fail(error, NST_ERROR_FILE, "%s: cannot be written", path);
}

static nst_status write_gradient(struct run *run, const char *path, nst_error *error) {
    size_t count = elements_of(&run->content);
    float *values = malloc(count * sizeof *values);
    FILE *file = fopen(path, "wb");
    nst_status status = values && file ? NST_OK : NST_ERROR_FILE;
    if (!status) {
        status =
            buffer_read(run->context, evaluation_gradient(run->evaluation), 0, values, count * sizeof *values, error);
    }
    bool written = !status && fwrite(values, sizeof *values, count, file) == count;
    if (file && fclose(file) != 0) {
        written = false;
    }
    if (!status && !written) {
        status = NST_ERROR_FILE;
    }
    if (status == NST_ERROR_FILE) {
        snprintf(error->message, sizeof error->message, "%s: cannot be written", path);
    }
    free(values);
    return status;
}

static void print_losses(const struct run *run) {
    int count;
    const nst_layer_loss *losses = evaluation_losses(run->evaluation, &count);
    printf("{\"device\": \"%s\", \"with_engine\": %d, \"with_another\": %d, \"total\": %.17g, \"losses\": [",
           nst_context_device(run->context)->name, wanted_count, other_count, evaluation_total(run->evaluation));
    for (int i = 0; i < count; ++i) {
        printf("%s{\"kind\": \"%s\", \"layer\": \"%s\", \"loss\": %.17g}", i ? ", " : "", losses[i].kind,
               losses[i].name, losses[i].loss);
    }
    printf("]}\n");
}

int main(int count, char **words) {
    struct options options = {0};
    if (!read_options(&options, count, words)) {
        fprintf(stderr, "usage: print_gradient [--image FILE] [--preset gram|neural-style] "
                        "[--pooling max|average] [--engine auto|plain|direct|winograd] [--content-layers LAYERS] "
                        "[--style-layers LAYERS] CONTENT STYLE NETWORK GRADIENT\n");
        return 2;
    }
    struct run run = {0};
    nst_error error = {0};
    nst_status status = read_inputs(&run, &options, &error);
    if (!status) {
        status = prepare(&run, &options, &error);
    }
    if (!status) {
        status = open_selections(options.gradient, &error);
    }
    if (!status) {
        status = evaluate(&run, &error);
    }
    if (selection_file && fclose(selection_file) != 0 && !status) {
        status = fail(&error, NST_ERROR_FILE, "%s.selections: cannot be written", options.gradient);
    }
    if (!status) {
        status = write_gradient(&run, options.gradient, &error);
    }
    if (!status) {
        print_losses(&run);
    } else {
        fprintf(stderr, "print_gradient: %s\n", error.message);
    }
    evaluation_free(run.evaluation);
    if (run.context) {
        plan_free(&run.plan, run.context);
    }
    objective_destroy(run.objective);
    nst_network_destroy(run.network);
    nst_context_destroy(run.context);
    nst_picture_free(&run.content);
    nst_picture_free(&run.style);
    nst_picture_free(&run.image);
    return status ? 1 : 0;
}
