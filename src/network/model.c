/* model.c: making stages from the layers of a network, and what they need in the memory plan; see model.h. The passes
 * themselves are in passes.c. */
#include "network/model_internal.h"

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

static nst_status make_stages(struct model *model, const nst_network *network, const struct model_options *options,
                              int layer_count, nst_error *error) {
    model->stages = calloc((size_t)layer_count, sizeof *model->stages);
    if (!model->stages) {
        return fail_memory(error, (size_t)layer_count * sizeof *model->stages, "the stages of the network");
    }
    int channels = 3;
    for (int i = 0; i < layer_count; ++i) {
        const struct layer *layer = &network->layers[i];
        struct stage *stage = &model->stages[model->stage_count];
        if (layer->kind == LAYER_RELU) {
            if (i == 0 || network->layers[i - 1].kind != LAYER_CONVOLUTION) {
                return fail(error, NST_ERROR_NETWORK, "network %s: the ReLU %s must follow a convolution",
                            network->name, layer->name);
            }
            stage = &model->stages[model->stage_count - 1];
            stage->has_relu = true;
        } else {
            stage->layer = layer;
            stage->kernel_size = layer->kernel_size;
            stage->padding = layer->padding;
            stage->padding_mode = layer->padding_mode;
            stage->is_pooling = layer->kind == LAYER_POOLING;
            stage->in_channels = channels;
            stage->out_channels = stage->is_pooling ? channels : layer->out_channels;
            if (!stage->is_pooling && layer->in_channels != channels) {
                return fail(error, NST_ERROR_NETWORK, "network %s: %s expects %d channels, but %d arrive there",
                            network->name, layer->name, layer->in_channels, channels);
            }
            channels = stage->out_channels;
            model->stage_count++;
        }
        memcpy(stage->name, layer->name, sizeof stage->name);
        for (int t = 0; t < options->tap_count; ++t) {
            stage->taps += strcmp(options->taps[t], stage->name) == 0;
        }
    }
    return NST_OK;
}

static struct convolution_shape forward_shape(const struct model *model, const struct stage *stage) {
    return (struct convolution_shape){
        .in_channels = stage->in_channels,
        .out_channels = stage->out_channels,
        .kernel_size = stage->kernel_size,
        .padding = stage->padding,
        .padding_mode = stage->padding_mode,
        .has_bias = stage->layer->bias != NULL,
        .half_weights = model->half,
        .half_maps = model->half,
        .epilogue = stage->is_pooled  ? EPILOGUE_RELU_POOL
                    : stage->has_relu ? EPILOGUE_RELU
                                      : EPILOGUE_NONE,
    };
}

/* Makes one stage of a convolution, its ReLU and a maximum pooling, where no loss sits between and the engine can: then
 * the map between them, the largest of its block, is never stored, nor is its gradient. */
static void merge_poolings(struct model *model, nst_pooling pooling, const struct convolution_engine *engine) {
    bool may = pooling == NST_POOLING_MAX;
    for (int s = 0; may && s + 1 < model->stage_count; ++s) {
        struct stage *stage = &model->stages[s], *next = stage + 1;
        if (stage->is_pooling || !stage->has_relu || stage->taps > 0 || stage->padding_mode != PADDING_ZERO ||
            !next->is_pooling) {
            continue;
        }
        struct convolution_shape shape = forward_shape(model, stage);
        if (convolution_can_pool(model->context, &shape, engine)) {
            stage->is_pooled = true;
            stage->has_relu = false;
            memcpy(stage->name, next->name, sizeof stage->name);
            memmove(next, next + 1, (size_t)(model->stage_count - s - 2) * sizeof *next);
            model->stage_count--;
        }
    }
}

/* Through borders that are not zero the gradient is made for the padded map first, and folded then. */
static bool folds(const struct layer *layer) {
    return layer->padding > 0 && layer->padding_mode != PADDING_ZERO;
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

/* Where one loss alone uses the map of a stage, and a convolution above can add to what the loss made of it. */
static void choose_gradients_in_place(struct model *model) {
    for (int s = 0; s < model->stage_count; ++s) {
        struct stage *stage = &model->stages[s], *above = s + 1 < model->stage_count ? stage + 1 : NULL;
        bool can_add = !above || (!above->is_pooling && !folds(above->layer));
        stage->has_gradient_in_place = stage->taps == 1 && can_add && can_work_in_place(model, stage);
    }
}

/* ---- Convolutions ------------------------------------------------------------------------------------------------ */

/* Weights of the backward pass: channels exchanged, filters turned by 180 degrees. From malloc, NULL without memory. */
static float *turned_weights(const struct layer *layer) {
    int taps = layer->kernel_size * layer->kernel_size;
    size_t count = (size_t)layer->out_channels * (size_t)layer->in_channels * (size_t)taps;
    float *turned = malloc(count * sizeof *turned);
    for (int o = 0; turned && o < layer->out_channels; ++o) {
        for (int i = 0; i < layer->in_channels; ++i) {
            const float *source = layer->weights + ((size_t)o * (size_t)layer->in_channels + (size_t)i) * (size_t)taps;
            float *target = turned + ((size_t)i * (size_t)layer->out_channels + (size_t)o) * (size_t)taps;
            for (int k = 0; k < taps; ++k) {
                target[k] = source[taps - 1 - k];
            }
        }
    }
    return turned;
}

static struct convolution_shape backward_shape(const struct model *model, const struct stage *stage,
                                               const struct stage *below) {
    const struct layer *layer = stage->layer;
    bool masks = !stage->folds && below && below->has_relu;
    return (struct convolution_shape){
        .in_channels = layer->out_channels,
        .out_channels = layer->in_channels,
        .kernel_size = layer->kernel_size,
        .padding = stage->folds ? layer->kernel_size - 1 : layer->kernel_size - 1 - layer->padding,
        .padding_mode = PADDING_ZERO,
        .epilogue = !masks                         ? EPILOGUE_NONE
                    : below->has_gradient_in_place ? EPILOGUE_MASK_ADD
                                                   : EPILOGUE_MASK,
        .unpools = stage->is_pooled,
        .half_weights = model->half,
        .half_maps = model->half,
    };
}

/* The weights of the first convolution for the planes of the image instead of the network's input: these are
 * scale[c] * image[order[c]], but for the offset. From calloc, NULL without memory. */
static float *weights_for_image(const struct model *model, const struct layer *layer) {
    int taps = layer->kernel_size * layer->kernel_size;
    float *weights = calloc((size_t)layer->out_channels * 3 * (size_t)taps, sizeof *weights);
    for (int o = 0; weights && o < layer->out_channels; ++o) {
        for (int c = 0; c < 3; ++c) {
            for (int k = 0; k < taps; ++k) {
                weights[(3 * o + model->input.order[c]) * taps + k] =
                    model->input.scale[c] * layer->weights[(3 * o + c) * taps + k];
            }
        }
    }
    return weights;
}

/* Makes the first convolution take the image itself, if the engines can, and says so. */
static bool take_image(struct model *model, const struct convolution_engine *engine, struct convolution_shape *forward,
                       struct convolution_shape *backward) {
    struct convolution_shape reading = *forward, writing = *backward;
    reading.from_image = true;
    writing.to_image = true;
    if (model->stages[0].folds || !convolution_is_possible(model->context, &reading, engine) ||
        !convolution_is_possible(model->context, &writing, engine)) {
        return false;
    }
    *forward = reading;
    *backward = writing;
    for (int c = 0; c < 3; ++c) {
        model->offset[model->input.order[c]] = model->input.offset[c] / model->input.scale[c];
    }
    return true;
}

static nst_status make_both(struct model *model, struct stage *stage, const struct convolution_engine *engine,
                            const struct convolution_shape *forward, const struct convolution_shape *backward,
                            const struct layer *layer, nst_error *error) {
    struct convolution_weights weights = {layer->weights, layer->bias};
    nst_status status = convolution_create(model->context, forward, engine, &weights, &stage->forward, error);
    if (status) {
        return status;
    }
    float *turned = turned_weights(layer);
    if (!turned) {
        return fail_memory(error, 0, "the turned filters");
    }
    weights = (struct convolution_weights){turned, NULL};
    status = convolution_create(model->context, backward, engine, &weights, &stage->backward, error);
    free(turned);
    return status;
}

static nst_status make_convolutions(struct model *model, int index, const struct convolution_engine *engine,
                                    nst_error *error) {
    struct stage *stage = &model->stages[index];
    stage->folds = folds(stage->layer);
    struct convolution_shape forward = forward_shape(model, stage);
    struct convolution_shape backward = backward_shape(model, stage, index > 0 ? stage - 1 : NULL);
    model->takes_image = model->takes_image || (index == 0 && take_image(model, engine, &forward, &backward));
    if (index > 0 || !model->takes_image) {
        return make_both(model, stage, engine, &forward, &backward, stage->layer, error);
    }
    float *weights = weights_for_image(model, stage->layer);
    if (!weights) {
        return fail_memory(error, 0, "the filters of the first layer");
    }
    struct layer layer = *stage->layer;
    layer.weights = weights;
    nst_status status = make_both(model, stage, engine, &forward, &backward, &layer, error);
    free(weights);
    return status;
}

static nst_status make_kernels(struct model *model, nst_pooling pooling, nst_error *error) {
    struct {
        const char *name;
        cl_kernel *kernel;
    } kernels[] = {
        {"image_to_input", &model->image_to_input},
        {"input_gradient_to_image", &model->input_gradient_to_image},
        {pooling == NST_POOLING_MAX ? "pool_maximum" : "pool_average", &model->pool},
        {"pool_backward", &model->pool_backward},
        {"fold_padding", &model->fold_padding},
    };
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i) {
        nst_status status = kernel_create(model->context, "passes.cl", feature_map_option(model->half), kernels[i].name,
                                          kernels[i].kernel, error);
        if (status) {
            return status;
        }
    }
    return NST_OK;
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
    model->context = context;
    model->pooling = options->pooling;
    model->half = options->half;
    model->input = network->input;
    for (int c = 0; c < 3; ++c) {
        model->input.offset[c] = options->centered ? 0 : network->input.offset[c];
    }
    nst_status status = make_stages(model, network, options, layer_count, error);
    if (!status) {
        merge_poolings(model, options->pooling, options->engine);
    }
    if (!status && options->losses_in_place) {
        choose_gradients_in_place(model);
    }
    for (int s = 0; !status && s < model->stage_count; ++s) {
        if (!model->stages[s].is_pooling) {
            status = make_convolutions(model, s, options->engine, error);
        }
    }
    for (int s = 0; s < model->stage_count; ++s) {
        model->stages[s].layer = NULL;
    }
    if (!status) {
        status = make_kernels(model, options->pooling, error);
    }
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
        convolution_destroy(model->context, model->stages[s].forward);
        convolution_destroy(model->context, model->stages[s].backward);
    }
    kernel_release(&model->image_to_input);
    kernel_release(&model->input_gradient_to_image);
    kernel_release(&model->pool);
    kernel_release(&model->pool_backward);
    kernel_release(&model->fold_padding);
    free(model->stages);
    free(model);
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */

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

int model_channels(const struct model *model, int stage) {
    return model->stages[stage].out_channels;
}
bool model_has_half_maps(const struct model *model) {
    return model->half;
}
const struct convolution_shape *model_convolution_shape(const struct model *model, int stage, bool backward) {
    const struct convolution *convolution = backward ? model->stages[stage].backward : model->stages[stage].forward;
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
        const struct stage *at = &model->stages[s];
        /* A reflection needs one pixel more than it shows. */
        bool reflects = !at->is_pooling && at->padding_mode == PADDING_REFLECT;
        bool cannot_reflect = reflects && (size.height <= at->padding || size.width <= at->padding);
        int grown = at->is_pooling ? 0 : 2 * at->padding - (at->kernel_size - 1);
        int divisor = at->is_pooling || at->is_pooled ? 2 : 1;
        size.height = (size.height + grown) / divisor;
        size.width = (size.width + grown) / divisor;
        if (cannot_reflect || size.height < 1 || size.width < 1) {
            return (struct image_size){0, 0};
        }
    }
    return size;
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

double model_gflop(const struct model *model, struct image_size image) {
    double flop = 0;
    for (int s = 0; s < model->stage_count; ++s) {
        const struct stage *stage = &model->stages[s];
        struct image_size size = s > 0 ? model_map_size(model, s - 1, image) : image;
        int height, width, grown = 2 * stage->padding - (stage->kernel_size - 1);
        height = size.height + grown;
        width = size.width + grown;
        if (!stage->is_pooling && height > 0 && width > 0) {
            flop += 2 * 2.0 * stage->kernel_size * stage->kernel_size * stage->in_channels * stage->out_channels *
                    (double)height * width;
        }
    }
    return flop * 1e-9;
}

uint64_t model_weight_bytes(const struct model *model) {
    uint64_t bytes = 0;
    for (int s = 0; s < model->stage_count; ++s) {
        if (!model->stages[s].is_pooling) {
            bytes += convolution_weight_bytes(model->stages[s].forward) +
                     convolution_weight_bytes(model->stages[s].backward);
        }
    }
    return bytes;
}

void model_print(const struct model *model, FILE *stream) {
    fprintf(stream, "%-12s %9s %8s  %-20s %-20s\n", "stage", "channels", "kernel", "forward", "backward");
    for (int s = 0; s < model->stage_count; ++s) {
        const struct stage *stage = &model->stages[s];
        if (stage->is_pooling) {
            fprintf(stream, "%-12s %9d %8s  %-20s\n", stage->name, stage->out_channels, "2x2",
                    model->pooling == NST_POOLING_MAX ? "maximum" : "average");
        } else {
            fprintf(stream, "%-12s %9d %7dx%d %-20s %-20s\n", stage->name, stage->out_channels, stage->kernel_size,
                    stage->kernel_size, convolution_engine_name(convolution_engine_of(stage->forward)),
                    convolution_engine_name(convolution_engine_of(stage->backward)));
        }
    }
}
