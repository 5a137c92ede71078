/* content.cl: squared difference of two feature maps.
 *
 *     loss = weight * sum (F - P)^2        gradient += F > 0 ? 2 weight (F - P) : 0
 * but if `replaces`, `gradient` is the map itself, and becomes what elsewhere is added.
 * F > 0 is the mask of the ReLU whose output F is. Unused channels are zero in both maps.
 * partials: one partial sum of the loss per work-group. `count` is in vectors.
 */
#include "common.h"
#include "features.h"

__kernel IN_GROUPS void content_loss(__global const featureB *map, __global const featureB *target,
                                     __global featureB *gradient, __global float *partials, int slot, int count,
                                     float weight, int replaces) {
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    FOR_RANGE(i, count) {
        floatB value = LOAD_FEATURES(map + i), difference = value - LOAD_FEATURES(target + i);
        ADD_TERM(floatB, sum, lost, difference * difference);
        floatB added = select((floatB)(0.0f), 2.0f * weight * difference, LANES(value > 0.0f));
        store_features(gradient + i, replaces ? added : LOAD_FEATURES(gradient + i) + added);
    }
    REDUCE(weight * SUM(sum), partials + (size_t)slot * get_num_groups(0));
}

/* The loss alone. */
__kernel IN_GROUPS void content_value(__global const featureB *map, __global const featureB *target,
                                      __global float *partials, int slot, int count, float weight) {
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    FOR_RANGE(i, count) {
        floatB difference = LOAD_FEATURES(map + i) - LOAD_FEATURES(target + i);
        ADD_TERM(floatB, sum, lost, difference * difference);
    }
    REDUCE(weight * SUM(sum), partials + (size_t)slot * get_num_groups(0));
}

__kernel IN_GROUPS void sum_of_squares(__global const featureB *map, __global float *partials, int slot, int count) {
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    FOR_RANGE(i, count) {
        floatB value = LOAD_FEATURES(map + i);
        ADD_TERM(floatB, sum, lost, value * value);
    }
    REDUCE(SUM(sum), partials + (size_t)slot * get_num_groups(0));
}
