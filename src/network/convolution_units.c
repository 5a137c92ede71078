/* convolution_units.c: direct convolution of maps of 16 bits by matrix units; see cl/convolution_units.cl. Filters are
 * bfloat16, like the maps. */
#include "device/matrix_unit.h"
#include "network/convolution_engine.h"
#include "network/feature_map.h"

#include <stdio.h>

/* Pixels of a wave, and input channels that are in local memory at a time. */
enum { WAVE_PIXELS, DEPTH };
static const struct tuning_parameter parameters[] = {{"pixels", {8, 16, 32, 64}}, {"depth", {16, 32, 64}}, {NULL, {0}}};

/* The waves of a work-group, enough to hide the latency of the memory. Intel's have 8 or 16 lanes; theirs may have no
 * more sums than 4 fragments, or its compiler moves them all to memory. A region has 4 rows of 16 pixels, or more. */
enum { WAVES = 4, NARROW_WAVES = 16, NARROW_LANES = 16, LEAST_REGION = 64, REGION_COLUMNS = 16 };

/* How a shape is divided; see the kernel. */
struct division {
    int fragments_down, waves_down, waves_across, wave_pixels, depth;
    int group_channels, group_pixels;
    size_t group_items;
};

struct units {
    struct division division;
    cl_kernel kernel;
    /* With fewer pixels at a time, for maps of which the regions would not fill the device: made when it is first
     * wanted. */
    struct division small_division;
    cl_kernel small_kernel;
    cl_kernel pack;
};

static bool supports(const struct convolution_engine *engine, const nst_context *context,
                     const struct convolution_shape *shape) {
    (void)engine;
    return context->half_unit && shape->half_maps && (shape->kernel_size == 1 || shape->kernel_size == 3);
}

/* So many sums as the registers hold besides what is being loaded, by what the vendors' compilers report
 * (docs/gpu-kernels.md). */
static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    const struct matrix_unit *unit = context->half_unit;
    bool is_narrow = unit && unit->lanes <= NARROW_LANES, is_wmma = unit && unit->lanes == 32 && unit->columns == 16;
    values[WAVE_PIXELS] = is_narrow ? unit->columns : is_wmma || shape->kernel_size == 1 ? 32 : 64;
    values[DEPTH] = shape->kernel_size == 1 ? 32 : 16;
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

static int larger(int a, int b) {
    return a > b ? a : b;
}

/* Bytes of the local memory that the kernel takes for two patches; the sums that it takes it for later need less than
 * 20 KiB. */
static int patch_bytes(const struct division *division, int kernel_size) {
    int columns = REGION_COLUMNS + kernel_size - 1, rows = division->group_pixels / REGION_COLUMNS + kernel_size - 1;
    return 2 * columns * rows * division->depth * (int)sizeof(cl_ushort);
}

static struct division divide(const nst_context *context, const struct convolution_shape *shape, int wave_pixels,
                              int depth) {
    enum { MOST_LOCAL_BYTES = 32 << 10, MOST_WAVE_CHANNELS = 64, MOST_NARROW_CHANNELS = 32 };
    const struct matrix_unit *unit = context->half_unit;
    bool is_narrow = unit->lanes <= NARROW_LANES;
    int waves = is_narrow ? NARROW_WAVES : WAVES;
    int most_down = (is_narrow ? MOST_NARROW_CHANNELS : MOST_WAVE_CHANNELS) / unit->rows;
    int fragments = ceiling_divide(shape->out_channels, unit->rows);
    struct division division = {.waves_down = fragments <= most_down ? 1 : 2, .depth = depth};
    int panels = ceiling_divide(fragments, most_down * division.waves_down);
    division.fragments_down = ceiling_divide(fragments, panels * division.waves_down);
    division.waves_across = waves / division.waves_down;
    division.wave_pixels = larger(larger(wave_pixels, unit->columns), LEAST_REGION / division.waves_across);
    division.group_pixels = division.wave_pixels * division.waves_across;
    division.group_channels = unit->rows * division.fragments_down * division.waves_down;
    division.group_items = (size_t)(unit->lanes * waves);
    while (division.depth > unit->depth && patch_bytes(&division, shape->kernel_size) > MOST_LOCAL_BYTES) {
        division.depth /= 2;
    }
    return division;
}

static void division_options(const struct convolution *convolution, const struct division *division, char *options,
                             size_t size) {
    char unit[MATRIX_UNIT_OPTIONS_LENGTH];
    const struct matrix_unit *of = convolution->context->half_unit;
    snprintf(options, size,
             "%s -D KERNEL_SIZE=%d -D FRAGMENTS_DOWN=%d -D FRAGMENTS_ACROSS=%d -D WAVES_DOWN=%d -D WAVES_ACROSS=%d "
             "-D DEPTH=%d",
             matrix_unit_options(convolution->context, of, unit), convolution->shape.kernel_size,
             division->fragments_down, division->wave_pixels / of->columns, division->waves_down,
             division->waves_across, division->depth);
}

static nst_status create_kernel(const struct convolution *convolution, const struct division *division,
                                cl_kernel *kernel, nst_error *error) {
    char options[320];
    division_options(convolution, division, options, sizeof options);
    return convolution_kernel(convolution, "convolution_units.cl", options, "convolution_units", kernel, error);
}

/* ---- Weights ----------------------------------------------------------------------------------------------------- */

/* Fragments of all filters, with those that do not exist. */
static int count_fragments(const struct convolution *convolution) {
    const struct units *units = convolution->state;
    const struct matrix_unit *unit = convolution->context->half_unit;
    int depth = units->division.depth;
    return convolution_panels(convolution) * (convolution->panel_width / unit->rows) * convolution->taps *
           ceiling_divide(convolution->shape.in_channels, depth) * (depth / unit->depth);
}

/* From floats on the device; filters [out][in][taps], or for 1x1 a matrix [in][out]. */
static nst_status pack(struct convolution *convolution, cl_mem filters, bool is_matrix, nst_error *error) {
    const struct units *units = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    int fragments = count_fragments(convolution), in = shape->in_channels, out = shape->out_channels;
    size_t lanes = (size_t)fragments * (size_t)convolution->context->half_unit->a_lanes;
    return kernel_run(convolution->context, units->pack, work_range(convolution->context, lanes),
                      ARGUMENTS(arg_buffer(filters), arg_buffer(convolution->weights), arg_int(in), arg_int(out),
                                arg_int(is_matrix ? 1 : in * convolution->taps),
                                arg_int(is_matrix ? out : convolution->taps), arg_int(fragments)),
                      error);
}

static nst_status set_weights(struct convolution *convolution, cl_mem matrix, nst_error *error) {
    return pack(convolution, matrix, true, error);
}

static nst_status upload_weights(struct convolution *convolution, const float *filters, nst_error *error) {
    nst_context *context = convolution->context;
    const struct matrix_unit *unit = context->half_unit;
    const struct convolution_shape *shape = &convolution->shape;
    size_t count = (size_t)shape->out_channels * (size_t)shape->in_channels * (size_t)convolution->taps;
    cl_mem unpacked = NULL;
    convolution->weight_bytes =
        (uint64_t)count_fragments(convolution) * (uint64_t)(unit->rows * unit->depth) * sizeof(cl_ushort);
    nst_status status =
        buffer_create(context, convolution->weight_bytes, "weights of a convolution", &convolution->weights, error);
    if (status || !filters) {
        return status;
    }
    status = buffer_create(context, count * sizeof *filters, "filters of a convolution", &unpacked, error);
    status = status ? status : buffer_write(context, unpacked, 0, filters, count * sizeof *filters, error);
    status = status ? status : pack(convolution, unpacked, false, error);
    buffer_release(context, &unpacked);
    return status;
}

/* ---- The engine -------------------------------------------------------------------------------------------------- */

static nst_status create(struct convolution *convolution, const float *weights, nst_error *error) {
    struct units *units = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    const int *values = convolution->parameters;
    char options[320];
    units->division = divide(convolution->context, shape, values[WAVE_PIXELS], values[DEPTH]);
    units->small_division = divide(convolution->context, shape, values[WAVE_PIXELS] / 2, units->division.depth);
    convolution->panel_width = units->division.group_channels;
    convolution->taps = shape->kernel_size * shape->kernel_size;
    nst_status status = create_kernel(convolution, &units->division, &units->kernel, error);
    if (!status) {
        division_options(convolution, &units->division, options, sizeof options);
        status =
            convolution_kernel(convolution, "convolution_units.cl", options, "pack_unit_weights", &units->pack, error);
    }
    return status ? status : upload_weights(convolution, weights, error);
}

static void release(struct convolution *convolution) {
    struct units *units = convolution->state;
    kernel_release(&units->kernel);
    kernel_release(&units->small_kernel);
    kernel_release(&units->pack);
}

static int count_regions(const struct division *division, int out_height, int out_width) {
    return ceiling_divide(out_height, division->group_pixels / REGION_COLUMNS) *
           ceiling_divide(out_width, REGION_COLUMNS);
}

static nst_status run(struct convolution *convolution, const struct convolution_call *call, nst_error *error) {
    struct units *units = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width, panels = convolution_panels(convolution);
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    bool is_small = count_regions(&units->division, out_height, out_width) * panels < 2 * convolution->work_items;
    const struct division *division = is_small ? &units->small_division : &units->division;
    cl_kernel *kernel = is_small ? &units->small_kernel : &units->kernel;
    nst_status status = *kernel ? NST_OK : create_kernel(convolution, division, kernel, error);
    int regions = count_regions(division, out_height, out_width);
    double region_flop = 2.0 * convolution->taps * shape->in_channels * division->group_pixels *
                         division->group_channels * (double)panels;
    int most = convolution_dispatch_units(convolution, region_flop, 1);
    for (int first = 0; !status && first < regions; first += most) {
        size_t count = (size_t)smaller(most, regions - first);
        struct work_size size = {2, {count * division->group_items, (size_t)panels, 1}, {division->group_items, 1, 1}};
        status = kernel_run(convolution->context, *kernel, size,
                            ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_buffer(call->mask),
                                      arg_buffer(convolution->weights), arg_buffer(convolution->bias),
                                      arg_int(shape->in_channels), arg_int(shape->out_channels), arg_int(call->height),
                                      arg_int(call->width), arg_int(shape->padding), arg_int(shape->padding_mode),
                                      arg_int(first)),
                            error);
    }
    return status;
}

/* With fewer channels on either side, most of a fragment would be zeros. */
enum { LEAST_CHANNELS = 12 };

const struct convolution_engine convolution_units = {
    .word = "units",
    .name = "direct, matrix units",
    .device = GPUS,
    .rounds_weights = true,
    .least_channels = LEAST_CHANNELS,
    .supports = supports,
    .state_bytes = sizeof(struct units),
    .create = create,
    .release = release,
    .run = run,
    .set_weights = set_weights,
    .parameters = parameters,
    .set_defaults = set_defaults,
};
