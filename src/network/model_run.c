/* model_run.c: one run of a model: its buffers in the memory plan, its forward and backward pass; see model.h. */
#include "network/stage.h"

#include "support/error.h"

#include <stdlib.h>

/* ---- Plan -------------------------------------------------------------------------------------------------------- */

static uint64_t at_least(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* The maximum over the sizes. */
static struct stage_bytes measure_stage(const struct model *model, int s, const struct image_size *sizes, int count) {
    struct stage_bytes most = {0};
    for (int i = 0; i < count; ++i) {
        struct image_size in = model_input_size(model, s, sizes[i]), out = model_map_size(model, s, sizes[i]);
        struct stage_bytes bytes = model->stages[s].methods->measure(model, s, in, out);
        most.map = at_least(most.map, bytes.map);
        most.mask = at_least(most.mask, bytes.mask);
        most.selection = at_least(most.selection, bytes.selection);
        most.forward_scratch = at_least(most.forward_scratch, bytes.forward_scratch);
        most.backward_scratch = at_least(most.backward_scratch, bytes.backward_scratch);
        most.padded_gradient = at_least(most.padded_gradient, bytes.padded_gradient);
    }
    return most;
}

/* The steps from which and to which something lives. */
struct steps {
    int first, last;
};

static int add_if_any(struct plan *plan, uint64_t bytes, struct steps steps, const char *what, const char *stage) {
    return bytes ? plan_add(plan, bytes, steps.first, steps.last, "%s%s", what, stage) : -1;
}

static void reserve_stage(struct model_run *run, struct plan *plan, int s, const struct stage_bytes *bytes) {
    const struct model *model = run->model;
    const struct stage *stage = &model->stages[s];
    struct stage_buffers *buffers = &run->buffers[s];
    int forward = model_forward_step(model, s), backward = model_backward_step(model, s);
    int below = s == 0 ? model_last_step(model) : model_backward_step(model, s - 1);
    bool in_place = stage->has_gradient_in_place, last = s == model->stage_count - 1;
    int map_end = in_place ? below : stage->taps > 0 ? backward : forward + !last;
    struct steps before = {forward, forward}, after = {below, below};
    buffers->map =
        plan_add(plan, bytes->map, forward, map_end, "%s%s", stage->name, in_place ? " and its gradient" : "");
    buffers->mask = add_if_any(plan, bytes->mask, (struct steps){forward, backward}, "mask of ", stage->name);
    buffers->selection =
        add_if_any(plan, bytes->selection, (struct steps){forward, below}, "selection of ", stage->name);
    buffers->gradient =
        in_place ? buffers->map : plan_add(plan, bytes->map, backward, below, "gradient of %s", stage->name);
    buffers->forward_scratch = add_if_any(plan, bytes->forward_scratch, before, "forward scratch of ", stage->name);
    buffers->backward_scratch = add_if_any(plan, bytes->backward_scratch, after, "backward scratch of ", stage->name);
    buffers->padded_gradient = add_if_any(plan, bytes->padded_gradient, after, "padded gradient of ", stage->name);
}

static nst_status check_size(const struct model *model, struct image_size size, struct plan *plan, nst_error *error) {
    int deepest = model->stage_count - 1;
    if (model_map_size(model, deepest, size).height == 0) {
        return fail(error, NST_ERROR_NETWORK,
                    "a picture of %dx%d pixels is too small for the network up to %s: each side must have at least %d",
                    size.width, size.height, model->stages[deepest].name, model_smallest_side(model));
    }
    for (int s = 0; s < model->stage_count; ++s) {
        plan->is_uncountable |=
            !feature_map_is_countable(model->context, model->stages[s].out_channels, model_map_size(model, s, size));
    }
    return NST_OK;
}

nst_status model_reserve(const struct model *model, struct plan *plan, const struct image_size *sizes, int size_count,
                         struct model_run **result, nst_error *error) {
    *result = NULL;
    uint64_t input_bytes = 0;
    for (int i = 0; i < size_count; ++i) {
        nst_status status = check_size(model, sizes[i], plan, error);
        if (status) {
            return status;
        }
        input_bytes =
            at_least(input_bytes, feature_map_bytes(model->context, model->half, 3, sizes[i].height, sizes[i].width));
    }
    struct model_run *run = calloc(1, sizeof *run);
    struct stage_buffers *buffers = calloc((size_t)model->stage_count, sizeof *buffers);
    if (!run || !buffers) {
        free(run);
        free(buffers);
        return fail_memory(error, sizeof *run + (size_t)model->stage_count * sizeof *buffers, "a run of the network");
    }
    *run = (struct model_run){.model = model, .plan = plan, .input_map = -1, .input_gradient = -1, .buffers = buffers};
    if (!model->takes_image) {
        int image_step = model_last_step(model);
        run->input_map = plan_add(plan, input_bytes, 0, 1, "network input");
        run->input_gradient = plan_add(plan, input_bytes, image_step, image_step, "gradient of network input");
    }
    for (int s = 0; s < model->stage_count; ++s) {
        struct stage_bytes bytes = measure_stage(model, s, sizes, size_count);
        reserve_stage(run, plan, s, &bytes);
    }
    *result = run;
    return NST_OK;
}

void model_run_free(struct model_run *run) {
    if (run) {
        free(run->buffers);
        free(run);
    }
}

cl_mem run_buffer(const struct model_run *run, int entry) {
    return entry < 0 ? NULL : plan_buffer(run->plan, entry);
}

cl_mem run_mask_below(const struct model_run *run, int stage) {
    return stage > 0 ? run_buffer(run, run->buffers[stage - 1].mask) : NULL;
}

/* ---- Forward ----------------------------------------------------------------------------------------------------- */

static nst_status image_to_input(struct model_run *run, cl_mem image, nst_error *error) {
    const struct model *model = run->model;
    const struct input_convention *in = &model->input;
    int pixels = run->size.height * run->size.width;
    return kernel_run(model->context, model->image_to_input, work_range(model->context, (size_t)pixels),
                      ARGUMENTS(arg_buffer(image), arg_buffer(run_buffer(run, run->input_map)), arg_int(pixels),
                                arg_int(in->order[0]), arg_int(in->order[1]), arg_int(in->order[2]),
                                arg_float(in->scale[0]), arg_float(in->scale[1]), arg_float(in->scale[2]),
                                arg_float(in->offset[0]), arg_float(in->offset[1]), arg_float(in->offset[2])),
                      error);
}

nst_status model_forward(struct model_run *run, cl_mem image, struct image_size size, nst_error *error) {
    const struct model *model = run->model;
    run->size = size;
    nst_status status = model->takes_image ? NST_OK : image_to_input(run, image, error);
    cl_mem input = model->takes_image ? image : run_buffer(run, run->input_map);
    for (int s = 0; !status && s < model->stage_count; ++s) {
        status = model->stages[s].methods->forward(run, s, input, error);
        input = run_buffer(run, run->buffers[s].map);
    }
    return status;
}

struct feature_map model_feature_map(const struct model_run *run, int s) {
    const struct model *model = run->model;
    struct image_size size = model_map_size(model, s, run->size);
    return (struct feature_map){
        .values = run_buffer(run, run->buffers[s].map),
        .mask = run_buffer(run, run->buffers[s].mask),
        .channels = model->stages[s].out_channels,
        .height = size.height,
        .width = size.width,
    };
}

cl_mem model_gradient(const struct model_run *run, int s) {
    return run_buffer(run, s < 0 ? run->input_gradient : run->buffers[s].gradient);
}

/* ---- Backward ---------------------------------------------------------------------------------------------------- */

nst_status model_backward_begin(struct model_run *run, nst_error *error) {
    const struct model *model = run->model;
    int deepest = model->stage_count - 1;
    if (model_gradient_in_place(model, deepest)) {
        return NST_OK;
    }
    struct feature_map map = model_feature_map(run, deepest);
    uint64_t bytes = feature_map_bytes(model->context, model->half, map.channels, map.height, map.width);
    return buffer_fill_zero(model->context, model_gradient(run, deepest), (size_t)bytes, error);
}

nst_status model_backward(struct model_run *run, int from, int to, cl_mem image_gradient, nst_error *error) {
    const struct model *model = run->model;
    nst_status status = NST_OK;
    for (int s = from; !status && s > to; --s) {
        cl_mem below = s == 0 && model->takes_image ? image_gradient : model_gradient(run, s - 1);
        status = model->stages[s].methods->backward(run, s, below, error);
    }
    if (status || to >= 0 || model->takes_image) {
        return status;
    }
    const struct input_convention *in = &model->input;
    int pixels = run->size.height * run->size.width;
    return kernel_run(model->context, model->input_gradient_to_image, work_range(model->context, (size_t)pixels),
                      ARGUMENTS(arg_buffer(model_gradient(run, -1)), arg_buffer(image_gradient), arg_int(pixels),
                                arg_int(in->order[0]), arg_int(in->order[1]), arg_int(in->order[2]),
                                arg_float(in->scale[0]), arg_float(in->scale[1]), arg_float(in->scale[2])),
                      error);
}
