/* model.c: a model made of the layers of a network, and questions about it; see model.h. Its runs are in model_run.c. */
#include "network/stage.h"

#include "support/error.h"
#include "support/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- From layers to stages --------------------------------------------------------------------------------------- */

/* Says at which layers a loss may sit: the gradients of the losses are written for outputs of ReLUs. */
static nst_status fail_unknown_layer(const nst_network *network, const char *given, nst_error *error) {
    const char **names = calloc((size_t)network->layer_count, sizeof *names);
    if (!names) {
        return fail_memory(error, (size_t)network->layer_count * sizeof *names, "the names of the layers");
    }
    size_t count = 0;
    char list[512] = "";
    for (int i = 0; i < network->layer_count; ++i) {
        if (network->layers[i].kind == LAYER_RELU) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s%s", count ? ", " : "", network->layers[i].name);
            names[count++] = network->layers[i].name;
        }
    }
    const char *nearest = text_nearest(given, names, count);
    free(names);
    return fail(error, NST_ERROR_NETWORK, "network %s has no layer '%s' for a loss%s%s%s; it has %s", network->name,
                given, nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "", list);
}

/* Number of layers up to and with the deepest tap, 0 on error. */
static int deepest_layer(const nst_network *network, const struct model_options *options, nst_error *error) {
    int deepest = 0;
    for (int t = 0; t < options->tap_count; ++t) {
        int index = network_find_layer(network, options->taps[t]);
        if (index < 0 || network->layers[index].kind != LAYER_RELU) {
            fail_unknown_layer(network, options->taps[t], error);
            return 0;
        }
        deepest = index + 1 > deepest ? index + 1 : deepest;
    }
    return deepest;
}

/* Taps at the last layer of a stage. */
static int count_taps(const struct model_options *options, const char *name) {
    int taps = 0;
    for (int t = 0; t < options->tap_count; ++t) {
        taps += strcmp(options->taps[t], name) == 0;
    }
    return taps;
}

static nst_status begin_stage(struct model *model, const nst_network *network, int index, int channels,
                              nst_error *error) {
    const struct layer *layer = &network->layers[index];
    const struct stage_methods *methods = stage_find(model->context, layer->kind);
    if (!methods) {
        return fail(error, NST_ERROR_NETWORK,
                    "network %s: the layer %s cannot stand there: a ReLU must follow a convolution", network->name,
                    layer->name);
    }
    struct stage *stage = &model->stages[model->stage_count++];
    *stage = (struct stage){.methods = methods, .layer = layer};
    return methods->begin(stage, network, channels, error);
}

static nst_status make_stages(struct model *model, const nst_network *network, int layer_count, nst_error *error) {
    model->stages = calloc((size_t)layer_count, sizeof *model->stages);
    if (!model->stages) {
        return fail_memory(error, (size_t)layer_count * sizeof *model->stages, "the stages of the network");
    }
    int channels = 3;
    for (int i = 0; i < layer_count; ++i) {
        const struct layer *layer = &network->layers[i];
        struct stage *last = model->stage_count > 0 ? &model->stages[model->stage_count - 1] : NULL;
        if (!last || !last->methods->take_in || !last->methods->take_in(last, layer)) {
            nst_status status = begin_stage(model, network, i, channels, error);
            if (status) {
                return status;
            }
            last = &model->stages[model->stage_count - 1];
        }
        channels = last->out_channels;
        memcpy(last->name, layer->name, sizeof last->name);
        last->taps += count_taps(model->options, last->name);
    }
    return NST_OK;
}

static void merge_stages(struct model *model) {
    for (int s = 0; s + 1 < model->stage_count; ++s) {
        struct stage *stage = &model->stages[s], *next = stage + 1;
        if (stage->methods->merge && stage->methods->merge(model, stage, next)) {
            memcpy(stage->name, next->name, sizeof stage->name);
            free(next->state);
            memmove(next, next + 1, (size_t)(model->stage_count - s - 2) * sizeof *next);
            model->stage_count--;
        }
    }
}

/* True if the style loss's 1x1 convolution can write its gradient over a stage's map. */
static bool can_work_in_place(const struct model *model, const struct stage *stage) {
    const struct convolution_shape shape = {.in_channels = stage->out_channels,
                                            .out_channels = stage->out_channels,
                                            .kernel_size = 1,
                                            .half_maps = model->half,
                                            .epilogue = EPILOGUE_MASK,
                                            .in_place = true};
    return convolution_is_possible(model->context, &shape, NULL);
}

/* Where one loss alone uses the map of a stage, and the stage above can add to what the loss made of it. */
static void choose_gradients_in_place(struct model *model) {
    for (int s = 0; s < model->stage_count; ++s) {
        struct stage *stage = &model->stages[s], *above = s + 1 < model->stage_count ? stage + 1 : NULL;
        bool can_add = !above || (above->methods->adds_below && above->methods->adds_below(above));
        stage->has_gradient_in_place = stage->taps == 1 && can_add && can_work_in_place(model, stage);
    }
}

static nst_status create_kernels(struct model *model, nst_error *error) {
    const char *option = feature_map_option(model->half);
    nst_status status = NST_OK;
    for (int s = 0; !status && s < model->stage_count; ++s) {
        status = model->stages[s].methods->create(model, s, error);
    }
    if (!status) {
        status = kernel_create(model->context, "job.cl", option, "image_to_input", &model->image_to_input, error);
    }
    return status ? status
                  : kernel_create(model->context, "job.cl", option, "input_gradient_to_image",
                                  &model->input_gradient_to_image, error);
}

nst_status model_create(nst_context *context, const nst_network *network, const struct model_options *options,
                        struct model **result, nst_error *error) {
    *result = NULL;
    int layer_count = deepest_layer(network, options, error);
    if (layer_count == 0) {
        return options->tap_count ? NST_ERROR_NETWORK : fail(error, NST_ERROR_NETWORK, "no layer has a loss");
    }
    struct model *model = calloc(1, sizeof *model);
    if (!model) {
        return fail_memory(error, sizeof *model, "the network");
    }
    *model = (struct model){.context = context,
                            .options = options,
                            .input = network->input,
                            .pooling = options->pooling,
                            .half = options->half};
    for (int c = 0; c < 3; ++c) {
        model->input.offset[c] = options->centered ? 0 : network->input.offset[c];
    }
    nst_status status = make_stages(model, network, layer_count, error);
    if (!status) {
        merge_stages(model);
    }
    if (!status && options->losses_in_place) {
        choose_gradients_in_place(model);
    }
    if (!status) {
        status = create_kernels(model, error);
    }
    for (int s = 0; s < model->stage_count; ++s) {
        model->stages[s].layer = NULL;
    }
    model->options = NULL;
    if (status) {
        model_destroy(model);
        return status;
    }
    *result = model;
    return NST_OK;
}

void model_destroy(struct model *model) {
    if (!model) {
        return;
    }
    for (int s = 0; s < model->stage_count; ++s) {
        struct stage *stage = &model->stages[s];
        if (stage->state) {
            stage->methods->destroy(stage);
        }
        free(stage->state);
    }
    kernel_release(&model->image_to_input);
    kernel_release(&model->input_gradient_to_image);
    free(model->stages);
    free(model);
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */

nst_context *model_context(const struct model *model) {
    return model->context;
}
int model_stage_count(const struct model *model) {
    return model->stage_count;
}

int model_find_stage(const struct model *model, const char *name) {
    for (int s = 0; s < model->stage_count; ++s) {
        if (strcmp(model->stages[s].name, name) == 0) {
            return s;
        }
    }
    return -1;
}

const char *model_name(const struct model *model, int stage) {
    return model->stages[stage].name;
}
int model_channels(const struct model *model, int stage) {
    return model->stages[stage].out_channels;
}
bool model_has_half_maps(const struct model *model) {
    return model->half;
}
const struct convolution_shape *model_convolution_shape(const struct model *model, int stage, bool backward) {
    const struct convolution *convolution = stage_convolution(&model->stages[stage], backward);
    return convolution ? convolution_shape_of(convolution) : NULL;
}
bool model_gradient_in_place(const struct model *model, int stage) {
    return model->stages[stage].has_gradient_in_place;
}
bool model_has_relu(const struct model *model, int stage) {
    return model->stages[stage].has_relu;
}

struct image_size model_map_size(const struct model *model, int stage, struct image_size image) {
    struct image_size size = image;
    for (int s = 0; s <= stage; ++s) {
        size = model->stages[s].methods->output_size(&model->stages[s], size);
        if (size.height < 1 || size.width < 1) {
            return (struct image_size){0, 0};
        }
    }
    return size;
}

struct image_size model_input_size(const struct model *model, int stage, struct image_size image) {
    return stage == 0 ? image : model_map_size(model, stage - 1, image);
}

int model_smallest_side(const struct model *model) {
    int side = 1;
    while (side < 65536 && model_map_size(model, model->stage_count - 1, (struct image_size){side, side}).height == 0) {
        ++side;
    }
    return side;
}

int model_forward_step(const struct model *model, int stage) {
    (void)model;
    return stage + 1;
}
int model_backward_step(const struct model *model, int stage) {
    return 2 * model->stage_count - stage;
}
int model_last_step(const struct model *model) {
    return 2 * model->stage_count + 1;
}

/* What one element of a stage's map sees of the image; stride 0: not known. */
static struct stage_window window_on_image(const struct model *model, int stage) {
    struct stage_window seen = {.stride = 1};
    for (int s = stage; s >= 0; --s) {
        const struct stage_methods *methods = model->stages[s].methods;
        if (!methods->window) {
            return (struct stage_window){0};
        }
        struct stage_window window = methods->window(&model->stages[s]);
        seen.before = window.stride * seen.before + window.before;
        seen.after = window.stride * seen.after + window.after;
        seen.stride *= window.stride;
    }
    return seen;
}

int model_stride(const struct model *model, int stage) {
    return window_on_image(model, stage).stride;
}

bool model_reach(const struct model *model, struct model_reach *reach) {
    *reach = (struct model_reach){.stride = model_stride(model, model->stage_count - 1)};
    for (int s = 0; s < model->stage_count; ++s) {
        struct stage_window seen = window_on_image(model, s);
        if (model->stages[s].taps > 0) {
            reach->before = seen.before > reach->before ? seen.before : reach->before;
            reach->after = seen.after > reach->after ? seen.after : reach->after;
        }
    }
    return reach->stride > 0;
}

bool model_is_tapped(const struct model *model, int stage) {
    return model->stages[stage].taps > 0;
}

double model_gflop(const struct model *model, struct image_size image) {
    double multiply_adds = 0;
    for (int s = 0; s < model->stage_count; ++s) {
        const struct stage *stage = &model->stages[s];
        if (stage->methods->multiply_adds) {
            multiply_adds += 2 * stage->methods->multiply_adds(stage, model_input_size(model, s, image));
        }
    }
    return 2 * multiply_adds * 1e-9;
}

uint64_t model_weight_bytes(const struct model *model) {
    uint64_t bytes = 0;
    for (int s = 0; s < model->stage_count; ++s) {
        const struct stage *stage = &model->stages[s];
        bytes += stage->methods->weight_bytes ? stage->methods->weight_bytes(stage) : 0;
    }
    return bytes;
}

void model_print(const struct model *model, FILE *stream) {
    fprintf(stream, "%-12s %9s %8s  %-20s %-20s\n", "stage", "channels", "kernel", "forward", "backward");
    for (int s = 0; s < model->stage_count; ++s) {
        model->stages[s].methods->print(model, &model->stages[s], stream);
    }
}
