/* convolution_winograd_gpu.c: Winograd F(4x4, 3x3) on GPUs, around 36 products of matrices at once: our own, or
 * CLBlast's. See cl/winograd_product.cl, also for the order of U, V and M, and cl/winograd_output.cl.
 *
 * Large maps are done in batches of tiles, so that scratch memory and the time of a dispatch stay bounded.
 */
#include "device/blas.h"
#include "network/convolution_engine.h"

#include <stdio.h>

enum { SLICES = WINOGRAD_SLICES };

/* Tiles of a batch are filled up to a multiple of this. Our product reads and writes fours. CLBlast copies nothing when
 * its own tiles, of up to 128, divide them; up to 64 are filled up to 64, which suits most devices. */
enum { FOUR = 4, CLBLAST_TILES = 128, CLBLAST_FEW_TILES = 64 };

/* Bounds the scratch memory of one convolution, CLBlast's own apart. */
static const uint64_t most_scratch_bytes = 256 << 20;

/* A work-group of our product computes 64 output channels x GROUP_TILES tiles by work-items of 8 x 8, and has DEPTH
 * rows of both matrices in local memory. */
enum { GROUP_TILES, DEPTH };
enum { GROUP_CHANNELS = 64, ITEM_CHANNELS = 8, ITEM_TILES = 8 };
static const struct convolution_parameter parameters[] = {{"tiles", {64, 128}}, {"depth", {8, 16}}, {NULL, {0}}};

static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    (void)context, (void)shape;
    values[GROUP_TILES] = 128;
    values[DEPTH] = 8;
}

/* Work-groups of the product wanted for each compute unit; and how many input channels one sums up: at most so many,
 * since long sums lose digits, and at least so many, since each part of M is a pass through memory. */
enum { GROUPS_PER_UNIT = 8, MOST_SPAN = 128, LEAST_SPAN = 64 };

static int round_up(int count, int multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

static bool supports_clblast(const nst_context *context, const struct convolution_shape *shape) {
    return !context->loops_in_kernel && context->channel_block == 1 && shape->kernel_size == 3;
}

static bool supports(const nst_context *context, const struct convolution_shape *shape) {
    return supports_clblast(context, shape) && context->work_group >= 128;
}

static bool uses_clblast(const struct convolution *convolution) {
    return convolution->engine == CONVOLUTION_WINOGRAD_CLBLAST;
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

/* Of the program that does for all epilogues. */
static nst_status product_kernel(nst_context *context, const struct convolution *convolution, const char *name,
                                 cl_kernel *kernel, nst_error *error) {
    char options[96];
    int length = snprintf(options, sizeof options, "%s", feature_map_option(convolution->shape.half_maps));
    if (!uses_clblast(convolution)) {
        snprintf(options + length, sizeof options - (size_t)length, " -D GROUP_TILES=%d -D DEPTH=%d",
                 convolution->parameters[GROUP_TILES], convolution->parameters[DEPTH]);
    }
    return kernel_create(context, "winograd_product.cl", options, name, kernel, error);
}

/* U, from filters [out][in][3][3]. */
static nst_status transform_filters(nst_context *context, struct convolution *convolution, const float *filters,
                                    nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    size_t in = (size_t)shape->in_channels, width = (size_t)convolution->panel_width;
    size_t bytes = 9 * in * (size_t)shape->out_channels * sizeof(float);
    cl_mem untransformed = NULL;
    cl_kernel kernel = NULL;
    nst_status status = convolution_upload_weights(context, convolution, NULL, SLICES * in * width, error);
    if (!status) {
        status = buffer_create(context, bytes, "filters of a convolution", &untransformed, error);
    }
    if (!status) {
        status = buffer_write(context, untransformed, 0, filters, bytes, error);
    }
    if (!status) {
        status = product_kernel(context, convolution, "winograd_filters", &kernel, error);
    }
    if (!status) {
        status = kernel_run(context, kernel, work_range(context, in * width),
                            ARGUMENTS(arg_buffer(untransformed), arg_buffer(convolution->weights), arg_int((int)in),
                                      arg_int(shape->out_channels), arg_int((int)width)),
                            error);
    }
    kernel_release(&kernel);
    buffer_release(context, &untransformed);
    return status;
}

static nst_status create(nst_context *context, struct convolution *convolution, const float *weights,
                         nst_error *error) {
    int out = convolution->shape.out_channels;
    convolution->panel_width = uses_clblast(convolution) ? out : round_up(out, FOUR);
    convolution->taps = SLICES;
    nst_status status = product_kernel(context, convolution, "winograd_input", &convolution->input_kernel, error);
    if (!status && !uses_clblast(convolution)) {
        status = product_kernel(context, convolution, "winograd_product", &convolution->product_kernel, error);
    }
    if (!status) {
        status = convolution_kernel(context, convolution, "winograd_output.cl", "", "winograd_output",
                                    &convolution->kernel, error);
    }
    return status ? status : transform_filters(context, convolution, weights, error);
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

/* How the tiles of a map and the input channels are divided, and where V and M lie in the scratch buffer. */
struct batches {
    int tiles, batch_tiles;
    int span, parts; /* input channels that a work-group takes, and how many such parts there are */
    uint64_t v_bytes, m_bytes;
};

static int ceiling_divide(int a, int b) {
    return (a + b - 1) / b;
}

/* Small maps make few work-groups: then several share the input channels of each. */
static void divide_channels(const struct convolution *convolution, struct batches *batches) {
    int in = convolution->shape.in_channels, span = in;
    if (!uses_clblast(convolution)) {
        int groups = ceiling_divide(batches->batch_tiles, convolution->parameters[GROUP_TILES]) *
                     ceiling_divide(convolution->shape.out_channels, GROUP_CHANNELS) * SLICES;
        int wanted = ceiling_divide(GROUPS_PER_UNIT * convolution->work_items, groups);
        span = ceiling_divide(in, wanted);
        span = span < LEAST_SPAN ? LEAST_SPAN : span > MOST_SPAN ? MOST_SPAN : span;
        span = round_up(span, convolution->parameters[DEPTH]);
    }
    batches->span = span;
    batches->parts = ceiling_divide(in, span);
}

static struct batches divide_tiles(const struct convolution *convolution, int height, int width) {
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width;
    convolution_output_size(shape, height, width, &out_height, &out_width);
    uint64_t v_tile = SLICES * sizeof(float) * (uint64_t)shape->in_channels;
    uint64_t m_tile = SLICES * sizeof(float) * (uint64_t)shape->out_channels;
    uint64_t least_parts = uses_clblast(convolution) ? 1 : (uint64_t)ceiling_divide(shape->in_channels, MOST_SPAN);
    double tile_flop = 2.0 * SLICES * shape->in_channels * shape->out_channels;
    int most = (int)(most_scratch_bytes / (v_tile + least_parts * m_tile) / CLBLAST_TILES * CLBLAST_TILES);
    int most_in_time = convolution_dispatch_units(convolution, tile_flop, CLBLAST_TILES);
    most = most < CLBLAST_TILES ? CLBLAST_TILES : most;
    most = most < most_in_time ? most : most_in_time;
    struct batches batches = {.tiles = ((out_height + 3) / 4) * ((out_width + 3) / 4)};
    int count = (batches.tiles + most - 1) / most, tiles = (batches.tiles + count - 1) / count;
    int multiple = !uses_clblast(convolution) ? FOUR : tiles <= CLBLAST_FEW_TILES ? CLBLAST_FEW_TILES : CLBLAST_TILES;
    batches.batch_tiles = round_up(tiles, multiple);
    divide_channels(convolution, &batches);
    uint64_t v_bytes = v_tile * (uint64_t)batches.batch_tiles;
    batches.v_bytes = (v_bytes + BUFFER_PART_ALIGNMENT - 1) / BUFFER_PART_ALIGNMENT * BUFFER_PART_ALIGNMENT;
    batches.m_bytes = m_tile * (uint64_t)batches.batch_tiles * (uint64_t)batches.parts;
    return batches;
}

static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    struct batches batches = divide_tiles(convolution, height, width);
    return batches.v_bytes + batches.m_bytes;
}

/* In floats. */
static int m_start(const struct batches *batches) {
    return (int)(batches->v_bytes / sizeof(float));
}

static nst_status multiply(nst_context *context, struct convolution *convolution, const struct batches *batches,
                           cl_mem scratch, nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    int group_tiles = convolution->parameters[GROUP_TILES];
    int groups = ceiling_divide(batches->batch_tiles, group_tiles);
    int panels = ceiling_divide(shape->out_channels, GROUP_CHANNELS);
    size_t columns = (size_t)group_tiles / ITEM_TILES, rows = GROUP_CHANNELS / ITEM_CHANNELS;
    struct work_size size = {
        3, {(size_t)groups * columns, (size_t)panels * rows, SLICES * (size_t)batches->parts}, {columns, rows, 1}};
    return kernel_run(context, convolution->product_kernel, size,
                      ARGUMENTS(arg_buffer(convolution->weights), arg_buffer(scratch), arg_int(shape->in_channels),
                                arg_int(shape->out_channels), arg_int(convolution->panel_width / FOUR),
                                arg_int(batches->batch_tiles / FOUR), arg_int(m_start(batches)),
                                arg_int(batches->span)),
                      error);
}

static nst_status multiply_by_clblast(nst_context *context, struct convolution *convolution,
                                      const struct batches *batches, cl_mem scratch, nst_error *error) {
    struct blas_product product = {.rows = (size_t)convolution->shape.out_channels,
                                   .columns = (size_t)batches->batch_tiles,
                                   .inner = (size_t)convolution->shape.in_channels,
                                   .transpose_a = true,
                                   .alpha = 1.0f,
                                   .a = convolution->weights};
    nst_status status = buffer_part(context, scratch, 0, (size_t)batches->v_bytes, &product.b, error);
    if (!status) {
        status = buffer_part(context, scratch, (size_t)batches->v_bytes, (size_t)batches->m_bytes, &product.c, error);
    }
    if (!status) {
        status = blas_multiply_batched(context, &product, SLICES, error);
    }
    buffer_release(context, &product.b);
    buffer_release(context, &product.c);
    return status;
}

static nst_status run_batch(nst_context *context, struct convolution *convolution, const struct convolution_call *call,
                            const struct batches *batches, int first, nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width;
    size_t tiles = (size_t)batches->batch_tiles;
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    nst_status status =
        kernel_run(context, convolution->input_kernel, work_range(context, (size_t)shape->in_channels * tiles),
                   ARGUMENTS(arg_buffer(call->input), arg_buffer(call->scratch), arg_int(shape->in_channels),
                             arg_int(call->height), arg_int(call->width), arg_int(shape->padding),
                             arg_int(shape->padding_mode), arg_int(first), arg_int((int)tiles)),
                   error);
    if (!status) {
        status = (uses_clblast(convolution) ? multiply_by_clblast : multiply)(context, convolution, batches,
                                                                              call->scratch, error);
    }
    if (!status) {
        status = kernel_run(context, convolution->kernel, work_range(context, (size_t)shape->out_channels * tiles),
                            ARGUMENTS(arg_buffer(call->scratch), arg_buffer(call->output), arg_buffer(call->mask),
                                      arg_buffer(convolution->bias), arg_int(shape->out_channels), arg_int(out_height),
                                      arg_int(out_width), arg_int(first), arg_int((int)tiles),
                                      arg_int(m_start(batches)), arg_int(batches->parts)),
                            error);
    }
    return status;
}

static nst_status run(nst_context *context, struct convolution *convolution, const struct convolution_call *call,
                      nst_error *error) {
    struct batches batches = divide_tiles(convolution, call->height, call->width);
    nst_status status = NST_OK;
    for (int first = 0; !status && first < batches.tiles; first += batches.batch_tiles) {
        status = run_batch(context, convolution, call, &batches, first, error);
    }
    return status;
}

const struct convolution_methods convolution_winograd_gpu = {
    .name = "winograd F(4x4)",
    .supports = supports,
    .create = create,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .parameters = parameters,
    .set_defaults = set_defaults,
};

const struct convolution_methods convolution_winograd_clblast = {
    .name = "winograd F(4x4) by CLBlast",
    .supports = supports_clblast,
    .create = create,
    .scratch_bytes = scratch_bytes,
    .run = run,
};
