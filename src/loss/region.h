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

/* Weights of positions on the device. */
struct region_weights {
    int entry; /* of the plan; -1: never weighted */
    bool is_weighted;
    double total; /* of the weights, where they are */
};

/* Adds an entry for so many positions, if there are any. Steps as in plan_add. */
void region_weights_reserve(struct region_weights *weights, struct plan *plan, int positions, int first_step,
                            int last_step, const char *what);

/* Fills in the weights of a grid over the region, if it has any, and waits then. Errors:
 * NST_ERROR_ARGUMENT (weights without an entry), NST_ERROR_MEMORY, NST_ERROR_OPENCL. */
nst_status region_weights_set(nst_context *context, const struct plan *plan, const struct region *region,
                              struct image_size grid, struct region_weights *weights, nst_error *error);

/* float [rows][columns], or NULL where all count 1. */
cl_mem region_weights_buffer(const struct region_weights *weights, const struct plan *plan);

/* How many positions of the map count: the sum of the weights, or all. */
double region_positions(const struct region_weights *weights, const struct feature_map *map);

/* A copy of a map in which each position is multiplied by its weight, or by the root of it: products of the latter with
 * itself are weighted sums. Enqueues. */
enum region_power { REGION_WEIGHTS, REGION_ROOTS };
nst_status region_weigh(nst_context *context, cl_kernel weigh, const struct feature_map *map, cl_mem weights,
                        enum region_power power, cl_mem copy, nst_error *error);

/* The kernel of that name of cl/region.cl, for maps of floats or of bfloat16. */
nst_status region_kernel_create(nst_context *context, bool half_maps, const char *name, cl_kernel *kernel,
                                nst_error *error);

#endif
