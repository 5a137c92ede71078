/* region.c: weights of positions; see region.h. */
#include "loss/region.h"

#include "support/error.h"

#include <stdlib.h>

/* The pixels that position `i` of `count` stands for: from *first to before *end, one at least. */
static void pixels_of(int i, int count, int side, int *first, int *end) {
    *first = (int)((long long)i * side / count);
    *end = (int)((long long)(i + 1) * side / count);
    *end = *end > *first ? *end : *first + 1;
}

double region_average(const struct region *region, struct image_size grid, float *averages) {
    int height = region->image.height, width = region->image.width;
    double total = 0;
    for (int row = 0; row < grid.height; ++row) {
        int top, bottom;
        pixels_of(row, grid.height, height, &top, &bottom);
        for (int column = 0; column < grid.width; ++column) {
            int left, right;
            double sum = 0;
            pixels_of(column, grid.width, width, &left, &right);
            for (int y = top; y < bottom; ++y) {
                for (int x = left; x < right; ++x) {
                    sum += region->weights ? region->weights[(size_t)y * (size_t)width + (size_t)x] : 1;
                }
            }
            double average = sum / ((double)(bottom - top) * (right - left));
            averages[(size_t)row * (size_t)grid.width + (size_t)column] = (float)average;
            total += average;
        }
    }
    return total;
}

nst_status region_averages(const struct region *region, struct image_size grid, float **averages, nst_error *error) {
    size_t bytes = (size_t)grid.height * (size_t)grid.width * sizeof **averages;
    *averages = region->weights ? malloc(bytes + 1) : NULL;
    if (region->weights && !*averages) {
        return fail_memory(error, bytes, "weights of positions");
    }
    if (*averages) {
        region_average(region, grid, *averages);
    }
    return NST_OK;
}

double region_part(const struct region *region) {
    size_t pixels = (size_t)region->image.height * (size_t)region->image.width;
    double part = 0;
    for (size_t i = 0; region->weights && i < pixels; ++i) {
        part += region->weights[i] / (double)pixels;
    }
    return region->weights ? part : 1;
}

void region_weights_reserve(struct region_weights *weights, struct plan *plan, int positions, int first_step,
                            int last_step, const char *what) {
    *weights = (struct region_weights){.entry = -1, .in_tiles = weights->in_tiles};
    if (positions > 0) {
        weights->entry = plan_add(plan, (uint64_t)positions * sizeof(float), first_step, last_step, "%s", what);
    }
}

void region_weights_free(struct region_weights *weights) {
    free(weights->whole);
    free(weights->tile);
    weights->whole = weights->tile = NULL;
}

nst_status region_weights_set(nst_context *context, const struct plan *plan, const struct region *region,
                              struct image_size grid, struct region_weights *weights, nst_error *error) {
    size_t bytes = (size_t)grid.height * (size_t)grid.width * sizeof(float);
    weights->is_weighted = region->weights != NULL;
    if (!region->weights) {
        return NST_OK;
    }
    if (weights->entry < 0) {
        return fail(error, NST_ERROR_ARGUMENT, "a mask or transparency was not planned for");
    }
    float *averages = malloc(bytes);
    if (!averages) {
        return fail_memory(error, bytes, "weights of positions");
    }
    weights->total = region_average(region, grid, averages);
    if (weights->in_tiles) {
        free(weights->whole);
        weights->whole = averages;
        return NST_OK;
    }
    nst_status status = buffer_write(context, plan_buffer(plan, weights->entry), 0, averages, bytes, error);
    free(averages);
    return status;
}

nst_status region_weights_show(nst_context *context, const struct plan *plan, const struct loss_tile *tile,
                               struct image_size size, struct region_weights *weights, nst_error *error) {
    if (!tile || !weights->is_weighted) {
        return NST_OK;
    }
    size_t width = (size_t)size.width, count = width * (size_t)size.height;
    free(weights->tile);
    weights->tile = calloc(count, sizeof *weights->tile);
    if (!weights->tile) {
        return fail_memory(error, count * sizeof *weights->tile, "weights of positions");
    }
    const struct rectangle *core = &tile->core;
    for (int y = core->y; y < core->y + core->height; ++y) {
        const float *row = weights->whole + (size_t)(tile->y + y) * (size_t)tile->whole.width + (size_t)tile->x;
        for (int x = core->x; x < core->x + core->width; ++x) {
            weights->tile[(size_t)y * width + (size_t)x] = row[x];
        }
    }
    return buffer_write(context, plan_buffer(plan, weights->entry), 0, weights->tile, count * sizeof *weights->tile,
                        error);
}

cl_mem region_weights_buffer(const struct region_weights *weights, const struct plan *plan) {
    return weights->is_weighted ? plan_buffer(plan, weights->entry) : NULL;
}

double region_positions(const struct region_weights *weights, struct image_size map) {
    return weights->is_weighted ? weights->total : (double)map.height * map.width;
}

nst_status region_weigh(nst_context *context, cl_kernel weigh, const struct feature_map *map, cl_mem weights,
                        enum region_power power, cl_mem copy, nst_error *error) {
    int vectors = feature_map_vectors(context, map);
    return kernel_run(context, weigh, work_range(context, (size_t)vectors),
                      ARGUMENTS(arg_buffer(map->values), arg_buffer(weights), arg_buffer(copy),
                                arg_int(map->height * map->width), arg_int(vectors), arg_int(power == REGION_ROOTS)),
                      error);
}

nst_status region_kernel_create(nst_context *context, bool half_maps, const char *name, cl_kernel *kernel,
                                nst_error *error) {
    return kernel_create(context, "region.cl", feature_map_option(half_maps), name, kernel, error);
}
