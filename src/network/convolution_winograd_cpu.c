/* convolution_winograd_cpu.c: Winograd F(4x4, 3x3), fused, on CPUs: prepares the filters and divides the work. See
 * cl/convolution_winograd_cpu.cl, also for the order of U. */
#include "network/convolution_engine.h"

#include <stdio.h>

enum { SLICES = WINOGRAD_SLICES, VECTORS = 2 };

static const char kernel_file[] = "convolution_winograd_cpu.cl";

/* Tiles whose products are summed up in registers at once; vectors of output channels for which M is kept; and how many
 * times as many tiles are transformed at once. */
enum { TILES, PANEL, ROUNDS };
static const struct tuning_parameter parameters[] = {
    {"tiles", {4, 6, 8, 12}}, {"panel", {2, 4, 8}}, {"rounds", {1, 2, 4, 8, 16}}, {NULL, {0}}};

struct winograd {
    cl_kernel kernel;
};

/* 4x4 tiles that a work-item transforms at once. */
static int tiles_per_round(const struct convolution *convolution) {
    return convolution->parameters[ROUNDS] * convolution->parameters[TILES];
}

/* Whether a work-item transforms the filters whenever it reads them: transformed ones take four times the memory, and
 * where there are many channels, so that there are few pixels, each is read only a few times. */
static bool transforms_filters(const struct convolution_shape *shape) {
    enum { MOST_STORED = 128 * 256 };
    return shape->in_channels * shape->out_channels > MOST_STORED;
}

/* AVX-512 has 32 vector registers, the others are taken to have 16. The more tiles, the fewer times the filters are
 * read and transformed; but V must fit the caches. */
static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    values[TILES] = context->channel_block == 16 ? 8 : 6;
    values[PANEL] = 4;
    values[ROUNDS] = shape->in_channels <= 64 ? 4 : transforms_filters(shape) && shape->in_channels <= 256 ? 16 : 8;
}

static bool supports(const struct convolution_engine *engine, const nst_context *context,
                     const struct convolution_shape *shape) {
    (void)engine, (void)context;
    return shape->kernel_size == 3 && (!shape->unpools || shape->padding == 1);
}

/* Parts of panels: VECTORS vectors of output channels. */
static int parts(const struct convolution *convolution) {
    return (convolution->out_blocks + VECTORS - 1) / VECTORS;
}
static int panels(const struct convolution *convolution) {
    int panel = convolution->parameters[PANEL];
    return (convolution->out_blocks + panel - 1) / panel;
}

/* Replaces the packed filters by transformed ones. */
static nst_status store_transformed(struct convolution *convolution, const char *options, nst_error *error) {
    nst_context *context = convolution->context;
    cl_mem filters = convolution->weights;
    cl_kernel kernel = NULL;
    convolution->weights = NULL;
    size_t count = (size_t)panels(convolution) * (size_t)convolution->parameters[PANEL] * (size_t)convolution->block *
                   SLICES * (size_t)convolution->shape.in_channels;
    nst_status status = convolution_upload_weights(convolution, NULL, count, error);
    if (!status) {
        status = convolution_kernel(convolution, kernel_file, options, "winograd_filters", &kernel, error);
    }
    if (!status) {
        status = kernel_run(context, kernel, work_range(context, 6 * (size_t)parts(convolution)),
                            ARGUMENTS(arg_buffer(filters), arg_buffer(convolution->weights),
                                      arg_int(convolution->shape.in_channels), arg_int(parts(convolution))),
                            error);
    }
    kernel_release(&kernel);
    buffer_release(context, &filters);
    return status;
}

static nst_status create(struct convolution *convolution, const float *weights, nst_error *error) {
    struct winograd *winograd = convolution->state;
    const int *chosen = convolution->parameters;
    convolution->panel_width = VECTORS * convolution->block;
    convolution->taps = 9;
    char options[128];
    snprintf(options, sizeof options, "-D VECTORS=%d -D PANEL=%d -D TILES=%d", VECTORS, chosen[PANEL], chosen[TILES]);
    nst_status status = convolution_pack_weights(convolution, weights, error);
    if (!status && !transforms_filters(&convolution->shape)) {
        status = store_transformed(convolution, options, error);
    }
    return status ? status
                  : convolution_kernel(convolution, kernel_file, options, "convolution_winograd", &winograd->kernel,
                                       error);
}

static void release(struct convolution *convolution) {
    struct winograd *winograd = convolution->state;
    kernel_release(&winograd->kernel);
}

static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    (void)height, (void)width;
    uint64_t vectors =
        SLICES *
        ((uint64_t)tiles_per_round(convolution) * (convolution->in_blocks + convolution->parameters[PANEL]) + 2);
    if (transforms_filters(&convolution->shape)) {
        vectors += 6 * ((uint64_t)convolution->shape.in_channels * VECTORS + 1);
    }
    return convolution->work_items * vectors * convolution->block * sizeof(cl_float);
}

static nst_status run(struct convolution *convolution, const struct convolution_call *call, nst_error *error) {
    const struct winograd *winograd = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width, items = convolution->work_items;
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    int tiles = ((out_height + 3) / 4) * ((out_width + 3) / 4);
    int groups = 1;
    /* Where there is not even one full round of tiles for each work-item, they would read the filters for too few tiles
     * each: then `groups` of them transform the same tiles and share out the panels. */
    while ((long long)tiles * groups < (long long)tiles_per_round(convolution) * items && items % (2 * groups) == 0 &&
           2 * groups <= panels(convolution)) {
        groups *= 2;
    }
    return kernel_run(
        convolution->context, winograd->kernel, work_items(items),
        ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_buffer(call->mask),
                  arg_buffer(call->selection), arg_buffer(convolution->weights), arg_buffer(convolution->bias),
                  arg_buffer(call->scratch), arg_int(shape->in_channels), arg_int(convolution->out_blocks),
                  arg_int(call->height), arg_int(call->width), arg_int(shape->padding), arg_int(shape->padding_mode),
                  arg_int(tiles_per_round(convolution)), arg_int(groups), arg_int(transforms_filters(shape)),
                  arg_int((int)shape->epilogue), arg_int(shape->unpools)),
        error);
}

/* On processors it still wins with 16 to 16 channels (2.5 against 3.6 ms at 512 x 512), and needs half the time from
 * 64 to 24. Filters that are transformed when they are read become floats on the way. Those of few channels, an eighth
 * of all bytes, would do so with every product. */
const struct convolution_engine convolution_winograd_cpu = {
    .word = "winograd",
    .name = "winograd F(4x4)",
    .device = CPUS,
    .pools = true,
    .transforms = true,
    .least_channels = 16,
    .supports = supports,
    .state_bytes = sizeof(struct winograd),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
    .parameters = parameters,
    .set_defaults = set_defaults,
    .takes_halves = transforms_filters,
    .is_told_epilogue = true,
};
