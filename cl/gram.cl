/* gram.cl: Gram matrices G = F F^T of a feature map F, channels x pixels, and what the style loss makes of them.
 *
 * Matrices are dense, float [channels][channels], of the real channels.
 *
 * gram_partial (CPUs): each work-item adds up the products of its own range of pixels into its own matrix,
 * [channels][channels] with channels padded to whole blocks. It takes `chunk` pixels at a time, few enough for their
 * features to stay in its cache, and within a chunk computes tiles of ROWS channels x COLUMNS blocks of channels in
 * registers: lanes are columns, rows are broadcast. G is symmetric: tiles below the diagonal (in units of COLUMNS
 * blocks) are left out.
 */
#include "common.h"

#ifdef COLUMNS
#define SPAN (COLUMNS * BLOCK) /* channels of one tile's columns */

__kernel void gram_partial(__global const floatB *map, __global floatB *partials, int channels, int pixels, int chunk) {
    int item = get_global_id(0), items = get_global_size(0), blocks = (channels + BLOCK - 1) / BLOCK;
    int begin = (int)((long)pixels * item / items), end = (int)((long)pixels * (item + 1) / items);
    __global floatB *matrix = partials + (size_t)item * blocks * BLOCK * blocks;
    for (int i = 0; i < blocks * BLOCK * blocks; ++i) {
        matrix[i] = (floatB)(0.0f);
    }
    for (int start = begin; start < end; start += chunk) {
        int count = min(chunk, end - start);
        for (int row = 0; row < blocks * BLOCK; row += ROWS) {
            __global const float *rows =
                (__global const float *)(map + (size_t)(row / BLOCK) * pixels + start) + row % BLOCK;
            for (int block = row / SPAN * COLUMNS; block < blocks; block += COLUMNS) {
                __global const floatB *columns = map + (size_t)block * pixels + start;
                floatB sums[ROWS][COLUMNS];
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
#pragma unroll
                    for (int c = 0; c < COLUMNS; ++c) {
                        sums[r][c] = (floatB)(0.0f);
                    }
                }
                for (int p = 0; p < count; ++p) {
#pragma unroll
                    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
                        for (int c = 0; c < COLUMNS; ++c) {
                            sums[r][c] =
                                fma((floatB)(rows[p * BLOCK + r]), columns[(size_t)c * pixels + p], sums[r][c]);
                        }
                    }
                }
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
#pragma unroll
                    for (int c = 0; c < COLUMNS; ++c) {
                        matrix[(row + r) * blocks + block + c] += sums[r][c];
                    }
                }
            }
        }
    }
}

/* G = sum of the work-items' matrices; the tiles that were left out are like those on the other side of the diagonal. */
__kernel void gram_sum(__global const float *partials, __global float *gram, int channels, int items) {
    int padded = (channels + BLOCK - 1) / BLOCK * BLOCK;
    FOR_RANGE(row, channels) {
        int first = row / SPAN * SPAN, next = first + SPAN;
        __global const float *products = partials + row * padded;
        for (int column = first; column < channels; ++column) {
            float sum = 0.0f;
            for (int item = 0; item < items; ++item) {
                sum += products[(size_t)item * padded * padded + column];
            }
            gram[row * channels + column] = sum;
            if (column >= next) {
                gram[column * channels + row] = sum;
            }
        }
    }
}
#endif

/* target += scale * gram */
__kernel void gram_blend(__global const float *gram, __global float *target, int count, float scale) {
    FOR_RANGE(i, count) {
        target[i] += scale * gram[i];
    }
}

/* loss = weight * sum (scale G - A)^2; difference = 4 weight scale (scale G - A): the style gradient is difference *
 * F. */
__kernel void gram_difference(__global const float *gram, __global const float *target, __global float *difference,
                              __global float *partials, int slot, int count, float weight, float scale) {
    floatB sum = (floatB)(0.0f), lost = (floatB)(0.0f);
    FOR_RANGE(i, count / BLOCK) {
        floatB d = scale * ((__global const floatB *)gram)[i] - ((__global const floatB *)target)[i];
        ADD_TERM(floatB, sum, lost, d * d);
        ((__global floatB *)difference)[i] = 4.0f * weight * scale * d;
    }
    float rest = 0.0f;
    for (int i = count / BLOCK * BLOCK; i < count && get_global_id(0) == 0; ++i) {
        float d = scale * gram[i] - target[i];
        rest += d * d;
        difference[i] = 4.0f * weight * scale * d;
    }
    REDUCE(weight * (SUM(sum) + rest), partials + (size_t)slot * get_num_groups(0));
}
