/* convolution_direct_cpu.c: direct convolution in register tiles on CPUs, 3x3 and 1x1. See cl/convolution_direct_cpu.cl
 * and cl/convolution_pointwise.cl. */
#include "network/convolution_engine.h"
#include "support/error.h"

#include <stdio.h>
#include <stdlib.h>

/* A work-item takes areas of so many pixels, and in these tiles of two rows. */
enum { AREA_ROWS = 4, TILE_ROWS = 2 };

/* Up to this many output channels, vectors hold input channels instead. */
enum { MOST_OUTPUTS = 4 };

struct direct {
    cl_kernel kernel;
};

static bool has_few_outputs(const struct convolution_shape *shape) {
    return shape->kernel_size > 1 && shape->out_channels <= MOST_OUTPUTS && shape->in_channels > MOST_OUTPUTS;
}

static bool supports_image(const struct convolution_shape *shape) {
    bool reads = !shape->from_image || (shape->kernel_size == 3 && shape->in_channels == 3);
    bool writes = !shape->to_image || (has_few_outputs(shape) && shape->out_channels == 3 && !shape->has_bias &&
                                       shape->epilogue == EPILOGUE_NONE);
    return reads && writes;
}

static bool supports(const struct convolution_engine *engine, const nst_context *context,
                     const struct convolution_shape *shape) {
    (void)engine, (void)context;
    return (shape->kernel_size == 3 || shape->kernel_size == 1) && supports_image(shape) &&
           (!shape->in_place || (shape->kernel_size == 1 && shape->in_channels == shape->out_channels));
}

/* A tile in registers has two rows of so many columns, each of so many vectors of output channels. */
enum { COLUMNS, VECTORS };
static const struct tuning_parameter parameters[] = {
    {"columns", {2, 3, 4, 6, 8, 12}}, {"vectors", {1, 2, 4}}, {NULL, {0}}};

/* AVX-512 has 32 vector registers, the others are taken to have 16: that many allow 12 sums. Few outputs need
 * registers for their pixels besides. A 1x1 convolution with four vectors reads its input half as often as with two. */
static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    bool many_registers = context->channel_block == 16, few_outputs = has_few_outputs(shape);
    values[VECTORS] = shape->out_channels > context->channel_block ? 2 : 1;
    values[COLUMNS] = many_registers ? (few_outputs ? 3 : 4) : few_outputs ? 2 : 3;
    if (values[VECTORS] == 1 && !few_outputs) {
        values[COLUMNS] *= 2;
    }
    if (many_registers && shape->kernel_size == 1 && shape->out_channels % (4 * context->channel_block) == 0) {
        values[VECTORS] = 4;
        values[COLUMNS] = 2;
    }
}

/* Whether the input under an area is always copied: by 3x3 convolutions because of their borders, by others where it
 * is about to be overwritten, or to be unpacked. */
static bool copies_areas(const struct convolution_shape *shape) {
    return shape->kernel_size > 1 || shape->in_place || shape->half_maps;
}

/* Of an area: a multiple of 4 and of a tile's. What a 1x1 convolution copies is small, so that it stays in the first
 * cache together with the area that is fetched ahead. */
static int area_columns(const struct convolution *convolution) {
    bool is_small = convolution->shape.kernel_size == 1 && copies_areas(&convolution->shape);
    return !is_small ? 24 : convolution->parameters[COLUMNS] % 3 ? 8 : 12;
}

/* Packs weights [out][in][taps] into [in_blocks][taps][out][block]: lanes are input channels, zero where there is none.
 */
static nst_status pack_for_few_outputs(struct convolution *convolution, const float *weights, nst_error *error) {
    size_t in = convolution->shape.in_channels, out = convolution->shape.out_channels;
    size_t taps = convolution->taps, block = convolution->block;
    size_t count = convolution->in_blocks * taps * out * block;
    float *packed = calloc(count, sizeof *packed);
    if (!packed) {
        return fail_memory(error, count * sizeof *packed, "the weights of a convolution");
    }
    for (size_t o = 0; o < out; ++o) {
        for (size_t i = 0; i < in; ++i) {
            for (size_t tap = 0; tap < taps; ++tap) {
                packed[((i / block * taps + tap) * out + o) * block + i % block] = weights[(o * in + i) * taps + tap];
            }
        }
    }
    nst_status status = convolution_upload_weights(convolution, packed, count, error);
    free(packed);
    return status;
}

static nst_status create(struct convolution *convolution, const float *weights, nst_error *error) {
    struct direct *direct = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    bool few_outputs = has_few_outputs(shape), is_pointwise = shape->kernel_size == 1;
    int columns = convolution->parameters[COLUMNS], vectors = convolution->parameters[VECTORS];
    convolution->panel_width = vectors * convolution->block;
    convolution->taps = shape->kernel_size * shape->kernel_size;
    char options[160];
    int length = snprintf(options, sizeof options,
                          "-D VECTORS=%d -D TILE_ROWS=%d -D TILE_COLUMNS=%d -D AREA_ROWS=%d -D AREA_COLUMNS=%d",
                          vectors, TILE_ROWS, columns, AREA_ROWS, area_columns(convolution));
    if (is_pointwise) {
        snprintf(options + length, sizeof options - (size_t)length, " -D IN_PLACE=%d", shape->in_place);
    } else {
        snprintf(options + length, sizeof options - (size_t)length, " -D KERNEL_SIZE=%d -D OUTPUTS=%d%s%s",
                 shape->kernel_size, few_outputs ? shape->out_channels : 0, shape->from_image ? " -D FROM_IMAGE=1" : "",
                 shape->to_image ? " -D TO_IMAGE=1" : "");
    }
    nst_status status = convolution_kernel(
        convolution, is_pointwise ? "convolution_pointwise.cl" : "convolution_direct_cpu.cl", options,
        is_pointwise ? "convolution_pointwise" : "convolution_direct", &direct->kernel, error);
    if (status) {
        return status;
    }
    return few_outputs ? pack_for_few_outputs(convolution, weights, error)
                       : convolution_pack_weights(convolution, weights, error);
}

static void release(struct convolution *convolution) {
    struct direct *direct = convolution->state;
    kernel_release(&direct->kernel);
}

static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    (void)height, (void)width;
    int border = convolution->shape.kernel_size - 1;
    int patch_pixels = copies_areas(&convolution->shape)
                           ? (AREA_ROWS + border) * (area_columns(convolution) + border)
                           : TILE_ROWS * convolution->parameters[COLUMNS]; /* of a tile that is cut off */
    return (uint64_t)convolution->work_items * convolution->in_blocks * convolution->block * patch_pixels *
           sizeof(cl_float);
}

static nst_status run(struct convolution *convolution, const struct convolution_call *call, nst_error *error) {
    const struct direct *direct = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width;
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    int areas = ceiling_divide(out_height, AREA_ROWS) * ceiling_divide(out_width, area_columns(convolution));
    int panels = convolution_panels(convolution), groups = 1;
    while (!shape->in_place && areas * groups < 8 * convolution->work_items && 2 * groups <= panels) {
        groups *= 2;
    }
    if (shape->kernel_size == 1) {
        return kernel_run(convolution->context, direct->kernel, work_items(convolution->work_items),
                          ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_buffer(call->mask),
                                    arg_buffer(convolution->weights), arg_buffer(convolution->bias),
                                    arg_buffer(call->scratch), arg_int(shape->in_channels),
                                    arg_int(convolution->out_blocks), arg_int(call->height), arg_int(call->width),
                                    arg_int(groups)),
                          error);
    }
    return kernel_run(convolution->context, direct->kernel, work_items(convolution->work_items),
                      ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_buffer(call->mask),
                                arg_buffer(convolution->weights), arg_buffer(convolution->bias),
                                arg_buffer(call->scratch), arg_int(shape->in_channels),
                                arg_int(convolution->out_blocks), arg_int(call->height), arg_int(call->width),
                                arg_int(shape->padding), arg_int(shape->padding_mode), arg_int(groups),
                                arg_float(call->offset[0]), arg_float(call->offset[1]), arg_float(call->offset[2])),
                      error);
}

const struct convolution_engine convolution_direct_cpu = {
    .word = "direct",
    .name = "direct",
    .device = CPUS,
    .in_place = true,
    .images = true,
    .supports = supports,
    .state_bytes = sizeof(struct direct),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .parameters = parameters,
    .set_defaults = set_defaults,
};
