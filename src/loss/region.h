/* region.h: where a loss counts. A region is a weight for each pixel of an image: alpha and masks are where weights come
 * from. Losses need them for the positions of their maps, averaged over the pixels that a position stands for. */
#ifndef LOSS_REGION_H
#define LOSS_REGION_H

#include "device/plan.h"
#include "network/feature_map.h"

struct region {
    struct image_size image;
    const float *weights; /* 0..1, [height][width] on the host; NULL: 1 everywhere */
};

/* The weights of the positions of a grid over the region's image, [rows][columns]: each the mean over its pixels, one at
 * least. Returns their sum. */
double region_average(const struct region *region, struct image_size grid, float *averages);

/* The same from malloc, or NULL where the region has no weights. Errors: NST_ERROR_MEMORY. */
nst_status region_averages(const struct region *region, struct image_size grid, float **averages, nst_error *error);

/* How much of its pixels counts, 0..1: the mean of the weights. */
double region_part(const struct region *region);

/* Which part of a map is there. */
struct loss_tile {
    struct rectangle core; /* in the map of the tile: what belongs to this tile; may be empty */
    int y, x;              /* of the map's first pixel, in the map of the whole image */
    struct image_size whole;
    bool is_first, is_last; /* in this pass over all tiles */
};

/* Weights of positions on the device; of maps that come in tiles those of the tile in hand, and of the whole on the host.
 */
struct region_weights {
    int entry; /* of the plan; -1: never weighted */
    bool is_weighted;
    double total; /* of the weights of the whole map, where they are */
    bool in_tiles;
    float *whole, *tile; /* in tiles, from malloc; NULL until they are needed */
};

/* Adds an entry for so many positions, if there are any. Steps as in plan_add. In tiles, positions are the most of a
 * tile. */
void region_weights_reserve(struct region_weights *weights, struct plan *plan, int positions, int first_step,
                            int last_step, const char *what);
void region_weights_free(struct region_weights *weights);

/* Fills in the weights of a grid over the region, if it has any, and waits then. Errors:
 * NST_ERROR_ARGUMENT (weights without an entry), NST_ERROR_MEMORY, NST_ERROR_OPENCL. */
nst_status region_weights_set(nst_context *context, const struct plan *plan, const struct region *region,
                              struct image_size grid, struct region_weights *weights, nst_error *error);

/* Before the weights are used on a map: of a tile, puts those of its core there, zeros around it, and waits then; `size` is
 * that of its map. Nothing is done where `tile` is NULL. */
nst_status region_weights_show(nst_context *context, const struct plan *plan, const struct loss_tile *tile,
                               struct image_size size, struct region_weights *weights, nst_error *error);

/* float [rows][columns], or NULL where all count 1. */
cl_mem region_weights_buffer(const struct region_weights *weights, const struct plan *plan);

/* How many positions of a whole map of that size count: the sum of the weights, or all. */
double region_positions(const struct region_weights *weights, struct image_size map);

/* A copy of a map in which each position is multiplied by its weight, or by the root of it: products of the latter with
 * itself are weighted sums. Enqueues. */
enum region_power { REGION_WEIGHTS, REGION_ROOTS };
nst_status region_weigh(nst_context *context, cl_kernel weigh, const struct feature_map *map, cl_mem weights,
                        enum region_power power, cl_mem copy, nst_error *error);

/* The kernel of that name of cl/region.cl, for maps of floats or of bfloat16. */
nst_status region_kernel_create(nst_context *context, bool half_maps, const char *name, cl_kernel *kernel,
                                nst_error *error);

#endif
