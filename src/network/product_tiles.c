/* product_tiles.c: Gram matrices on GPUs, split along the pixels so that few channels keep the whole device busy; see
 * cl/gram_tiles.cl. Of maps of 16 bits also by matrix units: cl/gram_units.cl. */
#include "device/matrix_unit.h"
#include "network/feature_map.h"
#include "network/product_engine.h"

#include <stdio.h>

enum {
    TILE = 64, /* channels along a side of a tile */
    SIDE = 8,  /* work-items there */
    /* Work-groups wanted for each compute unit: as many as their registers and local memory let run at once. */
    GROUPS_PER_UNIT = 8,
    LEAST_RANGE = 256, /* pixels: fewer make too many partial matrices of too little work */
    SUM_PARTS = 8,     /* work-items that add up an element of the matrix */
    UNIT_WAVES = 4,    /* of a work-group with matrix units */
};

struct tiles {
    cl_kernel product, sum;
};

static int tiles_along(int channels) {
    return (channels + TILE - 1) / TILE;
}
static int tile_count(int channels) {
    return tiles_along(channels) * (tiles_along(channels) + 1) / 2;
}

static bool supports(const nst_context *context, const struct product_shape *shape) {
    return shape->kind == PRODUCT_GRAM && !context->loops_in_kernel && context->channel_block == 1 &&
           context->work_group >= SIDE * SIDE;
}

/* CLBlast's product has one work-group for each 64x64 (or larger) tile of the result, whatever the number of pixels:
 * one for 64 channels, 64 for 512. While these do not fill the device several times over, it idles; and when they do,
 * it still computes both halves of a symmetric matrix. So CLBlast is left with matrices that give each compute unit 16
 * tiles, where its tuned kernel may make up for that. */
static bool suits(const nst_context *context, const struct product_shape *shape) {
    return tiles_along(shape->rows) * tiles_along(shape->rows) < 2 * GROUPS_PER_UNIT * context->work_items;
}

/* Tiles of which Intel's narrow waves would hold too many sums stay with the other kernel. */
static bool supports_units(const nst_context *context, const struct product_shape *shape) {
    enum { LEAST_LANES = 32 };
    const struct matrix_unit *unit = context->half_unit;
    return supports(context, shape) && shape->half_maps && unit && unit->lanes >= LEAST_LANES;
}

static bool has_units(const struct product *product) {
    return product->engine == &product_gram_units;
}

static nst_status create(struct product *product, nst_error *error) {
    struct tiles *tiles = product->state;
    nst_context *context = product->context;
    char unit[MATRIX_UNIT_OPTIONS_LENGTH], options[96 + sizeof unit];
    int length = snprintf(options, sizeof options, "-D TILE=%d -D SIDE=%d -D PARTS=%d %s", TILE, SIDE, SUM_PARTS,
                          feature_map_option(product->shape.half_maps));
    nst_status status = kernel_create(context, "gram_tiles.cl", options, "gram_tiles_sum", &tiles->sum, error);
    if (!status && has_units(product)) {
        snprintf(options + length, sizeof options - (size_t)length, " %s",
                 matrix_unit_options(context, context->half_unit, unit));
        return kernel_create(context, "gram_units.cl", options, "gram_units", &tiles->product, error);
    }
    return status ? status : kernel_create(context, "gram_tiles.cl", options, "gram_tiles", &tiles->product, error);
}

static void release(struct product *product) {
    struct tiles *tiles = product->state;
    kernel_release(&tiles->product);
    kernel_release(&tiles->sum);
}

/* How the pixels are divided: `count` ranges of `pixels` each, `at_once` of them in one dispatch; and how many ranges
 * this map or a smaller one may have. */
struct ranges {
    int pixels, count, at_once, most;
};

/* The work-groups of a dispatch fill the device once, and its work is bounded. */
static struct ranges divide_pixels(const struct product *product, int pixels) {
    const nst_context *context = product->context;
    int count = tile_count(product->shape.rows), groups = GROUPS_PER_UNIT * context->work_items;
    double flop = 2.0 * TILE * TILE * count * (double)pixels;
    long long at_once = (groups + count - 1) / count, all = at_once * (1 + (long long)(flop / context->dispatch_flop));
    long long range = (pixels + all - 1) / all;
    struct ranges ranges = {.pixels = range < LEAST_RANGE ? LEAST_RANGE : (int)range, .at_once = (int)at_once};
    ranges.count = (pixels + ranges.pixels - 1) / ranges.pixels;
    ranges.most = (pixels + LEAST_RANGE - 1) / LEAST_RANGE;
    ranges.most = ranges.most < all ? ranges.most : (int)all;
    return ranges;
}

/* Of the partial matrices. */
static uint64_t scratch_bytes(const struct product *product, int extent) {
    return (uint64_t)divide_pixels(product, extent).most * (uint64_t)tile_count(product->shape.rows) * TILE * TILE *
           sizeof(float);
}

static nst_status run(struct product *product, const struct product_call *call, nst_error *error) {
    const struct tiles *tiles = product->state;
    nst_context *context = product->context;
    int channels = product->shape.rows;
    struct ranges ranges = divide_pixels(product, call->extent);
    size_t items = has_units(product) ? UNIT_WAVES * (size_t)context->half_unit->lanes : SIDE;
    size_t lines = has_units(product) ? 1 : SIDE, columns = (size_t)tile_count(channels) * items;
    for (int first = 0; first < ranges.count; first += ranges.at_once) {
        int rest = ranges.count - first, rows = rest < ranges.at_once ? rest : ranges.at_once;
        struct work_size size = {2, {columns, (size_t)rows * lines, 1}, {items, lines, 1}};
        nst_status status = kernel_run(context, tiles->product, size,
                                       ARGUMENTS(arg_buffer(call->a), arg_buffer(call->scratch), arg_int(channels),
                                                 arg_int(call->extent), arg_int(ranges.pixels), arg_int(first)),
                                       error);
        if (status) {
            return status;
        }
    }
    return kernel_run(
        context, tiles->sum, work_range(context, SUM_PARTS * (size_t)channels * (size_t)channels),
        ARGUMENTS(arg_buffer(call->scratch), arg_buffer(call->c), arg_int(channels), arg_int(ranges.count)), error);
}

const struct product_engine product_tiles = {
    .name = "tiles",
    .needs = "a GPU, and a channel block of 1",
    .supports = supports,
    .suits = suits,
    .state_bytes = sizeof(struct tiles),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
};

const struct product_engine product_gram_units = {
    .name = "tiles-units",
    .needs = "a GPU with matrix units for half precision, and a channel block of 1",
    .supports = supports_units,
    .state_bytes = sizeof(struct tiles),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
};
