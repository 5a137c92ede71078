/* convolution_winograd_gpu.c: Winograd F(4x4, 3x3) on GPUs, around 36 products of matrices at once: our own, or
 * CLBlast's. See cl/winograd_input.cl, also for the order of U, V and M, cl/winograd_product.cl and
 * cl/winograd_output.cl.
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
 * rows of both matrices in local memory. For batches of up to FEW_TILES tiles it computes no more than these. */
enum { GROUP_TILES, DEPTH };
enum { GROUP_CHANNELS = 64, ITEM_CHANNELS = 8, ITEM_TILES = 8, FEW_TILES = 64 };
static const struct convolution_parameter parameters[] = {{"tiles", {64, 128}}, {"depth", {8, 16}}, {NULL, {0}}};

static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    (void)context, (void)shape;
    values[GROUP_TILES] = 128;
    values[DEPTH] = 8;
}

/* Work-groups of the product wanted for each compute unit; and how many input channels one sums up: at most so many,
 * since long sums lose digits, and at least so many, since each part of M is a pass through memory. */
enum { GROUPS_PER_UNIT = 8, MOST_SPAN = 128, LEAST_SPAN = 64 };

static bool supports_clblast(const nst_context *context, const struct convolution_shape *shape) {
    return convolution_suits_gpus(context) && shape->kernel_size == 3;
}

static bool supports(const nst_context *context, const struct convolution_shape *shape) {
    return supports_clblast(context, shape) && context->work_group >= 128;
}

static bool uses_clblast(const struct convolution *convolution) {
    return convolution->engine == CONVOLUTION_WINOGRAD_CLBLAST;
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static nst_status input_kernel(nst_context *context, const struct convolution *convolution, const char *name,
                               cl_kernel *kernel, nst_error *error) {
    return kernel_create(context, "winograd_input.cl", feature_map_option(convolution->shape.half_maps), name, kernel,
                         error);
}

static nst_status product_kernel(nst_context *context, const struct convolution *convolution, int tiles,
                                 cl_kernel *kernel, nst_error *error) {
    char options[64];
    snprintf(options, sizeof options, "-D GROUP_TILES=%d -D DEPTH=%d", tiles, convolution->parameters[DEPTH]);
    return kernel_create(context, "winograd_product.cl", options, "winograd_product", kernel, error);
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
        status = input_kernel(context, convolution, "winograd_filters", &kernel, error);
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
    convolution->panel_width = uses_clblast(convolution) ? out : (int)round_up((uint64_t)out, FOUR);
    convolution->taps = SLICES;
    nst_status status = input_kernel(context, convolution, "winograd_input", &convolution->input_kernel, error);
    if (!status && !uses_clblast(convolution)) {
        status = product_kernel(context, convolution, convolution->parameters[GROUP_TILES],
                                &convolution->product_kernel, error);
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
    int batch_tiles;
    int span, parts; /* input channels that a work-group takes, and how many such parts there are */
    uint64_t v_bytes, m_bytes;
};

/* Tiles of a batch with those that do not exist. */
static int fill_up(const struct convolution *convolution, int tiles) {
    uint64_t multiple = !uses_clblast(convolution)   ? FOUR
                        : tiles <= CLBLAST_FEW_TILES ? CLBLAST_FEW_TILES
                                                     : CLBLAST_TILES;
    return (int)round_up((uint64_t)tiles, multiple);
}

static int group_tiles(const struct convolution *convolution, int batch_tiles) {
    return batch_tiles <= FEW_TILES ? FEW_TILES : convolution->parameters[GROUP_TILES];
}

/* Input channels that are summed up at once. Small maps make few work-groups: then several share the channels of
 * each. */
static int choose_span(const struct convolution *convolution, int batch_tiles) {
    int in = convolution->shape.in_channels;
    if (uses_clblast(convolution)) {
        return in;
    }
    int groups = ceiling_divide(batch_tiles, group_tiles(convolution, batch_tiles)) *
                 ceiling_divide(convolution->shape.out_channels, GROUP_CHANNELS) * SLICES;
    int span = ceiling_divide(in, ceiling_divide(GROUPS_PER_UNIT * convolution->work_items, groups));
    span = span < LEAST_SPAN ? LEAST_SPAN : span > MOST_SPAN ? MOST_SPAN : span;
    return (int)round_up((uint64_t)span, (uint64_t)convolution->parameters[DEPTH]);
}

static struct batches lay_out(const struct convolution *convolution, int tiles) {
    const struct convolution_shape *shape = &convolution->shape;
    struct batches batches = {.batch_tiles = fill_up(convolution, tiles)};
    uint64_t slice_bytes = SLICES * sizeof(float) * (uint64_t)batches.batch_tiles;
    batches.span = choose_span(convolution, batches.batch_tiles);
    batches.parts = ceiling_divide(shape->in_channels, batches.span);
    batches.v_bytes = round_up(slice_bytes * (uint64_t)shape->in_channels, BUFFER_PART_ALIGNMENT);
    batches.m_bytes = slice_bytes * (uint64_t)shape->out_channels * (uint64_t)batches.parts;
    return batches;
}

static int count_tiles(const struct convolution *convolution, int height, int width) {
    int out_height, out_width;
    convolution_output_size(&convolution->shape, height, width, &out_height, &out_width);
    return ceiling_divide(out_height, 4) * ceiling_divide(out_width, 4);
}

/* Of a batch, a multiple of CLBLAST_TILES. */
static int most_tiles(const struct convolution *convolution) {
    const struct convolution_shape *shape = &convolution->shape;
    uint64_t parts = uses_clblast(convolution) ? 1 : (uint64_t)ceiling_divide(shape->in_channels, MOST_SPAN);
    uint64_t tile_bytes =
        SLICES * sizeof(float) * ((uint64_t)shape->in_channels + parts * (uint64_t)shape->out_channels);
    double tile_flop = 2.0 * SLICES * shape->in_channels * shape->out_channels;
    int in_memory = (int)(most_scratch_bytes / tile_bytes / CLBLAST_TILES * CLBLAST_TILES);
    int in_time = convolution_dispatch_units(convolution, tile_flop, CLBLAST_TILES);
    in_memory = in_memory < CLBLAST_TILES ? CLBLAST_TILES : in_memory;
    return in_memory < in_time ? in_memory : in_time;
}

/* In batches of the same size. */
static struct batches divide_tiles(const struct convolution *convolution, int tiles) {
    return lay_out(convolution, ceiling_divide(tiles, ceiling_divide(tiles, most_tiles(convolution))));
}

/* The most that this map or a smaller one takes, since a plan is made for the largest: fewer tiles may be in more
 * parts, or in fewer but larger batches. */
static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    int tiles = count_tiles(convolution, height, width), most = most_tiles(convolution);
    uint64_t largest = 0;
    tiles = tiles < most ? tiles : most;
    for (int fewer = tiles; fewer > 0; fewer = (fewer - 1) / CLBLAST_FEW_TILES * CLBLAST_FEW_TILES) {
        struct batches batches = lay_out(convolution, fewer);
        uint64_t bytes = batches.v_bytes + batches.m_bytes;
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

/* In floats. */
static int m_start(const struct batches *batches) {
    return (int)(batches->v_bytes / sizeof(float));
}

static nst_status multiply(nst_context *context, struct convolution *convolution, const struct batches *batches,
                           cl_mem scratch, nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    int tiles = group_tiles(convolution, batches->batch_tiles), groups = ceiling_divide(batches->batch_tiles, tiles);
    int panels = ceiling_divide(shape->out_channels, GROUP_CHANNELS);
    size_t columns = (size_t)tiles / ITEM_TILES, rows = GROUP_CHANNELS / ITEM_CHANNELS;
    struct work_size size = {
        3, {(size_t)groups * columns, (size_t)panels * rows, SLICES * (size_t)batches->parts}, {columns, rows, 1}};
    bool few = tiles != convolution->parameters[GROUP_TILES];
    cl_kernel *kernel = few ? &convolution->few_product_kernel : &convolution->product_kernel;
    /* That for few tiles is made when it is first wanted: jobs may have large maps only. */
    nst_status status = *kernel ? NST_OK : product_kernel(context, convolution, tiles, kernel, error);
    if (status) {
        return status;
    }
    return kernel_run(context, *kernel, size,
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
    int tiles = count_tiles(convolution, call->height, call->width);
    struct batches batches = divide_tiles(convolution, tiles);
    nst_status status = NST_OK;
    for (int first = 0; !status && first < tiles; first += batches.batch_tiles) {
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
