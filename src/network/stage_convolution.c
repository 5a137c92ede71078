/* stage_convolution.c: a convolution with the ReLU behind it, and perhaps the maximum pooling behind that, as a stage;
 * see stage.h. */
#include "network/convolution.h"
#include "network/stage.h"

#include "support/error.h"

#include <stdlib.h>

struct convolution_state {
    int kernel_size, padding;
    enum padding_mode padding_mode;
    bool pools; /* its output is pooled by itself: the ReLU lies below the pooling */
    struct convolution *forward, *backward;
    cl_kernel fold_padding; /* NULL unless it folds */
};

/* Through borders that are not zero the gradient is made for the padded map first, and folded then. */
static bool folds(const struct convolution_state *state) {
    return state->padding > 0 && state->padding_mode != PADDING_ZERO;
}

/* ---- From layers ------------------------------------------------------------------------------------------------- */

static nst_status begin(struct stage *stage, const nst_network *network, int channels, nst_error *error) {
    const struct layer *layer = stage->layer;
    if (layer->in_channels != channels) {
        return fail(error, NST_ERROR_NETWORK, "network %s: %s expects %d channels, but %d arrive there", network->name,
                    layer->name, layer->in_channels, channels);
    }
    struct convolution_state *state = stage->state = calloc(1, sizeof *state);
    if (!state) {
        return fail_memory(error, sizeof *state, "a stage of the network");
    }
    *state = (struct convolution_state){
        .kernel_size = layer->kernel_size, .padding = layer->padding, .padding_mode = layer->padding_mode};
    stage->in_channels = channels;
    stage->out_channels = layer->out_channels;
    return NST_OK;
}

static bool take_in(struct stage *stage, const struct layer *layer) {
    bool takes = layer->kind == LAYER_RELU && !stage->has_relu;
    stage->has_relu = stage->has_relu || takes;
    return takes;
}

static struct convolution_shape forward_shape(const struct model *model, const struct stage *stage) {
    const struct convolution_state *state = stage->state;
    return (struct convolution_shape){
        .in_channels = stage->in_channels,
        .out_channels = stage->out_channels,
        .kernel_size = state->kernel_size,
        .padding = state->padding,
        .padding_mode = state->padding_mode,
        .has_bias = stage->layer->bias != NULL,
        .half_weights = model->half,
        .half_maps = model->half,
        .epilogue = state->pools      ? EPILOGUE_RELU_POOL
                    : stage->has_relu ? EPILOGUE_RELU
                                      : EPILOGUE_NONE,
    };
}

/* With a maximum pooling, where no loss sits between and the engine can: then the map between them, the largest of its
 * block, is never stored, nor is its gradient. */
static bool merge(const struct model *model, struct stage *stage, const struct stage *next) {
    struct convolution_state *state = stage->state;
    if (model->pooling != NST_POOLING_MAX || !stage->has_relu || stage->taps > 0 ||
        state->padding_mode != PADDING_ZERO || next->methods->kind != LAYER_POOLING) {
        return false;
    }
    struct convolution_shape shape = forward_shape(model, stage);
    if (!convolution_can_pool(model->context, &shape, model->options->engine)) {
        return false;
    }
    state->pools = true;
    stage->has_relu = false;
    return true;
}

static bool adds_below(const struct stage *stage) {
    return !folds(stage->state);
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

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

static struct convolution_shape backward_shape(const struct model *model, int s) {
    const struct stage *stage = &model->stages[s], *below = s > 0 ? stage - 1 : NULL;
    const struct convolution_state *state = stage->state;
    bool masks = !folds(state) && below && below->has_relu;
    return (struct convolution_shape){
        .in_channels = stage->out_channels,
        .out_channels = stage->in_channels,
        .kernel_size = state->kernel_size,
        .padding = folds(state) ? state->kernel_size - 1 : state->kernel_size - 1 - state->padding,
        .padding_mode = PADDING_ZERO,
        .epilogue = !masks                         ? EPILOGUE_NONE
                    : below->has_gradient_in_place ? EPILOGUE_MASK_ADD
                                                   : EPILOGUE_MASK,
        .unpools = state->pools,
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

/* Both directions of a convolution. */
struct shapes {
    struct convolution_shape forward, backward;
};

/* Makes the first convolution take the image itself, if the engines can, and says so. */
static bool take_image(struct model *model, struct shapes *shapes) {
    struct shapes image = *shapes;
    image.forward.from_image = true;
    image.backward.to_image = true;
    const struct convolution_engine *engine = model->options->engine;
    if (folds(model->stages[0].state) || !convolution_is_possible(model->context, &image.forward, engine) ||
        !convolution_is_possible(model->context, &image.backward, engine)) {
        return false;
    }
    *shapes = image;
    for (int c = 0; c < 3; ++c) {
        model->offset[model->input.order[c]] = model->input.offset[c] / model->input.scale[c];
    }
    return true;
}

static nst_status make_both(const struct model *model, struct convolution_state *state, const struct shapes *shapes,
                            const struct layer *layer, nst_error *error) {
    const struct convolution_engine *engine = model->options->engine;
    struct convolution_weights weights = {layer->weights, layer->bias};
    nst_status status = convolution_create(model->context, &shapes->forward, engine, &weights, &state->forward, error);
    if (status) {
        return status;
    }
    float *turned = turned_weights(layer);
    if (!turned) {
        return fail_memory(error, 0, "the turned filters");
    }
    weights = (struct convolution_weights){turned, NULL};
    status = convolution_create(model->context, &shapes->backward, engine, &weights, &state->backward, error);
    free(turned);
    return status;
}

static nst_status create(struct model *model, int s, nst_error *error) {
    struct stage *stage = &model->stages[s];
    struct convolution_state *state = stage->state;
    struct shapes shapes = {forward_shape(model, stage), backward_shape(model, s)};
    nst_status status = NST_OK;
    if (folds(state)) {
        status = kernel_create(model->context, "job.cl", feature_map_option(model->half), "fold_padding",
                               &state->fold_padding, error);
    }
    if (status) {
        return status;
    }
    model->takes_image = model->takes_image || (s == 0 && take_image(model, &shapes));
    if (s > 0 || !model->takes_image) {
        return make_both(model, state, &shapes, stage->layer, error);
    }
    struct layer layer = *stage->layer;
    float *weights = layer.weights = weights_for_image(model, stage->layer);
    status = weights ? make_both(model, state, &shapes, &layer, error)
                     : fail_memory(error, 0, "the filters of the first layer");
    free(weights);
    return status;
}

static void destroy(struct stage *stage) {
    struct convolution_state *state = stage->state;
    convolution_destroy(state->forward);
    convolution_destroy(state->backward);
    kernel_release(&state->fold_padding);
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */

struct convolution *stage_convolution(const struct stage *stage, bool backward) {
    if (stage->methods != &convolution_stage) {
        return NULL;
    }
    const struct convolution_state *state = stage->state;
    return backward ? state->backward : state->forward;
}

/* Size of what the convolution makes, before it is pooled. */
static struct image_size convolved_size(const struct stage *stage, struct image_size in) {
    const struct convolution_state *state = stage->state;
    int grown = 2 * state->padding - (state->kernel_size - 1);
    return (struct image_size){.height = in.height + grown, .width = in.width + grown};
}

static struct image_size output_size(const struct stage *stage, struct image_size in) {
    const struct convolution_state *state = stage->state;
    /* A reflection needs one pixel more than it shows. */
    bool reflects = state->padding_mode == PADDING_REFLECT;
    if (reflects && (in.height <= state->padding || in.width <= state->padding)) {
        return (struct image_size){0, 0};
    }
    struct image_size out = convolved_size(stage, in);
    int divisor = state->pools ? 2 : 1;
    return (struct image_size){.height = out.height / divisor, .width = out.width / divisor};
}

static struct stage_window window(const struct stage *stage) {
    const struct convolution_state *state = stage->state;
    return (struct stage_window){
        .stride = state->pools ? 2 : 1, .before = state->padding, .after = state->kernel_size - 1 - state->padding};
}

static double multiply_adds(const struct stage *stage, struct image_size in) {
    const struct convolution_state *state = stage->state;
    struct image_size out = convolved_size(stage, in);
    return out.height > 0 && out.width > 0 ? (double)state->kernel_size * state->kernel_size * stage->in_channels *
                                                 stage->out_channels * (double)out.height * out.width
                                           : 0;
}

static uint64_t weight_bytes(const struct stage *stage) {
    const struct convolution_state *state = stage->state;
    return convolution_weight_bytes(state->forward) + convolution_weight_bytes(state->backward);
}

static struct stage_bytes measure(const struct model *model, int s, struct image_size in, struct image_size out) {
    const struct stage *stage = &model->stages[s];
    const struct convolution_state *state = stage->state;
    nst_context *context = model->context;
    struct image_size convolved = convolved_size(stage, in);
    return (struct stage_bytes){
        .map = feature_map_bytes(context, model->half, stage->out_channels, out.height, out.width),
        .mask = stage->has_relu ? relu_mask_bytes(context, stage->out_channels, out.height, out.width) : 0,
        .selection =
            state->pools ? relu_mask_bytes(context, stage->out_channels, convolved.height, convolved.width) : 0,
        .forward_scratch = convolution_scratch_bytes(state->forward, in.height, in.width),
        .backward_scratch = convolution_scratch_bytes(state->backward, convolved.height, convolved.width),
        .padded_gradient = folds(state)
                               ? feature_map_bytes(context, model->half, stage->in_channels,
                                                   in.height + 2 * state->padding, in.width + 2 * state->padding)
                               : 0,
    };
}

static void print(const struct model *model, const struct stage *stage, FILE *stream) {
    (void)model;
    const struct convolution_state *state = stage->state;
    fprintf(stream, "%-12s %9d %7dx%d %-20s %-20s\n", stage->name, stage->out_channels, state->kernel_size,
            state->kernel_size, convolution_engine_name(convolution_engine_of(state->forward)),
            convolution_engine_name(convolution_engine_of(state->backward)));
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

static nst_status forward(struct model_run *run, int s, cl_mem input, nst_error *error) {
    const struct model *model = run->model;
    const struct convolution_state *state = model->stages[s].state;
    const struct stage_buffers *buffers = &run->buffers[s];
    struct image_size in = model_input_size(model, s, run->size);
    struct convolution_call call = {
        .height = in.height,
        .width = in.width,
        .input = input,
        .output = run_buffer(run, buffers->map),
        .mask = run_buffer(run, state->pools ? buffers->selection : buffers->mask),
        .scratch = run_buffer(run, buffers->forward_scratch),
        .offset = {model->offset[0], model->offset[1], model->offset[2]},
    };
    return convolution_run(state->forward, &call, error);
}

static nst_status fold(struct model_run *run, int s, cl_mem below, nst_error *error) {
    const struct model *model = run->model;
    const struct convolution_state *state = model->stages[s].state;
    struct image_size in = model_input_size(model, s, run->size);
    cl_mem mask = run_mask_below(run, s);
    int blocks = feature_map_blocks(model->context, model->stages[s].in_channels);
    size_t elements = (size_t)blocks * (size_t)in.height * (size_t)in.width;
    return kernel_run(model->context, state->fold_padding, work_range(model->context, elements),
                      ARGUMENTS(arg_buffer(run_buffer(run, run->buffers[s].padded_gradient)), arg_buffer(mask),
                                arg_buffer(below), arg_int(blocks), arg_int(in.height), arg_int(in.width),
                                arg_int(state->padding), arg_int(state->padding_mode == PADDING_REFLECT),
                                arg_int(mask != NULL)),
                      error);
}

static nst_status backward(struct model_run *run, int s, cl_mem below, nst_error *error) {
    const struct model *model = run->model;
    const struct convolution_state *state = model->stages[s].state;
    const struct stage_buffers *buffers = &run->buffers[s];
    struct image_size out = convolved_size(&model->stages[s], model_input_size(model, s, run->size));
    struct convolution_call call = {
        .height = out.height,
        .width = out.width,
        .input = run_buffer(run, buffers->gradient),
        .selection = state->pools ? run_buffer(run, buffers->selection) : NULL,
        .output = folds(state) ? run_buffer(run, buffers->padded_gradient) : below,
        .mask = folds(state) ? NULL : run_mask_below(run, s),
        .scratch = run_buffer(run, buffers->backward_scratch),
    };
    nst_status status = convolution_run(state->backward, &call, error);
    return status || !folds(state) ? status : fold(run, s, below, error);
}

const struct stage_methods convolution_stage = {
    .kind = LAYER_CONVOLUTION,
    .begin = begin,
    .take_in = take_in,
    .merge = merge,
    .adds_below = adds_below,
    .create = create,
    .destroy = destroy,
    .output_size = output_size,
    .window = window,
    .mask_size = convolved_size,
    .measure = measure,
    .multiply_adds = multiply_adds,
    .weight_bytes = weight_bytes,
    .forward = forward,
    .backward = backward,
    .print = print,
};
