/* total_variation.cl: how much neighboring pixels differ, and its gradient.
 *
 *     POWER 1: loss = weight * sum |x[i+1] - x[i]|       gradient += weight * (sign(x[i] - x[i-1]) - sign(x[i+1] - x[i]))
 *     POWER 2: loss = weight * sum (x[i+1] - x[i])^2     gradient += 2 weight * ((x[i] - x[i-1]) - (x[i+1] - x[i]))
 * along rows and along columns of each plane of the image, float [3][height][width].
 * partials: one partial sum of the loss per work-group.
 */
#include "common.h"

#ifndef POWER
#define POWER 2
#endif

static float value_of(float difference) {
#if POWER == 1
    return fabs(difference);
#else
    return difference * difference;
#endif
}

static float slope_of(float difference) {
#if POWER == 1
    return sign(difference);
#else
    return 2.0f * difference;
#endif
}

__kernel void total_variation(__global const float *image, __global float *gradient, __global float *partials, int slot,
                              int height, int width, float weight) {
    /* A CPU's element is a line, whose loop the compiler vectorizes; a GPU's is a pixel, so that neighbors load
     * together. */
    int length = LOOPS ? width : 1, pieces = width / length;
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(piece, 3 * height * pieces) {
        int row = piece / pieces, y = row % height, begin = piece % pieces * length;
        __global const float *line = image + (size_t)row * width;
        float piece_sum = 0.0f;
        for (int x = begin; x < begin + length; ++x) {
            float here = line[x];
            float right = x + 1 < width ? line[x + 1] - here : 0.0f;
            float left = x > 0 ? here - line[x - 1] : 0.0f;
            float down = y + 1 < height ? line[width + x] - here : 0.0f;
            float up = y > 0 ? here - line[x - width] : 0.0f;
            piece_sum += value_of(right) + value_of(down);
            gradient[(size_t)row * width + x] +=
                weight * (slope_of(left) + slope_of(up) - slope_of(right) - slope_of(down));
        }
        ADD_TERM(float, sum, lost, piece_sum);
    }
    REDUCE(weight * sum, partials + (size_t)slot * get_num_groups(0));
}
