/* convolution.c: the interface to the convolution engines: life and death, weights that change. Which engine it is, is
 * chosen in convolution_choice.c; the engines themselves are the other files convolution_*.c. */
#include "network/convolution_engine.h"
#include "support/error.h"
#include "weights/half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nst_status check_shape(const struct convolution_shape *shape, const float *weights, const float *bias,
                              nst_error *error) {
    enum { MOST_CHANNELS = 1 << 16, MOST_KERNEL_SIZE = 255 };
    if (shape->in_channels < 1 || shape->in_channels > MOST_CHANNELS || shape->out_channels < 1 ||
        shape->out_channels > MOST_CHANNELS) {
        return fail(error, NST_ERROR_ARGUMENT, "a convolution from %d to %d channels is not possible: expected 1 to %d",
                    shape->in_channels, shape->out_channels, (int)MOST_CHANNELS);
    }
    if (shape->kernel_size < 1 || shape->kernel_size > MOST_KERNEL_SIZE || shape->kernel_size % 2 == 0) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "a convolution with kernel size %d is not possible: expected an odd number", shape->kernel_size);
    }
    if (shape->padding < 0 || shape->padding >= shape->kernel_size) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "a convolution with kernel size %d and padding %d is not possible: "
                    "expected a padding of 0 to %d",
                    shape->kernel_size, shape->padding, shape->kernel_size - 1);
    }
    if (!weights && shape->kernel_size != 1) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "a convolution with kernel size %d was created without weights: only "
                    "those of 1x1 convolutions can be set later",
                    shape->kernel_size);
    }
    if (shape->has_bias && !bias) {
        return fail(error, NST_ERROR_ARGUMENT, "a convolution with bias was created without values for it");
    }
    return NST_OK;
}

/* True if halves hold the weights as precisely as they hold numbers of their normal range, to 2^-11 of each; not so
 * where weights are larger than 65504, or most of them smaller than 6e-5. */
static bool survive_as_halves(const float *weights, size_t count) {
    double squares = 0, error_squares = 0;
    for (size_t i = 0; i < count; ++i) {
        double error = (double)half_to_float(half_from_float(weights[i])) - weights[i];
        error_squares += error * error;
        squares += (double)weights[i] * weights[i];
    }
    return isfinite(error_squares) && error_squares <= squares * 0x1p-22;
}

static nst_status create_bias(nst_context *context, struct convolution *convolution, const float *bias,
                              nst_error *error) {
    size_t count = (size_t)convolution_panels(convolution) * convolution->panel_width;
    float *values = calloc(count, sizeof *values);
    if (!values) {
        return fail_memory(error, count * sizeof *values, "the bias of a convolution");
    }
    if (convolution->shape.has_bias) {
        memcpy(values, bias, convolution->shape.out_channels * sizeof *values);
    }
    nst_status status = buffer_create(context, count * sizeof *values, "bias", &convolution->bias, error);
    if (!status) {
        status = buffer_write(context, convolution->bias, 0, values, count * sizeof *values, error);
    }
    free(values);
    return status;
}

nst_status convolution_create(nst_context *context, const struct convolution_shape *shape,
                              enum convolution_engine engine, const float *weights, const float *bias,
                              struct convolution **result, nst_error *error) {
    struct convolution_choice choice = convolution_choose(context, shape, engine);
    return convolution_create_chosen(context, shape, &choice, weights, bias, result, error);
}

nst_status convolution_create_chosen(nst_context *context, const struct convolution_shape *shape,
                                     const struct convolution_choice *choice, const float *weights, const float *bias,
                                     struct convolution **result, nst_error *error) {
    *result = NULL;
    nst_status status = check_shape(shape, weights, bias, error);
    if (status) {
        return status;
    }
    const struct convolution_methods *methods = convolution_methods_of(choice->engine, context->loops_in_kernel);
    if (!convolution_supports(methods, context, shape)) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "the %s engine cannot do a %dx%d convolution with channel blocks of %d on this device; leave the "
                    "choice of the engine to the program",
                    methods->name, shape->kernel_size, shape->kernel_size, context->channel_block);
    }
    struct convolution *convolution = calloc(1, sizeof *convolution);
    if (!convolution) {
        return fail_memory(error, sizeof *convolution, "a convolution");
    }
    convolution->shape = *shape;
    convolution->engine = choice->engine;
    memcpy(convolution->parameters, choice->parameters, sizeof convolution->parameters);
    convolution->dispatch_flop = context->dispatch_flop;
    convolution->methods = methods;
    convolution->block = context->channel_block;
    convolution->work_items = context->work_items;
    convolution->in_blocks = ceiling_divide(shape->in_channels, context->channel_block);
    convolution->out_blocks = ceiling_divide(shape->out_channels, context->channel_block);
    convolution->half_weights = shape->half_weights && weights && methods->takes_halves &&
                                methods->takes_halves(shape) &&
                                survive_as_halves(weights, (size_t)shape->out_channels * (size_t)shape->in_channels *
                                                               (size_t)shape->kernel_size * (size_t)shape->kernel_size);
    status = methods->create(context, convolution, weights, error);
    if (!status) {
        status = create_bias(context, convolution, bias, error);
    }
    if (status) {
        convolution_destroy(context, convolution);
        return status;
    }
    *result = convolution;
    return NST_OK;
}

void convolution_destroy(nst_context *context, struct convolution *convolution) {
    if (!convolution) {
        return;
    }
    buffer_release(context, &convolution->weights);
    buffer_release(context, &convolution->bias);
    kernel_release(&convolution->kernel);
    kernel_release(&convolution->input_kernel);
    kernel_release(&convolution->product_kernel);
    kernel_release(&convolution->few_product_kernel);
    kernel_release(&convolution->mask_kernel);
    kernel_release(&convolution->pack_kernel);
    free(convolution);
}

const struct convolution_shape *convolution_shape_of(const struct convolution *convolution) {
    return &convolution->shape;
}

enum convolution_engine convolution_engine_of(const struct convolution *convolution) {
    return convolution->engine;
}

bool convolution_suits_gpus(const nst_context *context) {
    return !context->loops_in_kernel && context->channel_block == 1;
}

bool convolution_is_winograd(enum convolution_engine engine) {
    return engine == CONVOLUTION_WINOGRAD || engine == CONVOLUTION_WINOGRAD_CLBLAST;
}

bool convolution_has_half_weights(const struct convolution *convolution) {
    return convolution->half_weights;
}

const char *convolution_engine_name(enum convolution_engine engine) {
    const struct convolution_methods *methods = convolution_methods_of(engine, true);
    return methods ? methods->name : "auto";
}

void convolution_output_size(const struct convolution_shape *shape, int height, int width, int *out_height,
                             int *out_width) {
    *out_height = height + 2 * shape->padding - shape->kernel_size + 1;
    *out_width = width + 2 * shape->padding - shape->kernel_size + 1;
}

uint64_t convolution_weight_bytes(const struct convolution *convolution) {
    return convolution->weight_bytes;
}

uint64_t convolution_scratch_bytes(const struct convolution *convolution, int height, int width) {
    return convolution->methods->scratch_bytes(convolution, height, width);
}

nst_status convolution_run(nst_context *context, struct convolution *convolution, const struct convolution_call *call,
                           nst_error *error) {
    int out_height, out_width;
    convolution_output_size(&convolution->shape, call->height, call->width, &out_height, &out_width);
    if (call->height < 1 || call->width < 1 || out_height < 1 || out_width < 1) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "an input of %dx%d pixels is too small for a %dx%d convolution with padding %d", call->width,
                    call->height, convolution->shape.kernel_size, convolution->shape.kernel_size,
                    convolution->shape.padding);
    }
    return convolution->methods->run(context, convolution, call, error);
}

nst_status convolution_set_weights(nst_context *context, struct convolution *convolution, cl_mem matrix,
                                   nst_error *error) {
    if (!convolution->pack_kernel) {
        return fail(error, NST_ERROR_ARGUMENT, "the weights of this convolution were given when it was created");
    }
    int panels = convolution_panels(convolution);
    size_t rows = (size_t)panels * convolution->shape.in_channels;
    size_t count = context->loops_in_kernel ? rows : rows * (size_t)convolution->panel_width;
    return kernel_run(context, convolution->pack_kernel, work_range(context, count),
                      ARGUMENTS(arg_buffer(matrix), arg_buffer(convolution->weights),
                                arg_int(convolution->shape.out_channels), arg_int(convolution->shape.in_channels),
                                arg_int(convolution->panel_width), arg_int(panels)),
                      error);
}

int convolution_dispatch_units(const struct convolution *convolution, double unit_flop, int multiple) {
    double most = convolution->dispatch_flop / unit_flop / multiple;
    int count = most < 1 ? 1 : most > 1 << 16 ? 1 << 16 : (int)most;
    return count * multiple;
}

int convolution_panels(const struct convolution *convolution) {
    return ceiling_divide(convolution->shape.out_channels, convolution->panel_width);
}

nst_status convolution_pack_weights(nst_context *context, struct convolution *convolution, const float *weights,
                                    nst_error *error) {
    size_t out = convolution->shape.out_channels, in = convolution->shape.in_channels;
    size_t taps = convolution->taps, width = convolution->panel_width, block = convolution->block;
    size_t count = convolution_panels(convolution) * in * taps * width;
    if (!weights) {
        /* Of the program that the model has anyway. */
        nst_status status = kernel_create(context, "passes.cl", feature_map_option(convolution->shape.half_maps),
                                          "pack_matrix", &convolution->pack_kernel, error);
        return status ? status : convolution_upload_weights(context, convolution, NULL, count, error);
    }
    float *packed = calloc(count, sizeof *packed);
    if (!packed) {
        return fail_memory(error, count * sizeof *packed, "the weights of a convolution");
    }
    float *target = packed;
    for (size_t panel = 0; panel < out; panel += width) {
        size_t columns = out - panel < width ? out - panel : width;
        for (size_t first = 0; first < in; first += block) {
            size_t lanes = in - first < block ? in - first : block;
            for (size_t tap = 0; tap < taps; ++tap) {
                for (size_t lane = 0; lane < lanes; ++lane, target += width) {
                    const float *source = weights + (panel * in + first + lane) * taps + tap;
                    for (size_t column = 0; column < columns; ++column) {
                        target[column] = source[column * in * taps];
                    }
                }
            }
        }
    }
    nst_status status = convolution_upload_weights(context, convolution, packed, count, error);
    free(packed);
    return status;
}

/* Writes `packed` to the weights' buffer as halves. */
static nst_status write_halves(nst_context *context, struct convolution *convolution, const float *packed, size_t count,
                               nst_error *error) {
    cl_half *halves = malloc(count * sizeof *halves);
    if (!halves) {
        return fail_memory(error, count * sizeof *halves, "the weights of a convolution");
    }
    for (size_t i = 0; i < count; ++i) {
        halves[i] = half_from_float(packed[i]);
    }
    nst_status status = buffer_write(context, convolution->weights, 0, halves, count * sizeof *halves, error);
    free(halves);
    return status;
}

nst_status convolution_upload_weights(nst_context *context, struct convolution *convolution, const float *packed,
                                      size_t count, nst_error *error) {
    convolution->weight_bytes = count * (convolution->half_weights ? sizeof(cl_half) : sizeof(cl_float));
    nst_status status =
        buffer_create(context, convolution->weight_bytes, "weights of a convolution", &convolution->weights, error);
    if (status || !packed) {
        return status;
    }
    return convolution->half_weights
               ? write_halves(context, convolution, packed, count, error)
               : buffer_write(context, convolution->weights, 0, packed, convolution->weight_bytes, error);
}

nst_status convolution_kernel(nst_context *context, const struct convolution *convolution, const char *file,
                              const char *options, const char *name, cl_kernel *kernel, nst_error *error) {
    char all[256];
    snprintf(all, sizeof all, "-D BLOCK=%d -D LOOPS=%d -D EPILOGUE=%d%s %s %s", context->channel_block,
             context->loops_in_kernel, convolution->methods->is_told_epilogue ? 0 : (int)convolution->shape.epilogue,
             convolution->half_weights ? " -D HALF_WEIGHTS=1" : "", feature_map_option(convolution->shape.half_maps),
             options);
    return kernel_create(context, file, all, name, kernel, error);
}
