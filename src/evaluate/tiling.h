/* tiling.h: a picture divided into tiles that go through the network one at a time, with the result of the whole.
 *
 * Each pixel, and each feature at a layer with a loss, belongs to the core of exactly one tile. A tile's region is its core
 * and a halo around it, as wide as what the features of the core see of the image, but no wider than the picture: so
 * borders of the picture are borders of the region, where layers pad as they do for the whole, and what layers pad at other
 * borders of a region stays in the halo. The losses act on the core alone, and the gradients of the regions are added: each
 * feature's gradient flows back through what it sees, which lies in the region.
 *
 * Regions begin at multiples of the network's stride, so that poolings fall alike; cores begin at multiples of 64 pixels.
 *
 * A band of the picture's rows can be divided alone: several devices share a picture by bands (evaluate/team.h).
 */
#ifndef EVALUATE_TILING_H
#define EVALUATE_TILING_H

#include "network/model.h"

enum { TILING_GRID_PX = 64, TILING_LEAST_CORE_PX = 256 };

/* A part of a line, up to what lies behind its end. */
struct span {
    int begin, end;
};

struct tiling {
    struct image_size picture,
        core;                /* core: of all tiles but the last ones of rows and columns, which may be smaller */
    struct model_reach halo; /* in whole strides */
    struct span band;        /* what is divided; all rows, unless tiling_make_band was asked for others */
    int unit;                /* cores and bands begin at multiples of so many pixels */
    int least_region;        /* side of a region, which the network takes; a multiple of its stride */
    int rows, columns;
};

struct tile {
    struct rectangle core, region;
};

/* For cores of up to core_px on each side; 0: one tile, the whole picture. Errors: NST_ERROR_NETWORK (a kind of layer that
 * does not say what it sees). */
nst_status tiling_make(const struct model *model, struct image_size picture, int core_px, struct tiling *tiling,
                       nst_error *error);
/* The same of a band of the picture that begins at a multiple of the tiling's unit, and ends at one or with the picture; an
 * empty one has no tiles. */
nst_status tiling_make_band(const struct model *model, struct image_size picture, struct span band, int core_px,
                            struct tiling *tiling, nst_error *error);

int tiling_count(const struct tiling *tiling);
/* The tiles of a row lie one after another. */
struct tile tiling_tile(const struct tiling *tiling, int number);

/* How many times the pixels of the picture all regions have together. */
double tiling_overlap(const struct tiling *tiling);

/* The core of a tile in the map of a stage, and where that map lies in the whole one. */
struct tile_map {
    struct rectangle core; /* in the map of the tile; may be empty */
    int y, x;              /* of its first element, in the whole map */
    struct image_size whole;
};
struct tile_map tiling_map(const struct tiling *tiling, const struct tile *tile, const struct model *model, int stage);

#endif
