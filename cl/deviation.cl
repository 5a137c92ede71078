/* deviation.cl: mean and standard deviation of each channel of a map against those of the styles:
 *
 *     loss = weight * sum over channels of (m - m*)^2 + (s - s*)^2
 *     m = sum of w F / N         s = sqrt(sum of w F^2 / N - m^2 + epsilon)          N = sum of w
 *     gradient += mask ? w (a + b F) : 0
 *     b = 2 weight / N (1 - s* / s)         a = 2 weight / N (m - m*) - b m
 *
 * w are weights of positions, float [pixels], or 1. Statistics are two vectors of channels under each other, floatB
 * [2][blocks]: sums of F and F^2, of the target means of both, of the slope a and b. Maps are [blocks][pixels][BLOCK].
 */
#include "common.h"

#include "features.h"

/* The sums over a map, added to what is there if `adds`; a work-group for each block. */
__kernel IN_GROUPS void deviation_sums(__global const featureB *map, __global const float *weights, int has_weights,
                                       __global floatB *sums, int blocks, int pixels, int adds) {
    __local floatB shared_sums[WORK_GROUP], shared_squares[WORK_GROUP];
    int block = get_group_id(0), item = get_local_id(0);
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f), square = (floatB)(0.0f), square_lost = (floatB)(0.0f);
    for (int p = item; p < pixels; p += WORK_GROUP) {
        floatB value = LOAD_FEATURES(map + (size_t)block * pixels + p);
        float weight = has_weights ? weights[p] : 1.0f;
        ADD_TERM(floatB, sum, lost, weight * value);
        ADD_TERM(floatB, square, square_lost, weight * value * value);
    }
    shared_sums[item] = sum;
    shared_squares[item] = square;
    for (int half_size = WORK_GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_size) {
            shared_sums[item] += shared_sums[item + half_size];
            shared_squares[item] += shared_squares[item + half_size];
        }
    }
    if (item == 0) {
        sums[block] = (adds ? sums[block] : (floatB)(0.0f)) + shared_sums[0];
        sums[blocks + block] = (adds ? sums[blocks + block] : (floatB)(0.0f)) + shared_squares[0];
    }
}

/* target += share * sums */
__kernel IN_GROUPS void deviation_blend(__global const floatB *sums, __global floatB *target, int count, float share) {
    FOR_RANGE(i, count) {
        target[i] += share * sums[i];
    }
}

/* The loss and the slope; scale = 1 / N. Channels that fill up the last block are the same on both sides. */
__kernel IN_GROUPS void deviation_value(__global const floatB *sums, __global const floatB *target,
                                        __global floatB *slope, __global float *partials, int slot, int blocks,
                                        float scale, float weight, float epsilon) {
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(block, blocks) {
        floatB mean = scale * sums[block], target_mean = target[block];
        floatB variance = fma(-mean, mean, scale * sums[blocks + block]);
        floatB target_variance = fma(-target_mean, target_mean, target[blocks + block]);
        floatB deviation = sqrt(fmax(variance, (floatB)(0.0f)) + epsilon);
        floatB target_deviation = sqrt(fmax(target_variance, (floatB)(0.0f)) + epsilon);
        floatB between = mean - target_mean, spread = deviation - target_deviation;
        floatB factor = 2.0f * weight * scale * spread / deviation;
        ADD_TERM(float, sum, lost, weight *SUM(between * between + spread * spread));
        slope[block] = 2.0f * weight * scale * between - factor * mean;
        slope[blocks + block] = factor;
    }
    REDUCE(sum, partials + (size_t)slot * get_num_groups(0));
}

/* `mask` may be a null pointer: then everything flows back. */
__kernel IN_GROUPS void deviation_gradient(__global const featureB *map, __global const float *weights, int has_weights,
                                           __global const floatB *slope, __global const ushortB *mask, int has_mask,
                                           __global featureB *gradient, int blocks, int height, int width) {
    const int tile_rows = (height + 3) / 4, tile_columns = (width + 3) / 4;
    FOR_LINES(line, blocks * height, x, width) {
        int y = line % height, block = line / height;
        size_t i = (size_t)line * width + x;
        float weight = has_weights ? weights[y * width + x] : 1.0f;
        intB bits = (intB)(1 << (4 * (y % 4) + x % 4));
        if (has_mask) {
            bits &= CONVERT_INT(mask[((size_t)block * tile_rows + y / 4) * tile_columns + x / 4]);
        }
        floatB added = weight * (slope[block] + slope[blocks + block] * LOAD_FEATURES(map + i));
        store_features(gradient + i, LOAD_FEATURES(gradient + i) + select((floatB)(0.0f), added, LANES(bits != 0)));
    }
}
