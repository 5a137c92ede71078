/* matrix_product.cl: C = A B of square matrices on CPUs, float [side][side], of which `count` rows and columns count;
 * what the others hold is not used. side = blocks * BLOCK.
 *
 * A work-item computes GROUP rows: for each tile of COLUMNS vectors it takes SPAN lines of B at a time, few enough to
 * stay in its first cache, and sums up ROWS x COLUMNS vectors in registers; long sums lose digits besides.
 */
#include "common.h"

enum { SPAN = 128 };

INLINED void add_tile(__global const float *a, __global const floatB *b, __global floatB *c, int blocks, int lines,
                      int width, int adds) {
    floatB sums[ROWS][COLUMNS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
        for (int w = 0; w < width; ++w) {
            sums[r][w] = adds ? c[r * blocks + w] : (floatB)(0.0f);
        }
    }
    for (int k = 0; k < lines; ++k) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
#pragma unroll
            for (int w = 0; w < width; ++w) {
                sums[r][w] = fma((floatB)(a[r * blocks * BLOCK + k]), b[k * blocks + w], sums[r][w]);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
        for (int w = 0; w < width; ++w) {
            c[r * blocks + w] = sums[r][w];
        }
    }
}

/* The rows from `first` to `end` of one tile of columns, which begins with a block. */
INLINED void add_columns(__global const float *a, __global const floatB *b, __global floatB *c, int blocks, int count,
                         int first, int end, int block, int width) {
    for (int k = 0; k < count; k += SPAN) {
        for (int row = first; row < end; row += ROWS) {
            add_tile(a + (size_t)row * blocks * BLOCK + k, b + (size_t)k * blocks + block,
                     c + (size_t)row * blocks + block, blocks, min(SPAN, count - k), width, k > 0);
        }
    }
}

__kernel void matrix_product(__global const float *a, __global const floatB *b, __global floatB *c, int count,
                             int blocks) {
    int first = get_global_id(0) * GROUP, end = min(first + GROUP, (count + ROWS - 1) / ROWS * ROWS);
    int block = 0, used = (count + BLOCK - 1) / BLOCK;
    for (; block + COLUMNS <= used; block += COLUMNS) {
        add_columns(a, b, c, blocks, count, first, end, block, COLUMNS);
    }
    for (; block < used; ++block) {
        add_columns(a, b, c, blocks, count, first, end, block, 1);
    }
}
