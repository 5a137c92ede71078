/* gram_tiles.c: divides the Gram matrix over work-groups of cl/gram_tiles.cl; see gram_tiles.h. */
#include "loss/gram_tiles.h"

#include "network/convolution.h"

enum {
    TILE = 64, /* channels along a side of a tile, as in the kernel */
    SIDE = 8,  /* work-items there */
    /* Work-groups wanted for each compute unit: as many as their registers and local memory let run at once. */
    GROUPS_PER_UNIT = 8,
    LEAST_RANGE = 256, /* pixels: fewer make too many partial matrices of too little work */
    SUM_PARTS = 8,     /* work-items that add up an element of the matrix, as in the kernel */
};

static int tiles_along(int channels) {
    return (channels + TILE - 1) / TILE;
}
static int tile_count(int channels) {
    return tiles_along(channels) * (tiles_along(channels) + 1) / 2;
}

/* CLBlast's product has one work-group for each 64x64 (or larger) tile of the result, whatever the number of pixels:
 * one for 64 channels, 64 for 512. While these do not fill the device several times over, it idles; and when they do,
 * it still computes both halves of a symmetric matrix. So CLBlast is left with matrices that give each compute unit 16
 * tiles, where its tuned kernel may make up for that. */
bool gram_tiles_suits(const nst_context *context, int channels) {
    return tiles_along(channels) * tiles_along(channels) < 2 * GROUPS_PER_UNIT * context->work_items;
}

nst_status gram_tiles_create(nst_context *context, bool half_maps, int channels, struct gram_tiles *tiles,
                             nst_error *error) {
    const char *option = feature_map_option(half_maps);
    *tiles = (struct gram_tiles){.channels = channels};
    nst_status status = kernel_create(context, "gram_tiles.cl", option, "gram_tiles", &tiles->product, error);
    return status ? status : kernel_create(context, "gram_tiles.cl", option, "gram_tiles_sum", &tiles->sum, error);
}

void gram_tiles_release(struct gram_tiles *tiles) {
    kernel_release(&tiles->product);
    kernel_release(&tiles->sum);
}

/* How the pixels are divided: `count` ranges of `pixels` each, `at_once` of them in one dispatch; and how many ranges
 * this map or a smaller one may have. */
struct ranges {
    int pixels, count, at_once, most;
};

/* The work-groups of a dispatch fill the device once, and its work is bounded. */
static struct ranges divide_pixels(const nst_context *context, const struct gram_tiles *tiles, int pixels) {
    int count = tile_count(tiles->channels), groups = GROUPS_PER_UNIT * context->work_items;
    double flop = 2.0 * TILE * TILE * count * (double)pixels;
    long long at_once = (groups + count - 1) / count, all = at_once * (1 + (long long)(flop / context->dispatch_flop));
    long long range = (pixels + all - 1) / all;
    struct ranges ranges = {.pixels = range < LEAST_RANGE ? LEAST_RANGE : (int)range, .at_once = (int)at_once};
    ranges.count = (pixels + ranges.pixels - 1) / ranges.pixels;
    ranges.most = (pixels + LEAST_RANGE - 1) / LEAST_RANGE;
    ranges.most = ranges.most < all ? ranges.most : (int)all;
    return ranges;
}

uint64_t gram_tiles_bytes(const nst_context *context, const struct gram_tiles *tiles, int pixels) {
    return (uint64_t)divide_pixels(context, tiles, pixels).most * (uint64_t)tile_count(tiles->channels) * TILE * TILE *
           sizeof(float);
}

nst_status gram_tiles_run(nst_context *context, const struct gram_tiles *tiles, cl_mem map, int pixels, cl_mem partials,
                          cl_mem gram, nst_error *error) {
    struct ranges ranges = divide_pixels(context, tiles, pixels);
    size_t columns = (size_t)tile_count(tiles->channels) * SIDE;
    for (int first = 0; first < ranges.count; first += ranges.at_once) {
        int rest = ranges.count - first, rows = rest < ranges.at_once ? rest : ranges.at_once;
        struct work_size size = {2, {columns, (size_t)rows * SIDE, 1}, {SIDE, SIDE, 1}};
        nst_status status = kernel_run(context, tiles->product, size,
                                       ARGUMENTS(arg_buffer(map), arg_buffer(partials), arg_int(tiles->channels),
                                                 arg_int(pixels), arg_int(ranges.pixels), arg_int(first)),
                                       error);
        if (status) {
            return status;
        }
    }
    return kernel_run(
        context, tiles->sum, work_range(context, SUM_PARTS * (size_t)tiles->channels * (size_t)tiles->channels),
        ARGUMENTS(arg_buffer(partials), arg_buffer(gram), arg_int(tiles->channels), arg_int(ranges.count)), error);
}
