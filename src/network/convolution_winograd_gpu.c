/* convolution_winograd_gpu.c: Winograd F(4x4, 3x3) on GPUs, around 36 products of matrices at once, by our own engine
 * or CLBlast's (network/product.h). See cl/winograd_input.cl, also for the order of U, V and M, cl/winograd_product.cl
 * and cl/winograd_output.cl.
 *
 * Large maps are done in batches of tiles, so that scratch memory and the time of a dispatch stay bounded.
 */
#include "network/convolution_engine.h"
#include "network/feature_map.h"

enum { SLICES = WINOGRAD_SLICES };

/* Batches of a map of many tiles are of a multiple of this: what CLBlast's own tiles divide. */
enum { BATCH_MULTIPLE = 128 };

/* Bounds the scratch memory of one convolution, CLBlast's own apart. */
static const uint64_t most_scratch_bytes = 256 << 20;

struct winograd {
    struct product *product;
    cl_kernel input, output;
};

/* M[s] = U[s]^T V[s] for the slices s, tiles being columns. */
static struct product_shape product_shape(const struct convolution_shape *shape) {
    return (struct product_shape){
        .kind = PRODUCT_BATCHED, .rows = shape->out_channels, .inner = shape->in_channels, .batches = SLICES};
}

static bool supports(const struct convolution_engine *engine, const nst_context *context,
                     const struct convolution_shape *shape) {
    struct product_shape product = product_shape(shape);
    return shape->kernel_size == 3 && product_is_possible(context, &product, engine->product);
}

/* Those of our own product. */
static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    struct product_shape product = product_shape(shape);
    product_batched.set_defaults(context, &product, values);
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static nst_status input_kernel(const struct convolution *convolution, const char *name, cl_kernel *kernel,
                               nst_error *error) {
    return kernel_create(convolution->context, "winograd_input.cl", feature_map_option(convolution->shape.half_maps),
                         name, kernel, error);
}

/* U, from filters [out][in][3][3]. */
static nst_status transform_filters(struct convolution *convolution, const float *filters, nst_error *error) {
    nst_context *context = convolution->context;
    const struct convolution_shape *shape = &convolution->shape;
    size_t in = (size_t)shape->in_channels, width = (size_t)convolution->panel_width;
    size_t bytes = 9 * in * (size_t)shape->out_channels * sizeof(float);
    cl_mem untransformed = NULL;
    cl_kernel kernel = NULL;
    nst_status status = convolution_upload_weights(convolution, NULL, SLICES * in * width, error);
    if (!status) {
        status = buffer_create(context, bytes, "filters of a convolution", &untransformed, error);
    }
    if (!status) {
        status = buffer_write(context, untransformed, 0, filters, bytes, error);
    }
    if (!status) {
        status = input_kernel(convolution, "winograd_filters", &kernel, error);
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

static nst_status create(struct convolution *convolution, const float *weights, nst_error *error) {
    struct winograd *winograd = convolution->state;
    struct product_shape product = product_shape(&convolution->shape);
    product.parameters = convolution->parameters;
    nst_status status =
        product_create(convolution->context, &product, convolution->engine->product, &winograd->product, error);
    if (status) {
        return status;
    }
    convolution->panel_width = product_layout(winograd->product, 1).rows;
    convolution->taps = SLICES;
    status = input_kernel(convolution, "winograd_input", &winograd->input, error);
    if (!status) {
        status = convolution_kernel(convolution, "winograd_output.cl", "", "winograd_output", &winograd->output, error);
    }
    return status ? status : transform_filters(convolution, weights, error);
}

static void release(struct convolution *convolution) {
    struct winograd *winograd = convolution->state;
    product_destroy(winograd->product);
    kernel_release(&winograd->input);
    kernel_release(&winograd->output);
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

/* How the tiles of a map are divided, and where V and M lie in the scratch buffer. */
struct batches {
    int batch_tiles; /* with those that do not exist */
    int parts;       /* of M, which winograd_output adds up */
    uint64_t v_bytes, m_bytes;
};

static struct batches lay_out(const struct convolution *convolution, int tiles) {
    const struct winograd *winograd = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    struct product_layout layout = product_layout(winograd->product, tiles);
    uint64_t slice_bytes = SLICES * sizeof(float) * (uint64_t)layout.columns;
    return (struct batches){
        .batch_tiles = layout.columns,
        .parts = layout.parts,
        .v_bytes = round_up(slice_bytes * (uint64_t)shape->in_channels, BUFFER_PART_ALIGNMENT),
        .m_bytes = slice_bytes * (uint64_t)shape->out_channels * (uint64_t)layout.parts,
    };
}

static int count_tiles(const struct convolution *convolution, int height, int width) {
    int out_height, out_width;
    convolution_output_size(&convolution->shape, height, width, &out_height, &out_width);
    return ceiling_divide(out_height, 4) * ceiling_divide(out_width, 4);
}

/* Of a batch. */
static int most_tiles(const struct convolution *convolution) {
    enum { MANY = 1 << 20 };
    const struct winograd *winograd = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    uint64_t parts = (uint64_t)product_layout(winograd->product, MANY).parts;
    uint64_t tile_bytes =
        SLICES * sizeof(float) * ((uint64_t)shape->in_channels + parts * (uint64_t)shape->out_channels);
    double tile_flop = 2.0 * SLICES * shape->in_channels * shape->out_channels;
    int in_memory = (int)(most_scratch_bytes / tile_bytes / BATCH_MULTIPLE * BATCH_MULTIPLE);
    int in_time = convolution_dispatch_units(convolution, tile_flop, BATCH_MULTIPLE);
    in_memory = in_memory < BATCH_MULTIPLE ? BATCH_MULTIPLE : in_memory;
    return in_memory < in_time ? in_memory : in_time;
}

/* In batches of the same size. */
static struct batches divide_tiles(const struct convolution *convolution, int tiles) {
    return lay_out(convolution, ceiling_divide(tiles, ceiling_divide(tiles, most_tiles(convolution))));
}

/* The most that this map or a smaller one takes, since a plan is made for the largest: fewer tiles may be in more
 * parts, or in fewer but larger batches. */
static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    enum { STEP = 64 }; /* between them, no layout takes more than at the next multiple */
    int tiles = count_tiles(convolution, height, width), most = most_tiles(convolution);
    uint64_t largest = 0;
    tiles = tiles < most ? tiles : most;
    for (int fewer = tiles; fewer > 0; fewer = (fewer - 1) / STEP * STEP) {
        struct batches batches = lay_out(convolution, fewer);
        uint64_t bytes = batches.v_bytes + batches.m_bytes;
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

static nst_status run_batch(struct convolution *convolution, const struct convolution_call *call,
                            const struct batches *batches, int first, nst_error *error) {
    const struct winograd *winograd = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    nst_context *context = convolution->context;
    int out_height, out_width;
    size_t tiles = (size_t)batches->batch_tiles, m_start = (size_t)batches->v_bytes / sizeof(float);
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    nst_status status =
        kernel_run(context, winograd->input, work_range(context, (size_t)shape->in_channels * tiles),
                   ARGUMENTS(arg_buffer(call->input), arg_buffer(call->scratch), arg_int(shape->in_channels),
                             arg_int(call->height), arg_int(call->width), arg_int(shape->padding),
                             arg_int(shape->padding_mode), arg_int(first), arg_int((int)tiles)),
                   error);
    if (!status) {
        struct product_call product = {
            .extent = batches->batch_tiles, .a = convolution->weights, .c = call->scratch, .c_start = m_start};
        status = product_run(winograd->product, &product, error);
    }
    if (!status) {
        status = kernel_run(context, winograd->output, work_range(context, (size_t)shape->out_channels * tiles),
                            ARGUMENTS(arg_buffer(call->scratch), arg_buffer(call->output), arg_buffer(call->mask),
                                      arg_buffer(convolution->bias), arg_int(shape->out_channels), arg_int(out_height),
                                      arg_int(out_width), arg_int(first), arg_int((int)tiles), arg_int((int)m_start),
                                      arg_int(batches->parts)),
                            error);
    }
    return status;
}

static nst_status run(struct convolution *convolution, const struct convolution_call *call, nst_error *error) {
    int tiles = count_tiles(convolution, call->height, call->width);
    struct batches batches = divide_tiles(convolution, tiles);
    nst_status status = NST_OK;
    for (int first = 0; !status && first < tiles; first += batches.batch_tiles) {
        status = run_batch(convolution, call, &batches, first, error);
    }
    return status;
}

/* Below so many channels the transforms cost more than Winograd saves. */
enum { LEAST_CHANNELS = 32 };

/* By matrix units for floats. */
const struct convolution_engine convolution_winograd_units = {
    .word = "winograd-units",
    .name = "winograd F(4x4), matrix units",
    .device = GPUS,
    .transforms = true,
    .least_channels = LEAST_CHANNELS,
    .product = &product_batched_units,
    .supports = supports,
    .state_bytes = sizeof(struct winograd),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .parameters = product_batched_parameters,
    .set_defaults = set_defaults,
};

const struct convolution_engine convolution_winograd_gpu = {
    .word = "winograd",
    .name = "winograd F(4x4)",
    .device = GPUS,
    .transforms = true,
    .least_channels = LEAST_CHANNELS,
    .product = &product_batched,
    .supports = supports,
    .state_bytes = sizeof(struct winograd),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .parameters = product_batched_parameters,
    .set_defaults = set_defaults,
};

const struct convolution_engine convolution_winograd_clblast = {
    .word = "winograd-clblast",
    .name = "winograd F(4x4) by CLBlast",
    .device = GPUS,
    .transforms = true,
    .least_channels = LEAST_CHANNELS,
    .product = &product_clblast,
    .supports = supports,
    .state_bytes = sizeof(struct winograd),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
};
