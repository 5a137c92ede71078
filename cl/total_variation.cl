/* total_variation.cl: how much neighboring pixels differ, and its gradient.
 *
 *     POWER 1: loss = weight * sum |x[i+1] - x[i]|     gradient += weight * (sign(x[i] - x[i-1]) - sign(x[i+1] - x[i]))
 *     POWER 2: loss = weight * sum (x[i+1] - x[i])^2     gradient += 2 weight * ((x[i] - x[i-1]) - (x[i+1] - x[i]))
 * along rows and along columns of each plane of the image, float [3][height][width].
 * partials: one partial sum of the loss per work-group.
 * core: the rectangle (y, x, height, width) of the image whose pixels count, each with its differences from the next
 * ones; where it is not all, the image must show their neighbors.
 */
#include "common.h"

#ifndef POWER
#define POWER 2
#endif

#if POWER == 1
#define VALUE(difference) fabs(difference)
#define SLOPE(difference) sign(difference)
#else
#define VALUE(difference) ((difference) * (difference))
#define SLOPE(difference) (2.0f * (difference))
#endif

/* A CPU takes as many pixels at a time as its vectors have lanes. */
#if BLOCK == 4
#define LOAD(address)          vload4(0, address)
#define STORE(values, address) vstore4(values, 0, address)
#elif BLOCK == 8
#define LOAD(address)          vload8(0, address)
#define STORE(values, address) vstore8(values, 0, address)
#elif BLOCK == 16
#define LOAD(address)          vload16(0, address)
#define STORE(values, address) vstore16(values, 0, address)
#else
#define LOAD(address)          (*(address))
#define STORE(values, address) (*(address) = (values))
#endif

/* What pixel x of a row adds to the sum; `up` and `down` lead to its neighbors in other rows, or to itself. */
static float add_pixel(__global const float *line, __global float *gradient, int x, int width, int up, int down,
                       float weight) {
    float here = line[x], left = here - line[max(x - 1, 0)], right = line[min(x + 1, width - 1)] - here;
    float above = here - line[x + up], below = line[x + down] - here;
    gradient[x] += weight * (SLOPE(left) + SLOPE(above) - SLOPE(right) - SLOPE(below));
    return VALUE(right) + VALUE(below);
}

/* The same for BLOCK pixels, all of them with neighbors in their row. */
static floatB add_pixels(__global const float *line, __global float *gradient, int x, int up, int down, float weight) {
    floatB here = LOAD(line + x), left = here - LOAD(line + x - 1), right = LOAD(line + x + 1) - here;
    floatB above = here - LOAD(line + x + up), below = LOAD(line + x + down) - here;
    STORE(LOAD(gradient + x) + weight * (SLOPE(left) + SLOPE(above) - SLOPE(right) - SLOPE(below)), gradient + x);
    return VALUE(right) + VALUE(below);
}

__kernel IN_GROUPS void total_variation(__global const float *image, __global float *gradient, __global float *partials,
                                        int slot, int height, int width, int4 core, float weight) {
    /* A CPU's element is a row; a GPU's is a pixel, so that neighbors load together. */
    int pieces = LOOPS ? 1 : core.w;
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(piece, 3 * core.z * pieces) {
        int row = piece / pieces, y = core.x + row % core.z, x = core.y + piece % pieces;
        int end = LOOPS ? core.y + core.w : x + 1;
        int up = y > 0 ? -width : 0, down = y + 1 < height ? width : 0;
        size_t begin = ((size_t)(row / core.z) * height + y) * width;
        __global const float *line = image + begin;
        __global float *slopes = gradient + begin;
        float piece_sum = add_pixel(line, slopes, x, width, up, down, weight);
        floatB sums = (floatB)(0.0f);
        for (++x; x + BLOCK < end; x += BLOCK) {
            sums += add_pixels(line, slopes, x, up, down, weight);
        }
        for (; x < end; ++x) {
            piece_sum += add_pixel(line, slopes, x, width, up, down, weight);
        }
        ADD_TERM(float, sum, lost, piece_sum + SUM(sums));
    }
    REDUCE(weight * sum, partials + (size_t)slot * get_num_groups(0));
}

/* The loss alone. */
__kernel IN_GROUPS void total_variation_value(__global const float *image, __global float *partials, int slot,
                                              int height, int width, int4 core, float weight) {
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(element, 3 * core.z * core.w) {
        int x = core.y + element % core.w, y = core.x + element / core.w % core.z;
        int i = (element / (core.z * core.w) * height + y) * width + x;
        float right = image[x + 1 < width ? i + 1 : i] - image[i];
        float below = image[y + 1 < height ? i + width : i] - image[i];
        ADD_TERM(float, sum, lost, VALUE(right) + VALUE(below));
    }
    REDUCE(weight * sum, partials + (size_t)slot * get_num_groups(0));
}
