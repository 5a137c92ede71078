/* stage_pooling.c: pooling by two in both directions, maximum or average, as a stage; see stage.h. */
#include "network/stage.h"

#include "support/error.h"

#include <stdlib.h>

struct pooling {
    cl_kernel forward, backward;
};

static bool is_average(const struct model *model) {
    return model->pooling == NST_POOLING_AVERAGE;
}

static nst_status begin(struct stage *stage, const nst_network *network, int channels, nst_error *error) {
    (void)network;
    (void)error;
    stage->in_channels = stage->out_channels = channels;
    return NST_OK;
}

static nst_status create(struct model *model, int stage, nst_error *error) {
    struct pooling *pooling = model->stages[stage].state = calloc(1, sizeof *pooling);
    if (!pooling) {
        return fail_memory(error, sizeof *pooling, "a pooling");
    }
    const char *options = feature_map_option(model->half), *name = is_average(model) ? "pool_average" : "pool_maximum";
    nst_status status = kernel_create(model->context, "job.cl", options, name, &pooling->forward, error);
    return status ? status
                  : kernel_create(model->context, "job.cl", options, "pool_backward", &pooling->backward, error);
}

static void destroy(struct stage *stage) {
    struct pooling *pooling = stage->state;
    kernel_release(&pooling->forward);
    kernel_release(&pooling->backward);
}

static struct image_size output_size(const struct stage *stage, struct image_size in) {
    (void)stage;
    return (struct image_size){in.height / 2, in.width / 2};
}

static struct stage_window window(const struct stage *stage) {
    (void)stage;
    return (struct stage_window){.stride = 2};
}

static struct image_size mask_size(const struct stage *stage, struct image_size in) {
    (void)stage;
    return in;
}

static struct stage_bytes measure(const struct model *model, int stage, struct image_size in, struct image_size out) {
    int channels = model->stages[stage].out_channels;
    return (struct stage_bytes){
        .map = feature_map_bytes(model->context, model->half, channels, out.height, out.width),
        .selection = is_average(model) ? 0 : relu_mask_bytes(model->context, channels, in.height, in.width),
    };
}

/* Launches one work-item for each 4x4 tile of the input, the unit of masks. */
static struct work_size tiles_of(const struct model_run *run, int blocks, struct image_size in) {
    size_t tiles = (size_t)blocks * (size_t)((in.height + 3) / 4) * (size_t)((in.width + 3) / 4);
    return work_range(run->model->context, tiles);
}

static nst_status forward(struct model_run *run, int s, cl_mem input, nst_error *error) {
    const struct model *model = run->model;
    const struct pooling *pooling = model->stages[s].state;
    const struct stage_buffers *buffers = &run->buffers[s];
    struct image_size in = model_input_size(model, s, run->size);
    int blocks = feature_map_blocks(model->context, model->stages[s].in_channels);
    cl_mem output = run_buffer(run, buffers->map);
    if (is_average(model)) {
        size_t pooled = (size_t)blocks * (size_t)(in.height / 2) * (size_t)(in.width / 2);
        return kernel_run(
            model->context, pooling->forward, work_range(model->context, pooled),
            ARGUMENTS(arg_buffer(input), arg_buffer(output), arg_int(blocks), arg_int(in.height), arg_int(in.width)),
            error);
    }
    return kernel_run(model->context, pooling->forward, tiles_of(run, blocks, in),
                      ARGUMENTS(arg_buffer(input), arg_buffer(output), arg_buffer(run_buffer(run, buffers->selection)),
                                arg_int(blocks), arg_int(in.height), arg_int(in.width),
                                arg_int(s > 0 && model->stages[s - 1].has_relu)),
                      error);
}

static nst_status backward(struct model_run *run, int s, cl_mem below, nst_error *error) {
    const struct model *model = run->model;
    const struct pooling *pooling = model->stages[s].state;
    const struct stage_buffers *buffers = &run->buffers[s];
    struct image_size in = model_input_size(model, s, run->size);
    bool average = is_average(model);
    cl_mem mask = average ? run_mask_below(run, s) : run_buffer(run, buffers->selection);
    int blocks = feature_map_blocks(model->context, model->stages[s].in_channels);
    return kernel_run(model->context, pooling->backward, tiles_of(run, blocks, in),
                      ARGUMENTS(arg_buffer(run_buffer(run, buffers->gradient)), arg_buffer(mask), arg_buffer(below),
                                arg_int(blocks), arg_int(in.height), arg_int(in.width), arg_int(mask != NULL),
                                arg_float(average ? 0.25f : 1.0f)),
                      error);
}

static void print(const struct model *model, const struct stage *stage, FILE *stream) {
    fprintf(stream, "%-12s %9d %8s  %-20s\n", stage->name, stage->out_channels, "2x2",
            is_average(model) ? "average" : "maximum");
}

const struct stage_methods pooling_stage = {
    .kind = LAYER_POOLING,
    .begin = begin,
    .create = create,
    .destroy = destroy,
    .output_size = output_size,
    .window = window,
    .mask_size = mask_size,
    .measure = measure,
    .forward = forward,
    .backward = backward,
    .print = print,
};
