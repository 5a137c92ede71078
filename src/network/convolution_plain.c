/* convolution_plain.c: the readable engine, which can do any shape on any device. See cl/convolution_plain.cl. */
#include "network/convolution_engine.h"

enum { GROUP = 256 }; /* outputs of a dispatch are a multiple of this: of all sizes of work-groups */

static bool supports(const nst_context *context, const struct convolution_shape *shape) {
    (void)context, (void)shape;
    return true;
}

static nst_status create(nst_context *context, struct convolution *convolution, const float *weights,
                         nst_error *error) {
    convolution->panel_width = convolution->block;
    convolution->taps = convolution->shape.kernel_size * convolution->shape.kernel_size;
    nst_status status = convolution_kernel(context, convolution, "convolution_plain.cl", "", "convolution_plain",
                                           &convolution->kernel, error);
    if (!status && convolution->shape.epilogue == EPILOGUE_RELU) {
        status = convolution_kernel(context, convolution, "convolution_plain.cl", "", "relu_mask",
                                    &convolution->mask_kernel, error);
    }
    return status ? status : convolution_pack_weights(context, convolution, weights, error);
}

static bool takes_halves(const struct convolution_shape *shape) {
    (void)shape;
    return true;
}

static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    (void)convolution, (void)height, (void)width;
    return 0;
}

static nst_status run(nst_context *context, struct convolution *convolution, const struct convolution_call *call,
                      nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width, blocks = convolution->out_blocks;
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    size_t outputs = (size_t)blocks * out_height * out_width;
    double output_flop = 2.0 * convolution->taps * shape->in_channels * convolution->block;
    size_t most = convolution_dispatch_units(convolution, output_flop, GROUP);
    nst_status status = NST_OK;
    for (size_t first = 0; !status && first < outputs; first += most) {
        size_t count = outputs - first < most ? outputs - first : most;
        status = kernel_run(context, convolution->kernel, work_range(context, count),
                            ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_buffer(call->mask),
                                      arg_buffer(convolution->weights), arg_buffer(convolution->bias),
                                      arg_int(shape->in_channels), arg_int(blocks), arg_int(shape->kernel_size),
                                      arg_int(call->height), arg_int(call->width), arg_int(shape->padding),
                                      arg_int(shape->padding_mode), arg_int((int)first), arg_int((int)count)),
                            error);
    }
    if (status || !convolution->mask_kernel) {
        return status;
    }
    size_t tiles = (size_t)((out_height + 3) / 4) * ((out_width + 3) / 4);
    return kernel_run(context, convolution->mask_kernel, work_range(context, blocks * tiles),
                      ARGUMENTS(arg_buffer(call->output), arg_buffer(call->mask), arg_int(blocks), arg_int(out_height),
                                arg_int(out_width)),
                      error);
}

const struct convolution_methods convolution_plain = {
    .name = "plain",
    .supports = supports,
    .create = create,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .takes_halves = takes_halves,
};
