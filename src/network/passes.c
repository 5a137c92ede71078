/* passes.c: the memory plan of a model, and its forward and backward pass; see model.h. */
#include "network/model_internal.h"

#include "support/error.h"

/* ---- Plan -------------------------------------------------------------------------------------------------------- */

static uint64_t at_least(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static int blocks_of(const struct model *model, int channels) {
    return (channels + model->context->channel_block - 1) / model->context->channel_block;
}

/* Size of what goes into a stage. */
static struct image_size input_size(const struct model *model, int stage, struct image_size image) {
    return stage == 0 ? image : model_map_size(model, stage - 1, image);
}

/* Size of what a stage's convolution makes, before it is pooled. */
static struct image_size convolved_size(const struct model *model, int stage, struct image_size image) {
    const struct stage *at = &model->stages[stage];
    struct image_size in = input_size(model, stage, image);
    int grown = 2 * at->padding - (at->kernel_size - 1);
    return (struct image_size){.height = in.height + grown, .width = in.width + grown};
}

/* Kernels count the vectors of a map in int, and add to that count the stride of a whole launch (FOR_RANGE in
 * cl/common.h), in reductions at most 2^16. */
static const uint64_t most_vectors = (UINT64_C(1) << 31) - (1 << 16) - 1;

static bool is_countable(const struct model *model, int channels, struct image_size size) {
    return (uint64_t)blocks_of(model, channels) * (uint64_t)size.height * (uint64_t)size.width <= most_vectors;
}

/* Bytes that one stage needs, the maximum over the sizes. */
struct stage_bytes {
    uint64_t map, mask, selection, forward_scratch, backward_scratch, padded_gradient;
};

static struct stage_bytes measure_stage(const struct model *model, int s, const struct image_size *sizes, int count) {
    const struct stage *stage = &model->stages[s];
    struct stage_bytes bytes = {0};
    for (int i = 0; i < count; ++i) {
        struct image_size in = input_size(model, s, sizes[i]), out = model_map_size(model, s, sizes[i]);
        nst_context *context = model->context;
        bytes.map =
            at_least(bytes.map, feature_map_bytes(context, model->half, stage->out_channels, out.height, out.width));
        bytes.mask = at_least(bytes.mask, relu_mask_bytes(context, stage->out_channels, out.height, out.width));
        struct image_size selected = stage->is_pooling ? in : convolved_size(model, s, sizes[i]);
        bytes.selection =
            at_least(bytes.selection, relu_mask_bytes(context, stage->out_channels, selected.height, selected.width));
        if (!stage->is_pooling) {
            bytes.forward_scratch =
                at_least(bytes.forward_scratch, convolution_scratch_bytes(stage->forward, in.height, in.width));
            bytes.backward_scratch = at_least(
                bytes.backward_scratch, convolution_scratch_bytes(stage->backward, selected.height, selected.width));
            bytes.padded_gradient =
                at_least(bytes.padded_gradient,
                         feature_map_bytes(context, model->half, stage->in_channels, in.height + 2 * stage->padding,
                                           in.width + 2 * stage->padding));
        }
    }
    return bytes;
}

static int add_if(struct plan *plan, bool wanted, uint64_t bytes, int first, int last, const char *what,
                  const char *stage) {
    return wanted && bytes ? plan_add(plan, bytes, first, last, "%s%s", what, stage) : -1;
}

nst_status model_add_to_plan(struct model *model, struct plan *plan, const struct image_size *sizes, int size_count,
                             nst_error *error) {
    uint64_t input_bytes = 0;
    for (int i = 0; i < size_count; ++i) {
        if (model_map_size(model, model->stage_count - 1, sizes[i]).height == 0) {
            return fail(
                error, NST_ERROR_NETWORK,
                "a picture of %dx%d pixels is too small for the network up to %s: each side must have at least %d",
                sizes[i].width, sizes[i].height, model->stages[model->stage_count - 1].name,
                model_smallest_side(model));
        }
        input_bytes =
            at_least(input_bytes, feature_map_bytes(model->context, model->half, 3, sizes[i].height, sizes[i].width));
        for (int s = 0; s < model->stage_count; ++s) {
            struct image_size size = model_map_size(model, s, sizes[i]);
            plan->is_uncountable |= !is_countable(model, model->stages[s].out_channels, size);
        }
    }
    int image_step = model_last_step(model);
    model->input_map = model->takes_image ? -1 : plan_add(plan, input_bytes, 0, 1, "network input");
    model->input_gradient =
        model->takes_image ? -1 : plan_add(plan, input_bytes, image_step, image_step, "gradient of network input");
    for (int s = 0; s < model->stage_count; ++s) {
        struct stage *stage = &model->stages[s];
        struct stage_bytes bytes = measure_stage(model, s, sizes, size_count);
        int forward = model_forward_step(model, s), backward = model_backward_step(model, s);
        int below = s == 0 ? image_step : model_backward_step(model, s - 1);
        bool last = s == model->stage_count - 1;
        bool in_place = stage->has_gradient_in_place;
        int map_end = in_place ? below : stage->taps > 0 ? backward : forward + !last;
        stage->map =
            plan_add(plan, bytes.map, forward, map_end, "%s%s", stage->name, in_place ? " and its gradient" : "");
        stage->mask = add_if(plan, stage->has_relu, bytes.mask, forward, backward, "mask of ", stage->name);
        bool selects = stage->is_pooled || (stage->is_pooling && model->pooling == NST_POOLING_MAX);
        stage->selection = add_if(plan, selects, bytes.selection, forward, below, "selection of ", stage->name);
        stage->gradient =
            in_place ? stage->map : plan_add(plan, bytes.map, backward, below, "gradient of %s", stage->name);
        stage->forward_scratch =
            add_if(plan, true, bytes.forward_scratch, forward, forward, "forward scratch of ", stage->name);
        stage->backward_scratch =
            add_if(plan, true, bytes.backward_scratch, below, below, "backward scratch of ", stage->name);
        stage->padded_gradient =
            add_if(plan, stage->folds, bytes.padded_gradient, below, below, "padded gradient of ", stage->name);
    }
    return NST_OK;
}

static cl_mem buffer_or_null(const struct plan *plan, int entry) {
    return entry < 0 ? NULL : plan_buffer(plan, entry);
}

/* ---- Forward ----------------------------------------------------------------------------------------------------- */

static nst_status image_to_input(struct model *model, const struct plan *plan, cl_mem image, nst_error *error) {
    const struct input_convention *in = &model->input;
    int pixels = model->size.height * model->size.width;
    return kernel_run(model->context, model->image_to_input, work_range(model->context, (size_t)pixels),
                      ARGUMENTS(arg_buffer(image), arg_buffer(plan_buffer(plan, model->input_map)), arg_int(pixels),
                                arg_int(in->order[0]), arg_int(in->order[1]), arg_int(in->order[2]),
                                arg_float(in->scale[0]), arg_float(in->scale[1]), arg_float(in->scale[2]),
                                arg_float(in->offset[0]), arg_float(in->offset[1]), arg_float(in->offset[2])),
                      error);
}

static nst_status pool_forward(struct model *model, const struct plan *plan, int s, cl_mem input, nst_error *error) {
    const struct stage *stage = &model->stages[s];
    struct image_size in = input_size(model, s, model->size);
    cl_mem output = plan_buffer(plan, stage->map);
    int blocks = blocks_of(model, stage->in_channels);
    if (model->pooling == NST_POOLING_AVERAGE) {
        size_t pooled = (size_t)blocks * (size_t)(in.height / 2) * (size_t)(in.width / 2);
        return kernel_run(
            model->context, model->pool, work_range(model->context, pooled),
            ARGUMENTS(arg_buffer(input), arg_buffer(output), arg_int(blocks), arg_int(in.height), arg_int(in.width)),
            error);
    }
    size_t tiles = (size_t)blocks * (size_t)((in.height + 3) / 4) * (size_t)((in.width + 3) / 4);
    return kernel_run(model->context, model->pool, work_range(model->context, tiles),
                      ARGUMENTS(arg_buffer(input), arg_buffer(output), arg_buffer(plan_buffer(plan, stage->selection)),
                                arg_int(blocks), arg_int(in.height), arg_int(in.width),
                                arg_int(s > 0 && model->stages[s - 1].has_relu)),
                      error);
}

nst_status model_forward(struct model *model, const struct plan *plan, cl_mem image, struct image_size size,
                         nst_error *error) {
    model->size = size;
    nst_status status = model->takes_image ? NST_OK : image_to_input(model, plan, image, error);
    cl_mem input = model->takes_image ? image : plan_buffer(plan, model->input_map);
    for (int s = 0; !status && s < model->stage_count; ++s) {
        const struct stage *stage = &model->stages[s];
        cl_mem output = plan_buffer(plan, stage->map);
        if (stage->is_pooling) {
            status = pool_forward(model, plan, s, input, error);
        } else {
            struct image_size in = input_size(model, s, size);
            struct convolution_call call = {
                .height = in.height,
                .width = in.width,
                .input = input,
                .output = output,
                .mask = buffer_or_null(plan, stage->is_pooled ? stage->selection : stage->mask),
                .scratch = buffer_or_null(plan, stage->forward_scratch),
                .offset = {model->offset[0], model->offset[1], model->offset[2]},
            };
            status = convolution_run(model->context, stage->forward, &call, error);
        }
        input = output;
    }
    return status;
}

struct feature_map model_feature_map(const struct model *model, const struct plan *plan, int s) {
    const struct stage *stage = &model->stages[s];
    struct image_size size = model_map_size(model, s, model->size);
    return (struct feature_map){
        .values = plan_buffer(plan, stage->map),
        .mask = buffer_or_null(plan, stage->mask),
        .channels = stage->out_channels,
        .height = size.height,
        .width = size.width,
    };
}

cl_mem model_gradient(const struct model *model, const struct plan *plan, int s) {
    return s < 0 ? plan_buffer(plan, model->input_gradient) : plan_buffer(plan, model->stages[s].gradient);
}

/* ---- Backward ---------------------------------------------------------------------------------------------------- */

nst_status model_backward_begin(struct model *model, const struct plan *plan, nst_error *error) {
    if (model_gradient_in_place(model, model->stage_count - 1)) {
        return NST_OK;
    }
    struct feature_map deepest = model_feature_map(model, plan, model->stage_count - 1);
    uint64_t bytes = feature_map_bytes(model->context, model->half, deepest.channels, deepest.height, deepest.width);
    return buffer_fill_zero(model->context, model_gradient(model, plan, model->stage_count - 1), (size_t)bytes, error);
}

static nst_status pool_backward(struct model *model, const struct plan *plan, int s, cl_mem gradient_below,
                                nst_error *error) {
    const struct stage *stage = &model->stages[s];
    struct image_size in = input_size(model, s, model->size);
    bool average = model->pooling == NST_POOLING_AVERAGE;
    cl_mem below_mask = s > 0 ? buffer_or_null(plan, model->stages[s - 1].mask) : NULL;
    cl_mem mask = average ? below_mask : plan_buffer(plan, stage->selection);
    int blocks = blocks_of(model, stage->in_channels);
    size_t tiles = (size_t)blocks * (size_t)((in.height + 3) / 4) * (size_t)((in.width + 3) / 4);
    return kernel_run(model->context, model->pool_backward, work_range(model->context, tiles),
                      ARGUMENTS(arg_buffer(plan_buffer(plan, stage->gradient)), arg_buffer(mask),
                                arg_buffer(gradient_below), arg_int(blocks), arg_int(in.height), arg_int(in.width),
                                arg_int(mask != NULL), arg_float(average ? 0.25f : 1.0f)),
                      error);
}

static nst_status fold_padding(struct model *model, const struct plan *plan, int s, cl_mem gradient_below,
                               nst_error *error) {
    const struct stage *stage = &model->stages[s];
    struct image_size in = input_size(model, s, model->size);
    cl_mem mask = s > 0 ? buffer_or_null(plan, model->stages[s - 1].mask) : NULL;
    int blocks = blocks_of(model, stage->in_channels);
    size_t elements = (size_t)blocks * (size_t)in.height * (size_t)in.width;
    return kernel_run(model->context, model->fold_padding, work_range(model->context, elements),
                      ARGUMENTS(arg_buffer(plan_buffer(plan, stage->padded_gradient)), arg_buffer(mask),
                                arg_buffer(gradient_below), arg_int(blocks), arg_int(in.height), arg_int(in.width),
                                arg_int(stage->padding), arg_int(stage->padding_mode == PADDING_REFLECT),
                                arg_int(mask != NULL)),
                      error);
}

/* From the gradient at stage s to `below`, that at the stage below it. */
static nst_status backward_stage(struct model *model, const struct plan *plan, int s, cl_mem below, nst_error *error) {
    const struct stage *stage = &model->stages[s];
    if (stage->is_pooling) {
        return pool_backward(model, plan, s, below, error);
    }
    struct image_size out = convolved_size(model, s, model->size);
    bool masks = !stage->folds && s > 0;
    struct convolution_call call = {
        .height = out.height,
        .width = out.width,
        .input = plan_buffer(plan, stage->gradient),
        .selection = stage->is_pooled ? plan_buffer(plan, stage->selection) : NULL,
        .output = stage->folds ? plan_buffer(plan, stage->padded_gradient) : below,
        .mask = masks ? buffer_or_null(plan, model->stages[s - 1].mask) : NULL,
        .scratch = buffer_or_null(plan, stage->backward_scratch),
    };
    nst_status status = convolution_run(model->context, stage->backward, &call, error);
    if (!status && stage->folds) {
        status = fold_padding(model, plan, s, below, error);
    }
    return status;
}

nst_status model_backward(struct model *model, const struct plan *plan, int from, int to, cl_mem image_gradient,
                          nst_error *error) {
    nst_status status = NST_OK;
    for (int s = from; !status && s > to; --s) {
        cl_mem below = s == 0 && model->takes_image ? image_gradient : model_gradient(model, plan, s - 1);
        status = backward_stage(model, plan, s, below, error);
    }
    if (status || to >= 0 || model->takes_image) {
        return status;
    }
    const struct input_convention *in = &model->input;
    int pixels = model->size.height * model->size.width;
    return kernel_run(model->context, model->input_gradient_to_image, work_range(model->context, (size_t)pixels),
                      ARGUMENTS(arg_buffer(plan_buffer(plan, model->input_gradient)), arg_buffer(image_gradient),
                                arg_int(pixels), arg_int(in->order[0]), arg_int(in->order[1]), arg_int(in->order[2]),
                                arg_float(in->scale[0]), arg_float(in->scale[1]), arg_float(in->scale[2])),
                      error);
}
