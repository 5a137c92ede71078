/* convolution_plain.c: the readable engine, which can do any shape on any device. See cl/convolution_plain.cl. */
#include "network/convolution_engine.h"

enum { GROUP = 256 }; /* outputs of a dispatch are a multiple of this: of all sizes of work-groups */

struct plain {
    cl_kernel kernel;
    cl_kernel mask_kernel; /* with a ReLU only */
};

static bool supports(const struct convolution_engine *engine, const nst_context *context,
                     const struct convolution_shape *shape) {
    (void)engine, (void)context, (void)shape;
    return true;
}

static nst_status create(struct convolution *convolution, const float *weights, nst_error *error) {
    struct plain *plain = convolution->state;
    convolution->panel_width = convolution->block;
    convolution->taps = convolution->shape.kernel_size * convolution->shape.kernel_size;
    nst_status status =
        convolution_kernel(convolution, "convolution_plain.cl", "", "convolution_plain", &plain->kernel, error);
    if (!status && convolution->shape.epilogue == EPILOGUE_RELU) {
        status = convolution_kernel(convolution, "convolution_plain.cl", "", "relu_mask", &plain->mask_kernel, error);
    }
    return status ? status : convolution_pack_weights(convolution, weights, error);
}

static void release(struct convolution *convolution) {
    struct plain *plain = convolution->state;
    kernel_release(&plain->kernel);
    kernel_release(&plain->mask_kernel);
}

static bool takes_halves(const struct convolution_shape *shape) {
    (void)shape;
    return true;
}

static nst_status run(struct convolution *convolution, const struct convolution_call *call, nst_error *error) {
    const struct plain *plain = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    nst_context *context = convolution->context;
    int out_height, out_width, blocks = convolution->out_blocks;
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    size_t outputs = (size_t)blocks * out_height * out_width;
    double output_flop = 2.0 * convolution->taps * shape->in_channels * convolution->block;
    size_t most = convolution_dispatch_units(convolution, output_flop, GROUP);
    nst_status status = NST_OK;
    for (size_t first = 0; !status && first < outputs; first += most) {
        size_t count = outputs - first < most ? outputs - first : most;
        status = kernel_run(context, plain->kernel, work_range(context, count),
                            ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_buffer(call->mask),
                                      arg_buffer(convolution->weights), arg_buffer(convolution->bias),
                                      arg_int(shape->in_channels), arg_int(blocks), arg_int(shape->kernel_size),
                                      arg_int(call->height), arg_int(call->width), arg_int(shape->padding),
                                      arg_int(shape->padding_mode), arg_int((int)first), arg_int((int)count)),
                            error);
    }
    if (status || !plain->mask_kernel) {
        return status;
    }
    size_t tiles = (size_t)((out_height + 3) / 4) * ((out_width + 3) / 4);
    return kernel_run(context, plain->mask_kernel, work_range(context, blocks * tiles),
                      ARGUMENTS(arg_buffer(call->output), arg_buffer(call->mask), arg_int(blocks), arg_int(out_height),
                                arg_int(out_width)),
                      error);
}

const struct convolution_engine convolution_plain = {
    .word = "plain",
    .name = "plain",
    .supports = supports,
    .state_bytes = sizeof(struct plain),
    .create = create,
    .release = release,
    .run = run,
    .takes_halves = takes_halves,
};
