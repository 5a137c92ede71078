/* gram_packed.cl: the Gram matrix G = F F^T of a feature map F, channels x pixels, on CPUs. Dense, float
 * [channels][channels], of the real channels.
 *
 * gram_partial: each work-item adds up the products of its own range of pixels into its own matrix,
 * [channels][channels] with channels padded to whole blocks. It takes `chunk` pixels at a time, few enough for their
 * features to stay in its cache, and within a chunk computes tiles of ROWS channels x COLUMNS blocks of channels in
 * registers: lanes are columns, rows are broadcast. G is symmetric: what is left of the block on the diagonal is left
 * out. Of maps in halves, each chunk is first copied as floats to the work-item's scratch memory behind all matrices,
 * [blocks][chunk].
 */
#include "common.h"
#include "features.h"

/* Adds to the matrix the products of ROWS channels with the channels of `width` blocks over `count` pixels; `plane` is
 * the vectors from one block to the next. */
INLINED void add_tile(__global const float *rows, __global const floatB *columns, size_t plane, int count, int width,
                      __global floatB *matrix, int blocks) {
    floatB sums[ROWS][COLUMNS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
        for (int c = 0; c < width; ++c) {
            sums[r][c] = (floatB)(0.0f);
        }
    }
    for (int p = 0; p < count; ++p) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
#pragma unroll
            for (int c = 0; c < width; ++c) {
                sums[r][c] = fma((floatB)(rows[p * BLOCK + r]), columns[c * plane + p], sums[r][c]);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
        for (int c = 0; c < width; ++c) {
            matrix[r * blocks + c] += sums[r][c];
        }
    }
}

#if HALF_MAPS
static void unpack_chunk(__global const featureB *map, int blocks, int pixels, int count, __global floatB *unpacked,
                         int chunk) {
    for (int block = 0; block < blocks; ++block) {
        for (int p = 0; p < count; ++p) {
            unpacked[block * chunk + p] = LOAD_FEATURES(map + (size_t)block * pixels + p);
        }
    }
}
#endif

__kernel void gram_partial(__global const featureB *map, __global floatB *partials, int channels, int pixels,
                           int chunk) {
    int item = get_global_id(0), items = get_global_size(0), blocks = (channels + BLOCK - 1) / BLOCK;
    int begin = (int)((long)pixels * item / items), end = (int)((long)pixels * (item + 1) / items);
    __global floatB *matrix = partials + (size_t)item * blocks * BLOCK * blocks;
    for (int i = 0; i < blocks * BLOCK * blocks; ++i) {
        matrix[i] = (floatB)(0.0f);
    }
    for (int start = begin; start < end; start += chunk) {
        int count = min(chunk, end - start);
#if HALF_MAPS
        __global floatB *values = partials + (size_t)items * blocks * BLOCK * blocks + (size_t)item * blocks * chunk;
        size_t plane = chunk;
        unpack_chunk(map + start, blocks, pixels, count, values, chunk);
#else
        __global const floatB *values = map + start;
        size_t plane = pixels;
#endif
        for (int row = 0; row < blocks * BLOCK; row += ROWS) {
            int block = row / BLOCK;
            __global const float *rows = (__global const float *)(values + block * plane) + row % BLOCK;
            __global const floatB *columns = values;
            __global floatB *line = matrix + row * blocks;
            if (block % COLUMNS) { /* the rest of the tile on the diagonal; COLUMNS is 1 or 2 */
                add_tile(rows, columns + block * plane, plane, count, 1, line + block, blocks);
                ++block;
            }
            for (; block < blocks; block += COLUMNS) {
                add_tile(rows, columns + block * plane, plane, count, COLUMNS, line + block, blocks);
            }
        }
    }
}

/* G = sum of the work-items' matrices, a block of rows and a block of columns at a time; those that were left out are
 * like those on the other side of the diagonal. */
__kernel IN_GROUPS void gram_sum(__global const floatB *partials, __global float *gram, int channels, int items) {
    int blocks = (channels + BLOCK - 1) / BLOCK;
    FOR_RANGE(i, blocks * blocks) {
        int row = i / blocks, column = i % blocks;
        bool is_given = row <= column;
        __global const floatB *products = partials + (size_t)min(row, column) * BLOCK * blocks + max(row, column);
        union {
            floatB rows[BLOCK];
            float values[BLOCK][BLOCK];
        } sums;
        for (int r = 0; r < BLOCK; ++r) {
            sums.rows[r] = products[r * blocks];
            for (int item = 1; item < items; ++item) {
                sums.rows[r] += products[((size_t)item * blocks * BLOCK + r) * blocks];
            }
        }
        for (int r = 0; r < min(BLOCK, channels - row * BLOCK); ++r) {
            for (int c = 0; c < min(BLOCK, channels - column * BLOCK); ++c) {
                gram[(row * BLOCK + r) * channels + column * BLOCK + c] =
                    is_given ? sums.values[r][c] : sums.values[c][r];
            }
        }
    }
}
