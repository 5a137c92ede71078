/* content.cl: squared difference of two feature maps.
 *
 *     loss = weight * sum (F - P)^2        gradient += F > 0 ? 2 weight (F - P) : 0
 * F > 0 is the mask of the ReLU whose output F is. Unused channels are zero in both maps.
 * partials: one partial sum of the loss per work-group. `count` is in vectors.
 */
#include "common.h"

/* Long sums lose digits in float: add up this many terms before adding to the sum of sums. */
#define RUN 256

__kernel void content_loss(__global const floatB *map, __global const floatB *target, __global floatB *gradient,
                           __global float *partials, int slot, int count, float weight) {
    floatB sum = (floatB)(0.0f), run = (floatB)(0.0f);
    int terms = 0;
    FOR_RANGE(i, count) {
        floatB value = map[i], difference = value - target[i];
        run += difference * difference;
        gradient[i] += select((floatB)(0.0f), 2.0f * weight * difference, LANES(value > 0.0f));
        if (++terms == RUN) {
            sum += run;
            run = (floatB)(0.0f);
            terms = 0;
        }
    }
    REDUCE(weight * SUM(sum + run), partials + (size_t)slot * get_num_groups(0));
}

__kernel void sum_of_squares(__global const floatB *map, __global float *partials, int slot, int count) {
    floatB sum = (floatB)(0.0f), run = (floatB)(0.0f);
    int terms = 0;
    FOR_RANGE(i, count) {
        run += map[i] * map[i];
        if (++terms == RUN) {
            sum += run;
            run = (floatB)(0.0f);
            terms = 0;
        }
    }
    REDUCE(SUM(sum + run), partials + (size_t)slot * get_num_groups(0));
}
