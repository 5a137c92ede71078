/* convolution.c: the interface to the convolution engines: creating, running and destroying one. Which engine it is, is
 * chosen in convolution_choice.c; the engines themselves are the other files convolution_*.c. */
#include "network/convolution_engine.h"
#include "network/feature_map.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

static nst_status check_shape(const struct convolution_shape *shape, const struct convolution_weights *weights,
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
    if (shape->has_bias && !(weights && weights->bias)) {
        return fail(error, NST_ERROR_ARGUMENT, "a convolution with bias was created without values for it");
    }
    return NST_OK;
}

/* Without anything on the device. */
static struct convolution *allocate(nst_context *context, const struct convolution_shape *shape,
                                    const struct convolution_choice *choice) {
    struct convolution *convolution = calloc(1, sizeof *convolution);
    void *state = calloc(1, choice->engine->state_bytes + 1);
    if (!convolution || !state) {
        free(convolution);
        free(state);
        return NULL;
    }
    *convolution = (struct convolution){
        .context = context,
        .shape = *shape,
        .engine = choice->engine,
        .state = state,
        .block = context->channel_block,
        .work_items = context->work_items,
        .in_blocks = feature_map_blocks(context, shape->in_channels),
        .out_blocks = feature_map_blocks(context, shape->out_channels),
        .dispatch_flop = context->dispatch_flop,
    };
    memcpy(convolution->parameters, choice->parameters, sizeof convolution->parameters);
    return convolution;
}

nst_status convolution_create(nst_context *context, const struct convolution_shape *shape,
                              const struct convolution_engine *engine, const struct convolution_weights *weights,
                              struct convolution **result, nst_error *error) {
    struct convolution_choice choice = convolution_choose(context, shape, engine);
    return convolution_create_chosen(context, shape, &choice, weights, result, error);
}

nst_status convolution_create_chosen(nst_context *context, const struct convolution_shape *shape,
                                     const struct convolution_choice *choice, const struct convolution_weights *weights,
                                     struct convolution **result, nst_error *error) {
    const struct convolution_engine *engine = choice->engine;
    *result = NULL;
    nst_status status = check_shape(shape, weights, error);
    if (status) {
        return status;
    }
    if (!convolution_supports(engine, context, shape)) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "the %s engine cannot do a %dx%d convolution with channel blocks of %d on this device; leave the "
                    "choice of the engine to the program",
                    engine->name, shape->kernel_size, shape->kernel_size, context->channel_block);
    }
    struct convolution *convolution = allocate(context, shape, choice);
    if (!convolution) {
        return fail_memory(error, sizeof *convolution + engine->state_bytes, "a convolution");
    }
    const float *filters = weights ? weights->filters : NULL;
    convolution->half_weights = shape->half_weights && filters && engine->takes_halves && engine->takes_halves(shape) &&
                                convolution_weights_survive_as_halves(shape, filters);
    status = engine->create(convolution, filters, error);
    if (!status) {
        status = convolution_upload_bias(convolution, weights ? weights->bias : NULL, error);
    }
    if (status) {
        convolution_destroy(convolution);
        return status;
    }
    *result = convolution;
    return NST_OK;
}

void convolution_destroy(struct convolution *convolution) {
    if (!convolution) {
        return;
    }
    if (convolution->engine->release) {
        convolution->engine->release(convolution);
    }
    buffer_release(convolution->context, &convolution->weights);
    buffer_release(convolution->context, &convolution->bias);
    kernel_release(&convolution->pack_kernel);
    free(convolution->state);
    free(convolution);
}

const struct convolution_shape *convolution_shape_of(const struct convolution *convolution) {
    return &convolution->shape;
}

const struct convolution_engine *convolution_engine_of(const struct convolution *convolution) {
    return convolution->engine;
}

bool convolution_has_half_weights(const struct convolution *convolution) {
    return convolution->half_weights;
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
    const struct convolution_engine *engine = convolution->engine;
    return engine->scratch_bytes ? engine->scratch_bytes(convolution, height, width) : 0;
}

nst_status convolution_run(struct convolution *convolution, const struct convolution_call *call, nst_error *error) {
    int out_height, out_width;
    convolution_output_size(&convolution->shape, call->height, call->width, &out_height, &out_width);
    if (call->height < 1 || call->width < 1 || out_height < 1 || out_width < 1) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "an input of %dx%d pixels is too small for a %dx%d convolution with padding %d", call->width,
                    call->height, convolution->shape.kernel_size, convolution->shape.kernel_size,
                    convolution->shape.padding);
    }
    return convolution->engine->run(convolution, call, error);
}

int convolution_dispatch_units(const struct convolution *convolution, double unit_flop, int multiple) {
    double most = convolution->dispatch_flop / unit_flop / multiple;
    int count = most < 1 ? 1 : most > 1 << 16 ? 1 << 16 : (int)most;
    return count * multiple;
}

int convolution_panels(const struct convolution *convolution) {
    return ceiling_divide(convolution->shape.out_channels, convolution->panel_width);
}

nst_status convolution_kernel(const struct convolution *convolution, const char *file, const char *options,
                              const char *name, cl_kernel *kernel, nst_error *error) {
    char all[512];
    snprintf(all, sizeof all, "-D BLOCK=%d -D LOOPS=%d -D EPILOGUE=%d%s %s %s", convolution->block,
             convolution->context->loops_in_kernel,
             convolution->engine->is_told_epilogue ? 0 : (int)convolution->shape.epilogue,
             convolution->half_weights ? " -D HALF_WEIGHTS=1" : "", feature_map_option(convolution->shape.half_maps),
             options);
    return kernel_create(convolution->context, file, all, name, kernel, error);
}
