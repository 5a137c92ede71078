/* tiling.c: where tiles lie; see tiling.h. */
#include "evaluate/tiling.h"

#include "support/error.h"

static int round_up(int value, int unit) {
    return (value + unit - 1) / unit * unit;
}

static int least(int a, int b) {
    return a < b ? a : b;
}
static int most(int a, int b) {
    return a > b ? a : b;
}

static int tiles_along(int side, int core) {
    return (side + core - 1) / core;
}

/* As even as the grid allows. */
static int core_along(int side, int core_px, int unit) {
    int core = most(core_px / unit, 1) * unit;
    return round_up((side + tiles_along(side, core) - 1) / tiles_along(side, core), unit);
}

nst_status tiling_make_band(const struct model *model, struct image_size picture, struct span band, int core_px,
                            struct tiling *tiling, nst_error *error) {
    *tiling = (struct tiling){.picture = picture, .core = picture, .band = band, .rows = 1, .columns = 1};
    if (core_px == 0) {
        return NST_OK;
    }
    struct model_reach reach;
    if (!model_reach(model, &reach)) {
        return fail(error, NST_ERROR_NETWORK,
                    "the network has a kind of layer of which it is not known what it sees: it cannot be run in tiles");
    }
    int stride = reach.stride, unit = round_up(TILING_GRID_PX, stride);
    while (unit % TILING_GRID_PX != 0) { /* strides are powers of two, as a rule */
        unit += stride;
    }
    /* One pixel at least: the total variation of the core looks at its neighbors. */
    tiling->halo = (struct model_reach){.before = round_up(most(reach.before, 1), stride),
                                        .after = round_up(most(reach.after, 1), stride),
                                        .stride = stride};
    tiling->unit = unit;
    tiling->least_region = round_up(model_smallest_side(model), stride);
    int rows = band.end - band.begin;
    if (rows == 0) {
        tiling->rows = 0;
        return NST_OK;
    }
    tiling->core = (struct image_size){core_along(rows, core_px, unit), core_along(picture.width, core_px, unit)};
    tiling->rows = tiles_along(rows, tiling->core.height);
    tiling->columns = tiles_along(picture.width, tiling->core.width);
    return NST_OK;
}

nst_status tiling_make(const struct model *model, struct image_size picture, int core_px, struct tiling *tiling,
                       nst_error *error) {
    return tiling_make_band(model, picture, (struct span){0, picture.height}, core_px, tiling, error);
}

int tiling_count(const struct tiling *tiling) {
    return tiling->rows * tiling->columns;
}

static struct span core_span(int number, int core, struct span band) {
    int begin = band.begin + number * core;
    return (struct span){begin, least(begin + core, band.end)};
}

/* A last core may be so small that its region would be too. */
static struct span region_span(struct span core, const struct tiling *tiling, int side) {
    const struct model_reach *halo = &tiling->halo;
    int end = least(core.end + halo->after, side), begin = core.begin - halo->before;
    if (end - begin < tiling->least_region) {
        begin = core.begin - halo->before - tiling->least_region;
    }
    return (struct span){most(begin, 0), end};
}

static struct rectangle rectangle_of(struct span rows, struct span columns) {
    return (struct rectangle){rows.begin, columns.begin, rows.end - rows.begin, columns.end - columns.begin};
}

struct tile tiling_tile(const struct tiling *tiling, int number) {
    struct span rows = core_span(number / tiling->columns, tiling->core.height, tiling->band);
    struct span columns =
        core_span(number % tiling->columns, tiling->core.width, (struct span){0, tiling->picture.width});
    return (struct tile){.core = rectangle_of(rows, columns),
                         .region = rectangle_of(region_span(rows, tiling, tiling->picture.height),
                                                region_span(columns, tiling, tiling->picture.width))};
}

double tiling_overlap(const struct tiling *tiling) {
    double pixels = 0;
    for (int i = 0; i < tiling_count(tiling); ++i) {
        struct tile tile = tiling_tile(tiling, i);
        pixels += (double)tile.region.height * tile.region.width;
    }
    return pixels / ((double)tiling->picture.height * tiling->picture.width);
}

/* The last core of a line has the rest of the map, which may be shorter than the image would tell. */
static struct span map_span(int begin, int end, int side, int whole, int stride) {
    int last = end == side ? whole : least(end / stride, whole);
    return (struct span){least(begin / stride, last), last};
}

struct tile_map tiling_map(const struct tiling *tiling, const struct tile *tile, const struct model *model, int stage) {
    struct image_size picture = tiling->picture, whole = picture;
    int stride = 1;
    if (stage >= 0) {
        whole = model_map_size(model, stage, picture);
        bool is_all = tile->core.height == picture.height && tile->core.width == picture.width;
        stride = is_all ? 1 : model_stride(model, stage);
    }
    const struct rectangle *core = &tile->core, *region = &tile->region;
    struct span rows = map_span(core->y, core->y + core->height, picture.height, whole.height, stride);
    struct span columns = map_span(core->x, core->x + core->width, picture.width, whole.width, stride);
    struct tile_map map = {
        .core = rectangle_of(rows, columns), .y = region->y / stride, .x = region->x / stride, .whole = whole};
    map.core.y -= map.y;
    map.core.x -= map.x;
    return map;
}
