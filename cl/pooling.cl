/* pooling.cl: 2x2 pooling with stride 2, forward and backward; an odd last row or column is dropped.
 *
 * Forward reads a map of in_height x in_width and writes one of (in_height / 2) x (in_width / 2). A pixel's bit in
 * the mask says whether gradient flows back to it; masks have the layout of ReLU masks (see convolution.h): a ushort
 * for each 4x4 tile and channel, bit 4 * (y % 4) + x % 4.
 *     maximum: pooled = max over the window; bit = 1 for the window's first largest value, above a ReLU only if it is
 *              positive
 *     average: pooled = mean over the window; the backward pass takes the ReLU's own mask
 * Backward: gradient[y][x] = bit ? scale * pooled_gradient[y / 2][x / 2] : 0; scale: maximum 1, average 1/4.
 *
 * One element of the launch is one tile of one channel block.
 */
#include "common.h"
#include "features.h"
#include "window.h"

__kernel IN_GROUPS void pool_maximum(__global const featureB *input, __global featureB *output, __global ushortB *mask,
                                     int blocks, int in_height, int in_width, int above_relu) {
    int tile_rows = (in_height + 3) / 4, tile_columns = (in_width + 3) / 4;
    int out_height = in_height / 2, out_width = in_width / 2;
    FOR_RANGE(i, blocks * tile_rows * tile_columns) {
        int tile_x = i % tile_columns, tile_y = i / tile_columns % tile_rows, block = i / (tile_columns * tile_rows);
        __global const featureB *in = input + (size_t)block * in_height * in_width;
        __global featureB *out = output + (size_t)block * out_height * out_width;
        intB bits = (intB)(0);
        for (int y = 0; y < 4; y += 2) {
            for (int x = 0; x < 4; x += 2) {
                int row = 4 * tile_y + y, column = 4 * tile_x + x;
                if (row + 1 < in_height && column + 1 < in_width) {
                    __global const featureB *window = in + (size_t)row * in_width + column;
                    floatB most = window_maximum(LOAD_FEATURES(window), LOAD_FEATURES(window + 1),
                                                 LOAD_FEATURES(window + in_width), LOAD_FEATURES(window + in_width + 1),
                                                 y, x, above_relu, &bits);
                    store_features(out + (size_t)(row / 2) * out_width + column / 2, most);
                }
            }
        }
        mask[i] = SELECTION_MASK(bits);
    }
}

__kernel IN_GROUPS void pool_average(__global const featureB *input, __global featureB *output, int blocks,
                                     int in_height, int in_width) {
    int out_height = in_height / 2, out_width = in_width / 2;
    FOR_RANGE(i, blocks * out_height * out_width) {
        int x = i % out_width, y = i / out_width % out_height, block = i / (out_width * out_height);
        __global const featureB *window = input + ((size_t)block * in_height + 2 * y) * in_width + 2 * x;
        floatB sum = LOAD_FEATURES(window) + LOAD_FEATURES(window + 1) + LOAD_FEATURES(window + in_width) +
                     LOAD_FEATURES(window + in_width + 1);
        store_features(output + i, 0.25f * sum);
    }
}

#if BLOCK == 1
/* A tile of the gradient of a map whose width is a multiple of 4, row by row: GPUs write whole lines then. */
INLINED void store_gradient_rows(__global const feature *pooled, int bits, __global feature *gradient, int row,
                                 int column, int in_height, int in_width, float scale) {
    pooled += (size_t)(row / 2) * (in_width / 2) + column / 2;
    for (int y = 0; y < 4 && row + y < in_height; y += 2) {
        float left = 0.0f, right = 0.0f;
        if (row + y + 1 < in_height) {
            left = scale * LOAD_FEATURE(pooled);
            right = scale * LOAD_FEATURE(pooled + 1);
        }
        float4 values = (float4)(left, left, right, right);
        for (int half_row = 0; half_row < 2 && row + y + half_row < in_height; ++half_row) {
            int4 alive = ((int4)(bits >> 4 * (y + half_row)) & (int4)(1, 2, 4, 8)) != 0;
            store_four_features((__global feature4 *)(gradient + (size_t)(row + y + half_row) * in_width + column),
                                select((float4)(0.0f), values, alive));
        }
        pooled += in_width / 2;
    }
}
#endif

/* `mask` may be a null pointer where no ReLU lies below average pooling: then everything flows back. */
__kernel IN_GROUPS void pool_backward(__global const featureB *pooled_gradient, __global const ushortB *mask,
                                      __global featureB *gradient, int blocks, int in_height, int in_width,
                                      int has_mask, float scale) {
    int tile_rows = (in_height + 3) / 4, tile_columns = (in_width + 3) / 4;
    int out_height = in_height / 2, out_width = in_width / 2;
    FOR_RANGE(i, blocks * tile_rows * tile_columns) {
        int tile_x = i % tile_columns, tile_y = i / tile_columns % tile_rows, block = i / (tile_columns * tile_rows);
        __global const featureB *pooled = pooled_gradient + (size_t)block * out_height * out_width;
        __global featureB *out = gradient + (size_t)block * in_height * in_width;
        intB bits = has_mask ? CONVERT_INT(mask[i]) : (intB)(0xffff);
#if BLOCK == 1
        if (in_width % 4 == 0) {
            store_gradient_rows(pooled, bits, out, 4 * tile_y, 4 * tile_x, in_height, in_width, scale);
            continue;
        }
#endif
        for (int y = 0; y < 4; ++y) {
            int row = 4 * tile_y + y;
            for (int x = 0; x < 4; ++x) {
                int column = 4 * tile_x + x;
                if (row < in_height && column < in_width) {
                    bool pooled_exists = row / 2 < out_height && column / 2 < out_width;
                    floatB value = (floatB)(0.0f);
                    if (pooled_exists) {
                        value = scale * LOAD_FEATURES(pooled + (size_t)(row / 2) * out_width + column / 2);
                    }
                    intB alive = LANES((bits & (1 << (4 * y + x))) != 0);
                    store_features(out + (size_t)row * in_width + column, select((floatB)(0.0f), value, alive));
                }
            }
        }
    }
}
