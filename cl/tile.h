/* tile.h: 4x4 tiles of planar feature maps, one of them a work-item's business: reading the patch of the input under a
 * tile, and storing a tile of the output with its epilogue. For GPUs (BLOCK is 1). Built with KERNEL_SIZE.
 */
#include "convolution.h"

#ifndef KERNEL_SIZE
#define KERNEL_SIZE 3
#endif
#define PATCH (KERNEL_SIZE + 3) /* side of the input that one tile of the output sees */

struct image {
    int height, width;
};

/* Reads a line of the patch whose first pixel is (y, x), which may lie outside. */
INLINED void load_line(__global const feature *plane, struct image in, int y, int x, int padding_mode,
                       float line[PATCH]) {
    int row = source_index(y, in.height, padding_mode);
    int from = row * in.width;
    bool inside = row >= 0 && x >= 0 && x + PATCH <= in.width;
#pragma unroll
    for (int j = 0; j < PATCH; ++j) {
        int column = inside ? x + j : source_index(x + j, in.width, padding_mode);
        line[j] = row < 0 || column < 0 ? 0.0f : LOAD_FEATURE(plane + from + column);
    }
}

/* Reads the patch whose first pixel is (y, x), which may lie outside. */
INLINED void load_patch(__global const feature *plane, struct image in, int y, int x, int padding_mode,
                        float patch[PATCH][PATCH]) {
    if (y >= 0 && x >= 0 && y + PATCH <= in.height && x + PATCH <= in.width) {
        plane += (size_t)y * in.width + x;
#pragma unroll
        for (int i = 0; i < PATCH; ++i) {
#pragma unroll
            for (int j = 0; j < PATCH; ++j) {
                patch[i][j] = LOAD_FEATURE(plane + i * in.width + j);
            }
        }
        return;
    }
#pragma unroll
    for (int i = 0; i < PATCH; ++i) {
        int row = source_index(y + i, in.height, padding_mode);
#pragma unroll
        for (int j = 0; j < PATCH; ++j) {
            int column = source_index(x + j, in.width, padding_mode);
            patch[i][j] = row < 0 || column < 0 ? 0.0f : LOAD_FEATURE(plane + (size_t)row * in.width + column);
        }
    }
}

/* Four pixels of a row after the epilogue: `sums` have their bias, `bits` is the row's part of the mask, `old` what the
 * output holds. */
INLINED float4 finish_row(float4 sums, int bits, float4 old) {
#if EPILOGUE == EPILOGUE_NONE
    return sums;
#elif EPILOGUE == EPILOGUE_RELU
    return select(sums, (float4)(0.0f), sums < 0.0f);
#else
    float4 kept = select((float4)(0.0f), sums, ((int4)(bits) & (int4)(1, 2, 4, 8)) != 0);
    return EPILOGUE == EPILOGUE_MASK_ADD ? old + kept : kept;
#endif
}

/* Stores the tile whose first pixel is (y, x), from its four rows without bias. `output` is the channel's plane,
 * `mask` the tile's mask. */
INLINED void store_tile(const float4 sums[4], float bias, __global feature *output, __global ushort *mask,
                        struct image out, int y, int x) {
    int columns = min(4, out.width - x);
    bool aligned = out.width % 4 == 0;
    int bits = reads_mask(EPILOGUE) ? *mask : 0, positive = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        if (y + i < out.height) {
            __global feature *row = output + (size_t)(y + i) * out.width + x;
            float4 values = sums[i] + bias, old = (float4)(0.0f);
            if (aligned) {
                if (EPILOGUE == EPILOGUE_MASK_ADD) {
                    old = LOAD_FOUR_FEATURES((__global const feature4 *)row);
                }
                values = finish_row(values, bits >> (4 * i), old);
                store_four_features((__global feature4 *)row, values);
            } else {
                if (EPILOGUE == EPILOGUE_MASK_ADD) {
                    old.x = LOAD_FEATURE(row);
                    old.y = columns > 1 ? LOAD_FEATURE(row + 1) : 0.0f;
                    old.z = columns > 2 ? LOAD_FEATURE(row + 2) : 0.0f;
                    old.w = columns > 3 ? LOAD_FEATURE(row + 3) : 0.0f;
                }
                values = finish_row(values, bits >> (4 * i), old);
                store_feature(row, values.x);
                if (columns > 1) {
                    store_feature(row + 1, values.y);
                }
                if (columns > 2) {
                    store_feature(row + 2, values.z);
                }
                if (columns > 3) {
                    store_feature(row + 3, values.w);
                }
            }
            positive |= ((values.x > 0.0f) | (values.y > 0.0f) << 1 | (values.z > 0.0f) << 2 | (values.w > 0.0f) << 3)
                        << (4 * i);
        }
    }
#if EPILOGUE == EPILOGUE_RELU
    int existing = (1 << columns) - 1;
    *mask = convert_ushort(positive & (existing | existing << 4 | existing << 8 | existing << 12));
#endif
}
