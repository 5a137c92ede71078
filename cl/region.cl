/* region.cl: losses on maps whose positions do not all count alike (loss/region.h).
 *
 * weights: float [pixels], how much each position of the map counts, 0..1. Maps are [blocks][pixels][BLOCK], their count
 * is in vectors; masks as in convolution.h.
 */
#include "common.h"
#include "features.h"

/* copy = map * weight, or * its root: the product of such a copy with itself is a weighted sum of products. */
__kernel IN_GROUPS void region_weigh(__global const featureB *map, __global const float *weights,
                                     __global featureB *copy, int pixels, int count, int roots) {
    FOR_RANGE(i, count) {
        float weight = weights[i % pixels];
        store_features(copy + i, LOAD_FEATURES(map + i) * (roots ? sqrt(weight) : weight));
    }
}

/* As content.cl, summed over positions times their weights:
 *
 *     loss = factor * sum w (F - P)^2        gradient += F > 0 ? 2 factor w (F - P) : 0
 */
__kernel IN_GROUPS void region_content(__global const featureB *map, __global const featureB *target,
                                       __global const float *weights, __global featureB *gradient,
                                       __global float *partials, int slot, int pixels, int count, float factor,
                                       int replaces) {
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    FOR_RANGE(i, count) {
        float weight = weights[i % pixels];
        floatB value = LOAD_FEATURES(map + i), difference = value - LOAD_FEATURES(target + i);
        ADD_TERM(floatB, sum, lost, weight * difference * difference);
        floatB added = select((floatB)(0.0f), 2.0f * factor * weight * difference, LANES(value > 0.0f));
        store_features(gradient + i, replaces ? added : LOAD_FEATURES(gradient + i) + added);
    }
    REDUCE(factor * SUM(sum), partials + (size_t)slot * get_num_groups(0));
}

/* The loss alone. */
__kernel IN_GROUPS void region_content_value(__global const featureB *map, __global const featureB *target,
                                             __global const float *weights, __global float *partials, int slot,
                                             int pixels, int count, float factor) {
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    FOR_RANGE(i, count) {
        floatB difference = LOAD_FEATURES(map + i) - LOAD_FEATURES(target + i);
        ADD_TERM(floatB, sum, lost, weights[i % pixels] * difference * difference);
    }
    REDUCE(factor * SUM(sum), partials + (size_t)slot * get_num_groups(0));
}

/* The sum of w F^2. */
__kernel IN_GROUPS void region_squares(__global const featureB *map, __global const float *weights,
                                       __global float *partials, int slot, int pixels, int count) {
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    FOR_RANGE(i, count) {
        floatB value = LOAD_FEATURES(map + i);
        ADD_TERM(floatB, sum, lost, weights[i % pixels] * value * value);
    }
    REDUCE(SUM(sum), partials + (size_t)slot * get_num_groups(0));
}

/* mean[c] = sum of w F / total; a work-group for each block. */
__kernel IN_GROUPS void region_mean(__global const featureB *map, __global const float *weights, __global floatB *mean,
                                    int pixels, float total) {
    __local floatB sums[WORK_GROUP];
    int block = get_group_id(0), item = get_local_id(0);
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    for (int p = item; p < pixels; p += WORK_GROUP) {
        ADD_TERM(floatB, sum, lost, weights[p] * LOAD_FEATURES(map + (size_t)block * pixels + p));
    }
    sums[item] = sum;
    for (int half_size = WORK_GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_size) {
            sums[item] += sums[item + half_size];
        }
    }
    if (item == 0) {
        mean[block] = sums[0] / total;
    }
}

/* gradient += mask ? w bias[c] : 0, of a map of that size. `mask` may be a null pointer: then everywhere. */
__kernel IN_GROUPS void region_bias(__global const float *weights, __global const floatB *bias,
                                    __global const ushortB *mask, int has_mask, __global featureB *gradient, int blocks,
                                    int height, int width) {
    int tile_rows = (height + 3) / 4, tile_columns = (width + 3) / 4;
    FOR_LINES(line, blocks * height, x, width) {
        int y = line % height, block = line / height;
        __global featureB *target = gradient + (size_t)line * width + x;
        intB bits = (intB)(1 << (4 * (y % 4) + x % 4));
        if (has_mask) {
            bits &= CONVERT_INT(mask[((size_t)block * tile_rows + y / 4) * tile_columns + x / 4]);
        }
        floatB added = select((floatB)(0.0f), weights[y * width + x] * bias[block], LANES(bits != 0));
        store_features(target, LOAD_FEATURES(target) + added);
    }
}
