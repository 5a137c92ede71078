/* convolution_weights.c: the weights of a convolution on the device: packed by the host, or set there; see
 * convolution_engine.h. */
#include "network/convolution_engine.h"
#include "network/feature_map.h"
#include "support/error.h"
#include "weights/half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* To 2^-11 of each; not so where weights are larger than 65504, or most of them smaller than 6e-5. */
bool convolution_weights_survive_as_halves(const struct convolution_shape *shape, const float *weights) {
    size_t count = (size_t)shape->out_channels * (size_t)shape->in_channels * (size_t)shape->kernel_size *
                   (size_t)shape->kernel_size;
    double squares = 0, error_squares = 0;
    for (size_t i = 0; i < count; ++i) {
        double error = (double)half_to_float(half_from_float(weights[i])) - weights[i];
        error_squares += error * error;
        squares += (double)weights[i] * weights[i];
    }
    return isfinite(error_squares) && error_squares <= squares * 0x1p-22;
}

nst_status convolution_upload_bias(struct convolution *convolution, const float *bias, nst_error *error) {
    size_t count = (size_t)convolution_panels(convolution) * convolution->panel_width;
    float *values = calloc(count, sizeof *values);
    if (!values) {
        return fail_memory(error, count * sizeof *values, "the bias of a convolution");
    }
    if (convolution->shape.has_bias) {
        memcpy(values, bias, convolution->shape.out_channels * sizeof *values);
    }
    nst_status status = buffer_create(convolution->context, count * sizeof *values, "bias", &convolution->bias, error);
    if (!status) {
        status = buffer_write(convolution->context, convolution->bias, 0, values, count * sizeof *values, error);
    }
    free(values);
    return status;
}

/* Writes `packed` to the weights' buffer as halves. */
static nst_status write_halves(struct convolution *convolution, const float *packed, size_t count, nst_error *error) {
    cl_half *halves = malloc(count * sizeof *halves);
    if (!halves) {
        return fail_memory(error, count * sizeof *halves, "the weights of a convolution");
    }
    for (size_t i = 0; i < count; ++i) {
        halves[i] = half_from_float(packed[i]);
    }
    nst_status status =
        buffer_write(convolution->context, convolution->weights, 0, halves, count * sizeof *halves, error);
    free(halves);
    return status;
}

nst_status convolution_upload_weights(struct convolution *convolution, const float *packed, size_t count,
                                      nst_error *error) {
    convolution->weight_bytes = count * (convolution->half_weights ? sizeof(cl_half) : sizeof(cl_float));
    nst_status status = buffer_create(convolution->context, convolution->weight_bytes, "weights of a convolution",
                                      &convolution->weights, error);
    if (status || !packed) {
        return status;
    }
    return convolution->half_weights
               ? write_halves(convolution, packed, count, error)
               : buffer_write(convolution->context, convolution->weights, 0, packed, convolution->weight_bytes, error);
}

nst_status convolution_pack_weights(struct convolution *convolution, const float *weights, nst_error *error) {
    size_t out = convolution->shape.out_channels, in = convolution->shape.in_channels;
    size_t taps = convolution->taps, width = convolution->panel_width, block = convolution->block;
    size_t count = convolution_panels(convolution) * in * taps * width;
    if (!weights) {
        /* Of the program that the model has anyway. */
        nst_status status =
            kernel_create(convolution->context, "job.cl", feature_map_option(convolution->shape.half_maps),
                          "pack_matrix", &convolution->pack_kernel, error);
        return status ? status : convolution_upload_weights(convolution, NULL, count, error);
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
    nst_status status = convolution_upload_weights(convolution, packed, count, error);
    free(packed);
    return status;
}

nst_status convolution_set_weights(struct convolution *convolution, cl_mem matrix, nst_error *error) {
    nst_context *context = convolution->context;
    if (convolution->engine->set_weights && convolution->shape.kernel_size == 1) {
        return convolution->engine->set_weights(convolution, matrix, error);
    }
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

nst_status convolution_set_bias(struct convolution *convolution, cl_mem bias, nst_error *error) {
    return buffer_copy(convolution->context, bias, convolution->bias,
                       (size_t)convolution->shape.out_channels * sizeof(float), error);
}
