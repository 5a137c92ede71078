/* convolution_direct_gpu.c: direct convolution on GPUs, by tiles in local memory, or in registers alone for few output
 * channels. See cl/convolution_direct_gpu.cl. */
#include "network/convolution_engine.h"

#include <stdio.h>

/* A work-item computes 4 output channels of a 4x4 tile. */
enum { ITEM_CHANNELS = 4, GROUP_PANELS = 16, NARROW_GROUP = 64 };

/* A wide work-group has 16 x GROUP_TILES work-items, and DEPTH rows of both matrices in local memory. */
enum { GROUP_TILES, DEPTH };
static const struct tuning_parameter parameters[] = {{"tiles", {4, 8, 16}}, {"depth", {4, 8, 16}}, {NULL, {0}}};

/* 64 channels x 128 pixels: the 12 KiB of local memory and the registers let four such groups share a compute unit
 * (docs/gpu-kernels.md). */
enum { USUAL_GROUP_TILES = 8 };
static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    values[GROUP_TILES] = USUAL_GROUP_TILES;
    /* Four rows suffice for a picture's three channels, but Intel's compiler then moves the sums to scratch memory. */
    values[DEPTH] = shape->in_channels <= 4 && context->sub_group == 0 ? 4 : 8;
}

struct direct {
    cl_kernel kernel;
};

/* Up to this many output channels, the wide kernel would compute mostly channels that do not exist. */
enum { MOST_NARROW_CHANNELS = 16 };

static bool is_narrow(const struct convolution_shape *shape) {
    return shape->out_channels <= MOST_NARROW_CHANNELS;
}

static bool supports(const struct convolution_engine *engine, const nst_context *context,
                     const struct convolution_shape *shape) {
    (void)engine;
    return context->work_group >= GROUP_PANELS * USUAL_GROUP_TILES &&
           (shape->kernel_size == 1 || shape->kernel_size == 3);
}

static nst_status create(struct convolution *convolution, const float *weights, nst_error *error) {
    struct direct *direct = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    bool narrow = is_narrow(shape);
    convolution->panel_width = narrow ? ITEM_CHANNELS : ITEM_CHANNELS * GROUP_PANELS;
    convolution->taps = shape->kernel_size * shape->kernel_size;
    char options[96];
    int length = snprintf(options, sizeof options, "-D KERNEL_SIZE=%d -D GROUP_PANELS=%d -D NARROW_GROUP=%d",
                          shape->kernel_size, GROUP_PANELS, NARROW_GROUP);
    if (!narrow) {
        snprintf(options + length, sizeof options - (size_t)length, " -D GROUP_TILES=%d -D DEPTH=%d",
                 convolution->parameters[GROUP_TILES], convolution->parameters[DEPTH]);
    }
    nst_status status =
        convolution_kernel(convolution, "convolution_direct_gpu.cl", options,
                           narrow ? "convolution_narrow" : "convolution_direct", &direct->kernel, error);
    return status ? status : convolution_pack_weights(convolution, weights, error);
}

static void release(struct convolution *convolution) {
    struct direct *direct = convolution->state;
    kernel_release(&direct->kernel);
}

static bool takes_halves(const struct convolution_shape *shape) {
    (void)shape;
    return true;
}

static nst_status run(struct convolution *convolution, const struct convolution_call *call, nst_error *error) {
    const struct direct *direct = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width;
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    int tiles = ((out_height + 3) / 4) * ((out_width + 3) / 4);
    size_t panels = (size_t)convolution_panels(convolution), group_tiles = (size_t)convolution->parameters[GROUP_TILES],
           local = is_narrow(shape) ? NARROW_GROUP : group_tiles;
    double tile_flop = 2.0 * 16 * convolution->taps * shape->in_channels * (double)panels * convolution->panel_width;
    int most = convolution_dispatch_units(convolution, tile_flop, NARROW_GROUP);
    for (int first = 0; first < tiles; first += most) {
        size_t count = round_up((size_t)(tiles - first < most ? tiles - first : most), local);
        struct work_size size = {2, {count, panels, 1}, {local, 1, 1}};
        if (!is_narrow(shape)) {
            size.global[1] = panels * GROUP_PANELS;
            size.local[1] = GROUP_PANELS;
        }
        nst_status status = kernel_run(
            convolution->context, direct->kernel, size,
            ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_buffer(call->mask),
                      arg_buffer(convolution->weights), arg_buffer(convolution->bias), arg_int(shape->in_channels),
                      arg_int(shape->out_channels), arg_int(call->height), arg_int(call->width),
                      arg_int(shape->padding), arg_int(shape->padding_mode), arg_int(first)),
            error);
        if (status) {
            return status;
        }
    }
    return NST_OK;
}

const struct convolution_engine convolution_direct_gpu = {
    .word = "direct",
    .name = "direct",
    .device = GPUS,
    .supports = supports,
    .state_bytes = sizeof(struct direct),
    .create = create,
    .release = release,
    .run = run,
    .parameters = parameters,
    .set_defaults = set_defaults,
    .takes_halves = takes_halves,
};
